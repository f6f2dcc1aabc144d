//! Plans of the readers' statements.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::testing::{after, alert, arrival, sender};
use super::{Batch, DutyRules, Filter, QueueFilter, Storage, Tab};
use crate::events::Period;
use base::event::Severity;

/// Tables with a row for each alert, event, picture, access, step or notice.
const LARGE: [&str; 13] = [
    "alert",
    "a",
    "thumbnail",
    "late_thumbnail",
    "notice",
    "access",
    "settlement",
    "event",
    "event_alert",
    "e",
    "decision",
    "change",
    "still",
];

/// Scans that may stay: a part of the statement, the line of its plan, and the reason.
const ARGUED: [(&str, &str); 3] = [
    // Commands print the whole log.
    ("FROM access ORDER BY number", "SCAN access"),
    // Reads the notices once for all boxes; they are removed with the alerts of their time.
    ("kind = 'twins'", "SCAN notice"),
    // Ends at its limit: the index has the order.
    ("state = 'closed' AND +tab", "SCAN event USING INDEX event_by_close"),
];

/// Calls every reader, and returns the statements that were run.
fn statements(storage: &mut Storage) -> BTreeSet<String> {
    let run = Arc::new(Mutex::new(BTreeSet::new()));
    let record = run.clone();
    storage
        .connection
        .trace_v2(
            TraceEventCodes::SQLITE_TRACE_STMT,
            Some(move |event: TraceEvent<'_>| {
                if let TraceEvent::Stmt(statement, _) = event {
                    record.lock().unwrap().insert(statement.sql().into_owned());
                }
            }),
        )
        .unwrap();
    let one = alert("box-1", 1);
    let filters = [
        Filter::default(),
        Filter { id: Some(one.id), ..Filter::default() },
        Filter { after_number: Some(0), limit: Some(1), ..Filter::default() },
        Filter { box_id: Some(one.box_id), severity_min: Some(Severity::Warning), ..Filter::default() },
    ];
    for filter in filters {
        storage.alerts(&filter).unwrap();
    }
    storage.alerts_beginning("01", 10).unwrap();
    storage.outboxes(&sender("box-1")).unwrap();
    storage.notices(0, 10).unwrap();
    storage.late_thumbnails(0, 10).unwrap();
    storage.last_late_thumbnail().unwrap();
    storage.boxes().unwrap();
    storage.holes().unwrap();
    storage.last_received().unwrap();
    storage.refused().unwrap();
    storage.accesses().unwrap();
    storage.settlements(0).unwrap();
    storage.acks().unwrap();
    read_events(storage);
    let run = run.lock().unwrap().clone();
    run.into_iter().filter(|sql| sql.contains("SELECT")).collect()
}

/// Calls the readers of events, and the steps of the post.
fn read_events(storage: &mut Storage) {
    for tab in Tab::ALL {
        storage.queue(&QueueFilter { tab, camera: None, limit: 10 }).unwrap();
    }
    let of_box = Some((sender("box-1"), None));
    storage.queue(&QueueFilter { tab: Tab::Open, camera: of_box, limit: 10 }).unwrap();
    storage.map().unwrap();
    storage.event(1).unwrap().unwrap();
    storage.event_alerts(1).unwrap();
    storage.changes_after(0, 10).unwrap();
    storage.last_change().unwrap();
    storage.decisions(0, 10).unwrap();
    storage.decisions_about(1, 10).unwrap();
    storage.shelves().unwrap();
    storage.flood().unwrap();
    storage.shifts(10).unwrap();
    storage.shift(1).unwrap();
    storage.hand_over(after(0)).unwrap();
    let period = Period { from: after(0), to: after(9999) };
    storage.facts(period).unwrap();
    storage.feedback(period).unwrap();
    storage.stills(&sender("box-1"), alert("box-1", 1).id).unwrap();
    storage.worst_sources(after(0), 10).unwrap();
    storage.pass(&DutyRules::default(), after(9999)).unwrap();
    storage.hook_calls(after(9999), 10).unwrap();
}

/// The lines of a statement's plan that read a large table from end to end.
fn scans(connection: &Connection, sql: &str) -> Vec<String> {
    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = plan.raw_query().mapped(|row| row.get::<_, String>(3));
    let table =
        |line: &str| line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    let lines = lines.map(Result::unwrap);
    lines.filter(|line| table(line).is_some_and(|table| LARGE.contains(&&*table))).collect()
}

#[test]
fn no_reader_scans_a_large_table_without_a_reason() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("post.sqlite");
    let mut storage = Storage::open(&path).unwrap();
    storage.take(&Batch { arrivals: vec![arrival(&alert("box-1", 1))], ..Batch::default() }).unwrap();
    let run = statements(&mut storage);
    assert!(run.len() >= 12, "{run:#?}");
    let beside = Storage::open_beside(&path).unwrap();
    let mut found = BTreeSet::new();
    for sql in &run {
        for line in scans(&beside.connection, sql) {
            let argued = ARGUED.iter().position(|(part, plan)| sql.contains(part) && line.starts_with(plan));
            found.insert(argued.unwrap_or_else(|| panic!("{line}\nis the plan of\n{sql}")));
        }
    }
    assert_eq!(found.len(), ARGUED.len(), "an exception that nothing needs is taken out: {found:?}");
}
