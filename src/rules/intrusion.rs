//! `intrusion`: a subject stays in a zone.

use schemars::JsonSchema;
use serde::Deserialize;

/// Numbers of an `intrusion` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How long a subject must have been in the zone, in seconds.
    pub seconds_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 1.0 }
    }
}
