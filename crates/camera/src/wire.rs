//! Messages between the daemon and a session, over one socket pair.
//!
//! A message is a JSON head and a body of bytes, each with its length in front. The session may have been taken over by
//! a hostile stream, so the daemon's side takes nothing on trust: lengths are bounded before memory is given, and a
//! picture's samples must fit its size.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::settings::{Reader, RtspSource, Source, StreamSettings, Transport};
use base::fault::ErrorKind;
use base::fragment::{FragmentStart, StreamFacts, StreamHealth, StreamRole};
use base::ids::CameraId;
use base::picture::{Colour, PixelFormat};
use base::secret::{Credentials, Secret};
use base::status::InputCounts;
use base::time::{Pts, Stamp};

/// Longest head in bytes.
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// Longest body in bytes: a GOP of 20 s at 12 Mbit/s, or a picture of 4096x2304, fits with room to spare.
const BODY_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// The daemon's order to a session: the first message in that direction. Changes of
/// [`DecodeMode`](super::settings::DecodeMode) follow. The daemon closes its end of the socket to stop the session.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub camera: CameraId,
    pub role: StreamRole,
    pub record: bool,
    pub watch_fps_max: Option<f32>,
    pub idle_gap_max: Option<Duration>,
    pub bits_per_second_max: f64,
    pub stall: Duration,
    pub reader: Reader,
    source: SourceOrder,
}

#[derive(Serialize, Deserialize)]
enum SourceOrder {
    Rtsp { url: String, udp: bool, credentials: Option<(String, String)>, ca_file: Option<PathBuf> },
    File { path: PathBuf, looped: bool },
}

impl From<&StreamSettings> for Order {
    fn from(stream: &StreamSettings) -> Self {
        let source = match &stream.source {
            Source::Rtsp(rtsp) => SourceOrder::Rtsp {
                url: rtsp.url.clone(),
                udp: rtsp.transport == Transport::Udp,
                credentials: rtsp
                    .credentials
                    .as_ref()
                    .map(|c| (c.user.clone(), c.password.reveal().to_owned())),
                ca_file: rtsp.ca_file.clone(),
            },
            Source::File { path, looped } => SourceOrder::File { path: path.clone(), looped: *looped },
        };
        Self {
            camera: stream.camera.clone(),
            role: stream.role,
            record: stream.record,
            watch_fps_max: stream.watch_fps_max,
            idle_gap_max: stream.idle_gap_max,
            bits_per_second_max: stream.bits_per_second_max,
            stall: stream.stall,
            reader: Reader::default(),
            source,
        }
    }
}

impl Order {
    /// Adds the findings of earlier sessions: the reader that works, and datagrams against the configuration.
    pub(super) fn with(mut self, reader: Reader, only_udp: bool) -> Self {
        self.reader = reader;
        if let SourceOrder::Rtsp { udp, .. } = &mut self.source {
            *udp |= only_udp;
        }
        self
    }
}

impl From<Order> for StreamSettings {
    fn from(order: Order) -> Self {
        let source = match order.source {
            SourceOrder::Rtsp { url, udp, credentials, ca_file } => Source::Rtsp(RtspSource {
                url,
                transport: if udp { Transport::Udp } else { Transport::Tcp },
                credentials: credentials
                    .map(|(user, password)| Credentials { user, password: Secret::new(password) }),
                ca_file,
            }),
            SourceOrder::File { path, looped } => Source::File { path, looped },
        };
        Self {
            camera: order.camera,
            role: order.role,
            source,
            record: order.record,
            watch_fps_max: order.watch_fps_max,
            idle_gap_max: order.idle_gap_max,
            bits_per_second_max: order.bits_per_second_max,
            stall: order.stall,
        }
    }
}

/// A session's message to the daemon.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The session runs; these parts of the sandbox could not be applied.
    Started { not_applied: Vec<String> },
    /// The stream's codec, size and time source.
    Facts(StreamFacts),
    /// Sent every second: the number of samples so far, the stream's health, and counts of skipped input.
    Alive { samples: u64, health: StreamHealth, input: InputCounts },
    /// A fact about the camera that a person should know once; `only_udp` if it sends datagrams alone.
    Note { text: String, only_udp: bool },
    /// The body is the init section (its first `init_bytes`), then the fragment. `facts` comes with an init section.
    Fragment {
        init_bytes: usize,
        facts: Option<StreamFacts>,
        pts: Pts,
        duration: Duration,
        starts_at: Stamp,
        samples: u32,
        start: FragmentStart,
        is_break: bool,
    },
    /// The body is the picture's samples.
    Frame { width: u32, height: u32, format: PixelFormat, colour: Colour, pts: Pts, at: Stamp },
    /// The stream is over: a file's end, or the stop that was asked for.
    Ended,
    /// The session broke. Its last message.
    Failed { kind: FailureKind, reason: String },
}

/// Kind of a session's failure, as far as the supervisor needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FailureKind {
    Transient,
    /// The camera answers, and this reader can make nothing of it: another reader may.
    NotUnderstood,
    /// The camera closes the connection over the request that keeps the session alive.
    KeepAlive,
    Config,
    Bug,
}

impl FailureKind {
    /// Kind of a failure before a session was there.
    pub(super) fn of(kind: ErrorKind) -> Self {
        if kind == ErrorKind::Config { Self::Config } else { Self::Transient }
    }
}

impl From<FailureKind> for ErrorKind {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Transient | FailureKind::NotUnderstood | FailureKind::KeepAlive => Self::Transient,
            FailureKind::Config => Self::Config,
            FailureKind::Bug => Self::Bug,
        }
    }
}

/// Writes one message. Blocks while the peer's buffer is full.
pub(super) fn write<T: Serialize>(to: &mut impl Write, head: &T, body: &[&[u8]]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let body_bytes: usize = body.iter().map(|part| part.len()).sum();
    let lengths = (u32::try_from(head.len()), u32::try_from(body_bytes));
    let (Ok(head_bytes), Ok(body_bytes)) = lengths else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long"));
    };
    // In one piece: each write wakes the peer.
    to.write_all(&[&head_bytes.to_le_bytes(), &body_bytes.to_le_bytes(), &head[..]].concat())?;
    for part in body {
        to.write_all(part)?;
    }
    to.flush()
}

/// Reads one message; `None` at a clean end. Blocks until it is whole.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut lengths = [0; 8];
    match from.read(&mut lengths)? {
        0 => return Ok(None),
        read => from.read_exact(&mut lengths[read..])?,
    }
    let [a, b, c, d, e, f, g, h] = lengths;
    let head_bytes = u32::from_le_bytes([a, b, c, d]);
    let body_bytes = u32::from_le_bytes([e, f, g, h]);
    if head_bytes > HEAD_BYTES_MAX || body_bytes > BODY_BYTES_MAX {
        let text = format!("a message of {head_bytes} + {body_bytes} bytes is beyond all bounds");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let head: Vec<u8> = read_bytes(from, head_bytes)?;
    let body = read_bytes(from, body_bytes)?;
    Ok(Some((serde_json::from_slice(&head)?, body)))
}

/// Reads exactly `count` bytes; beyond a mebibyte, memory is allocated as they arrive, not on the sender's word.
fn read_bytes(from: &mut impl Read, count: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity((count as usize).min(1024 * 1024));
    from.take(u64::from(count)).read_to_end(&mut bytes)?;
    if bytes.len() == count as usize { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The reading end of one message: one that comes byte by byte does not hold up its reader for ever.
pub(super) struct InTime<R> {
    from: R,
    deadline: Instant,
}

impl<R: Read> InTime<R> {
    /// A message out of `from` that is whole by `deadline`; a single read may take as long as `from` allows.
    pub(super) fn new(from: R, deadline: Instant) -> Self {
        Self { from, deadline }
    }
}

impl<R: Read> Read for InTime<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "a message of it did not end"));
        }
        self.from.read(buffer)
    }
}

/// Splits a fragment's body into its init section and the fragment; `None` if the head lied.
pub(super) fn split_fragment(mut body: Vec<u8>, init_bytes: usize) -> Option<(Vec<u8>, Arc<[u8]>)> {
    if init_bytes > body.len() {
        return None;
    }
    let bytes = body.split_off(init_bytes);
    Some((body, bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> StreamSettings {
        StreamSettings {
            camera: "gate".parse().unwrap(),
            role: StreamRole::Main,
            source: Source::Rtsp(RtspSource {
                url: "rtsp://192.0.2.1/main".into(),
                transport: Transport::Tcp,
                credentials: Some(Credentials {
                    user: "admin".into(),
                    password: Secret::new("hunter2".into()),
                }),
                ca_file: None,
            }),
            record: true,
            watch_fps_max: Some(5.0),
            idle_gap_max: Some(Duration::from_secs(2)),
            bits_per_second_max: 64e6,
            stall: Duration::from_secs(10),
        }
    }

    #[test]
    fn an_order_arrives_whole_with_its_password() {
        let mut pipe = Vec::new();
        write(&mut pipe, &Order::from(&order()), &[]).unwrap();
        let (received, body) = read::<Order>(&mut &pipe[..]).unwrap().unwrap();
        assert_eq!(received.reader, Reader::default());
        assert_eq!(StreamSettings::from(received), order());
        assert!(body.is_empty());
    }

    #[test]
    fn an_order_carries_what_was_found_out() {
        let order = Order::from(&order()).with(Reader::Rtspsrc, true);
        assert_eq!(order.reader, Reader::Rtspsrc);
        let Source::Rtsp(rtsp) = StreamSettings::from(order).source else { panic!("a camera") };
        assert_eq!(rtsp.transport, Transport::Udp);
    }

    #[test]
    fn bodies_keep_their_bytes_and_the_end_is_clean() {
        let mut pipe = Vec::new();
        let input = InputCounts { bytes_skipped: 7, ..InputCounts::default() };
        let alive = Report::Alive { samples: 3, health: StreamHealth::default(), input };
        write(&mut pipe, &alive, &[b"ab", b"", b"cde"]).unwrap();
        let from = &mut &pipe[..];
        let (report, body) = read::<Report>(from).unwrap().unwrap();
        assert!(matches!(report, Report::Alive { samples: 3, input, .. } if input.bytes_skipped == 7));
        assert_eq!(body, b"abcde");
        assert!(read::<Report>(from).unwrap().is_none());
    }

    /// Gives a byte at each read, for ever.
    struct Dribble;

    impl Read for Dribble {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer[0] = 1;
            Ok(1)
        }
    }

    #[test]
    fn a_message_that_does_not_end_is_given_up() {
        let deadline = Instant::now() + Duration::from_millis(50);
        let error = read_bytes(&mut InTime::new(Dribble, deadline), u32::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_liar_is_refused() {
        let huge = [u32::MAX.to_le_bytes(), 0u32.to_le_bytes()].concat();
        assert_eq!(read::<Report>(&mut &huge[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let mut cut = Vec::new();
        write(&mut cut, &Report::Ended, &[b"0123456789"]).unwrap();
        cut.truncate(cut.len() - 1);
        assert_eq!(read::<Report>(&mut &cut[..]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(split_fragment(vec![1, 2, 3], 4).is_none());
        assert_eq!(split_fragment(vec![1, 2, 3], 1), Some((vec![1], Arc::from([2, 3]))));
    }
}
