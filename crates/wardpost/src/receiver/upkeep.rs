//! Work that is due from time to time, while messages arrive or not: retention, and the end of the log of what people did.

use std::time::Duration;

use tokio::task::spawn_blocking;

use super::{CHECK_EVERY, Link, ReceiverError};
use base::clock;
use base::fault::chain;
use base::time::Monotonic;

/// Interval of checks for expired entries.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);
/// Interval of lines about the end of the log.
const LOG_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Times of the last work; see the module.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    expired_at: Option<Monotonic>,
    /// More entries had expired than were removed at once.
    has_more: bool,
    logged_at: Option<Monotonic>,
}

impl Link {
    /// Does what is due.
    pub(super) async fn keep_up(&mut self) -> Result<(), ReceiverError> {
        let now = clock::monotonic();
        let is_due =
            |last: Option<Monotonic>, every: Duration| last.is_none_or(|last| now.since(last) >= every);
        if is_due(self.upkeep.expired_at, if self.upkeep.has_more { CHECK_EVERY } else { EXPIRE_EVERY }) {
            self.expire(now).await?;
        }
        if is_due(self.upkeep.logged_at, LOG_EVERY) {
            self.upkeep.logged_at = Some(now);
            self.tell_end_of_log().await?;
        }
        Ok(())
    }

    /// Removes a part of the expired entries.
    async fn expire(&mut self, now: Monotonic) -> Result<(), ReceiverError> {
        let elapsed = self.upkeep.expired_at.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        let (mut storage, keep) = (self.lend(), self.settings.keep);
        let work = spawn_blocking(move || {
            let expired = storage.retain(keep, clock::wall(), elapsed);
            (storage, expired)
        });
        let (storage, expired) = work.await.map_err(|_| ReceiverError::Panicked)?;
        self.storage = Some(storage);
        self.upkeep.has_more = expired.unwrap_or_else(|error| {
            tracing::warn!("{}", chain(&error));
            false
        });
        Ok(())
    }

    /// Logs the end of the log of what people did: the journal is not the post's own to change.
    async fn tell_end_of_log(&mut self) -> Result<(), ReceiverError> {
        let mut storage = self.lend();
        let work = spawn_blocking(move || {
            let closed = storage.close_log();
            (storage, closed)
        });
        let (storage, closed) = work.await.map_err(|_| ReceiverError::Panicked)?;
        self.storage = Some(storage);
        match closed {
            Ok((end, None)) if end.rows == 0 => {}
            Ok((end, None)) => {
                tracing::info!("the access log ends with {end}; check it: wardpost log --verify --end {end}")
            }
            Ok((end, Some(contradiction))) => tracing::error!(
                "the access log, which ends with {end}, was cut or changed: {contradiction}; see wardpost log --verify"
            ),
            Err(error) => tracing::warn!("{}", chain(&error)),
        }
        Ok(())
    }
}
