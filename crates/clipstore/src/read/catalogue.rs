//! Reader's side of the index: lists footage and alerts.
//!
//! Footage is in the order of its age, which is the order of segments' ids: a wall clock that was set back hides
//! nothing and moves nothing.

mod alerts;
mod footage;
mod outbox;
mod overlap;
#[cfg(test)]
mod plans;
mod stills;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, params};

pub use alerts::ClipEntry;
pub use footage::FootageSpan;
pub(crate) use footage::{ClipFragment, SegmentFootage};
use overlap::OVERLAPPING;

use crate::error::StoreError;
use crate::index::migrate;
use crate::index::{Parsed, unsigned};
use base::fragment::{Codec, TimeSource};
use base::ids::{AlertId, CameraId, Epoch};
use base::time::{ClockState, WallTime};

/// Maximum wait of a read for the index; readers and the writer block each other only for moments.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Footage of one camera between two instants.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Its camera.
    pub camera: CameraId,
    /// Requested start.
    pub starts_at: WallTime,
    /// Requested end.
    pub ends_at: WallTime,
    /// Existing segments, whole, oldest first; empty when nothing is kept any more.
    pub segments: Vec<ClipSegment>,
}

/// A file with footage.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipSegment {
    /// The file; retention may remove it at any time.
    pub path: PathBuf,
    /// Its camera.
    pub camera: CameraId,
    /// Epoch of its session.
    pub epoch: Epoch,
    /// Arrival of its first sample.
    pub starts_at: WallTime,
    /// End of its last indexed fragment.
    pub ends_at: WallTime,
    /// Trust in these times.
    pub clock: ClockState,
    /// Codec of its video.
    pub codec: Codec,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// Length of the file as far as it is indexed; while it is written, the file itself may be longer.
    pub bytes: u64,
    /// True once the file is complete.
    pub ended: bool,
    /// Clock that its presentation times follow.
    pub time: TimeSource,
}

/// Filter of clips or segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClipFilter {
    /// Those of this camera.
    pub camera: Option<CameraId>,
    /// Those that end after this.
    pub from: Option<WallTime>,
    /// Those that start before this.
    pub to: Option<WallTime>,
    /// Maximum number.
    pub limit: Option<usize>,
}

/// Reads the index, also in another process beside the daemon.
#[derive(Debug)]
pub struct Catalogue {
    /// `None` until the daemon's store is open.
    connection: Mutex<Option<Connection>>,
    /// True if the index has the start kind of fragments and the source of times.
    has_starts: bool,
    directory: PathBuf,
    path: PathBuf,
    clips: PathBuf,
}

const SEGMENT_COLUMNS: &str = "path, camera, epoch, starts_wall_us, ends_wall_us, clock, codec, width, height, bytes, ended, time_source";
/// The same of an index by a program that did not know the source of times: it is read before the daemon has migrated it.
const SEGMENT_COLUMNS_BEFORE: &str =
    "path, camera, epoch, starts_wall_us, ends_wall_us, clock, codec, width, height, bytes, ended, 'camera'";
/// Number of steps that lead to an index that knows it.
const STEPS_WITH_STARTS: usize = 4;

impl Catalogue {
    /// Opens the index of the store in `directory`. Changes nothing.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = crate::index_path(directory);
        let (connection, steps) = connect(&path)?;
        Ok(Self {
            connection: Mutex::new(Some(connection)),
            has_starts: steps >= STEPS_WITH_STARTS,
            directory: directory.to_owned(),
            path,
            clips: crate::clips_path(directory),
        })
    }

    /// A catalogue of the daemon's store in `directory` that reads nothing until [`Catalogue::reopen`]; by then the index has
    /// taken all steps.
    pub(crate) fn not_open(directory: &Path) -> Self {
        Self {
            connection: Mutex::new(None),
            has_starts: true,
            directory: directory.to_owned(),
            path: crate::index_path(directory),
            clips: crate::clips_path(directory),
        }
    }

    /// Opens the present index: it has replaced the one that was opened before.
    pub(crate) fn reopen(&self) -> Result<(), StoreError> {
        let (connection, _) = connect(&self.path)?;
        *self.lock() = Some(connection);
        Ok(())
    }

    /// The store's folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The segments that overlap an alert's span, from pre-roll to post-roll. The span of an alert that is still open
    /// ends with the newest footage.
    pub fn clip(&self, alert: AlertId) -> Result<Clip, StoreError> {
        let (camera, from, to) = self.span(alert)?;
        let mut clip = self.footage(&camera, from, to.unwrap_or(WallTime::from_micros(i64::MAX)))?;
        if to.is_none() {
            clip.ends_at =
                clip.segments.iter().map(|segment| segment.ends_at).max().unwrap_or(clip.starts_at);
        }
        Ok(clip)
    }

    /// The segments of a camera that overlap `from..to`.
    pub fn footage(&self, camera: &CameraId, from: WallTime, to: WallTime) -> Result<Clip, StoreError> {
        let columns = self.segment_columns();
        let sql = format!("SELECT {columns} FROM segment WHERE {OVERLAPPING} ORDER BY id");
        let span = params![camera.as_str(), from.as_micros(), to.as_micros()];
        let segments = self.rows("read the segments", &sql, span, |row| segment(&self.clips, row))?;
        Ok(Clip { camera: camera.clone(), starts_at: from, ends_at: to, segments })
    }

    /// Segments, youngest first.
    pub fn segments(&self, filter: &ClipFilter) -> Result<Vec<ClipSegment>, StoreError> {
        let columns = self.segment_columns();
        let (camera, from, to, limit) = filter.columns();
        let wanted = match camera {
            Some(_) => OVERLAPPING,
            None => "?1 IS NULL AND ends_wall_us > ?2 AND starts_wall_us < ?3",
        };
        let sql = format!("SELECT {columns} FROM segment WHERE {wanted} ORDER BY id DESC LIMIT ?4");
        let filter = params![camera, from, to, limit];
        self.rows("read the segments", &sql, filter, |row| segment(&self.clips, row))
    }

    /// The columns of [`segment`].
    fn segment_columns(&self) -> &'static str {
        if self.has_starts { SEGMENT_COLUMNS } else { SEGMENT_COLUMNS_BEFORE }
    }

    fn rows<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(doing, |connection| connection.prepare_cached(sql)?.query_map(params, read)?.collect())
    }

    /// Runs `read` on the connection. `doing` names it in an error.
    fn with<T>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let guard = self.lock();
        let connection = guard.as_ref().ok_or(StoreError::NotOpen)?;
        read(connection).map_err(StoreError::index(doing, &self.path))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        // A statement that a panic left behind is reset when it is used again.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the connection and counts the steps that the index has taken.
fn connect(path: &Path) -> Result<(Connection, usize), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .and_then(|connection| connection.busy_timeout(BUSY_TIMEOUT).map(|()| connection))
        .map_err(StoreError::index("open the index", path))?;
    let steps = migrate::check(&connection, path)?;
    Ok((connection, steps))
}

impl ClipFilter {
    /// Camera, from, to and limit as the statements want them.
    fn columns(&self) -> (Option<&str>, i64, i64, i64) {
        (
            self.camera.as_ref().map(CameraId::as_str),
            self.from.map_or(i64::MIN, WallTime::as_micros),
            self.to.map_or(i64::MAX, WallTime::as_micros),
            self.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX)),
        )
    }
}

fn segment(clips: &Path, row: &Row) -> rusqlite::Result<ClipSegment> {
    let path: String = row.get(0)?;
    Ok(ClipSegment {
        path: clips.join(path),
        camera: row.get::<_, Parsed<CameraId>>(1)?.0,
        epoch: Epoch(row.get(2)?),
        starts_at: WallTime::from_micros(row.get(3)?),
        ends_at: WallTime::from_micros(row.get(4)?),
        clock: row.get::<_, Parsed<ClockState>>(5)?.0,
        codec: row.get::<_, Parsed<Codec>>(6)?.0,
        width: row.get(7)?,
        height: row.get(8)?,
        bytes: unsigned(row.get(9)?),
        ended: row.get(10)?,
        time: row.get::<_, Parsed<TimeSource>>(11)?.0,
    })
}
