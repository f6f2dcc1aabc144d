//! Redaction of thumbnails: privacy masks, such as over other people's windows, and bystanders.

use image::{Rgb, RgbImage};

use base::geometry::{Point, Polygon, Rect};

/// Colour of a privacy mask.
const VEIL: Rgb<u8> = Rgb([52, 56, 62]);
/// Blocks across a bystander; no block is smaller than [`BLOCK_PIXELS_MIN`].
const BLOCKS_ACROSS: f32 = 4.0;
const BLOCK_PIXELS_MIN: u32 = 4;
/// Margin around a bystander's bounding box, as a fraction of its size: boxes end a little too early.
const MARGIN: f32 = 0.06;

/// Redaction of a picture, done before it is cropped and drawn on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redaction<'a> {
    /// Privacy masks, filled with one grey.
    pub masks: &'a [Polygon],
    /// Persons shown in coarse blocks, except where they overlap a subject.
    pub bystanders: &'a [Rect],
}

impl Redaction<'_> {
    /// Redacts the picture. Bystanders stay visible where they overlap one of `subjects`; masks cover subjects, too.
    pub(super) fn cover(&self, image: &mut RgbImage, subjects: &[Rect]) {
        for bystander in self.bystanders {
            pixelate(image, bystander, subjects);
        }
        for mask in self.masks {
            fill(image, mask);
        }
    }
}

fn fill(image: &mut RgbImage, mask: &Polygon) {
    let (width, height) = (image.width() as f32, image.height() as f32);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        if mask.contains(Point::new((x as f32 + 0.5) / width, (y as f32 + 0.5) / height)) {
            *pixel = VEIL;
        }
    }
}

fn pixelate(image: &mut RgbImage, rect: &Rect, subjects: &[Rect]) {
    let (width, height) = image.dimensions();
    let (dx, dy) = (rect.w * MARGIN, rect.h * MARGIN);
    let rect = Rect::from_corners(rect.x - dx, rect.y - dy, rect.right() + dx, rect.bottom() + dy).clamped();
    let pixel = |part: f32, size: u32| ((part * size as f32).round() as u32).min(size);
    let (x0, x1) = (pixel(rect.x, width), pixel(rect.right(), width));
    let (y0, y1) = (pixel(rect.y, height), pixel(rect.bottom(), height));
    let side = (((x1 - x0) as f32 / BLOCKS_ACROSS) as u32).max(BLOCK_PIXELS_MIN) as usize;
    let is_shown = |x: u32, y: u32| {
        let (x, y) = ((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32);
        subjects.iter().any(|s| (s.x..s.right()).contains(&x) && (s.y..s.bottom()).contains(&y))
    };
    for top in (y0..y1).step_by(side) {
        for left in (x0..x1).step_by(side) {
            let (right, bottom) = ((left + side as u32).min(x1), (top + side as u32).min(y1));
            let mut sum = [0u32; 3];
            for (x, y) in (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))) {
                let pixel = image.get_pixel(x, y);
                sum.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += u32::from(value));
            }
            let count = ((right - left) * (bottom - top)).max(1);
            let mean = Rgb(sum.map(|sum| (sum / count) as u8));
            for (x, y) in (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))) {
                if !is_shown(x, y) {
                    image.put_pixel(x, y, mean);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of black and white, as fine as can be.
    fn stripes() -> RgbImage {
        RgbImage::from_fn(200, 100, |x, _| Rgb([if x % 2 == 0 { 0 } else { 255 }; 3]))
    }

    /// True if a pixel is unchanged.
    fn is_kept(image: &RgbImage, x: u32, y: u32) -> bool {
        image.get_pixel(x, y) == stripes().get_pixel(x, y)
    }

    #[test]
    fn a_mask_covers_all_of_its_polygon_and_nothing_else() {
        let corners = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.9], [0.1, 0.9]];
        let mask = Polygon::new(corners.map(Point::from).to_vec()).unwrap();
        let mut image = stripes();
        let subject = Rect::new(0.0, 0.0, 1.0, 1.0);
        Redaction { masks: &[mask], bystanders: &[] }.cover(&mut image, &[subject]);
        for (x, y, pixel) in image.enumerate_pixels() {
            let inside = (20..80).contains(&x) && (10..90).contains(&y);
            assert_eq!(*pixel == VEIL, inside, "{x} {y}: a mask covers subjects, too");
        }
    }

    #[test]
    fn a_bystander_is_blocks_and_a_subject_in_front_of_it_is_not() {
        let mut image = stripes();
        let bystander = Rect::new(0.2, 0.2, 0.2, 0.6);
        let subject = Rect::new(0.3, 0.2, 0.3, 0.6);
        Redaction { masks: &[], bystanders: &[bystander, Rect::new(0.9, 0.9, 0.5, 0.5)] }
            .cover(&mut image, &[subject]);
        for y in 20..80 {
            for x in 40..59 {
                let grey = image.get_pixel(x, y).0[0];
                assert!((100..=155).contains(&grey), "{x} {y} is a mean of both");
            }
            assert!((60..120).all(|x| is_kept(&image, x, y)), "the subject stays");
            assert!(is_kept(&image, 30, y), "beside it nothing changes");
        }
    }

    #[test]
    fn boxes_that_are_not_on_the_picture_change_nothing() {
        let far =
            [Rect::new(2.0, 2.0, 1.0, 1.0), Rect::new(-3.0, 0.0, 1.0, 1.0), Rect::new(0.5, 0.5, 0.0, 0.0)];
        let mut image = stripes();
        Redaction { masks: &[], bystanders: &far }.cover(&mut image, &[]);
        assert_eq!(image, stripes());
    }
}
