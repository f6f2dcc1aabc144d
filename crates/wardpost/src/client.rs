//! The only file of the post that names the MQTT client: one connection, from its beginning to its end.
//!
//! The client's own memory of a broken connection is not trusted: each connection has a client of its own. The broker's
//! memory is used instead. The session is a persistent one under a fixed name, and a message is acknowledged to the broker only
//! by [`Client::acknowledge`]. So the broker keeps messages that came while the post was down, or that were not stored.

use std::net::Ipv6Addr;
use std::time::Duration;

use rumqttc_next::{AckMode, AsyncClient, ConnectionError, Error as MqttError, Event, EventLoop, Incoming};
use rumqttc_next::{MqttOptions, NetworkOptions, Publish, PublishOptions, QoS, SubscribeFilter};
use rumqttc_next::{StateError, SubscribeReasonCode, TlsConfiguration, Transport, default_socket_connect};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::arrival::{Message, PAYLOAD_BYTES_MAX, REFUSED_BYTES_MAX};
use super::settings::Broker;
use base::clock::{self, Clock as _, SystemClock};
use base::fault::{ErrorKind, chain};
use base::ids::WardId;
use wardlink::tls::{self, Attempt, HandshakeError, Party, Refusal, TlsError};

/// Maximum that MQTT allows: a client that cannot read a message loses the connection, and gets the same message on the next.
/// A message that is too large is cut while it is read, and then refused.
const INCOMING_BYTES_MAX: usize = 268_435_455;
/// Maximum of an outgoing packet; the post itself sends nothing large.
const OUTGOING_BYTES_MAX: usize = 1024 * 1024;
/// Maximum time to connect, and to send a packet.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without an acknowledgement after which the broker's connection is given up.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of unacknowledged messages of the post.
const UNDER_WAY_MAX: usize = 32;
/// The client's own limit, which must not be reached: it would hold back acknowledgements too.
const CLIENT_INFLIGHT: u16 = 64;
/// Requests that wait for the client; more than a batch ever makes.
const REQUESTS_MAX: usize = 4096;
/// Messages that are read and not yet taken. When that many wait, no more are read.
const EVENTS_MAX: usize = 128;
/// Maximum time to disconnect.
const GOODBYE: Duration = Duration::from_secs(2);

/// Reason for which there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
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
    Link { broker: String, reason: String },
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
    #[error("the broker {broker} has acknowledged nothing for {seconds} s")]
    Unacknowledged { broker: String, seconds: u64 },
}

impl LinkError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Tls(_)
            | Self::Refused { .. }
            | Self::ClientId { .. }
            | Self::AnotherClient { .. }
            | Self::Subscription { .. } => ErrorKind::Config,
            Self::Handshake(error) => error.kind(),
            Self::Link { .. } | Self::Closed { .. } | Self::Unsteady { .. } | Self::Unacknowledged { .. } => {
                ErrorKind::Transient
            }
        }
    }
}

/// An event of a connection.
pub(super) enum Occurrence {
    /// A message, and the receipt that acknowledges it.
    Message(Message, Receipt),
    /// The broker accepts the subscriptions: it will send stored and new messages.
    Subscribed,
    /// An event without a consequence.
    Other,
}

/// Acknowledges one message to the broker, on the connection on which it came.
pub(super) struct Receipt(Publish);

/// A connection to the broker.
pub(super) struct Client {
    client: AsyncClient,
    events: mpsc::Receiver<Result<Read, ConnectionError>>,
    _driver: AbortOnDrop,
    broker: Broker,
    client_id: String,
    topics: Vec<String>,
    under_way: usize,
    /// Time of the broker's last acknowledgement, or of the first message after none was in flight.
    progress_at: Instant,
}

/// An event, with a payload of bounded size.
enum Read {
    Message(Message, Receipt),
    SubAck(Vec<SubscribeReasonCode>),
    PubAck,
    Other,
}

impl Client {
    /// Connects and subscribes to the messages of one ward, or of all.
    pub async fn connect(broker: &Broker, client_id: &str, ward: Option<&WardId>) -> Result<Self, LinkError> {
        let (client, mut eventloop) =
            AsyncClient::builder(options(broker, client_id)?).capacity(REQUESTS_MAX).build();
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(NETWORK_TIMEOUT.as_secs());
        eventloop.set_network_options(network);
        // The first event is the broker's CONNACK.
        eventloop.poll().await.map_err(|error| before_the_welcome(&error, broker, client_id))?;
        let ward = ward.map_or("+", WardId::as_str);
        let topic = |name: &str| format!("wardwatch/v1/{ward}/+/{name}");
        let wanted = [("alert", QoS::AtLeastOnce), ("status", QoS::AtLeastOnce), ("vitals", QoS::AtMostOnce)];
        let topics: Vec<String> = wanted.iter().map(|(name, _)| topic(name)).collect();
        let filters = wanted.iter().map(|(name, qos)| SubscribeFilter::new(topic(name), *qos));
        // Also where the session is present: the broker may have lost it, and sends retained messages again.
        let _ = client.try_subscribe_many(filters);
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        // In a task of its own, since a cancelled `poll` would lose the packet that it had read.
        let driver = tokio::spawn(drive(eventloop, sender));
        Ok(Self {
            client,
            events,
            _driver: AbortOnDrop(driver.abort_handle()),
            broker: broker.clone(),
            client_id: client_id.to_owned(),
            topics,
            under_way: 0,
            progress_at: Instant::now(),
        })
    }

    /// Waits for the next event; may be cancelled.
    pub async fn next(&mut self) -> Result<Occurrence, LinkError> {
        let give_up_at = self.progress_at + ACKNOWLEDGE_TIMEOUT;
        tokio::select! {
            read = self.events.recv() => self.occurred(read),
            () = sleep_until(give_up_at), if self.under_way > 0 => Err(LinkError::Unacknowledged {
                broker: address(&self.broker),
                seconds: ACKNOWLEDGE_TIMEOUT.as_secs(),
            }),
        }
    }

    /// The next event, if one has occurred already.
    pub fn try_next(&mut self) -> Result<Option<Occurrence>, LinkError> {
        match self.events.try_recv() {
            Ok(read) => self.occurred(Some(read)).map(Some),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => self.occurred(None).map(Some),
        }
    }

    /// Asks for the retained message on a topic, QoS 0: the broker keeps none of them for the session.
    pub fn ask(&self, topic: &str) {
        // Fails only when the connection has ended, which is reported by an event.
        let _ = self.client.try_subscribe(topic, QoS::AtMostOnce);
    }

    /// Ends the subscription that [`Client::ask`] made.
    pub fn end_question(&self, topic: &str) {
        let _ = self.client.try_unsubscribe(topic);
    }

    /// Acknowledges a message: the broker may forget it.
    pub fn acknowledge(&self, receipt: &Receipt) -> Result<(), LinkError> {
        self.client.try_ack(&receipt.0).map_err(|_| self.ended())
    }

    /// True once the broker has acknowledged all messages.
    pub fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// True while the broker has acknowledged enough to be sent more.
    pub fn has_room(&self) -> bool {
        self.under_way < UNDER_WAY_MAX
    }

    /// Publishes with QoS 1, retained.
    pub fn publish_retained(&mut self, topic: &str, payload: Vec<u8>) -> Result<(), LinkError> {
        if self.under_way == 0 {
            self.progress_at = Instant::now();
        }
        let retained = PublishOptions::at_least_once().retain(true);
        self.client.try_publish(topic, payload, retained).map_err(|_| self.ended())?;
        self.under_way += 1;
        Ok(())
    }

    /// Sends the queued messages, and closes the connection.
    pub async fn say_goodbye(mut self) {
        let _ = self.client.try_disconnect();
        let drain = async { while let Some(Ok(_)) = self.events.recv().await {} };
        let _ = tokio::time::timeout(GOODBYE, drain).await;
    }

    fn occurred(&mut self, read: Option<Result<Read, ConnectionError>>) -> Result<Occurrence, LinkError> {
        match read {
            Some(Ok(Read::Message(message, receipt))) => return Ok(Occurrence::Message(message, receipt)),
            Some(Ok(Read::SubAck(codes))) => {
                // The answer to a question; a refusal of it has no consequence.
                if codes.len() < self.topics.len() {
                    return Ok(Occurrence::Other);
                }
                let refused = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Failure);
                if codes.iter().any(refused) {
                    let topics = self.topics.join(", ");
                    return Err(LinkError::Subscription { broker: address(&self.broker), topics });
                }
                return Ok(Occurrence::Subscribed);
            }
            Some(Ok(Read::PubAck)) => {
                self.under_way = self.under_way.saturating_sub(1);
                self.progress_at = Instant::now();
            }
            Some(Ok(Read::Other)) => {}
            Some(Err(error)) => return Err(diagnose(&error, &self.broker, &self.client_id)),
            None => return Err(self.ended()),
        }
        Ok(Occurrence::Other)
    }

    /// The client accepts no more requests.
    fn ended(&self) -> LinkError {
        LinkError::Link { broker: address(&self.broker), reason: "the connection is at its end".to_owned() }
    }
}

fn options(broker: &Broker, client_id: &str) -> Result<MqttOptions, LinkError> {
    let bare = broker.host.trim_start_matches('[').trim_end_matches(']');
    let mut options = MqttOptions::new(client_id, (bare, broker.port));
    options
        .set_clean_session(false)
        .set_ack_mode(AckMode::Manual)
        .set_keep_alive(u16::try_from(broker.keep_alive.as_secs()).unwrap_or(u16::MAX))
        .set_max_packet_size(INCOMING_BYTES_MAX, OUTGOING_BYTES_MAX)
        .set_inflight(CLIENT_INFLIGHT);
    if let Some(credentials) = &broker.credentials {
        options.set_credentials(&credentials.user, credentials.password.reveal().to_owned());
    }
    if let Some(tls) = &broker.tls {
        // Read anew each time: certificates are renewed while the post runs.
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls::client_config(
            tls.files(),
        )?)));
    }
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        // The client would resolve `::1:8883`; the certificate is checked against the bare address.
        let address = format!("[{address}]:{}", broker.port);
        options.set_socket_connector(move |_, network| default_socket_connect(address.clone(), network));
    }
    Ok(options)
}

/// Polls the connection until it ends.
async fn drive(mut eventloop: EventLoop, sender: mpsc::Sender<Result<Read, ConnectionError>>) {
    loop {
        let read = eventloop.poll().await.map(read);
        let is_over = read.is_err();
        if sender.send(read).await.is_err() || is_over {
            return;
        }
    }
}

fn read(event: Event) -> Read {
    match event {
        Event::Incoming(Incoming::Publish(mut publish)) => {
            let whole = std::mem::take(&mut publish.payload);
            let kept = if whole.len() > PAYLOAD_BYTES_MAX { REFUSED_BYTES_MAX } else { whole.len() };
            let message = Message {
                topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                payload: whole[..kept].to_vec(),
                bytes: whole.len(),
                retained: publish.retain,
                at: clock::wall(),
            };
            Read::Message(message, Receipt(publish))
        }
        Event::Incoming(Incoming::SubAck(ack)) => Read::SubAck(ack.return_codes),
        Event::Incoming(Incoming::PubAck(_)) => Read::PubAck,
        _ => Read::Other,
    }
}

/// The error for a connection that ended before the broker's CONNACK.
fn before_the_welcome(error: &ConnectionError, broker: &Broker, client_id: &str) -> LinkError {
    let is_no_mqtt = matches!(
        error,
        ConnectionError::MqttState(StateError::Deserialization(_) | StateError::ConnectionAborted)
    );
    if code(error).is_some() {
        return diagnose(error, broker, client_id);
    }
    match HandshakeError::before_the_welcome(error, is_no_mqtt, &attempt(broker, &address(broker))) {
        Some(error) => LinkError::Handshake(error.seen_at(SystemClock.now().clock)),
        None => diagnose(error, broker, client_id),
    }
}

fn attempt<'a>(broker: &'a Broker, at: &'a str) -> Attempt<'a> {
    let ca_file = broker.tls.as_ref().map(|tls| tls.ca_file.as_path());
    Attempt { party: Party::Post, broker: at, ca_file }
}

fn diagnose(error: &ConnectionError, broker: &Broker, client_id: &str) -> LinkError {
    let at = address(broker);
    let Some(code) = code(error) else {
        return match HandshakeError::of(error, &attempt(broker, &at)) {
            Some(error) => LinkError::Handshake(error.seen_at(SystemClock.now().clock)),
            None if is_closed(error) => LinkError::Closed { broker: at, reason: chain(error) },
            None => LinkError::Link { broker: at, reason: chain(error) },
        };
    };
    match Refusal::of(code, &attempt(broker, &at)) {
        Refusal::Credentials => {
            let who = match &broker.credentials {
                Some(credentials) => format!("user \"{}\" with this password", credentials.user),
                None => "a connection without user and password".to_owned(),
            };
            LinkError::Refused { broker: at, who }
        }
        Refusal::ClientId => LinkError::ClientId { broker: at, client_id: client_id.to_owned() },
        Refusal::Other(error) => LinkError::Handshake(error),
    }
}

/// Code with which the broker refuses the connection, also one that MQTT 3.1.1 does not know.
fn code(error: &ConnectionError) -> Option<u8> {
    match error {
        ConnectionError::ConnectionRefused(code) => Some(*code as u8),
        ConnectionError::MqttState(StateError::Deserialization(MqttError::InvalidConnectReturnCode(
            code,
        ))) => Some(*code),
        _ => None,
    }
}

/// True where the other side closed the connection.
fn is_closed(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::MqttState(StateError::ConnectionAborted)) || tls::has_hung_up(error)
}

/// Host and port, for a person.
pub(super) fn address(broker: &Broker) -> String {
    format!("{}:{}", broker.host, broker.port)
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
