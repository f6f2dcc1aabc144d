//! Migrates the index to the newest version known here.
//!
//! `PRAGMA user_version` is the oldest index version of a program that can still read and write the index; table `step`
//! counts the steps that were taken. A step adds tables, columns with defaults and indexes, so that the version does
//! not grow and the program before an upgrade can be installed again.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::StoreError;

/// One step: its statements, and the oldest version of a program that can use the result.
struct Step {
    sql: &'static str,
    version: i64,
}

/// Never changed once released; a new one is added at the end, and `schema.sql` shows the result.
const STEPS: &[Step] = &[
    Step { sql: include_str!("migrations/0001.sql"), version: 1 },
    Step { sql: include_str!("migrations/0002.sql"), version: 1 },
    Step { sql: include_str!("migrations/0003.sql"), version: 1 },
    Step { sql: include_str!("migrations/0004.sql"), version: 1 },
    Step { sql: include_str!("migrations/0005.sql"), version: 1 },
    Step { sql: include_str!("migrations/0006.sql"), version: 1 },
    Step { sql: include_str!("migrations/0007.sql"), version: 1 },
];

/// Takes the steps that are missing, each in its own transaction. Returns true if the index was empty before.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<bool, StoreError> {
    let taken = check(connection, path)?;
    for (number, step) in (1..).zip(STEPS).skip(taken) {
        take(connection, number, step).map_err(StoreError::index("migrate the index", path))?;
    }
    Ok(taken == 0)
}

/// Number of steps that were taken, 0 for an empty index; an error if it needs a newer wardwatch.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let failed = || StoreError::index("read the version", path);
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed())?;
    match usize::try_from(found) {
        Ok(0) => Ok(0),
        Ok(version) if version <= STEPS.len() => steps_taken(connection).map_err(failed()),
        _ => Err(StoreError::NewerIndex { path: path.to_owned(), found, known: STEPS.len() }),
    }
}

/// Returns true if no step is missing.
pub(crate) fn is_newest(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    Ok(check(connection, path)? >= STEPS.len())
}

/// The first version has no table that counts them.
fn steps_taken(connection: &Connection) -> rusqlite::Result<usize> {
    if !connection.table_exists(None, "step")? {
        return Ok(1);
    }
    let last: u32 =
        connection.query_row("SELECT coalesce(max(number), 1) FROM step", [], |row| row.get(0))?;
    Ok(last as usize)
}

fn take(connection: &mut Connection, number: u32, step: &Step) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(step.sql)?;
    if number > 1 {
        transaction.execute("INSERT INTO step (number) VALUES (?1)", [number])?;
    }
    transaction.pragma_update(None, "user_version", step.version)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const PATH: &str = "/var/index.sqlite";

    fn goldens() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/schema")
    }

    /// An index after so many steps.
    fn index(steps: usize) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        for (number, step) in (1..).zip(STEPS).take(steps) {
            take(&mut connection, number, step).unwrap();
        }
        connection
    }

    /// A connection's schema, without comments and with single spaces.
    fn schema(connection: &Connection) -> String {
        let mut select = connection
            .prepare("SELECT type, name, tbl_name, coalesce(sql, '-') FROM sqlite_schema ORDER BY type, name")
            .unwrap();
        let normal = |sql: String| {
            let code =
                sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>();
            let spaced = code.join(" ").replace('(', " ( ").replace(')', " ) ").replace(',', " , ");
            spaced.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let rows = select
            .query_map([], |row| {
                let (kind, name, table): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(format!("{kind} {name} on {table}: {}\n", normal(row.get(3)?)))
            })
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn an_empty_index_is_brought_up_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut connection, Path::new(PATH)).unwrap());
        assert!(!migrate(&mut connection, Path::new(PATH)).unwrap());
        let last: i64 = connection.query_row("SELECT last FROM sequence", [], |row| row.get(0)).unwrap();
        assert_eq!(last, 0);
    }

    #[test]
    fn an_index_from_the_future_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection, Path::new(PATH)).unwrap_err();
        assert!(error.to_string().contains("has version 99"), "{error}");
    }

    #[test]
    fn an_index_with_steps_that_are_not_known_here_is_used_if_its_version_allows() {
        let mut connection = index(STEPS.len());
        connection.execute("INSERT INTO step (number) VALUES (99)", []).unwrap();
        assert!(!migrate(&mut connection, Path::new(PATH)).unwrap());
        assert_eq!(check(&connection, Path::new(PATH)).unwrap(), 99);
    }

    #[test]
    fn every_step_leads_to_its_golden_schema() {
        for steps in 1..=STEPS.len() {
            let path = goldens().join(format!("{steps:04}.txt"));
            let found = schema(&index(steps));
            if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() && !path.exists() {
                std::fs::write(&path, &found).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap();
            assert_eq!(found, golden, "{} is what was released: a step is never changed", path.display());
        }
    }

    #[test]
    fn the_steps_lead_to_the_schema_that_readers_are_shown() {
        let whole = Connection::open_in_memory().unwrap();
        whole.execute_batch(include_str!("schema.sql")).unwrap();
        assert_eq!(schema(&index(STEPS.len())), schema(&whole));
    }

    /// The promise that the program before an upgrade can be installed again: its statements, run in the newest index.
    #[test]
    fn the_previous_version_can_still_use_the_index() {
        let connection = index(STEPS.len());
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 1, "the first version refuses anything above");
        let text = std::fs::read_to_string(goldens().join("0001.statements.sql")).unwrap();
        let mut tried = 0;
        for part in text.split(";\n").map(str::trim).filter(|part| !part.is_empty()) {
            let expected: Vec<&str> = part.lines().filter_map(|line| line.strip_prefix("--= ")).collect();
            let mut statement = connection.prepare(part).unwrap_or_else(|error| panic!("{error}: {part}"));
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            let mut found = Vec::new();
            while let Some(row) = rows.next().unwrap_or_else(|error| panic!("{error}: {part}")) {
                let column = |at| match row.get_unwrap::<_, rusqlite::types::Value>(at) {
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    other => format!("{other:?}"),
                };
                found.push((0..columns).map(column).collect::<Vec<_>>().join("|"));
            }
            assert_eq!(found, expected, "{part}");
            tried += 1;
        }
        assert!(tried > 25, "{tried} statements");
    }
}
