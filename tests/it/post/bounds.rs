//! A post that one box, or a full disk, does not take down.

use std::fs;
use std::process::Command;

use base::ids::AlertId;
use base::status::Presence;
use serde_json::Value;

use super::station::{LONG, Station, alert, numbers, publish, publish_status, send};
use super::{ACKS, broker, wait_for_ack, wait_until};
use crate::support::broker::Message;

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn a_removed_box_leaves_list_and_broker_and_its_alerts_stay() {
    let broker = broker();
    let mut station = Station::start(&broker, &[]);
    let mut acks = broker.subscriber(ACKS);
    send(&broker, &numbers("box-2", 1, 1..=2));
    send(&broker, &numbers("box-1", 1, 1..=1));
    publish_status(&broker, "box-2", Presence::Online);
    wait_for_ack(&acks, "box-2", 2, 2);
    station.wait_for_stored(3);
    let refused = station.run("forget", &["ben-nghe/box-2", "--reason", "stolen"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("ben-nghe/box-2 is connected"), "{}", text(&refused.stderr));

    publish_status(&broker, "box-2", Presence::Offline);
    wait_until("it is offline", LONG, || station.known("box-2")["state"] == "offline");
    let removed = station.run("forget", &["ben-nghe/box-2", "--reason", "its certificate was stolen"]);
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert_eq!(station.known("box-2"), Value::Null);
    assert_eq!(station.stored().len(), 3, "its alerts stay");
    wait_until("its retained messages are gone", LONG, || {
        acks = broker.subscriber("wardwatch/v1/#");
        // The one of the other box marks the end of the retained ones.
        wait_until("retained messages come", LONG, || !acks.messages().is_empty());
        let topics: Vec<String> = acks.messages().into_iter().map(|message| message.topic).collect();
        topics.iter().any(|topic| topic.contains("/box-1/ack"))
            && !topics.iter().any(|topic| topic.contains("/box-2/"))
    });
    let log = station.json("log", &["--json"]);
    assert_eq!(log["forgotten"][0]["why"], "its certificate was stolen");
    assert!(text(&station.run("log", &[]).stdout).contains("xóa thiết bị khỏi danh sách: ben-nghe/box-2"));
    let verified = station.run("log", &["--verify"]);
    assert!(verified.status.success() && text(&verified.stdout).starts_with("1 rows"), "{verified:?}");

    // A restart does not bring it back; its own message does.
    station.stop();
    station.serve();
    station.wait_for_connections(2);
    send(&broker, &[alert("box-1", 1, 2)]);
    station.wait_for_stored(4);
    assert_eq!(station.known("box-2"), Value::Null);
    send(&broker, &[alert("box-2", 1, 3)]);
    wait_until("it is known again", LONG, || station.known("box-2")["contiguous"] == 3);
}

#[test]
fn a_flood_of_one_box_is_its_trouble_and_another_box_is_heard() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    let mut flood = numbers("box-2", 1, 1..=1);
    let more = (2..=7000).map(|seq| {
        let mut more = flood[0].clone();
        more.thumbnail = None;
        (more.id, more.seq) = (AlertId::new(1_777_673_643_120 + seq), seq);
        more
    });
    let more: Vec<_> = more.collect();
    flood.extend(more);
    send(&broker, &flood);
    send(&broker, &numbers("box-1", 1, 1..=1));
    wait_for_ack(&subscriber, "box-1", 1, 1);
    let troubles = || station.known("box-2")["troubles"].clone();
    wait_until("it is a trouble", LONG, || troubles().to_string().contains("too-much"));
    let status = station.run("status", &[]);
    assert_eq!(status.status.code(), Some(3));
    assert!(text(&status.stdout).contains("gửi quá nhiều, đã từ chối"), "{}", text(&status.stdout));
    let stored = station.stored().len();
    assert!((5000..6900).contains(&stored), "{stored}");
    assert_eq!(station.log().matches("more than 600 alerts a minute").count(), 1, "one line for a series");
}

#[test]
fn statuses_of_phantom_wards_do_not_stay_at_the_broker() {
    let broker = broker();
    let station = Station::start(&broker, &[]);
    publish_status(&broker, "box-1", Presence::Online);
    for number in 0..80 {
        // Every other one is no status at all.
        let text = if number % 2 == 0 { "x" } else { r#"{"schema":"wardwatch.status/1"}"# };
        publish(
            &broker,
            &format!("wardwatch/v1/ward-{number}/box-2/status"),
            text.as_bytes(),
            &["-q", "1", "-r"],
        );
    }
    let retained = || {
        let subscriber = broker.subscriber("wardwatch/v1/+/+/status");
        wait_until("retained messages come", LONG, || !subscriber.messages().is_empty());
        // The broker sends all of them, and then this one.
        publish(&broker, "wardwatch/v1/end/box-1/status", b"x", &["-q", "1"]);
        let is_end = |message: &Message| message.topic.contains("/end/");
        wait_until("all have come", LONG, || subscriber.messages().iter().any(is_end));
        subscriber.messages().into_iter().filter(|message| message.retained).count()
    };
    wait_until("those of wards too many are cleared", LONG, || retained() == 1 + 64);
    let known = station.json("status", &["--json"]).to_string();
    assert!(known.contains("\"box-1\""), "{known}");
    assert_eq!(station.log().matches("speaks in more than 64 wards").count(), 1, "{}", station.log());
}

#[test]
fn without_headroom_no_alert_is_taken_and_with_it_all_that_waited_are() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let mut station = Station::prepare(&broker, &[]);
    let folder = station.place.path();
    let disk = rustix::fs::statvfs(folder).unwrap();
    let free = disk.f_bavail * disk.f_frsize;
    // The others on this machine write less than a gigabyte meanwhile.
    let (config, ballast) = (folder.join("wardpost.toml"), folder.join("ballast"));
    fs::write(&config, format!("[post]\nfree_bytes_min = {}\n", free - (1 << 30))).unwrap();
    let made = Command::new("fallocate").args(["-l", "2GiB"]).arg(&ballast).status().unwrap();
    assert!(made.success());
    let with_config = ["--config", config.to_str().unwrap()].map(str::to_owned);
    station.add(&with_config);
    station.serve();
    station.wait_for_connections(1);
    send(&broker, &numbers("box-1", 1, 1..=3));
    let status = |more: &[&str]| {
        let config = config.to_str().unwrap();
        station.run("status", &[&["--config", config], more].concat())
    };
    wait_until("the log says so", LONG, || station.log().contains("no alert is taken or acknowledged"));
    assert_eq!(station.stored().len(), 0);
    let said = status(&[]);
    assert_eq!(said.status.code(), Some(3));
    assert!(text(&said.stdout).contains("ổ đĩa của trạm trực sắp đầy"), "{}", text(&said.stdout));
    let json: Value = serde_json::from_slice(&status(&["--json"]).stdout).unwrap();
    assert_eq!(json["post"]["takes_alerts"], false);
    assert!(subscriber.messages().is_empty(), "nothing is acknowledged");

    fs::remove_file(&ballast).unwrap();
    wait_for_ack(&subscriber, "box-1", 3, 3);
    assert!(status(&[]).status.success());
    let notices: Vec<String> = wardpost::Storage::open_beside(&station.database())
        .unwrap()
        .notices(0, 9)
        .unwrap()
        .into_iter()
        .map(|notice| notice.kind)
        .collect();
    assert_eq!(notices, ["room-lost", "room-back"]);
}
