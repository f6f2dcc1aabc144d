//! Messages of one connection: the box's status and vitals, alerts ([`alerts`]), stills ([`stills`]), and the post's
//! acknowledgements ([`acks`]).
//!
//! An alert leaves the outbox when the post's acknowledgement covers it, or, where the post does not acknowledge, on its
//! PUBACK.

mod acks;
mod alerts;
mod queue;
mod rival;
mod sizes;
mod stills;

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use super::client::{Client, Message, Occurrence, Token};
use super::error::PublishError;
use super::in_flight::{InFlight, Kind};
use super::settings::Acknowledge;
use super::shared::{Carried, Shared, Stop, Wanted};
use super::topic::{offline, online, payload};
use base::status::Status;
use queue::Queue;
use stills::StillQueue;

/// Time without an acknowledgement after which the connection is given up.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Interval at which the warnings are read anew while the post owes acknowledgements.
const REVIEW: Duration = Duration::from_secs(10);
/// Share of the grace for waiting for acknowledgements; the rest is for the offline status and the DISCONNECT.
const GRACE_TO_WAIT: f32 = 0.75;

/// One connection and its messages; see the module.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    carried: &'a mut Carried,
    client: Client,
    in_flight: InFlight,
    queue: Queue,
    stills: StillQueue,
    /// Time at which the warnings are read anew.
    review_at: Instant,
    /// Number of the last alert from memory that was handed to the client.
    unsaved_sent: u64,
    /// Time of the next attempt to read the outbox after an error.
    retry_at: Option<Instant>,
    /// That error, as it was logged.
    outbox_error: String,
    status_is_due: bool,
    /// The box goes offline: no message that can wait is begun.
    is_leaving: bool,
    /// The subscription to the acknowledgements is not answered yet.
    awaits_grant: bool,
    /// The retained status was asked for, and has not come.
    is_asking: bool,
    /// Time of the last acknowledgement, or of the first message after none was in flight.
    progress_at: Instant,
    begun: Instant,
    proof: Proof,
}

/// Proof that the link carries as many bytes as a message over which connections ended.
#[derive(Debug, Default)]
struct Proof {
    /// Bytes acknowledged on this connection.
    bytes: usize,
    /// The status as it was sent last.
    status: Vec<u8>,
    /// An alert from memory waits for the end of the proof.
    holds_unsaved: bool,
}

impl<'a> Session<'a> {
    pub fn begin(shared: &'a Shared, carried: &'a mut Carried, client: Client) -> Self {
        Self {
            shared,
            carried,
            client,
            in_flight: InFlight::default(),
            queue: Queue::new(),
            stills: StillQueue::new(),
            review_at: Instant::now() + REVIEW,
            unsaved_sent: 0,
            retry_at: None,
            outbox_error: String::new(),
            status_is_due: true,
            is_leaving: false,
            awaits_grant: false,
            is_asking: false,
            progress_at: Instant::now(),
            begun: Instant::now(),
            proof: Proof::default(),
        }
    }

    /// Sends all messages until the connection ends; `Ok` when it was told to stop.
    pub async fn serve(mut self, wanted: &mut watch::Receiver<Wanted>) -> Result<(), PublishError> {
        let mut seen = *wanted.borrow_and_update();
        for (note, message) in self.carried.discovery.connected().await {
            self.send(message, Kind::HomeAssistant(note));
        }
        self.subscribe();
        loop {
            match seen.stop {
                Stop::No => {}
                Stop::Abruptly => return Ok(()),
                Stop::Within(grace) => {
                    // Where this fails, the will carries the same status.
                    let _ = timeout(grace, self.leave(grace)).await;
                    return Ok(());
                }
            }
            self.send_status(false).await?;
            self.send_alerts().await;
            self.send_vitals();
            self.send_still().await;
            self.send_proof();
            let has_lasted = self.carried.identity.takeovers.lasts(self.begun.elapsed());
            if has_lasted || self.review_at <= Instant::now() {
                self.review_at = Instant::now() + REVIEW;
                self.shared.warn(self.carried);
            }
            let give_up_at = self.progress_at + ACKNOWLEDGE_TIMEOUT;
            let look_at = self.look_at();
            tokio::select! {
                occurrence = self.client.next() => self.on(occurrence).await?,
                changed = wanted.changed() => {
                    let now = *wanted.borrow_and_update();
                    if now.alerts != seen.alerts {
                        self.queue.wake();
                    }
                    self.stills.may_wait |= now.stills != seen.stills;
                    self.status_is_due |= now.status != seen.status;
                    seen = now;
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = sleep_until(look_at.unwrap_or(give_up_at).into()), if look_at.is_some() => {
                    self.retry_at = self.retry_at.filter(|at| *at > Instant::now());
                }
                () = sleep_until(give_up_at.into()), if !self.in_flight.is_empty() => {
                    if self.in_flight.largest().is_some_and(|largest| largest.kind.is_still()) {
                        self.ended_over_still();
                    }
                    let (broker, seconds) = (self.shared.settings.address(), ACKNOWLEDGE_TIMEOUT.as_secs());
                    return Err(PublishError::Unacknowledged { broker, seconds });
                }
            }
        }
    }

    /// Time of the next work that no event starts.
    fn look_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let due = self.carried.tracker.next_due(now);
        let held_until = Some(self.held_until()).filter(|at| self.is_asking && *at > now);
        let review_at = Some(self.review_at).filter(|_| !self.carried.tracker.is_empty());
        let rescan_at = Some(self.queue.rescan_at());
        let stills_at = self.carried.stills.paused_until(now).filter(|_| self.stills.may_wait);
        [self.retry_at, due, held_until, review_at, rescan_at, stills_at].into_iter().flatten().min()
    }

    async fn on(&mut self, occurrence: Occurrence) -> Result<(), PublishError> {
        match occurrence {
            Occurrence::Acknowledged(token) => self.on_acknowledged(token).await,
            Occurrence::Dropped(token) => self.on_dropped(token),
            Occurrence::Arrived(message, _) if message.is_cut() => self.on_too_large(message.bytes),
            Occurrence::Arrived(message, _) if message.topic == self.shared.topics.status => {
                self.on_status(&message.payload);
            }
            Occurrence::Arrived(message, _) => self.on_ack(&message.payload, message.is_retained).await,
            Occurrence::Subscribed(granted) => {
                let is_granted = granted.into_iter().all(|is_granted| is_granted);
                if std::mem::take(&mut self.awaits_grant) {
                    self.on_answered(is_granted)?;
                } else {
                    self.is_asking &= is_granted;
                }
            }
            Occurrence::Left => {}
            Occurrence::Ended(error) => {
                let error = error.into();
                self.on_ended(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The client gives a message up. Mostly the connection has ended, which is reported next.
    fn on_dropped(&mut self, token: Token) {
        match self.in_flight.dropped(token).map(|dropped| dropped.kind) {
            Some(Kind::Alert { seq, .. }) => self.carried.tracker.dropped(seq),
            Some(Kind::Still { number }) => self.on_still_dropped(number),
            _ => {}
        }
    }

    /// The broker acknowledged a message.
    async fn on_acknowledged(&mut self, token: Token) {
        let now = Instant::now();
        self.progress_at = now;
        let Some(sent) = self.in_flight.acknowledged(token) else { return };
        self.carried.sizes.limit.acknowledged(sent.bytes);
        self.proof.bytes += sent.bytes;
        if sent.kind.is_alert() || sent.kind.is_still() {
            self.carried.window.acknowledged(&sent, now - sent.since);
            if !self.carried.window.is_breaking() {
                self.carried.backoff.reset();
            }
        }
        match sent.kind {
            Kind::Alert { seq, .. } => {
                self.shared.state().published += 1;
                match self.shared.settings.acknowledge {
                    Acknowledge::Post => self.carried.tracker.acknowledged(seq, now),
                    Acknowledge::Broker => {
                        self.carried.tracker.forget(seq);
                        self.shared.outbox.delivered(seq);
                    }
                }
            }
            Kind::Preview { seq } => self.carried.tracker.preview_acknowledged(seq),
            Kind::Unsaved { number } => self.shared.unsaved.acknowledged(number),
            Kind::Still { number } => self.on_still(number, now - sent.since),
            Kind::HomeAssistant(note) => self.carried.discovery.acknowledged(note).await,
            Kind::Status | Kind::Proof => {}
        }
    }

    /// Publishes the status if it has changed. One at a time: only the latest counts.
    async fn send_status(&mut self, is_last: bool) -> Result<(), PublishError> {
        // The client may send it before the question, whose answer it would be.
        let is_held = self.is_asking && Instant::now() < self.held_until();
        if !is_last && (is_held || !self.status_is_due || self.in_flight.has_status()) {
            return Ok(());
        }
        self.status_is_due = false;
        let status = self.shared.read_status().await?;
        if !is_last && let Some((note, message)) = self.carried.discovery.on_status(&status).await {
            self.send(message, Kind::HomeAssistant(note));
        }
        let status = Status { connection: Some(self.carried.identity.connection), ..status };
        let payload = self.fitting_status(if is_last { offline(status) } else { online(status) });
        self.proof.status.clone_from(&payload);
        let topic = self.shared.topics.status.clone();
        self.send(Message { topic, payload, retain: true }, Kind::Status);
        Ok(())
    }

    /// Vitals for which the client has no room are lost, as vitals may be.
    fn send_vitals(&mut self) {
        while let Some(vitals) = self.shared.vitals.take() {
            let (topic, payload) = (self.shared.topics.vitals.clone(), payload(&vitals));
            if self.carried.sizes.limit.takes(payload.len(), Instant::now()) {
                self.client.publish(Message { topic, payload, retain: false }, None);
            }
        }
    }

    fn send(&mut self, message: Message, kind: Kind) {
        let now = Instant::now();
        if self.in_flight.is_empty() {
            self.progress_at = now;
        }
        let (token, bytes) = (self.in_flight.token(), message.payload.len());
        // Fails only when the connection has ended, which is reported by an event.
        if self.client.publish(message, Some(token)) {
            self.in_flight.started(token, kind, bytes, now);
        }
    }

    /// Sends new alerts and ends once they are acknowledged: those are not sent again at the next start. Alerts that the post
    /// has left unacknowledged for longer than `grace` are not waited for.
    async fn leave(&mut self, grace: Duration) -> Result<(), PublishError> {
        self.is_leaving = true;
        let now = Instant::now();
        let (since, until) = (now.checked_sub(grace).unwrap_or(now), now + grace.mul_f32(GRACE_TO_WAIT));
        // Events that ended with the box were put into the outbox a moment ago.
        self.send_alerts().await;
        while !self.in_flight.is_empty() || self.carried.tracker.may_be_confirmed(since) {
            tokio::select! {
                occurrence = self.client.next() => self.on(occurrence).await?,
                () = sleep_until(until.into()) => break,
            }
            self.send_alerts().await;
        }
        self.say_goodbye().await
    }

    /// Publishes the offline status, and closes the connection as MQTT requires: without a will.
    async fn say_goodbye(&mut self) -> Result<(), PublishError> {
        self.send_status(true).await?;
        while !self.in_flight.is_empty() {
            let occurrence = self.client.next().await;
            self.on(occurrence).await?;
        }
        self.client.disconnect();
        while !matches!(self.client.next().await, Occurrence::Left | Occurrence::Ended(_)) {}
        Ok(())
    }
}
