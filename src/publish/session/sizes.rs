//! Messages that are too large, for the broker (outgoing) or for the box (incoming).

use std::time::Instant;

use super::super::client::{Client, Message, PAYLOAD_BYTES_MAX};
use super::super::error::PublishError;
use super::super::flights::Flight;
use super::super::link::{SWALLOWED, withheld_above};
use super::{Session, herald};
use crate::domain::alert::Alert;

/// Maximum number of proofs in flight.
const PROOFS_MAX: usize = 4;

impl<C: Client> Session<'_, C> {
    /// A message of a size that no post sends lies on the box's own topic.
    pub(super) fn on_too_large(&mut self, bytes: usize) {
        if self.standing.too_large.is_empty() {
            let topic = &self.link.topics.ack;
            self.standing.too_large = format!(
                "a message of {bytes} bytes lies on {topic}, which no post sends: it is not read; clear it with \
                 `mosquitto_pub -r -n -t {topic}`"
            );
            tracing::warn!("{}", self.standing.too_large);
            self.link.warn(self.standing);
        }
    }

    /// The connection has ended: a message in flight may be the cause.
    pub(super) fn on_ended(&mut self, error: &PublishError) {
        let largest = self.dropped.into_iter().chain(self.flights.largest()).max_by_key(|aloft| aloft.bytes);
        self.standing.last.is_idle = largest.is_none();
        let limit = &mut self.standing.packet_limit;
        if limit.wants_proof().is_some() {
            limit.refuted();
        } else if let (PublishError::Closed { .. }, Some(largest)) = (error, largest)
            && largest.flight.is_alert()
        {
            limit.ended_over(largest.bytes, Instant::now());
        }
    }

    /// Repeats the status until it is proved that the link carries as many bytes as the message over which
    /// connections ended. The broker retains one of them, with the contents that it has already.
    pub(super) fn send_proof(&mut self) {
        let Some(bytes) = self.standing.packet_limit.wants_proof() else { return };
        if self.proved_bytes >= bytes {
            self.standing.packet_limit.proved(Instant::now());
            self.standing.pace.is_cleared();
            tracing::warn!("{}", withheld_above(bytes, self.standing.packet_limit.passed()));
            self.link.warn(self.standing);
            return;
        }
        while !self.status.is_empty() && !self.is_leaving && self.flights.proofs() < PROOFS_MAX {
            let (topic, payload) = (self.link.topics.status.clone(), self.status.clone());
            let before = self.flights.proofs();
            self.send(Message { topic, payload, retain: true }, Flight::Proof);
            if self.flights.proofs() == before {
                return;
            }
        }
    }

    /// Sends the preview of an alert while it is not known whether the whole alert is too large.
    pub(super) fn hold_back(&mut self, alert: &Alert, flight: Flight) {
        match flight {
            Flight::Alert { seq, .. } => {
                let is_told = self.standing.ledger.is_heralded(seq);
                self.standing.ledger.postponed(seq, Instant::now());
                if !is_told {
                    self.send_alert(&herald(alert), Flight::Herald { seq });
                }
            }
            Flight::Announced { .. } => self.send_alert(&herald(alert), flight),
            _ => {}
        }
    }

    /// Reason for which the picture is left out of an alert of this size.
    pub(super) fn withheld(&mut self, bytes: usize, flight: Flight) -> Option<String> {
        if bytes > PAYLOAD_BYTES_MAX {
            return Some(format!("the message has {bytes} bytes, and a box sends up to {PAYLOAD_BYTES_MAX}"));
        }
        let limit = self.standing.packet_limit.bytes(Instant::now());
        if limit.is_some_and(|limit| bytes >= limit) {
            return Some(format!("the broker takes no message of {bytes} bytes"));
        }
        let Flight::Alert { seq, .. } = flight else { return None };
        if !self.standing.ledger.is_swallowed(seq) {
            return None;
        }
        if !std::mem::replace(&mut self.standing.is_swallowing, true) {
            tracing::warn!("{SWALLOWED}");
            self.link.warn(self.standing);
        }
        Some(format!("the broker does not pass on messages of {bytes} bytes"))
    }
}

/// An alert without its picture, with the reason.
pub(super) fn without_picture(alert: &Alert, why: String) -> Alert {
    Alert { thumbnail: None, thumbnail_withheld: Some(why), ..alert.clone() }
}
