//! Tools to build every part of a pipeline: elements, links, failures, arrival times.

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;

use super::arrivals::Arrivals;
use super::settings::{Source, StreamSettings};
use super::wire::FailureKind;
use base::clock::{Clock as _, SystemClock};
use base::fragment::Codec;
use base::time::Stamp;

/// Reason why a session broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub kind: FailureKind,
    pub reason: String,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    /// The camera's answer to a wrong password, or to none.
    pub(super) fn not_authorised(stream: &StreamSettings) -> Self {
        let text = match stream.source_credentials() {
            Some(user) => {
                format!("the camera refuses user \"{user}\" with this password: check user and password_file")
            }
            None => "the camera asks for a password: set user and password_file".to_owned(),
        };
        Self::new(FailureKind::Config, text)
    }

    /// The camera does not know the path.
    pub(super) fn not_found(stream: &StreamSettings) -> Self {
        let url = match &stream.source {
            Source::Rtsp(rtsp) => rtsp.url.as_str(),
            Source::File { .. } => "",
        };
        let text = format!("the camera has no stream at {url}: check the path in `{}`", stream.role);
        Self::new(FailureKind::Config, text)
    }

    /// A part of GStreamer that is not installed, with the Debian package that has it.
    pub(super) fn missing(element: &str) -> Self {
        let package = match element {
            "rtspsrc" | "rtph264depay" | "rtph265depay" => "gstreamer1.0-plugins-good",
            "h264parse" | "h265parse" => "gstreamer1.0-plugins-bad",
            "parsebin" | "videoconvert" => "gstreamer1.0-plugins-base",
            _ => "gstreamer1.0-plugins-good or gstreamer1.0-libav",
        };
        let reason = format!("GStreamer has no element \"{element}\": install {package}");
        Self::new(FailureKind::Config, reason)
    }
}

impl From<glib::BoolError> for Failure {
    fn from(error: glib::BoolError) -> Self {
        Self::new(FailureKind::Bug, format!("GStreamer: {error}"))
    }
}

/// An element by its factory's name.
pub(super) fn make(factory: &str) -> Result<gst::Element, Failure> {
    gst::ElementFactory::make(factory).build().map_err(|_| Failure::missing(factory))
}

/// Links `pad` to `element`'s only sink pad.
pub(super) fn link(pad: &gst::Pad, element: &gst::Element) -> Result<(), Failure> {
    let sink = element.static_pad("sink").ok_or_else(|| Failure::missing(&element.name()))?;
    pad.link(&sink).map(|_| ()).map_err(|error| {
        Failure::new(FailureKind::Bug, format!("cannot link {} to {}: {error}", pad.name(), element.name()))
    })
}

/// The element that reads a codec's own headers.
pub(super) fn parser_of(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "h264parse",
        Codec::H265 => "h265parse",
    }
}

/// Arrival time at the box of the sample with this running time: as noted, or else by the running time.
pub(super) fn arrival(element: &gst::Element, running_time: gst::ClockTime, arrivals: &Arrivals) -> Stamp {
    if let Some(known) = arrivals.of(running_time) {
        return known.at;
    }
    let now = SystemClock.now();
    let age = element.current_running_time().and_then(|now| now.checked_sub(running_time));
    now - age.map_or(std::time::Duration::ZERO, Into::into)
}

/// Keeps `bin`, which finds out the kind of a file, from following lists of addresses (HLS, DASH, SDP and the like): a file is
/// played without a request to the network.
pub(super) fn follow_no_lists(bin: &gst::Element) {
    bin.connect("autoplug-continue", false, |values| {
        let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let name =
            caps.as_ref().and_then(|caps| caps.structure(0)).map(|structure| structure.name().as_str());
        Some(name.is_some_and(is_media).to_value())
    });
}

/// True for containers and streams of media.
fn is_media(name: &str) -> bool {
    const OTHERS: [&str; 4] =
        ["application/ogg", "application/mxf", "application/x-id3", "multipart/x-mixed-replace"];
    ["video/", "audio/", "image/"].iter().any(|kind| name.starts_with(kind)) || OTHERS.contains(&name)
}
