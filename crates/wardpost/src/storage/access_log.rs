//! The access logs of the boxes, as each last told: one that became shorter, or other at the same length, was cut or changed.
//! A person at the box can change its log and its index; the last end that is here they cannot.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Result, Transaction, params};

use super::sql;
use crate::arrival::Sender;
use base::time::WallTime;
use base::vitals::AccessLogVitals;

/// Least time between two notices about one box: two boxes under one name would give one a minute.
const TOLD_EVERY: Duration = Duration::from_secs(3600);

/// Keeps the end that a box tells. Returns the difference to report, if there is one.
pub(super) fn note(
    transaction: &Transaction<'_>,
    sender: &Sender,
    now: &AccessLogVitals,
    at: WallTime,
) -> Result<Option<String>> {
    let (ward, id) = (sender.ward.as_str(), sender.box_id.as_str());
    let before: Option<(AccessLogVitals, Option<i64>)> = transaction
        .prepare_cached("SELECT lines, sha256, told_us FROM access_log WHERE ward = ?1 AND box = ?2")?
        .query_row([ward, id], |row| {
            let lines = row.get::<_, i64>(0)?.unsigned_abs();
            Ok((AccessLogVitals { lines, sha256: row.get(1)? }, row.get(2)?))
        })
        .optional()?;
    let (before, told_us) = before.unzip();
    if before.as_ref() == Some(now) {
        return Ok(None);
    }
    let told_us = told_us.flatten();
    let was_told = told_us.is_some_and(|told| at.since(WallTime::from_micros(told)) < TOLD_EVERY);
    let fault = before.and_then(|before| difference(&before, now)).filter(|_| !was_told);
    let told_us = if fault.is_some() { Some(at.as_micros()) } else { told_us };
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO access_log (ward, box, lines, sha256, told_us) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![ward, id, sql(now.lines), now.sha256, told_us])?;
    Ok(fault)
}

/// Difference that no log has to which lines are only added.
fn difference(before: &AccessLogVitals, now: &AccessLogVitals) -> Option<String> {
    if now.lines < before.lines {
        return Some(format!("it had {} lines, and has {}", before.lines, now.lines));
    }
    let is_other = now.lines == before.lines && now.sha256 != before.sha256;
    is_other.then(|| format!("line {} is another one now", now.lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::testing::{sender, vitals};
    use crate::storage::{Batch, Storage};

    #[test]
    fn a_log_that_becomes_shorter_or_other_is_told_once() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("post.sqlite");
        let mut storage = Storage::open(&path).unwrap();
        let mut told = 0;
        for (minute, lines, sha256, expected) in [
            (0, 3, "c", None),
            (1, 3, "c", None),
            (2, 5, "e", None),
            (3, 4, "d", Some("it had 5 lines, and has 4")),
            // Not again within the hour, as of two boxes with one name.
            (4, 5, "e", None),
            (5, 4, "d", None),
            (70, 4, "other", Some("line 4 is another one now")),
            (140, 0, "", Some("it had 4 lines, and has 0")),
            (141, 1, "a", None),
        ] {
            let at = WallTime::from_micros(1_777_673_644_000_000 + minute * 60_000_000);
            let end = AccessLogVitals { lines, sha256: sha256.to_owned() };
            let arrivals = vec![vitals("box-1", Some(end), at)];
            storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
            let notices = storage.notices(0, 10).unwrap();
            let new: Vec<&str> =
                notices[told..].iter().filter_map(|notice| notice.detail.as_deref()).collect();
            assert_eq!(new, expected.as_slice(), "minute {minute}");
            assert!(
                notices.iter().all(|one| one.kind == "access-log" && one.sender == Some(sender("box-1")))
            );
            told = notices.len();
        }
        // A box of before tells nothing of its log.
        let at = WallTime::from_micros(1_777_693_644_000_000);
        storage.take(&Batch { arrivals: vec![vitals("box-1", None, at)], ..Batch::default() }).unwrap();
        assert_eq!(storage.notices(0, 10).unwrap().len(), told);
        drop(storage);
        Storage::open(&path).unwrap();
    }
}
