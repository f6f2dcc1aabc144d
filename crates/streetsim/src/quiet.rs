//! A street in which nothing happens, for hours: the alarms there are false ones. Light changes through the day,
//! lamps go on, the camera goes to night mode, rain comes and goes, crowns sway, clouds pass, headlights of unseen
//! vehicles sweep by.
//!
//! Hours at five frames a second are hundreds of thousands of pictures: nothing is drawn for them. Every light is
//! drawn once, and the rest is integer arithmetic on its luma.

use super::camera::Camera;
use super::{Light, Scene, Settings};
use base::picture::{Picture, PixelFormat};

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// A prime, so that rows that start at different places never line up.
const NOISE_LENGTH: usize = 16_381;

/// The empty street. Making one draws its lights: half a second at 640x360.
pub struct Quiet {
    settings: Settings,
    /// By [`LIGHTS`], dry and in rain.
    plates: Vec<[Vec<u8>; 2]>,
    crowns: Vec<Crown>,
    /// With strengths of 1, 2 and 3.5 codes.
    noises: [Vec<i8>; 3],
    template: Picture,
}

const LIGHTS: [Light; 4] = [Light::Day, Light::Dusk, Light::Night, Light::InfraRed];

/// Place of a tree's leaves on the picture, in pixels.
#[derive(Debug, Clone, Copy)]
struct Crown {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    /// Pixels to a metre.
    scale: f32,
    phase: f32,
}

/// Light and weather of a second of the day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// From this light...
    pub light: Light,
    /// ... to this one...
    pub next: Light,
    /// ... so far, 0..=1.
    pub part: f32,
    /// Strength of the rain, 0..=1.
    pub rain: f32,
    /// Sway of the crowns' tops, in metres.
    pub wind: f32,
    /// The part of a beam's way that has passed, while one sweeps by.
    pub beam: Option<f32>,
}

impl Quiet {
    /// Builds the street that [`Scene::new`] would build of these settings, without actors; their light, rain,
    /// density, noise and script do not matter.
    pub fn new(settings: Settings) -> Self {
        let empty = |light, rain| {
            let settings = Settings { light, rain, density: 0.0, noise: 0.0, ..settings.clone() };
            // Without streaks: they are others on every picture.
            let scene = Scene::new(settings);
            scene.background()
        };
        let pictures = LIGHTS.map(|light| [empty(light, false), empty(light, true)]);
        let template = pictures[0][0].clone();
        let (w, h) = (template.width(), template.height());
        let plates = pictures.iter().map(|pair| pair.each_ref().map(|p| p.samples().to_vec())).collect();
        let mut dice = Dice(settings.seed);
        let noises =
            [1.0, 2.0, 3.5].map(|sigma| (0..NOISE_LENGTH + w as usize).map(|_| dice.gauss(sigma)).collect());
        Self { crowns: crowns(w, h), plates, noises, template, settings }
    }

    /// The picture of frame `index`, counted from midnight.
    pub fn picture(&self, index: u64) -> Picture {
        let second = index as f64 / f64::from(self.settings.fps);
        let weather = self.weather(second);
        let (w, h) = (self.template.width() as usize, self.template.height() as usize);
        let mut samples = self.plate(&weather);
        let luma = &mut samples[..w * h];
        if weather.wind > 0.02 {
            self.crowns.iter().for_each(|crown| crown.sway(luma, w, &weather, second));
        }
        self.brighten(luma, second, &weather);
        if let Some(part) = weather.beam {
            beam(luma, w, part);
        }
        self.add_noise(luma, index, &weather);
        if weather.rain > 0.3 {
            streaks(luma, w, Dice(self.settings.seed ^ index.wrapping_mul(0x9E37_79B9)));
        }
        Picture::new(w as u32, h as u32, PixelFormat::I420, self.template.colour(), samples)
            .expect("the planes are as long as the template's")
    }

    /// Returns the light and weather of that second since midnight; later days are as the first, with other clouds
    /// and rains.
    pub fn weather(&self, second: f64) -> Weather {
        let hour = (second % DAY / 3600.0) as f32;
        let between = |from: f32, to: f32| ((hour - from) / (to - from)).clamp(0.0, 1.0);
        let (light, next, part) = match hour {
            // The filter goes at once, with the sky still pale.
            0.0..5.8 => (Light::InfraRed, Light::InfraRed, 0.0),
            5.8..6.8 => (Light::Dusk, Light::Day, between(5.8, 6.8)),
            6.8..17.2 => (Light::Day, Light::Day, 0.0),
            17.2..18.1 => (Light::Day, Light::Dusk, between(17.2, 18.1)),
            18.1..18.7 => (Light::Dusk, Light::Night, between(18.1, 18.7)),
            18.7..21.5 => (Light::Night, Light::Night, 0.0),
            _ => (Light::InfraRed, Light::InfraRed, 0.0),
        };
        // A spell in about one half-hour of six; it comes and goes within two minutes.
        let spell = self.dice(1, second / 1800.0).uniform();
        let inside = (second % 1800.0) as f32;
        let rain = if spell < 0.17 { (inside / 120.0).min((1800.0 - inside) / 120.0).min(1.0) } else { 0.0 };
        let breeze = |slot: f64| self.dice(2, slot).uniform().powi(2) * 0.30;
        let (slot, blend) = ((second / 600.0).floor(), (second / 600.0).fract() as f32);
        let wind = breeze(slot) * (1.0 - blend) + breeze(slot + 1.0) * blend;
        let mut dice = self.dice(3, second / 240.0);
        let (starts, lasts) = (dice.uniform() * 200.0, 1.6 + 2.5 * dice.uniform());
        let passed = ((second % 240.0) as f32 - starts) / lasts;
        let is_dark = !matches!(light, Light::Day) && dice.uniform() < 0.7;
        let beam = ((0.0..1.0).contains(&passed) && is_dark).then_some(passed);
        Weather { light, next, part, rain, wind, beam }
    }

    /// Creates separate dice for each phenomenon in each span of time.
    fn dice(&self, thing: u64, slot: f64) -> Dice {
        let mut dice = Dice(self.settings.seed.wrapping_mul(31) ^ (thing << 56) ^ slot as u64);
        dice.next();
        dice
    }

    /// The street in this light.
    fn plate(&self, weather: &Weather) -> Vec<u8> {
        let mixed = |light: Light| {
            let [dry, wet] = &self.plates[LIGHTS.iter().position(|l| *l == light).unwrap_or_default()];
            mix(dry, wet, weather.rain)
        };
        let samples = mixed(weather.light);
        if weather.part > 0.0 { mix(&samples, &mixed(weather.next), weather.part) } else { samples }
    }

    /// Clouds, whose edges pass over the picture, and the exposure's steps.
    fn brighten(&self, luma: &mut [u8], second: f64, weather: &Weather) {
        let width = self.template.width() as usize;
        let step = |slot: f64| 1.0 + 0.12 * (self.dice(4, slot).uniform() - 0.5);
        let (slot, inside) = ((second / 90.0).floor(), (second % 90.0) as f32);
        let exposure = step(slot - 1.0) + (step(slot) - step(slot - 1.0)) * (inside / 0.8).min(1.0);
        let sun = match (weather.light, weather.next) {
            (Light::Day, _) | (_, Light::Day) => 1.0 - weather.rain,
            _ => 0.0,
        };
        let shade = |slot: f64| {
            let mut dice = self.dice(5, slot);
            if dice.uniform() < 0.4 { 0.05 + 0.30 * dice.uniform() } else { 0.0 }
        };
        let (slot, inside) = ((second / 70.0).floor(), (second % 70.0) as f32);
        let (before, now) = (shade(slot - 1.0), shade(slot));
        let gains: Vec<u16> = (0..width)
            .map(|x| {
                let passed = ((inside / 7.0) * 1.3 - x as f32 / width as f32).clamp(0.0, 0.3) / 0.3;
                let cloud = 1.0 - sun * (before + (now - before) * passed);
                (exposure * cloud * 256.0) as u16
            })
            .collect();
        for row in luma.chunks_exact_mut(width) {
            for (sample, gain) in row.iter_mut().zip(&gains) {
                *sample = ((u32::from(*sample) * u32::from(*gain)) >> 8).min(255) as u8;
            }
        }
    }

    fn add_noise(&self, luma: &mut [u8], index: u64, weather: &Weather) {
        let strength = match weather.light {
            Light::Day => 0,
            Light::Dusk => 1,
            Light::Night | Light::InfraRed => 2,
        };
        let noise = &self.noises[strength];
        let width = self.template.width() as usize;
        let mut dice = Dice(self.settings.seed ^ index.wrapping_mul(0xA24B_AED4_963E_E407));
        for row in luma.chunks_exact_mut(width) {
            let start = dice.below(NOISE_LENGTH);
            for (sample, noise) in row.iter_mut().zip(&noise[start..start + width]) {
                *sample = sample.saturating_add_signed(*noise);
            }
        }
    }
}

/// Between two planes: 0 is the first.
fn mix(one: &[u8], other: &[u8], part: f32) -> Vec<u8> {
    let share = (part * 256.0) as u32;
    if share == 0 {
        return one.to_vec();
    }
    let pairs = one.iter().zip(other);
    pairs.map(|(a, b)| ((u32::from(*a) * (256 - share) + u32::from(*b) * share) >> 8) as u8).collect()
}

/// Places of the leaves of the backdrop's trees.
fn crowns(width: u32, height: u32) -> Vec<Crown> {
    let camera = Camera::turned(width, height, 0.0);
    let trees = (0..7).flat_map(|i| [(6.0, 33.0 + i as f32 * 13.0), (-6.2, 21.0 + i as f32 * 12.0)]);
    let crowns = trees.filter_map(|(x, y)| {
        let (at, scale) = camera.project([x, y, 5.1])?;
        let (half_w, half_h) = (2.4 * scale, 2.0 * scale);
        let (left, top) = ((at[0] - half_w).max(1.0), (at[1] - half_h).max(1.0));
        let (right, bottom) =
            ((at[0] + half_w).min(width as f32 - 2.0), (at[1] + half_h).min(height as f32 - 2.0));
        (right > left + 4.0 && bottom > top + 4.0).then_some(Crown {
            left: left as usize,
            top: top as usize,
            width: (right - left) as usize,
            height: (bottom - top) as usize,
            scale,
            phase: x * 1.7 + y * 0.61,
        })
    });
    crowns.collect()
}

impl Crown {
    /// Shifts its content to and fro, most in its middle.
    fn sway(&self, luma: &mut [u8], stride: usize, weather: &Weather, second: f64) {
        // So that sines stay exact after a week.
        let seconds = (second % 3600.0) as f32;
        let gust = (seconds * 1.9 + self.phase).sin() * 0.5 + (seconds * 4.3 + self.phase * 2.0).sin() * 0.3;
        let mut before = vec![0u8; self.width + 2];
        for row in 0..self.height {
            let high = (std::f32::consts::PI * row as f32 / self.height as f32).sin();
            let ripple = (seconds * 7.1 + row as f32 * 0.4 + self.phase).sin() * 0.35;
            let most = (gust + ripple) * weather.wind * self.scale * high * 256.0;
            let first = (self.top + row) * stride + self.left;
            before.copy_from_slice(&luma[first - 1..first + self.width + 1]);
            for column in 0..self.width {
                let wide = 1.0 - (2.0 * column as f32 / self.width as f32 - 1.0).powi(2);
                let from =
                    (((column + 1) as f32 * 256.0 + most * wide) as i32).clamp(0, self.width as i32 * 256);
                let (at, part) = ((from >> 8) as usize, (from & 255) as u32);
                let sum = u32::from(before[at]) * (256 - part) + u32::from(before[at + 1]) * part;
                luma[first + column] = (sum >> 8) as u8;
            }
        }
    }
}

/// A patch of light runs along the fronts, and a flat one over the ground.
fn beam(luma: &mut [u8], width: usize, part: f32) {
    let height = luma.len() / width;
    let fade = (part * 6.0).min((1.0 - part) * 6.0).min(1.0) * 2.2;
    let bell = |count: usize, middle: f32, reach: f32, power: f32| -> Vec<u32> {
        (0..count)
            .map(|i| {
                let from_middle = (i as f32 / count as f32 - middle) / reach;
                ((-from_middle.powi(2)).exp() * power * 256.0) as u32
            })
            .collect()
    };
    let wall = (bell(width, -0.1 + 1.2 * part, 0.11, 1.0), bell(height, 0.34, 0.20, fade));
    let ground = (bell(width, 1.0 - 0.9 * part, 0.20, 1.0), bell(height, 0.70, 0.10, fade * 0.8));
    for (y, row) in luma.chunks_exact_mut(width).enumerate() {
        for (x, sample) in row.iter_mut().enumerate() {
            let gain = (wall.0[x] * wall.1[y] + ground.0[x] * ground.1[y]) >> 8;
            *sample = ((u32::from(*sample) * (256 + gain)) >> 8).min(255) as u8;
        }
    }
}

fn streaks(luma: &mut [u8], width: usize, mut dice: Dice) {
    let height = luma.len() / width;
    for _ in 0..luma.len() / 900 {
        let (x, y) = (dice.below(width), dice.below(height));
        let (long, bright) = (4 + dice.below((height / 18).max(1)), 8 + (dice.next() % 22) as u8);
        for step in 0..long.min(height - y) {
            let sample = &mut luma[(y + step) * width + (x + step / 6).min(width - 1)];
            *sample = sample.saturating_add(bright);
        }
    }
}

/// A small generator for numbers drawn many thousand times a picture (Steele, Lea and Flood, 2014: SplitMix64).
#[derive(Debug, Clone, Copy)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0..`end`, the same however wide an address is.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// 0..1.
    fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    fn gauss(&mut self, sigma: f32) -> i8 {
        let sum: f32 = (0..6).map(|_| self.uniform() * 2.0 - 1.0).sum();
        (sum / std::f32::consts::SQRT_2 * sigma).round() as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Quiet {
        Quiet::new(Settings { width: 320, height: 180, fps: 5.0, ..Settings::default() })
    }

    fn mean(picture: &Picture) -> f64 {
        picture.luma().iter().map(|v| f64::from(*v)).sum::<f64>() / picture.luma().len() as f64
    }

    #[test]
    fn a_day_goes_from_night_mode_to_day_and_back() {
        let quiet = small();
        let at = |hour: f64| quiet.picture((hour * 18_000.0) as u64);
        let mean_of = |hours: [f64; 4]| hours.map(|hour| mean(&at(hour))).iter().sum::<f64>() / 4.0;
        let (day, night) = (mean_of([8.0, 10.5, 13.3, 15.2]), mean_of([18.9, 19.4, 20.3, 21.1]));
        assert!(day > 1.3 * night, "{day} {night}");
        let is_grey = |picture: &Picture| {
            let (u, v) = picture.chroma().planes();
            u.iter().chain(v).all(|sample| *sample == 128)
        };
        assert!(is_grey(&at(3.0)) && is_grey(&at(23.0)) && !is_grey(&at(12.0)) && !is_grey(&at(20.0)));
    }

    #[test]
    fn a_picture_depends_on_nothing_but_its_number() {
        let (one, other) = (small(), small());
        for index in [0, 100_000, 200_001, 340_000, 5_000_000] {
            assert!(one.picture(index) == other.picture(index));
        }
        assert!(one.picture(7) != one.picture(8), "there is noise");
    }

    #[test]
    fn a_day_has_rain_and_beams_and_wind() {
        let quiet = small();
        let seconds: Vec<Weather> = (0..86_400).map(|second| quiet.weather(f64::from(second))).collect();
        let count = |is: fn(&Weather) -> bool| seconds.iter().filter(|w| is(w)).count();
        assert!((2_000..40_000).contains(&count(|w| w.rain > 0.5)), "{}", count(|w| w.rain > 0.5));
        assert!(count(|w| w.beam.is_some()) > 200 && count(|w| w.wind > 0.1) > 5_000);
    }
}
