//! One exported file: its samples' tables, and the boxes in front of them.
//!
//! ISO/IEC 14496-12, 14496-14: `ftyp | moov | uuid (description, JSON) | mdat`. Not fragmented, tables first: every
//! player opens that, and can seek in it from the first byte. Composition offsets are moved so that none is below zero,
//! as version 0 of ctts needs them; an edit list takes that back.

use std::time::Duration;

use super::boxes::{put_box, put_full_box, put_time, put_u32, put_words};
use super::parse::{Init, Moof, Sample};
use super::timeline::{micros, scaled};
use base::time::WallTime;

/// The uuid of the box that describes the file: `wardwatch.clip/1`, JSON.
pub const CLIP_UUID: [u8; 16] =
    [0x6f, 0x1c, 0x5a, 0x52, 0x0e, 0x8b, 0x4d, 0x0f, 0x9a, 0x53, 0x77, 0x61, 0x72, 0x64, 0x63, 0x6c];
/// Seconds from 1904 to 1970.
const EPOCH_1904: i64 = 2_082_844_800;
/// Maximum number of samples in a file: a bound for the memory that tables take.
const SAMPLES_MAX: usize = 3_000_000;
/// SpaceManager in a file for the tables of the next fragment, the other boxes, and the list of gaps.
const TABLES_SLACK_BYTES: u64 = 256 * 1024;

/// A file that is being assembled.
#[derive(Debug)]
pub(super) struct Movie {
    /// Arrival of its first sample.
    pub starts_at: WallTime,
    init: Init,
    samples: Vec<Sample>,
    chunks: Vec<Chunk>,
    /// Decoding time of the last sample, and its end.
    last: (u64, u64),
    /// Earliest and latest presentation, the latter with its duration.
    presented: (i64, i64),
    media_bytes: u64,
}

/// Samples that lie one behind the other, in their segment and here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Index of its segment.
    pub segment: usize,
    /// Offset of the fragment's moof in the segment's file.
    pub fragment_at: u64,
    /// Offset of the samples there.
    pub samples_at: u64,
    /// Length of the samples.
    pub bytes: u64,
    samples: u32,
}

impl Movie {
    /// An empty file for the track that `init` describes.
    pub fn new(init: Init, starts_at: WallTime) -> Self {
        Self {
            starts_at,
            init,
            samples: Vec::new(),
            chunks: Vec::new(),
            last: (0, 0),
            presented: (i64::MAX, 0),
            media_bytes: 0,
        }
    }

    /// Reason why `bytes` of samples that `init` describes cannot follow `gap_ticks` (of `init`) after the present end;
    /// `None` if they can.
    pub fn refuses(
        &self,
        init: &Init,
        gap_ticks: i64,
        bytes: u64,
        file_bytes_max: u64,
    ) -> Option<&'static str> {
        let gap = scaled(gap_ticks, init.timescale, self.init.timescale);
        // A sample's tables take at most 20 bytes, a chunk's 16.
        let tables = self.samples.len() as u64 * 20 + self.chunks.len() as u64 * 16 + TABLES_SLACK_BYTES;
        if self.init.descriptions != init.descriptions || self.init.shape != init.shape {
            Some("the stream's parameters change")
        } else if i32::try_from(gap).is_err() {
            // Half the range of a duration: the sample before the gap plays on over it.
            Some("the gap is longer than a file can say")
        } else if self.samples.len() >= SAMPLES_MAX || self.media_bytes + bytes + tables > file_bytes_max {
            Some("the file is as large as it may be")
        } else {
            None
        }
    }

    /// Appends the samples of a fragment with its moof at `fragment_at` of its segment's file, `gap_ticks` of `init` after
    /// the present end. A gap a little below zero shortens the last sample.
    pub fn push(&mut self, init: &Init, moof: &Moof, segment: usize, fragment_at: u64, gap_ticks: i64) {
        let here = |ticks: i64| scaled(ticks, init.timescale, self.init.timescale);
        let start = match self.samples.last_mut() {
            None => 0,
            Some(last) => {
                let start = self.last.1.saturating_add_signed(here(gap_ticks)).max(self.last.0 + 1);
                last.duration = u32::try_from(start - self.last.0).unwrap_or(u32::MAX);
                self.presented.1 = self.presented.1.max(start.cast_signed() + i64::from(last.offset));
                start
            }
        };
        let mut passed = 0;
        for run in &moof.runs {
            for sample in &run.samples {
                let at = start + here(passed).cast_unsigned();
                passed += i64::from(sample.duration);
                let end = start + here(passed).cast_unsigned();
                let offset = i32::try_from(here(i64::from(sample.offset))).unwrap_or(sample.offset);
                let shown = at.cast_signed() + i64::from(offset);
                let duration = u32::try_from(end - at).unwrap_or(u32::MAX);
                self.presented.0 = self.presented.0.min(shown);
                self.presented.1 = self.presented.1.max(shown + i64::from(duration));
                self.last = (at, end);
                self.samples.push(Sample { duration, offset, ..*sample });
            }
            self.chunks.push(Chunk {
                segment,
                fragment_at,
                samples_at: fragment_at + run.offset_bytes,
                bytes: run.bytes,
                samples: u32::try_from(run.samples.len()).expect("a bounded number"),
            });
            self.media_bytes += run.bytes;
        }
    }

    /// Places of its samples, in the order in which they follow each other here.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.samples.len()
    }

    /// Playing time.
    pub fn duration(&self) -> Duration {
        let ticks = self.presented.1.saturating_sub(self.presented.0);
        Duration::from_micros(micros(ticks, self.init.timescale).try_into().unwrap_or(0))
    }

    /// All bytes before the samples; `about` is the JSON that describes the file.
    pub fn head(&self, about: &[u8]) -> Vec<u8> {
        let length = self.head_at(about, 0).len() as u64;
        self.head_at(about, length)
    }

    /// The head where the samples start at `media_at`; its length does not depend on that.
    fn head_at(&self, about: &[u8], media_at: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_box(&mut out, *b"ftyp", |out| {
            out.extend(b"isom");
            put_u32(out, 512);
            out.extend(b"isomiso2mp42");
        });
        put_box(&mut out, *b"moov", |out| self.put_moov(out, media_at));
        put_box(&mut out, *b"uuid", |out| {
            out.extend(CLIP_UUID);
            out.extend(about);
        });
        let media = u32::try_from(self.media_bytes + 8).expect("a file stays below 4 GiB");
        put_u32(&mut out, media);
        out.extend(b"mdat");
        out
    }

    fn put_moov(&self, out: &mut Vec<u8>, media_at: u64) {
        let ticks = self.last.1.max(self.presented.1.cast_unsigned());
        // Times before 2040 and durations below 32 bits are written as old players want them.
        let created = u64::try_from(self.starts_at.as_micros() / 1_000_000 + EPOCH_1904).unwrap_or(0);
        let version = u8::from(u32::try_from(ticks.max(created)).is_err());
        let presented = self.presented.1.saturating_sub(self.presented.0).cast_unsigned();
        let put_created = |out: &mut Vec<u8>| {
            put_time(out, version, created);
            put_time(out, version, created);
        };
        put_full_box(out, *b"mvhd", version, 0, |out| {
            put_created(out);
            put_u32(out, self.init.timescale);
            put_time(out, version, presented);
            // Rate 1, volume 1, reserved.
            out.extend([0, 1, 0, 0, 1, 0]);
            out.extend([0; 10]);
            put_words(out, [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);
            out.extend([0; 24]);
            put_u32(out, 2);
        });
        put_box(out, *b"trak", |out| {
            // Enabled, and part of the presentation.
            put_full_box(out, *b"tkhd", version, 3, |out| {
                put_created(out);
                put_words(out, [1, 0]);
                put_time(out, version, presented);
                out.extend([0; 16]);
                out.extend(&self.init.shape);
            });
            self.put_edit_list(out, version, presented);
            put_box(out, *b"mdia", |out| {
                put_full_box(out, *b"mdhd", version, 0, |out| {
                    put_created(out);
                    put_u32(out, self.init.timescale);
                    put_time(out, version, self.last.1);
                    // Language: undetermined.
                    out.extend([0x55, 0xc4, 0, 0]);
                });
                put_full_box(out, *b"hdlr", 0, 0, |out| {
                    out.extend(b"\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0VideoHandler\0");
                });
                put_box(out, *b"minf", |out| self.put_minf(out, media_at));
            });
        });
    }

    /// Starts the presentation with the picture that is shown first, where its offset is not zero.
    fn put_edit_list(&self, out: &mut Vec<u8>, version: u8, presented: u64) {
        let first_shown = self.presented.0.saturating_add(self.shift()).cast_unsigned();
        if first_shown == 0 {
            return;
        }
        put_box(out, *b"edts", |out| {
            put_full_box(out, *b"elst", version, 0, |out| {
                put_u32(out, 1);
                put_time(out, version, presented);
                put_time(out, version, first_shown);
                put_u32(out, 0x1_0000);
            });
        });
    }

    /// Ticks that are added to all composition offsets.
    fn shift(&self) -> i64 {
        let least = self.samples.iter().map(|sample| i64::from(sample.offset)).min();
        -least.unwrap_or(0).min(0)
    }

    fn put_minf(&self, out: &mut Vec<u8>, media_at: u64) {
        put_full_box(out, *b"vmhd", 0, 1, |out| out.extend([0; 8]));
        put_box(out, *b"dinf", |out| {
            put_full_box(out, *b"dref", 0, 0, |out| {
                put_u32(out, 1);
                put_full_box(out, *b"url ", 0, 1, |_| {});
            });
        });
        put_box(out, *b"stbl", |out| {
            put_box(out, *b"stsd", |out| out.extend(&self.init.descriptions));
            put_table(out, *b"stts", &run_lengths(self.samples.iter().map(|sample| sample.duration)));
            if self.samples.iter().any(|sample| sample.offset != 0) {
                let shift = self.shift();
                let offset = |sample: &Sample| u32::try_from(i64::from(sample.offset) + shift).unwrap_or(0);
                put_table(out, *b"ctts", &run_lengths(self.samples.iter().map(offset)));
            }
            if self.samples.iter().any(|sample| !sample.sync) {
                let numbered = (1u32..).zip(&self.samples);
                let sync: Vec<[u32; 1]> =
                    numbered.filter(|(_, sample)| sample.sync).map(|(n, _)| [n]).collect();
                put_table(out, *b"stss", &sync);
            }
            put_table(out, *b"stsc", &self.samples_per_chunk());
            put_full_box(out, *b"stsz", 0, 0, |out| {
                put_u32(out, 0);
                put_u32(out, u32::try_from(self.samples.len()).expect("a bounded number"));
                self.samples.iter().for_each(|sample| put_u32(out, sample.size));
            });
            let mut at = media_at;
            let mut offsets = Vec::with_capacity(self.chunks.len());
            for chunk in &self.chunks {
                offsets.push([u32::try_from(at).expect("a file stays below 4 GiB")]);
                at += chunk.bytes;
            }
            put_table(out, *b"stco", &offsets);
        });
    }

    /// First chunk, samples in each, sample description: one entry where the number changes.
    fn samples_per_chunk(&self) -> Vec<[u32; 3]> {
        let mut entries: Vec<[u32; 3]> = Vec::new();
        for (number, chunk) in (1u32..).zip(&self.chunks) {
            if entries.last().is_none_or(|last| last[1] != chunk.samples) {
                entries.push([number, chunk.samples, 1]);
            }
        }
        entries
    }
}

/// A full box that is a count and so many entries.
fn put_table<const N: usize>(out: &mut Vec<u8>, kind: [u8; 4], entries: &[[u32; N]]) {
    put_full_box(out, kind, 0, 0, |out| {
        put_u32(out, u32::try_from(entries.len()).expect("a bounded number"));
        entries.iter().for_each(|words| put_words(out, *words));
    });
}

/// Runs of equal values, as count and value.
fn run_lengths(values: impl Iterator<Item = u32>) -> Vec<[u32; 2]> {
    let mut entries: Vec<[u32; 2]> = Vec::new();
    for value in values {
        match entries.last_mut() {
            Some([count, last]) if *last == value => *count += 1,
            _ => entries.push([1, value]),
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::boxes::Cursor;
    use super::super::parse;
    use super::super::testing::{Gop, init_section, moof_of};
    use super::*;

    fn init(timescale: u32) -> Init {
        parse::init(&init_section(timescale, b"abc")).unwrap()
    }

    fn moof(init: &Init, gop: &Gop) -> Moof {
        parse::moof(&moof_of(gop)[8..], init, 10_000).unwrap()
    }

    /// The words of a table in a head, without version and flags.
    fn table(head: &[u8], kind: &[u8; 4]) -> Vec<u32> {
        let moov = Cursor(head).need(*b"moov").unwrap();
        let minf = moov.need(*b"trak").unwrap().need(*b"mdia").unwrap().need(*b"minf").unwrap();
        let table = minf.need(*b"stbl").unwrap().find(*kind).unwrap();
        let words = |table: Cursor| {
            table.0[4..].chunks(4).map(|w| u32::from_be_bytes(w.try_into().unwrap())).collect()
        };
        table.map_or(Vec::new(), words)
    }

    #[test]
    fn the_sample_before_a_gap_plays_on_over_it() {
        let track = init(1000);
        let gop = Gop { decode_time: 0, sizes: &[10, 5], offsets: &[0, 0], duration: 40 };
        let read = moof(&track, &gop);
        let mut movie = Movie::new(track.clone(), WallTime::from_micros(0));
        movie.push(&track, &read, 0, 100, 0);
        movie.push(&track, &read, 0, 900, 0);
        movie.push(&track, &read, 1, 100, 5000);
        let head = movie.head(b"{}");
        assert_eq!(table(&head, b"stts"), [3, 3, 40, 1, 5040, 2, 40]);
        assert_eq!(table(&head, b"stss"), [3, 1, 3, 5]);
        assert_eq!(table(&head, b"stsc"), [1, 1, 2, 1]);
        let at = head.len() as u32;
        assert_eq!(table(&head, b"stco"), [3, at, at + 15, at + 30]);
        assert_eq!(movie.duration(), Duration::from_millis(5240));
        assert!(table(&head, b"ctts").is_empty());
        let starts: Vec<_> = movie.chunks().iter().map(|c| (c.segment, c.samples_at)).collect();
        let samples_at = read.runs[0].offset_bytes;
        assert_eq!(starts, [(0, 100 + samples_at), (0, 900 + samples_at), (1, 100 + samples_at)]);
    }

    #[test]
    fn offsets_below_zero_are_moved_and_the_edit_list_takes_it_back() {
        let track = init(1000);
        let gop = Gop { decode_time: 0, sizes: &[10, 5, 5], offsets: &[0, 40, -40], duration: 40 };
        let mut movie = Movie::new(track.clone(), WallTime::from_micros(0));
        movie.push(&track, &moof(&track, &gop), 0, 0, 0);
        let head = movie.head(b"{}");
        assert_eq!(table(&head, b"ctts"), [3, 1, 40, 1, 80, 1, 0]);
        let trak = Cursor(&head).need(*b"moov").unwrap().need(*b"trak").unwrap();
        let elst = trak.need(*b"edts").unwrap().need(*b"elst").unwrap();
        // One entry: the presentation takes 120 ticks and starts at 40.
        assert_eq!(elst.0[4..].chunks(4).map(|word| word[3]).collect::<Vec<_>>(), [1, 120, 40, 0]);
    }

    #[test]
    fn other_ticks_become_those_of_the_file() {
        let (track, other) = (init(1000), init(90_000));
        let mut movie = Movie::new(track.clone(), WallTime::from_micros(0));
        let slow = Gop { decode_time: 0, sizes: &[9, 9], offsets: &[0, 0], duration: 40 };
        let fast = Gop { decode_time: 0, sizes: &[9, 9, 9], offsets: &[0, 0, 0], duration: 3003 };
        movie.push(&track, &moof(&track, &slow), 0, 0, 0);
        movie.push(&other, &moof(&other, &fast), 0, 0, 90_000);
        // 3003 of 90,000 are 33.37 of 1,000: rounded without drifting.
        assert_eq!(table(&movie.head(b""), b"stts"), [5, 1, 40, 1, 1040, 1, 33, 1, 34, 1, 33]);
    }

    #[test]
    fn what_does_not_fit_starts_another_file() {
        let track = init(1000);
        let movie = Movie::new(track.clone(), WallTime::from_micros(0));
        assert_eq!(movie.refuses(&track, 0, 1000, 1 << 32), None);
        assert!(movie.refuses(&track, 0, 1 << 32, 1 << 32).unwrap().contains("large"));
        assert!(movie.refuses(&track, 1 << 31, 1000, 1 << 32).unwrap().contains("gap"));
        let other = parse::init(&init_section(1000, b"xyz")).unwrap();
        assert!(movie.refuses(&other, 0, 1000, 1 << 32).unwrap().contains("parameters"));
    }
}
