//! Facts for figures, and the officers' judgements for installers.

use std::collections::BTreeMap;

use rusqlite::{Connection, Result, Row};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::intake::severity_of;
use super::{Storage, StorageError, sql};
use crate::arrival::Sender;
use crate::events::{AwayFacts, EventFacts, Facts, Outcome, Period, Source, Truth};
use base::alert::Alert;
use base::event::Phase;
use base::ids::AlertId;
use base::time::WallTime;

/// Maximum number of events of one period: a month of a hundred wards' worth.
const EVENTS_MAX: u64 = 500_000;
/// Maximum number of messages about absent cameras.
const AWAY_MAX: u64 = 20_000;

impl Storage {
    /// Facts about a period, for [`crate::events::Figures::of`].
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn facts(&self, period: Period) -> std::result::Result<Facts, StorageError> {
        let failed = self.failed("read the figures of");
        let transaction = self.connection.unchecked_transaction().map_err(&failed)?;
        let rows = event_rows(&transaction, period).map_err(&failed)?;
        let events =
            rows.into_iter().map(|row| self.event_facts(row)).collect::<std::result::Result<_, _>>()?;
        let floods = periods(&transaction, "flood", period).map_err(&failed)?;
        let shifts = periods(&transaction, "shift", period).map_err(&failed)?;
        let away = away(&transaction, period).map_err(&failed)?;
        Ok(Facts { events, floods, shifts, away })
    }

    /// Judgements of officers about alerts of events that were closed in a period: camera, rule, alert, outcome, and the sha256
    /// of the thumbnail. One JSON object each, in the order of closing.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn feedback(&self, period: Period) -> std::result::Result<Vec<Value>, StorageError> {
        feedback(&self.connection, period).map_err(self.failed("read the judgements of"))
    }

    fn event_facts(&self, row: FactsRow) -> std::result::Result<EventFacts, StorageError> {
        let damaged = |part: &str| self.damaged(format!("event of {}/{}: {part}", row.ward, row.id));
        let source = Source {
            sender: self.sender(&row.ward, &row.id)?,
            camera: row.camera.parse().map_err(|_| damaged("its camera"))?,
            rule: row.rule.parse().map_err(|_| damaged("its rule"))?,
        };
        let outcome = row.outcome.as_deref().and_then(Outcome::of);
        Ok(EventFacts {
            source,
            names: row.names,
            severity: severity_of(row.severity),
            alerts: row.alerts,
            first_at: row.first_at,
            is_test: row.is_test,
            is_shelved: row.is_shelved,
            taken_at: row.taken_at,
            closed: outcome.map(|outcome| (row.since, outcome)),
        })
    }
}

struct FactsRow {
    ward: String,
    id: String,
    camera: String,
    rule: String,
    names: (String, String),
    severity: i64,
    alerts: u64,
    first_at: WallTime,
    is_test: bool,
    is_shelved: bool,
    taken_at: Option<WallTime>,
    outcome: Option<String>,
    since: WallTime,
}

fn event_rows(connection: &Connection, period: Period) -> Result<Vec<FactsRow>> {
    let mut select = connection.prepare_cached(
        "SELECT ward, box, camera, rule, camera_name, rule_name, severity, alerts, first_us, is_test,
                shelf IS NOT NULL, taken_us, outcome, since_us
         FROM event WHERE first_us >= ?1 AND first_us < ?2 ORDER BY first_us LIMIT ?3",
    )?;
    let of = [period.from.as_micros(), period.to.as_micros(), sql(EVENTS_MAX)];
    let rows = select.query_map(of, |row| {
        Ok(FactsRow {
            ward: row.get(0)?,
            id: row.get(1)?,
            camera: row.get(2)?,
            rule: row.get(3)?,
            names: (row.get(4)?, row.get(5)?),
            severity: row.get(6)?,
            alerts: row.get::<_, i64>(7)?.unsigned_abs(),
            first_at: WallTime::from_micros(row.get(8)?),
            is_test: row.get(9)?,
            is_shelved: row.get(10)?,
            taken_at: row.get::<_, Option<i64>>(11)?.map(WallTime::from_micros),
            outcome: row.get(12)?,
            since: WallTime::from_micros(row.get(13)?),
        })
    })?;
    rows.collect()
}

/// Floods or shifts that touch a period. One that lasts ends with it.
fn periods(connection: &Connection, table: &'static str, period: Period) -> Result<Vec<Period>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT begun_us, coalesce(ended_us, ?2) FROM {table} WHERE begun_us < ?2 AND coalesce(ended_us, ?2) >= ?1
         ORDER BY begun_us"
    ))?;
    let rows = select.query_map([period.from.as_micros(), period.to.as_micros()], |row| {
        Ok(Period { from: WallTime::from_micros(row.get(0)?), to: WallTime::from_micros(row.get(1)?) })
    })?;
    rows.collect()
}

/// Absences of cameras out of the alerts about them, on the boxes' clocks. One whose end has not come ends with the period.
fn away(connection: &Connection, period: Period) -> Result<Vec<AwayFacts>> {
    // CROSS keeps the order of the tables: the period comes first.
    let mut select = connection.prepare_cached(
        "SELECT a.ward, a.box, a.message FROM event
         CROSS JOIN event_alert e ON e.event = event.number
         CROSS JOIN alert a ON a.id = e.alert AND a.ward = e.ward AND a.box = e.box
         WHERE first_us >= ?1 AND first_us < ?2 AND NOT is_test AND rule_kind = 'camera_offline'
         ORDER BY a.number LIMIT ?3",
    )?;
    let of = [period.from.as_micros(), period.to.as_micros(), sql(AWAY_MAX)];
    let mut rows = select.query(of)?;
    let mut found: BTreeMap<AlertId, AwayFacts> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let Some((alert, absence)) = absence(row, period.to)? else { continue };
        // The closing message repeats the opening one with its end.
        if alert.phase == Phase::Closed || !found.contains_key(&alert.id) {
            found.insert(alert.id, absence);
        }
    }
    Ok(found.into_values().collect())
}

/// The absence that a message tells of; `None` for a message of another rule, or one that does not read.
fn absence(row: &Row<'_>, end: WallTime) -> Result<Option<(Alert, AwayFacts)>> {
    let (ward, id, message): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (Ok(ward), Ok(box_id)) = (ward.parse(), id.parse()) else { return Ok(None) };
    let Ok(alert) = serde_json::from_str::<Alert>(&message) else { return Ok(None) };
    if alert.rule.kind != "camera_offline" {
        return Ok(None);
    }
    let absence = AwayFacts {
        sender: Sender { ward, box_id },
        camera: alert.camera.id.clone(),
        name: alert.camera.name.clone(),
        period: Period { from: alert.opened_at, to: alert.closed_at.unwrap_or(end) },
    };
    Ok(Some((alert, absence)))
}

fn feedback(connection: &Connection, period: Period) -> Result<Vec<Value>> {
    let mut select = connection.prepare_cached(
        "SELECT e.ward, e.box, event.camera, event.rule, event.rule_kind, e.alert, outcome, since_us,
                (SELECT jpeg FROM thumbnail t JOIN alert o ON o.number = t.alert
                 WHERE o.id = e.alert AND o.ward = e.ward AND o.box = e.box LIMIT 1)
         FROM event JOIN event_alert e ON e.event = event.number
         WHERE state = 'closed' AND since_us >= ?1 AND since_us < ?2 ORDER BY since_us, event.number, e.alert",
    )?;
    let mut rows = select.query([period.from.as_micros(), period.to.as_micros()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let word: String = row.get(6)?;
        let Some(outcome) = Outcome::of(&word).filter(|outcome| outcome.truth() != Truth::Unjudged) else {
            continue;
        };
        let jpeg: Option<Vec<u8>> = row.get(8)?;
        let digest = jpeg
            .map(|jpeg| Sha256::digest(jpeg).iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        found.push(json!({
            "ward": row.get::<_, String>(0)?,
            "box": row.get::<_, String>(1)?,
            "camera": row.get::<_, String>(2)?,
            "rule": row.get::<_, String>(3)?,
            "rule_kind": row.get::<_, String>(4)?,
            "alert": row.get::<_, String>(5)?,
            "outcome": outcome.as_str(),
            "verdict": match outcome.truth() {
                Truth::True => "true",
                Truth::False => "false",
                Truth::Test | Truth::Unjudged => "test",
            },
            "closed_at": WallTime::from_micros(row.get(7)?),
            "thumbnail_sha256": digest,
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::arrival::{Arrival, Content};
    use crate::events::{Action, Figures, Targets};
    use crate::storage::testing::{after, later, officer};
    use crate::storage::{Batch, QueueFilter, Tab};

    fn offline(camera: &str, seconds: u64, ended: Option<u64>) -> Vec<Arrival> {
        let mut arrival = later(camera, "offline", seconds);
        let Content::Alert(arrived) = &mut arrival.content else { panic!("no alert") };
        arrived.alert.rule.kind = "camera_offline".into();
        arrived.message = serde_json::to_value(&arrived.alert).unwrap();
        let mut closed = arrival.clone();
        let Content::Alert(arrived) = &mut closed.content else { panic!("no alert") };
        arrived.alert.phase = Phase::Closed;
        arrived.alert.closed_at = ended.map(|ended| arrived.alert.opened_at + Duration::from_secs(ended));
        arrived.message = serde_json::to_value(&arrived.alert).unwrap();
        if ended.is_some() { vec![arrival, closed] } else { vec![arrival] }
    }

    #[test]
    fn facts_of_a_period_make_its_figures_and_judgements_a_file() {
        let place = tempfile::tempdir().unwrap();
        let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        let mut arrivals =
            vec![later("gate", "night", 0), later("gate", "night", 20), later("yard", "night", 30)];
        arrivals.extend(offline("hall", 40, Some(120)));
        arrivals.extend(offline("shed", 50, None));
        storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
        let queue = storage.queue(&QueueFilter { tab: Tab::Open, camera: None, limit: 10 }).unwrap();
        let gate = queue.events[0].number;
        storage.take_over(gate, &officer("An"), after(15)).unwrap();
        let close = Action::Close { outcome: Outcome::Rain, note: "mưa".parse().unwrap() };
        storage.decide(gate, &close, &officer("An"), after(60)).unwrap();
        let period = Period { from: after(0), to: after(3600) };
        let found = Figures::of(period, &storage.facts(period).unwrap(), Targets::default(), after(3600));
        assert_eq!((found.load.events, found.load.alerts), (3, 5), "two cameras of a box are away at once");
        assert_eq!(found.to_take.median, Some(Duration::from_secs(15)));
        assert_eq!(found.to_close.median, Some(Duration::from_secs(60)));
        let away: Vec<(&str, u64)> =
            found.away.iter().map(|camera| (camera.camera.as_str(), camera.length.as_secs())).collect();
        assert_eq!((away[0].0, away[1]), ("shed", ("hall", 120)));
        let feedback = storage.feedback(period).unwrap();
        assert_eq!(feedback.len(), 2, "both alerts of the event");
        assert_eq!((&feedback[0]["camera"], &feedback[0]["outcome"]), (&json!("gate"), &json!("rain")));
        // The sha256 of the bytes ff d8 ff.
        let jpeg =
            Sha256::digest([0xff, 0xd8, 0xff]).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            (&feedback[0]["thumbnail_sha256"], &feedback[0]["verdict"]),
            (&json!(jpeg), &json!("false"))
        );
        assert!(!feedback[0].to_string().contains("mưa"), "a note may name people");
        let before = Period { from: after(0) - Duration::from_secs(9), to: after(0) };
        assert!(
            storage.feedback(before).unwrap().is_empty()
                && storage.facts(before).unwrap() == Facts::default()
        );
    }
}
