//! Access to thumbnails, which is logged before a thumbnail's first byte is read.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Result, Transaction, TransactionBehavior, params};

use super::{Storage, StorageError, chain, sql};
use crate::arrival::Sender;
use base::time::WallTime;

/// Access to a thumbnail: person, command and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccess {
    /// The person.
    pub who: String,
    /// The command that the person used.
    pub command: &'static str,
    /// Time of the access.
    pub at: WallTime,
}

/// An access as it was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Time of the access.
    pub at: WallTime,
    /// The person.
    pub who: String,
    /// The command that the person used.
    pub command: String,
    /// The box that sent the thumbnail.
    pub sender: Sender,
    /// Id of the alert.
    pub alert: String,
}

impl Storage {
    /// The JPEG of the alert message with this number (`StoredAlert::thumbnail`), and a line in the access log; `None`, and no
    /// line, where it has none.
    ///
    /// # Errors
    /// The access cannot be logged, so nothing is shown; or the database cannot be read.
    pub fn thumbnail(
        &mut self,
        number: u64,
        access: &NewAccess,
    ) -> std::result::Result<Option<Vec<u8>>, StorageError> {
        if !self.has_thumbnail(number).map_err(self.failed("read"))? {
            return Ok(None);
        }
        self.log_access(number, access).map_err(self.failed("log the access to a thumbnail in"))?;
        self.note_end()?;
        let read = self
            .connection
            .query_row("SELECT jpeg FROM thumbnail WHERE alert = ?1", [sql(number)], |row| row.get(0))
            .optional();
        read.map_err(self.failed("read a thumbnail of"))
    }

    /// All accesses, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn accesses(&self) -> std::result::Result<Vec<Access>, StorageError> {
        let failed = self.failed("read the accesses of");
        let mut select = self
            .connection
            .prepare_cached("SELECT at_us, who, command, ward, box, alert FROM access ORDER BY number")
            .map_err(&failed)?;
        let row = |row: &rusqlite::Row<'_>| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get::<_, String>(3)?,
                row.get::<_, String>(4)?,
                row.get(5)?,
            ))
        };
        let rows =
            select.query_map([], row).map_err(&failed)?.collect::<Result<Vec<_>>>().map_err(&failed)?;
        let access =
            |(at_us, who, command, ward, id, alert): (i64, String, String, String, String, String)| {
                let at = WallTime::from_micros(at_us);
                Ok(Access { at, who, command, sender: self.sender(&ward, &id)?, alert })
            };
        rows.into_iter().map(access).collect()
    }

    fn has_thumbnail(&self, number: u64) -> Result<bool> {
        self.connection.prepare_cached("SELECT 1 FROM thumbnail WHERE alert = ?1")?.exists([sql(number)])
    }

    fn log_access(&mut self, number: u64, access: &NewAccess) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO access (at_us, who, command, ward, box, alert, phase)
             SELECT ?2, ?3, ?4, ward, box, id, phase FROM alert WHERE number = ?1",
            params![sql(number), access.at.as_micros(), access.who, access.command],
        )?;
        chain::extend(&transaction)?;
        transaction.commit()
    }
}

/// Removes accesses that are older than `keep` at `now`, and than two years. A row of the log says which.
pub(super) fn expire(transaction: &Transaction<'_>, now: WallTime, keep: Duration) -> Result<()> {
    let before_us = (now - keep.max(chain::LOOKS_KEPT)).as_micros();
    // In the order of their numbers: a clock that went back keeps later ones longer.
    let last: Option<i64> = transaction.query_row(
        "SELECT coalesce((SELECT number FROM access WHERE at_us >= ?1 ORDER BY number LIMIT 1),
                         (SELECT max(number) + 1 FROM access)) - 1",
        [before_us],
        |row| row.get(0),
    )?;
    let first: Option<i64> = transaction.query_row("SELECT min(number) FROM access", [], |row| row.get(0))?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    if last < first {
        return Ok(());
    }
    transaction.execute(
        "INSERT INTO access_expiry (at_us, before_us, last) VALUES (?1, ?2, ?3)",
        [now.as_micros(), before_us, last],
    )?;
    chain::extend(transaction)?;
    transaction.execute("DELETE FROM access WHERE number <= ?1", [last])?;
    Ok(())
}
