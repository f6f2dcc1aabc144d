//! Arrival times of samples at the box, for the pictures that come out of the pipeline later.

use std::collections::VecDeque;

use gstreamer as gst;
use parking_lot::{Mutex, MutexGuard};

use base::time::Stamp;

/// Arrival times that are remembered: more than a GOP's worth at 30 samples a second.
const ARRIVALS_MAX: usize = 1024;
/// A time that comes out of the pipeline is that of the sample that went in this close to it.
const SAME: gst::ClockTime = gst::ClockTime::from_mseconds(1);

/// A sample that went into the pipeline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    running_time: gst::ClockTime,
    pub at: Stamp,
    /// Its picture may be wrong, since something before it was lost.
    pub is_broken: bool,
}

/// Arrival times of samples, by their running time. A camera's own clock runs faster or slower than the box's, so that
/// the pipeline's own times cannot tell them.
#[derive(Default)]
pub(super) struct Arrivals {
    samples: Mutex<VecDeque<Arrival>>,
}

impl Arrivals {
    /// Notes that the sample with this running time arrived `at`.
    pub(super) fn add(&self, running_time: gst::ClockTime, at: Stamp, is_broken: bool) {
        let mut samples = self.lock();
        if samples.len() == ARRIVALS_MAX {
            samples.pop_front();
        }
        samples.push_back(Arrival { running_time, at, is_broken });
    }

    /// The sample with this running time; `None` for one that did not come this way.
    pub(super) fn of(&self, running_time: gst::ClockTime) -> Option<Arrival> {
        let samples = self.lock();
        samples.iter().rev().find(|one| one.running_time.absdiff(running_time) <= SAME).copied()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arrival>> {
        self.samples.lock()
    }
}
