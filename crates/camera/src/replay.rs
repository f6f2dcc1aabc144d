//! Reads a file's pictures as fast as the machine can, for `replay`: in this process, without the sandbox of a session,
//! since the person at the keyboard has named the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::decode::{picture_of, picture_sink, times_of};
use super::parts::{Failure, make};
use super::session::initialise;
use base::fault::ErrorKind;
use base::picture::Picture;
use base::time::Pts;

/// Errors of reading a file's pictures.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// GStreamer lacks something.
    #[error("{0}")]
    NotReady(String),
    /// The file cannot be read as video.
    #[error("cannot play {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Reason, in GStreamer's words.
        reason: String,
    },
}

impl ReplayError {
    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotReady(_) => ErrorKind::Config,
            Self::Unreadable { .. } => ErrorKind::Corrupt,
        }
    }
}

/// Hands out a file's pictures in order. See [`read_pictures`].
pub struct PictureReader {
    path: PathBuf,
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
}

/// Opens a video file; its pictures come in any codec that GStreamer decodes here, as I420 or NV12.
pub fn read_pictures(path: &Path) -> Result<PictureReader, ReplayError> {
    let not_ready = |failure: Failure| ReplayError::NotReady(failure.reason);
    let unreadable = |reason: String| ReplayError::Unreadable { path: path.to_owned(), reason };
    initialise().map_err(not_ready)?;
    let absolute = std::path::absolute(path).map_err(|error| unreadable(error.to_string()))?;
    let uri = gst::glib::filename_to_uri(&absolute, None).map_err(|error| unreadable(error.to_string()))?;
    let source = make("uridecodebin").map_err(not_ready)?;
    source.set_property("uri", uri.as_str());
    let convert = make("videoconvert").map_err(not_ready)?;
    let sink = picture_sink();
    let pipeline = gst::Pipeline::new();
    let linked = pipeline.add_many([&source, &convert, sink.upcast_ref()]).and_then(|()| convert.link(&sink));
    linked.map_err(|error| unreadable(error.to_string()))?;
    let input = convert.static_pad("sink").ok_or_else(|| unreadable("no converter".to_owned()))?;
    source.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let video = caps.structure(0).is_some_and(|structure| structure.name() == "video/x-raw");
        if video {
            // A second video track finds the place taken, and is left alone as sound is.
            let _ = pad.link(&input);
        }
    });
    let reader = PictureReader { path: path.to_owned(), pipeline, sink };
    if reader.pipeline.set_state(gst::State::Playing).is_err() {
        let reason = "it is not a video that GStreamer knows".to_owned();
        return Err(reader.bus_error().unwrap_or_else(|| reader.unreadable(reason)));
    }
    Ok(reader)
}

impl PictureReader {
    /// The next picture and its time since the file's start; `None` at the end. Blocks while decoding.
    pub fn next_picture(&mut self) -> Result<Option<(Pts, Picture)>, ReplayError> {
        loop {
            // Bounded, since an error on the bus does not wake the sink.
            let sample = self.sink.try_pull_sample(gst::ClockTime::from_mseconds(200));
            match sample {
                Some(sample) => {
                    if let (Some((pts, _)), Some(picture)) = (times_of(&sample), picture_of(&sample)) {
                        return Ok(Some((pts, picture)));
                    }
                }
                None => match self.bus_error() {
                    Some(error) => return Err(error),
                    None if self.sink.is_eos() => return Ok(None),
                    None => {}
                },
            }
        }
    }

    /// Duration of the file, where the file gives it and something has been read.
    pub fn duration(&self) -> Option<Duration> {
        self.pipeline.query_duration::<gst::ClockTime>().map(Into::into)
    }

    /// The error on the bus, if there is one.
    fn bus_error(&self) -> Option<ReplayError> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(self.unreadable(error.error().to_string())),
            _ => None,
        }
    }

    fn unreadable(&self, reason: String) -> ReplayError {
        ReplayError::Unreadable { path: self.path.clone(), reason }
    }
}

impl Drop for PictureReader {
    fn drop(&mut self) {
        // A file source does not block here, unlike a network source.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
