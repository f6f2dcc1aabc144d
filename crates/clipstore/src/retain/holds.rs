//! Holds: footage that is kept as evidence until a person releases it.
//!
//! One JSON file per hold in `holds/`, beside the clip files: a lost index loses no hold. Commands write them, while
//! the daemon runs or not; the daemon's writer checks the folder again before each file that it deletes. A file that
//! cannot be parsed is never taken for no hold.
//!
//! The folder's lock (flock) is held shared from the last check until the file is deleted, and exclusively while a hold
//! gets its name: footage that exists when [`hold`] returns stays.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::owner;
use crate::read::access::{self, AccessClip, AccessEntry, AccessKind};
use crate::read::catalogue::Catalogue;
use base::clock::{Clock, SystemClock};
use base::fault::chain;
use base::ids::{AlertId, CameraId};
use base::time::{ClockState, WallTime};

/// The value of `schema` in every hold of this version.
pub const SCHEMA: &str = "wardwatch.hold/1";

/// Letters of an id: none that looks like another, or like a digit.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const ID_LETTERS: usize = 5;
/// Maximum number of the writer's tries to get the folder's lock, a millisecond apart, before it deletes nothing for a while.
const LOCK_TRIES: u32 = 20;

/// Footage to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold {
    /// Its camera.
    pub camera: CameraId,
    /// Its start.
    pub from: WallTime,
    /// Its end; may be in the future.
    pub to: WallTime,
    /// The alert that it belongs to, if any.
    pub alert: Option<AlertId>,
    /// Reason, for a person that finds it later.
    pub reason: String,
    /// Person that asks for it.
    pub who: String,
}

/// Footage that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Its name: five letters and digits.
    pub id: String,
    /// Time of its creation.
    pub at: WallTime,
    /// Trust in `at`.
    pub clock: ClockState,
    /// Its camera.
    pub camera: CameraId,
    /// Its start.
    pub from: WallTime,
    /// Its end.
    pub to: WallTime,
    /// The alert that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
    /// Reason for the hold.
    pub reason: String,
    /// Person that asked for it.
    pub who: String,
    /// The files (below `clips/`) that overlapped when it was made. They are held even if their times change.
    pub paths: Vec<PathBuf>,
}

/// A file that should be a hold and cannot be parsed. It holds everything of its camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedHold {
    /// The file.
    pub path: PathBuf,
    /// The camera, if it can be read; without one, everything is held.
    pub camera: Option<CameraId>,
    /// Description of the damage.
    pub why: String,
}

/// Content of the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    /// Valid holds, oldest first.
    pub holds: Vec<Hold>,
    /// Files that are not valid.
    pub damaged: Vec<DamagedHold>,
}

/// Holds footage of the store in `directory`, also beside its daemon; on the disk when it returns.
///
/// The access log gets its line first. Retention may delete footage before this returns: check that the files of
/// [`Hold::paths`] exist. Without a readable index the hold names no files, and covers its span of time alone.
///
/// # Errors
/// A span that ends before it begins, or a disk that refuses; then nothing is held, though the access log may say so.
pub fn hold(directory: &Path, new: NewHold) -> Result<Hold, StoreError> {
    if new.to <= new.from {
        return Err(StoreError::EmptySpan { from: new.from, to: new.to });
    }
    let folder = folder(directory);
    fs::create_dir_all(&folder)
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(StoreError::clip("make the folder", &folder))?;
    owner::hand_over(directory, &folder);
    let now = SystemClock.now();
    let hold = Hold {
        schema: SCHEMA.to_owned(),
        id: free_id(&folder),
        at: whole_millis(now.wall),
        clock: now.clock,
        paths: overlapping(directory, &new),
        camera: new.camera,
        from: whole_millis(new.from),
        to: whole_millis(new.to + Duration::from_micros(999)),
        alert: new.alert,
        reason: new.reason,
        who: new.who,
    };
    let temporary = write_temporary(&folder, &hold)?;
    owner::hand_over(directory, &temporary);
    let path = file(&folder, &hold.id);
    let placed = log(directory, &hold, AccessKind::Held, &hold.who, &hold.reason)
        .and_then(|()| place(&folder, &temporary, &path).map_err(StoreError::clip("write the hold", &path)));
    if placed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    placed.map(|()| hold)
}

/// Ends a hold: retention deletes its footage as it does other footage. The access log gets its line first.
///
/// # Errors
/// No such hold, one that is damaged (the error tells the remedy), or a disk that refuses; then it still holds.
pub fn release(directory: &Path, id: &str, who: &str, reason: &str) -> Result<Hold, StoreError> {
    let (folder, is_id) = (folder(directory), id.bytes().all(|letter| letter.is_ascii_alphanumeric()));
    let path = file(&folder, id);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NoSuchHold(id.to_owned())),
        _ if !is_id || id.is_empty() => Err(StoreError::NoSuchHold(id.to_owned())),
        read => read.map_err(StoreError::clip("read the hold", &path)),
    }?;
    let hold = parse(&text).map_err(|why| StoreError::DamagedHold { path: path.clone(), why })?;
    log(directory, &hold, AccessKind::Released, who, reason)?;
    fs::remove_file(&path)
        .and_then(|()| File::open(&folder)?.sync_all())
        .map_err(StoreError::clip("remove the hold", &path))?;
    Ok(hold)
}

/// All holds of the store in `directory`.
///
/// # Errors
/// A folder that cannot be read. Files that cannot are among [`Holds::damaged`].
pub fn list(directory: &Path) -> Result<Holds, StoreError> {
    let folder = folder(directory);
    let mut found = Holds::default();
    let paths = signatures(&folder).map_err(StoreError::clip("read the folder", &folder))?;
    for path in paths.into_keys() {
        let text = fs::read(&path);
        match text.as_ref().map_err(ToString::to_string).and_then(|text| parse(text)) {
            Ok(hold) => found.holds.push(hold),
            // Released meanwhile.
            Err(_) if !path.exists() => {}
            Err(why) => {
                let camera = text.ok().and_then(|text| camera_in(&text));
                found.damaged.push(DamagedHold { path, camera, why });
            }
        }
    }
    found.holds.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Ok(found)
}

/// The last whole millisecond: JSON has no finer times.
fn whole_millis(at: WallTime) -> WallTime {
    WallTime::from_micros(at.as_micros().div_euclid(1000) * 1000)
}

/// Folder of the holds.
pub(crate) fn folder(directory: &Path) -> PathBuf {
    directory.join("holds")
}

/// The writer's view of the folder: notices changes.
#[derive(Debug)]
pub(crate) struct HoldsFolder {
    directory: PathBuf,
    folder: PathBuf,
    seen: Option<BTreeMap<PathBuf, Signature>>,
}

/// Inode, modification time and length of a file: a new content is a new inode.
type Signature = (u64, i64, i64, u64);

impl HoldsFolder {
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), folder: folder(directory), seen: None }
    }

    /// The present holds, if they may differ from those of the last call.
    pub fn changes(&mut self) -> Result<Option<Holds>, StoreError> {
        let failed = StoreError::clip("read the folder", &self.folder);
        let there = signatures(&self.folder).inspect_err(|_| self.seen = None).map_err(failed)?;
        if self.seen.as_ref() == Some(&there) {
            return Ok(None);
        }
        let holds = list(&self.directory)?;
        self.seen = Some(there);
        Ok(Some(holds))
    }

    /// While this is kept, no hold gets its name. `None` where another process keeps it for long.
    pub fn lock(&self) -> Result<Option<HoldsLock>, StoreError> {
        self.try_lock().map_err(StoreError::clip("lock the folder", &self.folder))
    }

    fn try_lock(&self) -> io::Result<Option<HoldsLock>> {
        let folder = match File::open(&self.folder) {
            // No hold can have been made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(HoldsLock(None))),
            opened => opened?,
        };
        for _ in 0..LOCK_TRIES {
            match folder.try_lock_shared() {
                Ok(()) => return Ok(Some(HoldsLock(Some(folder)))),
                Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// See [`HoldsFolder::lock`].
#[derive(Debug)]
pub(crate) struct HoldsLock(#[expect(dead_code, reason = "its descriptor keeps the lock")] Option<File>);

/// The holds in `folder`, each with the signature that shows a change. A folder that does not exist has none.
fn signatures(folder: &Path) -> io::Result<BTreeMap<PathBuf, Signature>> {
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let is_hold = path.extension().is_some_and(|end| end == "json");
        if !is_hold {
            continue;
        }
        match fs::metadata(&path) {
            Ok(now) => found.insert(path, (now.ino(), now.mtime(), now.mtime_nsec(), now.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
    }
    Ok(found)
}

fn parse(text: &[u8]) -> Result<Hold, String> {
    let hold: Hold = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if hold.schema != SCHEMA {
        return Err(format!("its schema is {:?}, not {SCHEMA:?}", hold.schema));
    }
    if hold.to <= hold.from { Err("it ends before it begins".to_owned()) } else { Ok(hold) }
}

/// The camera in a text that may be no JSON any more.
fn camera_in(text: &[u8]) -> Option<CameraId> {
    let text = String::from_utf8_lossy(text);
    let (_, behind) = text.split_once("\"camera\"")?;
    behind.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?.split_once('"')?.0.parse().ok()
}

fn file(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.json"))
}

fn free_id(folder: &Path) -> String {
    loop {
        let id: String = std::iter::repeat_with(random_letter).take(ID_LETTERS).collect();
        if !file(folder, &id).exists() {
            return id;
        }
    }
}

fn random_letter() -> char {
    char::from(LETTERS[rand::random_range(0..LETTERS.len())])
}

/// The files that overlap now, below `clips/`.
fn overlapping(directory: &Path, new: &NewHold) -> Vec<PathBuf> {
    let footage =
        Catalogue::open(directory).and_then(|catalogue| catalogue.footage(&new.camera, new.from, new.to));
    let clips = crate::clips_path(directory);
    match footage {
        Ok(clip) => clip
            .segments
            .iter()
            .filter_map(|segment| segment.path.strip_prefix(&clips).ok().map(Path::to_owned))
            .collect(),
        Err(error) => {
            tracing::warn!("the hold names no files, and covers its span of time alone: {}", chain(&error));
            Vec::new()
        }
    }
}

/// Writes the hold under a name that is not read.
fn write_temporary(folder: &Path, hold: &Hold) -> Result<PathBuf, StoreError> {
    let path = folder.join(format!(".{}.tmp", hold.id));
    let mut text = serde_json::to_vec_pretty(hold).expect("a hold is JSON");
    text.push(b'\n');
    let written = write_synced(&path, &text).map_err(StoreError::clip("write the hold", &path));
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written.map(|()| path)
}

fn write_synced(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text)?;
    // The daemon has to read the hold of any user.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()
}

/// Gives the hold its name, while the writer deletes nothing.
fn place(folder: &Path, temporary: &Path, path: &Path) -> io::Result<()> {
    let opened = File::open(folder)?;
    opened.lock()?;
    fs::rename(temporary, path)?;
    opened.unlock()?;
    opened.sync_all()
}

fn log(directory: &Path, hold: &Hold, what: AccessKind, who: &str, why: &str) -> Result<(), StoreError> {
    let now = SystemClock.now();
    let clip =
        AccessClip { camera: hold.camera.clone(), starts_at: hold.from, ends_at: hold.to, alert: hold.alert };
    let entry = AccessEntry {
        at: now.wall,
        clock: now.clock,
        what,
        who: who.to_owned(),
        why: why.to_owned(),
        clips: vec![clip],
        detail: hold.id.clone(),
    };
    access::append(directory, &entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(count: i64) -> WallTime {
        WallTime::from_micros(count * 60_000_000)
    }

    fn new() -> NewHold {
        NewHold {
            camera: "gate".parse().unwrap(),
            from: minutes(3),
            to: minutes(5),
            alert: None,
            reason: "vụ 17".into(),
            who: "an".into(),
        }
    }

    #[test]
    fn a_hold_is_made_noticed_listed_and_released() {
        let place = tempfile::tempdir().unwrap();
        let mut seen = HoldsFolder::new(place.path());
        assert_eq!(seen.changes().unwrap(), Some(Holds::default()));
        let held = hold(place.path(), new()).unwrap();
        assert_eq!((held.id.len(), &held.reason, held.paths.len()), (ID_LETTERS, &"vụ 17".to_owned(), 0));
        let there = Holds { holds: vec![held.clone()], damaged: Vec::new() };
        assert_eq!(seen.changes().unwrap().as_ref(), Some(&there));
        assert_eq!(seen.changes().unwrap(), None);
        assert_eq!(list(place.path()).unwrap(), there);

        assert_eq!(release(place.path(), &held.id, "bình", "closed").unwrap(), held);
        assert_eq!(seen.changes().unwrap(), Some(Holds::default()));
        for wrong in [held.id.as_str(), "", "../x", "a/b"] {
            let error = release(place.path(), wrong, "bình", "closed").unwrap_err();
            assert!(matches!(error, StoreError::NoSuchHold(id) if id == wrong));
        }
        let log = fs::read_to_string(place.path().join("access.jsonl")).unwrap();
        let what = ["\"what\":\"held\",\"who\":\"an\"", "\"what\":\"released\",\"who\":\"bình\""];
        assert_eq!(log.lines().count(), 2);
        assert!(log.lines().zip(what).all(|(line, what)| line.contains(what)), "{log}");
    }

    #[test]
    fn a_span_that_ends_before_it_begins_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let error = hold(place.path(), NewHold { to: minutes(3), ..new() }).unwrap_err();
        assert!(matches!(error, StoreError::EmptySpan { .. }), "{error}");
        assert!(!place.path().join("access.jsonl").exists());
    }

    #[test]
    fn a_damaged_file_is_no_missing_hold() {
        let place = tempfile::tempdir().unwrap();
        let whole = hold(place.path(), new()).unwrap();
        let path = file(&folder(place.path()), &whole.id);
        let text = fs::read_to_string(&path).unwrap();
        let damaged = |text: &str| {
            fs::write(&path, text).unwrap();
            let found = list(place.path()).unwrap();
            assert!(found.holds.is_empty());
            found.damaged[0].camera.clone()
        };
        let gate = Some(new().camera);
        assert_eq!(damaged(&text[..text.len() / 2]), gate, "torn");
        assert_eq!(damaged(&text.replace("hold/1", "hold/2")), gate, "from the future");
        assert_eq!(damaged(&text.replace("1970-01-01T00:05", "1970-01-01T00:01")), gate, "no span");
        assert_eq!(damaged(&text[..20]), None);
        assert_eq!(damaged(""), None);
        let error = release(place.path(), &whole.id, "an", "over").unwrap_err();
        assert!(error.to_string().contains(&format!("{}.json", whole.id)), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn nothing_is_removed_while_a_hold_gets_its_name() {
        let place = tempfile::tempdir().unwrap();
        hold(place.path(), new()).unwrap();
        let writer = HoldsFolder::new(place.path());
        let other = File::open(folder(place.path())).unwrap();
        other.lock().unwrap();
        assert!(writer.lock().unwrap().is_none());
        other.unlock().unwrap();
        assert!(writer.lock().unwrap().is_some());
    }
}
