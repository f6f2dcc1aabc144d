//! `tripwire`: a subject crosses a directed line.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, Ending, Finding, Place};
use crate::domain::geometry::{Point, Side, crossing};
use crate::domain::ids::TrackId;
use crate::domain::time::Monotonic;
use crate::domain::track::Track;
use crate::domain::zone::Tripwire;

/// A foot nearer to the line than this part of the subject's box is neither on its left nor on its right: boxes tremble
/// by some hundredths of their size from look to look.
const MARGIN: f32 = 0.1;

/// Numbers of a `tripwire` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Which crossings count.
    pub direction: Direction,
}

/// Which crossings count, looking along the line from its first point to its second.
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

/// Who has crossed.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    ways: BTreeMap<TrackId, Way>,
}

#[derive(Debug, Default)]
struct Way {
    /// The newest path point that was looked at, and the newest of them that was clear of the line.
    examined: Option<Monotonic>,
    from: Option<Point>,
    crossed: bool,
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, ways: BTreeMap::new() }
    }
}

impl Way {
    /// Follows the path on from where it was left; gives the side that a wanted crossing arrived at.
    fn follow(&mut self, track: &Track, line: &Tripwire, direction: Direction) -> Option<Side> {
        let examined = self.examined;
        let margin = MARGIN * track.rect.w.max(track.rect.h);
        let mut found = None;
        for point in track.path.iter().filter(|p| examined.is_none_or(|at| p.at > at)) {
            self.examined = Some(point.at);
            if distance(line, point.foot) <= margin {
                continue;
            }
            let before = self.from.replace(point.foot);
            let arrives = before.and_then(|before| crossing(line.from, line.to, before, point.foot));
            found = arrives.filter(|side| direction.wants(*side)).or(found);
        }
        found
    }
}

impl Condition for Watch {
    fn step(&mut self, _: Monotonic, place: &Place, tracks: &[Track]) -> Vec<Finding> {
        self.ways.retain(|id, _| tracks.iter().any(|track| track.id == *id));
        let Place::Tripwire(line) = place else { return Vec::new() };
        let mut findings = Vec::new();
        // The way of an unconfirmed track is looked at once it is confirmed, from its beginning.
        for (index, track) in tracks.iter().enumerate().filter(|(_, track)| track.confirmed) {
            let way = self.ways.entry(track.id).or_default();
            if let Some(arrives) = way.follow(track, line, self.params.direction)
                && !way.crossed
            {
                way.crossed = true;
                findings.push(Finding { index, why: why(track, line, arrives) });
            }
        }
        findings
    }

    fn forget(&mut self) {
        self.ways.clear();
    }

    fn ending(&self) -> Ending {
        Ending::AfterCoolDown
    }
}

/// Of a point from the line, extended at its ends.
fn distance(line: &Tripwire, point: Point) -> f32 {
    let (dx, dy) = (line.to.x - line.from.x, line.to.y - line.from.y);
    let cross = dx * (point.y - line.from.y) - dy * (point.x - line.from.x);
    cross.abs() / dx.hypot(dy).max(f32::MIN_POSITIVE)
}

fn why(track: &Track, line: &Tripwire, arrives: Side) -> String {
    let way = match arrives {
        Side::Right => "from left to right",
        Side::Left => "from right to left",
    };
    format!("{} (score {:.2}) crossed \"{}\" {way}", track.label, track.score, line.name)
}
