//! A decoded picture and the frame around it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{CameraId, Epoch};
use super::time::{Pts, Stamp};

/// Most pixels of a picture that is decoded: a decoder holds a dozen of them, and a box has little memory.
pub const DECODED_PIXELS_MAX: u64 = 4096 * 4096;

/// True for pictures that are too large to be decoded. Their stream can be recorded.
pub fn is_too_large(width: u32, height: u32) -> bool {
    u64::from(width) * u64::from(height) > DECODED_PIXELS_MAX
}

/// Layout of the chroma samples in memory. Both are 4:2:0 with 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PixelFormat {
    /// Planes Y, U, V.
    I420,
    /// Planes Y and interleaved UV.
    Nv12,
}

/// Conversion of Y'CbCr to RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Colour {
    /// ITU-R BT.709 coefficients, else BT.601.
    pub bt709: bool,
    /// Samples use 0..=255 (as many cameras' "J" formats), else 16..=235/240.
    pub full_range: bool,
}

/// The values for a stream that does not name its own.
impl Default for Colour {
    fn default() -> Self {
        Self { bt709: false, full_range: false }
    }
}

/// A 4:2:0 picture, its planes one after the other without padding.
///
/// Chroma planes are `(width + 1) / 2` by `(height + 1) / 2`. Cloning shares the samples.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    format: PixelFormat,
    colour: Colour,
    samples: Arc<Vec<u8>>,
}

/// A picture whose samples do not fill its planes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {width}x{height} picture has {expected} bytes, not {found}")]
pub struct WrongLength {
    width: u32,
    height: u32,
    expected: usize,
    found: usize,
}

impl Picture {
    /// Number of bytes of a picture of this size; the largest number for one that no memory holds.
    pub fn byte_count(width: u32, height: u32) -> usize {
        let (w, h) = (width as usize, height as usize);
        let chroma = w.div_ceil(2).saturating_mul(h.div_ceil(2)).saturating_mul(2);
        w.saturating_mul(h).saturating_add(chroma)
    }

    /// Wraps `samples`, without a copy: all planes, tightly packed.
    pub fn new(
        width: u32,
        height: u32,
        format: PixelFormat,
        colour: Colour,
        samples: Vec<u8>,
    ) -> Result<Self, WrongLength> {
        let expected = Self::byte_count(width, height);
        if samples.len() != expected {
            return Err(WrongLength { width, height, expected, found: samples.len() });
        }
        Ok(Self { width, height, format, colour, samples: Arc::new(samples) })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Layout of the chroma planes.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Conversion to RGB.
    pub fn colour(&self) -> Colour {
        self.colour
    }

    /// All planes.
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// The luma plane: `width * height` bytes, row by row.
    pub fn luma(&self) -> &[u8] {
        &self.samples[..self.width as usize * self.height as usize]
    }

    /// The chroma samples.
    pub fn chroma(&self) -> Chroma<'_> {
        let stride = (self.width as usize).div_ceil(2);
        let rows = (self.height as usize).div_ceil(2);
        let planes = &self.samples[self.width as usize * self.height as usize..];
        match self.format {
            PixelFormat::I420 => {
                let (u, v) = planes.split_at(stride * rows);
                Chroma { u, v, step: 1, stride, rows }
            }
            PixelFormat::Nv12 => Chroma { u: planes, v: &planes[1..], step: 2, stride, rows },
        }
    }

    /// From packed 8-bit RGB, `width * height * 3` bytes: I420, full range, BT.601 as in JPEG; chroma is the mean
    /// of each 2x2 block.
    pub fn from_rgb(width: u32, height: u32, rgb: &[u8]) -> Result<Self, WrongLength> {
        let (w, h) = (width as usize, height as usize);
        if rgb.len() != w * h * 3 {
            return Err(WrongLength { width, height, expected: w * h * 3, found: rgb.len() });
        }
        let pixel = |x: usize, y: usize| {
            let at = (y.min(h - 1) * w + x.min(w - 1)) * 3;
            [f32::from(rgb[at]), f32::from(rgb[at + 1]), f32::from(rgb[at + 2])]
        };
        let mut samples = Vec::with_capacity(Self::byte_count(width, height));
        for pixel in rgb.chunks_exact(3) {
            let (r, g, b) = (f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2]));
            samples.push((0.299 * r + 0.587 * g + 0.114 * b + 0.5) as u8);
        }
        let mut v_plane = Vec::with_capacity(w.div_ceil(2) * h.div_ceil(2));
        for y in (0..h).step_by(2) {
            for x in (0..w).step_by(2) {
                let block = [pixel(x, y), pixel(x + 1, y), pixel(x, y + 1), pixel(x + 1, y + 1)];
                let mean = |c: usize| block.iter().map(|p| p[c]).sum::<f32>() / 4.0;
                let (r, g, b) = (mean(0), mean(1), mean(2));
                let luma = 0.299 * r + 0.587 * g + 0.114 * b;
                samples.push((128.5 + (b - luma) / 1.772) as u8);
                v_plane.push((128.5 + (r - luma) / 1.402) as u8);
            }
        }
        samples.extend_from_slice(&v_plane);
        Self::new(width, height, PixelFormat::I420, Colour { bt709: false, full_range: true }, samples)
    }

    /// Converts to packed 8-bit RGB, `width * height * 3` bytes, row by row (nearest chroma).
    pub fn to_rgb(&self) -> Vec<u8> {
        let luma = self.luma();
        let chroma = self.chroma();
        let convert = self.colour.to_rgb();
        let mut rgb = Vec::with_capacity(luma.len() * 3);
        for (y, row) in luma.chunks_exact(self.width as usize).enumerate() {
            for (x, luma) in row.iter().enumerate() {
                let (u, v) = chroma.at(x / 2, y / 2);
                rgb.extend_from_slice(&convert.rgb(*luma, u, v));
            }
        }
        rgb
    }
}

/// Without the samples.
impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{} {:?})", self.width, self.height, self.format)
    }
}

/// The chroma samples of a picture, in either layout.
#[derive(Debug, Clone, Copy)]
pub struct Chroma<'a> {
    u: &'a [u8],
    v: &'a [u8],
    step: usize,
    stride: usize,
    rows: usize,
}

impl<'a> Chroma<'a> {
    /// Chroma columns.
    pub fn width(&self) -> usize {
        self.stride
    }

    /// Chroma rows.
    pub fn height(&self) -> usize {
        self.rows
    }

    /// The samples of U, and of V, row by row; consecutive samples are [`Chroma::step`] apart.
    pub fn planes(&self) -> (&'a [u8], &'a [u8]) {
        (self.u, self.v)
    }

    /// Distance from one sample of a plane to the next.
    pub fn step(&self) -> usize {
        self.step
    }

    /// U and V at chroma column `x`, row `y` (half of the pixel's).
    pub fn at(&self, x: usize, y: usize) -> (u8, u8) {
        let at = (y * self.stride + x) * self.step;
        (self.u[at], self.v[at])
    }
}

/// A Y'CbCr to R'G'B' conversion with 8-bit samples (ITU-T H.273, table 4).
#[derive(Debug, Clone, Copy)]
pub struct ToRgb {
    luma_offset: f32,
    luma_gain: f32,
    v_to_r: f32,
    u_to_g: f32,
    v_to_g: f32,
    u_to_b: f32,
}

impl Colour {
    /// The conversion for this colour description.
    pub fn to_rgb(self) -> ToRgb {
        let (kr, kb) = if self.bt709 { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let kg = 1.0 - kr - kb;
        let (luma_offset, luma_gain, chroma_gain) =
            if self.full_range { (0.0, 1.0, 1.0) } else { (16.0, 255.0 / 219.0, 255.0 / 224.0) };
        ToRgb {
            luma_offset,
            luma_gain,
            v_to_r: 2.0 * (1.0 - kr) * chroma_gain,
            u_to_g: -2.0 * kb * (1.0 - kb) / kg * chroma_gain,
            v_to_g: -2.0 * kr * (1.0 - kr) / kg * chroma_gain,
            u_to_b: 2.0 * (1.0 - kb) * chroma_gain,
        }
    }
}

impl ToRgb {
    /// R, G, B for samples that may lie between codes (interpolated), not clamped: nominally 0..=255.
    pub fn rgb_f32(&self, y: f32, u: f32, v: f32) -> [f32; 3] {
        let luma = (y - self.luma_offset) * self.luma_gain;
        let (u, v) = (u - 128.0, v - 128.0);
        [luma + self.v_to_r * v, luma + self.u_to_g * u + self.v_to_g * v, luma + self.u_to_b * u]
    }

    /// R, G, B rounded to 8 bits.
    pub fn rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        // `as` saturates, which is the intended clamp.
        self.rgb_f32(f32::from(y), f32::from(u), f32::from(v)).map(|c| (c + 0.5) as u8)
    }
}

/// A decoded picture of one camera.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The camera that took it.
    pub camera: CameraId,
    /// The session that decoded it.
    pub epoch: Epoch,
    /// Presentation time within the epoch.
    pub pts: Pts,
    /// Time of its arrival at the box.
    pub at: Stamp,
    /// The picture.
    pub picture: Picture,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_round_their_chroma_up() {
        let picture = Picture::new(3, 3, PixelFormat::I420, Colour::default(), vec![128; 9 + 8]).unwrap();
        assert_eq!((picture.chroma().width(), picture.chroma().height()), (2, 2));
        assert_eq!(picture.to_rgb().len(), 27);
        assert!(Picture::new(3, 3, PixelFormat::I420, Colour::default(), vec![0; 9]).is_err());
    }

    #[test]
    fn both_layouts_mean_the_same_picture() {
        let luma = [10u8, 60, 120, 200];
        let i420 = [&luma[..], &[90], &[170]].concat();
        let nv12 = [&luma[..], &[90, 170]].concat();
        let rgb = |format, samples: Vec<u8>| {
            Picture::new(2, 2, format, Colour::default(), samples).unwrap().to_rgb()
        };
        assert_eq!(rgb(PixelFormat::I420, i420), rgb(PixelFormat::Nv12, nv12));
    }

    #[test]
    fn rgb_survives_the_way_there_and_back() {
        let rgb: Vec<u8> =
            [[255u8, 0, 0], [0, 128, 255], [12, 200, 90]].iter().flat_map(|c| c.repeat(2)).collect();
        let rows = [&rgb[..], &rgb[..]].concat();
        let back = Picture::from_rgb(6, 2, &rows).unwrap().to_rgb();
        let worst = rows.iter().zip(&back).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(3), "off by {worst:?}");
    }

    #[test]
    fn white_black_and_red_come_out_right() {
        let limited = Colour::default().to_rgb();
        assert_eq!(limited.rgb(235, 128, 128), [255, 255, 255]);
        assert_eq!(limited.rgb(16, 128, 128), [0, 0, 0]);
        assert_eq!(limited.rgb(81, 90, 240), [254, 0, 0], "BT.601 red");
        let full = Colour { bt709: true, full_range: true }.to_rgb();
        assert_eq!(full.rgb(255, 128, 128), [255, 255, 255]);
        assert_eq!(full.rgb(0, 128, 128), [0, 0, 0]);
    }
}
