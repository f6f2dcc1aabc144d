//! A quiet 1080p main stream, recorded and analysed: CPU time with every frame decoded, and with key frames only.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use analysis::Gate;
use base::fragment::{Fragment, StreamRole};
use base::picture::Frame;
use base::time::Monotonic;
use camera::{
    DecodeMode, RtspSource, SessionProgram, Source, StreamReport, StreamSettings, StreamSink, Transport,
    prepare, supervise,
};

use crate::cameras::{self, Cameras};
use crate::cpu;

/// Time without motion after which key frames will do.
const QUIET: Duration = Duration::from_secs(5);
/// Time for everything to run evenly before it is measured.
const SETTLE: Duration = Duration::from_secs(8);

/// Prints both: `[--seconds 30]` for each.
pub fn run(mut arguments: impl Iterator<Item = String>) {
    let mut span = Duration::from_secs(30);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => span = Duration::from_secs(arguments.next().unwrap_or_default().parse().unwrap()),
            unknown => panic!("{unknown}: give --seconds COUNT"),
        }
    }
    let Some(clip) = quiet_clip() else { return };
    let cameras = Cameras::start(1, &clip);
    println!(
        "\nquiet 1080p15 main stream of 2 Mbit/s, a key frame a second, recorded and watched at 5 fps, {} s each",
        span.as_secs()
    );
    println!("{:<28} {:>27} {:>9} {:>8}", "", "CPU-s per camera-minute", "session", "frames");
    for (name, idle_gap_max) in
        [("every frame decoded", None), ("key frames while quiet", Some(Duration::from_secs(2)))]
    {
        let url = cameras.urls().next().unwrap();
        let (session, daemon, frames) = measured(url, idle_gap_max, span);
        let per_minute = |cpu: Duration| cpu.as_secs_f64() / span.as_secs_f64() * 60.0;
        println!(
            "{name:<28} {:>27.2} {:>9.2} {frames:>8}",
            per_minute(session + daemon),
            per_minute(session)
        );
    }
}

/// Checks for motion, as the daemon does.
struct Watching {
    gate: Gate,
    moved_at: Option<Monotonic>,
    decode_mode: DecodeMode,
    frames: Arc<AtomicU64>,
}

impl StreamSink for Watching {
    fn fragment(&mut self, _fragment: Fragment) {}
    fn frame(&mut self, frame: Frame) {
        let check = self.gate.check(&frame);
        let now = frame.at.monotonic;
        if check.began_again || !check.regions.is_empty() {
            self.moved_at = Some(now);
        }
        let is_quiet = self.moved_at.is_some_and(|moved_at| now.since(moved_at) >= QUIET);
        self.decode_mode = if is_quiet { DecodeMode::KeyframesOnly } else { DecodeMode::AllFrames };
        self.frames.fetch_add(1, Ordering::Relaxed);
    }
    fn report(&mut self, _report: StreamReport) {}
    fn decode_mode(&mut self) -> DecodeMode {
        self.decode_mode
    }
}

/// CPU time of the session and of this process, and the frames that came.
fn measured(url: String, idle_gap_max: Option<Duration>, span: Duration) -> (Duration, Duration, u64) {
    let registry = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gstreamer-registry.bin");
    let program = SessionProgram { program: env!("CARGO_BIN_EXE_wardwatch").into(), registry, user: None };
    prepare(&program).unwrap();
    let before: Vec<u32> = cpu::children(std::process::id());
    let stream = StreamSettings {
        camera: "quiet".parse().unwrap(),
        role: StreamRole::Main,
        source: Source::Rtsp(RtspSource { url, transport: Transport::Tcp, credentials: None, ca_file: None }),
        record: true,
        watch_fps_max: Some(5.0),
        idle_gap_max,
        bits_per_second_max: 64e6,
        stall: Duration::from_secs(10),
    };
    let frames = Arc::new(AtomicU64::new(0));
    let sink = Watching {
        gate: Gate::default(),
        moved_at: None,
        decode_mode: DecodeMode::AllFrames,
        frames: frames.clone(),
    };
    let handle = supervise(stream, program, Box::new(sink));
    let deadline = Instant::now() + Duration::from_secs(60);
    while frames.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < deadline, "no frame came");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(SETTLE);
    let sessions: Vec<u32> =
        cpu::children(std::process::id()).into_iter().filter(|pid| !before.contains(pid)).collect();
    let used = || {
        let of_sessions: Duration = sessions.iter().map(|pid| cpu::of_process(*pid)).sum();
        (of_sessions, cpu::of_process(std::process::id()), frames.load(Ordering::Relaxed))
    };
    let start = used();
    std::thread::sleep(span);
    let end = used();
    handle.stop();
    (end.0 - start.0, end.1 - start.1, end.2 - start.2)
}

/// Bars with a sensor's noise; made once, kept in the build's folder. `None` without ffmpeg.
fn quiet_clip() -> Option<PathBuf> {
    cameras::encoded(
        "quiet-1080p15-2M.mp4",
        "smptehdbars=size=1920x1080:rate=15:duration=20,noise=alls=8:allf=t",
    )
}
