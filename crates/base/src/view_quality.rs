//! View quality of a camera: the comparison of its picture with the learnt reference.

use serde::{Deserialize, Serialize};

/// Measures of one picture against the reference learnt from this camera over the last minutes.
///
/// The reference follows slow changes (dusk, seasons) and does not follow sudden ones for some minutes at least. So a
/// camera that is covered or turned stays different from the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ViewQuality {
    /// Mean of the luma samples, 0..=255.
    pub luma_mean: f32,
    /// Standard deviation of the luma samples: 0 for a picture of one colour.
    pub luma_deviation: f32,
    /// Energy of the picture's edges against the learnt one: 1 as learnt, 0 without any.
    pub sharpness: f32,
    /// The part of the learnt edges that are where they were, 0..=1.
    pub in_place: f32,
    /// Seconds for which every sample has been exactly the same; 0 for a changing picture.
    pub same_seconds: f32,
    /// Seconds for which the reference has been learnt. Too few do not allow a conclusion.
    pub learnt_seconds: f32,
}
