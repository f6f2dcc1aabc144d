use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use base::ids::Epoch;
use base::picture::{Colour, Picture, PixelFormat};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

/// A street with texture, noise of a night camera, a light, and objects on it.
struct Street {
    random: StdRng,
    noise: f32,
    gain: f32,
    offset: f32,
    at: Monotonic,
    epoch: Epoch,
    motion: Motion,
}

impl Street {
    fn new(noise: f32) -> Self {
        let random = StdRng::seed_from_u64(7);
        let at = Monotonic::from_nanos(5_000_000_000);
        Self {
            random,
            noise,
            gain: 1.0,
            offset: 0.0,
            at,
            epoch: Epoch(1),
            motion: Motion::new(0.3, Vec::new()),
        }
    }

    /// Returns the detections on the next frame, `millis` later, with boxes (in pixels: x, y, w, h, luma) on it.
    fn see(&mut self, millis: u64, objects: &[(usize, usize, usize, usize, f32)]) -> Vec<Detection> {
        let frame = self.frame(millis, objects);
        self.motion.detect(&frame).unwrap()
    }

    /// Returns the static objects on the next frame.
    fn standing(&mut self, millis: u64, objects: &[(usize, usize, usize, usize, f32)]) -> Vec<StaticObject> {
        let frame = self.frame(millis, objects);
        self.motion.analyser.analyse(&frame).static_objects
    }

    fn frame(&mut self, millis: u64, objects: &[(usize, usize, usize, usize, f32)]) -> Frame {
        self.at = self.at + Duration::from_millis(millis);
        let mut samples = Vec::with_capacity(Picture::byte_count(WIDTH as u32, HEIGHT as u32));
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let street = 90.0 + 50.0 * ((x as f32 / 37.0).sin() * (y as f32 / 23.0).cos());
                let luma = objects
                    .iter()
                    .find(|t| (t.0..t.0 + t.2).contains(&x) && (t.1..t.1 + t.3).contains(&y))
                    .map_or(street, |thing| thing.4);
                let noise =
                    (self.random.random::<f32>() + self.random.random::<f32>() - 1.0) * 2.0 * self.noise;
                samples.push((luma * self.gain + self.offset + noise) as u8);
            }
        }
        samples.resize(Picture::byte_count(WIDTH as u32, HEIGHT as u32), 128);
        let picture =
            Picture::new(WIDTH as u32, HEIGHT as u32, PixelFormat::I420, Colour::default(), samples);
        let stamp = Stamp { wall: WallTime::from_micros(0), monotonic: self.at, clock: ClockState::Unsynced };
        Frame {
            camera: "c1".parse().unwrap(),
            epoch: self.epoch,
            pts: Pts(0),
            at: stamp,
            picture: picture.unwrap(),
        }
    }

    fn settled(noise: f32) -> Self {
        let mut street = Self::new(noise);
        for _ in 0..15 {
            street.see(200, &[]);
        }
        street
    }
}

fn rect(thing: (usize, usize, usize, usize, f32)) -> Rect {
    let (w, h) = (WIDTH as f32, HEIGHT as f32);
    Rect::new(thing.0 as f32 / w, thing.1 as f32 / h, thing.2 as f32 / w, thing.3 as f32 / h)
}

#[test]
fn noise_is_not_motion() {
    for noise in [0.0, 6.0, 14.0] {
        let mut street = Street::new(noise);
        for frame in 0..60 {
            let found = street.see([200, 40, 900][frame % 3], &[]);
            assert_eq!(found, [], "noise {noise}, frame {frame}");
        }
    }
}

#[test]
fn a_car_and_a_person_are_boxed_closely() {
    let mut street = Street::settled(5.0);
    for step in 0..15 {
        let car = (100 + step * 20, 200, 96, 48, 220.0);
        let person = (500 - step * 4, 100, 20, 52, 20.0);
        let found = street.see(200, &[car, person]);
        assert_eq!(found.len(), 2, "step {step}: {found:?}");
        for thing in [car, person] {
            let best = found.iter().map(|d| d.rect.iou(&rect(thing))).fold(0.0, f32::max);
            assert!(best > 0.6, "step {step}, {thing:?}: {best}");
        }
        assert!(found.iter().all(|d| d.label == Label::Moving && d.score > 0.5));
    }
}

#[test]
fn a_change_of_light_is_not_motion_and_blinds_for_no_longer() {
    let mut street = Street::settled(5.0);
    for (gain, offset) in [(0.6, 10.0), (1.3, 0.0), (1.0, 60.0), (1.0, 0.0)] {
        (street.gain, street.offset) = (gain, offset);
        for frame in 0..6 {
            assert_eq!(street.see(200, &[]), [], "gain {gain}, offset {offset}, frame {frame}");
        }
        let car = (300, 200, 96, 48, 20.0);
        let found = street.see(200, &[car]);
        assert_eq!(found.len(), 1, "gain {gain}, offset {offset}");
        assert!(found[0].rect.iou(&rect(car)) > 0.7);
    }
}

#[test]
fn the_first_second_and_a_new_session_only_learn() {
    let mut street = Street::new(5.0);
    for step in 0..5 {
        assert_eq!(street.see(190, &[(step * 100, 100, 80, 60, 230.0)]), []);
    }
    let mut street = Street::settled(5.0);
    street.epoch = Epoch(2);
    assert_eq!(street.see(200, &[(100, 100, 80, 60, 230.0)]), []);
    let mut street = Street::settled(5.0);
    assert_eq!(street.see(11_000, &[(100, 100, 80, 60, 230.0)]), [], "the view may have changed meanwhile");
}

#[test]
fn what_stops_stays_for_a_minute_and_is_absorbed_in_the_end() {
    let mut street = Street::settled(5.0);
    let car = (300, 200, 96, 48, 220.0);
    for second in 0..60 {
        let found = street.see(1000, &[car]);
        assert_eq!(found.len(), 1, "second {second}");
        assert!(found[0].rect.iou(&rect(car)) > 0.6, "second {second}");
    }
    let gone = (60..600).find(|_| street.see(1000, &[car]).is_empty());
    assert!(gone.is_some(), "a parked car is no motion for ever");
}

const CARTON: (usize, usize, usize, usize, f32) = (300, 200, 32, 28, 220.0);

/// Returns, once a second for so many seconds, true if the carton's place was reported as taken.
fn is_standing(
    street: &mut Street,
    seconds: usize,
    objects: &[(usize, usize, usize, usize, f32)],
) -> Vec<bool> {
    (0..seconds)
        .map(|_| {
            let mut standing = Vec::new();
            for _ in 0..5 {
                standing = street.standing(200, objects);
            }
            standing.iter().any(|static_object| static_object.rect.iou(&rect(CARTON)) > 0.5)
        })
        .collect()
}

#[test]
fn a_static_object_is_known_also_when_the_background_has_taken_it_in() {
    let mut street = Street::settled(5.0);
    assert_eq!(is_standing(&mut street, 5, &[CARTON]), [false, false, true, true, true]);
    assert!(!is_standing(&mut street, 300, &[CARTON]).contains(&false));
    assert!(street.see(200, &[CARTON]).is_empty(), "nothing stands out any more");
    // A person stands in front of it, it is out of view, and then it is there as before.
    let person = (290, 150, 60, 100, 20.0);
    assert_eq!(is_standing(&mut street, 8, &[person]), [false; 8]);
    assert_eq!(is_standing(&mut street, 8, &[CARTON]), [true; 8]);
    let known = street.standing(200, &[CARTON]);
    assert!(known.iter().any(|static_object| static_object.still_seconds > 300.0), "{known:?}");
    // A person takes it up.
    assert_eq!(is_standing(&mut street, 4, &[person]), [false; 4]);
    assert_eq!(is_standing(&mut street, 30, &[]), [false; 30], "what it leaves is no thing");
}

#[test]
fn what_stands_is_known_in_another_light_and_taken_up_early_it_is_gone() {
    let mut street = Street::settled(5.0);
    is_standing(&mut street, 10, &[CARTON]);
    for gain in [0.8, 1.1, 0.7] {
        street.gain = gain;
        assert!(!is_standing(&mut street, 6, &[CARTON])[2..].contains(&false), "gain {gain}");
    }
    assert_eq!(is_standing(&mut street, 20, &[]), [false; 20]);
    street.epoch = Epoch(2);
    assert_eq!(
        is_standing(&mut street, 10, &[CARTON]),
        [false; 10],
        "a new picture begins with what is on it"
    );
}

#[test]
fn who_moves_and_what_is_large_does_not_stand() {
    let mut street = Street::settled(5.0);
    for step in 0..60 {
        let moves = (100 + step * 6, 150, 24, 60, 20.0);
        assert_eq!(street.standing(200, &[moves, (20, 20, 400, 110, 200.0)]), [], "step {step}");
    }
}

#[test]
fn small_and_odd_pictures_are_checked_too() {
    for (width, height) in [(1u32, 1u32), (40, 30), (161, 3), (2, 400), (1921, 1081)] {
        let samples = vec![90; Picture::byte_count(width, height)];
        let picture = Picture::new(width, height, PixelFormat::Nv12, Colour::default(), samples).unwrap();
        let blocks = Blocks::of(&picture);
        let mut background =
            Background::new(Blocks::of(&picture), Vec::new(), Epoch(1), Monotonic::default());
        let seen = background.update(&blocks, Monotonic::from_nanos(2_000_000_000));
        assert!(seen.foreground.is_empty() && !seen.began_again, "{width}x{height}");
    }
}
