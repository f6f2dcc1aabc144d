//! NanoDet-Plus (RangiLyu/nanodet): `[1, anchors, labels + 4 * (reg_max + 1)]`, each row class logits, then distance
//! distributions from the cell's top left corner.

use serde::Deserialize;

use super::{Decoder, RawDetection, anchors, are_probabilities, grid, sigmoid};
use super::distance::{self, Distances};
use crate::manifest::Input;

/// Numbers of a NanoDet-Plus head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Written")]
pub struct NanoDet {
    distances: Distances,
    classes: Classes,
}

/// A NanoDet-Plus head as a manifest has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "distance::strides")]
    strides: Vec<usize>,
    #[serde(default = "distance::reg_max")]
    reg_max: usize,
    #[serde(default)]
    classes: Classes,
}

impl From<Written> for NanoDet {
    fn from(Written { strides, reg_max, classes }: Written) -> Self {
        Self { distances: Distances { strides, reg_max }, classes }
    }
}

/// Meaning of the class values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Classes {
    /// Values before the sigmoid.
    #[default]
    Logits,
    /// Values after it, as NanoDet's own export has it.
    Probabilities,
}

impl Decoder for NanoDet {
    fn shapes(&self, input: &Input, labels: usize) -> Vec<Vec<usize>> {
        vec![vec![1, anchors(input, &self.distances.strides), labels + self.distances.bins()]]
    }

    fn decode(&self, outputs: &[&[f32]], input: &Input, score_min: f32, found: &mut Vec<RawDetection>) {
        let row_len = outputs[0].len() / anchors(input, &self.distances.strides);
        let labels = row_len - self.distances.bins();
        // The sigmoid rises: compare logits, and take it of the few that pass.
        let (value_min, score): (f32, fn(f32) -> f32) = match self.classes {
            Classes::Logits => ((score_min / (1.0 - score_min)).ln(), sigmoid),
            Classes::Probabilities => (score_min, |value| value),
        };
        for (row, (column, line, stride)) in outputs[0].chunks_exact(row_len).zip(grid(input, &self.distances.strides)) {
            let (values, distances) = row.split_at(labels);
            let mut rect = None;
            for (class, value) in values.iter().enumerate().filter(|(_, value)| **value >= value_min) {
                let rect = *rect
                    .get_or_insert_with(|| distance::rect(column * stride, line * stride, stride, distances));
                found.push(RawDetection { class: class as u16, score: score(*value), rect });
            }
        }
    }

    fn doubt(&self, outputs: &[&[f32]], input: &Input) -> Option<(String, String)> {
        let row_len = outputs[0].len() / anchors(input, &self.distances.strides);
        let labels = row_len - self.distances.bins();
        let values = outputs[0].chunks_exact(row_len).flat_map(|row| row[..labels].iter().copied());
        match (self.classes, are_probabilities(values)) {
            (Classes::Logits, true) => Some((
                "its class values are between 0 and 1: it has its sigmoid in the graph".into(),
                "add `classes = \"probabilities\"` below [head]".into(),
            )),
            (Classes::Probabilities, false) => Some((
                "its class values are not between 0 and 1: its sigmoid is not in the graph".into(),
                "leave out `classes = \"probabilities\"` below [head]".into(),
            )),
            _ => None,
        }
    }

    fn stride_max(&self) -> usize {
        self.distances.strides.iter().copied().max().unwrap_or(64)
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        self.distances.problem()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::geometry::Rect;

    #[test]
    fn a_row_becomes_a_box_around_its_corner() {
        let head = NanoDet { distances: Distances { strides: vec![8], reg_max: 1 }, classes: Classes::Logits };
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

    #[test]
    fn a_sigmoid_in_the_graph_is_known_by_its_values() {
        let head = |classes| NanoDet { distances: Distances { strides: vec![8], reg_max: 1 }, classes };
        let input = Input::for_tests(16, 8);
        let logits: Vec<f32> = [-6.0, -4.5, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0].repeat(2);
        let probabilities: Vec<f32> = [0.01, 0.9, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0].repeat(2);
        assert_eq!(head(Classes::Logits).doubt(&[&logits], &input), None);
        assert_eq!(head(Classes::Probabilities).doubt(&[&probabilities], &input), None);
        let (problem, remedy) = head(Classes::Logits).doubt(&[&probabilities], &input).unwrap();
        assert!(problem.contains("sigmoid") && remedy.contains("add `classes"), "{problem}: {remedy}");
        assert!(head(Classes::Probabilities).doubt(&[&logits], &input).unwrap().1.contains("leave out"));
        let mut found = Vec::new();
        head(Classes::Probabilities).decode(&[&probabilities], &input, 0.5, &mut found);
        assert_eq!(found.iter().map(|f| (f.class, f.score)).collect::<Vec<_>>(), [(1, 0.9), (1, 0.9)]);
    }
}
