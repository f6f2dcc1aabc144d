//! False alerts on real footage in which nothing happens: quiet parts of the clips for hours, with a sensor's noise
//! and slow changes of light; and the same beneath a tree that sways.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use analysis::rules::RuleSettings;
use base::event::{Event, Phase};
use base::geometry::Rect;
use base::picture::Picture;
use indicatif::ProgressBar;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wardwatch::config;

use super::card::Row;
use super::clip::{frames, path};
use super::network::{Network, bar};
use super::table::heads;
use super::tree::{Plate, Tree};
use super::truth;
use super::watch::{Gated, frame};

const FPS: f64 = 5.0;
/// Source of the tree's leaves: a clip, a second, and the place.
const LEAVES: (&str, f64, Rect) = ("ahmetozlu_street", 31.4, Rect::new(0.04, 0.02, 0.28, 0.34));
/// A sensor's noise by day, in codes of luma.
const NOISE: f32 = 2.0;
/// Number of alerts of each part that are printed.
const FIRST: usize = 5;
/// Number of noise values, a prime.
const NOISE_LENGTH: usize = 65_521;

/// A part of a clip in which nothing happens.
struct Part {
    name: String,
    plates: Vec<Plate>,
    tree_at: (f32, f32),
    rules: Vec<RuleSettings>,
}

/// Events of one part.
#[derive(Default, Clone)]
struct Said {
    hours: f64,
    inferences: u64,
    by_kind: BTreeMap<String, u32>,
    /// The first alerts, in words.
    first: Vec<String>,
}

impl Said {
    fn add(&mut self, other: &Self) {
        self.hours += other.hours;
        self.inferences += other.inferences;
        other
            .by_kind
            .iter()
            .for_each(|(kind, count)| *self.by_kind.entry(kind.clone()).or_default() += count);
        self.first.extend(other.first.iter().cloned());
    }

    fn alerts(&self) -> u32 {
        self.by_kind.values().sum()
    }
}

/// Prints alerts an hour on each part, without and with the tree. Returns the sums for the model card. `hours` are
/// shared out among the parts.
pub fn print(networks: &[Network], hours: f64) -> Vec<Row> {
    let parts = parts();
    let Some(tree) = leaves() else {
        eprintln!("no quiet footage: {} is not there", LEAVES.0);
        return Vec::new();
    };
    let frames = (hours * 3600.0 * FPS / parts.len().max(1) as f64) as u64;
    let jobs: Vec<(usize, &Part, bool)> = [false, true]
        .into_iter()
        .flat_map(|sways| parts.iter().map(move |part| (part, sways)))
        .flat_map(|(part, sways)| (0..networks.len()).map(move |network| (network, part, sways)))
        .collect();
    let bar = bar("quiet", frames * jobs.len() as u64);
    let noise = Noise::new();
    let said = all(&jobs, |(network, part, sways)| {
        play(&networks[*network], part, frames, sways.then_some(&tree), &noise, &bar)
    });
    bar.finish_and_clear();
    println!(
        "\nfalse alerts an hour (alerts; inferences an hour) in {hours} simulated hours of quiet footage, {} parts, all rules",
        parts.len()
    );
    println!("{:<52}{}", "", heads(networks.iter().map(|network| network.name.as_str()), 22));
    let mut rows = Vec::new();
    for sways in [false, true] {
        let mut sums = vec![Said::default(); networks.len()];
        for part in &parts {
            let of_part: Vec<&Said> = jobs
                .iter()
                .zip(&said)
                .filter(|((_, of, s), _)| std::ptr::eq(*of, part) && *s == sways)
                .map(|(_, said)| said)
                .collect();
            sums.iter_mut().zip(&of_part).for_each(|(sum, said)| sum.add(said));
            line(&format!("{}{}", part.name, if sways { ", tree" } else { "" }), &of_part);
        }
        line(if sways { "all, tree" } else { "all" }, &sums.iter().collect::<Vec<_>>());
        for (network, said) in networks.iter().zip(&sums).filter(|(_, said)| said.alerts() > 0) {
            println!("  {}{}: {:?}", network.name, if sways { ", tree" } else { "" }, said.by_kind);
            said.first.iter().for_each(|alert| println!("    {alert}"));
        }
        let place = if sways { "beneath a tree that sways" } else { "on quiet footage" };
        rows.push(Row {
            what: format!("false alerts an hour {place}, {hours} simulated hours, all rules"),
            cells: sums.iter().map(|said| format!("{:.1}", f64::from(said.alerts()) / said.hours)).collect(),
        });
    }
    rows
}

fn line(name: &str, of_networks: &[&Said]) {
    print!("{name:<52}");
    for said in of_networks {
        let an_hour = |count: f64| count / said.hours.max(1e-9);
        let (alerts, inferences) = (said.alerts(), an_hour(said.inferences as f64));
        print!(" | {:>6.1} ({alerts}; {inferences:.0}){:4}", an_hour(f64::from(alerts)), "");
    }
    println!();
}

/// Does all jobs on as many threads as there are processors; results in the jobs' order.
fn all<T: Sync, R: Send>(jobs: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((at, job)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(at).map(|job| (at, job))
                } {
                    let result = work(job);
                    results.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn play(
    network: &Network,
    part: &Part,
    frames: u64,
    tree: Option<&Tree>,
    noise: &Noise,
    bar: &ProgressBar,
) -> Said {
    let mut gated = Gated::new(&network.factory, part.rules.clone());
    let mut said = Said { hours: frames as f64 / FPS / 3600.0, ..Said::default() };
    for index in 0..frames {
        let second = index as f64 / FPS;
        gated.frame(&frame(second, picture(part, index, tree, noise)));
        let opened = gated.take_events().into_iter().filter(|event| event.phase == Phase::Opened);
        for event in opened {
            if said.first.len() < FIRST {
                said.first.push(in_words(&part.name, second, &event));
            }
            *said.by_kind.entry(event.rule.kind).or_default() += 1;
        }
        bar.inc(1);
    }
    said.inferences = gated.inferences;
    said
}

/// Describes an alert in a line.
fn in_words(part: &str, second: f64, event: &Event) -> String {
    let subjects: Vec<String> = event
        .subjects
        .iter()
        .map(|subject| {
            let Rect { x, y, w, h } = subject.rect;
            format!("{} {:.2} at {x:.3} {y:.3} {w:.3} {h:.3}", subject.label, subject.score)
        })
        .collect();
    format!("{part}, {second:.1} s: {}: {}; {}", event.rule.kind, event.why, subjects.join("; "))
}

/// Takes the part's pictures forwards and backwards again, so that nothing jumps.
fn picture(part: &Part, index: u64, tree: Option<&Tree>, noise: &Noise) -> Picture {
    let second = index as f64 / FPS;
    let mut plate = part.plates[back_and_forth(index, part.plates.len())].clone();
    if let Some(tree) = tree {
        tree.paint(&mut plate, part.tree_at, second);
    }
    // Clouds, and the camera's exposure that follows them.
    let light = 1.0 + 0.10 * (TAU * second / 613.0).sin() + 0.04 * (TAU * second / 97.0).sin();
    noise.add(plate.luma(), index, light as f32);
    plate.picture()
}

fn back_and_forth(index: u64, length: usize) -> usize {
    let turn = 2 * (length - 1).max(1) as u64;
    let at = (index % turn) as usize;
    if at < length { at } else { turn as usize - at }
}

/// A table of normal numbers.
struct Noise(Vec<f32>);

impl Noise {
    fn new() -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(17);
        let mut normal = || (0..12).map(|_| dice.random::<f32>()).sum::<f32>() - 6.0;
        Self((0..NOISE_LENGTH).map(|_| normal() * NOISE).collect())
    }

    fn add(&self, luma: &mut [u8], index: u64, light: f32) {
        let begin = (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) % NOISE_LENGTH as u64) as usize;
        let noise = self.0[begin..].iter().chain(self.0.iter().cycle());
        luma.iter_mut().zip(noise).for_each(|(y, n)| *y = (f32::from(*y) * light + n + 0.5) as u8);
    }
}

fn parts() -> Vec<Part> {
    let text = truth::read("quiet.txt");
    let entries = truth::lines(&text).filter(|words| path(words[0]).exists());
    entries
        .map(|words| {
            let (tree, zone) = (after(&words, "tree"), after(&words, "zone"));
            let [from, until] = truth::numbers::<f64>(&words[1..3])[..] else { panic!("{words:?}") };
            let [x, y] = truth::numbers::<f32>(&words[tree..tree + 2])[..] else { panic!("{words:?}") };
            let corners: Vec<String> = truth::numbers::<f32>(&words[zone..])
                .chunks(2)
                .map(|point| format!("[{:?}, {:?}]", point[0], point[1]))
                .collect();
            let seconds = |frame: &base::picture::Frame| frame.pts.0 as f64 * 1e-9;
            let there = frames(&path(words[0])).filter(|frame| (from..until).contains(&seconds(frame)));
            Part {
                name: format!("{} {from} to {until} s", words[0]),
                plates: there.map(|frame| Plate::of(&frame.picture)).collect(),
                tree_at: (x, y),
                rules: rules(&format!("[{}]", corners.join(", "))),
            }
        })
        .collect()
}

/// Index after a word.
fn after(words: &[&str], word: &str) -> usize {
    words.iter().position(|other| *other == word).unwrap_or_else(|| panic!("{words:?}: no {word}")) + 1
}

/// Loads every rule of `rules.toml`, in that zone.
fn rules(zone: &str) -> Vec<RuleSettings> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wardwatch.toml");
    std::fs::write(&file, truth::read("rules.toml").replace("ZONE", zone)).unwrap();
    config::load(&file).unwrap_or_else(|problems| panic!("{problems}")).rules
}

fn leaves() -> Option<Tree> {
    let (clip, second, rect) = LEAVES;
    let file = path(clip);
    if !file.exists() {
        return None;
    }
    let mut seen = frames(&file).filter(|frame| frame.pts.0 as f64 * 1e-9 >= second);
    seen.next().map(|frame| Tree::cut(&Plate::of(&frame.picture), &rect))
}
