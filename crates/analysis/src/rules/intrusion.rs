//! `intrusion`: a subject stays in a zone.


use schemars::JsonSchema;
use serde::Deserialize;

use super::track_state::TrackStates;
use super::{Condition, Ending, Finding, Needs, Notes, RuleInput, distances};
use super::thresholds::intrusion::*;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::PathPoint;

/// Numbers of an `intrusion` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Minimum time for which a subject has been in the zone, in seconds.
    #[schemars(range(min = 0, max = 3600))]
    pub seconds_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 1.0 }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs::ANYWHERE
    }
}

/// The stay of each track in the zone.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    stays: TrackStates<Stay>,
}

#[derive(Debug, Default)]
struct Stay {
    /// First and latest point in the zone, since the subject last entered it.
    inside: Option<(Monotonic, Monotonic)>,
}

impl Stay {
    /// Adds a point. Being seen outside for longer than the gap ends the stay; not being seen does not.
    fn examine(&mut self, point: &PathPoint, inside: bool) {
        match &mut self.inside {
            Some((_, latest)) if inside => *latest = point.at,
            Some((_, latest)) if point.at.since(*latest) > GAP => self.inside = None,
            None if inside => self.inside = Some((point.at, point.at)),
            _ => {}
        }
    }
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, stays: TrackStates::new() }
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        self.stays.begin(view.at, view.tracks);
        let mut findings = Vec::new();
        for (index, track) in view.tracks.iter().enumerate() {
            let (stay, points) = self.stays.follow(track);
            for point in points {
                stay.examine(point, view.place.contains(point.foot));
            }
            let Some((entered, latest)) = stay.inside else { continue };
            let seconds = distances::seconds(latest.since(entered));
            let where_and_how_long = || {
                format!(
                    "{} for {seconds:.1} s ({:.1} s needed)",
                    view.place.phrase(),
                    self.params.seconds_min
                )
            };
            if view.at.since(latest) > GAP {
                continue;
            }
            if distances::is_enough(seconds, self.params.seconds_min) {
                let finding = view.finding(index, notes, || {
                    let reason = Reason::new(Code::InZone).at(view.place.name());
                    let reason = reason.for_seconds(seconds, self.params.seconds_min);
                    (format!("{} {}", track.label, where_and_how_long()), reason)
                });
                findings.extend(finding);
            } else {
                notes.say(track, where_and_how_long);
            }
        }
        findings
    }

    fn forget(&mut self) {
        self.stays.forget();
    }

    fn ending(&self) -> Ending {
        Ending::AfterQuiet(QUIET)
    }
}
