//! Assigns detections to the tracks that they continue.

use super::settings::Settings;
use super::thresholds::*;
use super::{Alive, Candidate, assignment};
use base::detection::{Detection, Label};
use base::time::Monotonic;

/// The stages, in this order; the first two for confirmed tracks, then for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Sure detections by overlap with the predicted box.
    Sure,
    /// Weak detections by overlap: they continue tracks and start none.
    Weak,
    /// Sure detections by the distance of their centres.
    Near,
}

/// Matches of one stage, as indices of track and candidate.
pub(super) fn pairs(
    stage: Stage,
    at: Monotonic,
    tracks: &[&Alive],
    candidates: &[Candidate],
    settings: &Settings,
) -> Vec<(usize, usize)> {
    let overlap_min = if stage == Stage::Weak { settings.iou_weak_min } else { settings.iou_min };
    let cost = |track: &Alive, candidate: &Candidate| {
        let detection = &candidate.detection;
        if !compatible(track.track.label, detection.label) {
            return f32::INFINITY;
        }
        if goes_back(track, at, detection) {
            return f32::INFINITY;
        }
        let is_at_rest = track.is_at_rest(settings);
        let is_other = track.track.label != detection.label && track.motion.pace() < ON_WHEELS;
        let other_label = if is_other { OTHER_LABEL } else { 0.0 };
        let unlike = unlike(track, candidate);
        match stage {
            Stage::Sure | Stage::Weak => {
                let overlap = track.motion.rect().iou(&detection.rect).max(outgrown(track, detection));
                let stays = is_at_rest && track.track.label != Label::Person;
                if stays && overlap < RESTING_IOU_MIN {
                    return f32::INFINITY;
                }
                // Of two boxes on one subject the surer one wins; among weak ones, scores say little.
                let worth = if stage == Stage::Sure { overlap * detection.score } else { overlap };
                // Scaled so that the least worth allowed costs 1.
                let cost = (1.0 - worth) / (1.0 - overlap_min).max(1e-3) + other_label;
                let waited = at.since(track.track.last_seen).as_secs_f32().min(LATE_SECONDS_MAX);
                // A cost above 1 is no match. Others are divided by the worst sum, so that being late or unlike only ranks
                // them.
                let worst = 1.0 + LATE * LATE_SECONDS_MAX + UNLIKE;
                if cost > 1.0 { cost } else { (cost + LATE * waited + UNLIKE * unlike) / worst }
            }
            // A standing subject does not leap.
            Stage::Near if is_at_rest => f32::INFINITY,
            Stage::Near => {
                let cost = distance(track, at, detection, settings) + other_label;
                if cost > 1.0 { cost } else { (cost + UNLIKE_NEAR * unlike) / (1.0 + UNLIKE_NEAR) }
            }
        }
    };
    let costs: Vec<f32> = tracks.iter().flat_map(|t| candidates.iter().map(|c| cost(t, c))).collect();
    let columns = assignment::assign(&costs, tracks.len(), candidates.len(), 1.0);
    columns.into_iter().enumerate().filter_map(|(row, column)| Some((row, column?))).collect()
}

/// Returns the difference of both appearances, 0..=1; 0.5 where either is unknown.
fn unlike(track: &Alive, candidate: &Candidate) -> f32 {
    match (&track.appearance, &candidate.appearance) {
        (Some(own), Some(other)) => own.apart(other),
        _ => 0.5,
    }
}

/// Networks confuse the labels within each group.
fn compatible(a: Label, b: Label) -> bool {
    let group = |label| match label {
        Label::Person | Label::TwoWheeler => 0,
        Label::Car | Label::LargeVehicle => 1,
        Label::Moving => 2,
    };
    group(a) == group(b)
}

/// Returns the distance of the predicted centre and the detection's, as a part of the expected maximum: 1 and above
/// is too far. Boxes of very different size do not belong together.
fn distance(track: &Alive, at: Monotonic, detection: &Detection, settings: &Settings) -> f32 {
    let (w, h) = track.size();
    let waited = at.since(track.track.last_seen).as_secs_f32().min(1.0);
    let grown = (detection.rect.w * detection.rect.h / (w * h).max(1e-9)).sqrt();
    let grown_max = GROWN + GROWN_A_SECOND * waited;
    if !(1.0 / GROWN..grown_max).contains(&grown) {
        return f32::INFINITY;
    }
    let (sx, sy) = (w.max(0.5 * h).max(detection.rect.w), h.max(0.5 * w).max(detection.rect.h));
    let (predicted, seen) = (track.motion.rect().centre(), detection.rect.centre());
    let sizes = ((seen.x - predicted.x) / sx).hypot((seen.y - predicted.y) / sy);
    // From its second detection on, the prediction includes the speed: only the prediction's error remains to be allowed
    // for. An unsure box must be nearer.
    let pace = track.motion.pace();
    let speed = if track.hits == 1 {
        settings.speed_max
    } else {
        (settings.speed_max / 4.0 + NEARING * pace * pace).min(settings.speed_max)
    };
    sizes / (0.3 + speed * waited * detection.score)
}

/// Returns the overlap that counts for a growing track, with a detection that it lies in: its growth was larger than
/// expected.
fn outgrown(track: &Alive, detection: &Detection) -> f32 {
    let (predicted, seen) = (track.motion.rect(), detection.rect);
    let grown = (seen.area() / predicted.area().max(1e-9)).sqrt();
    if track.motion.growth() < OUTGROWN_GROWTH || !(1.0..OUTGROWN_MAX).contains(&grown) {
        return 0.0;
    }
    let within = predicted.intersection(&seen) / predicted.area();
    OUTGROWN_OVERLAP * ((within - OUTGROWN_WITHIN) / (1.0 - OUTGROWN_WITHIN)).max(0.0)
}

/// Returns true if the track would have to turn round at once to be there: the detection is another subject, which
/// goes the other way or comes behind it.
fn goes_back(track: &Alive, at: Monotonic, detection: &Detection) -> bool {
    let pace = track.motion.pace();
    let is_committed = track.hits >= COMMITTED_HITS
        && pace >= COMMITTED_PACE
        && track.travelled().is_some_and(|travelled| travelled >= COMMITTED_PACE);
    let Some(last) = track.track.path.last().filter(|_| is_committed) else { return false };
    let (w, h) = track.size();
    let (sx, sy) = super::kalman::scales(w, h);
    let [vx, vy] = track.motion.paces();
    let foot = detection.rect.foot();
    let along = ((foot.x - last.foot.x) / sx * vx + (foot.y - last.foot.y) / sy * vy) / pace;
    let expected = pace * at.since(last.at).as_secs_f32().min(1.0);
    expected - along > BEHIND_SIZES + BEHIND_PART * expected
}
