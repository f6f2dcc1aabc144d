//! Rows of segments and fragments, as they are written and as they are read back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::write::container::{Found, SegmentHeader};
use base::fragment::{Fragment, FragmentStart};
use base::ids::{CameraId, Epoch};
use base::time::{ClockState, Monotonic, WallTime};

/// A row of `segment`, as it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SegmentRow {
    pub id: i64,
    /// Path below `clips/`.
    pub path: PathBuf,
    pub(super) header: SegmentHeader,
    pub(super) init_bytes: u64,
}

impl SegmentRow {
    /// The row of the segment that starts with an init section of `init_bytes` and `header`. Its `id` is the header's,
    /// unless that one is taken.
    pub fn new(id: i64, path: PathBuf, header: SegmentHeader, init_bytes: u64) -> Self {
        Self { id, path, header, init_bytes }
    }
}

/// A row of `fragment`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FragmentRow {
    pub segment: i64,
    pub offset_bytes: u64,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Length of the trailer that follows it in the file.
    pub(super) trailer_bytes: u64,
    pub(super) pts_nanos: u64,
    pub(super) duration: Duration,
    pub(super) wall: WallTime,
    pub(super) samples: u32,
    pub(super) start: FragmentStart,
}

impl FragmentRow {
    /// The row of `fragment` at `offset_bytes` in its file.
    pub fn new(
        segment: i64,
        offset_bytes: u64,
        trailer_bytes: u64,
        sha256: [u8; 32],
        fragment: &Fragment,
    ) -> Self {
        Self {
            segment,
            offset_bytes,
            bytes: fragment.bytes.len() as u64,
            sha256,
            trailer_bytes,
            pts_nanos: fragment.pts.0,
            duration: fragment.duration,
            wall: fragment.starts_at.wall,
            samples: fragment.samples,
            start: fragment.start,
        }
    }

    /// The row of a fragment that was read back.
    pub fn read_back(segment: i64, found: &Found) -> Self {
        let trailer = &found.trailer;
        Self {
            segment,
            offset_bytes: found.offset_bytes,
            bytes: trailer.bytes,
            sha256: trailer.sha256,
            trailer_bytes: found.end_bytes - found.offset_bytes - trailer.bytes,
            pts_nanos: trailer.pts_ns,
            duration: trailer.duration(),
            wall: trailer.starts_at.wall,
            samples: trailer.samples,
            start: trailer.start,
        }
    }
}

/// Changes of segments in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub started: Vec<SegmentRow>,
    pub fragments: Vec<FragmentRow>,
    pub ended: Vec<i64>,
    pub removed: Vec<i64>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.started.is_empty()
            && self.fragments.is_empty()
            && self.ended.is_empty()
            && self.removed.is_empty()
    }

    /// Appends a later batch; nothing is added any more of a segment that the later batch removes.
    pub fn followed_by(mut self, later: Self) -> Self {
        for id in &later.removed {
            self.forget(*id);
        }
        self.started.extend(later.started);
        self.fragments.extend(later.fragments);
        self.ended.extend(later.ended);
        self.removed.extend(later.removed);
        self
    }

    /// Its rows, segment by segment.
    pub fn by_segment(self) -> BTreeMap<i64, Self> {
        let mut parts: BTreeMap<i64, Self> = BTreeMap::new();
        for row in self.started {
            parts.entry(row.id).or_default().started.push(row);
        }
        for row in self.fragments {
            parts.entry(row.segment).or_default().fragments.push(row);
        }
        for id in self.ended {
            parts.entry(id).or_default().ended.push(id);
        }
        for id in self.removed {
            parts.entry(id).or_default().removed.push(id);
        }
        parts
    }

    /// Forgets its rows of a segment. Returns the number of fragments among them.
    pub fn forget(&mut self, segment: i64) -> usize {
        let before = self.fragments.len();
        self.started.retain(|row| row.id != segment);
        self.fragments.retain(|row| row.segment != segment);
        self.ended.retain(|id| *id != segment);
        before - self.fragments.len()
    }
}

/// Place of a fragment, and the expected sha256 of its file up to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexedFragment {
    pub offset_bytes: u64,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Arrival of its first sample.
    pub starts_at: WallTime,
}

/// A segment that the index knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownSegment {
    /// Row id; higher for younger segments.
    pub id: i64,
    /// Path below `clips/`.
    pub path: PathBuf,
    pub camera: CameraId,
    /// Arrival of its first sample.
    pub starts_at: WallTime,
    /// End of its last fragment.
    pub ends_at: WallTime,
    /// Trust in these times.
    pub clock: ClockState,
    /// Length of the file as far as it is indexed.
    pub bytes: u64,
    /// True once nothing will be added.
    pub ended: bool,
}

/// Facts that tell the file of a segment from all others; its header has the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub camera: CameraId,
    pub epoch: Epoch,
    /// Boot from which the next one counts.
    pub boot_id: String,
    /// Arrival of its first sample.
    pub starts_at: Monotonic,
}
