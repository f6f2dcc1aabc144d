//! Streams of cameras: the only user of GStreamer on a box.
//!
//! Each stream's session is a child process of its own ([`run_child`]), so that a hung or crashed GStreamer, a leak or a
//! hostile stream ends that session alone; the daemon's side ([`supervise`]) keeps one running for ever. Owns RTSP, the
//! sandbox, recording without transcoding, and decoding for analysis.
//!
//! Never here: the use of a frame or a fragment. `run` supervises; the command `session` is the child; `replay` reads files.

mod arrivals;
mod border;
mod branches;
mod decode;
mod decode_mode;
mod feed;
mod gst_source;
mod learned;
mod mux;
mod parts;
mod pipeline;
mod record;
mod replay;
mod rtsp;
mod sandbox;
mod session;
mod session_program;
mod settings;
mod state;
mod supervisor;
mod units;
mod wire;

pub use replay::{PictureReader, ReplayError, read_pictures};
pub use sandbox::try_sandbox;
pub use session::{prepare_child, run_child};
pub use session_program::{SessionProgram, prepare};
pub use settings::{DecodeMode, RtspSource, Source, StreamSettings, Transport};
pub use supervisor::{StreamHandle, StreamReport, StreamSink, VideoError, supervise};

/// Environment variable with the path of the list of plugins.
const REGISTRY_VARIABLE: &str = "GST_REGISTRY";
