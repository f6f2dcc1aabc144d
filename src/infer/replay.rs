//! Runs a video file through the daemon's analysis, as fast as the machine can.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::analysis::{Analysis, InferenceOutcome};
use crate::alerts::SentEvent;
use crate::infer::{Factory, Settings};
use ::analysis::Gate;
use ::analysis::regions::InferenceArea;
use ::analysis::rules::{Note, RuleSettings};
use base::clock;
use base::detection::Detection;
use base::event::Event;
use base::geometry::{Polygon, Rect};
use base::ids::{CameraId, Epoch};
use base::picture::{Frame, Picture};
use base::time::{ClockState, Monotonic, Stamp, WallTime};
use base::track::Track;

/// Settings of a replay.
pub struct Replay<'a> {
    /// The video file.
    pub file: &'a Path,
    /// The detector.
    pub detect: &'a Settings,
    /// The camera that the file stands for.
    pub camera: CameraId,
    /// Areas in which motion does not count.
    pub masks: Vec<Polygon>,
    /// Its rules.
    pub rules: Vec<RuleSettings>,
    /// Frames per second of the file's time.
    pub fps: f32,
    /// The wall time of the file's first picture, for schedules.
    pub starts_at: WallTime,
    /// True to say why rules did not fire.
    pub explains: bool,
}

/// Results on one frame; as JSON, a line without notes and snapshots.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// Time since the file's start, in seconds.
    pub seconds: f64,
    /// Parts of the picture that were examined, left, top, width and height each: none if nothing was due.
    pub looks: Vec<Rect>,
    /// The detections.
    pub detections: &'a [Detection],
    /// The tracks.
    pub tracks: &'a [Track],
    /// Events that opened or closed.
    pub events: Vec<&'a Event>,
    /// The same events with their snapshots.
    #[serde(skip)]
    pub sent: &'a [SentEvent],
    /// Reasons why rules did not fire, if asked for.
    #[serde(skip)]
    pub notes: &'a [Note],
}

/// Totals of a replay.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Pictures in the file.
    pub pictures: u64,
    /// Pictures that were analysed, at the rate asked for.
    pub frames: u64,
    /// Analysed pictures that the detector examined.
    pub examined: u64,
    /// Inferences on these.
    pub inferences: u64,
    /// Pixels of input of all inferences.
    pub pixels: u64,
    /// CPU time of the motion checks, with the tracks and rules after them.
    pub motion_cpu: Duration,
    /// CPU time of the inferences, with the tracks and rules after them.
    pub inference_cpu: Duration,
    /// Events that opened.
    pub opened: u64,
}

impl Replay<'_> {
    /// Calls `each` for every frame, and once more at the end if events are still open then (without detections). No
    /// budget limits inference: motion check and regions decide as on a box that has time for all of it. `progress` gets
    /// the time played and the file's length, where it is known.
    pub fn run(
        &self,
        mut progress: impl FnMut(Duration, Option<Duration>),
        mut each: impl FnMut(&Line<'_>, Option<&Picture>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Totals> {
        let factory = Factory::new(self.detect)?;
        let mut gate = factory.gate_for_camera(&self.masks);
        let is_gated = gate.is_some();
        let mut analysis =
            Analysis::new(self.camera.clone(), factory.for_camera(&self.masks), self.rules.clone(), is_gated);
        if self.explains {
            analysis.explain();
        }
        let mut reader = camera::read_pictures(self.file)?;
        let mut totals = Totals::default();
        let mut due = 0.0;
        let mut last = self.stamp(Duration::ZERO);
        while let Some((pts, picture)) = reader.next_picture()? {
            let since_start = Duration::from_nanos(pts.0);
            totals.pictures += 1;
            progress(since_start, reader.duration());
            let seconds = since_start.as_secs_f64();
            // Half a picture's time at 50 fps: rounding must not skip a picture that is due.
            if seconds + 0.01 < due {
                continue;
            }
            due = (due + 1.0 / f64::from(self.fps)).max(seconds);
            last = self.stamp(since_start);
            let frame = Frame { camera: self.camera.clone(), epoch: Epoch(1), pts, at: last, picture };
            let seen = frame_through(&frame, gate.as_mut(), &mut analysis, &mut totals)?;
            totals.opened += seen.events.iter().filter(|sent| sent.event.closed_at.is_none()).count() as u64;
            let (detections, tracks) = (&seen.detections, &seen.tracks);
            let events = seen.events.iter().map(|sent| &sent.event).collect();
            let looks = seen.parts.iter().map(|part: &InferenceArea| part.crop).collect();
            let (sent, notes) = (&seen.events, analysis.notes());
            each(&Line { seconds, looks, detections, tracks, events, sent, notes }, Some(&frame.picture))?;
        }
        let sent = analysis.close_all(last);
        let events: Vec<&Event> = sent.iter().map(|sent| &sent.event).collect();
        if !events.is_empty() {
            let seconds = last.monotonic.since(Monotonic::default()).as_secs_f64();
            let (sent, looks) = (&sent, Vec::new());
            each(&Line { seconds, looks, detections: &[], tracks: &[], events, sent, notes: &[] }, None)?;
        }
        Ok(totals)
    }

    fn stamp(&self, since_start: Duration) -> Stamp {
        Stamp {
            wall: self.starts_at + since_start,
            monotonic: Monotonic::default() + since_start,
            clock: ClockState::Unsynced,
        }
    }
}

/// Runs one frame through motion check and analysis, as the box does when a worker is free.
fn frame_through(
    frame: &Frame,
    gate: Option<&mut Gate>,
    analysis: &mut Analysis,
    totals: &mut Totals,
) -> anyhow::Result<InferenceOutcome> {
    totals.frames += 1;
    let start = clock::thread_cpu();
    let motion = gate.map(|gate| gate.check(frame)).unwrap_or_default();
    let after_motion = analysis.take_motion(frame, &motion);
    let checked_at = clock::thread_cpu();
    totals.motion_cpu += checked_at.saturating_sub(start);
    if after_motion.want.is_none() {
        let (tracks, events) = (after_motion.tracks, after_motion.events);
        return Ok(InferenceOutcome { parts: Vec::new(), detections: Vec::new(), tracks, events });
    }
    let mut inferred = analysis.infer(frame)?;
    totals.inference_cpu += clock::thread_cpu().saturating_sub(checked_at);
    inferred.events.splice(0..0, after_motion.events);
    totals.examined += 1;
    totals.inferences += inferred.parts.len() as u64;
    totals.pixels += inferred.pixels();
    Ok(inferred)
}
