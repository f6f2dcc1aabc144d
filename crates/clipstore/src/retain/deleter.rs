//! Deletion of segment files, with pauses after failures.
//!
//! Chooses nothing: the space manager says which segment is next, and has the lock of the holds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::retention::Reason;
use super::segment_list::SegmentList;
use crate::error::StoreError;
use crate::logged_once::Fault;
use crate::recover::directory_scan::prune_folders;
use base::time::WallTime;

/// Number of failed deletions in a row that points to another cause than those files.
const FAILURES_MAX: u32 = 16;
/// Time without deletions after that.
const PAUSE: Duration = Duration::from_secs(60);

/// Deletes files and remembers which.
pub(super) struct Deleter {
    clips: PathBuf,
    fault: Fault,
    failures: u32,
    paused_until: Option<Instant>,
    /// Segments whose deletion was not reported yet.
    deleted: Vec<i64>,
    /// Number of segments deleted since the start.
    count: u64,
    /// Latest end of a segment that was deleted for lack of room.
    removed_until: Option<WallTime>,
}

impl Deleter {
    pub fn new(clips: PathBuf) -> Self {
        Self {
            clips,
            fault: Fault::new("clip files cannot be deleted"),
            failures: 0,
            paused_until: None,
            deleted: Vec::new(),
            count: 0,
            removed_until: None,
        }
    }

    /// Deletes the file of a segment. Returns its bytes; `None` if there is no such segment, or the disk refuses.
    pub fn delete(&mut self, list: &mut SegmentList, id: i64, reason: Reason) -> Option<u64> {
        let (segment, path) = list.get(id)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.failed(list, id, &path, error);
                return None;
            }
            _ => {}
        }
        tracing::debug!("segment {} deleted: {reason:?}", path.display());
        self.failures = 0;
        self.fault.note(None);
        prune_folders(&self.clips, &path);
        list.remove(id);
        self.deleted.push(id);
        self.count += 1;
        if reason != Reason::Age {
            self.removed_until = self.removed_until.max(Some(segment.ends_at));
        }
        Some(segment.bytes)
    }

    fn failed(&mut self, list: &mut SegmentList, id: i64, path: &Path, error: io::Error) {
        let read_only = error.kind() == io::ErrorKind::ReadOnlyFilesystem;
        self.fault.note(Some(&StoreError::clip("delete", path)(error)));
        self.failures += 1;
        if !read_only {
            list.stick(id);
        }
        if read_only || self.failures >= FAILURES_MAX {
            self.failures = 0;
            self.pause(PAUSE);
        }
    }

    /// Deletes nothing for a while.
    pub fn pause(&mut self, span: Duration) {
        self.paused_until = Some(Instant::now() + span);
    }

    pub fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| Instant::now() < until)
    }

    /// Ids of the segments deleted since the last call.
    pub fn take_deleted(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.deleted)
    }

    /// Number of segments deleted since the start.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Latest end of a segment that was deleted for lack of room since the start.
    pub fn removed_until(&self) -> Option<WallTime> {
        self.removed_until
    }

    /// Reason why files cannot be deleted, for a person.
    pub fn reason(&self) -> Option<String> {
        self.fault.reason.clone()
    }
}
