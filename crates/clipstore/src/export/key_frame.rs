//! Recorded key frames, each as a file that decodes to one picture: the newest one for a person, and those around an alert
//! for its stills. The access log has a line before one is read.

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
use base::ids::{AlertId, CameraId};
use base::still::StillDraft;
use base::time::WallTime;

/// Look at one picture of a camera.
#[derive(Debug, Clone)]
pub struct PictureOrder {
    /// Its camera.
    pub camera: CameraId,
    /// Destination of the picture, for the access log.
    pub file: PathBuf,
    /// Person that looks, for the access log.
    pub who: String,
    /// Reason, for the access log.
    pub why: String,
}

/// A key frame that was read.
#[derive(Debug, Clone)]
pub struct RecordedPicture {
    /// A playable MP4 that begins with the key frame.
    pub mp4: Vec<u8>,
    /// Arrival of the key frame.
    pub at: WallTime,
}

/// A recorded key frame and its place on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFrame {
    /// Its arrival.
    pub at: WallTime,
    path: PathBuf,
    init_bytes: u64,
    offset_bytes: u64,
    bytes: u64,
}

/// Reads the newest key frame; blocks on the disk. `None` where nothing of the camera is recorded.
///
/// # Errors
/// The index, the clip file or the access log cannot be read or written. Nothing is read without a line in the log.
pub fn newest_key_frame(
    catalogue: &Catalogue,
    order: &PictureOrder,
    clock: &dyn Clock,
) -> Result<Option<RecordedPicture>, ExportError> {
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
    match KeyFrame::of(segment, fragment).read() {
        Ok(mp4) => Ok(Some(RecordedPicture { mp4, at })),
        Err(error) => {
            log_outcome(directory, order, at, Err(chain(&error)), clock)?;
            Err(error.into())
        }
    }
}

/// The key frames that arrived from `from` on and before `to`, oldest first; reads the index alone.
///
/// # Errors
/// The index does not read.
pub fn key_frames(
    catalogue: &Catalogue,
    camera: &CameraId,
    from: WallTime,
    to: WallTime,
) -> Result<Vec<KeyFrame>, StoreError> {
    let segments = catalogue.fragments(camera, from, to)?;
    let all = segments.iter().flat_map(|one| one.fragments.iter().map(move |fragment| (one, fragment)));
    let mut found: Vec<KeyFrame> = all
        .filter(|(_, fragment)| fragment.start != FragmentStart::Continued)
        .map(|(segment, fragment)| KeyFrame::of(segment, fragment))
        .filter(|frame| frame.at >= from)
        .collect();
    found.sort_by_key(|frame| frame.at);
    Ok(found)
}

impl KeyFrame {
    fn of(segment: &SegmentFootage, fragment: &ClipFragment) -> Self {
        Self {
            at: fragment.starts_at,
            path: segment.segment.path.clone(),
            init_bytes: segment.init_bytes,
            offset_bytes: fragment.offset_bytes,
            bytes: fragment.bytes,
        }
    }

    /// The init section of its segment, and its fragment.
    fn read(&self) -> Result<Vec<u8>, StoreError> {
        let path = &self.path;
        let file = File::open(path).map_err(StoreError::clip("open the footage", path))?;
        let mut mp4 = part(&file, 0, self.init_bytes).map_err(StoreError::clip("read the footage", path))?;
        let bytes = part(&file, self.offset_bytes, self.bytes);
        mp4.extend(bytes.map_err(StoreError::clip("read the footage", path))?);
        Ok(mp4)
    }
}

/// A look of the box itself at key frames, for the stills of an alert.
#[derive(Clone, Copy)]
pub struct AlertLook<'a> {
    catalogue: &'a Catalogue,
    camera: &'a CameraId,
    alert: AlertId,
    frames: &'a [KeyFrame],
    clock: &'a dyn Clock,
}

impl<'a> AlertLook<'a> {
    /// Adds a line about the key frames to the access log; they can be read afterwards.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn begin(
        catalogue: &'a Catalogue,
        camera: &'a CameraId,
        alert: AlertId,
        frames: &'a [KeyFrame],
        clock: &'a dyn Clock,
    ) -> Result<Self, StoreError> {
        let look = Self { catalogue, camera, alert, frames, clock };
        let detail = format!("{} pictures for the ward post", frames.len());
        look.log(AccessKind::ExportStarted, detail)?;
        Ok(look)
    }

    /// Reads one of its key frames; blocks on the disk.
    ///
    /// # Errors
    /// The clip file cannot be read, such as one that retention has deleted meanwhile.
    pub fn read(&self, frame: &KeyFrame) -> Result<RecordedPicture, StoreError> {
        Ok(RecordedPicture { mp4: frame.read()?, at: frame.at })
    }

    /// Adds a line about the end of the look: with the stills that were made.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn end(&self, stills: &[StillDraft]) -> Result<(), StoreError> {
        if stills.is_empty() {
            return self.log(AccessKind::ExportFailed, "no picture could be made".to_owned());
        }
        let each = stills.iter().map(|still| {
            format!("{} sha256 {}", still.kind.as_str(), access::hex(&Sha256::digest(&still.jpeg.0)))
        });
        self.log(AccessKind::ExportEnded, each.collect::<Vec<_>>().join(", "))
    }

    fn log(&self, what: AccessKind, detail: String) -> Result<(), StoreError> {
        let now = self.clock.now();
        let clips = self.frames.iter().map(|frame| AccessClip {
            camera: self.camera.clone(),
            starts_at: frame.at,
            ends_at: frame.at,
            alert: Some(self.alert),
        });
        let (who, why) = ("wardwatch".to_owned(), format!("for the alert {}", self.alert));
        let entry =
            AccessEntry { at: now.wall, clock: now.clock, what, who, why, clips: clips.collect(), detail };
        access::append(self.catalogue.directory(), &entry)
    }
}

/// Adds a line about the start of a look at one picture of `at` to the access log of the store in `directory`.
///
/// # Errors
/// The log cannot be written.
pub fn log_look(
    directory: &Path,
    order: &PictureOrder,
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
    order: &PictureOrder,
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
    order: &PictureOrder,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::testing::{START, fragment};
    use crate::{Settings, Store};
    use base::alert::Thumbnail;
    use base::clock::SystemClock;
    use base::still::StillKind;

    /// A closed store with fragments of 2 s of a camera; every third continues the one before.
    fn recorded(directory: &Path, count: u64) -> Catalogue {
        let store = Store::open(Settings::new(directory.to_owned()), Arc::new(SystemClock)).unwrap();
        for number in 0..count {
            let mut one = fragment("gate", number);
            if number % 3 == 2 {
                one.start = FragmentStart::Continued;
            }
            store.append(one).unwrap();
        }
        store.close();
        Catalogue::open(directory).unwrap()
    }

    #[test]
    fn key_frames_of_a_span_are_found_and_each_reads_with_its_init_section() {
        let place = tempfile::tempdir().unwrap();
        let catalogue = recorded(place.path(), 6);
        let camera: CameraId = "gate".parse().unwrap();
        let at = |seconds: u64| START.wall + Duration::from_secs(seconds);
        let times = |from, to| -> Vec<WallTime> {
            let found = key_frames(&catalogue, &camera, from, to).unwrap();
            found.iter().map(|frame| frame.at).collect()
        };
        assert_eq!(times(at(0), at(60)), [at(0), at(2), at(6), at(8)]);
        assert_eq!(times(at(2), at(8)), [at(2), at(6)], "the end does not count");
        assert_eq!(times(at(3), at(6)), [], "the start counts, and nothing before it");

        let found = key_frames(&catalogue, &camera, at(6), at(7)).unwrap();
        let alert = AlertId::new(1);
        let look = AlertLook::begin(&catalogue, &camera, alert, &found, &SystemClock).unwrap();
        let mp4 = look.read(&found[0]).unwrap().mp4;
        assert!(mp4.starts_with(b"\0\0\0\x0cftypinit") && mp4.ends_with(b"fragment 3 of gate"));
        let still = StillDraft {
            alert,
            kind: StillKind::After,
            taken_at: found[0].at,
            jpeg: Thumbnail(vec![1, 2, 3]),
        };
        look.end(&[still]).unwrap();
        look.end(&[]).unwrap();
        let log = access::read(place.path()).unwrap().entries;
        let kinds = [AccessKind::ExportStarted, AccessKind::ExportEnded, AccessKind::ExportFailed];
        assert_eq!(log.iter().map(|entry| entry.what).collect::<Vec<_>>(), kinds);
        for entry in &log {
            assert_eq!((entry.who.as_str(), &entry.why), ("wardwatch", &format!("for the alert {alert}")));
            assert_eq!((entry.clips[0].starts_at, entry.clips[0].alert), (at(6), Some(alert)));
        }
        assert!(log[1].detail.starts_with("after sha256 039058c6"), "{}", log[1].detail);
    }

    #[test]
    fn nothing_is_read_without_a_line_in_the_log() {
        let place = tempfile::tempdir().unwrap();
        let catalogue = recorded(place.path(), 1);
        std::fs::create_dir(place.path().join("access.jsonl")).unwrap();
        let camera = "gate".parse().unwrap();
        let found = key_frames(&catalogue, &camera, START.wall, START.wall + Duration::from_secs(1)).unwrap();
        assert!(AlertLook::begin(&catalogue, &camera, AlertId::new(1), &found, &SystemClock).is_err());
    }
}
