//! Scenarios of `store`: index and clip files that disagree, and indexes that are lost or damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use base::alert::Alert;
use base::fragment::Fragment;
use base::ids::Epoch;
use base::time::{ClockState, Monotonic, Stamp, WallTime};
use clipstore::inspect::{self, Depth, Finding, Wrong};
use clipstore::{ClipFilter, Reconciled};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::store::{SmallDisk, assert_agrees, clip_files, open, settings, unend};
use crate::support::sample::{FRAGMENT, START, closed, fragment, opened};
use crate::support::wait_until;

const LONG: Duration = Duration::from_secs(20);

/// Makes a store with `fragments` of camera "gate" in segments of five.
pub fn filled(directory: &Path, fragments: u32) {
    let store = open(settings(directory));
    for number in 0..fragments {
        store.append(fragment("gate", number, 1000)).unwrap();
    }
    store.close();
}

/// Every row of a table, in text.
pub fn rows(directory: &Path, table: &str) -> Vec<String> {
    let index = Connection::open(directory.join("index.sqlite")).unwrap();
    let mut select = index.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
    let columns = select.column_count();
    let mut rows = select.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let column = |at| format!("{:?}", row.get_unwrap::<_, rusqlite::types::Value>(at));
        all.push((0..columns).map(column).collect::<Vec<_>>().join(" "));
    }
    all
}

pub fn execute(directory: &Path, sql: &str) {
    let index = Connection::open(directory.join("index.sqlite")).unwrap();
    index.pragma_update(None, "foreign_keys", true).unwrap();
    index.execute_batch(sql).unwrap();
}

/// Brings the content of the index's log into its file, so that the file is all there is.
fn checkpoint(directory: &Path) {
    execute(directory, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert!(!directory.join("index.sqlite-wal").exists());
}

fn reopened(directory: &Path) -> Reconciled {
    let store = open(settings(directory));
    store.vitals().reconciled
}

pub fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

pub fn check(directory: &Path, depth: Depth) -> Vec<Finding> {
    inspect::check(&settings(directory), depth, &mut |_, _| ()).unwrap()
}

#[test]
fn what_was_written_but_not_indexed_is_indexed() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 12);
    let before = (rows(place.path(), "segment"), rows(place.path(), "fragment"));

    // The power went before the last rows were written: of two fragments of one segment, and of a whole one.
    execute(
        place.path(),
        "UPDATE segment SET ended = 0;
         DELETE FROM fragment WHERE segment = 2 AND offset_bytes > (SELECT offset_bytes FROM fragment
             WHERE segment = 2 ORDER BY offset_bytes LIMIT 1 OFFSET 2);
         DELETE FROM segment WHERE id = 3;
         UPDATE segment SET bytes = (SELECT max(offset_bytes + bytes) FROM fragment WHERE segment = 2) WHERE id = 2;",
    );
    // `bytes` of a row also counts the trailer.
    let file = fs::read(&clip_files(place.path())[1]).unwrap();
    let index = Connection::open(place.path().join("index.sqlite")).unwrap();
    let end: i64 = index.query_row("SELECT bytes FROM segment WHERE id = 2", [], |row| row.get(0)).unwrap();
    let trailer = u32::from_be_bytes(file[end as usize..][..4].try_into().unwrap());
    index.execute("UPDATE segment SET bytes = bytes + ?1 WHERE id = 2", [trailer]).unwrap();
    drop(index);

    let done = reopened(place.path());
    assert_eq!(done, Reconciled { indexed_files: 2, indexed_fragments: 4, ..Reconciled::default() });
    assert_eq!(done.to_string(), "indexed 4 fragments of 2 files again");
    assert_eq!(before, (rows(place.path(), "segment"), rows(place.path(), "fragment")));
    assert!(reopened(place.path()).all_agreed());
    assert_agrees(place.path());
}

#[test]
fn opening_mends_what_a_crash_leaves() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 20);
    let files = clip_files(place.path());
    assert_eq!(files.len(), 4);
    unend(place.path());
    // Torn; foreign; never written; gone; shorter than it was.
    OpenOptions::new().append(true).open(&files[3]).unwrap().write_all(b"\0\0\xff\xffmoof torn").unwrap();
    fs::write(files[3].with_file_name("unknown.mp4"), b"\0\0\0\x08moof and so on").unwrap();
    fs::write(files[3].with_file_name("20260501T221403.120Z-7.mp4"), [0; 4096]).unwrap();
    fs::remove_file(&files[0]).unwrap();
    let length = fs::metadata(&files[1]).unwrap().len();
    cut(&files[1], length / 2);

    let store = open(settings(place.path()));
    let done = store.vitals().reconciled;
    assert_eq!((done.removed_rows, done.removed_files, done.quarantined_files), (1, 1, 1), "{done}");
    assert_eq!((done.shortened_segments, done.cut_files, done.failed_files), (1, 2, 0), "{done}");
    assert_eq!(store.vitals().segments, 3);
    let sizes: u64 = clip_files(place.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(store.vitals().clip_bytes, sizes);
    let gate = "gate".parse().unwrap();
    let clip = store.footage(&gate, START.wall, START.wall + FRAGMENT * 8).unwrap();
    assert_eq!(clip.segments[0].ends_at, START.wall + FRAGMENT * 7, "two fragments of the cut one are left");
    drop(store);
    let aside = place.path().join("aside/gate/2026-05-01/22/unknown.mp4");
    assert_eq!(fs::read(&aside).unwrap(), b"\0\0\0\x08moof and so on");
    assert_agrees(place.path());
    assert!(reopened(place.path()).all_agreed());
    // The quarantined file is for a person to look at; nothing else is wrong.
    let places: Vec<String> =
        check(place.path(), Depth::Deep).into_iter().map(|finding| finding.place).collect();
    assert_eq!(places, [aside.display().to_string()]);
}

/// A power cut may end a file at any byte: the fragments that are whole before it are there, and nothing else.
#[test]
fn wherever_a_file_is_torn_its_whole_fragments_stay() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 3);
    let [path] = &clip_files(place.path())[..] else { panic!("one file") };
    let whole = fs::read(path).unwrap();
    let index = Connection::open(place.path().join("index.sqlite")).unwrap();
    let ends: Vec<i64> = index
        .prepare("SELECT offset_bytes + bytes FROM fragment")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    drop(index);
    for length in (0..whole.len()).step_by(97).chain(whole.len() - 3..whole.len()) {
        for indexed in [false, true] {
            let place = TempDir::new().unwrap();
            filled(place.path(), 3);
            unend(place.path());
            let [path] = &clip_files(place.path())[..] else { panic!("one file") };
            cut(path, (whole.len() - length) as u64);
            if !indexed {
                execute(place.path(), "DELETE FROM segment");
            }
            let done = reopened(place.path());
            let found = rows(place.path(), "fragment").len();
            // An indexed fragment needs no trailer; one that is read back does.
            let mdats = ends.iter().filter(|end| **end as usize <= length).count();
            assert!(
                found == mdats || (!indexed && found + 1 == mdats),
                "{length} {indexed}: {found} of {mdats}"
            );
            assert_eq!(done.failed_files, 0, "{done}");
            assert_agrees(place.path());
            assert!(reopened(place.path()).all_agreed(), "{length}");
        }
    }
}

#[test]
fn a_fragment_whose_bytes_did_not_all_arrive_is_not_indexed() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 5);
    let [path] = &clip_files(place.path())[..] else { panic!("one file") };
    let index = Connection::open(place.path().join("index.sqlite")).unwrap();
    let fourth: i64 = index
        .query_row("SELECT offset_bytes FROM fragment ORDER BY offset_bytes LIMIT 1 OFFSET 3", [], |row| {
            row.get(0)
        })
        .unwrap();
    drop(index);
    // Its trailer reached the disk, and a page in its middle did not.
    OpenOptions::new().write(true).open(path).unwrap().write_at(&[0; 300], fourth as u64 + 200).unwrap();
    execute(place.path(), "DELETE FROM segment");
    let done = reopened(place.path());
    assert_eq!((done.indexed_fragments, done.cut_files), (3, 1), "{done}");
    assert_agrees(place.path());
}

#[test]
fn footage_behind_old_damage_is_kept() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 5);
    let [path] = &clip_files(place.path())[..] else { panic!("one file") };
    // Eight seconds before the end: no power cut does that.
    OpenOptions::new().write(true).open(path).unwrap().write_at(b"rotten", 700).unwrap();
    execute(place.path(), "DELETE FROM segment");
    let done = reopened(place.path());
    assert_eq!((done.indexed_fragments, done.cut_files), (5, 0), "{done}");
    let found = check(place.path(), Depth::Deep);
    assert_eq!(found.iter().map(|finding| finding.wrong).collect::<Vec<_>>(), [Wrong::Bytes]);

    // Nothing of it is as it was written: nothing to index, and not for us to remove.
    let place = TempDir::new().unwrap();
    filled(place.path(), 1);
    let [path] = &clip_files(place.path())[..] else { panic!("one file") };
    OpenOptions::new().write(true).open(path).unwrap().write_at(b"rotten", 700).unwrap();
    execute(place.path(), "DELETE FROM segment");
    assert_eq!(reopened(place.path()).quarantined_files, 1);
    assert!(!path.exists() && place.path().join("aside/gate").exists());
}

/// Somebody moved another file to the place of a row's own: not a byte of it is cut off, at the start and by `repair`.
#[test]
fn another_file_in_a_rows_place_loses_nothing() {
    for by_repair in [false, true] {
        for other in ["yard", "gate", "foreign"] {
            let place = TempDir::new().unwrap();
            let store = open(settings(place.path()));
            for number in 0..10 {
                store.append(fragment("gate", number, if number < 5 { 1000 } else { 3000 })).unwrap();
                store.append(fragment("yard", number, 5000)).unwrap();
            }
            store.close();
            drop(store);
            unend(place.path());
            let files = clip_files(place.path());
            let (target, from) = (&files[0], if other == "yard" { &files[2] } else { &files[1] });
            assert!(target.starts_with(place.path().join("clips/gate")) && files.len() == 4);
            match other {
                "foreign" => fs::write(target, b"of somebody else ".repeat(2000)).unwrap(),
                _ => fs::rename(from, target).unwrap(),
            }
            let content = fs::read(target).unwrap();

            if other != "foreign" {
                execute(place.path(), "UPDATE segment SET ended = 1");
                let found = check(place.path(), Depth::Quick);
                let wrong: BTreeSet<Wrong> = found.iter().map(|finding| finding.wrong).collect();
                assert_eq!(wrong, BTreeSet::from([Wrong::FileMissing, Wrong::FileOther]), "{found:#?}");
                assert!(found.iter().any(|finding| finding.text.contains("another clip file")), "{found:#?}");
                unend(place.path());
            }
            let done = match by_repair {
                true => inspect::repair(&settings(place.path()), &mut |_, _| ()).unwrap().reconciled,
                false => reopened(place.path()),
            };
            assert_eq!((done.cut_files, done.removed_files, done.failed_files), (0, 0, 0), "{other}: {done}");
            let kept = match other {
                "foreign" => {
                    place.path().join("aside").join(target.strip_prefix(place.path().join("clips")).unwrap())
                }
                _ => target.clone(),
            };
            assert!(fs::read(&kept).unwrap() == content, "{other}: {done}");
            assert_agrees(place.path());
            if other == "foreign" {
                assert_eq!((done.removed_rows, done.quarantined_files), (1, 1), "{done}");
                continue;
            }
            // It is the footage of its own camera again, at its own time.
            assert_eq!((done.removed_rows, done.indexed_files, done.indexed_fragments), (2, 1, 5), "{done}");
            let start = if other == "yard" { START.wall } else { START.wall + FRAGMENT * 5 };
            let store = open(settings(place.path()));
            let clip = store.footage(&other.parse().unwrap(), start, start + FRAGMENT * 5).unwrap();
            assert_eq!(clip.segments[0].ends_at, start + FRAGMENT * 5);
            drop(store);
            assert_eq!(check(place.path(), Depth::Deep), []);
        }
    }
}

/// A box's head in the middle of a file is damaged: no walk reaches the fragments behind it, and they are not lost.
#[test]
fn footage_that_no_walk_reaches_is_kept_aside() {
    for (damaged_at, has_row) in [(0_u64, false), (2, false), (2, true)] {
        let place = TempDir::new().unwrap();
        filled(place.path(), 5);
        let [path] = &clip_files(place.path())[..] else { panic!("one file") };
        let index = Connection::open(place.path().join("index.sqlite")).unwrap();
        let third: i64 = index
            .query_row(
                "SELECT offset_bytes FROM fragment ORDER BY offset_bytes LIMIT 1 OFFSET 2",
                [],
                |row| row.get(0),
            )
            .unwrap();
        drop(index);
        let at = if damaged_at == 0 { 0 } else { third as u64 };
        OpenOptions::new().write(true).open(path).unwrap().write_at(&[0; 8], at).unwrap();
        let content = fs::read(path).unwrap();
        match has_row {
            false => execute(place.path(), "DELETE FROM segment"),
            true => execute(
                place.path(),
                &format!(
                    "UPDATE segment SET ended = 0, bytes = {third};
                     DELETE FROM fragment WHERE offset_bytes >= {third}"
                ),
            ),
        }
        let done = reopened(place.path());
        let cut = u64::from(damaged_at > 0);
        assert_eq!((done.quarantined_files, done.cut_files, done.removed_files), (1, cut, 0), "{done}");
        let aside = place.path().join("aside").join(path.strip_prefix(place.path().join("clips")).unwrap());
        assert!(fs::read(aside).unwrap() == content);
        assert_eq!(path.exists(), damaged_at > 0);
        assert_agrees(place.path());
        assert!(reopened(place.path()).all_agreed());
    }
}

/// Footage behind damaged bytes, and no room to copy it aside: the store opens and records, and the next start tries
/// again.
#[test]
fn on_a_full_disk_a_damaged_file_waits_for_the_next_start() {
    for has_row in [false, true] {
        let Some(disk) = SmallDisk::mount(4 * 1024 * 1024) else { return };
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        assert_ne!(device(disk.0.path()), device(disk.0.path().parent().unwrap()), "the disk is not mounted");
        filled(disk.0.path(), 20);
        let path = &clip_files(disk.0.path())[3];
        let index = Connection::open(disk.0.path().join("index.sqlite")).unwrap();
        let starts =
            "SELECT offset_bytes FROM fragment WHERE segment = 4 ORDER BY offset_bytes LIMIT 1 OFFSET ?1";
        let [second, fourth]: [i64; 2] =
            [1, 3].map(|n| index.query_row(starts, [n], |row| row.get(0)).unwrap());
        drop(index);
        let damaged = OpenOptions::new().write(true).open(path).unwrap();
        // Longer than what is free beside the ballast, by bytes that a copy has to write.
        let end = damaged.metadata().unwrap().len();
        damaged.write_all_at(&[7; 300_000], end).unwrap();
        damaged.write_all_at(&[0; 8], fourth as u64).unwrap();
        let content = fs::read(path).unwrap();
        match has_row {
            false => execute(disk.0.path(), "DELETE FROM segment WHERE id = 4"),
            true => execute(
                disk.0.path(),
                &format!(
                    "UPDATE segment SET ended = 0, bytes = {second} WHERE id = 4;
                     DELETE FROM fragment WHERE segment = 4 AND offset_bytes >= {second}"
                ),
            ),
        }
        checkpoint(disk.0.path());
        let mut ballast = File::create(disk.0.path().join("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
        let bytes = ballast.metadata().unwrap().len();
        ballast.set_len(bytes - 250_000).unwrap();
        drop(ballast);

        let store = open(settings(disk.0.path()));
        let done = store.vitals().reconciled;
        let indexed = if has_row { 2 } else { 3 };
        assert_eq!((done.failed_files, done.quarantined_files, done.cut_files), (1, 0, 0), "{done}");
        assert_eq!(done.indexed_fragments, indexed, "the whole ones before the damage");
        assert!(fs::read(path).unwrap() == content && clip_files(disk.0.path()).len() == 4);
        for number in 20..30 {
            store.append(fragment("gate", number, 1000)).unwrap();
        }
        store.close();
        let newest = store.segments(&ClipFilter::default()).unwrap()[0].ends_at;
        assert_eq!(newest, START.wall + FRAGMENT * 30, "it records");

        fs::remove_file(disk.0.path().join("ballast")).unwrap();
        let done = reopened(disk.0.path());
        assert_eq!((done.failed_files, done.quarantined_files, done.cut_files), (0, 1, 1), "{done}");
        let aside = disk.0.path().join("aside").join(path.strip_prefix(disk.0.path().join("clips")).unwrap());
        assert!(fs::read(aside).unwrap() == content);
        assert_agrees(disk.0.path());
        assert!(reopened(disk.0.path()).all_agreed());
    }
}

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
        let is_said = |finding: &Finding| {
            finding.wrong == Wrong::Index
                && finding.remedy.contains("store repair")
                && !finding.text.contains("Error code")
        };
        assert!(found.iter().any(is_said) || table == "step", "{table}: {found:#?}");
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

/// The disk of the footage may only not be mounted: `repair` removes no row then.
#[test]
fn without_the_folder_of_the_files_nothing_is_repaired() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 5);
    let before = rows(place.path(), "segment");
    fs::rename(place.path().join("clips"), place.path().join("elsewhere")).unwrap();
    let error = inspect::repair(&settings(place.path()), &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("is missing; if it is on another disk, mount"), "{error}");
    let error = inspect::check(&settings(place.path()), Depth::Quick, &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("mount"), "{error}");
    assert_eq!(rows(place.path(), "segment"), before);
}

/// Retention removes a file and then its row; a power cut may bring the file back and not the row.
#[test]
fn footage_that_comes_back_is_as_old_as_it_was() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 15);
    execute(place.path(), "DELETE FROM segment WHERE id = 1");
    let ids = |directory: &Path| -> Vec<(i64, String)> {
        let index = Connection::open(directory.join("index.sqlite")).unwrap();
        let mut select = index.prepare("SELECT id, path FROM segment ORDER BY id").unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(reopened(place.path()).indexed_files, 1);
    let back = ids(place.path());
    assert_eq!(back.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(back[0].1 < back[1].1, "{back:?}");

    // It is the first to go when room is needed.
    let bytes: u64 = clip_files(place.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let mut tight = settings(place.path());
    tight.clip_bytes_max = bytes;
    let store = open(tight);
    store.append(fragment("gate", 20, 1000)).unwrap();
    wait_until("one is removed", LONG, || store.vitals().removed_segments > 0);
    drop(store);
    assert!(!ids(place.path()).iter().any(|row| row.0 == 1));

    // A copy has an id that is taken: it gets one of its own, and both stay.
    let original = &clip_files(place.path())[0];
    fs::copy(original, original.with_file_name("copy.mp4")).unwrap();
    let before = ids(place.path());
    assert_eq!(reopened(place.path()).indexed_files, 1);
    let after = ids(place.path());
    assert_eq!(after.len(), before.len() + 1);
    let copy = after.iter().find(|row| row.1.ends_with("copy.mp4")).unwrap();
    assert!(before.iter().all(|row| row.0 < copy.0), "greater than all: {after:?}");
    assert_agrees(place.path());
}

/// Makes a store with footage of two cameras and alerts, some delivered. Returns the alerts as an officer would see them.
pub fn full_store(directory: &Path) -> Vec<Alert> {
    let store = open(settings(directory));
    for number in 0..12 {
        store.append(fragment("gate", number, 3000)).unwrap();
        store.append(Fragment { epoch: Epoch(number / 4), ..fragment("yard", number, 500) }).unwrap();
    }
    let mut alerts = Vec::new();
    for number in 0..10 {
        let draft = opened("gate", Duration::from_secs(number));
        alerts.push(store.put_alert(draft.clone()).unwrap());
        alerts.push(store.put_alert(closed(&draft, Duration::from_secs(number + 2))).unwrap());
    }
    for seq in 1..=14 {
        store.delivered(seq);
    }
    store.close();
    alerts
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
    let aside = |number| place.path().join(format!("index.corrupt-{number}.sqlite")).exists();
    assert_eq!([1, 2, 3, 4].map(aside), [false, false, true, true]);
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

/// Number of segments that `startup_of_a_large_index` makes; 500,000 are 200 GB of a segment a minute at 2 Mbit/s and more.
const SEGMENTS: &str = "WARDWATCH_TEST_SEGMENTS";

/// Prints the cost of opening a store with many ended segments. The rows are real, and so are the names of the files.
#[test]
fn startup_of_a_large_index() {
    let count: u32 = std::env::var(SEGMENTS).map_or(20_000, |text| text.parse().unwrap());
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
    let mut large = settings(place.path());
    large.clip_bytes_max = u64::MAX / 4;
    drop(open(large.clone()));
    make_segments(place.path(), count);

    let before = cpu_seconds();
    let store = open(large);
    let seconds = cpu_seconds() - before;
    let vitals = store.vitals();
    assert_eq!((vitals.segments, vitals.reconciled.all_agreed()), (u64::from(count), true), "{vitals:?}");
    let profile = if cfg!(debug_assertions) { "development" } else { "release" };
    eprintln!("figure: start-up with reconcile of {count} segments: {seconds:.2} s of CPU ({profile} build)");
}

/// Prints the cost of building a lost index anew, at 60 fragments a file.
#[test]
fn a_rebuild_of_many_files() {
    let place = TempDir::new().unwrap();
    let mut minutes = settings(place.path());
    minutes.segment = FRAGMENT * 60;
    let store = open(minutes.clone());
    for number in 0..3000 {
        wait_until("there is room in the queue", LONG, || {
            store.append(fragment("gate", number, 2000)).is_ok()
        });
    }
    store.close();
    drop(store);
    fs::remove_file(place.path().join("index.sqlite")).unwrap();

    let before = cpu_seconds();
    let store = open(minutes);
    let seconds = cpu_seconds() - before;
    let done = store.vitals().reconciled;
    assert_eq!((done.indexed_files, done.indexed_fragments, done.failed_files), (50, 3000, 0), "{done}");
    let micros = seconds * 1e6 / 3000.0;
    let profile = if cfg!(debug_assertions) { "development" } else { "release" };
    eprintln!("figure: an index built again: {micros:.0} us of CPU a fragment ({profile} build)");
}

/// Rows of segments of a minute, of eight cameras, each with a fragment, and an empty file for each.
fn make_segments(directory: &Path, count: u32) {
    let mut index = Connection::open(directory.join("index.sqlite")).unwrap();
    let transaction = index.transaction().unwrap();
    for number in 0..count {
        let (camera, minute) = (number % 8, number / 8);
        let wall = START.wall + Duration::from_secs(60) * minute;
        let at = wall.to_timestamp();
        let folder = format!("camera-{camera}/{}", at.strftime("%Y-%m-%d/%H"));
        let path = format!("{folder}/{}-0.mp4", at.strftime("%Y%m%dT%H%M%S%.3fZ"));
        if minute == 0
            || at.strftime("%M").to_string() == "00"
            || !directory.join("clips").join(&folder).exists()
        {
            fs::create_dir_all(directory.join("clips").join(&folder)).unwrap();
        }
        fs::File::create(directory.join("clips").join(&path)).unwrap();
        transaction
            .prepare_cached(
                "INSERT INTO segment (id, camera, epoch, path, boot_id, starts_wall_us, starts_monotonic_ns, clock,
                                      ends_wall_us, codec, width, height, init_bytes, bytes, ended)
                 VALUES (?1, ?2, 0, ?3, 'boot', ?4, 0, 'synced', ?5, 'h264', 1920, 1080, 800, 15000000, 1)",
            )
            .unwrap()
            .execute(rusqlite::params![
                i64::from(number) + 1,
                format!("camera-{camera}"),
                path,
                wall.as_micros(),
                (wall + Duration::from_secs(60)).as_micros(),
            ])
            .unwrap();
        transaction
            .prepare_cached(
                "INSERT INTO fragment (segment, offset_bytes, bytes, pts_ns, duration_ns, wall_us, samples, sha256)
                 VALUES (?1, 1200, 14998800, 0, 60000000000, ?2, 900, ?3)",
            )
            .unwrap()
            .execute(rusqlite::params![i64::from(number) + 1, wall.as_micros(), &[7u8; 32][..]])
            .unwrap();
    }
    transaction.commit().unwrap();
}

/// CPU time that this thread has used, in seconds.
fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}
