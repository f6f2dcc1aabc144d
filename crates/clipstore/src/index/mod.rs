//! The writer's side of the index: every statement that changes it. Here the segments, in [`alerts`] the alerts, in
//! [`outbox`] the waiting ones, in [`times`] the correction of times once the clock is right.

mod alerts;
mod outbox;
mod times;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{FromSql, Type};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) use alerts::{AlertColumns, PinRow, parse_alert};
use outbox::Waiting;
pub(super) use outbox::{Acknowledged, begin as begin_outbox};
pub(super) use times::PutRight;

use super::container::{Found, SegmentHeader};
use super::error::StoreError;
use super::migrate;
use base::fragment::{Codec, Fragment, FragmentStart};
use base::ids::{CameraId, Epoch};
use base::time::{ClockState, Monotonic, WallTime};

/// Maximum wait of a statement for another connection that writes; only a repair tool would.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Releases before this one can corrupt a WAL.
const SQLITE_MIN: i32 = 3_051_003;

/// The connection that writes. One per store.
#[derive(Debug)]
pub(super) struct Index {
    connection: Connection,
    path: PathBuf,
    boot_id: String,
    waiting: Waiting,
}

/// A row of `segment`, as it starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SegmentRow {
    pub id: i64,
    /// Path below `clips/`.
    pub path: PathBuf,
    header: SegmentHeader,
    init_bytes: u64,
}

impl SegmentRow {
    /// The row of the segment that starts with an init section of `init_bytes` and `header`. Its `id` is the header's,
    /// unless that one is taken.
    pub fn new(id: i64, path: PathBuf, header: SegmentHeader, init_bytes: u64) -> Self {
        Self { id, path, header, init_bytes }
    }
}

/// A row of `fragment`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FragmentRow {
    pub segment: i64,
    pub offset_bytes: u64,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Length of the trailer that follows it in the file.
    trailer_bytes: u64,
    pts_nanos: u64,
    duration: Duration,
    wall: WallTime,
    samples: u32,
    start: FragmentStart,
}

impl FragmentRow {
    /// The row of `fragment` at `offset_bytes` in its file.
    pub fn new(
        segment: i64,
        offset_bytes: u64,
        trailer_bytes: u64,
        sha256: [u8; 32],
        fragment: &Fragment,
    ) -> Self {
        Self {
            segment,
            offset_bytes,
            bytes: fragment.bytes.len() as u64,
            sha256,
            trailer_bytes,
            pts_nanos: fragment.pts.0,
            duration: fragment.duration,
            wall: fragment.starts_at.wall,
            samples: fragment.samples,
            start: fragment.start,
        }
    }

    /// The row of a fragment that was read back.
    pub fn read_back(segment: i64, found: &Found) -> Self {
        let trailer = &found.trailer;
        Self {
            segment,
            offset_bytes: found.offset_bytes,
            bytes: trailer.bytes,
            sha256: trailer.sha256,
            trailer_bytes: found.end_bytes - found.offset_bytes - trailer.bytes,
            pts_nanos: trailer.pts_ns,
            duration: trailer.duration(),
            wall: trailer.starts_at.wall,
            samples: trailer.samples,
            start: trailer.start,
        }
    }
}

/// Changes of segments in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub started: Vec<SegmentRow>,
    pub fragments: Vec<FragmentRow>,
    pub ended: Vec<i64>,
    pub removed: Vec<i64>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.started.is_empty()
            && self.fragments.is_empty()
            && self.ended.is_empty()
            && self.removed.is_empty()
    }

    /// Appends a later batch; nothing is added any more of a segment that the later batch removes.
    pub fn followed_by(mut self, later: Self) -> Self {
        for id in &later.removed {
            self.forget(*id);
        }
        self.started.extend(later.started);
        self.fragments.extend(later.fragments);
        self.ended.extend(later.ended);
        self.removed.extend(later.removed);
        self
    }

    /// Forgets its rows of a segment. Returns the number of fragments among them.
    pub fn forget(&mut self, segment: i64) -> usize {
        let before = self.fragments.len();
        self.started.retain(|row| row.id != segment);
        self.fragments.retain(|row| row.segment != segment);
        self.ended.retain(|id| *id != segment);
        before - self.fragments.len()
    }
}

/// Place of a fragment, and the expected sha256 of its file up to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexedFragment {
    pub offset_bytes: u64,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Arrival of its first sample.
    pub starts_at: WallTime,
}

/// A segment that the index knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownSegment {
    /// Row id; higher for younger segments.
    pub id: i64,
    /// Path below `clips/`.
    pub path: PathBuf,
    pub camera: CameraId,
    /// Arrival of its first sample.
    pub starts_at: WallTime,
    /// End of its last fragment.
    pub ends_at: WallTime,
    /// Trust in these times.
    pub clock: ClockState,
    /// Length of the file as far as it is indexed.
    pub bytes: u64,
    /// True once nothing will be added.
    pub ended: bool,
}

/// Facts that tell the file of a segment from all others; its header has the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub camera: CameraId,
    pub epoch: Epoch,
    /// Boot from which the next one counts.
    pub boot_id: String,
    /// Arrival of its first sample.
    pub starts_at: Monotonic,
}

impl Index {
    /// Opens and migrates. Returns whether the index is new.
    pub fn open(path: &Path, boot_id: String) -> Result<(Self, bool), StoreError> {
        if rusqlite::version_number() < SQLITE_MIN {
            return Err(StoreError::SqliteTooOld { found: rusqlite::version() });
        }
        let mut connection = connect(path).map_err(StoreError::index("open the index", path))?;
        let is_new = migrate::migrate(&mut connection, path)?;
        let waiting = Waiting::read(&connection).map_err(StoreError::index("read the outbox of", path))?;
        Ok((Self { connection, path: path.to_owned(), boot_id, waiting }, is_new))
    }

    /// Opens to read only; changes nothing.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| connection.busy_timeout(BUSY_TIMEOUT).map(|()| connection))
            .map_err(StoreError::index("open the index", path))?;
        migrate::check(&connection, path)?;
        let (boot_id, waiting) = (String::new(), Waiting::default());
        Ok(Self { connection, path: path.to_owned(), boot_id, waiting })
    }

    /// Opens an index that may be damaged, to read.
    pub fn open_damaged(path: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }

    /// Runs `fill` in one transaction in which references are checked at its end.
    pub fn fill<T>(&mut self, fill: impl FnOnce(&Transaction) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.in_transaction(|transaction| {
            transaction.pragma_update(None, "defer_foreign_keys", true)?;
            fill(transaction)
        })
    }

    /// Reads the ends of the tables that the daemon cannot do without, so that damage there is found at the start.
    pub fn read_ends(&self) -> Result<(), StoreError> {
        const ENDS: &str = "
            SELECT (SELECT last FROM sequence WHERE one = 1), (SELECT max(seq) FROM alert),
                   (SELECT min(seq) FROM alert), (SELECT min(seq) FROM outbox), (SELECT max(id) FROM event),
                   (SELECT max(segment) FROM fragment), (SELECT max(path) FROM segment),
                   (SELECT id FROM outbox_identity)";
        self.connection.query_row(ENDS, [], |_| Ok(())).map_err(self.failed("read the ends of the tables"))
    }

    /// Brings everything into the one file; a reader at this moment may keep a part in the log.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(self.failed("empty the log of"))
    }

    /// Brings everything into the one file, and closes it.
    pub fn close(self) -> Result<(), StoreError> {
        let failed = StoreError::index("close the index", &self.path);
        self.connection.close().map_err(|(_, error)| failed(error))
    }

    /// Connection for statements that only one place needs.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The id that follows all present ones.
    pub fn next_segment_id(&self) -> Result<i64, StoreError> {
        self.connection
            .query_row("SELECT coalesce(max(id), 0) + 1 FROM segment", [], |row| row.get(0))
            .map_err(self.failed("read the segments"))
    }

    /// All segments, oldest first.
    pub fn segments(&self) -> Result<Vec<KnownSegment>, StoreError> {
        let read = || {
            let mut statement =
                self.connection.prepare(&format!("SELECT {KNOWN} FROM segment ORDER BY id"))?;
            let mut cameras = HashMap::new();
            statement.query_map([], |row| known(row, &mut cameras))?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(self.failed("read the segments"))
    }

    /// One segment, if there still is such a row.
    pub fn segment(&self, id: i64) -> Result<Option<KnownSegment>, StoreError> {
        self.connection
            .prepare_cached(&format!("SELECT {KNOWN} FROM segment WHERE id = ?1"))
            .and_then(|mut select| select.query_row([id], |row| known(row, &mut HashMap::new())).optional())
            .map_err(self.failed("read a segment"))
    }

    /// Origin of a segment, if there still is such a row.
    pub fn origin(&self, id: i64) -> Result<Option<Origin>, StoreError> {
        const ORIGIN: &str = "SELECT camera, epoch, boot_id, starts_monotonic_ns FROM segment WHERE id = ?1";
        let origin = |row: &Row<'_>| {
            Ok(Origin {
                camera: row.get::<_, Parsed<CameraId>>(0)?.0,
                epoch: Epoch(row.get(1)?),
                boot_id: row.get(2)?,
                starts_at: Monotonic::from_nanos(unsigned(row.get(3)?)),
            })
        };
        self.connection
            .prepare_cached(ORIGIN)
            .and_then(|mut select| select.query_row([id], origin).optional())
            .map_err(self.failed("read a segment"))
    }

    /// Returns true if a segment has this path below `clips/`.
    pub fn has_path(&self, path: &Path) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached("SELECT 1 FROM segment WHERE path = ?1")
            .and_then(|mut select| select.exists([path.to_string_lossy()]))
            .map_err(self.failed("read a segment"))
    }

    /// The fragments of a segment, in the order of the file.
    pub fn fragments(&self, segment: i64) -> Result<Vec<IndexedFragment>, StoreError> {
        self.select_fragments(
            "SELECT offset_bytes, bytes, sha256, wall_us FROM fragment WHERE segment = ?1 ORDER BY offset_bytes",
            segment,
        )
    }

    /// The last fragment of a segment.
    pub fn last_fragment(&self, segment: i64) -> Result<Option<IndexedFragment>, StoreError> {
        const LAST: &str = "SELECT offset_bytes, bytes, sha256, wall_us FROM fragment WHERE segment = ?1
                            ORDER BY offset_bytes DESC LIMIT 1";
        Ok(self.select_fragments(LAST, segment)?.pop())
    }

    fn select_fragments(&self, sql: &str, segment: i64) -> Result<Vec<IndexedFragment>, StoreError> {
        let fragment = |row: &Row<'_>| {
            Ok(IndexedFragment {
                offset_bytes: unsigned(row.get(0)?),
                bytes: unsigned(row.get(1)?),
                sha256: row.get(2)?,
                starts_at: WallTime::from_micros(row.get(3)?),
            })
        };
        self.connection
            .prepare_cached(sql)
            .and_then(|mut select| select.query_map([segment], fragment)?.collect())
            .map_err(self.failed("read the fragments"))
    }

    /// Writes a batch in one transaction; durable when it returns.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let failed = self.failed("index fragments");
        self.in_transaction(|transaction| {
            for row in &batch.started {
                insert_segment(transaction, row)?;
            }
            for row in &batch.fragments {
                insert_fragment(transaction, row)?;
            }
            for id in &batch.ended {
                transaction.prepare_cached("UPDATE segment SET ended = 1 WHERE id = ?1")?.execute([id])?;
            }
            for id in &batch.removed {
                transaction.prepare_cached("DELETE FROM segment WHERE id = ?1")?.execute([id])?;
            }
            Ok(())
        })
        .map_err(failed)
    }

    /// Ends the segments that an earlier run left open, but for `others`, which it marks as open.
    pub fn end_all_but(&mut self, others: &[i64]) -> Result<(), StoreError> {
        let failed = self.failed("end segments");
        self.in_transaction(|transaction| {
            transaction.execute("UPDATE segment SET ended = 1 WHERE ended = 0", [])?;
            for id in others {
                transaction.execute("UPDATE segment SET ended = 0 WHERE id = ?1", [id])?;
            }
            Ok(())
        })
        .map_err(failed)
    }

    /// Drops the rows of fragments that reach beyond `bytes` of the file. Returns the length that is still indexed; 0
    /// when no fragment is left: then the segment's row is dropped too.
    pub fn shorten(&mut self, segment: i64, bytes: u64) -> Result<u64, StoreError> {
        let failed = self.failed("shorten a segment");
        self.in_transaction(|transaction| {
            let first_gone: Option<i64> = transaction.query_row(
                "SELECT min(offset_bytes) FROM fragment WHERE segment = ?1 AND offset_bytes + bytes > ?2",
                params![segment, signed(bytes)],
                |row| row.get(0),
            )?;
            transaction.execute(
                "DELETE FROM fragment WHERE segment = ?1 AND offset_bytes + bytes > ?2",
                params![segment, signed(bytes)],
            )?;
            let last: Option<(i64, i64)> = transaction
                .query_row(
                    "SELECT offset_bytes + bytes, wall_us + duration_ns / 1000 FROM fragment
                     WHERE segment = ?1 ORDER BY offset_bytes DESC LIMIT 1",
                    [segment],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let Some((end, ends_wall)) = last else {
                transaction.execute("DELETE FROM segment WHERE id = ?1", [segment])?;
                return Ok(0);
            };
            // The last trailer ends at the start of the next fragment, if the file reaches that far.
            let end = first_gone.filter(|start| *start <= signed(bytes)).unwrap_or(end);
            transaction.execute(
                "UPDATE segment SET bytes = ?2, ends_wall_us = ?3 WHERE id = ?1",
                params![segment, end, ends_wall],
            )?;
            Ok(unsigned(end))
        })
        .map_err(failed)
    }

    /// Runs `change` in one IMMEDIATE transaction: a deferred one could fail with BUSY in its middle.
    fn in_transaction<T>(
        &mut self,
        change: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
        StoreError::index(doing, &self.path)
    }
}

/// SQLite's integers have a sign; no length or count here comes near its end.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// See [`signed`].
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A column with the text that the type has in messages.
#[derive(Debug, Deserialize)]
pub(super) struct Parsed<T>(pub T);

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

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Never needs room in /tmp.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// The columns of a [`KnownSegment`].
const KNOWN: &str = "id, path, camera, starts_wall_us, ends_wall_us, clock, bytes, ended";

/// Reads [`KNOWN`]. There are few cameras and many segments: each name is kept once, in `cameras`.
fn known(row: &Row<'_>, cameras: &mut HashMap<String, CameraId>) -> rusqlite::Result<KnownSegment> {
    let path = row.get_ref(1)?.as_str()?.into();
    let name = row.get_ref(2)?.as_str()?;
    let camera = match cameras.get(name) {
        Some(camera) => camera.clone(),
        None => {
            let camera = row.get::<_, Parsed<CameraId>>(2)?.0;
            cameras.insert(name.to_owned(), camera.clone());
            camera
        }
    };
    let clock = match row.get_ref(5)?.as_str()? {
        "synced" => ClockState::Synced,
        _ => row.get::<_, Parsed<ClockState>>(5)?.0,
    };
    Ok(KnownSegment {
        id: row.get(0)?,
        path,
        camera,
        starts_at: WallTime::from_micros(row.get(3)?),
        ends_at: WallTime::from_micros(row.get(4)?),
        clock,
        bytes: unsigned(row.get(6)?),
        ended: row.get(7)?,
    })
}

fn insert_segment(transaction: &Transaction, row: &SegmentRow) -> rusqlite::Result<()> {
    let header = &row.header;
    let codec = match header.codec {
        Codec::H264 => "h264",
        Codec::H265 => "h265",
    };
    transaction
        .prepare_cached(
            "INSERT INTO segment (id, camera, epoch, path, boot_id, starts_wall_us, starts_monotonic_ns, clock,
                                  ends_wall_us, codec, width, height, init_bytes, bytes, ended, time_source)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?6, ?9, ?10, ?11, ?12, ?12, 0, ?13)",
        )?
        .execute(params![
            row.id,
            header.camera.as_str(),
            header.epoch.0,
            row.path.to_string_lossy(),
            header.boot_id,
            header.starts_at.wall.as_micros(),
            signed(header.starts_at.monotonic.as_nanos()),
            header.starts_at.clock.as_str(),
            codec,
            header.width,
            header.height,
            signed(row.init_bytes),
            header.time.as_str(),
        ])
        .map(drop)
}

/// Inserts a fragment. Its times are as far off as the segment's: the same correction applies.
fn insert_fragment(transaction: &Transaction, row: &FragmentRow) -> rusqlite::Result<()> {
    let duration_nanos = i64::try_from(row.duration.as_nanos()).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "INSERT INTO fragment (segment, offset_bytes, bytes, pts_ns, duration_ns, wall_us, samples, sha256,
                                   start)
             VALUES (?1, ?2, ?3, ?4, ?5,
                     ?6 + coalesce((SELECT wall_shift_us FROM segment WHERE id = ?1), 0), ?7, ?8, ?9)",
        )?
        .execute(params![
            row.segment,
            signed(row.offset_bytes),
            signed(row.bytes),
            signed(row.pts_nanos),
            duration_nanos,
            row.wall.as_micros(),
            row.samples,
            &row.sha256[..],
            row.start.as_str(),
        ])?;
    transaction
        .prepare_cached("UPDATE segment SET bytes = ?2, ends_wall_us = ?3 + wall_shift_us WHERE id = ?1")?
        .execute(params![
            row.segment,
            signed(row.offset_bytes + row.bytes + row.trailer_bytes),
            (row.wall + row.duration).as_micros()
        ])
        .map(drop)
}
