//! Identities at a post: copied boxes, and two posts at one broker.

use serde_json::json;

use super::station::{LONG, Station, alert, publish, send};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait_until;

/// Publishes a status of box-1 as one run of a daemon sends it.
fn publish_run(broker: &TestBroker, boot: &str, started: &str) {
    let status = json!({
        "schema": "wardwatch.status/1", "presence": "online", "ward": "ben-nghe", "box": "box-1", "version": "0.1.0",
        "boot_id": boot, "started_at": started, "cameras": [], "outbox_depth": 0, "clock": "synced",
    });
    let topic = "wardwatch/v1/ben-nghe/box-1/status";
    publish(broker, topic, status.to_string().as_bytes(), &["-q", "1", "-r"]);
}

#[test]
fn a_copied_box_is_told_of_at_the_post() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let station = Station::start(&broker, &[]);
    // A box that is restarted, and restarted again.
    for started in ["2026-05-01T00:00:00Z", "2026-05-01T00:01:00Z", "2026-05-01T00:02:00Z"] {
        publish_run(&broker, "a", started);
    }
    wait_until("it is known", LONG, || station.known("box-1")["says_online"] == true);
    assert!(station.known("box-1")["twins_at"].is_null());
    assert_eq!(station.run("status", &[]).status.code(), Some(0));
    for _ in 0..3 {
        publish_run(&broker, "a", "2026-05-01T00:02:00Z");
        publish_run(&broker, "b", "2026-05-01T00:02:00Z");
    }
    wait_until("it is told", LONG, || !station.known("box-1")["twins_at"].is_null());
    assert_eq!(station.log().matches("another client uses this id").count(), 1, "{}", station.log());
    let output = station.run("status", &["--lang", "en"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("is the id of two boxes"));
}

/// Both hear all wards; neither was given a client id.
#[test]
fn two_posts_at_one_broker_hear_everything_each() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let posts = [Station::start(&broker, &["--ward", "+"]), Station::start(&broker, &[])];
    send(&broker, &[alert("box-1", 1, 1)]);
    posts.iter().for_each(|post| post.wait_for_stored(1));
    assert_eq!(broker.takeovers(), 0);
}

/// A copy of the database has the client id too.
#[test]
fn a_copied_post_is_named_and_the_two_go_on_storing() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let mut first = Station::start(&broker, &["--client-id", "post"]);
    send(&broker, &[alert("box-1", 1, 1)]);
    first.wait_for_stored(1);
    first.stop();
    let second = Station::prepare(&broker, &["--client-id", "post"]);
    std::fs::copy(first.database(), second.database()).unwrap();
    let mut posts = [first, second];
    posts.iter_mut().for_each(Station::serve);
    wait_until("both name it", 2 * LONG, || {
        posts.iter().all(|post| post.log().contains("another client uses this post's client id"))
    });
    send(&broker, &[alert("box-1", 1, 2)]);
    wait_until("one of them has it", 2 * LONG, || posts.iter().any(|post| post.stored().len() == 2));
}

/// A link that is cut ends connections as another client does.
#[test]
fn a_post_behind_a_bad_link_has_no_rival() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let link = Proxy::start(broker.inside_port, Weather::default());
    let mut post = Station::at(link.port, &[]);
    post.serve();
    post.wait_for_connections(1);
    send(&broker, &[alert("box-1", 1, 1)]);
    post.wait_for_stored(1);
    for _ in 0..6 {
        let before = link.connections();
        link.cut();
        wait_until("it comes back", LONG, || link.connections() > before);
    }
    send(&broker, &[alert("box-1", 1, 2)]);
    post.wait_for_stored(2);
    assert!(!post.log().contains("another client"), "{}", post.log());
}
