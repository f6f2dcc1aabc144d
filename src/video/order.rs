//! Decoding times for the muxer: cameras send presentation times only.
//!
//! GStreamer's timestampers read from the parameter sets how far pictures are reordered, and put the decoding times that
//! far ahead, measured in the pictures of a constant rate: that of the caps, or 25/s. Where the camera has fewer, as at
//! night, that is not far enough; then some samples have no decoding time, and the muxer ends. Only how many pictures
//! far is taken from them here: a sample's decoding time is the presentation time that was due so many pictures ago.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

/// What the timestampers take for the rate of a stream that does not say.
const RATE: gst::Fraction = gst::Fraction::new_raw(25, 1);
/// No codec reorders further.
const DEPTH_MAX: u64 = 16;

/// Gives decoding times to what comes out of a timestamper.
pub(super) fn mend(timestamper: &gst::Element) {
    let Some(pad) = timestamper.static_pad("src") else { return };
    let times = Mutex::new((RATE, None));
    let wanted = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(wanted, move |_, info| {
        let (rate, times) = &mut *times.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut info.data {
            Some(gst::PadProbeData::Event(event)) => {
                if let gst::EventView::Caps(caps) = event.view() {
                    *rate = rate_of(caps.caps());
                    *times = None;
                }
            }
            Some(gst::PadProbeData::Buffer(buffer)) => {
                if let Some(pts) = buffer.pts() {
                    let times = times.get_or_insert_with(|| Times::new(pts, buffer.dts(), *rate));
                    buffer.make_mut().set_dts(times.next(pts));
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

fn rate_of(caps: &gst::CapsRef) -> gst::Fraction {
    let said = caps.structure(0).and_then(|structure| structure.get::<gst::Fraction>("framerate").ok());
    said.filter(|rate| rate.numer() > 0 && rate.denom() > 0).unwrap_or(RATE)
}

/// The decoding times of one stream.
struct Times {
    /// How many samples a picture may have to wait for.
    depth: u64,
    step: gst::ClockTime,
    /// Presentation times that are not due yet.
    ahead: BinaryHeap<Reverse<gst::ClockTime>>,
    first: gst::ClockTime,
    last: Option<gst::ClockTime>,
}

impl Times {
    /// `pts` and `dts` are those of the first sample, a keyframe, as the timestamper gives them.
    fn new(pts: gst::ClockTime, dts: Option<gst::ClockTime>, rate: gst::Fraction) -> Self {
        let [numer, denom] = [rate.numer(), rate.denom()].map(|part| u64::try_from(part).unwrap_or(1).max(1));
        let step = gst::ClockTime::SECOND.mul_div_round(denom, numer).unwrap_or(gst::ClockTime::SECOND);
        let ahead = pts.saturating_sub(dts.unwrap_or(pts)).nseconds();
        let depth = (ahead + step.nseconds() / 2).checked_div(step.nseconds()).unwrap_or(0).min(DEPTH_MAX);
        Self { depth, step, ahead: BinaryHeap::new(), first: pts, last: None }
    }

    /// The decoding time of the sample with this presentation time: not before the last one's, and not after it unless the
    /// camera reorders further than it says; the muxer takes that, too.
    fn next(&mut self, pts: gst::ClockTime) -> gst::ClockTime {
        self.ahead.push(Reverse(pts));
        let waiting = self.ahead.len() as u64;
        let due = match self.ahead.peek() {
            Some(Reverse(earliest)) if waiting > self.depth => *earliest,
            // Before the first picture is due.
            _ => self.first.saturating_sub(self.step * (self.depth + 1 - waiting)),
        };
        if waiting > self.depth {
            self.ahead.pop();
        }
        *self.last.insert(self.last.map_or(due, |last| last.max(due)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: u64 = 3_600_000;

    /// Decoding times in milliseconds after the first presentation time, of presentation times likewise.
    fn decoded(ahead: u64, rate: i32, shown: &[u64]) -> Vec<i64> {
        let at = |millis: u64| gst::ClockTime::from_mseconds(BEGIN + millis);
        let mut times = Times::new(
            at(0),
            Some(at(0) - gst::ClockTime::from_mseconds(ahead)),
            gst::Fraction::new(rate, 1),
        );
        let after = |time: gst::ClockTime| time.mseconds() as i64 - BEGIN as i64;
        shown.iter().map(|pts| after(times.next(at(*pts)))).collect()
    }

    #[test]
    fn pictures_in_order_are_decoded_when_they_are_shown() {
        assert_eq!(decoded(0, 25, &[0, 40, 140, 150, 1000]), [0, 40, 140, 150, 1000]);
    }

    #[test]
    fn pictures_out_of_order_are_decoded_by_the_pictures_that_are_due() {
        // At the rate that the stream names, at a lower one, and at one that changes.
        assert_eq!(decoded(80, 25, &[0, 160, 80, 40, 120, 320]), [-80, -40, 0, 40, 80, 120]);
        assert_eq!(decoded(80, 25, &[0, 400, 200, 100, 300, 800]), [-80, -40, 0, 100, 200, 300]);
        assert_eq!(decoded(80, 25, &[0, 160, 80, 40, 1000, 520, 300]), [-80, -40, 0, 40, 80, 160, 300]);
    }

    #[test]
    fn a_lost_sample_costs_no_decoding_time_and_one_that_is_late_gets_the_last() {
        assert_eq!(decoded(80, 25, &[0, 160, 40, 320, 240]), [-80, -40, 0, 40, 160]);
        // Two pictures further than the stream says.
        assert_eq!(decoded(0, 25, &[0, 120, 40, 80, 160]), [0, 120, 120, 120, 160]);
    }

    #[test]
    fn a_timestamper_without_a_time_and_nonsense_rates_do_no_harm() {
        let pts = gst::ClockTime::from_seconds(5);
        assert_eq!(Times::new(pts, None, RATE).next(pts), pts);
        let far = Times::new(pts, Some(gst::ClockTime::ZERO), gst::Fraction::new(90_000, 1));
        assert_eq!(far.depth, DEPTH_MAX);
    }
}
