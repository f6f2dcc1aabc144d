//! Further pictures of alerts. Each is stored once; one whose alert has not come yet waits for it, in bounded number.

use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior, params};

use super::changes::{self, ChangeKind};
use super::{NewAccess, Storage, StorageError, chain};
use crate::arrival::Sender;
use base::ids::AlertId;
use base::still::{Still, StillKind};
use base::time::WallTime;

/// Maximum number of pictures of one box that wait for their alerts, the newest.
const WAITING_MAX: i64 = 300;
/// Maximum number of removed pictures in one transaction.
const EXPIRED_MAX: i64 = 500;

/// A still that is stored. Its picture is read by [`Storage::still`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredStill {
    /// Its kind.
    pub kind: StillKind,
    /// Time of the frame, on the box's clock.
    pub taken_at: WallTime,
}

impl Storage {
    /// The stills of an alert, in the order of their kinds.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn stills(
        &self,
        sender: &Sender,
        alert: AlertId,
    ) -> std::result::Result<Vec<StoredStill>, StorageError> {
        let mut found = stills(&self.connection, sender, alert).map_err(self.failed("read the stills of"))?;
        found.sort_by_key(|still| StillKind::ALL.iter().position(|kind| *kind == still.kind));
        Ok(found)
    }

    /// The JPEG of a still, and a line in the access log; `None`, and no line, where there is none.
    ///
    /// # Errors
    /// The access cannot be logged, so nothing is shown; or the database cannot be read.
    pub fn still(
        &mut self,
        sender: &Sender,
        alert: AlertId,
        kind: StillKind,
        access: &NewAccess,
    ) -> std::result::Result<Option<Vec<u8>>, StorageError> {
        let found = self.stills(sender, alert)?;
        if found.iter().all(|still| still.kind != kind) {
            return Ok(None);
        }
        self.log_still(sender, alert, kind, access).map_err(self.failed("log the access to a picture in"))?;
        self.note_end()?;
        let read = self
            .connection
            .query_row(
                "SELECT jpeg FROM still WHERE alert = ?1 AND ward = ?2 AND box = ?3 AND kind = ?4",
                params![alert.to_string(), sender.ward.as_str(), sender.box_id.as_str(), kind.as_str()],
                |row| row.get(0),
            )
            .optional();
        read.map_err(self.failed("read a picture of"))
    }

    fn log_still(
        &mut self,
        sender: &Sender,
        alert: AlertId,
        kind: StillKind,
        access: &NewAccess,
    ) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO access (at_us, who, command, ward, box, alert, phase) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                access.at.as_micros(),
                access.who,
                access.command,
                sender.ward.as_str(),
                sender.box_id.as_str(),
                alert.to_string(),
                kind.as_str(),
            ],
        )?;
        chain::extend(&transaction)?;
        transaction.commit()
    }
}

fn stills(connection: &Connection, sender: &Sender, alert: AlertId) -> Result<Vec<StoredStill>> {
    let mut select = connection
        .prepare_cached("SELECT kind, taken_us FROM still WHERE alert = ?1 AND ward = ?2 AND box = ?3")?;
    let of = params![alert.to_string(), sender.ward.as_str(), sender.box_id.as_str()];
    let rows = select.query_map(of, |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (word, taken_us) = row?;
        let taken_at = WallTime::from_micros(taken_us);
        // A kind of a later version is passed over.
        found.extend(StillKind::of(&word).map(|kind| StoredStill { kind, taken_at }));
    }
    Ok(found)
}

/// Stores a still, once of each alert and kind.
pub(super) fn put(transaction: &Transaction<'_>, sender: &Sender, still: &Still, at: WallTime) -> Result<()> {
    let (ward, id, alert) = (sender.ward.as_str(), sender.box_id.as_str(), still.alert.to_string());
    let event: Option<i64> = transaction
        .prepare_cached("SELECT event FROM event_alert WHERE alert = ?1 AND ward = ?2 AND box = ?3")?
        .query_row(params![alert, ward, id], |row| row.get(0))
        .optional()?;
    let is_new = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO still (alert, ward, box, kind, taken_us, received_us, waits, jpeg)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            alert,
            ward,
            id,
            still.kind.as_str(),
            still.taken_at.as_micros(),
            at.as_micros(),
            event.is_none(),
            still.jpeg.0
        ])?;
    match event {
        Some(event) if is_new > 0 => {
            changes::put(transaction, ChangeKind::Told, Some(event.unsigned_abs()), at)
        }
        Some(_) => Ok(()),
        None => drop_waiting(transaction, sender),
    }
}

/// Removes the oldest pictures of a box that wait, above their number.
fn drop_waiting(transaction: &Transaction<'_>, sender: &Sender) -> Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM still WHERE rowid IN (SELECT rowid FROM still WHERE waits AND ward = ?1 AND box = ?2
             ORDER BY received_us DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![sender.ward.as_str(), sender.box_id.as_str(), WAITING_MAX])?;
    Ok(())
}

/// Ends the waiting of the stills of an alert that has come.
pub(super) fn alert_came(transaction: &Transaction<'_>, sender: &Sender, alert: AlertId) -> Result<()> {
    transaction
        .prepare_cached("UPDATE still SET waits = 0 WHERE waits AND alert = ?1 AND ward = ?2 AND box = ?3")?
        .execute(params![alert.to_string(), sender.ward.as_str(), sender.box_id.as_str()])?;
    Ok(())
}

/// Removes a part of the stills that were received before `before`.
pub(super) fn expire(transaction: &Transaction<'_>, before: WallTime) -> Result<()> {
    transaction.execute(
        "DELETE FROM still WHERE rowid IN
         (SELECT rowid FROM still WHERE received_us < ?1 ORDER BY received_us LIMIT ?2)",
        [before.as_micros(), EXPIRED_MAX],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::arrival::{Arrival, Content};
    use crate::storage::Batch;
    use crate::storage::testing::{after, alert, arrival, sender};
    use base::alert::Thumbnail;

    fn still(alert: AlertId, kind: StillKind, byte: u8, seconds: u64) -> Arrival {
        let still = Still {
            schema: base::still::SCHEMA.to_owned(),
            ward: sender("box-1").ward,
            box_id: sender("box-1").box_id,
            alert,
            kind,
            taken_at: after(0),
            jpeg: Thumbnail(vec![byte]),
        };
        let content = Content::Still(Box::new(still));
        Arrival { sender: Some(sender("box-1")), at: after(seconds), retained: false, content }
    }

    fn take(storage: &mut Storage, arrivals: Vec<Arrival>) {
        storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
    }

    fn count(storage: &Storage) -> i64 {
        storage.connection.query_row("SELECT count(*) FROM still", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_still_is_stored_once_and_each_view_is_logged() {
        let place = tempfile::tempdir().unwrap();
        let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        let one = alert("box-1", 1);
        let after_it = still(one.id, StillKind::After, 1, 3);
        // The last one comes before its alert.
        take(
            &mut storage,
            vec![still(one.id, StillKind::Crop, 2, 0), arrival(&one), after_it.clone(), after_it],
        );
        take(&mut storage, vec![still(one.id, StillKind::After, 9, 4)]);
        let kinds: Vec<StillKind> =
            storage.stills(&sender("box-1"), one.id).unwrap().iter().map(|still| still.kind).collect();
        assert_eq!(kinds, [StillKind::Crop, StillKind::After]);
        let told = storage.changes_after(0, 10).unwrap().changes;
        assert_eq!(told.iter().filter(|change| change.kind == ChangeKind::Told).count(), 1);
        let access = NewAccess { who: "An".into(), command: "page", at: after(9) };
        let mut see = |kind| storage.still(&sender("box-1"), one.id, kind, &access).unwrap();
        assert_eq!(see(StillKind::After), Some(vec![1]), "the first one stays");
        assert_eq!(see(StillKind::Before), None);
        let accesses = storage.accesses().unwrap();
        assert_eq!((accesses.len(), &accesses[0].alert), (1, &one.id.to_string()));
        assert_eq!(storage.still(&sender("box-2"), one.id, StillKind::After, &access).unwrap(), None);
    }

    #[test]
    fn stills_that_wait_are_bounded_and_go_with_their_age() {
        let place = tempfile::tempdir().unwrap();
        let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        let ids: Vec<AlertId> = (0..=WAITING_MAX).map(|n| AlertId::new(n.unsigned_abs())).collect();
        let arrivals = ids.iter().zip(0..).map(|(id, seconds)| still(*id, StillKind::Crop, 1, seconds));
        take(&mut storage, arrivals.collect());
        assert_eq!(count(&storage), WAITING_MAX);
        assert!(storage.stills(&sender("box-1"), ids[0]).unwrap().is_empty(), "the oldest went");
        // One whose alert has come counts no more.
        let mut one = alert("box-1", 1);
        one.id = ids[1];
        take(&mut storage, vec![arrival(&one), still(AlertId::new(9999), StillKind::Crop, 1, 400)]);
        assert_eq!(count(&storage), WAITING_MAX + 1);
        let day = Duration::from_secs(24 * 3600);
        storage.expire(after(400) + day, day).unwrap();
        assert_eq!(count(&storage), 1);
        storage.expire(after(401) + day, day).unwrap();
        assert_eq!(count(&storage), 0);
    }
}
