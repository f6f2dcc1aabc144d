//! Counts of skipped input of a camera, by kind.

use serde::{Deserialize, Serialize};

/// Numbers of skipped and repaired parts, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    /// Packets that arrived, of any kind.
    pub packets: u64,
    /// Samples that were handed out.
    pub samples: u64,
    /// Packets that are no RTP, or whose lengths do not fit.
    pub malformed: u64,
    /// Packets of another payload type.
    pub foreign: u64,
    /// Packets that never came, by their sequence numbers.
    pub lost: u64,
    /// Packets that came twice, or too late.
    pub repeated: u64,
    /// Changes of the source's number (SSRC).
    pub source_changes: u64,
    /// Payloads and NAL units of types that are not used, empty ones, and those that are cut short.
    pub unusable: u64,
    /// Fragmented NAL units without their start or their end.
    pub incomplete: u64,
    /// Parameter sets that do not read.
    pub bad_sets: u64,
    /// Pictures that were left out: before the first key frame, or without a picture that they refer to.
    pub undecodable: u64,
    /// Samples after a loss, up to the next key frame.
    pub broken: u64,
    /// Changes of the parameter sets.
    pub parameter_changes: u64,
    /// Jumps of the camera's clock.
    pub clock_jumps: u64,
}

impl Counts {
    /// Packets and units that were skipped because of their content; losses on the way are not among them.
    pub fn skipped(&self) -> u64 {
        // Where packets are lost, units are incomplete for that reason.
        let incomplete = if self.lost == 0 { self.incomplete } else { 0 };
        self.malformed + self.foreign + self.unusable + incomplete + self.bad_sets
    }
}
