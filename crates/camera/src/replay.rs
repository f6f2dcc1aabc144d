//! Reads a file's pictures as fast as the machine can, for `replay`: in this process, without the sandbox of a session,
//! since the person at the keyboard has named the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::decode::{picture_of, picture_sink, times_of};
use super::parts::{Failure, follow_no_lists, make};
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

/// Wait for a sample.
const PULL: gst::ClockTime = gst::ClockTime::from_mseconds(200);
/// Waits without a sample after which a file counts as one that GStreamer does not get through: half a minute. A picture takes
/// a second on the slowest box.
const PULLS_MAX: u32 = 150;

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
    let kind = path.metadata().map_err(|error| unreadable(error.to_string()))?;
    if !kind.is_file() {
        return Err(unreadable("it is a folder, a pipe or a device; name a file".to_owned()));
    }
    let absolute = std::path::absolute(path).map_err(|error| unreadable(error.to_string()))?;
    let location = absolute.to_str().ok_or_else(|| unreadable("its path is not valid UTF-8".to_owned()))?;
    let file = make("filesrc").map_err(not_ready)?;
    file.set_property("location", location);
    let source = make("decodebin").map_err(not_ready)?;
    follow_no_lists(&source);
    let convert = make("videoconvert").map_err(not_ready)?;
    let sink = picture_sink();
    let pipeline = gst::Pipeline::new();
    let linked = pipeline
        .add_many([&file, &source, &convert, sink.upcast_ref()])
        .and_then(|()| file.link(&source))
        .and_then(|()| convert.link(&sink));
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
        let mut pulls = 0;
        while pulls < PULLS_MAX {
            // Bounded, since an error on the bus does not wake the sink.
            match self.sink.try_pull_sample(PULL) {
                Some(sample) => {
                    pulls = 0;
                    if let (Some((pts, _)), Some(picture)) = (times_of(&sample), picture_of(&sample)) {
                        return Ok(Some((pts, picture)));
                    }
                }
                None => match self.bus_error() {
                    Some(error) => return Err(error),
                    None if self.sink.is_eos() => return Ok(None),
                    None => pulls += 1,
                },
            }
        }
        Err(self.unreadable("no picture comes out of it; the file is damaged".to_owned()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind as IoErrorKind;
    use std::net::TcpListener;

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        for path in [pipe.as_path(), place.path(), Path::new("/dev/zero")] {
            let error = read_pictures(path).err().unwrap().to_string();
            assert!(error.contains("name a file"), "{error}");
        }
    }

    #[test]
    fn a_list_of_addresses_is_no_video_and_makes_no_request() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let address = format!("http://{}/a.ts", server.local_addr().unwrap());
        let place = tempfile::tempdir().unwrap();
        let hls = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{address}\n#EXT-X-ENDLIST\n"
        );
        let dash = format!(
            "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
             mediaPresentationDuration=\"PT2S\"><Period><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\" \
             bandwidth=\"1000\"><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>"
        );
        for (name, text) in [("a.m3u8", hls), ("a.mpd", dash)] {
            let path = place.path().join(name);
            std::fs::write(&path, text).unwrap();
            let read = read_pictures(&path).and_then(|mut reader| reader.next_picture());
            assert!(read.is_err(), "{name}: {read:?}");
            let request = server.accept();
            assert!(request.is_err_and(|error| error.kind() == IoErrorKind::WouldBlock), "{name}");
        }
    }
}
