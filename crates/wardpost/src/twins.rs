//! Detection of two boxes under one name: a copied card, or one id given twice. Pure; the receiver calls it.
//!
//! A box that restarts has another instance from then on, and its former one never comes back.

use std::collections::VecDeque;
use std::time::Duration;

use base::status::{Presence, Status};
use base::time::{Monotonic, WallTime};

/// Number of former instances of a box that are remembered.
const FORMER_MAX: usize = 8;
/// Returns of former instances that count as two boxes. One is not enough: a broker may deliver one old status again.
const RETURNS_MIN: usize = 2;
/// Time within which they have to return.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Minimum time between two reports.
const TOLD_AGAIN: Duration = Duration::from_secs(10 * 60);

/// One run of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Instance {
    boot_id: String,
    started_at: WallTime,
}

/// The instances that used one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Twins {
    present: Option<Instance>,
    former: VecDeque<Instance>,
    returns: VecDeque<Monotonic>,
    told_at: Option<Monotonic>,
}

impl Twins {
    /// Takes a status. Returns a report, for a person, where two boxes use the name by turns.
    pub fn sign(&mut self, status: &Status, now: Monotonic) -> Option<String> {
        // A will is published after its box has gone, maybe after the next one came.
        if status.presence == Presence::Offline {
            return None;
        }
        let instance = Instance { boot_id: status.boot_id.clone(), started_at: status.started_at };
        if self.present.as_ref() == Some(&instance) {
            return None;
        }
        let has_returned = self.former.contains(&instance);
        self.former.retain(|former| *former != instance);
        let before = self.present.replace(instance.clone());
        self.former.extend(before.clone());
        if self.former.len() > FORMER_MAX {
            self.former.pop_front();
        }
        if !has_returned {
            return None;
        }
        self.returns.push_back(now);
        self.returns.retain(|at| now.since(*at) < WINDOW);
        let is_told = self.told_at.is_some_and(|at| now.since(at) < TOLD_AGAIN);
        if self.returns.len() < RETURNS_MIN || is_told {
            return None;
        }
        self.told_at = Some(now);
        Some(described(&instance, before.as_ref()))
    }
}

fn described(one: &Instance, other: Option<&Instance>) -> String {
    let text = |instance: &Instance| format!("boot {}, started {}", instance.boot_id, instance.started_at);
    let other = other.map_or(String::new(), text);
    format!(
        "another client uses this id: two boxes speak by turns ({}; {other}); give each a box.id and a certificate of its \
         own, or switch the copy off",
        text(one)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::time::ClockState;

    fn status(boot: &str, started: i64, presence: Presence) -> Status {
        Status {
            schema: base::status::SCHEMA.to_owned(),
            presence,
            ward: "ben-nghe".parse().unwrap(),
            box_id: "box-1".parse().unwrap(),
            version: "0.1.0".to_owned(),
            boot_id: boot.to_owned(),
            started_at: WallTime::from_micros(started),
            connection: None,
            cameras: Vec::new(),
            store: None,
            outbox_depth: 0,
            oldest_unacknowledged: None,
            outbox: None,
            clock: ClockState::Synced,
            configuration_faults: Vec::new(),
            on_test: false,
        }
    }

    /// Times of the reports for this sequence of boot, start, and second of arrival.
    fn told(steps: &[(&str, i64, u64)]) -> Vec<u64> {
        let mut twins = Twins::default();
        let mut told = Vec::new();
        for (boot, started, second) in steps {
            let now = Monotonic::from_nanos(second * 1_000_000_000);
            let said = twins.sign(&status(boot, *started, Presence::Online), now);
            assert!(said.as_ref().is_none_or(|said| said.contains("another client uses this id")));
            told.extend(said.map(|_| *second));
            // The will of the instance that was disconnected.
            assert_eq!(twins.sign(&status(boot, *started, Presence::Offline), now), None);
        }
        told
    }

    #[test]
    fn two_boxes_by_turns_are_told_of_once() {
        let turns: Vec<_> = (0..20).map(|turn| (["a", "b"][turn as usize % 2], 1, turn * 5)).collect();
        assert_eq!(told(&turns), [15]);
        // Two programs on one machine have one boot.
        let turns: Vec<_> =
            (0..20).map(|turn| ("a", i64::from(turn % 2), u64::from(turn as u32) * 5)).collect();
        assert_eq!(told(&turns), [15]);
        // The turns go on, and are reported again.
        let turns: Vec<_> = (0..200).map(|turn| (["a", "b"][turn as usize % 2], 1, turn * 5)).collect();
        assert_eq!(told(&turns), [15, 615]);
    }

    #[test]
    fn restarts_are_none() {
        let restarts: Vec<_> = (0..50).map(|start| ("a", start, start as u64 * 5)).collect();
        assert_eq!(told(&restarts), [0; 0]);
        let boots = ["a", "b", "c", "d"].map(|boot| (boot, 1, 1));
        assert_eq!(told(&boots), [0; 0]);
    }

    #[test]
    fn one_old_status_that_is_delivered_again_is_none() {
        assert_eq!(told(&[("a", 1, 0), ("b", 1, 5), ("a", 1, 60), ("b", 1, 2000), ("b", 1, 2060)]), [0; 0]);
    }
}
