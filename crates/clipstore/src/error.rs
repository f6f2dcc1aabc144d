//! Errors of the store.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use base::fault::ErrorKind;
use base::ids::{AlertId, CameraId};
use base::time::WallTime;

/// Error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store's folder cannot be made or written.
    #[error(
        "cannot write in {}: {source}; make the folder writable for the user that runs wardwatch, or set \
         store.directory to another one",
        path.display()
    )]
    Folder {
        /// The folder or file that failed.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Another process writes this store.
    #[error("{} is in use by another wardwatch process; stop that one first", path.display())]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// The linked SQLite can corrupt a WAL.
    #[error("SQLite {found} is linked, 3.51.3 or newer is needed; build with the bundled SQLite")]
    SqliteTooOld {
        /// Its version.
        found: &'static str,
    },
    /// The index was written by a newer wardwatch.
    #[error(
        "{} has version {found}, this wardwatch knows up to {known}; install the newer version again",
        path.display()
    )]
    NewerIndex {
        /// The index.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: usize,
    },
    /// SQLite refused.
    #[error("cannot {doing} in {}: {cause}{}", path.display(), remedy(cause))]
    Index {
        /// Operation that failed.
        doing: &'static str,
        /// The index.
        path: PathBuf,
        /// Cause. No source of the chain: the text has all of it.
        cause: rusqlite::Error,
    },
    /// The folder of the clip files is not there.
    #[error(
        "{} is missing; if it is on another disk, mount that disk; if the footage is lost, make the folder, and \
         `wardwatch store repair` removes the rows of the lost files",
        path.display()
    )]
    NoClips {
        /// The folder.
        path: PathBuf,
    },
    /// A clip file refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Clip {
        /// Operation that failed.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A session handed in bytes that are not whole MP4 boxes: written, they would hide those that come behind them.
    #[error("fragment of camera {camera} not recorded: it is not made of whole MP4 boxes")]
    NotBoxes {
        /// Camera of the session.
        camera: CameraId,
    },
    /// The disk does not keep up: the fragment is refused.
    #[error("fragment not recorded: the disk is too slow, {fragments} fragments ({bytes} bytes) are waiting")]
    QueueFull {
        /// Number of waiting fragments.
        fragments: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// A stored message cannot be parsed.
    #[error("alert {seq} in the index is damaged: {source}")]
    Message {
        /// Its number.
        seq: u64,
        /// Cause.
        source: serde_json::Error,
    },
    /// There is no such alert.
    #[error("no alert {0} in this store; `wardwatch clips list` lists all alerts")]
    NoSuchAlert(AlertId),
    /// The access log's chain does not hold.
    #[error("{} was changed: line {line} does not follow from the one before it", path.display())]
    AccessLogBroken {
        /// The log.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
    },
    /// The access log is shorter than the index knows it.
    #[error("{} was cut: it has {found} lines, and the index knows of {known}", path.display())]
    AccessLogCut {
        /// The log.
        path: PathBuf,
        /// Lines that the index knows of.
        known: u64,
        /// Lines that it has.
        found: u64,
    },
    /// The access log has another line than the one that the index knows.
    #[error("{} was replaced: line {line} is not the one that the index knows", path.display())]
    AccessLogReplaced {
        /// The log.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
    },
    /// There is no such hold.
    #[error("no hold {0:?} in this store; `wardwatch clips holds` lists all holds")]
    NoSuchHold(String),
    /// A hold cannot be parsed.
    #[error(
        "{} is damaged: {why}; until it is repaired or removed by hand, it holds everything of its camera",
        path.display()
    )]
    DamagedHold {
        /// Its file.
        path: PathBuf,
        /// Description of the damage.
        why: String,
    },
    /// A span of time without footage.
    #[error("{from} to {to} is not a span of time: the end must be after the start")]
    EmptySpan {
        /// Start of the span.
        from: WallTime,
        /// End of the span.
        to: WallTime,
    },
    /// Nothing is left that may be removed, and evidence is held: the fragment is refused.
    #[error(
        "recording stopped: {held_bytes} bytes held as evidence fill {scope}, and nothing else can be deleted; export \
         the held footage and release it with `wardwatch clips release`, or raise the limit"
    )]
    FullOfEvidence {
        /// The full limit: a key of the configuration, the camera's share, or the disk.
        scope: String,
        /// Held bytes.
        held_bytes: u64,
    },
    /// Other files fill the disk: the fragment is refused.
    #[error(
        "recording stopped: disk full: {} has {free_bytes} bytes and {free_inodes} inodes free, and there is no footage \
         to delete; remove other files, or lower store.free_bytes_min",
        path.display()
    )]
    NoHeadroom {
        /// The store's folder.
        path: PathBuf,
        /// Free bytes.
        free_bytes: u64,
        /// Free inodes.
        free_inodes: u64,
    },
    /// Somebody has removed or replaced the files of the open index.
    #[error("{} or a file beside it was removed or replaced while it was open", path.display())]
    IndexReplaced {
        /// The index.
        path: PathBuf,
    },
    /// The index was damaged, and could not be built again yet.
    #[error(
        "no index: it was damaged, and building it again from the clip files failed; the box keeps trying"
    )]
    IndexLost,
    /// The store's disk could not be used at the start, and cannot be used yet.
    #[error("the store is not open: its disk cannot be used; the box keeps trying")]
    NotOpen,
    /// The writer's thread cannot be started.
    #[error("cannot start the store's thread: {0}")]
    Thread(io::Error),
    /// The store is closed, or its writer died.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Kind of the error, for its treatment.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Folder { .. }
            | Self::InUse { .. }
            | Self::NewerIndex { .. }
            | Self::NoClips { .. }
            | Self::NoSuchAlert(_)
            | Self::NoSuchHold(_)
            | Self::EmptySpan { .. } => ErrorKind::Config,
            Self::IndexLost | Self::NotOpen => ErrorKind::Transient,
            Self::Index { cause, .. } => index_kind(cause),
            Self::Clip { source, .. } => clip_kind(source),
            Self::QueueFull { .. }
            | Self::Thread(_)
            | Self::FullOfEvidence { .. }
            | Self::NoHeadroom { .. } => ErrorKind::Exhausted,
            Self::Message { .. }
            | Self::IndexReplaced { .. }
            | Self::AccessLogBroken { .. }
            | Self::AccessLogCut { .. }
            | Self::AccessLogReplaced { .. }
            | Self::DamagedHold { .. } => ErrorKind::Corrupt,
            Self::SqliteTooOld { .. } | Self::NotBoxes { .. } | Self::Closed => ErrorKind::Bug,
        }
    }

    /// Returns true if the index refuses the values of a row, which another try does not change.
    pub(super) fn is_refusal(&self) -> bool {
        let Self::Index { cause, .. } = self else { return false };
        use ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        matches!(cause.sqlite_error_code(), Some(ConstraintViolation | TooBig | TypeMismatch))
    }

    /// Returns true if freeing bytes would help.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Index { .. } | Self::Clip { .. }) && self.kind() == ErrorKind::Exhausted
    }

    pub(super) fn clip(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Clip { doing, path, source }
    }

    pub(super) fn index(doing: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| Self::Index { doing, path, cause }
    }
}

fn clip_kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory => ErrorKind::Config,
        _ => ErrorKind::Transient,
    }
}

fn index_kind(error: &rusqlite::Error) -> ErrorKind {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    if matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    ) {
        // STRICT tables, and every statement is ours: a value that cannot be read was not written like that.
        return ErrorKind::Corrupt;
    }
    if is_another_schema(error) {
        return ErrorKind::Corrupt;
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Corrupt,
        Some(ErrorCode::DiskFull) => ErrorKind::Exhausted,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SystemIoFailure) => {
            ErrorKind::Transient
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => ErrorKind::Config,
        _ => ErrorKind::Bug,
    }
}

/// Returns true if a table or column is missing, or is there before its step. Every index that was opened has all steps, so
/// it was not written like that.
fn is_another_schema(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{SqlInputError, SqliteFailure};
    const SAID: [&str; 5] =
        ["no such table", "no such column", "has no column named", "already exists", "duplicate column name"];
    let text = match error {
        SqliteFailure(_, Some(text)) => text,
        SqlInputError { msg, .. } => msg,
        _ => return false,
    };
    SAID.iter().any(|part| text.contains(part))
}

fn remedy(error: &rusqlite::Error) -> &'static str {
    if is_another_schema(error) {
        return "; its tables are not those of this version: stop the daemon and run `wardwatch store repair`, which migrates it \
                or builds it again from the clip files";
    }
    match index_kind(error) {
        ErrorKind::Config => "; make it writable for the user that runs wardwatch",
        ErrorKind::Corrupt => {
            "; it is damaged: stop the daemon and run `wardwatch store repair`, which builds it again from the clip files"
        }
        ErrorKind::Exhausted => "; the disk is full",
        _ => "",
    }
}
