//! Alerts that wait for the post.

use rusqlite::{Row, params};

use super::Catalogue;
use crate::error::StoreError;
use crate::index::{AlertColumns, Parsed, has_gone_back, parse_alert, signed, unsigned};
use base::ack::{Ack, Gap};
use base::alert::Alert;
use base::fault::chain;
use base::ids::OutboxId;
use base::status::{ABANDONED_MAX, OutboxStatus};
use base::time::WallTime;

/// Columns and tables of a waiting message.
const WAITING: &str =
    "seq, message, thumbnail, (SELECT id FROM outbox_identity) FROM outbox JOIN alert USING (seq)";

impl Catalogue {
    /// Alerts that are not delivered, with `seq` above `after_seq`, in order; at most `limit`. An alert that cannot be parsed
    /// is logged and left out; it does not hold up the others.
    pub fn outbox(&self, after_seq: u64, limit: usize) -> Result<Vec<Alert>, StoreError> {
        let sql = format!("SELECT {WAITING} WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        let span = params![signed(after_seq), i64::try_from(limit).unwrap_or(i64::MAX)];
        Ok(self.rows("read the outbox", &sql, span, waiting)?.into_iter().filter_map(parsed).collect())
    }

    /// One waiting alert. `None` where it does not wait any more, or cannot be parsed.
    pub fn waiting_alert(&self, seq: u64) -> Result<Option<Alert>, StoreError> {
        let sql = format!("SELECT {WAITING} WHERE seq = ?1");
        Ok(self.rows("read the outbox", &sql, [signed(seq)], waiting)?.pop().and_then(parsed))
    }

    /// The numbers above `after_seq` that are not delivered, in order; at most `limit`.
    pub fn waiting(&self, after_seq: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let span = params![signed(after_seq), i64::try_from(limit).unwrap_or(i64::MAX)];
        let sql = "SELECT seq FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.rows("read the outbox", sql, span, |row| row.get(0).map(unsigned))
    }

    /// The highest number that is not delivered; 0 where nothing waits.
    pub fn last_waiting(&self) -> Result<u64, StoreError> {
        let last =
            self.rows("read the outbox", "SELECT coalesce(max(seq), 0) FROM outbox", [], |row| row.get(0));
        Ok(last?.pop().map_or(0, unsigned))
    }

    /// Id of this outbox.
    pub fn outbox_id(&self) -> Result<OutboxId, StoreError> {
        let sql = "SELECT id FROM outbox_identity";
        let id = self.rows("read the outbox", sql, [], |row| row.get::<_, Parsed<OutboxId>>(0))?.pop();
        Ok(id.map_or(OutboxId::default(), |id| id.0))
    }

    /// The last number that was given to a message.
    pub fn last_given(&self) -> Result<u64, StoreError> {
        let last = self.rows("read the last number", "SELECT last FROM sequence", [], |row| row.get(0));
        Ok(last?.pop().map_or(0, unsigned))
    }

    /// True where the post has messages of this outbox that this store has not, or has other ones under their numbers.
    pub(crate) fn has_gone_back(&self, ack: &Ack) -> Result<bool, StoreError> {
        self.with("compare the outbox", |connection| has_gone_back(connection, ack))
    }

    /// State of the outbox, as reported to the post.
    pub fn outbox_status(&self) -> Result<OutboxStatus, StoreError> {
        // Of the numbers given before the outbox had its id, only those that still wait will come.
        const GAPS: &str = "
            SELECT first, last FROM seq_gap
            UNION ALL
            SELECT before + 1, seq - 1 FROM (
                SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM (
                    SELECT seq FROM outbox WHERE seq <= (SELECT since FROM outbox_identity)
                    UNION ALL SELECT since + 1 FROM outbox_identity))
            WHERE seq > before + 1
            ORDER BY first";
        let gaps = self.rows("read the gaps of the outbox", GAPS, [], |row| {
            Ok(Gap { first: unsigned(row.get(0)?), last: unsigned(row.get(1)?) })
        })?;
        let shed = "SELECT thumbnails_shed FROM outbox_identity";
        let shed = self.rows("read the outbox", shed, [], |row| row.get(0).map(unsigned))?.pop();
        let (id, abandoned) = (self.outbox_id()?, apart(gaps));
        Ok(OutboxStatus { id, abandoned, thumbnails_shed: shed.unwrap_or(0) })
    }

    /// Number of alerts that are not delivered, and the opening time of the oldest.
    pub fn outbox_depth(&self) -> Result<(u64, Option<WallTime>), StoreError> {
        const DEPTH: &str = "
            SELECT (SELECT count(*) FROM outbox),
                   (SELECT opened_wall_us FROM event JOIN alert ON alert.event = event.id
                    WHERE seq = (SELECT min(seq) FROM outbox))";
        let depth = self.rows("read the outbox", DEPTH, [], |row| {
            let oldest: Option<i64> = row.get(1)?;
            Ok((unsigned(row.get(0)?), oldest.map(WallTime::from_micros)))
        })?;
        Ok(depth.first().copied().unwrap_or_default())
    }
}

/// Row of a waiting message.
type WaitingRow = (u64, Parsed<OutboxId>, AlertColumns);

fn waiting(row: &Row) -> rusqlite::Result<WaitingRow> {
    Ok((unsigned(row.get(0)?), row.get(3)?, (row.get(1)?, row.get(2)?)))
}

fn parsed((seq, outbox, columns): WaitingRow) -> Option<Alert> {
    let parsed = parse_alert(outbox.0, seq, columns);
    parsed.inspect_err(|error| tracing::error!("{}", chain(error))).ok()
}

/// Joins gaps that are sorted by their first number where they touch or overlap; keeps the lowest [`ABANDONED_MAX`].
fn apart(gaps: Vec<Gap>) -> Vec<Gap> {
    let mut apart: Vec<Gap> = Vec::new();
    for gap in gaps {
        match apart.last_mut() {
            Some(last) if gap.first <= last.last + 1 => last.last = last.last.max(gap.last),
            _ => apart.push(gap),
        }
    }
    apart.truncate(ABANDONED_MAX);
    apart
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Compares the joined gaps with the set of their numbers.
        #[test]
        fn gaps_are_joined(mut gaps in proptest::collection::vec((1u64..60, 0u64..5), 0..20)) {
            gaps.sort_unstable();
            let gaps: Vec<Gap> = gaps.iter().map(|(first, more)| Gap { first: *first, last: first + more }).collect();
            let joined = apart(gaps.clone());
            let has = |gaps: &[Gap], seq| gaps.iter().any(|gap| (gap.first..=gap.last).contains(&seq));
            for seq in 0..70 {
                prop_assert_eq!(has(&gaps, seq), has(&joined, seq));
            }
            prop_assert!(joined.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
        }
    }
}
