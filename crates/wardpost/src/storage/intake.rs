//! From alerts to events: in the transaction that stores an alert, so that no alert is without its event.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior, params};

use super::changes::{self, ChangeKind};
use super::{Storage, StorageError, decisions, shelves, sql, stills};
use crate::arrival::Sender;
use crate::events::{Action, Candidate, Grouping, Note, Outcome, Source, Who};
use base::alert::Alert;
use base::event::Severity;
use base::time::WallTime;

/// Maximum number of events that an alert can join which are looked at: the newest.
const CANDIDATES_MAX: i64 = 16;
/// Stored alerts that become events in one transaction, as an older database is brought up to date.
const BACKLOG_STEP: i64 = 200;
/// Maximum number of stored alerts that become events then, the newest.
const BACKLOG_MAX: i64 = 5000;
/// Age from which an alert of an older database is history: its event begins closed.
const BACKLOG_OPEN: Duration = Duration::from_secs(3600);
/// Age from which a stored alert becomes no event: three days.
const BACKLOG_SPAN: Duration = Duration::from_secs(3 * 24 * 3600);

/// An alert message that was stored.
pub(super) struct Stored<'a> {
    /// Its number.
    pub number: i64,
    /// The box.
    pub sender: &'a Sender,
    /// The box under its former name.
    pub former: Option<Sender>,
    /// The message.
    pub alert: &'a Alert,
    /// Time of its arrival.
    pub at: WallTime,
}

/// Properties that all alerts of an event have in common.
struct Kept {
    key: String,
    is_test: bool,
    shelf: Option<u64>,
}

/// Puts a stored message into its event, and makes one where there is none. Returns the event where the message made it.
pub(super) fn put(
    transaction: &Transaction<'_>,
    stored: &Stored<'_>,
    grouping: &Grouping,
) -> Result<Option<u64>> {
    if let Some(event) = event_of(transaction, stored)? {
        // Also under the box's present name.
        link(transaction, event, stored)?;
        changes::put(transaction, ChangeKind::Told, Some(event), stored.at)?;
        return Ok(None);
    }
    let (alert, sender) = (stored.alert, stored.sender);
    let (key, is_test) = (grouping.key(alert), is_on_test(transaction, sender)?);
    let shelf = shelves::covering(transaction, &source(stored), stored.at)?;
    let kept = Kept { key, is_test, shelf };
    let candidates = candidates(transaction, stored, &kept, grouping)?;
    let joined = grouping.event_of(alert.opened_at, alert.severity, &candidates);
    let (event, kind) = match joined {
        Some(event) => {
            join(transaction, event, stored)?;
            (event, ChangeKind::Grew)
        }
        None => (make(transaction, stored, &kept)?, ChangeKind::Arrived),
    };
    link(transaction, event, stored)?;
    stills::alert_came(transaction, sender, alert.id)?;
    changes::put(transaction, kind, Some(event), stored.at)?;
    Ok(joined.is_none().then_some(event))
}

/// Records the event of an alert.
fn link(transaction: &Transaction<'_>, event: u64, stored: &Stored<'_>) -> Result<()> {
    let Sender { ward, box_id } = stored.sender;
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO event_alert (alert, ward, box, event) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![stored.alert.id.to_string(), ward.as_str(), box_id.as_str(), sql(event)])?;
    Ok(())
}

/// Tells pages that more is known of an alert.
pub(super) fn told(transaction: &Transaction<'_>, stored: &Stored<'_>) -> Result<()> {
    match event_of(transaction, stored)? {
        Some(event) => changes::put(transaction, ChangeKind::Told, Some(event), stored.at),
        None => Ok(()),
    }
}

/// The event of an alert, also where its first message came under the box's former name.
fn event_of(transaction: &Transaction<'_>, stored: &Stored<'_>) -> Result<Option<u64>> {
    for sender in [Some(stored.sender), stored.former.as_ref()].into_iter().flatten() {
        let mut select = transaction
            .prepare_cached("SELECT event FROM event_alert WHERE alert = ?1 AND ward = ?2 AND box = ?3")?;
        let of = params![stored.alert.id.to_string(), sender.ward.as_str(), sender.box_id.as_str()];
        let found: Option<i64> = select.query_row(of, |row| row.get(0)).optional()?;
        if found.is_some() {
            return Ok(found.map(i64::unsigned_abs));
        }
    }
    Ok(None)
}

fn is_on_test(transaction: &Transaction<'_>, sender: &Sender) -> Result<bool> {
    let mut select = transaction.prepare_cached("SELECT on_test FROM box WHERE ward = ?1 AND id = ?2")?;
    let of = params![sender.ward.as_str(), sender.box_id.as_str()];
    Ok(select.query_row(of, |row| row.get(0)).optional()?.unwrap_or(false))
}

fn source(stored: &Stored<'_>) -> Source {
    let alert = stored.alert;
    Source { sender: stored.sender.clone(), camera: alert.camera.id.clone(), rule: alert.rule.id.clone() }
}

fn candidates(
    transaction: &Transaction<'_>,
    stored: &Stored<'_>,
    kept: &Kept,
    grouping: &Grouping,
) -> Result<Vec<Candidate>> {
    let mut select = transaction.prepare_cached(
        "SELECT number, opened_first_us, opened_last_us, severity, state = 'new' FROM event
         WHERE ward = ?1 AND box = ?2 AND key = ?3 AND state <> 'closed' AND opened_last_us >= ?4
           AND opened_first_us <= ?5 AND is_test = ?6 AND shelf IS ?7
         ORDER BY opened_last_us DESC LIMIT ?8",
    )?;
    let opened_at = stored.alert.opened_at;
    let of = params![
        stored.sender.ward.as_str(),
        stored.sender.box_id.as_str(),
        kept.key,
        (opened_at - grouping.within).as_micros(),
        (opened_at + grouping.within).as_micros(),
        kept.is_test,
        kept.shelf.map(sql),
        CANDIDATES_MAX,
    ];
    let rows = select.query_map(of, |row| {
        Ok(Candidate {
            number: row.get::<_, i64>(0)?.unsigned_abs(),
            first: WallTime::from_micros(row.get(1)?),
            last: WallTime::from_micros(row.get(2)?),
            severity: severity_of(row.get(3)?),
            is_new: row.get(4)?,
        })
    })?;
    rows.collect()
}

fn join(transaction: &Transaction<'_>, event: u64, stored: &Stored<'_>) -> Result<()> {
    let alert = stored.alert;
    let (camera, rule) = (&alert.camera, &alert.rule);
    // The most severe alert stands for the event.
    transaction
        .prepare_cached(
            "UPDATE event SET camera = ?2, camera_name = ?3, rule = ?4, rule_kind = ?5, rule_name = ?6, lead = ?7,
                    severity = ?8 WHERE number = ?1 AND severity < ?8",
        )?
        .execute(params![
            sql(event),
            camera.id.as_str(),
            camera.name,
            rule.id.as_str(),
            rule.kind,
            rule.name,
            stored.number,
            severity_number(alert.severity),
        ])?;
    transaction
        .prepare_cached(
            "UPDATE event SET alerts = alerts + 1, last_us = max(last_us, ?2),
                    opened_first_us = min(opened_first_us, ?3), opened_last_us = max(opened_last_us, ?3)
             WHERE number = ?1",
        )?
        .execute(params![sql(event), stored.at.as_micros(), alert.opened_at.as_micros()])?;
    Ok(())
}

fn make(transaction: &Transaction<'_>, stored: &Stored<'_>, kept: &Kept) -> Result<u64> {
    let (alert, sender) = (stored.alert, stored.sender);
    transaction
        .prepare_cached(
            "INSERT INTO event (ward, box, key, camera, camera_name, rule, rule_kind, rule_name, lead, severity,
                    is_test, alerts, first_us, last_us, opened_first_us, opened_last_us, shelf, since_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1, ?12, ?12, ?13, ?13, ?14, ?12)",
        )?
        .execute(params![
            sender.ward.as_str(),
            sender.box_id.as_str(),
            kept.key,
            alert.camera.id.as_str(),
            alert.camera.name,
            alert.rule.id.as_str(),
            alert.rule.kind,
            alert.rule.name,
            stored.number,
            severity_number(alert.severity),
            kept.is_test,
            stored.at.as_micros(),
            alert.opened_at.as_micros(),
            kept.shelf.map(sql),
        ])?;
    Ok(transaction.last_insert_rowid().unsigned_abs())
}

pub(super) const fn severity_number(severity: Severity) -> i64 {
    match severity {
        Severity::Notice => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
    }
}

pub(super) const fn severity_of(number: i64) -> Severity {
    match number {
        0 => Severity::Notice,
        1 => Severity::Warning,
        _ => Severity::Critical,
    }
}

impl Storage {
    /// Makes events of the alerts of the last days that an older version stored, also where it was put back in between. Goes on
    /// where it was interrupted.
    pub(super) fn take_backlog(&mut self) -> std::result::Result<(), StorageError> {
        let failed = self.failed("bring up to date");
        let Some((newest, mut next)) = backlog(&self.connection).map_err(&failed)? else { return Ok(()) };
        while let Some(last) =
            take_backlog(&mut self.connection, &self.grouping, next, newest).map_err(&failed)?
        {
            next = last + 1;
        }
        Ok(())
    }
}

/// Arrival of the newest alert, and number of the first one of the last days without an event.
fn backlog(connection: &Connection) -> Result<Option<(WallTime, i64)>> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(received_us) FROM alert", [], |row| row.get(0))?;
    let Some(newest) = newest.map(WallTime::from_micros) else { return Ok(None) };
    let first: Option<i64> = connection.query_row(
        "SELECT max(min(number), max(number) - ?2) FROM alert a WHERE received_us >= ?1 AND NOT EXISTS
           (SELECT 1 FROM event_alert e WHERE e.alert = a.id AND e.ward = a.ward AND e.box = a.box)",
        [(newest - BACKLOG_SPAN).as_micros(), BACKLOG_MAX],
        |row| row.get(0),
    )?;
    Ok(first.map(|first| (newest, first)))
}

/// Takes a part of the backlog from `next` on. Returns the number of its last alert; `None` at the end.
fn take_backlog(
    connection: &mut Connection,
    grouping: &Grouping,
    next: i64,
    newest: WallTime,
) -> Result<Option<i64>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let messages = messages(&transaction, next)?;
    for message in &messages {
        let Some((sender, alert)) = message.parsed() else { continue };
        let at = WallTime::from_micros(message.received_us);
        let stored = Stored { number: message.number, sender: &sender, former: None, alert: &alert, at };
        if let Some(event) = put(&transaction, &stored, grouping)?
            && at < newest - BACKLOG_OPEN
        {
            let close = Action::Close { outcome: Outcome::Earlier, note: Note::default() };
            decisions::decide(&transaction, event, &close, &Who::Post, at)?;
        }
    }
    transaction.commit()?;
    Ok(messages.last().map(|message| message.number))
}

/// A stored message of the backlog.
struct Message {
    number: i64,
    ward: String,
    id: String,
    received_us: i64,
    text: String,
}

impl Message {
    /// Box and alert; `None` for a message that does not read.
    fn parsed(&self) -> Option<(Sender, Alert)> {
        let sender = Sender { ward: self.ward.parse().ok()?, box_id: self.id.parse().ok()? };
        Some((sender, serde_json::from_str(&self.text).ok()?))
    }
}

fn messages(transaction: &Transaction<'_>, next: i64) -> Result<Vec<Message>> {
    let mut select = transaction.prepare_cached(
        "SELECT number, ward, box, received_us, message FROM alert a WHERE number >= ?1 AND NOT EXISTS
           (SELECT 1 FROM event_alert e WHERE e.alert = a.id AND e.ward = a.ward AND e.box = a.box)
         ORDER BY number LIMIT ?2",
    )?;
    let rows = select.query_map([next, BACKLOG_STEP], |row| {
        Ok(Message {
            number: row.get(0)?,
            ward: row.get(1)?,
            id: row.get(2)?,
            received_us: row.get(3)?,
            text: row.get(4)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests;
