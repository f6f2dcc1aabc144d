//! Distances on the picture in lengths of the moving subject, so that near and far subjects are treated alike.

use std::time::Duration;

use super::RuleArea;
use super::thresholds::distances::*;
use base::geometry::{Point, Polygon, Rect};
use base::track::PathPoint;

/// Distance of two points, in picture heights.
pub(super) fn apart(a: Point, b: Point) -> f32 {
    let [dx, dy] = way(a, b);
    dx.hypot(dy)
}

/// Vector from one point to another, in picture heights.
pub(super) fn way(from: Point, to: Point) -> [f32; 2] {
    [(to.x - from.x) * WIDE, to.y - from.y]
}

/// The angle between two vectors, in degrees; 0 if one of them has no length.
pub(super) fn angle_degrees(a: [f32; 2], b: [f32; 2]) -> f32 {
    let (cross, dot) = (a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]);
    cross.abs().atan2(dot).to_degrees()
}

/// Length of a subject: its box's longer side, in picture heights. Never zero.
pub(super) fn length(rect: &Rect) -> f32 {
    (rect.w * WIDE).max(rect.h).max(0.005)
}

/// Converts to seconds, for sums.
pub(super) fn seconds(span: Duration) -> f32 {
    span.as_secs_f32()
}

/// Returns true if `seconds` reaches `seconds_min`, to within half a millisecond. A frame's time is rounded to
/// nanoseconds; so little is no reason to wait for the next one.
pub(super) fn is_enough(seconds: f32, seconds_min: f32) -> bool {
    seconds + 0.0005 >= seconds_min
}

/// Depth of a foot inside a place, in picture heights; negative outside. A zone's edges on the edge of the picture do
/// not count: no subject can be seen beyond them.
pub(super) fn depth(place: &RuleArea, foot: Point) -> f32 {
    match place {
        RuleArea::Everywhere => f32::INFINITY,
        RuleArea::Tripwire(_) => f32::NEG_INFINITY,
        RuleArea::Zone(zone) => {
            let distance = edge_distance(&zone.polygon, foot);
            if zone.polygon.contains(foot) { distance } else { -distance }
        }
    }
}

fn edge_distance(polygon: &Polygon, point: Point) -> f32 {
    let inner = polygon.edges().filter(|(a, b)| !is_on_border(*a, *b));
    inner.map(|(a, b)| segment_distance(a, b, point)).fold(f32::INFINITY, f32::min)
}

/// Returns true if the edge from `a` to `b` lies along the border of the picture.
fn is_on_border(a: Point, b: Point) -> bool {
    let near = |v: f32, w: f32, side: f32| (v - side).abs() <= BORDER && (w - side).abs() <= BORDER;
    [0.0, 1.0].iter().any(|side| near(a.x, b.x, *side) || near(a.y, b.y, *side))
}

/// Distance of a point from the line segment between two others, in picture heights.
fn segment_distance(a: Point, b: Point, point: Point) -> f32 {
    let ([bx, by], [px, py]) = (way(a, b), way(a, point));
    let square = bx * bx + by * by;
    let along = if square > 0.0 { ((px * bx + py * by) / square).clamp(0.0, 1.0) } else { 0.0 };
    (px - along * bx).hypot(py - along * by)
}

/// Recent pace of a track, to tell a movement from a leap: an identity that goes over to another subject jumps
/// further between two frames than it could have moved.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gait {
    last: Option<PathPoint>,
    /// In own lengths a second; unknown at first and after a leap.
    pace: Option<f32>,
}

impl Gait {
    /// Adds the next point of a path. Returns true if the track leapt to it.
    pub(super) fn leaps_to(&mut self, point: &PathPoint, length: f32) -> bool {
        let Some(last) = self.last.replace(*point) else { return false };
        let span = seconds(point.at.since(last.at)).max(0.02);
        let lengths = apart(last.foot, point.foot) / length;
        let pace_max = self.pace.map_or(FIRST_PACE_MAX, |pace| 2.5 * pace + 1.0);
        if lengths > 1.0 + pace_max * span {
            self.pace = None;
            return true;
        }
        let now = lengths / span;
        self.pace = Some(self.pace.map_or(now, |pace| (pace + now) / 2.0));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::time::Monotonic;
    use base::zone::Zone;

    #[test]
    fn depth_does_not_see_the_edge_of_the_picture() {
        let corners = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]].map(Point::from);
        let polygon = Polygon::new(corners.to_vec()).unwrap();
        let zone = RuleArea::Zone(Zone { id: "z".parse().unwrap(), name: "z".to_owned(), polygon });
        let near = |a: f32, b: f32| (a - b).abs() < 1e-4;
        assert!(near(depth(&zone, Point::new(0.99, 0.99)), 0.49 * WIDE));
        assert!(near(depth(&zone, Point::new(0.4, 0.5)), -0.1 * WIDE));
        assert_eq!(depth(&RuleArea::Everywhere, Point::new(0.4, 0.5)), f32::INFINITY);
    }

    #[test]
    fn a_leap_is_further_than_the_pace_allows() {
        let mut gait = Gait::default();
        let leaps = [(0, 0.10), (200, 0.12), (400, 0.14), (1400, 0.24), (1600, 0.60), (1800, 0.62)].map(
            |(millis, x)| {
                let at = Monotonic::from_nanos(millis * 1_000_000);
                gait.leaps_to(&PathPoint { at, foot: Point::new(x, 0.5) }, 0.1)
            },
        );
        assert_eq!(leaps, [false, false, false, false, true, false]);
        assert!(gait.pace.is_some_and(|pace| pace > 0.5));
    }

    #[test]
    fn angles() {
        for (a, b, degrees) in
            [([1.0, 0.0], [2.0, 0.0], 0.0), ([1.0, 0.0], [0.0, -3.0], 90.0), ([1.0, 0.0], [-1.0, 0.0], 180.0)]
        {
            assert!((angle_degrees(a, b) - degrees).abs() < 1e-3, "{a:?} {b:?}");
        }
        assert_eq!(angle_degrees([0.0, 0.0], [1.0, 0.0]), 0.0);
    }
}
