//! Hand-made streets, and the events that the rules open on them: the shared part in `engine`, `schedule` and
//! `walks`, and a file for each kind.

mod camera;
mod crowd;
mod engine;
mod intrusion;
mod left_behind;
mod loitering;
mod red_zone_entry;
mod schedule;
mod speeding_group;
mod stopped_vehicle;
mod taken_away;
mod tripwire;
mod walks;
mod wrong_way;

use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use base::detection::Label;
use base::event::{Event, Phase, Severity};
use base::geometry::{Point, Polygon, Rect};
use base::ids::{Epoch, TrackId};
use base::static_object::StaticObject;
use base::time::{ClockState, Monotonic, Stamp, WallTime};
use base::track::{PathPoint, Track};
use base::zone::{Tripwire, Zone};

/// 2026-05-01 (a Friday), 22:00 in Ho Chi Minh City.
const EVENING_MICROS: i64 = 1_777_647_600_000_000;

fn stamp(seconds: f32) -> Stamp {
    let span = Duration::from_secs_f32(seconds);
    Stamp {
        wall: WallTime::from_micros(EVENING_MICROS) + span,
        monotonic: Monotonic::from_nanos(1_000_000_000) + span,
        clock: ClockState::Synced,
    }
}

fn saigon() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(7))
}

fn rule(kind: Kind, place: RuleArea) -> RuleSettings {
    RuleSettings {
        id: "r".parse().unwrap(),
        name: "Luật".into(),
        camera: "gate".parse().unwrap(),
        labels: Default::default(),
        severity: Severity::Warning,
        schedule: Schedule::always(saigon()),
        cool_down: Duration::from_secs(10),
        place,
        ground: None,
        kind,
        night: None,
    }
}

fn zone(corners: &[[f32; 2]]) -> RuleArea {
    let polygon = Polygon::new(corners.iter().copied().map(Point::from).collect()).unwrap();
    RuleArea::Zone(Zone { id: "yard".parse().unwrap(), name: "Sân".into(), polygon })
}

/// The middle of the picture: 0.2 to 0.8 both ways.
fn middle() -> RuleArea {
    zone(&[[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]])
}

/// The right half of the picture.
fn intrusion() -> RuleSettings {
    let kind = Kind::Intrusion(crate::rules::intrusion::Params { seconds_min: 1.0 });
    rule(kind, zone(&[[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]))
}

/// An upright line in the middle, drawn upwards: left of it is the picture's left.
fn tripwire(direction: crate::rules::tripwire::Direction) -> RuleSettings {
    let (from, to) = (Point::new(0.5, 0.9), Point::new(0.5, 0.1));
    let line = Tripwire { id: "line".parse().unwrap(), name: "Vạch".into(), from, to };
    rule(Kind::Tripwire(crate::rules::tripwire::Params { direction }), RuleArea::Tripwire(line))
}

/// Hand-made tracks, and the rules that judge them.
struct Street {
    rules: RuleSet,
    epoch: Epoch,
    tracks: Vec<Track>,
    static_objects: Vec<StaticObject>,
}

impl Street {
    fn new(settings: RuleSettings) -> Self {
        let rules = RuleSet::new("gate".parse().unwrap(), vec![settings]);
        Self { rules, epoch: Epoch(1), tracks: Vec::new(), static_objects: Vec::new() }
    }

    /// At `seconds`, each named track is seen with its foot at (x, 0.5); the others are not seen.
    fn infer(&mut self, seconds: f32, feet: &[(u64, f32)]) -> Vec<Event> {
        let at = stamp(seconds);
        for (id, x) in feet {
            let index = self.tracks.iter().position(|t| t.id == TrackId(*id)).unwrap_or_else(|| {
                self.tracks.push(track(*id, at.monotonic));
                self.tracks.len() - 1
            });
            let track = &mut self.tracks[index];
            track.last_seen = at.monotonic;
            track.rect = Rect::new(x - 0.02, 0.4, 0.04, 0.1);
            track.path.push(PathPoint { at: at.monotonic, foot: Point::new(*x, 0.5) });
        }
        self.rules.step(&Observation {
            at,
            epoch: self.epoch,
            tracks: &self.tracks,
            static_objects: &self.static_objects,
            view_quality: None,
        })
    }

    /// At `seconds`, a tracker sees exactly these: tracks are confirmed by their third frame or after 0.35 s, and
    /// given up when they were not seen for 2.5 s.
    fn see(&mut self, seconds: f32, seen: &[Seen]) -> Vec<Event> {
        let at = stamp(seconds);
        for Seen { id, label, rect } in seen {
            let index = self.tracks.iter().position(|t| t.id == TrackId(*id)).unwrap_or_else(|| {
                self.tracks.push(Track {
                    confirmed: false,
                    label: *label,
                    rect: *rect,
                    ..track(*id, at.monotonic)
                });
                self.tracks.len() - 1
            });
            let track = &mut self.tracks[index];
            let span = at.monotonic.since(track.last_seen).as_secs_f32();
            if span > 0.0 {
                let (before, now) = (track.rect.centre(), rect.centre());
                track.velocity = Point::new((now.x - before.x) / span, (now.y - before.y) / span);
            }
            track.confirmed |= at.monotonic.since(track.first_seen).as_secs_f32() > 0.35;
            (track.last_seen, track.rect) = (at.monotonic, *rect);
            track.path.push(PathPoint { at: at.monotonic, foot: rect.foot() });
            if track.path.len() > 64 {
                let half = track.path.len() / 2;
                let mut index = 0;
                track.path.retain(|_| (index += 1, index > half || index % 2 == 1).1);
            }
        }
        self.tracks.retain(|track| at.monotonic.since(track.last_seen).as_secs_f32() <= 2.5);
        self.rules.step(&Observation {
            at,
            epoch: self.epoch,
            tracks: &self.tracks,
            static_objects: &self.static_objects,
            view_quality: None,
        })
    }

    /// Plays the sights of `seen`, from `from` until before `to`, with these seconds between frames over and over.
    fn play(&mut self, from: f32, to: f32, gaps: &[f32], seen: impl Fn(f32) -> Vec<Seen>) -> Vec<Event> {
        let (mut now, mut events, mut gaps) = (from, Vec::new(), gaps.iter().cycle());
        while now < to {
            events.extend(self.see(now, &seen(now)));
            now += gaps.next().unwrap();
        }
        events
    }

    /// Plays five frames a second.
    fn walk(&mut self, from: f32, to: f32, feet: impl Fn(f32) -> Vec<(u64, f32)>) -> Vec<Event> {
        let inferences = ((to - from) * 5.0).round() as usize;
        (0..inferences)
            .flat_map(|i| self.infer(from + i as f32 / 5.0, &feet(from + i as f32 / 5.0)))
            .collect()
    }
}

/// Frame rates that every kind must cope with: seconds between frames, over and over.
const RATES: [&[f32]; 3] = [&[0.2], &[1.0], &[0.2, 0.9, 0.35, 1.0, 0.25]];

/// The sight of a subject in one frame.
#[derive(Debug, Clone, Copy)]
struct Seen {
    id: u64,
    label: Label,
    rect: Rect,
}

/// A subject with its foot at (x, y); 0.2 of the picture high on foot, lower and wider on wheels.
fn seen(id: u64, label: Label, x: f32, y: f32) -> Seen {
    let (w, h) = match label {
        Label::Person => (0.045, 0.2),
        Label::TwoWheeler => (0.06, 0.16),
        _ => (0.16, 0.18),
    };
    Seen { id, label, rect: Rect::new(x - w / 2.0, y - h, w, h) }
}

fn person(id: u64, x: f32, y: f32) -> Seen {
    seen(id, Label::Person, x, y)
}

fn bike(id: u64, x: f32, y: f32) -> Seen {
    seen(id, Label::TwoWheeler, x, y)
}

fn car(id: u64, x: f32, y: f32) -> Seen {
    seen(id, Label::Car, x, y)
}

/// A box's trembling: some hundredths of its size, the same at the same time.
fn tremble(seconds: f32, id: u64) -> f32 {
    0.006 * (seconds * 37.0 + id as f32 * 2.3).sin()
}

/// Number of events that a rule opens, at each rate, while `to` seconds are seen.
fn opened(settings: &RuleSettings, to: f32, seen: impl Fn(f32) -> Vec<Seen>) -> [usize; 3] {
    RATES.map(|gaps| {
        let events = Street::new(settings.clone()).play(0.0, to, gaps, &seen);
        events.iter().filter(|event| event.phase == Phase::Opened).count()
    })
}

fn track(id: u64, at: Monotonic) -> Track {
    Track {
        id: TrackId(id),
        label: Label::Person,
        score: 0.8,
        rect: Rect::default(),
        velocity: Point::new(0.0, 0.0),
        confirmed: true,
        first_seen: at,
        last_seen: at,
        path: Vec::new(),
    }
}

fn told(events: &[Event]) -> Vec<(Phase, u32)> {
    events.iter().map(|event| (event.phase, event.count)).collect()
}
