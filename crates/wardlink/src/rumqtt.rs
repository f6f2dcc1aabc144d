//! The MQTT client in use: `rumqttc-v4-next`, MQTT 3.1.1, which every broker of version 5 speaks as well.
//!
//! Each message has a notice of its own, so that packet ids need not be counted. The event loop is polled by a task of its
//! own: a poll that is cancelled would lose the packet that it had read.

use std::net::Ipv6Addr;
use std::time::Duration;

use rumqttc_next::{
    AsyncClient, Broker, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, LastWill,
};
use rumqttc_next::{
    Error as MqttError, MqttOptions, NetworkOptions, Outgoing, PublishOptions, QoS, StateError,
    SubscribeReasonCode,
};
use rumqttc_next::{TlsConfiguration, Transport, default_socket_connect};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::client::{ARRIVED_BYTES_MAX, Client, Message, Occurrence, PAYLOAD_BYTES_MAX, Token};
use super::error::{PublishError, Refusal};
use super::security;
use super::settings::Settings;
use base::fault::chain;

/// Largest packet: a payload, topic and headers. The client's own limit of 10 KiB does not hold a thumbnail.
const PACKET_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 1024;
/// The largest packet that is read whole, to be thrown away. A client that refuses it loses the connection, and gets the
/// same packet on the next. Larger packets would need memory that the box does not have.
const INCOMING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Maximum time to connect, and to send a packet: 64 KiB at 64 kbit/s take 8 s.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(30);
/// More than is ever in flight, so that the client does not run out of packet ids, or of room.
const ROOM: u16 = 64;
/// The client pings after this time without a packet of its own, and vitals leave once a minute. A longer silence would
/// never occur, and a dead connection would never be noticed.
pub const KEEP_ALIVE_SECONDS_MAX: u64 = 45;

/// A connection of the client in use; see the module.
pub(super) struct Rumqtt {
    client: AsyncClient,
    occurrences: mpsc::Receiver<Occurrence>,
    tell: mpsc::Sender<Occurrence>,
    _driver: AbortOnDrop,
}

impl Client for Rumqtt {
    async fn connect(
        settings: &Settings,
        client_id: &str,
        will: Option<Message>,
    ) -> Result<Self, PublishError> {
        let options = options(settings, client_id, will)?;
        let (client, mut eventloop) = AsyncClient::builder(options).capacity(usize::from(ROOM)).build();
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(NETWORK_TIMEOUT.as_secs());
        eventloop.set_network_options(network);
        // The first event is the broker's CONNACK.
        eventloop.poll().await.map_err(|error| {
            let is_no_mqtt = matches!(
                error,
                ConnectionError::MqttState(StateError::Deserialization(_) | StateError::ConnectionAborted)
            );
            match error {
                ConnectionError::ConnectionRefused(_) => diagnose(&error, settings, client_id),
                _ => PublishError::before_the_welcome(&error, is_no_mqtt, settings),
            }
        })?;
        let (tell, occurrences) = mpsc::channel(usize::from(ROOM));
        let driver = tokio::spawn(drive(eventloop, tell.clone(), settings.clone(), client_id.to_owned()));
        Ok(Self { client, occurrences, tell, _driver: AbortOnDrop(driver.abort_handle()) })
    }

    fn subscribe(&mut self, topic: &str) {
        // Fails only when the connection has ended, which is reported by an event.
        let _ = self.client.try_subscribe(topic, QoS::AtLeastOnce);
    }

    fn unsubscribe(&mut self, topic: &str) {
        let _ = self.client.try_unsubscribe(topic);
    }

    fn publish(&mut self, message: Message, token: Option<Token>) -> bool {
        let Message { topic, payload, retain } = message;
        let Some(token) = token else {
            let once = PublishOptions::at_most_once().retain(retain);
            return self.client.try_publish(topic, payload, once).is_ok();
        };
        let options = PublishOptions::at_least_once().retain(retain);
        let Ok(notice) = self.client.try_publish_tracked(topic, payload, options) else { return false };
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let outcome = match notice.wait_completion_async().await {
                Ok(()) => Occurrence::Acknowledged(token),
                Err(_) => Occurrence::Dropped(token),
            };
            // An error: the receiver is gone, and the connection is over.
            let _ = tell.send(outcome).await;
        });
        true
    }

    async fn next(&mut self) -> Occurrence {
        self.occurrences.recv().await.expect("this side holds a sender, too")
    }

    fn disconnect(&mut self) {
        let _ = self.client.try_disconnect();
    }
}

fn options(settings: &Settings, client_id: &str, will: Option<Message>) -> Result<MqttOptions, PublishError> {
    let bare = settings.host.trim_start_matches('[').trim_end_matches(']');
    let broker = Broker::tcp(bare, settings.port);
    let mut options = MqttOptions::new(client_id, broker);
    let keep_alive = settings.keep_alive.as_secs().clamp(1, KEEP_ALIVE_SECONDS_MAX);
    options
        .set_clean_session(true)
        .set_keep_alive(u16::try_from(keep_alive).expect("clamped"))
        .set_max_packet_size(INCOMING_BYTES_MAX, PACKET_BYTES_MAX)
        .set_inflight(ROOM);
    if let Some(will) = will {
        options.set_last_will(LastWill::new(will.topic, will.payload, QoS::AtLeastOnce, will.retain));
    }
    if let Some(credentials) = &settings.credentials {
        options.set_credentials(&credentials.user, credentials.password.reveal().to_owned());
    }
    if let Some(tls) = &settings.tls {
        if let Some(own) = &tls.identity {
            security::check_name(&own.cert_file, &settings.box_id)?;
        }
        let config = TlsConfiguration::Rustls(security::client_config(tls)?);
        options.set_transport(Transport::tls_with_config(config));
    }
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        // The client would resolve `::1:8883`; the certificate is checked against the bare address.
        let address = format!("[{address}]:{}", settings.port);
        options.set_socket_connector(move |_, network| default_socket_connect(address.clone(), network));
    }
    Ok(options)
}

/// Polls the connection until it ends.
async fn drive(
    mut eventloop: EventLoop,
    tell: mpsc::Sender<Occurrence>,
    settings: Settings,
    client_id: String,
) {
    loop {
        let occurrence = match eventloop.poll().await {
            Ok(Event::Incoming(Incoming::Publish(message))) if message.payload.len() > ARRIVED_BYTES_MAX => {
                Occurrence::TooLarge { bytes: message.payload.len() }
            }
            Ok(Event::Incoming(Incoming::Publish(message))) => {
                let topic = String::from_utf8_lossy(&message.topic).into_owned();
                Occurrence::Arrived { topic, payload: message.payload.to_vec(), is_retained: message.retain }
            }
            Ok(Event::Incoming(Incoming::SubAck(answer))) => {
                let is_granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                Occurrence::Subscribed(answer.return_codes.iter().all(is_granted))
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => {
                Occurrence::Ended(diagnose(&ConnectionError::RequestsDone, &settings, &client_id))
            }
            Ok(_) => continue,
            Err(error) => Occurrence::Ended(diagnose(&error, &settings, &client_id)),
        };
        let is_over = matches!(occurrence, Occurrence::Ended(_));
        if is_over {
            // Acknowledgements until now are reported first.
            drop(eventloop);
            tokio::task::yield_now().await;
            let _ = tell.send(occurrence).await;
            return;
        }
        if tell.send(occurrence).await.is_err() {
            return;
        }
    }
}

/// The error that ended a connection.
fn diagnose(error: &ConnectionError, settings: &Settings, client_id: &str) -> PublishError {
    let code = match error {
        ConnectionError::ConnectionRefused(code) => code,
        ConnectionError::MqttState(StateError::Deserialization(MqttError::PayloadSizeLimitExceeded(
            bytes,
        ))) => return PublishError::TooLarge { bytes: *bytes },
        // The end of the stream, where TCP or TLS closed it in an orderly way.
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            return PublishError::Closed { broker: settings.address(), reason: chain(error) };
        }
        _ => return PublishError::diagnose(error, settings),
    };
    let refusal = match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => Refusal::Credentials,
        ConnectReturnCode::BadClientId => Refusal::ClientId,
        other => Refusal::Other(format!("{other:?}")),
    };
    PublishError::refused(refusal, settings, client_id)
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
