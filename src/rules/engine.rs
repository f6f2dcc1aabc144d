//! What all rules share: when they apply, to whom, and how findings become events that open, grow and close.

use std::collections::BTreeSet;
use std::time::Duration;

use super::settings::{Place, RuleSettings};
use super::{Condition, Ending};
use crate::domain::event::{Event, Phase, RuleRef, Severity, Subject};
use crate::domain::ids::{AlertId, CameraId, Epoch, TrackId, ZoneId};
use crate::domain::time::{Monotonic, Stamp, WallTime};
use crate::domain::track::Track;

/// How many subjects an event names; more are only counted.
const SUBJECTS_MAX: usize = 16;
/// How many points of its path a subject has.
const PATH_POINTS_MAX: usize = 32;

/// What the tracker said after one look.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// When the frame arrived.
    pub at: Stamp,
    /// The session it came from.
    pub epoch: Epoch,
    /// All live tracks.
    pub tracks: &'a [Track],
}

/// All rules of one camera, and their open events.
pub struct RuleSet {
    camera: CameraId,
    epoch: Option<Epoch>,
    rules: Vec<Rule>,
}

struct Rule {
    settings: RuleSettings,
    condition: Box<dyn Condition>,
    open: Option<Open>,
    silent_until: Option<Monotonic>,
}

/// An event that has begun and is not over.
struct Open {
    event: Event,
    /// Everyone who took part, also those beyond [`SUBJECTS_MAX`].
    members: BTreeSet<(Epoch, TrackId)>,
    last_finding: Stamp,
}

impl RuleSet {
    /// The rules of `camera`; those of other cameras are left out.
    pub fn new(camera: CameraId, rules: Vec<RuleSettings>) -> Self {
        let rules = rules.into_iter().filter(|rule| rule.camera == camera).map(Rule::new).collect();
        Self { camera, epoch: None, rules }
    }

    /// Takes a look in; gives the events that it opens or closes, an event's both phases under one id.
    ///
    /// A frame at which nobody looked is a look as well, with the tracks as they are expected: time passes. Looks come in the order of their monotonic time. While an event is open, further subjects join it: they are
    /// told when it closes.
    pub fn step(&mut self, look: &Look) -> Vec<Event> {
        let new_epoch = self.epoch.replace(look.epoch) != Some(look.epoch);
        let mut events = Vec::new();
        for rule in &mut self.rules {
            if new_epoch {
                rule.condition.forget();
            }
            rule.step(look, &self.camera, &mut events);
        }
        events
    }

    /// How much the most severe rule matters that applies at that time; `None` if none does.
    pub fn severity_at(&self, wall: WallTime) -> Option<Severity> {
        let active = self.rules.iter().map(|rule| &rule.settings).filter(|rule| rule.schedule.covers(wall));
        active.map(|rule| rule.severity).max()
    }

    /// Ends all open events at `at`: the stream is lost, or the box stops. What the rules remember of tracks is dropped.
    pub fn close_all(&mut self, at: Stamp) -> Vec<Event> {
        self.epoch = None;
        self.rules.iter_mut().filter_map(|rule| rule.close(at)).collect()
    }
}

impl Rule {
    fn new(settings: RuleSettings) -> Self {
        let condition = settings.kind.condition();
        Self { settings, condition, open: None, silent_until: None }
    }

    fn step(&mut self, look: &Look, camera: &CameraId, events: &mut Vec<Event>) {
        let now = look.at.monotonic;
        // The condition sees every look, so that it knows who was there when the schedule begins.
        let findings = self.condition.step(now, &self.settings.place, look.tracks);
        if let Some(ended) = self.ended(now) {
            events.extend(self.close(ended));
        }
        if !self.settings.schedule.covers(look.at.wall) {
            return;
        }
        for finding in findings {
            let Some(track) = look.tracks.get(finding.index) else { continue };
            let wanted = self.settings.labels.is_empty() || self.settings.labels.contains(&track.label);
            if !wanted || !track.confirmed {
                continue;
            }
            if let Some(open) = &mut self.open {
                open.join(look, track);
            } else if self.silent_until.is_none_or(|until| now >= until) {
                let open = self.begin(look, camera, track, finding.why);
                events.push(open.event.clone());
                self.open = Some(open);
            }
        }
    }

    /// When the open event ended, if it is over.
    fn ended(&self, now: Monotonic) -> Option<Stamp> {
        let open = self.open.as_ref()?;
        let over = match self.condition.ending() {
            Ending::AfterQuiet(quiet) => now.since(open.last_finding.monotonic) >= quiet,
            Ending::AfterCoolDown => now.since(open.event.opened_at.monotonic) >= self.settings.cool_down,
        };
        over.then_some(open.last_finding)
    }

    fn begin(&self, look: &Look, camera: &CameraId, track: &Track, why: String) -> Open {
        let RuleSettings { id, name, kind, place, severity, .. } = &self.settings;
        let event = Event {
            id: AlertId::new(look.at.wall.as_unix_millis()),
            phase: Phase::Opened,
            camera: camera.clone(),
            rule: RuleRef { id: id.clone(), kind: kind.as_str().to_owned(), name: name.clone() },
            severity: *severity,
            opened_at: look.at,
            closed_at: None,
            subjects: vec![subject(track)],
            count: 1,
            zone: place.id().cloned(),
            why,
        };
        Open { event, members: [(look.epoch, track.id)].into(), last_finding: look.at }
    }

    fn close(&mut self, at: Stamp) -> Option<Event> {
        let Open { event, .. } = self.open.take()?;
        let silence = match self.condition.ending() {
            Ending::AfterQuiet(_) => self.settings.cool_down,
            Ending::AfterCoolDown => Duration::ZERO,
        };
        self.silent_until = Some(at.monotonic + silence);
        Some(Event { phase: Phase::Closed, closed_at: Some(at), ..event })
    }
}

impl Open {
    /// Counts a subject that is new to the event; raises the score of one that is not.
    fn join(&mut self, look: &Look, track: &Track) {
        self.last_finding = look.at;
        let event = &mut self.event;
        if self.members.insert((look.epoch, track.id)) {
            event.count += 1;
            if event.subjects.len() < SUBJECTS_MAX {
                event.subjects.push(subject(track));
            }
        } else if let Some(known) = event.subjects.iter_mut().find(|s| s.track == track.id) {
            known.score = known.score.max(track.score);
        }
    }
}

fn subject(track: &Track) -> Subject {
    let path = &track.path;
    // Evenly over the path, its newest point included.
    let step = path.len().div_ceil(PATH_POINTS_MAX).max(1);
    let mut feet: Vec<_> = path.iter().rev().step_by(step).map(|point| point.foot).collect();
    feet.reverse();
    Subject {
        track: track.id,
        label: track.label,
        score: track.score,
        rect: track.rect.clamped(),
        path: feet,
    }
}

impl Place {
    fn id(&self) -> Option<&ZoneId> {
        match self {
            Self::Everywhere => None,
            Self::Zone(zone) => Some(&zone.id),
            Self::Tripwire(tripwire) => Some(&tripwire.id),
        }
    }
}
