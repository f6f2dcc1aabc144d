//! Encoded video on its way from a camera to the disk.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{CameraId, Epoch};
use super::time::{Pts, Stamp};

/// Which of a camera's encoded feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamRole {
    /// Full quality; what is recorded.
    Main,
    /// Small; what is looked at.
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

/// How the samples are encoded.
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

/// Whose clock presentation times follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeSource {
    /// The camera's.
    #[default]
    Camera,
    /// The box's, by arrival: the camera's time stamps part from it by more than clocks do.
    Arrival,
}

impl TimeSource {
    /// The word that stands in the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Arrival => "arrival",
        }
    }
}

/// What a fragment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FragmentStart {
    /// A key frame: it can be decoded without what is before it.
    #[default]
    KeyFrame,
    /// A recovery point: it can be decoded by itself, and pictures are whole after some.
    RecoveryPoint,
    /// The middle of a GOP: it needs the fragments before it, back to one that begins otherwise.
    Continued,
}

impl FragmentStart {
    /// The word that stands in the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyFrame => "key-frame",
            Self::RecoveryPoint => "recovery-point",
            Self::Continued => "continued",
        }
    }
}

/// What a session found out about its stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Its codec.
    pub codec: Codec,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// Whose clock its times follow.
    #[serde(default)]
    pub time: TimeSource,
}

/// What is noteworthy of a stream that goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamHealth {
    /// For how long no key frame has come; zero where nothing is recorded.
    pub since_key_frame: Duration,
    /// Packets that came.
    pub packets: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets and NAL units that were skipped because of what they are.
    pub skipped: u64,
    /// How often the camera's clock was set, or its time stamps changed their pace.
    pub clock_jumps: u64,
    /// How often the parameter sets changed.
    pub parameter_changes: u64,
}

impl StreamHealth {
    /// A GOP that is longer is named.
    pub const GOP_MAX: Duration = Duration::from_secs(10);
    /// A share of packets that is larger is named: one in so many.
    const SHARE: u64 = 200;

    /// Whether there is something to say that `before` did not.
    pub fn is_news(&self, before: &Self) -> bool {
        self.kinds() != before.kinds()
    }

    /// Which of the notes apply, and how often the clock jumped and parameters changed.
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

    /// What to say of the stream, for a person, each with what to do.
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
    /// Where it comes from.
    pub camera: CameraId,
    /// The session it belongs to. A new epoch needs a new segment.
    pub epoch: Epoch,
    /// ftyp and moov for this and all following fragments, the same for all of them until it changes.
    pub init: Arc<[u8]>,
    /// moof and mdat.
    pub bytes: Arc<[u8]>,
    /// Presentation time of its first sample.
    pub pts: Pts,
    /// How long it plays.
    pub duration: Duration,
    /// When its first sample arrived.
    pub starts_at: Stamp,
    /// How many samples (encoded pictures) are in it.
    pub samples: u32,
    /// What is in it.
    pub facts: StreamFacts,
    /// What it begins with.
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
