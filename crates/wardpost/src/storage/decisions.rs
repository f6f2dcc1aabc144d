//! Decisions about events, and the other steps of people and of the post: rows of the log, which are only added, and which
//! [`super::chain`] covers.

use rusqlite::{Connection, OptionalExtension as _, Result, Row, Transaction, TransactionBehavior, params};
use serde_json::{Value, json};

use super::changes::{self, ChangeKind};
use super::{Storage, StorageError, chain, sql};
use crate::events::{Action, Decided, Note, Officer, Outcome, Refusal, State, Taken, Who};
use base::time::WallTime;

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its number in the order of rows.
    pub number: u64,
    /// Its time, on the post's clock.
    pub at: WallTime,
    /// The person; `None` for the post itself.
    pub who: Option<String>,
    /// The event that it is about.
    pub event: Option<u64>,
    /// The word for it, such as `take`.
    pub action: String,
    /// Its details.
    pub detail: Value,
}

/// A row to be written.
pub(super) struct Entry<'a> {
    pub at: WallTime,
    /// `None` for the post itself.
    pub who: Option<&'a str>,
    pub event: Option<u64>,
    pub action: &'a str,
    pub detail: &'a Value,
}

impl Storage {
    /// Takes an event over. Of two officers exactly one wins.
    ///
    /// # Errors
    /// The database cannot be written: nothing is decided.
    pub fn take_over(
        &mut self,
        event: u64,
        who: &Who,
        at: WallTime,
    ) -> std::result::Result<Taken, StorageError> {
        self.decide(event, &Action::Take, who, at).map(Taken::from)
    }

    /// Decides about an event, in one transaction with the row of the log and the change for pages. A decision that changes
    /// nothing leaves no row.
    ///
    /// # Errors
    /// The database cannot be written: nothing is decided.
    pub fn decide(
        &mut self,
        event: u64,
        action: &Action,
        who: &Who,
        at: WallTime,
    ) -> std::result::Result<Decided, StorageError> {
        let failed = self.failed("store a decision in");
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let decided = decide(&transaction, event, action, who, at).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(decided)
    }

    /// Activity of the officer who has an event: it is not returned by itself meanwhile. No decision, and not in the log.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn keep(&self, event: u64, officer: &Officer, at: WallTime) -> std::result::Result<(), StorageError> {
        let text = "UPDATE event SET active_us = max(active_us, ?3) WHERE number = ?1 AND state = 'taken' AND by = ?2";
        let kept = self.connection.execute(text, params![sql(event), officer.as_str(), at.as_micros()]);
        kept.map(drop).map_err(self.failed("store activity in"))
    }

    /// Rows of the log after the one with this number, in order; at most `limit`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn decisions(&self, after: u64, limit: usize) -> std::result::Result<Vec<Decision>, StorageError> {
        let text = "SELECT number, at_us, who, event, action, detail FROM decision WHERE number > ?1
                    ORDER BY number LIMIT ?2";
        self.read_decisions(text, [sql(after), sql(limit as u64)])
    }

    /// Rows of the log about one event, in order; at most `limit`, the last ones.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn decisions_about(
        &self,
        event: u64,
        limit: usize,
    ) -> std::result::Result<Vec<Decision>, StorageError> {
        let text = "SELECT number, at_us, who, event, action, detail FROM decision WHERE event = ?1
                    ORDER BY number DESC LIMIT ?2";
        let mut rows = self.read_decisions(text, [sql(event), sql(limit as u64)])?;
        rows.reverse();
        Ok(rows)
    }

    fn read_decisions(&self, text: &str, of: [i64; 2]) -> std::result::Result<Vec<Decision>, StorageError> {
        let failed = self.failed("read the log of");
        let mut select = self.connection.prepare_cached(text).map_err(&failed)?;
        let rows = select.query_map(of, decision).and_then(Iterator::collect::<Result<Vec<_>>>);
        rows.map_err(&failed)
    }
}

fn decision(row: &Row<'_>) -> Result<Decision> {
    let detail: String = row.get(5)?;
    Ok(Decision {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        at: WallTime::from_micros(row.get(1)?),
        who: row.get(2)?,
        event: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
        action: row.get(4)?,
        detail: serde_json::from_str(&detail).unwrap_or(Value::Null),
    })
}

/// Decides about an event within a transaction.
pub(super) fn decide(
    transaction: &Transaction<'_>,
    event: u64,
    action: &Action,
    who: &Who,
    at: WallTime,
) -> Result<Decided> {
    let Some(before) = state(transaction, event)? else {
        return Ok(Decided::Refused(Refusal::Unknown));
    };
    let after = match before.after(action, who, at) {
        Ok(after) => after,
        Err(refusal) => return Ok(Decided::Refused(refusal)),
    };
    if after == before {
        return Ok(Decided::Done(after));
    }
    put_state(transaction, event, &after, who, at)?;
    // The event waits no more, or anew.
    transaction.prepare_cached("DELETE FROM hook_call WHERE event = ?1")?.execute([sql(event)])?;
    // An action is a struct of texts and times: it is JSON.
    let detail = serde_json::to_value(action).unwrap_or_else(|_| json!({ "action": action.as_str() }));
    let entry = Entry {
        at,
        who: who.officer().map(Officer::as_str),
        event: Some(event),
        action: action.as_str(),
        detail: &detail,
    };
    append(transaction, &entry)?;
    changes::put(transaction, ChangeKind::Decided, Some(event), at)?;
    Ok(Decided::Done(after))
}

/// State of an event as it is stored; `None` for an unknown event.
pub(super) fn state(connection: &Connection, event: u64) -> Result<Option<State>> {
    let mut select = connection
        .prepare_cached("SELECT state, by, since_us, until_us, outcome, note FROM event WHERE number = ?1")?;
    select.query_row([sql(event)], |row| state_at(row, 0)).optional()
}

/// State out of the columns `state, by, since_us, until_us, outcome, note` from `at` on.
pub(super) fn state_at(row: &Row<'_>, at: usize) -> Result<State> {
    let word: String = row.get(at)?;
    let by: Option<String> = row.get(at + 1)?;
    let by = by.and_then(|by| by.parse::<Officer>().ok());
    let since = WallTime::from_micros(row.get(at + 2)?);
    let until = row.get::<_, Option<i64>>(at + 3)?.map(WallTime::from_micros);
    let outcome: Option<String> = row.get(at + 4)?;
    let note: Option<String> = row.get(at + 5)?;
    Ok(match (word.as_str(), by, until) {
        ("taken", Some(by), _) => State::Taken { by, since },
        ("parked", Some(by), Some(until)) => State::Parked { by, since, until },
        ("closed", by, _) => State::Closed {
            by,
            since,
            outcome: outcome.as_deref().and_then(Outcome::of).unwrap_or(Outcome::Other),
            note: note.and_then(|note| note.parse::<Note>().ok()).unwrap_or_default(),
        },
        _ => State::New { since },
    })
}

fn put_state(
    transaction: &Transaction<'_>,
    event: u64,
    state: &State,
    who: &Who,
    at: WallTime,
) -> Result<()> {
    let (mut until, mut outcome, mut note) = (None, None, None);
    match state {
        State::Parked { until: end, .. } => until = Some(end.as_micros()),
        State::Closed { outcome: word, note: text, .. } => {
            outcome = Some(word.as_str());
            note = Some(text.as_str()).filter(|text| !text.is_empty());
        }
        State::New { .. } | State::Taken { .. } => {}
    }
    let is_taken = matches!(state, State::Taken { .. });
    let first_taken = who.officer().is_some() && !matches!(state, State::New { .. });
    transaction
        .prepare_cached(
            "UPDATE event SET state = ?2, by = ?3, since_us = ?4, active_us = ?5, until_us = ?6, outcome = ?7,
                    note = ?8, escalated = 0, taken_us = coalesce(taken_us, ?9) WHERE number = ?1",
        )?
        .execute(params![
            sql(event),
            state.as_str(),
            state.by().map(Officer::as_str),
            state.since().as_micros(),
            is_taken.then_some(at.as_micros()),
            until,
            outcome,
            note,
            first_taken.then_some(at.as_micros()),
        ])?;
    Ok(())
}

/// Adds a row to the log.
pub(super) fn append(transaction: &Transaction<'_>, entry: &Entry<'_>) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO decision (at_us, who, event, action, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            entry.at.as_micros(),
            entry.who,
            entry.event.map(sql),
            entry.action,
            entry.detail.to_string()
        ])?;
    chain::extend(transaction)
}

#[cfg(test)]
mod tests;
