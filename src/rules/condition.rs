//! What every kind of rule answers, and what it gets to see.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Place;
use crate::domain::detection::Label;
use crate::domain::ground::Ground;
use crate::domain::ids::TrackId;
use crate::domain::optics::Optics;
use crate::domain::remnant::Remnant;
use crate::domain::time::Monotonic;
use crate::domain::track::Track;

/// What one rule kind watches for.
///
/// It keeps its own memory of the tracks of one epoch, bounded by how many live at a time, and says on every look for
/// which of them the condition holds.
pub trait Condition: Send {
    /// Takes one look in. A finding about a track that is not confirmed, or whose label the rule does not ask for, is a
    /// defect. `notes` takes why there is no finding about somebody who came near.
    fn step(&mut self, view: &View, notes: &mut Notes) -> Vec<Finding>;

    /// Told from time to time while there is no picture.
    fn absent(&mut self, _at: Monotonic) -> Option<Finding> {
        None
    }

    /// Drops its memory of tracks: a new epoch has begun, and track ids mean others.
    fn forget(&mut self);

    /// When its events end.
    fn ending(&self) -> Ending;

    /// Whether each subject is told of. Where it is about how many there are, who joins is only counted.
    fn tells_of_each(&self) -> bool {
        true
    }
}

/// What a rule gets to see of one look.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// When the frame arrived.
    pub at: Monotonic,
    /// Where the rule applies.
    pub place: &'a Place,
    /// Which labels it is about; empty means all.
    pub labels: &'a BTreeSet<Label>,
    /// All live tracks, confirmed or not.
    pub tracks: &'a [Track],
    /// What has come to stand and is no track's: things that no network has a class for.
    pub standing: &'a [Remnant],
    /// How the camera itself sees, where that is measured.
    pub optics: Option<&'a Optics>,
    /// The ground under the camera, where it is known.
    pub ground: Option<&'a Ground>,
}

impl View<'_> {
    /// Whether the rule is about it.
    pub(super) fn wants(&self, track: &Track) -> bool {
        self.labels.is_empty() || self.labels.contains(&track.label)
    }

    /// The finding about one track for which all else holds, unless the rule is not about it.
    pub(super) fn finding(
        &self,
        index: usize,
        notes: &mut Notes,
        why: impl FnOnce() -> String,
    ) -> Option<Finding> {
        let track = &self.tracks[index];
        if !self.wants(track) {
            notes.say(track, || format!("label {} is not asked for", track.label));
            None
        } else if !track.confirmed {
            notes.say(track, || "not confirmed".to_owned());
            None
        } else {
            Some(Finding { subjects: vec![index], gone: Vec::new(), why: why() })
        }
    }
}

/// That a condition holds on this look: for one track, for a group of them, or for the camera itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Finding {
    /// Which of the tracks handed in.
    pub subjects: Vec<usize>,
    /// Who takes part and is not among them any more.
    pub gone: Vec<Track>,
    /// Why, with its numbers, for a person: one sentence without its full stop.
    pub why: String,
}

/// When an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Once there has been no finding for so long; the cool-down follows.
    AfterQuiet(Duration),
    /// A cool-down after it opened: findings are momentary, and those within it belong together. The next one opens
    /// the next event at once.
    AfterCoolDown,
    /// With the next look: it is about a picture that does not come. The cool-down follows.
    AtNextLook,
}

/// Why there was no finding, for whoever tunes a rule; costs nothing where nobody asks.
#[derive(Debug, Default)]
pub struct Notes {
    lines: Option<Vec<(Option<TrackId>, String)>>,
}

impl Notes {
    /// Takes what is said, if `asked`.
    pub(super) fn new(asked: bool) -> Self {
        Self { lines: asked.then(Vec::new) }
    }

    /// About one track.
    pub(super) fn say(&mut self, track: &Track, why: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((Some(track.id), why()));
        }
    }

    /// About the place or the camera as a whole.
    pub(super) fn say_of_all(&mut self, why: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((None, why()));
        }
    }

    /// All that was said since the last time.
    pub(super) fn take(&mut self) -> Vec<(Option<TrackId>, String)> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// What a kind of rule needs, and what it is about by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Where it applies.
    pub place: PlaceNeed,
    /// What it is about where the rule names no labels.
    pub about: About,
    /// What it needs the camera's ground calibration for.
    pub ground: Option<&'static str>,
}

/// Where a kind of rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceNeed {
    /// To a zone, or everywhere.
    Anywhere,
    /// To a zone.
    Zone,
    /// To a tripwire.
    Tripwire,
    /// To the camera itself.
    Camera,
}

/// What a kind of rule is about by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Whatever there is.
    Everything,
    /// These labels.
    These(&'static [Label]),
    /// The camera itself: labels mean nothing to it.
    Camera,
}

impl Needs {
    /// Needs nothing, and is about everything.
    pub(super) const ANYWHERE: Self =
        Self { place: PlaceNeed::Anywhere, about: About::Everything, ground: None };
    /// Is about the camera itself.
    pub(super) const CAMERA: Self = Self { place: PlaceNeed::Camera, about: About::Camera, ground: None };

    /// In a zone, about these labels.
    pub(super) const fn zone(labels: &'static [Label]) -> Self {
        Self { place: PlaceNeed::Zone, about: About::These(labels), ground: None }
    }

    /// In a zone or everywhere, about these labels.
    pub(super) const fn anywhere(labels: &'static [Label]) -> Self {
        Self { place: PlaceNeed::Anywhere, about: About::These(labels), ground: None }
    }

    /// The labels that it is about where the rule names none; empty means all.
    pub fn labels(&self) -> &'static [Label] {
        match self.about {
            About::These(labels) => labels,
            About::Everything | About::Camera => &[],
        }
    }
}
