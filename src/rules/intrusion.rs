//! `intrusion`: a subject stays in a zone.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Ending, Finding, Place};
use crate::domain::geometry::Point;
use crate::domain::ids::TrackId;
use crate::domain::time::Monotonic;
use crate::domain::track::{PathPoint, Track};

/// A subject that is out of the zone for less than this has not left it.
const GAP: Duration = Duration::from_millis(700);
/// The event is over when nobody was in the zone for this long.
const QUIET: Duration = Duration::from_secs(3);

/// Numbers of an `intrusion` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How long a subject must have been in the zone, in seconds.
    pub seconds_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { seconds_min: 1.0 }
    }
}

/// Who is in the zone, and since when.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    stays: BTreeMap<TrackId, Stay>,
}

#[derive(Debug, Default)]
struct Stay {
    /// Time of the newest path point that was looked at.
    examined: Option<Monotonic>,
    /// First and latest point in the zone, since the subject last entered it.
    inside: Option<(Monotonic, Monotonic)>,
}

impl Stay {
    /// Not having been seen for a while is not leaving; being seen outside for longer than the gap is.
    fn examine(&mut self, point: &PathPoint, inside: bool) {
        self.examined = Some(point.at);
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
        Self { params, stays: BTreeMap::new() }
    }
}

impl Condition for Watch {
    fn step(&mut self, at: Monotonic, place: &Place, tracks: &[Track]) -> Vec<Finding> {
        self.stays.retain(|id, _| tracks.iter().any(|track| track.id == *id));
        let mut findings = Vec::new();
        for (index, track) in tracks.iter().enumerate() {
            let stay = self.stays.entry(track.id).or_default();
            let examined = stay.examined;
            for point in track.path.iter().filter(|p| examined.is_none_or(|at| p.at > at)) {
                stay.examine(point, contains(place, point.foot));
            }
            let Some((entered, latest)) = stay.inside else { continue };
            let seconds = latest.since(entered).as_secs_f32();
            // A look's time is rounded to nanoseconds: half a millisecond is no reason to wait for the next one.
            let enough = seconds + 0.0005 >= self.params.seconds_min;
            if track.confirmed && enough && at.since(latest) <= GAP {
                findings.push(Finding { index, why: self.why(track, place, seconds) });
            }
        }
        findings
    }

    fn forget(&mut self) {
        self.stays.clear();
    }

    fn ending(&self) -> Ending {
        Ending::AfterQuiet(QUIET)
    }
}

impl Watch {
    fn why(&self, track: &Track, place: &Place, seconds: f32) -> String {
        let place = match place {
            Place::Zone(zone) => format!("in \"{}\"", zone.name),
            _ => "on the picture".to_owned(),
        };
        format!("{} {place} for {seconds:.1} s ({:.1} s needed)", track.label, self.params.seconds_min)
    }
}

fn contains(place: &Place, foot: Point) -> bool {
    match place {
        Place::Everywhere => true,
        Place::Zone(zone) => zone.polygon.contains(foot),
        // A line has no inside; the configuration does not let it come to this.
        Place::Tripwire(_) => false,
    }
}
