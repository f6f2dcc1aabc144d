//! Queries of the database, for display. They never return a thumbnail: access to one is logged, in [`super::accesses`].

use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::Value;

use super::runs::{Runs, between};
use super::{Storage, StorageError, sql};
use crate::arrival::Sender;
use crate::health::Standing;
use crate::presence::Reported;
use base::ack::Gap;
use base::alert::Alert;
use base::event::Severity;
use base::ids::{AlertId, BoxId, CameraId, OutboxId};
use base::status::Status;
use base::time::WallTime;
use base::vitals::Vitals;

/// Selection of alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this box.
    pub box_id: Option<BoxId>,
    /// Of this camera.
    pub camera: Option<CameraId>,
    /// Of this severity or above.
    pub severity_min: Option<Severity>,
    /// Received then or later.
    pub since: Option<WallTime>,
    /// This one only.
    pub id: Option<AlertId>,
    /// Stored after the message with this number.
    pub after_number: Option<u64>,
    /// A closed alert is returned once, by its closing message, without the opening one.
    pub once_each: bool,
    /// Maximum number: the first ones where `after_number` is given, else the last ones.
    pub limit: Option<usize>,
}

/// An alert message as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    /// Its number in the order of storing.
    pub number: u64,
    /// The box that sent it.
    pub sender: Sender,
    /// The message, without its thumbnail.
    pub alert: Alert,
    /// The message as it came, without its thumbnail.
    pub message: Value,
    /// Time of arrival, on the post's clock.
    pub received_at: WallTime,
    /// Number of repetitions.
    pub repeats: u64,
    /// The stored message that has its thumbnail, where there is one.
    pub thumbnail: Option<u64>,
}

/// A notice as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotice {
    /// Its number in the order of notices.
    pub number: u64,
    /// Time at which it was found, on the post's clock.
    pub at: WallTime,
    /// `here`, `offline`, `silent`, `twins`, `access-log`, `trouble`, `well`, of a box; `link-lost`, `link-back`, `room-lost`,
    /// `room-back`, of the post.
    pub kind: String,
    /// The box it is about.
    pub sender: Option<Sender>,
    /// Reason of the notice.
    pub detail: Option<String>,
}

/// A thumbnail that came after its alert.
#[derive(Debug, Clone, PartialEq)]
pub struct LateThumbnail {
    /// Its number in the order of late thumbnails.
    pub number: u64,
    /// Time of arrival, on the post's clock.
    pub at: WallTime,
    /// Its alert.
    pub stored: StoredAlert,
}

/// Numbers of an outbox that are missing, or lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The box.
    pub sender: Sender,
    /// Its outbox.
    pub outbox: OutboxId,
    /// The box counts in another outbox by now: then they will hardly come.
    pub is_former: bool,
    /// They were declared lost.
    pub is_lost: bool,
    /// The numbers.
    pub gap: Gap,
}

/// State of one box.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxState {
    /// The box.
    pub sender: Sender,
    /// Outbox of its last numbered alert.
    pub outbox: Option<OutboxId>,
    /// Time of its last message.
    pub heard_at: Option<WallTime>,
    /// The last report about it.
    pub reported: Reported,
    /// Time of that report.
    pub reported_at: Option<WallTime>,
    /// Its last status.
    pub status: Option<Status>,
    /// Its last vitals.
    pub vitals: Option<Vitals>,
    /// Its troubles, as the receiver found them.
    pub health: Vec<Standing>,
    /// Stored numbers of its present outbox.
    pub numbers: Numbers,
    /// Number of its stored alert messages.
    pub alerts: u64,
    /// Time of arrival of the last one.
    pub alert_at: Option<WallTime>,
    /// Alerts that came again.
    pub duplicates: u64,
    /// Alerts that contradict another.
    pub conflicts: u64,
    /// Messages that were refused.
    pub refused: u64,
    /// Time at which two boxes were last found to use its name.
    pub twins_at: Option<WallTime>,
}

/// State of the numbers of an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Numbers {
    /// Everything from 1 to this one is stored, or lost.
    pub contiguous: u64,
    /// The highest.
    pub highest: u64,
    /// Number of missing ones below it, which may still come.
    pub missing: u64,
    /// Number of lost ones, which never come.
    pub lost: u64,
}

impl Numbers {
    fn of(covered: &[(u64, u64)], lost: &[(u64, u64)]) -> Self {
        let count = |runs: &[(u64, u64)]| runs.iter().map(|(first, last)| last - first + 1).sum::<u64>();
        let contiguous = covered.first().filter(|(first, _)| *first == 1).map_or(0, |(_, last)| *last);
        let highest = covered.last().map_or(0, |(_, last)| *last);
        Self { contiguous, highest, missing: highest - count(covered), lost: count(lost) }
    }
}

impl Storage {
    /// Alert messages in the order of storing.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn alerts(&self, filter: &Filter) -> Result<Vec<StoredAlert>, StorageError> {
        let order = if filter.after_number.is_some() { "ASC" } else { "DESC" };
        // Without this the index of ids would not be used.
        let id = if filter.id.is_some() { "id = ?4" } else { "?4 IS NULL" };
        let text = format!(
            "SELECT number, ward, box, outbox, seq, received_us, repeats, message,
                    (SELECT t.alert FROM thumbnail t JOIN alert o ON o.number = t.alert
                     WHERE o.id = a.id AND o.ward = a.ward AND o.box = a.box LIMIT 1)
             FROM alert a
             WHERE number > ?1
               AND (?2 IS NULL OR box = ?2) AND (?3 IS NULL OR camera = ?3) AND {id}
               AND (?5 IS NULL OR received_us >= ?5) AND instr(?6, ' ' || severity || ' ') > 0
               AND NOT (?7 AND phase = 'opened' AND EXISTS (SELECT 1 FROM alert c WHERE c.id = a.id
                        AND c.phase = 'closed' AND c.ward = a.ward AND c.box = a.box))
             ORDER BY number {order} LIMIT ?8"
        );
        let failed = self.failed("read alerts of");
        let severe = [Severity::Notice, Severity::Warning, Severity::Critical].into_iter();
        let severe = severe.filter(|severity| filter.severity_min.is_none_or(|least| *severity >= least));
        let severities = severe.map(|severity| format!(" {} ", severity.as_str())).collect::<String>();
        let mut select = self.connection.prepare_cached(&text).map_err(&failed)?;
        let of = params![
            sql(filter.after_number.unwrap_or(0)),
            filter.box_id.as_ref().map(BoxId::as_str),
            filter.camera.as_ref().map(CameraId::as_str),
            filter.id.map(|id| id.to_string()),
            filter.since.map(WallTime::as_micros),
            severities,
            filter.once_each,
            filter.limit.map_or(-1, |limit| sql(limit as u64)),
        ];
        let rows = select.query_map(of, alert_row).map_err(&failed)?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>().map_err(&failed)?;
        let mut alerts = rows.into_iter().map(|row| self.stored(row)).collect::<Result<Vec<_>, _>>()?;
        if order == "DESC" {
            alerts.reverse();
        }
        Ok(alerts)
    }

    /// Alerts whose id, in lower case with hyphens, begins with `beginning`, each with its newest message; at most `limit`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn alerts_beginning(
        &self,
        beginning: &str,
        limit: usize,
    ) -> Result<Vec<(AlertId, StoredAlert)>, StorageError> {
        let failed = self.failed("read alerts of");
        // No id has a letter behind f.
        let text =
            "SELECT DISTINCT id FROM alert WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id DESC LIMIT ?2";
        let mut select = self.connection.prepare_cached(text).map_err(&failed)?;
        let ids = select.query_map(params![beginning, sql(limit as u64)], |row| row.get::<_, String>(0));
        let ids = ids.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>).map_err(&failed)?;
        let mut found = Vec::new();
        for id in ids {
            let id = id.parse().map_err(|error| self.damaged(format!("alert {id}: {error}")))?;
            let newest = self.alerts(&Filter { id: Some(id), limit: Some(1), ..Filter::default() })?.pop();
            found.extend(newest.map(|newest| (id, newest)));
        }
        Ok(found)
    }

    /// The outboxes of a box of which any number is stored or lost.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn outboxes(&self, sender: &Sender) -> Result<Vec<OutboxId>, StorageError> {
        let failed = self.failed("read the numbers of");
        let text = "SELECT DISTINCT outbox FROM run WHERE ward = ?1 AND box = ?2";
        let mut select = self.connection.prepare_cached(text).map_err(&failed)?;
        let of = params![sender.ward.as_str(), sender.box_id.as_str()];
        let outboxes = select.query_map(of, |row| row.get::<_, String>(0));
        let outboxes = outboxes.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>).map_err(&failed)?;
        outboxes.iter().map(|outbox| self.outbox(outbox)).collect()
    }

    /// Notices after the one with this number, in order; at most `limit`, the last ones.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn notices(&self, after_number: u64, limit: usize) -> Result<Vec<StoredNotice>, StorageError> {
        let failed = self.failed("read notices of");
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT number, at_us, kind, ward, box, detail FROM notice WHERE number > ?1
                 ORDER BY number DESC LIMIT ?2",
            )
            .map_err(&failed)?;
        let rows = select
            .query_map([sql(after_number), sql(limit as u64)], |row| {
                let ward: Option<String> = row.get(3)?;
                let sender = ward.map(|ward| Ok::<_, rusqlite::Error>((ward, row.get(4)?))).transpose()?;
                Ok((
                    sender,
                    StoredNotice {
                        number: row.get::<_, i64>(0)?.unsigned_abs(),
                        at: WallTime::from_micros(row.get(1)?),
                        kind: row.get(2)?,
                        sender: None,
                        detail: row.get(5)?,
                    },
                ))
            })
            .map_err(&failed)?;
        let mut notices = Vec::new();
        for row in rows {
            let (sender, notice) = row.map_err(&failed)?;
            let sender = sender.map(|(ward, id): (String, String)| self.sender(&ward, &id)).transpose()?;
            notices.push(StoredNotice { sender, ..notice });
        }
        notices.reverse();
        Ok(notices)
    }

    /// Thumbnails that came later than their alert, after the one with this number, in order; at most `limit`, the first ones.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn late_thumbnails(
        &self,
        after_number: u64,
        limit: usize,
    ) -> Result<Vec<LateThumbnail>, StorageError> {
        let failed = self.failed("read late thumbnails of");
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT number, at_us, alert FROM late_thumbnail WHERE number > ?1 ORDER BY number LIMIT ?2",
            )
            .map_err(&failed)?;
        let row = |row: &Row<'_>| {
            let count = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok((count(0)?, WallTime::from_micros(row.get(1)?), count(2)?))
        };
        let rows = select.query_map([sql(after_number), sql(limit as u64)], row).map_err(&failed)?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>().map_err(&failed)?;
        let mut late = Vec::new();
        for (number, at, alert) in rows {
            let of = Filter { after_number: Some(alert - 1), limit: Some(1), ..Filter::default() };
            // The alert may have been removed meanwhile.
            let stored = self.alerts(&of)?.into_iter().find(|stored| stored.number == alert);
            late.extend(stored.map(|stored| LateThumbnail { number, at, stored }));
        }
        Ok(late)
    }

    /// The number of the last late thumbnail.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_late_thumbnail(&self) -> Result<u64, StorageError> {
        let read: Result<Option<i64>, _> =
            self.connection.query_row("SELECT max(number) FROM late_thumbnail", [], |row| row.get(0));
        Ok(read.map_err(self.failed("read"))?.map_or(0, i64::unsigned_abs))
    }

    /// Every box that has ever sent a message.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn boxes(&self) -> Result<Vec<BoxState>, StorageError> {
        let failed = self.failed("read the boxes of");
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT b.ward, id, outbox, heard_us, reported, reported_us, status, duplicates, conflicts, refused,
                        (SELECT count(*) FROM alert a WHERE a.ward = b.ward AND a.box = b.id),
                        (SELECT max(received_us) FROM alert a WHERE a.ward = b.ward AND a.box = b.id),
                        twins.at_us, vitals, health
                 FROM box b LEFT JOIN (SELECT ward, box, max(at_us) AS at_us FROM notice WHERE kind = 'twins'
                                       GROUP BY ward, box) twins ON twins.ward = b.ward AND twins.box = b.id
                 ORDER BY b.ward, b.id",
            )
            .map_err(&failed)?;
        let rows = select.query_map([], box_row).map_err(&failed)?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>().map_err(&failed)?;
        rows.into_iter().map(|row| self.box_state(row)).collect()
    }

    /// All missing and lost numbers, of former outboxes too.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn holes(&self) -> Result<Vec<Hole>, StorageError> {
        let failed = self.failed("read the numbers of");
        let mut select = self
            .connection
            .prepare_cached("SELECT DISTINCT ward, box, outbox FROM run ORDER BY ward, box, outbox")
            .map_err(&failed)?;
        let rows = select
            .query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })
            .map_err(&failed)?;
        let present: Vec<(Sender, Option<OutboxId>)> =
            self.boxes()?.into_iter().map(|known| (known.sender, known.outbox)).collect();
        let mut holes = Vec::new();
        for row in rows {
            let (ward, id, outbox) = row.map_err(&failed)?;
            let (sender, outbox) = (self.sender(&ward, &id)?, self.outbox(&outbox)?);
            let is_former = !present.contains(&(sender.clone(), Some(outbox)));
            let covered =
                Runs::covered(&sender, outbox).list(&self.connection, usize::MAX).map_err(&failed)?;
            let lost = Runs::lost(&sender, outbox).list(&self.connection, usize::MAX).map_err(&failed)?;
            let lost = lost.into_iter().map(|(first, last)| (Gap { first, last }, true));
            let missing = between(&covered).into_iter().map(|gap| (gap, false));
            let mut gaps: Vec<(Gap, bool)> = missing.chain(lost).collect();
            gaps.sort_by_key(|(gap, _)| gap.first);
            for (gap, is_lost) in gaps {
                holes.push(Hole { sender: sender.clone(), outbox, is_former, is_lost, gap });
            }
        }
        Ok(holes)
    }

    /// Time of arrival of the last alert.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_received(&self) -> Result<Option<WallTime>, StorageError> {
        let read: Result<Option<i64>, _> =
            self.connection.query_row("SELECT max(received_us) FROM alert", [], |row| row.get(0));
        Ok(read.map_err(self.failed("read"))?.map(WallTime::from_micros))
    }

    /// Number of refused messages that are still stored, and the reason of the last refusal.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn refused(&self) -> Result<(u64, Option<String>), StorageError> {
        let read = self.connection.query_row(
            "SELECT count(*), (SELECT topic || ': ' || why FROM refused ORDER BY number DESC LIMIT 1) FROM refused",
            [],
            |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)),
        );
        read.map_err(self.failed("read what was refused of"))
    }

    fn stored(&self, row: AlertRow) -> Result<StoredAlert, StorageError> {
        let damaged = |error: serde_json::Error| self.damaged(format!("alert {}: {error}", row.number));
        let message: Value = serde_json::from_str(&row.message).map_err(damaged)?;
        let mut alert: Alert = serde::Deserialize::deserialize(&message).map_err(damaged)?;
        // Its number may have come later than the message.
        (alert.seq, alert.outbox) = (row.seq, self.outbox(&row.outbox)?);
        Ok(StoredAlert {
            number: row.number,
            sender: self.sender(&row.ward, &row.id)?,
            alert,
            message,
            received_at: row.received_at,
            repeats: row.repeats,
            thumbnail: row.thumbnail,
        })
    }

    fn box_state(&self, row: BoxRow) -> Result<BoxState, StorageError> {
        let sender = self.sender(&row.ward, &row.id)?;
        let outbox = row.outbox.map(|outbox| self.outbox(&outbox)).transpose()?;
        let list = |runs: Runs<'_>| {
            runs.list(&self.connection, usize::MAX).map_err(self.failed("read the numbers of"))
        };
        let numbers = match outbox {
            Some(outbox) => {
                Numbers::of(&list(Runs::covered(&sender, outbox))?, &list(Runs::lost(&sender, outbox))?)
            }
            None => Numbers::default(),
        };
        Ok(BoxState {
            outbox,
            heard_at: row.heard_us.map(WallTime::from_micros),
            reported: Reported::of(&row.reported).unwrap_or_default(),
            reported_at: row.reported_us.map(WallTime::from_micros),
            // One that does not read was written by another version.
            status: row.status.and_then(|status| serde_json::from_str(&status).ok()),
            vitals: row.vitals.and_then(|vitals| serde_json::from_str(&vitals).ok()),
            health: row.health.and_then(|health| serde_json::from_str(&health).ok()).unwrap_or_default(),
            numbers,
            alerts: row.alerts,
            alert_at: row.alert_us.map(WallTime::from_micros),
            duplicates: row.counts[0],
            conflicts: row.counts[1],
            refused: row.counts[2],
            twins_at: row.twins_us.map(WallTime::from_micros),
            sender,
        })
    }

    pub(super) fn sender(&self, ward: &str, id: &str) -> Result<Sender, StorageError> {
        let wrong = |error| self.damaged(format!("{error}"));
        Ok(Sender { ward: ward.parse().map_err(wrong)?, box_id: id.parse().map_err(wrong)? })
    }

    pub(super) fn outbox(&self, text: &str) -> Result<OutboxId, StorageError> {
        text.parse().map_err(|error| self.damaged(format!("outbox {text}: {error}")))
    }

    pub(super) fn damaged(&self, what: String) -> StorageError {
        StorageError::Damaged { path: self.path.clone(), what }
    }
}

struct AlertRow {
    number: u64,
    ward: String,
    id: String,
    outbox: String,
    seq: u64,
    received_at: WallTime,
    repeats: u64,
    message: String,
    thumbnail: Option<u64>,
}

fn alert_row(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    Ok(AlertRow {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        ward: row.get(1)?,
        id: row.get(2)?,
        outbox: row.get(3)?,
        seq: row.get::<_, i64>(4)?.unsigned_abs(),
        received_at: WallTime::from_micros(row.get(5)?),
        repeats: row.get::<_, i64>(6)?.unsigned_abs(),
        message: row.get(7)?,
        thumbnail: row.get::<_, Option<i64>>(8)?.map(i64::unsigned_abs),
    })
}

struct BoxRow {
    ward: String,
    id: String,
    outbox: Option<String>,
    heard_us: Option<i64>,
    reported: String,
    reported_us: Option<i64>,
    status: Option<String>,
    counts: [u64; 3],
    alerts: u64,
    alert_us: Option<i64>,
    twins_us: Option<i64>,
    vitals: Option<String>,
    health: Option<String>,
}

fn box_row(row: &Row<'_>) -> rusqlite::Result<BoxRow> {
    let count = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(BoxRow {
        ward: row.get(0)?,
        id: row.get(1)?,
        outbox: row.get(2)?,
        heard_us: row.get(3)?,
        reported: row.get(4)?,
        reported_us: row.get(5)?,
        status: row.get(6)?,
        counts: [count(7)?, count(8)?, count(9)?],
        alerts: count(10)?,
        alert_us: row.get(11)?,
        twins_us: row.get(12)?,
        vitals: row.get(13)?,
        health: row.get(14)?,
    })
}
