//! A scripted RTSP camera that sends encoded pictures, over TCP or UDP, and replies as a test wants.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Pictures per second.
pub const RATE: u32 = 15;

/// `seconds` of a test picture in one size; `options` are the encoder's.
pub struct Part {
    pub size: &'static str,
    pub seconds: u32,
    pub options: &'static str,
}

/// Parts that a camera sends again and again, one behind the other, each with parameter sets before its key frames.
#[derive(Clone)]
pub struct Film {
    codec: &'static str,
    /// NAL units without start codes.
    units: Arc<Vec<Vec<u8>>>,
    /// Digest of each decoded picture.
    pub digests: Vec<String>,
}

impl Film {
    /// Encodes the parts. `codec`: h264 or hevc. A key frame a second, no reordering.
    pub fn encode(codec: &'static str, parts: &[Part]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut units, mut digests) = (Vec::new(), Vec::new());
        for (number, part) in parts.iter().enumerate() {
            let source = format!("testsrc2=size={}:rate={RATE}:duration={}", part.size, part.seconds);
            let (encoder, named) =
                if codec == "h264" { ("libx264", "-x264-params") } else { ("libx265", "-x265-params") };
            let quiet = if codec == "h264" { "" } else { "log-level=none:" };
            let parameters =
                format!("{quiet}keyint={RATE}:min-keyint={RATE}:scenecut=0:bframes=0:aud=1:repeat-headers=1");
            let path = folder.path().join(format!("{number}.{codec}"));
            // Each part has a hue of its own, so that no two parts have a picture in common.
            let hue = format!("hue=h={}", 40 * number);
            let made = Command::new("ffmpeg")
                .args(["-v", "error", "-f", "lavfi", "-i", &source, "-vf", &hue, "-pix_fmt", "yuv420p"])
                .args(["-c:v", encoder, "-preset", "ultrafast"])
                .args(part.options.split_whitespace())
                .args([named, &parameters, "-f", codec])
                .arg(&path)
                .status()
                .unwrap();
            assert!(made.success(), "ffmpeg does not encode {codec}");
            units.extend(split(&std::fs::read(&path).unwrap()));
            digests.extend(decoded(&path).unwrap());
        }
        Self { codec, units: Arc::new(units), digests }
    }
}

/// Digests of all pictures of a file in the order of their showing; each complaint of ffmpeg is an error.
pub fn decoded(path: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !complaints.is_empty() {
        return Err(format!("{}: {complaints}", path.display()));
    }
    let lines = String::from_utf8(output.stdout).unwrap();
    Ok(lines
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit(',').next().unwrap_or_default().trim().to_owned())
        .collect())
}

/// Splits a byte stream into NAL units.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = (0..bytes.len() - 3).filter(|at| bytes[*at..at + 3] == [0, 0, 1]).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let unit = |(start, end): (&usize, usize)| {
        let mut unit = bytes[start + 3..end].to_vec();
        while unit.last() == Some(&0) {
            unit.pop();
        }
        unit
    };
    starts.iter().zip(ends).map(unit).collect()
}

const METHODS: [&str; 6] = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "TEARDOWN"];

/// Begin of a reply behind which the connection is closed.
pub const CLOSE: &str = "CLOSE ";

/// One request: its method and the number of its connection.
pub type Asked = (String, usize);
/// Reply (head and body) to a request and the count of its method so far; `None` for the reply by the standard. The
/// connection is closed behind one that begins with [`CLOSE`].
pub type Script = Arc<dyn Fn(&Asked, usize) -> Option<String> + Send + Sync>;

/// A camera that admits one connection at a time.
#[derive(Clone)]
pub struct Camera {
    port: u16,
    film: Film,
    asked: Arc<Mutex<Vec<Asked>>>,
    pub connections: Arc<AtomicUsize>,
    pub refused: Arc<AtomicUsize>,
}

impl Camera {
    pub fn start(film: Film, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let camera = Self {
            port: listener.local_addr().unwrap().port(),
            film,
            asked: Arc::default(),
            connections: Arc::default(),
            refused: Arc::default(),
        };
        let own = camera.clone();
        std::thread::spawn(move || {
            let is_busy = Arc::new(AtomicBool::new(false));
            for connection in listener.incoming().flatten() {
                let number = own.connections.fetch_add(1, Ordering::Relaxed) + 1;
                if is_busy.swap(true, Ordering::Relaxed) {
                    own.refused.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let (own, script, is_busy) = (own.clone(), script.clone(), is_busy.clone());
                std::thread::spawn(move || {
                    own.serve(&connection, number, &script);
                    is_busy.store(false, Ordering::Relaxed);
                });
            }
        });
        camera
    }

    fn serve(&self, connection: &TcpStream, number: usize, script: &Script) {
        let is_over = Arc::new(AtomicBool::new(false));
        let text = |line: std::io::Result<Vec<u8>>| {
            line.ok().map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
        };
        let mut datagrams = None;
        let mut lines = BufReader::new(connection).split(b'\n').map_while(text);
        while let Some(first) = lines.next() {
            // Reports of GStreamer's client come before a request, or alone.
            let Some(method) =
                METHODS.into_iter().find(|method| first.contains(&format!("{method} rtsp://")))
            else {
                continue;
            };
            let url = first.split(' ').find(|word| word.starts_with("rtsp://")).unwrap_or_default();
            let url = url.trim_end_matches('/').to_owned();
            let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let header =
                |name: &str| headers.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let (cseq, transport) = (header("CSeq: "), header("Transport: "));
            let asked = (method.to_owned(), number);
            let times = {
                let mut all = self.asked.lock().unwrap();
                all.push(asked.clone());
                all.iter().filter(|(known, _)| known == method).count()
            };
            if method == "SETUP" {
                datagrams = to_ports(transport);
            }
            let reply = script(&asked, times)
                .unwrap_or_else(|| by_the_book(method, &url, self.film.codec, transport));
            let (reply, closes) = match reply.strip_prefix(CLOSE) {
                Some(rest) => (rest.to_owned(), true),
                None => (reply, false),
            };
            let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
            let length = body.len();
            let text = format!("RTSP/1.0 {head}\r\nCSeq: {cseq}\r\nContent-Length: {length}\r\n\r\n{body}");
            if (&*connection).write_all(text.as_bytes()).is_err() || closes {
                break;
            }
            if method == "PLAY" {
                let (film, is_over) = (self.film.clone(), is_over.clone());
                let stream = connection.try_clone().unwrap();
                let datagrams = datagrams.take();
                std::thread::spawn(move || match datagrams {
                    Some(socket) => play(&film, &is_over, |packet| socket.send(packet).is_ok()),
                    None => play(&film, &is_over, |packet| {
                        let head = [b'$', 0, (packet.len() >> 8) as u8, packet.len() as u8];
                        (&stream).write_all(&[&head[..], packet].concat()).is_ok()
                    }),
                });
            }
            if method == "TEARDOWN" {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        is_over.store(true, Ordering::Relaxed);
        // The thread that plays has the connection, too.
        let _ = connection.shutdown(std::net::Shutdown::Both);
    }

    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/main", self.port)
    }

    pub fn methods_of(&self, connection: usize) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(_, of)| *of == connection).map(|(method, _)| method.clone()).collect()
    }
}

/// Returns a socket to the port that a Transport header asks for; `None` if it asks for TCP.
fn to_ports(transport: &str) -> Option<UdpSocket> {
    let ports = transport.split("client_port=").nth(1)?;
    let port: u16 = ports.split(['-', ';']).next()?.parse().ok()?;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    Some(socket)
}

fn by_the_book(method: &str, url: &str, codec: &str, transport: &str) -> String {
    let (name, parameters) =
        if codec == "h264" { ("H264", "a=fmtp:96 packetization-mode=1\r\n") } else { ("H265", "") };
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
         a=rtpmap:96 {name}/90000\r\n{parameters}a=control:track\r\n"
    );
    match method {
        "OPTIONS" => "200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER".into(),
        "DESCRIBE" => format!("200 OK\r\nContent-Type: application/sdp\r\nContent-Base: {url}/\r\n\r\n{sdp}"),
        "SETUP" if transport.contains("client_port=") => {
            format!("200 OK\r\nSession: 4711\r\nTransport: {transport};source=127.0.0.1")
        }
        "SETUP" => "200 OK\r\nSession: 4711\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1".into(),
        _ => "200 OK\r\nSession: 4711".into(),
    }
}

/// Sends the film again and again until the session is over.
fn play(film: &Film, is_over: &AtomicBool, send: impl Fn(&[u8]) -> bool) {
    let (mut sequence, mut picture) = (0_u16, 0_u32);
    let is_h264 = film.codec == "h264";
    let is_delimiter = |unit: &[u8]| if is_h264 { unit[0] & 31 == 9 } else { unit[0] >> 1 & 63 == 35 };
    for unit in film.units.iter().cycle() {
        if is_delimiter(unit) {
            std::thread::sleep(Duration::from_secs(1) / RATE);
            picture += 1;
        }
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        for payload in payloads(unit, is_h264) {
            let mut packet = vec![0x80, 96];
            packet.extend(sequence.to_be_bytes());
            packet.extend((picture * 90_000 / RATE).to_be_bytes());
            packet.extend([0, 0, 0, 7]);
            packet.extend(payload);
            sequence = sequence.wrapping_add(1);
            if !send(&packet) {
                return;
            }
        }
    }
}

/// A NAL unit as it is, or in fragments (FU-A, FU).
fn payloads(unit: &[u8], is_h264: bool) -> Vec<Vec<u8>> {
    if unit.len() < 1300 {
        return vec![unit.to_vec()];
    }
    let (head, kind, body) = match is_h264 {
        true => (vec![unit[0] & 0x60 | 28], unit[0] & 31, &unit[1..]),
        false => (vec![unit[0] & 0x81 | 49 << 1, unit[1]], unit[0] >> 1 & 63, &unit[2..]),
    };
    let parts: Vec<&[u8]> = body.chunks(1200).collect();
    let last = parts.len() - 1;
    let part = |(at, part): (usize, &&[u8])| {
        let ends = u8::from(at == 0) << 7 | u8::from(at == last) << 6;
        [&head[..], &[ends | kind], part].concat()
    };
    parts.iter().enumerate().map(part).collect()
}
