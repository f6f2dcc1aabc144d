//! Changes in their order, so that a page that lost its connection goes on where it was: nothing missing, nothing twice.
//!
//! SQLite has one writer, so a change with a lower number is never committed after one with a higher number.

use rusqlite::{Connection, OptionalExtension as _, Result, Row, Transaction, params};

use super::{Storage, StorageError, sql};
use crate::events::Level;
use base::time::WallTime;

/// Maximum number of changes that are removed at once.
const EXPIRED_MAX: i64 = 5000;

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// There is a new event.
    Arrived,
    /// A further alert has joined an event.
    Grew,
    /// More is known of an event: its end, a picture.
    Told,
    /// Somebody has decided about an event, or the post by its clock.
    Decided,
    /// An event has waited too long.
    Escalated(Level),
    /// A shelf was set or has ended; events have moved.
    Shelves,
    /// Events of a box that a person has removed are gone.
    Removed,
    /// A flood has begun or ended.
    Flood,
    /// A shift has begun or ended.
    Shifts,
}

impl ChangeKind {
    /// The word for it in the database and in the feed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Grew => "grew",
            Self::Told => "told",
            Self::Decided => "decided",
            Self::Escalated(_) => "escalated",
            Self::Shelves => "shelves",
            Self::Removed => "removed",
            Self::Flood => "flood",
            Self::Shifts => "shifts",
        }
    }

    fn of(word: &str, level: Option<u8>) -> Option<Self> {
        Some(match word {
            "arrived" => Self::Arrived,
            "grew" => Self::Grew,
            "told" => Self::Told,
            "decided" => Self::Decided,
            "escalated" => Self::Escalated(Level::of(level?)?),
            "shelves" => Self::Shelves,
            "removed" => Self::Removed,
            "flood" => Self::Flood,
            "shifts" => Self::Shifts,
            _ => return None,
        })
    }
}

/// A change that pages show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its number, above those of all changes before it.
    pub number: u64,
    /// Its time, on the post's clock.
    pub at: WallTime,
    /// Its kind.
    pub kind: ChangeKind,
    /// The event that has changed, where it is one.
    pub event: Option<u64>,
}

/// Changes after a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The changes in order.
    pub changes: Vec<Change>,
    /// Number to go on from. Changes of unknown kinds are passed over.
    pub cursor: u64,
    /// Changes between the cursor and the first one were removed, or the database is another one: the page has to be built
    /// anew.
    pub is_broken: bool,
}

impl Storage {
    /// Changes after the one with number `cursor`, at most `limit`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn changes_after(&self, cursor: u64, limit: usize) -> std::result::Result<Changes, StorageError> {
        let failed = self.failed("read the changes of");
        // One state for all reads.
        let transaction = self.connection.unchecked_transaction().map_err(&failed)?;
        changes_after(&transaction, cursor, limit).map_err(&failed)
    }

    /// Number of the last change.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_change(&self) -> std::result::Result<u64, StorageError> {
        last(&self.connection).map_err(self.failed("read the changes of"))
    }
}

fn changes_after(connection: &Connection, cursor: u64, limit: usize) -> Result<Changes> {
    let last = last(connection)?;
    let first: Option<i64> =
        connection.prepare_cached("SELECT min(number) FROM change")?.query_row([], |row| row.get(0))?;
    let first = first.map_or(last + 1, i64::unsigned_abs);
    if cursor > last || cursor + 1 < first {
        return Ok(Changes { changes: Vec::new(), cursor: last, is_broken: true });
    }
    let mut select = connection.prepare_cached(
        "SELECT number, at_us, kind, level, event FROM change WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let mut rows = select.query([sql(cursor), sql(limit as u64)])?;
    let mut found = Changes { cursor, ..Changes::default() };
    while let Some(row) = rows.next()? {
        found.cursor = row.get::<_, i64>(0)?.unsigned_abs();
        found.changes.extend(change(row)?);
    }
    Ok(found)
}

/// Number of the last change, also where it was removed.
pub(super) fn last(connection: &Connection) -> Result<u64> {
    let mut select = connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'change'")?;
    let last: Option<i64> = select.query_row([], |row| row.get(0)).optional()?;
    Ok(last.map_or(0, i64::unsigned_abs))
}

fn change(row: &Row<'_>) -> Result<Option<Change>> {
    let (word, level): (String, Option<u8>) = (row.get(2)?, row.get(3)?);
    let Some(kind) = ChangeKind::of(&word, level) else { return Ok(None) };
    Ok(Some(Change {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        at: WallTime::from_micros(row.get(1)?),
        kind,
        event: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
    }))
}

/// Adds a change, in the transaction that makes it.
pub(super) fn put(
    transaction: &Transaction<'_>,
    kind: ChangeKind,
    event: Option<u64>,
    at: WallTime,
) -> Result<()> {
    let level = match kind {
        ChangeKind::Escalated(level) => Some(level.number()),
        _ => None,
    };
    transaction
        .prepare_cached("INSERT INTO change (at_us, kind, event, level) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at.as_micros(), kind.as_str(), event.map(sql), level])?;
    Ok(())
}

/// Removes a part of the changes that are older than `before`. What stays has no holes, also where the clock was set back.
pub(super) fn expire(transaction: &Transaction<'_>, before: WallTime) -> Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM change WHERE number <= (SELECT max(number) FROM change WHERE at_us < ?1)
             AND number < (SELECT min(number) FROM change) + ?2",
        )?
        .execute([before.as_micros(), EXPIRED_MAX])?;
    Ok(())
}
