//! Numbers of the tracker.

/// How detections become tracks. Sizes and distances are in units of the subject's own box, so that near and far
/// subjects are treated alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// From this score on a detection is sure: it may start a track. 0..=1.
    pub score_high: f32,
    /// From this score on a detection may continue a track. 0..=1.
    pub score_low: f32,
    /// Least overlap (IoU) of a sure detection with the predicted box.
    pub iou_min: f32,
    /// Least overlap (IoU) of a weak detection with the predicted box.
    pub iou_weak_min: f32,
    /// How fast a subject may be at its second look, in box sizes per second. A motorbike passing at 30 km/h makes 5.
    pub speed_max: f32,
    /// How many looks confirm a track.
    pub hits_min: u32,
    /// Over how many seconds at least they must be spread.
    pub confirm_seconds_min: f32,
    /// How long a confirmed track lives on without being seen.
    pub lost_seconds_max: f32,
    /// The same for a track that is not confirmed.
    pub unconfirmed_seconds_max: f32,
    /// How many points a path keeps, at least 2.
    pub path_points_max: usize,
    /// How many tracks live at a time; further subjects wait until one ends.
    pub tracks_max: usize,
    /// How many detections of one look are used.
    pub detections_max: usize,
}

/// For 2 to 10 looks per second at a street.
impl Default for Settings {
    fn default() -> Self {
        Self {
            score_high: 0.45,
            score_low: 0.15,
            iou_min: 0.15,
            iou_weak_min: 0.35,
            speed_max: 6.0,
            hits_min: 3,
            confirm_seconds_min: 0.25,
            lost_seconds_max: 2.5,
            unconfirmed_seconds_max: 0.8,
            path_points_max: 64,
            tracks_max: 128,
            detections_max: 200,
        }
    }
}
