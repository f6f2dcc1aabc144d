//! The end of the access log: number of its lines, and the last one's sha256.
//!
//! The index has it as it was when the last line was written. The commands write it, in a transaction of one row of
//! their own; the daemon's writer waits that long. An end that does not fit the log stays: it is the trace of a cut.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::Chain;
use crate::error::StoreError;
use crate::index::{signed, unsigned};
use crate::owner;

/// Maximum wait for the daemon's writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of lines, and the last one's sha256.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogEnd {
    /// Number of lines, torn ones too.
    pub lines: u64,
    /// sha256 of the last line in hexadecimal; empty without lines.
    pub sha256: String,
}

/// Notes in the index that `line` was added to the log, which was `chain` before. Does nothing where there is no
/// index, it knows another log, or it is by a program that has no place for it.
pub(super) fn note(directory: &Path, chain: &mut Chain, line: &[u8]) -> Result<(), StoreError> {
    let path = crate::index_path(directory);
    if !path.exists() {
        return Ok(());
    }
    let failed = StoreError::index("note the access log", &path);
    let noted = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|mut index| {
        index.pragma_update(None, "synchronous", "FULL")?;
        let transaction = index.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !transaction.table_exists(None, "access_log")? {
            return Ok(());
        }
        if row(&transaction)?.is_some_and(|known| !chain.has(&known)) {
            return Ok(());
        }
        chain.push(line);
        transaction.execute(
            "INSERT OR REPLACE INTO access_log (one, lines, sha256) VALUES (1, ?1, ?2)",
            params![signed(chain.lines.len() as u64), chain.last()],
        )?;
        transaction.commit()
    });
    noted.map_err(failed)
}

/// The end as the index knows it; `None` where it knows none.
pub(super) fn known(directory: &Path) -> Result<Option<LogEnd>, StoreError> {
    let path = crate::index_path(directory);
    if !path.exists() {
        return Ok(None);
    }
    let known = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|index| if index.table_exists(None, "access_log")? { row(&index) } else { Ok(None) });
    known.map_err(StoreError::index("read the end of the access log", &path))
}

fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let index = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    index.busy_timeout(BUSY_TIMEOUT)?;
    Ok(index)
}

fn row(index: &Connection) -> rusqlite::Result<Option<LogEnd>> {
    let end = index.query_row("SELECT lines, sha256 FROM access_log", [], |row| {
        Ok(LogEnd { lines: unsigned(row.get(0)?), sha256: row.get(1)? })
    });
    end.optional()
}

/// Inode, time of change and length of a file.
type Signature = (u64, i64, i64, u64);

/// Reads the end out of the log, again and again.
#[derive(Debug)]
pub struct LogEndReader {
    path: PathBuf,
    last: Option<(Signature, LogEnd)>,
}

impl LogEndReader {
    /// A reader of the log in a store's folder.
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join("access.jsonl"), last: None }
    }

    /// The end; without lines where there is no log. Reads all of a log that has changed.
    ///
    /// # Errors
    /// The log cannot be read, or a command is writing it now.
    pub fn read(&mut self) -> io::Result<LogEnd> {
        let mut log = match owner::open(OpenOptions::new().read(true), &self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(LogEnd::default()),
            opened => opened?,
        };
        log.try_lock_shared()?;
        let metadata = log.metadata()?;
        let signature = (metadata.ino(), metadata.ctime(), metadata.ctime_nsec(), metadata.len());
        if let Some((_, end)) = self.last.as_ref().filter(|(last, _)| *last == signature) {
            return Ok(end.clone());
        }
        let chain = Chain::read(&mut log)?;
        let end = LogEnd { lines: chain.lines.len() as u64, sha256: chain.last() };
        self.last = Some((signature, end.clone()));
        Ok(end)
    }
}
