//! Per-track state of a rule, handed on where a lost track goes on under a new id.

use std::collections::{BTreeMap, VecDeque};

use super::distances;
use super::thresholds::{self, track_state::*};
use base::detection::Label;
use base::geometry::Point;
use base::ids::TrackId;
use base::time::Monotonic;
use base::track::{PathPoint, Track};

/// A rule's state of type `T` for each live track; bounded by their number.
#[derive(Debug)]
pub(super) struct TrackStates<T> {
    memories: BTreeMap<TrackId, Memory<T>>,
    /// In the order of loss; the latest last.
    lost: VecDeque<(Sighting, T)>,
    succeeds: Option<Succeeds<T>>,
}

/// Decides if a new track, by its first sight, is a lost one, by its state and last sight. It is never called for a
/// track that began before the other was last seen.
pub(super) type Succeeds<T> = fn(&T, &Sighting, &Sighting) -> bool;

#[derive(Debug)]
struct Memory<T> {
    /// Time of the newest path point that was followed.
    examined: Option<Monotonic>,
    sight: Sighting,
    /// A new track has taken over the state, and this track was not seen since.
    is_succeeded: bool,
    state: T,
}

/// The first or last sight of a track.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    pub(super) at: Monotonic,
    pub(super) foot: Point,
    /// Length of the box, by [`distances::length`].
    pub(super) length: f32,
    pub(super) label: Label,
    /// Speed in own lengths a second.
    pub(super) pace: f32,
}

impl Sighting {
    /// The first detection of a track, with the track's present size.
    pub(super) fn first(track: &Track) -> Self {
        let foot = track.path.first().map_or(track.rect.foot(), |point| point.foot);
        Self { at: track.first_seen, foot, ..Self::last(track) }
    }

    /// The latest detection of a track.
    pub(super) fn last(track: &Track) -> Self {
        let length = distances::length(&track.rect);
        let foot = track.path.last().map_or(track.rect.foot(), |point| point.foot);
        let pace = (track.velocity.x * thresholds::distances::WIDE).hypot(track.velocity.y) / length;
        Self { at: track.last_seen, foot, length, label: track.label, pace }
    }

    /// Distance of two sights, in lengths of the longer one.
    pub(super) fn lengths_from(&self, other: &Self) -> f32 {
        distances::apart(self.foot, other.foot) / self.length.max(other.length)
    }

    /// Time since `earlier`, in seconds.
    pub(super) fn seconds_after(&self, earlier: &Self) -> f32 {
        distances::seconds(self.at.since(earlier.at))
    }

    /// Returns true if the labels allow both to be one subject: a detector takes a car for a van now and then.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        is_like(self.label, other.label)
    }
}

/// Returns true if one subject may have both labels.
pub(super) fn is_like(a: Label, b: Label) -> bool {
    let group = |label| match label {
        Label::Person => 0,
        Label::TwoWheeler => 1,
        Label::Car | Label::LargeVehicle => 2,
        Label::Moving => 3,
    };
    group(a) == group(b) || a == Label::Moving || b == Label::Moving
}

impl<T: Default> TrackStates<T> {
    /// Creates state without handover: every track for itself.
    pub(super) fn new() -> Self {
        Self { memories: BTreeMap::new(), lost: VecDeque::new(), succeeds: None }
    }

    /// Creates state with handover: a new track takes over the state of a lost track that it succeeds.
    pub(super) fn with_heirs(succeeds: Succeeds<T>) -> Self {
        Self { succeeds: Some(succeeds), ..Self::new() }
    }

    /// Begins a frame. Removes the state of tracks that are gone: keeps it for successors where there is handover,
    /// and returns it otherwise.
    pub(super) fn begin(&mut self, at: Monotonic, tracks: &[Track]) -> Vec<(TrackId, T)> {
        let known = self.memories.keys().copied();
        let gone: Vec<TrackId> = known.filter(|id| !tracks.iter().any(|track| track.id == *id)).collect();
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
        self.lost.retain(|(sight, _)| distances::seconds(at.since(sight.at)) <= LOST_SECONDS_MAX);
        given_up
    }

    /// Returns the state of a track, and the points of its path since the last call.
    pub(super) fn follow<'t>(&mut self, track: &'t Track) -> (&mut T, &'t [PathPoint]) {
        if !self.memories.contains_key(&track.id) {
            let state = self.inherited(&Sighting::first(track)).unwrap_or_default();
            let memory = Memory { examined: None, sight: Sighting::last(track), is_succeeded: false, state };
            self.memories.insert(track.id, memory);
        }
        let memory = self.memories.get_mut(&track.id).expect("it has just been put in");
        let known = track.path.partition_point(|point| memory.examined.is_some_and(|at| point.at <= at));
        memory.examined = track.path.last().map(|point| point.at).max(memory.examined);
        // A predicted track was not seen at its predicted position.
        if track.last_seen > memory.sight.at {
            (memory.sight, memory.is_succeeded) = (Sighting::last(track), false);
        }
        (&mut memory.state, &track.path[known..])
    }

    /// Returns the state of a live track.
    pub(super) fn get(&self, id: TrackId) -> Option<&T> {
        self.memories.get(&id).map(|memory| &memory.state)
    }

    /// Returns the state of a live track, mutable.
    pub(super) fn get_mut(&mut self, id: TrackId) -> Option<&mut T> {
        self.memories.get_mut(&id).map(|memory| &mut memory.state)
    }

    /// Drops everything.
    pub(super) fn forget(&mut self) {
        self.memories.clear();
        self.lost.clear();
    }

    /// Number of live and lost tracks that are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.memories.len() + self.lost.len()
    }

    /// Takes over from the nearest track that the new one succeeds: a gone one, or a live one that is only predicted.
    fn inherited(&mut self, newcomer: &Sighting) -> Option<T> {
        let succeeds = self.succeeds?;
        let is_heir = |sight: &Sighting, state: &T| {
            sight.at < newcomer.at && sight.is_like(newcomer) && succeeds(state, sight, newcomer)
        };
        let away = |sight: &Sighting| sight.lengths_from(newcomer);
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
