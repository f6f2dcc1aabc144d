//! The cost of opening a large store.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::LONG;
use crate::store::{open, settings};
use crate::support::sample::{FRAGMENT, START, fragment};
use crate::support::wait_until;

/// Number of segments that `startup_of_a_large_index` makes; 500,000 are 200 GB of a segment a minute at 2 Mbit/s and more.
const SEGMENTS: &str = "WARDWATCH_TEST_SEGMENTS";

/// Prints the cost of opening a store with many ended segments. The rows are real, and so are the names of the files.
#[test]
fn startup_of_a_large_index() {
    let count: u32 = std::env::var(SEGMENTS).map_or(20_000, |text| text.parse().unwrap());
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
    let mut large = settings(place.path());
    large.clip_bytes_max = u64::MAX / 4;
    drop(open(large.clone()));
    make_segments(place.path(), count);

    let before = cpu_seconds();
    let store = open(large);
    let seconds = cpu_seconds() - before;
    let vitals = store.vitals();
    assert_eq!((vitals.segments, vitals.reconciled.all_agreed()), (u64::from(count), true), "{vitals:?}");
    let profile = if cfg!(debug_assertions) { "development" } else { "release" };
    eprintln!("figure: start-up with reconcile of {count} segments: {seconds:.2} s of CPU ({profile} build)");
}

/// Prints the cost of building a lost index anew, at 60 fragments a file.
#[test]
fn a_rebuild_of_many_files() {
    let place = TempDir::new().unwrap();
    let mut minutes = settings(place.path());
    minutes.segment = FRAGMENT * 60;
    let store = open(minutes.clone());
    for number in 0..3000 {
        wait_until("there is room in the queue", LONG, || {
            store.append(fragment("gate", number, 2000)).is_ok()
        });
    }
    store.close();
    drop(store);
    fs::remove_file(place.path().join("index.sqlite")).unwrap();

    let before = cpu_seconds();
    let store = open(minutes);
    let seconds = cpu_seconds() - before;
    let done = store.vitals().reconciled;
    assert_eq!((done.indexed_files, done.indexed_fragments, done.failed_files), (50, 3000, 0), "{done}");
    let micros = seconds * 1e6 / 3000.0;
    let profile = if cfg!(debug_assertions) { "development" } else { "release" };
    eprintln!("figure: an index built again: {micros:.0} us of CPU a fragment ({profile} build)");
}

/// Rows of segments of a minute, of eight cameras, each with a fragment, and an empty file for each.
fn make_segments(directory: &Path, count: u32) {
    let mut index = Connection::open(directory.join("index.sqlite")).unwrap();
    let transaction = index.transaction().unwrap();
    for number in 0..count {
        let (camera, minute) = (number % 8, number / 8);
        let wall = START.wall + Duration::from_secs(60) * minute;
        let at = wall.to_timestamp();
        let folder = format!("camera-{camera}/{}", at.strftime("%Y-%m-%d/%H"));
        let path = format!("{folder}/{}-0.mp4", at.strftime("%Y%m%dT%H%M%S%.3fZ"));
        if minute == 0
            || at.strftime("%M").to_string() == "00"
            || !directory.join("clips").join(&folder).exists()
        {
            fs::create_dir_all(directory.join("clips").join(&folder)).unwrap();
        }
        fs::File::create(directory.join("clips").join(&path)).unwrap();
        transaction
            .prepare_cached(
                "INSERT INTO segment (id, camera, epoch, path, boot_id, starts_wall_us, starts_monotonic_ns, clock,
                                      ends_wall_us, codec, width, height, init_bytes, bytes, ended)
                 VALUES (?1, ?2, 0, ?3, 'boot', ?4, 0, 'synced', ?5, 'h264', 1920, 1080, 800, 15000000, 1)",
            )
            .unwrap()
            .execute(rusqlite::params![
                i64::from(number) + 1,
                format!("camera-{camera}"),
                path,
                wall.as_micros(),
                (wall + Duration::from_secs(60)).as_micros(),
            ])
            .unwrap();
        transaction
            .prepare_cached(
                "INSERT INTO fragment (segment, offset_bytes, bytes, pts_ns, duration_ns, wall_us, samples, sha256)
                 VALUES (?1, 1200, 14998800, 0, 60000000000, ?2, 900, ?3)",
            )
            .unwrap()
            .execute(rusqlite::params![i64::from(number) + 1, wall.as_micros(), &[7u8; 32][..]])
            .unwrap();
    }
    transaction.commit().unwrap();
}

/// CPU time that this thread has used, in seconds.
fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}
