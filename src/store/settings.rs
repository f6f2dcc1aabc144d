//! Where footage and alerts are kept, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Holds `index.sqlite` and `clips/`. Created if missing.
    pub directory: PathBuf,
    /// The clip files together stay below this many bytes.
    pub clip_bytes_max: u64,
    /// A segment is closed at the first keyframe after this long.
    pub segment: Duration,
    /// How long clip files may wait for their index row and fdatasync.
    pub sync_interval: Duration,
}
