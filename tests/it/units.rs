//! The units in systemd/: systemd understands every line of them, and their exposure stays within its bound.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const UNITS: &[&str] = &["wardwatch", "wardpost", "wardpost-read@"];
/// Ten times the exposure that `systemd-analyze security` may find.
const EXPOSURE_MAX: &str = "15";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// Makes a folder with both units; their programs are those of this build.
fn units() -> TempDir {
    let place = TempDir::new().unwrap();
    for name in UNITS {
        let program = if *name == "wardwatch" { "wardwatch" } else { "wardpost" };
        let path = Path::new(env!("CARGO_BIN_EXE_wardwatch")).with_file_name(program);
        let unit = fs::read_to_string(folder().join(format!("{name}.service"))).unwrap();
        let here = unit.replace(&format!("/usr/bin/{program} "), &format!("{} ", path.display()));
        assert_ne!(here, unit, "{name} is started from /usr/bin");
        fs::write(place.path().join(format!("{name}.service")), here).unwrap();
    }
    fs::copy(folder().join("wardpost-read.socket"), place.path().join("wardpost-read.socket")).unwrap();
    place
}

/// Returns success and both outputs of systemd-analyze, or `None` where there is none.
fn analyze(place: &Path, arguments: &[&str], unit: &str) -> Option<(bool, String, String)> {
    let mut command = Command::new("systemd-analyze");
    let output = match command.args(arguments).arg(place.join(format!("{unit}.service"))).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no systemd-analyze here");
            return None;
        }
        output => output.unwrap(),
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some((output.status.success(), text(output.stdout), text(output.stderr)))
}

/// Returns systemd's complaints; it succeeds all the same with a key that it does not know.
fn complaints(place: &Path, unit: &str) -> Option<String> {
    analyze(place, &["verify", "--man=no"], unit).map(|(_, _, complaints)| complaints)
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    let place = units();
    for unit in UNITS {
        let Some(complaints) = complaints(place.path(), unit) else { return };
        assert_eq!(complaints, "", "{unit}");
    }
    let socket = place.path().join("wardpost-read.socket");
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(socket).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let path = place.path().join("wardwatch.service");
    let misspelt = fs::read_to_string(&path).unwrap().replace("WatchdogSec=", "WatchDogSec=");
    fs::write(&path, misspelt).unwrap();
    assert!(complaints(place.path(), "wardwatch").unwrap().contains("WatchDogSec"));
}

#[test]
fn systemd_understands_every_line_of_the_examples() {
    let mut tried = 0;
    for example in fs::read_dir(folder().join("examples")).unwrap() {
        let example = example.unwrap().path();
        let place = units();
        let drop_ins = place.path().join("wardwatch.service.d");
        fs::create_dir(&drop_ins).unwrap();
        let copy = drop_ins.join(example.file_name().unwrap());
        fs::copy(&example, &copy).unwrap();
        let Some(found) = complaints(place.path(), "wardwatch") else { return };
        assert_eq!(found, "", "{}", example.display());
        // The example is read at all.
        fs::write(&copy, fs::read_to_string(&copy).unwrap() + "\nNoSuchKey=1\n").unwrap();
        assert!(complaints(place.path(), "wardwatch").unwrap().contains("NoSuchKey"));
        tried += 1;
    }
    assert!(tried > 1, "{tried} examples");
}

#[test]
fn what_the_units_leave_open_stays_within_its_bound() {
    let place = units();
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let security = ["security", "--offline=true", "--no-pager", &threshold];
    for unit in UNITS {
        let Some((is_within, found, _)) = analyze(place.path(), &security, unit) else { return };
        let overall = found.lines().find_map(|line| line.split_once("level for ")).map(|(_, rest)| rest);
        eprintln!("figure: units: exposure: {}", overall.unwrap_or_default());
        assert!(is_within && overall.is_some(), "{found}");
    }
    let path = place.path().join("wardpost.service");
    let unit = fs::read_to_string(&path).unwrap();
    let open: Vec<_> = unit.lines().filter(|line| !line.starts_with("SystemCallFilter=")).collect();
    fs::write(&path, open.join("\n")).unwrap();
    let (is_within, found, _) = analyze(place.path(), &security, "wardpost").unwrap();
    assert!(!is_within, "{found}");
}
