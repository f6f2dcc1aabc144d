//! The ward's rules: pure.
//!
//! A rule kind is one file with its numbers (`Params`) and its [`Condition`], and one line in [`Kind`]'s list below. All
//! else (schedule, labels, cool-down, opening, merging, closing) is the same for every kind and lives in `engine`.
//! Called by `agent` after each look, one [`RuleSet`] per camera. No I/O, no clock.

mod engine;
pub mod intrusion;
mod settings;
#[cfg(test)]
mod tests;
pub mod tripwire;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::time::Monotonic;
use crate::domain::track::Track;

pub use engine::{Look, RuleSet};
pub use settings::{Place, RuleSettings, Schedule, Window};

/// What one rule kind watches for.
///
/// It keeps its own memory of the tracks of one epoch, and says on every look for which of them the condition holds.
pub trait Condition: Send {
    /// Takes one look in. `tracks` are all live ones, confirmed or not; a finding about an unconfirmed one is a defect.
    fn step(&mut self, at: Monotonic, place: &Place, tracks: &[Track]) -> Vec<Finding>;

    /// Drops its memory: a new epoch has begun, and track ids mean others.
    fn forget(&mut self);

    /// When its events end.
    fn ending(&self) -> Ending;
}

/// A track for which a condition holds on this look.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which of the tracks handed in.
    pub index: usize,
    /// Why, with its numbers, for a person.
    pub why: String,
}

/// When an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Once there has been no finding for so long; the cool-down follows.
    AfterQuiet(Duration),
    /// A cool-down after it opened: findings are momentary, and those within it belong together. The next one opens
    /// the next event at once.
    AfterCoolDown,
}

/// The enum of all kinds, from their list.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $module:ident, $word:literal; )+) => {
        /// What a rule looks for, as written in the configuration under `kind`, with the numbers of that kind beside
        /// it.
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Kind {
            $( $(#[$doc])* $kind($module::Params), )+
        }

        impl Kind {
            /// The word that stands in the configuration and in messages.
            pub fn as_str(&self) -> &'static str {
                match self {
                    $( Self::$kind(_) => $word, )+
                }
            }

            /// A fresh condition with these numbers.
            pub fn condition(&self) -> Box<dyn Condition> {
                match self {
                    $( Self::$kind(params) => Box::new($module::Watch::new(params.clone())), )+
                }
            }
        }
    };
}

kinds! {
    /// A subject in a zone.
    Intrusion = intrusion, "intrusion";
    /// A subject that crosses a line.
    Tripwire = tripwire, "tripwire";
}
