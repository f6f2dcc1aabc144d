//! The interface between the publisher and an MQTT client. [`super::rumqtt`] is the implementation in use.
//!
//! A client is one connection: it never reconnects by itself. Its state of a connection that has ended is not read.

use super::error::PublishError;
use super::settings::Settings;

/// Names a message between [`Client::publish`] and its [`Occurrence`].
pub(super) type Token = u64;

/// An outgoing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload; never longer than [`PAYLOAD_BYTES_MAX`].
    pub payload: Vec<u8>,
    /// The broker retains it for later subscribers.
    pub retain: bool,
}

/// Maximum payload of an outgoing message.
pub(super) const PAYLOAD_BYTES_MAX: usize = 1024 * 1024 - 1024;

/// Maximum payload of an incoming message. An acknowledgement of the post has a few kilobytes.
pub(super) const ARRIVED_BYTES_MAX: usize = 256 * 1024;

/// An event of a connection.
#[derive(Debug)]
pub(super) enum Occurrence {
    /// The broker acknowledged this message.
    Acknowledged(Token),
    /// The client will not deliver this message.
    Dropped(Token),
    /// A message on a subscribed topic.
    Arrived {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// It was retained before the subscription.
        is_retained: bool,
    },
    /// A message on a subscribed topic that is longer than [`ARRIVED_BYTES_MAX`]. It is acknowledged and thrown away.
    TooLarge {
        /// Length of its payload.
        bytes: usize,
    },
    /// The broker's answer to a subscription, in their order: granted or not.
    Subscribed(bool),
    /// The connection has ended; nothing comes after this.
    Ended(PublishError),
}

/// One connection to a broker.
pub(super) trait Client: Sized {
    /// Connects as `client_id`, and returns once the broker accepts. The broker publishes `will` if the connection breaks. Files of
    /// the settings are read anew. Dropped before it completes, it leaves nothing behind.
    async fn connect(
        settings: &Settings,
        client_id: &str,
        will: Option<Message>,
    ) -> Result<Self, PublishError>;

    /// Subscribes to a topic, QoS 1.
    fn subscribe(&mut self, topic: &str);

    /// Ends the subscription to a topic.
    fn unsubscribe(&mut self, topic: &str);

    /// Hands over a message, QoS 1 with a token and QoS 0 without. `false` where there is no room for it, or the
    /// connection has ended.
    fn publish(&mut self, message: Message, token: Option<Token>) -> bool;

    /// Waits for the next event. No event is lost where the wait is cancelled.
    async fn next(&mut self) -> Occurrence;

    /// Sends DISCONNECT after all that was handed over; [`Occurrence::Ended`] follows.
    fn disconnect(&mut self);
}
