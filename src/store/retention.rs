//! Which segments go, and why. Pure: no file is touched and no clock is read here.
//!
//! In this order: what is too old; what a camera has beyond its share; what all cameras have beyond the limit, or
//! what the disk needs to have its headroom. Within each: what nothing pins before what an alert pins, and the oldest
//! (smallest id) first. What is held as evidence never goes, nor does a segment that is being written.

use std::collections::HashSet;
use std::time::Duration;

use super::age::{self, Aging};
use super::ring::{CameraNumber, Segment, State};
use crate::domain::time::{ClockState, WallTime};

/// How much there may be of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ceiling {
    /// Above this something goes.
    pub bytes_max: u64,
    /// Down to this; the difference is what keeps the planner from being asked for each fragment.
    pub bytes_goal: u64,
}

/// What the segments have to keep to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// For all segments together.
    pub total: Ceiling,
    /// For those of one camera, by its number; a camera beyond the end has none.
    pub shares: Vec<Ceiling>,
    /// How many bytes have to be freed, whatever the ceilings say.
    pub bytes_short: u64,
    /// How many files have to go, whatever the ceilings say.
    pub inodes_short: u64,
    /// How old a segment that nothing pins may be.
    pub clip_age_max: Duration,
    /// For how long an alert pins.
    pub alert_age_max: Duration,
}

/// Footage that an alert pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pin {
    /// Place of the alert's first message: the greater the younger.
    pub seq: u64,
    /// Whose.
    pub camera: CameraNumber,
    /// From when, pre-roll included.
    pub from: WallTime,
    /// Until when, post-roll included; [`FOREVER`] while the alert is open.
    pub to: WallTime,
    /// When the event began.
    pub opened_at: WallTime,
    /// From when the pin's lifetime counts: when the event ended, or began, while it is open.
    pub since: WallTime,
    /// How far these times can be trusted.
    pub clock: ClockState,
}

impl Pin {
    /// Whether it pins a segment, as long as it is alive. Touching is not overlapping.
    pub fn overlaps(&self, segment: &Segment) -> bool {
        self.camera == segment.camera && segment.starts_at < self.to && segment.ends_at > self.from
    }
}

/// After everything.
pub(super) const FOREVER: WallTime = WallTime::from_micros(i64::MAX);

/// Spans of time per camera.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spans {
    /// By camera number: from and to, apart from each other, in order.
    cameras: Vec<Vec<(WallTime, WallTime)>>,
}

/// What is held as evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Every segment is: a hold cannot be read.
    pub everything: bool,
    /// What overlaps one of these is.
    pub spans: Spans,
    /// These segments are.
    pub ids: HashSet<i64>,
}

/// Why a segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It is too old.
    Age,
    /// Its camera has more than its share.
    Share,
    /// There is more than the limit.
    Limit,
    /// The disk has too little left.
    Headroom,
}

/// What cannot be reached, since all that is left is held, stuck or being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Short {
    /// Whether there is more than the limit.
    pub total: bool,
    /// The cameras with more than their share.
    pub cameras: Vec<CameraNumber>,
    /// Whether the disk has less than its headroom.
    pub headroom: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The segments that go, in the order in which they go.
    pub going: Vec<(i64, Why)>,
    /// What of the limits cannot be reached.
    pub short: Short,
    /// Bytes of the segments that are held.
    pub held_bytes: u64,
    /// The same per camera, by number; a camera beyond the end has none.
    pub camera_held_bytes: Vec<u64>,
    /// Bytes of the segments that alerts pin and nothing holds.
    pub pinned_bytes: u64,
}

/// Decides what goes.
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
    let mut sweep = Sweep::new(segments, &pinned, held);
    sweep.ages(limits.clip_age_max, now);
    sweep.shares(&limits.shares);
    sweep.total(limits);
    sweep.plan.short = sweep.short(limits);
    sweep.plan
}

/// Which of `pins` are past their lifetime at `now`.
pub(super) fn outlived(pins: &[Pin], now: Option<WallTime>, age_max: Duration) -> Vec<bool> {
    let aging = |pin: &Pin| Aging { at: pin.opened_at, since: pin.since, clock: pin.clock };
    age::expired(pins, aging, now, age_max)
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
                // What only touches stays apart: a segment without length between the two is in neither.
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
    /// Whether a segment overlaps one of them. Touching is not overlapping.
    fn overlap(&self, segment: &Segment) -> bool {
        let Some(spans) = self.cameras.get(usize::from(segment.camera.0)) else { return false };
        let first = spans.partition_point(|(_, to)| *to <= segment.starts_at);
        spans.get(first).is_some_and(|(from, _)| *from < segment.ends_at)
    }
}

impl Held {
    /// Whether a segment is held.
    pub fn holds(&self, segment: &Segment) -> bool {
        self.everything
            || !self.ids.is_empty() && self.ids.contains(&segment.id)
            || self.spans.overlap(segment)
    }
}

/// What may become of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Stays,
    Unpinned,
    Pinned,
}

/// Segments on their way out.
struct Sweep<'a> {
    segments: &'a [Segment],
    classes: Vec<Class>,
    /// What is left of all, and of each camera.
    bytes: u64,
    camera_bytes: Vec<u64>,
    bytes_freed: u64,
    plan: Plan,
}

impl<'a> Sweep<'a> {
    fn new(segments: &'a [Segment], pinned: &Spans, held: &Held) -> Self {
        let classes = Vec::with_capacity(segments.len());
        let (camera_bytes, plan) = (Vec::new(), Plan::default());
        let mut sweep = Self { segments, classes, bytes: 0, camera_bytes, bytes_freed: 0, plan };
        for segment in segments {
            let class = sweep.class(segment, pinned, held);
            sweep.classes.push(class);
            sweep.bytes += segment.bytes;
            *of_camera(&mut sweep.camera_bytes, segment) += segment.bytes;
        }
        sweep
    }

    fn class(&mut self, segment: &Segment, pinned: &Spans, held: &Held) -> Class {
        let class = if held.holds(segment) {
            self.plan.held_bytes += segment.bytes;
            *of_camera(&mut self.plan.camera_held_bytes, segment) += segment.bytes;
            Class::Stays
        } else if pinned.overlap(segment) {
            self.plan.pinned_bytes += segment.bytes;
            Class::Pinned
        } else {
            Class::Unpinned
        };
        if segment.state == State::Ended { class } else { Class::Stays }
    }

    fn ages(&mut self, age_max: Duration, now: Option<WallTime>) {
        let aging =
            |segment: &Segment| Aging { at: segment.starts_at, since: segment.ends_at, clock: segment.clock };
        let expired = age::expired(self.segments, aging, now, age_max);
        for place in (0..self.segments.len()).filter(|place| expired[*place]) {
            if self.classes[place] == Class::Unpinned {
                self.go(place, Why::Age);
            }
        }
    }

    fn shares(&mut self, shares: &[Ceiling]) {
        let over = |(number, share): (usize, &Ceiling)| {
            let bytes = self.camera_bytes.get(number).copied().unwrap_or_default();
            if bytes > share.bytes_max { share.bytes_goal } else { u64::MAX }
        };
        let goals: Vec<u64> = shares.iter().enumerate().map(over).collect();
        if goals.iter().all(|goal| *goal == u64::MAX) {
            return;
        }
        for class in [Class::Unpinned, Class::Pinned] {
            for place in 0..self.segments.len() {
                let number = usize::from(self.segments[place].camera.0);
                let goal = goals.get(number).copied().unwrap_or(u64::MAX);
                if self.classes[place] == class && self.camera_bytes[number] > goal {
                    self.go(place, Why::Share);
                }
            }
        }
    }

    fn total(&mut self, limits: &Limits) {
        let goal = if self.bytes > limits.total.bytes_max { limits.total.bytes_goal } else { u64::MAX };
        for class in [Class::Unpinned, Class::Pinned] {
            for place in 0..self.segments.len() {
                let why = if self.bytes > goal { Why::Limit } else { Why::Headroom };
                if why == Why::Headroom && self.has_freed(limits) {
                    return;
                }
                if self.classes[place] == class {
                    self.go(place, why);
                }
            }
        }
    }

    fn go(&mut self, place: usize, why: Why) {
        let segment = &self.segments[place];
        if self.classes[place] == Class::Pinned {
            self.plan.pinned_bytes -= segment.bytes;
        }
        self.classes[place] = Class::Stays;
        self.bytes -= segment.bytes;
        *of_camera(&mut self.camera_bytes, segment) -= segment.bytes;
        self.bytes_freed += segment.bytes;
        self.plan.going.push((segment.id, why));
    }

    fn has_freed(&self, limits: &Limits) -> bool {
        self.bytes_freed >= limits.bytes_short && self.plan.going.len() as u64 >= limits.inodes_short
    }

    fn short(&self, limits: &Limits) -> Short {
        let over = |(number, share): (u16, &Ceiling)| {
            let bytes = self.camera_bytes.get(usize::from(number)).copied().unwrap_or_default();
            (bytes > share.bytes_max).then_some(CameraNumber(number))
        };
        Short {
            total: self.bytes > limits.total.bytes_max,
            cameras: (0..).zip(&limits.shares).filter_map(over).collect(),
            headroom: !self.has_freed(limits),
        }
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
