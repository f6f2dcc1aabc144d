//! One camera's pictures in virtual time: every one whole, or as the box runs. Other benches include this file, too.

use std::collections::BTreeSet;
use std::time::Duration;

use analysis::rules::RuleSettings;
use analysis::track::{Settings, Surroundings, Tracker, subjects};
use analysis::{Gate, Scenery};
use base::clock::thread_cpu;
use base::detection::Detection;
use base::detector::Detector;
use base::event::Event;
use base::geometry::Rect;
use base::ids::{CameraId, Epoch, TrackId};
use base::picture::{Frame, Picture};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
use base::track::Track;
use wardwatch::infer::Analysis;
use wardwatch::infer::Factory;

/// Gate and analysis of one camera.
pub struct Gated {
    gate: Option<Gate>,
    analysis: Analysis,
    /// Tracks that the latest inference at their place did not find.
    missed: BTreeSet<TrackId>,
    /// Events that began or ended since they were last taken.
    events: Vec<Event>,
    pub inferences: u64,
    /// CPU time of motion checks and inferences.
    cpu: Duration,
}

impl Gated {
    pub fn new(factory: &Factory, rules: Vec<RuleSettings>) -> Self {
        let gate = factory.gate_for_camera(&[]);
        let is_gated = gate.is_some();
        let analysis = Analysis::new(camera(), factory.for_camera(&[]), rules, is_gated);
        let (missed, events) = (BTreeSet::new(), Vec::new());
        Self { gate, analysis, missed, events, inferences: 0, cpu: Duration::ZERO }
    }

    /// Processes a frame. Returns all tracks, seen or predicted.
    pub fn frame(&mut self, frame: &Frame) -> Vec<Track> {
        let start = thread_cpu();
        let tracks = self.take(frame);
        self.cpu += thread_cpu().saturating_sub(start);
        tracks
    }

    fn take(&mut self, frame: &Frame) -> Vec<Track> {
        let check = self.gate.as_mut().map(|gate| gate.check(frame)).unwrap_or_default();
        let after_motion = self.analysis.take_motion(frame, &check);
        self.events.extend(after_motion.events.into_iter().map(|told| told.event));
        if after_motion.want.is_none() {
            return after_motion.tracks;
        }
        let inferred = self.analysis.infer(frame).unwrap();
        self.events.extend(inferred.events.into_iter().map(|told| told.event));
        self.inferences += inferred.parts.len() as u64;
        for track in &inferred.tracks {
            let was_looked_at = inferred.parts.iter().any(|part| lies_in(&track.rect, &part.crop));
            if track.last_seen == frame.at.monotonic {
                self.missed.remove(&track.id);
            } else if was_looked_at {
                self.missed.insert(track.id);
            }
        }
        inferred.tracks
    }

    /// Returns false if the latest inference at its place did not find it.
    pub fn is_there(&self, track: &Track) -> bool {
        !self.missed.contains(&track.id)
    }
}

/// The part for benches with rules.
#[allow(dead_code, reason = "the streets have no rules")]
impl Gated {
    /// Returns and removes the events that began or ended since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Closes the open events at the end of the footage. Returns them with the others.
    pub fn close(&mut self, second: f64) -> Vec<Event> {
        let told = self.analysis.close_all(stamp(second));
        self.events.extend(told.into_iter().map(|told| told.event));
        self.take_events()
    }

    /// CPU time of motion checks and inferences so far.
    pub fn cpu(&self) -> Duration {
        self.cpu
    }
}

fn lies_in(rect: &Rect, part: &Rect) -> bool {
    rect.intersection(part) > 0.99 * rect.area()
}

/// The camera of all pictures.
pub fn camera() -> CameraId {
    "bench".parse().unwrap()
}

/// The stamp of a second.
pub fn stamp(second: f64) -> Stamp {
    let span = Duration::from_secs_f64(second);
    Stamp {
        wall: WallTime::from_micros(1_777_593_600_000_000) + span,
        monotonic: Monotonic::from_nanos(1_000_000_000) + span,
        clock: ClockState::Synced,
    }
}

/// The frame of a second.
pub fn frame(second: f64, picture: Picture) -> Frame {
    let pts = Pts((second * 1e9) as u64);
    Frame { camera: camera(), epoch: Epoch(1), pts, at: stamp(second), picture }
}

/// A detector and a tracker that see every frame whole.
pub struct Every {
    detector: Box<dyn Detector>,
    tracker: Tracker,
}

impl Every {
    pub fn new(factory: &Factory) -> Self {
        Self { detector: factory.for_camera(&[]), tracker: Tracker::new(Settings::default()) }
    }

    /// Processes a frame. Returns its detections and all tracks.
    pub fn frame(&mut self, frame: &Frame) -> (Vec<Detection>, Vec<Track>) {
        let detections = subjects(&self.detector.detect(frame).unwrap(), self.detector.includes_riders());
        // No scenery: clips are seconds long, and each frame stands for itself.
        let surroundings: Vec<Surroundings> = detections
            .iter()
            .map(|detection| Surroundings::of(&frame.picture, &Scenery::default(), &detection.rect))
            .collect();
        let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
        let tracks = self.tracker.take_inference(
            frame.at.monotonic,
            frame.epoch,
            &[whole],
            &detections,
            &surroundings,
        );
        (detections, tracks)
    }
}
