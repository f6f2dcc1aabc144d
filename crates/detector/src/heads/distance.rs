//! Boxes as distances from a point to four sides, each a distribution over whole strides (Generalized Focal Loss,
//! Li et al. 2020). PicoDet and NanoDet share this.

use serde::Deserialize;

use super::strides_problem;
use base::geometry::Rect;

/// Numbers of a head with distances.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distances {
    /// Input pixels per cell, in the order of the outputs.
    #[serde(default = "strides")]
    pub strides: Vec<usize>,
    /// The longest distance from a cell's point to a side, in strides.
    #[serde(default = "reg_max")]
    pub reg_max: usize,
}

pub(super) fn strides() -> Vec<usize> {
    vec![8, 16, 32, 64]
}

pub(super) fn reg_max() -> usize {
    7
}

impl Distances {
    /// Values per box: one distribution for each of its sides.
    pub(super) fn bins(&self) -> usize {
        4 * (self.reg_max + 1)
    }

    /// The first wrong number: (key, problem).
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let reg_max = self.reg_max;
        strides_problem(&self.strides)
            .or((!(1..=64).contains(&reg_max))
                .then(|| ("reg_max", format!("{reg_max} must be from 1 to 64"))))
    }
}

/// The box around (`x`, `y`) from four runs of `logits` (left, top, right, bottom), each `reg_max + 1` long.
pub(super) fn rect(x: f32, y: f32, stride: f32, logits: &[f32]) -> Rect {
    let bins = logits.len() / 4;
    let side = |i: usize| expectation(&logits[i * bins..(i + 1) * bins]) * stride;
    Rect::from_corners(x - side(0), y - side(1), x + side(2), y + side(3))
}

/// The mean bin under the softmax of `logits`.
fn expectation(logits: &[f32]) -> f32 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut mean) = (0.0, 0.0);
    for (bin, logit) in logits.iter().enumerate() {
        let weight = (logit - highest).exp();
        sum += weight;
        mean += weight * bin as f32;
    }
    mean / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sure_bins_give_their_distance_and_unsure_ones_the_mean() {
        let mut logits = [0.0f32; 32];
        logits[1] = 50.0; // left: 1 stride
        logits[8 + 2] = 50.0; // top: 2
        logits[16 + 3] = 50.0; // right: 3; bottom: no idea, 3.5
        let rect = rect(100.0, 100.0, 8.0, &logits);
        let expected = Rect::from_corners(92.0, 84.0, 124.0, 128.0);
        assert!(rect.iou(&expected) > 0.9999, "{rect:?}");
    }
}
