//! `red_zone_entry`: a subject comes into a forbidden zone: a bus lane, a pavement, a lawn.

use schemars::JsonSchema;
use serde::Deserialize;

use super::distances::{self, Gait};
use super::track_state::TrackStates;
use super::{AreaNeed, Condition, Ending, Finding, Needs, Notes, RuleInput};
use super::thresholds::red_zone_entry::*;
use base::geometry::Point;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::PathPoint;

/// Numbers of a `red_zone_entry` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// A subject that came into view inside of the zone, and moves, counts after so many seconds. One that is seen to cross
    /// its edge counts at once.
    #[schemars(range(min = 0, max = 3600))]
    pub seconds_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 0.6 }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs { place: AreaNeed::Zone, ..Needs::ANYWHERE }
    }
}

/// State of the tracks outside and inside of the zone.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    entries: TrackStates<Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    gait: Gait,
    /// The place of its first sight.
    first: Option<Point>,
    /// It has moved from there.
    has_moved: bool,
    was_outside: bool,
    inside: Option<(Monotonic, Monotonic)>,
    told: bool,
}

impl Entry {
    /// Adds a point. `depth` is its depth in the zone, in own lengths.
    fn examine(&mut self, point: &PathPoint, depth: f32, length: f32) {
        if self.gait.leaps_to(point, length) {
            *self = Self { gait: self.gait, told: self.told, ..Self::default() };
        }
        let first = *self.first.get_or_insert(point.foot);
        self.has_moved |= distances::apart(first, point.foot) >= LENGTHS_MOVED * length;
        if depth <= -MARGIN {
            (self.was_outside, self.inside) = (true, None);
        } else if depth >= MARGIN {
            let (since, _) = self.inside.unwrap_or((point.at, point.at));
            self.inside = Some((since, point.at));
        }
    }
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, entries: TrackStates::new() }
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        self.entries.begin(view.at, view.tracks);
        let mut findings = Vec::new();
        for (index, track) in view.tracks.iter().enumerate() {
            let length = distances::length(&track.rect);
            let (entry, points) = self.entries.follow(track);
            for point in points {
                // A track that is not confirmed yet may come and go: its first entry counts.
                if !(entry.was_outside && entry.inside.is_some()) {
                    entry.examine(point, distances::depth(view.place, point.foot) / length, length);
                }
            }
            let Some((since, latest)) = entry.inside.filter(|_| !entry.told) else { continue };
            let (seconds, place) = (distances::seconds(latest.since(since)), view.place.phrase());
            let why = if entry.was_outside {
                let why = format!("{} came into the zone: it was outside, and is now {place}", track.label);
                (why, Reason::new(Code::EnteredZone).at(view.place.name()))
            } else if !entry.has_moved {
                notes.say(track, || format!("came into view {place}, and has not moved"));
                continue;
            } else if !distances::is_enough(seconds, self.params.seconds_min) {
                let needed = self.params.seconds_min;
                notes.say(track, || {
                    format!("came into view {place} {seconds:.1} s ago ({needed:.1} s needed)")
                });
                continue;
            } else {
                let needed = self.params.seconds_min;
                let why = format!(
                    "{} came into view {place} and moves there, {seconds:.1} s by now ({needed:.1} s needed)",
                    track.label
                );
                let reason = Reason::new(Code::AppearedInZone).at(view.place.name());
                (why, reason.for_seconds(seconds, needed))
            };
            let finding = view.finding(index, notes, || why);
            entry.told = finding.is_some() || track.confirmed;
            findings.extend(finding);
        }
        findings
    }

    fn forget(&mut self) {
        self.entries.forget();
    }

    fn ending(&self) -> Ending {
        Ending::AfterCoolDown
    }
}
