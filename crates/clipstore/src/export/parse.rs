//! Reads the sample tables of a segment's file: the init section once, then each fragment's moof.
//!
//! Any bytes give either samples that lie within the fragment or an error; nothing is allocated because a damaged length
//! asks for it.

use super::boxes::{Cursor, Malformed, name};

/// No moof of a camera's GOPs comes near this many samples.
const SAMPLES_MAX: u64 = 100_000;
/// trun and tfhd flags, ISO/IEC 14496-12 8.8.7 and 8.8.8.
const BASE_DATA_OFFSET: u32 = 0x1;
const DESCRIPTION_INDEX: u32 = 0x2;
const DEFAULT_DURATION: u32 = 0x8;
const DEFAULT_SIZE: u32 = 0x10;
const DEFAULT_FLAGS: u32 = 0x20;
const DATA_OFFSET: u32 = 0x1;
const FIRST_SAMPLE_FLAGS: u32 = 0x4;
const SAMPLE_DURATION: u32 = 0x100;
const SAMPLE_SIZE: u32 = 0x200;
const SAMPLE_FLAGS: u32 = 0x400;
const SAMPLE_COMPOSITION_OFFSET: u32 = 0x800;
/// `sample_is_non_sync_sample`, 8.8.3.1.
const NON_SYNC: u32 = 0x1_0000;

/// The one video track of an init section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Init {
    /// Ticks per second of the samples' times.
    pub timescale: u32,
    /// Transformation matrix, width and height as they stand in tkhd: 44 bytes.
    pub shape: Vec<u8>,
    /// Content of stsd: the sample description with the parameter sets, as the muxer wrote it.
    pub descriptions: Vec<u8>,
    track: u32,
    defaults: Defaults,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// An encoded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Bytes.
    pub size: u32,
    /// From its decoding to the next one's, in ticks.
    pub duration: u32,
    /// From its decoding to its presentation, in ticks.
    pub offset: i32,
    /// True if decoding can start here.
    pub sync: bool,
}

/// Samples that lie one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Offset of the first one, from the start of the moof.
    pub offset_bytes: u64,
    /// Bytes of all of them together.
    pub bytes: u64,
    /// In decoding order.
    pub samples: Vec<Sample>,
}

/// Content of a moof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moof {
    /// Decoding time of its first sample in ticks since the session's start.
    pub decode_time: u64,
    /// In decoding order.
    pub runs: Vec<Run>,
}

/// Reads an init section: ftyp and moov.
pub(super) fn init(bytes: &[u8]) -> Result<Init, Malformed> {
    let mut moov = Cursor(bytes).need(*b"moov")?;
    let extends = moov.need(*b"mvex")?;
    while let Some((kind, trak)) = moov.next_box()? {
        if kind == *b"trak" && is_video(trak)? {
            return track(trak, extends);
        }
    }
    Err(Malformed("has no video track".to_owned()))
}

fn is_video(trak: Cursor) -> Result<bool, Malformed> {
    let mut handler = trak.need(*b"mdia")?.need(*b"hdlr")?;
    Ok(handler.bytes(12)?.ends_with(b"vide"))
}

fn track(trak: Cursor, extends: Cursor) -> Result<Init, Malformed> {
    let mut tkhd = trak.need(*b"tkhd")?;
    let times = if tkhd.version_and_flags()?.0 == 1 { 16 } else { 8 };
    tkhd.bytes(times)?;
    let track = tkhd.u32()?;
    // reserved, duration; reserved, layer, group, volume, reserved.
    tkhd.bytes(4 + times / 2 + 16)?;
    let shape = tkhd.bytes(44)?.to_vec();

    let mdia = trak.need(*b"mdia")?;
    let mut mdhd = mdia.need(*b"mdhd")?;
    let times = if mdhd.version_and_flags()?.0 == 1 { 16 } else { 8 };
    mdhd.bytes(times)?;
    let timescale = mdhd.u32()?;
    if timescale == 0 {
        return Err(Malformed("has a track without a timescale".to_owned()));
    }
    let stsd = mdia.need(*b"minf")?.need(*b"stbl")?.need(*b"stsd")?;
    let mut entries = stsd;
    entries.version_and_flags()?;
    let count = entries.u32()?;
    if count != 1 || entries.next_box()?.is_none() {
        return Err(Malformed(format!("has {count} sample descriptions instead of one")));
    }
    Ok(Init { timescale, shape, descriptions: stsd.0.to_vec(), track, defaults: defaults(extends, track)? })
}

/// Defaults of `track` in trex.
fn defaults(mut extends: Cursor, track: u32) -> Result<Defaults, Malformed> {
    while let Some((kind, mut trex)) = extends.next_box()? {
        if kind == *b"trex" {
            trex.version_and_flags()?;
            if trex.u32()? == track {
                trex.u32()?;
                return Ok(Defaults { duration: trex.u32()?, size: trex.u32()?, flags: trex.u32()? });
            }
        }
    }
    Err(Malformed("has no trex of its video track".to_owned()))
}

/// Reads the content of a moof of a track that `init` describes. `fragment_bytes` bounds the bytes of its samples.
pub(super) fn moof(inside: &[u8], init: &Init, fragment_bytes: u64) -> Result<Moof, Malformed> {
    let mut moof = Cursor(inside);
    while let Some((kind, traf)) = moof.next_box()? {
        if kind == *b"traf" {
            let mut tfhd = traf.need(*b"tfhd")?;
            let (_, flags) = tfhd.version_and_flags()?;
            if tfhd.u32()? == init.track {
                return self::traf(traf, tfhd, flags, init.defaults, fragment_bytes);
            }
        }
    }
    Err(Malformed("moof has nothing of the video track".to_owned()))
}

fn traf(
    mut traf: Cursor,
    mut tfhd: Cursor,
    flags: u32,
    mut defaults: Defaults,
    fragment_bytes: u64,
) -> Result<Moof, Malformed> {
    if flags & BASE_DATA_OFFSET != 0 {
        return Err(Malformed("tfhd counts from the start of another file".to_owned()));
    }
    if flags & DESCRIPTION_INDEX != 0 && tfhd.u32()? != 1 {
        return Err(Malformed("tfhd asks for a second sample description".to_owned()));
    }
    for (flag, default) in [
        (DEFAULT_DURATION, &mut defaults.duration),
        (DEFAULT_SIZE, &mut defaults.size),
        (DEFAULT_FLAGS, &mut defaults.flags),
    ] {
        if flags & flag != 0 {
            *default = tfhd.u32()?;
        }
    }
    let mut tfdt = traf.need(*b"tfdt")?;
    let decode_time = match tfdt.version_and_flags()?.0 {
        0 => u64::from(tfdt.u32()?),
        _ => tfdt.u64()?,
    };
    let mut runs: Vec<Run> = Vec::new();
    let mut left = fragment_bytes;
    while let Some((kind, inside)) = traf.next_box()? {
        if kind == *b"trun" {
            let follows = runs.last().map(|run| run.offset_bytes + run.bytes);
            let run = trun(inside, defaults, follows, left)?;
            left -= run.bytes;
            runs.push(run);
        }
    }
    if runs.iter().all(|run| run.samples.is_empty()) {
        return Err(Malformed("moof has no samples".to_owned()));
    }
    Ok(Moof { decode_time, runs })
}

/// `follows` is the start of a run without an offset of its own, `bytes_max` the bound for its samples.
fn trun(
    mut trun: Cursor,
    defaults: Defaults,
    follows: Option<u64>,
    bytes_max: u64,
) -> Result<Run, Malformed> {
    let (_, flags) = trun.version_and_flags()?;
    let count = trun.u32()?;
    if u64::from(count) > SAMPLES_MAX.min(bytes_max) {
        return Err(Malformed(format!("{} claims {count} samples", name(*b"trun"))));
    }
    let offset_bytes = match (flags & DATA_OFFSET != 0, follows) {
        (true, _) => Some(u64::from(trun.u32()?)),
        (false, follows) => follows,
    };
    let offset_bytes = offset_bytes.ok_or_else(|| Malformed("trun does not say where".to_owned()))?;
    let mut first_flags = if flags & FIRST_SAMPLE_FLAGS != 0 { Some(trun.u32()?) } else { None };
    let mut samples = Vec::with_capacity(count as usize);
    let mut bytes = 0;
    for _ in 0..count {
        let mut field = |flag, default| if flags & flag != 0 { trun.u32() } else { Ok(default) };
        let duration = field(SAMPLE_DURATION, defaults.duration)?;
        let size = field(SAMPLE_SIZE, defaults.size)?;
        let sample_flags = field(SAMPLE_FLAGS, defaults.flags)?;
        // Version 0 has it unsigned; no offset beyond 31 bits makes sense.
        let offset = field(SAMPLE_COMPOSITION_OFFSET, 0)?.cast_signed();
        let flags = first_flags.take().unwrap_or(sample_flags);
        bytes += u64::from(size);
        if size == 0 || bytes > bytes_max {
            return Err(Malformed(format!("a sample of {size} bytes does not fit its fragment")));
        }
        samples.push(Sample { size, duration, offset, sync: flags & NON_SYNC == 0 });
    }
    Ok(Run { offset_bytes, bytes, samples })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Gop, init_section, moof_of};
    use super::*;

    fn inside(of: &[u8]) -> &[u8] {
        &of[8..]
    }

    #[test]
    fn an_init_section_tells_its_track() {
        let read = init(&init_section(12_800, b"parameter sets")).unwrap();
        assert_eq!((read.timescale, read.track, read.shape.len()), (12_800, 1, 44));
        assert!(read.descriptions.ends_with(b"parameter sets"));
        assert_eq!(init(b"").unwrap_err().0, "has no moov");
    }

    #[test]
    fn a_moof_tells_its_samples() {
        let track = init(&init_section(1000, b"")).unwrap();
        let gop = Gop { decode_time: 5000, sizes: &[100, 20, 30], offsets: &[40, -40, 0], duration: 40 };
        let bytes = moof_of(&gop);
        let read = moof(inside(&bytes), &track, 1000).unwrap();
        assert_eq!((read.decode_time, read.runs.len()), (5000, 1));
        let run = &read.runs[0];
        assert_eq!((run.offset_bytes, run.bytes), (bytes.len() as u64 + 8, 150));
        let samples: Vec<_> = run.samples.iter().map(|s| (s.size, s.duration, s.offset, s.sync)).collect();
        assert_eq!(samples, [(100, 40, 40, true), (20, 40, -40, false), (30, 40, 0, false)]);
    }

    #[test]
    fn what_does_not_fit_the_fragment_is_an_error() {
        let track = init(&init_section(1000, b"")).unwrap();
        let bytes = moof_of(&Gop { decode_time: 0, sizes: &[100, 20], offsets: &[0, 0], duration: 40 });
        let error = moof(inside(&bytes), &track, 119).unwrap_err();
        assert!(error.0.contains("20 bytes does not fit"), "{error}");
        // The count is at the head of trun.
        let mut greedy = bytes.clone();
        let at = bytes.windows(4).position(|kind| kind == b"trun").unwrap() + 8;
        greedy[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        let error = moof(inside(&greedy), &track, u64::MAX).unwrap_err();
        assert!(error.0.contains("claims 4294967295 samples"), "{error}");
    }

    proptest! {
        #[test]
        fn damage_gives_an_error_or_samples_within_the_fragment(
            damage in prop::collection::vec((0usize..400, any::<u8>()), 1..6),
            length in 0usize..400,
        ) {
            let track = init(&init_section(1000, b"")).unwrap();
            let gop = Gop { decode_time: 9, sizes: &[9, 8, 7, 6, 5], offsets: &[0; 5], duration: 1 };
            let mut bytes = moof_of(&gop);
            let mut head = init_section(1000, b"abc");
            for (at, value) in damage {
                for target in [&mut bytes, &mut head] {
                    let index = at % target.len();
                    target[index] = value;
                }
            }
            let _ = init(&head[..length.min(head.len())]);
            if let Ok(read) = moof(inside(&bytes), &track, 500) {
                let sizes = read.runs.iter().flat_map(|run| &run.samples).map(|s| u64::from(s.size));
                prop_assert!(sizes.sum::<u64>() <= 500);
            }
        }
    }
}
