//! Motion analyser of the built-in motion detector and of the motion gate, and that detector. It needs no network and reports
//! that something moves, not its class.
//!
//! Luma in blocks (about 160 across) is compared with a background of running means and deviations. Blocks that stand out
//! are freed of specks, joined into components, and boxed.

mod background;
mod blocks;
mod component_kind;
mod components;
mod static_objects;
mod thresholds;
mod view_change;

use background::{Background, ForegroundComponent};
pub(super) use blocks::Blocks;
use components::{Component, Edges};
use static_objects::StaticObjects;
use thresholds::*;

use base::alert::ModelRef;
use base::detection::{Detection, Label};
use base::detector::{Detector, InferenceError};
use base::geometry::{Point, Polygon, Rect};
use base::picture::Frame;
use base::static_object::StaticObject;

/// The detector's name in alerts.
pub fn model_ref() -> ModelRef {
    ModelRef { name: "motion".to_owned(), sha256: None }
}

/// An object that stands out of the background.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ForegroundObject {
    pub(super) rect: Rect,
    /// Higher the more it stands out: 0.5 at the threshold, 0.75 at twice of it.
    pub(super) score: f32,
    /// Time for which it has not changed.
    pub(super) still_seconds: f32,
}

/// Result of the motion analysis of one frame.
#[derive(Debug, Default)]
pub(super) struct MotionAnalysis {
    /// Objects, surest first.
    pub(super) objects: Vec<ForegroundObject>,
    /// Static objects in view, both those that still stand out and those that the background has taken in.
    pub(super) static_objects: Vec<StaticObject>,
    /// The background was learnt anew.
    pub(super) began_again: bool,
}

/// Motion analyser of one camera; keeps the background, the picture without motion.
#[derive(Debug, Default)]
pub(super) struct MotionAnalyser {
    masks: Vec<Polygon>,
    background: Option<Background>,
    /// Edges of the components of the last frame.
    before: Vec<Edges>,
    static_objects: StaticObjects,
}

impl MotionAnalyser {
    /// Makes an analyser; motion in `masks` does not count.
    pub(super) fn new(masks: Vec<Polygon>) -> Self {
        Self { masks, ..Self::default() }
    }

    /// Takes a frame in. The first frame, a new epoch and a frame after a long gap begin a new background.
    pub(super) fn analyse(&mut self, frame: &Frame) -> MotionAnalysis {
        let blocks = Blocks::of(&frame.picture);
        let at = frame.at.monotonic;
        let background = match &mut self.background {
            Some(background) if background.fits(&blocks, frame.epoch, at) => background,
            _ => {
                let masked = masked(&self.masks, &blocks);
                self.background = Some(Background::new(blocks, masked, frame.epoch, at));
                self.before.clear();
                self.static_objects.forget();
                return MotionAnalysis { began_again: true, ..MotionAnalysis::default() };
            }
        };
        let elapsed_seconds = background.seconds_since_last(at);
        let update = background.update(&blocks, at);
        if update.began_again {
            self.static_objects.forget();
        }
        let static_objects =
            self.static_objects.update(&blocks, background, &update.foreground, elapsed_seconds);
        let static_objects = static_objects
            .map(|ForegroundObject { rect, score, still_seconds }| StaticObject {
                rect,
                score,
                still_seconds,
            })
            .collect();
        let mut objects: Vec<ForegroundObject> = update
            .foreground
            .iter()
            .filter(|found| self.is_believed(&found.component, elapsed_seconds))
            .map(|found| foreground_object(found, blocks.block))
            .collect();
        objects.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.before = update.foreground.iter().map(|found| found.component.edges).collect();
        MotionAnalysis { objects, static_objects, began_again: update.began_again }
    }

    /// Returns true if a component is large enough, and either clear or near one of the frame before.
    fn is_believed(&self, component: &Component, elapsed_seconds: f32) -> bool {
        let is_clear = component.blocks >= CLEAR_BLOCKS && component.excess_mean >= CLEAR_EXCESS;
        component.blocks >= BLOCKS_MIN
            && (is_clear || elapsed_seconds > BEFORE_SECONDS_MAX || self.is_near_before(component.edges))
    }

    /// Returns true if a component of the frame before was near `edges`.
    fn is_near_before(&self, edges: Edges) -> bool {
        self.before.iter().any(|before| {
            let (across, down) = components::gaps(edges, *before);
            across <= NEAR_BLOCKS && down <= NEAR_BLOCKS
        })
    }
}

/// Marks the blocks with their middle in a mask; empty without masks.
fn masked(masks: &[Polygon], blocks: &Blocks) -> Vec<bool> {
    if masks.is_empty() {
        return Vec::new();
    }
    (0..blocks.luma.len())
        .map(|at| {
            let (x, y) = ((at % blocks.columns) as f32 + 0.5, (at / blocks.columns) as f32 + 0.5);
            let middle = Point::new(x * blocks.block.0, y * blocks.block.1);
            masks.iter().any(|mask| mask.contains(middle))
        })
        .collect()
}

fn foreground_object(found: &ForegroundComponent, block: (f32, f32)) -> ForegroundObject {
    let component = &found.component;
    let (x0, y0, x1, y1) = component.edges;
    let rect = Rect::from_corners(
        x0 as f32 * block.0,
        y0 as f32 * block.1,
        x1 as f32 * block.0,
        y1 as f32 * block.1,
    );
    let score = (1.0 - 0.5 / component.excess_mean.max(0.5)).clamp(0.0, 1.0);
    ForegroundObject { rect: rect.clamped(), score, still_seconds: found.still_seconds }
}

/// The built-in motion detector.
#[derive(Debug)]
pub struct Motion {
    score_min: f32,
    analyser: MotionAnalyser,
}

impl Motion {
    /// Makes a detector; in the first second of frames it only learns. Motion in `masks` does not count.
    pub fn new(score_min: f32, masks: Vec<Polygon>) -> Self {
        Self { score_min, analyser: MotionAnalyser::new(masks) }
    }
}

impl Detector for Motion {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, InferenceError> {
        let objects = self.analyser.analyse(frame).objects.into_iter();
        let detection = |object: ForegroundObject| Detection {
            label: Label::Moving,
            score: object.score,
            rect: object.rect,
        };
        Ok(objects.map(detection).filter(|detection| detection.score >= self.score_min).collect())
    }

    fn model(&self) -> ModelRef {
        model_ref()
    }
}

#[cfg(test)]
mod tests;
