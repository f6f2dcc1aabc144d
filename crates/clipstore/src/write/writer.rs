//! The one thread that writes: clip files and index.
//!
//! Order on the disk: a fragment's bytes, fdatasync, its row. All cameras' rows of one sync interval go into one
//! transaction. Retention deletes the other way round, file first: removing a row takes space in the WAL, which a full
//! disk does not have, and a row without a file is repaired at the next start.
//!
//! Alerts go before everything else, and work for footage is done in small steps: on a slow disk an alert waits for one
//! fdatasync, not for those of all cameras.

mod full_disk;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::index::{Batch, Index};
use crate::logged_once::Fault;
use crate::recover::rebuild::Opened;
use crate::retain::space_manager::SpaceManager;
use crate::settings::Settings;
use crate::write::live_index::LiveIndex;
use crate::write::open_segments::OpenSegments;
use crate::write::outbox_changes::OutboxChanges;
use crate::write::queue::{Job, Queue};
use crate::write::segment::BOXES_BYTES_MAX;
use crate::{Shared, StoreVitals};
use base::alert::{Alert, AlertDraft};
use base::clock::Clock;
use base::fault::{ErrorKind, chain};
use base::fragment::Fragment;
use base::ids::CameraId;
use base::progress;
use base::still::StillDraft;
use base::time::{ClockState, Stamp, WallTime};

/// Maximum number of fragments that wait for their rows while the index cannot be written; more are lost.
const UNINDEXED_MAX: usize = 2000;
/// Maximum number of old alerts removed from the index in one transaction.
const FORGOTTEN_MAX: usize = 200;
/// Maximum number of pictures taken out of a full outbox before the writer checks for alerts again.
const SHED_MAX: usize = 32;
/// Maximum number of files removed before the writer checks for alerts again.
const REMOVALS_MAX: usize = 8;
/// Age from which a still is not worth sending any more: its footage is on the box.
const STILL_AGE_MAX: Duration = Duration::from_secs(72 * 3600);
/// Interval at which the writer wakes up where nothing happens: footage grows old on its own.
const WAKE: Duration = Duration::from_secs(60);

/// Takes jobs from the queue and carries them out, one at a time.
pub(crate) struct Writer {
    settings: Settings,
    clock: Arc<dyn Clock>,
    queue: Arc<Queue>,
    vitals: Arc<Mutex<StoreVitals>>,
    space: SpaceManager,
    segments: OpenSegments,
    index: LiveIndex,
    /// Changes of segments that are not in the index yet.
    batch: Batch,
    outbox: OutboxChanges,
    /// Number up to which alerts were checked when old ones were removed last.
    forgotten_seq: u64,
    sync_at: Option<Instant>,
    faults: ClipFaults,
}

/// Faults of the clip files.
struct ClipFaults {
    write: Fault,
    sync: Fault,
    lost_fragments: u64,
}

impl Writer {
    /// A writer of the opened store, for the jobs that come through the queue of `shared`.
    pub fn new(
        settings: Settings,
        boot_id: String,
        clock: Arc<dyn Clock>,
        opened: Opened,
        shared: &Shared,
    ) -> Result<Self, StoreError> {
        let clips = crate::clips_path(&settings.directory);
        let next_id = opened.index.next_segment_id()?;
        let writer = Self {
            clock,
            queue: Arc::clone(&shared.queue),
            vitals: Arc::clone(&shared.vitals),
            space: SpaceManager::new(settings.clone(), opened.known, opened.pins),
            segments: OpenSegments::new(clips, boot_id.clone(), settings.segment, next_id),
            index: LiveIndex::new(
                opened.index,
                Arc::clone(&shared.catalogue),
                settings.directory.clone(),
                boot_id,
            ),
            batch: Batch::default(),
            outbox: OutboxChanges::default(),
            forgotten_seq: 0,
            sync_at: None,
            faults: ClipFaults {
                write: Fault::new("clip files cannot be written"),
                sync: Fault::new("clip files cannot be synced"),
                lost_fragments: shared.vitals().lost_fragments,
            },
            settings,
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
                Job::Acknowledged(new) => {
                    self.outbox.acknowledged = Some(new.after(self.outbox.acknowledged.take()));
                    self.remove_acknowledged();
                }
                Job::Delivered(seqs) => {
                    self.outbox.delivered.extend(seqs);
                    self.remove_delivered();
                }
                Job::Fragment(fragment) => {
                    self.append(&fragment);
                    // On a disk that hardly keeps up the queue is never empty.
                    self.space.step(1);
                }
                Job::StillsDelivered(numbers) => self.remove_stills(&numbers),
                Job::Stills(stills, reply) => {
                    // The caller may have given up.
                    let _ = reply.send(self.put_stills(&stills));
                }
                Job::Nothing => self.space.step(REMOVALS_MAX),
                Job::Close => break,
            }
            self.shed();
            self.sweep();
            self.note_deleted();
            if self.sync_at.is_some_and(|at| at <= Instant::now()) {
                self.sync();
            }
            self.report();
        }
        self.end_all();
        self.sync();
        self.index.checkpoint();
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

    /// Stores stills. No footage makes way for them on a full disk, and a fault is their caller's to report.
    fn put_stills(&mut self, stills: &[StillDraft]) -> Result<u64, StoreError> {
        let (stored_at, bytes_max) = (self.clock.now().wall, self.settings.stills_bytes_max);
        self.index.change(|index| index.put_stills(stills, stored_at, bytes_max))
    }

    /// Removes stills that the broker has. After a fault they are sent once more.
    fn remove_stills(&mut self, numbers: &[u64]) {
        if let Err(error) = self.index.change(|index| index.stills_delivered(numbers)) {
            tracing::debug!("{}", chain(&error));
        }
    }

    /// Time at which there is something to do although nothing comes.
    fn wakes_at(&self) -> Instant {
        let now = Instant::now();
        let must_work = self.space.has_work() || (self.must_shed() && self.index.fault.reason.is_none());
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
        self.remove_old_stills(now.wall);
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

    fn remove_old_stills(&mut self, now: WallTime) {
        match self.index.change(|index| index.remove_old_stills(now - STILL_AGE_MAX)) {
            Ok(0) => {}
            Ok(count) => {
                tracing::warn!(
                    "{count} stills were not sent for {} h and are deleted",
                    STILL_AGE_MAX.as_secs() / 3600
                );
            }
            Err(error) => tracing::debug!("{}", chain(&error)),
        }
    }

    fn remove_delivered(&mut self) {
        let delivered = std::mem::take(&mut self.outbox.delivered);
        if self.change_index(|index| index.delivered(&delivered)).is_err() {
            self.outbox.delivered = delivered;
            self.sync_later();
        }
    }

    /// Takes the messages that the post has stored out of the outbox.
    fn remove_acknowledged(&mut self) {
        let Some(new) = self.outbox.acknowledged.take() else { return };
        match self.change_index(|index| index.acknowledged(&new)) {
            Ok(result) => self.outbox.note(&new.ack, result),
            Err(_) => {
                self.outbox.acknowledged = Some(new);
                self.sync_later();
            }
        }
    }

    fn must_shed(&self) -> bool {
        self.index.must_shed(self.settings.outbox_bytes_max)
    }

    /// Takes pictures out of an outbox that is too large; a few at a time.
    fn shed(&mut self) {
        if self.must_shed() {
            let bytes_max = self.settings.outbox_bytes_max;
            // A fault is noted, and it is tried again after the next job.
            let _ = self.change_index(|index| index.shed(bytes_max, SHED_MAX));
        }
    }

    /// Corrects the times that were recorded in this boot before the clock was synced, once it is.
    fn correct_times(&mut self, now: Stamp) {
        if !self.index.may_correct(now) {
            return;
        }
        // Fragments that wait have to be in the index to be found there.
        self.sync();
        if !self.batch.is_empty() {
            return;
        }
        let since_boot = i64::try_from(now.monotonic.as_nanos() / 1000).unwrap_or(i64::MAX);
        let offset = now.wall.as_micros() - since_boot;
        let boot_id = self.index.boot_id().to_owned();
        let corrected =
            self.change_index(|index| Ok((index.correct_times(&boot_id, offset)?, index.pins()?)));
        if let Ok((segments, pins)) = corrected {
            self.index.corrected(&segments);
            self.space.retime(&segments, pins);
        }
    }

    /// Changes the index. On a full disk, footage is deleted for it; a damaged index is built again, and changed then.
    fn change_index<T>(
        &mut self,
        mut change: impl FnMut(&mut Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut changed = self.try_index(&mut change);
        if changed.as_ref().is_err_and(is_corrupt) {
            changed = self.rebuild_index().and_then(|()| self.try_index(change));
        }
        self.index.fault.note(changed.as_ref().err());
        changed
    }

    /// Changes the index as it is.
    fn try_index<T>(
        &mut self,
        mut change: impl FnMut(&mut Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with_space(0, |writer| writer.index.change(&mut change))
    }

    /// Builds the index again from the clip files. Fragments that wait for their rows are found in the files.
    fn rebuild_index(&mut self) -> Result<(), StoreError> {
        self.sync_files(false);
        self.end_all();
        let rebuilt = self.index.rebuild()?;
        self.segments.reindexed(rebuilt.next_id);
        self.space.refill(rebuilt.known, rebuilt.pins);
        self.batch = Batch::default();
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner).reconciled = rebuilt.reconciled;
        self.index.reopen_readers()
    }

    fn append(&mut self, fragment: &Fragment) {
        if self.batch.fragments.len() >= UNINDEXED_MAX {
            // The index is at fault, which was logged.
            self.faults.lost_fragments += 1;
            return;
        }
        if fragment.starts_at.clock == ClockState::Synced {
            self.correct_times(fragment.starts_at);
        }
        let needed = (fragment.bytes.len() + fragment.init.len()) as u64;
        let written = self.with_space(needed, |writer| writer.write(fragment));
        if written.is_err() {
            self.faults.lost_fragments += 1;
        }
        // Evidence that fills the store is no fault of the disk, and is reported apart.
        let fault =
            written.as_ref().err().filter(|error| !matches!(error, StoreError::FullOfEvidence { .. }));
        self.faults.write.note(fault);
    }

    /// Writes to the camera's segment, or to a new one.
    fn write(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        if !self.segments.continues(fragment) {
            self.end_segment(&fragment.camera);
        }
        let starts = self.segments.of(&fragment.camera).is_none();
        let media = fragment.bytes.len() + if starts { fragment.init.len() } else { 0 };
        let needed = media as u64 + BOXES_BYTES_MAX;
        let made = self.space.make(&fragment.camera, needed, starts);
        self.note_deleted();
        made?;
        if starts {
            self.start_segment(fragment)?;
        } else {
            self.continue_segment(fragment)?;
        }
        self.sync_later();
        Ok(())
    }

    fn start_segment(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        let (start, row, bytes) = self.segments.start(fragment)?;
        self.index.recorded_at(fragment.starts_at);
        self.space.started(start.id, &fragment.camera, &start.path, fragment.starts_at);
        self.space.grown(start.id, bytes, fragment.starts_at.wall + fragment.duration);
        self.batch.started.push(start);
        self.batch.fragments.push(row);
        Ok(())
    }

    fn continue_segment(&mut self, fragment: &Fragment) -> Result<(), StoreError> {
        let Some(segment) = self.segments.of(&fragment.camera) else { return Ok(()) };
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
        let Some(id) = self.segments.end(camera) else { return };
        self.space.ended(id);
        self.batch.ended.push(id);
        self.sync_later();
    }

    fn end_all(&mut self) {
        for camera in self.segments.cameras() {
            self.end_segment(&camera);
        }
    }

    /// Ends the segments of silent cameras, so that they grow old and may be deleted like others.
    fn end_silent(&mut self) {
        for camera in self.segments.silent() {
            self.end_segment(&camera);
        }
    }

    fn sync_later(&mut self) {
        self.sync_at.get_or_insert_with(|| Instant::now() + self.settings.sync_interval);
    }

    /// Syncs the appended fragments, then indexes them. A failure is tried again an interval later.
    fn sync(&mut self) {
        self.sync_at = None;
        self.sync_files(true);
        if self.index.is_lost() {
            let rebuilt = self.rebuild_index();
            self.index.fault.note(rebuilt.as_ref().err());
        }
        if !self.batch.is_empty() {
            self.commit();
        }
        if !self.outbox.delivered.is_empty() {
            self.remove_delivered();
        }
        self.remove_acknowledged();
        if !self.batch.is_empty() || !self.outbox.delivered.is_empty() {
            self.sync_later();
        }
    }

    fn commit(&mut self) {
        // Taken out: the segments that are deleted to make space for it go with the next batch.
        let batch = std::mem::take(&mut self.batch);
        let mut committed = self.try_index(|index| index.commit(&batch));
        if committed.as_ref().is_err_and(is_corrupt) {
            // The clip files have all that the batch has.
            committed = self.rebuild_index();
        }
        if committed.as_ref().is_err_and(StoreError::is_refusal) {
            return self.commit_apart(batch);
        }
        self.index.fault.note(committed.as_ref().err());
        if committed.is_err() {
            self.batch = batch.followed_by(std::mem::take(&mut self.batch));
            return;
        }
        self.segments.indexed();
    }

    /// Commits the rows of one segment after the other. One with rows that the index refuses is given up, so that it does not
    /// keep the rows of other cameras out.
    fn commit_apart(&mut self, batch: Batch) {
        let mut failed = None;
        for (id, rows) in batch.by_segment() {
            let committed = self.try_index(|index| index.commit(&rows));
            let Err(error) = committed else { continue };
            let is_refused = error.is_refusal();
            self.batch = rows.followed_by(std::mem::take(&mut self.batch));
            if is_refused {
                tracing::error!("footage is given up, since the index refuses its rows: {}", chain(&error));
                self.give_up(id);
            }
            failed = failed.or((!is_refused).then_some(error));
        }
        self.index.fault.note(failed.as_ref());
        if failed.is_none() {
            self.segments.indexed();
        }
    }

    /// Syncs one file after the other, and stores alerts in between if `let_in`: on a slow disk each file may take seconds.
    fn sync_files(&mut self, let_in: bool) {
        let (mut failed, mut first_error) = (Vec::new(), None);
        // An alert may have the index built again, which syncs and ends everything: ids that no longer exist are passed over.
        for id in self.segments.unsynced() {
            if let Err(error) = self.segments.sync(id) {
                failed.push(id);
                first_error.get_or_insert(error);
            }
            if let_in {
                self.put_waiting_alerts();
            }
        }
        self.faults.sync.note(first_error.as_ref());
        for id in failed {
            self.give_up(id);
        }
    }

    fn put_waiting_alerts(&mut self) {
        for (draft, reply) in self.queue.take_alerts() {
            // The caller may have given up.
            let _ = reply.send(self.put_alert(*draft));
        }
    }

    /// After a failed fdatasync the kernel may have dropped any of the bytes since the last one, and will not say so
    /// again: they count as lost, and the segment ends at its last synced byte.
    fn give_up(&mut self, id: i64) {
        if let Some(camera) = self.segments.camera_of(id) {
            self.end_segment(&camera);
        }
        let Some(bytes) = self.segments.cut_to_index(id) else { return };
        self.faults.lost_fragments += self.batch.forget(id) as u64;
        self.space.cut(id, bytes);
        if bytes > 0 {
            self.batch.ended.push(id);
        }
    }

    /// Notes deleted files, so that their rows go with the next batch.
    fn note_deleted(&mut self) {
        for id in self.space.take_deleted() {
            self.segments.forget(id);
            self.batch.forget(id);
            self.batch.removed.push(id);
            self.sync_later();
        }
    }

    fn report(&self) {
        let mut vitals = self.vitals.lock().unwrap_or_else(PoisonError::into_inner);
        vitals.lost_fragments = self.faults.lost_fragments;
        let clip_faults = [&self.faults.write, &self.faults.sync];
        vitals.clips_unwritable = clip_faults.iter().find_map(|fault| fault.reason.clone());
        self.space.report(&mut vitals);
        vitals.index_unwritable.clone_from(&self.index.fault.reason);
    }
}

fn is_corrupt(error: &StoreError) -> bool {
    error.kind() == ErrorKind::Corrupt
}

#[cfg(test)]
mod tests;
