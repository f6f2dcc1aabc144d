//! Scheduler state of one camera: its analysis while it is not in use, and the frames that came meanwhile.

use std::collections::VecDeque;

use super::super::analysis::Analysis;
use super::ABSENCE_INTERVAL;
use ::analysis::MotionCheck;
use base::geometry::Polygon;
use base::picture::Frame;
use base::time::{Monotonic, Stamp};

/// Pending frames that wait for an inference to end, so that their motion counts; beyond them the oldest is dropped.
const PENDING_MAX: usize = 8;

/// A pending frame, with its motion check.
pub(super) type PendingFrame = (Frame, MotionCheck);

/// Scheduler state of one camera.
pub(super) struct CameraSlot {
    /// `None` while it is in use.
    pub(super) analysis: Option<Box<Analysis>>,
    /// The frame that waits for inference.
    pub(super) frame: Option<Frame>,
    /// Time of a loss of the picture, later than its frames; `None` once a worker has taken it.
    pub(super) lost: Option<Stamp>,
    pub(super) failing: bool,
    /// Time of the last frame, or of the last run of the rules for a missing picture.
    pub(super) heard_at: Monotonic,
    pub(super) frames: u64,
    pub(super) moving: u64,
    pub(super) inferences: u64,
    /// Masks for the motion check of the next frame; `None` where it has them.
    pub(super) masks: Option<Vec<Polygon>>,
    pending: VecDeque<PendingFrame>,
}

impl CameraSlot {
    pub(super) fn new(analysis: Analysis, now: Monotonic) -> Self {
        Self {
            analysis: Some(Box::new(analysis)),
            heard_at: now,
            frame: None,
            lost: None,
            failing: false,
            frames: 0,
            moving: 0,
            inferences: 0,
            masks: None,
            pending: VecDeque::new(),
        }
    }

    /// Time from which the camera counts as without a picture; `None` while the analysis is in use, or if no rule asks.
    pub(super) fn absent_from(&self) -> Option<Monotonic> {
        let is_asked = self.analysis.as_ref().is_some_and(|analysis| analysis.wants_absence());
        is_asked.then(|| self.heard_at + ABSENCE_INTERVAL)
    }

    pub(super) fn count(&mut self, check: &MotionCheck, at: Monotonic) {
        self.heard_at = at;
        self.frames += 1;
        self.moving += u64::from(!check.regions.is_empty());
    }

    /// Adds a pending frame, which came while the analysis is in use.
    pub(super) fn put(&mut self, frame: Frame, check: MotionCheck) {
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back((frame, check));
    }

    /// Takes the pending frames, the oldest first.
    pub(super) fn take_pending(&mut self) -> Vec<PendingFrame> {
        self.pending.drain(..).collect()
    }
}
