//! `wardwatch clips` as an officer uses it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base::fragment::Codec;
use clipstore::access::{self, AccessKind};
use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, about, footage, names, record, secs};
use crate::store::{open, settings};
use crate::support::sample::{START, closed, opened};
use crate::support::wait_until;

fn wardwatch(args: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wardwatch"))
        .arg("clips")
        .args(args)
        .arg("--directory")
        .arg(directory)
        .env("TZ", "Asia/Ho_Chi_Minh")
        .env_remove("SUDO_USER")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_officer_lists_exports_and_is_in_the_log() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 2, 320, 12) else { return };
    let directory = place.path().join("store");
    let store = open(settings(&directory));
    for number in [0, 1, 2, 3, 4, 5, 6, 9, 10, 11] {
        store.append(footage.fragment(number)).unwrap();
    }
    let draft = opened("gate", secs(7));
    let alert = store.put_alert(draft.clone()).unwrap().id.to_string();
    store.put_alert(closed(&draft, secs(9))).unwrap();
    let newest = || store.footage(&"gate".parse().unwrap(), START.wall, START.wall + secs(100)).unwrap();
    wait_until("all is indexed", PATIENCE, || {
        newest().segments.last().is_some_and(|last| last.ends_at == START.wall + secs(24))
    });

    // 22:14:03 UTC is 05:14:03 of the next day in Ho Chi Minh City. The daemon is running.
    let listed = wardwatch(&["list", "--camera", "gate"], &directory);
    let text = stdout(&listed);
    assert!(text.contains("2026-05-02 05:14:10") && text.contains(&alert), "{text}{}", stderr(&listed));
    // As the post prints them: the beginning of an id, and a Vietnamese time.
    let of_one = wardwatch(&["list", &alert[..9]], &directory);
    assert!(stdout(&of_one).contains(&alert), "{}", stderr(&of_one));
    let of_day = wardwatch(&["list", "--from", "02/05/2026", "--to", "02/05/2026"], &directory);
    assert!(stdout(&of_day).contains(&alert), "{}", stderr(&of_day));
    let later =
        wardwatch(&["list", "--footage", "--from", "02/05/2026 06:00:00", "--to", "02/05/2026"], &directory);
    let nearest = "the last footage of gate ends at 2026-05-02 05:14:27+07:00";
    assert!(stdout(&later).contains("no footage") && stderr(&later).contains(nearest), "{}", stderr(&later));
    let spans = wardwatch(&["list", "--footage", "--to", "2026-05-02 05:15"], &directory);
    assert!(stdout(&spans).contains("-- 0:00:04 missing --"), "{}", stdout(&spans));
    let json: Value =
        serde_json::from_slice(&wardwatch(&["list", "--footage", "--json"], &directory).stdout).unwrap();
    assert_eq!((json[0]["segments"].as_u64(), json[1]["segments"].as_u64()), (Some(2), Some(2)), "{json}");

    let stick = place.path().join("stick");
    fs::create_dir(&stick).unwrap();
    let (to, reason) = (stick.to_str().unwrap(), "vụ 12/2026\n\u{1b}[2J");
    let export = ["export", &alert, "--output", to, "--reason", reason, "--who", "Đặng Thị Hoa", "--json"];
    for _ in 0..2 {
        let done = wardwatch(&export, &directory);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        let json: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(json["clips"][0]["files"][0]["starts_at"], "2026-05-01T22:14:05.120Z");
        assert_eq!(json["clips"][0]["alert"].as_str(), Some(&*alert));
    }
    assert_eq!(names(&stick), ["gate_2026-05-02_05-14-05.mp4", "gate_2026-05-02_05-14-05_copy2.mp4"]);
    assert_eq!(about(&stick.join(&names(&stick)[0]))["alert"].as_str(), Some(&*alert));

    let log = access::read(&directory).unwrap();
    let kinds: Vec<_> = log.entries.iter().map(|entry| entry.what).collect();
    assert_eq!(kinds, [AccessKind::ExportStarted, AccessKind::ExportEnded].repeat(2));
    assert!(log.entries[0].who.starts_with("Đặng Thị Hoa (user id "), "{}", log.entries[0].who);
    let sha256 = Command::new("sha256sum").arg(stick.join(&names(&stick)[1])).output().unwrap();
    assert!(log.entries[3].detail.contains(&stdout(&sha256)[..64]), "{}", log.entries[3].detail);
    let shown = stdout(&wardwatch(&["log"], &directory));
    assert!(
        shown.contains("exported by Đặng Thị Hoa") && shown.contains("vụ 12/2026\u{fffd}\u{fffd}[2J"),
        "{shown}"
    );
    assert_eq!(shown.lines().count(), 4, "{shown}");
    assert_eq!(wardwatch(&["log", "--verify"], &directory).status.code(), Some(0));
    let path = directory.join("access.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    for left in [3, 0] {
        fs::write(&path, whole.split_inclusive('\n').take(left).collect::<String>()).unwrap();
        let cut = wardwatch(&["log", "--verify"], &directory);
        let said = format!("has {left} lines, and the index knows of 4");
        assert!(cut.status.code() == Some(3) && stderr(&cut).contains(&said), "{}", stderr(&cut));
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(wardwatch(&["log", "--verify"], &directory).status.code(), Some(3), "the log is gone");
    fs::write(&path, whole).unwrap();
    assert_eq!(wardwatch(&["log", "--verify"], &directory).status.code(), Some(0));
    fs::write(&path, fs::read_to_string(&path).unwrap().replacen("Hoa", "Lan", 1)).unwrap();
    let broken = wardwatch(&["log", "--verify"], &directory);
    assert_eq!(broken.status.code(), Some(3));
    assert!(stderr(&broken).contains("line 2 does not follow"), "{}", stderr(&broken));
}

#[test]
fn what_cannot_be_done_says_what_could_be() {
    let place = TempDir::new().unwrap();
    let directory = record(place.path(), [crate::support::sample::fragment("gate", 0, 1000)]);
    let stick = place.path().to_str().unwrap();
    let good = ["export", "--camera", "gate", "--from", "2026-05-02 05:14", "--to", "2026-05-02 05:15"];
    let output = ["--output", stick, "--reason", "a test"];
    let unknown = "019e0000-0000-7000-8000-000000000000";
    let changed = |at: usize, to: &'static str| {
        let mut args = [&good[..], &output[..]].concat();
        args[at] = to;
        args
    };
    for (args, code, expected) in [
        (changed(2, "yard"), 1, "has nothing of a camera \"yard\"; it has gate"),
        (changed(4, "tomorrow"), 1, "\"tomorrow\" is not a time; write "),
        (changed(4, "2026-05-02 05:16"), 1, "is not before --to"),
        (changed(8, "/nowhere/usb"), 1, "there is no folder /nowhere/usb; mount the stick"),
        (changed(10, " "), 2, "must say something"),
        (["export", unknown].iter().copied().chain(output).collect(), 1, "`wardwatch clips list` lists"),
        (["export", "0f"].iter().copied().chain(output).collect(), 1, "no alert begins with 0f"),
        (["export"].iter().copied().chain(output).collect(), 2, "required"),
        ([&good[..], &output[..2]].concat(), 2, "--reason"),
        // These fragments are made up: as footage, no player could read them.
        (changed(0, "export"), 1, "not exported: it is damaged"),
    ] {
        let done = wardwatch(&args, &directory);
        assert_eq!(done.status.code(), Some(code), "{args:?}: {}{}", stdout(&done), stderr(&done));
        assert!(stderr(&done).contains(expected), "{args:?}: {}", stderr(&done));
    }
    assert_eq!(access::read(&directory).unwrap().entries.len(), 2, "one export was begun, and failed");
    let when = ["export", "--camera", "gate", "--from", "02/05/2026 05:20", "--to", "02/05/2026 05:21"];
    let nothing = wardwatch(&[&when[..], &output[..]].concat(), &directory);
    let nearest = "the last footage of gate ends at 2026-05-02 05:14:05+07:00";
    assert!(nothing.status.code() == Some(1) && stderr(&nothing).contains(nearest), "{}", stderr(&nothing));
    let nothing = wardwatch(&["list"], place.path());
    assert!(stderr(&nothing).contains("there is no index.sqlite in it"), "{}", stderr(&nothing));
}

#[test]
fn exports_of_several_processes_are_all_in_an_unbroken_log() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 0, 320, 2) else { return };
    let directory = record(place.path(), (0..2).map(|number| footage.fragment(number)));
    let stick = place.path().join("stick");
    fs::create_dir(&stick).unwrap();
    let processes: Vec<_> = (0..6)
        .map(|_| {
            Command::new(env!("CARGO_BIN_EXE_wardwatch"))
                .args(["clips", "export", "--camera", "gate", "--from", "2026-05-01T22:14:00Z", "--to"])
                .args(["2026-05-01T22:15:00Z", "--reason", "a test", "--output"])
                .arg(&stick)
                .arg("--directory")
                .arg(&directory)
                .spawn()
                .unwrap()
        })
        .collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    access::verify(&directory).unwrap();
    assert_eq!(access::read(&directory).unwrap().entries.len(), 12);
    assert_eq!(names(&stick).len(), 6, "{:?}", names(&stick));
}
