//! Kinds of NAL units, and start codes inside of a NAL unit.

use crate::fragment::Codec;

/// Kind of a parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetKind {
    /// Video parameter set (H.265).
    Vps,
    /// Sequence parameter set.
    Sps,
    /// Picture parameter set.
    Pps,
}

/// Role of a NAL unit in an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Part of a picture.
    Slice,
    /// Parameter set of this kind.
    Set(SetKind),
    /// The first unit of an access unit.
    Delimiter,
    /// Precedes the picture that it belongs to.
    Prefix,
    /// Follows the picture that it belongs to.
    Suffix,
    /// Of no use to a recorder or a decoder.
    Unusable,
}

/// Bytes of a NAL unit's header.
pub const fn header_bytes(codec: Codec) -> usize {
    match codec {
        Codec::H264 => 1,
        Codec::H265 => 2,
    }
}

/// The type in a NAL unit's header; `unit` is not empty.
pub fn kind(codec: Codec, unit: &[u8]) -> u8 {
    match codec {
        Codec::H264 => unit[0] & 31,
        Codec::H265 => unit[0] >> 1 & 63,
    }
}

/// Role of `unit`, by table 7-1 of H.264 and of H.265.
pub fn role(codec: Codec, unit: &[u8]) -> Role {
    if unit.len() <= header_bytes(codec) && !is_empty_by_nature(codec, unit) || unit[0] & 0x80 != 0 {
        return Role::Unusable;
    }
    match codec {
        Codec::H264 => match kind(codec, unit) {
            1..=5 => Role::Slice,
            6 | 14..=18 => Role::Prefix,
            7 => Role::Set(SetKind::Sps),
            8 => Role::Set(SetKind::Pps),
            9 => Role::Delimiter,
            10..=13 | 19..=21 => Role::Suffix,
            _ => Role::Unusable,
        },
        // Layers above the base layer are not used; zero is forbidden as nuh_temporal_id_plus1.
        Codec::H265 if unit[0] & 1 != 0 || unit[1] >> 3 != 0 || unit[1] & 7 == 0 => Role::Unusable,
        Codec::H265 => match kind(codec, unit) {
            0..=9 | 16..=21 => Role::Slice,
            32 => Role::Set(SetKind::Vps),
            33 => Role::Set(SetKind::Sps),
            34 => Role::Set(SetKind::Pps),
            35 => Role::Delimiter,
            36..=38 | 40 | 45..=47 => Role::Suffix,
            39 | 41..=44 => Role::Prefix,
            _ => Role::Unusable,
        },
    }
}

/// True for end of sequence and end of stream: they have no payload.
fn is_empty_by_nature(codec: Codec, unit: &[u8]) -> bool {
    match codec {
        Codec::H264 => unit.len() == 1 && matches!(unit[0] & 31, 10 | 11),
        Codec::H265 => unit.len() == 2 && matches!(unit[0] >> 1 & 63, 36 | 37),
    }
}

/// True if `slice` is the first one of its picture.
pub fn is_first_slice(codec: Codec, slice: &[u8]) -> bool {
    // first_mb_in_slice, ue(v), is zero; first_slice_segment_in_pic_flag is set. Data partitions B and C differ.
    let is_partition = codec == Codec::H264 && matches!(slice[0] & 31, 3 | 4);
    !is_partition && slice.get(header_bytes(codec)).is_some_and(|byte| byte & 0x80 != 0)
}

/// Splits `bytes` at start codes and passes the units between them, without the zeros around. A start code in front of
/// an unusable unit is a flaw inside a slice, and stays there.
pub fn split(codec: Codec, bytes: Vec<u8>, mut pass: impl FnMut(Vec<u8>)) {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(found) = find_start_code(&bytes[at..]) {
        let unit = at + found + 3;
        if role(codec, bytes.get(unit..).filter(|rest| rest.len() >= 2).unwrap_or(&[0x80])) != Role::Unusable
        {
            starts.push(unit);
        }
        at = unit;
    }
    if starts.is_empty() {
        let mut bytes = bytes;
        let length = trimmed(&bytes).len();
        bytes.truncate(length);
        if !bytes.is_empty() {
            pass(bytes);
        }
        return;
    }
    let mut from = 0;
    for end in starts.iter().map(|start| start - 3).chain([bytes.len()]) {
        let unit = trimmed(&bytes[from..end]);
        if !unit.is_empty() {
            pass(unit.to_vec());
        }
        from = end + 3;
    }
}

/// Cuts the zeros at the end off: no NAL unit ends in one.
fn trimmed(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
    &unit[..unit.len() - zeros]
}

/// Offset of the first 00 00 01.
fn find_start_code(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    // The third byte gives the least distance to the next possible place.
    while let Some(&third) = bytes.get(at + 2) {
        match third {
            1 if bytes[at] == 0 && bytes[at + 1] == 0 => return Some(at),
            0 => at += 1,
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(codec: Codec, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        split(codec, bytes.to_vec(), |unit| parts.push(unit));
        parts
    }

    #[test]
    fn units_are_split_at_start_codes_that_make_sense() {
        let joined = b"\0\0\0\x01\x67abc\0\0\0\x01\x68d\0\0\x01\x65\x88e\0\0\0";
        assert_eq!(parts(Codec::H264, joined), [&b"\x67abc"[..], b"\x68d", b"\x65\x88e"]);
        let flawed = b"\x41\x9a\0\0\x01\xffrest";
        assert_eq!(parts(Codec::H264, flawed), [&flawed[..]], "forbidden bit");
        let h265 = b"\x40\x01a\0\0\0\x01\x42\x01b\0\0\x01\x26\x01\xaf";
        assert_eq!(parts(Codec::H265, h265), [&b"\x40\x01a"[..], b"\x42\x01b", b"\x26\x01\xaf"]);
        assert_eq!(parts(Codec::H264, b"\0\0\0"), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_start_code_is_found_at_any_place() {
        for zeros in 0..6 {
            for before in 0..5 {
                let bytes = [vec![7; before], vec![0; zeros + 2], vec![1, 9]].concat();
                assert_eq!(find_start_code(&bytes), Some(before + zeros), "{bytes:?}");
            }
        }
        assert_eq!(find_start_code(&[0, 0, 2, 0, 1]), None);
    }

    #[test]
    fn what_nobody_wants_is_known_by_its_head() {
        for bad in [&[0x7d, 1][..], &[0xe1, 1], &[0x60, 1], &[0x67]] {
            assert_eq!(role(Codec::H264, bad), Role::Unusable, "{bad:?}");
        }
        for bad in [&[0x60, 1, 0][..], &[0x02, 0, 0], &[0x02, 0x09, 0], &[0x40, 1]] {
            assert_eq!(role(Codec::H265, bad), Role::Unusable, "{bad:?}");
        }
        assert_eq!(role(Codec::H264, &[0x0a]), Role::Suffix);
    }
}
