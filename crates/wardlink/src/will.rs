//! The last will: the message that the broker publishes when the box's connection breaks.

use super::client::Message;
use super::topic::{Topics, offline, payload};
use base::status::Status;

/// The will of a connection: the box's retained status, as offline. The client leaves it with QoS 1. `connection` tells the
/// broken connection from a later one.
pub(super) fn will(topics: &Topics, status: Status, connection: u64) -> Message {
    let payload = payload(&offline(Status { connection: Some(connection), ..status }));
    Message { topic: topics.status.clone(), payload, retain: true }
}
