//! Vehicles that go against the traffic, race, or stand where none may.

use super::Scenario;
use crate::Light;
use crate::script::{Body, Effect, Part, Pose, Riders};

const WRONG: &str =
    "zone = \"right-side\"; direction = AWAY; labels = [\"two-wheeler\", \"car\", \"large-vehicle\"]";
const STOPPED: &str = "zone = \"right-side\"; seconds_min = 8; jam_vehicles_min = 3";
const RACE: &str = "zone = \"road\"; count_min = 4; kmh_min = 55";

fn bike(looks: u64, second: f32, from: (f32, f32)) -> Part {
    Part::new(Body::TwoWheeler(Riders::Chance), looks, second, from)
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = wrong_ways();
    all.extend(stopped());
    all.extend(races());
    all
}

fn wrong_ways() -> Vec<Scenario> {
    let against = |name, shows, light, density: f32| {
        Scenario::new(name, shows, 26.0)
            .light(light)
            .traffic(density)
            .part(bike(50, 6.0, (4.2, 75.0)).goes((4.2, -6.0), 6.0))
            .rule("way", "wrong_way", WRONG)
            .fires("way", 13.5, 4.5)
    };
    vec![
        against("wrong-way-day", "a two-wheeler comes along the wrong side", Light::Day, 0.0),
        against("wrong-way-traffic", "the same among traffic that drives rightly", Light::Day, 0.7),
        against("wrong-way-night", "the same by night", Light::Night, 0.4),
        against("wrong-way-rain", "the same at dusk in rain", Light::Dusk, 0.4).rain(),
        against("wrong-way-infra-red", "the same in night mode", Light::InfraRed, 0.3),
        Scenario::new("wrong-way-none", "a minute's half of lively traffic, all of it rightly", 30.0)
            .traffic(1.6)
            .rule("way", "wrong_way", WRONG),
        Scenario::new("wrong-way-crossing", "two-wheelers cross the street from side to side", 30.0)
            .parts((0..4).map(|i| {
                let y = 13.0 + 4.0 * i as f32;
                bike(60 + i, 3.0 + 5.0 * i as f32, (8.2, y)).goes((-8.2, y + 1.5), 3.0)
            }))
            .rule("way", "wrong_way", WRONG),
        Scenario::new(
            "wrong-way-backs-out",
            "a rider rolls back a metre and a half, then drives off rightly",
            30.0,
        )
        .part(
            bike(70, 0.0, (4.4, 18.0))
                .facing(0.0)
                .waits(8.0, Pose::Walking)
                .starts((4.3, 20.0), 1.0)
                .waits(1.0, Pose::Walking)
                .starts((3.6, 30.0), 5.0)
                .goes((3.4, 85.0), 7.0),
        )
        .rule("way", "wrong_way", WRONG),
        Scenario::new(
            "wrong-way-on-foot",
            "somebody walks against the traffic: the rule is about vehicles",
            40.0,
        )
        .part(Part::new(Body::Person, 71, 3.0, (4.8, 45.0)).goes((4.8, 5.0), 1.5))
        .rule("way", "wrong_way", WRONG),
        Scenario::new("wrong-way-shaking", "rightful traffic, and a pole that sways", 30.0)
            .traffic(1.0)
            .cue(Effect::Shake(3.0), 0.0, 60.0)
            .rule("way", "wrong_way", WRONG),
    ]
}

fn stopped() -> Vec<Scenario> {
    let halts = |body, looks, second: f32, at: (f32, f32), seconds: f32| {
        Part::new(body, looks, second, (at.0, -8.0))
            .goes((at.0, at.1 - 8.0), 7.0)
            .brakes(at, 7.0)
            .waits(seconds, Pose::Walking)
            .starts((at.0, at.1 + 10.0), 7.0)
            .goes((at.0, 85.0), 7.0)
    };
    vec![
        Scenario::new("stopped-day", "a car halts on the carriageway for twenty seconds", 45.0)
            .part(halts(Body::Car, 80, 3.0, (3.6, 19.0), 20.0))
            .rule("stop", "stopped_vehicle", STOPPED)
            .fires("stop", 16.0, 6.0),
        Scenario::new("stopped-traffic", "the same while others pass", 45.0)
            .traffic(0.5)
            .part(halts(Body::Car, 80, 3.0, (4.2, 19.0), 20.0))
            .rule("stop", "stopped_vehicle", STOPPED)
            .fires("stop", 16.0, 6.0),
        Scenario::new("stopped-night", "a lorry halts by night", 45.0)
            .light(Light::Night)
            .part(halts(Body::Truck, 81, 3.0, (3.6, 22.0), 20.0))
            .rule("stop", "stopped_vehicle", STOPPED)
            .fires("stop", 16.5, 6.0),
        Scenario::new("stopped-rain", "a bus halts in rain", 45.0)
            .rain()
            .part(halts(Body::Bus, 82, 3.0, (3.4, 24.0), 20.0))
            .rule("stop", "stopped_vehicle", STOPPED)
            .fires("stop", 16.8, 6.0),
        Scenario::new("stopped-briefly", "a car lets somebody out and drives on after four seconds", 30.0)
            .part(halts(Body::Car, 83, 3.0, (3.6, 19.0), 4.0))
            .rule("stop", "stopped_vehicle", STOPPED),
        Scenario::new("stopped-jam", "six vehicles stand behind each other: a jam", 50.0)
            .parts((0..6).map(|i| {
                let at = ([3.8, 1.4][i % 2], 36.0 - 9.5 * (i / 2) as f32);
                halts(Body::Car, 84 + i as u64, 2.0 + 2.0 * i as f32, at, 24.0)
            }))
            .rule("stop", "stopped_vehicle", STOPPED),
        Scenario::new("stopped-elsewhere", "a car is parked on the pavement, beside the zone", 40.0)
            .traffic(0.5)
            .part(Part::parked(Body::Car, 90, (7.3, 19.0), 0.0))
            .rule("stop", "stopped_vehicle", STOPPED),
    ]
}

fn races() -> Vec<Scenario> {
    let group = |count: u64, kmh: f32| {
        (0..count).map(move |i| {
            let x = [-2.0, -3.2, -1.0, -4.1, -2.6, -3.7][i as usize % 6];
            bike(100 + i, 5.0 + 0.35 * i as f32, (x, 95.0)).goes((x, -8.0), kmh / 3.6)
        })
    };
    vec![
        Scenario::new("racing-day", "six two-wheelers come at 75 km/h", 20.0)
            .parts(group(6, 75.0))
            .rule("race", "speeding_group", RACE)
            .fires("race", 8.4, 3.5),
        Scenario::new("racing-night", "the same by night", 20.0)
            .light(Light::Night)
            .parts(group(6, 75.0))
            .rule("race", "speeding_group", RACE)
            .fires("race", 8.4, 3.5),
        Scenario::new("racing-slowly", "the same six at 30 km/h", 25.0).parts(group(6, 30.0)).rule(
            "race",
            "speeding_group",
            RACE,
        ),
        Scenario::new("racing-alone", "one at 75 km/h among slow traffic", 25.0)
            .traffic(0.6)
            .parts(group(1, 75.0))
            .rule("race", "speeding_group", RACE),
        Scenario::new("racing-shaking", "traffic at 28 km/h, and a pole that sways", 25.0)
            .traffic(1.0)
            .cue(Effect::Shake(3.0), 0.0, 60.0)
            .rule("race", "speeding_group", RACE),
    ]
}
