//! All of detection, with gate, regions and budget, against a network that sees every frame whole.
//!
//! - `offline`: clips in virtual time, the same every time: recall of tracks, inferences, pixels of input, CPU time;
//! - `live`: the daemon over RTSP cameras that another process serves, in CPU time;
//! - `latency`: the same with rules that fire often: from a frame to its alert's row.
//!
//! `cargo bench --bench detect -- --part pipeline [offline] [live] [latency] [--model PATH] [--cameras 1,4,8] [--seconds 20]
//! [--clips FOLDER] [--sizes a.toml,b.toml]`. `--sizes` are further networks that stand for smaller input sizes of the
//! model, offline, where it has none of its own.

mod latency;
mod live;
mod offline;
mod recall;

use std::path::PathBuf;

/// Arguments of the command line.
pub struct Asked {
    parts: Vec<String>,
    model: PathBuf,
    sizes: Vec<PathBuf>,
    clips: PathBuf,
    cameras: Vec<u32>,
    seconds: u64,
    score_min: f32,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let shared =
            std::env::var_os("WARDWATCH_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
        let own = root.join("models/street-nano.toml");
        let model = if own.exists() { own } else { shared.join("models/yolox_nano_384x640.onnx") };
        let mut asked = Self {
            parts: Vec::new(),
            model,
            sizes: Vec::new(),
            clips: shared.join("clips"),
            cameras: vec![1, 4, 8],
            seconds: 20,
            score_min: 0.25,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_default();
            match argument.as_str() {
                "--model" => asked.model = value().into(),
                "--sizes" => asked.sizes = value().split(',').map(PathBuf::from).collect(),
                "--clips" => asked.clips = value().into(),
                "--cameras" => {
                    asked.cameras = value().split(',').map(|count| count.parse().unwrap()).collect()
                }
                "--seconds" => asked.seconds = value().parse().unwrap(),
                "--score-min" => asked.score_min = value().parse().unwrap(),
                part => asked.parts.push(part.to_owned()),
            }
        }
        asked
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|asked| asked == part)
    }
}

/// Runs the parts that `arguments` ask for.
pub fn run(arguments: impl Iterator<Item = String>) {
    let asked = Asked::read(arguments);
    if !asked.model.exists() || !asked.clips.exists() {
        println!("left out: {} or {} is not there", asked.model.display(), asked.clips.display());
        return;
    }
    println!("model {}", asked.model.display());
    if asked.wants("offline") {
        offline::print(&asked);
    }
    if asked.wants("live") {
        live::print(&asked);
    }
    if asked.wants("latency") {
        latency::print(&asked);
    }
}
