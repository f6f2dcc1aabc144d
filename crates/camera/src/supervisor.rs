//! The daemon's side of a stream: keeps one session running for ever, and passes its deliveries on.
//!
//! A dead camera is a normal state. The supervisor connects to the camera before it starts a session, which costs nothing
//! while the camera is away: one that comes back is taken up within a second or two. The session takes the connection
//! over, since many cameras admit only one.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::border::{self, FootageRate, MessageRate};
use super::learned::Learned;
use super::rtsp::{authority, connect};
use super::session_program::SessionProgram;
use super::settings::{DecodeMode, Reader, Source, StreamSettings};
use super::wire::{self, FailureKind, InTime, Order, Report};
use base::backoff::{Backoff, scattered};
use base::channel;
use base::clock::{self, Clock as _, SystemClock};
use base::fault::ErrorKind;
use base::fragment::{Fragment, StreamFacts, StreamHealth, StreamRole};
use base::ids::{CameraId, Epoch};
use base::picture::{Frame, Picture};
use base::progress;
use base::status::{InputCounts, StreamState};

/// Shortest and longest wait between sessions that break for reasons that pass.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Shortest and longest wait between tries of a camera's port.
const PORT_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(1500));
/// Longest wait after a failure that a person has to correct.
const CONFIG_WAIT: Duration = Duration::from_secs(20);
/// A session that lived this long was a success: the next wait is the shortest again.
const SUCCESS: Duration = Duration::from_secs(20);
/// Time for a camera's port to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Wait before another reader tries a camera that was not understood; it may still hold the session that has ended.
const OTHER_READER_WAIT: Duration = Duration::from_secs(2);
/// A session reports every second; one that is silent for this long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(8);
/// Time for a message to be whole: the largest one takes a second on a slow box.
const MESSAGE_MAX: Duration = Duration::from_secs(20);
/// Interval of checking a silent session's stop and silence. One that works reports more often.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Time for a name to be resolved, or a killed session to be gone, before the stream counts as standing still.
const WORK_MAX: Duration = Duration::from_secs(120);
/// Time for a session to hand out its last fragment when it is stopped.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// Errors of the daemon's side of a stream.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// The child process cannot be started.
    #[error("cannot start a session with {}: {source}; is the program still installed?", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// GStreamer lacks something, or cannot run at all.
    #[error("GStreamer is not ready: {0}")]
    NotReady(String),
}

impl VideoError {
    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Spawn { .. } => ErrorKind::Transient,
            Self::NotReady(_) => ErrorKind::Config,
        }
    }
}

/// A change of a stream's state.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamReport {
    /// The camera.
    pub camera: CameraId,
    /// Main or sub stream.
    pub role: StreamRole,
    /// The present state.
    pub state: StreamState,
    /// Reason why it is not live, with the remedy, for a person.
    pub reason: Option<String>,
    /// Codec, size and time source, once they are known.
    pub facts: Option<StreamFacts>,
    /// Health of the stream while it goes on.
    pub health: StreamHealth,
}

/// Receiver of a stream's deliveries. Called on the stream's own thread; a slow call holds up that stream alone.
pub trait StreamSink: Send + 'static {
    /// A finished fragment.
    fn fragment(&mut self, fragment: Fragment);
    /// A decoded frame.
    fn frame(&mut self, frame: Frame);
    /// The stream's state has changed.
    fn report(&mut self, report: StreamReport);
    /// The counts of input that the stream's sessions had to skip so far have changed.
    fn input(&mut self, camera: &CameraId, role: StreamRole, input: InputCounts) {
        let _ = (camera, role, input);
    }
    /// Decode mode of the stream from now on. Asked after each message of the session, which sends one a second at least;
    /// without effect where [`StreamSettings::idle_gap_max`] is not set.
    fn decode_mode(&mut self) -> DecodeMode {
        DecodeMode::AllFrames
    }
    /// False where the states of the stream do not belong in the log.
    fn is_logged(&self) -> bool {
        true
    }
}

/// A supervised stream. Dropping it asks the stream to stop, and does not wait.
#[derive(Debug)]
pub struct StreamHandle {
    stopping: Arc<AtomicBool>,
    wake: SyncSender<()>,
    session: Arc<Mutex<Option<UnixStream>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl StreamHandle {
    /// Asks the stream to stop: its session hands out its last fragment and ends. Does not wait.
    pub fn ask_to_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Full means that a wake-up is already waiting.
        let _ = self.wake.try_send(());
        let session = self.session.lock();
        if let Some(socket) = session.as_ref() {
            // Fails only where the session has ended.
            let _ = socket.shutdown(std::net::Shutdown::Write);
        }
    }

    /// Asks and waits, a few seconds at most.
    pub fn stop(mut self) {
        self.ask_to_stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of a stream panicked");
        }
    }
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        self.ask_to_stop();
    }
}

/// Starts to keep `stream` alive, in a thread of its own.
pub fn supervise(stream: StreamSettings, program: SessionProgram, sink: Box<dyn StreamSink>) -> StreamHandle {
    let stopping = Arc::new(AtomicBool::new(false));
    let session = Arc::new(Mutex::new(None));
    let (wake, woken) = channel::blocking(1);
    let name = format!("{}-{}", stream.role, stream.camera);
    let mut supervisor = Supervisor {
        epoch: Epoch(0),
        state: None,
        facts: None,
        health: StreamHealth::default(),
        learned: Learned::default(),
        input: Input::default(),
        footage: FootageRate::new(stream.bits_per_second_max),
        sessions: Backoff::new(RECONNECT.0, RECONNECT.1),
        stopping: stopping.clone(),
        woken,
        session: session.clone(),
        stream,
        program,
        sink,
    };
    let thread = std::thread::Builder::new().name(name).spawn(move || supervisor.run());
    StreamHandle { stopping, wake, session, thread: Some(thread.expect("the system has a thread left")) }
}

/// Reason for which a stream with samples is not live.
const USELESS: &str = "the camera sends data, and none of it makes a picture: does it send the codec that it promises? Look at its encoder";

/// The init section of the next fragments, and the facts that it describes.
type Header = (Arc<[u8]>, Option<StreamFacts>);

/// Outcome of a wait for the camera.
enum Reached {
    /// A session may start; with the connection that it takes over, where it takes one.
    Ready(Option<TcpStream>),
    /// The stream is to stop.
    Stopped,
}

/// End of a session.
enum End {
    Stopped,
    OfFile,
    Broken(FailureKind, String),
}

/// Input skipped by the sessions that have ended, and by the present one; `told` is the sum that was reported last.
#[derive(Debug, Default)]
struct Input {
    ended: InputCounts,
    present: InputCounts,
    told: InputCounts,
}

struct Supervisor {
    stream: StreamSettings,
    program: SessionProgram,
    sink: Box<dyn StreamSink>,
    stopping: Arc<AtomicBool>,
    woken: Receiver<()>,
    /// The running session's socket, so that its end can be asked for from outside.
    session: Arc<Mutex<Option<UnixStream>>>,
    epoch: Epoch,
    state: Option<(StreamState, Option<String>)>,
    facts: Option<StreamFacts>,
    /// As it was reported last.
    health: StreamHealth,
    learned: Learned,
    input: Input,
    footage: FootageRate,
    sessions: Backoff,
}

impl Supervisor {
    fn run(&mut self) {
        let _unit = progress::begin(format!("{} of {}", self.stream.role, self.stream.camera), WORK_MAX);
        while let Reached::Ready(connection) = self.reach() {
            self.epoch.0 += 1;
            self.facts = None;
            self.health = StreamHealth::default();
            self.learned.session_begins();
            let started = Instant::now();
            let end = match self.start_session(connection) {
                Ok((child, socket)) => self.follow(child, socket),
                Err(error) => End::Broken(FailureKind::of(error.kind()), error.to_string()),
            };
            self.input.ended = self.input.ended.plus(std::mem::take(&mut self.input.present));
            if started.elapsed() > SUCCESS {
                self.sessions.reset();
            }
            match end {
                End::Stopped => return,
                End::OfFile => match self.stream.source {
                    Source::File { looped: true, .. } => {}
                    _ => {
                        self.enter(StreamState::Ended, None);
                        return;
                    }
                },
                End::Broken(kind, reason) => self.broke(kind, reason),
            }
        }
    }

    /// Notes a session's failure, and waits.
    fn broke(&mut self, kind: FailureKind, reason: String) {
        let has_changed = self.learned.session_broke(kind);
        if ErrorKind::from(kind) == ErrorKind::Config {
            self.enter(StreamState::Misconfigured, Some(reason));
            self.pause(scattered(CONFIG_WAIT));
            return;
        }
        self.enter(StreamState::BackingOff, Some(reason));
        let wait = self.sessions.next_wait();
        if !has_changed {
            return self.pause(wait);
        }
        if self.learned.reader() == Reader::Rtspsrc {
            let (camera, role) = (&self.stream.camera, self.stream.role);
            tracing::info!(%camera, %role, "the next session reads this camera with GStreamer's RTSP client");
        }
        self.pause(wait.max(OTHER_READER_WAIT));
    }

    /// Waits until the camera's port accepts, and returns the connection, where the session's reader takes one.
    fn reach(&mut self) -> Reached {
        let url = match &self.stream.source {
            Source::Rtsp(rtsp) => rtsp.url.clone(),
            Source::File { .. } => String::new(),
        };
        let is_passed_on = url.starts_with("rtsp:") && self.learned.reader() != Reader::Rtspsrc;
        // GStreamer connects by itself, and a camera may admit one connection: its port is not tried before, except for
        // a camera that is read over TLS and seems to be away.
        let is_tried = is_passed_on || (url.starts_with("rtsps:") && self.learned.was_away());
        let mut backoff = Backoff::new(PORT_RETRY.0, PORT_RETRY.1);
        while is_tried && !self.stopping.load(Ordering::Relaxed) {
            match connect(&authority(&url), CONNECT_TIMEOUT) {
                Ok(connection) => return Reached::Ready(is_passed_on.then_some(connection)),
                Err(error) => {
                    // A camera that cannot be reached is not the session's failure.
                    self.sessions.reset();
                    self.enter(StreamState::BackingOff, Some(error.to_string()));
                    self.pause(backoff.next_wait());
                }
            }
        }
        if self.stopping.load(Ordering::Relaxed) { Reached::Stopped } else { Reached::Ready(None) }
    }

    fn start_session(&mut self, connection: Option<TcpStream>) -> Result<(Child, UnixStream), VideoError> {
        let spawn_error = |source| VideoError::Spawn { program: self.program.program.clone(), source };
        let (mut ours, theirs) = UnixStream::pair().map_err(spawn_error)?;
        let mut command = self.program.command();
        command.env("GST_REGISTRY_UPDATE", "no").stdin(Stdio::from(OwnedFd::from(theirs)));
        if let Some(connection) = connection {
            command.stdout(Stdio::from(OwnedFd::from(connection)));
        }
        let child = command.spawn().map_err(spawn_error)?;
        // The command holds the child's end; a session that ends must close the socket.
        drop(command);
        self.enter(StreamState::Connecting, None);
        let order = Order::from(&self.stream).with(self.learned.reader(), self.learned.only_udp());
        if let Err(error) = wire::write(&mut ours, &order, &[]) {
            tracing::debug!(camera = %self.stream.camera, "the session did not take its order: {error}");
        }
        Ok((child, ours))
    }

    /// Passes the session's reports on until it ends; the child is dead when this returns.
    fn follow(&mut self, mut child: Child, socket: UnixStream) -> End {
        *self.session.lock() = socket.try_clone().ok();
        let end = self.receive(&socket);
        *self.session.lock() = None;
        let ended_by_itself = matches!(child.try_wait(), Ok(Some(_)));
        if !ended_by_itself && let Err(error) = child.kill() {
            tracing::error!(camera = %self.stream.camera, "cannot kill a session: {error}");
        }
        let status = child.wait();
        match (end, status) {
            (End::Broken(kind, reason), Ok(status)) if ended_by_itself => {
                End::Broken(kind, format!("{reason} ({status})"))
            }
            (end, _) => end,
        }
    }

    fn receive(&mut self, socket: &UnixStream) -> End {
        let mut init: Header = (Arc::from([]), None);
        let mut last_message = Instant::now();
        let mut stop_asked: Option<Instant> = None;
        let mut told = DecodeMode::default();
        let mut messages = MessageRate::default();
        let broken = |reason: String| End::Broken(FailureKind::Transient, reason);
        // A session that stops in the middle of a message must not hold this thread.
        if let Err(error) = socket.set_read_timeout(Some(SILENCE_MAX)) {
            return broken(format!("its socket: {error}"));
        }
        loop {
            progress::advance();
            if stop_asked.is_none() && self.stopping.load(Ordering::Relaxed) {
                stop_asked = Some(Instant::now());
                let _ = socket.shutdown(std::net::Shutdown::Write);
            }
            if stop_asked.is_some_and(|asked| asked.elapsed() > STOP_GRACE) {
                return End::Stopped;
            }
            if !readable(socket, CHECK_INTERVAL) {
                if last_message.elapsed() > SILENCE_MAX {
                    return broken(format!("the session has hung for {} s", SILENCE_MAX.as_secs()));
                }
                continue;
            }
            last_message = Instant::now();
            let sent = |reason: String| broken(format!("the session sent {reason}"));
            if let Err(reason) = messages.count(clock::monotonic()) {
                return sent(reason);
            }
            match wire::read::<Report>(&mut InTime::new(socket, Instant::now() + MESSAGE_MAX)) {
                Ok(Some((Report::Ended, _))) if self.stopping.load(Ordering::Relaxed) => return End::Stopped,
                Ok(Some((Report::Ended, _))) => return End::OfFile,
                Ok(Some((Report::Failed { kind, reason }, _))) => {
                    return End::Broken(kind, border::text(&reason));
                }
                Ok(Some((report, body))) => {
                    if let Err(reason) = self.pass_on(report, body, &mut init) {
                        return sent(reason);
                    }
                    if self.stream.idle_gap_max.is_some() {
                        self.tell(socket, &mut told);
                    }
                }
                Ok(None) => return broken("the session died".to_owned()),
                Err(error) => return broken(format!("the session died: {error}")),
            }
        }
    }

    /// Sends the decode mode to the session, where it has changed since the last time.
    fn tell(&mut self, mut socket: &UnixStream, told: &mut DecodeMode) {
        let wanted = self.sink.decode_mode();
        if wanted != *told {
            *told = wanted;
            // A session that does not read any more is detected by its silence.
            let _ = wire::write(&mut socket, &wanted, &[]);
        }
    }

    fn pass_on(&mut self, report: Report, body: Vec<u8>, init: &mut Header) -> Result<(), String> {
        match report {
            Report::Started { not_applied } => say_once(&not_applied),
            Report::Facts(facts) => {
                border::facts(&facts)?;
                self.facts = Some(facts);
            }
            Report::Alive { samples, health, input } => {
                if samples > 0 {
                    self.learned.delivered();
                }
                if samples > 0 && self.facts.is_some() && self.learned.is_useful() {
                    self.enter(StreamState::Live, None);
                    self.note(health);
                } else if samples > 0 && self.learned.is_useless() {
                    self.enter(StreamState::Connecting, Some(USELESS.to_owned()));
                }
                self.count(input);
            }
            Report::Note { text, only_udp } => self.found(&border::text(&text), only_udp),
            Report::Fragment { init_bytes, facts, pts, duration, starts_at, samples, start, is_break } => {
                let (new_init, bytes) =
                    wire::split_fragment(body, init_bytes).ok_or("a fragment that is too short")?;
                border::fragment(new_init.len(), bytes.len(), pts, duration, samples)?;
                facts.as_ref().map_or(Ok(()), border::facts)?;
                let now = SystemClock.now();
                let starts_at = border::stamp(starts_at, now)?;
                if !new_init.is_empty() {
                    init.0 = new_init.into();
                }
                if facts.is_some() {
                    init.1 = facts;
                }
                let facts = init.1.clone().ok_or("a fragment without saying what is in it")?;
                self.facts.get_or_insert_with(|| facts.clone());
                self.learned.sent_footage();
                if !self.footage.admits(bytes.len() + init.0.len(), start, now.monotonic) {
                    self.say_beyond();
                    return Ok(());
                }
                let (camera, epoch) = (self.stream.camera.clone(), self.epoch);
                let init = init.0.clone();
                self.sink.fragment(Fragment {
                    camera,
                    epoch,
                    init,
                    bytes,
                    pts,
                    duration,
                    starts_at,
                    samples,
                    facts,
                    start,
                    is_break,
                });
            }
            Report::Frame { width, height, format, colour, pts, at } => {
                border::picture(width, height)?;
                let at = border::stamp(at, SystemClock.now())?;
                let picture = Picture::new(width, height, format, colour, body).map_err(|e| e.to_string())?;
                self.learned.sent_footage();
                let (camera, epoch) = (self.stream.camera.clone(), self.epoch);
                self.sink.frame(Frame { camera, epoch, pts, at, picture });
            }
            Report::Ended | Report::Failed { .. } => {}
        }
        Ok(())
    }

    /// Says that footage is left out, once for each camera.
    fn say_beyond(&self) {
        if self.footage.left_out == 1 {
            let megabits = self.stream.bits_per_second_max / 1e6;
            let (camera, role) = (&self.stream.camera, self.stream.role);
            tracing::warn!(
                %camera, %role,
                "the camera sends more than {megabits} Mbit/s: footage beyond that is left out, and counted in the status; \
                 lower the camera's bit rate, or raise its megabits_per_second_max"
            );
        }
    }

    /// Notes the input that the present session had to skip; tells the sink where the sum has changed.
    fn count(&mut self, input: InputCounts) {
        self.input.present = InputCounts { fragments_left_out: 0, ..input };
        let left_out = InputCounts { fragments_left_out: self.footage.left_out, ..InputCounts::default() };
        let all = self.input.ended.plus(self.input.present).plus(left_out);
        if all != self.input.told {
            self.input.told = all;
            self.sink.input(&self.stream.camera, self.stream.role, all);
        }
    }

    /// Logs a session's finding about the camera, once.
    fn found(&mut self, text: &str, only_udp: bool) {
        if self.learned.note(text, only_udp) && self.sink.is_logged() {
            let (camera, role) = (&self.stream.camera, self.stream.role);
            tracing::info!(%camera, %role, "{text}");
        }
    }

    /// Notes the state; tells the sink and the log when it has changed.
    fn enter(&mut self, state: StreamState, reason: Option<String>) {
        // The same state with the same reason is no news.
        let unchanged = self.state.as_ref().is_some_and(|(known, why)| *known == state && *why == reason);
        if unchanged {
            return;
        }
        let (camera, role) = (&self.stream.camera, self.stream.role);
        match (state, &reason) {
            _ if !self.sink.is_logged() => {}
            (StreamState::Live, _) => tracing::info!(%camera, %role, epoch = %self.epoch, "live"),
            (StreamState::Connecting, None) => {
                tracing::debug!(%camera, %role, epoch = %self.epoch, "connecting")
            }
            (StreamState::Ended, _) => tracing::info!(%camera, %role, "the file has been played to its end"),
            (_, Some(reason)) => tracing::warn!(%camera, %role, "{reason}"),
            (_, None) => {}
        }
        self.state = Some((state, reason.clone()));
        let (camera, facts) = (camera.clone(), self.facts.clone());
        self.sink.report(StreamReport { camera, role, state, reason, facts, health: self.health });
    }

    /// Passes the stream's health on, where its noteworthy part has changed.
    fn note(&mut self, health: StreamHealth) {
        let is_news = health.is_news(&self.health);
        if !is_news {
            return;
        }
        let (camera, role) = (self.stream.camera.clone(), self.stream.role);
        let notes = health.notes(self.facts.as_ref());
        if self.sink.is_logged() && notes.len() > self.health.notes(self.facts.as_ref()).len() {
            tracing::warn!(%camera, %role, "{}", notes.join("; "));
        }
        self.health = health;
        let (state, facts) = (StreamState::Live, self.facts.clone());
        self.sink.report(StreamReport { camera, role, state, reason: None, facts, health });
    }

    /// Waits, unless the stream is to stop.
    fn pause(&self, wait: Duration) {
        // Woken, at the end of the wait, or without a handle any more: the caller checks `stopping`.
        let _ = progress::wait(|| self.woken.recv_timeout(wait));
    }
}

/// True if there is something to read, or the other end has closed, within `timeout`.
fn readable(socket: &UnixStream, timeout: Duration) -> bool {
    let timeout = Timespec::try_from(timeout).expect("a second is a timespec");
    poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// Logs the parts of the sandbox that could not be applied, once: they depend on the machine, not on a session.
fn say_once(not_applied: &[String]) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !not_applied.is_empty() && !SAID.swap(true, Ordering::Relaxed) {
        let said = border::text(&not_applied.join("; "));
        tracing::warn!("sessions run with a weaker sandbox on this machine: {said}");
    }
}
