//! Connections to the broker, one after the other.
//!
//! The MQTT client's own memory of a broken connection is not trusted: it forgets messages that it accepted. Each
//! connection has a client of its own, and begins at the outbox's start. Two kinds of state outlive it: the delivery state
//! ([`super::delivery`]) and the measured link ([`super::send_window`]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::client::Message;
use super::client_id::ClientId;
use super::connect::connect;
use super::delivery::DeliveryTracker;
use super::error::{DEAF, PublishError};
use super::packet_limit::PacketLimit;
use super::send_window::SendWindow;
use super::session::rival::run_of;
use super::session::{Session, offline, payload};
use super::settings::Settings;
use super::topic::Topics;
use super::unsaved::UnsavedAlerts;
use super::{LinkState, Outbox, StatusSource};
use crate::takeover::{End, Takeovers};
use base::backoff::{Backoff, scattered};
use base::channel::OldestDropped;
use base::clock;
use base::fault::{ErrorKind, chain, is_repeated};
use base::status::Status;
use base::vitals::Vitals;

/// Shortest and longest wait between connections.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// Longest wait while a new alert is ready to leave: each new alert during a long outage costs one attempt.
const ALERT_WAIT: Duration = Duration::from_secs(2);
/// Longest wait where a person has to change something first. It prevents a hot loop of wrong passwords.
const CONFIG_WAIT: Duration = Duration::from_secs(60);
/// Longest wait with a new alert while another client uses the same id, and reconnects each time.
const RIVAL_ALERT_WAIT: Duration = Duration::from_secs(15);
/// A connection that lasted this long counts as good, also where nothing was sent.
const GOOD: Duration = Duration::from_secs(120);

/// Requests of the publisher's owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Counts new alerts.
    pub alerts: u64,
    /// Counts changes of the status.
    pub status: u64,
    /// Counts vitals.
    pub vitals: u64,
    /// Stop request, if any.
    pub stop: Stop,
}

/// Stop request of the publisher's owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stop {
    #[default]
    No,
    /// Stop at once: the broker publishes the will.
    Abruptly,
    /// Stop within this time, after the offline status.
    Within(Duration),
}

/// Shared parts of all connections.
pub(super) struct Link {
    pub settings: Settings,
    pub topics: Topics,
    pub outbox: Arc<dyn Outbox>,
    pub status: Arc<dyn StatusSource>,
    pub unsaved: Arc<UnsavedAlerts>,
    pub vitals: OldestDropped<Vitals>,
    pub state: Arc<Mutex<LinkState>>,
}

/// State carried over connections.
pub(super) struct Carried {
    /// Resets with each alert that the broker acknowledges: that connection was a good one.
    pub backoff: Backoff,
    pub tracker: DeliveryTracker,
    pub window: SendWindow,
    /// Consecutive connections with a message for Home Assistant that the broker has not acknowledged.
    pub untaken: u32,
    /// Fault of the post's last acknowledgement, as it was logged.
    pub doubt: String,
    pub packet_limit: PacketLimit,
    /// Alerts were lost behind the broker until their pictures were left out.
    pub is_swallowing: bool,
    /// Time until which the box does not subscribe to the post's acknowledgements: a message there is too large.
    pub deaf_until: Option<Instant>,
    /// Warning with its size, for a person; empty where there is none.
    pub too_large: String,
    pub client_id: ClientId,
    /// The client id differs from that of the last connection.
    is_id_new: bool,
    pub takeovers: Takeovers,
    /// Number of the connection, attempts included.
    pub connection: u64,
    /// This run of the daemon, as its statuses name it.
    pub run: String,
    /// The broker refuses the subscription to the acknowledgements; the warning about it.
    pub deaf: Option<String>,
    /// Progress of the last connection.
    pub last: Connection,
    /// Reason for which there was no connection, as it was logged.
    said: String,
}

/// Progress of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Connection {
    /// The broker accepted the connection.
    pub is_welcome: bool,
    /// It granted the subscription, or none was asked for.
    pub is_granted: bool,
    /// All messages were acknowledged when it ended.
    pub is_idle: bool,
}

impl Carried {
    fn new() -> Self {
        Self {
            backoff: Backoff::new(RECONNECT.0, RECONNECT.1),
            tracker: DeliveryTracker::default(),
            window: SendWindow::default(),
            untaken: 0,
            doubt: String::new(),
            packet_limit: PacketLimit::default(),
            is_swallowing: false,
            deaf_until: None,
            too_large: String::new(),
            client_id: ClientId::default(),
            is_id_new: false,
            takeovers: Takeovers::default(),
            connection: 0,
            run: String::new(),
            deaf: None,
            last: Connection::default(),
            said: String::new(),
        }
    }
}

impl Link {
    /// Connects again and again, until it is told to stop.
    pub async fn run(self, mut wanted: watch::Receiver<Wanted>) {
        let mut carried = Carried::new();
        loop {
            let (begun, alerts) = (Instant::now(), wanted.borrow().alerts);
            let ended = self.connection(&mut wanted, &mut carried).await;
            let Err(error) = ended else { return };
            if begun.elapsed() > GOOD {
                carried.backoff.reset();
            }
            let error = self.judged(error, begun.elapsed(), &mut carried);
            self.disconnected(&error, &mut carried.said);
            self.warn(&carried);
            let is_config = error.kind() == ErrorKind::Config;
            let is_another = matches!(error, PublishError::AnotherClient { .. });
            let pauses = match carried.takeovers.pause().filter(|_| is_another) {
                Some(longest) => [scattered(longest), scattered(longest.min(RIVAL_ALERT_WAIT))],
                None if carried.is_id_new => [scattered(ALERT_WAIT); 2],
                None if is_config => [scattered(CONFIG_WAIT); 2],
                None => [carried.backoff.next_wait(), scattered(ALERT_WAIT)],
            };
            let mut changes = wanted.clone();
            tokio::select! {
                () = pause(pauses, alerts, &mut changes) => {}
                () = stopped(&mut wanted) => return,
            }
        }
    }

    /// Runs one connection to its end; `Ok` when it was told to stop.
    async fn connection(
        &self,
        wanted: &mut watch::Receiver<Wanted>,
        carried: &mut Carried,
    ) -> Result<(), PublishError> {
        let status = self.read_status().await?;
        let clock = status.clock;
        carried.connection += 1;
        carried.run = run_of(&status);
        let will = payload(&offline(Status { connection: Some(carried.connection), ..status }));
        let will = Message { topic: self.topics.status.clone(), payload: will, retain: true };
        carried.last = Connection::default();
        let client_id = carried.client_id.of(&self.settings);
        let client = tokio::select! {
            connected = connect(&self.settings, &client_id, Some(will)) => connected.map_err(|error| error.seen_at(clock))?,
            () = stopped(wanted) => return Ok(()),
        };
        carried.last.is_welcome = true;
        self.connected(&client_id, carried);
        carried.tracker.connected();
        carried.window.connected();
        let ended = Session::begin(self, carried, client).await.serve(wanted).await;
        if carried.tracker.has_in_flight() {
            carried.window.broke();
        }
        ended
    }

    /// Diagnoses the end of a connection with the history of those before it.
    fn judged(&self, error: PublishError, stood: Duration, carried: &mut Carried) -> PublishError {
        let last = carried.last;
        let end = match &error {
            PublishError::Link { .. } | PublishError::Closed { .. } if last.is_granted && last.is_idle => {
                End::Idle
            }
            _ if last.is_welcome => End::Other,
            PublishError::Link { .. } | PublishError::Closed { .. } | PublishError::Handshake(_) => {
                End::Unreachable
            }
            _ => End::Refused,
        };
        carried.takeovers.ended(end, stood);
        let before = carried.client_id.of(&self.settings);
        let id = &mut carried.client_id;
        match &error {
            PublishError::ClientId { .. } | PublishError::Deaf { .. } => id.refused(),
            PublishError::Closed { .. } if last.is_welcome && !last.is_granted => id.ungranted(),
            _ => {}
        }
        let now = id.of(&self.settings);
        carried.is_id_new = now != before;
        if carried.is_id_new {
            tracing::warn!(
                "the broker {} grants client \"{before}\" nothing: the box comes as \"{now}\" next; its access list has to \
                 know the client id WARD_BOX, as those under deploy/ do",
                self.settings.address()
            );
        }
        if let PublishError::TooLarge { .. } = error {
            carried.deaf_until = Some(Instant::now() + DEAF);
            carried.too_large = error.to_string();
        }
        let is_broken = matches!(error, PublishError::Closed { .. } | PublishError::Link { .. });
        if is_broken && last.is_welcome && carried.takeovers.is_proved() {
            return self.another_client();
        }
        if end == End::Idle && carried.takeovers.is_unsteady() {
            return self.unsteady(carried);
        }
        error
    }

    fn unsteady(&self, carried: &Carried) -> PublishError {
        let (broker, topic) = (self.settings.address(), &self.topics.status);
        let also = if carried.takeovers.is_unanswered() {
            format!(
                ", or a second box has this id (a broker that lets the box read {topic} would tell: see its access list)"
            )
        } else {
            String::new()
        };
        PublishError::Unsteady { broker, also }
    }

    fn another_client(&self) -> PublishError {
        PublishError::AnotherClient { broker: self.settings.address(), client_id: self.settings.client_id() }
    }

    /// Reports the faults that a person has to correct, also while the connection stands.
    pub fn warn(&self, carried: &Carried) {
        let mut warnings = Vec::new();
        if carried.takeovers.is_proved() {
            warnings.push(self.another_client().to_string());
        } else if carried.takeovers.is_unsteady() {
            warnings.push(self.unsteady(carried).to_string());
        }
        warnings.extend(carried.deaf.clone());
        if let Some(limit) = carried.packet_limit.bytes(std::time::Instant::now()) {
            let passed = carried.packet_limit.passed();
            warnings.push(withheld_above(limit, passed));
        } else if carried.is_swallowing {
            warnings.push(SWALLOWED.to_owned());
        }
        if !carried.too_large.is_empty() {
            warnings.push(carried.too_large.clone());
        }
        self.state().warnings = warnings;
    }

    /// Current status of the box.
    pub async fn read_status(&self) -> Result<Status, PublishError> {
        let source = Arc::clone(&self.status);
        spawn_blocking(move || source.status()).await.map_err(|error| PublishError::Status(error.to_string()))
    }

    fn connected(&self, client_id: &str, carried: &mut Carried) {
        // In a series of short connections, or with another client of this id, each would be logged.
        if !carried.takeovers.is_proved() && !carried.takeovers.is_unsteady() {
            carried.said.clear();
            tracing::info!("connected to the broker {} as client {client_id}", self.settings.address());
        }
        let mut state = self.state();
        (state.connected, state.since, state.last_error) = (true, clock::wall(), None);
    }

    fn disconnected(&self, error: &PublishError, said: &mut String) {
        let text = chain(error);
        if !is_repeated(&text, said) {
            tracing::warn!("{text}");
            said.clone_from(&text);
        }
        let mut state = self.state();
        if state.connected {
            (state.connected, state.since) = (false, clock::wall());
        }
        state.last_error = Some(text);
    }

    /// State of the connection, as the rest of the box sees it.
    pub fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Warning about a broker whose size limit is known.
pub(super) fn withheld_above(limit: usize, passed: usize) -> String {
    format!(
        "the broker ends the connection over a message of {limit} bytes, and took one of {passed}: alerts that are larger \
         go without their picture, then with fewer details; raise its limit to {ROOM_NEEDED} bytes or more (Mosquitto: max_packet_size; NATS: max_payload)"
    )
}

/// Warning about a broker that acknowledges messages and does not pass them on.
pub(super) const SWALLOWED: &str = "the broker acknowledges alerts with pictures and does not pass them on: they go without \
     their picture, then with fewer details; raise its limit to 65536 bytes or more (Mosquitto: message_size_limit)";

/// An alert with its picture is smaller.
const ROOM_NEEDED: usize = 64 * 1024;

/// Waits for `longest`. Waits no longer than `with_alert` where more than `alerts` alerts exist or arrive. Both run from the
/// call.
async fn pause([longest, with_alert]: [Duration; 2], alerts: u64, wanted: &mut watch::Receiver<Wanted>) {
    let begun = Instant::now();
    let alert = async {
        // An error: the publisher is gone, which the caller sees. The returned value is a lock, and is released.
        drop(wanted.wait_for(|wanted| wanted.alerts != alerts).await);
    };
    tokio::select! {
        () = sleep(longest) => {}
        () = alert => {
            sleep(longest.min(with_alert).saturating_sub(begun.elapsed())).await;
        }
    }
}

async fn stopped(wanted: &mut watch::Receiver<Wanted>) {
    // An error: the publisher is gone, which is a stop as well.
    let _ = wanted.wait_for(|wanted| wanted.stop != Stop::No).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_alert_does_not_wait_for_a_long_pause_nor_end_a_short_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let long = Duration::from_secs(600);
        let took = |pauses, has_alert: bool| {
            let (tell, mut wanted) = watch::channel(Wanted { alerts: 7, ..Wanted::default() });
            let begun = Instant::now();
            runtime.block_on(async {
                let alert = async {
                    sleep(Duration::from_millis(20)).await;
                    tell.send_modify(
                        |wanted| if has_alert { wanted.alerts += 1 } else { wanted.vitals += 1 },
                    );
                    // No one may hold the lock meanwhile.
                    sleep(Duration::from_millis(20)).await;
                    tell.send_modify(|wanted| wanted.vitals += 1);
                };
                tokio::join!(pause(pauses, 7, &mut wanted), alert);
            });
            begun.elapsed().as_millis()
        };
        assert!((100..5000).contains(&took([long, Duration::from_millis(100)], true)));
        assert!((40..5000).contains(&took([long, Duration::from_millis(1)], true)));
        assert!((300..5000).contains(&took([Duration::from_millis(300), Duration::from_millis(1)], false)));
        assert!((50..5000).contains(&took([Duration::from_millis(50), long], true)));
    }
}
