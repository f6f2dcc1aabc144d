//! Detection and tracking on real footage: `make bench-real`. Figures are for reading, not for passing. They are
//! printed side by side for several networks, and nothing is measured where `../shared` is missing.
//!
//! - `sets`: average precision, recall and precision on labelled pictures, and recall of persons by their height;
//! - `tracks`: `sf_street.mp4` with its tracks, as the box runs and beside ByteTrack on every frame;
//! - `clips`: subjects on key frames and crossings of lines, both by hand (`truth/`), and CPU time as the box runs;
//! - `weather`: the same recall under lowered light, fog, defocus, rain, 200 kbit/s and infra-red;
//! - `quiet`: false alerts an hour on quiet parts of the clips, and beneath a tree that sways.
//!
//! `cargo bench --profile dev --bench real -- [--models A,B] [--part NAME] [--hours N] [--card] [--draw FOLDER]`:
//! `--hours` are simulated, of each network, without and with the tree; `--card` writes the main figures into
//! models/README.md; `--draw` leaves the key frames with their subjects in a folder, instead of measuring.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "it prints tables")]
#![allow(clippy::print_stderr, reason = "it says what it leaves out")]

mod card;
#[path = "../track/clip.rs"]
mod clip;
mod clips;
mod draw;
mod encoded;
mod heights;
#[path = "../track/mot.rs"]
mod mot;
mod network;
#[path = "../detect/python.rs"]
mod python;
mod quiet;
#[path = "../track/score.rs"]
mod score;
mod sets;
mod table;
mod tally;
mod tracks;
mod tree;
mod truth;
#[path = "../track/watch.rs"]
mod watch;
mod weather;

use std::path::PathBuf;
use std::time::Instant;

use card::Row;
use network::Network;

const PARTS: [&str; 5] = ["sets", "tracks", "clips", "weather", "quiet"];

/// Options of the command line.
struct Asked {
    models: Vec<String>,
    part: Option<String>,
    hours: f64,
    card: bool,
    draw: Option<PathBuf>,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let models = clip::shared().join("models");
        let beside = |name: &str| models.join(name).display().to_string();
        let mut asked = Self {
            models: vec![
                detector::BUILT_IN.to_owned(),
                beside("yolox_nano_384x640.onnx"),
                beside("picodet_s_384x640.onnx"),
            ],
            part: None,
            hours: 1.0,
            card: false,
            draw: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} takes a value"));
            match argument.as_str() {
                "--bench" => {}
                "--models" => asked.models = value().split(',').map(str::to_owned).collect(),
                "--part" => {
                    let part = value();
                    assert!(PARTS.contains(&part.as_str()), "--part is one of {}", PARTS.join(", "));
                    asked.part = Some(part);
                }
                "--hours" => asked.hours = value().parse().unwrap(),
                "--card" => asked.card = true,
                "--draw" => asked.draw = Some(value().into()),
                other => panic!("{other} is not known: see the top of benches/real/main.rs"),
            }
        }
        asked
    }

    fn wants(&self, part: &str) -> bool {
        self.part.as_deref().is_none_or(|asked| asked == part)
    }
}

fn main() {
    let asked = Asked::read(std::env::args().skip(1));
    let shared = clip::shared();
    if !shared.join("clips").is_dir() || !shared.join("datasets").is_dir() {
        return println!(
            "real footage: skipped, {} has no clips and datasets (WARDWATCH_SHARED names another folder)",
            shared.display()
        );
    }
    if let Some(folder) = &asked.draw {
        return draw::keys(folder);
    }
    let networks: Vec<Network> = asked.models.iter().map(|model| Network::load(model)).collect();
    let parts: [(&str, Print); 5] = [
        ("sets", |networks, _| sets::print(networks).into_iter().chain(heights::print(networks)).collect()),
        ("tracks", |networks, _| tracks::print(networks)),
        ("clips", |networks, _| clips::print(networks)),
        ("weather", |networks, _| weather::print(networks)),
        ("quiet", |networks, asked| quiet::print(networks, asked.hours)),
    ];
    let mut rows = Vec::new();
    for (name, print) in parts.iter().filter(|(name, _)| asked.wants(name)) {
        let start = Instant::now();
        rows.extend(print(&networks, &asked));
        eprintln!("{name}: {:.0} s", start.elapsed().as_secs_f64());
    }
    if asked.card {
        card::write(&networks, &rows);
    }
}

/// Measures a part and prints it. Returns the model card's rows.
type Print = fn(&[Network], &Asked) -> Vec<Row>;
