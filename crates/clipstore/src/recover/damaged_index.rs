//! Reads the readable part of a damaged index: events, alerts, the outbox and the last number given.
//!
//! Row by row, from both ends and then one by one: a bad page costs the rows on it. Unknown facts are taken the safe
//! way: an alert that may not have been delivered is delivered again, and if the numbers that were given are unknown,
//! another outbox counts.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params, params_from_iter};

use crate::index::{begin_outbox, unsigned};
use base::alert::Alert;
use base::ids::OutboxId;
use base::time::WallTime;

/// Maximum number of keys between two readable ends to try one by one.
const TRIES_MAX: i64 = 1_000_000;

/// Result of [`recover_alerts`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RecoveredAlerts {
    /// Number of recovered alerts.
    pub alerts: u64,
}

/// Brings the readable part of `old` into the empty index behind `new`. If `old` still has the outbox's id and the last
/// number given, both go on; if not, it is another outbox, and its numbers go on behind those that were brought over.
/// The numbers that no message has any more are noted.
///
/// # Errors
/// Those of the new index; none of the old one's.
pub(super) fn recover_alerts(
    old: Option<&Connection>,
    new: &Transaction<'_>,
) -> rusqlite::Result<RecoveredAlerts> {
    let mut known = None;
    if let Some(old) = old {
        let copy = Copy { old, new };
        copy.both_ends("event", "id")?;
        copy.both_ends("alert", "seq")?;
        copy.alerts_between()?;
        copy.events_of_alerts()?;
        copy.outbox()?;
        copy.both_ends("seq_gap", "first")?;
        copy.both_ends("access_log", "one")?;
        copy.both_ends("still", "number")?;
        known = copy.identity().zip(copy.read_sequence());
    }
    let last_kept: Option<i64> = new.query_row("SELECT max(seq) FROM alert", [], |row| row.get(0))?;
    let last = known.as_ref().map_or(0, |(_, last)| *last).max(last_kept.unwrap_or(0));
    new.execute("UPDATE sequence SET last = ?1", [last])?;
    match known {
        Some((identity, _)) => identity.keep(new)?,
        None => drop(begin_outbox(new)?),
    }
    note_gaps(new, last)?;
    let alerts: i64 = new.query_row("SELECT count(*) FROM alert", [], |row| row.get(0))?;
    Ok(RecoveredAlerts { alerts: unsigned(alerts) })
}

/// Events that alerts refer to and that are missing.
fn orphans(new: &Transaction<'_>) -> rusqlite::Result<Vec<String>> {
    const ORPHANS: &str = "SELECT DISTINCT event FROM alert WHERE event NOT IN (SELECT id FROM event)";
    new.prepare(ORPHANS)?.query_map([], |row| row.get(0))?.collect()
}

struct Copy<'a> {
    old: &'a Connection,
    new: &'a Transaction<'a>,
}

impl Copy<'_> {
    /// Copies a table from its start to the first unreadable place, and from its end to there.
    fn both_ends(&self, table: &str, key: &str) -> rusqlite::Result<()> {
        for order in ["ASC", "DESC"] {
            let sql = format!("SELECT * FROM {table} ORDER BY {key} {order}");
            if self.rows(&sql, None, table)? {
                break;
            }
        }
        Ok(())
    }

    /// Copies the rows of a statement until one cannot be read. Returns true if all could.
    fn rows(&self, sql: &str, key: Option<&Value>, table: &str) -> rusqlite::Result<bool> {
        let Ok(mut select) = self.old.prepare_cached(sql) else { return Ok(false) };
        let shape = self.new.prepare(&format!("SELECT * FROM {table}"))?;
        let known: Vec<&str> = shape.column_names().collect();
        // A newer wardwatch may have had more columns.
        let (places, columns): (Vec<usize>, Vec<String>) = (0..)
            .zip(select.column_names().map(str::to_owned))
            .filter(|(_, name)| known.contains(&name.as_str()))
            .unzip();
        let marks = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({marks})", columns.join(", "));
        let Ok(mut rows) = select.query(params_from_iter(key)) else { return Ok(false) };
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(true),
                Err(_) => return Ok(false),
            };
            let values: rusqlite::Result<Vec<Value>> = places.iter().map(|place| row.get(*place)).collect();
            let Ok(values) = values else { continue };
            match self.new.prepare_cached(&insert)?.execute(params_from_iter(values)) {
                Ok(_) => {}
                // Garbage that is no row.
                Err(error) if is_refused(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Tries the alerts that neither end reached, one by one.
    fn alerts_between(&self) -> rusqlite::Result<()> {
        let kept = self
            .new
            .prepare("SELECT seq FROM alert ORDER BY seq")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        let first = self.end("ASC").or(kept.first().copied()).unwrap_or(1);
        let last =
            self.end("DESC").or(kept.last().copied()).unwrap_or(0).max(self.read_sequence().unwrap_or(0));
        let first = first.max(last.saturating_sub(TRIES_MAX));
        for seq in first..=last {
            if kept.binary_search(&seq).is_err() {
                self.rows("SELECT * FROM alert WHERE seq = ?1", Some(&seq.into()), "alert")?;
            }
        }
        Ok(())
    }

    /// Number of the first or last readable alert of the old index.
    fn end(&self, order: &str) -> Option<i64> {
        let sql = format!("SELECT seq FROM alert ORDER BY seq {order} LIMIT 1");
        self.old.query_row(&sql, [], |row| row.get(0)).ok()
    }

    /// Copies the events that alerts need: by key, or else out of the message. An alert with neither could not be sent, and
    /// is removed.
    fn events_of_alerts(&self) -> rusqlite::Result<()> {
        for event in orphans(self.new)? {
            self.rows("SELECT * FROM event WHERE id = ?1", Some(&event.into()), "event")?;
        }
        for event in orphans(self.new)? {
            let messages: Vec<String> = self
                .new
                .prepare("SELECT message FROM alert WHERE event = ?1 ORDER BY seq DESC")?
                .query_map([&event], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            match messages.iter().find_map(|message| serde_json::from_str::<Alert>(message).ok()) {
                Some(alert) => insert_event(self.new, &event, &alert)?,
                None => {
                    self.new.execute("DELETE FROM alert WHERE event = ?1", [&event])?;
                }
            }
        }
        Ok(())
    }

    /// Copies the outbox: messages that were or may have been in it.
    fn outbox(&self) -> rusqlite::Result<()> {
        let seqs: Vec<i64> = self
            .new
            .prepare("SELECT seq FROM alert")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for seq in seqs {
            let select = self.old.prepare_cached("SELECT 1 FROM outbox WHERE seq = ?1");
            let is_waiting = select.and_then(|mut select| select.exists([seq]));
            if is_waiting.unwrap_or(true) {
                self.new.execute("INSERT INTO outbox (seq) VALUES (?1)", [seq])?;
            }
        }
        Ok(())
    }

    /// Identity of the outbox, if the old index still has it.
    fn identity(&self) -> Option<Identity> {
        const IDENTITY: &str = "SELECT id, since, thumbnails_shed FROM outbox_identity WHERE one = 1";
        let identity = self.old.query_row(IDENTITY, [], Identity::read).ok()?;
        identity.id.parse::<OutboxId>().is_ok().then_some(identity)
    }

    fn read_sequence(&self) -> Option<i64> {
        let last = self.old.query_row("SELECT last FROM sequence WHERE one = 1", [], |row| row.get(0));
        last.ok().filter(|last| *last >= 0)
    }
}

/// The row of `outbox_identity`.
struct Identity {
    id: String,
    since: i64,
    thumbnails_shed: i64,
}

impl Identity {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, since: row.get(1)?, thumbnails_shed: row.get(2)? })
    }

    fn keep(&self, new: &Transaction<'_>) -> rusqlite::Result<()> {
        new.execute(
            "UPDATE outbox_identity SET id = ?1, since = ?2, thumbnails_shed = ?3",
            params![self.id, self.since, self.thumbnails_shed],
        )
        .map(drop)
    }
}

/// Returns true if the new index works, and refuses only this row.
fn is_refused(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TypeMismatch};
    matches!(error.sqlite_error_code(), Some(ConstraintViolation | TypeMismatch))
}

fn insert_event(new: &Transaction<'_>, id: &str, alert: &Alert) -> rusqlite::Result<()> {
    new.execute(
        "INSERT INTO event (id, camera, rule, kind, severity, why, boot_id, clock, opened_wall_us,
                            opened_monotonic_ns, closed_wall_us, clip_starts_wall_us, clip_ends_wall_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, '', ?7, ?8, 0, ?9, ?10, ?11)",
        params![
            id,
            alert.camera.id.as_str(),
            alert.rule.id.as_str(),
            alert.rule.kind,
            alert.severity.as_str(),
            alert.why,
            alert.clock.as_str(),
            alert.opened_at.as_micros(),
            alert.closed_at.map(WallTime::as_micros),
            alert.clip.starts_at.as_micros(),
            alert.clip.ends_at.map(WallTime::as_micros),
        ],
    )
    .map(drop)
}

/// Notes the numbers up to `last` that no alert has, but for those before the first one: these retention removed, or
/// they were noted before.
fn note_gaps(new: &Transaction<'_>, last: i64) -> rusqlite::Result<()> {
    let first: Option<i64> = new.query_row("SELECT min(seq) FROM alert", [], |row| row.get(0))?;
    let mut expected = first.unwrap_or(1);
    let mut select = new.prepare("SELECT seq FROM alert UNION SELECT ?1 + 1 ORDER BY seq")?;
    let seqs = select.query_map([last], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    for seq in seqs {
        if seq > expected {
            new.execute("INSERT OR IGNORE INTO seq_gap (first, last) VALUES (?1, ?2)", [expected, seq - 1])?;
        }
        expected = seq + 1;
    }
    Ok(())
}
