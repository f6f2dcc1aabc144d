//! The interface of every rule kind: its input, its findings and its needs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::RuleArea;
use base::detection::Label;
use base::ground::Ground;
use base::ids::TrackId;
use base::reason::Reason;
use base::static_object::StaticObject;
use base::time::Monotonic;
use base::track::Track;
use base::view_quality::ViewQuality;

/// The condition of one rule kind.
///
/// It keeps its own memory of the tracks of one epoch, bounded by the number of live tracks. On every frame it
/// reports the tracks for which the condition holds.
pub trait Condition: Send {
    /// Processes one frame. A finding about a track that is not confirmed, or whose label the rule does not ask for,
    /// is a defect. `notes` receives the reasons for which a subject that came near gave no finding.
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding>;

    /// Called from time to time while there is no picture.
    fn absent(&mut self, _at: Monotonic) -> Option<Finding> {
        None
    }

    /// Drops its memory of tracks: a new epoch has begun, in which track ids mean other subjects.
    fn forget(&mut self);

    /// Returns the end condition of its events.
    fn ending(&self) -> Ending;

    /// Returns true if each subject is reported. A rule about the number of subjects only counts those that join.
    fn tells_of_each(&self) -> bool {
        true
    }
}

/// Input of a rule for one frame.
#[derive(Debug, Clone, Copy)]
pub struct RuleInput<'a> {
    /// Arrival time of the frame.
    pub at: Monotonic,
    /// Place to which the rule applies.
    pub place: &'a RuleArea,
    /// Labels that the rule asks for; empty means all.
    pub labels: &'a BTreeSet<Label>,
    /// All live tracks, confirmed or not.
    pub tracks: &'a [Track],
    /// Stationary objects that belong to no track: things that no network has a class for.
    pub static_objects: &'a [StaticObject],
    /// View quality of the camera, where it is measured.
    pub view_quality: Option<&'a ViewQuality>,
    /// The ground under the camera, where it is known.
    pub ground: Option<&'a Ground>,
}

impl RuleInput<'_> {
    /// Returns true if the rule asks for the track's label.
    pub(super) fn wants(&self, track: &Track) -> bool {
        self.labels.is_empty() || self.labels.contains(&track.label)
    }

    /// Returns the finding about one track for which all else holds. Returns `None` if the rule does not ask for its
    /// label or it is not confirmed.
    pub(super) fn finding(
        &self,
        index: usize,
        notes: &mut Notes,
        why: impl FnOnce() -> (String, Reason),
    ) -> Option<Finding> {
        let track = &self.tracks[index];
        if !self.wants(track) {
            notes.say(track, || format!("label {} is not asked for", track.label));
            None
        } else if !track.confirmed {
            notes.say(track, || "not confirmed".to_owned());
            None
        } else {
            let (why, reason) = why();
            Some(Finding { subjects: vec![index], gone: Vec::new(), why, reason })
        }
    }
}

/// A condition that holds on this frame: for one track, for a group of tracks, or for the camera itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Finding {
    /// Indices into the tracks of the view.
    pub subjects: Vec<usize>,
    /// Tracks that take part and are no longer live.
    pub gone: Vec<Track>,
    /// The reason with its numbers, for a person: one sentence without its full stop.
    pub why: String,
    /// The same reason as a code with numbers.
    pub reason: Reason,
}

/// The end condition of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// After so long without a finding; the cool-down follows.
    AfterQuiet(Duration),
    /// A cool-down after it opened: findings are momentary, and those within it belong together. The next finding
    /// opens the next event at once.
    AfterCoolDown,
    /// With the next frame: the rule is about a missing picture. The cool-down follows.
    AtNextFrame,
}

/// Reasons why there was no finding, for a person who tunes a rule. Costs nothing unless asked for.
#[derive(Debug, Default)]
pub struct Notes {
    lines: Option<Vec<(Option<TrackId>, String)>>,
}

impl Notes {
    /// Creates notes that are kept only if `asked`.
    pub(super) fn new(asked: bool) -> Self {
        Self { lines: asked.then(Vec::new) }
    }

    /// Adds a reason about one track.
    pub(super) fn say(&mut self, track: &Track, why: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((Some(track.id), why()));
        }
    }

    /// Adds a reason about the place or the camera as a whole.
    pub(super) fn say_of_all(&mut self, why: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((None, why()));
        }
    }

    /// Returns and removes all reasons since the last call.
    pub(super) fn take(&mut self) -> Vec<(Option<TrackId>, String)> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// Requirements of a rule kind, and its default subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Kind of place that it applies to.
    pub place: AreaNeed,
    /// Subjects of a rule that names no labels.
    pub about: About,
    /// Purpose for which it needs the camera's ground calibration.
    pub ground: Option<&'static str>,
}

/// Kinds of place to which a rule kind applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AreaNeed {
    /// To a zone, or everywhere.
    Anywhere,
    /// To a zone.
    Zone,
    /// To a tripwire.
    Tripwire,
    /// To the camera itself.
    Camera,
}

/// Default subjects of a rule kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// All labels.
    Everything,
    /// These labels.
    These(&'static [Label]),
    /// The camera itself: labels mean nothing to it.
    Camera,
}

impl Needs {
    /// Needs nothing; all labels.
    pub(super) const ANYWHERE: Self =
        Self { place: AreaNeed::Anywhere, about: About::Everything, ground: None };
    /// Applies to the camera itself.
    pub(super) const CAMERA: Self = Self { place: AreaNeed::Camera, about: About::Camera, ground: None };

    /// In a zone, about these labels.
    pub(super) const fn zone(labels: &'static [Label]) -> Self {
        Self { place: AreaNeed::Zone, about: About::These(labels), ground: None }
    }

    /// In a zone or everywhere, about these labels.
    pub(super) const fn anywhere(labels: &'static [Label]) -> Self {
        Self { place: AreaNeed::Anywhere, about: About::These(labels), ground: None }
    }

    /// Returns the labels of a rule that names none; empty means all.
    pub fn labels(&self) -> &'static [Label] {
        match self.about {
            About::These(labels) => labels,
            About::Everything | About::Camera => &[],
        }
    }
}
