//! Media times out of a camera's time stamps, held against arrival.
//!
//! Stamps are believed while they go at the pace at which pictures arrive. A single stamp that is off is passed over; a
//! clock that was set goes on from the arrival; stamps that go at another pace, or stand still, are stretched to arrival.

use std::collections::VecDeque;

use super::rtp::SenderReport;
use base::time::Monotonic;

const SECOND: i64 = 1_000_000_000;
/// The lag of stamps behind arrival is looked at over such windows.
const WINDOW: i64 = 2 * SECOND;
/// Windows that are remembered.
const WINDOWS: usize = 5;
/// A pace that differs by more than 5 % is another pace.
const PACE_MAX: i64 = WINDOW / 20;
/// By how much stamps and arrival have to part before the stamps are given up.
const PARTED_MIN: i64 = SECOND * 8 / 10;
/// The same where sender reports confirm the stamps: a network that falls behind does that.
const PARTED_CONFIRMED_MIN: i64 = 3 * SECOND;
/// Stamps that run ahead of arrival by more were set.
const AHEAD_MAX: i64 = SECOND * 3 / 2;
/// A burst of old pictures may come at the start, ahead of their times by as much.
const SETTLING: i64 = 5 * SECOND;
const SETTLING_AHEAD_MAX: i64 = 15 * SECOND;
/// A lag that stays this much longer than it was is taken up.
const SHIFT_MAX: i64 = 2 * SECOND;
/// The share by which clocks may differ without being wrong, per window.
const DRIFT: i64 = WINDOW / 1000;
/// The smallest step between two pictures in decoding order that are shown in that order.
const STEP_MIN: i64 = 1_000_000;
/// Pictures whose order is remembered.
const ORDER: usize = 16;
/// So many pictures in a row with the same stamp stand still.
const STANDING: u32 = 5;
/// By how much sender reports may be off: some cameras tell whole seconds.
const REPORT_SLACK: i64 = SECOND * 12 / 10;

/// A picture's place in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// Nanoseconds since the first picture; below zero for one that is shown before it.
    pub media: i64,
    /// The camera's clock was set before this picture.
    pub is_jump: bool,
    /// The pace is that of arrival.
    pub by_arrival: bool,
}

/// The lags of one window: the least one, when it opened, and the camera's time then.
#[derive(Debug, Clone, Copy)]
struct Window {
    least_lag: i64,
    opened: i64,
    camera: i64,
}

/// Point at which stamp and media time are known to be equal.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    stamp: u32,
    media: i64,
}

/// Times of one session.
#[derive(Debug)]
pub(super) struct Times {
    rate: i64,
    anchor: Option<Anchor>,
    /// A stamp that did not fit: where the camera's clock may be now.
    candidate: Option<Anchor>,
    first_arrival: i64,
    last_arrival: i64,
    /// The latest media time.
    latest: i64,
    recent: VecDeque<i64>,
    windows: VecDeque<Window>,
    /// The lag at which arrival and media time were set equal.
    settled_lag: Option<i64>,
    /// Media nanoseconds per stamp nanosecond.
    stretch: f64,
    by_arrival: bool,
    /// The camera's own time, without jumps.
    camera: i64,
    standing: u32,
    reports: Option<(SenderReport, SenderReport)>,
}

impl Times {
    pub fn new(clock_rate: u32) -> Self {
        Self {
            rate: i64::from(clock_rate.max(1)),
            anchor: None,
            candidate: None,
            first_arrival: 0,
            last_arrival: 0,
            latest: 0,
            recent: VecDeque::new(),
            windows: VecDeque::new(),
            settled_lag: None,
            stretch: 1.0,
            by_arrival: false,
            camera: 0,
            standing: 0,
            reports: None,
        }
    }

    /// Notes a report of the camera about its own clock.
    pub fn report(&mut self, report: SenderReport) {
        self.reports = match self.reports {
            Some((first, _)) if first.source == report.source => Some((first, report)),
            _ => Some((report, report)),
        };
    }

    /// Another source begins, whose stamps need not go on.
    pub fn source_changed(&mut self) {
        self.reports = None;
    }

    /// Places a picture with `stamp` that arrived at `arrival`; pictures come in decoding order, at most `reorder` of them
    /// before their turn.
    pub fn place(&mut self, stamp: u32, arrival: Monotonic, reorder: u8) -> Placed {
        let arrival = i64::try_from(arrival.as_nanos()).unwrap_or(i64::MAX);
        let Some(anchor) = self.anchor else {
            self.anchor = Some(Anchor { stamp, media: 0 });
            (self.first_arrival, self.last_arrival) = (arrival, arrival);
            self.recent.push_back(0);
            self.observe(0, arrival);
            return Placed { media: 0, is_jump: false, by_arrival: false };
        };
        let passed = (arrival - self.last_arrival).max(0);
        let stands = stamp == anchor.stamp;
        self.standing = if stands { self.standing + 1 } else { 0 };
        let (media, mut is_jump) = if stands {
            (self.latest + passed.max(STEP_MIN), false)
        } else {
            self.by_stamp(stamp, anchor, arrival, passed, reorder)
        };
        // The anchor stays: the next stamp is counted from where this one was first seen.
        self.by_arrival |= self.standing >= STANDING;
        self.last_arrival = arrival.max(self.last_arrival);
        self.latest = self.latest.max(media);
        if self.recent.len() == ORDER {
            self.recent.pop_front();
        }
        self.recent.push_back(media);
        is_jump |= self.observe(media, arrival);
        Placed { media, is_jump, by_arrival: self.by_arrival }
    }

    /// The media time that the stamp tells, or the one that arrival tells where it cannot be; and whether the clock was set.
    fn by_stamp(
        &mut self,
        stamp: u32,
        anchor: Anchor,
        arrival: i64,
        passed: i64,
        reorder: u8,
    ) -> (i64, bool) {
        let anchors = [Some((anchor, false)), self.candidate.map(|candidate| (candidate, true))];
        for (anchor, is_jump) in anchors.into_iter().flatten() {
            let (told, passed) = self.told(anchor, stamp);
            if self.is_plausible(told, arrival, reorder) {
                self.anchor = Some(Anchor { stamp, media: told });
                self.candidate = None;
                self.camera += passed;
                return (told, is_jump);
            }
        }
        let media = self.latest + passed.max(STEP_MIN);
        self.candidate = Some(Anchor { stamp, media });
        (media, false)
    }

    /// The media time of `stamp`, counted from `anchor`, and how much of the camera's own time lies between.
    fn told(&self, anchor: Anchor, stamp: u32) -> (i64, i64) {
        let ticks = i64::from(stamp.wrapping_sub(anchor.stamp).cast_signed());
        let nanos = ticks.saturating_mul(SECOND) / self.rate;
        let stretched = if self.stretch == 1.0 { nanos } else { (nanos as f64 * self.stretch) as i64 };
        (anchor.media.saturating_add(stretched), nanos)
    }

    fn is_plausible(&self, media: i64, arrival: i64, reorder: u8) -> bool {
        let earlier = self.recent.iter().filter(|recent| **recent >= media).count();
        if earlier > usize::from(reorder) || media < self.latest - AHEAD_MAX {
            return false;
        }
        let lag = (arrival - self.first_arrival) - media;
        let is_settled = arrival - self.first_arrival > SETTLING;
        let least = self.windows.iter().map(|window| window.least_lag).min().unwrap_or(lag);
        let ahead_max = if is_settled { AHEAD_MAX } else { SETTLING_AHEAD_MAX };
        lag >= least - ahead_max
    }

    /// Holds media time against arrival. Returns whether media time goes on elsewhere from the next picture on.
    fn observe(&mut self, media: i64, arrival: i64) -> bool {
        let since_first = arrival - self.first_arrival;
        let lag = since_first - media;
        match self.windows.back_mut() {
            Some(window) if since_first - window.opened < WINDOW => {
                window.least_lag = window.least_lag.min(lag);
                return false;
            }
            _ => {}
        }
        if !self.windows.is_empty() && self.judge(since_first, media) {
            return true;
        }
        if self.windows.len() > WINDOWS {
            self.windows.pop_front();
        }
        self.windows.push_back(Window { least_lag: lag, opened: since_first, camera: self.camera });
        false
    }

    /// Looks at the complete windows.
    fn judge(&mut self, since_first: i64, media: i64) -> bool {
        let lags: Vec<i64> = self.windows.iter().map(|window| window.least_lag).collect();
        let newest = lags.iter().rev().take(3).copied().min().unwrap_or(0);
        if self.by_arrival {
            self.stretch_to(since_first, media);
            return false;
        }
        let settled = *self.settled_lag.get_or_insert(newest);
        let settled = settled + (newest - settled).clamp(-DRIFT, DRIFT);
        self.settled_lag = Some(settled);
        let steps: Vec<i64> = lags.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let parted: i64 = steps.iter().sum();
        let is_other_pace = steps.len() >= 4
            && (steps.iter().all(|step| *step > PACE_MAX) || steps.iter().all(|step| *step < -PACE_MAX));
        let is_far_other = steps.len() >= 2 && steps.iter().rev().take(2).all(|step| step.abs() > WINDOW / 2);
        let bound = if self.is_confirmed() { PARTED_CONFIRMED_MIN } else { PARTED_MIN };
        let total = (newest - settled).abs().max(parted.abs());
        if is_far_other || is_other_pace && total > bound {
            self.by_arrival = true;
            self.stretch_to(since_first, media);
            self.catch_up(lags.last().copied().unwrap_or(0));
            return true;
        }
        let is_shifted = lags.len() >= WINDOWS && lags.iter().all(|lag| lag - settled > SHIFT_MAX);
        if is_shifted {
            self.catch_up(newest - settled);
            self.settled_lag = Some(settled.min(0));
            return true;
        }
        false
    }

    /// True if the camera's own reports say that its stamps go at the pace of its clock.
    fn is_confirmed(&self) -> bool {
        let Some((first, last)) = self.reports else { return false };
        let by_clock = (i128::from(last.ntp.wrapping_sub(first.ntp)) * i128::from(SECOND)) >> 32;
        let by_clock = i64::try_from(by_clock).unwrap_or(0);
        let stamps = i64::from(last.time.wrapping_sub(first.time).cast_signed());
        let by_stamps = stamps.saturating_mul(SECOND) / self.rate;
        by_clock > 3 * SECOND && (by_clock - by_stamps).abs() < REPORT_SLACK + by_clock / 33
    }

    /// Moves media time `lag` ahead, from the next picture on.
    fn catch_up(&mut self, lag: i64) {
        if lag <= 0 {
            return;
        }
        for anchor in self.anchor.iter_mut().chain(&mut self.candidate) {
            anchor.media += lag;
        }
        self.latest += lag;
        self.windows.clear();
    }

    /// Measures the pace of arrival over the windows, and lets media time meet arrival within the next window.
    fn stretch_to(&mut self, since_first: i64, media: i64) {
        let Some(oldest) = self.windows.front() else { return };
        let (passed, told) = (since_first - oldest.opened, self.camera - oldest.camera);
        if passed <= 0 || told <= 0 {
            return;
        }
        let pace = passed as f64 / told as f64;
        let lag = (since_first - media) as f64 / WINDOW as f64;
        // A tenth at most, so that no picture stands for long.
        self.stretch = (pace * (1.0 + lag.clamp(-0.1, 0.1))).clamp(1e-4, 1e6);
    }
}
