//! The box's vitals since the last ones: `vitals`, once a minute, neither retained nor repeated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{BoxId, CameraId, WardId};
use super::time::{ClockState, WallTime};

/// The value of `schema` in every vitals message of this version.
pub const SCHEMA: &str = "wardwatch.vitals/1";

/// The message on topic `wardwatch/v1/{ward}/{box}/vitals`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vitals {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// Time of the measurement.
    pub at: WallTime,
    /// Seconds before that time over which rates are meant.
    pub seconds: f64,
    /// The disk.
    pub disk: DiskVitals,
    /// The warmest part of the box that says how warm it is, in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f32>,
    /// Memory.
    pub memory: MemoryVitals,
    /// The part of the detector's share that the temperature leaves, 0 to 1.
    pub throttle: f64,
    /// The cameras that are analysed.
    pub cameras: Vec<CameraVitals>,
    /// Further facts about the box's health; absent from boxes that do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthVitals>,
    /// The log of who viewed footage; absent where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogVitals>,
}

/// The end of the access log. A log that becomes shorter, or other at the same length, was cut or changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AccessLogVitals {
    /// Number of its lines.
    pub lines: u64,
    /// sha256 of its last line in hexadecimal; empty without lines.
    pub sha256: String,
}

/// Facts by which the post judges a box, beside its measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthVitals {
    /// State of the box's clock: the trust that its times deserve.
    pub clock: ClockState,
    /// Number of alerts that wait to be delivered.
    pub outbox_depth: u64,
    /// Opening time of the oldest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unacknowledged: Option<WallTime>,
    /// End of validity of the certificate with which the box proves its identity to the broker; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_ends_at: Option<WallTime>,
    /// Bytes of the disk that are to stay free, as configured.
    pub free_bytes_min: u64,
    /// Days that footage goes back. Absent while no limit of size has removed footage since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footage_days: Option<f64>,
    /// Days that it is to go back, as configured.
    pub footage_days_min: f64,
}

/// The disk with the footage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiskVitals {
    /// Free bytes of the disk; absent where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Footage.
    pub clip_bytes: u64,
    /// The part of it that is held as evidence.
    pub held_bytes: u64,
    /// Fragments that the disk did not take, or that found no room to wait for it, since the start.
    pub lost_fragments: u64,
}

/// Memory; absent where the kernel does not say.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MemoryVitals {
    /// The machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Memory that is available to programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_bytes: Option<u64>,
    /// Resident memory of the daemon itself, without its sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon_bytes: Option<u64>,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraVitals {
    /// Id of the camera.
    pub id: CameraId,
    /// Frames a second that came to the analysis.
    pub fps: f64,
    /// The part of them on which something moved, 0 to 1; 0 without a gate.
    pub motion: f64,
    /// Inferences a second.
    pub looks_per_second: f64,
    /// CPU seconds a second that they took.
    pub inference: f64,
    /// Inferences a second that were needed and that the budget could not serve.
    pub shortfall_looks_per_second: f64,
    /// CPU seconds a second that they would have taken.
    pub shortfall: f64,
}

/// The JSON Schema of [`Vitals`], pretty-printed; `deploy/vitals.schema.json` is this text.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Vitals);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_schema_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/vitals.schema.json");
        if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(path, json_schema()).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        assert!(json_schema() == checked_in, "deploy/vitals.schema.json is out of date: run `make schemas`");
    }
}
