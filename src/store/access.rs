//! Who looked at footage, when and why: an append-only log beside the index, one JSON object a line.
//!
//! Each line carries the sha256 of the line before it: one that is changed or taken out breaks the chain. Written by
//! the commands that show, hold or release footage, never by the daemon.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use crate::domain::ids::{AlertId, CameraId};
use crate::domain::time::{ClockState, WallTime};

/// The value of `schema` in every line of this version.
pub const SCHEMA: &str = "wardwatch.access/1";

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessKind {
    /// An export begins; written before the first byte is read.
    ExportStarted,
    /// It is complete.
    ExportEnded,
    /// It was given up.
    ExportFailed,
    /// Footage is held as evidence from now on.
    Held,
    /// It is held no longer.
    Released,
}

/// Footage that was shown, held or released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClip {
    /// Whose.
    pub camera: CameraId,
    /// From when.
    pub starts_at: WallTime,
    /// Until when.
    pub ends_at: WallTime,
    /// The alert that was asked for, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// When.
    pub at: WallTime,
    /// How far `at` can be trusted.
    pub clock: ClockState,
    /// What was done.
    pub what: AccessKind,
    /// By whom, as they said or as the system knows them.
    pub who: String,
    /// Why, as they said.
    pub why: String,
    /// Which footage.
    pub clips: Vec<AccessClip>,
    /// Where it went and its sha256, the hold's id, or why it failed.
    pub detail: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    schema: String,
    previous: String,
    #[serde(flatten)]
    entry: AccessEntry,
}

/// Appends a line; on the disk when it returns. Waits while another process appends.
///
/// An error leaves the log as it was, or with a torn last line that the next append ends.
pub fn append(directory: &Path, entry: &AccessEntry) -> Result<(), StoreError> {
    let path = directory.join("access.jsonl");
    let failed = |doing| StoreError::clip(doing, &path);
    let mut options = OpenOptions::new();
    let mut log =
        options.read(true).append(true).create(true).open(&path).map_err(failed("open the access log"))?;
    log.lock().map_err(failed("lock the access log"))?;
    let (previous, torn) = last_line(&mut log).map_err(failed("read the access log"))?;
    let line = Line { schema: SCHEMA.to_owned(), previous, entry: entry.clone() };
    let mut bytes = if torn { vec![b'\n'] } else { Vec::new() };
    serde_json::to_writer(&mut bytes, &line).expect("an entry is JSON");
    bytes.push(b'\n');
    log.write_all(&bytes)
        .and_then(|()| log.sync_all())
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(failed("write the access log"))
}

/// The sha256 of the last line in hexadecimal, empty for an empty log, and whether that line was cut off.
fn last_line(log: &mut File) -> std::io::Result<(String, bool)> {
    log.seek(SeekFrom::Start(0))?;
    let (mut last, mut line) = (Vec::new(), Vec::new());
    let mut reader = BufReader::new(log);
    while reader.read_until(b'\n', &mut line)? > 0 {
        last = std::mem::take(&mut line);
    }
    let torn = !last.is_empty() && !last.ends_with(b"\n");
    let hash = if last.is_empty() { String::new() } else { hex(&Sha256::digest(last.trim_ascii_end())) };
    Ok((hash, torn))
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
