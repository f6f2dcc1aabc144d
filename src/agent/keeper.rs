//! Has alerts kept, one after the other, and says so to the publisher.
//!
//! An alert is kept before it is sent. Where the disk fails or takes too long, the alert is *announced*: sent at once,
//! without a place in the outbox, and again with its place when it is kept. So a broken disk costs the box its memory,
//! not its voice. What waits is bounded: beyond [`PENDING_MAX`] the oldest that the broker has acknowledged is given up;
//! while there is none, nothing more is taken in, and detection waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::WORK_MAX;
use super::alerts::Waiting;
use crate::domain::alert::{Alert, AlertDraft, NOT_KEPT};
use crate::domain::fault::{ErrorKind, chain};
use crate::progress;
use crate::publish::Publisher;
use crate::store::{Store, StoringAlert};

/// How long the disk may take before an alert is announced.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a store that failed is tried again, and one that is slow is asked.
const RETRY: Duration = Duration::from_millis(500);
/// Alerts that may wait for the disk.
const PENDING_MAX: usize = 64;

/// See the module.
pub(super) struct Keeper {
    store: Store,
    publisher: Arc<Publisher>,
    /// Closed when the daemon stops: then a store that fails is not waited for.
    impatience: Receiver<()>,
    /// Not kept yet, oldest first.
    pending: VecDeque<Pending>,
    /// Why the store does not keep what is pending, as it was logged.
    trouble: Option<String>,
}

struct Pending {
    draft: Box<AlertDraft>,
    /// The store has it in hand.
    storing: Option<StoringAlert>,
    is_announced: bool,
}

impl Keeper {
    pub(super) fn new(store: Store, publisher: Arc<Publisher>, impatience: Receiver<()>) -> Self {
        Self { store, publisher, impatience, pending: VecDeque::new(), trouble: None }
    }

    /// Works until the queue has ended, and everything is kept or given up.
    pub(super) fn run(mut self, queue: &Receiver<Waiting>) {
        let _unit = progress::begin("the keeping of alerts", WORK_MAX);
        while let Some(waiting) = progress::wait(|| self.next(queue)) {
            match waiting {
                Some(Waiting::Alert(draft)) => {
                    self.pending.push_back(Pending { draft, storing: None, is_announced: false });
                }
                Some(Waiting::End) => break,
                None => {}
            }
            while !self.pending.is_empty() && self.keep_oldest() {}
        }
        while !self.pending.is_empty() && self.keep_oldest() {}
        if !self.pending.is_empty() {
            // The disk has had its time; once more, as long as an alert may take.
            self.trouble = None;
            while !self.pending.is_empty() && self.keep_oldest() {}
        }
        while let Some(pending) = self.pending.pop_front() {
            self.give_up(&pending);
        }
    }

    /// What comes next: `Some(None)` when it is time to ask the store again, `None` at the queue's end.
    fn next(&mut self, queue: &Receiver<Waiting>) -> Option<Option<Waiting>> {
        if self.pending.is_empty() {
            return queue.recv().ok().map(Some);
        }
        if !self.has_room() {
            // Ends at once when the daemon stops, and then there is room.
            let _ = self.impatience.recv_timeout(RETRY);
            return Some(None);
        }
        match queue.recv_timeout(RETRY) {
            Ok(waiting) => Some(Some(waiting)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Whether one more alert may wait; makes room by giving up one that the broker has, when the daemon stops any.
    fn has_room(&mut self) -> bool {
        if self.pending.len() < PENDING_MAX {
            return true;
        }
        let is_stopping = matches!(self.impatience.try_recv(), Err(TryRecvError::Disconnected));
        let may_go = |pending: &Pending| is_stopping || self.is_told(pending);
        let Some(place) = self.pending.iter().position(may_go) else { return false };
        if let Some(pending) = self.pending.remove(place) {
            self.give_up(&pending);
        }
        true
    }

    /// Has the oldest pending alert kept; `false` where it goes on waiting, and everything is announced.
    fn keep_oldest(&mut self) -> bool {
        let Some(oldest) = self.pending.front_mut() else { return false };
        let storing = match oldest.storing.take() {
            Some(storing) => Ok(storing),
            None => self.store.begin_alert((*oldest.draft).clone()),
        };
        // While there is trouble, others that come must not wait behind this one to be announced.
        let patience = if self.trouble.is_none() { PATIENCE } else { Duration::ZERO };
        progress::advance();
        let answer = storing.map(|storing| match storing.wait(patience) {
            None => {
                oldest.storing = Some(storing);
                None
            }
            answer => answer,
        });
        match answer {
            Ok(Some(Ok(alert))) => {
                self.pending.pop_front();
                self.kept(&alert);
                true
            }
            Ok(None) => {
                self.announce(&format!("the disk has not taken one for {} s", PATIENCE.as_secs()));
                false
            }
            Ok(Some(Err(error))) | Err(error) => {
                self.announce(&chain(&error));
                let is_hopeless = error.kind() == ErrorKind::Bug;
                if is_hopeless && let Some(pending) = self.pending.pop_front() {
                    self.give_up(&pending);
                }
                is_hopeless
            }
        }
    }

    fn kept(&mut self, alert: &Alert) {
        if self.trouble.take().is_some() {
            tracing::info!("alerts are kept again");
        }
        let (camera, rule, phase) = (&alert.camera.id, &alert.rule.id, alert.phase.as_str());
        tracing::info!(%camera, %rule, seq = alert.seq, phase, "{}", alert.why);
        self.publisher.kept(alert.id, alert.phase);
        self.publisher.wake();
    }

    /// Sends everything that is pending, each once.
    fn announce(&mut self, trouble: &str) {
        if self.trouble.as_deref() != Some(trouble) {
            tracing::error!("alerts are sent before they are kept: {trouble}");
            self.trouble = Some(trouble.to_owned());
        }
        for pending in self.pending.iter_mut().filter(|pending| !pending.is_announced) {
            pending.is_announced = true;
            self.publisher.announce(
                pending
                    .draft
                    .as_ref()
                    .clone()
                    .into_alert(self.store.outbox_id().unwrap_or_default(), NOT_KEPT),
            );
        }
    }

    /// Whether the broker has acknowledged it.
    fn is_told(&self, pending: &Pending) -> bool {
        let event = &pending.draft.event;
        pending.is_announced && !self.publisher.is_announcing(event.id, event.phase)
    }

    fn give_up(&self, pending: &Pending) {
        let camera = &pending.draft.camera.id;
        if self.is_told(pending) {
            tracing::error!(%camera, "an alert was sent, and will not be kept");
        } else if pending.is_announced {
            tracing::error!(%camera, "an alert will not be kept; it is sent if the broker is reached in time");
        } else {
            tracing::error!(%camera, "an alert is lost");
        }
    }
}
