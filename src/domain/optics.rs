//! How a camera itself sees: whether its picture is still the one that was learnt.

use serde::{Deserialize, Serialize};

/// What one picture is like, against what was learnt of this camera over the last minutes.
///
/// What is learnt follows slow changes (dusk, seasons) and does not follow sudden ones for some minutes at least, so that a
/// camera that is covered or turned stays different from what was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Optics {
    /// Mean of the luma samples, 0..=255.
    pub luma_mean: f32,
    /// Standard deviation of the luma samples: 0 for a picture of one colour.
    pub luma_deviation: f32,
    /// Energy of the picture's edges against the learnt one: 1 as learnt, 0 without any.
    pub sharpness: f32,
    /// The part of the learnt edges that are where they were, 0..=1.
    pub in_place: f32,
    /// For how many seconds every sample has been exactly the same; 0 for a living picture.
    pub same_seconds: f32,
    /// For how many seconds the reference has been learnt. Before some time nothing can be said.
    pub learnt_seconds: f32,
}
