//! Numbers of the tracker.

use base::detection::SCORE_SURE;

/// Settings of the tracker. Sizes and distances are in units of the subject's own box, so that near and far subjects
/// are treated alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Minimum score of a sure detection. 0..=1.
    pub score_high: f32,
    /// Minimum score of a detection that may start a track; one that is never sure is confirmed only once it gets
    /// somewhere. 0..=1.
    pub score_start: f32,
    /// Minimum score of a detection that may continue a track. 0..=1.
    pub score_low: f32,
    /// Minimum overlap (IoU) of a sure detection with the predicted box.
    pub iou_min: f32,
    /// Minimum overlap (IoU) of a weak detection with the predicted box.
    pub iou_weak_min: f32,
    /// Maximum speed of a subject between its first detection and its second, in box sizes per second, at a score of 1; less as
    /// the score is lower. Later a quarter of it, more with the subject's pace. A motorbike passing at 30 km/h makes 5.
    pub speed_max: f32,
    /// Minimum number of detections that confirm a track.
    pub hits_min: u32,
    /// Minimum time between the first and the last of them.
    pub confirm_seconds_min: f32,
    /// Minimum time between the first detection and the last of a track that fewer confirm, at least two, with a mean score of
    /// [`Self::score_high`]: where inferences are rare.
    pub confirm_seconds_of_two: f32,
    /// Maximum time for which a confirmed track lives on without a detection. Each inference that covers its expected place and
    /// does not find it adds the time since the inference before.
    pub lost_seconds_max: f32,
    /// The same for a track that is not confirmed.
    pub unconfirmed_seconds_max: f32,
    /// Maximum time that one such inference adds, however long there was none before: one weak moment of the detector must not
    /// end a track that stood there for minutes.
    pub miss_seconds_max: f32,
    /// Time without inference after which a moving track is given up: it can be anywhere.
    pub without_inference_seconds_max: f32,
    /// Time in its place after which a confirmed track is at rest.
    pub rest_seconds_min: f32,
    /// Minimum overlap (IoU) with the box that it had there; below it, the track has left its place.
    pub rest_iou_min: f32,
    /// Maximum number of points of a path, at least 2.
    pub path_points_max: usize,
    /// Maximum number of live tracks; further subjects wait until one ends.
    pub tracks_max: usize,
    /// Maximum number of detections of one inference that are used.
    pub detections_max: usize,
}

/// For 1 to 10 inferences per second on a street, of parts of it or of the whole.
impl Default for Settings {
    fn default() -> Self {
        Self {
            score_high: SCORE_SURE,
            score_start: 0.25,
            score_low: 0.15,
            iou_min: 0.15,
            iou_weak_min: 0.35,
            speed_max: 6.0,
            hits_min: 3,
            confirm_seconds_min: 0.25,
            confirm_seconds_of_two: 0.35,
            lost_seconds_max: 2.5,
            unconfirmed_seconds_max: 0.8,
            miss_seconds_max: 1.0,
            without_inference_seconds_max: 12.0,
            rest_seconds_min: 1.5,
            rest_iou_min: 0.6,
            path_points_max: 64,
            tracks_max: 128,
            detections_max: 200,
        }
    }
}
