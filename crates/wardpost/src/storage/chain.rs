//! The chain over the log of what people did: one digest for each row of a table of the log, in the order of their coming, each
//! over the one before it. The end of the chain lies in a file beside the database too, and `wardpost serve` logs it each day: a
//! log whose last rows are gone, or that is gone whole, is found by them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Result, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Storage, StorageError, sql};
use base::text;

/// Tables of the log, with the columns of each row that its digest covers.
const TABLES: [(&str, &str); 6] = [
    ("access", "number, at_us, who, command, ward, box, alert, phase"),
    ("settlement", "number, at_us, who, why, ward, box, outbox, first, last"),
    ("forgotten", "number, at_us, who, why, ward, box, alerts"),
    ("access_expiry", "number, at_us, before_us, last"),
    ("audit", "number, at_us, who, action, about"),
    ("decision", "number, at_us, who, event, action, detail"),
];
/// Least age of an access that retention removes: two years.
pub const LOOKS_KEPT: Duration = Duration::from_secs(2 * 365 * 24 * 3600);
/// Maximum number of faults that a check names.
const FAULTS_MAX: usize = 20;

/// End of the chain: its length, and the digest of its last row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEnd {
    /// Number of rows.
    pub rows: u64,
    /// Digest of the last one, in hexadecimal; empty for none.
    pub sha256: String,
}

impl std::fmt::Display for ChainEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.rows, self.sha256)
    }
}

impl std::str::FromStr for ChainEnd {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parts = text.split_once(':').and_then(|(rows, sha256)| Some((rows.parse().ok()?, sha256)));
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match parts {
            Some((rows, sha256)) if is_digest(sha256) || (rows == 0 && sha256.is_empty()) => {
                Ok(Self { rows, sha256: sha256.to_ascii_lowercase() })
            }
            _ => Err("give the number of rows and the sha256 of the last one, as ROWS:SHA256".to_owned()),
        }
    }
}

/// Result of a check of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The end of the chain.
    pub end: ChainEnd,
    /// Faults, for a person; empty for a log to which rows were only added.
    pub faults: Vec<String>,
}

impl Storage {
    /// Checks each row of the log against the chain, and the chain against the file beside the database and against an end
    /// that is known from elsewhere.
    ///
    /// # Errors
    /// The database or the file cannot be read.
    pub fn verify_log(&self, known: Option<&ChainEnd>) -> std::result::Result<Verified, StorageError> {
        let failed = self.failed("check the log of");
        let transaction = self.connection.unchecked_transaction().map_err(&failed)?;
        let mut verified = verify(&transaction).map_err(&failed)?;
        let path = self.chain_path();
        let beside = self.chain_end_beside()?;
        if beside.is_none() && verified.end.rows > 0 {
            verified
                .faults
                .push(format!("the file {} is missing, which has the end of the log", path.display()));
        }
        let beside = beside.map(|end| (end, path.display().to_string()));
        let known = known.map(|end| (end.clone(), "the end that was given".to_owned()));
        for (end, origin) in beside.into_iter().chain(known) {
            verified.faults.extend(contradiction(&transaction, &end, &origin).map_err(&failed)?);
        }
        Ok(verified)
    }

    /// Adds rows of the log that the chain does not cover yet, and writes the end of the chain beside the database. Returns the
    /// end, and the contradiction between them, in which case the file stays as it is.
    ///
    /// # Errors
    /// The database or the file cannot be written.
    pub fn close_log(&mut self) -> std::result::Result<(ChainEnd, Option<String>), StorageError> {
        let failed = self.failed("extend the log of");
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        extend(&transaction).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.note_end()
    }

    /// Writes the end of the chain beside the database; see [`Storage::close_log`].
    ///
    /// # Errors
    /// The database cannot be read, or the file cannot be written.
    pub fn note_end(&self) -> std::result::Result<(ChainEnd, Option<String>), StorageError> {
        let failed = self.failed("read the log of");
        let (path, beside) = (self.chain_path(), self.chain_end_beside()?);
        let end = end(&self.connection).map_err(&failed)?;
        if let Some(beside) = beside {
            let origin = path.display().to_string();
            let contradiction = contradiction(&self.connection, &beside, &origin).map_err(&failed)?;
            if contradiction.is_some() || beside == end {
                return Ok((end, contradiction));
            }
        }
        if end.rows > 0 {
            let failed = |source| StorageError::Place { path: path.clone(), source };
            // One name for each call: two processes, or two threads of one, may write at once.
            let call = uuid::Uuid::now_v7().simple();
            let new = path.with_extension(format!("log-end.{call}"));
            std::fs::write(&new, format!("{end}\n"))
                .and_then(|()| std::fs::rename(&new, &path))
                .map_err(failed)?;
        }
        Ok((end, None))
    }

    fn chain_path(&self) -> PathBuf {
        self.path.with_extension("log-end")
    }

    /// The end of the chain in the file beside the database; a file that does not read counts as another end.
    fn chain_end_beside(&self) -> std::result::Result<Option<ChainEnd>, StorageError> {
        let path = self.chain_path();
        match text::read(&path) {
            Ok(end) => {
                Ok(Some(end.trim().parse().unwrap_or(ChainEnd { rows: u64::MAX, sha256: String::new() })))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StorageError::Place { path, source }),
        }
    }
}

/// Adds all rows of the log to the chain that it does not have, in the order of their tables and numbers.
pub(super) fn extend(connection: &Connection) -> Result<()> {
    let mut last = end(connection)?;
    for (table, columns) in TABLES {
        let covered: Option<i64> = connection
            .prepare_cached("SELECT max(entry) FROM log_chain WHERE entry_table = ?1")?
            .query_row([table], |row| row.get(0))?;
        let mut select = connection
            .prepare_cached(&format!("SELECT {columns} FROM {table} WHERE number > ?1 ORDER BY number"))?;
        let mut rows = select.query([covered.unwrap_or(0)])?;
        while let Some(row) = rows.next()? {
            let entry: i64 = row.get(0)?;
            last = ChainEnd { rows: last.rows + 1, sha256: digest(&last.sha256, table, row)? };
            connection
                .prepare_cached(
                    "INSERT INTO log_chain (number, entry_table, entry, sha256) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![sql(last.rows), table, entry, last.sha256])?;
        }
    }
    Ok(())
}

fn end(connection: &Connection) -> Result<ChainEnd> {
    let last = connection
        .prepare_cached("SELECT number, sha256 FROM log_chain ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok(ChainEnd { rows: row.get::<_, i64>(0)?.unsigned_abs(), sha256: row.get(1)? }))
        .optional()?;
    Ok(last.unwrap_or_default())
}

/// Digest of a row: of the digest before it, the table, and each column with its length.
fn digest(before: &str, table: &str, row: &rusqlite::Row<'_>) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(format!("{before}\n{table}\n"));
    for column in 0..row.as_ref().column_count() {
        let text = match row.get_ref(column)? {
            ValueRef::Integer(number) => number.to_string().into_bytes(),
            ValueRef::Text(text) => text.to_vec(),
            _ => Vec::new(),
        };
        hash.update(format!("{}\n", text.len()));
        hash.update(&text);
        hash.update("\n");
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The contradiction between the chain and an end that it once had; `None` where the chain goes on from there.
fn contradiction(connection: &Connection, known: &ChainEnd, origin: &str) -> Result<Option<String>> {
    if known.rows == 0 {
        return Ok(None);
    }
    let found: Option<String> = connection
        .prepare_cached("SELECT sha256 FROM log_chain WHERE number = ?1")?
        .query_row([sql(known.rows)], |row| row.get(0))
        .optional()?;
    Ok(match found {
        Some(found) if found == known.sha256 => None,
        Some(_) => Some(format!("row {} is another one than by {origin}", known.rows)),
        None => {
            let rows = end(connection)?.rows;
            let count =
                if known.rows == u64::MAX { "another number of".to_owned() } else { known.rows.to_string() };
            Some(format!("the log has {rows} rows, and had {count} by {origin}"))
        }
    })
}

fn verify(connection: &Connection) -> Result<Verified> {
    let mut verified = Verified { end: end(connection)?, faults: Vec::new() };
    let expired = expired(connection, &mut verified.faults)?;
    let mut covered: BTreeSet<(String, i64)> = BTreeSet::new();
    let mut select =
        connection.prepare("SELECT number, entry_table, entry, sha256 FROM log_chain ORDER BY number")?;
    let mut rows = select.query([])?;
    let mut before = ChainEnd::default();
    while let Some(row) = rows.next()? {
        let number = row.get::<_, i64>(0)?.unsigned_abs();
        let (table, entry, sha256): (String, i64, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        if number != before.rows + 1 {
            verified.fault(format!("rows {} to {} were taken out", before.rows + 1, number - 1));
        }
        match computed(connection, &before.sha256, &table, entry)? {
            Some(computed) if computed == sha256 => {}
            Some(_) => verified.fault(format!("row {number} ({table} {entry}) was changed")),
            None if table == "access" && entry <= expired => {}
            None => verified.fault(format!("row {number} ({table} {entry}) was taken out")),
        }
        covered.insert((table, entry));
        before = ChainEnd { rows: number, sha256 };
    }
    for (table, _) in TABLES {
        let mut select = connection.prepare(&format!("SELECT number FROM {table} ORDER BY number"))?;
        for entry in select.query_map([], |row| row.get::<_, i64>(0))? {
            let entry = entry?;
            if !covered.contains(&(table.to_owned(), entry)) {
                verified.fault(format!("{table} {entry} was added past wardpost, or by an older one"));
            }
        }
    }
    Ok(verified)
}

impl Verified {
    fn fault(&mut self, fault: String) {
        match self.faults.len() {
            ..FAULTS_MAX => self.faults.push(fault),
            FAULTS_MAX => self.faults.push("there are more faults".to_owned()),
            _ => {}
        }
    }
}

/// Number of the last access that retention has removed.
fn expired(connection: &Connection, faults: &mut Vec<String>) -> Result<i64> {
    let mut select = connection.prepare("SELECT number, at_us, before_us, last FROM access_expiry")?;
    let mut rows = select.query([])?;
    let mut expired = 0;
    while let Some(row) = rows.next()? {
        let (number, at_us, before_us): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let kept = i64::try_from(LOOKS_KEPT.as_micros()).unwrap_or(i64::MAX);
        if at_us.saturating_sub(before_us) < kept {
            faults.push(format!("access_expiry {number} removed accesses before their time"));
        }
        expired = expired.max(row.get(3)?);
    }
    Ok(expired)
}

/// Digest of a row of the log as it is now; `None` where it is gone.
fn computed(connection: &Connection, before: &str, table: &str, entry: i64) -> Result<Option<String>> {
    let Some((table, columns)) = TABLES.iter().find(|(known, _)| *known == table) else { return Ok(None) };
    connection
        .prepare_cached(&format!("SELECT {columns} FROM {table} WHERE number = ?1"))?
        .query_row([entry], |row| digest(before, table, row))
        .optional()
}

#[cfg(test)]
mod tests;
