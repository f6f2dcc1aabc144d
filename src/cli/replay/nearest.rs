//! Distances of tracks from the zones and lines of rules, for those who never came to them.

use std::collections::BTreeMap;

use analysis::rules::{RuleArea, RuleSettings};
use base::geometry::Point;
use base::ids::{RuleId, TrackId};
use base::track::Track;

/// Reasons of one rule at most; those who came nearest go first.
const REASONS_MAX: usize = 20;

/// The nearest points of all tracks.
#[derive(Default)]
pub(super) struct Nearest {
    ways: BTreeMap<(RuleId, TrackId), Way>,
}

/// The way of a track beside a rule's place.
#[derive(Debug, Clone, Copy)]
struct Way {
    from: f64,
    to: f64,
    /// Distance of its feet in pixels, and the time at which it was smallest; zero inside of a zone.
    pixels: f32,
    at: f64,
}

/// A track that never came to a rule's place.
pub(super) struct Absence {
    pub(super) rule: RuleId,
    pub(super) track: TrackId,
    /// Time span of the track.
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) why: String,
}

impl Nearest {
    /// Takes in a frame of `size` pixels at `seconds`.
    pub(super) fn take(&mut self, rules: &[RuleSettings], tracks: &[Track], seconds: f64, size: [f32; 2]) {
        for track in tracks.iter().filter(|track| track.confirmed) {
            for rule in rules.iter().filter(|rule| asks_for(rule, track)) {
                let Some(pixels) = distance(&rule.place, track.rect.foot(), size) else { continue };
                let new = Way { from: seconds, to: seconds, pixels, at: seconds };
                let way = self.ways.entry((rule.id.clone(), track.id)).or_insert(new);
                way.to = seconds;
                if pixels < way.pixels {
                    (way.pixels, way.at) = (pixels, seconds);
                }
            }
        }
    }

    /// Tracks for which `has_reason` knows no other reason, and that were never in the zone or over the line, nearest first.
    pub(super) fn absences(
        &self,
        rules: &[RuleSettings],
        has_reason: impl Fn(&RuleId, TrackId) -> bool,
    ) -> Vec<Absence> {
        let mut found = Vec::new();
        for rule in rules {
            let of_rule =
                self.ways.iter().filter(|((id, track), _)| *id == rule.id && !has_reason(id, *track));
            let mut absent: Vec<_> =
                of_rule.filter_map(|((_, track), way)| absence(rule, *track, way)).collect();
            absent.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            found.extend(absent.into_iter().take(REASONS_MAX).map(|(_, absence)| absence));
        }
        found
    }
}

fn absence(rule: &RuleSettings, track: TrackId, way: &Way) -> Option<(f32, Absence)> {
    let at = super::report::clock(way.at);
    let why = match &rule.place {
        RuleArea::Zone(zone) if way.pixels > 0.0 => {
            format!("was never in \"{}\", nearest {:.0} px at {at}", zone.name, way.pixels)
        }
        RuleArea::Tripwire(line) => {
            format!(
                "did not cross \"{}\" in a direction that counts, nearest {:.0} px at {at}",
                line.name, way.pixels
            )
        }
        RuleArea::Zone(_) | RuleArea::Everywhere => return None,
    };
    Some((way.pixels, Absence { rule: rule.id.clone(), track, from: way.from, to: way.to, why }))
}

fn asks_for(rule: &RuleSettings, track: &Track) -> bool {
    let by_itself = rule.kind.needs().labels();
    match rule.labels.is_empty() {
        true => by_itself.is_empty() || by_itself.contains(&track.label),
        false => rule.labels.contains(&track.label),
    }
}

/// Distance of a foot from a zone, zero inside of it, or from a line between its ends. `None` for the whole picture.
fn distance(place: &RuleArea, foot: Point, size: [f32; 2]) -> Option<f32> {
    match place {
        RuleArea::Everywhere => None,
        RuleArea::Zone(zone) if zone.polygon.contains(foot) => Some(0.0),
        RuleArea::Zone(zone) => {
            zone.polygon.edges().map(|(from, to)| from_edge(from, to, foot, size)).min_by(f32::total_cmp)
        }
        RuleArea::Tripwire(line) => Some(from_edge(line.from, line.to, foot, size)),
    }
}

fn from_edge(from: Point, to: Point, foot: Point, [width, height]: [f32; 2]) -> f32 {
    let way = |a: Point, b: Point| ((b.x - a.x) * width, (b.y - a.y) * height);
    let ((dx, dy), (px, py)) = (way(from, to), way(from, foot));
    let along = ((px * dx + py * dy) / (dx * dx + dy * dy).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
    (px - along * dx).hypot(py - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::detection::Label;
    use base::geometry::{Polygon, Rect};
    use base::time::Monotonic;
    use base::zone::{Tripwire, Zone};

    const SIZE: [f32; 2] = [640.0, 360.0];

    fn zone() -> RuleArea {
        let corners = [[0.25, 0.5], [0.75, 0.5], [0.75, 1.0], [0.25, 1.0]].map(Point::from).to_vec();
        let polygon = Polygon::new(corners).unwrap();
        RuleArea::Zone(Zone { id: "yard".parse().unwrap(), name: "Sân".into(), polygon })
    }

    #[track_caller]
    fn assert_pixels(place: &RuleArea, foot: Point, expected: f32) {
        let pixels = distance(place, foot, SIZE).unwrap();
        assert!((pixels - expected).abs() < 0.01, "{foot:?}: {pixels}");
    }

    #[test]
    fn distances_are_in_pixels_from_the_nearest_edge() {
        assert_pixels(&zone(), Point::new(0.5, 0.7), 0.0);
        assert_pixels(&zone(), Point::new(0.5, 0.5 - 12.0 / 360.0), 12.0);
        assert_pixels(&zone(), Point::new(0.25 - 3.0 / 640.0, 0.5 - 4.0 / 360.0), 5.0);
        let (from, to) = (Point::new(0.2, 0.5), Point::new(0.8, 0.5));
        let line =
            RuleArea::Tripwire(Tripwire { id: "stop".parse().unwrap(), name: "stop".into(), from, to });
        assert_pixels(&line, Point::new(0.5, 0.5 + 9.0 / 360.0), 9.0);
        assert_pixels(&line, Point::new(0.8 + 8.0 / 640.0, 0.5), 8.0);
        assert_eq!(distance(&RuleArea::Everywhere, from, SIZE), None);
    }

    const CONFIG: &str = "[box]\nward = \"w\"\nid = \"b\"\n[broker]\nurl = \"mqtt://localhost\"\n\
        [camera.gate]\nmain = \"rtsp://192.168.1.20/main\"\n\
        [camera.gate.zone.yard]\nname = \"Sân\"\npoints = [[0.25, 0.5], [0.75, 0.5], [0.75, 1.0], [0.25, 1.0]]\n\
        [rule.yard]\nkind = \"intrusion\"\ncameras = [\"gate\"]\nzone = \"yard\"\nlabels = [\"person\"]\n";

    /// A person whose feet are at this place.
    fn person(id: u64, foot: Point) -> Track {
        Track {
            id: TrackId(id),
            label: Label::Person,
            score: 0.9,
            rect: Rect::new(foot.x - 0.05, foot.y - 0.2, 0.1, 0.2),
            velocity: Point::new(0.0, 0.0),
            confirmed: true,
            first_seen: Monotonic::default(),
            last_seen: Monotonic::default(),
            path: Vec::new(),
        }
    }

    #[test]
    fn those_who_never_came_are_told_with_their_nearest_distance() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wardwatch.toml");
        std::fs::write(&path, CONFIG).unwrap();
        let rules = crate::config::load(&path).unwrap().rules;
        let mut nearest = Nearest::default();
        let car = Track { label: Label::Car, ..person(3, Point::new(0.1, 0.4)) };
        for (seconds, pixels) in [(1.0, 40.0), (2.5, 12.0), (4.0, 90.0)] {
            let outside = person(1, Point::new(0.5, 0.5 - pixels / 360.0));
            let inside = person(2, Point::new(0.5, 0.7));
            nearest.take(&rules, &[outside, inside, car.clone()], seconds, SIZE);
        }
        let absences = nearest.absences(&rules, |_, _| false);
        let [absence] = absences.as_slice() else { panic!("{} absences", absences.len()) };
        assert_eq!(absence.why, "was never in \"Sân\", nearest 12 px at 00:02.5");
        assert_eq!((absence.track, absence.from, absence.to), (TrackId(1), 1.0, 4.0));
        assert!(
            nearest.absences(&rules, |_, track| track == TrackId(1)).is_empty(),
            "a better reason is known"
        );
    }
}
