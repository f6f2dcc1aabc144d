//! The MQTT client of box and post, and the only file that names `rumqttc-v4-next`: MQTT 3.1.1, which brokers of version 5
//! speak as well.
//!
//! A client is one connection: it never reconnects by itself. The library's memory of a broken connection is not trusted, since
//! it forgets messages that it accepted. The publisher of a box and the receiver of a post call it.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use rumqttc_next::{
    AckMode, AsyncClient, ConnectionError, Error as MqttError, Event, EventLoop, Incoming as Packet,
    LastWill, MqttOptions, NetworkOptions, Outgoing, Publish, PublishOptions, QoS, StateError,
    SubscribeFilter, SubscribeReasonCode, TlsConfiguration, Transport, default_socket_connect,
};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::AbortHandle;

use crate::tls::{self, Attempt, Files, HandshakeError, Party, Refusal, TlsError, has_hung_up};
use base::clock;
use base::fault::{ErrorKind, chain};
use base::secret::Credentials;
use base::time::WallTime;

/// Maximum payload of an outgoing message.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024 - 1024;

/// Largest outgoing packet: a payload, topic and headers. The library's own limit of 10 KiB does not hold a thumbnail.
const PACKET_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 1024;
/// The library's limit of messages in flight. It is never reached: the library would hold back acknowledgements too.
const IN_FLIGHT_MAX: u16 = 64;

/// Names a message between [`Client::publish`] and its [`Occurrence`].
pub type Token = u64;

/// A connection that is to be made.
#[derive(Debug)]
pub struct Options<'a> {
    /// The connecting side, for the text of errors.
    pub party: Party,
    /// Broker's host name or address; an IPv6 address may have brackets.
    pub host: &'a str,
    /// Broker's port.
    pub port: u16,
    /// TLS, or plain TCP. The files are read anew for each connection: certificates are renewed while a program runs.
    pub tls: Option<Files<'a>>,
    /// User name and password, where the broker asks for them.
    pub credentials: Option<&'a Credentials>,
    /// MQTT client id.
    pub client_id: &'a str,
    /// Longest silence on the connection before it is checked.
    pub keep_alive: Duration,
    /// Message that the broker publishes if the connection breaks.
    pub will: Option<Message>,
    /// The broker keeps subscriptions and messages while the client is away, and the client acknowledges each message by
    /// [`Client::acknowledge`]. Without, a message is acknowledged once it is read.
    pub is_persistent: bool,
    /// Limits of the connection.
    pub limits: Limits,
}

/// Limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum time to connect, and to send a packet.
    pub network_timeout: Duration,
    /// Maximum number of requests that wait for the connection.
    pub requests: usize,
    /// Maximum number of events that wait for [`Client::next`]. While that many wait, nothing more is read.
    pub occurrences: usize,
    /// The largest packet that is read. A larger one ends the connection, and comes again on the next.
    pub packet_bytes: usize,
    /// Maximum payload of an incoming message. A longer one is cut.
    pub payload_bytes: usize,
    /// Part of a cut payload that is kept.
    pub cut_bytes: usize,
}

/// An outgoing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload; never longer than [`PAYLOAD_BYTES_MAX`].
    pub payload: Vec<u8>,
    /// The broker retains it for later subscribers.
    pub retain: bool,
}

/// An incoming message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Its topic.
    pub topic: String,
    /// Its payload, cut where it is longer than [`Limits::payload_bytes`].
    pub payload: Vec<u8>,
    /// Length of the whole payload.
    pub bytes: usize,
    /// It was retained before the subscription.
    pub is_retained: bool,
    /// Time of its arrival.
    pub at: WallTime,
}

impl Incoming {
    /// True where its payload is longer than the limit.
    pub fn is_cut(&self) -> bool {
        self.bytes > self.payload.len()
    }
}

/// Acknowledges one message to the broker, on the connection on which it came.
#[derive(Debug)]
pub struct Receipt(Publish);

/// Quality of service of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// QoS 0: the broker keeps no message for a client that is away.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
}

/// An event of a connection.
#[derive(Debug)]
pub enum Occurrence {
    /// The broker acknowledged this message.
    Acknowledged(Token),
    /// The client will not deliver this message.
    Dropped(Token),
    /// A message on a subscribed topic.
    Arrived(Incoming, Receipt),
    /// The broker's answer to a subscription, in their order: granted or not, for each topic.
    Subscribed(Vec<bool>),
    /// The DISCONNECT has left.
    Left,
    /// The connection has ended; nothing comes after this.
    Ended(ClientError),
}

/// Reason for which there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A certificate or a key cannot be used.
    #[error("broker.{0}")]
    Tls(#[from] TlsError),
    /// Certificates do not match, or TLS fails.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The broker refuses user, password or certificate.
    #[error("the broker {broker} refuses {who}")]
    Refused {
        /// Host and port.
        broker: String,
        /// The user, as a message names it.
        who: String,
    },
    /// The broker refuses the client id.
    #[error("the broker {broker} refuses the client id {client_id}")]
    ClientId {
        /// Host and port.
        broker: String,
        /// The client id.
        client_id: String,
    },
    /// A packet is larger than [`Limits::packet_bytes`].
    #[error("a message of {bytes} bytes is more than this client reads")]
    TooLarge {
        /// Size of the packet.
        bytes: usize,
    },
    /// The broker, or a device between, has closed the connection.
    #[error("the broker {broker} has ended the connection: {reason}")]
    Closed {
        /// Host and port.
        broker: String,
        /// Reason of the end.
        reason: String,
    },
    /// The link is down, or the broker is.
    #[error("the broker {broker} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        broker: String,
        /// Reason of the failure.
        reason: String,
    },
}

impl ClientError {
    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Tls(_) | Self::Refused { .. } | Self::ClientId { .. } => ErrorKind::Config,
            Self::Handshake(error) => error.kind(),
            Self::TooLarge { .. } | Self::Closed { .. } | Self::Unreachable { .. } => ErrorKind::Transient,
        }
    }
}

/// One connection to a broker; see the module.
#[derive(Debug)]
pub struct Client {
    client: AsyncClient,
    occurrences: mpsc::Receiver<Result<Occurrence, ConnectionError>>,
    report: mpsc::Sender<Result<Occurrence, ConnectionError>>,
    _driver: AbortOnDrop,
    peer: Peer,
}

/// The two sides of a connection, for the text of its errors.
#[derive(Debug)]
struct Peer {
    party: Party,
    broker: String,
    ca_file: Option<PathBuf>,
    user: Option<String>,
    client_id: String,
}

impl Client {
    /// Connects, and returns once the broker accepts. Dropped before it completes, it leaves nothing behind.
    ///
    /// # Errors
    /// A certificate does not read, or the broker is not reached or does not accept.
    pub async fn connect(options: Options<'_>) -> Result<Self, ClientError> {
        let (peer, limits) = (Peer::of(&options), options.limits);
        let builder = AsyncClient::builder(library_options(options)?);
        let (client, mut eventloop) = builder.capacity(limits.requests).build();
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(limits.network_timeout.as_secs());
        eventloop.set_network_options(network);
        // The first event is the broker's CONNACK.
        eventloop.poll().await.map_err(|error| peer.before_connack(&error))?;
        let (report, occurrences) = mpsc::channel(limits.occurrences);
        // In a task of its own, since a cancelled `poll` would lose the packet that it had read.
        let driver = tokio::spawn(drive(eventloop, report.clone(), limits));
        Ok(Self { client, occurrences, report, _driver: AbortOnDrop(driver.abort_handle()), peer })
    }

    /// Subscribes to topics, with one answer for all.
    pub fn subscribe(&self, topics: &[(&str, Quality)]) {
        let filters = topics.iter().map(|(topic, quality)| {
            let quality = match quality {
                Quality::AtMostOnce => QoS::AtMostOnce,
                Quality::AtLeastOnce => QoS::AtLeastOnce,
            };
            SubscribeFilter::new((*topic).to_owned(), quality)
        });
        // Fails only when the connection has ended, which is reported by an event.
        let _ = self.client.try_subscribe_many(filters);
    }

    /// Ends the subscription to a topic.
    pub fn unsubscribe(&self, topic: &str) {
        let _ = self.client.try_unsubscribe(topic);
    }

    /// Hands over a message, QoS 1 with a token and QoS 0 without. `false` where there is no room for it, or the
    /// connection has ended.
    pub fn publish(&self, message: Message, token: Option<Token>) -> bool {
        let Message { topic, payload, retain } = message;
        let Some(token) = token else {
            let once = PublishOptions::at_most_once().retain(retain);
            return self.client.try_publish(topic, payload, once).is_ok();
        };
        let options = PublishOptions::at_least_once().retain(retain);
        // A notice for each message, so that packet ids need not be counted.
        let Ok(notice) = self.client.try_publish_tracked(topic, payload, options) else { return false };
        let report = self.report.clone();
        tokio::spawn(async move {
            let outcome = match notice.wait_completion_async().await {
                Ok(()) => Occurrence::Acknowledged(token),
                Err(_) => Occurrence::Dropped(token),
            };
            // An error: the receiver is gone, and the connection is over.
            let _ = report.send(Ok(outcome)).await;
        });
        true
    }

    /// Acknowledges a message of a persistent session: the broker may forget it. `false` where the connection has ended.
    pub fn acknowledge(&self, receipt: &Receipt) -> bool {
        self.client.try_ack(&receipt.0).is_ok()
    }

    /// Waits for the next event. No event is lost where the wait is cancelled.
    pub async fn next(&mut self) -> Occurrence {
        let reported = self.occurrences.recv().await.expect("this side holds a sender, too");
        reported.unwrap_or_else(|error| Occurrence::Ended(self.peer.diagnose(&error)))
    }

    /// The next event, if one has occurred already.
    pub fn try_next(&mut self) -> Option<Occurrence> {
        match self.occurrences.try_recv() {
            Ok(reported) => {
                Some(reported.unwrap_or_else(|error| Occurrence::Ended(self.peer.diagnose(&error))))
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// Sends DISCONNECT after all that was handed over; [`Occurrence::Left`] follows.
    pub fn disconnect(&self) {
        let _ = self.client.try_disconnect();
    }
}

/// The library's options for a connection.
fn library_options(options: Options<'_>) -> Result<MqttOptions, ClientError> {
    let bare = options.host.trim_start_matches('[').trim_end_matches(']');
    let mut library = MqttOptions::new(options.client_id, (bare, options.port));
    library
        .set_clean_session(!options.is_persistent)
        .set_ack_mode(if options.is_persistent { AckMode::Manual } else { AckMode::Automatic })
        .set_keep_alive(u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX))
        .set_max_packet_size(options.limits.packet_bytes, PACKET_BYTES_MAX)
        .set_inflight(IN_FLIGHT_MAX);
    if let Some(will) = options.will {
        library.set_last_will(LastWill::new(will.topic, will.payload, QoS::AtLeastOnce, will.retain));
    }
    if let Some(credentials) = options.credentials {
        library.set_credentials(&credentials.user, credentials.password.reveal().to_owned());
    }
    if let Some(files) = options.tls {
        let config = TlsConfiguration::Rustls(tls::client_config(files)?);
        library.set_transport(Transport::tls_with_config(config));
    }
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        // The library would resolve `::1:8883`; the certificate is checked against the bare address.
        let address = format!("[{address}]:{}", options.port);
        library.set_socket_connector(move |_, network| default_socket_connect(address.clone(), network));
    }
    Ok(library)
}

/// Polls the connection until it ends.
async fn drive(
    mut eventloop: EventLoop,
    report: mpsc::Sender<Result<Occurrence, ConnectionError>>,
    limits: Limits,
) {
    loop {
        let occurrence = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::Publish(message))) => arrived(message, limits),
            Ok(Event::Incoming(Packet::SubAck(answer))) => {
                let codes = answer.return_codes.iter();
                let granted = codes.map(|code| matches!(code, SubscribeReasonCode::Success(_)));
                Occurrence::Subscribed(granted.collect())
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => Occurrence::Left,
            Ok(_) => continue,
            Err(error) => {
                // Acknowledgements until now are reported first.
                drop(eventloop);
                tokio::task::yield_now().await;
                let _ = report.send(Err(error)).await;
                return;
            }
        };
        if report.send(Ok(occurrence)).await.is_err() {
            return;
        }
    }
}

/// A message, with a payload of bounded size.
fn arrived(mut message: Publish, limits: Limits) -> Occurrence {
    let whole = std::mem::take(&mut message.payload);
    let kept = if whole.len() > limits.payload_bytes { limits.cut_bytes } else { whole.len() };
    let incoming = Incoming {
        topic: String::from_utf8_lossy(&message.topic).into_owned(),
        payload: whole[..kept].to_vec(),
        bytes: whole.len(),
        is_retained: message.retain,
        at: clock::wall(),
    };
    Occurrence::Arrived(incoming, Receipt(message))
}

impl Peer {
    fn of(options: &Options<'_>) -> Self {
        Self {
            party: options.party,
            broker: format!("{}:{}", options.host, options.port),
            ca_file: options.tls.map(|files| files.ca_file.to_owned()),
            user: options.credentials.map(|credentials| credentials.user.clone()),
            client_id: options.client_id.to_owned(),
        }
    }

    fn attempt(&self) -> Attempt<'_> {
        Attempt { party: self.party, broker: &self.broker, ca_file: self.ca_file.as_deref() }
    }

    /// The error for a connection that ended before the broker's CONNACK.
    fn before_connack(&self, error: &ConnectionError) -> ClientError {
        if let Some(code) = code(error) {
            return self.refused(code);
        }
        let is_no_mqtt = matches!(
            error,
            ConnectionError::MqttState(StateError::Deserialization(_) | StateError::ConnectionAborted)
        );
        HandshakeError::before_connack(error, is_no_mqtt, &self.attempt())
            .map_or_else(|| self.diagnose(error), ClientError::Handshake)
    }

    /// The error that ended a connection.
    fn diagnose(&self, error: &ConnectionError) -> ClientError {
        let broker = self.broker.clone();
        match error {
            ConnectionError::MqttState(StateError::Deserialization(MqttError::PayloadSizeLimitExceeded(
                bytes,
            ))) => ClientError::TooLarge { bytes: *bytes },
            // The end of the stream, where TCP or TLS closed it in an orderly way.
            ConnectionError::MqttState(StateError::ConnectionAborted) => {
                ClientError::Closed { broker, reason: chain(error) }
            }
            _ => match HandshakeError::of(error, &self.attempt()) {
                Some(error) => ClientError::Handshake(error),
                None if has_hung_up(error) => ClientError::Closed { broker, reason: chain(error) },
                None => ClientError::Unreachable { broker, reason: chain(error) },
            },
        }
    }

    /// The error for a broker's refusal by a code.
    fn refused(&self, code: u8) -> ClientError {
        let broker = self.broker.clone();
        match Refusal::of(code, &self.attempt()) {
            Refusal::Credentials => {
                let who = match &self.user {
                    Some(user) => format!("user \"{user}\" with this password"),
                    None => "a connection without user and password".to_owned(),
                };
                ClientError::Refused { broker, who }
            }
            Refusal::ClientId => ClientError::ClientId { broker, client_id: self.client_id.clone() },
            Refusal::Other(error) => ClientError::Handshake(error),
        }
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

#[derive(Debug)]
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
