//! Reader's side of the index: lists footage and alerts.
//!
//! Footage is in the order of its age, which is the order of segments' ids: a wall clock that was set back hides
//! nothing and moves nothing.

mod footage;
mod outbox;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

pub use footage::FootageSpan;
pub(crate) use footage::{ClipFragment, SegmentFootage};

use crate::error::StoreError;
use crate::index::migrate;
use crate::index::{Parsed, unsigned};
use base::event::Severity;
use base::fragment::{Codec, TimeSource};
use base::ids::{AlertId, CameraId, Epoch, RuleId};
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

/// An alert and the footage that exists of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipEntry {
    /// The alert's id, for [`Catalogue::clip`].
    pub alert: AlertId,
    /// Its camera.
    pub camera: CameraId,
    /// The rule that fired.
    pub rule: RuleId,
    /// Severity of the event.
    pub severity: Severity,
    /// Start of the event.
    pub opened_at: WallTime,
    /// End of the event; `None` while it is open.
    pub closed_at: Option<WallTime>,
    /// Number of existing segments of its clip.
    pub segments: u64,
    /// Bytes of these segments together.
    pub bytes: u64,
}

/// Reads the index, also in another process beside the daemon.
#[derive(Debug)]
pub struct Catalogue {
    connection: Mutex<Connection>,
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
            connection: Mutex::new(connection),
            has_starts: steps >= STEPS_WITH_STARTS,
            directory: directory.to_owned(),
            path,
            clips: crate::clips_path(directory),
        })
    }

    /// Opens the present index: it has replaced the one that was opened before.
    pub(crate) fn reopen(&self) -> Result<(), StoreError> {
        let (connection, _) = connect(&self.path)?;
        *self.lock() = connection;
        Ok(())
    }

    /// The store's folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// An alert's camera and span, from pre-roll to post-roll; no end while it is open.
    pub fn span(&self, alert: AlertId) -> Result<(CameraId, WallTime, Option<WallTime>), StoreError> {
        self.lock()
            .prepare_cached("SELECT camera, clip_starts_wall_us, clip_ends_wall_us FROM event WHERE id = ?1")
            .and_then(|mut event| {
                let span = event.query_row([alert.to_string()], |row| {
                    Ok((
                        row.get::<_, Parsed<CameraId>>(0)?.0,
                        WallTime::from_micros(row.get(1)?),
                        row.get::<_, Option<i64>>(2)?.map(WallTime::from_micros),
                    ))
                });
                span.optional()
            })
            .map_err(self.failed("read an event"))?
            .ok_or(StoreError::NoSuchAlert(alert))
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
        let sql = format!(
            "SELECT {columns} FROM segment
             WHERE camera = ?1 AND starts_wall_us < ?2 AND ends_wall_us > ?3 ORDER BY id"
        );
        let span = params![camera.as_str(), to.as_micros(), from.as_micros()];
        let segments = self.rows("read the segments", &sql, span, |row| segment(&self.clips, row))?;
        Ok(Clip { camera: camera.clone(), starts_at: from, ends_at: to, segments })
    }

    /// Alerts with the footage that exists of them, youngest first.
    pub fn clips(&self, filter: &ClipFilter) -> Result<Vec<ClipEntry>, StoreError> {
        const CLIPS: &str = "
            SELECT event.id, event.camera, event.rule, event.severity, event.opened_wall_us,
                   event.closed_wall_us, count(segment.id), coalesce(sum(segment.bytes), 0)
            FROM event LEFT JOIN segment
                ON segment.camera = event.camera
                AND segment.ends_wall_us > event.clip_starts_wall_us
                AND segment.starts_wall_us < coalesce(event.clip_ends_wall_us, 9223372036854775807)
            WHERE (?1 IS NULL OR event.camera = ?1)
                AND coalesce(event.clip_ends_wall_us, 9223372036854775807) > ?2
                AND event.clip_starts_wall_us < ?3
            GROUP BY event.id ORDER BY event.opened_wall_us DESC, event.id DESC LIMIT ?4";
        let (camera, from, to, limit) = filter.columns();
        self.rows("read the events", CLIPS, params![camera, from, to, limit], |row| {
            Ok(ClipEntry {
                alert: row.get::<_, Parsed<AlertId>>(0)?.0,
                camera: row.get::<_, Parsed<CameraId>>(1)?.0,
                rule: row.get::<_, Parsed<RuleId>>(2)?.0,
                severity: row.get::<_, Parsed<Severity>>(3)?.0,
                opened_at: WallTime::from_micros(row.get(4)?),
                closed_at: row.get::<_, Option<i64>>(5)?.map(WallTime::from_micros),
                segments: unsigned(row.get(6)?),
                bytes: unsigned(row.get(7)?),
            })
        })
    }

    /// Segments, youngest first.
    pub fn segments(&self, filter: &ClipFilter) -> Result<Vec<ClipSegment>, StoreError> {
        let columns = self.segment_columns();
        let sql = format!(
            "SELECT {columns} FROM segment
             WHERE (?1 IS NULL OR camera = ?1) AND ends_wall_us > ?2 AND starts_wall_us < ?3
             ORDER BY id DESC LIMIT ?4"
        );
        let (camera, from, to, limit) = filter.columns();
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
        self.lock()
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params, read)?.collect())
            .map_err(self.failed(doing))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A statement that a panic left behind is reset when it is used again.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
        StoreError::index(doing, &self.path)
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
