//! `wardwatch model compare`: two networks on the same footage.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use crate::infer::{DetectorChoice, Factory, Settings};
use analysis::track::subjects;
use base::detector::InferenceError;
use base::ids::Epoch;
use base::picture::{Frame, Picture};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
use detector::eval::Agreement;

/// Runs both networks on whole pictures, with riders and machines merged as on the box. A network is a path and a minimum score.
pub(super) fn run(
    model: &(PathBuf, f32),
    reference: &(PathBuf, f32),
    videos: &[PathBuf],
    fps: f64,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    if !(fps > 0.0 && fps.is_finite()) {
        bail!("--fps {fps}: it must be above 0");
    }
    let factory = |(path, score_min): &(PathBuf, f32)| {
        let detector = DetectorChoice::Network(path.clone());
        Factory::new(&Settings { score_min: Some(*score_min), ..Settings::new(detector) })
    };
    let (mut found, mut truth) = (factory(model)?.for_camera(&[]), factory(reference)?.for_camera(&[]));
    let mut agreement = Agreement::default();
    let bar = ProgressBar::no_length()
        .with_style(ProgressStyle::with_template("{spinner} {pos} pictures, {elapsed}")?);
    for video in videos {
        let mut reader = camera::read_pictures(video)?;
        let mut due = 0.0;
        while let Some((pts, picture)) = reader.next_picture()? {
            let seconds = pts.0 as f64 / 1e9;
            if seconds + 0.01 < due {
                continue;
            }
            due = (due + 1.0 / fps).max(seconds);
            let frame = frame(pts, picture);
            let [truths, found] = [&mut truth, &mut found].map(|detector| {
                let detections = detector.detect(&frame)?;
                Ok::<_, InferenceError>(subjects(&detections, detector.includes_riders()))
            });
            agreement.add(&truths?, &found?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if as_json {
        println!("{}", serde_json::to_string_pretty(&agreement)?);
    } else {
        print(&agreement);
    }
    Ok(ExitCode::SUCCESS)
}

fn frame(pts: Pts, picture: Picture) -> Frame {
    let at = Stamp {
        wall: WallTime::from_micros(0),
        monotonic: Monotonic::default(),
        clock: ClockState::Unsynced,
    };
    Frame { camera: "file".parse().expect("a fixed name"), epoch: Epoch(1), pts, at, picture }
}

fn print(agreement: &Agreement) {
    println!("{:<12}  {:>9}  {:>6}  {:>6}  {:>6}", "kind", "reference", "found", "recall", "more");
    for kind in &agreement.kinds {
        let recall = kind.recall().map_or_else(|| "-".to_owned(), |recall| format!("{:.1}", recall * 100.0));
        println!(
            "{:<12}  {:>9}  {:>6}  {recall:>6}  {:>6}",
            kind.kind, kind.reference, kind.found, kind.more
        );
    }
    println!("{} pictures", agreement.pictures);
}
