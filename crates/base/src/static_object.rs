//! Static objects, found by a detector without classes from changes of the picture: a bag, a carton, a parked machine.

use super::geometry::Rect;
use super::time::Monotonic;
use super::track::{PathPoint, Track};

/// Time after an object's arrival; a track that began later has not brought the object.
const LATER_SECONDS: f32 = 2.5;
/// Distance within which a track is at the object's place, as a part of the size of the larger box.
const PLACE_PART: f32 = 0.5;

/// A static object: it was not there before, and has not changed since it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StaticObject {
    /// Its bounding box, as fractions of the picture.
    pub rect: Rect,
    /// Contrast when it came: 0.5 at the threshold, towards 1 above it.
    pub score: f32,
    /// Seconds for which it has been static.
    pub still_seconds: f32,
}

impl StaticObject {
    /// True where a detector has taken this object for the subject `track`: the track began in its place while it was seen there,
    /// and has never been elsewhere. A real subject comes from elsewhere, and hides the object in part.
    pub fn is_taken_for(&self, track: &Track, at: Monotonic) -> bool {
        let (foot, size) = (self.rect.foot(), (self.rect.w.max(track.rect.w), self.rect.h.max(track.rect.h)));
        let is_always_there = track.path.iter().all(|PathPoint { foot: point, .. }| {
            (point.x - foot.x).abs() <= PLACE_PART * size.0 && (point.y - foot.y).abs() <= PLACE_PART * size.1
        });
        let began_after_seconds = self.still_seconds - at.since(track.first_seen).as_secs_f32();
        began_after_seconds >= LATER_SECONDS && is_always_there
    }
}
