//! Shelves: cameras and rules whose events are kept out of the queue for a time. Alerts are stored all the same.

use std::time::Duration;

use rusqlite::{Connection, Result, Row, Transaction, TransactionBehavior, params};
use serde_json::json;

use super::changes::{self, ChangeKind};
use super::decisions::{self, Entry};
use super::{Storage, StorageError, sql};
use crate::arrival::Sender;
use crate::events::{Authority, Covered, Note, Officer, ShelfRefusal, ShelfScope, Source, check_end};
use base::time::WallTime;

/// Maximum number of shelves at once.
const SHELVES_MAX: usize = 256;

/// A shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// Its number.
    pub number: u64,
    /// Part of a box that it covers.
    pub scope: ShelfScope,
    /// The person who set it.
    pub who: String,
    /// The reason.
    pub reason: String,
    /// Its beginning.
    pub begun_at: WallTime,
    /// Its end.
    pub until: WallTime,
    /// Number of its events that are not closed.
    pub events: u64,
}

/// A shelf to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShelf {
    /// Part of a box that it covers.
    pub scope: ShelfScope,
    /// The reason.
    pub reason: Note,
    /// Its end.
    pub until: WallTime,
}

impl Storage {
    /// Sets a shelf. New events that it covers go to it, and those of the queue that nobody has. Returns its number.
    ///
    /// # Errors
    /// The database cannot be written. A refusal is inside of the result.
    pub fn shelve(
        &mut self,
        new: &NewShelf,
        officer: &Officer,
        authority: Authority,
        now: WallTime,
    ) -> std::result::Result<std::result::Result<u64, ShelfRefusal>, StorageError> {
        if let Err(refusal) = check_end(authority, now, new.until) {
            return Ok(Err(refusal));
        }
        if new.reason.is_empty() {
            return Ok(Err(ShelfRefusal::NoReason));
        }
        let failed = self.failed("set a shelf in");
        shelve(&mut self.connection, new, officer, now).map_err(failed)
    }

    /// Ends a shelf. Its events stay on it until they are closed. Returns false where it has ended already.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn unshelve(
        &mut self,
        shelf: u64,
        officer: &Officer,
        now: WallTime,
    ) -> std::result::Result<bool, StorageError> {
        let failed = self.failed("end a shelf in");
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let has_ended = end(&transaction, shelf, Some(officer), now).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(has_ended)
    }

    /// Shelves that last, the one that ends first in front.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn shelves(&self) -> std::result::Result<Vec<Shelf>, StorageError> {
        let failed = self.failed("read the shelves of");
        let rows = lasting(&self.connection).map_err(&failed)?;
        rows.into_iter().map(|row| self.shelf(row)).collect()
    }

    fn shelf(&self, row: ShelfRow) -> std::result::Result<Shelf, StorageError> {
        let damaged = || self.damaged(format!("shelf {}", row.number));
        let sender = self.sender(&row.ward, &row.id)?;
        let camera = row.camera.as_ref().map(|camera| camera.parse().map_err(|_| damaged())).transpose()?;
        let rule = row.rule.as_ref().map(|rule| rule.parse().map_err(|_| damaged())).transpose()?;
        let covered = Covered::of(camera, rule).ok_or_else(damaged)?;
        Ok(Shelf {
            number: row.number,
            scope: ShelfScope { sender, covered },
            who: row.who,
            reason: row.reason,
            begun_at: row.begun_at,
            until: row.until,
            events: row.events,
        })
    }
}

struct ShelfRow {
    number: u64,
    ward: String,
    id: String,
    camera: Option<String>,
    rule: Option<String>,
    who: String,
    reason: String,
    begun_at: WallTime,
    until: WallTime,
    events: u64,
}

fn lasting(connection: &Connection) -> Result<Vec<ShelfRow>> {
    let mut select = connection.prepare_cached(
        "SELECT number, ward, box, camera, rule, who, reason, begun_us, until_us,
                (SELECT count(*) FROM event WHERE tab = 'shelved' AND event.shelf = shelf.number)
         FROM shelf WHERE ended_us IS NULL ORDER BY until_us LIMIT ?1",
    )?;
    let rows = select.query_map([sql(SHELVES_MAX as u64)], shelf_row)?;
    rows.collect()
}

fn shelf_row(row: &Row<'_>) -> Result<ShelfRow> {
    Ok(ShelfRow {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        ward: row.get(1)?,
        id: row.get(2)?,
        camera: row.get(3)?,
        rule: row.get(4)?,
        who: row.get(5)?,
        reason: row.get(6)?,
        begun_at: WallTime::from_micros(row.get(7)?),
        until: WallTime::from_micros(row.get(8)?),
        events: row.get::<_, i64>(9)?.unsigned_abs(),
    })
}

fn shelve(
    connection: &mut Connection,
    new: &NewShelf,
    officer: &Officer,
    now: WallTime,
) -> Result<std::result::Result<u64, ShelfRefusal>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (sender, covered) = (&new.scope.sender, &new.scope.covered);
    let (ward, id) = (sender.ward.as_str(), sender.box_id.as_str());
    let camera = covered.camera().map(|camera| camera.as_str());
    let rule = covered.rule().map(|rule| rule.as_str());
    let present: Option<i64> = transaction.query_row(
        "SELECT max(number) FROM shelf WHERE ended_us IS NULL AND ward = ?1 AND box = ?2 AND camera IS ?3
           AND rule IS ?4",
        params![ward, id, camera, rule],
        |row| row.get(0),
    )?;
    if let Some(shelf) = present {
        return Ok(Err(ShelfRefusal::Already { shelf: shelf.unsigned_abs() }));
    }
    transaction.execute(
        "INSERT INTO shelf (ward, box, camera, rule, who, reason, begun_us, until_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            ward,
            id,
            camera,
            rule,
            officer.as_str(),
            new.reason.as_str(),
            now.as_micros(),
            new.until.as_micros()
        ],
    )?;
    let shelf = transaction.last_insert_rowid().unsigned_abs();
    transaction.execute(
        "UPDATE event SET shelf = ?1 WHERE tab = 'open' AND state = 'new' AND ward = ?2 AND box = ?3
           AND (?4 IS NULL OR camera = ?4) AND (?5 IS NULL OR rule = ?5)",
        params![sql(shelf), ward, id, camera, rule],
    )?;
    let detail = json!({ "shelf": shelf, "ward": ward, "box": id, "camera": camera, "rule": rule,
        "reason": new.reason.as_str(), "until": new.until });
    log(&transaction, Some(officer), "shelve", &detail, now)?;
    transaction.commit()?;
    Ok(Ok(shelf))
}

/// Ends a shelf within a transaction. Returns false where it has ended already.
fn end(transaction: &Transaction<'_>, shelf: u64, officer: Option<&Officer>, now: WallTime) -> Result<bool> {
    let ended = transaction.execute(
        "UPDATE shelf SET ended_us = ?2 WHERE number = ?1 AND ended_us IS NULL",
        [sql(shelf), now.as_micros()],
    )?;
    if ended > 0 {
        log(transaction, officer, "unshelve", &json!({ "shelf": shelf }), now)?;
    }
    Ok(ended > 0)
}

fn log(
    transaction: &Transaction<'_>,
    officer: Option<&Officer>,
    action: &str,
    detail: &serde_json::Value,
    at: WallTime,
) -> Result<()> {
    let who = officer.map(Officer::as_str);
    decisions::append(transaction, &Entry { at, who, event: None, action, detail })?;
    changes::put(transaction, ChangeKind::Shelves, None, at)
}

/// Ends the shelves whose time has come. Returns their number.
pub(super) fn end_due(transaction: &Transaction<'_>, now: WallTime) -> Result<u64> {
    let mut select = transaction
        .prepare_cached("SELECT number FROM shelf WHERE ended_us IS NULL AND until_us <= ?1 LIMIT ?2")?;
    let due = select.query_map([now.as_micros(), sql(SHELVES_MAX as u64)], |row| row.get::<_, i64>(0))?;
    let mut ended = 0;
    for shelf in due.collect::<Result<Vec<_>>>()? {
        ended += u64::from(end(transaction, shelf.unsigned_abs(), None, now)?);
    }
    Ok(ended)
}

/// The shelf that covers a source now: the one that lasts longest.
pub(super) fn covering(connection: &Connection, source: &Source, now: WallTime) -> Result<Option<u64>> {
    let Sender { ward, box_id } = &source.sender;
    let mut select = connection.prepare_cached(
        "SELECT number FROM shelf WHERE ended_us IS NULL AND until_us > ?3 AND ward = ?1 AND box = ?2
           AND (camera IS NULL OR camera = ?4) AND (rule IS NULL OR rule = ?5)
         ORDER BY until_us DESC LIMIT 1",
    )?;
    let of = params![
        ward.as_str(),
        box_id.as_str(),
        now.as_micros(),
        source.camera.as_str(),
        source.rule.as_str()
    ];
    let mut rows = select.query(of)?;
    rows.next()?.map(|row| row.get::<_, i64>(0).map(i64::unsigned_abs)).transpose()
}

impl Shelf {
    /// Time until its end.
    pub fn left(&self, now: WallTime) -> Duration {
        self.until.since(now)
    }
}

#[cfg(test)]
mod tests;
