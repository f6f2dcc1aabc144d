//! Things left behind, and things taken away.

use super::Scenario;
use crate::Light;
use crate::script::{Body, Effect, Item, Part, Pose, Riders};

const LEFT: &str = "zone = \"pavement\"; seconds_min = 8";
const TAKEN: &str = "zone = \"pavement\"; stood_seconds_min = 8";

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = left();
    all.extend(taken());
    all
}

/// A person who carries a thing to (6.9, 15), puts it down there at second 11 and walks on; and the thing.
fn leaves(thing: Item, until: f32) -> [Part; 2] {
    let carrier = Part::new(Body::Person, 200, 3.0, (6.5, 5.0)).holds(Pose::Carrying(thing));
    let carrier = carrier.goes((6.5, 14.7), 1.4).waits(11.0 - 3.0 - 9.7 / 1.4, Pose::Bent);
    let carrier = carrier.waits(0.8, Pose::Bent).goes((6.5, 70.0), 1.5);
    [carrier, Part::new(Body::Thing(thing), 201, 11.0, (6.95, 15.0)).waits(until - 11.0, Pose::Walking)]
}

fn left() -> Vec<Scenario> {
    let behind = |name, shows, light, thing| {
        Scenario::new(name, shows, 40.0)
            .light(light)
            .parts(leaves(thing, 100.0))
            .rule("left", "left_behind", LEFT)
            .fires("left", 21.0, 10.0)
    };
    vec![
        behind("left-behind-day", "somebody puts a carton down and walks on", Light::Day, Item::Carton),
        behind("left-behind-bag", "the same with a bag, people passing", Light::Day, Item::Bag).parts(
            (0..3).map(|i| {
                Part::new(Body::Person, 210 + i, 14.0 + 4.0 * i as f32, (7.8, 5.0)).goes((7.8, 70.0), 1.4)
            }),
        ),
        behind("left-behind-night", "a sack by night", Light::Night, Item::Sack).traffic(0.3),
        behind("left-behind-infra-red", "a carton in night mode", Light::InfraRed, Item::Carton),
        Scenario::new("left-behind-taken-up", "he takes it up again after four seconds", 35.0)
            .part(
                Part::new(Body::Person, 220, 3.0, (6.5, 5.0))
                    .holds(Pose::Carrying(Item::Carton))
                    .goes((6.5, 14.7), 1.4)
                    .waits(6.0, Pose::Standing)
                    .holds(Pose::Carrying(Item::Carton))
                    .goes((6.5, 70.0), 1.5),
            )
            .part(Part::new(Body::Thing(Item::Carton), 221, 10.0, (6.95, 15.0)).waits(5.9, Pose::Walking))
            .rule("left", "left_behind", LEFT),
        Scenario::new("left-behind-person", "somebody sits down on the pavement and stays", 35.0)
            .part(
                Part::new(Body::Person, 222, 3.0, (6.5, 5.0))
                    .goes((6.9, 15.0), 1.4)
                    .waits(30.0, Pose::Crouched),
            )
            .rule("left", "left_behind", LEFT),
        Scenario::new("left-behind-light", "beams, a cloud, and leaves that move; nothing is left", 40.0)
            .light(Light::Dusk)
            .cue(Effect::Wind(0.2), 0.0, 60.0)
            .cue(Effect::Sweep, 6.0, 9.0)
            .cue(Effect::Cloud(0.3), 12.0, 36.0)
            .rule("left", "left_behind", LEFT),
    ]
}

fn parked(looks: u64, at: (f32, f32)) -> Part {
    Part::parked(Body::TwoWheeler(Riders::None), looks, at, 70.0)
}

/// It stands until the second, then its new rider takes it away.
fn stolen(looks: u64, second: f32) -> [Part; 3] {
    let at = (6.9, 15.0);
    let stands = Part::new(Body::TwoWheeler(Riders::None), looks, 0.0, at).facing(70.0).unlit();
    let thief = Part::new(Body::Person, looks + 1, second - 13.0, (6.3, 5.0));
    let thief = thief.goes((6.35, 14.8), 1.64).facing(70.0).waits(3.0, Pose::Bent);
    let stays = second - thief.ends();
    let rides = Part::new(Body::TwoWheeler(Riders::One), looks, second, at).facing(70.0);
    let rides = rides.starts((6.2, 18.5), 2.0).goes((4.4, 24.0), 4.0).goes((4.2, 85.0), 7.0);
    [stands.waits(second, Pose::Walking), thief.waits(stays, Pose::Crouched), rides]
}

fn taken() -> Vec<Scenario> {
    let takes = |name, shows, light| {
        Scenario::new(name, shows, 50.0)
            .light(light)
            .parts([parked(230, (8.5, 13.4)), parked(231, (7.9, 19.0))])
            .parts(stolen(240, 28.0))
            .rule("taken", "taken_away", TAKEN)
            .fires("taken", 29.0, 12.0)
    };
    vec![
        takes(
            "taken-away-day",
            "somebody squats at a parked two-wheeler, mounts it and rides away",
            Light::Day,
        ),
        takes("taken-away-night", "the same by night", Light::Night),
        takes("taken-away-infra-red", "the same in night mode", Light::InfraRed),
        Scenario::new("taken-away-looks-only", "somebody bends over it and walks away", 45.0)
            .parts([parked(250, (7.3, 13.0)), parked(251, (6.9, 15.0))])
            .part(
                Part::new(Body::Person, 252, 14.0, (6.3, 5.0))
                    .goes((6.35, 14.8), 1.6)
                    .facing(70.0)
                    .waits(6.0, Pose::Bent)
                    .goes((6.3, 70.0), 1.5),
            )
            .rule("taken", "taken_away", TAKEN),
        Scenario::new("taken-away-hidden", "a bus hides the parked two-wheelers for ten seconds", 50.0)
            .parts([parked(253, (6.7, 22.0)), parked(254, (6.7, 23.2))])
            .part(
                Part::new(Body::Bus, 255, 14.0, (4.6, -8.0))
                    .goes((4.6, 8.0), 6.0)
                    .brakes((5.0, 16.0), 6.0)
                    .waits(10.0, Pose::Walking)
                    .starts((4.4, 26.0), 6.0)
                    .goes((3.8, 85.0), 7.0),
            )
            .rule("taken", "taken_away", TAKEN),
        Scenario::new("taken-away-short-halt", "a rider halts for five seconds and rides on", 35.0)
            .part(
                Part::new(Body::TwoWheeler(Riders::One), 256, 3.0, (6.2, -4.0))
                    .goes((6.3, 10.0), 4.0)
                    .brakes((6.6, 15.0), 4.0)
                    .waits(5.0, Pose::Walking)
                    .starts((6.2, 20.0), 4.0)
                    .goes((4.4, 28.0), 5.0)
                    .goes((4.2, 85.0), 7.0),
            )
            .rule("taken", "taken_away", TAKEN),
    ]
}
