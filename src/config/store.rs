//! Settings of the store for footage and alerts: folder, sizes and ages.

use std::collections::BTreeMap;
use std::time::Duration;

use super::file::{self, ByteCount};
use super::outside::Checker;
use clipstore::{NO_LIMIT, Settings};
use program::config::quoted;

/// Minimum room for footage: less does not hold one event of one camera.
const CLIP_BYTES_MIN: u64 = 64 << 20;
/// Default of `clip_days_min`.
const CLIP_DAYS_MIN: f64 = 7.0;
/// Minimum room of the outbox: a few dozen pictures.
const OUTBOX_BYTES_MIN: u64 = 1 << 20;

/// Minimum room of the stills: those of a few alerts.
const STILLS_BYTES_MIN: u64 = 1 << 20;

/// The store's settings; `None` only if a problem has been noted.
pub(super) fn checked(
    checker: &mut Checker,
    store: &file::Store,
    cameras: &BTreeMap<String, file::Camera>,
) -> Option<Settings> {
    let directory = checker.written.folder("store.directory").join(&store.directory);
    if directory.exists() && !directory.is_dir() {
        let what = format!("{} is not a folder", directory.display());
        checker.wrong("store.directory", what, "name a folder; it is created if missing");
    }
    checker.writable_folder("store.directory", &directory);
    let clip_bytes_max = match &store.clip_bytes_max {
        Some(count) => clip_bytes(checker, "store.clip_bytes_max", count),
        None => Some(NO_LIMIT),
    };
    let free_bytes_min = bytes(checker, "store.free_bytes_min", &store.free_bytes_min);
    let outbox_bytes_max = bytes(checker, "store.outbox_bytes_max", &store.outbox_bytes_max);
    if outbox_bytes_max.is_some_and(|bytes| bytes < OUTBOX_BYTES_MIN) {
        checker.wrong("store.outbox_bytes_max", "is too little", "use at least \"1 MiB\"");
    }
    let stills_bytes_max = bytes(checker, "store.stills_bytes_max", &store.stills_bytes_max);
    if stills_bytes_max.is_some_and(|bytes| bytes < STILLS_BYTES_MIN) {
        let remedy = "use at least \"1 MiB\", or stills = false under [broker] for no stills";
        checker.wrong("store.stills_bytes_max", "is too little", remedy);
    }
    if store.alert_days_max < store.clip_days_max {
        let what = format!("{} days is less than clip_days_max", store.alert_days_max);
        let remedy = format!("use at least {}: alerts keep footage longer, not shorter", store.clip_days_max);
        let key = ["store.alert_days_max", "store.clip_days_max"]
            .into_iter()
            .find(|key| checker.written.is_written(key));
        checker.wrong(key.unwrap_or("store"), what, remedy);
    }
    let clip_days_min = store.clip_days_min.unwrap_or(CLIP_DAYS_MIN.min(store.clip_days_max));
    if clip_days_min > store.clip_days_max {
        let what = format!("{clip_days_min} days is more than clip_days_max");
        let remedy = format!("use at most {}: older footage is removed", store.clip_days_max);
        checker.wrong("store.clip_days_min", what, remedy);
    }
    let mut camera_bytes_max = BTreeMap::new();
    for (id, camera) in cameras {
        let Some(count) = &camera.clip_bytes_max else { continue };
        let share = clip_bytes(checker, &format!("camera.{}.clip_bytes_max", quoted(id)), count);
        // An invalid id is noted with its camera.
        if let (Some(share), Ok(id)) = (share, id.parse()) {
            camera_bytes_max.insert(id, share);
        }
    }
    let days = |days: f64| Duration::from_secs_f64(days * 24.0 * 3600.0);
    Some(Settings {
        directory,
        clip_bytes_max: clip_bytes_max?,
        camera_bytes_max,
        clip_age_max: days(store.clip_days_max),
        clip_age_min: days(clip_days_min),
        alert_age_max: days(store.alert_days_max),
        outbox_bytes_max: outbox_bytes_max?,
        stills_bytes_max: stills_bytes_max?,
        free_bytes_min: free_bytes_min?,
        free_inodes_min: store.free_inodes_min,
        segment: Duration::from_secs_f64(store.segment_seconds),
        sync_interval: Duration::from_secs_f64(store.sync_interval_seconds),
    })
}

/// Room for footage, which is checked against the minimum.
fn clip_bytes(checker: &mut Checker, key: &str, count: &ByteCount) -> Option<u64> {
    let bytes = bytes(checker, key, count)?;
    if bytes < CLIP_BYTES_MIN {
        checker.wrong(key, format!("{bytes} bytes is too little"), "use at least \"64 MiB\"");
        return None;
    }
    Some(bytes)
}

fn bytes(checker: &mut Checker, key: &str, count: &ByteCount) -> Option<u64> {
    let bytes = read_bytes(count);
    if bytes.is_none() {
        let remedy = "write a number and a unit (KiB, MiB, GiB, TiB, KB, MB, GB, TB): \"100 GiB\"";
        checker.wrong(key, "is not a number of bytes", remedy);
    }
    bytes
}

fn read_bytes(count: &ByteCount) -> Option<u64> {
    let text = match count {
        ByteCount::Bytes(bytes) => return Some(*bytes),
        ByteCount::Text(text) => text.trim(),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: f64 = match unit.trim() {
        "" | "B" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    // A float becomes the nearest number that fits; above 2^64 bytes lies no disk's limit.
    number.parse::<f64>().ok().map(|number| (number * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_what_the_store_takes_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[box]\nward = \"w\"\nid = \"b\"\n[broker]\nurl = \"mqtt://localhost\"\n";
        let path = folder.path().join("wardwatch.toml");
        std::fs::write(&path, text).unwrap();
        let settings = super::super::load(&path).unwrap();
        assert_eq!(settings.store, Settings::new("/var/lib/wardwatch".into()));
    }

    #[test]
    fn byte_counts() {
        for (text, expected) in [
            ("100 GiB", Some(100 << 30)),
            ("1.5GiB", Some(3 << 29)),
            ("500 GB", Some(500_000_000_000)),
            ("1 TB", Some(1_000_000_000_000)),
            ("12345", Some(12345)),
            ("100 Gb", None),
            ("GiB", None),
            ("-1 GiB", None),
            ("1.2.3 GiB", None),
            ("", None),
        ] {
            assert_eq!(read_bytes(&ByteCount::Text(text.to_owned())), expected, "{text}");
        }
    }
}
