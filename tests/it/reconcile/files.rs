//! Files that a crash or damage has left unlike their rows.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use clipstore::inspect::{self, Depth, Wrong};
use clipstore::{ClipFilter, Reconciled};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{LONG, check, checkpoint, cut, execute, filled, reopened, rows};
use crate::store::{SmallDisk, assert_agrees, clip_files, open, settings, unend};
use crate::support::sample::{FRAGMENT, START, fragment};
use crate::support::wait_until;

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
