//! The clip store: the only user of SQLite on a box and of the clip files.
//!
//! Owns `index.sqlite`, `clips/` and `holds/`: footage in segment files below a limit, the part of it that is held as
//! evidence, events, alerts and the outbox. One thread writes ([`Store`]); other threads and processes read
//! beside it ([`Catalogue`], [`inspect`]).
//!
//! Never here: decoding, a look into a fragment but to export it ([`export`]), sending. `run` opens it; the command line reads
//! the catalogue, exports, holds, checks and repairs.

mod error;
pub mod export;
mod index;
mod logged_once;
mod opening;
mod outbox;
mod owner;
mod read;
mod recover;
mod retain;
mod settings;
#[cfg(test)]
mod testing;
mod write;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use error::StoreError;
pub use read::catalogue::{Catalogue, Clip, ClipEntry, ClipFilter, ClipSegment, FootageSpan};
pub use read::{access, inspect};
pub use recover::reconciled::Reconciled;
pub use retain::{forecast, holds};
pub use settings::{NO_LIMIT, Settings};

use base::ack::Ack;
use base::alert::{Alert, AlertDraft};
use base::clock::Clock;
use base::fragment::Fragment;
use base::progress;
use base::still::StillDraft;
use base::time::WallTime;
use index::Acknowledgement;
use opening::OpenedStore;
use write::queue::Queue;

/// State of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreVitals {
    /// Bytes of all clip files. The index is not counted.
    pub clip_bytes: u64,
    /// Number of clip files.
    pub segments: u64,
    /// Bytes of the fragments that wait for the disk.
    pub queue_bytes: u64,
    /// Number of fragments waiting for the disk.
    pub queue_fragments: u64,
    /// Fragments that found the queue full, since the start.
    pub refused_fragments: u64,
    /// Fragments that the disk did not take, since the start.
    pub lost_fragments: u64,
    /// Segments that retention removed, since the start.
    pub removed_segments: u64,
    /// Latest end of a segment that a limit of size or the headroom removed since the start: footage goes back to there.
    pub removed_until: Option<WallTime>,
    /// Bytes of the clip files that are held as evidence, as of the last plan (about once a minute).
    pub held_bytes: u64,
    /// Bytes of the clip files that alerts pin and nothing holds, as of the last plan.
    pub pinned_bytes: u64,
    /// Bytes that the disk has left for the store; `None` where it does not report them.
    pub free_bytes: Option<u64>,
    /// Reason why footage is refused, for a person: evidence fills a limit, and nothing else is left to remove.
    pub full_of_evidence: Option<String>,
    /// Hold that cannot be parsed, for a person. Everything of its camera stays, or everything if that is not known.
    pub holds_unreadable: Option<String>,
    /// Reason why clip files cannot be written, synced or removed, for a person.
    pub clips_unwritable: Option<String>,
    /// Reason why the index cannot be written, for a person.
    pub index_unwritable: Option<String>,
    /// Faults that opening found and repaired.
    pub reconciled: Reconciled,
}

/// The store. Clones are the same store; the last one to be dropped closes it.
///
/// Reads as a [`Catalogue`]: an appended fragment is found there a sync interval later.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// An alert on its way to the disk. Dropping this does not stop it.
#[derive(Debug)]
pub struct StoringAlert {
    answer: Receiver<Result<Alert, StoreError>>,
}

impl StoringAlert {
    /// Waits for the result of [`Store::put_alert`]; `None` if it is not known within `patience`. Call again until there is
    /// an answer, and then no more.
    pub fn wait(&self, patience: Duration) -> Option<Result<Alert, StoreError>> {
        match self.answer.recv_timeout(patience) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(StoreError::Closed)),
        }
    }
}

#[derive(Debug)]
struct Inner {
    shared: Shared,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Parts that the store's callers share with its writer.
#[derive(Debug, Clone)]
struct Shared {
    queue: Arc<Queue>,
    catalogue: Arc<Catalogue>,
    vitals: Arc<Mutex<StoreVitals>>,
}

impl Shared {
    fn new(directory: &Path) -> Self {
        Self {
            queue: Arc::default(),
            catalogue: Arc::new(Catalogue::not_open(directory)),
            vitals: Arc::default(),
        }
    }

    fn vitals(&self) -> MutexGuard<'_, StoreVitals> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Opens the store in `settings.directory`, makes missing parts, and makes index and clip files agree.
    ///
    /// Blocks while the disk is read: every folder, and the files that a crash can have changed; every clip file where the
    /// index is lost.
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let shared = Shared::new(&settings.directory);
        let opened = opening::open(&settings, &clock, &shared)?;
        Self::start(shared, move |_| Some(opened))
    }

    /// As [`Store::open`], also on a disk that is broken or read-only: then the store is opened once the disk can be used,
    /// alerts are answered with an error until then, and fragments are counted as lost.
    ///
    /// Errors: another process has the store, or a newer version wrote it.
    pub fn open_when_possible(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let shared = Shared::new(&settings.directory);
        match opening::open(&settings, &clock, &shared) {
            Ok(opened) => Self::start(shared, move |_| Some(opened)),
            Err(error) if opening::may_pass(&error) => {
                Self::start(shared, move |shared| opening::wait(&settings, &clock, shared, &error))
            }
            Err(error) => Err(error),
        }
    }

    /// Starts the writer's thread, which opens the store with `open`.
    fn start(
        shared: Shared,
        open: impl FnOnce(&Shared) -> Option<OpenedStore> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let thread = spawn(shared.clone(), open)?;
        Ok(Self { inner: Arc::new(Inner { shared, thread: Mutex::new(Some(thread)) }) })
    }

    /// Hands a fragment to the writer. Never waits for the disk: a full queue refuses the fragment and counts it.
    pub fn append(&self, fragment: Fragment) -> Result<(), StoreError> {
        self.inner.shared.queue.push_fragment(fragment)
    }

    /// Stores an event, its alert and the outbox row in one transaction, and gives the alert its `seq`.
    ///
    /// Blocks until that is on the disk, before any fragment that waits; on a slow disk behind one file's fdatasync. The
    /// alert is returned as the outbox will return it. A message that is there already (same id, same phase) is returned as
    /// it was stored. An error leaves nothing behind, no hole in `seq` either; try again.
    pub fn put_alert(&self, draft: AlertDraft) -> Result<Alert, StoreError> {
        self.begin_alert(draft)?.answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// As [`Store::put_alert`], without waiting for the disk.
    pub fn begin_alert(&self, draft: AlertDraft) -> Result<StoringAlert, StoreError> {
        let (reply, answer) = sync_channel(1);
        self.inner.shared.queue.push_alert(draft, reply)?;
        Ok(StoringAlert { answer })
    }

    /// Takes an alert out of the outbox, soon. Never waits for the disk; a crash before that delivers it once more.
    pub fn delivered(&self, seq: u64) {
        self.inner.shared.queue.push_delivered(seq);
    }

    /// Takes those of `sent` that the post has stored out of the outbox, soon. Returns `false` and removes nothing if `ack` is
    /// about another outbox than the present one. Where it proves that this store has gone back, the outbox gets another id,
    /// soon, and the result is `false` too. The caller has checked that `ack` is about this box, and consistent. Reads the
    /// index, and does not wait for the writer.
    pub fn acknowledged(&self, ack: Ack, sent: Vec<u64>) -> Result<bool, StoreError> {
        if self.outbox_id()? != ack.outbox {
            return Ok(false);
        }
        let is_sound = !self.has_gone_back(&ack)?;
        self.inner.shared.queue.push_acknowledged(Acknowledgement { ack, sent: sent.into_iter().collect() });
        Ok(is_sound)
    }

    /// Stores stills until the broker has them. Blocks until they are on the disk, behind alerts and fragments that wait. Returns
    /// the number of older stills that made way. An error leaves nothing behind.
    pub fn put_stills(&self, stills: Vec<StillDraft>) -> Result<u64, StoreError> {
        let (reply, answer) = sync_channel(1);
        self.inner.shared.queue.push_stills(stills, reply)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// State of the store.
    pub fn vitals(&self) -> StoreVitals {
        let level = self.inner.shared.queue.level();
        let vitals = self.inner.shared.vitals().clone();
        StoreVitals {
            queue_bytes: level.bytes as u64,
            queue_fragments: level.fragments as u64,
            refused_fragments: level.refused,
            ..vitals
        }
    }

    /// Writes everything that waits, ends all segments, and unlocks the folder. Anything handed in later is refused.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Deref for Store {
    type Target = Catalogue;
    fn deref(&self) -> &Catalogue {
        &self.inner.shared.catalogue
    }
}

impl Inner {
    fn close(&self) {
        self.shared.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's thread panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Maximum time of the disk for one operation, after which the store counts as standing still.
const WORK_MAX: Duration = Duration::from_secs(180);

/// Starts the writer's thread, which holds the store's lock from the opening on.
fn spawn(
    shared: Shared,
    open: impl FnOnce(&Shared) -> Option<OpenedStore> + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let thread = std::thread::Builder::new().name("store".into());
    let spawned = thread.spawn(move || {
        // A panic would leave callers of `put_alert` waiting for ever.
        let _abandon = Abandon(&shared.queue);
        if let Some(OpenedStore { writer, lock: _lock }) = open(&shared) {
            let _unit = progress::begin("the store", WORK_MAX);
            writer.run();
        }
    });
    spawned.map_err(StoreError::Thread)
}

struct Abandon<'a>(&'a Queue);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn folder_error(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Folder { path, source }
}

fn index_path(directory: &Path) -> PathBuf {
    directory.join("index.sqlite")
}

fn clips_path(directory: &Path) -> PathBuf {
    directory.join("clips")
}
