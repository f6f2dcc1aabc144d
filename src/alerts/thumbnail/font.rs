//! One line of text on an image, in a font that has every Vietnamese letter.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

/// DejaVu Sans Condensed, embedded.
pub(super) fn embedded() -> FontRef<'static> {
    FontRef::try_from_slice(dejavu::sans_condensed::regular()).expect("the embedded font is whole")
}

/// Width of a line in pixels; `size` is its height in pixels.
pub(super) fn width(font: &FontRef, size: f32, text: &str) -> f32 {
    let font = font.as_scaled(PxScale::from(size));
    text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
}

/// The text, or as much of it as fits into `width_max` pixels with an ellipsis.
pub(super) fn shortened(font: &FontRef, size: f32, text: &str, width_max: f32) -> String {
    if width(font, size, text) <= width_max {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    loop {
        let mut line: String = kept.iter().collect::<String>().trim_end().to_owned();
        line.push('…');
        if kept.pop().is_none() || width(font, size, &line) <= width_max {
            return line;
        }
    }
}

/// Writes a line, its top left corner at `at`; pixels outside of the image are left out.
pub(super) fn write(
    image: &mut RgbImage,
    font: &FontRef,
    size: f32,
    at: (f32, f32),
    rgb: Rgb<u8>,
    text: &str,
) {
    let scaled = font.as_scaled(PxScale::from(size));
    let mut x = at.0;
    for c in text.chars() {
        let id = scaled.glyph_id(c);
        let glyph = id.with_scale_and_position(size, point(x, at.1 + scaled.ascent()));
        x += scaled.h_advance(id);
        let Some(outline) = font.outline_glyph(glyph) else { continue };
        let (left, top) = (outline.px_bounds().min.x, outline.px_bounds().min.y);
        outline.draw(|dx, dy, cover| {
            let (px, py) = (left + dx as f32, top + dy as f32);
            if px < 0.0 || py < 0.0 || px >= image.width() as f32 || py >= image.height() as f32 {
                return;
            }
            let pixel = image.get_pixel_mut(px as u32, py as u32);
            for (old, new) in pixel.0.iter_mut().zip(rgb.0) {
                *old = (f32::from(*old) + (f32::from(new) - f32::from(*old)) * cover.min(1.0)) as u8;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vietnamese_letter_has_a_glyph() {
        let font = embedded();
        let bases = "aăâbcdđeêghiklmnoôơpqrstuưvxyAĂÂBCDĐEÊGHIKLMNOÔƠPQRSTUƯVXY";
        let toned = "áàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ";
        let upper = toned.to_uppercase();
        for c in bases.chars().chain(toned.chars()).chain(upper.chars()).chain("–…0123456789:-.".chars())
        {
            assert_ne!(font.glyph_id(c).0, 0, "no glyph for {c}");
        }
    }

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis_and_fits() {
        let font = embedded();
        let long = "Đồng Khởi ".repeat(20);
        let line = shortened(&font, 17.0, &long, 200.0);
        assert!(line.ends_with('…') && width(&font, 17.0, &line) <= 200.0);
        assert_eq!(shortened(&font, 17.0, "Lê Lợi", 200.0), "Lê Lợi");
        assert_eq!(shortened(&font, 17.0, "x", 0.0), "…");
    }
}
