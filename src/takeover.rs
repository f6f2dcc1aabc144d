//! Connections that another client of the same id ends: how they are told from a bad link, and how long to stay away.
//!
//! A broker ends a client's connection when another one comes under its id (MQTT 3.1.1, 3.1.4), and names no reason.
//! Pure, and a leaf: box and post are clients alike.

use std::time::Duration;

/// So many connections in a row were ended so.
const ENDED_MIN: u32 = 3;
/// A connection that is ended later than this by the broker was ended for another reason.
const SHORT: Duration = Duration::from_secs(60);
/// A connection that stands for so long has no rival, or one that has gone.
const UNDISTURBED: Duration = Duration::from_secs(300);
/// Shortest and longest wait before the next connection.
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The broker closed it without a word, while all that was sent was acknowledged.
    Closed,
    /// The broker could not be reached: it restarts, or the link is down.
    Unreachable,
    /// Anything else.
    Other,
}

/// Counts the connections that somebody else seems to have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takeovers {
    ended: u32,
}

impl Takeovers {
    /// A connection is over that had stood for `stood`.
    pub fn ended(&mut self, end: End, stood: Duration) {
        let short = if self.is_suspected() { UNDISTURBED } else { SHORT };
        match end {
            End::Closed if stood < short => self.ended = self.ended.saturating_add(1),
            End::Closed | End::Unreachable => self.ended = 0,
            End::Other => {}
        }
    }

    /// A connection stands for so long by now. Returns whether a suspicion ends with that.
    pub fn stands(&mut self, stood: Duration) -> bool {
        let is_over = self.is_suspected() && stood >= UNDISTURBED;
        if is_over {
            self.ended = 0;
        }
        is_over
    }

    /// Whether another client uses the same id, most likely.
    pub fn is_suspected(&self) -> bool {
        self.ended >= ENDED_MIN
    }

    /// The longest wait before the next connection: doubles with each one that is ended, so that two clients do not
    /// throw each other out again and again.
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
