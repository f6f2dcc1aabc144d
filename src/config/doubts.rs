//! Warnings: values that are valid, and that are hardly what was meant. The box runs with them.

use super::cameras::Checked;
use super::file;
use super::outside::Checker;
use analysis::rules::{Kind, RuleArea};
use base::geometry::{Point, Polygon};
use base::zone::{Tripwire, Zone};
use program::config::quoted;

/// Smallest area of a zone, as a part of the picture, in which a foot is likely to be seen.
const AREA_MIN: f32 = 0.0001;
/// Smallest length of a tripwire, as a part of the picture, that somebody is likely to cross.
const LENGTH_MIN: f32 = 0.01;

/// Remedy for coordinates in the wrong order.
const EXCHANGE: &str =
    "write each point as [x, y]: x from the left edge, y from the top edge; `wardwatch picture` draws them";

/// Warns of zones without room for a foot, and of zones that lie on the camera's ground only with x and y exchanged.
pub(super) fn zones(checker: &mut Checker, camera: &str, zones: &[Zone], ground: Option<[[f32; 2]; 4]>) {
    let ground = ground.and_then(|corners| Polygon::new(corners.map(Point::from).to_vec()).ok());
    for zone in zones {
        let key = format!("{camera}.zone.{}.points", quoted(zone.id.as_str()));
        let area = zone.polygon.area();
        if area < AREA_MIN {
            let what =
                format!("enclose {:.4} % of the picture, too little for somebody's feet", area * 100.0);
            checker.doubt(
                &key,
                what,
                "draw the zone larger; coordinates go from 0 to 1 over the whole picture",
            );
        } else if ground.as_ref().is_some_and(|ground| fits_exchanged(ground, zone.polygon.points())) {
            let what = "lie beside the camera's ground, and on it with x and y exchanged";
            checker.doubt(&key, what, EXCHANGE);
        }
    }
}

/// Warns of tripwires that are nearly points.
pub(super) fn tripwires(checker: &mut Checker, camera: &str, tripwires: &[Tripwire]) {
    for line in tripwires {
        let length = (line.to.x - line.from.x).hypot(line.to.y - line.from.y);
        if length < LENGTH_MIN {
            let key = format!("{camera}.tripwire.{}.to", quoted(line.id.as_str()));
            let what = format!(
                "is {length:.4} of the picture away from the start, so hardly anybody crosses the line"
            );
            checker.doubt(&key, what, "draw the line across the whole way; coordinates go from 0 to 1");
        }
    }
}

/// Warns of a sub stream that is the main stream.
pub(super) fn streams(checker: &mut Checker, path: &str, camera: &file::Camera) {
    if camera.sub.is_some() && camera.sub == camera.main {
        let remedy = "write the address of the camera's small stream, or take sub out";
        checker.doubt(
            &format!("{path}.sub"),
            "is the main stream once more, which costs a second connection",
            remedy,
        );
    }
}

/// Warns of a direction of traffic that lies in its zone only with x and y exchanged.
pub(super) fn arrow(checker: &mut Checker, rule: &str, kind: &Kind, camera: &Checked, place: &RuleArea) {
    let (Kind::WrongWay(params), RuleArea::Zone(zone)) = (kind, place) else { return };
    if fits_exchanged(&zone.polygon, &<[[f32; 2]; 2]>::from(params.direction).map(Point::from)) {
        let what = format!(
            "lies beside zone \"{}\" of camera \"{}\", and in it with x and y exchanged",
            zone.id, camera.settings.camera.id
        );
        checker.doubt(&format!("{rule}.direction"), what, EXCHANGE);
    }
}

/// True where none of `points` lies in `area`, and each does with x and y exchanged.
fn fits_exchanged(area: &Polygon, points: &[Point]) -> bool {
    let fits = |point: &Point| area.contains(Point::new(point.y, point.x));
    !points.iter().any(|point| area.contains(*point)) && points.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use crate::config::{self, Problem};

    const BOX: &str =
        "[box]\nward = \"w\"\nid = \"b\"\n[broker]\nurl = \"mqtt://localhost\"\n[camera.gate]\n";
    const MAIN: &str = "main = \"rtsp://192.168.1.20/main\"\n";

    /// The warnings about a configuration that is valid.
    fn warnings(rest: &str) -> Vec<Problem> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wardwatch.toml");
        std::fs::write(&path, format!("{BOX}{MAIN}{rest}")).unwrap();
        config::load(&path).unwrap().warnings
    }

    #[track_caller]
    fn assert_warns(rest: &str, line: usize, key: &str, what: &str) {
        let warnings = warnings(rest);
        let [warning] = warnings.as_slice() else { panic!("one warning expected in {warnings:#?}") };
        assert_eq!((warning.line, warning.key.as_str()), (line, key), "{warning}");
        assert!(warning.what.contains(what) && !warning.remedy.is_empty(), "{warning}");
        assert!(warning.file.ends_with("wardwatch.toml"), "{warning}");
    }

    const GROUND: &str = "ground = { picture = [[0.3, 0.9], [0.7, 0.9], [0.6, 0.6], [0.4, 0.6]], \
                          metres = [[0, 0], [7, 0], [7, 40], [0, 40]] }\n";

    #[test]
    fn a_zone_that_fits_the_ground_only_when_exchanged_is_doubted() {
        let zone = |points: &str| format!("{GROUND}[camera.gate.zone.road]\npoints = {points}\n");
        let exchanged = zone("[[0.85, 0.4], [0.85, 0.6], [0.7, 0.5]]");
        assert_warns(&exchanged, 10, "camera.gate.zone.road.points", "x and y exchanged");
        assert_eq!(warnings(&zone("[[0.4, 0.85], [0.6, 0.85], [0.5, 0.7]]")), []);
        assert_eq!(warnings(&zone("[[0.0, 0.0], [0.1, 0.0], [0.1, 0.1]]")), [], "it fits neither way");
    }

    #[test]
    fn a_direction_that_lies_in_its_zone_only_when_exchanged_is_doubted() {
        let rule = |direction: &str| {
            format!(
                "[camera.gate.zone.lane]\npoints = [[0.1, 0.6], [0.4, 0.6], [0.4, 1.0], [0.1, 1.0]]\n\
                 [rule.one-way]\nkind = \"wrong_way\"\ncameras = [\"gate\"]\nzone = \"lane\"\ndirection = {direction}\n"
            )
        };
        assert_warns(&rule("[[0.95, 0.2], [0.65, 0.2]]"), 14, "rule.one-way.direction", "x and y exchanged");
        assert_eq!(warnings(&rule("[[0.2, 0.95], [0.2, 0.65]]")), []);
    }

    #[test]
    fn zones_and_lines_that_are_nearly_points_are_doubted() {
        let zone = "[camera.gate.zone.dot]\npoints = [[0.500, 0.500], [0.505, 0.500], [0.505, 0.505]]\n";
        assert_warns(zone, 9, "camera.gate.zone.dot.points", "too little");
        let line = "[camera.gate.tripwire.dot]\nfrom = [0.500, 0.500]\nto = [0.502, 0.500]\n";
        assert_warns(line, 10, "camera.gate.tripwire.dot.to", "hardly anybody");
    }

    #[test]
    fn a_sub_stream_that_is_the_main_stream_is_doubted() {
        let sub = MAIN.replacen("main", "sub", 1);
        assert_warns(&sub, 8, "camera.gate.sub", "main stream once more");
        assert_eq!(warnings("sub = \"rtsp://192.168.1.20/sub\"\n"), []);
    }

    #[test]
    fn pixels_are_a_problem_whose_remedy_says_how_to_write_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wardwatch.toml");
        let zone = "[camera.gate.zone.yard]\npoints = [[0, 0], [960, 0], [0.5, 0.5]]\n";
        std::fs::write(&path, format!("{BOX}{MAIN}{zone}")).unwrap();
        let problems = config::load(&path).unwrap_err().0;
        assert_eq!(problems[0].key, "camera.gate.zone.yard.points[1][0]");
        assert!(problems[0].remedy.contains("divided by the picture's width"), "{}", problems[0].remedy);
    }
}
