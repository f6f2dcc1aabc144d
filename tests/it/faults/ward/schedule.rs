//! Random choice of faults and their times. Pure.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng, RngCore as _};

/// Faults that can happen between a rule and the duty officer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    BrokerKilled,
    BrokerKilledAndForgets,
    BrokerStalled,
    LinkCut,
    LinkStalled,
    LinkThin,
    LinkDeaf,
    BoxKilled,
    PostKilled,
    PostStalled,
    PostCut,
    DeliveredTwice,
    DeliveredLate,
}

impl Kind {
    pub const ALL: [Self; 13] = [
        Self::BrokerKilled,
        Self::BrokerKilledAndForgets,
        Self::BrokerStalled,
        Self::LinkCut,
        Self::LinkStalled,
        Self::LinkThin,
        Self::LinkDeaf,
        Self::BoxKilled,
        Self::PostKilled,
        Self::PostStalled,
        Self::PostCut,
        Self::DeliveredTwice,
        Self::DeliveredLate,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::BrokerKilled => "broker kill -9, with persistence",
            Self::BrokerKilledAndForgets => "broker kill -9, nothing kept",
            Self::BrokerStalled => "broker SIGSTOP",
            Self::LinkCut => "a box's link cut",
            Self::LinkStalled => "a box's link stalled",
            Self::LinkThin => "a box's link slow, far and lossy",
            Self::LinkDeaf => "a box's link carries nothing back",
            Self::BoxKilled => "box kill -9",
            Self::PostKilled => "post kill -9",
            Self::PostStalled => "post SIGSTOP",
            Self::PostCut => "post's link cut",
            Self::DeliveredTwice => "alerts delivered twice",
            Self::DeliveredLate => "alerts delivered late, out of order",
        }
    }

    /// Returns true if it happens to one box, false if to all.
    pub fn is_of_one_box(self) -> bool {
        matches!(self.target(0).0, 1 | 2)
    }

    /// Returns true if nothing reaches the post as long as it lasts.
    pub fn shuts(self) -> bool {
        !matches!(
            self,
            Self::LinkCut | Self::LinkThin | Self::PostCut | Self::DeliveredTwice | Self::DeliveredLate
        )
    }

    /// Part that it happens to: two faults at once do not happen to the same part.
    fn target(self, which: usize) -> (u8, usize) {
        match self {
            Self::BrokerKilled | Self::BrokerKilledAndForgets | Self::BrokerStalled => (0, 0),
            Self::LinkCut | Self::LinkStalled | Self::LinkThin | Self::LinkDeaf => (1, which),
            Self::BoxKilled => (2, which),
            Self::PostKilled | Self::PostStalled | Self::PostCut => (3, 0),
            Self::DeliveredTwice | Self::DeliveredLate => (4, 0),
        }
    }
}

/// One fault of a run.
#[derive(Debug, Clone)]
pub struct Fault {
    pub kind: Kind,
    /// Box that it happens to, if it happens to one.
    pub which: usize,
    /// Time since the beginning.
    pub from: Duration,
    pub until: Duration,
}

/// Draws faults: all kinds equally often, at random moments of `span`, each for `lasts` at most.
pub fn draw(random: &mut StdRng, count: usize, span: Duration, lasts: Duration, boxes: usize) -> Vec<Fault> {
    let mut kinds: Vec<Kind> = Kind::ALL.into_iter().cycle().take(count).collect();
    kinds.shuffle(random);
    let mut faults: Vec<Fault> = Vec::new();
    for kind in kinds {
        // Tries until a moment is free, 1000 times at most.
        for _ in 0..1000 {
            let which = random.next_u32() as usize % boxes;
            let from = span.mul_f64(random.random());
            let until = from + lasts.mul_f64(random.random_range(0.1..=1.0));
            let is_free = faults.iter().all(|other| {
                let same = other.kind.target(other.which) == kind.target(which);
                !same || from > other.until || other.from > until
            });
            if is_free {
                faults.push(Fault { kind, which, from, until });
                break;
            }
        }
    }
    assert_eq!(faults.len(), count, "there is no room for so many");
    faults
}
