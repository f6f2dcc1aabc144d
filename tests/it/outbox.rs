//! Scenarios of `store`: the waiting alerts, the identity of their outbox, and the pictures that make way for a limit.

use std::time::{Duration, Instant};

use base::ack::{Ack, Gap};
use base::alert::{Alert, AlertDraft};
use base::event::Severity;
use base::ids::OutboxId;
use clipstore::{Settings, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::store::{open, settings};
use crate::support::sample::opened;
use crate::support::wait_until;

const LONG: Duration = Duration::from_secs(30);
const KIB: u64 = 1024;

fn of(severity: Severity, number: u64) -> AlertDraft {
    let mut draft = opened("gate", Duration::from_secs(number));
    draft.event.severity = severity;
    draft
}

/// Severity of each waiting alert, and true if it has a picture.
fn waiting(store: &Store) -> Vec<(Severity, bool)> {
    let alerts = store.outbox(0, usize::MAX).unwrap();
    alerts.into_iter().map(|alert| (alert.severity, alert.thumbnail.is_some())).collect()
}

fn bytes(store: &Store) -> u64 {
    store
        .outbox(0, usize::MAX)
        .unwrap()
        .iter()
        .map(|alert| {
            let picture = alert.thumbnail.as_ref().map_or(0, |thumbnail| thumbnail.0.len());
            let message = serde_json::to_vec(&Alert { thumbnail: None, ..alert.clone() }).unwrap();
            (picture + message.len()) as u64
        })
        .sum()
}

#[test]
fn pictures_make_way_by_severity_and_age_and_messages_never() {
    let place = TempDir::new().unwrap();
    let limited = Settings { outbox_bytes_max: 200 * KIB, ..settings(place.path()) };
    let store = open(limited.clone());
    let turns = [Severity::Critical, Severity::Notice, Severity::Warning];
    for number in 0..60 {
        store.put_alert(of(turns[number as usize % 3], number)).unwrap();
    }
    wait_until("it is bounded", LONG, || bytes(&store) <= 200 * KIB);
    let found = waiting(&store);
    assert_eq!(found.len(), 60);
    let with = |severity| -> Vec<bool> {
        found.iter().filter(|(one, _)| *one == severity).map(|(_, has)| *has).collect()
    };
    let (notices, warnings, critical) =
        (with(Severity::Notice), with(Severity::Warning), with(Severity::Critical));
    assert!(notices.iter().chain(&warnings).all(|has| !has), "{found:?}");
    assert!(critical.is_sorted() && critical[19], "the oldest go first: {critical:?}");
    let shed = found.iter().filter(|(_, has)| !has).count() as u64;
    assert_eq!(store.outbox_status().unwrap().thumbnails_shed, shed);
    store.close();

    // A smaller limit counts from the start on.
    let store = open(Settings { outbox_bytes_max: 100 * KIB, ..limited });
    wait_until("it is bounded again", LONG, || bytes(&store) <= 100 * KIB);
    assert_eq!(waiting(&store).len(), 60);
    // Acknowledged alerts make room.
    let id = store.outbox_id().unwrap();
    assert!(store.acknowledged(Ack::of("box-1".parse().unwrap(), id, [(1, 59)]), (1..60).collect()).unwrap());
    wait_until("one is left", LONG, || store.outbox_depth().unwrap().0 == 1);
    let put = store.put_alert(of(Severity::Notice, 100)).unwrap();
    assert!(put.thumbnail.is_some());
    wait_until("the writer has looked", LONG, || store.outbox_status().unwrap().thumbnails_shed >= shed);
    assert!(waiting(&store)[1].1, "there is room for its picture");
}

#[test]
fn an_acknowledgement_ends_runs_and_nonsense_ends_nothing() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    (0..20).for_each(|number| drop(store.put_alert(of(Severity::Notice, number)).unwrap()));
    let (box_id, id) = ("box-1".parse().unwrap(), store.outbox_id().unwrap());
    let ack = Ack::of(box_id, id, [(1, 4), (6, 6), (9, 19)]);
    let sent: Vec<u64> = ack.runs().flat_map(|(first, last)| first..=last).collect();
    assert!(!store.acknowledged(Ack { outbox: OutboxId::random(), ..ack.clone() }, sent.clone()).unwrap());
    assert_eq!(store.outbox_depth().unwrap().0, 20);
    assert!(store.acknowledged(ack, sent).unwrap());
    wait_until("they have left", LONG, || store.waiting(0, 100).unwrap() == [5, 7, 8, 20]);
    assert_eq!(store.waiting(7, 1).unwrap(), [8]);
    assert_eq!(store.last_waiting().unwrap(), 20);
    assert!(store.waiting_alert(6).unwrap().is_none());
    assert_eq!(store.waiting_alert(7).unwrap().unwrap().seq, 7);
}

#[test]
fn a_number_that_was_never_given_makes_it_another_outbox() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    (0..20).for_each(|number| drop(store.put_alert(of(Severity::Notice, number)).unwrap()));
    let id = store.outbox_id().unwrap();
    let ack = Ack::of("box-1".parse().unwrap(), id, [(1, 21)]);
    assert!(!store.acknowledged(ack, (1..=20).collect()).unwrap());
    wait_until("it is another outbox", LONG, || store.outbox_id().unwrap() != id);
    assert_eq!(store.outbox_depth().unwrap().0, 20, "all that waits is kept");
    assert!(store.outbox_status().unwrap().abandoned.is_empty());
}

#[test]
fn an_index_of_the_version_before_gets_an_id_and_says_what_it_sent_without() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    (0..10).for_each(|number| drop(store.put_alert(of(Severity::Notice, number)).unwrap()));
    let before = store.outbox_id().unwrap();
    (1..=6).for_each(|seq| store.delivered(seq));
    store.close();
    drop(store);
    // The index as the version before left it, without the steps that came after.
    let index = Connection::open(place.path().join("index.sqlite")).unwrap();
    index
        .execute_batch(
            "DROP TABLE outbox_identity;
             ALTER TABLE segment DROP COLUMN time_source; ALTER TABLE fragment DROP COLUMN start;
             DELETE FROM step WHERE number >= 3",
        )
        .unwrap();
    drop(index);

    let store = open(settings(place.path()));
    let status = store.outbox_status().unwrap();
    assert!(status.id != before && status.id != OutboxId::default());
    assert_eq!(status.id.0.get_version_num(), 4);
    assert_eq!(status.abandoned, [Gap { first: 1, last: 6 }], "the post has these under no id");
    let waiting = store.outbox(0, 100).unwrap();
    assert!(waiting.iter().all(|alert| alert.outbox == status.id), "also what was stored before");
    assert_eq!(store.put_alert(of(Severity::Notice, 50)).unwrap().seq, 11);
    store.close();
    drop(store);
    assert_eq!(open(settings(place.path())).outbox_id().unwrap(), status.id, "it stays");
}

#[test]
fn a_damaged_index_goes_on_as_the_same_outbox_where_it_still_says_which() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    (0..10).for_each(|number| drop(store.put_alert(of(Severity::Notice, number)).unwrap()));
    let id = store.outbox_id().unwrap();
    store.close();
    drop(store);
    let path = place.path().join("index.sqlite");
    for keeps_id in [true, false] {
        let index = Connection::open(&path).unwrap();
        if !keeps_id {
            index.execute_batch("DELETE FROM sequence").unwrap();
        }
        index.execute_batch("DELETE FROM outbox WHERE seq = 4; DELETE FROM alert WHERE seq = 4").unwrap();
        // A page of an SQL index that the daemon never reads, and that the repair finds damaged.
        let page: u32 = index
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'segment_by_time'", [], |row| {
                row.get(0)
            })
            .unwrap();
        index.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(index);
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[0xa5; 4096], u64::from(page - 1) * 4096).unwrap();
        let repaired = clipstore::inspect::repair(&settings(place.path()), &mut |_, _| ()).unwrap();
        assert!(repaired.reconciled.rebuilt, "{repaired:?}");

        let store = open(settings(place.path()));
        let status = store.outbox_status().unwrap();
        assert_eq!(status.id == id, keeps_id);
        assert_eq!(status.abandoned, [Gap { first: 4, last: 4 }]);
        assert_eq!(
            store.put_alert(of(Severity::Notice, 50 + u64::from(keeps_id))).unwrap().seq,
            if keeps_id { 11 } else { 12 }
        );
        store.close();
    }
}

#[test]
fn a_thousand_acknowledged_at_once_take_a_moment() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    (0..1000).for_each(|number| {
        drop(store.put_alert(AlertDraft { thumbnail: None, ..of(Severity::Notice, number) }).unwrap())
    });
    let begun = Instant::now();
    let ack = Ack::of("box-1".parse().unwrap(), store.outbox_id().unwrap(), [(1, 1000)]);
    assert!(store.acknowledged(ack, (1..=1000).collect()).unwrap());
    wait_until("all have left", LONG, || store.outbox_depth().unwrap().0 == 0);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
