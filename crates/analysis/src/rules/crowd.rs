//! `crowd`: many subjects at once in a zone.


use schemars::JsonSchema;
use serde::Deserialize;

use super::distances;
use super::track_state::TrackStates;
use super::{AreaNeed, Condition, Ending, Finding, Needs, Notes, RuleArea, RuleInput};
use super::thresholds::crowd::*;
use base::detection::Label;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::Track;

/// Numbers of a `crowd` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Minimum number of persons.
    #[schemars(range(min = 2, max = 100))]
    pub count_min: u32,
    /// For how long, in seconds.
    #[schemars(range(min = 0, max = 3600))]
    pub seconds_min: f32,
    /// Minimum number of persons on 100 square metres of the zone, beside that. Needs the camera's ground.
    #[schemars(range(min = 0, max = 1000))]
    pub per_100_square_metres_min: Option<f32>,
}

impl Default for Params {
    fn default() -> Self {
        Self { count_min: 8, seconds_min: 10.0, per_100_square_metres_min: None }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        let needs = Needs::anywhere(&[Label::Person]);
        match self.per_100_square_metres_min {
            Some(_) => Needs {
                place: AreaNeed::Zone,
                ground: Some("per_100_square_metres_min is counted by it"),
                ..needs
            },
            None => needs,
        }
    }
}

/// Tracks in the zone, and the time for which there have been enough of them.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    inside: TrackStates<Option<Monotonic>>,
    gathering: Option<Gathering>,
}

#[derive(Debug)]
struct Gathering {
    since: Monotonic,
    /// Latest time with about enough subjects.
    kept_at: Monotonic,
    /// Time with enough of them.
    full_seconds: f32,
    stepped_at: Monotonic,
    /// It has been a crowd already.
    told: bool,
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, inside: TrackStates::new(), gathering: None }
    }

    /// Indices of the tracks that count.
    fn counted(&mut self, view: &RuleInput) -> Vec<usize> {
        self.inside.begin(view.at, view.tracks);
        let mut counted = Vec::new();
        for (index, track) in view.tracks.iter().enumerate() {
            let (inside, points) = self.inside.follow(track);
            for point in points {
                *inside = view.place.contains(point.foot).then_some(point.at);
            }
            let seen = inside.is_some_and(|at| distances::seconds(view.at.since(at)) <= SEEN_SECONDS);
            if seen && track.confirmed && view.wants(track) {
                counted.push(index);
            }
        }
        counted
    }

    /// The zone's area on the ground in 100 square metres, if the rule asks for density; 0 where the area is unknown.
    fn hundreds(&self, view: &RuleInput) -> Option<f32> {
        self.params.per_100_square_metres_min?;
        let area = match (view.ground, view.place) {
            (Some(ground), RuleArea::Zone(zone)) => ground.square_metres(&zone.polygon),
            _ => None,
        };
        Some(area.unwrap_or(0.0) / 100.0)
    }

    /// The needed count, with the density that is asked for.
    fn needed(&self, hundreds: Option<f32>) -> f32 {
        let by_density = match (self.params.per_100_square_metres_min, hundreds) {
            (Some(density), Some(hundreds)) if hundreds > 0.0 => density * hundreds,
            (Some(_), _) => f32::INFINITY,
            (None, _) => 0.0,
        };
        by_density.max(self.params.count_min as f32)
    }

    fn reason(&self, view: &RuleInput, count: f32, seconds: f32, hundreds: Option<f32>) -> Reason {
        let Params { count_min, seconds_min, per_100_square_metres_min } = self.params;
        let reason = Reason::new(Code::Crowd)
            .at(view.place.name())
            .for_seconds(seconds, seconds_min)
            .with("count", count)
            .with("count_needed", count_min as f32);
        match (per_100_square_metres_min, hundreds.filter(|hundreds| *hundreds > 0.0)) {
            (Some(least), Some(hundreds)) => {
                reason.with("density", count / hundreds).with("density_needed", least)
            }
            _ => reason,
        }
    }

    /// Adds a count. Returns the time for which there has been a crowd, if there is one.
    fn gather(&mut self, at: Monotonic, count: f32, needed: f32) -> Option<f32> {
        if count >= needed && self.gathering.is_none() {
            self.gathering =
                Some(Gathering { since: at, kept_at: at, full_seconds: 0.0, stepped_at: at, told: false });
        }
        let gathering = self.gathering.as_mut()?;
        let step = distances::seconds(at.since(gathering.stepped_at));
        gathering.stepped_at = at;
        if count >= needed {
            gathering.full_seconds += step;
        }
        if count >= (needed * KEPT_PART).max(1.0) {
            gathering.kept_at = at;
        } else if distances::seconds(at.since(gathering.kept_at)) > LESS_SECONDS {
            self.gathering = None;
            return None;
        }
        let seconds = distances::seconds(at.since(gathering.since));
        let is_full = gathering.full_seconds >= FULL_PART * seconds && count >= needed;
        if !gathering.told && !is_full && seconds > 2.0 * self.params.seconds_min.max(1.0) {
            // There were never enough for long: it begins anew when there are enough again.
            self.gathering = None;
            return None;
        }
        gathering.told |= is_full && distances::is_enough(seconds, self.params.seconds_min);
        gathering.told.then_some(seconds)
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        let counted = self.counted(view);
        let hundreds = self.hundreds(view);
        let (count, needed) = (counted.len(), self.needed(hundreds));
        let crowd = self.gather(view.at, count as f32, needed);
        let seconds = self
            .gathering
            .as_ref()
            .map_or(0.0, |gathering| distances::seconds(view.at.since(gathering.since)));
        let numbers = || {
            let Params { count_min, seconds_min, per_100_square_metres_min } = self.params;
            let who = plural(counted.iter().map(|index| &view.tracks[*index]));
            let density = match (per_100_square_metres_min, hundreds) {
                (Some(least), Some(hundreds)) => {
                    let density = if hundreds > 0.0 { count as f32 / hundreds } else { 0.0 };
                    format!(", {density:.1} on 100 square metres ({least:.1} needed)")
                }
                _ => String::new(),
            };
            let place = view.place.phrase();
            format!(
                "{count} {who} {place} for {seconds:.0} s ({count_min} for {seconds_min:.0} s needed){density}"
            )
        };
        if crowd.is_some() && count > 0 {
            let reason = self.reason(view, count as f32, seconds, hundreds);
            return vec![Finding { why: numbers(), reason, subjects: counted, gone: Vec::new() }];
        }
        if count > 0 {
            notes.say_of_all(numbers);
        }
        Vec::new()
    }

    fn forget(&mut self) {
        self.inside.forget();
        self.gathering = None;
    }

    fn ending(&self) -> Ending {
        Ending::AfterQuiet(QUIET)
    }

    fn tells_of_each(&self) -> bool {
        false
    }
}

/// The plural noun for several tracks, for a person.
pub(super) fn plural<'t>(tracks: impl Iterator<Item = &'t Track>) -> &'static str {
    let mut labels: Vec<Label> = tracks.map(|track| track.label).collect();
    labels.sort_unstable();
    labels.dedup();
    match labels.as_slice() {
        [Label::Person] => "persons",
        [Label::TwoWheeler] => "two-wheelers",
        [Label::Car] => "cars",
        [Label::LargeVehicle] => "large vehicles",
        [Label::TwoWheeler | Label::Car | Label::LargeVehicle, ..] => "vehicles",
        _ => "subjects",
    }
}
