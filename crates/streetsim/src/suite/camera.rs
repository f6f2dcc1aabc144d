//! Acts against a camera, and near misses that only look like them.

use super::Scenario;
use crate::Light;
use crate::script::{Body, Effect, Part, Pose};

const SABOTAGE: &str = "seconds_min = 4; frozen_seconds_min = 8";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = sabotage();
    all.extend(no_sabotage());
    all.extend(offline());
    all
}

fn sabotage() -> Vec<Scenario> {
    let done = |name, shows, light, effect, evidence: f32| {
        Scenario::new(name, shows, 45.0)
            .light(light)
            .traffic(0.6)
            .cue(effect, 20.0, 60.0)
            .rule("sabotage", "camera_sabotage", SABOTAGE)
            .fires("sabotage", evidence, 8.0)
    };
    vec![
        done("sabotage-covered", "a bag comes over the lens", Light::Day, Effect::Covered, 25.0),
        done("sabotage-covered-night", "the same by night", Light::Night, Effect::Covered, 25.0),
        done(
            "sabotage-covered-infra-red",
            "the same in night mode: the bag is bright",
            Light::InfraRed,
            Effect::Covered,
            25.0,
        ),
        done("sabotage-sprayed", "paint is sprayed at the lens", Light::Day, Effect::Sprayed, 26.0),
        done("sabotage-defocused", "the focus is lost", Light::Day, Effect::Defocused(9.0), 26.0),
        done("sabotage-defocused-night", "the same by night", Light::Night, Effect::Defocused(9.0), 26.0),
        done(
            "sabotage-turned",
            "the camera is turned by thirty degrees",
            Light::Day,
            Effect::Turned(30.0),
            25.6,
        ),
        done(
            "sabotage-turned-night",
            "the same the other way, by night",
            Light::Night,
            Effect::Turned(-30.0),
            25.6,
        ),
        done("sabotage-black", "the picture is black", Light::Day, Effect::Black, 24.0),
        done("sabotage-frozen", "the picture stands still", Light::Day, Effect::Frozen, 28.0),
    ]
}

fn no_sabotage() -> Vec<Scenario> {
    let near_miss = |name, shows, light| {
        Scenario::new(name, shows, 45.0).light(light).traffic(0.6).rule(
            "sabotage",
            "camera_sabotage",
            SABOTAGE,
        )
    };
    let lorry = Part::new(Body::Lorry, 260, 15.0, (2.2, -14.0))
        .goes((2.2, 2.0), 6.0)
        .brakes((3.3, 7.6), 5.0)
        .waits(12.0, Pose::Walking)
        .starts((2.2, 20.0), 5.0)
        .goes((1.8, 90.0), 8.0);
    vec![
        near_miss("sabotage-lorry", "a lorry halts right before the camera for twelve seconds", Light::Day)
            .part(lorry.clone()),
        near_miss("sabotage-lorry-night", "the same by night", Light::Night).part(lorry),
        near_miss("sabotage-clouds", "clouds pass and the exposure follows", Light::Day)
            .cue(Effect::Cloud(0.4), 10.0, 30.0)
            .cue(Effect::Exposure(1.4), 16.0, 27.0)
            .cue(Effect::Wind(0.25), 0.0, 60.0),
        near_miss("sabotage-infra-red", "the camera goes to night mode and back", Light::Night).cue(
            Effect::InfraRed,
            15.0,
            32.0,
        ),
        near_miss("sabotage-shaking", "the pole sways hard", Light::Day).cue(Effect::Shake(6.0), 12.0, 40.0),
        near_miss("sabotage-beams", "headlights sweep over the fronts", Light::Night)
            .cue(Effect::Sweep, 12.0, 15.0)
            .cue(Effect::Sweep, 20.0, 22.0)
            .cue(Effect::Sweep, 28.0, 33.0),
        near_miss("sabotage-rain", "it begins to rain", Light::Dusk).cue(Effect::Rain, 15.0, 60.0),
        near_miss("sabotage-brushed", "a cloth covers the lens for two seconds and a half", Light::Day).cue(
            Effect::Covered,
            20.0,
            22.5,
        ),
        near_miss(
            "sabotage-quiet",
            "an empty street by night: nothing moves, and nothing is wrong",
            Light::Night,
        )
        .traffic(0.0),
    ]
}

fn offline() -> Vec<Scenario> {
    let lost = |name, shows, until: f32| {
        Scenario::new(name, shows, 60.0).traffic(0.5).cue(Effect::Lost, 15.0, until).rule(
            "offline",
            "camera_offline",
            "seconds_min = 15",
        )
    };
    vec![
        lost("offline-long", "no picture comes for half a minute", 45.0).fires("offline", 30.0, 7.0),
        lost("offline-blink", "no picture comes for two seconds", 17.0),
    ]
}
