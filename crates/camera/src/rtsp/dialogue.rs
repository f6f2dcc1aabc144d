//! Requests to a camera and its replies, with the login where one is asked for.
//!
//! Replies are taken also under a wrong CSeq, as long as only one request waits. Packets that come before the reply
//! to PLAY are kept for the player.

use std::time::Duration;

use super::authentication::{Login, Refusal};
use super::connection::{Came, Connection};
use super::error::RtspError;
use super::interleaved::Piece;
use super::message::{self, Head, Message, Start};
use super::transport::Session;
use base::clock;
use base::time::Monotonic;

/// Maximum time for the camera to answer one request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time for the rest of a body, and for the right reply behind a wrong one.
const REST_TIMEOUT: Duration = Duration::from_millis(700);
/// Maximum time for a body that has begun, and for the reply to PLAY once packets come.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// Packets before the reply to PLAY that are kept.
const EARLY_MAX: usize = 4096;
/// Most requests that a camera may make while one of ours waits.
const ASKED_MAX: u32 = 20;

/// The talk over one connection.
#[derive(Debug)]
pub(super) struct Dialogue {
    pub(super) connection: Connection,
    authority: String,
    pub(super) login: Login,
    pub(super) session: Option<Session>,
    cseq: u32,
    user: String,
    /// Replies and header lines that no rule covers.
    pub(super) odd_replies: u64,
    /// Packets that came before they were awaited.
    pub(super) early: Vec<(u8, Vec<u8>)>,
}

impl Dialogue {
    pub(super) fn new(connection: Connection, authority: String, login: Login, user: String) -> Self {
        let (session, early) = (None, Vec::new());
        Self { connection, authority, login, session, cseq: 0, user, odd_replies: 0, early }
    }

    /// Sends a request without waiting for its reply. Returns whether it carried a login.
    pub(super) fn send(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<bool, RtspError> {
        self.cseq += 1;
        let authorization = self.login.header(method, url);
        let mut all = headers.to_vec();
        if let Some(session) = &self.session {
            all.push(("Session", &session.id));
        }
        if let Some(authorization) = &authorization {
            all.push(("Authorization", authorization));
        }
        let text = message::request(method, url, self.cseq, &all);
        let during = || format!("as {method} was sent");
        match self.connection.send(&text) {
            Ok(()) => Ok(authorization.is_some()),
            Err(error) if is_closed(&error) => Err(RtspError::Closed { during: during() }),
            Err(source) => Err(RtspError::Broken { during: during(), source }),
        }
    }

    /// Sends a request and waits for its reply; logs in where that is asked for. Gives any reply but 1xx and 401.
    pub(super) fn ask(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Message, RtspError> {
        let mut tries = 0;
        let mut may_reconnect = false;
        loop {
            let asked = self.send(method, url, headers).and_then(|had_login| {
                self.reply(method, clock::monotonic() + ANSWER_TIMEOUT).map(|reply| (had_login, reply))
            });
            let (had_login, reply) = match asked {
                // Some cameras end the connection behind a 401, or let it end the session that came before.
                Err(RtspError::Closed { .. }) if may_reconnect && self.session.is_none() => {
                    may_reconnect = false;
                    self.connection = Connection::open(&self.authority)?;
                    continue;
                }
                asked => asked?,
            };
            if reply.head.status() != Some(401) {
                if had_login {
                    self.login.taken();
                }
                return Ok(reply);
            }
            tries += u32::from(had_login);
            self.refused(method, &reply.head, tries)?;
            may_reconnect = true;
        }
    }

    fn refused(&mut self, method: &str, reply: &Head, tries: u32) -> Result<(), RtspError> {
        let (method, user) = (method.to_owned(), self.user.clone());
        self.login.refused(reply.all("www-authenticate"), tries).map_err(|refusal| match refusal {
            Refusal::PasswordNeeded => RtspError::PasswordNeeded,
            Refusal::PasswordRefused => RtspError::PasswordRefused { user },
            Refusal::RequestRefused => RtspError::RequestRefused { user, method },
            Refusal::NoChallenge => RtspError::NoChallenge { method },
            Refusal::NotSpoken(offered) => RtspError::LoginNotSpoken { offered },
        })
    }

    /// Takes up a 401 to a request without a waiting caller. Returns whether it is worth another try.
    pub(super) fn may_ask_again(&mut self, reply: &Head) -> bool {
        reply.status() == Some(401) && self.login.refused(reply.all("www-authenticate"), 1).is_ok()
    }

    /// The reply to the last request. 1xx is passed over.
    fn reply(&mut self, method: &str, until: Monotonic) -> Result<Message, RtspError> {
        let mut odd: Option<Message> = None;
        let mut until = until;
        let mut asked = 0;
        loop {
            while let Some(piece) = self.connection.framer.next_piece() {
                match piece {
                    Piece::Frame { channel, data } => {
                        if method == "PLAY" && self.early.is_empty() {
                            until = until.min(clock::monotonic() + BODY_TIMEOUT);
                        }
                        if self.early.len() < EARLY_MAX {
                            self.early.push((channel, data));
                        }
                    }
                    Piece::Message(message) => match message.head.start {
                        Start::Request { .. } if asked < ASKED_MAX => {
                            asked += 1;
                            // A connection that broke meanwhile says so where its reply is awaited.
                            let _ = self.connection.send(&message::answer(&message.head));
                        }
                        Start::Request { .. } | Start::Reply { status: 100..=199, .. } => {}
                        Start::Reply { .. } => {
                            self.odd_replies += u64::from(message.head.odd_lines);
                            if message.head.cseq() == Some(self.cseq) {
                                return Ok(message);
                            }
                            self.odd_replies += 1;
                            let is_older = message.head.cseq().is_some_and(|cseq| cseq < self.cseq);
                            if !is_older {
                                return Ok(message);
                            }
                            // The reply before, once more, or this one under its number: a second one decides.
                            until = until.min(clock::monotonic() + REST_TIMEOUT);
                            odd = Some(message);
                        }
                    },
                }
            }
            let during = || format!("instead of answering {method}");
            if self.connection.framer.is_in_body() {
                until = until.min(clock::monotonic() + BODY_TIMEOUT);
            }
            // Packets may go on coming for ever.
            let is_late = clock::monotonic() >= until;
            let came = if is_late { Ok(Came::Nothing) } else { self.connection.receive(until) };
            match came {
                Ok(Came::Bytes(_)) => continue,
                Err(error) if is_closed(&error) => return Err(RtspError::Closed { during: during() }),
                Err(source) => return Err(RtspError::Broken { during: during(), source }),
                Ok(Came::Nothing | Came::End) => {}
            }
            // A body that never comes whole may be enough.
            let other = odd.take().or_else(|| self.connection.framer.unfinished_message());
            if let Some(message) = other {
                self.odd_replies += 1;
                return Ok(message);
            }
            return Err(if matches!(came, Ok(Came::End)) {
                RtspError::Closed { during: during() }
            } else {
                RtspError::Unanswered { method: method.to_owned(), seconds: ANSWER_TIMEOUT.as_secs() }
            });
        }
    }

    /// Data behind a message that is its body all the same: cameras announce it too short, or not at all. `is_whole`
    /// says whether there is enough.
    pub(super) fn rest_of_body(&mut self, body: &mut Vec<u8>, is_whole: impl Fn(&[u8]) -> bool) {
        let until = clock::monotonic() + REST_TIMEOUT;
        loop {
            let rest = self.connection.framer.trailing_text();
            if !rest.is_empty() {
                body.extend(rest);
                body.truncate(message::BODY_BYTES_MAX);
                self.odd_replies += 1;
            }
            if is_whole(body) || !matches!(self.connection.receive(until), Ok(Came::Bytes(_))) {
                return;
            }
        }
    }

    /// Ends the session at the camera, which may have half a second to say that it heard. Then closes.
    pub(super) fn tear_down(&mut self, url: &str) {
        if self.session.is_some() {
            for _ in 0..2 {
                let until = clock::monotonic() + REST_TIMEOUT;
                // The connection ends either way.
                if self.send("TEARDOWN", url, &[]).is_err() {
                    break;
                }
                match self.reply("TEARDOWN", until) {
                    Ok(reply) if self.may_ask_again(&reply.head) => {}
                    _ => break,
                }
            }
            self.session = None;
        }
        self.connection.close();
    }
}

fn is_closed(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset | Kind::BrokenPipe | Kind::ConnectionAborted | Kind::NotConnected
    )
}
