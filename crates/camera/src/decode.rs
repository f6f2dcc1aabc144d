//! The decode branch: decoded pictures at the stream's size, the latest one first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::arrivals::Arrivals;
use super::decode_mode;
use super::parts::{Failure, arrival, make, parser_of};
use super::state::SessionState;
use super::wire::FailureKind;
use base::fragment::Codec;
use base::picture::{Colour, Picture, PixelFormat, is_too_large};
use base::time::{Pts, Stamp};

/// Encoded time that may wait for the decoder before the oldest is dropped.
const QUEUE_NANOS_MAX: u64 = 2_000_000_000;

/// A decoded picture with its times.
pub(super) struct Decoded {
    pub picture: Picture,
    pub pts: Pts,
    pub at: Stamp,
}

/// Demand for a stream's pictures.
pub(super) struct Wanted {
    /// Pictures a second at most.
    pub fps_max: f32,
    /// Set where key frames alone may do: their largest distance, and the holder of the decode mode.
    pub idle: Option<(Duration, Arc<SessionState>)>,
    /// Told of pictures that are too large to be decoded, by their size; those are left out.
    pub too_large: Box<dyn Fn(u32, u32) + Send + Sync>,
}

/// Adds the branch behind `tee`. `deliver` gets the pictures.
pub(super) fn attach(
    pipeline: &gst::Pipeline,
    tee: &gst::Element,
    codec: Codec,
    wanted: Wanted,
    arrivals: Arc<Arrivals>,
    deliver: impl Fn(Decoded) + Send + Sync + 'static,
) -> Result<(), Failure> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", 0u32);
    queue.set_property("max-size-bytes", 0u32);
    queue.set_property("max-size-time", QUEUE_NANOS_MAX);
    // A decoder that cannot keep up must not hold up the record branch behind the same tee.
    queue.set_property_from_str("leaky", "downstream");
    // Samples come from the camera in lists, which probes for single ones do not see: behind this element there are none.
    let single = make("identity")?;
    single.set_property("signal-handoffs", false);
    let pad = single.static_pad("src").ok_or_else(|| Failure::missing("identity"))?;
    skip_to_keyframe_after_a_leak(&pad);
    if let Some((gap_max, session)) = wanted.idle {
        decode_mode::select(&pad, gap_max, session);
    }
    let parser = make(parser_of(codec))?;
    leave_out_large(&parser, wanted.too_large)?;
    let decoder = decoder_for(&parser)?;
    let convert = make("videoconvert")?;
    let sink = picture_sink();
    let pace = Pace::new(wanted.fps_max);
    let new_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some((pts, running_time)) = times_of(&sample)
            // Pictures decoded behind a loss may be false; a key frame ends that.
            && !arrivals.of(running_time).is_some_and(|known| known.is_broken)
            && pace.is_due(pts)
            && let Some(picture) = picture_of(&sample)
        {
            deliver(Decoded { picture, pts, at: arrival(sink.upcast_ref(), running_time, &arrivals) });
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
    let elements = [&queue, &single, &parser, &decoder, &convert, sink.upcast_ref()];
    pipeline.add_many(elements)?;
    gst::Element::link_many(elements)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    tee.link(&queue)?;
    Ok(())
}

/// A sink that takes only I420 and NV12, the formats used here, and keeps one picture.
pub(super) fn picture_sink() -> gst_app::AppSink {
    let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(["I420", "NV12"])).build();
    gst_app::AppSink::builder().caps(&caps).sync(false).async_(false).max_buffers(1).build()
}

/// Drops samples after a leak of the queue, until a key frame: those that refer to lost ones would decode to smears.
fn skip_to_keyframe_after_a_leak(pad: &gst::Pad) {
    let waiting = AtomicBool::new(false);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, probe| {
        let Some(gst::PadProbeData::Buffer(buffer)) = &probe.data else { return gst::PadProbeReturn::Ok };
        let flags = buffer.flags();
        // The marker says that decoding may begin at a recovery point.
        if !flags.contains(gst::BufferFlags::DELTA_UNIT) || flags.contains(gst::BufferFlags::MARKER) {
            waiting.store(false, Ordering::Relaxed);
        } else if flags.contains(gst::BufferFlags::DISCONT) {
            waiting.store(true, Ordering::Relaxed);
        }
        if waiting.load(Ordering::Relaxed) { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
    });
}

/// Drops the samples of pictures that are too large to be decoded, as the parser finds their size.
fn leave_out_large(
    parser: &gst::Element,
    too_large: Box<dyn Fn(u32, u32) + Send + Sync>,
) -> Result<(), Failure> {
    let pad = parser.static_pad("src").ok_or_else(|| Failure::missing(&parser.name()))?;
    let is_left_out = AtomicBool::new(false);
    let kinds = gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER;
    pad.add_probe(kinds, move |_, probe| match &probe.data {
        Some(gst::PadProbeData::Event(event)) => {
            if let gst::EventView::Caps(caps) = event.view()
                && let Some((width, height)) = size_of(caps.caps())
            {
                let is_large = is_too_large(width, height);
                if is_large {
                    too_large(width, height);
                }
                is_left_out.store(is_large, Ordering::Relaxed);
            }
            gst::PadProbeReturn::Ok
        }
        Some(gst::PadProbeData::Buffer(_)) if is_left_out.load(Ordering::Relaxed) => {
            gst::PadProbeReturn::Drop
        }
        _ => gst::PadProbeReturn::Ok,
    });
    Ok(())
}

/// Width and height that caps name.
fn size_of(caps: &gst::CapsRef) -> Option<(u32, u32)> {
    let structure = caps.structure(0)?;
    let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
    Some((side("width")?, side("height")?))
}

/// The highest-ranked decoder that can be opened here and gives pictures in system memory: a hardware decoder where
/// the registry ranks one above the software's.
pub(super) fn decoder_for(parser: &gst::Element) -> Result<gst::Element, Failure> {
    let pad = parser.static_pad("src").ok_or_else(|| Failure::missing(&parser.name()))?;
    let encoded = pad.pad_template_caps();
    let raw = gst::Caps::builder("video/x-raw").field("format", gst::List::new(["I420", "NV12"])).build();
    let kind = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
    let mut factories: Vec<_> = gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL)
        .into_iter()
        .filter(|factory| factory.can_sink_any_caps(&encoded) && factory.can_src_any_caps(&raw))
        .collect();
    factories.sort_by_key(|factory| std::cmp::Reverse(factory.rank()));
    for factory in factories {
        let Ok(decoder) = factory.create().build() else { continue };
        if decoder.set_state(gst::State::Ready).is_err() {
            // Best effort: an element that failed to open has nothing to close.
            let _ = decoder.set_state(gst::State::Null);
            continue;
        }
        if decoder.has_property("max-threads") {
            // Several cameras share the cores already; frame threads cost memory and latency.
            decoder.set_property("max-threads", 1i32);
        }
        if decoder.has_property("output-corrupt") {
            decoder.set_property("output-corrupt", false);
        }
        return Ok(decoder);
    }
    let reason = "GStreamer has no decoder for this stream: install gstreamer1.0-libav";
    Err(Failure::new(FailureKind::Config, reason))
}

/// Presentation time since the session's start, and the same as GStreamer's type.
pub(super) fn times_of(sample: &gst::Sample) -> Option<(Pts, gst::ClockTime)> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let running_time = segment.to_running_time(sample.buffer()?.pts()?)?;
    Some((Pts(running_time.nseconds()), running_time))
}

/// Copies the planes together, without the decoder's padding.
pub(super) fn picture_of(sample: &gst::Sample) -> Option<Picture> {
    let video = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let format = match video.format() {
        gst_video::VideoFormat::I420 => PixelFormat::I420,
        gst_video::VideoFormat::Nv12 => PixelFormat::Nv12,
        _ => return None,
    };
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &video).ok()?;
    let (width, height) = (frame.width(), frame.height());
    let mut samples = Vec::with_capacity(Picture::byte_count(width, height));
    let (chroma_width, chroma_rows) = (width.div_ceil(2) as usize, height.div_ceil(2) as usize);
    for plane in 0..frame.n_planes() {
        let (row_bytes, rows) = match (plane, format) {
            (0, _) => (width as usize, height as usize),
            (_, PixelFormat::I420) => (chroma_width, chroma_rows),
            (_, PixelFormat::Nv12) => (chroma_width * 2, chroma_rows),
        };
        let stride = usize::try_from(*frame.plane_stride().get(plane as usize)?).ok()?;
        let plane = frame.plane_data(plane).ok()?;
        for row in plane.chunks(stride).take(rows) {
            samples.extend_from_slice(row.get(..row_bytes)?);
        }
    }
    let colorimetry = video.colorimetry();
    let colour = Colour {
        bt709: colorimetry.matrix() == gst_video::VideoColorMatrix::Bt709,
        full_range: colorimetry.range() == gst_video::VideoColorRange::Range0_255,
    };
    Picture::new(width, height, format, colour, samples).ok()
}

/// Thins frames to a highest rate, by their presentation times.
struct Pace {
    interval_nanos: u64,
    due: AtomicU64,
}

impl Pace {
    fn new(fps_max: f32) -> Self {
        let interval = 1e9 / f64::from(fps_max.max(0.01));
        Self { interval_nanos: interval as u64, due: AtomicU64::new(0) }
    }

    /// True if the frame at `pts` is to be delivered; then sets the time of the next one.
    fn is_due(&self, pts: Pts) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        // Cameras' own times wobble by a few ms: without this slack a 5 fps camera at 5 fps would lose frames.
        if pts.0 + self.interval_nanos / 8 < due {
            return false;
        }
        let next = (due + self.interval_nanos).max(pts.0);
        self.due.store(next, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_thinned_to_the_rate_and_not_below() {
        let delivered = |fps: u64, fps_max: f32| {
            let pace = Pace::new(fps_max);
            (0..fps * 60).filter(|i| pace.is_due(Pts(i * 1_000_000_000 / fps))).count()
        };
        assert!((299..=301).contains(&delivered(25, 5.0)), "{}", delivered(25, 5.0));
        assert!((299..=301).contains(&delivered(12, 5.0)), "{}", delivered(12, 5.0));
        assert_eq!(delivered(4, 5.0), 240, "a slow camera loses nothing");
    }
}
