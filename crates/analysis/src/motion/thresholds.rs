//! Thresholds of motion check and motion detector, in one table: meaning, unit, origin. The value is the constant's.
//!
//! Units: `part` is a fraction of the thing that is named, `blocks` are those of the grid, `codes` are of luma or chroma (0 to 255),
//! `excess` is a difference as a multiple of its threshold. Origins: `scenes`: chosen by trial on the staged scenes and clips of the
//! benches, without another source. `reason`: follows from what the line says. `geometry`: follows from shapes. `bound`: bounds work.

use std::time::Duration;

// Reported objects.

/// Minimum size of an object, in blocks that stand out. Blocks; scenes.
pub(super) const BLOCKS_MIN: usize = 4;
/// An object of at least this size, in blocks, and of mean excess [`CLEAR_EXCESS`] is reported at first analysis. Blocks; scenes.
pub(super) const CLEAR_BLOCKS: usize = 10;
/// Minimum mean excess of such an object; 1 is the threshold. Excess; scenes.
pub(super) const CLEAR_EXCESS: f32 = 1.25;
/// Any other object must be this near, in blocks, to a component of the frame before. Blocks; scenes.
pub(super) const NEAR_BLOCKS: usize = 4;
/// Time since the frame before, beyond which that is not required. Seconds; scenes.
pub(super) const BEFORE_SECONDS_MAX: f32 = 0.7;

// Background of a view.

/// Age up to which the background only learns. Seconds; scenes.
pub(super) const WARM_UP_SECONDS: f32 = 1.0;
/// Maximum time without a frame; after it the background no longer applies. Time; scenes.
pub(super) const GAP_MAX: Duration = Duration::from_secs(10);
/// Time constant of the mean for blocks that belong to the background. Seconds; scenes.
pub(super) const BACKGROUND_SECONDS: f32 = 8.0;
/// Time constant for blocks that stand out of it; a stopped car stays visible for about two minutes. Seconds; scenes.
pub(super) const FOREGROUND_SECONDS: f32 = 60.0;
/// Time constant for blocks in which only the light changed. Seconds; scenes.
pub(super) const LIT_SECONDS: f32 = 0.4;
/// Threshold of a block, in mean absolute deviations. Deviations; scenes.
pub(super) const DEVIATIONS: f32 = 3.7;
/// Part of the gradient at a block that is added to its threshold. Part; scenes.
pub(super) const EDGE_PART: f32 = 0.12;
/// Minimum threshold before that, in codes of luma: on black, and from [`FLOOR_BRIGHT`] on. Between, it grows evenly. Codes;
/// scenes.
pub(super) const FLOOR: (f32, f32) = (5.0, 9.0);
/// Luma from which the second minimum holds. Codes; scenes.
pub(super) const FLOOR_BRIGHT: f32 = 128.0;
/// Part of the threshold that is enough beside a block that stands out. Part; scenes.
pub(super) const WEAK: f32 = 0.55;
/// Initial deviation. Codes; scenes.
pub(super) const DEVIATION_FIRST: f32 = 2.0;
/// Maximum deviation: one passing object must not blind a block to the next one; leaves that wave for minutes shall. Codes;
/// scenes.
pub(super) const DEVIATION_MAX: f32 = 18.0;
/// Maximum part of the picture that motion covers. Above it the light or the camera changed. Part; scenes.
pub(super) const MOVING_PART_MAX: f32 = 0.5;
/// Minimum part of the picture that a change covers which stands out at once, spread over most of the picture. Part; scenes.
pub(super) const SUDDEN_PART: f32 = 0.2;
/// Minimum part of all cells that it touches then. Part; scenes.
pub(super) const SPREAD_PART: f32 = 0.7;
/// Side of a cell in blocks; light that drifts is followed cell by cell. Blocks; scenes.
pub(super) const CELL: usize = 10;
/// A block within this part of its threshold agrees with its cell. Part; scenes.
pub(super) const AGREEING: f32 = 0.8;
/// Part of a cell's blocks that must agree. Part; scenes.
pub(super) const AGREEING_PART: f32 = 0.6;
/// Minimum drift, in codes. Codes; scenes.
pub(super) const DRIFT_MIN: f32 = 0.4;
/// Minimum colour, in codes, on one side of a switch to or from infra-red. Codes; scenes.
pub(super) const COLOUR_MIN: f32 = 2.0;
/// Colour that falls below this part of its value, or rises as much, is such a switch. Part; scenes.
pub(super) const COLOUR_PART: f32 = 0.35;
/// Number of comings and goings from which a block is restless: differences that its neighbours could have brought do not count.
/// Changes; scenes.
pub(super) const RESTLESS: f32 = 8.0;
/// Time constant over which a block calms down. Seconds; scenes.
pub(super) const RESTLESS_SECONDS: f32 = 20.0;
/// Shift of the view, in blocks, from which the same holds for all blocks. Blocks; scenes.
pub(super) const SHAKEN_BLOCKS: f32 = 0.08;
/// Part of the way to its neighbours that a block is then allowed. Part; scenes.
pub(super) const SHAKEN_PART: f32 = 0.25;
/// Luma from which the sensor is saturated; the scene may be brighter. Codes; scenes.
pub(super) const WHITE: f32 = 250.0;
/// An object that has not changed for so long may be a place that something has left. Seconds; scenes.
pub(super) const GHOST_STILL_SECONDS: f32 = 1.5;

// Resolution.

/// Blocks across the picture. Blocks; bound.
pub(super) const COLUMNS: usize = 160;
/// Chroma samples across and down: enough to tell grey from colour. Samples; bound.
pub(super) const COLOUR_SAMPLES: (usize, usize) = (24, 14);

// Components: blocks that belong together.

/// Maximum gap in blocks between fragments beside or above each other that are joined (a car's windows, a person's belt). Blocks;
/// scenes.
pub(super) const GAP_ALONG: usize = 3;
/// Maximum gap in blocks across a corner. Blocks; scenes.
pub(super) const GAP_ACROSS: usize = 1;
/// Maximum components; more are weather. The largest are kept, since joining takes the square of their number. Components; bound.
pub(super) const COMPONENTS_MAX: usize = 120;

// Kind of a component: an object, light, or a place that was left.

/// Minimum blocks of a component for the window test of light: a small person fills no window. Blocks; scenes.
pub(super) const LIGHT_BLOCKS_MIN: usize = 60;
/// Blocks of a window to each side of its middle. Blocks; geometry.
pub(super) const WINDOW_REACH: usize = 2;
/// Blocks from one window to the next. Blocks; bound.
pub(super) const WINDOW_STEP: usize = 3;
/// Minimum number of a window's 25 blocks that stand out. Blocks; scenes.
pub(super) const WINDOW_BLOCKS_MIN: usize = 20;
/// Variance per block from which a window has texture. Codes squared; scenes.
pub(super) const TEXTURE_MIN: f32 = 6.0;
/// Squared correlation from which two windows show the same. Part; scenes.
pub(super) const SAME_MIN: f32 = 0.75;
/// Minimum number of windows with texture. Windows; scenes.
pub(super) const WINDOWS_MIN: usize = 4;
/// Part of them that must show the same. Part; scenes.
pub(super) const WINDOWS_SAME_PART: f32 = 0.75;
/// Bounds of the one factor by which all blocks of a darkened or brightened component changed. Ratio; scenes.
pub(super) const BRIGHTNESS_GAIN: (f32, f32) = (0.4, 2.5);
/// Minimum number of blocks of a darkened or brightened component. Blocks; scenes.
pub(super) const BRIGHTNESS_BLOCKS_MIN: usize = 12;
/// Maximum deviation, as a part of that factor, of the factor by which their differences changed. Part; scenes.
pub(super) const BRIGHTNESS_SLOPE: f32 = 0.3;
/// Minimum variance of the blocks. Codes squared; scenes.
pub(super) const BRIGHTNESS_VARIANCE_MIN: f32 = 100.0;
/// Minimum squared correlation of the blocks before and now. Part; scenes.
pub(super) const BRIGHTNESS_SAME_MIN: f32 = 0.85;
/// A place was left when it differs from its surroundings by less than this part of the former difference. Part; scenes.
pub(super) const LEFT_PART: f32 = 0.5;
/// Minimum pairs of blocks (inside and outside) for that comparison. Pairs; scenes.
pub(super) const PAIRS_MIN: usize = 8;
/// Minimum mean difference from the surroundings before, in codes. Codes; scenes.
pub(super) const LEFT_DIFFERENCE_MIN: f32 = 6.0;

// Static objects.

/// Time without change after which an object is static. Seconds; scenes.
pub(super) const STILL_SECONDS_MIN: f32 = 2.5;
/// Minimum mean excess of an object; 1 is the threshold. Excess; scenes.
pub(super) const EXCESS_MIN: f32 = 1.25;
/// Maximum part of the picture; anything larger is no object. Part; scenes.
pub(super) const PART_MAX: f32 = 0.15;
/// Maximum number of objects that are remembered. Objects; bound.
pub(super) const OBJECTS_MAX: usize = 32;
/// Part of the smaller box that lies in the other one, from which two boxes are one object. Part; scenes.
pub(super) const OBJECT_SAME_PART: f32 = 0.5;
/// Range on the way from the luma without the object (0) to the luma with it (1) in which it is there. Part; scenes.
pub(super) const THERE: (f32, f32) = (0.6, 1.6);
/// Distance from 0 on that way up to which it is gone. Part; scenes.
pub(super) const GONE_MAX: f32 = 0.35;
/// Maximum deviation from that way for both, as a part of its length (squared). Part squared; scenes.
pub(super) const ASIDE_MAX: f32 = 0.3;
/// Time after which an object that is gone does not come back. Seconds; scenes.
pub(super) const GONE_SECONDS_MAX: f32 = 1.0;
/// Time after which a hidden object is forgotten, as its state is unknown. Seconds; scenes.
pub(super) const HIDDEN_SECONDS_MAX: f32 = 90.0;
/// Blocks to each side on which light is measured. Blocks; scenes.
pub(super) const LIGHT_MARGIN: usize = 3;
/// Minimum number of such blocks. Blocks; scenes.
pub(super) const AROUND_MIN: usize = 8;
/// Bounds of the gain of light. Ratio; scenes.
pub(super) const GAIN: (f32, f32) = (0.4, 2.5);

// Change of the whole view.

/// Bounds of usable luma: blocks beyond are clipped and say nothing of the light. Codes; reason.
pub(super) const CLIPPED: (f32, f32) = (4.0, 251.0);
/// Blocks across and down from one block that is used to the next. Blocks; bound.
pub(super) const SAMPLE_STEP: usize = 3;
/// Maximum distance of a block from the present estimate, in codes, round by round; blocks beyond have no say. Codes; scenes.
pub(super) const REACHES: [f32; 3] = [24.0, 16.0, 10.0];
/// Maximum shift in blocks; the slopes that it is read from reach no further. Blocks; reason.
pub(super) const SHIFT_MAX: f32 = 1.0;
/// Maximum luma that is assumed. Codes; scenes.
pub(super) const BRIGHTEST: f32 = 600.0;
/// Luma from which the gain is measured, so that gain and offset do not pull at each other. Codes; scenes.
pub(super) const MIDDLE: f32 = 110.0;
