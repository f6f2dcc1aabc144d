//! Checks that the store's disk is there, and large and fast enough.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Finding;
use super::footage::{self, CAMERA_BYTES_PER_SECOND, Outlook, existing};
use base::ids::CameraId;
use clipstore::forecast::{Bound, Reach};
use clipstore::{NO_LIMIT, Settings, inspect};

/// Bytes that are written to measure the disk's speed.
const BYTES: usize = 16 << 20;
/// Small syncs that are timed.
const SYNCS: usize = 20;
/// Factor by which a disk should be faster than the cameras' rate: others use it, and cards grow slow.
const SPARE: f64 = 4.0;
/// A sync that takes longer delays every alert by as much.
const SYNC_MAX: Duration = Duration::from_millis(500);
/// Footage that reaches back less is too little for an investigation.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// `bytes_per_second`: rate of all cameras together, where it was measured just now.
pub(super) fn examine(
    settings: &Settings,
    cameras: &[CameraId],
    bytes_per_second: Option<f64>,
    say: &mut dyn FnMut(Finding),
) {
    let folder = existing(&settings.directory);
    let need = bytes_per_second.unwrap_or(cameras.len() as f64 * CAMERA_BYTES_PER_SECOND);
    let assumed = if cameras.is_empty() { CAMERA_BYTES_PER_SECOND } else { need / cameras.len() as f64 };
    match footage::outlook(settings, cameras, assumed) {
        Ok(outlook) => say(space(settings, &folder, &outlook)),
        Err(error) => {
            say(Finding::failed(
                "disk space",
                format!("{}: {error}", folder.display()),
                "is the disk mounted?",
            ));
        }
    }
    if let Some(problem) = inspect::index_problem(&settings.directory) {
        let remedy = "`wardwatch store check` lists the faults; a lost or damaged index is built again from the clip files at the \
                      next start";
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

/// Judges the room by the camera whose footage reaches back least.
fn space(settings: &Settings, folder: &Path, outlook: &Outlook) -> Finding {
    let gib = outlook.room_bytes as f64 / (1u64 << 30) as f64;
    let mut what = format!("{}: footage may have {gib:.1} GiB", folder.display());
    let Some(least) = outlook.reaches.iter().min_by_key(|reach| reach.age) else {
        return Finding::ok("disk space", what);
    };
    let _ =
        write!(what, ", which is {} of it; {} is the limit", footage::age_text(least), least.bound.as_str());
    if outlook.reaches.iter().any(|reach| reach.age != least.age) {
        let _ = write!(what, " of camera {}", least.camera);
    }
    let is_short = |reach: &&Reach| reach.age < DAY && matches!(reach.bound, Bound::Bytes | Bound::Disk);
    if outlook.reaches.iter().any(|reach| is_short(&reach)) {
        return Finding::failed(
            "disk space",
            what,
            "a larger disk, or store.free_bytes_min and clip_bytes_max by it",
        );
    }
    if settings.clip_bytes_max != NO_LIMIT && outlook.bound == Bound::Disk {
        let remedy = "store.clip_bytes_max is more than the disk holds: what counts is free_bytes_min";
        return Finding::warning("disk space", what, remedy);
    }
    if least.age < DAY {
        return Finding::warning("disk space", what, "a larger clip_bytes_max of this camera");
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
    use clipstore::forecast;

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
    }

    #[test]
    fn the_room_is_judged_by_days_and_names_its_limit() {
        let gate: Vec<(CameraId, f64)> = vec![("gate".parse().unwrap(), 1e6)];
        let of = |settings: &Settings, left: u64| {
            let (room_bytes, bound) = forecast::room(settings, left);
            let reaches = forecast::reaches(settings, left, &gate);
            space(settings, Path::new("/"), &Outlook { room_bytes, bound, reaches, measured: Vec::new() })
        };
        let mut settings = Settings::new("/nowhere".into());
        for (clip_bytes_max, left, verdict, said) in [
            (NO_LIMIT, 1 << 30, Verdict::Failed, "0 hours of it; the disk is"),
            (NO_LIMIT, 50 << 30, Verdict::Failed, "15 hours of it; the disk is"),
            (NO_LIMIT, 200 << 30, Verdict::Ok, "2 days of it; the disk is"),
            (NO_LIMIT, 1 << 50, Verdict::Ok, "30 days of it; store.clip_days_max is"),
            (100 << 30, 95 << 30, Verdict::Warning, "28 hours of it; the disk is"),
            (100 << 30, 200 << 30, Verdict::Ok, "30 hours of it; store.clip_bytes_max is"),
            (10 << 30, 200 << 30, Verdict::Failed, "3 hours of it; store.clip_bytes_max is"),
        ] {
            settings.clip_bytes_max = clip_bytes_max;
            let found = of(&settings, left);
            assert!(found.verdict == verdict && found.what.contains(said), "{found:?}, not {said}");
        }
        settings.clip_bytes_max = NO_LIMIT;
        settings.camera_bytes_max.insert("gate".parse().unwrap(), 1 << 30);
        let found = of(&settings, 200 << 30);
        let said = "0 hours of it; the camera's clip_bytes_max is the limit";
        assert!(found.verdict == Verdict::Warning && found.what.contains(said), "{found:?}");
    }

    #[test]
    fn an_index_that_cannot_be_used_is_named() {
        let place = tempfile::tempdir().unwrap();
        let settings = Settings::new(place.path().to_owned());
        let named = || {
            let mut found = Vec::new();
            examine(&settings, &["gate".parse().unwrap()], None, &mut |finding| found.push(finding));
            found.into_iter().find(|finding| finding.about == "store index").map(|finding| finding.what)
        };
        assert_eq!(named(), None, "a new store");
        let clips = place.path().join("clips");
        fs::create_dir(&clips).unwrap();
        fs::write(clips.join("one.mp4"), "footage").unwrap();
        assert!(named().unwrap().contains("is missing, and there is footage"));
        fs::write(place.path().join("index.sqlite"), "").unwrap();
        assert!(named().unwrap().contains("is empty"));
        fs::write(place.path().join("index.sqlite"), "garbage".repeat(1000)).unwrap();
        assert!(named().unwrap().contains("store repair"), "{:?}", named());
    }

    #[test]
    fn a_disk_is_measured_and_nothing_stays_on_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
        assert!(measure(folder.path()).unwrap().bytes_per_second > 0.0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(measure(&folder.path().join("missing")).is_err());
    }
}
