//! Writes drawn street scenes as a folder of labelled pictures, for training and measuring detectors:
//! `cargo run --example scenes -- FOLDER --scenes 300 --seed 1`.
//!
//! The folder gets `images/NAME.jpg` and `labels/NAME.txt` as `wardwatch model eval` reads them (class, centre, size;
//! 0 person, 1 two-wheeler, 2 car, 3 large-vehicle). It also gets `unclear/NAME.txt`, the same lines for subjects
//! that are too small or too hidden to be asked for: a detector may see them or not. Seeds of training and of
//! measuring must differ.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base::detection::Label;
use clap::Parser;
use image::codecs::jpeg::JpegEncoder;
use streetsim::script::Script;
use streetsim::{Light, Scene, Settings, Truth, bustle};

/// Time between two frames of a scene.
const SECONDS_BETWEEN: f32 = 4.3;
/// Minimum visible part of a subject that is asked for.
const VISIBLE_MIN: f32 = 0.4;
/// Minimum height of such a subject, in pixels at 360 rows.
const HEIGHT_MIN: f32 = 10.0;

#[derive(Parser)]
struct Args {
    /// Where to write
    folder: PathBuf,
    /// How many scenes: each has its own hour, weather, traffic and noise
    #[arg(long, default_value_t = 60)]
    scenes: u64,
    /// Frames of each
    #[arg(long, default_value_t = 8)]
    frames: u64,
    /// Of the first scene; the others count on from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    for part in ["images", "labels", "unclear"] {
        fs::create_dir_all(args.folder.join(part)).context("the folder cannot be made")?;
    }
    for seed in args.seed..args.seed + args.scenes {
        let scene = Scene::new(settings(seed));
        for number in 0..args.frames {
            let seconds = 6.0 + SECONDS_BETWEEN * number as f32;
            let (picture, truths) = scene.frame((seconds * scene.settings().fps) as u64);
            let name = format!("scene_{seed:06}_{number:02}");
            let quality = 60 + (seed * 7 + number) % 36;
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, quality as u8).encode(
                &picture.to_rgb(),
                picture.width(),
                picture.height(),
                image::ExtendedColorType::Rgb8,
            )?;
            let (clear, unclear): (Vec<Truth>, Vec<Truth>) = truths
                .into_iter()
                .partition(|truth| truth.visible >= VISIBLE_MIN && truth.rect.h * 360.0 >= HEIGHT_MIN);
            write(&args.folder.join(format!("images/{name}.jpg")), &jpeg)?;
            write(&args.folder.join(format!("labels/{name}.txt")), lines(&clear).as_bytes())?;
            write(&args.folder.join(format!("unclear/{name}.txt")), lines(&unclear).as_bytes())?;
        }
    }
    Ok(())
}

/// Takes every hour and weather in turn, so that a folder of any size has some of each: three eighths by day, a
/// quarter each at night and in infra-red, an eighth at dusk; two fifths in rain. Seven of ten have the additions of
/// [`bustle`]: parked two-wheelers, pairs of riders, crossing subjects, crowds, a swaying pole (its documentation has
/// the shares).
fn settings(seed: u64) -> Settings {
    let turn = seed as usize;
    let light = [
        Light::Day,
        Light::Night,
        Light::Dusk,
        Light::InfraRed,
        Light::Day,
        Light::Night,
        Light::Day,
        Light::InfraRed,
    ][turn % 8];
    let (width, height) = [(640, 360), (640, 360), (960, 540)][turn % 3];
    Settings {
        seed,
        width,
        height,
        light,
        rain: turn % 5 < 2,
        noise: [1.0, 2.0, 3.5, 6.0][turn / 8 % 4],
        density: [0.6, 1.0, 1.6, 2.4, 0.3][turn / 3 % 5],
        quiet_seconds: 0.0,
        script: if turn % 10 < 7 { bustle(seed) } else { Script::default() },
        ..Settings::default()
    }
}

fn lines(truths: &[Truth]) -> String {
    truths.iter().fold(String::new(), |mut text, Truth { label, rect, .. }| {
        let class = match label {
            Label::Person => 0,
            Label::TwoWheeler => 1,
            Label::Car => 2,
            Label::LargeVehicle | Label::Moving => 3,
        };
        let (x, y) = (rect.x + rect.w / 2.0, rect.y + rect.h / 2.0);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{class} {x:.6} {y:.6} {:.6} {:.6}", rect.w, rect.h);
        text
    })
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}
