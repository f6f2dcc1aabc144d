//! The staged parts of a scene beside its chance traffic: actors with their ways and times, fixed things, and effects
//! on the camera. A script is written once and never changes while it is played; every position is a function of the
//! second.
//!
//! Places are metres on the street: x to the right of its middle (kerbs at 5.2 on both sides, house fronts at 9.6), y
//! along it away from the camera, which hangs at x 4.2, y 0 and sees the ground from y 8.5 on.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::traffic::Actor;
use base::detection::Label;

/// Body of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// A person on foot.
    Person,
    /// A motorbike or scooter.
    TwoWheeler(Riders),
    /// A car.
    Car,
    /// A city bus.
    Bus,
    /// A small lorry with a closed load.
    Truck,
    /// A large box lorry, four metres high.
    Lorry,
    /// Something lifeless: it is on the picture and has no truth.
    Thing(Item),
}

/// Riders of a two-wheeler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Riders {
    /// One, often two, as its looks have it.
    Chance,
    /// None: it leans on its stand.
    None,
    /// The driver alone.
    One,
    /// Two people.
    Two,
}

/// Things that can be put down and picked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A travel bag.
    Bag,
    /// A carton.
    Carton,
    /// A filled rice sack.
    Sack,
}

/// Posture of a person on foot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pose {
    /// Walks, or stands as in the middle of a step.
    Walking,
    /// Stands upright, hands moving a little.
    Standing,
    /// Bends forward over something.
    Bent,
    /// Squats.
    Crouched,
    /// Carries a thing before the chest.
    Carrying(Item),
}

impl Body {
    /// Returns its label; `None` if no detector has a word for it.
    pub fn label(self) -> Option<Label> {
        match self {
            Self::Person => Some(Label::Person),
            Self::TwoWheeler(_) => Some(Label::TwoWheeler),
            Self::Car => Some(Label::Car),
            Self::Bus | Self::Truck | Self::Lorry => Some(Label::LargeVehicle),
            Self::Thing(_) => None,
        }
    }

    pub(super) fn is_vehicle(self) -> bool {
        !matches!(self, Self::Person | Self::Thing(_))
    }

    /// Half its width, half its length and its height in metres.
    pub(super) fn size(self) -> (f32, f32, f32) {
        match self {
            Self::Person => (0.24, 0.20, 1.6),
            Self::TwoWheeler(_) => (0.28, 0.85, 1.3),
            Self::Car => (0.92, 2.15, 1.3),
            Self::Bus => (1.22, 4.4, 2.8),
            Self::Truck => (1.02, 3.0, 2.4),
            Self::Lorry => (1.25, 4.9, 3.9),
            Self::Thing(_) => (0.28, 0.20, 0.45),
        }
    }
}

/// The staged parts of a scene, and the effects on the camera.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// The actors.
    pub parts: Vec<Part>,
    /// Effects on the camera, or on the light.
    pub cues: Vec<Cue>,
}

/// An effect on the camera or the light for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cue {
    /// The effect.
    pub effect: Effect,
    /// From this second on.
    pub from: f32,
    /// Until this second.
    pub until: f32,
}

/// Effects on the camera or the light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// Night mode: grey, lit by the camera's own infra-red lamp.
    InfraRed,
    /// The pole sways by so many pixels of a picture 640 wide, at 1 to 3 Hz.
    Shake(f32),
    /// The exposure changes by this factor, within half a second.
    Exposure(f32),
    /// A cloud's soft edge crosses, and takes this part of the light with it.
    Cloud(f32),
    /// The headlights of a vehicle that is not seen sweep over fronts and ground.
    Sweep,
    /// Trees sway: the crowns' tops by so many metres.
    Wind(f32),
    /// It rains.
    Rain,
    /// A hand or a bag comes over the lens.
    Covered,
    /// Paint is sprayed at the lens.
    Sprayed,
    /// The focus is lost, up to a blur with this radius in pixels of a picture 640 wide.
    Defocused(f32),
    /// The camera is turned by so many degrees to the right.
    Turned(f32),
    /// The picture stands still, its noise included.
    Frozen,
    /// No light at all.
    Black,
    /// No picture comes. Nothing is drawn differently: the player leaves those frames out.
    Lost,
}

/// Change of speed along a leg.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Gait {
    Even,
    /// Slows down to a halt.
    Brakes,
    /// Starts from a halt.
    Starts,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Key {
    second: f32,
    x: f32,
    y: f32,
    /// Radians clockwise from "away from the camera"; of the leg that ends here.
    heading: f32,
    pose: Pose,
    gait: Gait,
}

/// One actor's part: a way with times.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    body: Body,
    looks: u64,
    keys: Vec<Key>,
    /// Its heading was given when it comes; else it faces where it goes first.
    faces: bool,
    stays: bool,
    dark: bool,
}

/// Duration of a turn on the spot.
const TURN_SECONDS: f32 = 0.5;
/// Ids of a script's parts begin here, beyond those of the traffic.
const FIRST_ID: u64 = 1_000_000_000;

impl Part {
    /// Creates an actor that comes at `second` at (`x`, `y`). The same `looks` look the same.
    pub fn new(body: Body, looks: u64, second: f32, (x, y): (f32, f32)) -> Self {
        let key = Key { second, x, y, heading: 0.0, pose: Pose::Walking, gait: Gait::Even };
        Self { body, looks, keys: vec![key], faces: false, stays: false, dark: false }
    }

    /// Creates a body that stands at (`x`, `y`) all the time, heading so many degrees clockwise from "away from the
    /// camera", without lights.
    pub fn parked(body: Body, looks: u64, at: (f32, f32), degrees: f32) -> Self {
        Self::new(body, looks, 0.0, at).facing(degrees).unlit().stays()
    }

    /// Goes on straight to (`x`, `y`) at so many metres a second.
    pub fn goes(self, to: (f32, f32), speed: f32) -> Self {
        self.leg(to, speed, Gait::Even)
    }

    /// The same, slowing down to a halt there.
    pub fn brakes(self, to: (f32, f32), speed: f32) -> Self {
        self.leg(to, speed / 2.0, Gait::Brakes)
    }

    /// The same, from a halt up to that speed.
    pub fn starts(self, to: (f32, f32), speed: f32) -> Self {
        self.leg(to, speed / 2.0, Gait::Starts)
    }

    /// Goes through all these points at one speed.
    pub fn along(self, points: &[(f32, f32)], speed: f32) -> Self {
        points.iter().fold(self, |part, to| part.goes(*to, speed))
    }

    /// Stays where it is for so many seconds.
    pub fn waits(mut self, seconds: f32, pose: Pose) -> Self {
        let last = self.last();
        self.keys.push(Key { second: last.second + seconds, pose, gait: Gait::Even, ..last });
        self
    }

    /// Turns to so many degrees clockwise from "away from the camera", which takes half a second; where it has only just
    /// come, it faces there from the first.
    pub fn facing(mut self, degrees: f32) -> Self {
        let (last, heading) = (self.last(), degrees.to_radians());
        if self.keys.len() == 1 {
            self.keys[0].heading = heading;
            self.faces = true;
        } else {
            self.keys.push(Key { second: last.second + TURN_SECONDS, heading, gait: Gait::Even, ..last });
        }
        self
    }

    /// Walks in this pose from the last point on, until another is set.
    pub fn holds(mut self, pose: Pose) -> Self {
        let last = self.last();
        self.keys.push(Key { pose, ..last });
        self
    }

    /// Does not vanish after its last point.
    pub fn stays(mut self) -> Self {
        self.stays = true;
        self
    }

    /// Has no lights on.
    pub fn unlit(mut self) -> Self {
        self.dark = true;
        self
    }

    /// Replaces the actor of the part; actors that looked the same still do.
    pub fn played_by(mut self, cast: u64) -> Self {
        self.looks += 1000 * cast;
        self
    }

    /// Its body.
    pub fn body(&self) -> Body {
        self.body
    }

    /// The second in which it arrives at its last point.
    pub fn ends(&self) -> f32 {
        self.last().second
    }

    /// Place of its last point.
    pub fn place(&self) -> (f32, f32) {
        (self.last().x, self.last().y)
    }

    fn last(&self) -> Key {
        *self.keys.last().expect("a part has a first point")
    }

    fn leg(mut self, (x, y): (f32, f32), speed: f32, gait: Gait) -> Self {
        let last = self.last();
        let (dx, dy) = (x - last.x, y - last.y);
        let second = last.second + dx.hypot(dy) / speed.max(0.01);
        let heading = dx.atan2(dy);
        let pose = if matches!(last.pose, Pose::Carrying(_)) { last.pose } else { Pose::Walking };
        if self.keys.len() == 1 && !self.faces {
            self.keys[0].heading = heading;
        }
        self.keys.push(Key { second, x, y, heading, pose, gait });
        self
    }

    /// Returns its state at second `t`; `None` before and after its part.
    fn at(&self, t: f32) -> Option<Key> {
        let (first, last) = (self.keys[0], self.last());
        if t < first.second || (t > last.second && !self.stays) {
            return None;
        }
        let next = self.keys.iter().position(|key| key.second > t);
        let Some(next) = next else { return Some(last) };
        let (a, b) = (self.keys[next - 1], self.keys[next]);
        let part = (t - a.second) / (b.second - a.second);
        let way = match b.gait {
            Gait::Even => part,
            Gait::Brakes => 1.0 - (1.0 - part) * (1.0 - part),
            Gait::Starts => part * part,
        };
        let turned = ((t - a.second) / TURN_SECONDS).min(1.0);
        let (from, to) = (a.heading, b.heading);
        // The shorter way round.
        let by = (to - from + std::f32::consts::PI).rem_euclid(std::f32::consts::TAU) - std::f32::consts::PI;
        let (x, y) = (a.x + (b.x - a.x) * way, a.y + (b.y - a.y) * way);
        Some(Key { second: t, x, y, heading: from + by * turned, ..b })
    }

    fn walked(&self, t: f32) -> f32 {
        let mut walked = 0.0;
        for pair in self.keys.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let part = ((t - a.second) / (b.second - a.second).max(1e-6)).clamp(0.0, 1.0);
            walked += (b.x - a.x).hypot(b.y - a.y) * part;
        }
        walked
    }

    fn actor(&self, id: u64, t: f32) -> Option<Actor> {
        let Key { x, y, heading, pose, .. } = self.at(t)?;
        Some(Actor {
            id,
            body: self.body,
            pose,
            dark: self.dark,
            x,
            y,
            heading,
            walked: self.walked(t),
            // Hands and heads of standing persons move a little.
            idle: (t * 1.7 + self.looks as f32).sin(),
            looks: ChaCha8Rng::seed_from_u64(self.looks),
        })
    }
}

impl Script {
    /// With one more part.
    pub fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// Adds an effect from one second until another.
    pub fn cue(mut self, effect: Effect, from: f32, until: f32) -> Self {
        self.cues.push(Cue { effect, from, until });
        self
    }

    /// The id of the truths of a part.
    pub fn id(part: usize) -> u64 {
        FIRST_ID + part as u64
    }

    pub(super) fn actors(&self, t: f64) -> impl Iterator<Item = Actor> {
        self.parts.iter().enumerate().filter_map(move |(number, part)| part.actor(Self::id(number), t as f32))
    }

    /// The effects of second `t`, each with the part of its time that has passed and the seconds since its start and to
    /// its end.
    pub(super) fn befalls(&self, t: f32) -> impl Iterator<Item = Befalling> {
        self.cues.iter().filter(move |cue| (cue.from..cue.until).contains(&t)).map(move |cue| Befalling {
            effect: cue.effect,
            part: (t - cue.from) / (cue.until - cue.from),
            since: t - cue.from,
            left: cue.until - t,
        })
    }

    /// Returns true if some effect of this sort is ever played.
    pub fn ever(&self, sort: impl Fn(Effect) -> bool) -> bool {
        self.cues.iter().any(|cue| sort(cue.effect))
    }
}

/// An effect at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Befalling {
    pub(super) effect: Effect,
    /// 0..1 of its time.
    pub(super) part: f32,
    pub(super) since: f32,
    pub(super) left: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(part: &Part, t: f32) -> Option<(f32, f32)> {
        part.at(t).map(|key| (key.x, key.y))
    }

    #[test]
    fn a_part_is_where_its_way_says() {
        let part = Part::new(Body::Person, 1, 2.0, (0.0, 10.0)).goes((0.0, 14.0), 2.0).waits(3.0, Pose::Bent);
        assert_eq!(place(&part, 1.9), None);
        assert_eq!(place(&part, 3.0), Some((0.0, 12.0)));
        assert_eq!(part.at(5.0).map(|key| key.pose), Some(Pose::Bent));
        assert_eq!((part.ends(), place(&part, 7.1)), (7.0, None));
        assert_eq!(place(&part.stays(), 100.0), Some((0.0, 14.0)));
    }

    #[test]
    fn who_brakes_slows_down() {
        let part = Part::new(Body::Car, 1, 0.0, (0.0, 10.0)).brakes((0.0, 30.0), 10.0);
        assert_eq!(part.ends(), 4.0);
        let speed = |t: f32| (place(&part, t + 0.05).unwrap().1 - place(&part, t).unwrap().1) / 0.05;
        assert!((speed(0.0) - 10.0).abs() < 0.3 && speed(3.9) < 0.5, "{} {}", speed(0.0), speed(3.9));
    }

    #[test]
    fn a_turn_takes_the_shorter_way() {
        let part = Part::new(Body::Person, 1, 0.0, (0.0, 10.0)).facing(170.0).waits(2.0, Pose::Standing);
        let part = part.facing(-170.0).waits(2.0, Pose::Standing);
        for t in 0..40 {
            let heading = part.at(t as f32 / 10.0).unwrap().heading.to_degrees().rem_euclid(360.0);
            assert!((169.0..191.0).contains(&heading), "{heading} at {t}");
        }
    }
}
