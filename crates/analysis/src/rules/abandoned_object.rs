//! Stationary objects that belong to no track (a bag, a carton, a sack), and the persons present when each came. Used
//! by `left_behind`.
//!
//! A shadow, a patch of light, or the place that a parked vehicle has just left stands out as well. So an object
//! counts only if a person or a two-wheeler was there when it came, and was seen to go away from it.

use std::collections::{BTreeMap, VecDeque};

use super::RuleInput;
use super::distances;
use super::thresholds::abandoned_object::*;
use base::detection::Label;
use base::geometry::{Point, Rect};
use base::ids::TrackId;
use base::static_object::StaticObject;
use base::time::Monotonic;
use base::track::{PathPoint, Track};

/// Ids count down from here: the largest number that every reader of JSON keeps (RFC 8259, section 6). Those of tracks
/// count up from 1.
const ID_MAX: u64 = (1 << 53) - 1;

/// Stationary objects and recent presences.
#[derive(Debug, Default)]
pub(super) struct AbandonedObjects {
    things: Vec<WatchedObject>,
    presences: VecDeque<Presence>,
    rests: BTreeMap<TrackId, Rest>,
    left: VecDeque<Rest>,
    ids_given: u64,
}

/// A stationary object.
#[derive(Debug)]
pub(super) struct WatchedObject {
    id: TrackId,
    rect: Rect,
    score: f32,
    came: Monotonic,
    /// Time at which it was last in view.
    latest: Monotonic,
    /// It is the empty place of a track that stood there.
    is_ghost: bool,
    /// Tracks that were there when it came.
    visitors: Vec<TrackId>,
    /// One of them went away from it.
    was_left: bool,
    /// Tracks near it, each with the place and time since which it stays.
    company: BTreeMap<TrackId, PathPoint>,
    alone_seconds: f32,
    pub(super) told: bool,
}

/// Place of a person or two-wheeler at one time.
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

/// Origin of an object, as far as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A visitor brought it and went away.
    Left,
    /// A visitor was there, and was not seen to go away.
    Attended,
    /// No visitor was there.
    Nobodys,
    /// A track that stood there has left.
    Ghost,
}

impl AbandonedObjects {
    /// Number of remembered items.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.things.len() + self.presences.len() + self.rests.len() + self.left.len()
    }

    /// Processes one frame. `step_seconds` is the time since the last one, as far as it counts. `is_somebody` says if
    /// a track is company: on foot, or riding.
    pub(super) fn update(
        &mut self,
        view: &RuleInput,
        step_seconds: f32,
        is_somebody: impl Fn(&Track) -> bool,
    ) {
        self.remember(view);
        self.find(view);
        let things = &mut self.things;
        things.iter_mut().for_each(|thing| thing.wait(view, step_seconds, &is_somebody));
        things.retain(|thing| !thing.is_over(view));
    }

    /// Stationary objects as of the last frame.
    pub(super) fn things(&mut self) -> impl Iterator<Item = &mut WatchedObject> {
        self.things.iter_mut()
    }

    /// Drops everything but the number of ids given.
    pub(super) fn forget(&mut self) {
        *self = Self { ids_given: self.ids_given, ..Self::default() };
    }

    /// Updates presences and rests.
    fn remember(&mut self, view: &RuleInput) {
        for track in view.tracks.iter().filter(|track| track.last_seen == view.at) {
            self.rest(track);
            let before = self.presences.iter().rev().find(|presence| presence.id == track.id);
            let is_due = before.is_none_or(|before| {
                distances::seconds(track.last_seen.since(before.at)) >= PRESENCE_SECONDS_STEP
            });
            if is_due && matches!(track.label, Label::Person | Label::TwoWheeler) {
                self.presences.push_back(Presence::of(track));
            }
        }
        let gone: Vec<TrackId> = self.rests.keys().copied().filter(|id| !lives(*id, view)).collect();
        let over: Vec<Rest> = gone.iter().filter_map(|id| self.rests.remove(id)).collect();
        over.into_iter().for_each(|rest| self.leave(rest));
        let is_old =
            |presence: &Presence| distances::seconds(view.at.since(presence.at)) > PRESENCE_SECONDS_MAX;
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
        if distances::seconds(rest.latest.since(rest.since)) >= RESTED_SECONDS {
            self.left.push_back(rest);
        }
        let surplus = self.left.len().saturating_sub(RESTS_MAX);
        self.left.drain(..surplus);
    }

    /// Matches the static objects in view with known objects; adds the new ones.
    fn find(&mut self, view: &RuleInput) {
        for static_object in view.static_objects {
            let known = self.things.iter_mut().find(|thing| thing.rect.iou(&static_object.rect) >= SAME_PART);
            if let Some(thing) = known {
                thing.latest = view.at;
            } else if self.things.len() < THINGS_MAX {
                let thing = self.begun(view, static_object);
                self.things.push(thing);
            }
        }
    }

    fn begun(&mut self, view: &RuleInput, static_object: &StaticObject) -> WatchedObject {
        let foot = static_object.rect.foot();
        let came = Monotonic::from_nanos(
            view.at.as_nanos().saturating_sub((f64::from(static_object.still_seconds) * 1e9) as u64),
        );
        let close = self.presences.iter().filter(|presence| {
            distances::seconds(came.since(presence.at)) <= BRINGER_SECONDS
                && distances::apart(presence.foot, foot) <= BRINGER_LENGTHS * presence.length
        });
        let mut visitors: Vec<TrackId> = Vec::new();
        for presence in close {
            if !visitors.contains(&presence.id) && visitors.len() < VISITORS_MAX {
                visitors.push(presence.id);
            }
        }
        let was_left = visitors
            .iter()
            .filter_map(|id: &TrackId| self.presences.iter().rev().find(|presence| presence.id == *id))
            .any(|presence| presence.is_away(foot));
        self.ids_given += 1;
        WatchedObject {
            id: TrackId(ID_MAX - self.ids_given),
            rect: static_object.rect,
            score: static_object.score,
            came,
            latest: view.at,
            is_ghost: self.left.iter().any(|rest| rest.leaves(static_object, came)),
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
            length: distances::length(&track.rect),
        }
    }

    fn is_away(&self, foot: Point) -> bool {
        distances::apart(self.foot, foot) >= GONE_LENGTHS * self.length
    }
}

impl Rest {
    /// Returns true if `static_object` is the empty place of this track.
    fn leaves(&self, static_object: &StaticObject, came: Monotonic) -> bool {
        let is_as_large = match self.label {
            Label::Car | Label::LargeVehicle => true,
            Label::Person | Label::TwoWheeler | Label::Moving => {
                static_object.rect.area() >= GHOST_SIZE * self.rect.area()
            }
        };
        is_as_large
            && distances::seconds(came.since(self.latest)) <= LEFT_SECONDS_MAX
            && self.rect.intersection(&static_object.rect) >= GHOST_PART * static_object.rect.area()
    }
}

impl WatchedObject {
    pub(super) fn foot(&self) -> Point {
        self.rect.foot()
    }

    /// Returns true if a person or rider is near it, if only to pass by.
    pub(super) fn has_somebody_near(&self) -> bool {
        !self.company.is_empty()
    }

    /// Time for which it was alone, in seconds.
    pub(super) fn alone_seconds(&self) -> f32 {
        self.alone_seconds
    }

    /// Returns its origin.
    pub(super) fn origin(&self) -> Origin {
        match (self.is_ghost, self.visitors.is_empty(), self.was_left) {
            (true, ..) => Origin::Ghost,
            (_, true, _) => Origin::Nobodys,
            (_, _, false) => Origin::Attended,
            (_, _, true) => Origin::Left,
        }
    }

    /// Returns true if it was in view on that frame.
    pub(super) fn is_in_view(&self, view: &RuleInput) -> bool {
        self.latest == view.at
    }

    /// Converts it to a subject of an event.
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

    /// Adds the time of one frame, alone or in company.
    fn wait(&mut self, view: &RuleInput, step_seconds: f32, is_somebody: impl Fn(&Track) -> bool) {
        let foot = self.foot();
        for track in view.tracks.iter().filter(|track| track.last_seen == view.at) {
            self.was_left |= self.visitors.contains(&track.id) && Presence::of(track).is_away(foot);
        }
        let Self { rect, score, .. } = *self;
        let static_object =
            StaticObject { rect, score, still_seconds: distances::seconds(view.at.since(self.came)) };
        let near = |track: &&Track| {
            !static_object.is_taken_for(track, view.at)
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
            has_company |= distances::seconds(view.at.since(stays.at)) >= STAYING_SECONDS;
        }
        // Passers-by are no company: that time counts once they are gone.
        if has_company {
            self.alone_seconds = 0.0;
        } else if self.is_in_view(view) {
            self.alone_seconds += step_seconds;
        }
    }

    /// Returns true if it was taken up, or was out of view for too long.
    fn is_over(&self, view: &RuleInput) -> bool {
        let seconds = distances::seconds(view.at.since(self.latest));
        seconds > HIDDEN_SECONDS_MAX
            || seconds > TAKEN_UP_SECONDS
                && !view.tracks.iter().any(|track: &Track| {
                    self.rect.intersection(&track.rect) >= HIDDEN_PART * self.rect.area()
                })
    }
}

/// Distance of two feet on the foreshortened ground, in lengths of `track`.
fn lengths_on_ground(a: Point, b: Point, track: &Track) -> f32 {
    let [across, down] = distances::way(a, b);
    across.hypot(FORESHORTENED * down) / distances::length(&track.rect)
}

fn lives(id: TrackId, view: &RuleInput) -> bool {
    view.tracks.iter().any(|track| track.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::rules::RuleArea;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn memory_is_bounded_and_ids_are_no_tracks(
            places in proptest::collection::vec((0.0f32..1.0, 0.0f32..1.0, 0.0f32..9.0, 1u64..400), 300),
        ) {
            let mut abandoned_objects = AbandonedObjects::default();
            let (mut at, mut ids) = (Monotonic::from_nanos(1_000_000_000), BTreeSet::new());
            for chunk in places.chunks(6) {
                at = at + Duration::from_millis(700);
                let tracks: Vec<Track> = chunk.iter().map(|(x, y, _, id)| somebody(*id, *x, *y, at)).collect();
                let static_objects: Vec<StaticObject> = chunk.iter().map(|(x, y, still, _)| thing(*x, *y, *still)).collect();
                let labels = BTreeSet::new();
                let view = RuleInput {
                    at, place: &RuleArea::Everywhere, labels: &labels, tracks: &tracks, static_objects: &static_objects, view_quality: None, ground: None,
                };
                abandoned_objects.update(&view, 0.7, |_| true);
                let living: BTreeSet<TrackId> = tracks.iter().map(|track| track.id).collect();
                prop_assert!(abandoned_objects.len() <= THINGS_MAX + PRESENCES_MAX + RESTS_MAX + living.len());
                let now: Vec<TrackId> = abandoned_objects.things().map(|thing| thing.id).collect();
                prop_assert!(now.iter().all(|id| id.0 > u64::from(u32::MAX) && id.0 <= ID_MAX));
                ids.extend(now);
            }
            prop_assert_eq!(abandoned_objects.ids_given, ids.len() as u64, "none is given twice");
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

    fn thing(x: f32, y: f32, still_seconds: f32) -> StaticObject {
        StaticObject { rect: Rect::new(x, y, 0.04, 0.05), score: 0.8, still_seconds }
    }
}
