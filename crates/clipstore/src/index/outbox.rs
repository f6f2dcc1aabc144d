//! The outbox: messages that wait for the post, their bytes, and the pictures that are taken out when it is too large.
//!
//! Metadata is never removed. Pictures are, the oldest of the lowest severity first.

use std::collections::BTreeSet;

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
    /// It proves that the store has gone back; the outbox has another id now.
    GoneBack,
}

/// An acknowledgement of the post, with the numbers that it may remove: those that were sent.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledgement {
    /// The latest one.
    pub ack: Ack,
    /// Numbers that were sent and that this one, or one before, covers.
    pub sent: BTreeSet<u64>,
}

impl Acknowledgement {
    /// This one, with the numbers and the conflict of an earlier one of the same outbox that is not in the index yet.
    pub fn after(mut self, earlier: Option<Self>) -> Self {
        if let Some(earlier) = earlier.filter(|earlier| earlier.ack.outbox == self.ack.outbox) {
            self.ack.conflict = self.ack.conflict.or(earlier.ack.conflict);
            self.sent.extend(earlier.sent);
        }
        self
    }
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

    /// Takes the sent messages that the post has stored out of the outbox, in one transaction. Begins another outbox instead
    /// where the post's words prove that the store has gone back.
    pub fn acknowledged(&mut self, acknowledgement: &Acknowledgement) -> Result<Acknowledged, StoreError> {
        let Acknowledgement { ack, sent } = acknowledgement;
        if ack.outbox != self.outbox.id {
            return Ok(Acknowledged::OfAnother);
        }
        let failed = self.failed("mark alerts as acknowledged");
        let done = self
            .in_transaction(|transaction| {
                if has_gone_back(transaction, ack)? {
                    return begin(transaction).map(Err);
                }
                let removed = runs(sent).into_iter().map(|(first, last)| remove(transaction, first, last));
                removed.sum::<rusqlite::Result<u64>>().map(Ok)
            })
            .map_err(failed)?;
        match done {
            Ok(bytes) => self.outbox.shrink(bytes),
            Err(id) => self.outbox.id = id,
        }
        Ok(if done.is_ok() { Acknowledged::Done } else { Acknowledged::GoneBack })
    }
}

/// True where the post has messages of this outbox that the index has not, or has other ones under their numbers.
pub(crate) fn has_gone_back(connection: &Connection, ack: &Ack) -> rusqlite::Result<bool> {
    const OTHER: &str = "SELECT 1 FROM alert WHERE seq = ?1 AND (event <> ?2 OR phase <> ?3)";
    let last: i64 = connection.query_row("SELECT last FROM sequence WHERE one = 1", [], |row| row.get(0))?;
    if ack.conflict.is_some() || ack.highest > unsigned(last) {
        return Ok(true);
    }
    let mut other = connection.prepare_cached(OTHER)?;
    for named in &ack.named {
        if other.exists(params![signed(named.seq), named.id.to_string(), named.phase.as_str()])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Numbers as runs of `(first, last)`.
fn runs(numbers: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for seq in numbers.iter().copied() {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            _ => runs.push((seq, seq)),
        }
    }
    runs
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover::rebuild;
    use crate::recover::reconcile::ScanMode;
    use crate::testing::{START, draft};
    use base::ack::Named;

    /// An index with `count` alerts, in a folder that lasts as long as the test.
    fn index(count: u64) -> (Index, tempfile::TempDir) {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("clips")).unwrap();
        let mut index = rebuild::open(place.path(), "boot", ScanMode::NotEnded).unwrap().index;
        (0..count).for_each(|_| drop(index.put_alert(draft("gate"), START.wall).unwrap()));
        (index, place)
    }

    fn waiting(index: &Index) -> Vec<u64> {
        let mut select = index.connection.prepare("SELECT seq FROM outbox ORDER BY seq").unwrap();
        select
            .query_map([], |row| row.get(0).map(unsigned))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap()
    }

    /// The word of the post that it has everything up to `highest`.
    fn ack(index: &Index, highest: u64) -> Ack {
        Ack::of("box-1".parse().unwrap(), index.outbox.id, [(1, highest)])
    }

    fn with(ack: Ack, sent: &[u64]) -> Acknowledgement {
        Acknowledgement { ack, sent: sent.iter().copied().collect() }
    }

    fn message(index: &Index, seq: u64) -> Named {
        let (message, thumbnail): (String, Option<Vec<u8>>) = index
            .connection
            .query_row("SELECT message, thumbnail FROM alert WHERE seq = ?1", [signed(seq)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        let alert = crate::index::parse_alert(index.outbox.id, seq, (message, thumbnail)).unwrap();
        Named { seq, id: alert.id, phase: alert.phase }
    }

    #[test]
    fn only_what_was_sent_leaves() {
        let (mut index, _place) = index(6);
        let word = with(Ack { named: vec![message(&index, 5)], ..ack(&index, 5) }, &[2, 3, 5]);
        assert_eq!(index.acknowledged(&word).unwrap(), Acknowledged::Done);
        assert_eq!(waiting(&index), [1, 4, 6]);
    }

    #[test]
    fn a_store_that_has_gone_back_begins_another_outbox_and_keeps_all_that_waits() {
        for proof in ["a number that was never given", "another alert", "a conflict"] {
            let (mut index, _place) = index(6);
            let before = index.outbox.id;
            let word = match proof {
                "another alert" => {
                    let named = Named { seq: 4, ..message(&index, 5) };
                    Ack { named: vec![named], ..ack(&index, 4) }
                }
                "a conflict" => Ack { conflict: Some(2), ..ack(&index, 4) },
                _ => ack(&index, 7),
            };
            let word = with(word, &[1, 2, 3, 4]);
            assert_eq!(index.acknowledged(&word).unwrap(), Acknowledged::GoneBack, "{proof}");
            assert_ne!(index.outbox.id, before, "{proof}");
            assert_eq!(waiting(&index), [1, 2, 3, 4, 5, 6], "{proof}");
            // The retained word of the outbox before ends nothing, and its proof does not count twice.
            let now = index.outbox.id;
            assert_eq!(index.acknowledged(&word).unwrap(), Acknowledged::OfAnother);
            assert_eq!(index.outbox.id, now);
            let alert = index.put_alert(draft("gate"), START.wall).unwrap();
            assert_eq!((alert.outbox, alert.seq), (now, 7));
            assert_eq!(OutboxLevel::read(&index.connection).unwrap().id, now, "{proof}");
        }
    }

    #[test]
    fn a_later_word_keeps_the_numbers_of_the_one_before() {
        let (index, _place) = index(3);
        let earlier = with(Ack { conflict: Some(1), ..ack(&index, 1) }, &[1]);
        let both = with(ack(&index, 3), &[3]).after(Some(earlier.clone()));
        assert_eq!((both.ack.highest, both.ack.conflict), (3, Some(1)));
        assert_eq!(both.sent.into_iter().collect::<Vec<_>>(), [1, 3]);
        let other = Ack { outbox: OutboxId::random(), ..ack(&index, 3) };
        assert_eq!(with(other, &[2]).after(Some(earlier)).sent.len(), 1, "another outbox counts apart");
    }
}
