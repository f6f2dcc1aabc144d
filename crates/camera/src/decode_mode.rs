//! Which samples of a stream are decoded: all, or key frames only while nothing moves.
//!
//! A large stream costs ten times a small one's decoding. While the daemon wants no more, only key frames are decoded, and
//! the samples since the last one are kept; when it wants all again, they are decoded first, each with its own times. The
//! decoder never misses what a sample refers to: it has decoded the key frame that the kept ones follow.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::pipeline::Shared;
use super::settings::DecodeMode;

/// Kept samples together have at most so many bytes; a GOP with more is decoded as it comes.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What to do with a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Decode it.
    Decode,
    /// Decode it; what was kept is of no use any more.
    DecodeAlone,
    /// Keep it.
    Keep,
    /// Decode what was kept, then it.
    CatchUp,
}

/// Decides sample by sample, in decoding order. Pure.
#[derive(Debug)]
struct Selection {
    gap_nanos_max: u64,
    keeping: bool,
    kept_bytes: usize,
    key_frame_nanos: Option<u64>,
    /// The time shown last; one that goes back means that pictures are reordered, so that a decoder that gets key frames
    /// only would hand out each of them with the next.
    last_nanos: u64,
    is_reordered: bool,
}

impl Selection {
    fn new(gap_max: Duration) -> Self {
        Self {
            gap_nanos_max: u64::try_from(gap_max.as_nanos()).unwrap_or(u64::MAX),
            keeping: false,
            kept_bytes: 0,
            key_frame_nanos: None,
            last_nanos: 0,
            is_reordered: false,
        }
    }

    fn step(&mut self, is_key_frame: bool, pts_nanos: u64, bytes: usize, decode_mode: DecodeMode) -> Step {
        self.is_reordered |= pts_nanos < self.last_nanos;
        self.last_nanos = self.last_nanos.max(pts_nanos);
        if is_key_frame {
            let gap_nanos = self.key_frame_nanos.map(|before| pts_nanos.saturating_sub(before));
            self.key_frame_nanos = Some(pts_nanos);
            let is_often = gap_nanos.is_some_and(|gap| gap <= self.gap_nanos_max);
            self.keeping = decode_mode == DecodeMode::KeyframesOnly && is_often && !self.is_reordered;
            self.kept_bytes = 0;
            return Step::DecodeAlone;
        }
        if !self.keeping {
            return Step::Decode;
        }
        let since_key_frame = self.key_frame_nanos.map_or(u64::MAX, |nanos| pts_nanos.saturating_sub(nanos));
        let goes_on = decode_mode == DecodeMode::KeyframesOnly
            && since_key_frame <= self.gap_nanos_max
            && self.kept_bytes + bytes <= KEPT_BYTES_MAX
            && !self.is_reordered;
        self.keeping = goes_on;
        self.kept_bytes += bytes;
        if goes_on { Step::Keep } else { Step::CatchUp }
    }
}

/// Lets through what is to be decoded, behind `pad`, a source pad that pushes single samples from one thread. `gap_max`:
/// key frames that are farther apart are not enough.
pub(super) fn select(pad: &gst::Pad, gap_max: Duration, shared: Arc<Shared>) {
    let state = Mutex::new((Selection::new(gap_max), VecDeque::new()));
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, probe| {
        let Some(gst::PadProbeData::Buffer(buffer)) = &probe.data else { return gst::PadProbeReturn::Ok };
        let Some(pts) = buffer.pts() else { return gst::PadProbeReturn::Ok };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (selection, kept) = &mut *state;
        let is_key_frame = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        match selection.step(is_key_frame, pts.nseconds(), buffer.size(), shared.decode_mode()) {
            Step::Decode => gst::PadProbeReturn::Ok,
            Step::DecodeAlone => {
                kept.clear();
                gst::PadProbeReturn::Ok
            }
            Step::Keep => {
                kept.push_back(buffer.clone());
                gst::PadProbeReturn::Drop
            }
            Step::CatchUp => {
                let next = pad.peer();
                for buffer in kept.drain(..) {
                    // Past this pad, and so past this probe. What fails here fails for the next sample as well, which
                    // the pipeline then says.
                    let _ = next.as_ref().map(|next| next.chain(buffer));
                }
                gst::PadProbeReturn::Ok
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GAP: Duration = Duration::from_secs(2);

    /// Runs a camera of 10 samples a second through a selection; gives what was decoded, in order.
    fn decoded(gop: u64, decode_mode: impl Fn(u64) -> DecodeMode, samples: u64) -> Vec<u64> {
        let mut selection = Selection::new(GAP);
        let (mut kept, mut decoded) = (Vec::new(), Vec::new());
        for sample in 0..samples {
            let step =
                selection.step(sample.is_multiple_of(gop), sample * 100_000_000, 1000, decode_mode(sample));
            match step {
                Step::Keep => {
                    kept.push(sample);
                    continue;
                }
                Step::DecodeAlone => kept.clear(),
                Step::CatchUp => decoded.append(&mut kept),
                Step::Decode => {}
            }
            decoded.push(sample);
        }
        decoded
    }

    #[test]
    fn while_idle_only_key_frames_and_then_everything_since_the_last() {
        let decode_mode = |sample| {
            if (20..57).contains(&sample) { DecodeMode::KeyframesOnly } else { DecodeMode::AllFrames }
        };
        let expected: Vec<u64> = (0..=20).chain([30, 40]).chain(50..80).collect();
        assert_eq!(decoded(10, decode_mode, 80), expected);
    }

    #[test]
    fn key_frames_that_are_rare_or_late_are_not_enough() {
        assert_eq!(decoded(21, |_| DecodeMode::KeyframesOnly, 100).len(), 100, "2.1 s apart");
        let mut selection = Selection::new(GAP);
        let second = |second: u64| second * 1_000_000_000;
        let steps: Vec<Step> = [(true, 0), (true, 1), (false, 2), (false, 3), (false, 4), (false, 5)]
            .map(|(is_key_frame, at)| selection.step(is_key_frame, second(at), 10, DecodeMode::KeyframesOnly))
            .to_vec();
        let expected =
            [Step::DecodeAlone, Step::DecodeAlone, Step::Keep, Step::Keep, Step::CatchUp, Step::Decode];
        assert_eq!(steps, expected, "the third one stays away");
    }

    #[test]
    fn reordered_and_huge_streams_are_decoded_as_they_come() {
        let mut selection = Selection::new(GAP);
        let mut kept = 0;
        for gop in 0..20u64 {
            for (place, shown) in [0u64, 3, 1, 2, 6, 4, 5].into_iter().enumerate() {
                let step = selection.step(place == 0, gop * 700 + shown * 100, 10, DecodeMode::KeyframesOnly);
                kept += u32::from(step == Step::Keep);
            }
        }
        assert!(kept <= 4, "{kept} were kept before it was known");
        let mut selection = Selection::new(GAP);
        let huge = KEPT_BYTES_MAX / 2 + 1;
        let steps = [0u64, 1, 2, 3].map(|at| selection.step(at < 2, at, huge, DecodeMode::KeyframesOnly));
        assert_eq!(steps, [Step::DecodeAlone, Step::DecodeAlone, Step::Keep, Step::CatchUp]);
    }

    proptest! {
        /// Whatever is asked when: the decoder gets what each sample refers to, that is all samples since its key frame.
        #[test]
        fn nothing_is_decoded_without_what_it_refers_to(
            gop in 1u64..40,
            changes in proptest::collection::vec(0u64..200, 0..8),
        ) {
            let decode_mode = |sample: u64| {
                let before = changes.iter().filter(|change| **change <= sample).count();
                if before % 2 == 1 { DecodeMode::KeyframesOnly } else { DecodeMode::AllFrames }
            };
            let decoded = decoded(gop, decode_mode, 200);
            for pair in decoded.windows(2) {
                let follows = pair[1] == pair[0] + 1;
                prop_assert!(follows || (pair[1] > pair[0] && pair[1].is_multiple_of(gop)), "{:?}", pair);
            }
            prop_assert!((0..200).step_by(gop as usize).all(|key_frame| decoded.contains(&key_frame)));
        }
    }
}
