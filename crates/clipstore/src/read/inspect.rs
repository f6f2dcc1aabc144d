//! Checks a store, beside a daemon that writes it, and repairs it where none does.
//!
//! [`check`] changes nothing. While it reads, segments come, grow and go: a suspect is checked again a while later, and
//! reported only if it is still wrong. [`repair`] needs the store's lock; it never removes footage.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde::Serialize;

use crate::error::StoreError;
use crate::export::wrong_header;
use crate::index::migrate;
use crate::index::{Index, IndexedFragment, KnownSegment, Origin, parse_alert, unsigned};
use crate::opening;
use crate::owner;
use crate::recover::directory_scan::{self, Difference};
use crate::recover::identity;
use crate::recover::rebuild::{self, Opened};
use crate::recover::reconcile::ScanMode;
use crate::recover::reconciled::Reconciled;
use crate::settings::Settings;
use crate::write::container::{self, Start, Walk};
use base::clock;
use base::fault::{ErrorKind, chain};
use base::ids::{CameraId, OutboxId};
use base::time::WallTime;

/// Time before a suspect is checked again: a row follows its bytes within a sync interval, and is removed within one
/// after its file.
const RECHECK_AFTER: Duration = Duration::from_secs(3);
/// Maximum number of reported complaints of SQLite.
const COMPLAINTS_MAX: usize = 20;

/// Depth of [`check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Existence, length, start and end of the files.
    Quick,
    /// Every byte.
    Deep,
}

/// Kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    /// The index is not there, or cannot be used.
    Index,
    /// A row refers to a file that does not exist.
    FileMissing,
    /// A file is shorter than its row says.
    FileShort,
    /// A file has more than its row says, though nothing is added any more.
    FileLong,
    /// Another file is in the place of the row's own.
    FileOther,
    /// A file has no row.
    FileUnknown,
    /// A file cannot be read.
    FileUnreadable,
    /// A file's header or trailer is not where it should be.
    Structure,
    /// Bytes are not those that were written.
    Bytes,
    /// Pictures do not match the file's header.
    Header,
    /// A number was given to an alert, and no such alert exists.
    SeqHole,
    /// An alert's message cannot be parsed.
    Message,
    /// A file lies in `aside/`, where no limit reaches it.
    Aside,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Kind of the fault.
    pub wrong: Wrong,
    /// Place: a file, or a place in the index.
    pub place: String,
    /// Camera of the footage, where it is about footage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    /// Start of the affected footage, where it is about footage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<WallTime>,
    /// Details, for a person.
    pub text: String,
    /// Remedy.
    pub remedy: &'static str,
}

impl Finding {
    /// A fault at a file.
    fn at_file(wrong: Wrong, path: &Path, text: String, remedy: &'static str) -> Self {
        Self { wrong, place: path.display().to_string(), camera: None, at: None, text, remedy }
    }

    /// The same, about footage of `segment` from `at`.
    fn about(self, segment: &KnownSegment, at: WallTime) -> Self {
        Self { camera: Some(segment.camera.clone()), at: Some(at), ..self }
    }
}

const REPAIR: &str = "stop the daemon and run `wardwatch store repair`";
const REBUILD: &str =
    "stop the daemon and run `wardwatch store repair`: it builds the index again from the clip files";
const OTHER: &str = "put the original file back if you have it; then stop the daemon and run `wardwatch store repair`, which \
                     indexes this file as the one that it is";
const KEEP: &str = "the bytes are lost, and the rest of the footage is kept; check the disk's health";
const EXPORT: &str = "the footage is kept as it is; `wardwatch clips export` starts a new file there, to be checked with ffmpeg";
const UNREADABLE: &str = "check the disk's health, and the permissions of this file";

/// Result of [`repair`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// Repaired faults.
    pub reconciled: Reconciled,
    /// Faults that could not be repaired.
    pub remaining: Vec<Finding>,
}

/// Files in `aside/`: footage there would be kept for ever, so a person has to decide.
fn check_aside(directory: &Path) -> Result<Vec<Finding>, StoreError> {
    let aside = directory.join("aside");
    if !aside.exists() {
        return Ok(Vec::new());
    }
    let files = directory_scan::compare(&aside, &[])?.unknown;
    let text = "the file is not as the store writes files, and was quarantined here; no limit applies to it";
    let remedy = "check whether you need the file, then remove it";
    Ok(files
        .iter()
        .map(|path| Finding::at_file(Wrong::Aside, &aside.join(path), text.to_owned(), remedy))
        .collect())
}

/// Checks the store in `settings.directory` and returns its faults. Changes nothing, needs no lock. `progress` gets the
/// number of checked segments and the number of all.
///
/// # Errors
/// A store that cannot be read: no such folder, no right to read it, an index of a newer wardwatch.
pub fn check(
    settings: &Settings,
    depth: Depth,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Finding>, StoreError> {
    let path = crate::index_path(&settings.directory);
    let clips = crate::clips_path(&settings.directory);
    if let Err(source) = std::fs::read_dir(&settings.directory) {
        return Err(StoreError::clip("read the folder", &settings.directory)(source));
    }
    let index_fault = match std::fs::metadata(&path) {
        Ok(metadata) if metadata.len() == 0 => Some("the index is empty: 0 bytes"),
        Err(_) if !path.exists() => Some("the index is missing"),
        _ => None,
    };
    if let Some(text) = index_fault {
        return Ok(vec![Finding::at_file(Wrong::Index, &path, text.to_owned(), REBUILD)]);
    }
    require_clips(&clips)?;
    match check_all(settings, depth, progress) {
        Err(error @ StoreError::Index { .. }) if error.kind() == ErrorKind::Corrupt => {
            Ok(vec![Finding::at_file(Wrong::Index, &path, chain(&error), REBUILD)])
        }
        result => result,
    }
}

fn check_all(
    settings: &Settings,
    depth: Depth,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Finding>, StoreError> {
    let path = crate::index_path(&settings.directory);
    let index = open_to_read(&path)?;
    let mut findings = check_files(&index, &crate::clips_path(&settings.directory), depth, progress)?;
    findings.extend(check_index(index.connection(), &path, depth));
    findings.extend(check_alerts(&index, &path, settings.alert_age_max, depth)?);
    findings.extend(check_aside(&settings.directory)?);
    Ok(findings)
}

/// Opens an index to read, and reads the ends of its tables. One of an earlier version has fewer of them until the daemon
/// brings it up.
fn open_to_read(path: &Path) -> Result<Index, StoreError> {
    let index = Index::open_to_read(path)?;
    if migrate::is_newest(index.connection(), path)? {
        index.read_ends()?;
    }
    Ok(index)
}

/// Describes an index that the daemon could not use as it is; `None` for a sound one, and for a store that is new. Reads the
/// ends of its tables only.
pub fn index_problem(directory: &Path) -> Option<String> {
    let path = crate::index_path(directory);
    let has_footage = || {
        directory_scan::compare(&crate::clips_path(directory), &[]).is_ok_and(|all| !all.unknown.is_empty())
    };
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.len() > 0 => open_to_read(&path).err().map(|error| chain(&error)),
        Ok(_) if has_footage() => Some(format!("{} is empty", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_footage() => {
            Some(format!("{} is missing, and there is footage", path.display()))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Some(format!("{}: {error}", path.display())),
        _ => None,
    }
}

/// Repairs the store as far as possible, with its lock: the faults that opening repairs, for all files, and the index if
/// SQLite finds anything wrong with it. Then checks every byte.
pub fn repair(settings: &Settings, progress: &mut dyn FnMut(u64, u64)) -> Result<Repaired, StoreError> {
    let directory = &settings.directory;
    if let Err(source) = std::fs::read_dir(directory) {
        return Err(StoreError::clip("read the folder", directory)(source));
    }
    require_clips(&crate::clips_path(directory))?;
    let _lock = opening::lock(directory)?;
    let repaired = repair_locked(settings, progress);
    owner::hand_over_all(directory);
    repaired
}

/// Checks that the folder of the clip files exists: without it every row would be removed, though its disk may only not be
/// mounted.
fn require_clips(clips: &Path) -> Result<(), StoreError> {
    if clips.exists() { Ok(()) } else { Err(StoreError::NoClips { path: clips.to_owned() }) }
}

fn repair_locked(settings: &Settings, progress: &mut dyn FnMut(u64, u64)) -> Result<Repaired, StoreError> {
    let directory = &settings.directory;
    let boot_id = clock::boot_id();
    let Opened { index, mut reconciled, .. } = rebuild::open(directory, &boot_id, ScanMode::All)?;
    let is_sound = rebuild::is_sound(index.connection());
    let path = crate::index_path(directory);
    index.close().or_else(|error| if is_sound { Err(error) } else { Ok(()) })?;
    if !is_sound {
        tracing::warn!("{} is damaged: building it again from the clip files", path.display());
        reconciled = reconciled.and(rebuild::rebuild(directory, &boot_id, ScanMode::All)?.reconciled);
    }
    let remaining = check(settings, Depth::Deep, progress)?;
    Ok(Repaired { reconciled, remaining })
}

/// Compares rows with files.
fn check_files(
    index: &Index,
    clips: &Path,
    depth: Depth,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Finding>, StoreError> {
    let known = index.segments()?;
    let Difference { unknown, unread, .. } = directory_scan::compare(clips, &known)?;
    let total = known.len() as u64;
    let mut suspects = Vec::new();
    let unread = unread.into_iter().map(|(folder, error)| {
        Finding::at_file(Wrong::FileUnreadable, &clips.join(folder), error.to_string(), UNREADABLE)
    });
    let mut findings: Vec<Finding> = unread.collect();
    for (done, segment) in (1..).zip(known) {
        match check_segment(index, clips, &segment)? {
            Some(_) => suspects.push(segment.id),
            None if depth == Depth::Deep => findings.extend(verify(index, clips, &segment)?),
            None => {}
        }
        progress(done, total);
    }
    if suspects.is_empty() && unknown.is_empty() {
        return Ok(findings);
    }
    let began = Instant::now();
    while began.elapsed() < RECHECK_AFTER {
        std::thread::sleep(RECHECK_AFTER.saturating_sub(began.elapsed()));
    }
    for id in suspects {
        if let Some(segment) = index.segment(id)? {
            findings.extend(check_segment(index, clips, &segment)?);
        }
    }
    for path in unknown {
        let is_indexed = index.has_path(&path)?;
        let absolute = clips.join(path);
        if !is_indexed && absolute.exists() {
            let text = "the index does not know this file".to_owned();
            findings.push(Finding::at_file(Wrong::FileUnknown, &absolute, text, REPAIR));
        }
    }
    Ok(findings)
}

/// Checks a segment's file without reading its footage.
fn check_segment(index: &Index, clips: &Path, segment: &KnownSegment) -> Result<Option<Finding>, StoreError> {
    let path = clips.join(&segment.path);
    let last = index.last_fragment(segment.id)?;
    let origin = index.origin(segment.id)?;
    let fault = file_fault(&path, segment, last.as_ref(), origin.as_ref())
        .unwrap_or_else(|error| Some((Wrong::FileUnreadable, error.to_string())));
    Ok(fault.map(|(wrong, text)| {
        let remedy = match wrong {
            Wrong::FileUnreadable => UNREADABLE,
            Wrong::Structure => KEEP,
            Wrong::FileOther => OTHER,
            _ => REPAIR,
        };
        Finding::at_file(wrong, &path, text, remedy).about(segment, segment.starts_at)
    }))
}

/// Compares the file at `path` with its row: existence, origin, length, start and end.
fn file_fault(
    path: &Path,
    segment: &KnownSegment,
    last: Option<&IndexedFragment>,
    origin: Option<&Origin>,
) -> io::Result<Option<(Wrong, String)>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Some((Wrong::FileMissing, "the file is missing".to_owned())));
        }
        file => file?,
    };
    let mut walk = Walk::new(&file, 0)?;
    if let Some(text) = other(&mut walk, origin)? {
        return Ok(Some((Wrong::FileOther, text)));
    }
    let (length, indexed) = (walk.length(), segment.bytes);
    let text = format!("the file has {length} bytes, and the index expects {indexed}");
    if length < indexed {
        return Ok(Some((Wrong::FileShort, text)));
    }
    if length > indexed && segment.ended {
        return Ok(Some((Wrong::FileLong, text)));
    }
    Ok(structure(&mut walk, last)?.map(|text| (Wrong::Structure, text)))
}

/// Describes the file of another segment.
fn other(walk: &mut Walk<'_>, origin: Option<&Origin>) -> io::Result<Option<String>> {
    Ok(match (walk.start()?, origin) {
        (Start::Ours { header, .. }, Some(origin)) => identity::difference(&header, origin),
        _ => None,
    })
}

/// Describes a fault at a file's start or end. The files of the first version have neither header nor trailers.
fn structure(walk: &mut Walk<'_>, last: Option<&IndexedFragment>) -> io::Result<Option<String>> {
    match walk.start()? {
        Start::Ours { .. } => {}
        Start::Foreign => return Ok(None),
        Start::Nothing => return Ok(Some("the file does not start as a clip file does".to_owned())),
    }
    let Some(last) = last else {
        return Ok(Some("the index has no fragment of this file".to_owned()));
    };
    let end = last.offset_bytes + last.bytes;
    // Nothing behind it: the trailer was torn off, and the fragment was kept.
    if end == walk.length() {
        return Ok(None);
    }
    let fits = walk.trailer(end)?.is_some_and(|(trailer, _)| trailer.sha256 == last.sha256);
    Ok((!fits).then(|| format!("the trailer of the last indexed fragment is not at byte {end}")))
}

/// Compares a file's bytes with its rows.
fn verify(index: &Index, clips: &Path, segment: &KnownSegment) -> Result<Option<Finding>, StoreError> {
    let path = clips.join(&segment.path);
    let fragments = index.fragments(segment.id)?;
    let ends = fragments.iter().map(|fragment| (fragment.offset_bytes + fragment.bytes, fragment.sha256));
    let mut headers = None;
    let verified = File::open(&path).and_then(|file| {
        let verified = container::count_verified(&file, ends)?;
        headers = wrong_header(&file, &fragments);
        Ok(verified)
    });
    let found = match verified {
        Ok(verified) => fragments.get(verified).map(|bad| {
            let (from, count) = (bad.offset_bytes, fragments.len() - verified);
            let text = format!(
                "damaged bytes in or before the fragment at byte {from}; {count} of {} fragments fail their sha256",
                fragments.len()
            );
            Finding::at_file(Wrong::Bytes, &path, text, KEEP).about(segment, bad.starts_at)
        }),
        Err(error) => {
            let finding = Finding::at_file(Wrong::FileUnreadable, &path, error.to_string(), KEEP);
            Some(finding.about(segment, segment.starts_at))
        }
    };
    let found = found.or_else(|| {
        let (at, text) = headers?;
        Some(Finding::at_file(Wrong::Header, &path, text, EXPORT).about(segment, at))
    });
    // Retention may have removed it meanwhile.
    Ok(if found.is_some() && (index.segment(segment.id)?.is_none() || !path.exists()) { None } else { found })
}

/// Faults that SQLite itself finds.
fn check_index(connection: &Connection, path: &Path, depth: Depth) -> Vec<Finding> {
    let pragma = match depth {
        Depth::Quick => format!("PRAGMA quick_check({COMPLAINTS_MAX})"),
        Depth::Deep => format!("PRAGMA integrity_check({COMPLAINTS_MAX})"),
    };
    let complaints = complaints(connection, &pragma).unwrap_or_else(|error| vec![error.to_string()]);
    complaints.into_iter().map(|text| Finding::at_file(Wrong::Index, path, text, REBUILD)).collect()
}

fn complaints(connection: &Connection, pragma: &str) -> rusqlite::Result<Vec<String>> {
    let mut found: Vec<String> =
        connection.prepare(pragma)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    found.retain(|text| text != "ok");
    let mut orphans = connection.prepare("PRAGMA foreign_key_check")?;
    let orphans = orphans.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} refers to a missing row of {parent}"))
    })?;
    found.extend(orphans.take(COMPLAINTS_MAX).collect::<rusqlite::Result<Vec<_>>>()?);
    let impossible = rebuild::count_impossible_times(connection)?;
    if impossible > 0 {
        found.push(format!("{impossible} segments have impossible times, or end before they start"));
    }
    Ok(found)
}

/// Checks for holes in the numbers, and in a deep check for invalid messages.
fn check_alerts(
    index: &Index,
    path: &Path,
    age_max: Duration,
    depth: Depth,
) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (first, last) in holes(index, path, clock::wall() - age_max)? {
        let seq = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let text = "the number was given, and the alert is missing".to_owned();
        findings.push(alert_finding(Wrong::SeqHole, path, &seq, text, REBUILD));
    }
    if depth == Depth::Deep {
        let failed = || StoreError::index("read the alerts", path);
        let mut select =
            index.connection().prepare("SELECT seq, message FROM alert ORDER BY seq").map_err(failed())?;
        let mut rows = select.query([]).map_err(failed())?;
        while let Some(row) = rows.next().map_err(failed())? {
            let seq = unsigned(row.get(0).map_err(failed())?);
            let message: String = row.get(1).map_err(failed())?;
            if let Err(error) = parse_alert(OutboxId::default(), seq, (message, None)) {
                let remedy = "the message is lost; the post is not told of it";
                findings.push(alert_finding(Wrong::Message, path, &seq.to_string(), chain(&error), remedy));
            }
        }
    }
    Ok(findings)
}

fn alert_finding(wrong: Wrong, index: &Path, seq: &str, text: String, remedy: &'static str) -> Finding {
    let place = format!("{}, alert {seq}", index.display());
    Finding { wrong, place, camera: None, at: None, text, remedy }
}

/// Numbers that were given and that no alert has. Those that follow an alert stored before `old` may have been removed
/// by retention; those that a rebuild noted are known.
fn holes(index: &Index, path: &Path, old: WallTime) -> Result<Vec<(u64, u64)>, StoreError> {
    select_holes(index.connection(), old).map_err(StoreError::index("read the alerts", path))
}

fn select_holes(connection: &Connection, old: WallTime) -> rusqlite::Result<Vec<(u64, u64)>> {
    // One statement sees one moment: the daemon may be writing.
    let known = if connection.table_exists(None, "seq_gap")? {
        "NOT EXISTS (SELECT 1 FROM seq_gap WHERE first <= seq + 1 AND last >= following - 1)"
    } else {
        "true"
    };
    let sql = format!(
        "WITH given AS (
             SELECT seq, stored_wall_us, lead(seq, 1, (SELECT last + 1 FROM sequence)) OVER (ORDER BY seq)
                    AS following
             FROM alert)
         SELECT seq + 1, following - 1 FROM given
         WHERE following <> seq + 1 AND stored_wall_us > ?1 AND {known}"
    );
    let mut select = connection.prepare(&sql)?;
    select.query_map([old.as_micros()], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?.collect()
}
