//! The box's own status at the broker: a trace of another box with the same id.

use std::time::{Duration, Instant};

use super::super::client::Quality;
use super::Session;
use crate::takeover::Trace;

/// Time for which the own status waits for the answer about the retained one.
const ANSWER: Duration = Duration::from_secs(5);

impl Session<'_> {
    /// Time until which the own status is not sent while the retained one is asked for.
    pub(super) fn held_until(&self) -> Instant {
        self.begun + ANSWER
    }

    /// Asks for the status that is retained at the broker, after a connection that ended.
    pub(super) fn ask_for_a_rival(&mut self) {
        self.is_asking = self.carried.identity.takeovers.asks();
        if self.is_asking {
            self.client.subscribe(&[(&self.shared.topics.status, Quality::AtLeastOnce)]);
        }
    }

    /// The first message is the retained one; later ones are this connection's own.
    pub(super) fn on_status(&mut self, payload: &[u8]) {
        if !std::mem::take(&mut self.is_asking) {
            return;
        }
        self.client.unsubscribe(&self.shared.topics.status);
        let Some(trace) = Trace::of_status(payload) else { return };
        if self.carried.identity.takeovers.found(trace, &self.carried.identity.run) {
            self.carried.identity.client_id.taken_over();
        }
        self.shared.warn(self.carried);
    }
}
