//! Reasons why a camera's stream cannot be had, each with its remedy behind the last `; `.

use super::super::wire::FailureKind;
use super::url::Url;

/// Errors of the RTSP client. None holds a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RtspError {
    #[error("the URL {url} is not understood; it must be rtsp://HOST/PATH")]
    Address { url: String },
    #[error("cannot reach {authority}: {reason}; is the camera on, and the address right?")]
    Unreachable { authority: String, reason: String },
    #[error("the connection to the camera broke {during}: {source}; is the network to it sound?")]
    Broken { during: String, source: std::io::Error },
    #[error("the camera closed the connection {during}; does it admit another viewer, and is it restarting?")]
    Closed { during: String },
    #[error(
        "the camera closes the connection over {method}, which keeps the session alive; the next session does without it"
    )]
    KeepAlive { method: &'static str },
    #[error(
        "the camera says that its stream ends (RTCP BYE); is it restarting, or are its settings being changed?"
    )]
    Bye,
    #[error("the camera has not answered {method} for {seconds} s; is it overloaded?")]
    Unanswered { method: String, seconds: u64 },
    #[error("the camera asks for a password; set user and password_file")]
    PasswordNeeded,
    #[error("the camera refuses user \"{user}\" with this password: check user and password_file")]
    PasswordRefused { user: String },
    #[error(
        "the camera took the password of \"{user}\" and then refused {method} (401); may this user see the stream, and is another viewer in the way?"
    )]
    RequestRefused { user: String, method: String },
    #[error("the camera refuses {method} (401) without saying how to log in; set its RTSP login to digest")]
    NoChallenge { method: String },
    #[error(
        "the camera asks for a login by {offered}, which is not spoken here; set its RTSP login to digest with MD5 or SHA-256"
    )]
    LoginNotSpoken { offered: String },
    #[error("the camera forbids {method} (403 {phrase}); give this user the right to see the stream")]
    Forbidden { method: String, phrase: String },
    #[error("the camera has no stream at {url}: check the path")]
    NotFound { url: String },
    #[error(
        "the camera has no room for another viewer ({status} {phrase}); close other viewers, or raise its limit"
    )]
    Full { status: u16, phrase: String },
    #[error(
        "the camera admits neither TCP nor UDP for this stream (461); is it set to multicast or to RTSP over HTTP alone?"
    )]
    NoTransport,
    #[error(
        "the camera refuses {method} with {status} {phrase}; does it give this stream to another player?"
    )]
    Refused { method: String, status: u16, phrase: String },
    #[error("the camera sends from one address to the next without end; check the path")]
    Redirected,
    #[error("the camera's stream has no video in it: check the path")]
    NoVideo,
    #[error("the camera sends {codec}, which cannot be recorded; set this stream to H.264 or H.265")]
    Codec { codec: String },
    #[error("{what} is not understood; does another player read this camera?")]
    NotUnderstood { what: String },
    #[error("no port for datagrams: {source}; close other programs that read cameras")]
    NoPort { source: std::io::Error },
    /// The camera names another address; handled by the client.
    #[error("the camera names another address: {to}; check the path")]
    Moved { to: Url },
}

impl RtspError {
    /// Kind by which the supervisor decides.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::Address { .. }
            | Self::PasswordNeeded
            | Self::PasswordRefused { .. }
            | Self::LoginNotSpoken { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::NoVideo
            | Self::Codec { .. } => FailureKind::Config,
            Self::NotUnderstood { .. } | Self::NoTransport | Self::Refused { .. } => {
                FailureKind::NotUnderstood
            }
            Self::KeepAlive { .. } => FailureKind::KeepAlive,
            Self::Bye
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Closed { .. }
            | Self::Unanswered { .. }
            | Self::RequestRefused { .. }
            | Self::NoChallenge { .. }
            | Self::Full { .. }
            | Self::Redirected
            | Self::NoPort { .. }
            | Self::Moved { .. } => FailureKind::Transient,
        }
    }
}
