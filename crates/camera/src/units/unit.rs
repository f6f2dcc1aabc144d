//! Groups NAL units to access units by time stamps, first slices, delimiters and markers.

use super::counts::Counts;
use base::bitstream::nal::{Role, is_first_slice, role};
use base::fragment::Codec;
use base::time::Monotonic;

/// An access unit with more is not put together.
const BYTES_MAX: usize = 16 * 1024 * 1024;
const UNITS_MAX: usize = 1024;
/// Sets and SEI that wait for the next slice.
const ASIDE_MAX: usize = 64;
/// So many markers in a row have to stand at the end of access units before they are believed.
const MARKERS: u32 = 8;

/// The NAL units of one picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AccessUnit {
    /// RTP time.
    pub stamp: u32,
    /// Arrival time of its first packet.
    pub arrival: Monotonic,
    pub units: Vec<Vec<u8>>,
    pub has_slices: bool,
    /// Something before it was lost.
    pub is_after_loss: bool,
    /// Part of it was lost.
    pub is_damaged: bool,
}

/// Collects NAL units.
#[derive(Debug)]
pub(super) struct Collector {
    codec: Codec,
    current: AccessUnit,
    /// Sets and SEI behind a slice, each with its arrival: of this picture or of the next.
    aside: Vec<(Vec<u8>, Monotonic)>,
    bytes: usize,
    is_marked: bool,
    /// Markers in a row that stood at the end of access units.
    true_markers: u32,
    /// The stamp of the access unit that a marker ended.
    ended_by_marker: Option<u32>,
    /// The collected data is dropped: it is too large.
    is_overfull: bool,
    lost: bool,
}

impl Collector {
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            current: AccessUnit::default(),
            aside: Vec::new(),
            bytes: 0,
            is_marked: false,
            true_markers: 0,
            ended_by_marker: None,
            is_overfull: false,
            lost: false,
        }
    }

    /// Notes that packets are missing before one with `stamp`.
    pub fn note_loss(&mut self, stamp: u32) {
        let ended = self.is_marked && self.current.stamp != stamp;
        if self.current.has_slices && !ended {
            self.current.is_damaged = true;
        }
        self.lost = true;
    }

    /// Notes that a unit of the access unit with `stamp` was given up.
    pub fn note_damage(&mut self, stamp: u32) {
        if self.current.has_slices && self.current.stamp == stamp {
            self.current.is_damaged = true;
        }
        self.lost = true;
    }

    /// Adds a unit; passes the access unit that it ends.
    pub fn add(
        &mut self,
        unit: Vec<u8>,
        stamp: u32,
        arrival: Monotonic,
        counts: &mut Counts,
        pass: &mut dyn FnMut(AccessUnit),
    ) {
        let role = role(self.codec, &unit);
        if role == Role::Unusable {
            counts.unusable += 1;
            return;
        }
        let is_first = role == Role::Slice && is_first_slice(self.codec, &unit);
        if self.current.has_slices {
            let begins = match role {
                Role::Slice => is_first || stamp != self.current.stamp,
                Role::Suffix => false,
                Role::Set(_) | Role::Prefix if stamp == self.current.stamp && !self.is_marked => {
                    return self.set_aside(unit, arrival, counts);
                }
                Role::Delimiter | Role::Set(_) | Role::Prefix | Role::Unusable => true,
            };
            if begins {
                self.true_markers = if self.is_marked { self.true_markers.saturating_add(1) } else { 0 };
                self.end(pass);
                if let Some((_, arrival)) = self.aside.first() {
                    self.current.arrival = *arrival;
                }
            } else if self.is_marked {
                self.true_markers = 0;
            }
        } else if role == Role::Slice && !is_first && self.ended_by_marker == Some(stamp) {
            // The marker stood before the end: this slice belongs to the picture that has been passed on.
            self.true_markers = 0;
            self.current.is_damaged = true;
        }
        if self.current.units.is_empty() && self.aside.is_empty() {
            self.current.arrival = arrival;
        }
        self.current.units.extend(self.aside.drain(..).map(|(unit, _)| unit));
        // Sets and SEI may have another stamp than the picture that they stand before.
        if !self.current.has_slices {
            self.current.stamp = stamp;
        }
        if role == Role::Slice {
            self.current.is_damaged |= !is_first && !self.current.has_slices;
            self.current.has_slices = true;
            self.ended_by_marker = None;
        }
        self.current.is_after_loss |= std::mem::take(&mut self.lost);
        self.is_marked = false;
        self.bytes += unit.len();
        if self.bytes > BYTES_MAX || self.current.units.len() == UNITS_MAX {
            if !self.is_overfull {
                counts.unusable += 1;
            }
            self.is_overfull = true;
            self.current.units.clear();
            return;
        }
        if !self.is_overfull {
            self.current.units.push(unit);
        }
    }

    /// Keeps sets and SEI of the same stamp that come behind a slice until the next slice says which picture they are of: some
    /// encoders write them before each slice.
    fn set_aside(&mut self, unit: Vec<u8>, arrival: Monotonic, counts: &mut Counts) {
        self.bytes += unit.len();
        if self.bytes > BYTES_MAX || self.aside.len() == ASIDE_MAX {
            counts.unusable += 1;
            return;
        }
        self.aside.push((unit, arrival));
    }

    /// Notes a packet's marker, behind its units. `is_within_unit`: the packet's last unit goes on.
    pub fn mark(&mut self, is_within_unit: bool, pass: &mut dyn FnMut(AccessUnit)) {
        // A marker behind units that are set aside is theirs.
        if !self.current.has_slices || is_within_unit || !self.aside.is_empty() {
            return;
        }
        self.is_marked = true;
        if self.true_markers >= MARKERS {
            self.ended_by_marker = Some(self.current.stamp);
            self.end(pass);
        }
    }

    /// Passes the collected units, if they are a picture.
    pub fn end(&mut self, pass: &mut dyn FnMut(AccessUnit)) {
        let ended = std::mem::take(&mut self.current);
        self.bytes = 0;
        self.is_marked = false;
        if std::mem::take(&mut self.is_overfull) {
            self.lost = true;
        } else if ended.has_slices {
            pass(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes and damage of access units out of (stamp, marker, unit).
    fn group(units: &[(u32, bool, &[u8])]) -> Vec<(usize, bool)> {
        let mut found = Vec::new();
        let mut counts = Counts::default();
        let mut collector = Collector::new(Codec::H264);
        let mut pass = |unit: AccessUnit| found.push((unit.units.len(), unit.is_damaged));
        for (stamp, marker, unit) in units {
            collector.add(unit.to_vec(), *stamp, Monotonic::default(), &mut counts, &mut pass);
            if *marker {
                collector.mark(false, &mut pass);
            }
        }
        collector.end(&mut pass);
        found
    }

    const SPS: &[u8] = b"\x67a";
    const SEI: &[u8] = b"\x06a";
    const FIRST: &[u8] = b"\x65\x88a";
    const NEXT: &[u8] = b"\x65\x40a";

    #[test]
    fn stamps_and_first_slices_and_sets_begin_access_units() {
        assert_eq!(group(&[(0, false, SPS), (0, false, FIRST), (9, false, FIRST)]), [(2, false), (1, false)]);
        assert_eq!(
            group(&[(7, false, FIRST), (7, false, NEXT), (7, false, FIRST)]),
            [(2, false), (1, false)]
        );
        assert_eq!(group(&[(7, false, FIRST), (7, false, SPS), (7, false, FIRST)]), [(1, false), (2, false)]);
    }

    #[test]
    fn sets_before_each_slice_of_one_picture_do_not_cut_it() {
        let one = [(7, false, SPS), (7, false, FIRST), (7, false, SPS), (7, false, SEI), (7, true, NEXT)];
        let next = [(9, false, SPS), (9, false, FIRST), (9, false, SPS), (9, true, NEXT)];
        assert_eq!(group(&[&one[..], &next[..]].concat()), [(5, false), (4, false)]);
        // Set aside behind one picture, and of the next.
        assert_eq!(
            group(&[(7, false, FIRST), (7, false, SPS), (7, false, SEI), (9, false, FIRST)]),
            [(1, false), (3, false)]
        );
    }

    #[test]
    fn sets_and_sei_with_markers_and_earlier_stamps_belong_to_the_next_picture() {
        let units = [(1, true, SPS), (1, true, SEI), (2, true, FIRST), (3, true, SEI), (4, true, FIRST)];
        assert_eq!(group(&units), [(3, false), (2, false)]);
    }

    #[test]
    fn a_picture_without_its_first_slice_is_damaged() {
        assert_eq!(group(&[(0, false, FIRST), (9, false, NEXT)]), [(1, false), (1, true)]);
    }

    #[test]
    fn markers_are_believed_when_they_have_been_true_and_until_one_is_not() {
        let mut units: Vec<(u32, bool, &[u8])> = (0..20).map(|at| (at, true, FIRST)).collect();
        units.extend([(20, true, FIRST), (20, true, NEXT)]);
        let found = group(&units);
        assert_eq!(found[20..], [(1, false), (1, true)], "the first lie costs a slice");
        let lies: Vec<(u32, bool, &[u8])> =
            (0..40).map(|at| (at / 2, true, if at % 2 == 0 { FIRST } else { NEXT })).collect();
        assert_eq!(group(&lies), vec![(2, false); 20]);
    }
}
