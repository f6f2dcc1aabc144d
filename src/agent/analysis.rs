//! One camera's analysis: detector, tracker and rules in a row. The daemon and `replay` run the same.

use crate::detect::{DetectError, Detector};
use crate::domain::detection::Detection;
use crate::domain::event::Event;
use crate::domain::ids::CameraId;
use crate::domain::picture::Frame;
use crate::domain::time::Stamp;
use crate::domain::track::Track;
use crate::rules::{Look, RuleSet, RuleSettings};
use crate::track::{Tracker, merge_riders};

/// What one look at a frame brought.
#[derive(Debug, Clone)]
pub struct Looked {
    /// What the detector saw, riders and machines merged.
    pub detections: Vec<Detection>,
    /// Who is there.
    pub tracks: Vec<Track>,
    /// What began or ended.
    pub events: Vec<Event>,
}

/// The state of one camera's analysis.
pub struct Analysis {
    detector: Box<dyn Detector>,
    tracker: Tracker,
    rules: RuleSet,
}

impl Analysis {
    /// Starts with an empty street.
    pub fn new(camera: CameraId, detector: Box<dyn Detector>, rules: Vec<RuleSettings>) -> Self {
        let tracker = Tracker::new(crate::track::Settings::default());
        Self { detector, tracker, rules: RuleSet::new(camera, rules) }
    }

    /// Looks at one frame. Blocks for one inference.
    pub fn look(&mut self, frame: &Frame) -> Result<Looked, DetectError> {
        let detections = merge_riders(&self.detector.detect(frame)?);
        let tracks = self.tracker.update(frame.at.monotonic, frame.epoch, &detections);
        let events = self.rules.step(&Look { at: frame.at, epoch: frame.epoch, tracks: &tracks });
        Ok(Looked { detections, tracks, events })
    }

    /// Ends what is open: the picture is gone.
    pub fn close_all(&mut self, at: Stamp) -> Vec<Event> {
        self.rules.close_all(at)
    }
}
