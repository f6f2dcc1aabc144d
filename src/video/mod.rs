//! Streams: the only user of GStreamer.
//!
//! Each stream's session is a child process of its own ([`session`]), so that a hung or crashed GStreamer, a leak or a
//! hostile stream ends that session alone; the daemon's side ([`supervisor`]) keeps one running for ever. `agent` calls
//! [`supervise`] for each stream; `cli` calls [`run_child`] in the child and [`read_pictures`] for `replay`.
//!
//! Never here: the use of a frame or a fragment.

mod arrivals;
mod attention;
mod feed;
mod learned;
mod mux;
mod parts;
mod pipeline;
mod record;
mod replay;
mod rtsp;
mod sandbox;
#[cfg(feature = "demo")]
pub mod server;

mod session;
mod settings;
mod supervisor;
mod units;
mod watch;
mod wire;

pub use replay::{PictureReader, ReplayError, read_pictures};
pub use sandbox::try_walls;
pub use session::{prepare_child, run_child};
pub use settings::{Attention, RtspSource, Source, StreamSettings, Transport};
pub use supervisor::{
    SessionProgram, StreamHandle, StreamReport, StreamSink, VideoError, prepare, supervise,
};

/// Environment variable with the path of the list of plugins.
const REGISTRY_VARIABLE: &str = "GST_REGISTRY";
