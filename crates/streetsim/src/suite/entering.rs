//! Persons who enter forbidden places, and subjects that cross a line.

use super::Scenario;
use crate::Light;
use crate::script::{Body, Effect, Part, Pose, Riders};

const INTRUSION: (&str, &str, &str) =
    ("yard", "intrusion", "zone = \"yard\"; seconds_min = 2.0; labels = [\"person\"]");
const RED: (&str, &str, &str) = ("red", "red_zone_entry", "zone = \"yard\"");

fn with(scenario: Scenario, (id, kind, keys): (&str, &str, &str)) -> Scenario {
    scenario.rule(id, kind, keys)
}

/// Comes along the pavement, and is in the yard's strip from about 5 s after it came.
fn intruder(looks: u64, second: f32) -> Part {
    let part =
        Part::new(Body::Person, looks, second, (6.7, 5.0)).goes((6.9, 13.5), 1.8).goes((8.4, 15.5), 1.3);
    part.goes((8.5, 18.0), 0.8)
        .waits(5.0, Pose::Standing)
        .goes((8.4, 15.0), 0.9)
        .goes((6.8, 21.0), 1.3)
        .goes((6.6, 60.0), 1.4)
}

fn passer(looks: u64, second: f32, x: f32) -> Part {
    Part::new(Body::Person, looks, second, (x, 5.0)).goes((x, 70.0), 1.3)
}

fn bike(looks: u64, second: f32, from: (f32, f32)) -> Part {
    Part::new(Body::TwoWheeler(Riders::One), looks, second, from)
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = intrusions();
    all.extend(red_zones());
    all.extend(tripwires());
    all
}

fn intrusions() -> Vec<Scenario> {
    let into = |name, shows, light| {
        with(Scenario::new(name, shows, 34.0).light(light).part(intruder(11, 4.0)), INTRUSION)
            .fires("yard", 12.3, 4.0)
    };
    vec![
        into("intrusion-day", "somebody walks into the yard's strip and stays", Light::Day).traffic(0.6),
        into("intrusion-night", "the same by night, among headlights", Light::Night).traffic(0.6),
        into("intrusion-rain", "the same at dusk in rain", Light::Dusk).rain().traffic(0.4),
        into("intrusion-shaking", "the same with a pole that sways", Light::Day).cue(
            Effect::Shake(3.0),
            0.0,
            60.0,
        ),
        into("intrusion-infra-red", "the camera goes to night mode while he comes", Light::Night).cue(
            Effect::InfraRed,
            5.0,
            60.0,
        ),
        with(
            Scenario::new("intrusion-passing", "people pass beside the strip", 40.0).parts([
                passer(12, 2.0, 6.5),
                passer(13, 6.0, 6.9),
                passer(14, 15.0, 6.2),
            ]),
            INTRUSION,
        ),
        with(
            Scenario::new("intrusion-corner", "somebody cuts across a corner in a second", 25.0).part(
                Part::new(Body::Person, 15, 3.0, (6.7, 5.0))
                    .goes((7.0, 12.0), 1.6)
                    .along(&[(7.9, 13.2), (7.3, 14.4), (6.5, 60.0)], 1.7),
            ),
            INTRUSION,
        ),
        with(
            Scenario::new(
                "intrusion-other-label",
                "a two-wheeler is put into the strip: the rule is about people",
                30.0,
            )
            .part(bike(16, 4.0, (6.6, 5.0)).brakes((8.5, 17.0), 3.5).waits(30.0, Pose::Walking)),
            INTRUSION,
        ),
    ]
}

fn red_zones() -> Vec<Scenario> {
    let rider = |looks, second| {
        bike(looks, second, (6.4, 4.0))
            .goes((6.8, 12.0), 4.0)
            .brakes((8.5, 17.5), 4.0)
            .waits(20.0, Pose::Walking)
    };
    vec![
        with(
            Scenario::new("red-zone-day", "a rider turns into the red zone", 25.0).part(rider(21, 4.0)),
            RED,
        )
        .fires("red", 6.8, 4.0),
        with(
            Scenario::new("red-zone-on-foot", "somebody walks in at dusk, in rain", 30.0)
                .light(Light::Dusk)
                .rain()
                .part(intruder(22, 4.0)),
            RED,
        )
        .fires("red", 9.7, 4.0),
        with(
            Scenario::new("red-zone-infra-red", "a rider turns in while the camera is in night mode", 25.0)
                .light(Light::InfraRed)
                .part(rider(23, 4.0)),
            RED,
        )
        .fires("red", 6.8, 4.0),
        with(
            Scenario::new("red-zone-beside", "traffic and people pass close by", 40.0)
                .traffic(1.0)
                .parts([passer(24, 3.0, 6.9), passer(25, 9.0, 6.4)]),
            RED,
        ),
        with(
            Scenario::new("red-zone-beams", "headlights sweep over the empty zone", 40.0)
                .light(Light::Night)
                .cue(Effect::Sweep, 8.0, 11.0)
                .cue(Effect::Sweep, 19.0, 21.0)
                .cue(Effect::Sweep, 30.0, 34.0),
            RED,
        ),
    ]
}

fn tripwires() -> Vec<Scenario> {
    let away = "tripwire = \"line\"; direction = \"right_to_left\"";
    let cars = "tripwire = \"line\"; direction = \"right_to_left\"; labels = [\"car\"]";
    let driver = |looks, second, x: f32| bike(looks, second, (x, -4.0)).goes((x, 80.0), 7.0);
    let swarm = |at: f32| {
        (0..14).map(move |i| driver(300 + i, at + 0.55 * i as f32, [1.2, 2.4, 3.5, 4.5, 1.9][i as usize % 5]))
    };
    vec![
        Scenario::new("tripwire-day", "one two-wheeler crosses the line", 20.0)
            .part(driver(31, 5.0, 2.8))
            .rule("line", "tripwire", away)
            .fires("line", 8.0, 2.5),
        Scenario::new("tripwire-night", "one crosses by night with its lights on", 20.0)
            .light(Light::Night)
            .part(driver(32, 5.0, 2.8))
            .rule("line", "tripwire", away)
            .fires("line", 8.0, 2.5),
        Scenario::new("tripwire-infra-red", "one crosses while the camera is in night mode", 20.0)
            .light(Light::InfraRed)
            .part(driver(33, 5.0, 2.8))
            .rule("line", "tripwire", away)
            .fires("line", 8.0, 2.5),
        Scenario::new("tripwire-other-way", "three come from the other side", 30.0)
            .parts((0..3).map(|i| bike(34 + i, 2.0 + 4.0 * i as f32, (-3.2, 80.0)).goes((-3.2, -6.0), 7.0)))
            .rule("line", "tripwire", away),
        Scenario::new("tripwire-turns-back", "somebody on foot stops before the line and turns back", 40.0)
            .part(
                Part::new(Body::Person, 37, 3.0, (2.0, 5.0))
                    .goes((2.2, 14.6), 1.4)
                    .waits(4.0, Pose::Standing)
                    .goes((2.0, 5.0), 1.4),
            )
            .rule("line", "tripwire", away),
        Scenario::new(
            "tripwire-swarm",
            "one car crosses the line within a swarm of two-wheelers; the rule is about cars",
            30.0,
        )
        .parts(swarm(4.0))
        .part(Part::new(Body::Car, 38, 7.9, (2.9, -8.0)).goes((2.9, 80.0), 7.0))
        .rule("line", "tripwire", cars)
        .fires("line", 11.5, 2.5),
        Scenario::new("tripwire-swarm-alone", "the swarm without a car", 30.0)
            .parts(swarm(4.0))
            .rule("line", "tripwire", cars),
        Scenario::new("tripwire-bus-hides", "a stopped bus hides somebody who then crosses the line", 45.0)
            .part(Part::new(Body::Bus, 39, 0.0, (3.6, 13.5)).facing(0.0).waits(15.0, Pose::Walking).stays())
            .part(
                Part::new(Body::Person, 40, 3.0, (6.6, 28.0))
                    .goes((6.4, 24.0), 1.3)
                    .goes((3.4, 19.2), 1.2)
                    .waits(5.0, Pose::Standing)
                    .goes((0.6, 18.8), 1.2)
                    .goes((0.2, 9.0), 1.2),
            )
            .rule(
                "line",
                "tripwire",
                "tripwire = \"line\"; direction = \"left_to_right\"; labels = [\"person\"]",
            )
            .fires("line", 19.6, 4.0),
    ]
}
