//! Builds a lost or damaged index again from the clip files, which hold all its facts on footage. Readable events and
//! alerts are brought over from the damaged one.
//!
//! The new index is made beside the old one and takes its place when it is complete, so that a power cut in the middle
//! starts over and loses nothing. If the numbers that the old index gave to alerts cannot be read, another outbox counts
//! from then on.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::StoreError;
use crate::index::{Index, KnownSegment, PinRow};
use crate::recover::damaged_index::{self, RecoveredAlerts};
use crate::recover::directory_scan;
use crate::recover::reconcile::{ScanMode, reconcile};
use crate::recover::reconciled::Reconciled;
use base::fault::{ErrorKind, chain};

/// Maximum number of kept damaged indexes. They hold thumbnails, which are not to be kept for ever.
const DAMAGED_MAX: usize = 2;

/// The index of a store, open and in agreement with the clip files.
pub(crate) struct Opened {
    pub index: Index,
    /// Present segments, oldest first. All have ended.
    pub known: Vec<KnownSegment>,
    /// Footage that alerts pin.
    pub pins: Vec<PinRow>,
    /// Found and repaired faults.
    pub reconciled: Reconciled,
}

/// Opens the index of the store in `directory`, and makes it and the clip files agree. The caller holds the store's lock.
/// An index that is missing, empty or damaged is built again.
pub(crate) fn open(directory: &Path, boot_id: &str, mode: ScanMode) -> Result<Opened, StoreError> {
    let path = crate::index_path(directory);
    finish_swap(directory)?;
    let is_lost = fs::metadata(&path).map_or(true, |metadata| metadata.len() == 0);
    if is_lost && was_used(directory)? {
        tracing::warn!("{} is lost: building it again from the clip files", path.display());
        return rebuild(directory, boot_id, mode);
    }
    match open_and_reconcile(directory, boot_id, mode) {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!("index damaged: {}; building it again from the clip files", chain(&error));
            rebuild(directory, boot_id, mode)
        }
        opened => opened,
    }
}

/// Renames the damaged index, builds a new one from the clip files, and opens that. The caller holds the store's lock, has
/// synced the clip files that it writes, and has closed its own connection to the index; connections that read see the
/// old one until they are opened again.
///
/// Blocks for as long as reading the head and every trailer of every clip file takes.
pub(crate) fn rebuild(directory: &Path, boot_id: &str, mode: ScanMode) -> Result<Opened, StoreError> {
    let path = crate::index_path(directory);
    let fresh = fresh_path(directory);
    remove_index(&fresh).map_err(StoreError::clip("remove", &fresh))?;
    let recovered = recover_into(directory, &fresh, boot_id)?;
    let damaged_index = quarantine(directory).map_err(StoreError::clip("rename the damaged index", &path))?;
    swap_in(directory).map_err(StoreError::clip("put the new index in its place from", &fresh))?;
    let mut opened = open_and_reconcile(directory, boot_id, mode)?;
    opened.reconciled.rebuilt = true;
    opened.reconciled.recovered_alerts = recovered.alerts;
    opened.reconciled.damaged_index = damaged_index;
    Ok(opened)
}

/// Writes the open `index`, whose files somebody has removed or replaced, to its place again; what lies there is kept as a damaged
/// index is. The caller closes it and opens the new one.
pub(crate) fn put_back(directory: &Path, index: &Index) -> Result<(), StoreError> {
    let (path, fresh) = (crate::index_path(directory), fresh_path(directory));
    remove_index(&fresh).map_err(StoreError::clip("remove", &fresh))?;
    index
        .connection()
        .execute("VACUUM INTO ?1", [fresh.to_string_lossy()])
        .map_err(StoreError::index("copy the index to", &fresh))?;
    File::open(&fresh).and_then(|file| file.sync_all()).map_err(StoreError::clip("sync", &fresh))?;
    quarantine(directory).map_err(StoreError::clip("rename the other index", &path))?;
    swap_in(directory).map_err(StoreError::clip("put the new index in its place from", &fresh))
}

/// Returns true if there was a store before: its footage exists, or an index of it that was damaged.
fn was_used(directory: &Path) -> Result<bool, StoreError> {
    let clips = crate::clips_path(directory);
    Ok(!directory_scan::compare(&clips, &[])?.unknown.is_empty()
        || !damaged(directory).map_err(StoreError::clip("read the folder", directory))?.is_empty())
}

fn open_and_reconcile(directory: &Path, boot_id: &str, mode: ScanMode) -> Result<Opened, StoreError> {
    let (mut index, _) = Index::open(&crate::index_path(directory), boot_id.to_owned())?;
    index.read_ends()?;
    let (reconciled, known) = reconcile(&mut index, directory, mode)?;
    let pins = index.pins()?;
    Ok(Opened { index, known, pins, reconciled })
}

/// Makes the new index at `fresh`, with the readable part of the old one, and closes it.
fn recover_into(directory: &Path, fresh: &Path, boot_id: &str) -> Result<RecoveredAlerts, StoreError> {
    let path = crate::index_path(directory);
    let (mut index, _) = Index::open(fresh, boot_id.to_owned())?;
    let old = match fs::metadata(&path) {
        Ok(metadata) if metadata.len() > 0 => Index::open_damaged(&path).ok(),
        _ => None,
    };
    let recovered = index
        .fill(|transaction| damaged_index::recover_alerts(old.as_ref(), transaction))
        .map_err(StoreError::index("copy alerts into", fresh))?;
    index.close()?;
    Ok(recovered)
}

fn fresh_path(directory: &Path) -> PathBuf {
    directory.join("index.rebuilt.sqlite")
}

/// The files that belong to an index.
pub(crate) fn parts(index: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut path = index.as_os_str().to_owned();
        path.push(end);
        path.into()
    })
}

fn remove_index(index: &Path) -> io::Result<()> {
    for part in parts(index) {
        match fs::remove_file(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Finishes a swap: a power cut may have come between renaming the old index and putting the new one in its place.
fn finish_swap(directory: &Path) -> Result<(), StoreError> {
    let fresh = fresh_path(directory);
    let failed = || StoreError::clip("put the new index in its place from", &fresh);
    if !fresh.exists() {
        return Ok(());
    }
    if crate::index_path(directory).exists() {
        return remove_index(&fresh).map_err(failed());
    }
    swap_in(directory).map_err(failed())
}

/// Puts the new index, which is closed, in the place of the old one, which is not there any more.
fn swap_in(directory: &Path) -> io::Result<()> {
    let [_, wal, shm] = parts(&crate::index_path(directory));
    for leftover in [wal, shm] {
        match fs::remove_file(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(fresh_path(directory), crate::index_path(directory))?;
    File::open(directory)?.sync_all()
}

/// Moves the index to `index.corrupt-N.sqlite`, and removes all but the youngest of those. `None` where there is none.
fn quarantine(directory: &Path) -> io::Result<Option<PathBuf>> {
    let index = crate::index_path(directory);
    match fs::metadata(&index) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return remove_index(&index).map(|()| None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut numbers = damaged(directory)?;
    let number = numbers.last().map_or(1, |last| last + 1);
    let aside = damaged_path(directory, number);
    // The file itself first: as long as it exists, so does the log that belongs to it.
    for (from, to) in parts(&index).iter().zip(parts(&aside)) {
        match fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    numbers.push(number);
    for old in numbers.iter().rev().skip(DAMAGED_MAX) {
        remove_index(&damaged_path(directory, *old))?;
    }
    Ok(Some(aside))
}

fn damaged_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("index.corrupt-{number}.sqlite"))
}

/// The numbers of the damaged indexes that are kept, ascending.
fn damaged(directory: &Path) -> io::Result<Vec<u64>> {
    let entries = fs::read_dir(directory)?.flatten();
    let mut numbers: Vec<u64> = entries.filter_map(|entry| number(&entry)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number of a damaged index; `None` for another file.
fn number(entry: &fs::DirEntry) -> Option<u64> {
    entry.file_name().to_str()?.strip_prefix("index.corrupt-")?.strip_suffix(".sqlite")?.parse().ok()
}

/// Number of segments with times that no clock gave: before 1900, after the year 9999, or ending before they start, by more
/// than a clock may be put back within one. A clock that was never set may give a time before 1970.
pub(crate) fn count_impossible_times(connection: &Connection) -> rusqlite::Result<i64> {
    const IMPOSSIBLE: &str = "SELECT count(*) FROM segment
        WHERE starts_wall_us NOT BETWEEN -2208988800000000 AND 253402300799000000
           OR ends_wall_us NOT BETWEEN -2208988800000000 AND 253402300799000000
           OR ends_wall_us < starts_wall_us - 2000000";
    connection.query_row(IMPOSSIBLE, [], |row| row.get(0))
}

/// Returns true if SQLite finds nothing wrong with an index, its references included, and all its times are possible. Reads all of
/// it.
pub(crate) fn is_sound(connection: &Connection) -> bool {
    check_soundness(connection).unwrap_or(false)
}

fn check_soundness(connection: &Connection) -> rusqlite::Result<bool> {
    let result: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    let orphans = connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
    Ok(result == "ok" && !orphans && count_impossible_times(connection)? == 0)
}
