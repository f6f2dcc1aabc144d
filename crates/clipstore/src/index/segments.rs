//! Statements on segments and their fragments.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::columns::{Parsed, signed, unsigned};
use super::connection::Index;
use super::rows::{Batch, FragmentRow, IndexedFragment, KnownSegment, Origin, SegmentRow};
use crate::error::StoreError;
use base::fragment::Codec;
use base::ids::{CameraId, Epoch};
use base::time::{ClockState, Monotonic, WallTime};

impl Index {
    /// The id that follows all present ones.
    pub fn next_segment_id(&self) -> Result<i64, StoreError> {
        self.connection
            .query_row("SELECT coalesce(max(id), 0) + 1 FROM segment", [], |row| row.get(0))
            .map_err(self.failed("read the segments"))
    }

    /// All segments, oldest first.
    pub fn segments(&self) -> Result<Vec<KnownSegment>, StoreError> {
        let mut cameras = HashMap::new();
        self.connection
            .prepare(&format!("SELECT {KNOWN} FROM segment ORDER BY id"))
            .and_then(|mut select| select.query_map([], |row| known(row, &mut cameras))?.collect())
            .map_err(self.failed("read the segments"))
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
        self.connection
            .prepare_cached(ORIGIN)
            .and_then(|mut select| select.query_row([id], Origin::read).optional())
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
        self.connection
            .prepare_cached(sql)
            .and_then(|mut select| select.query_map([segment], IndexedFragment::read)?.collect())
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
}

impl Origin {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            camera: row.get::<_, Parsed<CameraId>>(0)?.0,
            epoch: Epoch(row.get(1)?),
            boot_id: row.get(2)?,
            starts_at: Monotonic::from_nanos(unsigned(row.get(3)?)),
        })
    }
}

impl IndexedFragment {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            offset_bytes: unsigned(row.get(0)?),
            bytes: unsigned(row.get(1)?),
            sha256: row.get(2)?,
            starts_at: WallTime::from_micros(row.get(3)?),
        })
    }
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
