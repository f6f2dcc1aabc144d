//! Scenarios of the store's times: a clock that is set late, a clock that steps back.

use std::sync::Arc;
use std::time::Duration;

use base::fragment::Fragment;
use base::time::{ClockState, Stamp, WallTime};
use clipstore::{ClipFilter, Store};
use tempfile::TempDir;

use crate::store::{assert_agrees, clip_files, settings};
use crate::support::ToldClock;
use crate::support::sample::{FRAGMENT, START, closed, fragment, opened};
use crate::support::wait_until;

const LONG: Duration = Duration::from_secs(20);

/// The same instant on a box that was never told the time.
fn unsynced(at: Stamp) -> Stamp {
    let since_boot = i64::try_from(at.monotonic.as_nanos() / 1000).unwrap();
    Stamp { wall: WallTime::from_micros(since_boot), clock: ClockState::Unsynced, ..at }
}

fn at(number: u32) -> Stamp {
    START + FRAGMENT * number
}

/// Appends and waits for the index.
fn record(store: &Store, camera: &str, number: u32, starts_at: Stamp) {
    let fragment = Fragment { starts_at, ..fragment(camera, number, 1000) };
    store.append(fragment).unwrap();
    wait_until("it is indexed", LONG, || {
        let segments = store.segments(&ClipFilter::default()).unwrap();
        segments.iter().any(|segment| segment.ends_at >= starts_at.wall + FRAGMENT)
    });
}

#[test]
fn footage_and_alerts_from_before_the_clock_was_right_are_found_where_they_belong() {
    let place = TempDir::new().unwrap();
    let clock = ToldClock::new(unsynced(START));
    let store = Store::open(settings(place.path()), Arc::new(clock.clone())).unwrap();
    for number in 0..4 {
        record(&store, "gate", number, unsynced(at(number)));
    }
    let mut draft = opened("gate", FRAGMENT);
    draft.event.opened_at = unsynced(at(1));
    draft.clip.starts_at = unsynced(at(0)).wall;
    let alert = store.put_alert(draft.clone()).unwrap();
    // It closes while the time is not known yet, and is kept only once the clock is right.
    let mut closing = closed(&draft, FRAGMENT * 2);
    closing.event.closed_at = Some(unsynced(at(2)));
    closing.clip.ends_at = Some(unsynced(at(3)).wall);
    assert!(store.footage(&"gate".parse().unwrap(), START.wall, at(4).wall).unwrap().segments.is_empty());

    clock.set(at(4));
    record(&store, "gate", 4, at(4));
    store.put_alert(closing).unwrap();
    let check = |store: &Store| {
        let gate = "gate".parse().unwrap();
        let clip = store.footage(&gate, START.wall, at(5).wall).unwrap();
        let spans: Vec<_> =
            clip.segments.iter().map(|segment| (segment.starts_at, segment.ends_at, segment.clock)).collect();
        let synced = ClockState::Synced;
        assert_eq!(spans, [(at(0).wall, at(4).wall, synced), (at(4).wall, at(5).wall, synced)]);
        let clip = store.clip(alert.id).unwrap();
        assert_eq!((clip.starts_at, clip.ends_at, clip.segments.len()), (at(0).wall, at(3).wall, 1));
    };
    check(&store);
    store.close();
    assert_agrees(place.path());

    // The files have the same times without the index.
    std::fs::remove_file(place.path().join("index.sqlite")).unwrap();
    drop(store);
    let store = Store::open(settings(place.path()), Arc::new(clock)).unwrap();
    assert!(store.vitals().reconciled.rebuilt);
    let gate = "gate".parse().unwrap();
    let segments = store.footage(&gate, START.wall, at(5).wall).unwrap().segments;
    assert_eq!(
        segments.iter().map(|segment| segment.starts_at).collect::<Vec<_>>(),
        [at(0).wall, at(4).wall]
    );
}

#[test]
fn a_clock_that_steps_back_overwrites_and_hides_nothing() {
    let place = TempDir::new().unwrap();
    let clock = ToldClock::new(START);
    let store = Store::open(settings(place.path()), Arc::new(clock)).unwrap();
    let hour = Duration::from_secs(3600);
    let stepped = |number: u32| Stamp { wall: at(number).wall - hour, ..at(number) };
    for number in 0..3 {
        record(&store, "gate", number, at(number));
    }
    for number in 3..6 {
        store.append(Fragment { starts_at: stepped(number), ..fragment("gate", number, 1000) }).unwrap();
    }
    // Back to the old time, so that the same wall time comes twice.
    for number in 0..3 {
        let again = Stamp { wall: at(number).wall, ..at(number + 6) };
        store.append(Fragment { starts_at: again, ..fragment("gate", number + 6, 1000) }).unwrap();
    }
    store.close();
    let gate = "gate".parse().unwrap();
    let count = |from, to| store.footage(&gate, from, to).unwrap().segments.len();
    assert_eq!(count(stepped(3).wall, stepped(6).wall), 1, "what the stepped clock named");
    assert_eq!(count(START.wall, at(3).wall), 2, "both that happened at this time, as the clock had it");
    assert_eq!(clip_files(place.path()).len(), 3);
    let bytes: u64 =
        store.segments(&ClipFilter::default()).unwrap().iter().map(|segment| segment.bytes).sum();
    assert!(bytes > 9000, "{bytes}");
    assert_agrees(place.path());
}
