//! Tests in virtual time: cameras with frames at their own pace, workers that take as long as an inference costs.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;

const CASES: u32 = 10_000;
const START: Monotonic = Monotonic::from_nanos(5_000_000_000);

/// A camera that wants the same on every frame.
#[derive(Debug, Clone)]
struct Camera {
    floor: f32,
    want: Want,
    /// Cost of an inference, relative to its pixels: 1 is the rule.
    cost: f64,
    frame_millis: u64,
}

impl Camera {
    fn seconds(&self) -> f64 {
        self.want.pixels as f64 * 2e-7 * self.cost
    }
}

/// Log of a simulation: the time of each inference's beginning, its camera, and its cost.
#[derive(Default)]
struct Log {
    inferences: Vec<(f64, usize, f64)>,
}

impl Log {
    fn spent(&self, from: f64, to: f64) -> f64 {
        self.inferences.iter().filter(|(at, ..)| (from..=to).contains(at)).map(|(.., seconds)| seconds).sum()
    }

    fn of(&self, camera: usize) -> impl Iterator<Item = f64> {
        self.inferences.iter().filter(move |(_, number, _)| *number == camera).map(|(at, ..)| *at)
    }
}

fn at(millis: u64) -> Monotonic {
    START + Duration::from_millis(millis)
}

/// Simulates steps of 10 ms; `wants(camera, millis)` returns true if a frame wants an inference.
fn simulate(
    budget: &mut Budget<usize>,
    cameras: &[Camera],
    workers: usize,
    millis: u64,
    wants: impl Fn(usize, u64) -> bool,
) -> Log {
    let mut log = Log::default();
    let mut under_way: Vec<(u64, usize, f64)> = Vec::new();
    let mut ask_at = 0;
    for now in (0..millis).step_by(10) {
        let mut changed = now >= ask_at;
        under_way.retain(|(ends, camera, seconds)| {
            if *ends <= now {
                budget.done(camera, cameras[*camera].want.pixels, Duration::from_secs_f64(*seconds));
                changed = true;
            }
            *ends > now
        });
        for (number, camera) in cameras.iter().enumerate() {
            if now % camera.frame_millis == 0 {
                budget.frame(at(now), &number, wants(number, now).then_some(camera.want));
                changed = true;
            }
        }
        while changed && under_way.len() < workers {
            match budget.next(at(now), |_| true) {
                Turn::Inference(camera) => {
                    let seconds = cameras[camera].seconds();
                    log.inferences.push((now as f64 / 1000.0, camera, seconds));
                    under_way.push((now + (seconds * 1000.0).ceil() as u64, camera, seconds));
                }
                Turn::At(then) => {
                    assert!(then > at(now));
                    ask_at = u64::try_from(then.since(START).as_millis()).unwrap();
                    break;
                }
                Turn::Nobody => {
                    ask_at = u64::MAX;
                    break;
                }
            }
        }
    }
    log
}

fn budget_for(cameras: &[Camera], rate: f64, burst_seconds: f64) -> Budget<usize> {
    let settings = Settings { cpu_seconds_per_second: rate, burst_seconds, temperature_celsius_max: 80.0 };
    let mut budget = Budget::new(settings, START);
    cameras.iter().enumerate().for_each(|(number, camera)| budget.add(number, camera.floor));
    budget
}

fn severity() -> impl Strategy<Value = Option<Severity>> {
    prop_oneof![
        Just(None),
        Just(Some(Severity::Notice)),
        Just(Some(Severity::Warning)),
        Just(Some(Severity::Critical))
    ]
}

fn want() -> impl Strategy<Value = Want> {
    let urgency = prop_oneof![Just(Urgency::Still), Just(Urgency::Motion), Just(Urgency::Tracks)];
    (urgency, severity(), 28_000u64..250_000).prop_map(|(urgency, severity, pixels)| Want {
        urgency,
        severity,
        pixels,
    })
}

fn camera() -> impl Strategy<Value = Camera> {
    (0f32..2.0, want(), 0.5f64..1.5, prop_oneof![Just(100u64), Just(200), Just(330)])
        .prop_map(|(floor, want, cost, frame_millis)| Camera { floor, want, cost, frame_millis })
}

fn cameras() -> impl Strategy<Value = Vec<Camera>> {
    proptest::collection::vec(camera(), 1..8)
}

fn dearest(cameras: &[Camera]) -> f64 {
    // Also the most that an estimate learnt on another camera can come to.
    cameras.iter().map(|camera| camera.want.pixels as f64 * 3e-7).fold(0.0, f64::max)
}

/// Frames wanted, served, and not served add up.
fn adds_up(budget: &Budget<usize>, cameras: &[Camera], log: &Log) -> Result<(), TestCaseError> {
    for number in 0..cameras.len() {
        let tally = budget.tally(&number);
        let begun = log.of(number).count() as u64;
        prop_assert!(tally.inferences <= begun && begun <= tally.inferences + 1);
        prop_assert!((begun + tally.short..=begun + tally.short + 1).contains(&tally.wanted), "{:?}", tally);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// Over any window the spending is at most the income, the savings, and the misjudgement of inferences under way.
    #[test]
    fn the_share_is_kept_over_any_window(
        cameras in cameras(), rate in 0.05f64..1.5, burst in 0.0f64..2.0, workers in 1usize..4,
        pattern in any::<u64>(), windows in proptest::collection::vec((0f64..6.0, 0f64..6.0), 8),
    ) {
        let mut budget = budget_for(&cameras, rate, burst);
        let log = simulate(&mut budget, &cameras, workers, 6_000, |camera, now| {
            pattern.rotate_right((now / 500) as u32 * 7 + camera as u32) & 3 > 0
        });
        let slack = (2 * workers + 1) as f64 * dearest(&cameras);
        for (from, length) in windows {
            let spent = log.spent(from, from + length);
            prop_assert!(spent <= rate * (length + burst) + slack, "{} in {} s from {}", spent, length, from);
        }
        adds_up(&budget, &cameras, &log)?;
    }

    /// A camera that wants an inference gets it in bounded time, whatever weights and floors the others have.
    #[test]
    fn nobody_starves(cameras in cameras(), rate in 0.1f64..1.5, workers in 1usize..4, late in 0usize..8) {
        let mut budget = budget_for(&cameras, rate, 0.5);
        let weights: f64 = cameras.iter().map(|camera| camera.want.weight()).sum();
        // At worst, inferences come of the tenth that floors leave.
        let share = rate.min(workers as f64) * (1.0 - FLOORS_MAX);
        let millis = 8_000;
        // One of them comes back after a pause, when the others have run ahead.
        let log = simulate(&mut budget, &cameras, workers, millis, |camera, now| camera != late || now > 2_000);
        for (number, camera) in cameras.iter().enumerate() {
            let begins = if number == late { 2.4 } else { 0.0 };
            let inferences = cameras.len() as f64 + weights / camera.want.weight();
            let patience = 2.0 * dearest(&cameras) * inferences / share + 1.0;
            let mut last = begins;
            for now in log.of(number).chain([millis as f64 / 1000.0]) {
                prop_assert!(now - last <= patience, "camera {} waited {} s", number, now - last);
                last = now;
            }
        }
        adds_up(&budget, &cameras, &log)?;
    }

    /// Each camera gets its floor if all floors fit, whatever the others weigh.
    #[test]
    fn floors_are_kept_when_they_fit(cameras in cameras(), spare in 1.0f64..2.0, thirst in any::<u8>()) {
        let asked: f64 = cameras.iter().map(|camera| f64::from(camera.floor) * camera.want.pixels as f64 * 3e-7).sum();
        let rate = asked / FLOORS_MAX * spare;
        prop_assume!((0.02..1.0).contains(&rate));
        let mut budget = budget_for(&cameras, rate, 0.2);
        let millis = 10_000;
        // Some want always, some every other second.
        let log = simulate(&mut budget, &cameras, 1, millis, |camera, now| {
            thirst >> camera & 1 == 0 || (now / 1000).is_multiple_of(2)
        });
        for (number, camera) in cameras.iter().enumerate().filter(|(number, _)| thirst >> number & 1 == 0) {
            let due = f64::from(camera.floor) * millis as f64 / 1000.0;
            // An inference of each other camera and the frame that it waits for may come before.
            let late = (cameras.len() + 2) as f64 * 2.0 * dearest(&cameras) / rate + camera.frame_millis as f64 / 1000.0;
            let least = due - f64::from(camera.floor) * late - 1.0;
            prop_assert!(log.of(number).count() as f64 >= least, "camera {}: {} of {}", number, log.of(number).count(), due);
        }
    }

    /// No part of the share is left while a camera wants an inference; where all fits, no camera is short.
    #[test]
    fn it_conserves_work(cameras in cameras(), rate in 0.05f64..2.0) {
        let mut budget = budget_for(&cameras, rate, 0.3);
        let workers = cameras.len();
        let log = simulate(&mut budget, &cameras, workers, 6_000, |_, _| true);
        let demand: f64 =
            cameras.iter().map(|camera| camera.seconds() * 1000.0 / camera.frame_millis as f64).sum();
        let spent = log.spent(0.0, 6.0);
        // Frames end a step late; a camera has one inference at a time.
        let most = demand.min(rate) * 6.0 * 0.9 - 2.0 * dearest(&cameras) * (workers + 1) as f64;
        prop_assert!(spent >= most, "{} of {}", spent, most);
        let at_once: f64 = cameras.iter().map(Camera::seconds).sum();
        if demand < 0.9 * rate && at_once < 0.3 * rate {
            let short: u64 = (0..cameras.len()).map(|number| budget.tally(&number).short).sum();
            // In the beginning an inference is estimated to be dearer than it is.
            prop_assert!(short <= 3 * cameras.len() as u64, "{} short", short);
        }
    }

    /// Goyal et al., theorem 1: of cameras that want all the time, the service of two by weight differs by an inference of each.
    #[test]
    fn weights_are_respected_in_the_long_run(mut cameras in cameras(), rate in 0.1f64..0.9) {
        for camera in &mut cameras {
            (camera.floor, camera.frame_millis, camera.cost) = (0.0, 10, 1.0);
        }
        let mut budget = budget_for(&cameras, rate, 0.2);
        let log = simulate(&mut budget, &cameras, 1, 10_000, |_, _| true);
        let got = |number: usize| {
            log.of(number).count() as f64 * cameras[number].seconds() / cameras[number].want.weight()
        };
        let most = |number: usize| dearest(&cameras[number..=number]) / cameras[number].want.weight();
        for (a, b) in (0..cameras.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
            // And one more of each for the inference that is under way at the end.
            let bound = 2.0 * (most(a) + most(b));
            prop_assert!((got(a) - got(b)).abs() <= bound, "{} {} of {:?}", got(a), got(b), cameras);
        }
    }
}

#[test]
fn an_hour_of_sixteen_cameras() {
    let cameras: Vec<Camera> = (0..16u32)
        .map(|number| Camera {
            floor: 0.5,
            want: Want {
                urgency: if number % 3 == 0 { Urgency::Tracks } else { Urgency::Motion },
                severity: [None, Some(Severity::Notice), Some(Severity::Warning), Some(Severity::Critical)]
                    [number as usize % 4],
                pixels: if number % 2 == 0 { 61_440 } else { 245_760 },
            },
            cost: 0.8 + f64::from(number % 5) * 0.1,
            frame_millis: 200,
        })
        .collect();
    let rate = 0.9;
    let mut budget = budget_for(&cameras, rate, 1.0);
    // Quiet for ten minutes, then half of the cameras busy, then all of them, and so on.
    let phase = |now: u64| now / 600_000 % 3;
    let still = |camera: usize, now: u64| now % 5_000 == camera as u64 * 200;
    let busy = |camera: usize, now: u64| match phase(now) {
        0 => still(camera, now),
        1 => camera.is_multiple_of(2) || still(camera, now),
        _ => true,
    };
    let log = simulate(&mut budget, &cameras, 3, 3_600_000, busy);
    let mut short = [0u64; 3];
    for minute in 0..60 {
        let from = f64::from(minute) * 60.0;
        let spent = log.spent(from, from + 60.0);
        assert!(spent <= rate * 61.0 + 7.0 * dearest(&cameras), "minute {minute}: {spent}");
        let of_phase = usize::try_from(phase(u64::from(minute as u32) * 60_000)).unwrap();
        for number in 0..16 {
            let inferences = log.of(number).filter(|at| (from..from + 60.0).contains(at)).count() as u64;
            let wanted =
                (0..60_000).step_by(200).filter(|now| busy(number, minute as u64 * 60_000 + now)).count();
            let least = if of_phase == 2 { 29 } else { wanted.min(29) as u64 };
            assert!(
                inferences + 1 >= least.min(wanted as u64),
                "minute {minute}, camera {number}: {inferences}"
            );
            short[of_phase] += wanted as u64 - inferences.min(wanted as u64);
        }
        if of_phase == 2 {
            assert!(spent >= rate * 60.0 * 0.98, "all of the share is used: {spent}");
        }
    }
    assert!(short[0] <= 2, "quiet cameras are never short: {short:?}");
    assert!(short[2] > 10_000, "not all can be had: {short:?}");
    let counted: u64 = (0..16).map(|number| budget.tally(&number).short).sum();
    let all: u64 = short.iter().sum();
    assert!(counted.abs_diff(all) <= 100, "{counted} counted, {all} seen");
    // With the same rate of frames, the severe camera with tracks gets more than the one without.
    let busiest = |number: usize| log.of(number).filter(|at| (1_200.0..1_800.0).contains(at)).count();
    assert!(busiest(15) > 2 * busiest(5), "{} and {}", busiest(15), busiest(5));
}

#[test]
fn a_warm_box_spends_less_and_says_so() {
    let cameras = [Camera {
        floor: 1.0,
        want: Want { urgency: Urgency::Motion, severity: None, pixels: 245_760 },
        cost: 1.0,
        frame_millis: 100,
    }];
    let mut budget = budget_for(&cameras, 0.4, 0.0);
    for second in 0..60 {
        budget.temperature(at(second * 1000), 90.0);
    }
    assert!((budget.throttle() - 0.2).abs() < 1e-9 && (budget.rate() - 0.08).abs() < 1e-9);
}

#[test]
fn a_camera_that_goes_takes_its_wants_along() {
    let want = Want { urgency: Urgency::Motion, severity: None, pixels: 1000 };
    let settings =
        Settings { cpu_seconds_per_second: 1.0, burst_seconds: 1.0, temperature_celsius_max: 80.0 };
    let mut budget = Budget::new(settings, START);
    budget.add("a", 1.0);
    budget.frame(START, &"a", Some(want));
    budget.frame(START, &"unknown", Some(want));
    assert_eq!(budget.next(START, |_| false), Turn::Nobody, "it is not ready");
    assert_eq!(budget.next(START, |_| true), Turn::Inference("a"));
    assert_eq!(budget.next(START, |_| true), Turn::Nobody, "one inference at a time");
    budget.frame(START, &"a", Some(want));
    budget.frame(START, &"a", None);
    assert_eq!(
        (budget.tally(&"a").wanted, budget.tally(&"a").short),
        (2, 1),
        "a want that is dropped is short"
    );
    budget.remove(&"a");
    budget.done(&"a", 1000, Duration::from_secs(1));
    assert_eq!(budget.next(START, |_| true), Turn::Nobody);
}
