//! The ward's rules, checked.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::Kind;
use crate::domain::detection::Label;
use crate::domain::event::Severity;
use crate::domain::ids::{CameraId, RuleId};
use crate::domain::time::WallTime;
use crate::domain::zone::{Tripwire, Zone};

/// One rule on one camera. A rule that a person wrote for several cameras becomes several of these.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSettings {
    /// The rule's id.
    pub id: RuleId,
    /// What people call it.
    pub name: String,
    /// The camera it looks at.
    pub camera: CameraId,
    /// Which labels it is about; empty means all.
    pub labels: BTreeSet<Label>,
    /// How much its alerts matter.
    pub severity: Severity,
    /// When it applies.
    pub schedule: Schedule,
    /// After an event has closed, how long the rule stays silent on this camera. A momentary event (a crossing) spends
    /// it open instead: further crossings within it belong to the same event.
    pub cool_down: Duration,
    /// Where it applies.
    pub place: Place,
    /// What it looks for, with the numbers of its kind.
    pub kind: Kind,
}

/// Where a rule applies.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// The whole picture.
    Everywhere,
    /// A zone: a subject is where its foot point is.
    Zone(Zone),
    /// A line: a subject crosses it with its foot point.
    Tripwire(Tripwire),
}

/// When a rule applies: in any of its windows; always if it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The ward's time zone.
    pub timezone: TimeZone,
    /// Windows of local time.
    pub windows: Vec<Window>,
}

/// A span of local time on some days. `from` later than `to` goes over midnight and belongs to the day it starts on;
/// `from` equal to `to` is a whole day from then.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The days it starts on; empty means every day.
    pub days: Vec<Weekday>,
    /// First minute inside.
    pub from: Time,
    /// First minute outside again.
    pub to: Time,
}

impl Schedule {
    /// Whether the rule applies at that time.
    pub fn covers(&self, wall: WallTime) -> bool {
        let local = wall.to_timestamp().to_zoned(self.timezone.clone());
        let (day, time) = (local.weekday(), local.time());
        self.windows.is_empty() || self.windows.iter().any(|window| window.covers(day, time))
    }
}

impl Window {
    fn covers(&self, day: Weekday, time: Time) -> bool {
        let starts_on = |day| self.days.is_empty() || self.days.contains(&day);
        if self.from < self.to {
            return starts_on(day) && (self.from..self.to).contains(&time);
        }
        (starts_on(day) && time >= self.from) || (starts_on(day.previous()) && time < self.to)
    }
}
