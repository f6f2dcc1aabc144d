//! The branches behind a session's source: one records, one decodes. A source attaches them when it has found its stream.

use std::sync::{Arc, OnceLock};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;

use super::decode;
use super::mux::MuxedFragment;
use super::parts::Failure;
use super::record::Recorder;
use super::settings::StreamSettings;
use super::state::SessionState;
use super::wire::FailureKind;
use base::fragment::Codec;
use base::picture::DECODED_PIXELS_MAX;

/// Side of the largest square picture that is decoded.
const DECODED_SIDE: u64 = DECODED_PIXELS_MAX.isqrt();

/// Receiver of the branches' fragments and pictures. Called on pipeline threads.
pub(super) trait Deliver: Send + Sync + 'static {
    /// A finished fragment. Blocks while the daemon is behind.
    fn fragment(&self, fragment: MuxedFragment);
    /// A decoded picture.
    fn frame(&self, frame: decode::Decoded);
}

/// The branches of one session, with all that they need.
#[derive(Clone)]
pub(super) struct Branches {
    pub(super) stream: StreamSettings,
    pub(super) pipeline: glib::WeakRef<gst::Pipeline>,
    pub(super) session: Arc<SessionState>,
    deliver: Arc<dyn Deliver>,
    recorder: Arc<OnceLock<Arc<Recorder>>>,
}

impl Branches {
    pub(super) fn new(
        stream: &StreamSettings,
        pipeline: &gst::Pipeline,
        session: Arc<SessionState>,
        deliver: Arc<dyn Deliver>,
    ) -> Self {
        let recorder = Arc::default();
        Self { stream: stream.clone(), pipeline: pipeline.downgrade(), session, deliver, recorder }
    }

    /// The recorder, once it is started. It hands out the unfinished fragment at the session's end.
    pub(super) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.recorder.get().cloned()
    }

    /// True if decoded pictures are wanted.
    pub(super) fn is_analysed(&self) -> bool {
        self.stream.watch_fps_max.is_some()
    }

    /// Starts the recorder of the stream's samples, where it is wanted.
    pub(super) fn start_recorder(&self) -> Result<Option<Arc<Recorder>>, Failure> {
        if !self.stream.record {
            return Ok(None);
        }
        let deliver = self.deliver.clone();
        let recorder = Recorder::start(move |fragment| deliver.fragment(fragment))?;
        // The cell is filled once: a second video pad is swallowed.
        let _ = self.recorder.set(recorder.clone());
        Ok(Some(recorder))
    }

    /// `source` -> the decoder, where pictures are wanted.
    pub(super) fn attach_decoder(
        &self,
        pipeline: &gst::Pipeline,
        source: &gst::Element,
        codec: Codec,
    ) -> Result<(), Failure> {
        let Some(fps_max) = self.stream.watch_fps_max else { return Ok(()) };
        let idle = self.stream.idle_gap_max.map(|gap_max| (gap_max, self.session.clone()));
        let deliver = self.deliver.clone();
        let (session, is_recorded) = (self.session.clone(), self.stream.record);
        let too_large = move |width, height| {
            // A stream that is recorded goes on; the daemon knows its size, and says so.
            if !is_recorded {
                let text = format!(
                    "its pictures of {width}x{height} are too large to be analysed; set this stream to {DECODED_SIDE}x{DECODED_SIDE} \
                     at most"
                );
                session.fail(Failure::new(FailureKind::Config, text));
            }
        };
        let wanted = decode::Wanted { fps_max, idle, too_large: Box::new(too_large) };
        decode::attach(pipeline, source, codec, wanted, self.session.arrivals(), move |frame| {
            deliver.frame(frame)
        })
    }
}
