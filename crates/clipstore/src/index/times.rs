//! Times that were recorded before the clock was right, and are corrected once it is.
//!
//! Time since boot never steps: `wall = monotonic + offset` holds for all of a boot, for any reading of the wall clock.

use rusqlite::{Transaction, params};

use super::Index;
use crate::error::StoreError;
use base::time::WallTime;

/// Corrected times of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CorrectedTimes {
    /// The segment's row.
    pub id: i64,
    pub starts_at: WallTime,
    pub ends_at: WallTime,
}

impl Index {
    /// Corrects the times that were recorded in boot `boot_id` while the clock was not synced: wall time becomes time since
    /// boot plus `offset_micros`. Moves segments with their fragments, and events with their clips; the text of an alert's
    /// message has been sent and stays. Times recorded as synced are never moved. Returns the segments that were moved.
    pub fn correct_times(
        &mut self,
        boot_id: &str,
        offset_micros: i64,
    ) -> Result<Vec<CorrectedTimes>, StoreError> {
        let failed = self.failed("correct times");
        self.in_transaction(|transaction| {
            correct_events(transaction, boot_id, offset_micros)?;
            correct_segments(transaction, boot_id, offset_micros)
        })
        .map_err(failed)
    }

    /// The boots in which the clock was not synced at first, or no longer, but was at some time: each with its wall
    /// time minus time since boot, in microseconds, as its youngest synced footage has it. These are the arguments of
    /// [`Index::correct_times`].
    pub fn offsets_of_doubtful_boots(&self) -> Result<Vec<(String, i64)>, StoreError> {
        // SQLite takes bare columns from the row that has the max.
        const OFFSETS: &str = "
            SELECT boot_id, starts_wall_us - starts_monotonic_ns / 1000, max(id) FROM segment
            WHERE clock = 'synced' AND wall_shift_us = 0
                AND boot_id IN (SELECT boot_id FROM segment WHERE clock <> 'synced')
            GROUP BY boot_id";
        self.connection
            .prepare(OFFSETS)
            .and_then(|mut select| select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .map_err(self.failed("read the segments"))
    }
}

fn correct_segments(
    transaction: &Transaction<'_>,
    boot_id: &str,
    offset_micros: i64,
) -> rusqlite::Result<Vec<CorrectedTimes>> {
    let mut select = transaction.prepare(
        "SELECT id, starts_wall_us, ends_wall_us, starts_monotonic_ns / 1000 + ?2 - starts_wall_us FROM segment
         WHERE boot_id = ?1 AND clock <> 'synced' ORDER BY id",
    )?;
    let in_doubt = select
        .query_map(params![boot_id, offset_micros], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, i64, i64, i64)>>>()?;
    let mut move_segment = transaction.prepare(
        "UPDATE segment SET clock = 'synced', starts_wall_us = starts_wall_us + ?2,
                            ends_wall_us = ends_wall_us + ?2, wall_shift_us = wall_shift_us + ?2 WHERE id = ?1",
    )?;
    let mut move_fragments =
        transaction.prepare("UPDATE fragment SET wall_us = wall_us + ?2 WHERE segment = ?1")?;
    let mut moved = Vec::with_capacity(in_doubt.len());
    for (id, starts, ends, shift) in in_doubt {
        move_segment.execute([id, shift])?;
        move_fragments.execute([id, shift])?;
        let (starts_at, ends_at) =
            (WallTime::from_micros(starts + shift), WallTime::from_micros(ends + shift));
        moved.push(CorrectedTimes { id, starts_at, ends_at });
    }
    Ok(moved)
}

/// An event that was still open when the clock was set may have closed in right time already: then its end stays. That
/// can be detected if the clock was more than an hour off, which no event's length comes near.
fn correct_events(transaction: &Transaction<'_>, boot_id: &str, offset_micros: i64) -> rusqlite::Result<()> {
    transaction
        .execute(
            "WITH off AS MATERIALIZED (
                 SELECT id, opened_monotonic_ns / 1000 + ?2 - opened_wall_us AS shift,
                        closed_wall_us - opened_wall_us AS lasted
                 FROM event WHERE boot_id = ?1 AND clock <> 'synced'),
             moved AS MATERIALIZED (
                 SELECT id, shift, iif(abs(shift) > 3600000000 AND abs(lasted - shift) < abs(lasted), 0, shift)
                        AS end_shift
                 FROM off)
             UPDATE event SET
                 clock = 'synced',
                 opened_wall_us = opened_wall_us + shift,
                 clip_starts_wall_us = clip_starts_wall_us + shift,
                 closed_wall_us = closed_wall_us + end_shift,
                 clip_ends_wall_us = clip_ends_wall_us + end_shift,
                 wall_shift_us = wall_shift_us + shift
             FROM moved WHERE event.id = moved.id",
            params![boot_id, offset_micros],
        )
        .map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Batch, FragmentRow, SegmentRow};
    use super::*;
    use crate::testing::{draft, fragment};
    use crate::write::container::SegmentHeader;
    use base::fragment::Fragment;
    use base::time::{ClockState, Monotonic, Stamp};

    /// 2026-01-01T00:00:00Z: the wall time at boot, and so the offset.
    const OFFSET: i64 = 1_767_225_600_000_000;

    fn at(monotonic_seconds: u64, offset_micros: i64, clock: ClockState) -> Stamp {
        let wall = WallTime::from_micros(offset_micros + (monotonic_seconds * 1_000_000) as i64);
        Stamp { wall, monotonic: Monotonic::from_nanos(monotonic_seconds * 1_000_000_000), clock }
    }

    fn put_segment(index: &mut Index, id: i64, boot_id: &str, starts_at: Stamp, fragments: u32) {
        let of = |number: u32| Fragment {
            starts_at: starts_at + Duration::from_secs(2) * number,
            ..fragment("gate", number.into())
        };
        let header = SegmentHeader::new(id, boot_id, &of(0));
        let row = |number: u32| FragmentRow::new(id, u64::from(number) * 100, 10, [0; 32], &of(number));
        let started = vec![SegmentRow::new(id, format!("{id}.mp4").into(), header, 0)];
        let batch = Batch { started, fragments: (0..fragments).map(row).collect(), ..Batch::default() };
        index.commit(&batch).unwrap();
    }

    fn put_event(index: &mut Index, opened_at: Stamp, closed_at: Option<Stamp>) -> String {
        let mut draft = draft("gate");
        draft.event.id = base::ids::AlertId::new(5);
        (draft.event.opened_at, draft.event.closed_at) = (opened_at, closed_at);
        draft.clip.starts_at = opened_at.wall - Duration::from_secs(5);
        draft.clip.ends_at = closed_at.map(|at| at.wall + Duration::from_secs(5));
        let id = draft.event.id.to_string();
        index.put_alert(draft, opened_at.wall).unwrap();
        id
    }

    fn times(index: &Index, sql: &str) -> Vec<Option<i64>> {
        let mut select = index.connection().prepare(sql).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            all.extend((0..columns).map(|column| row.get::<_, Option<i64>>(column).unwrap()));
        }
        all
    }

    fn open() -> (tempfile::TempDir, Index) {
        let place = tempfile::tempdir().unwrap();
        let (index, _) = Index::open(&place.path().join("index.sqlite"), "this".into()).unwrap();
        (place, index)
    }

    #[test]
    fn only_what_was_in_doubt_in_that_boot_is_moved() {
        let (_place, mut index) = open();
        put_segment(&mut index, 1, "this", at(10, 0, ClockState::Unsynced), 3);
        put_segment(&mut index, 2, "that", at(10, 0, ClockState::Unsynced), 1);
        put_segment(&mut index, 3, "this", at(30, OFFSET + 2_000_000, ClockState::Holdover), 1);
        put_segment(&mut index, 4, "this", at(40, OFFSET + 9, ClockState::Synced), 1);
        let before = times(&index, "SELECT starts_wall_us FROM segment WHERE id IN (2, 4)");
        assert_eq!(index.offsets_of_doubtful_boots().unwrap(), [("this".to_owned(), OFFSET + 9)]);

        let moved = index.correct_times("this", OFFSET).unwrap();
        let wall = |seconds| at(seconds, OFFSET, ClockState::Synced).wall;
        let expected = |id, starts, ends| CorrectedTimes { id, starts_at: wall(starts), ends_at: wall(ends) };
        assert_eq!(moved, [expected(1, 10, 16), expected(3, 30, 32)]);
        let fragments = times(&index, "SELECT wall_us FROM fragment WHERE segment = 1");
        assert_eq!(fragments, [10, 12, 14].map(|seconds| Some(wall(seconds).as_micros())));
        assert_eq!(before, times(&index, "SELECT starts_wall_us FROM segment WHERE id IN (2, 4)"));
        let shifts = times(&index, "SELECT wall_shift_us FROM segment ORDER BY id");
        assert_eq!(shifts, [OFFSET, 0, -2_000_000, 0].map(Some), "what the file says can be had back");
        assert_eq!(index.offsets_of_doubtful_boots().unwrap(), []);
        assert_eq!(index.correct_times("this", OFFSET + 60_000_000).unwrap(), [], "what is right stays");
        assert!(index.segments().unwrap()[0].clock == ClockState::Synced);
    }

    #[test]
    fn a_fragment_that_comes_late_is_moved_as_its_segment_was() {
        let (_place, mut index) = open();
        let starts_at = at(10, 0, ClockState::Unsynced);
        put_segment(&mut index, 1, "this", starts_at, 1);
        index.correct_times("this", OFFSET).unwrap();
        let late = Fragment { starts_at: starts_at + Duration::from_secs(2), ..fragment("gate", 1) };
        let fragments = vec![FragmentRow::new(1, 100, 10, [0; 32], &late)];
        index.commit(&Batch { fragments, ..Batch::default() }).unwrap();
        let wall = |seconds| Some(at(seconds, OFFSET, ClockState::Synced).wall.as_micros());
        assert_eq!(times(&index, "SELECT wall_us FROM fragment"), [wall(10), wall(12)]);
        assert_eq!(times(&index, "SELECT ends_wall_us FROM segment"), [wall(14)]);
    }

    #[test]
    fn events_are_moved_and_their_messages_are_not() {
        const EVENT: &str = "SELECT clip_starts_wall_us, opened_wall_us, closed_wall_us, clip_ends_wall_us,
                                    wall_shift_us FROM event";
        let unsynced = |seconds| at(seconds, 0, ClockState::Unsynced);
        let right = |seconds| at(seconds, OFFSET, ClockState::Synced);
        let moved = |seconds| Some(right(seconds).wall.as_micros());
        for closed_at in [unsynced(50), right(50)] {
            let (_place, mut index) = open();
            let event = put_event(&mut index, unsynced(20), Some(closed_at));
            let message = index
                .connection()
                .query_row("SELECT message FROM alert WHERE event = ?1", [&event], |row| {
                    row.get::<_, String>(0)
                })
                .unwrap();
            assert_eq!(index.correct_times("that", 5).unwrap(), []);
            index.correct_times("this", OFFSET).unwrap();
            assert_eq!(times(&index, EVENT), [moved(15), moved(20), moved(50), moved(55), Some(OFFSET)]);
            let after: String =
                index.connection().query_row("SELECT message FROM alert", [], |row| row.get(0)).unwrap();
            assert_eq!(message, after);
        }
        let (_place, mut index) = open();
        put_event(&mut index, unsynced(20), None);
        index.correct_times("this", OFFSET).unwrap();
        assert_eq!(times(&index, EVENT), [moved(15), moved(20), None, None, Some(OFFSET)]);
    }
}
