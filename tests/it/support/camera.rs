//! Cameras that misbehave on demand, and a sink that remembers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::fragment::{Fragment, StreamRole};
use base::picture::{Frame, Picture};
use base::status::StreamState;
use camera::{
    DecodeMode, RtspSource, SessionProgram, Source, StreamReport, StreamSettings, StreamSink, Transport,
    prepare,
};
use streetsim::server::{Access, CameraServer, Draw, Feed};

/// The wardwatch binary of this build, with its plugin registry up to date.
pub fn session_program() -> SessionProgram {
    session_program_with(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gstreamer-registry.bin"))
}

/// The same with a registry of its own, which tells its sessions from those of other tests.
pub fn session_program_with(registry: PathBuf) -> SessionProgram {
    let program = SessionProgram { program: env!("CARGO_BIN_EXE_wardwatch").into(), registry, user: None };
    prepare(&program).unwrap();
    program
}

/// A grey picture with a bright bar that wanders with the frame number.
pub fn wandering_bar(width: u32, height: u32) -> Draw {
    Arc::new(move |n| {
        let bar = (n as u32 * 8) % width;
        let mut rgb = vec![90; (width * height * 3) as usize];
        for row in rgb.chunks_exact_mut(width as usize * 3) {
            for x in bar..(bar + 24).min(width) {
                row[x as usize * 3..x as usize * 3 + 3].fill(220);
            }
        }
        Picture::from_rgb(width, height, &rgb).unwrap()
    })
}

/// A feed of [`wandering_bar`].
pub fn bar_feed(fps: u32) -> Feed {
    Feed::Drawn { fps, kbit_per_second: 800, draw: wandering_bar(320, 192) }
}

/// Settings of a stream from `url`, recorded and analysed.
pub fn stream(camera: &str, url: &str) -> StreamSettings {
    StreamSettings {
        camera: camera.parse().unwrap(),
        role: StreamRole::Main,
        source: Source::Rtsp(RtspSource {
            url: url.to_owned(),
            transport: Transport::Tcp,
            credentials: None,
            ca_file: None,
        }),
        record: true,
        watch_fps_max: Some(5.0),
        idle_gap_max: None,
        bits_per_second_max: 64e6,
        stall: Duration::from_secs(3),
    }
}

/// A camera server with one bar at `/main`.
pub fn bar_camera(fps: u32) -> CameraServer {
    let server = CameraServer::start(0, &Access::default()).unwrap();
    server.mount("/main", bar_feed(fps)).unwrap();
    server
}

/// Everything a stream delivered.
#[derive(Clone, Default)]
pub struct Delivered(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    fragments: Vec<Fragment>,
    frames: Vec<Frame>,
    reports: Vec<StreamReport>,
    decode_mode: DecodeMode,
}

impl Delivered {
    /// Sets the decode mode of the stream from now on.
    pub fn set_decode_mode(&self, decode_mode: DecodeMode) {
        self.0.lock().unwrap().decode_mode = decode_mode;
    }

    pub fn sink(&self) -> Box<dyn StreamSink> {
        Box::new(self.clone())
    }

    pub fn fragments(&self) -> Vec<Fragment> {
        self.0.lock().unwrap().fragments.clone()
    }

    pub fn frames(&self) -> Vec<Frame> {
        self.0.lock().unwrap().frames.clone()
    }

    pub fn reports(&self) -> Vec<StreamReport> {
        self.0.lock().unwrap().reports.clone()
    }

    /// Returns true if the latest state is `state`, with `text` in its reason.
    pub fn is(&self, state: StreamState, text: &str) -> bool {
        let log = self.0.lock().unwrap();
        let Some(last) = log.reports.last() else { return false };
        last.state == state && last.reason.as_deref().unwrap_or_default().contains(text)
    }
}

impl StreamSink for Delivered {
    fn fragment(&mut self, fragment: Fragment) {
        self.0.lock().unwrap().fragments.push(fragment);
    }

    fn frame(&mut self, frame: Frame) {
        self.0.lock().unwrap().frames.push(frame);
    }

    fn report(&mut self, report: StreamReport) {
        self.0.lock().unwrap().reports.push(report);
    }

    fn decode_mode(&mut self) -> DecodeMode {
        self.0.lock().unwrap().decode_mode
    }
}
