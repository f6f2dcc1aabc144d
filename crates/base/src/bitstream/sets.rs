//! The parameter sets of a stream, and the decoder configuration made of them (ISO/IEC 14496-15, 5.3.3 and 8.3.3).

use std::collections::BTreeMap;

use super::bits::Bits;
use super::nal::{SetKind, header_bytes, kind};
use super::sps::{Pps, Sps};
use crate::fragment::Codec;

/// Bytes of all sets together; beyond them only the newest set is kept.
const BYTES_MAX: usize = 64 * 1024;

/// The facts that a decoder needs before the first picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Codec of the stream.
    pub codec: Codec,
    /// avcC or hvcC.
    pub codec_data: Vec<u8>,
    /// Columns of the picture, in pixels.
    pub width: u32,
    /// Rows of the picture, in pixels.
    pub height: u32,
    /// Chroma format, and bit depths of luma and chroma.
    pub format: [u8; 3],
    /// profile_idc.
    pub profile: u8,
    /// level_idc.
    pub level: u8,
    /// Pictures by which the order of decoding may differ from the order of display.
    pub reorder: u8,
    /// Pixel aspect ratio.
    pub aspect: Option<(u16, u16)>,
    /// The sets change so often that they stand in the samples as well.
    pub in_band: bool,
}

/// A parameter set as received.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    unit: Vec<u8>,
    /// Of the stream's description, and not repeated in the stream.
    is_described: bool,
    /// Of a description whose sequence parameter set is not the one that the stream sends: of other pictures, perhaps.
    is_stale: bool,
}

/// The newest parameter sets by kind and id.
#[derive(Debug, Clone)]
pub struct Sets {
    codec: Codec,
    sets: BTreeMap<(SetKind, u8), Set>,
    sps: BTreeMap<u8, Sps>,
    pps: BTreeMap<u8, Pps>,
}

impl Sets {
    /// No set of a stream of this codec.
    pub fn new(codec: Codec) -> Self {
        Self { codec, sets: BTreeMap::new(), sps: BTreeMap::new(), pps: BTreeMap::new() }
    }

    /// Stores `unit` in place of the set with its id. Returns true if the unit parses.
    pub fn take(&mut self, set: SetKind, unit: &[u8], is_described: bool) -> bool {
        let header = header_bytes(self.codec);
        let id = match (set, self.codec) {
            (SetKind::Sps, Codec::H264) => Sps::of_h264(unit).map(|sps| self.note_sps(sps)),
            (SetKind::Sps, Codec::H265) => Sps::of_h265(unit).map(|sps| self.note_sps(sps)),
            (SetKind::Pps, _) => Pps::read(unit, header).map(|pps| {
                self.pps.insert(pps.id, pps);
                pps.id
            }),
            (SetKind::Vps, _) => Bits::new(unit, header, 2).bits(4).map(|id| id as u8),
        };
        let Some(id) = id else { return false };
        let is_replaced = self
            .sets
            .get(&(set, id))
            .is_some_and(|before| before.is_described && !is_described && before.unit != unit);
        if set == SetKind::Sps && is_replaced {
            for ((kind, of), described) in self.sets.iter_mut().filter(|(_, set)| set.is_described) {
                described.is_stale |=
                    *kind == SetKind::Pps && self.pps.get(of).is_some_and(|pps| pps.sps == id);
            }
        }
        self.sets.insert((set, id), Set { unit: unit.to_vec(), is_described, is_stale: false });
        let bytes: usize = self.sets.values().map(|set| set.unit.len()).sum();
        if bytes > BYTES_MAX {
            self.sets.retain(|key, _| *key == (set, id));
            self.sps.retain(|sps, _| set == SetKind::Sps && *sps == id);
            self.pps.retain(|pps, _| set == SetKind::Pps && *pps == id);
        }
        true
    }

    fn note_sps(&mut self, sps: Sps) -> u8 {
        let id = sps.id;
        self.sps.insert(id, sps);
        id
    }

    /// The picture and sequence parameter sets that `slice` refers to; `None` where a set that it needs is missing.
    pub fn of_slice(&self, slice: &[u8]) -> Option<(&Pps, &Sps)> {
        let pps = self.pps.get(&pps_of(self.codec, slice)?)?;
        let sps = self.sps.get(&pps.sps)?;
        let is_complete = self.codec == Codec::H264 || self.sets.contains_key(&(SetKind::Vps, sps.vps));
        is_complete.then_some((pps, sps))
    }

    /// The sets that a decoder needs, in order: all that the stream sent, and those of the description that `slices` use,
    /// of which it sent none, or that go with a sequence parameter set in use: later pictures may name them.
    pub fn wanted(&self, slices: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut used = Vec::new();
        for (pps, sps) in slices.iter().filter_map(|slice| self.of_slice(slice)) {
            used.extend([(SetKind::Pps, pps.id), (SetKind::Sps, sps.id), (SetKind::Vps, sps.vps)]);
        }
        let is_sent = |kind: SetKind| self.sets.iter().any(|(key, set)| key.0 == kind && !set.is_described);
        let goes_along = |key: &(SetKind, u8), set: &Set| {
            let sps =
                self.pps.get(&key.1).filter(|_| key.0 == SetKind::Pps && !set.is_stale).map(|pps| pps.sps);
            sps.is_some_and(|sps| used.contains(&(SetKind::Sps, sps)))
        };
        let is_wanted = |key: &(SetKind, u8), set: &Set| {
            !set.is_described || used.contains(key) || !is_sent(key.0) || goes_along(key, set)
        };
        let wanted = self.sets.iter().filter(|(key, set)| is_wanted(key, set));
        wanted.map(|(_, set)| set.unit.clone()).collect()
    }

    /// The sequence parameter set that `slice` refers to, as received.
    pub fn sps_unit(&self, slice: &[u8]) -> Option<&[u8]> {
        let (_, sps) = self.of_slice(slice)?;
        self.sets.get(&(SetKind::Sps, sps.id)).map(|set| &*set.unit)
    }

    /// The configuration of `units`, which [`Sets::wanted`] gave, for pictures that `sps` describes.
    pub fn parameters(&self, units: &[Vec<u8>], sps: &Sps) -> Parameters {
        let codec_data = match self.codec {
            Codec::H264 => avcc(units, sps),
            Codec::H265 => hvcc(units, sps),
        };
        Parameters {
            codec: self.codec,
            codec_data,
            width: sps.width,
            height: sps.height,
            format: [sps.chroma_format, sps.bit_depth_luma, sps.bit_depth_chroma],
            profile: sps.profile,
            level: sps.level,
            reorder: sps.reorder,
            aspect: sps.aspect,
            in_band: false,
        }
    }
}

/// The id of the picture parameter set that a slice names.
pub fn pps_of(codec: Codec, slice: &[u8]) -> Option<u8> {
    let bits = &mut Bits::new(slice, header_bytes(codec), 24);
    match codec {
        Codec::H264 => {
            // first_mb_in_slice, slice_type.
            bits.ue()?;
            bits.ue()?;
        }
        Codec::H265 => {
            bits.skip(1)?;
            if (16..=23).contains(&kind(codec, slice)) {
                bits.skip(1)?;
            }
        }
    }
    u8::try_from(bits.ue()?).ok()
}

fn avcc(units: &[Vec<u8>], sps: &Sps) -> Vec<u8> {
    let of_kind = |kind: u8| units.iter().filter(move |unit| unit[0] & 31 == kind);
    let (all_sps, all_pps): (Vec<_>, Vec<_>) = (of_kind(7).collect(), of_kind(8).collect());
    let first: [u8; 3] =
        all_sps.first().and_then(|unit| unit.get(1..)?.first_chunk().copied()).unwrap_or_default();
    // Version, profile and level, lengths of 4 bytes.
    let mut out = vec![1, first[0], first[1], first[2], 0xff];
    out.push(0xe0 | all_sps.len().min(31) as u8);
    all_sps.iter().take(31).for_each(|unit| put_unit(&mut out, unit));
    out.push(all_pps.len().min(255) as u8);
    all_pps.iter().take(255).for_each(|unit| put_unit(&mut out, unit));
    if !matches!(first[0], 66 | 77 | 88) {
        out.extend([
            0xfc | sps.chroma_format,
            0xf8 | (sps.bit_depth_luma - 8),
            0xf8 | (sps.bit_depth_chroma - 8),
            0,
        ]);
    }
    out
}

fn hvcc(units: &[Vec<u8>], sps: &Sps) -> Vec<u8> {
    let mut out = vec![1];
    out.extend(sps.profile_tier_level);
    // No segmentation, unknown parallelism.
    out.extend([0xf0, 0, 0xfc, 0xfc | sps.chroma_format]);
    out.extend([0xf8 | (sps.bit_depth_luma - 8), 0xf8 | (sps.bit_depth_chroma - 8), 0, 0]);
    out.push(sps.temporal_layers << 3 | u8::from(sps.is_nested) << 2 | 3);
    let kinds = [32u8, 33, 34];
    let of_kind = |kind: u8| units.iter().filter(move |unit| unit[0] >> 1 & 63 == kind);
    let present: Vec<u8> = kinds.into_iter().filter(|kind| of_kind(*kind).next().is_some()).collect();
    out.push(present.len() as u8);
    for kind in present {
        out.push(0x80 | kind);
        out.extend((of_kind(kind).count() as u16).to_be_bytes());
        of_kind(kind).for_each(|unit| put_unit(&mut out, unit));
    }
    out
}

fn put_unit(out: &mut Vec<u8>, unit: &[u8]) {
    // The limit on all sets together, `BYTES_MAX`, bounds each set.
    out.extend(u16::try_from(unit.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&unit[..unit.len().min(usize::from(u16::MAX))]);
}

/// The sets in an avcC or hvcC, up to the first one that does not parse.
pub fn sets_of(codec: Codec, codec_data: &[u8]) -> Vec<Vec<u8>> {
    let mut sets = Vec::new();
    let mut rest = match codec {
        Codec::H264 => codec_data.get(5..),
        Codec::H265 => codec_data.get(22..),
    }
    .unwrap_or_default();
    let groups = match codec {
        Codec::H264 => 2,
        Codec::H265 => take_bytes(&mut rest, 1).map_or(0, |count| usize::from(count[0])),
    };
    for group in 0..groups {
        let count = match codec {
            // The upper bits of the first count are reserved.
            Codec::H264 => take_bytes(&mut rest, 1)
                .map(|count| usize::from(count[0] & if group == 0 { 31 } else { 255 })),
            Codec::H265 => {
                take_bytes(&mut rest, 3).map(|head| usize::from(u16::from_be_bytes([head[1], head[2]])))
            }
        };
        for _ in 0..count.unwrap_or(0) {
            let length = take_bytes(&mut rest, 2)
                .map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
            let Some(set) = length.and_then(|length| take_bytes(&mut rest, length)) else { return sets };
            sets.push(set.to_vec());
        }
    }
    sets
}

fn take_bytes<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = b"\x67\x42\xc0\x0c\xda\x05\x07\xec\x04\x40\0\0\x03\0\x40\0\0\x07\x83\xc5\x0a\xa8";
    /// Ids 0 and 1, both of the sequence parameter set 0.
    const PPS: [&[u8]; 2] = [b"\x68\xce\x0f\xc8", b"\x68\x58\x80"];
    /// The beginning of a slice that names the picture parameter set 0.
    const SLICE: &[u8] = b"\x65\x88\x84\x3a";

    fn sets(described: &[(SetKind, &[u8])], sent: &[(SetKind, &[u8])]) -> Vec<Vec<u8>> {
        let mut sets = Sets::new(Codec::H264);
        for (kind, unit) in described {
            assert!(sets.take(*kind, unit, true));
        }
        for (kind, unit) in sent {
            assert!(sets.take(*kind, unit, false));
        }
        sets.wanted(&[SLICE])
    }

    #[test]
    fn a_described_set_that_goes_with_the_one_in_use_stays_and_one_of_other_pictures_does_not() {
        let described = [(SetKind::Sps, SPS), (SetKind::Pps, PPS[0]), (SetKind::Pps, PPS[1])];
        let same = sets(&described, &[(SetKind::Sps, SPS), (SetKind::Pps, PPS[0])]);
        assert_eq!(same, [SPS, PPS[0], PPS[1]], "later pictures may name the second");
        let mut other = SPS.to_vec();
        other[3] = 0x0d;
        let stale = sets(&described, &[(SetKind::Sps, &other), (SetKind::Pps, PPS[0])]);
        assert_eq!(stale, [&other[..], PPS[0]]);
        let unsent = sets(&described, &[(SetKind::Sps, &other)]);
        assert_eq!(
            unsent,
            [&other[..], PPS[0], PPS[1]],
            "without any in the stream, the described ones are all there is"
        );
    }
}
