//! Opening the store: at once, or as soon as its disk can be used.
//!
//! A disk that is read-only or broken when the daemon starts is treated as one that breaks later: alerts are sent before they are
//! stored, and footage is counted as lost. The writer's thread waits here until the store is open.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::logged_once::Fault;
use crate::owner;
use crate::recover::rebuild;
use crate::recover::reconcile::ScanMode;
use crate::settings::Settings;
use crate::write::queue::Job;
use crate::write::writer::Writer;
use crate::{Shared, folder_error};
use base::clock::{self, Clock};
use base::fault::{ErrorKind, chain};

/// Interval at which a disk that could not be used is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// An open store, ready to write.
pub(crate) struct OpenedStore {
    pub writer: Writer,
    /// Keeps other processes from writing this store.
    pub lock: File,
}

/// Opens the store, makes missing parts, and makes index and clip files agree.
pub(crate) fn open(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    shared: &Shared,
) -> Result<OpenedStore, StoreError> {
    let directory = &settings.directory;
    let clips = crate::clips_path(directory);
    fs::create_dir_all(&clips).map_err(folder_error(&clips))?;
    let lock = lock(directory)?;

    let boot_id = clock::boot_id();
    let opened = rebuild::open(directory, &boot_id, ScanMode::NotEnded)?;
    // The names of the index and of clips/, where they are new.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(folder_error(directory))?;
    if !opened.reconciled.all_agreed() {
        tracing::warn!("store repaired: {}: {}", directory.display(), opened.reconciled);
    }
    shared.catalogue.reopen()?;
    shared.vitals().reconciled = opened.reconciled.clone();
    let writer = Writer::new(settings.clone(), boot_id, Arc::clone(clock), opened, shared)?;
    Ok(OpenedStore { writer, lock })
}

/// Returns true for a fault of the disk, which may end without anybody touching the box.
pub(crate) fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Folder { .. } | StoreError::Clip { .. } | StoreError::NoClips { .. } => true,
        StoreError::Index { .. } => error.kind() != ErrorKind::Bug,
        _ => false,
    }
}

/// Opens the store once its disk can be used; `None` where it is closed before that. Meanwhile alerts are answered with an
/// error, and fragments are counted as lost.
pub(crate) fn wait(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    shared: &Shared,
    error: &StoreError,
) -> Option<OpenedStore> {
    tracing::error!("nothing is recorded until the store can be opened: {}", chain(error));
    let mut fault = Fault::new("the store cannot be opened");
    fault.note(Some(error));
    loop {
        shared.vitals().index_unwritable.clone_from(&fault.reason);
        if !turn_away(shared, Instant::now() + RETRY) {
            return None;
        }
        match open(settings, clock, shared) {
            Ok(opened) => {
                tracing::info!("the store is open, and recording begins");
                return Some(opened);
            }
            Err(error) => fault.note(Some(&error)),
        }
    }
}

/// Refuses what comes before `deadline`; false when the store is closed.
fn turn_away(shared: &Shared, deadline: Instant) -> bool {
    while Instant::now() < deadline {
        match shared.queue.take(Some(deadline)) {
            Job::Alert(_, reply) => {
                // The caller may have given up.
                let _ = reply.send(Err(StoreError::NotOpen));
            }
            Job::Stills(_, reply) => {
                let _ = reply.send(Err(StoreError::NotOpen));
            }
            Job::Fragment(_) => shared.vitals().lost_fragments += 1,
            // Messages that were sent from an outbox come from an open store.
            Job::Acknowledged(_) | Job::Delivered(_) | Job::StillsDelivered(_) | Job::Nothing => {}
            Job::Close => return false,
        }
    }
    true
}

/// Keeps other processes from writing this store, and shows that the folder can be written.
pub(crate) fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("lock");
    let mut options = OpenOptions::new();
    let file =
        owner::open(options.write(true).create(true).truncate(false), &path).map_err(folder_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(folder_error(&path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::testing::{draft, fragment, wait_until};
    use base::clock::SystemClock;

    #[test]
    fn a_disk_that_cannot_be_used_at_the_start_is_used_once_it_can() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("store");
        // A file in the folder's place refuses everybody, root too.
        fs::write(&directory, b"").unwrap();
        let settings = Settings::new(directory.clone());
        assert!(matches!(
            Store::open(settings.clone(), Arc::new(SystemClock)),
            Err(StoreError::Folder { .. })
        ));
        let store = Store::open_when_possible(settings, Arc::new(SystemClock)).unwrap();
        assert!(matches!(store.put_alert(draft("gate")), Err(StoreError::NotOpen)));
        assert!(matches!(store.outbox_depth(), Err(StoreError::NotOpen)));
        store.append(fragment("gate", 0)).unwrap();
        wait_until(|| store.vitals().lost_fragments == 1);
        assert!(store.vitals().index_unwritable.is_some_and(|reason| reason.contains("cannot write in")));

        fs::remove_file(&directory).unwrap();
        wait_until(|| store.vitals().index_unwritable.is_none());
        assert_eq!(store.put_alert(draft("gate")).unwrap().seq, 1);
        store.append(fragment("gate", 1)).unwrap();
        wait_until(|| store.footage_bytes().unwrap() > 0);
        assert_eq!(store.vitals().lost_fragments, 1);
    }

    #[test]
    fn a_store_that_waits_is_closed_at_once_and_one_in_use_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("store");
        fs::write(&directory, b"").unwrap();
        let waits =
            Store::open_when_possible(Settings::new(directory.clone()), Arc::new(SystemClock)).unwrap();
        waits.close();
        assert!(matches!(waits.put_alert(draft("gate")), Err(StoreError::Closed)));

        fs::remove_file(&directory).unwrap();
        let first = Store::open(Settings::new(directory.clone()), Arc::new(SystemClock)).unwrap();
        let second = Store::open_when_possible(Settings::new(directory), Arc::new(SystemClock));
        assert!(matches!(second, Err(StoreError::InUse { .. })));
        first.close();
    }
}
