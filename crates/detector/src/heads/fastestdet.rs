//! FastestDet (dog-qiuqiu/FastestDet): one feature map `[1, 5 + labels, rows, columns]` of objectness, box and class
//! planes; one box per cell.

use serde::Deserialize;

use super::{Decoder, RawDetection, cells, sigmoid, strides_problem};
use crate::manifest::Input;
use base::geometry::Rect;

/// Numbers of a FastestDet head.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FastestDet {
    /// Input pixels per cell.
    #[serde(default = "stride")]
    pub stride: usize,
    /// Meaning of the values in the class planes.
    #[serde(default)]
    pub classes: Classes,
}

/// Values in a network's class planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Classes {
    /// Values after the softmax, which is in the network.
    #[default]
    Probabilities,
    /// Values before the softmax, which was cut from the network: half of its time in tract, next to nothing here.
    Logits,
}

fn stride() -> usize {
    16
}

impl Decoder for FastestDet {
    fn shapes(&self, input: &Input, labels: usize) -> Vec<Vec<usize>> {
        let (columns, rows) = cells(input, self.stride);
        vec![vec![1, 5 + labels, rows, columns]]
    }

    fn decode(&self, outputs: &[&[f32]], input: &Input, score_min: f32, found: &mut Vec<RawDetection>) {
        let (columns, rows) = cells(input, self.stride);
        let planes: Vec<&[f32]> = outputs[0].chunks_exact(columns * rows).collect();
        // score = objectness^0.6 * class^0.4, and a class is at most 1.
        let objectness_min = score_min.powf(1.0 / 0.6);
        for cell in (0..columns * rows).filter(|cell| planes[0][*cell] >= objectness_min) {
            let (class, probability) = self.class(&planes[5..], cell);
            let score = planes[0][cell].powf(0.6) * probability.powf(0.4);
            if score >= score_min {
                let x = ((cell % columns) as f32 + planes[1][cell].tanh()) / columns as f32;
                let y = ((cell / columns) as f32 + planes[2][cell].tanh()) / rows as f32;
                let (w, h) = (sigmoid(planes[3][cell]), sigmoid(planes[4][cell]));
                let (width, height) = (input.width as f32, input.height as f32);
                let rect = Rect::new((x - w / 2.0) * width, (y - h / 2.0) * height, w * width, h * height);
                found.push(RawDetection { class: class as u16, score, rect });
            }
        }
    }

    fn stride_max(&self) -> usize {
        self.stride
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        strides_problem(&[self.stride]).map(|_| ("stride", format!("{} must be from 1 to 1024", self.stride)))
    }
}

impl FastestDet {
    /// The likeliest class of a cell and its probability.
    fn class(&self, planes: &[&[f32]], cell: usize) -> (usize, f32) {
        let (class, highest) = planes.iter().map(|plane| plane[cell]).enumerate().fold(
            (0, f32::NEG_INFINITY),
            |best, new| if new.1 > best.1 { new } else { best },
        );
        let probability = match self.classes {
            Classes::Probabilities => highest,
            Classes::Logits => 1.0 / planes.iter().map(|plane| (plane[cell] - highest).exp()).sum::<f32>(),
        };
        (class, probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_and_probabilities_mean_the_same_box() {
        let input = Input::for_tests(32, 16);
        // Two cells; planes: objectness, x, y, w, h, two classes.
        let logits = [0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0];
        let mut probabilities = logits;
        probabilities[13] = 1.0 / (1.0 + (-2f32).exp());
        let decode = |classes, output: &[f32]| {
            let mut found = Vec::new();
            FastestDet { stride: 16, classes }.decode(&[output], &input, 0.3, &mut found);
            found
        };
        let (a, b) = (decode(Classes::Logits, &logits), decode(Classes::Probabilities, &probabilities));
        assert_eq!(a.len(), 1);
        assert_eq!(a[0].class, 1);
        assert_eq!(a[0].rect, Rect::new(8.0, -4.0, 16.0, 8.0));
        assert!((a[0].score - b[0].score).abs() < 1e-6 && a[0].rect == b[0].rect);
        assert!((a[0].score - 0.9f32.powf(0.6) * 0.880_8f32.powf(0.4)).abs() < 1e-4);
    }
}
