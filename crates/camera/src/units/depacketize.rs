//! NAL units out of RTP payloads (RFC 6184, RFC 7798).

use super::counts::Counts;
use base::bitstream::nal::split;
use base::fragment::Codec;

/// A longer NAL unit is not put together.
const UNIT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// After so many payloads it is known whether the camera interleaves.
const TRIAL: u32 = 32;

/// Puts NAL units together.
#[derive(Debug)]
pub(super) struct Depacketizer {
    codec: Codec,
    /// The beginning of a fragmented NAL unit.
    fragment: Option<Vec<u8>>,
    /// Payloads of the interleaved mode of H.264, and others, among the first ones.
    trial: (u32, u32),
}

/// One fragment as a packet holds it.
struct Piece<'a> {
    is_first: bool,
    is_last: bool,
    header: &'a [u8],
    body: &'a [u8],
}

impl Depacketizer {
    pub fn new(codec: Codec) -> Self {
        Self { codec, fragment: None, trial: (0, 0) }
    }

    /// True if a fragmented unit waits for its end.
    pub fn is_within_unit(&self) -> bool {
        self.fragment.is_some()
    }

    /// Gives up a unit that waits for its end: packets are missing. Returns whether anything did.
    pub fn interrupt(&mut self, counts: &mut Counts) -> bool {
        let was_open = self.fragment.take().is_some();
        counts.incomplete += u64::from(was_open);
        was_open
    }

    /// Ends a unit whose last fragment did not say that it is the last: the loss was reported by [`Self::interrupt`].
    pub fn settle(&mut self, pass: &mut dyn FnMut(Vec<u8>)) {
        if let Some(fragment) = self.fragment.take() {
            split(self.codec, fragment, pass);
        }
    }

    /// Passes the NAL units that `payload` completes. Returns whether a unit was given up.
    pub fn payload(&mut self, payload: &[u8], counts: &mut Counts, pass: &mut dyn FnMut(Vec<u8>)) -> bool {
        if is_start_code(payload) {
            self.settle(pass);
            split(self.codec, payload.to_vec(), pass);
            return false;
        }
        match self.codec {
            Codec::H264 => self.h264(payload, counts, pass),
            Codec::H265 => self.h265(payload, counts, pass),
        }
    }

    fn h264(&mut self, payload: &[u8], counts: &mut Counts, pass: &mut dyn FnMut(Vec<u8>)) -> bool {
        let Some((&first, rest)) = payload.split_first() else {
            counts.unusable += 1;
            return false;
        };
        let kind = first & 31;
        // On a fragment the forbidden bit says no more than that there may be errors.
        if first & 0x80 != 0 && !matches!(kind, 28 | 29) {
            counts.unusable += 1;
            return false;
        }
        let interleaves = self.interleaves(kind);
        // RFC 6184 5.2, table 1. The decoding order numbers of the interleaved mode are passed over.
        match kind {
            1..=23 => {
                self.settle(pass);
                split(self.codec, payload.to_vec(), pass);
                false
            }
            24 => self.aggregate(rest, 0, counts, pass),
            25 if interleaves => self.aggregate(rest.get(2..).unwrap_or_default(), 0, counts, pass),
            26 | 27 if interleaves => {
                let extra = if kind == 26 { 3 } else { 4 };
                self.aggregate(rest.get(2..).unwrap_or_default(), extra, counts, pass)
            }
            28 | 29 if kind == 28 || interleaves => {
                let Some((&head, body)) = rest.split_first() else {
                    counts.unusable += 1;
                    return false;
                };
                let is_first = head & 0x80 != 0;
                let body = if kind == 29 && is_first { body.get(2..).unwrap_or_default() } else { body };
                let header = [first & 0x60 | head & 31];
                let piece = Piece { is_first, is_last: head & 0x40 != 0, header: &header, body };
                self.piece(&piece, counts, pass)
            }
            _ => {
                counts.unusable += 1;
                false
            }
        }
    }

    /// True if the camera uses the interleaved mode, which was not asked for: its payload types and no others.
    fn interleaves(&mut self, kind: u8) -> bool {
        let (of_mode, others) = &mut self.trial;
        if *of_mode + *others < TRIAL {
            match kind {
                25..=27 | 29 => *of_mode += 1,
                1 | 5 | 24 | 28 => *others += 1,
                _ => {}
            }
        }
        *of_mode > TRIAL / 2
    }

    fn h265(&mut self, payload: &[u8], counts: &mut Counts, pass: &mut dyn FnMut(Vec<u8>)) -> bool {
        let Some((header, rest)) = payload.split_first_chunk::<2>() else {
            counts.unusable += 1;
            return false;
        };
        let kind = header[0] >> 1 & 63;
        if header[0] & 0x80 != 0 && kind != 49 {
            counts.unusable += 1;
            return false;
        }
        let of_kind = |kind: u8| [header[0] & 1 | (kind & 63) << 1, header[1]];
        match kind {
            0..=47 => {
                self.settle(pass);
                split(self.codec, payload.to_vec(), pass);
                false
            }
            48 => self.aggregate(rest, 0, counts, pass),
            49 => {
                let Some((&head, body)) = rest.split_first() else {
                    counts.unusable += 1;
                    return false;
                };
                let header = of_kind(head & 63);
                let (is_first, is_last) = (head & 0x80 != 0, head & 0x40 != 0);
                self.piece(&Piece { is_first, is_last, header: &header, body }, counts, pass)
            }
            // PACI: a payload with extensions in front of it (RFC 7798 4.4.4). One inside another is nonsense.
            50 => {
                let inner = rest.split_first_chunk::<2>().and_then(|(head, rest)| {
                    let word = u16::from_be_bytes(*head);
                    let (kind, extension) = ((word >> 9 & 63) as u8, usize::from(word >> 4 & 31));
                    Some((kind, rest.get(extension..)?)).filter(|(kind, _)| *kind < 50)
                });
                match inner {
                    Some((kind, body)) => self.h265(&[&of_kind(kind)[..], body].concat(), counts, pass),
                    None => {
                        counts.unusable += 1;
                        false
                    }
                }
            }
            _ => {
                counts.unusable += 1;
                false
            }
        }
    }

    /// Units with 16 bits of length in front, and `extra` bytes behind that.
    fn aggregate(
        &mut self,
        mut rest: &[u8],
        extra: usize,
        counts: &mut Counts,
        pass: &mut dyn FnMut(Vec<u8>),
    ) -> bool {
        self.settle(pass);
        if rest.is_empty() {
            counts.unusable += 1;
        }
        while !rest.is_empty() {
            let unit = rest
                .split_first_chunk::<2>()
                .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
            let Some((unit, behind)) = unit else {
                counts.unusable += 1;
                return false;
            };
            match unit.get(extra..).filter(|unit| !unit.is_empty()) {
                Some(unit) => split(self.codec, unit.to_vec(), &mut *pass),
                None => counts.unusable += 1,
            }
            rest = behind;
        }
        false
    }

    fn piece(&mut self, piece: &Piece<'_>, counts: &mut Counts, pass: &mut dyn FnMut(Vec<u8>)) -> bool {
        if piece.is_first {
            self.settle(pass);
            self.fragment = Some(piece.header.to_vec());
        }
        let Some(fragment) = &mut self.fragment else {
            // Its start was lost, or never sent.
            counts.incomplete += 1;
            return false;
        };
        if fragment.len() + piece.body.len() > UNIT_BYTES_MAX {
            return self.interrupt(counts);
        }
        fragment.extend_from_slice(piece.body);
        if piece.is_last {
            self.settle(pass);
        }
        false
    }
}

fn is_start_code(payload: &[u8]) -> bool {
    payload.starts_with(&[0, 0, 1]) || payload.starts_with(&[0, 0, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units of payloads, and how many payloads cost something.
    fn units(codec: Codec, payloads: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let (mut units, mut counts) = (Vec::new(), Counts::default());
        let mut depacketizer = Depacketizer::new(codec);
        for payload in payloads {
            depacketizer.payload(payload, &mut counts, &mut |unit| units.push(unit));
        }
        (units, counts.skipped())
    }

    #[test]
    fn h264_units_come_single_aggregated_and_fragmented() {
        let (found, bad) = units(
            Codec::H264,
            &[b"\x67a", b"\x78\0\x02\x68b\0\x02\x06c", b"\x7c\x85\x88x", b"\x7c\x05y", b"\x7c\x45z"],
        );
        assert_eq!(found, [&b"\x67a"[..], b"\x68b", b"\x06c", b"\x65\x88xyz"]);
        assert_eq!(bad, 0);
    }

    #[test]
    fn h265_units_come_single_aggregated_fragmented_and_with_extensions() {
        let (found, bad) = units(
            Codec::H265,
            &[
                b"\x40\x01a",
                b"\x60\x01\0\x03\x42\x01b\0\x03\x44\x01c",
                b"\x62\x01\x93\xafx",
                b"\x62\x01\x13",
                b"\x62\x01\x69y",
                b"\x64\x01\x02\x10E\x80w",
            ],
        );
        assert_eq!(
            found,
            [&b"\x40\x01a"[..], b"\x42\x01b", b"\x44\x01c", b"\x26\x01\xafxy", b"\x02\x01\x80w"]
        );
        assert_eq!(bad, 0);
    }

    #[test]
    fn a_payload_that_nobody_wants_costs_itself() {
        let bad: [&[u8]; 9] = [
            b"",
            b"\x7d\x85\0\x01abc",
            b"\x7e\x01",
            b"\x7f\x10",
            b"\x60\x01",
            b"\xe1\x9a",
            b"\x7c\x41tail",
            b"\x7c",
            b"\x78",
        ];
        for bad in bad {
            assert_eq!(
                units(Codec::H264, &[b"\x67a", bad, b"\x68b"]),
                (vec![b"\x67a".to_vec(), b"\x68b".to_vec()], 1),
                "{bad:?}"
            );
        }
        let short = units(Codec::H264, &[b"\x78\0\x02\x68b\0\x28\x06"]);
        assert_eq!(short, (vec![b"\x68b".to_vec()], 1), "what is whole in a short aggregate stays");
    }

    #[test]
    fn a_unit_without_its_end_is_whole_unless_packets_are_missing() {
        let (found, bad) = units(Codec::H264, &[b"\x7c\x81\x88x", b"\x7c\x01y", b"\x41\x9a"]);
        assert_eq!((found, bad), (vec![b"\x61\x88xy".to_vec(), b"\x41\x9a".to_vec()], 0));
        let (found, bad) = units(Codec::H264, &[b"\x7c\x81\x88x", b"\x7c\x81\x88y", b"\x7c\x41z"]);
        assert_eq!((found, bad), (vec![b"\x61\x88x".to_vec(), b"\x61\x88yz".to_vec()], 0));
        let (mut units, mut counts) = (Vec::new(), Counts::default());
        let mut depacketizer = Depacketizer::new(Codec::H264);
        depacketizer.payload(b"\x7c\x81\x88x", &mut counts, &mut |unit| units.push(unit));
        assert!(depacketizer.interrupt(&mut counts));
        depacketizer.payload(b"\x41\x9a", &mut counts, &mut |unit| units.push(unit));
        assert_eq!((units, counts.incomplete), (vec![b"\x41\x9a".to_vec()], 1));
    }

    #[test]
    fn the_interleaved_mode_is_read_where_nothing_else_comes() {
        let payloads = vec![&b"\x79\0\0\0\x02\x41\x9a"[..]; 40];
        assert_eq!(units(Codec::H264, &payloads).0.len(), 40 - 16);
    }
}
