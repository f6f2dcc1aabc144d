//! The queue: order, counts, and its plan.

use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::arrival::{Arrival, Content};
use crate::events::{Action, Outcome};
use crate::storage::Batch;
use crate::storage::testing::{after, later, officer, sender};

fn open() -> (Storage, TempDir) {
    let place = tempfile::tempdir().unwrap();
    (Storage::open(&place.path().join("post.sqlite")).unwrap(), place)
}

fn severe(camera: &str, seconds: u64, severity: Severity) -> Arrival {
    let mut arrival = later(camera, "night", seconds);
    let Content::Alert(arrived) = &mut arrival.content else { panic!("no alert") };
    arrived.alert.severity = severity;
    arrival
}

fn tab(tab: Tab) -> QueueFilter {
    QueueFilter { tab, camera: None, limit: 100 }
}

fn cameras(queue: &Queue) -> Vec<&str> {
    queue.events.iter().map(|event| event.source.camera.as_str()).collect()
}

#[test]
fn severity_comes_first_and_then_the_oldest() {
    let (mut storage, _place) = open();
    let arrivals = vec![
        severe("a", 0, Severity::Notice),
        severe("b", 1, Severity::Warning),
        severe("c", 2, Severity::Critical),
        severe("d", 3, Severity::Critical),
        severe("e", 4, Severity::Warning),
    ];
    storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
    let queue = storage.queue(&tab(Tab::Open)).unwrap();
    assert_eq!(cameras(&queue), ["c", "d", "b", "e", "a"]);
    assert_eq!((queue.counts.open, queue.cursor), (5, 5));
    let of_camera =
        QueueFilter { camera: Some((sender("box-1"), Some("b".parse().unwrap()))), ..tab(Tab::Open) };
    assert_eq!(cameras(&storage.queue(&of_camera).unwrap()), ["b"]);
    let of_box = |id| QueueFilter { camera: Some((sender(id), None)), ..tab(Tab::Open) };
    assert_eq!(cameras(&storage.queue(&of_box("box-1")).unwrap()).len(), 5);
    assert_eq!(cameras(&storage.queue(&of_box("box-2")).unwrap()).len(), 0);
    // The last one that was closed stands first.
    let close = Action::Close { outcome: Outcome::DealtWith, note: Default::default() };
    for (seconds, at) in [(10, 2), (11, 0)] {
        storage.decide(queue.events[at].number, &close, &officer("An"), after(seconds)).unwrap();
    }
    assert_eq!(cameras(&storage.queue(&tab(Tab::Closed)).unwrap()), ["c", "b"]);
    assert_eq!(cameras(&storage.queue(&tab(Tab::Open)).unwrap()), ["d", "e", "a"]);
}

#[test]
fn an_event_is_overdue_after_the_target_of_its_severity() {
    let (mut storage, _place) = open();
    let arrivals = vec![
        severe("a", 0, Severity::Critical),
        severe("b", 0, Severity::Warning),
        severe("c", 0, Severity::Notice),
    ];
    storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
    let targets = Targets::default();
    let overdue = |storage: &Storage, seconds| {
        let queue = storage.queue(&tab(Tab::Open)).unwrap();
        queue.events.iter().map(|event| event.is_overdue(targets, after(seconds))).collect::<Vec<_>>()
    };
    assert_eq!(overdue(&storage, 30), [false, false, false]);
    assert_eq!(overdue(&storage, 31), [true, false, false]);
    assert_eq!(overdue(&storage, 91), [true, true, false]);
    let first = storage.queue(&tab(Tab::Open)).unwrap().events[0].clone();
    storage.take_over(first.number, &officer("An"), after(92)).unwrap();
    assert_eq!(overdue(&storage, 93), [false, true, false]);
    assert_eq!(storage.event(first.number).unwrap().unwrap().taken_at, Some(after(92)));
}

#[test]
fn an_event_outlives_its_alerts_and_goes_with_the_log_of_views() {
    let (mut storage, _place) = open();
    storage.take(&Batch { arrivals: vec![later("a", "night", 0)], ..Batch::default() }).unwrap();
    let day = Duration::from_secs(24 * 3600);
    storage.expire(after(1) + day, day).unwrap();
    let queue = storage.queue(&tab(Tab::Open)).unwrap();
    assert_eq!((queue.events.len(), &queue.events[0].lead), (1, &None));
    assert_eq!(queue.events[0].names.camera, "Cổng chợ");
    storage.expire(after(1) + 3 * 365 * day, day).unwrap();
    assert_eq!(storage.counts().unwrap(), Counts::default());
    let left: i64 =
        storage.connection.query_row("SELECT count(*) FROM event_alert", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_queue_of_a_hundred_thousand_is_read_in_its_order() {
    let (mut storage, _place) = open();
    storage.connection.pragma_update(None, "synchronous", "OFF").unwrap();
    storage.take(&Batch { arrivals: vec![later("a", "night", 0)], ..Batch::default() }).unwrap();
    // Copies of the first event, each a second later, a third of each severity.
    storage
        .connection
        .execute(
            "INSERT INTO event (ward, box, key, camera, camera_name, rule, rule_kind, rule_name, lead, severity, is_test,
                    alerts, first_us, last_us, opened_first_us, opened_last_us, since_us, state)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             SELECT ward, box, key, camera, camera_name, rule, rule_kind, rule_name, lead, i % 3, 0, 1,
                    first_us + i * 1000000, last_us + i * 1000000, opened_first_us, opened_last_us, since_us,
                    iif(i % 2, 'closed', 'new')
             FROM event, n",
            [],
        )
        .unwrap();
    let queue = storage.queue(&tab(Tab::Open)).unwrap();
    assert_eq!((queue.events.len(), queue.counts.open), (100, 50_001));
    assert!(queue.events.iter().all(|event| event.severity == Severity::Critical));
    let order: Vec<WallTime> = queue.events.iter().map(|event| event.span.first_at).collect();
    assert!(order.is_sorted());
    assert_eq!(order[99].since(order[0]), Duration::from_secs(99 * 6));
    for tab in Tab::ALL {
        let text = format!("EXPLAIN QUERY PLAN {}", tab_statement(tab));
        let mut plan = storage.connection.prepare(&text).unwrap();
        let lines: Vec<String> = plan.raw_query().mapped(|row| row.get(3)).collect::<Result<_>>().unwrap();
        let plan = lines.join("\n");
        assert!(plan.contains("USING INDEX") && !plan.contains("TEMP B-TREE"), "{tab:?}:\n{plan}");
    }
}
