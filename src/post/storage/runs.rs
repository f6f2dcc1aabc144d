//! Which numbers of an outbox are stored: runs that neither touch nor overlap, merged where they meet. A box without
//! holes has one row, however much it sends.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::sql;
use crate::domain::ack::{Ack, GAPS_MAX};
use crate::domain::ids::OutboxId;
use crate::post::arrival::Sender;

/// Whether the number is stored.
pub(super) fn contains(connection: &Connection, sender: &Sender, outbox: OutboxId, seq: u64) -> Result<bool> {
    Ok(at_or_below(connection, sender, outbox, sql(seq))?.is_some_and(|(_, last)| last >= sql(seq)))
}

/// Adds a number; does nothing where it is stored.
pub(super) fn add(connection: &Connection, sender: &Sender, outbox: OutboxId, seq: u64) -> Result<()> {
    let seq = sql(seq);
    let below = at_or_below(connection, sender, outbox, seq)?;
    if below.is_some_and(|(_, last)| last >= seq) {
        return Ok(());
    }
    let first = below.filter(|(_, last)| last + 1 == seq).map_or(seq, |(first, _)| first);
    let (ward, id, outbox) = (sender.ward.as_str(), sender.box_id.as_str(), outbox.to_string());
    // None at the end of what SQLite can count.
    let above = seq.checked_add(1);
    let mut remove = connection.prepare_cached(
        "DELETE FROM run WHERE ward = ?1 AND box = ?2 AND outbox = ?3 AND first = ?4 RETURNING last",
    )?;
    let last =
        remove.query_row(params![ward, id, outbox, above], |row| row.get(0)).optional()?.unwrap_or(seq);
    let mut put = connection.prepare_cached(
        "INSERT INTO run (ward, box, outbox, first, last) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (ward, box, outbox, first) DO UPDATE SET last = excluded.last",
    )?;
    put.execute(params![ward, id, outbox, first, last])?;
    Ok(())
}

/// Runs in ascending order, at most `limit`.
pub(super) fn list(
    connection: &Connection,
    sender: &Sender,
    outbox: OutboxId,
    limit: usize,
) -> Result<Vec<(u64, u64)>> {
    let mut select = connection.prepare_cached(
        "SELECT first, last FROM run WHERE ward = ?1 AND box = ?2 AND outbox = ?3 ORDER BY first LIMIT ?4",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
    };
    let found = select
        .query_map(params![sender.ward.as_str(), sender.box_id.as_str(), outbox.to_string(), limit], row)?;
    found.collect()
}

/// What to tell the box of this outbox.
pub(super) fn ack(connection: &Connection, sender: &Sender, outbox: OutboxId) -> Result<Ack> {
    let runs = list(connection, sender, outbox, GAPS_MAX + 2)?;
    Ok(Ack::of(sender.box_id.clone(), outbox, runs))
}

fn at_or_below(
    connection: &Connection,
    sender: &Sender,
    outbox: OutboxId,
    seq: i64,
) -> Result<Option<(i64, i64)>> {
    let mut select = connection.prepare_cached(
        "SELECT first, last FROM run WHERE ward = ?1 AND box = ?2 AND outbox = ?3 AND first <= ?4
         ORDER BY first DESC LIMIT 1",
    )?;
    let of = params![sender.ward.as_str(), sender.box_id.as_str(), outbox.to_string(), seq];
    select.query_row(of, |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::post::storage::STEPS;
    use crate::post::storage::testing::sender;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection
    }

    #[test]
    fn a_hundred_thousand_in_a_row_are_one_row() {
        let mut connection = database();
        let (sender, outbox) = (sender("box-1"), OutboxId::default());
        let transaction = connection.transaction().unwrap();
        // Even ones first: as many runs as there can be, which then grow together.
        for seq in (2..=100_000).step_by(2).chain((1..=100_000).step_by(2)) {
            add(&transaction, &sender, outbox, seq).unwrap();
        }
        transaction.commit().unwrap();
        assert_eq!(list(&connection, &sender, outbox, 9).unwrap(), [(1, 100_000)]);
        add(&connection, &sender, outbox, i64::MAX.unsigned_abs()).unwrap();
        assert_eq!(ack(&connection, &sender, outbox).unwrap().gaps.len(), 1);
    }

    proptest! {
        /// As a set of numbers says it, whatever the order, with repetitions, and each outbox for itself.
        #[test]
        fn they_say_what_a_set_says(
            seqs in proptest::collection::vec((any::<bool>(), 1u64..60), 0..120),
        ) {
            let connection = database();
            let outboxes = [OutboxId::default(), OutboxId(uuid::Uuid::from_u128(7))];
            let mut naive = [BTreeSet::new(), BTreeSet::new()];
            let sender = sender("box-1");
            for (which, seq) in seqs {
                let which = usize::from(which);
                let had = contains(&connection, &sender, outboxes[which], seq).unwrap();
                prop_assert_eq!(had, !naive[which].insert(seq));
                add(&connection, &sender, outboxes[which], seq).unwrap();
            }
            for (outbox, naive) in outboxes.into_iter().zip(naive) {
                let ack = ack(&connection, &sender, outbox).unwrap();
                prop_assert!(ack.is_consistent());
                let covered: BTreeSet<u64> = (0..70).filter(|seq| ack.covers(*seq)).collect();
                prop_assert_eq!(covered, naive);
                let runs = list(&connection, &sender, outbox, usize::MAX).unwrap();
                prop_assert!(runs.windows(2).all(|two| two[0].1 + 1 < two[1].0), "{:?}", runs);
            }
        }
    }
}
