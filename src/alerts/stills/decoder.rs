//! One picture of a stream, decoded in the sandbox of a session: nothing that cameras send is decoded anywhere else.
//! `stills` decodes recorded key frames, and `wardwatch picture` these and pictures from the camera itself.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use base::channel;
use base::fault::ErrorKind;
use base::fragment::{Fragment, StreamRole};
use base::ids::CameraId;
use base::picture::{Frame, Picture};
use base::progress;
use base::status::{InputCounts, StreamState};
use camera::{
    SessionProgram, Source, StreamReport, StreamSettings, StreamSink, VideoError, prepare, supervise,
};

use crate::config;

/// Messages of a stream that may wait; more are dropped.
const HEARD_MAX: usize = 64;
/// Pictures a second that are asked for.
const FPS: f32 = 5.0;
/// Interval of reports to the watchdog while a picture is awaited.
const TURN: Duration = Duration::from_secs(1);

/// Reasons for which there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The session cannot run at all.
    #[error(transparent)]
    Session(#[from] VideoError),
    /// The file for the session cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// No stream of the camera is analysed.
    #[error("no stream of camera {0} is analysed")]
    NotAnalysed(CameraId),
    /// No picture came.
    #[error("camera {camera} gives no picture: {reason}")]
    NoPicture {
        /// The camera.
        camera: CameraId,
        /// Reason, for a person.
        reason: String,
    },
}

impl DecodeError {
    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Session(error) => error.kind(),
            Self::File { .. } => ErrorKind::Exhausted,
            Self::NotAnalysed(_) => ErrorKind::Config,
            Self::NoPicture { .. } => ErrorKind::Transient,
        }
    }
}

/// Decodes single pictures.
pub struct Decoder {
    program: SessionProgram,
    patience: Duration,
    /// List of plugins that only this decoder uses.
    _registry: Option<Temporary>,
}

impl Decoder {
    /// A decoder with the sessions of a daemon; it waits so long for a picture.
    pub fn new(program: SessionProgram, patience: Duration) -> Self {
        Self { program, patience, _registry: None }
    }

    /// A decoder of a command; sessions of root's run as the daemon's user. Blocks for seconds while GStreamer lists its
    /// plugins.
    ///
    /// # Errors
    /// GStreamer lacks something.
    pub fn alone(patience: Duration) -> Result<Self, DecodeError> {
        let registry = Temporary::new("bin");
        let user = config::Reader::daemon().ids();
        let program = SessionProgram { user, ..SessionProgram::current(registry.0.clone()) };
        prepare(&program)?;
        Ok(Self { program, patience, _registry: Some(registry) })
    }

    /// The first picture of an MP4.
    ///
    /// # Errors
    /// The file cannot be written, or no picture comes.
    pub fn recorded(&self, camera: &CameraId, mp4: &[u8]) -> Result<Picture, DecodeError> {
        let file = Temporary::new("mp4");
        let mut options = OpenOptions::new();
        let written = options.write(true).create_new(true).mode(0o600).open(&file.0);
        written
            .and_then(|mut written| written.write_all(mp4))
            .and_then(|()| {
                let owner = self.program.user;
                owner.map_or(Ok(()), |(user, group)| chown(&file.0, Some(user), Some(group)))
            })
            .map_err(|source| DecodeError::File { path: file.0.clone(), source })?;
        let source = Source::File { path: file.0.clone(), looped: false };
        self.first(StreamSettings {
            camera: camera.clone(),
            role: StreamRole::Main,
            source,
            record: false,
            watch_fps_max: Some(FPS),
            idle_gap_max: None,
            bits_per_second_max: 64e6,
            stall: self.patience,
        })
    }

    /// A picture from the camera itself: of the stream that is analysed.
    ///
    /// # Errors
    /// No stream is analysed, or no picture comes.
    pub fn live(&self, camera: &config::Camera) -> Result<Picture, DecodeError> {
        let Some(stream) = camera.streams.iter().find(|stream| stream.watch_fps_max.is_some()) else {
            return Err(DecodeError::NotAnalysed(camera.camera.id.clone()));
        };
        self.first(StreamSettings { record: false, idle_gap_max: None, ..stream.clone() })
    }

    fn first(&self, stream: StreamSettings) -> Result<Picture, DecodeError> {
        let (tell, heard) = channel::blocking(HEARD_MAX);
        let camera = stream.camera.clone();
        let handle = supervise(stream, self.program.clone(), Box::new(Ear { tell }));
        let picture = self.await_picture(&heard);
        drop(heard);
        handle.ask_to_stop();
        progress::wait(|| handle.stop());
        picture.map_err(|reason| DecodeError::NoPicture { camera, reason })
    }

    /// The first picture that is heard of, or the reason for which none came.
    fn await_picture(&self, heard: &Receiver<Heard>) -> Result<Picture, String> {
        let end = Instant::now() + self.patience;
        let mut reason =
            format!("nothing came for {} s; does another player show this stream?", self.patience.as_secs());
        loop {
            progress::advance();
            let left = end.saturating_duration_since(Instant::now());
            match heard.recv_timeout(left.min(TURN)) {
                Ok(Heard::Picture(picture)) => return Ok(picture),
                Ok(Heard::Report(state, why)) => {
                    reason = why.unwrap_or(reason);
                    if matches!(state, StreamState::Misconfigured | StreamState::Ended) {
                        return Err(reason);
                    }
                }
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
                Err(_) => return Err(reason),
            }
        }
    }
}

/// Path of a file of this process, which is removed in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(extension: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wardwatch-picture-{}-{number}.{extension}", std::process::id());
        Self(Path::new(&std::env::temp_dir()).join(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Fails where it was never written.
        let _ = fs::remove_file(&self.0);
    }
}

enum Heard {
    Picture(Picture),
    Report(StreamState, Option<String>),
}

/// Passes a stream's pictures and reports on.
struct Ear {
    tell: SyncSender<Heard>,
}

impl Ear {
    fn say(&self, heard: Heard) {
        // Fails where the queue is full, or is not read any more.
        let _ = self.tell.try_send(heard);
    }
}

impl StreamSink for Ear {
    fn fragment(&mut self, _: Fragment) {}

    fn frame(&mut self, frame: Frame) {
        self.say(Heard::Picture(frame.picture));
    }

    fn report(&mut self, report: StreamReport) {
        self.say(Heard::Report(report.state, report.reason));
    }

    fn input(&mut self, _: &CameraId, _: StreamRole, _: InputCounts) {}

    /// The states of a stream of one picture would read as those of the camera.
    fn is_logged(&self) -> bool {
        false
    }
}
