//! What the tracker says after each look: who is on the picture, and where they went.

use serde::{Deserialize, Serialize};

use super::detection::Label;
use super::geometry::{Point, Rect};
use super::ids::TrackId;
use super::time::Monotonic;

/// Where a track's foot point was, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathPoint {
    /// When.
    pub at: Monotonic,
    /// The middle of the box's bottom edge.
    pub foot: Point,
}

/// One identity over the frames of one epoch, as of the latest look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Its id; never used again in this epoch.
    pub id: TrackId,
    /// What it is: the vote over all its detections, weighted by score.
    pub label: Label,
    /// Score of the latest detection, 0..=1.
    pub score: f32,
    /// Where it is, smoothed; clamped to the picture.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// Movement of the box's centre, in picture widths and heights per second.
    pub velocity: Point,
    /// Whether enough looks have seen it. Rules ignore what is not confirmed.
    pub confirmed: bool,
    /// When it was first detected.
    pub first_seen: Monotonic,
    /// When it was last detected (not predicted).
    pub last_seen: Monotonic,
    /// Foot points of its detections, oldest first, thinned to a bounded number; the newest is always there. One that
    /// stands still where nothing moves has a further point at its last place, whose time moves on.
    pub path: Vec<PathPoint>,
}

impl Track {
    /// Whether it was seen at `at`, or is known to stand where it was seen last; what is neither is expected there.
    pub fn is_seen_at(&self, at: Monotonic) -> bool {
        self.last_seen >= at || self.path.last().is_some_and(|point| point.at >= at)
    }
}

/// Where a track is expected at some time, for whoever decides where to look then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Which track.
    pub id: TrackId,
    /// The expected box, clamped to the picture.
    pub rect: Rect,
    /// How fast it moves, in sizes of its own box a second.
    pub speed: f32,
    /// Whether enough looks have seen it.
    pub confirmed: bool,
    /// Whether it has stayed in its place for a while.
    pub at_rest: bool,
    /// Whether the last look at its place did not find it.
    pub missed: bool,
    /// When somebody last looked where it was expected.
    pub looked_at: Monotonic,
}
