//! Plans of the readers' statements, and what they find.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::{Catalogue, ClipFilter};
use crate::index::Index;
use crate::testing::{START, draft};
use base::ids::{AlertId, CameraId};
use base::time::WallTime;

/// Tables with a row for each segment, fragment or alert.
const LARGE: [&str; 4] = ["segment", "fragment", "event", "alert"];

/// Scans that may stay: a part of the statement, the line of its plan, and the reason.
const ARGUED: [(&str, &str); 4] = [
    // Adds up all footage once for `check` and `doctor`: 0.1 s for 500,000 segments.
    ("SELECT coalesce(sum(bytes), 0) FROM segment", "SCAN segment"),
    // Stops at the limit. A span of time reads the alerts after it first: 0.1 s for 100,000 of them.
    ("ORDER BY opened_wall_us DESC", "SCAN event USING INDEX event_by_time"),
    // Reads the cameras of alerts once for a command: 0.05 s for 100,000 of them.
    ("UNION SELECT camera FROM event", "SCAN event"),
    // Stops at the limit. Only the demonstration reads all cameras at once.
    ("IS NULL AND ends_wall_us >", "SCAN segment"),
];

/// An index with an alert, and nothing else.
fn index() -> (TempDir, AlertId) {
    let place = TempDir::new().unwrap();
    let (mut index, _) = Index::open(&crate::index_path(place.path()), "boot".into()).unwrap();
    let alert = index.put_alert(draft("gate"), START.wall).unwrap().id;
    index.close().unwrap();
    (place, alert)
}

/// Adds a segment from and to so many seconds after [`START`].
fn put_segment(connection: &Connection, id: i64, camera: &str, from: i64, to: i64) {
    let at = |seconds: i64| START.wall.as_micros() + seconds * 1_000_000;
    connection
        .prepare_cached(
            "INSERT INTO segment (id, camera, epoch, path, boot_id, starts_wall_us, starts_monotonic_ns, clock,
                                  ends_wall_us, codec, width, height, init_bytes, bytes, ended)
             VALUES (?1, ?2, 0, ?1 || '.mp4', 'boot', ?3, 0, 'synced', ?4, 'h264', 1920, 1080, 800, ?1, 1)",
        )
        .unwrap()
        .execute(params![id, camera, at(from), at(to)])
        .unwrap();
}

/// Calls every reader, and returns the statements that were run.
fn statements(catalogue: &Catalogue, alert: AlertId) -> BTreeSet<String> {
    let run = Arc::new(Mutex::new(BTreeSet::new()));
    let record = run.clone();
    let recorder = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(statement, _) = event {
            record.lock().unwrap().insert(statement.sql().into_owned());
        }
    };
    catalogue.lock().as_mut().unwrap().trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(recorder)).unwrap();
    let gate: CameraId = "gate".parse().unwrap();
    let (from, to) = (START.wall, START.wall + Duration::from_secs(60));
    let of_gate = ClipFilter { camera: Some(gate.clone()), ..ClipFilter::default() };
    catalogue.cameras().unwrap();
    catalogue.span(alert).unwrap();
    catalogue.clip(alert).unwrap();
    catalogue.entry(alert).unwrap();
    catalogue.entries_beginning("01", 10).unwrap();
    catalogue.nearest(&gate, from, to).unwrap();
    catalogue.footage_bytes().unwrap();
    assert!(catalogue.bytes_per_second(&gate).unwrap().is_some());
    for filter in [&of_gate, &ClipFilter::default()] {
        catalogue.clips(filter).unwrap();
        catalogue.segments(filter).unwrap();
        catalogue.spans(filter).unwrap();
    }
    catalogue.fragments(&gate, from, to).unwrap();
    catalogue.outbox(0, 10).unwrap();
    catalogue.waiting_alert(1).unwrap();
    catalogue.waiting(0, 10).unwrap();
    catalogue.last_waiting().unwrap();
    catalogue.last_given().unwrap();
    catalogue.outbox_status().unwrap();
    catalogue.outbox_depth().unwrap();
    catalogue.still_after(0).unwrap();
    catalogue.stills_depth().unwrap();
    let run = run.lock().unwrap().clone();
    run.into_iter().filter(|sql| sql.contains("SELECT")).collect()
}

/// The lines of a statement's plan.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = plan.raw_query().mapped(|row| row.get(3));
    lines.map(Result::unwrap).collect()
}

/// True for a line that reads a large table from end to end.
fn is_scan(line: &str) -> bool {
    let table = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
    table.is_some_and(|table| LARGE.contains(&table))
}

#[test]
fn no_reader_scans_a_large_table_without_a_reason() {
    let (place, alert) = index();
    let writer = Connection::open(crate::index_path(place.path())).unwrap();
    put_segment(&writer, 1, "gate", 0, 600);
    let catalogue = Catalogue::open(place.path()).unwrap();
    let run = statements(&catalogue, alert);
    assert!(run.len() >= 20, "{run:#?}");
    let mut found = BTreeSet::new();
    for sql in &run {
        for line in plan(&writer, sql).into_iter().filter(|line| is_scan(line)) {
            let argued = ARGUED.iter().position(|(part, plan)| sql.contains(part) && line.starts_with(plan));
            found.insert(argued.unwrap_or_else(|| panic!("{line}\nis the plan of\n{sql}")));
        }
    }
    assert_eq!(found.len(), ARGUED.len(), "an exception that nothing needs is taken out: {found:?}");
    let searches = run.iter().filter(|sql| sql.contains("ends_wall_us - starts_wall_us > 90000000"));
    for sql in searches {
        let plan = plan(&writer, sql);
        assert!(plan.iter().any(|line| line.contains("USING INDEX segment_long")), "{plan:#?} of {sql}");
    }
}

proptest! {
    // Each case has an index of its own on the disk.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Compares each search by time with a look at every segment, among them long, empty and overlapping ones.
    #[test]
    fn a_search_by_time_finds_all_that_overlap(
        segments in proptest::collection::vec((0i64..2000, prop_oneof![0i64..120, 0i64..1500], any::<bool>()), 0..40),
        spans in proptest::collection::vec((-50i64..2100, 0i64..200), 1..10),
    ) {
        let (place, alert) = index();
        let mut connection = Connection::open(crate::index_path(place.path())).unwrap();
        let transaction = connection.transaction().unwrap();
        for (id, (from, length, is_gate)) in (1..).zip(&segments) {
            let camera = if *is_gate { "gate" } else { "yard" };
            put_segment(&transaction, id, camera, *from, from + length);
        }
        transaction.commit().unwrap();
        let catalogue = Catalogue::open(place.path()).unwrap();
        for (from, length) in spans {
            let to = from + length;
            let expected: Vec<u64> = (1..)
                .zip(&segments)
                .filter(|(_, (starts, length, is_gate))| *is_gate && *starts < to && starts + length > from)
                .map(|(id, _)| id)
                .collect();
            let at = |seconds: i64| WallTime::from_micros(START.wall.as_micros() + seconds * 1_000_000);
            let clip = catalogue.footage(&"gate".parse().unwrap(), at(from), at(to)).unwrap();
            let found: Vec<u64> = clip.segments.iter().map(|segment| segment.bytes).collect();
            prop_assert_eq!(&found, &expected, "from {} to {}", from, to);
            let times = params![at(from).as_micros(), at(to).as_micros()];
            connection.execute("UPDATE event SET clip_starts_wall_us = ?1, clip_ends_wall_us = ?2", times).unwrap();
            let entry = catalogue.entry(alert).unwrap();
            let counted = (expected.len() as u64, expected.iter().sum());
            prop_assert_eq!((entry.segments, entry.bytes), counted, "from {} to {}", from, to);
        }
    }
}
