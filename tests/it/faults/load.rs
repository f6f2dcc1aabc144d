//! The process that faults hit: footage with known bytes of four cameras, alerts that open and close, and a pipe on
//! which it reports its acts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::alert::{Alert, AlertDraft, Thumbnail};
use base::clock::{Clock, SystemClock};
use base::event::Phase;
use base::fragment::Fragment;
use base::ids::{AlertId, CameraId, Epoch};
use base::time::{ClockState, Pts, Stamp, WallTime};
use clipstore::{ClipFilter, Settings, Store};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::support::sample;

pub const CAMERAS: [&str; 4] = ["gate", "yard", "road", "yard-2"];
/// Playing time of a fragment, and the interval between fragments of a camera.
pub const GOP: Duration = Duration::from_millis(50);
pub const SYNC_INTERVAL: Duration = Duration::from_millis(50);
/// Limit of all clip files together: some fifteen seconds of all cameras, and twice the bytes that alerts pin.
pub const CLIP_BYTES_MAX: u64 = 8 << 20;
/// Time for which an alert pins its clip: short, so that pins come and go while the rounds go on.
pub const ALERT_AGE_MAX: Duration = Duration::from_secs(20);
/// Span of a clip before its event and after it.
const ROLL: Duration = Duration::from_millis(250);

/// A small store that is always at its limit.
pub fn settings(directory: &Path) -> Settings {
    Settings {
        clip_bytes_max: CLIP_BYTES_MAX,
        clip_age_max: Duration::MAX,
        alert_age_max: ALERT_AGE_MAX,
        free_bytes_min: 0,
        free_inodes_min: 0,
        segment: Duration::from_millis(500),
        sync_interval: SYNC_INTERVAL,
        ..Settings::new(directory.to_owned())
    }
}

/// The machine's clock, trusted: items with an age limit are deleted at that age.
#[derive(Debug)]
pub struct TrustedClock;

impl Clock for TrustedClock {
    fn now(&self) -> Stamp {
        Stamp { clock: ClockState::Synced, ..SystemClock.now() }
    }
}

/// Identity of one fragment, as far as it is known from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    /// Index of its camera in [`CAMERAS`].
    pub camera: usize,
    /// Number among the camera's fragments, over all runs.
    pub number: u32,
}

/// Returns moof and mdat that no other fragment has; they hold camera, number and time.
pub fn bytes(Number { camera, number }: Number, wall: WallTime) -> Vec<u8> {
    let head = [camera as u64, number.into(), wall.as_micros() as u64];
    let head: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).collect();
    let mut random = StdRng::seed_from_u64((u64::from(number) << 8) | camera as u64);
    let length = random.random_range(1000..12_000);
    let noise: Vec<u8> = (0..length).map(|_| random.random()).collect();
    [box_of(b"moof", &head), box_of(b"mdat", &noise)].concat()
}

/// Reads camera, number and time back from the bytes of [`bytes`].
pub fn read_number(bytes: &[u8]) -> Option<(Number, WallTime)> {
    let word = |at: usize| Some(u64::from_be_bytes(bytes.get(8 + at * 8..16 + at * 8)?.try_into().ok()?));
    let number = Number { camera: word(0)? as usize, number: word(1)? as u32 };
    (number.camera < CAMERAS.len()).then_some((number, WallTime::from_micros(word(2)? as i64)))
}

fn box_of(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
}

/// ftyp and moov.
pub fn init(camera: usize) -> Vec<u8> {
    [box_of(b"ftyp", b"iso6\0\0\0\0iso6"), box_of(b"moov", CAMERAS[camera].as_bytes())].concat()
}

/// Returns a fragment that starts `since` after the start of its run.
pub fn fragment(number: Number, starts_at: Stamp, since: Duration) -> Fragment {
    Fragment {
        camera: camera(number.camera),
        epoch: Epoch(0),
        init: init(number.camera).into(),
        bytes: bytes(number, starts_at.wall).into(),
        pts: Pts(u64::try_from(since.as_nanos()).unwrap()),
        duration: GOP,
        starts_at,
        ..sample::fragment(CAMERAS[number.camera], 0, 0)
    }
}

pub fn camera(place: usize) -> CameraId {
    CAMERAS[place].parse().unwrap()
}

/// Properties that define an alert: the rest follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    pub id: AlertId,
    pub camera: usize,
    pub at: WallTime,
}

impl Opened {
    pub fn draft(&self, closed_at: Option<WallTime>) -> AlertDraft {
        let mut draft = sample::opened(CAMERAS[self.camera], Duration::ZERO);
        draft.event.id = self.id;
        draft.event.opened_at.wall = self.at;
        draft.clip.starts_at = self.at - ROLL;
        draft.thumbnail = Some(Thumbnail(vec![0xa5; 2000]));
        if let Some(at) = closed_at {
            draft.event.phase = Phase::Closed;
            draft.event.closed_at = Some(Stamp { wall: at, ..draft.event.opened_at });
            draft.clip.ends_at = Some(at + ROLL);
            draft.thumbnail = None;
        }
        draft
    }
}

/// Digest of an alert: SHA-256 of its JSON, in hexadecimal.
pub fn digest(alert: &Alert) -> String {
    let json = serde_json::to_vec(alert).unwrap();
    Sha256::digest(json).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// One report of the child about its acts.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The store is open.
    Open,
    /// `append` accepted the fragment.
    Appended(Number, WallTime),
    /// The catalogue has the fragment, and all of its camera that this run appended before it.
    Indexed(Number),
    /// `put_alert` is about to be called.
    Putting(Opened, Option<WallTime>),
    /// `put_alert` returned this.
    Put { id: AlertId, closed: bool, seq: u64, digest: String },
    /// `delivered` is about to be called.
    Delivering(u64),
}

impl Told {
    fn write(&self) -> String {
        match self {
            Self::Open => "open".to_owned(),
            Self::Appended(n, wall) => format!("appended {} {} {}", n.camera, n.number, wall.as_micros()),
            Self::Indexed(n) => format!("indexed {} {}", n.camera, n.number),
            Self::Putting(opened, closed_at) => format!(
                "putting {} {} {} {}",
                opened.id,
                opened.camera,
                opened.at.as_micros(),
                closed_at.map_or(0, WallTime::as_micros)
            ),
            Self::Put { id, closed, seq, digest } => format!("put {id} {} {seq} {digest}", u8::from(*closed)),
            Self::Delivering(seq) => format!("delivering {seq}"),
        }
    }

    /// Parses a report. `None` for lines of the test harness, and for a line that was cut off.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let wall = |text: &str| text.parse().ok().map(WallTime::from_micros);
        let number = |a: &str, b: &str| Some(Number { camera: a.parse().ok()?, number: b.parse().ok()? });
        Some(match words[..] {
            ["open", "."] => Self::Open,
            ["appended", a, b, at, "."] => Self::Appended(number(a, b)?, wall(at)?),
            ["indexed", a, b, "."] => Self::Indexed(number(a, b)?),
            ["putting", id, camera, at, closed, "."] => {
                let opened = Opened { id: id.parse().ok()?, camera: camera.parse().ok()?, at: wall(at)? };
                Self::Putting(opened, wall(closed).filter(|at| at.as_micros() != 0))
            }
            ["put", id, closed, seq, digest, "."] => Self::Put {
                id: id.parse().ok()?,
                closed: closed == "1",
                seq: seq.parse().ok()?,
                digest: digest.to_owned(),
            },
            ["delivering", seq, "."] => Self::Delivering(seq.parse().ok()?),
            _ => return None,
        })
    }
}

/// Settings of a run.
#[derive(Debug, Clone)]
pub struct Orders {
    pub directory: PathBuf,
    /// The number of each camera's first fragment.
    pub first: u32,
    pub seed: u64,
    /// Alerts that an earlier run left open.
    pub open: Vec<Opened>,
}

const ORDERS: &str = "WARDWATCH_TEST_FAULTS_CHILD";

impl Orders {
    fn write(&self) -> String {
        let open = self.open.iter().map(|one| format!("{}:{}:{}", one.id, one.camera, one.at.as_micros()));
        let open: Vec<String> = open.collect();
        format!("{} {} {} {}", self.first, self.seed, open.join(","), self.directory.display())
    }

    fn read(text: &str) -> Self {
        let mut words = text.splitn(4, ' ');
        let mut next = || words.next().unwrap();
        let (first, seed) = (next().parse().unwrap(), next().parse().unwrap());
        let open = next().split(',').filter(|text| !text.is_empty()).map(|text| {
            let parts: Vec<&str> = text.split(':').collect();
            let at = WallTime::from_micros(parts[2].parse().unwrap());
            Opened { id: parts[0].parse().unwrap(), camera: parts[1].parse().unwrap(), at }
        });
        let open = open.collect();
        Self { first, seed, open, directory: next().into() }
    }
}

/// A running child and its reports, each with the result of `mark` at its arrival.
pub struct Running<M> {
    pub process: Child,
    pub lines: Receiver<(Told, M)>,
}

impl<M> Running<M> {
    /// Ends the child with kill -9.
    pub fn end(&mut self) {
        // With a wrapper, the process is the wrapper's child.
        for pid in below(self.process.id()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }
}

/// The process below a wrapper, or the process itself.
pub fn innermost(pid: u32) -> u32 {
    below(pid).first().map_or(pid, |child| innermost(child.as_raw_nonzero().get() as u32))
}

/// The children of a process.
fn below(pid: u32) -> Vec<rustix::process::Pid> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Starts the child, below `wrapper` (a program and its arguments) where there is one.
pub fn start<M: Send + 'static>(
    orders: &Orders,
    wrapper: &[&str],
    mark: impl Fn() -> M + Send + 'static,
) -> Running<M> {
    let program = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    let mut process = command
        .args(["--exact", "faults::load::child_that_is_hit", "--ignored", "--nocapture"])
        .env(ORDERS, orders.write())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let (told, lines) = channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if let Some(one) = Told::read(&line)
                && told.send((one, mark())).is_err()
            {
                return;
            }
        }
    });
    Running { process, lines }
}

/// Sends a report to the parent: at once, or with the next one where a fault hits this pipe as well.
fn tell(told: &Told) {
    static UNSAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let mut unsaid = UNSAID.lock().unwrap();
    // The dot shows that the line is whole.
    unsaid.extend(format!("{} .\n", told.write()).bytes());
    while !unsaid.is_empty() {
        match rustix::io::write(std::io::stdout(), &unsaid) {
            Ok(written) => drop(unsaid.drain(..written)),
            Err(_) => return,
        }
    }
}

/// Not a test of its own: the process that faults hit. Works until it is killed.
#[test]
#[ignore = "run by the fault scenarios"]
fn child_that_is_hit() {
    let Some(orders) = std::env::var_os(ORDERS) else { return };
    let orders = Orders::read(orders.to_str().unwrap());
    // The harness has begun a line.
    println!();
    let store = Store::open(settings(&orders.directory), Arc::new(TrustedClock)).unwrap();
    tell(&Told::Open);
    for opened in &orders.open {
        put(&store, opened, Some(opened.at + GOP * 4));
    }
    let appended: Arc<Mutex<BTreeMap<(usize, i64), u32>>> = Arc::default();
    let (of_watcher, of_alerts) = (store.clone(), store.clone());
    let to_find = Arc::clone(&appended);
    std::thread::spawn(move || watch_index(&of_watcher, &to_find));
    let seed = orders.seed;
    std::thread::spawn(move || raise_alerts(&of_alerts, seed));
    record(&store, orders.first, &appended);
}

/// Appends each camera's fragments at its pace.
fn record(store: &Store, first: u32, appended: &Mutex<BTreeMap<(usize, i64), u32>>) {
    let started = Instant::now();
    for tick in 0u32.. {
        let since = GOP * tick;
        std::thread::sleep((started + since).saturating_duration_since(Instant::now()));
        for camera in 0..CAMERAS.len() {
            let number = Number { camera, number: first + tick };
            let now = TrustedClock.now();
            // The index keeps microseconds.
            appended.lock().unwrap().insert((camera, (now.wall + GOP).as_micros()), number.number);
            if store.append(fragment(number, now, since)).is_ok() {
                tell(&Told::Appended(number, now.wall));
            }
        }
    }
}

/// Reports the newest fragments of the catalogue: all that it shows is on the disk.
fn watch_index(store: &Store, appended: &Mutex<BTreeMap<(usize, i64), u32>>) {
    let mut told = [None; CAMERAS.len()];
    loop {
        for (place, told) in told.iter_mut().enumerate() {
            let newest = ClipFilter { camera: Some(camera(place)), limit: Some(1), ..ClipFilter::default() };
            let Ok(segments) = store.segments(&newest) else { continue };
            let Some(ends_at) = segments.first().map(|segment| segment.ends_at.as_micros()) else { continue };
            let newest = appended.lock().unwrap().get(&(place, ends_at)).copied();
            if let Some(number) = newest.filter(|_| newest != *told) {
                *told = newest;
                tell(&Told::Indexed(Number { camera: place, number }));
            }
        }
        std::thread::sleep(GOP / 5);
    }
}

/// Opens alerts, closes each a little later, and delivers most of them.
fn raise_alerts(store: &Store, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    loop {
        std::thread::sleep(Duration::from_millis(random.random_range(0..2000)));
        let now = TrustedClock.now().wall;
        let place = random.random_range(0..CAMERAS.len());
        let opened = Opened { id: AlertId::new(now.as_unix_millis()), camera: place, at: now };
        put(store, &opened, None);
        std::thread::sleep(Duration::from_millis(random.random_range(0..300)));
        let seq = put(store, &opened, Some(TrustedClock.now().wall));
        if random.random_bool(0.8) {
            for seq in [seq.saturating_sub(1), seq] {
                tell(&Told::Delivering(seq));
                store.delivered(seq);
            }
        }
    }
}

/// Stores an alert, and tries again until it succeeds, as the daemon does.
fn put(store: &Store, opened: &Opened, closed_at: Option<WallTime>) -> u64 {
    tell(&Told::Putting(*opened, closed_at));
    loop {
        match store.put_alert(opened.draft(closed_at)) {
            Ok(alert) => {
                let (digest, closed) = (digest(&alert), closed_at.is_some());
                tell(&Told::Put { id: opened.id, closed, seq: alert.seq, digest });
                return alert.seq;
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
