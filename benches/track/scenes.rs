//! The played streets: traffic along the street, and subjects that cross it.

use streetsim::script::{Body, Part, Pose, Riders, Script};
use streetsim::{Light, Settings};

/// Playing time of each street.
pub const SECONDS: f32 = 60.0;
/// Frames a second.
pub const FPS: f32 = 5.0;

/// A street by its name.
pub struct Street {
    pub name: String,
    pub settings: Settings,
}

/// Returns the streets: by day and by night, from lively to crowded; then with a bus that halts before the crossing
/// subjects. Another `seed` has other arrivals. Pictures have `size` pixels.
pub fn streets(seed: u64, size: (u32, u32)) -> Vec<Street> {
    let first = seed;
    let mut streets = Vec::new();
    for (light, word) in [(Light::Day, "day"), (Light::Night, "night")] {
        for (density, seed) in [(1.0, 11), (2.0, 12), (3.0, 13)] {
            let seed = first + seed;
            let name = format!("{word}-{density:.0}");
            streets.push(street(name, light, density, seed, crossing(seed)));
        }
        streets.push(street(
            format!("{word}-bus"),
            light,
            1.5,
            first + 14,
            crossing(first + 14).with(bus(first + 14)),
        ));
    }
    for street in &mut streets {
        (street.settings.width, street.settings.height) = size;
    }
    streets
}

fn street(name: String, light: Light, density: f32, seed: u64, script: Script) -> Street {
    // One seed by day, another by night.
    let seed = seed + if light == Light::Night { 20 } else { 0 };
    let settings = Settings { seed, fps: FPS, light, density, script, ..Settings::default() };
    Street { name, settings }
}

/// Motorbikes across the street from both sides, several at a time and at distances that hide one behind another.
fn crossing(seed: u64) -> Script {
    let mut script = Script::default();
    for number in 0..28u64 {
        let second = 1.0 + 2.0 * number as f32;
        let far = 12.0 + ((number * 7 + seed * 3) % 23) as f32;
        let speed = 3.0 + ((number * 5 + seed) % 4) as f32 * 0.6;
        let (from, to) = if (number + seed).is_multiple_of(2) { (-9.0, 9.0) } else { (9.0, -9.0) };
        let rider = Part::new(Body::TwoWheeler(Riders::Chance), 100 * seed + number, second, (from, far));
        script = script.with(rider.goes((to, far + 1.5), speed));
    }
    script
}

/// Creates a bus that halts in the middle of the street for twenty seconds, in everyone's way.
fn bus(seed: u64) -> Part {
    Part::new(Body::Bus, seed, 4.0, (1.2, -8.0))
        .goes((1.2, 10.0), 7.0)
        .brakes((1.2, 17.0), 7.0)
        .waits(20.0, Pose::Walking)
        .starts((1.2, 27.0), 7.0)
        .goes((1.2, 95.0), 7.0)
}
