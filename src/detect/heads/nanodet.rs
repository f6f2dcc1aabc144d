//! NanoDet-Plus (RangiLyu/nanodet): `[1, anchors, labels + 4 * (reg_max + 1)]`, each row class logits, then distance
//! distributions from the cell's top left corner.

use serde::Deserialize;

use super::{Decoder, RawDetection, anchors, distance, grid, sigmoid, strides_problem};
use crate::detect::manifest::Input;

/// Numbers of a NanoDet-Plus head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NanoDet {
    /// Input pixels per cell, in the order of the output's rows.
    #[serde(default = "strides")]
    pub strides: Vec<usize>,
    /// The longest distance from a cell's corner to a side, in strides.
    #[serde(default = "reg_max")]
    pub reg_max: usize,
}

fn strides() -> Vec<usize> {
    vec![8, 16, 32, 64]
}

fn reg_max() -> usize {
    7
}

impl Decoder for NanoDet {
    fn shapes(&self, input: &Input, labels: usize) -> Vec<Vec<usize>> {
        vec![vec![1, anchors(input, &self.strides), labels + 4 * (self.reg_max + 1)]]
    }

    fn decode(&self, outputs: &[&[f32]], input: &Input, score_min: f32, found: &mut Vec<RawDetection>) {
        let row_len = outputs[0].len() / anchors(input, &self.strides);
        let labels = row_len - 4 * (self.reg_max + 1);
        // The sigmoid rises: compare logits, and take it of the few that pass.
        let logit_min = (score_min / (1.0 - score_min)).ln();
        for (row, (column, line, stride)) in outputs[0].chunks_exact(row_len).zip(grid(input, &self.strides)) {
            let (logits, distances) = row.split_at(labels);
            let mut rect = None;
            for (class, logit) in logits.iter().enumerate().filter(|(_, logit)| **logit >= logit_min) {
                let rect = *rect
                    .get_or_insert_with(|| distance::rect(column * stride, line * stride, stride, distances));
                found.push(RawDetection { class: class as u16, score: sigmoid(*logit), rect });
            }
        }
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        let reg_max = self.reg_max;
        strides_problem(&self.strides).or((!(1..=64).contains(&reg_max))
            .then(|| ("reg_max", format!("{reg_max} must be from 1 to 64"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::geometry::Rect;

    #[test]
    fn a_row_becomes_a_box_around_its_corner() {
        let head = NanoDet { strides: vec![8], reg_max: 1 };
        let input = Input::for_tests(16, 8);
        let mut output = vec![-10.0; 2 * 10];
        output[10..].copy_from_slice(&[-10.0, 1.0, 0.0, 40.0, 0.0, 40.0, 0.0, 40.0, 0.0, 40.0]);
        let mut found = Vec::new();
        head.decode(&[&output], &input, 0.5, &mut found);
        assert_eq!(head.shapes(&input, 2), [[1, 2, 10]]);
        assert_eq!((found.len(), found[0].class), (1, 1));
        assert!((found[0].score - 0.731_06).abs() < 1e-4);
        assert_eq!(found[0].rect, Rect::from_corners(0.0, -8.0, 16.0, 8.0));
        head.decode(&[&output], &input, 0.74, &mut found);
        assert_eq!(found.len(), 1, "a logit's threshold is the score's");
    }
}
