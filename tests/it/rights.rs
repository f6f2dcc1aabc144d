//! Commands of the box by a user who may not read the store: a closed folder is not a missing store.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// A user without a name.
const STRANGER: &str = "54321";

#[test]
fn a_store_that_is_closed_to_a_user_is_not_called_missing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (store, program) = (place.path().join("store"), place.path().join("wardwatch"));
    fs::create_dir(&store).unwrap();
    fs::write(store.join("index.sqlite"), "").unwrap();
    fs::copy(env!("CARGO_BIN_EXE_wardwatch"), &program).unwrap();
    mode(place.path(), 0o755);
    mode(&store, 0o700);
    for command in [["clips", "list"], ["clips", "holds"], ["store", "check"]] {
        let mut stranger = Command::new("setpriv");
        stranger.args(["--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"]).arg(&program);
        let output = stranger.args(command).arg("--directory").arg(&store).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        for part in ["may not read", "index.sqlite", "belongs to root", "with sudo"] {
            assert!(said.contains(part), "{command:?}: {said}");
        }
    }
}
