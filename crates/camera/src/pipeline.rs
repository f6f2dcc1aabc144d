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
//! `rtspsrc` reads cameras that want TLS, and those that [`rtsp`] does not understand.

use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::arrivals::Arrivals;
use super::feed::Feed;
use super::mux::MuxedFragment;
use super::parts::{Failure, arrival, link, make, parser_of};
use super::record::Recorder;
use super::rtsp::{ClientCounts, Reading};
use super::settings::{DecodeMode, Reader, RtspSource, Source, StreamSettings, Transport};
use super::units::{Counts, Repackager, Sample};
use super::wire::FailureKind;
use super::{decode, rtsp};
use base::clock;
use base::fragment::{Codec, StreamFacts, TimeSource};
use base::time::{Monotonic, Stamp};

/// Time that rtspsrc waits for an answer before it gives up, in microseconds.
const TCP_TIMEOUT_MICROS: u64 = 5_000_000;
/// Time that packets may wait for those that were sent before them, in milliseconds.
const JITTER_MS: u32 = 200;
/// Time for a camera to hear that rtspsrc leaves.
const TEARDOWN_TIMEOUT: gst::ClockTime = gst::ClockTime::from_mseconds(500);
/// Findings of the pipeline's threads, shared with the session's main loop.
pub(super) struct Shared {
    started: Monotonic,
    samples: AtomicU64,
    last_sample: AtomicU64,
    last_key_frame: AtomicU64,
    facts: Mutex<Option<StreamFacts>>,
    counts: Mutex<Counts>,
    client_counts: Mutex<ClientCounts>,
    /// The camera is asked to play and has not answered yet: its reader has a timeout of its own.
    is_opening: AtomicBool,
    reading: OnceLock<Arc<Reading>>,
    rtspsrc: OnceLock<gst::Element>,
    failure: Mutex<Option<Failure>>,
    recorder: OnceLock<Arc<Recorder>>,
    feed: OnceLock<Arc<Feed>>,
    arrivals: Arc<Arrivals>,
    is_keyframes_only: AtomicBool,
}

impl Shared {
    fn new() -> Self {
        let started = clock::monotonic();
        Self {
            started,
            samples: AtomicU64::new(0),
            last_sample: AtomicU64::new(started.as_nanos()),
            last_key_frame: AtomicU64::new(started.as_nanos()),
            facts: Mutex::new(None),
            counts: Mutex::default(),
            client_counts: Mutex::default(),
            is_opening: AtomicBool::new(false),
            reading: OnceLock::new(),
            rtspsrc: OnceLock::new(),
            failure: Mutex::new(None),
            recorder: OnceLock::new(),
            feed: OnceLock::new(),
            arrivals: Arc::default(),
            is_keyframes_only: AtomicBool::new(false),
        }
    }

    /// Decode mode that the daemon wants.
    pub(super) fn decode_mode(&self) -> DecodeMode {
        if self.is_keyframes_only.load(Ordering::Relaxed) {
            DecodeMode::KeyframesOnly
        } else {
            DecodeMode::AllFrames
        }
    }

    pub(super) fn set_decode_mode(&self, decode_mode: DecodeMode) {
        self.is_keyframes_only.store(decode_mode == DecodeMode::KeyframesOnly, Ordering::Relaxed);
    }

    /// Number of samples that have arrived.
    pub(super) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Time at which the last sample arrived, or the camera began to play, or the session started.
    pub(super) fn last_sample(&self) -> Monotonic {
        Monotonic::from_nanos(self.last_sample.load(Ordering::Relaxed)).max(self.started)
    }

    /// Codec, size and time source; `None` until they are known.
    pub(super) fn facts(&self) -> Option<StreamFacts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first failure that a pipeline thread met.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_facts(&self, facts: StreamFacts) {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts);
    }

    pub(super) fn sample_arrived(&self, at: Monotonic, is_key_frame: bool) {
        self.samples.fetch_add(1, Ordering::Relaxed);
        self.last_sample.store(at.as_nanos(), Ordering::Relaxed);
        if is_key_frame {
            self.last_key_frame.store(at.as_nanos(), Ordering::Relaxed);
        }
    }

    /// Time without a key frame, up to the last sample.
    pub(super) fn since_key_frame(&self) -> Duration {
        let last_key_frame = Monotonic::from_nanos(self.last_key_frame.load(Ordering::Relaxed));
        self.last_sample().since(last_key_frame)
    }

    /// Counts of the camera's input that was skipped.
    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_counts(&self, counts: Counts) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    /// Counts of the input that the RTSP client skipped.
    pub(super) fn client_counts(&self) -> ClientCounts {
        *self.client_counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_client_counts(&self, counts: ClientCounts) {
        *self.client_counts.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    /// True while the camera has not been brought to play.
    pub(super) fn is_opening(&self) -> bool {
        self.is_opening.load(Ordering::Relaxed)
    }

    /// The camera plays: from now on samples are due.
    pub(super) fn plays(&self) {
        let now = clock::monotonic().as_nanos();
        self.last_sample.store(now, Ordering::Relaxed);
        self.last_key_frame.store(now, Ordering::Relaxed);
        self.is_opening.store(false, Ordering::Relaxed);
    }

    /// The thread that reads the camera, if it is one of ours.
    pub(super) fn reading(&self) -> Option<Arc<Reading>> {
        self.reading.get().cloned()
    }

    pub(super) fn set_reading(&self, reading: Arc<Reading>) {
        self.is_opening.store(true, Ordering::Relaxed);
        // The cell is filled once: a session has one reader.
        let _ = self.reading.set(reading);
    }

    /// The element that reads the camera, if it is GStreamer's.
    pub(super) fn rtspsrc(&self) -> Option<gst::Element> {
        self.rtspsrc.get().cloned()
    }

    /// Entry of the samples, if the source is one of ours.
    pub(super) fn feed(&self) -> Option<Arc<Feed>> {
        self.feed.get().cloned()
    }

    pub(super) fn set_feed(&self, feed: Arc<Feed>) {
        // The cell is filled once: a session has one source.
        let _ = self.feed.set(feed);
    }

    pub(super) fn arrivals(&self) -> Arc<Arrivals> {
        self.arrivals.clone()
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }

    /// The recorder, which hands out the unfinished fragment at the session's end.
    pub(super) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.recorder.get().cloned()
    }
}

/// Receiver of the branches' fragments and pictures. Called on pipeline threads.
pub(super) trait Deliver: Send + Sync + 'static {
    /// A finished fragment. Blocks while the daemon is behind.
    fn fragment(&self, fragment: MuxedFragment);
    /// A decoded picture.
    fn frame(&self, frame: decode::Decoded);
}

/// Builds the pipeline; nothing flows until it is set to PLAYING. `connection` leads to the camera, where it is open
/// already.
pub(super) fn build(
    stream: &StreamSettings,
    reader: Reader,
    connection: Option<TcpStream>,
    deliver: Arc<dyn Deliver>,
) -> Result<(gst::Pipeline, Arc<Shared>), Failure> {
    let pipeline = gst::Pipeline::new();
    // The system clock, not one that an element offers: stamps are taken against it.
    pipeline.use_clock(Some(&gst::SystemClock::obtain()));
    let shared = Arc::new(Shared::new());
    let tail =
        Tail { stream: stream.clone(), pipeline: pipeline.downgrade(), shared: shared.clone(), deliver };
    match &stream.source {
        Source::Rtsp(rtsp) if reader == Reader::Own && !rtsp.is_secure() => {
            rtsp::start(rtsp.clone(), connection, tail)?;
        }
        Source::Rtsp(rtsp) => tail.attach_rtspsrc(rtsp)?,
        Source::File { path, .. } => file_source(&pipeline, path, tail)?,
    }
    Ok((pipeline, shared))
}

/// Reports the reason why a certificate is not trusted: GStreamer's own error says nothing of certificates.
fn say_why_refused(source: &gst::Element, ca_file: &Path, shared: Arc<Shared>) {
    let ca_file = ca_file.display().to_string();
    source.connect("accept-certificate", false, move |values| {
        let flaws = values.get(3).and_then(|value| value.get::<gio::TlsCertificateFlags>().ok());
        let flaws = flaws.unwrap_or(gio::TlsCertificateFlags::GENERIC_ERROR);
        let why = if flaws.contains(gio::TlsCertificateFlags::UNKNOWN_CA) {
            format!("it is not signed by the authority in ca_file {ca_file}")
        } else if flaws.contains(gio::TlsCertificateFlags::BAD_IDENTITY) {
            format!("it is signed by ca_file {ca_file}, but for another name than the URL's")
        } else if flaws
            .intersects(gio::TlsCertificateFlags::EXPIRED | gio::TlsCertificateFlags::NOT_ACTIVATED)
        {
            "it is not valid at this time: is the box's clock right?".to_owned()
        } else {
            format!("it does not hold against ca_file {ca_file}")
        };
        shared.fail(Failure::new(
            FailureKind::Config,
            format!("the camera's certificate is not trusted: {why}"),
        ));
        Some(false.to_value())
    });
}

fn file_source(pipeline: &gst::Pipeline, path: &Path, tail: Tail) -> Result<(), Failure> {
    let source = make("filesrc")?;
    let location = path.to_str().ok_or_else(|| {
        Failure::new(
            FailureKind::Config,
            format!("the path {} is not valid UTF-8: rename the file", path.display()),
        )
    })?;
    source.set_property("location", location);
    let parse = make("parsebin")?;
    pipeline.add_many([&source, &parse])?;
    source.link(&parse)?;
    parse.connect_pad_added(move |_, pad| tail.attach_parsed(pad));
    Ok(())
}

/// Everything behind the source, attached when the source has found the stream.
#[derive(Clone)]
pub(super) struct Tail {
    pub(super) stream: StreamSettings,
    pub(super) pipeline: glib::WeakRef<gst::Pipeline>,
    pub(super) shared: Arc<Shared>,
    deliver: Arc<dyn Deliver>,
}

impl Tail {
    /// Adds rtspsrc. The rest of the pipeline follows when the camera has described its stream.
    pub(super) fn attach_rtspsrc(&self, rtsp: &RtspSource) -> Result<(), Failure> {
        let Some(pipeline) = self.pipeline.upgrade() else { return Ok(()) };
        let source = make("rtspsrc")?;
        source.set_property("location", &rtsp.url);
        // The URL decides on TLS.
        let protocol = match rtsp.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        source.set_property_from_str("protocols", protocol);
        source.set_property("latency", JITTER_MS);
        source.set_property("tcp-timeout", TCP_TIMEOUT_MICROS);
        source.set_property("timeout", TCP_TIMEOUT_MICROS);
        source.set_property("teardown-timeout", TEARDOWN_TIMEOUT.nseconds());
        source.set_property("user-agent", "wardwatch");
        if let Some(credentials) = &rtsp.credentials {
            source.set_property("user-id", &credentials.user);
            source.set_property("user-pw", credentials.password.reveal());
        }
        match &rtsp.ca_file {
            Some(path) => {
                let database = gio::TlsFileDatabase::new(path).map_err(|error| {
                    let text = format!(
                        "cannot read ca_file {}: {error}; it must be a PEM certificate",
                        path.display()
                    );
                    Failure::new(FailureKind::Config, text)
                })?;
                source.set_property("tls-database", &database);
                say_why_refused(&source, path, self.shared.clone());
            }
            None => source.set_property_from_str("tls-validation-flags", "no-flags"),
        }
        pipeline.add(&source)?;
        // The cell is filled once: a session has one reader.
        let _ = self.shared.rtspsrc.set(source.clone());
        // Sound is neither recorded nor asked for: nobody on the street agreed to be listened to.
        source.connect("select-stream", false, |values| {
            let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
            let media =
                caps.as_ref().and_then(|caps| caps.structure(0)).and_then(|s| s.get::<&str>("media").ok());
            Some((media == Some("video")).to_value())
        });
        let tail = self.clone();
        source.connect_pad_added(move |_, pad| tail.attach_rtp(pad));
        source.sync_state_with_parent()?;
        Ok(())
    }

    fn attach_rtp(&self, pad: &gst::Pad) {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let encoding = caps.structure(0).and_then(|s| s.get::<&str>("encoding-name").ok()).unwrap_or("?");
        let result = match encoding {
            "H264" => self.attach(pad, "rtph264depay", Codec::H264),
            "H265" => self.attach(pad, "rtph265depay", Codec::H265),
            other => Err(codec_not_supported(other)),
        };
        result.unwrap_or_else(|failure| self.shared.fail(failure));
    }

    fn attach_parsed(&self, pad: &gst::Pad) {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = caps.structure(0).map_or("?", |structure| structure.name().as_str());
        let result = match kind {
            "video/x-h264" => self.attach(pad, "identity", Codec::H264),
            "video/x-h265" => self.attach(pad, "identity", Codec::H265),
            other if other.starts_with("video/") => Err(Failure::new(
                FailureKind::Config,
                format!("the file holds {other}, which is not supported: convert it to H.264 or H.265"),
            )),
            _ => self.swallow(pad),
        };
        result.unwrap_or_else(|failure| self.shared.fail(failure));
    }

    /// Discards the samples of `pad`, such as a file's sound and subtitles.
    fn swallow(&self, pad: &gst::Pad) -> Result<(), Failure> {
        let Some(pipeline) = self.pipeline.upgrade() else { return Ok(()) };
        let sink = make("fakesink")?;
        sink.set_property("async", false);
        pipeline.add(&sink)?;
        sink.sync_state_with_parent()?;
        link(pad, &sink)
    }

    /// `pad` -> `first` -> parser -> the branches that are wanted.
    fn attach(&self, pad: &gst::Pad, first: &str, codec: Codec) -> Result<(), Failure> {
        let Some(pipeline) = self.pipeline.upgrade() else { return Ok(()) };
        if self.shared.facts().is_some() {
            return self.swallow(pad);
        }
        let first = make(first)?;
        if first.has_property("sync") {
            first.set_property("sync", true);
        }
        if first.has_property("wait-for-keyframe") {
            first.set_property("wait-for-keyframe", true);
        }
        let caps = match codec {
            Codec::H264 => "video/x-h264,stream-format=byte-stream,alignment=au",
            Codec::H265 => "video/x-h265,stream-format=byte-stream,alignment=au",
        };
        let parser = make(parser_of(codec))?;
        // The sets of a container's header come with each key frame, like those in band.
        parser.set_property("config-interval", -1i32);
        let filter = make("capsfilter")?;
        filter.set_property_from_str("caps", caps);
        let tee = make("tee")?;
        tee.set_property("allow-not-linked", true);
        let elements = [&first, &parser, &filter, &tee];
        pipeline.add_many(elements)?;
        gst::Element::link_many(elements)?;
        self.observe(&filter, codec)?;
        if let Some(recorder) = self.recorder()? {
            attach_recorder(&pipeline, &tee, codec, recorder)?;
        }
        self.attach_decoder(&pipeline, &tee, codec)?;
        for element in elements.iter().rev() {
            element.sync_state_with_parent()?;
        }
        link(pad, &first)
    }

    /// True if decoded pictures are wanted.
    pub(super) fn is_watched(&self) -> bool {
        self.stream.watch_fps_max.is_some()
    }

    /// Starts the recorder of the stream's samples, where it is wanted.
    pub(super) fn recorder(&self) -> Result<Option<Arc<Recorder>>, Failure> {
        if !self.stream.record {
            return Ok(None);
        }
        let deliver = self.deliver.clone();
        let recorder = Recorder::start(move |fragment| deliver.fragment(fragment))?;
        // The cell is filled once: a second video pad is swallowed.
        let _ = self.shared.recorder.set(recorder.clone());
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
        let deliver = self.deliver.clone();
        let idle = self.stream.idle_gap_max.map(|gap_max| (gap_max, self.shared.clone()));
        let deliver = move |frame| deliver.frame(frame);
        let wanted = decode::Wanted { fps_max, idle };
        decode::attach(pipeline, source, codec, wanted, self.shared.arrivals(), deliver)
    }

    /// Counts samples, and notes the stream's codec and size, behind the parser.
    fn observe(&self, filter: &gst::Element, codec: Codec) -> Result<(), Failure> {
        let pad = filter.static_pad("src").ok_or_else(|| Failure::missing("capsfilter"))?;
        let shared = self.shared.clone();
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(mask, move |_, probe| {
            match &probe.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    let is_key_frame = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                    shared.sample_arrived(clock::monotonic(), is_key_frame);
                }
                Some(gst::PadProbeData::Event(event)) => {
                    if let gst::EventView::Caps(caps) = event.view() {
                        shared.set_facts(facts_of(caps.caps(), codec));
                    }
                }
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
        Ok(())
    }
}

/// Bytes of access units that may wait for the recorder. More means that the disk's side is blocked.
const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// `tee` -> `recorder`, by a thread of its own.
fn attach_recorder(
    pipeline: &gst::Pipeline,
    tee: &gst::Element,
    codec: Codec,
    recorder: Arc<Recorder>,
) -> Result<(), Failure> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", 0u32);
    queue.set_property("max-size-time", 0u64);
    queue.set_property("max-size-bytes", QUEUE_BYTES_MAX);
    let sink = gst_app::AppSink::builder().sync(false).async_(false).max_buffers(4).build();
    let repackager = Mutex::new((Repackager::new(codec), None));
    let new_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let (repackager, starts) = &mut *repackager.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((shown, at, sample)) = repackaged(sink, &sample, repackager) {
            // Running time at which the samples' media time is zero.
            let starts = *starts.get_or_insert(shown.saturating_sub(sample.media_nanos));
            let shown = starts + sample.media_nanos;
            recorder.push(sample, shown, at);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
    let elements = [&queue, sink.upcast_ref()];
    pipeline.add_many(elements)?;
    gst::Element::link_many(elements)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    tee.link(&queue)?;
    Ok(())
}

/// An access unit of GStreamer as a sample, with its running time in nanoseconds and its arrival.
fn repackaged(
    sink: &gst_app::AppSink,
    sample: &gst::Sample,
    repackager: &mut Repackager,
) -> Option<(u64, Stamp, Sample)> {
    let buffer = sample.buffer()?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let running_time = segment.to_running_time(buffer.pts().or(buffer.dts())?)?;
    let at = arrival(sink.upcast_ref(), running_time, &Arrivals::default());
    let bytes = buffer.map_readable().ok()?.to_vec();
    let is_after_loss = buffer.flags().contains(gst::BufferFlags::DISCONT);
    let shown = running_time.nseconds();
    let sample = repackager.sample(bytes, shown, at.monotonic, is_after_loss)?;
    Some((shown, at, sample))
}

/// Failure of a stream in a codec that cannot be recorded.
pub(super) fn codec_not_supported(codec: &str) -> Failure {
    let text =
        format!("the camera sends {codec}, which cannot be recorded: set this stream to H.264 or H.265");
    Failure::new(FailureKind::Config, text)
}

fn facts_of(caps: &gst::CapsRef, codec: Codec) -> StreamFacts {
    let number = |field: &str| caps.structure(0).and_then(|s| s.get::<i32>(field).ok());
    let pixels = |field: &str| number(field).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    StreamFacts { codec, width: pixels("width"), height: pixels("height"), time: TimeSource::Camera }
}
