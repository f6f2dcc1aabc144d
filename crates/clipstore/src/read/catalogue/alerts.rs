//! Alerts, and the footage that exists of them.

use std::collections::HashMap;

use rusqlite::{Connection, Params, Row, params};

use super::overlap::SpanCounter;
use super::{Catalogue, ClipFilter};
use crate::error::StoreError;
use crate::index::{Parsed, unsigned};
use base::event::Severity;
use base::ids::{AlertId, CameraId, RuleId};
use base::time::WallTime;

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

/// The columns of [`Event`].
const EVENT: &str = "SELECT id, camera, rule, severity, opened_wall_us, closed_wall_us, clip_starts_wall_us,
    coalesce(clip_ends_wall_us, 9223372036854775807) FROM event";

/// An event's row: its entry, still without footage, and the span of its clip in microseconds.
struct Event {
    entry: ClipEntry,
    from: i64,
    to: i64,
}

/// Names of cameras and rules. There are few of them and many events: each is parsed once.
#[derive(Default)]
struct Names {
    cameras: HashMap<String, CameraId>,
    rules: HashMap<String, RuleId>,
}

impl Catalogue {
    /// An alert's camera and span, from pre-roll to post-roll; no end while it is open.
    pub fn span(&self, alert: AlertId) -> Result<(CameraId, WallTime, Option<WallTime>), StoreError> {
        const SPAN: &str = "SELECT camera, clip_starts_wall_us, clip_ends_wall_us FROM event WHERE id = ?1";
        let span = self.rows("read an event", SPAN, [alert.to_string()], |row| {
            Ok((
                row.get::<_, Parsed<CameraId>>(0)?.0,
                WallTime::from_micros(row.get(1)?),
                row.get::<_, Option<i64>>(2)?.map(WallTime::from_micros),
            ))
        });
        span?.pop().ok_or(StoreError::NoSuchAlert(alert))
    }

    /// Alerts with the footage that exists of them, youngest first.
    pub fn clips(&self, filter: &ClipFilter) -> Result<Vec<ClipEntry>, StoreError> {
        let sql = format!(
            "{EVENT} WHERE (?1 IS NULL OR camera = ?1) AND clip_starts_wall_us < ?3
                 AND coalesce(clip_ends_wall_us, 9223372036854775807) > ?2
             ORDER BY opened_wall_us DESC, id DESC LIMIT ?4"
        );
        let (camera, from, to, limit) = filter.columns();
        self.entries(&sql, params![camera, from, to, limit])
    }

    /// One alert with the footage that exists of it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAlert`], or the index cannot be read.
    pub fn entry(&self, alert: AlertId) -> Result<ClipEntry, StoreError> {
        let sql = format!("{EVENT} WHERE id = ?1");
        self.entries(&sql, [alert.to_string()])?.pop().ok_or(StoreError::NoSuchAlert(alert))
    }

    /// Alerts whose id, in lower case with hyphens, begins with `beginning`, youngest first; at most `limit`. With the
    /// footage that exists of them.
    pub fn entries_beginning(&self, beginning: &str, limit: usize) -> Result<Vec<ClipEntry>, StoreError> {
        // No id has a letter behind f.
        let sql = format!("{EVENT} WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id DESC LIMIT ?2");
        self.entries(&sql, params![beginning, i64::try_from(limit).unwrap_or(i64::MAX)])
    }

    /// The events of a statement, in its order, with their footage.
    fn entries(&self, sql: &str, params: impl Params) -> Result<Vec<ClipEntry>, StoreError> {
        let mut names = Names::default();
        let events = self.rows("read the events", sql, params, |row| names.event(row))?;
        self.with("read the segments", |connection| count_footage(connection, events))
    }
}

/// Counts the segments of each event's clip, in one state of the index.
fn count_footage(connection: &Connection, events: Vec<Event>) -> rusqlite::Result<Vec<ClipEntry>> {
    // One transaction takes the index's lock once.
    let snapshot = connection.unchecked_transaction()?;
    let mut counter = SpanCounter::new(&snapshot)?;
    let entries = events.into_iter().map(|Event { mut entry, from, to }| {
        let (segments, bytes) = counter.count(entry.camera.as_str(), from, to)?;
        (entry.segments, entry.bytes) = (unsigned(segments), unsigned(bytes));
        Ok(entry)
    });
    entries.collect()
}

impl Names {
    /// Reads the columns of [`EVENT`].
    fn event(&mut self, row: &Row<'_>) -> rusqlite::Result<Event> {
        let entry = ClipEntry {
            alert: row.get::<_, Parsed<AlertId>>(0)?.0,
            camera: known(&mut self.cameras, row, 1)?,
            rule: known(&mut self.rules, row, 2)?,
            severity: row.get::<_, Parsed<Severity>>(3)?.0,
            opened_at: WallTime::from_micros(row.get(4)?),
            closed_at: row.get::<_, Option<i64>>(5)?.map(WallTime::from_micros),
            segments: 0,
            bytes: 0,
        };
        Ok(Event { entry, from: row.get(6)?, to: row.get(7)? })
    }
}

/// A name out of a column, parsed if it is new.
fn known<T: Clone + serde::de::DeserializeOwned>(
    names: &mut HashMap<String, T>,
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    if let Some(name) = names.get(text) {
        return Ok(name.clone());
    }
    let name = row.get::<_, Parsed<T>>(column)?.0;
    names.insert(text.to_owned(), name.clone());
    Ok(name)
}
