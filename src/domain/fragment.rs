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

/// What a session found out about its stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Its codec.
    pub codec: Codec,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
}

/// moof and mdat of ISO 14496-12 (CMAF chunk): a run of whole GOPs that starts on a keyframe, as the camera sent them.
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
