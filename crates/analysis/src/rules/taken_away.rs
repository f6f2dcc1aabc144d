//! `taken_away`: a subject that had stood for a while leaves.
//!
//! A parked vehicle is hidden again and again, and the subject that hides it may take over its track. So a leaving is
//! reported only after its place has been in view for a while with nothing standing there any more.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Deserialize;

use super::distances::{self, Gait};
use super::stationary::{Spot, Stationary};
use super::track_state::{TrackStates, is_like};
use super::{Condition, Ending, Finding, Needs, Notes, RuleInput};
use super::thresholds::taken_away::*;
use base::detection::Label;
use base::geometry::{Point, Rect};
use base::ids::TrackId;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::{PathPoint, Track};

/// Numbers of a `taken_away` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Minimum time for which it has stood before, in seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub stood_seconds_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { stood_seconds_min: 60.0 }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs::anywhere(&[Label::TwoWheeler])
    }
}

/// Standing subjects, leaving ones, and those that have left but for the proof.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    things: TrackStates<ParkedSubject>,
    pending: VecDeque<Leaving>,
    starters: VecDeque<Starter>,
    /// Subjects that stood when their tracks were lost, a while ago.
    lost: VecDeque<Stood>,
}

#[derive(Debug, Default)]
struct ParkedSubject {
    gait: Gait,
    stand: Stationary,
    /// As of the latest frame on which it was in its place, once it has stood for long enough.
    stood: Option<Stood>,
    leaving: Option<(Spot, Monotonic)>,
    /// The point at which its track began; `None` once it was a starter, or cannot be one.
    begun: Option<PathPoint>,
    is_known: bool,
}

/// A standing subject.
#[derive(Debug, Clone, Copy)]
struct Stood {
    id: TrackId,
    label: Label,
    spot: Spot,
    /// Its box there.
    rect: Rect,
}

/// A subject that is away from the place where it had stood.
#[derive(Debug)]
struct Leaving {
    spot: Spot,
    /// Its box there.
    rect: Rect,
    label: Label,
    /// The track that left, as of the time when it was away.
    track: Track,
    /// Time at which it was away.
    at: Monotonic,
    /// Time since which its place has been in view and empty.
    empty_since: Monotonic,
    /// Its track was lost, and another one began beside its place.
    as_another: bool,
}

/// A track that began slowly somewhere and got away from there.
#[derive(Debug)]
struct Starter {
    from: PathPoint,
    track: Track,
}

impl ParkedSubject {
    /// Adds a point. Returns the place where it had stood, once it is away from there.
    fn examine(&mut self, point: &PathPoint, length: f32, stood_seconds_min: f32) -> Option<Spot> {
        if self.gait.leaps_to(point, length) {
            // The identity went over to something else: nothing can be said of either.
            *self = Self { gait: self.gait, is_known: true, ..Self::default() };
        }
        if !std::mem::replace(&mut self.is_known, true) {
            self.begun = Some(*point);
        }
        let left = self.stand.examine(point, length).filter(|spot| spot.seconds() >= stood_seconds_min);
        self.leaving = left.map(|spot| (spot, point.at)).or(self.leaving);
        let (spot, since) = self.leaving?;
        let lengths = distances::apart(spot.foot, point.foot) / length;
        if lengths >= LENGTHS_AWAY {
            return self.leaving.take().map(|(spot, _)| spot);
        }
        let is_back = lengths <= LENGTHS_THERE;
        if is_back {
            self.stand.resume(spot, point.at);
        }
        if is_back || distances::seconds(point.at.since(since)) > LEAVING_SECONDS_MAX {
            self.leaving = None;
        }
        None
    }

    /// Returns the point where it began, once it has got away from there after a slow start.
    fn has_started(&mut self, point: &PathPoint, length: f32) -> Option<PathPoint> {
        let begun = self.begun?;
        let (lengths, seconds) =
            (distances::apart(begun.foot, point.foot) / length, distances::seconds(point.at.since(begun.at)));
        let is_too_fast = lengths < STARTER_LENGTHS && lengths > 0.3 && lengths > STARTER_PACE_MAX * seconds;
        if is_too_fast || seconds > STARTER_SECONDS_MAX {
            self.begun = None;
        }
        // Over its first length and a half it has sped up: from rest that takes twice as long as at full pace.
        let is_away = lengths >= STARTER_LENGTHS_AWAY;
        is_away.then(|| self.begun.take()).flatten().filter(|_| lengths <= 2.0 * STARTER_PACE_MAX * seconds)
    }
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self {
            params,
            things: TrackStates::new(),
            pending: VecDeque::new(),
            starters: VecDeque::new(),
            lost: VecDeque::new(),
        }
    }

    /// Follows all tracks. A subject that is away from a place where it had stood waits for the proof.
    fn follow(&mut self, view: &RuleInput) {
        let stood_seconds_min = self.params.stood_seconds_min;
        for track in view.tracks {
            let length = distances::length(&track.rect);
            let (thing, points) = self.things.follow(track);
            for point in points {
                if let Some(spot) = thing.examine(point, length, stood_seconds_min) {
                    let rect = thing.stood.take().map_or(track.rect, |stood| stood.rect);
                    self.pending.push_back(Leaving::new(spot, rect, track, view.at, false));
                }
                if let Some(from) = thing.has_started(point, length) {
                    self.starters.push_back(Starter { from, track: track.clone() });
                }
            }
            let spot = thing.stand.spot().filter(|_| !thing.stand.is_away() && thing.leaving.is_none());
            if let Some(spot) = spot.filter(|spot| spot.seconds() >= stood_seconds_min) {
                let Track { id, label, rect, .. } = *track;
                thing.stood = Some(Stood { id, label, spot: *spot, rect });
            }
        }
        self.starters
            .retain(|starter| distances::seconds(view.at.since(starter.from.at)) <= STARTER_SECONDS_MAX);
        trim(&mut self.starters);
    }

    /// Looks for the successors of standing tracks that are gone: another track that stands there, or one that began
    /// there and left.
    fn look_for_starters(&mut self, view: &RuleInput, gone: Vec<(TrackId, ParkedSubject)>) {
        let at = view.at;
        self.lost.extend(gone.into_iter().filter_map(|(_, thing)| thing.stood));
        self.lost.retain(|stood| {
            let (length, spot) = (distances::length(&stood.rect), &stood.spot);
            let is_it = |Starter { from, track }: &&Starter| {
                is_like(track.label, stood.label)
                    && track.id != stood.id
                    && distances::apart(from.foot, spot.foot) <= STARTER_LENGTHS * length
                    && distances::seconds(spot.latest.since(from.at)) <= STARTER_SECONDS_BEFORE
                    && distances::seconds(from.at.since(spot.latest)) <= STARTER_SECONDS_AFTER
            };
            for track in view.tracks.iter().filter(|track| is_found_again(stood, track)) {
                // A track that had stood for long is a neighbour, and one that does not stand passes by.
                let is_it = |thing: &&mut ParkedSubject| {
                    thing.stood.is_none() && distances::is_enough(thing.stand.seconds(), FOUND_SECONDS)
                };
                if let Some(thing) = self.things.get_mut(track.id).filter(is_it) {
                    thing.stand.resume(*spot, at);
                    return false;
                }
            }
            let starter = self.starters.iter().find(is_it);
            self.pending
                .extend(starter.map(|starter| Leaving::new(*spot, stood.rect, &starter.track, at, true)));
            starter.is_none() && distances::seconds(at.since(spot.latest)) <= LEAVING_SECONDS_MAX
        });
        trim(&mut self.lost);
        trim(&mut self.pending);
    }

    /// Returns the track that stands in the place of the leaving subject: the subject itself, then, under whatever
    /// id.
    fn stands_there(&self, leaving: &Leaving, view: &RuleInput) -> Option<TrackId> {
        let length = distances::length(&leaving.rect);
        let there = view.tracks.iter().find(|track| {
            is_like(track.label, leaving.label)
                && track.last_seen >= leaving.at
                && distances::apart(track.rect.foot(), leaving.spot.foot) <= LENGTHS_THERE * length
                && !self.stood_beside(leaving, track)
        });
        there.map(|track| track.id)
    }

    /// Handles an exchange of identities: the track that stands in the place now stood beside it before. The two
    /// changed ids while they were close, and that track's old place is the empty one. Returns true if it was so.
    fn is_exchanged(&mut self, leaving: &mut Leaving, id: TrackId, at: Monotonic) -> bool {
        let Some(thing) = self.things.get_mut(id) else { return false };
        let beside = LENGTHS_THERE * distances::length(&leaving.rect);
        let elsewhere = |stood: &mut Stood| {
            distances::apart(stood.spot.foot, leaving.spot.foot) > beside && stood.id == id
        };
        let Some(stood) = thing.stood.take_if(elsewhere) else { return false };
        thing.leaving = None;
        thing.stand.resume(leaving.spot, at);
        (leaving.spot, leaving.rect, leaving.label) = (stood.spot, stood.rect, stood.label);
        (leaving.at, leaving.empty_since) = (at, at);
        true
    }

    /// Returns true if a track stands or goes in front of its place.
    fn is_hidden(&self, leaving: &Leaving, view: &RuleInput) -> bool {
        let area = leaving.rect.area().max(f32::MIN_POSITIVE);
        view.tracks.iter().any(|track| {
            track.id != leaving.track.id
                && distances::seconds(view.at.since(track.last_seen)) <= SEEN_SECONDS
                && track.rect.intersection(&leaving.rect) >= HIDDEN_PART * area
                && track.rect.foot().y >= leaving.spot.foot.y
                && !self.stood_beside(leaving, track)
        })
    }

    /// Returns true if the track stood there before the subject left: a neighbour in a row of parked ones, which did
    /// not hide it.
    fn stood_beside(&self, leaving: &Leaving, track: &Track) -> bool {
        let spot = self.things.get(track.id).and_then(|thing| thing.stand.spot());
        track.id != leaving.track.id
            && spot.is_some_and(|spot: &Spot| spot.since + NEIGHBOUR <= leaving.spot.latest)
    }
}

impl Leaving {
    fn new(spot: Spot, rect: Rect, track: &Track, at: Monotonic, as_another: bool) -> Self {
        Self { spot, rect, label: track.label, track: track.clone(), at, empty_since: at, as_another }
    }

    fn why(&self, view: &RuleInput, stood_seconds_min: f32) -> (String, Reason) {
        let (how, code) = if self.as_another {
            ("is gone, and one that began beside its place went off", Code::GoneAsAnother)
        } else {
            ("was taken away", Code::TakenAway)
        };
        let (label, place, seconds) = (self.label, view.place.phrase(), self.spot.seconds());
        let why = format!(
            "{label} that had stood {place} for {seconds:.0} s ({stood_seconds_min:.0} s needed) {how}"
        );
        (why, Reason::new(code).at(view.place.name()).for_seconds(seconds, stood_seconds_min))
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        let gone = self.things.begin(view.at, view.tracks);
        self.follow(view);
        self.look_for_starters(view, gone);
        let mut findings = Vec::new();
        let mut waiting = VecDeque::new();
        while let Some(mut leaving) = self.pending.pop_front() {
            let place: Point = leaving.spot.foot;
            let is_ours = view.place.contains(place) && view.wants(&leaving.track) && leaving.track.confirmed;
            if !is_ours || distances::seconds(view.at.since(leaving.at)) > PENDING_SECONDS_MAX {
                continue;
            }
            if let Some(id) = self.stands_there(&leaving, view)
                && !self.is_exchanged(&mut leaving, id, view.at)
            {
                notes.say(&leaving.track, || {
                    "moved away, but something stands in its place as before".to_owned()
                });
                continue;
            }
            if self.is_hidden(&leaving, view) {
                leaving.empty_since = view.at;
            }
            let seconds = distances::seconds(view.at.since(leaving.empty_since));
            if !distances::is_enough(seconds, EMPTY_SECONDS) {
                notes.say(&leaving.track, || {
                    format!("moved away; its place has been seen empty for {seconds:.1} s ({EMPTY_SECONDS:.1} s needed)")
                });
                waiting.push_back(leaving);
                continue;
            }
            let (why, reason) = leaving.why(view, self.params.stood_seconds_min);
            let here = view.tracks.iter().position(|track: &Track| {
                track.id == leaving.track.id && track.confirmed && view.wants(track)
            });
            findings.push(match here {
                Some(index) => Finding { subjects: vec![index], gone: Vec::new(), why, reason },
                None => Finding { subjects: Vec::new(), gone: vec![leaving.track], why, reason },
            });
        }
        self.pending = waiting;
        findings
    }

    fn forget(&mut self) {
        self.things.forget();
        self.pending.clear();
        self.starters.clear();
        self.lost.clear();
    }

    fn ending(&self) -> Ending {
        Ending::AfterCoolDown
    }
}

/// Returns true if this track may be the subject that stood there, found again under a new id, or taken for the one
/// that hid it.
fn is_found_again(stood: &Stood, track: &Track) -> bool {
    let length = distances::length(&stood.rect);
    track.last_seen > stood.spot.latest
        && is_like(track.label, stood.label)
        && distances::apart(track.rect.foot(), stood.spot.foot) <= LENGTHS_THERE * length
}

/// Drops the oldest.
fn trim<T>(remembered: &mut VecDeque<T>) {
    let surplus = remembered.len().saturating_sub(REMEMBERED_MAX);
    remembered.drain(..surplus);
}
