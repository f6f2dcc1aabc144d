//! Makes index and clip files agree, when the store opens and when it is repaired.
//!
//! Footage counts more than its rows: whole fragments in a file are indexed, and only bytes that cannot be played are cut off.
//!
//! - a row without a file: the row is removed;
//! - a file without a row, or longer than its row says: its whole fragments are indexed, torn bytes behind them are
//!   cut off; without one whole fragment it is removed;
//! - a file shorter than its row says (a disk that lost synced bytes): the rows beyond its end are removed;
//! - another file in the place of the row's own: the row is removed, and the file treated as one without a row;
//! - a file that cannot be read, or not copied on a full disk: left to the next start;
//! - a file that is not the store's, or in which no fragment is as it was written: quarantined in `aside/`, never removed.
//!
//! A segment that had ended was on the disk before its row said so: its file is not checked when the store opens, so
//! that a full disk of them does not hold up the start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reconciled::Reconciled;
use crate::error::StoreError;
use crate::index::{Batch, FragmentRow, Index, KnownSegment, SegmentRow};
use crate::owner;
use crate::recover::directory_scan;
use crate::recover::identity::{Identity, identify};
use crate::write::container::{self, Found, Start, Walk};

/// The newest files without rows, so many bytes of them, are checked against their sha256 before they are indexed: a
/// power cut cannot have torn more than that in their middle. All others are believed, until `store check --deep`.
const VERIFIED_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Maximum footage at a file's end that a power cut can tear: some sync intervals.
const TORN_MAX: Duration = Duration::from_secs(5);
/// Number of fragment rows after which a transaction is committed.
const BATCH_FRAGMENTS: usize = 4096;
/// Maximum id. Higher ones are not the store's: they would leave none for those that follow.
const ID_MAX: i64 = 1 << 48;

/// Files that are checked for their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanMode {
    /// Those that had not ended: a crash can have changed them.
    NotEnded,
    /// All of them.
    All,
}

/// Makes `clips/` in `directory` and `index` agree. Returns its repairs with the present segments, oldest first; nothing
/// is appended to any of them.
///
/// Errors are those of the index, but for a full disk: a file whose rows do not fit is left for the next start.
pub(crate) fn reconcile(
    index: &mut Index,
    directory: &Path,
    mode: ScanMode,
) -> Result<(Reconciled, Vec<KnownSegment>), StoreError> {
    let clips = crate::clips_path(directory);
    let known = index.segments()?;
    let difference = directory_scan::compare(&clips, &known)?;
    let mut reconciler = Reconciler {
        index,
        aside: directory.join("aside"),
        clips,
        unknown: difference.unknown,
        batch: Batch::default(),
        unfinished: Vec::new(),
        has_changed: false,
        done: Reconciled::default(),
    };
    for (folder, error) in difference.unread {
        let error = StoreError::clip("read the folder", &reconciler.clips.join(folder))(error);
        reconciler.done.failed(&error);
    }
    let mut known = reconciler.forget_missing(known, &difference.missing);
    reconciler.repair_known(&mut known, mode)?;
    reconciler.commit()?;
    let next_id = known.last().map_or(1, |last| last.id + 1);
    reconciler.index_unknown(&known, next_id)?;
    reconciler.end_all()?;
    reconciler.correct_times()?;
    if reconciler.has_changed {
        known = reconciler.index.segments()?;
    }
    known.iter_mut().for_each(|segment| segment.ended = true);
    Ok((reconciler.done, known))
}

struct Reconciler<'a> {
    index: &'a mut Index,
    clips: PathBuf,
    aside: PathBuf,
    /// Files without rows, below `clips`.
    unknown: Vec<PathBuf>,
    batch: Batch,
    /// Segments that are not marked as ended: the next start checks their files again.
    unfinished: Vec<i64>,
    /// True if rows came, or were changed.
    has_changed: bool,
    done: Reconciled,
}

/// A file without a row that has a header of ours.
struct Candidate {
    id: i64,
    length: u64,
    path: PathBuf,
}

impl Reconciler<'_> {
    /// Removes the rows of segments without a file.
    fn forget_missing(&mut self, known: Vec<KnownSegment>, missing: &[usize]) -> Vec<KnownSegment> {
        let mut missing = missing.iter().copied().peekable();
        let mut present = Vec::with_capacity(known.len());
        for (place, segment) in known.into_iter().enumerate() {
            // The scan does not see a file behind a link.
            let is_missing = missing.next_if_eq(&place).is_some()
                && !self.clips.join(&segment.path).try_exists().unwrap_or(true);
            if is_missing {
                self.done.removed_rows += 1;
                self.batch.removed.push(segment.id);
            } else {
                present.push(segment);
            }
        }
        present
    }

    fn repair_known(&mut self, known: &mut Vec<KnownSegment>, mode: ScanMode) -> Result<(), StoreError> {
        for segment in known.iter_mut().filter(|segment| mode == ScanMode::All || !segment.ended) {
            match self.repair_segment(segment) {
                Ok(()) => {}
                Err(error) if matches!(error, StoreError::Clip { .. }) || error.is_disk_full() => {
                    self.done.failed(&error);
                    self.unfinished.push(segment.id);
                }
                Err(error) => return Err(error),
            }
        }
        known.retain(|segment| segment.bytes > 0);
        Ok(())
    }

    /// Makes one segment's file and row agree; its `bytes` are 0 if its row was removed.
    fn repair_segment(&mut self, segment: &mut KnownSegment) -> Result<(), StoreError> {
        let path = self.clips.join(&segment.path);
        let length = fs::metadata(&path).map_err(StoreError::clip("read the length of", &path))?.len();
        if self.detach_other_file(segment, &path, length)? {
            return Ok(());
        }
        if length < segment.bytes {
            self.done.shortened_segments += 1;
            self.has_changed = true;
            segment.bytes = self.index.shorten(segment.id, length)?;
            if segment.bytes == 0 {
                self.unknown.push(segment.path.clone());
                return Ok(());
            }
        }
        if length > segment.bytes {
            self.index_tail(segment, &path)?;
        }
        Ok(())
    }

    /// Removes a row whose place another file has taken, and returns true if it did. The footage of the row is lost; the file
    /// is indexed as the one that it is, or quarantined.
    fn detach_other_file(
        &mut self,
        segment: &mut KnownSegment,
        path: &Path,
        length: u64,
    ) -> Result<bool, StoreError> {
        let Some(origin) = self.index.origin(segment.id)? else { return Ok(false) };
        let indexed = self.index.fragments(segment.id)?;
        let read = || {
            let file = File::open(path)?;
            let mut walk = Walk::new(&file, 0)?;
            let has_footage = walk.start().is_ok() && walk.next()?.is_some();
            Ok((identify(&file, &origin, &indexed)?, has_footage))
        };
        let (identity, has_footage) = read().map_err(StoreError::clip("read", path))?;
        let has_footage_of_row = indexed.iter().any(|row| row.offset_bytes + row.bytes <= length);
        let difference = match identity {
            Identity::Own => return Ok(false),
            // Nothing is to be cut, or there is nothing that could prove it.
            Identity::Unproven
                if length == segment.bytes || (length < segment.bytes && !has_footage_of_row) =>
            {
                return Ok(false);
            }
            Identity::Unproven => "the file is not the one that the index describes".to_owned(),
            Identity::Other(difference) => difference,
        };
        tracing::warn!(
            "{}: {difference}; the row of the lost footage is removed, and this file is kept",
            path.display()
        );
        self.done.removed_rows += 1;
        self.has_changed = true;
        segment.bytes = self.index.shorten(segment.id, 0)?;
        match has_footage {
            true => self.unknown.push(segment.path.clone()),
            false => self.quarantine(&segment.path)?,
        }
        Ok(true)
    }

    /// Indexes the whole fragments behind the last one that has a row, and cuts off torn bytes behind them.
    fn index_tail(&mut self, segment: &mut KnownSegment, path: &Path) -> Result<(), StoreError> {
        let failed = |doing| StoreError::clip(doing, path);
        let file = owner::open(OpenOptions::new().read(true).write(true), path).map_err(failed("open"))?;
        let mut found = Walk::new(&file, segment.bytes)
            .and_then(|mut walk| fragments(&mut walk))
            .map_err(failed("read"))?;
        let walked = found.last().map_or(segment.bytes, |last| last.end_bytes);
        if !found.is_empty() {
            let indexed = self.index.fragments(segment.id)?;
            let ends = indexed.iter().map(|row| (row.offset_bytes + row.bytes, row.sha256));
            let verified =
                container::count_verified(&file, ends.chain(ends_of(&found))).map_err(failed("read"))?;
            leave_torn(path, &mut found, verified.checked_sub(indexed.len()));
        }
        let end = found.last().map_or(segment.bytes, |last| last.end_bytes);
        // Whole, but perhaps never synced: bytes before rows.
        file.sync_data().map_err(failed("sync"))?;
        if !self.cut(&file, &segment.path, walked, end)? {
            self.unfinished.push(segment.id);
        }
        if !found.is_empty() {
            self.done.indexed_files += 1;
            self.done.indexed_fragments += found.len() as u64;
            self.batch.fragments.extend(found.iter().map(|found| FragmentRow::read_back(segment.id, found)));
        }
        segment.bytes = end;
        Ok(())
    }

    /// Cuts the file at `path` below `clips` back to `end`. Whole fragments ended at `walked`; where there is another one
    /// behind damaged bytes, the file is copied to `aside/` first. Returns false if it cannot be copied, as on a full
    /// disk: then no byte is cut.
    fn cut(&mut self, file: &File, path: &Path, walked: u64, end: u64) -> Result<bool, StoreError> {
        let absolute = self.clips.join(path);
        let failed = |doing| StoreError::clip(doing, &absolute);
        let length = file.metadata().map_err(failed("read the length of"))?.len();
        if length <= end {
            return Ok(true);
        }
        let has_more = container::has_trailer_behind(file, walked).map_err(failed("read"))?;
        if let Err(error) = if has_more { self.copy_aside(&absolute, path) } else { Ok(()) } {
            self.done.failed(&error);
            return Ok(false);
        }
        file.set_len(end).and_then(|()| file.sync_all()).map_err(failed("cut back"))?;
        self.done.cut_files += 1;
        self.done.cut_bytes += length - end;
        Ok(true)
    }

    /// Copies a file to `aside/`, and syncs it there.
    fn copy_aside(&mut self, from: &Path, path: &Path) -> Result<(), StoreError> {
        let to = self.free_place_in_aside(path)?;
        let copy = || {
            fs::copy(from, &to)?;
            sync_with_folders(&File::open(&to)?, &to, &self.aside)
        };
        if let Err(error) = copy() {
            // Half a copy is of no use.
            let _ = fs::remove_file(&to);
            return Err(StoreError::clip("copy to aside/ the damaged file", from)(error));
        }
        tracing::warn!(
            "{}: the footage behind damaged bytes cannot be indexed; the file was copied to {}",
            from.display(),
            to.display()
        );
        self.done.quarantined_files += 1;
        Ok(())
    }

    /// Indexes the files without rows again, each with the id that it had, so that retention knows their age.
    fn index_unknown(&mut self, known: &[KnownSegment], next_id: i64) -> Result<(), StoreError> {
        let mut candidates = Vec::new();
        for path in std::mem::take(&mut self.unknown) {
            match self.classify(path) {
                Ok(candidate) => candidates.extend(candidate),
                Err(error) => self.done.failed(&error),
            }
        }
        candidates.sort_by(|a, b| (a.id, &a.path).cmp(&(b.id, &b.path)));
        give_free_ids(&mut candidates, known, next_id);

        let mut unverified: u64 = candidates.iter().map(|candidate| candidate.length).sum();
        for candidate in candidates {
            let is_fresh = unverified <= VERIFIED_BYTES_MAX;
            unverified -= candidate.length;
            if let Err(error) = self.read_back(&candidate, is_fresh) {
                self.done.failed(&error);
            }
            if self.batch.fragments.len() >= BATCH_FRAGMENTS {
                self.commit()?;
            }
        }
        self.commit()
    }

    /// Checks the start of a file without a row. A file that is not to be indexed is removed, or quarantined.
    fn classify(&mut self, path: PathBuf) -> Result<Option<Candidate>, StoreError> {
        let absolute = self.clips.join(&path);
        let read = || {
            let file = File::open(&absolute)?;
            let mut walk = Walk::new(&file, 0)?;
            let start = walk.start()?;
            let is_torn = start == Start::Nothing
                && directory_scan::is_segment_name(&path)
                && container::is_torn_start(&file)?;
            let is_torn = is_torn && !container::has_trailer_behind(&file, 0)?;
            Ok((start, walk.length(), is_torn))
        };
        match read().map_err(StoreError::clip("read", &absolute))? {
            (Start::Ours { header, .. }, length, _) if path.to_str().is_some() => {
                return Ok(Some(Candidate { id: header.id, length, path }));
            }
            (_, _, true) => self.remove(&absolute)?,
            _ => self.quarantine(&path)?,
        }
        Ok(None)
    }

    /// Reads the rows of a file out of it. A `fresh` one is checked against its sha256, and synced.
    fn read_back(&mut self, candidate: &Candidate, fresh: bool) -> Result<(), StoreError> {
        let path = self.clips.join(&candidate.path);
        let failed = |doing| StoreError::clip(doing, &path);
        let file = owner::open(OpenOptions::new().read(true).write(true), &path).map_err(failed("open"))?;
        let read = || {
            let mut walk = Walk::new(&file, 0)?;
            Ok((walk.start()?, fragments(&mut walk)?))
        };
        let (start, mut found) = read().map_err(failed("read"))?;
        let Some(walked) = found.last().map(|last| last.end_bytes) else {
            return match container::has_trailer_behind(&file, 0).map_err(failed("read"))? {
                true => self.quarantine(&candidate.path),
                false => self.remove(&path),
            };
        };
        if fresh {
            let verified = container::count_verified(&file, ends_of(&found)).map_err(failed("read"))?;
            leave_torn(&path, &mut found, Some(verified));
        }
        let (Start::Ours { header, init_bytes, .. }, Some(last)) = (start, found.last()) else {
            return self.quarantine(&candidate.path);
        };
        if fresh {
            sync_with_folders(&file, &path, &self.clips).map_err(failed("sync"))?;
        }
        match self.cut(&file, &candidate.path, walked, last.end_bytes)? {
            true => self.batch.ended.push(candidate.id),
            false => self.unfinished.push(candidate.id),
        }
        self.done.indexed_files += 1;
        self.done.indexed_fragments += found.len() as u64;
        let row = SegmentRow::new(candidate.id, candidate.path.clone(), *header, init_bytes);
        self.batch.started.push(row);
        self.batch.fragments.extend(found.iter().map(|found| FragmentRow::read_back(candidate.id, found)));
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> Result<(), StoreError> {
        fs::remove_file(path).map_err(StoreError::clip("remove", path))?;
        directory_scan::prune_folders(&self.clips, path);
        self.done.removed_files += 1;
        Ok(())
    }

    /// Quarantines a file: moves it from `clips` to the same place below `aside`, with a number behind where that is taken.
    fn quarantine(&mut self, path: &Path) -> Result<(), StoreError> {
        let from = self.clips.join(path);
        let to = self.free_place_in_aside(path)?;
        fs::rename(&from, &to).map_err(StoreError::clip("move to aside/", &from))?;
        tracing::warn!(
            "file quarantined: {} is not as the store writes files, and was moved to {}",
            from.display(),
            to.display()
        );
        directory_scan::prune_folders(&self.clips, &from);
        self.done.quarantined_files += 1;
        Ok(())
    }

    /// Free place in `aside/` for a file below `clips`; its folder is made.
    fn free_place_in_aside(&self, path: &Path) -> Result<PathBuf, StoreError> {
        let first = self.aside.join(path);
        let (mut to, mut number) = (first.clone(), 0);
        while to.exists() {
            number += 1;
            to = first.with_extension(format!("{number}.mp4"));
        }
        let folder = to.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).map_err(StoreError::clip("make the folder", folder))?;
        Ok(to)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        match self.index.commit(&batch) {
            Ok(()) => {
                self.has_changed |= !batch.fragments.is_empty();
                Ok(())
            }
            Err(error) => self.unless_full(error),
        }
    }

    fn end_all(&mut self) -> Result<(), StoreError> {
        self.index.end_all_but(&self.unfinished).or_else(|error| self.unless_full(error))
    }

    fn correct_times(&mut self) -> Result<(), StoreError> {
        for (boot_id, offset_micros) in self.index.offsets_of_doubtful_boots()? {
            match self.index.correct_times(&boot_id, offset_micros) {
                Ok(moved) => self.done.corrected_segments += moved.len() as u64,
                Err(error) => self.unless_full(error)?,
            }
            self.has_changed = true;
        }
        Ok(())
    }

    /// A full disk is no reason not to start: retention makes space once the store is open.
    fn unless_full(&mut self, error: StoreError) -> Result<(), StoreError> {
        if !error.is_disk_full() {
            return Err(error);
        }
        self.done.failed(&error);
        Ok(())
    }
}

/// Whole fragments from the position of the walk.
fn fragments(walk: &mut Walk<'_>) -> io::Result<Vec<Found>> {
    std::iter::from_fn(|| walk.next().transpose()).collect()
}

/// Leaves out of `found` the fragments that a power cut tore: the first one with bytes that are not those that were written,
/// near the end, and all behind it. `verified` is the number of fragments before it, or `None` if the damage is in front
/// of them all. Damage that is further from the end is no torn write, and the footage behind it may be good, which its
/// sha256 cannot tell: all stays.
fn leave_torn(path: &Path, found: &mut Vec<Found>, verified: Option<usize>) {
    let (Some(last), bad) = (found.last(), verified.map_or(found.first(), |count| found.get(count))) else {
        return;
    };
    let Some(bad) = bad else { return };
    let before_end = last.trailer.starts_at.monotonic.since(bad.trailer.starts_at.monotonic);
    match verified {
        Some(good) if before_end <= TORN_MAX => found.truncate(good),
        _ => tracing::warn!(
            "{}: damaged bytes before byte {}; the footage is kept, and `wardwatch store check --deep` \
             lists the damage",
            path.display(),
            bad.offset_bytes + bad.trailer.bytes
        ),
    }
}

/// End of each of them, and the sha256 expected there.
fn ends_of(found: &[Found]) -> impl Iterator<Item = (u64, [u8; 32])> {
    found.iter().map(|found| (found.offset_bytes + found.trailer.bytes, found.trailer.sha256))
}

/// Gives another id, greater than all, to those of the sorted `candidates` with an id that is taken.
fn give_free_ids(candidates: &mut Vec<Candidate>, known: &[KnownSegment], next_id: i64) {
    let mut last = 0;
    let (mut free, mut taken): (Vec<_>, Vec<_>) = candidates.drain(..).partition(|candidate| {
        let is_known = known.binary_search_by_key(&candidate.id, |segment| segment.id).is_ok();
        let is_free = candidate.id > last && candidate.id <= ID_MAX && !is_known;
        last = if is_free { candidate.id } else { last };
        is_free
    });
    for (id, candidate) in (next_id.max(last + 1)..).zip(&mut taken) {
        candidate.id = id;
    }
    free.append(&mut taken);
    *candidates = free;
}

/// Syncs a file and the folders that lead to it.
fn sync_with_folders(file: &File, path: &Path, clips: &Path) -> io::Result<()> {
    file.sync_all()?;
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(clips)) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
