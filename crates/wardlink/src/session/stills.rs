//! Stills that leave: one in flight at a time, and only while no alert waits.

use std::time::{Duration, Instant};

use super::Session;
use super::queue::ask;
use crate::OutboxError;
use crate::client::Message;
use crate::in_flight::Kind;
use crate::topic::payload;
use base::outbox::WaitingStill;
use base::time::in_words;

/// Stills of the store that are to be sent on one connection.
#[derive(Debug)]
pub(super) struct StillQueue {
    /// Number of the last still that was sent or passed over.
    cursor: u64,
    /// A still may wait behind `cursor`.
    pub may_wait: bool,
}

impl StillQueue {
    pub fn new() -> Self {
        Self { cursor: 0, may_wait: true }
    }
}

impl Session<'_> {
    /// Sends the next still where nothing else waits.
    pub(super) async fn send_still(&mut self) {
        if !self.stills.may_wait || !self.may_send_still() {
            return;
        }
        let sent = self.send_next_still().await;
        if let Err(error) = sent {
            // The outbox, in the same index, reports the fault. The next wake-up or connection tries again.
            tracing::debug!("the stills cannot be read: {error}");
            self.stills.may_wait = false;
        }
    }

    /// True where no alert waits, is in flight or unconfirmed, and the link is sound.
    fn may_send_still(&self) -> bool {
        self.shared.settings.stills
            && !self.is_leaving
            && self.retry_at.is_none()
            && !self.in_flight.has_still()
            && self.in_flight.alerts() == 0
            && self.carried.tracker.is_empty()
            && !self.carried.window.is_breaking()
            && self.carried.sizes.limit.wants_proof().is_none()
            && self.carried.stills.paused_until(Instant::now()).is_none()
    }

    async fn send_next_still(&mut self) -> Result<(), OutboxError> {
        let cursor = self.stills.cursor;
        let Some(waiting) = ask(&self.shared.outbox, move |outbox| outbox.still_after(cursor)).await? else {
            self.stills.may_wait = false;
            return Ok(());
        };
        let WaitingStill { number, still } = waiting;
        let settings = &self.shared.settings;
        let payload = payload(&still.into_still(settings.ward.clone(), settings.box_id.clone()));
        let (bytes, limit) = (payload.len(), &self.carried.sizes.limit);
        let now = Instant::now();
        if !limit.takes(bytes, now) || !limit.passes_on(bytes, now) {
            // It is tried again on the next connection.
            tracing::debug!("a still of {bytes} bytes waits: the broker takes no message of that size");
            self.stills.cursor = number;
        } else {
            self.stills.cursor = number;
            let topic = self.shared.topics.still.clone();
            self.send(Message { topic, payload, retain: false }, Kind::Still { number });
        }
        Ok(())
    }

    /// The broker has acknowledged a still.
    pub(super) fn on_still(&mut self, number: u64, took: Duration) {
        self.carried.stills.acknowledged(Instant::now(), took);
        self.shared.state().stills_published += 1;
        self.shared.outbox.still_delivered(number);
    }

    /// The client gave a still up: it is sent again.
    pub(super) fn on_still_dropped(&mut self, number: u64) {
        self.stills.cursor = self.stills.cursor.min(number.saturating_sub(1));
        self.stills.may_wait = true;
    }

    /// The connection ends while the largest message in flight is a still.
    pub(super) fn ended_over_still(&mut self) {
        if let Some(pause) = self.carried.stills.ended_over(Instant::now()) {
            tracing::warn!(
                "connections to the broker {} end over stills: none is sent for {}, then ever more rarely; alerts go on. Let the \
                 box write {} in the broker's access list, or set stills = false under [broker]",
                self.shared.settings.address(),
                in_words(pause),
                self.shared.topics.still
            );
        }
    }
}
