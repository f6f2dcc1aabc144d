//! Sources that GStreamer reads: cameras over `rtspsrc`, and files. Both end in a tee, behind which the branches are.
//!
//! `rtspsrc` reads cameras that want TLS, and those that [`rtsp`](super::rtsp) does not understand.

use std::path::Path;
use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use parking_lot::Mutex;

use super::arrivals::Arrivals;
use super::branches::Branches;
use super::parts::{Failure, arrival, follow_no_lists, link, make, parser_of};
use super::record::Recorder;
use super::settings::{RtspSource, Transport};
use super::state::SessionState;
use super::units::{Repackager, Sample};
use super::wire::FailureKind;
use base::clock;
use base::fragment::{Codec, StreamFacts, TimeSource};
use base::time::Stamp;

/// Time that rtspsrc waits for an answer before it gives up, in microseconds.
const TCP_TIMEOUT_MICROS: u64 = 5_000_000;
/// Time that packets may wait for those that were sent before them, in milliseconds.
const JITTER_MS: u32 = 200;
/// Time for a camera to hear that rtspsrc leaves.
const TEARDOWN_TIMEOUT: gst::ClockTime = gst::ClockTime::from_mseconds(500);
/// Bytes of access units that may wait for the recorder. More means that the disk's side is blocked.
const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// Adds rtspsrc, and returns it. The rest of the pipeline follows when the camera has described its stream.
pub(super) fn rtspsrc(
    pipeline: &gst::Pipeline,
    rtsp: &RtspSource,
    branches: &Branches,
) -> Result<gst::Element, Failure> {
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
                let text =
                    format!("cannot read ca_file {}: {error}; it must be a PEM certificate", path.display());
                Failure::new(FailureKind::Config, text)
            })?;
            source.set_property("tls-database", &database);
            say_why_refused(&source, path, branches.session.clone());
        }
        None => source.set_property_from_str("tls-validation-flags", "no-flags"),
    }
    pipeline.add(&source)?;
    // Sound is neither recorded nor asked for: the people on the street have not agreed to it.
    source.connect("select-stream", false, |values| {
        let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let media =
            caps.as_ref().and_then(|caps| caps.structure(0)).and_then(|s| s.get::<&str>("media").ok());
        Some((media == Some("video")).to_value())
    });
    let branches = branches.clone();
    source.connect_pad_added(move |_, pad| attach_rtp(&branches, pad));
    source.sync_state_with_parent()?;
    Ok(source)
}

/// Adds the source of a file. The rest of the pipeline follows when its streams are known.
pub(super) fn file(pipeline: &gst::Pipeline, path: &Path, branches: Branches) -> Result<(), Failure> {
    let source = make("filesrc")?;
    let location = path.to_str().ok_or_else(|| {
        Failure::new(
            FailureKind::Config,
            format!("the path {} is not valid UTF-8: rename the file", path.display()),
        )
    })?;
    source.set_property("location", location);
    let parse = make("parsebin")?;
    follow_no_lists(&parse);
    pipeline.add_many([&source, &parse])?;
    source.link(&parse)?;
    parse.connect_pad_added(move |_, pad| attach_parsed(&branches, pad));
    Ok(())
}

/// Reports the reason why a certificate is not trusted: GStreamer's own error says nothing of certificates.
fn say_why_refused(source: &gst::Element, ca_file: &Path, session: Arc<SessionState>) {
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
        session.fail(Failure::new(
            FailureKind::Config,
            format!("the camera's certificate is not trusted: {why}"),
        ));
        Some(false.to_value())
    });
}

fn attach_rtp(branches: &Branches, pad: &gst::Pad) {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let encoding = caps.structure(0).and_then(|s| s.get::<&str>("encoding-name").ok()).unwrap_or("?");
    let result = match encoding {
        "H264" => attach(branches, pad, "rtph264depay", Codec::H264),
        "H265" => attach(branches, pad, "rtph265depay", Codec::H265),
        other => Err(codec_not_supported(other)),
    };
    result.unwrap_or_else(|failure| branches.session.fail(failure));
}

fn attach_parsed(branches: &Branches, pad: &gst::Pad) {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let kind = caps.structure(0).map_or("?", |structure| structure.name().as_str());
    let result = match kind {
        "video/x-h264" => attach(branches, pad, "identity", Codec::H264),
        "video/x-h265" => attach(branches, pad, "identity", Codec::H265),
        other if other.starts_with("video/") => Err(Failure::new(
            FailureKind::Config,
            format!("the file holds {other}, which is not supported: convert it to H.264 or H.265"),
        )),
        _ => swallow(branches, pad),
    };
    result.unwrap_or_else(|failure| branches.session.fail(failure));
}

/// Discards the samples of `pad`, such as a file's sound and subtitles.
fn swallow(branches: &Branches, pad: &gst::Pad) -> Result<(), Failure> {
    let Some(pipeline) = branches.pipeline.upgrade() else { return Ok(()) };
    let sink = make("fakesink")?;
    sink.set_property("async", false);
    pipeline.add(&sink)?;
    sink.sync_state_with_parent()?;
    link(pad, &sink)
}

/// `pad` -> `first` -> parser -> the branches that are wanted.
fn attach(branches: &Branches, pad: &gst::Pad, first: &str, codec: Codec) -> Result<(), Failure> {
    let Some(pipeline) = branches.pipeline.upgrade() else { return Ok(()) };
    if branches.session.facts().is_some() {
        return swallow(branches, pad);
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
    observe(branches, &filter, codec)?;
    if let Some(recorder) = branches.start_recorder()? {
        attach_recorder(&pipeline, &tee, codec, recorder)?;
    }
    branches.attach_decoder(&pipeline, &tee, codec)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    link(pad, &first)
}

/// Counts samples, and notes the stream's codec and size, behind the parser.
fn observe(branches: &Branches, filter: &gst::Element, codec: Codec) -> Result<(), Failure> {
    let pad = filter.static_pad("src").ok_or_else(|| Failure::missing("capsfilter"))?;
    let session = branches.session.clone();
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(mask, move |_, probe| {
        match &probe.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                let is_key_frame = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                session.sample_arrived(clock::monotonic(), is_key_frame);
            }
            Some(gst::PadProbeData::Event(event)) => {
                if let gst::EventView::Caps(caps) = event.view() {
                    session.set_facts(facts_of(caps.caps(), codec));
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

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
        let (repackager, starts) = &mut *repackager.lock();
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
fn codec_not_supported(codec: &str) -> Failure {
    let text =
        format!("the camera sends {codec}, which cannot be recorded: set this stream to H.264 or H.265");
    Failure::new(FailureKind::Config, text)
}

fn facts_of(caps: &gst::CapsRef, codec: Codec) -> StreamFacts {
    let pixels = |field: &str| {
        let number = caps.structure(0).and_then(|structure| structure.get::<i32>(field).ok());
        number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
    };
    StreamFacts { codec, width: pixels("width"), height: pixels("height"), time: TimeSource::Camera }
}
