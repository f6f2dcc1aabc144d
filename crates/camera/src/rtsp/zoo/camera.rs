//! The camera: a thread that answers requests by a script, and sends numbered packets once it plays.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::client::Client;
use super::super::error::RtspError;
use crate::settings::{KeepAliveBy, RtspSource, Transport};
use crate::units::{Packet, PacketKind};
use base::secret::{Credentials, Secret};

/// Longest life of a camera: a test that hangs ends with it.
const LIFE: Duration = Duration::from_secs(60);

/// One request as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub method: String,
    pub url: String,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    /// Number of the connection, from 1.
    pub connection: usize,
    /// Requests of this method so far, from 1.
    pub number: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Port numbers that SETUP asks for.
    pub fn client_ports(&self) -> Option<(u16, u16)> {
        let text = self.header("transport").split("client_port=").nth(1)?;
        let (first, second) = text.split(';').next()?.split_once('-')?;
        Some((first.parse().ok()?, second.parse().ok()?))
    }
}

/// Reply to a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Status line and headers, and a body.
    Text(String, String),
    /// These very bytes.
    Raw(Vec<u8>),
    Nothing,
    /// The connection ends behind this.
    Close(String),
}

pub(super) fn ok(headers: &str) -> Reply {
    Reply::Text(format!("200 OK\r\n{headers}"), String::new())
}

pub(super) fn status(line: &str) -> Reply {
    Reply::Text(format!("{line}\r\n"), String::new())
}

/// The description that cameras give by the book.
pub(super) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=Media\r\nt=0 0\r\na=control:*\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n";

/// By the book.
pub(super) fn by_the_book(request: &Request) -> Reply {
    match request.method.as_str() {
        "OPTIONS" => ok("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"),
        "DESCRIBE" => described(request, SDP),
        "SETUP" if request.header("transport").contains("TCP") => {
            ok("Session: 4711;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n")
        }
        "SETUP" => {
            let (rtp, rtcp) = request.client_ports().unwrap_or_default();
            ok(&format!("Session: 4711\r\nTransport: RTP/AVP;unicast;client_port={rtp}-{rtcp}\r\n"))
        }
        "PLAY" | "TEARDOWN" | "GET_PARAMETER" => ok("Session: 4711\r\n"),
        _ => status("501 Not Implemented"),
    }
}

pub(super) fn described(request: &Request, sdp: &str) -> Reply {
    let base = format!("{}/", request.url.trim_end_matches('/'));
    Reply::Text(
        format!("200 OK\r\nContent-Type: application/sdp\r\nContent-Base: {base}\r\n"),
        sdp.to_owned(),
    )
}

/// An RTP packet with this sequence number.
pub(super) fn rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 3600).to_be_bytes());
    packet.extend([0, 0, 0, 7, 0x41, 0x9a, 0x24, 0x10]);
    packet.extend([0x55; 40]);
    packet
}

/// A packet on a channel of the connection.
pub(super) fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![b'$', channel];
    frame.extend((packet.len() as u16).to_be_bytes());
    frame.extend(packet);
    frame
}

/// Bytes that carry packet number n on channel 0.
type Packets = Box<dyn Fn(u16) -> Vec<u8> + Send>;
type Answer = Box<dyn FnMut(&Request) -> Reply + Send>;

/// A camera that plays until it is dropped.
pub(super) struct Camera {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
    pub transport: Transport,
    pub keep_alive: KeepAliveBy,
    pub credentials: Option<Credentials>,
}

/// The camera's address.
const HOME: [u8; 4] = [127, 0, 0, 1];

impl Camera {
    /// A camera that answers by `answer`, and sends the packet that `send` makes of a number, one each two milliseconds.
    pub fn new(answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::sending(answer, |number| framed(0, &rtp(number)))
    }

    pub fn sending(
        answer: impl FnMut(&Request) -> Reply + Send + 'static,
        send: impl Fn(u16) -> Vec<u8> + Send + 'static,
    ) -> Self {
        Self::sending_from(HOME, answer, send)
    }

    /// The same; its datagrams come from another address.
    pub fn sending_from(
        source: [u8; 4],
        answer: impl FnMut(&Request) -> Reply + Send + 'static,
        send: impl Fn(u16) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, is_over) = (Arc::default(), Arc::<AtomicBool>::default());
        let script = Script {
            answer: Box::new(answer),
            send: Box::new(send),
            source: source.into(),
            requests: Arc::clone(&requests),
            counts: BTreeMap::new(),
        };
        let over = is_over.clone();
        std::thread::spawn(move || script.run(&listener, &over));
        let (transport, keep_alive) = (Transport::Tcp, KeepAliveBy::default());
        Self { port, requests, is_over, transport, keep_alive, credentials: None }
    }

    pub fn logging_in(mut self, user: &str, password: &str) -> Self {
        self.credentials = Some(Credentials { user: user.into(), password: Secret::new(password.into()) });
        self
    }

    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/main", self.port)
    }

    pub fn open(&self) -> Result<Client, RtspError> {
        self.open_at(&self.url())
    }

    pub fn open_at(&self, url: &str) -> Result<Client, RtspError> {
        let source = RtspSource {
            url: url.to_owned(),
            transport: self.transport,
            credentials: self.credentials.clone(),
            ca_file: None,
        };
        Client::open(&source, self.keep_alive, None)
    }

    /// Opens, and reads so many packets; they are numbered without a gap.
    pub fn plays(&self) -> Client {
        let mut client = self.open().unwrap_or_else(|error| panic!("{error}\n{:?}", self.requests()));
        let numbers = read(&mut client, 20);
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        client
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Methods asked for, in their order.
    pub fn methods(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.method).collect()
    }

    pub fn connections(&self) -> usize {
        self.requests().iter().map(|request| request.connection).max().unwrap_or(0)
    }

    /// Waits until a request of this method has come so often.
    pub fn wait_for(&self, method: &str, times: usize) {
        until(|| self.methods().iter().filter(|known| *known == method).count() >= times);
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Waits for a condition.
pub(super) fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIFE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it does not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads until so many RTP packets have come; gives their numbers.
pub(super) fn read(client: &mut Client, wanted: usize) -> Vec<u16> {
    let mut packets: Vec<Packet> = Vec::new();
    let deadline = Instant::now() + LIFE;
    let is_rtp = |packet: &&Packet| packet.kind == PacketKind::Rtp;
    while packets.iter().filter(is_rtp).count() < wanted {
        client.read(&mut packets, Duration::from_millis(100)).unwrap();
        assert!(Instant::now() < deadline, "only {} packets came", packets.len());
    }
    packets.iter().filter(is_rtp).map(|packet| u16::from_be_bytes([packet.data[2], packet.data[3]])).collect()
}

/// Reads until the client says why the stream ends.
pub(super) fn ended(client: &mut Client) -> RtspError {
    let mut packets = Vec::new();
    let deadline = Instant::now() + LIFE;
    loop {
        if let Err(error) = client.read(&mut packets, Duration::from_millis(100)) {
            return error;
        }
        assert!(Instant::now() < deadline, "it does not end");
    }
}

struct Script {
    answer: Answer,
    send: Packets,
    /// Address that datagrams come from.
    source: IpAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    counts: BTreeMap<String, usize>,
}

/// A connection that is served.
struct Served {
    stream: TcpStream,
    number: usize,
    pending: Vec<u8>,
    is_playing: bool,
    ports: Option<(UdpSocket, u16)>,
}

impl Script {
    fn run(mut self, listener: &TcpListener, is_over: &AtomicBool) {
        let deadline = Instant::now() + LIFE;
        let mut served: Vec<Served> = Vec::new();
        let (mut connections, mut sequence) = (0, 0_u16);
        while !is_over.load(Ordering::Relaxed) && Instant::now() < deadline {
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(true).unwrap();
                connections += 1;
                served.push(Served {
                    stream,
                    number: connections,
                    pending: Vec::new(),
                    is_playing: false,
                    ports: None,
                });
            }
            served.retain_mut(|connection| self.serve(connection));
            for connection in served.iter_mut().filter(|connection| connection.is_playing) {
                connection.play(&self.send, sequence);
            }
            if served.iter().any(|connection| connection.is_playing) {
                sequence = sequence.wrapping_add(1);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Answers the requests so far; `false` when the connection is over.
    fn serve(&mut self, connection: &mut Served) -> bool {
        let mut buffer = [0; 4096];
        match connection.stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) => connection.pending.extend(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        while let Some(end) = connection.pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = connection.pending.drain(..end + 4).collect();
            let request = self.request(&String::from_utf8_lossy(&head), connection.number);
            self.requests.lock().unwrap().push(request.clone());
            let reply = (self.answer)(&request);
            if !connection.answer(&request, reply, self.source) {
                return false;
            }
        }
        true
    }

    fn request(&mut self, head: &str, connection: usize) -> Request {
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, url) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let count = self.counts.entry(method.clone()).or_default();
        *count += 1;
        Request { method, url, headers, connection, number: *count }
    }
}

impl Served {
    fn answer(&mut self, request: &Request, reply: Reply, source: IpAddr) -> bool {
        let cseq = request.header("cseq");
        let is_taken = match &reply {
            Reply::Text(text, _) => text.starts_with("200"),
            Reply::Raw(_) => true,
            Reply::Nothing | Reply::Close(_) => false,
        };
        let bytes = match &reply {
            Reply::Nothing => Vec::new(),
            Reply::Raw(bytes) => bytes.clone(),
            Reply::Close(text) => format!("RTSP/1.0 {text}CSeq: {cseq}\r\n\r\n").into_bytes(),
            Reply::Text(text, body) => {
                let length = if body.is_empty() {
                    String::new()
                } else {
                    format!("Content-Length: {}\r\n", body.len())
                };
                format!("RTSP/1.0 {text}CSeq: {cseq}\r\n{length}\r\n{body}").into_bytes()
            }
        };
        if self.stream.write_all(&bytes).is_err() {
            return false;
        }
        match request.method.as_str() {
            "PLAY" if is_taken => self.is_playing = true,
            "TEARDOWN" => self.is_playing = false,
            "SETUP" if is_taken => {
                let own = || UdpSocket::bind((source, 0)).unwrap();
                self.ports = request.client_ports().map(|(rtp, _)| (own(), rtp));
            }
            _ => {}
        }
        !matches!(reply, Reply::Close(_))
    }

    fn play(&mut self, send: &Packets, sequence: u16) {
        let bytes = send(sequence);
        let result = match &self.ports {
            Some((socket, port)) => socket.send_to(&bytes[4..], ("127.0.0.1", *port)).map(drop),
            None => self.stream.write_all(&bytes),
        };
        self.is_playing &= result.is_ok();
    }
}
