//! A subject's body: faces, limbs and balls in its own metres, projected and drawn back to front.

use super::camera::{Camera, V3, add, cross, dot, length, lerp, sub, unit};
use super::light::Lighting;
use super::photograph::Print;
use super::raster::{Canvas, P2, Paint, Rgb, bounds, hull};

struct Part {
    polygon: Vec<P2>,
    rgb: Rgb,
    layer: i8,
    depth: f32,
}

/// A body under construction. Own axes: x to its right, y ahead, z up; the origin is on the ground below its middle.
pub(super) struct Figure<'a> {
    camera: &'a Camera,
    lighting: &'a Lighting,
    origin: V3,
    /// Sine and cosine of its heading, from the street's y axis, clockwise.
    heading: (f32, f32),
    light: Rgb,
    /// Lean to its right, as a part of its height.
    pub(super) lean: f32,
    /// Parts of a higher layer cover those of a lower one.
    pub(super) layer: i8,
    parts: Vec<Part>,
    lamps: Vec<(P2, f32, Rgb)>,
}

/// Left, top, right, bottom in pixels, also outside of the picture.
pub(super) type Bounds = (f32, f32, f32, f32);

/// Corners of a face, in order around it, the normal pointing to where they run anticlockwise.
pub(super) type Quad = [V3; 4];

impl<'a> Figure<'a> {
    pub(super) fn new(camera: &'a Camera, lighting: &'a Lighting, origin: V3, heading: f32) -> Self {
        let light = lighting.at([origin[0], origin[1], 1.0]);
        let (heading, layer) = (heading.sin_cos(), 0);
        Self {
            camera,
            lighting,
            origin,
            heading,
            light,
            lean: 0.0,
            layer,
            parts: Vec::new(),
            lamps: Vec::new(),
        }
    }

    fn turn(&self, v: V3) -> V3 {
        let (sin, cos) = self.heading;
        [v[0] * cos + v[1] * sin, v[1] * cos - v[0] * sin, v[2]]
    }

    /// A point of the body in the world.
    pub(super) fn world(&self, point: V3) -> V3 {
        add(self.turn([point[0] + self.lean * point[2], point[1], point[2]]), self.origin)
    }

    fn push(&mut self, polygon: Vec<P2>, rgb: Rgb, shade: f32, middle: V3) {
        let (light, rgb) = (self.light, self.lighting.tone(rgb));
        let rgb = [0, 1, 2].map(|c| (rgb[c] * light[c] * shade).min(255.0));
        let depth = length(sub(middle, self.camera.position));
        self.parts.push(Part { polygon, rgb, layer: self.layer, depth });
    }

    /// Draws a flat face if its front is towards the camera. Returns true if it is.
    pub(super) fn face(&mut self, points: &[V3], rgb: Rgb) -> bool {
        let world: Vec<V3> = points.iter().map(|p| self.world(*p)).collect();
        let normal = unit(cross(sub(world[1], world[0]), sub(world[2], world[0])));
        if dot(normal, sub(world[0], self.camera.position)) >= 0.0 {
            return false;
        }
        let middle = world.iter().fold([0.0; 3], |sum, p| add(sum, *p)).map(|v| v / world.len() as f32);
        let polygon = self.camera.polygon(&world);
        self.push(polygon, rgb, self.lighting.face(normal), middle);
        true
    }

    /// A part of a face: from `u.0` to `u.1` along its first edge, `v` along the second; same side visible.
    pub(super) fn patch(&mut self, quad: &Quad, u: (f32, f32), v: (f32, f32), rgb: Rgb) {
        let at = |u: f32, v: f32| lerp(lerp(quad[0], quad[1], u), lerp(quad[3], quad[2], u), v);
        self.face(&[at(u.0, v.0), at(u.1, v.0), at(u.1, v.1), at(u.0, v.1)], rgb);
    }

    /// The hull of some balls: a limb, a trunk, a head.
    pub(super) fn limb(&mut self, balls: &[(V3, f32)], rgb: Rgb) {
        let Some(outline) = self.balls_outline(balls, [0.0, 0.0], 1.0) else { return };
        let middle = balls.iter().fold([0.0; 3], |sum, (p, _)| add(sum, *p)).map(|v| v / balls.len() as f32);
        let middle = self.world(middle);
        self.push(outline, rgb, 0.86, middle);
        // The lit side: the same limb, thinner and shifted towards the light.
        if let Some(lit) = self.balls_outline(balls, [-0.28, -0.30], 0.68) {
            self.push(lit, rgb, 1.08, lerp(middle, self.camera.position, 0.0005));
        }
    }

    fn balls_outline(&self, balls: &[(V3, f32)], shift: P2, thickness: f32) -> Option<Vec<P2>> {
        let mut points = Vec::with_capacity(balls.len() * 10);
        for (centre, radius) in balls {
            let (at, scale) = self.camera.project(self.world(*centre))?;
            let r = radius * scale;
            let corners = if r > 6.0 { 16 } else { 8 };
            for i in 0..corners {
                let (sin, cos) = (i as f32 * std::f32::consts::TAU / corners as f32).sin_cos();
                points.push([
                    at[0] + r * (cos * thickness + shift[0]),
                    at[1] + r * (sin * thickness + shift[1]),
                ]);
            }
        }
        Some(hull(points))
    }

    /// The hull of some points: a wheel, a hat.
    pub(super) fn solid(&mut self, points: &[V3], rgb: Rgb, shade: f32) {
        let world: Vec<V3> = points.iter().map(|p| self.world(*p)).collect();
        let Some(flat) = world.iter().map(|p| self.camera.project(*p).map(|(at, _)| at)).collect() else {
            return;
        };
        let middle = world.iter().fold([0.0; 3], |sum, p| add(sum, *p)).map(|v| v / world.len() as f32);
        self.push(hull(flat), rgb, shade, middle);
    }

    /// A box from corner `a` to corner `b`, its top narrower by `taper` on each side (x, y). Gives its faces: right,
    /// left, front, back, top.
    pub(super) fn block(&mut self, a: V3, b: V3, taper: [f32; 2], rgb: Rgb) -> [Quad; 5] {
        let [tx, ty] = taper;
        let low = |x: f32, y: f32| [x, y, a[2]];
        let top = |x: f32, y: f32| {
            [x + tx * (a[0] + b[0] - 2.0 * x).signum(), y + ty * (a[1] + b[1] - 2.0 * y).signum(), b[2]]
        };
        let (l, r, n, f) = (a[0], b[0], a[1], b[1]);
        let faces = [
            [low(r, n), low(r, f), top(r, f), top(r, n)],
            [low(l, f), low(l, n), top(l, n), top(l, f)],
            [low(r, f), low(l, f), top(l, f), top(r, f)],
            [low(l, n), low(r, n), top(r, n), top(l, n)],
            [top(l, n), top(r, n), top(r, f), top(l, f)],
        ];
        for face in &faces {
            self.face(face, rgb);
        }
        faces
    }

    /// A disc across the body's x axis, `thick` wide.
    pub(super) fn wheel(&mut self, centre: V3, radius: f32, thick: f32, rgb: Rgb) {
        let rim = |x: f32, r: f32| {
            (0..14).map(move |i| {
                let (sin, cos) = (i as f32 * std::f32::consts::TAU / 14.0).sin_cos();
                [centre[0] + x, centre[1] + r * cos, centre[2] + r * sin]
            })
        };
        let points: Vec<V3> = rim(-thick / 2.0, radius).chain(rim(thick / 2.0, radius)).collect();
        self.solid(&points, rgb, 0.8);
    }

    /// Adds a lamp that shines in the direction of the body's side `ahead` (1 front, -1 back).
    pub(super) fn lamp(&mut self, at: V3, ahead: f32, radius: f32, rgb: Rgb) {
        let way = self.turn([0.0, ahead, 0.0]);
        let point = self.world(at);
        let towards = dot(way, unit(sub(self.camera.position, point)));
        if towards > 0.1
            && let Some((pixel, scale)) = self.camera.project(point)
        {
            let power = (0.5 + 0.5 * towards).min(1.0);
            // A lamp that shines at a sensor in night mode floods its neighbours.
            let (radius, rgb) = if self.lighting.infra_red() {
                (radius * (1.0 + towards), [(rgb[0] + rgb[1]) * 0.6; 3])
            } else {
                (radius, rgb)
            };
            self.lamps.push((pixel, (radius * scale).max(1.6), rgb.map(|c| c * power)));
        }
    }

    /// Adds a retroreflector of the camera's infra-red light: a plate, an eye.
    pub(super) fn mirror(&mut self, at: V3, ahead: f32, radius: f32) {
        if self.lighting.infra_red() {
            let away = length(sub(self.world(at), self.camera.position));
            let power = 230.0 / (1.0 + (away / 40.0) * (away / 40.0));
            let lamps = self.lamps.len();
            self.lamp(at, ahead, radius, [power; 3]);
            for (_, radius, _) in &mut self.lamps[lamps..] {
                *radius *= 0.6;
            }
        }
    }

    /// Returns true if its back is turned to the camera, rather than its front.
    pub(super) fn shows_its_back(&self) -> bool {
        dot(self.turn([0.0, 1.0, 0.0]), sub(self.camera.position, self.origin)) < 0.0
    }

    /// Its box on the canvas: left, top, right, bottom in pixels; `None` if it has no part before the lens.
    pub(super) fn bounds(&self) -> Option<Bounds> {
        let boxes = self.parts.iter().filter(|p| p.polygon.len() > 2).map(|p| bounds(&p.polygon));
        boxes.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)))
    }

    /// Direction from which it is seen: 0 from behind, a quarter turn if it goes to the right, half a turn from
    /// before.
    pub(super) fn turned(&self) -> f32 {
        let (sin, cos) = self.heading;
        let ray = sub(self.origin, self.camera.position);
        (sin * ray[1] - cos * ray[0]).atan2(cos * ray[1] + sin * ray[0])
    }

    /// Draws it, farthest part first, or `print` within these bounds. Returns the number of the new subject to which
    /// its pixels belong.
    pub(super) fn draw(mut self, canvas: &mut Canvas, print: Option<(Print, Bounds)>) -> u16 {
        self.parts.sort_by(|a, b| a.layer.cmp(&b.layer).then(b.depth.total_cmp(&a.depth)));
        let subject = canvas.begin_subject();
        if let Some((print, bounds)) = print {
            print.lay(canvas, bounds, |rgb| {
                let rgb = self.lighting.grey(rgb);
                [0, 1, 2].map(|c| (rgb[c] * self.light[c]).min(255.0))
            });
        } else {
            for part in &self.parts {
                canvas.fill(&part.polygon, Paint::Over(part.rgb, 1.0));
            }
        }
        canvas.end_subject();
        // A photograph has its own bright lamps.
        let part = if print.is_some() { 0.3 } else { 1.0 };
        for (at, radius, rgb) in &self.lamps {
            canvas.glow(*at, *radius * part, *rgb);
        }
        subject
    }
}
