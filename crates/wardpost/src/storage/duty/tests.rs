//! Steps of the post by its clock.

use tempfile::TempDir;

use super::*;
use crate::arrival::{Arrival, Content};
use crate::events::{Outcome, State, Taken};
use crate::storage::testing::{after, later, officer};
use crate::storage::{Batch, Changes, QueueFilter, Tab};

fn open() -> (Storage, TempDir) {
    let place = tempfile::tempdir().unwrap();
    (Storage::open(&place.path().join("post.sqlite")).unwrap(), place)
}

fn take(storage: &mut Storage, arrivals: Vec<Arrival>) {
    storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
}

fn numbers(storage: &Storage) -> Vec<u64> {
    let queue = storage.queue(&QueueFilter { tab: Tab::Open, camera: None, limit: 1000 }).unwrap();
    queue.events.iter().map(|event| event.number).collect()
}

fn rules() -> DutyRules {
    DutyRules { has_hook: true, ..DutyRules::default() }
}

fn actions(storage: &Storage, event: u64) -> Vec<String> {
    storage.decisions_about(event, 100).unwrap().into_iter().map(|row| row.action).collect()
}

#[test]
fn a_taken_event_returns_after_inactivity_and_a_parked_one_at_its_end() {
    let (mut storage, _place) = open();
    take(&mut storage, vec![later("a", "night", 0), later("b", "night", 0)]);
    let (taken, parked) = (numbers(&storage)[0], numbers(&storage)[1]);
    storage.take_over(taken, &officer("An"), after(0)).unwrap();
    let park = Action::Park { until: after(700) };
    storage.decide(parked, &park, &officer("An"), after(0)).unwrap();
    storage.keep(taken, &"An".parse().unwrap(), after(100)).unwrap();
    assert_eq!(storage.pass(&rules(), after(699)).unwrap(), Passed::default());
    let passed = storage.pass(&rules(), after(700)).unwrap();
    assert_eq!((passed.returned, passed.unparked), (1, 1));
    for event in [taken, parked] {
        assert_eq!(storage.event(event).unwrap().unwrap().state, State::New { since: after(700) });
    }
    assert_eq!(
        (actions(&storage, taken), actions(&storage, parked)),
        (vec!["take".to_owned(), "return".to_owned()], vec!["park".to_owned(), "unpark".to_owned()],)
    );
    assert_eq!(storage.take_over(taken, &officer("Bình"), after(701)).unwrap(), Taken::Won);
}

#[test]
fn a_waiting_event_escalates_once_for_each_level_until_somebody_takes_it() {
    let (mut storage, _place) = open();
    let notice = later("quiet", "night", 0);
    let Content::Alert(mut arrived) = notice.content.clone() else { panic!("no alert") };
    arrived.alert.severity = Severity::Notice;
    take(
        &mut storage,
        vec![
            later("a", "night", 0),
            later("b", "night", 0),
            Arrival { content: Content::Alert(arrived), ..notice },
        ],
    );
    let events = numbers(&storage);
    let steps = |storage: &mut Storage, seconds| storage.pass(&rules(), after(seconds)).unwrap().escalated;
    assert_eq!(steps(&mut storage, 59), []);
    assert_eq!(steps(&mut storage, 60), [(events[0], Level::Louder), (events[1], Level::Louder)]);
    assert_eq!(steps(&mut storage, 61), []);
    storage.take_over(events[0], &officer("An"), after(62)).unwrap();
    assert_eq!(steps(&mut storage, 180), [(events[1], Level::Commander)]);
    assert_eq!(storage.hook_calls(after(299), 9).unwrap(), []);
    assert_eq!(steps(&mut storage, 300), [(events[1], Level::Hook)]);
    let calls = storage.hook_calls(after(300), 9).unwrap();
    assert_eq!((calls.len(), calls[0].event.number, calls[0].failed), (1, events[1], 0));
    assert_eq!(storage.event(events[1]).unwrap().unwrap().level, 3);
    // Released, it waits anew.
    storage.decide(events[0], &Action::Release, &officer("An"), after(400)).unwrap();
    assert_eq!(steps(&mut storage, 459), []);
    assert_eq!(steps(&mut storage, 460), [(events[0], Level::Louder)]);
    assert_eq!(actions(&storage, events[1]), ["escalate"; 3]);
}

#[test]
fn an_event_from_a_clock_that_was_years_ahead_is_due_all_the_same() {
    let (mut storage, _place) = open();
    let ahead = 10 * 365 * 24 * 3600;
    let arrivals = ["a", "b"].map(|camera| Arrival { at: after(ahead), ..later(camera, "night", 0) });
    take(&mut storage, arrivals.into());
    let events = numbers(&storage);
    storage.take_over(events[1], &officer("An"), after(ahead)).unwrap();
    // The clock is right again.
    assert_eq!(storage.pass(&rules(), after(0)).unwrap(), Passed::default());
    let passed = storage.pass(&rules(), after(60)).unwrap();
    assert_eq!(passed.escalated, [(events[0], Level::Louder)]);
    assert_eq!(storage.pass(&rules(), after(600)).unwrap().returned, 1);
}

#[test]
fn after_a_stop_of_the_post_all_levels_come_in_one_pass() {
    let (mut storage, _place) = open();
    take(&mut storage, vec![later("a", "night", 0)]);
    let event = numbers(&storage)[0];
    let passed = storage.pass(&rules(), after(9999)).unwrap();
    assert_eq!(passed.escalated, Level::ALL.map(|level| (event, level)));
    let Changes { changes, .. } = storage.changes_after(0, 100).unwrap();
    let levels: Vec<ChangeKind> = changes.iter().skip(1).map(|change| change.kind).collect();
    assert_eq!(levels, Level::ALL.map(ChangeKind::Escalated));
}

#[test]
fn a_failed_hook_is_called_three_times_and_each_call_is_logged() {
    let (mut storage, _place) = open();
    take(&mut storage, vec![later("a", "night", 0), later("b", "night", 0)]);
    let events = numbers(&storage);
    storage.pass(&rules(), after(300)).unwrap();
    storage.hook_called(events[1], Ok(()), after(300)).unwrap();
    for (seconds, failed) in [(300, 0), (310, 1), (370, 2)] {
        if failed > 0 {
            assert_eq!(storage.hook_calls(after(seconds - 1), 9).unwrap(), []);
        }
        let calls = storage.hook_calls(after(seconds), 9).unwrap();
        assert_eq!((calls.len(), calls[0].event.number, calls[0].failed), (1, events[0], failed));
        storage.hook_called(events[0], Err("it exited with code 1"), after(seconds)).unwrap();
    }
    assert_eq!(storage.hook_calls(after(9999), 9).unwrap(), []);
    let rows = storage.decisions_about(events[0], 100).unwrap();
    let faults: Vec<_> = rows.iter().filter(|row| row.action == "hook").collect();
    assert_eq!((faults.len(), &faults[2].detail["fault"]), (3, &json!("it exited with code 1")));
    assert_eq!(faults[2].detail["attempt"], 3);
}

#[test]
fn a_flood_begins_and_ends_once_and_names_the_worst_source() {
    let (mut storage, _place) = open();
    // Further apart than alerts of one event.
    let mut arrivals: Vec<Arrival> = (0..9).map(|n| later("gate", "night", n * 61)).collect();
    arrivals.push(later("yard", "night", 10));
    take(&mut storage, arrivals);
    assert_eq!(storage.pass(&rules(), after(490)).unwrap().flood, None, "ten are no flood");
    take(&mut storage, vec![later("yard", "day", 495)]);
    let flood = Flood { since: Some(after(496)) };
    assert_eq!(storage.pass(&rules(), after(496)).unwrap().flood, Some(flood));
    assert_eq!(storage.pass(&rules(), after(497)).unwrap().flood, None);
    assert_eq!(storage.flood().unwrap(), flood);
    let worst = storage.worst_sources(after(497), 1).unwrap();
    assert_eq!((worst[0].0.camera.as_str(), worst[0].1), ("gate", 9));
    assert_eq!(storage.pass(&rules(), after(2000)).unwrap().flood, Some(Flood::default()));
    assert_eq!(storage.flood().unwrap(), Flood::default());
}

#[test]
fn a_page_that_was_away_too_long_is_told_to_begin_anew() {
    let (mut storage, _place) = open();
    take(&mut storage, (0..5).map(|n| later(&format!("c{n}"), "night", n)).collect());
    let all = storage.changes_after(0, 100).unwrap();
    assert_eq!((all.changes.len(), all.cursor, all.is_broken), (5, 5, false));
    let two = storage.changes_after(1, 2).unwrap();
    assert_eq!((two.changes.len(), two.cursor), (2, 3));
    assert_eq!(storage.changes_after(5, 10).unwrap(), Changes { cursor: 5, ..Changes::default() });
    assert!(storage.changes_after(6, 10).unwrap().is_broken, "of another database");
    storage.connection.execute("UPDATE event SET escalated = 3", []).unwrap();
    storage.pass(&rules(), after(2) + CHANGES_KEPT + Duration::from_secs(0)).unwrap();
    assert!(storage.changes_after(1, 10).unwrap().is_broken);
    assert_eq!(storage.changes_after(2, 10).unwrap().changes.len(), 3);
    storage.pass(&rules(), after(99) + CHANGES_KEPT).unwrap();
    assert_eq!(storage.changes_after(5, 10).unwrap().cursor, 5, "the last number stays");
    assert!(storage.changes_after(4, 10).unwrap().is_broken);
    let close = Action::Close { outcome: Outcome::Rain, note: Default::default() };
    let event = numbers(&storage)[0];
    storage.decide(event, &close, &officer("An"), after(100)).unwrap();
    assert_eq!(storage.changes_after(5, 10).unwrap().changes[0].number, 6);
}
