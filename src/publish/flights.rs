//! What has been handed to the MQTT client and that the broker has not acknowledged yet.

use std::collections::HashMap;
use std::time::Instant;

use super::client::Token;

/// At most so many alerts are under way.
pub(super) const ALERTS_MAX: usize = 16;

/// A message under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flight {
    /// An alert of the outbox.
    Alert {
        /// Its place.
        seq: u64,
        /// Whether it belongs to what is [paced](super::pace).
        is_paced: bool,
    },
    /// What goes ahead of an alert of the outbox: all but its picture.
    Herald {
        /// The alert's place.
        seq: u64,
    },
    /// An alert that is not in the outbox yet.
    Announced {
        /// Its number in memory.
        number: u64,
    },
    /// A status message.
    Status,
    /// A status message that was sent already, as a proof of what the link bears.
    Proof,
    /// What Home Assistant is told.
    Discovery,
    /// What it was told is taken back.
    Withdrawal {
        /// Its number for [`super::discovery::Discovery::forgotten`].
        number: usize,
    },
}

impl Flight {
    /// Whether it tells of an alert.
    pub fn is_alert(&self) -> bool {
        match self {
            Self::Alert { .. } | Self::Herald { .. } | Self::Announced { .. } => true,
            Self::Status | Self::Proof | Self::Discovery | Self::Withdrawal { .. } => false,
        }
    }
}

/// A message under way, and how it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aloft {
    pub flight: Flight,
    /// Its payload.
    pub bytes: usize,
    /// All payloads that were under way when it left, its own among them.
    pub bytes_aloft: usize,
    pub since: Instant,
}

/// All messages under way on one connection.
#[derive(Debug, Default)]
pub(super) struct Flights {
    aloft: HashMap<Token, Aloft>,
    last: Token,
}

impl Flights {
    /// A token for the next message.
    pub fn token(&mut self) -> Token {
        self.last += 1;
        self.last
    }

    /// Handed to the client.
    pub fn started(&mut self, token: Token, flight: Flight, bytes: usize, now: Instant) {
        let bytes_aloft = bytes + self.aloft.values().map(|aloft| aloft.bytes).sum::<usize>();
        self.aloft.insert(token, Aloft { flight, bytes, bytes_aloft, since: now });
    }

    /// Acknowledged, or given up by the client. `None` for one that is not under way.
    pub fn ended(&mut self, token: Token) -> Option<Aloft> {
        self.aloft.remove(&token)
    }

    /// How many alerts are under way.
    pub fn alerts(&self) -> usize {
        self.all().filter(Flight::is_alert).count()
    }

    /// How many of them are paced.
    pub fn paced(&self) -> usize {
        self.all().filter(|flight| matches!(flight, Flight::Alert { is_paced: true, .. })).count()
    }

    /// Whether a status message is under way.
    pub fn has_status(&self) -> bool {
        self.all().any(|flight| flight == Flight::Status)
    }

    /// How many proofs are under way.
    pub fn proofs(&self) -> usize {
        self.all().filter(|flight| *flight == Flight::Proof).count()
    }

    /// The largest message under way.
    pub fn largest(&self) -> Option<Aloft> {
        self.aloft.values().max_by_key(|aloft| aloft.bytes).copied()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.aloft.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = Flight> {
        self.aloft.values().map(|aloft| aloft.flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_end_by_their_token_in_any_order() {
        let (mut flights, now) = (Flights::default(), Instant::now());
        let paced = Flight::Alert { seq: 7, is_paced: true };
        let tokens = [paced, Flight::Status, Flight::Herald { seq: 8 }].map(|flight| {
            let token = flights.token();
            flights.started(token, flight, 100, now);
            token
        });
        assert_eq!((flights.alerts(), flights.paced(), flights.has_status()), (2, 1, true));
        let herald = flights.ended(tokens[2]).unwrap();
        assert_eq!((herald.flight, herald.bytes_aloft), (Flight::Herald { seq: 8 }, 300));
        assert_eq!(flights.ended(tokens[2]), None);
        assert_eq!(flights.ended(tokens[1]).unwrap().flight, Flight::Status);
        assert!(!flights.has_status() && !flights.is_empty());
        assert_eq!(flights.ended(tokens[0]).unwrap().flight, paced);
        assert!(flights.is_empty());
    }
}
