//! Access log of footage: person, time and reason. Append-only, beside the index, one JSON object a line.
//!
//! Each line carries the sha256 of the line before it: a line that is changed or removed breaks the chain. The index
//! knows the last line (`end`), so that lines cut off the end are missed. Written by the commands that show, hold or
//! release footage, and by the daemon where it reads footage for an alert's stills; the daemon reports the end to the post.

mod end;

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::owner;
use base::fault;
use base::ids::{AlertId, CameraId};
use base::time::{ClockState, WallTime};

pub use end::{LogEnd, LogEndReader};

/// The value of `schema` in every line of this version.
pub const SCHEMA: &str = "wardwatch.access/1";

/// Kind of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessKind {
    /// An export begins; written before the first byte is read.
    ExportStarted,
    /// The export is complete.
    ExportEnded,
    /// The export was given up.
    ExportFailed,
    /// Footage is held as evidence from now on.
    Held,
    /// The hold is released.
    Released,
}

/// Footage that was shown, held or released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClip {
    /// Its camera.
    pub camera: CameraId,
    /// Its start.
    pub starts_at: WallTime,
    /// Its end.
    pub ends_at: WallTime,
    /// Requested alert, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// Time of the access.
    pub at: WallTime,
    /// Trust in `at`.
    pub clock: ClockState,
    /// Kind of access.
    pub what: AccessKind,
    /// Person, as stated by them or as the system knows them.
    pub who: String,
    /// Reason, as stated by that person.
    pub why: String,
    /// Footage that was accessed.
    pub clips: Vec<AccessClip>,
    /// Destination of the export and its sha256, the hold's id, or the reason of a failure.
    pub detail: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    schema: String,
    previous: String,
    #[serde(flatten)]
    entry: AccessEntry,
}

/// Appends a line, which is on the disk on return. Waits while another process appends.
///
/// An error leaves the log as it was, or with a torn last line that the next append ends.
pub fn append(directory: &Path, entry: &AccessEntry) -> Result<(), StoreError> {
    let path = directory.join("access.jsonl");
    let failed = |doing| StoreError::clip(doing, &path);
    let mut options = OpenOptions::new();
    let mut log = owner::open(options.read(true).append(true).create(true), &path)
        .map_err(failed("open the access log"))?;
    owner::hand_over(directory, &path);
    log.lock().map_err(failed("lock the access log"))?;
    let mut chain = Chain::read(&mut log).map_err(failed("read the access log"))?;
    let line = Line { schema: SCHEMA.to_owned(), previous: chain.last(), entry: entry.clone() };
    let mut bytes = if chain.is_torn { vec![b'\n'] } else { Vec::new() };
    serde_json::to_writer(&mut bytes, &line).expect("an entry is JSON");
    bytes.push(b'\n');
    log.write_all(&bytes)
        .and_then(|()| log.sync_all())
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(failed("write the access log"))?;
    // Behind the line: a power cut in between leaves a longer log than the index knows, which accuses nobody.
    if let Err(error) = end::note(directory, &mut chain, bytes.trim_ascii_start()) {
        let error = fault::chain(&error);
        tracing::warn!(
            "a cut of the access log's last line would not be found, since the index has no note of it: {error}"
        );
    }
    Ok(())
}

/// Content of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessLog {
    /// Entries, oldest first.
    pub entries: Vec<AccessEntry>,
    /// First line, counted from 1, that was changed, or before which a line was removed or inserted.
    pub broken_at: Option<u64>,
    /// Number of lines that were cut off while they were written, by a power cut. They do no harm.
    pub torn_lines: u64,
}

/// Reads the log and checks its chain. A log that does not exist yet is empty.
///
/// Lines that were removed from the end are found by [`verify`] alone.
pub fn read(directory: &Path) -> Result<AccessLog, StoreError> {
    let path = directory.join("access.jsonl");
    let file = match owner::open(OpenOptions::new().read(true), &path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(AccessLog::default()),
        opened => opened.map_err(StoreError::clip("open the access log", &path))?,
    };
    let mut log = AccessLog::default();
    let mut reader = BufReader::new(file);
    let (mut bytes, mut previous) = (Vec::new(), String::new());
    for number in 1.. {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes);
        if read.map_err(StoreError::clip("read the access log", &path))? == 0 {
            break;
        }
        let line: Option<Line> = serde_json::from_slice(&bytes).ok();
        // A line that cannot be parsed was cut off, or else the next line's chain shows the change.
        if line.as_ref().is_some_and(|line| line.previous != previous) {
            log.broken_at.get_or_insert(number);
        }
        log.torn_lines += u64::from(line.is_none());
        log.entries.extend(line.map(|line| line.entry));
        previous = hex(&Sha256::digest(bytes.trim_ascii_end()));
    }
    Ok(log)
}

/// Checks that no line was changed, removed, or inserted, and that the log has all that the index knows of.
///
/// # Errors
/// [`StoreError::AccessLogBroken`] names the first line that does not fit the one before it. [`StoreError::AccessLogCut`]
/// and [`StoreError::AccessLogReplaced`]: the log is not the one that the index knows. Or one of them cannot be read.
pub fn verify(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join("access.jsonl");
    if let Some(line) = read(directory)?.broken_at {
        return Err(StoreError::AccessLogBroken { path, line });
    }
    let chain = match owner::open(OpenOptions::new().read(true), &path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Chain::default()),
        opened => opened.and_then(|mut log| Chain::read(&mut log)),
    };
    let chain = chain.map_err(StoreError::clip("read the access log", &path))?;
    let Some(known) = end::known(directory)? else { return Ok(()) };
    let found = chain.lines.len() as u64;
    if found < known.lines {
        return Err(StoreError::AccessLogCut { path, known: known.lines, found });
    }
    if !chain.has(&known) {
        return Err(StoreError::AccessLogReplaced { path, line: known.lines });
    }
    Ok(())
}

/// The sha256 of every line.
#[derive(Debug, Default)]
struct Chain {
    lines: Vec<[u8; 32]>,
    /// The last line was cut off while it was written.
    is_torn: bool,
}

impl Chain {
    fn read(log: &mut File) -> std::io::Result<Self> {
        log.seek(SeekFrom::Start(0))?;
        let (mut chain, mut line) = (Self::default(), Vec::new());
        let mut reader = BufReader::new(log);
        while reader.read_until(b'\n', &mut line)? > 0 {
            chain.is_torn = !line.ends_with(b"\n");
            chain.push(&line);
            line.clear();
        }
        Ok(chain)
    }

    /// Adds a line; white space behind it does not count.
    fn push(&mut self, line: &[u8]) {
        self.lines.push(Sha256::digest(line.trim_ascii_end()).into());
    }

    /// The last line's sha256 in hexadecimal; empty for an empty log.
    fn last(&self) -> String {
        self.lines.last().map_or(String::new(), |line| hex(line))
    }

    /// True if the log ended so once.
    fn has(&self, end: &LogEnd) -> bool {
        let line = usize::try_from(end.lines).ok().and_then(|lines| self.lines.get(lines.checked_sub(1)?));
        line.map_or(end.lines == 0, |line| hex(line) == end.sha256)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::index::Index;
    use crate::testing::START;

    fn entry(detail: &str) -> AccessEntry {
        AccessEntry {
            at: START.wall,
            clock: START.clock,
            what: AccessKind::ExportStarted,
            who: "Đặng Thị Hoa".into(),
            why: "vụ 12/2026".into(),
            clips: vec![AccessClip {
                camera: "gate".parse().unwrap(),
                starts_at: START.wall,
                ends_at: START.wall,
                alert: None,
            }],
            detail: detail.into(),
        }
    }

    fn log_of(directory: &Path, count: usize) -> PathBuf {
        for number in 0..count {
            append(directory, &entry(&number.to_string())).unwrap();
        }
        directory.join("access.jsonl")
    }

    fn broken_at(directory: &Path) -> Option<u64> {
        match verify(directory) {
            Ok(()) => None,
            Err(StoreError::AccessLogBroken { line, .. }) => Some(line),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_was_appended_is_read_and_linked() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(read(place.path()).unwrap(), AccessLog::default());
        log_of(place.path(), 3);
        let log = read(place.path()).unwrap();
        assert_eq!(log.entries, [entry("0"), entry("1"), entry("2")]);
        assert_eq!((log.broken_at, log.torn_lines), (None, 0));
    }

    #[test]
    fn a_line_that_is_changed_taken_out_or_put_in_breaks_the_chain() {
        let place = tempfile::tempdir().unwrap();
        let path = log_of(place.path(), 4);
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let changed = lines[1].replace("Hoa", "Lan");
        let cases: [(&[&str], u64); 5] = [
            (&[lines[0], &changed, lines[2], lines[3]], 3),
            (&[lines[0], lines[2], lines[3]], 2),
            (&[lines[1], lines[2], lines[3]], 1),
            (&[lines[0], lines[1], lines[1], lines[2], lines[3]], 3),
            (&[lines[0], "not a line of ours", lines[1]], 3),
        ];
        for (lines, expected) in cases {
            fs::write(&path, lines.join("\n") + "\n").unwrap();
            assert_eq!(broken_at(place.path()), Some(expected), "{lines:#?}");
        }
    }

    /// A store's folder with an index, and a log of so many lines.
    fn store_with_log(count: usize) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let (index, _) = Index::open(&crate::index_path(place.path()), "boot".into()).unwrap();
        index.close().unwrap();
        let path = log_of(place.path(), count);
        (place, path)
    }

    #[test]
    fn lines_that_are_cut_off_the_end_are_missed() {
        for left in 0..4 {
            let (place, path) = store_with_log(4);
            verify(place.path()).unwrap();
            let whole = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = whole.split_inclusive('\n').take(left).collect();
            fs::write(&path, lines.concat()).unwrap();
            for more in 0..6u64 {
                let found = left as u64 + more;
                match verify(place.path()).unwrap_err() {
                    StoreError::AccessLogCut { known, found: said, .. } => {
                        assert_eq!((known, said), (4, found))
                    }
                    // Lines that are written behind the cut hide it no better.
                    StoreError::AccessLogReplaced { line, .. } => assert!(line == 4 && found >= 4),
                    other => panic!("{other}"),
                }
                append(place.path(), &entry("after the cut")).unwrap();
            }
        }
    }

    #[test]
    fn a_log_that_is_gone_is_missed_and_one_that_never_was_is_not() {
        let (place, path) = store_with_log(0);
        verify(place.path()).unwrap();
        append(place.path(), &entry("first")).unwrap();
        verify(place.path()).unwrap();
        fs::remove_file(&path).unwrap();
        let said = verify(place.path()).unwrap_err().to_string();
        assert!(said.contains("has 0 lines, and the index knows of 1"), "{said}");
    }

    #[test]
    fn lines_of_a_program_that_notes_no_end_are_no_fault() {
        let (place, path) = store_with_log(2);
        let index = crate::index_path(place.path());
        let old = rusqlite::Connection::open(index).unwrap();
        old.execute("UPDATE access_log SET lines = 1, sha256 = ?1", [sha256_of_line(&path, 0)]).unwrap();
        verify(place.path()).unwrap();
        append(place.path(), &entry("2")).unwrap();
        let lines: i64 = old.query_row("SELECT lines FROM access_log", [], |row| row.get(0)).unwrap();
        assert_eq!(lines, 3, "the note is of the last line again");
        old.execute("DELETE FROM access_log", []).unwrap();
        verify(place.path()).unwrap();
    }

    fn sha256_of_line(path: &Path, line: usize) -> String {
        let text = fs::read_to_string(path).unwrap();
        hex(&Sha256::digest(text.lines().nth(line).unwrap()))
    }

    #[test]
    fn the_end_is_read_again_where_the_log_changed() {
        let (place, path) = store_with_log(0);
        let mut reader = LogEndReader::new(place.path());
        assert_eq!(reader.read().unwrap(), LogEnd::default());
        log_of(place.path(), 3);
        let end = reader.read().unwrap();
        assert_eq!((end.lines, end.sha256), (3, sha256_of_line(&path, 2)));
        fs::remove_file(&path).unwrap();
        assert_eq!(reader.read().unwrap(), LogEnd::default());
    }

    #[test]
    fn a_torn_last_line_is_ended_and_the_chain_goes_on_over_it() {
        let place = tempfile::tempdir().unwrap();
        let path = log_of(place.path(), 2);
        for left in [20, 3, 1] {
            let length = fs::metadata(&path).unwrap().len();
            OpenOptions::new().write(true).open(&path).unwrap().set_len(length - left).unwrap();
            append(place.path(), &entry("after the power was back")).unwrap();
            assert_eq!(broken_at(place.path()), None, "{left} bytes were cut off");
        }
        let log = read(place.path()).unwrap();
        // The last cut took the end of the line alone.
        assert_eq!((log.entries.len(), log.torn_lines), (3, 2));
    }
}
