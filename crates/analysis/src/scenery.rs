//! The scenery of a camera: its picture as it was over the last minutes, for comparing structure.
//!
//! Stains, posts and posters are taken for people and vehicles, at a high score in a crop of their own, for hours. They
//! have in common that the picture at their place is what it was minutes ago, in another light perhaps. It judges no
//! subject: `track` does, from one number for each detection. Called by `infer` on every frame.

use std::ops::Range;

use base::geometry::Rect;
use base::picture::{Frame, Picture};
use base::time::Monotonic;

/// Maximum number of blocks across the picture.
const COLUMNS_MAX: usize = 320;
/// Maximum distance that a camera on a pole sways, in blocks.
const SWAY: usize = 1;
/// Minimum time between two updates, in seconds.
const INTERVAL_SECONDS: f32 = 1.0;
/// Time constant of the average, in seconds: longer than a subject stands unseen.
const LEARNING_SECONDS: f32 = 120.0;
/// Maximum time that counts for one update, in seconds.
const GAP_SECONDS_MAX: f32 = 10.0;
/// Addition to a box at each side, as a part of its size: the edge of a stain tells most.
const MARGIN: f32 = 0.1;
/// Minimum number of blocks in a box.
const BLOCKS_MIN: usize = 12;
/// Minimum standard deviation of luma in a box, in codes: below it there is no structure to compare.
const DEVIATION_MIN: f32 = 2.5;

/// Slow average of one camera's luma.
#[derive(Debug, Default)]
pub struct Scenery {
    size: (u32, u32),
    grid: Grid,
    /// Mean luma of each block, row by row.
    luma: Vec<f32>,
    updated_at: Option<Monotonic>,
}

impl Scenery {
    /// Takes a frame into the average, at most once a second. Begins anew with a picture of another size.
    pub fn update(&mut self, frame: &Frame) {
        let (picture, at) = (&frame.picture, frame.at.monotonic);
        let size = (picture.width(), picture.height());
        if self.size != size || self.luma.is_empty() {
            let grid = Grid::of(picture);
            let luma = grid.means(picture, 0..grid.columns, 0..grid.rows).collect();
            *self = Self { size, grid, luma, updated_at: Some(at) };
            return;
        }
        let seconds = self.updated_at.map_or(0.0, |then| at.since(then).as_secs_f32());
        if seconds < INTERVAL_SECONDS {
            return;
        }
        self.updated_at = Some(at);
        let part = seconds.min(GAP_SECONDS_MAX) / LEARNING_SECONDS;
        let now = self.grid.means(picture, 0..self.grid.columns, 0..self.grid.rows);
        for (own, now) in self.luma.iter_mut().zip(now) {
            *own += part * (now - *own);
        }
    }

    /// Correlation of the picture in `rect` with the scenery there, -1..=1, whatever the light. `None` where the box is
    /// too small or too flat to tell, and before the first frame of that size.
    pub fn correlation(&self, picture: &Picture, rect: &Rect) -> Option<f32> {
        if self.size != (picture.width(), picture.height()) || self.luma.is_empty() {
            return None;
        }
        let (mx, my) = (MARGIN * rect.w, MARGIN * rect.h);
        let rect = Rect::new(rect.x - mx, rect.y - my, rect.w + 2.0 * mx, rect.h + 2.0 * my).clamped();
        let columns = span(rect.x, rect.right(), self.grid.columns);
        let rows = span(rect.y, rect.bottom(), self.grid.rows);
        let now: Vec<f32> = self.grid.means(picture, columns.clone(), rows.clone()).collect();
        let places = (0..=2 * SWAY).flat_map(|down| (0..=2 * SWAY).map(move |across| (across, down)));
        let correlations = places.filter_map(|(across, down)| {
            let mut sums = Sums::default();
            for (row, line) in rows.clone().zip(now.chunks_exact(columns.len().max(1))) {
                let begin = (row + down - SWAY) * self.grid.columns + columns.start + across - SWAY;
                let then = &self.luma[begin..begin + line.len()];
                line.iter().zip(then).for_each(|(now, then)| sums.add(*now, *then));
            }
            sums.correlation()
        });
        correlations.max_by(f32::total_cmp)
    }
}

/// Blocks of a picture's luma.
#[derive(Debug, Default)]
struct Grid {
    /// Side of a block, in pixels.
    side: usize,
    columns: usize,
    rows: usize,
}

impl Grid {
    fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let side = width.div_ceil(COLUMNS_MAX).max(1);
        Self { side, columns: width / side, rows: height / side }
    }

    /// Mean luma of some blocks, row by row.
    fn means(
        &self,
        picture: &Picture,
        columns: Range<usize>,
        rows: Range<usize>,
    ) -> impl Iterator<Item = f32> {
        let (luma, width, side) = (picture.luma(), picture.width() as usize, self.side);
        let scale = 1.0 / (side * side) as f32;
        rows.flat_map(move |row| {
            columns.clone().map(move |column| {
                let lines = (row * side..(row + 1) * side).map(|line| line * width + column * side);
                let sum: u32 =
                    lines.flat_map(|begin| &luma[begin..begin + side]).map(|y| u32::from(*y)).sum();
                sum as f32 * scale
            })
        })
    }
}

/// Blocks between two fractions of a side, but for those that the camera's sway may hide.
fn span(from: f32, until: f32, count: usize) -> Range<usize> {
    let at = |part: f32| {
        ((part * count as f32).round() as usize).clamp(SWAY, count.saturating_sub(SWAY).max(SWAY))
    };
    at(from)..at(until)
}

/// Sums of a correlation coefficient, in double precision: squares of some thousand codes.
#[derive(Default)]
struct Sums {
    count: usize,
    a: f64,
    b: f64,
    aa: f64,
    bb: f64,
    ab: f64,
}

impl Sums {
    fn add(&mut self, a: f32, b: f32) {
        let (a, b) = (f64::from(a), f64::from(b));
        self.count += 1;
        (self.a, self.b) = (self.a + a, self.b + b);
        (self.aa, self.bb, self.ab) = (self.aa + a * a, self.bb + b * b, self.ab + a * b);
    }

    fn correlation(&self) -> Option<f32> {
        if self.count < BLOCKS_MIN {
            return None;
        }
        let n = self.count as f64;
        let (va, vb) = (self.aa / n - (self.a / n).powi(2), self.bb / n - (self.b / n).powi(2));
        let flat = f64::from(DEVIATION_MIN).powi(2);
        let covariance = self.ab / n - self.a * self.b / (n * n);
        (va >= flat && vb >= flat).then(|| (covariance / (va * vb).sqrt()) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ids::Epoch;
    use base::picture::{Colour, PixelFormat};
    use base::time::{ClockState, Pts, Stamp, WallTime};
    use std::time::Duration;

    const SIZE: (usize, usize) = (640, 360);
    const PLACE: Rect = Rect::new(0.45, 0.4, 0.1, 0.2);

    /// A street with a stain, in the given light, and a subject if told.
    fn frame(second: f32, light: f32, is_there: bool) -> Frame {
        let (width, height) = SIZE;
        let luma = (0..width * height).map(|i| {
            let (x, y) = (i % width, i / width);
            let stain = if (x as i32 - 320).pow(2) + (y as i32 - 180).pow(2) < 900 { -40.0 } else { 0.0 };
            let subject = if is_there && (300..330).contains(&x) && (150..210).contains(&y) {
                if y < 170 { 70.0 } else { -30.0 }
            } else {
                0.0
            };
            let noise = ((i * 2_654_435_761) >> 7) % 5;
            ((120.0 + stain + subject + noise as f32) * light) as u8
        });
        let samples: Vec<u8> = luma.chain(std::iter::repeat_n(128, width * height / 2)).collect();
        let picture = Picture::new(640, 360, PixelFormat::I420, Colour::default(), samples).unwrap();
        let span = Duration::from_secs_f32(second);
        let at = Stamp {
            wall: WallTime::from_micros(0) + span,
            monotonic: Monotonic::from_nanos(1) + span,
            clock: ClockState::Synced,
        };
        Frame { camera: "gate".parse().unwrap(), epoch: Epoch(1), pts: Pts(0), at, picture }
    }

    #[test]
    fn a_stain_is_scenery_in_any_light_and_a_subject_on_it_is_none() {
        let mut scenery = Scenery::default();
        for second in 0..60 {
            scenery.update(&frame(second as f32, 1.0, false));
        }
        for light in [0.4, 0.8, 1.0, 1.3] {
            let empty = scenery.correlation(&frame(60.0, light, false).picture, &PLACE).unwrap();
            let hidden = scenery.correlation(&frame(60.0, light, true).picture, &PLACE).unwrap();
            assert!(empty > 0.95, "light {light}: {empty}");
            assert!(hidden < 0.7, "light {light}: {hidden}");
        }
    }

    #[test]
    fn a_flat_place_a_tiny_box_and_another_size_say_nothing() {
        let mut scenery = Scenery::default();
        let now = frame(0.0, 1.0, false);
        assert_eq!(scenery.correlation(&now.picture, &PLACE), None);
        scenery.update(&now);
        assert!(scenery.correlation(&now.picture, &PLACE).is_some());
        assert_eq!(scenery.correlation(&now.picture, &Rect::new(0.1, 0.1, 0.1, 0.1)), None);
        assert_eq!(scenery.correlation(&now.picture, &Rect::new(0.5, 0.5, 0.003, 0.003)), None);
        let small =
            Picture::new(64, 36, PixelFormat::I420, Colour::default(), vec![90; 64 * 36 * 3 / 2]).unwrap();
        assert_eq!(scenery.correlation(&small, &PLACE), None);
    }

    #[test]
    fn a_parked_car_becomes_scenery_after_minutes_only() {
        let mut scenery = Scenery::default();
        scenery.update(&frame(0.0, 1.0, false));
        let after = |scenery: &mut Scenery, seconds: std::ops::Range<u32>| {
            seconds.for_each(|second| scenery.update(&frame(second as f32, 1.0, true)));
            scenery.correlation(&frame(0.0, 1.0, true).picture, &PLACE).unwrap()
        };
        assert!(after(&mut scenery, 1..20) < 0.85);
        assert!(after(&mut scenery, 20..600) > 0.95);
    }
}
