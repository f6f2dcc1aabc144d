//! Checks that the store's disk is there, and large and fast enough.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Finding;
use clipstore::{Settings, inspect};

/// Bytes that are written to measure the disk's speed.
const BYTES: usize = 16 << 20;
/// Small syncs that are timed.
const SYNCS: usize = 20;
/// Rate of a camera where it was not measured: 2 Mbit/s.
const CAMERA_BYTES_PER_SECOND: f64 = 250_000.0;
/// Factor by which a disk should be faster than the cameras' rate: others use it, and cards grow slow.
const SPARE: f64 = 4.0;
/// A sync that takes longer delays every alert by as much.
const SYNC_MAX: Duration = Duration::from_millis(500);

pub(super) fn examine(
    settings: &Settings,
    cameras: usize,
    bytes_per_second: Option<f64>,
    say: &mut dyn FnMut(Finding),
) {
    let folder = existing(&settings.directory);
    let need = bytes_per_second.unwrap_or(cameras as f64 * CAMERA_BYTES_PER_SECOND);
    match rustix::fs::statvfs(&folder) {
        Ok(disk) => {
            // Bytes that footage occupies already are available for footage.
            let taken = bytes_below(&settings.directory.join("clips"));
            let left = disk.f_bavail.saturating_mul(disk.f_frsize).saturating_add(taken);
            say(space(settings, &folder, left, need));
        }
        Err(error) => {
            say(Finding::failed(
                "disk space",
                format!("{}: {error}", folder.display()),
                "is the disk mounted?",
            ));
        }
    }
    if let Some(problem) = inspect::index_problem(&settings.directory) {
        let remedy = "`wardwatch store check` says what is wrong; where the index is lost or damaged, the next start builds it \
                      anew from the clip files";
        say(Finding::warning("store index", problem, remedy));
    }
    match measure(&folder) {
        Ok(speed) => say(speed.finding(&folder, need)),
        Err(error) => {
            let remedy = "is the disk mounted for writing, and does the daemon's user own the folder?";
            say(Finding::failed("disk speed", format!("{}: {error}", folder.display()), remedy));
        }
    }
}

/// `directory`, or the nearest folder above it that exists: it is made at the first start.
fn existing(directory: &Path) -> PathBuf {
    let above = directory.ancestors().find(|above| above.is_dir());
    above.unwrap_or(Path::new("/")).to_owned()
}

/// Bytes of all files below a folder; unreadable entries count nothing.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

/// `left`: bytes that the disk would have free without footage. `need`: bytes that the cameras send in a second.
fn space(settings: &Settings, folder: &Path, left: u64, need: f64) -> Finding {
    let available = left.saturating_sub(settings.free_bytes_min);
    let room = settings.clip_bytes_max.min(available);
    let hours = if need > 0.0 { room as f64 / need / 3600.0 } else { f64::INFINITY };
    let lasts = hours.min(settings.clip_age_max.as_secs_f64() / 3600.0);
    let lasts = if lasts < 48.0 { format!("{lasts:.0} hours") } else { format!("{:.0} days", lasts / 24.0) };
    let gib = room as f64 / (1u64 << 30) as f64;
    let what = format!("{}: footage may have {gib:.1} GiB, which is {lasts} of it", folder.display());
    if hours < 24.0 {
        return Finding::failed(
            "disk space",
            what,
            "a larger disk, or store.free_bytes_min and clip_bytes_max by it",
        );
    }
    if settings.clip_bytes_max > available {
        let remedy = "store.clip_bytes_max is more than the disk holds: what counts is free_bytes_min";
        return Finding::warning("disk space", what, remedy);
    }
    Finding::ok("disk space", what)
}

/// Measured speed of a disk.
#[derive(Debug, Clone, Copy)]
struct Speed {
    bytes_per_second: f64,
    /// The longest of the small syncs.
    sync: Duration,
}

impl Speed {
    fn finding(self, folder: &Path, need: f64) -> Finding {
        let mb = |bytes: f64| bytes / 1e6;
        let what = format!(
            "{}: {:.0} MB/s written and synced, a sync takes up to {} ms; the cameras need {:.1} MB/s",
            folder.display(),
            mb(self.bytes_per_second),
            self.sync.as_millis(),
            mb(need)
        );
        if self.bytes_per_second < need {
            return Finding::failed(
                "disk speed",
                what,
                "footage will be lost: a faster disk, or fewer bits a second",
            );
        }
        if self.bytes_per_second < SPARE * need || self.sync > SYNC_MAX {
            return Finding::warning(
                "disk speed",
                what,
                "it works while nothing else uses the disk; cards wear out",
            );
        }
        Finding::ok("disk speed", what)
    }
}

/// Measures the speed with a file, which it removes again.
fn measure(folder: &Path) -> io::Result<Speed> {
    let path = folder.join(format!(".wardwatch-doctor-{}", std::process::id()));
    let speed = write(&path);
    let removed = fs::remove_file(&path);
    let speed = speed?;
    removed?;
    Ok(speed)
}

fn write(path: &Path) -> io::Result<Speed> {
    let mut file = File::create_new(path)?;
    // No two sectors of the block are the same: some disks would notice.
    let block: Vec<u8> =
        (0..1u32 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let begun = Instant::now();
    for _ in 0..BYTES / block.len() {
        file.write_all(&block)?;
    }
    file.sync_data()?;
    let bytes_per_second = BYTES as f64 / begun.elapsed().as_secs_f64().max(1e-6);
    let mut sync = Duration::ZERO;
    for _ in 0..SYNCS {
        file.write_all(&block[..4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        sync = sync.max(begun.elapsed());
    }
    Ok(Speed { bytes_per_second, sync })
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_disk_is_judged_by_what_the_cameras_need() {
        let verdict = |bytes_per_second, millis| {
            let speed = Speed { bytes_per_second, sync: Duration::from_millis(millis) };
            speed.finding(Path::new("/"), 2e6).verdict
        };
        assert_eq!(verdict(20e6, 10), Verdict::Ok);
        assert_eq!(verdict(20e6, 900), Verdict::Warning);
        assert_eq!(verdict(5e6, 10), Verdict::Warning);
        assert_eq!(verdict(1e6, 10), Verdict::Failed);

        let mut settings = Settings::new("/nowhere".into());
        let verdict = |settings: &Settings, left| space(settings, Path::new("/"), left, 1e6).verdict;
        assert_eq!(verdict(&settings, 1 << 30), Verdict::Failed, "nothing is left beside what stays free");
        assert_eq!(verdict(&settings, 50 << 30), Verdict::Failed, "half a day");
        assert_eq!(verdict(&settings, 95 << 30), Verdict::Warning, "less than the limit");
        assert_eq!(verdict(&settings, 200 << 30), Verdict::Ok);
        settings.clip_bytes_max = 10 << 30;
        assert_eq!(verdict(&settings, 200 << 30), Verdict::Failed, "three hours");
    }

    #[test]
    fn an_index_that_cannot_be_used_is_named() {
        let place = tempfile::tempdir().unwrap();
        let settings = Settings::new(place.path().to_owned());
        let named = || {
            let mut found = Vec::new();
            examine(&settings, 1, None, &mut |finding| found.push(finding));
            found.into_iter().find(|finding| finding.about == "store index").map(|finding| finding.what)
        };
        assert_eq!(named(), None, "a new store");
        let clips = place.path().join("clips");
        fs::create_dir(&clips).unwrap();
        fs::write(clips.join("one.mp4"), "footage").unwrap();
        assert!(named().unwrap().contains("is not there, and there is footage"));
        fs::write(place.path().join("index.sqlite"), "").unwrap();
        assert!(named().unwrap().contains("is empty"));
        fs::write(place.path().join("index.sqlite"), "garbage".repeat(1000)).unwrap();
        assert!(named().unwrap().contains("store repair"), "{:?}", named());
    }

    #[test]
    fn a_disk_is_measured_and_nothing_stays_on_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/c"), [0; 300]).unwrap();
        assert_eq!(bytes_below(folder.path()), 300);
        fs::remove_dir_all(folder.path().join("a")).unwrap();
        assert!(measure(folder.path()).unwrap().bytes_per_second > 0.0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(measure(&folder.path().join("missing")).is_err());
    }
}
