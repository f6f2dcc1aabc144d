//! The demonstration of the duty officers' page: a drawn ward in a temporary database, with a week of history, a shift, shelves, a map, and
//! new alerts. It needs no broker and no box, and [`crate::cli`] runs it. The page says on every sheet that it is one.

mod alerts;
mod picture;

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::events::{Action, Authority, Covered, InvalidText, Note, Officer, Outcome, ShelfScope, Who};
use crate::page::plan_of;
use crate::presence::Reported;
use crate::storage::{
    Batch, Begun, By, DutyRules, NewShelf, Notice, NoticeKind, QueueFilter, Spot, Storage, StorageError, Tab,
};
use alerts::{Alerts, BOXES, CAMERAS, Case};
use base::time::WallTime;

/// Days of history.
const DAYS: u64 = 7;
/// Officers of the shifts before, in turn.
const OFFICERS: [&str; 3] = ["minh", "huong", "tuan"];
/// Open events above which a drawn colleague deals with the oldest one.
const OPEN_MAX: usize = 9;
const HOUR: u64 = 3600;

/// Reason for which the demonstration does not go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The database cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A drawn name or text is not accepted.
    #[error("a text of the demonstration is not accepted: {0}")]
    Text(#[from] InvalidText),
    /// A drawn id or picture is not accepted.
    #[error("{0} of the demonstration is not accepted")]
    Drawn(&'static str),
}

/// The drawn ward.
pub struct Demo {
    storage: Storage,
    alerts: Alerts,
    /// The source of the last new alert, from which further ones come.
    last: Option<Case>,
}

impl Demo {
    /// Fills an empty database with the ward of `seed` up to `now`.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn fill(storage: Storage, seed: u64, timezone: TimeZone, now: WallTime) -> Result<Self, DemoError> {
        let mut demo = Self { storage, alerts: Alerts::new(seed, timezone), last: None };
        let begin = now - Duration::from_secs(DAYS * 24 * HOUR);
        let statuses = (0..BOXES.len()).map(|number| demo.alerts.status(number, begin)).collect();
        demo.take(Batch { arrivals: statuses, ..Batch::default() })?;
        demo.map(begin)?;
        demo.history(begin, now)?;
        demo.present(now)?;
        demo.storage.note_end()?;
        Ok(demo)
    }

    /// A new alert. Most come from the source of the one before; a colleague deals with what waits for long.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn next(&mut self, now: WallTime) -> Result<(), DemoError> {
        let again = self.last.filter(|_| self.alerts.below(10) < 6);
        let case = again.unwrap_or_else(|| self.alerts.case());
        self.last = Some(case);
        let arrival = self.alerts.alert(case, now);
        self.take(Batch { arrivals: vec![arrival], ..Batch::default() })?;
        let open = self.storage.queue(&QueueFilter { tab: Tab::Open, camera: None, limit: 100 })?.events;
        let waiting = open.iter().filter(|event| event.state.by().is_none());
        let oldest = waiting.min_by_key(|event| event.span.first_at).map(|event| event.number);
        if let Some(oldest) = oldest.filter(|_| open.len() > OPEN_MAX) {
            self.deal_with(oldest, case, OFFICERS[0], now, now)?;
        }
        Ok(())
    }

    fn take(&mut self, batch: Batch) -> Result<(), DemoError> {
        self.storage.take(&batch)?;
        Ok(())
    }

    /// The plan, and the cameras on it; one waits for its place.
    fn map(&mut self, at: WallTime) -> Result<(), DemoError> {
        let by = By { who: "demo", at };
        let plan = plan_of(&picture::plan()).ok_or(DemoError::Drawn("the plan"))?;
        self.storage.set_plan(&plan, by)?;
        for (number, (id, name, [x, y])) in CAMERAS.iter().enumerate().take(CAMERAS.len() - 1) {
            let spot = Spot::new(f64::from(*x) / 1000.0, f64::from(*y) / 1000.0);
            let of = alerts::sender(number).zip(id.parse().ok()).ok_or(DemoError::Drawn("a camera"))?;
            self.storage.place_camera(&of, name, spot.ok_or(DemoError::Drawn("a place"))?, by)?;
        }
        Ok(())
    }

    /// Shifts of eight hours and their events, all of which are closed. One evening was a flood.
    fn history(&mut self, begin: WallTime, now: WallTime) -> Result<(), DemoError> {
        let shifts = DAYS * 3;
        for number in 0..shifts {
            let from = begin + Duration::from_secs(number * 8 * HOUR);
            let officer = OFFICERS[(number % 3) as usize];
            let name: Officer = officer.parse()?;
            let begun = self.storage.begin_shift(&name, true, from)?;
            for hour in 0..8 {
                let at = from + Duration::from_secs(hour * HOUR);
                if (number, hour) == (11, 3) {
                    self.flood(at, officer)?;
                }
                for _ in 0..self.busy(at) {
                    let at = at + Duration::from_secs(self.alerts.below(3500));
                    // The last minutes are those of the queue.
                    if now.since(at) > Duration::from_secs(1800) {
                        self.closed_event(at, officer)?;
                    }
                }
            }
            if let Begun::New(shift) = begun {
                let remark: Note = "Không có gì đặc biệt.".parse()?;
                let to = from + Duration::from_secs(8 * HOUR);
                if number + 1 < shifts {
                    self.storage.end_shift(shift, &name, &remark, to)?;
                }
            }
        }
        Ok(())
    }

    /// Number of events of an hour: evenings and nights have most.
    fn busy(&mut self, at: WallTime) -> u64 {
        let most = match self.alerts.hour(at) {
            1..=5 => 2,
            18..=23 => 5,
            _ => 3,
        };
        self.alerts.below(most)
    }

    fn closed_event(&mut self, at: WallTime, officer: &str) -> Result<(), DemoError> {
        let case = self.alerts.case();
        let arrival = self.alerts.alert(case, at);
        self.take(Batch { arrivals: vec![arrival], ..Batch::default() })?;
        let newest = self.newest()?;
        let taken =
            at + Duration::from_secs(5 + self.alerts.below(50) + 150 * u64::from(self.alerts.below(6) == 0));
        let closed = taken + Duration::from_secs(30 + self.alerts.below(400));
        self.deal_with(newest, case, officer, taken, closed)
    }

    /// More events within minutes than one person can judge.
    fn flood(&mut self, at: WallTime, officer: &str) -> Result<(), DemoError> {
        for number in 0..14 {
            self.closed_event(at + Duration::from_secs(35 * number), officer)?;
        }
        let rules = DutyRules::default();
        self.storage.pass(&rules, at + Duration::from_secs(500))?;
        self.storage.pass(&rules, at + Duration::from_secs(1300))?;
        Ok(())
    }

    /// Number of the open event that stands last by its arrival.
    fn newest(&self) -> Result<u64, DemoError> {
        let open = self.storage.queue(&QueueFilter { tab: Tab::Open, camera: None, limit: 1000 })?.events;
        let newest = open.into_iter().max_by_key(|event| event.number).map(|event| event.number);
        newest.ok_or(DemoError::Drawn("an alert"))
    }

    fn deal_with(
        &mut self,
        event: u64,
        case: Case,
        officer: &str,
        taken: WallTime,
        closed: WallTime,
    ) -> Result<(), DemoError> {
        let who = Who::Person(officer.parse()?, Authority::Officer);
        self.storage.take_over(event, &who, taken)?;
        let falsely = if case.is_doubtful() { 7 } else { 2 };
        let outcome = if self.alerts.below(10) < falsely {
            [Outcome::Shadow, Outcome::Light, Outcome::Animal, Outcome::Rain][self.alerts.below(4) as usize]
        } else {
            [Outcome::DealtWith, Outcome::NoAction, Outcome::PatrolSent][self.alerts.below(3) as usize]
        };
        self.storage.decide(event, &Action::Close { outcome, note: Note::default() }, &who, closed)?;
        Ok(())
    }

    /// The queue of this moment: events of each severity, a taken and a parked one, a shelf, a box on test and a silent one.
    fn present(&mut self, now: WallTime) -> Result<(), DemoError> {
        let ago = |seconds| now - Duration::from_secs(seconds);
        let minh = Who::Person(OFFICERS[0].parse()?, Authority::Commander);
        self.open(Case { camera: 6, rule: 0 }, ago(1500))?;
        let until = now + Duration::from_secs(HOUR);
        self.decide(&Action::Park { until }, &minh, ago(1400))?;
        self.open(Case { camera: 4, rule: 3 }, ago(240))?;
        self.decide(&Action::Take, &minh, ago(200))?;
        self.open(Case { camera: 0, rule: 0 }, ago(75))?;
        self.open(Case { camera: 3, rule: 2 }, ago(60))?;
        self.open(Case { camera: 1, rule: 1 }, ago(20))?;
        self.open(Case { camera: 7, rule: 4 }, ago(50))?;
        let camera = CAMERAS[5].0.parse().map_err(|_| DemoError::Drawn("a camera"))?;
        let sender = alerts::sender(5).ok_or(DemoError::Drawn("a box"))?;
        let scope = ShelfScope { sender, covered: Covered::Camera(camera) };
        let reason = "cành cây che camera, chờ cắt tỉa".parse()?;
        let shelf = NewShelf { scope, reason, until: now + Duration::from_secs(4 * HOUR) };
        // Nothing covers this camera yet, and the time is within bounds.
        let _ = self.storage.shelve(&shelf, &OFFICERS[0].parse()?, Authority::Commander, ago(600))?;
        self.open(Case { camera: 5, rule: 4 }, ago(300))?;
        let silent = alerts::sender(9).ok_or(DemoError::Drawn("a box"))?;
        let kind = NoticeKind::Box(silent, Reported::Silent);
        self.take(Batch { notices: vec![Notice { at: ago(900), kind, detail: None }], ..Batch::default() })
    }

    fn open(&mut self, case: Case, at: WallTime) -> Result<(), DemoError> {
        let arrival = self.alerts.alert(case, at);
        self.take(Batch { arrivals: vec![arrival], ..Batch::default() })
    }

    fn decide(&mut self, action: &Action, who: &Who, at: WallTime) -> Result<(), DemoError> {
        let newest = self.newest()?;
        self.storage.decide(newest, action, who, at)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Figures, Period, Targets};
    use base::event::Severity;

    fn filled(seed: u64) -> (tempfile::TempDir, Demo, WallTime) {
        let place = tempfile::tempdir().unwrap();
        let storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        let now = WallTime::from_micros(1_777_673_644_000_000);
        let demo = Demo::fill(storage, seed, TimeZone::UTC, now).unwrap();
        (place, demo, now)
    }

    #[test]
    fn the_drawn_ward_has_a_past_and_a_present_and_is_the_same_each_time() {
        let (_place, mut demo, now) = filled(1);
        let queue = demo.storage.queue(&QueueFilter { tab: Tab::Open, camera: None, limit: 100 }).unwrap();
        for severity in [Severity::Notice, Severity::Warning, Severity::Critical] {
            assert!(queue.events.iter().any(|event| event.severity == severity), "{severity:?}");
        }
        assert!(queue.events.iter().all(|event| event.lead.as_ref().unwrap().thumbnail.is_some()));
        assert_eq!((queue.counts.parked, queue.counts.shelved, queue.counts.test), (1, 1, 1));
        let period = Period { from: now - Duration::from_secs(DAYS * 24 * HOUR), to: now };
        let figures =
            |demo: &Demo| Figures::of(period, &demo.storage.facts(period).unwrap(), Targets::default(), now);
        let found = figures(&demo);
        assert!(found.load.events > 150 && !found.load.flood.is_zero(), "{:?}", found.load);
        assert!(found.false_cameras.iter().any(|row| row.is_ranked()));
        let map = demo.storage.map().unwrap();
        assert_eq!(map.cameras.iter().filter(|camera| camera.spot.is_some()).count(), CAMERAS.len() - 1);
        assert!(map.plan.is_some() && map.cameras.iter().any(|camera| camera.mute.is_some()));
        assert_eq!(demo.storage.holes().unwrap(), []);
        assert_eq!(demo.storage.verify_log(None).unwrap().faults, [""; 0]);
        let (_other_place, again, _) = filled(1);
        assert_eq!(figures(&again), found);

        let before = demo.storage.last_change().unwrap();
        for second in 1..60 {
            demo.next(now + Duration::from_secs(4 * second)).unwrap();
        }
        assert!(demo.storage.last_change().unwrap() >= before + 59, "each alert is a change");
        let queue = demo.storage.queue(&QueueFilter { tab: Tab::Open, camera: None, limit: 100 }).unwrap();
        assert!(queue.events.len() <= OPEN_MAX + 1, "{} events are open", queue.events.len());
    }
}
