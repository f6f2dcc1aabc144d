//! Errors that end an export.

use std::io;
use std::path::PathBuf;

use crate::error::StoreError;
use base::fault::ErrorKind;

/// Error that ends an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Error of the index or the access log: nothing is exported without a line in the log.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such folder.
    #[error("there is no folder {}; mount the stick, or make the folder, and try again", path.display())]
    NoFolder {
        /// Folder that was named.
        path: PathBuf,
    },
    /// It would not fit.
    #[error(
        "{} has {} MB free, and {} MB are needed; make room there, name another folder, or export less at a time",
        path.display(), free_bytes / 1_000_000, needed_bytes.div_ceil(1_000_000)
    )]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// Bytes that the export takes.
        needed_bytes: u64,
        /// Free bytes.
        free_bytes: u64,
    },
    /// The folder does not take a file.
    #[error("cannot {doing} {}: {source}; {}", path.display(), remedy(source))]
    Output {
        /// Operation that failed.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

impl ExportError {
    /// Kind of the error, for its treatment.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::NoFolder { .. } => ErrorKind::Config,
            Self::NoRoom { .. } => ErrorKind::Exhausted,
            Self::Output { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Config,
                _ => ErrorKind::Transient,
            },
        }
    }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there or take a larger stick, and export what is missing again"
        }
        io::ErrorKind::PermissionDenied => "name a folder that you may write in",
        io::ErrorKind::ReadOnlyFilesystem => {
            "the stick cannot be written: look at its lock, check it for errors, or take another one"
        }
        _ => "see whether the stick is still plugged in and mounted, and export what is missing again",
    }
}
