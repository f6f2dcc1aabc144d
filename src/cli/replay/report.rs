//! Results of a replay, collected until its end: events with thumbnails, tracks' times, and reasons for which rules did not fire.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::nearest::{Absence, Nearest};
use crate::alerts::thumbnail::{self, Caption, Outline, Redaction};
use crate::infer::replay::Line;
use analysis::rules::RuleSettings;
use base::alert::Thumbnail;
use base::detection::Label;
use base::event::{Event, Phase};
use base::geometry::Polygon;
use base::ids::{RuleId, TrackId};
use base::language::Language;
use base::picture::Picture;

/// Results of a replay.
pub(super) struct Report {
    /// Every rule.
    pub(super) rules: Vec<RuleSettings>,
    /// The first frame with everything that is configured for the camera, as a JPEG.
    pub(super) view: Option<Vec<u8>>,
    /// Events in the order in which they opened.
    pub(super) events: Vec<Shown>,
    /// Tracks that were confirmed.
    pub(super) tracks: BTreeMap<TrackId, Life>,
    /// Length of the file, as far as it was played.
    pub(super) seconds: f64,
    misses: BTreeMap<(RuleId, Option<TrackId>), Miss>,
    nearest: Nearest,
    /// Everything that is configured for the camera.
    drawn: Vec<Outline>,
    privacy_masks: Vec<Polygon>,
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
    pub(super) fn new(rules: Vec<RuleSettings>, drawn: Vec<Outline>, privacy_masks: Vec<Polygon>) -> Self {
        Self {
            rules,
            view: None,
            events: Vec::new(),
            tracks: BTreeMap::new(),
            seconds: 0.0,
            misses: BTreeMap::new(),
            nearest: Nearest::default(),
            drawn,
            privacy_masks,
        }
    }

    /// Adds the results of a frame; `picture` is the frame itself.
    pub(super) fn take(&mut self, line: &Line<'_>, picture: Option<&Picture>) -> anyhow::Result<()> {
        self.seconds = line.seconds;
        if let Some(picture) = picture {
            let size = [picture.width() as f32, picture.height() as f32];
            self.nearest.take(&self.rules, line.tracks, line.seconds, size);
            if self.view.is_none() && !self.drawn.is_empty() {
                self.view = Some(thumbnail::annotate(picture, &[], &self.drawn, &self.privacy_masks)?);
            }
        }
        for sent in line.sent {
            let rule = sent.event.rule.name.clone();
            let thumbnail = match &sent.snapshot {
                Some(snapshot) => {
                    let of_rule = self.rules.iter().find(|rule| rule.id == sent.event.rule.id);
                    let outlines = of_rule.map(Outline::of_rule).unwrap_or_default();
                    let redaction = Redaction { masks: &self.privacy_masks, bystanders: &[] };
                    let caption = caption(&rule, line.seconds, sent.event.phase);
                    let (picture, marks) = (&snapshot.picture, snapshot.marks(Language::English));
                    Some(thumbnail::render(picture, &marks, &outlines, &redaction, &caption)?)
                }
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
    pub(super) fn misses(&self) -> Vec<(RuleId, String, f64, f64, String)> {
        let fired = |rule: &RuleId, track: TrackId| {
            let of_rule = self.events.iter().filter(|shown| shown.event.rule.id == *rule);
            of_rule.flat_map(|shown| &shown.event.subjects).any(|subject| subject.track == track)
        };
        let who = |track: &TrackId| match self.tracks.get(track) {
            Some(life) => format!("{} {track}", life.label),
            None => format!("track {track}"),
        };
        let mut misses = Vec::new();
        for ((rule, track), miss) in &self.misses {
            let who = match track {
                Some(track) if fired(rule, *track) => continue,
                Some(track) => who(track),
                None => "all of them".to_owned(),
            };
            misses.push((rule.clone(), who, miss.from, miss.to, miss.why.clone()));
        }
        let has_reason = |rule: &RuleId, track: TrackId| {
            fired(rule, track) || self.misses.contains_key(&(rule.clone(), Some(track)))
        };
        let absences = self.nearest.absences(&self.rules, has_reason);
        misses.extend(
            absences
                .into_iter()
                .map(|Absence { rule, track, from, to, why }| (rule, who(&track), from, to, why)),
        );
        misses
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

fn caption(rule: &str, seconds: f64, phase: Phase) -> Caption {
    let when = match phase {
        Phase::Opened => clock(seconds),
        Phase::Closed => format!("best, told {}", clock(seconds)),
    };
    Caption { place: rule.to_owned(), when }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_minutes() {
        assert_eq!([0.0, 9.96, 61.24, 3600.0].map(clock), ["00:00.0", "00:10.0", "01:01.2", "60:00.0"]);
    }
}
