//! The audit: who did what on the page, each row chained to the one before it by sha256. A row that was changed or removed by
//! any other means breaks the chain at its place.

use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::{Storage, StorageError, sql};
use crate::people::secret::hexadecimal;
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

/// Result of reading the whole chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// Every row fits the one before it.
    Whole {
        /// Number of rows.
        rows: u64,
        /// The sha256 of the last row; empty without rows.
        last: String,
    },
    /// The row with this number was changed, or the one before it is gone.
    Broken {
        /// Its number.
        number: u64,
    },
}

/// Adds a row.
pub(super) fn append(transaction: &Transaction<'_>, step: &Step<'_>) -> Result<()> {
    let last = "SELECT number, sha256 FROM audit ORDER BY number DESC LIMIT 1";
    let last: Option<(i64, String)> =
        transaction.prepare_cached(last)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (number, before) = last.map_or((1, String::new()), |(number, sha256)| (number + 1, sha256));
    let sha256 = link(&before, number, step.at.as_micros(), [step.who, step.action, step.about]);
    transaction
        .prepare_cached(
            "INSERT INTO audit (number, at_us, who, action, about, sha256) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![number, step.at.as_micros(), step.who, step.action, step.about, sha256])?;
    Ok(())
}

/// The sha256 of a row. Each text goes in with its length, so that no two rows have the same bytes.
fn link(before: &str, number: i64, at_us: i64, texts: [&str; 3]) -> String {
    let mut sha256 = Sha256::new();
    sha256.update(before.as_bytes());
    sha256.update(number.to_le_bytes());
    sha256.update(at_us.to_le_bytes());
    for text in texts {
        sha256.update((text.len() as u64).to_le_bytes());
        sha256.update(text.as_bytes());
    }
    hexadecimal(&sha256.finalize())
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

    /// Reads the whole chain.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn verify_audit(&self) -> std::result::Result<Chain, StorageError> {
        verify(&self.connection).map_err(self.failed("verify the audit of"))
    }
}

fn verify(connection: &Connection) -> Result<Chain> {
    let mut select =
        connection.prepare("SELECT number, at_us, who, action, about, sha256 FROM audit ORDER BY number")?;
    let mut rows = select.query([])?;
    let (mut count, mut last) = (0, String::new());
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let texts: [String; 3] = [row.get(2)?, row.get(3)?, row.get(4)?];
        let expected = link(&last, number, row.get(1)?, [&texts[0], &texts[1], &texts[2]]);
        last = row.get(5)?;
        if number != count + 1 || last != expected {
            return Ok(Chain::Broken { number: number.unsigned_abs() });
        }
        count = number;
    }
    Ok(Chain::Whole { rows: count.unsigned_abs(), last })
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
    fn a_chain_of_steps_is_whole() {
        let (_place, storage) = filled();
        assert!(matches!(storage.verify_audit().unwrap(), Chain::Whole { rows: 5, .. }));
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
    fn a_row_that_was_changed_or_removed_by_force_breaks_the_chain() {
        for (statement, broken) in [
            ("UPDATE audit SET who = 'x' WHERE number = 3", 3),
            ("UPDATE audit SET at_us = at_us + 1 WHERE number = 2", 2),
            ("DELETE FROM audit WHERE number = 4", 5),
            ("DELETE FROM audit WHERE number = 1", 2),
        ] {
            let (_place, storage) = filled();
            let by_force = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_removed;";
            storage.connection.execute_batch(by_force).unwrap();
            storage.connection.execute(statement, []).unwrap();
            assert_eq!(storage.verify_audit().unwrap(), Chain::Broken { number: broken }, "{statement}");
        }
    }
}
