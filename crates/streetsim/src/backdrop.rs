//! All that does not move: sky, houses, pavements, carriageway; and the trees and posts that stand before traffic.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Light;
use super::camera::{Camera, V3, add, lerp};
use super::figure::Quad;
use super::light::{END_Y, FRONT_X, Lighting, lamp_feet};
use super::raster::{Canvas, CutOut, Paint, Rgb, hull};
use super::{KERB_X, YARD_Y};

/// A fixed object that can stand before a subject, with its foot: x, y.
pub(super) struct UprightObject {
    pub(super) cut_out: CutOut,
    pub(super) at: (f32, f32),
    /// Its upper part sways in the wind.
    pub(super) sways: bool,
}

struct Painter<'a> {
    canvas: Canvas,
    camera: &'a Camera,
    lighting: &'a Lighting,
    rng: ChaCha8Rng,
}

/// Draws the street without actors, packed RGB.
pub(super) fn paint(camera: &Camera, lighting: &Lighting, size: (usize, usize), seed: u64) -> Vec<u8> {
    let canvas = Canvas::new(size.0, size.1, vec![0; size.0 * size.1 * 3]);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::MAX);
    let mut painter = Painter { canvas, camera, lighting, rng };
    let sky = painter.sky();
    painter.ground();
    painter.markings();
    painter.grain(sky);
    painter.row_of_houses(-1.0);
    painter.row_of_houses(1.0);
    let width = painter.canvas.width;
    let Painter { mut canvas, .. } = painter;
    let sky_mask = canvas.mask(sky);
    lighting.bathe(&mut canvas.rgb, width, &sky_mask, camera);
    let mut painter = Painter { canvas, camera, lighting, rng: ChaCha8Rng::seed_from_u64(seed ^ 0x11) };
    painter.shining();
    painter.wires();
    painter.canvas.rgb
}

impl Painter<'_> {
    fn quad(&mut self, points: &[V3], rgb: Rgb) {
        self.tint(points, rgb, 1.0);
    }

    fn tint(&mut self, points: &[V3], rgb: Rgb, alpha: f32) {
        let polygon = self.camera.polygon(points);
        self.canvas.fill(&polygon, Paint::Over(rgb, alpha));
    }

    /// A strip of ground.
    fn strip(&mut self, x: (f32, f32), y: (f32, f32), rgb: Rgb) {
        self.quad(&[[x.0, y.0, 0.0], [x.1, y.0, 0.0], [x.1, y.1, 0.0], [x.0, y.1, 0.0]], rgb);
    }

    fn sky(&mut self) -> u16 {
        let (high, low): (Rgb, Rgb) = match (self.lighting.light, self.lighting.rain) {
            (Light::Day, false) => ([112.0, 164.0, 222.0], [206.0, 224.0, 238.0]),
            (Light::Day, true) => ([150.0, 156.0, 164.0], [184.0, 188.0, 192.0]),
            (Light::Dusk, false) => ([86.0, 84.0, 132.0], [240.0, 164.0, 112.0]),
            (Light::Dusk, true) => ([92.0, 92.0, 112.0], [150.0, 134.0, 128.0]),
            (Light::Night, _) => ([10.0, 13.0, 26.0], [34.0, 34.0, 48.0]),
            (Light::InfraRed, _) => ([9.0; 3], [22.0; 3]),
        };
        let sky = self.canvas.begin_subject();
        let (w, bands) = (self.canvas.width as f32, 48);
        let horizon = self.canvas.height as f32 * 0.3;
        for band in 0..bands {
            // Down to the horizon each, so that no seam shows between two bands.
            let (y0, y1) = ((horizon * band as f32 / bands as f32).floor(), horizon);
            let rgb = lerp(high, low, band as f32 / bands as f32);
            self.canvas.fill(&[[0.0, y0], [w, y0], [w, y1], [0.0, y1]], Paint::Over(rgb, 1.0));
        }
        self.canvas.end_subject();
        sky
    }

    fn ground(&mut self) {
        let (far, near) = (END_Y, 1.5);
        self.strip((-60.0, 60.0), (near, far + 40.0), [150.0, 146.0, 138.0]);
        for side in [-1.0, 1.0] {
            self.strip((side * KERB_X, side * FRONT_X), (near, far), [172.0, 162.0, 148.0]);
            let mut y = 3.0;
            while y < 60.0 {
                let line = 0.02 + 0.001 * y;
                self.strip((side * KERB_X, side * FRONT_X), (y, y + line), [156.0, 146.0, 132.0]);
                y += 1.2;
            }
            for x in [6.6, 7.8, 9.0] {
                self.strip((side * x, side * (x + 0.03)), (near, 70.0), [156.0, 146.0, 132.0]);
            }
            self.strip((side * (KERB_X - 0.05), side * (KERB_X + 0.22)), (near, far), [198.0, 198.0, 192.0]);
            self.strip((side * (KERB_X - 0.30), side * (KERB_X - 0.05)), (near, far), [88.0, 88.0, 90.0]);
        }
        self.strip(
            (-KERB_X + 0.3, KERB_X - 0.3),
            (near, far),
            if self.lighting.rain { [82.0, 85.0, 91.0] } else { [106.0, 107.0, 110.0] },
        );
        // The asphalt is darker in the wheels' tracks.
        for x in [-4.5, -3.4, -2.3, -0.9, 0.9, 2.3, 3.4, 4.5] {
            let y = (near, far);
            let strip = [[x - 0.3, y.0, 0.0], [x + 0.3, y.0, 0.0], [x + 0.3, y.1, 0.0], [x - 0.3, y.1, 0.0]];
            self.tint(&strip, [84.0, 85.0, 88.0], 0.35);
        }
    }

    fn markings(&mut self) {
        let white = [216.0, 216.0, 210.0];
        let yellow = [222.0, 182.0, 62.0];
        self.strip((-0.18, -0.06), (1.5, END_Y), yellow);
        self.strip((0.06, 0.18), (1.5, END_Y), yellow);
        for side in [-1.0, 1.0] {
            let mut y = 2.0;
            while y < 110.0 {
                self.strip((side * 2.82, side * 2.94), (y, y + 2.0), white);
                y += 5.0;
            }
        }
        let mut x = -4.6;
        while x < 4.6 {
            self.strip((x, x + 0.45), (27.0, 30.0), white);
            x += 0.95;
        }
        self.strip((0.3, 4.9), (25.6, 26.0), white);
        self.strip((-4.9, -0.3), (31.0, 31.4), white);
        self.yard_floor(yellow);
    }

    /// The forbidden part of the pavement: hatched.
    fn yard_floor(&mut self, yellow: Rgb) {
        let (y0, y1) = YARD_Y;
        let (x0, x1) = (7.6, 9.4);
        self.strip((FRONT_X, 15.0), (y0, y1), [164.0, 160.0, 154.0]);
        let mut y = y0 - 1.0;
        while y < y1 {
            let (a, b) = (y.max(y0), (y + 0.24).max(y0));
            let up = |y: f32| (y + 1.3).min(y1);
            self.tint(
                &[[x0, a, 0.0], [x1, up(a), 0.0], [x1, up(b), 0.0], [x0, b.min(y1), 0.0]],
                yellow,
                0.75,
            );
            y += 1.0;
        }
        for (x, y) in [
            ((x0, x0 + 0.14), (y0, y1)),
            ((x1 - 0.14, x1), (y0, y1)),
            ((x0, x1), (y0, y0 + 0.2)),
            ((x0, x1), (y1 - 0.2, y1)),
        ] {
            self.strip(x, y, yellow);
        }
    }

    /// Uneven asphalt and stone: a little light and dark on the ground, fixed to it.
    fn grain(&mut self, sky: u16) {
        let sky = self.canvas.mask(sky);
        let (width, from) = (self.canvas.width, self.camera.position);
        for (at, pixel) in self.canvas.rgb.chunks_exact_mut(3).enumerate() {
            let ray = self.camera.ray([(at % width) as f32 + 0.5, (at / width) as f32 + 0.5]);
            if sky[at] || ray[2] > -0.02 {
                continue;
            }
            let reach = -from[2] / ray[2];
            let ground = add(from, ray.map(|v| v * reach));
            let coarse = speckle(ground[0] * 0.8, ground[1] * 0.35);
            let fine = speckle(ground[0] * 9.0, ground[1] * 4.0);
            let lift = (coarse * 2.5 + fine * 6.0) * (18.0 / ground[1].max(9.0)).min(1.0);
            pixel.iter_mut().for_each(|v| *v = (f32::from(*v) + lift) as u8);
        }
    }

    fn row_of_houses(&mut self, side: f32) {
        // The far end of the street first: a wall of houses across it.
        if side < 0.0 {
            for (i, x) in (-6..6).map(|i| (i, i as f32 * 7.0)) {
                let h = 9.0 + (i * i * 5 % 9) as f32;
                let rgb = lerp([176.0, 172.0, 168.0], self.facade(), 0.35);
                self.quad(&[[x, END_Y, 0.0], [x + 7.0, END_Y, 0.0], [x + 7.0, END_Y, h], [x, END_Y, h]], rgb);
            }
        }
        let mut lots = Vec::new();
        let mut y = 2.0;
        while y < END_Y {
            let width = self.rng.random_range(4.2..6.0f32);
            let end =
                if side > 0.0 && y < YARD_Y.0 && y + width > YARD_Y.0 - 2.0 { YARD_Y.0 } else { y + width };
            let is_yard = side > 0.0 && y == YARD_Y.0;
            let end = if is_yard { YARD_Y.1 } else { end };
            lots.push((y, end, is_yard));
            y = end;
        }
        for (y0, y1, is_yard) in lots.into_iter().rev() {
            if is_yard { self.yard(y0, y1) } else { self.house(side, y0, y1) }
        }
    }

    fn facade(&mut self) -> Rgb {
        const FACADES: [Rgb; 8] = [
            [226.0, 208.0, 160.0],
            [206.0, 186.0, 164.0],
            [178.0, 200.0, 188.0],
            [216.0, 172.0, 142.0],
            [226.0, 224.0, 214.0],
            [168.0, 186.0, 204.0],
            [224.0, 192.0, 186.0],
            [196.0, 190.0, 150.0],
        ];
        FACADES[self.rng.random_range(0..FACADES.len())]
    }

    fn yard(&mut self, y0: f32, y1: f32) {
        let x = 15.0;
        self.quad(&[[x, y0, 0.0], [x, y1, 0.0], [x, y1, 5.2], [x, y0, 5.2]], [198.0, 186.0, 160.0]);
        self.quad(
            &[[x, y0 + 2.0, 0.2], [x, y0 + 5.0, 0.2], [x, y0 + 5.0, 3.0], [x, y0 + 2.0, 3.0]],
            [92.0, 78.0, 66.0],
        );
        let x = FRONT_X;
        for (a, b) in [(y0, y0 + 0.7), (y1 - 0.7, y1)] {
            self.quad(&[[x, a, 0.0], [x, b, 0.0], [x, b, 2.6], [x, a, 2.6]], [186.0, 96.0, 72.0]);
            self.quad(&[[x, a, 0.0], [x + 0.7, a, 0.0], [x + 0.7, a, 2.6], [x, a, 2.6]], [156.0, 80.0, 60.0]);
        }
    }

    /// A narrow town house: shop below, one or two windows on each floor above.
    fn house(&mut self, side: f32, y0: f32, y1: f32) {
        let x = side * FRONT_X;
        let floors = self.rng.random_range(2..5);
        let height = 3.8 + floors as f32 * 3.2 + self.rng.random_range(0.0..0.9);
        let rgb = self.facade();
        let shade = if side > 0.0 { 0.80 } else { 1.0 };
        let wall = rgb.map(|c| c * shade);
        let deep = x + side * 8.0;
        self.quad(
            &[[x, y0, 0.0], [deep, y0, 0.0], [deep, y0, height], [x, y0, height]],
            rgb.map(|c| c * 0.72),
        );
        let front: Quad = [[x, y0, 0.0], [x, y1, 0.0], [x, y1, height], [x, y0, height]];
        self.quad(&front, wall);
        let place = |u: f32, z: f32| [x, y0 + (y1 - y0) * u, z];
        let rect = |u: (f32, f32), z: (f32, f32)| {
            [place(u.0, z.0), place(u.1, z.0), place(u.1, z.1), place(u.0, z.1)]
        };
        self.quad(&rect((0.0, 1.0), (height - 0.25, height)), wall.map(|c| c * 0.82));
        for floor in 0..floors {
            let z = 4.3 + floor as f32 * 3.2;
            for u in [(0.12, 0.44), (0.56, 0.88)] {
                self.quad(&rect((u.0 - 0.03, u.1 + 0.03), (z - 0.1, z + 1.9)), wall.map(|c| c * 1.1));
                self.quad(&rect(u, (z, z + 1.8)), [74.0 * shade, 92.0 * shade, 108.0 * shade]);
            }
            self.quad(&rect((0.04, 0.96), (z - 0.5, z - 0.32)), wall.map(|c| c * 0.68));
        }
        self.shop(side, (y0, y1), shade);
    }

    fn shop(&mut self, side: f32, (y0, y1): (f32, f32), shade: f32) {
        const SIGNS: [Rgb; 7] = [
            [206.0, 44.0, 40.0],
            [34.0, 98.0, 176.0],
            [28.0, 134.0, 84.0],
            [238.0, 188.0, 44.0],
            [120.0, 52.0, 120.0],
            [232.0, 112.0, 40.0],
            [236.0, 236.0, 230.0],
        ];
        let x = side * FRONT_X;
        let place = |u: f32, z: f32| [x, y0 + (y1 - y0) * u, z];
        let rect = |u: (f32, f32), z: (f32, f32)| {
            [place(u.0, z.0), place(u.1, z.0), place(u.1, z.1), place(u.0, z.1)]
        };
        if self.rng.random_bool(0.5) {
            // A rolling shutter.
            self.quad(&rect((0.08, 0.92), (0.0, 2.8)), [138.0 * shade, 144.0 * shade, 148.0 * shade]);
            for i in 0..7 {
                let z = 0.3 + i as f32 * 0.36;
                self.quad(&rect((0.08, 0.92), (z, z + 0.05)), [112.0 * shade, 118.0 * shade, 122.0 * shade]);
            }
        } else {
            self.quad(&rect((0.08, 0.92), (0.0, 2.8)), [70.0 * shade, 64.0 * shade, 60.0 * shade]);
            for i in 0..4 {
                let u = 0.12 + i as f32 * 0.2;
                let goods = SIGNS[self.rng.random_range(0..7)].map(|c| c * 0.75 * shade);
                self.quad(&rect((u, u + 0.16), (0.3, self.rng.clone().random_range(1.2..2.1))), goods);
            }
        }
        let sign = SIGNS[self.rng.random_range(0..7)];
        let letters = if sign[0] > 225.0 { [40.0, 44.0, 60.0] } else { [244.0, 240.0, 226.0] };
        self.quad(&rect((0.02, 0.98), (2.85, 3.75)), sign.map(|c| c * (shade + 0.1)));
        let count = self.rng.random_range(5..9);
        for i in 0..count {
            let u = 0.12 + 0.76 * i as f32 / count as f32;
            self.quad(&rect((u, u + 0.5 / count as f32), (3.12, 3.5)), letters.map(|c| c * shade));
        }
        if self.rng.random_bool(0.55) {
            let out = x - side * 1.3;
            let cloth = SIGNS[self.rng.random_range(0..7)];
            for i in 0..6 {
                let (a, b) = (y0 + (y1 - y0) * i as f32 / 6.0, y0 + (y1 - y0) * (i + 1) as f32 / 6.0);
                let rgb = if i % 2 == 0 { cloth } else { [232.0, 228.0, 218.0] };
                self.quad(
                    &[[x, a, 2.85], [x, b, 2.85], [out, b, 2.45], [out, a, 2.45]],
                    rgb.map(|c| c * (shade + 0.12)),
                );
            }
        }
    }

    /// Light sources after dark: windows and open shops.
    fn shining(&mut self) {
        if self.lighting.light == Light::Day {
            return;
        }
        for side in [-1.0, 1.0] {
            for i in 0..26 {
                let y = 8.0 + i as f32 * 4.4 + self.rng.random_range(0.0..1.0);
                let z = 4.3 + 3.2 * self.rng.random_range(0..3) as f32;
                if self.rng.random_bool(0.35) && !(side > 0.0 && y < YARD_Y.1) {
                    let x = side * (FRONT_X - 0.02);
                    let rgb = [[248.0, 206.0, 130.0], [220.0, 226.0, 232.0], [250.0, 180.0, 96.0]]
                        [self.rng.random_range(0..3)];
                    self.tint(
                        &[[x, y, z], [x, y + 1.5, z], [x, y + 1.5, z + 1.7], [x, y, z + 1.7]],
                        rgb,
                        0.8,
                    );
                }
            }
        }
        for (side, y) in [(-1.0, 19.0), (-1.0, 37.0), (1.0, 29.0)] {
            let x = side * (FRONT_X - 0.02);
            let front = [[x, y - 1.8, 0.1], [x, y + 1.8, 0.1], [x, y + 1.8, 2.7], [x, y - 1.8, 2.7]];
            self.tint(&front, [250.0, 236.0, 204.0], 0.75);
            let sign = [[x, y - 2.2, 2.9], [x, y + 2.2, 2.9], [x, y + 2.2, 3.7], [x, y - 2.2, 3.7]];
            self.tint(&sign, [236.0, 84.0, 64.0], 0.85);
        }
    }

    /// Cables along the left side, sagging from pole to pole.
    fn wires(&mut self) {
        let rgb = if self.lighting.light == Light::Night {
            [12.0; 3]
        } else if self.lighting.infra_red() {
            [70.0; 3]
        } else {
            [48.0, 48.0, 52.0]
        };
        for (i, z) in [6.6, 6.9, 7.15, 7.5].into_iter().enumerate() {
            for span in 0..5 {
                let (y0, y1) = (1.0 + span as f32 * 24.0, 25.0 + span as f32 * 24.0);
                let at = |t: f32| {
                    let sag = (0.7 + 0.12 * i as f32) * 4.0 * t * (1.0 - t);
                    [-6.1 - 0.1 * i as f32, y0 + (y1 - y0) * t, z - sag]
                };
                for step in 0..8 {
                    let (a, b) = (at(step as f32 / 8.0), at((step + 1) as f32 / 8.0));
                    let lift = [0.0, 0.0, 0.035];
                    self.tint(&[a, b, add(b, lift), add(a, lift)], rgb, 0.9);
                }
            }
        }
    }
}

/// A fixed value in -1..1 for each cell of one by one.
fn speckle(x: f32, y: f32) -> f32 {
    let (x, y) = (x.floor() as i32 as u32, y.floor() as i32 as u32);
    let mut h = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h ^= h >> 13;
    (h & 0xffff) as f32 / 32768.0 - 1.0
}

/// Trees and lamp posts.
pub(super) fn standing(camera: &Camera, size: (usize, usize), seed: u64) -> Vec<UprightObject> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::MAX - 1);
    let mut all = Vec::new();
    for i in 0..7 {
        for (x, y) in [(6.0, 33.0 + i as f32 * 13.0), (-6.2, 21.0 + i as f32 * 12.0)] {
            let mut canvas = Canvas::transparent(size.0, size.1);
            tree(&mut canvas, camera, (x, y), &mut rng);
            all.push(UprightObject { cut_out: canvas.into_cut_out(), at: (x, y), sways: true });
        }
    }
    for at in lamp_feet() {
        let mut canvas = Canvas::transparent(size.0, size.1);
        lamp_post(&mut canvas, camera, at);
        all.push(UprightObject { cut_out: canvas.into_cut_out(), at, sways: false });
    }
    all
}

fn blob(canvas: &mut Canvas, camera: &Camera, balls: &[(V3, f32)], rgb: Rgb) {
    let mut points = Vec::new();
    for (centre, radius) in balls {
        let Some((at, scale)) = camera.project(*centre) else { return };
        points.extend((0..12).map(|i| {
            let (sin, cos) = (i as f32 * std::f32::consts::TAU / 12.0).sin_cos();
            [at[0] + radius * scale * cos, at[1] + radius * scale * sin]
        }));
    }
    canvas.fill(&hull(points), Paint::Over(rgb, 1.0));
}

fn tree(canvas: &mut Canvas, camera: &Camera, (x, y): (f32, f32), rng: &mut ChaCha8Rng) {
    let crown = rng.random_range(4.6..5.6f32);
    let bark = [104.0, 86.0, 68.0];
    // The lower trunk of most street trees is whitewashed.
    blob(canvas, camera, &[([x, y, 0.0], 0.20), ([x, y, crown - 0.6], 0.13)], bark);
    blob(canvas, camera, &[([x, y, 0.05], 0.20), ([x, y, 1.1], 0.185)], [214.0, 212.0, 204.0]);
    for _ in 0..3 {
        let (dx, dy) = (rng.random_range(-1.2..1.2), rng.random_range(-1.0..1.0));
        blob(canvas, camera, &[([x, y, crown - 1.4], 0.10), ([x + dx, y + dy, crown], 0.06)], bark);
    }
    let mut leaves: Vec<(V3, f32)> = (0..130)
        .map(|_| {
            let (angle, out) =
                (rng.random_range(0.0..std::f32::consts::TAU), rng.random_range(0.0..1.0f32).sqrt());
            let z = rng.random_range(-1.0..1.0f32);
            let spread = 1.75 * out * (1.0 - z * z * 0.75).sqrt();
            (
                [x + spread * angle.cos(), y + spread * angle.sin(), crown + z * 1.25],
                rng.random_range(0.18..0.42),
            )
        })
        .collect();
    leaves.sort_by(|a, b| (b.0[1] - b.0[2] * 0.5).total_cmp(&(a.0[1] - a.0[2] * 0.5)));
    for (at, r) in leaves {
        let lit = 0.62 + 0.26 * (at[2] - crown) - 0.08 * (at[0] - x) + rng.random_range(-0.09..0.09);
        blob(canvas, camera, &[(at, r)], [84.0 * lit + 10.0, 142.0 * lit + 10.0, 64.0 * lit]);
    }
}

fn lamp_post(canvas: &mut Canvas, camera: &Camera, (x, y): (f32, f32)) {
    let steel = [122.0, 126.0, 130.0];
    let over = x * 0.72;
    blob(canvas, camera, &[([x, y, 0.0], 0.11), ([x, y, 7.4], 0.07)], steel);
    blob(canvas, camera, &[([x, y, 7.3], 0.06), ([over, y, 7.9], 0.05)], steel);
    blob(
        canvas,
        camera,
        &[([over - 0.35, y, 7.85], 0.09), ([over + 0.35, y, 7.9], 0.09)],
        [196.0, 196.0, 190.0],
    );
    blob(canvas, camera, &[([x, y, 0.0], 0.17), ([x, y, 0.9], 0.14)], [96.0, 100.0, 104.0]);
}
