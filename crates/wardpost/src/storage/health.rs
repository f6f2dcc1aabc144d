//! Vitals and troubles of the boxes: the last ones, and vitals of each hour for a month.

use rusqlite::{Result, Transaction, params};

use super::{Storage, StorageError};
use crate::arrival::Sender;
use crate::health::Standing;
use base::time::WallTime;
use base::vitals::Vitals;

/// Hours for which vitals stay: 32 days.
const HOURS_KEPT: i64 = 32 * 24;
/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

impl Storage {
    /// Vitals of a box, one of each hour, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn vitals_history(&self, sender: &Sender) -> std::result::Result<Vec<Vitals>, StorageError> {
        let failed = self.failed("read vitals of");
        let mut select = self
            .connection
            .prepare_cached("SELECT message FROM vitals WHERE ward = ?1 AND box = ?2 ORDER BY hour")
            .map_err(&failed)?;
        let of = params![sender.ward.as_str(), sender.box_id.as_str()];
        let rows = select.query_map(of, |row| row.get::<_, String>(0)).map_err(&failed)?;
        let rows = rows.collect::<Result<Vec<_>>>().map_err(&failed)?;
        // Vitals that do not read were written by another version.
        Ok(rows.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }
}

/// Stores vitals as the last ones of the box, and as those of the hour where they are its first.
pub(super) fn put_vitals(
    transaction: &Transaction<'_>,
    sender: &Sender,
    vitals: &Vitals,
    at: WallTime,
) -> Result<()> {
    let text = serde_json::to_string(vitals).unwrap_or_default();
    let (ward, id) = (sender.ward.as_str(), sender.box_id.as_str());
    transaction
        .prepare_cached("UPDATE box SET vitals = ?3 WHERE ward = ?1 AND id = ?2")?
        .execute(params![ward, id, text])?;
    transaction
        .prepare_cached("INSERT OR IGNORE INTO vitals (ward, box, hour, message) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![ward, id, at.as_micros() / HOUR, text])?;
    Ok(())
}

/// Stores the troubles of a box.
pub(super) fn put_health(
    transaction: &Transaction<'_>,
    sender: &Sender,
    standing: &[Standing],
) -> Result<()> {
    let text = serde_json::to_string(standing).unwrap_or_default();
    transaction
        .prepare_cached("UPDATE box SET health = ?3 WHERE ward = ?1 AND id = ?2")?
        .execute(params![sender.ward.as_str(), sender.box_id.as_str(), text])?;
    Ok(())
}

/// Removes vitals that are more than a month old at `now`.
pub(super) fn expire(transaction: &Transaction<'_>, now: WallTime) -> Result<()> {
    transaction.execute("DELETE FROM vitals WHERE hour < ?1", [now.as_micros() / HOUR - HOURS_KEPT])?;
    Ok(())
}
