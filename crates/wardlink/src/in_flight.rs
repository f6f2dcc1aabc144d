//! Messages in flight: handed to the MQTT client and not yet acknowledged by the broker.

use std::collections::HashMap;
use std::time::Instant;

use super::client::Token;
use super::home_assistant::Note;

/// Maximum number of alerts in flight.
pub(super) const ALERTS_MAX: usize = 16;

/// A message in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An alert of the outbox.
    Alert {
        /// Its sequence number.
        seq: u64,
        /// It is limited by the [send window](super::send_window).
        is_windowed: bool,
    },
    /// Preview of an alert of the outbox: all but its picture.
    Preview {
        /// The alert's sequence number.
        seq: u64,
    },
    /// An alert that is sent before it is stored in the outbox.
    Unsaved {
        /// Its number in memory.
        number: u64,
    },
    /// A still.
    Still {
        /// Its number in the store.
        number: u64,
    },
    /// A status message.
    Status,
    /// A status message that was sent already. Its acknowledgement proves that the link carries so many bytes.
    Proof,
    /// A message for Home Assistant.
    HomeAssistant(Note),
}

impl Kind {
    /// True for a message about an alert.
    pub fn is_alert(&self) -> bool {
        match self {
            Self::Alert { .. } | Self::Preview { .. } | Self::Unsaved { .. } => true,
            Self::Still { .. } | Self::Status | Self::Proof | Self::HomeAssistant(_) => false,
        }
    }

    /// True for a still.
    pub fn is_still(&self) -> bool {
        matches!(self, Self::Still { .. })
    }
}

/// A message in flight, with the state in which it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SentMessage {
    pub kind: Kind,
    /// Length of its payload.
    pub bytes: usize,
    /// Sum of all payloads in flight when it left, its own included.
    pub bytes_in_flight: usize,
    pub since: Instant,
}

/// All messages in flight on one connection.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    sent: HashMap<Token, SentMessage>,
    last: Token,
    /// The largest message that the client gave up since the broker last acknowledged one.
    dropped: Option<SentMessage>,
}

impl InFlight {
    /// A token for the next message.
    pub fn token(&mut self) -> Token {
        self.last += 1;
        self.last
    }

    /// The message was handed to the client.
    pub fn started(&mut self, token: Token, kind: Kind, bytes: usize, now: Instant) {
        let bytes_in_flight = bytes + self.sent.values().map(|sent| sent.bytes).sum::<usize>();
        self.sent.insert(token, SentMessage { kind, bytes, bytes_in_flight, since: now });
    }

    /// The broker acknowledged the message. `None` for one that is not in flight.
    pub fn acknowledged(&mut self, token: Token) -> Option<SentMessage> {
        let sent = self.sent.remove(&token)?;
        self.dropped = None;
        Some(sent)
    }

    /// The client gave the message up. `None` for one that is not in flight.
    pub fn dropped(&mut self, token: Token) -> Option<SentMessage> {
        let sent = self.sent.remove(&token)?;
        if self.dropped.is_none_or(|dropped| sent.bytes > dropped.bytes) {
            self.dropped = Some(sent);
        }
        Some(sent)
    }

    /// Number of alerts in flight.
    pub fn alerts(&self) -> usize {
        self.all().filter(Kind::is_alert).count()
    }

    /// Number of alerts in flight that the send window limits.
    pub fn windowed(&self) -> usize {
        self.all().filter(|kind| matches!(kind, Kind::Alert { is_windowed: true, .. })).count()
    }

    /// True while a still is in flight.
    pub fn has_still(&self) -> bool {
        self.all().any(|kind| kind.is_still())
    }

    /// True while a status message is in flight.
    pub fn has_status(&self) -> bool {
        self.all().any(|kind| kind == Kind::Status)
    }

    /// Number of proofs in flight.
    pub fn proofs(&self) -> usize {
        self.all().filter(|kind| *kind == Kind::Proof).count()
    }

    /// The largest message that is in flight, or that the client gave up since the last acknowledgement.
    pub fn largest(&self) -> Option<SentMessage> {
        self.dropped.iter().chain(self.sent.values()).max_by_key(|sent| sent.bytes).copied()
    }

    /// True while nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = Kind> {
        self.sent.values().map(|sent| sent.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_end_by_their_token_in_any_order() {
        let (mut in_flight, now) = (InFlight::default(), Instant::now());
        let paced = Kind::Alert { seq: 7, is_windowed: true };
        let tokens = [paced, Kind::Status, Kind::Preview { seq: 8 }].map(|kind| {
            let token = in_flight.token();
            in_flight.started(token, kind, 100, now);
            token
        });
        assert_eq!((in_flight.alerts(), in_flight.windowed(), in_flight.has_status()), (2, 1, true));
        let preview = in_flight.acknowledged(tokens[2]).unwrap();
        assert_eq!((preview.kind, preview.bytes_in_flight), (Kind::Preview { seq: 8 }, 300));
        assert_eq!(in_flight.acknowledged(tokens[2]), None);
        assert_eq!(in_flight.acknowledged(tokens[1]).unwrap().kind, Kind::Status);
        assert!(!in_flight.has_status() && !in_flight.is_empty());
        assert_eq!(in_flight.acknowledged(tokens[0]).unwrap().kind, paced);
        assert!(in_flight.is_empty());
    }
}
