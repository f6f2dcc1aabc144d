//! Recall of persons by their height: the same persons, scaled to every height.

use base::detection::{Detection, Label};
use base::geometry::Rect;
use base::picture::Picture;
use detector::eval::{Labelled, picture};

use super::card::Row;
use super::network::{Network, for_each};
use super::sets;
use super::table::{heads, percent};
use super::tally;

/// Limits of the height ranges, in pixels of a picture of this size.
const HEIGHTS: [f32; 6] = [12.0, 20.0, 40.0, 80.0, 160.0, 380.0];
const SIZE: (usize, usize) = (640, 384);
/// Sets whose persons are scaled; street-nano learnt from none of them.
const SETS: [&str; 3] = ["street_val/pets_vtest", "street_val/crosswalk", "coco_val128"];
/// Minimum height, in pixels, of a person that can be shown larger.
const PIXELS_MIN: f32 = 100.0;
/// Ratios of height to width of a person who stands, and is seen whole.
const STANDING: std::ops::RangeInclusive<f32> = 1.8..=4.0;
/// Maximum number of persons of a set, taken evenly.
const PERSONS_MAX: usize = 70;
/// Grey around a picture that is smaller than the size.
const AROUND: u8 = 114;

/// Prints a line for each range of heights. Returns the same for the model card.
pub fn print(networks: &[Network]) -> Vec<Row> {
    let sets = sets::sets();
    let mut persons: Vec<(Labelled, Detection)> = Vec::new();
    for set in sets.iter().filter(|set| SETS.contains(&set.name.as_str())) {
        let standing: Vec<(Labelled, Detection)> = set.pictures.iter().flat_map(whole_persons).collect();
        let step = standing.len().div_ceil(PERSONS_MAX).max(1);
        persons.extend(standing.into_iter().step_by(step));
    }
    let found = for_each("persons by height", networks, &persons, |(labelled, person), lookers| {
        let whole = Rgb::of(&picture(&labelled.picture).unwrap());
        let mut hits = vec![[[false; 2]; HEIGHTS.len() - 1]; lookers.len()];
        for at in 0..HEIGHTS.len() - 1 {
            let (shown, rect) = whole.with_height(&person.rect, (HEIGHTS[at] * HEIGHTS[at + 1]).sqrt());
            let wanted = Detection { rect, ..*person };
            for (looker, hits) in lookers.iter_mut().zip(&mut hits) {
                let found = looker.look(&shown).merged;
                for (score_min, hit) in [0.25, 0.45].into_iter().zip(&mut hits[at]) {
                    let sure = found.iter().filter(|seen| seen.score >= score_min);
                    let boxes: Vec<_> = sure.map(|seen| (seen.label, seen.rect)).collect();
                    *hit = tally::found(&[wanted], &boxes)[0];
                }
            }
        }
        hits
    });
    println!(
        "\nrecall of {} persons who stand, of {}, each shown in the middle of every range of heights\n(pixels of {}x{}); \
         percent at 0.25 and 0.45",
        persons.len(),
        SETS.join(", "),
        SIZE.0,
        SIZE.1
    );
    println!("{:<16}{}", "height", heads(networks.iter().map(|network| network.name.as_str()), 20));
    let mut rows = Vec::new();
    for (at, range) in HEIGHTS.windows(2).enumerate() {
        let range = format!("{:.0} to {:.0}", range[0], range[1]);
        let part = |network: usize, score: usize| {
            let hits = found.iter().filter(|hits| hits[network][at][score]).count();
            percent(Some(hits as f64 / found.len().max(1) as f64))
        };
        print!("{range:<16}");
        (0..networks.len()).for_each(|network| print!(" | {:>8} {:>11}", part(network, 0), part(network, 1)));
        println!();
        rows.push(Row {
            what: format!("recall at 0.25: {} persons shown {range} px high", found.len()),
            cells: (0..networks.len()).map(|network| part(network, 0)).collect(),
        });
    }
    rows
}

/// The persons of a picture who stand, are seen whole, and are high enough.
fn whole_persons(labelled: &Labelled) -> Vec<(Labelled, Detection)> {
    let picture = picture(&labelled.picture).unwrap();
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let is_whole = |seen: &&Detection| {
        let Rect { x, y, .. } = seen.rect;
        let inside = x > 0.005 && y > 0.005 && seen.rect.right() < 0.995 && seen.rect.bottom() < 0.995;
        let is_alone = labelled.truth.iter().all(|other| other == *seen || other.rect.iou(&seen.rect) < 0.15);
        seen.label == Label::Person
            && inside
            && is_alone
            && seen.rect.h * h >= PIXELS_MIN
            && STANDING.contains(&(seen.rect.h * h / (seen.rect.w * w)))
    };
    labelled.truth.iter().filter(is_whole).map(|seen| (labelled.clone(), *seen)).collect()
}

/// A picture, to be read pixel by pixel.
struct Rgb {
    width: usize,
    height: usize,
    samples: Vec<u8>,
}

impl Rgb {
    fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Self { width, height, samples: picture.to_rgb() }
    }

    /// Returns the picture scaled so that `rect` becomes `pixels` high, around it; and the new place of `rect`.
    fn with_height(&self, rect: &Rect, pixels: f32) -> (Picture, Rect) {
        let scale = pixels / (rect.h * self.height as f32);
        let (w, h) = (SIZE.0 as f32, SIZE.1 as f32);
        let middle = rect.centre();
        // Left and top of the shown part, in its own pixels: the picture's edges stay outside where they can.
        let begin = |middle: f32, side: usize, shown: f32| {
            let side = side as f32 * scale;
            let begin = middle * side - shown / 2.0;
            if side > shown { begin.clamp(0.0, side - shown) } else { begin }
        };
        let (left, top) = (begin(middle.x, self.width, w), begin(middle.y, self.height, h));
        let mut samples = Vec::with_capacity(SIZE.0 * SIZE.1 * 3);
        for y in 0..SIZE.1 {
            for x in 0..SIZE.0 {
                let at = |pixel: usize, begin: f32| (pixel as f32 + 0.5 + begin) / scale;
                samples.extend(self.mean((at(x, left), at(y, top)), 1.0 / scale));
            }
        }
        let (across, down) = (self.width as f32 * scale, self.height as f32 * scale);
        let x = (rect.x * across - left) / w;
        let y = (rect.y * down - top) / h;
        let shown = Rect::new(x, y, rect.w * across / w, rect.h * down / h);
        (Picture::from_rgb(SIZE.0 as u32, SIZE.1 as u32, &samples).unwrap(), shown)
    }

    /// Mean of the pixels within `side` pixels around a point, or of the four pixels around it.
    fn mean(&self, (x, y): (f32, f32), side: f32) -> [u8; 3] {
        if x < 0.0 || y < 0.0 || x >= self.width as f32 || y >= self.height as f32 {
            return [AROUND; 3];
        }
        let taps = side.ceil().clamp(2.0, 12.0) as usize;
        let step = side.max(1.0) / taps as f32;
        let mut sum = [0.0f32; 3];
        for row in 0..taps {
            for column in 0..taps {
                let offset = |tap: usize| (tap as f32 + 0.5 - taps as f32 / 2.0) * step;
                let column = ((x + offset(column)).max(0.0) as usize).min(self.width - 1);
                let row = ((y + offset(row)).max(0.0) as usize).min(self.height - 1);
                let at = (row * self.width + column) * 3;
                sum.iter_mut().zip(&self.samples[at..at + 3]).for_each(|(sum, s)| *sum += f32::from(*s));
            }
        }
        sum.map(|sum| (sum / (taps * taps) as f32 + 0.5) as u8)
    }
}
