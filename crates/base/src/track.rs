//! The tracker's result after each inference: the subjects on the picture, and their paths.

use serde::{Deserialize, Serialize};

use super::detection::Label;
use super::geometry::{Point, Rect};
use super::ids::TrackId;
use super::time::Monotonic;

/// A point of a track's path, with its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathPoint {
    /// Its time.
    pub at: Monotonic,
    /// The middle of the box's bottom edge.
    pub foot: Point,
}

/// One identity over the frames of one epoch, as of the latest inference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Its id; never used again in this epoch.
    pub id: TrackId,
    /// Its class: the vote over all its detections, weighted by score.
    pub label: Label,
    /// Score of the latest detection, 0..=1.
    pub score: f32,
    /// Its bounding box, smoothed; clamped to the picture.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// Movement of the box's centre, in picture widths and heights per second.
    pub velocity: Point,
    /// True once enough inferences have detected it. Rules ignore unconfirmed tracks.
    pub confirmed: bool,
    /// Time of its first detection.
    pub first_seen: Monotonic,
    /// Time of its last detection (not prediction).
    pub last_seen: Monotonic,
    /// Foot points of its detections, oldest first, thinned to a bounded number; the newest is always there. A track that
    /// stands still where nothing moves has a further point at its last place, with the current time.
    pub path: Vec<PathPoint>,
}

impl Track {
    /// True where it was detected at `at`, or is known to stand at its last place. Otherwise its place is only expected.
    pub fn is_seen_at(&self, at: Monotonic) -> bool {
        self.last_seen >= at || self.path.last().is_some_and(|point| point.at >= at)
    }
}

/// Expected place of a track at some time, for the choice of the regions to run inference on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Id of the track.
    pub id: TrackId,
    /// The expected box, clamped to the picture.
    pub rect: Rect,
    /// Its speed, in sizes of its own box a second.
    pub speed: f32,
    /// True once enough inferences have detected it.
    pub confirmed: bool,
    /// It has stayed in its place for a while.
    pub at_rest: bool,
    /// The last inference at its place did not find it.
    pub missed: bool,
    /// Time of the last inference at its expected place.
    pub inferred_at: Monotonic,
}
