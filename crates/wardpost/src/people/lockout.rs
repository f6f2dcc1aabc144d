//! The lock-out after failures: a name or an address that fails too often waits. Pure: the time is an argument.

use std::time::Duration;

use base::time::WallTime;

/// Failures of one login name that lock it.
pub const NAME_FAILURES_MAX: u32 = 5;
/// Failures from one address that lock it. Several officers may share an address.
pub const ADDRESS_FAILURES_MAX: u32 = 20;
/// Time for which a name or an address stays locked, and after which its failures are forgotten.
pub const LOCKED_FOR: Duration = Duration::from_secs(5 * 60);

/// Failures in a row of a name or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// Number of failures since the last success.
    pub count: u32,
    /// Time of the last one.
    pub last_at: WallTime,
}

impl Failures {
    /// The failures after one more at `now`. Failures older than [`LOCKED_FOR`] do not count.
    pub fn and_one(before: Option<Self>, now: WallTime) -> Self {
        let kept = before.filter(|before| !before.is_over(now)).map_or(0, |before| before.count);
        Self { count: kept.saturating_add(1), last_at: now }
    }

    /// End of the lock at `now`, where there is one.
    pub fn locked_until(self, max: u32, now: WallTime) -> Option<WallTime> {
        (self.count >= max && !self.is_over(now)).then(|| self.last_at + LOCKED_FOR)
    }

    /// True where the failures are forgotten. A clock that was set back does not lengthen a lock for ever.
    fn is_over(self, now: WallTime) -> bool {
        now.since(self.last_at) >= LOCKED_FOR || self.last_at.since(now) >= LOCKED_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> WallTime {
        WallTime::from_micros((1_777_673_644 + seconds) * 1_000_000)
    }

    fn after(failures: &[i64]) -> Option<Failures> {
        failures.iter().fold(None, |before, second| Some(Failures::and_one(before, at(*second))))
    }

    #[test]
    fn the_fifth_failure_locks_for_five_minutes() {
        let four = after(&[0, 10, 20, 30]).unwrap();
        assert_eq!(four.locked_until(NAME_FAILURES_MAX, at(31)), None);
        let five = after(&[0, 10, 20, 30, 40]).unwrap();
        assert_eq!(five.locked_until(NAME_FAILURES_MAX, at(41)), Some(at(340)));
        assert_eq!(five.locked_until(NAME_FAILURES_MAX, at(339)), Some(at(340)));
        assert_eq!(five.locked_until(NAME_FAILURES_MAX, at(340)), None);
    }

    #[test]
    fn old_failures_do_not_add_up() {
        let spread = after(&[0, 301, 602, 903, 1204, 1505]).unwrap();
        assert_eq!(spread.count, 1);
    }

    #[test]
    fn a_clock_that_was_set_back_ends_the_lock() {
        let five = after(&[4000, 4001, 4002, 4003, 4004]).unwrap();
        assert_eq!(five.locked_until(NAME_FAILURES_MAX, at(0)), None);
    }
}
