//! Reads the bits of a NAL unit.

/// Bits of a NAL unit's payload, without the emulation prevention bytes (ITU-T H.264 7.3.1, H.265 7.3.1.1).
pub struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    /// The bits behind `skip` bytes of `unit`, `bytes_max` bytes at most.
    pub fn new(unit: &[u8], skip: usize, bytes_max: usize) -> Self {
        let mut bytes = Vec::with_capacity(unit.len().min(bytes_max));
        let mut zeros = 0;
        for &byte in unit.get(skip..).unwrap_or_default() {
            if bytes.len() == bytes_max {
                break;
            }
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            bytes.push(byte);
        }
        Self { bytes, at: 0 }
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One bit; `None` at the end.
    pub fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// An unsigned number of `count` bits, 32 at most.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// Passes over `count` bits.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    /// An unsigned Exp-Golomb code, ue(v).
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.bits(zeros)?)
    }

    /// A signed Exp-Golomb code, se(v).
    pub fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        i32::try_from(if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_around_emulation_prevention() {
        // 1 010 011 00100 0..0 behind a header byte; the 03 is left out.
        let mut bits = Bits::new(&[0x67, 0b1010_0110, 0b0100_0000, 0, 0, 3, 1], 1, 64);
        assert_eq!([bits.ue(), bits.ue(), bits.ue(), bits.ue()], [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(bits.bytes(), [0b1010_0110, 0b0100_0000, 0, 0, 1]);
        assert_eq!(Bits::new(&[0b0010_1000], 0, 9).se(), Some(-2));
        assert_eq!(Bits::new(&[0; 9], 0, 9).ue(), None);
        assert_eq!(Bits::new(&[], 3, 9).bit(), None);
    }
}
