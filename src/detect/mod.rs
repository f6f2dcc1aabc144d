//! Detection on decoded frames: a network run by tract, or the built-in motion detector.
//!
//! Owns everything about networks: their manifests, files, input and output. Never knows a camera beyond its pictures,
//! never queues, never reads a clock. `agent` makes one [`Factory`] and asks it for a detector per camera;
//! `cli` lists, checks and measures networks.

pub mod budget;
mod error;
pub mod eval;
mod gate;
mod heads;
mod manifest;
mod model;
mod motion;
mod network;
mod nms;
mod preprocess;
pub mod regions;
mod settings;

use std::sync::Arc;

pub use error::DetectError;
pub use gate::{Gate, Glance, MotionRegion};
pub use heads::RawDetection;
pub use manifest::{BUILT_IN, Manifest, Source, catalogue};
pub use model::{Cost, InputSize, Kernels, Model, Prepared};
pub use motion::Motion;
pub use settings::{DetectorChoice, Settings};

use crate::domain::alert::ModelRef;
use crate::domain::detection::{Detection, Label};
use crate::domain::geometry::Rect;
use crate::domain::picture::Frame;

/// Looks at the frames of one camera, in order.
pub trait Detector: Send {
    /// What is on `frame`, best first. Runs on the caller's thread, for as long as one inference takes.
    ///
    /// An error leaves the detector fit for the next frame.
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectError>;

    /// Which detector this is, for alerts.
    fn model(&self) -> ModelRef;
}

/// Makes detectors. A network is read once and shared by all of them.
#[derive(Debug)]
pub struct Factory {
    /// None for the motion detector.
    network: Option<Arc<Model>>,
    score_min: f32,
}

impl Factory {
    /// Reads and checks what `settings` choose.
    pub fn new(settings: &Settings) -> Result<Self, DetectError> {
        let network = match &settings.detector {
            DetectorChoice::Motion => None,
            DetectorChoice::Network(path) => Some(Model::load(path)?),
        };
        Ok(Self { network, score_min: settings.score_min })
    }

    /// A detector for one camera: frames of two cameras must not meet in one.
    pub fn for_camera(&self) -> Box<dyn Detector> {
        match &self.network {
            Some(model) => Box::new(Network::new(Arc::clone(model), self.score_min)),
            None => Box::new(Motion::new(self.score_min)),
        }
    }

    /// Which detector it makes, for alerts.
    pub fn model(&self) -> ModelRef {
        self.network.as_ref().map_or_else(motion::model_ref, |model| model.manifest().model_ref())
    }
}

/// A network in the box's words.
struct Network {
    model: Arc<Model>,
    labels: Vec<Option<Label>>,
    score_min: f32,
}

impl Network {
    fn new(model: Arc<Model>, score_min: f32) -> Self {
        let labels = model.manifest().class_labels();
        Self { model, labels, score_min }
    }
}

impl Detector for Network {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectError> {
        let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
        let prepared = self.model.prepare(&frame.picture, whole, self.model.input_sizes()[0])?;
        let found = self.model.infer(prepared, self.score_min)?;
        Ok(labelled(found, &self.labels, self.model.manifest().nms_iou))
    }

    fn model(&self) -> ModelRef {
        self.model.manifest().model_ref()
    }
}

/// In the box's words: what has none is dropped, and what has the same competes, a bus with a truck.
fn labelled(found: Vec<RawDetection>, labels: &[Option<Label>], nms_iou: f32) -> Vec<Detection> {
    let label = |class: u16| labels.get(usize::from(class)).copied().flatten();
    let found = found.into_iter().filter(|raw| label(raw.class).is_some()).collect();
    let kept = nms::suppress(found, nms_iou, label).into_iter();
    kept.filter_map(|raw| Some(Detection { label: label(raw.class)?, score: raw.score, rect: raw.rect }))
        .collect()
}
