//! What can go wrong on the way to the broker, and what to change about it.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::settings::Settings;
use crate::domain::fault::{ErrorKind, chain};
use crate::domain::time::ClockState;

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
    /// The broker does not grant the subscription to what the post acknowledges.
    #[error(
        "the broker does not let this box read {topic}: no alert will leave the outbox; check the broker's access list"
    )]
    Deaf {
        /// The topic.
        topic: String,
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
    },
    /// By the box's clock, the broker's certificate is not valid now.
    #[error("the certificate of the broker {broker} {what}, and {}; {}", says(*clock, now), remedy_of_time(*clock, *is_over))]
    OutOfTime {
        /// Host and port.
        broker: String,
        /// From when on it is valid, or until when it was.
        what: String,
        /// Whether it was.
        is_over: bool,
        /// What the box's clock says.
        now: String,
        /// How far it can be trusted.
        clock: ClockState,
    },
    /// The box's certificate is another's.
    #[error(
        "the certificate broker.cert_file {} is for \"{name}\", and this box is \"{box_id}\"; put this box's own \
         certificate there (`wardwatch keygen` makes the request for one), or mend box.id", path.display()
    )]
    OtherBox {
        /// The certificate.
        path: PathBuf,
        /// Whom it is for.
        name: String,
        /// Who the box is.
        box_id: String,
    },
    /// The broker wants a certificate of the box, or another one.
    #[error("the broker {broker} refuses this box's certificate ({reason}); {remedy}")]
    BoxCertificate {
        /// Host and port.
        broker: String,
        /// Why.
        reason: String,
        /// What to change.
        remedy: &'static str,
    },
    /// What answers does not speak TLS.
    #[error("{broker} does not answer in TLS; check the port in broker.url (mqtts: usually 8883)")]
    NotTls {
        /// Host and port.
        broker: String,
    },
    /// What is there hangs up on TLS.
    #[error(
        "{broker} hangs up before it answers in TLS; if that goes on, check the port in broker.url (mqtts: usually 8883) \
         and that the broker speaks TLS there"
    )]
    SilentInTls {
        /// Host and port.
        broker: String,
    },
    /// What answers wants TLS, most likely.
    #[error(
        "{broker} does not like a connection without TLS; if that port wants TLS, write mqtts:// in broker.url and add \
         broker.ca_file ({reason})"
    )]
    NotPlain {
        /// Host and port.
        broker: String,
        /// What happened.
        reason: String,
    },
    /// The connection ends between TLS and the broker's welcome.
    #[error(
        "the broker {broker} hangs up before it welcomes the box ({reason}); if that goes on, its log says why: it may \
         refuse the box's certificate (broker.cert_file) without a word"
    )]
    Unwelcome {
        /// Host and port.
        broker: String,
        /// What happened.
        reason: String,
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
            | Self::OtherBox { .. }
            | Self::Deaf { .. }
            | Self::BrokerCertificate { .. }
            | Self::BoxCertificate { .. }
            | Self::NotTls { .. } => ErrorKind::Config,
            // A box without a clock battery starts in the past; its clock comes right by itself.
            Self::OutOfTime { clock: ClockState::Holdover | ClockState::Unsynced, .. } => {
                ErrorKind::Transient
            }
            Self::OutOfTime { clock: ClockState::Synced, .. } => ErrorKind::Config,
            // A broker that is just being restarted does this too.
            Self::Link { .. }
            | Self::SilentInTls { .. }
            | Self::NotPlain { .. }
            | Self::Unwelcome { .. }
            | Self::Unacknowledged { .. } => ErrorKind::Transient,
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
                Self::BoxCertificate { broker, reason: format!("{alert:?}"), remedy: remedy_of_box(*alert) }
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

    /// The same of a connection that never came about: what hangs up then, or answers in no MQTT, does not like how it
    /// is spoken to.
    pub(super) fn before_the_welcome(
        self,
        error: &(dyn Error + 'static),
        is_no_mqtt: bool,
        settings: &Settings,
    ) -> Self {
        match self {
            Self::Link { broker, .. } if settings.tls.is_some() && is_end_of_handshake(error) => {
                Self::SilentInTls { broker }
            }
            Self::Link { broker, reason } if is_no_mqtt || has_hung_up(error) => match settings.tls {
                Some(_) => Self::Unwelcome { broker, reason },
                None => Self::NotPlain { broker, reason },
            },
            other => other,
        }
    }

    /// The same, knowing how far the box's clock can be trusted.
    pub(super) fn seen_at(self, clock: ClockState) -> Self {
        match self {
            Self::OutOfTime { broker, what, is_over, now, .. } => {
                Self::OutOfTime { broker, what, is_over, now, clock }
            }
            other => other,
        }
    }

    fn broker_certificate(reason: &CertificateError, settings: &Settings) -> Self {
        let broker = settings.address();
        let out_of_time = |what: String, is_over, time: UnixTime| {
            let (now, clock) = (shown(time), ClockState::Synced);
            Self::OutOfTime { broker: broker.clone(), what, is_over, now, clock }
        };
        let remedy = match reason {
            CertificateError::NotValidYetContext { time, not_before } => {
                return out_of_time(format!("is valid from {} on", shown(*not_before)), false, *time);
            }
            CertificateError::ExpiredContext { time, not_after } => {
                return out_of_time(format!("was valid until {}", shown(*not_after)), true, *time);
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "write in broker.url a name that the certificate has, or give the broker another one"
                    .to_owned()
            }
            _ => {
                let file =
                    settings.tls.as_ref().map_or_else(String::new, |tls| tls.ca_file.display().to_string());
                format!("broker.ca_file ({file}) must hold the authority that signed it")
            }
        };
        Self::BrokerCertificate { broker, reason: reason.to_string(), remedy }
    }
}

/// A time of a certificate, for a person.
fn shown(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "the end of time".to_owned(), |time| time.to_string())
}

fn says(clock: ClockState, now: &str) -> String {
    match clock {
        ClockState::Synced => format!("it is {now}"),
        ClockState::Holdover => {
            format!("this box's clock, which no time server corrects any more, says {now}")
        }
        ClockState::Unsynced => {
            format!("this box's clock, which nothing has set since it started, says {now}")
        }
    }
}

fn remedy_of_time(clock: ClockState, is_over: bool) -> &'static str {
    match (clock, is_over) {
        (ClockState::Synced, true) => "renew it on the broker",
        (ClockState::Synced, false) => "give the broker a certificate that is valid already",
        _ => "let the box reach a time server (NTP): it connects by itself once its clock is right",
    }
}

fn remedy_of_box(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRevoked => {
            "its authority has revoked it: make a new key and request with `wardwatch keygen --force`, have it signed, \
             and put the certificate at broker.cert_file"
        }
        AlertDescription::CertificateExpired => {
            "have the request of `wardwatch keygen` signed again, and put the new certificate at broker.cert_file"
        }
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "name the box's own in broker.cert_file and broker.key_file; `wardwatch keygen` begins that"
        }
        _ => {
            "check broker.cert_file and broker.key_file, and that the broker trusts the authority that signed it"
        }
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

/// Whether the other side closed the connection, and said nothing about it.
fn has_hung_up(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};

    let kinds = [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof];
    below(error)
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(|error| kinds.contains(&error.kind())))
}

/// Whether it did so before TLS stood. tokio-rustls says it in words alone.
fn is_end_of_handshake(error: &(dyn Error + 'static)) -> bool {
    below(error).any(|error| error.to_string() == "tls handshake eof")
}

/// An error and its causes.
fn below<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

/// An I/O error carries one without naming it as its source.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    carried.map(|carried| carried as &(dyn Error + 'static)).or_else(|| error.source())
}

/// The TLS error somewhere below.
fn tls_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    below(error).find_map(|error| error.downcast_ref::<rustls::Error>())
}
