//! Figures of any source of boxes, by the product's labels: for benches that prepare pictures or boxes themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{ClassBox, Compared, dataset, precision};
use crate::DetectError;
use crate::RawDetection;
use crate::nms;
use base::detection::{Detection, Label};

/// One picture of a folder with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The file.
    pub picture: PathBuf,
    /// True boxes; scores are 1.
    pub truth: Vec<Detection>,
    /// Boxes that may be seen or not.
    pub unclear: Vec<Detection>,
}

/// Reads every picture of `folder`, by name. Class ids that `map` does not name are left out.
pub fn labelled(folder: &Path, map: &BTreeMap<u16, Label>) -> Result<Vec<Labelled>, DetectError> {
    let boxes = |path: &Path| -> Result<Vec<Detection>, DetectError> {
        let named = dataset::boxes(path)?.into_iter();
        let named =
            named.filter_map(|(class, rect)| Some(Detection { label: *map.get(&class)?, score: 1.0, rect }));
        Ok(named.collect())
    };
    let entries = dataset::entries(folder)?.into_iter();
    entries
        .map(|entry| {
            let (truth, unclear) = (boxes(&entry.labels)?, boxes(&entry.unclear)?);
            Ok(Labelled { picture: entry.picture, truth, unclear })
        })
        .collect()
}

/// True and found boxes of one picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// True boxes.
    pub truth: Vec<Detection>,
    /// Boxes that may be seen or not: they count neither way.
    pub unclear: Vec<Detection>,
    /// Found boxes, in any order.
    pub found: Vec<Detection>,
}

/// Figures of one label, or of several that count as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// True boxes.
    pub boxes: usize,
    /// Average precision at IoU 0.50, 0..=1.
    pub ap_50: f64,
    /// Counts at the scores asked for, in their order.
    pub at: Vec<AtScore>,
}

/// Counts of the boxes that are at least so sure, at IoU 0.50.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtScore {
    /// Found boxes that match a true one.
    pub right: usize,
    /// Found boxes that match none, and lie in no unclear place.
    pub wrong: usize,
    /// True boxes.
    pub truths: usize,
}

impl AtScore {
    /// Part of the true boxes that was found; `None` where there are none.
    pub fn recall(&self) -> Option<f64> {
        (self.truths > 0).then(|| self.right as f64 / self.truths as f64)
    }

    /// Part of the found boxes that is right; `None` where none was found.
    pub fn precision(&self) -> Option<f64> {
        let found = self.right + self.wrong;
        (found > 0).then(|| self.right as f64 / found as f64)
    }
}

/// Measures `labels`, which count as one, over pictures, and counts the boxes that are at least as sure as each of `scores`.
/// Of two found boxes that overlap by more than `nms_iou` the surer stays.
pub fn figures(labels: &[Label], pictures: &[Seen], scores: &[f32], nms_iou: f32) -> Figures {
    let compared: Vec<Compared> = pictures.iter().map(|picture| as_one(labels, picture, nms_iou)).collect();
    let boxes = compared.iter().map(|picture| picture.truth.len()).sum();
    let at = scores.iter().map(|score_min| counted(&compared, *score_min)).collect();
    let ap_50 = if boxes > 0 { precision::of_class(0, &compared).1 } else { 0.0 };
    Figures { boxes, ap_50, at }
}

/// Boxes of these labels as boxes of class 0.
fn as_one(labels: &[Label], picture: &Seen, nms_iou: f32) -> Compared {
    let of = |boxes: &[Detection]| -> Vec<RawDetection> {
        let asked = boxes.iter().filter(|seen| labels.contains(&seen.label));
        asked.map(|seen| RawDetection { class: 0, score: seen.score, rect: seen.rect }).collect()
    };
    let boxes = |raw: Vec<RawDetection>| -> Vec<ClassBox> {
        raw.into_iter().map(|raw| (raw.class, raw.score, raw.rect)).collect()
    };
    let found = nms::suppress(of(&picture.found), nms_iou, |class| class);
    Compared { truth: boxes(of(&picture.truth)), unclear: boxes(of(&picture.unclear)), found: boxes(found) }
}

fn counted(pictures: &[Compared], score_min: f32) -> AtScore {
    let mut at = AtScore { right: 0, wrong: 0, truths: 0 };
    for picture in pictures {
        at.truths += picture.truth.len();
        for (score, is_right) in precision::matched_at_half(picture) {
            if score >= score_min {
                *(if is_right { &mut at.right } else { &mut at.wrong }) += 1;
            }
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::geometry::Rect;

    fn seen(label: Label, score: f32, x: f32) -> Detection {
        Detection { label, score, rect: Rect::new(x, 0.2, 0.1, 0.2) }
    }

    #[test]
    fn labels_that_count_as_one_are_counted_at_each_score() {
        let picture = Seen {
            truth: vec![
                seen(Label::Car, 1.0, 0.1),
                seen(Label::LargeVehicle, 1.0, 0.4),
                seen(Label::Person, 1.0, 0.7),
            ],
            unclear: vec![seen(Label::Car, 1.0, 0.85)],
            found: vec![
                seen(Label::LargeVehicle, 0.9, 0.1),
                // A second name of the same car.
                seen(Label::Car, 0.8, 0.1),
                seen(Label::Car, 0.3, 0.41),
                seen(Label::Car, 0.5, 0.6),
                seen(Label::Car, 0.5, 0.85),
                seen(Label::TwoWheeler, 0.9, 0.7),
            ],
        };
        let pictures = [picture];
        let both = [Label::Car, Label::LargeVehicle];
        let figures = figures(&both, &pictures, &[0.25, 0.45], 0.65);
        let counts = |right, wrong| AtScore { right, wrong, truths: 2 };
        assert_eq!((figures.boxes, &figures.at[..]), (2, &[counts(2, 1), counts(1, 1)][..]));
        assert_eq!(figures.at[1].recall(), Some(0.5));
        assert_eq!(figures.at[0].precision(), Some(2.0 / 3.0));
        // Recall 0.5 at precision 1, then 1.0 at 2/3.
        assert!((figures.ap_50 - (51.0 + 50.0 * 2.0 / 3.0) / 101.0).abs() < 1e-9, "{}", figures.ap_50);
        let persons = super::figures(&[Label::Person], &pictures, &[0.25], 0.65);
        assert_eq!((persons.boxes, persons.ap_50), (1, 0.0));
        assert_eq!((persons.at[0].recall(), persons.at[0].precision()), (Some(0.0), None));
        assert_eq!(super::figures(&[Label::Moving], &pictures, &[0.25], 0.65).at[0].recall(), None);
    }

    #[test]
    fn a_folder_is_read_in_the_words_of_a_map() {
        let folder = tempfile::tempdir().unwrap();
        for part in ["images", "labels", "unclear"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        std::fs::write(folder.path().join("images/a.jpg"), b"").unwrap();
        std::fs::write(folder.path().join("labels/a.txt"), "2 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.1 0.1\n").unwrap();
        std::fs::write(folder.path().join("unclear/a.txt"), "0 0.5 0.5 1 1\n").unwrap();
        let map = BTreeMap::from([(0, Label::Person), (2, Label::Car)]);
        let pictures = labelled(folder.path(), &map).unwrap();
        assert_eq!(pictures.len(), 1);
        let labels = |boxes: &[Detection]| boxes.iter().map(|seen| seen.label).collect::<Vec<_>>();
        assert_eq!(labels(&pictures[0].truth), [Label::Car]);
        assert_eq!(labels(&pictures[0].unclear), [Label::Person]);
    }
}
