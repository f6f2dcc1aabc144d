//! The one thread that writes: clip files and index.
//!
//! Order on the disk: a fragment's bytes, fdatasync, its row. All cameras' rows of one sync interval go into one
//! transaction. Retention removes the other way round, file first: removing a row takes room in the WAL, which a full
//! disk has not, and a row without a file is repaired at the next start.
//!
//! Alerts go before everything else, and work for footage is done in small steps: on a slow disk an alert waits for one
//! fdatasync, not for those of all cameras.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::StoreVitals;
use crate::error::StoreError;
use crate::fault::Fault;
use crate::index::{Acknowledged, Batch, Index};
use crate::read::catalogue::Catalogue;
use crate::recover::rebuild::{self, Opened};
use crate::recover::reconcile::ScanMode;
use crate::retain::space_manager::SpaceManager;
use crate::settings::Settings;
use crate::write::queue::{Job, Queue};
use crate::write::segment::{BOXES_BYTES_MAX, Segment};
use base::ack::Ack;
use base::alert::{Alert, AlertDraft};
use base::clock::Clock;
use base::fault::{ErrorKind, chain};
use base::fragment::Fragment;
use base::ids::CameraId;
use base::progress;
use base::time::{ClockState, Stamp};

/// Bytes that are freed on a full disk beyond those needed, so that it is not full again with the next write.
const RECLAIM_BYTES: u64 = 1024 * 1024;
/// Maximum number of further tries on a disk that is full, freeing more each time.
const RECLAIMS_MAX: u32 = 4;
/// Maximum number of fragments that wait for their rows while the index cannot be written; more are lost.
const UNINDEXED_MAX: usize = 2000;
/// Maximum number of old alerts removed from the index in one transaction.
const FORGOTTEN_MAX: usize = 200;
/// Maximum number of pictures taken out of a full outbox before the writer checks for alerts again.
const SHED_MAX: usize = 32;
/// Maximum number of files removed before the writer checks for alerts again.
const REMOVALS_MAX: usize = 8;
/// A camera that has delivered nothing for this long, and a segment's length, has gone.
const SILENCE: Duration = Duration::from_secs(60);
/// Interval at which the writer wakes up where nothing happens: footage grows old on its own.
const WAKE: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Writer {
    settings: Settings,
    clips: PathBuf,
    boot_id: String,
    clock: Arc<dyn Clock>,
    queue: Arc<Queue>,
    /// `None` while a damaged index cannot be built anew.
    index: Option<Index>,
    /// Reads the same index, and is reopened when another one replaces it.
    catalogue: Arc<Catalogue>,
    /// Footage of this boot may have been recorded before the clock was right.
    in_doubt: bool,
    vitals: Arc<Mutex<StoreVitals>>,
    space: SpaceManager,
    /// Number up to which alerts were checked when old ones were removed last.
    forgotten_seq: u64,
    next_id: i64,
    writing: HashMap<CameraId, Segment>,
    /// Ended, but not yet synced and indexed.
    ended: Vec<Segment>,
    batch: Batch,
    /// Delivered alerts whose outbox rows could not be removed yet.
    delivered: Vec<u64>,
    /// Acknowledgement of the post, where the rows could not be removed yet.
    acknowledged: Option<Ack>,
    /// Fault of the last acknowledgement, as it was logged.
    doubted: Option<Acknowledged>,
    sync_at: Option<Instant>,
    write_fault: Fault,
    sync_fault: Fault,
    index_fault: Fault,
    lost_fragments: u64,
}

impl Writer {
    /// A writer of the opened store, for the jobs that come through `queue`.
    pub fn new(
        settings: Settings,
        boot_id: String,
        clock: Arc<dyn Clock>,
        opened: Opened,
        catalogue: Arc<Catalogue>,
        queue: Arc<Queue>,
        vitals: Arc<Mutex<StoreVitals>>,
    ) -> Result<Self, StoreError> {
        let clips = crate::clips_path(&settings.directory);
        let next_id = opened.index.next_segment_id()?;
        let space = SpaceManager::new(settings.clone(), opened.known, opened.pins);
        let writer = Self {
            settings,
            clips,
            boot_id,
            clock,
            queue,
            index: Some(opened.index),
            catalogue,
            in_doubt: true,
            vitals,
            space,
            forgotten_seq: 0,
            next_id,
            writing: HashMap::new(),
            ended: Vec::new(),
            batch: Batch::default(),
            delivered: Vec::new(),
            acknowledged: None,
            doubted: None,
            sync_at: None,
            write_fault: Fault::new("clip files cannot be written"),
            sync_fault: Fault::new("clip files cannot be synced"),
            index_fault: Fault::new("the index cannot be written"),
            lost_fragments: 0,
        };
        writer.report();
        Ok(writer)
    }

    /// Works until the queue is closed and empty; then everything is synced and indexed.
    pub fn run(mut self) {
        loop {
            let wakes_at = Some(self.wakes_at());
            match progress::wait(|| self.queue.take(wakes_at)) {
                Job::Alert(draft, reply) => {
                    // The caller may have given up.
                    let _ = reply.send(self.put_alert(*draft));
                }
                Job::Acknowledged(ack) => {
                    self.acknowledged = Some(ack);
                    self.remove_acknowledged();
                }
                Job::Delivered(seqs) => {
                    self.delivered.extend(seqs);
                    self.remove_delivered();
                }
                Job::Fragment(fragment) => {
                    self.append(&fragment);
                    // On a disk that hardly keeps up the queue is never empty.
                    self.space.step(1);
                }
                Job::Nothing => self.space.step(REMOVALS_MAX),
                Job::Close => break,
            }
            self.shed();
            self.sweep();
            self.note_removed();
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
        if let Some(Err(error)) = self.index.as_ref().map(Index::checkpoint) {
            // Data that stays in the log is found there at the next start.
            tracing::debug!("{}", chain(&error));
        }
        self.report();
    }

    fn put_alert(&mut self, draft: AlertDraft) -> Result<Alert, StoreError> {
        let stored_at = self.clock.now().wall;
        let stored = self.change_index(|index| index.put_alert(draft.clone(), stored_at));
        if let Ok(alert) = &stored {
            self.space.pin(&draft, alert.seq);
        }
        stored
    }

    /// Time at which there is something to do although nothing comes.
    fn wakes_at(&self) -> Instant {
        let now = Instant::now();
        let must_work = self.space.has_work() || (self.must_shed() && self.index_fault.reason.is_none());
        if must_work { now } else { self.sync_at.unwrap_or(now + WAKE) }
    }

    /// Checks for old footage and alerts, about once a minute.
    fn sweep(&mut self) {
        let now = self.clock.now();
        if !self.space.sweep(now) {
            return;
        }
        self.correct_times(now);
        self.end_silent();
        let (outlived, next) = self.space.outlived(self.forgotten_seq, FORGOTTEN_MAX);
        self.forgotten_seq = next;
        if outlived.is_empty() {
            return;
        }
        let forgotten = self.change_index(|index| index.forget(&outlived));
        for alert in forgotten.unwrap_or_default() {
            self.space.forget(alert);
        }
    }

    fn remove_delivered(&mut self) {
        let delivered = std::mem::take(&mut self.delivered);
        if self.change_index(|index| index.delivered(&delivered)).is_err() {
            self.delivered = delivered;
            self.sync_later();
        }
    }

    /// Takes the messages that the post has stored out of the outbox; nonsense is logged once.
    fn remove_acknowledged(&mut self) {
        let Some(ack) = self.acknowledged.take() else { return };
        match self.change_index(|index| index.acknowledged(&ack)) {
            Err(_) => {
                self.acknowledged = Some(ack);
                self.sync_later();
            }
            Ok(Acknowledged::Done) => self.doubted = None,
            Ok(doubt) if self.doubted.replace(doubt) == Some(doubt) => {}
            Ok(Acknowledged::OfAnother) => {
                tracing::info!(
                    "the post acknowledges what is in outbox {}, which is another one",
                    ack.outbox
                );
            }
            Ok(Acknowledged::OfNothing) => {
                tracing::error!("the post acknowledges number {}, which was never given", ack.highest);
            }
        }
    }

    fn must_shed(&self) -> bool {
        let bytes_max = self.settings.outbox_bytes_max;
        self.index.as_ref().is_some_and(|index| index.must_shed(bytes_max))
    }

    /// Takes pictures out of an outbox that is too large; a few at a time.
    fn shed(&mut self) {
        if self.must_shed() {
            let bytes_max = self.settings.outbox_bytes_max;
            // A fault is noted, and it is tried again after the next job.
            let _ = self.change_index(|index| index.shed(bytes_max, SHED_MAX));
        }
    }

    /// Corrects the times that were recorded in this boot before the clock was right, once it is.
    fn correct_times(&mut self, now: Stamp) {
        if !self.in_doubt || now.clock != ClockState::Synced {
            return;
        }
        // Fragments that wait have to be in the index to be found there.
        self.sync();
        if !self.batch.is_empty() {
            return;
        }
        let offset =
            now.wall.as_micros() - i64::try_from(now.monotonic.as_nanos() / 1000).unwrap_or(i64::MAX);
        let boot_id = self.boot_id.clone();
        let moved = self.change_index(|index| Ok((index.correct_times(&boot_id, offset)?, index.pins()?)));
        if let Ok((segments, pins)) = moved {
            self.in_doubt = false;
            if !segments.is_empty() {
                tracing::info!(
                    "the clock is right now: the times of {} segments are put right",
                    segments.len()
                );
            }
            self.space.retime(&segments, pins);
        }
    }

    /// Changes the index. A full disk makes room for it; a damaged index is built anew, and changed then.
    fn change_index<T>(
        &mut self,
        mut change: impl FnMut(&mut Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut changed = self.try_index(&mut change);
        if changed.as_ref().is_err_and(is_corrupt) {
            changed = self.rebuild_index().and_then(|()| self.try_index(change));
        }
        self.index_fault.note(changed.as_ref().err());
        changed
    }

    /// Changes the index as it is.
    fn try_index<T>(
        &mut self,
        mut change: impl FnMut(&mut Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with_room(0, |writer| change(writer.index.as_mut().ok_or(StoreError::IndexLost)?))
    }

    /// Builds the index anew from the clip files. Fragments that wait for their rows are found in the files.
    fn rebuild_index(&mut self) -> Result<(), StoreError> {
        self.sync_files(false);
        let cameras: Vec<CameraId> = self.writing.keys().cloned().collect();
        for camera in cameras {
            self.end_segment(&camera);
        }
        self.index = None;
        let opened = rebuild::rebuild(&self.settings.directory, &self.boot_id, ScanMode::NotEnded)?;
        tracing::error!("the index was damaged: {}", opened.reconciled);
        self.next_id = opened.index.next_segment_id()?;
        self.space.refill(opened.known, opened.pins);
        (self.batch, self.in_doubt) = (Batch::default(), true);
        self.ended.clear();
        self.index = Some(opened.index);
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner).reconciled = opened.reconciled;
        self.catalogue.reopen()
    }

    fn append(&mut self, fragment: &Fragment) {
        if self.batch.fragments.len() >= UNINDEXED_MAX {
            // The index is at fault, which was logged.
            self.lost_fragments += 1;
            return;
        }
        if fragment.starts_at.clock == ClockState::Synced {
            self.correct_times(fragment.starts_at);
        }
        let needed = (fragment.bytes.len() + fragment.init.len()) as u64;
        let written = self.with_room(needed, |writer| writer.write(fragment));
        if written.is_err() {
            self.lost_fragments += 1;
        }
        // Evidence that fills the store is no fault of the disk, and is reported apart.
        let fault =
            written.as_ref().err().filter(|error| !matches!(error, StoreError::FullOfEvidence { .. }));
        self.write_fault.note(fault);
    }

    /// Writes to the camera's segment, or to a new one.
    fn write(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        let continues = |segment: &Segment| segment.continues(fragment, self.settings.segment);
        if !self.writing.get(&fragment.camera).is_some_and(continues) {
            self.end_segment(&fragment.camera);
        }
        let starts = !self.writing.contains_key(&fragment.camera);
        let media = fragment.bytes.len() + if starts { fragment.init.len() } else { 0 };
        let needed = media as u64 + BOXES_BYTES_MAX;
        let room = self.space.make(&fragment.camera, needed, starts);
        self.note_removed();
        room?;
        if starts {
            self.start_segment(fragment)?;
        } else {
            self.continue_segment(fragment)?;
        }
        self.sync_later();
        Ok(())
    }

    fn start_segment(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        let id = self.next_id;
        let (segment, start, row) = Segment::start(&self.clips, id, &self.boot_id, fragment)?;
        self.next_id += 1;
        self.in_doubt |= fragment.starts_at.clock != ClockState::Synced;
        self.space.started(id, &fragment.camera, &start.path, fragment.starts_at);
        self.space.grown(id, segment.bytes, fragment.starts_at.wall + fragment.duration);
        self.batch.started.push(start);
        self.batch.fragments.push(row);
        self.writing.insert(fragment.camera.clone(), segment);
        Ok(())
    }

    fn continue_segment(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        let Some(segment) = self.writing.get_mut(&fragment.camera) else { return Ok(()) };
        match segment.append(fragment) {
            Ok(row) => {
                let (id, bytes) = (segment.id, segment.bytes);
                self.batch.fragments.push(row);
                self.space.grown(id, bytes, fragment.starts_at.wall + fragment.duration);
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
        self.space.ended(segment.id);
        self.batch.ended.push(segment.id);
        self.ended.push(segment);
        self.sync_later();
    }

    /// Ends the segments of cameras that have gone, so that they grow old and may be removed like others.
    fn end_silent(&mut self) {
        let is_silent = |segment: &Segment| segment.last_at.elapsed() > self.settings.segment + SILENCE;
        let writing = self.writing.iter().filter(|(_, segment)| is_silent(segment));
        let silent: Vec<CameraId> = writing.map(|(camera, _)| camera.clone()).collect();
        silent.iter().for_each(|camera| self.end_segment(camera));
    }

    fn sync_later(&mut self) {
        self.sync_at.get_or_insert_with(|| Instant::now() + self.settings.sync_interval);
    }

    /// Syncs the appended fragments, then indexes them. A failure is tried again an interval later.
    fn sync(&mut self) {
        self.sync_at = None;
        self.sync_files(true);
        if self.index.is_none() {
            let rebuilt = self.rebuild_index();
            self.index_fault.note(rebuilt.as_ref().err());
        }
        if !self.batch.is_empty() {
            self.commit();
        }
        if !self.delivered.is_empty() {
            self.remove_delivered();
        }
        self.remove_acknowledged();
        if !self.batch.is_empty() || !self.delivered.is_empty() {
            self.sync_later();
        }
    }

    fn commit(&mut self) {
        // Taken out: the segments that are removed to make room for it go with the next batch.
        let batch = std::mem::take(&mut self.batch);
        let mut committed = self.try_index(|index| index.commit(&batch));
        if committed.as_ref().is_err_and(is_corrupt) {
            // The clip files have all that the batch has.
            committed = self.rebuild_index();
        }
        self.index_fault.note(committed.as_ref().err());
        if committed.is_err() {
            self.batch = batch.followed_by(std::mem::take(&mut self.batch));
            return;
        }
        self.ended.clear();
        for segment in self.writing.values_mut() {
            segment.indexed_bytes = segment.bytes;
        }
    }

    /// Syncs one file after the other, and lets alerts in between if `let_in`: on a slow disk each file may take seconds.
    fn sync_files(&mut self, let_in: bool) {
        let (mut failed, mut first_error) = (Vec::new(), None);
        let unsynced = |segment: &&mut Segment| segment.bytes > segment.indexed_bytes;
        let segments = self.writing.values_mut().chain(&mut self.ended).filter(unsynced);
        let ids: Vec<i64> = segments.map(|segment| segment.id).collect();
        for id in ids {
            // An alert may have had the index built anew, which syncs and ends everything.
            let mut segments = self.writing.values_mut().chain(&mut self.ended);
            let Some(segment) = segments.find(|segment| segment.id == id) else { continue };
            if let Err(error) = segment.sync() {
                failed.push(id);
                first_error.get_or_insert(error);
            }
            let waiting = if let_in { self.queue.take_alerts() } else { VecDeque::new() };
            for (draft, reply) in waiting {
                // The caller may have given up.
                let _ = reply.send(self.put_alert(*draft));
            }
        }
        self.sync_fault.note(first_error.as_ref());
        for id in failed {
            self.give_up(id);
        }
    }

    /// After a failed fdatasync the kernel may have dropped any of the bytes since the last one, and will not say so
    /// again: they count as lost, and the segment ends at its last synced byte.
    fn give_up(&mut self, id: i64) {
        let camera =
            self.writing.iter().find(|(_, segment)| segment.id == id).map(|(camera, _)| camera.clone());
        if let Some(camera) = camera {
            self.end_segment(&camera);
        }
        let Some(place) = self.ended.iter().position(|segment| segment.id == id) else { return };
        let mut segment = self.ended.swap_remove(place);
        self.lost_fragments += self.batch.forget(id) as u64;
        // Bytes that stay in spite of this are cut off at the next start.
        let _ = segment.cut_to_index();
        self.space.cut(id, segment.bytes);
        if segment.bytes > 0 {
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
                    let reclaimed = self.space.reclaim((bytes + RECLAIM_BYTES) << reclaims);
                    self.note_removed();
                    if !reclaimed {
                        return Err(error);
                    }
                    reclaims += 1;
                }
                done => return done,
            }
        }
    }

    /// Notes removed files, so that their rows go with the next batch.
    fn note_removed(&mut self) {
        for id in self.space.take_deleted() {
            self.ended.retain(|segment| segment.id != id);
            self.batch.forget(id);
            self.batch.removed.push(id);
            self.sync_later();
        }
    }

    fn report(&self) {
        let mut vitals = self.vitals.lock().unwrap_or_else(PoisonError::into_inner);
        vitals.lost_fragments = self.lost_fragments;
        let clip_faults = [&self.write_fault, &self.sync_fault];
        vitals.clips_unwritable = clip_faults.iter().find_map(|fault| fault.reason.clone());
        self.space.report(&mut vitals);
        vitals.index_unwritable.clone_from(&self.index_fault.reason);
    }
}

fn is_corrupt(error: &StoreError) -> bool {
    error.kind() == ErrorKind::Corrupt
}
