//! Stills: up to three further pictures of each alert, out of the recorded main stream, for the duty officer.
//!
//! One thread of the lowest priority makes them, seconds after an alert is stored, and hands them to the store. It never holds
//! up an alert: an order for which its queue has no room is dropped and counted. `run` starts it; [`Decoder`] serves
//! `wardwatch picture`, too.

mod decoder;
mod maker;
mod picture;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config;
use base::alert::Alert;
use base::channel;
use base::detector::Detector;
use base::event::Phase;
use base::fragment::StreamRole;
use base::ids::CameraId;
use camera::SessionProgram;
use clipstore::Store;
pub use decoder::{DecodeError, Decoder};
use maker::Maker;
use plan::StillsOrder;
use wardlink::Publisher;

/// Orders that may wait; more are dropped.
const WAITING_MAX: usize = 16;
/// Time after an alert is stored at which its stills are made: the footage after the event is there by then.
const DELAY: Duration = Duration::from_secs(4);
/// Time for a session to decode one picture.
const DECODE_PATIENCE: Duration = Duration::from_secs(8);

/// The thread of the stills.
pub struct Stills {
    input: Option<StillsInput>,
    cameras: Cameras,
    /// Dropped to end the thread.
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Entry for stored alerts. Never blocks.
#[derive(Clone)]
pub struct StillsInput {
    queue: SyncSender<Waiting>,
    counts: Arc<StillCounts>,
}

/// Counts of stills since the start.
#[derive(Debug, Default)]
pub struct StillCounts {
    made: AtomicU64,
    lacking: AtomicU64,
}

/// An order that is due at a time.
struct Waiting {
    order: StillsOrder,
    due: Instant,
}

/// The cameras whose main stream is recorded, as they are configured now.
type Cameras = Arc<Mutex<BTreeMap<CameraId, config::Camera>>>;

impl Stills {
    /// Starts the thread. It decodes with sessions of `program`. `network` finds the persons that are to be hidden; without one, a
    /// camera that hides bystanders has no stills. An error: the system has no thread left.
    pub fn start(
        settings: &config::Settings,
        store: Store,
        publisher: Arc<Publisher>,
        program: SessionProgram,
        network: Option<Box<dyn Detector>>,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = channel::blocking(WAITING_MAX);
        let (end, ended) = channel::blocking(1);
        let (cameras, counts) = (Cameras::default(), Arc::<StillCounts>::default());
        let decoder = Decoder::new(program, DECODE_PATIENCE);
        let maker = Maker {
            store,
            publisher,
            decoder,
            network,
            cameras: cameras.clone(),
            counts: counts.clone(),
            ended,
            troubles: BTreeMap::new(),
        };
        let thread = std::thread::Builder::new().name("stills".into()).spawn(move || maker.run(&waiting))?;
        let input = Some(StillsInput { queue, counts });
        let stills = Self { input, cameras, end: Some(end), thread: Some(thread) };
        stills.set_cameras(settings);
        Ok(stills)
    }

    /// Entry for stored alerts.
    pub fn input(&self) -> Option<StillsInput> {
        self.input.clone()
    }

    /// The counts, for the telemetry thread.
    pub fn counts(&self) -> Option<Arc<StillCounts>> {
        self.input.as_ref().map(|input| input.counts.clone())
    }

    /// Applies the cameras' settings: privacy masks, and whether bystanders are hidden.
    pub fn set_cameras(&self, settings: &config::Settings) {
        let recorded = settings.cameras.iter().filter(|camera| is_recorded(camera));
        *self.cameras.lock() = recorded.map(|camera| (camera.camera.id.clone(), camera.clone())).collect();
    }

    /// Ends the thread. Orders that wait are dropped; stills that are made lie in the store. The alert writer has ended before.
    pub fn stop(&mut self) {
        (self.input, self.end) = (None, None);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the stills panicked");
        }
    }
}

impl StillsInput {
    /// Orders the stills of an alert that is stored, where it opens an event.
    pub fn order(&self, alert: &Alert) {
        if alert.phase != Phase::Opened {
            return;
        }
        let waiting = Waiting { order: StillsOrder::of(alert), due: Instant::now() + DELAY };
        if self.queue.try_send(waiting).is_err() {
            self.counts.lacking.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl StillCounts {
    /// Stills that were made.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Alerts that lack a still, for any reason.
    pub fn lacking(&self) -> u64 {
        self.lacking.load(Ordering::Relaxed)
    }
}

fn is_recorded(camera: &config::Camera) -> bool {
    camera.streams.iter().any(|stream| stream.role == StreamRole::Main && stream.record)
}
