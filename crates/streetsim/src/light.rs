//! Light of the street: the sky, the sun, street lamps and shops.

use super::Light;
use super::camera::{Camera, V3, dot, length, sub, unit};
use super::raster::Rgb;

/// Half the distance between the house fronts, in metres.
pub(super) const FRONT_X: f32 = 9.6;
/// Distance of the last houses.
pub(super) const END_Y: f32 = 130.0;

/// A lamp: its place, its colour, and its reach in metres.
#[derive(Debug, Clone, Copy)]
struct Lamp {
    at: V3,
    rgb: Rgb,
    reach: f32,
}

/// The light in the street at one hour.
pub(super) struct Lighting {
    pub(super) light: Light,
    pub(super) rain: bool,
    ambient: Rgb,
    sun: Option<V3>,
    lamps: Vec<Lamp>,
    infra_red: Option<Spot>,
}

/// The camera's own infra-red lamp: its place and direction.
#[derive(Debug, Clone, Copy)]
struct Spot {
    at: V3,
    way: V3,
}

/// Foot of every street lamp: x, y.
pub(super) fn lamp_feet() -> impl Iterator<Item = (f32, f32)> {
    (0..6).flat_map(|i| {
        let y = 24.0 + i as f32 * 20.0;
        [(5.75, y), (-5.75, y - 7.0)]
    })
}

impl Lighting {
    pub(super) fn new(light: Light, rain: bool, camera: &Camera) -> Self {
        let ambient = match (light, rain) {
            (Light::Day, false) => [0.80, 0.82, 0.86],
            (Light::Day, true) => [0.70, 0.74, 0.79],
            (Light::Dusk, _) => [0.50, 0.43, 0.46],
            (Light::Night, _) => [0.115, 0.13, 0.19],
            (Light::InfraRed, _) => [0.10; 3],
        };
        let sun = (light == Light::Day && !rain).then(|| unit([-0.45, -0.35, 0.9]));
        let mut lamps = Vec::new();
        if light != Light::Day {
            let strength = match light {
                Light::Night => 0.55,
                // Sodium and LED lamps give little of the light that the sensor sees now.
                Light::InfraRed => 0.16,
                _ => 0.22,
            };
            lamps.extend(lamp_feet().map(|(x, y)| Lamp {
                at: [x * 0.72, y, 7.4],
                rgb: [1.0 * strength, 0.80 * strength, 0.52 * strength],
                reach: 8.5,
            }));
            // Three shops that are still open.
            lamps.extend([(-FRONT_X, 19.0), (-FRONT_X, 37.0), (FRONT_X, 29.0)].map(|(x, y)| Lamp {
                at: [x * 0.9, y, 2.6],
                rgb: [0.7 * strength, 0.72 * strength, 0.75 * strength],
                reach: 3.6,
            }));
        }
        let infra_red =
            (light == Light::InfraRed).then(|| Spot { at: camera.position, way: unit(camera.axis()) });
        Self { light, rain, ambient, sun, lamps, infra_red }
    }

    /// Returns true if vehicles have their lights on.
    pub(super) fn headlights(&self) -> bool {
        self.light != Light::Day
    }

    /// Direction of the sun's shadows: the shift on the ground per metre of height.
    pub(super) fn shadow(&self) -> Option<[f32; 2]> {
        self.sun.map(|sun| [-sun[0] / sun[2], -sun[1] / sun[2]])
    }

    /// Multiplier for the colours at `point`.
    pub(super) fn at(&self, point: V3) -> Rgb {
        let mut light = self.ambient;
        for lamp in &self.lamps {
            let away = length(sub(lamp.at, point)) / lamp.reach;
            let power = 1.25 / (1.0 + away * away * away * away);
            for (sum, c) in light.iter_mut().zip(lamp.rgb) {
                *sum += c * power;
            }
        }
        if let Some(spot) = &self.infra_red {
            let power = spot.power(point);
            light.iter_mut().for_each(|sum| *sum += power);
        }
        light
    }

    /// Returns true if the picture is grey, and plates and eyes throw the camera's own light back.
    pub(super) fn infra_red(&self) -> bool {
        self.infra_red.is_some()
    }

    /// Converts a surface's colour: cloth and paint reflect infra-red as they do not reflect light, so that bright
    /// and dark partly change places.
    pub(super) fn tone(&self, rgb: Rgb) -> Rgb {
        if self.infra_red.is_none() {
            return rgb;
        }
        let [r, g, b] = rgb;
        let dyed = ((r * 0.11 + g * 0.23 + b * 0.37) / 9.0).sin();
        [46.0 + 0.38 * r + 0.20 * g + 0.08 * b + 30.0 * dyed; 3]
    }

    /// The same for a photograph, whose shades must not change places.
    pub(super) fn grey(&self, [r, g, b]: Rgb) -> Rgb {
        if self.infra_red() { [20.0 + 0.38 * r + 0.34 * g + 0.16 * b; 3] } else { [r, g, b] }
    }

    /// Multiplier for a face that looks along `normal`: the part of the sun and the open sky.
    pub(super) fn face(&self, normal: V3) -> f32 {
        match self.sun {
            Some(sun) => 0.86 + 0.34 * dot(normal, sun).max(-0.3) + 0.08 * normal[2],
            None => 0.90 + 0.14 * normal[2],
        }
    }

    /// Multiplies the background's colours by the light that falls on the place of each pixel: ground or house
    /// fronts.
    pub(super) fn bathe(&self, rgb: &mut [u8], width: usize, sky: &[bool], camera: &Camera) {
        if self.light == Light::Day && !self.rain {
            return;
        }
        for (at, pixel) in rgb.chunks_exact_mut(3).enumerate().filter(|(at, _)| !sky[*at]) {
            if self.infra_red() {
                let toned = self.tone([f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])]);
                pixel.fill(toned[0] as u8);
            }
            let ray = camera.ray([(at % width) as f32 + 0.5, (at / width) as f32 + 0.5]);
            let light = self.at(street_point(camera.position, ray));
            for (value, k) in pixel.iter_mut().zip(light) {
                *value = (f32::from(*value) * k) as u8;
            }
        }
    }
}

impl Spot {
    /// A lamp's beam is brighter in its middle and fades with the distance; exposure holds the near ground below white.
    fn power(&self, point: V3) -> f32 {
        let to = sub(point, self.at);
        let away = length(to).max(1.0);
        let aside = (1.0 - dot(to, self.way) / away).max(0.0);
        (1.45 / (1.0 + (away / 17.0) * (away / 17.0))) * (-aside / 0.2).exp()
    }
}

/// Point at which a ray meets the street's canyon: ground, house fronts on both sides, houses at the end.
fn street_point(from: V3, ray: V3) -> V3 {
    let wall = if ray[0] > 0.0 { FRONT_X } else { -FRONT_X };
    let mut reach = END_Y / ray[1].max(1e-3);
    for (limit, axis) in [(wall, 0), (0.0, 2)] {
        let t = (limit - from[axis]) / ray[axis];
        if t.is_finite() && t > 0.0 {
            reach = reach.min(t);
        }
    }
    [from[0] + ray[0] * reach, from[1] + ray[1] * reach, from[2] + ray[2] * reach]
}
