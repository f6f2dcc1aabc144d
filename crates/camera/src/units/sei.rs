//! Supplemental enhancement information (ITU-T H.264 annex D).

use base::bitstream::bits::Bits;

/// More of a message is not read.
const BYTES_MAX: usize = 256;
const RECOVERY_POINT: u32 = 6;

/// recovery_frame_cnt of an SEI unit of H.264 that has a recovery point.
pub(super) fn recovery_point(unit: &[u8]) -> Option<u32> {
    if unit.first()? & 31 != 6 {
        return None;
    }
    let bits = &mut Bits::new(unit, 1, BYTES_MAX);
    loop {
        let (kind, length) = (coded(bits)?, coded(bits)?);
        if kind == RECOVERY_POINT {
            return bits.ue();
        }
        bits.skip(length as usize * 8)?;
    }
}

/// A number as a run of 255 and a rest.
fn coded(bits: &mut Bits) -> Option<u32> {
    let mut value = 0;
    loop {
        let byte = bits.bits(8)?;
        value += byte;
        if byte != 255 {
            return Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_point_is_found_behind_other_messages() {
        assert_eq!(recovery_point(&[6, 5, 2, 9, 9, 6, 1, 0b0101_0000, 0x80]), Some(1));
        assert_eq!(recovery_point(&[6, 5, 200, 9]), None);
        assert_eq!(recovery_point(&[0x65, 6, 1, 0x80]), None);
    }
}
