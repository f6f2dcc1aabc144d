//! Clips out of the store: footage of a camera between two instants as MP4 files that play everywhere.
//!
//! Owns reading of segment files down to their samples and writing of exported files; never decodes, never changes the
//! store but for its access log, and never writes over a file. `cli` asks for it through
//! [`export`](fn@export); the daemon may run at the same time.
//!
//! What comes out are the camera's samples, bit by bit. A file starts with the fragment in which the span begins, at
//! most one GOP early, and its timeline follows the wall's clock: where footage is missing, the last picture stands
//! still for as long, and the gap is listed. What the file is, and why it was exported, stands in a user box inside it
//! and not beside it: a file that is renamed or copied alone takes that along, and its sha256 in the access log covers
//! it.

mod assembly;
mod boxes;
mod check;
mod error;
mod export;
mod header;
mod movie;
mod parse;
mod survey;
mod target;
#[cfg(test)]
mod testing;
mod timeline;

use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde::Serialize;

pub(super) use check::wrong_header;
pub use error::ExportError;
pub use export::export;
pub use movie::CLIP_UUID;

use crate::domain::fragment::TimeSource;
use crate::domain::ids::{AlertId, BoxId, CameraId};
use crate::domain::time::{ClockState, WallTime};

/// The value of `schema` in the box that says what an exported file is.
pub const SCHEMA: &str = "wardwatch.clip/1";
/// The longest file that the FAT32 of a USB stick can hold.
pub const FAT32_FILE_BYTES_MAX: u64 = (1 << 32) - 1;

/// What to export, whereto, and on whose behalf.
#[derive(Debug, Clone)]
pub struct ExportOrder {
    /// In this order.
    pub clips: Vec<ClipOrder>,
    /// An existing folder.
    pub folder: PathBuf,
    /// Who wants it, for the access log.
    pub who: String,
    /// Why, for the access log.
    pub why: String,
    /// Whose footage it is, where that is known.
    pub box_id: Option<BoxId>,
    /// In which the files are named.
    pub timezone: TimeZone,
    /// No file gets longer; a second one goes on. At most [`FAT32_FILE_BYTES_MAX`].
    pub file_bytes_max: u64,
}

/// Footage of one camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipOrder {
    /// Whose.
    pub camera: CameraId,
    /// From when.
    pub from: WallTime,
    /// Until when; `None` for the newest footage.
    pub to: Option<WallTime>,
    /// The alert that asks for it.
    pub alert: Option<AlertId>,
}

/// What became of an order.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// One for each that was ordered, as far as it came.
    pub clips: Vec<ExportedClip>,
    /// Why it was given up: the folder does not take any more. Complete files stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What became of one clip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportedClip {
    /// Whose.
    pub camera: CameraId,
    /// The alert that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
    /// From when it was asked for.
    pub from: WallTime,
    /// Until when it was asked for.
    pub to: WallTime,
    /// Empty where there is no footage.
    pub files: Vec<ExportedFile>,
    /// Footage that the index has and that is not in the files, or not as it was recorded.
    pub flaws: Vec<Flaw>,
}

/// A file that is complete.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Of all of it, in hexadecimal.
    pub sha256: String,
    /// What is in it.
    #[serde(flatten)]
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Content {
    /// When its first sample arrived.
    pub starts_at: WallTime,
    /// When its last fragment ends.
    pub ends_at: WallTime,
    /// The least that these times can be trusted.
    pub clock: ClockState,
    /// Whose clock its times follow: the box's where the camera's could not be, in one of its segments at least.
    pub time: TimeSource,
    /// How long it plays.
    pub seconds: f64,
    /// How many encoded pictures.
    pub samples: usize,
    /// In the order of the file.
    pub gaps: Vec<Gap>,
    /// Why another file goes on where this one ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<&'static str>,
}

/// Where footage is missing, or its times jump.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// How far into the file it begins. Before the first picture and after the last one it takes no time in the file.
    pub position_seconds: f64,
    /// When footage ends.
    pub from: WallTime,
    /// When it goes on.
    pub to: WallTime,
    /// How long that was; not what `from` and `to` say where the clock was set.
    pub seconds: f64,
    /// Why.
    pub cause: GapCause,
}

/// Why there is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapCause {
    /// There is nothing in the index.
    NotRecorded,
    /// The stream was connected to anew, with less than half a second between.
    Reconnected,
    /// The clock was set.
    ClockSet,
    /// The file has been removed since the export began.
    Removed,
    /// The file cannot be read there.
    Damaged,
}

impl GapCause {
    /// The word that stands in JSON.
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
    /// Of when.
    pub at: WallTime,
    /// In which file of the store.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
}

impl Exported {
    /// Whether all that the index has was exported, as it was recorded.
    pub fn is_whole(&self) -> bool {
        self.clips.iter().all(|clip| clip.flaws.is_empty())
    }
}
