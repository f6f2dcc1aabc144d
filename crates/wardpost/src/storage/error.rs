//! Errors of the post's database, with their remedies.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base::fault::ErrorKind;

/// The group whose members the service shows alerts to.
const READERS: &str = "wardpost-readers";

/// An error of the post's database.
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
        /// The folder or file that was to be used.
        path: PathBuf,
        /// Reason of the failure.
        source: io::Error,
    },
    /// There is none.
    #[error("there is no database {}; start `wardpost serve`, or name its database with --database", path.display())]
    Missing {
        /// The path that was tried.
        path: PathBuf,
    },
    /// This user may not use it.
    #[error("this user may not use {}: it belongs to {owner}; {remedy}", path.display())]
    Denied {
        /// The database.
        path: PathBuf,
        /// Its owner, or that of the folder that is closed.
        owner: String,
        /// The way to it.
        remedy: String,
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
    /// An older wardpost made it, and the present one has not been started on it.
    #[error("{} is of an older wardpost; restart `wardpost serve`, which brings it up to date", path.display())]
    Older {
        /// The database.
        path: PathBuf,
    },
    /// SQLite reports an error.
    #[error("cannot {action} {}: {source}", path.display())]
    Sql {
        /// The failed action.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// A row does not read.
    #[error("{} holds what no wardpost wrote: {what}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// The row that does not read.
        what: String,
    },
}

impl StorageError {
    /// This user may not use the database at `path`; its owner may.
    pub fn denied(path: &Path) -> Self {
        let owner = owner(path);
        let remedy = format!("run this as its owner: sudo -u {owner} wardpost ...");
        Self::Denied { path: path.to_owned(), owner, remedy }
    }

    /// This user may not use the database at `path`, and the service shows it to a group.
    pub fn denied_to_read(path: &Path) -> Self {
        let user = program::user_name(rustix::process::getuid().as_raw());
        let remedy =
            format!("join the group that may see it: sudo usermod -aG {READERS} {user}, and log in again");
        Self::Denied { path: path.to_owned(), owner: owner(path), remedy }
    }

    /// This user may not use the database at `path`, and the service that shows it to a group does not run.
    pub fn without_service(path: &Path) -> Self {
        let remedy = format!(
            "start the service that shows it to the group {READERS}: sudo systemctl start wardpost-read.socket"
        );
        Self::Denied { path: path.to_owned(), owner: owner(path), remedy }
    }

    /// Kind of the error, which decides the reaction to it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InUse { .. }
            | Self::Place { .. }
            | Self::Missing { .. }
            | Self::Denied { .. }
            | Self::Newer { .. }
            | Self::Older { .. } => ErrorKind::Config,
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

/// Owner of the file, or of the folder that is closed: the file in it is not seen then.
fn owner(path: &Path) -> String {
    let found = path.ancestors().find_map(|path| path.metadata().ok());
    found.map_or_else(|| "another user".to_owned(), |found| program::user_name(found.uid()))
}
