//! Detections into tracks: pure.
//!
//! Association in stages as ByteTrack does (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every
//! Detection Box", ECCV 2022): sure detections first, then the weak ones that only continue what is known; with a
//! constant-velocity Kalman filter whose noise grows with the time that really passed, since the box's looks come at an
//! uneven rate; and a last stage by distance, for small fast subjects whose boxes do not overlap between two looks.
//! Called by `agent`, one [`Tracker`] per camera. No I/O, no clock.

mod assignment;
mod association;
mod kalman;
mod merge;
mod settings;

use crate::domain::detection::{Detection, Label};
use crate::domain::geometry::{Point, Rect};
use crate::domain::ids::{Epoch, TrackId};
use crate::domain::time::Monotonic;
use crate::domain::track::{PathPoint, Track};

use association::Stage;
use kalman::Motion;
pub use merge::merge_riders;
pub use settings::Settings;

/// The tracks of one camera.
#[derive(Debug, Clone)]
pub struct Tracker {
    settings: Settings,
    epoch: Option<Epoch>,
    at: Monotonic,
    next_id: u64,
    alive: Vec<Alive>,
}

/// A track between two looks.
#[derive(Debug, Clone)]
struct Alive {
    motion: Motion,
    /// Sum of scores per label, in the order of [`Label::ALL`].
    votes: [f32; Label::ALL.len()],
    hits: u32,
    /// On the look that is being taken in.
    seen: bool,
    track: Track,
}

impl Tracker {
    /// A tracker that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, epoch: None, at: Monotonic::default(), next_id: 1, alive: Vec::new() }
    }

    /// Takes the detections of one look at time `at` and gives all tracks that live after it: confirmed or not, seen
    /// on this look (`last_seen == at`) or only predicted.
    ///
    /// A new epoch drops all tracks; ids go on counting. Detections that are not finite, have no area on the picture,
    /// or score below [`Settings::score_low`] are ignored; at most [`Settings::detections_max`] are used, best first.
    pub fn update(&mut self, at: Monotonic, epoch: Epoch, detections: &[Detection]) -> Vec<Track> {
        if self.epoch != Some(epoch) {
            self.alive.clear();
            self.epoch = Some(epoch);
            self.at = at;
        }
        // A look that comes late counts as simultaneous with the one before.
        let at = at.max(self.at);
        let seconds = at.since(self.at).as_secs_f32();
        self.at = at;
        for alive in &mut self.alive {
            alive.seen = false;
            alive.motion.predict(seconds);
            alive.track.rect = alive.motion.rect().clamped();
        }
        let detections = self.usable(detections);
        let left = self.associate(at, &detections);
        let score_high = self.settings.score_high;
        for detection in left.iter().filter(|d| d.score >= score_high) {
            if self.alive.len() < self.settings.tracks_max {
                self.start(at, detection);
            }
        }
        self.alive.retain(|alive| alive.lives(at, &self.settings));
        self.alive.iter().map(|alive| alive.track.clone()).collect()
    }

    /// Clean, riders merged with what they ride, best first.
    fn usable(&self, detections: &[Detection]) -> Vec<Detection> {
        let mut usable: Vec<Detection> = detections
            .iter()
            .filter(|d| d.score.is_finite() && <[f32; 4]>::from(d.rect).iter().all(|v| v.is_finite()))
            .map(|d| Detection { rect: d.rect.clamped(), score: d.score.min(1.0), ..*d })
            .filter(|d| d.score >= self.settings.score_low && d.rect.w > 0.0 && d.rect.h > 0.0)
            .collect();
        usable.sort_by(|a, b| b.score.total_cmp(&a.score));
        usable.truncate(self.settings.detections_max);
        merge_riders(&usable)
    }

    /// Continues tracks stage by stage; gives the detections that none of them wanted.
    fn associate(&mut self, at: Monotonic, detections: &[Detection]) -> Vec<Detection> {
        let mut left = detections.to_vec();
        for stage in [Stage::Sure, Stage::Weak, Stage::Near] {
            let waiting: Vec<usize> = (0..self.alive.len()).filter(|i| !self.alive[*i].seen).collect();
            let (offered, rest): (Vec<Detection>, Vec<Detection>) = left
                .into_iter()
                .partition(|d| (d.score >= self.settings.score_high) != (stage == Stage::Weak));
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

    fn start(&mut self, at: Monotonic, detection: &Detection) {
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
        let motion = Motion::new(&detection.rect);
        let mut alive = Alive { motion, votes: [0.0; Label::ALL.len()], hits: 0, seen: true, track };
        alive.note(at, detection, &self.settings);
        self.alive.push(alive);
    }
}

impl Alive {
    /// Continues with a detection.
    fn see(&mut self, at: Monotonic, detection: &Detection, settings: &Settings) {
        self.motion.correct(&detection.rect);
        self.note(at, detection, settings);
    }

    fn note(&mut self, at: Monotonic, detection: &Detection, settings: &Settings) {
        self.hits += 1;
        self.seen = true;
        for (vote, label) in self.votes.iter_mut().zip(Label::ALL) {
            *vote += if label == detection.label { detection.score } else { 0.0 };
        }
        let best = self.votes.iter().zip(Label::ALL).max_by(|a, b| a.0.total_cmp(b.0));
        let track = &mut self.track;
        track.label = best.map_or(detection.label, |(_, label)| label);
        track.score = detection.score;
        track.rect = self.motion.rect().clamped();
        track.velocity = self.motion.velocity();
        track.last_seen = at;
        track.path.push(PathPoint { at, foot: detection.rect.foot() });
        thin(&mut track.path, settings.path_points_max);
        let age = at.since(track.first_seen).as_secs_f32();
        track.confirmed |= self.hits >= settings.hits_min && age >= settings.confirm_seconds_min;
    }

    fn lives(&self, at: Monotonic, settings: &Settings) -> bool {
        let lost = at.since(self.track.last_seen).as_secs_f32();
        let allowed =
            if self.track.confirmed { settings.lost_seconds_max } else { settings.unconfirmed_seconds_max };
        let centre = self.motion.rect().centre();
        let on_picture = |v: f32| (-0.02..=1.02).contains(&v);
        lost <= allowed && (self.seen || (on_picture(centre.x) && on_picture(centre.y)))
    }

    /// Where it was last seen, not smoothed.
    fn size(&self) -> (f32, f32) {
        let Rect { w, h, .. } = self.motion.rect();
        (w, h)
    }
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
