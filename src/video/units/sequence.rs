//! The order of RTP packets: duplicates, late ones, and those that are missing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counts::Counts;
use super::packet::Transport;
use super::rtp::Header;
use crate::domain::time::Monotonic;

/// How many packets may wait for one that was sent before them, and for how long.
const WAITING_MAX: usize = 32;
const WAIT_MAX: Duration = Duration::from_millis(150);
/// A gap that is longer is no loss.
const LEAP_MIN: i16 = 1024;
/// So many packets in a row that seem to be old ones are new ones: the camera counts from another number.
const OLD_MAX: u32 = 16;

/// A packet in its place.
#[derive(Debug)]
pub(super) struct Ordered {
    pub header: Header,
    pub data: Vec<u8>,
    pub arrival: Monotonic,
    /// Packets are missing in front of it.
    pub is_after_loss: bool,
}

/// Puts the packets of one source in order.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: Option<u16>,
    /// By how far they are ahead of `next` when they came; all of one round of numbers.
    waiting: BTreeMap<u64, (Header, Vec<u8>, Monotonic)>,
    /// Number of `next` over all rounds.
    place: u64,
    old: u32,
}

impl Sequence {
    /// Takes a packet; passes those whose turn it is.
    pub fn take(
        &mut self,
        header: Header,
        data: Vec<u8>,
        arrival: Monotonic,
        transport: Transport,
        counts: &mut Counts,
        pass: &mut dyn FnMut(Ordered),
    ) {
        let next = *self.next.get_or_insert(header.sequence);
        let ahead = header.sequence.wrapping_sub(next).cast_signed();
        if ahead < 0 {
            counts.repeated += 1;
            self.old += 1;
            if self.old < OLD_MAX {
                return;
            }
            self.release_all(counts, pass);
            self.next = Some(header.sequence);
            self.old = 0;
            return self.pass_on(header, data, arrival, true, pass);
        }
        self.old = 0;
        let place = self.place + u64::from(ahead.unsigned_abs());
        match transport {
            Transport::Tcp => {
                // Nothing loses so many inside a connection: the camera counts from another number.
                let is_leap = ahead > LEAP_MIN;
                counts.lost += if is_leap { 1 } else { u64::from(ahead.unsigned_abs()) };
                self.place = place;
                self.next = Some(header.sequence);
                self.pass_on(header, data, arrival, ahead > 0, pass);
            }
            Transport::Udp => {
                if self.waiting.insert(place, (header, data, arrival)).is_some() {
                    counts.repeated += 1;
                }
                self.release(arrival, counts, pass);
            }
        }
    }

    fn pass_on(
        &mut self,
        header: Header,
        data: Vec<u8>,
        arrival: Monotonic,
        is_after_loss: bool,
        pass: &mut dyn FnMut(Ordered),
    ) {
        self.place += 1;
        self.next = self.next.map(|next| next.wrapping_add(1));
        pass(Ordered { header, data, arrival, is_after_loss });
    }

    /// Passes what is in order, and what has waited for too long.
    fn release(&mut self, now: Monotonic, counts: &mut Counts, pass: &mut dyn FnMut(Ordered)) {
        while let Some((&place, (_, _, arrival))) = self.waiting.first_key_value() {
            let missing = place - self.place;
            let is_given_up = self.waiting.len() > WAITING_MAX || now.since(*arrival) > WAIT_MAX;
            if missing > 0 && !is_given_up {
                return;
            }
            let Some((_, (header, data, arrival))) = self.waiting.pop_first() else { return };
            counts.lost += missing;
            self.place = place;
            self.next = Some(header.sequence);
            self.pass_on(header, data, arrival, missing > 0, pass);
        }
    }

    /// Passes all that waits.
    pub fn release_all(&mut self, counts: &mut Counts, pass: &mut dyn FnMut(Ordered)) {
        while let Some((place, (header, data, arrival))) = self.waiting.pop_first() {
            let missing = place.saturating_sub(self.place);
            counts.lost += missing;
            self.place = place;
            self.next = Some(header.sequence);
            self.pass_on(header, data, arrival, missing > 0, pass);
        }
    }

    /// Whether `number` follows what has come, or nearly so.
    pub fn expects(&self, number: u16) -> bool {
        self.next.is_some_and(|next| number.wrapping_sub(next) < 16)
    }

    /// Another source begins, which may count from another number.
    pub fn restart(&mut self, counts: &mut Counts, pass: &mut dyn FnMut(Ordered)) {
        self.release_all(counts, pass);
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(numbers: &[u16], transport: Transport) -> (Vec<(u16, bool)>, Counts) {
        let (mut sequence, mut counts, mut found) = (Sequence::default(), Counts::default(), Vec::new());
        let mut pass = |one: Ordered| found.push((one.header.sequence, one.is_after_loss));
        for number in numbers {
            let header = Header {
                marker: false,
                payload_type: 96,
                sequence: *number,
                time: 0,
                source: 1,
                payload: 0..0,
            };
            sequence.take(header, Vec::new(), Monotonic::default(), transport, &mut counts, &mut pass);
        }
        sequence.release_all(&mut counts, &mut pass);
        (found, counts)
    }

    #[test]
    fn datagrams_are_put_in_order_across_the_wrap() {
        let (found, counts) = ordered(&[65_534, 0, 65_535, 65_535, 1, 3, 2], Transport::Udp);
        assert_eq!(found, [65_534, 65_535, 0, 1, 2, 3].map(|number| (number, false)));
        assert_eq!((counts.repeated, counts.lost), (1, 0));
    }

    #[test]
    fn what_is_missing_is_waited_for_and_then_counted() {
        let numbers: Vec<u16> = (0..3).chain(5..60).collect();
        let (found, counts) = ordered(&numbers, Transport::Udp);
        assert_eq!(found.len(), numbers.len());
        assert_eq!(found.iter().filter(|one| one.1).collect::<Vec<_>>(), [&(5, true)]);
        assert_eq!(counts.lost, 2);
        let (found, counts) = ordered(&[1, 2, 2, 4], Transport::Tcp);
        assert_eq!(found, [(1, false), (2, false), (4, true)]);
        assert_eq!((counts.repeated, counts.lost), (1, 1));
    }

    #[test]
    fn a_camera_that_counts_anew_or_does_not_count_goes_on() {
        let numbers: Vec<u16> = (40_000..40_010).chain(20_000..20_040).collect();
        let (found, _) = ordered(&numbers, Transport::Tcp);
        assert!(found.len() >= 10 + 40 - 15, "{}", found.len());
        assert!(ordered(&[7; 100], Transport::Tcp).0.len() > 4);
    }
}
