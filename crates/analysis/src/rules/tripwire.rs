//! `tripwire`: a subject crosses a directed line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::track_state::TrackStates;
use super::{AreaNeed, Condition, Ending, Finding, Needs, Notes, RuleArea, RuleInput};
use super::thresholds::tripwire::*;
use base::geometry::{Point, Side, crossing};
use base::reason::{Code, Reason};
use base::track::{PathPoint, Track};
use base::zone::Tripwire;

/// Numbers of a `tripwire` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Crossings that count.
    pub direction: Direction,
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs { place: AreaNeed::Tripwire, ..Needs::ANYWHERE }
    }
}

/// Crossings that count, looking along the line from its first point to its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both.
    #[default]
    Both,
    /// From the line's left to its right.
    LeftToRight,
    /// From the line's right to its left.
    RightToLeft,
}

impl Direction {
    fn wants(self, arrives: Side) -> bool {
        match self {
            Self::Both => true,
            Self::LeftToRight => arrives == Side::Right,
            Self::RightToLeft => arrives == Side::Left,
        }
    }
}

/// The ways of all tracks.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    ways: TrackStates<Way>,
}

#[derive(Debug, Default)]
struct Way {
    /// The newest path point that was clear of the line.
    from: Option<Point>,
    /// The way near the line, while there is no such point.
    start: Option<Start>,
    /// The side at which the first wanted crossing arrived.
    crossed: Option<Side>,
    /// The crossing was reported.
    told: bool,
}

/// The way of a subject that has only been seen near the line so far.
#[derive(Debug, Clone, Copy)]
struct Start {
    first: Point,
    last: Point,
    /// The longest step across the line.
    step: f32,
}

impl Start {
    /// Returns the point from which the subject came, with the foot at `now`. If it came over the line, that is its
    /// way so far, extended backwards by a half. If it has kept to one side, it is `Some(None)`. `None` if it is too
    /// early to say.
    fn came_from(&self, now: Point, margin: f32, line: &Tripwire) -> Option<Option<Point>> {
        let away = distance(line, now);
        let came = -across(line, self.first) * across(line, now).signum();
        let is_way = (-FIRST_BEYOND * margin..=margin).contains(&came);
        let is_gone = away >= ARRIVED_MARGINS * margin && self.step <= STEP_MAX * (came + away);
        if is_way && !is_gone {
            return None;
        }
        let back = |first: f32, now: f32| first + (first - now) / 2.0;
        Some(is_way.then(|| Point::new(back(self.first.x, now.x), back(self.first.y, now.y))))
    }
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, ways: TrackStates::new() }
    }
}

impl Way {
    fn follow(&mut self, point: &PathPoint, margin: f32, line: &Tripwire, direction: Direction) {
        if self.from.is_none() {
            let new = Start { first: point.foot, last: point.foot, step: 0.0 };
            let start = self.start.get_or_insert(new);
            let last = std::mem::replace(&mut start.last, point.foot);
            start.step = start.step.max((across(line, point.foot) - across(line, last)).abs());
            match start.came_from(point.foot, margin, line) {
                None => return,
                Some(from) => self.from = from,
            }
        }
        if distance(line, point.foot) <= margin {
            return;
        }
        let before = self.from.replace(point.foot);
        let arrives = before.and_then(|before| crossing(line.from, line.to, before, point.foot));
        self.crossed = self.crossed.or(arrives.filter(|side| direction.wants(*side)));
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        self.ways.begin(view.at, view.tracks);
        let RuleArea::Tripwire(line) = view.place else { return Vec::new() };
        let mut findings = Vec::new();
        for (index, track) in view.tracks.iter().enumerate() {
            let (way, points) = self.ways.follow(track);
            let margin = MARGIN * track.rect.w.max(track.rect.h);
            for point in points {
                way.follow(point, margin, line, self.params.direction);
            }
            // A crossing before the confirmation is reported with it.
            let Some(arrives) = way.crossed.filter(|_| !way.told) else { continue };
            let finding = view.finding(index, notes, || why(track, line, arrives));
            way.told = finding.is_some() || track.confirmed;
            findings.extend(finding);
        }
        findings
    }

    fn forget(&mut self) {
        self.ways.forget();
    }

    fn ending(&self) -> Ending {
        Ending::AfterCoolDown
    }
}

/// Distance of a point from the line, extended at its ends.
fn distance(line: &Tripwire, point: Point) -> f32 {
    across(line, point).abs()
}

/// Signed distance of a point from the line, negative on one side.
fn across(line: &Tripwire, point: Point) -> f32 {
    let (dx, dy) = (line.to.x - line.from.x, line.to.y - line.from.y);
    let cross = dx * (point.y - line.from.y) - dy * (point.x - line.from.x);
    cross / dx.hypot(dy).max(f32::MIN_POSITIVE)
}

fn why(track: &Track, line: &Tripwire, arrives: Side) -> (String, Reason) {
    let (way, code) = match arrives {
        Side::Right => ("from left to right", Code::CrossedToRight),
        Side::Left => ("from right to left", Code::CrossedToLeft),
    };
    let why = format!("{} (score {:.2}) crossed \"{}\" {way}", track.label, track.score, line.name);
    (why, Reason::new(code).at(Some(&line.name)).with("score", track.score))
}
