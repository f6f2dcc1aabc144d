//! YOLOX (Ge et al. 2021): `[1, anchors, 5 + labels]`, each row x, y, w, h, objectness and class scores, the last two already
//! between 0 and 1. Boxes are relative to their cell, or, exported with `decode_in_inference`, centre and size in pixels.

use serde::Deserialize;

use super::{Decoder, RawDetection, anchors, are_probabilities, best, grid, strides_problem};
use crate::manifest::Input;
use base::geometry::Rect;

/// Numbers of a YOLOX head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yolox {
    /// Input pixels per cell, in the order of the output's rows.
    #[serde(default = "strides")]
    pub strides: Vec<usize>,
    /// Meaning of the first four numbers of a row.
    #[serde(default)]
    pub boxes: Boxes,
}

/// Unit of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boxes {
    /// Offset from the cell in cells, logarithm of the size in cells.
    #[default]
    Cells,
    /// Centre and size in pixels of the input.
    Pixels,
}

/// Minimum part of a probe picture's boxes that fit a format, for the format to be recognised.
const FITTING: f32 = 0.9;
/// A box's centre is at most so many cells away from its own cell.
const CELLS_AWAY: f32 = 4.0;
/// A cell's column, row and stride.
type Cell = (f32, f32, f32);
/// Minimum cells a side of a map for the test of formats; on fewer, every format fits.
const CELLS_TOLD: usize = 12;

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
                let [x, y, w, h] = match self.boxes {
                    Boxes::Pixels => [row[0], row[1], row[2], row[3]],
                    Boxes::Cells => [
                        (row[0] + column) * stride,
                        (row[1] + line) * stride,
                        row[2].exp() * stride,
                        row[3].exp() * stride,
                    ],
                };
                let rect = Rect::new(x - w / 2.0, y - h / 2.0, w, h);
                found.push(RawDetection { class: class as u16, score, rect });
            }
        }
    }

    fn doubt(&self, outputs: &[&[f32]], input: &Input) -> Option<(String, String)> {
        let rows = anchors(input, &self.strides);
        let row_len = outputs[0].len() / rows;
        if !are_probabilities(outputs[0].chunks_exact(row_len).flat_map(|row| row[4..].iter().copied())) {
            let problem = "its scores are not between 0 and 1: it was exported without its sigmoids, or its head is no yolox";
            return Some((problem.into(), "export it with the sigmoids, or correct `head.kind`".into()));
        }
        let finest = self.strides.iter().copied().min().unwrap_or(8);
        if input.width.min(input.height) < CELLS_TOLD * finest {
            return None;
        }
        let fitting = |fits: &dyn Fn(&[f32], Cell) -> bool| {
            let boxes = outputs[0].chunks_exact(row_len).zip(grid(input, &self.strides));
            boxes.filter(|(row, cell)| fits(row, *cell)).count() as f32 >= FITTING * rows as f32
        };
        // Distance of the centre from the middle of its cell, in cells.
        let is_near = |x: f32, y: f32, (column, line, stride): Cell| {
            let [dx, dy] = [x / stride - column - 0.5, y / stride - line - 0.5];
            dx.abs() <= CELLS_AWAY && dy.abs() <= CELLS_AWAY
        };
        let (width, height) = (input.width as f32, input.height as f32);
        let in_pixels = fitting(&|row, cell| is_near(row[0], row[1], cell) && row[2] > 0.0 && row[3] > 0.0);
        let in_cells = fitting(&|row, _| row[0].abs() <= CELLS_AWAY && row[1].abs() <= CELLS_AWAY);
        let as_parts = fitting(&|row, cell| {
            is_near(row[0] * width, row[1] * height, cell) && row[2] > 0.0 && row[3] > 0.0
        });
        let as_corners = fitting(&|row, cell| {
            is_near((row[0] + row[2]) / 2.0, (row[1] + row[3]) / 2.0, cell) && row[2] > row[0] && row[3] > row[1]
        });
        let again = "export it without `decode_in_inference` (YOLOX: `tools/export_onnx.py` without --decode_in_inference)";
        let (problem, remedy) = match self.boxes {
            Boxes::Cells if in_cells && !as_parts => return None,
            Boxes::Pixels if in_pixels && !in_cells => return None,
            _ if as_parts => ("its boxes are decoded already, to parts of the input (0 to 1)", again.to_owned()),
            Boxes::Cells if in_pixels => {
                ("its boxes are decoded already, to pixels", format!("add `boxes = \"pixels\"` below [head], or {again}"))
            }
            Boxes::Pixels if in_cells => {
                ("its boxes are raw, in cells, not in pixels", "leave out `boxes = \"pixels\"` below [head]".to_owned())
            }
            _ if as_corners => ("its boxes are decoded already, to corners", again.to_owned()),
            _ => return None,
        };
        Some((problem.to_owned(), remedy))
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
        let head = Yolox { strides: vec![8, 16], boxes: Boxes::Cells };
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

    /// A trained network's rows for a picture, in one of the ways in which it can be exported.
    fn rows(input: &Input, strides: &[usize], write: impl Fn([f32; 4]) -> [f32; 4]) -> Vec<f32> {
        let rows = grid(input, strides).flat_map(|(column, line, stride)| {
            let [dx, dy] = [(column * 7.0 + line) % 3.0 / 3.0, (column + line * 5.0) % 4.0 / 4.0];
            let boxed = write([(column + dx) * stride, (line + dy) * stride, 1.7 * stride, 0.4 * stride]);
            [&boxed[..], &[0.01, 0.2, 0.9]].concat()
        });
        rows.collect()
    }

    #[test]
    fn boxes_are_known_by_their_values() {
        let strides = vec![8, 16, 32];
        for (width, height) in [(416, 416), (640, 384), (320, 192), (192, 128)] {
            let input = Input::for_tests(width, height);
            let raw: Vec<f32> = grid(&input, &strides).flat_map(|_| [0.3, 0.8, 0.5, -0.9, 0.01, 0.2, 0.9]).collect();
            let pixels = rows(&input, &strides, |boxed| boxed);
            let corners = rows(&input, &strides, |[x, y, w, h]| {
                [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]
            });
            let (w, h) = (width as f32, height as f32);
            let parts = rows(&input, &strides, |[x, y, bw, bh]| [x / w, y / h, bw / w, bh / h]);
            let says = |boxes, values: &[f32]| {
                let doubt = Yolox { strides: strides.clone(), boxes }.doubt(&[values], &input);
                doubt.map(|(problem, remedy)| format!("{problem}: {remedy}")).unwrap_or_default()
            };
            assert_eq!(says(Boxes::Cells, &raw), "", "{width}x{height}");
            assert_eq!(says(Boxes::Pixels, &pixels), "", "{width}x{height}");
            assert!(says(Boxes::Cells, &pixels).contains("decoded already, to pixels: add `boxes = \"pixels\"`"));
            assert!(says(Boxes::Pixels, &raw).contains("leave out `boxes"), "{width}x{height}");
            for boxes in [Boxes::Cells, Boxes::Pixels] {
                assert!(says(boxes, &parts).contains("0 to 1"), "{width}x{height}: {}", says(boxes, &parts));
                let logits: Vec<f32> = raw.iter().map(|value| value - 3.0).collect();
                assert!(says(boxes, &logits).contains("sigmoids"), "{width}x{height}");
            }
            assert!(says(Boxes::Cells, &corners).contains("decoded already"), "{width}x{height}");
        }
    }

    #[test]
    fn decoded_boxes_are_taken_as_they_are() {
        let head = Yolox { strides: vec![8], boxes: Boxes::Pixels };
        let input = Input::for_tests(8, 8);
        let mut found = Vec::new();
        head.decode(&[&[100.0, 50.0, 20.0, 10.0, 0.9, 1.0]], &input, 0.3, &mut found);
        assert_eq!(found[0].rect, Rect::new(90.0, 45.0, 20.0, 10.0));
    }
}
