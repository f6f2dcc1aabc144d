//! `tripwire`: a subject crosses a directed line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Numbers of a `tripwire` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Which crossings count.
    pub direction: Direction,
}

/// Which crossings count, looking along the line from its first point to its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both.
    #[default]
    Both,
    /// From the line's left to its right.
    LeftToRight,
    /// From the line's right to its left.
    RightToLeft,
}
