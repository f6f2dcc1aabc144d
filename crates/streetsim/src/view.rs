//! The street at one hour and in one direction: the background that is drawn once, and the way from actors to a
//! canvas with their truth.

use std::sync::Arc;

use super::backdrop::{self, UprightObject};
use super::camera::{Camera, V3};
use super::figure::{Bounds, Figure};
use super::light::{self, Lighting};
use super::photograph::{Photographs, Print};
use super::raster::{Canvas, Paint, hull};
use super::script::Body;
use super::traffic::Actor;
use super::{Light, Settings, Truth, body};
use base::geometry::Rect;

/// The street without actors, with its lighting and camera.
pub(super) struct StreetView {
    pub(super) camera: Camera,
    pub(super) lighting: Lighting,
    pub(super) background: Vec<u8>,
    standing: Vec<UprightObject>,
    size: (usize, usize),
    photographs: Option<Arc<Photographs>>,
}

/// Wind, time and sway of one frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Air {
    /// Sway of the crowns' tops, in metres.
    pub(super) wind: f32,
    pub(super) seconds: f32,
    /// Shift of the picture, in pixels.
    pub(super) shift: [f32; 2],
}

impl StreetView {
    /// The scene's street at this hour, the camera turned to the right by so many degrees.
    pub(super) fn new(settings: &Settings, light: Light, degrees: f32) -> Self {
        let &Settings { seed, width, height, rain, .. } = settings;
        let size = (width as usize, height as usize);
        let camera = Camera::turned(width, height, degrees);
        let lighting = Lighting::new(light, rain, &camera);
        let background = backdrop::paint(&camera, &lighting, size, seed);
        let mut standing = backdrop::standing(&camera, size, seed);
        standing.sort_by(|a, b| camera.order(b.at).total_cmp(&camera.order(a.at)));
        Self { camera, lighting, background, standing, size, photographs: settings.photographs.clone() }
    }

    /// Draws the street with these actors, the farthest first. Returns it with the actors that can be seen.
    pub(super) fn draw(&self, actors: &[Actor], air: Air) -> (Canvas, Vec<Truth>) {
        let mut canvas = Canvas::new(self.size.0, self.size.1, self.background.clone());
        for actor in actors {
            self.ground_light(&mut canvas, actor);
        }
        let mut standing = self.standing.iter().peekable();
        let mut drawn = Vec::new();
        for actor in actors {
            let order = self.camera.order((actor.x, actor.y));
            while let Some(next) = standing.next_if(|s| self.camera.order(s.at) > order) {
                self.stand(&mut canvas, next, air);
            }
            let figure = self.figure(actor);
            let print = self.print(actor, &figure);
            let bounds = print.map(|(_, bounds)| bounds).or(figure.bounds());
            let subject = figure.draw(&mut canvas, print);
            drawn.extend(bounds.map(|bounds| (actor, bounds, subject)));
        }
        standing.for_each(|next| self.stand(&mut canvas, next, air));
        self.lamp_heads(&mut canvas);
        let mut truths = Vec::new();
        for (actor, bounds, subject) in drawn {
            if let Some((truth, inside)) = self.truth(actor, bounds, air.shift) {
                truths.push(Truth { visible: canvas.visible(subject) * inside, ..truth });
            }
        }
        (canvas, truths)
    }

    /// Subjects among these actors, without drawing: `visible` ignores occlusion.
    pub(super) fn boxes(&self, actors: &[Actor]) -> Vec<Truth> {
        let truth = |actor: &Actor| {
            let figure = self.figure(actor);
            let bounds = self.print(actor, &figure).map(|(_, bounds)| bounds).or(figure.bounds())?;
            let (truth, inside) = self.truth(actor, bounds, [0.0; 2])?;
            Some(Truth { visible: inside, ..truth })
        };
        actors.iter().filter_map(truth).collect()
    }

    /// Sorts, farthest first.
    pub(super) fn sort(&self, actors: &mut [Actor]) {
        let order = |actor: &Actor| self.camera.order((actor.x, actor.y));
        actors.sort_by(|a, b| order(b).total_cmp(&order(a)));
    }

    /// The photograph that is shown instead of a figure, and its bounds.
    fn print(&self, actor: &Actor, figure: &Figure) -> Option<(Print<'_>, Bounds)> {
        let print = self.photographs.as_ref()?.of(actor, figure.turned())?;
        Some((print, print.place(figure.bounds()?)))
    }

    fn figure(&self, actor: &Actor) -> Figure<'_> {
        let mut figure = Figure::new(&self.camera, &self.lighting, [actor.x, actor.y, 0.0], actor.heading);
        let mut looks = actor.looks.clone();
        let lit = self.lighting.headlights() && !actor.dark;
        match actor.body {
            Body::Person => body::person(&mut figure, &mut looks, actor.walked, (actor.pose, actor.idle)),
            Body::TwoWheeler(riders) => body::two_wheeler(&mut figure, &mut looks, lit, riders),
            Body::Car => body::car(&mut figure, &mut looks, lit),
            Body::Bus => body::bus(&mut figure, &mut looks, lit),
            Body::Truck => body::truck(&mut figure, &mut looks, lit),
            Body::Lorry => body::lorry(&mut figure, &mut looks, lit),
            Body::Thing(thing) => body::thing(&mut figure, thing),
        }
        figure
    }

    /// Returns the truth of a body with these bounds in pixels, and the part of its box on the picture; `None` if
    /// that is less than a few pixels, or if no label fits.
    fn truth(&self, actor: &Actor, (x0, y0, x1, y1): Bounds, [dx, dy]: [f32; 2]) -> Option<(Truth, f32)> {
        let (w, h) = (self.size.0 as f32, self.size.1 as f32);
        let whole = Rect::from_corners((x0 + dx) / w, (y0 + dy) / h, (x1 + dx) / w, (y1 + dy) / h);
        let rect = whole.clamped();
        let enough = rect.w * w >= 2.0 && rect.h * h >= 2.0;
        let truth = Truth { id: actor.id, label: actor.body.label()?, rect, visible: 0.0 };
        enough.then(|| (truth, rect.area() / whole.area()))
    }

    fn stand(&self, canvas: &mut Canvas, standing: &UprightObject, air: Air) {
        let (x, y) = standing.at;
        let light = self.lighting.at([x, y, 1.5]);
        let infra_red = self.lighting.infra_red();
        // Leaves are bright in infra-red.
        let part = match (infra_red && standing.sways, self.lighting.headlights()) {
            (true, _) => 1.6,
            (_, true) => 0.7,
            _ => 1.0,
        };
        let light = light.map(|c| (c * part).min(if infra_red { 1.6 } else { 1.0 }));
        let scale = self.camera.project([x, y, 4.0]).map_or(0.0, |(_, scale)| scale);
        if air.wind <= 0.0 || !standing.sways || scale == 0.0 {
            return canvas.lay(&standing.cut_out, light);
        }
        let phase = x * 1.7 + y * 0.61;
        let gust = (air.seconds * 1.9 + phase).sin() * 0.5 + (air.seconds * 4.3 + phase * 2.0).sin() * 0.3;
        canvas.lay_shifted(&standing.cut_out, light, |height| {
            let crown = ((height - 0.4) / 0.6).clamp(0.0, 1.0);
            let ripple = (air.seconds * 7.1 + height * 23.0 + phase).sin() * 0.35;
            (gust * crown + ripple * crown.sqrt()) * air.wind * scale
        });
    }

    /// Shadow, and after dark the light that its headlamps throw.
    fn ground_light(&self, canvas: &mut Canvas, actor: &Actor) {
        let (half_width, half_length, height) = actor.body.size();
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
        if self.lighting.headlights() && actor.body.is_vehicle() && !actor.dark {
            self.headlight_cone(canvas, &foot, half_width, half_length);
        }
    }

    /// Nested fans of light on the ground ahead, so that the edge is soft.
    fn headlight_cone(&self, canvas: &mut Canvas, foot: &Figure, half_width: f32, half_length: f32) {
        let power = match self.lighting.light {
            Light::Night => 7.5,
            Light::InfraRed => 4.0,
            _ => 2.0,
        };
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
