//! Place of footage and alerts, with their limits of size and age.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base::ids::CameraId;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Value of `clip_bytes_max` for footage that may have all of the disk but what stays free.
pub const NO_LIMIT: u64 = u64::MAX;

/// Settings of the store.
///
/// Footage is deleted when any of its limits is passed, the oldest first. The limit that is passed first decides how far
/// back a box can look: the disk, `clip_bytes_max` or a camera's share where there is little room, `clip_age_max` where there is much.
/// A camera with more than half of an equal part of all footage gives before those with less. Pinned footage is deleted only
/// when nothing unpinned of its camera is left to delete; held evidence (`wardwatch clips hold`) is never deleted. A box with limits full of evidence records nothing new, and says so; alerts go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Holds `index.sqlite`, `clips/`, `holds/` and `access.jsonl`. Created if missing.
    pub directory: PathBuf,
    /// The clip files together stay below this many bytes; [`NO_LIMIT`] leaves it to `free_bytes_min`, the default. The index
    /// is not counted; a limit that fits the disk leaves room for it and for `free_bytes_min`.
    pub clip_bytes_max: u64,
    /// The clip files of a camera named here stay below this many bytes, too: one that sends much leaves the others
    /// their past. Cameras that are not named share what is left of `clip_bytes_max`.
    pub camera_bytes_max: BTreeMap<CameraId, u64>,
    /// Footage that nothing pins is deleted when it ended so long ago, for privacy's sake, also where there is space. Ages
    /// count only while the clock can be trusted, and a clock that jumps ahead is believed a day per hour: after
    /// a month without power old footage is deleted within 30 hours.
    pub clip_age_max: Duration,
    /// Footage that goes back less than this is reported as trouble; nothing is deleted or kept for it.
    pub clip_age_min: Duration,
    /// An alert pins its footage until so long after it closed; then the footage is like any other. The alert itself
    /// is deleted from the index as well, if it has been delivered; one that has not is never deleted.
    pub alert_age_max: Duration,
    /// Messages that wait for the post stay below this many bytes, as long as there are pictures to take out of them: those
    /// of the oldest notices first, then of warnings, then of critical alerts. Messages themselves are never deleted.
    pub outbox_bytes_max: u64,
    /// Stills that wait for the post stay below this many bytes: the oldest are deleted.
    pub stills_bytes_max: u64,
    /// So many bytes of the disk stay free for everything else on it, the index among it: if other files fill it, footage is
    /// deleted, and when none is left that may be, nothing new is recorded.
    pub free_bytes_min: u64,
    /// The same for inodes: each segment takes one. No matter on a file system that does not count them.
    pub free_inodes_min: u64,
    /// A segment is closed at the first key frame after this long.
    pub segment: Duration,
    /// Maximum time that clip files wait for their index row and fdatasync.
    pub sync_interval: Duration,
}

impl Settings {
    /// Defaults of the configuration, in `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            clip_bytes_max: NO_LIMIT,
            camera_bytes_max: BTreeMap::new(),
            clip_age_max: 30 * DAY,
            clip_age_min: 7 * DAY,
            alert_age_max: 90 * DAY,
            outbox_bytes_max: 256 << 20,
            stills_bytes_max: 32 << 20,
            free_bytes_min: 1 << 30,
            free_inodes_min: 10_000,
            segment: Duration::from_secs(60),
            sync_interval: Duration::from_secs(1),
        }
    }
}
