//! Rain, the sensor's noise, and the way from RGB to the camera's own 4:2:0 picture.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::raster::Canvas;
use base::picture::{Colour, Picture, PixelFormat};

/// A prime, so that rows that start at different places never line up.
const NOISE_LENGTH: usize = 16_381;

/// Rain and noise between the street and the picture.
pub(super) struct Weather {
    seed: u64,
    /// Luma noise in codes, to be read from any place on.
    noise: Vec<i8>,
}

impl Weather {
    pub(super) fn new(seed: u64, noise: f32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::MAX - 2);
        let mut gauss =
            || (0..6).map(|_| rng.random_range(-1.0..1.0f32)).sum::<f32>() / std::f32::consts::SQRT_2;
        let noise = if noise > 0.0 {
            (0..NOISE_LENGTH * 2).map(|_| (gauss() * noise).round() as i8).collect()
        } else {
            Vec::new()
        };
        Self { seed, noise }
    }

    fn rng(&self, frame: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x5eed);
        rng.set_stream(frame);
        rng
    }

    /// Streaks of rain, others on every frame.
    pub(super) fn fall(&self, canvas: &mut Canvas, frame: u64) {
        let mut rng = self.rng(frame ^ (1 << 63));
        let (w, h) = (canvas.width as f32, canvas.height as f32);
        for _ in 0..(canvas.width * canvas.height / 900) {
            let (x, y) = (rng.random_range(0.0..w), rng.random_range(-0.1..1.0) * h);
            let (long, bright) = (rng.random_range(0.02..0.07) * h, rng.random_range(10.0..34.0f32));
            for step in 0..long as usize {
                let (px, py) = (x + step as f32 * 0.16, y + step as f32);
                if px < w && py >= 0.0 && py < h {
                    let at = (py as usize * canvas.width + px as usize) * 3;
                    for value in &mut canvas.rgb[at..at + 3] {
                        *value = value.saturating_add(bright as u8);
                    }
                }
            }
        }
    }

    /// The picture a camera would give: I420, full range, BT.601, with noise on the luma; `is_grey` leaves the chroma out.
    pub(super) fn picture(&self, canvas: &Canvas, frame: u64, is_grey: bool) -> Picture {
        let (w, h) = (canvas.width, canvas.height);
        let mut rng = self.rng(frame);
        let mut samples = vec![0u8; Picture::byte_count(w as u32, h as u32)];
        let (luma, chroma) = samples.split_at_mut(w * h);
        for (out, rgb) in luma.chunks_exact_mut(w).zip(canvas.rgb.chunks_exact(w * 3)) {
            let pixels = out.iter_mut().zip(rgb.chunks_exact(3));
            if self.noise.is_empty() {
                pixels.for_each(|(y, rgb)| *y = luma_of(rgb) as u8);
            } else {
                let start = rng.random_range(0..NOISE_LENGTH);
                let noise = self.noise[start..].iter().cycle();
                for ((y, rgb), noise) in pixels.zip(noise) {
                    *y = (luma_of(rgb) + i32::from(*noise)).clamp(0, 255) as u8;
                }
            }
        }
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let (u_plane, v_plane) = chroma.split_at_mut(cw * ch);
        if is_grey {
            u_plane.fill(128);
            v_plane.fill(128);
        }
        for row in 0..if is_grey { 0 } else { ch } {
            let (upper, lower) = (row * 2 * w, (row * 2 + 1).min(h - 1) * w);
            for column in 0..cw {
                let (left, right) = (column * 2, (column * 2 + 1).min(w - 1));
                let mut sum = [0i32; 3];
                for at in [upper + left, upper + right, lower + left, lower + right] {
                    for (sum, value) in sum.iter_mut().zip(&canvas.rgb[at * 3..at * 3 + 3]) {
                        *sum += i32::from(*value);
                    }
                }
                let [r, g, b] = sum;
                u_plane[row * cw + column] = (128 + ((-43 * r - 85 * g + 128 * b) >> 10)).clamp(0, 255) as u8;
                v_plane[row * cw + column] = (128 + ((128 * r - 107 * g - 21 * b) >> 10)).clamp(0, 255) as u8;
            }
        }
        let colour = Colour { bt709: false, full_range: true };
        Picture::new(w as u32, h as u32, PixelFormat::I420, colour, samples)
            .expect("the planes were made for this size")
    }
}

fn luma_of(rgb: &[u8]) -> i32 {
    (77 * i32::from(rgb[0]) + 150 * i32::from(rgb[1]) + 29 * i32::from(rgb[2]) + 128) >> 8
}
