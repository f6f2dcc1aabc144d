//! The box's status message, `status` (retained, with a last will), and each camera's state in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ack::Gap;
use super::ids::{BoxId, CameraId, OutboxId, WardId};
use super::time::{ClockState, WallTime};

/// The value of `schema` in every status message of this version.
pub const SCHEMA: &str = "wardwatch.status/1";

/// Presence of the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is there.
    Online,
    /// It is not there: said by the box as it stops, or by the broker as its will.
    Offline,
}

/// State of a camera's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StreamState {
    /// A session is being set up.
    Connecting,
    /// Samples arrive.
    Live,
    /// The session broke; the next one starts after a pause.
    BackingOff,
    /// Somebody has to change something first; tried again at a slow pace.
    Misconfigured,
    /// A file that was played to its end.
    Ended,
}

/// Input of a camera that was of no use, counted since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InputCounts {
    /// Bytes between packets that belonged to none.
    pub bytes_skipped: u64,
    /// Packets that nobody asked for, or of which nothing can be made.
    pub packets_skipped: u64,
    /// Packets that never came.
    pub packets_lost: u64,
    /// Replies of the camera that no rule covers.
    pub odd_replies: u64,
    /// Pictures that were left out: before the first key frame, or without what they refer to.
    pub pictures_left_out: u64,
    /// Pictures that may show what is wrong, after a loss.
    pub pictures_broken: u64,
    /// Jumps of the camera's clock.
    pub clock_jumps: u64,
}

impl InputCounts {
    /// Sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            bytes_skipped: self.bytes_skipped.saturating_add(other.bytes_skipped),
            packets_skipped: self.packets_skipped.saturating_add(other.packets_skipped),
            packets_lost: self.packets_lost.saturating_add(other.packets_lost),
            odd_replies: self.odd_replies.saturating_add(other.odd_replies),
            pictures_left_out: self.pictures_left_out.saturating_add(other.pictures_left_out),
            pictures_broken: self.pictures_broken.saturating_add(other.pictures_broken),
            clock_jumps: self.clock_jumps.saturating_add(other.clock_jumps),
        }
    }

    /// The counts in words for a person; `None` without a fault. A few pictures left out before the first key frame, and odd
    /// replies of a camera, are no fault.
    pub fn in_words(&self) -> Option<String> {
        let counts = [
            (self.bytes_skipped, "stray bytes skipped"),
            (self.packets_skipped, "packets skipped that are of no use"),
            (self.packets_lost, "packets lost on the way"),
            (self.pictures_broken, "pictures damaged by loss"),
            (self.clock_jumps, "jumps of the camera's clock"),
        ];
        let told: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// One camera in the status message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraStatus {
    /// Id of the camera.
    pub id: CameraId,
    /// The worse of its streams' states.
    pub state: StreamState,
    /// Reason why it is not live, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub since: WallTime,
    /// Faults of a camera that is live, for a person, each with its remedy: a long GOP, losses, a clock that is off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Data of its streams that was of no use; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputCounts>,
}

/// State of the box's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreState {
    /// It takes all that it should.
    #[default]
    Keeping,
    /// Footage is being lost, or alerts are sent before they are kept: the disk is at fault, or too slow.
    Failing,
    /// Nothing is left on the disk that may make way: new footage is lost until evidence is exported and released.
    FullOfEvidence,
}

/// The store in the status message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoreStatus {
    /// Its state.
    pub state: StoreState,
    /// Reason why it is not well, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub since: WallTime,
}

/// Maximum length of the list of abandoned numbers in a status message; the lowest ones go first.
pub const ABANDONED_MAX: usize = 256;

/// The outbox in the status message: facts about the holes that the post sees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxStatus {
    /// The outbox in which `seq` counts now.
    pub id: OutboxId,
    /// Numbers that no message of this outbox will ever have, in order and apart, at most [`ABANDONED_MAX`]: those that a
    /// damaged disk took, and those that were sent before the outbox had this id.
    pub abandoned: Vec<Gap>,
    /// Number of messages that lost their picture while they waited, since the outbox was full.
    #[serde(default)]
    pub thumbnails_shed: u64,
}

/// The message on topic `wardwatch/v1/{ward}/{box}/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Presence of the box.
    pub presence: Presence,
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// Version of the daemon.
    pub version: String,
    /// Id of this boot of the machine.
    pub boot_id: String,
    /// Start of the daemon.
    pub started_at: WallTime,
    /// Number of the connection to the broker since then, attempts included. It tells two boxes of one id from a bad link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// Its cameras; empty when offline.
    pub cameras: Vec<CameraStatus>,
    /// The store of footage and alerts; absent when offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreStatus>,
    /// Number of alerts that wait to be delivered.
    pub outbox_depth: u64,
    /// Start of the oldest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unacknowledged: Option<WallTime>,
    /// The outbox itself; absent from boxes that do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<OutboxStatus>,
    /// Trust in the box's times.
    pub clock: ClockState,
    /// Parts of the configuration that are not in force, with the reasons, for a person; absent where all of it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configuration_faults: Vec<String>,
    /// The box is being commissioned: its alerts are a test. Absent where it is at work.
    #[serde(default, skip_serializing_if = "is_false")]
    pub on_test: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The JSON Schema of [`Status`], pretty-printed; `deploy/status.schema.json` is this text.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Status);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_words_where_something_is_wrong() {
        let counts = InputCounts { odd_replies: 3, pictures_left_out: 12, ..InputCounts::default() };
        assert_eq!(counts.in_words(), None);
        let counts = counts.plus(InputCounts { bytes_skipped: 35, packets_lost: 2, ..counts });
        assert_eq!(counts.in_words().as_deref(), Some("35 stray bytes skipped, 2 packets lost on the way"));
        assert_eq!((counts.odd_replies, counts.pictures_left_out), (6, 24));
    }

    #[test]
    fn the_checked_in_schema_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/status.schema.json");
        if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(path, json_schema()).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        assert!(json_schema() == checked_in, "deploy/status.schema.json is out of date: run `make schemas`");
    }
}
