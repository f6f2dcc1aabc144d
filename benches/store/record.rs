//! The whole record path: RTSP in, files and index out.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::clock::SystemClock;
use base::fragment::{Fragment, StreamRole};
use base::picture::Frame;
use camera::{
    RtspSource, SessionProgram, Source, StreamReport, StreamSettings, StreamSink, Transport, prepare,
    supervise,
};
use clipstore::{ClipFilter, Settings, Store};
use tempfile::TempDir;

use crate::cameras::{Cameras, clip};
use crate::cpu;

/// Time for everything to run evenly before it is measured.
const SETTLE: Duration = Duration::from_secs(6);

/// CPU time over a span, with memory and footage.
struct Used {
    sessions: Duration,
    daemon: Duration,
    memory: u64,
    bytes: u64,
}

/// Prints a line for each count of cameras; with `others` also the CPU time of other programs for the same.
pub fn print(counts: &[u32], span: Duration, others: bool) {
    let Some(clip) = clip() else { return };
    println!(
        "\nrecord path, RTSP received, 2 Mbit/s 1080p15, {} s each; CPU-s per camera-minute",
        span.as_secs()
    );
    println!("cameras  total  sessions  daemon  MB PSS  Mbit/s each");
    for count in counts {
        let cameras = Cameras::start(*count, &clip);
        let used = wardwatch(&cameras, span);
        let per = |cpu: Duration| cpu.as_secs_f64() / f64::from(*count) / span.as_secs_f64() * 60.0;
        let each = used.bytes as f64 * 8e-6 / f64::from(*count) / span.as_secs_f64();
        println!(
            "{count:>7}  {:.3}  {:>8.3}  {:>6.3}  {:>6.1}  {each:>11.2}",
            per(used.sessions + used.daemon),
            per(used.sessions),
            per(used.daemon),
            used.memory as f64 / 1e6,
        );
        if others {
            for (name, program) in
                [("gst-launch splitmuxsink", gst_launch as Program), ("ffmpeg -c copy", ffmpeg)]
            {
                match foreign(&cameras, span, program) {
                    Some(cpu) => println!("{count:>7}  {:.3}  {name}", per(cpu)),
                    None => println!("left out: {name} is not there, or does not record all cameras"),
                }
            }
        }
    }
}

struct IntoStore(Store);

impl StreamSink for IntoStore {
    fn fragment(&mut self, fragment: Fragment) {
        self.0.append(fragment).unwrap();
    }
    fn frame(&mut self, _frame: Frame) {}
    fn report(&mut self, _report: StreamReport) {}
}

fn wardwatch(cameras: &Cameras, span: Duration) -> Used {
    let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = Store::open(Settings::new(place.path().to_owned()), Arc::new(SystemClock)).unwrap();
    let registry = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gstreamer-registry.bin");
    let program = SessionProgram { program: env!("CARGO_BIN_EXE_wardwatch").into(), registry, user: None };
    prepare(&program).unwrap();
    let before: Vec<u32> = cpu::children(std::process::id());
    let streams: Vec<_> = cameras
        .urls()
        .enumerate()
        .map(|(number, url)| {
            let stream = StreamSettings {
                camera: format!("camera-{number}").parse().unwrap(),
                role: StreamRole::Main,
                source: Source::Rtsp(RtspSource {
                    url,
                    transport: Transport::Tcp,
                    credentials: None,
                    ca_file: None,
                }),
                record: true,
                watch_fps_max: None,
                idle_gap_max: None,
                bits_per_second_max: 64e6,
                stall: Duration::from_secs(10),
            };
            supervise(stream, program.clone(), Box::new(IntoStore(store.clone())))
        })
        .collect();
    // Every camera has footage, and then everything runs evenly.
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.segments(&ClipFilter::default()).unwrap().len() < streams.len() {
        assert!(Instant::now() < deadline, "not every camera is recorded: {:?}", store.vitals());
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(SETTLE);

    let sessions: Vec<u32> =
        cpu::children(std::process::id()).into_iter().filter(|pid| !before.contains(pid)).collect();
    let of_sessions = || sessions.iter().map(|pid| cpu::of_process(*pid)).sum::<Duration>();
    let of_daemon = || cpu::of_process(std::process::id());
    let start = (of_sessions(), of_daemon(), store.vitals().clip_bytes);
    std::thread::sleep(span);
    let memory = sessions.iter().chain([&std::process::id()]).map(|pid| cpu::memory(*pid)).sum();
    let used = Used {
        sessions: of_sessions() - start.0,
        daemon: of_daemon() - start.1,
        memory,
        bytes: store.vitals().clip_bytes - start.2,
    };
    let vitals = store.vitals();
    assert_eq!((vitals.lost_fragments, vitals.refused_fragments), (0, 0), "{vitals:?}");
    streams.into_iter().for_each(|stream| stream.stop());
    used
}

/// A program that records `urls` into a folder.
type Program = fn(&[String], &Path) -> Command;

fn gst_launch(urls: &[String], folder: &Path) -> Command {
    let mut command = Command::new("gst-launch-1.0");
    for (number, url) in urls.iter().enumerate() {
        let location = folder.join(format!("{number}-%05d.mp4"));
        command.args([
            "rtspsrc",
            "protocols=tcp",
            &format!("location={url}"),
            "!",
            "rtph264depay",
            "!",
            "h264parse",
        ]);
        command.args(["!", "splitmuxsink", "max-size-time=60000000000"]);
        command.arg(format!("location={}", location.display()));
    }
    command
}

fn ffmpeg(urls: &[String], folder: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error"]);
    for url in urls {
        command.args(["-rtsp_transport", "tcp", "-i", url]);
    }
    for number in 0..urls.len() {
        command.args(["-map", &number.to_string(), "-c", "copy", "-f", "segment", "-segment_time", "60"]);
        command.arg(folder.join(format!("{number}-%05d.mp4")));
    }
    command
}

fn foreign(cameras: &Cameras, span: Duration, program: Program) -> Option<Duration> {
    let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let urls: Vec<String> = cameras.urls().collect();
    let quiet = |mut command: Command| command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let mut process = Ended(quiet(program(&urls, place.path())).ok()?);
    // Every camera has a file with more than 100 kB.
    let recorded = |number: usize| {
        std::fs::metadata(place.path().join(format!("{number}-00000.mp4")))
            .is_ok_and(|file| file.len() > 100_000)
    };
    let deadline = Instant::now() + Duration::from_secs(90);
    while !(0..urls.len()).all(recorded) {
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(SETTLE);
    let start = cpu::of_process(process.0.id());
    std::thread::sleep(span);
    let used = cpu::of_process(process.0.id()) - start;
    process.0.try_wait().unwrap().is_none().then_some(used)
}

/// Killed when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
