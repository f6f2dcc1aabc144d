//! Shifts of officers, and the state that one hands over to the next.

use rusqlite::{OptionalExtension as _, Result, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::changes::{self, ChangeKind};
use super::decisions::{self, Entry};
use super::{Counts, Hole, QueueFilter, Storage, StorageError, StoredEvent, Tab, sql};
use crate::events::{Note, Officer};
use crate::presence::Reported;
use base::event::Severity;
use base::ids::{BoxId, CameraId, WardId};
use base::status::StreamState;
use base::time::WallTime;

/// Maximum number of rows of each table of a hand-over.
const ROWS_MAX: usize = 100;
/// Maximum number of runs of missing numbers that are named of a box.
const RUNS_MAX: usize = 8;

/// A shift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Its number.
    pub number: u64,
    /// The officer.
    pub officer: String,
    /// Its beginning.
    pub begun_at: WallTime,
    /// The officer heard the test sound.
    pub sound_tested: bool,
    /// Its end; `None` while it lasts.
    pub ended_at: Option<WallTime>,
    /// The state that was handed over.
    pub hand_over: Option<HandOver>,
}

/// Result of beginning a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It has begun; its number.
    New(u64),
    /// The officer's shift lasts already; its number.
    Already(u64),
}

/// State that an officer hands over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// Time of the state.
    pub at: WallTime,
    /// The officer's words.
    #[serde(default)]
    pub remark: Note,
    /// Numbers of events: in the queue, parked, on shelves.
    pub counts: [u64; 3],
    /// Events of the queue, at most a hundred.
    pub open: Vec<HandedEvent>,
    /// Parked events, at most a hundred.
    pub parked: Vec<HandedEvent>,
    /// Shelves.
    pub shelves: Vec<HandedShelf>,
    /// Boxes that are offline or silent.
    pub silent: Vec<HandedBox>,
    /// Boxes that are being commissioned: their alerts are not in the queue.
    #[serde(default)]
    pub on_test: Vec<HandedBox>,
    /// Cameras of the other boxes that give no picture.
    pub away: Vec<HandedCamera>,
    /// Number of alerts that are missing.
    pub missing: u64,
    /// The same by box and outbox; empty in a state that an older version stored.
    #[serde(default)]
    pub holes: Vec<HandedHoles>,
}

/// An event that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedEvent {
    /// Its number.
    pub event: u64,
    /// Its severity.
    pub severity: Severity,
    /// Name of the camera's place.
    pub camera: String,
    /// Name of the rule.
    pub rule: String,
    /// The word for its state.
    pub state: String,
    /// The officer of that state.
    pub by: Option<Officer>,
    /// Arrival of its first alert.
    pub first_at: WallTime,
    /// Number of its alerts.
    pub alerts: u64,
}

/// A shelf that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedShelf {
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// The camera; `None` for all.
    pub camera: Option<String>,
    /// The rule; `None` for all.
    pub rule: Option<String>,
    /// The reason.
    pub reason: String,
    /// The person who set it.
    pub who: String,
    /// Its end.
    pub until: WallTime,
    /// Number of its events that are not closed.
    pub events: u64,
}

/// A box that is away or on test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedBox {
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// The word for the report: `here`, `offline` or `silent`.
    pub reported: String,
    /// Time of its last message.
    pub heard_at: Option<WallTime>,
}

/// Alerts of a box that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedHoles {
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// The box counts in another outbox by now: then they will hardly come.
    pub is_former: bool,
    /// Number of the alerts.
    pub alerts: u64,
    /// Their numbers, as first and last of each run; the first eight runs.
    pub runs: Vec<(u64, u64)>,
}

/// A camera that gives no picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedCamera {
    /// The ward.
    pub ward: WardId,
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// The camera.
    pub camera: CameraId,
    /// Reason, in the box's words.
    pub reason: Option<String>,
    /// Since when, on the box's clock.
    pub since: WallTime,
}

impl Storage {
    /// Begins an officer's shift.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn begin_shift(
        &mut self,
        officer: &Officer,
        sound_tested: bool,
        now: WallTime,
    ) -> std::result::Result<Begun, StorageError> {
        let failed = self.failed("begin a shift in");
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let begun = begin(&transaction, officer, sound_tested, now).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(begun)
    }

    /// Ends a shift with the state of this moment. `None` where it has ended, or there is none of this number.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub fn end_shift(
        &mut self,
        shift: u64,
        officer: &Officer,
        remark: &Note,
        now: WallTime,
    ) -> std::result::Result<Option<HandOver>, StorageError> {
        let hand_over = HandOver { remark: remark.clone(), ..self.hand_over(now)? };
        // Texts, numbers and times are JSON.
        let text = serde_json::to_string(&hand_over).unwrap_or_default();
        let failed = self.failed("end a shift in");
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let has_ended = end(&transaction, shift, officer, &text, now).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(has_ended.then_some(hand_over))
    }

    /// One shift; `None` for an unknown number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn shift(&self, number: u64) -> std::result::Result<Option<Shift>, StorageError> {
        let text = "SELECT number, officer, begun_us, sound_tested, ended_us, hand_over FROM shift WHERE number = ?1";
        let read = self.connection.query_row(text, [sql(number)], shift).optional();
        read.map_err(self.failed("read a shift of"))
    }

    /// The last shifts, the newest first; at most `limit`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn shifts(&self, limit: usize) -> std::result::Result<Vec<Shift>, StorageError> {
        let failed = self.failed("read the shifts of");
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT number, officer, begun_us, sound_tested, ended_us, hand_over FROM shift
                 ORDER BY number DESC LIMIT ?1",
            )
            .map_err(&failed)?;
        let rows = select.query_map([sql(limit as u64)], shift);
        rows.and_then(Iterator::collect::<Result<Vec<_>>>).map_err(&failed)
    }

    /// The state that an officer would hand over now.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn hand_over(&self, now: WallTime) -> std::result::Result<HandOver, StorageError> {
        let of = |tab| QueueFilter { tab, camera: None, limit: ROWS_MAX };
        let open = self.queue(&of(Tab::Open))?;
        let Counts { open: queued, parked, shelved, .. } = open.counts;
        let Absent { silent, on_test, away } = self.absent()?;
        let holes = missing(&self.holes()?);
        Ok(HandOver {
            at: now,
            remark: Note::default(),
            counts: [queued, parked, shelved],
            open: open.events.iter().map(handed).collect(),
            parked: self.queue(&of(Tab::Parked))?.events.iter().map(handed).collect(),
            shelves: self.handed_shelves()?,
            silent,
            on_test,
            away,
            missing: holes.iter().map(|of_box| of_box.alerts).sum(),
            holes,
        })
    }

    fn handed_shelves(&self) -> std::result::Result<Vec<HandedShelf>, StorageError> {
        let shelves = self.shelves()?.into_iter().map(|shelf| HandedShelf {
            camera: shelf.scope.covered.camera().map(ToString::to_string),
            rule: shelf.scope.covered.rule().map(ToString::to_string),
            ward: shelf.scope.sender.ward,
            box_id: shelf.scope.sender.box_id,
            reason: shelf.reason,
            who: shelf.who,
            until: shelf.until,
            events: shelf.events,
        });
        Ok(shelves.collect())
    }

    /// Boxes that are away or on test, and cameras of the present ones that give no picture.
    fn absent(&self) -> std::result::Result<Absent, StorageError> {
        let Absent { mut silent, mut on_test, mut away } = Absent::default();
        for known in self.boxes()? {
            let (ward, box_id) = (known.sender.ward, known.sender.box_id);
            if known.status.as_ref().is_some_and(|status| status.on_test) {
                on_test.push(HandedBox {
                    ward: ward.clone(),
                    box_id: box_id.clone(),
                    reported: known.reported.as_str().to_owned(),
                    heard_at: known.heard_at,
                });
            }
            if known.reported != Reported::Here {
                let reported = known.reported.as_str().to_owned();
                silent.push(HandedBox { ward, box_id, reported, heard_at: known.heard_at });
                continue;
            }
            let cameras = known.status.map_or(Vec::new(), |status| status.cameras);
            away.extend(cameras.into_iter().filter(|one| one.state != StreamState::Live).map(|one| {
                HandedCamera {
                    ward: ward.clone(),
                    box_id: box_id.clone(),
                    camera: one.id,
                    reason: one.reason,
                    since: one.since,
                }
            }));
        }
        Ok(Absent { silent, on_test, away })
    }
}

/// Boxes and cameras from which the queue gets nothing.
#[derive(Default)]
struct Absent {
    silent: Vec<HandedBox>,
    on_test: Vec<HandedBox>,
    away: Vec<HandedCamera>,
}

/// The missing numbers by outbox. Those of one follow each other in `holes`.
fn missing(holes: &[Hole]) -> Vec<HandedHoles> {
    let outboxes = holes.chunk_by(|one, next| (&one.sender, one.outbox) == (&next.sender, next.outbox));
    let of_each = outboxes.filter_map(|outbox| {
        let first = outbox.first()?;
        let runs: Vec<(u64, u64)> =
            outbox.iter().filter(|hole| !hole.is_lost).map(|hole| (hole.gap.first, hole.gap.last)).collect();
        Some(HandedHoles {
            ward: first.sender.ward.clone(),
            box_id: first.sender.box_id.clone(),
            is_former: first.is_former,
            alerts: runs.iter().map(|(first, last)| last - first + 1).sum(),
            runs: runs.into_iter().take(RUNS_MAX).collect(),
        })
    });
    of_each.filter(|outbox| outbox.alerts > 0).collect()
}

fn handed(event: &StoredEvent) -> HandedEvent {
    HandedEvent {
        event: event.number,
        severity: event.severity,
        camera: event.names.camera.clone(),
        rule: event.names.rule.clone(),
        state: event.state.as_str().to_owned(),
        by: event.state.by().cloned(),
        first_at: event.span.first_at,
        alerts: event.span.alerts,
    }
}

fn shift(row: &Row<'_>) -> Result<Shift> {
    let hand_over: Option<String> = row.get(5)?;
    Ok(Shift {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        officer: row.get(1)?,
        begun_at: WallTime::from_micros(row.get(2)?),
        sound_tested: row.get(3)?,
        ended_at: row.get::<_, Option<i64>>(4)?.map(WallTime::from_micros),
        // One that does not read was written by another version.
        hand_over: hand_over.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

fn begin(
    transaction: &rusqlite::Transaction<'_>,
    officer: &Officer,
    sound_tested: bool,
    now: WallTime,
) -> Result<Begun> {
    let lasting: Option<i64> = transaction
        .query_row(
            "SELECT number FROM shift WHERE ended_us IS NULL AND officer = ?1",
            [officer.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(shift) = lasting {
        return Ok(Begun::Already(shift.unsigned_abs()));
    }
    transaction.execute(
        "INSERT INTO shift (officer, begun_us, sound_tested) VALUES (?1, ?2, ?3)",
        params![officer.as_str(), now.as_micros(), sound_tested],
    )?;
    let shift = transaction.last_insert_rowid().unsigned_abs();
    let detail = json!({ "shift": shift, "sound_tested": sound_tested });
    log(transaction, officer, "begin-shift", &detail, now)?;
    Ok(Begun::New(shift))
}

/// Returns false where the shift has ended, or there is none.
fn end(
    transaction: &rusqlite::Transaction<'_>,
    shift: u64,
    officer: &Officer,
    hand_over: &str,
    now: WallTime,
) -> Result<bool> {
    let ended = transaction.execute(
        "UPDATE shift SET ended_us = max(begun_us, ?2), hand_over = ?3 WHERE number = ?1 AND ended_us IS NULL",
        params![sql(shift), now.as_micros(), hand_over],
    )?;
    if ended > 0 {
        log(transaction, officer, "end-shift", &json!({ "shift": shift }), now)?;
    }
    Ok(ended > 0)
}

fn log(
    transaction: &rusqlite::Transaction<'_>,
    officer: &Officer,
    action: &str,
    detail: &serde_json::Value,
    at: WallTime,
) -> Result<()> {
    let who = Some(officer.as_str());
    decisions::append(transaction, &Entry { at, who, event: None, action, detail })?;
    changes::put(transaction, ChangeKind::Shifts, None, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrival::Content;
    use crate::events::{Action, Authority, Covered, ShelfScope};
    use crate::storage::testing::{after, later, officer, sender, status};
    use crate::storage::{Batch, NewShelf, Notice, NoticeKind};
    use base::ack::Gap;
    use base::ids::OutboxId;
    use base::status::CameraStatus;

    #[test]
    fn missing_alerts_are_named_by_box_and_outbox() {
        let outbox = OutboxId::random();
        let hole = |box_id: &str, (first, last), is_lost| Hole {
            sender: sender(box_id),
            outbox,
            is_former: box_id == "box-2",
            is_lost,
            gap: Gap { first, last },
        };
        let mut holes = vec![hole("box-1", (4, 5), false), hole("box-1", (9, 9), true)];
        assert_eq!(missing(&holes[1..]), [], "lost ones will not come");
        holes.extend((1..=10).map(|number| hole("box-2", (10 * number, 10 * number + 1), false)));
        let found = missing(&holes);
        let short = found.iter().map(|one| (one.box_id.as_str(), one.alerts, one.runs.len(), one.is_former));
        assert_eq!(short.collect::<Vec<_>>(), [("box-1", 2, 1, false), ("box-2", 20, RUNS_MAX, true)]);
        assert_eq!(found[0].runs, [(4, 5)]);
    }

    /// A state that an older version stored has no holes by box.
    #[test]
    fn older_states_still_read() {
        let old = r#"{"at":"2026-05-01T22:14:04.000Z","counts":[0,0,0],"open":[],"parked":[],"shelves":[],"silent":[],
            "away":[],"missing":3}"#;
        let state: HandOver = serde_json::from_str(old).unwrap();
        assert_eq!((state.missing, state.holes.len()), (3, 0));
    }

    #[test]
    fn a_shift_begins_once_and_hands_over_the_state_at_its_end() {
        let place = tempfile::tempdir().unwrap();
        let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        let an: Officer = "An".parse().unwrap();
        let begun = storage.begin_shift(&an, true, after(0)).unwrap();
        let Begun::New(shift) = begun else { panic!("{begun:?}") };
        assert_eq!(storage.begin_shift(&an, true, after(1)).unwrap(), Begun::Already(shift));

        let mut here = status("box-1", None);
        let Content::Status(told) = &mut here.content else { panic!("no status") };
        told.on_test = true;
        told.cameras = [("gate", StreamState::Live), ("yard", StreamState::BackingOff)]
            .map(|(id, state)| CameraStatus {
                id: id.parse().unwrap(),
                state,
                reason: Some("no route to host".into()),
                since: after(0),
                notes: Vec::new(),
                input: None,
            })
            .into();
        let silent = NoticeKind::Box(sender("box-2"), Reported::Silent);
        let mut arrivals: Vec<_> = ["a", "b", "c"].map(|camera| later(camera, "night", 0)).into();
        // Its alerts of before stay in the queue.
        arrivals.extend([here, status("box-2", None)]);
        let notices = vec![Notice { at: after(2), kind: silent, detail: None }];
        storage.take(&Batch { arrivals, notices, ..Batch::default() }).unwrap();
        let (taken, parked) = (1, 2);
        storage.take_over(taken, &officer("An"), after(3)).unwrap();
        storage.decide(parked, &Action::Park { until: after(900) }, &officer("An"), after(3)).unwrap();
        let scope = ShelfScope { sender: sender("box-1"), covered: Covered::Camera("c".parse().unwrap()) };
        let shelf = NewShelf { scope, reason: "sửa đường".parse().unwrap(), until: after(900) };
        storage.shelve(&shelf, &an, Authority::Officer, after(4)).unwrap().unwrap();

        let remark = "xe tải đỗ trước cổng".parse().unwrap();
        let handed = storage.end_shift(shift, &an, &remark, after(10)).unwrap().unwrap();
        assert_eq!((handed.counts, handed.remark.as_str()), ([1, 1, 1], "xe tải đỗ trước cổng"));
        assert_eq!((handed.open[0].event, &handed.open[0].by), (taken, &Some(an.clone())));
        assert_eq!((handed.parked[0].event, handed.parked[0].state.as_str()), (parked, "parked"));
        assert_eq!((handed.shelves[0].camera.as_deref(), handed.shelves[0].events), (Some("c"), 1));
        assert_eq!(
            (handed.silent[0].box_id.as_str(), handed.silent[0].reported.as_str()),
            ("box-2", "silent")
        );
        assert_eq!((handed.on_test.len(), handed.on_test[0].box_id.as_str()), (1, "box-1"));
        assert_eq!((handed.away.len(), handed.away[0].camera.as_str()), (1, "yard"));

        assert_eq!(storage.end_shift(shift, &an, &Note::default(), after(11)).unwrap(), None);
        let shifts = storage.shifts(10).unwrap();
        assert_eq!(
            (storage.shift(shift).unwrap().as_ref(), storage.shift(99).unwrap()),
            (shifts.first(), None)
        );
        assert_eq!((shifts.len(), shifts[0].ended_at, shifts[0].sound_tested), (1, Some(after(10)), true));
        assert_eq!(shifts[0].hand_over, Some(handed));
        assert_eq!(storage.shift(shift).unwrap().as_ref(), Some(&shifts[0]));
        assert_eq!(storage.shift(99).unwrap(), None);
        let Begun::New(second) = storage.begin_shift(&an, false, after(12)).unwrap() else {
            panic!("not new")
        };
        assert_eq!(storage.shifts(1).unwrap()[0].number, second);
    }
}
