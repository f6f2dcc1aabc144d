//! Stationary state of one subject: its place, and since when.

use super::distances;
use super::thresholds::stationary::*;
use base::geometry::Point;
use base::time::Monotonic;
use base::track::PathPoint;

/// Follows one subject's feet, and remembers its standing place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stationary {
    spot: Option<Spot>,
    away_since: Option<Monotonic>,
}

/// A place where a subject stood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot {
    pub(super) foot: Point,
    pub(super) since: Monotonic,
    /// Time of the last sight there.
    pub(super) latest: Monotonic,
}

impl Spot {
    /// Time for which it has been seen there, in seconds.
    pub(super) fn seconds(&self) -> f32 {
        distances::seconds(self.latest.since(self.since))
    }
}

impl Stationary {
    /// Adds the next point of its path. Returns the place that it has left with it, if any.
    pub(super) fn examine(&mut self, point: &PathPoint, length: f32) -> Option<Spot> {
        let fresh = Spot { foot: point.foot, since: point.at, latest: point.at };
        let Some(spot) = &mut self.spot else {
            self.spot = Some(fresh);
            return None;
        };
        let lengths = distances::apart(spot.foot, point.foot) / length;
        if lengths <= STIR {
            spot.latest = point.at;
            self.away_since = None;
            return None;
        }
        let since = *self.away_since.get_or_insert(point.at);
        if lengths < LENGTHS_AWAY && distances::seconds(point.at.since(since)) < SECONDS_AWAY {
            return None;
        }
        self.away_since = None;
        self.spot.replace(fresh)
    }

    /// Restores a place that it seemed to have left: it stood there all the time.
    pub(super) fn resume(&mut self, spot: Spot, at: Monotonic) {
        *self = Self { spot: Some(Spot { latest: at, ..spot }), away_since: None };
    }

    /// Place where it stands, or stood last.
    pub(super) fn spot(&self) -> Option<&Spot> {
        self.spot.as_ref()
    }

    /// Time for which it has been standing, in seconds.
    pub(super) fn seconds(&self) -> f32 {
        self.spot.map_or(0.0, |spot| spot.seconds())
    }

    /// Returns true if it is out of its place right now, if only for a moment.
    pub(super) fn is_away(&self) -> bool {
        self.away_since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stand(feet: &[(f32, f32)]) -> (Stationary, Option<Spot>) {
        let (mut stand, mut left) = (Stationary::default(), None);
        for (at, x) in feet {
            let at = Monotonic::default() + Duration::from_secs_f32(*at);
            left = stand.examine(&PathPoint { at, foot: Point::new(*x, 0.5) }, 0.1).or(left);
        }
        (stand, left)
    }

    #[test]
    fn trembling_and_a_moment_aside_are_standing() {
        let (stand, left) =
            stand(&[(0.0, 0.5), (1.0, 0.51), (2.0, 0.53), (2.5, 0.53), (3.0, 0.5), (9.0, 0.49)]);
        assert_eq!((stand.seconds(), left), (9.0, None));
    }

    #[test]
    fn crawling_and_leaving_are_not() {
        let crawl: Vec<(f32, f32)> = (0..60).map(|i| (i as f32, 0.2 + 0.005 * i as f32)).collect();
        assert!(stand(&crawl).0.seconds() < 6.0);
        let (now, left) = stand(&[(0.0, 0.5), (30.0, 0.5), (30.5, 0.55), (31.0, 0.6)]);
        assert_eq!((now.seconds(), left.map(|spot| spot.seconds())), (0.0, Some(30.0)));
    }
}
