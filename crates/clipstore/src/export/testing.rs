//! Init sections and moofs as a muxer writes them, for the unit tests.

use super::boxes::{put_box, put_full_box, put_time, put_u32, put_words};

/// An init section of one video track, number 1; `description` is its only sample entry's content.
pub(super) fn init_section(timescale: u32, description: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_box(&mut out, *b"ftyp", |out| out.extend(b"iso6\0\0\0\0iso6"));
    put_box(&mut out, *b"moov", |out| {
        put_box(out, *b"trak", |out| {
            put_full_box(out, *b"tkhd", 1, 7, |out| {
                out.extend([0; 16]);
                put_u32(out, 1);
                out.extend([0; 4 + 8 + 16]);
                out.extend([7; 44]);
            });
            put_box(out, *b"mdia", |out| {
                put_full_box(out, *b"mdhd", 1, 0, |out| {
                    out.extend([0; 16]);
                    put_u32(out, timescale);
                    out.extend([0; 12]);
                });
                put_full_box(out, *b"hdlr", 0, 0, |out| out.extend(b"\0\0\0\0vide\0\0\0\0"));
                put_box(out, *b"minf", |out| {
                    put_box(out, *b"stbl", |out| {
                        put_full_box(out, *b"stsd", 0, 0, |out| {
                            put_u32(out, 1);
                            put_box(out, *b"avc1", |out| out.extend(description));
                        });
                    });
                });
            });
        });
        put_box(out, *b"mvex", |out| {
            put_full_box(out, *b"trex", 0, 0, |out| {
                put_words(out, [1, 1, 0, 0, 0]);
            });
        });
    });
    out
}

/// A key frame and the samples that follow it.
pub(super) struct Gop {
    pub decode_time: u64,
    pub sizes: &'static [u32],
    /// From decoding to presentation, one per size.
    pub offsets: &'static [i32],
    /// Duration of each sample.
    pub duration: u32,
}

/// The moof of `gop`; its samples follow in an mdat with a head of 8 bytes.
pub(super) fn moof_of(gop: &Gop) -> Vec<u8> {
    let with_offset = |data_offset: u32| {
        let mut out = Vec::new();
        put_box(&mut out, *b"moof", |out| {
            put_full_box(out, *b"mfhd", 0, 0, |out| put_u32(out, 1));
            put_box(out, *b"traf", |out| {
                put_full_box(out, *b"tfhd", 0, 0x2_0028, |out| {
                    // Track, duration of each, flags of each: not a sync sample.
                    put_words(out, [1, gop.duration, 0x0101_0000]);
                });
                put_full_box(out, *b"tfdt", 1, 0, |out| put_time(out, 1, gop.decode_time));
                put_full_box(out, *b"trun", 1, 0xa05, |out| {
                    put_u32(out, gop.sizes.len() as u32);
                    put_u32(out, data_offset);
                    put_u32(out, 0x0200_0000);
                    for (size, offset) in gop.sizes.iter().zip(gop.offsets) {
                        put_u32(out, *size);
                        put_u32(out, offset.cast_unsigned());
                    }
                });
            });
        });
        out
    };
    let length = with_offset(0).len() as u32;
    with_offset(length + 8)
}
