//! What has come to stand and is no track's (a bag, a carton, a sack), and who was there when it came. `left_behind` asks.
//!
//! A shadow, a patch of light, or the place that somebody parked has just left stands out as well: what counts is that a
//! person or a two-wheeler was there when it came, and was seen to go away from it.

use std::collections::{BTreeMap, VecDeque};

use super::View;
use super::measure;
use crate::domain::detection::Label;
use crate::domain::geometry::{Point, Rect};
use crate::domain::ids::TrackId;
use crate::domain::remnant::Remnant;
use crate::domain::time::Monotonic;
use crate::domain::track::{PathPoint, Track};

/// Who was so near, in own lengths, no longer than this before it came, may have put it down.
const BRINGER_LENGTHS: f32 = 1.5;
const BRINGER_SECONDS: f32 = 8.0;
/// Who is this far away has gone from it.
const GONE_LENGTHS: f32 = 1.5;
/// Somebody within this, in own lengths, is near it. The ground is foreshortened: what is above or below on the picture is
/// further away than it seems.
const NEAR_LENGTHS: f32 = 1.0;
const FORESHORTENED: f32 = 2.0;
/// Who has stayed within this, in own lengths, for so long does not pass by.
const STAYING_LENGTHS: f32 = 0.5;
const STAYING_SECONDS: f32 = 3.0;
/// Out of view for so long while nobody is in front of it, it was taken up; out of view for so long, nobody knows.
const TAKEN_UP_SECONDS: f32 = 2.0;
const HIDDEN_SECONDS_MAX: f32 = 60.0;
/// Who covers so much of it hides it.
const HIDDEN_PART: f32 = 0.2;
/// It is where it was if so much of both boxes together is common.
const SAME_PART: f32 = 0.5;
/// The place that something has left stands out, too, if it had stood there for so long; seen no longer than this after.
const RESTED_SECONDS: f32 = 5.0;
const LEFT_SECONDS_MAX: f32 = 10.0;
/// A box that has so much in common with an earlier one rests.
const REST_PART: f32 = 0.6;
/// Of a ghost, so much lies where it stood; and it is no smaller than this part of whoever else than a car stood there.
const GHOST_PART: f32 = 0.5;
const GHOST_SIZE: f32 = 0.4;
/// Who was where is remembered for so long, so often for each, and so much of it.
const PRESENCE_SECONDS_MAX: f32 = 60.0;
const PRESENCE_SECONDS_STEP: f32 = 0.8;
const PRESENCES_MAX: usize = 1024;
const RESTS_MAX: usize = 64;
const THINGS_MAX: usize = 32;
const VISITORS_MAX: usize = 16;
/// Ids count down from here: the largest number that every reader of JSON keeps (RFC 8259, section 6). Those of tracks
/// count up from 1.
const ID_MAX: u64 = (1 << 53) - 1;

/// What stands, and who was where.
#[derive(Debug, Default)]
pub(super) struct PutDown {
    things: Vec<Thing>,
    presences: VecDeque<Presence>,
    rests: BTreeMap<TrackId, Rest>,
    left: VecDeque<Rest>,
    ids_given: u64,
}

/// Something that stands.
#[derive(Debug)]
pub(super) struct Thing {
    id: TrackId,
    rect: Rect,
    score: f32,
    came: Monotonic,
    /// When it was last in view.
    latest: Monotonic,
    /// It is what something that stood there has left.
    is_ghost: bool,
    /// Who was there when it came.
    visitors: Vec<TrackId>,
    /// One of them went away from it.
    was_left: bool,
    /// Who is near it, and since when they have stayed where.
    company: BTreeMap<TrackId, PathPoint>,
    alone_seconds: f32,
    pub(super) told: bool,
}

/// Where somebody was.
#[derive(Debug, Clone, Copy)]
struct Presence {
    id: TrackId,
    at: Monotonic,
    foot: Point,
    length: f32,
}

/// A track that stays in its place.
#[derive(Debug, Clone, Copy)]
struct Rest {
    label: Label,
    rect: Rect,
    since: Monotonic,
    latest: Monotonic,
}

/// What is to be said of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody brought it and went away.
    Left,
    /// Somebody was there, and was not seen to go away.
    Attended,
    /// Nobody was there.
    Nobodys,
    /// Something that stood there has left.
    Ghost,
}

impl PutDown {
    /// How much is remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.things.len() + self.presences.len() + self.rests.len() + self.left.len()
    }

    /// Takes a look in. `step_seconds` is what counts of the time since the last one; `is_somebody` says who is company: on
    /// foot, or riding.
    pub(super) fn look(&mut self, view: &View, step_seconds: f32, is_somebody: impl Fn(&Track) -> bool) {
        self.remember(view);
        self.find(view);
        let things = &mut self.things;
        things.iter_mut().for_each(|thing| thing.wait(view, step_seconds, &is_somebody));
        things.retain(|thing| !thing.is_over(view));
    }

    /// What stands, as of the last look.
    pub(super) fn things(&mut self) -> impl Iterator<Item = &mut Thing> {
        self.things.iter_mut()
    }

    /// Drops everything but which ids were given.
    pub(super) fn forget(&mut self) {
        *self = Self { ids_given: self.ids_given, ..Self::default() };
    }

    /// Who is where, and who rests.
    fn remember(&mut self, view: &View) {
        for track in view.tracks.iter().filter(|track| track.last_seen == view.at) {
            self.rest(track);
            let before = self.presences.iter().rev().find(|presence| presence.id == track.id);
            let is_due = before.is_none_or(|before| {
                measure::seconds(track.last_seen.since(before.at)) >= PRESENCE_SECONDS_STEP
            });
            if is_due && matches!(track.label, Label::Person | Label::TwoWheeler) {
                self.presences.push_back(Presence::of(track));
            }
        }
        let gone: Vec<TrackId> = self.rests.keys().copied().filter(|id| !lives(*id, view)).collect();
        let over: Vec<Rest> = gone.iter().filter_map(|id| self.rests.remove(id)).collect();
        over.into_iter().for_each(|rest| self.leave(rest));
        let is_old =
            |presence: &Presence| measure::seconds(view.at.since(presence.at)) > PRESENCE_SECONDS_MAX;
        while self.presences.front().is_some_and(is_old) || self.presences.len() > PRESENCES_MAX {
            self.presences.pop_front();
        }
    }

    fn rest(&mut self, track: &Track) {
        let Track { id, label, rect, last_seen, .. } = *track;
        let fresh = Rest { label, rect, since: last_seen, latest: last_seen };
        let rest = self.rests.entry(id).or_insert(fresh);
        if rest.rect.iou(&rect) >= REST_PART {
            rest.latest = last_seen;
        } else {
            let over = std::mem::replace(rest, fresh);
            self.leave(over);
        }
    }

    fn leave(&mut self, rest: Rest) {
        if measure::seconds(rest.latest.since(rest.since)) >= RESTED_SECONDS {
            self.left.push_back(rest);
        }
        let surplus = self.left.len().saturating_sub(RESTS_MAX);
        self.left.drain(..surplus);
    }

    /// Which of what is seen standing is known, and what is new.
    fn find(&mut self, view: &View) {
        for remnant in view.standing {
            let known = self.things.iter_mut().find(|thing| thing.rect.iou(&remnant.rect) >= SAME_PART);
            if let Some(thing) = known {
                thing.latest = view.at;
            } else if self.things.len() < THINGS_MAX {
                let thing = self.begun(view, remnant);
                self.things.push(thing);
            }
        }
    }

    fn begun(&mut self, view: &View, remnant: &Remnant) -> Thing {
        let foot = remnant.rect.foot();
        let came = Monotonic::from_nanos(
            view.at.as_nanos().saturating_sub((f64::from(remnant.still_seconds) * 1e9) as u64),
        );
        let is_visitor = |presence: &&Presence| {
            measure::seconds(came.since(presence.at)) <= BRINGER_SECONDS
                && measure::apart(presence.foot, foot) <= BRINGER_LENGTHS * presence.length
        };
        let mut visitors: Vec<TrackId> = Vec::new();
        for presence in self.presences.iter().filter(is_visitor) {
            if !visitors.contains(&presence.id) && visitors.len() < VISITORS_MAX {
                visitors.push(presence.id);
            }
        }
        let last = |id: &TrackId| self.presences.iter().rev().find(|presence| presence.id == *id);
        let was_left = visitors.iter().filter_map(last).any(|presence| presence.is_away(foot));
        self.ids_given += 1;
        Thing {
            id: TrackId(ID_MAX - self.ids_given),
            rect: remnant.rect,
            score: remnant.score,
            came,
            latest: view.at,
            is_ghost: self.left.iter().any(|rest| rest.leaves(remnant, came)),
            visitors,
            was_left,
            company: BTreeMap::new(),
            alone_seconds: 0.0,
            told: false,
        }
    }
}

impl Presence {
    fn of(track: &Track) -> Self {
        Self {
            id: track.id,
            at: track.last_seen,
            foot: track.rect.foot(),
            length: measure::length(&track.rect),
        }
    }

    fn is_away(&self, foot: Point) -> bool {
        measure::apart(self.foot, foot) >= GONE_LENGTHS * self.length
    }
}

impl Rest {
    /// Whether this is what it looks like where it has stood.
    fn leaves(&self, remnant: &Remnant, came: Monotonic) -> bool {
        let is_as_large = match self.label {
            Label::Car | Label::LargeVehicle => true,
            Label::Person | Label::TwoWheeler | Label::Moving => {
                remnant.rect.area() >= GHOST_SIZE * self.rect.area()
            }
        };
        is_as_large
            && measure::seconds(came.since(self.latest)) <= LEFT_SECONDS_MAX
            && self.rect.intersection(&remnant.rect) >= GHOST_PART * remnant.rect.area()
    }
}

impl Thing {
    pub(super) fn foot(&self) -> Point {
        self.rect.foot()
    }

    /// Whether somebody is near it, if only to pass by.
    pub(super) fn has_somebody_near(&self) -> bool {
        !self.company.is_empty()
    }

    /// For how long nobody has stayed with it.
    pub(super) fn alone_seconds(&self) -> f32 {
        self.alone_seconds
    }

    /// How it came there.
    pub(super) fn origin(&self) -> Origin {
        match (self.is_ghost, self.visitors.is_empty(), self.was_left) {
            (true, ..) => Origin::Ghost,
            (_, true, _) => Origin::Nobodys,
            (_, _, false) => Origin::Attended,
            (_, _, true) => Origin::Left,
        }
    }

    /// Whether it was in view on that look.
    pub(super) fn is_in_view(&self, view: &View) -> bool {
        self.latest == view.at
    }

    /// As a subject of an event.
    pub(super) fn as_track(&self) -> Track {
        Track {
            id: self.id,
            label: Label::Moving,
            score: self.score,
            rect: self.rect,
            velocity: Point::new(0.0, 0.0),
            confirmed: true,
            first_seen: self.came,
            last_seen: self.latest,
            path: vec![PathPoint { at: self.latest, foot: self.foot() }],
        }
    }

    /// Lets time pass, alone or not.
    fn wait(&mut self, view: &View, step_seconds: f32, is_somebody: impl Fn(&Track) -> bool) {
        let foot = self.foot();
        for track in view.tracks.iter().filter(|track| track.last_seen == view.at) {
            self.was_left |= self.visitors.contains(&track.id) && Presence::of(track).is_away(foot);
        }
        let Self { rect, score, .. } = *self;
        let remnant = Remnant { rect, score, still_seconds: measure::seconds(view.at.since(self.came)) };
        let near = |track: &&Track| {
            !remnant.is_taken_for(track, view.at)
                && lengths_on_ground(foot, track.rect.foot(), track) <= NEAR_LENGTHS
                && is_somebody(track)
        };
        let near: Vec<&Track> = view.tracks.iter().filter(near).collect();
        self.company.retain(|id, _| near.iter().any(|track| track.id == *id));
        let mut has_company = false;
        for track in near {
            let here = PathPoint { at: view.at, foot: track.rect.foot() };
            let stays = self.company.entry(track.id).or_insert(here);
            if lengths_on_ground(stays.foot, here.foot, track) > STAYING_LENGTHS {
                *stays = here;
            }
            has_company |= measure::seconds(view.at.since(stays.at)) >= STAYING_SECONDS;
        }
        // Who passes by is no company: that time counts once they are gone.
        if has_company {
            self.alone_seconds = 0.0;
        } else if self.is_in_view(view) {
            self.alone_seconds += step_seconds;
        }
    }

    /// Whether it was taken up, or nobody knows what has become of it.
    fn is_over(&self, view: &View) -> bool {
        let seconds = measure::seconds(view.at.since(self.latest));
        let hides = |track: &Track| self.rect.intersection(&track.rect) >= HIDDEN_PART * self.rect.area();
        seconds > HIDDEN_SECONDS_MAX || seconds > TAKEN_UP_SECONDS && !view.tracks.iter().any(hides)
    }
}

/// How far apart two feet are, in lengths of `track`.
fn lengths_on_ground(a: Point, b: Point, track: &Track) -> f32 {
    let [across, down] = measure::way(a, b);
    across.hypot(FORESHORTENED * down) / measure::length(&track.rect)
}

fn lives(id: TrackId, view: &View) -> bool {
    view.tracks.iter().any(|track| track.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::rules::Place;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn memory_is_bounded_and_ids_are_no_tracks(
            places in proptest::collection::vec((0.0f32..1.0, 0.0f32..1.0, 0.0f32..9.0, 1u64..400), 300),
        ) {
            let mut put_down = PutDown::default();
            let (mut at, mut ids) = (Monotonic::from_nanos(1_000_000_000), BTreeSet::new());
            for chunk in places.chunks(6) {
                at = at + Duration::from_millis(700);
                let tracks: Vec<Track> = chunk.iter().map(|(x, y, _, id)| somebody(*id, *x, *y, at)).collect();
                let standing: Vec<Remnant> = chunk.iter().map(|(x, y, still, _)| thing(*x, *y, *still)).collect();
                let labels = BTreeSet::new();
                let view = View {
                    at, place: &Place::Everywhere, labels: &labels, tracks: &tracks, standing: &standing, optics: None, ground: None,
                };
                put_down.look(&view, 0.7, |_| true);
                let living: BTreeSet<TrackId> = tracks.iter().map(|track| track.id).collect();
                prop_assert!(put_down.len() <= THINGS_MAX + PRESENCES_MAX + RESTS_MAX + living.len());
                let now: Vec<TrackId> = put_down.things().map(|thing| thing.id).collect();
                prop_assert!(now.iter().all(|id| id.0 > u64::from(u32::MAX) && id.0 <= ID_MAX));
                ids.extend(now);
            }
            prop_assert_eq!(put_down.ids_given, ids.len() as u64, "none is given twice");
        }
    }

    fn somebody(id: u64, x: f32, y: f32, at: Monotonic) -> Track {
        let rect = Rect::new(x - 0.02, y - 0.2, 0.04, 0.2);
        let path = vec![PathPoint { at, foot: rect.foot() }];
        let velocity = Point::new(0.0, 0.0);
        Track {
            id: TrackId(id),
            label: Label::Person,
            score: 0.8,
            rect,
            velocity,
            confirmed: true,
            first_seen: at,
            last_seen: at,
            path,
        }
    }

    fn thing(x: f32, y: f32, still_seconds: f32) -> Remnant {
        Remnant { rect: Rect::new(x, y, 0.04, 0.05), score: 0.8, still_seconds }
    }
}
