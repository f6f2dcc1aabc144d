//! The outbox: messages that wait for the post, their bytes, and the pictures that are taken out when it is too large.
//!
//! Metadata is never removed. Pictures are, the oldest of the lowest severity first.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Index, signed, unsigned};
use crate::error::StoreError;
use base::ack::Ack;
use base::event::Severity;
use base::ids::OutboxId;

/// Order in which pictures are taken out.
const SHEDDING: [Severity; 3] = [Severity::Notice, Severity::Warning, Severity::Critical];
/// Bytes of a message in the outbox; neither text nor picture is read for them.
const BYTES: &str = "octet_length(message) + coalesce(octet_length(thumbnail), 0)";

/// OutboxLevel messages, as the writer knows them without a query.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OutboxLevel {
    /// Id of the outbox.
    pub id: OutboxId,
    /// Bytes of the messages and pictures that wait.
    bytes: u64,
    /// For each of [`SHEDDING`], the number up to which no message has a picture.
    bare_to: [u64; 3],
    /// No waiting message has a picture.
    is_bare: bool,
}

impl OutboxLevel {
    /// Reads the id, gives a new one if there is no valid one, and counts the bytes; goes over all of the outbox.
    pub fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let id = match read_id(connection)? {
            Some(id) => id,
            None => begin(connection)?,
        };
        let sql = format!("SELECT coalesce(sum({BYTES}), 0) FROM outbox JOIN alert USING (seq)");
        let bytes = connection.query_row(&sql, [], |row| row.get(0).map(unsigned))?;
        Ok(Self { id, bytes, ..Self::default() })
    }

    /// One more message waits.
    pub fn grow(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.is_bare &= bytes == 0;
    }

    fn shrink(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Outcome of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// The messages that it covers do not wait any more.
    Done,
    /// It is about another outbox.
    OfAnother,
    /// It covers numbers that were never given.
    OfNothing,
}

impl Index {
    /// Returns true if more than `bytes_max` wait, and pictures are among it.
    pub fn must_shed(&self, bytes_max: u64) -> bool {
        self.outbox.bytes > bytes_max && !self.outbox.is_bare
    }

    /// Takes the pictures of at most `count_max` waiting messages, fewer if `bytes_max` is kept then, in one
    /// transaction, and counts them. Returns their number.
    pub fn shed(&mut self, bytes_max: u64, count_max: usize) -> Result<u64, StoreError> {
        let failed = self.failed("take pictures out of");
        let mut after = self.outbox;
        let shed = self.in_transaction(|transaction| shed(transaction, &mut after, bytes_max, count_max));
        let shed = shed.map_err(failed)?;
        self.outbox = after;
        Ok(shed)
    }

    /// Takes delivered alerts out of the outbox.
    pub fn delivered(&mut self, seqs: &[u64]) -> Result<(), StoreError> {
        let failed = self.failed("mark alerts as delivered");
        let bytes = self
            .in_transaction(|transaction| {
                let runs = seqs.iter().map(|seq| (*seq, *seq));
                runs.map(|(first, last)| remove(transaction, first, last)).sum::<rusqlite::Result<u64>>()
            })
            .map_err(failed)?;
        self.outbox.shrink(bytes);
        Ok(())
    }

    /// Takes the messages that the post has stored out of the outbox, run by run in one transaction.
    pub fn acknowledged(&mut self, ack: &Ack) -> Result<Acknowledged, StoreError> {
        if ack.outbox != self.outbox.id {
            return Ok(Acknowledged::OfAnother);
        }
        let failed = self.failed("mark alerts as acknowledged");
        let bytes = self
            .in_transaction(|transaction| {
                let last: i64 =
                    transaction.query_row("SELECT last FROM sequence WHERE one = 1", [], |row| row.get(0))?;
                if ack.highest > unsigned(last) {
                    return Ok(None);
                }
                let removed = ack.runs().map(|(first, last)| remove(transaction, first, last));
                removed.sum::<rusqlite::Result<u64>>().map(Some)
            })
            .map_err(failed)?;
        self.outbox.shrink(bytes.unwrap_or(0));
        Ok(if bytes.is_some() { Acknowledged::Done } else { Acknowledged::OfNothing })
    }
}

fn read_id(connection: &Connection) -> rusqlite::Result<Option<OutboxId>> {
    let id: Option<String> =
        connection.query_row("SELECT id FROM outbox_identity", [], |row| row.get(0)).optional()?;
    Ok(id.and_then(|id| id.parse().ok()))
}

/// Makes it another outbox: the numbers that were given so far belong to the one before.
pub(crate) fn begin(connection: &Connection) -> rusqlite::Result<OutboxId> {
    let id = OutboxId::random();
    connection.execute(
        "INSERT OR REPLACE INTO outbox_identity (one, id, since) SELECT 1, ?1, last FROM sequence WHERE one = 1",
        [id.to_string()],
    )?;
    Ok(id)
}

/// Takes a run of numbers out of the outbox. Returns their bytes.
fn remove(transaction: &Transaction, first: u64, last: u64) -> rusqlite::Result<u64> {
    let run = params![signed(first), signed(last)];
    let sum = format!(
        "SELECT coalesce(sum({BYTES}), 0) FROM outbox JOIN alert USING (seq) WHERE seq BETWEEN ?1 AND ?2"
    );
    let bytes = transaction.prepare_cached(&sum)?.query_row(run, |row| row.get(0).map(unsigned))?;
    transaction.prepare_cached("DELETE FROM outbox WHERE seq BETWEEN ?1 AND ?2")?.execute(run)?;
    Ok(bytes)
}

fn shed(
    transaction: &Transaction,
    level: &mut OutboxLevel,
    bytes_max: u64,
    count_max: usize,
) -> rusqlite::Result<u64> {
    let mut shed = 0;
    for (severity, bare_to) in SHEDDING.iter().zip(0..) {
        while level.bytes > bytes_max {
            if shed == count_max {
                return note_shed(transaction, shed);
            }
            let Some((seq, bytes)) = oldest_picture(transaction, *severity, level.bare_to[bare_to])? else {
                let last = transaction.query_row("SELECT last FROM sequence", [], |row| row.get(0))?;
                level.bare_to[bare_to] = unsigned(last);
                break;
            };
            transaction
                .prepare_cached("UPDATE alert SET thumbnail = NULL WHERE seq = ?1")?
                .execute([signed(seq)])?;
            level.bare_to[bare_to] = seq;
            level.shrink(bytes);
            shed += 1;
        }
    }
    level.is_bare = level.bytes > bytes_max;
    note_shed(transaction, shed)
}

/// The oldest waiting message of a severity behind `after` that has a picture, and the picture's bytes.
fn oldest_picture(
    transaction: &Transaction,
    severity: Severity,
    after: u64,
) -> rusqlite::Result<Option<(u64, u64)>> {
    transaction
        .prepare_cached(
            "SELECT outbox.seq, octet_length(thumbnail)
             FROM outbox CROSS JOIN alert ON alert.seq = outbox.seq CROSS JOIN event ON event.id = alert.event
             WHERE outbox.seq > ?1 AND thumbnail IS NOT NULL AND severity = ?2 ORDER BY outbox.seq LIMIT 1",
        )?
        .query_row(params![signed(after), severity.as_str()], |row| {
            Ok((unsigned(row.get(0)?), unsigned(row.get(1)?)))
        })
        .optional()
}

fn note_shed(transaction: &Transaction, shed: usize) -> rusqlite::Result<u64> {
    let shed = shed as u64;
    transaction
        .execute("UPDATE outbox_identity SET thumbnails_shed = thumbnails_shed + ?1", [signed(shed)])?;
    Ok(shed)
}
