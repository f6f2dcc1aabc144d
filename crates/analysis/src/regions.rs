//! Crops for inference: from motion and tracks to one or two crops, or the whole picture, or nothing. Pure.
//!
//! A crop has the shape of one of the network's input sizes, and as many pixels where that is possible: nothing is
//! enlarged, and distant subjects are not shrunk out of sight. Only a network of one size, for which every inference costs
//! the same, sees due parts enlarged. A subject that stays large enough may be shrunk. Needs are joined where one crop costs
//! no more than two (cost is pixels of input); a frame never costs more than the whole picture. A need that does not fit is
//! remembered, and the longest due goes first next time.
//!
//! The whole picture is analysed every few seconds, for still subjects. Motion in which the network finds nothing, a tree in
//! the wind, is analysed ever more rarely.
//!
//! It never sees a pixel and runs nothing. `infer::analysis` asks it on every frame.

mod cells;
mod groups;
#[cfg(test)]
mod tests;
mod thresholds;

use std::time::Duration;

use super::budget::Urgency;
use super::gate::MotionCheck;
use base::detector::InputSize;
pub use base::detector::{InferenceArea, WHOLE};
use base::geometry::Rect;
use base::time::Monotonic;
use base::track::Forecast;
use cells::Cells;
use thresholds::*;

/// Inferences for one frame, and their reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// One or two inferences.
    pub areas: Vec<InferenceArea>,
    /// The most urgent reason for them.
    pub urgency: Urgency,
    /// True if one of them shows the whole picture at the network's largest input.
    pub is_whole: bool,
}

impl Plan {
    /// Pixels of input of all inferences.
    pub fn pixels(&self) -> u64 {
        self.areas.iter().map(InferenceArea::pixels).sum()
    }

    /// Plans one inference on the whole picture, for which `sizes` are the network's inputs.
    pub fn whole(sizes: &[InputSize], urgency: Urgency) -> Self {
        Self { areas: vec![InferenceArea::whole(sizes)], urgency, is_whole: true }
    }

    /// Returns true if one of its inferences shows all of `rect`.
    pub fn covers(&self, rect: &Rect) -> bool {
        self.areas.iter().any(|area| contains(&area.crop, &rect.clamped()))
    }
}

/// Input of a plan.
#[derive(Debug, Clone, Copy)]
pub struct PlannerInput<'a> {
    /// The frame's time.
    pub at: Monotonic,
    /// The picture's columns and rows.
    pub picture: (u32, u32),
    /// The network's input sizes, the largest first: that is the one for the whole picture.
    pub sizes: &'a [InputSize],
    /// Places at which the tracks are expected at that time.
    pub tracks: &'a [Forecast],
    /// True if a rule depends on a subject's speed.
    pub speed_matters: bool,
}

impl PlannerInput<'_> {
    /// Returns true if a track will be somewhere else a moment later.
    fn is_hurried(&self, track: &Forecast) -> bool {
        let crosses = track.speed * track.rect.area().sqrt() > FAST;
        let races = self.speed_matters && (!track.confirmed || track.speed > PACE_FAST);
        !track.at_rest && (crosses || races)
    }
}

/// Plans the inferences of one camera; remembers motion that got none.
#[derive(Debug, Clone)]
pub struct Planner {
    whole_at: Option<Monotonic>,
    inferred_at: Option<Monotonic>,
    began_again: bool,
    patches: Vec<Patch>,
    cells: Cells,
}

/// A part of the picture that needs an inference.
#[derive(Debug, Clone, Copy)]
struct Patch {
    rect: Rect,
    since: Monotonic,
    /// Motion of this very frame, not of an earlier one, nor a detection that a crop has cut.
    moves: bool,
    /// Tracks account for it.
    explained: bool,
    /// Several parts that lie apart: it is done only once all of it was analysed.
    joined: bool,
    /// It was due during an inference elsewhere: whatever is found there, its turn is not put off.
    passed_over: bool,
}

/// A part of the picture that has to be in a crop.
#[derive(Debug, Clone, Copy)]
struct Need {
    rect: Rect,
    /// Time since which it is due, or from which on.
    due_at: Monotonic,
    due: bool,
    /// Maximum factor of shrinking.
    shrink_max: f32,
    urgency: Urgency,
}

impl Planner {
    /// Makes a planner without history.
    pub fn new() -> Self {
        Self {
            whole_at: None,
            inferred_at: None,
            began_again: false,
            patches: Vec::new(),
            cells: Cells::default(),
        }
    }

    /// Takes in a motion check, also of a frame without an inference. `tracks` are those expected on the frame.
    pub fn take_motion(&mut self, at: Monotonic, check: &MotionCheck, tracks: &[Forecast]) {
        self.began_again |= check.began_again;
        let mut fresh: Vec<Patch> = Vec::new();
        for region in &check.regions {
            let rect = region.rect.clamped();
            if rect.area() <= 0.0 {
                continue;
            }
            self.cells.moved(at, &rect);
            let is_full = fresh.len() >= PATCHES_MAX;
            match fresh.last_mut() {
                Some(last) if is_full => (last.rect, last.joined) = (last.rect.union(&rect), true),
                _ => fresh.push(Patch {
                    rect,
                    since: at,
                    moves: true,
                    explained: false,
                    joined: false,
                    passed_over: false,
                }),
            }
        }
        for patch in &mut fresh {
            patch.explained = explained(&patch.rect, tracks);
        }
        for old in &self.patches {
            let overlap = |new: &Patch| new.rect.intersection(&old.rect);
            let next = fresh.iter_mut().max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
            if let Some(next) = next.filter(|next| overlap(next) > 0.0) {
                next.since = next.since.min(old.since);
                next.passed_over |= old.passed_over;
            }
        }
        // Motion of a moment ago without an inference may stand there now; a track's old place is empty.
        let left = self.patches.iter().filter(|old| !old.explained && !explained(&old.rect, tracks));
        let left =
            left.filter(|old| old.joined || !fresh.iter().any(|new| new.rect.intersection(&old.rect) > 0.0));
        let left: Vec<Patch> = left.map(|old| Patch { moves: false, ..*old }).collect();
        fresh.extend(left);
        while fresh.len() > 2 * PATCHES_MAX
            && let Some(patch) = fresh.pop()
            && let Some(last) = fresh.last_mut()
        {
            (last.rect, last.joined) = (last.rect.union(&patch.rect), true);
            last.since = last.since.min(patch.since);
        }
        self.patches = fresh;
    }

    /// Plans the inferences that are due now; `None` if nothing is due. Changes nothing: a frame that is replaced by a newer one
    /// had no inference.
    pub fn plan(&self, view: &PlannerInput) -> Option<Plan> {
        let needs = self.needs(view);
        let due = needs.iter().any(|need| need.due);
        let urgency = needs.iter().filter(|need| need.due).map(|need| need.urgency).max();
        let waited = self.whole_at.map(|whole_at| view.at.since(whole_at) + EARLY);
        let interval = self.whole_interval(view);
        if waited.is_none_or(|waited| waited >= interval) {
            return Some(Plan::whole(view.sizes, urgency.unwrap_or(Urgency::Still)));
        }
        let pause = if view.tracks.iter().any(|track: &Forecast| view.is_hurried(track)) {
            INFERENCE_INTERVAL_FAST
        } else {
            INFERENCE_INTERVAL_MIN
        };
        let rested = self.inferred_at.is_none_or(|at| view.at.since(at) + EARLY >= pause);
        if !due || !rested {
            return None;
        }
        let urgency = urgency.unwrap_or(Urgency::Motion);
        let areas = groups::areas(&needs, view);
        let pixels: u64 = areas.iter().map(InferenceArea::pixels).sum();
        let is_soon = waited.is_some_and(|waited| waited >= interval.mul_f32(WHOLE_EARLY));
        if is_soon && 2 * pixels >= InferenceArea::whole(view.sizes).pixels() {
            return Some(Plan::whole(view.sizes, urgency));
        }
        let whole = InferenceArea::whole(view.sizes);
        let is_whole = areas.contains(&whole);
        Some(Plan { areas, urgency, is_whole })
    }

    /// Takes in that `plan` was carried out at `at`. `tracks` are the present tracks; `found` is all that the network reported,
    /// sure or not; `cut` are boxes that a crop's edge has cut and that were not used.
    pub fn inferred(
        &mut self,
        at: Monotonic,
        plan: &Plan,
        tracks: &[Forecast],
        found: &[Rect],
        cut: &[Rect],
    ) {
        self.inferred_at = Some(at);
        if plan.is_whole {
            (self.whole_at, self.began_again) = (Some(at), false);
        }
        let (shown, left): (Vec<Patch>, Vec<Patch>) =
            self.patches.drain(..).partition(|patch| plan.covers(&patch.rect));
        self.patches = left;
        for patch in &mut self.patches {
            patch.passed_over |= self.cells.due_at(&patch.rect) <= at;
        }
        let unexplained: Vec<Rect> = shown.iter().filter(|patch| !patch.explained).map(|p| p.rect).collect();
        // A subject at rest is no reason for another inference; a weak detection may be sure a moment later.
        let at_rest: Vec<Forecast> = tracks.iter().filter(|track| track.at_rest).copied().collect();
        let moving = tracks.iter().filter(|track| !track.at_rest).map(|track| track.rect);
        let found = found.iter().filter(|rect| !known(rect, &at_rest)).copied();
        let found: Vec<Rect> = moving.chain(found).collect();
        self.cells.inferred(at, plan, &unexplained, &found);
        let cut = cut.iter().filter(|rect| rect.area() > 0.0 && !known(rect, tracks));
        let room = (2 * PATCHES_MAX).saturating_sub(self.patches.len());
        self.patches.extend(cut.take(room).map(|rect| Patch {
            rect: rect.clamped(),
            since: at,
            moves: false,
            explained: false,
            joined: false,
            passed_over: false,
        }));
    }

    fn whole_interval(&self, view: &PlannerInput) -> Duration {
        if self.began_again {
            WHOLE_INTERVAL_MIN
        } else if view.tracks.is_empty() && self.patches.is_empty() {
            WHOLE_INTERVAL_EMPTY
        } else {
            WHOLE_INTERVAL
        }
    }

    fn needs(&self, view: &PlannerInput) -> Vec<Need> {
        let moving: Vec<Rect> = self.patches.iter().filter(|p| p.moves).map(|p| p.rect).collect();
        let tracks = view.tracks.iter().filter_map(|track| of_track(track, &moving, view));
        let patches = self.patches.iter().filter(|patch| !explained(&patch.rect, view.tracks));
        let patches = patches.map(|patch| {
            let worth_it_at = if patch.passed_over { patch.since } else { self.cells.due_at(&patch.rect) };
            let due_at = patch.since.max(worth_it_at);
            Need {
                rect: grown(&patch.rect, MARGIN, view),
                due_at,
                due: due_at <= view.at + EARLY,
                shrink_max: groups::shrink_max(&patch.rect, MOTION_SIDE_PIXELS_MIN, view),
                urgency: Urgency::Motion,
            }
        });
        tracks.chain(patches).filter(|need| need.rect.area() > 0.0).collect()
    }
}

impl Default for Planner {
    fn default() -> Self {
        Self::new()
    }
}

/// Need of a track. `None` if the whole inferences are enough, and if it had an inference a moment ago.
fn of_track(track: &Forecast, moving: &[Rect], view: &PlannerInput) -> Option<Need> {
    let (least, most) = TRACK_WAIT_SECONDS;
    let wait_seconds = if !track.confirmed {
        INFERENCE_INTERVAL_FAST.as_secs_f32()
    } else if track.missed {
        least
    } else if !track.at_rest {
        let least = if view.is_hurried(track) { INFERENCE_INTERVAL_FAST.as_secs_f32() } else { least };
        (DRIFT_MAX / track.speed.max(1e-3)).clamp(least, most)
    } else if moving.iter().any(|r| r.intersection(&track.rect) > STIRRED * track.rect.area()) {
        STIRRED_WAIT_SECONDS
    } else {
        return None;
    };
    let due_at = track.inferred_at + Duration::from_secs_f32(wait_seconds);
    let along_at = track.inferred_at + Duration::from_secs_f32(wait_seconds * ALONG);
    // Its size is sure, its place is not: less so the longer ago and the faster it is.
    let unsure = track.speed.min(6.0) * view.at.since(track.inferred_at).as_secs_f32().min(1.0) * 0.2;
    let margin = if track.missed || !track.confirmed { 2.0 * MARGIN } else { MARGIN };
    (along_at <= view.at + EARLY).then(|| Need {
        rect: grown(&track.rect, margin + unsure, view),
        due_at,
        due: due_at <= view.at + EARLY,
        shrink_max: groups::shrink_max(&track.rect, TRACK_SIDE_PIXELS_MIN, view),
        urgency: Urgency::Tracks,
    })
}

/// Returns true if motion belongs to moving tracks.
fn explained(rect: &Rect, tracks: &[Forecast]) -> bool {
    let mut covered = 0.0;
    for track in tracks.iter().filter(|track| !track.at_rest) {
        let Rect { x, y, w, h } = track.rect;
        let around = Rect::new(x - 0.2 * w, y - 0.2 * h, w + 0.4 * w, h + 0.4 * h);
        covered += around.intersection(rect);
    }
    covered >= EXPLAINED * rect.area()
}

/// Returns true if a box is a part of a track, or a track a part of it.
fn known(rect: &Rect, tracks: &[Forecast]) -> bool {
    tracks.iter().any(|track| track.rect.intersection(rect) >= 0.5 * rect.area().min(track.rect.area()))
}

/// Adds `margin` of its size on each side, but [`MARGIN_PIXELS_MIN`] at least; cuts to the picture.
fn grown(rect: &Rect, margin: f32, view: &PlannerInput) -> Rect {
    let (width, height) = (view.picture.0.max(1) as f32, view.picture.1.max(1) as f32);
    let dx = (rect.w * margin).max(MARGIN_PIXELS_MIN / width);
    let dy = (rect.h * margin).max(MARGIN_PIXELS_MIN / height);
    Rect::from_corners(rect.x - dx, rect.y - dy, rect.right() + dx, rect.bottom() + dy).clamped()
}

/// Returns true if all of `inner` lies in `outer`, but for rounding.
fn contains(outer: &Rect, inner: &Rect) -> bool {
    const ROUNDING: f32 = 1e-4;
    inner.x >= outer.x - ROUNDING
        && inner.y >= outer.y - ROUNDING
        && inner.right() <= outer.right() + ROUNDING
        && inner.bottom() <= outer.bottom() + ROUNDING
}
