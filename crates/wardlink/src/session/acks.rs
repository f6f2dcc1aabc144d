//! The post's acknowledgements: subscription, check, and removal of confirmed alerts from the outbox.

use std::time::Instant;

use super::Session;
use super::queue::ask;
use crate::client::Quality;
use crate::error::PublishError;
use crate::settings::Acknowledge;
use crate::shared::Shared;
use base::ack::{self, Ack};

impl Session<'_> {
    /// Subscribes to the post's acknowledgements, unless a message there is too large for now.
    pub(super) fn subscribe(&mut self) {
        let is_paused = self.carried.acks.paused_until.is_some_and(|until| until > Instant::now().into());
        if self.shared.settings.acknowledge == Acknowledge::Post && !is_paused {
            self.awaits_grant = true;
            self.client.subscribe(&[(&self.shared.topics.ack, Quality::AtLeastOnce)]);
        } else {
            self.carried.last.is_granted = true;
        }
        self.ask_for_a_rival();
    }

    /// The broker has answered the subscription to the post's acknowledgements.
    pub(super) fn on_answered(&mut self, is_granted: bool) -> Result<(), PublishError> {
        let refused = PublishError::AcksRefused { topic: self.shared.topics.ack.clone() };
        if is_granted {
            self.carried.identity.client_id.granted();
        } else if self.carried.identity.client_id.is_worth_a_change() {
            return Err(refused);
        } else {
            self.report(refused.to_string());
        }
        self.carried.last.is_granted = true;
        self.carried.acks.refused = (!is_granted).then(|| refused.to_string());
        self.shared.warn(self.carried);
        Ok(())
    }

    /// Takes an acknowledgement of the post. One that is not for this box or is inconsistent is ignored, and logged once.
    pub(super) async fn on_ack(&mut self, payload: &[u8], is_retained: bool) {
        let ack = match read_ack(payload, self.shared) {
            Ok(ack) => ack,
            Err(fault) => return self.report(fault),
        };
        let (taken, sent) = (ack.clone(), self.carried.tracker.sent_and_covered(&ack));
        match ask(&self.shared.outbox, move |outbox| outbox.acknowledged(taken, sent)).await {
            Ok(true) => {
                self.carried.acks.fault.clear();
                let sizes = self.carried.tracker.confirmed(&ack, !is_retained, Instant::now());
                self.on_sizes(sizes);
                self.review_at = Instant::now();
            }
            // Most likely a retained one of an earlier outbox.
            Ok(false) => {
                let fault = format!(
                    "the post acknowledges alerts up to {} of outbox {}, which are not those of this box's store",
                    ack.highest, ack.outbox
                );
                // The status names the present one.
                self.status_is_due |= fault != self.carried.acks.fault;
                self.report(fault);
            }
            Err(error) => self.report(format!("the acknowledgement of the post cannot be stored: {error}")),
        }
    }

    /// Logs a fault of the acknowledgements, once.
    fn report(&mut self, fault: String) {
        if fault != self.carried.acks.fault {
            tracing::warn!("{fault}");
            self.carried.acks.fault = fault;
        }
    }
}

/// A consistent acknowledgement for this box, or its fault.
fn read_ack(payload: &[u8], shared: &Shared) -> Result<Ack, String> {
    let topic = &shared.topics.ack;
    let ack: Ack =
        serde_json::from_slice(payload).map_err(|error| format!("{topic} does not read: {error}"))?;
    if ack.schema != ack::SCHEMA {
        Err(format!("{topic} has schema \"{}\", and this version reads {}", ack.schema, ack::SCHEMA))
    } else if ack.box_id != shared.settings.box_id {
        Err(format!("{topic} is about box {}", ack.box_id))
    } else if !ack.is_consistent() {
        Err(format!("{topic} contradicts itself"))
    } else {
        Ok(ack)
    }
}
