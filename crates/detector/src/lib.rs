//! Networks: the only user of tract.
//!
//! Owns everything about a network: its manifest, its file, its input and output, its evaluation on labelled pictures.
//! Kernels are those of `convnet`. Never knows a camera beyond its pictures, never queues, never reads a clock. `infer` of
//! the box loads a [`Model`] and asks for a [`Network`] per camera; its command line lists, checks and measures networks.

pub mod capacity;
mod error;
pub mod eval;
mod heads;
mod manifest;
mod model;
pub mod nms;
mod preprocess;

use std::sync::Arc;

pub use error::DetectError;
pub use heads::RawDetection;
pub use manifest::{BUILT_IN, Download, Manifest, SCORE_MIN, Source, Work, catalogue};
pub use model::{Cost, Kernels, Model, Outputs, Prepared};

use base::alert::ModelRef;
use base::detection::{Detection, Label};
use base::detector::{Detector, InferenceArea, InferenceError, InferenceResult, InputSize, WHOLE};
use base::geometry::Rect;
use base::picture::Frame;

/// A network with its classes mapped to the product's labels.
#[derive(Debug)]
pub struct Network {
    model: Arc<Model>,
    labels: Vec<Option<Label>>,
    score_min: f32,
}

impl Network {
    /// A detector for the frames of one camera; detections below `score_min` are dropped.
    pub fn new(model: Arc<Model>, score_min: f32) -> Self {
        let labels = model.manifest().class_labels();
        Self { model, labels, score_min }
    }
}

impl Detector for Network {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, InferenceError> {
        let whole = InferenceArea::whole(self.model.input_sizes());
        Ok(self.infer(frame, &[whole])?.detections)
    }

    fn infer(&mut self, frame: &Frame, areas: &[InferenceArea]) -> Result<InferenceResult, InferenceError> {
        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        let power = self.model.manifest().score_power();
        for area in areas {
            let prepared = self.model.prepare(&frame.picture, area.crop, area.size)?;
            for found in self.model.infer(prepared, self.score_min.powf(1.0 / power))? {
                let found = RawDetection { score: found.score.powf(power), ..found };
                match beyond(&found.rect, &area.crop) {
                    None => whole.push(found),
                    Some(needed) if found.score >= CUT_SCORE_MIN => cut.push((found.class, needed)),
                    Some(_) => {}
                }
            }
        }
        let cut = cut.iter().filter(|(class, needed)| {
            let has_label = self.labels.get(usize::from(*class)).is_some_and(Option::is_some);
            has_label && !whole.iter().any(|f| f.rect.intersection(needed) >= 0.5 * f.rect.area())
        });
        let cut = cut.map(|(_, needed)| *needed).collect();
        let detections = labelled(whole, &self.labels, self.model.manifest().nms_iou);
        Ok(InferenceResult { detections, cut })
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
