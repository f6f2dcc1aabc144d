//! Points, boxes and polygons on the picture. All coordinates are fractions of its width and height:
//! (0, 0) is the top left corner, (1, 1) the bottom right one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point on the picture, each coordinate in 0..=1; written as `[x, y]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "[f32; 2]", into = "[f32; 2]")]
#[schemars(with = "[f32; 2]")]
pub struct Point {
    /// From the left edge.
    pub x: f32,
    /// From the top edge.
    pub y: f32,
}

impl Point {
    /// The point at (`x`, `y`).
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }
}

impl From<[f32; 2]> for Point {
    fn from([x, y]: [f32; 2]) -> Self {
        Self { x, y }
    }
}

impl From<Point> for [f32; 2] {
    fn from(point: Point) -> Self {
        [point.x, point.y]
    }
}

/// A box on the picture: left, top, width and height; written as `[x, y, w, h]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
#[schemars(with = "[f32; 4]")]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Rect {
    /// From left, top, width and height.
    pub const fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w, h }
    }

    /// From two opposite corners (left, top, right, bottom).
    pub const fn from_corners(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        Self { x: x0, y: y0, w: x1 - x0, h: y1 - y0 }
    }

    /// Right edge.
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// Width times height; zero for an empty or inverted box.
    pub fn area(&self) -> f32 {
        self.w.max(0.0) * self.h.max(0.0)
    }

    /// The middle.
    pub fn centre(&self) -> Point {
        Point::new(self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// The middle of the bottom edge: where a subject stands on the ground.
    pub fn foot(&self) -> Point {
        Point::new(self.x + self.w / 2.0, self.bottom())
    }

    /// Area of the overlap with `other`.
    pub fn intersection(&self, other: &Rect) -> f32 {
        let w = self.right().min(other.right()) - self.x.max(other.x);
        let h = self.bottom().min(other.bottom()) - self.y.max(other.y);
        if w > 0.0 && h > 0.0 { w * h } else { 0.0 }
    }

    /// Intersection over union, 0..=1.
    pub fn iou(&self, other: &Rect) -> f32 {
        let intersection = self.intersection(other);
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }

    /// The smallest box around both.
    pub fn union(&self, other: &Rect) -> Rect {
        Rect::from_corners(
            self.x.min(other.x),
            self.y.min(other.y),
            self.right().max(other.right()),
            self.bottom().max(other.bottom()),
        )
    }

    /// The part that lies on the picture.
    pub fn clamped(&self) -> Rect {
        let x0 = self.x.clamp(0.0, 1.0);
        let y0 = self.y.clamp(0.0, 1.0);
        Rect::from_corners(x0, y0, self.right().clamp(x0, 1.0), self.bottom().clamp(y0, 1.0))
    }
}

impl From<[f32; 4]> for Rect {
    fn from([x, y, w, h]: [f32; 4]) -> Self {
        Self { x, y, w, h }
    }
}

impl From<Rect> for [f32; 4] {
    fn from(rect: Rect) -> Self {
        [rect.x, rect.y, rect.w, rect.h]
    }
}

/// A simple polygon with at least three corners, closed by itself; written as `[[x, y], ...]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Polygon {
    points: Vec<Point>,
}

/// Reason for which some points are no polygon.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidPolygon {
    /// Fewer than three corners.
    #[error("an area needs at least 3 points, this one has {0}")]
    TooFewPoints(usize),
    /// A corner outside of the picture.
    #[error("point [{}, {}] lies outside of the picture: coordinates go from 0 to 1", .0.x, .0.y)]
    OutOfPicture(Point),
    /// All corners on one line.
    #[error("the points enclose no area")]
    NoArea,
    /// Two edges cross.
    #[error(
        "the outline crosses itself between point {0} and point {1}: list the corners in order around it"
    )]
    SelfCrossing(usize, usize),
}

impl Polygon {
    /// Checks and keeps the corners, in order around the outline.
    pub fn new(points: Vec<Point>) -> Result<Self, InvalidPolygon> {
        if points.len() < 3 {
            return Err(InvalidPolygon::TooFewPoints(points.len()));
        }
        let inside = |v: f32| (0.0..=1.0).contains(&v);
        if let Some(point) = points.iter().find(|p| !(inside(p.x) && inside(p.y))) {
            return Err(InvalidPolygon::OutOfPicture(*point));
        }
        if let Some((i, j)) = self_crossing(&points) {
            return Err(InvalidPolygon::SelfCrossing(i + 1, j + 1));
        }
        let polygon = Self { points };
        if polygon.area() < 1e-6 {
            return Err(InvalidPolygon::NoArea);
        }
        Ok(polygon)
    }

    /// The corners, in order around the outline.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Enclosed area as a fraction of the picture (shoelace formula).
    pub fn area(&self) -> f32 {
        let twice: f32 = self.edges().map(|(a, b)| a.x * b.y - b.x * a.y).sum();
        twice.abs() / 2.0
    }

    /// True where `point` lies inside (even-odd rule).
    pub fn contains(&self, point: Point) -> bool {
        let mut inside = false;
        for (a, b) in self.edges() {
            let between = (a.y > point.y) != (b.y > point.y);
            if between && point.x < (b.x - a.x) * (point.y - a.y) / (b.y - a.y) + a.x {
                inside = !inside;
            }
        }
        inside
    }

    /// Corner pairs along the outline, the closing one included.
    pub fn edges(&self) -> impl Iterator<Item = (Point, Point)> + '_ {
        let next = self.points.iter().cycle().skip(1);
        self.points.iter().zip(next).map(|(a, b)| (*a, *b))
    }
}

/// The first pair of non-neighbouring edges that cross, by index of their first corner.
fn self_crossing(points: &[Point]) -> Option<(usize, usize)> {
    let n = points.len();
    for i in 0..n {
        for j in i + 2..n {
            let neighbours = i == 0 && j == n - 1;
            let (a, b, c, d) = (points[i], points[(i + 1) % n], points[j], points[(j + 1) % n]);
            if !neighbours && crossing(a, b, c, d).is_some() {
                return Some((i, j));
            }
        }
    }
    None
}

/// Side of a directed line that a point is on, and direction of a crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Left of the line when looking from its first point to its second, as seen on the picture.
    Left,
    /// Right of it.
    Right,
}

/// The side of the directed line `a` -> `b` on which `point` lies; `None` on the line itself.
pub fn side(a: Point, b: Point, point: Point) -> Option<Side> {
    // y grows downwards, so a positive cross product is to the right as seen on the picture.
    let cross = (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x);
    if cross > 0.0 {
        Some(Side::Right)
    } else if cross < 0.0 {
        Some(Side::Left)
    } else {
        None
    }
}

/// The side of the line `a`-`b` that a move from `from` to `to` arrives at, if the move crosses the line between its
/// ends; `None` if it does not, or only touches.
pub fn crossing(a: Point, b: Point, from: Point, to: Point) -> Option<Side> {
    let (before, after) = (side(a, b, from)?, side(a, b, to)?);
    let ends_apart = side(from, to, a) != side(from, to, b);
    (before != after && ends_apart).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(points: &[[f32; 2]]) -> Result<Polygon, InvalidPolygon> {
        Polygon::new(points.iter().map(|p| Point::from(*p)).collect())
    }

    #[test]
    fn iou_of_known_boxes() {
        let a = Rect::new(0.0, 0.0, 0.2, 0.2);
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&Rect::new(0.5, 0.5, 0.1, 0.1)), 0.0);
        assert!((a.iou(&Rect::new(0.1, 0.0, 0.2, 0.2)) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(Rect::default().iou(&Rect::default()), 0.0);
    }

    #[test]
    fn polygons_say_what_is_wrong_with_them() {
        assert_eq!(polygon(&[[0.0, 0.0], [1.0, 1.0]]), Err(InvalidPolygon::TooFewPoints(2)));
        assert_eq!(
            polygon(&[[0.0, 0.0], [1.2, 0.0], [1.0, 1.0]]),
            Err(InvalidPolygon::OutOfPicture(Point::new(1.2, 0.0)))
        );
        assert_eq!(polygon(&[[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]), Err(InvalidPolygon::NoArea));
        assert_eq!(
            polygon(&[[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]),
            Err(InvalidPolygon::SelfCrossing(1, 3))
        );
        assert!(polygon(&[[f32::NAN, 0.0], [1.0, 0.0], [1.0, 1.0]]).is_err());
    }

    #[test]
    fn a_concave_zone_excludes_its_notch() {
        let zone = polygon(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.2], [0.0, 1.0]]).unwrap();
        assert!(zone.contains(Point::new(0.1, 0.5)));
        assert!(zone.contains(Point::new(0.9, 0.5)));
        assert!(!zone.contains(Point::new(0.5, 0.6)));
    }

    #[test]
    fn a_crossing_knows_where_it_arrives() {
        // A line drawn upwards on the picture: left of it is the picture's left.
        let (a, b) = (Point::new(0.5, 0.9), Point::new(0.5, 0.1));
        let (west, east) = (Point::new(0.4, 0.5), Point::new(0.6, 0.5));
        assert_eq!(crossing(a, b, west, east), Some(Side::Right));
        assert_eq!(crossing(a, b, east, west), Some(Side::Left));
        assert_eq!(crossing(a, b, west, Point::new(0.45, 0.5)), None);
        assert_eq!(
            crossing(a, b, Point::new(0.4, 0.95), Point::new(0.6, 0.95)),
            None,
            "beyond the line's end"
        );
    }
}
