//! The box's connection to its broker: a session that ends with it, and the box's own limits.

use std::time::Duration;

use super::client::{Client, Limits, Message, Options};
use super::error::PublishError;
use super::security;
use super::settings::Settings;
use crate::tls::Party;

/// Requests and events that may wait; more messages than are ever in flight.
const ROOM: usize = 64;
/// The client pings after this time without a packet of its own, and vitals leave once a minute. A longer silence would
/// never occur, and a dead connection would never be noticed.
pub const KEEP_ALIVE_MAX: Duration = Duration::from_secs(45);

const LIMITS: Limits = Limits {
    // 64 KiB at 64 kbit/s take 8 s.
    network_timeout: Duration::from_secs(30),
    requests: ROOM,
    occurrences: ROOM,
    // Read whole, to be thrown away. Larger packets would need memory that the box does not have.
    packet_bytes: 16 * 1024 * 1024,
    // An acknowledgement of the post has a few kilobytes.
    payload_bytes: 256 * 1024,
    cut_bytes: 0,
};

/// Connects as `client_id`. The broker publishes `will` if the connection breaks.
pub(super) async fn connect(
    settings: &Settings,
    client_id: &str,
    will: Option<Message>,
) -> Result<Client, PublishError> {
    if let Some(own) = settings.tls.as_ref().and_then(|tls| tls.identity.as_ref()) {
        security::check_name(&own.cert_file, &settings.box_id)?;
    }
    let options = Options {
        party: Party::Box,
        host: &settings.host,
        port: settings.port,
        tls: settings.tls.as_ref().map(security::files),
        credentials: settings.credentials.as_ref(),
        client_id,
        keep_alive: settings.keep_alive.clamp(Duration::from_secs(1), KEEP_ALIVE_MAX),
        will,
        is_persistent: false,
        limits: LIMITS,
    };
    Ok(Client::connect(options).await?)
}
