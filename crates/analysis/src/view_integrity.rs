//! View quality of a camera: the agreement of the street's edges with the learnt ones, and their strength.
//!
//! Edges are read as orientations of the small picture's gradients, without their sign: a change of light, of exposure or to
//! infra-red makes edges stronger and weaker, and turns dark on light into light on dark, but does not move them. A passing
//! subject hides some of them for a while; a hand before the lens hides all. It judges nothing: `rules` does. Called by
//! `infer` on every frame; analyses one or two of them a second.

use std::time::Duration;

use super::motion::Blocks;
use base::picture::Frame;
use base::time::Monotonic;
use base::view_quality::ViewQuality;

/// Time between two measurements.
const INTERVAL: Duration = Duration::from_millis(500);
/// Time constant of the present average: noise and rain go, a hand before the lens stays.
const PRESENT_SECONDS: f32 = 2.0;
/// Time constants of the reference, at first and in the end: dusk is slower, a lorry that unloads is shorter.
const LEARNING_SECONDS: (f32, f32) = (8.0, 600.0);
/// Time constant of the reference while the picture is not the learnt one.
const DOUBTFUL_SECONDS: f32 = 3600.0;
/// Part of its edges below which the picture is not the learnt one.
const DOUBTFUL: f32 = 0.5;
/// A gradient of so many codes a block, plus [`HALF_CONTRAST`] of the picture's contrast, counts half.
const HALF_CODES: f32 = 1.2;
/// Part of the picture's contrast in that gradient.
const HALF_CONTRAST: f32 = 0.06;
/// Minimum steadiness of an edge's orientation (squared length of its mean vector, 1 = the same on every picture).
const STEADY: f32 = 0.12;
/// Minimum part of all blocks on edges; with fewer there is nothing to recognise.
const EDGES_MIN: f32 = 0.01;

/// Measures one camera's pictures.
#[derive(Debug, Default)]
pub struct ViewIntegrityMonitor {
    latest: Option<(Monotonic, ViewQuality)>,
    size: (usize, usize),
    luma: Vec<f32>,
    same_since: Monotonic,
    learnt_seconds: f32,
    /// Mean orientation of each block's gradient: a vector with its angle doubled, as long as the orientation is steady.
    present: Vec<[f32; 2]>,
    reference: Vec<[f32; 2]>,
    /// Mean gradient of the edges, in parts of the picture's contrast.
    strength: f32,
}

impl ViewIntegrityMonitor {
    /// Takes a frame in, or leaves it out if the last one was a moment ago; returns the known quality. A new session goes on with
    /// the learnt reference: the camera may have been turned in between.
    pub fn measure(&mut self, frame: &Frame) -> ViewQuality {
        let now = frame.at.monotonic;
        let since = self.latest.map(|(at, _)| now.since(at));
        if let Some((_, view_quality)) = self.latest.filter(|_| since.is_some_and(|since| since < INTERVAL)) {
            return view_quality;
        }
        let blocks = Blocks::of(&frame.picture);
        if self.size != (blocks.columns, blocks.rows) {
            *self = Self { size: (blocks.columns, blocks.rows), same_since: now, ..Self::default() };
        }
        // A long gap counts as a short one.
        let seconds = since.map_or(0.0, |since| since.as_secs_f32().min(2.0 * PRESENT_SECONDS));
        let view_quality = self.update(&blocks, now, seconds);
        self.latest = Some((now, view_quality));
        self.luma = blocks.luma;
        view_quality
    }

    fn update(&mut self, blocks: &Blocks, now: Monotonic, seconds: f32) -> ViewQuality {
        let (mean, deviation) = moments(&blocks.luma);
        if blocks.luma != self.luma {
            self.same_since = now;
        }
        let (field, gradients) = gradients(blocks, HALF_CODES + HALF_CONTRAST * deviation);
        let is_first = self.present.is_empty();
        blend(&mut self.present, &field, if is_first { 1.0 } else { part(seconds, PRESENT_SECONDS) });
        if is_first {
            self.reference.clone_from(&field);
        }
        let edges = Edges::of(&self.reference, &self.present, &gradients);
        let strength = edges.gradient / (deviation + 4.0);
        let in_place = if edges.part < EDGES_MIN { 1.0 } else { edges.agreement.clamp(0.0, 1.0) };
        let sharpness = if self.strength > 0.0 { strength / self.strength } else { 1.0 };
        let view_quality = ViewQuality {
            luma_mean: mean,
            luma_deviation: deviation,
            sharpness,
            in_place,
            same_seconds: now.since(self.same_since).as_secs_f32(),
            learnt_seconds: self.learnt_seconds,
        };
        let (quick, slow) = LEARNING_SECONDS;
        let is_doubtful = self.learnt_seconds > quick && in_place < DOUBTFUL;
        let over = if is_doubtful { DOUBTFUL_SECONDS } else { self.learnt_seconds.clamp(quick, slow) };
        let by = if is_first { 1.0 } else { part(seconds, over) };
        blend(&mut self.reference, &self.present, by);
        self.strength =
            if self.strength > 0.0 { self.strength + (strength - self.strength) * by } else { strength };
        self.learnt_seconds += seconds;
        view_quality
    }
}

/// The learnt edges on the present picture.
struct Edges {
    /// Edges as a part of all blocks.
    part: f32,
    /// Agreement of orientations: 1 as learnt, 0 as chance has it.
    agreement: f32,
    /// Mean gradient in codes a block.
    gradient: f32,
}

impl Edges {
    fn of(reference: &[[f32; 2]], present: &[[f32; 2]], gradients: &[f32]) -> Self {
        let (mut count, mut agreement, mut weight, mut gradient) = (0usize, 0.0, 0.0, 0.0);
        for ((was, is), strength) in reference.iter().zip(present).zip(gradients) {
            let steady = was[0] * was[0] + was[1] * was[1];
            if steady >= STEADY {
                count += 1;
                agreement += was[0] * is[0] + was[1] * is[1];
                weight += steady;
                gradient += strength;
            }
        }
        let of = |sum: f32, all: f32| if all > 0.0 { sum / all } else { 0.0 };
        Self {
            part: of(count as f32, reference.len() as f32),
            agreement: of(agreement, weight),
            gradient: of(gradient, count as f32),
        }
    }
}

/// For each block: its gradient's orientation with the angle doubled, near length 1 where the gradient is well above `half`;
/// and the gradient in codes a block. Blocks at the picture's edge have none.
fn gradients(blocks: &Blocks, half: f32) -> (Vec<[f32; 2]>, Vec<f32>) {
    let Blocks { columns, rows, luma, .. } = blocks;
    let mut field = vec![[0.0; 2]; luma.len()];
    let mut lengths = vec![0.0; luma.len()];
    for y in 1..rows.saturating_sub(1) {
        for x in 1..columns.saturating_sub(1) {
            let at = y * columns + x;
            let across = (luma[at + 1] - luma[at - 1]) / 2.0;
            let down = (luma[at + columns] - luma[at - columns]) / 2.0;
            let square = across * across + down * down;
            let whole = square + half * half;
            field[at] = [(across * across - down * down) / whole, 2.0 * across * down / whole];
            lengths[at] = square.sqrt();
        }
    }
    (field, lengths)
}

/// Mean and standard deviation.
fn moments(luma: &[f32]) -> (f32, f32) {
    let count = luma.len().max(1) as f32;
    let mean = luma.iter().sum::<f32>() / count;
    let square = luma.iter().map(|value| (value - mean) * (value - mean)).sum::<f32>() / count;
    (mean, square.sqrt())
}

/// Part of a new value in an average over `over` seconds.
fn part(seconds: f32, over: f32) -> f32 {
    1.0 - (-seconds / over).exp()
}

fn blend(mean: &mut Vec<[f32; 2]>, new: &[[f32; 2]], by: f32) {
    mean.resize(new.len(), [0.0; 2]);
    for (mean, new) in mean.iter_mut().zip(new) {
        mean[0] += (new[0] - mean[0]) * by;
        mean[1] += (new[1] - mean[1]) * by;
    }
}
