//! A file through the same analysis as the daemon's, as fast as the machine can.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::analysis::Analysis;
use crate::detect::{self, Factory};
use crate::domain::detection::Detection;
use crate::domain::event::Event;
use crate::domain::ids::{CameraId, Epoch};
use crate::domain::picture::{Frame, Picture};
use crate::domain::time::{ClockState, Monotonic, Stamp, WallTime};
use crate::domain::track::Track;
use crate::rules::RuleSettings;
use crate::video;

/// What to replay, and how.
pub struct Replay<'a> {
    /// The video file.
    pub file: &'a Path,
    /// The detector.
    pub detect: &'a detect::Settings,
    /// The camera that the file stands for.
    pub camera: CameraId,
    /// Its rules.
    pub rules: Vec<RuleSettings>,
    /// Looks per second of the file's time.
    pub fps: f32,
    /// The wall time of the file's first picture, for schedules.
    pub starts_at: WallTime,
}

/// What was found on one picture; a line of JSON.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// Time since the file's start, in seconds.
    pub seconds: f64,
    /// What the detector saw.
    pub detections: &'a [Detection],
    /// Who is there.
    pub tracks: &'a [Track],
    /// What began or ended.
    pub events: &'a [Event],
}

/// What a replay came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Pictures in the file.
    pub pictures: u64,
    /// Pictures that were looked at.
    pub looks: u64,
    /// Events that opened.
    pub opened: u64,
}

impl Replay<'_> {
    /// Calls `each` for every picture that is looked at, and once more at the end if events are still open then
    /// (without detections). `progress` gets the time played and the file's length, where it is known.
    pub fn run(
        &self,
        mut progress: impl FnMut(Duration, Option<Duration>),
        mut each: impl FnMut(&Line<'_>, Option<&Picture>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Totals> {
        let factory = Factory::new(self.detect)?;
        let mut analysis = Analysis::new(self.camera.clone(), factory.for_camera(), self.rules.clone());
        let mut reader = video::read_pictures(self.file)?;
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
            let looked = analysis.look(&frame)?;
            totals.looks += 1;
            totals.opened += looked.events.iter().filter(|event| event.closed_at.is_none()).count() as u64;
            let (detections, tracks, events) = (&looked.detections, &looked.tracks, &looked.events);
            each(&Line { seconds, detections, tracks, events }, Some(&frame.picture))?;
        }
        let events = analysis.close_all(last);
        if !events.is_empty() {
            let seconds = last.monotonic.since(Monotonic::default()).as_secs_f64();
            each(&Line { seconds, detections: &[], tracks: &[], events: &events }, None)?;
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
