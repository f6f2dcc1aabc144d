//! The post's own state in a few cheap readings, which every open page is told of once a second.

use rusqlite::OptionalExtension as _;

use super::{Storage, StorageError};
use base::time::WallTime;

/// Number of last notices among which those of the link are looked for.
const NOTICES_LOOKED_AT: i64 = 5000;

/// Link to the broker, and boxes that are away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overview {
    /// Time since which there is no broker; `None` while there is one.
    pub link_lost_at: Option<WallTime>,
    /// Number of boxes that are offline or silent.
    pub boxes_away: u64,
    /// Number of boxes.
    pub boxes: u64,
}

impl Storage {
    /// The post's own state.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn overview(&self) -> Result<Overview, StorageError> {
        let failed = self.failed("read the state of");
        let link = "SELECT at_us, kind FROM notice WHERE number > (SELECT max(number) FROM notice) - ?1
                      AND kind IN ('link-lost', 'link-back') ORDER BY number DESC LIMIT 1";
        let last: Option<(i64, String)> = self
            .connection
            .prepare_cached(link)
            .and_then(|mut select| {
                select.query_row([NOTICES_LOOKED_AT], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(&failed)?;
        let boxes = "SELECT count(*), coalesce(sum(reported <> 'here'), 0) FROM box";
        let (boxes, away): (i64, i64) = self
            .connection
            .prepare_cached(boxes)
            .and_then(|mut select| select.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
            .map_err(&failed)?;
        let lost = last.filter(|(_, kind)| kind == "link-lost");
        Ok(Overview {
            link_lost_at: lost.map(|(at_us, _)| WallTime::from_micros(at_us)),
            boxes_away: away.unsigned_abs(),
            boxes: boxes.unsigned_abs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Batch, Notice, NoticeKind};

    #[test]
    fn a_lost_link_is_told_until_it_is_back() {
        let place = tempfile::tempdir().unwrap();
        let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        assert_eq!(storage.overview().unwrap(), Overview::default());
        let at = WallTime::from_micros(1_777_673_644_000_000);
        for (kind, expected) in [(NoticeKind::LinkLost, Some(at)), (NoticeKind::LinkBack, None)] {
            let notices = vec![Notice { at, kind, detail: None }];
            storage.take(&Batch { notices, ..Batch::default() }).unwrap();
            assert_eq!(storage.overview().unwrap().link_lost_at, expected);
        }
    }
}
