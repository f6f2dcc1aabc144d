//! Scripts of the packages, in other folders: the rest of a store after `apt purge` is evidence on hold and nothing else, and no
//! package is made without its list of licences.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

const SCRIPT: &str = include_str!("../../scripts/deb/wardwatch/postrm");
/// 2026-05-01T22:00:00Z.
const START: u64 = 1_777_672_800;

/// Makes a store with a file a minute, each written to until the next begins, and these holds. Returns its files after a purge.
fn purged(holds: &[Value]) -> BTreeSet<String> {
    let place = TempDir::new().unwrap();
    let state = place.path().join("state");
    let folder = state.join("clips/gate/2026-05-01/22");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(state.join("holds")).unwrap();
    for minute in 0..10 {
        let file = File::create(folder.join(format!("20260501T22{minute:02}00.000Z-1.mp4"))).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(START + 60 * (minute + 1))).unwrap();
    }
    fs::write(state.join("index.sqlite"), "").unwrap();
    for (number, hold) in holds.iter().enumerate() {
        let text = serde_json::to_string_pretty(hold).unwrap();
        fs::write(state.join(format!("holds/{number}.json")), text).unwrap();
    }
    let here = |path: &str| place.path().join(path).display().to_string();
    let script = SCRIPT
        .replace("/var/lib/wardwatch", &here("state"))
        .replace("/etc/", &here("etc/"))
        .replace("/run/systemd/system", "/nowhere")
        .replace("deb-systemd-helper", "no-such-program");
    assert!(!script.contains(" /etc") && !script.contains("/var/lib"), "{script}");
    assert!(Command::new("sh").args(["-c", &script, "postrm", "purge"]).status().unwrap().success());
    files(&state, &state)
}

fn files(folder: &Path, root: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path, root),
            false => BTreeSet::from([path.strip_prefix(root).unwrap().display().to_string()]),
        })
        .collect()
}

fn clip(minute: u32) -> String {
    format!("gate/2026-05-01/22/20260501T22{minute:02}00.000Z-1.mp4")
}

fn hold(from: &str, to: &str, paths: &[u32]) -> Value {
    let paths: Vec<String> = paths.iter().map(|minute| clip(*minute)).collect();
    json!({"schema": "wardwatch.hold/1", "id": "abcde", "camera": "gate", "from": from, "to": to, "paths": paths,
        "reason": "\"to\": [no]", "who": "somebody"})
}

/// Clips of these minutes, and this number of holds.
fn left(minutes: &[u32], holds: usize) -> BTreeSet<String> {
    let clips = minutes.iter().map(|minute| format!("clips/{}", clip(*minute)));
    clips.chain((0..holds).map(|number| format!("holds/{number}.json"))).collect()
}

#[test]
fn a_purge_leaves_what_is_held_and_nothing_else() {
    assert_eq!(purged(&[]), BTreeSet::new());
    let later = ("2026-05-01T22:05:20.120Z", "2026-05-01T22:06:10.500Z");
    // Held by name, independent of the time; held by time, independent of the names.
    assert_eq!(purged(&[hold(later.0, later.1, &[1, 3])]), left(&[1, 3, 5, 6], 1));
    assert_eq!(purged(&[hold(later.0, later.1, &[])]), left(&[5, 6], 1));
    let other = hold("2026-05-01T21:00:00Z", "2026-05-01T21:30:00Z", &[0]);
    assert_eq!(purged(&[hold(later.0, later.1, &[6]), other]), left(&[0, 5, 6], 2));
    // A hold that cannot be read holds everything.
    let all: Vec<u32> = (0..10).collect();
    for key in ["from", "to", "camera", "schema"] {
        let mut damaged = hold(later.0, later.1, &[1]);
        damaged[key] = Value::Null;
        assert_eq!(purged(&[damaged]), left(&all, 1), "{key}");
    }
}

/// A tool that fails stands for a registry that lacks a crate.
#[test]
fn a_package_without_its_list_of_licences_is_not_made() {
    let place = TempDir::new().unwrap();
    let program = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("programs/wardwatch", "#!/bin/sh\n");
    program("programs/wardpost", "#!/bin/sh\n");
    let path = format!("{}:{}", place.path().join("tools").display(), std::env::var("PATH").unwrap());
    for (cargo, reason) in [
        ("#!/bin/sh\nexit 101\n", "cargo tree failed"),
        ("#!/bin/sh\n", "named no crate"),
        ("#!/bin/sh\necho 'odd v1.0.0 '\n", "name no licence: odd v1.0.0"),
    ] {
        program("tools/cargo", cargo);
        let mut build = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/deb/build"));
        build.arg("amd64").arg(place.path().join("programs")).env("PATH", &path);
        let output = build.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(reason), "{said}");
        let made = files(&place.path().join("programs"), &place.path().join("programs"));
        assert_eq!(made.len(), 2, "{made:?}");
    }
}
