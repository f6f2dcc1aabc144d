//! Owner of a store's files: its folder's owner. Root may use the commands; the daemon can write their files all the
//! same.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

/// Gives `made`, a file or folder that this process may have made in the store, to the owner of the store's folder.
/// A failure is logged. Links are not followed.
pub(super) fn hand_over(directory: &Path, made: &Path) {
    let owner = fs::symlink_metadata(directory);
    log_failure(made, owner.and_then(|owner| give(&owner, made)));
}

/// The same for all files in the store: reads every folder.
pub(super) fn hand_over_all(directory: &Path) {
    let Ok(owner) = fs::symlink_metadata(directory) else { return };
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        for entry in entries.unwrap_or_default() {
            let path = entry.path();
            log_failure(&path, give(&owner, &path));
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            }
        }
    }
}

/// Gives away only files of root: those of another user were made so on purpose, or are not ours to give.
fn give(owner: &Metadata, made: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(made)?;
    if found.uid() != 0 || owner.uid() == 0 {
        return Ok(());
    }
    lchown(made, Some(owner.uid()), Some(owner.gid()))
}

fn log_failure(path: &Path, given: io::Result<()>) {
    match given {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(
                "cannot change the owner of {}: {error}; it belongs to root, and the daemon may be unable to write it",
                path.display()
            );
        }
        _ => {}
    }
}
