//! The GStreamer pipeline of one session, inside its child process.
//!
//! ```text
//! rtsp ─ appsrc ────────────────────────────────────┐
//! rtspsrc ─ depay ────────────────────────┐         │
//! filesrc ─ parsebin ─ identity(sync) ────┴─ parse ─┴┬─ queue ─ timestamper ─ isofmp4mux ─ appsink   (record)
//!                                                    └─ queue ─ identity ─ parse ─ decoder ─ convert ─ appsink  (watch)
//! ```
//!
//! `rtspsrc` reads cameras that want UDP or TLS, [`rtsp`] the others. [`order`](super::order) mends what timestampers say.

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
use super::parts::{Failure, link, make, parser_of};
use super::settings::{Attention, RtspSource, Source, StreamSettings, Transport};
use super::wire::FailureKind;
use super::{record, rtsp, watch};
use crate::clock;
use crate::domain::fragment::{Codec, StreamFacts};
use crate::domain::time::Monotonic;

/// How long rtspsrc waits for an answer before it gives up, in microseconds.
const TCP_TIMEOUT_MICROS: u64 = 5_000_000;
/// How long packets may wait for those that were sent before them, in milliseconds.
const JITTER_MS: u32 = 200;
/// A GOP that is longer than this, or larger, is not waited for. The longest that cameras offer is about 80 s.
const UNFINISHED_MAX: Duration = Duration::from_secs(120);
const UNFINISHED_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// Where the pipeline's threads leave what they find; shared with the session's main loop.
pub(super) struct Shared {
    started: Monotonic,
    samples: AtomicU64,
    last_sample: AtomicU64,
    /// Since when samples wait for a keyframe to become a fragment, and their bytes.
    unfinished_since: AtomicU64,
    unfinished_bytes: AtomicU64,
    is_delivering: AtomicBool,
    facts: Mutex<Option<StreamFacts>>,
    failure: Mutex<Option<Failure>>,
    record_branch: OnceLock<record::Branch>,
    feed: OnceLock<Arc<Feed>>,
    arrivals: Arc<Arrivals>,
    is_idle: AtomicBool,
}

impl Shared {
    fn new() -> Self {
        let started = clock::monotonic();
        Self {
            started,
            samples: AtomicU64::new(0),
            last_sample: AtomicU64::new(started.as_nanos()),
            unfinished_since: AtomicU64::new(started.as_nanos()),
            unfinished_bytes: AtomicU64::new(0),
            is_delivering: AtomicBool::new(false),
            facts: Mutex::new(None),
            failure: Mutex::new(None),
            record_branch: OnceLock::new(),
            feed: OnceLock::new(),
            arrivals: Arc::default(),
            is_idle: AtomicBool::new(false),
        }
    }

    /// How closely the daemon wants to look.
    pub(super) fn attention(&self) -> Attention {
        if self.is_idle.load(Ordering::Relaxed) { Attention::Idle } else { Attention::Awake }
    }

    pub(super) fn attend(&self, attention: Attention) {
        self.is_idle.store(attention == Attention::Idle, Ordering::Relaxed);
    }

    /// How many samples have arrived.
    pub(super) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// When the last one arrived, or the session started.
    pub(super) fn last_sample(&self) -> Monotonic {
        Monotonic::from_nanos(self.last_sample.load(Ordering::Relaxed)).max(self.started)
    }

    /// What the stream is; `None` until that is known.
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

    pub(super) fn sample_arrived(&self, at: Monotonic, bytes: usize) {
        self.samples.fetch_add(1, Ordering::Relaxed);
        self.last_sample.store(at.as_nanos(), Ordering::Relaxed);
        self.unfinished_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn fragment_finished(&self, at: Monotonic) {
        self.unfinished_since.store(at.as_nanos(), Ordering::Relaxed);
        self.unfinished_bytes.store(0, Ordering::Relaxed);
        self.is_delivering.store(false, Ordering::Relaxed);
    }

    /// For how long and with how many bytes samples have waited for a keyframe, where that is too much to be kept in memory.
    pub(super) fn overdue(&self) -> Option<(Duration, u64)> {
        let since = Monotonic::from_nanos(self.unfinished_since.load(Ordering::Relaxed));
        let (span, bytes) = (self.last_sample().since(since), self.unfinished_bytes.load(Ordering::Relaxed));
        let is_too_much = span > UNFINISHED_MAX || bytes > UNFINISHED_BYTES_MAX;
        // While the daemon is behind, it is not the camera that keeps them waiting.
        (is_too_much && !self.is_delivering.load(Ordering::Relaxed)).then_some((span, bytes))
    }

    /// Where the samples come in, if the source is one of ours.
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

    /// Where an end of stream makes the record branch hand out its unfinished fragment.
    pub(super) fn record_branch(&self) -> Option<record::Branch> {
        self.record_branch.get().cloned()
    }
}

/// Takes what the branches deliver. Called on pipeline threads.
pub(super) trait Deliver: Send + Sync + 'static {
    /// A finished fragment. Blocks while the daemon is behind.
    fn fragment(&self, fragment: record::MuxedFragment);
    /// A decoded picture.
    fn frame(&self, frame: watch::Decoded);
}

/// Builds the pipeline; nothing flows until it is set to PLAYING.
pub(super) fn build(
    stream: &StreamSettings,
    deliver: Arc<dyn Deliver>,
) -> Result<(gst::Pipeline, Arc<Shared>), Failure> {
    let pipeline = gst::Pipeline::new();
    // The system clock, not one that an element offers: stamps are taken against it.
    pipeline.use_clock(Some(&gst::SystemClock::obtain()));
    let shared = Arc::new(Shared::new());
    let tail =
        Tail { stream: stream.clone(), pipeline: pipeline.downgrade(), shared: shared.clone(), deliver };
    match &stream.source {
        Source::Rtsp(rtsp) if rtsp.transport == Transport::Tcp && !rtsp.is_secure() => {
            rtsp::start(rtsp.clone(), tail)?;
        }
        Source::Rtsp(rtsp) => tail.attach_rtspsrc(rtsp)?,
        Source::File { path, .. } => file_source(&pipeline, path, tail)?,
    }
    Ok((pipeline, shared))
}

/// GStreamer's own error for a certificate that is not trusted says nothing of certificates.
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

/// Everything behind the source, attached when the source has found out what the stream is.
#[derive(Clone)]
pub(super) struct Tail {
    pub(super) stream: StreamSettings,
    pub(super) pipeline: glib::WeakRef<gst::Pipeline>,
    pub(super) shared: Arc<Shared>,
    deliver: Arc<dyn Deliver>,
}

impl Tail {
    /// The rest of the pipeline follows when the camera has said what its stream is.
    pub(super) fn attach_rtspsrc(&self, rtsp: &RtspSource) -> Result<(), Failure> {
        let Some(pipeline) = self.pipeline.upgrade() else { return Ok(()) };
        let source = make("rtspsrc")?;
        source.set_property("location", &rtsp.url);
        // Whether TLS is spoken follows from the URL.
        let protocol = match rtsp.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        source.set_property_from_str("protocols", protocol);
        source.set_property("latency", JITTER_MS);
        source.set_property("tcp-timeout", TCP_TIMEOUT_MICROS);
        source.set_property("timeout", TCP_TIMEOUT_MICROS);
        source.set_property("teardown-timeout", 0u64);
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

    /// A file's sound and subtitles.
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
            Codec::H264 => "video/x-h264,stream-format=avc,alignment=au",
            Codec::H265 => "video/x-h265,stream-format=hvc1,alignment=au",
        };
        let parser = make(parser_of(codec))?;
        let filter = make("capsfilter")?;
        filter.set_property_from_str("caps", caps);
        let tee = make("tee")?;
        tee.set_property("allow-not-linked", true);
        let elements = [&first, &parser, &filter, &tee];
        pipeline.add_many(elements)?;
        gst::Element::link_many(elements)?;
        self.observe(&filter, codec)?;
        self.attach_branches(&pipeline, &tee, codec, true)?;
        for element in elements.iter().rev() {
            element.sync_state_with_parent()?;
        }
        link(pad, &first)
    }

    /// `source` -> the branches that are wanted. Returns whether samples may come in portions: nobody waits for pictures.
    pub(super) fn attach_samples(&self, source: &gst_app::AppSrc, codec: Codec) -> Result<bool, Failure> {
        let Some(pipeline) = self.pipeline.upgrade() else { return Ok(false) };
        let tee = make("tee")?;
        tee.set_property("allow-not-linked", true);
        pipeline.add(&tee)?;
        source.link(&tee)?;
        let is_watched = self.stream.watch_fps_max.is_some();
        self.attach_branches(&pipeline, &tee, codec, is_watched)?;
        tee.sync_state_with_parent()?;
        Ok(!is_watched)
    }

    /// The record branch has a thread of its own where `queued`: where it must not hold up what is before the tee.
    fn attach_branches(
        &self,
        pipeline: &gst::Pipeline,
        tee: &gst::Element,
        codec: Codec,
        queued: bool,
    ) -> Result<(), Failure> {
        let arrivals = self.shared.arrivals();
        if self.stream.record {
            let (deliver, arrivals) = (self.deliver.clone(), arrivals.clone());
            let shared = self.shared.clone();
            let deliver = move |fragment| {
                shared.is_delivering.store(true, Ordering::Relaxed);
                deliver.fragment(fragment);
                shared.fragment_finished(clock::monotonic());
            };
            let branch = record::attach(pipeline, tee, codec, queued, arrivals, deliver)?;
            // The cell is filled once: a second video pad is swallowed.
            let _ = self.shared.record_branch.set(branch);
        }
        if let Some(fps_max) = self.stream.watch_fps_max {
            let deliver = self.deliver.clone();
            let idle = self.stream.idle_gap_max.map(|gap_max| (gap_max, self.shared.clone()));
            let deliver = move |frame| deliver.frame(frame);
            watch::attach(pipeline, tee, codec, watch::Wanted { fps_max, idle }, arrivals, deliver)?;
        }
        Ok(())
    }

    /// Counts samples and notes what the stream is, where the parser hands them out.
    fn observe(&self, filter: &gst::Element, codec: Codec) -> Result<(), Failure> {
        let pad = filter.static_pad("src").ok_or_else(|| Failure::missing("capsfilter"))?;
        let shared = self.shared.clone();
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(mask, move |_, probe| {
            match &probe.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    shared.sample_arrived(clock::monotonic(), buffer.size());
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

/// A codec that nothing here can record.
pub(super) fn codec_not_supported(codec: &str) -> Failure {
    let text =
        format!("the camera sends {codec}, which cannot be recorded: set this stream to H.264 or H.265");
    Failure::new(FailureKind::Config, text)
}

fn facts_of(caps: &gst::CapsRef, codec: Codec) -> StreamFacts {
    let number = |field: &str| caps.structure(0).and_then(|s| s.get::<i32>(field).ok());
    let pixels = |field: &str| number(field).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    StreamFacts { codec, width: pixels("width"), height: pixels("height") }
}
