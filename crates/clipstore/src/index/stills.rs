//! Stills that wait for the post: every statement that changes them. They are bounded by bytes and by age.

use rusqlite::{Transaction, params};

use super::{Index, signed, unsigned};
use crate::error::StoreError;
use base::still::StillDraft;
use base::time::WallTime;

impl Index {
    /// Stores stills in one transaction, and removes the oldest ones until `bytes_max` is kept. One that is there already
    /// (same alert, same kind) stays as it is. Returns the number of removed ones.
    pub fn put_stills(
        &mut self,
        stills: &[StillDraft],
        stored_at: WallTime,
        bytes_max: u64,
    ) -> Result<u64, StoreError> {
        let failed = self.failed("store stills");
        self.in_transaction(|transaction| {
            stills.iter().try_for_each(|still| insert(transaction, still, stored_at))?;
            remove_above(transaction, bytes_max)
        })
        .map_err(failed)
    }

    /// Removes stills that were stored before `before`. Returns their number.
    pub fn remove_old_stills(&mut self, before: WallTime) -> Result<u64, StoreError> {
        let failed = self.failed("remove old stills");
        let sql = "DELETE FROM still WHERE stored_wall_us < ?1";
        let removed = self.connection.execute(sql, [before.as_micros()]).map_err(failed)?;
        Ok(removed as u64)
    }

    /// Removes stills that the broker has.
    pub fn stills_delivered(&mut self, numbers: &[u64]) -> Result<(), StoreError> {
        let failed = self.failed("remove sent stills");
        self.in_transaction(|transaction| {
            let mut delete = transaction.prepare_cached("DELETE FROM still WHERE number = ?1")?;
            numbers.iter().try_for_each(|number| delete.execute([signed(*number)]).map(drop))
        })
        .map_err(failed)
    }
}

fn insert(transaction: &Transaction, still: &StillDraft, stored_at: WallTime) -> rusqlite::Result<()> {
    let row = params![
        still.alert.to_string(),
        still.kind.as_str(),
        still.taken_at.as_micros(),
        still.jpeg.0,
        stored_at.as_micros()
    ];
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO still (alert, kind, taken_wall_us, jpeg, stored_wall_us)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(row)?;
    Ok(())
}

/// Removes the oldest stills until the others have at most `bytes_max`.
fn remove_above(transaction: &Transaction, bytes_max: u64) -> rusqlite::Result<u64> {
    let sum = "SELECT coalesce(sum(octet_length(jpeg)), 0) FROM still";
    let mut bytes = transaction.query_row(sum, [], |row| row.get(0).map(unsigned))?;
    let mut removed = 0;
    while bytes > bytes_max {
        let oldest =
            "DELETE FROM still WHERE number = (SELECT min(number) FROM still) RETURNING octet_length(jpeg)";
        let freed: u64 = transaction.prepare_cached(oldest)?.query_row([], |row| row.get(0).map(unsigned))?;
        bytes = bytes.saturating_sub(freed);
        removed += 1;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::read::catalogue::Catalogue;
    use crate::testing::START;
    use base::alert::Thumbnail;
    use base::ids::AlertId;
    use base::still::StillKind;

    fn stills(alert: AlertId, bytes: usize) -> Vec<StillDraft> {
        let still = |kind| StillDraft { alert, kind, taken_at: START.wall, jpeg: Thumbnail(vec![7; bytes]) };
        StillKind::ALL.map(still).to_vec()
    }

    fn opened(directory: &Path) -> (Index, Catalogue) {
        let (index, _) = Index::open(&crate::index_path(directory), "boot".into()).unwrap();
        (index, Catalogue::open(directory).unwrap())
    }

    fn numbers(catalogue: &Catalogue) -> Vec<u64> {
        let next = |last: u64| catalogue.still_after(last).unwrap().map(|waiting| waiting.number);
        std::iter::successors(next(0), |last| next(*last)).collect()
    }

    #[test]
    fn a_still_waits_as_it_was_put_and_once_until_it_is_delivered() {
        let place = tempfile::tempdir().unwrap();
        let (mut index, catalogue) = opened(place.path());
        let put = stills(AlertId::new(5), 100);
        assert_eq!(index.put_stills(&put, START.wall, u64::MAX).unwrap(), 0);
        index.put_stills(&put, START.wall, u64::MAX).unwrap();
        assert_eq!(catalogue.stills_depth().unwrap(), (3, 300));
        assert_eq!(catalogue.still_after(0).unwrap().unwrap().still, put[0]);
        let all = numbers(&catalogue);
        index.stills_delivered(&all).unwrap();
        assert_eq!(catalogue.still_after(0).unwrap(), None);
        index.put_stills(&put, START.wall, u64::MAX).unwrap();
        assert!(numbers(&catalogue).iter().all(|number| !all.contains(number)), "a number is given once");
    }

    #[test]
    fn the_oldest_make_way_by_bytes_and_by_age() {
        let place = tempfile::tempdir().unwrap();
        let (mut index, catalogue) = opened(place.path());
        let hours = |count: u64| START.wall + Duration::from_secs(3600 * count);
        for hour in 0..4 {
            index.put_stills(&stills(AlertId::new(hour), 100), hours(hour), 1000).unwrap();
        }
        assert_eq!(catalogue.stills_depth().unwrap(), (10, 1000));
        assert_eq!(index.remove_old_stills(hours(2)).unwrap(), 4);
        let first = catalogue.still_after(0).unwrap().unwrap().number;
        assert_eq!((catalogue.stills_depth().unwrap(), first), ((6, 600), numbers(&catalogue)[0]));
        assert_eq!(index.put_stills(&stills(AlertId::new(9), 100), hours(9), 500).unwrap(), 4);
    }
}
