//! Search for segments by time.
//!
//! A segment overlaps a span if it starts before the span's end and ends after its start. The index is in the order of
//! starts, so the search begins where a segment of 90 s can start that reaches the span. Longer ones, of which there
//! are few or none, have a partial index. Nothing is missed, and no older segment is read.

use rusqlite::{Connection, Result, Statement, params};

/// Condition for the segments of camera `?1` that overlap the span from `?2` to `?3`. The partial index is used since
/// the condition repeats its text.
pub(super) const OVERLAPPING: &str = "id IN (
    SELECT id FROM segment
    WHERE camera = ?1 AND starts_wall_us > ?2 - 90000000 AND starts_wall_us < ?3 AND ends_wall_us > ?2
    UNION ALL
    SELECT id FROM segment
    WHERE camera = ?1 AND starts_wall_us < ?3 AND ends_wall_us > ?2 AND ends_wall_us - starts_wall_us > 90000000)";

/// The same condition in two parts, for many spans: segments that start in the 90 s before the span or in it.
const NEAR: &str = "
    SELECT count(*), coalesce(sum(bytes), 0) FROM segment
    WHERE camera = ?1 AND starts_wall_us > ?2 - 90000000 AND starts_wall_us < ?3 AND ends_wall_us > ?2";

/// Segments that start before that, at most `?4` before the span.
const FAR: &str = "
    SELECT count(*), coalesce(sum(bytes), 0) FROM segment
    WHERE camera = ?1 AND starts_wall_us > ?2 - ?4 AND starts_wall_us <= ?2 - 90000000 AND starts_wall_us < ?3
        AND ends_wall_us > ?2 AND ends_wall_us - starts_wall_us > 90000000";

/// Length of the longest segment, in microseconds; 0 if none is longer than 90 s.
const LONGEST: &str = "
    SELECT coalesce(max(ends_wall_us - starts_wall_us), 0) FROM segment WHERE ends_wall_us - starts_wall_us > 90000000";

/// Counts the segments of one span after the other.
pub(super) struct SpanCounter<'a> {
    near: Statement<'a>,
    far: Statement<'a>,
    longest_micros: i64,
}

impl<'a> SpanCounter<'a> {
    /// Prepares the statements, and reads the length of the longest segment.
    pub fn new(connection: &'a Connection) -> Result<Self> {
        let longest_micros = connection.query_row(LONGEST, [], |row| row.get(0))?;
        Ok(Self { near: connection.prepare(NEAR)?, far: connection.prepare(FAR)?, longest_micros })
    }

    /// Number and bytes of the camera's segments that overlap a span, in microseconds.
    pub fn count(&mut self, camera: &str, from: i64, to: i64) -> Result<(i64, i64)> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (near, near_bytes) = self.near.query_row(params![camera, from, to], read)?;
        if self.longest_micros == 0 {
            return Ok((near, near_bytes));
        }
        let (far, far_bytes): (i64, i64) =
            self.far.query_row(params![camera, from, to, self.longest_micros], read)?;
        Ok((near + far, near_bytes + far_bytes))
    }
}
