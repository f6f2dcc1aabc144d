//! State of one session: its findings about the stream, and the daemon's wishes.
//!
//! Plain values behind locks and atomics. The threads of the pipeline write them; the session's main loop reads and reports
//! them. Knows no pipeline, source or branch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::arrivals::Arrivals;
use super::parts::Failure;
use super::settings::DecodeMode;
use super::units::Counts;
use base::clock;
use base::fragment::StreamFacts;
use base::time::Monotonic;

/// Input that belonged to nothing, counted over the life of an RTSP client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ClientCounts {
    /// Bytes between packets that belonged to none.
    pub skipped_bytes: u64,
    /// Packets of channels or senders that were not agreed upon, or without RTP's look.
    pub foreign_packets: u64,
    /// Replies and header lines that no rule covers.
    pub odd_replies: u64,
}

/// State of one session, shared by the threads of its pipeline and its main loop.
pub(super) struct SessionState {
    started: Monotonic,
    samples: AtomicU64,
    last_sample: AtomicU64,
    last_key_frame: AtomicU64,
    facts: Mutex<Option<StreamFacts>>,
    counts: Mutex<Counts>,
    client_counts: Mutex<ClientCounts>,
    /// The camera is asked to play and has not answered yet: its reader has a timeout of its own.
    is_opening: AtomicBool,
    failure: Mutex<Option<Failure>>,
    arrivals: Arc<Arrivals>,
    is_keyframes_only: AtomicBool,
}

impl SessionState {
    pub(super) fn new() -> Self {
        let started = clock::monotonic();
        Self {
            started,
            samples: AtomicU64::new(0),
            last_sample: AtomicU64::new(started.as_nanos()),
            last_key_frame: AtomicU64::new(started.as_nanos()),
            facts: Mutex::new(None),
            counts: Mutex::default(),
            client_counts: Mutex::default(),
            is_opening: AtomicBool::new(false),
            failure: Mutex::new(None),
            arrivals: Arc::default(),
            is_keyframes_only: AtomicBool::new(false),
        }
    }

    /// Decode mode that the daemon wants.
    pub(super) fn decode_mode(&self) -> DecodeMode {
        if self.is_keyframes_only.load(Ordering::Relaxed) {
            DecodeMode::KeyframesOnly
        } else {
            DecodeMode::AllFrames
        }
    }

    pub(super) fn set_decode_mode(&self, decode_mode: DecodeMode) {
        self.is_keyframes_only.store(decode_mode == DecodeMode::KeyframesOnly, Ordering::Relaxed);
    }

    /// Number of samples that have arrived.
    pub(super) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Time at which the last sample arrived, or the camera began to play, or the session started.
    pub(super) fn last_sample(&self) -> Monotonic {
        Monotonic::from_nanos(self.last_sample.load(Ordering::Relaxed)).max(self.started)
    }

    /// Codec, size and time source; `None` until they are known.
    pub(super) fn facts(&self) -> Option<StreamFacts> {
        self.facts.lock().clone()
    }

    /// The first failure that a pipeline thread met.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().clone()
    }

    pub(super) fn set_facts(&self, facts: StreamFacts) {
        *self.facts.lock() = Some(facts);
    }

    pub(super) fn sample_arrived(&self, at: Monotonic, is_key_frame: bool) {
        self.samples.fetch_add(1, Ordering::Relaxed);
        self.last_sample.store(at.as_nanos(), Ordering::Relaxed);
        if is_key_frame {
            self.last_key_frame.store(at.as_nanos(), Ordering::Relaxed);
        }
    }

    /// Time without a key frame, up to the last sample.
    pub(super) fn since_key_frame(&self) -> Duration {
        let last_key_frame = Monotonic::from_nanos(self.last_key_frame.load(Ordering::Relaxed));
        self.last_sample().since(last_key_frame)
    }

    /// Counts of the camera's input that was skipped.
    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock()
    }

    pub(super) fn set_counts(&self, counts: Counts) {
        *self.counts.lock() = counts;
    }

    /// Counts of the input that the RTSP client skipped.
    pub(super) fn client_counts(&self) -> ClientCounts {
        *self.client_counts.lock()
    }

    pub(super) fn set_client_counts(&self, counts: ClientCounts) {
        *self.client_counts.lock() = counts;
    }

    /// True while the camera has not been brought to play.
    pub(super) fn is_opening(&self) -> bool {
        self.is_opening.load(Ordering::Relaxed)
    }

    /// The camera plays: from now on samples are due.
    pub(super) fn plays(&self) {
        let now = clock::monotonic().as_nanos();
        self.last_sample.store(now, Ordering::Relaxed);
        self.last_key_frame.store(now, Ordering::Relaxed);
        self.is_opening.store(false, Ordering::Relaxed);
    }

    /// The camera is asked to play, by a reader with a timeout of its own.
    pub(super) fn opens(&self) {
        self.is_opening.store(true, Ordering::Relaxed);
    }

    pub(super) fn arrivals(&self) -> Arc<Arrivals> {
        self.arrivals.clone()
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.failure.lock().get_or_insert(failure);
    }
}
