//! Pixels into a network's input: resized, converted to its colours and normalised in one pass.
//!
//! Bilinear with half-pixel centres, as OpenCV's INTER_LINEAR: without a low-pass filter when shrinking, since that is
//! what the networks were trained and measured with.

use super::manifest::{ColourOrder, Input, Resize, Scale};
use crate::domain::geometry::Rect;
use crate::domain::picture::{Chroma, Picture, ToRgb};

/// The part of the picture that fills the input, and how large it is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mapping {
    crop: Rect,
    /// Size of `crop` in input pixels, from the top left.
    width: f32,
    height: f32,
}

impl Mapping {
    /// From input pixels to fractions of the picture, cut to the part that was looked at.
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
    let mut rows = Rows::new(picture, crop, width, height);
    let (first, rest) = tensor.split_at_mut(plane_len);
    let (second, third) = rest.split_at_mut(plane_len);
    for y in 0..height {
        let at = y * input.width..y * input.width + width;
        let planes = [&mut first[at.clone()], &mut second[at.clone()], &mut third[at]];
        rows.fill(y, &normalise, planes);
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

/// `value * gain + offset` per channel of the tensor, and which of R, G, B each one is.
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
}

/// Where one output column or row lies between two source samples.
#[derive(Clone, Copy)]
struct Tap {
    low: u32,
    high: u32,
    /// Weight of `high`.
    weight: f32,
}

/// Taps of `count` outputs over `from .. from + length` of `samples` samples, in samples.
fn taps(from: f32, length: f32, count: usize, samples: usize) -> Vec<Tap> {
    let step = length / count as f32;
    let last = samples as f32 - 1.0;
    let tap = |i: usize| {
        let at = (from + (i as f32 + 0.5) * step - 0.5).clamp(0.0, last);
        let low = at as u32;
        Tap { low, high: (low + 1).min(samples as u32 - 1), weight: at - low as f32 }
    };
    (0..count).map(tap).collect()
}

/// One row at a time: first the two source rows of each plane are blended, then columns.
struct Rows<'a> {
    luma: &'a [u8],
    luma_width: usize,
    chroma: Chroma<'a>,
    convert: ToRgb,
    luma_rows: Vec<Tap>,
    chroma_rows: Vec<Tap>,
    columns: Vec<(Tap, Tap)>,
    blended_luma: Vec<f32>,
    blended_chroma: Vec<[f32; 2]>,
}

impl<'a> Rows<'a> {
    fn new(picture: &'a Picture, crop: Rect, width: usize, height: usize) -> Self {
        let (w, h) = (picture.width() as usize, picture.height() as usize);
        let chroma = picture.chroma();
        // A chroma sample lies in the middle of its four pixels.
        let across =
            |scale: f32, samples| taps(crop.x * w as f32 * scale, crop.w * w as f32 * scale, width, samples);
        let down =
            |scale: f32, samples| taps(crop.y * h as f32 * scale, crop.h * h as f32 * scale, height, samples);
        let columns = across(1.0, w).into_iter().zip(across(0.5, chroma.width())).collect();
        Self {
            luma: picture.luma(),
            luma_width: w,
            luma_rows: down(1.0, h),
            chroma_rows: down(0.5, chroma.height()),
            columns,
            blended_luma: vec![0.0; w],
            blended_chroma: vec![[0.0; 2]; chroma.width()],
            convert: picture.colour().to_rgb(),
            chroma,
        }
    }

    fn fill(&mut self, y: usize, normalise: &Normalise, planes: [&mut [f32]; 3]) {
        self.blend(self.luma_rows[y], self.chroma_rows[y]);
        let [first, second, third] = planes;
        let outputs = first.iter_mut().zip(second).zip(third);
        let (luma, chroma) = (&self.blended_luma[..], &self.blended_chroma[..]);
        for ((luma_tap, chroma_tap), ((first, second), third)) in self.columns.iter().zip(outputs) {
            let (low, high) = (luma[luma_tap.low as usize], luma[luma_tap.high as usize]);
            let y = low + (high - low) * luma_tap.weight;
            let (low, high) = (chroma[chroma_tap.low as usize], chroma[chroma_tap.high as usize]);
            let u = low[0] + (high[0] - low[0]) * chroma_tap.weight;
            let v = low[1] + (high[1] - low[1]) * chroma_tap.weight;
            let rgb = self.convert.rgb_f32(y, u, v).map(|channel| channel.clamp(0.0, 255.0));
            *first = normalise.value(0, rgb[normalise.order[0]]);
            *second = normalise.value(1, rgb[normalise.order[1]]);
            *third = normalise.value(2, rgb[normalise.order[2]]);
        }
    }

    /// The source rows at one output row, every column between the crop's edges.
    fn blend(&mut self, luma: Tap, chroma: Tap) {
        let (Some((first, _)), Some((last, _))) = (self.columns.first(), self.columns.last()) else { return };
        let span = first.low as usize..last.high as usize + 1;
        let row = |row: u32| &self.luma[row as usize * self.luma_width..][span.clone()];
        let pairs = row(luma.low).iter().zip(row(luma.high));
        for (blended, (low, high)) in self.blended_luma[span.clone()].iter_mut().zip(pairs) {
            let low = f32::from(*low);
            *blended = low + (f32::from(*high) - low) * luma.weight;
        }
        let (Some((_, first)), Some((_, last))) = (self.columns.first(), self.columns.last()) else { return };
        for x in first.low as usize..last.high as usize + 1 {
            let low = self.chroma.at(x, chroma.low as usize);
            let high = self.chroma.at(x, chroma.high as usize);
            let mix = |low: u8, high: u8| f32::from(low) + (f32::from(high) - f32::from(low)) * chroma.weight;
            self.blended_chroma[x] = [mix(low.0, high.0), mix(low.1, high.1)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::picture::{Colour, PixelFormat};

    const WHOLE: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);
    const FULL: Colour = Colour { bt709: false, full_range: true };

    fn grey(width: u32, height: u32, luma: impl Fn(u32, u32) -> u8) -> Picture {
        let mut samples: Vec<u8> = (0..width * height).map(|i| luma(i % width, i / width)).collect();
        samples.resize(Picture::byte_count(width, height), 128);
        Picture::new(width, height, PixelFormat::I420, FULL, samples.into()).unwrap()
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
                Picture::new(2, 2, format, Colour::default(), samples.into()).unwrap()
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
