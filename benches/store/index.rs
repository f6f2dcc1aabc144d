//! Growth of the index.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::clock::{Clock, SystemClock};
use clipstore::{Settings, Store};
use tempfile::TempDir;

use crate::replay::{fragment, of_box};

/// Seconds of each camera between two measurements of the index.
const SPAN_SECONDS: u32 = 3600;
const CAMERAS: u32 = 8;
const SYNC_INTERVAL: Duration = Duration::from_millis(20);

/// Prints the bytes that the index grows by, per camera-day.
pub fn print() {
    let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // The first hour holds the bytes that every index has: they do not count.
    let first = after(place.path(), 0);
    let grown = after(place.path(), 1) - first;
    let per_day = grown as f64 / f64::from(CAMERAS) * f64::from(24 * 3600 / SPAN_SECONDS);
    println!("\nindex, GOPs of 1 s, segments of 60 s");
    println!("{:.1} MB a camera-day ({:.0} bytes a fragment)", per_day / 1e6, per_day / 86400.0);
}

/// Length of the index after `hour` has been appended.
fn after(directory: &Path, hour: u32) -> u64 {
    let settings = Settings { sync_interval: SYNC_INTERVAL, ..Settings::new(directory.to_owned()) };
    let store = Store::open(settings, Arc::new(SystemClock)).unwrap();
    let started_at = SystemClock.now();
    let bytes = of_box(b"mdat", 64);
    for number in hour * SPAN_SECONDS..(hour + 1) * SPAN_SECONDS {
        // The pause keeps a batch of rows no larger than a box's.
        if number % 60 == 0 {
            std::thread::sleep(SYNC_INTERVAL * 3);
        }
        for camera in 0..CAMERAS {
            let starts_at = started_at + Duration::from_secs(number.into());
            // A full queue sets the writer's pace.
            while store.append(fragment(camera, number, &bytes, starts_at)).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    store.close();
    assert_eq!(store.vitals().lost_fragments, 0);
    drop(store);
    // A reader may have closed the index last: it leaves the WAL as it is.
    let index = directory.join("index.sqlite");
    let connection = rusqlite::Connection::open(&index).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    std::fs::metadata(index).unwrap().len()
}
