//! Scenarios of `store`: index and clip files that disagree, and indexes that are lost or damaged.

mod files;
mod index;
mod large;

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use base::alert::Alert;
use base::fragment::Fragment;
use base::ids::Epoch;
use clipstore::Reconciled;
use clipstore::inspect::{self, Depth, Finding};
use rusqlite::Connection;

use crate::store::{open, settings};
use crate::support::sample::{closed, fragment, opened};

const LONG: Duration = Duration::from_secs(20);

/// Makes a store with `fragments` of camera "gate" in segments of five.
pub fn filled(directory: &Path, fragments: u32) {
    let store = open(settings(directory));
    for number in 0..fragments {
        store.append(fragment("gate", number, 1000)).unwrap();
    }
    store.close();
}

/// Every row of a table, in text.
pub fn rows(directory: &Path, table: &str) -> Vec<String> {
    let index = Connection::open(directory.join("index.sqlite")).unwrap();
    let mut select = index.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
    let columns = select.column_count();
    let mut rows = select.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        all.push(
            (0..columns)
                .map(|at| format!("{:?}", row.get_unwrap::<_, rusqlite::types::Value>(at)))
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    all
}

pub fn execute(directory: &Path, sql: &str) {
    let index = Connection::open(directory.join("index.sqlite")).unwrap();
    index.pragma_update(None, "foreign_keys", true).unwrap();
    index.execute_batch(sql).unwrap();
}

/// Brings the content of the index's log into its file, so that the file is all there is.
fn checkpoint(directory: &Path) {
    execute(directory, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert!(!directory.join("index.sqlite-wal").exists());
}

fn reopened(directory: &Path) -> Reconciled {
    let store = open(settings(directory));
    store.vitals().reconciled
}

pub fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

pub fn check(directory: &Path, depth: Depth) -> Vec<Finding> {
    inspect::check(&settings(directory), depth, &mut |_, _| ()).unwrap()
}

/// Makes a store with footage of two cameras and alerts, some delivered. Returns the alerts as an officer would see them.
pub fn full_store(directory: &Path) -> Vec<Alert> {
    let store = open(settings(directory));
    for number in 0..12 {
        store.append(fragment("gate", number, 3000)).unwrap();
        store.append(Fragment { epoch: Epoch(number / 4), ..fragment("yard", number, 500) }).unwrap();
    }
    let mut alerts = Vec::new();
    for number in 0..10 {
        let draft = opened("gate", Duration::from_secs(number));
        alerts.push(store.put_alert(draft.clone()).unwrap());
        alerts.push(store.put_alert(closed(&draft, Duration::from_secs(number + 2))).unwrap());
    }
    for seq in 1..=14 {
        store.delivered(seq);
    }
    store.close();
    alerts
}
