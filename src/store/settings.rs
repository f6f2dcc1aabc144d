//! Where footage and alerts are kept, and how much of it for how long.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::ids::CameraId;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Settings of the store.
///
/// Footage goes when any of its limits is passed, the oldest first. Which of them is passed first decides how far back
/// a box can look: `clip_bytes_max` (or a camera's share) where the disk is small, `clip_age_max` where it is large.
/// What an alert pins goes only when nothing unpinned is left to make room; what is held as evidence (`wardwatch clips
/// hold`) never goes. A box whose limits are filled with evidence records nothing new, and says so; alerts go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Holds `index.sqlite`, `clips/`, `holds/` and `access.jsonl`. Created if missing.
    pub directory: PathBuf,
    /// The clip files together stay below this many bytes. The index is not counted; a limit that fits the disk leaves
    /// room for it and for `free_bytes_min`.
    pub clip_bytes_max: u64,
    /// The clip files of a camera named here stay below this many bytes, too: one that sends much leaves the others
    /// their past. Cameras that are not named share what is left of `clip_bytes_max`.
    pub camera_bytes_max: BTreeMap<CameraId, u64>,
    /// Footage that nothing pins goes when it ended so long ago, for privacy's sake, also where there is room. Ages
    /// count only while the clock can be trusted, and a clock that jumps ahead is believed a day per hour: after
    /// a month without power old footage goes within 30 hours.
    pub clip_age_max: Duration,
    /// An alert pins its footage until so long after it closed; then the footage is like any other. The alert itself
    /// goes from the index as well, if it has been delivered; one that has not never goes.
    pub alert_age_max: Duration,
    /// What waits for the post stays below this many bytes, as long as there are pictures to take out of it: those of the
    /// oldest notices first, then of warnings, then of critical alerts. Messages themselves never go.
    pub outbox_bytes_max: u64,
    /// So many bytes of the disk stay free for everything else on it, the index among it: where somebody else fills
    /// it, footage goes, and when none is left that may go, nothing new is recorded.
    pub free_bytes_min: u64,
    /// The same for inodes: each segment takes one. No matter on a file system that does not count them.
    pub free_inodes_min: u64,
    /// A segment is closed at the first keyframe after this long.
    pub segment: Duration,
    /// How long clip files may wait for their index row and fdatasync.
    pub sync_interval: Duration,
}

impl Settings {
    /// What the configuration says where nothing is written, in `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            clip_bytes_max: 100 << 30,
            camera_bytes_max: BTreeMap::new(),
            clip_age_max: 30 * DAY,
            alert_age_max: 90 * DAY,
            outbox_bytes_max: 256 << 20,
            free_bytes_min: 1 << 30,
            free_inodes_min: 10_000,
            segment: Duration::from_secs(60),
            sync_interval: Duration::from_secs(1),
        }
    }
}
