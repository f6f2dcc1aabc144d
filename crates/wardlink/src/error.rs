//! Errors between the box and the broker, with their remedies.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::client::ClientError;
use crate::tls::{HandshakeError, TlsError};
use base::fault::ErrorKind;
use base::time::ClockState;

/// Time for which the box does not subscribe to the post's acknowledgements, since a message there is too large.
pub(super) const ACKS_PAUSE: Duration = Duration::from_secs(600);

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
        /// The user, as the message names it.
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
         asked for in the next {} minutes; clear it with `mosquitto_pub -r -n` on the box's topic \"ack\"", ACKS_PAUSE.as_secs() / 60
    )]
    TooLarge {
        /// Size of the packet.
        bytes: usize,
    },
    /// The broker does not grant the subscription to the post's acknowledgements.
    #[error(
        "the broker does not let this box read {topic}: no alert will leave the outbox; check the broker's access list"
    )]
    AcksRefused {
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
            | Self::AcksRefused { .. } => ErrorKind::Config,
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

    /// The same error, corrected for the trust in the box's clock.
    pub(super) fn seen_at(self, clock: ClockState) -> Self {
        match self {
            Self::Handshake(error) => Self::Handshake(error.seen_at(clock)),
            other => other,
        }
    }
}

impl From<TlsError> for PublishError {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::File { key, path, reason, wanted } => Self::File { key, path, reason, wanted },
            TlsError::Identity(error) => Self::Identity(error),
        }
    }
}

impl From<ClientError> for PublishError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Tls(error) => error.into(),
            ClientError::Handshake(error) => Self::Handshake(error),
            ClientError::Refused { broker, who } => Self::Refused { broker, who },
            ClientError::ClientId { broker, client_id } => Self::ClientId { broker, client_id },
            ClientError::TooLarge { bytes } => Self::TooLarge { bytes },
            ClientError::Closed { broker, reason } => Self::Closed { broker, reason },
            ClientError::Unreachable { broker, reason } => Self::Link { broker, reason },
        }
    }
}
