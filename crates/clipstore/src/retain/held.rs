//! Held footage, as the segments and spans that retention must leave: follows the folder of holds.

use std::path::{Path, PathBuf};

use super::holds::{DamagedHold, Holds, HoldsFolder, HoldsLock};
use super::retention::{FOREVER, Held};
use super::segment_list::SegmentList;
use crate::error::StoreError;
use crate::logged_once::Fault;
use base::ids::CameraId;
use base::time::WallTime;

/// Holds, translated into segments and spans.
pub(super) struct HeldFootage {
    folder: HoldsFolder,
    held: Held,
    fault: Fault,
}

impl HeldFootage {
    /// Nothing is held before the first [`HeldFootage::refresh`].
    pub fn new(directory: &Path) -> Self {
        Self {
            folder: HoldsFolder::new(directory),
            held: Held::default(),
            fault: Fault::new("holds cannot be read, and all footage that they may hold is kept"),
        }
    }

    /// Forgets the segments, which have other ids now. All are held until [`HeldFootage::refresh`].
    pub fn reset(&mut self, directory: &Path) {
        self.folder = HoldsFolder::new(directory);
        self.held = everything();
    }

    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Reason why holds cannot be read, for a person.
    pub fn reason(&self) -> Option<String> {
        self.fault.reason.clone()
    }

    /// Keeps new holds from getting their names. `None` while a hold is being made, or the folder cannot be locked.
    pub fn lock(&mut self) -> Option<HoldsLock> {
        match self.folder.lock() {
            Ok(lock) => lock,
            Err(error) => {
                self.fault.note(Some(&error));
                None
            }
        }
    }

    /// Checks for holds that are new or released. Returns true if there are.
    pub fn refresh(&mut self, list: &mut SegmentList) -> bool {
        let held = match self.folder.changes() {
            Ok(None) => return false,
            Ok(Some(holds)) => self.held_by(&holds, list),
            Err(error) => {
                self.fault.note(Some(&error));
                everything()
            }
        };
        let has_changed = held != self.held;
        self.held = held;
        has_changed
    }

    fn held_by(&mut self, holds: &Holds, list: &mut SegmentList) -> Held {
        let first_damaged = holds.damaged.first();
        let error = first_damaged
            .map(|damaged| StoreError::DamagedHold { path: damaged.path.clone(), why: damaged.why.clone() });
        self.fault.note(error.as_ref());
        let cameras: Vec<Option<CameraId>> =
            holds.damaged.iter().map(|damaged| known_camera(damaged, list)).collect();
        let ids = list.at_paths(holds.holds.iter().flat_map(|hold| &hold.paths).map(PathBuf::as_path));
        let start = WallTime::from_micros(i64::MIN);
        let spans = holds.holds.iter().map(|hold| (&hold.camera, hold.from, hold.to));
        let spans = spans.chain(cameras.iter().flatten().map(|camera| (camera, start, FOREVER)));
        let spans = spans.map(|(camera, from, to)| (list.camera(camera), from, to)).collect();
        Held { everything: cameras.contains(&None), spans, ids }
    }
}

/// Camera of a damaged hold; `None` if it has no footage here: its name may be damaged too.
fn known_camera(damaged: &DamagedHold, list: &SegmentList) -> Option<CameraId> {
    damaged.camera.clone().filter(|camera| list.cameras().contains(camera))
}

fn everything() -> Held {
    Held { everything: true, ..Held::default() }
}
