//! The connection that writes: opened, migrated, closed; every change is one transaction.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::migrate;
use super::outbox::OutboxLevel;
use crate::error::StoreError;

/// Maximum wait of a statement for another connection that writes; only a repair tool would.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Releases before this one can corrupt a WAL.
const SQLITE_MIN: i32 = 3_051_003;

/// The connection that writes. One per store.
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) connection: Connection,
    path: PathBuf,
    pub(super) boot_id: String,
    pub(super) outbox: OutboxLevel,
}

impl Index {
    /// Opens and migrates. Returns true if the index is new.
    pub fn open(path: &Path, boot_id: String) -> Result<(Self, bool), StoreError> {
        if rusqlite::version_number() < SQLITE_MIN {
            return Err(StoreError::SqliteTooOld { found: rusqlite::version() });
        }
        let mut connection = connect(path).map_err(StoreError::index("open the index", path))?;
        let is_new = migrate::migrate(&mut connection, path)?;
        let outbox = OutboxLevel::read(&connection).map_err(StoreError::index("read the outbox of", path))?;
        Ok((Self { connection, path: path.to_owned(), boot_id, outbox }, is_new))
    }

    /// Opens to read only; changes nothing.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| connection.busy_timeout(BUSY_TIMEOUT).map(|()| connection))
            .map_err(StoreError::index("open the index", path))?;
        migrate::check(&connection, path)?;
        let (boot_id, outbox) = (String::new(), OutboxLevel::default());
        Ok(Self { connection, path: path.to_owned(), boot_id, outbox })
    }

    /// Opens an index that may be damaged, to read.
    pub fn open_damaged(path: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }

    /// Runs `fill` in one transaction in which references are checked at its end.
    pub fn fill<T>(&mut self, fill: impl FnOnce(&Transaction) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.in_transaction(|transaction| {
            transaction.pragma_update(None, "defer_foreign_keys", true)?;
            fill(transaction)
        })
    }

    /// Reads the ends of the tables that the daemon cannot do without, so that damage there is found at the start.
    pub fn read_ends(&self) -> Result<(), StoreError> {
        const ENDS: &str = "
            SELECT (SELECT last FROM sequence WHERE one = 1), (SELECT max(seq) FROM alert),
                   (SELECT min(seq) FROM alert), (SELECT min(seq) FROM outbox), (SELECT max(id) FROM event),
                   (SELECT max(segment) FROM fragment), (SELECT max(path) FROM segment),
                   (SELECT id FROM outbox_identity)";
        self.connection.query_row(ENDS, [], |_| Ok(())).map_err(self.failed("read the ends of the tables"))
    }

    /// Brings everything into the one file; a reader at this moment may keep a part in the log.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(self.failed("empty the log of"))
    }

    /// Brings everything into the one file, and closes it.
    pub fn close(self) -> Result<(), StoreError> {
        let failed = StoreError::index("close the index", &self.path);
        self.connection.close().map_err(|(_, error)| failed(error))
    }

    /// Connection for statements that only one place needs.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `change` in one IMMEDIATE transaction: a deferred one could fail with BUSY in its middle.
    pub(super) fn in_transaction<T>(
        &mut self,
        change: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    pub(super) fn failed(&self, doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
        StoreError::index(doing, &self.path)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Never needs space in /tmp.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}
