//! Requests and replies of RTSP (RFC 2326), written by the book and read with patience.
//!
//! Pure: bytes in, values out. Sizes are bounded; input that no rule covers is left out and counted as odd. Called by
//! [`interleaved`](super::interleaved), which finds messages between packets, and by [`client`](super::client).

/// Longest start line and headers together, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Longest body in bytes: a description of a camera has a few hundred.
pub(super) const BODY_BYTES_MAX: usize = 128 * 1024;
/// Most headers of one message.
const HEADERS_MAX: usize = 100;
/// Methods that a camera may ask for.
const METHODS: &[&str] = &[
    "OPTIONS",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "ANNOUNCE",
    "REDIRECT",
    "TEARDOWN",
    "PLAY_NOTIFY",
    "DESCRIBE",
];

/// First line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    Reply { status: u16, phrase: String },
    Request { method: String },
}

/// Start line and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub start: Start,
    headers: Vec<(String, String)>,
    /// Lines that are no header.
    pub odd_lines: u32,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub head: Head,
    pub body: Vec<u8>,
}

/// Outcome of reading a head at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The head, and its length in bytes with the blank line.
    Head(Head, usize),
    NeedsMore,
    /// No message starts here.
    Not,
}

impl Head {
    /// Value of the first header of this name.
    pub(super) fn header(&self, name: &'static str) -> Option<&str> {
        self.all(name).next()
    }

    /// Values of all headers of this name, in their order.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// Length of the body as announced; `None` where nothing readable is announced.
    pub(super) fn content_length(&self) -> Option<usize> {
        leading_number(self.header("content-length")?)
    }

    pub(super) fn cseq(&self) -> Option<u32> {
        leading_number(self.header("cseq")?)
    }

    /// Status of a reply.
    pub(super) fn status(&self) -> Option<u16> {
        match self.start {
            Start::Reply { status, .. } => Some(status),
            Start::Request { .. } => None,
        }
    }
}

/// The number at the start of a text: `60;foo` and `60 s` are 60.
pub(super) fn leading_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// True if a message starts here; `None` where more bytes must tell.
pub(super) fn starts(bytes: &[u8]) -> Option<bool> {
    let mut may = false;
    let words = METHODS.iter().map(|method| (*method, b' ')).chain([("RTSP", b'/'), ("HTTP", b'/')]);
    for (word, end) in words {
        let word = word.as_bytes();
        match bytes.get(..word.len()) {
            Some(start) if start.eq_ignore_ascii_case(word) => match bytes.get(word.len()) {
                Some(next) if *next == end => return Some(true),
                Some(_) => {}
                None => may = true,
            },
            Some(_) => {}
            None => may |= word[..bytes.len()].eq_ignore_ascii_case(bytes),
        }
    }
    if may { None } else { Some(false) }
}

/// Reads start line and headers.
///
/// Lines end with LF or CRLF. Headers may be folded, have any case, and spaces before the colon. A line that starts
/// with `$` is a packet behind a head without its blank line.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    match starts(bytes) {
        Some(true) => {}
        Some(false) => return Parsed::Not,
        None => return Parsed::NeedsMore,
    }
    let mut lines = Vec::new();
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        if at > HEAD_BYTES_MAX || lines.len() > HEADERS_MAX {
            return Parsed::Not;
        }
        if !lines.is_empty() && rest.first() == Some(&b'$') {
            break;
        }
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return if rest.len() > HEAD_BYTES_MAX { Parsed::Not } else { Parsed::NeedsMore };
        };
        at += end + 1;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        if line.is_empty() {
            break;
        }
        lines.push(String::from_utf8_lossy(line).into_owned());
    }
    let Some(start) = lines.first().and_then(|line| start_line(line)) else { return Parsed::Not };
    let (headers, odd_lines) = headers(&lines[1..]);
    Parsed::Head(Head { start, headers, odd_lines }, at)
}

fn start_line(line: &str) -> Option<Start> {
    let (first, rest) = line.split_once(char::is_whitespace)?;
    if METHODS.contains(&first) {
        return Some(Start::Request { method: first.to_owned() });
    }
    let rest = rest.trim();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let status = rest[..digits].parse().ok().filter(|status| (100..1000).contains(status))?;
    let phrase = rest[digits..].trim().chars().take(80).collect();
    Some(Start::Reply { status, phrase })
}

fn headers(lines: &[String]) -> (Vec<(String, String)>, u32) {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut odd = 0;
    for line in lines {
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = headers.last_mut()
        {
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(line.trim());
            continue;
        }
        match line.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => {
                headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            _ => odd += 1,
        }
    }
    (headers, odd)
}

/// A request as it goes out. No value may hold a line break: URLs and values of cameras come from single lines.
pub(super) fn request(method: &str, url: &str, cseq: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {url} RTSP/1.0\r\nCSeq: {cseq}\r\nUser-Agent: wardwatch\r\n");
    for (name, value) in headers {
        text.push_str(name);
        text.push_str(": ");
        text.extend(value.chars().filter(|c| !matches!(c, '\r' | '\n')));
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Answer to a request of the camera's.
pub(super) fn answer(head: &Head) -> Vec<u8> {
    let is_harmless = matches!(&head.start, Start::Request { method }
        if ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "TEARDOWN"].contains(&method.as_str()));
    let status = if is_harmless { "200 OK" } else { "501 Not Implemented" };
    format!("RTSP/1.0 {status}\r\nCSeq: {}\r\n\r\n", head.cseq().unwrap_or(0)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> (Head, usize) {
        match parse(text.as_bytes()) {
            Parsed::Head(head, bytes) => (head, bytes),
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_reply_by_the_book_is_read() {
        let text = "RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\n\r\nhello";
        let (reply, bytes) = head(text);
        assert_eq!(reply.start, Start::Reply { status: 200, phrase: "OK".into() });
        assert_eq!((reply.cseq(), reply.content_length(), bytes), (Some(3), Some(5), text.len() - 5));
    }

    #[test]
    fn replies_off_the_book_are_read() {
        for text in [
            "RTSP/1.0 200\r\ncseq:7\r\nSESSION : ab\r\n\r\n",
            "RTSP/1.0  200  OK\nCSEQ: 7\nSession: ab\n\n",
            "RTSP/2.0 200 OK\r\nCSeq: 7\r\nnonsense\r\nSession:\r\n ab\r\n\r\n",
            "RTSP/1.0 200OK\r\nCSeq : 7 \r\nSession: ab\r\n$\0\0\u{4}",
            "rtsp/1.0 200 ok\r\ncseq: 7\r\nsession: ab\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncseq: 7\r\nsession: ab\r\n\r\n",
        ] {
            let (reply, _) = head(text);
            assert_eq!(reply.status(), Some(200), "{text:?}");
            assert_eq!(reply.cseq(), Some(7), "{text:?}");
            assert_eq!(reply.header("session"), Some("ab"), "{text:?}");
        }
    }

    #[test]
    fn several_headers_of_one_name_are_all_there() {
        let (reply, _) =
            head("RTSP/1.0 401 No\r\nWWW-Authenticate: Basic a\r\nwww-authenticate: Digest b\r\n\r\n");
        assert_eq!(reply.all("WWW-Authenticate").collect::<Vec<_>>(), ["Basic a", "Digest b"]);
    }

    #[test]
    fn what_is_unfinished_waits_and_what_is_no_message_does_not() {
        for text in ["R", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n", "GET_PARA", "RTSP/1.0 2"] {
            assert_eq!(parse(text.as_bytes()), Parsed::NeedsMore, "{text:?}");
        }
        for text in ["$", "x", "RTSX", "RTSP/1.0 hello\r\n\r\n", "RTSP/1.0 99999 x\r\n\r\n"] {
            assert_eq!(parse(text.as_bytes()), Parsed::Not, "{text:?}");
        }
        let endless = format!("RTSP/1.0 200 OK\r\n{}", "a: b\r\n".repeat(100_000));
        assert_eq!(parse(endless.as_bytes()), Parsed::Not);
        assert_eq!(parse(&[b"RTSP/1.0 ", vec![b'x'; 100_000].as_slice()].concat()), Parsed::Not);
    }

    #[test]
    fn a_camera_that_asks_is_answered() {
        let (asked, _) = head("OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n");
        assert_eq!(answer(&asked), b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n");
        let (asked, _) = head("REDIRECT * RTSP/1.0\r\nCSeq: 9\r\n\r\n");
        assert_eq!(answer(&asked), b"RTSP/1.0 501 Not Implemented\r\nCSeq: 9\r\n\r\n");
    }

    #[test]
    fn no_value_can_begin_a_line_of_its_own() {
        let text = request("PLAY", "rtsp://a/b", 4, &[("Session", "x\r\nInjected: y")]);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "PLAY rtsp://a/b RTSP/1.0\r\nCSeq: 4\r\nUser-Agent: wardwatch\r\nSession: xInjected: y\r\n\r\n"
        );
    }
}
