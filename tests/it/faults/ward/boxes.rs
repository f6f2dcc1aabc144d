//! A box as a child process: a real store and a real publisher, and a pipe on which it reports what is kept.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base::alert::{Alert, AlertDraft, Thumbnail};
use base::clock::{Clock as _, SystemClock};
use base::event::Phase;
use base::ids::AlertId;
use base::status::Status;
use base::still::{StillDraft, StillKind};
use rand::rngs::StdRng;
use rand::{Rng, RngCore as _, SeedableRng};
use wardlink::{Publisher, Settings, StatusSource};

use crate::publish::Telling;
use crate::publish::post::of_post;
use crate::support::sample::{closed, opened};

const ORDERS: &str = "WARDWATCH_WARD_BOX";

/// A message that is on a box's disk by the word of its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub seq: u64,
    pub id: String,
    pub phase: String,
    /// Time of that word, in microseconds since 1970.
    pub at_us: i64,
    /// [`print_of`] of its picture.
    pub picture: u64,
}

/// Hash that tells one picture from another; 0 for none.
pub fn print_of(picture: Option<&[u8]>) -> u64 {
    let Some(picture) = picture else { return 0 };
    let mut hasher = DefaultHasher::new();
    picture.hash(&mut hasher);
    hasher.finish().max(1)
}

/// Settings of a child.
#[derive(Debug, Clone)]
pub struct Orders {
    pub box_id: String,
    /// Host of its broker.
    pub host: String,
    pub port: u16,
    pub keep_alive_seconds: u64,
    /// Milliseconds between two alerts, in the mean.
    pub every_ms: u64,
    /// Bytes of each of the three stills of an alert; 0 for none.
    pub still_bytes: usize,
    /// Folder of its store.
    pub directory: PathBuf,
    /// Command that it is run with (`ip netns exec NAME`); empty for none.
    pub within: Vec<String>,
}

/// The child. It is killed when dropped.
pub struct BoxProcess {
    pub orders: Orders,
    process: Child,
    reports: Arc<Reports>,
    reader: Option<JoinHandle<()>>,
}

/// Reports of a child.
#[derive(Default)]
struct Reports {
    kept: Mutex<Vec<Kept>>,
    /// Alerts whose stills are on the disk, by the word of the store.
    stilled: Mutex<Vec<String>>,
    is_empty: AtomicBool,
}

impl BoxProcess {
    pub fn start(orders: Orders) -> Self {
        let reports = Arc::default();
        let (process, reader) = spawn(&orders, &reports);
        Self { orders, process, reports, reader: Some(reader) }
    }

    /// Kills the child with kill -9; all its earlier reports are known when this returns.
    pub fn kill(&mut self) {
        assert!(self.process.try_wait().unwrap().is_none(), "{} ended by itself", self.orders.box_id);
        self.end();
    }

    /// Starts the child again.
    pub fn run(&mut self) {
        let (process, reader) = spawn(&self.orders, &self.reports);
        (self.process, self.reader) = (process, Some(reader));
    }

    /// Ends the making of alerts; the child still sends its outbox.
    pub fn enough(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Returns true if its outbox is empty and no still waits, after [`BoxProcess::enough`].
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty.load(Ordering::Relaxed)
    }

    pub fn kept_count(&self) -> usize {
        self.reports.kept.lock().unwrap().len()
    }

    pub fn kept(&self) -> Vec<Kept> {
        self.reports.kept.lock().unwrap().clone()
    }

    /// Alerts whose stills were on its disk.
    pub fn stilled(&self) -> Vec<String> {
        self.reports.stilled.lock().unwrap().clone()
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.reader.take().map(JoinHandle::join);
    }
}

impl Drop for BoxProcess {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(log(&self.orders.directory)).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("--- {}", self.orders.box_id);
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

fn log(directory: &Path) -> PathBuf {
    directory.with_extension("log")
}

fn spawn(orders: &Orders, reports: &Arc<Reports>) -> (Child, JoinHandle<()>) {
    let program = std::env::current_exe().unwrap();
    let mut line: Vec<&std::ffi::OsStr> = orders.within.iter().map(AsRef::as_ref).collect();
    line.push(program.as_os_str());
    let Orders { box_id, host, port, keep_alive_seconds, every_ms, still_bytes, directory, .. } = orders;
    let mut process = Command::new(line[0])
        .args(&line[1..])
        .args(["faults::ward::boxes::child_that_keeps_and_sends", "--exact", "--ignored", "--nocapture"])
        .env(
            ORDERS,
            format!(
                "{box_id} {host} {port} {keep_alive_seconds} {every_ms} {still_bytes} {}",
                directory.display()
            ),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::options().create(true).append(true).open(log(directory)).unwrap())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let reports = Arc::clone(reports);
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                // A line without its end does not count.
                ["kept", seq, id, phase, at_us, picture, "."] => reports.kept.lock().unwrap().push(Kept {
                    seq: seq.parse().unwrap(),
                    id: id.to_owned(),
                    phase: phase.to_owned(),
                    at_us: at_us.parse().unwrap(),
                    picture: picture.parse().unwrap(),
                }),
                ["stilled", id, "."] => reports.stilled.lock().unwrap().push(id.to_owned()),
                ["empty", "."] => reports.is_empty.store(true, Ordering::Relaxed),
                _ => {}
            }
        }
    });
    (process, reader)
}

/// Writes past the test harness, which holds back printed text.
fn tell(line: &str) {
    let mut left = line.as_bytes();
    while let Ok(written @ 1..) = rustix::io::write(std::io::stdout(), left) {
        left = &left[written..];
    }
}

/// Keeps alerts and sends them until it is killed; makes no new ones once its input is closed.
#[test]
#[ignore = "run by the fault scenarios"]
fn child_that_keeps_and_sends() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let parent = std::os::unix::process::parent_id();
    let words: Vec<&str> = orders.splitn(7, ' ').collect();
    let [box_id, host, port, keep_alive, every_ms, still_bytes, directory] = words[..] else {
        panic!("{orders}")
    };
    println!();
    let store = crate::store::open(crate::store::settings(directory.as_ref()));
    let settings = Settings {
        box_id: box_id.parse().unwrap(),
        host: host.to_owned(),
        keep_alive: Duration::from_secs(keep_alive.parse().unwrap()),
        ..of_post(port.parse().unwrap())
    };
    let outbox = Arc::new(store.clone());
    let publisher = Publisher::start(settings, outbox, Arc::new(Itself(box_id.to_owned()))).unwrap();
    let is_enough = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_enough);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        told.store(true, Ordering::Relaxed);
    });
    let mut random = StdRng::from_rng(&mut rand::rng());
    let (mut open, every_ms) = (None, every_ms.parse::<u64>().unwrap());
    let still_bytes = still_bytes.parse().unwrap();
    while !is_enough.load(Ordering::Relaxed) {
        let draft = match open.take() {
            None => open.insert(opened_now(box_id, &mut random)).clone(),
            Some(before) => closed_now(&before),
        };
        let alert = store.put_alert(draft).unwrap();
        publisher.wake();
        tell_of(&alert);
        if still_bytes > 0 && alert.phase == Phase::Opened {
            store.put_stills(stills_of(&alert, still_bytes, &mut random)).unwrap();
            publisher.wake_for_stills();
            tell(&format!("stilled {} .\n", alert.id));
        }
        std::thread::sleep(Duration::from_millis(random.random_range(0..=2 * every_ms)));
    }
    let (mut is_told, pause) = (false, Duration::from_millis(50));
    while std::os::unix::process::parent_id() == parent {
        let waits = store.outbox_depth().unwrap().0 + store.stills_depth().unwrap().0;
        if !is_told && waits == 0 {
            tell("empty .\n");
            is_told = true;
        }
        std::thread::sleep(pause);
    }
}

/// Keeps `count` alerts, all with a picture, in a store without a publisher. Returns their ids.
pub fn backlog(orders: &Orders, count: usize) -> Vec<AlertId> {
    let store = crate::store::open(crate::store::settings(&orders.directory));
    let mut random = StdRng::seed_from_u64(1);
    let mut put = || store.put_alert(opened_now(&orders.box_id, &mut random)).unwrap().id;
    let ids: Vec<AlertId> = (0..count).map(|_| put()).collect();
    assert_eq!(ids.iter().map(ToString::to_string).collect::<HashSet<_>>().len(), count);
    ids
}

fn tell_of(alert: &Alert) {
    let picture = print_of(alert.thumbnail.as_ref().map(|picture| &picture.0[..]));
    let at_us = base::clock::wall().as_micros();
    tell(&format!("kept {} {} {} {at_us} {picture} .\n", alert.seq, alert.id, alert.phase.as_str()));
}

/// The three stills of an alert.
fn stills_of(alert: &Alert, bytes: usize, random: &mut StdRng) -> Vec<StillDraft> {
    let mut picture = vec![0; bytes];
    random.fill_bytes(&mut picture);
    picture[..2].copy_from_slice(&[0xff, 0xd8]);
    let still = |kind| StillDraft {
        alert: alert.id,
        kind,
        taken_at: alert.opened_at,
        jpeg: Thumbnail(picture.clone()),
    };
    StillKind::ALL.map(still).to_vec()
}

/// An alert of 16 to 24 KiB that opens now.
fn opened_now(box_id: &str, random: &mut StdRng) -> AlertDraft {
    let mut draft = opened("gate", Duration::ZERO);
    let now = SystemClock.now();
    draft.box_id = box_id.parse().unwrap();
    (draft.event.id, draft.event.opened_at) = (AlertId::new(now.wall.as_unix_millis()), now);
    draft.clip.starts_at = now.wall - Duration::from_secs(5);
    let mut picture = vec![0; random.random_range(16 * 1024..=24 * 1024)];
    random.fill_bytes(&mut picture);
    draft.thumbnail = Some(Thumbnail(picture));
    draft
}

fn closed_now(before: &AlertDraft) -> AlertDraft {
    let mut draft = closed(before, Duration::ZERO);
    let now = SystemClock.now();
    draft.event.phase = Phase::Closed;
    (draft.event.closed_at, draft.clip.ends_at) = (Some(now), Some(now.wall));
    draft.thumbnail = None;
    draft
}

/// Status of the box with this name.
struct Itself(String);

impl StatusSource for Itself {
    fn status(&self) -> Status {
        Status { box_id: self.0.parse().unwrap(), ..Telling::default().status() }
    }
}
