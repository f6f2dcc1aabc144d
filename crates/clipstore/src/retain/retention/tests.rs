//! Compares the planner with a naive one, and checks the rules that must always hold.

use std::collections::HashSet;

use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

use super::*;

fn minutes(count: i64) -> WallTime {
    WallTime::from_micros(count * 60_000_000)
}

fn span(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// All inputs of the planner.
#[derive(Debug, Clone)]
struct Case {
    segments: Vec<Segment>,
    pins: Vec<Pin>,
    held: Held,
    limits: Limits,
    now: Option<WallTime>,
}

impl Case {
    fn plan(&self) -> Plan {
        plan(&self.segments, &self.pins, &self.held, &self.limits, self.now)
    }
}

/// Written to be obviously right: one victim at a time, everything counted again each time.
mod naive {
    use super::*;

    pub fn plan(case: &Case) -> Vec<(i64, Reason)> {
        let segments = &case.segments;
        let mut deletions: Vec<(i64, Reason)> = Vec::new();
        let old = expired(&ages(segments), case.now, case.limits.clip_age_max);
        for (segment, old) in segments.iter().zip(old) {
            if old && may_go(case, segment) && !pinned(case, segment) {
                deletions.push((segment.id, Reason::Age));
            }
        }
        let left = |deletions: &[(i64, Reason)]| -> Vec<Segment> {
            segments.iter().filter(|s| !deletions.iter().any(|(id, _)| *id == s.id)).copied().collect()
        };
        let bytes = |segments: &[Segment]| -> u64 { segments.iter().map(|segment| segment.bytes).sum() };
        let of = |camera: usize, segments: &[Segment]| -> Vec<Segment> {
            segments.iter().filter(|s| usize::from(s.camera.0) == camera).copied().collect()
        };
        let first = |of: &[Segment], pinned_too: bool| -> Option<i64> {
            let mut of = of.iter().filter(|s| may_go(case, s) && (pinned_too || !pinned(case, s)));
            of.next().map(|segment| segment.id)
        };
        let next = |of: &[Segment]| first(of, false).or_else(|| first(of, true));

        let mut by_share = Vec::new();
        for (camera, share) in case.limits.shares.iter().enumerate() {
            if bytes(&of(camera, &left(&deletions))) <= share.bytes_max {
                continue;
            }
            while bytes(&of(camera, &left(&deletions))) > share.bytes_goal {
                let Some(id) = next(&of(camera, &left(&deletions))) else { break };
                deletions.push((id, Reason::Share));
                by_share.push(id);
            }
        }
        // The order of cameras does not matter; unpinned segments first, by id, does.
        let order = |id: &i64| {
            let segment = segments.iter().find(|segment| segment.id == *id).unwrap();
            (pinned(case, segment), *id)
        };
        by_share.sort_by_key(order);
        deletions.retain(|(_, why)| *why == Reason::Age);
        deletions.extend(by_share.into_iter().map(|id| (id, Reason::Share)));

        let over = bytes(&left(&deletions)) > case.limits.total.bytes_max;
        let half_part = half_part(&left(&deletions));
        loop {
            let remaining = bytes(&left(&deletions));
            let why = if over && remaining > case.limits.total.bytes_goal {
                Reason::Limit
            } else {
                Reason::Headroom
            };
            let freed = bytes(segments) - remaining;
            let enough =
                freed >= case.limits.bytes_short && deletions.len() as u64 >= case.limits.inodes_short;
            if why == Reason::Headroom && enough {
                return deletions;
            }
            let left = left(&deletions);
            let gives = |s: &&Segment| bytes(&of(usize::from(s.camera.0), &left)) > half_part;
            let first_to_give: Vec<Segment> = left.iter().filter(gives).copied().collect();
            let Some(id) = next(&first_to_give).or_else(|| next(&left)) else { return deletions };
            deletions.push((id, why));
        }
    }

    pub fn half_part(left: &[Segment]) -> u64 {
        let with_bytes = left.iter().filter(|segment| segment.bytes > 0);
        let cameras: HashSet<u16> = with_bytes.map(|segment| segment.camera.0).collect();
        left.iter().map(|segment| segment.bytes).sum::<u64>() / (2 * cameras.len().max(1) as u64)
    }

    pub fn may_go(case: &Case, segment: &Segment) -> bool {
        segment.state == State::Ended && !held(case, segment)
    }

    pub fn held(case: &Case, segment: &Segment) -> bool {
        let overlaps = |(camera, spans): (usize, &Vec<(WallTime, WallTime)>)| {
            usize::from(segment.camera.0) == camera
                && spans.iter().any(|(from, to)| segment.starts_at < *to && segment.ends_at > *from)
        };
        case.held.everything
            || case.held.ids.contains(&segment.id)
            || case.held.spans.cameras.iter().enumerate().any(overlaps)
    }

    pub fn pinned(case: &Case, segment: &Segment) -> bool {
        let ages: Vec<_> = case.pins.iter().map(|pin| (pin.opened_at, pin.since, pin.clock)).collect();
        let outlived = expired(&ages, case.now, case.limits.alert_age_max);
        case.pins.iter().zip(outlived).any(|(pin, outlived)| {
            !outlived
                && pin.camera == segment.camera
                && segment.starts_at < pin.to
                && segment.ends_at > pin.from
        })
    }

    fn ages(segments: &[Segment]) -> Vec<(WallTime, WallTime, ClockState)> {
        segments.iter().map(|segment| (segment.starts_at, segment.ends_at, segment.clock)).collect()
    }

    /// `(at, since, clock)` from old to young.
    fn expired(
        items: &[(WallTime, WallTime, ClockState)],
        now: Option<WallTime>,
        age_max: Duration,
    ) -> Vec<bool> {
        let Some(now) = now else { return vec![false; items.len()] };
        fn dated(items: &[(WallTime, WallTime, ClockState)], now: WallTime) -> bool {
            let [before @ .., (at, _, clock)] = items else { return false };
            *clock != ClockState::Unsynced
                && *at <= now
                && (0..before.len()).all(|end| !dated(&before[..=end], now) || before[end].0 <= *at)
        }
        let own = |place: usize| dated(&items[..=place], now) && now.since(items[place].1) > age_max;
        (0..items.len())
            .map(
                |place| {
                    if dated(&items[..=place], now) { own(place) } else { (place..items.len()).any(own) }
                },
            )
            .collect()
    }
}

fn clock_state() -> impl Strategy<Value = ClockState> {
    prop_oneof![
        6 => Just(ClockState::Synced),
        2 => Just(ClockState::Holdover),
        2 => Just(ClockState::Unsynced),
    ]
}

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    // Mostly a minute after the one before, seldom a step of the clock.
    let step = prop_oneof![9 => 0i64..3, 1 => -40i64..40];
    let state = prop_oneof![8 => Just(State::Ended), 1 => Just(State::Writing), 1 => Just(State::Stuck)];
    let one = (step, 0u64..3, 0u64..100, 0u16..3, clock_state(), state);
    prop::collection::vec(one, 0..14).prop_map(|all| {
        let mut at = 0;
        let segment = |(id, (step, length, bytes, camera, clock, state))| {
            at += step;
            let starts_at = minutes(at);
            let ends_at = starts_at + span(length);
            Segment { id, bytes, starts_at, ends_at, camera: CameraNumber(camera), clock, state }
        };
        (1..).step_by(3).zip(all).map(segment).collect()
    })
}

fn pins() -> impl Strategy<Value = Vec<Pin>> {
    let one = (0u16..4, -5i64..40, 0u64..12, any::<bool>(), clock_state());
    prop::collection::vec(one, 0..7).prop_map(|all| {
        let pin = |(seq, (camera, from, length, open, clock))| {
            let from = minutes(from);
            let (opened_at, to) = (from + span(2), from + span(length));
            let (to, since) = if open { (FOREVER, opened_at) } else { (to, opened_at + span(length)) };
            Pin { seq, camera: CameraNumber(camera), from, to, opened_at, since, clock }
        };
        (1..).step_by(2).zip(all).map(pin).collect()
    })
}

fn held() -> impl Strategy<Value = Held> {
    let spans = prop::collection::vec((0u16..3, -5i64..40, 0i64..8), 0..3);
    (prop::bool::weighted(0.03), spans, prop::collection::hash_set(0i64..40, 0..3)).prop_map(
        |(everything, spans, ids)| {
            let span = |(camera, from, length)| (CameraNumber(camera), minutes(from), minutes(from + length));
            Held { everything, spans: spans.into_iter().map(span).collect(), ids }
        },
    )
}

fn limits() -> impl Strategy<Value = Limits> {
    let ceiling = |bytes_max: std::ops::Range<u64>| {
        (bytes_max, 0u64..60)
            .prop_map(|(bytes_max, slack)| Ceiling { bytes_max, bytes_goal: bytes_max.saturating_sub(slack) })
    };
    let short = || prop_oneof![2 => Just(0u64), 1 => 0u64..400];
    let shares = prop::collection::vec(ceiling(0..500), 0..4);
    (ceiling(0..900), shares, short(), short(), 0u64..60, 0u64..60).prop_map(
        |(total, shares, bytes_short, inodes_short, clip_age, alert_age)| Limits {
            total,
            shares,
            bytes_short,
            inodes_short: inodes_short / 60,
            clip_age_max: span(clip_age),
            alert_age_max: span(alert_age),
        },
    )
}

prop_compose! {
    fn cases()(
        segments in segments(),
        pins in pins(),
        held in held(),
        limits in limits(),
        now in prop::option::weighted(0.8, 0i64..80),
    ) -> Case {
        Case { segments, pins, held, limits, now: now.map(minutes) }
    }
}

fn bytes<'a>(segments: impl Iterator<Item = &'a Segment>) -> u64 {
    segments.map(|segment| segment.bytes).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_decides_as_the_naive_one_does(case in cases()) {
        prop_assert_eq!(case.plan().deletions, naive::plan(&case));
    }

    #[test]
    fn what_must_always_hold(case in cases()) {
        let plan = case.plan();
        let ids: HashSet<i64> = plan.deletions.iter().map(|(id, _)| *id).collect();
        prop_assert_eq!(ids.len(), plan.deletions.len(), "a segment is deleted once");
        let deletions: Vec<&Segment> = case.segments.iter().filter(|s| ids.contains(&s.id)).collect();
        let left: Vec<&Segment> = case.segments.iter().filter(|s| !ids.contains(&s.id)).collect();
        prop_assert!(deletions.iter().all(|segment| naive::may_go(&case, segment)), "held or being written");

        let unpinned_left = |camera: Option<CameraNumber>| {
            left.iter().any(|s| {
                camera.is_none_or(|camera| s.camera == camera)
                    && naive::may_go(&case, s)
                    && !naive::pinned(&case, s)
            })
        };
        for (id, why) in &plan.deletions {
            let segment = case.segments.iter().find(|segment| segment.id == *id).unwrap();
            if naive::pinned(&case, segment) {
                prop_assert_ne!(*why, Reason::Age, "a pin protects from age");
                let scope = Some(segment.camera);
                prop_assert!(!unpinned_left(scope), "{id} is pinned, and an unpinned one of its camera is left");
            }
        }
        // Reached, or everything removable is deleted.
        let removable_left = left.iter().any(|segment| naive::may_go(&case, segment));
        prop_assert!(bytes(left.iter().copied()) <= case.limits.total.bytes_max || !removable_left);
        prop_assert_eq!(plan.unmet.total, bytes(left.iter().copied()) > case.limits.total.bytes_max);
        if plan.unmet.headroom || plan.unmet.total {
            prop_assert!(!removable_left);
        }
        for camera in &plan.unmet.cameras {
            prop_assert!(!left.iter().any(|s| s.camera == *camera && naive::may_go(&case, s)));
        }
        // The last one was needed.
        if let Some((last, Reason::Limit)) = plan.deletions.back() {
            let last = case.segments.iter().find(|segment| segment.id == *last).unwrap();
            prop_assert!(bytes(left.iter().copied()) + last.bytes > case.limits.total.bytes_goal);
        }
        let held = bytes(case.segments.iter().filter(|segment| naive::held(&case, segment)));
        prop_assert_eq!(plan.held_bytes, held);
        prop_assert_eq!(plan.camera_held_bytes.iter().sum::<u64>(), held);
    }
}

#[test]
fn a_camera_that_sends_much_pushes_out_its_own_footage() {
    let segment = |id: i64, camera, bytes| Segment {
        id,
        bytes,
        starts_at: minutes(id),
        ends_at: minutes(id + 1),
        camera: CameraNumber(camera),
        clock: ClockState::Synced,
        state: State::Ended,
    };
    // Three modest cameras, then one that floods, all of whose footage alerts pin.
    let modest = (0..30).map(|id| segment(id, (id % 3) as u16, 4));
    let segments: Vec<Segment> = modest.chain((30..60).map(|id| segment(id, 3, 40))).collect();
    let pin = Pin {
        seq: 1,
        camera: CameraNumber(3),
        from: minutes(0),
        to: FOREVER,
        opened_at: minutes(0),
        since: minutes(100),
        clock: ClockState::Synced,
    };
    let total = bytes(segments.iter());
    let case = |bytes_max, pins| Case {
        segments: segments.clone(),
        pins,
        held: Held::default(),
        limits: Limits {
            total: Ceiling { bytes_max, bytes_goal: bytes_max },
            shares: Vec::new(),
            bytes_short: 0,
            inodes_short: 0,
            clip_age_max: span(1000),
            alert_age_max: span(1000),
        },
        now: None,
    };
    for pins in [vec![], vec![pin]] {
        let deletions = case(total - 400, pins).plan().deletions;
        assert_eq!(deletions, (30..40).map(|id| (id, Reason::Limit)).collect::<Vec<_>>());
    }
    // Where a part is not enough, the others give too, the oldest first.
    let deletions = case(100, vec![]).plan().deletions;
    assert!(deletions.iter().any(|(id, _)| *id < 30));
}

/// Half a million segments of 16 cameras and 20,000 alerts, a tenth too much.
fn large() -> Case {
    let segment = |id: i64| Segment {
        id,
        bytes: 400_000 + (id as u64 * 7919) % 100_000,
        starts_at: minutes(id / 16),
        ends_at: minutes(id / 16 + 1),
        camera: CameraNumber((id % 16) as u16),
        clock: if id % 50 == 0 { ClockState::Unsynced } else { ClockState::Synced },
        state: State::Ended,
    };
    let pin = |seq: u64| {
        let from = minutes(seq as i64 * 31_250 / 20_000);
        let (opened_at, to) = (from + span(1), from + span(2));
        let camera = CameraNumber((seq * 7 % 16) as u16);
        Pin { seq, camera, from, to, opened_at, since: to, clock: ClockState::Synced }
    };
    let segments: Vec<Segment> = (0..500_000).map(segment).collect();
    let total = bytes(segments.iter()) / 10 * 9;
    Case {
        segments,
        pins: (0..20_000).map(pin).collect(),
        held: Held { ids: (0..5000).map(|number| number * 3).collect(), ..Held::default() },
        limits: Limits {
            total: Ceiling { bytes_max: total, bytes_goal: total - total / 512 },
            shares: vec![Ceiling { bytes_max: total / 16, bytes_goal: total / 16 }; 16],
            bytes_short: 0,
            inodes_short: 0,
            clip_age_max: span(31_000),
            alert_age_max: span(31_000),
        },
        now: Some(minutes(31_250)),
    }
}

#[test]
fn half_a_million_segments_take_a_moment() {
    let case = large();
    let cpu = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let before = cpu();
    let plan = case.plan();
    println!("figure: {:.1} ms of CPU for a plan over 500,000 segments and 20,000 pins", cpu() - before);
    assert!(!plan.unmet.total);
    assert!(plan.deletions.len() > 40_000, "{}", plan.deletions.len());
}
