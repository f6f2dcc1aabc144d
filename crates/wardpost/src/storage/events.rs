//! Events as they are stored, for display. They never return a picture: a view of one is logged.

use rusqlite::{Connection, OptionalExtension as _, Result, Row, Transaction, params};

use super::decisions::state_at;
use super::intake::severity_of;
use super::{Filter, Storage, StorageError, StoredAlert, changes, sql};
use crate::arrival::Sender;
use crate::events::{Source, State, Targets};
use base::event::Severity;
use base::ids::CameraId;
use base::time::WallTime;

/// Columns of [`event_row`].
const COLUMNS: &str =
    "number, ward, box, camera, rule, camera_name, rule_kind, rule_name, severity, alerts, first_us, last_us,
     state, by, since_us, until_us, outcome, note, tab, shelf, escalated, lead, taken_us";

/// Maximum number of removed events in one transaction.
const EXPIRED_MAX: i64 = 500;
/// Maximum number of messages of one event that are read: those of its first alerts.
const MESSAGES_MAX: i64 = 200;

/// Part of the duty officer's page that shows an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tab {
    /// New and taken events: the queue.
    Open,
    /// Events that come back later.
    Parked,
    /// Events of shelved cameras and rules.
    Shelved,
    /// Events of boxes that are being commissioned.
    Test,
    /// Closed events, the last one in front.
    Closed,
}

impl Tab {
    /// All tabs.
    pub const ALL: [Self; 5] = [Self::Open, Self::Parked, Self::Shelved, Self::Test, Self::Closed];

    /// The word for it in the database and in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Parked => "parked",
            Self::Shelved => "shelved",
            Self::Test => "test",
            Self::Closed => "closed",
        }
    }

    /// The tab with this word; `None` for an unknown one.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.as_str() == word)
    }
}

/// Selection of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFilter {
    /// The tab.
    pub tab: Tab,
    /// Those of this box only, or of one camera of it.
    pub camera: Option<(Sender, Option<CameraId>)>,
    /// Maximum number.
    pub limit: usize,
}

/// Number of events of each tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// In the queue.
    pub open: u64,
    /// Parked.
    pub parked: u64,
    /// On shelves.
    pub shelved: u64,
    /// Of boxes on test.
    pub test: u64,
}

/// Events of a tab, severity first, then the oldest; of closed ones, the last one first.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Number of the last change that is in it: [`Storage::changes_after`] goes on from there.
    pub cursor: u64,
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Number of events of each tab, whatever the selection.
    pub counts: Counts,
}

/// Names that people use, as they were when the alert was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Of the camera's place.
    pub camera: String,
    /// Of the rule.
    pub rule: String,
    /// Kind of the rule, such as `intrusion`.
    pub rule_kind: String,
}

/// Alerts of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Number of alerts.
    pub alerts: u64,
    /// Arrival of the first one, on the post's clock.
    pub first_at: WallTime,
    /// Arrival of the last one, on the post's clock.
    pub last_at: WallTime,
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its number.
    pub number: u64,
    /// Box, camera and rule of its most severe alert.
    pub source: Source,
    /// Their names.
    pub names: Names,
    /// Highest severity of its alerts.
    pub severity: Severity,
    /// Its alerts.
    pub span: Span,
    /// Its state.
    pub state: State,
    /// The tab that shows it.
    pub tab: Tab,
    /// The shelf that keeps it out of the queue.
    pub shelf: Option<u64>,
    /// Number of the last level of escalation while it waits; 0 for none.
    pub level: u8,
    /// Time at which a person first took it, parked it or closed it.
    pub taken_at: Option<WallTime>,
    /// Its most severe alert, the first one of these; `None` where it has been removed by age.
    pub lead: Option<Box<StoredAlert>>,
}

impl StoredEvent {
    /// Time at which it is overdue; `None` where it does not wait or has no target.
    pub fn due_at(&self, targets: Targets) -> Option<WallTime> {
        match self.state {
            State::New { since } if self.tab == Tab::Open => {
                targets.of(self.severity).map(|target| since + target)
            }
            _ => None,
        }
    }

    /// True where it has waited longer than its target.
    pub fn is_overdue(&self, targets: Targets, now: WallTime) -> bool {
        self.due_at(targets).is_some_and(|due| now > due)
    }
}

impl Storage {
    /// Events of a tab, with counts and cursor of the same moment.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn queue(&self, filter: &QueueFilter) -> std::result::Result<Queue, StorageError> {
        let failed = self.failed("read the events of");
        let transaction = self.connection.unchecked_transaction().map_err(&failed)?;
        let cursor = changes::last(&transaction).map_err(&failed)?;
        let counts = counts(&transaction).map_err(&failed)?;
        let rows = rows(&transaction, filter).map_err(&failed)?;
        let events =
            rows.into_iter().map(|row| self.stored_event(row)).collect::<std::result::Result<_, _>>()?;
        Ok(Queue { cursor, events, counts })
    }

    /// One event; `None` for an unknown number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn event(&self, number: u64) -> std::result::Result<Option<StoredEvent>, StorageError> {
        let text = format!("SELECT {COLUMNS} FROM event WHERE number = ?1");
        let failed = self.failed("read an event of");
        let mut select = self.connection.prepare_cached(&text).map_err(&failed)?;
        let row = select.query_row([sql(number)], event_row).optional().map_err(&failed)?;
        row.map(|row| self.stored_event(row)).transpose()
    }

    /// Number of events of each tab.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn counts(&self) -> std::result::Result<Counts, StorageError> {
        counts(&self.connection).map_err(self.failed("count the events of"))
    }

    /// Messages of the alerts of an event, in the order of storing; at most 200, the first ones.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn event_alerts(&self, number: u64) -> std::result::Result<Vec<StoredAlert>, StorageError> {
        let failed = self.failed("read the alerts of an event of");
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT a.number FROM event_alert e JOIN alert a ON a.id = e.alert AND a.ward = e.ward AND a.box = e.box
                 WHERE e.event = ?1 ORDER BY a.number LIMIT ?2",
            )
            .map_err(&failed)?;
        let numbers = select.query_map([sql(number), MESSAGES_MAX], |row| row.get::<_, i64>(0));
        let numbers = numbers.and_then(Iterator::collect::<Result<Vec<_>>>).map_err(&failed)?;
        let mut messages = Vec::new();
        for number in numbers {
            messages.extend(self.message(number.unsigned_abs())?);
        }
        Ok(messages)
    }

    /// The alert message with this number.
    pub(super) fn message(&self, number: u64) -> std::result::Result<Option<StoredAlert>, StorageError> {
        let of = Filter { after_number: Some(number.saturating_sub(1)), limit: Some(1), ..Filter::default() };
        Ok(self.alerts(&of)?.into_iter().find(|stored| stored.number == number))
    }

    pub(super) fn stored_event(&self, row: EventRow) -> std::result::Result<StoredEvent, StorageError> {
        let damaged = |part: &str| self.damaged(format!("event {}: {part}", row.number));
        let source = Source {
            sender: self.sender(&row.ward, &row.id)?,
            camera: row.camera.parse().map_err(|_| damaged("its camera"))?,
            rule: row.rule.parse().map_err(|_| damaged("its rule"))?,
        };
        Ok(StoredEvent {
            number: row.number,
            source,
            names: row.names,
            severity: row.severity,
            span: row.span,
            state: row.state,
            tab: row.tab,
            shelf: row.shelf,
            level: row.level,
            taken_at: row.taken_at,
            lead: self.message(row.lead)?.map(Box::new),
        })
    }
}

/// A row of the table, with ids that are not checked yet.
pub(super) struct EventRow {
    number: u64,
    ward: String,
    id: String,
    camera: String,
    rule: String,
    names: Names,
    severity: Severity,
    span: Span,
    state: State,
    tab: Tab,
    shelf: Option<u64>,
    level: u8,
    lead: u64,
    taken_at: Option<WallTime>,
}

fn event_row(row: &Row<'_>) -> Result<EventRow> {
    let count = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
    let time = |at: usize| row.get(at).map(WallTime::from_micros);
    let tab: String = row.get(18)?;
    Ok(EventRow {
        number: count(0)?,
        ward: row.get(1)?,
        id: row.get(2)?,
        camera: row.get(3)?,
        rule: row.get(4)?,
        names: Names { camera: row.get(5)?, rule_kind: row.get(6)?, rule: row.get(7)? },
        severity: severity_of(row.get(8)?),
        span: Span { alerts: count(9)?, first_at: time(10)?, last_at: time(11)? },
        state: state_at(row, 12)?,
        tab: Tab::of(&tab).unwrap_or(Tab::Open),
        shelf: row.get::<_, Option<i64>>(19)?.map(i64::unsigned_abs),
        level: row.get(20)?,
        lead: count(21)?,
        taken_at: row.get::<_, Option<i64>>(22)?.map(WallTime::from_micros),
    })
}

/// Statement of a tab's rows. The rows of one camera are a part of the tab's.
fn tab_statement(tab: Tab) -> String {
    let (place, order) = match tab {
        // The plus keeps SQLite from the index of tabs, which has another order.
        Tab::Closed => ("state = 'closed' AND +tab = ?1", "since_us DESC"),
        _ => ("tab = ?1", "severity DESC, first_us"),
    };
    format!(
        "SELECT {COLUMNS} FROM event WHERE {place} AND (?2 IS NULL OR ward = ?2) AND (?3 IS NULL OR box = ?3)
           AND (?4 IS NULL OR camera = ?4) ORDER BY {order} LIMIT ?5"
    )
}

fn rows(connection: &Connection, filter: &QueueFilter) -> Result<Vec<EventRow>> {
    let text = tab_statement(filter.tab);
    let mut select = connection.prepare_cached(&text)?;
    let camera = filter.camera.as_ref();
    let rows = select.query_map(
        params![
            filter.tab.as_str(),
            camera.map(|(sender, _)| sender.ward.as_str()),
            camera.map(|(sender, _)| sender.box_id.as_str()),
            camera.and_then(|(_, camera)| Some(camera.as_ref()?.as_str())),
            sql(filter.limit as u64),
        ],
        event_row,
    )?;
    rows.collect()
}

fn counts(connection: &Connection) -> Result<Counts> {
    let mut select = connection.prepare_cached(
        "SELECT tab, count(*) FROM event WHERE tab IN ('open', 'parked', 'shelved', 'test') GROUP BY tab",
    )?;
    let mut rows = select.query([])?;
    let mut counts = Counts::default();
    while let Some(row) = rows.next()? {
        let (tab, count): (String, i64) = (row.get(0)?, row.get(1)?);
        match Tab::of(&tab) {
            Some(Tab::Open) => counts.open = count.unsigned_abs(),
            Some(Tab::Parked) => counts.parked = count.unsigned_abs(),
            Some(Tab::Shelved) => counts.shelved = count.unsigned_abs(),
            Some(Tab::Test) => counts.test = count.unsigned_abs(),
            Some(Tab::Closed) | None => {}
        }
    }
    Ok(counts)
}

/// Reads the event with this number within a transaction.
pub(super) fn read(connection: &Connection, number: u64) -> Result<Option<EventRow>> {
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM event WHERE number = ?1"))?;
    select.query_row([sql(number)], event_row).optional()
}

/// Removes a part of the events that are older than `before`. The log keeps the decisions about them.
pub(super) fn expire(transaction: &Transaction<'_>, before: WallTime) -> Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE first_us < ?1 ORDER BY first_us LIMIT ?2)",
        )?
        .execute([before.as_micros(), EXPIRED_MAX])?;
    Ok(())
}

#[cfg(test)]
mod tests;
