//! `deploy/asyncapi.yaml` agrees with the code: its references lead somewhere, its topics are the code's, and its
//! examples hold to the schemas and are read by the types.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base::ack::Ack;
use base::alert::Alert;
use base::status::Status;
use base::still::Still;
use base::vitals::Vitals;
use serde_json::Value;
use wardlink::Topics;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn document() -> Value {
    let text = std::fs::read_to_string(deploy().join("asyncapi.yaml")).unwrap();
    let mut document: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    document.apply_merge().unwrap();
    serde_json::to_value(document).unwrap()
}

/// Every `$ref` below a node.
fn references(node: &Value, found: &mut Vec<String>) {
    match node {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn resolved<'d>(document: &'d Value, node: &'d Value) -> &'d Value {
    let mut node = node;
    while let Some(reference) = node.get("$ref").and_then(Value::as_str) {
        node = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
    }
    node
}

#[test]
fn every_reference_leads_to_a_node_or_a_file() {
    let document = document();
    assert_eq!(document["asyncapi"], "3.0.0");
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    let lost: Vec<_> = found
        .iter()
        .filter(|reference| match reference.strip_prefix('#') {
            Some(pointer) => document.pointer(pointer).is_none(),
            None => !deploy().join(reference).is_file(),
        })
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    // AsyncAPI 3.0: an operation's messages are those of its channel, and there only.
    for (name, operation) in document["operations"].as_object().unwrap() {
        let channel = operation["channel"]["$ref"].as_str().unwrap();
        for message in operation["messages"].as_array().unwrap() {
            assert!(message["$ref"].as_str().unwrap().starts_with(&format!("{channel}/messages/")), "{name}");
        }
    }
}

#[test]
fn topics_and_their_quality_of_service_are_the_codes() {
    let document = document();
    let topics = Topics::new(&"ben-nghe".parse().unwrap(), &"box-1".parse().unwrap());
    let channels = document["channels"].as_object().unwrap();
    let addresses: BTreeMap<&str, String> = channels
        .iter()
        .map(|(name, channel)| {
            let address =
                channel["address"].as_str().unwrap().replace("{ward}", "ben-nghe").replace("{box}", "box-1");
            (name.as_str(), address)
        })
        .collect();
    let expected = [
        ("alert", topics.alert),
        ("still", topics.still),
        ("status", topics.status),
        ("vitals", topics.vitals),
        ("ack", topics.ack),
    ];
    assert_eq!(addresses, BTreeMap::from(expected));
    for channel in channels.values() {
        let names: Vec<_> = channel["parameters"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["box", "ward"]);
    }

    let operations: BTreeMap<_, _> = document["operations"]
        .as_object()
        .unwrap()
        .values()
        .map(|operation| {
            let mqtt = resolved(&document, &operation["bindings"]["mqtt"]);
            let channel = operation["channel"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            let retain = mqtt["retain"].as_bool().unwrap();
            (channel, (operation["action"].as_str().unwrap(), mqtt["qos"].as_u64().unwrap(), retain))
        })
        .collect();
    let expected = [
        ("ack", ("receive", 1, true)),
        ("alert", ("send", 1, false)),
        ("status", ("send", 1, true)),
        ("still", ("send", 1, false)),
        ("vitals", ("send", 0, false)),
    ];
    assert_eq!(operations, BTreeMap::from(expected));
}

#[test]
fn examples_hold_to_the_schemas_and_are_read() {
    let document = document();
    let mut seen = 0;
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        let file = deploy().join(message["payload"]["schema"]["$ref"].as_str().unwrap());
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_ne!(problems(&schema, &serde_json::json!({})), "", "{name}: the schema asks for something");
        for example in message["examples"].as_array().unwrap() {
            let payload = &example["payload"];
            assert_eq!(problems(&schema, payload), "", "{name}, {}", example["name"]);
            let back = match name.as_str() {
                "alert" => serde_json::to_value(read::<Alert>(payload)),
                "still" => serde_json::to_value(read::<Still>(payload)),
                "status" => serde_json::to_value(read::<Status>(payload)),
                "vitals" => serde_json::to_value(read::<Vitals>(payload)),
                "ack" => serde_json::to_value(read::<Ack>(payload)),
                other => panic!("{other} is no message"),
            };
            // The code knows every field of the example; numbers may lose digits.
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&back.unwrap()), keys(payload), "{name}, {}", example["name"]);
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

/// Python program that prints the problems of a value with a schema.
const JUDGE: &str = "
import json, sys
from jsonschema.validators import validator_for
schema, value = json.load(sys.stdin)
validator_for(schema).check_schema(schema)
for problem in validator_for(schema)(schema).iter_errors(value):
    print(problem.message)
";

/// Problems of a value with a schema, as Debian's validator finds them. A validator among the dev-dependencies changes the features
/// of the programs' own dependencies, and the tests compile all of those again.
fn problems(schema: &Value, value: &Value) -> String {
    let mut judge = Command::new("/usr/bin/python3")
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(judge.stdin.take().unwrap(), &(schema, value)).unwrap();
    let output = judge.wait_with_output().unwrap();
    assert!(output.status.success(), "the validator failed; `scripts/setup` installs python3-jsonschema");
    String::from_utf8(output.stdout).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(payload: &Value) -> T {
    serde_json::from_value(payload.clone()).unwrap()
}
