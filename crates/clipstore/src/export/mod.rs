//! Clips out of the store: footage of a camera between two instants as MP4 files that play everywhere.
//!
//! Owns reading of segment files down to their samples and writing of exported files; never decodes, never changes the
//! store but for its access log, and never writes over a file. `cli` asks for it through
//! [`export`](fn@export), while the daemon may run; the daemon reads the key frames around an alert ([`AlertLook`]).
//!
//! The output has the camera's samples, bit by bit. A file starts with the fragment in which the span begins, at most
//! one GOP early, and its timeline follows the wall clock: where footage is missing, the last picture stands still for
//! as long, and the gap is listed. A user box inside the file, and no file beside it, describes the file and the reason
//! of its export: a file that is renamed or copied alone takes that along, and its sha256 in the access log covers it.

mod assembly;
mod boxes;
mod error;
mod header;
mod job;
mod key_frame;
mod movie;
mod parse;
mod survey;
mod target;
#[cfg(test)]
mod testing;
mod timeline;
mod wrong_header;

use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde::Serialize;

pub use error::ExportError;
pub use job::export;
pub use key_frame::{
    AlertLook, KeyFrame, PictureOrder, RecordedPicture, key_frames, log_look, log_outcome, newest_key_frame,
};
pub use movie::CLIP_UUID;
pub(super) use wrong_header::wrong_header;

use base::fragment::TimeSource;
use base::ids::{AlertId, BoxId, CameraId};
use base::time::{ClockState, WallTime};

/// The value of `schema` in the box that describes an exported file.
pub const SCHEMA: &str = "wardwatch.clip/1";
/// The longest file that the FAT32 of a USB stick can hold.
pub const FAT32_FILE_BYTES_MAX: u64 = (1 << 32) - 1;

/// Order of an export: footage, destination and person.
#[derive(Debug, Clone)]
pub struct ExportOrder {
    /// Clips, in this order.
    pub clips: Vec<ClipOrder>,
    /// Destination: an existing folder.
    pub folder: PathBuf,
    /// Person that wants it, for the access log.
    pub who: String,
    /// Reason, for the access log.
    pub why: String,
    /// Box that recorded the footage, where that is known.
    pub box_id: Option<BoxId>,
    /// Time zone of the file names.
    pub timezone: TimeZone,
    /// Maximum length of a file; a second one continues. At most [`FAT32_FILE_BYTES_MAX`].
    pub file_bytes_max: u64,
}

/// Footage of one camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipOrder {
    /// Its camera.
    pub camera: CameraId,
    /// Its start.
    pub from: WallTime,
    /// Its end; `None` for the newest footage.
    pub to: Option<WallTime>,
    /// The alert that asks for it.
    pub alert: Option<AlertId>,
}

/// Outcome of an order.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// One for each clip that was ordered, as far as it came.
    pub clips: Vec<ExportedClip>,
    /// Reason why it was given up: the folder does not take any more. Complete files stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Outcome of one clip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportedClip {
    /// Its camera.
    pub camera: CameraId,
    /// The alert that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
    /// Requested start.
    pub from: WallTime,
    /// Requested end.
    pub to: WallTime,
    /// Empty where there is no footage.
    pub files: Vec<ExportedFile>,
    /// Footage that the index has and that is not in the files, or not as it was recorded.
    pub flaws: Vec<Flaw>,
}

/// A file that is complete.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportedFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Length of the file.
    pub bytes: u64,
    /// sha256 of the whole file, in hexadecimal.
    pub sha256: String,
    /// Content of the file.
    #[serde(flatten)]
    pub content: Content,
}

/// Content of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Content {
    /// Arrival of its first sample.
    pub starts_at: WallTime,
    /// End of its last fragment.
    pub ends_at: WallTime,
    /// The least trusted clock state of its segments.
    pub clock: ClockState,
    /// Clock that its times follow: the box's if the camera's could not be followed in at least one of its segments.
    pub time: TimeSource,
    /// Playing time in seconds.
    pub seconds: f64,
    /// Number of encoded pictures.
    pub samples: usize,
    /// Gaps, in the order of the file.
    pub gaps: Vec<Gap>,
    /// Reason why another file goes on where this one ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<&'static str>,
}

/// Gap in the footage, or a jump of its times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// Start of the gap in the file, in seconds. Before the first picture and after the last one it takes no time in the file.
    pub position_seconds: f64,
    /// End of the footage before it.
    pub from: WallTime,
    /// Start of the footage after it.
    pub to: WallTime,
    /// Length of the gap; not the span from `from` to `to` where the clock was set.
    pub seconds: f64,
    /// Its cause.
    pub cause: GapCause,
}

/// Cause of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapCause {
    /// There is nothing in the index.
    NotRecorded,
    /// The stream was connected again, with less than half a second between.
    Reconnected,
    /// The clock was set.
    ClockSet,
    /// The file has been removed since the export began.
    Removed,
    /// The file cannot be read there.
    Damaged,
}

impl GapCause {
    /// Its word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotRecorded => "not-recorded",
            Self::Reconnected => "reconnected",
            Self::ClockSet => "clock-set",
            Self::Removed => "removed",
            Self::Damaged => "damaged",
        }
    }
}

/// Footage that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// Time of the footage.
    pub at: WallTime,
    /// File of the store.
    pub path: PathBuf,
    /// Description of the flaw.
    pub what: String,
}

impl Exported {
    /// Returns true if all footage in the index was exported, as it was recorded.
    pub fn is_whole(&self) -> bool {
        self.clips.iter().all(|clip| clip.flaws.is_empty())
    }
}
