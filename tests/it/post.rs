//! Scenarios of `wardpost`: the program itself, against Mosquitto and a real database.

mod bounds;
mod commands;
mod identity;
mod readers;
pub mod station;
mod stay_up;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use base::ack::Gap;
use base::alert::{Alert, NOT_KEPT};
use base::ids::OutboxId;
use base::status::Presence;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use wardpost::Storage;

use crate::publish::Authority;
use crate::support::broker::{BrokerOptions, BrokerTls, TestBroker};
use crate::support::wait_until;
use station::{ACKS, LONG, Sending, Station, alert, last_ack, numbers, publish, publish_status};
use station::{publish_vitals, send, wait_for_ack};

fn broker() -> TestBroker {
    TestBroker::start(&BrokerOptions::default())
}

#[test]
fn an_alert_is_stored_and_then_acknowledged_and_the_acknowledgement_stays() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &["--ward", "ben-nghe"]);
    let alerts = numbers("box-1", 1, 1..=3);
    send(&broker, &alerts[2..]);
    let ack = wait_for_ack(&subscriber, "box-1", 0, 3);
    assert_eq!(ack.gaps, [Gap { first: 1, last: 2 }]);
    assert_eq!(station.run("list", &["--missing"]).status.code(), Some(3));
    send(&broker, &[alerts[1].clone(), alerts[0].clone(), alerts[1].clone()]);
    wait_for_ack(&subscriber, "box-1", 3, 3);
    assert_eq!(station.run("list", &["--missing"]).status.code(), Some(0));
    station.wait_for_stored(3);
    wait_until("the repetition is counted", LONG, || station.known("box-1")["duplicates"] == 1);

    let late = broker.subscriber(ACKS);
    wait_until("it is retained", LONG, || !late.messages().is_empty());
    assert!(late.messages()[0].retained && late.messages().len() == 1);
    assert_eq!(last_ack(&late, "box-1").unwrap().outbox, alerts[0].outbox);
}

#[test]
fn any_order_and_any_repetition_come_to_the_same() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    let mut alerts = numbers("box-1", 1, 1..=150);
    alerts.extend(alerts[..50].to_vec());
    alerts.shuffle(&mut rand::rngs::StdRng::seed_from_u64(7));
    send(&broker, &alerts);
    wait_for_ack(&subscriber, "box-1", 150, 150);
    wait_until("all repetitions are counted", LONG, || station.known("box-1")["duplicates"] == 50);
    station.wait_for_stored(150);
    let known = station.known("box-1");
    assert!(known["missing"] == 0 && known["conflicts"] == 0 && known["state"] == "here", "{known}");
}

#[test]
fn kill_9_in_the_middle_of_a_stream_loses_nothing_and_doubles_nothing() {
    const COUNT: u64 = 400;
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let mut station = Station::start(&broker, &[]);
    let alerts = numbers("box-1", 1, 1..=COUNT);
    let mut sending = Sending::start(broker.port, "box-1");
    for (part, round) in alerts.chunks(100).zip(1..) {
        part.iter().for_each(|alert| sending.put(alert));
        wait_until("a part is stored", LONG, || station.stored().len() >= 100 * round - 60);
        station.kill();
        // The post's disk has all that it confirmed to a box.
        if let Some(ack) = last_ack(&subscriber, "box-1") {
            let stored = Storage::open_beside(&station.database()).unwrap().acks().unwrap().remove(0).1;
            assert!(
                (1..=ack.highest).all(|seq| !ack.covers(seq) || stored.covers(seq)),
                "{ack:?} {stored:?}"
            );
        }
        station.serve();
    }
    sending.end();
    wait_for_ack(&subscriber, "box-1", COUNT, COUNT);
    station.wait_for_stored(COUNT as usize);
    let stored: BTreeSet<_> = station.stored().into_iter().map(|(id, _)| id).collect();
    assert_eq!(stored, alerts.iter().map(|alert| alert.id.to_string()).collect());
}

#[test]
fn the_broker_keeps_what_comes_while_the_post_is_down() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let mut station = Station::start(&broker, &[]);
    station.stop();
    send(&broker, &numbers("box-1", 1, 1..=40));
    assert!(subscriber.messages().is_empty());
    station.serve();
    wait_for_ack(&subscriber, "box-1", 40, 40);
    station.wait_for_stored(40);
}

#[test]
fn a_broker_that_forgot_everything_is_told_everything_again() {
    let mut broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    send(&broker, &numbers("box-1", 1, 1..=2));
    send(&broker, &numbers("box-2", 2, 1..=1));
    wait_for_ack(&subscriber, "box-1", 2, 2);
    wait_for_ack(&subscriber, "box-2", 1, 1);
    drop(subscriber);
    // The broker never wrote anything to its disk.
    broker.kill();
    broker.run();
    station.wait_for_connections(2);
    let after = broker.subscriber(ACKS);
    wait_for_ack(&after, "box-1", 2, 2);
    wait_for_ack(&after, "box-2", 1, 1);
    // The post hears again, too.
    send(&broker, &numbers("box-1", 1, 3..=3));
    wait_for_ack(&after, "box-1", 3, 3);
}

#[test]
fn a_stalled_broker_is_noticed_and_left() {
    let mut broker = broker();
    let config = tempfile::NamedTempFile::new().unwrap();
    let text = format!("[broker]\nurl = \"mqtt://127.0.0.1:{}\"\nkeep_alive_seconds = 1\n", broker.port);
    fs::write(config.path(), text).unwrap();
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let station = Station::start(&broker, &["--config", config.path().to_str().unwrap(), "--broker", &url]);
    broker.stall();
    wait_until("it is noticed", LONG, || station.log().contains("cannot be reached"));
    broker.go_on();
    station.wait_for_connections(2);
    let subscriber = broker.subscriber(ACKS);
    send(&broker, &numbers("box-1", 1, 1..=1));
    wait_for_ack(&subscriber, "box-1", 1, 1);
    broker.kill();
}

#[test]
fn garbage_is_refused_and_kept_and_stands_in_nobodys_way() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    let topic = "wardwatch/v1/ben-nghe/box-1/alert";
    let good = alert("box-1", 1, 1);
    let mut other_version = serde_json::to_value(&good).unwrap();
    other_version["schema"] = "wardwatch.alert/9".into();
    let other_version = other_version.to_string();
    let elsewhere = serde_json::to_vec(&alert("box-2", 1, 1)).unwrap();
    let huge = vec![b'x'; 3 * 1024 * 1024];
    let garbage: [(&str, &[u8], &str); 7] = [
        (topic, b"\xff\xfe\x00", "no JSON"),
        (topic, b"{\"schema\":", "no JSON"),
        (topic, other_version.as_bytes(), "wardwatch.alert/9"),
        (topic, &elsewhere, "its box is"),
        (topic, &huge, "3145728 bytes"),
        ("wardwatch/v1/ben-nghe/BOX/alert", b"{}", "not a valid id"),
        ("wardwatch/v1/ben-nghe/box-1/status", b"[1]", "no schema"),
    ];
    for (topic, payload, _) in &garbage {
        publish(&broker, topic, payload, &["-q", "1"]);
    }
    send(&broker, std::slice::from_ref(&good));
    wait_for_ack(&subscriber, "box-1", 1, 1);
    let log = station.log();
    for (topic, _, why) in &garbage {
        assert!(log.lines().any(|line| line.contains(topic) && line.contains(why)), "{why}: {log}");
    }
    assert_eq!(station.json("status", &["--json"])["refused"], 7);
    station.wait_for_stored(1);
    assert_eq!(log.matches("connected to the broker").count(), 1, "it stayed connected");
}

#[test]
fn each_box_and_each_outbox_counts_for_itself() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    send(&broker, &numbers("box-1", 1, [1, 2, 5]));
    send(&broker, &numbers("box-2", 2, [1]));
    wait_for_ack(&subscriber, "box-1", 2, 5);
    wait_for_ack(&subscriber, "box-2", 1, 1);
    // The first box has a new disk.
    send(&broker, &numbers("box-1", 3, [1]));
    let ack = wait_for_ack(&subscriber, "box-1", 1, 1);
    assert_eq!(ack.outbox, OutboxId(uuid::Uuid::from_u128(3)));
    station.wait_for_stored(5);
    let holes = station.json("list", &["--missing", "--json"]);
    assert_eq!(
        (&holes[0]["first"], &holes[0]["last"], &holes[0]["former"]),
        (&3.into(), &4.into(), &true.into())
    );
    assert_eq!(station.run("list", &["--missing"]).status.code(), Some(0), "nobody can send it any more");
}

#[test]
fn an_unsaved_alert_is_shown_at_once_and_numbered_later() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    let numbered = alert("box-1", 1, 1);
    let unsaved = Alert { seq: NOT_KEPT, ..numbered.clone() };
    send(&broker, &[unsaved.clone(), unsaved]);
    station.wait_for_stored(1);
    assert_eq!(station.json("list", &["--json"])[0]["seq"], 0);
    assert!(subscriber.messages().is_empty(), "there is no number to acknowledge");
    send(&broker, &[numbered]);
    wait_for_ack(&subscriber, "box-1", 1, 1);
    station.wait_for_stored(1);
    assert_eq!(station.json("list", &["--json"])[0]["seq"], 1);
}

#[test]
fn a_database_that_takes_nothing_acknowledges_nothing() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    let mut other = rusqlite::Connection::open(station.database()).unwrap();
    let blocking = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    send(&broker, &numbers("box-1", 1, 1..=3));
    wait_until("it is said", LONG, || station.log().contains("alerts are not acknowledged"));
    assert!(subscriber.messages().is_empty());
    blocking.rollback().unwrap();
    wait_for_ack(&subscriber, "box-1", 3, 3);
    wait_until("that is said too", LONG, || station.log().contains("takes alerts again"));
}

#[test]
fn the_broker_keeps_what_was_in_hand_and_not_stored_when_the_post_is_killed() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let mut station = Station::start(&broker, &[]);
    let mut other = rusqlite::Connection::open(station.database()).unwrap();
    let blocking = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    send(&broker, &numbers("box-1", 1, 1..=3));
    wait_until("it has them in hand", LONG, || station.log().contains("alerts are not acknowledged"));
    station.kill();
    blocking.rollback().unwrap();
    assert!(station.stored().is_empty());
    station.serve();
    wait_for_ack(&subscriber, "box-1", 3, 3);
    station.wait_for_stored(3);
}

#[test]
fn a_box_that_goes_silent_is_reported_once_and_so_is_its_return() {
    let broker = broker();
    let mut station = Station::start(&broker, &["--silent-after", "2"]);
    publish_status(&broker, "box-1", Presence::Online);
    let state = |state: &str| station.known("box-1")["state"] == state;
    wait_until("it is here", LONG, || state("here"));
    assert_eq!(station.run("status", &[]).status.code(), Some(0));
    wait_until("it is silent", LONG, || state("silent"));
    assert_eq!(station.run("status", &[]).status.code(), Some(3));
    publish_vitals(&broker, "box-1");
    wait_until("it is back", LONG, || state("here"));
    publish_status(&broker, "box-1", Presence::Offline);
    wait_until("it goes", LONG, || state("offline"));
    // A post that starts anew does not say it a second time, and takes retained messages as such.
    station.stop();
    station.serve();
    station.wait_for_connections(2);
    publish_status(&broker, "box-1", Presence::Online);
    wait_until("it is back again", LONG, || station.known("box-1")["state"] == "here");
    let notices: Vec<String> = Storage::open_beside(&station.database())
        .unwrap()
        .notices(0, 99)
        .unwrap()
        .into_iter()
        .map(|one| one.kind)
        .collect();
    assert_eq!(notices[..4], ["silent", "here", "offline", "here"], "{notices:?}");
}

#[test]
fn a_second_serve_is_turned_away_and_a_bad_configuration_says_what_is_wrong() {
    let broker = broker();
    let station = Station::start(&broker, &[]);
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let second = station.run("serve", &["--broker", &url]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another"));
    for (wrong, code, said) in [
        (&[][..], 1, "broker.url (--broker) is missing"),
        (&["--broker", "mqtts://localhost"], 1, "broker.ca_file (--ca) is missing"),
        (&["--broker", &url, "--user", "a"], 1, "go together"),
        (&["--broker", &url, "--config", "/nowhere.toml"], 1, "/nowhere.toml"),
        (&["--broker", &url, "--password", "x"], 2, "--password"),
    ] {
        let output = station.run("serve", wrong);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && stderr.contains(said), "{wrong:?}: {stderr}");
    }
}

#[test]
fn tls_and_a_password_go_through_and_the_password_is_nowhere_to_be_read() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(file("cert.pem"), made.cert.pem()).unwrap();
    fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(file("password"), "hunter2\n").unwrap();
    let broker = TestBroker::start(&BrokerOptions {
        password: Some(("post".into(), "hunter2".into())),
        tls: Some(BrokerTls { cert_file: file("cert.pem"), key_file: file("key.pem"), client_ca_file: None }),
        ..BrokerOptions::default()
    });
    let url = format!("mqtts://localhost:{}", broker.port);
    let (ca, password) = (file("cert.pem"), file("password"));
    let with = [
        "--broker",
        &url,
        "--ca",
        ca.to_str().unwrap(),
        "--user",
        "post",
        "--password-file",
        password.to_str().unwrap(),
    ];
    let station = Station::start(&broker, &with);
    assert!(!station.log().contains("hunter2"));
    fs::write(&password, "wrong").unwrap();
    let mut refused = Station::prepare(&broker, &with);
    refused.serve();
    wait_until("it is refused", LONG, || refused.log().contains("refuses user \"post\""));
    assert!(refused.log().contains("broker.password_file") && !refused.log().contains("wrong\""));
}

#[test]
fn old_alerts_are_removed_and_their_numbers_stay() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let mut station = Station::start(&broker, &["--keep-days", "1"]);
    send(&broker, &numbers("box-1", 1, 1..=3));
    wait_for_ack(&subscriber, "box-1", 3, 3);
    station.stop();
    let connection = rusqlite::Connection::open(station.database()).unwrap();
    let day = Duration::from_secs(24 * 3600).as_micros() as i64;
    connection
        .execute("UPDATE alert SET received_us = received_us - ?1 WHERE seq < 3", [day + 1_000_000])
        .unwrap();
    drop(connection);
    station.serve();
    wait_until("the old ones are gone", LONG, || station.stored().len() == 1);
    assert_eq!(station.known("box-1")["contiguous"], 3);
}

#[test]
fn alerts_come_over_tls_by_name_and_by_address_of_either_kind() {
    let authority = Authority::new();
    let hosts = [("127.0.0.1", "localhost"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")];
    for (address, host) in hosts {
        if std::net::TcpListener::bind((address, 0)).is_err() {
            eprintln!("skipped: this machine has no {address}");
            continue;
        }
        let (cert_file, key_file) = authority.sign(&["localhost", address]);
        let tls = Some(BrokerTls { cert_file, key_file, client_ca_file: None });
        let options = BrokerOptions { tls, address: Some(address), ..BrokerOptions::default() };
        let broker = TestBroker::start(&options);
        let url = format!("mqtts://{host}:{}", broker.port);
        let ca_file = authority.ca_file();
        let station = Station::start(&broker, &["--broker", &url, "--ca", ca_file.to_str().unwrap()]);
        let mut sending = Sending::start(broker.inside_port, "box-1");
        sending.put(&alert("box-1", 1, 1));
        sending.end();
        station.wait_for_stored(1);
    }
}
