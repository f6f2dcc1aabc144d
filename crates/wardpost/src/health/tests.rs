//! Judgement of a box over minutes.

use std::time::Duration;

use serde_json::json;

use super::*;
use base::status::{Status, StreamState};
use base::time::Monotonic;
use base::vitals::Vitals;

/// A box whose messages come once a minute.
struct Minutes {
    judge: Judge,
    minute: u64,
    status: Status,
    vitals: Vitals,
}

impl Minutes {
    fn new() -> Self {
        let at = "2026-05-01T22:14:03.120Z";
        let cameras = ["gate", "yard"].map(|id| json!({ "id": id, "state": "live", "since": at }));
        let status = json!({
            "schema": "wardwatch.status/1", "presence": "online", "ward": "ben-nghe", "box": "box-1", "version": "0.1.0",
            "boot_id": "boot", "started_at": at, "outbox_depth": 0, "clock": "synced",
            "cameras": cameras,
            "store": { "state": "keeping", "since": at },
        });
        let vitals = json!({
            "schema": "wardwatch.vitals/1", "ward": "ben-nghe", "box": "box-1", "at": at, "seconds": 60.0,
            "disk": { "free_bytes": 2_000_000_000u64, "clip_bytes": 0, "held_bytes": 0, "lost_fragments": 0 },
            "memory": {}, "throttle": 1.0, "cameras": [{ "id": "gate", "fps": 5.0, "motion": 0.1, "looks_per_second": 2.0,
                "inference": 0.1, "shortfall_looks_per_second": 0.0, "shortfall": 0.0 }],
            "health": { "clock": "synced", "outbox_depth": 0, "free_bytes_min": 1_000_000_000u64, "footage_days_min": 7.0,
                "certificate_ends_at": "2027-05-01T00:00:00.000Z" },
        });
        let (status, vitals) =
            (serde_json::from_value(status).unwrap(), serde_json::from_value(vitals).unwrap());
        Self { judge: Judge::default(), minute: 0, status, vitals }
    }

    /// Lets minutes pass. Returns the changes with their minutes.
    fn pass(&mut self, minutes: u64) -> Vec<(u64, Change)> {
        let mut changes = Vec::new();
        for _ in 0..minutes {
            let now = Monotonic::from_nanos(self.minute * 60_000_000_000);
            self.judge.status(&self.status, now);
            self.judge.vitals(&self.vitals, self.vitals.at, now);
            let change = self.judge.pass(self.vitals.at, now);
            changes.extend((!change.is_empty()).then_some((self.minute, change)));
            self.minute += 1;
        }
        changes
    }

    /// Reports of a trouble that begins now, stays for an hour, and ends: its begin and its end, once each.
    fn reports(&mut self, begin: impl Fn(&mut Self), end: impl Fn(&mut Self)) -> (Vec<Trouble>, Vec<u64>) {
        assert_eq!(self.pass(60), []);
        begin(self);
        let (began, first) = (self.pass(60), self.minute - 60);
        end(self);
        let ended = self.pass(60);
        let begun: Vec<Trouble> = began.iter().flat_map(|(_, change)| change.begun.clone()).collect();
        let over: Vec<Trouble> = ended.iter().flat_map(|(_, change)| change.ended.clone()).collect();
        assert!(began.iter().all(|(_, change)| change.ended.is_empty()));
        assert!(ended.iter().all(|(_, change)| change.begun.is_empty()));
        assert_eq!(begun.len(), over.len());
        assert!(begun.iter().zip(&over).all(|(one, other)| one.is_same(other)), "{begun:?} {over:?}");
        assert_eq!(self.judge.standing(), []);
        let minutes = began.iter().map(|(minute, _)| minute - first);
        let last = self.minute - 60;
        let minutes = minutes.chain(ended.iter().map(|(minute, _)| minute - last));
        (begun, minutes.collect())
    }
}

fn kind(trouble: &Trouble) -> String {
    serde_json::to_value(trouble).unwrap()["kind"].as_str().unwrap().to_owned()
}

#[test]
fn each_trouble_is_reported_once_and_so_is_its_end() {
    type Change = fn(&mut Minutes);
    let rows: [(&str, [u64; 2], Change, Change); 10] = [
        (
            "disk-failing",
            [0, 2],
            |m| m.status.store.as_mut().unwrap().state = base::status::StoreState::Failing,
            |m| m.status.store.as_mut().unwrap().state = base::status::StoreState::Keeping,
        ),
        (
            "disk-full",
            [0, 2],
            |m| m.status.store.as_mut().unwrap().state = base::status::StoreState::FullOfEvidence,
            |m| m.status.store.as_mut().unwrap().state = base::status::StoreState::Keeping,
        ),
        (
            "disk-nearly-full",
            [2, 2],
            |m| m.vitals.disk.free_bytes = Some(400_000_000),
            |m| m.vitals.disk.free_bytes = Some(900_000_000),
        ),
        (
            "footage-short",
            [2, 2],
            |m| m.vitals.health.as_mut().unwrap().footage_days = Some(0.6),
            |m| m.vitals.health.as_mut().unwrap().footage_days = Some(9.0),
        ),
        (
            "clock-unset",
            [10, 2],
            |m| {
                m.status.clock = base::time::ClockState::Unsynced;
                m.vitals.health.as_mut().unwrap().clock = base::time::ClockState::Unsynced;
            },
            |m| {
                m.status.clock = base::time::ClockState::Synced;
                m.vitals.health.as_mut().unwrap().clock = base::time::ClockState::Synced;
            },
        ),
        (
            "shortfall",
            [5, 2],
            |m| m.vitals.cameras[0].shortfall_looks_per_second = 0.5,
            |m| m.vitals.cameras[0].shortfall_looks_per_second = 0.0,
        ),
        (
            "outbox-growing",
            [0, 2],
            |m| {
                m.vitals.health.as_mut().unwrap().oldest_unacknowledged =
                    Some(m.vitals.at - Duration::from_secs(1000))
            },
            |m| m.vitals.health.as_mut().unwrap().oldest_unacknowledged = None,
        ),
        (
            "certificate-ending",
            [0, 2],
            |m| {
                m.vitals.health.as_mut().unwrap().certificate_ends_at =
                    Some(m.vitals.at + Duration::from_secs(86_400))
            },
            |m| {
                m.vitals.health.as_mut().unwrap().certificate_ends_at =
                    Some(m.vitals.at + Duration::from_secs(365 * 86_400))
            },
        ),
        (
            "configuration-faults",
            [0, 2],
            |m| m.status.configuration_faults = vec!["rules.night: no zone \"yard\"".to_owned()],
            |m| m.status.configuration_faults.clear(),
        ),
        ("hot", [5, 2], |m| m.vitals.throttle = 0.5, |m| m.vitals.throttle = 1.0),
    ];
    for (word, minutes, begin, end) in rows {
        let (begun, told) = Minutes::new().reports(begin, end);
        assert_eq!(begun.iter().map(kind).collect::<Vec<_>>(), [word]);
        assert_eq!(told, minutes, "{word}");
    }
}

fn set_cameras(minutes: &mut Minutes, state: StreamState) {
    minutes.status.cameras.iter_mut().for_each(|camera| camera.state = state);
}

#[test]
fn cameras_that_go_together_are_one_report() {
    let (begun, told) = Minutes::new().reports(
        |minutes| set_cameras(minutes, StreamState::BackingOff),
        |minutes| set_cameras(minutes, StreamState::Live),
    );
    assert_eq!(begun.len(), 2);
    assert_eq!(told, [2, 2]);
}

#[test]
fn a_camera_that_comes_and_goes_is_no_news() {
    let mut minutes = Minutes::new();
    for turn in 0..60 {
        use StreamState::{Connecting, Live};
        minutes.status.cameras[0].state = if turn % 2 == 0 { Connecting } else { Live };
        assert_eq!(minutes.pass(1), []);
    }
    // A camera that is taken out of the configuration is no trouble.
    minutes.status.cameras[0].state = StreamState::Misconfigured;
    assert_eq!(minutes.pass(5).len(), 1);
    minutes.status.cameras.remove(0);
    assert_eq!(minutes.pass(5).len(), 1);
    assert_eq!(minutes.judge.standing(), []);
}

#[test]
fn what_a_box_had_before_it_was_gone_has_to_last_anew() {
    let mut minutes = Minutes::new();
    minutes.vitals.throttle = 0.5;
    assert_eq!(minutes.pass(4), []);
    minutes.judge.absent();
    minutes.minute += 60;
    assert_eq!(minutes.pass(5), []);
    assert_eq!(minutes.pass(1).len(), 1);
}

#[test]
fn a_box_that_exceeds_the_bounds_is_told_at_once_and_ends_after_two_minutes() {
    let trouble = Trouble::TooMuch { limit: Limit::Alerts, refused: 7 };
    let (mut judge, start) = (Judge::default(), Monotonic::from_nanos(0));
    let at = base::time::WallTime::from_micros(0);
    judge.bounds(Some(&trouble), start);
    assert_eq!(judge.pass(at, start).begun, std::slice::from_ref(&trouble));
    // A restarted post does not know of it any more.
    let mut judge = Judge::new(judge.standing().to_vec());
    judge.bounds(None, start);
    assert!(judge.pass(at, start + Duration::from_secs(119)).is_empty());
    judge.bounds(None, start);
    assert_eq!(judge.pass(at, start + Duration::from_secs(120)).ended.len(), 1);
}

#[test]
fn a_restarted_post_reports_nothing_again() {
    let mut minutes = Minutes::new();
    minutes.vitals.throttle = 0.5;
    assert_eq!(minutes.pass(10).len(), 1);
    minutes.judge = Judge::new(minutes.judge.standing().to_vec());
    assert_eq!(minutes.pass(10), []);
    assert_eq!(minutes.judge.standing().len(), 1);
}

#[test]
fn a_last_message_and_one_of_an_older_box_tell_of_no_trouble() {
    let mut minutes = Minutes::new();
    minutes.vitals.health = None;
    minutes.vitals.disk.free_bytes = Some(0);
    assert_eq!(minutes.pass(30), []);
    minutes.status.cameras[0].state = StreamState::BackingOff;
    minutes.status.presence = base::status::Presence::Offline;
    assert_eq!(minutes.pass(30), []);
}

#[test]
fn versions_are_compared_by_their_numbers() {
    use std::cmp::Ordering::{Equal, Greater, Less};
    for (one, other, order) in
        [("0.9.0", "0.10.0", Less), ("1.0.0", "1.0.0-rc1", Equal), ("1.0.1", "1.0.0", Greater)]
    {
        assert_eq!(compared(one, other), order, "{one} {other}");
    }
}
