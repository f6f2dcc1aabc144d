//! A year of eight cameras, in seconds: the planner alone, no file.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::age::Trust;
use super::*;
use base::time::{Monotonic, Stamp};

const CAMERAS: u16 = 8;
const MINUTE: i64 = 60_000_000;
const DAY_MINUTES: i64 = 24 * 60;
/// About 15 hours.
const LIMIT: u64 = 100_000_000_000;
const SHARE: u64 = 6_000_000_000;
const SEGMENT_BYTES_MAX: u64 = 18_000_000;
/// Minutes between two sweeps.
const SWEEP_MINUTES: i64 = 120;

/// A simulated box with its footage.
struct Box {
    random: ChaCha8Rng,
    segments: Vec<Segment>,
    pins: Vec<Pin>,
    held: Vec<(CameraNumber, WallTime, WallTime)>,
    trust: Trust,
    believed: Option<WallTime>,
    since_boot: i64,
    /// Error of the wall clock in microseconds, and the state that it reports.
    off: i64,
    clock: ClockState,
    next_id: i64,
    /// Bytes of all segments.
    bytes: u64,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Figures {
    segments: u64,
    plans: u64,
    gone: [u64; 4],
    pinned_gone: u64,
    reboots: u64,
    alerts: u64,
}

impl Box {
    fn new() -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(3),
            segments: Vec::new(),
            pins: Vec::new(),
            held: Vec::new(),
            trust: Trust::default(),
            believed: None,
            since_boot: 0,
            off: 0,
            clock: ClockState::Synced,
            next_id: 1,
            bytes: 0,
            figures: Figures::default(),
        }
    }

    fn wall(&self, minute: i64) -> WallTime {
        WallTime::from_micros(minute * MINUTE + self.off)
    }

    /// About once a week power fails; the clock starts at 1970 then, or at the last time it knew, for some hours.
    fn weather(&mut self, minute: i64) {
        self.since_boot += MINUTE;
        if self.random.random_ratio(1, 7 * DAY_MINUTES as u32) {
            self.figures.reboots += 1;
            self.since_boot = 0;
            self.trust = Trust::from_footage(&self.segments);
            if self.random.random_bool(0.5) {
                (self.clock, self.off) = (ClockState::Unsynced, -minute * MINUTE);
            }
            // An event that an earlier run left open does not pin for ever.
            for pin in self.pins.iter_mut().filter(|pin| pin.to == FOREVER) {
                pin.to = pin.opened_at + Duration::from_secs(3600);
            }
        }
        let hours = self.since_boot / MINUTE / 60;
        if self.clock == ClockState::Unsynced && hours >= 3 {
            (self.clock, self.off) = (ClockState::Synced, 0);
        }
        // Once, for an hour, the clock is synced, and ten years ahead.
        match minute - 200 * DAY_MINUTES {
            0 => (self.clock, self.off) = (ClockState::Synced, 3650 * DAY_MINUTES * MINUTE),
            60 => self.off = 0,
            _ => {}
        }
    }

    fn record(&mut self, minute: i64) {
        let starts_at = self.wall(minute);
        for camera in (0..CAMERAS).map(CameraNumber) {
            let bytes = self.random.random_range(9_000_000..SEGMENT_BYTES_MAX);
            self.make_room(bytes);
            let ends_at = starts_at + Duration::from_secs(60);
            let (id, clock, state) = (self.next_id, self.clock, State::Ended);
            self.segments.push(Segment { id, bytes, starts_at, ends_at, camera, clock, state });
            self.next_id += 1;
            self.figures.segments += 1;
            // For two days something happens all the time.
            let storm = (100 * DAY_MINUTES..102 * DAY_MINUTES).contains(&minute) && minute % 5 == 0;
            if storm || self.random.random_ratio(1, 300) {
                self.alert(camera, starts_at);
            }
        }
        if self.random.random_ratio(1, 20 * DAY_MINUTES as u32) {
            let from = starts_at - Duration::from_secs(3600);
            self.held.push((CameraNumber(self.random.random_range(0..CAMERAS)), from, starts_at));
        }
    }

    fn alert(&mut self, camera: CameraNumber, opened_at: WallTime) {
        self.figures.alerts += 1;
        let closed_at = opened_at + Duration::from_secs(self.random.random_range(5..400));
        let seq = self.figures.alerts;
        let from = opened_at - Duration::from_secs(10);
        let to = closed_at + Duration::from_secs(10);
        self.pins.push(Pin { seq, camera, from, to, opened_at, since: closed_at, clock: self.clock });
    }

    fn limits(incoming: u64) -> Limits {
        let ceiling =
            |bytes: u64| Ceiling { bytes_max: bytes - incoming, bytes_goal: bytes - incoming - bytes / 16 };
        let no_share = Ceiling { bytes_max: u64::MAX, bytes_goal: u64::MAX };
        Limits {
            total: ceiling(LIMIT),
            shares: vec![no_share, ceiling(SHARE)],
            bytes_short: 0,
            inodes_short: 0,
            clip_age_max: Duration::from_secs(3600 * 15),
            alert_age_max: Duration::from_secs(24 * 3600 * 30),
        }
    }

    fn make_room(&mut self, incoming: u64) {
        if self.bytes + incoming > LIMIT {
            self.plan(incoming);
        }
        self.bytes += incoming;
    }

    fn sweep(&mut self, minute: i64) {
        let now = Stamp {
            wall: self.wall(minute),
            monotonic: Monotonic::from_nanos(self.since_boot as u64 * 1000),
            clock: self.clock,
        };
        self.believed = self.trust.believed(now);
        if let Some(believed) = self.believed {
            let ahead = believed.as_micros() - minute * MINUTE;
            assert!(ahead <= (DAY_MINUTES + 60) * MINUTE, "at minute {minute} by {ahead}");
        }
        self.plan(0);
        if self.believed.is_some() {
            let outlived = outlived(&self.pins, self.believed, Self::limits(0).alert_age_max);
            let mut outlived = outlived.into_iter();
            self.pins.retain(|_| outlived.next() == Some(false));
        }
    }

    /// Half of an equal part of the footage that is left when the limit of all cameras has its turn.
    fn half_part(&self, plan: &Plan) -> u64 {
        let before: HashSet<i64> = plan
            .deletions
            .iter()
            .filter(|(_, reason)| matches!(reason, Reason::Age | Reason::Share))
            .map(|(id, _)| *id)
            .collect();
        let left = self.segments.iter().filter(|segment| !before.contains(&segment.id));
        let (bytes, cameras) = left.fold((0, HashSet::new()), |(bytes, mut cameras), segment| {
            cameras.insert(segment.camera.0);
            (bytes + segment.bytes, cameras)
        });
        bytes / (2 * cameras.len().max(1) as u64)
    }

    fn plan(&mut self, incoming: u64) {
        let held = Held { spans: self.held.iter().copied().collect(), ..Held::default() };
        let limits = Self::limits(incoming);
        let plan = plan(&self.segments, &self.pins, &held, &limits, self.believed);
        self.figures.plans += 1;
        let deletions: HashSet<i64> = plan.deletions.iter().map(|(id, _)| *id).collect();
        let pinned = alive(&self.pins, self.believed, limits.alert_age_max);
        let half_part = self.half_part(&plan);
        let mut left = BTreeMap::<u16, u64>::new();
        for segment in self.segments.iter().filter(|segment| !deletions.contains(&segment.id)) {
            *left.entry(segment.camera.0).or_default() += segment.bytes;
        }
        // A camera with less than half of an equal part gives last, also what nothing pins.
        let unpinned_left = self.segments.iter().any(|s| {
            !deletions.contains(&s.id)
                && !held.holds(s)
                && !pinned.overlap(s)
                && left[&s.camera.0] > half_part
        });
        for segment in self.segments.iter().filter(|segment| deletions.contains(&segment.id)) {
            assert!(!held.holds(segment), "{} is held", segment.id);
            if pinned.overlap(segment) {
                self.figures.pinned_gone += 1;
                assert!(!unpinned_left || segment.camera.0 == 1, "{} is pinned", segment.id);
            }
        }
        for (_, reason) in &plan.deletions {
            self.figures.gone[*reason as usize] += 1;
        }
        self.segments.retain(|segment| !deletions.contains(&segment.id));
        self.bytes = self.segments.iter().map(|segment| segment.bytes).sum();
        assert!(!plan.unmet.total, "held footage alone does not fill this box");
    }
}

#[test]
fn a_year_of_eight_cameras() {
    let mut site = Box::new();
    for minute in 0..365 * DAY_MINUTES {
        site.weather(minute);
        site.record(minute);
        assert!(site.bytes <= LIMIT);
        if minute % SWEEP_MINUTES == 0 {
            site.sweep(minute);
            let of_share: u64 = site.segments.iter().filter(|s| s.camera.0 == 1).map(|s| s.bytes).sum();
            assert!(of_share <= SHARE, "camera 1 has {of_share}");
        }
    }
    println!("figure: {:?}", site.figures);
    let [age, share, limit, headroom] = site.figures.gone;
    assert!(age > 0 && share > 0 && limit > 0 && headroom == 0, "every limit has its turn");
    assert!(site.figures.pinned_gone > 0, "and in the storm nothing is unpinned");
    let held: Held = Held { spans: site.held.iter().copied().collect(), ..Held::default() };
    assert!(site.segments.iter().filter(|segment| held.holds(segment)).count() > 100);
}
