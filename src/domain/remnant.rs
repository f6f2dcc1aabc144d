//! What has come to stand somewhere, as the eye sees it that knows no classes: a bag, a carton, a parked machine.

use super::geometry::{Point, Rect};
use super::time::Monotonic;
use super::track::Track;

/// A track that began so long after it came has not brought it.
const LATER_SECONDS: f32 = 2.5;
/// A track is in its place within this part of the larger one's size.
const PLACE_PART: f32 = 0.5;

/// Something that was not there before, and has not changed since it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remnant {
    /// Where, as fractions of the picture.
    pub rect: Rect,
    /// How much it stood out when it came: 0.5 at the threshold, towards 1 above it.
    pub score: f32,
    /// For how long it has stood there, in seconds.
    pub still_seconds: f32,
}

impl Remnant {
    /// Whether this is what a detector takes for somebody: a track that began in its place while it was seen there, and has
    /// never been elsewhere. Who goes there comes from somewhere, and hides it in part.
    pub fn is_taken_for(&self, track: &Track, at: Monotonic) -> bool {
        let (foot, size) = (self.rect.foot(), (self.rect.w.max(track.rect.w), self.rect.h.max(track.rect.h)));
        let is_there = |point: Point| {
            (point.x - foot.x).abs() <= PLACE_PART * size.0 && (point.y - foot.y).abs() <= PLACE_PART * size.1
        };
        let began_after_seconds = self.still_seconds - at.since(track.first_seen).as_secs_f32();
        began_after_seconds >= LATER_SECONDS && track.path.iter().all(|point| is_there(point.foot))
    }
}
