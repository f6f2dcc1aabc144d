//! Space for footage: the present segments, their pins and holds, and the removal of those that have to be deleted.
//!
//! [`retention`] decides, this removes: before a fragment is written as much as it takes, the rest in small steps
//! while nothing waits for the writer. Before each file the folder of holds is checked again. It knows nothing of the
//! index: the writer takes note of the removed segments. Only the writer calls it.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::StoreVitals;
use crate::error::StoreError;
use crate::fault::Fault;
use crate::index::{KnownSegment, PinRow, PutRight};
use crate::recover::directory_scan::prune_folders;
use crate::retain::age::Trust;
use crate::retain::holds::{DamagedHold, Holds, HoldsFolder, HoldsLock};
use crate::retain::pins::Pins;
use crate::retain::retention::{self, Ceiling, FOREVER, Held, Limits, Short, Why};
use crate::retain::segment_list::{CameraNumber, Ring};
use crate::settings::Settings;
use base::alert::AlertDraft;
use base::ids::{AlertId, CameraId};
use base::time::{Monotonic, Stamp, WallTime};

/// Margin that is freed beyond a limit before the planner is called again, as a part of the limit: a plan reads every
/// segment, and with this each segment is read about so many times in its life, however many there are.
const SLACK: u64 = 512;
/// The same for the headroom.
const HEADROOM_SLACK: u64 = 16;
/// Interval at which ages are checked.
const SWEEP: Duration = Duration::from_secs(60);
/// Number of sweeps after which files that could not be removed are tried again.
const STUCK_SWEEPS: u64 = 10;
/// Number of failed removals in a row that points to another cause than those files.
const FAILURES_MAX: u32 = 16;
/// Time without removals after that.
const PAUSE: Duration = Duration::from_secs(60);
/// Time without removals while a hold is being made that does not get done.
const LOCKED_PAUSE: Duration = Duration::from_secs(1);
/// Wait for the room of a removed file: some file systems report it only after a while.
const HEADROOM_WAIT: Duration = Duration::from_secs(5);
/// Time without a full limit after which the fault "full of evidence" ends; a changed hold ends it at once.
const FULL_QUIET: Duration = Duration::from_secs(120);

/// See the module.
pub(crate) struct Room {
    settings: Settings,
    clips: PathBuf,
    /// Segments on the disk, as the writer reports them.
    ring: Ring,
    pins: Pins,
    holds: HoldsFolder,
    held: Held,
    trust: Trust,
    believed: Option<WallTime>,
    swept_at: Option<Monotonic>,
    sweeps: u64,
    /// Segments to delete, next first.
    going: VecDeque<(i64, Why)>,
    /// Limits that the last plan could not reach; none, once something has changed since.
    short: Short,
    held_bytes: u64,
    camera_held_bytes: Vec<u64>,
    pinned_bytes: u64,
    free: Option<Free>,
    looked_at: Option<Instant>,
    headroom_wait: Option<Instant>,
    paused_until: Option<Instant>,
    failures: u32,
    /// Last time that evidence filled a limit, by the clock of the sweeps; and true if holds have changed since.
    full_at: Monotonic,
    holds_changed: bool,
    removal_fault: Fault,
    holds_fault: Fault,
    evidence_fault: Fault,
    removed: Vec<i64>,
    removed_segments: u64,
}

/// Space that a disk has left for ordinary users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Free {
    bytes: u64,
    /// [`u64::MAX`] where the file system does not count them.
    inodes: u64,
}

impl Free {
    fn of(folder: &Path) -> io::Result<Self> {
        let disk = rustix::fs::statvfs(folder)?;
        let inodes = if disk.f_files == 0 { u64::MAX } else { disk.f_favail };
        Ok(Self { bytes: disk.f_bavail.saturating_mul(disk.f_frsize), inodes })
    }
}

impl Room {
    /// Starts with the segments and the pins that the index knows.
    pub fn new(settings: Settings, known: Vec<KnownSegment>, pins: Vec<PinRow>) -> Self {
        let clips = crate::clips_path(&settings.directory);
        let mut ring = Ring::new(clips.clone(), known);
        Self {
            holds: HoldsFolder::new(&settings.directory),
            pins: Pins::new(pins, &mut ring),
            trust: Trust::from_footage(ring.segments()),
            settings,
            clips,
            ring,
            held: Held::default(),
            believed: None,
            swept_at: None,
            sweeps: 0,
            going: VecDeque::new(),
            short: Short::default(),
            held_bytes: 0,
            camera_held_bytes: Vec::new(),
            pinned_bytes: 0,
            free: None,
            looked_at: None,
            headroom_wait: None,
            paused_until: None,
            failures: 0,
            full_at: Monotonic::default(),
            holds_changed: false,
            removal_fault: Fault::new("clip files cannot be removed"),
            holds_fault: Fault::new("holds cannot be read, everything that they may hold stays"),
            evidence_fault: Fault::new("the store is full of evidence"),
            removed: Vec::new(),
            removed_segments: 0,
        }
    }

    /// Makes room for `incoming` bytes of `camera`, which may start a segment.
    ///
    /// # Errors
    /// Nothing is left that may be removed, and so the fragment must not be written. One that continues a segment is
    /// refused for the headroom's sake only.
    pub fn make(&mut self, camera: &CameraId, incoming: u64, starts: bool) -> Result<(), StoreError> {
        let camera = self.ring.camera(camera);
        self.look_at_disk();
        let (mut freed, mut plans) = (0, 0);
        // A limit that was lowered is reached in small steps: each fragment removes more than it brings.
        while freed <= incoming && self.is_over(camera, incoming).any() {
            match self.remove_next() {
                Some(bytes) => freed += bytes,
                None if plans == 2 || !self.may_reach_more(camera, incoming) => break,
                None => {
                    plans += 1;
                    self.plan(Some((camera, incoming)), 0);
                }
            }
        }
        if freed > incoming { Ok(()) } else { self.refuse(camera, incoming, starts) }
    }

    /// Frees `bytes` on a disk that is full, if it can. Returns whether anything was removed.
    pub fn reclaim(&mut self, bytes: u64) -> bool {
        let (mut freed, mut plans) = (0, 0);
        while freed < bytes {
            match self.remove_next() {
                Some(gone) => freed += gone,
                None if plans == 2 || self.is_paused() => break,
                None => {
                    plans += 1;
                    self.plan(None, bytes - freed);
                }
            }
        }
        freed > 0
    }

    /// Checks once a minute for footage that is too old and limits that are passed. Returns whether it did.
    pub fn sweep(&mut self, now: Stamp) -> bool {
        if self.swept_at.is_some_and(|at| now.monotonic.since(at) < SWEEP) {
            return false;
        }
        self.swept_at = Some(now.monotonic);
        self.believed = self.trust.believed(now);
        self.sweeps += 1;
        if self.sweeps.is_multiple_of(STUCK_SWEEPS) {
            self.ring.unstick();
        }
        self.refresh_holds();
        self.looked_at = None;
        self.look_at_disk();
        self.plan(None, 0);
        if now.monotonic.since(self.full_at) > FULL_QUIET {
            self.evidence_fault.note(None);
        }
        true
    }

    /// Returns true if [`Room::step`] has something to do.
    pub fn has_work(&self) -> bool {
        !self.going.is_empty() && !self.is_paused()
    }

    /// Removes at most `count` of the segments to delete.
    pub fn step(&mut self, count: usize) {
        for _ in 0..count {
            if self.going.is_empty() || self.remove_next().is_none() {
                break;
            }
        }
    }

    /// Notes a segment that starts, empty as yet. Ids grow.
    pub fn started(&mut self, id: i64, camera: &CameraId, path: &Path, starts_at: Stamp) {
        self.ring.start(id, camera, path, starts_at);
    }

    /// Notes the new length and end of a segment that is being written.
    pub fn grown(&mut self, id: i64, bytes: u64, ends_at: WallTime) {
        self.ring.grow(id, bytes, ends_at);
    }

    /// Notes that a segment was cut back to `bytes`, or removed if that is 0.
    pub fn cut(&mut self, id: i64, bytes: u64) {
        self.ring.resize(id, bytes);
        if bytes == 0 {
            self.ring.remove(id);
        }
    }

    /// Notes that nothing more is added to a segment.
    pub fn ended(&mut self, id: i64) {
        self.ring.end(id);
        self.short = Short::default();
    }

    /// Pins the footage of an alert that is stored at `seq`.
    pub fn pin(&mut self, draft: &AlertDraft, seq: u64) {
        if let Some(pin) = self.pins.note(draft, seq, &mut self.ring) {
            let ring = &self.ring;
            self.going.retain(|(id, _)| ring.get(*id).is_some_and(|(segment, _)| !pin.overlaps(&segment)));
            self.short = Short::default();
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

    /// Takes the segments and the pins of an index that was built anew.
    pub fn refill(&mut self, known: Vec<KnownSegment>, pins: Vec<PinRow>) {
        self.ring = Ring::new(self.clips.clone(), known);
        self.pins = Pins::new(pins, &mut self.ring);
        self.holds = HoldsFolder::new(&self.settings.directory);
        self.held = Held { everything: true, ..Held::default() };
        self.going.clear();
        self.short = Short::default();
        self.removed.clear();
        self.camera_held_bytes.clear();
        self.refresh_holds();
    }

    /// Takes the corrected times of these segments, and of pins.
    pub fn retime(&mut self, segments: &[PutRight], pins: Vec<PinRow>) {
        for segment in segments {
            self.ring.retime(segment.id, segment.starts_at, segment.ends_at);
        }
        self.pins.retime(pins);
        self.going.clear();
        self.short = Short::default();
    }

    /// Ids of the segments removed since the last call.
    pub fn take_removed(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.removed)
    }

    /// Writes its part of the vitals.
    pub fn report(&self, vitals: &mut StoreVitals) {
        vitals.clip_bytes = self.ring.bytes();
        vitals.segments = self.ring.len() as u64;
        vitals.removed_segments = self.removed_segments;
        vitals.held_bytes = self.held_bytes;
        vitals.pinned_bytes = self.pinned_bytes;
        vitals.free_bytes = self.free.map(|free| free.bytes);
        vitals.full_of_evidence.clone_from(&self.evidence_fault.said);
        vitals.holds_unreadable.clone_from(&self.holds_fault.said);
        if vitals.clips_unwritable.is_none() {
            vitals.clips_unwritable.clone_from(&self.removal_fault.said);
        }
    }

    fn plan(&mut self, incoming: Option<(CameraNumber, u64)>, bytes_wanted: u64) {
        let limits = self.limits(incoming, bytes_wanted);
        let (pins, _) = self.pins.in_order();
        let plan = retention::plan(self.ring.segments(), &pins, &self.held, &limits, self.believed);
        if !plan.short.headroom && plan.going.iter().any(|(_, why)| *why == Why::Headroom) {
            self.headroom_wait = Some(Instant::now() + HEADROOM_WAIT);
        }
        self.going = plan.going.into();
        self.short = plan.short;
        self.held_bytes = plan.held_bytes;
        self.camera_held_bytes = plan.camera_held_bytes;
        self.pinned_bytes = plan.pinned_bytes;
        match self.full_of_evidence(&self.short) {
            Some(error) => {
                self.full_at = self.swept_at.unwrap_or_default();
                self.holds_changed = false;
                self.evidence_fault.note(Some(&error));
            }
            None if self.held_bytes == 0 || self.holds_changed && incoming.is_some() => {
                self.evidence_fault.note(None);
            }
            None => {}
        }
    }

    fn limits(&self, incoming: Option<(CameraNumber, u64)>, bytes_wanted: u64) -> Limits {
        let ceiling = |limit: u64, incoming: u64| {
            let bytes_max = limit.saturating_sub(incoming);
            Ceiling { bytes_max, bytes_goal: bytes_max.saturating_sub(limit / SLACK) }
        };
        let share = |(number, camera): (u16, &CameraId)| {
            let incoming =
                incoming.filter(|(of, _)| *of == CameraNumber(number)).map_or(0, |(_, bytes)| bytes);
            match self.settings.camera_bytes_max.get(camera) {
                Some(share) => ceiling(*share, incoming),
                None => Ceiling { bytes_max: u64::MAX, bytes_goal: u64::MAX },
            }
        };
        let (bytes_short, inodes_short) = self.headroom_short();
        Limits {
            total: ceiling(self.settings.clip_bytes_max, incoming.map_or(0, |(_, bytes)| bytes)),
            shares: (0..).zip(self.ring.cameras()).map(share).collect(),
            bytes_short: bytes_short.max(bytes_wanted),
            inodes_short,
            clip_age_max: self.settings.clip_age_max,
            alert_age_max: self.settings.alert_age_max,
        }
    }

    /// Limits that `incoming` bytes of `camera` would pass.
    fn is_over(&self, camera: CameraNumber, incoming: u64) -> Short {
        let share = self.settings.camera_bytes_max.get(&self.ring.cameras()[usize::from(camera.0)]);
        let is_over = share.is_some_and(|share| self.ring.camera_bytes(camera) + incoming > *share);
        Short {
            total: self.ring.bytes() + incoming > self.settings.clip_bytes_max,
            cameras: if is_over { vec![camera] } else { Vec::new() },
            headroom: self.headroom_short() != (0, 0),
        }
    }

    /// Returns true if the last plan leaves hope for one of the limits that are passed.
    fn may_reach_more(&self, camera: CameraNumber, incoming: u64) -> bool {
        let over = self.is_over(camera, incoming);
        !self.is_paused()
            && (over.total && !self.short.total
                || over.cameras.iter().any(|camera| !self.short.cameras.contains(camera))
                || over.headroom && !self.short.headroom)
    }

    fn refuse(&self, camera: CameraNumber, incoming: u64, starts: bool) -> Result<(), StoreError> {
        let Short { total, cameras, headroom } = self.is_over(camera, incoming);
        let is_short = |camera: &CameraNumber| starts && self.short.cameras.contains(camera);
        let beyond = Short {
            total: starts && total && self.short.total,
            cameras: cameras.into_iter().filter(is_short).collect(),
            headroom: headroom && self.short.headroom,
        };
        match (self.full_of_evidence(&beyond), self.free) {
            (Some(error), _) => Err(error),
            (None, Some(free)) if beyond.headroom => Err(StoreError::NoHeadroom {
                path: self.settings.directory.clone(),
                free_bytes: free.bytes,
                free_inodes: free.inodes,
            }),
            _ => Ok(()),
        }
    }

    /// Returns an error if holds keep a limit in `short` from being reached.
    fn full_of_evidence(&self, short: &Short) -> Option<StoreError> {
        let of = |camera: CameraNumber| {
            self.camera_held_bytes.get(usize::from(camera.0)).copied().unwrap_or_default()
        };
        let full = |scope: String, held_bytes: u64| StoreError::FullOfEvidence { scope, held_bytes };
        if self.held_bytes == 0 {
            None
        } else if short.headroom {
            Some(full("the disk".to_owned(), self.held_bytes))
        } else if short.total {
            Some(full("store.clip_bytes_max".to_owned(), self.held_bytes))
        } else {
            let camera = short.cameras.iter().copied().find(|camera| of(*camera) > 0)?;
            let name = &self.ring.cameras()[usize::from(camera.0)];
            Some(full(format!("the share of camera {name}"), of(camera)))
        }
    }

    /// Removes the next segment to delete. Returns its bytes; `None` if none is removed now: there is none, holds have
    /// changed, or the disk refuses.
    fn remove_next(&mut self) -> Option<u64> {
        while !self.is_paused() {
            let _lock = self.lock_holds()?;
            if self.refresh_holds() {
                return None;
            }
            let (id, why) = self.going.pop_front()?;
            let Some((segment, path)) = self.ring.get(id) else { continue };
            let removed = match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            };
            match removed {
                Ok(()) => {
                    tracing::debug!("removed {}: {why:?}", path.display());
                    self.is_gone(id, &path);
                    return Some(segment.bytes);
                }
                Err(error) => self.failed_to_remove(id, &path, error),
            }
        }
        None
    }

    fn is_gone(&mut self, id: i64, path: &Path) {
        self.failures = 0;
        self.removal_fault.note(None);
        prune_folders(&self.clips, path);
        self.ring.remove(id);
        self.removed.push(id);
        self.removed_segments += 1;
    }

    fn failed_to_remove(&mut self, id: i64, path: &Path, error: io::Error) {
        let read_only = error.kind() == io::ErrorKind::ReadOnlyFilesystem;
        self.removal_fault.note(Some(&StoreError::clip("remove", path)(error)));
        self.failures += 1;
        if !read_only {
            self.ring.stick(id);
        }
        if read_only || self.failures >= FAILURES_MAX {
            self.failures = 0;
            self.pause(PAUSE);
        }
    }

    fn pause(&mut self, span: Duration) {
        self.going.clear();
        self.paused_until = Some(Instant::now() + span);
    }

    fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| Instant::now() < until)
    }

    fn lock_holds(&mut self) -> Option<HoldsLock> {
        match self.holds.lock() {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) => self.pause(LOCKED_PAUSE),
            Err(error) => {
                self.holds_fault.note(Some(&error));
                self.pause(LOCKED_PAUSE);
            }
        }
        None
    }

    /// Checks for holds that are new or released. Returns whether there are; planned deletions are dropped then.
    fn refresh_holds(&mut self) -> bool {
        let held = match self.holds.look() {
            Ok(None) => return false,
            Ok(Some(holds)) => self.held_by(&holds),
            Err(error) => {
                self.holds_fault.note(Some(&error));
                Held { everything: true, ..Held::default() }
            }
        };
        let changed = held != self.held;
        if changed {
            self.held = held;
            self.holds_changed = true;
            self.going.clear();
            self.short = Short::default();
        }
        changed
    }

    fn held_by(&mut self, holds: &Holds) -> Held {
        let damaged = holds.damaged.first();
        let error = damaged
            .map(|damaged| StoreError::DamagedHold { path: damaged.path.clone(), why: damaged.why.clone() });
        self.holds_fault.note(error.as_ref());
        // A camera that is not known may be a damaged name.
        let camera_of = |damaged: &DamagedHold| {
            damaged.camera.clone().filter(|camera| self.ring.cameras().contains(camera))
        };
        let whole: Vec<Option<CameraId>> = holds.damaged.iter().map(camera_of).collect();
        let everything = whole.contains(&None);
        let ids = self.ring.at_paths(holds.holds.iter().flat_map(|hold| &hold.paths).map(PathBuf::as_path));
        let start = WallTime::from_micros(i64::MIN);
        let spans = holds.holds.iter().map(|hold| (&hold.camera, hold.from, hold.to));
        let spans = spans.chain(whole.iter().flatten().map(|camera| (camera, start, FOREVER)));
        let spans = spans.map(|(camera, from, to)| (self.ring.camera(camera), from, to)).collect();
        Held { everything, spans, ids }
    }

    /// Reads the free space, at most once per sync interval.
    fn look_at_disk(&mut self) {
        if self.looked_at.is_some_and(|at| at.elapsed() < self.settings.sync_interval) {
            return;
        }
        self.looked_at = Some(Instant::now());
        // Where this fails, writing fails too, and reports the reason.
        self.free = Free::of(&self.settings.directory).ok();
        if self.headroom_short() == (0, 0) {
            self.short.headroom = false;
        }
    }

    /// Bytes and inodes to free for the headroom.
    fn headroom_short(&self) -> (u64, u64) {
        let Some(free) = self.free else { return (0, 0) };
        if self.headroom_wait.is_some_and(|until| Instant::now() < until) {
            return (0, 0);
        }
        let short = |free: u64, min: u64| if free < min { min + min / HEADROOM_SLACK - free } else { 0 };
        (short(free.bytes, self.settings.free_bytes_min), short(free.inodes, self.settings.free_inodes_min))
    }
}

impl Short {
    fn any(&self) -> bool {
        self.total || self.headroom || !self.cameras.is_empty()
    }
}
