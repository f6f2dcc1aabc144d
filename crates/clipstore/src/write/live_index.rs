//! The writer's index: one that turns out damaged is built again, and the readers follow.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StoreError;
use crate::index::{CorrectedTimes, Index, KnownSegment, PinRow};
use crate::logged_once::Fault;
use crate::read::catalogue::Catalogue;
use crate::recover::rebuild::{self, Opened};
use crate::recover::reconcile::ScanMode;
use crate::recover::reconciled::Reconciled;
use base::fault::chain;
use base::time::{ClockState, Stamp};

/// The index while the daemon runs.
pub(super) struct LiveIndex {
    /// `None` while a damaged index cannot be built again.
    index: Option<Index>,
    /// Its files, as they were when it was opened.
    files: IndexFiles,
    /// Reads the same index, and is reopened when another one replaces it.
    catalogue: Arc<Catalogue>,
    directory: PathBuf,
    boot_id: String,
    /// Footage of this boot may have been recorded before the clock was synced.
    times_in_doubt: bool,
    pub fault: Fault,
}

/// Content of an index that was built again.
pub(super) struct Rebuilt {
    /// Id of the next segment.
    pub next_id: i64,
    /// Segments, oldest first. All have ended.
    pub known: Vec<KnownSegment>,
    /// Footage that alerts pin.
    pub pins: Vec<PinRow>,
    /// Found and repaired faults.
    pub reconciled: Reconciled,
}

impl LiveIndex {
    /// The open `index` of the store in `directory`, which `catalogue` reads.
    pub fn new(index: Index, catalogue: Arc<Catalogue>, directory: PathBuf, boot_id: String) -> Self {
        Self {
            index: Some(index),
            files: IndexFiles::at(&directory),
            catalogue,
            directory,
            boot_id,
            times_in_doubt: true,
            fault: Fault::new("the index cannot be written"),
        }
    }

    /// Returns true while a damaged index cannot be built again.
    pub fn is_lost(&self) -> bool {
        self.index.is_none()
    }

    /// Changes the index as it is.
    pub fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let index = self.index.as_mut().ok_or(StoreError::IndexLost)?;
        if IndexFiles::at(&self.directory) != self.files {
            return Err(StoreError::IndexReplaced { path: crate::index_path(&self.directory) });
        }
        change(index)
    }

    /// Builds the index again from the clip files, which the caller has synced and ended. One whose files somebody has removed
    /// is written out again first: the open one still has all alerts.
    pub fn rebuild(&mut self) -> Result<Rebuilt, StoreError> {
        let index = self.index.take();
        let is_replaced = IndexFiles::at(&self.directory) != self.files;
        let saved = index.filter(|_| is_replaced).map(|index| rebuild::put_back(&self.directory, &index));
        let opened = match saved {
            Some(Ok(())) => rebuild::open(&self.directory, &self.boot_id, ScanMode::NotEnded)?,
            _ => rebuild::rebuild(&self.directory, &self.boot_id, ScanMode::NotEnded)?,
        };
        self.files = IndexFiles::at(&self.directory);
        let Opened { index, known, pins, reconciled } = opened;
        match is_replaced {
            true => tracing::error!("the index was removed by somebody, and written again: {reconciled}"),
            false => tracing::error!("index damaged, and built again from the clip files: {reconciled}"),
        }
        let next_id = index.next_segment_id()?;
        self.index = Some(index);
        self.times_in_doubt = true;
        Ok(Rebuilt { next_id, known, pins, reconciled })
    }

    /// Has the readers read the index that took the place of the damaged one.
    pub fn reopen_readers(&self) -> Result<(), StoreError> {
        self.catalogue.reopen()
    }

    /// Returns true if the waiting alerts have more than `bytes_max`, and pictures to take out.
    pub fn must_shed(&self, bytes_max: u64) -> bool {
        self.index.as_ref().is_some_and(|index| index.must_shed(bytes_max))
    }

    /// Notes the clock of footage that is being recorded.
    pub fn recorded_at(&mut self, at: Stamp) {
        self.times_in_doubt |= at.clock != ClockState::Synced;
    }

    /// Returns true if `now` can correct times that were recorded in this boot.
    pub fn may_correct(&self, now: Stamp) -> bool {
        self.times_in_doubt && now.clock == ClockState::Synced
    }

    /// Notes that all times of this boot are correct; `segments` were corrected.
    pub fn corrected(&mut self, segments: &[CorrectedTimes]) {
        self.times_in_doubt = false;
        if !segments.is_empty() {
            tracing::info!("clock synchronised: the times of {} segments were corrected", segments.len());
        }
    }

    /// Boot whose times [`LiveIndex::may_correct`] is about.
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// Brings everything into the one file, before the store closes. What stays in the log is found there at the next start.
    pub fn checkpoint(&self) {
        if let Some(Err(error)) = self.index.as_ref().map(Index::checkpoint) {
            tracing::debug!("{}", chain(&error));
        }
    }
}

/// Device and inode of an index's files; `None` for one that is not there. While the index is open, all of them stay.
#[derive(Debug, PartialEq, Eq)]
struct IndexFiles([Option<(u64, u64)>; 3]);

impl IndexFiles {
    fn at(directory: &Path) -> Self {
        Self(rebuild::parts(&crate::index_path(directory)).map(|part| {
            let metadata = fs::metadata(part).ok()?;
            Some((metadata.dev(), metadata.ino()))
        }))
    }
}
