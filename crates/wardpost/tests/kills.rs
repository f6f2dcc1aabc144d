//! The post is killed while alerts arrive: each stored alert has its event, and a page that follows the changes sees each
//! event once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base::clock;
use base::ids::AlertId;
use base::time::WallTime;
use serde_json::json;
use wardlink::client::Incoming;
use wardpost::Storage;
use wardpost::arrival::Arrival;
use wardpost::storage::{Batch, ChangeKind, Filter, Queue, QueueFilter, Tab};

/// Number of kills.
const KILLS: u64 = 100;
/// Name of the variable with the folder in which the child works.
const FOLDER: &str = "WARDPOST_TEST_FOLDER";
/// Name of the variable with the number of the child's first alert.
const FIRST: &str = "WARDPOST_TEST_FIRST";
/// Time within which a child stores an alert.
const PATIENCE: Duration = Duration::from_secs(60);

/// An alert. Two of a camera are one event.
fn alert(seq: u64) -> Arrival {
    let opened_at = WallTime::from_micros(1_777_673_643_120_000) + Duration::from_secs(seq / 6 * 70);
    let message = json!({
        "schema": "wardwatch.alert/1", "id": AlertId::new(1_777_673_643_120 + seq), "seq": seq, "phase": "opened",
        "outbox": "6f1c1f5e-2f0f-4d0f-8a5e-0a8b4f1b7c55", "ward": "ben-nghe", "box": "box-1",
        "camera": { "id": format!("c{}", seq % 3), "name": "Cổng" },
        "rule": { "id": "night", "kind": "intrusion", "name": "Đêm" }, "severity": "warning",
        "opened_at": opened_at, "clock": "synced", "subjects": [], "count": 1, "why": "a test",
        "model": { "name": "motion" }, "clip": { "ref": "c", "starts_at": "2026-05-01T22:13:58.120Z" },
    });
    let payload = message.to_string().into_bytes();
    Arrival::read(Incoming {
        topic: "wardwatch/v1/ben-nghe/box-1/alert".to_owned(),
        bytes: payload.len(),
        payload,
        is_retained: false,
        at: clock::wall(),
    })
}

/// The child: stores alerts without end, and says of each that it is stored.
#[test]
#[ignore = "the other test runs it, and kills it"]
fn child() {
    let folder = std::env::var(FOLDER).unwrap();
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let mut storage = Storage::open(&Path::new(&folder).join("post.sqlite")).unwrap();
    for seq in first.. {
        // Some come twice.
        let arrivals = vec![alert(seq); if seq % 2 == 0 { 2 } else { 1 }];
        storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
        let said = Path::new(&folder).join("stored");
        std::fs::write(said.with_extension("new"), seq.to_string()).unwrap();
        std::fs::rename(said.with_extension("new"), said).unwrap();
    }
}

fn start(folder: &Path, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Number of the last alert that a child has stored.
fn stored(folder: &Path) -> u64 {
    let text = std::fs::read_to_string(folder.join("stored")).unwrap_or_default();
    text.parse().unwrap_or(0)
}

#[test]
fn no_alert_is_without_its_event_and_no_page_misses_or_doubles_one() {
    let place = tempfile::tempdir().unwrap();
    let (mut cursor, mut arrived, mut told) = (0, BTreeSet::new(), 0);
    for kill in 0..KILLS {
        let first = 1 + 1000 * kill;
        let mut child = start(place.path(), first);
        let deadline = Instant::now() + PATIENCE;
        while stored(place.path()) < first + 7 + kill % 20 {
            assert!(Instant::now() < deadline, "the child stores nothing");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        let alerts = storage.alerts(&Filter::default()).unwrap();
        assert!(alerts.iter().any(|stored_alert| stored_alert.alert.seq == stored(place.path())));
        let Queue { events, cursor: last, .. } =
            storage.queue(&QueueFilter { tab: Tab::Open, camera: None, limit: 100_000 }).unwrap();
        let in_events: u64 = events.iter().map(|event| event.span.alerts).sum();
        assert_eq!(in_events, alerts.len() as u64, "after kill {kill}");

        let changes = storage.changes_after(cursor, usize::MAX >> 1).unwrap();
        assert!(!changes.is_broken);
        for change in &changes.changes {
            assert!(change.number > cursor, "{change:?} comes twice");
            cursor = change.number;
            match change.kind {
                ChangeKind::Arrived => {
                    assert!(arrived.insert(change.event.unwrap()), "{change:?} arrives twice");
                    told += 1;
                }
                ChangeKind::Grew => told += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(cursor, last);
        assert_eq!(arrived, events.iter().map(|event| event.number).collect());
        assert_eq!(told, in_events);
    }
    assert!(told > arrived.len() as u64 && arrived.len() > 1, "events of one and of two alerts");
}
