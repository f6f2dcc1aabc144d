//! The colours in a subject's bounding box, to tell subjects apart that pass in front of each other.
//!
//! A few means of light and colour: good for seconds on one picture, and for nothing else. They live in a tracker's
//! memory while it follows a subject, and are neither stored nor sent.

use super::geometry::Rect;
use super::picture::Picture;

const COLUMNS: usize = 2;
const ROWS: usize = 4;
/// Maximum number of samples in a row and in a column of a cell.
const SAMPLES: usize = 6;
/// Part of the width that is left out at each side, which shows more street than subject.
const SIDE: f32 = 0.15;
/// Weight of chroma against luma: light changes with the place more than colour does.
const CHROMA: f32 = 2.0;
/// Mean difference, as a part of the range, from which two appearances have nothing in common.
const APART: f32 = 0.25;

/// Means of luma and both chroma over a grid on the bounding box, 0..=1 each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Appearance([[f32; 3]; COLUMNS * ROWS]);

impl Appearance {
    /// Appearance of the part of the picture in `rect`, fractions of the picture.
    pub fn of(picture: &Picture, rect: &Rect) -> Self {
        let rect = rect.clamped();
        let (left, wide) = (rect.x + SIDE * rect.w, (1.0 - 2.0 * SIDE) * rect.w / COLUMNS as f32);
        let high = rect.h / ROWS as f32;
        Self(std::array::from_fn(|index| {
            let (x, y) = (left + (index % COLUMNS) as f32 * wide, rect.y + (index / COLUMNS) as f32 * high);
            mean(picture, &Rect::new(x, y, wide, high))
        }))
    }

    /// Difference of two appearances: 0 for none, 1 for nothing in common.
    pub fn apart(&self, other: &Self) -> f32 {
        let mut sum = 0.0;
        for (a, b) in self.0.iter().zip(&other.0) {
            let [y, u, v] = std::array::from_fn(|i| (a[i] - b[i]).abs());
            sum += (y + CHROMA * (u + v)) / 3.0;
        }
        (sum / self.0.len() as f32 / APART).min(1.0)
    }

    /// Becomes a little more like `other`, by `share` of the difference.
    pub fn approach(&mut self, other: &Self, share: f32) {
        for (own, other) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *own += share * (other - *own);
        }
    }
}

/// Mean luma and chroma of a part of the picture, from a few samples.
fn mean(picture: &Picture, part: &Rect) -> [f32; 3] {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (luma, chroma) = (picture.luma(), picture.chroma());
    let steps = |from: f32, size: f32, pixels: usize| {
        let count = ((size * pixels as f32).ceil() as usize).clamp(1, SAMPLES);
        (0..count).map(move |i| {
            let at = from + size * (i as f32 + 0.5) / count as f32;
            ((at * pixels as f32) as usize).min(pixels.saturating_sub(1))
        })
    };
    let (mut sum, mut count) = ([0.0; 3], 0.0f32);
    for row in steps(part.y, part.h, height) {
        for column in steps(part.x, part.w, width) {
            let (u, v) = chroma.at(column / 2, row / 2);
            let y = luma[row * width + column];
            for (sum, sample) in sum.iter_mut().zip([y, u, v]) {
                *sum += f32::from(sample) / 255.0;
            }
            count += 1.0;
        }
    }
    sum.map(|sum| sum / count.max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left half of one colour, right half of another.
    fn halves(left: [u8; 3], right: [u8; 3]) -> Picture {
        let rgb: Vec<u8> = (0..64 * 36).flat_map(|i| if i % 64 < 32 { left } else { right }).collect();
        Picture::from_rgb(64, 36, &rgb).unwrap()
    }

    #[test]
    fn colours_tell_boxes_apart_and_places_do_not() {
        let picture = halves([200, 30, 30], [30, 30, 200]);
        let of = |x: f32, y: f32| Appearance::of(&picture, &Rect::new(x, y, 0.2, 0.5));
        let (red, other_red, blue) = (of(0.05, 0.1), of(0.2, 0.4), of(0.7, 0.1));
        assert!(red.apart(&other_red) < 0.02 && red.apart(&blue) > 0.5, "{}", red.apart(&blue));
        assert_eq!(red.apart(&blue), blue.apart(&red));
        let mut learns = red;
        learns.approach(&blue, 0.8);
        assert!(learns.apart(&blue) < red.apart(&blue));
        learns.approach(&blue, 1.0);
        assert!(learns.apart(&blue) < 1e-3);
    }

    #[test]
    fn a_box_at_the_edge_or_smaller_than_a_pixel_has_an_appearance() {
        let picture = halves([9, 9, 9], [250, 250, 250]);
        for rect in [[0.9, 0.9, 0.3, 0.3], [0.999, 0.0, 1e-4, 1e-4], [-0.5, -0.5, 3.0, 3.0]] {
            let [x, y, w, h] = rect;
            let own = Appearance::of(&picture, &Rect::new(x, y, w, h));
            assert_eq!(own.apart(&own), 0.0);
        }
    }
}
