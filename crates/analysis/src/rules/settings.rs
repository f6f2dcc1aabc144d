//! The ward's rules, checked.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Date, Time, Weekday, time};
use jiff::tz::TimeZone;

use super::Kind;
use base::detection::Label;
use base::event::Severity;
use base::geometry::Point;
use base::ground::Ground;
use base::ids::{CameraId, RuleId, ZoneId};
use base::time::WallTime;
use base::zone::{Tripwire, Zone};

/// One rule on one camera. A rule that a person wrote for several cameras becomes several of these.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSettings {
    /// The rule's id.
    pub id: RuleId,
    /// Its name, for people.
    pub name: String,
    /// The camera it watches.
    pub camera: CameraId,
    /// Labels that it asks for; empty means the default ones of its kind.
    pub labels: BTreeSet<Label>,
    /// Severity of its alerts.
    pub severity: Severity,
    /// Times at which it applies.
    pub schedule: Schedule,
    /// Time for which the rule stays silent on this camera after an event has closed. A momentary event (a crossing)
    /// spends it open instead: further crossings within it belong to the same event.
    pub cool_down: Duration,
    /// Place to which it applies.
    pub place: RuleArea,
    /// The ground under its camera, where it is known.
    pub ground: Option<Ground>,
    /// Its kind, with the numbers of that kind.
    pub kind: Kind,
    /// The same kind with the numbers that hold at night, where they are others.
    pub night: Option<Kind>,
}

/// Places to which a rule applies.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleArea {
    /// The whole picture.
    Everywhere,
    /// A zone: a subject is in it if its foot point is.
    Zone(Zone),
    /// A line: a subject crosses it with its foot point.
    Tripwire(Tripwire),
}

impl RuleArea {
    /// Returns true if a foot stands in it.
    pub(super) fn contains(&self, foot: Point) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Zone(zone) => zone.polygon.contains(foot),
            // A line has no inside; the configuration does not allow this case.
            Self::Tripwire(_) => false,
        }
    }

    /// Describes it for a person: `in "yard"`.
    pub(super) fn phrase(&self) -> String {
        match self {
            Self::Everywhere => "on the picture".to_owned(),
            Self::Zone(zone) => format!("in \"{}\"", zone.name),
            Self::Tripwire(tripwire) => format!("at \"{}\"", tripwire.name),
        }
    }

    /// Its name, for people; `None` for the whole picture.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Everywhere => None,
            Self::Zone(zone) => Some(&zone.name),
            Self::Tripwire(tripwire) => Some(&tripwire.name),
        }
    }

    pub(super) fn id(&self) -> Option<&ZoneId> {
        match self {
            Self::Everywhere => None,
            Self::Zone(zone) => Some(&zone.id),
            Self::Tripwire(tripwire) => Some(&tripwire.id),
        }
    }
}

/// Times at which a rule applies: any of its windows; always if it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The ward's time zone.
    pub timezone: TimeZone,
    /// The ward's holidays.
    pub holidays: BTreeSet<Date>,
    /// The window of the night, on every day.
    pub night: Window,
    /// Windows of local time.
    pub windows: Vec<Window>,
}

/// A span of local time on some days. `from` later than `to` goes over midnight and belongs to the day it starts on;
/// `from` equal to `to` is a whole day from then.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The days it starts on; empty means every day.
    pub days: Vec<Day>,
    /// First minute inside.
    pub from: Time,
    /// First minute outside again.
    pub to: Time,
}

/// The kind of day of a date. A holiday is one of its own, whatever day of the week it falls on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Any but a holiday.
    Weekday(Weekday),
    /// One of the ward's holidays.
    Holiday,
}

impl Schedule {
    /// Applies always, without holidays, and with the usual night.
    pub fn always(timezone: TimeZone) -> Self {
        Self { timezone, holidays: BTreeSet::new(), night: Window::NIGHT, windows: Vec::new() }
    }

    /// Returns true if the rule applies at that time.
    pub fn covers(&self, wall: WallTime) -> bool {
        self.windows.is_empty() || self.windows.iter().any(|window| self.is_within(wall, window))
    }

    /// Returns true if it is night at that time.
    pub fn is_night(&self, wall: WallTime) -> bool {
        self.is_within(wall, &self.night)
    }

    fn is_within(&self, wall: WallTime, window: &Window) -> bool {
        let local = wall.to_timestamp().to_zoned(self.timezone.clone());
        let starts_on = |date: Option<Date>| {
            window.days.is_empty() || date.is_some_and(|date| window.days.contains(&self.day(date)))
        };
        let (today, time) = (Some(local.date()), local.time());
        if window.from < window.to {
            return starts_on(today) && (window.from..window.to).contains(&time);
        }
        let yesterday = local.date().yesterday().ok();
        (starts_on(today) && time >= window.from) || (starts_on(yesterday) && time < window.to)
    }

    fn day(&self, date: Date) -> Day {
        if self.holidays.contains(&date) { Day::Holiday } else { Day::Weekday(date.weekday()) }
    }
}

impl Window {
    /// From dusk to dawn where days are about equally long all year.
    pub const NIGHT: Self = Self { days: Vec::new(), from: time(18, 0, 0, 0), to: time(5, 30, 0, 0) };
}
