//! RTP and RTCP packets (RFC 3550, sections 5.1 and 6.4.1).

use std::ops::Range;

/// An RTP packet's header and where its payload lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub time: u32,
    pub source: u32,
    pub payload: Range<usize>,
}

impl Header {
    /// Reads the header of `packet`; `None` where that is not RTP version 2 or lengths do not fit.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let fixed: &[u8; 12] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut start = 12 + usize::from(fixed[0] & 15) * 4;
        if fixed[0] & 0x10 != 0 {
            let head: &[u8; 4] = packet.get(start..)?.first_chunk()?;
            start += 4 + usize::from(u16::from_be_bytes([head[2], head[3]])) * 4;
        }
        let mut end = packet.len();
        if fixed[0] & 0x20 != 0 {
            // The last byte counts itself; a count of zero or beyond the payload is a camera's mistake.
            let padding = usize::from(*packet.last()?);
            end = end.checked_sub(padding).filter(|end| *end >= start)?;
        }
        (start <= end).then(|| Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            time: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            source: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload: start..end,
        })
    }
}

/// A sender report: one instant on the camera's wall clock and in RTP time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SenderReport {
    /// Seconds since 1900 in the upper 32 bits, their fraction in the lower ones.
    pub ntp: u64,
    pub time: u32,
    pub source: u32,
}

impl SenderReport {
    /// The first sender report in a compound packet.
    pub fn find(packet: &[u8]) -> Option<Self> {
        const SENDER_REPORT: u8 = 200;
        let mut rest = packet;
        while let Some(head) = rest.first_chunk::<4>() {
            let length = 4 + usize::from(u16::from_be_bytes([head[2], head[3]])) * 4;
            if head[0] >> 6 != 2 {
                return None;
            }
            if head[1] == SENDER_REPORT {
                let body: &[u8; 16] = rest.get(4..)?.first_chunk()?;
                let word =
                    |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
                let ntp = u64::from(word(4)) << 32 | u64::from(word(8));
                return Some(Self { ntp, time: word(12), source: word(0) });
            }
            rest = rest.get(length..)?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(first: u8) -> Vec<u8> {
        vec![first, 0x80 | 96, 1, 2, 0, 0, 0, 9, 0, 0, 0, 7]
    }

    #[test]
    fn extensions_sources_and_padding_are_passed() {
        let plain = [fixed(0x80), b"abc".to_vec()].concat();
        let header = Header::read(&plain).unwrap();
        assert_eq!((header.sequence, header.time, header.source), (0x102, 9, 7));
        assert_eq!((header.marker, header.payload_type, header.payload), (true, 96, 12..15));
        let full =
            [fixed(0xb2), vec![0; 8], vec![0xbe, 0xde, 0, 1, 1, 2, 3, 4], b"abc\0\0\x03".to_vec()].concat();
        assert_eq!(&full[Header::read(&full).unwrap().payload], b"abc");
        let only_padding = [fixed(0xa0), vec![0, 0, 0, 4]].concat();
        assert!(Header::read(&only_padding).unwrap().payload.is_empty());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for bad in [fixed(0x40), fixed(0x81), fixed(0x90), vec![0x80; 11], [fixed(0xa0), vec![9]].concat()] {
            assert_eq!(Header::read(&bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_sender_report_is_found_behind_others() {
        let receiver = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let sender =
            [0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
        let report = SenderReport::find(&[&receiver[..], &sender].concat()).unwrap();
        assert_eq!(report, SenderReport { ntp: 1 << 32 | 0x8000_0000, time: 9, source: 7 });
        assert_eq!(SenderReport::find(&sender[..19]), None);
    }
}
