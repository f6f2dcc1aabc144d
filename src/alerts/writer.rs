//! The alert writer: has alerts stored, one after the other, and tells the publisher of each.
//!
//! An alert is stored before it is sent. Where the disk fails or takes too long, the alert is sent at once, without a place
//! in the outbox, and again with its place when it is stored. So a broken disk loses the record, not the message. The
//! unsaved alerts are bounded: beyond [`PENDING_MAX`] the oldest that the broker has acknowledged is given up; while there is
//! none, nothing more is taken in, and detection waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::Waiting;
use super::stills::StillsInput;
use base::alert::{Alert, AlertDraft, NOT_KEPT};
use base::fault::{ErrorKind, chain};
use base::progress::{self, WORK_MAX};
use clipstore::{Store, StoringAlert};
use wardlink::Publisher;

/// Time that the disk may take before an alert is sent unsaved.
const PATIENCE: Duration = Duration::from_secs(2);
/// Interval at which a store that failed is tried again, and one that is slow is asked.
const RETRY: Duration = Duration::from_millis(500);
/// Alerts that may wait for the disk.
const PENDING_MAX: usize = 64;

/// The alert writer; see the module.
pub struct AlertWriter {
    store: Store,
    publisher: Arc<Publisher>,
    /// Closed when the daemon stops: then a store that fails is not waited for.
    impatience: Receiver<()>,
    /// Entry for stored alerts; `None` where the box makes no stills.
    stills: Option<StillsInput>,
    /// Unsaved alerts, oldest first.
    pending: VecDeque<Pending>,
    /// Reason why the store does not take the unsaved alerts, as it was logged.
    trouble: Option<String>,
}

struct Pending {
    draft: Box<AlertDraft>,
    /// Set while the store is writing it.
    storing: Option<StoringAlert>,
    is_sent: bool,
}

impl AlertWriter {
    pub fn new(
        store: Store,
        publisher: Arc<Publisher>,
        impatience: Receiver<()>,
        stills: Option<StillsInput>,
    ) -> Self {
        Self { store, publisher, impatience, stills, pending: VecDeque::new(), trouble: None }
    }

    /// Runs until the queue has ended and every alert is stored or given up.
    pub fn run(mut self, queue: &Receiver<Waiting>) {
        let _unit = progress::begin("the alert writer", WORK_MAX);
        while let Some(waiting) = progress::wait(|| self.next(queue)) {
            match waiting {
                Some(Waiting::Alert(draft)) => {
                    self.pending.push_back(Pending { draft, storing: None, is_sent: false });
                }
                Some(Waiting::End) => break,
                None => {}
            }
            while !self.pending.is_empty() && self.store_oldest() {}
        }
        while !self.pending.is_empty() && self.store_oldest() {}
        if !self.pending.is_empty() {
            // One last try, with the full `PATIENCE`.
            self.trouble = None;
            while !self.pending.is_empty() && self.store_oldest() {}
        }
        while let Some(pending) = self.pending.pop_front() {
            self.give_up(&pending);
        }
    }

    /// The next entry: `Some(None)` when it is time to ask the store again, `None` at the queue's end.
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

    /// True if one more alert may wait. Makes room by giving up one that the broker has acknowledged; any one while the
    /// daemon stops.
    fn has_room(&mut self) -> bool {
        if self.pending.len() < PENDING_MAX {
            return true;
        }
        let is_stopping = matches!(self.impatience.try_recv(), Err(TryRecvError::Disconnected));
        let place = self.pending.iter().position(|pending| is_stopping || self.is_acknowledged(pending));
        let Some(place) = place else { return false };
        if let Some(pending) = self.pending.remove(place) {
            self.give_up(&pending);
        }
        true
    }

    /// Has the oldest unsaved alert stored; `false` where it goes on waiting, and all unsaved alerts are sent.
    fn store_oldest(&mut self) -> bool {
        let Some(oldest) = self.pending.front_mut() else { return false };
        let storing = match oldest.storing.take() {
            Some(storing) => Ok(storing),
            None => self.store.begin_alert((*oldest.draft).clone()),
        };
        // While the store fails, later alerts must not wait behind this one to be sent.
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
                self.saved(&alert);
                true
            }
            Ok(None) => {
                self.send_unsaved(&format!("the disk has not taken one for {} s", PATIENCE.as_secs()));
                false
            }
            Ok(Some(Err(error))) | Err(error) => {
                self.send_unsaved(&chain(&error));
                let is_hopeless = error.kind() == ErrorKind::Bug;
                if is_hopeless && let Some(pending) = self.pending.pop_front() {
                    self.give_up(&pending);
                }
                is_hopeless
            }
        }
    }

    fn saved(&mut self, alert: &Alert) {
        if self.trouble.take().is_some() {
            tracing::info!("alerts are stored again");
        }
        let (camera, rule, phase) = (&alert.camera.id, &alert.rule.id, alert.phase.as_str());
        tracing::info!(%camera, %rule, seq = alert.seq, phase, "{}", alert.why);
        self.publisher.saved(alert.id, alert.phase);
        self.publisher.wake();
        if let Some(stills) = &self.stills {
            stills.order(alert);
        }
    }

    /// Sends every unsaved alert, each once.
    fn send_unsaved(&mut self, trouble: &str) {
        if self.trouble.as_deref() != Some(trouble) {
            tracing::error!("alerts are sent before they are stored: {trouble}");
            self.trouble = Some(trouble.to_owned());
        }
        for pending in self.pending.iter_mut().filter(|pending| !pending.is_sent) {
            pending.is_sent = true;
            self.publisher.send_unsaved(
                pending
                    .draft
                    .as_ref()
                    .clone()
                    .into_alert(self.store.outbox_id().unwrap_or_default(), NOT_KEPT),
            );
        }
    }

    /// True if it was sent and the broker has acknowledged it.
    fn is_acknowledged(&self, pending: &Pending) -> bool {
        let event = &pending.draft.event;
        pending.is_sent && !self.publisher.is_sending_unsaved(event.id, event.phase)
    }

    fn give_up(&self, pending: &Pending) {
        let camera = &pending.draft.camera.id;
        if self.is_acknowledged(pending) {
            tracing::error!(%camera, "an alert was sent and will not be stored: its record is lost");
        } else if pending.is_sent {
            tracing::error!(%camera, "an alert will not be stored; it is sent if the broker is reached before the daemon stops");
        } else {
            tracing::error!(%camera, "an alert is lost: it was neither stored nor sent");
        }
    }
}
