//! Drawn pictures of the demonstration: a street as a camera sees it, by day, dusk or night, with whoever is on it; and the plan of a
//! ward. Pure: the same numbers draw the same picture.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
/// Quality of the JPEG.
const QUALITY: u8 = 74;
/// Row of the horizon.
const HORIZON: f32 = 58.0;
/// Half of the road's width at the bottom of the picture.
const ROAD: f32 = 150.0;
/// Distance of the facades from the middle, in halves of the road's width.
const PAVED: f32 = 1.45;

/// Somebody or something on the street.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// People, so many.
    People(u8),
    /// A motorcycle with its rider.
    Motorcycle,
    /// A car.
    Car,
}

/// Light of the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Light {
    Day,
    Dusk,
    Night,
}

impl Light {
    const fn of(hour: u8) -> Self {
        match hour {
            6..=16 => Self::Day,
            5 | 17 | 18 => Self::Dusk,
            _ => Self::Night,
        }
    }

    /// Brightness of things that do not shine.
    const fn brightness(self) -> f32 {
        match self {
            Self::Day => 1.0,
            Self::Dusk => 0.62,
            Self::Night => 0.3,
        }
    }

    const fn sky(self) -> ([f32; 3], [f32; 3]) {
        match self {
            Self::Day => ([120.0, 160.0, 205.0], [205.0, 218.0, 228.0]),
            Self::Dusk => ([70.0, 80.0, 125.0], [225.0, 150.0, 105.0]),
            Self::Night => ([10.0, 13.0, 28.0], [38.0, 36.0, 48.0]),
        }
    }
}

/// The street of a camera.
#[derive(Debug, Clone, Copy)]
struct Street {
    seed: u64,
    /// Column of the vanishing point.
    vanishing: f32,
    light: Light,
}

/// The picture of a camera as a JPEG: `camera` chooses the street, `moment` place and colour of the subject.
pub(super) fn street(camera: u64, hour: u8, subject: Subject, moment: u64) -> Vec<u8> {
    let street = Street {
        seed: mixed(camera + 1),
        vanishing: 110.0 + (mixed(camera + 77) % 100) as f32,
        light: Light::of(hour),
    };
    let mut picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| street.pixel(x, y));
    street.lamps(&mut picture);
    street.subject(&mut picture, subject, moment);
    grain(&mut picture, moment);
    let mut jpeg = Cursor::new(Vec::new());
    // Writing to memory does not fail; a picture that did would be left out of its alert.
    let _ = picture.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY));
    jpeg.into_inner()
}

impl Street {
    fn pixel(self, x: u32, y: u32) -> Rgb<u8> {
        let (x, y) = (x as f32, y as f32);
        let aside = (x - self.vanishing).abs();
        // Depth at which the facade of this column stands on the ground: 0 far, 1 at the bottom of the picture.
        let depth = ((aside / PAVED - 5.0) / ROAD).clamp(0.0, 1.4);
        let base = HORIZON + (HEIGHT as f32 - HORIZON) * depth;
        let wall = self.house(x, depth);
        let top = HORIZON - (10.0 + (95.0 + 55.0 * part(wall)) * depth);
        if y >= base.min(HEIGHT as f32 + 1.0) || (depth == 0.0 && y >= HORIZON) {
            return self.ground(x, y);
        }
        if y < top || depth == 0.0 {
            let (high, low) = self.light.sky();
            return colour(blend(high, low, (y / HORIZON).clamp(0.0, 1.0)));
        }
        self.facade(wall, depth, (y - top) / (base - top).max(1.0))
    }

    /// Number of the house in a column; houses get narrower with the distance.
    fn house(self, x: f32, depth: f32) -> u64 {
        let side = u64::from(x > self.vanishing);
        mixed(self.seed ^ (side << 40) ^ ((7.0 / (depth + 0.16)) as u64))
    }

    fn facade(self, wall: u64, depth: f32, down: f32) -> Rgb<u8> {
        const PAINTS: [[f32; 3]; 6] = [
            [214.0, 196.0, 150.0],
            [176.0, 190.0, 178.0],
            [204.0, 170.0, 150.0],
            [190.0, 194.0, 206.0],
            [222.0, 214.0, 196.0],
            [168.0, 150.0, 132.0],
        ];
        let paint = PAINTS[(wall % 6) as usize];
        let across = (7.0 / (depth + 0.16)).fract();
        let floors = 3.0 + (wall >> 8 & 1) as f32;
        let (storey, within) = ((down * floors) as u64, (down * floors).fract());
        let brightness = self.light.brightness();
        if storey + 1 == floors as u64 && within < 0.28 {
            // The sign above the shop.
            let sign =
                [[190.0, 40.0, 36.0], [24.0, 92.0, 150.0], [226.0, 170.0, 30.0]][(wall >> 16) as usize % 3];
            return colour(scaled(sign, brightness.max(0.55)));
        }
        let is_window = (0.25..0.75).contains(&across) && (0.3..0.8).contains(&within);
        if is_window {
            let is_lit = self.light != Light::Day && mixed(wall ^ storey) % 5 < 2;
            return colour(if is_lit {
                [236.0, 204.0, 128.0]
            } else {
                scaled([70.0, 82.0, 96.0], brightness)
            });
        }
        let edge = if across < 0.04 || within < 0.05 { 0.75 } else { 1.0 };
        colour(scaled(paint, brightness * edge))
    }

    fn ground(self, x: f32, y: f32) -> Rgb<u8> {
        let depth = ((y - HORIZON) / (HEIGHT as f32 - HORIZON)).max(0.001);
        let half = 5.0 + ROAD * depth;
        let across = (x - self.vanishing) / half;
        let along = 6.0 / (depth + 0.06);
        let lamp = self.pool(across, along);
        let brightness = self.light.brightness().max(lamp);
        let paint = if across.abs() > 1.0 {
            if (across.abs() * 9.0).fract() < 0.08 { [140.0, 132.0, 122.0] } else { [166.0, 158.0, 148.0] }
        } else if across.abs() > 0.96 || (across.abs() < 0.025 && along.fract() < 0.55) {
            [214.0, 210.0, 196.0]
        } else {
            [96.0, 98.0, 102.0]
        };
        colour(scaled(paint, brightness))
    }

    /// Light that lamps cast on the ground at night.
    fn pool(self, across: f32, along: f32) -> f32 {
        if self.light == Light::Day {
            return 0.0;
        }
        let away = (along.fract() - 0.5).abs() * 2.0 + (across.abs() - 0.9).abs() * 0.6;
        (0.85 - 0.7 * away).max(0.0)
    }

    /// Lamp posts on both sides.
    fn lamps(self, picture: &mut RgbImage) {
        for (side, depth) in [(-1.0, 0.55), (1.0, 0.3), (-1.0, 0.16), (1.0, 0.1)] {
            let x = self.vanishing + side * (5.0 + ROAD * depth) * 1.16;
            let foot = HORIZON + (HEIGHT as f32 - HORIZON) * depth;
            let top = foot - 26.0 - 118.0 * depth;
            let wide = (1.0 + 3.0 * depth) as i32;
            area(picture, [x as i32, top as i32, wide, (foot - top) as i32], [46.0, 50.0, 54.0]);
            let arm = (10.0 + 26.0 * depth) as i32;
            let left = if side > 0.0 { x as i32 - arm } else { x as i32 };
            area(picture, [left, top as i32, arm, wide.max(1)], [46.0, 50.0, 54.0]);
            if self.light != Light::Day {
                let lamp = if side > 0.0 { x - arm as f32 } else { x + arm as f32 };
                disc(picture, lamp, top + 2.0, 2.0 + 4.0 * depth, [255.0, 226.0, 160.0]);
            }
        }
    }

    fn subject(self, picture: &mut RgbImage, subject: Subject, moment: u64) {
        let depth = 0.34 + 0.3 * part(mixed(moment));
        let across = 1.3 * part(mixed(moment ^ 5)) - 0.65;
        let foot = HORIZON + (HEIGHT as f32 - HORIZON) * depth;
        let x = self.vanishing + across * (5.0 + ROAD * depth);
        let tall = 20.0 + 62.0 * depth;
        let brightness = self.light.brightness().max(0.5);
        match subject {
            Subject::People(count) => {
                for number in 0..count.max(1) {
                    let number = f32::from(number);
                    let beside = x + (number - f32::from(count) / 2.0) * tall * 0.3;
                    person(
                        picture,
                        beside,
                        foot + (number * 7.0) % 5.0,
                        tall,
                        brightness,
                        mixed(moment + number as u64),
                    );
                }
            }
            Subject::Motorcycle => motorcycle(picture, x, foot, tall, brightness, mixed(moment)),
            Subject::Car => car(picture, x, foot, tall, brightness, mixed(moment)),
        }
    }
}

/// Colours of clothes and vehicles.
const PAINTS: [[f32; 3]; 6] = [
    [40.0, 60.0, 130.0],
    [150.0, 34.0, 40.0],
    [232.0, 230.0, 222.0],
    [50.0, 54.0, 58.0],
    [38.0, 110.0, 92.0],
    [214.0, 150.0, 40.0],
];

fn paint(number: u64, brightness: f32) -> [f32; 3] {
    scaled(PAINTS[(number % 6) as usize], brightness)
}

fn person(picture: &mut RgbImage, x: f32, foot: f32, tall: f32, brightness: f32, look: u64) {
    let skin = scaled([214.0, 170.0, 140.0], brightness);
    shadow(picture, x, foot, tall * 0.28);
    let leg = scaled([44.0, 46.0, 60.0], brightness);
    for step in [-0.09, 0.03] {
        area(
            picture,
            [
                (x + step * tall) as i32,
                (foot - 0.46 * tall) as i32,
                (0.08 * tall) as i32,
                (0.46 * tall) as i32,
            ],
            leg,
        );
    }
    let torso =
        [(x - 0.13 * tall) as i32, (foot - 0.84 * tall) as i32, (0.26 * tall) as i32, (0.42 * tall) as i32];
    area(picture, torso, paint(look, brightness));
    for arm in [-0.19, 0.13] {
        area(
            picture,
            [
                (x + arm * tall) as i32,
                (foot - 0.82 * tall) as i32,
                (0.06 * tall) as i32,
                (0.36 * tall) as i32,
            ],
            skin,
        );
    }
    disc(picture, x, foot - 0.92 * tall, 0.08 * tall, skin);
}

fn motorcycle(picture: &mut RgbImage, x: f32, foot: f32, tall: f32, brightness: f32, look: u64) {
    shadow(picture, x, foot, tall * 0.55);
    let dark = scaled([34.0, 34.0, 38.0], brightness);
    for wheel in [-0.36, 0.36] {
        disc(picture, x + wheel * tall, foot - 0.15 * tall, 0.15 * tall, dark);
        disc(
            picture,
            x + wheel * tall,
            foot - 0.15 * tall,
            0.07 * tall,
            scaled([150.0, 150.0, 152.0], brightness),
        );
    }
    area(
        picture,
        [(x - 0.36 * tall) as i32, (foot - 0.4 * tall) as i32, (0.66 * tall) as i32, (0.18 * tall) as i32],
        paint(look, brightness),
    );
    person(picture, x - 0.04 * tall, foot - 0.22 * tall, tall * 0.78, brightness, look >> 8);
    disc(picture, x - 0.04 * tall, foot - 0.96 * tall, 0.09 * tall, paint(look >> 16, brightness));
}

fn car(picture: &mut RgbImage, x: f32, foot: f32, tall: f32, brightness: f32, look: u64) {
    let (long, body) = (1.9 * tall, paint(look, brightness));
    shadow(picture, x, foot, long * 0.55);
    area(
        picture,
        [(x - long / 2.0) as i32, (foot - 0.55 * tall) as i32, long as i32, (0.42 * tall) as i32],
        body,
    );
    area(
        picture,
        [(x - 0.3 * long) as i32, (foot - 0.88 * tall) as i32, (0.56 * long) as i32, (0.34 * tall) as i32],
        body,
    );
    let glass = scaled([120.0, 146.0, 160.0], brightness);
    for side in [-0.26, 0.02] {
        area(
            picture,
            [
                (x + side * long) as i32,
                (foot - 0.82 * tall) as i32,
                (0.22 * long) as i32,
                (0.22 * tall) as i32,
            ],
            glass,
        );
    }
    for wheel in [-0.3, 0.3] {
        disc(
            picture,
            x + wheel * long,
            foot - 0.12 * tall,
            0.15 * tall,
            scaled([30.0, 30.0, 32.0], brightness),
        );
    }
    disc(picture, x + 0.48 * long, foot - 0.38 * tall, 0.06 * tall, [250.0, 236.0, 180.0]);
}

fn shadow(picture: &mut RgbImage, x: f32, foot: f32, wide: f32) {
    for column in (x - wide) as i32..(x + wide) as i32 {
        let away = (column as f32 - x) / wide;
        let high = (3.0 * (1.0 - away * away)) as i32;
        for row in -high..=high {
            darken(picture, column, foot as i32 + row);
        }
    }
}

fn darken(picture: &mut RgbImage, x: i32, y: i32) {
    if let Some(pixel) = at(picture, x, y) {
        pixel.0 = pixel.0.map(|part| (f32::from(part) * 0.6) as u8);
    }
}

fn at(picture: &mut RgbImage, x: i32, y: i32) -> Option<&mut Rgb<u8>> {
    picture.get_pixel_mut_checked(u32::try_from(x).ok()?, u32::try_from(y).ok()?)
}

/// Fills a rectangle: left, top, width and height.
fn area(picture: &mut RgbImage, [left, top, wide, high]: [i32; 4], paint: [f32; 3]) {
    for y in top..top + high.max(1) {
        for x in left..left + wide.max(1) {
            if let Some(pixel) = at(picture, x, y) {
                *pixel = colour(paint);
            }
        }
    }
}

fn disc(picture: &mut RgbImage, x: f32, y: f32, radius: f32, paint: [f32; 3]) {
    let reach = radius.ceil() as i32;
    for down in -reach..=reach {
        for right in -reach..=reach {
            if ((right * right + down * down) as f32) > radius * radius {
                continue;
            }
            if let Some(pixel) = at(picture, x as i32 + right, y as i32 + down) {
                *pixel = colour(paint);
            }
        }
    }
}

/// Grain of the sensor, and the darker corners of a lens.
fn grain(picture: &mut RgbImage, moment: u64) {
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let noise = (mixed(moment ^ u64::from(y * WIDTH + x)) % 5) as f32 - 2.0;
        let (right, down) = (x as f32 / WIDTH as f32 - 0.5, y as f32 / HEIGHT as f32 - 0.5);
        let lens = 1.0 - 0.35 * (right * right + down * down);
        pixel.0 = pixel.0.map(|part| (f32::from(part) * lens + noise).clamp(0.0, 255.0) as u8);
    }
}

/// The plan of the drawn ward: blocks between streets, a park, a market, and a river.
pub(super) fn plan() -> RgbImage {
    RgbImage::from_fn(1200, 840, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let river = 1010.0 + 60.0 * (y / 150.0).sin();
        if x > river {
            return colour(if x < river + 10.0 { [150.0, 160.0, 150.0] } else { [176.0, 208.0, 226.0] });
        }
        // The streets of the old town run aslant.
        let (along, across) = (x + 0.22 * y, y - 0.12 * x + 200.0);
        let (street, lane) = (along.rem_euclid(230.0), across.rem_euclid(180.0));
        if street < 34.0 || lane < 30.0 {
            let is_middle = (street < 18.0 && street > 15.0) || (lane < 16.0 && lane > 13.0);
            return colour(if is_middle { [226.0, 214.0, 170.0] } else { [255.0, 253.0, 246.0] });
        }
        let block = mixed((along / 230.0) as u64 * 31 + (across / 180.0) as u64);
        let paint = match block % 9 {
            0 => [200.0, 222.0, 190.0],
            1 => [236.0, 214.0, 190.0],
            _ => [226.0, 224.0, 218.0],
        };
        // Houses of a block.
        let is_wall = street.rem_euclid(28.0) < 2.0 || lane.rem_euclid(50.0) < 2.0;
        colour(if is_wall && !block.is_multiple_of(9) { scaled(paint, 0.92) } else { paint })
    })
}

fn colour(parts: [f32; 3]) -> Rgb<u8> {
    Rgb(parts.map(|part| part.clamp(0.0, 255.0) as u8))
}

fn scaled(parts: [f32; 3], by: f32) -> [f32; 3] {
    parts.map(|part| part * by)
}

fn blend(from: [f32; 3], to: [f32; 3], share: f32) -> [f32; 3] {
    [0, 1, 2].map(|part| from[part] + (to[part] - from[part]) * share)
}

/// A fraction from 0 to 1 out of a number.
fn part(number: u64) -> f32 {
    (number % 1000) as f32 / 1000.0
}

/// A number that looks drawn by lot (splitmix64).
pub(super) const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::alert::THUMBNAIL_BYTES_MAX;

    #[test]
    fn pictures_are_jpegs_of_a_thumbnails_size_and_the_same_each_time() {
        for (hour, subject) in [(2, Subject::People(4)), (12, Subject::Motorcycle), (18, Subject::Car)] {
            let jpeg = street(3, hour, subject, 9);
            assert!(jpeg.len() <= THUMBNAIL_BYTES_MAX, "{} bytes", jpeg.len());
            let picture = image::load_from_memory(&jpeg).unwrap().to_rgb8();
            assert_eq!(picture.dimensions(), (WIDTH, HEIGHT));
            assert_eq!(jpeg, street(3, hour, subject, 9));
            assert_ne!(jpeg, street(4, hour, subject, 9));
        }
        if let Some(folder) = std::env::var_os("WARDPOST_PAGE_PICTURES") {
            let folder = std::path::PathBuf::from(folder);
            for (number, hour, subject) in [
                (0, 2, Subject::People(3)),
                (1, 12, Subject::Motorcycle),
                (2, 18, Subject::Car),
                (3, 22, Subject::Motorcycle),
            ] {
                std::fs::write(
                    folder.join(format!("street-{number}.jpg")),
                    street(number, hour, subject, number),
                )
                .unwrap();
            }
            plan().save(folder.join("ward-plan.jpg")).unwrap();
        }
    }
}
