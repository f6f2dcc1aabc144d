//! Vehicles over a line, on real footage: as many as somebody counts who looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use wardwatch::detect::Factory;
use wardwatch::domain::detection::Label;
use wardwatch::domain::geometry::{Point, crossing};
use wardwatch::domain::ids::TrackId;
use wardwatch::domain::picture::Frame;
use wardwatch::domain::time::Monotonic;
use wardwatch::domain::track::Track;
use wardwatch::video;

use super::play::{Every, Gated, frame};
use super::scenes::FPS;

/// A clip of `../shared`, the line on it, and how many vehicles cross it by hand (`counts.md`).
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
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("WARDWATCH_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    println!("{:<36} by hand  every  gated", "clip");
    let mut all = [0; 3];
    for clip in &CLIPS {
        let path = shared.join("clips").join(clip.name).with_extension("mp4");
        if !path.exists() {
            println!("{:<36} left out: {} is not there", clip.name, path.display());
            continue;
        }
        let (mut every, mut gated) = (Every::new(factory), Gated::new(factory));
        let (mut by_every, mut by_gated) = (Counter::default(), Counter::default());
        for frame in frames(&path) {
            by_every.take(clip, &every.frame(&frame).1);
            by_gated.take(clip, &gated.frame(&frame));
        }
        let counts = [clip.by_hand, by_every.crossed(), by_gated.crossed()];
        println!("{:<36} {:>7}  {:>5}  {:>5}", clip.name, counts[0], counts[1], counts[2]);
        if verbose {
            println!("  every: {}\n  gated: {}", by_every.seconds(), by_gated.seconds());
        }
        (0..3).for_each(|i| all[i] += counts[i]);
    }
    println!("{:<36} {:>7}  {:>5}  {:>5}", "all", all[0], all[1], all[2]);
}

/// Five of its pictures a second.
fn frames(path: &std::path::Path) -> impl Iterator<Item = Frame> {
    let mut reader = video::read_pictures(path).unwrap();
    let mut due = 0.0;
    std::iter::from_fn(move || {
        loop {
            let (pts, picture) = reader.next_picture().unwrap()?;
            let second = pts.0 as f64 * 1e-9;
            if second + 0.01 >= due {
                due = (due + 1.0 / f64::from(FPS)).max(second);
                return Some(frame(second, picture));
            }
        }
    })
}

/// Who has crossed, by the paths of confirmed tracks, as the rules follow them: each track once.
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
