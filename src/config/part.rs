//! The part of a configuration that has no fault, for a box that has to go on recording.
//!
//! A fault costs no more than what depends on it: a rule, a camera's analysis, a camera, the way to the post. It costs
//! everything where guessing could delete footage or send it under a wrong name: in `[store]`, in the box's name, in a file
//! that is not TOML, in a table that nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use super::load::{self, Checked};
use super::outside::Outside;
use super::settings::{Camera, Settings};
use crate::infer::{self, DetectorChoice};
use analysis::rules::{About, RuleArea};
use base::ids::{BoxId, CameraId, WardId};
use program::config::{Problem, Problems, Written};

/// Keys of a camera without which it would be recorded wrongly, or not at all.
const TO_RECORD: &[&str] = &[
    "main",
    "user",
    "password_file",
    "transport",
    "ca_file",
    "record",
    "loop_file",
    "clip_bytes_max",
    "stall_seconds",
];
/// Keys of a camera whose defaults do no harm.
const HARMLESS: &[&str] = &["name", "lat", "lon", "heading", "looks_per_second_min"];

/// Settings with which a box runs, and the parts of its configuration that do not.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Settings of that part.
    pub settings: Settings,
    /// Reason why nothing is sent to the post; its settings mean nothing then.
    pub broker_fault: Option<String>,
    /// Cameras that are not recorded, with the reason.
    pub cameras_off: BTreeMap<CameraId, String>,
    /// Everything that does not run, a sentence each, for a person. Empty for a whole configuration.
    pub off: Vec<String>,
}

impl From<Settings> for Part {
    fn from(settings: Settings) -> Self {
        Self { settings, broker_fault: None, cameras_off: BTreeMap::new(), off: Vec::new() }
    }
}

/// The extent of a fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    /// A default holds.
    Nothing,
    /// One rule.
    Rule(String),
    /// The rules about a zone or tripwire of a camera.
    Area(String, String),
    /// All rules.
    Rules,
    /// The network, and the rules about its detections.
    Detector,
    /// Analysis of a camera; it is recorded.
    Analysis(String),
    /// A camera.
    Camera(String),
    /// The way to the post.
    Post,
    /// The whole box.
    Everything,
}

/// The part of `written` that has no fault.
///
/// # Errors
/// All problems, where nothing can run with them.
pub(super) fn of(written: Written, outside: &Outside) -> Result<Part, Problems> {
    let (checked, problems) = load::check(written, outside);
    let is_all = problems.0.iter().any(|problem| extent(&problem.key) == Extent::Everything);
    let Some(mut part) = checked.filter(|_| !is_all).and_then(whole_but_faults) else { return Err(problems) };
    for problem in &problems.0 {
        part.leave_out(problem);
    }
    Ok(part)
}

/// The settings, with values that mean nothing in the place of those that have a fault.
fn whole_but_faults(checked: Checked) -> Option<Part> {
    let (ward, box_id) = (checked.ward?, checked.box_id?);
    let (timezone, holidays) = checked.calendar.map_or_else(
        || (jiff::tz::TimeZone::UTC, BTreeSet::new()),
        |calendar| (calendar.timezone, calendar.holidays),
    );
    Some(Part::from(Settings {
        broker: checked.broker.unwrap_or_else(|| no_broker(&ward, &box_id)),
        ward,
        box_id,
        timezone,
        language: checked.language,
        holidays,
        store: checked.store?,
        detect: checked.detect.unwrap_or_else(no_network),
        cameras: checked.cameras,
        rules: checked.rules,
        places: checked.places,
        warnings: checked.warnings,
    }))
}

fn no_network() -> infer::Settings {
    infer::Settings::new(DetectorChoice::Motion)
}

fn no_broker(ward: &WardId, box_id: &BoxId) -> wardlink::Settings {
    wardlink::Settings {
        ward: ward.clone(),
        box_id: box_id.clone(),
        host: "none".to_owned(),
        port: 0,
        tls: None,
        credentials: None,
        acknowledge: wardlink::Acknowledge::Post,
        keep_alive: wardlink::KEEP_ALIVE_MAX,
        stills: true,
        home_assistant: wardlink::HomeAssistant::default(),
    }
}

impl Part {
    /// Leaves the network out, for `reason`: rules about the camera itself run on.
    pub fn leave_out_network(&mut self, reason: &str) {
        self.settings.detect = no_network();
        self.settings.rules.retain(|rule| rule.kind.needs().about == About::Camera);
        self.off.push(format!(
            "no network runs, cameras are recorded, and only rules about a camera itself apply: {reason}"
        ));
    }

    /// Puts the motion detector in the place of a network whose file is damaged: rules about all subjects see what moves.
    pub fn replace_network(&mut self, reason: &str) {
        self.settings.detect = no_network();
        for rule in &mut self.settings.rules {
            if rule.kind.needs().about == About::Everything {
                rule.labels.clear();
            }
        }
        self.off.push(format!(
            "no network runs, the motion detector takes its place, and rules cannot tell people from vehicles: {reason}"
        ));
    }

    /// Leaves the connection to the post out, for `reason`.
    pub fn leave_out_broker(&mut self, reason: &str) {
        self.broker_fault = Some(reason.to_owned());
        self.off.push(format!("no alert is sent to the post, all wait on the box: {reason}"));
    }

    fn leave_out(&mut self, problem: &Problem) {
        let reason = problem.in_one_line();
        let rules = &mut self.settings.rules;
        match extent(&problem.key) {
            Extent::Nothing | Extent::Everything => self.off.push(format!("a default holds: {reason}")),
            Extent::Rule(id) => {
                rules.retain(|rule| rule.id.as_str() != id);
                self.off.push(format!("rule {id} does not apply: {reason}"));
            }
            Extent::Area(camera, area) => {
                rules.retain(|rule| rule.camera.as_str() != camera || area_of(&rule.place) != Some(&area));
                self.off.push(format!("rules about {area} of camera {camera} do not apply: {reason}"));
            }
            Extent::Rules => {
                rules.clear();
                self.off.push(format!("no rule applies: {reason}"));
            }
            Extent::Detector => self.leave_out_network(&reason),
            Extent::Analysis(id) => self.leave_out_analysis(&id, &reason),
            Extent::Camera(id) => self.leave_out_camera(&id, &reason),
            Extent::Post => self.leave_out_broker(&reason),
        }
    }

    fn leave_out_analysis(&mut self, id: &str, reason: &str) {
        let camera = self.settings.cameras.iter_mut().find(|camera| camera.camera.id.as_str() == id);
        let is_recorded = camera.is_some_and(|camera| {
            only_record(camera);
            !camera.streams.is_empty()
        });
        if !is_recorded {
            return self.leave_out_camera(id, reason);
        }
        self.settings.rules.retain(|rule| rule.camera.as_str() != id);
        self.off.push(format!("camera {id} is recorded, and no rule applies to it: {reason}"));
    }

    fn leave_out_camera(&mut self, id: &str, reason: &str) {
        self.settings.cameras.retain(|camera| camera.camera.id.as_str() != id);
        self.settings.rules.retain(|rule| rule.camera.as_str() != id);
        if let Ok(id) = id.parse() {
            self.cameras_off.entry(id).or_insert_with(|| reason.to_owned());
        }
        self.off.push(format!("camera {id} is not recorded: {reason}"));
    }
}

/// Leaves the streams that are recorded, and no analysis.
fn only_record(camera: &mut Camera) {
    camera.streams.retain(|stream| stream.record);
    for stream in &mut camera.streams {
        stream.watch_fps_max = None;
        stream.idle_gap_max = None;
    }
}

fn area_of(place: &RuleArea) -> Option<&str> {
    match place {
        RuleArea::Zone(zone) => Some(zone.id.as_str()),
        RuleArea::Tripwire(tripwire) => Some(tripwire.id.as_str()),
        RuleArea::Everywhere => None,
    }
}

/// The extent of a fault with this key.
fn extent(key: &str) -> Extent {
    let names = names(key);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let own = |text: &str| text.to_owned();
    match names.as_slice() {
        ["rule"] | ["box", "timezone" | "holidays" | "night", ..] => Extent::Rules,
        ["rule", id, ..] => Extent::Rule(own(id)),
        ["camera", camera, "zone" | "tripwire", area, ..] => Extent::Area(own(camera), own(area)),
        ["camera", camera] => Extent::Camera(own(camera)),
        ["camera", camera, key, ..] if TO_RECORD.contains(key) => Extent::Camera(own(camera)),
        ["camera", _, key, ..] if HARMLESS.contains(key) => Extent::Nothing,
        ["camera", camera, ..] => Extent::Analysis(own(camera)),
        ["detector", ..] => Extent::Detector,
        ["broker" | "home_assistant", ..] => Extent::Post,
        _ => Extent::Everything,
    }
}

/// The names in the path of a key, without the numbers of list entries: `camera`, `gate`, `masks` of `camera.gate.masks[1]`.
fn names(key: &str) -> Vec<String> {
    let (mut names, mut name, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in key.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => names.push(std::mem::take(&mut name)),
            c => name.push(c),
        }
    }
    names.push(name);
    names.into_iter().map(|name| name.split('[').next().unwrap_or_default().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use base::language::Language;

    const GOOD: &str = r#"[box]
ward = "w"
id = "b"
[broker]
url = "mqtt://localhost"
[camera.gate]
main = "rtsp://h/1"
[camera.gate.zone.yard]
points = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
[camera.street]
main = "rtsp://h/2"
sub = "rtsp://h/3"
[rule.night]
kind = "intrusion"
cameras = ["gate", "street"]
[rule.yard]
kind = "intrusion"
cameras = ["gate"]
zone = "yard"
[rule.offline]
kind = "camera_offline"
cameras = ["gate"]
"#;

    fn part(from: &str, to: &str) -> Result<Part, Problems> {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let texts = [(PathBuf::from("/etc/wardwatch/wardwatch.toml"), GOOD.replace(from, to))];
        of(Written::of_texts(&texts), &Outside::default())
    }

    /// Recorded cameras, with a `+` those that are analysed; rules with the camera that each is about.
    fn running(part: &Part) -> String {
        let mut running = Vec::new();
        for camera in &part.settings.cameras {
            let is_analysed = camera.streams.iter().any(|stream| stream.watch_fps_max.is_some());
            running.push(format!("{}{}", camera.camera.id, if is_analysed { "+" } else { "" }));
        }
        running.extend(part.settings.rules.iter().map(|rule| format!("{}@{}", rule.id, rule.camera)));
        running.join(" ")
    }

    #[test]
    fn a_fault_costs_what_depends_on_it_and_no_more() {
        // The default rules come last.
        let gate = "camera-sabotage@gate";
        let street = "camera-offline@street camera-sabotage@street";
        let all = &format!("gate+ street+ night@gate night@street offline@gate yard@gate {gate} {street}");
        let no_gate = &format!("street+ night@street {street}");
        let gate_recorded = &format!("gate {no_gate}");
        for (from, to, runs) in [
            ("ward = \"w\"", "ward = \"w\"", all),
            (
                "[rule.night]\nkind = \"intrusion\"",
                "[rule.night]\nkind = \"intruson\"",
                &format!("gate+ street+ offline@gate yard@gate {gate} {street}"),
            ),
            ("[0.5, 0.9]", "[0.5, 0.1]", &all.replace(" yard@gate", "")),
            ("rtsp://h/1\"", "rtsp://h/1\"\nmasks = [[[0, 0]]]", gate_recorded),
            ("rtsp://h/1\"", "rtsp://h/1\"\nprivacy_mask = []", gate_recorded),
            ("rtsp://h/1\"", "rtsp://h/1\"\nlat = 10.0", all),
            ("rtsp://h/1\"", "h/1\"", no_gate),
            ("rtsp://h/1\"", "rtsp://h/1\"\nuser = \"u\"", no_gate),
            ("rtsp://h/3", "http://h/3", &format!("gate+ street night@gate offline@gate yard@gate {gate}")),
            (
                "[broker]",
                "[detector]\nmodel = \"none.onnx\"\n[broker]",
                &format!("gate+ street+ offline@gate {gate} {street}"),
            ),
            ("id = \"b\"", "id = \"b\"\nholidays = [\"1 May\"]", &"gate+ street+".to_owned()),
        ] {
            let part = part(from, to).unwrap();
            assert_eq!(
                (running(&part).as_str(), part.broker_fault.is_some()),
                (runs.as_str(), false),
                "{to}: {:?}",
                part.off
            );
            assert_eq!(part.off.is_empty(), from == to, "{to}");
        }
    }

    #[test]
    fn the_motion_detector_takes_the_place_of_a_damaged_network() {
        let labelled = "[rule.night]\nkind = \"intrusion\"\nlabels = [\"person\"]";
        let mut part = part("[rule.night]\nkind = \"intrusion\"", labelled).unwrap();
        let is_labelled = |part: &Part| part.settings.rules.iter().any(|rule| !rule.labels.is_empty());
        assert!(is_labelled(&part));
        let before = running(&part);
        part.replace_network("its sha256 is another");
        assert_eq!(running(&part), before, "all rules and cameras stay");
        assert_eq!(part.settings.detect.detector, DetectorChoice::Motion);
        assert!(!is_labelled(&part), "nothing tells persons apart");
        assert!(
            part.off[0].contains("the motion detector takes its place") && part.off[0].contains("sha256")
        );
    }

    #[test]
    fn a_fault_of_the_broker_costs_the_way_to_the_post() {
        for (from, to) in [
            ("mqtt://localhost", "mqtt://post.example"),
            ("[broker]\nurl = \"mqtt://localhost\"", ""),
            ("url = \"mqtt://localhost\"", "url = \"mqtt://localhost\"\nca_file = 3"),
        ] {
            let part = part(from, to).unwrap();
            assert!(part.broker_fault.is_some() && part.settings.rules.len() == 7, "{to}: {part:?}");
        }
    }

    #[test]
    fn a_fault_that_could_cost_footage_costs_everything() {
        for (from, to) in [
            ("[broker]", "[store]\nclip_bytes_max = \"5 GIB\"\n[broker]"),
            ("[broker]", "[stor]\n[broker]"),
            ("[broker]", "[broker"),
            ("ward = \"w\"", "ward = \"W W\""),
            ("id = \"b\"", ""),
        ] {
            assert!(part(from, to).is_err(), "{to}");
        }
    }

    #[test]
    fn a_part_has_language_places_and_warnings() {
        let text = GOOD
            .replace("id = \"b\"", "id = \"b\"\nlanguage = \"en\"")
            .replace("rtsp://h/3\"", "rtsp://h/2\"\n[camera.street.zone.x]\npoints = 3");
        let texts = [(PathBuf::from("/etc/wardwatch/wardwatch.toml"), text)];
        let part = of(Written::of_texts(&texts), &Outside::default()).unwrap();
        let settings = &part.settings;
        assert_eq!((part.off.len(), settings.language), (1, Language::English), "{:?}", part.off);
        assert_eq!(settings.places[&"gate".parse().unwrap()].zones.len(), 1);
        assert_eq!(settings.warnings[0].key, "camera.street.sub", "{:?}", settings.warnings);
    }

    #[test]
    fn cameras_that_are_off_have_their_reason() {
        let part =
            part("rtsp://h/1\"", "rtsp://h/1\"\nuser = \"u\"\npassword_file = \"credential:secrets_x\"")
                .unwrap();
        let reason = &part.cameras_off[&"gate".parse().unwrap()];
        let file = Path::new("/etc/wardwatch/secrets/x").display().to_string();
        assert!(reason.contains("camera.gate.password_file") && reason.contains(&file), "{reason}");
    }
}
