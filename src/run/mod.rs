//! The composition root: builds every unit, owns the order in which they start and stop, and wires siblings together.
//! Only `cli` and `doctor` import it.
//!
//! ```text
//! streams ─ fragments ─► store                      publisher ─► broker
//!    └ frames ─► infer (detector, tracker, rules) ─► alerts ─► store ─┘ (outbox)
//! ```

#[cfg(feature = "demo")]
pub mod demo;
mod in_force;

pub use in_force::{InForce, Options};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::alerts::Alerts;
use crate::alerts::stills::Stills;
use crate::config::{self, Part};
use crate::infer::Factory;
use crate::infer::{self, Count, Scheduler};
use crate::telemetry::{Disk, StatusRegistry, Telemetry};
use analysis::rules::RuleSettings;
use base::clock::{self, SystemClock};
use base::fragment::{Fragment, StreamRole};
use base::ids::CameraId;
use base::picture::Frame;
use base::status::{InputCounts, StreamState};
use camera::{DecodeMode, SessionProgram, StreamHandle, StreamReport, StreamSink, prepare, supervise};
use clipstore::Store;
use detector::DetectError;
use wardlink::{PublishError, Publisher};

/// Time for the last alerts to leave when the daemon stops; the rest waits in the outbox.
const PUBLISH_GRACE: Duration = Duration::from_secs(2);
/// Time without a refused fragment after which the log says that recording is complete again.
const REFUSAL_OVER: Duration = Duration::from_secs(60);

/// Surroundings of a box, beside its configuration.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The program with the subcommand `session`, which reads a stream; `None` for the running program.
    pub program: Option<PathBuf>,
    /// Directory for the box's state and metrics, for an operator at the box (`telemetry::state`); `None` to write none.
    pub runtime_directory: Option<PathBuf>,
    /// User and group of the sessions that root starts (`doctor`); `None` for those of this process.
    pub session_user: Option<(u32, u32)>,
}

/// A reason why a box does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The detector of the configuration does not load.
    #[error("the detector cannot start")]
    Detector(#[source] DetectError),
    /// Certificates of the configuration do not read.
    #[error("the connection to the post cannot start")]
    Broker(#[source] PublishError),
    /// The machine is at fault: its disk, its libraries, its threads.
    #[error(transparent)]
    Machine(#[from] anyhow::Error),
}

/// The running box.
pub struct Daemon {
    part: Part,
    program: SessionProgram,
    store: Store,
    registry: Arc<StatusRegistry>,
    publisher: Arc<Publisher>,
    disk: Disk,
    alerts: Alerts,
    /// `None` where the box makes no stills.
    stills: Option<Stills>,
    scheduler: Scheduler,
    telemetry: Telemetry,
    cameras: BTreeMap<CameraId, Vec<StreamHandle>>,
}

impl Daemon {
    /// Starts everything: store first, so that each fragment of a camera has its place; cameras last.
    ///
    /// # Errors
    /// Faults to correct before the box can run at all: a model that does not load, a store that another process has, a
    /// GStreamer without plugins. A camera, a broker or a disk that is away is no error.
    pub fn start(settings: config::Settings, surroundings: Surroundings) -> Result<Self, StartError> {
        Self::begin(Part::from(settings), surroundings)
    }

    /// The same for a part of a configuration.
    ///
    /// # Errors
    /// As above. Nothing has been opened where the detector or the connection to the post is at fault.
    pub fn begin(part: Part, surroundings: Surroundings) -> Result<Self, StartError> {
        let detectors = Arc::new(Factory::new(&part.settings.detect).map_err(StartError::Detector)?);
        if part.broker_fault.is_none() {
            Publisher::check(&part.settings.broker).map_err(StartError::Broker)?;
        }
        Ok(Self::assemble(part, detectors, surroundings)?)
    }

    fn assemble(part: Part, detectors: Arc<Factory>, surroundings: Surroundings) -> anyhow::Result<Self> {
        let settings = &part.settings;
        let store = Store::open_when_possible(settings.store.clone(), Arc::new(SystemClock))
            .context("the store cannot be opened")?;
        let plugins = settings.store.directory.join("gstreamer-registry.bin");
        let mut session = SessionProgram::current(plugins);
        session.user = surroundings.session_user;
        if let Some(program) = surroundings.program {
            session.program = program;
        }
        prepare(&session)?;
        let registry = Arc::new(StatusRegistry::new(settings, store.clone()));
        let publisher = match &part.broker_fault {
            Some(reason) => Publisher::without_broker(reason.clone()),
            None => Publisher::start(settings.broker.clone(), Arc::new(store.clone()), registry.clone())
                .context("the publisher cannot start")?,
        };
        let publisher = Arc::new(publisher);
        registry.attach(publisher.clone());
        let disk = Disk::start(store.clone(), registry.clone())?;
        let stills = stills(settings, &store, &publisher, &session, &detectors)?;
        let input = stills.as_ref().and_then(Stills::input);
        let alerts = Alerts::start(settings, store.clone(), publisher.clone(), detectors.model(), input)?;
        let scheduler = Scheduler::start(&settings.detect, detectors.clone(), &alerts)?;
        let directory = surroundings.runtime_directory;
        let telemetry = Telemetry::start(
            settings,
            store.clone(),
            scheduler.counts(),
            stills.as_ref().and_then(Stills::counts),
            publisher.clone(),
            registry.clone(),
            directory,
        )?;
        let mut daemon = Self {
            program: session,
            store,
            registry,
            publisher,
            disk,
            alerts,
            stills,
            scheduler,
            telemetry,
            cameras: BTreeMap::new(),
            part,
        };
        for camera in daemon.part.settings.cameras.clone() {
            daemon.start_camera(&camera);
        }
        daemon.report_cameras_off();
        Ok(daemon)
    }

    /// Applies new settings. A camera whose streams are the same goes on recording, also where its zones, rules, masks or names
    /// are others.
    ///
    /// `false`, and nothing is changed, where they concern settings that all cameras share: then everything has to be
    /// started anew.
    pub fn reload(&mut self, part: Part) -> bool {
        let same_box = self.part.broker_fault == part.broker_fault && {
            let (old, new) = (&self.part.settings, &part.settings);
            old.ward == new.ward
                && old.box_id == new.box_id
                && old.timezone == new.timezone
                && old.language == new.language
                && old.store == new.store
                && old.broker == new.broker
                && old.detect == new.detect
        };
        if !same_box {
            return false;
        }
        let Part { settings: old, cameras_off, .. } = std::mem::replace(&mut self.part, part);
        cameras_off.keys().for_each(|id| self.registry.forget(id));
        self.alerts.set_cameras(&self.part.settings);
        if let Some(stills) = &self.stills {
            stills.set_cameras(&self.part.settings);
        }
        for camera in &old.cameras {
            let id = &camera.camera.id;
            let new = self.part.settings.cameras.iter().find(|new| new.camera.id == *id).cloned();
            match new {
                Some(new) if new.streams == camera.streams => {
                    let rules = rules_of(&self.part.settings, id);
                    let is_same = rules == rules_of(&old, id)
                        && new.masks == camera.masks
                        && new.looks_per_second_min == camera.looks_per_second_min;
                    if is_analysed(&new) && !is_same {
                        let now = clock::Clock::now(&SystemClock);
                        self.scheduler.replace(id, rules, &new.masks, new.looks_per_second_min, now);
                    }
                }
                _ => self.stop_camera(id),
            }
        }
        for camera in self.part.settings.cameras.clone() {
            if !self.cameras.contains_key(&camera.camera.id) {
                self.start_camera(&camera);
            }
        }
        self.report_cameras_off();
        true
    }

    /// Stops in reverse order: cameras deliver their last fragments, open events close, alerts are stored and sent.
    pub fn stop(mut self) {
        self.alerts.hurry();
        let ids: Vec<CameraId> = self.cameras.keys().cloned().collect();
        self.cameras.values().flatten().for_each(StreamHandle::ask_to_stop);
        for id in ids {
            self.stop_camera(&id);
        }
        self.telemetry.stop();
        self.scheduler.stop();
        self.alerts.stop();
        if let Some(stills) = &mut self.stills {
            stills.stop();
        }
        self.disk.stop();
        self.registry.detach();
        // The registry and the alerts have let go of it; if not, its own drop ends it.
        if let Ok(publisher) = Arc::try_unwrap(self.publisher) {
            publisher.stop(PUBLISH_GRACE);
        }
        self.store.close();
    }

    /// Notes what of the configuration is not in force, for the box's status.
    pub fn configuration_is(&self, faults: Vec<String>) {
        self.registry.configuration_is(faults);
    }

    /// The store, for reading its contents.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Counts of frames and inferences of the examined cameras.
    pub fn counts(&self) -> BTreeMap<CameraId, Count> {
        self.scheduler.counts().all()
    }

    fn report_cameras_off(&self) {
        self.part.cameras_off.iter().for_each(|(id, reason)| self.registry.misconfigured(id, reason));
    }

    fn start_camera(&mut self, camera: &config::Camera) {
        let id = &camera.camera.id;
        if is_analysed(camera) {
            let rules = rules_of(&self.part.settings, id);
            self.scheduler.add(id.clone(), rules, &camera.masks, camera.looks_per_second_min);
        }
        let mut handles = Vec::new();
        for stream in &camera.streams {
            self.registry.connecting(id, stream.role);
            let sink = CameraSink {
                store: self.store.clone(),
                frames: stream
                    .watch_fps_max
                    .map(|_| self.scheduler.input(id, &camera.masks, stream.idle_gap_max.is_some())),
                registry: self.registry.clone(),
                refused_at: None,
            };
            handles.push(supervise(stream.clone(), self.program.clone(), Box::new(sink)));
        }
        self.cameras.insert(id.clone(), handles);
    }

    fn stop_camera(&mut self, id: &CameraId) {
        let handles = self.cameras.remove(id).unwrap_or_default();
        handles.iter().for_each(StreamHandle::ask_to_stop);
        handles.into_iter().for_each(StreamHandle::stop);
        self.scheduler.remove(id, clock::Clock::now(&SystemClock));
        self.registry.forget(id);
    }
}

/// The thread of the stills, where they are wanted.
fn stills(
    settings: &config::Settings,
    store: &Store,
    publisher: &Arc<Publisher>,
    session: &SessionProgram,
    detectors: &Factory,
) -> std::io::Result<Option<Stills>> {
    if !settings.broker.stills {
        return Ok(None);
    }
    // The motion detector knows no persons. Masks are its business alone.
    let network = detectors.network().map(|_| detectors.for_camera(&[]));
    Stills::start(settings, store.clone(), publisher.clone(), session.clone(), network).map(Some)
}

fn is_analysed(camera: &config::Camera) -> bool {
    camera.streams.iter().any(|stream| stream.watch_fps_max.is_some())
}

fn rules_of(settings: &config::Settings, camera: &CameraId) -> Vec<RuleSettings> {
    settings.rules.iter().filter(|rule| rule.camera == *camera).cloned().collect()
}

/// Receiver of one stream's fragments, frames and reports.
struct CameraSink {
    store: Store,
    /// `None` for a stream that is only recorded.
    frames: Option<infer::Input>,
    registry: Arc<StatusRegistry>,
    /// Time of the last fragment that was refused, until its end is logged.
    refused_at: Option<Instant>,
}

impl StreamSink for CameraSink {
    fn fragment(&mut self, fragment: Fragment) {
        let camera = fragment.camera.clone();
        let refused = self.store.append(fragment).err();
        // A disk at its limit takes some fragments and refuses others.
        if let Some(error) = &refused {
            let is_new = self.refused_at.replace(Instant::now()).is_none();
            if is_new {
                tracing::error!(%camera, "recording loses footage: {error}");
            }
        } else if self.refused_at.take_if(|at| at.elapsed() >= REFUSAL_OVER).is_some() {
            tracing::info!(%camera, "recording is complete again");
        }
    }

    fn frame(&mut self, frame: Frame) {
        if let Some(frames) = &mut self.frames {
            frames.frame(frame);
        }
    }

    fn decode_mode(&mut self) -> DecodeMode {
        self.frames.as_ref().map_or(DecodeMode::AllFrames, infer::Input::decode_mode)
    }

    fn report(&mut self, report: StreamReport) {
        // A stream that will not be back at once ends the events that are open on its picture.
        let is_down = !matches!(report.state, StreamState::Live | StreamState::Connecting);
        if is_down && let Some(frames) = &self.frames {
            frames.lost(clock::Clock::now(&SystemClock));
        }
        self.registry.report(report);
    }

    fn input(&mut self, camera: &CameraId, role: StreamRole, input: InputCounts) {
        self.registry.input(camera, role, input);
    }
}
