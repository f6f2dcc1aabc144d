//! Space for footage: deletes segments before a limit is passed, and remembers which are pinned or held.
//!
//! [`retention`] chooses the segments and their order, also on a full disk. As much as a fragment takes is deleted before it
//! is written, the rest in small steps while nothing waits for the writer. The folder of holds is checked again before each
//! file. It knows nothing of the index: the writer removes the rows of deleted segments. Only the writer calls it.

use std::path::Path;
use std::time::Duration;

use super::age::Trust;
use super::deleter::Deleter;
use super::disk_probe::DiskProbe;
use super::evidence_alarm::EvidenceAlarm;
use super::held::HeldFootage;
use super::pins::Pins;
use super::retention::{self, Ceiling, Limits, Plan, Reason, Unmet};
use super::segment_list::{CameraNumber, SegmentList};
use crate::StoreVitals;
use crate::error::StoreError;
use crate::index::{CorrectedTimes, KnownSegment, PinRow};
use crate::settings::Settings;
use base::alert::AlertDraft;
use base::ids::{AlertId, CameraId};
use base::time::{Monotonic, Stamp, WallTime};

/// Margin that is freed beyond a limit before the planner is called again, as a part of the limit: a plan reads every
/// segment, and with this each segment is read about so many times in its life, however many there are.
const SLACK: u64 = 512;
/// Interval at which ages are checked.
const SWEEP: Duration = Duration::from_secs(60);
/// Number of sweeps after which files that could not be removed are tried again.
const STUCK_SWEEPS: u64 = 10;
/// Time without deletions while another process is making a hold.
const LOCKED_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the clip files below their limits.
pub(crate) struct SpaceManager {
    settings: Settings,
    /// Segments on the disk, as the writer reports them.
    list: SegmentList,
    pins: Pins,
    holds: HeldFootage,
    disk: DiskProbe,
    deleter: Deleter,
    evidence: EvidenceAlarm,
    /// The last plan: the segments that are still to be deleted, and the limits that it could not reach.
    plan: Plan,
    trust: Trust,
    /// Time from which ages count, as of the last sweep.
    believed: Option<WallTime>,
    swept_at: Option<Monotonic>,
    sweeps: u64,
}

impl SpaceManager {
    /// Starts with the segments and the pins that the index knows.
    pub fn new(settings: Settings, known: Vec<KnownSegment>, pins: Vec<PinRow>) -> Self {
        let clips = crate::clips_path(&settings.directory);
        let mut list = SegmentList::new(clips.clone(), known);
        Self {
            pins: Pins::new(pins, &mut list),
            holds: HeldFootage::new(&settings.directory),
            disk: DiskProbe::new(&settings),
            deleter: Deleter::new(clips),
            evidence: EvidenceAlarm::new(),
            plan: Plan::default(),
            trust: Trust::from_footage(list.segments()),
            believed: None,
            swept_at: None,
            sweeps: 0,
            list,
            settings,
        }
    }

    /// Makes space for `incoming` bytes of `camera`, which may start a segment.
    ///
    /// # Errors
    /// Nothing is left that may be deleted, and so the fragment must not be written. One that continues a segment is
    /// refused for the headroom's sake only.
    pub fn make(&mut self, camera: &CameraId, incoming: u64, starts: bool) -> Result<(), StoreError> {
        let camera = self.list.camera(camera);
        self.read_disk();
        let (mut freed, mut plans) = (0, 0);
        // A limit that was lowered is reached in small steps: each fragment deletes more than it brings.
        while freed <= incoming && self.passed_by(camera, incoming).any() {
            match self.delete_next() {
                Some(bytes) => freed += bytes,
                None if plans == 2 || !self.may_reach_more(camera, incoming) => break,
                None => {
                    plans += 1;
                    self.make_plan(Some((camera, incoming)), 0);
                }
            }
        }
        if freed > incoming { Ok(()) } else { self.refuse(camera, incoming, starts) }
    }

    /// Frees `bytes` on a disk that is full, if it can. Returns true if anything was deleted.
    pub fn reclaim(&mut self, bytes: u64) -> bool {
        let (mut freed, mut plans) = (0, 0);
        while freed < bytes {
            match self.delete_next() {
                Some(deleted) => freed += deleted,
                None if plans == 2 || self.deleter.is_paused() => break,
                None => {
                    plans += 1;
                    self.make_plan(None, bytes - freed);
                }
            }
        }
        freed > 0
    }

    /// Checks once a minute for footage that is too old and limits that are passed. Returns true if it did.
    pub fn sweep(&mut self, now: Stamp) -> bool {
        if self.swept_at.is_some_and(|at| now.monotonic.since(at) < SWEEP) {
            return false;
        }
        self.swept_at = Some(now.monotonic);
        self.believed = self.trust.believed(now);
        self.sweeps += 1;
        if self.sweeps.is_multiple_of(STUCK_SWEEPS) {
            self.list.unstick();
        }
        self.refresh_holds();
        self.disk.read_now();
        self.forget_reached_headroom();
        self.make_plan(None, 0);
        self.evidence.swept(now.monotonic);
        true
    }

    /// Returns true if [`SpaceManager::step`] has something to do.
    pub fn has_work(&self) -> bool {
        !self.plan.deletions.is_empty() && !self.deleter.is_paused()
    }

    /// Deletes at most `count` of the segments that the plan names.
    pub fn step(&mut self, count: usize) {
        for _ in 0..count {
            if self.plan.deletions.is_empty() || self.delete_next().is_none() {
                break;
            }
        }
    }

    /// Notes a segment that starts, empty as yet. Ids grow.
    pub fn started(&mut self, id: i64, camera: &CameraId, path: &Path, starts_at: Stamp) {
        self.list.start(id, camera, path, starts_at);
    }

    /// Notes the new length and end of a segment that is being written.
    pub fn grown(&mut self, id: i64, bytes: u64, ends_at: WallTime) {
        self.list.grow(id, bytes, ends_at);
    }

    /// Notes that a segment was cut back to `bytes`, or removed if that is 0.
    pub fn cut(&mut self, id: i64, bytes: u64) {
        self.list.resize(id, bytes);
        if bytes == 0 {
            self.list.remove(id);
        }
    }

    /// Notes that nothing more is added to a segment.
    pub fn ended(&mut self, id: i64) {
        self.list.end(id);
        self.plan.unmet = Unmet::default();
    }

    /// Pins the footage of an alert that is stored at `seq`.
    pub fn pin(&mut self, draft: &AlertDraft, seq: u64) {
        if let Some(pin) = self.pins.note(draft, seq, &mut self.list) {
            let list = &self.list;
            self.plan
                .deletions
                .retain(|(id, _)| list.get(*id).is_some_and(|(segment, _)| !pin.overlaps(&segment)));
            self.plan.unmet = Unmet::default();
        }
    }

    /// Up to `count` alerts above `after_seq` that are older than their lifetime, and the seq to go on with.
    pub fn outlived(&self, after_seq: u64, count: usize) -> (Vec<AlertId>, u64) {
        let (pins, alerts) = self.pins.in_order();
        let outlived = retention::outlived(&pins, self.believed, self.settings.alert_age_max);
        let all = pins.iter().zip(alerts).zip(outlived);
        let outlived: Vec<(u64, AlertId)> = all
            .filter(|((pin, _), outlived)| *outlived && pin.seq > after_seq)
            .map(|((pin, alert), _)| (pin.seq, alert))
            .take(count)
            .collect();
        let next = if outlived.len() < count { 0 } else { outlived.last().map_or(0, |(seq, _)| *seq) };
        (outlived.into_iter().map(|(_, alert)| alert).collect(), next)
    }

    /// Forgets an alert that is no longer in the index.
    pub fn forget(&mut self, alert: AlertId) {
        self.pins.forget(alert);
    }

    /// Takes the segments and the pins of an index that was built again.
    pub fn refill(&mut self, known: Vec<KnownSegment>, pins: Vec<PinRow>) {
        self.list = SegmentList::new(crate::clips_path(&self.settings.directory), known);
        self.pins = Pins::new(pins, &mut self.list);
        self.holds.reset(&self.settings.directory);
        self.drop_plan();
        self.plan.camera_held_bytes.clear();
        self.deleter.take_deleted();
        self.refresh_holds();
    }

    /// Takes the corrected times of these segments, and of pins.
    pub fn retime(&mut self, segments: &[CorrectedTimes], pins: Vec<PinRow>) {
        for segment in segments {
            self.list.retime(segment.id, segment.starts_at, segment.ends_at);
        }
        self.pins.retime(pins);
        self.drop_plan();
    }

    /// Ids of the segments deleted since the last call.
    pub fn take_deleted(&mut self) -> Vec<i64> {
        self.deleter.take_deleted()
    }

    /// Writes its part of the vitals.
    pub fn report(&self, vitals: &mut StoreVitals) {
        vitals.clip_bytes = self.list.bytes();
        vitals.segments = self.list.len() as u64;
        vitals.removed_segments = self.deleter.count();
        vitals.removed_until = self.deleter.removed_until();
        vitals.held_bytes = self.plan.held_bytes;
        vitals.pinned_bytes = self.plan.pinned_bytes;
        vitals.free_bytes = self.disk.free().map(|free| free.bytes);
        vitals.full_of_evidence = self.evidence.reason();
        vitals.holds_unreadable = self.holds.reason();
        if vitals.clips_unwritable.is_none() {
            vitals.clips_unwritable = self.deleter.reason();
        }
    }

    fn make_plan(&mut self, incoming: Option<(CameraNumber, u64)>, bytes_wanted: u64) {
        let limits = self.limits(incoming, bytes_wanted);
        let (pins, _) = self.pins.in_order();
        self.plan = retention::plan(self.list.segments(), &pins, self.holds.held(), &limits, self.believed);
        let for_headroom = self.plan.deletions.iter().any(|(_, reason)| *reason == Reason::Headroom);
        if for_headroom && !self.plan.unmet.headroom {
            self.disk.wait_for_deletions();
        }
        let full = self.full_of_evidence(&self.plan.unmet);
        let now = self.swept_at.unwrap_or_default();
        self.evidence.planned(full.as_ref(), self.plan.held_bytes, incoming.is_some(), now);
    }

    fn drop_plan(&mut self) {
        self.plan.deletions.clear();
        self.plan.unmet = Unmet::default();
    }

    fn limits(&self, incoming: Option<(CameraNumber, u64)>, bytes_wanted: u64) -> Limits {
        let (bytes_short, inodes_short) = self.disk.missing();
        let cameras = (0..).zip(self.list.cameras());
        Limits {
            total: ceiling(self.settings.clip_bytes_max, incoming.map_or(0, |(_, bytes)| bytes)),
            shares: cameras
                .map(|(number, camera)| self.share(CameraNumber(number), camera, incoming))
                .collect(),
            bytes_short: bytes_short.max(bytes_wanted),
            inodes_short,
            clip_age_max: self.settings.clip_age_max,
            alert_age_max: self.settings.alert_age_max,
        }
    }

    /// Ceiling of one camera's footage.
    fn share(
        &self,
        number: CameraNumber,
        camera: &CameraId,
        incoming: Option<(CameraNumber, u64)>,
    ) -> Ceiling {
        let incoming = incoming.filter(|(of, _)| *of == number).map_or(0, |(_, bytes)| bytes);
        match self.settings.camera_bytes_max.get(camera) {
            Some(share) => ceiling(*share, incoming),
            None => Ceiling { bytes_max: u64::MAX, bytes_goal: u64::MAX },
        }
    }

    /// Limits that `incoming` bytes of `camera` would pass.
    fn passed_by(&self, camera: CameraNumber, incoming: u64) -> Unmet {
        let share = self.settings.camera_bytes_max.get(&self.list.cameras()[usize::from(camera.0)]);
        let passes_share = share.is_some_and(|share| self.list.camera_bytes(camera) + incoming > *share);
        Unmet {
            total: self.list.bytes() + incoming > self.settings.clip_bytes_max,
            cameras: if passes_share { vec![camera] } else { Vec::new() },
            headroom: self.disk.missing() != (0, 0),
        }
    }

    /// Returns true if the last plan leaves hope for one of the limits that are passed.
    fn may_reach_more(&self, camera: CameraNumber, incoming: u64) -> bool {
        let (passed, unmet) = (self.passed_by(camera, incoming), &self.plan.unmet);
        !self.deleter.is_paused()
            && (passed.total && !unmet.total
                || passed.cameras.iter().any(|camera| !unmet.cameras.contains(camera))
                || passed.headroom && !unmet.headroom)
    }

    fn refuse(&self, camera: CameraNumber, incoming: u64, starts: bool) -> Result<(), StoreError> {
        let Unmet { total, mut cameras, headroom } = self.passed_by(camera, incoming);
        cameras.retain(|camera| starts && self.plan.unmet.cameras.contains(camera));
        let beyond = Unmet {
            total: starts && total && self.plan.unmet.total,
            cameras,
            headroom: headroom && self.plan.unmet.headroom,
        };
        match (self.full_of_evidence(&beyond), self.disk.free()) {
            (Some(error), _) => Err(error),
            (None, Some(free)) if beyond.headroom => Err(StoreError::NoHeadroom {
                path: self.settings.directory.clone(),
                free_bytes: free.bytes,
                free_inodes: free.inodes,
            }),
            _ => Ok(()),
        }
    }

    /// Returns an error if holds keep a limit in `unmet` from being reached.
    fn full_of_evidence(&self, unmet: &Unmet) -> Option<StoreError> {
        let mut held_bytes = self.plan.held_bytes;
        let scope = if held_bytes == 0 {
            return None;
        } else if unmet.headroom {
            "the disk".to_owned()
        } else if unmet.total {
            "store.clip_bytes_max".to_owned()
        } else {
            let camera = unmet.cameras.iter().copied().find(|camera| self.held_of(*camera) > 0)?;
            held_bytes = self.held_of(camera);
            format!("the share of camera {}", self.list.cameras()[usize::from(camera.0)])
        };
        Some(StoreError::FullOfEvidence { scope, held_bytes })
    }

    /// Held bytes of one camera, as of the last plan.
    fn held_of(&self, camera: CameraNumber) -> u64 {
        self.plan.camera_held_bytes.get(usize::from(camera.0)).copied().unwrap_or_default()
    }

    /// Deletes the next segment of the plan. Returns its bytes; `None` if none is deleted now: there is none, holds have
    /// changed, or the disk refuses.
    fn delete_next(&mut self) -> Option<u64> {
        while !self.deleter.is_paused() {
            let Some(_lock) = self.holds.lock() else {
                self.plan.deletions.clear();
                self.deleter.pause(LOCKED_PAUSE);
                return None;
            };
            if self.refresh_holds() {
                return None;
            }
            let (id, reason) = self.plan.deletions.pop_front()?;
            if let Some(bytes) = self.deleter.delete(&mut self.list, id, reason) {
                return Some(bytes);
            }
            if self.deleter.is_paused() {
                self.plan.deletions.clear();
            }
        }
        None
    }

    /// Checks for holds that are new or released. Returns true if there are; planned deletions are dropped then.
    fn refresh_holds(&mut self) -> bool {
        let has_changed = self.holds.refresh(&mut self.list);
        if has_changed {
            self.evidence.holds_changed();
            self.drop_plan();
        }
        has_changed
    }

    fn read_disk(&mut self) {
        if self.disk.refresh() {
            self.forget_reached_headroom();
        }
    }

    fn forget_reached_headroom(&mut self) {
        if self.disk.missing() == (0, 0) {
            self.plan.unmet.headroom = false;
        }
    }
}

/// Ceiling for what is there before `incoming` bytes come.
fn ceiling(limit: u64, incoming: u64) -> Ceiling {
    let bytes_max = limit.saturating_sub(incoming);
    Ceiling { bytes_max, bytes_goal: bytes_max.saturating_sub(limit / SLACK) }
}

impl Unmet {
    fn any(&self) -> bool {
        self.total || self.headroom || !self.cameras.is_empty()
    }
}
