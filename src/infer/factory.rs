//! Detectors and motion gates for the cameras, from one network.

use std::sync::Arc;

use analysis::gate::{Gate, GateSettings};
use analysis::motion::{self, Motion};
use base::alert::ModelRef;
use base::detector::Detector;
use base::geometry::Polygon;
use detector::{DetectError, Model, Network};

use super::settings::{DetectorChoice, Settings};

/// Makes detectors. A network is read once and shared by all of them.
#[derive(Debug)]
pub struct Factory {
    /// `None` for the motion detector.
    network: Option<Arc<Model>>,
    score_min: f32,
    every_frame: bool,
}

impl Factory {
    /// Reads and checks the detector that `settings` choose.
    pub fn new(settings: &Settings) -> Result<Self, DetectError> {
        let network = match &settings.detector {
            DetectorChoice::Motion => None,
            DetectorChoice::Network(path) => Some(Model::load_at(path, settings.input_size)?),
        };
        let of_network = network.as_ref().map_or(detector::SCORE_MIN, |network| network.manifest().score_min);
        let score_min = settings.score_min.unwrap_or(of_network);
        Ok(Self { network, score_min, every_frame: settings.every_frame })
    }

    /// Makes a detector for one camera: frames of two cameras must not meet in one. `masks` are for the motion detector; a
    /// network's detections count everywhere.
    pub fn for_camera(&self, masks: &[Polygon]) -> Box<dyn Detector> {
        match &self.network {
            Some(model) => Box::new(Network::new(Arc::clone(model), self.score_min)),
            None => Box::new(Motion::new(self.score_min, masks.to_vec())),
        }
    }

    /// Makes a gate for one camera: `None` where every frame is analysed. Motion in `masks` does not count.
    pub fn gate_for_camera(&self, masks: &[Polygon]) -> Option<Gate> {
        self.gates_analysis().then(|| Gate::new(GateSettings { masks: masks.to_vec() }))
    }

    /// False where every frame is analysed, without a motion check.
    pub fn gates_analysis(&self) -> bool {
        self.network.is_some() && !self.every_frame
    }

    /// The network; `None` for the motion detector.
    pub fn network(&self) -> Option<&Arc<Model>> {
        self.network.as_ref()
    }

    /// Name and hash of the detector that it makes, for alerts.
    pub fn model(&self) -> ModelRef {
        self.network.as_ref().map_or_else(motion::model_ref, |model| model.manifest().model_ref())
    }
}
