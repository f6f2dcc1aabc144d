//! Turns events into alerts. The thread that examined the frame draws the thumbnail and composes the message. One thread,
//! the alert writer ([`AlertWriter`]), has it stored, so that a slow disk holds up no detector. Another one makes the further
//! pictures of stored alerts ([`stills`]).

mod best_frame;
pub mod stills;
pub mod thumbnail;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use jiff::tz::TimeZone;
use parking_lot::Mutex;

use crate::config;
use base::alert::{AlertDraft, ClipRef, ModelRef, Thumbnail};
use base::channel;
use base::fault::chain;
use base::ids::{BoxId, CameraId, RuleId, WardId};
use base::language::Language;
use base::progress;
pub use best_frame::{BestFrameSelector, SentEvent, Snapshot};
use clipstore::Store;
use stills::StillsInput;
use thumbnail::{Caption, Mark, Redaction, RuleOutlines};
use wardlink::Publisher;
use writer::AlertWriter;

/// Alerts that may wait for the alert writer before detection waits too.
const WAITING_MAX: usize = 64;

/// The thread of the alert writer.
pub struct Alerts {
    input: AlertInput,
    /// Dropped to end the waiting for a store that fails.
    patience: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Entry for events. Blocks while [`WAITING_MAX`] alerts wait for the disk.
#[derive(Clone)]
pub struct AlertInput {
    queue: SyncSender<Waiting>,
    cameras: Arc<Mutex<BTreeMap<CameraId, config::Camera>>>,
    /// The zone or line of each rule, for its thumbnails.
    outlines: Arc<Mutex<RuleOutlines>>,
    timezone: TimeZone,
    language: Language,
    ward: WardId,
    box_id: BoxId,
    model: ModelRef,
}

/// Entry of the queue to the alert writer.
pub enum Waiting {
    /// An alert.
    Alert(Box<AlertDraft>),
    /// The end of the queue.
    End,
}

impl Alerts {
    /// Starts the alert writer, which orders `stills` of each stored alert. An error: the system has no thread left.
    pub fn start(
        settings: &config::Settings,
        store: Store,
        publisher: Arc<Publisher>,
        model: ModelRef,
        stills: Option<StillsInput>,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = channel::blocking(WAITING_MAX);
        let (patience, impatience) = channel::blocking(1);
        let writer = AlertWriter::new(store, publisher, impatience, stills);
        let thread = std::thread::Builder::new().name("alerts".into()).spawn(move || writer.run(&waiting))?;
        let input = AlertInput {
            queue,
            cameras: Arc::default(),
            outlines: Arc::default(),
            timezone: settings.timezone.clone(),
            language: settings.language,
            ward: settings.ward.clone(),
            box_id: settings.box_id.clone(),
            model,
        };
        let alerts = Self { input, patience: Some(patience), thread: Some(thread) };
        alerts.set_cameras(settings);
        Ok(alerts)
    }

    /// The entry for events of one more camera or thread.
    pub fn input(&self) -> AlertInput {
        self.input.clone()
    }

    /// Applies the cameras' settings: names, pre-roll and post-roll, privacy masks, and the places of their rules.
    pub fn set_cameras(&self, settings: &config::Settings) {
        let cameras =
            settings.cameras.iter().map(|camera| (camera.camera.id.clone(), camera.clone())).collect();
        *self.input.cameras.lock() = cameras;
        *self.input.outlines.lock() = thumbnail::by_rule(settings);
    }

    /// Ends the waiting for a store that does not take an alert, since the daemon stops.
    pub fn hurry(&mut self) {
        self.patience = None;
    }

    /// Has the waiting alerts stored, and ends the thread.
    pub fn stop(&mut self) {
        // An error means that the thread has gone already, which the join reports.
        let _ = self.input.queue.send(Waiting::End);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the alert writer's thread panicked");
        }
    }
}

impl AlertInput {
    /// Makes an alert of an event, with a thumbnail of its snapshot.
    pub fn send(&self, sent: SentEvent) {
        let SentEvent { event, snapshot } = sent;
        let camera = self.cameras.lock().get(&event.camera).cloned();
        let Some(camera) = camera else {
            tracing::error!(camera = %event.camera, "an alert was dropped: its camera is not in the configuration");
            return;
        };
        let thumbnail = snapshot.and_then(|snapshot| self.thumbnail(&camera, &event.rule.id, &snapshot));
        let clip = ClipRef {
            reference: event.id.to_string(),
            starts_at: event.opened_at.wall - camera.pre_roll,
            ends_at: event.closed_at.map(|closed| closed.wall + camera.post_roll),
            sha256: None,
        };
        let draft = AlertDraft {
            event,
            ward: self.ward.clone(),
            box_id: self.box_id.clone(),
            camera: camera.camera,
            model: self.model.clone(),
            clip,
            thumbnail,
        };
        // The thread that examined the frame waits where the disk does not keep up.
        if progress::wait(|| self.queue.send(Waiting::Alert(Box::new(draft)))).is_err() {
            tracing::error!("an alert was dropped: the alert writer has ended");
        }
    }

    fn thumbnail(&self, camera: &config::Camera, rule: &RuleId, snapshot: &Snapshot) -> Option<Thumbnail> {
        let place = (camera.camera.id.clone(), rule.clone());
        let outlines = self.outlines.lock().get(&place).cloned().unwrap_or_default();
        let marks: Vec<Mark> = snapshot.marks(self.language);
        let local = snapshot.at.to_timestamp().to_zoned(self.timezone.clone());
        let when = local.strftime(self.language.time_format()).to_string();
        let caption = Caption { place: camera.camera.name.clone(), when };
        let bystanders = if camera.hide_bystanders { snapshot.bystanders.as_slice() } else { &[] };
        let redaction = Redaction { masks: &camera.privacy_masks, bystanders };
        thumbnail::render(&snapshot.picture, &marks, &outlines, &redaction, &caption)
            .inspect_err(
                |error| tracing::error!(camera = %camera.camera.id, "the alert is sent without a thumbnail: {}", chain(error)),
            )
            .ok()
    }
}
