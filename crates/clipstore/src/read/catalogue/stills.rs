//! Stills that wait for the post.

use rusqlite::Row;

use super::Catalogue;
use crate::error::StoreError;
use crate::index::{Parsed, signed, unsigned};
use base::alert::Thumbnail;
use base::ids::AlertId;
use base::outbox::WaitingStill;
use base::still::{StillDraft, StillKind};
use base::time::WallTime;

impl Catalogue {
    /// The waiting still with the lowest number above `number`.
    pub fn still_after(&self, number: u64) -> Result<Option<WaitingStill>, StoreError> {
        let sql = "SELECT number, alert, kind, taken_wall_us, jpeg FROM still
                   WHERE number > ?1 ORDER BY number LIMIT 1";
        Ok(self.rows("read the stills", sql, [signed(number)], waiting)?.pop())
    }

    /// Number and bytes of the stills that wait.
    pub fn stills_depth(&self) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT count(*), coalesce(sum(octet_length(jpeg)), 0) FROM still";
        let depth =
            self.rows("read the stills", sql, [], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
        Ok(depth.first().copied().unwrap_or_default())
    }
}

fn waiting(row: &Row) -> rusqlite::Result<WaitingStill> {
    Ok(WaitingStill {
        number: unsigned(row.get(0)?),
        still: StillDraft {
            alert: row.get::<_, Parsed<AlertId>>(1)?.0,
            kind: row.get::<_, Parsed<StillKind>>(2)?.0,
            taken_at: WallTime::from_micros(row.get(3)?),
            jpeg: Thumbnail(row.get(4)?),
        },
    })
}
