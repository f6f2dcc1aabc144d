//! Staged scenarios for the street's rules: the scene, the rules on it, and the events that they must open. Played by
//! the bench `rules`; every rule kind has scenes that it must report and near misses that it must not.
//!
//! Rules are written as in the configuration. Zones are measured on the ground and drawn where the scene's camera
//! sees them; so is the ground calibration. An event outside of the spans named here is a false alarm.

mod camera;
mod driving;
mod entering;
mod people;
mod things;

use std::fmt::Write as _;

use super::script::{Effect, Part};
use super::{KERB_X, Light, Scene, Settings, WIRE_Y, YARD_Y};
use base::geometry::Point;

/// A scene to be played, with the events that must open.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name: the rule kind first.
    pub name: &'static str,
    /// Its story.
    pub shows: &'static str,
    /// Settings of the drawn scene.
    pub settings: Settings,
    /// Its length, in seconds.
    pub seconds: f32,
    /// The rules on this camera.
    pub rules: Vec<Rule>,
    /// Events that they must open; all others are false.
    pub expected: Vec<Expectation>,
}

/// A rule as written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its other keys, a line of TOML each. `AWAY` and `TOWARDS` stand for arrows along the street.
    pub keys: Vec<String>,
}

impl Rule {
    /// Replaces it by a rule of a kind that is older than all others, in the same place: for callers that need only
    /// the place.
    pub fn place_only(self) -> Self {
        let keys: Vec<String> = self
            .keys
            .into_iter()
            .filter(|key| key.starts_with("zone") || key.starts_with("tripwire"))
            .collect();
        let kind = if keys.iter().any(|key| key.starts_with("tripwire")) { "tripwire" } else { "intrusion" };
        Self { kind: kind.to_owned(), keys, ..self }
    }
}

/// An event that must open.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The rule's id.
    pub rule: String,
    /// The second in which the evidence is complete.
    pub evidence: f32,
    /// Time after that within which it must have opened, in seconds.
    pub within: f32,
    /// Maximum number of its events in this span.
    pub events_max: usize,
}

/// Time before the evidence from which an event may open: foot points of boxes are not exact.
pub const EARLY_SECONDS: f32 = 1.5;

/// All scenarios.
pub fn scenarios() -> Vec<Scenario> {
    let parts = [entering::scenarios(), driving::scenarios(), people::scenarios(), things::scenarios()];
    parts.into_iter().flatten().chain(camera::scenarios()).collect()
}

impl Scenario {
    fn new(name: &'static str, shows: &'static str, seconds: f32) -> Self {
        // The seed of actors and houses: the same in every run, another in every scenario.
        let seed = name.bytes().fold(7_000_000, |seed: u64, byte| seed * 31 % 1_000_003 + u64::from(byte));
        let settings = Settings {
            seed: 7_000_000 + seed,
            fps: 5.0,
            noise: 1.5,
            density: 0.0,
            quiet_seconds: 0.0,
            intruders: false,
            ..Settings::default()
        };
        Self { name, shows, settings, seconds, rules: Vec::new(), expected: Vec::new() }
    }

    /// The same scenario with another cast before other houses, in other chance traffic; 0 is the one it was staged with.
    pub fn cast(mut self, cast: u64) -> Self {
        self.settings.seed += 100_000_000 * cast;
        let script = &mut self.settings.script;
        script.parts =
            std::mem::take(&mut script.parts).into_iter().map(|part| part.played_by(cast)).collect();
        self
    }

    fn light(mut self, light: Light) -> Self {
        self.settings.light = light;
        self.settings.noise = match light {
            Light::Day => 1.5,
            Light::Dusk => 2.5,
            Light::Night | Light::InfraRed => 3.5,
        };
        self
    }

    fn rain(mut self) -> Self {
        self.settings.rain = true;
        self
    }

    /// Sets the amount of chance traffic.
    fn traffic(mut self, density: f32) -> Self {
        self.settings.density = density;
        self
    }

    fn part(mut self, part: Part) -> Self {
        self.settings.script.parts.push(part);
        self
    }

    fn parts(self, parts: impl IntoIterator<Item = Part>) -> Self {
        parts.into_iter().fold(self, Self::part)
    }

    fn cue(mut self, effect: Effect, from: f32, until: f32) -> Self {
        self.settings.script = self.settings.script.cue(effect, from, until);
        self
    }

    /// A rule: its keys in one line, divided by `; `.
    fn rule(mut self, id: &str, kind: &str, keys: &str) -> Self {
        let keys = keys.split("; ").filter(|key| !key.is_empty()).map(str::to_owned).collect();
        self.rules.push(Rule { id: id.to_owned(), kind: kind.to_owned(), keys });
        self
    }

    /// The rule must open one event, at the second of the evidence or within so many seconds.
    fn fires(self, rule: &str, evidence: f32, within: f32) -> Self {
        self.fires_up_to(rule, evidence, within, 1)
    }

    fn fires_up_to(mut self, rule: &str, evidence: f32, within: f32, events_max: usize) -> Self {
        self.expected.push(Expectation { rule: rule.to_owned(), evidence, within, events_max });
        self
    }
}

/// The zones' corners on the ground, in metres.
fn zones() -> Vec<(&'static str, Vec<(f32, f32)>)> {
    let area = |x: (f32, f32), y: (f32, f32)| vec![(x.0, y.0), (x.1, y.0), (x.1, y.1), (x.0, y.1)];
    vec![
        ("yard", area((7.6, 9.5), YARD_Y)),
        ("road", area((-KERB_X, KERB_X), (12.0, 60.0))),
        ("right-side", area((0.2, KERB_X), (10.0, 45.0))),
        ("pavement", area((5.5, 9.3), (12.0, 26.0))),
        ("stand", area((5.5, 9.3), (12.0, 17.5))),
        ("square", area((-4.8, 4.8), (12.0, 24.0))),
    ]
}

/// `scene`'s street as a configuration of one camera with `rules`.
///
/// The `ground` of the camera is left out where no rule among them speaks of speed.
pub fn configuration(scene: &Scene, rules: &[&Rule]) -> String {
    let point = |(x, y): (f32, f32)| written(scene.ground(x, y));
    let list = |points: &[(f32, f32)]| points.iter().map(|at| point(*at)).collect::<Vec<_>>().join(", ");
    let mut text = String::from(
        "[box]\nward = \"bench\"\nid = \"scenes\"\ntimezone = \"UTC\"\n\n[broker]\nurl = \"mqtt://127.0.0.1\"\n\n\
         [camera.street]\nmain = \"rtsp://127.0.0.1/street\"\nfps_max = 5\n\
         alert_offline = false\nalert_sabotage = false\n",
    );
    // Writing to a string does not fail.
    if rules.iter().any(|rule| rule.kind == "speeding_group") {
        let metres = [(-4.0, 14.0), (4.0, 14.0), (4.0, 40.0), (-4.0, 40.0)];
        let plain: Vec<String> = metres.iter().map(|(x, y)| format!("[{x:?}, {y:?}]")).collect();
        let _ =
            writeln!(text, "ground = {{ picture = [{}], metres = [{}] }}", list(&metres), plain.join(", "));
    }
    for (id, corners) in zones() {
        let _ = writeln!(text, "\n[camera.street.zone.{id}]\npoints = [{}]", list(&corners));
    }
    let (from, to) = (point((-KERB_X, WIRE_Y)), point((KERB_X, WIRE_Y)));
    let _ = writeln!(text, "\n[camera.street.tripwire.line]\nfrom = {from}\nto = {to}");
    let arrows = [
        ("AWAY", format!("[{}, {}]", point((2.6, 12.0)), point((2.6, 30.0)))),
        ("TOWARDS", format!("[{}, {}]", point((2.6, 30.0)), point((2.6, 12.0)))),
    ];
    for rule in rules {
        let _ = write!(
            text,
            "\n[rule.{}]\ncameras = [\"street\"]\nkind = \"{}\"\ncool_down_seconds = 5\n",
            rule.id, rule.kind
        );
        for key in &rule.keys {
            let key = arrows.iter().fold(key.clone(), |key, (name, arrow)| key.replace(name, arrow));
            let _ = writeln!(text, "{key}");
        }
    }
    text
}

fn written(Point { x, y }: Point) -> String {
    format!("[{x:.4}, {y:.4}]")
}

/// Every kind at the settings a ward would choose, for streets without incidents.
pub fn usual_rules() -> Vec<Rule> {
    let rule = |kind: &str, keys: &str| Rule {
        id: kind.replace('_', "-"),
        kind: kind.to_owned(),
        keys: keys.split("; ").filter(|key| !key.is_empty()).map(str::to_owned).collect(),
    };
    vec![
        rule("intrusion", "zone = \"yard\"; seconds_min = 2.0"),
        rule("tripwire", "tripwire = \"line\""),
        rule("wrong_way", "zone = \"right-side\"; direction = AWAY"),
        rule("loitering", "zone = \"pavement\"; seconds_min = 60"),
        rule("crowd", "zone = \"square\"; count_min = 6; seconds_min = 20"),
        rule("stopped_vehicle", "zone = \"right-side\"; seconds_min = 60; jam_vehicles_min = 4"),
        rule("speeding_group", "zone = \"road\"; count_min = 3; kmh_min = 60"),
        rule("left_behind", "zone = \"pavement\"; seconds_min = 60"),
        rule("taken_away", "zone = \"pavement\"; stood_seconds_min = 60"),
        rule("red_zone_entry", "zone = \"yard\""),
        rule("camera_sabotage", "seconds_min = 5"),
        rule("camera_offline", ""),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_kind_has_what_it_must_see_and_near_misses() {
        let all = scenarios();
        let names: BTreeSet<_> = all.iter().map(|scenario| scenario.name).collect();
        assert!(all.len() >= 44 && names.len() == all.len(), "{} scenarios", all.len());
        let mut by_kind = BTreeMap::<String, (usize, usize)>::new();
        for scenario in &all {
            for rule in &scenario.rules {
                let count = by_kind.entry(rule.kind.clone()).or_default();
                let fires = scenario.expected.iter().any(|expected| expected.rule == rule.id);
                *(if fires { &mut count.0 } else { &mut count.1 }) += 1;
            }
            for expected in &scenario.expected {
                assert!(scenario.rules.iter().any(|rule| rule.id == expected.rule), "{}", scenario.name);
                assert!(expected.evidence < scenario.seconds, "{}", scenario.name);
            }
        }
        assert_eq!(by_kind.len(), usual_rules().len(), "{by_kind:?}");
        let enough = by_kind.values().all(|(fires, keeps_silent)| *fires >= 1 && *keeps_silent >= 1);
        assert!(enough, "{by_kind:?}");
    }

    #[test]
    fn nobody_is_on_the_picture_beyond_his_part() {
        for scenario in scenarios() {
            let scene = Scene::new(Settings { width: 64, height: 36, ..scenario.settings.clone() });
            let parts = scenario.settings.script.parts.len();
            for second in 0..scenario.seconds as u64 {
                assert!(scene.actors(second * 5).len() <= parts + 120, "{}", scenario.name);
            }
        }
    }
}
