//! Messages in flight: handed to the MQTT client and not yet acknowledged by the broker.

use std::collections::HashMap;
use std::time::Instant;

use super::client::Token;

/// Maximum number of alerts in flight.
pub(super) const ALERTS_MAX: usize = 16;

/// A message in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flight {
    /// An alert of the outbox.
    Alert {
        /// Its sequence number.
        seq: u64,
        /// It is limited by the [send window](super::pace).
        is_paced: bool,
    },
    /// Preview of an alert of the outbox: all but its picture.
    Herald {
        /// The alert's sequence number.
        seq: u64,
    },
    /// An alert that is sent before it is stored in the outbox.
    Announced {
        /// Its number in memory.
        number: u64,
    },
    /// A status message.
    Status,
    /// A status message that was sent already. Its acknowledgement proves that the link carries so many bytes.
    Proof,
    /// A discovery message for Home Assistant.
    Discovery,
    /// Clears a discovery message.
    Withdrawal {
        /// Its number for [`super::discovery::Discovery::forgotten`].
        number: usize,
    },
}

impl Flight {
    /// True for a message about an alert.
    pub fn is_alert(&self) -> bool {
        match self {
            Self::Alert { .. } | Self::Herald { .. } | Self::Announced { .. } => true,
            Self::Status | Self::Proof | Self::Discovery | Self::Withdrawal { .. } => false,
        }
    }
}

/// A message in flight, with the state in which it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aloft {
    pub flight: Flight,
    /// Length of its payload.
    pub bytes: usize,
    /// Sum of all payloads in flight when it left, its own included.
    pub bytes_aloft: usize,
    pub since: Instant,
}

/// All messages in flight on one connection.
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

    /// The message was handed to the client.
    pub fn started(&mut self, token: Token, flight: Flight, bytes: usize, now: Instant) {
        let bytes_aloft = bytes + self.aloft.values().map(|aloft| aloft.bytes).sum::<usize>();
        self.aloft.insert(token, Aloft { flight, bytes, bytes_aloft, since: now });
    }

    /// The message was acknowledged, or given up by the client. `None` for one that is not in flight.
    pub fn ended(&mut self, token: Token) -> Option<Aloft> {
        self.aloft.remove(&token)
    }

    /// Number of alerts in flight.
    pub fn alerts(&self) -> usize {
        self.all().filter(Flight::is_alert).count()
    }

    /// Number of alerts in flight that the send window limits.
    pub fn paced(&self) -> usize {
        self.all().filter(|flight| matches!(flight, Flight::Alert { is_paced: true, .. })).count()
    }

    /// True while a status message is in flight.
    pub fn has_status(&self) -> bool {
        self.all().any(|flight| flight == Flight::Status)
    }

    /// Number of proofs in flight.
    pub fn proofs(&self) -> usize {
        self.all().filter(|flight| *flight == Flight::Proof).count()
    }

    /// The largest message in flight.
    pub fn largest(&self) -> Option<Aloft> {
        self.aloft.values().max_by_key(|aloft| aloft.bytes).copied()
    }

    /// True while nothing is in flight.
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
