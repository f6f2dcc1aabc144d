//! Rules: one for each camera that a rule names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Weekday;
use serde_json::{Map, Value};

use super::file;
use super::outside::Checker;
use super::{calendar, cameras, doubts};
use crate::infer::DetectorChoice;
use analysis::rules::{About, AreaNeed, Day, Kind, Needs, RuleArea, RuleSettings, Schedule, Window};
use base::detection::Label;
use base::event::Severity;
use base::ids::RuleId;
use base::language::Language;
use program::config::{choose, quoted};

/// Cool-down of the default rules.
const DEFAULT_COOL_DOWN: Duration = Duration::from_secs(60);

/// The valid rules, in the order of their ids and then of the cameras that they name.
///
/// Without a calendar or a detector, the parts that depend on it are not checked: its absence is a problem of its own.
pub(super) fn checked(
    checker: &mut Checker,
    rules: BTreeMap<String, file::Rule>,
    cameras: &[cameras::Checked],
    calendar: Option<&Schedule>,
    detector: Option<&DetectorChoice>,
) -> Vec<RuleSettings> {
    let mut checked = Vec::new();
    for (id, rule) in rules {
        let path = format!("rule.{}", quoted(&id));
        let rule_id = checker.id::<RuleId>(&path, &id);
        let (kind, night) = kinds(checker, &path, &rule);
        let needs: Vec<Needs> = kind.iter().chain(&night).map(Kind::needs).collect();
        check_labels(checker, &path, &rule, needs.first(), detector);
        check_place_keys(checker, &path, &needs);
        let windows = windows(checker, &path, &rule.schedule);
        let named = rule.cameras.as_deref().unwrap_or_default();
        let places: Vec<_> = (0..named.len())
            .filter_map(|index| place(checker, &path, &rule, &named[..=index], cameras))
            .collect();
        check_grounds(checker, &path, &needs, named, &places);
        for kind in kind.iter().chain(&night) {
            places.iter().for_each(|(camera, place)| doubts::arrow(checker, &path, kind, camera, place));
        }
        let (Some(rule_id), Some(kind), Some(calendar)) = (rule_id, kind, calendar) else { continue };
        checked.extend(places.into_iter().map(|(camera, place)| RuleSettings {
            id: rule_id.clone(),
            name: rule.name.clone().unwrap_or_else(|| id.clone()),
            camera: camera.settings.camera.id.clone(),
            labels: rule.labels.iter().copied().collect(),
            severity: rule.severity,
            schedule: Schedule { windows: windows.clone(), ..calendar.clone() },
            cool_down: Duration::from_secs_f64(rule.cool_down_seconds),
            place,
            ground: camera.ground,
            kind: kind.clone(),
            night: night.clone(),
        }));
    }
    checked
}

/// The default rules: those about the camera itself, for each camera that no rule of the kind names.
pub(super) fn by_default(
    named: &[RuleSettings],
    cameras: &[cameras::Checked],
    calendar: &Schedule,
    language: Language,
) -> Vec<RuleSettings> {
    let mut rules = Vec::new();
    for camera in cameras {
        let id = &camera.settings.camera.id;
        for kind in &camera.default_kinds {
            let is_named = |rule: &RuleSettings| rule.camera == *id && rule.kind.as_str() == kind.as_str();
            let Ok(rule_id) = kind.as_str().replace('_', "-").parse::<RuleId>() else { continue };
            if named.iter().any(is_named) {
                continue;
            }
            rules.push(RuleSettings {
                id: rule_id,
                name: language.rule_kind(kind.as_str()),
                camera: id.clone(),
                labels: BTreeSet::new(),
                severity: Severity::Warning,
                schedule: calendar.clone(),
                cool_down: DEFAULT_COOL_DOWN,
                place: RuleArea::Everywhere,
                ground: None,
                kind: kind.clone(),
                night: None,
            });
        }
    }
    rules
}

/// The kind with the numbers of the day, and the kind with those of the night, if there are any.
fn kinds(checker: &mut Checker, path: &str, rule: &file::Rule) -> (Option<Kind>, Option<Kind>) {
    let day = kind(checker, path, &rule.kind);
    if day.is_none() || rule.night.is_empty() {
        return (day, None);
    }
    let mut numbers = rule.kind.clone();
    numbers.extend(rule.night.clone());
    (day, kind(checker, &format!("{path}.night"), &numbers))
}

/// Reads the kind. Its own error message reports faults that a schema cannot express.
fn kind(checker: &mut Checker, path: &str, keys: &Map<String, Value>) -> Option<Kind> {
    if !keys.contains_key("kind") {
        return None;
    }
    match serde_json::from_value(Value::Object(keys.clone())) {
        Ok(kind) => Some(kind),
        Err(error) => {
            if !checker.written.is_wrong(path) {
                checker.wrong(path, format!("is not understood: {error}"), "correct the keys of its kind");
            }
            None
        }
    }
}

/// Checks the labels. A rule about labels that the detector never gives would never fire; one about the camera has none.
fn check_labels(
    checker: &mut Checker,
    path: &str,
    rule: &file::Rule,
    needs: Option<&Needs>,
    detector: Option<&DetectorChoice>,
) {
    let key = format!("{path}.labels");
    if needs.is_some_and(|needs| needs.about == About::Camera) {
        if checker.written.is_written(&key) {
            checker.wrong(&key, "mean nothing to this kind of rule", "take them out");
        }
        return;
    }
    let by_itself = needs.map(Needs::labels).unwrap_or_default();
    let labels = if rule.labels.is_empty() { by_itself } else { rule.labels.as_slice() };
    if detector == Some(&DetectorChoice::Motion) && !labels.is_empty() && !labels.contains(&Label::Moving) {
        let what = "the motion detector says nothing but \"moving\", so the rule would never fire";
        let remedy = "write labels = [\"moving\"], or set detector.model to a network";
        checker.wrong(&key, what, remedy);
    }
}

/// Checks that the rule names the places that its kind needs, and no others. `needs` are those of the day and of the night.
fn check_place_keys(checker: &mut Checker, path: &str, needs: &[Needs]) {
    let place = match needs.iter().map(|needs| needs.place).find(|place| *place != AreaNeed::Anywhere) {
        Some(place) => place,
        None if needs.is_empty() => return,
        None => AreaNeed::Anywhere,
    };
    for (noun, wanted, is_missed) in [
        ("zone", matches!(place, AreaNeed::Anywhere | AreaNeed::Zone), place == AreaNeed::Zone),
        ("tripwire", place == AreaNeed::Tripwire, place == AreaNeed::Tripwire),
    ] {
        let key = format!("{path}.{noun}");
        let is_written = checker.written.is_written(&key);
        if is_missed && !is_written {
            let remedy = format!("add {noun}: the id of a {noun} on the rule's cameras");
            checker.wrong(&key, "is missing, and this kind of rule needs it", remedy);
        }
        if is_written && !wanted {
            let remedy = match place {
                AreaNeed::Anywhere | AreaNeed::Zone => {
                    "take it out; zone says where this kind of rule applies"
                }
                AreaNeed::Tripwire | AreaNeed::Camera => "take it out",
            };
            checker.wrong(&key, "means nothing to this kind of rule", remedy);
        }
    }
}

/// Checks the ground of each camera of a rule that measures: it is needed as far as the rule's zone reaches.
fn check_grounds(
    checker: &mut Checker,
    path: &str,
    needs: &[Needs],
    named: &[String],
    places: &[(&cameras::Checked, RuleArea)],
) {
    let Some(reason) = needs.iter().find_map(|needs| needs.ground) else { return };
    for (camera, place) in places {
        let id = &camera.settings.camera.id;
        let table = format!("camera.{}", quoted(id.as_str()));
        let index = named.iter().position(|named| named == id.as_str()).unwrap_or(0);
        match (&camera.ground, place) {
            (None, _) if !checker.written.is_written(&format!("{table}.ground")) => {
                let what = format!("camera \"{id}\" has no ground, and {reason}");
                let remedy =
                    format!("add ground to [{table}]: four points on its picture and their places in metres");
                checker.wrong(&format!("{path}.cameras[{index}]"), what, remedy);
            }
            (Some(ground), RuleArea::Zone(zone)) if ground.square_metres(&zone.polygon).is_none() => {
                let what = format!(
                    "zone \"{}\" reaches up to the horizon of camera \"{id}\", and {reason}",
                    zone.id
                );
                let remedy = format!("end the zone nearer to the camera, or correct {table}.ground");
                checker.wrong(&format!("{path}.zone"), what, remedy);
            }
            _ => {}
        }
    }
}

/// The last of the cameras `named` so far, and the place on it to which the rule applies. `None` if either is invalid, here
/// or at its definition.
fn place<'c>(
    checker: &mut Checker,
    path: &str,
    rule: &file::Rule,
    named: &[String],
    cameras: &'c [cameras::Checked],
) -> Option<(&'c cameras::Checked, RuleArea)> {
    let (id, before) = named.split_last()?;
    let key = format!("{path}.cameras[{}]", before.len());
    if !exists(checker, &key, "camera", id, &["camera"]) {
        return None;
    }
    if before.contains(id) {
        checker.wrong(&key, format!("names {id:?} again"), "name each camera once");
        return None;
    }
    let mut exists_on_camera = |noun: &str, name: &Option<String>| {
        let names = ["camera", id, noun];
        name.as_ref().is_none_or(|name| exists(checker, &format!("{path}.{noun}"), noun, name, &names))
    };
    if !(exists_on_camera("zone", &rule.zone) & exists_on_camera("tripwire", &rule.tripwire)) {
        return None;
    }
    let camera = cameras.iter().find(|camera| camera.settings.camera.id.as_str() == id)?;
    let place = if let Some(id) = &rule.zone {
        RuleArea::Zone(camera.zones.iter().find(|zone| zone.id.as_str() == id)?.clone())
    } else if let Some(id) = &rule.tripwire {
        RuleArea::Tripwire(camera.tripwires.iter().find(|tripwire| tripwire.id.as_str() == id)?.clone())
    } else {
        RuleArea::Everywhere
    };
    Some((camera, place))
}

/// True if `name` is one of the tables at `keys`, which are `noun`s; else notes a problem with the key at `path`.
fn exists(checker: &mut Checker, path: &str, noun: &str, name: &str, keys: &[&str]) -> bool {
    let known = checker.written.names(keys);
    if known.iter().any(|known| known == name) {
        return true;
    }
    let of = match keys {
        [_, camera, _] => format!(" on camera {camera:?}"),
        _ => String::new(),
    };
    let remedy = if known.is_empty() {
        format!("add one: [{}.{}]", keys.join("."), quoted(name))
    } else {
        choose(name, known.iter().map(String::as_str))
    };
    checker.wrong(path, format!("there is no {noun} {name:?}{of}"), remedy);
    false
}

/// The valid windows.
fn windows(checker: &mut Checker, path: &str, schedule: &[file::Window]) -> Vec<Window> {
    let mut time = |index: usize, key: &str, text: &Option<String>| {
        calendar::time(checker, &format!("{path}.schedule[{index}].{key}"), text.as_ref()?)
    };
    let window = |(index, window): (usize, &file::Window)| {
        let (from, to) = (time(index, "from", &window.from), time(index, "to", &window.to));
        Some(Window { days: window.days.iter().copied().map(day).collect(), from: from?, to: to? })
    };
    schedule.iter().enumerate().filter_map(window).collect()
}

fn day(day: file::Day) -> Day {
    Day::Weekday(match day {
        file::Day::Mon => Weekday::Monday,
        file::Day::Tue => Weekday::Tuesday,
        file::Day::Wed => Weekday::Wednesday,
        file::Day::Thu => Weekday::Thursday,
        file::Day::Fri => Weekday::Friday,
        file::Day::Sat => Weekday::Saturday,
        file::Day::Sun => Weekday::Sunday,
        file::Day::Holiday => return Day::Holiday,
    })
}
