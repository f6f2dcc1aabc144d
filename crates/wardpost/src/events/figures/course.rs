//! Course of a period: events by hour of the day and by day, and how their times until somebody took them are spread.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{EventFacts, Facts, Period, Times, decimal_seconds, times};
use base::event::Severity;
use base::time::WallTime;

/// Upper bounds of the classes of times until somebody took an event, in seconds; the last class has none.
pub const TO_TAKE_BELOW: [u64; 6] = [15, 30, 60, 90, 180, 300];
/// Maximum number of days of a course.
const DAYS_MAX: usize = 62;

/// Events of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFigures {
    /// The day.
    pub date: Date,
    /// Number of events of each severity, from notice to critical.
    pub severities: [u64; 3],
    /// Times until somebody took them.
    pub to_take: Times,
}

/// Course of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Number of events of each severity, from notice to critical, for each hour of the day.
    pub hours: [[u64; 3]; 24],
    /// All days of the period, in order.
    pub days: Vec<DayFigures>,
    /// Number of events of each class of [`TO_TAKE_BELOW`].
    pub to_take: [u64; TO_TAKE_BELOW.len() + 1],
}

impl Course {
    /// Course of a period out of its facts, by the clocks of a time zone. `now` is the end of the known time. It counts the events
    /// that [`super::Figures`] count.
    pub fn of(period: Period, facts: &Facts, timezone: &TimeZone, now: WallTime) -> Self {
        let known = Period { to: period.to.min(now), ..period };
        let events: Vec<&EventFacts> = facts
            .events
            .iter()
            .filter(|event| !event.is_test && !event.is_shelved && known.contains(event.first_at))
            .collect();
        let mut course = Self { hours: [[0; 3]; 24], days: days(known, timezone), to_take: [0; 7] };
        for event in &events {
            let Some(local) = local(event.first_at, timezone) else { continue };
            let severity = rank(event.severity);
            let hour = usize::try_from(local.hour()).unwrap_or(0);
            course.hours[hour][severity] += 1;
            if let Some(day) = course.days.iter_mut().find(|day| day.date == local.date()) {
                day.severities[severity] += 1;
            }
            if let Some(after) = event.taken_at.map(|at| at.since(event.first_at)) {
                course.to_take[class(after)] += 1;
            }
        }
        for day in &mut course.days {
            let of_day = events.iter().filter(|event| {
                local(event.first_at, timezone).is_some_and(|local| local.date() == day.date)
            });
            day.to_take = times(of_day.filter_map(|event| Some(event.taken_at?.since(event.first_at))));
        }
        course
    }

    /// Rows for the table of [`super::Figures::csv`].
    pub fn csv(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        for (hour, severities) in self.hours.iter().enumerate() {
            let _ = write!(text, "hour,{hour:02},events,{}\r\n", severities.iter().sum::<u64>());
        }
        for day in &self.days {
            for (severity, count) in SEVERITIES.iter().zip(day.severities) {
                let _ = write!(text, "day,{},{},{count}\r\n", day.date, severity.as_str());
            }
            let median = decimal_seconds(day.to_take.median);
            let _ = write!(text, "day,{},to_take_median_seconds,{median}\r\n", day.date);
        }
        for (class, count) in self.to_take.iter().enumerate() {
            let below = TO_TAKE_BELOW.get(class).map_or_else(String::new, u64::to_string);
            let _ = write!(text, "to_take_below_seconds,{below},events,{count}\r\n");
        }
        text
    }
}

/// Severities in the order of counts.
pub const SEVERITIES: [Severity; 3] = [Severity::Notice, Severity::Warning, Severity::Critical];

const fn rank(severity: Severity) -> usize {
    match severity {
        Severity::Notice => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
    }
}

fn class(after: Duration) -> usize {
    TO_TAKE_BELOW.iter().position(|below| after < Duration::from_secs(*below)).unwrap_or(TO_TAKE_BELOW.len())
}

fn local(at: WallTime, timezone: &TimeZone) -> Option<jiff::civil::DateTime> {
    let stamp = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(timezone.to_datetime(stamp))
}

/// The days that a period touches; the first ones of a long one.
fn days(period: Period, timezone: &TimeZone) -> Vec<DayFigures> {
    let last = period.to.max(period.from + Duration::from_micros(1)) - Duration::from_micros(1);
    let (Some(first), Some(last)) = (local(period.from, timezone), local(last, timezone)) else {
        return Vec::new();
    };
    let mut days = Vec::new();
    let mut date = first.date();
    while date <= last.date() && days.len() < DAYS_MAX {
        days.push(DayFigures { date, severities: [0; 3], to_take: Times::default() });
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    days
}
