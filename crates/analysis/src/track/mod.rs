//! Detections into tracks: pure.
//!
//! Association in stages as ByteTrack does (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every
//! Detection Box", ECCV 2022): sure detections first, then the weak ones, which only continue known tracks. The
//! constant-velocity Kalman filter has noise that grows with the time that really passed, since inferences come at an
//! uneven rate. A last stage goes by distance, for small fast subjects with boxes that do not overlap between two
//! inferences. Most inferences see parts of the picture: tracks outside of them are neither missed nor confirmed.
//! Between inferences, a track that stands where nothing moves is taken to be there still. Called by `infer`, one
//! [`Tracker`] per camera. No I/O, no clock.

mod assignment;
mod association;
mod evidence;
mod kalman;
mod merge;
mod settings;
mod thresholds;

use base::appearance::Appearance;
use base::detection::{Detection, Label};
use base::geometry::{Point, Rect};
use base::ids::{Epoch, TrackId};
use base::picture::Picture;
use base::time::Monotonic;
use base::track::{Forecast, PathPoint, Track};

use crate::scenery::Scenery;
use association::Stage;
use evidence::Evidence;
use kalman::Motion;
pub use merge::subjects;
pub use settings::Settings;
use thresholds::*;

/// The tracks of one camera.
#[derive(Debug, Clone)]
pub struct Tracker {
    settings: Settings,
    epoch: Option<Epoch>,
    at: Monotonic,
    next_id: u64,
    alive: Vec<Alive>,
}

/// State of a track between two inferences.
#[derive(Debug, Clone)]
struct Alive {
    motion: Motion,
    /// Sum of scores per label, in the order of [`Label::ALL`].
    votes: [f32; Label::ALL.len()],
    evidence: Evidence,
    /// It was as fast as only wheels are.
    rode: bool,
    hits: u32,
    /// Seen in the inference that is being processed.
    seen: bool,
    /// Latest time at which an inference covered its expected place.
    inferred_at: Monotonic,
    /// Time for which such inferences have not found it.
    missed_seconds: f32,
    /// Latest time at which it is known to be there: seen, or at rest where nothing moved.
    known_at: Monotonic,
    /// The last point of the path is no detection: the track still stood there.
    held: bool,
    /// Place where it is staying, and since when.
    stay: (Rect, Monotonic),
    appearance: Option<Appearance>,
    track: Track,
}

/// The picture in a detection's box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surroundings {
    /// Its colours.
    pub appearance: Appearance,
    /// It is the scenery: the same as minutes ago.
    pub is_scenery: bool,
}

impl Surroundings {
    /// Compares the picture in a box with the scenery there.
    pub fn of(picture: &Picture, scenery: &Scenery, rect: &Rect) -> Self {
        let correlation = scenery.correlation(picture, rect);
        let is_scenery = correlation.is_some_and(|correlation| correlation >= SCENERY_CORRELATION);
        Self { appearance: Appearance::of(picture, rect), is_scenery }
    }
}

/// A detection, with its appearance if that is known.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    detection: Detection,
    appearance: Option<Appearance>,
    is_scenery: bool,
    /// Another one lies over it, or beneath it.
    shared: bool,
}

/// The whole picture, as the part seen by an inference.
const WHOLE: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);
impl Tracker {
    /// Creates a tracker without tracks.
    pub fn new(settings: Settings) -> Self {
        Self { settings, epoch: None, at: Monotonic::default(), next_id: 1, alive: Vec::new() }
    }

    /// Processes an inference on the whole picture: [`Tracker::take_inference`].
    pub fn take_whole(&mut self, at: Monotonic, epoch: Epoch, detections: &[Detection]) -> Vec<Track> {
        self.take_inference(at, epoch, &[WHOLE], detections, &[])
    }

    /// Processes the detections of one inference at time `at`, which saw the parts `inferred_at` of the picture.
    /// Returns all tracks that live after it: confirmed or not, seen in this inference (`last_seen == at`) or only
    /// predicted. A track whose expected box does not lie within one of these parts is not missed there.
    /// `surroundings` are those of the detections, in their order; where there are fewer, those of the others are
    /// unknown.
    ///
    /// A new epoch drops all tracks; ids go on counting. Detections that are not finite, have no area on the picture,
    /// or score below [`Settings::score_low`] are ignored; at most [`Settings::detections_max`] are used, best first.
    pub fn take_inference(
        &mut self,
        at: Monotonic,
        epoch: Epoch,
        inferred_at: &[Rect],
        detections: &[Detection],
        surroundings: &[Surroundings],
    ) -> Vec<Track> {
        let at = self.advance(at, epoch, None);
        let expected: Vec<bool> = self
            .alive
            .iter()
            .map(|alive| inferred_at.iter().any(|part| lies_in(&alive.track.rect, part)))
            .collect();
        let candidates = self.candidates(detections, surroundings);
        let left = self.associate(at, candidates);
        for (alive, _) in
            self.alive.iter_mut().zip(expected).filter(|(alive, expected)| *expected && !alive.seen)
        {
            alive.miss(at, &self.settings);
        }
        let score_start = self.settings.score_start;
        for candidate in left.iter().filter(|c| c.detection.score >= score_start) {
            if self.alive.len() < self.settings.tracks_max && !self.is_second_box(&candidate.detection) {
                self.start(at, candidate);
            }
        }
        self.alive.retain(|alive| alive.lives(at, &self.settings));
        self.tracks()
    }

    /// Processes a frame at time `at` without inference, in which `moving` moved. Tracks go on as predicted; one that
    /// is at rest, and that nothing stirred, stands there still. Returns all tracks that live.
    pub fn take_motion(&mut self, at: Monotonic, epoch: Epoch, moving: &[Rect]) -> Vec<Track> {
        let at = self.advance(at, epoch, Some(moving));
        self.alive.retain(|alive| alive.lives(at, &self.settings));
        self.tracks()
    }

    /// Returns the expected tracks at `at`, which is not before the latest inference or motion check.
    pub fn forecast(&self, at: Monotonic) -> Vec<Forecast> {
        let seconds = at.since(self.at).as_secs_f32();
        // A track that was never sure is no reason for an inference there, nor one that stays in doubt.
        let is_new = |alive: &Alive| at.since(alive.track.first_seen).as_secs_f32() <= DOUBT_SECONDS;
        self.alive
            .iter()
            .filter(|alive| alive.track.confirmed || (alive.evidence.was_sure() && is_new(alive)))
            .map(|alive| alive.forecast(seconds, &self.settings))
            .collect()
    }

    fn tracks(&self) -> Vec<Track> {
        self.alive.iter().map(|alive| alive.track.clone()).collect()
    }

    /// Moves all tracks on to `at`, or to the latest time so far: late input counts as simultaneous with it.
    fn advance(&mut self, at: Monotonic, epoch: Epoch, moving: Option<&[Rect]>) -> Monotonic {
        if self.epoch != Some(epoch) {
            self.alive.clear();
            self.epoch = Some(epoch);
            self.at = at;
        }
        let at = at.max(self.at);
        let seconds = at.since(self.at).as_secs_f32();
        self.at = at;
        for alive in &mut self.alive {
            alive.seen = false;
            let is_still = moving.is_some_and(|moving| alive.is_still(moving, &self.settings));
            if is_still {
                alive.hold(at, &self.settings);
            } else {
                alive.motion.predict(seconds, alive.travelled());
                alive.track.rect = alive.motion.rect().clamped();
            }
        }
        at
    }

    /// Valid detections, best first.
    fn candidates(&self, detections: &[Detection], surroundings: &[Surroundings]) -> Vec<Candidate> {
        let surroundings = surroundings.iter().copied().map(Some).chain(std::iter::repeat(None));
        let mut candidates: Vec<Candidate> = detections
            .iter()
            .zip(surroundings)
            .filter(|(d, _)| d.score.is_finite() && <[f32; 4]>::from(d.rect).iter().all(|v| v.is_finite()))
            .map(|(d, surroundings)| Candidate {
                detection: Detection { rect: d.rect.clamped(), score: d.score.min(1.0), ..*d },
                appearance: surroundings.map(|surroundings| surroundings.appearance),
                is_scenery: surroundings.is_some_and(|surroundings| surroundings.is_scenery),
                shared: false,
            })
            .filter(|c| c.detection.score >= self.settings.score_low && c.detection.rect.area() > 0.0)
            .collect();
        candidates.sort_by(|a, b| b.detection.score.total_cmp(&a.detection.score));
        candidates.truncate(self.settings.detections_max);
        let rects: Vec<Rect> = candidates.iter().map(|c| c.detection.rect).collect();
        for (index, candidate) in candidates.iter_mut().enumerate() {
            let rect = rects[index];
            candidate.shared = rects
                .iter()
                .enumerate()
                .any(|(i, other)| i != index && other.intersection(&rect) > SHARED * rect.area());
        }
        candidates
    }

    /// Returns true if it is probably a second box of a subject that was seen in this inference. Two subjects that
    /// stand close are both sure.
    fn is_second_box(&self, detection: &Detection) -> bool {
        let overlap = if detection.score < SECOND_SCORE { SECOND_OVERLAP_UNSURE } else { SECOND_OVERLAP };
        let mut known = self.alive.iter().filter(|alive| alive.seen && alive.track.confirmed);
        known.any(|alive| {
            let rect = &alive.track.rect;
            let is_part = detection.label == Label::TwoWheeler
                && alive.track.label == Label::TwoWheeler
                && detection.rect.h < PART_HEIGHT * rect.h
                && (detection.rect.bottom() - rect.bottom()).abs() < PART_FOOT * rect.h
                && rect.intersection(&detection.rect) > PART * detection.rect.area();
            is_part || rect.iou(&detection.rect) > overlap
        })
    }

    /// Continues tracks stage by stage: [`Stage`]. Returns the detections that continue no track.
    fn associate(&mut self, at: Monotonic, candidates: Vec<Candidate>) -> Vec<Candidate> {
        let mut left = candidates;
        // Confirmed tracks choose first by overlap; by distance alone all choose together.
        let overlapping = [Stage::Sure, Stage::Weak];
        let stages = [true, false].into_iter().flat_map(|c| overlapping.map(|stage| (stage, Some(c))));
        for (stage, confirmed) in stages.chain([(Stage::Near, None)]) {
            let unseen = (0..self.alive.len()).filter(|i| !self.alive[*i].seen);
            let waiting: Vec<usize> = unseen
                .filter(|i| confirmed.is_none_or(|confirmed| self.alive[*i].track.confirmed == confirmed))
                .collect();
            let (offered, rest): (Vec<Candidate>, Vec<Candidate>) = left
                .into_iter()
                .partition(|c| (c.detection.score >= self.settings.score_high) != (stage == Stage::Weak));
            let tracks: Vec<&Alive> = waiting.iter().map(|i| &self.alive[*i]).collect();
            let pairs = association::pairs(stage, at, &tracks, &offered, &self.settings);
            let mut taken = vec![false; offered.len()];
            for (row, column) in pairs {
                taken[column] = true;
                self.alive[waiting[row]].see(at, &offered[column], &self.settings);
            }
            left = rest;
            left.extend(offered.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|(d, _)| d));
        }
        left
    }

    /// Estimates the pace of a new rider in sizes a second, across and down, from the riders that stream past beside
    /// him, if they agree. Beside a car, by so many of its sizes, others come the other way.
    fn flow(&self, detection: &Detection) -> Option<[f32; 2]> {
        let rides = |label| matches!(label, Label::Person | Label::TwoWheeler);
        if !rides(detection.label) {
            return None;
        }
        let stream = self.alive.iter().filter(|alive| {
            let is_going = alive.seen && alive.track.confirmed && alive.motion.pace() >= FLOW_PACE;
            is_going && rides(alive.track.label)
        });
        let centre = detection.rect.centre();
        let (mut sum, mut paces, mut count) = ([0.0, 0.0], 0.0, 0.0);
        for alive in stream {
            let Rect { w, h, .. } = alive.motion.rect();
            let (sx, sy) = kalman::scales(w.max(detection.rect.w), h.max(detection.rect.h));
            let there = alive.motion.rect().centre();
            if ((there.x - centre.x) / sx).hypot((there.y - centre.y) / sy) <= FLOW_SIZES {
                // A rider twice as near is twice as large, and makes twice as many of its sizes a second.
                let larger =
                    (detection.rect.area() / (w * h).max(1e-9)).sqrt().clamp(1.0 / FLOW_LARGER, FLOW_LARGER);
                let [x, y] = alive.motion.paces().map(|pace| pace * larger);
                (sum, paces, count) = ([sum[0] + x, sum[1] + y], paces + x.hypot(y), count + 1.0);
            }
        }
        let agree = count > 0.0 && sum[0].hypot(sum[1]) >= FLOW_AGREE * paces;
        agree.then(|| sum.map(|pace| pace / count))
    }

    fn start(&mut self, at: Monotonic, candidate: &Candidate) {
        let detection = &candidate.detection;
        let track = Track {
            id: TrackId(self.next_id),
            label: detection.label,
            score: detection.score,
            rect: detection.rect,
            velocity: Point::new(0.0, 0.0),
            confirmed: false,
            first_seen: at,
            last_seen: at,
            path: Vec::new(),
        };
        self.next_id += 1;
        let mut motion = Motion::new(&detection.rect, detection.score);
        if let Some(pace) = self.flow(detection) {
            motion.start(pace);
        }
        let mut alive = Alive {
            motion,
            votes: [0.0; Label::ALL.len()],
            evidence: Evidence::new(&detection.rect),
            rode: false,
            hits: 0,
            seen: true,
            inferred_at: at,
            missed_seconds: 0.0,
            known_at: at,
            held: false,
            stay: (detection.rect, at),
            appearance: None,
            track,
        };
        alive.note(at, candidate, &self.settings);
        self.alive.push(alive);
    }
}

impl Alive {
    /// Continues with a detection.
    fn see(&mut self, at: Monotonic, candidate: &Candidate, settings: &Settings) {
        self.motion.correct(&candidate.detection.rect, candidate.detection.score);
        self.note(at, candidate, settings);
    }

    /// Records a detection: path, label, evidence and confirmation; the filter is already corrected.
    fn note(&mut self, at: Monotonic, candidate: &Candidate, settings: &Settings) {
        let detection = &candidate.detection;
        self.hits += 1;
        match (&mut self.appearance, candidate.appearance) {
            (Some(own), Some(now)) if !candidate.shared => own.approach(&now, LEARN),
            (Some(_), _) => {}
            (own, now) => *own = now,
        }
        (self.seen, self.missed_seconds, self.held) = (true, 0.0, false);
        (self.inferred_at, self.known_at) = (at, at);
        for (vote, label) in self.votes.iter_mut().zip(Label::ALL) {
            *vote += if label == detection.label { detection.score } else { 0.0 };
        }
        self.track.path.push(PathPoint { at, foot: detection.rect.foot() });
        thin(&mut self.track.path, settings.path_points_max);
        self.rode |= self.travelled().is_some_and(|pace| pace >= ON_WHEELS);
        let label = self.named();
        let track = &mut self.track;
        track.label = label;
        track.score = detection.score;
        track.rect = self.motion.rect().clamped();
        track.velocity = self.motion.velocity();
        track.last_seen = at;
        let age = at.since(track.first_seen).as_secs_f32();
        let is_sure = detection.score >= settings.score_high;
        self.evidence.seen(&detection.rect, detection.score, is_sure, candidate.is_scenery);
        let often = self.hits >= settings.hits_min && age >= settings.confirm_seconds_min;
        let sum: f32 = self.votes.iter().sum();
        let are_sure = sum >= settings.score_high * self.hits as f32;
        let apart = self.hits >= 2 && are_sure && age >= settings.confirm_seconds_of_two;
        let is_enough = self.evidence.is_enough(label);
        track.confirmed |= (often || apart) && is_enough;
        if self.stay.0.iou(&track.rect) < settings.rest_iou_min {
            self.stay = (track.rect, at);
        }
    }

    /// Returns the label with the highest sum of scores. A rider who is called a two-wheeler now and then is one.
    fn named(&self) -> Label {
        let of = |label: Label| {
            self.votes.iter().zip(Label::ALL).find(|(_, l)| *l == label).map_or(0.0, |(v, _)| *v)
        };
        let (person, two_wheeler) = (of(Label::Person), of(Label::TwoWheeler));
        if self.rode && two_wheeler > 0.0 && two_wheeler >= RIDER_PART * (person + two_wheeler) {
            return Label::TwoWheeler;
        }
        let best = self.votes.iter().zip(Label::ALL).max_by(|a, b| a.0.total_cmp(b.0));
        best.map_or(self.track.label, |(_, label)| label)
    }

    /// Returns the pace from its place a second ago, or a little longer, to its last sight, in sizes a second; `None`
    /// before that time has passed.
    fn travelled(&self) -> Option<f32> {
        let path = &self.track.path;
        let last = path.last()?;
        let then =
            path.iter().rev().find(|point| last.at.since(point.at).as_secs_f32() >= TRAVELLED_SECONDS)?;
        let (w, h) = self.size();
        let (sx, sy) = kalman::scales(w, h);
        let sizes = ((last.foot.x - then.foot.x) / sx).hypot((last.foot.y - then.foot.y) / sy);
        Some(sizes / last.at.since(then.at).as_secs_f32())
    }

    /// Records an inference at its place that did not find it.
    fn miss(&mut self, at: Monotonic, settings: &Settings) {
        let since = at.since(self.inferred_at).as_secs_f32();
        self.missed_seconds += since.min(settings.miss_seconds_max);
        self.evidence.missed();
        self.inferred_at = at;
    }

    /// A track that no inference has covered since it moved is not at rest.
    fn is_at_rest(&self, settings: &Settings) -> bool {
        self.track.confirmed && self.known_at.since(self.stay.1).as_secs_f32() >= settings.rest_seconds_min
    }

    /// At rest where nothing moves, and not missed there.
    fn is_still(&self, moving: &[Rect], settings: &Settings) -> bool {
        let rect = &self.track.rect;
        self.missed_seconds == 0.0
            && self.is_at_rest(settings)
            && !moving.iter().any(|region: &Rect| region.intersection(rect) > STIRRED * rect.area())
    }

    /// Keeps it where it was last seen.
    fn hold(&mut self, at: Monotonic, settings: &Settings) {
        self.motion.rest();
        self.known_at = at;
        let track = &mut self.track;
        track.velocity = Point::new(0.0, 0.0);
        let Some(last) = track.path.last_mut() else { return };
        if self.held {
            last.at = at;
        } else {
            let foot = last.foot;
            track.path.push(PathPoint { at, foot });
            thin(&mut track.path, settings.path_points_max);
            self.held = true;
        }
    }

    fn forecast(&self, seconds: f32, settings: &Settings) -> Forecast {
        let mut motion = self.motion.clone();
        motion.predict(seconds, self.travelled());
        Forecast {
            id: self.track.id,
            rect: motion.rect().clamped(),
            speed: motion.pace(),
            confirmed: self.track.confirmed,
            at_rest: self.is_at_rest(settings),
            missed: self.missed_seconds > 0.0,
            inferred_at: self.inferred_at,
        }
    }

    fn lives(&self, at: Monotonic, settings: &Settings) -> bool {
        let allowed =
            if self.track.confirmed { settings.lost_seconds_max } else { settings.unconfirmed_seconds_max };
        let unknown = at.since(self.known_at).as_secs_f32();
        let centre = self.motion.rect().centre();
        let on_picture = |v: f32| (-0.02..=1.02).contains(&v);
        self.missed_seconds <= allowed
            && unknown <= settings.without_inference_seconds_max
            && (self.seen || (on_picture(centre.x) && on_picture(centre.y)))
    }

    /// Width and height of the filter's box.
    fn size(&self) -> (f32, f32) {
        let Rect { w, h, .. } = self.motion.rect();
        (w, h)
    }
}

/// Returns true if `part` shows all of `rect`, but for rounding.
fn lies_in(rect: &Rect, part: &Rect) -> bool {
    const ROUNDING: f32 = 1e-4;
    rect.x >= part.x - ROUNDING
        && rect.y >= part.y - ROUNDING
        && rect.right() <= part.right() + ROUNDING
        && rect.bottom() <= part.bottom() + ROUNDING
}

/// Drops every second point of the older half once there are too many; the oldest and the newer half stay.
fn thin(path: &mut Vec<PathPoint>, points_max: usize) {
    if path.len() > points_max.max(2) {
        let half = path.len() / 2;
        let mut index = 0;
        path.retain(|_| {
            index += 1;
            index > half || index % 2 == 1
        });
    }
}

#[cfg(test)]
mod tests;
