//! Cameras without TLS: one thread reads a camera's connection and passes its packets on.
//!
//! GStreamer's `rtspsrc` wakes several threads for every packet, and costs more than everything behind it; no client
//! that could be had reads the replies of cameras that break the standard. The thread blocks in plain sockets: a stream that is
//! only recorded is read ten times a second, which no timer of an asynchronous runtime does cheaper.

mod authentication;
mod client;
mod connection;
mod dialogue;
mod error;
#[cfg(test)]
mod fuzz;
mod interleaved;
mod keep_alive;
mod message;
mod sdp;
mod transport;
mod udp;
mod url;
#[cfg(test)]
mod zoo;

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

pub(super) use connection::connect;

use super::branches::Branches;
use super::feed::Feed;
use super::parts::Failure;
use super::settings::{KeepAliveBy, RtspSource};
use super::units::Packet;
use super::wire::FailureKind;
use base::channel;
use client::Client;
use error::RtspError;

/// Longest wait for packets, after which the end of the session is looked at.
const PATIENCE: Duration = Duration::from_millis(250);
/// A stream that is only recorded is read this often, and waits in the kernel meanwhile: each read costs a wake-up.
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes since the last pause above which no pause is made: the kernel's room is 128 KiB at first, and a camera
/// that finds it full may throw samples away.
const PAUSE_BYTES_MAX: usize = 48 * 1024;
/// Pause for datagrams, whose room in the kernel may hold no more than a hundred.
const PAUSE_OF_DATAGRAMS: Duration = Duration::from_millis(4);

/// Host and port of a camera's address, the port filled in.
pub(super) fn authority(url: &str) -> String {
    url::Url::parse(url).map_or_else(|| url.to_owned(), |url| url.host_and_port())
}

impl From<RtspError> for Failure {
    fn from(error: RtspError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

/// The thread that reads a camera, as the rest of its session sees it.
pub(super) struct Reading {
    is_ending: AtomicBool,
    ended: Mutex<Receiver<()>>,
    note: Mutex<Option<(&'static str, bool)>>,
    feed: OnceLock<Arc<Feed>>,
}

impl Reading {
    /// Asks the thread to take leave of the camera and to end. Does not wait.
    pub(super) fn ask_to_end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Waits until the thread has ended.
    pub(super) fn wait_for_end(&self, patience: Duration) {
        // Ended, or too late.
        let _ = self.ended.lock().recv_timeout(patience);
    }

    /// Entry of the samples, once the camera has described its stream.
    pub(super) fn feed(&self) -> Option<Arc<Feed>> {
        self.feed.get().cloned()
    }

    /// Something that a person should know once, and whether the camera sends datagrams alone. Given once.
    pub(super) fn take_note(&self) -> Option<(&'static str, bool)> {
        self.note.lock().take()
    }
}

/// Starts to read the camera in a thread of its own, over `connection` where one is open already.
pub(super) fn start(
    rtsp: RtspSource,
    keep_alive: KeepAliveBy,
    connection: Option<TcpStream>,
    branches: Branches,
) -> Result<Arc<Reading>, Failure> {
    let (end, ended) = channel::blocking(1);
    let reading = Arc::new(Reading {
        is_ending: AtomicBool::new(false),
        ended: Mutex::new(ended),
        note: Mutex::new(None),
        feed: OnceLock::new(),
    });
    branches.session.opens();
    let theirs = reading.clone();
    let thread = std::thread::Builder::new()
        .name("session-rtsp".into())
        .spawn(move || read(&rtsp, keep_alive, connection, &branches, &theirs, &end));
    thread.map_err(|error| Failure::new(FailureKind::Transient, error.to_string()))?;
    Ok(reading)
}

/// Reads until the session ends, or the stream does. `end` is told when the camera knows.
fn read(
    rtsp: &RtspSource,
    keep_alive: KeepAliveBy,
    connection: Option<TcpStream>,
    branches: &Branches,
    reading: &Reading,
    end: &SyncSender<()>,
) {
    let failure = match Client::open(rtsp, keep_alive, connection) {
        Ok(mut client) => {
            let note = client.note().map(|note| (note, client.is_udp()));
            *reading.note.lock() = note;
            let failure = follow(&mut client, branches, reading).err();
            client.end();
            failure
        }
        Err(error) => Some(error.into()),
    };
    if let Some(failure) = failure {
        branches.session.fail(failure);
    }
    // Nobody may be waiting.
    let _ = end.try_send(());
}

/// Passes on the packets of the camera, until the session is to end.
fn follow(client: &mut Client, branches: &Branches, reading: &Reading) -> Result<(), Failure> {
    let feed = Feed::new(client.media(), branches);
    // The cell is filled once: a session reads one camera.
    let _ = reading.feed.set(feed.clone());
    branches.session.plays();
    let pause = if client.is_udp() { PAUSE_OF_DATAGRAMS } else { PAUSE };
    let is_at_leisure = !branches.is_analysed() || client.is_udp();
    let mut packets: Vec<Packet> = Vec::new();
    let mut has_come = false;
    while !reading.is_ending.load(Ordering::Relaxed) {
        let bytes = client.read(&mut packets, PATIENCE)?;
        if !has_come && !packets.is_empty() {
            // A camera that wakes its encoder first has its time for a picture from here on.
            has_come = true;
            branches.session.plays();
        }
        for packet in packets.drain(..) {
            feed.push(&packet)?;
        }
        branches.session.set_client_counts(client.counts());
        if is_at_leisure && bytes <= PAUSE_BYTES_MAX {
            std::thread::sleep(pause);
        }
    }
    Ok(())
}
