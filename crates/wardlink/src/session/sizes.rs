//! Messages that are too large, for the broker (outgoing) or for the box (incoming).

use std::time::Instant;

use super::super::client::{Message, PAYLOAD_BYTES_MAX};
use super::super::delivery::Sizes;
use super::super::error::PublishError;
use super::super::in_flight::Kind;
use super::super::shared::{SWALLOWED, withheld_above};
use super::super::topic::payload;
use super::Session;
use super::alerts::preview_of;
use base::alert::{Alert, Form};
use base::status::Status;

/// Maximum number of proofs in flight.
const PROOFS_MAX: usize = 4;
/// Reason in a preview that is sent while the post has not confirmed the whole alert.
const UNCONFIRMED: &str = "this is sent ahead of the rest";
/// Begin of the warning about an alert that does not fit in any form.
const NO_FORM: &str = "an alert in its smallest form";

impl Session<'_> {
    /// A message of a size that no post sends lies on the box's own topic.
    pub(super) fn on_too_large(&mut self, bytes: usize) {
        if self.carried.sizes.too_large.is_empty() {
            let topic = &self.shared.topics.ack;
            self.carried.sizes.too_large = format!(
                "a message of {bytes} bytes lies on {topic}, which no post sends: it is not read; clear it with \
                 `mosquitto_pub -r -n -t {topic}`"
            );
            tracing::warn!("{}", self.carried.sizes.too_large);
            self.shared.warn(self.carried);
        }
    }

    /// The connection has ended: a message in flight may be the cause.
    pub(super) fn on_ended(&mut self, error: &PublishError) {
        let largest = self.in_flight.largest();
        self.carried.last.is_idle = largest.is_none();
        if largest.is_some_and(|largest| largest.kind.is_still()) {
            self.ended_over_still();
        }
        let limit = &mut self.carried.sizes.limit;
        if limit.wants_proof().is_some() {
            limit.refuted();
        } else if let (PublishError::Closed { .. }, Some(largest)) = (error, largest)
            && (largest.kind.is_alert() || largest.kind == Kind::Status)
        {
            limit.ended_over(largest.bytes, Instant::now());
        }
    }

    /// Repeats the status until it is proved that the link carries as many bytes as the message over which
    /// connections ended. The broker retains one of them, with the contents that it has already.
    pub(super) fn send_proof(&mut self) {
        let Some(bytes) = self.carried.sizes.limit.wants_proof() else { return };
        if self.proof.bytes >= bytes {
            self.carried.sizes.limit.proved(Instant::now());
            self.carried.window.clear_breaks();
            if std::mem::take(&mut self.proof.holds_unsaved) {
                self.unsaved_sent = 0;
            }
            tracing::warn!("{}", withheld_above(bytes, self.carried.sizes.limit.passed()));
            self.shared.warn(self.carried);
            return;
        }
        while !self.proof.status.is_empty() && !self.is_leaving && self.in_flight.proofs() < PROOFS_MAX {
            let (topic, payload) = (self.shared.topics.status.clone(), self.proof.status.clone());
            let before = self.in_flight.proofs();
            self.send(Message { topic, payload, retain: true }, Kind::Proof);
            if self.in_flight.proofs() == before {
                return;
            }
        }
    }

    /// The message in the largest form that fits; `None` where the alert has to wait.
    pub(super) fn fitting(&mut self, alert: &Alert, kind: Kind) -> Option<Vec<u8>> {
        let whole = payload(alert);
        let swallowed = match kind {
            Kind::Alert { seq, .. } => self.carried.tracker.swallowed(seq),
            _ => None,
        };
        let limit = &self.carried.sizes.limit;
        if limit.wants_proof().is_some() && whole.len() > limit.passed() {
            self.hold_back(alert, kind);
            return None;
        }
        let Some(why) = self.withheld(whole.len(), swallowed) else { return Some(whole) };
        let (limit, now) = (&self.carried.sizes.limit, Instant::now());
        let mut smallest = whole;
        for form in Form::ALL {
            let payload = payload(&alert.reduced(form, &why));
            let bytes = payload.len();
            let is_smaller = swallowed.is_none_or(|swallowed| bytes < swallowed);
            if is_smaller
                && bytes <= PAYLOAD_BYTES_MAX
                && limit.takes(bytes, now)
                && limit.passes_on(bytes, now)
            {
                return Some(payload);
            }
            smallest = payload;
        }
        self.does_not_fit(alert, smallest.len());
        // A broker that swallows it ends no connection over it.
        if smallest.len() <= PAYLOAD_BYTES_MAX && self.carried.sizes.limit.takes(smallest.len(), now) {
            return Some(smallest);
        }
        if let Kind::Alert { seq, .. } = kind {
            self.carried.tracker.postponed(seq, now);
        }
        None
    }

    /// The status. Where the broker takes no message of its size, the cameras and the store are left out.
    pub(super) fn fitting_status(&self, status: Status) -> Vec<u8> {
        let (whole, limit) = (payload(&status), &self.carried.sizes.limit);
        let is_suspect = limit.wants_proof().is_some_and(|suspect| whole.len() >= suspect);
        if !is_suspect && limit.takes(whole.len(), Instant::now()) {
            return whole;
        }
        payload(&Status { cameras: Vec::new(), store: None, ..status })
    }

    /// Asks the post by a small preview for its word: it answers with what it has. So a post that is away is told from a
    /// broker that does not pass on messages of the alert's size.
    pub(super) fn ask_for_answer(&mut self, alert: &Alert, seq: u64) {
        let payload = payload(&preview_of(&alert.reduced(Form::Bare, UNCONFIRMED)));
        let limit = &self.carried.sizes.limit;
        if limit.wants_proof().is_none() && limit.takes(payload.len(), Instant::now()) {
            let topic = self.shared.topics.alert.clone();
            self.send(Message { topic, payload, retain: false }, Kind::Preview { seq });
        }
    }

    /// Takes what the post's acknowledgement says about sizes.
    pub(super) fn on_sizes(&mut self, sizes: Sizes) {
        self.carried.sizes.limit.confirmed(sizes.confirmed);
        if let Some(bytes) = sizes.swallowed {
            self.carried.sizes.limit.swallowed(bytes, Instant::now());
        }
        if self.carried.tracker.is_empty() && self.carried.sizes.too_large.starts_with(NO_FORM) {
            self.carried.sizes.too_large.clear();
            self.shared.warn(self.carried);
        }
    }

    /// Reports an alert that does not even fit in its smallest form. It waits in the outbox.
    fn does_not_fit(&mut self, alert: &Alert, bytes: usize) {
        if self.carried.sizes.too_large.is_empty() {
            self.carried.sizes.too_large = format!(
                "{NO_FORM} has {bytes} bytes, more than the broker takes or passes on: alert {} waits on the box; raise the \
                 broker's limit to 65536 bytes or more (Mosquitto: max_packet_size, message_size_limit; NATS: max_payload)",
                alert.id
            );
            tracing::warn!("{}", self.carried.sizes.too_large);
            self.shared.warn(self.carried);
        }
    }

    /// Sends the preview of an alert while it is not known whether the whole alert is too large. It is not larger than what
    /// the broker has taken: otherwise the connection could end over it, and prove nothing.
    fn hold_back(&mut self, alert: &Alert, kind: Kind) {
        let kind = match kind {
            Kind::Alert { seq, .. } => {
                let is_told = self.carried.tracker.has_preview(seq);
                self.carried.tracker.postponed(seq, Instant::now());
                if is_told {
                    return;
                }
                Kind::Preview { seq }
            }
            kind => kind,
        };
        let preview = preview_of(alert);
        let forms = Form::ALL.into_iter().map(|form| payload(&preview.reduced(form, UNCONFIRMED)));
        let passed = self.carried.sizes.limit.passed();
        let fitting = std::iter::once(payload(&preview)).chain(forms).find(|form| form.len() <= passed);
        if let Some(payload) = fitting {
            let topic = self.shared.topics.alert.clone();
            self.send(Message { topic, payload, retain: false }, kind);
        } else if matches!(kind, Kind::Unsaved { .. }) {
            self.proof.holds_unsaved = true;
        }
    }

    /// Reason for which parts are left out of an alert of this size.
    fn withheld(&mut self, bytes: usize, swallowed: Option<usize>) -> Option<String> {
        let (limit, now) = (&self.carried.sizes.limit, Instant::now());
        if bytes > PAYLOAD_BYTES_MAX {
            return Some(format!("the message has {bytes} bytes, and a box sends up to {PAYLOAD_BYTES_MAX}"));
        }
        if !limit.takes(bytes, now) {
            return Some(format!("the broker takes no message of {bytes} bytes"));
        }
        if swallowed.is_none_or(|swallowed| bytes < swallowed) && limit.passes_on(bytes, now) {
            return None;
        }
        if !std::mem::replace(&mut self.carried.sizes.is_swallowing, true) {
            tracing::warn!("{SWALLOWED}");
            self.shared.warn(self.carried);
        }
        Some(format!("the broker does not pass on messages of {bytes} bytes"))
    }
}
