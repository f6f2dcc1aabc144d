//! A tree that sways: leaves cut out of a clip, moved by a smooth field.

use std::f32::consts::TAU;

use base::geometry::Rect;
use base::picture::{Colour, Picture, PixelFormat};

/// A picture by planes, to paint on.
#[derive(Clone)]
pub struct Plate {
    width: usize,
    height: usize,
    colour: Colour,
    /// Y, U, V; the latter of half the size.
    planes: [Vec<u8>; 3],
}

impl Plate {
    pub fn of(picture: &Picture) -> Self {
        let chroma = picture.chroma();
        let (u, v) = chroma.planes();
        let plane = |samples: &[u8]| samples.iter().step_by(chroma.step()).copied().collect();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let planes = [picture.luma().to_vec(), plane(u), plane(v)];
        Self { width, height, colour: picture.colour(), planes }
    }

    pub fn luma(&mut self) -> &mut [u8] {
        &mut self.planes[0]
    }

    pub fn picture(self) -> Picture {
        let samples = self.planes.concat();
        let (width, height) = (self.width as u32, self.height as u32);
        Picture::new(width, height, PixelFormat::I420, self.colour, samples).unwrap()
    }

    fn plane(&self, of: usize) -> (&[u8], usize, usize) {
        let half = |side: usize| if of == 0 { side } else { side.div_ceil(2) };
        (&self.planes[of], half(self.width), half(self.height))
    }
}

/// Leaves, by planes.
pub struct Tree {
    leaves: [Leaves; 3],
}

struct Leaves {
    samples: Vec<u8>,
    width: usize,
    height: usize,
}

impl Tree {
    /// Cuts the leaves at `rect` out of a picture.
    pub fn cut(plate: &Plate, rect: &Rect) -> Self {
        let leaves = [0, 1, 2].map(|of| {
            let (plane, width, height) = plate.plane(of);
            let at = |part: f32, side: usize| (part * side as f32) as usize;
            let (left, right) = (at(rect.x, width), at(rect.right(), width));
            let rows = at(rect.y, height)..at(rect.bottom(), height);
            let height = rows.len();
            let samples = rows.flat_map(|row| plane[row * width + left..row * width + right].to_vec());
            Leaves { samples: samples.collect(), width: right - left, height }
        });
        Self { leaves }
    }

    /// Paints it with its left top corner at these parts of the picture's sides, as the wind has it at a second.
    pub fn paint(&self, plate: &mut Plate, (left, top): (f32, f32), second: f64) {
        let second = second as f32;
        // A breeze that rises and falls, in pixels of luma.
        let reach = 2.5 + 4.0 * (TAU * second / 47.0).sin().abs();
        for of in 0..3 {
            let (_, width, height) = plate.plane(of);
            let leaves = &self.leaves[of];
            let scale = if of == 0 { 1.0 } else { 0.5 };
            let (x0, y0) = ((left * width as f32) as usize, (top * height as f32) as usize);
            for y in 0..leaves.height.min(height - y0) {
                for x in 0..leaves.width.min(width - x0) {
                    let (u, v) = (x as f32 / leaves.width as f32, y as f32 / leaves.height as f32);
                    let part = cover(u, v);
                    if part <= 0.0 {
                        continue;
                    }
                    let (dx, dy) = sway(u, v, second);
                    let moved = (x as f32 + dx * reach * scale, y as f32 + dy * reach * scale);
                    let sample = &mut plate.planes[of][(y0 + y) * width + x0 + x];
                    *sample = (f32::from(*sample) * (1.0 - part) + leaves.at(moved) * part + 0.5) as u8;
                }
            }
        }
    }
}

impl Leaves {
    /// Interpolates between the four samples around a point.
    fn at(&self, (x, y): (f32, f32)) -> f32 {
        let (x, y) = (x.clamp(0.0, (self.width - 2) as f32), y.clamp(0.0, (self.height - 2) as f32));
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let sample = |dx: usize, dy: usize| f32::from(self.samples[(row + dy) * self.width + column + dx]);
        let upper = sample(0, 0) * (1.0 - fx) + sample(1, 0) * fx;
        let lower = sample(0, 1) * (1.0 - fx) + sample(1, 1) * fx;
        upper * (1.0 - fy) + lower * fy
    }
}

/// Part of the picture behind that is hidden: an oval crown with a soft edge.
fn cover(u: f32, v: f32) -> f32 {
    let ragged = 0.05 * (TAU * (3.0 * u + v)).sin() * (TAU * (4.0 * v - u)).cos();
    let out = ((u - 0.5) * 2.0).hypot((v - 0.5) * 2.0) + ragged;
    ((1.0 - out) * 8.0).clamp(0.0, 1.0)
}

/// The way of a leaf from its place: slow waves through the crown, and quicker ones of its branches.
fn sway(u: f32, v: f32, second: f32) -> (f32, f32) {
    let wave = |hertz: f32, across: f32, down: f32| (TAU * (hertz * second + across * u + down * v)).sin();
    let along = wave(0.31, 0.3, 0.2) + 0.5 * wave(0.83, 1.1, -0.6) + 0.25 * wave(1.7, 2.3, 1.9);
    let up = 0.4 * wave(0.47, -0.4, 0.5) + 0.3 * wave(1.3, 1.4, 1.2);
    (along * (1.2 - v), up)
}
