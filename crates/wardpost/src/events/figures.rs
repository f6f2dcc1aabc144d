//! Figures of a shift, a week or a month: load on the officers, their times, and the share of false alerts.
//!
//! Events of boxes on test count nowhere, and events on shelves only as that: nobody had to judge them.

mod course;
mod csv;
mod false_share;

use std::collections::BTreeMap;
use std::time::Duration;

pub use course::{Course, DayFigures, SEVERITIES, TO_TAKE_BELOW};
pub use false_share::{FALSE_RANKED_MIN, FalseFigures};

use super::escalation::Targets;
use super::flood::{FLOOD_SPAN, Source};
use super::outcome::{Outcome, Truth};
use crate::arrival::Sender;
use base::event::Severity;
use base::ids::CameraId;
use base::time::WallTime;

/// Minimum time of all shifts for which a rate says something.
const RATED_MIN: Duration = Duration::from_secs(15 * 60);
/// Maximum number of sources, and of cameras, in a table.
const ROWS_MAX: usize = 10;

/// A time with a beginning and an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The beginning.
    pub from: WallTime,
    /// The end, which does not belong to it.
    pub to: WallTime,
}

impl Period {
    /// Its length.
    pub fn length(self) -> Duration {
        self.to.since(self.from)
    }

    /// True where the time is in it.
    pub fn contains(self, at: WallTime) -> bool {
        self.from <= at && at < self.to
    }

    /// Length of the part that two periods have in common.
    fn overlap(self, other: Self) -> Duration {
        self.to.min(other.to).since(self.from.max(other.from))
    }
}

/// Facts about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFacts {
    /// Box, camera and rule.
    pub source: Source,
    /// Names of camera and rule.
    pub names: (String, String),
    /// Highest severity.
    pub severity: Severity,
    /// Number of alerts.
    pub alerts: u64,
    /// Arrival of the first one.
    pub first_at: WallTime,
    /// It was of a box on test.
    pub is_test: bool,
    /// It was on a shelf.
    pub is_shelved: bool,
    /// Time at which a person first dealt with it.
    pub taken_at: Option<WallTime>,
    /// Time and outcome of its end.
    pub closed: Option<(WallTime, Outcome)>,
}

/// A time for which a camera gave no picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwayFacts {
    /// The box.
    pub sender: Sender,
    /// The camera.
    pub camera: CameraId,
    /// Its name.
    pub name: String,
    /// Beginning and end; one that lasts ends with the period.
    pub period: Period,
}

/// Facts about a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The events that began in it.
    pub events: Vec<EventFacts>,
    /// Floods that touch it.
    pub floods: Vec<Period>,
    /// Shifts that touch it.
    pub shifts: Vec<Period>,
    /// Absences of cameras that touch it.
    pub away: Vec<AwayFacts>,
}

/// Times from arrival to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Number of events with this step.
    pub count: usize,
    /// Median.
    pub median: Option<Duration>,
    /// Nine of ten are shorter.
    pub p90: Option<Duration>,
}

/// A part of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
}

impl Share {
    /// The share, from 0 to 1; `None` of nothing.
    pub fn ratio(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }

    fn count(&mut self, is_part: bool) {
        self.whole += 1;
        self.part += u64::from(is_part);
    }
}

/// Events of one camera and rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFigures {
    /// Box, camera and rule.
    pub source: Source,
    /// Names of camera and rule.
    pub names: (String, String),
    /// Number of events.
    pub events: u64,
    /// Number of alerts.
    pub alerts: u64,
    /// False ones among those that were judged true or false.
    pub false_share: Share,
}

/// Seconds as a table has them; empty for none.
fn decimal_seconds(time: Option<Duration>) -> String {
    time.map_or_else(String::new, |time| time.as_secs().to_string())
}

/// Absences of one camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraAway {
    /// The box.
    pub sender: Sender,
    /// The camera.
    pub camera: CameraId,
    /// Its name.
    pub name: String,
    /// Number of absences.
    pub times: u64,
    /// Their length together, within the period.
    pub length: Duration,
}

/// Load on the officers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Number of alerts in events of the queue.
    pub alerts: u64,
    /// Number of events of the queue.
    pub events: u64,
    /// Number of events that went to a shelf.
    pub shelved: u64,
    /// Time of all shifts together, within the period.
    pub operator_time: Duration,
    /// Beginning and number of events of the ten minutes with the most.
    pub peak: Option<(WallTime, u64)>,
    /// Time in flood.
    pub flood: Duration,
    /// Time of the period that has come.
    pub known: Duration,
}

impl Load {
    /// Part of the time that was in flood; `None` of no time.
    pub fn flood_share(self) -> Option<f64> {
        (!self.known.is_zero()).then(|| self.flood.as_secs_f64() / self.known.as_secs_f64())
    }

    /// Alerts in each hour of an officer; `None` where the shifts were too short for a rate.
    pub fn alerts_per_operator_hour(self) -> Option<f64> {
        let hours = self.operator_time.as_secs_f64() / 3600.0;
        (self.operator_time >= RATED_MIN).then(|| self.alerts as f64 / hours)
    }
}

/// Figures of a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The period.
    pub period: Period,
    /// Load on the officers.
    pub load: Load,
    /// Number of events of each severity, from notice to critical.
    pub severities: [u64; 3],
    /// Times until somebody took it.
    pub to_take: Times,
    /// Times until it was closed.
    pub to_close: Times,
    /// Events that were taken within their target, among those whose target has passed or that were taken.
    pub within_target: Share,
    /// False ones among those that were judged true or false.
    pub false_share: Share,
    /// Number of events of each outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// The sources with the most events, the worst first.
    pub worst: Vec<SourceFigures>,
    /// The sources with false alerts, the one with the most of them first.
    pub false_sources: Vec<SourceFigures>,
    /// Shares of false events by camera, the largest first; those of few judged events last.
    pub false_cameras: Vec<FalseFigures>,
    /// The same by rule, of all boxes together.
    pub false_rules: Vec<FalseFigures>,
    /// Cameras that were away, the one that was longest first.
    pub away: Vec<CameraAway>,
}

impl Figures {
    /// Figures of a period out of its facts. `now` is the end of the known time.
    pub fn of(period: Period, facts: &Facts, targets: Targets, now: WallTime) -> Self {
        let known = Period { to: period.to.min(now), ..period };
        let is_within = |event: &&EventFacts| !event.is_test && known.contains(event.first_at);
        let (shelved, events): (Vec<&EventFacts>, Vec<&EventFacts>) =
            facts.events.iter().filter(is_within).partition(|event| event.is_shelved);
        let together = |periods: &[Period]| periods.iter().map(|one| known.overlap(*one)).sum::<Duration>();
        let load = Load {
            alerts: events.iter().map(|event| event.alerts).sum(),
            events: events.len() as u64,
            shelved: shelved.len() as u64,
            operator_time: together(&facts.shifts),
            peak: peak(&events),
            flood: together(&facts.floods),
            known: known.length(),
        };
        let mut sources = sources(&events);
        sources.sort_by_key(|source| std::cmp::Reverse((source.events, source.alerts)));
        let mut false_sources = sources.clone();
        false_sources.retain(|source| source.false_share.part > 0);
        false_sources.sort_by_key(|source| std::cmp::Reverse(source.false_share.part));
        sources.truncate(ROWS_MAX);
        false_sources.truncate(ROWS_MAX);
        Self {
            period,
            load,
            severities: severities(&events),
            to_take: times(events.iter().filter_map(|event| Some(event.taken_at?.since(event.first_at)))),
            to_close: times(events.iter().filter_map(|event| closed_after(event))),
            within_target: within_target(&events, targets, now),
            false_share: judged(&events),
            outcomes: outcomes(&events),
            worst: sources,
            false_sources,
            false_cameras: false_share::by_camera(&events),
            false_rules: false_share::by_rule(&events),
            away: away(&facts.away, known),
        }
    }
}

/// Time until a person closed it.
fn closed_after(event: &EventFacts) -> Option<Duration> {
    let (at, outcome) = event.closed?;
    (outcome.truth() != Truth::Unjudged).then(|| at.since(event.first_at))
}

/// False events among those that were judged.
fn judged(events: &[&EventFacts]) -> Share {
    let mut share = Share::default();
    for event in events {
        count_judged(event, &mut share);
    }
    share
}

/// Counts an event that was judged true or false.
fn count_judged(event: &EventFacts, share: &mut Share) {
    match event.closed.map(|(_, outcome)| outcome.truth()) {
        Some(Truth::False) => share.count(true),
        Some(Truth::True) => share.count(false),
        Some(Truth::Test | Truth::Unjudged) | None => {}
    }
}

fn times(durations: impl Iterator<Item = Duration>) -> Times {
    let mut sorted: Vec<Duration> = durations.collect();
    sorted.sort_unstable();
    Times { count: sorted.len(), median: quantile(&sorted, 50), p90: quantile(&sorted, 90) }
}

/// The smallest value that is not below `percent` of the values (nearest rank).
fn quantile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The ten minutes with the most events: one of them begins with an event.
fn peak(events: &[&EventFacts]) -> Option<(WallTime, u64)> {
    let mut times: Vec<WallTime> = events.iter().map(|event| event.first_at).collect();
    times.sort_unstable();
    let (mut end, mut best) = (0, None);
    for (begin, from) in times.iter().enumerate() {
        while times.get(end).is_some_and(|at| at.since(*from) < FLOOD_SPAN) {
            end += 1;
        }
        let count = (end - begin) as u64;
        if best.is_none_or(|(_, most)| count > most) {
            best = Some((*from, count));
        }
    }
    best
}

fn severities(events: &[&EventFacts]) -> [u64; 3] {
    [Severity::Notice, Severity::Warning, Severity::Critical]
        .map(|severity| events.iter().filter(|event| event.severity == severity).count() as u64)
}

fn within_target(events: &[&EventFacts], targets: Targets, now: WallTime) -> Share {
    let mut share = Share::default();
    for event in events {
        let Some(target) = targets.of(event.severity) else { continue };
        let due = event.first_at + target;
        match event.taken_at {
            Some(at) => share.count(at <= due),
            // Nobody judged it, and it is history.
            None if event.closed.is_some() => {}
            None if now > due => share.count(false),
            None => {}
        }
    }
    share
}

fn outcomes(events: &[&EventFacts]) -> BTreeMap<Outcome, u64> {
    let mut counts = BTreeMap::new();
    for (_, outcome) in events.iter().filter_map(|event| event.closed) {
        *counts.entry(outcome).or_default() += 1;
    }
    counts
}

fn sources(events: &[&EventFacts]) -> Vec<SourceFigures> {
    let mut found: BTreeMap<&Source, SourceFigures> = BTreeMap::new();
    for event in events {
        let figures = found.entry(&event.source).or_insert_with(|| SourceFigures {
            source: event.source.clone(),
            names: event.names.clone(),
            events: 0,
            alerts: 0,
            false_share: Share::default(),
        });
        figures.events += 1;
        figures.alerts += event.alerts;
        count_judged(event, &mut figures.false_share);
    }
    found.into_values().collect()
}

fn away(absences: &[AwayFacts], period: Period) -> Vec<CameraAway> {
    let mut found: BTreeMap<(&Sender, &CameraId), CameraAway> = BTreeMap::new();
    for absence in absences {
        let length = period.overlap(absence.period);
        if length.is_zero() {
            continue;
        }
        let camera = found.entry((&absence.sender, &absence.camera)).or_insert_with(|| CameraAway {
            sender: absence.sender.clone(),
            camera: absence.camera.clone(),
            name: absence.name.clone(),
            times: 0,
            length: Duration::ZERO,
        });
        camera.times += 1;
        camera.length += length;
    }
    let mut found: Vec<CameraAway> = found.into_values().collect();
    found.sort_by_key(|camera| std::cmp::Reverse(camera.length));
    found.truncate(ROWS_MAX);
    found
}

#[cfg(test)]
mod tests;
