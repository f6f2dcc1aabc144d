//! Free space of the store's disk, and the part of the headroom that is missing.
//!
//! Deletes nothing: the space manager asks it before each fragment.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::settings::Settings;

/// Part of the headroom that is freed beyond it: one part in so many.
const HEADROOM_SLACK: u64 = 16;
/// Wait after a deletion: some file systems report the freed space only after a while.
const HEADROOM_WAIT: Duration = Duration::from_secs(5);

/// Space that a disk has left for ordinary users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Free {
    pub bytes: u64,
    /// [`u64::MAX`] where the file system does not count them.
    pub inodes: u64,
}

impl Free {
    fn of(folder: &Path) -> io::Result<Self> {
        let disk = rustix::fs::statvfs(folder)?;
        let inodes = if disk.f_files == 0 { u64::MAX } else { disk.f_favail };
        Ok(Self { bytes: disk.f_bavail.saturating_mul(disk.f_frsize), inodes })
    }
}

/// Reads the free space and compares it with the headroom.
#[derive(Debug)]
pub(super) struct DiskProbe {
    directory: PathBuf,
    /// Minimum time between two readings.
    interval: Duration,
    bytes_min: u64,
    inodes_min: u64,
    free: Option<Free>,
    read_at: Option<Instant>,
    /// Nothing counts as missing before this instant.
    waits_until: Option<Instant>,
}

impl DiskProbe {
    /// A probe of the disk with the store's folder; it has read nothing yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            directory: settings.directory.clone(),
            interval: settings.sync_interval,
            bytes_min: settings.free_bytes_min,
            inodes_min: settings.free_inodes_min,
            free: None,
            read_at: None,
            waits_until: None,
        }
    }

    /// Reads the free space, at most once per sync interval. Returns true if it did.
    pub fn refresh(&mut self) -> bool {
        if self.read_at.is_some_and(|at| at.elapsed() < self.interval) {
            return false;
        }
        self.read_now();
        true
    }

    /// Reads the free space. After a failure it is unknown: writing fails too, and reports the reason.
    pub fn read_now(&mut self) {
        self.read_at = Some(Instant::now());
        self.free = Free::of(&self.directory).ok();
    }

    /// Space that was free at the last reading; `None` where the disk does not report it.
    pub fn free(&self) -> Option<Free> {
        self.free
    }

    /// Gives the file system time to report the space of files that are being deleted.
    pub fn wait_for_deletions(&mut self) {
        self.waits_until = Some(Instant::now() + HEADROOM_WAIT);
    }

    /// Bytes and inodes to free for the headroom.
    pub fn missing(&self) -> (u64, u64) {
        let Some(free) = self.free else { return (0, 0) };
        if self.waits_until.is_some_and(|until| Instant::now() < until) {
            return (0, 0);
        }
        (missing(free.bytes, self.bytes_min), missing(free.inodes, self.inodes_min))
    }
}

fn missing(free: u64, min: u64) -> u64 {
    if free < min { min + min / HEADROOM_SLACK - free } else { 0 }
}
