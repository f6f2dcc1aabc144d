//! Test connection to the broker, for the person who sets up the box. Sends nothing but the connection itself.

use std::time::Duration;

use tokio::time::timeout;

use super::client::{Occurrence, Quality};
use super::client_id::ClientId;
use super::connect::connect;
use super::error::PublishError;
use super::security;
use super::settings::{Acknowledge, Settings};
use super::topic::Topics;
use crate::takeover::{Takeovers, Trace};
use base::clock::{Clock as _, SystemClock};
use base::time::WallTime;

/// Maximum time for an answer of the broker.
const PATIENCE: Duration = Duration::from_secs(15);
/// Time within which another client of the same id, disconnected by this one, comes back.
const UNDISTURBED: Duration = Duration::from_secs(4);

/// Connections that may end before that is the outcome.
const ENDED_MAX: u32 = 2;

/// Connects as the box, subscribes to the post's acknowledgements where they count, and disconnects; blocks for that. A daemon
/// that is connected at the same time loses its connection, and comes back.
///
/// # Errors
/// The error that the publisher would report of such a connection.
pub fn try_connection(settings: &Settings) -> Result<(), PublishError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(PublishError::Thread)?;
    let outcome = runtime.block_on(converse(settings));
    // A pending name resolution is not waited for.
    runtime.shutdown_background();
    outcome.map_err(|error| error.seen_at(SystemClock.now().clock))
}

/// End of validity of the box's own certificate; `None` where it has none, or its date cannot be read.
///
/// # Errors
/// The file does not read.
pub fn certificate_ends_at(settings: &Settings) -> Result<Option<WallTime>, PublishError> {
    let own = settings.tls.as_ref().and_then(|tls| tls.identity.as_ref());
    own.map_or(Ok(None), |own| security::ends_at(&own.cert_file))
}

/// Tries again where a connection ends: another client of this id has come back meanwhile, and left a later status.
async fn converse(settings: &Settings) -> Result<(), PublishError> {
    let mut id = ClientId::default();
    let mut takeovers = Takeovers::default();
    let mut ended = 0;
    loop {
        let (client_id, is_again) = (id.of(settings), ended > 0);
        match try_as(settings, &client_id, is_again, &mut takeovers).await {
            Err(PublishError::ClientId { .. } | PublishError::AcksRefused { .. })
                if id.is_worth_a_change() =>
            {
                id.refused();
            }
            Err(PublishError::Closed { .. }) if ended < ENDED_MAX => ended += 1,
            outcome => return outcome,
        }
    }
}

async fn try_as(
    settings: &Settings,
    client_id: &str,
    is_again: bool,
    takeovers: &mut Takeovers,
) -> Result<(), PublishError> {
    let silent = || PublishError::Unacknowledged { broker: settings.address(), seconds: PATIENCE.as_secs() };
    let connecting = timeout(PATIENCE, connect(settings, client_id, None)).await;
    let mut client = connecting.map_err(|_| silent())??;
    if settings.acknowledge == Acknowledge::Post {
        let topic = Topics::new(&settings.ward, &settings.box_id).ack;
        client.subscribe(&[(&topic, Quality::AtLeastOnce)]);
        let answer = async {
            loop {
                match client.next().await {
                    Occurrence::Subscribed(granted) if granted == [true] => return Ok(()),
                    Occurrence::Subscribed(_) => return Err(PublishError::AcksRefused { topic }),
                    Occurrence::Ended(error) => return Err(error.into()),
                    Occurrence::Arrived(..)
                    | Occurrence::Acknowledged(_)
                    | Occurrence::Dropped(_)
                    | Occurrence::Left => {}
                }
            }
        };
        timeout(PATIENCE, answer).await.map_err(|_| silent())??;
    }
    // Only then, and last, since a broker may end the connection over it.
    if is_again {
        let topic = Topics::new(&settings.ward, &settings.box_id).status;
        client.subscribe(&[(&topic, Quality::AtLeastOnce)]);
    }
    let undisturbed = async {
        loop {
            match client.next().await {
                Occurrence::Ended(error) => return error.into(),
                Occurrence::Arrived(message, _)
                    if message.is_retained
                        && Trace::of_status(&message.payload)
                            .is_some_and(|trace| takeovers.found(trace, "")) =>
                {
                    let (broker, client_id) = (settings.address(), client_id.to_owned());
                    return PublishError::AnotherClient { broker, client_id };
                }
                _ => {}
            }
        }
    };
    if let Ok(error @ (PublishError::Closed { .. } | PublishError::AnotherClient { .. })) =
        timeout(UNDISTURBED, undisturbed).await
    {
        return Err(error);
    }
    client.disconnect();
    let left = async { while !matches!(client.next().await, Occurrence::Left | Occurrence::Ended(_)) {} };
    // The broker has answered; its reaction to the DISCONNECT does not matter.
    let _ = timeout(Duration::from_secs(2), left).await;
    Ok(())
}
