//! The clips with a person's notes: subjects on key frames, crossings of lines; and the cost of watching.

use std::time::Duration;

use analysis::rules::tripwire::{Direction, Params};
use analysis::rules::{Kind, RuleArea, RuleSettings, Schedule};
use base::detection::Label;
use base::event::{Event, Phase, Severity};
use base::geometry::{Rect, Side};
use base::picture::{Frame, Picture};
use base::time::Monotonic;
use base::zone::Tripwire;
use jiff::tz::TimeZone;

use super::card::Row;
use super::clip::{frames, path};
use super::network::{Network, bar};
use super::table::{GROUPS, heads};
use super::tally::{Crossed, crossed, found};
use super::truth::{self, Key, Line};
use super::watch::{Gated, camera, frame, stamp};

/// Truth of one clip, counted by a person.
pub struct Clip {
    pub name: String,
    pub keys: Vec<Key>,
    lines: Vec<Line>,
}

impl Clip {
    /// Number of subjects that cross its lines.
    fn crossings(&self) -> usize {
        self.lines.iter().map(|line| line.crossings.len()).sum()
    }
}

/// Returns the clips that are there, by name; prints the missing ones.
pub fn clips() -> Vec<Clip> {
    let (keys, lines) =
        (truth::keys(&truth::read("keys.txt")), truth::crossings(&truth::read("crossings.txt")));
    let mut names: Vec<&String> = keys.iter().map(|key| &key.clip).collect();
    names.sort();
    names.dedup();
    let (there, gone): (Vec<&String>, Vec<&String>) = names.into_iter().partition(|name| path(name).exists());
    gone.iter().for_each(|name| eprintln!("left out: {} is not there", path(name).display()));
    there
        .into_iter()
        .map(|name| Clip {
            name: name.clone(),
            keys: keys.iter().filter(|key| key.clip == *name).cloned().collect(),
            lines: lines.iter().filter(|line| line.clip == *name).cloned().collect(),
        })
        .collect()
}

/// One subject of a key frame: its label, and if a network detected it there, and had it under a confirmed track.
#[derive(Clone, Copy)]
pub struct Subject {
    pub label: Label,
    pub detected: bool,
    pub tracked: bool,
}

/// Results of a network over one clip.
#[derive(Default)]
pub struct Watched {
    pub subjects: Vec<Subject>,
    crossed: Crossed,
    cpu: Duration,
    seconds: f64,
}

impl Watched {
    fn add(&mut self, other: &Self) {
        self.subjects.extend(&other.subjects);
        self.crossed.hit += other.crossed.hit;
        self.crossed.wrong += other.crossed.wrong;
        self.cpu += other.cpu;
        self.seconds += other.seconds;
    }

    fn cpu_a_minute(&self) -> f64 {
        self.cpu.as_secs_f64() * 60.0 / self.seconds.max(1e-9)
    }

    /// Numbers of subjects with one of these labels: all, detected, tracked.
    pub fn counts(&self, labels: &[Label]) -> [usize; 3] {
        let of = |is: fn(&Subject) -> bool| {
            self.subjects.iter().filter(|subject| labels.contains(&subject.label) && is(subject)).count()
        };
        [of(|_| true), of(|subject| subject.detected), of(|subject| subject.tracked)]
    }
}

/// Prints tables of subjects by label and by clip, of crossings and of cost. Returns the model card's rows.
pub fn print(networks: &[Network]) -> Vec<Row> {
    let clips = clips();
    let bar = bar("clips", (clips.len() * networks.len()) as u64);
    let watched: Vec<Vec<Watched>> = clips
        .iter()
        .map(|clip| {
            let frames: Vec<Frame> = frames(&path(&clip.name)).collect();
            watch_all(networks, clip, &frames, &|| bar.inc(1))
        })
        .collect();
    bar.finish_and_clear();
    let mut all: Vec<Watched> = networks.iter().map(|_| Watched::default()).collect();
    for of_clip in &watched {
        all.iter_mut().zip(of_clip).for_each(|(all, watched)| all.add(watched));
    }
    let sets = truth::read("sets.txt");
    let trained = |clip: &Clip| truth::trained_on(&sets, &format!("clips/{}", clip.name)).to_owned();
    let of_clips: Vec<(String, usize, &[Watched])> = clips
        .iter()
        .zip(&watched)
        .map(|(clip, of)| (format!("{} ({})", clip.name, trained(clip)), clip.crossings(), of.as_slice()))
        .chain([("all".to_owned(), clips.iter().map(Clip::crossings).sum(), all.as_slice())])
        .collect();
    let heads = heads(networks.iter().map(|network| network.name.as_str()), 18);
    let mut rows = print_subjects(&of_clips, &all, &heads);
    rows.push(print_crossings(&of_clips, &heads));
    rows.extend(print_cost(&of_clips, networks, &heads));
    rows
}

/// Each clip by name, with the number of crossings seen by eye, and the networks' results; the last is all of them.
type OfClips<'a> = [(String, usize, &'a [Watched])];

fn print_subjects(of_clips: &OfClips, all: &[Watched], heads: &str) -> Vec<Row> {
    println!(
        "\nclear subjects on key frames of the clips, boxed by hand: detected with 0.25 on the whole frame / under a confirmed \
         track on that\nframe as the box runs. In brackets: whether street-nano learnt from that clip"
    );
    println!("{:<44} {:>5}{heads}", "", "there");
    let mut rows = Vec::new();
    for (name, labels) in GROUPS {
        line(name, all, |watched| watched.counts(labels));
        rows.push(Row {
            what: format!("key frames: {name} ({}), detected at 0.25 / tracked", all[0].counts(labels)[0]),
            cells: all
                .iter()
                .map(|watched| {
                    let [_, detected, tracked] = watched.counts(labels);
                    format!("{detected} / {tracked}")
                })
                .collect(),
        });
    }
    of_clips.iter().for_each(|(name, _, of)| line(name, of, |watched| watched.counts(&Label::ALL)));
    rows
}

fn print_crossings(of_clips: &OfClips, heads: &str) -> Row {
    println!(
        "\ncrossings of lines, by hand: hit + false (a tripwire for each way, through the rules' engine)"
    );
    println!("{:<44} {:>5}{heads}", "", "there");
    let mut row = Row { what: String::new(), cells: Vec::new() };
    for (name, there, of) in of_clips {
        print!("{name:<44} {there:>5}");
        of.iter().for_each(|w| print!(" | {:>8} + {:<7}", w.crossed.hit, w.crossed.wrong));
        println!();
        row.what = format!("crossings of lines on the clips ({there}): hit + false");
        row.cells = of.iter().map(|w| format!("{} + {}", w.crossed.hit, w.crossed.wrong)).collect();
    }
    row
}

fn print_cost(of_clips: &OfClips, networks: &[Network], heads: &str) -> Vec<Row> {
    println!("\nCPU-seconds a camera-minute as the box looks, at 5 pictures a second, without decoding");
    println!("{:<50}{heads}", "");
    let mut rows = Vec::new();
    let print = |name: &str, figures: &[f64]| {
        print!("{name:<50}");
        figures.iter().for_each(|figure| print!(" | {figure:>8.2} {:9}", ""));
        println!();
    };
    let mut all = Vec::new();
    for (name, _, of) in of_clips {
        all = of.iter().map(Watched::cpu_a_minute).collect();
        print(name, &all);
    }
    let cells = |figures: &[f64]| figures.iter().map(|figure| format!("{figure:.2}")).collect();
    rows.push(Row { what: "CPU-seconds a camera-minute, all clips".to_owned(), cells: cells(&all) });
    if let Some(reference) = networks.iter().position(|network| network.name.starts_with("yolox_nano")) {
        let parts: Vec<f64> = all.iter().map(|figure| figure / all[reference]).collect();
        print("all, as a part of YOLOX-nano's", &parts);
        rows.push(Row { what: "the same as a part of YOLOX-nano's".to_owned(), cells: cells(&parts) });
    }
    rows
}

fn line(name: &str, of_networks: &[Watched], counts: impl Fn(&Watched) -> [usize; 3]) {
    print!("{name:<44} {:>5}", counts(&of_networks[0])[0]);
    for watched in of_networks {
        let [_, detected, tracked] = counts(watched);
        print!(" | {detected:>8} / {tracked:<7}");
    }
    println!();
}

/// Runs every network over the same frames of a clip, each on a thread of its own. Calls `done` for each.
pub fn watch_all(
    networks: &[Network],
    clip: &Clip,
    frames: &[Frame],
    done: &(dyn Fn() + Sync),
) -> Vec<Watched> {
    std::thread::scope(|scope| {
        let watching: Vec<_> = networks
            .iter()
            .map(|network| {
                scope.spawn(move || {
                    let watched = watch(network, clip, frames);
                    done();
                    watched
                })
            })
            .collect();
        watching.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn watch(network: &Network, clip: &Clip, frames: &[Frame]) -> Watched {
    let rules = clip.lines.iter().enumerate().flat_map(|(at, line)| tripwires(at, line)).collect();
    let mut gated = Gated::new(&network.factory, rules);
    let mut looker = network.looker();
    let (mut watched, mut events) = (Watched::default(), Vec::new());
    let mut keys = clip.keys.iter().peekable();
    for frame in frames {
        let tracks = gated.frame(frame);
        events.extend(gated.take_events());
        watched.seconds = frame.pts.0 as f64 * 1e-9;
        let Some(key) = keys.next_if(|key| watched.seconds + 0.01 >= key.second) else { continue };
        let seen = looker.look(&frame.picture).merged;
        let sure = seen.iter().map(|seen| (seen.label, seen.rect));
        let detected = found(&key.subjects, &sure.collect::<Vec<(Label, Rect)>>());
        let there = tracks.iter().filter(|track| track.confirmed && gated.is_there(track));
        let tracked = found(&key.subjects, &there.map(|track| (track.label, track.rect)).collect::<Vec<_>>());
        let found = key.subjects.iter().zip(detected).zip(tracked);
        watched.subjects.extend(found.map(|((subject, detected), tracked)| Subject {
            label: subject.label,
            detected,
            tracked,
        }));
    }
    watched.cpu = gated.cpu();
    events.extend(gated.close(watched.seconds));
    for (at, line) in clip.lines.iter().enumerate() {
        let Crossed { hit, wrong } = crossed(&line.crossings, &told(&events, at));
        watched.crossed.hit += hit;
        watched.crossed.wrong += wrong;
    }
    watched
}

/// Creates two rules for a line, one for each way. An event holds the crossings of one frame.
fn tripwires(at: usize, line: &Line) -> Vec<RuleSettings> {
    let ways = [(Direction::LeftToRight, Side::Right), (Direction::RightToLeft, Side::Left)];
    ways.into_iter()
        .map(|(direction, side)| {
            let id = rule_id(at, side);
            let wire =
                Tripwire { id: "line".parse().unwrap(), name: id.clone(), from: line.from, to: line.to };
            RuleSettings {
                id: id.parse().unwrap(),
                name: id,
                camera: camera(),
                labels: Default::default(),
                severity: Severity::Warning,
                schedule: Schedule::always(TimeZone::UTC),
                cool_down: Duration::ZERO,
                place: RuleArea::Tripwire(wire),
                ground: None,
                kind: Kind::Tripwire(Params { direction }),
                night: None,
            }
        })
        .collect()
}

fn rule_id(at: usize, side: Side) -> String {
    format!("line{at}-{}", if side == Side::Right { "right" } else { "left" })
}

/// Reported crossings of a line: second and side.
fn told(events: &[Event], line: usize) -> Vec<(f64, Side)> {
    let mut told = Vec::new();
    for side in [Side::Right, Side::Left] {
        let id = rule_id(line, side);
        let closed = events.iter().filter(|e| e.phase == Phase::Closed && e.rule.id.as_str() == id);
        for event in closed {
            let second = since_start(event.opened_at.monotonic);
            told.extend((0..event.count).map(|_| (second, side)));
        }
    }
    told
}

fn since_start(at: Monotonic) -> f64 {
    at.since(stamp(0.0).monotonic).as_secs_f64()
}

/// The frames of a clip after `change`.
pub fn changed(frames: &[Frame], mut change: impl FnMut(usize, &Frame) -> Picture) -> Vec<Frame> {
    let changed = frames.iter().enumerate();
    changed.map(|(at, seen)| frame(seen.pts.0 as f64 * 1e-9, change(at, seen))).collect()
}
