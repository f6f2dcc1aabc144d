//! Events and alerts: every statement that changes them.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Index, Parsed, signed, unsigned};
use crate::error::StoreError;
use base::alert::{Alert, AlertDraft, Thumbnail};
use base::event::Event;
use base::ids::{AlertId, CameraId, OutboxId};
use base::time::{ClockState, WallTime};

/// Footage that an event pins, as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PinRow {
    /// The event's alert.
    pub alert: AlertId,
    /// Number of its first message.
    pub seq: u64,
    /// Its camera.
    pub camera: CameraId,
    /// Its start.
    pub from: WallTime,
    /// Its end; `None` while the event is open.
    pub to: Option<WallTime>,
    /// Start of the event.
    pub opened_at: WallTime,
    /// End of the event; `None` while it is open.
    pub closed_at: Option<WallTime>,
    /// Trust in these times.
    pub clock: ClockState,
}

impl PinRow {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            alert: row.get::<_, Parsed<AlertId>>(0)?.0,
            seq: unsigned(row.get(1)?),
            camera: row.get::<_, Parsed<CameraId>>(2)?.0,
            from: WallTime::from_micros(row.get(3)?),
            to: row.get::<_, Option<i64>>(4)?.map(WallTime::from_micros),
            opened_at: WallTime::from_micros(row.get(5)?),
            closed_at: row.get::<_, Option<i64>>(6)?.map(WallTime::from_micros),
            clock: row.get::<_, Parsed<ClockState>>(7)?.0,
        })
    }
}

impl Index {
    /// Stores an event, its alert and the outbox row, and gives the alert its `seq`; durable when it returns.
    ///
    /// A message that is there already (same id, same phase) is returned as it was stored.
    pub fn put_alert(&mut self, draft: AlertDraft, stored_at: WallTime) -> Result<Alert, StoreError> {
        let (failed, boot_id) = (self.failed("store an alert"), self.boot_id.clone());
        let outbox = self.outbox.id;
        let (seq, bytes) = self
            .in_transaction(|transaction| {
                if let Some(seq) = seq_of(transaction, &draft.event)? {
                    return Ok((seq, 0));
                }
                upsert_event(transaction, &draft, &boot_id)?;
                insert_alert(transaction, draft, outbox, stored_at)
            })
            .map_err(failed)?;
        self.outbox.grow(bytes);
        let read = read_alert(&self.connection, seq).map_err(self.failed("read an alert"))?;
        parse_alert(outbox, seq, read)
    }

    /// Footage that all events pin.
    pub fn pins(&self) -> Result<Vec<PinRow>, StoreError> {
        const PINS: &str = "
            SELECT event.id, min(seq), camera, clip_starts_wall_us, clip_ends_wall_us, opened_wall_us, closed_wall_us,
                   clock
            FROM event JOIN alert ON alert.event = event.id GROUP BY event.id";
        self.connection
            .prepare(PINS)
            .and_then(|mut select| select.query_map([], PinRow::read)?.collect())
            .map_err(self.failed("read the events"))
    }

    /// Removes events and their messages, but for those with a message that is not delivered, in one transaction.
    /// Returns those that are gone.
    pub fn forget(&mut self, alerts: &[AlertId]) -> Result<Vec<AlertId>, StoreError> {
        let failed = self.failed("forget old alerts");
        self.in_transaction(|transaction| {
            let mut gone = Vec::new();
            for alert in alerts {
                if forget_event(transaction, &alert.to_string())? {
                    gone.push(*alert);
                }
            }
            Ok(gone)
        })
        .map_err(failed)
    }
}

/// Removes an event and its messages unless one is not delivered. Returns true if it did.
fn forget_event(transaction: &Transaction, event: &str) -> rusqlite::Result<bool> {
    let waits = transaction
        .prepare_cached("SELECT 1 FROM outbox JOIN alert USING (seq) WHERE event = ?1")?
        .exists([event])?;
    if !waits {
        transaction.prepare_cached("DELETE FROM alert WHERE event = ?1")?.execute([event])?;
        transaction.prepare_cached("DELETE FROM event WHERE id = ?1")?.execute([event])?;
    }
    Ok(!waits)
}

/// Columns of an alert in the index: the message and the thumbnail.
pub(crate) type AlertColumns = (String, Option<Vec<u8>>);

/// One alert's columns.
fn read_alert(connection: &Connection, seq: u64) -> rusqlite::Result<AlertColumns> {
    connection
        .prepare_cached("SELECT message, thumbnail FROM alert WHERE seq = ?1")?
        .query_row([signed(seq)], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Parses the columns of an alert, as a message of `outbox`, even if that had another id when the message was stored.
pub(crate) fn parse_alert(
    outbox: OutboxId,
    seq: u64,
    (message, thumbnail): AlertColumns,
) -> Result<Alert, StoreError> {
    let mut alert: Alert =
        serde_json::from_str(&message).map_err(|source| StoreError::Message { seq, source })?;
    (alert.outbox, alert.thumbnail) = (outbox, thumbnail.map(Thumbnail));
    Ok(alert)
}

fn seq_of(transaction: &Transaction, event: &Event) -> rusqlite::Result<Option<u64>> {
    transaction
        .prepare_cached("SELECT seq FROM alert WHERE event = ?1 AND phase = ?2")?
        .query_row(params![event.id.to_string(), event.phase.as_str()], |row| row.get(0).map(unsigned))
        .optional()
}

fn upsert_event(transaction: &Transaction, draft: &AlertDraft, boot_id: &str) -> rusqlite::Result<()> {
    let event = &draft.event;
    transaction
        .prepare_cached(
            "INSERT INTO event (id, camera, rule, kind, severity, why, boot_id, clock, opened_wall_us,
                                opened_monotonic_ns, closed_wall_us, clip_starts_wall_us, clip_ends_wall_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
             ON CONFLICT (id) DO UPDATE SET
                 severity = excluded.severity,
                 why = excluded.why,
                 closed_wall_us = coalesce(excluded.closed_wall_us + iif(?14, wall_shift_us, 0), closed_wall_us),
                 clip_ends_wall_us =
                     coalesce(excluded.clip_ends_wall_us + iif(?14, wall_shift_us, 0), clip_ends_wall_us)",
        )?
        .execute(params![
            event.id.to_string(),
            event.camera.as_str(),
            event.rule.id.as_str(),
            event.rule.kind,
            event.severity.as_str(),
            event.why,
            boot_id,
            event.opened_at.clock.as_str(),
            event.opened_at.wall.as_micros(),
            signed(event.opened_at.monotonic.as_nanos()),
            event.closed_at.map(|at| at.wall.as_micros()),
            draft.clip.starts_at.as_micros(),
            draft.clip.ends_at.map(WallTime::as_micros),
            // An end stamped before the clock was right moves as the row has moved already.
            event.closed_at.is_some_and(|at| at.clock != ClockState::Synced),
        ])
        .map(drop)
}

/// Returns its number, and the bytes that now wait in the outbox for it.
fn insert_alert(
    transaction: &Transaction,
    draft: AlertDraft,
    outbox: OutboxId,
    stored_at: WallTime,
) -> rusqlite::Result<(u64, u64)> {
    let seq: i64 = transaction
        .prepare_cached("UPDATE sequence SET last = last + 1 RETURNING last")?
        .query_row([], |row| row.get(0))?;
    let mut alert = draft.into_alert(outbox, unsigned(seq));
    let thumbnail = alert.thumbnail.take().map(|thumbnail| thumbnail.0);
    let message = serde_json::to_string(&alert)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let bytes = message.len() + thumbnail.as_ref().map_or(0, Vec::len);
    transaction
        .prepare_cached(
            "INSERT INTO alert (seq, event, phase, message, thumbnail, stored_wall_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            seq,
            alert.id.to_string(),
            alert.phase.as_str(),
            message,
            thumbnail,
            stored_at.as_micros(),
        ])?;
    transaction.prepare_cached("INSERT INTO outbox (seq) VALUES (?1)")?.execute([seq])?;
    Ok((unsigned(seq), bytes as u64))
}
