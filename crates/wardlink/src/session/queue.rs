//! Order in which alerts leave on one connection: alerts that are only in memory; new alerts; then those that can wait.
//!
//! Alerts that can wait are, on a slow link, the new alerts' pictures, then repeated alerts, then the backlog, oldest first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use crate::delivery::DeliveryTracker;
use crate::{Outbox, OutboxError};
use base::fault::ErrorKind;

/// Interval of scans of the whole outbox for alerts neither sent nor acknowledged, after a rebuild of the store for example.
const RESCAN: Duration = Duration::from_secs(600);
/// Maximum count of numbers in one read of the outbox.
const READ_MAX: usize = 256;

/// Alerts of the outbox that are to be sent on one connection; see the module.
#[derive(Debug)]
pub(super) struct Queue {
    /// New alerts that are not sent yet.
    fresh: Numbers,
    /// New alerts whose preview was sent, and whose pictures follow.
    previewed: VecDeque<u64>,
    /// Alerts that are older than the connection; `None` until their range is known.
    backlog: Option<Numbers>,
    /// Time of the next scan of the outbox.
    rescan_at: Instant,
}

/// A range of the outbox, read in parts.
#[derive(Debug, Default)]
struct Numbers {
    /// Numbers read, and not sent yet.
    read: VecDeque<u64>,
    /// The last number that was read.
    cursor: u64,
    /// The last number of this range.
    end: u64,
    /// More numbers may follow `cursor`.
    more: bool,
}

/// The next alert to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A new one.
    Fresh(u64),
    /// One that can wait, within the [send window](crate::send_window).
    CanWait(u64),
}

/// Room for alerts that can wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Size of the send window; 0 where no such alert is begun.
    pub window: usize,
    /// Number of all alerts in flight.
    pub alerts: usize,
    /// Number of alerts in flight that the send window limits.
    pub windowed: usize,
}

impl Queue {
    pub fn new() -> Self {
        Self {
            fresh: Numbers { end: u64::MAX, ..Numbers::default() },
            previewed: VecDeque::new(),
            backlog: None,
            rescan_at: Instant::now() + RESCAN,
        }
    }

    /// New alerts are in the outbox.
    pub fn wake(&mut self) {
        self.fresh.more = true;
    }

    /// The preview of a new alert was sent; its picture follows.
    pub fn previewed(&mut self, seq: u64) {
        self.previewed.push_back(seq);
    }

    /// Time of the next scan of the outbox.
    pub fn rescan_at(&self) -> Instant {
        self.rescan_at
    }

    /// The next alert to send, if one is ready.
    pub async fn next(
        &mut self,
        outbox: &Arc<dyn Outbox>,
        tracker: &DeliveryTracker,
        room: Room,
    ) -> Result<Option<Next>, OutboxError> {
        if self.backlog.is_none() {
            // Later numbers are new.
            let end = ask(outbox, |outbox| outbox.last()).await?;
            self.backlog = Some(Numbers { end, more: end > 0, ..Numbers::default() });
            self.fresh.cursor = end;
        }
        if self.rescan_at <= Instant::now() {
            self.backlog = Some(Numbers { end: self.fresh.cursor, more: true, ..Numbers::default() });
            self.rescan_at = Instant::now() + RESCAN;
        }
        if let Some(seq) = self.fresh.next(outbox).await? {
            return Ok(Some(Next::Fresh(seq)));
        }
        if room.windowed < room.window
            && let Some(seq) = self.previewed.pop_front()
        {
            return Ok(Some(Next::CanWait(seq)));
        }
        // The rest does not begin while alerts in flight fill the link.
        if room.alerts >= room.window {
            return Ok(None);
        }
        if let Some(seq) = tracker.due(Instant::now()) {
            return Ok(Some(Next::CanWait(seq)));
        }
        while !tracker.is_full()
            && let Some(backlog) = &mut self.backlog
            && let Some(seq) = backlog.next(outbox).await?
        {
            if !tracker.is_tracked(seq) {
                return Ok(Some(Next::CanWait(seq)));
            }
        }
        Ok(None)
    }
}

impl Numbers {
    /// The next number of this range; reads more where none is at hand.
    async fn next(&mut self, outbox: &Arc<dyn Outbox>) -> Result<Option<u64>, OutboxError> {
        if self.read.is_empty() && self.more {
            let cursor = self.cursor;
            let read = ask(outbox, move |outbox| outbox.waiting(cursor, READ_MAX)).await?;
            self.more = read.last().is_some_and(|last| *last < self.end);
            self.cursor = read.last().copied().unwrap_or(cursor);
            self.read.extend(read.into_iter().filter(|seq| *seq <= self.end));
        }
        Ok(self.read.pop_front())
    }
}

/// Answer of the outbox, which may block.
pub(super) async fn ask<T: Send + 'static>(
    outbox: &Arc<dyn Outbox>,
    question: impl FnOnce(&dyn Outbox) -> Result<T, OutboxError> + Send + 'static,
) -> Result<T, OutboxError> {
    let outbox = Arc::clone(outbox);
    let answer = spawn_blocking(move || question(&*outbox)).await;
    answer.unwrap_or_else(|error| Err(OutboxError::new(ErrorKind::Bug, error.to_string())))
}
