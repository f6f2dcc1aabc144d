//! The client of one camera: DESCRIBE, SETUP and PLAY of its video, then raw packets until the end.
//!
//! Blocking, on one thread and one connection. Sound is never asked for: the people on the street have not agreed to be listened
//! to. Whoever has a client ends it by [`Client::end`], which tells the camera.

use std::net::TcpStream;
use std::time::Duration;

use super::super::settings::{KeepAliveBy, RtspSource, Transport as Wanted};
use super::super::state::ClientCounts;
use super::super::units::Media;
use super::super::units::{Packet, PacketKind, Transport};
use super::authentication::Login;
use super::connection::{Came, Connection};
use super::dialogue::Dialogue;
use super::error::RtspError;
use super::interleaved::{Expected, Piece, kind_of};
use super::keep_alive::KeepAlive;
use super::message::{self, Message, Start};
use super::sdp::{self, Description, Unusable};
use super::transport::{self, Agreed};
use super::udp::Ports;
use super::url::{self, Url};
use base::clock;
use base::time::Monotonic;

/// Most redirections that are followed.
const REDIRECTIONS_MAX: u32 = 5;
/// Most that is read from a camera in one go, so that a flood leaves time for everything else.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Time without a packet after which a stream that the camera calls ended is believed to have ended.
const GOODBYE: Duration = Duration::from_secs(1);

/// A stream that plays.
#[derive(Debug)]
pub(crate) struct Client {
    dialogue: Dialogue,
    /// Address of the whole stream.
    stream_url: Url,
    media: Media,
    way: Way,
    keep_alive: KeepAlive,
    has_media: bool,
    /// Time at which the camera called the stream ended; no packet has come since.
    bye_at: Option<Monotonic>,
    is_control_lost: bool,
    foreign_packets: u64,
    note: Option<&'static str>,
}

/// The way that packets come.
#[derive(Debug)]
enum Way {
    Interleaved { rtp: u8, rtcp: u8 },
    Datagrams(Box<Ports>),
}

/// A request to a camera, and its address.
struct Target<'a> {
    url: Url,
    source: &'a RtspSource,
}

impl Client {
    /// Opens the stream and lets it play. `connection` is used where one is open already.
    ///
    /// # Errors
    /// The camera cannot be reached, refuses, or is not understood. It has been told of the end by then.
    pub(crate) fn open(
        source: &RtspSource,
        keep_alive: KeepAliveBy,
        connection: Option<TcpStream>,
    ) -> Result<Self, RtspError> {
        let not_an_address = || RtspError::Address { url: source.url.clone() };
        let home = Url::parse(&source.url).ok_or_else(not_an_address)?;
        let mut target = Target { url: home.clone(), source };
        let mut dialogue = target.dialogue(connection.map(Connection::adopt).transpose()?, &home)?;
        for _ in 0..=REDIRECTIONS_MAX {
            let mut opening = Opening::new(dialogue, &target);
            match opening.play() {
                Ok((media, way)) => return Ok(opening.into_client(media, way, keep_alive)),
                Err(RtspError::Moved { to }) if to.is_secure() => {
                    opening.give_up();
                    let what = format!("the camera's redirection to {to}");
                    return Err(RtspError::NotUnderstood { what });
                }
                Err(RtspError::Moved { to }) => {
                    let is_same_place = to.host_and_port() == target.url.host_and_port();
                    target.url = to;
                    dialogue = if is_same_place && opening.dialogue.session.is_none() {
                        opening.dialogue
                    } else {
                        opening.give_up();
                        target.dialogue(None, &home)?
                    };
                }
                Err(error) => {
                    opening.give_up();
                    return Err(error);
                }
            }
        }
        dialogue.connection.close();
        Err(RtspError::Redirected)
    }

    pub(crate) fn media(&self) -> &Media {
        &self.media
    }

    pub(crate) fn is_udp(&self) -> bool {
        matches!(self.way, Way::Datagrams(_))
    }

    /// Something about this camera that a person should know once.
    pub(crate) fn note(&self) -> Option<&'static str> {
        self.note
    }

    pub(crate) fn counts(&self) -> ClientCounts {
        ClientCounts {
            skipped_bytes: self.dialogue.connection.framer.skipped_bytes(),
            foreign_packets: self.foreign_packets,
            odd_replies: self.dialogue.odd_replies,
        }
    }

    /// Waits up to `patience` for packets and appends them. Returns the bytes that came. Keeps the session alive.
    ///
    /// # Errors
    /// The connection has ended or broken, or the camera has ended the stream.
    pub(crate) fn read(&mut self, packets: &mut Vec<Packet>, patience: Duration) -> Result<usize, RtspError> {
        let (now, before) = (clock::monotonic(), packets.len());
        self.keep_alive(now);
        for (channel, data) in std::mem::take(&mut self.dialogue.early) {
            self.take(channel, data, now, packets);
        }
        let ports = match &mut self.way {
            Way::Datagrams(ports) => {
                ports.report(now);
                Some(&**ports)
            }
            Way::Interleaved { .. } => None,
        };
        self.dialogue.connection.wait_for_any(ports, patience);
        let now = clock::monotonic();
        let mut bytes = self.read_connection(now, packets)?;
        if let Way::Datagrams(ports) = &mut self.way {
            let (taken, foreign) = ports.receive(now, &self.media, packets);
            bytes += taken;
            self.foreign_packets += foreign;
        }
        for packet in packets.iter().skip(before) {
            self.bye_at = match packet.kind {
                PacketKind::Rtp => None,
                PacketKind::Rtcp if is_bye(&packet.data) => Some(now),
                PacketKind::Rtcp => self.bye_at,
            };
        }
        if self.bye_at.is_some_and(|at| now.since(at) >= GOODBYE) {
            return Err(RtspError::Bye);
        }
        Ok(bytes)
    }

    fn read_connection(&mut self, now: Monotonic, packets: &mut Vec<Packet>) -> Result<usize, RtspError> {
        let during = || "while it played".to_owned();
        let mut bytes = 0;
        while bytes < BATCH_BYTES_MAX {
            let before = packets.len();
            let came = self.dialogue.connection.read_now();
            while let Some(piece) = self.dialogue.connection.framer.next_piece() {
                match piece {
                    Piece::Frame { channel, data } => self.take(channel, data, now, packets),
                    Piece::Message(message) => self.answered(&message),
                }
            }
            match came {
                Ok(Came::Bytes(read)) => bytes += read,
                Ok(Came::Nothing) => break,
                // Packets that came by other ports may go on without the connection.
                Ok(Came::End) if self.is_udp() => {
                    self.is_control_lost = true;
                    break;
                }
                // Data from before the end is taken first.
                Ok(Came::End) if bytes > 0 || packets.len() > before => break,
                came => {
                    if let Some(method) = self.keep_alive.suspect(now) {
                        return Err(RtspError::KeepAlive { method });
                    }
                    return Err(match came {
                        Err(source) => RtspError::Broken { during: during(), source },
                        Ok(_) => RtspError::Closed { during: during() },
                    });
                }
            }
        }
        Ok(bytes)
    }

    /// Appends a packet of the connection, where it belongs to this stream.
    fn take(&mut self, channel: u8, data: Vec<u8>, arrival: Monotonic, packets: &mut Vec<Packet>) {
        let kind = kind_of(&data);
        let Way::Interleaved { rtp, rtcp } = &mut self.way else {
            self.foreign_packets += 1;
            return;
        };
        let is_agreed = channel == *rtp || channel == *rtcp;
        let is_video = match (data.get(1), self.media.payload_type) {
            (Some(second), Some(payload_type)) => second & 0x7f == payload_type,
            (second, None) => second.is_some(),
            _ => false,
        };
        match kind {
            Some(kind) if is_agreed => {
                self.has_media |= kind == PacketKind::Rtp;
                packets.push(Packet { kind, arrival, data, transport: Transport::Tcp });
            }
            // It says one channel and uses another, from the first packet on.
            Some(PacketKind::Rtp) if !self.has_media && is_video => {
                (*rtp, *rtcp) = (channel, channel.wrapping_add(1));
                let expected = Expected {
                    channels: vec![channel, channel.wrapping_add(1)],
                    payload_type: self.media.payload_type,
                };
                self.dialogue.connection.framer.expect(expected);
                self.dialogue.odd_replies += 1;
                self.has_media = true;
                packets.push(Packet { kind: PacketKind::Rtp, arrival, data, transport: Transport::Tcp });
            }
            _ => self.foreign_packets += 1,
        }
    }

    fn keep_alive(&mut self, now: Monotonic) {
        if !self.is_control_lost
            && let Some(method) = self.keep_alive.due(now)
        {
            self.send_keep_alive(method);
        }
    }

    fn send_keep_alive(&mut self, method: &str) {
        // Whether the connection still stands is seen as it is read: packets may wait in it.
        let _ = self.dialogue.send(method, &self.stream_url.to_string(), &[]);
    }

    /// Takes up a message between packets: the answer to a keep-alive, or a request of the camera's.
    fn answered(&mut self, message: &Message) {
        match message.head.start {
            Start::Request { .. } => {
                // A connection that has broken says so as it is read.
                let _ = self.dialogue.connection.send(&message::answer(&message.head));
            }
            Start::Reply { status: 100..=199, .. } => {}
            Start::Reply { .. } if !self.keep_alive.is_waiting() => self.dialogue.odd_replies += 1,
            Start::Reply { .. } => {
                if self.dialogue.may_ask_again(&message.head)
                    && let Some(method) = self.keep_alive.repeat()
                {
                    self.send_keep_alive(method);
                } else {
                    self.keep_alive.answered(&message.head);
                }
            }
        }
    }

    /// Tells the camera that the session ends, and closes the connection. Takes a second at most.
    pub(crate) fn end(mut self) {
        self.dialogue.tear_down(&self.stream_url.to_string());
    }
}

impl Target<'_> {
    /// A dialogue over `connection`, or over a new one.
    fn dialogue(&self, connection: Option<Connection>, home: &Url) -> Result<Dialogue, RtspError> {
        let authority = self.url.host_and_port();
        let connection = match connection {
            Some(connection) => connection,
            None => Connection::open(&authority)?,
        };
        let mut login = Login::new(self.source.credentials.clone());
        if !self.url.host_and_port().eq_ignore_ascii_case(&home.host_and_port()) {
            login.forbid_basic();
        }
        let user = self.source.credentials.as_ref().map(|of| of.user.clone()).unwrap_or_default();
        Ok(Dialogue::new(connection, authority, login, user))
    }
}

/// The way from an open connection to a stream that plays.
struct Opening {
    dialogue: Dialogue,
    url: Url,
    stream_url: Url,
    is_udp_wanted: bool,
    note: Option<&'static str>,
}

impl Opening {
    fn new(dialogue: Dialogue, target: &Target<'_>) -> Self {
        let is_udp_wanted = target.source.transport == Wanted::Udp;
        let (url, stream_url) = (target.url.clone(), target.url.clone());
        Self { dialogue, url, stream_url, is_udp_wanted, note: None }
    }

    fn into_client(self, media: Media, way: Way, keep_alive: KeepAliveBy) -> Client {
        let timeout_seconds = self.dialogue.session.as_ref().map_or(60, |session| session.timeout_seconds);
        Client {
            keep_alive: KeepAlive::new(keep_alive, timeout_seconds, clock::monotonic()),
            dialogue: self.dialogue,
            stream_url: self.stream_url,
            media,
            way,
            has_media: false,
            bye_at: None,
            is_control_lost: false,
            foreign_packets: 0,
            note: self.note,
        }
    }

    fn give_up(mut self) {
        self.dialogue.tear_down(&self.stream_url.to_string());
    }

    fn play(&mut self) -> Result<(Media, Way), RtspError> {
        let description = self.describe()?;
        let mut way = self.setup(&description)?;
        let mut headers = vec![("Range", "npt=0.000-")];
        let mut url = self.stream_url.clone();
        for is_last in [false, false, true] {
            if let Way::Interleaved { rtp, rtcp } = way {
                let payload_type = description.media.payload_type;
                self.dialogue.connection.framer.expect(Expected { channels: vec![rtp, rtcp], payload_type });
            }
            let reply = match self.dialogue.ask("PLAY", &url.to_string(), &headers) {
                // It plays without a word.
                Err(RtspError::Unanswered { .. }) if !self.dialogue.early.is_empty() => {
                    return Ok((description.media, way));
                }
                reply => reply?,
            };
            match reply.head.status().unwrap_or(0) {
                200..=299 => {
                    self.take_new_session(&reply);
                    return Ok((description.media, way));
                }
                // The session is gone: a new one, once more.
                454 if !is_last => {
                    self.dialogue.session = None;
                    way = self.setup(&description)?;
                }
                // A stream that cannot be asked for as a whole.
                404 | 405 | 459 if !is_last && url == self.stream_url => {
                    url = self.control_urls(&description).remove(0);
                }
                // A range, or another option, that it does not know.
                400 | 406 | 451 | 456 | 457 | 501 | 551 if !is_last && !headers.is_empty() => headers.clear(),
                _ => return Err(self.refusal("PLAY", &reply)),
            }
        }
        Err(RtspError::NotUnderstood { what: "the camera's answer to PLAY".to_owned() })
    }

    /// Takes the identifier under which the camera goes on, as GStreamer's client does.
    fn take_new_session(&mut self, reply: &Message) {
        let named = reply.head.header("session").and_then(transport::parse_session);
        match (&mut self.dialogue.session, named) {
            (Some(session), Some(named)) if session.id != named.id => {
                session.id = named.id;
                self.dialogue.odd_replies += 1;
            }
            (session @ None, named) => *session = named,
            _ => {}
        }
    }

    fn describe(&mut self) -> Result<Description, RtspError> {
        let url = self.url.to_string();
        let headers = [("Accept", "application/sdp")];
        let mut reply = self.dialogue.ask("DESCRIBE", &url, &headers)?;
        if matches!(reply.head.status(), Some(400 | 405 | 455 | 500 | 501 | 551)) {
            // Some answer nothing before they have been asked what they can.
            self.dialogue.ask("OPTIONS", &url, &[])?;
            reply = self.dialogue.ask("DESCRIBE", &url, &headers)?;
        }
        if !matches!(reply.head.status(), Some(200..=299)) {
            return Err(self.refusal("DESCRIBE", &reply));
        }
        let Message { head, mut body } = reply;
        self.dialogue.rest_of_body(&mut body, |body| {
            head.content_length().is_some_and(|bytes| body.len() >= bytes) && sdp::parse(body).is_ok()
        });
        let description = sdp::parse(&body).map_err(|unusable| match unusable {
            Unusable::NotADescription => {
                RtspError::NotUnderstood { what: "the camera's description of its stream".to_owned() }
            }
            Unusable::NoVideo => RtspError::NoVideo,
            Unusable::Codec(codec) => RtspError::Codec { codec },
        })?;
        let base = head.header("content-base").filter(|base| !base.trim().is_empty());
        let base = url::base(base.or_else(|| head.header("content-location")), &self.url);
        self.stream_url = base.join(description.control.as_deref().unwrap_or_default());
        Ok(description)
    }

    /// Addresses of the video track, the most likely one first.
    fn control_urls(&self, description: &Description) -> Vec<Url> {
        let control = description.video_control.as_deref().unwrap_or_default();
        let mut urls = vec![self.stream_url.join(control)];
        if control.starts_with('/') {
            urls.push(self.url.with_path(control));
        }
        urls.push(urls[0].at(&self.url));
        urls.push(self.url.join(control));
        let mut tried: Vec<Url> = Vec::new();
        urls.retain(|url| {
            let is_new = !tried.contains(url);
            tried.push(url.clone());
            is_new
        });
        urls
    }

    fn setup(&mut self, description: &Description) -> Result<Way, RtspError> {
        let urls = self.control_urls(description);
        let mut has_changed_transport = false;
        let mut at = 0;
        loop {
            let url = urls[at].to_string();
            let mut ports = None;
            let asked = if self.is_udp_wanted {
                let bound = Ports::bind(
                    self.dialogue.connection.local,
                    self.dialogue.connection.camera,
                    clock::monotonic(),
                )?;
                let (rtp, rtcp) = bound.numbers();
                ports = Some(Box::new(bound));
                format!("RTP/AVP;unicast;client_port={rtp}-{rtcp}")
            } else {
                "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned()
            };
            let reply = self.dialogue.ask("SETUP", &url, &[("Transport", &asked)])?;
            match reply.head.status().unwrap_or(0) {
                200..=299 => {
                    let session = reply.head.header("session").and_then(transport::parse_session);
                    self.dialogue.session = session.or(self.dialogue.session.take());
                    let agreed =
                        transport::parse_transport(reply.head.header("transport"), self.is_udp_wanted);
                    match (agreed, ports) {
                        (Agreed::Interleaved { rtp, rtcp }, _) => return Ok(Way::Interleaved { rtp, rtcp }),
                        (Agreed::Datagrams { server_ports, source }, Some(mut ports)) => {
                            ports.agree(self.dialogue.connection.camera, server_ports, source.as_deref());
                            return Ok(Way::Datagrams(ports));
                        }
                        (Agreed::Datagrams { .. }, None) if !has_changed_transport => {
                            has_changed_transport = true;
                            self.change_transport();
                        }
                        (Agreed::Datagrams { .. }, None) => return Err(RtspError::NoTransport),
                    }
                }
                461 if !has_changed_transport => {
                    has_changed_transport = true;
                    self.change_transport();
                }
                461 => return Err(RtspError::NoTransport),
                400 | 404 | 451 | 454 | 460 if at + 1 < urls.len() => at += 1,
                // Other ways to say 461.
                400 | 406 | 415 | 462 | 501 if !has_changed_transport => {
                    (has_changed_transport, at) = (true, 0);
                    self.change_transport();
                }
                _ => return Err(self.refusal("SETUP", &reply)),
            }
        }
    }

    fn change_transport(&mut self) {
        self.is_udp_wanted = !self.is_udp_wanted;
        self.note = Some(if self.is_udp_wanted {
            "the camera admits only UDP for its packets: it is read by UDP; set transport = \"udp\" to save it a question"
        } else {
            "the camera does not admit UDP for its packets: it is read inside the connection; set transport = \"tcp\""
        });
    }

    /// A status that ends the opening, in words.
    fn refusal(&self, method: &str, reply: &Message) -> RtspError {
        let method = method.to_owned();
        let Start::Reply { status, ref phrase } = reply.head.start else {
            return RtspError::NotUnderstood { what: format!("the camera's answer to {method}") };
        };
        let phrase = phrase.clone();
        match status {
            300..=399 => match reply.head.header("location").map(|to| self.url.redirected(to)) {
                Some(Some(to)) => RtspError::Moved { to },
                _ => RtspError::NotUnderstood { what: format!("the camera's redirection ({status})") },
            },
            403 => RtspError::Forbidden { method, phrase },
            404 | 410 => RtspError::NotFound { url: self.url.to_string() },
            453 | 503 => RtspError::Full { status, phrase },
            _ => RtspError::Refused { method, status, phrase },
        }
    }
}

/// Returns true if one of the reports in an RTCP packet is BYE (RFC 3550, section 6.6).
fn is_bye(packet: &[u8]) -> bool {
    let mut rest = packet;
    while let [first, kind, high, low, ..] = *rest {
        if first >> 6 != 2 || kind == 203 {
            return first >> 6 == 2;
        }
        let bytes = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(bytes..).unwrap_or_default();
    }
    false
}
