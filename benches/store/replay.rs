//! The store alone, fed at a camera's pace.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::clock::{Clock, SystemClock};
use base::fragment::{Codec, Fragment, FragmentStart, StreamFacts, TimeSource};
use base::ids::Epoch;
use base::time::{Pts, Stamp};
use clipstore::{Settings, Store};
use tempfile::TempDir;

use crate::{KBIT_PER_SECOND, cpu};

/// First argument of the process that is traced for its syncs.
pub const ROLE: &str = "feed-store";
const GOP: Duration = Duration::from_secs(1);

/// An MP4 box of `length` bytes: the store takes nothing else.
pub fn of_box(kind: &[u8; 4], length: usize) -> Arc<[u8]> {
    let mut bytes = vec![0x5a; length];
    bytes[..4].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    bytes[4..8].copy_from_slice(kind);
    bytes.into()
}

/// The `number`th GOP of a camera.
pub fn fragment(camera: u32, number: u32, bytes: &Arc<[u8]>, starts_at: Stamp) -> Fragment {
    Fragment {
        camera: format!("camera-{camera}").parse().unwrap(),
        epoch: Epoch(1),
        init: of_box(b"ftyp", 800),
        bytes: Arc::clone(bytes),
        pts: Pts(u64::from(number) * GOP.as_nanos() as u64),
        duration: GOP,
        starts_at,
        start: FragmentStart::KeyFrame,
        is_break: false,
        samples: 15,
        facts: StreamFacts { codec: Codec::H264, width: 1920, height: 1080, time: TimeSource::Camera },
    }
}

/// Prints a line for each count of cameras.
pub fn print(counts: &[u32], span: Duration) {
    println!("\nstore alone, 2 Mbit/s in GOPs of 1 s, {} s each", span.as_secs());
    println!("cameras  CPU-s per camera-minute  fdatasync+fsync a second");
    for count in counts {
        let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let store = open(place.path());
        let start = cpu::of_process(std::process::id());
        let started = Instant::now();
        feed(&store, *count, || started.elapsed() < span);
        let used = cpu::of_process(std::process::id()) - start;
        let per = used.as_secs_f64() / f64::from(*count) / span.as_secs_f64() * 60.0;
        let vitals = store.vitals();
        assert_eq!((vitals.lost_fragments, vitals.refused_fragments), (0, 0), "{vitals:?}");
        drop(store);
        let syncs = syncs_per_second(*count).map_or("strace is not there".to_owned(), |n| format!("{n:.1}"));
        println!("{count:>7}  {per:>23.4}  {syncs:>24}");
    }
}

fn open(directory: &Path) -> Store {
    Store::open(Settings::new(directory.to_owned()), Arc::new(SystemClock)).unwrap()
}

/// Appends a GOP of each of `count` cameras a second, the cameras spread over the second.
fn feed(store: &Store, count: u32, goes_on: impl Fn() -> bool) {
    let bytes = of_box(b"mdat", KBIT_PER_SECOND * 1000 / 8);
    let (started, started_at) = (Instant::now(), SystemClock.now());
    for number in 0.. {
        for camera in 0..count {
            let since = GOP * number + GOP / count * camera;
            if let Some(left) = (started + since).checked_duration_since(Instant::now()) {
                std::thread::sleep(left);
            }
            if !goes_on() {
                return;
            }
            store.append(fragment(camera, number, &bytes, started_at + since)).unwrap();
        }
    }
}

/// The process that is traced for its syncs.
pub fn feed_until_killed(mut arguments: impl Iterator<Item = String>) {
    let count: u32 = arguments.next().unwrap().parse().unwrap();
    let directory = PathBuf::from(arguments.next().unwrap());
    let started = Instant::now();
    feed(&open(&directory), count, || started.elapsed() < Duration::from_secs(15));
}

/// Counts the syncs of another process between its 3rd and 13th second. `None` without strace.
fn syncs_per_second(count: u32) -> Option<f64> {
    let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let trace = place.path().join("trace");
    let traced = Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-ttt", "-e", "trace=fdatasync,fsync", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args([ROLE, &count.to_string()])
        .arg(place.path().join("store"))
        .status();
    if !traced.is_ok_and(|status| status.success()) {
        return None;
    }
    let text = std::fs::read_to_string(&trace).unwrap();
    // "PID TIME fdatasync(...": calls that were resumed have another form.
    let at: Vec<f64> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let at: f64 = words.nth(1)?.parse().ok()?;
            let name = words.next()?;
            (name.starts_with("fdatasync(") || name.starts_with("fsync(")).then_some(at)
        })
        .collect();
    let from = at.first()? + 3.0;
    Some(at.iter().filter(|at| **at >= from && **at < from + 10.0).count() as f64 / 10.0)
}
