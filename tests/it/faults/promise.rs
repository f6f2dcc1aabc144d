//! Comparison of a store after a fault with its promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::alert::{Alert, Thumbnail};
use base::ids::AlertId;
use base::time::WallTime;
use clipstore::{Settings, Store};
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::load::{
    ALERT_AGE_MAX, CAMERAS, GOP, Number, Opened, SYNC_INTERVAL, Told, TrustedClock, bytes, digest, init,
    read_number, settings,
};

/// Tolerance around an age limit: an item within it may be there or not.
const MARGIN: Duration = Duration::from_secs(2);
/// Breaches of each kind that are described in full.
const SAID_MAX: u64 = 5;
/// Delay beyond the promise that a busy machine may add.
const BUSY: Duration = Duration::from_secs(2);
/// Bytes of a segment of half a second with fragments of the largest size only, and one that was late.
const SEGMENT_BYTES_MAX: u64 = 14 * 13_000;

/// A message: its alert, and whether it is the closing one.
type Message = (AlertId, bool);

/// Reports of the child, as far as the checks need them.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Number of the first fragment of this run.
    first: u32,
    appended: BTreeMap<Number, WallTime>,
    /// Fragments that must be on the disk, according to the reports.
    durable: BTreeSet<Number>,
    /// Alerts that were handed to the store, with or without an answer.
    drafts: BTreeMap<Message, (Opened, Option<WallTime>)>,
    stored: BTreeMap<Message, (u64, String)>,
    delivering: BTreeSet<u64>,
    /// Latest time in a report.
    latest: Option<WallTime>,
}

impl Ledger {
    /// Begins a new run. Returns the number of its first fragment.
    pub fn begin(&mut self) -> u32 {
        self.first = self.appended.keys().map(|number| number.number + 2).max().unwrap_or(0);
        self.first
    }

    pub fn hear(&mut self, told: &Told) {
        match told {
            Told::Open => {}
            Told::Appended(number, wall) => {
                self.appended.insert(*number, *wall);
                self.latest = self.latest.max(Some(*wall));
            }
            Told::Indexed(number) => {
                let first = Number { number: self.first, ..*number };
                // This run promises nothing about the fragments of an earlier run.
                let before = self.appended.range(first..=first.max(*number)).map(|(number, _)| *number);
                self.durable.extend(before.filter(|before| before <= number).collect::<Vec<_>>());
            }
            Told::Putting(opened, closed_at) => {
                self.drafts.insert((opened.id, closed_at.is_some()), (*opened, *closed_at));
                self.latest = self.latest.max(Some(opened.at));
            }
            Told::Put { id, closed, seq, digest } => {
                self.stored.insert((*id, *closed), (*seq, digest.clone()));
            }
            Told::Delivering(seq) => {
                self.delivering.insert(*seq);
            }
        }
    }

    /// Adds a report of an act that may have been done before the report came.
    pub fn hear_intention(&mut self, told: &Told) {
        match told {
            // An intention that is known already stays as it is.
            Told::Putting(opened, closed_at) => {
                self.drafts.entry((opened.id, closed_at.is_some())).or_insert((*opened, *closed_at));
            }
            other => self.hear(other),
        }
    }

    /// Alerts without a confirmed closing.
    pub fn open_alerts(&self) -> Vec<Opened> {
        let opening = self.drafts.iter().filter(|((id, closed), _)| !closed && !self.is_stored(*id, true));
        opening.map(|(_, (opened, _))| *opened).collect()
    }

    /// Numbers of appended fragments, of stored messages and of fragments that must last.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.appended.len(), self.stored.len(), self.durable.len())
    }

    /// Number of appended fragments that are not there.
    pub fn missing(&self, found: &Found) -> usize {
        self.appended.keys().filter(|number| !found.fragments.contains_key(number)).count()
    }

    fn is_stored(&self, id: AlertId, closed: bool) -> bool {
        self.stored.contains_key(&(id, closed))
    }

    /// Takes over a check's result: all that is there now has to stay there, and a loss is counted once.
    pub fn learn(&mut self, found: &Found) {
        self.durable = found.fragments.keys().copied().collect();
        self.stored.clone_from(&found.messages);
        let first = found.fragments.keys().map(|number| number.number).min().unwrap_or(0);
        self.appended.retain(|number, _| number.number >= first);
    }

    /// Spans that alerts pin, with camera, start, end and expiry; the earlier expiry if the closing is not known.
    fn pins(&self) -> Vec<Pin> {
        let opened = self.stored.keys().filter(|(_, closed)| !closed);
        let pin = |(id, _): &Message| {
            let (opened, _) = self.drafts.get(&(*id, false))?;
            let closed_at = self.drafts.get(&(*id, true)).and_then(|(_, closed_at)| *closed_at);
            let draft = opened.draft(closed_at);
            Some(Pin {
                camera: opened.camera,
                from: draft.clip.starts_at,
                to: draft.clip.ends_at.unwrap_or(WallTime::from_micros(i64::MAX)),
                until: closed_at.unwrap_or(opened.at) + ALERT_AGE_MAX,
            })
        };
        opened.filter_map(pin).collect()
    }
}

struct Pin {
    camera: usize,
    from: WallTime,
    to: WallTime,
    until: WallTime,
}

impl Pin {
    fn covers(&self, number: Number, wall: WallTime) -> bool {
        self.camera == number.camera && wall < self.to && wall + GOP > self.from
    }
}

/// Contents of a store on the disk.
#[derive(Debug, Default)]
pub struct Found {
    pub fragments: BTreeMap<Number, WallTime>,
    pub messages: BTreeMap<Message, (u64, String)>,
    /// Span that each event pins.
    spans: BTreeMap<AlertId, (WallTime, Option<WallTime>)>,
    outbox: BTreeSet<u64>,
    segments: Vec<Vec<Number>>,
    pub bytes: u64,
}

/// Counts of broken promises.
#[derive(Debug, Default)]
pub struct Broken {
    pub lost_events: u64,
    pub corrupt_indexes: u64,
    pub lost_pins: u64,
    pub lost_footage: u64,
    /// Rows and files that do not agree, and everything else.
    pub wrong: u64,
    /// Descriptions of the first few breaches of each kind.
    pub said: Vec<String>,
    /// Fragments that were appended and are not there, of the camera that has most of them.
    pub lost_gops: usize,
    /// Age of the oldest of these when the child was last heard of.
    pub lost_span: Duration,
}

impl Broken {
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub fn add(&mut self, other: Broken) {
        self.lost_events += other.lost_events;
        self.corrupt_indexes += other.corrupt_indexes;
        self.lost_pins += other.lost_pins;
        self.lost_footage += other.lost_footage;
        self.wrong += other.wrong;
        self.said.extend(other.said.into_iter().take(60usize.saturating_sub(self.said.len())));
        self.lost_gops = self.lost_gops.max(other.lost_gops);
        self.lost_span = self.lost_span.max(other.lost_span);
    }

    fn say(&mut self, count: impl FnOnce(&mut Self) -> &mut u64, what: String) {
        let count = count(self);
        *count += 1;
        if *count <= SAID_MAX {
            self.said.push(what);
        }
    }

    /// Counts a store that could not be examined.
    pub fn note(&mut self, what: String) {
        self.say(|broken| &mut broken.wrong, what);
    }

    /// Sum of all counts.
    pub fn count(&self) -> u64 {
        self.lost_events + self.corrupt_indexes + self.lost_pins + self.lost_footage + self.wrong
    }

    /// Asserts that nothing is broken. Lost footage may span a GOP and a sync interval, plus `BUSY`.
    pub fn assert_nothing(&self) {
        assert!(self.count() == 0, "{:#?}", self.said);
        assert!(self.lost_span < GOP + SYNC_INTERVAL + BUSY, "{:?} of footage were lost", self.lost_span);
    }

    /// Prints the counts as figures.
    pub fn print(&self, scenario: &str) {
        super::figure(scenario, "lost events", self.lost_events);
        super::figure(scenario, "corrupt indexes", self.corrupt_indexes);
        super::figure(scenario, "lost pins", self.lost_pins);
        super::figure(scenario, "indexed fragments lost", self.lost_footage);
        super::figure(scenario, "other disagreements", self.wrong);
        super::figure(
            scenario,
            "lost per camera at most",
            format!(
                "{} GOPs of {} ms, the oldest {} ms old (sync interval {} ms)",
                self.lost_gops,
                GOP.as_millis(),
                self.lost_span.as_millis(),
                SYNC_INTERVAL.as_millis()
            ),
        );
    }
}

/// Opens the store, so that it repairs itself, and closes it. Nothing is too old here: all that was there stays.
/// Returns the CPU time that opening took.
pub fn mend(directory: &Path) -> Result<Duration, String> {
    let settings = Settings { alert_age_max: Duration::MAX, ..settings(directory) };
    let before = thread_cpu();
    let store =
        Store::open(settings, Arc::new(TrustedClock)).map_err(|error| format!("does not open: {error}"))?;
    let cpu = thread_cpu() - before;
    store.close();
    Ok(cpu)
}

fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Compares the closed store in `directory` with the reports, and its size with `clip_bytes_max`.
pub fn check(directory: &Path, ledger: &Ledger, clip_bytes_max: u64) -> (Found, Broken) {
    let mut broken = Broken::default();
    let found = match look(directory, &mut broken) {
        Ok(found) => found,
        Err(error) => {
            broken.say(|b| &mut b.corrupt_indexes, format!("the index does not read: {error}"));
            Found::default()
        }
    };
    check_alerts(&found, ledger, &mut broken);
    check_footage(&found, ledger, &mut broken);
    if found.bytes > clip_bytes_max + SEGMENT_BYTES_MAX * CAMERAS.len() as u64 {
        broken.say(|b| &mut b.wrong, format!("{} bytes are over the limit", found.bytes));
    }
    (found, broken)
}

fn look(directory: &Path, broken: &mut Broken) -> rusqlite::Result<Found> {
    let index = Connection::open(directory.join("index.sqlite"))?;
    let verdict: String = index.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if verdict != "ok" {
        broken.say(|b| &mut b.corrupt_indexes, format!("integrity_check: {verdict}"));
    }
    let mut found = Found::default();
    let rows: Vec<(i64, String, String, u32)> = index
        .prepare("SELECT id, camera, path, init_bytes FROM segment ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut paths = BTreeSet::new();
    for (id, camera, path, init_bytes) in rows {
        let path = directory.join("clips").join(path);
        look_at_segment(&index, id, &camera, &path, init_bytes as usize, &mut found, broken)?;
        paths.insert(path);
    }
    for path in clip_files(&directory.join("clips")).into_iter().filter(|path| !paths.contains(path)) {
        broken.say(|b| &mut b.wrong, format!("{} has no row", path.display()));
    }
    look_at_alerts(&index, &mut found, broken)?;
    Ok(found)
}

/// Compares a segment's rows with its file.
fn look_at_segment(
    index: &Connection,
    id: i64,
    camera: &str,
    path: &Path,
    init_bytes: usize,
    found: &mut Found,
    broken: &mut Broken,
) -> rusqlite::Result<()> {
    let mut wrong = |what: &str| broken.say(|b| &mut b.wrong, format!("{}: {what}", path.display()));
    let place = CAMERAS.iter().position(|name| *name == camera).unwrap();
    let Ok(content) = fs::read(path) else {
        wrong("a row without its file");
        return Ok(());
    };
    found.bytes += content.len() as u64;
    if content.get(..init_bytes) != Some(&init(place)[..]) {
        wrong("not its init section");
    }
    let mut numbers: Vec<Number> = Vec::new();
    let mut statement = index.prepare_cached(
        "SELECT offset_bytes, bytes, wall_us, sha256 FROM fragment WHERE segment = ?1 ORDER BY 1",
    )?;
    let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    for row in rows {
        let (offset, length, wall, sha256): (u32, u32, i64, Vec<u8>) = row?;
        let (offset, length) = (offset as usize, length as usize);
        let Some(fragment) = content.get(offset..offset + length) else {
            wrong("shorter than its rows");
            break;
        };
        if Sha256::digest(&content[..offset + length])[..] != sha256[..] {
            wrong("not the sha256 of its row");
        }
        match read_number(fragment) {
            Some((number, at)) if number.camera == place && bytes(number, at) == fragment => {
                if at.as_micros() != wall {
                    wrong("not the time of its row");
                }
                if numbers.last().is_some_and(|last| *last >= number) {
                    wrong("out of order");
                }
                if found.fragments.insert(number, at).is_some() {
                    wrong("a fragment twice");
                }
                numbers.push(number);
            }
            _ => wrong("not the bytes that were appended"),
        }
    }
    if numbers.is_empty() {
        wrong("a segment without fragments");
    }
    found.segments.push(numbers);
    Ok(())
}

fn look_at_alerts(index: &Connection, found: &mut Found, broken: &mut Broken) -> rusqlite::Result<()> {
    let mut statement = index.prepare("SELECT seq, phase, message, thumbnail FROM alert")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    for row in rows {
        let (seq, phase, message, thumbnail): (u32, String, String, Option<Vec<u8>>) = row?;
        let seq = u64::from(seq);
        match serde_json::from_str::<Alert>(&message) {
            Ok(mut alert) => {
                alert.thumbnail = thumbnail.map(Thumbnail);
                found.messages.insert((alert.id, phase == "closed"), (seq, digest(&alert)));
            }
            Err(error) => broken.say(|b| &mut b.wrong, format!("message {seq} does not read: {error}")),
        }
    }
    found.outbox = index
        .prepare("SELECT seq FROM outbox")?
        .query_map([], |row| row.get(0).map(|seq: u32| seq.into()))?
        .collect::<rusqlite::Result<_>>()?;
    let last: u32 = index.query_row("SELECT last FROM sequence", [], |row| row.get(0))?;
    let greatest = found.messages.values().map(|(seq, _)| *seq).max();
    if greatest.is_some_and(|greatest| greatest != u64::from(last)) {
        broken.say(|b| &mut b.wrong, format!("the sequence is at {last}, the last message is {greatest:?}"));
    }
    let mut statement = index.prepare("SELECT id, clip_starts_wall_us, clip_ends_wall_us FROM event")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for row in rows {
        let (id, starts, ends): (String, i64, Option<i64>) = row?;
        let span = (WallTime::from_micros(starts), ends.map(WallTime::from_micros));
        found.spans.insert(id.parse().unwrap(), span);
    }
    Ok(())
}

fn check_alerts(found: &Found, ledger: &Ledger, broken: &mut Broken) {
    let now = ledger.latest.unwrap_or(WallTime::from_micros(0));
    let mut may_be_gone = BTreeSet::new();
    for (message, (seq, digest)) in &ledger.stored {
        match found.messages.get(message) {
            Some((at, there)) if (at, there) == (seq, digest) => {}
            Some(_) => broken.say(|b| &mut b.lost_events, format!("message {seq} is another one now")),
            None => {
                let (opened, closed_at) = &ledger.drafts[message];
                let old = closed_at.unwrap_or(opened.at) + ALERT_AGE_MAX < now + MARGIN;
                if old && ledger.delivering.contains(seq) {
                    may_be_gone.insert(*seq);
                } else {
                    broken.say(|b| &mut b.lost_events, format!("message {seq} ({message:?}) is gone"));
                }
            }
        }
        let waits = !ledger.delivering.contains(seq) && found.messages.contains_key(message);
        if waits && !found.outbox.contains(seq) {
            broken.say(|b| &mut b.lost_events, format!("message {seq} is not in the outbox"));
        }
    }
    let seqs: BTreeSet<u64> = found.messages.values().map(|(seq, _)| *seq).collect();
    let first = seqs.iter().chain(&may_be_gone).min().copied().unwrap_or(1);
    let last = seqs.last().copied().unwrap_or(0);
    for seq in (first..=last).filter(|seq| !seqs.contains(seq) && !may_be_gone.contains(seq)) {
        // A message whose deletion an earlier check has seen is not missed again.
        if !ledger.delivering.contains(&seq) {
            broken.say(|b| &mut b.wrong, format!("seq has a hole at {seq}"));
        }
    }
    for (id, closed) in found.messages.keys() {
        let Some((opened, closed_at)) = ledger.drafts.get(&(*id, *closed)) else {
            broken.say(|b| &mut b.wrong, format!("{id} was never put"));
            continue;
        };
        // The span pins the footage.
        let clip = opened.draft(*closed_at).clip;
        let there = found.spans.get(id);
        if !there.is_some_and(|there| there.0 == clip.starts_at && (!closed || there.1 == clip.ends_at)) {
            broken.say(|b| &mut b.lost_pins, format!("{id} pins {there:?}, not {clip:?}"));
        }
    }
}

fn check_footage(found: &Found, ledger: &Ledger, broken: &mut Broken) {
    let now = ledger.latest.unwrap_or(WallTime::from_micros(0));
    let pins = ledger.pins();
    let never_pinned = |number: &Number| {
        let wall = found.fragments[number];
        !ledger.drafts.values().any(|(opened, closed_at)| {
            let clip = opened.draft(*closed_at).clip;
            opened.camera == number.camera
                && wall + GOP > clip.starts_at
                && clip.ends_at.is_none_or(|ends| wall < ends)
        })
    };
    // Retention deletes the oldest unpinned footage first: all older footage had to go before a missing fragment.
    let oldest_unpinned = |camera: usize| {
        let free = found.segments.iter().filter(|segment| {
            segment.first().is_some_and(|number| number.camera == camera) && segment.iter().all(never_pinned)
        });
        free.flatten().min().copied()
    };
    let oldest: Vec<Option<Number>> = (0..CAMERAS.len()).map(oldest_unpinned).collect();
    let newest = |camera: usize| found.fragments.keys().copied().rfind(|number| number.camera == camera);
    for number in ledger.durable.iter().filter(|number| !found.fragments.contains_key(number)) {
        let Some(wall) = ledger.appended.get(number) else { continue };
        if pins.iter().any(|pin| pin.covers(*number, *wall) && pin.until > now + MARGIN) {
            broken.say(|b| &mut b.lost_pins, format!("{number:?} of {wall} is pinned and gone"));
        } else if oldest[number.camera].is_some_and(|oldest| oldest < *number)
            || Some(*number) > newest(number.camera)
        {
            broken.say(|b| &mut b.lost_footage, format!("{number:?} of {wall} was indexed and is gone"));
        }
    }
    for camera in 0..CAMERAS.len() {
        let last = newest(camera);
        let of_run = |number: &Number| number.camera == camera && number.number >= ledger.first;
        let lost = ledger.appended.iter().filter(|(number, _)| of_run(number) && Some(**number) > last);
        let lost: Vec<WallTime> = lost.map(|(_, wall)| *wall).collect();
        broken.lost_gops = broken.lost_gops.max(lost.len());
        broken.lost_span = broken.lost_span.max(lost.first().map_or(Duration::ZERO, |wall| now.since(*wall)));
    }
}

fn clip_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { clip_files(&path) } else { vec![path] }).collect()
}
