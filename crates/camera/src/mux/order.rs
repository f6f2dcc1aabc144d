//! Decoding times: cameras send presentation times only.
//!
//! The parameter sets say by how many pictures the order of display may differ. A sample's decoding time is the
//! presentation time that was due so many pictures ago: the rate of pictures may be any, and may change.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The step between pictures before the first one is due, in nanoseconds.
const STEP: u64 = 40_000_000;

/// The decoding times of one stream, in nanoseconds.
#[derive(Debug)]
pub(super) struct DecodeTimes {
    /// Maximum number of samples that a picture may have to wait for.
    depth: u64,
    /// Presentation times that are not due yet.
    ahead: BinaryHeap<Reverse<u64>>,
    first: u64,
    last: Option<u64>,
}

impl DecodeTimes {
    /// `first` is the presentation time of the first sample.
    pub fn new(first: u64, depth: u8) -> Self {
        Self { depth: depth.into(), ahead: BinaryHeap::new(), first, last: None }
    }

    /// The decoding time of the sample with this presentation time: not before the last one's, and not after it unless the
    /// camera reorders further than it says.
    pub fn next(&mut self, shown: u64) -> u64 {
        self.ahead.push(Reverse(shown));
        let waiting = self.ahead.len() as u64;
        let due = match self.ahead.peek() {
            Some(Reverse(earliest)) if waiting > self.depth => *earliest,
            // Before the first picture is due.
            _ => self.first.saturating_sub(STEP * (self.depth + 1 - waiting)),
        };
        if waiting > self.depth {
            self.ahead.pop();
        }
        *self.last.insert(self.last.map_or(due, |last| last.max(due)))
    }

    /// The result that [`DecodeTimes::next`] would give.
    pub fn peek(&self, shown: u64) -> u64 {
        let waiting = self.ahead.len() as u64 + 1;
        let due = match self.ahead.peek() {
            _ if waiting <= self.depth => self.first.saturating_sub(STEP * (self.depth + 1 - waiting)),
            Some(Reverse(earliest)) => (*earliest).min(shown),
            None => shown,
        };
        self.last.map_or(due, |last| last.max(due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: u64 = 3_600_000;

    /// Decoding times in milliseconds after the first presentation time, of presentation times likewise.
    fn decoded(depth: u8, shown: &[u64]) -> Vec<i64> {
        let nanos = |millis: u64| (BEGIN + millis) * 1_000_000;
        let mut times = DecodeTimes::new(nanos(0), depth);
        shown.iter().map(|at| (times.next(nanos(*at)) / 1_000_000) as i64 - BEGIN as i64).collect()
    }

    #[test]
    fn pictures_in_order_are_decoded_when_they_are_shown() {
        assert_eq!(decoded(0, &[0, 40, 140, 150, 1000]), [0, 40, 140, 150, 1000]);
    }

    #[test]
    fn pictures_out_of_order_are_decoded_by_the_pictures_that_are_due() {
        assert_eq!(decoded(2, &[0, 160, 80, 40, 120, 320]), [-80, -40, 0, 40, 80, 120]);
        assert_eq!(decoded(2, &[0, 400, 200, 100, 300, 800]), [-80, -40, 0, 100, 200, 300]);
        assert_eq!(decoded(2, &[0, 160, 80, 40, 1000, 520, 300]), [-80, -40, 0, 40, 80, 160, 300]);
    }

    #[test]
    fn a_lost_sample_costs_no_decoding_time_and_one_that_is_late_gets_the_last() {
        assert_eq!(decoded(2, &[0, 160, 40, 320, 240]), [-80, -40, 0, 40, 160]);
        // Two pictures further than the stream says.
        assert_eq!(decoded(0, &[0, 120, 40, 80, 160]), [0, 120, 120, 120, 160]);
    }
}
