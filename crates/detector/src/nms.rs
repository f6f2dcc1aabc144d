//! Non-maximum suppression: of boxes of one class that cover each other, the surest stays.

use super::heads::RawDetection;

/// Maximum candidates; of more, the surest are taken, since the cost grows with their square.
const CANDIDATES_MAX: usize = 4096;

/// Keeps the boxes that no surer box of the same group overlaps by more than `iou_max` (IoU); best first.
///
/// `group` is the group in which a class competes: the class itself, or its label. Among equal scores the earlier wins.
/// A score that is not a number is dropped.
pub fn suppress<G: PartialEq>(
    mut candidates: Vec<RawDetection>,
    iou_max: f32,
    group: impl Fn(u16) -> G,
) -> Vec<RawDetection> {
    candidates.retain(|candidate| !candidate.score.is_nan());
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(CANDIDATES_MAX);
    let mut kept: Vec<RawDetection> = Vec::new();
    for candidate in candidates {
        let covered = kept.iter().any(|better| {
            group(better.class) == group(candidate.class) && better.rect.iou(&candidate.rect) > iou_max
        });
        if !covered {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::geometry::Rect;
    use proptest::prelude::*;

    fn candidates() -> impl Strategy<Value = Vec<RawDetection>> {
        let one =
            (0u16..3, 0u8..20, 0u8..8, 0u8..8, 1u8..6, 1u8..6).prop_map(|(class, score, x, y, w, h)| {
                let rect = Rect::new(f32::from(x), f32::from(y), f32::from(w), f32::from(h));
                RawDetection { class, score: f32::from(score) / 20.0, rect }
            });
        proptest::collection::vec(one, 0..40)
    }

    /// Reference by striking out: take the best that is left (the first of equals), strike what it covers, and again.
    fn naive(mut left: Vec<RawDetection>, iou_max: f32) -> Vec<RawDetection> {
        let mut kept = Vec::new();
        while !left.is_empty() {
            let mut best = 0;
            for i in 1..left.len() {
                if left[i].score > left[best].score {
                    best = i;
                }
            }
            let winner = left.remove(best);
            left.retain(|other| other.class != winner.class || winner.rect.iou(&other.rect) <= iou_max);
            kept.push(winner);
        }
        kept
    }

    proptest! {
        #[test]
        fn agrees_with_striking_out(candidates in candidates(), iou_max in 0.0f32..1.0) {
            prop_assert_eq!(suppress(candidates.clone(), iou_max, |class| class), naive(candidates, iou_max));
        }
    }

    #[test]
    fn classes_of_one_group_compete() {
        let rect = Rect::new(0.0, 0.0, 1.0, 1.0);
        let of = |class, score| RawDetection { class, score, rect };
        let both = vec![of(5, 0.6), of(7, 0.8), of(2, f32::NAN)];
        assert_eq!(suppress(both.clone(), 0.5, |class| class).len(), 2);
        assert_eq!(suppress(both, 0.5, |_| ()), [of(7, 0.8)]);
    }
}
