//! When samples arrived at the box, for what comes out of the pipeline later.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gstreamer as gst;

use crate::domain::time::Stamp;

/// Arrival times that are remembered: more than a GOP's worth at 30 samples a second.
const ARRIVALS_MAX: usize = 1024;
/// A time that comes out of the pipeline is that of the sample that went in this close to it.
const SAME: gst::ClockTime = gst::ClockTime::from_mseconds(1);

/// When samples arrived, by their running time. A camera's own clock runs faster or slower than the box's, so that
/// what comes out of the pipeline cannot tell.
#[derive(Default)]
pub(super) struct Arrivals {
    samples: Mutex<VecDeque<(gst::ClockTime, Stamp)>>,
}

impl Arrivals {
    pub(super) fn add(&self, running_time: gst::ClockTime, at: Stamp) {
        let mut samples = self.lock();
        if samples.len() == ARRIVALS_MAX {
            samples.pop_front();
        }
        samples.push_back((running_time, at));
    }

    /// When the sample with this running time arrived; `None` for one that did not come this way.
    pub(super) fn of(&self, running_time: gst::ClockTime) -> Option<Stamp> {
        let samples = self.lock();
        let same = |(time, _): &&(gst::ClockTime, Stamp)| time.absdiff(running_time) <= SAME;
        samples.iter().rev().find(same).map(|(_, at)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(gst::ClockTime, Stamp)>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
