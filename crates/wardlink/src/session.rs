//! Messages of one connection.
//!
//! Order: alerts that are only in memory; new alerts; then the messages that can wait, within the [send window](super::send_window).
//! Those are on a slow link the new alerts' pictures, then repeated alerts, then the backlog, oldest first. An alert leaves the
//! outbox when the post's acknowledgement covers it, or, where the post does not acknowledge, on its PUBACK.

pub(super) mod rival;
mod sizes;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep_until, timeout};

use super::client::{Client, Message, Occurrence, Quality, Token};
use super::discovery::Discovery;
use super::error::PublishError;
use super::in_flight::{ALERTS_MAX, InFlight, Kind, SentMessage};
use super::link::{Carried, Link, Stop, Wanted};
use super::settings::Acknowledge;
use super::{Outbox, OutboxError};
use base::ack::{self, Ack};
use base::alert::{Alert, NOT_KEPT};
use base::fault::ErrorKind;
use base::status::{Presence, Status};

/// Time without an acknowledgement after which the connection is given up.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Delay before an outbox that cannot be read is tried again.
const OUTBOX_RETRY: Duration = Duration::from_secs(1);
/// Interval of scans of the whole outbox for alerts neither sent nor acknowledged, after a rebuild of the store for example.
const RESCAN: Duration = Duration::from_secs(600);
/// Share of the grace for waiting for acknowledgements; the rest is for the offline status and the DISCONNECT.
const GRACE_TO_WAIT: f32 = 0.75;
/// Connections that may end over a message for Home Assistant. Afterwards only each `UNTAKEN_RETRY`-th connection sends one.
const UNTAKEN_MAX: u32 = 3;
const UNTAKEN_RETRY: u32 = 16;
/// Maximum count of numbers in one read of the outbox.
const READ_MAX: usize = 256;

/// One connection and its messages; see the module.
pub(super) struct Session<'a> {
    link: &'a Link,
    carried: &'a mut Carried,
    client: Client,
    in_flight: InFlight,
    /// New alerts that are not sent yet.
    fresh: Numbers,
    /// New alerts whose preview was sent, and whose pictures follow.
    previewed: VecDeque<u64>,
    /// Alerts that are older than the connection; `None` until their range is known.
    backlog: Option<Numbers>,
    /// Time of the next scan of the outbox.
    rescan_at: Instant,
    /// Number of the last alert from memory that was handed to the client.
    unsaved_sent: u64,
    /// Time of the next attempt to read the outbox after an error.
    retry_at: Option<Instant>,
    /// That error, as it was logged.
    outbox_error: String,
    status_is_due: bool,
    /// The box goes offline: no message that can wait is begun.
    is_leaving: bool,
    /// Home Assistant's discovery; `None` where the broker seems not to accept it.
    discovery: Option<Discovery>,
    /// A discovery message was sent on this connection.
    has_told: bool,
    /// The subscription to the acknowledgements is not answered yet.
    awaits_grant: bool,
    /// The retained status was asked for, and has not come.
    is_asking: bool,
    /// Time of the last acknowledgement, or of the first message after none was in flight.
    progress_at: Instant,
    begun: Instant,
    /// Bytes acknowledged on this connection.
    proved_bytes: usize,
    /// The status as it was sent last.
    status: Vec<u8>,
    /// An alert from memory waits for the end of the proof.
    holds_unsaved: bool,
    /// The largest message that the client gave up since the broker last acknowledged one.
    dropped: Option<SentMessage>,
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
enum Next {
    Unsaved(u64, Box<Alert>),
    Fresh(u64),
    CanWait(u64),
}

impl<'a> Session<'a> {
    pub async fn begin(link: &'a Link, carried: &'a mut Carried, client: Client) -> Self {
        // A broker that ends the connection over discovery must not keep alerts from leaving.
        let is_taken = carried.untaken < UNTAKEN_MAX || carried.untaken.is_multiple_of(UNTAKEN_RETRY);
        if !is_taken {
            if carried.untaken == UNTAKEN_MAX {
                tracing::warn!(
                    "the broker ended {UNTAKEN_MAX} connections on which Home Assistant was told of this box: alerts go on \
                     without it; check the broker's access list, or set home_assistant.discovery = false"
                );
            }
            carried.untaken = carried.untaken.saturating_add(1);
        }
        let discovery = if is_taken { Discovery::begin(&link.settings, &link.topics).await } else { None };
        Self {
            discovery,
            has_told: false,
            awaits_grant: false,
            is_asking: false,
            link,
            carried,
            client,
            in_flight: InFlight::default(),
            fresh: Numbers { end: u64::MAX, ..Numbers::default() },
            previewed: VecDeque::new(),
            backlog: None,
            rescan_at: Instant::now() + RESCAN,
            unsaved_sent: 0,
            retry_at: None,
            outbox_error: String::new(),
            status_is_due: true,
            is_leaving: false,
            progress_at: Instant::now(),
            begun: Instant::now(),
            proved_bytes: 0,
            status: Vec::new(),
            holds_unsaved: false,
            dropped: None,
        }
    }

    /// Sends all messages until the connection ends; `Ok` when it was told to stop.
    pub async fn serve(mut self, wanted: &mut watch::Receiver<Wanted>) -> Result<(), PublishError> {
        let mut seen = *wanted.borrow_and_update();
        let withdrawals = self.discovery.as_ref().map(Discovery::withdrawals).unwrap_or_default();
        for (number, message) in withdrawals {
            self.tell_home_assistant(message, Kind::Withdrawal { number });
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
            self.send_proof();
            if self.carried.takeovers.stands(self.begun.elapsed()) {
                self.link.warn(self.carried);
            }
            let give_up_at = self.progress_at + ACKNOWLEDGE_TIMEOUT;
            let look_at = self.look_at();
            tokio::select! {
                occurrence = self.client.next() => self.on(occurrence).await?,
                changed = wanted.changed() => {
                    let now = *wanted.borrow_and_update();
                    self.fresh.more |= now.alerts != seen.alerts;
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
                    let (broker, seconds) = (self.link.settings.address(), ACKNOWLEDGE_TIMEOUT.as_secs());
                    return Err(PublishError::Unacknowledged { broker, seconds });
                }
            }
        }
    }

    /// Subscribes to the post's acknowledgements, unless a message there is too large for now.
    fn subscribe(&mut self) {
        let is_deaf = self.carried.deaf_until.is_some_and(|until| until > Instant::now().into());
        if self.link.settings.acknowledge == Acknowledge::Post && !is_deaf {
            self.awaits_grant = true;
            self.client.subscribe(&[(&self.link.topics.ack, Quality::AtLeastOnce)]);
        } else {
            self.carried.last.is_granted = true;
        }
        self.ask_for_a_rival();
    }

    /// Time of the next work that no event starts.
    fn look_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let due = self.carried.tracker.next_due(now);
        let held_until = Some(self.held_until()).filter(|at| self.is_asking && *at > now);
        [self.retry_at, due, held_until, Some(self.rescan_at)].into_iter().flatten().min()
    }

    async fn on(&mut self, occurrence: Occurrence) -> Result<(), PublishError> {
        match occurrence {
            Occurrence::Acknowledged(token) => self.on_acknowledged(token).await,
            Occurrence::Dropped(token) => self.on_dropped(token),
            Occurrence::Arrived(message, _) if message.is_cut() => self.on_too_large(message.bytes),
            Occurrence::Arrived(message, _) if message.topic == self.link.topics.status => {
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

    /// The broker has answered the subscription to the post's acknowledgements.
    fn on_answered(&mut self, is_granted: bool) -> Result<(), PublishError> {
        let deaf = PublishError::Deaf { topic: self.link.topics.ack.clone() };
        if is_granted {
            self.carried.client_id.granted();
        } else if self.carried.client_id.is_worth_a_change() {
            return Err(deaf);
        } else {
            self.doubt(deaf.to_string());
        }
        self.carried.last.is_granted = true;
        self.carried.deaf = (!is_granted).then(|| deaf.to_string());
        self.link.warn(self.carried);
        Ok(())
    }

    /// The client gives a message up. Mostly the connection has ended, which is reported next.
    fn on_dropped(&mut self, token: Token) {
        let Some(sent) = self.in_flight.ended(token) else { return };
        if let Kind::Alert { seq, .. } = sent.kind {
            self.carried.tracker.dropped(seq);
        }
        if self.dropped.is_none_or(|dropped| sent.bytes > dropped.bytes) {
            self.dropped = Some(sent);
        }
    }

    /// The broker acknowledged a message.
    async fn on_acknowledged(&mut self, token: Token) {
        let now = Instant::now();
        self.progress_at = now;
        let Some(sent) = self.in_flight.ended(token) else { return };
        self.dropped = None;
        self.carried.packet_limit.acknowledged(sent.bytes);
        self.proved_bytes += sent.bytes;
        if sent.kind.is_alert() {
            self.carried.window.acknowledged(&sent, now - sent.since);
            if !self.carried.window.is_breaking() {
                self.carried.backoff.reset();
            }
        }
        match sent.kind {
            Kind::Alert { seq, .. } => {
                self.link.state().published += 1;
                match self.link.settings.acknowledge {
                    Acknowledge::Post => self.carried.tracker.acknowledged(seq, now),
                    Acknowledge::Broker => {
                        self.carried.tracker.forget(seq);
                        self.link.outbox.delivered(seq);
                    }
                }
            }
            Kind::Preview { seq } => self.carried.tracker.preview_acknowledged(seq),
            Kind::Unsaved { number } => self.link.unsaved.acknowledged(number),
            Kind::Withdrawal { number } => {
                self.carried.untaken = 0;
                if let Some(discovery) = &self.discovery {
                    discovery.forgotten(number).await;
                }
            }
            Kind::Discovery => self.carried.untaken = 0,
            Kind::Status | Kind::Proof => {}
        }
    }

    /// Takes an acknowledgement of the post. One that is not for this box or is inconsistent is ignored, and logged once.
    async fn on_ack(&mut self, payload: &[u8], is_retained: bool) {
        let ack = match read_ack(payload, self.link) {
            Ok(ack) => ack,
            Err(doubt) => return self.doubt(doubt),
        };
        let taken = ack.clone();
        match self.ask(move |outbox| outbox.acknowledged(taken)).await {
            Ok(true) => {
                self.carried.doubt.clear();
                let sizes = self.carried.tracker.confirmed(&ack, !is_retained, Instant::now());
                self.on_sizes(sizes);
            }
            // A retained acknowledgement is most likely of an earlier outbox.
            Ok(false) => {
                let doubt = format!(
                    "the post acknowledges alerts up to {} of outbox {}, which this box never sent",
                    ack.highest, ack.outbox
                );
                // The status names the present one.
                self.status_is_due |= doubt != self.carried.doubt;
                self.doubt(doubt);
            }
            Err(error) => self.doubt(format!("the post's acknowledgement is not taken: {error}")),
        }
    }

    fn doubt(&mut self, doubt: String) {
        if doubt != self.carried.doubt {
            tracing::warn!("{doubt}");
            self.carried.doubt = doubt;
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
        let status = self.link.read_status().await?;
        if !is_last
            && let Some(discovery) = &mut self.discovery
            && let Some(message) = discovery.message(&status).await
        {
            self.tell_home_assistant(message, Kind::Discovery);
        }
        let status = Status { connection: Some(self.carried.connection), ..status };
        let payload = self.fitting_status(if is_last { offline(status) } else { online(status) });
        self.status.clone_from(&payload);
        let topic = self.link.topics.status.clone();
        self.send(Message { topic, payload, retain: true }, Kind::Status);
        Ok(())
    }

    /// Hands over as many alerts as may be in flight.
    async fn send_alerts(&mut self) {
        while self.in_flight.alerts() < ALERTS_MAX && self.retry_at.is_none() {
            let sent = match self.next_alert().await {
                Ok(None) => return,
                Ok(Some(Next::Unsaved(number, alert))) => {
                    self.unsaved_sent = number;
                    let alert = if self.carried.window.is_slow() { preview_of(&alert) } else { *alert };
                    self.send_alert(&alert, Kind::Unsaved { number });
                    Ok(())
                }
                Ok(Some(Next::Fresh(seq))) => self.send_fresh(seq).await,
                Ok(Some(Next::CanWait(seq))) => self.send_waiting(seq).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => self.outbox_error.clear(),
                Err(error) => self.outbox_failed(&error),
            }
        }
    }

    async fn next_alert(&mut self) -> Result<Option<Next>, OutboxError> {
        if let Some((number, alert)) = self.link.unsaved.next(self.unsaved_sent) {
            return Ok(Some(Next::Unsaved(number, Box::new(self.renamed(alert)))));
        }
        if self.backlog.is_none() {
            // Later numbers are new.
            let end = self.ask(|outbox| outbox.last()).await?;
            self.backlog = Some(Numbers { end, more: end > 0, ..Numbers::default() });
            self.fresh.cursor = end;
        }
        if self.rescan_at <= Instant::now() {
            self.backlog = Some(Numbers { end: self.fresh.cursor, more: true, ..Numbers::default() });
            self.rescan_at = Instant::now() + RESCAN;
        }
        if let Some(seq) = next(&mut self.fresh, &self.link.outbox).await? {
            return Ok(Some(Next::Fresh(seq)));
        }
        if self.is_leaving {
            return Ok(None);
        }
        let window = self.carried.window.size();
        if self.in_flight.windowed() < window
            && let Some(seq) = self.previewed.pop_front()
        {
            return Ok(Some(Next::CanWait(seq)));
        }
        // The rest does not begin while alerts in flight fill the link.
        if self.in_flight.alerts() >= window {
            return Ok(None);
        }
        if let Some(seq) = self.carried.tracker.due(Instant::now()) {
            return Ok(Some(Next::CanWait(seq)));
        }
        while !self.carried.tracker.is_full()
            && let Some(backlog) = &mut self.backlog
            && let Some(seq) = next(backlog, &self.link.outbox).await?
        {
            if !self.carried.tracker.is_tracked(seq) {
                return Ok(Some(Next::CanWait(seq)));
            }
        }
        Ok(None)
    }

    /// Sends a new alert at once. On a slow link its preview goes first, and the whole alert with the picture later.
    async fn send_fresh(&mut self, seq: u64) -> Result<(), OutboxError> {
        let Some(alert) = self.read(seq).await? else { return Ok(()) };
        if self.carried.window.is_breaking() {
            self.send_apart(seq, &alert);
        } else if self.carried.window.is_slow() && alert.thumbnail.is_some() {
            self.send_alert(&preview_of(&alert), Kind::Preview { seq });
            self.previewed.push_back(seq);
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
        Ok(self.ask(move |outbox| outbox.alert(seq)).await?.map(|alert| self.renamed(alert)))
    }

    /// The alert under the box's present ward and id: the post takes no other on the box's topic.
    fn renamed(&self, alert: Alert) -> Alert {
        alert.under(&self.link.settings.ward, &self.link.settings.box_id)
    }

    /// Vitals for which the client has no room are lost, as vitals may be.
    fn send_vitals(&mut self) {
        while let Some(vitals) = self.link.vitals.take() {
            let (topic, payload) = (self.link.topics.vitals.clone(), payload(&vitals));
            if self.carried.packet_limit.takes(payload.len(), Instant::now()) {
                self.client.publish(Message { topic, payload, retain: false }, None);
            }
        }
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
        let topic = self.link.topics.alert.clone();
        self.send(Message { topic, payload, retain: false }, kind);
    }

    fn tell_home_assistant(&mut self, message: Message, kind: Kind) {
        if !std::mem::replace(&mut self.has_told, true) {
            self.carried.untaken = self.carried.untaken.saturating_add(1);
        }
        self.send(message, kind);
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

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Outbox) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, OutboxError> {
        ask(&self.link.outbox, question).await
    }
}

async fn ask<T: Send + 'static>(
    outbox: &Arc<dyn Outbox>,
    question: impl FnOnce(&dyn Outbox) -> Result<T, OutboxError> + Send + 'static,
) -> Result<T, OutboxError> {
    let outbox = Arc::clone(outbox);
    let answer = spawn_blocking(move || question(&*outbox)).await;
    answer.unwrap_or_else(|error| Err(OutboxError::new(ErrorKind::Bug, error.to_string())))
}

/// The next number of this range of the outbox; reads more where none is at hand.
async fn next(numbers: &mut Numbers, outbox: &Arc<dyn Outbox>) -> Result<Option<u64>, OutboxError> {
    if numbers.read.is_empty() && numbers.more {
        let cursor = numbers.cursor;
        let read = ask(outbox, move |outbox| outbox.waiting(cursor, READ_MAX)).await?;
        numbers.more = read.last().is_some_and(|last| *last < numbers.end);
        numbers.cursor = read.last().copied().unwrap_or(cursor);
        numbers.read.extend(read.into_iter().filter(|seq| *seq <= numbers.end));
    }
    Ok(numbers.read.pop_front())
}

/// A consistent acknowledgement for this box, or its fault.
fn read_ack(payload: &[u8], link: &Link) -> Result<Ack, String> {
    let topic = &link.topics.ack;
    let ack: Ack =
        serde_json::from_slice(payload).map_err(|error| format!("{topic} does not read: {error}"))?;
    if ack.schema != ack::SCHEMA {
        Err(format!("{topic} has schema \"{}\", and this version reads {}", ack.schema, ack::SCHEMA))
    } else if ack.box_id != link.settings.box_id {
        Err(format!("{topic} is about box {}", ack.box_id))
    } else if !ack.is_consistent() {
        Err(format!("{topic} contradicts itself"))
    } else {
        Ok(ack)
    }
}

/// Preview of an alert: all but its picture. The whole alert follows with its number.
fn preview_of(alert: &Alert) -> Alert {
    Alert { seq: NOT_KEPT, thumbnail: None, ..alert.clone() }
}

fn online(status: Status) -> Status {
    Status { presence: Presence::Online, ..status }
}

/// The status of a box that is offline.
pub(super) fn offline(status: Status) -> Status {
    Status { presence: Presence::Offline, cameras: Vec::new(), store: None, ..status }
}

/// A message as it is sent.
pub(super) fn payload(message: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages are JSON")
}
