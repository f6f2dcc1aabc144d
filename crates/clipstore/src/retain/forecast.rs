//! Forecast of how far back footage reaches, and of the limit that ends it. Pure.
//!
//! Retention deletes the oldest footage first, of all cameras together: so all reach back equally far, but for those
//! that a share or their age ends earlier. These leave their room to the others.

use std::time::Duration;

use crate::settings::{NO_LIMIT, Settings};
use base::ids::CameraId;

/// Limit that ends footage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `clip_bytes_max` of the store.
    Bytes,
    /// `clip_bytes_max` of the camera.
    Share,
    /// `clip_days_max`.
    Days,
    /// The disk, less `free_bytes_min`.
    Disk,
}

impl Bound {
    /// The key, or the disk, for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "store.clip_bytes_max",
            Self::Share => "the camera's clip_bytes_max",
            Self::Days => "store.clip_days_max",
            Self::Disk => "the disk",
        }
    }
}

/// Footage that one camera will have.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// The camera.
    pub camera: CameraId,
    /// Its rate.
    pub bytes_per_second: f64,
    /// Age of its oldest footage once the limit is reached.
    pub age: Duration,
    /// The limit.
    pub bound: Bound,
}

/// Room of all footage in bytes, and the limit that sets it. `disk_bytes`: free bytes of the disk and those of footage.
pub fn room(settings: &Settings, disk_bytes: u64) -> (u64, Bound) {
    let of_disk = disk_bytes.saturating_sub(settings.free_bytes_min);
    match settings.clip_bytes_max {
        limit if limit != NO_LIMIT && limit <= of_disk => (limit, Bound::Bytes),
        _ => (of_disk, Bound::Disk),
    }
}

/// Reach of each camera, with its bytes per second, in the order that was given.
pub fn reaches(settings: &Settings, disk_bytes: u64, rates: &[(CameraId, f64)]) -> Vec<Reach> {
    let (bytes, bound) = room(settings, disk_bytes);
    let mut of_camera: Vec<(usize, f64, Bound)> = (0..)
        .zip(rates)
        .map(|(place, (camera, rate))| {
            let (seconds, bound) = own_limit(settings, camera, *rate);
            (place, seconds, bound)
        })
        .collect();
    of_camera.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut left = bytes as f64;
    let mut rate_left: f64 = rates.iter().map(|(_, rate)| rate).sum();
    for (place, seconds, own_bound) in &mut of_camera {
        let rate = rates[*place].1;
        let shared = if rate_left > 0.0 { left / rate_left } else { f64::INFINITY };
        if shared < *seconds {
            (*seconds, *own_bound) = (shared, bound);
        }
        left = (left - rate * *seconds).max(0.0);
        rate_left -= rate;
    }
    of_camera.sort_by_key(|(place, ..)| *place);
    let reach =
        |((camera, bytes_per_second), (_, seconds, bound)): (&(CameraId, f64), &(usize, f64, Bound))| Reach {
            camera: camera.clone(),
            bytes_per_second: *bytes_per_second,
            age: Duration::try_from_secs_f64(*seconds).unwrap_or(settings.clip_age_max),
            bound: *bound,
        };
    rates.iter().zip(&of_camera).map(reach).collect()
}

/// Seconds that a camera's own limits leave it.
fn own_limit(settings: &Settings, camera: &CameraId, rate: f64) -> (f64, Bound) {
    let days = settings.clip_age_max.as_secs_f64();
    match settings.camera_bytes_max.get(camera) {
        Some(share) if rate > 0.0 && *share as f64 / rate < days => (*share as f64 / rate, Bound::Share),
        _ => (days, Bound::Days),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(clip_bytes_max: u64, days: u64, shares: &[(&str, u64)]) -> Settings {
        Settings {
            clip_bytes_max,
            clip_age_max: Duration::from_secs(days * 86_400),
            free_bytes_min: 1000,
            camera_bytes_max: shares.iter().map(|(id, bytes)| (id.parse().unwrap(), *bytes)).collect(),
            ..Settings::new("/nowhere".into())
        }
    }

    fn seconds(settings: &Settings, disk: u64, rates: &[(&str, f64)]) -> Vec<(u64, Bound)> {
        let rates: Vec<_> = rates.iter().map(|(id, rate)| (id.parse().unwrap(), *rate)).collect();
        reaches(settings, disk, &rates).iter().map(|reach| (reach.age.as_secs(), reach.bound)).collect()
    }

    #[test]
    fn the_limit_that_is_passed_first_binds() {
        let two = [("a", 10.0), ("b", 30.0)];
        let day = 86_400;
        assert_eq!(seconds(&settings(NO_LIMIT, 1, &[]), 5000, &two), [(100, Bound::Disk); 2]);
        assert_eq!(seconds(&settings(2000, 1, &[]), 5000, &two), [(50, Bound::Bytes); 2]);
        assert_eq!(seconds(&settings(9000, 1, &[]), 5000, &two), [(100, Bound::Disk); 2]);
        assert_eq!(seconds(&settings(NO_LIMIT, 1, &[]), 1 << 40, &two), [(day, Bound::Days); 2]);
        // What a share leaves, the other has.
        let shared = settings(NO_LIMIT, 1, &[("b", 600)]);
        assert_eq!(seconds(&shared, 5000, &two), [(340, Bound::Disk), (20, Bound::Share)]);
        let generous = settings(NO_LIMIT, 1, &[("b", 6000)]);
        assert_eq!(seconds(&generous, 5000, &two), [(100, Bound::Disk); 2]);
        assert_eq!(seconds(&settings(NO_LIMIT, 1, &[]), 500, &two), [(0, Bound::Disk); 2]);
        assert_eq!(seconds(&settings(NO_LIMIT, 1, &[]), 5000, &[("a", 0.0)]), [(day, Bound::Days)]);
    }

    proptest! {
        /// Compares with retention itself, second by second.
        #[test]
        fn it_is_what_retention_leads_to(
            rates in proptest::collection::vec(1u32..20, 1..5),
            // Seconds that the share of a camera has room for.
            shares in proptest::collection::vec(proptest::option::of(1u64..500), 5),
            room in 500u64..5000,
        ) {
            let names = ["a", "b", "c", "d", "e"];
            let named: Vec<(&str, u64)> = names
                .iter()
                .zip(shares.iter().zip(&rates))
                .filter_map(|(name, (share, rate))| share.map(|seconds| (*name, seconds * u64::from(*rate))))
                .collect();
            let settings = settings(room, 1, &named);
            let given: Vec<(CameraId, f64)> =
                names.iter().zip(&rates).map(|(name, rate)| (name.parse().unwrap(), f64::from(*rate))).collect();
            // Each camera has so many seconds; the longest loses one until all fits.
            let mut naive: Vec<u64> =
                (0..rates.len()).map(|place| shares[place].unwrap_or(86_400)).collect();
            let bytes = |naive: &[u64]| naive.iter().zip(&rates).map(|(age, rate)| age * u64::from(*rate)).sum::<u64>();
            while bytes(&naive) > room {
                let longest = *naive.iter().max().unwrap();
                naive.iter_mut().filter(|age| **age == longest).for_each(|age| *age -= 1);
            }
            for (reach, naive) in reaches(&settings, u64::MAX, &given).iter().zip(naive) {
                prop_assert!(reach.age.as_secs().abs_diff(naive) <= 1, "{:?} and {}", reach, naive);
            }
        }
    }
}
