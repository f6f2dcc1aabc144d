//! The motion gate: what of a frame is worth a network's look, from its luma alone.

use super::motion::{Eye, Thing};
use crate::domain::geometry::{Polygon, Rect};
use crate::domain::picture::Frame;
use crate::domain::remnant::Remnant;

/// What stands out but has not changed for so long is not worth a look any more: whole-frame looks have seen it.
const STILL_SECONDS_MAX: f32 = 10.0;

/// How a camera's gate works.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GateSettings {
    /// Where motion does not count.
    pub masks: Vec<Polygon>,
}

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
    /// What moves, or did within the last seconds, surest first. Empty where nothing does, and while the background is
    /// being learnt.
    pub regions: Vec<MotionRegion>,
    /// What has come to stand within the last while, stands still, and is in view: things, somebody who does not stir, and
    /// what a shadow or a light has become.
    pub standing: Vec<Remnant>,
    /// The background was learnt anew (first frame, new epoch, light or camera changed): what `regions` leaves out may
    /// have changed all the same, so that the whole frame is worth a look.
    pub began_again: bool,
}

/// Motion on one camera.
#[derive(Debug, Default)]
pub struct Gate {
    eye: Eye,
}

impl Gate {
    /// A gate that has seen nothing yet.
    pub fn new(settings: GateSettings) -> Self {
        Self { eye: Eye::new(settings.masks) }
    }

    /// Takes a frame into the background, and says what moves. Costs about a third of a millisecond at 640x360.
    pub fn glance(&mut self, frame: &Frame) -> Glance {
        let sight = self.eye.look(frame);
        let moves = |thing: &Thing| thing.still_seconds < STILL_SECONDS_MAX;
        let region = |thing: Thing| MotionRegion { rect: thing.rect, score: thing.score };
        let regions = sight.things.into_iter().filter(moves).map(region).collect();
        Glance { regions, standing: sight.remnants, began_again: sight.began_again }
    }
}
