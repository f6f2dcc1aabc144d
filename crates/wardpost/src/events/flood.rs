//! Flood: more events than one person can judge (EEMUA 191: above 10 in 10 minutes, until fewer than 5).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::arrival::Sender;
use base::ids::{CameraId, RuleId};
use base::time::WallTime;

/// Time over which events are counted.
pub const FLOOD_SPAN: Duration = Duration::from_secs(600);
/// A flood begins above this number.
pub const FLOOD_ABOVE: usize = 10;
/// A flood ends below this number.
pub const FLOOD_BELOW: usize = 5;

/// State of the flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flood {
    /// Its beginning; `None` without a flood.
    pub since: Option<WallTime>,
}

impl Flood {
    /// State with `events` in the last [`FLOOD_SPAN`].
    #[must_use]
    pub fn after(self, events: usize, now: WallTime) -> Self {
        let since = match self.since {
            None if events > FLOOD_ABOVE => Some(now),
            Some(_) if events < FLOOD_BELOW => None,
            same => same,
        };
        Self { since }
    }
}

/// Camera and rule of an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The box.
    pub sender: Sender,
    /// The camera.
    pub camera: CameraId,
    /// The rule.
    pub rule: RuleId,
}

/// The sources with the most events, the worst first; at most `limit`.
pub fn worst(sources: impl IntoIterator<Item = Source>, limit: usize) -> Vec<(Source, usize)> {
    let mut counts: BTreeMap<Source, usize> = BTreeMap::new();
    for source in sources {
        *counts.entry(source).or_default() += 1;
    }
    let mut counts: Vec<(Source, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(limit);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_begins_above_ten_and_ends_below_five() {
        let now = WallTime::from_micros(7);
        let mut flood = Flood::default();
        for (events, expected) in
            [(0, false), (10, false), (11, true), (10, true), (5, true), (4, false), (10, false), (12, true)]
        {
            flood = flood.after(events, now);
            assert_eq!(flood.since.is_some(), expected, "{events}");
        }
        let later = flood.after(50, now + FLOOD_SPAN);
        assert_eq!(later, flood, "the beginning stays");
    }

    #[test]
    fn the_worst_source_comes_first() {
        let source = |camera: &str| Source {
            sender: crate::storage::testing::sender("box-1"),
            camera: camera.parse().unwrap(),
            rule: "night".parse().unwrap(),
        };
        let events = ["a", "b", "b", "c", "c", "c"].map(source);
        assert_eq!(worst(events, 2), [(source("c"), 3), (source("b"), 2)]);
    }
}
