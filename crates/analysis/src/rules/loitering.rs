//! `loitering`: a person hangs about in a zone, or beside parked two-wheelers.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::distances;
use super::stationary::Stationary;
use super::track_state::{Sighting, TrackStates};
use super::{Condition, Ending, Finding, Needs, Notes, RuleInput};
use super::thresholds::loitering::*;
use base::detection::Label;
use base::geometry::{Point, Rect};
use base::ids::TrackId;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::{PathPoint, Track};

/// Numbers of a `loitering` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Minimum time for which somebody has been there, in seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub seconds_min: f32,
    /// A person who is away for not more than so many seconds has not left: the time before counts on.
    #[schemars(range(min = 0, max = 3600))]
    pub away_seconds_max: f32,
    /// Only time within a two-wheeler's length of a parked two-wheeler counts.
    pub beside_parked: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 60.0, away_seconds_max: 10.0, beside_parked: false }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs::anywhere(&[Label::Person])
    }
}

/// Time that each subject has been there, and the parked two-wheelers.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    dwells: TrackStates<Dwell>,
    stands: TrackStates<Stationary>,
    parked: BTreeMap<TrackId, Parked>,
}

#[derive(Debug, Default)]
struct Dwell {
    seconds: f32,
    /// Time of the latest point of its path, and if time there counted.
    last: Option<(Monotonic, bool)>,
    /// Latest time in a place where time counts.
    there_at: Option<Monotonic>,
    /// Place of its first sight.
    began: Option<Point>,
    has_moved: bool,
}

#[derive(Debug)]
struct Parked {
    rect: Rect,
    foot: Point,
    length: f32,
    seen_at: Monotonic,
}

impl Dwell {
    fn moves_to(&mut self, foot: Point, length: f32) {
        let began = *self.began.get_or_insert(foot);
        self.has_moved |= distances::apart(began, foot) >= LENGTHS_MOVED * length;
    }

    fn examine(&mut self, point: &PathPoint, counts: bool, away_seconds_max: f32) {
        let before = self.last.replace((point.at, counts));
        let away = |at: Monotonic| distances::seconds(point.at.since(at));
        if self.there_at.is_some_and(|at| away(at) > away_seconds_max) {
            (self.seconds, self.there_at) = (0.0, None);
        } else if let Some((at, true)) = before
            && counts
        {
            self.seconds += away(at);
        }
        if counts {
            self.there_at = Some(point.at);
        }
    }
}

/// Decides that a new track is a lost one: it stood or nearly stood when it was lost, and was found again beside that
/// place, or later in it.
fn succeeds(_: &Dwell, lost: &Sighting, newcomer: &Sighting) -> bool {
    let (seconds, lengths) = (newcomer.seconds_after(lost), newcomer.lengths_from(lost));
    let is_found_within = |seconds_max, lengths_max| seconds <= seconds_max && lengths <= lengths_max;
    lost.pace <= HEIR_PACE
        && (is_found_within(HEIR_SECONDS, HEIR_LENGTHS) || is_found_within(RISEN_SECONDS, RISEN_LENGTHS))
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        let (dwells, stands) = (TrackStates::with_heirs(succeeds), TrackStates::new());
        Self { params, dwells, stands, parked: BTreeMap::new() }
    }

    /// Updates the parked two-wheelers.
    fn see_parked(&mut self, view: &RuleInput) {
        self.stands.begin(view.at, view.tracks);
        for track in view.tracks.iter().filter(|track| track.label == Label::TwoWheeler) {
            let length = distances::length(&track.rect);
            let (stand, points) = self.stands.follow(track);
            for point in points {
                stand.examine(point, length);
            }
            match stand.spot().filter(|spot| spot.seconds() >= PARKED_SECONDS && track.confirmed) {
                Some(spot) => {
                    self.parked.insert(
                        track.id,
                        Parked { rect: track.rect, foot: spot.foot, length, seen_at: spot.latest },
                    );
                }
                None => drop(self.parked.remove(&track.id)),
            }
        }
        self.parked.retain(|_, parked| distances::seconds(view.at.since(parked.seen_at)) <= HIDDEN_SECONDS);
    }

    /// Returns true if the track may be no more than a part of a parked two-wheeler.
    fn is_part(parked: &BTreeMap<TrackId, Parked>, track: &Track) -> bool {
        let part = PART * track.rect.area();
        parked.iter().any(|(id, parked)| *id != track.id && parked.rect.intersection(&track.rect) >= part)
    }

    fn is_beside_parked(parked: &BTreeMap<TrackId, Parked>, foot: Point) -> bool {
        parked.values().any(|parked| distances::apart(parked.foot, foot) <= parked.length)
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        self.see_parked(view);
        self.dwells.begin(view.at, view.tracks);
        let Params { seconds_min, away_seconds_max, beside_parked } = self.params;
        let mut findings = Vec::new();
        for (index, track) in view.tracks.iter().enumerate() {
            let (dwell, points) = self.dwells.follow(track);
            let is_part = Self::is_part(&self.parked, track);
            for point in points {
                dwell.moves_to(point.foot, distances::length(&track.rect));
                let counts = (dwell.has_moved || !is_part)
                    && view.place.contains(point.foot)
                    && (!beside_parked || Self::is_beside_parked(&self.parked, point.foot));
                dwell.examine(point, counts, away_seconds_max);
            }
            if !dwell
                .there_at
                .is_some_and(|at: Monotonic| distances::seconds(view.at.since(at)) <= SEEN_SECONDS)
            {
                continue;
            }
            let (seconds, place) = (dwell.seconds, view.place.phrase());
            let beside = if beside_parked { " beside a parked two-wheeler" } else { "" };
            let numbers = || format!("{place}{beside} for {seconds:.0} s ({seconds_min:.0} s needed)");
            if distances::is_enough(seconds, seconds_min) {
                let code = if beside_parked { Code::LoiteringBesideParked } else { Code::Loitering };
                findings.extend(view.finding(index, notes, || {
                    let reason = Reason::new(code).at(view.place.name());
                    (format!("{} {}", track.label, numbers()), reason.for_seconds(seconds, seconds_min))
                }));
            } else if view.wants(track) {
                notes.say(track, numbers);
            }
        }
        findings
    }

    fn forget(&mut self) {
        self.dwells.forget();
        self.stands.forget();
        self.parked.clear();
    }

    fn ending(&self) -> Ending {
        Ending::AfterQuiet(Duration::from_secs_f32(self.params.away_seconds_max.max(3.0)))
    }
}
