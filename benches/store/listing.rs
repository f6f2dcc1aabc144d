//! Time that a list of alerts takes beside much footage.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::clock::{self, SystemClock};
use base::ids::AlertId;
use clipstore::{Catalogue, ClipFilter, Settings, Store};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::cpu;

const SEGMENTS: i64 = 500_000;
const ALERTS: i64 = 100_000;
const CAMERAS: i64 = 8;
/// Length of each segment, in microseconds.
const SEGMENT_MICROS: i64 = 60_000_000;

/// Prints the CPU time of the list with and without a limit.
pub fn print() {
    let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = Store::open(Settings::new(place.path().to_owned()), Arc::new(SystemClock)).unwrap();
    store.close();
    drop(store);
    fill(place.path());
    let catalogue = Catalogue::open(place.path()).unwrap();
    println!("\nlist of {ALERTS} alerts over {SEGMENTS} segments, CPU time");
    for limit in [None, Some(20)] {
        let before = cpu::of_process(std::process::id());
        let clips = catalogue.clips(&ClipFilter { limit, ..ClipFilter::default() }).unwrap();
        let spent: Duration = cpu::of_process(std::process::id()) - before;
        let segments: u64 = clips.iter().map(|clip| clip.segments).sum();
        let name = limit.map_or("without a limit".to_owned(), |limit| format!("the last {limit}"));
        println!("{name}: {:.3} s, {} alerts, {segments} segments", spent.as_secs_f64(), clips.len());
    }
}

/// Fills the index; no file is made, since a list opens none.
fn fill(directory: &Path) {
    let mut index = Connection::open(directory.join("index.sqlite")).unwrap();
    let transaction = index.transaction().unwrap();
    let span = SEGMENTS / CAMERAS * SEGMENT_MICROS;
    let begin = clock::wall().as_micros() - span;
    let mut segment = transaction
        .prepare(
            "INSERT INTO segment (id, camera, epoch, path, boot_id, starts_wall_us, starts_monotonic_ns, clock,
                                  ends_wall_us, codec, width, height, init_bytes, bytes, ended)
             VALUES (?1, ?2, 0, ?2 || '/2026-05-01/22/20260501T221403.120Z-' || ?1 || '.mp4', 'boot', ?3, 0,
                     'synced', ?4, 'h264', 1920, 1080, 800, 15000000, 1)",
        )
        .unwrap();
    for number in 0..SEGMENTS {
        let starts = begin + number / CAMERAS * SEGMENT_MICROS;
        let camera = format!("camera-{}", number % CAMERAS);
        segment.execute(params![number + 1, camera, starts, starts + SEGMENT_MICROS]).unwrap();
    }
    let mut event = transaction
        .prepare(
            "INSERT INTO event (id, camera, rule, kind, severity, why, boot_id, clock, opened_wall_us,
                                opened_monotonic_ns, closed_wall_us, clip_starts_wall_us, clip_ends_wall_us)
             VALUES (?1, ?2, 'night', 'intrusion', 'warning', 'a bench', 'boot', 'synced', ?3, 0, ?3 + 20000000,
                     ?3 - 5000000, ?3 + 30000000)",
        )
        .unwrap();
    for number in 0..ALERTS {
        let opened = begin + span / ALERTS * number;
        let id = AlertId::new(opened.unsigned_abs() / 1000).to_string();
        event.execute(params![id, format!("camera-{}", number % CAMERAS), opened]).unwrap();
    }
    drop((segment, event));
    transaction.commit().unwrap();
}
