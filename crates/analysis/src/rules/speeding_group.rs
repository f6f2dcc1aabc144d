//! `speeding_group`: several two-wheelers that race through a zone together. Speed is measured on the picture: a hint
//! for a person who looks at the footage, and no proof.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Deserialize;

use super::crowd::plural;
use super::distances::{self, Gait};
use super::track_state::TrackStates;
use super::{Condition, Ending, Finding, Needs, Notes, RuleInput};
use super::thresholds::speeding_group::*;
use base::detection::Label;
use base::geometry::Point;
use base::ground::Ground;
use base::ids::TrackId;
use base::reason::{Code, Reason};
use base::time::Monotonic;
use base::track::{PathPoint, Track};

/// Labels of fast riders. A person as fast as that sits on a vehicle that the detector missed.
const FAST_LABELS: &[Label] = &[Label::TwoWheeler, Label::Person];

/// Numbers of a `speeding_group` rule.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Minimum number of vehicles.
    #[schemars(range(min = 1, max = 50))]
    pub count_min: u32,
    /// Time within which they pass, in seconds.
    #[schemars(range(min = 0.5, max = 60))]
    pub seconds_window: f32,
    /// Minimum speed of each of them, in kilometres an hour.
    #[schemars(range(min = 5, max = 200))]
    pub kmh_min: f32,
}

impl Default for Params {
    fn default() -> Self {
        Self { count_min: 3, seconds_window: 4.0, kmh_min: 60.0 }
    }
}

impl Params {
    pub(super) fn needs(&self) -> Needs {
        Needs { ground: Some("speed is measured by it"), ..Needs::zone(FAST_LABELS) }
    }
}

/// The speed of each track, and the fast ones.
#[derive(Debug)]
pub(super) struct Watch {
    params: Params,
    runs: TrackStates<Run>,
    fast: VecDeque<Fast>,
}

#[derive(Debug, Default)]
struct Run {
    gait: Gait,
    /// Points of its latest way through the zone.
    points: VecDeque<PathPoint>,
    /// The best measured speed of the track.
    best: Option<Speed>,
}

#[derive(Debug, Clone, Copy)]
struct Speed {
    at: Monotonic,
    kmh: f32,
    /// The measured way, in metres.
    way: [f32; 2],
}

/// A rider who was fast enough.
#[derive(Debug)]
struct Fast {
    track: Track,
    /// The best measured speed, with the time at which it first was enough.
    speed: Speed,
    /// True if a finding names it.
    told: bool,
}

impl Run {
    fn examine(&mut self, point: &PathPoint, inside: bool, track: &Track, ground: &Ground) {
        if self.gait.leaps_to(point, distances::length(&track.rect)) || !inside {
            self.points.clear();
        }
        if !inside {
            return;
        }
        self.points.push_back(*point);
        while self.points.len() > POINTS_MAX
            || self.points.front().is_some_and(|first: &PathPoint| {
                distances::seconds(point.at.since(first.at)) > MEASURED_SECONDS_MAX
            })
        {
            self.points.pop_front();
        }
        let speed = self.points.front().and_then(|first| Speed::between(first, point, track, ground));
        if speed.is_some_and(|speed| self.best.is_none_or(|best| speed.kmh > best.kmh)) {
            self.best = speed;
        }
    }
}

impl Speed {
    /// Returns the speed from one point to the other, at the least: the way is reduced by the possible error of the foot points.
    /// `None` where the time is too short, or the speed is greater than any on a street.
    fn between(from: &PathPoint, to: &PathPoint, track: &Track, ground: &Ground) -> Option<Self> {
        let seconds = distances::seconds(to.at.since(from.at));
        let (start, place) = (ground.place(from.foot)?, ground.place(to.foot)?);
        let error = |foot: Point| ground.metres(foot, Point::new(foot.x, foot.y - FOOT_ERROR * track.rect.h));
        let error = error(from.foot)?.max(error(to.foot)?);
        let way = [place[0] - start[0], place[1] - start[1]];
        let kmh = (way[0].hypot(way[1]) - error) / seconds * 3.6;
        let is_measured = seconds >= MEASURED_SECONDS_MIN && kmh <= KMH_MAX;
        is_measured.then_some(Self { at: to.at, kmh, way })
    }
}

impl Fast {
    /// Returns true if both are one two-wheeler, with its track lost and found again.
    fn is_same(&self, other: &Self, ground: &Ground) -> bool {
        let [earlier, later] =
            if self.track.first_seen <= other.track.first_seen { [self, other] } else { [other, self] };
        let seconds = distances::seconds(later.track.first_seen.since(earlier.track.last_seen));
        let (Some(lost), Some(found)) = (earlier.track.path.last(), later.track.path.first()) else {
            return false;
        };
        let Some([lost, found]) = ground.place(lost.foot).zip(ground.place(found.foot)).map(<[_; 2]>::from)
        else {
            return false;
        };
        let Speed { way, kmh, .. } = earlier.speed;
        let on = seconds * kmh / 3.6 / way[0].hypot(way[1]).max(0.1);
        let off = [found[0] - lost[0] - on * way[0], found[1] - lost[1] - on * way[1]];
        later.track.first_seen > earlier.track.last_seen
            && seconds <= SAME_SECONDS
            && off[0].hypot(off[1]) <= SAME_METRES
    }
}

impl Watch {
    pub(super) fn new(params: Params) -> Self {
        Self { params, runs: TrackStates::new(), fast: VecDeque::new() }
    }

    /// Follows all tracks, and notes those that are fast enough.
    fn follow(&mut self, view: &RuleInput, ground: &Ground, notes: &mut Notes) {
        self.runs.begin(view.at, view.tracks);
        let Params { seconds_window, kmh_min, .. } = self.params;
        for (index, track) in view.tracks.iter().enumerate() {
            let (run, points) = self.runs.follow(track);
            for point in points {
                run.examine(point, view.place.contains(point.foot), track, ground);
            }
            let Some(speed) = run.best else { continue };
            if speed.kmh < kmh_min {
                if speed.kmh >= kmh_min / 2.0 && view.wants(track) {
                    notes.say(track, || format!("about {:.0} km/h ({kmh_min:.0} km/h needed)", speed.kmh));
                }
            } else if let Some(fast) = self.fast.iter_mut().find(|fast| fast.track.id == track.id) {
                let at = fast.speed.at;
                (fast.speed, fast.track) = (Speed { at, ..speed }, track.clone());
            } else if distances::seconds(view.at.since(speed.at)) <= seconds_window
                && view.finding(index, notes, Default::default).is_some()
            {
                self.fast.push_back(Fast { track: track.clone(), speed, told: false });
            }
        }
        while self.fast.len() > FAST_MAX
            || self.fast.front().is_some_and(|fast: &Fast| {
                distances::seconds(view.at.since(fast.speed.at)) > 2.0 * seconds_window
            })
        {
            self.fast.pop_front();
        }
    }

    /// Riders who were fast within the window up to `last`, in about its direction; each once.
    fn group(&self, last: &Fast, ground: &Ground) -> Vec<&Fast> {
        let mut group: Vec<&Fast> = Vec::new();
        for fast in &self.fast {
            let is_with = last.speed.at >= fast.speed.at
                && distances::is_enough(
                    self.params.seconds_window,
                    distances::seconds(last.speed.at.since(fast.speed.at)),
                )
                && distances::angle_degrees(last.speed.way, fast.speed.way) <= HEADING_DEGREES_MAX;
            if is_with && !group.iter().any(|member| member.is_same(fast, ground)) {
                group.push(fast);
            }
        }
        group
    }

    fn finding(&self, view: &RuleInput, group: &[&Fast]) -> Finding {
        let (why, reason) = self.why(group);
        let reason = reason.at(view.place.name());
        let mut finding = Finding { why, reason, ..Finding::default() };
        for member in group {
            match view.tracks.iter().position(|track| track.id == member.track.id && track.confirmed) {
                Some(index) if view.wants(&view.tracks[index]) => finding.subjects.push(index),
                _ => finding.gone.push(member.track.clone()),
            }
        }
        finding
    }

    fn why(&self, group: &[&Fast]) -> (String, Reason) {
        let Params { count_min, seconds_window, kmh_min } = self.params;
        let speeds = group.iter().map(|fast| fast.speed.kmh);
        let (slowest, fastest) =
            speeds.fold((f32::INFINITY, 0.0f32), |(least, most), kmh| (least.min(kmh), most.max(kmh)));
        let who = plural(group.iter().map(|fast| &fast.track));
        let why = format!(
            "{} {who} at about {slowest:.0} to {fastest:.0} km/h within {seconds_window:.0} s ({count_min} at \
             {kmh_min:.0} km/h needed), measured on the picture: a hint, not proof",
            group.len()
        );
        let reason = Reason::new(Code::SpeedingGroup)
            .with("count", group.len() as f32)
            .with("count_needed", count_min as f32)
            .with("kmh", slowest)
            .with("kmh_highest", fastest)
            .with("kmh_needed", kmh_min)
            .with("seconds", seconds_window);
        (why, reason)
    }
}

impl Condition for Watch {
    fn step(&mut self, view: &RuleInput, notes: &mut Notes) -> Vec<Finding> {
        // The configuration does not allow this case.
        let Some(ground) = view.ground else { return Vec::new() };
        self.follow(view, ground, notes);
        let mut findings = Vec::new();
        let mut told: Vec<TrackId> = Vec::new();
        for last in self.fast.iter().filter(|fast| !fast.told) {
            let group = self.group(last, ground);
            if group.len() >= self.params.count_min as usize {
                told.extend(group.iter().map(|member| member.track.id));
                findings.push(self.finding(view, &group));
            } else {
                let (count, count_min) = (group.len(), self.params.count_min);
                notes.say(&last.track, || {
                    format!("fast, {count} within the window with it ({count_min} needed)")
                });
            }
        }
        for fast in self.fast.iter_mut().filter(|fast| told.contains(&fast.track.id)) {
            fast.told = true;
        }
        // The largest first: the event opens with its words.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.subjects.len() + finding.gone.len()));
        findings
    }

    fn forget(&mut self) {
        self.runs.forget();
        self.fast.clear();
    }

    fn ending(&self) -> Ending {
        Ending::AfterCoolDown
    }
}
