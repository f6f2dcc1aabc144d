//! Forecast of how far back footage reaches, and of the limit that ends it. Pure.
//!
//! Retention deletes the oldest footage first, of all cameras together: so all reach back equally far, but for those that a share
//! or their age ends earlier, which leave their room to the others, and those that half of an equal part takes further.

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

/// Halvings of the interval in which the common reach is sought: to 86 ms of ten thousand years.
const HALVINGS: u32 = 42;

/// Reach of each camera, with its bytes per second, in the order that was given.
pub fn reaches(settings: &Settings, disk_bytes: u64, rates: &[(CameraId, f64)]) -> Vec<Reach> {
    let (bytes, bound) = room(settings, disk_bytes);
    let writing = rates.iter().filter(|(_, rate)| *rate > 0.0).count();
    let half_part = bytes as f64 / (2 * writing.max(1)) as f64;
    let limits: Vec<(f64, Bound)> =
        rates.iter().map(|(camera, rate)| own_limit(settings, camera, *rate)).collect();
    // A camera's reach where the others reach so far.
    let reach = |place: usize, common: f64| {
        let floor = if rates[place].1 > 0.0 { half_part / rates[place].1 } else { 0.0 };
        limits[place].0.min(common.max(floor))
    };
    let all_bytes =
        |common| (0..).zip(rates).map(|(place, (_, rate))| rate * reach(place, common)).sum::<f64>();
    let (mut fits, mut beyond) = (0.0, limits.iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max));
    if all_bytes(beyond) <= bytes as f64 {
        fits = beyond;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(fits, beyond);
        if all_bytes(middle) <= bytes as f64 { fits = middle } else { beyond = middle }
    }
    let of_camera = |(place, (camera, rate)): (usize, &(CameraId, f64))| {
        let seconds = reach(place, fits);
        let (own, own_bound) = limits[place];
        Reach {
            camera: camera.clone(),
            bytes_per_second: *rate,
            age: Duration::try_from_secs_f64(seconds).unwrap_or(settings.clip_age_max),
            bound: if seconds < own { bound } else { own_bound },
        }
    };
    rates.iter().enumerate().map(of_camera).collect()
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
    use crate::retain::retention::{self, Ceiling, Held, Limits};
    use crate::retain::segment_list::{CameraNumber, Segment, State};
    use base::time::{ClockState, WallTime};

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
        let round = |age: Duration| age.as_secs_f64().round() as u64;
        reaches(settings, disk, &rates).iter().map(|reach| (round(reach.age), reach.bound)).collect()
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

    #[test]
    fn a_camera_that_sends_much_leaves_the_others_half_of_an_equal_part() {
        // Equal reaches were 190 s each: 3,040 and 190 bytes.
        let rates = [("4k", 16.0), ("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0)];
        let reached = seconds(&settings(NO_LIMIT, 1, &[]), 5000, &rates);
        assert_eq!(reached[1..], [(400, Bound::Disk); 4]);
        assert_eq!(reached[0], (150, Bound::Disk));
    }

    /// Segments of ten seconds until the numbers stay, deleted as retention plans.
    fn simulated(rates: &[u32], shares: &[Option<u64>], room: u64) -> Vec<u64> {
        const SEGMENT: u64 = 10;
        let ceiling = |bytes| Ceiling { bytes_max: bytes, bytes_goal: bytes };
        let limits = Limits {
            total: ceiling(room),
            shares: shares.iter().map(|share| ceiling(share.unwrap_or(u64::MAX))).collect(),
            bytes_short: 0,
            inodes_short: 0,
            clip_age_max: Duration::MAX,
            alert_age_max: Duration::MAX,
        };
        let mut segments: Vec<Segment> = Vec::new();
        for step in 0..400 {
            for (camera, rate) in (0..).zip(rates) {
                let starts_at = WallTime::from_micros(step * SEGMENT as i64 * 1_000_000);
                segments.push(Segment {
                    id: step * 8 + i64::from(camera),
                    camera: CameraNumber(camera),
                    starts_at,
                    ends_at: starts_at + Duration::from_secs(SEGMENT),
                    bytes: SEGMENT * u64::from(*rate),
                    state: State::Ended,
                    clock: ClockState::Synced,
                });
            }
            let plan = retention::plan(&segments, &[], &Held::default(), &limits, None);
            segments.retain(|segment| plan.deletions.iter().all(|(id, _)| *id != segment.id));
        }
        let of =
            |camera| segments.iter().filter(|segment| segment.camera == CameraNumber(camera)).count() as u64;
        (0..).zip(rates).map(|(camera, _)| SEGMENT * of(camera)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Compares with the planner of retention, run until nothing changes.
        #[test]
        fn it_is_where_retention_leads(
            rates in proptest::collection::vec(1u32..20, 1..5),
            // Seconds that the share of a camera has room for.
            shares in proptest::collection::vec(proptest::option::of(20u64..500), 5),
            room in 1000u64..5000,
        ) {
            let names = ["a", "b", "c", "d", "e"];
            let bytes: Vec<Option<u64>> = shares
                .iter()
                .zip(&rates)
                .map(|(share, rate)| share.map(|seconds| seconds * u64::from(*rate)))
                .collect();
            let named: Vec<(&str, u64)> =
                names.iter().zip(&bytes).filter_map(|(name, share)| share.map(|share| (*name, share))).collect();
            let settings = settings(room, 1, &named);
            let given: Vec<(CameraId, f64)> =
                names.iter().zip(&rates).map(|(name, rate)| (name.parse().unwrap(), f64::from(*rate))).collect();
            let simulated = simulated(&rates, &bytes, room);
            // Segments are as long as ten seconds, and the busiest camera's are the coarsest.
            let most = u64::from(*rates.iter().max().unwrap());
            for (place, reach) in reaches(&settings, u64::MAX, &given).iter().enumerate() {
                let off = reach.age.as_secs().abs_diff(simulated[place].min(86_400));
                let within = 20 + 10 * rates.len() as u64 * most / u64::from(rates[place]);
                prop_assert!(off <= within, "{:?} and {} of {:?}", reach, simulated[place], simulated);
            }
        }
    }
}
