//! NanoDet-Plus (RangiLyu/nanodet): `[1, anchors, labels + 4 * (reg_max + 1)]`, each row class logits, then distance
//! distributions from the cell's top left corner.

use serde::Deserialize;

use super::{Decoder, RawDetection, anchors, grid, sigmoid};
use super::distance::{self, Distances};
use crate::detect::manifest::Input;

/// Numbers of a NanoDet-Plus head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct NanoDet(pub Distances);

impl Decoder for NanoDet {
    fn shapes(&self, input: &Input, labels: usize) -> Vec<Vec<usize>> {
        vec![vec![1, anchors(input, &self.0.strides), labels + self.0.bins()]]
    }

    fn decode(&self, outputs: &[&[f32]], input: &Input, score_min: f32, found: &mut Vec<RawDetection>) {
        let row_len = outputs[0].len() / anchors(input, &self.0.strides);
        let labels = row_len - self.0.bins();
        // The sigmoid rises: compare logits, and take it of the few that pass.
        let logit_min = (score_min / (1.0 - score_min)).ln();
        for (row, (column, line, stride)) in outputs[0].chunks_exact(row_len).zip(grid(input, &self.0.strides)) {
            let (logits, distances) = row.split_at(labels);
            let mut rect = None;
            for (class, logit) in logits.iter().enumerate().filter(|(_, logit)| **logit >= logit_min) {
                let rect = *rect
                    .get_or_insert_with(|| distance::rect(column * stride, line * stride, stride, distances));
                found.push(RawDetection { class: class as u16, score: sigmoid(*logit), rect });
            }
        }
    }

    fn stride_max(&self) -> usize {
        self.0.strides.iter().copied().max().unwrap_or(64)
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        self.0.problem()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::geometry::Rect;

    #[test]
    fn a_row_becomes_a_box_around_its_corner() {
        let head = NanoDet(Distances { strides: vec![8], reg_max: 1 });
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
