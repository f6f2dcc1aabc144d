//! `wrong_way`: a vehicle goes against a lane's direction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::distances::{self, Gait};
use super::track_state::TrackStates;
use super::{Condition, Ending, Finding, Needs, Notes, RuleInput};
use super::thresholds::wrong_way::*;
use base::detection::Label;
use base::geometry::Point;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::PathPoint;

/// Numbers of a `wrong_way` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Direction of traffic: an arrow on the picture from its first point to its second, [x, y] each; [0, 0] is the
    /// picture's top left corner, [1, 1] its bottom right one.
    pub direction: Arrow,
    /// Minimum way against it, in lengths of the own box.
    #[serde(default = "default_lengths_min")]
    #[schemars(range(min = 0.5, max = 50))]
    pub lengths_min: f32,
    /// For how long, in seconds.
    #[serde(default = "default_seconds_min")]
    #[schemars(range(min = 0, max = 60))]
    pub seconds_min: f32,
    /// Minimum angle between its way and the direction, in degrees: 90 is across, 180 straight against it.
    #[serde(default = "default_angle_degrees_min")]
    #[schemars(range(min = 90, max = 180))]
    pub angle_degrees_min: f32,
}

fn default_lengths_min() -> f32 {
    1.2
}

fn default_seconds_min() -> f32 {
    1.0
}

fn default_angle_degrees_min() -> f32 {
    120.0
}

impl Params {
    /// Creates parameters with the usual numbers.
    pub fn new(direction: Arrow) -> Self {
        Self {
            direction,
            lengths_min: default_lengths_min(),
            seconds_min: default_seconds_min(),
            angle_degrees_min: default_angle_degrees_min(),
        }
    }

    pub(super) fn needs(&self) -> Needs {
        Needs::zone(&[Label::TwoWheeler, Label::Car, Label::LargeVehicle])
    }
}

/// An arrow on the picture, from one point to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "[[f32; 2]; 2]", into = "[[f32; 2]; 2]")]
#[schemars(with = "[[f32; 2]; 2]", extend("items" = { "type": "array", "minItems": 2, "maxItems": 2,
    "items": { "type": "number", "minimum": 0, "maximum": 1 } }))]
pub struct Arrow {
    from: Point,
    to: Point,
}

impl TryFrom<[[f32; 2]; 2]> for Arrow {
    type Error = &'static str;

    fn try_from([from, to]: [[f32; 2]; 2]) -> Result<Self, Self::Error> {
        let (from, to) = (Point::from(from), Point::from(to));
        let length = distances::apart(from, to);
        (length.is_finite() && length >= 0.01)
            .then_some(Self { from, to })
            .ok_or("direction is no arrow: give two points that are apart")
    }
}

impl From<Arrow> for [[f32; 2]; 2] {
    fn from(arrow: Arrow) -> Self {
        [arrow.from.into(), arrow.to.into()]
    }
}

impl Arrow {
    /// Its vector, in picture heights.
    fn way(&self) -> [f32; 2] {
        distances::way(self.from, self.to)
    }

    /// Position of a point along it, in picture heights.
    fn along(&self, point: Point) -> f32 {
        let ([ax, ay], [px, py]) = (self.way(), distances::way(self.from, point));
        (ax * px + ay * py) / ax.hypot(ay)
    }
}

/// The ways of all tracks.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    ways: TrackStates<Way>,
}

#[derive(Debug, Default)]
struct Way {
    gait: Gait,
    /// The point of its way through the zone that is furthest along the direction; from there on it goes against it.
    /// A U-turn begins there.
    peak: Option<PathPoint>,
    since_peak: Steps,
    inside_at: Option<Monotonic>,
    /// Its way against the direction, until that is reported.
    against: Option<Against>,
    told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Against {
    /// In picture heights.
    way: f32,
    lengths: f32,
    seconds: f32,
    degrees: f32,
    steps: Steps,
}

/// Steps between the points of a way, along the direction and against it: sums, and the longest step against it.
#[derive(Debug, Clone, Copy, Default)]
struct Steps {
    last: Option<f32>,
    back: f32,
    forth: f32,
    longest: f32,
}

impl Steps {
    /// Adds a point, given by its position along the direction.
    fn take(&mut self, along: f32) {
        let step = self.last.map_or(0.0, |last| along - last);
        self.last = Some(along);
        if step < 0.0 {
            self.back -= step;
            self.longest = self.longest.max(-step);
        } else {
            self.forth += step;
        }
    }

    fn are_its_own(&self) -> bool {
        self.longest <= STEP_MAX * self.back && self.forth <= FORTH_MAX * self.back
    }
}

impl Way {
    fn examine(&mut self, point: &PathPoint, inside: bool, length: f32, params: &Params) -> Option<Against> {
        if self.gait.leaps_to(point, length) {
            self.peak = None;
        }
        if !inside {
            let since = self.inside_at.map(|at| distances::seconds(point.at.since(at)));
            if since.is_none_or(|seconds| seconds > GAP_SECONDS) {
                self.peak = None;
            }
            return None;
        }
        self.inside_at = Some(point.at);
        let along = |point: &PathPoint| params.direction.along(point.foot);
        let peak = match self.peak {
            Some(peak) if along(&peak) > along(point) => peak,
            _ => {
                self.since_peak = Steps::default();
                *self.peak.insert(*point)
            }
        };
        self.since_peak.take(along(point));
        let way = distances::way(peak.foot, point.foot);
        let heights = way[0].hypot(way[1]);
        Some(Against {
            way: heights,
            lengths: heights / length,
            seconds: distances::seconds(point.at.since(peak.at)),
            degrees: distances::angle_degrees(way, params.direction.way()),
            steps: self.since_peak,
        })
    }
}

impl Params {
    fn is_met_by(&self, against: &Against) -> bool {
        against.lengths >= self.lengths_min
            && against.way >= WAY_MIN
            && distances::is_enough(against.seconds, self.seconds_min)
            && against.lengths >= PACE_MIN * against.seconds
            && against.degrees >= self.angle_degrees_min
            && against.steps.are_its_own()
    }

    fn reason(&self, against: &Against) -> Reason {
        Reason::new(Code::WrongWay)
            .for_seconds(against.seconds, self.seconds_min)
            .with("lengths", against.lengths)
            .with("lengths_needed", self.lengths_min)
            .with("degrees", against.degrees)
            .with("degrees_needed", self.angle_degrees_min)
    }

    fn numbers(&self, against: &Against) -> String {
        let Against { lengths, seconds, degrees, .. } = against;
        format!(
            "went {lengths:.1} of its lengths in {seconds:.1} s ({:.1} in {:.1} s needed), {degrees:.0} degrees off the \
             direction ({:.0} needed)",
            self.lengths_min, self.seconds_min, self.angle_degrees_min
        )
    }
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, ways: TrackStates::new() }
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        self.ways.begin(view.at, view.tracks);
        let params = &self.params;
        let mut findings = Vec::new();
        for (index, track) in view.tracks.iter().enumerate() {
            let length = distances::length(&track.rect);
            let (way, points) = self.ways.follow(track);
            let mut latest = None;
            for point in points {
                latest = way.examine(point, view.place.contains(point.foot), length, params);
                way.against = way.against.or(latest.filter(|latest| params.is_met_by(latest)));
            }
            if way.told {
                continue;
            }
            if let Some(against) = way.against {
                let finding = view.finding(index, notes, || {
                    let why = format!("{} {} {}", track.label, view.place.phrase(), params.numbers(&against));
                    (why, params.reason(&against).at(view.place.name()))
                });
                way.told = finding.is_some() || track.confirmed;
                findings.extend(finding);
            } else if let Some(latest) = latest.filter(|latest| latest.lengths >= 0.5) {
                notes.say(track, || params.numbers(&latest));
            }
        }
        findings
    }

    fn forget(&mut self) {
        self.ways.forget();
    }

    fn ending(&self) -> Ending {
        Ending::AfterCoolDown
    }
}
