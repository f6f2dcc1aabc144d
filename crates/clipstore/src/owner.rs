//! Owner of a store's files: its folder's owner. Root may use the commands; the daemon can write their files all the
//! same, and they follow no link that the daemon's user has put there.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, lchown};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Opens a file of the store. A link or a pipe in its place is an error: root would write where the link leads to.
pub(super) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let opened = options.custom_flags(flags.cast_signed()).open(path).map_err(|error| {
        let is_link = error.raw_os_error() == Some(Errno::LOOP.raw_os_error());
        if is_link { io::Error::other("it is a link, and the store makes none: remove it") } else { error }
    })?;
    match opened.metadata()?.is_file() {
        true => Ok(opened),
        false => Err(io::Error::other("it is no file: remove it")),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opening::lock;
    use crate::read::access;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    #[test]
    fn commands_write_nothing_through_a_link_or_a_pipe() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("store");
        fs::create_dir(&directory).unwrap();
        let of_root = place.path().join("of-root");
        fs::write(&of_root, b"root's").unwrap();
        symlink(&of_root, directory.join("lock")).unwrap();
        symlink(&of_root, directory.join("access.jsonl")).unwrap();
        assert!(lock(&directory).unwrap_err().to_string().contains("it is a link"));
        assert!(access::read(&directory).unwrap_err().to_string().contains("it is a link"));
        assert_eq!(fs::read(&of_root).unwrap(), b"root's");

        fs::remove_file(directory.join("access.jsonl")).unwrap();
        mknodat(CWD, directory.join("access.jsonl"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(access::read(&directory).unwrap_err().to_string().contains("it is no file"));
    }
}
