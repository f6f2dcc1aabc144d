//! `wardwatch replay`: the analysis of a file, as fast as the machine can, for tuning rules. Reports events with their reasons,
//! the reasons for missing events, drawings, and a comparison with a truth.

mod nearest;
mod page;
mod report;
mod truth;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::alerts::thumbnail::{self, Mark, Outline};
use crate::config;
use crate::infer::DetectorChoice;
use crate::infer::replay::{Line, Replay};
use analysis::rules::RuleSettings;
use base::alert::Thumbnail;
use base::clock;
use base::geometry::Polygon;
use base::ids::CameraId;
use base::time::{Monotonic, WallTime};
use report::Report;

/// Arguments of `wardwatch replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A video file.
    file: PathBuf,
    /// Take detector and rules from this configuration; --camera says whose.
    #[arg(long, requires = "camera")]
    config: Option<PathBuf>,
    /// The configured camera that the file stands for.
    #[arg(long, requires = "config")]
    camera: Option<CameraId>,
    /// The detector: street-nano (the default), motion, a manifest, or a known network's .onnx file.
    #[arg(long)]
    model: Option<String>,
    /// Drop detections below this score.
    #[arg(long)]
    score_min: Option<f32>,
    /// Frames per second of the file's time.
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    fps: f32,
    /// Have a network see every frame whole, instead of the parts that the motion gate lets through: a reference for the
    /// box's own analysis.
    #[arg(long)]
    every_frame: bool,
    /// Wall time of the file's start, for schedules (RFC 3339). Default: now.
    #[arg(long)]
    starts_at: Option<jiff::Timestamp>,
    /// Print a line of JSON for every frame (looks, detections, tracks, events) instead of the events in words.
    #[arg(long)]
    json: bool,
    /// Say why rules did not fire, and how near those came who were never in the zone or over the line.
    #[arg(long)]
    why_not: bool,
    /// Write each frame here as a JPEG, with tracks, zones and lines drawn in.
    #[arg(long, value_name = "FOLDER")]
    jpegs: Option<PathBuf>,
    /// Write the thumbnails of all events here, on one JPEG.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Write a page for the browser here: a timeline of rules and tracks, the picture with zones and lines, events with
    /// thumbnails and reasons.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Compare the events with the expected ones, as `cargo run --example scenario` writes it; exit code 3 if they differ.
    #[arg(long, value_name = "FILE", requires = "config")]
    truth: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value > 0.0 && value <= 100.0 => Ok(value),
        _ => Err("must be above 0, and at most 100".to_owned()),
    }
}

/// Prints the events, in words or as JSON; writes the other requested files.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Asked { detect, camera, masks, privacy_masks, drawn, rules } = settings(args)?;
    let truth = args.truth.as_deref().map(truth::Truth::read).transpose()?;
    let mut report = Report::new(rules.clone(), drawn.clone(), privacy_masks.clone());
    if let Some(folder) = &args.jpegs {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let starts_at = args.starts_at.map_or_else(clock::wall, WallTime::from_timestamp);
    let explains = args.why_not || args.page.is_some();
    let replay = Replay {
        file: &args.file,
        detect: &detect,
        camera,
        masks,
        rules,
        fps: args.fps,
        starts_at,
        explains,
    };
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{wide_bar} {percent:>3}% {elapsed} (about {eta} left)")
            .context("the progress bar's template")?,
    );
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let totals = replay.run(
        |played, length| {
            let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            bar.set_length(length.map_or(0, millis));
            bar.set_position(millis(played));
        },
        |line, picture| {
            if args.json {
                serde_json::to_writer(&mut output, line)?;
                output.write_all(b"\n")?;
            } else {
                output.write_all(report::words(line).as_bytes())?;
            }
            report.take(line, picture)?;
            match (&args.jpegs, picture) {
                (Some(folder), Some(picture)) => {
                    let jpeg = thumbnail::annotate(picture, &marks(line), &drawn, &privacy_masks)?;
                    write_jpeg(folder, line.seconds, &jpeg)
                }
                _ => Ok(()),
            }
        },
    )?;
    bar.finish_and_clear();
    if args.why_not && !args.json {
        output.write_all(report.why_not().as_bytes())?;
    }
    let verdict = truth.map(|truth| truth.verdict(&report.openings()));
    if let Some(verdict) = &verdict {
        output.write_all(verdict.text.as_bytes())?;
    }
    output.flush()?;
    write_drawn(args, &report)?;
    eprintln!(
        "{} pictures, {} taken, {} looked at in {} inferences of {:.1} megapixels, {} events",
        totals.pictures,
        totals.frames,
        totals.examined,
        totals.inferences,
        totals.pixels as f64 / 1e6,
        totals.opened
    );
    let is_right = verdict.is_none_or(|verdict| verdict.is_right);
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::from(super::FOUND) })
}

/// Writes the sheet and the page.
fn write_drawn(args: &Args, report: &Report) -> anyhow::Result<()> {
    let write = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &args.sheet {
        let thumbnails: Vec<&Thumbnail> = report.thumbnails().collect();
        match thumbnail::sheet(&thumbnails)? {
            Some(jpeg) => write(path, &jpeg)?,
            None => eprintln!("no event has a picture: {} is not written", path.display()),
        }
    }
    if let Some(path) = &args.page {
        let name = args.file.file_name().unwrap_or_default().to_string_lossy();
        write(path, page::page(&name, report).as_bytes())?;
    }
    Ok(())
}

/// Settings of the analysis.
struct Asked {
    detect: crate::infer::Settings,
    camera: CameraId,
    masks: Vec<Polygon>,
    privacy_masks: Vec<Polygon>,
    /// Everything that is configured for the camera.
    drawn: Vec<Outline>,
    rules: Vec<RuleSettings>,
}

fn settings(args: &Args) -> anyhow::Result<Asked> {
    let mut asked = match (&args.config, &args.camera) {
        (Some(path), Some(camera)) => {
            let settings = config::load(path)?;
            let Some(known) = settings.cameras.iter().find(|known| known.camera.id == *camera) else {
                let known: Vec<&str> =
                    settings.cameras.iter().map(|known| known.camera.id.as_str()).collect();
                bail!("{} has no camera \"{camera}\"; it has {}", path.display(), known.join(", "));
            };
            let masks = known.masks.clone();
            let (privacy_masks, drawn) = (known.privacy_masks.clone(), Outline::of_camera(&settings, known));
            let rules = settings.rules.into_iter().filter(|rule| rule.camera == *camera).collect();
            Asked { detect: settings.detect, camera: camera.clone(), masks, privacy_masks, drawn, rules }
        }
        _ => {
            let camera = "file".parse().context("a fixed name")?;
            let detect = crate::infer::Settings::default();
            let (masks, privacy_masks, drawn, rules) = Default::default();
            Asked { detect, camera, masks, privacy_masks, drawn, rules }
        }
    };
    if let Some(model) = &args.model {
        asked.detect.detector = DetectorChoice::named(model);
    }
    asked.detect.every_frame = args.every_frame;
    asked.detect.score_min = args.score_min.or(asked.detect.score_min);
    Ok(asked)
}

/// Marks of the tracks on a frame.
fn marks(line: &Line<'_>) -> Vec<Mark> {
    let confirmed = line.tracks.iter().filter(|track| track.confirmed);
    let at = Monotonic::from_nanos((line.seconds * 1e9).round() as u64);
    confirmed
        .map(|track| Mark {
            rect: track.rect,
            text: format!("{} {} {:.0}%", track.id, track.label, track.score * 100.0),
            predicted: track.last_seen != at,
        })
        .collect()
}

fn write_jpeg(folder: &Path, seconds: f64, jpeg: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(format!("{seconds:09.3}.jpg"));
    std::fs::write(&path, jpeg).with_context(|| format!("cannot write {}", path.display()))
}
