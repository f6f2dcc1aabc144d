//! Where footage and alerts are kept, and how much of it for how long.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::ids::CameraId;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Settings of the store.
///
/// Footage that an alert pins goes after footage that nothing pins, and footage that is held as evidence never goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Holds `index.sqlite`, `clips/`, `holds/` and `access.jsonl`. Created if missing.
    pub directory: PathBuf,
    /// The clip files together stay below this many bytes.
    pub clip_bytes_max: u64,
    /// The clip files of a camera named here stay below this many bytes, too.
    pub camera_bytes_max: BTreeMap<CameraId, u64>,
    /// Footage goes when it is this old and nothing pins it.
    pub clip_age_max: Duration,
    /// An alert pins its clip until it is this old; then the alert goes as well, if it has been delivered.
    pub alert_age_max: Duration,
    /// So much of the disk stays free: footage goes where somebody else fills it.
    pub free_bytes_min: u64,
    /// So many inodes of the disk stay free.
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
            free_bytes_min: 1 << 30,
            free_inodes_min: 10_000,
            segment: Duration::from_secs(60),
            sync_interval: Duration::from_secs(1),
        }
    }
}
