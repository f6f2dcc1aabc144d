//! The ward post's database: alerts, their thumbnails, the stored and lost numbers of each outbox, boxes, notices, refused
//! messages, the access log, and the officers of the page. One process writes arrivals ([`Storage::open`]); any number may read beside it
//! ([`Storage::open_beside`]).
//!
//! SQLite in WAL mode with synchronous=FULL: a batch for which [`Storage::take`] has returned survives a power cut. Everything
//! here blocks.

mod access_log;
mod accesses;
mod audit;
mod chain;
mod changes;
mod decisions;
mod duty;
mod error;
mod events;
mod figures;
mod forget;
mod health;
mod intake;
mod lost;
mod map;
mod overview;
mod people;
#[cfg(test)]
mod plans;
mod reading;
mod retention;
mod room;
mod runs;
mod shelves;
mod shifts;
mod stills;
#[cfg(test)]
pub(crate) mod testing;
mod writing;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};
use rustix::fs::Access as Mode;
use rustix::io::Errno;

use crate::events::Grouping;
use base::text;

pub use accesses::{Access, NewAccess};
pub use audit::{Audited, Step};
pub use chain::{ChainEnd, Verified};
pub use changes::{Change, ChangeKind, Changes};
pub use decisions::Decision;
pub use duty::{DutyRules, HookCall, Passed};
pub use error::StorageError;
pub use events::{Counts, Names, Queue, QueueFilter, Span, StoredEvent, Tab};
pub use forget::Forgotten;
pub use lost::{Settlement, Verdict};
pub use map::{CameraOf, MapCamera, Mute, NewPlan, Plan, Spot, WardMap};
pub use overview::Overview;
pub use people::{By, Changed, Login, NewUser, User};
pub use reading::{BoxState, Filter, Hole, LateThumbnail, StoredAlert, StoredNotice};
pub use shelves::{NewShelf, Shelf};
pub use shifts::{Begun, HandOver, HandedBox, HandedCamera, HandedEvent, HandedHoles, HandedShelf, Shift};
pub use stills::StoredStill;
pub use writing::{Batch, Notice, NoticeKind, REFUSED_MAX, Taken};

/// Maximum time for which a statement waits for another connection that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Steps from one version to the next; `user_version` counts those that were taken. Never changed once released. A step that
/// the version before cannot work with raises `readable_from` in the table `meta` to its own number.
const STEPS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("health.sql"),
    include_str!("numbers.sql"),
    include_str!("bounds.sql"),
    include_str!("events.sql"),
    include_str!("people.sql"),
    include_str!("map.sql"),
];

/// A connection to the database.
#[derive(Debug)]
pub struct Storage {
    connection: Connection,
    path: PathBuf,
    /// Settings by which alerts become events.
    grouping: Grouping,
    /// Held by the process that takes arrivals.
    _lock: Option<File>,
}

impl Storage {
    /// Opens the database to take arrivals, creating it and its folder where there is none, and brings it up to date.
    ///
    /// # Errors
    /// Another process has it open for arrivals, the place cannot be written, or a newer wardpost made it that lets no older
    /// one use it.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let place = |path: &Path| {
            let path = path.to_owned();
            move |source| StorageError::Place { path, source }
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(place(folder))?;
        }
        let lock_path = path.with_extension("lock");
        let lock = File::create(&lock_path).map_err(place(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(StorageError::InUse { path: path.to_owned() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(place(&lock_path)(error)),
        }
        let mut storage =
            Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        storage._lock = Some(lock);
        storage.migrate()?;
        storage.take_backlog()?;
        Ok(storage)
    }

    /// Sets how alerts become events from here on.
    pub fn group_by(&mut self, grouping: Grouping) {
        self.grouping = grouping;
    }

    /// Opens an existing database: to read it, to log accesses, to settle outboxes.
    ///
    /// # Errors
    /// There is none; a newer wardpost made it that lets no older one use it, or an older one that nobody has restarted yet.
    pub fn open_beside(path: &Path) -> Result<Self, StorageError> {
        match rustix::fs::access(path, Mode::READ_OK | Mode::WRITE_OK) {
            Err(Errno::ACCESS) => return Err(StorageError::denied(path)),
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(StorageError::Missing { path: path.to_owned() }),
            // SQLite names any other fault.
            _ => {}
        }
        let storage = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        match storage.version()? {
            0 => Err(StorageError::Missing { path: path.to_owned() }),
            version if version < STEPS.len() => Err(StorageError::Older { path: path.to_owned() }),
            _ => Ok(storage),
        }
    }

    /// The MQTT client id that goes with this database: two posts that receive all wards of a broker have one each. A small
    /// file beside the database keeps it. An older database keeps the id by which the broker knows its session.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn client_id(&self) -> Result<String, StorageError> {
        let path = self.path.with_extension("client-id");
        let failed = |source| StorageError::Place { path: path.clone(), source };
        match text::read(&path) {
            Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let id = if self.boxes()?.is_empty() {
            let random = uuid::Uuid::now_v7().simple().to_string();
            format!("wardpost-{}", &random[random.len() - 12..])
        } else {
            "wardpost".to_owned()
        };
        let beside = path.with_extension("client-id.new");
        std::fs::write(&beside, format!("{id}\n"))
            .and_then(|()| std::fs::rename(&beside, &path))
            .map_err(failed)?;
        Ok(id)
    }

    /// A value that changes when another connection has changed the database; costs no access to the disk.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn change(&self) -> Result<i64, StorageError> {
        let read = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        read.map_err(self.failed("look for changes of"))
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StorageError> {
        match open(path, flags) {
            Ok(connection) => {
                Ok(Self { connection, path: path.to_owned(), grouping: Grouping::default(), _lock: None })
            }
            Err(source) => Err(StorageError::Sql { action: "open", path: path.to_owned(), source }),
        }
    }

    /// Number of migration steps that were taken: more than are known where a newer wardpost made the database and lets
    /// this one use it.
    fn version(&self) -> Result<usize, StorageError> {
        let read = self.connection.pragma_query_value(None, "user_version", |row| row.get(0));
        let found: i64 = read.map_err(self.failed("read the version of"))?;
        let known = STEPS.len();
        let newer = || StorageError::Newer { path: self.path.clone(), found, known };
        let taken = usize::try_from(found).map_err(|_| newer())?;
        if taken <= known {
            return Ok(taken);
        }
        // A database without the table declares nothing.
        let least = self.meta("readable_from").ok().flatten().and_then(|least| usize::try_from(least).ok());
        if least.is_some_and(|least| least <= known) { Ok(taken) } else { Err(newer()) }
    }

    /// A fact about the database itself.
    fn meta(&self, key: &str) -> Result<Option<i64>, StorageError> {
        let read =
            self.connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
        read.optional().map_err(self.failed("read"))
    }

    fn migrate(&mut self) -> Result<(), StorageError> {
        let taken = self.version()?;
        for (number, step) in (1i64..).zip(STEPS).skip(taken) {
            let failed = self.failed("bring up to date");
            take_step(&mut self.connection, number, step).map_err(failed)?;
        }
        Ok(())
    }

    fn failed(&self, action: &'static str) -> impl Fn(rusqlite::Error) -> StorageError + use<> {
        let path = self.path.clone();
        move |source| StorageError::Sql { action, path: path.clone(), source }
    }
}

/// Opens the file, with every commit on the disk before it counts.
fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Takes one migration step, in a transaction with its number.
fn take_step(connection: &mut Connection, number: i64, step: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(step)?;
    transaction.pragma_update(None, "user_version", number)?;
    transaction.commit()
}

/// A number as SQLite has it; counts and sequence numbers never reach its end.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_takes_arrivals_and_others_read_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("below/post.sqlite");
        assert!(matches!(Storage::open_beside(&path), Err(StorageError::Missing { .. })));
        let first = Storage::open(&path).unwrap();
        assert!(matches!(Storage::open(&path), Err(StorageError::InUse { .. })));
        let beside = Storage::open_beside(&path).unwrap();
        let mode: String =
            beside.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let synchronous: i64 =
            first.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
        drop(first);
        Storage::open(&path).unwrap();
    }

    #[test]
    fn each_database_has_a_client_id_of_its_own_that_stays() {
        let place = tempfile::tempdir().unwrap();
        let of = |name: &str| Storage::open(&place.path().join(name)).unwrap().client_id().unwrap();
        let (first, second) = (of("a.sqlite"), of("b.sqlite"));
        assert_ne!(first, second);
        assert!(first.starts_with("wardpost-") && first.len() == 21, "{first}");
        assert_eq!(of("a.sqlite"), first);
    }

    #[test]
    fn a_database_from_before_keeps_the_session_that_the_broker_knows() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("post.sqlite");
        let storage = Storage::open(&path).unwrap();
        storage.connection.execute("INSERT INTO box (ward, id) VALUES ('ben-nghe', 'box-1')", []).unwrap();
        assert_eq!(storage.client_id().unwrap(), "wardpost");
        drop(storage);
        assert_eq!(Storage::open(&path).unwrap().client_id().unwrap(), "wardpost");
    }

    #[test]
    fn a_database_of_a_newer_wardpost_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("post.sqlite");
        let storage = Storage::open(&path).unwrap();
        storage.connection.pragma_update(None, "user_version", 99).unwrap();
        let known = i64::try_from(STEPS.len()).unwrap();
        storage
            .connection
            .execute("UPDATE meta SET value = ?1 WHERE key = 'readable_from'", [known + 1])
            .unwrap();
        drop(storage);
        for opened in [Storage::open(&path), Storage::open_beside(&path)] {
            let error = opened.unwrap_err();
            assert!(error.to_string().contains("install a newer wardpost"), "{error}");
            assert_eq!(error.kind(), base::fault::ErrorKind::Config);
        }
    }

    #[test]
    fn a_database_of_a_newer_wardpost_that_lets_this_one_use_it_is_used() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("post.sqlite");
        let storage = Storage::open(&path).unwrap();
        let added =
            "ALTER TABLE box ADD COLUMN shift TEXT; CREATE TABLE of_the_future (number INTEGER PRIMARY KEY);";
        storage.connection.execute_batch(added).unwrap();
        storage.connection.pragma_update(None, "user_version", 99).unwrap();
        drop(storage);
        let mut storage = Storage::open(&path).unwrap();
        let arrivals = vec![testing::arrival(&testing::alert("box-1", 1))];
        assert_eq!(storage.take(&Batch { arrivals, ..Batch::default() }).unwrap().stored, 1);
        let beside = Storage::open_beside(&path).unwrap();
        assert_eq!((beside.boxes().unwrap().len(), beside.version().unwrap()), (1, 99));
    }

    #[test]
    fn a_database_of_an_older_wardpost_is_brought_up_to_date_by_serve() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("post.sqlite");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(STEPS[0]).unwrap();
        old.execute("INSERT INTO box (ward, id, duplicates) VALUES ('ben-nghe', 'box-1', 7)", []).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let error = Storage::open_beside(&path).unwrap_err();
        assert!(error.to_string().contains("restart `wardpost serve`"), "{error}");
        let boxes = Storage::open(&path).unwrap().boxes().unwrap();
        assert_eq!((boxes.len(), boxes[0].duplicates, boxes[0].health.len()), (1, 7, 0));
        Storage::open_beside(&path).unwrap();
    }

    #[test]
    fn what_is_no_database_says_so() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("post.sqlite");
        std::fs::write(&path, "not a database, but long enough to be looked at as one by SQLite ".repeat(20))
            .unwrap();
        let error = Storage::open_beside(&path).unwrap_err();
        assert_eq!(error.kind(), base::fault::ErrorKind::Corrupt, "{error}");
    }
}
