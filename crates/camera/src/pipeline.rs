//! The GStreamer pipeline of one session, inside its child process.
//!
//! ```text
//! rtsp ─ units ─┬─ recorder
//!               └─ appsrc ──────────────────────────────┐
//! rtspsrc ─ depay ─────────────────────┐                │
//! filesrc ─ parsebin ─ identity(sync) ─┴─ parse ─ tee ─┬┴─ queue ─ identity ─ parse ─ decoder ─ convert ─ appsink
//!                                                      └─ queue ─ appsink ─ units ─ recorder
//! ```
//!
//! The first line is [`rtsp`], the next two are [`gst_source`]; both use the same [`branches`](super::branches).

use std::net::TcpStream;
use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::branches::{Branches, Deliver};
use super::feed::Feed;
use super::parts::Failure;
use super::record::Recorder;
use super::rtsp::Reading;
use super::settings::{Reader, Source, StreamSettings};
use super::state::SessionState;
use super::{gst_source, rtsp};

/// A session's pipeline, with the parts that the session's end needs.
pub(super) struct SessionPipeline {
    pub(super) pipeline: gst::Pipeline,
    pub(super) session: Arc<SessionState>,
    pub(super) source: SourcePart,
    branches: Branches,
}

/// The part that reads the source.
#[derive(Clone)]
pub(super) enum SourcePart {
    /// The thread that reads the camera.
    Reading(Arc<Reading>),
    /// GStreamer's element that reads the camera.
    Rtspsrc(gst::Element),
    /// A file's reader, which needs no end.
    File,
}

impl SourcePart {
    /// The thread that reads the camera, if it is one of ours.
    pub(super) fn reading(&self) -> Option<&Arc<Reading>> {
        match self {
            Self::Reading(reading) => Some(reading),
            Self::Rtspsrc(_) | Self::File => None,
        }
    }
}

impl SessionPipeline {
    /// Entry of the samples, if the source is one of ours and has described its stream.
    pub(super) fn feed(&self) -> Option<Arc<Feed>> {
        self.source.reading().and_then(|reading| reading.feed())
    }

    /// The recorder, once it is started.
    pub(super) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.branches.recorder()
    }
}

/// Builds the pipeline; nothing flows until it is set to PLAYING. `connection` leads to the camera, where it is open
/// already.
pub(super) fn build(
    stream: &StreamSettings,
    reader: Reader,
    connection: Option<TcpStream>,
    deliver: Arc<dyn Deliver>,
) -> Result<SessionPipeline, Failure> {
    let pipeline = gst::Pipeline::new();
    // The system clock, not one that an element offers: stamps are taken against it.
    pipeline.use_clock(Some(&gst::SystemClock::obtain()));
    let session = Arc::new(SessionState::new());
    let branches = Branches::new(stream, &pipeline, session.clone(), deliver);
    let source = match &stream.source {
        Source::Rtsp(rtsp) => match reader {
            Reader::Own(keep_alive) if !rtsp.is_secure() => {
                SourcePart::Reading(rtsp::start(rtsp.clone(), keep_alive, connection, branches.clone())?)
            }
            Reader::Own(_) | Reader::Rtspsrc => {
                SourcePart::Rtspsrc(gst_source::rtspsrc(&pipeline, rtsp, &branches)?)
            }
        },
        Source::File { path, .. } => {
            gst_source::file(&pipeline, path, branches.clone())?;
            SourcePart::File
        }
    };
    Ok(SessionPipeline { pipeline, session, source, branches })
}
