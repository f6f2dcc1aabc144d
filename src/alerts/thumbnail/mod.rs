//! The picture inside an alert: the subject in its surroundings, marked, with place and time, small enough for a slow
//! link. Pure: no I/O. Called by `alerts` for each alert that has a snapshot.

mod caption;
mod font;
mod outline;
mod redaction;

use ab_glyph::FontRef;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use base::alert::{THUMBNAIL_BYTES_MAX, Thumbnail};
use base::detection::Label;
use base::fault::ErrorKind;
use base::geometry::{Point, Polygon, Rect};
use base::language::Language;
use base::picture::Picture;

pub use caption::Caption;
pub use outline::{Outline, OutlineKind};
pub(in crate::alerts) use outline::{RuleOutlines, by_rule};
pub use redaction::Redaction;

/// Width of every thumbnail in pixels.
pub const WIDTH: u32 = 480;
/// Height of every thumbnail in pixels, the caption included.
pub const HEIGHT: u32 = 270;
const CAPTION_HEIGHT: u32 = 26;
const VIEW_HEIGHT: u32 = HEIGHT - CAPTION_HEIGHT;
/// Fraction of the picture's width that is shown at least, so that the viewer recognises the place.
const CONTEXT_MIN: f32 = 0.5;

/// Thumbnails on a sheet at most.
pub const SHEET_MAX: usize = 100;
/// Thumbnails in a row of a sheet.
const SHEET_COLUMNS: usize = 4;

/// Pixels of a dash, and of the gap after it.
const DASH: i32 = 6;
/// Width in pixels of zones and lines on a thumbnail, where they must not hide a subject.
const THIN: f32 = 1.2;
/// Width in pixels of zones and lines on a whole picture.
const THICK: f32 = 2.4;
/// Width in pixels above which a camera's picture is made smaller.
const PICTURE_WIDTH_MAX: u32 = 1920;

const DARK: Rgb<u8> = Rgb([14, 16, 20]);
const BRIGHT: Rgb<u8> = Rgb([255, 214, 10]);

/// Factors by which the picture is softened, each with JPEG qualities to try: the first that fits is taken.
const STEPS: [(u32, &[u8]); 3] = [(1, &[86, 78, 70, 62, 54, 46, 38]), (2, &[60, 45, 30]), (6, &[50, 30, 10])];

/// A subject to be marked.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Bounding box on the picture.
    pub rect: Rect,
    /// Text to write on it: its label and score.
    pub text: String,
    /// True if the subject was not seen there but is expected there: its box is dashed.
    pub predicted: bool,
}

impl Mark {
    /// The mark of a subject with its label and score; a subject that was not seen gets "expected here" for a score.
    pub fn of(language: Language, label: Label, score: f32, rect: Rect, predicted: bool) -> Self {
        let label = language.label(label);
        let text = if predicted {
            format!("{label}, {}", language.choose("dự kiến ở đây", "expected here"))
        } else {
            format!("{label} {:.0}%", score * 100.0)
        };
        Self { rect, text, predicted }
    }
}

/// Errors of drawing a thumbnail.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    /// A picture without pixels.
    #[error("a picture of {0}x{1} pixels has nothing to show: send the alert without a thumbnail")]
    Empty(u32, u32),
    /// The encoder refused.
    #[error("the thumbnail could not be encoded as JPEG: send the alert without it")]
    Encode(#[source] image::ImageError),
    /// Not even the lowest quality fits.
    #[error(
        "the thumbnail has {0} bytes at the lowest quality, {THUMBNAIL_BYTES_MAX} are allowed: send the alert without it"
    )]
    TooLarge(usize),
}

impl ThumbnailError {
    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Bug
    }
}

/// Draws the thumbnail: [`WIDTH`] by [`HEIGHT`] JPEG of at most [`THUMBNAIL_BYTES_MAX`] bytes.
///
/// The subjects stand in the middle of at least half of the picture's width. Without subjects (boxes that are not
/// finite or have no area do not count) the whole picture is shown. `outlines` are drawn thin, below the marks. `redaction`
/// is the redaction. Takes some milliseconds of CPU.
pub fn render(
    picture: &Picture,
    subjects: &[Mark],
    outlines: &[Outline],
    redaction: &Redaction,
    caption: &Caption,
) -> Result<Thumbnail, ThumbnailError> {
    let mut whole = whole(picture)?;
    let marks = drawable(subjects);
    redaction.cover(&mut whole, &marks.iter().map(|mark| mark.rect).collect::<Vec<_>>());
    let (width, height) = whole.dimensions();
    let crop = crop(&marks, width as f32, height as f32);
    let view = cut(&whole, &crop);
    let mut bytes = Vec::new();
    for (softness, qualities) in STEPS {
        let image = compose(&view, softness, &crop, (&marks, outlines), caption);
        for quality in qualities {
            bytes.clear();
            JpegEncoder::new_with_quality(&mut bytes, *quality)
                .encode_image(&image)
                .map_err(ThumbnailError::Encode)?;
            if bytes.len() <= THUMBNAIL_BYTES_MAX {
                return Ok(Thumbnail(bytes));
            }
        }
    }
    Err(ThumbnailError::TooLarge(bytes.len()))
}

/// The whole picture in its own pixels, redacted. `subjects` stay visible where bystanders overlap them. Takes some milliseconds of
/// CPU.
pub(in crate::alerts) fn redacted(
    picture: &Picture,
    redaction: &Redaction,
    subjects: &[Rect],
) -> Result<RgbImage, ThumbnailError> {
    let mut image = whole(picture)?;
    redaction.cover(&mut image, subjects);
    Ok(image)
}

/// Draws outlines and marks into the whole picture, at most 1920 pixels wide: a JPEG for a person who tunes rules. Nothing is shown
/// of `privacy_masks`. Takes some milliseconds of CPU.
pub fn annotate(
    picture: &Picture,
    subjects: &[Mark],
    outlines: &[Outline],
    privacy_masks: &[Polygon],
) -> Result<Vec<u8>, ThumbnailError> {
    let mut image = whole(picture)?;
    Redaction { masks: privacy_masks, bystanders: &[] }.cover(&mut image, &[]);
    if image.width() > PICTURE_WIDTH_MAX {
        let height = (image.height() * PICTURE_WIDTH_MAX / image.width()).max(1);
        image = imageops::resize(&image, PICTURE_WIDTH_MAX, height, FilterType::Triangle);
    }
    let (width, height) = image.dimensions();
    let font = font::embedded();
    let pixel = |point: Point| [point.x * width as f32, point.y * height as f32];
    outline::draw(&mut image, (width, height), outlines, pixel, THICK, Some(&font));
    let place = |rect: &Rect| {
        let (w, h) = (width as f32, height as f32);
        [rect.x * w, rect.y * h, rect.right() * w, rect.bottom() * h]
    };
    let marks = drawable(subjects);
    marks.iter().for_each(|mark| frame(&mut image, (width, height), place(&mark.rect), mark.predicted));
    marks.iter().for_each(|mark| tag(&mut image, (width, height), &font, place(&mark.rect), &mark.text));
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&image).map_err(ThumbnailError::Encode)?;
    Ok(bytes)
}

/// Several thumbnails on one JPEG, four in a row; at most [`SHEET_MAX`], the first ones. `None` without any.
pub fn sheet(thumbnails: &[&Thumbnail]) -> Result<Option<Vec<u8>>, ThumbnailError> {
    let shown = thumbnails.len().min(SHEET_MAX);
    let columns = shown.min(SHEET_COLUMNS) as u32;
    let rows = shown.div_ceil(SHEET_COLUMNS) as u32;
    if shown == 0 {
        return Ok(None);
    }
    let mut image = RgbImage::from_pixel(columns * WIDTH, rows * HEIGHT, DARK);
    for (number, thumbnail) in thumbnails.iter().take(shown).enumerate() {
        let part = image::load_from_memory(&thumbnail.0).map_err(ThumbnailError::Encode)?.to_rgb8();
        let (column, row) = ((number % SHEET_COLUMNS) as u32, (number / SHEET_COLUMNS) as u32);
        imageops::replace(&mut image, &part, i64::from(column * WIDTH), i64::from(row * HEIGHT));
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&image).map_err(ThumbnailError::Encode)?;
    Ok(Some(bytes))
}

fn whole(picture: &Picture) -> Result<RgbImage, ThumbnailError> {
    let (width, height) = (picture.width(), picture.height());
    if width == 0 || height == 0 {
        return Err(ThumbnailError::Empty(width, height));
    }
    Ok(RgbImage::from_raw(width, height, picture.to_rgb()).expect("to_rgb gives 3 bytes per pixel"))
}

/// The marks that have a place on the picture, cut to it.
fn drawable(subjects: &[Mark]) -> Vec<Mark> {
    subjects
        .iter()
        .filter(|mark| <[f32; 4]>::from(mark.rect).iter().all(|v| v.is_finite()))
        .map(|mark| Mark { rect: mark.rect.clamped(), ..mark.clone() })
        .filter(|mark| mark.rect.area() > 0.0)
        .collect()
}

/// The part that is shown, in pixels of the picture; may reach beyond it where the picture has another shape.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Crop {
    x: f32,
    y: f32,
    w: f32,
    h: f32,
    /// Size of the picture in pixels; the marks are fractions of it.
    picture: [f32; 2],
}

impl Crop {
    /// A point in pixels of the thumbnail.
    fn point(&self, point: Point) -> [f32; 2] {
        let [x, y, ..] = self.place(&Rect::new(point.x, point.y, 0.0, 0.0));
        [x, y]
    }

    /// A box in pixels of the thumbnail: left, top, right, bottom.
    fn place(&self, rect: &Rect) -> [f32; 4] {
        let (sx, sy) = (WIDTH as f32 / self.w, VIEW_HEIGHT as f32 / self.h);
        let [pw, ph] = self.picture;
        [
            (rect.x * pw - self.x) * sx,
            (rect.y * ph - self.y) * sy,
            (rect.right() * pw - self.x) * sx,
            (rect.bottom() * ph - self.y) * sy,
        ]
    }
}

fn crop(marks: &[Mark], width: f32, height: f32) -> Crop {
    let shape = WIDTH as f32 / VIEW_HEIGHT as f32;
    let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
    let subject = marks.iter().map(|m| m.rect).reduce(|a, b| a.union(&b)).unwrap_or(whole);
    // As wide as the context asks for, never wider or higher than the whole picture with its margin.
    let widest = width.max(height * shape);
    let wanted = (subject.w * width * 1.4).max(subject.h * height * 1.3 * shape).max(width * CONTEXT_MIN);
    let w = wanted.min(widest);
    let h = w / shape;
    let centre = subject.centre();
    let along = |middle: f32, size: f32, room: f32| {
        if size >= room { (room - size) / 2.0 } else { (middle - size / 2.0).clamp(0.0, room - size) }
    };
    Crop {
        x: along(centre.x * width, w, width),
        y: along(centre.y * height, h, height),
        w,
        h,
        picture: [width, height],
    }
}

/// The cropped part, scaled to the view; dark where the crop reaches beyond the picture.
fn cut(whole: &RgbImage, crop: &Crop) -> RgbImage {
    let mut view = RgbImage::from_pixel(WIDTH, VIEW_HEIGHT, DARK);
    let (x0, y0) = (crop.x.max(0.0), crop.y.max(0.0));
    let (x1, y1) = ((crop.x + crop.w).min(crop.picture[0]), (crop.y + crop.h).min(crop.picture[1]));
    let (w, h) = (((x1 - x0).round() as u32).max(1), ((y1 - y0).round() as u32).max(1));
    let part = imageops::crop_imm(whole, x0 as u32, y0 as u32, w, h).to_image();
    let scale = WIDTH as f32 / crop.w;
    let size = |pixels: f32, limit: u32| ((pixels * scale).round() as u32).clamp(1, limit);
    let scaled =
        imageops::resize(&part, size(x1 - x0, WIDTH), size(y1 - y0, VIEW_HEIGHT), FilterType::Triangle);
    let (left, top) = (((x0 - crop.x) * scale) as i64, ((y0 - crop.y) * scale) as i64);
    imageops::replace(&mut view, &scaled, left, top);
    view
}

fn compose(
    view: &RgbImage,
    softness: u32,
    crop: &Crop,
    (marks, outlines): (&[Mark], &[Outline]),
    caption: &Caption,
) -> RgbImage {
    let font = font::embedded();
    let mut image = RgbImage::from_pixel(WIDTH, HEIGHT, DARK);
    if softness > 1 {
        let small = imageops::resize(view, WIDTH / softness, VIEW_HEIGHT / softness, FilterType::Triangle);
        imageops::replace(
            &mut image,
            &imageops::resize(&small, WIDTH, VIEW_HEIGHT, FilterType::Triangle),
            0,
            0,
        );
    } else {
        imageops::replace(&mut image, view, 0, 0);
    }
    outline::draw(&mut image, (WIDTH, VIEW_HEIGHT), outlines, |point| crop.point(point), THIN, None);
    for mark in marks {
        frame(&mut image, (WIDTH, VIEW_HEIGHT), crop.place(&mark.rect), mark.predicted);
    }
    for mark in marks {
        tag(&mut image, (WIDTH, VIEW_HEIGHT), &font, crop.place(&mark.rect), &mark.text);
    }
    caption::write(&mut image, &font, caption);
    image
}

/// A box of two lines: dark outside, bright inside, so that it shows on any ground.
/// `view` is the part of the image, from its left top corner, that boxes may be drawn on. A dashed one lets the picture
/// through between its dashes.
fn frame(image: &mut RgbImage, view: (u32, u32), [x0, y0, x1, y1]: [f32; 4], dashed: bool) {
    let (right, bottom) = (view.0 as i32 - 1, view.1 as i32 - 1);
    let [x0, x1] = [x0, x1].map(|x| (x.round() as i32).clamp(0, right));
    let [y0, y1] = [y0, y1].map(|y| (y.round() as i32).clamp(0, bottom));
    for (inset, colour) in [(-2, DARK), (-1, DARK), (0, BRIGHT), (1, BRIGHT)] {
        let (l, t, r, b) = (x0 + inset, y0 + inset, x1 - inset, y1 - inset);
        // The box keeps all of its sides also at the picture's border.
        let (l, t, r, b) = (l.clamp(0, right), t.clamp(0, bottom), r.clamp(0, right), b.clamp(0, bottom));
        if l > r || t > b {
            continue;
        }
        let is_drawn = |at: &i32| !dashed || at % (2 * DASH) < DASH;
        for x in (l..=r).filter(is_drawn) {
            image.put_pixel(x as u32, t as u32, colour);
            image.put_pixel(x as u32, b as u32, colour);
        }
        for y in (t..=b).filter(is_drawn) {
            image.put_pixel(l as u32, y as u32, colour);
            image.put_pixel(r as u32, y as u32, colour);
        }
    }
}

/// The mark's text on a dark ground, above the box, or inside of it where there is no room above.
fn tag(image: &mut RgbImage, view: (u32, u32), font: &FontRef, [x0, y0, ..]: [f32; 4], words: &str) {
    const SIZE: f32 = 15.0;
    let (width, height) = (view.0 as f32, view.1 as f32);
    if words.is_empty() || width < 40.0 || height < 20.0 {
        return;
    }
    let words = font::shortened(font, SIZE, words, width * 0.6);
    let (w, h) = (font::width(font, SIZE, &words).ceil() + 8.0, 17.0);
    let left = (x0 - 2.0).clamp(0.0, (width - w).max(0.0));
    let top = if y0 - 2.0 - h >= 0.0 { y0 - 2.0 - h } else { y0.max(0.0) + 2.0 };
    let top = top.min(height - h);
    for y in top as u32..(top + h) as u32 {
        for x in left as u32..((left + w) as u32).min(view.0) {
            image.put_pixel(x, y, DARK);
        }
    }
    font::write(image, font, SIZE, (left + 4.0, top + 1.0), BRIGHT, &words);
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::picture::{Colour, PixelFormat};

    fn caption() -> Caption {
        Caption { place: "Ngã tư Lê Lợi – Đồng Khởi".into(), when: "2026-05-01 22:14:03".into() }
    }

    fn mark(x: f32, y: f32, w: f32, h: f32) -> Mark {
        Mark { rect: Rect::new(x, y, w, h), text: "two-wheeler 0.87".into(), predicted: false }
    }

    fn grey(width: u32, height: u32) -> Picture {
        let samples = vec![128; Picture::byte_count(width, height)];
        Picture::new(width, height, PixelFormat::I420, Colour::default(), samples).unwrap()
    }

    fn decode(thumbnail: &Thumbnail) -> RgbImage {
        assert!(thumbnail.0.len() <= THUMBNAIL_BYTES_MAX);
        let image = image::load_from_memory(&thumbnail.0).unwrap().to_rgb8();
        assert_eq!((image.width(), image.height()), (WIDTH, HEIGHT));
        image
    }

    fn is_bright(pixel: &Rgb<u8>) -> bool {
        pixel[0] > 170 && pixel[1] > 130 && pixel[2] < 110
    }

    #[test]
    fn even_noise_fits() {
        let mut state = 1u32;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        for (width, height) in [(640, 360), (1920, 1080)] {
            let samples: Vec<u8> = (0..Picture::byte_count(width, height)).map(|_| noise()).collect();
            let picture = Picture::new(width, height, PixelFormat::Nv12, Colour::default(), samples).unwrap();
            let subjects: Vec<Mark> = (0..12).map(|i| mark(0.07 * i as f32, 0.3, 0.1, 0.3)).collect();
            decode(&render(&picture, &subjects, &[], &Redaction::default(), &caption()).unwrap());
        }
    }

    #[test]
    fn a_subject_anywhere_is_inside_the_view_with_its_box() {
        for (x, y) in [(0.0, 0.0), (0.95, 0.0), (0.0, 0.85), (0.95, 0.85), (0.4, 0.5), (-0.2, 0.9)] {
            let subject = mark(x, y, 0.3, 0.3);
            let view = crop(&[Mark { rect: subject.rect.clamped(), ..subject.clone() }], 640.0, 360.0);
            assert!(view.x >= 0.0 && view.y >= 0.0 && view.x + view.w <= 640.1 && view.y + view.h <= 360.1);
            assert!(view.w >= 320.0);
            let [x0, y0, x1, y1] = view.place(&subject.rect.clamped());
            assert!(x0 >= -0.1 && y0 >= -0.1 && x1 <= WIDTH as f32 + 0.1 && y1 <= VIEW_HEIGHT as f32 + 0.1);
            let image =
                decode(&render(&grey(640, 360), &[subject], &[], &Redaction::default(), &caption()).unwrap());
            let (cx, cy) = (((x0 + x1) / 2.0) as u32, ((y0 + y1) / 2.0) as u32);
            let column = (0..VIEW_HEIGHT).filter(|y| is_bright(image.get_pixel(cx.min(479), *y))).count();
            let row = (0..WIDTH).filter(|x| is_bright(image.get_pixel(*x, cy.min(VIEW_HEIGHT - 1)))).count();
            assert!(column >= 2 && row >= 2, "the box of ({x}, {y}) is drawn: {column}, {row}");
        }
    }

    #[test]
    fn what_is_only_expected_is_dashed() {
        let drawn = |predicted: bool| {
            let subject = Mark { predicted, text: String::new(), ..mark(0.3, 0.3, 0.3, 0.4) };
            let image =
                decode(&render(&grey(640, 360), &[subject], &[], &Redaction::default(), &caption()).unwrap());
            image.pixels().filter(|pixel| is_bright(pixel)).count()
        };
        let (seen, expected) = (drawn(false), drawn(true));
        assert!(expected * 10 > seen * 3 && expected * 10 < seen * 7, "{expected} of {seen} pixels");
        let mark = |language, predicted| Mark::of(language, Label::Car, 0.5, Rect::default(), predicted).text;
        let both = |language| [mark(language, false), mark(language, true)];
        assert_eq!(both(Language::English), ["car 50%", "car, expected here"]);
        assert_eq!(both(Language::Vietnamese), ["ô tô 50%", "ô tô, dự kiến ở đây"]);
    }

    #[test]
    fn the_zone_of_a_rule_is_drawn_thin_and_below_the_marks() {
        let corners = [[0.35, 0.35], [0.65, 0.35], [0.65, 0.65], [0.35, 0.65]];
        let points = corners.map(Point::from).to_vec();
        let zone = Outline { kind: OutlineKind::Zone, points, label: "yard".into() };
        let subject = mark(0.45, 0.3, 0.1, 0.2);
        let drawn = |outlines: &[Outline]| {
            let subject = std::slice::from_ref(&subject);
            decode(&render(&grey(640, 360), subject, outlines, &Redaction::default(), &caption()).unwrap())
        };
        let (with, without) = (drawn(&[zone]), drawn(&[]));
        let is_other = |x: u32, y: u32| {
            let (one, other) = (with.get_pixel(x, y), without.get_pixel(x, y));
            one.0.iter().zip(other.0).any(|(one, other)| one.abs_diff(other) > 40)
        };
        let changed = (0..VIEW_HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        let changed = changed.filter(|(x, y)| is_other(*x, *y)).count();
        let all = (WIDTH * VIEW_HEIGHT) as usize;
        assert!(changed > 300 && changed < all / 30, "{changed} of {all} pixels");
        let crop = crop(std::slice::from_ref(&subject), 640.0, 360.0);
        let [x, y] = crop.point(Point::new(0.65, 0.5));
        assert!((-2..=2).any(|step| is_other((x as i32 + step) as u32, y as u32)), "its right edge is there");
        let [x, y] = crop.point(Point::new(0.5, 0.5));
        assert!(!is_other(x as u32, y as u32), "the subject stays visible");
    }

    #[test]
    fn all_sizes_and_bad_boxes_give_a_picture() {
        let bad = [
            mark(f32::NAN, 0.0, 0.1, 0.1),
            mark(0.5, 0.5, 0.0, 0.1),
            mark(5.0, 5.0, 1.0, 1.0),
            mark(0.2, 0.2, f32::INFINITY, 0.1),
            mark(0.0, 0.0, 1.0, 1.0),
        ];
        for (width, height) in [(1, 1), (7, 3), (3, 501), (641, 361), (352, 288), (360, 640)] {
            decode(&render(&grey(width, height), &bad, &[], &Redaction::default(), &caption()).unwrap());
            decode(&render(&grey(width, height), &[], &[], &Redaction::default(), &caption()).unwrap());
        }
        let empty = render(&grey(0, 0), &[], &[], &Redaction::default(), &caption()).unwrap_err();
        assert!(matches!(empty, ThumbnailError::Empty(0, 0)));
    }

    #[test]
    fn long_names_leave_the_time_readable() {
        let long = Caption {
            place: "Trường Tiểu học Nguyễn Bỉnh Khiêm ".repeat(5), when: caption().when
        };
        let short = Caption { place: "x".into(), when: caption().when };
        let right = |caption: &Caption| {
            let image = decode(&render(&grey(64, 36), &[], &[], &Redaction::default(), caption).unwrap());
            imageops::crop_imm(&image, 350, VIEW_HEIGHT + 2, 125, 22).to_image()
        };
        let differing = right(&long)
            .pixels()
            .zip(right(&short).pixels())
            .filter(|(a, b)| a[0].abs_diff(b[0]) > 40)
            .count();
        assert!(differing < 20, "{differing} pixels of the time differ");
    }
}
