//! Fragmented MP4 out of samples: an init section for each set of parameters, and fragments of GOPs.
//!
//! Pure. A fragment begins where decoding can, unless a GOP is so long that it is handed out in parts: these
//! survive the end of the session. Samples are never changed.

mod boxes;
mod order;

use std::sync::Arc;
use std::time::Duration;

use super::units::{Access, Sample};
use base::bitstream::Parameters;
use base::fragment::{FragmentStart, StreamFacts, TimeSource};
use base::time::{Pts, Stamp};
use boxes::{Entry, TIMESCALE};
use order::DecodeTimes;

/// A fragment ends at the first key frame after this long: one GOP, for cameras with GOPs of a second and more.
const FRAGMENT_NANOS: u64 = 1_000_000_000;
/// A GOP that is longer is handed out in parts of this length.
const PART_NANOS: u64 = 5_000_000_000;
/// A GOP that is larger likewise.
const PART_BYTES: usize = 16 * 1024 * 1024;
/// Duration of a sample that no other follows.
const LAST_NANOS: u64 = 40_000_000;

/// Output of the muxer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MuxedFragment {
    /// The init section and the facts that it describes, where they are new.
    pub header: Option<(Vec<u8>, StreamFacts)>,
    pub bytes: Vec<u8>,
    pub pts: Pts,
    pub duration: Duration,
    pub starts_at: Stamp,
    pub samples: u32,
    pub start: FragmentStart,
    /// The camera's clock was set before it: a segment of its own begins.
    pub is_break: bool,
}

/// A sample that waits for its fragment's end.
#[derive(Debug)]
struct Waiting {
    sample: Sample,
    /// Nanoseconds since the session's start.
    shown: u64,
    decoded: u64,
    at: Stamp,
}

/// Makes fragments of one session's samples.
#[derive(Debug, Default)]
pub(super) struct Muxer {
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    parameters: Option<Arc<Parameters>>,
    times: Option<DecodeTimes>,
    time_source: TimeSource,
    /// The header has changed, and no fragment has told so.
    is_header_new: bool,
    number: u32,
    /// Decoding time of the session's first sample, from which times in files count.
    origin: Option<u64>,
    last_nanos: u64,
}

impl Muxer {
    /// Takes a sample that is shown `shown` nanoseconds after the session's start and arrived `at`. Returns the fragment
    /// that it ends.
    pub fn push(&mut self, sample: Sample, shown: u64, at: Stamp) -> Option<MuxedFragment> {
        let ended = self.must_end(&sample, shown).then(|| self.end_before(&sample, shown)).flatten();
        if let Some(parameters) = &sample.parameters {
            self.times = Some(DecodeTimes::new(shown, parameters.reorder));
            self.parameters = Some(parameters.clone());
            self.is_header_new = true;
        }
        if sample.access != Access::No {
            let source = if sample.by_arrival { TimeSource::Arrival } else { TimeSource::Camera };
            self.is_header_new |= source != self.time_source;
            self.time_source = source;
        }
        // Nothing is written before its codec and size are known.
        let times = self.times.as_mut()?;
        let decoded = times.next(shown);
        self.origin.get_or_insert(decoded);
        self.waiting_bytes += sample.data.len();
        self.waiting.push(Waiting { sample, shown, decoded, at });
        ended
    }

    /// Hands out the waiting samples.
    pub fn finish(&mut self) -> Option<MuxedFragment> {
        let end = self.waiting.last().map(|last| last.decoded + self.last_nanos.max(LAST_NANOS))?;
        self.end(end)
    }

    /// For how long the samples that wait have done so, in nanoseconds of the stream.
    fn waited(&self, shown: u64) -> u64 {
        self.waiting.first().map_or(0, |first| shown.saturating_sub(first.shown))
    }

    /// True if the fragment ends before `sample`.
    fn must_end(&self, sample: &Sample, shown: u64) -> bool {
        let waited = self.waited(shown);
        if sample.access == Access::No {
            return waited >= PART_NANOS || self.waiting_bytes >= PART_BYTES;
        }
        let changes = sample.parameters.is_some()
            || sample.is_jump
            || sample.by_arrival != (self.time_source == TimeSource::Arrival);
        changes || waited >= FRAGMENT_NANOS || self.waiting_bytes >= PART_BYTES
    }

    fn end_before(&mut self, sample: &Sample, shown: u64) -> Option<MuxedFragment> {
        let last = self.waiting.last()?;
        let end = match &self.times {
            Some(times) if sample.parameters.is_none() => times.peek(shown),
            // Where other parameters begin, decoding times begin anew: the last sample plays until its successor is shown.
            _ => last.decoded + shown.saturating_sub(last.shown),
        };
        self.end(end)
    }

    /// Hands out the waiting samples; the last sample plays until `end`.
    fn end(&mut self, end: u64) -> Option<MuxedFragment> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let first = waiting.first()?;
        let parameters = self.parameters.clone()?;
        let ends = waiting.iter().skip(1).map(|one| one.decoded).chain([end]);
        let entries: Vec<Entry> = waiting
            .iter()
            .zip(ends)
            .map(|(one, end)| Entry {
                bytes: u32::try_from(one.sample.data.len()).unwrap_or(u32::MAX),
                ticks: u32::try_from(ticks(end).saturating_sub(ticks(one.decoded))).unwrap_or(u32::MAX),
                offset: i32::try_from(ticks(one.shown).cast_signed() - ticks(one.decoded).cast_signed())
                    .unwrap_or(0),
                is_key_frame: one.sample.access == Access::KeyFrame,
            })
            .collect();
        self.last_nanos = end.saturating_sub(waiting.last().map_or(end, |last| last.decoded));
        self.number += 1;
        let decode_time = ticks(first.decoded).saturating_sub(ticks(self.origin.unwrap_or(0)));
        let mut bytes = boxes::fragment(self.number, decode_time, &entries);
        bytes.reserve(waiting.iter().map(|one| one.sample.data.len()).sum());
        waiting.iter().for_each(|one| bytes.extend_from_slice(&one.sample.data));
        let header = std::mem::take(&mut self.is_header_new).then(|| {
            let facts = StreamFacts {
                codec: parameters.codec,
                width: parameters.width,
                height: parameters.height,
                time: self.time_source,
            };
            (boxes::init(&parameters), facts)
        });
        Some(MuxedFragment {
            header,
            bytes,
            pts: Pts(waiting.iter().map(|one| one.shown).min().unwrap_or(first.shown)),
            duration: Duration::from_nanos(end.saturating_sub(first.decoded)),
            starts_at: first.at,
            samples: u32::try_from(waiting.len()).unwrap_or(u32::MAX),
            start: match first.sample.access {
                Access::KeyFrame => FragmentStart::KeyFrame,
                Access::RecoveryPoint => FragmentStart::RecoveryPoint,
                Access::No => FragmentStart::Continued,
            },
            is_break: first.sample.is_jump,
        })
    }
}

/// Nanoseconds in ticks, to the nearest.
fn ticks(nanos: u64) -> u64 {
    let ticks = (u128::from(nanos) * u128::from(TIMESCALE) + 500_000_000) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::fragment::Codec;
    use base::time::{ClockState, Monotonic, WallTime};

    fn parameters(width: u32) -> Arc<Parameters> {
        Arc::new(Parameters {
            codec: Codec::H264,
            codec_data: vec![1, 66, 0, 30, 0xff, 0xe0, 0],
            width,
            height: 96,
            format: [1, 8, 8],
            profile: 66,
            level: 30,
            reorder: 0,
            aspect: None,
            in_band: false,
        })
    }

    /// Samples of 10 a second; a key frame each second.
    fn sample(number: u64) -> Sample {
        Sample {
            data: vec![0, 0, 0, 1, 9],
            media_nanos: number * 100_000_000,
            arrival: Monotonic::from_nanos(number),
            access: if number.is_multiple_of(10) { Access::KeyFrame } else { Access::No },
            is_broken: false,
            is_jump: false,
            by_arrival: false,
            parameters: (number == 0).then(|| parameters(160)),
        }
    }

    fn muxed(samples: impl IntoIterator<Item = Sample>) -> Vec<MuxedFragment> {
        let mut muxer = Muxer::default();
        let at = Stamp {
            wall: WallTime::from_micros(0),
            monotonic: Monotonic::default(),
            clock: ClockState::Synced,
        };
        let mut fragments = Vec::new();
        for sample in samples {
            let shown = sample.media_nanos;
            fragments.extend(muxer.push(sample, shown, at));
        }
        fragments.extend(muxer.finish());
        fragments
    }

    #[test]
    fn a_fragment_is_a_gop_and_lasts_until_the_next() {
        let fragments = muxed((0..25).map(sample));
        let told: Vec<_> = fragments
            .iter()
            .map(|one| (one.samples, one.duration.as_millis(), one.header.is_some()))
            .collect();
        assert_eq!(told, [(10, 1000, true), (10, 1000, false), (5, 500, false)]);
        assert!(fragments.iter().all(|one| one.start == FragmentStart::KeyFrame && !one.is_break));
    }

    #[test]
    fn other_parameters_another_pace_and_a_clock_that_was_set_begin_anew() {
        let changed = |number: u64| {
            let mut sample = sample(number);
            match number {
                20 => sample.parameters = Some(parameters(320)),
                30 => sample.is_jump = true,
                40.. => sample.by_arrival = true,
                _ => {}
            }
            sample
        };
        let fragments = muxed((0..60).map(changed));
        let widths: Vec<_> = fragments
            .iter()
            .map(|one| one.header.as_ref().map(|(_, facts)| (facts.width, facts.time)))
            .collect();
        let camera = |width| Some((width, TimeSource::Camera));
        let expected = [camera(160), None, camera(320), None, Some((320, TimeSource::Arrival)), None];
        assert_eq!(widths, expected);
        let breaks: Vec<bool> = fragments.iter().map(|one| one.is_break).collect();
        assert_eq!(breaks, [false, false, false, true, false, false]);
    }

    #[test]
    fn nothing_is_written_before_it_is_known_what_it_is() {
        let unknown = (0..20).map(|number| Sample { parameters: None, ..sample(number) });
        assert_eq!(muxed(unknown), []);
    }
}
