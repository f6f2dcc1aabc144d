//! The ward's rules: pure.
//!
//! A rule kind is one file with its numbers (`Params`) and its [`Condition`], and one line in [`Kind`]'s list below.
//! All else (schedule, night, labels, opening and closing of events) is the same for every kind and lives in `engine`.
//! `incident` decides when each subject is reported. Shared parts: `track_state` (state per track, also over a change of
//! id), `stationary` (stationary subjects and since when), `abandoned_object` (static objects that belong to no track),
//! `distances`, `paths` (foot points of an alert) and `thresholds` (a table for all kinds). Called by the program's `infer`
//! after each frame, one [`RuleSet`] per camera. No I/O, no clock.

mod abandoned_object;
mod condition;
mod distances;
mod engine;
mod incident;
mod paths;
mod settings;
mod stationary;
#[cfg(test)]
mod tests;
mod thresholds;
mod track_state;

use schemars::JsonSchema;
use serde::Deserialize;

pub use condition::{About, AreaNeed, Condition, Ending, Finding, Needs, Notes, RuleInput};
pub use engine::{Note, Observation, RuleSet};
pub use settings::{Day, RuleArea, RuleSettings, Schedule, Window};

/// The enum of all kinds, from their list.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $module:ident, $word:literal; )+) => {
        $( pub mod $module; )+

        /// Kind of a rule, as written in the configuration under `kind`, with the numbers of that kind beside it.
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Kind {
            $( $(#[$doc])* $kind($module::Params), )+
        }

        impl Kind {
            /// The word in the configuration and in messages.
            pub fn as_str(&self) -> &'static str {
                match self {
                    $( Self::$kind(_) => $word, )+
                }
            }

            /// Returns what this kind needs besides its parameters (place, ground calibration), and its default subjects.
            pub fn needs(&self) -> Needs {
                match self {
                    $( Self::$kind(params) => params.needs(), )+
                }
            }

            /// Creates a condition with these parameters, which has seen nothing yet.
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
    /// A subject that comes into a zone in which nobody may be.
    RedZoneEntry = red_zone_entry, "red_zone_entry";
    /// A vehicle that goes against a lane's direction.
    WrongWay = wrong_way, "wrong_way";
    /// Somebody who hangs about in a zone, or beside parked two-wheelers.
    Loitering = loitering, "loitering";
    /// Many at once in a zone.
    Crowd = crowd, "crowd";
    /// A vehicle that stands where none may, other than in a traffic jam.
    StoppedVehicle = stopped_vehicle, "stopped_vehicle";
    /// Several two-wheelers that race through a zone together.
    SpeedingGroup = speeding_group, "speeding_group";
    /// Something that came, and stands with nobody near it.
    LeftBehind = left_behind, "left_behind";
    /// Something that had stood for a while, and leaves.
    TakenAway = taken_away, "taken_away";
    /// The camera is covered or sprayed, blacked out, out of focus, moved, or frozen.
    CameraSabotage = camera_sabotage, "camera_sabotage";
    /// The camera gives no picture.
    CameraOffline = camera_offline, "camera_offline";
}
