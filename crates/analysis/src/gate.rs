//! The motion gate: selects the parts of a frame that are worth an inference, from its luma alone.

use super::motion::{ForegroundObject, MotionAnalyser};
use base::geometry::{Polygon, Rect};
use base::picture::Frame;
use base::static_object::StaticObject;

/// An object that has not changed for so long needs no inference of its own any more: whole-frame inferences have seen it.
const STILL_SECONDS_MAX: f32 = 10.0;

/// Settings of a camera's gate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GateSettings {
    /// Areas in which motion does not count.
    pub masks: Vec<Polygon>,
}

/// A part of the picture where something moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionRegion {
    /// Rectangle, as fractions of the picture.
    pub rect: Rect,
    /// Strength of the change: 0.5 at the threshold, towards 1 above it.
    pub score: f32,
}

/// Result of the motion check of one frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MotionCheck {
    /// Parts that move, or moved within the last seconds, surest first. Empty while nothing moves, and while the background is
    /// being learnt.
    pub regions: Vec<MotionRegion>,
    /// Static objects in view that came to stand within the last while: objects, a person who stands still, and marks of a
    /// shadow or a light.
    pub static_objects: Vec<StaticObject>,
    /// The background was learnt anew (first frame, new epoch, light or camera changed). Parts outside `regions` may have
    /// changed too, so that the whole frame is worth an inference.
    pub began_again: bool,
}

/// Motion gate of one camera.
#[derive(Debug, Default)]
pub struct Gate {
    analyser: MotionAnalyser,
}

impl Gate {
    /// Makes a gate that has seen no frame.
    pub fn new(settings: GateSettings) -> Self {
        Self { analyser: MotionAnalyser::new(settings.masks) }
    }

    /// Takes a frame into the background, and returns its motion. Costs about a third of a millisecond at 640x360.
    pub fn check(&mut self, frame: &Frame) -> MotionCheck {
        let analysis = self.analyser.analyse(frame);
        let regions = analysis
            .objects
            .into_iter()
            .filter(|object: &ForegroundObject| object.still_seconds < STILL_SECONDS_MAX)
            .map(|object: ForegroundObject| MotionRegion { rect: object.rect, score: object.score })
            .collect();
        MotionCheck { regions, static_objects: analysis.static_objects, began_again: analysis.began_again }
    }
}
