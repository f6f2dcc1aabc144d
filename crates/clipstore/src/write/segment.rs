//! The segment that a camera is writing: one file, an init section and fragments as they come, each described by a box
//! of ours (see [`container`]).

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::index::{FragmentRow, SegmentRow};
use crate::write::container::{self, FragmentTrailer, SegmentHeader};
use base::fragment::{Fragment, FragmentStart, StreamFacts};
use base::ids::Epoch;
use base::time::{Pts, Stamp};

/// Maximum drift of wall time against time since boot within a segment: beyond that the clock was set.
const CLOCK_STEP_MICROS: i64 = 1_000_000;
/// Upper bound of header and trailer together.
pub(crate) const BOXES_BYTES_MAX: u64 = 1024;
/// Maximum length of a GOP in one file: another one starts then, so that the first can grow old.
const GOP_MAX: Duration = Duration::from_secs(3600);
/// Maximum number of files of one camera that start in the same millisecond.
const NAMES_MAX: u32 = 1000;

/// A file that is being written, with the lengths that are written and indexed.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Row id.
    pub id: i64,
    /// Its file.
    pub path: PathBuf,
    /// Length of the file.
    pub bytes: u64,
    /// Length of the file that is in the index.
    pub indexed_bytes: u64,
    file: File,
    /// Folders whose entries are not yet on the disk.
    folders: BTreeSet<PathBuf>,
    sha256: Sha256,
    stream: Stream,
    starts_at: Stamp,
    /// Time at which its last fragment was appended.
    pub last_at: Instant,
    pts: Pts,
}

/// Properties that all fragments of one file share.
#[derive(Debug)]
struct Stream {
    epoch: Epoch,
    init: Arc<[u8]>,
    facts: StreamFacts,
}

impl Stream {
    fn of(fragment: &Fragment) -> Self {
        Self { epoch: fragment.epoch, init: Arc::clone(&fragment.init), facts: fragment.facts.clone() }
    }

    fn has(&self, fragment: &Fragment) -> bool {
        self.epoch == fragment.epoch
            && (Arc::ptr_eq(&self.init, &fragment.init) || self.init == fragment.init)
            && self.facts == fragment.facts
    }
}

impl Segment {
    /// Starts a file below `clips` with `fragment`. An error leaves no file behind.
    pub fn start(
        clips: &Path,
        id: i64,
        boot_id: &str,
        fragment: &Fragment,
    ) -> Result<(Self, SegmentRow, FragmentRow), StoreError> {
        check(fragment, &fragment.init)?;
        let folder = folder(fragment);
        let folders = make_folders(clips, &folder)?;
        let (file, relative) = create(clips, &folder, fragment)?;
        let path = clips.join(&relative);
        let mut segment = Self {
            id,
            path,
            bytes: 0,
            indexed_bytes: 0,
            file,
            folders,
            sha256: Sha256::new(),
            stream: Stream::of(fragment),
            starts_at: fragment.starts_at,
            last_at: Instant::now(),
            pts: fragment.pts,
        };
        let header = SegmentHeader::new(id, boot_id, fragment);
        match segment.write(&[&fragment.init, &header.to_box()], fragment) {
            Ok(row) => {
                let start = SegmentRow::new(id, relative, header, fragment.init.len() as u64);
                Ok((segment, start, row))
            }
            Err(error) => {
                // A file that stays in spite of this has no whole fragment: the next start removes it.
                let _ = fs::remove_file(&segment.path);
                Err(error)
            }
        }
    }

    /// Returns true if `fragment` belongs into this segment.
    pub fn continues(&self, fragment: &Fragment, segment_max: Duration) -> bool {
        let span = Duration::from_nanos(fragment.pts.0.saturating_sub(self.pts.0))
            .max(fragment.starts_at.monotonic.since(self.starts_at.monotonic));
        let is_same_stream = self.stream.has(fragment);
        if fragment.start == FragmentStart::Continued && span < GOP_MAX {
            // It is of no use in a file without the fragments before it.
            return is_same_stream;
        }
        is_same_stream
            && !fragment.is_break
            && self.starts_at.clock == fragment.starts_at.clock
            && (skew_micros(fragment.starts_at) - skew_micros(self.starts_at)).abs() <= CLOCK_STEP_MICROS
            && span < segment_max
    }

    /// Appends moof, mdat and trailer. After an error the file is as before, or the segment takes nothing more (see
    /// [`Segment::is_whole`]).
    pub fn append(&mut self, fragment: &Fragment) -> Result<FragmentRow, StoreError> {
        self.write(&[], fragment)
    }

    /// Returns true if the file is as long as it should be.
    pub fn is_whole(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.len() == self.bytes)
    }

    /// fdatasync, and fsync of the folders that name the file. A file that somebody has removed is an error.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0) {
            let error = io::Error::new(io::ErrorKind::NotFound, "somebody has removed it");
            return Err(StoreError::clip("keep", &self.path)(error));
        }
        self.file.sync_data().map_err(StoreError::clip("sync", &self.path))?;
        while let Some(folder) = self.folders.first() {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(StoreError::clip("sync the folder", folder))?;
            self.folders.pop_first();
        }
        Ok(())
    }

    /// Cuts off the bytes that are not in the index; removes the file if none of it is.
    pub fn cut_to_index(&mut self) -> io::Result<()> {
        self.bytes = self.indexed_bytes;
        if self.indexed_bytes == 0 { fs::remove_file(&self.path) } else { self.file.set_len(self.bytes) }
    }

    /// Writes the parts that go `before` the fragment, the fragment, and its trailer.
    fn write(&mut self, before: &[&[u8]], fragment: &Fragment) -> Result<FragmentRow, StoreError> {
        check(fragment, &fragment.bytes)?;
        let mut sha256 = self.sha256.clone();
        before.iter().for_each(|part| sha256.update(part));
        let offset_bytes = self.bytes + before.iter().map(|part| part.len() as u64).sum::<u64>();
        sha256.update(&fragment.bytes);
        let digest = sha256.clone().finalize().into();
        let trailer = FragmentTrailer::new(fragment, digest).to_box();
        sha256.update(&trailer);

        let mut parts: Vec<IoSlice<'_>> = before.iter().map(|part| IoSlice::new(part)).collect();
        parts.extend([IoSlice::new(&fragment.bytes), IoSlice::new(&trailer)]);
        if let Err(error) = write_parts(&self.file, &mut parts) {
            // Opened for appending: the next write starts at the new end.
            let _ = self.file.set_len(self.bytes);
            return Err(StoreError::clip("write", &self.path)(error));
        }
        self.sha256 = sha256;
        self.last_at = Instant::now();
        self.bytes = offset_bytes + (fragment.bytes.len() + trailer.len()) as u64;
        Ok(FragmentRow::new(self.id, offset_bytes, trailer.len() as u64, digest, fragment))
    }
}

/// Refuses bytes that a walk over the file could not get past.
fn check(fragment: &Fragment, boxes: &[u8]) -> Result<(), StoreError> {
    if container::is_whole_boxes(boxes) {
        Ok(())
    } else {
        Err(StoreError::NotBoxes { camera: fragment.camera.clone() })
    }
}

/// Writes all of `parts`, in one call where the disk takes them in one.
fn write_parts(mut file: &File, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !parts.is_empty() {
        match file.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Wall time minus time since boot.
fn skew_micros(at: Stamp) -> i64 {
    let since_boot = i64::try_from(at.monotonic.as_nanos() / 1000).unwrap_or(i64::MAX);
    at.wall.as_micros().saturating_sub(since_boot)
}

/// `CAMERA/YYYY-MM-DD/HH`, UTC.
fn folder(fragment: &Fragment) -> PathBuf {
    let at = fragment.starts_at.wall.to_timestamp();
    PathBuf::from(format!("{}/{}", fragment.camera, at.strftime("%Y-%m-%d/%H")))
}

/// Makes `folder` below `clips`. Returns the folders that have, or will have, a new entry.
fn make_folders(clips: &Path, folder: &Path) -> Result<BTreeSet<PathBuf>, StoreError> {
    let mut path = clips.to_owned();
    let mut changed = BTreeSet::new();
    // Somebody may remove the folder while the daemon runs. A disk that is unmounted leaves it there.
    match fs::create_dir(clips) {
        Ok(()) => changed.extend(clips.parent().map(Path::to_owned)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::clip("make the folder", clips)(error)),
    }
    for part in folder.components().filter(|part| matches!(part, Component::Normal(_))) {
        let parent = path.clone();
        path.push(part);
        match fs::create_dir(&path) {
            Ok(()) => {
                changed.insert(parent);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StoreError::clip("make the folder", &path)(error)),
        }
    }
    changed.insert(path);
    Ok(changed)
}

/// Creates `TIME-EPOCH.mp4`, with a number behind where that exists: nothing is ever overwritten.
fn create(clips: &Path, folder: &Path, fragment: &Fragment) -> Result<(File, PathBuf), StoreError> {
    let at = fragment.starts_at.wall.to_timestamp();
    let stem = format!("{}-{}", at.strftime("%Y%m%dT%H%M%S%.3fZ"), fragment.epoch);
    let mut number = 0;
    loop {
        let name = if number == 0 { format!("{stem}.mp4") } else { format!("{stem}-{number}.mp4") };
        let relative = folder.join(name);
        let path = clips.join(&relative);
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, relative)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < NAMES_MAX => number += 1,
            Err(error) => return Err(StoreError::clip("create", &path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fragment;
    use base::time::{ClockState, WallTime};

    const SEGMENT: Duration = Duration::from_secs(60);

    #[test]
    fn the_file_is_the_init_section_and_the_fragments() {
        let place = tempfile::tempdir().unwrap();
        let first = fragment("gate", 0);
        let (mut segment, start, _) = Segment::start(place.path(), 1, "boot", &first).unwrap();
        let second = fragment("gate", 1);
        let row = segment.append(&second).unwrap();
        segment.sync().unwrap();

        assert_eq!(start.path, Path::new("gate/2026-05-01/22/20260501T221403.120Z-0.mp4"));
        let header = SegmentHeader::new(1, "boot", &first).to_box();
        let upto_first = [&first.init[..], &header, &first.bytes].concat();
        let trailer =
            |fragment, bytes: &[u8]| FragmentTrailer::new(fragment, Sha256::digest(bytes).into()).to_box();
        let upto_second = [&upto_first[..], &trailer(&first, &upto_first), &second.bytes].concat();
        let whole = [&upto_second[..], &trailer(&second, &upto_second)].concat();
        assert_eq!(fs::read(place.path().join(&start.path)).unwrap(), whole);
        assert_eq!(segment.bytes, whole.len() as u64);
        assert_eq!(row.offset_bytes, (upto_second.len() - second.bytes.len()) as u64);
        assert_eq!(row.sha256, <[u8; 32]>::from(Sha256::digest(&upto_second)));
    }

    #[test]
    fn what_is_no_fragment_is_refused_and_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let good = fragment("gate", 0);
        let bad = Fragment { bytes: Arc::from(&b"no boxes"[..]), ..good.clone() };
        let bad_init = Fragment { init: Arc::from(&b""[..]), ..good.clone() };
        for bad in [&bad, &bad_init] {
            let error = Segment::start(place.path(), 1, "b", bad).unwrap_err();
            assert!(matches!(error, StoreError::NotBoxes { .. }), "{error}");
        }
        let (mut segment, start, _) = Segment::start(place.path(), 1, "b", &good).unwrap();
        assert!(start.path.to_str().unwrap().ends_with("-0.mp4"), "{start:?}");
        let before = segment.bytes;
        segment.append(&bad).unwrap_err();
        assert!(segment.is_whole() && segment.bytes == before);
    }

    #[test]
    fn no_file_is_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..3)
            .map(|id| Segment::start(place.path(), id, "b", &fragment("gate", 0)).unwrap().0.path)
            .collect();
        assert!(paths[1].to_str().unwrap().ends_with("-0-1.mp4"), "{paths:?}");
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), 3);
    }

    #[test]
    fn what_changes_the_stream_or_the_clock_ends_the_segment() {
        let place = tempfile::tempdir().unwrap();
        let (segment, ..) = Segment::start(place.path(), 1, "b", &fragment("gate", 0)).unwrap();
        let next = || fragment("gate", 1);
        assert!(segment.continues(&next(), SEGMENT));
        assert!(segment.continues(&fragment("gate", 29), SEGMENT));
        assert!(!segment.continues(&fragment("gate", 30), SEGMENT), "60 s have passed");

        let mut other = next();
        other.epoch = Epoch(1);
        assert!(!segment.continues(&other, SEGMENT), "epoch");
        let mut other = next();
        other.init = Arc::from(&b"another init"[..]);
        assert!(!segment.continues(&other, SEGMENT), "init section");
        let mut other = next();
        other.facts.width = 640;
        assert!(!segment.continues(&other, SEGMENT), "facts");
        let mut other = next();
        other.starts_at.clock = ClockState::Unsynced;
        assert!(!segment.continues(&other, SEGMENT), "clock state");
        let mut other = next();
        other.is_break = true;
        assert!(!segment.continues(&other, SEGMENT), "the camera's clock was set");
        let mut other = fragment("gate", 40);
        other.start = FragmentStart::Continued;
        assert!(segment.continues(&other, SEGMENT), "a part of a long GOP needs what is before it");
        other.init = Arc::from(&b"another init"[..]);
        assert!(!segment.continues(&other, SEGMENT), "another header");
        let mut other = next();
        other.starts_at.wall = WallTime::from_micros(5);
        assert!(!segment.continues(&other, SEGMENT), "clock set back");
    }
}
