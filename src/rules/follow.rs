//! What a rule remembers of each live track; and who goes on under a new id where a track was lost.

use std::collections::{BTreeMap, VecDeque};

use super::measure;
use crate::domain::detection::Label;
use crate::domain::geometry::Point;
use crate::domain::ids::TrackId;
use crate::domain::time::Monotonic;
use crate::domain::track::{PathPoint, Track};

/// How many lost tracks are remembered, and for how long.
const LOST_MAX: usize = 64;
const LOST_SECONDS_MAX: f32 = 600.0;

/// A rule's memory of the live tracks, `T` of each; bounded by their number.
#[derive(Debug)]
pub(super) struct Followed<T> {
    memories: BTreeMap<TrackId, Memory<T>>,
    /// The latest last.
    lost: VecDeque<(Sight, T)>,
    succeeds: Option<Succeeds<T>>,
}

/// Whether a newcomer, by its first sight, is who was lost, by what was remembered of it and its last sight. A newcomer
/// that began before the other was last seen is never asked about.
pub(super) type Succeeds<T> = fn(&T, &Sight, &Sight) -> bool;

#[derive(Debug)]
struct Memory<T> {
    /// Time of the newest path point that was followed.
    examined: Option<Monotonic>,
    sight: Sight,
    /// A newcomer has gone on with what was remembered here, and the track was not seen since.
    is_succeeded: bool,
    state: T,
}

/// Where a track was seen first or last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) at: Monotonic,
    pub(super) foot: Point,
    /// Of its box, as [`measure::length`] has it.
    pub(super) length: f32,
    pub(super) label: Label,
    /// In own lengths a second.
    pub(super) pace: f32,
}

impl Sight {
    /// Of a track's first detection, with the size that it has now.
    pub(super) fn first(track: &Track) -> Self {
        let foot = track.path.first().map_or(track.rect.foot(), |point| point.foot);
        Self { at: track.first_seen, foot, ..Self::last(track) }
    }

    /// Of a track's latest detection.
    pub(super) fn last(track: &Track) -> Self {
        let length = measure::length(&track.rect);
        let foot = track.path.last().map_or(track.rect.foot(), |point| point.foot);
        let pace = (track.velocity.x * measure::WIDE).hypot(track.velocity.y) / length;
        Self { at: track.last_seen, foot, length, label: track.label, pace }
    }

    /// How far apart two are, in lengths of the longer one.
    pub(super) fn lengths_from(&self, other: &Self) -> f32 {
        measure::apart(self.foot, other.foot) / self.length.max(other.length)
    }

    /// How long after `earlier` this is.
    pub(super) fn seconds_after(&self, earlier: &Self) -> f32 {
        measure::seconds(self.at.since(earlier.at))
    }

    /// Whether both may be the same thing, as far as labels say: a detector takes a car for a van now and then.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        is_like(self.label, other.label)
    }
}

/// Whether both labels may be said of the same thing.
pub(super) fn is_like(a: Label, b: Label) -> bool {
    let group = |label| match label {
        Label::Person => 0,
        Label::TwoWheeler => 1,
        Label::Car | Label::LargeVehicle => 2,
        Label::Moving => 3,
    };
    group(a) == group(b) || a == Label::Moving || b == Label::Moving
}

impl<T: Default> Followed<T> {
    /// Every track for itself.
    pub(super) fn new() -> Self {
        Self { memories: BTreeMap::new(), lost: VecDeque::new(), succeeds: None }
    }

    /// A newcomer goes on with what is remembered of a lost track that it succeeds.
    pub(super) fn with_heirs(succeeds: Succeeds<T>) -> Self {
        Self { succeeds: Some(succeeds), ..Self::new() }
    }

    /// Begins a look: gives up what is remembered of tracks that are gone, to their heirs where there are such.
    pub(super) fn begin(&mut self, at: Monotonic, tracks: &[Track]) -> Vec<(TrackId, T)> {
        let lives = |id: &TrackId| tracks.iter().any(|track| track.id == *id);
        let gone: Vec<TrackId> = self.memories.keys().filter(|id| !lives(id)).copied().collect();
        let mut given_up = Vec::new();
        for id in gone {
            let Some(Memory { sight, state, is_succeeded, .. }) = self.memories.remove(&id) else { continue };
            match self.succeeds {
                Some(_) if is_succeeded => {}
                Some(_) => self.lost.push_back((sight, state)),
                None => given_up.push((id, state)),
            }
        }
        let surplus = self.lost.len().saturating_sub(LOST_MAX);
        self.lost.drain(..surplus);
        self.lost.retain(|(sight, _)| measure::seconds(at.since(sight.at)) <= LOST_SECONDS_MAX);
        given_up
    }

    /// What is remembered of a track, and the points of its path since it was last followed.
    pub(super) fn follow<'t>(&mut self, track: &'t Track) -> (&mut T, &'t [PathPoint]) {
        if !self.memories.contains_key(&track.id) {
            let state = self.inherited(&Sight::first(track)).unwrap_or_default();
            let memory = Memory { examined: None, sight: Sight::last(track), is_succeeded: false, state };
            self.memories.insert(track.id, memory);
        }
        let memory = self.memories.get_mut(&track.id).expect("it has just been put in");
        let known = track.path.partition_point(|point| memory.examined.is_some_and(|at| point.at <= at));
        memory.examined = track.path.last().map(|point| point.at).max(memory.examined);
        // A track that is only predicted has not been seen where it is said to be.
        if track.last_seen > memory.sight.at {
            (memory.sight, memory.is_succeeded) = (Sight::last(track), false);
        }
        (&mut memory.state, &track.path[known..])
    }

    /// What is remembered of a live track.
    pub(super) fn get(&self, id: TrackId) -> Option<&T> {
        self.memories.get(&id).map(|memory| &memory.state)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, id: TrackId) -> Option<&mut T> {
        self.memories.get_mut(&id).map(|memory| &mut memory.state)
    }

    /// Drops everything.
    pub(super) fn forget(&mut self) {
        self.memories.clear();
        self.lost.clear();
    }

    /// How much is remembered, of the live and of the lost.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.memories.len() + self.lost.len()
    }

    /// Takes over from the nearest whom the newcomer succeeds: one that is gone, or one that still lives on predictions.
    fn inherited(&mut self, newcomer: &Sight) -> Option<T> {
        let succeeds = self.succeeds?;
        let is_heir = |sight: &Sight, state: &T| {
            sight.at < newcomer.at && sight.is_like(newcomer) && succeeds(state, sight, newcomer)
        };
        let away = |sight: &Sight| sight.lengths_from(newcomer);
        let lost = self.lost.iter().enumerate().filter(|(_, (sight, state))| is_heir(sight, state));
        let lost = lost.map(|(index, (sight, _))| (away(sight), index)).min_by(|a, b| a.0.total_cmp(&b.0));
        let unseen = self
            .memories
            .iter()
            .filter(|(_, memory)| !memory.is_succeeded && is_heir(&memory.sight, &memory.state));
        let unseen = unseen.map(|(id, memory)| (away(&memory.sight), *id)).min_by(|a, b| a.0.total_cmp(&b.0));
        match (lost, unseen) {
            (Some((away, index)), other) if other.is_none_or(|(other, _)| away <= other) => {
                self.lost.remove(index).map(|(_, state)| state)
            }
            (_, Some((_, id))) => self.memories.get_mut(&id).map(|memory| {
                memory.is_succeeded = true;
                std::mem::take(&mut memory.state)
            }),
            _ => None,
        }
    }
}
