//! Analysis of one camera: the motion check decides on inference; inference runs detector, tracker and rules in a row.
//! The daemon, `replay` and the benches run the same code.

use crate::alerts::{BestFrameSelector, SentEvent};
use ::analysis::budget::{Urgency, Want};
use ::analysis::regions::{InferenceArea, Plan, Planner, PlannerInput};
use ::analysis::rules::{Note, Observation, RuleSet, RuleSettings};
use ::analysis::track::{Surroundings, Tracker, subjects};
use ::analysis::{MotionCheck, Scenery, ViewIntegrityMonitor};
use base::detection::{Detection, Label};
use base::detector::InferenceError;
use base::detector::{Detector, InferenceResult};
use base::geometry::Rect;
use base::ids::{AlertId, CameraId, Epoch, TrackId};
use base::picture::Frame;
use base::static_object::StaticObject;
use base::time::{Monotonic, Stamp};
use base::track::{Forecast, Track};
use base::view_quality::ViewQuality;

/// Fraction of a static object that a track's box must cover to account for it.
const TRACK_PART: f32 = 0.5;

/// Result of the motion check of a frame.
#[derive(Debug, Clone)]
pub struct MotionOutcome {
    /// The frame's demand for inference; `None` if none is due.
    pub want: Option<Want>,
    /// The tracks, at their expected positions.
    pub tracks: Vec<Track>,
    /// Events that opened or closed.
    pub events: Vec<SentEvent>,
}

/// Result of inference on a frame.
#[derive(Debug, Clone)]
pub struct InferenceOutcome {
    /// Parts of the frame that were examined; empty if nothing was due any more.
    pub parts: Vec<InferenceArea>,
    /// Detections, with riders and their vehicles merged.
    pub detections: Vec<Detection>,
    /// The tracks on the frame.
    pub tracks: Vec<Track>,
    /// Events that opened or closed.
    pub events: Vec<SentEvent>,
}

impl InferenceOutcome {
    /// Pixels of input of all parts.
    pub fn pixels(&self) -> u64 {
        self.parts.iter().map(InferenceArea::pixels).sum()
    }
}

/// The state of one camera's analysis.
pub struct Analysis {
    detector: Box<dyn Detector>,
    /// `None` where every frame is examined.
    planner: Option<Planner>,
    epoch: Option<Epoch>,
    tracker: Tracker,
    scenery: Scenery,
    rules: RuleSet,
    best_frames: BestFrameSelector,
    /// View integrity monitor, where a rule asks for the view quality.
    view_monitor: Option<ViewIntegrityMonitor>,
    view_quality: Option<ViewQuality>,
    /// Static objects by the latest motion check.
    static_objects: Vec<StaticObject>,
}

impl Analysis {
    /// Starts without tracks. With `is_gated`, frames pass a motion check, and inference runs only where it is due.
    pub fn new(
        camera: CameraId,
        detector: Box<dyn Detector>,
        rules: Vec<RuleSettings>,
        is_gated: bool,
    ) -> Self {
        let tracker = Tracker::new(analysis::track::Settings::default());
        let rules = RuleSet::new(camera, rules);
        Self {
            detector,
            planner: is_gated.then(Planner::new),
            epoch: None,
            tracker,
            scenery: Scenery::default(),
            view_monitor: rules.wants_view_quality().then(ViewIntegrityMonitor::default),
            rules,
            best_frames: BestFrameSelector::default(),
            view_quality: None,
            static_objects: Vec::new(),
        }
    }

    /// From now on [`Analysis::notes`] says after each frame why rules did not fire.
    pub fn explain(&mut self) {
        self.rules.explain();
    }

    /// Reasons why rules did not fire on the last frame.
    pub fn notes(&self) -> &[Note] {
        self.rules.notes()
    }

    /// Takes in a frame's motion check, with or without inference to follow: tracks and rules go on. Costs little.
    pub fn take_motion(&mut self, frame: &Frame, check: &MotionCheck) -> MotionOutcome {
        let severity = self.rules.severity_at(frame.at.wall);
        self.view_quality = self.view_monitor.as_mut().map(|view_monitor| view_monitor.measure(frame));
        if self.planner.is_none() {
            let pixels = InferenceArea::whole(self.detector.input_sizes()).pixels();
            let want = Want { urgency: Urgency::Motion, severity, pixels };
            return MotionOutcome { want: Some(want), tracks: Vec::new(), events: Vec::new() };
        }
        self.begin(frame.epoch);
        self.scenery.update(frame);
        self.static_objects.clone_from(&check.static_objects);
        let moving: Vec<Rect> = if check.began_again {
            // The gate has begun anew: no part of the picture is known to be still.
            vec![analysis::regions::WHOLE]
        } else {
            check.regions.iter().map(|region| region.rect).collect()
        };
        let tracks = self.tracker.take_motion(frame.at.monotonic, frame.epoch, &moving);
        let events = self.step(frame, &tracks);
        let forecast = self.tracker.forecast(frame.at.monotonic);
        if let Some(planner) = &mut self.planner {
            planner.take_motion(frame.at.monotonic, check, &forecast);
        }
        let plan = self.plan(frame, &forecast);
        let want = plan.map(|plan| Want { urgency: plan.urgency, severity, pixels: plan.pixels() });
        MotionOutcome { want, tracks, events }
    }

    /// Runs inference where it is due on a frame after its motion check. Blocks for one or two inferences.
    pub fn infer(&mut self, frame: &Frame) -> Result<InferenceOutcome, InferenceError> {
        self.begin(frame.epoch);
        let at = frame.at.monotonic;
        let forecast = self.tracker.forecast(at);
        let Some(plan) = self.plan(frame, &forecast) else {
            let tracks = self.tracker.take_motion(at, frame.epoch, &[]);
            return Ok(InferenceOutcome {
                parts: Vec::new(),
                detections: Vec::new(),
                tracks,
                events: Vec::new(),
            });
        };
        let InferenceResult { detections, cut } = self.detector.infer(frame, &plan.areas)?;
        let detections = subjects(&detections, self.detector.includes_riders());
        let parts: Vec<Rect> = plan.areas.iter().map(|area| area.crop).collect();
        let surroundings: Vec<Surroundings> = detections
            .iter()
            .map(|detection| Surroundings::of(&frame.picture, &self.scenery, &detection.rect))
            .collect();
        let tracks = self.tracker.take_inference(at, frame.epoch, &parts, &detections, &surroundings);
        if let Some(planner) = &mut self.planner {
            let found: Vec<Rect> = detections.iter().map(|detection| detection.rect).collect();
            planner.inferred(at, &plan, &self.tracker.forecast(at), &found, &cut);
        }
        let events = self.step(frame, &tracks);
        Ok(InferenceOutcome { parts: plan.areas, detections, tracks, events })
    }

    /// Closes the open events, since the picture is gone.
    pub fn close_all(&mut self, at: Stamp) -> Vec<SentEvent> {
        let events = self.rules.close_all(at);
        self.best_frames.sent_events(None, events, &[])
    }

    /// Runs the rules for a missing picture. Called every few seconds while there is none.
    pub fn absent(&mut self, at: Stamp) -> Vec<SentEvent> {
        let events = self.rules.absent(at);
        self.best_frames.sent_events(None, events, &[])
    }

    /// True if a rule uses [`Analysis::absent`].
    pub fn wants_absence(&self) -> bool {
        self.rules.wants_absence()
    }

    fn step(&mut self, frame: &Frame, tracks: &[Track]) -> Vec<SentEvent> {
        let view_quality = self.view_quality.as_ref();
        let at = frame.at.monotonic;
        let static_objects: Vec<StaticObject> = self
            .static_objects
            .iter()
            .filter(|static_object| !is_somebodys(static_object, tracks, at))
            .copied()
            .collect();
        let static_objects = static_objects.as_slice();
        let events = self.rules.step(&Observation {
            at: frame.at,
            epoch: frame.epoch,
            tracks,
            static_objects,
            view_quality,
        });
        let sent = self.best_frames.sent_events(Some(frame), events, tracks);
        let open: Vec<(AlertId, Vec<TrackId>)> = self
            .rules
            .open()
            .map(|event| (event.id, event.subjects.iter().map(|subject| subject.track).collect()))
            .collect();
        self.best_frames.consider(frame, open.iter().map(|(id, members)| (*id, members.as_slice())), tracks);
        sent
    }

    fn plan(&self, frame: &Frame, tracks: &[Forecast]) -> Option<Plan> {
        let sizes = self.detector.input_sizes();
        let Some(planner) = &self.planner else {
            return Some(Plan::whole(sizes, Urgency::Motion));
        };
        let picture = (frame.picture.width(), frame.picture.height());
        let speed_matters = self.rules.wants_speed();
        planner.plan(&PlannerInput { at: frame.at.monotonic, picture, sizes, tracks, speed_matters })
    }

    /// Plans anew for a new session, since its picture may be another one.
    fn begin(&mut self, epoch: Epoch) {
        if self.epoch.replace(epoch) != Some(epoch) {
            self.planner = self.planner.take().map(|_| Planner::new());
        }
    }
}

/// True if a track accounts for the static object.
fn is_somebodys(static_object: &StaticObject, tracks: &[Track], at: Monotonic) -> bool {
    tracks.iter().any(|track| {
        track.label != Label::Moving
            && track.rect.intersection(&static_object.rect) >= TRACK_PART * static_object.rect.area()
            && !static_object.is_taken_for(track, at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::geometry::Point;
    use base::track::PathPoint;

    #[test]
    fn what_a_track_covers_is_its_own_unless_it_began_as_that() {
        let at = |seconds: u64| Monotonic::from_nanos(seconds * 1_000_000_000);
        let track = |label, first_seen, rect: Rect, began: Point| Track {
            id: TrackId(1),
            label,
            score: 0.8,
            rect,
            velocity: Point::new(0.0, 0.0),
            confirmed: true,
            first_seen: at(first_seen),
            last_seen: at(20),
            path: vec![
                PathPoint { at: at(first_seen), foot: began },
                PathPoint { at: at(20), foot: rect.foot() },
            ],
        };
        let static_object =
            StaticObject { rect: Rect::new(0.5, 0.5, 0.1, 0.1), score: 0.8, still_seconds: 10.0 };
        let over = Rect::new(0.48, 0.3, 0.12, 0.32);
        let beside = Rect::new(0.58, 0.3, 0.2, 0.4);
        let (here, elsewhere) = (over.foot(), Point::new(0.1, 0.6));
        let is_its = |track: Track| is_somebodys(&static_object, &[track], at(20));
        assert!(is_its(track(Label::Person, 15, over, elsewhere)), "he went there");
        assert!(is_its(track(Label::Car, 8, over, here)), "it was there before");
        assert!(!is_its(track(Label::Person, 15, beside, elsewhere)));
        assert!(!is_its(track(Label::Person, 15, over, here)), "a thing that is taken for somebody");
        assert!(!is_its(track(Label::Moving, 8, over, here)), "which says nothing of what it is");
    }
}
