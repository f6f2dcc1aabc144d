//! Alerts that leave: whole, as a preview, or in a form that fits.

use std::time::{Duration, Instant};

use super::Session;
use super::queue::{Next, Room, ask};
use crate::OutboxError;
use crate::client::Message;
use crate::in_flight::{ALERTS_MAX, Kind};
use base::alert::{Alert, NOT_KEPT};

/// Delay before an outbox that cannot be read is tried again.
const OUTBOX_RETRY: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// Hands over as many alerts as may be in flight.
    pub(super) async fn send_alerts(&mut self) {
        while self.in_flight.alerts() < ALERTS_MAX && self.retry_at.is_none() {
            if let Some((number, alert)) = self.shared.unsaved.next(self.unsaved_sent) {
                self.send_unsaved(number, alert);
                continue;
            }
            match self.send_next().await {
                Ok(true) => self.outbox_error.clear(),
                Ok(false) => return,
                Err(error) => self.outbox_failed(&error),
            }
        }
    }

    /// Sends an alert that is only in memory; on a slow link its preview.
    fn send_unsaved(&mut self, number: u64, alert: Alert) {
        self.unsaved_sent = number;
        let alert = self.renamed(alert);
        let alert = if self.carried.window.is_slow() { preview_of(&alert) } else { alert };
        self.send_alert(&alert, Kind::Unsaved { number });
    }

    /// Sends the next alert of the outbox. `false` where none is ready.
    async fn send_next(&mut self) -> Result<bool, OutboxError> {
        let room = Room {
            window: if self.is_leaving { 0 } else { self.carried.window.size() },
            alerts: self.in_flight.alerts(),
            windowed: self.in_flight.windowed(),
        };
        match self.queue.next(&self.shared.outbox, &self.carried.tracker, room).await? {
            None => return Ok(false),
            Some(Next::Fresh(seq)) => self.send_fresh(seq).await?,
            Some(Next::CanWait(seq)) => self.send_waiting(seq).await?,
        }
        Ok(true)
    }

    /// Sends a new alert at once. On a slow link its preview goes first, and the whole alert with the picture later.
    async fn send_fresh(&mut self, seq: u64) -> Result<(), OutboxError> {
        let Some(alert) = self.read(seq).await? else { return Ok(()) };
        if self.carried.window.is_breaking() {
            self.send_apart(seq, &alert);
        } else if self.carried.window.is_slow() && alert.thumbnail.is_some() {
            self.send_alert(&preview_of(&alert), Kind::Preview { seq });
            self.queue.previewed(seq);
        } else {
            self.send_alert(&alert, Kind::Alert { seq, is_windowed: false });
        }
        Ok(())
    }

    /// Sends an alert that can wait. One that breaks connections is preceded by its preview.
    async fn send_waiting(&mut self, seq: u64) -> Result<(), OutboxError> {
        let Some(alert) = self.read(seq).await? else {
            self.carried.tracker.forget(seq);
            return Ok(());
        };
        if self.carried.window.is_breaking() && !self.carried.tracker.has_preview(seq) {
            self.send_apart(seq, &alert);
            return Ok(());
        }
        if self.carried.tracker.wants_preview(seq) && alert.thumbnail.is_some() {
            self.send_alert(&preview_of(&alert), Kind::Preview { seq });
        }
        let wants_answer = self.carried.tracker.wants_answer(seq);
        self.send_alert(&alert, Kind::Alert { seq, is_windowed: true });
        if wants_answer {
            self.ask_for_answer(&alert, seq);
        }
        Ok(())
    }

    /// Sends an alert on a link whose connections break under pictures: a small alert whole, of any other its preview, and the
    /// rest later.
    fn send_apart(&mut self, seq: u64, alert: &Alert) {
        if alert.thumbnail.is_none() {
            self.send_alert(alert, Kind::Alert { seq, is_windowed: true });
        } else {
            self.send_alert(&preview_of(alert), Kind::Preview { seq });
            self.carried.tracker.postponed(seq, Instant::now());
        }
    }

    async fn read(&mut self, seq: u64) -> Result<Option<Alert>, OutboxError> {
        Ok(ask(&self.shared.outbox, move |outbox| outbox.alert(seq)).await?.map(|alert| self.renamed(alert)))
    }

    /// The alert under the box's present ward and id: the post takes no other on the box's topic.
    fn renamed(&self, alert: Alert) -> Alert {
        alert.under(&self.shared.settings.ward, &self.shared.settings.box_id)
    }

    fn outbox_failed(&mut self, error: &OutboxError) {
        let error = error.to_string();
        if error != self.outbox_error {
            tracing::warn!("the outbox cannot be read: {error}");
        }
        self.outbox_error = error;
        self.retry_at = Some(Instant::now() + OUTBOX_RETRY);
    }

    fn send_alert(&mut self, alert: &Alert, kind: Kind) {
        let Some(payload) = self.fitting(alert, kind) else { return };
        if let Kind::Alert { seq, .. } = kind {
            self.carried.tracker.sent(seq, payload.len(), Instant::now());
        }
        let topic = self.shared.topics.alert.clone();
        self.send(Message { topic, payload, retain: false }, kind);
    }
}

/// Preview of an alert: all but its picture. The whole alert follows with its number.
pub(super) fn preview_of(alert: &Alert) -> Alert {
    Alert { seq: NOT_KEPT, thumbnail: None, ..alert.clone() }
}
