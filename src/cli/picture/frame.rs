//! One picture of a stream, decoded in the sandbox of a session: what cameras send is decoded nowhere else.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::config;
use base::channel;
use base::fragment::{Fragment, StreamRole};
use base::ids::CameraId;
use base::picture::{Frame, Picture};
use base::status::{InputCounts, StreamState};
use camera::{SessionProgram, Source, StreamReport, StreamSettings, StreamSink, prepare, supervise};

/// Messages of a stream that may wait; more are dropped.
const HEARD_MAX: usize = 64;
/// Pictures a second that are asked for.
const FPS: f32 = 5.0;

/// Reads single pictures.
pub(super) struct Reader {
    patience: Duration,
    /// User and group of its sessions, where root asks.
    user: Option<(u32, u32)>,
}

impl Reader {
    /// A reader that waits so long for a picture.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, user: config::Reader::daemon().ids() }
    }

    /// The first picture of an MP4.
    pub(super) fn recorded(&self, camera: &CameraId, mp4: &[u8]) -> anyhow::Result<Picture> {
        let file = Temporary::new("mp4");
        let mut options = OpenOptions::new();
        let written = options.write(true).create_new(true).mode(0o600).open(&file.0);
        written
            .and_then(|mut written| written.write_all(mp4))
            .and_then(|()| self.user.map_or(Ok(()), |(user, group)| chown(&file.0, Some(user), Some(group))))
            .with_context(|| format!("cannot write {}", file.0.display()))?;
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
    pub(super) fn live(&self, camera: &config::Camera) -> anyhow::Result<Picture> {
        let Some(stream) = camera.streams.iter().find(|stream| stream.watch_fps_max.is_some()) else {
            bail!("no stream of camera {} is analysed", camera.camera.id);
        };
        self.first(StreamSettings { record: false, idle_gap_max: None, ..stream.clone() })
    }

    fn first(&self, stream: StreamSettings) -> anyhow::Result<Picture> {
        let registry = Temporary::new("bin");
        let program = SessionProgram { user: self.user, ..SessionProgram::current(registry.0.clone()) };
        prepare(&program)?;
        let (tell, heard) = channel::blocking(HEARD_MAX);
        let handle = supervise(stream.clone(), program, Box::new(Ear { tell }));
        let end = Instant::now() + self.patience;
        let mut reason =
            format!("nothing came for {} s; does another player show this stream?", self.patience.as_secs());
        let mut picture = None;
        while let Ok(said) = heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
            match said {
                Heard::Picture(first) => {
                    picture = Some(first);
                    break;
                }
                Heard::Report(state, why) => {
                    reason = why.unwrap_or(reason);
                    if matches!(state, StreamState::Misconfigured | StreamState::Ended) {
                        break;
                    }
                }
            }
        }
        drop(heard);
        handle.ask_to_stop();
        handle.stop();
        picture.with_context(|| format!("camera {} gives no picture: {reason}", stream.camera))
    }
}

/// Path of a file of this process, which is removed in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(extension: &str) -> Self {
        let name = format!("wardwatch-picture-{}.{extension}", std::process::id());
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
}
