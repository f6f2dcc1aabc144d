//! One camera's place: its analysis while nobody has it, and what came meanwhile.

use std::collections::VecDeque;

use super::super::analysis::Analysis;
use super::ABSENCE_INTERVAL;
use crate::detect::Glance;
use crate::domain::picture::Frame;
use crate::domain::time::{Monotonic, Stamp};

/// Frames that wait for a look to end, so that their motion is not forgotten; beyond them the oldest goes.
const GLIMPSES_MAX: usize = 8;

/// A frame, and what the gate made of it.
pub(super) type Glimpse = (Frame, Glance);

/// One camera's place.
pub(super) struct Desk {
    /// `None` while somebody has it.
    pub(super) analysis: Option<Box<Analysis>>,
    /// What waits for a look.
    pub(super) frame: Option<Frame>,
    /// The picture went away at this time, after what was seen before.
    pub(super) lost: Option<Stamp>,
    pub(super) failing: bool,
    /// When the last frame came, or somebody thought of its being away.
    pub(super) heard_at: Monotonic,
    pub(super) frames: u64,
    pub(super) moving: u64,
    pub(super) inferences: u64,
    glimpses: VecDeque<Glimpse>,
}

impl Desk {
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
            glimpses: VecDeque::new(),
        }
    }

    /// From when on its camera is one without a picture; `None` while somebody has the analysis, or where no rule asks.
    pub(super) fn absent_from(&self) -> Option<Monotonic> {
        let is_asked = self.analysis.as_ref().is_some_and(|analysis| analysis.wants_absence());
        is_asked.then(|| self.heard_at + ABSENCE_INTERVAL)
    }

    pub(super) fn count(&mut self, glance: &Glance, at: Monotonic) {
        self.heard_at = at;
        self.frames += 1;
        self.moving += u64::from(!glance.regions.is_empty());
    }

    /// Puts down what came while the analysis is away.
    pub(super) fn put(&mut self, frame: Frame, glance: Glance) {
        if self.glimpses.len() >= GLIMPSES_MAX {
            self.glimpses.pop_front();
        }
        self.glimpses.push_back((frame, glance));
    }

    /// Takes it up again, the oldest first.
    pub(super) fn take_glimpses(&mut self) -> Vec<Glimpse> {
        self.glimpses.drain(..).collect()
    }
}
