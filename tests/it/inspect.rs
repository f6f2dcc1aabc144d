//! Scenarios of `wardwatch store check` and `wardwatch store repair`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base::clock;
use base::time::WallTime;
use clipstore::Store;
use clipstore::holds::{self, NewHold};
use clipstore::inspect::{Depth, Finding, Wrong};
use tempfile::TempDir;

use crate::reconcile::{check, cut, execute, filled, full_store, rows};
use crate::store::{assert_agrees, clip_files, open, settings};
use crate::support::sample::{FRAGMENT, fragment, opened};

/// Runs `wardwatch store`.
fn store_command(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wardwatch"))
        .arg("store")
        .args(arguments)
        .arg("--directory")
        .arg(directory)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn check_names_each_thing_that_is_wrong_and_changes_nothing() {
    let place = TempDir::new().unwrap();
    full_store(place.path());
    let fine = store_command(place.path(), &["check", "--deep"]);
    assert_eq!((fine.status.code(), &*stdout(&fine)), (Some(0), "no fault found\n"));

    let files = clip_files(place.path());
    fs::remove_file(&files[0]).unwrap();
    cut(&files[1], 10);
    OpenOptions::new().append(true).open(&files[2]).unwrap().write_all(b"more").unwrap();
    fs::write(files[2].with_file_name("unknown.mp4"), b"of somebody").unwrap();
    OpenOptions::new().write(true).open(&files[3]).unwrap().write_at(b"rotten", 700).unwrap();
    execute(place.path(), "DELETE FROM outbox WHERE seq = 17; DELETE FROM alert WHERE seq = 17");
    execute(place.path(), "UPDATE alert SET stored_wall_us = 9000000000000000");
    let state = || -> Vec<(PathBuf, u64)> {
        clip_files(place.path())
            .into_iter()
            .map(|path| (path.clone(), fs::metadata(path).unwrap().len()))
            .collect()
    };
    let before = (state(), rows(place.path(), "segment"));

    let wrong = |findings: &[Finding]| {
        let mut kinds: Vec<Wrong> = findings.iter().map(|finding| finding.wrong).collect();
        kinds.sort();
        kinds
    };
    use Wrong::{Aside, Bytes, FileLong, FileMissing, FileShort, FileUnknown, SeqHole};
    let quick = check(place.path(), Depth::Quick);
    assert_eq!(wrong(&quick), [FileMissing, FileShort, FileLong, FileUnknown, SeqHole], "{quick:#?}");
    let deep = check(place.path(), Depth::Deep);
    assert_eq!(wrong(&deep), [FileMissing, FileShort, FileLong, FileUnknown, Bytes, SeqHole]);
    let rotten = deep.iter().find(|finding| finding.wrong == Bytes).unwrap();
    assert_eq!(rotten.place, files[3].display().to_string());
    assert_eq!(rotten.camera.as_ref().unwrap().as_str(), "yard");
    assert!(rotten.at.is_some() && rotten.text.contains("fail their sha256"), "{rotten:?}");

    let output = store_command(place.path(), &["check", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 5);
    let output = store_command(place.path(), &["check"]);
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(text.contains("5 faults found") && text.contains("wardwatch store repair"), "{text}");
    assert!(
        text.contains(&*files[0].to_string_lossy()) && text.contains("(camera gate, from 2026-"),
        "{text}"
    );
    assert_eq!(before, (state(), rows(place.path(), "segment")), "it only looked");

    // Repairable damage is repaired, and rotten footage stays.
    let output = store_command(place.path(), &["repair"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("3 faults found") && text.contains("fail their sha256"), "{text}");
    let left = check(place.path(), Depth::Deep);
    assert_eq!(wrong(&left), [Bytes, SeqHole, Aside], "{left:#?}");
    assert!(left.iter().any(|finding| finding.wrong == Aside && finding.place.ends_with("unknown.mp4")));
    assert!(files[3].exists() && place.path().join("aside").exists());
}

#[test]
fn repair_mends_and_says_what_it_did() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 10);
    let files = clip_files(place.path());
    OpenOptions::new().append(true).open(&files[1]).unwrap().write_all(b"more").unwrap();
    let output = store_command(place.path(), &["repair"]);
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(0), "cut 4 incomplete bytes off 1 file\n"));
    assert!(output.stderr.is_empty());
    let output = store_command(place.path(), &["repair", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report, serde_json::json!({ "done": "nothing to repair", "findings": [] }));
    assert_agrees(place.path());
}

#[test]
fn what_root_makes_in_a_store_is_its_owners() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root makes files that are not the owner's");
        return;
    }
    let place = TempDir::new().unwrap();
    let outside = place.path().join("outside");
    fs::write(&outside, "").unwrap();
    let store = place.path().join("store");
    full_store(&store);
    let files = clip_files(&store);
    fs::write(files[0].with_file_name("strange.mp4"), "no clip").unwrap();
    fs::remove_file(store.join("index.sqlite")).unwrap();
    std::os::unix::fs::symlink(&outside, store.join("link")).unwrap();
    let of = |path: &Path| fs::symlink_metadata(path).map(|found| (found.uid(), found.gid())).unwrap();
    let daemon = (65_534, 65_533);
    for path in everything_in(&store) {
        std::os::unix::fs::lchown(&path, Some(daemon.0), Some(daemon.1)).unwrap();
    }
    let repaired = store_command(&store, &["repair"]);
    assert!(repaired.status.success() || repaired.status.code() == Some(3), "{repaired:?}");
    let new = NewHold {
        camera: "gate".parse().unwrap(),
        from: WallTime::from_micros(0),
        to: WallTime::from_micros(1),
        alert: None,
        reason: "a search".to_owned(),
        who: "root".to_owned(),
    };
    holds::hold(&store, new).unwrap();
    let made = everything_in(&store);
    for name in ["index.sqlite", "access.jsonl", "holds", "aside"] {
        assert!(made.contains(&store.join(name)), "{name} was made");
    }
    made.iter().for_each(|path| assert_eq!(of(path), daemon, "{}", path.display()));
    assert_eq!(of(&outside).0, 0, "links are not followed");
}

/// The folder and all that is in it.
fn everything_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(everything_in(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

#[test]
fn commands_say_what_stands_in_their_way() {
    let place = TempDir::new().unwrap();
    let nowhere = place.path().join("nowhere");
    for command in ["check", "repair"] {
        let output = store_command(&nowhere, &[command]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere"));
        assert!(!nowhere.exists(), "{command} makes no store");
    }
    filled(place.path(), 1);
    let _store = open(settings(place.path()));
    let output = store_command(place.path(), &["repair"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("in use") && text.contains("stop"), "{text}");
}

#[test]
fn an_index_of_a_newer_wardwatch_is_left_alone() {
    let place = TempDir::new().unwrap();
    filled(place.path(), 3);
    execute(place.path(), "PRAGMA user_version = 99");
    let error = Store::open(settings(place.path()), Arc::new(clock::SystemClock)).unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
    let output = store_command(place.path(), &["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("version 99"));
}

/// A daemon writes and removes beside it, as fast as it can: check does not take that for damage.
#[test]
fn check_does_not_cry_wolf_beside_a_daemon() {
    let place = TempDir::new().unwrap();
    let mut busy = settings(place.path());
    busy.clip_bytes_max = 200_000;
    busy.segment = FRAGMENT * 2;
    let store = open(busy);
    let checks = AtomicU32::new(0);
    let is_enough = || checks.load(Ordering::Relaxed) >= 4 && store.vitals().removed_segments > 100;
    let found: Vec<Finding> = std::thread::scope(|scope| {
        let checking = scope.spawn(|| {
            let mut found = Vec::new();
            while !is_enough() {
                found.extend(check(place.path(), Depth::Deep));
                checks.fetch_add(1, Ordering::Relaxed);
            }
            found
        });
        for number in 0.. {
            if checking.is_finished() {
                break;
            }
            for camera in ["gate", "yard", "road"] {
                // A full queue is no matter here.
                let _ = store.append(fragment(camera, number, 2000));
            }
            store.put_alert(opened("gate", FRAGMENT * number)).unwrap();
        }
        checking.join().unwrap()
    });
    assert_eq!(found, []);
}
