//! One street in virtual time: every frame looked at whole, and as the box looks.

use std::collections::BTreeSet;
use std::time::Duration;

use wardwatch::agent::Analysis;
use wardwatch::detect::{Detector, Factory, Gate};
use wardwatch::domain::appearance::Appearance;
use wardwatch::domain::geometry::Rect;
use wardwatch::domain::ids::{CameraId, Epoch, TrackId};
use wardwatch::domain::picture::{Frame, Picture};
use wardwatch::domain::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
use wardwatch::domain::track::Track;
use wardwatch::scene::Scene;
use wardwatch::track::{Settings, Tracker, subjects};

use super::mot::Texts;
use super::scenes::{FPS, SECONDS, Street};

/// What it cost.
#[derive(Default)]
pub struct Cost {
    pub frames: u64,
    pub gated_inferences: u64,
}

/// Gate and analysis of one camera, without rules.
pub struct Gated {
    gate: Option<Gate>,
    analysis: Analysis,
    /// Where the latest look at its place did not find it.
    missed: BTreeSet<TrackId>,
    pub inferences: u64,
}

impl Gated {
    pub fn new(factory: &Factory) -> Self {
        let gate = factory.gate_for_camera(&[]);
        let is_gated = gate.is_some();
        let analysis = Analysis::new(camera(), factory.for_camera(&[]), Vec::new(), is_gated);
        Self { gate, analysis, missed: BTreeSet::new(), inferences: 0 }
    }

    /// Who is there on this frame, as far as is known: all tracks.
    pub fn frame(&mut self, frame: &Frame) -> Vec<Track> {
        let glance = self.gate.as_mut().map(|gate| gate.glance(frame)).unwrap_or_default();
        let glanced = self.analysis.glance(frame, &glance);
        if glanced.want.is_none() {
            return glanced.tracks;
        }
        let looked = self.analysis.look(frame).unwrap();
        self.inferences += looked.parts.len() as u64;
        for track in &looked.tracks {
            let was_looked_at = looked.parts.iter().any(|part| lies_in(&track.rect, &part.crop));
            if track.last_seen == frame.at.monotonic {
                self.missed.remove(&track.id);
            } else if was_looked_at {
                self.missed.insert(track.id);
            }
        }
        looked.tracks
    }

    /// Whether it was there when somebody last looked.
    pub fn is_there(&self, track: &Track) -> bool {
        !self.missed.contains(&track.id)
    }
}

fn lies_in(rect: &Rect, part: &Rect) -> bool {
    rect.intersection(part) > 0.99 * rect.area()
}

fn camera() -> CameraId {
    "bench".parse().unwrap()
}

/// The frame of a second.
pub fn frame(second: f64, picture: Picture) -> Frame {
    let span = Duration::from_secs_f64(second);
    let at = Stamp {
        wall: WallTime::from_micros(1_777_593_600_000_000) + span,
        monotonic: Monotonic::from_nanos(1_000_000_000) + span,
        clock: ClockState::Synced,
    };
    Frame { camera: camera(), epoch: Epoch(1), pts: Pts((second * 1e9) as u64), at, picture }
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

    /// What was detected, and who is there on this frame: all tracks.
    pub fn frame(&mut self, frame: &Frame) -> (Vec<wardwatch::domain::detection::Detection>, Vec<Track>) {
        let detections = subjects(&self.detector.detect(frame).unwrap(), self.detector.includes_riders());
        let appearances: Vec<Appearance> =
            detections.iter().map(|detection| Appearance::of(&frame.picture, &detection.rect)).collect();
        let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
        let tracks = self.tracker.look(frame.at.monotonic, frame.epoch, &[whole], &detections, &appearances);
        (detections, tracks)
    }
}

/// Plays it. Pictures are drawn on a thread of their own, a few ahead.
pub fn play(street: &Street, factory: &Factory) -> (Texts, Cost) {
    let scene = Scene::new(street.settings.clone());
    let frames = (SECONDS * FPS) as u64;
    let (mut every, mut gated) = (Every::new(factory), Gated::new(factory));
    let mut texts = Texts::default();
    std::thread::scope(|scope| {
        let (sender, pictures) = std::sync::mpsc::sync_channel(8);
        let scene = &scene;
        scope.spawn(move || (0..frames).try_for_each(|index| sender.send((index, scene.frame(index)))));
        for (index, (picture, truths)) in pictures {
            let frame = frame(index as f64 / f64::from(FPS), picture);
            let (detections, tracks) = every.frame(&frame);
            texts.truths(index, &truths);
            texts.detections(index, &detections);
            let now = |track: &&Track| track.confirmed && track.last_seen == frame.at.monotonic;
            texts.every(index, tracks.iter().filter(now));
            let tracks = gated.frame(&frame);
            let there = |track: &&Track| track.confirmed && gated.is_there(track);
            texts.gated(index, tracks.iter().filter(there));
        }
    });
    (texts, Cost { frames, gated_inferences: gated.inferences })
}
