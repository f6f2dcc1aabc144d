//! Errors between the box and the broker, with their remedies.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::settings::Settings;
use crate::tls::{HandshakeError, Refusal, has_hung_up};
use base::fault::{ErrorKind, chain};
use base::time::ClockState;

/// Time for which the box does not subscribe to the post's acknowledgements, since a message there is too large.
pub(super) const DEAF: Duration = Duration::from_secs(600);

/// An error between the box and the broker.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A certificate or key file does not read.
    #[error("broker.{key} {}: {reason}; give the path of {wanted}", path.display())]
    File {
        /// The key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Reason for which the file does not read.
        reason: String,
        /// Contents that the file should have.
        wanted: &'static str,
    },
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("broker.cert_file and broker.key_file cannot be used: {0}; give a certificate and its own key")]
    Identity(rustls::Error),
    /// The broker refuses user or password.
    #[error(
        "the broker {broker} refuses {who}; check broker.user and broker.password_file against the broker's \
         password file"
    )]
    Refused {
        /// Host and port.
        broker: String,
        /// The user, as it stands in the message.
        who: String,
    },
    /// The broker refuses the client id.
    #[error(
        "the broker {broker} refuses the client id {client_id}; check box.ward, box.id and the broker's access list"
    )]
    ClientId {
        /// Host and port.
        broker: String,
        /// The client id.
        client_id: String,
    },
    /// Another client uses the same client id.
    #[error(
        "another client uses this box's client id \"{client_id}\" at the broker {broker}, which ends the older connection \
         each time: a copied card, or a box with the same box.ward and box.id; give each box a box.id and a certificate of \
         its own, or switch the copy off"
    )]
    AnotherClient {
        /// Host and port.
        broker: String,
        /// The client id.
        client_id: String,
    },
    /// Connections end early, again and again, and no other client is proved.
    #[error(
        "connections to the broker {broker} end within a minute, again and again: the link is bad, or the broker \
         restarts{also}; look at the box's modem and at the broker's log"
    )]
    Unsteady {
        /// Host and port.
        broker: String,
        /// A further cause that cannot be ruled out, or nothing.
        also: String,
    },
    /// A message is too large to be read.
    #[error(
        "a message of {bytes} bytes lies at the broker for this box, more than it reads: the post's acknowledgements are not \
         asked for in the next {} minutes; clear it with `mosquitto_pub -r -n` on the box's topic \"ack\"", DEAF.as_secs() / 60
    )]
    TooLarge {
        /// Size of the packet.
        bytes: usize,
    },
    /// The broker does not grant the subscription to the post's acknowledgements.
    #[error(
        "the broker does not let this box read {topic}: no alert will leave the outbox; check the broker's access list"
    )]
    Deaf {
        /// The topic.
        topic: String,
    },
    /// Certificates do not match, or TLS fails.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The box's certificate is another box's.
    #[error(
        "the certificate broker.cert_file {} is for \"{name}\", and this box is \"{box_id}\"; put this box's own \
         certificate there (`wardwatch keygen` makes the request for one), or mend box.id", path.display()
    )]
    OtherBox {
        /// The certificate.
        path: PathBuf,
        /// Name in the certificate.
        name: String,
        /// Id of this box.
        box_id: String,
    },
    /// The link is down, or the broker is.
    #[error("the broker {broker} cannot be reached: {reason}")]
    Link {
        /// Host and port.
        broker: String,
        /// Reason of the failure.
        reason: String,
    },
    /// The broker, or a device between, has closed the connection.
    #[error("the broker {broker} has ended the connection: {reason}")]
    Closed {
        /// Host and port.
        broker: String,
        /// Reason of the end.
        reason: String,
    },
    /// The broker answers pings, but does not acknowledge messages.
    #[error("the broker {broker} has acknowledged nothing for {seconds} s")]
    Unacknowledged {
        /// Host and port.
        broker: String,
        /// Seconds without an acknowledgement.
        seconds: u64,
    },
    /// The source of the status failed.
    #[error("the box's status cannot be told: {0}")]
    Status(String),
    /// The publisher's thread cannot be started.
    #[error("cannot start the publisher's thread: {0}")]
    Thread(io::Error),
}

impl PublishError {
    /// Kind of the error, which decides the reaction to it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File { .. }
            | Self::Identity(_)
            | Self::Refused { .. }
            | Self::ClientId { .. }
            | Self::OtherBox { .. }
            | Self::AnotherClient { .. }
            | Self::Deaf { .. } => ErrorKind::Config,
            Self::Handshake(error) => error.kind(),
            // A broker that is just being restarted fails this way too.
            Self::Link { .. }
            | Self::Closed { .. }
            | Self::Unsteady { .. }
            | Self::TooLarge { .. }
            | Self::Unacknowledged { .. } => ErrorKind::Transient,
            Self::Status(_) => ErrorKind::Bug,
            Self::Thread(_) => ErrorKind::Exhausted,
        }
    }

    /// The error that ended a connection.
    pub(super) fn diagnose(error: &(dyn Error + 'static), settings: &Settings) -> Self {
        let broker = settings.address();
        match HandshakeError::of(error, &settings.attempt(&broker)) {
            Some(error) => Self::Handshake(error),
            None if has_hung_up(error) => Self::Closed { broker, reason: chain(error) },
            None => Self::Link { broker, reason: chain(error) },
        }
    }

    /// The error for a broker's refusal by a code.
    pub(super) fn refused(code: u8, settings: &Settings, client_id: &str) -> Self {
        let broker = settings.address();
        match Refusal::of(code, &settings.attempt(&broker)) {
            Refusal::Credentials => {
                let who = match &settings.credentials {
                    Some(credentials) => format!("user \"{}\" with this password", credentials.user),
                    None => "a connection without user and password".to_owned(),
                };
                Self::Refused { broker, who }
            }
            Refusal::ClientId => Self::ClientId { broker, client_id: client_id.to_owned() },
            Refusal::Other(error) => Self::Handshake(error),
        }
    }

    /// The error for a connection that ended before the broker's CONNACK.
    pub(super) fn before_the_welcome(
        error: &(dyn Error + 'static),
        is_no_mqtt: bool,
        settings: &Settings,
    ) -> Self {
        let broker = settings.address();
        HandshakeError::before_the_welcome(error, is_no_mqtt, &settings.attempt(&broker))
            .map_or_else(|| Self::diagnose(error, settings), Self::Handshake)
    }

    /// The same error, corrected for the trust in the box's clock.
    pub(super) fn seen_at(self, clock: ClockState) -> Self {
        match self {
            Self::Handshake(error) => Self::Handshake(error.seen_at(clock)),
            other => other,
        }
    }
}
