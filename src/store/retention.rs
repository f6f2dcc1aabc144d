//! Which segments go when the clip files take too much room. Pure: no file is touched here.

/// A segment on the disk, as the planner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Its row; the greater the younger.
    pub id: i64,
    /// Length of its file.
    pub bytes: u64,
    /// Whether fragments are still being added. Such a segment never goes.
    pub writing: bool,
}

/// The oldest segments of `held` (ordered from old to young) whose going brings the total down to `bytes_goal`, or all
/// that may go if that is not enough.
pub(super) fn plan(held: impl Iterator<Item = Held> + Clone, bytes_goal: u64) -> Vec<i64> {
    let mut total: u64 = held.clone().map(|segment| segment.bytes).sum();
    let mut going = Vec::new();
    for segment in held.filter(|segment| !segment.writing) {
        if total <= bytes_goal {
            break;
        }
        total -= segment.bytes;
        going.push(segment.id);
    }
    going
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring() -> impl Strategy<Value = Vec<Held>> {
        prop::collection::vec((0u64..1000, prop::bool::weighted(0.2)), 0..40).prop_map(|segments| {
            let held = |(id, (bytes, writing))| Held { id, bytes, writing };
            (0..).zip(segments).map(held).collect()
        })
    }

    proptest! {
        #[test]
        fn the_oldest_go_and_no_more_than_needed(ring in ring(), goal in 0u64..20_000) {
            let going = plan(ring.iter().copied(), goal);
            let total: u64 = ring.iter().map(|segment| segment.bytes).sum();
            let bytes = |ids: &[i64]| -> u64 {
                ring.iter().filter(|segment| ids.contains(&segment.id)).map(|segment| segment.bytes).sum()
            };
            let may_go: Vec<i64> = ring.iter().filter(|s| !s.writing).map(|s| s.id).collect();
            // Oldest first: what goes is the beginning of what may go.
            prop_assert_eq!(&going[..], &may_go[..going.len()]);
            // Enough: the goal is reached, or nothing is left that may go.
            prop_assert!(total - bytes(&going) <= goal || going.len() == may_go.len());
            // Not too much: without its last one it would not have been enough.
            if let [but_last @ .., _] = &going[..] {
                prop_assert!(total - bytes(but_last) > goal);
            }
        }
    }
}
