//! Found subjects and reported crossings, against the truth: pure.

use base::detection::{Detection, Label};
use base::geometry::{Rect, Side};

/// Boxes that overlap by this much are of the same subject.
const IOU_MIN: f32 = 0.5;
/// Maximum time by which a crossing may be reported before it was seen by eye, in seconds: feet are not exact, and a
/// track is confirmed after some inferences.
const EARLY: f64 = 1.0;
/// Maximum time after it, in seconds.
const LATE: f64 = 3.0;

/// Networks confuse cars and large vehicles.
pub fn kind(label: Label) -> u8 {
    match label {
        Label::Person => 0,
        Label::TwoWheeler => 1,
        Label::Car | Label::LargeVehicle => 2,
        Label::Moving => 3,
    }
}

/// Returns for each subject if it was found, by a box of its kind that is not another's: pairs that overlap most are
/// made first.
pub fn found(subjects: &[Detection], boxes: &[(Label, Rect)]) -> Vec<bool> {
    let mut pairs = Vec::new();
    for (s, subject) in subjects.iter().enumerate() {
        for (b, (label, rect)) in boxes.iter().enumerate() {
            let iou = subject.rect.iou(rect);
            if kind(*label) == kind(subject.label) && iou >= IOU_MIN {
                pairs.push((iou, s, b));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut is_found, mut is_taken) = (vec![false; subjects.len()], vec![false; boxes.len()]);
    for (_, s, b) in pairs {
        if !is_found[s] && !is_taken[b] {
            (is_found[s], is_taken[b]) = (true, true);
        }
    }
    is_found
}

/// Numbers of crossings that were reported, and of reported crossings that did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crossed {
    pub hit: usize,
    pub wrong: usize,
}

/// Compares the reported crossings of a line with those seen by eye, second and side of arrival each. Pairs nearest
/// in time are made first.
pub fn crossed(by_eye: &[(f64, Side)], told: &[(f64, Side)]) -> Crossed {
    let mut pairs = Vec::new();
    for (e, (at, side)) in by_eye.iter().enumerate() {
        for (t, (told_at, told_side)) in told.iter().enumerate() {
            let later = told_at - at;
            if side == told_side && (-EARLY..=LATE).contains(&later) {
                pairs.push((later.abs(), e, t));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut is_hit, mut is_right) = (vec![false; by_eye.len()], vec![false; told.len()]);
    for (_, e, t) in pairs {
        if !is_hit[e] && !is_right[t] {
            (is_hit[e], is_right[t]) = (true, true);
        }
    }
    let hit = is_hit.iter().filter(|hit| **hit).count();
    Crossed { hit, wrong: told.len() - hit }
}
