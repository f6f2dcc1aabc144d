//! Waits between attempts at something that may be away for days: exponential, with jitter, without a last attempt.
//!
//! The shortest and the longest wait are the constants `RECONNECT` of those who connect: `camera::supervisor` (to cameras),
//! `wardlink::shared` (from a box to its broker), `wardpost::receiver` (from the post).

use std::time::Duration;

/// The longest wait doubles from `first` to `longest`; each wait is random between half of it and all of it, so that cameras
/// or boxes that failed together do not come back together.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits from `first` to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// Counts one more failure and returns the wait after it.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        scattered(ceiling)
    }

    /// Success: the next failure waits the shortest time again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A wait between half of `longest` and `longest`, drawn at random.
pub fn scattered(longest: Duration) -> Duration {
    longest.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_scatter_and_never_stop() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let waits: Vec<Duration> = (0..50).map(|_| backoff.next_wait()).collect();
        for (wait, longest) in waits.iter().zip([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
            let longest = Duration::from_millis(longest);
            assert!(*wait >= longest / 2 && *wait <= longest, "{wait:?} of {longest:?}");
        }
        let late: std::collections::HashSet<_> = waits[6..].iter().collect();
        assert!(late.len() > 20, "all would come back at once: {late:?}");
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(500));
    }
}
