//! `wardwatch demo`: everything at once on this machine, and each alert as it arrives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::agent::demo::{Arrival, Demo, Running};
use crate::domain::event::Phase;
use crate::domain::ids::CameraId;
use crate::store::{ClipFilter, ClipSegment};

/// Arguments of `wardwatch demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A video of your own (H.264 or H.265) instead of the drawn street.
    #[arg(long)]
    video: Option<PathBuf>,
    /// The detector: street-nano (the default), motion, a manifest, or a known network's .onnx file.
    #[arg(long)]
    model: Option<String>,
    /// How long it goes on.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where configuration, footage and thumbnails are written; emptied first.
    #[arg(long, default_value = "demo-output")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stopping.clone())?;
    }
    let demo = Demo { video: args.video.clone(), model: args.model.clone(), output: args.output.clone() };
    let mut running = demo.start(None)?;
    let thumbnails = args.output.join("thumbnails");
    std::fs::create_dir_all(&thumbnails)?;
    introduce(&running, args.seconds);

    let mut tally = Tally::default();
    let end = Instant::now() + Duration::from_secs(args.seconds);
    while Instant::now() < end && !stopping.load(Ordering::Relaxed) {
        if let Some(arrival) = running.next_arrival(Duration::from_millis(200))? {
            tally.count(&arrival);
            println!("{}", describe(&arrival, &thumbnails)?);
        }
    }
    let clips =
        running.store().map(|store| store.segments(&ClipFilter::default())).transpose()?.unwrap_or_default();
    for arrival in running.stop()? {
        tally.count(&arrival);
        println!("{}", describe(&arrival, &thumbnails)?);
    }
    tally.print(&clips, args);
    // A demonstration that shows nothing has failed.
    Ok(if tally.opened == 0 { ExitCode::from(super::FOUND) } else { ExitCode::SUCCESS })
}

fn introduce(running: &Running, seconds: u64) {
    println!("cameras  {}", running.urls.join("\n         "));
    println!("broker   mqtt://127.0.0.1:{}", running.port);
    println!("         mosquitto_sub -p {} -t 'wardwatch/#' -v   shows every message", running.port);
    println!("box      wardwatch run --config {}", running.config.display());
    println!(
        "\nThe box records and looks for {seconds} s; each line is an alert as it arrives (Ctrl-C ends it).\n"
    );
}

/// One line for a person, and the thumbnail in a file.
fn describe(arrival: &Arrival, thumbnails: &Path) -> anyhow::Result<String> {
    let alert = &arrival.alert;
    let time = alert
        .opened_at
        .to_timestamp()
        .to_zoned(jiff::tz::TimeZone::system())
        .strftime("%H:%M:%S")
        .to_string();
    let subject = alert
        .subjects
        .first()
        .map_or_else(String::new, |subject| format!("{} {:.0}%", subject.label, subject.score * 100.0));
    let head = format!("{time}  {:<10} {:<9} {:<16}", alert.camera.id, alert.rule.kind, alert.rule.name);
    if alert.phase == Phase::Closed {
        let lasted = alert.closed_at.map_or(Duration::ZERO, |closed| closed.since(alert.opened_at));
        return Ok(format!("{head} over after {:.1} s, {} subject(s)", lasted.as_secs_f32(), alert.count));
    }
    let picture = match &alert.thumbnail {
        Some(thumbnail) => {
            let path =
                thumbnails.join(format!("{:03}-{}-{}.jpg", alert.seq, alert.camera.id, alert.rule.kind));
            std::fs::write(&path, &thumbnail.0)
                .with_context(|| format!("cannot write {}", path.display()))?;
            path.display().to_string()
        }
        None => "no thumbnail".to_owned(),
    };
    Ok(format!("{head} {subject:<18} {:>4} ms  {picture}", latency(arrival).as_millis()))
}

/// From the frame's arrival at the box to the message's at the subscriber.
fn latency(arrival: &Arrival) -> Duration {
    arrival.at.since(arrival.alert.opened_at)
}

#[derive(Default)]
struct Tally {
    opened: usize,
    closed: usize,
    latencies: Vec<Duration>,
}

impl Tally {
    fn count(&mut self, arrival: &Arrival) {
        match arrival.alert.phase {
            Phase::Opened => {
                self.opened += 1;
                self.latencies.push(latency(arrival));
            }
            Phase::Closed => self.closed += 1,
        }
    }

    fn print(&mut self, clips: &[ClipSegment], args: &Args) {
        println!("\nalerts   {} opened, {} closed", self.opened, self.closed);
        self.latencies.sort();
        let at = |share: f64| {
            let index = ((self.latencies.len() as f64 * share).ceil() as usize).saturating_sub(1);
            self.latencies.get(index).map_or(0, Duration::as_millis)
        };
        println!("latency  frame to message: p50 {} ms, p95 {} ms", at(0.50), at(0.95));
        let mut by_camera: BTreeMap<&CameraId, (usize, u64)> = BTreeMap::new();
        for clip in clips {
            let entry = by_camera.entry(&clip.camera).or_default();
            *entry = (entry.0 + 1, entry.1 + clip.bytes);
        }
        for (camera, (segments, bytes)) in by_camera {
            println!("clips    {camera}: {segments} segments, {:.1} MB", bytes as f64 / 1e6);
        }
        if let Some(clip) = clips.iter().find(|clip| clip.ended).or(clips.first()) {
            println!("         ffplay {}", clip.path.display());
        }
        if self.opened == 0 {
            println!(
                "\nNo alert came. The log above may say why; a video needs something that moves across its middle."
            );
        }
        println!("files    {}", args.output.display());
    }
}
