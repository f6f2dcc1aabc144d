//! Checks of all that a session hands to the daemon, and bounds on its quantity.
//!
//! Pure. A session may have been taken over by a hostile stream. A claim that no session of ours makes ends it; more than a
//! camera's rate is left out and counted. Times are put onto the daemon's own clock. The supervisor calls it.

use std::time::Duration;

use base::fragment::{FragmentStart, StreamFacts};
use base::one_line::one_line;
use base::time::{Monotonic, Pts, Stamp};

/// Smallest and largest width and height of a picture.
const SIDE: std::ops::RangeInclusive<u32> = 16..=8192;
/// Largest width and height of a stream that is recorded.
const STREAM_SIDE_MAX: u32 = 16_384;
/// Longest init section in bytes: a few parameter sets.
const INIT_BYTES_MAX: usize = 64 * 1024;
/// Most samples of a fragment: it has 5 s, or a GOP of a second.
const SAMPLES_MAX: u32 = 10_000;
/// Longest fragment, and longest way of a sample through a session: a stream may stay silent for `stall_seconds`.
const AGE_MAX: Duration = Duration::from_secs(15 * 60);
/// Time by which a sample may seem to come later than now.
const AHEAD_MAX: Duration = Duration::from_secs(1);
/// Latest presentation time: ten years after the session's start.
const PTS_MAX: Pts = Pts(10 * 366 * 24 * 3600 * 1_000_000_000);
/// Longest text for a person, in characters.
const TEXT_CHARS_MAX: usize = 500;
/// Messages of a session per second, in the long run: pictures, fragments, and signs of life.
const MESSAGES_PER_SECOND: f64 = 200.0;
/// Fragments of a stream per second, in the long run.
const FRAGMENTS_PER_SECOND: f64 = 10.0;
/// Time for which a stream may be beyond its rates at once.
const BURST: Duration = Duration::from_secs(10);

/// The end of a session, for a reason.
type Checked<T> = Result<T, String>;

/// Amount that is allowed per second, and saved up while it is not used.
#[derive(Debug)]
struct Allowance {
    per_second: f64,
    left: f64,
    at: Option<Monotonic>,
}

impl Allowance {
    fn new(per_second: f64) -> Self {
        Self { per_second, left: per_second * BURST.as_secs_f64(), at: None }
    }

    /// Returns true while anything is left at `now`.
    fn has_any(&mut self, now: Monotonic) -> bool {
        let passed = self.at.replace(now).map_or(Duration::ZERO, |at| now.since(at));
        let saved = self.left + self.per_second * passed.as_secs_f64();
        self.left = saved.min(self.per_second * BURST.as_secs_f64());
        self.left > 0.0
    }

    /// Takes an amount, also one that is larger than all that is left: the next ones wait for it.
    fn take(&mut self, amount: f64) {
        self.left -= amount;
    }
}

/// Number of messages of one session.
#[derive(Debug)]
pub(super) struct MessageRate(Allowance);

impl Default for MessageRate {
    fn default() -> Self {
        Self(Allowance::new(MESSAGES_PER_SECOND))
    }
}

impl MessageRate {
    /// Counts a message. An error: they come faster than from any camera.
    pub fn count(&mut self, now: Monotonic) -> Checked<()> {
        let has_any = self.0.has_any(now);
        self.0.take(1.0);
        if has_any { Ok(()) } else { Err("more messages than any camera gives rise to".to_owned()) }
    }
}

/// Rate of footage that a stream may bring, over all of its sessions.
#[derive(Debug)]
pub(super) struct FootageRate {
    bytes: Allowance,
    fragments: Allowance,
    /// Fragments are left out up to the next one that can be decoded by itself.
    is_beyond: bool,
    /// Number of fragments that were left out.
    pub left_out: u64,
}

impl FootageRate {
    /// A stream that may bring so many bits a second.
    pub fn new(bits_per_second: f64) -> Self {
        let (bytes, fragments) =
            (Allowance::new(bits_per_second / 8.0), Allowance::new(FRAGMENTS_PER_SECOND));
        Self { bytes, fragments, is_beyond: false, left_out: 0 }
    }

    /// Returns true if a fragment of so many bytes may be recorded; otherwise it is counted.
    pub fn admits(&mut self, bytes: usize, start: FragmentStart, now: Monotonic) -> bool {
        let has_any = self.bytes.has_any(now) & self.fragments.has_any(now);
        self.is_beyond = !has_any || (self.is_beyond && start == FragmentStart::Continued);
        if self.is_beyond {
            self.left_out += 1;
            return false;
        }
        self.bytes.take(bytes as f64);
        self.fragments.take(1.0);
        true
    }
}

/// The instant on the daemon's clock at which a session says that a sample arrived. Of its stamp only the time since boot
/// counts, which both read from the same clock.
pub(super) fn stamp(claimed: Stamp, now: Stamp) -> Checked<Stamp> {
    let ahead = claimed.monotonic.since(now.monotonic);
    let age = now.monotonic.since(claimed.monotonic);
    if ahead > AHEAD_MAX || age > AGE_MAX {
        return Err("a time that is not now".to_owned());
    }
    Ok(now - age)
}

/// Checks the numbers of a fragment with `init` bytes of init section and `bytes` of media.
pub(super) fn fragment(init: usize, bytes: usize, pts: Pts, duration: Duration, samples: u32) -> Checked<()> {
    let is_sound = init <= INIT_BYTES_MAX
        && pts <= PTS_MAX
        && duration <= AGE_MAX
        && samples <= SAMPLES_MAX
        && samples as usize <= bytes;
    if is_sound { Ok(()) } else { Err("a fragment whose numbers cannot be true".to_owned()) }
}

/// Checks the facts of a stream.
pub(super) fn facts(facts: &StreamFacts) -> Checked<()> {
    let sides = 1..=STREAM_SIDE_MAX;
    if sides.contains(&facts.width) && sides.contains(&facts.height) {
        return Ok(());
    }
    Err(format!("a stream of {}x{} pixels", facts.width, facts.height))
}

/// Checks the size of a picture, before memory is counted by it.
pub(super) fn picture(width: u32, height: u32) -> Checked<()> {
    if SIDE.contains(&width) && SIDE.contains(&height) {
        return Ok(());
    }
    Err(format!("a picture of {width}x{height} pixels"))
}

/// A text of a session for a person, who may read it in a terminal.
pub(super) fn text(claimed: &str) -> String {
    one_line(claimed, TEXT_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::fragment::{Codec, TimeSource};
    use base::time::{ClockState, WallTime};

    fn at(seconds: f64) -> Monotonic {
        Monotonic::from_nanos((seconds * 1e9) as u64)
    }

    #[test]
    fn a_stamp_is_put_onto_the_clock_of_the_daemon() {
        let now = Stamp {
            wall: WallTime::from_micros(1_777_673_643_120_000),
            monotonic: at(5000.0),
            clock: ClockState::Unsynced,
        };
        let two = Duration::from_secs(2);
        let wall = WallTime::from_micros(1_549_166_706_000_000);
        let claimed = Stamp { wall, monotonic: at(4998.0), clock: ClockState::Synced };
        assert_eq!(stamp(claimed, now), Ok(now - two), "2019, synced");
        for monotonic in [at(0.0), at(5002.0), Monotonic::from_nanos(u64::MAX)] {
            assert!(stamp(Stamp { monotonic, ..claimed }, now).is_err(), "{monotonic:?}");
        }
        let rounded = stamp(Stamp { monotonic: at(5000.01), ..claimed }, now);
        assert_eq!(rounded, Ok(now), "never after now");
    }

    #[test]
    fn numbers_that_cannot_be_true_are_refused() {
        let second = Duration::from_secs(1);
        assert!(fragment(700, 100_000, Pts(0), second, 25).is_ok());
        assert!(fragment(INIT_BYTES_MAX + 1, 100_000, Pts(0), second, 25).is_err());
        assert!(fragment(0, 100_000, Pts(u64::MAX), second, 25).is_err());
        assert!(fragment(0, 100_000, Pts(0), Duration::MAX, 25).is_err());
        assert!(fragment(0, 100_000_000, Pts(0), second, u32::MAX).is_err());
        assert!(fragment(0, 8, Pts(0), second, 9).is_err());
        for (width, height) in [(0, 0), (0, 1000), (1000, 0), (u32::MAX, u32::MAX), (1, 20_000_000)] {
            assert!(picture(width, height).is_err());
            let of = StreamFacts { codec: Codec::H264, width, height, time: TimeSource::Camera };
            assert!(facts(&of).is_err());
        }
        assert!(picture(7680, 4320).is_ok());
    }

    #[test]
    fn a_stream_beyond_its_rate_is_left_out_from_key_frame_to_key_frame() {
        // 8 Mbit/s: 1 MB a second, and 10 MB at once.
        let mut rate = FootageRate::new(8e6);
        let key = FragmentStart::KeyFrame;
        for second in 0..100 {
            assert!(rate.admits(900_000, key, at(f64::from(second))), "a camera within its rate");
        }
        let mut recorded = 0;
        for tenth in 1000..2000 {
            recorded += u32::from(rate.admits(4_000_000, key, at(f64::from(tenth) / 10.0)));
        }
        // 100 s at 1 MB/s, and what was saved up.
        assert!((25..=29).contains(&recorded), "{recorded} fragments of 4 MB");
        assert_eq!(rate.left_out, 1000 - u64::from(recorded));
        assert!(!rate.admits(100, FragmentStart::Continued, at(300.0)), "its start is missing");
        assert!(rate.admits(100, key, at(301.0)));
        assert!(rate.admits(100, FragmentStart::Continued, at(302.0)));
    }

    #[test]
    fn fragments_and_messages_without_end_are_refused() {
        let mut rate = FootageRate::new(64e6);
        let recorded = (0..100_000).filter(|_| rate.admits(8, FragmentStart::KeyFrame, at(1.0))).count();
        assert_eq!(recorded, 100);
        let mut messages = MessageRate::default();
        let second = |number: u32| at(1.0 + f64::from(number) / 100.0);
        assert!((0..10_000).all(|number| messages.count(second(number)).is_ok()), "100 a second");
        let mut messages = MessageRate::default();
        assert!((0..10_000).any(|_| messages.count(at(1.0)).is_err()));
    }
}
