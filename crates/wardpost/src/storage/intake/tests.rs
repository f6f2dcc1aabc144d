//! Alerts become events: grouping, updates, tests, and the alerts of an older database.

use tempfile::TempDir;

use super::*;
use crate::arrival::{Arrival, Content};
use crate::storage::testing::{after, alert, arrival, later, officer, status};
use crate::storage::{Batch, ChangeKind, QueueFilter, StoredEvent, Tab};
use base::event::Phase;

fn open() -> (Storage, TempDir) {
    let place = tempfile::tempdir().unwrap();
    (Storage::open(&place.path().join("post.sqlite")).unwrap(), place)
}

fn take(storage: &mut Storage, arrivals: Vec<Arrival>) {
    storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
}

fn events(storage: &Storage, tab: Tab) -> Vec<StoredEvent> {
    storage.queue(&QueueFilter { tab, camera: None, limit: 100 }).unwrap().events
}

fn kinds(storage: &Storage) -> Vec<ChangeKind> {
    let changes = storage.changes_after(0, 100).unwrap();
    assert!(!changes.is_broken);
    changes.changes.iter().map(|change| change.kind).collect()
}

fn changed(arrival: Arrival, change: impl Fn(&mut Alert)) -> Arrival {
    let Content::Alert(mut arrived) = arrival.content else { panic!("no alert") };
    change(&mut arrived.alert);
    arrived.message = serde_json::to_value(&arrived.alert).unwrap();
    Arrival { content: Content::Alert(arrived), ..arrival }
}

#[test]
fn alerts_of_one_camera_and_rule_are_one_event_and_others_are_not() {
    let (mut storage, _place) = open();
    let arrivals = [
        ("gate", "night", 0),
        ("gate", "night", 30),
        ("gate", "day", 31),
        ("yard", "night", 32),
        ("gate", "night", 200),
    ];
    take(&mut storage, arrivals.map(|(camera, rule, seconds)| later(camera, rule, seconds)).into());
    let found: Vec<(String, String, u64, WallTime)> = events(&storage, Tab::Open)
        .into_iter()
        .map(|event| {
            let Source { camera, rule, .. } = event.source;
            (camera.to_string(), rule.to_string(), event.span.alerts, event.span.last_at)
        })
        .collect();
    let expected = [
        ("gate", "night", 2, 30),
        ("gate", "day", 1, 31),
        ("yard", "night", 1, 32),
        ("gate", "night", 1, 200),
    ];
    let expected = expected
        .map(|(camera, rule, alerts, last)| (camera.to_owned(), rule.to_owned(), alerts, after(last)));
    assert_eq!(found, expected);
    use ChangeKind::{Arrived, Grew};
    assert_eq!(kinds(&storage), [Arrived, Grew, Arrived, Arrived, Arrived]);
}

#[test]
fn an_update_of_an_alert_makes_no_event() {
    let (mut storage, _place) = open();
    let first = Alert { thumbnail: None, ..alert("box-1", 1) };
    let closed = Alert { seq: 2, phase: Phase::Closed, ..first.clone() };
    let picture = Alert { thumbnail: alert("box-1", 1).thumbnail, ..first.clone() };
    take(&mut storage, vec![arrival(&first), arrival(&first), arrival(&closed), arrival(&picture)]);
    let found = events(&storage, Tab::Open);
    assert_eq!((found.len(), found[0].span.alerts), (1, 1));
    assert!(found[0].lead.as_ref().unwrap().thumbnail.is_some());
    assert_eq!(storage.event_alerts(found[0].number).unwrap().len(), 2);
    use ChangeKind::{Arrived, Told};
    assert_eq!(kinds(&storage), [Arrived, Told, Told], "a repetition tells nothing");
    // Also after the event was closed.
    let close = Action::Close { outcome: Outcome::Rain, note: Default::default() };
    storage.decide(found[0].number, &close, &officer("An"), after(1)).unwrap();
    take(&mut storage, vec![arrival(&Alert { seq: 3, ..closed })]);
    assert!(events(&storage, Tab::Open).is_empty());
}

#[test]
fn the_most_severe_alert_stands_for_the_event() {
    let (mut storage, _place) = open();
    let critical = changed(later("gate", "night", 10), |alert| {
        alert.severity = Severity::Critical;
        alert.camera.name = "Cổng sau".into();
    });
    take(&mut storage, vec![later("gate", "night", 0), critical, later("gate", "night", 20)]);
    let found = events(&storage, Tab::Open);
    assert_eq!((found.len(), found[0].span.alerts, found[0].severity), (1, 3, Severity::Critical));
    assert_eq!(found[0].names.camera, "Cổng sau");
    assert_eq!(found[0].lead.as_ref().unwrap().alert.camera.name, "Cổng sau");
}

#[test]
fn a_closed_event_takes_no_further_alert() {
    let (mut storage, _place) = open();
    take(&mut storage, vec![later("gate", "night", 0)]);
    let first = events(&storage, Tab::Open)[0].number;
    storage.take_over(first, &officer("An"), after(1)).unwrap();
    take(&mut storage, vec![later("gate", "night", 5)]);
    assert_eq!(storage.event(first).unwrap().unwrap().span.alerts, 2, "a taken one does");
    let close = Action::Close { outcome: Outcome::Rain, note: Default::default() };
    storage.decide(first, &close, &officer("An"), after(6)).unwrap();
    take(&mut storage, vec![later("gate", "night", 10)]);
    let open = events(&storage, Tab::Open);
    assert_eq!(open.len(), 1);
    assert_ne!(open[0].number, first);
}

#[test]
fn alerts_of_a_box_on_test_are_in_a_tab_of_their_own() {
    let (mut storage, _place) = open();
    let on_test = |is_on_test: bool| {
        let mut arrival = status("box-1", None);
        let Content::Status(status) = &mut arrival.content else { panic!("no status") };
        status.on_test = is_on_test;
        arrival
    };
    let during = later("gate", "night", 0);
    take(&mut storage, vec![on_test(true), during, on_test(false), later("gate", "night", 5)]);
    assert_eq!((events(&storage, Tab::Test).len(), events(&storage, Tab::Open).len()), (1, 1));
    let counts = storage.counts().unwrap();
    assert_eq!((counts.test, counts.open), (1, 1));
}

#[test]
fn alerts_of_an_older_database_become_events_bounded_and_resumable() {
    let (mut storage, place) = open();
    let arrivals = (0..450).map(|number| later(&format!("c{number}"), "night", number * 10)).collect();
    take(&mut storage, arrivals);
    storage.connection.execute_batch("DELETE FROM event; DELETE FROM event_alert").unwrap();
    // Interrupted after the first part.
    let (newest, first) = backlog(&storage.connection).unwrap().unwrap();
    let grouping = Grouping::default();
    assert_eq!(take_backlog(&mut storage.connection, &grouping, first, newest).unwrap(), Some(200));
    drop(storage);
    let storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
    let count = |text: &str| -> i64 { storage.connection.query_row(text, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM event"), 450);
    assert_eq!(count("SELECT count(*) FROM event_alert"), 450);
    assert_eq!(backlog(&storage.connection).unwrap(), None);
    // 4,490 s before the newest to one hour before it: history.
    let history = count("SELECT count(*) FROM event WHERE outcome = 'earlier'");
    assert_eq!((history, storage.counts().unwrap().open), (89, 361));
}

#[test]
fn a_message_under_a_boxs_new_name_belongs_to_the_event_of_the_former() {
    let (mut storage, place) = open();
    let first = alert("box-1", 1);
    let closed = Alert { seq: 2, phase: Phase::Closed, ..first.clone() };
    let renamed = closed.under(&first.ward, &"box-9".parse().unwrap());
    take(&mut storage, vec![arrival(&first), arrival(&renamed)]);
    drop(storage);
    let storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
    let found = events(&storage, Tab::Open);
    assert_eq!((found.len(), found[0].span.alerts), (1, 1));
    assert_eq!(storage.event_alerts(found[0].number).unwrap().len(), 2);
}

#[test]
fn a_migrated_database_has_its_backlog() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("post.sqlite");
    let old = Connection::open(&path).unwrap();
    let steps = crate::storage::STEPS;
    let events = steps.iter().position(|step| step.contains("CREATE TABLE event ")).unwrap();
    steps[..events].iter().for_each(|step| old.execute_batch(step).unwrap());
    let message = serde_json::to_string(&alert("box-1", 1)).unwrap();
    old.execute("INSERT INTO box (ward, id) VALUES ('ben-nghe', 'box-1')", []).unwrap();
    for (id, age_days) in [("a", 9), ("b", 0)] {
        let received = after(0).as_micros() - age_days * 86_400_000_000;
        let message = message.replace("\"seq\":1", "\"seq\":2");
        old.execute(
            "INSERT INTO alert (ward, box, id, phase, outbox, seq, camera, severity, received_us, message)
             VALUES ('ben-nghe', 'box-1', ?1, 'opened', 'x', 1, 'gate', 'warning', ?2, ?3)",
            params![id, received, message],
        )
        .unwrap();
    }
    old.pragma_update(None, "user_version", i64::try_from(events).unwrap()).unwrap();
    drop(old);
    let storage = Storage::open(&path).unwrap();
    let found: i64 =
        storage.connection.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    assert_eq!(found, 1, "the one of the last three days");
}
