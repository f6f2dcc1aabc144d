//! Shared part of all rules: schedule, labels, and the events that findings open, extend and close.

use std::collections::BTreeSet;
use std::time::Duration;

use super::incident::Incident;
use super::paths::{self, path};
use super::settings::RuleSettings;
use super::thresholds::engine::*;
use super::{About, Condition, Ending, Finding, Notes, RuleInput};
use base::detection::Label;
use base::event::{Event, Phase, RuleRef, Severity, Subject};
use base::geometry::Rect;
use base::ids::{AlertId, CameraId, Epoch, RuleId, TrackId};
use base::static_object::StaticObject;
use base::time::{Monotonic, Stamp, WallTime};
use base::track::Track;
use base::view_quality::ViewQuality;

/// The tracker's output for one frame.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// Arrival time of the frame.
    pub at: Stamp,
    /// Session that the frame came from.
    pub epoch: Epoch,
    /// All live tracks.
    pub tracks: &'a [Track],
    /// Stationary objects that belong to no track.
    pub static_objects: &'a [StaticObject],
    /// View quality of the camera, where it was measured on this frame.
    pub view_quality: Option<&'a ViewQuality>,
}

/// The reason why a rule did not fire on a frame, for a person who tunes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The rule.
    pub rule: RuleId,
    /// The track that came near; `None` where the note is about all tracks, or about the camera.
    pub track: Option<TrackId>,
    /// The missing condition, with its numbers: `in "yard" for 0.6 s (1.0 s needed)`.
    pub why: String,
}

/// All rules of one camera, and their open events.
pub struct RuleSet {
    camera: CameraId,
    epoch: Option<Epoch>,
    rules: Vec<Rule>,
    explains: bool,
    notes: Vec<Note>,
}

struct Rule {
    settings: RuleSettings,
    /// The settings' labels, or the default ones of the kind.
    labels: BTreeSet<Label>,
    day: Box<dyn Condition>,
    /// Condition with the night's numbers, if it has its own. Both conditions see every frame; the findings of one of
    /// them count.
    night: Option<Box<dyn Condition>>,
    /// The event that was reported and is not over.
    open: Option<Open>,
    /// The event of further subjects, which waits until the next alert is allowed.
    held: Option<Open>,
    /// Lasts from the first alert until there was no finding for a cool-down.
    incident: Option<Incident>,
    silent_until: Option<Monotonic>,
}

/// An event that has begun and is not over.
struct Open {
    event: Event,
    /// All subjects that took part, also those beyond [`SUBJECTS_MAX`].
    members: BTreeSet<(Epoch, TrackId)>,
    last_finding: Stamp,
    /// Time of the report; later than the beginning if the event had to wait.
    told_at: Stamp,
}

/// Input of one step of a rule.
#[derive(Clone, Copy)]
struct Moment<'a> {
    at: Stamp,
    epoch: Epoch,
    tracks: &'a [Track],
    camera: &'a CameraId,
}

impl RuleSet {
    /// Creates the rules of `camera`; those of other cameras are left out.
    pub fn new(camera: CameraId, rules: Vec<RuleSettings>) -> Self {
        let rules = rules.into_iter().filter(|rule| rule.camera == camera).map(Rule::new).collect();
        Self { camera, epoch: None, rules, explains: false, notes: Vec::new() }
    }

    /// Makes [`RuleSet::notes`] give after each step the reasons why rules did not fire. Without it nothing is
    /// noted.
    pub fn explain(&mut self) {
        self.explains = true;
    }

    /// Reasons why rules did not fire on the last step, for tracks that came near.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Processes one frame. Returns the events that it opens or closes; both phases of an event have one id.
    ///
    /// A frame without inference is passed in as well, with the predicted tracks: time passes. Frames come in the
    /// order of their monotonic time. All subjects for which a condition holds on the same frame are in the opened
    /// event. A subject for which it holds later, while that event is open or within the cool-down, is reported in a
    /// further event that names the first one; the one before it closes then.
    pub fn step(&mut self, observed: &Observation) -> Vec<Event> {
        let new_epoch = self.epoch.replace(observed.epoch) != Some(observed.epoch);
        let mut events = Vec::new();
        self.notes.clear();
        for rule in &mut self.rules {
            if new_epoch {
                rule.conditions().for_each(|condition| condition.forget());
            }
            let mut notes = Notes::new(self.explains);
            events.extend(rule.step(observed, &self.camera, &mut notes));
            self.notes.extend(notes.take().into_iter().map(|(track, why)| Note {
                rule: rule.settings.id.clone(),
                track,
                why,
            }));
        }
        events
    }

    /// Called every few seconds while the camera gives no picture, also before its first one. Returns the events that
    /// this opens. They end with the next frame.
    pub fn absent(&mut self, at: Stamp) -> Vec<Event> {
        let moment = Moment { at, epoch: self.epoch.unwrap_or_default(), tracks: &[], camera: &self.camera };
        self.rules.iter_mut().filter_map(|rule| rule.absent(moment)).collect()
    }

    /// Returns the events that are open or wait to be reported, with their named subjects.
    pub fn open(&self) -> impl Iterator<Item = &Event> {
        let events = self.rules.iter().flat_map(|rule| [&rule.open, &rule.held]);
        events.filter_map(Option::as_ref).map(|open| &open.event)
    }

    /// Returns true if one of its rules needs the camera's view quality.
    pub fn wants_view_quality(&self) -> bool {
        self.rules.iter().any(|rule| rule.settings.kind.needs().about == About::Camera)
    }

    /// Returns true if one of its rules needs the speed of subjects.
    pub fn wants_speed(&self) -> bool {
        self.rules.iter().any(|rule| rule.settings.kind.needs().ground.is_some())
    }

    /// Returns true if one of its rules is about a missing picture.
    pub fn wants_absence(&self) -> bool {
        self.rules.iter().any(|rule| rule.day.ending() == Ending::AtNextFrame)
    }

    /// Returns the highest severity of the rules that apply at that time and are about the content of the picture;
    /// `None` if there is none. Rules about the camera itself need no inference.
    pub fn severity_at(&self, wall: WallTime) -> Option<Severity> {
        let rules = self
            .rules
            .iter()
            .map(|rule| &rule.settings)
            .filter(|rule: &&RuleSettings| rule.kind.needs().about != About::Camera);
        let active = rules.filter(|rule| rule.schedule.covers(wall));
        active.map(|rule| rule.severity).max()
    }

    /// Ends the open events at `at`: the stream is lost, or the box stops. Waiting events are reported before. The
    /// rules' memory of tracks is dropped. An event about a missing picture stays open, even if the stream is lost
    /// once more.
    pub fn close_all(&mut self, at: Stamp) -> Vec<Event> {
        self.epoch = None;
        let rules = self.rules.iter_mut().filter(|rule| rule.day.ending() != Ending::AtNextFrame);
        rules.flat_map(|rule| rule.close_all(at)).collect()
    }
}

impl Rule {
    fn new(settings: RuleSettings) -> Self {
        let by_itself = settings.kind.needs().labels();
        let labels = if settings.labels.is_empty() {
            by_itself.iter().copied().collect()
        } else {
            settings.labels.clone()
        };
        let day = settings.kind.condition();
        let night = settings.night.as_ref().map(|kind| kind.condition());
        Self { settings, labels, day, night, open: None, held: None, incident: None, silent_until: None }
    }

    fn conditions(&mut self) -> impl Iterator<Item = &mut Box<dyn Condition>> {
        [Some(&mut self.day), self.night.as_mut()].into_iter().flatten()
    }

    fn step(&mut self, observed: &Observation, camera: &CameraId, notes: &mut Notes) -> Vec<Event> {
        let moment = Moment { at: observed.at, epoch: observed.epoch, tracks: observed.tracks, camera };
        // Conditions see every frame, so that they know the subjects that are there when the schedule begins.
        let findings = self.findings(observed, notes);
        let mut events = Vec::new();
        for open in [&mut self.open, &mut self.held].into_iter().flatten() {
            open.follow(observed);
        }
        if let Some(incident) = &mut self.incident {
            incident.follow(observed.epoch, observed.tracks, observed.at.monotonic);
        }
        if let Some(ended) = self.ended(observed.at) {
            events.extend(self.close(ended));
        }
        let cool_down = self.settings.cool_down;
        if self.open.is_none() && self.held.is_none() {
            self.incident.take_if(|incident| incident.is_over(observed.at.monotonic, cool_down));
        }
        events.extend(self.take(moment, findings, notes));
        events.extend(self.tell_further(observed.at));
        events
    }

    fn findings(&mut self, observed: &Observation, notes: &mut Notes) -> Vec<Finding> {
        let is_night = self.night.is_some() && self.settings.schedule.is_night(observed.at.wall);
        let view = RuleInput {
            at: observed.at.monotonic,
            place: &self.settings.place,
            labels: &self.labels,
            tracks: observed.tracks,
            static_objects: observed.static_objects,
            view_quality: observed.view_quality,
            ground: self.settings.ground.as_ref(),
        };
        let mut nobody = Notes::default();
        let [of_day, of_night] = if is_night { [&mut nobody, notes] } else { [notes, &mut nobody] };
        let day = self.day.step(&view, of_day);
        let night = self.night.as_mut().map(|night| night.step(&view, of_night));
        if is_night { night.unwrap_or_default() } else { day }
    }

    fn absent(&mut self, moment: Moment) -> Option<Event> {
        let at = moment.at.monotonic;
        let is_night = self.night.is_some() && self.settings.schedule.is_night(moment.at.wall);
        let findings: Vec<Option<Finding>> =
            self.conditions().map(|condition| condition.absent(at)).collect();
        let finding = findings.into_iter().nth(usize::from(is_night)).flatten()?;
        self.take(moment, vec![finding], &mut Notes::default())
    }

    /// Lets the findings of a step open an event, join the open one, or wait for the next one.
    fn take(&mut self, moment: Moment, mut findings: Vec<Finding>, notes: &mut Notes) -> Option<Event> {
        findings.retain_mut(|finding| self.is_about(finding, moment.tracks));
        if findings.is_empty() {
            return None;
        }
        if !self.settings.schedule.covers(moment.at.wall) {
            note(notes, &findings, moment.tracks, "outside of the schedule");
            return None;
        }
        let now = moment.at.monotonic;
        let silent_for = self.silent_until.filter(|until| now < *until && self.open.is_none());
        let waits = self.incident.as_ref().is_some_and(|incident| now < self.next_alert_at(incident));
        if self.open.is_none() && silent_for.is_none() && self.held.is_none() && !waits {
            return Some(self.open_with(moment, &findings));
        }
        let is_told_anew = self.open.is_none() && silent_for.is_none();
        findings.retain(|finding| !self.holds(moment, finding, is_told_anew));
        if let Some(open) = self.open.as_mut().filter(|_| !findings.is_empty()) {
            open.last_finding = moment.at;
            self.incident.iter_mut().for_each(|incident| incident.found_at = now);
        }
        if let Some(until) = silent_for {
            let seconds = until.since(now).as_secs_f32();
            note(notes, &findings, moment.tracks, &format!("within the cool-down, for {seconds:.1} s more"));
        }
        None
    }

    fn next_alert_at(&self, incident: &Incident) -> Monotonic {
        incident.next_alert_at(self.settings.cool_down)
    }

    /// Opens an event for all findings of a frame.
    fn open_with(&mut self, moment: Moment, findings: &[Finding]) -> Event {
        let mut open = Open::begin(&self.settings, moment, findings.first(), None);
        let incident = self.incident.get_or_insert_with(|| Incident::new(open.event.id, moment.at));
        if incident.first != open.event.id {
            open.event.follows = Some(incident.first);
            incident.told(moment.at.monotonic);
        }
        incident.found_at = moment.at.monotonic;
        for track in findings.iter().flat_map(|finding| everyone(finding, moment.tracks)) {
            incident.admits(moment.epoch, track);
            open.join(moment, track);
        }
        open.count(incident);
        let event = open.event();
        self.open = Some(open);
        event
    }

    /// Lets the subjects of a finding that are new to the incident wait for the next alert; all of them if it
    /// `is_told_anew`. Where subjects are not reported one by one, they join the open event. Returns true if a
    /// subject waits.
    fn holds(&mut self, moment: Moment, finding: &Finding, is_told_anew: bool) -> bool {
        let Some(incident) = &mut self.incident else { return false };
        let mut anybody = false;
        for track in everyone(finding, moment.tracks) {
            let is_new = incident.admits(moment.epoch, track);
            let waits_already = self.held.as_ref().is_some_and(|held| held.has(moment.epoch, track));
            let waits = waits_already || is_told_anew || (is_new && self.day.tells_of_each());
            let event = if waits {
                let held = self.held.get_or_insert_with(|| {
                    Open::begin(&self.settings, moment, Some(finding), Some(incident.first))
                });
                held.last_finding = moment.at;
                incident.found_at = moment.at.monotonic;
                anybody = true;
                Some(held)
            } else {
                self.open.as_mut().filter(|open| is_new || open.has(moment.epoch, track))
            };
            if let Some(event) = event {
                event.join(moment, track);
                if waits || is_new {
                    event.count(incident);
                }
            }
        }
        anybody
    }

    /// Reports the waiting subjects once the next alert is allowed: the event before closes, and theirs opens.
    fn tell_further(&mut self, at: Stamp) -> Vec<Event> {
        let is_due =
            self.incident.as_ref().is_some_and(|incident| at.monotonic >= self.next_alert_at(incident));
        if is_due { self.open_held(at) } else { Vec::new() }
    }

    fn open_held(&mut self, at: Stamp) -> Vec<Event> {
        let Some(mut held) = self.held.take() else { return Vec::new() };
        held.told_at = at;
        let before = self.close(at);
        if let Some(incident) = &mut self.incident {
            incident.told(at.monotonic);
        }
        let event = held.event();
        self.open = Some(held);
        before.into_iter().chain([event]).collect()
    }

    fn close_all(&mut self, at: Stamp) -> Vec<Event> {
        let mut events = self.open_held(at);
        events.extend(self.close(at));
        events
    }

    /// The last check before an alert: removes tracks that are not confirmed or not asked for. Returns false if no
    /// subject is left of a finding that had some.
    fn is_about(&self, finding: &mut Finding, tracks: &[Track]) -> bool {
        if finding.subjects.is_empty() && finding.gone.is_empty() {
            return true;
        }
        let wanted =
            |track: &Track| track.confirmed && (self.labels.is_empty() || self.labels.contains(&track.label));
        finding.subjects.retain(|index| tracks.get(*index).is_some_and(wanted));
        finding.gone.retain(wanted);
        !(finding.subjects.is_empty() && finding.gone.is_empty())
    }

    /// Returns the end of the open event, if it is over.
    fn ended(&self, now: Stamp) -> Option<Stamp> {
        let open = self.open.as_ref()?;
        let since = |then: Stamp| now.monotonic.since(then.monotonic);
        match self.day.ending() {
            Ending::AfterQuiet(quiet) => (since(open.last_finding) >= quiet).then_some(open.last_finding),
            Ending::AfterCoolDown => {
                (since(open.told_at) >= self.settings.cool_down).then_some(open.last_finding)
            }
            Ending::AtNextFrame => Some(now),
        }
    }

    fn close(&mut self, at: Stamp) -> Option<Event> {
        let event = self.open.take()?.event();
        let silence = match self.day.ending() {
            Ending::AfterQuiet(_) | Ending::AtNextFrame => self.settings.cool_down,
            Ending::AfterCoolDown => Duration::ZERO,
        };
        self.silent_until = Some(at.monotonic + silence);
        Some(Event { phase: Phase::Closed, closed_at: Some(at), ..event })
    }
}

impl Open {
    /// Creates an event without subjects, with the reason of its first finding.
    fn begin(
        settings: &RuleSettings,
        moment: Moment,
        finding: Option<&Finding>,
        follows: Option<AlertId>,
    ) -> Self {
        let RuleSettings { id, name, kind, place, severity, .. } = settings;
        let event = Event {
            id: AlertId::new(moment.at.wall.as_unix_millis()),
            phase: Phase::Opened,
            camera: moment.camera.clone(),
            rule: RuleRef { id: id.clone(), kind: kind.as_str().to_owned(), name: name.clone() },
            severity: *severity,
            opened_at: moment.at,
            closed_at: None,
            follows,
            subjects: Vec::new(),
            count: 0,
            zone: place.id().cloned(),
            why: finding.map_or(String::new(), |finding| finding.why.clone()),
            reason: finding.map(|finding| finding.reason.clone()),
        };
        Self { event, members: BTreeSet::new(), last_finding: moment.at, told_at: moment.at }
    }

    /// Returns the event with its paths thinned, for a report.
    fn event(&self) -> Event {
        let mut event = self.event.clone();
        paths::thin(&mut event.subjects);
        event
    }

    /// Sets the count of the incident, or the number of members if that is larger.
    fn count(&mut self, incident: &Incident) {
        self.event.count = incident.count.max(u32::try_from(self.members.len()).unwrap_or(u32::MAX));
    }

    fn has(&self, epoch: Epoch, track: &Track) -> bool {
        self.members.contains(&(epoch, track.id))
    }

    /// Extends the paths of its subjects.
    fn follow(&mut self, observed: &Observation) {
        for subject in &mut self.event.subjects {
            let is_member = self.members.contains(&(observed.epoch, subject.track));
            let track = observed.tracks.iter().find(|track| is_member && track.id == subject.track);
            if let Some(track) = track.filter(|track| track.last_seen == observed.at.monotonic) {
                subject.path = path(track);
            }
        }
    }

    /// Adds a subject that is new to the event; raises the score of a known one.
    fn join(&mut self, moment: Moment, track: &Track) {
        let event = &mut self.event;
        if self.members.insert((moment.epoch, track.id)) {
            if event.subjects.len() < SUBJECTS_MAX {
                event.subjects.push(subject(track, moment.at.monotonic));
            }
        } else if let Some(known) = event.subjects.iter_mut().find(|s| s.track == track.id) {
            known.score = known.score.max(rounded(track.score));
        }
    }
}

/// The live subjects of a finding, and those that are gone.
fn everyone<'a>(finding: &'a Finding, tracks: &'a [Track]) -> impl Iterator<Item = &'a Track> {
    finding.subjects.iter().filter_map(|index| tracks.get(*index)).chain(&finding.gone)
}

fn note(notes: &mut Notes, findings: &[Finding], tracks: &[Track], why: &str) {
    for finding in findings {
        everyone(finding, tracks).for_each(|track| notes.say(track, || why.to_owned()));
        if finding.subjects.is_empty() && finding.gone.is_empty() {
            notes.say_of_all(|| why.to_owned());
        }
    }
}

fn subject(track: &Track, at: Monotonic) -> Subject {
    let rect = track.rect.clamped();
    Subject {
        track: track.id,
        label: track.label,
        score: rounded(track.score),
        rect: Rect::new(rounded(rect.x), rounded(rect.y), rounded(rect.w), rounded(rect.h)),
        predicted: !track.is_seen_at(at),
        path: path(track),
    }
}

/// Rounds to 1/10,000, which is less than a pixel: messages go over links that are paid by the byte.
fn rounded(part: f32) -> f32 {
    (part * 10_000.0).round() / 10_000.0
}
