//! `left_behind`: a subject came, and has stood for a while with no person near it: a two-wheeler, or a thing that no
//! network has a class for (a bag, a carton), which is a subject of label `moving`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::abandoned_object::{AbandonedObjects, Origin};
use super::distances::{self, Gait};
use super::stationary::Stationary;
use super::track_state::{Sighting, TrackStates};
use super::{Condition, Ending, Finding, Needs, Notes, RuleInput};
use super::thresholds::left_behind::*;
use base::detection::Label;
use base::geometry::Point;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::{PathPoint, Track};

/// Numbers of a `left_behind` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Minimum time for which it has stood with nobody near it, in seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub seconds_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 120.0 }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs::anywhere(&[Label::TwoWheeler, Label::Moving])
    }
}

/// The place of each subject, its coming if seen, and its time alone.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    things: TrackStates<WaitingSubject>,
    abandoned_objects: AbandonedObjects,
    stepped_at: Option<Monotonic>,
}

#[derive(Debug, Default)]
struct WaitingSubject {
    gait: Gait,
    stand: Stationary,
    /// Place where it stands or stood last, to within its length; at first the place of its first sight.
    home: Option<Point>,
    has_come: bool,
    alone_seconds: f32,
    near_since: Option<Monotonic>,
    told: bool,
}

impl WaitingSubject {
    fn examine(&mut self, point: &PathPoint, length: f32) {
        let leapt = self.gait.leaps_to(point, length);
        self.stand.examine(point, length);
        let home = *self.home.get_or_insert(point.foot);
        let foot = self.stand.spot().map_or(point.foot, |spot| spot.foot);
        if leapt || distances::apart(home, foot) >= LENGTHS_MOVED * length {
            // An identity that goes over to another subject has not been seen to come.
            (self.home, self.has_come) = (Some(foot), !leapt);
            (self.alone_seconds, self.near_since, self.told) = (0.0, None, false);
        }
    }

    /// Adds the time of one frame, in company or alone.
    fn wait(&mut self, at: Monotonic, step: f32, has_company: bool) {
        let stands = self.stand.spot().is_some_and(|spot| {
            spot.latest > spot.since && distances::seconds(at.since(spot.latest)) <= STEP_SECONDS_MAX
        });
        if has_company {
            let since = *self.near_since.get_or_insert(at);
            if distances::seconds(at.since(since)) >= PASSING_SECONDS {
                self.alone_seconds = 0.0;
            }
        } else {
            self.near_since = None;
            self.alone_seconds += if stands { step } else { 0.0 };
        }
    }
}

fn succeeds(thing: &WaitingSubject, lost: &Sighting, newcomer: &Sighting) -> bool {
    let (seconds, lengths) = (newcomer.seconds_after(lost), newcomer.lengths_from(lost));
    if thing.stand.seconds() >= MOVING_SECONDS {
        return seconds <= HEIR_SECONDS_STANDING && lengths <= HEIR_LENGTHS_STANDING;
    }
    let on_its_way = (lost.pace * seconds).min(2.0 * HEIR_LENGTHS_MOVING);
    seconds <= HEIR_SECONDS_MOVING && lengths <= HEIR_LENGTHS_MOVING + on_its_way
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self {
            params,
            things: TrackStates::with_heirs(succeeds),
            abandoned_objects: AbandonedObjects::default(),
            stepped_at: None,
        }
    }

    /// Returns true if the track may be company: on foot, or riding; and seen lately.
    fn is_somebody(&self, at: Monotonic, other: &Track) -> bool {
        let is_somebody = match other.label {
            Label::Person => true,
            Label::TwoWheeler | Label::Moving => {
                let stand = self.things.get(other.id).map(|other| other.stand.seconds());
                stand.is_none_or(|seconds| seconds < MOVING_SECONDS)
            }
            Label::Car | Label::LargeVehicle => false,
        };
        is_somebody && distances::seconds(at.since(other.last_seen)) <= SEEN_SECONDS
    }

    /// Returns true if a possible company is within the subject's length of it.
    fn has_company(&self, view: &RuleInput, thing: &Track, foot: Point) -> bool {
        let length = distances::length(&thing.rect);
        view.tracks.iter().any(|other| {
            other.id != thing.id
                && self.is_somebody(view.at, other)
                && distances::apart(other.rect.foot(), foot) <= length
        })
    }

    /// Returns the findings about objects that belong to no track.
    fn step_things(&mut self, view: &RuleInput, step: f32, notes: &mut Notes) -> Vec<Finding> {
        if !view.labels.is_empty() && !view.labels.contains(&Label::Moving) {
            return Vec::new();
        }
        let mut abandoned_objects = std::mem::take(&mut self.abandoned_objects);
        abandoned_objects.update(view, step, |track| self.is_somebody(view.at, track));
        let seconds_min = self.params.seconds_min;
        let mut findings = Vec::new();
        for thing in abandoned_objects.things().filter(|thing| view.place.contains(thing.foot())) {
            let seconds = thing.alone_seconds();
            let is_alone = thing.is_in_view(view) && !thing.has_somebody_near();
            if thing.told || !is_alone || seconds < 1.0 {
                continue;
            }
            let track = thing.as_track();
            let numbers =
                || format!("alone {} for {seconds:.0} s ({seconds_min:.0} s needed)", view.place.phrase());
            match thing.origin() {
                Origin::Nobodys => {
                    notes.say(&track, || format!("{}, but nobody was there when it came", numbers()))
                }
                Origin::Ghost => {
                    notes.say(&track, || format!("{}, but it is what something parked has left", numbers()));
                }
                Origin::Attended => {
                    notes.say(&track, || format!("{}, but nobody was seen to leave it", numbers()));
                }
                Origin::Left if !distances::is_enough(seconds, seconds_min) => notes.say(&track, numbers),
                Origin::Left => {
                    thing.told = true;
                    let why = format!("something was put down and left {}", numbers());
                    let reason = Reason::new(Code::ThingLeft).at(view.place.name());
                    let reason = reason.for_seconds(seconds, seconds_min);
                    findings.push(Finding { subjects: Vec::new(), gone: vec![track], why, reason });
                }
            }
        }
        self.abandoned_objects = abandoned_objects;
        findings
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        let step =
            self.stepped_at.replace(view.at).map_or(0.0, |before| distances::seconds(view.at.since(before)));
        let step = step.min(STEP_SECONDS_MAX);
        self.things.begin(view.at, view.tracks);
        for track in view.tracks {
            let length = distances::length(&track.rect);
            let (thing, points) = self.things.follow(track);
            points.iter().for_each(|point| thing.examine(point, length));
        }
        let seconds_min = self.params.seconds_min;
        let mut findings = self.step_things(view, step, notes);
        for (index, track) in view.tracks.iter().enumerate().filter(|(_, track)| view.wants(track)) {
            let foot = self.things.get(track.id).and_then(|thing| thing.stand.spot()).map(|spot| spot.foot);
            let Some(foot) = foot.filter(|foot| view.place.contains(*foot)) else { continue };
            let has_company = self.has_company(view, track, foot);
            let Some(thing) = self.things.get_mut(track.id) else { continue };
            thing.wait(view.at, step, has_company);
            let seconds = thing.alone_seconds;
            let numbers =
                || format!("alone {} for {seconds:.0} s ({seconds_min:.0} s needed)", view.place.phrase());
            if thing.told || seconds < 1.0 {
                continue;
            }
            if !thing.has_come {
                notes.say(track, || format!("{}, but it was not seen to come", numbers()));
            } else if !distances::is_enough(seconds, seconds_min) {
                notes.say(track, numbers);
            } else {
                let finding = view.finding(index, notes, || {
                    let reason = Reason::new(Code::LeftAlone).at(view.place.name());
                    let reason = reason.for_seconds(seconds, seconds_min);
                    (format!("{} was left {}", track.label, numbers()), reason)
                });
                thing.told = finding.is_some();
                findings.extend(finding);
            }
        }
        findings
    }

    fn forget(&mut self) {
        self.things.forget();
        self.abandoned_objects.forget();
        self.stepped_at = None;
    }

    fn ending(&self) -> Ending {
        Ending::AfterCoolDown
    }
}
