//! Forecast of the time that the footage of each camera will reach back, from the rates of present footage where there is some.

use std::io;
use std::path::{Path, PathBuf};

use base::ids::CameraId;
use clipstore::forecast::{self, Bound, Reach};
use clipstore::{Catalogue, Settings};

/// Rate of a camera where it was not measured: 2 Mbit/s.
pub const CAMERA_BYTES_PER_SECOND: f64 = 250_000.0;

/// The outlook of a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// Room of all footage in bytes.
    pub room_bytes: u64,
    /// The limit that sets it: the disk, or `clip_bytes_max`.
    pub bound: Bound,
    /// Reach of each camera, in the order that was given.
    pub reaches: Vec<Reach>,
    /// Cameras whose rate is that of their footage; that of the others is assumed.
    pub measured: Vec<CameraId>,
}

/// Looks at the disk and the index. `assumed`: bytes per second of a camera without footage.
///
/// # Errors
/// The disk cannot be asked for its room.
pub fn outlook(settings: &Settings, cameras: &[CameraId], assumed: f64) -> io::Result<Outlook> {
    let disk = rustix::fs::statvfs(existing(&settings.directory))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    // Without a readable index the clip files count as other files.
    let catalogue = Catalogue::open(&settings.directory).ok();
    let footage = catalogue.as_ref().and_then(|catalogue| catalogue.footage_bytes().ok()).unwrap_or(0);
    let (mut rates, mut measured) = (Vec::new(), Vec::new());
    for camera in cameras {
        let rate = catalogue.as_ref().and_then(|catalogue| catalogue.bytes_per_second(camera).ok().flatten());
        measured.extend(rate.map(|_| camera.clone()));
        rates.push((camera.clone(), rate.unwrap_or(assumed)));
    }
    let disk_bytes = free.saturating_add(footage);
    let (room_bytes, bound) = forecast::room(settings, disk_bytes);
    Ok(Outlook { room_bytes, bound, reaches: forecast::reaches(settings, disk_bytes, &rates), measured })
}

/// `directory`, or the nearest folder above it that exists: it is made at the first start.
pub(super) fn existing(directory: &Path) -> PathBuf {
    let above = directory.ancestors().find(|above| above.is_dir());
    above.unwrap_or(Path::new("/")).to_owned()
}

/// An age for a person: hours below two days, then days.
pub fn age_text(reach: &Reach) -> String {
    let hours = reach.age.as_secs_f64() / 3600.0;
    if hours.round() as u64 == 1 {
        "1 hour".to_owned()
    } else if hours < 48.0 {
        format!("{hours:.0} hours")
    } else {
        format!("{:.0} days", hours / 24.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use base::clock::SystemClock;
    use clipstore::Store;
    use rusqlite::Connection;

    #[test]
    fn the_rate_of_present_footage_counts_and_else_the_assumed_one() {
        let place = tempfile::tempdir().unwrap();
        let settings = Settings { free_bytes_min: 0, ..Settings::new(place.path().join("store")) };
        let cameras: Vec<CameraId> = vec!["gate".parse().unwrap(), "yard".parse().unwrap()];
        let before = outlook(&settings, &cameras, 1e6).unwrap();
        assert!(before.measured.is_empty() && before.room_bytes > 0, "{before:?}");

        let store = Store::open(settings.clone(), Arc::new(SystemClock)).unwrap();
        store.close();
        drop(store);
        let index = Connection::open(settings.directory.join("index.sqlite")).unwrap();
        let insert = "INSERT INTO segment (id, camera, epoch, path, boot_id, starts_wall_us, starts_monotonic_ns, clock,
                                           ends_wall_us, codec, width, height, init_bytes, bytes, ended)
                      VALUES (?1, 'gate', 0, ?1, 'boot', ?1 * 60000000, 0, 'synced', (?1 + 1) * 60000000, 'h264',
                              1920, 1080, 800, 30000000, 1)";
        for id in 1..=3 {
            index.execute(insert, [id]).unwrap();
        }
        let after = outlook(&settings, &cameras, 1e6).unwrap();
        let rates: Vec<f64> = after.reaches.iter().map(|reach| reach.bytes_per_second).collect();
        assert_eq!((after.measured.as_slice(), rates.as_slice()), (&cameras[..1], &[500_000.0, 1e6][..]));
    }
}
