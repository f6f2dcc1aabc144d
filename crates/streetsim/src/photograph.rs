//! Photographed subjects in place of drawn ones, for networks that were trained on photographs. The photographs are the
//! caller's: none comes with this library.

use std::collections::BTreeMap;

use rand::Rng as _;

use super::figure::Bounds;
use super::raster::{Canvas, Rgb};
use super::script::{Body, Pose, Riders};
use super::traffic::Actor;

/// The cosine of the angle by which an aspect may be wrong.
const LIKENESS_MIN: f32 = 0.3;

/// Minimum width of a photograph, as a part of the drawn subject's width.
const WIDTH_MIN: f32 = 0.75;
/// Maximum width, as such a part.
const WIDTH_MAX: f32 = 1.15;

/// Subject of a photograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sitter {
    /// A person on foot, upright.
    Person,
    /// A person who squats.
    Crouched,
    /// A two-wheeler with its riders.
    TwoWheeler,
    /// A two-wheeler on its stand.
    Parked,
    /// A car.
    Car,
    /// A lorry.
    Truck,
    /// A bus.
    Bus,
}

/// The side from which it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Its back: it goes away.
    Back,
    /// Its front: it comes.
    Front,
    /// It goes to the right. Mirrored, it goes to the left.
    Right,
}

/// A subject, cut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photograph {
    width: usize,
    /// Red, green, blue, opacity of each pixel, row by row.
    rgba: Vec<u8>,
}

impl Photograph {
    /// Creates one from `rgba`: rows of `width` pixels of red, green, blue and opacity. `None` where these are no
    /// whole rows, or nothing.
    pub fn new(width: usize, rgba: Vec<u8>) -> Option<Self> {
        let is_whole = width > 0 && !rgba.is_empty() && rgba.len().is_multiple_of(width * 4);
        is_whole.then_some(Self { width, rgba })
    }

    fn height(&self) -> usize {
        self.rgba.len() / (self.width * 4)
    }

    /// Width by height.
    fn ratio(&self) -> f32 {
        self.width as f32 / self.height() as f32
    }

    /// The mean of a part of it, in pixels from its left and top: red, green and blue times opacity, and opacity 0..=1.
    fn mean(&self, (x0, x1): (f32, f32), (y0, y1): (f32, f32)) -> (Rgb, f32) {
        let (mut sum, mut opacity) = ([0.0; 3], 0.0);
        let span =
            |from: f32, to: f32, end: usize| from.max(0.0) as usize..(to.max(0.0).ceil() as usize).min(end);
        let share = |at: usize, from: f32, to: f32| (to.min(at as f32 + 1.0) - from.max(at as f32)).max(0.0);
        for y in span(y0, y1, self.height()) {
            for x in span(x0, x1, self.width) {
                let [r, g, b, a] = [0, 1, 2, 3].map(|c| f32::from(self.rgba[(y * self.width + x) * 4 + c]));
                let part = share(x, x0, x1) * share(y, y0, y1) * a / 255.0;
                opacity += part;
                for (sum, value) in sum.iter_mut().zip([r, g, b]) {
                    *sum += value * part;
                }
            }
        }
        let area = (x1 - x0) * (y1 - y0);
        (sum.map(|c| c / area), opacity / area)
    }
}

/// Photographs by subject and side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Photographs(BTreeMap<(Sitter, Aspect), Vec<Photograph>>);

/// One of them, mirrored or not.
#[derive(Clone, Copy)]
pub(super) struct Print<'a> {
    photograph: &'a Photograph,
    is_mirrored: bool,
}

impl Photographs {
    /// Adds one.
    pub fn add(&mut self, sitter: Sitter, aspect: Aspect, photograph: Photograph) {
        self.0.entry((sitter, aspect)).or_default().push(photograph);
    }

    /// Returns the photograph in which `actor` looks most as he should; always the same. `turned` is 0 where his back
    /// is turned to the camera, and a quarter turn where his left side is. `None`: there is none of his kind, and he
    /// is drawn.
    pub(super) fn of(&self, actor: &Actor, turned: f32) -> Option<Print<'_>> {
        let sitter = match actor.body {
            Body::Person => match actor.pose {
                Pose::Crouched => Sitter::Crouched,
                Pose::Walking | Pose::Standing | Pose::Bent => Sitter::Person,
                // A carried thing would hang in the air.
                Pose::Carrying(_) => return None,
            },
            Body::TwoWheeler(Riders::None) => Sitter::Parked,
            Body::TwoWheeler(_) => Sitter::TwoWheeler,
            Body::Car => Sitter::Car,
            Body::Truck => Sitter::Truck,
            Body::Bus => Sitter::Bus,
            Body::Lorry | Body::Thing(_) => return None,
        };
        let (sin, cos) = turned.sin_cos();
        let aspects = [(Aspect::Back, cos), (Aspect::Front, -cos), (Aspect::Right, sin.abs())];
        let alike = aspects.into_iter().filter(|(_, likeness)| *likeness >= LIKENESS_MIN);
        let there = alike.filter_map(|(aspect, like)| Some((self.0.get(&(sitter, aspect))?, aspect, like)));
        let (album, aspect, _) = there.max_by(|a, b| a.2.total_cmp(&b.2))?;
        let photograph = &album[actor.looks.clone().random_range(0..album.len())];
        Some(Print { photograph, is_mirrored: aspect == Aspect::Right && sin < 0.0 })
    }
}

impl Print<'_> {
    /// Bounds in place of a drawn subject with these bounds, as high and on the same foot.
    pub(super) fn place(self, (x0, y0, x1, y1): Bounds) -> Bounds {
        let (middle, drawn) = ((x0 + x1) / 2.0, x1 - x0);
        // Seen from above, long vehicles are wider than they are high, and low ones narrower.
        let half = ((y1 - y0) * self.photograph.ratio()).clamp(WIDTH_MIN * drawn, WIDTH_MAX * drawn) / 2.0;
        (middle - half, y0, middle + half, y1)
    }

    /// Lays it over the picture within these bounds, its colours changed by `tone`.
    pub(super) fn lay(self, canvas: &mut Canvas, (x0, y0, x1, y1): Bounds, tone: impl Fn(Rgb) -> Rgb) {
        let Self { photograph, is_mirrored } = self;
        let scale =
            [photograph.width as f32 / (x1 - x0).max(0.01), photograph.height() as f32 / (y1 - y0).max(0.01)];
        // A subject larger than its photograph is as sharp as that.
        let source = |pixel: usize, from: f32, scale: f32| {
            let middle = (pixel as f32 + 0.5 - from) * scale;
            let half = scale.max(1.0) / 2.0;
            (middle - half, middle + half)
        };
        let pixels =
            |from: f32, to: f32, side: usize| from.max(0.0) as usize..(to.max(0.0).ceil() as usize).min(side);
        let width = photograph.width as f32;
        for y in pixels(y0, y1, canvas.height) {
            for x in pixels(x0, x1, canvas.width) {
                let across = source(x, x0, scale[0]);
                let across = if is_mirrored { (width - across.1, width - across.0) } else { across };
                let (rgb, opacity) = photograph.mean(across, source(y, y0, scale[1]));
                if opacity > 0.004 {
                    canvas.cover(x, y, tone(rgb.map(|c| c / opacity)), opacity);
                }
            }
        }
    }
}
