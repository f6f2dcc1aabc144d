//! A connection of the post to its broker: the boxes' topics, and acknowledgements in flight.
//!
//! The broker's memory is used: the session is a persistent one under a fixed name, and a message is acknowledged to the
//! broker only by [`Connection::acknowledge`]. So the broker keeps messages that came while the post was down, or that were
//! not stored. The receiver calls it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::arrival::{self, REFUSED_BYTES_MAX};
use super::settings::Broker;
use base::clock::{Clock as _, SystemClock};
use base::fault::ErrorKind;
use base::ids::WardId;
use wardlink::client::{
    Client, ClientError, Incoming, Limits, Message, Occurrence, Options, Quality, Receipt,
};
use wardlink::tls::{HandshakeError, Party, TlsError};

const LIMITS: Limits = Limits {
    network_timeout: Duration::from_secs(10),
    // More than a batch ever makes.
    requests: 4096,
    occurrences: 128,
    // The maximum of MQTT: a client that cannot read a message loses the connection, and gets the same message on the next.
    packet_bytes: 268_435_455,
    // A longer message is cut, and then refused.
    payload_bytes: arrival::PAYLOAD_BYTES_MAX,
    cut_bytes: REFUSED_BYTES_MAX,
};
/// Time without an acknowledgement after which the broker's connection is given up.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of the post's messages in flight.
const IN_FLIGHT_MAX: usize = 32;
/// Maximum time to disconnect.
const GOODBYE: Duration = Duration::from_secs(2);
/// Messages of boxes that the post reads, and their quality.
const WANTED: [(&str, Quality); 4] = [
    ("alert", Quality::AtLeastOnce),
    ("still", Quality::AtLeastOnce),
    ("status", Quality::AtLeastOnce),
    ("vitals", Quality::AtMostOnce),
];

/// Reason for which there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("broker.{0}")]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Handshake(HandshakeError),
    #[error(
        "the broker {broker} refuses {who}; check broker.user and broker.password_file against the broker's password file"
    )]
    Refused { broker: String, who: String },
    #[error(
        "the broker {broker} refuses the client id {client_id}; check broker.client_id and the broker's access list"
    )]
    ClientId { broker: String, client_id: String },
    #[error("the broker {broker} refuses to subscribe to {topics}; check the broker's access list")]
    Subscription { broker: String, topics: String },
    #[error("the broker {broker} cannot be reached: {reason}")]
    Unreachable { broker: String, reason: String },
    #[error("the broker {broker} cannot be reached: it has ended the connection ({reason})")]
    Closed { broker: String, reason: String },
    #[error(
        "another client uses this post's client id \"{client_id}\" at the broker {broker}, which ends the older connection each \
         time: stop the other wardpost, or give each a broker.client_id (--client-id) and a certificate of its own"
    )]
    AnotherClient { broker: String, client_id: String },
    #[error(
        "connections to the broker {broker} end within a minute, again and again: the link is bad, or the broker \
         restarts{also}; look at the broker's log"
    )]
    Unsteady { broker: String, also: String },
    #[error(transparent)]
    TooLarge(ClientError),
    #[error("the broker {broker} has acknowledged nothing for {seconds} s")]
    Unacknowledged { broker: String, seconds: u64 },
}

impl ConnectionError {
    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Tls(_)
            | Self::Refused { .. }
            | Self::ClientId { .. }
            | Self::AnotherClient { .. }
            | Self::Subscription { .. } => ErrorKind::Config,
            Self::Handshake(error) => error.kind(),
            Self::TooLarge(error) => error.kind(),
            Self::Unreachable { .. }
            | Self::Closed { .. }
            | Self::Unsteady { .. }
            | Self::Unacknowledged { .. } => ErrorKind::Transient,
        }
    }
}

impl From<ClientError> for ConnectionError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Tls(error) => Self::Tls(error),
            ClientError::Handshake(error) => Self::Handshake(error.seen_at(SystemClock.now().clock)),
            ClientError::Refused { broker, who } => Self::Refused { broker, who },
            ClientError::ClientId { broker, client_id } => Self::ClientId { broker, client_id },
            ClientError::Closed { broker, reason } => Self::Closed { broker, reason },
            ClientError::Unreachable { broker, reason } => Self::Unreachable { broker, reason },
            ClientError::TooLarge { .. } => Self::TooLarge(error),
        }
    }
}

/// An event of a connection that concerns the receiver.
pub(super) enum Event {
    /// A message, and the receipt that acknowledges it.
    Message(Incoming, Receipt),
    /// The broker accepts the subscriptions: it will send stored and new messages.
    Subscribed,
    /// An event without a consequence.
    Other,
}

/// A connection to the broker; see the module.
pub(super) struct Connection {
    client: Client,
    address: String,
    topics: Vec<String>,
    /// Number of messages that the broker has not acknowledged.
    in_flight: usize,
    /// Time of the broker's last acknowledgement, or of the first message after none was in flight.
    progress_at: Instant,
}

impl Connection {
    /// Connects and subscribes to the messages of one ward, or of all.
    pub async fn open(
        broker: &Broker,
        client_id: &str,
        ward: Option<&WardId>,
    ) -> Result<Self, ConnectionError> {
        let options = Options {
            party: Party::Post,
            host: &broker.host,
            port: broker.port,
            tls: broker.tls.as_ref().map(|tls| tls.files()),
            credentials: broker.credentials.as_ref(),
            client_id,
            keep_alive: broker.keep_alive,
            will: None,
            is_persistent: true,
            limits: LIMITS,
        };
        let client = Client::connect(options).await?;
        let ward = ward.map_or("+", WardId::as_str);
        let topics = WANTED.map(|(name, _)| format!("wardwatch/v1/{ward}/+/{name}")).to_vec();
        let wanted: Vec<_> =
            topics.iter().zip(WANTED).map(|(topic, (_, quality))| (topic.as_str(), quality)).collect();
        // Also where the session is present: the broker may have lost it, and sends retained messages again.
        client.subscribe(&wanted);
        Ok(Self { client, address: address(broker), topics, in_flight: 0, progress_at: Instant::now() })
    }

    /// Waits for the next event; may be cancelled.
    pub async fn next(&mut self) -> Result<Event, ConnectionError> {
        let give_up_at = self.progress_at + ACKNOWLEDGE_TIMEOUT;
        tokio::select! {
            occurrence = self.client.next() => self.occurred(occurrence),
            () = sleep_until(give_up_at), if self.in_flight > 0 => Err(ConnectionError::Unacknowledged {
                broker: self.address.clone(),
                seconds: ACKNOWLEDGE_TIMEOUT.as_secs(),
            }),
        }
    }

    /// The next event, if one has occurred already.
    pub fn try_next(&mut self) -> Result<Option<Event>, ConnectionError> {
        let occurrence = self.client.try_next();
        occurrence.map(|occurrence| self.occurred(occurrence)).transpose()
    }

    /// Asks for the retained message on a topic, QoS 0: the broker keeps none of them for the session.
    pub fn ask(&self, topic: &str) {
        self.client.subscribe(&[(topic, Quality::AtMostOnce)]);
    }

    /// Ends the subscription that [`Connection::ask`] made.
    pub fn end_question(&self, topic: &str) {
        self.client.unsubscribe(topic);
    }

    /// Acknowledges a message: the broker may forget it.
    pub fn acknowledge(&self, receipt: &Receipt) -> Result<(), ConnectionError> {
        if self.client.acknowledge(receipt) { Ok(()) } else { Err(self.ended()) }
    }

    /// True once the broker has acknowledged all messages.
    pub fn is_idle(&self) -> bool {
        self.in_flight == 0
    }

    /// True while the broker has acknowledged enough to be sent more.
    pub fn has_room(&self) -> bool {
        self.in_flight < IN_FLIGHT_MAX
    }

    /// Publishes with QoS 1, retained.
    pub fn publish_retained(&mut self, topic: &str, payload: Vec<u8>) -> Result<(), ConnectionError> {
        if self.in_flight == 0 {
            self.progress_at = Instant::now();
        }
        // Only the number of acknowledgements counts here, so that all share a token.
        let message = Message { topic: topic.to_owned(), payload, retain: true };
        if !self.client.publish(message, Some(0)) {
            return Err(self.ended());
        }
        self.in_flight += 1;
        Ok(())
    }

    /// Sends the queued messages, and closes the connection.
    pub async fn say_goodbye(mut self) {
        self.client.disconnect();
        let ended = async { while !matches!(self.client.next().await, Occurrence::Ended(_)) {} };
        // The broker closes the connection; one that does not is left.
        let _ = tokio::time::timeout(GOODBYE, ended).await;
    }

    fn occurred(&mut self, occurrence: Occurrence) -> Result<Event, ConnectionError> {
        match occurrence {
            Occurrence::Arrived(message, receipt) => return Ok(Event::Message(message, receipt)),
            // A shorter answer is that to a question; a refusal of it has no consequence.
            Occurrence::Subscribed(granted) if granted.len() == self.topics.len() => {
                if granted.contains(&false) {
                    let topics = self.topics.join(", ");
                    return Err(ConnectionError::Subscription { broker: self.address.clone(), topics });
                }
                return Ok(Event::Subscribed);
            }
            Occurrence::Acknowledged(_) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.progress_at = Instant::now();
            }
            Occurrence::Ended(error) => return Err(error.into()),
            Occurrence::Subscribed(_) | Occurrence::Dropped(_) | Occurrence::Left => {}
        }
        Ok(Event::Other)
    }

    /// The client accepts no more requests.
    fn ended(&self) -> ConnectionError {
        let (broker, reason) = (self.address.clone(), "the connection is at its end".to_owned());
        ConnectionError::Unreachable { broker, reason }
    }
}

/// Host and port, for a person.
pub(super) fn address(broker: &Broker) -> String {
    format!("{}:{}", broker.host, broker.port)
}
