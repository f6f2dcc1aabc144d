//! The audit: who did what on the page. Its rows are a part of the log that [`super::chain`] covers.

use rusqlite::{Result, Transaction, params};

use super::{Storage, StorageError, chain, sql};
use base::time::WallTime;

/// A step that is to be audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    /// The person.
    pub who: &'a str,
    /// The action, as one word: `login`, `user-add`, `picture` ...
    pub action: &'static str,
    /// The thing or person that the action is about.
    pub about: &'a str,
    /// Time of the step.
    pub at: WallTime,
}

/// A row of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its number; numbers have no holes.
    pub number: u64,
    /// Time of the step.
    pub at: WallTime,
    /// The person.
    pub who: String,
    /// The action.
    pub action: String,
    /// The thing or person that the action is about.
    pub about: String,
}

/// Adds a row.
pub(super) fn append(transaction: &Transaction<'_>, step: &Step<'_>) -> Result<()> {
    transaction
        .prepare_cached("INSERT INTO audit (at_us, who, action, about) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![step.at.as_micros(), step.who, step.action, step.about])?;
    chain::extend(transaction)
}

impl Storage {
    /// Adds a row to the audit.
    ///
    /// # Errors
    /// The database cannot be written; then the step must not be taken.
    pub fn audit(&mut self, step: &Step<'_>) -> std::result::Result<(), StorageError> {
        let failed = self.failed("write the audit of");
        let transaction = self.begin().map_err(&failed)?;
        append(&transaction, step).and_then(|()| transaction.commit()).map_err(&failed)
    }

    /// The last rows of the audit, at most `limit`, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn audited(&self, limit: usize) -> std::result::Result<Vec<Audited>, StorageError> {
        let failed = self.failed("read the audit of");
        let text = "SELECT number, at_us, who, action, about FROM audit ORDER BY number DESC LIMIT ?1";
        let mut select = self.connection.prepare_cached(text).map_err(&failed)?;
        let rows = select.query_map([sql(limit as u64)], |row| {
            Ok(Audited {
                number: row.get::<_, i64>(0)?.unsigned_abs(),
                at: WallTime::from_micros(row.get(1)?),
                who: row.get(2)?,
                action: row.get(3)?,
                about: row.get(4)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(&failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> (tempfile::TempDir, Storage) {
        let place = tempfile::tempdir().unwrap();
        let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        for minute in 0..5 {
            let at = WallTime::from_micros(1_777_673_644_000_000 + minute * 60_000_000);
            storage.audit(&Step { who: "lan", action: "login", about: "127.0.0.1", at }).unwrap();
        }
        (place, storage)
    }

    #[test]
    fn steps_are_rows_of_the_log() {
        let (_place, storage) = filled();
        storage.note_end().unwrap();
        let verified = storage.verify_log(None).unwrap();
        assert_eq!((verified.end.rows, verified.faults), (5, Vec::new()));
        let rows = storage.audited(2).unwrap();
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [5, 4]);
    }

    #[test]
    fn rows_can_neither_be_changed_nor_removed() {
        let (_place, storage) = filled();
        for statement in ["UPDATE audit SET who = 'x'", "DELETE FROM audit WHERE number = 5"] {
            let error = storage.connection.execute(statement, []).unwrap_err();
            assert!(error.to_string().contains("append-only"), "{error}");
        }
    }

    #[test]
    fn a_row_that_was_changed_or_removed_by_force_is_found() {
        for (statement, fault) in [
            ("UPDATE audit SET who = 'x' WHERE number = 3", "row 3 (audit 3) was changed"),
            ("UPDATE audit SET at_us = at_us + 1 WHERE number = 2", "row 2 (audit 2) was changed"),
            ("DELETE FROM audit WHERE number = 4", "row 4 (audit 4) was taken out"),
        ] {
            let (_place, storage) = filled();
            let by_force = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_removed;";
            storage.connection.execute_batch(by_force).unwrap();
            storage.connection.execute(statement, []).unwrap();
            let faults = storage.verify_log(None).unwrap().faults;
            assert!(faults.iter().any(|found| found == fault), "{statement}: {faults:?}");
        }
    }
}
