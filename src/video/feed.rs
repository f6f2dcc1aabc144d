//! The way of a camera's samples into the pipeline: their times, and the `appsrc` that takes them.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use retina::codec::{VideoFrame, VideoParameters};

use super::arrivals::Arrivals;
use super::parts::Failure;
use super::pipeline::Tail;
use super::wire::FailureKind;
use crate::clock::{Clock as _, SystemClock};
use crate::domain::fragment::{Codec, StreamFacts};
use crate::domain::time::Monotonic;

/// Samples that may wait for the muxer. More means that the disk's side is blocked.
const WAITING_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A stream that is only recorded goes into the pipeline in portions: each wakes the pipeline's threads once.
const PORTION: Duration = Duration::from_millis(500);
/// A camera's own time and the box's may differ by this much from one sample to the next.
const JUMP_MAX: Duration = Duration::from_secs(10);

/// The way into the pipeline.
pub(super) struct Feed {
    source: gst_app::AppSrc,
    state: Mutex<State>,
    arrivals: Arc<Arrivals>,
    /// Only recorded: samples may wait for each other.
    in_portions: bool,
}

struct State {
    /// Running time of the first sample.
    starts: gst::ClockTime,
    first: Option<i64>,
    /// The camera's time and the box's at the last sample.
    last: Option<(i64, Monotonic)>,
    waiting: Vec<gst::Buffer>,
    waiting_since: Option<Monotonic>,
}

impl Feed {
    /// Adds the source, and everything behind it, to the running pipeline.
    pub(super) fn attach(
        parameters: &VideoParameters,
        codec: Codec,
        tail: &Tail,
    ) -> Result<Arc<Self>, Failure> {
        let gone = || Failure::new(FailureKind::Transient, "the session ends");
        let pipeline = tail.pipeline.upgrade().ok_or_else(gone)?;
        let (caps, facts) = described(parameters, codec);
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            // Live, the muxer would also wake by the clock.
            .is_live(tail.stream.watch_fps_max.is_some())
            .max_bytes(WAITING_BYTES_MAX)
            .block(true)
            .build();
        pipeline.add(&source)?;
        tail.shared.set_facts(facts);
        let in_portions = tail.attach_samples(&source, codec)?;
        source.sync_state_with_parent()?;
        let feed = Arc::new(Self {
            state: Mutex::new(State {
                starts: pipeline.current_running_time().unwrap_or_default(),
                first: None,
                last: None,
                waiting: Vec::new(),
                waiting_since: None,
            }),
            source,
            arrivals: tail.shared.arrivals(),
            in_portions,
        });
        tail.shared.set_feed(feed.clone());
        Ok(feed)
    }

    /// The stream's parameters are others from the next sample on.
    pub(super) fn change(&self, parameters: &VideoParameters, codec: Codec, tail: &Tail) {
        let (caps, facts) = described(parameters, codec);
        if self.source.caps().as_ref() != Some(&caps) {
            self.hand_over(&mut self.state());
            self.source.set_caps(Some(&caps));
            tail.shared.set_facts(facts);
        }
    }

    /// Blocks while [`WAITING_BYTES_MAX`] wait.
    pub(super) fn push(&self, frame: VideoFrame, now: Monotonic) -> Result<(), Failure> {
        let mut state = self.state();
        let (elapsed, rate) = (frame.timestamp().elapsed(), frame.timestamp().clock_rate());
        if let Some((last_elapsed, last)) = state.last
            && nanos(elapsed - last_elapsed, rate)
                .abs_diff(i64::try_from(now.since(last).as_nanos()).unwrap_or(i64::MAX))
                > u64::try_from(JUMP_MAX.as_nanos()).unwrap_or(u64::MAX)
        {
            return Err(Failure::new(FailureKind::Transient, "the camera's time has jumped"));
        }
        state.last = Some((elapsed, now));
        let first = *state.first.get_or_insert(elapsed);
        let Ok(since_first) = u64::try_from(nanos(elapsed - first, rate)) else {
            // Shown before the first keyframe, and decodable only with what came before it.
            return Ok(());
        };
        let pts = state.starts + gst::ClockTime::from_nseconds(since_first);
        let (is_keyframe, is_after_loss) = (frame.is_random_access_point(), frame.loss() > 0);
        let mut buffer = gst::Buffer::from_mut_slice(frame.into_data());
        let writable = buffer.get_mut().expect("it is new, and nobody else has it");
        writable.set_pts(pts);
        if !is_keyframe {
            writable.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        if is_after_loss {
            writable.set_flags(gst::BufferFlags::DISCONT);
        }
        if is_keyframe || !self.in_portions {
            self.arrivals.add(pts, SystemClock.now());
        }
        state.waiting.push(buffer);
        let since = *state.waiting_since.get_or_insert(now);
        if !self.in_portions || is_keyframe || now.since(since) >= PORTION {
            self.hand_over(&mut state);
        }
        Ok(())
    }

    /// Hands over what waits, and says that nothing more comes.
    pub(super) fn end(&self) {
        self.hand_over(&mut self.state());
        // Fails only where the pipeline has ended already.
        let _ = self.source.end_of_stream();
    }

    fn hand_over(&self, state: &mut State) {
        state.waiting_since = None;
        if state.waiting.is_empty() {
            return;
        }
        let list: gst::BufferList = state.waiting.drain(..).collect();
        // Fails only where the pipeline has failed, which says why.
        let _ = self.source.push_buffer_list(list);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RTP clock units as nanoseconds.
fn nanos(units: i64, rate: NonZeroU32) -> i64 {
    let nanos = i128::from(units) * 1_000_000_000 / i128::from(rate.get());
    i64::try_from(nanos).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX })
}

/// What the pipeline and the box have to know of the stream.
fn described(parameters: &VideoParameters, codec: Codec) -> (gst::Caps, StreamFacts) {
    let (name, format) = match codec {
        Codec::H264 => ("video/x-h264", "avc"),
        Codec::H265 => ("video/x-h265", "hvc1"),
    };
    let (width, height) = parameters.pixel_dimensions();
    let pixels = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let mut caps = gst::Caps::builder(name)
        .field("stream-format", format)
        .field("alignment", "au")
        .field("codec_data", gst::Buffer::from_slice(parameters.extra_data().to_vec()))
        .field("width", pixels(width))
        .field("height", pixels(height));
    if let Some((horizontal, vertical)) = parameters.pixel_aspect_ratio() {
        caps = caps.field("pixel-aspect-ratio", gst::Fraction::new(pixels(horizontal), pixels(vertical)));
    }
    (caps.build(), StreamFacts { codec, width, height })
}
