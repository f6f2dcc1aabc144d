//! Selection of the segments to delete, with reasons. Pure: no file is touched and no clock is read here.
//!
//! In this order: segments that are too old and that nothing pins; those beyond a camera's share; those beyond the limit of all
//! cameras, or that the disk needs for its headroom. For the limit and the headroom, cameras with more than half of an equal part
//! give first. Then segments that nothing pins go before those that an alert pins, and always the oldest (smallest id) first.
//! An alert's pin ends with its lifetime. Held evidence is never deleted, nor is a segment that is being written.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::retain::age::{self, Aging};
use crate::retain::segment_list::{CameraNumber, Segment, State};
use base::time::{ClockState, WallTime};

/// Ceiling of an amount of footage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ceiling {
    /// Above this, segments are deleted.
    pub bytes_max: u64,
    /// Down to this; the difference keeps the planner from being called for each fragment.
    pub bytes_goal: u64,
}

/// Limits that the segments have to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// For all segments together.
    pub total: Ceiling,
    /// For those of one camera, by its number; a camera beyond the end has none.
    pub shares: Vec<Ceiling>,
    /// Number of bytes to free, regardless of the ceilings.
    pub bytes_short: u64,
    /// Number of files to delete, regardless of the ceilings.
    pub inodes_short: u64,
    /// Maximum age of a segment that nothing pins.
    pub clip_age_max: Duration,
    /// Lifetime of an alert's pin.
    pub alert_age_max: Duration,
}

/// Footage that an alert pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pin {
    /// Number of the alert's first message: the greater the younger.
    pub seq: u64,
    /// Its camera.
    pub camera: CameraNumber,
    /// Its start, pre-roll included.
    pub from: WallTime,
    /// Its end, post-roll included; [`FOREVER`] while the alert is open.
    pub to: WallTime,
    /// Start of the event.
    pub opened_at: WallTime,
    /// Time from which the pin's lifetime counts: the event's end, or its start while it is open.
    pub since: WallTime,
    /// Trust in these times.
    pub clock: ClockState,
}

impl Pin {
    fn aging(&self) -> Aging {
        Aging { at: self.opened_at, since: self.since, clock: self.clock }
    }

    /// Returns true if it pins a segment, as long as it is alive. Touching is not overlapping.
    pub fn overlaps(&self, segment: &Segment) -> bool {
        self.camera == segment.camera && segment.starts_at < self.to && segment.ends_at > self.from
    }
}

/// Time after all others.
pub(super) const FOREVER: WallTime = WallTime::from_micros(i64::MAX);

/// Spans of time per camera.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spans {
    /// By camera number: from and to, apart from each other, in order.
    cameras: Vec<Vec<(WallTime, WallTime)>>,
}

/// Footage that is held as evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Every segment is held: a hold cannot be read.
    pub everything: bool,
    /// Segments that overlap one of these are held.
    pub spans: Spans,
    /// These segments are held.
    pub ids: HashSet<i64>,
}

/// Reason why a segment is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is too old.
    Age,
    /// Its camera has more than its share.
    Share,
    /// There is more than the limit.
    Limit,
    /// The disk has too little left.
    Headroom,
}

/// Limits that cannot be reached, since all that is left is held, stuck or being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unmet {
    /// True if there is more than the limit.
    pub total: bool,
    /// The cameras with more than their share.
    pub cameras: Vec<CameraNumber>,
    /// True if the disk has less than its headroom.
    pub headroom: bool,
}

/// Result of the planner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The segments to delete, in the order of their deletion.
    pub deletions: VecDeque<(i64, Reason)>,
    /// Limits that cannot be reached.
    pub unmet: Unmet,
    /// Bytes of the segments that are held.
    pub held_bytes: u64,
    /// The same per camera, by number; a camera beyond the end has none.
    pub camera_held_bytes: Vec<u64>,
    /// Bytes of the segments that alerts pin and nothing holds.
    pub pinned_bytes: u64,
}

/// Selects the segments to delete.
///
/// `segments` are ordered by id and `pins` by seq. `now` is the time from which ages count (see [`age`]); without it
/// nothing is too old and every pin is alive. Takes O((s + p) log p) for s segments and p pins.
pub(super) fn plan(
    segments: &[Segment],
    pins: &[Pin],
    held: &Held,
    limits: &Limits,
    now: Option<WallTime>,
) -> Plan {
    let pinned = alive(pins, now, limits.alert_age_max);
    let mut selection = Selection::new(segments, &pinned, held);
    selection.ages(limits.clip_age_max, now);
    selection.shares(&limits.shares);
    selection.total(limits);
    selection.plan.unmet = selection.unmet(limits);
    selection.plan
}

/// Marks those of `pins` that are past their lifetime at `now`.
pub(super) fn outlived(pins: &[Pin], now: Option<WallTime>, age_max: Duration) -> Vec<bool> {
    age::expired(pins, Pin::aging, now, age_max)
}

fn alive(pins: &[Pin], now: Option<WallTime>, age_max: Duration) -> Spans {
    let outlived = outlived(pins, now, age_max);
    let alive = pins.iter().zip(outlived).filter(|(_, outlived)| !outlived);
    alive.map(|(pin, _)| (pin.camera, pin.from, pin.to)).collect()
}

impl FromIterator<(CameraNumber, WallTime, WallTime)> for Spans {
    fn from_iter<I: IntoIterator<Item = (CameraNumber, WallTime, WallTime)>>(spans: I) -> Self {
        let mut cameras: Vec<Vec<(WallTime, WallTime)>> = Vec::new();
        for (camera, from, to) in spans {
            let number = usize::from(camera.0);
            cameras.resize_with(cameras.len().max(number + 1), Vec::new);
            cameras[number].push((from, to));
        }
        for spans in &mut cameras {
            spans.sort_unstable();
            spans.dedup_by(|next, last| {
                // Spans that only touch stay apart: a segment without length between the two is in neither.
                let joined = next.0 < last.1;
                if joined {
                    last.1 = last.1.max(next.1);
                }
                joined
            });
        }
        Self { cameras }
    }
}

impl Spans {
    /// Returns true if a segment overlaps one of them. Touching is not overlapping.
    fn overlap(&self, segment: &Segment) -> bool {
        let Some(spans) = self.cameras.get(usize::from(segment.camera.0)) else { return false };
        let first = spans.partition_point(|(_, to)| *to <= segment.starts_at);
        spans.get(first).is_some_and(|(from, _)| *from < segment.ends_at)
    }
}

impl Held {
    /// Returns true if a segment is held.
    pub fn holds(&self, segment: &Segment) -> bool {
        self.everything
            || !self.ids.is_empty() && self.ids.contains(&segment.id)
            || self.spans.overlap(segment)
    }
}

/// Class of a segment for its deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Held, stuck, being written, or chosen already.
    Kept,
    Unpinned,
    Pinned,
}

/// Segments while those to delete are chosen.
struct Selection<'a> {
    segments: &'a [Segment],
    classes: Vec<Class>,
    /// Bytes that are left of all, and of each camera.
    bytes: u64,
    camera_bytes: Vec<u64>,
    bytes_freed: u64,
    plan: Plan,
}

impl<'a> Selection<'a> {
    fn new(segments: &'a [Segment], pinned: &Spans, held: &Held) -> Self {
        let classes = Vec::with_capacity(segments.len());
        let (camera_bytes, plan) = (Vec::new(), Plan::default());
        let mut selection = Self { segments, classes, bytes: 0, camera_bytes, bytes_freed: 0, plan };
        for segment in segments {
            let class = selection.class(segment, pinned, held);
            selection.classes.push(class);
            selection.bytes += segment.bytes;
            *of_camera(&mut selection.camera_bytes, segment) += segment.bytes;
        }
        selection
    }

    fn class(&mut self, segment: &Segment, pinned: &Spans, held: &Held) -> Class {
        let class = if held.holds(segment) {
            self.plan.held_bytes += segment.bytes;
            *of_camera(&mut self.plan.camera_held_bytes, segment) += segment.bytes;
            Class::Kept
        } else if pinned.overlap(segment) {
            self.plan.pinned_bytes += segment.bytes;
            Class::Pinned
        } else {
            Class::Unpinned
        };
        if segment.state == State::Ended { class } else { Class::Kept }
    }

    fn ages(&mut self, age_max: Duration, now: Option<WallTime>) {
        let aging =
            |segment: &Segment| Aging { at: segment.starts_at, since: segment.ends_at, clock: segment.clock };
        let expired = age::expired(self.segments, aging, now, age_max);
        for place in (0..self.segments.len()).filter(|place| expired[*place]) {
            if self.classes[place] == Class::Unpinned {
                self.delete(place, Reason::Age);
            }
        }
    }

    fn shares(&mut self, shares: &[Ceiling]) {
        let mut goals = vec![u64::MAX; shares.len()];
        for (number, share) in shares.iter().enumerate() {
            if self.bytes_of(number) > share.bytes_max {
                goals[number] = share.bytes_goal;
            }
        }
        if goals.iter().all(|goal| *goal == u64::MAX) {
            return;
        }
        for class in [Class::Unpinned, Class::Pinned] {
            for place in 0..self.segments.len() {
                let number = usize::from(self.segments[place].camera.0);
                let goal = goals.get(number).copied().unwrap_or(u64::MAX);
                if self.classes[place] == class && self.camera_bytes[number] > goal {
                    self.delete(place, Reason::Share);
                }
            }
        }
    }

    fn total(&mut self, limits: &Limits) {
        let goal = if self.bytes > limits.total.bytes_max { limits.total.bytes_goal } else { u64::MAX };
        let own = self.half_part();
        for (class, floor) in [
            (Class::Unpinned, Some(own)),
            (Class::Pinned, Some(own)),
            (Class::Unpinned, None),
            (Class::Pinned, None),
        ] {
            for place in 0..self.segments.len() {
                let reason = if self.bytes > goal { Reason::Limit } else { Reason::Headroom };
                if reason == Reason::Headroom && self.has_freed(limits) {
                    return;
                }
                let camera = usize::from(self.segments[place].camera.0);
                let gives = floor.is_none_or(|floor| self.camera_bytes[camera] > floor);
                if self.classes[place] == class && gives {
                    self.delete(place, reason);
                }
            }
        }
    }

    /// Half of the part that each camera would have of all footage, were the parts equal. A camera with no more than that
    /// gives last: one that sends much, by a fault or on purpose, pushes its own footage out.
    fn half_part(&self) -> u64 {
        let cameras = self.camera_bytes.iter().filter(|bytes| **bytes > 0).count() as u64;
        self.bytes / (2 * cameras.max(1))
    }

    fn delete(&mut self, place: usize, reason: Reason) {
        let segment = &self.segments[place];
        if self.classes[place] == Class::Pinned {
            self.plan.pinned_bytes -= segment.bytes;
        }
        self.classes[place] = Class::Kept;
        self.bytes -= segment.bytes;
        *of_camera(&mut self.camera_bytes, segment) -= segment.bytes;
        self.bytes_freed += segment.bytes;
        self.plan.deletions.push_back((segment.id, reason));
    }

    fn has_freed(&self, limits: &Limits) -> bool {
        self.bytes_freed >= limits.bytes_short && self.plan.deletions.len() as u64 >= limits.inodes_short
    }

    fn unmet(&self, limits: &Limits) -> Unmet {
        let cameras = (0..).zip(&limits.shares);
        let unmet = cameras.filter(|(number, share)| self.bytes_of(usize::from(*number)) > share.bytes_max);
        Unmet {
            total: self.bytes > limits.total.bytes_max,
            cameras: unmet.map(|(number, _)| CameraNumber(number)).collect(),
            headroom: !self.has_freed(limits),
        }
    }

    /// Bytes that are left of one camera.
    fn bytes_of(&self, camera: usize) -> u64 {
        self.camera_bytes.get(camera).copied().unwrap_or_default()
    }
}

fn of_camera<'a>(bytes: &'a mut Vec<u64>, segment: &Segment) -> &'a mut u64 {
    let number = usize::from(segment.camera.0);
    bytes.resize(bytes.len().max(number + 1), 0);
    &mut bytes[number]
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod year;
