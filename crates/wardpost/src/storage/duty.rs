//! Steps that the post takes by its clock: events come back, shelves end, events that wait escalate, floods begin and end.
//!
//! The server calls [`Storage::pass`] once a second. No page decides any of this.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior, params};
use serde_json::json;

use super::changes::{self, ChangeKind};
use super::decisions::{self, Entry};
use super::intake::{severity_number, severity_of};
use super::{Storage, StorageError, StoredEvent, events, shelves, sql};
use crate::events::{Action, Escalation, FLOOD_SPAN, Flood, Level, Source, Who, worst};
use base::event::Severity;
use base::time::WallTime;

/// Maximum number of events of one kind in one pass: those left over come with the next.
const STEPS_MAX: i64 = 100;
/// Maximum number of events that are looked at for a flood.
const FLOOD_LOOK_MAX: i64 = 2000;
/// Time for which changes stay for pages that were away: two days.
const CHANGES_KEPT: Duration = Duration::from_secs(2 * 24 * 3600);
/// Lead of a time over the clock up to which it counts as the clock's own.
const CLOCK_SLACK: Duration = Duration::from_secs(60);
/// Pauses before the second and third call of the hook. After these it is given up.
const HOOK_PAUSES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];

/// Settings of the post's own steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DutyRules {
    /// Inactivity of an officer after which a taken event goes back to all.
    pub return_after: Duration,
    /// Steps for events that wait.
    pub escalation: Escalation,
    /// There is a hook to call.
    pub has_hook: bool,
}

impl Default for DutyRules {
    fn default() -> Self {
        Self { return_after: Duration::from_secs(600), escalation: Escalation::default(), has_hook: false }
    }
}

/// Steps of one pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// Number of taken events that went back to all.
    pub returned: u64,
    /// Number of parked events that came back.
    pub unparked: u64,
    /// Number of shelves that ended.
    pub shelves_ended: u64,
    /// Events that reached a level.
    pub escalated: Vec<(u64, Level)>,
    /// The flood, where it has begun or ended.
    pub flood: Option<Flood>,
}

/// A call of the hook that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct HookCall {
    /// The event.
    pub event: StoredEvent,
    /// Number of calls that have failed.
    pub failed: u32,
}

impl Storage {
    /// Takes the steps that are due, each with its row in the log, in one transaction.
    ///
    /// # Errors
    /// The database cannot be written: nothing is done.
    pub fn pass(&mut self, rules: &DutyRules, now: WallTime) -> std::result::Result<Passed, StorageError> {
        let failed = self.failed("take the steps that are due in");
        pass(&mut self.connection, rules, now).map_err(failed)
    }

    /// The flood as it is stored.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn flood(&self) -> std::result::Result<Flood, StorageError> {
        flood(&self.connection).map_err(self.failed("read the flood of"))
    }

    /// The sources with the most events of the last ten minutes, with the numbers of these, the worst first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn worst_sources(
        &self,
        now: WallTime,
        limit: usize,
    ) -> std::result::Result<Vec<(Source, usize)>, StorageError> {
        let failed = self.failed("read the sources of");
        let rows = recent_sources(&self.connection, now).map_err(&failed)?;
        let mut sources = Vec::new();
        for (ward, id, camera, rule) in rows {
            let sender = self.sender(&ward, &id)?;
            let damaged = || self.damaged(format!("event of {sender}"));
            let (camera, rule) =
                (camera.parse().map_err(|_| damaged())?, rule.parse().map_err(|_| damaged())?);
            sources.push(Source { sender, camera, rule });
        }
        Ok(worst(sources, limit))
    }

    /// Calls of the hook that are due, at most `limit`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn hook_calls(
        &self,
        now: WallTime,
        limit: usize,
    ) -> std::result::Result<Vec<HookCall>, StorageError> {
        let failed = self.failed("read the hook's calls of");
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT event, attempts FROM hook_call WHERE due_us <= ?1 ORDER BY due_us LIMIT ?2",
            )
            .map_err(&failed)?;
        let rows = select
            .query_map([now.as_micros(), sql(limit as u64)], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
        let rows = rows.and_then(Iterator::collect::<Result<Vec<_>>>).map_err(&failed)?;
        let mut calls = Vec::new();
        for (number, failures) in rows {
            let row = events::read(&self.connection, number.unsigned_abs()).map_err(&failed)?;
            let event = row.map(|row| self.stored_event(row)).transpose()?;
            calls.extend(event.map(|event| HookCall { event, failed: failures }));
        }
        Ok(calls)
    }

    /// Logs the result of a call of the hook. A failed call comes again, three times in all.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn hook_called(
        &mut self,
        event: u64,
        result: std::result::Result<(), &str>,
        now: WallTime,
    ) -> std::result::Result<(), StorageError> {
        let failed = self.failed("log a call of the hook in");
        hook_called(&mut self.connection, event, result, now).map_err(failed)
    }
}

fn pass(connection: &mut Connection, rules: &DutyRules, now: WallTime) -> Result<Passed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    bring_back_times(&transaction, now)?;
    let inactive =
        "SELECT number FROM event WHERE state = 'taken' AND active_us <= ?1 ORDER BY active_us LIMIT ?2";
    let parked =
        "SELECT number FROM event WHERE state = 'parked' AND until_us <= ?1 ORDER BY until_us LIMIT ?2";
    let passed = Passed {
        returned: decide_each(&transaction, inactive, now - rules.return_after, &Action::Return, now)?,
        unparked: decide_each(&transaction, parked, now, &Action::Unpark, now)?,
        shelves_ended: shelves::end_due(&transaction, now)?,
        escalated: escalate(&transaction, rules, now)?,
        flood: update_flood(&transaction, now)?,
    };
    changes::expire(&transaction, now - CHANGES_KEPT)?;
    transaction.commit()?;
    Ok(passed)
}

/// Brings waiting times that begin in the future back to now: the clock was ahead, and such events would never be due. The log
/// keeps the times as they were.
fn bring_back_times(transaction: &Transaction<'_>, now: WallTime) -> Result<()> {
    let of = [now.as_micros(), (now + CLOCK_SLACK).as_micros()];
    for text in [
        "UPDATE event SET since_us = ?1 WHERE state = 'new' AND escalated < 3 AND since_us > ?2",
        "UPDATE event SET active_us = ?1 WHERE state = 'taken' AND active_us > ?2",
    ] {
        transaction.prepare_cached(text)?.execute(of)?;
    }
    Ok(())
}

/// Decides about all events that a statement finds for a time.
fn decide_each(
    transaction: &Transaction<'_>,
    select: &str,
    time: WallTime,
    action: &Action,
    now: WallTime,
) -> Result<u64> {
    let mut select = transaction.prepare_cached(select)?;
    let due = select.query_map([time.as_micros(), STEPS_MAX], |row| row.get::<_, i64>(0))?;
    let due = due.collect::<Result<Vec<_>>>()?;
    for event in &due {
        decisions::decide(transaction, event.unsigned_abs(), action, &Who::Post, now)?;
    }
    Ok(due.len() as u64)
}

fn escalate(transaction: &Transaction<'_>, rules: &DutyRules, now: WallTime) -> Result<Vec<(u64, Level)>> {
    let mut escalated = Vec::new();
    for (event, severity, since, reached) in waiting(transaction, &rules.escalation, now)? {
        for level in rules.escalation.due(severity, since, reached, now) {
            step(transaction, event, level, rules.has_hook, now)?;
            escalated.push((event, level));
        }
    }
    Ok(escalated)
}

/// Events of the queue that have waited for the first level at least: number, severity, since when, and level.
fn waiting(
    transaction: &Transaction<'_>,
    escalation: &Escalation,
    now: WallTime,
) -> Result<Vec<(u64, Severity, WallTime, u8)>> {
    let mut found = Vec::new();
    let levels = Level::ALL.into_iter().map(|level| (level.number() - 1, escalation.after(level)));
    for (reached, after) in levels {
        // The first level that is due may be a later one.
        let after = if reached == 0 { escalation.first() } else { after };
        let mut select = transaction.prepare_cached(
            "SELECT number, severity, since_us FROM event WHERE state = 'new' AND escalated = ?3 AND escalated < 3
               AND since_us <= ?1 AND tab = 'open' AND severity >= ?4 ORDER BY since_us LIMIT ?2",
        )?;
        let of = params![(now - after).as_micros(), STEPS_MAX, reached, severity_number(escalation.least)];
        let rows = select.query_map(of, |row| {
            let number = row.get::<_, i64>(0)?.unsigned_abs();
            Ok((number, severity_of(row.get(1)?), WallTime::from_micros(row.get(2)?), reached))
        })?;
        found.extend(rows.collect::<Result<Vec<_>>>()?);
    }
    Ok(found)
}

fn step(
    transaction: &Transaction<'_>,
    event: u64,
    level: Level,
    has_hook: bool,
    now: WallTime,
) -> Result<()> {
    transaction
        .prepare_cached("UPDATE event SET escalated = ?2 WHERE number = ?1")?
        .execute(params![sql(event), level.number()])?;
    let detail = json!({ "level": level.as_str() });
    log(transaction, event, "escalate", &detail, now)?;
    changes::put(transaction, ChangeKind::Escalated(level), Some(event), now)?;
    if level == Level::Hook && has_hook {
        transaction
            .prepare_cached("INSERT OR IGNORE INTO hook_call (event, due_us) VALUES (?1, ?2)")?
            .execute([sql(event), now.as_micros()])?;
    }
    Ok(())
}

/// Adds a row of the post itself about an event to the log.
fn log(
    transaction: &Transaction<'_>,
    event: u64,
    action: &str,
    detail: &serde_json::Value,
    at: WallTime,
) -> Result<()> {
    decisions::append(transaction, &Entry { at, who: None, event: Some(event), action, detail })
}

fn hook_called(
    connection: &mut Connection,
    event: u64,
    result: std::result::Result<(), &str>,
    now: WallTime,
) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let attempts: Option<u32> = transaction
        .query_row("SELECT attempts FROM hook_call WHERE event = ?1", [sql(event)], |row| row.get(0))
        .optional()?;
    let Some(attempts) = attempts else { return Ok(()) };
    let detail = json!({ "attempt": attempts + 1, "fault": result.err() });
    log(&transaction, event, "hook", &detail, now)?;
    match HOOK_PAUSES.get(attempts as usize).filter(|_| result.is_err()) {
        Some(pause) => {
            transaction.execute(
                "UPDATE hook_call SET attempts = attempts + 1, due_us = ?2 WHERE event = ?1",
                [sql(event), (now + *pause).as_micros()],
            )?;
        }
        None => {
            transaction.execute("DELETE FROM hook_call WHERE event = ?1", [sql(event)])?;
        }
    }
    changes::put(&transaction, ChangeKind::Told, Some(event), now)?;
    transaction.commit()
}

fn flood(connection: &Connection) -> Result<Flood> {
    let since: Option<i64> =
        connection
            .query_row("SELECT max(begun_us) FROM flood WHERE ended_us IS NULL", [], |row| row.get(0))?;
    Ok(Flood { since: since.map(WallTime::from_micros) })
}

/// Counts the events of the last minutes. Returns the flood where it has begun or ended.
fn update_flood(transaction: &Transaction<'_>, now: WallTime) -> Result<Option<Flood>> {
    let before = flood(transaction)?;
    let events = recent_sources(transaction, now)?.len();
    let after = before.after(events, now);
    match (before.since, after.since) {
        (None, Some(since)) => {
            transaction
                .execute("INSERT OR REPLACE INTO flood (begun_us) VALUES (?1)", [since.as_micros()])?;
        }
        (Some(since), None) => {
            transaction.execute(
                "UPDATE flood SET ended_us = max(begun_us, ?2) WHERE begun_us = ?1",
                [since.as_micros(), now.as_micros()],
            )?;
        }
        _ => return Ok(None),
    }
    changes::put(transaction, ChangeKind::Flood, None, now)?;
    Ok(Some(after))
}

/// Ward, box, camera and rule of each event of the last minutes that belongs to the queue.
fn recent_sources(connection: &Connection, now: WallTime) -> Result<Vec<(String, String, String, String)>> {
    let mut select = connection.prepare_cached(
        "SELECT ward, box, camera, rule FROM event WHERE first_us > ?1 AND first_us <= ?2 AND NOT is_test
           AND shelf IS NULL LIMIT ?3",
    )?;
    let of = params![(now - FLOOD_SPAN).as_micros(), now.as_micros(), FLOOD_LOOK_MAX];
    let rows = select.query_map(of, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests;
