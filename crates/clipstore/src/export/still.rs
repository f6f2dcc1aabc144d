//! The newest key frame of a camera, as a file that decodes to one picture. The access log has a line before it is read.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::ExportError;
use crate::error::StoreError;
use crate::read::access::{self, AccessClip, AccessEntry, AccessKind};
use crate::read::catalogue::{Catalogue, ClipFilter, ClipFragment, SegmentFootage};
use base::clock::Clock;
use base::fault::chain;
use base::fragment::FragmentStart;
use base::ids::CameraId;
use base::time::WallTime;

/// Look at one picture of a camera.
#[derive(Debug, Clone)]
pub struct StillOrder {
    /// Its camera.
    pub camera: CameraId,
    /// Destination of the picture, for the access log.
    pub file: PathBuf,
    /// Person that looks, for the access log.
    pub who: String,
    /// Reason, for the access log.
    pub why: String,
}

/// A recorded key frame.
#[derive(Debug, Clone)]
pub struct Still {
    /// A playable MP4 that begins with the key frame.
    pub mp4: Vec<u8>,
    /// Arrival of the key frame.
    pub at: WallTime,
}

/// Reads the newest key frame; blocks on the disk. `None` where nothing of the camera is recorded.
///
/// # Errors
/// The index, the clip file or the access log cannot be read or written. Nothing is read without a line in the log.
pub fn newest_key_frame(
    catalogue: &Catalogue,
    order: &StillOrder,
    clock: &dyn Clock,
) -> Result<Option<Still>, ExportError> {
    let newest = ClipFilter { camera: Some(order.camera.clone()), limit: Some(1), ..ClipFilter::default() };
    let Some(newest) = catalogue.segments(&newest)?.pop() else { return Ok(None) };
    let end = WallTime::from_micros(i64::MAX);
    let segments = catalogue.fragments(&order.camera, newest.starts_at, end)?;
    let of_newest = segments.iter().filter(|one| one.segment.path == newest.path);
    let decodable = of_newest.flat_map(|one| one.fragments.iter().map(move |fragment| (one, fragment)));
    let mut decodable = decodable.filter(|(_, fragment)| fragment.start != FragmentStart::Continued);
    let Some((segment, fragment)) = decodable.next_back() else { return Ok(None) };
    let (directory, at) = (catalogue.directory(), fragment.starts_at);
    log_look(directory, order, at, clock)?;
    match read(segment, fragment) {
        Ok(mp4) => Ok(Some(Still { mp4, at })),
        Err(error) => {
            log_outcome(directory, order, at, Err(chain(&error)), clock)?;
            Err(error.into())
        }
    }
}

/// The init section of a segment, and one of its fragments.
fn read(segment: &SegmentFootage, fragment: &ClipFragment) -> Result<Vec<u8>, StoreError> {
    let path = &segment.segment.path;
    let file = File::open(path).map_err(StoreError::clip("open the footage", path))?;
    let mut mp4 = part(&file, 0, segment.init_bytes).map_err(StoreError::clip("read the footage", path))?;
    let bytes = part(&file, fragment.offset_bytes, fragment.bytes);
    mp4.extend(bytes.map_err(StoreError::clip("read the footage", path))?);
    Ok(mp4)
}

/// Adds a line about the start of a look at one picture of `at` to the access log of the store in `directory`.
///
/// # Errors
/// The log cannot be written.
pub fn log_look(
    directory: &Path,
    order: &StillOrder,
    at: WallTime,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let detail = format!("one picture to {}", order.file.display());
    append(directory, order, at, (AccessKind::ExportStarted, detail), clock)
}

/// Adds a line about the end of a look: with the bytes of the file, or with the reason of a failure.
///
/// # Errors
/// The log cannot be written.
pub fn log_outcome(
    directory: &Path,
    order: &StillOrder,
    at: WallTime,
    outcome: Result<&[u8], String>,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let line = match outcome {
        Ok(bytes) => {
            let sha256 = access::hex(&Sha256::digest(bytes));
            (AccessKind::ExportEnded, format!("{} sha256 {sha256}", order.file.display()))
        }
        Err(reason) => (AccessKind::ExportFailed, reason),
    };
    append(directory, order, at, line, clock)
}

fn append(
    directory: &Path,
    order: &StillOrder,
    at: WallTime,
    (what, detail): (AccessKind, String),
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let now = clock.now();
    let clip = AccessClip { camera: order.camera.clone(), starts_at: at, ends_at: at, alert: None };
    let (who, why) = (order.who.clone(), order.why.clone());
    let entry = AccessEntry { at: now.wall, clock: now.clock, what, who, why, clips: vec![clip], detail };
    access::append(directory, &entry)
}

fn part(file: &File, at: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
    // A damaged row must not ask for more memory than there is footage.
    if at.saturating_add(bytes) > file.metadata()?.len() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let length = usize::try_from(bytes).map_err(std::io::Error::other)?;
    let mut part = vec![0; length];
    file.read_exact_at(&mut part, at)?;
    Ok(part)
}
