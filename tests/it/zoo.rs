//! Whole sessions against scripted cameras that send real pictures. The RTSP client alone is tried beside its code.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wardwatch::domain::status::StreamState;
use wardwatch::video::supervise;

use crate::support::camera::{Delivered, session_program, stream};
use crate::support::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);
/// Pictures in a second.
const RATE: u32 = 15;

/// The NAL units of a test picture, a key frame a second, without start codes.
fn units() -> Vec<Vec<u8>> {
    let picture = "-v error -f lavfi -i testsrc2=size=320x240:rate=15 -t 4 -c:v libx264 -preset ultrafast -tune zerolatency";
    let stream = "-x264-params keyint=15:min-keyint=15:scenecut=0:aud=1 -f h264 -";
    let made = Command::new("ffmpeg").args(picture.split(' ').chain(stream.split(' '))).output().unwrap();
    let bytes = made.stdout;
    let starts: Vec<usize> = (0..bytes.len() - 3).filter(|at| bytes[*at..at + 3] == [0, 0, 1]).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len() + 1]);
    let units = starts.iter().zip(ends).map(|(start, end)| {
        let mut unit = bytes[start + 3..(end - 1).min(bytes.len())].to_vec();
        while unit.last() == Some(&0) {
            unit.pop();
        }
        unit
    });
    units.collect()
}

const METHODS: [&str; 6] = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "TEARDOWN"];

/// One request: method, number of its connection.
type Asked = (String, usize);
/// What a camera replies instead of going by the book: head and body.
type Script = Arc<dyn Fn(&Asked, usize) -> Option<String> + Send + Sync>;

/// A camera that admits one connection at a time.
#[derive(Clone)]
struct Camera {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Camera {
    fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let camera = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            connections: Arc::default(),
            refused: Arc::default(),
        };
        let (own, units) = (camera.clone(), Arc::new(units()));
        std::thread::spawn(move || {
            let is_busy = Arc::new(AtomicBool::new(false));
            for connection in listener.incoming().flatten() {
                let number = own.connections.fetch_add(1, Ordering::Relaxed) + 1;
                if is_busy.swap(true, Ordering::Relaxed) {
                    own.refused.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let (own, script, units, is_busy) =
                    (own.clone(), script.clone(), units.clone(), is_busy.clone());
                std::thread::spawn(move || {
                    own.serve(&connection, number, &script, &units);
                    is_busy.store(false, Ordering::Relaxed);
                });
            }
        });
        camera
    }

    fn serve(&self, connection: &TcpStream, number: usize, script: &Script, units: &Arc<Vec<Vec<u8>>>) {
        let is_over = Arc::new(AtomicBool::new(false));
        let text = |line: std::io::Result<Vec<u8>>| {
            line.ok().map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
        };
        let mut lines = BufReader::new(connection).split(b'\n').map_while(text);
        while let Some(first) = lines.next() {
            // Reports of GStreamer's client come before a request, or alone.
            let is_asked = |method: &&str| first.contains(&format!("{method} rtsp://"));
            let Some(method) = METHODS.into_iter().find(is_asked) else { continue };
            let url = first.split(' ').find(|word| word.starts_with("rtsp://")).unwrap_or_default();
            let url = url.trim_end_matches('/').to_owned();
            let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let cseq =
                headers.iter().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or_default().to_owned();
            let asked = (method.to_owned(), number);
            let times = {
                let mut all = self.asked.lock().unwrap();
                all.push(asked.clone());
                all.iter().filter(|(known, _)| known == method).count()
            };
            let reply = script(&asked, times).unwrap_or_else(|| by_the_book(method, &url));
            let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
            let length = body.len();
            let text = format!("RTSP/1.0 {head}\r\nCSeq: {cseq}\r\nContent-Length: {length}\r\n\r\n{body}");
            if (&*connection).write_all(text.as_bytes()).is_err() {
                break;
            }
            if method == "PLAY" {
                let (stream, units, is_over) =
                    (connection.try_clone().unwrap(), units.clone(), is_over.clone());
                std::thread::spawn(move || play(stream, &units, &is_over));
            }
            if method == "TEARDOWN" {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        is_over.store(true, Ordering::Relaxed);
    }

    fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/main", self.port)
    }

    fn methods_of(&self, connection: usize) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(_, of)| *of == connection).map(|(method, _)| method.clone()).collect()
    }
}

fn by_the_book(method: &str, url: &str) -> String {
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
               a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track\r\n";
    match method {
        "OPTIONS" => "200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER".into(),
        "DESCRIBE" => format!("200 OK\r\nContent-Type: application/sdp\r\nContent-Base: {url}/\r\n\r\n{sdp}"),
        "SETUP" => "200 OK\r\nSession: 4711\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1".into(),
        _ => "200 OK\r\nSession: 4711".into(),
    }
}

/// Sends the picture again and again, from a key frame on, until the session is over.
fn play(mut stream: TcpStream, units: &[Vec<u8>], is_over: &AtomicBool) {
    let (mut sequence, mut picture) = (0_u16, 0_u32);
    for unit in units.iter().cycle() {
        if unit[0] & 31 == 9 {
            std::thread::sleep(Duration::from_secs(1) / RATE);
            picture += 1;
        }
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        for payload in payloads(unit) {
            let mut packet = vec![0x80, 96];
            packet.extend(sequence.to_be_bytes());
            packet.extend((picture * 90_000 / RATE).to_be_bytes());
            packet.extend([0, 0, 0, 7]);
            packet.extend(payload);
            sequence = sequence.wrapping_add(1);
            let mut frame = vec![b'$', 0];
            frame.extend((packet.len() as u16).to_be_bytes());
            frame.extend(packet);
            if stream.write_all(&frame).is_err() {
                return;
            }
        }
    }
}

/// A NAL unit as it is, or in fragments (FU-A).
fn payloads(unit: &[u8]) -> Vec<Vec<u8>> {
    if unit.len() < 1300 {
        return vec![unit.to_vec()];
    }
    let parts: Vec<&[u8]> = unit[1..].chunks(1200).collect();
    let last = parts.len() - 1;
    let head = |at: usize| {
        let ends = (u8::from(at == 0) << 7) | (u8::from(at == last) << 6);
        vec![(unit[0] & 0x60) | 28, ends | (unit[0] & 31)]
    };
    parts.iter().enumerate().map(|(at, part)| [head(at), part.to_vec()].concat()).collect()
}

#[test]
fn a_camera_that_admits_one_connection_is_recorded_over_it_and_told_of_the_end() {
    let camera = Camera::start(Arc::new(|_, _| None));
    let delivered = Delivered::default();
    let handle = supervise(stream("gate", &camera.url()), session_program(), delivered.sink());
    wait_until("recorded", PATIENCE, || delivered.fragments().len() >= 2);
    handle.stop();
    wait_until("told of the end", PATIENCE, || {
        camera.methods_of(1).last().is_some_and(|of| of == "TEARDOWN")
    });
    assert_eq!(camera.refused.load(Ordering::Relaxed), 0);
    assert_eq!(camera.connections.load(Ordering::Relaxed), 1);
}

#[test]
fn a_camera_that_is_not_understood_is_asked_by_gstreamer_next_and_recorded() {
    let script = |asked: &Asked, times: usize| {
        (asked.0 == "DESCRIBE" && times == 1)
            .then(|| "200 OK\r\nContent-Type: x/y\r\n\r\nnothing of use".to_owned())
    };
    let camera = Camera::start(Arc::new(script));
    let delivered = Delivered::default();
    let handle = supervise(stream("gate", &camera.url()), session_program(), delivered.sink());
    wait_until("not understood", PATIENCE, || delivered.is(StreamState::BackingOff, "is not understood"));
    wait_until("recorded", PATIENCE, || !delivered.fragments().is_empty());
    assert_eq!(camera.methods_of(1), ["DESCRIBE"]);
    assert_eq!(camera.methods_of(2)[0], "OPTIONS", "GStreamer's client begins so");
    handle.stop();
    assert_eq!(camera.refused.load(Ordering::Relaxed), 0);
}
