//! Indexes that are lost or damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use base::alert::Alert;
use base::fragment::Fragment;
use base::time::{ClockState, Monotonic, Stamp, WallTime};
use clipstore::ClipFilter;
use clipstore::inspect::{self, Depth, Wrong};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{LONG, check, checkpoint, execute, filled, full_store, reopened, rows};
use crate::store::{assert_agrees, clip_files, open, settings};
use crate::support::sample::{START, fragment, opened};

/// Each table in turn is gone, or all of them: the store opens, and `check` names the remedy.
#[test]
fn an_index_without_a_table_is_built_anew() {
    for table in ["fragment", "segment", "alert", "outbox", "sequence", "step", "event", "outbox_identity"] {
        let place = TempDir::new().unwrap();
        full_store(place.path());
        let footage = rows(place.path(), "fragment");
        let index = Connection::open(place.path().join("index.sqlite")).unwrap();
        index.execute_batch(&format!("PRAGMA foreign_keys = false; DROP TABLE {table}")).unwrap();
        drop(index);
        let found = check(place.path(), Depth::Quick);
        assert!(
            found.iter().any(|finding| {
                finding.wrong == Wrong::Index
                    && finding.remedy.contains("store repair")
                    && !finding.text.contains("Error code")
            }) || table == "step",
            "{table}: {found:#?}"
        );
        let done = reopened(place.path());
        assert!(done.rebuilt, "{table}: {done}");
        assert_eq!(rows(place.path(), "fragment"), footage, "{table}");
        assert!(!check(place.path(), Depth::Deep).iter().any(|finding| finding.wrong == Wrong::Index));
    }
    let place = TempDir::new().unwrap();
    full_store(place.path());
    fs::write(place.path().join("index.sqlite"), b"").unwrap();
    let found = check(place.path(), Depth::Quick);
    assert!(found[0].text.contains("empty") && found[0].remedy.contains("store repair"), "{found:#?}");
}

#[test]
fn times_that_no_clock_gave_are_found_and_read_back() {
    for change in ["ends_wall_us = starts_wall_us - 60000000", "starts_wall_us = 9223372036854775807"] {
        let place = TempDir::new().unwrap();
        filled(place.path(), 5);
        let before = rows(place.path(), "segment");
        execute(place.path(), &format!("UPDATE segment SET {change}"));
        let found = check(place.path(), Depth::Quick);
        assert!(found.len() == 1 && found[0].text.contains("1 segments have impossible times"), "{found:#?}");
        let repaired = inspect::repair(&settings(place.path()), &mut |_, _| ()).unwrap();
        assert!(repaired.reconciled.rebuilt && repaired.remaining.is_empty(), "{repaired:?}");
        assert_eq!(rows(place.path(), "segment"), before);
    }
}

#[test]
fn a_lost_index_is_built_anew_from_the_files() {
    for is_empty in [false, true] {
        let place = TempDir::new().unwrap();
        let outboxes: Vec<_> = full_store(place.path()).iter().map(|alert| alert.outbox).collect();
        let before = (rows(place.path(), "segment"), rows(place.path(), "fragment"));
        fs::remove_file(place.path().join("index.sqlite")).unwrap();
        if is_empty {
            fs::write(place.path().join("index.sqlite"), b"").unwrap();
        }
        let store = open(settings(place.path()));
        assert!(
            !outboxes.contains(&store.outbox_id().unwrap()),
            "another outbox, since nobody knows its last number"
        );
        let done = store.vitals().reconciled;
        assert!(done.rebuilt && done.damaged_index.is_none(), "{done}");
        assert_eq!((done.indexed_fragments, done.failed_files, done.cut_files), (24, 0, 0), "{done}");
        assert_eq!(before, (rows(place.path(), "segment"), rows(place.path(), "fragment")));
        assert_eq!(store.put_alert(opened("gate", LONG)).unwrap().seq, 1);
        assert_eq!(store.outbox_status().unwrap().abandoned, []);
        drop(store);
        assert!(reopened(place.path()).all_agreed());
        assert_eq!(check(place.path(), Depth::Deep), []);
    }
}

#[test]
fn a_new_store_counts_from_one_and_a_used_one_does_not() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    assert_eq!(store.put_alert(opened("gate", LONG)).unwrap().seq, 1);
    assert!(store.vitals().reconciled.all_agreed());
}

#[test]
fn what_is_no_database_is_set_aside_and_few_of_them_are_kept() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 5);
    for round in 1..=4 {
        checkpoint(place.path());
        fs::write(place.path().join("index.sqlite"), format!("no database {round}").repeat(500)).unwrap();
        let done = reopened(place.path());
        let aside = place.path().join(format!("index.corrupt-{round}.sqlite"));
        assert_eq!(done.damaged_index.as_deref(), Some(&*aside));
        assert!(fs::read_to_string(aside).unwrap().starts_with(&format!("no database {round}")));
    }
    assert_eq!(
        [1, 2, 3, 4].map(|number| place.path().join(format!("index.corrupt-{number}.sqlite")).exists()),
        [false, false, true, true]
    );
    assert_agrees(place.path());
}

/// Copies a folder with all that is in it.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Each page of the index in turn is overwritten. In each case the store opens, the footage and alerts that are found are
/// as they were, no number is given twice, and nothing undelivered is taken for delivered.
#[test]
fn no_page_of_the_index_is_worth_a_box() {
    let origin = TempDir::new().unwrap();
    let alerts: BTreeMap<u64, Alert> =
        full_store(origin.path()).into_iter().map(|alert| (alert.seq, alert)).collect();
    checkpoint(origin.path());
    let pages = fs::metadata(origin.path().join("index.sqlite")).unwrap().len() / 4096;
    let footage = clip_files(origin.path()).len();
    assert!(pages > 40, "{pages}");
    let (mut rebuilt, mut complete, mut same_outbox) = (0, 0, 0);
    // Thumbnails fill most pages: of those in the middle every ninth will do.
    for page in (0..pages).filter(|page| *page < 16 || page % 9 == 0 || *page + 3 > pages) {
        let place = TempDir::new().unwrap();
        copy_all(origin.path(), place.path());
        let index = OpenOptions::new().read(true).write(true).open(place.path().join("index.sqlite"));
        index.unwrap().write_all_at(&[0xa5; 4096], page * 4096).unwrap();

        let store = open(settings(place.path()));
        let done = store.vitals().reconciled;
        rebuilt += u32::from(done.rebuilt);
        assert_eq!(store.segments(&ClipFilter::default()).unwrap().len(), footage, "page {page}");
        drop(store);
        // `check` finds the damage that opening did not come across.
        let found = check(place.path(), Depth::Quick);
        let repaired = inspect::repair(&settings(place.path()), &mut |_, _| ()).unwrap();
        assert_eq!(repaired.remaining, [], "page {page}");
        assert!(done.rebuilt || repaired.reconciled.rebuilt != found.is_empty(), "page {page}: {found:?}");

        let taken_for_delivered = "alert WHERE seq > 14 AND seq NOT IN (SELECT seq FROM outbox)";
        assert_eq!(rows(place.path(), taken_for_delivered), [""; 0], "page {page}");
        let store = open(settings(place.path()));
        let outbox = store.outbox(0, 100).unwrap();
        complete += u32::from(outbox.len() >= 6);
        for alert in outbox {
            let original = &alerts[&alert.seq];
            let (thumbnail, outbox) = (alert.thumbnail.clone(), store.outbox_id().unwrap());
            let as_stored = Alert { thumbnail, outbox, ..original.clone() };
            assert_eq!(alert, as_stored, "page {page}");
        }
        let next = store.put_alert(opened("gate", LONG * 5)).unwrap();
        let is_same = next.outbox == alerts[&1].outbox;
        same_outbox += u32::from(done.rebuilt && is_same);
        assert!(next.seq > 20 || !is_same, "page {page}: {} was used before", next.seq);
        // The numbers that the post will never get, and those that it will, are all there are.
        let mut told: BTreeSet<u64> = store.outbox(0, 100).unwrap().iter().map(|alert| alert.seq).collect();
        let abandoned = store.outbox_status().unwrap().abandoned;
        told.extend(abandoned.iter().flat_map(|gap| gap.first..=gap.last));
        assert!(is_same || told.into_iter().eq(1..=next.seq), "page {page}: {abandoned:?}");
        store.close();
        assert_agrees(place.path());
        assert_eq!(check(place.path(), Depth::Deep), [], "page {page}");
    }
    assert!(rebuilt >= 4, "{rebuilt} rebuilt at once");
    assert!(complete > 10, "{complete} with all undelivered alerts");
    assert!(same_outbox > 0, "none went on counting in the same outbox");
}

#[test]
fn a_power_cut_while_the_index_is_swapped_loses_nothing() {
    let place = TempDir::new().unwrap();
    let alerts = full_store(place.path());
    checkpoint(place.path());
    // The old one is aside, the new one is not yet in its place.
    let index = place.path().join("index.sqlite");
    fs::rename(&index, place.path().join("index.rebuilt.sqlite")).unwrap();
    fs::write(place.path().join("index.sqlite-wal"), b"of the old one").unwrap();
    let store = open(settings(place.path()));
    assert!(store.vitals().reconciled.all_agreed());
    assert_eq!(store.outbox(0, 100).unwrap(), alerts[14..]);
    drop(store);
    // The new one was not complete.
    fs::write(place.path().join("index.rebuilt.sqlite"), b"half").unwrap();
    assert!(reopened(place.path()).all_agreed());
    assert!(!place.path().join("index.rebuilt.sqlite").exists());
}

/// A box without a clock's battery: boots in 1970, records, and gets the time. The index is lost after that.
#[test]
fn a_rebuild_brings_back_the_right_times() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    let since_boot = |seconds: u64| Monotonic::from_nanos(seconds * 1_000_000_000);
    let stamp = |seconds: u64, offset: i64, clock| Stamp {
        wall: WallTime::from_micros(offset + seconds as i64 * 1_000_000),
        monotonic: since_boot(seconds),
        clock,
    };
    let offset = START.wall.as_micros();
    for (number, starts_at) in [
        stamp(10, 0, ClockState::Unsynced),
        stamp(12, 0, ClockState::Unsynced),
        stamp(14, offset, ClockState::Synced),
        stamp(16, offset + 50, ClockState::Holdover),
    ]
    .into_iter()
    .enumerate()
    {
        store.append(Fragment { starts_at, ..fragment("gate", number as u32, 100) }).unwrap();
    }
    store.close();
    drop(store);
    fs::remove_file(place.path().join("index.sqlite")).unwrap();
    let store = open(settings(place.path()));
    assert_eq!(store.vitals().reconciled.corrected_segments, 2, "{}", store.vitals().reconciled);
    let times: Vec<_> = store.segments(&ClipFilter::default()).unwrap();
    let found: Vec<_> = times.iter().rev().map(|one| (one.starts_at, one.ends_at, one.clock)).collect();
    let at = |seconds| stamp(seconds, offset, ClockState::Synced).wall;
    assert_eq!(
        found,
        [(10, 14), (14, 16), (16, 18)].map(|(from, to)| (at(from), at(to), ClockState::Synced))
    );
}
