//! Preparation of a network's input: pixels are resized, converted to its colours and normalised in one pass.
//!
//! Bilinear with half-pixel centres, as OpenCV's INTER_LINEAR: without a low-pass filter when shrinking, since the networks
//! were trained and measured so.

use pulp::{Arch, Simd, WithSimd};

use super::manifest::{ColourOrder, Input, Resize, Scale};
use base::geometry::Rect;
use base::picture::{Picture, ToRgb};

/// The part of the picture that fills the input, and its size there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mapping {
    crop: Rect,
    /// Size of `crop` in input pixels, from the top left.
    width: f32,
    height: f32,
}

impl Mapping {
    /// The mapping of a whole picture that fills an input.
    pub fn whole(width: usize, height: usize) -> Self {
        Self { crop: Rect::new(0.0, 0.0, 1.0, 1.0), width: width as f32, height: height as f32 }
    }

    /// Maps input pixels to fractions of the picture, cut to the part that was analysed.
    pub fn to_picture(self, rect: Rect) -> Rect {
        let x = |x: f32| self.crop.x + (x / self.width).clamp(0.0, 1.0) * self.crop.w;
        let y = |y: f32| self.crop.y + (y / self.height).clamp(0.0, 1.0) * self.crop.h;
        Rect::from_corners(x(rect.x), y(rect.y), x(rect.right()), y(rect.bottom()))
    }
}

/// Fills `tensor` (3 planes of `input.height` rows of `input.width`) from the part `crop` of `picture`.
///
/// Panics if `tensor` is of another length; an empty crop or one beyond the picture counts as the whole picture.
pub fn preprocess(picture: &Picture, crop: Rect, input: &Input, tensor: &mut [f32]) -> Mapping {
    let crop = if crop.clamped().area() > 0.0 { crop.clamped() } else { Rect::new(0.0, 0.0, 1.0, 1.0) };
    let (width, height) = fitted(picture, crop, input);
    let normalise = Normalise::of(input);
    let plane_len = input.width * input.height;
    assert_eq!(tensor.len(), 3 * plane_len, "a tensor of the input's size");
    if let Resize::Letterbox { pad } = input.resize {
        for (channel, plane) in tensor.chunks_exact_mut(plane_len).enumerate() {
            let filling = normalise.value(channel, f32::from(pad));
            let (picture_rows, below) = plane.split_at_mut(height * input.width);
            below.fill(filling);
            picture_rows.chunks_exact_mut(input.width).for_each(|row| row[width..].fill(filling));
        }
    }
    let mut planes = Planes::of(picture, crop, width, height);
    let convert = normalise.after(picture.colour().to_rgb());
    let arch = Arch::new();
    let (first, rest) = tensor.split_at_mut(plane_len);
    let (second, third) = rest.split_at_mut(plane_len);
    for y in 0..height {
        let [luma, u, v] = planes.each_mut().map(|plane| plane.row(y));
        let at = y * input.width..y * input.width + width;
        let outputs = [&mut first[at.clone()], &mut second[at.clone()], &mut third[at]];
        arch.dispatch(Convert { convert: &convert, samples: [luma, u, v], outputs });
    }
    Mapping { crop, width: width as f32, height: height as f32 }
}

/// Size of the crop in the input.
fn fitted(picture: &Picture, crop: Rect, input: &Input) -> (usize, usize) {
    match input.resize {
        Resize::Stretch {} => (input.width, input.height),
        Resize::Letterbox { .. } => {
            let (w, h) = (crop.w * picture.width() as f32, crop.h * picture.height() as f32);
            let ratio = (input.width as f32 / w).min(input.height as f32 / h);
            // The small addend keeps a product that is whole but for rounding from losing a pixel.
            let side = |side: f32, max: usize| ((side * ratio + 1e-3) as usize).clamp(1, max);
            (side(w, input.width), side(h, input.height))
        }
    }
}

/// `value * gain + offset` per channel of the tensor, and its colour: R, G or B.
struct Normalise {
    gain: [f32; 3],
    offset: [f32; 3],
    /// Index into R, G, B of each plane.
    order: [usize; 3],
}

impl Normalise {
    fn of(input: &Input) -> Self {
        let scale = if input.scale == Scale::Unit { 1.0 / 255.0 } else { 1.0 };
        let order = if input.colour == ColourOrder::Rgb { [0, 1, 2] } else { [2, 1, 0] };
        Self {
            gain: input.std.map(|std| scale / std),
            offset: std::array::from_fn(|i| -input.mean[i] / input.std[i]),
            order,
        }
    }

    fn value(&self, channel: usize, byte: f32) -> f32 {
        byte * self.gain[channel] + self.offset[channel]
    }

    /// Makes the tensor's channels from Y, U, V.
    fn after(&self, convert: ToRgb) -> [Channel; 3] {
        // A colour is linear in Y, U and V: its values at black and one step away from it say all.
        let at = |y, u: f32, v: f32| convert.rgb_f32(y, 128.0 + u, 128.0 + v);
        let (black, y, u, v) = (at(0.0, 0.0, 0.0), at(1.0, 0.0, 0.0), at(0.0, 1.0, 0.0), at(0.0, 0.0, 1.0));
        std::array::from_fn(|channel| {
            let colour = self.order[channel];
            let factor = |one: [f32; 3]| one[colour] - black[colour];
            let [u, v] = [u, v].map(factor);
            let factors = [factor(y), u, v, black[colour] - 128.0 * (u + v)];
            Channel { factors, gain: self.gain[channel], offset: self.offset[channel] }
        })
    }
}

/// Place of one output column or row between two source samples.
#[derive(Clone, Copy)]
struct Interpolation {
    low: u32,
    high: u32,
    /// Weight of `high`.
    weight: f32,
}

/// Interpolations of `count` outputs over `from .. from + length` of `samples` samples, in samples.
fn interpolations(from: f32, length: f32, count: usize, samples: usize) -> Vec<Interpolation> {
    let step = length / count as f32;
    let last = samples as f32 - 1.0;
    let places = (0..count).map(|index| (from + (index as f32 + 0.5) * step - 0.5).clamp(0.0, last));
    places
        .map(|place| {
            let low = place as u32;
            Interpolation { low, high: (low + 1).min(samples as u32 - 1), weight: place - low as f32 }
        })
        .collect()
}

/// One plane of the picture in preparation: rows are stretched when they are first needed, and then blended.
struct Plane<'a> {
    samples: &'a [u8],
    /// Samples from one to the next, and from one row to the next.
    step: usize,
    stride: usize,
    columns: Vec<Interpolation>,
    /// The first column, if the others follow it one by one.
    as_they_are: Option<usize>,
    rows: Vec<Interpolation>,
    /// A row as it is.
    row: Vec<f32>,
    /// The last two rows that were stretched, by their numbers.
    stretched: [(u32, Vec<f32>); 2],
}

/// Two rows of one plane, and the weight of the second.
struct Blend<'a> {
    rows: [&'a [f32]; 2],
    weight: f32,
}

struct Planes;

impl Planes {
    /// Luma, U and V of the part `crop`, to be stretched to `width` by `height`.
    fn of(picture: &Picture, crop: Rect, width: usize, height: usize) -> [Plane<'_>; 3] {
        let (w, h) = (picture.width() as usize, picture.height() as usize);
        let chroma = picture.chroma();
        let (u, v) = chroma.planes();
        // A chroma sample lies in the middle of its four pixels.
        let plane = |samples, step, scale: f32, (columns, rows)| {
            let (full_width, full_height) = (w as f32 * scale, h as f32 * scale);
            let row = vec![0.0; columns];
            let stride = columns * step;
            let columns = interpolations(crop.x * full_width, crop.w * full_width, width, columns);
            let first = columns.first().map_or(0, |column| column.low as usize);
            let is_one_to_one = columns
                .iter()
                .enumerate()
                .all(|(at, column)| column.weight == 0.0 && column.low as usize == first + at);
            Plane {
                samples,
                step,
                stride,
                as_they_are: is_one_to_one.then_some(first),
                columns,
                row,
                rows: interpolations(crop.y * full_height, crop.h * full_height, height, rows),
                stretched: [(u32::MAX, vec![0.0; width]), (u32::MAX, vec![0.0; width])],
            }
        };
        let chroma_size = (chroma.width(), chroma.height());
        [
            plane(picture.luma(), 1, 1.0, (w, h)),
            plane(u, chroma.step(), 0.5, chroma_size),
            plane(v, chroma.step(), 0.5, chroma_size),
        ]
    }
}

impl Plane<'_> {
    /// Rows that make output row `y`.
    fn row(&mut self, y: usize) -> Blend<'_> {
        let Interpolation { low, high, weight } = self.rows[y];
        // Rows come from top to bottom: the one above may be the last time's lower one.
        if self.stretched[0].0 != low {
            self.stretched.swap(0, 1);
        }
        for (at, row) in [(0, low), (1, high)] {
            if self.stretched[at].0 != row {
                self.stretch(at, row);
            }
        }
        Blend { rows: self.stretched.each_ref().map(|(_, row)| &row[..]), weight }
    }

    /// Stretches row number `row` of the picture into `stretched[at]`.
    fn stretch(&mut self, at: usize, row: u32) {
        let samples = &self.samples[row as usize * self.stride..];
        let stretched = &mut self.stretched[at];
        stretched.0 = row;
        if let (Some(first), 1) = (self.as_they_are, self.step) {
            stretched.1.iter_mut().zip(&samples[first..]).for_each(|(to, from)| *to = f32::from(*from));
            return;
        }
        match self.step {
            1 => self.row.iter_mut().zip(samples).for_each(|(to, from)| *to = f32::from(*from)),
            step => {
                self.row.iter_mut().zip(samples.chunks(step)).for_each(|(to, from)| *to = f32::from(from[0]))
            }
        }
        for (to, column) in stretched.1.iter_mut().zip(&self.columns) {
            let (low, high) = (self.row[column.low as usize], self.row[column.high as usize]);
            *to = low + (high - low) * column.weight;
        }
    }
}

/// Converts one row of all planes to the tensor's colours. Nothing in it is a closure: those do not know the vectors' width, and
/// become calls.
struct Convert<'a> {
    convert: &'a [Channel; 3],
    samples: [Blend<'a>; 3],
    outputs: [&'a mut [f32]; 3],
}

impl WithSimd for Convert<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { convert, samples, outputs } = self;
        let [y, u, v] = &samples;
        let lanes = S::F32_LANES;
        let [first, second, third] = outputs;
        let (whole, len) = (first.len() / lanes * lanes, first.len());
        for at in (0..whole).step_by(lanes) {
            let place = at..at + lanes;
            let yuv = [y.whole(simd, at), u.whole(simd, at), v.whole(simd, at)];
            S::as_mut_simd_f32s(&mut first[place.clone()]).0[0] = convert[0].of(simd, yuv);
            S::as_mut_simd_f32s(&mut second[place.clone()]).0[0] = convert[1].of(simd, yuv);
            S::as_mut_simd_f32s(&mut third[place]).0[0] = convert[2].of(simd, yuv);
        }
        if whole < len {
            let yuv = [y.rest(simd, whole), u.rest(simd, whole), v.rest(simd, whole)];
            simd.partial_store_f32s(&mut first[whole..], convert[0].of(simd, yuv));
            simd.partial_store_f32s(&mut second[whole..], convert[1].of(simd, yuv));
            simd.partial_store_f32s(&mut third[whole..], convert[2].of(simd, yuv));
        }
    }
}

impl Blend<'_> {
    /// A vector of samples from `at` on.
    #[inline(always)]
    fn whole<S: Simd>(&self, simd: S, at: usize) -> S::f32s {
        let above = S::as_simd_f32s(&self.rows[0][at..at + S::F32_LANES]).0[0];
        let below = S::as_simd_f32s(&self.rows[1][at..at + S::F32_LANES]).0[0];
        self.blend(simd, above, below)
    }

    /// The samples from `at` on, which are less than a vector.
    #[inline(always)]
    fn rest<S: Simd>(&self, simd: S, at: usize) -> S::f32s {
        let above = simd.partial_load_f32s(&self.rows[0][at..]);
        self.blend(simd, above, simd.partial_load_f32s(&self.rows[1][at..]))
    }

    #[inline(always)]
    fn blend<S: Simd>(&self, simd: S, above: S::f32s, below: S::f32s) -> S::f32s {
        simd.mul_add_f32s(simd.sub_f32s(below, above), simd.splat_f32s(self.weight), above)
    }
}

/// One channel of the tensor: a colour as a sum over Y, U, V, bounded, and normalised.
struct Channel {
    /// Factors of Y, U, V, and a constant.
    factors: [f32; 4],
    gain: f32,
    offset: f32,
}

impl Channel {
    #[inline(always)]
    fn of<S: Simd>(&self, simd: S, yuv: [S::f32s; 3]) -> S::f32s {
        let [y, u, v, constant] = self.factors;
        let colour = simd.mul_add_f32s(yuv[0], simd.splat_f32s(y), simd.splat_f32s(constant));
        let colour = simd.mul_add_f32s(yuv[1], simd.splat_f32s(u), colour);
        let colour = simd.mul_add_f32s(yuv[2], simd.splat_f32s(v), colour);
        let colour = simd.min_f32s(simd.max_f32s(colour, simd.splat_f32s(0.0)), simd.splat_f32s(255.0));
        simd.mul_add_f32s(colour, simd.splat_f32s(self.gain), simd.splat_f32s(self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::picture::{Colour, PixelFormat};

    const WHOLE: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);
    const FULL: Colour = Colour { bt709: false, full_range: true };

    fn grey(width: u32, height: u32, luma: impl Fn(u32, u32) -> u8) -> Picture {
        let mut samples: Vec<u8> = (0..width * height).map(|i| luma(i % width, i / width)).collect();
        samples.resize(Picture::byte_count(width, height), 128);
        Picture::new(width, height, PixelFormat::I420, FULL, samples).unwrap()
    }

    fn run(picture: &Picture, crop: Rect, input: &Input) -> (Vec<f32>, Mapping) {
        let mut tensor = vec![f32::NAN; 3 * input.width * input.height];
        let mapping = preprocess(picture, crop, input, &mut tensor);
        (tensor, mapping)
    }

    /// Values printed by cv2.resize(numpy.uint8([[0, 40, 80, 120], [100, 140, 180, 220]]), (3, 3)) in float32.
    #[test]
    fn resizes_as_opencv_does() {
        let picture = grey(4, 2, |x, y| (x * 40 + y * 100) as u8);
        let (tensor, _) = run(&picture, WHOLE, &Input::for_tests(3, 3));
        let expected = [6.667, 60.0, 113.333, 56.667, 110.0, 163.333, 106.667, 160.0, 213.333];
        for (found, expected) in tensor[..9].iter().zip(expected) {
            assert!((found - expected).abs() < 0.01, "{found} for {expected}");
        }
    }

    #[test]
    fn letterbox_keeps_the_shape_and_maps_back() {
        let input = Input { resize: Resize::Letterbox { pad: 114 }, ..Input::for_tests(8, 8) };
        let (tensor, mapping) = run(&grey(16, 8, |_, _| 200), WHOLE, &input);
        assert!(tensor[..32].iter().all(|v| (v - 200.0).abs() < 1e-3), "four rows of picture");
        assert!(tensor[32..64].iter().all(|v| *v == 114.0), "four of padding");
        assert_eq!(mapping.to_picture(Rect::new(4.0, 1.0, 4.0, 3.0)), Rect::new(0.5, 0.25, 0.5, 0.75));
        assert_eq!(mapping.to_picture(Rect::new(-4.0, 3.0, 6.0, 4.0)), Rect::new(0.0, 0.75, 0.25, 0.25));
    }

    #[test]
    fn a_crop_is_the_same_as_the_picture_cut() {
        let whole = grey(32, 16, |x, y| (x * 5 + y * 3) as u8);
        let cut = grey(16, 8, |x, y| ((x + 8) * 5 + (y + 4) * 3) as u8);
        let input = Input::for_tests(8, 4);
        let crop = Rect::new(0.25, 0.25, 0.5, 0.5);
        let (from_whole, mapping) = run(&whole, crop, &input);
        assert_eq!(from_whole, run(&cut, WHOLE, &input).0);
        assert_eq!(mapping.to_picture(Rect::new(0.0, 0.0, 8.0, 4.0)), crop);
    }

    #[test]
    fn colours_are_ordered_scaled_and_normalised_in_both_layouts() {
        let luma = [81u8; 4];
        let pictures =
            [(PixelFormat::I420, [90, 240]), (PixelFormat::Nv12, [90, 240])].map(|(format, uv)| {
                let samples = [&luma[..], &uv[..]].concat();
                Picture::new(2, 2, format, Colour::default(), samples).unwrap()
            });
        let input = Input {
            colour: ColourOrder::Bgr,
            scale: Scale::Unit,
            mean: [0.5, 0.25, 0.0],
            std: [0.5, 0.25, 2.0],
            ..Input::for_tests(8, 8)
        };
        for picture in pictures {
            let (tensor, _) = run(&picture, WHOLE, &input);
            // Red in blue, green, red order.
            for (plane, expected) in tensor.chunks_exact(64).zip([-1.0, -1.0, 0.498]) {
                assert!(plane.iter().all(|v| (v - expected).abs() < 0.01), "{} for {expected}", plane[0]);
            }
        }
    }

    #[test]
    fn any_size_and_crop_fills_the_whole_tensor() {
        for (width, height) in [(1, 1), (1, 9), (3, 2), (641, 359)] {
            let picture = grey(width, height, |x, y| (x ^ y) as u8);
            for crop in [
                WHOLE,
                Rect::new(0.9, 0.9, 0.3, 0.3),
                Rect::new(0.5, 0.5, 0.0, 0.0),
                Rect::new(2.0, 2.0, 1.0, 1.0),
            ] {
                for resize in [Resize::Stretch {}, Resize::Letterbox { pad: 0 }] {
                    let (tensor, _) = run(&picture, crop, &Input { resize, ..Input::for_tests(40, 24) });
                    assert!(tensor.iter().all(|v| (0.0..=255.0).contains(v)));
                }
            }
        }
    }
}
