//! YOLOX (Ge et al. 2021), exported without its own decoding: `[1, anchors, 5 + labels]`, each row x, y, w, h, objectness
//! and class scores, the last two already between 0 and 1.

use serde::Deserialize;

use super::{Decoder, RawDetection, anchors, best, grid, strides_problem};
use crate::detect::manifest::Input;
use crate::domain::geometry::Rect;

/// Numbers of a YOLOX head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yolox {
    /// Input pixels per cell, in the order of the output's rows.
    #[serde(default = "strides")]
    pub strides: Vec<usize>,
}

fn strides() -> Vec<usize> {
    vec![8, 16, 32]
}

impl Decoder for Yolox {
    fn shapes(&self, input: &Input, labels: usize) -> Vec<Vec<usize>> {
        vec![vec![1, anchors(input, &self.strides), 5 + labels]]
    }

    fn decode(&self, outputs: &[&[f32]], input: &Input, score_min: f32, found: &mut Vec<RawDetection>) {
        let rows = anchors(input, &self.strides);
        let row_len = outputs[0].len() / rows;
        for (row, (column, line, stride)) in outputs[0].chunks_exact(row_len).zip(grid(input, &self.strides)) {
            // A class score is at most 1.
            if row[4] < score_min {
                continue;
            }
            let (class, class_score) = best(&row[5..]);
            let score = row[4] * class_score;
            if score >= score_min {
                let (x, y) = ((row[0] + column) * stride, (row[1] + line) * stride);
                let (w, h) = (row[2].exp() * stride, row[3].exp() * stride);
                let rect = Rect::new(x - w / 2.0, y - h / 2.0, w, h);
                found.push(RawDetection { class: class as u16, score, rect });
            }
        }
    }

    fn stride_max(&self) -> usize {
        self.strides.iter().copied().max().unwrap_or(32)
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        strides_problem(&self.strides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_a_box_around_its_cell() {
        let head = Yolox { strides: vec![8, 16] };
        let input = Input::for_tests(16, 16);
        let mut output = vec![0.0; 5 * 7];
        // Cell (1, 0) of stride 8 is row 1; the only cell of stride 16 is row 4.
        output[7..14].copy_from_slice(&[0.5, 0.25, 0.0, 1f32.ln(), 0.9, 0.1, 0.8]);
        output[28..35].copy_from_slice(&[0.5, 0.5, 0.0, 0.0, 0.2, 1.0, 0.0]);
        let mut found = Vec::new();
        head.decode(&[&output], &input, 0.3, &mut found);
        assert_eq!(found.len(), 1, "the unsure one is left out");
        assert_eq!((found[0].class, found[0].rect), (1, Rect::new(8.0, -2.0, 8.0, 8.0)));
        assert!((found[0].score - 0.72).abs() < 1e-6);
        assert_eq!(head.shapes(&input, 2), [[1, 5, 7]]);
    }
}
