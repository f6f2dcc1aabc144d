//! The ward's rules: pure.

pub mod intrusion;
mod settings;
pub mod tripwire;

use schemars::JsonSchema;
use serde::Deserialize;

pub use settings::{Place, RuleSettings, Schedule, Window};

/// What a rule looks for, as written in the configuration under `kind`, with the numbers of that kind beside it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A subject in a zone.
    Intrusion(intrusion::Params),
    /// A subject that crosses a line.
    Tripwire(tripwire::Params),
}
