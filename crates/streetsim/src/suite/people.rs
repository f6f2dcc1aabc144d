//! Persons who loiter, and crowds.

use super::Scenario;
use crate::Light;
use crate::script::{Body, Effect, Part, Pose, Riders};

const LOITER: &str = "zone = \"stand\"; seconds_min = 8; labels = [\"person\"]";
const BESIDE: &str = "zone = \"pavement\"; seconds_min = 8; beside_parked = true; labels = [\"person\"]";
const CROWD: &str = "zone = \"square\"; count_min = 6; seconds_min = 5; labels = [\"person\"]";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = loiterers();
    all.extend(beside_parked());
    all.extend(crowds());
    all
}

fn person(looks: u64, second: f32, from: (f32, f32)) -> Part {
    Part::new(Body::Person, looks, second, from)
}

fn loiterer(second: f32) -> Part {
    let part = person(110, second, (6.6, 5.0)).goes((7.0, 13.5), 1.6).waits(4.0, Pose::Standing);
    part.along(&[(6.6, 16.0), (7.4, 14.0)], 0.7)
        .waits(5.0, Pose::Standing)
        .goes((6.8, 16.2), 0.7)
        .goes((6.5, 70.0), 1.4)
}

fn loiterers() -> Vec<Scenario> {
    let loiters = |name, shows, light| {
        Scenario::new(name, shows, 38.0)
            .light(light)
            .part(loiterer(3.0))
            .rule("loiter", "loitering", LOITER)
            .fires("loiter", 15.5, 5.0)
    };
    vec![
        loiters("loitering-day", "somebody hangs about at the kerb", Light::Day).traffic(0.5),
        loiters("loitering-night", "the same by night", Light::Night).traffic(0.3),
        loiters("loitering-infra-red", "the same in night mode", Light::InfraRed),
        loiters("loitering-rain", "the same at dusk in rain", Light::Dusk).rain(),
        Scenario::new("loitering-passing", "people pass, one after the other, for half a minute", 40.0)
            .parts((0..6).map(|i| person(120 + i, 2.0 + 4.5 * i as f32, (6.6, 5.0)).goes((6.7, 70.0), 1.35)))
            .rule("loiter", "loitering", LOITER),
        Scenario::new("loitering-outside", "somebody waits beyond the zone", 35.0)
            .part(person(130, 3.0, (6.6, 60.0)).goes((6.6, 24.0), 3.0).waits(20.0, Pose::Standing))
            .rule("loiter", "loitering", LOITER),
    ]
}

fn beside_parked() -> Vec<Scenario> {
    let row = || {
        (0..5).map(|i| {
            let at = (7.8, 13.2 + 1.3 * i as f32);
            Part::parked(Body::TwoWheeler(Riders::None), 140 + i, at, 75.0 - 6.0 * i as f32)
        })
    };
    let thief = |looks| {
        let part = person(looks, 6.0, (6.2, 5.0)).goes((6.2, 14.6), 1.7).facing(80.0).waits(4.0, Pose::Bent);
        part.waits(8.0, Pose::Crouched).waits(4.0, Pose::Standing).goes((6.3, 70.0), 1.4)
    };
    vec![
        Scenario::new(
            "loitering-beside-parked",
            "somebody bends over parked two-wheelers, then squats",
            42.0,
        )
        .parts(row())
        .part(thief(150))
        .rule("beside", "loitering", BESIDE)
        .fires("beside", 20.0, 6.0),
        Scenario::new("loitering-beside-parked-infra-red", "the same in night mode", 42.0)
            .light(Light::InfraRed)
            .parts(row())
            .part(thief(151))
            .rule("beside", "loitering", BESIDE)
            .fires("beside", 20.0, 6.0),
        Scenario::new(
            "loitering-own",
            "somebody comes to his two-wheeler, starts it in three seconds and drives off",
            35.0,
        )
        .parts(row().take(4))
        .part(
            Part::new(Body::TwoWheeler(Riders::None), 160, 0.0, (6.8, 18.0))
                .facing(20.0)
                .unlit()
                .waits(15.0, Pose::Walking),
        )
        .part(person(161, 3.0, (6.3, 5.0)).goes((6.4, 17.7), 1.41).facing(60.0).waits(2.49, Pose::Bent))
        .part(
            Part::new(Body::TwoWheeler(Riders::One), 160, 15.0, (6.8, 18.0))
                .facing(20.0)
                .starts((5.6, 22.0), 3.0)
                .goes((4.3, 26.0), 4.0)
                .goes((4.3, 85.0), 7.0),
        )
        .rule("beside", "loitering", BESIDE),
        Scenario::new("loitering-apart", "somebody waits six metres from the parked two-wheelers", 38.0)
            .parts(row().take(3))
            .part(person(162, 4.0, (6.2, 60.0)).goes((6.2, 23.0), 3.0).waits(18.0, Pose::Standing))
            .rule("beside", "loitering", BESIDE),
    ]
}

/// People who come one after the other from both pavements, and stand together in the street.
fn gathering(count: u64, seconds: f32) -> impl Iterator<Item = Part> {
    (0..count).map(move |i| {
        let right = i % 2 == 0;
        let from = if right { (6.4, 5.5 + 0.3 * i as f32) } else { (-6.6, 34.0) };
        // In rows that stand on the gaps of the one before, so that none hides another.
        let row = (i / 5) as f32;
        let to = (-2.8 + 1.3 * (i % 5) as f32 + 0.65 * row, 14.6 + 1.7 * row);
        let part = person(170 + i, 3.0 + 0.6 * i as f32, from).goes(to, if right { 1.9 } else { 2.8 });
        let part = part.facing(75.0 * i as f32).waits(seconds, Pose::Standing);
        part.goes((if right { 6.4 } else { -6.6 }, 70.0), 2.0)
    })
}

fn crowds() -> Vec<Scenario> {
    let gathers = |name, shows, light| {
        Scenario::new(name, shows, 40.0)
            .light(light)
            .parts(gathering(10, 16.0))
            .rule("crowd", "crowd", CROWD)
            .fires("crowd", 14.7, 8.0)
    };
    vec![
        gathers("crowd-day", "ten people gather in the street", Light::Day),
        gathers("crowd-night", "the same by night", Light::Night),
        gathers("crowd-rain", "the same at dusk in rain", Light::Dusk).rain(),
        gathers("crowd-infra-red", "the same while the camera goes to night mode", Light::Night).cue(
            Effect::InfraRed,
            6.0,
            60.0,
        ),
        Scenario::new("crowd-four", "four people stand together", 40.0)
            .parts(gathering(4, 18.0))
            .rule("crowd", "crowd", CROWD),
        Scenario::new("crowd-crossing", "nine people cross the street, a few at a time", 40.0)
            .parts((0..9).map(|i| {
                let y = 13.0 + 1.2 * (i % 3) as f32;
                person(190 + i, 3.0 + 7.0 * (i / 3) as f32, (7.5, y)).goes((-7.5, y + 1.0), 1.7)
            }))
            .rule("crowd", "crowd", CROWD),
        Scenario::new(
            "crowd-of-two-wheelers",
            "a dense swarm of two-wheelers: the rule is about people",
            35.0,
        )
        .traffic(3.0)
        .rule("crowd", "crowd", CROWD),
    ]
}
