//! The caption below the picture of a thumbnail: place and time.

use ab_glyph::FontRef;
use image::{Rgb, RgbImage};

use super::{CAPTION_HEIGHT, VIEW_HEIGHT, WIDTH, font};

const WHITE: Rgb<u8> = Rgb([245, 245, 242]);
const GREY: Rgb<u8> = Rgb([178, 184, 190]);

/// Text below the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// The camera's or the place's name.
    pub place: String,
    /// Local time.
    pub when: String,
}

/// Writes the caption below the view: the place on the left, the time on the right.
pub(super) fn write(image: &mut RgbImage, font: &FontRef, caption: &Caption) {
    const SIZE: f32 = 17.0;
    const MARGIN: f32 = 8.0;
    let top = VIEW_HEIGHT as f32 + (CAPTION_HEIGHT as f32 - SIZE) / 2.0;
    let when = font::shortened(font, SIZE, &caption.when, WIDTH as f32 * 0.6);
    let when_left = WIDTH as f32 - MARGIN - font::width(font, SIZE, &when);
    let place = font::shortened(font, SIZE, &caption.place, when_left - 2.0 * MARGIN);
    font::write(image, font, SIZE, (MARGIN, top), WHITE, &place);
    font::write(image, font, SIZE, (when_left, top), GREY, &when);
}
