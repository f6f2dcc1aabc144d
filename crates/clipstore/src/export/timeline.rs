//! Time between two fragments of a camera. Pure.
//!
//! An exported file's timeline follows the wall clock. The time that really passed comes from the best source: within a
//! session the stream's own times, within a boot the clock since boot, else the wall clock. A wall clock that was set in
//! between changes the names of the times and not the length of anything. Time never runs backwards: where it would,
//! nothing is missing.

use std::sync::Arc;
use std::time::Duration;

use base::ids::Epoch;
use base::time::WallTime;

/// Less than this is a camera's unevenness, not a gap.
const GAP_MIN_MICROS: i64 = 500_000;
/// Maximum difference of two clocks that agree. Beyond it, the wall clock was set, or it is another session.
const AGREE_MICROS: i64 = 1_000_000;

/// Times of a fragment on all the clocks there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FragmentTimes {
    /// Boot from which `monotonic_micros` counts.
    pub boot: Arc<str>,
    /// The session; counted from 0 by each run of the daemon.
    pub epoch: Epoch,
    /// Arrival of its first sample.
    pub wall: WallTime,
    /// The same since boot.
    pub monotonic_micros: i64,
    /// Presentation time of its first sample since the session's start.
    pub pts_micros: i64,
    /// Playing time.
    pub duration: Duration,
    /// Decoding time of its first sample in ticks.
    pub decode_time: u64,
    /// The durations of its samples together, in ticks.
    pub ticks: u64,
    /// Ticks per second.
    pub timescale: u32,
}

/// Time between two fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Join {
    /// From the end of the first to the start of the second, in ticks of the second; may be a little below zero.
    pub ticks: i64,
    /// The same in microseconds, not below zero.
    pub missing_micros: i64,
    /// Step of the wall clock in between, where it was set.
    pub clock_step_micros: Option<i64>,
    /// True if footage may be missing here, or its times were changed: to be reported.
    pub is_gap: bool,
}

/// Time between `before` and the next younger fragment.
pub(super) fn join(before: &FragmentTimes, after: &FragmentTimes) -> Join {
    let length = i64::try_from(before.duration.as_micros()).unwrap_or(i64::MAX);
    let passed = |from: i64, to: i64| to.saturating_sub(from).saturating_sub(length);
    let by_wall = passed(before.wall.as_micros(), after.wall.as_micros());
    let by_boot = passed(before.monotonic_micros, after.monotonic_micros);
    let by_stream = passed(before.pts_micros, after.pts_micros);
    let is_same_boot = before.boot == after.boot;
    let is_same_session =
        is_same_boot && before.epoch == after.epoch && (by_boot - by_stream).abs() <= 2 * AGREE_MICROS;

    let between = match (is_same_session, is_same_boot) {
        (true, _) => by_stream,
        (false, true) => by_boot,
        (false, false) => by_wall,
    };
    let exact = is_same_session.then(|| ticks_between(before, after)).flatten();
    let exact = exact.filter(|ticks| (micros(*ticks, after.timescale) - by_stream).abs() <= AGREE_MICROS);
    let ticks = exact.unwrap_or_else(|| self::ticks(between.max(0), after.timescale));
    let missing_micros = micros(ticks, after.timescale).max(0);
    // Across a boot only a step back can be seen.
    let step = if is_same_boot { by_wall.saturating_sub(by_boot) } else { by_wall.min(0) };
    let clock_step_micros = (step.abs() > AGREE_MICROS).then_some(step);
    let is_gap = missing_micros > GAP_MIN_MICROS || !is_same_session || clock_step_micros.is_some();
    Join { ticks, missing_micros, clock_step_micros, is_gap }
}

/// By the samples' own times, where both count the same ticks.
fn ticks_between(before: &FragmentTimes, after: &FragmentTimes) -> Option<i64> {
    let end = before.decode_time.checked_add(before.ticks)?;
    (before.timescale == after.timescale).then(|| after.decode_time.wrapping_sub(end).cast_signed())
}

/// Microseconds in ticks.
pub(super) fn ticks(micros: i64, timescale: u32) -> i64 {
    scaled(micros, 1_000_000, timescale)
}

/// Ticks in microseconds.
pub(super) fn micros(ticks: i64, timescale: u32) -> i64 {
    scaled(ticks, timescale, 1_000_000)
}

/// `value` of `from` per second in `to` per second, to the nearest.
pub(super) fn scaled(value: i64, from: u32, to: u32) -> i64 {
    let product = i128::from(value) * i128::from(to);
    let half = i128::from(from / 2) * product.signum();
    i64::try_from((product + half) / i128::from(from)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// A fragment of two seconds, `seconds` after the session's start.
    fn place(seconds: i64) -> FragmentTimes {
        FragmentTimes {
            boot: "boot".into(),
            epoch: Epoch(0),
            wall: WallTime::from_micros((1_000_000 + seconds) * SECOND),
            monotonic_micros: (100 + seconds) * SECOND,
            pts_micros: seconds * SECOND,
            duration: Duration::from_secs(2),
            decode_time: seconds as u64 * 1000,
            ticks: 2000,
            timescale: 1000,
        }
    }

    #[test]
    fn neighbours_have_nothing_between_them() {
        let expected = Join { ticks: 0, missing_micros: 0, clock_step_micros: None, is_gap: false };
        assert_eq!(join(&place(0), &place(2)), expected);
        let late = FragmentTimes { decode_time: 2001, ..place(2) };
        assert_eq!(join(&place(0), &late), Join { ticks: 1, missing_micros: 1000, ..expected });
        let early = FragmentTimes { decode_time: 1999, ..place(2) };
        assert_eq!(join(&place(0), &early), Join { ticks: -1, ..expected });
    }

    #[test]
    fn a_hole_in_a_session_is_as_long_as_the_stream_says() {
        let hole = join(&place(0), &place(7));
        assert_eq!((hole.ticks, hole.missing_micros, hole.is_gap), (5000, 5 * SECOND, true));
    }

    #[test]
    fn a_clock_that_is_set_changes_no_length() {
        for step in [-3600, 5, 1_700_000_000] {
            let after = place(7);
            let wall = WallTime::from_micros(after.wall.as_micros() + step * SECOND);
            for epoch in [Epoch(0), Epoch(1)] {
                let after = FragmentTimes { wall, epoch, ..after.clone() };
                let join = join(&place(0), &after);
                assert_eq!(join.missing_micros, 5 * SECOND, "{step} {epoch}");
                assert_eq!((join.clock_step_micros, join.is_gap), (Some(step * SECOND), true));
            }
        }
    }

    #[test]
    fn a_new_session_is_placed_by_the_boots_clock_and_a_new_boot_by_the_wall() {
        // A daemon that was restarted counts epochs, and times, from the start again.
        let new_run = FragmentTimes { pts_micros: 0, decode_time: 77, ..place(10) };
        let gap = join(&place(0), &new_run);
        assert_eq!((gap.ticks, gap.is_gap, gap.clock_step_micros), (8000, true, None));
        let new_boot = FragmentTimes { boot: "next".into(), monotonic_micros: 9 * SECOND, ..new_run };
        let gap = join(&place(0), &new_boot);
        assert_eq!((gap.ticks, gap.is_gap, gap.clock_step_micros), (8000, true, None));
        let stepped_back = FragmentTimes { wall: WallTime::from_micros(5), ..new_boot };
        let gap = join(&place(0), &stepped_back);
        assert_eq!((gap.ticks, gap.missing_micros), (0, 0));
        assert!(gap.clock_step_micros.is_some_and(|step| step < 0));
    }

    #[test]
    fn a_session_that_counts_other_ticks_is_placed_by_its_rows() {
        let other = FragmentTimes { timescale: 90_000, decode_time: 5, ..place(7) };
        assert_eq!(join(&place(0), &other).ticks, 5 * 90_000);
        let strange = FragmentTimes { decode_time: u64::MAX, ..place(7) };
        assert_eq!(join(&place(0), &strange).ticks, 5000);
    }
}
