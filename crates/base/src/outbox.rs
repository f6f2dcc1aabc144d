//! Outbox: the store of alerts and stills until they are delivered, as their sender sees it.
//!
//! The clip store implements it, and the publisher of `wardlink` reads it.

use crate::ack::Ack;
use crate::alert::Alert;
use crate::fault::ErrorKind;
use crate::still::StillDraft;

/// Reason why the outbox cannot be read or changed, with place and remedy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct OutboxError {
    kind: ErrorKind,
    message: String,
}

impl OutboxError {
    /// An error of this kind; `message` names what happened and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// A still that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingStill {
    /// Its number in the store, which no other still ever has.
    pub number: u64,
    /// The still.
    pub still: StillDraft,
}

/// Store of the alerts until they are delivered. Functions with a result may block. An error changes nothing, and the
/// caller tries again.
pub trait Outbox: Send + Sync + 'static {
    /// The highest waiting number; 0 where none waits.
    ///
    /// # Errors
    /// The store does not read.
    fn last(&self) -> Result<u64, OutboxError>;

    /// The waiting numbers above `after_seq`, in order; at most `limit`.
    ///
    /// # Errors
    /// The store does not read.
    fn waiting(&self, after_seq: u64, limit: usize) -> Result<Vec<u64>, OutboxError>;

    /// The alert with this number; `None` where it no longer waits.
    ///
    /// # Errors
    /// The store does not read.
    fn alert(&self, seq: u64) -> Result<Option<Alert>, OutboxError>;

    /// Removes an alert that the broker has acknowledged, where that is enough. Must not block.
    fn delivered(&self, seq: u64);

    /// Takes an acknowledgement of the post that is about this box and consistent, and removes those of `sent` that it covers.
    /// A number alone is no proof that the post has this message: in a store that was put back, others had it before.
    ///
    /// `false` where the acknowledgement is about another outbox than the present one, and where it proves that the store has
    /// gone back: the outbox gets another id then, and nothing is removed.
    ///
    /// # Errors
    /// The store does not read.
    fn acknowledged(&self, ack: Ack, sent: Vec<u64>) -> Result<bool, OutboxError>;

    /// The waiting still with the lowest number above `number`. The provided method is for a store without stills.
    ///
    /// # Errors
    /// The store does not read.
    fn still_after(&self, number: u64) -> Result<Option<WaitingStill>, OutboxError> {
        let _ = number;
        Ok(None)
    }

    /// Removes a still that the broker has acknowledged. Must not block.
    fn still_delivered(&self, number: u64) {
        let _ = number;
    }
}
