//! Officers who may not read the database: the service of the group answers them, and logs which user has looked.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use wardpost::Storage;

use super::station::{LONG, Station, alert, numbers, send};
use super::{broker, wait_until};
use crate::support::wardpost_program;

/// A user and a group without a name.
const OFFICER: &str = "54321";
const READERS: &str = "54322";

/// The socket of the group, with a process for each connection as systemd starts it.
fn listen(station: &Station, socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    assert!(Command::new("chgrp").arg(READERS).arg(socket).status().unwrap().success());
    fs::set_permissions(socket, fs::Permissions::from_mode(0o660)).unwrap();
    let database = station.database();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut answer = Command::new(wardpost_program());
            answer.args(["answer", "--database"]).arg(&database);
            let process = answer.stdin(OwnedFd::from(connection.unwrap())).spawn();
            std::thread::spawn(move || process.unwrap().wait());
        }
    });
}

/// `wardpost COMMAND` as the officer, with these groups. The program is in a folder that everybody may enter.
fn as_officer(station: &Station, folder: &Path, groups: &str, command: &[&str]) -> Command {
    let mut line = Command::new("setpriv");
    line.args(["--reuid", OFFICER, "--regid", OFFICER]);
    match groups {
        "" => line.arg("--clear-groups"),
        groups => line.args(["--groups", groups]),
    };
    line.arg(folder.join("wardpost")).args(command).arg("--database").arg(station.database());
    line.arg("--socket").arg(folder.join("read.sock")).env("LANG", "en_US.UTF-8").env_remove("LC_ALL");
    line
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// A folder that everybody may enter, with the program.
fn public_folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::copy(wardpost_program(), folder.path().join("wardpost")).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

#[test]
fn an_officer_of_the_group_sees_alerts_without_rights_on_the_database_and_each_look_is_logged() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let broker = broker();
    let station = Station::start(&broker, &[]);
    let sent = alert("box-1", 1, 1);
    send(&broker, std::slice::from_ref(&sent));
    station.wait_for_stored(1);
    fs::set_permissions(station.place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (_kept, folder) = public_folder();
    listen(&station, &folder.join("read.sock"));

    // Without the group: the file, its owner, the group and the command are named.
    let denied = as_officer(&station, &folder, "", &["list"]).output().unwrap();
    let text = said(&denied);
    assert_eq!(denied.status.code(), Some(1), "{text}");
    assert!(text.contains("post.sqlite") && text.contains("belongs to root"), "{text}");
    assert!(text.contains(&format!("usermod -aG wardpost-readers {OFFICER}")), "{text}");

    let run = |command: &[&str]| as_officer(&station, &folder, READERS, command).output().unwrap();
    let id = sent.id.to_string();
    let listed = run(&["list"]);
    assert!(listed.status.success() && said(&listed).contains(&id), "{}", said(&listed));
    assert!(said(&run(&["status"])).contains("box-1"));
    assert_eq!(
        run(&["show", "0190f5c4-7a68-7000-8000-000000000001"]).status.code(),
        Some(1),
        "its exit code"
    );

    // The picture's file is the officer's; the log names the user.
    let picture = folder.join("picture.jpg");
    let shown = run(&["show", &id, "--thumbnail", picture.to_str().unwrap()]);
    assert!(shown.status.success(), "{}", said(&shown));
    assert_eq!(Some(fs::read(&picture).unwrap()), sent.thumbnail.clone().map(|thumbnail| thumbnail.0));
    let looks = Storage::open_beside(&station.database()).unwrap().accesses().unwrap();
    assert_eq!(looks.len(), 1, "{looks:?}");
    assert!(looks[0].who.contains(&format!("(user id {OFFICER})")), "{looks:?}");

    // Nothing else is run for an officer, and no other file is read or written.
    for (command, reason) in [
        (&["tail", "--thumbnails", "/tmp/x"][..], "--inline"),
        (&["list", "--config", "/etc/shadow"], "/etc/shadow"),
    ] {
        let refused = run(command);
        assert!(!refused.status.success() && said(&refused).contains(reason), "{}", said(&refused));
    }
    let mut settle = Command::new("setpriv");
    settle.args(["--reuid", OFFICER, "--regid", OFFICER, "--groups", READERS]).arg(folder.join("wardpost"));
    settle.args(["settle", "box-1", "0190f5c4-7a68-7000-8000-000000000001", "--why", "no", "--database"]);
    let refused = settle.arg(station.database()).output().unwrap();
    assert!(said(&refused).contains("sudo -u root wardpost"), "{}", said(&refused));
}

#[test]
fn a_tail_for_an_officer_ends_with_the_officers_command() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let broker = broker();
    let station = Station::start(&broker, &[]);
    send(&broker, &numbers("box-1", 1, 1..=2));
    station.wait_for_stored(2);
    fs::set_permissions(station.place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (_kept, folder) = public_folder();
    listen(&station, &folder.join("read.sock"));
    let log = folder.join("tail");
    let output = fs::File::create(&log).unwrap();
    let mut tail =
        as_officer(&station, &folder, READERS, &["tail"]).stdout(Stdio::from(output)).spawn().unwrap();
    let lines = || fs::read_to_string(&log).unwrap().lines().count();
    wait_until("both are shown", LONG, || lines() == 2);
    send(&broker, &numbers("box-1", 1, 3..=3));
    wait_until("one that comes is shown", LONG, || lines() == 3);
    tail.kill().unwrap();
    tail.wait().unwrap();
    let database = station.database().display().to_string();
    wait_until("nobody reads for the officer any more", LONG, || {
        let all = Command::new("ps").args(["-eo", "args"]).output().unwrap();
        let all = String::from_utf8_lossy(&all.stdout).into_owned();
        !all.lines().any(|line| line.contains("tail") && line.contains(&database))
    });
}
