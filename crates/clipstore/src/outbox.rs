//! The store as the outbox that the publisher reads.

use super::{Store, StoreError};
use base::ack::Ack;
use base::alert::Alert;
use base::fault::chain;
use base::outbox::{Outbox, OutboxError, WaitingStill};

impl Outbox for Store {
    fn last(&self) -> Result<u64, OutboxError> {
        Ok(self.last_waiting()?)
    }

    fn waiting(&self, after_seq: u64, limit: usize) -> Result<Vec<u64>, OutboxError> {
        // The catalogue's method of this name.
        Ok((**self).waiting(after_seq, limit)?)
    }

    fn alert(&self, seq: u64) -> Result<Option<Alert>, OutboxError> {
        Ok(self.waiting_alert(seq)?)
    }

    fn delivered(&self, seq: u64) {
        // The method of the store itself, as below.
        Store::delivered(self, seq);
    }

    fn acknowledged(&self, ack: Ack, sent: Vec<u64>) -> Result<bool, OutboxError> {
        Ok(Store::acknowledged(self, ack, sent)?)
    }

    fn still_after(&self, number: u64) -> Result<Option<WaitingStill>, OutboxError> {
        // The catalogue's method of this name.
        Ok((**self).still_after(number)?)
    }

    fn still_delivered(&self, number: u64) {
        self.inner.shared.queue.push_still_delivered(number);
    }
}

impl From<StoreError> for OutboxError {
    fn from(error: StoreError) -> Self {
        Self::new(error.kind(), chain(&error))
    }
}
