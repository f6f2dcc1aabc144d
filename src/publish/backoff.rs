//! How long to wait before the next connection.

use std::time::Duration;

use rand::Rng;

use crate::domain::fault::ErrorKind;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(30);
/// Where somebody has to change something first.
const CONFIG: Duration = Duration::from_secs(60);

/// Doubles from 1 s to 30 s; each pause is the first half of that, and a random part of the other one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The pause after an error of this kind.
    pub fn pause(&mut self, kind: ErrorKind, random: &mut impl Rng) -> Duration {
        let longest = if kind == ErrorKind::Config { CONFIG } else { self.next };
        self.next = (self.next * 2).min(LAST);
        longest.mul_f64(random.random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    #[test]
    fn pauses_grow_to_half_a_minute_and_scatter() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> =
            (0..20).map(|_| backoff.pause(ErrorKind::Transient, &mut random)).collect();
        for (pause, longest) in pauses.iter().zip([1, 2, 4, 8, 16, 30, 30, 30, 30]) {
            let longest = Duration::from_secs(longest);
            assert!(*pause >= longest / 2 && *pause <= longest, "{pause:?} of {longest:?}");
        }
        let late: std::collections::HashSet<_> = pauses[5..].iter().collect();
        assert!(late.len() > 10, "all boxes would come back at once: {late:?}");
    }

    #[test]
    fn a_wrong_password_is_not_tried_in_a_hot_loop() {
        let mut random = SmallRng::seed_from_u64(1);
        assert!(Backoff::default().pause(ErrorKind::Config, &mut random) >= Duration::from_secs(30));
    }
}
