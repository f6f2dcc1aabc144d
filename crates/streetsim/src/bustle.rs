//! A street's small change, by chance: things at its kerbs, crossing and gathering people, and the effects of weather
//! and pole on the picture. For the training of detectors, which must have seen all of it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::script::{Body, Effect, Item, Part, Pose, Riders, Script};

/// Adds parts of one sort.
type Step = fn(&mut ChaCha8Rng, &mut Vec<Part>);

/// Time within which people cross and pass.
const SECONDS: f32 = 45.0;

/// Creates a script by chance, the same for the same seed. Of a hundred, about so many have: rows of parked
/// two-wheelers 65, parked cars or lorries 45, a stopped bus 20, two-wheelers with two people 70, crossing
/// two-wheelers 60 and cars 35, a person at a parked two-wheeler 55, a crowd 35, people who cross 55, things left on
/// the ground 35; a swaying pole 35, wind 50, another exposure 25, a cloud 20, sweeping headlights 25, a picture a
/// little out of focus 10.
pub fn bustle(seed: u64) -> Script {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xb057);
    let mut parts = Vec::new();
    let steps: [(f64, Step); 10] = [
        (0.65, rows),
        (0.45, at_the_kerb),
        (0.20, stopped_bus),
        (0.70, pairs),
        (0.60, |rng, parts| crossing(rng, parts, Body::TwoWheeler(Riders::Chance), 7)),
        (0.35, |rng, parts| crossing(rng, parts, Body::Car, 4)),
        (0.55, at_a_two_wheeler),
        (0.35, crowd),
        (0.55, on_foot_across),
        (0.35, things),
    ];
    for (chance, step) in steps {
        // Each from dice of its own, so that one more step does not change the others.
        let mut own = ChaCha8Rng::from_seed(rng.random());
        if rng.random_bool(chance) {
            step(&mut own, &mut parts);
        }
    }
    let mut script = Script { parts, cues: Vec::new() };
    let mut always = |chance: f64, effect: Effect| {
        if rng.random_bool(chance) {
            script.cues.push(super::script::Cue { effect, from: -10.0, until: 2.0 * SECONDS });
        }
    };
    let mut own = ChaCha8Rng::seed_from_u64(seed ^ 0xe77e);
    always(0.35, Effect::Shake(own.random_range(0.5..4.0)));
    always(0.50, Effect::Wind(own.random_range(0.05..0.30)));
    always(0.25, Effect::Exposure([0.55, 0.75, 1.3, 1.6][own.random_range(0..4)]));
    always(0.20, Effect::Cloud(own.random_range(0.15..0.45)));
    always(0.25, Effect::Sweep);
    always(0.10, Effect::Defocused(own.random_range(1.0..2.4)));
    script
}

fn side(rng: &mut ChaCha8Rng) -> f32 {
    if rng.random_bool(0.5) { 1.0 } else { -1.0 }
}

fn looks(rng: &mut ChaCha8Rng) -> u64 {
    rng.random_range(0..1 << 40)
}

fn rows(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>) {
    for _ in 0..rng.random_range(1..4) {
        let (x, mut y) = (side(rng) * rng.random_range(5.5..8.4f32), rng.random_range(9.5..32.0f32));
        let (degrees, room) = match rng.random_range(0..3) {
            0 => (rng.random_range(0..2) as f32 * 180.0, 2.05),
            1 => (90.0 * x.signum(), 0.78),
            _ => (rng.random_range(40.0..75.0) * x.signum(), 0.95),
        };
        for _ in 0..rng.random_range(1..9) {
            let (dx, turn) = (rng.random_range(-0.15..0.15f32), rng.random_range(-9.0..9.0f32));
            let body = Body::TwoWheeler(Riders::None);
            parts.push(Part::parked(body, looks(rng), (x + dx, y), degrees + turn));
            y += room + rng.random_range(-0.06..0.5f32);
        }
    }
}

fn at_the_kerb(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>) {
    for _ in 0..rng.random_range(1..4) {
        let body = [Body::Car, Body::Car, Body::Truck, Body::Lorry][rng.random_range(0..4)];
        let near = if body == Body::Lorry { 16.0 } else { 10.5 };
        let (x, y) = (side(rng) * rng.random_range(3.9..6.8f32), rng.random_range(near..42.0f32));
        let degrees = if x > 0.0 { 0.0 } else { 180.0 } + rng.random_range(-6.0..6.0f32);
        parts.push(Part::parked(body, looks(rng), (x, y), degrees));
    }
}

fn stopped_bus(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>) {
    let right = rng.random_bool(0.6);
    let at = (if right { 3.8 } else { -3.8 }, rng.random_range(16.0..36.0f32));
    let degrees = if right { 0.0 } else { 180.0 };
    parts.push(Part::new(Body::Bus, looks(rng), 0.0, at).facing(degrees).stays());
}

fn pairs(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>) {
    for _ in 0..rng.random_range(4..14) {
        let away = rng.random_bool(0.5);
        let x = rng.random_range(0.6..4.8f32) * if away { 1.0 } else { -1.0 };
        let (from, to) = if away { (-6.0, 80.0) } else { (80.0, -6.0) };
        let part =
            Part::new(Body::TwoWheeler(Riders::Two), looks(rng), rng.random_range(-10.0..SECONDS), (x, from));
        let speed = rng.random_range(4.0..11.0);
        parts.push(part.goes((x + rng.random_range(-0.4..0.4f32), to), speed));
    }
}

/// From one side to the other, seen from the side, some slanting.
fn crossing(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>, body: Body, most: u32) {
    for _ in 0..rng.random_range(most / 2..=most) {
        let (from, y) = (side(rng) * 8.6, rng.random_range(9.5..38.0f32));
        let to = (-from, (y + rng.random_range(-7.0..9.0f32)).max(9.0));
        let part = Part::new(body, looks(rng), rng.random_range(0.0..SECONDS), (from, y));
        // They wait for the others in the middle.
        let (halt, speed) =
            ((from * rng.random_range(0.1..0.6f32), (y + to.1) / 2.0), rng.random_range(1.5..5.0));
        let waits = rng.random_range(0.0..5.0);
        parts.push(part.brakes(halt, speed).waits(waits, Pose::Walking).starts(to, speed));
    }
}

fn at_a_two_wheeler(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>) {
    for _ in 0..rng.random_range(1..3) {
        let (x, y) = (side(rng) * rng.random_range(5.8..8.2f32), rng.random_range(9.8..24.0f32));
        let degrees = rng.random_range(0.0..360.0f32);
        parts.push(Part::parked(Body::TwoWheeler(Riders::None), looks(rng), (x, y), degrees));
        let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
        let at = (x + 0.75 * sin, y + 0.75 * cos);
        let mut part = Part::new(Body::Person, looks(rng), 0.0, at);
        while part.ends() < SECONDS {
            let towards = sin.atan2(cos).to_degrees() + 180.0 + rng.random_range(-50.0..50.0f32);
            let pose = [Pose::Bent, Pose::Crouched, Pose::Standing][rng.random_range(0..3)];
            part = part.facing(towards).waits(rng.random_range(2.0..6.0), pose);
        }
        parts.push(part.stays());
    }
}

fn crowd(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>) {
    let (x, y) = (side(rng) * rng.random_range(0.5..7.5f32), rng.random_range(11.0..26.0f32));
    let (wide, deep) = (rng.random_range(1.2..2.6f32), rng.random_range(1.2..3.5f32));
    for _ in 0..rng.random_range(6..26) {
        let at = (x + rng.random_range(-wide..wide), y + rng.random_range(-deep..deep));
        let mut part = Part::new(Body::Person, looks(rng), 0.0, at).facing(rng.random_range(0.0..360.0));
        while part.ends() < SECONDS {
            part = part.waits(rng.random_range(4.0..12.0), Pose::Standing);
            part = part.facing(rng.random_range(0.0..360.0));
        }
        parts.push(part.stays());
    }
}

fn on_foot_across(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>) {
    for _ in 0..rng.random_range(3..12) {
        let (from, y) = (side(rng) * rng.random_range(6.0..9.0f32), rng.random_range(9.5..34.0f32));
        let to = (-from, (y + rng.random_range(-3.0..5.0f32)).max(9.2));
        let part = Part::new(Body::Person, looks(rng), rng.random_range(-6.0..SECONDS), (from, y));
        let thing = [Item::Bag, Item::Carton, Item::Sack][rng.random_range(0..3)];
        let part = if rng.random_bool(0.25) { part.holds(Pose::Carrying(thing)) } else { part };
        parts.push(part.goes(to, rng.random_range(0.9..2.6)));
    }
}

fn things(rng: &mut ChaCha8Rng, parts: &mut Vec<Part>) {
    for _ in 0..rng.random_range(1..5) {
        let thing = [Item::Bag, Item::Carton, Item::Sack][rng.random_range(0..3)];
        let at = (side(rng) * rng.random_range(4.5..9.0f32), rng.random_range(9.5..24.0f32));
        parts.push(Part::parked(Body::Thing(thing), looks(rng), at, rng.random_range(0.0..360.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_of_them_have_everything_and_are_not_alike() {
        let scripts: Vec<Script> = (0..100).map(bustle).collect();
        assert!(scripts.iter().zip((0..100).map(bustle)).all(|(one, again)| *one == again));
        let with = |what: fn(&Part) -> bool| scripts.iter().filter(|s| s.parts.iter().any(what)).count();
        let is_two = |part: &Part| part.body() == Body::TwoWheeler(Riders::Two);
        assert!((55..85).contains(&with(is_two)), "{}", with(is_two));
        let is_parked = |part: &Part| part.body() == Body::TwoWheeler(Riders::None);
        assert!((70..95).contains(&with(is_parked)), "{}", with(is_parked));
        let shaken = scripts.iter().filter(|s| s.ever(|effect| matches!(effect, Effect::Shake(_)))).count();
        assert!((20..50).contains(&shaken), "{shaken}");
    }
}
