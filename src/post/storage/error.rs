//! What can go wrong with the post's database, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::domain::fault::ErrorKind;

/// What can go wrong with the post's database.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another `wardpost serve` fills it.
    #[error("{} is in use by another wardpost serve; stop that one, or give this one another --database", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// Its folder or its lock cannot be used.
    #[error("cannot use {}: {source}; give --database a path in a folder that this user may write to", path.display())]
    Place {
        /// What was to be used.
        path: PathBuf,
        /// Why it cannot be.
        source: io::Error,
    },
    /// There is none.
    #[error("there is no database {}; start `wardpost serve`, or name its database with --database", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A newer wardpost made it.
    #[error("{} is of version {found}, and this wardpost knows {known}; install a newer wardpost", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that is known.
        known: usize,
    },
    /// SQLite has a complaint.
    #[error("cannot {action} {}: {source}", path.display())]
    Sql {
        /// What was being done.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A row does not read.
    #[error("{} holds what no wardpost wrote: {what}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What does not read.
        what: String,
    },
}

impl StorageError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InUse { .. } | Self::Place { .. } | Self::Missing { .. } | Self::Newer { .. } => {
                ErrorKind::Config
            }
            Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::Sql { source, .. } => match source.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                    ErrorKind::Transient
                }
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                    ErrorKind::Corrupt
                }
                Some(_) => ErrorKind::Exhausted,
                None => ErrorKind::Bug,
            },
        }
    }
}
