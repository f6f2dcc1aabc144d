//! Parts that all connections of the publisher share, and the state carried from one to the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::client_id::ClientId;
use super::delivery::{DeliveryTracker, Unconfirmed};
use super::error::PublishError;
use super::home_assistant::Discovery;
use super::packet_limit::PacketLimit;
use super::send_window::SendWindow;
use super::settings::Settings;
use super::still_pace::StillPace;
use super::topic::Topics;
use super::unsaved::UnsavedAlerts;
use super::{LinkState, Outbox, StatusSource};
use crate::takeover::Takeovers;
use base::backoff::Backoff;
use base::channel::OldestDropped;
use base::status::Status;
use base::time::in_words;
use base::vitals::Vitals;

/// Shortest and longest wait between connections.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Requests of the publisher's owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Counts new alerts.
    pub alerts: u64,
    /// Counts new stills.
    pub stills: u64,
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
pub(super) struct Shared {
    pub settings: Settings,
    pub topics: Topics,
    pub outbox: Arc<dyn Outbox>,
    pub status: Arc<dyn StatusSource>,
    pub unsaved: Arc<UnsavedAlerts>,
    pub vitals: OldestDropped<Vitals>,
    pub state: Arc<Mutex<LinkState>>,
}

/// State carried over connections, a struct for each concern.
pub(super) struct Carried {
    /// Resets with each alert that the broker acknowledges: that connection was a good one.
    pub backoff: Backoff,
    pub tracker: DeliveryTracker,
    pub window: SendWindow,
    pub stills: StillPace,
    pub sizes: MessageSizes,
    pub acks: AckTopic,
    pub identity: ClientIdentity,
    pub discovery: Discovery,
    /// Progress of the last connection.
    pub last: Progress,
    /// Reason for which there was no connection, as it was logged.
    pub logged: String,
}

/// Sizes of messages that the broker takes.
#[derive(Default)]
pub(super) struct MessageSizes {
    pub limit: PacketLimit,
    /// Alerts were lost behind the broker until their pictures were left out.
    pub is_swallowing: bool,
    /// Warning about a message that is too large, for a person; empty where there is none.
    pub too_large: String,
}

/// The topic of the post's acknowledgements.
#[derive(Default)]
pub(super) struct AckTopic {
    /// Fault of the last acknowledgement, as it was logged.
    pub fault: String,
    /// Time until which the box does not subscribe to it: a message there is too large.
    pub paused_until: Option<Instant>,
    /// The broker refuses the subscription; the warning about it.
    pub refused: Option<String>,
}

/// Identity of the box to the broker.
#[derive(Default)]
pub(super) struct ClientIdentity {
    pub client_id: ClientId,
    /// The client id differs from that of the last connection.
    pub is_new: bool,
    pub takeovers: Takeovers,
    /// Number of the connection, attempts included.
    pub connection: u64,
    /// This run of the daemon, as its statuses name it.
    pub run: String,
}

/// Progress of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The broker accepted the connection.
    pub is_accepted: bool,
    /// It granted the subscription, or none was asked for.
    pub is_granted: bool,
    /// All messages were acknowledged when it ended.
    pub is_idle: bool,
}

impl Carried {
    pub fn new(shared: &Shared) -> Self {
        Self {
            backoff: Backoff::new(RECONNECT.0, RECONNECT.1),
            tracker: DeliveryTracker::default(),
            window: SendWindow::default(),
            stills: StillPace::default(),
            sizes: MessageSizes::default(),
            acks: AckTopic::default(),
            identity: ClientIdentity::default(),
            discovery: Discovery::new(&shared.settings, &shared.topics),
            last: Progress::default(),
            logged: String::new(),
        }
    }
}

impl Shared {
    /// Connections end early again and again.
    pub fn unsteady(&self, takeovers: &Takeovers) -> PublishError {
        let (broker, topic) = (self.settings.address(), &self.topics.status);
        let also = if takeovers.is_unanswered() {
            format!(
                ", or a second box has this id (a broker that lets the box read {topic} would tell: see its access list)"
            )
        } else {
            String::new()
        };
        PublishError::Unsteady { broker, also }
    }

    /// Another client has the same id.
    pub fn another_client(&self) -> PublishError {
        PublishError::AnotherClient { broker: self.settings.address(), client_id: self.settings.client_id() }
    }

    /// Reports the faults that a person has to correct, also while a connection is up.
    pub fn warn(&self, carried: &Carried) {
        self.state().warnings = self.warnings(carried, std::time::Instant::now());
    }

    fn warnings(&self, carried: &Carried, now: std::time::Instant) -> Vec<String> {
        let (takeovers, sizes) = (&carried.identity.takeovers, &carried.sizes);
        let mut warnings = Vec::new();
        if takeovers.is_proved() {
            warnings.push(self.another_client().to_string());
        } else if takeovers.is_unsteady() {
            warnings.push(self.unsteady(takeovers).to_string());
        }
        warnings.extend(carried.acks.refused.clone());
        // A box that may not read acknowledgements is told so above.
        let unconfirmed = carried.tracker.unconfirmed(now).filter(|_| carried.acks.refused.is_none());
        if let Some(unconfirmed) = unconfirmed {
            warnings.push(not_confirmed(&unconfirmed, &self.settings));
        }
        if let Some(limit) = sizes.limit.bytes(now) {
            let passed = sizes.limit.passed();
            warnings.push(withheld_above(limit, passed));
        } else if sizes.is_swallowing {
            warnings.push(SWALLOWED.to_owned());
        }
        if !sizes.too_large.is_empty() {
            warnings.push(sizes.too_large.clone());
        }
        warnings
    }

    /// Current status of the box.
    pub async fn read_status(&self) -> Result<Status, PublishError> {
        let source = Arc::clone(&self.status);
        spawn_blocking(move || source.status()).await.map_err(|error| PublishError::Status(error.to_string()))
    }

    /// State of the connection, as the rest of the box sees it.
    pub fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Warning about alerts that the post does not confirm.
fn not_confirmed(unconfirmed: &Unconfirmed, settings: &Settings) -> String {
    let Unconfirmed { count, oldest, is_heard } = *unconfirmed;
    let age = in_words(oldest);
    let alerts = match count {
        1 => format!("1 alert, sent {age} ago, is"),
        count => format!("{count} alerts, the oldest sent {age} ago, are"),
    };
    let remedy = if is_heard {
        "it acknowledges others; look into its log (`journalctl -u wardpost`)".to_owned()
    } else {
        format!(
            "is `wardpost` running for ward {} at this broker, and may it publish there? Where another program receives \
             the alerts, set broker.acknowledge = \"broker\"",
            settings.ward
        )
    };
    format!("{alerts} at the broker and not acknowledged by the post: {remedy}")
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

#[cfg(test)]
mod tests {
    use super::super::settings::{Acknowledge, HomeAssistant};
    use super::*;
    use base::ack::Ack;
    use base::alert::Alert;
    use base::clock;
    use base::outbox::OutboxError;

    /// A box without alerts, whose status nobody asks for.
    struct Nothing;

    impl Outbox for Nothing {
        fn last(&self) -> Result<u64, OutboxError> {
            Ok(0)
        }
        fn waiting(&self, _: u64, _: usize) -> Result<Vec<u64>, OutboxError> {
            Ok(Vec::new())
        }
        fn alert(&self, _: u64) -> Result<Option<Alert>, OutboxError> {
            Ok(None)
        }
        fn delivered(&self, _: u64) {}
        fn acknowledged(&self, _: Ack, _: Vec<u64>) -> Result<bool, OutboxError> {
            Ok(true)
        }
    }

    impl StatusSource for Nothing {
        fn status(&self) -> Status {
            panic!("nobody asks for the status")
        }
    }

    fn shared() -> Shared {
        let settings = Settings {
            ward: "ben-nghe".parse().unwrap(),
            box_id: "box-1".parse().unwrap(),
            host: "broker.lan".into(),
            port: 8883,
            tls: None,
            credentials: None,
            acknowledge: Acknowledge::Post,
            stills: true,
            keep_alive: Duration::from_secs(30),
            home_assistant: HomeAssistant::default(),
        };
        let (connected, since, last_error, published) = (false, clock::wall(), None, 0);
        Shared {
            topics: Topics::new(&settings.ward, &settings.box_id),
            settings,
            outbox: Arc::new(Nothing),
            status: Arc::new(Nothing),
            unsaved: Arc::default(),
            vitals: base::channel::oldest_dropped(1),
            state: Arc::new(Mutex::new(LinkState {
                connected,
                since,
                last_error,
                published,
                stills_published: 0,
                warnings: Vec::new(),
            })),
        }
    }

    #[test]
    fn alerts_that_the_post_never_acknowledges_are_among_the_warnings() {
        let (shared, start) = (shared(), std::time::Instant::now());
        let mut carried = Carried::new(&shared);
        let at = |seconds| start + Duration::from_secs(seconds);
        for seq in 1..=3 {
            carried.tracker.sent(seq, 34_000, start);
            carried.tracker.acknowledged(seq, at(30 * seq));
        }
        assert!(shared.warnings(&carried, at(300)).is_empty(), "a post may be away for some minutes");
        let told = shared.warnings(&carried, at(750));
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("3 alerts, the oldest sent 12 min ago,"), "{told:?}");
        assert!(told[0].contains("is `wardpost` running for ward ben-nghe"), "{told:?}");
        let others = Ack::of("box-1".parse().unwrap(), Default::default(), [(2, 3)]);
        carried.tracker.confirmed(&others, true, at(760));
        let told = shared.warnings(&carried, at(770));
        assert!(told[0].starts_with("1 alert, sent 12 min ago,"), "{told:?}");
        assert!(told[0].contains("it acknowledges others"), "{told:?}");
        carried.acks.refused = Some("the box may not read them".into());
        assert_eq!(shared.warnings(&carried, at(770)), ["the box may not read them"]);
    }
}
