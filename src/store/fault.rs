//! Faults of the moment, each logged once.

use super::error::StoreError;
use crate::domain::fault::chain;

/// An operation that works or does not; logs each change once.
pub(super) struct Fault {
    /// Text of the log line.
    what: &'static str,
    /// Cause of the error in `said`.
    cause: String,
    /// Reason of the failure, as it was logged; `None` while it works.
    pub said: Option<String>,
}

impl Fault {
    pub fn new(what: &'static str) -> Self {
        Self { what, cause: String::new(), said: None }
    }

    pub fn note(&mut self, error: Option<&StoreError>) {
        let Some(error) = error else {
            if self.said.take().is_some() {
                tracing::info!("over: {}", self.what);
            }
            return;
        };
        // The same trouble names another file each time.
        let cause = match error {
            StoreError::Clip { source, .. } => source.to_string(),
            // Its figures change all the time.
            StoreError::FullOfEvidence { scope, .. } => scope.clone(),
            StoreError::NoHeadroom { .. } => "headroom".to_owned(),
            other => other.to_string(),
        };
        if self.said.is_none() || self.cause != cause {
            let text = chain(error);
            tracing::warn!("{}: {text}", self.what);
            (self.cause, self.said) = (cause, Some(text));
        }
    }
}
