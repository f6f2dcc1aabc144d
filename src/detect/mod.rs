//! Detection on decoded frames: a network run by tract, or the built-in motion detector.
//!
//! Owns everything about networks: their manifests, files, input and output. Never knows a camera beyond its pictures,
//! never queues, never reads a clock. `agent` makes one [`Factory`] and asks it for a detector per camera;
//! `cli` lists, checks and measures networks.

pub mod budget;
pub mod capacity;
mod error;
pub mod eval;
mod gate;
mod heads;
mod manifest;
mod model;
mod motion;
mod network;
mod nms;
mod optics;
mod preprocess;
pub mod regions;
mod settings;

use std::sync::Arc;

pub use error::DetectError;
pub use gate::{Gate, GateSettings, Glance, MotionRegion};
pub use heads::RawDetection;
pub use manifest::{BUILT_IN, Download, Manifest, Source, Work, catalogue};
pub use model::{Cost, InputSize, Kernels, Model, Outputs, Prepared};
pub use motion::Motion;
pub use optics::Optician;
use regions::{Look, WHOLE};
pub use settings::{DetectorChoice, Settings};

use crate::domain::alert::ModelRef;
use crate::domain::detection::{Detection, Label};
use crate::domain::geometry::{Polygon, Rect};
use crate::domain::picture::Frame;

/// Detects subjects on the frames of one camera, in order.
pub trait Detector: Send {
    /// Returns the detections on `frame`, best first. Runs on the caller's thread, for as long as one inference takes.
    ///
    /// An error leaves the detector fit for the next frame.
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectError>;

    /// Runs one inference on each of these parts of `frame`. A detector without [`Detector::input_sizes`] analyses the whole
    /// frame whatever they are.
    fn look(&mut self, frame: &Frame, looks: &[Look]) -> Result<Sight, DetectError> {
        let _ = looks;
        Ok(Sight { detections: self.detect(frame)?, cut: Vec::new() })
    }

    /// The input sizes that an inference can have, the largest first; none for a detector that costs as little as a motion check.
    fn input_sizes(&self) -> &[InputSize] {
        &[]
    }

    /// Returns true if a rider and the two-wheeler are one detection.
    fn includes_riders(&self) -> bool {
        false
    }

    /// Name and hash of this detector, for alerts.
    fn model(&self) -> ModelRef;
}

/// Result of the inferences on parts of a frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sight {
    /// Detections, best first.
    pub detections: Vec<Detection>,
    /// Estimated extents of detections that a crop's edge has cut and no other crop shows whole.
    pub cut: Vec<Rect>,
}

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
        let of_network = network.as_ref().map_or(manifest::SCORE_MIN, |network| network.manifest().score_min);
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
        (self.network.is_some() && !self.every_frame)
            .then(|| Gate::new(GateSettings { masks: masks.to_vec() }))
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

/// A network with its classes mapped to the product's labels.
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
        let whole = Look::whole(self.model.input_sizes());
        Ok(self.look(frame, &[whole])?.detections)
    }

    fn look(&mut self, frame: &Frame, looks: &[Look]) -> Result<Sight, DetectError> {
        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        let power = self.model.manifest().score_power();
        for look in looks {
            let prepared = self.model.prepare(&frame.picture, look.crop, look.size)?;
            for found in self.model.infer(prepared, self.score_min.powf(1.0 / power))? {
                let found = RawDetection { score: found.score.powf(power), ..found };
                match beyond(&found.rect, &look.crop) {
                    None => whole.push(found),
                    Some(needed) if found.score >= CUT_SCORE_MIN => cut.push((found.class, needed)),
                    Some(_) => {}
                }
            }
        }
        let has_label = |class: &u16| self.labels.get(usize::from(*class)).is_some_and(Option::is_some);
        let seen_whole = |rect: &Rect| whole.iter().any(|f| f.rect.intersection(rect) >= 0.5 * f.rect.area());
        let cut = cut.iter().filter(|(class, needed)| has_label(class) && !seen_whole(needed));
        let cut = cut.map(|(_, needed)| *needed).collect();
        let detections = labelled(whole, &self.labels, self.model.manifest().nms_iou);
        Ok(Sight { detections, cut })
    }

    fn input_sizes(&self) -> &[InputSize] {
        self.model.input_sizes()
    }

    fn includes_riders(&self) -> bool {
        self.model.manifest().riders == manifest::Riders::Included
    }

    fn model(&self) -> ModelRef {
        self.model.manifest().model_ref()
    }
}

/// A bounding box that ends within this part of a crop's size from the crop's edge is cut by it.
const EDGE: f32 = 0.015;
/// Minimum score of a cut detection that gets an inference of its own.
const CUT_SCORE_MIN: f32 = 0.35;

/// Estimates the extent of a box that an inner edge of `crop` cuts: as much again beyond the edge. `None` if none does.
fn beyond(rect: &Rect, crop: &Rect) -> Option<Rect> {
    let (dx, dy) = (EDGE * crop.w, EDGE * crop.h);
    let left = crop.x > WHOLE.x + 1e-4 && rect.x <= crop.x + dx;
    let top = crop.y > WHOLE.y + 1e-4 && rect.y <= crop.y + dy;
    let right = crop.right() < WHOLE.right() - 1e-4 && rect.right() >= crop.right() - dx;
    let bottom = crop.bottom() < WHOLE.bottom() - 1e-4 && rect.bottom() >= crop.bottom() - dy;
    let more = |is_cut: bool, length: f32| if is_cut { length } else { 0.0 };
    (left || top || right || bottom).then(|| {
        Rect::from_corners(
            rect.x - more(left, rect.w),
            rect.y - more(top, rect.h),
            rect.right() + more(right, rect.w),
            rect.bottom() + more(bottom, rect.h),
        )
        .clamped()
    })
}

/// Maps classes to labels. A class without a label is dropped; classes of one label compete, such as a bus with a truck.
fn labelled(found: Vec<RawDetection>, labels: &[Option<Label>], nms_iou: f32) -> Vec<Detection> {
    let label = |class: u16| labels.get(usize::from(class)).copied().flatten();
    let found = found.into_iter().filter(|raw| label(raw.class).is_some()).collect();
    let kept = nms::suppress(found, nms_iou, label).into_iter();
    kept.filter_map(|raw| Some(Detection { label: label(raw.class)?, score: raw.score, rect: raw.rect }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_cut_by_inner_edges_only() {
        let crop = Rect::new(0.0, 0.4, 0.5, 0.6);
        let at = |x, y, w, h| beyond(&Rect::new(x, y, w, h), &crop);
        assert_eq!(at(0.1, 0.5, 0.1, 0.1), None);
        assert_eq!(at(0.0, 0.5, 0.1, 0.5), None, "the picture ends there as well");
        assert_eq!(at(0.1, 0.4, 0.1, 0.1), Some(Rect::from_corners(0.1, 0.3, 0.2, 0.5)));
        let corner = at(0.3, 0.4, 0.2, 0.1).unwrap();
        assert!((corner.right() - 0.7).abs() < 1e-6 && (corner.y - 0.3).abs() < 1e-6, "{corner:?}");
        assert_eq!(beyond(&WHOLE, &WHOLE), None);
    }
}
