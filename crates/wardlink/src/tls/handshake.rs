//! Errors of a connection over TLS, with their remedies: box and post report them in the same words.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

use base::fault::{ErrorKind, chain};
use base::time::ClockState;

/// The side that connects to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// A roadside box.
    Box,
    /// The ward post.
    Post,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Box => "box",
            Self::Post => "post",
        })
    }
}

/// A connection that was tried.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The connecting side.
    pub party: Party,
    /// Host and port, for a person.
    pub broker: &'a str,
    /// File of the authority that it trusts; `None` where it was tried without TLS.
    pub ca_file: Option<&'a Path>,
}

/// Failures of a connection before the broker's welcome, mostly because of certificates or TLS itself.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The broker's certificate is not trusted.
    #[error("the certificate of the broker {broker} is not trusted: {reason}; {remedy}")]
    BrokerCertificate {
        /// Host and port.
        broker: String,
        /// Reason.
        reason: String,
        /// Remedy.
        remedy: String,
    },
    /// By this machine's clock, the broker's certificate is not valid now.
    #[error(
        "the certificate of the broker {broker} {what}, and {}; {}", says(*party, *clock, now),
        remedy_of_time(*party, *clock, *is_over)
    )]
    OutOfTime {
        /// Owner of the clock.
        party: Party,
        /// Host and port.
        broker: String,
        /// Start of its validity, or its end if that has passed.
        what: String,
        /// True if the end has passed.
        is_over: bool,
        /// Time by the clock.
        now: String,
        /// Trust in the clock.
        clock: ClockState,
    },
    /// The broker wants a certificate of this party, or another one.
    #[error("the broker {broker} refuses this {party}'s certificate ({reason}); {remedy}")]
    OwnCertificate {
        /// Owner of the certificate.
        party: Party,
        /// Host and port.
        broker: String,
        /// Reason.
        reason: String,
        /// Remedy.
        remedy: &'static str,
    },
    /// The peer does not speak TLS.
    #[error("{broker} does not answer in TLS; check the port in broker.url (mqtts: usually 8883)")]
    NotTls {
        /// Host and port.
        broker: String,
    },
    /// The peer speaks an older version of TLS, or no cipher that is in use.
    #[error(
        "the broker {broker} and this {party} have no version of TLS in common ({reason}): it takes TLS 1.2 or 1.3; let the \
         broker's listener admit TLS 1.2 (Mosquitto: tls_version tlsv1.2), or update the broker"
    )]
    OldTls {
        /// The connecting side.
        party: Party,
        /// Host and port.
        broker: String,
        /// Reason.
        reason: String,
    },
    /// The broker does not speak MQTT 3.1.1.
    #[error(
        "the broker {broker} does not speak MQTT 3.1.1 (CONNACK {code}), which this {party} needs: let it admit 3.1.1 beside \
         other versions, or give in broker.url a listener that does"
    )]
    Version {
        /// The connecting side.
        party: Party,
        /// Host and port.
        broker: String,
        /// Code of its answer.
        code: u8,
    },
    /// The broker serves nobody for now.
    #[error(
        "the broker {broker} calls itself unavailable or full (CONNACK {code}): it is tried again; if that goes on, its log \
         says why (it starts, its database is away, or its limit of connections is reached)"
    )]
    Unavailable {
        /// Host and port.
        broker: String,
        /// Code of its answer.
        code: u8,
    },
    /// The broker refuses the connection with a code that is not MQTT's.
    #[error(
        "the broker {broker} refuses the connection with CONNACK {code}, a code that MQTT 3.1.1 does not know: its log says \
         why; a gateway or a plugin of the broker may send it"
    )]
    UnknownCode {
        /// Host and port.
        broker: String,
        /// Code of its answer.
        code: u8,
    },
    /// The peer closes the connection during the TLS handshake.
    #[error(
        "{broker} hangs up before it answers in TLS; if that goes on, check the port in broker.url (mqtts: usually 8883) \
         and that the broker speaks TLS there"
    )]
    SilentInTls {
        /// Host and port.
        broker: String,
    },
    /// The peer wants TLS, most likely.
    #[error(
        "{broker} does not like a connection without TLS; if that port wants TLS, write mqtts:// in broker.url and add \
         broker.ca_file ({reason})"
    )]
    NotPlain {
        /// Host and port.
        broker: String,
        /// Error that ended the connection.
        reason: String,
    },
    /// The connection ends between the TLS handshake and the broker's welcome (CONNACK).
    #[error(
        "the broker {broker} hangs up before it welcomes the {party} ({reason}); if that goes on, its log says why: it may \
         refuse the {party}'s certificate (broker.cert_file) without a word"
    )]
    Unwelcome {
        /// The refused side.
        party: Party,
        /// Host and port.
        broker: String,
        /// Error that ended the connection.
        reason: String,
    },
}

impl HandshakeError {
    /// The fault of certificates or TLS that ended a connection; `None` where it is neither.
    pub fn of(error: &(dyn Error + 'static), attempt: &Attempt<'_>) -> Option<Self> {
        let (broker, party) = (attempt.broker.to_owned(), attempt.party);
        match tls_cause(error)? {
            rustls::Error::InvalidCertificate(reason) => Some(broker_certificate(reason, attempt)),
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Some(Self::OldTls { party, broker, reason: chain(error) }),
            rustls::Error::AlertReceived(alert) if is_about_our_certificate(*alert) => {
                let (reason, remedy) = (format!("{alert:?}"), remedy_of_own(party, *alert));
                Some(Self::OwnCertificate { party, broker, reason, remedy })
            }
            rustls::Error::InvalidMessage(_) => Some(Self::NotTls { broker }),
            _ => None,
        }
    }

    /// The same for a connection that ended before the broker's welcome. A peer that hangs up then, or answers in
    /// another protocol than MQTT, rejects TLS, its absence or the certificate.
    pub fn before_connack(
        error: &(dyn Error + 'static),
        is_no_mqtt: bool,
        attempt: &Attempt<'_>,
    ) -> Option<Self> {
        if let Some(known) = Self::of(error, attempt) {
            return Some(known);
        }
        let (broker, party) = (attempt.broker.to_owned(), attempt.party);
        if attempt.ca_file.is_some() && is_end_of_handshake(error) {
            return Some(Self::SilentInTls { broker });
        }
        if !is_no_mqtt && !has_hung_up(error) {
            return None;
        }
        let reason = chain(error);
        Some(match attempt.ca_file {
            Some(_) => Self::Unwelcome { party, broker, reason },
            None => Self::NotPlain { broker, reason },
        })
    }

    /// The same error with the state of this machine's clock.
    pub fn seen_at(self, clock: ClockState) -> Self {
        match self {
            Self::OutOfTime { party, broker, what, is_over, now, .. } => {
                Self::OutOfTime { party, broker, what, is_over, now, clock }
            }
            other => other,
        }
    }

    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BrokerCertificate { .. }
            | Self::OwnCertificate { .. }
            | Self::NotTls { .. }
            | Self::OldTls { .. }
            | Self::Version { .. } => ErrorKind::Config,
            // A machine without a clock battery starts in the past; its clock comes right by itself.
            Self::OutOfTime { clock: ClockState::Holdover | ClockState::Unsynced, .. } => {
                ErrorKind::Transient
            }
            Self::OutOfTime { clock: ClockState::Synced, .. } => ErrorKind::Config,
            // A broker that is just being restarted does this too.
            Self::SilentInTls { .. }
            | Self::NotPlain { .. }
            | Self::Unwelcome { .. }
            | Self::Unavailable { .. }
            | Self::UnknownCode { .. } => ErrorKind::Transient,
        }
    }
}

fn broker_certificate(reason: &CertificateError, attempt: &Attempt<'_>) -> HandshakeError {
    let (party, broker) = (attempt.party, attempt.broker.to_owned());
    let out_of_time = |what: String, is_over, time: UnixTime| {
        let (now, clock) = (shown(time), ClockState::Synced);
        HandshakeError::OutOfTime { party, broker: broker.clone(), what, is_over, now, clock }
    };
    let remedy = match reason {
        CertificateError::NotValidYetContext { time, not_before } => {
            return out_of_time(format!("is valid from {} on", shown(*not_before)), false, *time);
        }
        CertificateError::ExpiredContext { time, not_after } => {
            return out_of_time(format!("was valid until {}", shown(*not_after)), true, *time);
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "write in broker.url a name that the certificate has, or give the broker another one".to_owned()
        }
        _ => {
            let file = attempt.ca_file.map_or_else(String::new, |file| file.display().to_string());
            format!("broker.ca_file ({file}) must hold the authority that signed it")
        }
    };
    HandshakeError::BrokerCertificate { broker, reason: reason.to_string(), remedy }
}

/// A time of a certificate, for a person.
fn shown(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "the end of time".to_owned(), |time| time.to_string())
}

fn says(party: Party, clock: ClockState, now: &str) -> String {
    match clock {
        ClockState::Synced => format!("it is {now}"),
        ClockState::Holdover => {
            format!("this {party}'s clock, which no time server corrects any more, says {now}")
        }
        ClockState::Unsynced => {
            format!("this {party}'s clock, which nothing has set since it started, says {now}")
        }
    }
}

fn remedy_of_time(party: Party, clock: ClockState, is_over: bool) -> String {
    match (clock, is_over) {
        (ClockState::Synced, true) => "renew it on the broker".to_owned(),
        (ClockState::Synced, false) => "give the broker a certificate that is valid already".to_owned(),
        _ => format!(
            "let the {party} reach a time server (NTP): it connects by itself once its clock is right"
        ),
    }
}

fn remedy_of_own(party: Party, alert: AlertDescription) -> &'static str {
    match (alert, party) {
        (AlertDescription::CertificateRevoked, Party::Box) => {
            "its authority has revoked it: make a new key and request with `wardwatch keygen --force`, have it signed, \
             and put the certificate at broker.cert_file"
        }
        (AlertDescription::CertificateRevoked, Party::Post) => {
            "its authority has revoked it: make a new key and certificate for the post, and name them in broker.key_file \
             and broker.cert_file"
        }
        (AlertDescription::CertificateExpired, Party::Box) => {
            "have the request of `wardwatch keygen` signed again, and put the new certificate at broker.cert_file"
        }
        (AlertDescription::CertificateExpired, Party::Post) => {
            "have the post's request signed again, and put the new certificate at broker.cert_file"
        }
        (AlertDescription::CertificateRequired | AlertDescription::NoCertificate, Party::Box) => {
            "name the box's own in broker.cert_file and broker.key_file; `wardwatch keygen` begins that"
        }
        (AlertDescription::CertificateRequired | AlertDescription::NoCertificate, Party::Post) => {
            "name the post's own in broker.cert_file and broker.key_file"
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

/// True if the other side closed the connection without giving a reason.
pub fn has_hung_up(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};

    let kinds = [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof];
    below(error)
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(|error| kinds.contains(&error.kind())))
}

/// True if it did so during the TLS handshake. tokio-rustls reports this only as text.
fn is_end_of_handshake(error: &(dyn Error + 'static)) -> bool {
    below(error).any(|error| error.to_string() == "tls handshake eof")
}

/// An error and its causes.
fn below<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

/// The cause of an error. An I/O error carries one without naming it as its source.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    carried.map(|carried| carried as &(dyn Error + 'static)).or_else(|| error.source())
}

/// The first TLS error among an error and its causes.
fn tls_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    below(error).find_map(|error| error.downcast_ref::<rustls::Error>())
}
