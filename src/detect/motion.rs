//! The built-in motion detector: needs no network, tells that something moves, not what it is.
//!
//! Luma in blocks (about 160 across) against a background of running means and deviations, after a global change of light has
//! been taken out; what differs is cleaned, joined into components, and boxed.

mod components;
mod light;

use std::time::Duration;

use components::Component;
use light::Light;

use super::{DetectError, Detector};
use crate::domain::alert::ModelRef;
use crate::domain::detection::{Detection, Label};
use crate::domain::geometry::Rect;
use crate::domain::ids::Epoch;
use crate::domain::picture::{Frame, Picture};
use crate::domain::time::Monotonic;

/// Blocks across the picture.
const COLUMNS: usize = 160;
/// Only learns until the background is this old.
const WARM_UP_SECONDS: f32 = 1.0;
/// After so long without a frame the background says nothing.
const GAP_MAX: Duration = Duration::from_secs(10);
/// How fast the background follows: what belongs to it, and what stands out of it (a stopped car stays visible for
/// about two minutes).
const BACKGROUND_SECONDS: f32 = 8.0;
const FOREGROUND_SECONDS: f32 = 60.0;
/// A block stands out when it differs by this many deviations, and by this many steps of luma.
const DEVIATIONS: f32 = 4.5;
const DIFFERENCE_MIN: f32 = 9.0;
/// Of that, so much is enough beside a block that stands out.
const WEAK: f32 = 0.55;
/// More of the picture than this does not move: the light or the camera did.
const MOVING_PART_MAX: f32 = 0.5;
/// Smallest component, in blocks that stand out.
const BLOCKS_MIN: usize = 5;

/// Motion on one camera.
#[derive(Debug)]
pub struct Motion {
    score_min: f32,
    background: Option<Background>,
}

/// How alerts name it.
pub(super) fn model_ref() -> ModelRef {
    ModelRef { name: "motion".to_owned(), sha256: None }
}

impl Motion {
    /// A detector that has seen nothing yet; it only learns during the first second of frames.
    pub fn new(score_min: f32) -> Self {
        Self { score_min, background: None }
    }
}

impl Detector for Motion {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectError> {
        let blocks = Blocks::of(&frame.picture);
        let at = frame.at.monotonic;
        let background = match &mut self.background {
            Some(background) if background.fits(&blocks, frame.epoch, at) => background,
            _ => {
                self.background = Some(Background::new(blocks, frame.epoch, at));
                return Ok(Vec::new());
            }
        };
        let mut found = background.look(&blocks, at);
        found.retain(|detection| detection.score >= self.score_min);
        Ok(found)
    }

    fn model(&self) -> ModelRef {
        model_ref()
    }
}

/// A picture's luma, averaged over blocks.
#[derive(Debug)]
struct Blocks {
    columns: usize,
    rows: usize,
    /// Size of a block as fractions of the picture.
    block: (f32, f32),
    luma: Vec<f32>,
}

impl Blocks {
    fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let side = ((width + COLUMNS / 2) / COLUMNS).clamp(1, height.max(1));
        // What is left over at the right and bottom edge, less than a block, is not looked at.
        let (columns, rows) = (width / side, height / side);
        let mut luma = Vec::with_capacity(columns * rows);
        let mut sums = vec![0u32; columns];
        for band in picture.luma().chunks_exact(width * side) {
            sums.fill(0);
            for row in band.chunks_exact(width) {
                for (sum, block) in sums.iter_mut().zip(row.chunks_exact(side)) {
                    *sum += block.iter().map(|sample| u32::from(*sample)).sum::<u32>();
                }
            }
            luma.extend(sums.iter().map(|sum| *sum as f32 / (side * side) as f32));
        }
        let block = (side as f32 / width as f32, side as f32 / height as f32);
        Self { columns, rows, block, luma }
    }
}

/// What the camera sees when nothing moves.
#[derive(Debug)]
struct Background {
    epoch: Epoch,
    columns: usize,
    rows: usize,
    mean: Vec<f32>,
    /// Mean absolute difference to `mean`.
    deviation: Vec<f32>,
    /// When it was begun, and when the last frame was taken in.
    since: Monotonic,
    last: Monotonic,
}

impl Background {
    fn new(blocks: Blocks, epoch: Epoch, at: Monotonic) -> Self {
        let deviation = vec![DIFFERENCE_MIN / DEVIATIONS; blocks.luma.len()];
        let Blocks { columns, rows, luma, .. } = blocks;
        Self { epoch, columns, rows, mean: luma, deviation, since: at, last: at }
    }

    fn fits(&self, blocks: &Blocks, epoch: Epoch, at: Monotonic) -> bool {
        (self.columns, self.rows, self.epoch) == (blocks.columns, blocks.rows, epoch)
            && at >= self.last
            && at.since(self.last) <= GAP_MAX
    }

    fn look(&mut self, blocks: &Blocks, at: Monotonic) -> Vec<Detection> {
        let elapsed_seconds = at.since(self.last).as_secs_f32();
        let age_seconds = at.since(self.since).as_secs_f32();
        self.last = at;
        let light = Light::between(&self.mean, &blocks.luma);
        self.mean.iter_mut().for_each(|mean| *mean = light.apply(*mean));
        let excess = self.excess(&blocks.luma);
        let standing_out = excess.iter().filter(|excess| **excess >= 1.0).count();
        if standing_out as f32 > MOVING_PART_MAX * excess.len() as f32 {
            self.begin_again(blocks, at);
            return Vec::new();
        }
        let warm = age_seconds >= WARM_UP_SECONDS;
        let components = if warm { components::find(&excess, self.columns, WEAK) } else { Vec::new() };
        self.learn(&blocks.luma, &excess, elapsed_seconds, (!warm).then_some(age_seconds));
        let large = components.into_iter().filter(|component| component.blocks >= BLOCKS_MIN);
        let mut found: Vec<Detection> = large.map(|component| detection(&component, blocks.block)).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found
    }

    /// How far each block stands out: 1 is the threshold.
    fn excess(&self, luma: &[f32]) -> Vec<f32> {
        let thresholds = self.deviation.iter().map(|deviation| (deviation * DEVIATIONS).max(DIFFERENCE_MIN));
        let differences = luma.iter().zip(&self.mean).map(|(luma, mean)| (luma - mean).abs());
        differences.zip(thresholds).map(|(difference, threshold)| difference / threshold).collect()
    }

    /// Moves the background towards what is seen. While warming up it is the mean of all that was seen.
    fn learn(&mut self, luma: &[f32], excess: &[f32], elapsed_seconds: f32, warming_up_seconds: Option<f32>) {
        let rate = |seconds: f32| 1.0 - (-elapsed_seconds / seconds).exp();
        let (still, moving) = match warming_up_seconds {
            Some(age) => (rate(age.max(0.2)), rate(age.max(0.2))),
            None => (rate(BACKGROUND_SECONDS), rate(FOREGROUND_SECONDS)),
        };
        let state = self.mean.iter_mut().zip(&mut self.deviation);
        for ((mean, deviation), (luma, excess)) in state.zip(luma.iter().zip(excess)) {
            let difference = luma - *mean;
            let rate = if *excess >= WEAK { moving } else { still };
            *mean += difference * rate;
            // What passes must not blind the block to what passes next, leaves that wave for minutes shall.
            let spread = difference.abs().min(2.0 * DIFFERENCE_MIN);
            *deviation += (spread - *deviation) * rate;
        }
    }

    /// After a change that is no motion: the view as it is now, and again a second of learning.
    fn begin_again(&mut self, blocks: &Blocks, at: Monotonic) {
        self.mean.copy_from_slice(&blocks.luma);
        self.since = at;
    }
}

/// Surer the more it stands out: 0.5 at the threshold, 0.75 at twice of it.
fn detection(component: &Component, block: (f32, f32)) -> Detection {
    let (x0, y0, x1, y1) = component.edges;
    let rect = Rect::from_corners(
        x0 as f32 * block.0,
        y0 as f32 * block.1,
        x1 as f32 * block.0,
        y1 as f32 * block.1,
    );
    let score = (1.0 - 0.5 / component.excess_mean.max(0.5)).clamp(0.0, 1.0);
    Detection { label: Label::Moving, score, rect: rect.clamped() }
}

#[cfg(test)]
mod tests;
