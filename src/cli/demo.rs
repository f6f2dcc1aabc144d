//! `wardwatch demo`: the whole system on this machine. Prints each alert as it arrives at the ward post.

mod post;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use post::Listener;

use crate::run::demo::{Demo, Running};
use base::alert::Alert;
use base::event::Phase;
use base::ids::CameraId;
use clipstore::{ClipFilter, ClipSegment};

/// Beginning of a line that is a command to try.
const TRY: &str = "  $ ";

/// Arguments of `wardwatch demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A video of your own (H.264 or H.265) instead of the drawn street.
    #[arg(long)]
    video: Option<PathBuf>,
    /// The detector: street-nano (the default), motion, a manifest, or a known network's .onnx file.
    #[arg(long)]
    model: Option<String>,
    /// Duration of the demonstration; 0 for until Ctrl-C.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Folder for configuration, footage and thumbnails; emptied first.
    #[arg(long, default_value = "demo-output")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stopping.clone())?;
    }
    let demo = Demo { video: args.video.clone(), model: args.model.clone(), output: args.output.clone() };
    let stage = demo.open()?;
    let thumbnails = stage.output.join("thumbnails");
    std::fs::create_dir_all(&thumbnails)?;
    let mut listener = Listener::start(&stage, thumbnails)?;
    let mut running = demo.start(stage, None)?;
    introduce(&running, args.seconds);

    let mut tally = Tally::default();
    let end = (args.seconds > 0).then(|| Instant::now() + Duration::from_secs(args.seconds));
    let is_over = || end.is_some_and(|end| Instant::now() >= end);
    let mut is_suggested = false;
    while !is_over() && !stopping.load(Ordering::Relaxed) {
        // Not before each of them works.
        if !is_suggested && running.has_state() {
            suggest(&running, &listener)?;
            is_suggested = true;
        }
        listener.wait(Duration::from_millis(200))?.iter().for_each(|received| tally.count(received));
    }
    let clips =
        running.store().map(|store| store.segments(&ClipFilter::default())).transpose()?.unwrap_or_default();
    running.stop_box();
    // Messages of the alerts that this closes.
    loop {
        let last = listener.wait(Duration::from_millis(500))?;
        if last.is_empty() {
            break;
        }
        last.iter().for_each(|received| tally.count(received));
    }
    listener.stop()?;
    tally.print(&clips, args);
    // A demonstration without an alert has failed.
    Ok(if tally.opened == 0 { ExitCode::from(super::FOUND) } else { ExitCode::SUCCESS })
}

/// Prints the parts of the demonstration.
fn introduce(running: &Running, seconds: u64) {
    println!("cameras  {}", running.urls.join("\n         "));
    println!("broker   mqtt://127.0.0.1:{}", running.port);
    let until =
        if seconds == 0 { "until Ctrl-C".to_owned() } else { format!("for {seconds} s (Ctrl-C ends it)") };
    println!("\nThe box records and looks {until}; each line is an alert as it arrives.\n");
}

/// Prints commands to try beside the demonstration.
fn suggest(running: &Running, listener: &Listener) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let beside = program.with_file_name("wardpost");
    let post = if beside.exists() { beside } else { PathBuf::from("wardpost") };
    let (box_program, config) = (quoted(&program), quoted(&running.config));
    let camera = &running.camera;
    let page = quoted(&running.config.with_file_name(format!("{camera}.html")));
    println!("\nIn another terminal, while the demonstration runs:");
    println!("{TRY}mosquitto_sub -h 127.0.0.1 -p {} -t 'wardwatch/#' -v", running.port);
    println!("{TRY}{box_program} status --runtime-directory {}", quoted(&running.runtime_directory));
    println!("{TRY}{box_program} clips list --config {config}");
    println!("{TRY}{box_program} picture {camera} --config {config} -o {page}");
    println!("{TRY}{} {}", quoted(&post), listener.arguments());
    for line in listener.way_in() {
        println!("{line}");
    }
    println!();
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// An alert message that has arrived, and is printed.
struct Received {
    phase: Phase,
    /// Time from the frame's arrival at the box to the message's arrival at the listener. `None` for an end, which waits for its
    /// rule, and for a further alert, which waits for others of its kind.
    latency: Option<Duration>,
}

impl Received {
    fn new(alert: &Alert, latency: Duration) -> Self {
        let is_prompt = alert.phase == Phase::Opened && alert.follows.is_none();
        Self { phase: alert.phase, latency: is_prompt.then_some(latency) }
    }
}

#[derive(Default)]
struct Tally {
    opened: usize,
    closed: usize,
    latencies: Vec<Duration>,
}

impl Tally {
    fn count(&mut self, received: &Received) {
        match received.phase {
            Phase::Opened => self.opened += 1,
            Phase::Closed => self.closed += 1,
        }
        self.latencies.extend(received.latency);
    }

    fn print(&mut self, clips: &[ClipSegment], args: &Args) {
        println!("\nalerts   {} opened, {} closed", self.opened, self.closed);
        self.latencies.sort();
        let at = |share: f64| {
            let index = ((self.latencies.len() as f64 * share).ceil() as usize).saturating_sub(1);
            self.latencies.get(index).map_or(0, Duration::as_millis)
        };
        println!("latency  frame to {}: p50 {} ms, p95 {} ms", Listener::GOAL, at(0.50), at(0.95));
        let mut by_camera: BTreeMap<&CameraId, (usize, u64)> = BTreeMap::new();
        for clip in clips {
            let entry = by_camera.entry(&clip.camera).or_default();
            *entry = (entry.0 + 1, entry.1 + clip.bytes);
        }
        for (camera, (segments, bytes)) in by_camera {
            println!("clips    {camera}: {segments} segments, {:.1} MB", bytes as f64 / 1e6);
        }
        if let Some(clip) = clips.iter().find(|clip| clip.ended).or(clips.first()) {
            println!("{TRY}ffplay -autoexit {}", quoted(&clip.path));
        }
        if self.opened == 0 {
            println!(
                "\nNo alert came. The log above may say why; a video needs something that moves across its middle."
            );
        }
        println!("files    {}", args.output.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_to_a_shell() {
        for path in ["/tmp/demo-output/wardwatch.toml", "/tmp/my demo/it's.toml", "/tmp/$HOME/`x`"] {
            let line = format!("printf %s {}", quoted(Path::new(path)));
            let output = std::process::Command::new("sh").arg("-c").arg(line).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), path);
        }
    }
}
