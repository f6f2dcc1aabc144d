//! Samples out of access units: key frames, parameter sets, pictures that cannot be decoded.

use std::collections::VecDeque;
use std::sync::Arc;

use super::counts::Counts;
use super::sei::recovery_point;
use super::time::Placed;
use super::unit::AccessUnit;
use base::bitstream::bits::Bits;
use base::bitstream::nal::{Role, SetKind, kind, role, split};
use base::bitstream::sps::Sps;
use base::bitstream::{Parameters, Sets};
use base::fragment::Codec;
use base::time::Monotonic;

const SECOND: i64 = 1_000_000_000;
/// Without an IDR picture for so long, recovery points are where decoding may begin.
const IDR_WAIT: i64 = 5 * SECOND;
/// Without a recovery point either, pictures of I slices are.
const INTRA_WAIT: i64 = 7 * SECOND;
/// So many changes of the parameter sets within [`CHANGES_SPAN`] get headers of their own; with more, the sets go into the
/// samples, and one header serves.
const CHANGES_MAX: usize = 2;
const CHANGES_SPAN: i64 = 60 * SECOND;
/// The same of changes of the size: players take another size from another file only.
const SIZE_CHANGES_MAX: usize = 10;

/// True if decoding can begin at a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Access {
    #[default]
    No,
    /// All that follows it in display order can be decoded.
    KeyFrame,
    /// Decoding may begin, and pictures are whole after some: intra refresh.
    RecoveryPoint,
}

/// One encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// NAL units, each with 4 bytes of length in front.
    pub data: Vec<u8>,
    /// Nanoseconds since the first sample.
    pub media_nanos: u64,
    /// Arrival time of its first packet.
    pub arrival: Monotonic,
    pub access: Access,
    /// Something since the last key frame was lost, or part of itself.
    pub is_broken: bool,
    /// The camera's clock was set before it, or its pace is another one from here on.
    pub is_jump: bool,
    /// Its time is that of arrival, stretched: the camera's stamps cannot be.
    pub by_arrival: bool,
    /// Parameters for the decoder from here on, where they differ from those before.
    pub parameters: Option<Arc<Parameters>>,
}

/// Builds samples of one stream.
#[derive(Debug)]
pub(super) struct Builder {
    codec: Codec,
    sets: Sets,
    current: Option<Current>,
    /// Arrival times of changed parameters.
    changes: VecDeque<i64>,
    first_arrival: Option<i64>,
    last_idr: Option<i64>,
    /// The display time of a picture at which decoding began, and of which leading pictures cannot be decoded.
    leads: Option<i64>,
    /// RASL pictures follow a picture at which decoding began.
    drops_rasl: bool,
    is_broken: bool,
    /// A recovery point has come since the last loss.
    is_recovering: bool,
    is_jump: bool,
    /// Key frames have brought their parameter sets so far.
    sets_come_along: bool,
}

/// The header that samples have now.
#[derive(Debug)]
struct Current {
    parameters: Arc<Parameters>,
    /// The sets in it.
    units: Vec<Vec<u8>>,
    /// The sets that the newest key frame had, where they are in the samples.
    newest: Vec<Vec<u8>>,
}

impl Builder {
    pub fn new(codec: Codec, described: &[Vec<u8>], counts: &mut Counts) -> Self {
        let mut builder = Self {
            codec,
            sets: Sets::new(codec),
            current: None,
            changes: VecDeque::new(),
            first_arrival: None,
            last_idr: None,
            leads: None,
            drops_rasl: false,
            is_broken: false,
            is_recovering: false,
            is_jump: false,
            sets_come_along: false,
        };
        for unit in described {
            split(codec, unit.clone(), |unit| match role(codec, &unit) {
                Role::Set(set) if builder.sets.take(set, &unit, true) => {}
                _ => counts.bad_sets += 1,
            });
        }
        builder
    }

    /// By how many pictures decoding and display differ, as far as is known before the picture is built.
    pub fn reorder(&self) -> u8 {
        self.current.as_ref().map_or(0, |current| current.parameters.reorder)
    }

    /// Takes note of the sets in an access unit, before its time is asked for.
    pub fn take_sets(&mut self, unit: &mut AccessUnit, counts: &mut Counts) {
        let codec = self.codec;
        unit.units.retain(|unit| match role(codec, unit) {
            Role::Set(set) => {
                let reads = self.sets.take(set, unit, false);
                counts.bad_sets += u64::from(!reads);
                reads
            }
            _ => true,
        });
    }

    /// True if decoding may begin with a sample of `unit`, or has begun: only then its time counts.
    pub fn may_begin(&mut self, unit: &AccessUnit) -> bool {
        if self.current.is_some() {
            return true;
        }
        let arrival = i64::try_from(unit.arrival.as_nanos()).unwrap_or(i64::MAX);
        self.first_arrival.get_or_insert(arrival);
        let slices: Vec<&[u8]> = self.slices(unit);
        let is_known = slices.first().is_some_and(|slice| self.sets.of_slice(slice).is_some());
        is_known && !unit.is_damaged && self.access(unit, &slices, arrival) != Access::No
    }

    fn slices<'a>(&self, unit: &'a AccessUnit) -> Vec<&'a [u8]> {
        let units = unit.units.iter().map(Vec::as_slice);
        units.filter(|one| role(self.codec, one) == Role::Slice).collect()
    }

    /// Builds the sample; `None` where it cannot be decoded.
    pub fn sample(&mut self, unit: &AccessUnit, placed: Placed, counts: &mut Counts) -> Option<Sample> {
        let arrival = i64::try_from(unit.arrival.as_nanos()).unwrap_or(i64::MAX);
        self.first_arrival.get_or_insert(arrival);
        if unit.is_after_loss || unit.is_damaged {
            (self.is_broken, self.is_recovering) = (true, false);
        }
        self.is_jump |= placed.is_jump;
        let slices = self.slices(unit);
        let Some(sps) =
            slices.first().and_then(|slice| self.sets.of_slice(slice)).map(|(_, sps)| sps.clone())
        else {
            counts.undecodable += 1;
            self.is_broken = true;
            return None;
        };
        let brings_sets =
            unit.units.iter().any(|one| matches!(role(self.codec, one), Role::Set(SetKind::Sps)));
        let mut access = if unit.is_damaged { Access::No } else { self.access(unit, &slices, arrival) };
        if access == Access::KeyFrame {
            if unit.is_after_loss && self.sets_come_along && !brings_sets {
                // Its sets may have been lost: later pictures may be of another size than the header says.
                self.current = None;
                access = Access::No;
            } else {
                self.sets_come_along = brings_sets;
            }
        }
        if access == Access::No && !self.is_under_header(&slices) {
            // The key frame of these pictures was lost or damaged: under the header of before they would be others.
            self.current = None;
            self.is_broken = true;
        }
        let begins = self.current.is_none();
        if begins && access == Access::No {
            counts.undecodable += 1;
            return None;
        }
        let parameters = if access == Access::No { None } else { self.renew(&slices, &sps, arrival) };
        let first_kind = kind(self.codec, slices.first()?);
        if self.is_undecodable(first_kind, access, begins || parameters.is_some(), placed.media) {
            counts.undecodable += 1;
            return None;
        }
        let media_nanos = u64::try_from(placed.media).ok()?;
        match access {
            Access::KeyFrame => self.is_broken = false,
            // One round of the refresh has passed when the second one comes.
            Access::RecoveryPoint => self.is_broken &= !std::mem::replace(&mut self.is_recovering, true),
            Access::No => {}
        }
        if parameters.is_some() && !begins {
            counts.parameter_changes += 1;
        }
        counts.broken += u64::from(self.is_broken);
        counts.samples += 1;
        Some(Sample {
            data: self.data(unit, access),
            media_nanos,
            arrival: unit.arrival,
            access,
            is_broken: self.is_broken,
            is_jump: access != Access::No && std::mem::take(&mut self.is_jump),
            by_arrival: placed.by_arrival,
            parameters,
        })
    }

    /// True if decoding may begin here.
    fn access(&mut self, unit: &AccessUnit, slices: &[&[u8]], arrival: i64) -> Access {
        let kinds = slices.iter().map(|slice| kind(self.codec, slice));
        let is_key = match self.codec {
            Codec::H264 => kinds.clone().any(|kind| kind == 5),
            // IRAP: BLA, IDR, CRA.
            Codec::H265 => kinds.clone().all(|kind| (16..=21).contains(&kind)),
        };
        if is_key {
            self.last_idr = Some(arrival);
            return Access::KeyFrame;
        }
        let since = arrival - self.last_idr.or(self.first_arrival).unwrap_or(arrival);
        let is_intra = slices.iter().all(|slice| is_intra_slice(slice));
        // An open GOP: pictures shown from here on refer to none before. Decoding begins there at once.
        let begins_here = self.current.is_none() && is_intra;
        if self.codec != Codec::H264 || since < IDR_WAIT && !begins_here {
            return Access::No;
        }
        match unit.units.iter().find_map(|one| recovery_point(one)) {
            Some(0) if is_intra => Access::KeyFrame,
            Some(_) if since >= IDR_WAIT => Access::RecoveryPoint,
            None if is_intra && since >= INTRA_WAIT => Access::RecoveryPoint,
            _ => Access::No,
        }
    }

    /// Returns true if slices refer to a sequence parameter set that the header has, or that stands in the samples.
    fn is_under_header(&self, slices: &[&[u8]]) -> bool {
        let Some(current) = &self.current else { return true };
        slices
            .iter()
            .filter_map(|slice| self.sets.sps_unit(slice))
            .all(|sps| current.units.iter().chain(&current.newest).any(|unit| unit == sps))
    }

    /// New parameters, where the sets are others than those of the header, and the header is to change.
    fn renew(&mut self, slices: &[&[u8]], sps: &Sps, arrival: i64) -> Option<Arc<Parameters>> {
        let units = self.sets.wanted(slices);
        while self.changes.len() > SIZE_CHANGES_MAX
            || self.changes.front().is_some_and(|change| arrival - change > CHANGES_SPAN)
        {
            self.changes.pop_front();
        }
        let parameters = self.sets.parameters(&units, sps);
        let Some(current) = &mut self.current else {
            let parameters = Arc::new(parameters);
            self.current =
                Some(Current { parameters: parameters.clone(), units: units.clone(), newest: units });
            return Some(parameters);
        };
        let is_same_size = same_format(&current.parameters, &parameters);
        let changes_max = if is_same_size { CHANGES_MAX } else { SIZE_CHANGES_MAX };
        if current.parameters.in_band {
            let is_steady = current.newest == units;
            current.newest.clone_from(&units);
            if !is_steady {
                self.changes.push_back(arrival);
            }
            let is_size_new = !is_same_size && self.changes.len() <= changes_max;
            // While changes are remembered the sets stay in the samples.
            if !is_size_new && !self.changes.is_empty() {
                return None;
            }
        } else if current.units == units && same_picture(&current.parameters, &parameters) {
            return None;
        } else {
            self.changes.push_back(arrival);
        }
        let in_band = self.changes.len() > changes_max;
        let parameters = Arc::new(Parameters { in_band, ..parameters });
        *current = Current { parameters: parameters.clone(), units: units.clone(), newest: units };
        Some(parameters)
    }

    /// True if a picture refers to one that a decoder lacks which began at the last key frame.
    fn is_undecodable(&mut self, kind: u8, access: Access, begins: bool, media: i64) -> bool {
        match self.codec {
            Codec::H265 if access != Access::No => {
                // CRA: its leading pictures are decoded unless decoding begins there. BLA: never.
                self.drops_rasl = (16..=18).contains(&kind) || begins;
                false
            }
            Codec::H265 => self.drops_rasl && matches!(kind, 8 | 9),
            Codec::H264 => {
                if access != Access::No {
                    self.leads = (begins && kind != 5).then_some(media);
                    return false;
                }
                let is_leading = self.leads.is_some_and(|begun| media < begun);
                if !is_leading {
                    self.leads = None;
                }
                is_leading
            }
        }
    }

    /// The units with their lengths. Sets that the header has are left out; others stand where they came, or in front.
    fn data(&self, unit: &AccessUnit, access: Access) -> Vec<u8> {
        let mut data = Vec::with_capacity(unit.units.iter().map(|one| one.len() + 4).sum());
        let Some(current) = &self.current else { return data };
        let in_front = current.parameters.in_band && access != Access::No;
        let is_left_out = |one: &[u8]| {
            matches!(role(self.codec, one), Role::Set(_))
                && (in_front || !current.parameters.in_band && current.units.iter().any(|known| known == one))
        };
        let mut put = |one: &[u8]| {
            data.extend(u32::try_from(one.len()).unwrap_or(u32::MAX).to_be_bytes());
            data.extend_from_slice(one);
        };
        let mut rest = unit.units.iter().peekable();
        if in_front {
            if let Some(delimiter) = rest.next_if(|one| role(self.codec, one) == Role::Delimiter) {
                put(delimiter);
            }
            current.newest.iter().for_each(|set| put(set));
        }
        rest.filter(|one| !is_left_out(one)).for_each(|one| put(one));
        data
    }
}

/// True if pictures are of one size, one chroma format and the same bit depths.
fn same_format(one: &Parameters, other: &Parameters) -> bool {
    (one.width, one.height, one.format) == (other.width, other.height, other.format)
}

/// True if pictures are alike but for their sets' bytes: the same sets may describe two sizes, by their ids.
fn same_picture(one: &Parameters, other: &Parameters) -> bool {
    (one.width, one.height, one.profile, one.level) == (other.width, other.height, other.profile, other.level)
}

/// True if a slice of H.264 is an I slice.
fn is_intra_slice(slice: &[u8]) -> bool {
    let bits = &mut Bits::new(slice, 1, 16);
    bits.ue().and_then(|_| bits.ue()).is_some_and(|kind| kind % 5 == 2 || kind % 5 == 4)
}
