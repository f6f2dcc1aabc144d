//! The events that the street's rules open: on staged scenes with their truth, and on a street in which nothing
//! happens. Figures are for reading, not for passing.
//!
//! - scenarios (`streetsim::suite`) through gate, detector, tracker and rules, at 5 fps of 640x360 in virtual time,
//!   as a box with time for every inference: hits, misses and false alarms by rule kind and by scenario, with the seconds
//!   from evidence to event;
//! - `--quiet HOURS`: an empty street from midnight on, all rule kinds at usual settings: alerts, inferences, false alarms
//!   a camera-day. `--from-hour H`: from then on. `--threads N`: so many parts of those hours at once;
//! - `--draw FOLDER`: contact sheets of the scenarios with their zones and truths, instead of playing them; with `--quiet`,
//!   of the quiet street;
//! - `--pictures FOLDER`: one picture of each rule kind, as docs/rules.md shows them;
//! - `--seen`: the detector's results on their pictures, instead of playing them.
//!
//! `--photographs FOLDER` shows people, two-wheelers, lorries and buses as photographs, for networks that were
//! trained on such: cut out of the datasets in that folder (of `../shared`) with Python and OpenCV.
//!
//! `cargo bench --profile dev --bench rules -- [--only NAME] [--model PATH] [--verbose] [...]`: `--only` takes the
//! beginning of a name; `--size WxH` plays in pictures of so many pixels; `--cast N` plays the same scenes with other
//! people, machines, houses and chance traffic than those that tracker and rules were tuned on (cast 0); `--verbose`
//! prints the reasons why rules did not fire, `--trace` the results of every inference. `street-nano` runs
//! where no model is named; `motion` is the built-in motion detector.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "it prints a table")]

mod draw;
mod photographs;
mod play;
#[path = "../detect/python.rs"]
mod python;
mod quiet;
mod seen;
mod table;

use std::sync::Arc;

use detector::BUILT_IN;
use streetsim::photograph::Photographs;
use streetsim::suite::{Scenario, scenarios};
use wardwatch::infer::{DetectorChoice, Factory, Settings};

/// Options of the command line.
pub struct Asked {
    only: String,
    model: String,
    draw: Option<String>,
    pictures: Option<String>,
    quiet_hours: Option<f64>,
    from_hour: f64,
    threads: usize,
    seen: bool,
    verbose: bool,
    trace: bool,
    size: Option<(u32, u32)>,
    cast: u64,
    photographs: Option<Arc<Photographs>>,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self {
            only: String::new(),
            model: BUILT_IN.to_owned(),
            draw: None,
            pictures: None,
            quiet_hours: None,
            from_hour: 0.0,
            threads: 2,
            seen: false,
            verbose: false,
            trace: false,
            size: None,
            cast: 0,
            photographs: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} takes a value"));
            match argument.as_str() {
                "--bench" => {}
                "--only" => asked.only = value(),
                "--model" => asked.model = value(),
                "--pictures" => asked.pictures = Some(value()),
                "--draw" => asked.draw = Some(value()),
                "--quiet" => asked.quiet_hours = Some(value().parse().unwrap()),
                "--from-hour" => asked.from_hour = value().parse().unwrap(),
                "--threads" => asked.threads = value().parse().unwrap(),
                "--seen" => asked.seen = true,
                "--photographs" => {
                    asked.photographs = Some(Arc::new(photographs::cut(value().as_ref())));
                }
                "--size" => {
                    let sides = value();
                    let (width, height) = sides.split_once('x').expect("--size WxH");
                    asked.size = Some((width.parse().unwrap(), height.parse().unwrap()));
                }
                "--cast" => asked.cast = value().parse().unwrap(),
                "--trace" => asked.trace = true,
                "--verbose" => asked.verbose = true,
                other => panic!("{other} is not known: see the top of benches/rules/main.rs"),
            }
        }
        asked
    }

    /// Creates the factory of detectors.
    fn factory(&self) -> Factory {
        Factory::new(&Settings::new(DetectorChoice::named(&self.model))).unwrap()
    }

    fn scenarios(&self) -> Vec<Scenario> {
        let chosen = scenarios().into_iter().filter(|scenario| scenario.name.starts_with(&self.only));
        let mut scenarios: Vec<_> = chosen.map(|scenario| scenario.cast(self.cast)).collect();
        for scenario in &mut scenarios {
            let settings = &mut scenario.settings;
            settings.photographs = self.photographs.clone();
            (settings.width, settings.height) = self.size.unwrap_or((settings.width, settings.height));
        }
        scenarios
    }
}

fn main() {
    let asked = Asked::read(std::env::args().skip(1));
    if let Some(folder) = &asked.pictures {
        return draw::write_rules(&asked.scenarios(), folder.as_ref());
    }
    match (&asked.draw, asked.quiet_hours) {
        (Some(folder), Some(_)) => return draw::write_quiet(&quiet::street(), folder.as_ref()),
        (Some(folder), None) => return draw::write(&asked.scenarios(), folder.as_ref()),
        (None, Some(hours)) => return quiet::print(&asked, hours),
        (None, None) => {}
    }
    if asked.seen {
        return seen::print(&asked);
    }
    let factory = asked.factory();
    let mut table = table::Table::new(asked.verbose);
    for scenario in asked.scenarios() {
        table.add(&scenario, play::play(&scenario, &factory, (asked.verbose, asked.trace)));
    }
    table.print_kinds();
}
