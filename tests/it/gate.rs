//! The motion gate on drawn streets: subjects that it must cover, and times at which it must be quiet.

use std::collections::BTreeMap;

use crate::conditions::{Condition, Score, clock_mask, condition, coverage};
use analysis::{Gate, GateSettings, Motion};
use base::detector::Detector as _;

const SECONDS: u32 = 40;
const LEARNING_SECONDS: f32 = 3.0;

fn run(condition: Condition, mut gate: Gate) -> Score {
    let mut score = Score::default();
    for (frame, truths) in condition.frames(SECONDS) {
        let check = gate.check(&frame);
        if frame.pts.0 as f32 / 1e9 >= LEARNING_SECONDS {
            score.add(&check, &truths);
        }
    }
    score.finished()
}

/// Checks percentages: subjects covered, passages noticed within five motion checks, and quiet pictures with a region.
fn hold(name: &str, covered_min: f32, noticed_min: f32, quiet_false_max: f32) {
    let busy = run(condition(name), Gate::default());
    let quiet = run(condition(name).quiet(), Gate::default());
    let (covered, noticed) = (Score::percent(busy.seen), Score::percent(busy.passages));
    let quiet_false = Score::percent((quiet.frames, quiet.false_frames));
    let figures = format!("{name}: covered {covered:.1}, noticed {noticed:.1}, quiet {quiet_false:.1}");
    assert!(busy.passages.0 >= 10, "{name}: too few passages to say anything");
    assert!(covered >= covered_min && noticed >= noticed_min && quiet_false <= quiet_false_max, "{figures}");
    assert_eq!(Score::percent(busy.ever), 100.0, "{name}: somebody passed unseen");
}

macro_rules! holds {
    ($($test:ident $name:literal $covered:literal $noticed:literal $quiet:literal,)*) => { $(
        #[test]
        fn $test() {
            hold($name, $covered, $noticed, $quiet);
        }
    )* };
}

holds! {
    a_day_is_seen_and_quiet "day" 85.0 80.0 0.0,
    wind_in_trees_is_not_motion "day, wind in trees" 85.0 80.0 30.0,
    keyframes_that_pump_are_not_motion "day, keyframes pump" 82.0 85.0 6.0,
    rain_is_not_motion "rain" 75.0 72.0 6.0,
    dusk_is_seen "dusk" 82.0 85.0 0.0,
    night_is_seen_and_quiet "night" 85.0 90.0 0.0,
    the_noise_of_a_night_sensor_is_not_motion "night, noise 10" 80.0 90.0 0.0,
    night_rain_is_not_motion "night, rain" 85.0 90.0 30.0,
    a_pole_that_shakes_blinds_nobody "night, shaking camera" 75.0 80.0 60.0,
    key_frames_alone_are_enough "day, key frames only (2 s)" 88.0 95.0 0.0,
}

#[test]
fn clouds_and_exposure_leave_little_behind() {
    for name in ["day, cloud", "day, fast cloud", "day, auto-exposure", "night, sweeping beams"] {
        let quiet = run(condition(name).quiet(), Gate::default());
        let area = quiet.false_area / quiet.frames as f32;
        assert!(area < 0.06, "{name}: {area} of each picture on average");
        let busy = run(condition(name), Gate::default());
        assert!(Score::percent(busy.seen) > 72.0, "{name}: {:?}", busy.seen);
    }
}

/// Percentage of subjects that a gate covers from second 22 to 30, and the seconds at which it began again.
fn two_seconds_after_the_switch(street: Condition) -> (f32, Vec<f32>) {
    let mut gate = Gate::default();
    let (mut again, mut score) = (Vec::new(), Score::default());
    for (frame, truths) in street.frames(SECONDS) {
        let check = gate.check(&frame);
        let second = frame.pts.0 as f32 / 1e9;
        if check.began_again {
            again.push(second);
        }
        if (22.0..30.0).contains(&second) {
            score.add(&check, &truths);
        }
    }
    (Score::percent(score.seen), again)
}

#[test]
fn the_switch_to_infra_red_begins_again_and_blinds_for_two_seconds() {
    let (switched, again) = two_seconds_after_the_switch(condition("dusk, infra-red switch"));
    assert_eq!(again, [0.0, 20.0], "at the start, and at once at the switch");
    // Infra-red shows less: the gate only has to see the subjects that can be seen.
    let (always, _) = two_seconds_after_the_switch(condition("infra-red"));
    assert!(always > 30.0 && switched >= 0.9 * always, "{switched} % after the switch, {always} % without");
    let quiet = run(condition("dusk, infra-red switch").quiet(), Gate::default());
    assert!(quiet.false_frames * 20 <= quiet.frames, "{} of {}", quiet.false_frames, quiet.frames);
}

#[test]
fn who_stands_in_traffic_for_seconds_is_not_forgotten() {
    let street = condition("day, traffic stands 20 s");
    let mut gate = Gate::default();
    let mut last_seconds = BTreeMap::<u64, (u32, u32)>::new();
    for (frame, truths) in street.frames(SECONDS) {
        let check = gate.check(&frame);
        if !(20.0..28.0).contains(&(frame.pts.0 as f32 / 1e9)) {
            continue;
        }
        for truth in truths.iter().filter(|truth| truth.visible > 0.5 && truth.rect.h > 0.08) {
            let seen = last_seconds.entry(truth.id).or_default();
            *seen = (seen.0 + 1, seen.1 + u32::from(coverage(truth.rect, &check) >= 0.5));
        }
    }
    assert!(!last_seconds.is_empty());
    for (id, (all, seen)) in last_seconds {
        assert!(seen * 10 >= all * 9, "{id} stands: covered on {seen} of {all} pictures");
    }
}

#[test]
fn a_clock_in_the_picture_counts_until_it_is_masked() {
    let street = condition("day, burnt-in clock").quiet();
    let bare = run(street, Gate::default());
    assert!(bare.false_frames * 5 > bare.frames, "without a mask it is motion: {bare:?}");
    let settings = GateSettings { masks: vec![clock_mask()] };
    let masked = run(street, Gate::new(settings));
    assert_eq!((masked.false_frames, masked.began_again), (0, 0), "{masked:?}");
    let mut detector = Motion::new(0.0, vec![clock_mask()]);
    let found: usize = street.frames(10).map(|(frame, _)| detector.detect(&frame).unwrap().len()).sum();
    assert_eq!(found, 0, "the motion detector has the same masks");
    let busy = run(condition("day, burnt-in clock"), Gate::new(GateSettings { masks: vec![clock_mask()] }));
    assert!(Score::percent(busy.seen) > 85.0, "beside the mask all is seen: {:?}", busy.seen);
}
