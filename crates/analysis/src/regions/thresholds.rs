//! Thresholds of the planner, in one table: meaning, unit, origin. The value is the constant's.
//!
//! Units: `part` is a fraction of the thing that is named, `sizes` are the subject's own box sizes, `px` are pixels. Origins:
//! `scenes`: chosen by trial on the staged scenes and clips of the benches, without another source. `measured`: counted on labelled
//! pictures. `geometry`: follows from the picture or the shapes in it. `bound`: bounds memory or work.

use std::time::Duration;

// Plan of one frame.

/// Interval of inferences on the whole picture, while there are tracks or motion. Time; scenes.
pub(super) const WHOLE_INTERVAL: Duration = Duration::from_secs(6);
/// Interval of inferences on the whole picture, while there is neither. Time; scenes.
pub(super) const WHOLE_INTERVAL_EMPTY: Duration = Duration::from_secs(10);
/// Minimum interval of them after the background was learnt anew. Time; bound.
pub(super) const WHOLE_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Part of its interval after which a whole inference replaces due crops of half its cost or more. Part; scenes.
pub(super) const WHOLE_EARLY: f32 = 0.7;
/// Context around motion and tracks, as a part of their size. Part; scenes.
pub(super) const MARGIN: f32 = 0.25;
/// Minimum context. Px; scenes.
pub(super) const MARGIN_PIXELS_MIN: f32 = 18.0;
/// Minimum time between two inferences of a camera: needs come together in one. Time; scenes.
pub(super) const INFERENCE_INTERVAL_MIN: Duration = Duration::from_millis(350);
/// The same while a track is fast: groups that race are told apart at close intervals only. Time; scenes.
pub(super) const INFERENCE_INTERVAL_FAST: Duration = Duration::from_millis(200);
/// Speed from which a track is fast. Parts of the picture a second; scenes.
pub(super) const FAST: f32 = 0.25;
/// Speed from which a confirmed track is fast, where a rule depends on speed. Sizes a second; scenes.
pub(super) const PACE_FAST: f32 = 0.8;
/// Minimum size of a track after shrinking (root of its area), at which a network recognises it. Px; scenes.
pub(super) const TRACK_SIDE_PIXELS_MIN: f32 = 28.0;
/// Minimum size of motion after shrinking; it may be several subjects. Px; scenes.
pub(super) const MOTION_SIDE_PIXELS_MIN: f32 = 44.0;
/// Movement after which a confirmed track gets an inference. Sizes; scenes.
pub(super) const DRIFT_MAX: f32 = 0.8;
/// Bounds of the time until then. Seconds; scenes.
pub(super) const TRACK_WAIT_SECONDS: (f32, f32) = (0.35, 1.0);
/// Interval of inferences for a track at rest in whose place something moves. Seconds; scenes.
pub(super) const STIRRED_WAIT_SECONDS: f32 = 1.0;
/// Minimum part of a track at rest that motion covers to be in its place. Part; scenes.
pub(super) const STIRRED: f32 = 0.03;
/// Part of its waiting time after which a track joins an inference that is due anyway. Part; scenes.
pub(super) const ALONG: f32 = 0.5;
/// Minimum part of motion around moving tracks, to be theirs. Part; scenes.
pub(super) const EXPLAINED: f32 = 0.6;
/// Time by which an inference may be early: cameras deliver frames with jitter. Time; scenes.
pub(super) const EARLY: Duration = Duration::from_millis(20);
/// Maximum parts of motion; further ones are joined. Number; bound.
pub(super) const PATCHES_MAX: usize = 32;

// Joining of needs to crops.

/// Maximum inferences of a frame. Number; bound.
pub(super) const AREAS_MAX: usize = 2;
/// Part of its cost from which the whole picture is analysed instead, where it is hardly shrunk. Part; scenes.
pub(super) const WHOLE_FROM: f32 = 0.8;
/// Factor of shrinking up to which a whole inference shows as much as crops. Ratio; scenes.
pub(super) const HARDLY_SHRUNK: f32 = 1.3;
/// Maximum needs; more are everywhere, and get a whole inference. Number; bound.
pub(super) const NEEDS_MAX: usize = 24;
/// Maximum factor of shrinking to fit into a smaller input. Ratio; scenes.
pub(super) const SHRINK_MAX: f32 = 2.5;
/// Maximum shrinking of a crop that is worth its cost, as a part of the factor of the whole picture. Part; scenes.
pub(super) const PART_OF_WHOLE: f32 = 0.7;
/// Maximum factor by which pixels are enlarged: beyond, they show no more. Ratio; geometry.
pub(super) const ENLARGE_MAX: f32 = 2.0;
/// Room for the alignment of a crop, which begins on even pixels as chroma does. Px; geometry.
pub(super) const ALIGN_PIXELS: f32 = 2.0;

// Motion in which the network finds nothing.

/// Columns of cells. Number; geometry (16:9).
pub(super) const COLUMNS: usize = 16;
/// Rows of cells. Number; geometry (16:9).
pub(super) const ROWS: usize = 9;
/// Time until motion gets another inference, by the number of inferences in a row without a finding. Seconds; scenes.
pub(super) const WAIT_SECONDS: [f32; 5] = [0.0, 0.2, 0.4, 0.7, 1.0];
/// Time without motion after which a cell is like any other again. Time; scenes.
pub(super) const FORGET: Duration = Duration::from_secs(4);
/// Minimum part of a cell that motion covers to be in it. Part; scenes.
pub(super) const TOUCHED: f32 = 0.15;
