//! Boxes that a person has removed from the list: those that are no more, or never were. Their alerts and the numbers of these
//! stay, unless the person says otherwise of the alerts; a row of the log says who removed them, and why.

use rusqlite::{Connection, Result, TransactionBehavior, params};

use super::lost::Verdict;
use super::{ChangeKind, Storage, StorageError, chain, changes, sql};
use crate::arrival::Sender;
use base::time::WallTime;

/// Removal of a box as it was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Its number in the order of removals.
    pub number: u64,
    /// The person, the reason and the time.
    pub verdict: Verdict,
    /// The box.
    pub sender: Sender,
    /// Number of alert messages that were removed with it.
    pub alerts: u64,
}

impl Storage {
    /// Removes all rows about a box but its alerts and their numbers, and those of its alerts too with `alerts`. Returns the
    /// number of removed alert messages.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget(
        &mut self,
        sender: &Sender,
        alerts: bool,
        verdict: &Verdict,
    ) -> std::result::Result<u64, StorageError> {
        let failed = self.failed("remove a box from");
        let removed = forget(&mut self.connection, sender, alerts, verdict).map_err(failed)?;
        self.note_end()?;
        Ok(removed)
    }

    /// Removals after the one with this number, in order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn forgotten(&self, after_number: u64) -> std::result::Result<Vec<Forgotten>, StorageError> {
        let failed = self.failed("read the removed boxes of");
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT number, at_us, who, why, ward, box, alerts FROM forgotten WHERE number > ?1
                 ORDER BY number",
            )
            .map_err(&failed)?;
        let mut rows = select.query([sql(after_number)]).map_err(&failed)?;
        let mut forgotten = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let text = |column: usize| row.get::<_, String>(column).map_err(&failed);
            let number = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs).map_err(&failed);
            let at = WallTime::from_micros(row.get(1).map_err(&failed)?);
            forgotten.push(Forgotten {
                number: number(0)?,
                verdict: Verdict { who: text(2)?, why: text(3)?, at },
                sender: self.sender(&text(4)?, &text(5)?)?,
                alerts: number(6)?,
            });
        }
        Ok(forgotten)
    }
}

fn forget(connection: &mut Connection, sender: &Sender, alerts: bool, verdict: &Verdict) -> Result<u64> {
    let (ward, id) = (sender.ward.as_str(), sender.box_id.as_str());
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for text in [
        "DELETE FROM box WHERE ward = ?1 AND id = ?2",
        "DELETE FROM vitals WHERE ward = ?1 AND box = ?2",
        "DELETE FROM access_log WHERE ward = ?1 AND box = ?2",
        "DELETE FROM map_place WHERE ward = ?1 AND box = ?2",
    ] {
        transaction.execute(text, [ward, id])?;
    }
    let mut removed = 0;
    if alerts {
        removed = transaction.execute("DELETE FROM alert WHERE ward = ?1 AND box = ?2", [ward, id])?;
        transaction.execute("DELETE FROM still WHERE ward = ?1 AND box = ?2", [ward, id])?;
        transaction.execute("DELETE FROM event WHERE ward = ?1 AND box = ?2", [ward, id])?;
        changes::put(&transaction, ChangeKind::Removed, None, verdict.at)?;
    }
    transaction.execute(
        "INSERT INTO forgotten (at_us, who, why, ward, box, alerts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![verdict.at.as_micros(), verdict.who, verdict.why, ward, id, sql(removed as u64)],
    )?;
    chain::extend(&transaction)?;
    transaction.commit()?;
    Ok(removed as u64)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, arrival, sender, status, vitals};
    use super::super::{Batch, Filter};
    use super::*;

    #[test]
    fn a_removed_box_is_gone_and_its_alerts_and_their_numbers_stay_unless_told() {
        let place = tempfile::tempdir().unwrap();
        let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        let at = WallTime::from_micros(1_777_673_644_000_000);
        let arrivals = vec![
            arrival(&alert("box-1", 1)),
            arrival(&alert("box-2", 1)),
            status("box-2", None),
            vitals("box-2", None, at),
        ];
        storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
        let verdict = Verdict { who: "an".into(), why: "a stolen certificate".into(), at };
        assert_eq!(storage.forget(&sender("box-2"), false, &verdict).unwrap(), 0);
        let known: Vec<Sender> = storage.boxes().unwrap().into_iter().map(|known| known.sender).collect();
        assert_eq!(known, [sender("box-1")]);
        assert_eq!(storage.vitals_history(&sender("box-2")).unwrap(), []);
        assert_eq!(storage.alerts(&Filter::default()).unwrap().len(), 2);
        assert_eq!(storage.outboxes(&sender("box-2")).unwrap().len(), 1);
        assert_eq!(storage.forget(&sender("box-2"), true, &verdict).unwrap(), 1);
        assert_eq!(storage.alerts(&Filter::default()).unwrap().len(), 1);
        let forgotten = storage.forgotten(0).unwrap();
        assert_eq!(
            forgotten.iter().map(|one| (one.number, one.alerts)).collect::<Vec<_>>(),
            [(1, 0), (2, 1)]
        );
        assert_eq!((&forgotten[0].verdict, &forgotten[0].sender), (&verdict, &sender("box-2")));
        assert_eq!(storage.verify_log(None).unwrap().faults, [""; 0]);
    }
}
