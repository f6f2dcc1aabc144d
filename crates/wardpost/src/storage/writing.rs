//! Arrivals into the database: one batch, one transaction.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior, params};
use serde_json::Value;

use super::runs::Runs;
use super::{
    Storage, StorageError, access_log, accesses, chain, events, health, intake, lost, runs, sql, stills,
};
use crate::arrival::{Arrival, ArrivedAlert, Content, Refused, Sender};
use crate::events::Grouping;
use crate::health::Standing;
use crate::presence::Reported;
use base::ack::{Ack, Gap};
use base::alert::{Alert, NOT_KEPT, Thumbnail};
use base::ids::{OutboxId, WardId};
use base::status::Status;
use base::time::WallTime;

/// Maximum number of refused messages in the database, the newest.
pub const REFUSED_MAX: i64 = 1000;
/// The word for [`NoticeKind::Twins`] in the database.
pub(super) const TWINS: &str = "twins";
/// Maximum number of removed rows in one transaction, so that arrivals never wait long.
const EXPIRED_MAX: i64 = 500;

/// Description of a conflict over a number.
const NUMBER_TAKEN: &str = "another message has its number";

/// Maximum number of runs that are taken over from a box's former name with one message.
const FORMER_RUNS_MAX: usize = 256;

/// Content of one transaction.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Messages in the order of their arrival.
    pub arrivals: Vec<Arrival>,
    /// Notices of the post itself.
    pub notices: Vec<Notice>,
    /// Boxes whose troubles have changed, with all their troubles.
    pub health: Vec<(Sender, Vec<Standing>)>,
}

impl Batch {
    /// True for a batch without content.
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty() && self.notices.is_empty() && self.health.is_empty()
    }
}

/// A message for people beside the alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Time at which it was found.
    pub at: WallTime,
    /// Its kind.
    pub kind: NoticeKind,
    /// Reason, where it is known: English text; of troubles, JSON.
    pub detail: Option<String>,
}

/// Kind of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// A box is gone, or back.
    Box(Sender, Reported),
    /// Two boxes use one name.
    Twins(Sender),
    /// A box has troubles that it did not have.
    Trouble(Sender),
    /// It has them no more.
    Well(Sender),
    /// A box's access log became shorter, or other at the same length.
    AccessLog(Sender),
    /// The post's disk has too little room: no alert is taken.
    RoomLost,
    /// It has enough again.
    RoomBack,
    /// The post has lost the broker: nothing arrives.
    LinkLost,
    /// It is connected again.
    LinkBack,
}

/// Result of a batch; all of it is on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Alerts that were new.
    pub stored: u64,
    /// Alerts that were there already.
    pub duplicates: u64,
    /// Alerts whose number another message has, or that differ from the stored ones.
    pub conflicts: u64,
    /// Acknowledgements for the boxes, one of each box; the box with the latest message is last.
    pub acks: Vec<(WardId, Ack)>,
}

impl Storage {
    /// Takes all of a batch, or nothing of it. When this returns, it is on the disk.
    ///
    /// # Errors
    /// The disk is full or fails, or the database is damaged: the same batch can be given again.
    pub fn take(&mut self, batch: &Batch) -> std::result::Result<Taken, StorageError> {
        let failed = self.failed("store what arrived in");
        take(&mut self.connection, batch, &self.grouping).map_err(failed)
    }

    /// Acknowledgements for all boxes, as they are on the disk.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn acks(&self) -> std::result::Result<Vec<(WardId, Ack)>, StorageError> {
        let mut acks = Vec::new();
        for known in self.boxes()? {
            if let Some(outbox) = known.outbox {
                let ack = runs::ack(&self.connection, &known.sender, outbox);
                acks.push((known.sender.ward.clone(), ack.map_err(self.failed("read"))?));
            }
        }
        Ok(acks)
    }

    /// Removes alerts with their thumbnails and notices that are older than `keep` at `now`, and accesses that are older than
    /// that and than two years. The stored numbers stay. Returns true where there is more to remove.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn expire(&mut self, now: WallTime, keep: Duration) -> std::result::Result<bool, StorageError> {
        let failed = self.failed("remove old alerts from");
        expire(&mut self.connection, now, keep).map_err(failed)
    }
}

fn take(connection: &mut Connection, batch: &Batch, grouping: &Grouping) -> Result<Taken> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut taken = Taken::default();
    let mut touched: Vec<(Sender, OutboxId)> = Vec::new();
    let mut conflicts: Vec<(&Sender, OutboxId, u64)> = Vec::new();
    for arrival in &batch.arrivals {
        if let Content::Refused(refused) = &arrival.content {
            refuse(&transaction, arrival.sender.as_ref(), refused, arrival.at)?;
            continue;
        }
        let Some(sender) = &arrival.sender else { continue };
        hear(&transaction, sender, arrival)?;
        match &arrival.content {
            Content::Alert(arrived) => {
                let is_sound = take_alert(&transaction, sender, arrived, arrival.at, &mut taken, grouping)?;
                if !is_sound {
                    conflicts.push((sender, arrived.alert.outbox, arrived.alert.seq));
                }
                if arrived.alert.seq != NOT_KEPT || asks_for_an_answer(&arrived.alert) {
                    touched.retain(|(other, _)| other != sender);
                    touched.push((sender.clone(), arrived.alert.outbox));
                }
            }
            Content::Still(still) => stills::put(&transaction, sender, still, arrival.at)?,
            Content::Status(status) => {
                put_status(&transaction, sender, status)?;
                if let Some(outbox) = &status.outbox
                    && lost::abandon(&transaction, sender, outbox, arrival.at)?
                {
                    touched.retain(|(other, _)| other != sender);
                    touched.push((sender.clone(), outbox.id));
                    chain::extend(&transaction)?;
                }
            }
            Content::Vitals(vitals) => {
                let access_log = vitals.access_log.as_ref();
                let detail = access_log.map(|now| access_log::note(&transaction, sender, now, arrival.at));
                if let Some(detail) = detail.transpose()?.flatten() {
                    tracing::warn!("{sender}: its access log was cut or changed: {detail}");
                    let kind = NoticeKind::AccessLog(sender.clone());
                    put_notice(&transaction, &Notice { at: arrival.at, kind, detail: Some(detail) })?;
                }
                health::put_vitals(&transaction, sender, vitals, arrival.at)?;
            }
            Content::Refused(_) => {}
        }
    }
    for (sender, standing) in &batch.health {
        health::put_health(&transaction, sender, standing)?;
    }
    for notice in &batch.notices {
        put_notice(&transaction, notice)?;
    }
    for (sender, outbox) in touched {
        let mut ack = runs::ack(&transaction, &sender, outbox)?;
        let of_outbox = |(other, id, _): &&(&Sender, OutboxId, u64)| **other == sender && *id == outbox;
        ack.conflict = conflicts.iter().find(of_outbox).map(|(_, _, seq)| *seq);
        transaction
            .prepare_cached("UPDATE box SET outbox = ?3 WHERE ward = ?1 AND id = ?2")?
            .execute(params![sender.ward.as_str(), sender.box_id.as_str(), outbox.to_string()])?;
        taken.acks.push((sender.ward, ack));
    }
    transaction.commit()?;
    Ok(taken)
}

/// True for a preview in a reduced form: the box asks for the stored numbers, since it has heard nothing of larger messages.
fn asks_for_an_answer(alert: &Alert) -> bool {
    alert.details_withheld.is_some() && alert.outbox != OutboxId::default()
}

/// Stored state of a message that comes again.
struct Present {
    number: i64,
    seq: i64,
    outbox: String,
    message: String,
    has_thumbnail: bool,
}

impl Present {
    /// True where the message that came has the outbox and the number of the stored one.
    fn has_place(&self, arrived: &ArrivedAlert) -> bool {
        self.seq == sql(arrived.alert.seq) && self.outbox == arrived.alert.outbox.to_string()
    }
}

/// Takes an alert. Returns `false` where another message has its number: the box's store has gone back.
fn take_alert(
    transaction: &Transaction<'_>,
    sender: &Sender,
    arrived: &ArrivedAlert,
    at: WallTime,
    taken: &mut Taken,
    grouping: &Grouping,
) -> Result<bool> {
    let alert = &arrived.alert;
    let is_numbered = alert.seq != NOT_KEPT;
    let (covered, lost) = (Runs::covered(sender, alert.outbox), Runs::lost(sender, alert.outbox));
    if let Some(former) = arrived.former() {
        take_over_numbers(transaction, &former, sender, alert.outbox)?;
    }
    let is_lost = is_numbered && lost.contains(transaction, alert.seq)?;
    let is_taken = is_numbered && !is_lost && covered.contains(transaction, alert.seq)?;
    let (mut conflict, mut is_sound) = (None, true);
    match present_under_any_name(transaction, sender, arrived)? {
        None => {
            let number = insert(transaction, sender, arrived, at)?;
            intake::put(transaction, &intake_of(number, sender, arrived, at), grouping)?;
            taken.stored += 1;
            if is_taken {
                (conflict, is_sound) = (Some(NUMBER_TAKEN), false);
            }
        }
        Some(present) => {
            let is_same = take_again(transaction, sender, arrived, &present, at, taken)?;
            if !is_same {
                conflict =
                    Some("it says something else than the message of the same id and phase that is stored");
            } else if is_taken && !present.has_place(arrived) {
                (conflict, is_sound) = (Some(NUMBER_TAKEN), false);
            }
        }
    }
    if let Some(why) = conflict {
        tracing::warn!(
            "{sender}: alert {} ({}), number {}: {why}; both are kept",
            alert.id,
            alert.phase.as_str(),
            alert.seq
        );
        taken.conflicts += 1;
        count(transaction, sender, "conflicts")?;
    }
    if is_numbered {
        covered.add(transaction, Gap { first: alert.seq, last: alert.seq })?;
        if is_lost {
            lost.remove(transaction, alert.seq)?;
        }
    }
    Ok(is_sound)
}

/// Takes a message that is stored already: adds its number and its thumbnail where they were missing, and counts a repeat.
/// `false` where it says something else than the stored one; it is then kept beside that.
fn take_again(
    transaction: &Transaction<'_>,
    sender: &Sender,
    arrived: &ArrivedAlert,
    present: &Present,
    at: WallTime,
    taken: &mut Taken,
) -> Result<bool> {
    let alert = &arrived.alert;
    let (outbox, is_numbered) = (alert.outbox.to_string(), alert.seq != NOT_KEPT);
    if is_numbered && !present.has_place(arrived) && (present.seq == 0 || present.outbox != outbox) {
        // Sent before it was stored, or sent again from a rebuilt store.
        transaction
            .prepare_cached("UPDATE alert SET outbox = ?2, seq = ?3 WHERE number = ?1")?
            .execute(params![present.number, outbox, sql(alert.seq)])?;
    }
    let late_thumbnail = alert.thumbnail.as_ref().filter(|_| !present.has_thumbnail);
    if let Some(thumbnail) = late_thumbnail {
        add_thumbnail(transaction, present.number, thumbnail, at)?;
        intake::told(transaction, &intake_of(present.number, sender, arrived, at))?;
    }
    let is_same = says_the_same(&present.message, &arrived.message);
    if is_same && replaces(&present.message, &arrived.message) {
        transaction
            .prepare_cached("UPDATE alert SET message = ?2 WHERE number = ?1")?
            .execute(params![present.number, arrived.message.to_string()])?;
    }
    let brings_its_number = is_numbered && present.seq == 0;
    if !brings_its_number && late_thumbnail.is_none() {
        taken.duplicates += 1;
        transaction
            .prepare_cached("UPDATE alert SET repeats = repeats + 1 WHERE number = ?1")?
            .execute([present.number])?;
        count(transaction, sender, "duplicates")?;
    }
    if !is_same {
        keep_other(transaction, sender, arrived, at)?;
    }
    Ok(is_same)
}

fn intake_of<'a>(
    number: i64,
    sender: &'a Sender,
    arrived: &'a ArrivedAlert,
    at: WallTime,
) -> intake::Stored<'a> {
    intake::Stored { number, sender, former: arrived.former(), alert: &arrived.alert, at }
}

/// Numbers that arrived, or were declared lost, under the box's former name are no holes under the present one.
fn take_over_numbers(
    transaction: &Transaction<'_>,
    former: &Sender,
    sender: &Sender,
    outbox: OutboxId,
) -> Result<()> {
    let lost = Runs::lost(former, outbox).list(transaction, FORMER_RUNS_MAX)?;
    for (first, last) in Runs::covered(former, outbox).list(transaction, FORMER_RUNS_MAX)? {
        for new in Runs::covered(sender, outbox).add(transaction, Gap { first, last })? {
            for (first, last) in &lost {
                let part = Gap { first: new.first.max(*first), last: new.last.min(*last) };
                if part.first <= part.last {
                    Runs::lost(sender, outbox).add(transaction, part)?;
                }
            }
        }
    }
    Ok(())
}

/// The stored message, also where it arrived under the box's former name.
fn present_under_any_name(
    transaction: &Transaction<'_>,
    sender: &Sender,
    arrived: &ArrivedAlert,
) -> Result<Option<Present>> {
    let found = present(transaction, sender, arrived)?;
    match arrived.former() {
        Some(former) if found.is_none() => present(transaction, &former, arrived),
        _ => Ok(found),
    }
}

fn present(
    transaction: &Transaction<'_>,
    sender: &Sender,
    arrived: &ArrivedAlert,
) -> Result<Option<Present>> {
    let alert = &arrived.alert;
    let mut select = transaction.prepare_cached(
        "SELECT number, seq, outbox, message, EXISTS (SELECT 1 FROM thumbnail t WHERE t.alert = a.number)
         FROM alert a WHERE id = ?1 AND phase = ?2 AND ward = ?3 AND box = ?4",
    )?;
    let of =
        params![alert.id.to_string(), alert.phase.as_str(), sender.ward.as_str(), sender.box_id.as_str()];
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Present {
            number: row.get(0)?,
            seq: row.get(1)?,
            outbox: row.get(2)?,
            message: row.get(3)?,
            has_thumbnail: row.get(4)?,
        })
    };
    select.query_row(of, row).optional()
}

fn insert(
    transaction: &Transaction<'_>,
    sender: &Sender,
    arrived: &ArrivedAlert,
    at: WallTime,
) -> Result<i64> {
    let alert = &arrived.alert;
    transaction
        .prepare_cached(
            "INSERT INTO alert (ward, box, id, phase, outbox, seq, camera, severity, received_us, message)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            sender.ward.as_str(),
            sender.box_id.as_str(),
            alert.id.to_string(),
            alert.phase.as_str(),
            alert.outbox.to_string(),
            sql(alert.seq),
            alert.camera.id.as_str(),
            alert.severity.as_str(),
            at.as_micros(),
            arrived.message.to_string(),
        ])?;
    let number = transaction.last_insert_rowid();
    if let Some(thumbnail) = &alert.thumbnail {
        put_thumbnail(transaction, number, thumbnail)?;
    }
    Ok(number)
}

/// Adds the thumbnail to an alert that came without one.
fn add_thumbnail(
    transaction: &Transaction<'_>,
    number: i64,
    thumbnail: &Thumbnail,
    at: WallTime,
) -> Result<()> {
    put_thumbnail(transaction, number, thumbnail)?;
    transaction
        .prepare_cached("INSERT INTO late_thumbnail (at_us, alert) VALUES (?1, ?2)")?
        .execute([at.as_micros(), number])?;
    Ok(())
}

fn put_thumbnail(transaction: &Transaction<'_>, number: i64, thumbnail: &Thumbnail) -> Result<()> {
    transaction
        .prepare_cached("INSERT INTO thumbnail (alert, jpeg) VALUES (?1, ?2)")?
        .execute(params![number, thumbnail.0])?;
    Ok(())
}

/// True where the messages are equal but for their number, the box's name, and parts that were left out of one of them.
fn says_the_same(stored: &str, arrived: &Value) -> bool {
    let Ok(stored) = serde_json::from_str::<Value>(stored) else { return false };
    let is_reduced = [&stored, arrived].into_iter().any(is_reduced);
    common_part(stored, is_reduced) == common_part(arrived.clone(), is_reduced)
}

/// The fields that a message has in each form and at each time it is sent.
fn common_part(mut message: Value, is_reduced: bool) -> Value {
    let remove = |value: Option<&mut Value>, keys: &[&str]| {
        if let Some(fields) = value.and_then(Value::as_object_mut) {
            keys.iter().for_each(|key| drop(fields.remove(*key)));
        }
    };
    // The reason of the missing parts may come later, where the picture was in flight before.
    let keys = ["seq", "outbox", "ward", "box", "former", "thumbnail_withheld", "details_withheld"];
    remove(Some(&mut message), &keys);
    if is_reduced {
        remove(Some(&mut message), &["subjects", "reason"]);
        remove(message.get_mut("camera"), &["lat", "lon", "heading"]);
        remove(message.get_mut("model"), &["sha256"]);
        remove(message.get_mut("clip"), &["sha256"]);
    }
    message
}

fn is_reduced(message: &Value) -> bool {
    message.get("details_withheld").is_some()
}

/// True where a message that says the same as the stored one tells more than it.
fn replaces(stored: &str, arrived: &Value) -> bool {
    let is_stored_reduced = serde_json::from_str(stored).is_ok_and(|stored| is_reduced(&stored));
    if is_reduced(arrived) {
        return is_stored_reduced && arrived.to_string().len() > stored.len();
    }
    is_stored_reduced || arrived.get("thumbnail_withheld").is_some()
}

/// Stores a differing message as refused. The first message of an id and phase is the alert.
fn keep_other(
    transaction: &Transaction<'_>,
    sender: &Sender,
    arrived: &ArrivedAlert,
    at: WallTime,
) -> Result<()> {
    let payload = arrived.message.to_string().into_bytes();
    let other = Refused {
        topic: format!("wardwatch/v1/{sender}/alert"),
        why: "differs from the stored message of the same id and phase".to_owned(),
        bytes: payload.len(),
        payload,
    };
    put_refused(transaction, &other, at)
}

/// Records the box, and the time of its message.
fn hear(transaction: &Transaction<'_>, sender: &Sender, arrival: &Arrival) -> Result<()> {
    let heard_us = (!arrival.retained).then_some(arrival.at.as_micros());
    transaction
        .prepare_cached(
            "INSERT INTO box (ward, id, heard_us) VALUES (?1, ?2, ?3)
             ON CONFLICT (ward, id) DO UPDATE SET heard_us = coalesce(excluded.heard_us, heard_us)",
        )?
        .execute(params![sender.ward.as_str(), sender.box_id.as_str(), heard_us])?;
    Ok(())
}

fn put_status(transaction: &Transaction<'_>, sender: &Sender, status: &Status) -> Result<()> {
    let text = serde_json::to_string(status).unwrap_or_default();
    transaction
        .prepare_cached("UPDATE box SET status = ?3, on_test = ?4 WHERE ward = ?1 AND id = ?2")?
        .execute(params![sender.ward.as_str(), sender.box_id.as_str(), text, status.on_test])?;
    Ok(())
}

fn count(transaction: &Transaction<'_>, sender: &Sender, column: &'static str) -> Result<()> {
    transaction
        .prepare_cached(&format!("UPDATE box SET {column} = {column} + 1 WHERE ward = ?1 AND id = ?2"))?
        .execute(params![sender.ward.as_str(), sender.box_id.as_str()])?;
    Ok(())
}

fn put_notice(transaction: &Transaction<'_>, notice: &Notice) -> Result<()> {
    let (kind, sender) = match &notice.kind {
        NoticeKind::Box(sender, reported) => (reported.as_str(), Some(sender)),
        NoticeKind::Twins(sender) => (TWINS, Some(sender)),
        NoticeKind::Trouble(sender) => ("trouble", Some(sender)),
        NoticeKind::Well(sender) => ("well", Some(sender)),
        NoticeKind::AccessLog(sender) => ("access-log", Some(sender)),
        NoticeKind::RoomLost => ("room-lost", None),
        NoticeKind::RoomBack => ("room-back", None),
        NoticeKind::LinkLost => ("link-lost", None),
        NoticeKind::LinkBack => ("link-back", None),
    };
    let at_us = notice.at.as_micros();
    let (ward, id) = (sender.map(|sender| sender.ward.as_str()), sender.map(|sender| sender.box_id.as_str()));
    transaction
        .prepare_cached("INSERT INTO notice (at_us, kind, ward, box, detail) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![at_us, kind, ward, id, notice.detail])?;
    if let NoticeKind::Box(..) = notice.kind {
        transaction
            .prepare_cached("UPDATE box SET reported = ?3, reported_us = ?4 WHERE ward = ?1 AND id = ?2")?
            .execute(params![ward, id, kind, at_us])?;
    }
    Ok(())
}

fn refuse(
    transaction: &Transaction<'_>,
    sender: Option<&Sender>,
    refused: &Refused,
    at: WallTime,
) -> Result<()> {
    if let Some(sender) = sender {
        count(transaction, sender, "refused")?;
    }
    put_refused(transaction, refused, at)
}

fn put_refused(transaction: &Transaction<'_>, refused: &Refused, at: WallTime) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO refused (at_us, topic, why, bytes, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            at.as_micros(),
            refused.topic,
            refused.why,
            sql(refused.bytes as u64),
            refused.payload
        ])?;
    transaction
        .prepare_cached("DELETE FROM refused WHERE number <= ?1")?
        .execute([transaction.last_insert_rowid() - REFUSED_MAX])?;
    Ok(())
}

fn expire(connection: &mut Connection, now: WallTime, keep: Duration) -> Result<bool> {
    let before = now - keep;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let removed = transaction.execute(
        "DELETE FROM alert WHERE number IN
         (SELECT number FROM alert WHERE received_us < ?1 ORDER BY received_us LIMIT ?2)",
        [before.as_micros(), EXPIRED_MAX],
    )?;
    transaction.execute("DELETE FROM notice WHERE at_us < ?1", [before.as_micros()])?;
    health::expire(&transaction, now)?;
    stills::expire(&transaction, before)?;
    events::expire(&transaction, now - keep.max(chain::LOOKS_KEPT))?;
    accesses::expire(&transaction, now, keep)?;
    transaction.commit()?;
    Ok(removed as i64 == EXPIRED_MAX)
}

#[cfg(test)]
mod tests;
