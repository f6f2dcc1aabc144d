//! PP-PicoDet (Yu et al. 2021), exported without post-processing: per stride one tensor of class probabilities
//! `[1, cells, labels]` and one of distance distributions `[1, cells, 4 * (reg_max + 1)]`.

use serde::Deserialize;

use super::{Decoder, RawDetection, are_probabilities, cells};
use super::distance::{self, Distances};
use crate::manifest::Input;

/// Numbers of a PicoDet head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct PicoDet(pub Distances);

impl Decoder for PicoDet {
    fn shapes(&self, input: &Input, labels: usize) -> Vec<Vec<usize>> {
        let cells = |stride: &usize| {
            let (columns, rows) = cells(input, *stride);
            columns * rows
        };
        let scores = self.0.strides.iter().map(|stride| vec![1, cells(stride), labels]);
        let distances = self.0.strides.iter().map(|stride| vec![1, cells(stride), self.0.bins()]);
        scores.chain(distances).collect()
    }

    fn decode(&self, outputs: &[&[f32]], input: &Input, score_min: f32, found: &mut Vec<RawDetection>) {
        let (scores, distances) = outputs.split_at(self.0.strides.len());
        let bins = self.0.bins();
        for ((stride, scores), distances) in self.0.strides.iter().zip(scores).zip(distances) {
            let (columns, rows) = cells(input, *stride);
            let labels = scores.len() / (columns * rows);
            for (cell, scores) in scores.chunks_exact(labels).enumerate() {
                let mut rect = None;
                for (class, score) in scores.iter().enumerate().filter(|(_, score)| **score >= score_min) {
                    let rect = *rect.get_or_insert_with(|| {
                        let x = ((cell % columns) as f32 + 0.5) * *stride as f32;
                        let y = ((cell / columns) as f32 + 0.5) * *stride as f32;
                        distance::rect(x, y, *stride as f32, &distances[cell * bins..(cell + 1) * bins])
                    });
                    found.push(RawDetection { class: class as u16, score: *score, rect });
                }
            }
        }
    }

    fn doubt(&self, outputs: &[&[f32]], _: &Input) -> Option<(String, String)> {
        let scores = outputs[..self.0.strides.len()].iter().flat_map(|scores| scores.iter().copied());
        (!are_probabilities(scores)).then(|| {
            let problem = "its class values are not between 0 and 1: its sigmoid is not in the graph";
            (problem.into(), "export it with PaddleDetection's tools/export_model.py, without post-processing".into())
        })
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
    use base::geometry::Rect;

    #[test]
    fn a_cell_gives_every_class_it_is_sure_of() {
        let head = PicoDet(Distances { strides: vec![8, 16], reg_max: 1 });
        let input = Input::for_tests(16, 16);
        assert_eq!(head.shapes(&input, 3), [[1, 4, 3], [1, 1, 3], [1, 4, 8], [1, 1, 8]]);
        let mut scores = vec![0.0; 12];
        scores[3 * 3..].copy_from_slice(&[0.9, 0.1, 0.5]);
        // All mass on bin 1: one stride to each side.
        let distances: Vec<f32> = [0.0, 40.0].repeat(16);
        let mut found = Vec::new();
        head.decode(&[&scores, &[0.0; 3], &distances, &distances[..8]], &input, 0.4, &mut found);
        assert_eq!(found.iter().map(|d| (d.class, d.score)).collect::<Vec<_>>(), [(0, 0.9), (2, 0.5)]);
        assert_eq!(found[0].rect, Rect::from_corners(4.0, 4.0, 20.0, 20.0), "around (12, 12)");
    }

    #[test]
    fn logits_are_not_taken_for_probabilities() {
        let head = PicoDet(Distances { strides: vec![8], reg_max: 1 });
        let input = Input::for_tests(8, 8);
        assert_eq!(head.doubt(&[&[0.0, 1.0], &[-3.0; 8]], &input), None, "distances may be anything");
        assert!(head.doubt(&[&[0.2, -3.0], &[0.0; 8]], &input).unwrap().0.contains("sigmoid"));
    }
}
