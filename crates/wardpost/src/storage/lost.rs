//! Numbers that no message will ever have, as the box or a person declares. From then on no box is asked for them. Origin,
//! time and reason are logged. A message that comes with such a number after all is stored like any other.

use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior, params};

use super::runs::{Runs, between};
use super::{Storage, StorageError, chain, sql};
use crate::arrival::Sender;
use base::ack::Gap;
use base::ids::OutboxId;
use base::status::{ABANDONED_MAX, OutboxStatus};
use base::time::WallTime;

/// Declaration that numbers are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The person or box that declares it.
    pub who: String,
    /// Its reason.
    pub why: String,
    /// Its time.
    pub at: WallTime,
}

/// A declaration as it was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Its number in the order of settlements.
    pub number: u64,
    /// The declaration.
    pub verdict: Verdict,
    /// The box of the numbers.
    pub sender: Sender,
    /// Their outbox.
    pub outbox: OutboxId,
    /// The numbers.
    pub gap: Gap,
}

impl Storage {
    /// Closes all holes of an outbox, for good. Returns the closed holes.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn settle(
        &mut self,
        sender: &Sender,
        outbox: OutboxId,
        verdict: &Verdict,
    ) -> std::result::Result<Vec<Gap>, StorageError> {
        let failed = self.failed("settle an outbox in");
        let closed = settle(&mut self.connection, sender, outbox, verdict).map_err(failed)?;
        self.note_end()?;
        Ok(closed)
    }

    /// Declarations after the one with this number, in order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn settlements(&self, after_number: u64) -> std::result::Result<Vec<Settlement>, StorageError> {
        let failed = self.failed("read what was settled in");
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT number, at_us, who, why, ward, box, outbox, first, last FROM settlement WHERE number > ?1
                 ORDER BY number",
            )
            .map_err(&failed)?;
        let mut rows = select.query([sql(after_number)]).map_err(&failed)?;
        let mut settlements = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            settlements.push(self.settlement(row)?);
        }
        Ok(settlements)
    }

    fn settlement(&self, row: &rusqlite::Row<'_>) -> std::result::Result<Settlement, StorageError> {
        let failed = self.failed("read what was settled in");
        let text = |column: usize| row.get::<_, String>(column).map_err(&failed);
        let number = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs).map_err(&failed);
        Ok(Settlement {
            number: number(0)?,
            verdict: Verdict {
                at: WallTime::from_micros(row.get(1).map_err(&failed)?),
                who: text(2)?,
                why: text(3)?,
            },
            sender: self.sender(&text(4)?, &text(5)?)?,
            outbox: self.outbox(&text(6)?)?,
            gap: Gap { first: number(7)?, last: number(8)? },
        })
    }
}

/// Takes the box's report about its outbox. Returns true where the box has to be sent an acknowledgement.
pub(super) fn abandon(
    transaction: &Transaction<'_>,
    sender: &Sender,
    said: &OutboxStatus,
    at: WallTime,
) -> Result<bool> {
    let verdict =
        Verdict { who: sender.to_string(), why: "the box has abandoned these numbers".to_owned(), at };
    let mut is_new = counts_in(transaction, sender)? != Some(said.id.to_string());
    // Excludes numbers at or above the largest that SQLite can count to.
    let makes_sense =
        |gap: &&Gap| 0 < gap.first && gap.first <= gap.last && gap.last < i64::MAX.unsigned_abs();
    for gap in said.abandoned.iter().filter(makes_sense).take(ABANDONED_MAX) {
        is_new |= !close(transaction, sender, said.id, *gap, &verdict)?.is_empty();
    }
    Ok(is_new)
}

/// Present outbox of the box, as far as it is known.
fn counts_in(connection: &Connection, sender: &Sender) -> Result<Option<String>> {
    let mut select = connection.prepare_cached("SELECT outbox FROM box WHERE ward = ?1 AND id = ?2")?;
    let known =
        select.query_row([sender.ward.as_str(), sender.box_id.as_str()], |row| row.get(0)).optional()?;
    Ok(known.flatten())
}

fn settle(
    connection: &mut Connection,
    sender: &Sender,
    outbox: OutboxId,
    verdict: &Verdict,
) -> Result<Vec<Gap>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut closed = Vec::new();
    for gap in between(&Runs::covered(sender, outbox).list(&transaction, usize::MAX)?) {
        closed.extend(close(&transaction, sender, outbox, gap, verdict)?);
    }
    chain::extend(&transaction)?;
    transaction.commit()?;
    Ok(closed)
}

/// Closes the part of a gap that is still open.
fn close(
    transaction: &Transaction<'_>,
    sender: &Sender,
    outbox: OutboxId,
    gap: Gap,
    verdict: &Verdict,
) -> Result<Vec<Gap>> {
    let closed = Runs::covered(sender, outbox).add(transaction, gap)?;
    for gap in &closed {
        Runs::lost(sender, outbox).add(transaction, *gap)?;
        let (first, last) = (gap.first, gap.last);
        tracing::warn!("{sender}: numbers {first} to {last} of outbox {outbox} are lost: {}", verdict.why);
        transaction
            .prepare_cached(
                "INSERT INTO settlement (at_us, who, why, ward, box, outbox, first, last)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                verdict.at.as_micros(),
                verdict.who,
                verdict.why,
                sender.ward.as_str(),
                sender.box_id.as_str(),
                outbox.to_string(),
                sql(first),
                sql(last)
            ])?;
    }
    Ok(closed)
}
