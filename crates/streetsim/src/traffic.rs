//! The timetable: the actors in the street at a given second. Nothing is simulated: every position is a function of
//! the seed and the time, so that any moment can be asked for by itself.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::script::{Body, Pose, Riders};

/// An actor in the street at one moment.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub(super) id: u64,
    pub(super) body: Body,
    /// Metres: x from the street's middle, y along it.
    pub(super) x: f32,
    pub(super) y: f32,
    /// Radians clockwise from "away from the camera".
    pub(super) heading: f32,
    /// Metres walked since it came.
    pub(super) walked: f32,
    pub(super) pose: Pose,
    /// Phase of the small movements of a standing person, -1..=1.
    pub(super) idle: f32,
    /// It has no lights on after dark.
    pub(super) dark: bool,
    /// Draws the same looks for the same actor on every frame.
    pub(super) looks: ChaCha8Rng,
}

/// The far end of the street's traffic, and the near one behind the camera, in metres.
const FAR_Y: f32 = 95.0;
const NEAR_Y: f32 = -8.0;
/// Length of a cycle of the traffic: it comes in waves, as from a traffic light.
const CYCLE_SECONDS: f64 = 26.0;
/// Seconds of every cycle in which it comes.
const GREEN_SECONDS: f64 = 16.0;

/// One file of traffic. All in it go at one speed, so that none runs into the one ahead.
struct Lane {
    x: f32,
    away: bool,
    speed: f32,
    /// At most one starts in each span of this many seconds.
    slot_seconds: f32,
    chance: f64,
    wheels: Wheels,
}

#[derive(PartialEq)]
enum Wheels {
    Two,
    Four,
    None,
}

const fn lane(x: f32, away: bool, speed: f32, slot_seconds: f32, chance: f64, wheels: Wheels) -> Lane {
    Lane { x, away, speed, slot_seconds, chance, wheels }
}

/// Right-hand traffic: away from the camera on the right.
const LANES: [Lane; 10] = [
    lane(1.6, true, 8.0, 3.6, 0.45, Wheels::Four),
    lane(3.4, true, 7.0, 1.7, 0.55, Wheels::Two),
    lane(4.5, true, 6.0, 2.1, 0.40, Wheels::Two),
    lane(-1.6, false, 8.4, 3.6, 0.45, Wheels::Four),
    lane(-3.4, false, 7.4, 1.7, 0.55, Wheels::Two),
    lane(-4.5, false, 6.2, 2.1, 0.40, Wheels::Two),
    lane(6.45, true, 1.30, 9.0, 0.40, Wheels::None),
    lane(7.0, false, 1.15, 11.0, 0.40, Wheels::None),
    lane(-6.6, true, 1.20, 8.0, 0.45, Wheels::None),
    lane(-7.6, false, 1.35, 8.0, 0.45, Wheels::None),
];

/// Ids of lane actors are the lane's number times this, plus the slot.
const IDS_PER_LANE: u64 = 1_000_000;

/// Way of the intruder: x, y, and the speed in m/s towards the next point.
const INTRUDER_WAY: [(f32, f32, f32); 8] = [
    (6.7, 5.0, 1.4),
    (6.8, 13.6, 1.3),
    (8.4, 15.6, 0.9),
    (8.5, 18.0, 0.7),
    (8.3, 15.4, 0.8),
    (8.6, 17.4, 1.1),
    (6.7, 20.8, 1.35),
    (6.5, 75.0, 1.35),
];
const INTRUDER_EVERY_SECONDS: f64 = 24.0;
const INTRUDER_LANE: u64 = 90;

fn dice(seed: u64, lane: u64, slot: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((lane << 40) | slot);
    rng
}

/// Returns all actors in the street at second `t`. None starts before `quiet_seconds`.
///
/// Double precision, so that motion is as smooth after a month as at first.
pub(super) fn actors(
    seed: u64,
    density: f32,
    (quiet_seconds, with_intruders): (f32, bool),
    t: f64,
) -> Vec<Actor> {
    let mut actors = Vec::new();
    for (number, lane) in (1..).zip(&LANES) {
        let life = match lane.wheels {
            Wheels::None => 70.0 / lane.speed,
            _ => (FAR_Y - NEAR_Y) / lane.speed,
        };
        let slot_seconds = f64::from(lane.slot_seconds);
        let slot_at = |second: f64| (second.max(0.0) / slot_seconds) as u64;
        for slot in slot_at(t - f64::from(life) - slot_seconds)..=slot_at(t) {
            let mut rng = dice(seed, number, slot);
            let starts = (slot as f64 + rng.random_range(0.0..0.25)) * slot_seconds;
            let comes = rng.random_bool((lane.chance * f64::from(density)).clamp(0.0, 1.0));
            let green = lane.wheels == Wheels::None || starts % CYCLE_SECONDS < GREEN_SECONDS;
            let age = (t - starts) as f32;
            if comes && green && starts >= f64::from(quiet_seconds) && (0.0..life).contains(&age) {
                actors.push(lane.actor(number * IDS_PER_LANE + slot, age, rng));
            }
        }
    }
    if density > 0.0 && with_intruders {
        actors.extend(intruders(seed, quiet_seconds, t));
    }
    actors
}

impl Lane {
    fn actor(&self, id: u64, age: f32, mut rng: ChaCha8Rng) -> Actor {
        let body = match self.wheels {
            Wheels::None => Body::Person,
            Wheels::Two => Body::TwoWheeler(Riders::Chance),
            Wheels::Four => match rng.random_range(0..10) {
                0..6 => Body::Car,
                6..8 => Body::Bus,
                _ => Body::Truck,
            },
        };
        let way = self.speed * age;
        let sway = if self.wheels == Wheels::Four { 0.05 } else { 0.16 };
        let (offset, phase) = (rng.random_range(-sway..sway), rng.random_range(0.0..std::f32::consts::TAU));
        let near = if self.wheels == Wheels::None { 3.0 } else { NEAR_Y };
        let far = if self.wheels == Wheels::None { 73.0 } else { FAR_Y };
        Actor {
            id,
            body,
            x: self.x + offset + sway * 0.6 * (way * 0.12 + phase).sin(),
            y: if self.away { near + way } else { far - way },
            heading: if self.away { 0.0 } else { std::f32::consts::PI },
            walked: way,
            pose: Pose::Walking,
            idle: 0.0,
            dark: false,
            looks: rng,
        }
    }
}

/// Persons who walk into the yard, linger, and leave again.
fn intruders(seed: u64, quiet_seconds: f32, t: f64) -> impl Iterator<Item = Actor> {
    let slot_at = |second: f64| (second.max(0.0) / INTRUDER_EVERY_SECONDS) as u64;
    (slot_at(t - 90.0)..=slot_at(t)).filter_map(move |slot| {
        let mut rng = dice(seed, INTRUDER_LANE, slot);
        let starts =
            slot as f64 * INTRUDER_EVERY_SECONDS + f64::from(quiet_seconds) + rng.random_range(0.3..2.0);
        let (x, y, heading, walked) = on_the_way((t - starts) as f32)?;
        let id = INTRUDER_LANE * IDS_PER_LANE + slot;
        Some(Actor {
            id,
            body: Body::Person,
            x,
            y,
            heading,
            walked,
            pose: Pose::Walking,
            idle: 0.0,
            dark: false,
            looks: rng,
        })
    })
}

/// Place, heading and metres walked after `age` seconds; `None` before and after.
fn on_the_way(age: f32) -> Option<(f32, f32, f32, f32)> {
    let (mut left, mut walked) = (age, 0.0);
    for pair in INTRUDER_WAY.windows(2) {
        let ((x0, y0, speed), (x1, y1, _)) = (pair[0], pair[1]);
        let (dx, dy) = (x1 - x0, y1 - y0);
        let way = dx.hypot(dy);
        if left < 0.0 {
            return None;
        }
        if left * speed < way {
            let part = left * speed / way;
            return Some((x0 + dx * part, y0 + dy * part, dx.atan2(dy), walked + left * speed));
        }
        left -= way / speed;
        walked += way;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_runs_into_the_one_ahead() {
        for tenth in 0..1200 {
            let mut by_lane = std::collections::BTreeMap::<u64, Vec<(f32, Body)>>::new();
            for actor in actors(3, 2.0, (1.0, true), f64::from(tenth) / 10.0) {
                by_lane.entry(actor.id / IDS_PER_LANE).or_default().push((actor.y, actor.body));
            }
            for (lane, mut row) in by_lane.into_iter().filter(|(lane, _)| *lane <= 6) {
                row.sort_by(|a, b| a.0.total_cmp(&b.0));
                for pair in row.windows(2) {
                    let room = if matches!(pair[0].1, Body::TwoWheeler(_)) { 2.2 } else { 9.5 };
                    assert!(pair[1].0 - pair[0].0 > room, "lane {lane} at {tenth}: {pair:?}");
                }
            }
        }
    }

    #[test]
    fn density_is_bounded_and_zero_is_empty() {
        let at =
            |density| (0..60).map(|s| actors(1, density, (1.0, true), f64::from(s)).len()).max().unwrap();
        assert_eq!(at(0.0), 0);
        assert!(at(1.0) > 10);
        assert!(at(4.0) < 160, "{}", at(4.0));
    }
}
