//! Changes of the outbox that are not in the index yet: delivered alerts, and the post's acknowledgement.

use crate::index::{Acknowledged, Acknowledgement};
use base::ack::Ack;

/// Changes that wait for the index.
#[derive(Debug, Default)]
pub(super) struct OutboxChanges {
    /// Delivered alerts whose rows could not be removed yet.
    pub delivered: Vec<u64>,
    /// Acknowledgement of the post whose rows could not be removed yet.
    pub acknowledged: Option<Acknowledgement>,
    /// Fault of the last acknowledgement, as it was logged.
    ignored: Option<Acknowledged>,
}

impl OutboxChanges {
    /// Logs an acknowledgement that does not fit this outbox, once for each fault.
    pub fn note(&mut self, ack: &Ack, result: Acknowledged) {
        if result == Acknowledged::Done {
            self.ignored = None;
            return;
        }
        if self.ignored.replace(result) == Some(result) && result == Acknowledged::OfAnother {
            return;
        }
        if result == Acknowledged::OfAnother {
            tracing::info!(
                "acknowledgement of the post ignored: it is about outbox {}, which is another one",
                ack.outbox
            );
        } else {
            tracing::error!(
                "the store has gone back, as one that was put back from a copy: the post has other alerts of outbox {} up to \
                 number {}. The alerts that wait are sent as another outbox; footage and alerts since the copy may be missing here",
                ack.outbox,
                ack.highest
            );
        }
    }
}
