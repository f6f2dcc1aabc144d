//! `stopped_vehicle`: a vehicle stands where none may, and not because all do.


use schemars::JsonSchema;
use serde::Deserialize;

use super::distances;
use super::stationary::{Spot, Stationary};
use super::track_state::{Sighting, TrackStates};
use super::{Condition, Ending, Finding, Needs, Notes, RuleInput};
use super::thresholds::stopped_vehicle::*;
use base::detection::Label;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::Track;

/// Numbers of a `stopped_vehicle` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Minimum time for which a vehicle has stood, in seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub seconds_min: f32,
    /// While at least so many other vehicles in the zone or around it stand too, there is a traffic jam, and the rule
    /// waits.
    #[schemars(range(min = 1, max = 100))]
    pub jam_vehicles_min: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 60.0, jam_vehicles_min: 3 }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs::zone(&[Label::Car, Label::LargeVehicle])
    }
}

/// The place of each standing subject.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    stands: TrackStates<Stop>,
    /// Latest time at which a subject stood in a jam: where that dissolves, a vehicle that stood then may be the last
    /// to drive on.
    jammed_at: Option<Monotonic>,
}

#[derive(Debug, Default)]
struct Stop {
    stand: Stationary,
    /// It was reported as stopped: a jam that forms around it later changes nothing.
    told: bool,
}

fn succeeds(stop: &Stop, lost: &Sighting, newcomer: &Sighting) -> bool {
    stop.stand.seconds() >= JAM_SECONDS
        && newcomer.seconds_after(lost) <= HEIR_SECONDS
        && newcomer.lengths_from(lost) <= HEIR_LENGTHS
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, stands: TrackStates::with_heirs(succeeds), jammed_at: None }
    }

    /// Number of other vehicles that stand as if in a jam with `track`, which stands at `spot`.
    fn others(&self, view: &RuleInput, track: &Track, spot: &Spot) -> u32 {
        let length = distances::length(&track.rect);
        let jam = view.tracks.iter().filter(|other| {
            let stop = self.stands.get(other.id);
            let Some(there) = stop.and_then(|stop| stop.stand.spot()) else { return false };
            let is_vehicle =
                matches!(other.label, Label::TwoWheeler | Label::Car | Label::LargeVehicle | Label::Moving);
            other.id != track.id
                && is_vehicle
                && other.confirmed
                && there.seconds() >= JAM_SECONDS
                && distances::seconds(spot.since.since(there.since)) <= JAM_SECONDS_EARLIER_MAX
                && (view.place.contains(there.foot)
                    || distances::apart(there.foot, spot.foot) <= AROUND_LENGTHS * length)
        });
        jam.count() as u32
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        self.stands.begin(view.at, view.tracks);
        for track in view.tracks {
            let length = distances::length(&track.rect);
            let (stop, points) = self.stands.follow(track);
            for point in points {
                if stop.stand.examine(point, length).is_some() {
                    stop.told = false;
                }
            }
        }
        let Params { seconds_min, jam_vehicles_min } = self.params;
        let mut findings = Vec::new();
        for (index, track) in view.tracks.iter().enumerate() {
            let Some(stop) = self.stands.get(track.id) else { continue };
            let Some(spot) = stop.stand.spot().filter(|spot| view.place.contains(spot.foot)).copied() else {
                continue;
            };
            let seconds = spot.seconds();
            let numbers =
                || format!("stands {} for {seconds:.0} s ({seconds_min:.0} s needed)", view.place.phrase());
            if !distances::is_enough(seconds, seconds_min) {
                if seconds >= JAM_SECONDS && view.wants(track) {
                    notes.say(track, numbers);
                }
                continue;
            }
            let others = if stop.told { 0 } else { self.others(view, track, &spot) };
            if others >= jam_vehicles_min {
                self.jammed_at = Some(view.at);
                notes.say(track, || {
                    format!(
                        "{}, in a jam: {others} others stand too ({jam_vehicles_min} make a jam)",
                        numbers()
                    )
                });
                continue;
            }
            let since_jam = self
                .jammed_at
                .filter(|at: &Monotonic| !stop.told && spot.since <= *at)
                .map(|at| distances::seconds(view.at.since(at)));
            if let Some(seconds) = since_jam.filter(|seconds| !distances::is_enough(*seconds, seconds_min)) {
                notes.say(track, || format!("{}, in a jam {seconds:.0} s ago", numbers()));
                continue;
            }
            let finding = view.finding(index, notes, || {
                let reason = Reason::new(Code::Stopped).at(view.place.name());
                (format!("{} {}", track.label, numbers()), reason.for_seconds(seconds, seconds_min))
            });
            if let Some(stop) = self.stands.get_mut(track.id).filter(|_| finding.is_some()) {
                stop.told = true;
            }
            findings.extend(finding);
        }
        findings
    }

    fn forget(&mut self) {
        self.stands.forget();
        self.jammed_at = None;
    }

    fn ending(&self) -> Ending {
        Ending::AfterQuiet(QUIET)
    }
}
