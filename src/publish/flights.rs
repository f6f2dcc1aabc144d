//! What has been handed to the MQTT client and is not acknowledged yet.
//!
//! The client gives packet ids only when it writes a packet, in the order in which it was given them.

use std::collections::{HashMap, VecDeque};

/// At most so many alerts are under way.
pub(super) const ALERTS_MAX: usize = 16;
/// No further alert starts beyond so many bytes. At 64 kbit/s they take 8 s: a ping that is queued behind them still
/// comes back in time.
pub(super) const BYTES_MAX: usize = 64 * 1024;

/// A message under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flight {
    /// An alert.
    Alert {
        /// Its place.
        seq: u64,
        /// Its payload.
        bytes: usize,
    },
    /// An alert that is not in the outbox yet.
    Announced {
        /// Its number in memory.
        number: u64,
        /// Its payload.
        bytes: usize,
    },
    /// A status message.
    Status,
}

/// All messages under way on one connection.
#[derive(Debug, Default)]
pub(super) struct Flights {
    unnumbered: VecDeque<Flight>,
    numbered: HashMap<u16, Flight>,
}

impl Flights {
    /// Handed to the client.
    pub fn started(&mut self, flight: Flight) {
        self.unnumbered.push_back(flight);
    }

    /// The client wrote a QoS 1 packet with this id.
    pub fn numbered(&mut self, packet_id: u16) {
        if let Some(flight) = self.unnumbered.pop_front() {
            self.numbered.insert(packet_id, flight);
        }
    }

    /// The broker acknowledged this id. `None` for one that is not ours.
    pub fn acknowledged(&mut self, packet_id: u16) -> Option<Flight> {
        self.numbered.remove(&packet_id)
    }

    /// How many alerts may start now.
    pub fn room(&self) -> usize {
        let alerts = self.all().filter(|flight| **flight != Flight::Status).count();
        let bytes: usize = self.all().map(|flight| flight.bytes()).sum();
        if bytes < BYTES_MAX { ALERTS_MAX.saturating_sub(alerts) } else { 0 }
    }

    /// Whether a status message is under way.
    pub fn has_status(&self) -> bool {
        self.all().any(|flight| *flight == Flight::Status)
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    fn all(&self) -> impl Iterator<Item = &Flight> {
        self.unnumbered.iter().chain(self.numbered.values())
    }
}

impl Flight {
    fn bytes(self) -> usize {
        match self {
            Self::Alert { bytes, .. } | Self::Announced { bytes, .. } => bytes,
            Self::Status => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(seq: u64) -> Flight {
        Flight::Alert { seq, bytes: 100 }
    }

    #[test]
    fn packet_ids_go_to_messages_in_order_and_acknowledge_in_any() {
        let mut flights = Flights::default();
        for flight in [alert(7), Flight::Status, alert(8)] {
            flights.started(flight);
        }
        for packet_id in [4, 5, 6] {
            flights.numbered(packet_id);
        }
        assert!(flights.has_status());
        assert_eq!(flights.acknowledged(6), Some(alert(8)));
        assert_eq!(flights.acknowledged(5), Some(Flight::Status));
        assert_eq!(flights.acknowledged(5), None);
        assert!(!flights.has_status() && !flights.is_empty());
        assert_eq!(flights.acknowledged(4), Some(alert(7)));
        assert!(flights.is_empty());
    }

    #[test]
    fn room_is_bounded_by_count_and_by_bytes() {
        let mut flights = Flights::default();
        flights.started(Flight::Status);
        assert_eq!(flights.room(), ALERTS_MAX);
        for seq in 0..5 {
            flights.started(alert(seq));
        }
        assert_eq!(flights.room(), ALERTS_MAX - 5);
        flights.started(Flight::Alert { seq: 5, bytes: BYTES_MAX });
        assert_eq!(flights.room(), 0);
    }
}
