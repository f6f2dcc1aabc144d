//! Latency from the frame that completes the evidence to the alert's row in the index; the daemon over RTSP cameras in real time.
//!
//! The frame's time is the arrival of its last packet at the box: decoding, the gate, waiting for a turn, the network,
//! tracking, rules, the thumbnail and the disk all count. A second reader asks the index for new rows, so that a row counts
//! from when it is committed, and up to [`ASK`] late.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use wardwatch::config;

use super::Asked;
use super::live::{box_configuration, busy, settled};
use crate::cameras::{self, Cameras};

/// Interval at which the index is asked for new rows.
const ASK: Duration = Duration::from_millis(2);

/// Prints a line for each count of cameras.
pub fn print(asked: &Asked) {
    let (Some(main), Some(sub)) = (cameras::clip(), busy(asked)) else { return };
    println!(
        "\nfrom the frame that completes the evidence to the committed row of its alert, busy streets over RTSP, main 1080p15 \
         recorded, sub 640x360 at 5 fps looked at, {} s each, {} core(s); milliseconds\n\
         {:>7}  {:>6}  {:>5}  {:>5}  {:>5}  {:>5}",
        asked.seconds,
        std::thread::available_parallelism().map_or(1, usize::from),
        "cameras",
        "alerts",
        "p50",
        "p95",
        "p99",
        "most"
    );
    for count in &asked.cameras {
        let mut millis = daemon(asked, *count, &main, &sub);
        millis.sort_unstable();
        println!(
            "{count:>7}  {:>6}  {:>5}  {:>5}  {:>5}  {:>5}",
            millis.len(),
            nth(&millis, 50),
            nth(&millis, 95),
            nth(&millis, 99),
            nth(&millis, 100)
        );
    }
}

/// The value that `percent` of the sorted values do not exceed.
fn nth(sorted: &[i64], percent: usize) -> String {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).map_or_else(|| "–".to_owned(), i64::to_string)
}

/// Milliseconds of each alert that opened after everything ran evenly.
fn daemon(asked: &Asked, count: u32, main: &Path, sub: &Path) -> Vec<i64> {
    let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mains, subs) = (Cameras::start(count, main), Cameras::start(count, sub));
    let path = place.path().join("wardwatch.toml");
    fs::write(&path, configuration(asked, mains.urls().zip(subs.urls()))).unwrap();
    let settings = config::load(&path).unwrap();
    let daemon = settled(settings, count);
    let index = place.path().join("store/index.sqlite");
    let index = Connection::open_with_flags(index, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut rows = index
        .prepare(
            "SELECT seq, phase, opened_wall_us - wall_shift_us FROM alert JOIN event ON event.id = alert.event
             WHERE seq > ?1 ORDER BY seq",
        )
        .unwrap();
    let mut last: i64 =
        index.query_row("SELECT coalesce(max(seq), 0) FROM alert", [], |row| row.get(0)).unwrap();
    let mut millis = Vec::new();
    let end = Instant::now() + Duration::from_secs(asked.seconds);
    while Instant::now() < end {
        let now = base::clock::wall().as_micros();
        let fresh = rows.query_map([last], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        for (seq, phase, opened_us) in fresh.map(Result::<(i64, String, i64), _>::unwrap) {
            last = seq;
            if phase == "opened" {
                millis.push((now - opened_us) / 1000);
            }
        }
        std::thread::sleep(ASK);
    }
    daemon.stop();
    millis
}

/// Rules that fire often: a line across the street, and intrusion anywhere.
fn configuration(asked: &Asked, cameras: impl Iterator<Item = (String, String)>) -> String {
    let mut text = box_configuration(asked);
    for (number, (main, sub)) in cameras.enumerate() {
        write!(
            text,
            "[camera.c{number}]\nmain = \"{main}\"\nsub = \"{sub}\"\n\
             [camera.c{number}.tripwire.line]\nfrom = [0.0, 0.6]\nto = [1.0, 0.6]\n\
             [rule.t{number}]\nkind = \"tripwire\"\ncameras = [\"c{number}\"]\ntripwire = \"line\"\ncool_down_seconds = 0\n\
             [rule.i{number}]\nkind = \"intrusion\"\ncameras = [\"c{number}\"]\nseconds_min = 1\ncool_down_seconds = 0\n"
        )
        .unwrap();
    }
    text
}
