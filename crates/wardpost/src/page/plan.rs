//! Plans that a ward uploads: decoded within bounds, turned upright, made small enough, and encoded anew. Nothing of the file itself
//! is stored or served. Pure.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits, Rgb, RgbImage};
use sha2::{Digest as _, Sha256};

use crate::people::secret::hexadecimal;
use crate::storage::NewPlan;

/// Maximum length of an uploaded file, in bytes: a photograph of a telephone.
pub(super) const PLAN_BYTES_MAX: usize = 12 * 1024 * 1024;
/// Maximum width and height of an uploaded picture, in pixels.
const UPLOADED_SIDE_MAX: u32 = 8192;
/// Maximum number of pixels of an uploaded picture.
const UPLOADED_PIXELS_MAX: u64 = 24_000_000;
/// Maximum memory that decoding may take, in bytes.
const DECODING_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Maximum width and height of a stored plan, in pixels.
const STORED_SIDE_MAX: u32 = 2400;
/// Quality of the stored JPEG.
const QUALITY: u8 = 88;

/// Reason for which a file is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    /// It is no PNG or JPEG, or does not decode.
    #[error("the file is no PNG or JPEG that decodes: {0}")]
    Undecodable(#[from] image::ImageError),
    /// It has another format.
    #[error("the file is neither PNG nor JPEG")]
    Format,
    /// It has too many pixels, or none.
    #[error("the picture has {0}x{1} pixels")]
    Size(u32, u32),
}

/// The plan in a file of the ward.
///
/// # Errors
/// The file is no PNG or JPEG, does not decode, or is too large.
pub(super) fn read(file: &[u8]) -> Result<NewPlan, PlanError> {
    let mut reader =
        ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(image::ImageError::from)?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(PlanError::Format);
    }
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(UPLOADED_SIDE_MAX), Some(UPLOADED_SIDE_MAX));
    limits.max_alloc = Some(DECODING_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 || u64::from(width) * u64::from(height) > UPLOADED_PIXELS_MAX {
        return Err(PlanError::Size(width, height));
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    if picture.width().max(picture.height()) > STORED_SIDE_MAX {
        picture = picture.thumbnail(STORED_SIDE_MAX, STORED_SIDE_MAX);
    }
    encode(&on_white(&picture))
}

/// The plan of a picture.
///
/// # Errors
/// The picture cannot be encoded.
pub(super) fn encode(picture: &RgbImage) -> Result<NewPlan, PlanError> {
    let mut jpeg = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))?;
    let sha256 = hexadecimal(&Sha256::digest(&jpeg));
    Ok(NewPlan { width: picture.width(), height: picture.height(), jpeg, sha256 })
}

/// The picture without transparency, as on paper.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let whole = picture.to_rgba8();
    RgbImage::from_fn(whole.width(), whole.height(), |x, y| {
        let [red, green, blue, alpha] = whole.get_pixel(x, y).0.map(u32::from);
        let over_white = |part: u32| ((part * alpha + 255 * (255 - alpha)) / 255) as u8;
        Rgb([red, green, blue].map(over_white))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    #[test]
    fn a_plan_is_encoded_anew_and_nothing_foreign_stays() {
        let picture = DynamicImage::ImageRgb8(RgbImage::from_pixel(40, 30, Rgb([200, 30, 30])));
        let mut png = file(&picture, ImageFormat::Png);
        png.extend_from_slice(b"<script>alert(1)</script>");
        for file in [png, file(&picture, ImageFormat::Jpeg)] {
            let plan = read(&file).unwrap();
            assert_eq!((plan.width, plan.height, plan.sha256.len()), (40, 30, 64));
            let stored =
                image::load_from_memory_with_format(&plan.jpeg, ImageFormat::Jpeg).unwrap().to_rgb8();
            assert!(stored.get_pixel(20, 15).0[0] > 180 && stored.get_pixel(20, 15).0[1] < 60);
            assert!(!plan.jpeg.windows(8).any(|part| part == b"<script>"));
        }
    }

    #[test]
    fn what_is_transparent_becomes_paper() {
        let picture =
            DynamicImage::ImageRgba8(image::RgbaImage::from_pixel(16, 16, image::Rgba([0, 0, 0, 0])));
        let plan = read(&file(&picture, ImageFormat::Png)).unwrap();
        let stored = image::load_from_memory(&plan.jpeg).unwrap().to_rgb8();
        assert!(stored.get_pixel(8, 8).0.iter().all(|part| *part > 250));
    }

    #[test]
    fn a_large_plan_is_stored_smaller() {
        let picture = DynamicImage::ImageLuma8(image::GrayImage::new(3000, 1000));
        let plan = read(&file(&picture, ImageFormat::Png)).unwrap();
        assert_eq!((plan.width, plan.height), (2400, 800));
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let wide = DynamicImage::ImageLuma8(image::GrayImage::new(8193, 1));
        let large = DynamicImage::ImageLuma8(image::GrayImage::new(6000, 4001));
        let whole = file(&DynamicImage::ImageLuma8(image::GrayImage::new(64, 64)), ImageFormat::Png);
        for (name, file) in [
            ("nothing", Vec::new()),
            ("a text", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
            ("a GIF", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec()),
            ("too wide", file(&wide, ImageFormat::Png)),
            ("too many pixels", file(&large, ImageFormat::Png)),
            ("half of a file", whole[..whole.len() / 2].to_vec()),
        ] {
            assert!(read(&file).is_err(), "{name}");
        }
    }
}
