//! The record branch: the camera's own samples into fragments. Never decodes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::arrivals::Arrivals;
use super::order;
use super::parts::{Failure, arrival, make};
use crate::domain::fragment::Codec;
use crate::domain::time::{Pts, Stamp};

/// A fragment ends at the first keyframe after this long: one GOP, for cameras with GOPs of a second and more.
const FRAGMENT_NANOS: u64 = 1_000_000_000;
/// Samples that may wait for the muxer. More means that the disk's side is blocked.
const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// What the muxer hands out.
pub(super) struct MuxedFragment {
    /// The init section, where it is new.
    pub init: Option<Vec<u8>>,
    pub bytes: Vec<u8>,
    pub pts: Pts,
    pub duration: Duration,
    pub starts_at: Stamp,
    pub samples: u32,
}

/// The two ends of the branch.
#[derive(Clone)]
pub(super) struct Branch {
    /// Where an end of stream makes the muxer hand out its unfinished fragment.
    pub input: gst::Pad,
    /// Where that end comes out, after the fragment.
    pub sink: gst_app::AppSink,
}

/// Adds the branch behind `tee`. `deliver` gets each fragment, and may block.
pub(super) fn attach(
    pipeline: &gst::Pipeline,
    tee: &gst::Element,
    codec: Codec,
    queued: bool,
    arrivals: Arc<Arrivals>,
    deliver: impl Fn(MuxedFragment) + Send + Sync + 'static,
) -> Result<Branch, Failure> {
    let queue = queued.then(queue).transpose()?;
    // Cameras send presentation times only; the muxer needs decoding times where pictures are reordered.
    let timestamper = make(match codec {
        Codec::H264 => "h264timestamper",
        Codec::H265 => "h265timestamper",
    })?;
    order::mend(&timestamper);
    let mux = make("isofmp4mux")?;
    mux.set_property("fragment-duration", FRAGMENT_NANOS);
    // Without it the muxer takes one sample at a time from who brings them, with a wake-up each.
    mux.set_property("min-upstream-latency", FRAGMENT_NANOS);
    let sink = gst_app::AppSink::builder().sync(false).async_(false).buffer_list(true).max_buffers(4).build();
    let last_init = Mutex::new(Vec::new());
    let new_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(fragment) = fragment_of(sink, &sample, &last_init, &arrivals) {
            deliver(fragment);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
    let elements: Vec<&gst::Element> = queue.iter().chain([&timestamper, &mux, sink.upcast_ref()]).collect();
    pipeline.add_many(&elements)?;
    gst::Element::link_many(&elements)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    tee.link(elements[0])?;
    let input = elements[0].static_pad("sink").ok_or_else(|| Failure::missing("queue"))?;
    Ok(Branch { input, sink })
}

/// A thread of its own for what comes after it.
fn queue() -> Result<gst::Element, Failure> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", 0u32);
    queue.set_property("max-size-time", 0u64);
    queue.set_property("max-size-bytes", QUEUE_BYTES_MAX);
    Ok(queue)
}

/// One buffer list: an init section where it is new, moof with the head of mdat, then one buffer per sample.
fn fragment_of(
    sink: &gst_app::AppSink,
    sample: &gst::Sample,
    last_init: &Mutex<Vec<u8>>,
    arrivals: &Arrivals,
) -> Option<MuxedFragment> {
    let list = sample.buffer_list_owned().or_else(|| {
        let mut list = gst::BufferList::new();
        list.get_mut()?.add(sample.buffer_owned()?);
        Some(list)
    })?;
    let (mut init, mut bytes, mut samples) = (Vec::new(), Vec::new(), 0);
    let mut first: Option<&gst::BufferRef> = None;
    for buffer in list.iter() {
        let map = buffer.map_readable().ok()?;
        let header = buffer.flags().contains(gst::BufferFlags::HEADER);
        if header && buffer.flags().contains(gst::BufferFlags::DISCONT) {
            init.extend_from_slice(&map);
            continue;
        }
        bytes.extend_from_slice(&map);
        if header {
            first.get_or_insert(buffer);
        } else {
            samples += 1;
        }
    }
    // Without a moof there is nothing to play: the muxer's closing words, if any.
    let first = first?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let running_time = segment.to_running_time(first.pts()?)?;
    let mut last_init = last_init.lock().unwrap_or_else(PoisonError::into_inner);
    let init = (!init.is_empty() && init != *last_init).then(|| {
        last_init.clone_from(&init);
        init
    });
    Some(MuxedFragment {
        init,
        bytes,
        pts: Pts(running_time.nseconds()),
        duration: first.duration().map_or(Duration::ZERO, Into::into),
        starts_at: arrival(sink.upcast_ref(), running_time, arrivals),
        samples,
    })
}
