//! Faults of the moment, each logged once.

use std::time::{Duration, Instant};

use super::error::StoreError;
use base::fault::chain;

/// Time without a failure after which the end of a trouble is logged. A disk at its limit takes some writes and refuses others.
const CALM: Duration = Duration::from_secs(60);
/// Maximum number of causes of one trouble that are told apart in the log.
const CAUSES_MAX: usize = 16;

/// An operation that works or does not; logs each cause of a trouble once, and its end.
pub(super) struct Fault {
    /// Text of the log line.
    subject: &'static str,
    /// Causes that were logged since the operation last worked for long.
    logged: Vec<String>,
    /// Cause of the error in `reason`.
    cause: String,
    failed_at: Option<Instant>,
    /// Reason of the failure; `None` while it works.
    pub reason: Option<String>,
}

impl Fault {
    pub fn new(subject: &'static str) -> Self {
        Self { subject, logged: Vec::new(), cause: String::new(), failed_at: None, reason: None }
    }

    pub fn note(&mut self, error: Option<&StoreError>) {
        let now = Instant::now();
        let Some(error) = error else {
            self.reason = None;
            if self.failed_at.take_if(|at| now.duration_since(*at) >= CALM).is_some() {
                tracing::info!("fault ended: {}", self.subject);
                self.logged.clear();
            }
            return;
        };
        self.failed_at = Some(now);
        // The same trouble names another file each time.
        let cause = match error {
            StoreError::Clip { source, .. } => source.to_string(),
            // Its figures change all the time.
            StoreError::FullOfEvidence { scope, .. } => scope.clone(),
            StoreError::NoHeadroom { .. } => "headroom".to_owned(),
            other => other.to_string(),
        };
        if self.reason.is_none() || self.cause != cause {
            let text = chain(error);
            if !self.logged.contains(&cause) && self.logged.len() < CAUSES_MAX {
                tracing::warn!("{}: {text}", self.subject);
                self.logged.push(cause.clone());
            }
            (self.cause, self.reason) = (cause, Some(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_at_its_limit_is_logged_once_for_each_cause() {
        let mut fault = Fault::new("the index cannot be written");
        let full = |scope: &str| StoreError::FullOfEvidence { scope: scope.to_owned(), held_bytes: 1 };
        for _ in 0..100 {
            fault.note(Some(&full("a")));
            fault.note(Some(&full("b")));
            assert!(fault.reason.is_some());
            fault.note(None);
            assert!(fault.reason.is_none(), "the status follows at once");
        }
        assert_eq!(fault.logged, ["a", "b"]);
    }
}
