//! Acknowledgement of the post, schema `wardwatch.ack/1`: written at the ward post, read on the box.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::Phase;
use super::ids::{AlertId, BoxId, OutboxId};

/// The value of `schema` in every acknowledgement of this version.
pub const SCHEMA: &str = "wardwatch.ack/1";

/// Maximum number of gaps in a message. Numbers above the last gap that has room are not acknowledged yet.
pub const GAPS_MAX: usize = 256;

/// Maximum number of stored messages that a message names.
pub const NAMED_MAX: usize = 8;

/// Numbers that are missing, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

/// A stored message of the outbox, by its number and its alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// Its number.
    pub seq: u64,
    /// Its alert.
    pub id: AlertId,
    /// Its phase.
    pub phase: Phase,
}

/// The message on topic `wardwatch/v1/{ward}/{box}/ack`, retained: of one outbox, which messages lie on the post's disk.
///
/// It says all there is to say, so that any one of them replaces those before: the latest is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// The outbox. A box ignores an acknowledgement of another than its present one.
    pub outbox: OutboxId,
    /// Everything from 1 to this `seq` is stored; 0 when the first is missing.
    pub contiguous: u64,
    /// The highest `seq` that is spoken of; never below `contiguous`.
    pub highest: u64,
    /// Numbers that are missing between `contiguous` and `highest`, in order, at most [`GAPS_MAX`].
    pub gaps: Vec<Gap>,
    /// Messages at the ends of the first stored runs, at most [`NAMED_MAX`]. A box that has another alert under such a number
    /// has a store that has gone back, and begins another outbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Named>,
    /// A number under which two messages have come: the box's store has gone back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<u64>,
    /// The post that wrote it; absent from posts that do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<Writer>,
}

/// The post that wrote an acknowledgement. It tells two posts of one client id from a bad link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Writer {
    /// Its client id at the broker.
    pub client: String,
    /// One run of the program.
    pub run: String,
    /// Number of its connection to the broker in this run, attempts included.
    pub connection: u64,
}

impl Ack {
    /// From the stored numbers, as runs of `(first, last)` in ascending order and without repetition. 0 is no number.
    pub fn of(box_id: BoxId, outbox: OutboxId, runs: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let (mut contiguous, mut highest, mut gaps) = (0, 0, Vec::new());
        for (first, last) in runs {
            if first > highest + 1 {
                if gaps.len() == GAPS_MAX {
                    break;
                }
                gaps.push(Gap { first: highest + 1, last: first - 1 });
            }
            highest = last;
            if gaps.is_empty() {
                contiguous = last;
            }
        }
        Self {
            schema: SCHEMA.to_owned(),
            box_id,
            outbox,
            contiguous,
            highest,
            gaps,
            named: Vec::new(),
            conflict: None,
            writer: None,
        }
    }

    /// True where the post has stored this message.
    pub fn covers(&self, seq: u64) -> bool {
        let is_missing = self.gaps.iter().any(|gap| (gap.first..=gap.last).contains(&seq));
        (1..=self.highest).contains(&seq) && !is_missing
    }

    /// The stored numbers, as runs of `(first, last)` in ascending order.
    pub fn runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let starts = std::iter::once(1).chain(self.gaps.iter().map(|gap| gap.last + 1));
        let ends = self.gaps.iter().map(|gap| gap.first - 1).chain(std::iter::once(self.highest));
        starts.zip(ends).filter(|(first, last)| first <= last)
    }

    /// True where its numbers are valid: gaps in order, without overlap, above `contiguous` and not above `highest`; where
    /// there is no gap, both are equal.
    pub fn is_consistent(&self) -> bool {
        let mut above = self.contiguous;
        for gap in &self.gaps {
            if gap.first <= above || gap.last < gap.first {
                return false;
            }
            above = gap.last;
        }
        above <= self.highest && (!self.gaps.is_empty() || self.contiguous == self.highest)
    }
}

/// The JSON Schema of [`Ack`], pretty-printed; `deploy/ack.schema.json` is this text.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(Ack);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ack(runs: &[(u64, u64)]) -> Ack {
        Ack::of("box-1".parse().unwrap(), OutboxId::default(), runs.iter().copied())
    }

    #[test]
    fn it_names_what_is_missing() {
        let ack = ack(&[(1, 4), (6, 6), (9, 12)]);
        assert_eq!((ack.contiguous, ack.highest), (4, 12));
        assert_eq!(ack.gaps, [Gap { first: 5, last: 5 }, Gap { first: 7, last: 8 }]);
        let covered: Vec<u64> = (0..15).filter(|seq| ack.covers(*seq)).collect();
        assert_eq!(covered, [1, 2, 3, 4, 6, 9, 10, 11, 12]);
    }

    #[test]
    fn too_many_gaps_leave_the_end_unsaid() {
        let runs: Vec<(u64, u64)> = (1..1000).map(|n| (2 * n, 2 * n)).collect();
        let ack = ack(&runs);
        assert_eq!((ack.contiguous, ack.gaps.len()), (0, GAPS_MAX));
        assert!(ack.is_consistent() && ack.covers(ack.highest) && !ack.covers(ack.highest + 2));
    }

    #[test]
    fn nonsense_is_told_from_sense() {
        let good = ack(&[(1, 4), (6, 9)]);
        assert!(good.is_consistent() && ack(&[]).is_consistent());
        assert!(!Ack { highest: 4, ..good.clone() }.is_consistent());
        assert!(!Ack { contiguous: 5, ..good.clone() }.is_consistent());
        assert!(!Ack { gaps: vec![Gap { first: 6, last: 5 }], ..good.clone() }.is_consistent());
        assert!(!Ack { gaps: Vec::new(), ..good }.is_consistent());
    }

    #[test]
    fn the_checked_in_schema_is_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/ack.schema.json");
        if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(path, json_schema()).unwrap();
        }
        let checked_in = std::fs::read_to_string(path).unwrap();
        assert!(json_schema() == checked_in, "deploy/ack.schema.json is out of date: run `make schemas`");
    }

    proptest! {
        /// Equal to a set of numbers.
        #[test]
        fn it_covers_what_is_stored(stored in proptest::collection::btree_set(1u64..120, 0..100)) {
            let mut runs: Vec<(u64, u64)> = Vec::new();
            for &seq in &stored {
                match runs.last_mut() {
                    Some(run) if run.1 + 1 == seq => run.1 = seq,
                    _ => runs.push((seq, seq)),
                }
            }
            let ack = ack(&runs);
            prop_assert!(ack.is_consistent());
            let covered: BTreeSet<u64> = (0..130).filter(|seq| ack.covers(*seq)).collect();
            prop_assert_eq!(&covered, &stored);
            prop_assert_eq!(ack.runs().collect::<Vec<_>>(), runs);
        }
    }
}
