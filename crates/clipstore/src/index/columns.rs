//! Columns of the index as Rust types.

use rusqlite::types::{FromSql, Type};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// SQLite's integers have a sign; no length or count here comes near its end.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// See [`signed`].
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A column with the text that the type has in messages.
#[derive(Debug, Deserialize)]
pub(crate) struct Parsed<T>(pub T);

impl<T: DeserializeOwned> FromSql for Parsed<T> {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        let text = value.as_str()?;
        serde_json::from_value(text.into())
            .map(Self)
            .map_err(|error| rusqlite::types::FromSqlError::other(Parse(Type::Text, error)))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a column of type {0} does not read: {1}")]
struct Parse(Type, serde_json::Error);
