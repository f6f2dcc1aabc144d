//! Messages of one connection.
//!
//! Order: alerts that are only in memory; new alerts; then the messages that can wait, within the [send window](super::pace).
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
use super::flights::{ALERTS_MAX, Aloft, Flight, Flights};
use super::link::{Link, Standing, Stop, Wanted};
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
    standing: &'a mut Standing,
    client: Client,
    flights: Flights,
    /// New alerts that are not sent yet.
    fresh: Numbers,
    /// New alerts whose preview was sent, and whose pictures follow.
    heralded: VecDeque<u64>,
    /// Alerts that are older than the connection; `None` until their range is known.
    backlog: Option<Numbers>,
    /// Time of the next scan of the outbox.
    rescan_at: Instant,
    /// Number of the last alert from memory that was handed to the client.
    announced: u64,
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
    holds_announced: bool,
    /// The largest message that the client gave up since the broker last acknowledged one.
    dropped: Option<Aloft>,
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
    Announced(u64, Box<Alert>),
    Fresh(u64),
    Paced(u64),
}

impl<'a> Session<'a> {
    pub async fn begin(link: &'a Link, standing: &'a mut Standing, client: Client) -> Self {
        // A broker that ends the connection over discovery must not keep alerts from leaving.
        let is_taken = standing.untaken < UNTAKEN_MAX || standing.untaken.is_multiple_of(UNTAKEN_RETRY);
        if !is_taken {
            if standing.untaken == UNTAKEN_MAX {
                tracing::warn!(
                    "the broker ended {UNTAKEN_MAX} connections on which Home Assistant was told of this box: alerts go on \
                     without it; check the broker's access list, or set home_assistant.discovery = false"
                );
            }
            standing.untaken = standing.untaken.saturating_add(1);
        }
        let discovery = if is_taken { Discovery::begin(&link.settings, &link.topics).await } else { None };
        Self {
            discovery,
            has_told: false,
            awaits_grant: false,
            is_asking: false,
            link,
            standing,
            client,
            flights: Flights::default(),
            fresh: Numbers { end: u64::MAX, ..Numbers::default() },
            heralded: VecDeque::new(),
            backlog: None,
            rescan_at: Instant::now() + RESCAN,
            announced: 0,
            retry_at: None,
            outbox_error: String::new(),
            status_is_due: true,
            is_leaving: false,
            progress_at: Instant::now(),
            begun: Instant::now(),
            proved_bytes: 0,
            status: Vec::new(),
            holds_announced: false,
            dropped: None,
        }
    }

    /// Sends all messages until the connection ends; `Ok` when it was told to stop.
    pub async fn serve(mut self, wanted: &mut watch::Receiver<Wanted>) -> Result<(), PublishError> {
        let mut seen = *wanted.borrow_and_update();
        let withdrawals = self.discovery.as_ref().map(Discovery::withdrawals).unwrap_or_default();
        for (number, message) in withdrawals {
            self.tell_home_assistant(message, Flight::Withdrawal { number });
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
            if self.standing.takeovers.stands(self.begun.elapsed()) {
                self.link.warn(self.standing);
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
                () = sleep_until(give_up_at.into()), if !self.flights.is_empty() => {
                    let (broker, seconds) = (self.link.settings.address(), ACKNOWLEDGE_TIMEOUT.as_secs());
                    return Err(PublishError::Unacknowledged { broker, seconds });
                }
            }
        }
    }

    /// Subscribes to the post's acknowledgements, unless a message there is too large for now.
    fn subscribe(&mut self) {
        let is_deaf = self.standing.deaf_until.is_some_and(|until| until > Instant::now().into());
        if self.link.settings.acknowledge == Acknowledge::Post && !is_deaf {
            self.awaits_grant = true;
            self.client.subscribe(&[(&self.link.topics.ack, Quality::AtLeastOnce)]);
        } else {
            self.standing.last.is_granted = true;
        }
        self.ask_for_a_rival();
    }

    /// Time of the next work that no event starts.
    fn look_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let due = self.standing.ledger.next_due(now);
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
            self.standing.client_id.granted();
        } else if self.standing.client_id.is_worth_a_change() {
            return Err(deaf);
        } else {
            self.doubt(deaf.to_string());
        }
        self.standing.last.is_granted = true;
        self.standing.deaf = (!is_granted).then(|| deaf.to_string());
        self.link.warn(self.standing);
        Ok(())
    }

    /// The client gives a message up. Mostly the connection has ended, which is reported next.
    fn on_dropped(&mut self, token: Token) {
        let Some(aloft) = self.flights.ended(token) else { return };
        if let Flight::Alert { seq, .. } = aloft.flight {
            self.standing.ledger.dropped(seq);
        }
        if self.dropped.is_none_or(|dropped| aloft.bytes > dropped.bytes) {
            self.dropped = Some(aloft);
        }
    }

    /// The broker acknowledged a message.
    async fn on_acknowledged(&mut self, token: Token) {
        let now = Instant::now();
        self.progress_at = now;
        let Some(aloft) = self.flights.ended(token) else { return };
        self.dropped = None;
        self.standing.packet_limit.acknowledged(aloft.bytes);
        self.proved_bytes += aloft.bytes;
        if aloft.flight.is_alert() {
            self.standing.pace.landed(&aloft, now - aloft.since);
            if !self.standing.pace.is_broken() {
                self.standing.backoff.reset();
            }
        }
        match aloft.flight {
            Flight::Alert { seq, .. } => {
                self.link.state().published += 1;
                match self.link.settings.acknowledge {
                    Acknowledge::Post => self.standing.ledger.landed(seq, now),
                    Acknowledge::Broker => {
                        self.standing.ledger.forget(seq);
                        self.link.outbox.delivered(seq);
                    }
                }
            }
            Flight::Herald { seq } => self.standing.ledger.heralded(seq),
            Flight::Announced { number } => self.link.unkept.acknowledged(number),
            Flight::Withdrawal { number } => {
                self.standing.untaken = 0;
                if let Some(discovery) = &self.discovery {
                    discovery.forgotten(number).await;
                }
            }
            Flight::Discovery => self.standing.untaken = 0,
            Flight::Status | Flight::Proof => {}
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
                self.standing.doubt.clear();
                let sizes = self.standing.ledger.acknowledged(&ack, !is_retained, Instant::now());
                self.on_sizes(sizes);
            }
            // A retained acknowledgement is most likely of an earlier outbox.
            Ok(false) => {
                let doubt = format!(
                    "the post acknowledges alerts up to {} of outbox {}, which this box never sent",
                    ack.highest, ack.outbox
                );
                // The status names the present one.
                self.status_is_due |= doubt != self.standing.doubt;
                self.doubt(doubt);
            }
            Err(error) => self.doubt(format!("the post's acknowledgement is not taken: {error}")),
        }
    }

    fn doubt(&mut self, doubt: String) {
        if doubt != self.standing.doubt {
            tracing::warn!("{doubt}");
            self.standing.doubt = doubt;
        }
    }

    /// Publishes the status if it has changed. One at a time: only the latest counts.
    async fn send_status(&mut self, is_last: bool) -> Result<(), PublishError> {
        // The client may send it before the question, whose answer it would be.
        let is_held = self.is_asking && Instant::now() < self.held_until();
        if !is_last && (is_held || !self.status_is_due || self.flights.has_status()) {
            return Ok(());
        }
        self.status_is_due = false;
        let status = self.link.read_status().await?;
        if !is_last
            && let Some(discovery) = &mut self.discovery
            && let Some(message) = discovery.message(&status).await
        {
            self.tell_home_assistant(message, Flight::Discovery);
        }
        let status = Status { connection: Some(self.standing.connection), ..status };
        let payload = self.fitting_status(if is_last { offline(status) } else { online(status) });
        self.status.clone_from(&payload);
        let topic = self.link.topics.status.clone();
        self.send(Message { topic, payload, retain: true }, Flight::Status);
        Ok(())
    }

    /// Hands over as many alerts as may be in flight.
    async fn send_alerts(&mut self) {
        while self.flights.alerts() < ALERTS_MAX && self.retry_at.is_none() {
            let sent = match self.next_alert().await {
                Ok(None) => return,
                Ok(Some(Next::Announced(number, alert))) => {
                    self.announced = number;
                    let alert = if self.standing.pace.is_slow() { herald(&alert) } else { *alert };
                    self.send_alert(&alert, Flight::Announced { number });
                    Ok(())
                }
                Ok(Some(Next::Fresh(seq))) => self.send_fresh(seq).await,
                Ok(Some(Next::Paced(seq))) => self.send_paced(seq).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => self.outbox_error.clear(),
                Err(error) => self.outbox_failed(&error),
            }
        }
    }

    async fn next_alert(&mut self) -> Result<Option<Next>, OutboxError> {
        if let Some((number, alert)) = self.link.unkept.next(self.announced) {
            return Ok(Some(Next::Announced(number, Box::new(self.renamed(alert)))));
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
        let window = self.standing.pace.window();
        if self.flights.paced() < window
            && let Some(seq) = self.heralded.pop_front()
        {
            return Ok(Some(Next::Paced(seq)));
        }
        // The rest does not begin while alerts in flight fill the link.
        if self.flights.alerts() >= window {
            return Ok(None);
        }
        if let Some(seq) = self.standing.ledger.due(Instant::now()) {
            return Ok(Some(Next::Paced(seq)));
        }
        while !self.standing.ledger.is_full()
            && let Some(backlog) = &mut self.backlog
            && let Some(seq) = next(backlog, &self.link.outbox).await?
        {
            if !self.standing.ledger.holds(seq) {
                return Ok(Some(Next::Paced(seq)));
            }
        }
        Ok(None)
    }

    /// Sends a new alert at once. On a slow link its preview goes first, and the whole alert with the picture later.
    async fn send_fresh(&mut self, seq: u64) -> Result<(), OutboxError> {
        let Some(alert) = self.read(seq).await? else { return Ok(()) };
        if self.standing.pace.is_broken() {
            self.send_apart(seq, &alert);
        } else if self.standing.pace.is_slow() && alert.thumbnail.is_some() {
            self.send_alert(&herald(&alert), Flight::Herald { seq });
            self.heralded.push_back(seq);
        } else {
            self.send_alert(&alert, Flight::Alert { seq, is_paced: false });
        }
        Ok(())
    }

    /// Sends an alert that can wait. One that breaks connections is preceded by its preview.
    async fn send_paced(&mut self, seq: u64) -> Result<(), OutboxError> {
        let Some(alert) = self.read(seq).await? else {
            self.standing.ledger.forget(seq);
            return Ok(());
        };
        if self.standing.pace.is_broken() && !self.standing.ledger.is_heralded(seq) {
            self.send_apart(seq, &alert);
            return Ok(());
        }
        if self.standing.ledger.wants_herald(seq) && alert.thumbnail.is_some() {
            self.send_alert(&herald(&alert), Flight::Herald { seq });
        }
        let wants_word = self.standing.ledger.wants_word(seq);
        self.send_alert(&alert, Flight::Alert { seq, is_paced: true });
        if wants_word {
            self.ask_for_word(&alert, seq);
        }
        Ok(())
    }

    /// Sends an alert on a link whose connections break under pictures: a small alert whole, of any other its preview, and the
    /// rest later.
    fn send_apart(&mut self, seq: u64, alert: &Alert) {
        if alert.thumbnail.is_none() {
            self.send_alert(alert, Flight::Alert { seq, is_paced: true });
        } else {
            self.send_alert(&herald(alert), Flight::Herald { seq });
            self.standing.ledger.postponed(seq, Instant::now());
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
            if self.standing.packet_limit.takes(payload.len(), Instant::now()) {
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

    fn send_alert(&mut self, alert: &Alert, flight: Flight) {
        let Some(payload) = self.fitting(alert, flight) else { return };
        if let Flight::Alert { seq, .. } = flight {
            self.standing.ledger.sent(seq, Instant::now());
            self.standing.ledger.measured(seq, payload.len());
        }
        let topic = self.link.topics.alert.clone();
        self.send(Message { topic, payload, retain: false }, flight);
    }

    fn tell_home_assistant(&mut self, message: Message, flight: Flight) {
        if !std::mem::replace(&mut self.has_told, true) {
            self.standing.untaken = self.standing.untaken.saturating_add(1);
        }
        self.send(message, flight);
    }

    fn send(&mut self, message: Message, flight: Flight) {
        let now = Instant::now();
        if self.flights.is_empty() {
            self.progress_at = now;
        }
        let (token, bytes) = (self.flights.token(), message.payload.len());
        // Fails only when the connection has ended, which is reported by an event.
        if self.client.publish(message, Some(token)) {
            self.flights.started(token, flight, bytes, now);
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
        while !self.flights.is_empty() || self.standing.ledger.is_owed(since) {
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
        while !self.flights.is_empty() {
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
fn herald(alert: &Alert) -> Alert {
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
