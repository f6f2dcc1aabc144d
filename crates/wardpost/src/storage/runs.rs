//! Sets of an outbox's numbers, as runs that neither touch nor overlap, merged where they meet. A box without holes has
//! one row, however much it sends.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::sql;
use crate::arrival::Sender;
use base::ack::{Ack, GAPS_MAX, Gap, NAMED_MAX, Named};
use base::event::Phase;
use base::ids::OutboxId;

/// Kind of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// Stored or lost numbers: no box has to send them.
    Covered,
    /// Lost numbers, a subset of the covered ones.
    Lost,
}

impl Set {
    const fn table(self) -> &'static str {
        match self {
            Self::Covered => "run",
            Self::Lost => "lost",
        }
    }
}

/// An outbox of a box, and one of its sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs<'a> {
    pub sender: &'a Sender,
    pub outbox: OutboxId,
    pub set: Set,
}

impl<'a> Runs<'a> {
    pub fn covered(sender: &'a Sender, outbox: OutboxId) -> Self {
        Self { sender, outbox, set: Set::Covered }
    }

    pub fn lost(sender: &'a Sender, outbox: OutboxId) -> Self {
        Self { sender, outbox, set: Set::Lost }
    }

    /// True where the number is in the set.
    pub fn contains(self, connection: &Connection, seq: u64) -> Result<bool> {
        Ok(self.at_or_below(connection, sql(seq))?.is_some_and(|(_, last)| last >= sql(seq)))
    }

    /// Adds all numbers of a gap, and returns those that were not in the set, in order.
    pub fn add(self, connection: &Connection, gap: Gap) -> Result<Vec<Gap>> {
        let new = self.without(connection, gap)?;
        for gap in &new {
            self.add_new(connection, sql(gap.first), sql(gap.last))?;
        }
        Ok(new)
    }

    /// Takes a number out.
    pub fn remove(self, connection: &Connection, seq: u64) -> Result<()> {
        let seq = sql(seq);
        let Some((first, last)) = self.at_or_below(connection, seq)?.filter(|(_, last)| *last >= seq) else {
            return Ok(());
        };
        self.take(connection, first)?;
        if first < seq {
            self.put(connection, first, seq - 1)?;
        }
        if seq < last {
            self.put(connection, seq + 1, last)?;
        }
        Ok(())
    }

    /// Runs in ascending order, at most `limit`.
    pub fn list(self, connection: &Connection, limit: usize) -> Result<Vec<(u64, u64)>> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT first, last FROM {} WHERE ward = ?1 AND box = ?2 AND outbox = ?3 ORDER BY first LIMIT ?4",
            self.set.table()
        ))?;
        let (ward, id, outbox) = self.key();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        select
            .query_map(params![ward, id, outbox, limit], |row| Ok((number(row, 0)?, number(row, 1)?)))?
            .collect()
    }

    /// The parts of a gap that are not in the set.
    fn without(self, connection: &Connection, gap: Gap) -> Result<Vec<Gap>> {
        let below = self.at_or_below(connection, sql(gap.first))?;
        let mut next = below.map_or(gap.first, |(_, last)| gap.first.max(last.unsigned_abs() + 1));
        let mut select = connection.prepare_cached(&format!(
            "SELECT first, last FROM {} WHERE ward = ?1 AND box = ?2 AND outbox = ?3 AND first > ?4 AND first <= ?5
             ORDER BY first",
            self.set.table()
        ))?;
        let (ward, id, outbox) = self.key();
        let mut rows = select.query(params![ward, id, outbox, sql(gap.first), sql(gap.last)])?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next()? {
            let (first, last) = (number(row, 0)?, number(row, 1)?);
            if first > next {
                parts.push(Gap { first: next, last: first - 1 });
            }
            next = last + 1;
        }
        if next <= gap.last {
            parts.push(Gap { first: next, last: gap.last });
        }
        Ok(parts)
    }

    /// Adds numbers that are not in the set.
    fn add_new(self, connection: &Connection, first: i64, last: i64) -> Result<()> {
        let below = self.at_or_below(connection, first)?.filter(|(_, below)| below + 1 == first);
        let start = below.map_or(first, |(start, _)| start);
        // None at the largest number that SQLite can count to.
        let above = match last.checked_add(1) {
            Some(next) => self.take(connection, next)?,
            None => None,
        };
        self.put(connection, start, above.unwrap_or(last))
    }

    fn put(self, connection: &Connection, first: i64, last: i64) -> Result<()> {
        let mut put = connection.prepare_cached(&format!(
            "INSERT INTO {} (ward, box, outbox, first, last) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (ward, box, outbox, first) DO UPDATE SET last = excluded.last",
            self.set.table()
        ))?;
        let (ward, id, outbox) = self.key();
        put.execute(params![ward, id, outbox, first, last]).map(drop)
    }

    /// Removes the run that begins at `first`, and returns its end.
    fn take(self, connection: &Connection, first: i64) -> Result<Option<i64>> {
        let mut remove = connection.prepare_cached(&format!(
            "DELETE FROM {} WHERE ward = ?1 AND box = ?2 AND outbox = ?3 AND first = ?4 RETURNING last",
            self.set.table()
        ))?;
        let (ward, id, outbox) = self.key();
        remove.query_row(params![ward, id, outbox, first], |row| row.get(0)).optional()
    }

    fn at_or_below(self, connection: &Connection, seq: i64) -> Result<Option<(i64, i64)>> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT first, last FROM {} WHERE ward = ?1 AND box = ?2 AND outbox = ?3 AND first <= ?4
             ORDER BY first DESC LIMIT 1",
            self.set.table()
        ))?;
        let (ward, id, outbox) = self.key();
        select.query_row(params![ward, id, outbox, seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    }

    fn key(&self) -> (&'a str, &'a str, String) {
        (self.sender.ward.as_str(), self.sender.box_id.as_str(), self.outbox.to_string())
    }
}

/// The acknowledgement of this outbox for the box.
pub(super) fn ack(connection: &Connection, sender: &Sender, outbox: OutboxId) -> Result<Ack> {
    let runs = Runs::covered(sender, outbox).list(connection, GAPS_MAX + 2)?;
    let named = named(connection, sender, outbox, &runs)?;
    Ok(Ack { named, ..Ack::of(sender.box_id.clone(), outbox, runs) })
}

/// Messages at the ends of the first runs, where they are still stored.
fn named(
    connection: &Connection,
    sender: &Sender,
    outbox: OutboxId,
    runs: &[(u64, u64)],
) -> Result<Vec<Named>> {
    let mut select = connection.prepare_cached(
        "SELECT id, phase FROM alert WHERE ward = ?1 AND box = ?2 AND outbox = ?3 AND seq = ?4 ORDER BY number LIMIT 1",
    )?;
    let (mut named, outbox) = (Vec::new(), outbox.to_string());
    for (_, seq) in runs.iter().take(NAMED_MAX) {
        let at = params![sender.ward.as_str(), sender.box_id.as_str(), outbox, sql(*seq)];
        let found = select.query_row(at, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        if let Some((id, phase)) = found.optional()?
            && let (Ok(id), Some(phase)) = (id.parse(), phase_of(&phase))
        {
            named.push(Named { seq: *seq, id, phase });
        }
    }
    Ok(named)
}

fn phase_of(text: &str) -> Option<Phase> {
    [Phase::Opened, Phase::Closed].into_iter().find(|phase| phase.as_str() == text)
}

/// The gaps between runs, from 1 on.
pub(super) fn between(runs: &[(u64, u64)]) -> Vec<Gap> {
    let mut next = 1;
    let mut gaps = Vec::new();
    for (first, last) in runs {
        if *first > next {
            gaps.push(Gap { first: next, last: first - 1 });
        }
        next = last + 1;
    }
    gaps
}

fn number(row: &rusqlite::Row<'_>, column: usize) -> Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::storage::STEPS;
    use crate::storage::testing::sender;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection
    }

    fn one(seq: u64) -> Gap {
        Gap { first: seq, last: seq }
    }

    #[test]
    fn a_hundred_thousand_in_a_row_are_one_row() {
        let mut connection = database();
        let (sender, outbox) = (sender("box-1"), OutboxId::default());
        let runs = Runs::covered(&sender, outbox);
        let transaction = connection.transaction().unwrap();
        // Even numbers first: the maximum number of runs, which then grow together.
        for seq in (2..=100_000).step_by(2).chain((1..=100_000).step_by(2)) {
            runs.add(&transaction, one(seq)).unwrap();
        }
        transaction.commit().unwrap();
        assert_eq!(runs.list(&connection, 9).unwrap(), [(1, 100_000)]);
        runs.add(&connection, one(i64::MAX.unsigned_abs())).unwrap();
        assert_eq!(ack(&connection, &sender, outbox).unwrap().gaps.len(), 1);
    }

    proptest! {
        /// Equal to a set of numbers in any order, with repetitions; outboxes and sets are independent.
        #[test]
        fn they_say_what_a_set_says(
            steps in proptest::collection::vec((0usize..3, 1u64..60, 0u64..8, any::<bool>()), 0..120),
        ) {
            let connection = database();
            let sender = sender("box-1");
            let outbox = OutboxId::default();
            let all = [
                Runs::covered(&sender, outbox),
                Runs::lost(&sender, outbox),
                Runs::covered(&sender, OutboxId(uuid::Uuid::from_u128(7))),
            ];
            let mut naive = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
            for (which, first, more, is_removed) in steps {
                let (runs, naive) = (all[which], &mut naive[which]);
                prop_assert_eq!(runs.contains(&connection, first).unwrap(), naive.contains(&first));
                if is_removed {
                    runs.remove(&connection, first).unwrap();
                    naive.remove(&first);
                    continue;
                }
                let new = runs.add(&connection, Gap { first, last: first + more }).unwrap();
                let said: Vec<u64> = new.iter().flat_map(|gap| gap.first..=gap.last).collect();
                let expected: Vec<u64> = (first..=first + more).filter(|seq| naive.insert(*seq)).collect();
                prop_assert_eq!(said, expected);
            }
            for (runs, naive) in all.into_iter().zip(naive) {
                let list = runs.list(&connection, usize::MAX).unwrap();
                prop_assert!(list.windows(2).all(|two| two[0].1 + 1 < two[1].0), "{:?}", list);
                let said: BTreeSet<u64> = list.iter().flat_map(|(first, last)| *first..=*last).collect();
                prop_assert_eq!(&said, &naive);
                let end = naive.last().map_or(1, |last| last + 1);
                let gaps: Vec<u64> = between(&list).iter().flat_map(|gap| gap.first..=gap.last).collect();
                prop_assert_eq!(gaps, (1..end).filter(|seq| !naive.contains(seq)).collect::<Vec<_>>());
                if runs.set == Set::Covered {
                    let ack = ack(&connection, &sender, runs.outbox).unwrap();
                    prop_assert!(ack.is_consistent());
                    prop_assert_eq!((0..80).filter(|seq| ack.covers(*seq)).collect::<BTreeSet<_>>(), naive);
                }
            }
        }
    }
}
