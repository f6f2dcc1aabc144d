//! Drawing of stills: redacted as thumbnails are, cut, and encoded within a number of bytes. Pure.

use image::RgbImage;
use image::imageops::{self, FilterType};
use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};

use super::plan;
use crate::alerts::thumbnail::{self, Redaction, ThumbnailError};
use base::geometry::{Polygon, Rect};
use base::picture::Picture;
use base::still::{STILL_BYTES_MAX, STILLS_BYTES_MAX};

/// Longest side of a still in pixels.
const SIDE_MAX: u32 = 1280;
/// JPEG qualities in the order in which they are tried, before the size is reduced.
const QUALITIES: [u8; 4] = [82, 68, 54, 40];
/// Sizes that are tried, as fractions of the first one.
const SIZES: [f32; 8] = [1.0, 0.75, 0.6, 0.5, 0.4, 0.3, 0.2, 0.125];
/// An encoded picture that is larger by this factor does not fit in a lower quality either.
const HOPELESS: usize = 4;

/// A decoded picture, and the parts of it that are not to be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub picture: &'a Picture,
    pub masks: &'a [Polygon],
    pub bystanders: &'a [Rect],
    /// Stays visible where a bystander overlaps it.
    pub subject: Option<Rect>,
}

impl Scene<'_> {
    /// The whole picture, redacted, in the pixels of the stream.
    pub fn redacted(&self) -> Result<RgbImage, ThumbnailError> {
        let redaction = Redaction { masks: self.masks, bystanders: self.bystanders };
        thumbnail::redacted(self.picture, &redaction, self.subject.as_slice())
    }
}

/// The whole picture, not larger than a still may be.
pub(super) fn whole(redacted: &RgbImage) -> RgbImage {
    fitted(redacted.clone())
}

/// The part of a redacted picture around a box; `None` for a box that is not on it.
pub(super) fn part(redacted: &RgbImage, subject: Rect) -> Option<RgbImage> {
    let [left, top, width, height] = plan::crop(subject, redacted.dimensions())?;
    Some(fitted(imageops::crop_imm(redacted, left, top, width, height).to_image()))
}

fn fitted(image: RgbImage) -> RgbImage {
    let longest = image.width().max(image.height());
    if longest <= SIDE_MAX { image } else { resized(&image, SIDE_MAX as f32 / longest as f32) }
}

fn resized(image: &RgbImage, factor: f32) -> RgbImage {
    let side = |pixels: u32| ((pixels as f32 * factor).round() as u32).max(1);
    imageops::resize(image, side(image.width()), side(image.height()), FilterType::Triangle)
}

/// Bytes that one still may have, where `used` of all are taken and `left` stills are to come, itself included.
pub(super) fn share(used: usize, left: usize) -> usize {
    (STILLS_BYTES_MAX.saturating_sub(used) / left.max(1)).min(STILL_BYTES_MAX)
}

/// Encodes a picture within `bytes_max`: the best quality first, then a smaller size. `None` where nothing fits.
pub(super) fn encode(image: &RgbImage, bytes_max: usize) -> Result<Option<Vec<u8>>, EncodingError> {
    for size in SIZES {
        let scaled = (size < 1.0).then(|| resized(image, size));
        let image = scaled.as_ref().unwrap_or(image);
        for quality in QUALITIES {
            let bytes = jpeg(image, quality)?;
            if bytes.len() <= bytes_max {
                return Ok(Some(bytes));
            }
            if bytes.len() > HOPELESS * bytes_max {
                break;
            }
        }
    }
    Ok(None)
}

/// A JPEG of this quality, with halved chroma. The picture has at most [`SIDE_MAX`] pixels a side.
fn jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    // A grey picture, as of a camera at night, with tables of its own is read as green by the `image` crate.
    encoder.set_optimized_huffman_tables(false);
    let [width, height] = [image.width(), image.height()].map(|side| side.min(SIDE_MAX) as u16);
    encoder.encode(image.as_raw(), width, height, ColorType::Rgb)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::geometry::Point;
    use image::Rgb;

    fn noise(width: u32, height: u32) -> RgbImage {
        let mut state = 7u32;
        RgbImage::from_fn(width, height, |_, _| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            Rgb([state as u8, (state >> 8) as u8, (state >> 16) as u8])
        })
    }

    /// Fine columns, which no redaction leaves.
    fn stripes() -> Picture {
        let rgb = RgbImage::from_fn(640, 360, |x, _| Rgb([if x % 8 < 4 { 20 } else { 230 }; 3]));
        Picture::from_rgb(640, 360, rgb.as_raw()).unwrap()
    }

    /// Contrast of a row of pixels in a decoded still.
    fn contrast(image: &RgbImage, from: u32, to: u32, y: u32) -> u8 {
        let row = (from..to).map(|x| image.get_pixel(x, y).0[0]);
        row.clone().max().unwrap() - row.min().unwrap()
    }

    fn decoded(image: &RgbImage) -> RgbImage {
        let bytes = encode(image, usize::MAX).unwrap().unwrap();
        image::load_from_memory(&bytes).unwrap().to_rgb8()
    }

    #[test]
    fn three_stills_of_noise_are_within_their_bytes_and_the_best_is_tried_first() {
        let (mut used, noisy) = (0, [noise(300, 400), noise(1280, 720), noise(1280, 720)]);
        for (place, image) in noisy.iter().enumerate() {
            let bytes = encode(image, share(used, 3 - place)).unwrap().unwrap();
            assert!(bytes.len() <= STILL_BYTES_MAX);
            used += bytes.len();
        }
        assert!(used <= STILLS_BYTES_MAX, "{used}");
        assert!(used > STILLS_BYTES_MAX / 4, "the room is used: {used}");
        let plain = RgbImage::from_pixel(1280, 720, Rgb([90, 120, 60]));
        let bytes = encode(&plain, share(0, 3)).unwrap().unwrap();
        assert!(bytes == jpeg(&plain, QUALITIES[0]).unwrap(), "an easy picture keeps size and quality");
        assert_eq!(encode(&noisy[0], 100).unwrap(), None);
    }

    #[test]
    fn a_still_takes_the_room_that_others_leave() {
        assert_eq!(share(0, 3), 20 * 1024);
        assert_eq!(share(4 * 1024, 2), STILL_BYTES_MAX);
        assert_eq!(share(STILLS_BYTES_MAX, 1), 0);
    }

    #[test]
    fn masks_and_bystanders_are_covered_on_the_whole_picture_and_on_the_crop() {
        let corners = [[0.0, 0.0], [0.25, 0.0], [0.25, 1.0], [0.0, 1.0]];
        let mask = Polygon::new(corners.map(Point::from).to_vec()).unwrap();
        let (picture, subject) = (stripes(), Rect::new(0.5, 0.25, 0.1, 0.5));
        let bystander = Rect::new(0.7, 0.25, 0.2, 0.5);
        let scene = Scene {
            picture: &picture,
            masks: std::slice::from_ref(&mask),
            bystanders: &[bystander],
            subject: Some(subject),
        };
        let redacted = scene.redacted().unwrap();
        let still = decoded(&whole(&redacted));
        assert_eq!(still.dimensions(), (640, 360));
        assert!(contrast(&still, 8, 150, 180) < 30, "the mask is one colour");
        assert!(contrast(&still, 324, 380, 180) > 150, "the subject is sharp");
        assert!(contrast(&still, 456, 568, 180) < 60, "the bystander is coarse");
        assert!(contrast(&still, 600, 638, 180) > 150, "beside it nothing is hidden");
        assert!(
            still
                .pixels()
                .all(|Rgb([red, green, blue])| red.abs_diff(*green) < 20 && blue.abs_diff(*green) < 20),
            "grey stays grey"
        );

        // A crop that reaches over both.
        let crop = decoded(&part(&redacted, Rect::new(0.2, 0.3, 0.6, 0.4)).unwrap());
        assert!(crop.width() > 600 && contrast(&crop, 4, 140, crop.height() / 2) < 30);
        assert!(contrast(&crop, 456, 560, crop.height() / 2) < 60);
        let own = decoded(&part(&redacted, subject).unwrap());
        assert!(own.width() < 200, "in the pixels of the stream: {}", own.width());
        assert!(contrast(&own, own.width() / 2 - 20, own.width() / 2 + 20, own.height() / 2) > 150);
    }

    #[test]
    fn no_still_is_larger_than_its_longest_side() {
        let large = RgbImage::new(2560, 1440);
        assert_eq!(whole(&large).dimensions(), (1280, 720));
        let crop = part(&large, Rect::new(0.1, 0.1, 0.8, 0.8)).unwrap();
        assert_eq!(crop.width().max(crop.height()), SIDE_MAX);
        assert_eq!(part(&large, Rect::new(2.0, 2.0, 0.1, 0.1)), None);
    }
}
