//! Encoded video on its way from a camera to the disk.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{CameraId, Epoch};
use super::time::{Pts, Stamp};

/// The main or sub encoded feed of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamRole {
    /// Full quality, for recording.
    Main,
    /// Small, for detection.
    Sub,
}

impl fmt::Display for StreamRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Main => "main",
            Self::Sub => "sub",
        })
    }
}

/// Encoding of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
        })
    }
}

/// The clock that presentation times follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeSource {
    /// The camera's.
    #[default]
    Camera,
    /// The box's, by arrival: the camera's time stamps deviate from it by more than clocks do.
    Arrival,
}

impl TimeSource {
    /// The word for it in the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Arrival => "arrival",
        }
    }
}

/// First sample of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FragmentStart {
    /// A key frame: the fragment can be decoded without those before it.
    #[default]
    KeyFrame,
    /// A recovery point: the fragment can be decoded by itself, and its pictures are whole after a few.
    RecoveryPoint,
    /// The middle of a GOP: it needs the fragments before it, back to one that begins otherwise.
    Continued,
}

impl FragmentStart {
    /// The word for it in the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyFrame => "key-frame",
            Self::RecoveryPoint => "recovery-point",
            Self::Continued => "continued",
        }
    }
}

/// Properties of a stream that its session has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Its codec.
    pub codec: Codec,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// The clock that its times follow.
    #[serde(default)]
    pub time: TimeSource,
}

/// Health of a running stream: the counts that may need a note.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamHealth {
    /// Time since the last key frame; zero where nothing is recorded.
    pub since_key_frame: Duration,
    /// Packets received.
    pub packets: u64,
    /// Packets lost on the way.
    pub lost: u64,
    /// Packets and NAL units that were skipped for their kind.
    pub skipped: u64,
    /// Number of times that the camera's clock was set, or its time stamps changed their pace.
    pub clock_jumps: u64,
    /// Number of changes of the parameter sets.
    pub parameter_changes: u64,
}

impl StreamHealth {
    /// Length of a GOP above which a note is made.
    pub const GOP_MAX: Duration = Duration::from_secs(10);
    /// A note is made of a part of packets that is larger than one in this number.
    const SHARE: u64 = 200;

    /// True where a note applies that did not apply to `before`, or a count has changed.
    pub fn is_news(&self, before: &Self) -> bool {
        self.kinds() != before.kinds()
    }

    /// The notes that apply, and the counts of clock jumps and parameter changes.
    fn kinds(&self) -> (bool, bool, bool, u64, u64) {
        let is_many = |count: u64| count > 0 && count.saturating_mul(Self::SHARE) > self.packets;
        (
            self.since_key_frame > Self::GOP_MAX,
            is_many(self.lost),
            is_many(self.skipped),
            self.clock_jumps,
            self.parameter_changes,
        )
    }

    /// Notes about the stream, for a person, each with a remedy.
    pub fn notes(&self, facts: Option<&StreamFacts>) -> Vec<String> {
        let (is_gop_long, loses, skips, ..) = self.kinds();
        let mut notes = Vec::new();
        if is_gop_long {
            let seconds = self.since_key_frame.as_secs();
            notes.push(format!(
                "no key frame for {seconds} s: set the camera's key frame interval to 1 or 2 s, and its smart codec off"
            ));
        }
        if loses {
            let (lost, packets) = (self.lost, self.packets);
            notes.push(format!(
                "{lost} of {} packets were lost: check the network to the camera",
                lost + packets
            ));
        }
        if skips {
            let (skipped, packets) = (self.skipped, self.packets);
            notes.push(format!(
                "{skipped} of {packets} packets were skipped, since they are not as the standard says: look for newer \
                 firmware of the camera"
            ));
        }
        if facts.is_some_and(|facts| facts.time == TimeSource::Arrival) {
            notes.push(
                "the camera's time stamps do not go as fast as its pictures come: times follow their arrival; set the \
                 camera's frame rate to what it can keep"
                    .to_owned(),
            );
        }
        notes
    }
}

/// moof and mdat of ISO 14496-12 (CMAF chunk): a run of GOPs as the camera sent them. A long GOP comes in parts, each a
/// fragment.
///
/// `init` followed by the bytes of consecutive fragments of one epoch is a playable MP4 file.
#[derive(Clone)]
pub struct Fragment {
    /// Its camera.
    pub camera: CameraId,
    /// The session it belongs to. A new epoch needs a new segment.
    pub epoch: Epoch,
    /// ftyp and moov for this and all following fragments, the same for all of them until it changes.
    pub init: Arc<[u8]>,
    /// moof and mdat.
    pub bytes: Arc<[u8]>,
    /// Presentation time of its first sample.
    pub pts: Pts,
    /// Its playing time.
    pub duration: Duration,
    /// Time at which its first sample arrived.
    pub starts_at: Stamp,
    /// Number of its samples (encoded pictures).
    pub samples: u32,
    /// Properties of its stream.
    pub facts: StreamFacts,
    /// Kind of its first sample.
    pub start: FragmentStart,
    /// The camera's clock was set before it: it begins a segment.
    pub is_break: bool,
}

/// Without the bytes.
impl fmt::Debug for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fragment")
            .field("camera", &self.camera)
            .field("epoch", &self.epoch)
            .field("bytes", &self.bytes.len())
            .field("pts", &self.pts)
            .field("duration", &self.duration)
            .field("starts_at", &self.starts_at.wall)
            .field("samples", &self.samples)
            .finish_non_exhaustive()
    }
}
