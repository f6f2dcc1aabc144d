//! Pace of the stills over connections: they rest on a slow link, and pause where connections end over them. Pure: it reads no
//! clock.
//!
//! A new alert waits behind the still that the kernel has already accepted. On a slow link most alerts find no still there, since
//! the rest is several times as long as the still took.
//! A broker with an older access list closes the connection over a topic that it does not know, and a bad link breaks under a
//! large message. Alerts must not pay for that with their connection again and again.

use std::time::{Duration, Instant};

/// Connections that end over a still before stills pause.
const ENDED_MAX: u32 = 2;
/// The first pause and the longest one; each is twice as long as the one before.
const PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// A still that takes longer is followed by a rest.
const QUICK: Duration = Duration::from_secs(4);
/// Length of the rest, in times that the still took.
const REST: u32 = 4;

/// Pace of the stills; see the module.
#[derive(Debug, Default)]
pub(super) struct StillPace {
    /// Connections that ended over a still since one was acknowledged.
    ended: u32,
    paused_until: Option<Instant>,
}

impl StillPace {
    /// The broker has acknowledged a still, which took so long.
    pub fn acknowledged(&mut self, now: Instant, took: Duration) {
        let rest = (took > QUICK).then(|| now + (took * REST).min(PAUSE.1));
        *self = Self { ended: 0, paused_until: rest };
    }

    /// A connection ended while a still was in flight. Returns the pause if this is the first one.
    pub fn ended_over(&mut self, now: Instant) -> Option<Duration> {
        self.ended = self.ended.saturating_add(1);
        let times = self.ended.checked_sub(ENDED_MAX)?;
        let pause = PAUSE.0.saturating_mul(1 << times.min(16)).min(PAUSE.1);
        self.paused_until = Some(now + pause);
        (times == 0).then_some(pause)
    }

    /// End of the pause; `None` where stills may be sent.
    pub fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stills_pause_ever_longer_until_one_is_acknowledged() {
        let (mut pace, now) = (StillPace::default(), Instant::now());
        let paused = |pace: &StillPace| pace.paused_until(now).map(|until| (until - now).as_secs());
        assert_eq!(
            (pace.ended_over(now), paused(&pace)),
            (None, None),
            "one broken connection proves nothing"
        );
        assert_eq!(pace.ended_over(now), Some(PAUSE.0));
        let mut pauses = vec![paused(&pace)];
        for _ in 0..8 {
            assert_eq!(pace.ended_over(now), None, "it is told once");
            pauses.push(paused(&pace));
        }
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600].map(Some));
        assert_eq!(pace.paused_until(now + PAUSE.1), None);
        pace.acknowledged(now, Duration::from_secs(1));
        assert_eq!((pace.ended_over(now), paused(&pace)), (None, None));
    }

    #[test]
    fn a_slow_link_rests_between_stills_and_a_quick_one_does_not() {
        let (mut pace, now) = (StillPace::default(), Instant::now());
        pace.acknowledged(now, Duration::from_secs(3));
        assert_eq!(pace.paused_until(now), None);
        pace.acknowledged(now, Duration::from_secs(7));
        assert_eq!(pace.paused_until(now), Some(now + Duration::from_secs(28)));
        pace.acknowledged(now, Duration::from_secs(3000));
        assert_eq!(pace.paused_until(now), Some(now + PAUSE.1));
    }
}
