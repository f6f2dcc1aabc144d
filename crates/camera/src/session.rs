//! The child process of one session: `wardwatch session`, started by the supervisor alone.
//!
//! It reads one order from its standard input (a socket), enters its sandbox, and reports back over the same socket until
//! its stream breaks or the other end closes. Changes of the decode mode come over that socket, too. It never tears its
//! pipeline down: `set_state(Null)` can block for ever, and the supervisor kills the process anyway.

use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::branches::Deliver;
use super::decode::Decoded;
use super::mux::MuxedFragment;
use super::parts::Failure;
use super::pipeline::{self, SessionPipeline, SourcePart};
use super::rtsp::Reading;
use super::settings::{DecodeMode, Reader, Source, StreamSettings};
use super::state::SessionState;
use super::wire::{self, FailureKind, Order, Report};
use super::{REGISTRY_VARIABLE, sandbox};
use base::channel::{self, LatestWins};
use base::clock;
use base::fragment::StreamHealth;
use base::status::InputCounts;
use base::time::Monotonic;

/// Fragments on their way to the daemon; more wait in the record branch's queue.
const OUTGOING_MAX: usize = 4;
/// Interval of checking the bus, the stall and the stop.
const TICK: Duration = Duration::from_millis(250);
/// Interval of telling the daemon that the session is alive.
const ALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// Stall times within which the first key frame must come, where pictures come before it.
const STALLS_TO_KEY_FRAME: u32 = 3;
/// One packet lost of so many is enough to damage each key frame.
const LOST_SHARE: u64 = 50;
/// Time for the camera to hear of the session's end, after the last fragment has come out.
const LEAVE: Duration = Duration::from_millis(1200);
/// Time for the unfinished fragment to come out at the end.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the child process. Returns only if it was not started by the supervisor.
pub fn run_child() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            tracing::error!("`wardwatch session` is started by the daemon, not by hand: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Brings GStreamer's registry of plugins up to date, and checks that the plugins of sessions are installed. Run as a
/// child process of its own before the first session, since sessions cannot write files.
pub fn prepare_child() -> ExitCode {
    let missing = initialise().err().into_iter().chain(
        ["rtspsrc", "rtph264depay", "rtph265depay", "h264parse", "h265parse"]
            .into_iter()
            .chain(["parsebin", "videoconvert"])
            .filter(|element| gst::init().is_ok() && gst::ElementFactory::find(element).is_none())
            .map(Failure::missing),
    );
    let reasons: Vec<String> = missing.map(|failure| failure.reason).collect();
    for reason in &reasons {
        tracing::error!("{reason}");
    }
    if reasons.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub(super) fn initialise() -> Result<(), Failure> {
    let bug =
        |error: &dyn std::fmt::Display| Failure::new(FailureKind::Config, format!("GStreamer: {error}"));
    gst::init().map_err(|error| bug(&error))
}

fn serve() -> Result<(), String> {
    let input: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    let mut socket = UnixStream::from(input);
    socket.peer_addr().map_err(|_| "standard input is not a socket".to_owned())?;
    let (order, _) = wire::read::<Order>(&mut socket)
        .map_err(|error| format!("no order: {error}"))?
        .ok_or_else(|| "no order".to_owned())?;
    let reader = order.reader;
    let stream = StreamSettings::from(order);
    let writer = socket.try_clone().map_err(|error| error.to_string())?;
    let connection = connection()?;

    let not_applied = sandbox::enter(&readable(&stream), stream.watch_fps_max.is_some());
    let (outgoing, writer_thread) = Outgoing::start(writer)?;
    outgoing.report(Report::Started { not_applied });
    let last_words = match run(&stream, reader, connection, socket, &outgoing) {
        Ok(()) => Report::Ended,
        Err(failure) => Report::Failed { kind: failure.kind, reason: failure.reason },
    };
    outgoing.report(last_words);
    outgoing.close();
    // The writer ends when everything is sent; the supervisor kills this process when it has read the last words.
    let _ = writer_thread.join();
    loop {
        std::thread::park();
    }
}

/// The connection to the camera that the daemon has opened and passed as standard output, which then leads to /dev/null.
fn connection() -> Result<Option<TcpStream>, String> {
    let output = std::io::stdout().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    let connection = TcpStream::from(output);
    if connection.peer_addr().is_err() {
        return Ok(None);
    }
    let nowhere =
        std::fs::File::options().write(true).open("/dev/null").map_err(|error| error.to_string())?;
    rustix::stdio::dup2_stdout(&nowhere).map_err(|error| error.to_string())?;
    Ok(Some(connection))
}

/// Files that this stream needs beside the system's.
fn readable(stream: &StreamSettings) -> Vec<PathBuf> {
    let registry = std::env::var_os(REGISTRY_VARIABLE).map(PathBuf::from);
    let of_source = match &stream.source {
        Source::Rtsp(rtsp) => rtsp.ca_file.clone(),
        Source::File { path, .. } => Some(path.clone()),
    };
    registry.into_iter().chain(of_source).collect()
}

/// Takes in decode modes from the daemon, until its end of the socket closes. Then sets `stop`, and wakes the thread that
/// waits for the bus.
fn watch_for_stop(
    mut socket: UnixStream,
    stop: Arc<AtomicBool>,
    bus: gst::Bus,
    session: Arc<SessionState>,
) -> Result<(), Failure> {
    let thread = std::thread::Builder::new().name("session-stop".into()).spawn(move || {
        // Any other result of a read is the end.
        while let Ok(Some((decode_mode, _))) = wire::read::<DecodeMode>(&mut socket) {
            session.set_decode_mode(decode_mode);
        }
        stop.store(true, Ordering::Relaxed);
        // Fails only on a bus that is not read any more.
        let _ = bus.post(gst::message::Application::new(gst::Structure::new_empty("stop")));
    });
    thread.map(drop).map_err(|error| Failure::new(FailureKind::Transient, error.to_string()))
}

fn run(
    stream: &StreamSettings,
    reader: Reader,
    connection: Option<TcpStream>,
    socket: UnixStream,
    outgoing: &Outgoing,
) -> Result<(), Failure> {
    initialise()?;
    let built = pipeline::build(stream, reader, connection, Arc::new(outgoing.clone()))?;
    // Never dropped: that would need the NULL state first, and the way there can block for ever.
    let built = ManuallyDrop::new(built);
    let (pipeline, session) = (&built.pipeline, &built.session);
    let bus = pipeline.bus().ok_or_else(|| Failure::new(FailureKind::Bug, "the pipeline has no bus"))?;
    let stop = Arc::new(AtomicBool::new(false));
    watch_for_stop(socket, stop.clone(), bus.clone(), session.clone())?;
    if pipeline.set_state(gst::State::Playing).is_err() {
        let failure = bus_failure(&bus, stream);
        return Err(
            failure.unwrap_or_else(|| Failure::new(FailureKind::Transient, "the source does not start"))
        );
    }
    let result = follow(stream, &stop, outgoing, &bus, &built);
    let leaving = leave(&built.source);
    drain(&built);
    leaving.wait();
    // Facts found in the last moments are reported before the end.
    if let Some(facts) = session.facts() {
        outgoing.report(Report::Facts(facts));
    }
    result
}

/// Follows the running pipeline until it ends, breaks or is stopped.
fn follow(
    stream: &StreamSettings,
    stop: &AtomicBool,
    outgoing: &Outgoing,
    bus: &gst::Bus,
    built: &SessionPipeline,
) -> Result<(), Failure> {
    let session = &built.session;
    let mut last_alive = Monotonic::default();
    let mut last_facts = None;
    loop {
        let tick = gst::ClockTime::from_mseconds(u64::try_from(TICK.as_millis()).unwrap_or(100));
        let wanted = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Application];
        let message = bus.timed_pop_filtered(tick, &wanted);
        match message.as_ref().map(|message| message.view()) {
            // A failure that a pipeline thread of ours has found is the cause; GStreamer's error is its consequence.
            Some(gst::MessageView::Error(error)) => {
                return Err(session.failure().unwrap_or_else(|| failure_of(error, stream)));
            }
            Some(gst::MessageView::Eos(_)) => {
                return match &stream.source {
                    Source::File { .. } => Ok(()),
                    Source::Rtsp(_) => {
                        Err(Failure::new(FailureKind::Transient, "the camera ended the stream"))
                    }
                };
            }
            _ => {}
        }
        if let Some(failure) = session.failure() {
            return Err(failure);
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let facts = session.facts();
        if facts != last_facts {
            last_facts.clone_from(&facts);
            facts.into_iter().for_each(|facts| outgoing.report(Report::Facts(facts)));
        }
        let now = clock::monotonic();
        if now.since(last_alive) >= ALIVE_INTERVAL {
            last_alive = now;
            outgoing.report(Report::Alive {
                samples: session.samples(),
                health: health(stream, session),
                input: input(session),
            });
        }
        if let Some((text, only_udp)) = built.source.reading().and_then(|reading| reading.take_note()) {
            outgoing.report(Report::Note { text: text.to_owned(), only_udp });
        }
        if !session.is_opening() && now.since(session.last_sample()) > patience(stream, session) {
            return Err(stalled(stream, session));
        }
    }
}

/// Health of a stream that goes on.
fn health(stream: &StreamSettings, session: &SessionState) -> StreamHealth {
    let counts = session.counts();
    StreamHealth {
        since_key_frame: if stream.record { session.since_key_frame() } else { Duration::ZERO },
        packets: counts.packets,
        lost: counts.lost,
        skipped: counts.skipped(),
        clock_jumps: counts.clock_jumps,
        parameter_changes: counts.parameter_changes,
    }
}

/// Counts of the stream's input that was of no use.
fn input(session: &SessionState) -> InputCounts {
    let (units, client) = (session.counts(), session.client_counts());
    InputCounts {
        bytes_skipped: client.skipped_bytes,
        packets_skipped: client.foreign_packets.saturating_add(units.skipped()),
        packets_lost: units.lost,
        odd_replies: client.odd_replies,
        pictures_left_out: units.undecodable,
        pictures_broken: units.broken,
        clock_jumps: units.clock_jumps,
        // The daemon counts them.
        fragments_left_out: 0,
    }
}

/// Time that a stream may stay without a sample. Pictures that only lack a key frame before them have more time, since a
/// new session would not bring it sooner.
fn patience(stream: &StreamSettings, session: &SessionState) -> Duration {
    let waits_for_key_frame = session.samples() == 0 && session.counts().undecodable > 0;
    if waits_for_key_frame { stream.stall * STALLS_TO_KEY_FRAME } else { stream.stall }
}

fn stalled(stream: &StreamSettings, session: &SessionState) -> Failure {
    let seconds = patience(stream, session).as_secs_f32();
    let (samples, counts) = (session.samples(), session.counts());
    if samples == 0 && counts.undecodable > 0 {
        if counts.lost >= counts.packets / LOST_SHARE {
            let (lost, packets) = (counts.lost, counts.packets + counts.lost);
            let text = format!(
                "{lost} of {packets} packets were lost in {seconds} s, and no key frame came whole: check the network to the camera, \
                 or set transport = \"tcp\""
            );
            return Failure::new(FailureKind::NotUnderstood, text);
        }
        let pictures = counts.undecodable;
        let text = format!(
            "{pictures} pictures in {seconds} s, and no key frame among them; set the camera's key frame interval to 1 or 2 s"
        );
        return Failure::new(FailureKind::NotUnderstood, text);
    }
    if samples == 0 && counts.packets > 0 {
        let text = format!("{} packets in {seconds} s, and no picture can be made of them", counts.packets);
        return Failure::new(FailureKind::NotUnderstood, text);
    }
    let text = if samples == 0 {
        format!("connected, but no video for {seconds} s")
    } else {
        format!("no video for {seconds} s after {samples} samples")
    };
    Failure::new(FailureKind::Transient, text)
}

/// The reader on its way out, while the last fragment comes.
enum Leaving {
    Reading(Arc<Reading>),
    /// GStreamer's, ended by a thread that sends a message at its end.
    Rtspsrc(Receiver<()>),
    Nothing,
}

impl Leaving {
    fn wait(self) {
        match self {
            Self::Reading(reading) => reading.wait_for_end(LEAVE),
            // Done, or too late: it can block for ever.
            Self::Rtspsrc(done) => drop(done.recv_timeout(LEAVE)),
            Self::Nothing => {}
        }
    }
}

/// Makes the reader tell the camera that the session ends: the camera may admit the next session only then.
fn leave(source: &SourcePart) -> Leaving {
    let source = match source {
        SourcePart::Reading(reading) => {
            reading.ask_to_end();
            return Leaving::Reading(reading.clone());
        }
        SourcePart::Rtspsrc(source) => source.clone(),
        SourcePart::File => return Leaving::Nothing,
    };
    let (tell, done) = channel::blocking(1);
    let thread = std::thread::Builder::new().name("session-leave".into()).spawn(move || {
        source.set_locked_state(true);
        // The end of this process does the rest, if this fails.
        let _ = source.set_state(gst::State::Null);
        let _ = tell.send(());
    });
    match thread {
        Ok(_) => Leaving::Rtspsrc(done),
        Err(_) => Leaving::Nothing,
    }
}

/// Makes the unfinished fragment come out, as far as that goes in [`DRAIN`].
fn drain(built: &SessionPipeline) {
    let (feed, recorder) = (built.feed(), built.recorder());
    let deadline = Instant::now() + DRAIN;
    let (done, all_out) = channel::blocking(1);
    // In a thread of its own: a source that is stuck inside a push holds the lock that this needs.
    let send = move || {
        match (feed, recorder) {
            (Some(feed), _) => feed.end(deadline),
            (None, Some(recorder)) => recorder.finish(deadline),
            (None, None) => {}
        }
        let _ = done.send(());
    };
    if std::thread::Builder::new().name("session-drain".into()).spawn(send).is_ok() {
        // Too late, or done.
        let _ = all_out.recv_timeout(DRAIN);
    }
}

fn bus_failure(bus: &gst::Bus, stream: &StreamSettings) -> Option<Failure> {
    let message = bus.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(failure_of(error, stream)),
        _ => None,
    }
}

/// An error of GStreamer in our words. Its debug text is left out: it may hold text that must not be in a log.
fn failure_of(error: &gst::message::Error, stream: &StreamSettings) -> Failure {
    let what = error.error();
    let (kind, text) = match (&stream.source, what.kind::<gst::ResourceError>()) {
        (Source::Rtsp(_), Some(gst::ResourceError::NotAuthorized)) => return Failure::not_authorised(stream),
        (Source::Rtsp(_), Some(gst::ResourceError::NotFound)) => return Failure::not_found(stream),
        (Source::File { path, .. }, Some(_)) => {
            (FailureKind::Config, format!("cannot read {}: {what}", path.display()))
        }
        _ => (FailureKind::Transient, what.to_string()),
    };
    Failure::new(kind, text)
}

/// Messages to the daemon, written by one thread.
#[derive(Clone)]
struct Outgoing {
    queue: SyncSender<Message>,
    frame: LatestWins<Decoded>,
}

enum Message {
    Report(Report, Option<Vec<u8>>, Vec<u8>),
    /// A frame lies in the slot.
    Frame,
    Close,
}

impl Outgoing {
    fn start(mut socket: UnixStream) -> Result<(Self, std::thread::JoinHandle<()>), String> {
        let (queue, messages) = channel::blocking(OUTGOING_MAX);
        let frame = channel::latest_wins();
        let slot = frame.clone();
        let thread = std::thread::Builder::new()
            .name("session-writer".into())
            .spawn(move || write_all(&mut socket, &messages, &slot));
        Ok((Self { queue, frame }, thread.map_err(|error| error.to_string())?))
    }

    fn report(&self, report: Report) {
        // The writer ends only when the daemon has gone, and then there is no receiver.
        let _ = self.queue.send(Message::Report(report, None, Vec::new()));
    }

    fn close(&self) {
        let _ = self.queue.send(Message::Close);
    }
}

impl Deliver for Outgoing {
    fn fragment(&self, fragment: MuxedFragment) {
        let (init, facts) = fragment.header.unzip();
        let report = Report::Fragment {
            init_bytes: init.as_ref().map_or(0, Vec::len),
            facts,
            pts: fragment.pts,
            duration: fragment.duration,
            starts_at: fragment.starts_at,
            samples: fragment.samples,
            start: fragment.start,
            is_break: fragment.is_break,
        };
        let _ = self.queue.send(Message::Report(report, init, fragment.bytes));
    }

    fn frame(&self, frame: Decoded) {
        if !self.frame.put(frame) {
            let _ = self.queue.send(Message::Frame);
        }
    }
}

fn write_all(socket: &mut UnixStream, messages: &Receiver<Message>, frames: &LatestWins<Decoded>) {
    while let Ok(message) = messages.recv() {
        let written = match message {
            Message::Report(report, init, bytes) => {
                wire::write(socket, &report, &[init.as_deref().unwrap_or_default(), &bytes])
            }
            Message::Frame => frames.take().map_or(Ok(()), |frame| write_frame(socket, &frame)),
            Message::Close => return,
        };
        if written.is_err() {
            return;
        }
    }
}

fn write_frame(socket: &mut UnixStream, frame: &Decoded) -> std::io::Result<()> {
    let picture = &frame.picture;
    let report = Report::Frame {
        width: picture.width(),
        height: picture.height(),
        format: picture.format(),
        colour: picture.colour(),
        pts: frame.pts,
        at: frame.at,
    };
    wire::write(socket, &report, &[picture.samples()])
}
