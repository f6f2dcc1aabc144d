//! Results of a replay, collected until its end: events with thumbnails, tracks' times, and reasons for which rules did not fire.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::alerts::Snapshot;
use crate::alerts::thumbnail::{self, Caption, Redaction};
use crate::infer::replay::Line;
use base::alert::Thumbnail;
use base::detection::Label;
use base::event::{Event, Phase};
use base::ids::{RuleId, TrackId};
use base::language::Language;

/// Results of a replay.
pub(super) struct Report {
    /// Every rule's id and name.
    pub(super) rules: Vec<(RuleId, String)>,
    /// Events in the order in which they opened.
    pub(super) events: Vec<Shown>,
    /// Tracks that were confirmed.
    pub(super) tracks: BTreeMap<TrackId, Life>,
    /// Length of the file, as far as it was played.
    pub(super) seconds: f64,
    misses: BTreeMap<(RuleId, Option<TrackId>), Miss>,
}

/// An event, and its thumbnails.
pub(super) struct Shown {
    /// The event of its last message.
    pub(super) event: Event,
    /// Times at which it opened and closed.
    pub(super) opened: f64,
    pub(super) closed: Option<f64>,
    /// The frame that completed the evidence, and a later one that is better.
    pub(super) thumbnails: Vec<Thumbnail>,
}

/// Time span of a track.
pub(super) struct Life {
    pub(super) label: Label,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A subject came near to fulfilling a rule.
struct Miss {
    from: f64,
    to: f64,
    why: String,
}

impl Report {
    pub(super) fn new(rules: impl Iterator<Item = (RuleId, String)>) -> Self {
        let rules = rules.collect();
        Self { rules, events: Vec::new(), tracks: BTreeMap::new(), seconds: 0.0, misses: BTreeMap::new() }
    }

    /// Adds the results of a frame.
    pub(super) fn take(&mut self, line: &Line<'_>) -> anyhow::Result<()> {
        self.seconds = line.seconds;
        for sent in line.sent {
            let rule = sent.event.rule.name.clone();
            let thumbnail = match &sent.snapshot {
                Some(snapshot) => Some(thumbnail(snapshot, &rule, line.seconds, sent.event.phase)?),
                None => None,
            };
            match self.events.iter_mut().find(|shown| shown.event.id == sent.event.id) {
                Some(shown) => {
                    shown.event = sent.event.clone();
                    shown.closed = Some(line.seconds);
                    shown.thumbnails.extend(thumbnail);
                }
                None => self.events.push(Shown {
                    event: sent.event.clone(),
                    opened: line.seconds,
                    closed: None,
                    thumbnails: thumbnail.into_iter().collect(),
                }),
            }
        }
        for track in line.tracks.iter().filter(|track| track.confirmed) {
            let life = Life { label: track.label, from: line.seconds, to: line.seconds };
            let life = self.tracks.entry(track.id).or_insert(life);
            (life.label, life.to) = (track.label, line.seconds);
        }
        for note in line.notes {
            let key = (note.rule.clone(), note.track);
            let miss = Miss { from: line.seconds, to: line.seconds, why: String::new() };
            let miss = self.misses.entry(key).or_insert(miss);
            miss.to = line.seconds;
            miss.why.clone_from(&note.why);
        }
        Ok(())
    }

    /// Every thumbnail, in the order of events.
    pub(super) fn thumbnails(&self) -> impl Iterator<Item = &Thumbnail> {
        self.events.iter().flat_map(|shown| &shown.thumbnails)
    }

    /// The rule of each event, with the time at which the event opened.
    pub(super) fn openings(&self) -> Vec<(&str, f64)> {
        self.events.iter().map(|shown| (shown.event.rule.id.as_str(), shown.opened)).collect()
    }

    /// Reasons for subjects for which a rule never fired: rule, subject, start, end, the last reason.
    pub(super) fn misses(&self) -> Vec<(&RuleId, String, f64, f64, &str)> {
        let fired = |rule: &RuleId, track: TrackId| {
            let of_rule = self.events.iter().filter(|shown| shown.event.rule.id == *rule);
            of_rule.flat_map(|shown| &shown.event.subjects).any(|subject| subject.track == track)
        };
        let misses = self.misses.iter().filter_map(|((rule, track), miss)| {
            let who = match track {
                Some(track) if fired(rule, *track) => return None,
                Some(track) => match self.tracks.get(track) {
                    Some(life) => format!("{} {track}", life.label),
                    None => format!("track {track}"),
                },
                None => "all of them".to_owned(),
            };
            Some((rule, who, miss.from, miss.to, miss.why.as_str()))
        });
        misses.collect()
    }

    /// The reasons as text.
    pub(super) fn why_not(&self) -> String {
        let mut text = String::from("\nwhy not:\n");
        for (rule, who, from, to, why) in self.misses() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {}-{}  {rule:<16}  {who}: {why}", clock(from), clock(to));
        }
        text
    }
}

/// Events that began or ended on a frame, in words: a line each.
pub(super) fn words(line: &Line<'_>) -> String {
    let mut text = String::new();
    for event in &line.events {
        let at = clock(line.seconds);
        let _ = match event.phase {
            Phase::Opened => writeln!(
                text,
                "{at}  {}  {} ({}, {}): {}",
                if event.follows.is_some() { "further" } else { "opened " },
                event.rule.id,
                event.rule.kind,
                event.severity.as_str(),
                event.why
            ),
            Phase::Closed => writeln!(
                text,
                "{at}  closed  {} after {}, {} took part",
                event.rule.id,
                lasted(event),
                event.count
            ),
        };
    }
    text
}

/// Time for which the event was open: `4.2 s`.
pub(super) fn lasted(event: &Event) -> String {
    let closed = event.closed_at.map_or(event.opened_at, |closed| closed);
    format!("{:.1} s", closed.monotonic.since(event.opened_at.monotonic).as_secs_f64())
}

/// Time in the file: `01:02.4`.
pub(super) fn clock(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round() as u64;
    format!("{:02}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

fn thumbnail(snapshot: &Snapshot, rule: &str, seconds: f64, phase: Phase) -> anyhow::Result<Thumbnail> {
    let marks = snapshot.marks(Language::English);
    let when = match phase {
        Phase::Opened => clock(seconds),
        Phase::Closed => format!("best, told {}", clock(seconds)),
    };
    let caption = Caption { place: rule.to_owned(), when };
    Ok(thumbnail::render(&snapshot.picture, &marks, &Redaction::default(), &caption)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_minutes() {
        assert_eq!([0.0, 9.96, 61.24, 3600.0].map(clock), ["00:00.0", "00:10.0", "01:01.2", "60:00.0"]);
    }
}
