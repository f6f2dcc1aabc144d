//! Frames of all cameras to a few worker threads: latest frame wins, the camera that has waited longest is next, and no
//! camera is looked at by two workers at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::alerts::{AlertInput, Alerts};
use super::analysis::Analysis;
use crate::domain::fault::chain;
use crate::domain::ids::CameraId;
use crate::domain::picture::Frame;
use crate::domain::time::Stamp;

/// The worker threads.
pub(super) struct Watch {
    shared: Arc<Shared>,
    alerts: AlertInput,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    desks: BTreeMap<CameraId, Desk>,
    /// Counts turns; a desk remembers its last one.
    turn: u64,
    stopping: bool,
}

/// One camera's place.
struct Desk {
    /// `None` while a worker has it.
    analysis: Option<Box<Analysis>>,
    frame: Option<Frame>,
    /// The picture went away at this time, after what was seen before.
    lost: Option<Stamp>,
    served: u64,
    failing: bool,
}

/// What a worker takes from a desk.
struct Job {
    camera: CameraId,
    analysis: Box<Analysis>,
    frame: Option<Frame>,
    lost: Option<Stamp>,
    failing: bool,
}

/// Where one camera's frames go in. Never blocks for long.
#[derive(Clone)]
pub(super) struct Input {
    shared: Arc<Shared>,
    camera: CameraId,
}

impl Input {
    /// A new frame, in place of one that nobody looked at.
    pub(super) fn frame(&self, frame: Frame) {
        self.with_desk(|desk| desk.frame = Some(frame));
    }

    /// The picture is gone: what is open ends.
    pub(super) fn lost(&self, at: Stamp) {
        self.with_desk(|desk| desk.lost = Some(at));
    }

    fn with_desk(&self, change: impl FnOnce(&mut Desk)) {
        if let Some(desk) = self.shared.lock().desks.get_mut(&self.camera) {
            change(desk);
            // Not only a worker may be waiting: a single waking could go to `remove`, and be lost.
            self.shared.changed.notify_all();
        }
    }
}

impl Watch {
    pub(super) fn start(workers: usize, alerts: &Alerts) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let mut watch = Self { shared, alerts: alerts.input(), workers: Vec::new() };
        for number in 0..workers.max(1) {
            let (shared, alerts) = (watch.shared.clone(), watch.alerts.clone());
            let body = move || shared.work(&alerts);
            watch.workers.push(std::thread::Builder::new().name(format!("watch-{number}")).spawn(body)?);
        }
        Ok(watch)
    }

    pub(super) fn input(&self, camera: &CameraId) -> Input {
        Input { shared: self.shared.clone(), camera: camera.clone() }
    }

    pub(super) fn add(&self, camera: CameraId, analysis: Analysis) {
        let desk =
            Desk { analysis: Some(Box::new(analysis)), frame: None, lost: None, served: 0, failing: false };
        self.shared.lock().desks.insert(camera, desk);
    }

    /// Ends what is open on this camera and forgets it. Waits for the look that is under way.
    pub(super) fn remove(&self, camera: &CameraId, at: Stamp) {
        let mut state = self.shared.lock();
        while state.desks.get(camera).is_some_and(|desk| desk.analysis.is_none()) {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let desk = state.desks.remove(camera);
        drop(state);
        if let Some(mut analysis) = desk.and_then(|desk| desk.analysis) {
            analysis.close_all(at).into_iter().for_each(|event| self.alerts.send(event, None));
        }
    }

    /// Ends the workers. Cameras have been removed before.
    pub(super) fn stop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a watch thread had panicked");
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is changed in single steps: a panicking holder leaves nothing half-done behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, alerts: &AlertInput) {
        while let Some(mut job) = self.next_job() {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look(&mut job, alerts)));
            if outcome.is_err() {
                tracing::error!(camera = %job.camera, "the analysis of a frame panicked; the frame is skipped");
            }
            let mut state = self.lock();
            if let Some(desk) = state.desks.get_mut(&job.camera) {
                desk.analysis = Some(job.analysis);
                desk.failing = job.failing;
            }
            drop(state);
            // A worker may wait for another camera's frame, `remove` for this desk.
            self.changed.notify_all();
        }
    }

    /// Waits for the camera that was served longest ago among those that have something; `None` to stop.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            state.turn += 1;
            let turn = state.turn;
            let waiting = state
                .desks
                .iter_mut()
                .filter(|(_, desk)| desk.analysis.is_some() && (desk.frame.is_some() || desk.lost.is_some()));
            if let Some((camera, desk)) = waiting.min_by_key(|(_, desk)| desk.served)
                && let Some(analysis) = desk.analysis.take()
            {
                desk.served = turn;
                let (frame, lost) = (desk.frame.take(), desk.lost.take());
                return Some(Job { camera: camera.clone(), analysis, frame, lost, failing: desk.failing });
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Looks at the job's frame, and passes on what its rules say.
fn look(job: &mut Job, alerts: &AlertInput) {
    if let Some(frame) = job.frame.take() {
        match job.analysis.look(&frame) {
            Ok(looked) => {
                job.failing = false;
                looked.events.into_iter().for_each(|event| alerts.send(event, Some(&frame.picture)));
            }
            Err(error) if !job.failing => {
                job.failing = true;
                tracing::error!(camera = %job.camera, "cannot look at its frames: {}", chain(&error));
            }
            Err(_) => {}
        }
    }
    if let Some(at) = job.lost.take() {
        job.analysis.close_all(at).into_iter().for_each(|event| alerts.send(event, None));
    }
}
