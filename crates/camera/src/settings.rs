//! Settings of one stream.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use base::fragment::StreamRole;
use base::ids::CameraId;
use base::secret::Credentials;

/// Source of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A camera.
    Rtsp(RtspSource),
    /// A file, played in real time; for trying out and tests.
    File {
        /// Any container that GStreamer's `parsebin` opens, with H.264 or H.265 in it.
        path: PathBuf,
        /// Start again at its end; otherwise the stream ends there.
        looped: bool,
    },
}

/// An RTSP camera.
#[derive(Debug, Clone, PartialEq)]
pub struct RtspSource {
    /// `rtsp://` or `rtsps://`, without user and password.
    pub url: String,
    /// Transport of the media.
    pub transport: Transport,
    /// User and password of the box at the camera.
    pub credentials: Option<Credentials>,
    /// For `rtsps://`: PEM file of the authority that signed the camera's certificate. `None` accepts any
    /// certificate, since most cameras sign their own.
    pub ca_file: Option<PathBuf>,
}

impl RtspSource {
    /// True for RTSP over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.url.starts_with("rtsps:")
    }
}

/// Transport of RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Inside the RTSP connection: nothing lost on a bad network, no further port.
    Tcp,
    /// As datagrams: for cameras that cannot do TCP.
    Udp,
}

/// The part of a session that reads a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reader {
    /// The RTSP client of this module.
    Own(KeepAliveBy),
    /// GStreamer's, for cameras that the first one does not understand.
    Rtspsrc,
}

impl Default for Reader {
    fn default() -> Self {
        Self::Own(KeepAliveBy::default())
    }
}

/// Requests that keep a session alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum KeepAliveBy {
    /// OPTIONS, whose answer says which others work.
    #[default]
    Options,
    /// GET_PARAMETER, for cameras that close the connection over OPTIONS.
    GetParameter,
    /// None, for cameras that close it over either.
    Nothing,
}

impl KeepAliveBy {
    /// The next way for a camera that closes the connection over this one.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Options => Self::GetParameter,
            Self::GetParameter | Self::Nothing => Self::Nothing,
        }
    }
}

/// Decode mode of an analysed stream. The names between daemon and session are older.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecodeMode {
    /// Key frames only, while nothing moves.
    #[serde(rename = "Idle")]
    KeyframesOnly,
    /// All frames, up to the highest rate.
    #[default]
    #[serde(rename = "Awake")]
    AllFrames,
}

/// Settings of one stream of one camera.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSettings {
    /// The camera.
    pub camera: CameraId,
    /// Main or sub stream.
    pub role: StreamRole,
    /// Source of the stream.
    pub source: Source,
    /// True if its fragments are wanted.
    pub record: bool,
    /// The highest rate of decoded frames that is wanted; `None` for none: the stream is then never decoded.
    pub watch_fps_max: Option<f32>,
    /// While [`DecodeMode::KeyframesOnly`] is wanted, only key frames are decoded, if they are no farther apart than this; `None`
    /// to decode everything always.
    pub idle_gap_max: Option<Duration>,
    /// The highest rate at which it is recorded, in the long run; fragments beyond it are left out.
    pub bits_per_second_max: f64,
    /// Time that a connected stream may stay without data before it counts as broken.
    pub stall: Duration,
}

impl StreamSettings {
    /// The user's name at the camera, if one is set.
    pub(super) fn source_credentials(&self) -> Option<&str> {
        match &self.source {
            Source::Rtsp(rtsp) => rtsp.credentials.as_ref().map(|credentials| credentials.user.as_str()),
            Source::File { .. } => None,
        }
    }
}
