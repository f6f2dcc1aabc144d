//! Access to thumbnails, which is logged before a thumbnail's first byte is read.

use rusqlite::{OptionalExtension as _, Result, TransactionBehavior, params};

use super::audit::{Step, append};
use super::{Storage, StorageError, sql};
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
        let about = "SELECT ward || '/' || box || ' ' || id || ' ' || phase FROM alert WHERE number = ?1";
        let about: String = transaction.query_row(about, [sql(number)], |row| row.get(0))?;
        append(&transaction, &Step { who: &access.who, action: "picture", about: &about, at: access.at })?;
        transaction.commit()
    }
}
