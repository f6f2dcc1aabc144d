//! What can go wrong on the way to the broker, and what to change about it.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError};

use super::settings::Settings;
use crate::domain::fault::{ErrorKind, chain};

/// What can go wrong on the way to the broker.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A certificate or key file does not read.
    #[error("broker.{key} {}: {reason}; give the path of {wanted}", path.display())]
    File {
        /// The key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What would be right.
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
        /// The user as it was given.
        who: String,
    },
    /// The broker refuses the client id.
    #[error("the broker {broker} refuses the client id {box_id}; check box.id and the broker's access list")]
    ClientId {
        /// Host and port.
        broker: String,
        /// The client id.
        box_id: String,
    },
    /// The broker's certificate is not trusted.
    #[error("the certificate of the broker {broker} is not trusted: {reason}; {remedy}")]
    BrokerCertificate {
        /// Host and port.
        broker: String,
        /// Why.
        reason: String,
        /// What to change.
        remedy: String,
        /// Whether it may pass by itself.
        kind: ErrorKind,
    },
    /// The broker wants a certificate of the box, or another one.
    #[error(
        "the broker {broker} refuses this box's certificate ({reason}); check broker.cert_file and \
         broker.key_file, and that the broker trusts the authority that signed it"
    )]
    BoxCertificate {
        /// Host and port.
        broker: String,
        /// Why.
        reason: String,
    },
    /// What answers does not speak TLS.
    #[error("{broker} does not answer in TLS; check the port in broker.url (mqtts: usually 8883)")]
    NotTls {
        /// Host and port.
        broker: String,
    },
    /// The link is down, or the broker is.
    #[error("the broker {broker} cannot be reached: {reason}")]
    Link {
        /// Host and port.
        broker: String,
        /// Why.
        reason: String,
    },
    /// The broker answers pings, but does not acknowledge messages.
    #[error("the broker {broker} has acknowledged nothing for {seconds} s")]
    Unacknowledged {
        /// Host and port.
        broker: String,
        /// For how long.
        seconds: u64,
    },
    /// The source of the status failed.
    #[error("the box's status cannot be told: {0}")]
    Status(String),
    /// The publisher's thread cannot be started.
    #[error("cannot start the publisher's thread: {0}")]
    Thread(io::Error),
}

/// Why a broker does not welcome the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// User, password or certificate are not right.
    Credentials,
    /// The client id is not.
    ClientId,
    /// Something else.
    Other(String),
}

impl PublishError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File { .. }
            | Self::Identity(_)
            | Self::Refused { .. }
            | Self::ClientId { .. }
            | Self::BoxCertificate { .. }
            | Self::NotTls { .. } => ErrorKind::Config,
            Self::BrokerCertificate { kind, .. } => *kind,
            Self::Link { .. } | Self::Unacknowledged { .. } => ErrorKind::Transient,
            Self::Status(_) => ErrorKind::Bug,
            Self::Thread(_) => ErrorKind::Exhausted,
        }
    }

    /// What a connection's end means.
    pub(super) fn diagnose(error: &(dyn Error + 'static), settings: &Settings) -> Self {
        let broker = settings.address();
        match tls_cause(error) {
            Some(rustls::Error::InvalidCertificate(reason)) => Self::broker_certificate(reason, settings),
            Some(rustls::Error::AlertReceived(alert)) if is_about_our_certificate(*alert) => {
                Self::BoxCertificate { broker, reason: format!("{alert:?}") }
            }
            Some(rustls::Error::InvalidMessage(_)) => Self::NotTls { broker },
            _ => Self::Link { broker, reason: chain(error) },
        }
    }

    /// What a broker's refusal means.
    pub(super) fn refused(refusal: Refusal, settings: &Settings) -> Self {
        let broker = settings.address();
        match refusal {
            Refusal::Credentials => {
                let who = match &settings.credentials {
                    Some(credentials) => format!("user \"{}\" with this password", credentials.user),
                    None => "a connection without user and password".to_owned(),
                };
                Self::Refused { broker, who }
            }
            Refusal::ClientId => Self::ClientId { broker, box_id: settings.box_id.to_string() },
            Refusal::Other(why) => Self::Link { broker, reason: format!("it refuses the connection: {why}") },
        }
    }

    fn broker_certificate(reason: &CertificateError, settings: &Settings) -> Self {
        let (kind, remedy) = match reason {
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                // A box without a clock battery starts in the past; its clock comes right by itself.
                ErrorKind::Transient,
                "the box's clock is probably wrong".to_owned(),
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                (ErrorKind::Config, "renew it on the broker, if the box's clock is right".to_owned())
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                ErrorKind::Config,
                "write in broker.url a name that the certificate has, or give the broker another one"
                    .to_owned(),
            ),
            _ => {
                let file =
                    settings.tls.as_ref().map_or_else(String::new, |tls| tls.ca_file.display().to_string());
                (ErrorKind::Config, format!("broker.ca_file ({file}) must hold the authority that signed it"))
            }
        };
        Self::BrokerCertificate { broker: settings.address(), reason: reason.to_string(), remedy, kind }
    }
}

fn is_about_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure
    )
}

/// The TLS error somewhere below; an I/O error carries it without naming it as its source.
fn tls_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = error
            .downcast_ref::<rustls::Error>()
            .or_else(|| carried.and_then(|carried| carried.downcast_ref::<rustls::Error>()));
        if found.is_some() {
            return found;
        }
        cause = error.source();
    }
    None
}
