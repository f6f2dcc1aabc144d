//! The kinds that are about the camera itself.

use super::*;
use crate::rules::{camera_offline, camera_sabotage};
use base::view_quality::ViewQuality;

const WELL: ViewQuality = ViewQuality {
    luma_mean: 110.0,
    luma_deviation: 45.0,
    sharpness: 1.0,
    in_place: 0.95,
    same_seconds: 0.0,
    learnt_seconds: 600.0,
};
const COVERED: ViewQuality =
    ViewQuality { luma_mean: 60.0, luma_deviation: 9.0, sharpness: 0.1, in_place: 0.02, ..WELL };

fn sabotage() -> RuleSettings {
    rule(Kind::CameraSabotage(camera_sabotage::Params::default()), RuleArea::Everywhere)
}

/// Reasons of the events that open while the camera has the view quality `view_quality`, at each rate.
fn whys(to: f32, view_quality: impl Fn(f32) -> ViewQuality) -> [Vec<String>; 3] {
    RATES.map(|gaps| {
        let mut street = Street::new(sabotage());
        let (mut now, mut whys, mut gaps) = (0.0, Vec::new(), gaps.iter().cycle());
        while now < to {
            let view_quality = view_quality(now);
            let observation = Observation {
                at: stamp(now),
                epoch: Epoch(1),
                tracks: &[],
                static_objects: &[],
                view_quality: Some(&view_quality),
            };
            let events = street.rules.step(&observation);
            assert!(events.iter().all(|event| (event.count, event.subjects.len()) == (0, 0)));
            whys.extend(
                events.into_iter().filter(|event| event.phase == Phase::Opened).map(|event| event.why),
            );
            now += gaps.next().unwrap();
        }
        whys
    })
}

#[track_caller]
fn assert_nothing(to: f32, view_quality: impl Fn(f32) -> ViewQuality) {
    assert_eq!(whys(to, view_quality), [const { Vec::<String>::new() }; 3]);
}

#[test]
fn each_way_to_blind_a_camera_is_named() {
    let blurred = ViewQuality { sharpness: 0.15, in_place: 0.3, luma_deviation: 38.0, ..WELL };
    for (then, what) in [
        (COVERED, "the camera is covered or sprayed"),
        (ViewQuality { luma_mean: 8.0, luma_deviation: 2.0, ..COVERED }, "the camera is blacked out"),
        (blurred, "the camera is out of focus"),
        (ViewQuality { in_place: 0.05, sharpness: 1.1, ..WELL }, "the camera has been moved"),
    ] {
        for whys in whys(60.0, |t| if t < 20.0 { WELL } else { then }) {
            assert_eq!(whys.len(), 1, "{what}");
            assert!(whys[0].starts_with(what), "{whys:?}");
        }
    }
    for whys in whys(100.0, |t| ViewQuality { same_seconds: (t - 20.0).max(0.0), ..WELL }) {
        assert_eq!(whys.len(), 1);
        assert!(whys[0].starts_with("the picture is frozen: the same for 3"), "{whys:?}");
    }
}

#[test]
fn night_rain_infra_red_and_lorries_are_no_sabotage() {
    let mix = |a: f32, b: f32, part: f32| a + (b - a) * part.clamp(0.0, 1.0);
    assert_nothing(900.0, |t| {
        let part = t / 600.0;
        ViewQuality {
            luma_mean: mix(110.0, 10.0, part),
            luma_deviation: mix(45.0, 5.0, part),
            sharpness: mix(1.0, 0.05, part),
            in_place: mix(0.95, 0.05, part),
            ..WELL
        }
    });
    assert_nothing(90.0, |t| {
        if t < 30.0 { WELL } else { ViewQuality { luma_mean: 70.0, sharpness: 0.3, in_place: 0.6, ..WELL } }
    });
    assert_nothing(90.0, |t| ViewQuality { in_place: 0.55 + 0.2 * (t * 3.0).sin(), sharpness: 1.4, ..WELL });
    let lorry = |from: f32, to: f32, in_place: f32| {
        move |t: f32| {
            if (from..to).contains(&t) { ViewQuality { in_place, sharpness: 0.8, ..WELL } } else { WELL }
        }
    };
    assert_nothing(60.0, lorry(20.0, 26.0, 0.02));
    assert_nothing(90.0, lorry(20.0, 80.0, 0.3));
    assert_nothing(60.0, |_| ViewQuality { learnt_seconds: 10.0, ..COVERED });
    assert_nothing(60.0, |_| COVERED);
    assert_nothing(60.0, |t| if t % 10.0 < 6.0 { COVERED } else { WELL });
}

#[test]
fn rare_measurements_are_not_enough_and_none_are_no_end() {
    let mut street = Street::new(sabotage());
    let mut step = |now: f32, view_quality: Option<&ViewQuality>| {
        street.rules.step(&Observation {
            at: stamp(now),
            epoch: Epoch(1),
            tracks: &[],
            static_objects: &[],
            view_quality,
        })
    };
    step(0.0, Some(&WELL));
    assert_eq!(step(1.0, Some(&COVERED)), []);
    assert_eq!(step(20.0, Some(&COVERED)), [], "two samples");
    step(21.0, None);
    step(22.0, Some(&COVERED));
    assert_eq!(told(&step(23.0, Some(&COVERED))), [(Phase::Opened, 0)]);
    step(24.0, Some(&COVERED));
    step(26.0, Some(&WELL));
    assert_eq!(told(&step(30.0, Some(&WELL))), [(Phase::Closed, 0)]);
}

fn offline() -> RuleSettings {
    rule(Kind::CameraOffline(camera_offline::Params { seconds_min: 60.0 }), RuleArea::Everywhere)
}

#[test]
fn a_camera_without_a_picture_is_offline_until_the_next_one() {
    let mut street = Street::new(offline());
    street.walk(0.0, 2.0, |_| vec![]);
    assert_eq!(street.rules.close_all(stamp(12.0)), []);
    let absent = |rules: &mut RuleSet, from: u32, to: u32| -> Vec<Event> {
        (from..to).step_by(5).flat_map(|second| rules.absent(stamp(second as f32))).collect()
    };
    assert_eq!(absent(&mut street.rules, 12, 60), []);
    let opened = absent(&mut street.rules, 60, 200);
    assert_eq!(told(&opened), [(Phase::Opened, 0)]);
    assert_eq!(opened[0].why, "no picture for 63 s (60 s needed)");
    // The stream comes up for a moment without a picture and is lost again: nothing changes.
    assert_eq!(street.rules.close_all(stamp(200.0)), []);
    street.epoch = Epoch(2);
    let closed = street.infer(300.0, &[]);
    assert_eq!((told(&closed), closed[0].closed_at), (vec![(Phase::Closed, 0)], Some(stamp(300.0))));
    assert_eq!(closed[0].id, opened[0].id);
}

#[test]
fn a_camera_that_never_gave_one_is_offline_too() {
    let mut rules = Street::new(offline()).rules;
    let opened: Vec<Event> = (0..100).flat_map(|second| rules.absent(stamp(second as f32))).collect();
    assert_eq!(told(&opened), [(Phase::Opened, 0)]);
    assert_eq!(opened[0].why, "no picture for 60 s since the box has been running (60 s needed)");
}

#[test]
fn a_short_gap_and_other_rules_say_nothing() {
    let mut street = Street::new(offline());
    for minute in 0..5 {
        street.infer(minute as f32 * 60.0, &[]);
        assert_eq!(street.rules.absent(stamp(minute as f32 * 60.0 + 59.0)), []);
    }
    let mut street = Street::new(intrusion());
    street.walk(0.0, 3.0, |_| vec![(1, 0.7)]);
    assert_eq!(street.rules.absent(stamp(100.0)), []);
}

#[test]
fn rules_about_the_camera_itself_ask_for_no_inferences() {
    let severity = |rules| RuleSet::new("gate".parse().unwrap(), rules).severity_at(stamp(0.0).wall);
    let critical = RuleSettings { severity: Severity::Critical, ..offline() };
    assert_eq!(severity(vec![critical.clone(), sabotage()]), None);
    assert_eq!(severity(vec![critical, intrusion()]), Some(Severity::Warning));
}
