//! What the publisher asks of an MQTT client. [`super::rumqtt`] is the one in use.
//!
//! A client is one connection: it never connects again by itself, and what it remembers of a connection that has ended
//! is asked of nobody.

use super::error::PublishError;
use super::settings::Settings;

/// Names a message between [`Client::publish`] and its [`Occurrence`].
pub(super) type Token = u64;

/// A message that leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload; never longer than [`PAYLOAD_BYTES_MAX`].
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for who comes later.
    pub retain: bool,
}

/// The longest payload that a client takes.
pub(super) const PAYLOAD_BYTES_MAX: usize = 1024 * 1024 - 1024;

/// The longest payload that is read. An acknowledgement of the post has a few kilobytes.
pub(super) const ARRIVED_BYTES_MAX: usize = 256 * 1024;

/// What happens on a connection.
#[derive(Debug)]
pub(super) enum Occurrence {
    /// The broker has this message.
    Acknowledged(Token),
    /// The client will not bring this message to an end.
    Dropped(Token),
    /// A message of a topic that was subscribed to.
    Arrived {
        /// What it says.
        payload: Vec<u8>,
        /// Whether it was there before the subscription.
        is_retained: bool,
    },
    /// A message of such a topic that is longer than [`ARRIVED_BYTES_MAX`]: it is acknowledged and thrown away.
    TooLarge {
        /// Its payload.
        bytes: usize,
    },
    /// Whether the broker grants a subscription.
    Subscribed(bool),
    /// The connection is over; nothing comes after this.
    Ended(PublishError),
}

/// One connection to a broker.
pub(super) trait Client: Sized {
    /// Connects as `client_id`, and returns once the broker welcomes; `will` is what the broker says if the connection breaks. Files of
    /// the settings are read anew. Dropped in its middle, it leaves nothing behind.
    async fn connect(
        settings: &Settings,
        client_id: &str,
        will: Option<Message>,
    ) -> Result<Self, PublishError>;

    /// Asks for the messages of a topic, QoS 1.
    fn subscribe(&mut self, topic: &str);

    /// Hands over a message, QoS 1 with a token and QoS 0 without. `false` where there is no room for it, or the
    /// connection has ended.
    fn publish(&mut self, message: Message, token: Option<Token>) -> bool;

    /// What happens next. Nothing is lost where it is not waited for to the end.
    async fn next(&mut self) -> Occurrence;

    /// Says good-bye after all that was handed over; [`Occurrence::Ended`] follows.
    fn disconnect(&mut self);
}
