//! Grouping: the event that an alert belongs to.

use std::time::Duration;

use base::alert::Alert;
use base::event::Severity;
use base::time::WallTime;

/// Longest span of one event, unless the distance of its alerts may be longer: a source that never ends is told again.
const SPAN_MAX: Duration = Duration::from_secs(600);
/// Kinds of rules about the camera itself. A fault of power or network hits all cameras of a box at once.
const CAMERA_FAULTS: [&str; 2] = ["camera_offline", "camera_sabotage"];

/// Alerts that can be one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupBy {
    /// Those of one camera and rule, and faults of the cameras of one box.
    #[default]
    Rule,
    /// All of one box.
    Box,
}

/// Settings of grouping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping {
    /// Longest time between two alerts of one event, on the box's clock.
    pub within: Duration,
    /// Alerts that can be one event.
    pub by: GroupBy,
}

impl Default for Grouping {
    fn default() -> Self {
        Self { within: Duration::from_secs(60), by: GroupBy::default() }
    }
}

/// An event that is not closed and has the key of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub number: u64,
    /// Start of its first alert, on the box's clock.
    pub first: WallTime,
    /// Start of its last alert, on the box's clock.
    pub last: WallTime,
    /// Highest severity of its alerts.
    pub severity: Severity,
    /// Nobody has taken or parked it.
    pub is_new: bool,
}

impl Grouping {
    /// Key of an alert: alerts of one box with different keys are never one event.
    pub fn key(&self, alert: &Alert) -> String {
        match self.by {
            GroupBy::Box => "box".to_owned(),
            GroupBy::Rule if CAMERA_FAULTS.contains(&alert.rule.kind.as_str()) => "cameras".to_owned(),
            GroupBy::Rule => format!("{}/{}", alert.camera.id, alert.rule.id),
        }
    }

    /// The event that an alert joins; `None` where it makes one of its own.
    ///
    /// An alert that is more severe than an event which somebody has taken or parked does not join it: the officer judged
    /// something less severe.
    pub fn event_of(&self, opened_at: WallTime, severity: Severity, candidates: &[Candidate]) -> Option<u64> {
        let fits = |one: &&Candidate| {
            let (first, last) = (one.first.min(opened_at), one.last.max(opened_at));
            distance(one, opened_at) <= self.within
                && last.since(first) <= SPAN_MAX.max(self.within)
                && (one.is_new || severity <= one.severity)
        };
        let nearest = |one: &&Candidate| (distance(one, opened_at), std::cmp::Reverse(one.number));
        candidates.iter().filter(fits).min_by_key(nearest).map(|one| one.number)
    }
}

/// Time between an event's alerts and a moment; zero between its first and its last.
fn distance(event: &Candidate, at: WallTime) -> Duration {
    event.first.since(at).max(at.since(event.last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::storage::testing::alert;

    fn at(seconds: i64) -> WallTime {
        WallTime::from_micros(1_777_673_643_000_000 + seconds * 1_000_000)
    }

    fn candidate(number: u64, first: i64, last: i64) -> Candidate {
        let severity = Severity::Warning;
        Candidate { number, first: at(first), last: at(last), severity, is_new: true }
    }

    #[test]
    fn an_alert_joins_the_nearest_event_within_the_time() {
        let grouping = Grouping::default();
        let events = [candidate(1, 0, 10), candidate(2, 100, 130)];
        for (seconds, expected) in [
            (5, Some(1)),
            (-60, Some(1)),
            (-61, None),
            (70, Some(2)),
            (60, Some(2)),
            (190, Some(2)),
            (191, None),
        ] {
            assert_eq!(grouping.event_of(at(seconds), Severity::Warning, &events), expected, "{seconds}");
        }
    }

    #[test]
    fn an_event_is_told_again_after_ten_minutes() {
        let grouping = Grouping::default();
        assert_eq!(grouping.event_of(at(600), Severity::Warning, &[candidate(1, 0, 590)]), Some(1));
        assert_eq!(grouping.event_of(at(601), Severity::Warning, &[candidate(1, 0, 590)]), None);
        let long = Grouping { within: Duration::from_secs(3600), ..grouping };
        assert_eq!(long.event_of(at(3600), Severity::Warning, &[candidate(1, 0, 0)]), Some(1));
    }

    #[test]
    fn a_more_severe_alert_does_not_hide_in_an_event_that_somebody_judged() {
        let grouping = Grouping::default();
        let taken = Candidate { is_new: false, ..candidate(1, 0, 0) };
        assert_eq!(grouping.event_of(at(1), Severity::Critical, &[taken]), None);
        assert_eq!(grouping.event_of(at(1), Severity::Warning, &[taken]), Some(1));
        assert_eq!(grouping.event_of(at(1), Severity::Critical, &[candidate(1, 0, 0)]), Some(1));
    }

    #[test]
    fn faults_of_a_boxs_cameras_have_one_key() {
        let (grouping, mut one) = (Grouping::default(), alert("box-1", 1));
        assert_eq!(grouping.key(&one), "gate/night");
        assert_eq!(Grouping { by: GroupBy::Box, ..grouping }.key(&one), "box");
        one.rule.kind = "camera_offline".into();
        assert_eq!(grouping.key(&one), "cameras");
    }

    proptest! {
        /// The span of an event that alerts join in any order is bounded.
        #[test]
        fn no_event_grows_without_end(times in proptest::collection::vec(0i64..4000, 1..80)) {
            let grouping = Grouping::default();
            let mut events: Vec<Candidate> = Vec::new();
            for seconds in times {
                match grouping.event_of(at(seconds), Severity::Warning, &events) {
                    Some(number) => {
                        let event = &mut events[usize::try_from(number).unwrap()];
                        event.first = event.first.min(at(seconds));
                        event.last = event.last.max(at(seconds));
                        prop_assert!(event.last.since(event.first) <= SPAN_MAX);
                    }
                    None => {
                        prop_assert!(events.iter().all(|one| distance(one, at(seconds)) > grouping.within
                            || one.last.max(at(seconds)).since(one.first.min(at(seconds))) > SPAN_MAX));
                        events.push(candidate(events.len() as u64, seconds, seconds));
                    }
                }
            }
        }
    }
}
