//! The key frames with their subjects, to be checked by eye.

use std::path::Path;

use base::detection::Label;
use base::geometry::Rect;

use super::clip::{frames, path};
use super::clips::clips;

/// Writes a JPEG for each key frame to `folder`: red persons, green two-wheelers, blue cars, magenta large vehicles.
pub fn keys(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for clip in clips() {
        let mut keys = clip.keys.iter().peekable();
        for frame in frames(&path(&clip.name)) {
            let second = frame.pts.0 as f64 * 1e-9;
            let Some(key) = keys.next_if(|key| second + 0.01 >= key.second) else { continue };
            let (w, h) = (frame.picture.width(), frame.picture.height());
            let mut picture = image::RgbImage::from_raw(w, h, frame.picture.to_rgb()).unwrap();
            key.subjects
                .iter()
                .for_each(|subject| outline(&mut picture, &subject.rect, colour(subject.label)));
            let file = folder.join(format!("{}_{}.jpg", clip.name, key.second));
            picture.save(&file).unwrap();
            println!("{}", file.display());
        }
    }
}

fn colour(label: Label) -> [u8; 3] {
    match label {
        Label::Person => [255, 0, 0],
        Label::TwoWheeler => [0, 255, 0],
        Label::Car => [0, 128, 255],
        Label::LargeVehicle | Label::Moving => [255, 0, 255],
    }
}

fn outline(picture: &mut image::RgbImage, rect: &Rect, colour: [u8; 3]) {
    let (w, h) = (picture.width(), picture.height());
    let at = |part: f32, side: u32| ((part * side as f32) as u32).min(side - 1);
    let (left, right) = (at(rect.x, w), at(rect.right(), w));
    let (top, bottom) = (at(rect.y, h), at(rect.bottom(), h));
    let mut dot = |x: u32, y: u32| picture.put_pixel(x, y, image::Rgb(colour));
    (left..=right).for_each(|x| [top, bottom].into_iter().for_each(|y| dot(x, y)));
    (top..=bottom).for_each(|y| [left, right].into_iter().for_each(|x| dot(x, y)));
}
