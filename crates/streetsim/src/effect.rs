//! Effects on the camera and the light, on the finished canvas: the pole's swaying, exposure, clouds, beams, and all
//! that people do to a camera they do not want.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Light;
use super::raster::{Canvas, P2, Paint};
use super::script::{Befalling, Effect};

/// Shift of the picture by the pole's sway at that second, in pixels.
pub(super) fn sway(befalling: &[Befalling], seconds: f32, width: usize) -> [f32; 2] {
    let wave = |hertz: f32, phase: f32| (seconds * hertz * std::f32::consts::TAU + phase).sin();
    let mut shift = [0.0, 0.0];
    for now in befalling {
        if let Effect::Shake(pixels) = now.effect {
            let strength = pixels * width as f32 / 640.0 * (now.since / 0.5).min(now.left / 0.5).min(1.0);
            shift[0] += strength * (0.65 * wave(1.3, 0.0) + 0.35 * wave(2.7, 1.0));
            shift[1] += strength * 0.6 * (0.6 * wave(1.1, 2.0) + 0.4 * wave(2.3, 0.4));
        }
    }
    shift
}

/// Present turn of the camera, in degrees.
pub(super) fn turn(befalling: &[Befalling]) -> f32 {
    let mut turn = 0.0;
    for now in befalling {
        if let Effect::Turned(degrees) = now.effect {
            let part = (now.since / 1.6).min(now.left / 1.6).min(1.0);
            turn += degrees * part * part * (3.0 - 2.0 * part);
        }
    }
    turn
}

/// Present sway of the crowns, in metres.
pub(super) fn wind(befalling: &[Befalling]) -> f32 {
    let mut most = 0.0f32;
    for now in befalling {
        if let Effect::Wind(metres) = now.effect {
            most = most.max(metres);
        }
    }
    most
}

/// Applies the present effects to the canvas. `shift` is the pole's sway.
pub(super) fn befall(canvas: &mut Canvas, befalling: &[Befalling], shift: [f32; 2], light: Light, seed: u64) {
    for now in befalling {
        let ramp = |seconds: f32| (now.since / seconds).min(now.left / seconds).clamp(0.0, 1.0);
        match now.effect {
            Effect::Exposure(gain) => brighten(canvas, 1.0 + (gain - 1.0) * ramp(0.5)),
            Effect::Cloud(shade) => cloud(canvas, now, shade),
            Effect::Sweep => sweep(canvas, now.part, if light == Light::Day { 0.25 } else { 2.2 }),
            // The sensor's gain needs a moment to follow the filter.
            Effect::InfraRed if now.since < 1.5 => brighten(canvas, 1.0 + 0.8 * (-now.since / 0.4).exp()),
            _ => {}
        }
    }
    if shift != [0.0, 0.0] {
        moved(canvas, shift);
    }
    for now in befalling {
        let ramp = |seconds: f32| (now.since / seconds).min(now.left / seconds).clamp(0.0, 1.0);
        match now.effect {
            Effect::Defocused(radius) => {
                let pixels = radius * canvas.width as f32 / 640.0 * ramp(2.0);
                (0..2).for_each(|_| blur(canvas, pixels.round() as usize));
            }
            Effect::Sprayed => sprayed(canvas, now.since, light, seed),
            Effect::Covered => covered(canvas, ramp(1.0), now.since, light),
            Effect::Black => canvas.rgb.fill(9),
            _ => {}
        }
    }
}

/// Part of the scene that an object right before the lens still lets through, 0..=1.
pub(super) fn clear_part(befalling: &[Befalling]) -> f32 {
    befalling
        .iter()
        .map(|now| match now.effect {
            Effect::Covered => 1.0 - (now.since / 1.0).min(now.left / 1.0).clamp(0.0, 1.0),
            Effect::Sprayed => 1.0 - (now.since / 3.0).min(1.0) * 0.9,
            Effect::Black => 0.0,
            _ => 1.0,
        })
        .product()
}

fn brighten(canvas: &mut Canvas, gain: f32) {
    let gain = (gain * 256.0) as u32;
    for value in &mut canvas.rgb {
        *value = ((u32::from(*value) * gain) >> 8).min(255) as u8;
    }
}

/// Multiplies each pixel by the `gain` of its place, 0..1 from the left and from the top.
fn multiply(canvas: &mut Canvas, gain: impl Fn(f32, f32) -> f32) {
    let (w, h) = (canvas.width, canvas.height);
    for (row, pixels) in canvas.rgb.chunks_exact_mut(w * 3).enumerate() {
        for (column, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let gain = gain(column as f32 / w as f32, row as f32 / h as f32);
            pixel.iter_mut().for_each(|value| *value = (f32::from(*value) * gain) as u8);
        }
    }
}

/// Its soft edge comes in the first quarter of its time and leaves in the last.
fn cloud(canvas: &mut Canvas, now: &Befalling, shade: f32) {
    let (comes, goes) = (now.part * 4.0 * 1.3, (now.part - 0.75) * 4.0 * 1.3);
    multiply(canvas, |x, y| {
        let behind = |edge: f32| ((edge - x - 0.1 * y) / 0.25).clamp(0.0, 1.0);
        1.0 - shade * (behind(comes) - behind(goes))
    });
}

/// A patch of light runs along the fronts, and a flat one over the ground before it.
fn sweep(canvas: &mut Canvas, part: f32, power: f32) {
    let fade = (part * 6.0).min((1.0 - part) * 6.0).min(1.0);
    let (wall, ground) = ((-0.1 + 1.2 * part, 0.34), (1.0 - 0.9 * part, 0.70));
    multiply(canvas, |x, y| {
        let spot = |middle: (f32, f32), reach: (f32, f32)| {
            (-((x - middle.0) / reach.0).powi(2) - ((y - middle.1) / reach.1).powi(2)).exp()
        };
        1.0 + power * fade * (spot(wall, (0.11, 0.20)) + 0.8 * spot(ground, (0.20, 0.10)))
    });
}

/// Shifts the picture by `shift` pixels, in 256ths of a pixel.
fn moved(canvas: &mut Canvas, shift: [f32; 2]) {
    let (w, h) = (canvas.width as i32, canvas.height as i32);
    let [dx, dy] = shift.map(|pixels| (pixels * 256.0).round() as i32);
    let (whole_x, part_x) = ((-dx).div_euclid(256), (-dx).rem_euclid(256) as u32);
    let (whole_y, part_y) = ((-dy).div_euclid(256), (-dy).rem_euclid(256) as u32);
    let before = canvas.rgb.clone();
    let at = |x: i32, y: i32| ((y.clamp(0, h - 1) * w + x.clamp(0, w - 1)) * 3) as usize;
    for y in 0..h {
        for x in 0..w {
            let corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
                .map(|(right, down)| at(x + whole_x + right, y + whole_y + down));
            let shares = [
                (256 - part_x) * (256 - part_y),
                part_x * (256 - part_y),
                (256 - part_x) * part_y,
                part_x * part_y,
            ];
            let to = at(x, y);
            for c in 0..3 {
                let sum: u32 =
                    corners.iter().zip(shares).map(|(from, share)| u32::from(before[from + c]) * share).sum();
                canvas.rgb[to + c] = (sum >> 16) as u8;
            }
        }
    }
}

/// The mean over a square of `radius` to each side.
fn blur(canvas: &mut Canvas, radius: usize) {
    if radius == 0 {
        return;
    }
    let (w, h) = (canvas.width, canvas.height);
    // Along one line of `count` pixels, `step` bytes apart, from byte `first` on.
    let mut line = |first: usize, count: usize, step: usize| {
        let before: Vec<u32> = (0..count).map(|i| u32::from(canvas.rgb[first + i * step])).collect();
        let at = |i: isize| before[i.clamp(0, count as isize - 1) as usize];
        let reach = radius as isize;
        let mut sum: u32 = (-reach..=reach).map(at).sum();
        for i in 0..count as isize {
            canvas.rgb[first + i as usize * step] = (sum / (2 * radius as u32 + 1)) as u8;
            sum = sum + at(i + reach + 1) - at(i - reach);
        }
    };
    for y in 0..h {
        (0..3).for_each(|c| line(y * w * 3 + c, w, 3));
    }
    for x in 0..w {
        (0..3).for_each(|c| line(x * 3 + c, h, w * 3));
    }
}

fn dim(light: Light) -> f32 {
    match light {
        Light::Day => 1.0,
        Light::Dusk => 0.55,
        Light::Night => 0.25,
        // The camera's own lamp shines on an object right before it.
        Light::InfraRed => 1.6,
    }
}

/// A dark cloth comes up from below; some light comes through its folds.
fn covered(canvas: &mut Canvas, part: f32, since: f32, light: Light) {
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    let tremble = (since * 5.0).sin() * 0.004;
    for (at, pixel) in canvas.rgb.chunks_exact_mut(3).enumerate() {
        let (x, y) = ((at as f32 % w) / w, (at as f32 / w).floor() / h);
        let over = ((part * 1.5 - (1.0 - y) - 0.12 * (x * 7.0).sin()) / 0.14).clamp(0.0, 1.0);
        if over > 0.0 {
            let fold = ((x + tremble) * 13.0 + (y * 5.0).sin() * 2.0).sin() * 0.2 + 0.06 * (y * 31.0).sin();
            let cloth = [58.0, 44.0, 38.0].map(|c| (c * (0.85 + fold) * dim(light)).min(255.0));
            for (old, new) in pixel.iter_mut().zip(cloth) {
                *old = (f32::from(*old) * (1.0 - over) + new * over) as u8;
            }
        }
    }
}

/// Drops and runs of dark paint, ever more for three seconds; they stay.
fn sprayed(canvas: &mut Canvas, since: f32, light: Light, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5947);
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    let paint = [30.0, 26.0, 34.0].map(|c| c * dim(light));
    for drop in 0..110 {
        let born = drop as f32 * 0.027;
        let (x, y) = (rng.random_range(-0.05..1.05f32) * w, rng.random_range(-0.05..1.05f32) * h);
        let (size, runs) = (rng.random_range(0.05..0.14f32) * h, rng.random_range(0.0..0.16f32) * h);
        let age = since - born;
        if age <= 0.0 {
            continue;
        }
        let (size, run) = (size * (age / 0.3).min(1.0), runs * (age / 4.0).min(1.0));
        for (grow, alpha) in [(1.25, 0.25), (1.1, 0.45), (0.95, 0.85)] {
            let blob: Vec<P2> = (0..16)
                .map(|i| {
                    let (sin, cos) = (i as f32 * std::f32::consts::TAU / 16.0).sin_cos();
                    [x + size * grow * cos, y + size * grow * sin + if sin > 0.3 { run } else { 0.0 }]
                })
                .collect();
            canvas.fill(&blob, Paint::Over(paint, alpha));
        }
    }
}
