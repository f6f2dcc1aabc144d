//! The segments that are being written, one per camera, and the ended ones that wait for their rows.
//!
//! Knows files only: the writer tells the space manager and the index of every change.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::segment::Segment;
use crate::error::StoreError;
use crate::index::{FragmentRow, SegmentRow};
use base::fragment::Fragment;
use base::ids::CameraId;

/// Time without a fragment, beyond a segment's length, after which a camera counts as silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Files that are open for writing, by camera.
pub(super) struct OpenSegments {
    clips: PathBuf,
    boot_id: String,
    segment_max: Duration,
    next_id: i64,
    writing: HashMap<CameraId, Segment>,
    /// Ended, but not yet synced and indexed.
    ended: Vec<Segment>,
}

impl OpenSegments {
    /// No segment yet; the first one gets `next_id`.
    pub fn new(clips: PathBuf, boot_id: String, segment_max: Duration, next_id: i64) -> Self {
        Self { clips, boot_id, segment_max, next_id, writing: HashMap::new(), ended: Vec::new() }
    }

    /// Forgets the ended segments, whose rows an index that was built again has. The next segment gets `next_id`.
    pub fn reindexed(&mut self, next_id: i64) {
        self.next_id = next_id;
        self.ended.clear();
    }

    /// Returns true if `fragment` belongs into the segment that its camera is writing.
    pub fn continues(&self, fragment: &Fragment) -> bool {
        let segment = self.writing.get(&fragment.camera);
        segment.is_some_and(|segment| segment.continues(fragment, self.segment_max))
    }

    /// The segment that a camera is writing.
    pub fn of(&mut self, camera: &CameraId) -> Option<&mut Segment> {
        self.writing.get_mut(camera)
    }

    /// Starts a segment with `fragment`. Returns its rows and its length.
    pub fn start(&mut self, fragment: &Fragment) -> Result<(SegmentRow, FragmentRow, u64), StoreError> {
        let (segment, start, row) = Segment::start(&self.clips, self.next_id, &self.boot_id, fragment)?;
        self.next_id += 1;
        let bytes = segment.bytes;
        self.writing.insert(fragment.camera.clone(), segment);
        Ok((start, row, bytes))
    }

    /// Ends the segment of a camera. Returns its id.
    pub fn end(&mut self, camera: &CameraId) -> Option<i64> {
        let segment = self.writing.remove(camera)?;
        let id = segment.id;
        self.ended.push(segment);
        Some(id)
    }

    /// Cameras with a segment that is being written.
    pub fn cameras(&self) -> Vec<CameraId> {
        self.writing.keys().cloned().collect()
    }

    /// Those of them that have delivered nothing for long.
    pub fn silent(&self) -> Vec<CameraId> {
        let silent_for = self.segment_max + SILENCE;
        let silent = self.writing.iter().filter(|(_, segment)| segment.last_at.elapsed() > silent_for);
        silent.map(|(camera, _)| camera.clone()).collect()
    }

    /// The camera that is writing a segment.
    pub fn camera_of(&self, id: i64) -> Option<CameraId> {
        let mut writing = self.writing.iter();
        writing.find(|(_, segment)| segment.id == id).map(|(camera, _)| camera.clone())
    }

    /// Ids of the segments with bytes that are not in the index.
    pub fn unsynced(&self) -> Vec<i64> {
        let segments = self.writing.values().chain(&self.ended);
        segments.filter(|segment| segment.bytes > segment.indexed_bytes).map(|segment| segment.id).collect()
    }

    /// Syncs the file of a segment; nothing happens where there is none with this id.
    pub fn sync(&mut self, id: i64) -> Result<(), StoreError> {
        let mut segments = self.writing.values_mut().chain(&mut self.ended);
        segments.find(|segment| segment.id == id).map_or(Ok(()), Segment::sync)
    }

    /// Notes that the index has all that is here.
    pub fn indexed(&mut self) {
        self.ended.clear();
        for segment in self.writing.values_mut() {
            segment.indexed_bytes = segment.bytes;
        }
    }

    /// Forgets an ended segment, whose file was deleted.
    pub fn forget(&mut self, id: i64) {
        self.ended.retain(|segment| segment.id != id);
    }

    /// Cuts an ended segment back to its indexed bytes, and forgets it. Returns that length.
    pub fn cut_to_index(&mut self, id: i64) -> Option<u64> {
        let place = self.ended.iter().position(|segment| segment.id == id)?;
        let mut segment = self.ended.swap_remove(place);
        // Bytes that stay in spite of this are cut off at the next start.
        let _ = segment.cut_to_index();
        Some(segment.bytes)
    }
}
