//! The boxes of an init section and of a fragment (ISO/IEC 14496-12, 8; 14496-15, 5.4.2 and 8.4.1).

use base::bitstream::Parameters;
use base::fragment::Codec;

/// Ticks per second of all times in the boxes.
pub(super) const TIMESCALE: u32 = 90_000;
/// The one track's number.
const TRACK: u32 = 1;
/// `sample_depends_on`: on no other.
const FLAGS_SYNC: u32 = 0x0200_0000;
/// `sample_depends_on`: on others; `sample_is_non_sync_sample`.
const FLAGS_OTHER: u32 = 0x0101_0000;

/// A sample's place in a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub bytes: u32,
    pub ticks: u32,
    /// From decoding to display, in ticks.
    pub offset: i32,
    pub is_key_frame: bool,
}

/// ftyp and moov of one video track.
pub(super) fn init(parameters: &Parameters) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    put_box(&mut out, *b"ftyp", |out| out.extend(b"iso6\0\0\0\0iso6mp41"));
    put_box(&mut out, *b"moov", |out| {
        put_full_box(out, *b"mvhd", 0, 0, |out| {
            put_words(out, &[0, 0, TIMESCALE, 0, 0x1_0000, 0x0100_0000, 0, 0]);
            put_words(out, &MATRIX);
            out.extend([0; 24]);
            put_words(out, &[TRACK + 1]);
        });
        put_box(out, *b"trak", |out| put_track(out, parameters));
        put_box(out, *b"mvex", |out| {
            put_full_box(out, *b"trex", 0, 0, |out| put_words(out, &[TRACK, 1, 0, 0, 0]));
        });
    });
    out
}

const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

fn put_track(out: &mut Vec<u8>, parameters: &Parameters) {
    // Enabled, and part of the presentation.
    put_full_box(out, *b"tkhd", 0, 3, |out| {
        put_words(out, &[0, 0, TRACK, 0, 0, 0, 0, 0, 0]);
        put_words(out, &MATRIX);
        let wide = shown_width(parameters);
        put_words(out, &[wide << 16, parameters.height << 16]);
    });
    put_box(out, *b"mdia", |out| {
        put_full_box(out, *b"mdhd", 0, 0, |out| {
            // Language: undetermined.
            put_words(out, &[0, 0, TIMESCALE, 0, 0x55c4_0000]);
        });
        put_full_box(out, *b"hdlr", 0, 0, |out| {
            out.extend(b"\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0VideoHandler\0");
        });
        put_box(out, *b"minf", |out| {
            put_full_box(out, *b"vmhd", 0, 1, |out| out.extend([0; 8]));
            put_box(out, *b"dinf", |out| {
                put_full_box(out, *b"dref", 0, 0, |out| {
                    put_words(out, &[1]);
                    put_full_box(out, *b"url ", 0, 1, |_| {});
                });
            });
            put_box(out, *b"stbl", |out| {
                put_full_box(out, *b"stsd", 0, 0, |out| {
                    put_words(out, &[1]);
                    put_entry(out, parameters);
                });
                for empty in [*b"stts", *b"stsc", *b"stco"] {
                    put_full_box(out, empty, 0, 0, |out| put_words(out, &[0]));
                }
                put_full_box(out, *b"stsz", 0, 0, |out| put_words(out, &[0, 0]));
            });
        });
    });
}

/// The width in square pixels.
fn shown_width(parameters: &Parameters) -> u32 {
    let (wide, high) = parameters.aspect.unwrap_or((1, 1));
    let shown = u64::from(parameters.width) * u64::from(wide) / u64::from(high.max(1));
    u32::try_from(shown).unwrap_or(parameters.width).clamp(1, 0xffff)
}

fn put_entry(out: &mut Vec<u8>, parameters: &Parameters) {
    let (name, configuration) = match (parameters.codec, parameters.in_band) {
        (Codec::H264, false) => (*b"avc1", *b"avcC"),
        (Codec::H264, true) => (*b"avc3", *b"avcC"),
        (Codec::H265, false) => (*b"hvc1", *b"hvcC"),
        (Codec::H265, true) => (*b"hev1", *b"hvcC"),
    };
    let pixels = |count: u32| u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
    put_box(out, name, |out| {
        // Reserved, data reference 1, reserved.
        out.extend([0, 0, 0, 0, 0, 0, 0, 1]);
        out.extend([0; 16]);
        out.extend(pixels(parameters.width));
        out.extend(pixels(parameters.height));
        // 72 dpi, reserved, one frame a sample.
        put_words(out, &[0x48_0000, 0x48_0000, 0]);
        out.extend([0, 1]);
        // No name; 24 bits; -1.
        out.extend([0; 32]);
        out.extend([0, 24, 0xff, 0xff]);
        put_box(out, configuration, |out| out.extend(&parameters.codec_data));
        if let Some((wide, high)) = parameters.aspect {
            put_box(out, *b"pasp", |out| put_words(out, &[wide.into(), high.into()]));
        }
    });
}

/// moof and the head of mdat; the samples follow. `decode_time` is that of the first one, in ticks.
pub(super) fn fragment(number: u32, decode_time: u64, entries: &[Entry]) -> Vec<u8> {
    let media: u64 = entries.iter().map(|entry| u64::from(entry.bytes)).sum();
    let length = moof(number, decode_time, entries, 0).len();
    let mut out = moof(number, decode_time, entries, u32::try_from(length + 8).unwrap_or(u32::MAX));
    out.extend(u32::try_from(media + 8).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(b"mdat");
    out
}

fn moof(number: u32, decode_time: u64, entries: &[Entry], data_at: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + entries.len() * 16);
    put_box(&mut out, *b"moof", |out| {
        put_full_box(out, *b"mfhd", 0, 0, |out| put_words(out, &[number]));
        put_box(out, *b"traf", |out| {
            // Offsets count from the moof.
            put_full_box(out, *b"tfhd", 0, 0x2_0000, |out| put_words(out, &[TRACK]));
            put_full_box(out, *b"tfdt", 1, 0, |out| out.extend(decode_time.to_be_bytes()));
            // Where the samples are; of each duration, size, flags and composition offset.
            put_full_box(out, *b"trun", 1, 0xf01, |out| {
                put_words(out, &[u32::try_from(entries.len()).unwrap_or(u32::MAX), data_at]);
                for entry in entries {
                    let flags = if entry.is_key_frame { FLAGS_SYNC } else { FLAGS_OTHER };
                    put_words(out, &[entry.ticks, entry.bytes, flags, entry.offset.cast_unsigned()]);
                }
            });
        });
    });
    out
}

fn put_box(out: &mut Vec<u8>, kind: [u8; 4], fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend(kind);
    fill(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_full_box(out: &mut Vec<u8>, kind: [u8; 4], version: u8, flags: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    put_box(out, kind, |out| {
        put_words(out, &[u32::from(version) << 24 | flags]);
        fill(out);
    });
}

fn put_words(out: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| out.extend(word.to_be_bytes()));
}
