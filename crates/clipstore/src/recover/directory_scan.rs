//! Scan of the folders below `clips/`: compares the files that exist with the files that should.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::index::KnownSegment;

/// Differences of files and rows.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// Places of the segments without a file in the list.
    pub missing: Vec<usize>,
    /// Files below `clips/` that no segment names.
    pub unknown: Vec<PathBuf>,
    /// Folders below `clips/` that could not be read. Their files count as present.
    pub unread: Vec<(PathBuf, io::Error)>,
}

/// Compares the `*.mp4` below `clips` with the paths of `known`. Links are not followed.
///
/// Reads the folders and nothing of the files, since there are as many as the disk has space for: each folder's names
/// are sorted and merged with its rows.
pub(crate) fn compare(clips: &Path, known: &[KnownSegment]) -> Result<Difference, StoreError> {
    let mut expected = by_folder(known);
    let mut difference = Difference::default();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let absolute = clips.join(&folder);
        let names = match read(&absolute, &folder, &mut folders) {
            Ok(names) => names,
            Err(error) if folder.as_os_str().is_empty() => {
                return Err(StoreError::clip("read the folder", &absolute)(error));
            }
            // Its last file was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                difference.unread.push((folder, error));
                continue;
            }
        };
        let rows = expected.remove(folder.as_os_str().as_bytes()).unwrap_or_default();
        merge(&folder, names, rows, &mut difference);
    }
    // Rows of folders that do not exist.
    for (folder, rows) in expected {
        let folder = Path::new(OsStr::from_bytes(folder));
        if !difference.unread.iter().any(|(unread, _)| folder.starts_with(unread)) {
            difference.missing.extend(rows.into_iter().map(|(_, place)| place as usize));
        }
    }
    difference.missing.sort_unstable();
    Ok(difference)
}

/// A file's name and its segment's place in the list.
type Row<'a> = (&'a [u8], u32);

/// The folder's path and the name in it.
fn split(path: &Path) -> (&[u8], &[u8]) {
    let bytes = path.as_os_str().as_bytes();
    match bytes.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&bytes[..slash], &bytes[slash + 1..]),
        None => (&[], bytes),
    }
}

fn by_folder(known: &[KnownSegment]) -> HashMap<&[u8], Vec<Row<'_>>> {
    let mut folders: HashMap<&[u8], Vec<Row<'_>>> = HashMap::new();
    for (place, segment) in (0..).zip(known) {
        let (folder, name) = split(&segment.path);
        folders.entry(folder).or_default().push((name, place));
    }
    folders
}

/// The sorted names of the clip files in a folder; adds the folders in it to `folders`.
fn read(absolute: &Path, folder: &Path, folders: &mut Vec<PathBuf>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(absolute)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            folders.push(folder.join(entry.file_name()));
        } else if kind.is_file() {
            let name = entry.file_name();
            if name.as_bytes().ends_with(b".mp4") {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn merge(folder: &Path, names: Vec<OsString>, mut rows: Vec<Row<'_>>, difference: &mut Difference) {
    rows.sort_unstable();
    let mut rows = rows.into_iter().peekable();
    for name in names {
        while let Some((_, place)) = rows.next_if(|(row, _)| *row < name.as_bytes()) {
            difference.missing.push(place as usize);
        }
        if rows.next_if(|(row, _)| *row == name.as_bytes()).is_none() {
            difference.unknown.push(folder.join(name));
        }
    }
    difference.missing.extend(rows.map(|(_, place)| place as usize));
}

/// Returns true if a file below `clips/` is named as segments are: `CAMERA/DATE/HOUR/20260501T221403.120Z-EPOCH.mp4`,
/// with a number behind where that one was taken.
pub(crate) fn is_segment_name(path: &Path) -> bool {
    let Some(stem) = path.file_stem().and_then(OsStr::to_str) else { return false };
    let Some((time, numbers)) = stem.split_once('-') else { return false };
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    path.components().count() == 4 && shape == "00000000T000000.000Z" && numbers.split('-').all(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Removes the folders above a removed clip file that are empty now, up to `clips`.
pub(crate) fn prune_folders(clips: &Path, file: &Path) {
    for folder in file.ancestors().skip(1).take_while(|folder| *folder != clips) {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::time::{ClockState, WallTime};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn known(path: &str) -> KnownSegment {
        KnownSegment {
            id: 0,
            path: path.into(),
            camera: "gate".parse().unwrap(),
            starts_at: WallTime::from_micros(0),
            ends_at: WallTime::from_micros(0),
            clock: ClockState::Synced,
            bytes: 0,
            ended: true,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_on_one_side_only_is_found(
            files in prop::collection::btree_set("[ab]/[a-b-]{0,2}/?[a-d]\\.mp4", 0..12),
            rows in prop::collection::btree_set("[ab]/[a-b-]{0,2}/?[a-d]\\.mp4", 0..12),
        ) {
            let with_single_slashes = |paths: BTreeSet<String>| -> BTreeSet<String> {
                paths.into_iter().map(|path| path.replace("//", "/")).collect()
            };
            let (files, rows) = (with_single_slashes(files), with_single_slashes(rows));
            let place = tempfile::tempdir().unwrap();
            for file in &files {
                let path = place.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, b"").unwrap();
            }
            fs::write(place.path().join("other.txt"), b"").unwrap();
            let known: Vec<KnownSegment> = rows.iter().map(|path| known(path)).collect();
            let found = compare(place.path(), &known).unwrap();
            let missing: BTreeSet<String> =
                found.missing.iter().map(|at| known[*at].path.to_str().unwrap().to_owned()).collect();
            let unknown: BTreeSet<String> =
                found.unknown.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
            prop_assert_eq!(missing, rows.difference(&files).cloned().collect());
            prop_assert_eq!(unknown, files.difference(&rows).cloned().collect());
        }
    }

    #[test]
    fn names_of_segments_are_known() {
        let good = ["gate/2026-05-01/22/20260501T221403.120Z-0.mp4", "g/d/h/19700101T000000.000Z-17-3.mp4"];
        let bad = ["20260501T221403.120Z-0.mp4", "g/d/h/unknown.mp4", "g/d/h/20260501T221403.120Z-.mp4"];
        assert!(good.iter().all(|path| is_segment_name(Path::new(path))));
        assert!(!bad.iter().any(|path| is_segment_name(Path::new(path))));
    }
}
