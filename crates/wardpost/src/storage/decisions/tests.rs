//! Decisions over two connections, and the log.

use std::sync::Barrier;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::events::Authority;
use crate::storage::testing::{after, later, officer};
use crate::storage::{Batch, QueueFilter, Tab};

fn open() -> (Storage, TempDir) {
    let place = tempfile::tempdir().unwrap();
    (Storage::open(&place.path().join("post.sqlite")).unwrap(), place)
}

/// Stores as many events as are asked for, and returns their numbers.
fn make(storage: &mut Storage, count: usize) -> Vec<u64> {
    let arrivals = (0..count).map(|number| later(&format!("c{number}"), "night", 0)).collect();
    storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
    let queue = storage.queue(&QueueFilter { tab: Tab::Open, camera: None, limit: count + 1 }).unwrap();
    queue.events.iter().map(|event| event.number).collect()
}

#[test]
fn of_two_officers_exactly_one_wins_each_of_a_thousand_races() {
    const RACES: usize = 1000;
    let (mut storage, place) = open();
    // The race is about the lock, not about the disk.
    storage.connection.pragma_update(None, "synchronous", "OFF").unwrap();
    let events = make(&mut storage, RACES);
    assert_eq!(events.len(), RACES);
    let (path, barrier) = (place.path().join("post.sqlite"), Barrier::new(2));
    let race = |name: &'static str| {
        let mut storage = Storage::open_beside(&path).unwrap();
        storage.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let who = officer(name);
        let mut results = Vec::new();
        for event in &events {
            barrier.wait();
            results.push(storage.take_over(*event, &who, after(5)).unwrap());
        }
        results
    };
    let (first, second) = std::thread::scope(|scope| {
        let (first, second) = (scope.spawn(|| race("An")), scope.spawn(|| race("Bình")));
        (first.join().unwrap(), second.join().unwrap())
    });
    let lost_to = |name: &str| Taken::Lost { by: name.parse().unwrap(), at: after(5) };
    for (event, results) in events.iter().zip(first.into_iter().zip(second)) {
        let winner = if results == (Taken::Won, lost_to("An")) { "An" } else { "Bình" };
        assert!(results.0 == Taken::Won || results == (lost_to("Bình"), Taken::Won), "{results:?}");
        let state = storage.event(*event).unwrap().unwrap().state;
        assert_eq!(state.by().map(Officer::as_str), Some(winner));
    }
    let rows = storage.decisions(0, 2 * RACES).unwrap();
    assert_eq!(rows.len(), RACES, "one row for each winner");
    let verified = storage.verify_log(None).unwrap();
    assert_eq!(verified.end.rows, RACES as u64, "{:?}", verified.faults);
}

#[test]
fn a_decision_is_in_the_log_and_in_the_feed_and_a_refused_one_is_not() {
    let (mut storage, _place) = open();
    let event = make(&mut storage, 1)[0];
    let cursor = storage.last_change().unwrap();
    let close = Action::Close { outcome: Outcome::Animal, note: "chó hoang".parse().unwrap() };
    assert_eq!(storage.take_over(event, &officer("An"), after(1)).unwrap(), Taken::Won);
    assert_eq!(storage.take_over(event, &officer("An"), after(2)).unwrap(), Taken::Won);
    let refused = storage.decide(event, &close, &officer("Bình"), after(3)).unwrap();
    assert_eq!(refused, Decided::Refused(Refusal::TakenBy { by: "An".parse().unwrap(), at: after(1) }));
    let Decided::Done(State::Closed { note, .. }) =
        storage.decide(event, &close, &officer("An"), after(4)).unwrap()
    else {
        panic!("it is not closed")
    };
    assert_eq!(note.as_str(), "chó hoang");
    let actions: Vec<String> =
        storage.decisions_about(event, 10).unwrap().into_iter().map(|row| row.action).collect();
    assert_eq!(actions, ["take", "close"]);
    let changes = storage.changes_after(cursor, 10).unwrap();
    assert!(changes.changes.iter().all(|change| change.event == Some(event)));
    assert_eq!(changes.changes.len(), 2);
    let missing = storage.decide(99, &Action::Take, &officer("An"), after(5)).unwrap();
    assert_eq!(missing, Decided::Refused(Refusal::Unknown));
}

#[test]
fn a_change_of_a_decision_is_refused_and_one_that_is_forced_is_found() {
    let (mut storage, _place) = open();
    for event in make(&mut storage, 4) {
        storage.take_over(event, &officer("An"), after(0)).unwrap();
    }
    for text in ["UPDATE decision SET who = 'B'", "DELETE FROM decision WHERE number = 4"] {
        let error = storage.connection.execute(text, []).unwrap_err();
        assert!(error.to_string().contains("only added to"), "{error}");
    }
    assert_eq!(storage.note_end().unwrap().0.rows, 4);
    assert_eq!(storage.verify_log(None).unwrap().faults, [""; 0]);
    storage.connection.execute_batch("DROP TRIGGER decision_stays; DROP TRIGGER decision_is_kept").unwrap();
    for (text, fault) in [
        ("UPDATE decision SET who = 'B' WHERE number = 2", "row 2 (decision 2) was changed"),
        ("DELETE FROM decision WHERE number = 4", "row 4 (decision 4) was taken out"),
    ] {
        storage.connection.execute_batch(text).unwrap();
        let faults = storage.verify_log(None).unwrap().faults;
        assert!(faults.iter().any(|found| found == fault), "{faults:?}");
    }
}

#[test]
fn activity_keeps_an_event_only_for_its_officer() {
    let (mut storage, _place) = open();
    let event = make(&mut storage, 1)[0];
    storage.take_over(event, &officer("An"), after(0)).unwrap();
    let active = |storage: &Storage| -> i64 {
        storage.connection.query_row("SELECT active_us FROM event", [], |row| row.get(0)).unwrap()
    };
    storage.keep(event, &"Bình".parse().unwrap(), after(50)).unwrap();
    assert_eq!(active(&storage), after(0).as_micros());
    storage.keep(event, &"An".parse().unwrap(), after(40)).unwrap();
    assert_eq!(active(&storage), after(40).as_micros());
}

fn any_decision() -> impl Strategy<Value = (Action, Who)> {
    let close = |outcome| Action::Close { outcome, note: Note::default() };
    let action = prop_oneof![
        3 => Just(Action::Take),
        1 => Just(Action::Release),
        1 => Just(Action::Return),
        1 => Just(Action::Unpark),
        1 => Just(Action::HandOver { to: "Bình".parse().unwrap() }),
        1 => Just(Action::Park { until: after(9000) }),
        1 => Just(close(Outcome::Light)),
    ];
    let commander = Who::Person("Chỉ huy".parse().unwrap(), Authority::Commander);
    (action, prop_oneof![Just(officer("An")), Just(officer("Bình")), Just(commander), Just(Who::Post)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// The stored state is the one that the rows of the log lead to.
    #[test]
    fn the_stored_state_is_that_of_the_log(steps in proptest::collection::vec(any_decision(), 1..25)) {
        let (mut storage, _place) = open();
        storage.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let event = make(&mut storage, 1)[0];
        let mut replayed = storage.event(event).unwrap().unwrap().state;
        for (second, (action, who)) in (1u64..).zip(steps) {
            storage.decide(event, &action, &who, after(second)).unwrap();
        }
        for row in storage.decisions_about(event, 100).unwrap() {
            let who = match row.who {
                None => Who::Post,
                // Authority is not stored: the decision was accepted.
                Some(name) => Who::Person(name.parse().unwrap(), Authority::Commander),
            };
            let action: Action = serde_json::from_value(row.detail).unwrap();
            replayed = replayed.after(&action, &who, row.at).unwrap();
        }
        prop_assert_eq!(storage.event(event).unwrap().unwrap().state, replayed);
        // No end was noted yet beside the database.
        storage.note_end().unwrap();
        prop_assert_eq!(storage.verify_log(None).unwrap().faults, [""; 0]);
    }
}
