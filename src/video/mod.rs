//! Streams: the only user of GStreamer.

mod settings;

pub use settings::{RtspSource, Source, StreamSettings, Transport};
