//! The order of RTP packets: duplicates, late ones, and those that are missing.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hasher as _};
use std::ops::Range;
use std::time::Duration;

use super::counts::Counts;
use super::packet::Transport;
use super::rtp::Header;
use base::time::Monotonic;

/// Limits of number and time for packets that wait for one sent before them.
const WAITING_MAX: usize = 32;
const WAIT_MAX: Duration = Duration::from_millis(150);
/// A gap that is longer is no loss.
const LEAP_MIN: i16 = 1024;
/// So many packets in a row that seem to be old ones are new ones: the camera counts from another number.
const OLD_MAX: u32 = 16;

/// If so many of so many packets of a connection follow a gap, the camera does not count packets one by one: nothing loses as
/// many inside a connection.
const TRIAL: u32 = 64;
const GAPS_MAX: u32 = 16;
/// Place of the number in a packet.
const NUMBER: Range<usize> = 2..4;
/// Packets of a connection by which repeated ones are known.
const RECENT_MAX: usize = 64;

/// A packet in its place.
#[derive(Debug)]
pub(super) struct Ordered {
    pub header: Header,
    pub data: Vec<u8>,
    pub arrival: Monotonic,
    /// Packets are missing in front of it.
    pub is_after_loss: bool,
}

/// A number whose turn has not come; without a packet if that is not the video's.
#[derive(Debug)]
struct Waiting {
    number: u16,
    packet: Option<(Header, Vec<u8>)>,
    arrival: Monotonic,
}

/// Puts the packets of one source in order.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: Option<u16>,
    /// By how far they are ahead of `next` when they came; all of one round of numbers.
    waiting: BTreeMap<u64, Waiting>,
    /// Number of `next` over all rounds.
    place: u64,
    old: u32,
    /// Latest RTP time that was passed.
    newest: Option<u32>,
    /// Digests of the latest packets of a connection.
    recent: VecDeque<u64>,
    /// Packets are missing in front of the next one that is passed.
    is_after_loss: bool,
    /// Packets of a connection in the present trial, and how many of them follow a gap.
    trial: (u32, u32),
    /// The numbers of this connection say nothing of losses.
    is_disbelieved: bool,
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
        let number = header.sequence;
        let digest = (transport == Transport::Tcp).then(|| digest(&data));
        let ahead = number.wrapping_sub(*self.next.get_or_insert(number)).cast_signed();
        if ahead < 0 {
            let is_repeated = match digest {
                // A connection keeps the order: a packet that is no copy was counted anew.
                Some(digest) => self.recent.contains(&digest),
                None => !self.is_newer(header.time) || usize::from(ahead.unsigned_abs()) <= WAITING_MAX,
            };
            if is_repeated {
                counts.repeated += 1;
                self.old += 1;
                if digest.is_some() || self.old < OLD_MAX {
                    return;
                }
            }
            self.release_all(counts, pass);
            self.next = Some(number);
            // Of datagrams that were counted anew, some may be missing.
            self.is_after_loss |= digest.is_none();
        }
        self.old = 0;
        if let Some(digest) = digest {
            self.recent.truncate(RECENT_MAX - 1);
            self.recent.push_front(digest);
        }
        self.put(Waiting { number, packet: Some((header, data)), arrival }, transport, counts, pass);
    }

    /// Takes the number of a packet of the same source that is not the video's: error correction that was not asked for.
    pub fn pass_over(
        &mut self,
        number: u16,
        arrival: Monotonic,
        transport: Transport,
        counts: &mut Counts,
        pass: &mut dyn FnMut(Ordered),
    ) {
        let distance = self.next.map(|next| number.wrapping_sub(next).cast_signed());
        if distance.is_some_and(|distance| (0..LEAP_MIN).contains(&distance)) {
            self.put(Waiting { number, packet: None, arrival }, transport, counts, pass);
        }
    }

    /// True if a packet of that RTP time is of a later picture than all before.
    fn is_newer(&self, time: u32) -> bool {
        self.newest.is_some_and(|newest| time.wrapping_sub(newest).cast_signed() > 0)
    }

    /// Takes one that is not behind `next`.
    fn put(
        &mut self,
        one: Waiting,
        transport: Transport,
        counts: &mut Counts,
        pass: &mut dyn FnMut(Ordered),
    ) {
        let ahead = one.number.wrapping_sub(self.next.unwrap_or(one.number));
        let place = self.place + u64::from(ahead);
        match transport {
            Transport::Tcp => {
                self.weigh(ahead > 0);
                if self.is_disbelieved {
                    return self.pass_on(self.place, one, pass);
                }
                // Nothing loses so many inside a connection: the camera counts from another number.
                let is_leap = ahead > LEAP_MIN.unsigned_abs();
                counts.lost += if is_leap { 1 } else { u64::from(ahead) };
                self.pass_on(place, one, pass);
            }
            Transport::Udp => {
                let now = one.arrival;
                if self.waiting.insert(place, one).is_some() {
                    counts.repeated += 1;
                }
                self.release(now, counts, pass);
            }
        }
    }

    /// Notes whether a packet of a connection follows a gap, and whether numbers can be believed.
    fn weigh(&mut self, follows_gap: bool) {
        let (packets, gaps) = &mut self.trial;
        (*packets, *gaps) = (*packets + 1, *gaps + u32::from(follows_gap));
        self.is_disbelieved |= *gaps >= GAPS_MAX;
        if *packets == TRIAL {
            self.trial = (0, 0);
        }
    }

    /// Passes the one in this place, in front of which nothing comes any more.
    fn pass_on(&mut self, place: u64, one: Waiting, pass: &mut dyn FnMut(Ordered)) {
        self.is_after_loss |= place > self.place;
        self.place = place + 1;
        self.next = Some(one.number.wrapping_add(1));
        if let Some((header, data)) = one.packet {
            if self.newest.is_none() || self.is_newer(header.time) {
                self.newest = Some(header.time);
            }
            let is_after_loss = std::mem::take(&mut self.is_after_loss);
            pass(Ordered { header, data, arrival: one.arrival, is_after_loss });
        }
    }

    /// Passes packets that are in order, and those that have waited for too long.
    fn release(&mut self, now: Monotonic, counts: &mut Counts, pass: &mut dyn FnMut(Ordered)) {
        while let Some((&place, one)) = self.waiting.first_key_value() {
            let missing = place - self.place;
            let is_given_up = self.waiting.len() > WAITING_MAX || now.since(one.arrival) > WAIT_MAX;
            if missing > 0 && !is_given_up {
                return;
            }
            let Some((place, one)) = self.waiting.pop_first() else { return };
            counts.lost += missing;
            self.pass_on(place, one, pass);
        }
    }

    /// Passes all that waits.
    pub fn release_all(&mut self, counts: &mut Counts, pass: &mut dyn FnMut(Ordered)) {
        while let Some((place, one)) = self.waiting.pop_first() {
            counts.lost += place.saturating_sub(self.place);
            self.pass_on(place, one, pass);
        }
    }

    /// True if `number` follows the numbers so far, or nearly so.
    pub fn expects(&self, number: u16) -> bool {
        self.next.is_some_and(|next| number.wrapping_sub(next) < 16)
    }

    /// Another source begins, which may count from another number.
    pub fn restart(&mut self, counts: &mut Counts, pass: &mut dyn FnMut(Ordered)) {
        self.release_all(counts, pass);
        *self = Self { is_disbelieved: self.is_disbelieved, ..Self::default() };
    }
}

/// Digest of a packet without its number: some cameras send a copy under an older one.
fn digest(packet: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(packet.get(..NUMBER.start).unwrap_or(packet));
    hasher.write(packet.get(NUMBER.end..).unwrap_or_default());
    hasher.finish()
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
            let data = number.to_be_bytes().to_vec();
            sequence.take(header, data, Monotonic::default(), transport, &mut counts, &mut pass);
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
        assert_eq!(found.len(), 50, "nothing is late inside a connection");
        assert!(found.iter().all(|(_, is_after_loss)| !is_after_loss));
        let (found, _) = ordered(&numbers, Transport::Udp);
        assert!(found.len() >= 10 + 40 - 15, "{}", found.len());
        assert!(ordered(&[7; 100], Transport::Udp).0.len() > 4);
        assert_eq!(ordered(&[7; 100], Transport::Tcp).0.len(), 1, "these are copies");
    }

    #[test]
    fn a_copy_under_an_older_number_costs_nothing() {
        let (mut sequence, mut counts, mut found) = (Sequence::default(), Counts::default(), Vec::new());
        let mut pass = |one: Ordered| found.push((one.header.sequence, one.is_after_loss));
        for (number, content) in [(10, 0), (11, 1), (12, 2), (9, 2), (13, 3), (14, 4)] {
            let header = Header {
                marker: false,
                payload_type: 96,
                sequence: number,
                time: 0,
                source: 1,
                payload: 12..13,
            };
            let [high, low] = number.to_be_bytes();
            let packet = vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 1, content];
            sequence.take(header, packet, Monotonic::default(), Transport::Tcp, &mut counts, &mut pass);
        }
        assert_eq!(found, [10, 11, 12, 13, 14].map(|number| (number, false)));
        assert_eq!((counts.repeated, counts.lost), (1, 0));
    }
}
