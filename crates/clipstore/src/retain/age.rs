//! Age of stored items on a box with a wall clock that may be wrong. Pure.
//!
//! Removal by age is final, and a wall clock can be years off while it reports that it is synced (a GPS week that rolls
//! over, a broken time server). So:
//!
//! - Without a clock that is synced, or was synced in this boot, nothing is old.
//! - A clock that runs ahead of its evidence (time since boot; footage at its own pace) is **in doubt** by the
//!   difference, and ages count without the doubt. Time that passes removes it, a day per hour ([`CONFIDENCE`]): a clock
//!   that is wrong for an hour makes footage look a day older, not ten years. A box that was off for a month, with a
//!   right clock, is late by at most 30 hours.
//! - An item is **dated** if its clock could be trusted, and its time is neither after now nor before that of a dated
//!   item that is known to be older. An item that is not dated has no age of its own: it is old once a dated item that
//!   is known to be younger is old. So footage of a wrong clock is neither deleted at once when the clock is right again
//!   nor kept for years.

use std::time::Duration;

use crate::retain::segment_list::Segment;
use base::time::{ClockState, Monotonic, Stamp, WallTime};

/// Speed at which doubt goes away, in multiples of passing time.
const CONFIDENCE: i64 = 24;

/// Trust in the wall clock.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Last instant at which the clock could be trusted, and its time since boot, if it was in this run.
    last: Option<(WallTime, Option<Monotonic>)>,
    doubt_micros: i64,
}

impl Trust {
    /// Trust that follows from the footage recorded before this run. `segments` are ordered by id.
    pub fn from_footage(segments: &[Segment]) -> Self {
        let mut trust = Self::default();
        let mut confirmed_micros = 0;
        for segment in segments.iter().filter(|segment| segment.clock != ClockState::Unsynced) {
            trust.pass(segment.starts_at, None, confirmed_micros);
            // The next segment starts while this one is written, at its end, or after a gap.
            confirmed_micros = micros(segment.ends_at.since(segment.starts_at));
        }
        trust
    }

    /// Wall time from which ages count at `now`, at most that of the clock; `None` while there is none.
    pub fn believed(&mut self, now: Stamp) -> Option<WallTime> {
        if now.clock == ClockState::Unsynced {
            return None;
        }
        let since_boot = self.last.and_then(|(_, since_boot)| since_boot);
        let confirmed_micros = since_boot.map_or(0, |before| micros(now.monotonic.since(before)));
        self.pass(now.wall, Some(now.monotonic), confirmed_micros);
        Some(WallTime::from_micros(now.wall.as_micros().saturating_sub(self.doubt_micros)))
    }

    /// Takes a reading `wall` of the clock; at most `confirmed_micros` have passed for certain since the last one.
    fn pass(&mut self, wall: WallTime, since_boot: Option<Monotonic>, confirmed_micros: i64) {
        if let Some((last, _)) = self.last {
            let moved = wall.as_micros().saturating_sub(last.as_micros());
            let since_footage = since_boot.is_none();
            let confirmed = if since_footage { confirmed_micros.min(moved).max(0) } else { confirmed_micros };
            // Time that passed before a jump is no evidence for the jump.
            let left = self.doubt_micros.saturating_sub(confirmed.saturating_mul(CONFIDENCE)).max(0);
            self.doubt_micros = left.saturating_add(moved.saturating_sub(confirmed)).max(0);
        }
        self.last = Some((wall, since_boot));
    }
}

/// Times of an aging item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aging {
    /// Start of the item.
    pub at: WallTime,
    /// Time from which its age counts.
    pub since: WallTime,
    /// Trust in these times.
    pub clock: ClockState,
}

/// Marks those of `items`, from the oldest to the youngest, that are older than `age_max` at `now`.
pub(super) fn expired<T>(
    items: &[T],
    aging: impl Fn(&T) -> Aging,
    now: Option<WallTime>,
    age_max: Duration,
) -> Vec<bool> {
    let Some(now) = now else { return vec![false; items.len()] };
    let mut latest = WallTime::from_micros(i64::MIN);
    // By its own date; `None` for an item that is not dated.
    let mut own = Vec::with_capacity(items.len());
    for item in items {
        let Aging { at, since, clock } = aging(item);
        let is_dated = clock != ClockState::Unsynced && at <= now && at >= latest;
        latest = if is_dated { at } else { latest };
        own.push(is_dated.then(|| now.since(since) > age_max));
    }
    let mut expired = vec![false; items.len()];
    let mut younger_is = false;
    for (expired, own) in expired.iter_mut().zip(own).rev() {
        younger_is |= own == Some(true);
        *expired = own.unwrap_or(younger_is);
    }
    expired
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retain::segment_list::{CameraNumber, State};
    use ClockState::{Holdover, Synced, Unsynced};

    const HOUR: i64 = 3_600_000_000;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;

    fn stamp(wall: i64, since_boot: i64, clock: ClockState) -> Stamp {
        let monotonic = Monotonic::from_nanos(u64::try_from(since_boot).unwrap() * 1000);
        Stamp { wall: WallTime::from_micros(wall), monotonic, clock }
    }

    fn footage(starts: impl Iterator<Item = i64>) -> Vec<Segment> {
        let segment = |(id, start): (i64, i64)| Segment {
            id,
            bytes: 1,
            starts_at: WallTime::from_micros(start),
            ends_at: WallTime::from_micros(start + HOUR),
            camera: CameraNumber(0),
            clock: Synced,
            state: State::Ended,
        };
        (0..).zip(starts).map(segment).collect()
    }

    fn believed(trust: &mut Trust, now: Stamp) -> i64 {
        trust.believed(now).unwrap().as_micros()
    }

    #[test]
    fn a_clock_that_goes_steadily_is_believed() {
        let mut trust = Trust::from_footage(&footage((0..100).map(|hour| hour * HOUR)));
        assert_eq!(trust.believed(stamp(100 * HOUR, 5, Unsynced)), None);
        for hour in 0..50 {
            let now = stamp((101 + hour) * HOUR, hour * HOUR, Holdover);
            let behind = now.wall.as_micros() - believed(&mut trust, now);
            assert!(behind == 0 || hour == 0 && behind <= 2 * HOUR, "{behind}");
        }
    }

    #[test]
    fn a_wrong_hour_costs_a_day_and_not_ten_years() {
        let mut trust = Trust::from_footage(&footage((0..100).map(|hour| hour * HOUR)));
        let right = |minute: i64| 100 * HOUR + minute * HOUR / 60;
        for minute in 0..200 {
            believed(&mut trust, stamp(right(minute), minute * HOUR / 60, Synced));
        }
        for minute in 200..260 {
            let wrong = stamp(right(minute) + 10 * YEAR, minute * HOUR / 60, Synced);
            let ahead = believed(&mut trust, wrong) - right(minute);
            assert!((0..=DAY).contains(&ahead), "{ahead}");
        }
        assert_eq!(believed(&mut trust, stamp(right(260), 260 * HOUR / 60, Synced)), right(260));
    }

    #[test]
    fn a_restart_under_a_wrong_clock_does_not_make_it_right() {
        let wrong = (0..2).map(|hour| (100 + hour) * HOUR + 10 * YEAR);
        let mut trust = Trust::from_footage(&footage((0..100).map(|hour| hour * HOUR).chain(wrong)));
        let now = believed(&mut trust, stamp(102 * HOUR + 10 * YEAR, 5, Synced));
        assert!((99 * HOUR..102 * HOUR + 2 * DAY).contains(&now), "{now}");
    }

    #[test]
    fn a_box_that_was_off_for_a_month_believes_its_clock_after_thirty_hours() {
        let mut trust = Trust::from_footage(&footage((0..100).map(|hour| hour * HOUR)));
        let now = |hour: i64| stamp(100 * HOUR + 30 * DAY + hour * HOUR, hour * HOUR, Synced);
        assert!(believed(&mut trust, now(0)) < 102 * HOUR);
        for hour in 1..=31 {
            believed(&mut trust, now(hour));
        }
        assert_eq!(believed(&mut trust, now(32)), now(32).wall.as_micros());
    }

    #[test]
    fn what_is_not_dated_goes_with_the_next_that_is() {
        let age = |items: &[(i64, ClockState)], now: i64| -> Vec<bool> {
            let aging = |&(at, clock): &(i64, ClockState)| {
                let at = WallTime::from_micros(at * DAY);
                Aging { at, since: at, clock }
            };
            let limit = Duration::from_secs(30 * 24 * 3600);
            expired(items, aging, Some(WallTime::from_micros(now * DAY)), limit)
        };
        let never_synced = [(100, Synced), (-20_000, Unsynced), (110, Synced), (5, Unsynced)];
        assert_eq!(age(&never_synced, 135), [true, false, false, false]);
        assert_eq!(age(&never_synced, 141), [true, true, true, false]);
        let from_the_future = [(100, Synced), (4000, Synced), (101, Synced)];
        assert_eq!(age(&from_the_future, 130), [false; 3]);
        assert_eq!(age(&from_the_future, 132), [true; 3]);
        let from_the_past = [(100, Synced), (-7000, Synced), (101, Synced), (-7000, Synced)];
        assert_eq!(age(&from_the_past, 130), [false; 4]);
        assert_eq!(age(&from_the_past, 132), [true, true, true, false]);
        let aging =
            |_: &i32| Aging { at: WallTime::from_micros(0), since: WallTime::from_micros(0), clock: Synced };
        assert_eq!(expired(&[1], aging, None, Duration::ZERO), [false], "nothing is old without a clock");
    }
}
