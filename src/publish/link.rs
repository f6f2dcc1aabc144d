//! Connections to the broker, one after the other, and what travels on each.
//!
//! The MQTT client's own memory of a broken connection is not trusted: it forgets messages that it took. Each
//! connection has a client of its own, and begins at the outbox's start; an alert leaves the outbox on its PUBACK alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, Incoming, Outgoing, QoS};
use rumqttc::{LastWill, MqttOptions, NetworkOptions, TlsConfiguration, Transport};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::PublishError;
use super::flights::{ALERTS_MAX, Flight, Flights};
use super::settings::Settings;
use super::tls;
use super::topic::Topics;
use super::unkept::Unkept;
use super::{LinkState, Outbox, StatusSource};
use crate::backoff::{Backoff, scattered};
use crate::channel::OldestDropped;
use crate::clock;
use crate::domain::alert::Alert;
use crate::domain::fault::{ErrorKind, chain};
use crate::domain::status::{Presence, Status};
use crate::domain::vitals::Vitals;

/// The client's default of 10 KiB does not hold a thumbnail.
const PACKET_BYTES_MAX: usize = 1024 * 1024;
/// What is left of a packet beside the payload: topic and headers.
const PAYLOAD_BYTES_MAX: usize = PACKET_BYTES_MAX - 1024;
/// Within this a connection stands, and a packet has left: 64 KiB at 64 kbit/s take 8 s.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(30);
/// A broker that acknowledges nothing for so long is left.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(60);
/// More than is ever under way, so that the client does not run out of packet ids, or of room.
const CLIENT_ROOM: u16 = 64;
/// How soon an outbox that cannot be read is tried again.
const OUTBOX_RETRY: Duration = Duration::from_secs(1);

/// Shortest and longest wait between connections.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Longest wait where somebody has to change something first: not a hot loop of wrong passwords.
const CONFIG_WAIT: Duration = Duration::from_secs(60);

/// What the publisher's owner wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Counts new alerts.
    pub alerts: u64,
    /// Counts changes of the status.
    pub status: u64,
    /// Counts vitals.
    pub vitals: u64,
    /// Whether to go on.
    pub stop: Stop,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stop {
    #[default]
    No,
    /// At once: the broker publishes the will.
    Abruptly,
    /// After saying so, within this time.
    Within(Duration),
}

/// Everything a connection needs.
pub(super) struct Link {
    pub settings: Settings,
    pub topics: Topics,
    pub outbox: Arc<dyn Outbox>,
    pub status: Arc<dyn StatusSource>,
    pub unkept: Arc<Unkept>,
    pub vitals: OldestDropped<Vitals>,
    pub state: Arc<Mutex<LinkState>>,
}

impl Link {
    /// Connects again and again, until it is told to stop.
    pub async fn run(self, mut wanted: watch::Receiver<Wanted>) {
        let mut backoff = Backoff::new(RECONNECT.0, RECONNECT.1);
        let mut said = String::new();
        loop {
            let Err(error) = self.connection(&mut wanted, &mut backoff, &mut said).await else { return };
            self.disconnected(&error, &mut said);
            let is_config = error.kind() == ErrorKind::Config;
            let pause = if is_config { scattered(CONFIG_WAIT) } else { backoff.next_wait() };
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut wanted) => return,
            }
        }
    }

    /// One connection, from its beginning to its end; `Ok` when it was told to stop.
    async fn connection(
        &self,
        wanted: &mut watch::Receiver<Wanted>,
        backoff: &mut Backoff,
        said: &mut String,
    ) -> Result<(), PublishError> {
        let will = payload(&offline(self.read_status().await?));
        let (client, mut eventloop) = AsyncClient::new(self.options(will)?, usize::from(CLIENT_ROOM));
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(NETWORK_TIMEOUT.as_secs());
        eventloop.set_network_options(network);
        tokio::select! {
            // The first thing that it yields is the broker's welcome.
            connected = eventloop.poll() => { connected.map_err(|error| self.diagnose(&error))?; }
            () = stopped(wanted) => return Ok(()),
        }
        self.connected(said);
        Session::new(self, backoff, client, eventloop).serve(wanted).await
    }

    fn options(&self, will: Vec<u8>) -> Result<MqttOptions, PublishError> {
        let settings = &self.settings;
        let mut options = MqttOptions::new(settings.box_id.as_str(), settings.client_host()?, settings.port);
        options
            .set_clean_session(true)
            .set_keep_alive(settings.keep_alive.max(Duration::from_secs(1)))
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX)
            .set_inflight(CLIENT_ROOM)
            .set_last_will(LastWill::new(&self.topics.status, will, QoS::AtLeastOnce, true));
        if let Some(credentials) = &settings.credentials {
            options.set_credentials(&credentials.user, credentials.password.reveal());
        }
        if let Some(tls) = &settings.tls {
            // Read anew each time: certificates are renewed while the daemon runs.
            let config = TlsConfiguration::Rustls(tls::client_config(tls)?);
            options.set_transport(Transport::tls_with_config(config));
        }
        Ok(options)
    }

    async fn read_status(&self) -> Result<Status, PublishError> {
        let source = Arc::clone(&self.status);
        spawn_blocking(move || source.status()).await.map_err(|error| PublishError::Status(error.to_string()))
    }

    fn connected(&self, said: &mut String) {
        said.clear();
        tracing::info!("connected to the broker {}", self.settings.address());
        let mut state = self.state();
        (state.connected, state.since, state.last_error) = (true, clock::wall(), None);
    }

    fn disconnected(&self, error: &PublishError, said: &mut String) {
        let text = chain(error);
        if text != *said {
            tracing::warn!("{text}");
            said.clone_from(&text);
        }
        let mut state = self.state();
        if state.connected {
            (state.connected, state.since) = (false, clock::wall());
        }
        state.last_error = Some(text);
    }

    fn diagnose(&self, error: &ConnectionError) -> PublishError {
        PublishError::diagnose(error, &self.settings)
    }

    fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What travels on one connection.
struct Session<'a> {
    link: &'a Link,
    /// Starts anew with each acknowledgement: that connection was a good one.
    backoff: &'a mut Backoff,
    client: AsyncClient,
    events: mpsc::Receiver<Result<Event, ConnectionError>>,
    _driver: AbortOnDrop,
    flights: Flights,
    /// Read from the outbox, and not yet handed to the client.
    ready: VecDeque<Alert>,
    /// The last alert that was read from the outbox.
    cursor: u64,
    /// The last announced alert that was handed to the client.
    announced: u64,
    /// Whether the outbox may hold more above `cursor`.
    more: bool,
    /// When an outbox that could not be read is tried again.
    retry_at: Option<Instant>,
    /// Why, as it was logged.
    outbox_error: String,
    status_is_due: bool,
    /// When something was acknowledged last, or the first message after silence left.
    progress_at: Instant,
}

impl<'a> Session<'a> {
    fn new(link: &'a Link, backoff: &'a mut Backoff, client: AsyncClient, eventloop: EventLoop) -> Self {
        let (sender, events) = mpsc::channel(usize::from(CLIENT_ROOM));
        // In a task of its own, since `poll` must not be abandoned half-way: it would lose what it took.
        let driver = tokio::spawn(drive(eventloop, sender));
        Self {
            link,
            backoff,
            client,
            events,
            _driver: AbortOnDrop(driver.abort_handle()),
            flights: Flights::default(),
            ready: VecDeque::new(),
            cursor: 0,
            announced: 0,
            more: true,
            retry_at: None,
            outbox_error: String::new(),
            status_is_due: true,
            progress_at: Instant::now(),
        }
    }

    /// Sends what there is to send until the connection ends; `Ok` when it was told to stop.
    async fn serve(mut self, wanted: &mut watch::Receiver<Wanted>) -> Result<(), PublishError> {
        let mut seen = *wanted.borrow_and_update();
        loop {
            match seen.stop {
                Stop::No => {}
                Stop::Abruptly => return Ok(()),
                Stop::Within(grace) => {
                    // The will says the same where this fails.
                    let _ = timeout(grace, self.say_goodbye()).await;
                    return Ok(());
                }
            }
            self.send_status(false).await?;
            self.send_alerts().await;
            self.send_vitals();
            let give_up_at = self.progress_at + ACKNOWLEDGE_TIMEOUT;
            tokio::select! {
                event = self.events.recv() => self.on_event(event)?,
                changed = wanted.changed() => {
                    let now = *wanted.borrow_and_update();
                    self.more |= now.alerts != seen.alerts;
                    self.status_is_due |= now.status != seen.status;
                    seen = now;
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = sleep_until(self.retry_at.unwrap_or(give_up_at)), if self.retry_at.is_some() => {
                    self.retry_at = None;
                }
                () = sleep_until(give_up_at), if !self.flights.is_empty() => {
                    let (broker, seconds) = (self.link.settings.address(), ACKNOWLEDGE_TIMEOUT.as_secs());
                    return Err(PublishError::Unacknowledged { broker, seconds });
                }
            }
        }
    }

    fn on_event(&mut self, event: Option<Result<Event, ConnectionError>>) -> Result<(), PublishError> {
        match event {
            // Vitals have no number: nobody acknowledges them.
            Some(Ok(Event::Outgoing(Outgoing::Publish(0)))) => {}
            Some(Ok(Event::Outgoing(Outgoing::Publish(packet_id)))) => self.flights.numbered(packet_id),
            Some(Ok(Event::Incoming(Incoming::PubAck(ack)))) => self.on_acknowledged(ack.pkid),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(self.link.diagnose(&error)),
            None => return Err(self.link.diagnose(&ConnectionError::RequestsDone)),
        }
        Ok(())
    }

    fn on_acknowledged(&mut self, packet_id: u16) {
        self.progress_at = Instant::now();
        self.backoff.reset();
        match self.flights.acknowledged(packet_id) {
            Some(Flight::Alert { seq, .. }) => {
                self.link.outbox.delivered(seq);
                self.link.state().published += 1;
            }
            Some(Flight::Announced { number, .. }) => self.link.unkept.acknowledged(number),
            Some(Flight::Status) | None => {}
        }
    }

    /// Publishes the status if it has changed. One at a time: the latest is what counts.
    async fn send_status(&mut self, is_last: bool) -> Result<(), PublishError> {
        if !is_last && (!self.status_is_due || self.flights.has_status()) {
            return Ok(());
        }
        self.status_is_due = false;
        let status = self.link.read_status().await?;
        let payload = payload(&if is_last { offline(status) } else { online(status) });
        self.send(&self.link.topics.status, true, payload, Flight::Status);
        Ok(())
    }

    /// Hands over as many alerts as may be under way: first those that only memory holds.
    async fn send_alerts(&mut self) {
        while self.flights.room() > 0 {
            if let Some((number, alert)) = self.link.unkept.next(self.announced) {
                self.announced = number;
                self.send_alert(&alert, |bytes| Flight::Announced { number, bytes });
            } else if let Some(alert) = self.ready.pop_front() {
                self.send_alert(&alert, |bytes| Flight::Alert { seq: alert.seq, bytes });
            } else if self.more && self.retry_at.is_none() {
                self.read_outbox().await;
            } else {
                return;
            }
        }
    }

    /// What the client has no room for is lost, as vitals may be.
    fn send_vitals(&mut self) {
        while let Some(vitals) = self.link.vitals.take() {
            let _ =
                self.client.try_publish(&self.link.topics.vitals, QoS::AtMostOnce, false, payload(&vitals));
        }
    }

    async fn read_outbox(&mut self) {
        let (outbox, cursor) = (Arc::clone(&self.link.outbox), self.cursor);
        let read = spawn_blocking(move || outbox.next(cursor, ALERTS_MAX)).await;
        match read.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(alerts) => {
                self.more = !alerts.is_empty();
                self.outbox_error.clear();
                self.cursor = alerts.last().map_or(cursor, |alert| alert.seq);
                self.ready.extend(alerts);
            }
            Err(error) => {
                if error != self.outbox_error {
                    tracing::warn!("the outbox cannot be read: {error}");
                }
                self.outbox_error = error;
                self.retry_at = Some(Instant::now() + OUTBOX_RETRY);
            }
        }
    }

    fn send_alert(&mut self, alert: &Alert, flight: impl Fn(usize) -> Flight) {
        let payload = payload(alert);
        if payload.len() > PAYLOAD_BYTES_MAX {
            // Sent, it would end the connection, and no alert after it would ever leave.
            tracing::error!("alert {} has {} bytes and is not sent", alert.id, payload.len());
            return;
        }
        let flight = flight(payload.len());
        self.send(&self.link.topics.alert, false, payload, flight);
    }

    fn send(&mut self, topic: &str, retain: bool, payload: Vec<u8>, flight: Flight) {
        if self.flights.is_empty() {
            self.progress_at = Instant::now();
        }
        // Fails only when the connection is at its end, which its events tell.
        if self.client.try_publish(topic, QoS::AtLeastOnce, retain, payload).is_ok() {
            self.flights.started(flight);
        }
    }

    /// Says that the box goes, and closes the connection as MQTT wants it: without a will.
    async fn say_goodbye(&mut self) -> Result<(), PublishError> {
        self.send_status(true).await?;
        while !self.flights.is_empty() {
            let event = self.events.recv().await;
            self.on_event(event)?;
        }
        let _ = self.client.try_disconnect();
        while let Some(Ok(_)) = self.events.recv().await {}
        Ok(())
    }
}

/// Polls the connection until it ends.
async fn drive(mut eventloop: EventLoop, sender: mpsc::Sender<Result<Event, ConnectionError>>) {
    loop {
        let event = eventloop.poll().await;
        let is_over = event.is_err();
        if sender.send(event).await.is_err() || is_over {
            return;
        }
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn stopped(wanted: &mut watch::Receiver<Wanted>) {
    // An error: the publisher is gone, which is a stop as well.
    let _ = wanted.wait_for(|wanted| wanted.stop != Stop::No).await;
}

fn online(status: Status) -> Status {
    Status { presence: Presence::Online, ..status }
}

fn offline(status: Status) -> Status {
    Status { presence: Presence::Offline, cameras: Vec::new(), store: None, ..status }
}

fn payload(message: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages are JSON")
}
