//! The inference scheduler: frames of all cameras go to a few worker threads. The thread that delivers a frame runs its
//! motion check. If inference is due, the frame waits for the camera's turn in the budget, the latest frame only. No
//! camera is served by two workers at once.
//!
//! Each camera has a [`CameraSlot`]. Its analysis is either in the slot (free) or with the thread that uses it (taken):
//!
//! ```text
//!   free ─ frame ────► taken by the delivering thread: motion check ───────────────► free
//!   free ─ next_job ─► taken by a worker: inference, loss, absence; motion checks ─► free
//!   taken ─ frame ───► the frame is pending; the thread that has the analysis takes its motion check before it ends
//! ```
//!
//! A worker in `next_job` takes the first that applies, and otherwise sleeps until a change or the earliest due time:
//!
//! ```text
//!   stopping                      ─► end
//!   a free slot lost its picture  ─► job: drop the waiting frame, close the events
//!   a free slot had no frame 5 s  ─► job: run the rules for a missing picture
//!   the budget has a turn now     ─► job: inference on the frame that waits in the slot
//!   the budget has a turn later   ─► sleep until then
//!   nothing waits                 ─► sleep until a change
//! ```

mod slot;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::analysis::Analysis;
use super::motion_check::MotionChecker;
use crate::alerts::{AlertInput, Alerts};
use crate::infer::{DetectorChoice, Factory, Settings};
use ::analysis::budget::{self, Budget, Tally, Turn};
use ::analysis::rules::RuleSettings;
use base::clock;
use base::fault::chain;
use base::geometry::Polygon;
use base::ids::CameraId;
use base::picture::Frame;
use base::progress::{self, WORK_MAX};
use base::time::Stamp;
use camera::DecodeMode;
use slot::{CameraSlot, PendingFrame};

/// Seconds of its share that a box may save up for a moment of more demand.
const BURST_SECONDS: f64 = 1.0;

/// Interval at which the rules run for a camera without a picture.
const ABSENCE_INTERVAL: Duration = Duration::from_secs(5);

/// The inference scheduler with its worker threads.
pub struct Scheduler {
    shared: Arc<Shared>,
    alerts: AlertInput,
    detectors: Arc<Factory>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    slots: BTreeMap<CameraId, CameraSlot>,
    budget: Budget<CameraId>,
    stopping: bool,
}

/// Work of one camera, taken by a worker from the scheduler state.
struct Job {
    camera: CameraId,
    analysis: Box<Analysis>,
    frame: Option<Frame>,
    lost: Option<Stamp>,
    /// There has been no picture for a while.
    absent: Option<Stamp>,
    failing: bool,
}

/// Entry for one camera's frames. Blocks no longer than a motion check and the thumbnails of its events take.
pub struct Input {
    shared: Arc<Shared>,
    alerts: AlertInput,
    camera: CameraId,
    motion_check: MotionChecker,
}

/// Counts of a camera's frames and inferences since it was added.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// Frames that were delivered.
    pub frames: u64,
    /// Frames on which something moved.
    pub moving: u64,
    /// Inferences; each examined frame takes one or two.
    pub inferences: u64,
    /// Demand on the budget, and the part of it that was served.
    pub tally: Tally,
}

impl Input {
    /// Takes a new frame, in place of one that still waits.
    pub fn frame(&mut self, frame: Frame) {
        let masks = self.shared.lock().slots.get_mut(&self.camera).and_then(|slot| slot.masks.take());
        if let Some(masks) = masks {
            self.motion_check.set_masks(&masks);
        }
        let check = self.motion_check.check(&frame);
        let mut state = self.shared.lock();
        let Some(slot) = state.slots.get_mut(&self.camera) else { return };
        slot.count(&check, frame.at.monotonic);
        let Some(analysis) = slot.analysis.take() else {
            // The analysis is in use: its user takes this frame in afterwards.
            slot.put(frame, check);
            return;
        };
        drop(state);
        let queue = vec![(frame, check)];
        self.shared.take_motion(&self.camera, analysis, queue, &self.alerts);
    }

    /// Decode mode that the stream needs after its last frame.
    pub fn decode_mode(&self) -> DecodeMode {
        self.motion_check.decode_mode()
    }

    /// Notes that the picture is gone: open events close.
    pub fn lost(&self, at: Stamp) {
        if let Some(slot) = self.shared.lock().slots.get_mut(&self.camera) {
            slot.lost = Some(at);
        }
        self.shared.changed.notify_all();
    }
}

impl Scheduler {
    /// Starts the threads that run inferences. An error: the system has no thread left.
    pub fn start(settings: &Settings, detectors: Arc<Factory>, alerts: &Alerts) -> std::io::Result<Self> {
        let budget = Budget::new(budget_settings(settings), clock::monotonic());
        let state = State { slots: BTreeMap::new(), budget, stopping: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let mut scheduler = Self { shared, alerts: alerts.input(), detectors, workers: Vec::new() };
        for number in 0..settings.workers.max(1) {
            let (shared, alerts) = (scheduler.shared.clone(), scheduler.alerts.clone());
            let thread = std::thread::Builder::new().name(format!("infer-{number}"));
            scheduler.workers.push(thread.spawn(move || shared.work(&alerts))?);
        }
        Ok(scheduler)
    }

    /// Entry for the frames of a camera that was added; there is one for each. Motion in `masks` does not count. With
    /// `controls_decoding`, the entry chooses the stream's decode mode too.
    pub fn input(&self, camera: &CameraId, masks: &[Polygon], controls_decoding: bool) -> Input {
        Input {
            shared: self.shared.clone(),
            alerts: self.alerts.clone(),
            camera: camera.clone(),
            motion_check: MotionChecker::new(masks, self.detectors.gates_analysis(), controls_decoding),
        }
    }

    /// Adds a camera with its rules; inferences are at least `inferences_per_second_min` while something moves.
    pub fn add(
        &self,
        camera: CameraId,
        rules: Vec<RuleSettings>,
        masks: &[Polygon],
        inferences_per_second_min: f32,
    ) {
        let is_gated = self.detectors.gates_analysis();
        let analysis = Analysis::new(camera.clone(), self.detectors.for_camera(masks), rules, is_gated);
        let mut state = self.shared.lock();
        state.budget.add(camera.clone(), inferences_per_second_min);
        state.slots.insert(camera, CameraSlot::new(analysis, clock::monotonic()));
    }

    /// Gives a camera other rules and masks. Its [`Input`] stays: the stream goes on. Open events close, and tracks begin
    /// anew. Waits for the inference that is under way.
    pub fn replace(
        &self,
        camera: &CameraId,
        rules: Vec<RuleSettings>,
        masks: &[Polygon],
        looks_per_second_min: f32,
        at: Stamp,
    ) {
        self.remove(camera, at);
        self.add(camera.clone(), rules, masks, looks_per_second_min);
        if let Some(slot) = self.shared.lock().slots.get_mut(camera) {
            slot.masks = Some(masks.to_vec());
        }
    }

    /// Closes the camera's open events and removes it. Waits for the inference that is under way.
    pub fn remove(&self, camera: &CameraId, at: Stamp) {
        let mut state = self.shared.lock();
        while state.slots.get(camera).is_some_and(|slot| slot.analysis.is_none()) {
            self.shared.changed.wait(&mut state);
        }
        let slot = state.slots.remove(camera);
        state.budget.remove(camera);
        drop(state);
        if let Some(mut analysis) = slot.and_then(|slot| slot.analysis) {
            analysis.close_all(at).into_iter().for_each(|event| self.alerts.send(event));
        }
    }

    /// The counts, for the telemetry thread.
    pub fn counts(&self) -> Counts {
        Counts(self.shared.clone())
    }

    /// Ends the workers. The cameras have been removed before.
    pub fn stop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("an inference thread panicked");
            }
        }
    }
}

/// The cameras' counts, and the budget's input for the temperature.
pub struct Counts(Arc<Shared>);

impl Counts {
    /// Counts of every camera.
    pub fn all(&self) -> BTreeMap<CameraId, Count> {
        let state = self.0.lock();
        let count = |(camera, slot): (&CameraId, &CameraSlot)| {
            let CameraSlot { frames, moving, inferences, .. } = *slot;
            let count = Count { frames, moving, inferences, tally: state.budget.tally(camera) };
            (camera.clone(), count)
        };
        state.slots.iter().map(count).collect()
    }

    /// Passes the temperature, where it is known, to the budget. Returns the fraction of the share that this leaves.
    pub fn feel(&self, celsius: Option<f32>) -> f64 {
        let mut state = self.0.lock();
        if let Some(celsius) = celsius {
            state.budget.temperature(clock::monotonic(), celsius);
        }
        state.budget.throttle()
    }
}

/// Budget of a network: its share of the box, at most the workers' capacity. The motion detector, which costs no more
/// than a motion check, is not held to a share; nor is a network that is to see every frame.
fn budget_settings(settings: &Settings) -> budget::Settings {
    let cores = std::thread::available_parallelism().map_or(1.0, |cores| usize::from(cores) as f64);
    let workers = settings.workers.max(1) as f64;
    let has_share = settings.detector != DetectorChoice::Motion && !settings.every_frame;
    let share = if has_share { cores * f64::from(settings.cpu_share_max) } else { 1e6 };
    budget::Settings {
        cpu_seconds_per_second: if has_share { share.min(workers) } else { share },
        burst_seconds: BURST_SECONDS,
        temperature_celsius_max: if has_share { settings.temperature_celsius_max } else { f32::MAX },
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is changed in single steps: a panicking holder leaves nothing half-done behind.
        self.state.lock()
    }

    /// Takes the motion checks of `queue`, and of frames that come meanwhile, into the analysis, and gives it back to the
    /// camera's scheduler state. The last frame waits there if inference is due.
    fn take_motion(
        &self,
        camera: &CameraId,
        mut analysis: Box<Analysis>,
        mut queue: Vec<PendingFrame>,
        alerts: &AlertInput,
    ) {
        loop {
            for (frame, check) in queue {
                let after_motion = catch_unwind(AssertUnwindSafe(|| analysis.take_motion(&frame, &check)));
                let want = match after_motion {
                    Ok(after_motion) => {
                        after_motion.events.into_iter().for_each(|event| alerts.send(event));
                        after_motion.want
                    }
                    Err(_) => {
                        tracing::error!(%camera, "the motion check of a frame panicked; the frame is skipped");
                        None
                    }
                };
                let mut state = self.lock();
                state.budget.frame(clock::monotonic(), camera, want);
                if let Some(slot) = state.slots.get_mut(camera) {
                    slot.frame = want.map(|_| frame);
                }
            }
            let mut state = self.lock();
            let Some(slot) = state.slots.get_mut(camera) else { return };
            queue = slot.take_pending();
            if queue.is_empty() {
                slot.analysis = Some(analysis);
                break;
            }
        }
        // Beside the workers, `remove` may be waiting: a single wake-up could go to it, and be lost.
        self.changed.notify_all();
    }

    fn work(&self, alerts: &AlertInput) {
        let _unit = progress::begin("the inference on a frame", WORK_MAX);
        while let Some(mut job) = progress::wait(|| self.next_job()) {
            let before = clock::thread_cpu();
            let outcome = catch_unwind(AssertUnwindSafe(|| infer(&mut job, alerts)));
            let (inferences, pixels) = outcome.unwrap_or_else(|_| {
                tracing::error!(camera = %job.camera, "the analysis of a frame panicked; the frame is skipped");
                (0, 0)
            });
            let cpu = clock::thread_cpu().saturating_sub(before);
            let mut state = self.lock();
            state.budget.done(&job.camera, pixels, cpu);
            let Some(slot) = state.slots.get_mut(&job.camera) else { continue };
            slot.failing = job.failing;
            slot.inferences += inferences;
            let queue = slot.take_pending();
            drop(state);
            self.take_motion(&job.camera, job.analysis, queue, alerts);
        }
    }

    /// Waits for work; `None` to stop. First come cameras that have lost their picture, then those that have had none for
    /// [`ABSENCE_INTERVAL`], then the one that has its turn in the budget.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            let State { slots, budget, .. } = &mut *state;
            let lost = slots.iter_mut().find(|(_, slot)| slot.lost.is_some() && slot.analysis.is_some());
            if let Some((camera, slot)) = lost {
                // A frame from before the loss must not be examined after it.
                if slot.frame.take().is_some() {
                    budget.frame(clock::monotonic(), camera, None);
                }
                if let Some(job) = job_of(camera, slot) {
                    return Some(job);
                }
            }
            let now = clock::monotonic();
            let mut absent =
                slots.iter_mut().filter(|(_, slot)| slot.absent_from().is_some_and(|then| then <= now));
            if let Some((camera, slot)) = absent.next() {
                slot.heard_at = now;
                if let Some(job) = job_of(camera, slot) {
                    return Some(Job { absent: Some(clock::Clock::now(&clock::SystemClock)), ..job });
                }
            }
            let is_free = |camera: &CameraId| slots.get(camera).is_some_and(|slot| slot.analysis.is_some());
            let patience = match budget.next(now, is_free) {
                Turn::Inference(camera) => {
                    if let Some(job) = slots.get_mut(&camera).and_then(|slot| job_of(&camera, slot)) {
                        return Some(job);
                    }
                    budget.done(&camera, 0, Duration::ZERO);
                    continue;
                }
                Turn::At(then) => Some(then.since(now)),
                Turn::Nobody => None,
            };
            let absent = slots.values().filter_map(CameraSlot::absent_from).min().map(|then| then.since(now));
            let patience = [patience, absent].into_iter().flatten().min();
            match patience {
                Some(patience) => {
                    self.changed.wait_for(&mut state, patience);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }
}

/// Takes the work of a camera from its scheduler state; `None` while its analysis is in use.
fn job_of(camera: &CameraId, slot: &mut CameraSlot) -> Option<Job> {
    let analysis = slot.analysis.take()?;
    let (frame, lost) = (slot.frame.take(), slot.lost.take());
    Some(Job { camera: camera.clone(), analysis, frame, lost, absent: None, failing: slot.failing })
}

/// Runs inference on the job's frame, and sends the events of its rules. Returns the number of inferences and their
/// pixels.
fn infer(job: &mut Job, alerts: &AlertInput) -> (u64, u64) {
    let mut cost = (0, 0);
    if let Some(frame) = job.frame.take() {
        match job.analysis.infer(&frame) {
            Ok(inferred) => {
                job.failing = false;
                cost = (inferred.parts.len() as u64, inferred.pixels());
                inferred.events.into_iter().for_each(|event| alerts.send(event));
            }
            Err(error) if !job.failing => {
                job.failing = true;
                tracing::error!(camera = %job.camera, "inference fails, its rules do not fire: {}", chain(&error));
            }
            Err(_) => {}
        }
    }
    if let Some(at) = job.lost.take() {
        job.analysis.close_all(at).into_iter().for_each(|event| alerts.send(event));
    }
    if let Some(at) = job.absent.take() {
        job.analysis.absent(at).into_iter().for_each(|event| alerts.send(event));
    }
    cost
}
