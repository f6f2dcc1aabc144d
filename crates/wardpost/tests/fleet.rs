//! 300 boxes over a quarter of an hour, 14 of them with trouble: `wardpost status` names each of these, and no other.
//!
//! Messages, judgement, database and program are the real ones. The minutes pass faster, and the receiver's part (silence is
//! noticed) is played.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base::time::{Monotonic, WallTime};
use serde_json::{Value, json};
use wardlink::client::Incoming;
use wardpost::Storage;
use wardpost::arrival::{Arrival, Sender};
use wardpost::health::Fleet;
use wardpost::presence::Reported;
use wardpost::storage::{Batch, Notice, NoticeKind};

const BOXES: usize = 300;
const MINUTES: u64 = 15;
/// Minute from which boxes have their troubles.
const TROUBLE_FROM: u64 = 2;
/// Minute in which the silence is noticed, and the alert comes that shows the one before it missing.
const NOTICED_AT: u64 = 7;

/// The boxes with trouble, in the order of their names: number, kind as in JSON, a part of the line in English.
const TROUBLES: [(usize, &str, &str); 14] = [
    (3, "camera-away", "no picture from camera cam-2"),
    (31, "camera-away", "no picture from camera cam-0, cam-1, cam-2, cam-3, cam-4, cam-5"),
    (62, "disk-failing", "its disk fails, footage may be lost"),
    (93, "disk-full", "its disk is full of evidence, nothing new is recorded"),
    (124, "disk-nearly-full", "its disk is nearly full, 300 MB left (1.1 GB needed)"),
    (155, "footage-short", "footage goes back 0.6 days (7 needed)"),
    (186, "clock-unset", "its clock is not set"),
    (217, "shortfall", "the analysis is behind, 25 % of the inferences are left out"),
    (248, "outbox-growing", "48 alerts wait in its outbox"),
    (251, "old-version", "version 0.1.0 is older than 0.2.0"),
    (279, "certificate-ending", "its certificate ends"),
    (281, "hot", "it is too hot (84 °C), and analyses less"),
    (290, "silent", "silent"),
    (299, "missing", "1 alert is missing"),
];

/// The kind of a box's trouble in a minute: in the first two it has none.
fn trouble_of(number: usize, minute: u64) -> Option<&'static str> {
    let own = TROUBLES.iter().find(|(of, ..)| *of == number).map(|(_, kind, _)| *kind);
    own.filter(|_| minute >= TROUBLE_FROM)
}

fn name(number: usize) -> String {
    format!("box-{number:03}")
}

fn arrival(number: usize, kind: &str, message: &Value, at: WallTime) -> Arrival {
    let payload = message.to_string().into_bytes();
    let topic = format!("wardwatch/v1/ben-nghe/{}/{kind}", name(number));
    Arrival::read(Incoming { topic, bytes: payload.len(), payload, is_retained: false, at })
}

fn status(number: usize, trouble: Option<&str>, at: WallTime) -> Value {
    let is_away = |camera: usize| trouble == Some("camera-away") && (camera == 2 || number == 31);
    let cameras: Vec<Value> = (0..6)
        .map(|camera| {
            let state = if is_away(camera) { "backing-off" } else { "live" };
            json!({ "id": format!("cam-{camera}"), "state": state, "since": at })
        })
        .collect();
    let store = match trouble {
        Some("disk-failing") => "failing",
        Some("disk-full") => "full-of-evidence",
        _ => "keeping",
    };
    let version = if number == 251 { "0.1.0" } else { "0.2.0" };
    json!({
        "schema": "wardwatch.status/1", "presence": "online", "ward": "ben-nghe", "box": name(number), "version": version,
        "boot_id": "boot", "started_at": at, "cameras": cameras, "outbox_depth": 0,
        "clock": if trouble == Some("clock-unset") { "unsynced" } else { "synced" },
        "store": { "state": store, "since": at },
    })
}

fn vitals(number: usize, trouble: Option<&str>, at: WallTime) -> Value {
    let has = |kind: &str| trouble == Some(kind);
    let waits = has("outbox-growing");
    let ends = Duration::from_secs(if has("certificate-ending") { 9 } else { 900 } * 86_400);
    let mut health = json!({
        "clock": if has("clock-unset") { "unsynced" } else { "synced" },
        "outbox_depth": if waits { 48 } else { 0 }, "certificate_ends_at": at + ends, "free_bytes_min": 1u64 << 30,
        "footage_days": if has("footage-short") { 0.6 } else { 12.5 }, "footage_days_min": 7.0,
    });
    if waits {
        health["oldest_unacknowledged"] = json!(at - Duration::from_secs(5400));
    }
    json!({
        "schema": "wardwatch.vitals/1", "ward": "ben-nghe", "box": name(number), "at": at, "seconds": 60.0,
        "disk": { "free_bytes": if has("disk-nearly-full") { 300_000_000u64 } else { 2 << 30 }, "clip_bytes": 0,
            "held_bytes": 0, "lost_fragments": 0 },
        "temperature_celsius": if has("hot") { 84.0 } else { 55.0 }, "memory": {},
        "throttle": if has("hot") { 0.6 } else { 1.0 },
        "cameras": [{ "id": "cam-0", "fps": 5.0, "motion": 0.1, "looks_per_second": 3.0, "inference": 0.1,
            "shortfall_looks_per_second": if has("shortfall") { 1.0 } else { 0.0 }, "shortfall": 0.0 }],
        "health": health,
    })
}

/// Fills the database as the receiver does. Returns the number of notices that the boxes' health gave.
fn fill(path: &Path) -> usize {
    let mut storage = Storage::open(path).unwrap();
    let mut fleet = Fleet::new(&storage.boxes().unwrap());
    let (begin, mut noticed) = (base::clock::wall() - Duration::from_secs(MINUTES * 60), 0);
    let silent = Sender { ward: "ben-nghe".parse().unwrap(), box_id: name(290).parse().unwrap() };
    for minute in 0..MINUTES {
        let at = begin + Duration::from_secs(minute * 60);
        let now = Monotonic::from_nanos(minute * 60_000_000_000);
        let mut batch = Batch::default();
        for number in 0..BOXES {
            let trouble = trouble_of(number, minute);
            if trouble == Some("silent") {
                continue;
            }
            batch.arrivals.push(arrival(number, "status", &status(number, trouble, at), at));
            batch.arrivals.push(arrival(number, "vitals", &vitals(number, trouble, at), at));
        }
        if minute == NOTICED_AT {
            let kind = NoticeKind::Box(silent.clone(), Reported::Silent);
            batch.notices.push(Notice { at, kind, detail: None });
            batch.arrivals.push(arrival(299, "alert", &alert(299), at));
        }
        batch.arrivals.iter().for_each(|arrival| fleet.arrived(arrival, now));
        let before = batch.notices.len();
        fleet.pass(|sender| *sender != silent || minute < NOTICED_AT, at, now, &mut batch);
        noticed += batch.notices.len() - before;
        storage.take(&batch).unwrap();
    }
    noticed
}

/// An alert whose number is the second: the first one is missing.
fn alert(number: usize) -> Value {
    json!({
        "schema": "wardwatch.alert/1", "id": "019de59b-6cd0-7000-8000-000000000001", "seq": 2, "phase": "opened",
        "outbox": "00000000-0000-4000-8000-000000000001",
        "ward": "ben-nghe", "box": name(number), "camera": { "id": "cam-0", "name": "Cổng" },
        "rule": { "id": "night", "kind": "intrusion", "name": "Đêm" }, "severity": "warning",
        "opened_at": "2026-05-01T22:14:03.120Z", "clock": "synced", "subjects": [], "count": 1, "why": "a test",
        "model": { "name": "motion" }, "clip": { "ref": "clip-1", "starts_at": "2026-05-01T22:13:58.120Z" },
    })
}

fn run(path: &Path, more: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardpost"));
    let output = command.args(["status", "--database"]).arg(path).args(more).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn status_names_each_box_with_trouble_out_of_300() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("post.sqlite");
    let noticed = fill(&path);
    // A missing alert, silence and an old version are found elsewhere, not by the judgement of health.
    assert_eq!(noticed, TROUBLES.len() - 3, "one notice for each box whose health has changed");

    let (text, code) = run(&path, &["--lang", "en", "--trouble"]);
    assert_eq!(code, Some(3));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("300 boxes, 14 with trouble"));
    let named: Vec<&str> = lines.skip(1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(named.len(), TROUBLES.len(), "{text}");
    for (line, (number, _, said)) in named.iter().zip(TROUBLES) {
        assert!(line.starts_with(&format!("ben-nghe/{}", name(number))) && line.contains(said), "{line}");
    }

    let (text, code) = run(&path, &["--json"]);
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &all["boxes_total"], &all["boxes_with_trouble"]), (Some(3), &json!(300), &json!(14)));
    let kinds: BTreeMap<String, Vec<&str>> = all["boxes"].as_array().unwrap().iter().map(kinds_of).collect();
    for number in 0..BOXES {
        let mut expected: Vec<&str> = trouble_of(number, MINUTES).into_iter().collect();
        if number == 31 {
            expected = vec!["camera-away"; 6];
        }
        assert_eq!(kinds[&name(number)], expected, "{}", name(number));
    }

    let (text, code) = run(&path, &["--box", "box-000", "--lang", "vi"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("1 thiết bị, không có sự cố\n"), "{text}");
    let (text, _) = run(&path, &["--box", "box-217", "--ward", "ben-nghe", "--json"]);
    let one: Value = serde_json::from_str(&text).unwrap();
    let history = one["boxes"][0]["vitals_history"].as_array().unwrap().len();
    assert!((1..=2).contains(&history), "vitals of each hour: {history}");
    assert_eq!(run(&path, &["--ward", "elsewhere"]).1, Some(0));
}

fn kinds_of(one: &Value) -> (String, Vec<&str>) {
    let troubles = one["troubles"].as_array().unwrap().iter();
    (one["box"].as_str().unwrap().to_owned(), troubles.map(|one| one["kind"].as_str().unwrap()).collect())
}
