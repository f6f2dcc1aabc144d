//! Brings the index to the version that this wardwatch knows, `PRAGMA user_version` being where it stands.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;

/// `STEPS[n]` leads from version `n` to `n + 1`. Never changed once released; a new one is added at the end.
const STEPS: &[&str] = &[include_str!("schema.sql")];

/// Applies what is missing, each step in its own transaction. Returns whether the index was empty before.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<bool, StoreError> {
    let version = check(connection, path)?;
    for step in STEPS.iter().skip(version) {
        apply(connection, step).map_err(StoreError::index("migrate the index", path))?;
    }
    Ok(version == 0)
}

/// The version of the index, 0 for an empty one; an error if it is newer than this wardwatch.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(StoreError::index("read the version", path))?;
    match usize::try_from(found) {
        Ok(version) if version <= STEPS.len() => Ok(version),
        _ => Err(StoreError::NewerIndex { path: path.to_owned(), found, known: STEPS.len() }),
    }
}

fn apply(connection: &mut Connection, sql: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    transaction.execute_batch(sql)?;
    transaction.pragma_update(None, "user_version", version + 1)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_index_is_brought_up_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut connection, Path::new("x")).unwrap());
        assert!(!migrate(&mut connection, Path::new("x")).unwrap());
        let last: i64 = connection.query_row("SELECT last FROM sequence", [], |row| row.get(0)).unwrap();
        assert_eq!(last, 0);
    }

    #[test]
    fn an_index_from_the_future_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection, Path::new("/var/index.sqlite")).unwrap_err();
        assert!(error.to_string().contains("has version 99"), "{error}");
    }
}
