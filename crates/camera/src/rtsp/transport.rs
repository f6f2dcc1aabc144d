//! The Transport and Session headers of a SETUP reply, as cameras write them.
//!
//! Pure. A value that a camera leaves out is as it was asked for.

use super::message::leading_number;

/// Seconds that a session lives without a request, where the camera names none (RFC 2326, section 12.37).
const TIMEOUT_SECONDS: u64 = 60;
/// Longest session identifier.
const SESSION_BYTES_MAX: usize = 1024;

/// The way of the packets, as the camera understood it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Agreed {
    /// Inside the connection, on these channels.
    Interleaved { rtp: u8, rtcp: u8 },
    /// As datagrams from these ports of the camera's; from another address, where it names one.
    Datagrams { server_ports: Option<(u16, u16)>, source: Option<String> },
}

/// Reads a Transport header; several are separated by commas. `asked_udp` is what was asked for, and what an empty
/// header means.
pub(super) fn parse_transport(header: Option<&str>, asked_udp: bool) -> Agreed {
    let offers: Vec<Offer> = header.unwrap_or_default().split(',').map(Offer::parse).collect();
    let fitting = offers.iter().find(|offer| offer.is_udp() == Some(asked_udp));
    let chosen = fitting.or_else(|| offers.iter().find(|offer| offer.is_udp().is_some()));
    match chosen {
        Some(offer) if offer.is_udp() == Some(true) => {
            Agreed::Datagrams { server_ports: offer.server_ports, source: offer.source.clone() }
        }
        None if asked_udp => Agreed::Datagrams { server_ports: None, source: None },
        offer => {
            let (rtp, rtcp) = offer.and_then(|offer| offer.channels).unwrap_or((0, 1));
            Agreed::Interleaved { rtp, rtcp }
        }
    }
}

/// One alternative of a Transport header.
#[derive(Debug, Default)]
struct Offer {
    is_tcp: bool,
    has_client_ports: bool,
    is_rtp: bool,
    channels: Option<(u8, u8)>,
    server_ports: Option<(u16, u16)>,
    source: Option<String>,
}

impl Offer {
    fn parse(text: &str) -> Self {
        let mut offer = Self::default();
        for part in text.split(';') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "interleaved" => offer.channels = pair(value),
                "server_port" => offer.server_ports = pair(value),
                "client_port" => offer.has_client_ports = true,
                "source" if !value.is_empty() => offer.source = Some(value.to_owned()),
                name if name.starts_with("rtp/") => {
                    offer.is_rtp = true;
                    offer.is_tcp = name.ends_with("/tcp");
                }
                _ => {}
            }
        }
        offer
    }

    /// True if datagrams are meant; `None` where nothing tells.
    fn is_udp(&self) -> Option<bool> {
        if self.is_tcp || self.channels.is_some() {
            return Some(false);
        }
        (self.server_ports.is_some() || self.has_client_ports || self.is_rtp).then_some(true)
    }
}

/// `a-b`, with spaces; `a` alone is followed by the next number.
fn pair<T: TryFrom<u32>>(text: &str) -> Option<(T, T)> {
    let (first, second) = text.split_once('-').unwrap_or((text, ""));
    let first: u32 = leading_number(first)?;
    let second = leading_number(second).unwrap_or(first + 1);
    Some((T::try_from(first).ok()?, T::try_from(second).ok()?))
}

/// A session's identifier, and the seconds it lives without a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub id: String,
    pub timeout_seconds: u64,
}

/// Reads a Session header; `None` where no identifier is in it.
pub(super) fn parse_session(header: &str) -> Option<Session> {
    let mut parts = header.split(';').map(str::trim);
    let id = parts.next().filter(|id| !id.is_empty() && id.len() <= SESSION_BYTES_MAX)?.to_owned();
    let timeout = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| leading_number(value)).flatten()
    });
    // No camera can mean 0.
    let timeout_seconds = timeout.filter(|seconds| *seconds > 0).unwrap_or(TIMEOUT_SECONDS);
    Some(Session { id, timeout_seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_inside_the_connection_are_read() {
        for (text, channels) in [
            ("RTP/AVP/TCP;unicast;interleaved=0-1", (0, 1)),
            ("RTP/AVP/TCP;unicast", (0, 1)),
            ("RTP/AVP/TCP;unicast;interleaved=8-9", (8, 9)),
            ("RTP/AVP/TCP;unicast;interleaved=1-2", (1, 2)),
            ("RTP/AVP/TCP;unicast;interleaved=0-0", (0, 0)),
            ("rtp/avp/tcp; Unicast; Interleaved = 4 - 5 ; ssrc= d6d6627", (4, 5)),
            ("RTP/AVP;unicast;interleaved=6", (6, 7)),
            ("RTP/AVP;unicast;client_port=1-2,RTP/AVP/TCP;interleaved=2-3", (2, 3)),
            ("RTP/AVP/TCP;interleaved=300-301", (0, 1)),
            ("", (0, 1)),
            ("unicast", (0, 1)),
        ] {
            let (rtp, rtcp) = channels;
            assert_eq!(parse_transport(Some(text), false), Agreed::Interleaved { rtp, rtcp }, "{text}");
        }
        assert_eq!(parse_transport(None, false), Agreed::Interleaved { rtp: 0, rtcp: 1 });
    }

    #[test]
    fn datagrams_are_read_also_where_they_were_not_asked_for() {
        let ports = |ports| Agreed::Datagrams { server_ports: ports, source: None };
        let text = "RTP/AVP;unicast;client_port=50000-50001;server_port=6970-6971";
        assert_eq!(parse_transport(Some(text), true), ports(Some((6970, 6971))));
        assert_eq!(parse_transport(Some(text), false), ports(Some((6970, 6971))));
        assert_eq!(
            parse_transport(Some("RTP/AVP/UDP;unicast;server_port=6970"), true),
            ports(Some((6970, 6971)))
        );
        assert_eq!(parse_transport(None, true), ports(None));
        assert_eq!(
            parse_transport(Some("RTP/AVP;unicast; source=192.0.2.9;client_port=1-2"), true),
            Agreed::Datagrams { server_ports: None, source: Some("192.0.2.9".into()) }
        );
    }

    #[test]
    fn sessions_are_read() {
        for (text, id, seconds) in [
            ("12345678", "12345678", 60),
            ("12345678;timeout=30", "12345678", 30),
            (" 12345678 ; Timeout = 30 ; x=y", "12345678", 30),
            ("12345678;foo;timeout=15;bar=1", "12345678", 15),
            ("12345678;timeout=0", "12345678", 60),
            ("12345678;timeout=abc", "12345678", 60),
            ("12345678;", "12345678", 60),
        ] {
            let wanted = Session { id: id.into(), timeout_seconds: seconds };
            assert_eq!(parse_session(text), Some(wanted), "{text}");
        }
        assert_eq!(parse_session(""), None);
        assert_eq!(parse_session(";timeout=3"), None);
    }
}
