//! The folder that an export goes to: a stick that may be full, or pulled out.
//!
//! A file is written as `.NAME.part`, synced, and only then gets its name: a file with a name is whole. No file is written
//! over.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::ExportError;
use crate::read::access::hex;

/// Bytes that may wait in memory for a slow stick, and after which one that is full or pulled out is noticed.
const UNSYNCED_BYTES_MAX: u64 = 32 << 20;
/// Maximum number of tried names.
const NAMES_MAX: u32 = 1000;

/// The folder.
pub(super) struct Target {
    folder: PathBuf,
}

impl Target {
    /// The folder at `path`, which is there.
    pub fn open(path: &Path) -> Result<Self, ExportError> {
        if !path.is_dir() {
            return Err(ExportError::NoFolder { path: path.to_owned() });
        }
        Ok(Self { folder: path.to_owned() })
    }

    /// An error if less than `needed_bytes` are free.
    pub fn need(&self, needed_bytes: u64) -> Result<(), ExportError> {
        let disk = rustix::fs::statvfs(&self.folder)
            .map_err(|error| output("look at", &self.folder)(error.into()))?;
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free_bytes < needed_bytes {
            return Err(ExportError::NoRoom { path: self.folder.clone(), needed_bytes, free_bytes });
        }
        Ok(())
    }

    /// Begins `STEM.mp4`, or `STEM_copy2.mp4` and so on where that is taken.
    pub fn create(&self, stem: &str) -> Result<PartFile, ExportError> {
        for number in 1..=NAMES_MAX {
            let copy = if number == 1 { String::new() } else { format!("_copy{number}") };
            let path = self.folder.join(format!("{stem}{copy}.mp4"));
            let part = self.folder.join(format!(".{stem}{copy}.mp4.part"));
            let Some(file) = claim(&part).map_err(output("create", &part))? else { continue };
            let claimed =
                PartFile { file, part, path, sha256: Sha256::new(), bytes: 0, unsynced: 0, done: false };
            // Checked while the part is ours: another export would have to take that first.
            match fs::symlink_metadata(&claimed.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(claimed),
                Err(error) => return Err(output("look at", &claimed.path)(error)),
                Ok(_) => {}
            }
        }
        Err(output("find a free name for", &self.folder.join(stem))(io::ErrorKind::AlreadyExists.into()))
    }
}

/// Makes the file `part` and locks it; `None` if another export has it. One that was left behind is removed.
fn claim(part: &Path) -> io::Result<Option<File>> {
    for _ in 0..4 {
        match OpenOptions::new().write(true).create_new(true).open(part) {
            Ok(file) => match file.try_lock() {
                // Another export has found it before this lock, takes it for one that was left behind, and removes it.
                Err(TryLockError::WouldBlock) => return Ok(None),
                Ok(()) if !is_at(&file, part)? => continue,
                // A disk without locks cannot tell a part that was left behind, and needs no lock to go on.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(file)),
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let left = match File::open(part) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        if left.try_lock().is_err() {
            return Ok(None);
        }
        if is_at(&left, part)? {
            fs::remove_file(part)?;
        }
    }
    Ok(None)
}

/// True if the open file is the one of this path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(there) => Ok(there.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file that does not have its name yet. Dropped, it is removed.
pub(super) struct PartFile {
    file: File,
    part: PathBuf,
    path: PathBuf,
    sha256: Sha256,
    bytes: u64,
    unsynced: u64,
    done: bool,
}

impl PartFile {
    /// Appends `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.file.write_all(bytes).map_err(output("write", &self.path))?;
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if self.unsynced > UNSYNCED_BYTES_MAX {
            self.unsynced = 0;
            self.file.sync_data().map_err(output("write", &self.path))?;
        }
        Ok(())
    }

    /// Brings the file to the disk and gives it its name. Returns its path, length, and sha256 in hexadecimal.
    pub fn finish(mut self) -> Result<(PathBuf, u64, String), ExportError> {
        self.file.sync_all().map_err(output("write", &self.path))?;
        fs::rename(&self.part, &self.path).map_err(output("name", &self.path))?;
        self.done = true;
        let folder = self.path.parent().expect("it is in a folder");
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            // Some file systems of sticks cannot sync a folder.
            Err(error)
                if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                return Err(output("write the folder of", &self.path)(error));
            }
            _ => {}
        }
        Ok((self.path.clone(), self.bytes, hex(&self.sha256.clone().finalize())))
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.done {
            // A stick that was pulled out keeps it; the next export of the same name removes it.
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn output(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError + use<> {
    let path = path.to_owned();
    move |source| ExportError::Output { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_written_over_and_no_part_is_left() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.mp4"), b"older").unwrap();
        fs::write(place.path().join(".a.mp4.part"), b"left behind").unwrap();
        let target = Target::open(place.path()).unwrap();
        let mut first = target.create("a").unwrap();
        let second = target.create("a").unwrap();
        first.write(b"abc").unwrap();
        let (path, bytes, sha256) = first.finish().unwrap();
        assert_eq!((path.file_name().unwrap().to_str().unwrap(), bytes), ("a_copy2.mp4", 3));
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        drop(second);
        assert_eq!(names(place.path()), ["a.mp4", "a_copy2.mp4"]);
        assert_eq!(fs::read(place.path().join("a.mp4")).unwrap(), b"older");
    }

    #[test]
    fn a_folder_that_is_not_there_or_too_full_says_what_to_do() {
        let place = tempfile::tempdir().unwrap();
        let error = Target::open(&place.path().join("usb")).map(drop).unwrap_err();
        assert!(error.to_string().contains("mount the stick"), "{error}");
        let target = Target::open(place.path()).unwrap();
        target.need(0).unwrap();
        let error = target.need(u64::MAX).unwrap_err();
        assert!(error.to_string().contains("MB are needed"), "{error}");
    }
}
