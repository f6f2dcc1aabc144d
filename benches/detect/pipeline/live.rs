//! The daemon over RTSP cameras, in real time: CPU of all of the daemon's processes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wardwatch::config;
use wardwatch::run::{Daemon, Surroundings};

use super::Asked;
use crate::cameras::{self, Cameras};
use crate::cpu;

/// Time for everything to run evenly before it is measured: a gate has learnt its background by then.
const SETTLE: Duration = Duration::from_secs(12);

/// CPU time over a span, by purpose.
#[derive(Default)]
struct Used {
    record: Duration,
    decode: Duration,
    gate: Duration,
    inference: Duration,
    rest: Duration,
    inferences: u64,
    short: u64,
    frames: u64,
}

impl Used {
    fn total(&self) -> Duration {
        self.record + self.decode + self.gate + self.inference + self.rest
    }
}

/// Prints a line for each count of cameras, footage and way of analysis.
pub fn print(asked: &Asked) {
    let Some(main) = cameras::clip() else { return };
    println!(
        "\ndaemon over RTSP, main 1080p15 2 Mbit/s recorded, sub 640x360 at 5 fps looked at, {} s each, {} core(s); CPU-s \
         per camera-minute",
        asked.seconds,
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    println!(
        "decode: the sub stream's session; gate: receiving its pictures, and the gate; rest: store, publisher; short: looks \
         a camera-second that the budget could not serve\n\
         {:<8}{:>7}  {:<12}{:>6}  {:>6}  {:>6}  {:>6}  {:>9}  {:>5}  inferences a camera-second  short",
        "footage", "cameras", "looks", "total", "record", "decode", "gate", "inference", "rest"
    );
    for (footage, sub) in [("quiet", quiet(asked)), ("busy", busy(asked))] {
        let Some(sub) = sub else { continue };
        for count in &asked.cameras {
            for every_frame in [false, true] {
                let used = daemon(asked, *count, &main, &sub, every_frame);
                let minutes = f64::from(*count) * asked.seconds as f64 / 60.0;
                let per = |cpu: Duration| cpu.as_secs_f64() / minutes;
                println!(
                    "{footage:<8}{count:>7}  {:<12}{:>6.2}  {:>6.2}  {:>6.2}  {:>6.2}  {:>9.2}  {:>5.2}  {:>26.2}  {:>5.2}",
                    if every_frame { "every frame" } else { "gated" },
                    per(used.total()),
                    per(used.record),
                    per(used.decode),
                    per(used.gate),
                    per(used.inference),
                    per(used.rest),
                    used.inferences as f64 / minutes / 60.0,
                    used.short as f64 / minutes / 60.0,
                );
                let fps = used.frames as f64 / minutes / 60.0;
                if !(4.0..=6.0).contains(&fps) {
                    println!(
                        "  at {fps:.1} frames a camera-second instead of 5: the machine is too busy for this line"
                    );
                }
            }
        }
    }
}

/// A stretch in which nothing moves, looped with its sensor's noise.
fn quiet(asked: &Asked) -> Option<PathBuf> {
    // An empty parking lot: one picture of it, under noise of its own on every frame.
    let clip = asked.clips.join("intel_car-detection.mp4");
    sub_stream(
        "quiet",
        &["-ss", "0", "-i"],
        &[&clip],
        "trim=end_frame=1,loop=-1:1:0,setpts=N/5/TB,noise=alls=6:allf=t",
    )
}

/// Two busy streets, one after the other.
pub(super) fn busy(asked: &Asked) -> Option<PathBuf> {
    let clips = [asked.clips.join("opencv4nodejs_traffic.mp4"), asked.clips.join("ahmetozlu_street.mp4")];
    let clips: Vec<&Path> = clips.iter().map(PathBuf::as_path).collect();
    sub_stream("busy", &["-i"], &clips, "")
}

/// 640x360 at 5 fps, H.264 with a GOP of two seconds; made once, kept in the build's folder. `None` without ffmpeg.
fn sub_stream(name: &str, before: &[&str], clips: &[&Path], filter: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("camera-sub-{name}.mp4"));
    if path.exists() {
        return Some(path);
    }
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y"]);
    for clip in clips {
        command.args(before).arg(clip);
    }
    let mut graph = String::new();
    for number in 0..clips.len() {
        write!(graph, "[{number}:v]scale=640:360,setsar=1,fps=5[v{number}];").unwrap();
    }
    for number in 0..clips.len() {
        write!(graph, "[v{number}]").unwrap();
    }
    write!(graph, "concat=n={}:v=1", clips.len()).unwrap();
    if !filter.is_empty() {
        write!(graph, ",{filter}").unwrap();
    }
    let unfinished = path.with_extension("part.mp4");
    let made = command
        .args(["-filter_complex", &graph, "-t", "60", "-an", "-c:v", "libx264", "-preset", "veryfast"])
        .args(["-pix_fmt", "yuv420p", "-g", "10", "-bf", "0", "-b:v", "400k"])
        .arg(&unfinished)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("left out: ffmpeg with libx264 is not there");
        return None;
    }
    fs::rename(unfinished, &path).unwrap();
    Some(path)
}

fn daemon(asked: &Asked, count: u32, main: &Path, sub: &Path, every_frame: bool) -> Used {
    let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mains, subs) = (Cameras::start(count, main), Cameras::start(count, sub));
    let path = place.path().join("wardwatch.toml");
    fs::write(&path, configuration(asked, mains.urls().zip(subs.urls()))).unwrap();
    let mut settings = config::load(&path).unwrap();
    settings.detect.every_frame = every_frame;
    let before = cpu::children(std::process::id());
    let daemon = settled(settings, count);
    let mut sessions = cpu::children(std::process::id());
    sessions.retain(|pid| !before.contains(pid));
    let start = measure(&daemon, &sessions);
    std::thread::sleep(Duration::from_secs(asked.seconds));
    let end = measure(&daemon, &sessions);
    daemon.stop();
    Used {
        record: end.record - start.record,
        decode: end.decode - start.decode,
        gate: end.gate - start.gate,
        inference: end.inference - start.inference,
        rest: end.rest - start.rest,
        inferences: end.inferences - start.inferences,
        short: end.short - start.short,
        frames: end.frames - start.frames,
    }
}

/// The daemon, once all of its cameras are analysed and everything runs evenly.
pub(super) fn settled(settings: config::Settings, count: u32) -> Daemon {
    let program = Some(env!("CARGO_BIN_EXE_wardwatch").into());
    let surroundings = Surroundings { program, ..Surroundings::default() };
    let daemon = Daemon::start(settings, surroundings).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while daemon.counts().values().filter(|count| count.frames > 0).count() < count as usize {
        assert!(Instant::now() < deadline, "not every camera is looked at");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(SETTLE);
    daemon
}

/// The box without cameras.
pub(super) fn box_configuration(asked: &Asked) -> String {
    let model = asked.model.canonicalize().unwrap();
    // No broker listens there: the publisher does little without one.
    format!(
        "[box]\nward = \"bench\"\nid = \"bench\"\n[store]\ndirectory = \"store\"\nclip_bytes_max = \"4 GiB\"\n\
         free_bytes_min = 0\n[broker]\nurl = \"mqtt://127.0.0.1:9\"\n[detector]\nmodel = \"{}\"\nscore_min = {}\n",
        model.display(),
        asked.score_min
    )
}

fn configuration(asked: &Asked, cameras: impl Iterator<Item = (String, String)>) -> String {
    let mut text = box_configuration(asked);
    for (number, (main, sub)) in cameras.enumerate() {
        write!(
            text,
            "[camera.c{number}]\nmain = \"{main}\"\nsub = \"{sub}\"\n\
             [rule.r{number}]\nkind = \"intrusion\"\ncameras = [\"c{number}\"]\nseconds_min = 3600\n"
        )
        .unwrap();
    }
    text
}

/// Measures all that has been used so far.
fn measure(daemon: &Daemon, sessions: &[u32]) -> Used {
    let mut used = Used::default();
    for pid in sessions {
        // A session that decodes has a queue before the decoder; the queue's thread has its name.
        let decodes = threads(*pid).keys().any(|name| name.starts_with("queue") || name.starts_with("av:"));
        *(if decodes { &mut used.decode } else { &mut used.record }) += cpu::of_process(*pid);
    }
    for (name, spent) in threads(std::process::id()) {
        let of = match name.as_str() {
            name if name.starts_with("sub-") => &mut used.gate,
            name if name.starts_with("main-") => &mut used.record,
            name if name.starts_with("watch-") => &mut used.inference,
            _ => &mut used.rest,
        };
        *of += spent;
    }
    for count in daemon.counts().values() {
        used.inferences += count.inferences;
        used.short += count.tally.short;
        used.frames += count.frames;
    }
    used
}

/// CPU time of a process's threads by their names.
fn threads(pid: u32) -> BTreeMap<String, Duration> {
    let mut threads = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let read = |file| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let spent = read("schedstat").split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
        *threads.entry(read("comm").trim().to_owned()).or_default() += Duration::from_nanos(spent);
    }
    threads
}
