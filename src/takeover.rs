//! Connections that another client of the same id ends: their distinction from a bad link, and the wait before the next one.
//!
//! A broker ends a client's connection when another one connects under its id (MQTT 3.1.1, 3.1.4), and names no reason.
//! Pure, and a leaf: box and post are clients alike.

use std::time::Duration;

/// Consecutive connections with such an end that raise the suspicion.
const ENDED_MIN: u32 = 3;
/// Age of a connection above which its end by the broker has another reason.
const SHORT: Duration = Duration::from_secs(60);
/// Age of a connection from which it has no rival, or one that has gone.
const UNDISTURBED: Duration = Duration::from_secs(300);
/// Shortest and longest wait before the next connection.
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// End of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The broker closed it without a reason, while all messages were acknowledged.
    Closed,
    /// The broker could not be reached: it restarts, or the link is down.
    Unreachable,
    /// Anything else.
    Other,
}

/// Counts the connections that another client seems to have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takeovers {
    ended: u32,
}

impl Takeovers {
    /// A connection has ended after `stood`.
    pub fn ended(&mut self, end: End, stood: Duration) {
        let short = if self.is_suspected() { UNDISTURBED } else { SHORT };
        match end {
            End::Closed if stood < short => self.ended = self.ended.saturating_add(1),
            End::Closed | End::Unreachable => self.ended = 0,
            End::Other => {}
        }
    }

    /// A connection has lasted for `stood` so far. Returns true where a suspicion ends with that.
    pub fn stands(&mut self, stood: Duration) -> bool {
        let is_over = self.is_suspected() && stood >= UNDISTURBED;
        if is_over {
            self.ended = 0;
        }
        is_over
    }

    /// True where another client most likely uses the same id.
    pub fn is_suspected(&self) -> bool {
        self.ended >= ENDED_MIN
    }

    /// The longest wait before the next connection: doubles with each one that is ended, so that two clients do not
    /// disconnect each other again and again. `None` without a suspicion.
    pub fn pause(&self) -> Option<Duration> {
        let times = self.ended.checked_sub(ENDED_MIN)?.min(10);
        Some(PAUSE.0.saturating_mul(1 << times).min(PAUSE.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn after(ends: &[(End, u64)]) -> Takeovers {
        let mut takeovers = Takeovers::default();
        ends.iter().for_each(|(end, seconds)| takeovers.ended(*end, SECOND * *seconds as u32));
        takeovers
    }

    #[test]
    fn short_connections_that_the_broker_closes_are_a_rival() {
        assert!(!after(&[(End::Closed, 1), (End::Closed, 2)]).is_suspected());
        let mut takeovers = after(&[(End::Closed, 1), (End::Closed, 2), (End::Closed, 4)]);
        assert_eq!(takeovers.pause(), Some(SECOND * 5));
        // The rival waits too, so that connections stand longer.
        let mut waits = Vec::new();
        for _ in 0..8 {
            takeovers.ended(End::Closed, SECOND * 110);
            waits.push(takeovers.pause().unwrap().as_secs());
        }
        assert_eq!(waits, [10, 20, 40, 80, 120, 120, 120, 120]);
    }

    #[test]
    fn a_broker_that_restarts_and_a_proxy_that_ends_idle_connections_are_none() {
        for ends in [
            [(End::Closed, 1), (End::Unreachable, 0), (End::Closed, 1), (End::Closed, 1)],
            [(End::Closed, 1), (End::Closed, 90), (End::Closed, 90), (End::Closed, 90)],
            [(End::Other, 1), (End::Other, 1), (End::Other, 1), (End::Closed, 1)],
        ] {
            let takeovers = after(&ends);
            assert!(!takeovers.is_suspected() && takeovers.pause().is_none(), "{ends:?}");
        }
    }

    #[test]
    fn a_suspicion_ends_when_a_connection_stands() {
        let mut takeovers = after(&[(End::Closed, 1); 5]);
        takeovers.ended(End::Other, SECOND);
        assert!(takeovers.is_suspected(), "a link that breaks says nothing of the rival");
        assert!(!takeovers.stands(SECOND * 200) && takeovers.stands(SECOND * 300));
        assert!(!takeovers.is_suspected() && !takeovers.stands(SECOND * 301));
    }
}
