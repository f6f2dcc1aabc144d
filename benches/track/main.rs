//! Quality of the tracking: `make bench-track`. Figures are for reading, not for passing.
//!
//! - streets (`scenes`): drawn traffic with its truth, at 5 fps in virtual time, through the detector and the
//!   tracker, fed with every frame whole (`every`) and as the box runs, with gate and regions (`gated`); and ByteTrack as
//!   `supervision` has it, fed with the same detections as `every` (`ByteTrack`). IDF1, MOTA, HOTA (`trackeval`) and
//!   identity switches of all three, by street. A truth of which less than 0.4 can be seen, or that is less than 10 pixels
//!   high, is not asked for, and tracks there are not scored;
//! - `--count`: vehicles over a line on the clips of `../shared`, beside the counts by hand (`counts.md`).
//!
//! `cargo bench --profile dev --bench track -- [--model PATH] [--only NAME] [--seed N] [--size WxH] [--keep FOLDER]
//! [--count [--verbose]]`: `--size` is the pictures', 640x360 unless said; `--only` takes the beginning of a name;
//! the tracker's numbers were chosen on the streets of seed 0, others are unseen; `--keep` leaves the streets'
//! truths, detections and tracks there, as text.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::print_stderr, reason = "it says what it leaves out")]

mod clip;
mod count;
mod mot;
mod play;
#[path = "../detect/python.rs"]
mod python;
mod scenes;
mod score;
mod watch;

use std::path::PathBuf;

use detector::BUILT_IN;
use wardwatch::infer::{DetectorChoice, Factory, Settings};

/// Options of the command line.
struct Asked {
    model: String,
    only: String,
    seed: u64,
    /// Size of the pictures, in pixels.
    size: (u32, u32),
    keep: Option<PathBuf>,
    count: bool,
    verbose: bool,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self {
            model: BUILT_IN.to_owned(),
            only: String::new(),
            seed: 0,
            size: (640, 360),
            keep: None,
            count: false,
            verbose: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} takes a value"));
            match argument.as_str() {
                "--bench" => {}
                "--model" => asked.model = value(),
                "--only" => asked.only = value(),
                "--seed" => asked.seed = value().parse().unwrap(),
                "--size" => {
                    let size = value();
                    let (width, height) = size.split_once('x').expect("--size WIDTHxHEIGHT");
                    asked.size = (width.parse().unwrap(), height.parse().unwrap());
                }
                "--keep" => asked.keep = Some(value().into()),
                "--count" => asked.count = true,
                "--verbose" => asked.verbose = true,
                other => panic!("{other} is not known: see the top of benches/track/main.rs"),
            }
        }
        asked
    }
}

fn main() {
    let asked = Asked::read(std::env::args().skip(1));
    let factory = Factory::new(&Settings::new(DetectorChoice::named(&asked.model))).unwrap();
    println!("model {}", asked.model);
    if asked.count {
        return count::print(&factory, asked.verbose);
    }
    let passing = tempfile::tempdir().unwrap();
    let folder = asked.keep.as_deref().unwrap_or(passing.path());
    let (mut frames, mut inferences) = (0, 0);
    for street in
        scenes::streets(asked.seed, asked.size).iter().filter(|street| street.name.starts_with(&asked.only))
    {
        let (texts, cost) = play::play(street, &factory);
        texts.write(&folder.join(&street.name));
        (frames, inferences) = (frames + cost.frames, inferences + cost.gated_inferences);
    }
    println!("{frames} frames; gated: {inferences} inferences");
    score::score(folder, false);
}
