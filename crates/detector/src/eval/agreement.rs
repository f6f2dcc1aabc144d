//! Agreement of two networks: the part of one's boxes that the other has too. For footage that no one has labelled.

use serde::Serialize;

use base::detection::{Detection, Label};

/// Overlap from which two boxes are of the same subject.
const IOU_MIN: f32 = 0.5;

/// Kinds of labels that are not told apart: networks call the same truck a car, a van and a bus.
const KINDS: [(&str, &[Label]); 3] = [
    ("person", &[Label::Person]),
    ("two-wheeler", &[Label::TwoWheeler]),
    ("four-wheeler", &[Label::Car, Label::LargeVehicle]),
];

/// Counts over pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Pictures compared.
    pub pictures: usize,
    /// Persons, two-wheelers, four-wheelers.
    pub kinds: [KindAgreement; 3],
}

/// Counts of one kind of subject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindAgreement {
    /// The kind's name.
    pub kind: &'static str,
    /// Boxes of the reference.
    pub reference: usize,
    /// Of these, boxes that the other network has with IoU of at least one half.
    pub found: usize,
    /// Boxes of the other network that are none of the reference's.
    pub more: usize,
}

impl KindAgreement {
    /// Part of the reference that was found, 0..=1; `None` where the reference saw nothing.
    pub fn recall(&self) -> Option<f64> {
        (self.reference > 0).then(|| self.found as f64 / self.reference as f64)
    }
}

impl Default for Agreement {
    fn default() -> Self {
        let kinds = KINDS.map(|(kind, _)| KindAgreement { kind, reference: 0, found: 0, more: 0 });
        Self { pictures: 0, kinds }
    }
}

impl Agreement {
    /// Takes in one picture. The surest of the reference chooses first, the box that it overlaps most.
    pub fn add(&mut self, reference: &[Detection], found: &[Detection]) {
        self.pictures += 1;
        for ((_, labels), counts) in KINDS.iter().zip(&mut self.kinds) {
            let of = |boxes: &[Detection]| -> Vec<Detection> {
                let mut boxes: Vec<Detection> =
                    boxes.iter().filter(|seen| labels.contains(&seen.label)).copied().collect();
                boxes.sort_by(|a, b| b.score.total_cmp(&a.score));
                boxes
            };
            let (reference, mut free) = (of(reference), of(found));
            counts.reference += reference.len();
            for wanted in reference {
                let overlaps = free.iter().map(|seen| seen.rect.iou(&wanted.rect)).enumerate();
                let best = overlaps.max_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((at, _)) = best.filter(|(_, iou)| *iou >= IOU_MIN) {
                    free.swap_remove(at);
                    counts.found += 1;
                }
            }
            counts.more += free.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::geometry::Rect;

    fn seen(label: Label, score: f32, x: f32) -> Detection {
        Detection { label, score, rect: Rect::new(x, 0.2, 0.2, 0.2) }
    }

    #[test]
    fn boxes_are_found_once_and_by_their_kind() {
        let reference = [
            seen(Label::Car, 0.9, 0.10),
            seen(Label::LargeVehicle, 0.6, 0.60),
            seen(Label::Person, 0.7, 0.40),
            seen(Label::Moving, 0.7, 0.40),
        ];
        // A truck where the reference sees a car; a second box on it; a car too far from the large vehicle.
        let found = [
            seen(Label::LargeVehicle, 0.3, 0.12),
            seen(Label::Car, 0.8, 0.13),
            seen(Label::Car, 0.8, 0.70),
            seen(Label::TwoWheeler, 0.8, 0.40),
        ];
        let mut agreement = Agreement::default();
        agreement.add(&reference, &found);
        agreement.add(&[], &[]);
        let counts = agreement.kinds.clone().map(|kind| (kind.reference, kind.found, kind.more));
        assert_eq!((agreement.pictures, counts), (2, [(1, 0, 0), (0, 0, 1), (2, 1, 2)]));
        let recalls = agreement.kinds.map(|kind| kind.recall());
        assert_eq!(recalls, [Some(0.0), None, Some(0.5)]);
    }
}
