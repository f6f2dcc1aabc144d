//! Drawn streets under all disturbances that are not motion: weather, light, the camera itself. With the truth, and the score
//! of a gate. The tests of the gate include this file, too.

use std::time::Duration;

use analysis::MotionCheck;
use base::geometry::{Point, Polygon, Rect};
use base::ids::Epoch;
use base::picture::{Frame, Picture};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use streetsim::{Light, Scene, Settings, Truth};

/// Size of every picture.
pub const SIZE: (usize, usize) = (640, 360);
/// Frames a second.
pub const FPS: f32 = 5.0;

/// Effect of a camera or the weather on a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// Nothing.
    None,
    /// A cloud's edge passes in eight seconds and takes a third of the light with it, and comes back; every 24 s.
    Cloud,
    /// The same within two seconds, as in the wind.
    FastCloud,
    /// Auto-exposure: another gain every six seconds, reached in two pictures.
    Exposure,
    /// Infra-red from second 20 to 40: grey, another contrast, a bright middle.
    InfraRed,
    /// Infra-red all the time.
    AlwaysInfraRed,
    /// A pole in the wind: the picture wanders by up to two pixels each way.
    Shaking,
    /// Trees in the wind in the upper corners.
    Wind,
    /// The encoded picture drifts within each GOP of two seconds and jumps back at its key frame, block by block.
    Pumping,
    /// A clock in the upper left corner, other digits every second.
    Clock,
    /// Every ten seconds, the beam of a vehicle that is not on the picture sweeps over it.
    Beam,
    /// All traffic stands from second 20 to 40.
    Stop,
}

/// A street and its disturbances.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// Name in the table.
    pub name: &'static str,
    /// The hour.
    pub light: Light,
    /// True if it rains.
    pub rain: bool,
    /// Standard deviation of the sensor's noise, in codes of luma.
    pub noise: f32,
    /// Density of traffic.
    pub density: f32,
    /// The further effect.
    pub effect: Effect,
    /// Frames a second.
    pub fps: f32,
}

const DAY: Condition = Condition {
    name: "day",
    light: Light::Day,
    rain: false,
    noise: 2.0,
    density: 0.6,
    effect: Effect::None,
    fps: FPS,
};
const NIGHT: Condition = Condition { name: "night", light: Light::Night, noise: 4.0, ..DAY };

/// Every row of the table.
pub const CONDITIONS: &[Condition] = &[
    DAY,
    Condition { name: "day, dense", density: 2.0, ..DAY },
    Condition { name: "day, key frames only (2 s)", fps: 0.5, ..DAY },
    Condition { name: "day, cloud", effect: Effect::Cloud, ..DAY },
    Condition { name: "day, fast cloud", effect: Effect::FastCloud, ..DAY },
    Condition { name: "day, auto-exposure", effect: Effect::Exposure, ..DAY },
    Condition { name: "day, shaking camera", effect: Effect::Shaking, ..DAY },
    Condition { name: "day, wind in trees", effect: Effect::Wind, ..DAY },
    Condition { name: "day, keyframes pump", effect: Effect::Pumping, ..DAY },
    Condition { name: "day, burnt-in clock", effect: Effect::Clock, ..DAY },
    Condition { name: "day, traffic stands 20 s", effect: Effect::Stop, ..DAY },
    Condition { name: "rain", rain: true, noise: 3.0, ..DAY },
    Condition { name: "dusk", light: Light::Dusk, noise: 3.0, ..DAY },
    Condition {
        name: "dusk, infra-red switch",
        light: Light::Dusk,
        noise: 3.0,
        effect: Effect::InfraRed,
        ..DAY
    },
    Condition { name: "infra-red", light: Light::Dusk, noise: 3.0, effect: Effect::AlwaysInfraRed, ..DAY },
    NIGHT,
    Condition { name: "night, noise 10", noise: 10.0, ..NIGHT },
    Condition { name: "night, rain", rain: true, noise: 6.0, ..NIGHT },
    Condition { name: "night, keyframes pump", effect: Effect::Pumping, ..NIGHT },
    Condition { name: "night, shaking camera", effect: Effect::Shaking, ..NIGHT },
    Condition { name: "night, sweeping beams", effect: Effect::Beam, ..NIGHT },
];

/// The row of this name.
pub fn condition(name: &str) -> Condition {
    *CONDITIONS.iter().find(|condition| condition.name == name).unwrap()
}

/// Area in which [`Effect::Clock`] writes.
pub fn clock_mask() -> Polygon {
    let corners = [[0.0, 0.0], [0.27, 0.0], [0.27, 0.085], [0.0, 0.085]];
    Polygon::new(corners.into_iter().map(Point::from).collect()).unwrap()
}

impl Condition {
    /// The same street without traffic.
    pub fn quiet(self) -> Self {
        Self { density: 0.0, ..self }
    }

    /// Draws `seconds` of it, one picture after the other.
    pub fn frames(self, seconds: u32) -> impl Iterator<Item = (Frame, Vec<Truth>)> {
        let scene = Scene::new(Settings {
            seed: 3,
            width: SIZE.0 as u32,
            height: SIZE.1 as u32,
            fps: self.fps,
            light: self.light,
            rain: self.rain,
            noise: 0.0,
            density: self.density,
            quiet_seconds: 3.0,
            ..Settings::default()
        });
        let mut spoiler = Spoiler::new(self.effect, self.noise);
        let count = (seconds as f32 * self.fps) as u64;
        (0..count).map(move |index| {
            let second = index as f32 / self.fps;
            let standing = self.effect == Effect::Stop && second >= 20.0;
            let moved = if standing { index - ((second.min(40.0) - 20.0) * self.fps) as u64 } else { index };
            let (picture, truths) = scene.frame(moved);
            (frame(spoiler.spoil(&picture, second), second), truths)
        })
    }
}

fn frame(picture: Picture, second: f32) -> Frame {
    let since_start = Duration::from_secs_f32(second);
    let at = Stamp {
        wall: WallTime::from_micros(0) + since_start,
        monotonic: Monotonic::from_nanos(1_000_000_000) + since_start,
        clock: ClockState::Synced,
    };
    Frame {
        camera: "street".parse().unwrap(),
        epoch: Epoch(1),
        pts: Pts(since_start.as_nanos() as u64),
        at,
        picture,
    }
}

/// Applies an [`Effect`] to pictures; remembers its state.
struct Spoiler {
    effect: Effect,
    random: ChaCha8Rng,
    noise: Vec<i8>,
    shift: (f32, f32),
    pump: Vec<f32>,
}

impl Spoiler {
    fn new(effect: Effect, noise: f32) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut gauss = || (0..6).map(|_| random.random_range(-1.0..1.0f32)).sum::<f32>() / 1.414;
        let noise = (0..40_009).map(|_| (gauss() * noise).round() as i8).collect();
        Self { effect, random, noise, shift: (0.0, 0.0), pump: Vec::new() }
    }

    fn spoil(&mut self, picture: &Picture, second: f32) -> Picture {
        let (w, h) = SIZE;
        let mut samples = picture.samples().to_vec();
        let (luma, chroma) = samples.split_at_mut(w * h);
        match self.effect {
            Effect::None | Effect::Stop => {}
            Effect::Cloud => cloud(luma, second % 24.0, 8.0),
            Effect::FastCloud => cloud(luma, second % 24.0, 2.0),
            Effect::Exposure => exposure(luma, second),
            Effect::InfraRed | Effect::AlwaysInfraRed => {
                if self.effect == Effect::AlwaysInfraRed || (20.0..40.0).contains(&second) {
                    infra_red(luma);
                    chroma.fill(128);
                }
            }
            Effect::Shaking => {
                for shift in [&mut self.shift.0, &mut self.shift.1] {
                    *shift = (*shift + self.random.random_range(-1.0..1.0f32)).clamp(-2.0, 2.0);
                }
                let (dx, dy) = self.shift;
                moved(luma, |_, _| (dx, dy));
            }
            Effect::Wind => moved(luma, |x, y| {
                let in_tree = y < h / 3 && (x < w / 4 || x > w * 3 / 4);
                let sway = (second * 4.0 + x as f32 / 40.0).sin() * 2.5;
                if in_tree { (sway, 0.3 * sway) } else { (0.0, 0.0) }
            }),
            Effect::Pumping => self.pump(luma, second),
            Effect::Clock => clock(luma, second as u32),
            Effect::Beam => beam(luma, second % 10.0),
        }
        self.add_noise(luma);
        Picture::new(w as u32, h as u32, picture.format(), picture.colour(), samples).unwrap()
    }

    fn add_noise(&mut self, luma: &mut [u8]) {
        for row in luma.chunks_exact_mut(SIZE.0) {
            let start = self.random.random_range(0..self.noise.len() - SIZE.0);
            for (sample, noise) in row.iter_mut().zip(&self.noise[start..]) {
                *sample = sample.saturating_add_signed(*noise);
            }
        }
    }

    /// Blocks of 16x16 that are a few codes off, more where there is texture; others from each key frame on.
    fn pump(&mut self, luma: &mut [u8], second: f32) {
        let (w, h) = SIZE;
        let columns = w.div_ceil(16);
        let step = (second * 5.0).round() as u32 % 10;
        if step == 0 || self.pump.is_empty() {
            let blocks = columns * h.div_ceil(16);
            self.pump = (0..blocks).map(|_| self.random.random_range(-1.0..1.0f32)).collect();
        }
        let amplitude = 1.0 + 0.25 * step as f32;
        let before = luma.to_vec();
        for y in 0..h {
            for x in 0..w {
                let at = y * w + x;
                let texture = before[at].abs_diff(before[y * w + (x + 3).min(w - 1)]).min(40);
                let off =
                    self.pump[y / 16 * columns + x / 16] * amplitude * (1.0 + f32::from(texture) / 20.0);
                luma[at] = (f32::from(before[at]) + off).round() as u8;
            }
        }
    }
}

/// Its edge is a fifth of the picture wide, and crosses in `seconds`; 12 s later it leaves the same way.
fn cloud(luma: &mut [u8], second: f32, seconds: f32) {
    let edge = |second: f32| second / seconds * 1.2;
    let (comes, goes) = (edge(second - 1.0), edge(second - 13.0));
    for (at, sample) in luma.iter_mut().enumerate() {
        let x = (at % SIZE.0) as f32 / SIZE.0 as f32;
        let behind = |edge: f32| ((edge - x) / 0.2).clamp(0.0, 1.0);
        let shade = behind(comes) - behind(goes);
        *sample = (f32::from(*sample) * (1.0 - 0.35 * shade)) as u8;
    }
}

fn exposure(luma: &mut [u8], second: f32) {
    const GAINS: [f32; 5] = [1.0, 0.7, 1.2, 0.55, 1.35];
    let step = (second / 6.0) as usize;
    let (from, to) = (GAINS[step.saturating_sub(1) % 5], GAINS[step % 5]);
    let gain = from + (to - from) * ((second % 6.0 + 0.2) / 0.4).min(1.0);
    luma.iter_mut().for_each(|sample| *sample = (f32::from(*sample) * gain) as u8);
}

fn infra_red(luma: &mut [u8]) {
    for (at, sample) in luma.iter_mut().enumerate() {
        let (x, y) = ((at % SIZE.0) as f32 / SIZE.0 as f32 - 0.5, (at / SIZE.0) as f32 / SIZE.1 as f32 - 0.6);
        let lit = 1.5 - 2.2 * (x * x + y * y);
        // Foliage and cloth reflect infra-red as they do not reflect light: bright and dark partly change places.
        let value = f32::from(*sample);
        *sample = ((30.0 + 0.6 * value + 25.0 * (value / 20.0).sin()) * lit) as u8;
    }
}

/// Moves the picture by `shift` of each pixel.
fn moved(luma: &mut [u8], shift: impl Fn(usize, usize) -> (f32, f32)) {
    let (w, h) = SIZE;
    let before = luma.to_vec();
    let at = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, (w - 1) as f32), y.clamp(0.0, (h - 1) as f32));
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
        let (fx, fy) = (x.fract(), y.fract());
        let row = |y: usize| f32::from(before[y * w + x0]) * (1.0 - fx) + f32::from(before[y * w + x1]) * fx;
        row(y0) * (1.0 - fy) + row(y1) * fy
    };
    for y in 0..h {
        for x in 0..w {
            let (dx, dy) = shift(x, y);
            if (dx, dy) != (0.0, 0.0) {
                luma[y * w + x] = at(x as f32 + dx, y as f32 + dy) as u8;
            }
        }
    }
}

/// Digits of 3x5 squares of 4 pixels, white on black.
fn clock(luma: &mut [u8], second: u32) {
    const DIGITS: [u16; 10] = [
        0b111_101_101_101_111,
        0b010_110_010_010_111,
        0b111_001_111_100_111,
        0b111_001_111_001_111,
        0b101_101_111_001_001,
        0b111_100_111_001_111,
        0b111_100_111_101_111,
        0b111_001_010_010_010,
        0b111_101_111_101_111,
        0b111_101_111_001_111,
    ];
    let text = [1, 2, 3, 4, second / 60 % 10, second / 10 % 6, second % 10];
    for (place, digit) in text.iter().enumerate() {
        for bit in 0..15 {
            let on = DIGITS[*digit as usize] >> (14 - bit) & 1 == 1;
            let (x0, y0) = (12 + place * 20 + bit % 3 * 4, 4 + bit / 3 * 4);
            for y in y0..y0 + 4 {
                luma[y * SIZE.0 + x0..y * SIZE.0 + x0 + 4].fill(if on { 235 } else { 16 });
            }
        }
    }
}

/// A soft spot of light that wanders over road and fronts for three seconds.
fn beam(luma: &mut [u8], second: f32) {
    if !(4.0..7.0).contains(&second) {
        return;
    }
    let middle = (0.15 + 0.7 * (second - 4.0) / 3.0, 0.62);
    for (at, sample) in luma.iter_mut().enumerate() {
        let (x, y) = ((at % SIZE.0) as f32 / SIZE.0 as f32, (at / SIZE.0) as f32 / SIZE.1 as f32);
        let away = ((x - middle.0) / 0.16).powi(2) + ((y - middle.1) / 0.13).powi(2);
        let light = 1.0 + 1.8 * (-away).exp();
        *sample = (f32::from(*sample) * light).min(255.0) as u8;
    }
}

/// Score of a gate over some pictures.
#[derive(Debug, Clone, Default)]
pub struct Score {
    /// Subjects on pictures, and those of them that a region covered by half.
    pub seen: (u32, u32),
    /// The same of those below a fifteenth of the picture's height.
    pub small: (u32, u32),
    /// Passages of a second and more, and those that were covered on one of their first five pictures.
    pub passages: (u32, u32),
    /// Passages that were a fifteenth of the picture high for a second and more, and those that were ever covered.
    pub ever: (u32, u32),
    /// Pictures.
    pub frames: u32,
    /// Pictures with a region where nothing moves.
    pub false_frames: u32,
    /// Regions without a subject.
    pub false_regions: u32,
    /// Their area, in whole pictures.
    pub false_area: f32,
    /// Pictures on which it began again.
    pub began_again: u32,
    started: std::collections::BTreeMap<u64, (u32, bool, bool, u32)>,
}

/// A subject less high than this part of the picture is small.
const SMALL: f32 = 1.0 / 15.0;
/// Pictures after which a passage must have been noticed.
const PASSAGE_FRAMES: u32 = 5;

impl Score {
    /// Takes in the motion check of a picture, and the subjects on it.
    pub fn add(&mut self, check: &MotionCheck, truths: &[Truth]) {
        self.frames += 1;
        self.began_again += u32::from(check.began_again);
        for truth in truths.iter().filter(|truth| truth.visible >= 0.35 && truth.rect.h >= 0.03) {
            let covered = check.began_again || coverage(truth.rect, check) >= 0.5;
            self.seen = (self.seen.0 + 1, self.seen.1 + u32::from(covered));
            if truth.rect.h < SMALL {
                self.small = (self.small.0 + 1, self.small.1 + u32::from(covered));
            }
            let passage = self.started.entry(truth.id).or_default();
            passage.0 += 1;
            passage.1 |= covered && passage.0 <= PASSAGE_FRAMES;
            passage.2 |= covered;
            passage.3 += u32::from(truth.rect.h >= SMALL);
        }
        let false_regions: Vec<Rect> = check
            .regions
            .iter()
            .map(|region| region.rect)
            .filter(|rect| truths.iter().all(|truth| truth.rect.intersection(rect) <= 0.0))
            .collect();
        self.false_frames += u32::from(!false_regions.is_empty());
        self.false_regions += false_regions.len() as u32;
        self.false_area += false_regions.iter().map(Rect::area).sum::<f32>();
    }

    /// Counts the passages; the last step.
    pub fn finished(mut self) -> Self {
        for (frames, soon, ever, large_frames) in self.started.values() {
            if *frames >= PASSAGE_FRAMES {
                self.passages = (self.passages.0 + 1, self.passages.1 + u32::from(*soon));
            }
            if *large_frames >= PASSAGE_FRAMES {
                self.ever = (self.ever.0 + 1, self.ever.1 + u32::from(*ever));
            }
        }
        self
    }

    /// The part of `(all, some)` in percent.
    pub fn percent((all, some): (u32, u32)) -> f32 {
        if all == 0 { 100.0 } else { 100.0 * some as f32 / all as f32 }
    }
}

/// Part of `rect` that lies in the gate's regions.
pub fn coverage(rect: Rect, check: &MotionCheck) -> f32 {
    const STEPS: usize = 8;
    let inside = |at: usize| {
        let point = Point::new(
            rect.x + rect.w * ((at % STEPS) as f32 + 0.5) / STEPS as f32,
            rect.y + rect.h * ((at / STEPS) as f32 + 0.5) / STEPS as f32,
        );
        check.regions.iter().any(|region| {
            let r = region.rect;
            (r.x..=r.right()).contains(&point.x) && (r.y..=r.bottom()).contains(&point.y)
        })
    };
    (0..STEPS * STEPS).filter(|at| inside(*at)).count() as f32 / (STEPS * STEPS) as f32
}
