//! The recorder: makes fragments of samples, which a thread of its own hands out. Never decodes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::mux::{MuxedFragment, Muxer};
use super::parts::Failure;
use super::units::Sample;
use super::wire::FailureKind;
use base::time::Stamp;

/// Bytes that may wait to be handed out. More means that the disk's side is blocked.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Records one session's samples.
pub(super) struct Recorder {
    muxer: Mutex<Muxer>,
    outgoing: Arc<Outgoing>,
}

#[derive(Default)]
struct Outgoing {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    fragments: VecDeque<MuxedFragment>,
    bytes: usize,
    /// Nothing more comes.
    is_closed: bool,
    /// All that came has been handed out.
    is_done: bool,
}

impl Recorder {
    /// Starts a recorder. Its thread calls `deliver` with each fragment; the call may block.
    pub fn start(deliver: impl Fn(MuxedFragment) + Send + 'static) -> Result<Arc<Self>, Failure> {
        let outgoing = Arc::<Outgoing>::default();
        let theirs = outgoing.clone();
        let thread = std::thread::Builder::new().name("session-record".into()).spawn(move || {
            while let Some(fragment) = theirs.take() {
                deliver(fragment);
            }
            theirs.lock().is_done = true;
            theirs.changed.notify_all();
        });
        thread.map_err(|error| Failure::new(FailureKind::Transient, error.to_string()))?;
        Ok(Arc::new(Self { muxer: Mutex::default(), outgoing }))
    }

    /// Takes a sample that is shown `shown` nanoseconds after the session's start and arrived `at`. Blocks while too much
    /// waits to be handed out.
    pub fn push(&self, sample: Sample, shown: u64, at: Stamp) {
        let ended = self.muxer().push(sample, shown, at);
        if let Some(fragment) = ended {
            self.outgoing.put(fragment);
        }
    }

    /// Hands out the unfinished fragment, and waits for all until `deadline`.
    pub fn finish(&self, deadline: Instant) {
        let last = self.muxer().finish();
        let mut waiting = self.outgoing.lock();
        waiting.fragments.extend(last);
        waiting.is_closed = true;
        self.outgoing.changed.notify_all();
        while !waiting.is_done && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.outgoing.changed.wait_for(&mut waiting, left);
        }
    }

    fn muxer(&self) -> MutexGuard<'_, Muxer> {
        self.muxer.lock()
    }
}

impl Outgoing {
    fn put(&self, fragment: MuxedFragment) {
        let mut waiting = self.lock();
        while waiting.bytes > WAITING_BYTES_MAX && !waiting.is_closed {
            self.changed.wait(&mut waiting);
        }
        waiting.bytes += fragment.bytes.len();
        waiting.fragments.push_back(fragment);
        self.changed.notify_all();
    }

    /// The next fragment; `None` when nothing more comes.
    fn take(&self) -> Option<MuxedFragment> {
        let mut waiting = self.lock();
        loop {
            if let Some(fragment) = waiting.fragments.pop_front() {
                waiting.bytes = waiting.bytes.saturating_sub(fragment.bytes.len());
                self.changed.notify_all();
                return Some(fragment);
            }
            if waiting.is_closed {
                return None;
            }
            self.changed.wait(&mut waiting);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }
}
