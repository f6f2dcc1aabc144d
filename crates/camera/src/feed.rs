//! The way of samples into a session: to the recorder, and into the pipeline that decodes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::parts::Failure;
use super::pipeline::{Shared, Tail};
use super::record::Recorder;
use super::units::{Access, Assembler, Media, Packet, Sample};
use super::wire::FailureKind;
use base::bitstream::Parameters;
use base::clock::{Clock as _, SystemClock};
use base::fragment::{Codec, StreamFacts, TimeSource};
use base::time::{Monotonic, Stamp};

/// Samples that may wait for the decoder's queue.
const WAITING_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Takes a camera's packets: makes samples of them, and passes these on.
pub(super) struct Feed {
    state: Mutex<State>,
    tail: Tail,
}

struct State {
    assembler: Assembler,
    samples: Vec<Sample>,
    /// Where the samples go; from the first one on.
    way: Option<Way>,
}

/// Where samples go.
struct Way {
    recorder: Option<Arc<Recorder>>,
    decoder: Option<gst_app::AppSrc>,
    /// Running time of the first sample.
    starts: gst::ClockTime,
    parameters: Arc<Parameters>,
    time: TimeSource,
}

impl Feed {
    /// The way of the video that `media` describes into the running pipeline behind `tail`.
    pub(super) fn new(media: &Media, tail: &Tail) -> Arc<Self> {
        let state = State { assembler: Assembler::new(media), samples: Vec::new(), way: None };
        let feed = Arc::new(Self { state: Mutex::new(state), tail: tail.clone() });
        tail.shared.set_feed(feed.clone());
        feed
    }

    /// Takes a packet. Blocks while too much waits for the disk or the decoder.
    pub(super) fn push(&self, packet: &Packet) -> Result<(), Failure> {
        let state = &mut *self.state();
        state.assembler.push(packet, &mut state.samples);
        let taken = self.pass_on(state);
        self.tail.shared.set_counts(state.assembler.counts());
        taken
    }

    /// Passes on what waits, and hands out the unfinished fragment by `deadline`.
    pub(super) fn end(&self, deadline: Instant) {
        let state = &mut *self.state();
        state.assembler.finish(&mut state.samples);
        // A pipeline that fails now fails at its end.
        let _ = self.pass_on(state);
        let Some(way) = &state.way else { return };
        if let Some(recorder) = &way.recorder {
            recorder.finish(deadline);
        }
        if let Some(decoder) = &way.decoder {
            // Fails only where the pipeline has ended already.
            let _ = decoder.end_of_stream();
        }
    }

    fn pass_on(&self, state: &mut State) -> Result<(), Failure> {
        let shared = &self.tail.shared;
        for sample in state.samples.drain(..) {
            let way = match (&mut state.way, &sample.parameters) {
                (Some(way), _) => way,
                (way @ None, Some(parameters)) => way.insert(self.attach(parameters.clone())?),
                (None, None) => continue,
            };
            shared.sample_arrived(sample.arrival, sample.access != Access::No);
            way.take(sample, shared);
        }
        Ok(())
    }

    /// Adds what is behind the samples to the running pipeline.
    fn attach(&self, parameters: Arc<Parameters>) -> Result<Way, Failure> {
        let gone = || Failure::new(FailureKind::Transient, "the session ends");
        let pipeline = self.tail.pipeline.upgrade().ok_or_else(gone)?;
        self.tail.shared.set_facts(facts(&parameters, TimeSource::Camera));
        let recorder = self.tail.recorder()?;
        let decoder = if self.tail.is_watched() {
            let source = gst_app::AppSrc::builder()
                .caps(&caps(&parameters))
                .format(gst::Format::Time)
                .is_live(true)
                .max_bytes(WAITING_BYTES_MAX)
                .block(true)
                .build();
            pipeline.add(&source)?;
            self.tail.attach_decoder(&pipeline, source.upcast_ref(), parameters.codec)?;
            source.sync_state_with_parent()?;
            Some(source)
        } else {
            None
        };
        let starts = pipeline.current_running_time().unwrap_or_default();
        Ok(Way { recorder, decoder, starts, parameters, time: TimeSource::Camera })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    fn take(&mut self, sample: Sample, shared: &Shared) {
        let time = if sample.by_arrival { TimeSource::Arrival } else { TimeSource::Camera };
        let is_new = sample.parameters.as_ref().is_some_and(|parameters| *parameters != self.parameters);
        if is_new || time != self.time {
            if let Some(parameters) = &sample.parameters {
                self.parameters = parameters.clone();
            }
            self.time = time;
            shared.set_facts(facts(&self.parameters, time));
        }
        let shown = self.starts + gst::ClockTime::from_nseconds(sample.media_nanos);
        let at = stamp(sample.arrival);
        if let Some(decoder) = &self.decoder {
            if is_new {
                decoder.set_caps(Some(&caps(&self.parameters)));
            }
            shared.arrivals().add(shown, at, sample.is_broken);
            // Fails only where the pipeline has failed, which says why.
            let _ = decoder.push_buffer(buffer(&sample, shown));
        }
        if let Some(recorder) = &self.recorder {
            recorder.push(sample, shown.nseconds(), at);
        }
    }
}

/// The instant on both clocks at which something arrived.
pub(super) fn stamp(arrival: Monotonic) -> Stamp {
    let now = SystemClock.now();
    now - now.monotonic.since(arrival)
}

fn buffer(sample: &Sample, shown: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(sample.data.clone());
    let writable = buffer.get_mut().expect("it is new, and nobody else has it");
    writable.set_pts(shown);
    match sample.access {
        Access::KeyFrame => {}
        // Decoding may begin here, though it alone is no picture: see the decode branch.
        Access::RecoveryPoint => writable.set_flags(gst::BufferFlags::DELTA_UNIT | gst::BufferFlags::MARKER),
        Access::No => writable.set_flags(gst::BufferFlags::DELTA_UNIT),
    }
    if sample.is_broken {
        writable.set_flags(gst::BufferFlags::CORRUPTED);
    }
    buffer
}

fn facts(parameters: &Parameters, time: TimeSource) -> StreamFacts {
    StreamFacts { codec: parameters.codec, width: parameters.width, height: parameters.height, time }
}

/// What the pipeline has to know of the stream.
fn caps(parameters: &Parameters) -> gst::Caps {
    let (name, format) = match (parameters.codec, parameters.in_band) {
        (Codec::H264, false) => ("video/x-h264", "avc"),
        (Codec::H264, true) => ("video/x-h264", "avc3"),
        (Codec::H265, false) => ("video/x-h265", "hvc1"),
        (Codec::H265, true) => ("video/x-h265", "hev1"),
    };
    let pixels = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let mut caps = gst::Caps::builder(name)
        .field("stream-format", format)
        .field("alignment", "au")
        .field("codec_data", gst::Buffer::from_slice(parameters.codec_data.clone()))
        .field("width", pixels(parameters.width))
        .field("height", pixels(parameters.height));
    if let Some((wide, high)) = parameters.aspect {
        caps = caps.field("pixel-aspect-ratio", gst::Fraction::new(wide.into(), high.into()));
    }
    caps.build()
}
