//! Rules: one for each camera that a rule names.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::cameras;
use super::file::{self, Day};
use super::outside::Checker;
use super::problem::choose;
use super::written::quoted;
use crate::detect::DetectorChoice;
use crate::domain::detection::Label;
use crate::domain::ids::RuleId;
use crate::rules::{Kind, Place, RuleSettings, Schedule, Window};

/// The rules that are right, in the order of their ids and then of the cameras that they name.
///
/// Without a time zone or a detector, what depends on them is not checked: they are problems themselves.
pub(super) fn checked(
    checker: &mut Checker,
    rules: BTreeMap<String, file::Rule>,
    cameras: &[cameras::Checked],
    timezone: Option<&TimeZone>,
    detector: Option<&DetectorChoice>,
) -> Vec<RuleSettings> {
    let mut checked = Vec::new();
    for (id, rule) in rules {
        let path = format!("rule.{}", quoted(&id));
        let rule_id = checker.id::<RuleId>(&path, &id);
        let kind = kind(checker, &path, &rule);
        check_labels(checker, &path, &rule, detector);
        check_place_keys(checker, &path, kind.as_ref());
        let windows = windows(checker, &path, &rule.schedule);
        let named = rule.cameras.as_deref().unwrap_or_default();
        let places: Vec<_> = (0..named.len())
            .filter_map(|index| place(checker, &path, &rule, &named[..=index], cameras))
            .collect();
        let (Some(rule_id), Some(kind), Some(timezone)) = (rule_id, kind, timezone) else { continue };
        checked.extend(places.into_iter().map(|(camera, place)| RuleSettings {
            id: rule_id.clone(),
            name: rule.name.clone().unwrap_or_else(|| id.clone()),
            camera: camera.settings.camera.id.clone(),
            labels: rule.labels.iter().copied().collect(),
            severity: rule.severity,
            schedule: Schedule { timezone: timezone.clone(), windows: windows.clone() },
            cool_down: Duration::from_secs_f64(rule.cool_down_seconds),
            place,
            kind: kind.clone(),
        }));
    }
    checked
}

/// A kind may refuse what no schema can say: then its own words say what.
fn kind(checker: &mut Checker, path: &str, rule: &file::Rule) -> Option<Kind> {
    if !rule.kind.contains_key("kind") {
        return None;
    }
    match serde_json::from_value(Value::Object(rule.kind.clone())) {
        Ok(kind) => Some(kind),
        Err(error) => {
            if !checker.written.is_wrong(path) {
                checker.wrong(path, format!("is not understood: {error}"), "mend the keys of its kind");
            }
            None
        }
    }
}

/// A rule about what the detector never says would never fire.
fn check_labels(checker: &mut Checker, path: &str, rule: &file::Rule, detector: Option<&DetectorChoice>) {
    let never = detector == Some(&DetectorChoice::Motion)
        && !rule.labels.is_empty()
        && !rule.labels.contains(&Label::Moving);
    if never {
        let what = "the motion detector says nothing but \"moving\", so the rule would never fire";
        let remedy = "write labels = [\"moving\"], or set detector.model to a network";
        checker.wrong(&format!("{path}.labels"), what, remedy);
    }
}

/// A tripwire rule needs a tripwire; any other applies to a zone, or everywhere.
fn check_place_keys(checker: &mut Checker, path: &str, kind: Option<&Kind>) {
    let Some(kind) = kind else { return };
    let (zone, tripwire) = (format!("{path}.zone"), format!("{path}.tripwire"));
    let (has_zone, has_tripwire) = (checker.written.is_written(&zone), checker.written.is_written(&tripwire));
    if matches!(kind, Kind::Tripwire(_)) {
        if !has_tripwire {
            let remedy = "add tripwire: the id of a tripwire on the rule's cameras";
            checker.wrong(&tripwire, "is missing, and this kind of rule needs it", remedy);
        }
        if has_zone {
            checker.wrong(&zone, "means nothing to this kind of rule", "take it out");
        }
    } else if has_tripwire {
        let remedy = "take it out; zone says where this kind of rule applies";
        checker.wrong(&tripwire, "means nothing to this kind of rule", remedy);
    }
}

/// The last of the cameras `named` so far, and where on it the rule applies. `None` if either is wrong, here or where
/// it is defined.
fn place<'c>(
    checker: &mut Checker,
    path: &str,
    rule: &file::Rule,
    named: &[String],
    cameras: &'c [cameras::Checked],
) -> Option<(&'c cameras::Checked, Place)> {
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
        Place::Zone(camera.zones.iter().find(|zone| zone.id.as_str() == id)?.clone())
    } else if let Some(id) = &rule.tripwire {
        Place::Tripwire(camera.tripwires.iter().find(|tripwire| tripwire.id.as_str() == id)?.clone())
    } else {
        Place::Everywhere
    };
    Some((camera, place))
}

/// Whether `name` is one of the tables at `keys`, which are `noun`s; a problem with the key at `path` if not.
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

/// The windows that are right.
fn windows(checker: &mut Checker, path: &str, schedule: &[file::Window]) -> Vec<Window> {
    let mut time = |index: usize, key: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        let time = Time::strptime("%H:%M", text).ok();
        if time.is_none() {
            let key = format!("{path}.schedule[{index}].{key}");
            checker.wrong(&key, format!("{text:?} is no time of day"), "write \"00:00\" to \"23:59\"");
        }
        time
    };
    let window = |(index, window): (usize, &file::Window)| {
        let (from, to) = (time(index, "from", &window.from), time(index, "to", &window.to));
        Some(Window { days: window.days.iter().copied().map(weekday).collect(), from: from?, to: to? })
    };
    schedule.iter().enumerate().filter_map(window).collect()
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}
