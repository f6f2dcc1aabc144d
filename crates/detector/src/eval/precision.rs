//! Average precision, as pycocotools computes it: greedy matching, precision made to fall, 101 points of recall. A box in an
//! unclear place counts as little as one in COCO's crowds.

use super::{ClassBox, Compared};

const THRESHOLDS: [f32; 10] = [0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95];

/// Returns (mean over the ten thresholds, at IoU 0.50) for one class that has at least one true box.
pub(super) fn of_class(class: u16, pictures: &[Compared]) -> (f64, f64) {
    let of = |boxes: &[ClassBox]| boxes.iter().filter(|b| b.0 == class).copied().collect::<Vec<_>>();
    let pictures: Vec<_> = pictures
        .iter()
        .map(|picture| [of(&picture.truth), of(&picture.unclear), of(&picture.found)])
        .collect();
    let at = THRESHOLDS.map(|iou_min| at_threshold(&pictures, iou_min));
    (at.iter().sum::<f64>() / at.len() as f64, at[0])
}

/// Score and rightness at IoU 0.50 of each found box of a picture with boxes of one class only, best first.
pub(super) fn matched_at_half(picture: &Compared) -> Vec<(f32, bool)> {
    let boxes = [&picture.truth, &picture.unclear, &picture.found];
    matched(&boxes.map(Clone::clone), THRESHOLDS[0])
}

/// Average precision at one threshold; each picture has its true, unclear and found boxes.
fn at_threshold(pictures: &[[Vec<ClassBox>; 3]], iou_min: f32) -> f64 {
    let truths: usize = pictures.iter().map(|[truth, ..]| truth.len()).sum();
    let mut ranked: Vec<(f32, bool)> =
        pictures.iter().flat_map(|picture| matched(picture, iou_min)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    average(ranked.into_iter().map(|(_, right)| right), truths)
}

/// Score and rightness of each found box, best first. A true box is taken by the first that overlaps it most. A box that is
/// not right and lies in an unclear box by `iou_min` of its own area is left out.
fn matched([truth, unclear, found]: &[Vec<ClassBox>; 3], iou_min: f32) -> Vec<(f32, bool)> {
    let mut free = vec![true; truth.len()];
    let mut found: Vec<&ClassBox> = found.iter().collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut judged = Vec::with_capacity(found.len());
    for found in found {
        let overlaps = truth.iter().enumerate().filter(|(at, _)| free[*at]);
        let best = overlaps.map(|(at, truth)| (at, truth.2.iou(&found.2))).max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((at, _)) = best.filter(|(_, iou)| *iou >= iou_min) {
            free[at] = false;
            judged.push((found.1, true));
        } else if !unclear.iter().any(|place| place.2.intersection(&found.2) >= iou_min * found.2.area()) {
            judged.push((found.1, false));
        }
    }
    judged
}

/// Mean precision at recall 0, 0.01, ... 1 of boxes that are right or wrong, best first.
fn average(ranked: impl Iterator<Item = bool>, truths: usize) -> f64 {
    let (mut right, mut points) = (0usize, Vec::new());
    for (rank, is_right) in ranked.enumerate() {
        right += usize::from(is_right);
        points.push((right as f64 / truths as f64, right as f64 / (rank + 1) as f64));
    }
    // From the end: precision at a recall is the best at this or any higher one.
    for at in (1..points.len()).rev() {
        points[at - 1].1 = points[at - 1].1.max(points[at].1);
    }
    let mut sum = 0.0;
    for hundredths in 0..=100 {
        let recall = f64::from(hundredths) / 100.0;
        let at = points.partition_point(|point| point.0 < recall - 1e-12);
        sum += points.get(at).map_or(0.0, |point| point.1);
    }
    sum / 101.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::geometry::Rect;

    #[test]
    fn precision_by_hand() {
        assert_eq!(average([true, true].into_iter(), 2), 1.0);
        assert_eq!(average([].into_iter(), 2), 0.0);
        // Recall 0.5 at precision 1, then 1.0 at 2/3: 51 points of 1 and 50 of 2/3.
        let ap = average([true, false, true].into_iter(), 2);
        assert!((ap - (51.0 + 50.0 * 2.0 / 3.0) / 101.0).abs() < 1e-9, "{ap}");
        // Wrong first: the later, better precision counts backwards.
        assert!((average([false, true].into_iter(), 1) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_true_box_counts_once_and_other_classes_do_not() {
        let here = Rect::new(0.1, 0.1, 0.2, 0.2);
        let shifted = Rect::new(0.12, 0.1, 0.2, 0.2);
        let picture = Compared {
            truth: vec![(3, 1.0, here), (4, 1.0, Rect::new(0.6, 0.6, 0.2, 0.2))],
            unclear: vec![(3, 1.0, Rect::new(0.6, 0.6, 0.2, 0.2))],
            found: vec![(3, 0.9, shifted), (3, 0.8, here), (4, 0.7, here)],
        };
        let (ap_50_95, ap_50) = of_class(3, std::slice::from_ref(&picture));
        assert_eq!(ap_50, 1.0, "the second is a duplicate, after full recall");
        // IoU of the first is 0.818: right at seven thresholds; at the other three the second one is, at half precision.
        assert!((ap_50_95 - (7.0 + 3.0 * 0.5) / 10.0).abs() < 1e-9, "{ap_50_95}");
        assert_eq!(of_class(4, std::slice::from_ref(&picture)), (0.0, 0.0));
        // A surer box on no subject costs precision, unless it lies in an unclear place of its class.
        let with = |at: Rect| {
            let mut found = picture.found.clone();
            found.push((3, 0.95, at));
            let (truth, unclear) = (picture.truth.clone(), picture.unclear.clone());
            of_class(3, &[Compared { truth, unclear, found }]).1
        };
        assert!((with(Rect::new(0.3, 0.6, 0.1, 0.1)) - 0.5).abs() < 1e-9);
        assert_eq!(with(Rect::new(0.65, 0.65, 0.1, 0.1)), 1.0);
    }
}
