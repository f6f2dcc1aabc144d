//! The shipped example and the schema name every key.

use std::collections::BTreeSet;
use std::fs;

use analysis::rules::{Kind, RuleSettings, crowd, wrong_way};
use serde_json::Value;
use wardwatch::config;

use super::{Folder, changed, is_default};

const EXAMPLE: &str = include_str!("../../../deploy/etc/wardwatch/wardwatch.toml");

/// The example with the lines switched on that begin with `#` and no space.
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    EXAMPLE.lines().map(line).collect()
}

/// A folder with the example and the files it names.
fn example_folder(text: &str) -> Folder {
    let folder = Folder::with(text);
    for name in ["ca.pem", "box-cert.pem", "cameras-ca.pem"] {
        folder.write(name, "", 0o644);
    }
    for name in ["secrets/box-key.pem", "secrets/broker", "secrets/camera-gate"] {
        folder.write(name, "hunter2\n", 0o600);
    }
    folder
}

#[test]
fn the_example_is_valid_as_shipped_and_with_everything_switched_on() {
    let shipped = example_folder(EXAMPLE).load().unwrap();
    let mut all = example_folder(&uncommented()).load().unwrap();
    assert_eq!((shipped.cameras.len(), all.cameras.len()), (1, 2));
    // Lines of the example that claim to show the default do so: also the numbers of each kind.
    let kinds: BTreeSet<&str> = all.rules.iter().map(|rule| rule.kind.as_str()).collect();
    let named = |rules: &[RuleSettings]| rules.iter().filter(|rule| !is_default(rule)).count();
    assert_eq!((named(&shipped.rules), named(&all.rules), kinds.len()), (1, 12, 12));
    for rule in &all.rules {
        let same = match &rule.kind {
            Kind::WrongWay(params) => *params == wrong_way::Params::new(params.direction),
            Kind::Crowd(params) => {
                *params == crowd::Params { per_100_square_metres_min: Some(20.0), ..crowd::Params::default() }
            }
            kind => {
                let usual = serde_json::json!({ "kind": kind.as_str() });
                *kind == serde_json::from_value::<Kind>(usual).unwrap()
            }
        };
        assert!(same, "{} shows other numbers than those that hold: {:?}", rule.id, rule.kind);
        assert_eq!(rule.night.is_some(), rule.id.as_str() == "parking");
    }
    all.rules.retain(|rule| rule.id == shipped.rules[0].id);
    assert_eq!(shipped.rules[..1], all.rules);
    assert_eq!((shipped.holidays.len(), &shipped.holidays), (3, &all.holidays));
    assert_eq!((shipped.timezone, shipped.broker.keep_alive), (all.timezone, all.broker.keep_alive));
    assert_eq!(all.store.camera_bytes_max.values().collect::<Vec<_>>(), [&(20 << 30)]);
    all.store.camera_bytes_max.clear();
    assert_eq!(std::mem::replace(&mut all.store.clip_bytes_max, clipstore::NO_LIMIT), 100 << 30);
    assert_eq!(shipped.store, all.store);
    assert_eq!((shipped.detect.score_min, all.detect.score_min), (None, Some(0.25)));
    let mut gate = all.cameras.remove(0);
    (gate.camera.lat, gate.camera.lon, gate.camera.heading) = (None, None, None);
    assert_eq!((shipped.cameras[0].masks.len(), gate.masks.len()), (0, 1));
    let streams = |camera: &config::Camera| format!("{:?} {:?}", camera.camera, camera.streams.len());
    assert_eq!(streams(&shipped.cameras[0]), streams(&gate));
    assert_eq!((gate.pre_roll, gate.post_roll), (shipped.cameras[0].pre_roll, shipped.cameras[0].post_roll));
}

#[test]
fn the_usual_addresses_of_eight_makers_are_valid() {
    let addresses: Vec<(&str, &str)> = EXAMPLE
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .map(|line| {
            let (maker_and_main, sub) = line.trim_end().rsplit_once(' ').unwrap();
            (maker_and_main.trim_end().rsplit_once(' ').unwrap().1, sub)
        })
        .collect();
    assert!(addresses.len() >= 8, "{addresses:?}");
    for (main, sub) in addresses {
        let streams = format!("main = \"rtsp://192.168.1.20{main}\"\nsub = \"rtsp://192.168.1.20{sub}\"");
        let settings =
            Folder::with(&changed("main = \"rtsp://192.168.1.20/main\"", &streams)).load().unwrap();
        assert_eq!((settings.cameras[0].streams.len(), settings.warnings), (2, Vec::new()), "{streams}");
        assert!(main.starts_with('/') && sub.starts_with('/') && main != sub, "{streams}");
    }
}

#[test]
fn the_readmes_box_is_valid() {
    let readme = include_str!("../../../README.md");
    let block = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let settings = example_folder(block).load().unwrap();
    assert_eq!(
        (settings.cameras.len(), settings.rules.iter().filter(|rule| !is_default(rule)).count()),
        (1, 1)
    );
}

#[test]
fn whatever_a_key_is_set_to_there_are_settings_or_problems() {
    let text = uncommented();
    let folder = example_folder(&text);
    let lines: Vec<&str> = text.lines().collect();
    let mut wrong = 0;
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        for value in
            ["7", "-1", "1e300", "nan", "\"x\"", "\"\"", "true", "[]", "[[]]", "{ x = 1 }", "22:00:00", ""]
        {
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            lines[index] = format!("{key} = {value}");
            folder.write("wardwatch.toml", &lines.join("\n"), 0o644);
            let loaded = folder.load();
            assert!(loaded.as_ref().err().is_none_or(|problems| !problems.is_empty()), "{key} = {value}");
            wrong += usize::from(loaded.is_err());
        }
    }
    assert!(wrong > 400, "only {wrong} of the values were wrong");
}

/// Every key of the schema, as `camera.*.main`, below `schema`.
fn keys(root: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
    let name = schema["$ref"].as_str().map(|name| name.trim_start_matches("#/$defs/"));
    let schema = name.map_or(schema, |name| &root["$defs"][name]);
    for part in std::iter::once(schema).chain(schema["oneOf"].as_array().into_iter().flatten()) {
        for (key, schema) in part["properties"].as_object().into_iter().flatten() {
            found.push(format!("{path}.{key}"));
            keys(root, schema, &format!("{path}.{key}"), found);
        }
    }
    for (step, nested) in [("*", &schema["additionalProperties"]), ("*", &schema["items"])] {
        if nested.is_object() {
            keys(root, nested, &format!("{path}.{step}"), found);
        }
    }
}

/// Returns true if `path`, with `*` for any key or index, is there.
fn is_named(value: &toml::Value, path: &[&str]) -> bool {
    let Some((key, rest)) = path.split_first() else { return true };
    match value {
        toml::Value::Table(table) if *key == "*" => table.values().any(|value| is_named(value, rest)),
        toml::Value::Array(items) if *key == "*" => items.iter().any(|value| is_named(value, rest)),
        _ => value.get(key).is_some_and(|value| is_named(value, rest)),
    }
}

#[test]
fn the_example_names_every_key() {
    let schema: Value = serde_json::from_str(&config::json_schema()).unwrap();
    let mut all = Vec::new();
    keys(&schema, &schema, "", &mut all);
    for key in [".box.ward", ".camera.*.zone.*.points", ".rule.*.schedule.*.days", ".rule.*.seconds_min"] {
        assert!(all.iter().any(|known| known == key), "{key} in {all:?}");
    }
    let example: toml::Value = toml::from_str(&uncommented()).unwrap();
    // The keys of a night are those of the kind once more.
    let (of_night, all): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|key| key.starts_with(".rule.*.night."));
    assert!(of_night.iter().all(|key| all.contains(&key.replace(".night.", "."))), "{of_night:?}");
    assert!(of_night.len() > 20, "{of_night:?}");
    let unnamed: Vec<_> =
        all.iter().filter(|key| !is_named(&example, &key[1..].split('.').collect::<Vec<_>>())).collect();
    assert!(unnamed.is_empty(), "deploy/etc/wardwatch/wardwatch.toml does not name {unnamed:?}");
}

#[test]
fn the_checked_in_schema_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/config.schema.json");
    if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
        fs::write(path, config::json_schema()).unwrap();
    }
    let checked_in = fs::read_to_string(path).unwrap_or_default();
    assert!(
        config::json_schema() == checked_in,
        "deploy/config.schema.json is out of date: run `make schemas`"
    );
}
