//! Vehicles over a line, on real footage, compared with a person's count.

use std::collections::{BTreeMap, BTreeSet};

use base::detection::Label;
use base::geometry::{Point, crossing};
use base::ids::TrackId;
use base::time::Monotonic;
use base::track::Track;
use wardwatch::infer::Factory;

use super::clip;
use super::watch::{Every, Gated};

/// A clip of `../shared`, the line on it, and the number of vehicles that cross it, counted by hand (`counts.md`).
struct Clip {
    name: &'static str,
    from: Point,
    to: Point,
    by_hand: u32,
}

const fn clip(name: &'static str, from: (f32, f32), to: (f32, f32), by_hand: u32) -> Clip {
    Clip { name, from: Point::new(from.0, from.1), to: Point::new(to.0, to.1), by_hand }
}

const CLIPS: [Clip; 4] = [
    clip("opencv4nodejs_traffic", (0.42, 0.10), (0.42, 1.00), 23),
    clip("ahmetozlu_street", (0.38, 0.62), (0.92, 0.62), 8),
    clip("intel_car-detection", (0.02, 0.50), (0.98, 0.50), 4),
    clip("intel_person-bicycle-car-detection", (0.05, 0.90), (0.95, 0.00), 4),
];

/// Prints a line for each clip and one for all; `verbose`: the second of each crossing.
pub fn print(factory: &Factory, verbose: bool) {
    println!("{:<36} by hand  every  gated", "clip");
    let mut all = [0; 3];
    for counted in &CLIPS {
        let path = clip::path(counted.name);
        if !path.exists() {
            println!("{:<36} left out: {} is not there", counted.name, path.display());
            continue;
        }
        let (mut every, mut gated) = (Every::new(factory), Gated::new(factory, Vec::new()));
        let (mut by_every, mut by_gated) = (Counter::default(), Counter::default());
        for frame in clip::frames(&path) {
            by_every.take(counted, &every.frame(&frame).1);
            by_gated.take(counted, &gated.frame(&frame));
        }
        let counts = [counted.by_hand, by_every.crossed(), by_gated.crossed()];
        println!("{:<36} {:>7}  {:>5}  {:>5}", counted.name, counts[0], counts[1], counts[2]);
        if verbose {
            println!("  every: {}\n  gated: {}", by_every.seconds(), by_gated.seconds());
        }
        (0..3).for_each(|i| all[i] += counts[i]);
    }
    println!("{:<36} {:>7}  {:>5}  {:>5}", "all", all[0], all[1], all[2]);
}

/// Tracks that have crossed, by the paths of confirmed tracks, as the rules follow them: each track once.
#[derive(Default)]
struct Counter {
    feet: BTreeMap<TrackId, (Monotonic, Point)>,
    crossed: BTreeMap<TrackId, Monotonic>,
    vehicles: BTreeSet<TrackId>,
}

impl Counter {
    fn take(&mut self, clip: &Clip, tracks: &[Track]) {
        for track in tracks.iter().filter(|track| track.confirmed) {
            for point in &track.path {
                let before = self.feet.get(&track.id).copied();
                if before.is_some_and(|(at, _)| point.at <= at) {
                    continue;
                }
                self.feet.insert(track.id, (point.at, point.foot));
                let is_over =
                    before.is_some_and(|(_, foot)| crossing(clip.from, clip.to, foot, point.foot).is_some());
                if is_over {
                    self.crossed.entry(track.id).or_insert(point.at);
                }
            }
            if track.label == Label::Person {
                self.vehicles.remove(&track.id);
            } else {
                self.vehicles.insert(track.id);
            }
        }
    }

    fn of_vehicles(&self) -> impl Iterator<Item = Monotonic> {
        self.crossed.iter().filter(|(id, _)| self.vehicles.contains(id)).map(|(_, at)| *at)
    }

    fn crossed(&self) -> u32 {
        self.of_vehicles().count() as u32
    }

    fn seconds(&self) -> String {
        let mut seconds: Vec<f64> = self.of_vehicles().map(|at| at.as_nanos() as f64 * 1e-9 - 1.0).collect();
        seconds.sort_by(f64::total_cmp);
        let words: Vec<String> = seconds.iter().map(|second| format!("{second:.1}")).collect();
        words.join(", ")
    }
}
