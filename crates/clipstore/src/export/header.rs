//! Compares a segment's samples with its header: pictures under another stream's header cannot be decoded, or decode to
//! garbage without an error.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::boxes::Cursor;
use super::parse::Moof;
use base::bitstream::Sets;
use base::bitstream::bits::Bits;
use base::bitstream::nal::{Role, SetKind, role};
use base::bitstream::sets::sets_of;
use base::bitstream::sps::Sps;
use base::fragment::Codec;

/// Bytes that are read of a NAL unit: enough for a parameter set and for a slice's head.
const HEAD_BYTES: usize = 1024;
/// Bytes that are read of a slice.
const SLICE_BYTES: usize = 64;
/// Fields of a visual sample entry in front of its boxes (ISO/IEC 14496-12, 12.1.3).
const ENTRY_BYTES: usize = 78;
/// Maximum number of units in a camera's sample.
const UNITS_MAX: usize = 2048;

/// Parameter sets of a header, with those that samples have added.
pub(crate) struct Header {
    codec: Codec,
    sets: Sets,
    /// Size and profile of the sequence parameter sets in the header, by id.
    described: Vec<(u8, Picture)>,
    /// The sets may change in the samples: avc3, hev1.
    is_in_band: bool,
}

/// Fields of a sequence parameter set that may not change under one header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Picture {
    width: u32,
    height: u32,
    profile: u8,
}

impl From<&Sps> for Picture {
    fn from(sps: &Sps) -> Self {
        Self { width: sps.width, height: sps.height, profile: sps.profile }
    }
}

impl Header {
    /// Reads the header from the content of stsd; `None` if that is neither H.264 nor H.265, or cannot be parsed.
    pub fn read(descriptions: &[u8]) -> Option<Self> {
        let mut entries = Cursor(descriptions);
        // Version, flags and count.
        entries.bytes(8).ok()?;
        let (name, mut entry) = entries.next_box().ok()??;
        let (codec, configuration, is_in_band) = match &name {
            b"avc1" => (Codec::H264, *b"avcC", false),
            b"avc3" => (Codec::H264, *b"avcC", true),
            b"hvc1" => (Codec::H265, *b"hvcC", false),
            b"hev1" => (Codec::H265, *b"hvcC", true),
            _ => return None,
        };
        entry.bytes(ENTRY_BYTES).ok()?;
        let configuration = entry.find(configuration).ok()??;
        let mut header = Self { codec, sets: Sets::new(codec), described: Vec::new(), is_in_band };
        for unit in sets_of(codec, configuration.0) {
            if let Some(sps) = header.take(&unit) {
                header.described.push((sps.id, Picture::from(&sps)));
            }
        }
        (!header.described.is_empty()).then_some(header)
    }

    /// Takes a parameter set; returns its fields if it is a sequence parameter set.
    fn take(&mut self, unit: &[u8]) -> Option<Sps> {
        let Role::Set(kind) = role(self.codec, unit) else { return None };
        self.sets.take(kind, unit, false);
        match (kind, self.codec) {
            (SetKind::Sps, Codec::H264) => Sps::of_h264(unit),
            (SetKind::Sps, Codec::H265) => Sps::of_h265(unit),
            _ => None,
        }
    }

    /// Finds a flaw in the samples of a fragment with its moof at `moof_at` of `file`.
    pub fn flaw(&mut self, file: &File, moof_at: u64, moof: &Moof) -> io::Result<Option<String>> {
        let mut buffer = vec![0; HEAD_BYTES];
        for run in &moof.runs {
            let mut at = moof_at + run.offset_bytes;
            for sample in &run.samples {
                let end = at + u64::from(sample.size);
                if let Some(flaw) = self.sample(file, at, end, &mut buffer)? {
                    return Ok(Some(flaw));
                }
                at = end;
            }
        }
        Ok(None)
    }

    fn sample(
        &mut self,
        file: &File,
        mut at: u64,
        end: u64,
        buffer: &mut [u8],
    ) -> io::Result<Option<String>> {
        for _ in 0..UNITS_MAX {
            let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
            if left <= 4 {
                break;
            }
            let head = &mut buffer[..left.min(SLICE_BYTES)];
            file.read_exact_at(head, at)?;
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            let room = usize::try_from(length).unwrap_or(usize::MAX).min(left - 4);
            let unit = &head[4..head.len().min(room + 4)];
            let role = if unit.is_empty() { Role::Unusable } else { role(self.codec, unit) };
            let flaw = match role {
                Role::Slice => self.slice(unit),
                Role::Set(_) => {
                    let whole = &mut buffer[..room.min(HEAD_BYTES)];
                    file.read_exact_at(whole, at + 4)?;
                    let whole = whole.to_vec();
                    self.set(&whole)
                }
                _ => None,
            };
            if flaw.is_some() {
                return Ok(flaw);
            }
            at += 4 + u64::from(length);
        }
        Ok(None)
    }

    fn slice(&self, unit: &[u8]) -> Option<String> {
        let Some((_, sps)) = self.sets.of_slice(unit) else {
            return Some("a picture refers to a parameter set that its header does not have".to_owned());
        };
        if self.codec == Codec::H265 {
            return None;
        }
        // first_mb_in_slice
        let first = Bits::new(unit, 1, 8).ue()?;
        let blocks = sps.width.div_ceil(16) * sps.height.div_ceil(16);
        (first >= blocks)
            .then(|| format!("a slice begins at block {first} of a picture of {}x{}", sps.width, sps.height))
    }

    fn set(&mut self, unit: &[u8]) -> Option<String> {
        let sps = self.take(unit)?;
        if self.is_in_band {
            return None;
        }
        let (_, said) = self.described.iter().find(|(id, _)| *id == sps.id)?;
        let is = Picture::from(&sps);
        (is != *said).then(|| {
            format!(
                "pictures of {}x{} (profile {}) under a header of {}x{} (profile {})",
                is.width, is.height, is.profile, said.width, said.height, said.profile
            )
        })
    }
}
