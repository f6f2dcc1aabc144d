//! A rule's outcome, with a start and an end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::detection::Label;
use super::geometry::{Point, Rect};
use super::ids::{AlertId, CameraId, RuleId, TrackId, ZoneId};
use super::reason::Reason;
use super::time::Stamp;

/// Severity of an alert for a duty officer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// To be read when there is time.
    Notice,
    /// To be read now.
    Warning,
    /// To be acted upon now.
    Critical,
}

impl Severity {
    /// The word for it in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Start or end of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It has begun.
    Opened,
    /// It is over; the message repeats what was said and adds the end.
    Closed,
}

impl Phase {
    /// The word for it in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
        }
    }
}

/// The rule behind an event, as an alert names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleRef {
    /// The rule's id in the configuration.
    pub id: RuleId,
    /// Its kind: `intrusion`, `tripwire`.
    pub kind: String,
    /// Name that people use for it.
    pub name: String,
}

/// A track that took part in an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// Its track on that camera.
    pub track: TrackId,
    /// Label of the subject.
    pub label: Label,
    /// Best score since it took part, 0..=1.
    pub score: f32,
    /// Its place when the rule fired: `[x, y, w, h]` as fractions of the picture.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// True if the box is its expected place, since it was not seen on that frame. Absent where it was seen.
    #[serde(default, skip_serializing_if = "is_false")]
    pub predicted: bool,
    /// Its foot points until the alert was told, oldest first, thinned evenly: at most 32, and 40 or fewer over all subjects.
    pub path: Vec<Point>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A rule's outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Id of the event's alert; the same when it opens and when it closes.
    pub id: AlertId,
    /// Begun or over.
    pub phase: Phase,
    /// The camera whose picture shows it.
    pub camera: CameraId,
    /// The rule that fired.
    pub rule: RuleRef,
    /// Its severity.
    pub severity: Severity,
    /// Time of its begin: that of the frame that completed the evidence.
    pub opened_at: Stamp,
    /// Time of its end; `None` while it is open.
    pub closed_at: Option<Stamp>,
    /// The first alert of the same incident, where there were earlier ones.
    pub follows: Option<AlertId>,
    /// Subjects in the order in which they took part; of a further alert, those that no earlier one named.
    pub subjects: Vec<Subject>,
    /// Number of subjects; of a further alert, since the incident began.
    pub count: u32,
    /// The zone or tripwire.
    pub zone: Option<ZoneId>,
    /// Reason for which the rule fired, with its numbers, for a person: `two-wheeler in "gate" for 2.4 s (2.0 s needed)`.
    pub why: String,
    /// The same reason as a code with numbers.
    pub reason: Option<Reason>,
}
