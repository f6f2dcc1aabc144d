//! Writes one of the rules' staged scenarios as a folder for `wardwatch replay`: the video, the configuration of its camera
//! and rules, and the truth. `cargo run --example scenario -- NAME FOLDER`; without a name it lists them. Needs ffmpeg.
#![allow(clippy::print_stdout, reason = "it is told what there is, and what to do next")]

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::Parser;
use serde_json::json;
use streetsim::Scene;
use streetsim::suite::{EARLY_SECONDS, Rule, Scenario, configuration, scenarios};

#[derive(Parser)]
struct Args {
    /// Which scenario
    name: Option<String>,
    /// Where to write
    #[arg(default_value = "scenario")]
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let all = scenarios();
    let Some(name) = args.name else {
        all.iter().for_each(|scenario| println!("{:<36} {}", scenario.name, scenario.shows));
        return Ok(());
    };
    let Some(scenario) = all.iter().find(|scenario| scenario.name == name) else {
        bail!("there is no scenario {name:?}: without a name they are listed");
    };
    fs::create_dir_all(&args.folder).context("the folder cannot be made")?;
    let scene = Scene::new(scenario.settings.clone());
    let rules: Vec<&Rule> = scenario.rules.iter().collect();
    fs::write(args.folder.join("wardwatch.toml"), configuration(&scene, &rules))?;
    fs::write(args.folder.join("truth.json"), truth(scenario))?;
    film(&scene, scenario.seconds, &args.folder.join("street.mp4"))?;
    let folder = args.folder.display();
    println!(
        "wardwatch replay {folder}/street.mp4 --config {folder}/wardwatch.toml --camera street --truth {folder}/truth.json \
         --why-not --page {folder}/page.html"
    );
    Ok(())
}

fn truth(scenario: &Scenario) -> String {
    let expected = scenario.expected.iter().map(|expected| {
        json!({
            "rule": expected.rule,
            "from_seconds": expected.evidence - EARLY_SECONDS,
            "until_seconds": expected.evidence + expected.within,
            "events_max": expected.events_max,
        })
    });
    format!("{:#}\n", json!({ "expected": expected.collect::<Vec<_>>() }))
}

/// The video has a fixed rate, so frames that the camera does not send (`Effect::Lost`) are in it.
fn film(scene: &Scene, seconds: f32, path: &std::path::Path) -> anyhow::Result<()> {
    let settings = scene.settings();
    let mut encoder = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuvj420p"])
        .args([
            "-s",
            &format!("{}x{}", settings.width, settings.height),
            "-r",
            &settings.fps.to_string(),
            "-i",
            "-",
        ])
        .args(["-c:v", "libx264", "-preset", "fast", "-crf", "18", "-bf", "0"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .context("ffmpeg does not start: install it")?;
    let mut input = encoder.stdin.take().context("a pipe was asked for")?;
    for index in 0..(seconds * settings.fps) as u64 {
        input.write_all(scene.frame(index).0.samples())?;
    }
    drop(input);
    let status = encoder.wait()?;
    if !status.success() {
        bail!("ffmpeg could not write {}", path.display());
    }
    Ok(())
}
