//! A constant-velocity Kalman filter over a box: its centre, width and height, each by itself.

use base::geometry::{Point, Rect};

/// Minimum error of a detection, in units of the box's size. This and the next are twice the errors of street-nano's
/// boxes on drawn streets: its errors last for several inferences, which the filter takes for independent.
const MEASURED: f32 = 0.06;
/// Error of a detection of score 0, in the same units; less with a higher score.
const UNSURE: f32 = 0.32;
/// Speed that a new subject may have (standard deviation), in sizes a second.
const FIRST_SPEED: f32 = 4.0;
/// Acceleration that is expected, in sizes a second, each second.
const ACCELERATION: f32 = 0.7;
/// No box is more exact than a pixel of a sub stream, of 640 in a row and 360 rows; heights are a little less exact.
const PIXEL: (f32, f32) = (1.0 / 640.0, 0.85 / 360.0);
/// Factor on the errors of widths and heights, which are less exact than places.
const SIZE: f32 = 1.3;
/// Part of a missing score that counts for them: an unsure detection is less inexact in size.
const SIZE_UNSURE: f32 = 0.6;
/// Sizes change more slowly than places.
const GROWTH: f32 = 0.25;
/// Speed, in sizes a second, below which a movement is the detector's trembling, and the box stays where it is.
const TREMBLE: f32 = 0.15;
/// Speed from which on the box goes on as measured.
const GOING: f32 = 0.45;
/// Growth that gets faster does so by no more than this.
const GROWTH_AGILITY_MAX: f32 = 6.0;
/// Time for which a measured growth is believed.
const GROWTH_SECONDS: f32 = 0.6;

/// Speed, in sizes a second, from which on growth is taken for coming nearer.
const NEARING_PACE: f32 = 0.5;
/// Growth, in parts of its size a second, that may be trembling of its edges.
const NEARING_TREMBLE: f32 = 0.25;
/// Maximum ratio by which an approaching subject is expected to be larger, and a leaving one smaller.
const NEARER_MAX: f32 = 2.2;

/// Place and speed of one coordinate with their covariance.
#[derive(Debug, Clone, Copy)]
struct Axis {
    place: f32,
    speed: f32,
    pp: f32,
    pv: f32,
    vv: f32,
}

impl Axis {
    fn new(place: f32, scale: f32, agility: f32, noise: f32) -> Self {
        Self { place, speed: 0.0, pp: noise * noise, pv: 0.0, vv: (FIRST_SPEED * agility * scale).powi(2) }
    }

    /// White noise of acceleration over `seconds` (Bar-Shalom et al., "Estimation with Applications to Tracking and
    /// Navigation", 6.2.2). `way` is the number of these seconds for which its speed is believed.
    fn predict(&mut self, seconds: f32, way: f32, scale: f32, agility: f32) {
        let q = (ACCELERATION * agility * scale).powi(2);
        let t = seconds;
        self.place += self.speed * way;
        self.pp += 2.0 * t * self.pv + t * t * self.vv + q * t * t * t / 3.0;
        self.pv += t * self.vv + q * t * t / 2.0;
        self.vv += q * t;
    }

    /// `noise` is the standard deviation of the measured value.
    fn correct(&mut self, measured: f32, noise: f32) {
        let noise = noise * noise;
        let (gain_place, gain_speed) = (self.pp / (self.pp + noise), self.pv / (self.pp + noise));
        let surprise = measured - self.place;
        self.place += gain_place * surprise;
        self.speed += gain_speed * surprise;
        self.vv -= gain_speed * self.pv;
        self.pv *= 1.0 - gain_place;
        self.pp *= 1.0 - gain_place;
    }
}

/// Place and movement of a box.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    x: Axis,
    y: Axis,
    w: Axis,
    h: Axis,
}

/// Uncertainties go by the box's larger side, so that thin boxes are not held to their width.
pub(super) fn scales(w: f32, h: f32) -> (f32, f32) {
    (w.max(0.5 * h).max(1e-4), h.max(0.5 * w).max(1e-4))
}

/// Standard deviations of a detection's place: sure ones are exact.
fn noises(rect: &Rect, score: f32) -> (f32, f32) {
    let (sx, sy) = scales(rect.w, rect.h);
    let part = (UNSURE * (1.0 - score)).max(MEASURED);
    ((part * sx).hypot(PIXEL.0), (part * sy).hypot(PIXEL.1))
}

impl Motion {
    pub(super) fn new(rect: &Rect, score: f32) -> Self {
        let (nx, ny) = noises(rect, score);
        let (sx, sy) = scales(rect.w, rect.h);
        let centre = rect.centre();
        Self {
            x: Axis::new(centre.x, sx, 1.0, nx),
            y: Axis::new(centre.y, sy, 1.0, ny),
            w: Axis::new(rect.w, sx, GROWTH, SIZE * nx),
            h: Axis::new(rect.h, sy, GROWTH, SIZE * ny),
        }
    }

    /// Moves on by `seconds`. `travelled` is its recent pace from place to place, in sizes a second, where that is
    /// known: a subject that only trembles does not go on trembling in one direction.
    pub(super) fn predict(&mut self, seconds: f32, travelled: Option<f32>) {
        // Beyond a few seconds the covariances say no more than "anywhere".
        let seconds = seconds.clamp(0.0, 10.0);
        let (sx, sy) = scales(self.w.place, self.h.place);
        let pace = travelled.map_or(self.pace(), |travelled| travelled.min(self.pace()));
        let way = seconds * ((pace - TREMBLE) / (GOING - TREMBLE)).clamp(0.0, 1.0);
        let nearer = self.nearer(pace, seconds);
        for (axis, scale) in [(&mut self.x, sx), (&mut self.y, sy)] {
            axis.predict(seconds, way * nearer, scale, 1.0);
            axis.speed *= nearer * nearer;
        }
        let fades = (-seconds / GROWTH_SECONDS).exp();
        // Growth at rate `g` changes by `2 g²` of the size a second, each second.
        let agility = GROWTH.max(2.0 * self.growth().powi(2) / ACCELERATION).min(GROWTH_AGILITY_MAX);
        for (axis, scale) in [(&mut self.w, sx), (&mut self.h, sy)] {
            if nearer == 1.0 {
                axis.predict(seconds, GROWTH_SECONDS * (1.0 - fades), scale, agility);
                axis.speed *= fades;
            } else {
                axis.predict(seconds, 0.0, scale, agility);
                axis.place *= nearer;
                axis.speed *= nearer * nearer;
            }
        }
        self.w.place = self.w.place.clamp(1e-4, 1.0);
        self.h.place = self.h.place.clamp(1e-4, 1.0);
    }

    /// Takes a detection of this score into account.
    pub(super) fn correct(&mut self, rect: &Rect, score: f32) {
        let (nx, ny) = noises(rect, score);
        let centre = rect.centre();
        self.x.correct(centre.x, nx);
        self.y.correct(centre.y, ny);
        let (nw, nh) = noises(rect, 1.0 - SIZE_UNSURE * (1.0 - score));
        self.w.correct(rect.w, SIZE * nw);
        self.h.correct(rect.h, SIZE * nh);
    }

    /// Sets the pace of a new subject: sizes a second across and down.
    pub(super) fn start(&mut self, [x, y]: [f32; 2]) {
        let (sx, sy) = scales(self.w.place, self.h.place);
        (self.x.speed, self.y.speed) = (x * sx, y * sy);
    }

    /// Sets the speed to zero: the subject stands, and the rest of its speed was noise.
    pub(super) fn rest(&mut self) {
        for axis in [&mut self.x, &mut self.y, &mut self.w, &mut self.h] {
            axis.speed = 0.0;
        }
    }

    /// Returns the ratio of its size after `seconds` to its size now, for a subject that moves at `pace`. A subject
    /// that comes nearer at an even speed is `1 / (1 - g t)` times as large after `t`, where `g` is the part of its
    /// size by which it grows a second now: size and way from the vanishing point go by the inverse of the distance.
    fn nearer(&self, pace: f32, seconds: f32) -> f32 {
        let growth = self.growth();
        if pace <= NEARING_PACE {
            return 1.0;
        }
        let part = (growth.abs() - NEARING_TREMBLE).max(0.0).copysign(growth) * seconds;
        1.0 / (1.0 - part).clamp(1.0 / NEARER_MAX, NEARER_MAX)
    }

    /// Part of its size by which it grows a second, as far as both of its sides agree: a box that is being uncovered
    /// grows on one side.
    pub(super) fn growth(&self) -> f32 {
        let (w, h) = (self.w.speed / self.w.place.max(1e-4), self.h.speed / self.h.place.max(1e-4));
        if w * h > 0.0 { w.abs().min(h.abs()).copysign(w) } else { 0.0 }
    }

    /// Speed of the centre in sizes of the box a second.
    pub(super) fn pace(&self) -> f32 {
        let [x, y] = self.paces();
        x.hypot(y)
    }

    /// The pace across and down.
    pub(super) fn paces(&self) -> [f32; 2] {
        let (sx, sy) = scales(self.w.place, self.h.place);
        [self.x.speed / sx, self.y.speed / sy]
    }

    /// The box; may reach beyond the picture.
    pub(super) fn rect(&self) -> Rect {
        let (w, h) = (self.w.place, self.h.place);
        Rect::new(self.x.place - w / 2.0, self.y.place - h / 2.0, w, h)
    }

    /// Velocity of the centre, per second.
    pub(super) fn velocity(&self) -> Point {
        Point::new(self.x.speed, self.y.speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_a_steady_speed_from_uneven_inferences() {
        let at = |t: f32| Rect::new(0.1 + 0.2 * t, 0.5 - 0.05 * t, 0.05, 0.1);
        let mut motion = Motion::new(&at(0.0), 0.9);
        let mut t = 0.0;
        for step in [0.2, 0.1, 0.5, 0.2, 0.35, 0.2, 0.2] {
            t += step;
            motion.predict(step, None);
            motion.correct(&at(t), 0.9);
        }
        let velocity = motion.velocity();
        assert!((velocity.x - 0.2).abs() < 0.01 && (velocity.y + 0.05).abs() < 0.01, "{velocity:?}");
        motion.predict(0.5, None);
        assert!(motion.rect().iou(&at(t + 0.5)) > 0.85);
    }

    #[test]
    fn who_comes_nearer_at_an_even_speed_is_not_left_behind() {
        // 1.8 m high, from 40 m away at 15 m/s, seen by a camera 4 m above the street.
        let at = |t: f32| {
            let near = 1.0 / (40.0 - 15.0 * t);
            let (h, foot) = (1.8 * near, 0.1 + 4.0 * near);
            Rect::new(0.5, foot - h, 0.3 * h, h)
        };
        let mut motion = Motion::new(&at(0.0), 0.9);
        for i in 1..=8 {
            motion.predict(0.2, None);
            motion.correct(&at(0.2 * i as f32), 0.9);
        }
        let lags = |motion: &Motion| (at(2.0).foot().y - motion.rect().foot().y) / at(2.0).h;
        let mut even = motion.clone();
        (even.w.speed, even.h.speed) = (0.0, 0.0);
        motion.predict(0.4, None);
        even.predict(0.4, None);
        assert!(lags(&motion).abs() < 0.95 * lags(&even).abs(), "{} {}", lags(&motion), lags(&even));
    }

    #[test]
    fn an_unsure_box_moves_it_less() {
        let first = Rect::new(0.4, 0.4, 0.05, 0.1);
        let beside = Rect::new(0.42, 0.4, 0.05, 0.1);
        let moved = |score: f32| {
            let mut motion = Motion::new(&first, 0.9);
            (0..5).for_each(|_| {
                motion.predict(0.2, None);
                motion.correct(&first, 0.9);
            });
            motion.predict(0.2, None);
            motion.correct(&beside, score);
            motion.rect().x - first.x
        };
        assert!(moved(0.9) > 1.5 * moved(0.3) && moved(0.3) > 0.0, "{} {}", moved(0.9), moved(0.3));
    }
}
