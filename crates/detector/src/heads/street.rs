//! The product's own networks (models/training): one map per stride, `[1, 4 + labels, rows, columns]`: centre x and y relative to
//! the cell's centre, log of width and height, all in strides, then one logit per label. Nothing of this is in the graph:
//! only cells that are sure enough are computed.

use serde::Deserialize;

use super::{Decoder, RawDetection, cells, sigmoid, strides_problem};
use crate::manifest::Input;
use base::geometry::Rect;

/// Training holds sizes within e^6 strides; beyond, a box is no box.
const LOG_SIZE_MAX: f32 = 6.0;

/// Numbers of a street head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Street {
    /// Input pixels per cell, in the order of the outputs.
    #[serde(default = "strides")]
    pub strides: Vec<usize>,
}

fn strides() -> Vec<usize> {
    vec![8, 16, 32]
}

impl Decoder for Street {
    fn shapes(&self, input: &Input, labels: usize) -> Vec<Vec<usize>> {
        let shapes = self.strides.iter().map(|stride| {
            let (columns, rows) = cells(input, *stride);
            vec![1, 4 + labels, rows, columns]
        });
        shapes.collect()
    }

    fn decode(&self, outputs: &[&[f32]], input: &Input, score_min: f32, found: &mut Vec<RawDetection>) {
        // Compared before the sigmoid: nearly all cells are below.
        let logit_min = (score_min / (1.0 - score_min)).ln();
        for (stride, map) in self.strides.iter().zip(outputs) {
            let (columns, rows) = cells(input, *stride);
            let stride = *stride as f32;
            let planes: Vec<&[f32]> = map.chunks_exact(columns * rows).collect();
            let (place, logits) = planes.split_at(4);
            for (class, plane) in logits.iter().enumerate() {
                for (cell, logit) in plane.iter().enumerate().filter(|(_, logit)| **logit >= logit_min) {
                    let x = ((cell % columns) as f32 + 0.5 + place[0][cell]) * stride;
                    let y = ((cell / columns) as f32 + 0.5 + place[1][cell]) * stride;
                    let side = |log: f32| log.clamp(-LOG_SIZE_MAX, LOG_SIZE_MAX).exp() * stride;
                    let (w, h) = (side(place[2][cell]), side(place[3][cell]));
                    let rect = Rect::new(x - w / 2.0, y - h / 2.0, w, h);
                    found.push(RawDetection { class: class as u16, score: sigmoid(*logit), rect });
                }
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
    fn a_cell_becomes_a_box_around_its_centre() {
        let head = Street { strides: vec![8, 16] };
        let input = Input::for_tests(16, 16);
        assert_eq!(head.shapes(&input, 2), [[1, 6, 2, 2], [1, 6, 1, 1]]);
        // Six planes of 2x2 cells; cell (1, 0) is the second of each.
        let mut fine = vec![0.0; 6 * 4];
        (fine[1], fine[5], fine[9], fine[13]) = (0.5, -0.25, 2f32.ln(), 0.0);
        fine[16..24].copy_from_slice(&[-9.0, -9.0, -9.0, -9.0, -9.0, 2.0, -9.0, -9.0]);
        let coarse = [0.0, 0.0, f32::NAN, 50.0, 0.2, f32::NAN];
        let mut found = Vec::new();
        head.decode(&[&fine, &coarse], &input, 0.6, &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].class, found[0].rect), (1, Rect::new(8.0, -2.0, 16.0, 8.0)));
        assert!((found[0].score - 0.880_797).abs() < 1e-5);
        head.decode(&[&fine, &coarse], &input, 0.5, &mut found);
        assert_eq!(found.len(), 3, "logit 0.2 is above one half; not a number is not");
    }

    #[test]
    fn a_fourth_stride_is_one_more_map() {
        let head: Street = toml::from_str("strides = [8, 16, 32, 64]").unwrap();
        let input = Input::for_tests(640, 384);
        let maps: Vec<_> = head.shapes(&input, 4).iter().map(|shape| [shape[2], shape[3]]).collect();
        assert_eq!((head.stride_max(), maps), (64, vec![[48, 80], [24, 40], [12, 20], [6, 10]]));
        let mut coarsest = vec![0.0; 8 * 60];
        coarsest[4 * 60 + 11] = 3.0;
        let (fine, mid, low) = (vec![-9.0; 8 * 3840], vec![-9.0; 8 * 960], vec![-9.0; 8 * 240]);
        let mut found = Vec::new();
        head.decode(&[&fine, &mid, &low, &coarsest], &input, 0.6, &mut found);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].rect, Rect::new(64.0, 64.0, 64.0, 64.0), "the second cell of the second row");
    }
}
