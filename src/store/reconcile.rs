//! Makes index and disk agree when the store opens.
//!
//! What disagrees after a crash is small, because of the order in which the writer works (bytes, fdatasync, row; file
//! removed, row removed):
//!
//! - a file longer than its row says: cut back to the last fragment that has a row (at most one sync interval is lost);
//! - a file without a row: removed, it was never synced, or its removal had not reached the disk;
//! - a row without a file: removed;
//! - a file shorter than its row says (a disk that lost synced bytes): the rows beyond its end go.
//!
//! An index that is new beside clip files that are old is another matter: they are moved aside, not removed.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::index::{Batch, Index, KnownSegment};
use crate::domain::fault::chain;

/// What opening the store found and mended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Files that were cut back to their last indexed fragment.
    pub cut_files: u64,
    /// How much was cut off.
    pub cut_bytes: u64,
    /// Files without a row, removed.
    pub removed_files: u64,
    /// Rows without a file, removed.
    pub removed_rows: u64,
    /// Segments whose file is shorter than what was synced; their rows were shortened.
    pub shortened_segments: u64,
    /// Files that could not be looked at, cut or removed. They stay as they are until the next start.
    pub failed_files: u64,
    /// Where clip files went that a new index knows nothing of. They do not count towards the limit.
    pub set_aside: Option<PathBuf>,
}

impl Reconciled {
    /// Whether everything agreed.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// One bad file does not keep the box from recording.
    fn failed(&mut self, error: &StoreError) {
        tracing::warn!("left as it is: {}", chain(error));
        self.failed_files += 1;
    }
}

/// Reconciles `clips` and `index`, and returns what it did with the segments that there are, oldest first.
pub(super) fn reconcile(
    index: &mut Index,
    clips: &Path,
    index_is_new: bool,
) -> Result<(Reconciled, Vec<KnownSegment>), StoreError> {
    let mut done = Reconciled::default();
    if index_is_new {
        done.set_aside = set_aside(clips)?;
    }
    let mut known = Vec::new();
    let mut gone = Batch::default();
    for segment in index.segments()? {
        match mend(index, clips, segment.clone(), &mut done) {
            Ok(Some(mended)) => known.push(mended),
            Ok(None) => gone.removed.push(segment.id),
            Err(error @ StoreError::Clip { .. }) => {
                done.failed(&error);
                known.push(segment);
            }
            Err(error) => return Err(error),
        }
    }
    if !gone.is_empty() {
        index.commit(&gone)?;
    }
    index.end_all()?;
    remove_unknown(clips, &known, &mut done)?;
    Ok((done, known))
}

/// Removes the folders above a removed clip file that are empty now, up to `clips`.
pub(super) fn prune_folders(clips: &Path, file: &Path) {
    for folder in file.ancestors().skip(1).take_while(|folder| *folder != clips) {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// Makes one segment's file and row agree; `None` if its row has to go.
fn mend(
    index: &mut Index,
    clips: &Path,
    mut segment: KnownSegment,
    done: &mut Reconciled,
) -> Result<Option<KnownSegment>, StoreError> {
    let path = clips.join(&segment.path);
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            done.removed_rows += 1;
            return Ok(None);
        }
        Err(error) => return Err(StoreError::clip("look at", &path)(error)),
    };
    if length < segment.bytes {
        done.shortened_segments += 1;
        segment.bytes = index.shorten(segment.id, length)?;
        if segment.bytes == 0 {
            // Its row is gone; the file is found as one without a row.
            return Ok(None);
        }
    }
    if length > segment.bytes {
        done.cut_files += 1;
        done.cut_bytes += length - segment.bytes;
        let cut = |file: File| file.set_len(segment.bytes).and_then(|()| file.sync_all());
        OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(cut)
            .map_err(StoreError::clip("cut back", &path))?;
    }
    Ok(Some(segment))
}

fn remove_unknown(clips: &Path, known: &[KnownSegment], done: &mut Reconciled) -> Result<(), StoreError> {
    let known: HashSet<PathBuf> = known.iter().map(|segment| clips.join(&segment.path)).collect();
    for path in clip_files(clips)? {
        if known.contains(&path) {
            continue;
        }
        match fs::remove_file(&path).map_err(StoreError::clip("remove", &path)) {
            Ok(()) => {
                prune_folders(clips, &path);
                done.removed_files += 1;
            }
            Err(error) => done.failed(&error),
        }
    }
    Ok(())
}

/// Moves `clips` aside if there are clip files in it, and makes an empty one.
fn set_aside(clips: &Path) -> Result<Option<PathBuf>, StoreError> {
    if clip_files(clips)?.is_empty() {
        return Ok(None);
    }
    let aside = (1..)
        .map(|number| clips.with_file_name(format!("clips.unindexed-{number}")))
        .find(|path| !path.exists())
        .expect("numbers do not end");
    fs::rename(clips, &aside)
        .and_then(|()| fs::create_dir(clips))
        .map_err(StoreError::clip("move aside", clips))?;
    Ok(Some(aside))
}

/// All `*.mp4` below `folder`. Links are not followed.
fn clip_files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut read = || -> io::Result<()> {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() && entry.path().extension().is_some_and(|end| end == "mp4") {
                    files.push(entry.path());
                }
            }
            Ok(())
        };
        read().map_err(StoreError::clip("read the folder", &folder))?;
    }
    Ok(files)
}
