//! Footage down to its fragments, and the spans that it covers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Row, params};

use super::overlap::OVERLAPPING;
use super::{Catalogue, ClipFilter, ClipSegment, segment};
use crate::error::StoreError;
use crate::index::{Parsed, unsigned};
use base::fragment::FragmentStart;
use base::ids::CameraId;
use base::time::{ClockState, WallTime};

/// Maximum distance in time of segments that follow each other.
const JOIN_MAX: Duration = Duration::from_secs(1);

/// Footage of one camera without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FootageSpan {
    /// Its camera.
    pub camera: CameraId,
    /// Arrival of its first sample.
    pub starts_at: WallTime,
    /// End of its last fragment.
    pub ends_at: WallTime,
    /// Trust in these times.
    pub clock: ClockState,
    /// Number of files that hold it.
    pub segments: u64,
    /// Bytes that it takes in these files.
    pub bytes: u64,
}

/// Gap in the fragments of a segment.
struct Hole {
    /// Offset at which the file continues.
    offset_bytes: u64,
    from: WallTime,
    to: WallTime,
}

/// A segment and those of its fragments that were asked for, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SegmentFootage {
    pub segment: ClipSegment,
    /// Row id; higher for younger segments.
    pub id: i64,
    /// Boot from which `starts_monotonic_micros` counts.
    pub boot_id: Arc<str>,
    /// Arrival of its first sample, in microseconds since boot.
    pub starts_monotonic_micros: i64,
    /// Length of the init section at the file's start.
    pub init_bytes: u64,
    pub fragments: Vec<ClipFragment>,
}

/// A fragment's row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClipFragment {
    /// Offset of its moof in the file.
    pub offset_bytes: u64,
    /// Length of moof and mdat.
    pub bytes: u64,
    /// Presentation time of its first sample since the session's start.
    pub pts_micros: i64,
    pub duration: Duration,
    /// Arrival of its first sample.
    pub starts_at: WallTime,
    /// sha256 of the file from its start to this fragment's end.
    pub sha256: [u8; 32],
    pub samples: u32,
    /// Kind of its start.
    pub start: FragmentStart,
}

impl Catalogue {
    /// The cameras of which there is footage or an alert, by id.
    pub fn cameras(&self) -> Result<Vec<CameraId>, StoreError> {
        // One step down the index for each camera, not one for each segment.
        const CAMERAS: &str = "
            WITH RECURSIVE recorded (camera) AS (
                SELECT min(camera) FROM segment
                UNION ALL
                SELECT (SELECT min(camera) FROM segment WHERE camera > recorded.camera) FROM recorded
                WHERE camera IS NOT NULL)
            SELECT camera FROM recorded WHERE camera IS NOT NULL UNION SELECT camera FROM event ORDER BY camera";
        self.rows("read the cameras", CAMERAS, [], |row| Ok(row.get::<_, Parsed<CameraId>>(0)?.0))
    }

    /// Footage of each camera, cameras by id, oldest footage first. A span ends where nothing follows, or where the clock was
    /// set. A limit leaves out the oldest spans.
    pub fn spans(&self, filter: &ClipFilter) -> Result<Vec<FootageSpan>, StoreError> {
        let cameras =
            filter.camera.as_ref().map_or_else(|| self.cameras(), |camera| Ok(vec![camera.clone()]))?;
        let mut spans = Vec::new();
        for camera in &cameras {
            self.spans_of(camera, filter, &mut spans)?;
        }
        let too_many = filter.limit.map_or(0, |limit| spans.len().saturating_sub(limit));
        Ok(spans.split_off(too_many))
    }

    /// Appends the spans of one camera.
    fn spans_of(
        &self,
        camera: &CameraId,
        filter: &ClipFilter,
        spans: &mut Vec<FootageSpan>,
    ) -> Result<(), StoreError> {
        let columns = self.segment_columns();
        let sql = format!("SELECT {columns}, id FROM segment WHERE {OVERLAPPING} ORDER BY id");
        let (_, from, to, _) = filter.columns();
        let read = |row: &Row| Ok((row.get(12)?, segment(&self.clips, row)?));
        let segments: Vec<(i64, ClipSegment)> =
            self.rows("read the segments", &sql, params![camera.as_str(), from, to], read)?;
        let mut holes = self.holes(camera, from, to)?;
        for (id, one) in segments {
            let (mut starts_at, mut offset_bytes) = (one.starts_at, 0);
            for hole in holes.remove(&id).unwrap_or_default() {
                extend(spans, &one, starts_at, hole.from, hole.offset_bytes - offset_bytes);
                (starts_at, offset_bytes) = (hole.to, hole.offset_bytes);
            }
            extend(spans, &one, starts_at, one.ends_at, one.bytes.saturating_sub(offset_bytes));
        }
        Ok(())
    }

    /// Gaps in the fragments of segments, by segment.
    fn holes(&self, camera: &CameraId, from: i64, to: i64) -> Result<HashMap<i64, Vec<Hole>>, StoreError> {
        let sql = format!(
            "SELECT segment, offset_bytes, ends_wall_us, wall_us FROM (
                 SELECT segment, offset_bytes, wall_us, lag(wall_us + duration_ns / 1000)
                     OVER (PARTITION BY segment ORDER BY offset_bytes) AS ends_wall_us
                 FROM fragment WHERE segment IN (SELECT id FROM segment WHERE {OVERLAPPING}))
             WHERE wall_us - ends_wall_us > ?4 ORDER BY segment, offset_bytes"
        );
        let least = i64::try_from(JOIN_MAX.as_micros()).expect("a second");
        let span = params![camera.as_str(), from, to, least];
        let found = self.rows("read the fragments", &sql, span, |row| {
            let hole = Hole {
                offset_bytes: unsigned(row.get(1)?),
                from: WallTime::from_micros(row.get(2)?),
                to: WallTime::from_micros(row.get(3)?),
            };
            Ok((row.get::<_, i64>(0)?, hole))
        })?;
        let mut holes: HashMap<i64, Vec<Hole>> = HashMap::new();
        for (segment, hole) in found {
            holes.entry(segment).or_default().push(hole);
        }
        Ok(holes)
    }

    /// Bytes of all footage.
    pub fn footage_bytes(&self) -> Result<u64, StoreError> {
        const BYTES: &str = "SELECT coalesce(sum(bytes), 0) FROM segment";
        Ok(self.rows("read the segments", BYTES, [], |row| row.get(0).map(unsigned))?.pop().unwrap_or(0))
    }

    /// Rate of a camera's youngest footage, about a day of it; `None` without footage.
    pub fn bytes_per_second(&self, camera: &CameraId) -> Result<Option<f64>, StoreError> {
        const RATE: &str = "
            SELECT sum(bytes) * 1e6 / sum(ends_wall_us - starts_wall_us) FROM (
                SELECT bytes, starts_wall_us, ends_wall_us FROM segment
                WHERE camera = ?1 AND ends_wall_us > starts_wall_us ORDER BY starts_wall_us DESC LIMIT 1440)";
        Ok(self.rows("read the segments", RATE, [camera.as_str()], |row| row.get(0))?.pop().flatten())
    }

    /// End of the last footage of a camera before a span, and start of the first after it.
    pub fn nearest(
        &self,
        camera: &CameraId,
        from: WallTime,
        to: WallTime,
    ) -> Result<(Option<WallTime>, Option<WallTime>), StoreError> {
        const BEFORE: &str = "SELECT ends_wall_us FROM segment WHERE camera = ?1 AND starts_wall_us < ?2
                              ORDER BY starts_wall_us DESC LIMIT 1";
        const AFTER: &str = "SELECT starts_wall_us FROM segment WHERE camera = ?1 AND starts_wall_us >= ?2
                             ORDER BY starts_wall_us LIMIT 1";
        let one = |sql: &str, at: WallTime| {
            let found =
                self.rows("read the segments", sql, params![camera.as_str(), at.as_micros()], |row| {
                    row.get(0).map(WallTime::from_micros)
                });
            Ok::<_, StoreError>(found?.pop())
        };
        Ok((one(BEFORE, from)?, one(AFTER, to)?))
    }

    /// The fragments of a camera that overlap `from..to`, in their segments, oldest first; with those before them that
    /// they need to be decoded.
    pub(crate) fn fragments(
        &self,
        camera: &CameraId,
        from: WallTime,
        to: WallTime,
    ) -> Result<Vec<SegmentFootage>, StoreError> {
        let columns = self.segment_columns();
        let sql = format!(
            "SELECT {columns}, id, boot_id, starts_monotonic_ns, init_bytes FROM segment
             WHERE {OVERLAPPING} ORDER BY id"
        );
        let span = params![camera.as_str(), from.as_micros(), to.as_micros()];
        let mut segments = self.rows("read the segments", &sql, span, |row| {
            Ok(SegmentFootage {
                segment: segment(&self.clips, row)?,
                id: row.get(12)?,
                boot_id: row.get(13)?,
                starts_monotonic_micros: row.get::<_, i64>(14)? / 1000,
                init_bytes: unsigned(row.get(15)?),
                fragments: Vec::new(),
            })
        })?;
        let start = if self.has_starts { "start" } else { "'key-frame'" };
        // The fragments that an overlapping fragment needs lie before it in the file.
        let fragments = format!(
            "SELECT offset_bytes, bytes, pts_ns, duration_ns, wall_us, sha256, samples, {start} FROM fragment
             WHERE segment = ?1 AND wall_us < ?2 ORDER BY offset_bytes"
        );
        for segment in &mut segments {
            let span = params![segment.id, to.as_micros()];
            let rows = self.rows("read the fragments", &fragments, span, fragment)?;
            segment.fragments = overlapping(rows, from);
        }
        segments.retain(|segment| !segment.fragments.is_empty());
        Ok(segments)
    }
}

/// Those of a file's fragments that end after `from`, and those that these continue.
fn overlapping(rows: Vec<ClipFragment>, from: WallTime) -> Vec<ClipFragment> {
    let mut kept: Vec<ClipFragment> = Vec::new();
    // The fragments of a GOP that has not reached `from` yet.
    let mut before: Vec<ClipFragment> = Vec::new();
    for row in rows {
        if row.start != FragmentStart::Continued {
            before.clear();
        }
        if row.starts_at + row.duration > from {
            kept.append(&mut before);
            kept.push(row);
        } else {
            before.push(row);
        }
    }
    kept
}

impl FootageSpan {
    /// Returns true if footage of `one` from `starts_at` belongs to this span.
    fn is_followed_by(&self, one: &ClipSegment, starts_at: WallTime) -> bool {
        let apart = starts_at.as_micros().saturating_sub(self.ends_at.as_micros()).unsigned_abs();
        self.camera == one.camera && self.clock == one.clock && Duration::from_micros(apart) <= JOIN_MAX
    }
}

/// Adds footage of `one` to the last span, or starts another.
fn extend(
    spans: &mut Vec<FootageSpan>,
    one: &ClipSegment,
    starts_at: WallTime,
    ends_at: WallTime,
    bytes: u64,
) {
    match spans.last_mut().filter(|span| span.is_followed_by(one, starts_at)) {
        Some(span) => {
            span.ends_at = ends_at;
            span.segments += 1;
            span.bytes += bytes;
        }
        None => spans.push(FootageSpan {
            camera: one.camera.clone(),
            starts_at,
            ends_at,
            clock: one.clock,
            segments: 1,
            bytes,
        }),
    }
}

fn fragment(row: &Row) -> rusqlite::Result<ClipFragment> {
    Ok(ClipFragment {
        offset_bytes: unsigned(row.get(0)?),
        bytes: unsigned(row.get(1)?),
        pts_micros: row.get::<_, i64>(2)? / 1000,
        duration: Duration::from_nanos(unsigned(row.get(3)?)),
        starts_at: WallTime::from_micros(row.get(4)?),
        sha256: row.get(5)?,
        samples: row.get(6)?,
        start: row.get::<_, Parsed<FragmentStart>>(7)?.0,
    })
}
