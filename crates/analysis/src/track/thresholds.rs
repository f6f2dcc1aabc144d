//! Thresholds of the tracker beside its [`Settings`](super::Settings), in one table: meaning, unit, origin. The value is the constant's.
//!
//! Units: `part` is a fraction of the thing that is named, `sizes` are the subject's own box sizes, `px` are pixels. Origins:
//! `scenes`: chosen by trial on the staged scenes and clips of the benches, without another source. `measured`: counted on labelled
//! pictures. `geometry`: follows from the picture or the shapes in it. `bound`: bounds memory or work.

// Life of a track.

/// Minimum pace of a rider who streams past a new one. Sizes a second; scenes.
pub(super) const FLOW_PACE: f32 = 1.0;
/// Maximum distance of such a rider. Sizes; scenes.
pub(super) const FLOW_SIZES: f32 = 2.0;
/// Maximum ratio of the two sizes that is counted. Ratio; scenes.
pub(super) const FLOW_LARGER: f32 = 3.0;
/// Minimum length of the sum of the paces, as a part of the sum of their lengths, at which the riders agree. Part; scenes.
pub(super) const FLOW_AGREE: f32 = 0.8;
/// Minimum time over which a movement is measured. Seconds; scenes.
pub(super) const TRAVELLED_SECONDS: f32 = 0.9;
/// Minimum part of a box at rest that motion covers to be its own. Part; scenes.
pub(super) const STIRRED: f32 = 0.03;
/// Time for which a track that is not confirmed is a reason for further inferences. Seconds; scenes.
pub(super) const DOUBT_SECONDS: f32 = 20.0;
/// Minimum correlation of a box with the scenery that makes it part of the scenery. Correlation; scenes.
pub(super) const SCENERY_CORRELATION: f32 = 0.8;
/// Overlap with a track seen in the same inference, above which a box is a second one of its subject. IoU; scenes.
pub(super) const SECOND_OVERLAP: f32 = 0.5;
/// The same for an unsure box. IoU; scenes.
pub(super) const SECOND_OVERLAP_UNSURE: f32 = 0.25;
/// Score below which a box is unsure. Score; scenes.
pub(super) const SECOND_SCORE: f32 = 0.6;
/// Minimum part of a two-wheeler that lies in another one, to be that one without its rider. Part; scenes.
pub(super) const PART: f32 = 0.6;
/// Maximum height of such a box, as a part of the height of the other one. Part; scenes.
pub(super) const PART_HEIGHT: f32 = 0.8;
/// Maximum distance of the two feet, as a part of the height of the other one. Part; scenes.
pub(super) const PART_FOOT: f32 = 0.2;
/// Minimum part of the scores that say two-wheeler, against person, for a track faster than a walk. Part; scenes.
pub(super) const RIDER_PART: f32 = 0.3;
/// Part of a box that lies in another one, above which it shows others too. Part; scenes.
pub(super) const SHARED: f32 = 0.3;
/// Weight of a new appearance in the learnt one. Part; scenes.
pub(super) const LEARN: f32 = 0.3;

// Detections of one inference that show one subject.

/// Minimum overlap of two boxes with two labels around one subject. IoU; scenes.
pub(super) const ALIAS_IOU: f32 = 0.65;
/// Minimum ratio of height to width of a narrow car, in parts of the sides of the picture. Ratio; measured, see `without_aliases`.
pub(super) const NARROW: f32 = 2.2;
/// Minimum overlap of a narrow car with a two-wheeler that is the same. IoU; measured, see `without_aliases`.
pub(super) const NARROW_IOU: f32 = 0.5;
/// Minimum rider score, as a part of the score of the group box. Part; scenes.
pub(super) const GROUP_SCORE: f32 = 0.6;
/// Minimum part of the rider box that lies in the group box. Part; scenes.
pub(super) const GROUP_WITHIN: f32 = 0.7;
/// Minimum rider height, as a part of the height of the group box. Part; scenes.
pub(super) const GROUP_HEIGHT: f32 = 0.4;
/// Maximum rider width, as a part of the width of the group box. Part; scenes.
pub(super) const GROUP_WIDTH: f32 = 0.75;
/// Minimum distance of the feet of two riders, as a part of the height of the group box. Part; scenes.
pub(super) const GROUP_FEET: f32 = 0.3;
/// Maximum part of one rider box that lies in the other one. Part; scenes.
pub(super) const GROUP_SHARED: f32 = 0.2;

// Association of detections with tracks.

/// Cost of a change of label, as a part of the worst cost that is allowed. Part; scenes.
pub(super) const OTHER_LABEL: f32 = 0.3;
/// Pace above which a subject is on wheels, whatever its label. Sizes a second; scenes.
pub(super) const ON_WHEELS: f32 = 2.0;
/// Minimum overlap with the box of a vehicle at rest. IoU; scenes.
pub(super) const RESTING_IOU_MIN: f32 = 0.4;
/// Cost of an unlike appearance, in association by overlap. Cost; scenes.
pub(super) const UNLIKE: f32 = 1.5;
/// Cost of an unlike appearance, in association by distance. Cost; scenes.
pub(super) const UNLIKE_NEAR: f32 = 0.6;
/// Cost of a second without a detection, among tracks that may have the same box. Cost a second; scenes.
pub(super) const LATE: f32 = 0.3;
/// Maximum time that counts for that cost. Seconds; scenes.
pub(super) const LATE_SECONDS_MAX: f32 = 2.5;
/// Gain of speed of a subject that comes nearer, as a part of the square of its pace. Part a second; scenes.
pub(super) const NEARING: f32 = 0.12;
/// Minimum pace of a subject that cannot stop or turn at once. Sizes a second; scenes.
pub(super) const COMMITTED_PACE: f32 = 0.8;
/// Minimum inferences of such a subject. Inferences; scenes.
pub(super) const COMMITTED_HITS: u32 = 4;
/// Distance by which such a subject may fall behind its expected place. Sizes; scenes.
pub(super) const BEHIND_SIZES: f32 = 0.35;
/// Addition to that distance, as a part of the expected way. Part; scenes.
pub(super) const BEHIND_PART: f32 = 0.6;
/// Maximum ratio of seen to expected size, and of expected to seen size. Ratio; scenes.
pub(super) const GROWN: f32 = 2.0;
/// Addition to the ratio of seen to expected size, for each second without a detection. Ratio a second; scenes.
pub(super) const GROWN_A_SECOND: f32 = 1.0;
/// Minimum growth of a subject that may be larger than expected. Part a second; scenes.
pub(super) const OUTGROWN_GROWTH: f32 = 0.2;
/// Maximum ratio of its seen to its expected size. Ratio; scenes.
pub(super) const OUTGROWN_MAX: f32 = 3.5;
/// Minimum part of its expected box that lies in the seen one. Part; scenes.
pub(super) const OUTGROWN_WITHIN: f32 = 0.5;
/// Overlap that counts where all of the expected box lies in the seen one. IoU; scenes.
pub(super) const OUTGROWN_OVERLAP: f32 = 0.5;
