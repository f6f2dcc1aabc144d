//! Drawn street scenes with their truth, and RTSP cameras that show them.
//!
//! A street as a roadside camera sees it from a pole five and a half metres up: right-hand traffic in waves, mostly
//! motorbikes, walkers on the pavements, and now and then a person who enters a forbidden yard. Every frame is a
//! function of the settings and its number alone. [`server`] serves them, or files, on loopback.
//!
//! Never in a box's program, and never here: the clock, a detector. The demonstration, tests, benches and training use it.

mod backdrop;
mod body;
mod bustle;
mod camera;
mod effect;
mod figure;
mod light;
pub mod photograph;
pub mod quiet;
mod raster;
pub mod script;
pub mod server;
pub mod suite;
mod traffic;
mod view;
mod weather;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use base::detection::Label;
use base::geometry::{Point, Polygon, Rect, Side, crossing};
use base::picture::Picture;
use base::zone::{Tripwire, Zone};

pub use bustle::bustle;
use photograph::Photographs;
use script::{Effect, Script};
use traffic::Actor;
use view::{Air, StreetView};
use weather::Weather;

/// Half the width of the carriageway in metres.
const KERB_X: f32 = 5.2;
/// The yard on the right: from and to along the street, in metres.
const YARD_Y: (f32, f32) = (12.6, 20.4);
/// Distance of the tripwire across the street from the camera, in metres.
const WIRE_Y: f32 = 17.0;

/// Time in the zone after which an intrusion is expected.
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
    /// The camera's night mode: grey, lit by its own infra-red lamp.
    InfraRed,
}

/// Settings of a scene. The same settings give the same frames, but for the last bit of a platform's sines.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Decides the timetable, the looks of all actors, houses, trees.
    pub seed: u64,
    /// Width in pixels, at least 16.
    pub width: u32,
    /// Height in pixels, at least 16.
    pub height: u32,
    /// Frames per second, above 0.
    pub fps: f32,
    /// The hour.
    pub light: Light,
    /// It rains.
    pub rain: bool,
    /// Standard deviation of the sensor's noise, in codes of 8-bit luma.
    pub noise: f32,
    /// Amount of traffic, 0..=4: 0 is an empty street, 1 a lively one.
    pub density: f32,
    /// Time for which the street is empty at first, in seconds.
    pub quiet_seconds: f32,
    /// The traffic includes a person who walks into the yard now and then.
    pub intruders: bool,
    /// Staged parts and effects beside the traffic.
    pub script: Script,
    /// Photographs that are shown instead of drawn actors.
    pub photographs: Option<Arc<Photographs>>,
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
            intruders: true,
            script: Script::default(),
            photographs: None,
        }
    }
}

/// A subject that is really there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Id of the subject, the same on all frames.
    pub id: u64,
    /// Its label.
    pub label: Label,
    /// Box of its whole body, also of the parts hidden behind others; clamped to the picture. Shadows do not belong
    /// to it.
    #[serde(rename = "box")]
    pub rect: Rect,
    /// Part of it that can be seen, 0..=1: neither hidden nor outside of the picture.
    pub visible: f32,
}

/// Places of the scene's two rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    /// The hatched strip before the yard.
    pub zone: Zone,
    /// Across the carriageway, from the left kerb to the right one: traffic away from the camera goes from its right
    /// to its left.
    pub tripwire: Tripwire,
}

/// One of the scene's two rules, with its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedKind {
    /// A subject has been in the zone for [`INTRUSION_SECONDS`].
    Intrusion,
    /// A subject's foot point crossed the tripwire and arrived at this side.
    Tripwire(Side),
}

/// An event that a rule must open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// The rule.
    pub kind: ExpectedKind,
    /// The frame that completes the evidence.
    pub frame: u64,
    /// The subject's [`Truth::id`].
    pub truth: u64,
    /// Its label.
    pub label: Label,
}

/// A street. Making one draws its background once: some fifty milliseconds at 640x360.
pub struct Scene {
    settings: Settings,
    /// By light and by the degrees that the camera is turned, the scene's own first.
    views: Vec<(Light, f32, StreetView)>,
    weather: Weather,
}

impl Scene {
    /// Builds the street. Values out of the bounds of [`Settings`] are set to the nearest bound.
    pub fn new(mut settings: Settings) -> Self {
        settings.width = settings.width.max(16);
        settings.height = settings.height.max(16);
        settings.fps = if settings.fps > 0.01 { settings.fps } else { 0.01 };
        // NaN is no traffic.
        settings.density = if settings.density > 0.0 { settings.density.min(4.0) } else { 0.0 };
        let weather = Weather::new(settings.seed, settings.noise);
        let mut scene = Self { settings, views: Vec::new(), weather };
        let lights = [
            (true, scene.settings.light),
            (scene.settings.script.ever(|effect| effect == Effect::InfraRed), Light::InfraRed),
        ];
        let turns = scene.settings.script.cues.iter().filter_map(|cue| match cue.effect {
            Effect::Turned(degrees) => Some(degrees),
            _ => None,
        });
        for degrees in std::iter::once(0.0).chain(turns).collect::<Vec<_>>() {
            for (_, light) in lights.iter().filter(|(is_needed, _)| *is_needed) {
                scene.views.push((*light, degrees, scene.view_of(*light, degrees)));
            }
        }
        scene
    }

    /// Settings of this scene.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Draws frame `index`. Returns it with its subjects, farthest first. Frames can be drawn in any order.
    ///
    /// While the picture is frozen, the truth is that of the picture.
    pub fn frame(&self, index: u64) -> (Picture, Vec<Truth>) {
        let index = self.unfrozen(index);
        let Settings { seed, rain, ref script, .. } = self.settings;
        let seconds = self.second(index) as f32;
        let befalling: Vec<_> = script.befalls(seconds).collect();
        let is = |wanted: Effect| befalling.iter().any(|now| now.effect == wanted);
        let light = if is(Effect::InfraRed) { Light::InfraRed } else { self.settings.light };
        let degrees = effect::turn(&befalling);
        let kept = self.views.iter().find(|(l, d, _)| *l == light && *d == degrees);
        let turning = if kept.is_none() { Some(self.view_of(light, degrees)) } else { None };
        let view = kept.map(|(_, _, view)| view).or(turning.as_ref()).expect("one of the two is there");
        let shift = effect::sway(&befalling, seconds, self.settings.width as usize);
        let air = Air { wind: effect::wind(&befalling), seconds, shift };
        let (mut canvas, mut truths) = view.draw(&self.actors(index), air);
        let clear = effect::clear_part(&befalling);
        truths.iter_mut().for_each(|truth| truth.visible *= clear);
        if rain || is(Effect::Rain) {
            self.weather.fall(&mut canvas, index);
        }
        effect::befall(&mut canvas, &befalling, shift, light, seed);
        (self.weather.picture(&canvas, index, light == Light::InfraRed), truths)
    }

    /// Returns true if frame `index` never arrives.
    pub fn is_lost(&self, index: u64) -> bool {
        self.settings.script.befalls(self.second(index) as f32).any(|now| now.effect == Effect::Lost)
    }

    /// The point of the picture that shows a point of the ground, clamped to the picture.
    pub fn ground(&self, x: f32, y: f32) -> Point {
        let (w, h) = (self.settings.width as f32, self.settings.height as f32);
        let pixel = self.view().camera.project([x, y, 0.0]).map_or([0.0, h], |(pixel, _)| pixel);
        Point::new((pixel[0] / w).clamp(0.0, 1.0), (pixel[1] / h).clamp(0.0, 1.0))
    }

    /// The street without actors, rain or noise.
    fn background(&self) -> Picture {
        let (canvas, _) = self.view().draw(&[], Air::default());
        self.weather.picture(&canvas, 0, self.settings.light == Light::InfraRed)
    }

    /// The street as it is seen at the scene's own hour, in the direction that the camera was put up for.
    fn view(&self) -> &StreetView {
        &self.views[0].2
    }

    fn view_of(&self, light: Light, degrees: f32) -> StreetView {
        StreetView::new(&self.settings, light, degrees)
    }

    fn second(&self, index: u64) -> f64 {
        index as f64 / f64::from(self.settings.fps)
    }

    /// Number of the frame that is shown instead of this one.
    fn unfrozen(&self, index: u64) -> u64 {
        let second = self.second(index) as f32;
        let frozen = self.settings.script.befalls(second).find(|now| now.effect == Effect::Frozen);
        frozen.map_or(index, |now| ((second - now.since) * self.settings.fps) as u64)
    }

    /// Places of the scene's rules.
    pub fn places(&self) -> Places {
        let at = |x: f32, y: f32| self.ground(x, y);
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

    /// Returns the events that an intrusion rule on the zone and a tripwire rule in both directions must open on
    /// these frames, in order of frames. They follow from the truth alone. Nothing before the first frame counts.
    /// Nothing is drawn.
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

    /// Subjects of a frame, without drawing it: `visible` ignores occlusion.
    fn boxes(&self, index: u64) -> Vec<Truth> {
        self.view().boxes(&self.actors(index))
    }

    /// All actors at that frame's time, farthest first.
    fn actors(&self, index: u64) -> Vec<Actor> {
        let Settings { seed, density, quiet_seconds, intruders, ref script, .. } = self.settings;
        let second = self.second(index);
        let mut actors = traffic::actors(seed, density, (quiet_seconds, intruders), second);
        actors.extend(script.actors(second));
        self.view().sort(&mut actors);
        actors
    }
}

#[cfg(test)]
mod tests;
