//! The one thread that writes: clip files and index.
//!
//! Order on the disk: a fragment's bytes, fdatasync, its row. All cameras' rows of one sync interval go into one
//! transaction. What retention removes goes the other way round, file first: removing a row takes room in the WAL,
//! which a full disk has not, and a row without a file is mended at the next start.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::StoreVitals;
use super::error::StoreError;
use super::fault::Fault;
use super::index::{Batch, Index, KnownSegment};
use super::queue::{Job, Queue};
use super::retention::{self, Held};
use super::segment::Segment;
use super::settings::Settings;
use super::tree::prune_folders;
use crate::clock::Clock;
use crate::domain::alert::{Alert, AlertDraft};
use crate::domain::fragment::Fragment;
use crate::domain::ids::CameraId;

/// How much more than needed is freed on a full disk, so that it is not full again with the next write.
const RECLAIM_BYTES: u64 = 1024 * 1024;
/// How often something is tried again on a disk that is full, freeing more each time.
const RECLAIMS_MAX: u32 = 4;
/// How many fragments may wait for their rows while the index cannot be written; more are lost.
const UNINDEXED_MAX: usize = 2000;

/// See the module.
pub(super) struct Writer {
    settings: Settings,
    clips: PathBuf,
    boot_id: String,
    clock: Arc<dyn Clock>,
    index: Index,
    vitals: Arc<Mutex<StoreVitals>>,
    /// All segments on the disk, oldest first.
    ring: BTreeMap<i64, Kept>,
    ring_bytes: u64,
    next_id: i64,
    writing: HashMap<CameraId, Segment>,
    /// Ended, but not yet synced and indexed.
    ended: Vec<Segment>,
    batch: Batch,
    /// Delivered alerts whose outbox rows could not be removed yet.
    delivered: Vec<u64>,
    sync_at: Option<Instant>,
    write_fault: Fault,
    sync_fault: Fault,
    removal_fault: Fault,
    index_fault: Fault,
    lost_fragments: u64,
    removed_segments: u64,
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    writing: bool,
}

impl Writer {
    /// A writer over `known` segments, oldest first.
    pub fn new(
        settings: Settings,
        boot_id: String,
        clock: Arc<dyn Clock>,
        index: Index,
        known: Vec<KnownSegment>,
        vitals: Arc<Mutex<StoreVitals>>,
    ) -> Result<Self, StoreError> {
        let clips = super::clips_path(&settings.directory);
        let next_id = index.next_segment_id()?;
        let ring_bytes = known.iter().map(|segment| segment.bytes).sum();
        let kept =
            |known: KnownSegment| Kept { path: clips.join(known.path), bytes: known.bytes, writing: false };
        let ring = known.into_iter().map(|known| (known.id, kept(known))).collect();
        let writer = Self {
            settings,
            clips,
            boot_id,
            clock,
            index,
            vitals,
            ring,
            ring_bytes,
            next_id,
            writing: HashMap::new(),
            ended: Vec::new(),
            batch: Batch::default(),
            delivered: Vec::new(),
            sync_at: None,
            write_fault: Fault::new("clip files cannot be written"),
            sync_fault: Fault::new("clip files cannot be synced"),
            removal_fault: Fault::new("clip files cannot be removed"),
            index_fault: Fault::new("the index cannot be written"),
            lost_fragments: 0,
            removed_segments: 0,
        };
        writer.report();
        Ok(writer)
    }

    /// Works until the queue is closed and empty; then everything is synced and indexed.
    pub fn run(mut self, queue: &Queue) {
        loop {
            match queue.take(self.sync_at) {
                Job::Alert(draft, reply) => {
                    // Whoever asked may have given up.
                    let _ = reply.send(self.put_alert(*draft));
                }
                Job::Delivered(seqs) => {
                    self.delivered.extend(seqs);
                    self.remove_delivered();
                }
                Job::Fragment(fragment) => self.append(&fragment),
                Job::Nothing => {}
                Job::Close => break,
            }
            if self.sync_at.is_some_and(|at| at <= Instant::now()) {
                self.sync();
            }
            self.report();
        }
        let cameras: Vec<CameraId> = self.writing.keys().cloned().collect();
        for camera in cameras {
            self.end_segment(&camera);
        }
        self.sync();
        self.report();
    }

    fn put_alert(&mut self, draft: AlertDraft) -> Result<Alert, StoreError> {
        let stored_at = self.clock.now().wall;
        let stored = self.with_room(0, |writer| writer.index.put_alert(draft.clone(), stored_at));
        self.index_fault.note(stored.as_ref().err());
        stored
    }

    fn remove_delivered(&mut self) {
        let removed = self.index.delivered(&self.delivered);
        self.index_fault.note(removed.as_ref().err());
        match removed {
            Ok(()) => self.delivered.clear(),
            Err(_) => self.sync_later(),
        }
    }

    fn append(&mut self, fragment: &Fragment) {
        if self.batch.fragments.len() >= UNINDEXED_MAX {
            // The index is at fault, and has said so.
            self.lost_fragments += 1;
            return;
        }
        let needed = (fragment.bytes.len() + fragment.init.len()) as u64;
        let written = self.with_room(needed, |writer| writer.write(fragment));
        self.write_fault.note(written.as_ref().err());
        if written.is_err() {
            self.lost_fragments += 1;
        }
    }

    /// Writes to the camera's segment, or to a new one.
    fn write(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        let continues = |segment: &Segment| segment.continues(fragment, self.settings.segment);
        if !self.writing.get(&fragment.camera).is_some_and(continues) {
            self.end_segment(&fragment.camera);
        }
        let needed = (fragment.bytes.len() + fragment.init.len()) as u64;
        self.free_down_to(self.settings.clip_bytes_max.saturating_sub(needed));
        if self.writing.contains_key(&fragment.camera) {
            self.continue_segment(fragment)?;
        } else {
            self.start_segment(fragment)?;
        }
        self.sync_later();
        Ok(())
    }

    fn start_segment(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        let id = self.next_id;
        let (segment, start, row) = Segment::start(&self.clips, id, &self.boot_id, fragment)?;
        self.next_id += 1;
        self.batch.started.push(start);
        self.batch.fragments.push(row);
        self.ring.insert(id, Kept { path: segment.path.clone(), bytes: 0, writing: true });
        self.resize(id, segment.bytes);
        self.writing.insert(fragment.camera.clone(), segment);
        Ok(())
    }

    fn continue_segment(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        let Some(segment) = self.writing.get_mut(&fragment.camera) else { return Ok(()) };
        match segment.append(fragment) {
            Ok(row) => {
                let (id, bytes) = (segment.id, segment.bytes);
                self.batch.fragments.push(row);
                self.resize(id, bytes);
                Ok(())
            }
            Err(error) => {
                if !segment.is_whole() {
                    self.end_segment(&fragment.camera);
                }
                Err(error)
            }
        }
    }

    fn end_segment(&mut self, camera: &CameraId) {
        let Some(segment) = self.writing.remove(camera) else { return };
        if let Some(kept) = self.ring.get_mut(&segment.id) {
            kept.writing = false;
        }
        self.batch.ended.push(segment.id);
        self.ended.push(segment);
        self.sync_later();
    }

    fn sync_later(&mut self) {
        self.sync_at.get_or_insert_with(|| Instant::now() + self.settings.sync_interval);
    }

    /// Brings what was appended to the disk, then into the index. What fails is tried again an interval later.
    fn sync(&mut self) {
        self.sync_at = None;
        self.sync_files();
        if !self.batch.is_empty() {
            let committed = self.with_room(0, |writer| writer.index.commit(&writer.batch));
            self.index_fault.note(committed.as_ref().err());
            if committed.is_ok() {
                self.batch = Batch::default();
                self.ended.clear();
                for segment in self.writing.values_mut() {
                    segment.indexed_bytes = segment.bytes;
                }
            }
        }
        if !self.delivered.is_empty() {
            self.remove_delivered();
        }
        if !self.batch.is_empty() || !self.delivered.is_empty() {
            self.sync_later();
        }
    }

    fn sync_files(&mut self) {
        let (mut failed, mut first_error) = (Vec::new(), None);
        let unsynced = self.writing.values_mut().chain(&mut self.ended);
        for segment in unsynced.filter(|segment| segment.bytes > segment.indexed_bytes) {
            if let Err(error) = segment.sync() {
                failed.push(segment.id);
                first_error.get_or_insert(error);
            }
        }
        self.sync_fault.note(first_error.as_ref());
        for id in failed {
            self.give_up(id);
        }
    }

    /// After a failed fdatasync the kernel may have dropped any of the bytes since the last one, and will not say so
    /// again: they count as lost, and the segment ends at what was synced.
    fn give_up(&mut self, id: i64) {
        let camera =
            self.writing.iter().find(|(_, segment)| segment.id == id).map(|(camera, _)| camera.clone());
        if let Some(camera) = camera {
            self.end_segment(&camera);
        }
        let Some(place) = self.ended.iter().position(|segment| segment.id == id) else { return };
        let mut segment = self.ended.swap_remove(place);
        self.lost_fragments += self.batch.forget(id) as u64;
        // What stays in spite of this is cut off at the next start.
        let _ = segment.cut_to_index();
        self.resize(id, segment.bytes);
        if segment.bytes == 0 {
            self.ring.remove(&id);
        } else {
            self.batch.ended.push(id);
        }
    }

    /// Tries `work`; while the disk is full for it, frees `bytes` and more, and tries again.
    fn with_room<T>(
        &mut self,
        bytes: u64,
        mut work: impl FnMut(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut reclaims = 0;
        loop {
            match work(self) {
                Err(error) if error.is_disk_full() && reclaims < RECLAIMS_MAX => {
                    let goal = self.ring_bytes.saturating_sub((bytes + RECLAIM_BYTES) << reclaims);
                    if !self.free_down_to(goal) {
                        return Err(error);
                    }
                    reclaims += 1;
                }
                done => return done,
            }
        }
    }

    /// Removes the oldest segments until all together take `goal` bytes. Returns whether any was removed.
    fn free_down_to(&mut self, goal: u64) -> bool {
        if self.ring_bytes <= goal {
            return false;
        }
        let held = |(id, kept): (&i64, &Kept)| Held { id: *id, bytes: kept.bytes, writing: kept.writing };
        let going = retention::plan(self.ring.iter().map(held), goal);
        let before = self.removed_segments;
        for id in going {
            self.remove(id);
        }
        self.removed_segments > before
    }

    /// Removes a segment's file, and with the next batch its row.
    fn remove(&mut self, id: i64) {
        let Some(kept) = self.ring.get(&id) else { return };
        let removed = match fs::remove_file(&kept.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::clip("remove", &kept.path)(error))
            }
            _ => Ok(()),
        };
        self.removal_fault.note(removed.as_ref().err());
        if removed.is_err() {
            return;
        }
        prune_folders(&self.clips, &kept.path);
        self.resize(id, 0);
        self.ring.remove(&id);
        self.ended.retain(|segment| segment.id != id);
        self.batch.forget(id);
        self.batch.removed.push(id);
        self.removed_segments += 1;
        self.sync_later();
    }

    fn resize(&mut self, id: i64, bytes: u64) {
        if let Some(kept) = self.ring.get_mut(&id) {
            self.ring_bytes = self.ring_bytes - kept.bytes + bytes;
            kept.bytes = bytes;
        }
    }

    fn report(&self) {
        let mut vitals = self.vitals.lock().unwrap_or_else(PoisonError::into_inner);
        vitals.clip_bytes = self.ring_bytes;
        vitals.segments = self.ring.len() as u64;
        vitals.lost_fragments = self.lost_fragments;
        vitals.removed_segments = self.removed_segments;
        let clip_faults = [&self.write_fault, &self.sync_fault, &self.removal_fault];
        vitals.clips_unwritable = clip_faults.iter().find_map(|fault| fault.said.clone());
        vitals.index_unwritable.clone_from(&self.index_fault.said);
    }
}
