//! A small HTTP client that shows what the page answers, and the log that the page writes meanwhile.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use wardpost::people::{Role, secret};

use super::post::Post;
use super::rights::asker;

/// An answer.
pub struct Answer {
    pub status: u16,
    /// Headers and body.
    pub text: String,
}

impl Answer {
    /// Value of a header; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.text.lines().take_while(|line| !line.is_empty());
        let mut headers = lines.filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// A browser without eyes.
pub struct Client {
    port: u16,
    token: String,
}

impl Client {
    /// Nobody.
    pub fn nobody(post: &Post) -> Self {
        Self { port: post.port(), token: String::new() }
    }

    /// Somebody whose cookie has this token.
    pub fn with_token(post: &Post, token: &str) -> Self {
        Self { port: post.port(), token: token.to_owned() }
    }

    /// An officer with a new account of this name, who is logged in.
    pub fn officer(post: &mut Post, name: &'static str, role: Role) -> Self {
        let token = asker(post, name, Some(role), false).token;
        Self { port: post.port(), token }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers()))
    }

    /// Posts a form with the login's token.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(fields).append_pair("token", &secret::form_token(&self.token)).finish();
        let headers = self.headers();
        self.ask(&format!("POST {path} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n{form}", form.len()))
    }

    /// Sends a text as it is, and reads until the page hangs up.
    pub fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, text }
    }

    /// The headers of every request.
    pub fn headers(&self) -> String {
        format!(
            "Host: 127.0.0.1:{}\r\nAccept: text/html\r\nConnection: close\r\nCookie: wardpost={}\r\n",
            self.port, self.token
        )
    }
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct ToLog;

impl io::Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the log of all threads from now on.
pub fn keep_log() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| ToLog).init());
}

/// The log so far.
pub fn log() -> String {
    String::from_utf8_lossy(&LOG.lock()).into_owned()
}
