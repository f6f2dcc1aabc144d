//! Zones, lines, directions and masks as they are drawn on pictures. Pure. A dark seam lets each show on any ground.

use std::collections::BTreeMap;

use ab_glyph::FontRef;
use image::{Rgb, RgbImage};

use super::font;
use crate::config::{Camera, Settings};
use analysis::rules::{Kind, RuleArea, RuleSettings};
use base::geometry::{Point, Polygon};
use base::ids::{CameraId, RuleId};
use base::zone::{Tripwire, Zone};

const SEAM: Rgb<u8> = Rgb([14, 16, 20]);
/// Height of labels in pixels.
const LABEL: f32 = 16.0;
/// Pixels of a dash, and of the gap after it.
const DASH: f32 = 8.0;
/// Length of an arrow's barbs, as a part of the picture's width.
const BARB: f32 = 0.014;
/// Length of the arrow that shows in which direction a crossing counts, as a part of the picture's width.
const CROSSING: f32 = 0.05;

/// Something on a camera's picture that a person has drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Its kind.
    pub kind: OutlineKind,
    /// Its corners in order; of a line or a direction, its two ends.
    pub points: Vec<Point>,
    /// Text that is written on a whole picture; empty for none.
    pub label: String,
}

/// Kind of an outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutlineKind {
    /// A zone.
    Zone,
    /// A tripwire, with the directions in which crossings count.
    Line {
        /// An arrow points to its right, as seen from its first point to its second.
        to_right: bool,
        /// An arrow points to its left.
        to_left: bool,
    },
    /// The direction of traffic in a zone.
    Direction,
    /// An area in which motion does not count.
    Mask,
    /// An area that no picture shows.
    PrivacyMask,
}

impl Outline {
    /// Everything that is configured for a camera: masks, zones, directions and lines, in the order in which they are drawn.
    pub fn of_camera(settings: &Settings, camera: &Camera) -> Vec<Self> {
        let id = &camera.camera.id;
        let rules: Vec<&RuleSettings> = settings.rules.iter().filter(|rule| rule.camera == *id).collect();
        let mut outlines = Vec::new();
        outlines.extend(camera.masks.iter().map(|mask| Self::area(OutlineKind::Mask, mask, "mask")));
        let privacy = |mask| Self::area(OutlineKind::PrivacyMask, mask, "privacy mask");
        outlines.extend(camera.privacy_masks.iter().map(privacy));
        let places = settings.places.get(id).cloned().unwrap_or_default();
        outlines.extend(places.zones.iter().map(Self::zone));
        outlines.extend(rules.iter().filter_map(|rule| Self::direction(rule)));
        outlines.extend(places.tripwires.iter().map(|line| {
            let about =
                |rule: &&&RuleSettings| matches!(&rule.place, RuleArea::Tripwire(of) if of.id == line.id);
            let sides = rules.iter().filter(about).filter_map(|rule| sides(&rule.kind));
            Self::line(line, sides.fold((false, false), |all, one| (all.0 || one.0, all.1 || one.1)))
        }));
        outlines
    }

    /// The zone or the line of a rule; nothing for a rule about the whole picture.
    pub fn of_rule(rule: &RuleSettings) -> Vec<Self> {
        match &rule.place {
            RuleArea::Everywhere => Vec::new(),
            RuleArea::Zone(zone) => {
                [Some(Self::zone(zone)), Self::direction(rule)].into_iter().flatten().collect()
            }
            RuleArea::Tripwire(line) => vec![Self::line(line, sides(&rule.kind).unwrap_or_default())],
        }
    }

    fn area(kind: OutlineKind, polygon: &Polygon, label: &str) -> Self {
        Self { kind, points: polygon.points().to_vec(), label: label.to_owned() }
    }

    fn zone(zone: &Zone) -> Self {
        Self::area(OutlineKind::Zone, &zone.polygon, &label(zone.id.as_str(), &zone.name))
    }

    fn line(line: &Tripwire, (to_left, to_right): (bool, bool)) -> Self {
        let kind = OutlineKind::Line { to_right, to_left };
        Self { kind, points: vec![line.from, line.to], label: label(line.id.as_str(), &line.name) }
    }

    fn direction(rule: &RuleSettings) -> Option<Self> {
        let Kind::WrongWay(params) = &rule.kind else { return None };
        let points = <[[f32; 2]; 2]>::from(params.direction).map(Point::from).to_vec();
        Some(Self { kind: OutlineKind::Direction, points, label: String::new() })
    }

    /// The strokes, in pixels of a picture of this size: from, to, and whether dashed.
    fn strokes(&self, place: impl Fn(Point) -> [f32; 2], width: f32) -> Vec<([f32; 2], [f32; 2], bool)> {
        let points: Vec<[f32; 2]> = self.points.iter().map(|point| place(*point)).collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
        let is_dashed = matches!(self.kind, OutlineKind::Mask | OutlineKind::PrivacyMask);
        let mut strokes: Vec<_> = points.windows(2).map(|pair| (pair[0], pair[1], is_dashed)).collect();
        match self.kind {
            OutlineKind::Zone | OutlineKind::Mask | OutlineKind::PrivacyMask => {
                strokes.push((*last, *first, is_dashed));
            }
            OutlineKind::Direction => strokes.extend(barbs(*first, *last, width * BARB)),
            OutlineKind::Line { to_right, to_left } => {
                let middle = [(first[0] + last[0]) / 2.0, (first[1] + last[1]) / 2.0];
                let (dx, dy) = (last[0] - first[0], last[1] - first[1]);
                let length = dx.hypot(dy).max(1.0);
                // To the right of a way on a picture whose y grows downwards.
                let right = [-dy / length * width * CROSSING, dx / length * width * CROSSING];
                for (is_counted, sign) in [(to_right, 1.0), (to_left, -1.0)] {
                    let tip = [middle[0] + sign * right[0], middle[1] + sign * right[1]];
                    if is_counted {
                        strokes.push((middle, tip, false));
                        strokes.extend(barbs(middle, tip, width * BARB));
                    }
                }
            }
        }
        strokes
    }

    fn colour(&self) -> Rgb<u8> {
        match self.kind {
            OutlineKind::Zone => Rgb([96, 230, 130]),
            OutlineKind::Line { .. } => Rgb([255, 120, 220]),
            OutlineKind::Direction => Rgb([110, 200, 255]),
            OutlineKind::Mask => Rgb([215, 215, 215]),
            OutlineKind::PrivacyMask => Rgb([160, 170, 180]),
        }
    }
}

/// The outlines of rules, by camera and rule.
pub(in crate::alerts) type RuleOutlines = BTreeMap<(CameraId, RuleId), Vec<Outline>>;

/// The outlines of every rule.
pub(in crate::alerts) fn by_rule(settings: &Settings) -> RuleOutlines {
    let of_rule = |rule: &RuleSettings| ((rule.camera.clone(), rule.id.clone()), Outline::of_rule(rule));
    settings.rules.iter().map(of_rule).collect()
}

/// Directions that a rule counts: to the left, to the right. `None` where it is not about a line.
fn sides(kind: &Kind) -> Option<(bool, bool)> {
    use analysis::rules::tripwire::Direction;
    let Kind::Tripwire(params) = kind else { return None };
    Some(match params.direction {
        Direction::Both => (true, true),
        Direction::LeftToRight => (false, true),
        Direction::RightToLeft => (true, false),
    })
}

fn label(id: &str, name: &str) -> String {
    if id == name { id.to_owned() } else { format!("{id}: {name}") }
}

fn barbs(from: [f32; 2], tip: [f32; 2], length: f32) -> [([f32; 2], [f32; 2], bool); 2] {
    let back = (from[1] - tip[1]).atan2(from[0] - tip[0]);
    [0.45_f32, -0.45].map(|turn| {
        let angle = back + turn;
        (tip, [tip[0] + length * angle.cos(), tip[1] + length * angle.sin()], false)
    })
}

/// Draws outlines within the left top part of the image that is `view` large. `place` gives a point's pixel, `thick` the
/// width of a line; labels are written where `font` is given.
pub(super) fn draw(
    image: &mut RgbImage,
    view: (u32, u32),
    outlines: &[Outline],
    place: impl Fn(Point) -> [f32; 2],
    thick: f32,
    font: Option<&FontRef>,
) {
    for outline in outlines {
        let strokes = outline.strokes(&place, view.0 as f32);
        for (width, colour, opacity) in [(thick + 1.6, SEAM, 0.5), (thick, outline.colour(), 0.9)] {
            let pen = Pen { width, colour, opacity };
            strokes.iter().for_each(|(from, to, dashed)| pen.stroke(image, view, *from, *to, *dashed));
        }
    }
    let Some(font) = font else { return };
    for outline in outlines.iter().filter(|outline| !outline.label.is_empty()) {
        let highest = outline.points.iter().copied().min_by(|a, b| a.y.total_cmp(&b.y));
        let Some([x, y]) = highest.map(&place) else { continue };
        let words = font::shortened(font, LABEL, &outline.label, view.0 as f32 * 0.4);
        let (width, height) = (font::width(font, LABEL, &words), LABEL + 3.0);
        let left = (x + 4.0).clamp(0.0, (view.0 as f32 - width - 6.0).max(0.0));
        // Above the outline, where somebody in a zone stays visible.
        let above = y - height - 4.0;
        let top = if above >= 0.0 { above } else { y + 4.0 };
        let top = top.clamp(0.0, (view.1 as f32 - height).max(0.0));
        for row in top as u32..((top + height) as u32).min(view.1) {
            for column in left as u32..((left + width + 6.0) as u32).min(view.0) {
                mix(image, column, row, SEAM, 0.65);
            }
        }
        font::write(image, font, LABEL, (left + 3.0, top + 1.0), outline.colour(), &words);
    }
}

/// A pen with soft edges.
struct Pen {
    width: f32,
    colour: Rgb<u8>,
    opacity: f32,
}

impl Pen {
    fn stroke(&self, image: &mut RgbImage, view: (u32, u32), from: [f32; 2], to: [f32; 2], dashed: bool) {
        let reach = self.width / 2.0 + 1.0;
        let span = |axis: usize, limit: u32| {
            let low = (from[axis].min(to[axis]) - reach).max(0.0) as u32;
            let high = (from[axis].max(to[axis]) + reach).max(0.0).ceil() as u32;
            low..high.min(limit)
        };
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = dx.hypot(dy).max(f32::MIN_POSITIVE);
        for y in span(1, view.1) {
            for x in span(0, view.0) {
                let (px, py) = (x as f32 + 0.5 - from[0], y as f32 + 0.5 - from[1]);
                let along = ((px * dx + py * dy) / length).clamp(0.0, length);
                if dashed && along % (2.0 * DASH) >= DASH {
                    continue;
                }
                let away = (px - dx / length * along).hypot(py - dy / length * along);
                let cover = (self.width / 2.0 + 0.5 - away).clamp(0.0, 1.0);
                if cover > 0.0 {
                    mix(image, x, y, self.colour, cover * self.opacity);
                }
            }
        }
    }
}

fn mix(image: &mut RgbImage, x: u32, y: u32, colour: Rgb<u8>, part: f32) {
    let pixel = image.get_pixel_mut(x, y);
    for (old, new) in pixel.0.iter_mut().zip(colour.0) {
        *old = (f32::from(*old) + (f32::from(new) - f32::from(*old)) * part).round() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREY: Rgb<u8> = Rgb([128; 3]);

    fn outline(kind: OutlineKind, points: &[[f32; 2]]) -> Outline {
        Outline { kind, points: points.iter().copied().map(Point::from).collect(), label: String::new() }
    }

    fn drawn(outline: Outline) -> RgbImage {
        let mut image = RgbImage::from_pixel(200, 100, GREY);
        let place = |point: Point| [point.x * 200.0, point.y * 100.0];
        draw(&mut image, (200, 80), &[outline], place, 2.0, None);
        image
    }

    #[test]
    fn a_zone_is_drawn_along_all_of_its_edges_and_not_inside() {
        let image = drawn(outline(OutlineKind::Zone, &[[0.1, 0.1], [0.9, 0.1], [0.9, 0.7], [0.1, 0.7]]));
        for (x, y) in [(100, 10), (180, 40), (100, 70), (20, 40)] {
            let Rgb([red, green, _]) = *image.get_pixel(x, y);
            assert!(green > 190 && red < 140, "{x} {y}: {red} {green}");
        }
        assert_eq!(*image.get_pixel(100, 40), GREY, "the subject stays visible");
    }

    #[test]
    fn nothing_is_drawn_outside_of_the_view() {
        let image = drawn(outline(OutlineKind::Zone, &[[-0.5, -0.5], [1.5, -0.5], [1.5, 0.9], [-0.5, 0.9]]));
        assert!(image.enumerate_pixels().filter(|(_, y, _)| *y >= 80).all(|(.., pixel)| *pixel == GREY));
    }

    #[test]
    fn a_lines_arrow_points_to_the_side_that_counts() {
        // Drawn upwards on the picture: its right is the picture's right.
        let arrows = |to_left, to_right| {
            let image = drawn(outline(OutlineKind::Line { to_right, to_left }, &[[0.5, 0.75], [0.5, 0.05]]));
            let marked = |columns: std::ops::Range<u32>| {
                columns
                    .flat_map(|x| (0..80).map(move |y| (x, y)))
                    .any(|(x, y)| *image.get_pixel(x, y) != GREY)
            };
            (marked(90..97), marked(104..111))
        };
        assert_eq!(arrows(false, true), (false, true));
        assert_eq!(arrows(true, false), (true, false));
        assert_eq!(arrows(true, true), (true, true));
        assert_eq!(arrows(false, false), (false, false));
    }
}
