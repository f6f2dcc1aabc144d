//! Sticks that fill up, and sticks that vanish.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base::clock::SystemClock;
use base::fragment::Codec;
use clipstore::Catalogue;
use clipstore::access::{self, AccessKind};
use clipstore::export::{ExportError, FAT32_FILE_BYTES_MAX, export};
use tempfile::TempDir;

use super::{PATIENCE, footage, names, order, record, secs};
use crate::store::SmallDisk;
use crate::support::wait_until;

/// Makes a store with 24 s of a camera. Returns its folder and the size of a file with them.
fn recorded(folder: &Path) -> Option<(PathBuf, u64)> {
    let footage = footage(folder, Codec::H264, 0, 1280, 12)?;
    let bytes = footage.fragments.iter().map(|fragment| fragment.len() as u64).sum();
    Some((record(folder, (0..12).map(|number| footage.fragment(number))), bytes))
}

#[test]
fn a_stick_that_is_too_small_is_not_begun_with() {
    let place = TempDir::new().unwrap();
    let Some((directory, bytes)) = recorded(place.path()) else { return };
    let Some(stick) = SmallDisk::mount(bytes / 2) else { return };
    let catalogue = Catalogue::open(&directory).unwrap();
    let order = order(stick.0.path(), secs(0), secs(24), FAT32_FILE_BYTES_MAX);
    let error = export(&catalogue, &order, &SystemClock, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, ExportError::NoRoom { .. }), "{error}");
    assert_eq!(access::read(&directory).unwrap().entries, []);
}

#[test]
fn a_stick_that_fills_up_midway_keeps_what_is_complete() {
    let place = TempDir::new().unwrap();
    let Some((directory, bytes)) = recorded(place.path()) else { return };
    let Some(stick) = SmallDisk::mount(bytes * 3) else { return };
    let catalogue = Catalogue::open(&directory).unwrap();
    // Two clips; the second finds that another file took the room.
    let mut order = order(stick.0.path(), secs(0), secs(24), FAT32_FILE_BYTES_MAX);
    order.clips.push(order.clips[0].clone());
    let ballast = stick.0.path().join("ballast");
    let mut taken = false;
    let exported = export(&catalogue, &order, &SystemClock, &mut |done, total| {
        if !taken && done * 2 > total {
            taken = true;
            let free = rustix::fs::statvfs(stick.0.path()).unwrap();
            let free = free.f_bavail * free.f_frsize;
            fs::write(&ballast, vec![0; (free - bytes / 2) as usize]).unwrap();
        }
    });
    let exported = exported.unwrap();
    let failed = exported.failed.as_deref().unwrap();
    assert!(failed.contains("No space left") && failed.contains("take a larger stick"), "{failed}");
    assert_eq!(exported.clips.iter().map(|clip| clip.files.len()).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(names(stick.0.path()), ["ballast", "gate_2026-05-01_22-14-03.mp4"], "no part is left");
    let kinds: Vec<_> = access::read(&directory).unwrap().entries.iter().map(|entry| entry.what).collect();
    assert_eq!(kinds, [AccessKind::ExportStarted, AccessKind::ExportEnded, AccessKind::ExportFailed]);
}

/// A stick of 64 MiB with ext4, behind a server that can be killed: its device answers with I/O errors then.
struct Stick {
    place: TempDir,
    server: Child,
    fuse: Child,
    device: String,
}

impl Stick {
    /// Makes the stick. `None`, and the reason on standard error, where this machine cannot do that.
    fn plug_in() -> Option<Self> {
        let place = TempDir::new().unwrap();
        let path = |name: &str| place.path().join(name);
        let skip =
            |what: &str| eprintln!("skipped: {what} (needs root, nbdkit, nbdfuse, loop devices, mkfs.ext4)");
        let mut nbdkit = Command::new("nbdkit");
        nbdkit.args(["--foreground", "--unix"]).arg(path("socket")).args(["memory", "64M"]);
        let Some(server) = spawn(&mut nbdkit) else {
            skip("no nbdkit");
            return None;
        };
        wait_until("the server listens", PATIENCE, || path("socket").exists());
        fs::write(path("disk"), b"").unwrap();
        let fuse = spawn(Command::new("nbdfuse").arg(path("disk")).arg("--unix").arg(path("socket")));
        let mut stick = Self { server, fuse: fuse?, device: String::new(), place };
        let disk = stick.place.path().join("disk");
        wait_until("the disk is there", PATIENCE, || {
            fs::metadata(&disk).is_ok_and(|disk| disk.len() > 0) || stick.fuse.try_wait().unwrap().is_some()
        });
        let mount = stick.place.path().join("mount");
        fs::create_dir(&mount).unwrap();
        stick.device =
            said(Command::new("losetup").args(["--find", "--show"]).arg(&disk)).unwrap_or_default();
        let made = said(Command::new("mkfs.ext4").arg("-q").arg(&stick.device)).is_some();
        if !made || said(Command::new("mount").arg(&stick.device).arg(&mount)).is_none() {
            skip("a disk behind a server cannot be mounted");
            return None;
        }
        Some(stick)
    }

    fn mount(&self) -> PathBuf {
        self.place.path().join("mount")
    }
}

impl Drop for Stick {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("--lazy").arg(self.mount()).stderr(Stdio::null()).status();
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).stderr(Stdio::null()).status();
        let disk = self.place.path().join("disk");
        let _ = Command::new("umount").arg("--lazy").arg(disk).stderr(Stdio::null()).status();
        let _ = self.fuse.kill();
        let _ = self.fuse.wait();
    }
}

fn spawn(command: &mut Command) -> Option<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}

/// Output of a command that succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_stick_that_is_pulled_out_midway_ends_the_export_with_a_word() {
    let place = TempDir::new().unwrap();
    let Some((directory, _)) = recorded(place.path()) else { return };
    let Some(mut stick) = Stick::plug_in() else { return };
    let catalogue = Catalogue::open(&directory).unwrap();
    let mut order = order(&stick.mount(), secs(0), secs(24), FAT32_FILE_BYTES_MAX);
    order.clips.push(order.clips[0].clone());
    let mut pulled = false;
    let exported = export(&catalogue, &order, &SystemClock, &mut |done, total| {
        if !pulled && done * 8 > total * 7 {
            pulled = true;
            stick.server.kill().unwrap();
            stick.server.wait().unwrap();
        }
    });
    let exported = exported.unwrap();
    let failed = exported.failed.as_deref().unwrap();
    assert!(failed.contains("still plugged in") || failed.contains("cannot be written"), "{failed}");
    assert_eq!(exported.clips.iter().map(|clip| clip.files.len()).collect::<Vec<_>>(), [1, 0]);
    let last = access::read(&directory).unwrap().entries.pop().unwrap();
    assert_eq!(last.what, AccessKind::ExportFailed);
}
