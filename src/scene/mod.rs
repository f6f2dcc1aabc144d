//! Drawn street scenes with their truth, for the demonstration, tests, benches and the training of detectors.
//!
//! A street as a roadside camera sees it from a pole five and a half metres up: right-hand traffic in waves, mostly
//! motorbikes, walkers on the pavements, and now and then someone who enters a yard where nobody may be. Every frame is
//! a function of the settings and its number alone. No I/O and no clock; called by `agent`'s demonstration and by tests.

mod backdrop;
mod body;
mod camera;
mod figure;
mod light;
mod raster;
mod traffic;
mod weather;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::domain::detection::Label;
use crate::domain::geometry::{Point, Polygon, Rect, Side, crossing};
use crate::domain::picture::Picture;
use crate::domain::zone::{Tripwire, Zone};

use backdrop::Standing;
use camera::{Camera, V3};
use figure::Figure;
use light::Lighting;
use raster::{Canvas, Paint, hull};
use traffic::{Actor, Body};
use weather::Weather;

/// Half the width of the carriageway in metres.
const KERB_X: f32 = 5.2;
/// The yard on the right: from and to along the street, in metres.
const YARD_Y: (f32, f32) = (12.6, 20.4);
/// Where the tripwire crosses the street, in metres from the camera.
const WIRE_Y: f32 = 17.0;

/// How long somebody must be in the zone to be expected as an intrusion, in seconds.
pub const INTRUSION_SECONDS: f32 = 1.0;

/// The hour of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    /// Sun, or grey sky when it rains.
    #[default]
    Day,
    /// Low light, lamps on.
    Dusk,
    /// Street lamps, headlights, open shops.
    Night,
}

/// What is drawn. The same settings give the same frames, but for the last bit of a platform's sines.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Who comes when, looks of everyone, houses, trees.
    pub seed: u64,
    /// Width in pixels, at least 16.
    pub width: u32,
    /// Height in pixels, at least 16.
    pub height: u32,
    /// Frames per second, above 0.
    pub fps: f32,
    /// The hour.
    pub light: Light,
    /// Whether it rains.
    pub rain: bool,
    /// Standard deviation of the sensor's noise, in codes of 8-bit luma.
    pub noise: f32,
    /// How much traffic, 0..=4: 0 is an empty street, 1 a lively one.
    pub density: f32,
    /// For how long the street is empty at first.
    pub quiet_seconds: f32,
}

/// The demonstration's scene: by day, 640x360, 10 frames per second.
impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            width: 640,
            height: 360,
            fps: 10.0,
            light: Light::Day,
            rain: false,
            noise: 1.5,
            density: 1.0,
            quiet_seconds: 1.5,
        }
    }
}

/// What is really there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The same subject on all frames.
    pub id: u64,
    /// What it is.
    pub label: Label,
    /// Its whole body, also what is hidden behind others; clamped to the picture. Shadows do not belong to it.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// What part of it can be seen, 0..=1: neither hidden nor outside of the picture.
    pub visible: f32,
}

/// Where the scene's two rules apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    /// The hatched strip before the yard.
    pub zone: Zone,
    /// Across the carriageway, from the left kerb to the right one: who drives away goes from its right to its left.
    pub tripwire: Tripwire,
}

/// Which of the scene's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedKind {
    /// Somebody has been in the zone for [`INTRUSION_SECONDS`].
    Intrusion,
    /// Somebody's foot point crossed the tripwire and arrived at this side.
    Tripwire(Side),
}

/// What a rule must say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Which rule.
    pub kind: ExpectedKind,
    /// The frame that completes the evidence.
    pub frame: u64,
    /// The subject's [`Truth::id`].
    pub truth: u64,
    /// What it is.
    pub label: Label,
}

/// A street. Making one draws its background once: some fifty milliseconds at 640x360.
pub struct Scene {
    settings: Settings,
    camera: Camera,
    lighting: Lighting,
    weather: Weather,
    background: Vec<u8>,
    standing: Vec<Standing>,
}

impl Scene {
    /// Builds the street. What is out of the bounds of [`Settings`] is taken to the nearest one.
    pub fn new(mut settings: Settings) -> Self {
        settings.width = settings.width.max(16);
        settings.height = settings.height.max(16);
        settings.fps = if settings.fps > 0.01 { settings.fps } else { 0.01 };
        // NaN is nobody.
        settings.density = if settings.density > 0.0 { settings.density.min(4.0) } else { 0.0 };
        let size = (settings.width as usize, settings.height as usize);
        let camera = Camera::new(settings.width, settings.height);
        let lighting = Lighting::new(settings.light, settings.rain);
        let background = backdrop::paint(&camera, &lighting, size, settings.seed);
        let mut standing = backdrop::standing(&camera, size, settings.seed);
        standing.sort_by(|a, b| camera.order(b.at).total_cmp(&camera.order(a.at)));
        let weather = Weather::new(settings.seed, settings.rain, settings.noise);
        Self { settings, camera, lighting, weather, background, standing }
    }

    /// What it was made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Draws frame `index`, and says who is on it, farthest first. Frames can be drawn in any order.
    pub fn frame(&self, index: u64) -> (Picture, Vec<Truth>) {
        let (w, h) = (self.settings.width as usize, self.settings.height as usize);
        let mut canvas = Canvas::new(w, h, self.background.clone());
        let actors = self.actors(index);
        for actor in &actors {
            self.ground_light(&mut canvas, actor);
        }
        let mut standing = self.standing.iter().peekable();
        let mut drawn = Vec::new();
        for actor in &actors {
            let order = self.camera.order((actor.x, actor.y));
            while let Some(next) = standing.next_if(|s| self.camera.order(s.at) > order) {
                self.stand(&mut canvas, next);
            }
            let figure = self.figure(actor);
            let bounds = figure.bounds();
            let subject = figure.draw(&mut canvas);
            drawn.extend(bounds.map(|bounds| (actor, bounds, subject)));
        }
        standing.for_each(|next| self.stand(&mut canvas, next));
        self.lamp_heads(&mut canvas);
        let seen = |(actor, bounds, subject): (&Actor, _, _)| {
            self.truth(actor, bounds)
                .map(|(truth, inside)| Truth { visible: canvas.visible(subject) * inside, ..truth })
        };
        let truths = drawn.into_iter().filter_map(seen).collect();
        self.weather.fall(&mut canvas, index);
        (self.weather.picture(&canvas, index), truths)
    }

    /// Where the scene's rules apply.
    pub fn places(&self) -> Places {
        let (w, h) = (self.settings.width as f32, self.settings.height as f32);
        let at = |x: f32, y: f32| {
            let pixel = self.camera.project([x, y, 0.0]).map_or([0.0, h], |(pixel, _)| pixel);
            Point::new((pixel[0] / w).clamp(0.0, 1.0), (pixel[1] / h).clamp(0.0, 1.0))
        };
        let (near, far) = YARD_Y;
        let corners = vec![at(7.6, near), at(9.5, near), at(9.5, far), at(7.6, far)];
        let polygon = Polygon::new(corners).expect("the yard is on the picture");
        let id = |text: &str| text.parse().expect("a valid id");
        Places {
            zone: Zone { id: id("yard"), name: "Sân sau cổng".to_owned(), polygon },
            tripwire: Tripwire {
                id: id("street"),
                name: "Lòng đường".to_owned(),
                from: at(-KERB_X, WIRE_Y),
                to: at(KERB_X, WIRE_Y),
            },
        }
    }

    /// From the truth alone: what an intrusion rule on the zone and a tripwire rule in both directions must say about
    /// these frames, in order of frames; nothing before the first of them counts. Nothing is drawn.
    pub fn expectations(&self, frames: Range<u64>) -> Vec<Expected> {
        let places = self.places();
        let mut last_foot = BTreeMap::<u64, Point>::new();
        let mut since = BTreeMap::<u64, u64>::new();
        let mut expected = Vec::new();
        let needed = (INTRUSION_SECONDS * self.settings.fps).ceil() as u64;
        for frame in frames {
            let here = self.boxes(frame);
            since.retain(|id, _| here.iter().any(|truth| truth.id == *id));
            for truth in here {
                let foot = truth.rect.foot();
                let mut expect =
                    |kind| expected.push(Expected { kind, frame, truth: truth.id, label: truth.label });
                if let Some(before) = last_foot.insert(truth.id, foot)
                    && let Some(side) = crossing(places.tripwire.from, places.tripwire.to, before, foot)
                {
                    expect(ExpectedKind::Tripwire(side));
                }
                if !places.zone.polygon.contains(foot) {
                    since.remove(&truth.id);
                } else if frame - *since.entry(truth.id).or_insert(frame) == needed {
                    expect(ExpectedKind::Intrusion);
                }
            }
        }
        expected
    }

    /// Who is on a frame, without drawing it: `visible` leaves out what hides them.
    fn boxes(&self, index: u64) -> Vec<Truth> {
        let truth = |actor: &Actor| {
            let (truth, inside) = self.truth(actor, self.figure(actor).bounds()?)?;
            Some(Truth { visible: inside, ..truth })
        };
        self.actors(index).iter().filter_map(truth).collect()
    }

    /// Everyone at that frame's time, farthest first.
    fn actors(&self, index: u64) -> Vec<Actor> {
        let Settings { seed, density, quiet_seconds, fps, .. } = self.settings;
        let mut actors = traffic::actors(seed, density, quiet_seconds, index as f64 / f64::from(fps));
        let order = |actor: &Actor| self.camera.order((actor.x, actor.y));
        actors.sort_by(|a, b| order(b).total_cmp(&order(a)));
        actors
    }

    fn figure(&self, actor: &Actor) -> Figure<'_> {
        let mut figure = Figure::new(&self.camera, &self.lighting, [actor.x, actor.y, 0.0], actor.heading);
        let mut looks = actor.looks.clone();
        let lit = self.lighting.headlights();
        match actor.body {
            Body::Person => body::person(&mut figure, &mut looks, actor.walked),
            Body::TwoWheeler => body::two_wheeler(&mut figure, &mut looks, lit),
            Body::Car => body::car(&mut figure, &mut looks, lit),
            Body::Bus => body::bus(&mut figure, &mut looks, lit),
            Body::Truck => body::truck(&mut figure, &mut looks, lit, actor.heading == 0.0),
        }
        figure
    }

    /// The truth of a body with these bounds in pixels, and what part of its box lies on the picture; `None` if that
    /// is less than a few pixels.
    fn truth(&self, actor: &Actor, (x0, y0, x1, y1): (f32, f32, f32, f32)) -> Option<(Truth, f32)> {
        let (w, h) = (self.settings.width as f32, self.settings.height as f32);
        let whole = Rect::from_corners(x0 / w, y0 / h, x1 / w, y1 / h);
        let rect = whole.clamped();
        let enough = rect.w * w >= 2.0 && rect.h * h >= 2.0;
        let truth = Truth { id: actor.id, label: actor.body.label(), rect, visible: 0.0 };
        enough.then(|| (truth, rect.area() / whole.area()))
    }

    fn stand(&self, canvas: &mut Canvas, standing: &Standing) {
        let light = self.lighting.at([standing.at.0, standing.at.1, 1.5]);
        canvas.lay(
            &standing.cut_out,
            light.map(|c| (c * if self.lighting.headlights() { 0.7 } else { 1.0 }).min(1.0)),
        );
    }

    /// Shadow, and after dark the light that its headlamps throw.
    fn ground_light(&self, canvas: &mut Canvas, actor: &Actor) {
        let (half_width, half_length, height) = match actor.body {
            Body::Person => (0.24, 0.20, 1.6),
            Body::TwoWheeler => (0.28, 0.85, 1.3),
            Body::Car => (0.92, 2.15, 1.3),
            Body::Bus => (1.22, 4.4, 2.8),
            Body::Truck => (1.02, 3.0, 2.4),
        };
        let foot = Figure::new(&self.camera, &self.lighting, [actor.x, actor.y, 0.0], actor.heading);
        let corners = |sx: f32, sy: f32, grow: f32| {
            foot.world([sx * (half_width + grow), sy * (half_length + grow), 0.0])
        };
        let signs = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
        let mut ground: Vec<V3> = signs.map(|(sx, sy)| corners(sx, sy, 0.02)).to_vec();
        self.shade(canvas, &ground, 0.30);
        if let Some([dx, dy]) = self.lighting.shadow() {
            let tops: Vec<V3> = signs.map(|(sx, sy)| corners(sx * 0.8, sy * 0.8, 0.0)).to_vec();
            ground.extend(tops.iter().map(|p| [p[0] + dx * height, p[1] + dy * height, 0.0]));
            self.shade(canvas, &ground, 0.38);
        } else {
            let wide: Vec<V3> = signs.map(|(sx, sy)| corners(sx, sy, 0.16)).to_vec();
            self.shade(canvas, &wide, 0.16);
        }
        if self.lighting.headlights() && actor.body != Body::Person {
            self.headlight_cone(canvas, &foot, half_width, half_length);
        }
    }

    /// Nested fans of light on the ground ahead, so that the edge is soft.
    fn headlight_cone(&self, canvas: &mut Canvas, foot: &Figure, half_width: f32, half_length: f32) {
        let power = if self.settings.light == Light::Night { 7.5 } else { 2.0 };
        let fans = 12;
        for fan in 0..fans {
            let wide = fan as f32 / (fans - 1) as f32;
            let (reach, spread) = (4.0 + 9.0 * wide, half_width * 0.7 + 1.7 * wide);
            let mut cone = vec![[-half_width * 0.6, half_length, 0.0], [half_width * 0.6, half_length, 0.0]];
            cone.extend((0..=8).map(|i| {
                let (sin, cos) = (i as f32 * std::f32::consts::PI / 8.0).sin_cos();
                [spread * cos, half_length + reach * (0.62 + 0.38 * sin), 0.0]
            }));
            let world: Vec<V3> = cone.into_iter().map(|p| foot.world(p)).collect();
            let rgb = [power, power * 0.94, power * 0.76];
            canvas.fill(&self.camera.polygon(&world), Paint::Light(rgb));
        }
    }

    fn shade(&self, canvas: &mut Canvas, ground: &[V3], alpha: f32) {
        let flat: Option<Vec<_>> = ground.iter().map(|p| self.camera.project(*p).map(|(at, _)| at)).collect();
        if let Some(flat) = flat {
            canvas.fill(&hull(flat), Paint::Over([16.0, 18.0, 26.0], alpha));
        }
    }

    fn lamp_heads(&self, canvas: &mut Canvas) {
        if self.lighting.headlights() {
            for (x, y) in light::lamp_feet() {
                if let Some((at, scale)) = self.camera.project([x * 0.72, y, 7.8]) {
                    canvas.glow(at, (1.5 * scale).max(3.0), [200.0, 166.0, 110.0]);
                    canvas.glow(at, (0.4 * scale).max(1.5), [255.0, 240.0, 210.0]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
