//! What has come to stand somewhere, as the eye sees it that knows no classes: a bag, a carton, a parked machine.

use super::geometry::Rect;

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
