//! Identity of a box at its broker: two boxes of one id, a copied card, a second client, and a broker that is restarted.

use base::alert::Alert;
use wardlink::{Settings, try_connection};

use super::post::of_post;
use super::{LONG, Sender, settings};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait_until;

#[test]
fn boxes_of_one_id_in_two_wards_stay_connected() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let sender = |ward: &str| Sender::start(Settings { ward: ward.parse().unwrap(), ..of_post(broker.port) });
    let senders = ["ben-nghe", "da-kao", "tan-dinh"].map(sender);
    senders.iter().for_each(Sender::wait_for_connection);
    senders.iter().for_each(|sender| drop(sender.put(0)));
    wait_until("all alerts are out", LONG, || senders.iter().all(|sender| sender.state().published == 1));
    assert_eq!(broker.takeovers(), 0);
    assert!(senders.iter().all(|sender| sender.state().warnings.is_empty()));
}

#[test]
fn a_box_that_was_moved_delivers_its_backlog_under_its_present_ward() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/da-kao/box-1/alert");
    let sender = Sender::start(Settings { ward: "da-kao".parse().unwrap(), ..settings(broker.port) });
    let stored = sender.put(0);
    assert_eq!(stored.ward.as_str(), "ben-nghe");
    wait_until("it is out", LONG, || sender.state().published == 1 && !subscriber.messages().is_empty());
    let sent: Alert = serde_json::from_slice(&subscriber.messages()[0].payload).unwrap();
    assert_eq!((sent.ward.as_str(), sent.box_id.as_str()), ("da-kao", "box-1"));
    assert_eq!(sent.former.map(|former| former.ward), Some(stored.ward));
}

/// Both copies wait for the post's acknowledgement, and then have alerts to send.
#[test]
fn a_copied_box_is_named_and_the_two_do_not_fight() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let copies = [Sender::start(of_post(broker.port)), Sender::start(of_post(broker.port))];
    let named =
        |sender: &Sender| sender.state().warnings.iter().any(|one| one.contains("another client uses"));
    wait_until("both name it", 2 * LONG, || copies.iter().all(named));
    let warnings = copies.iter().flat_map(|sender| sender.state().warnings).collect::<Vec<_>>().join(" ");
    assert!(warnings.contains("ben-nghe_box-1") && warnings.contains("box.id"), "{warnings}");
    let before = broker.takeovers();
    copies.iter().for_each(|sender| drop(sender.put(0)));
    wait_until("the alerts of both leave", 2 * LONG, || {
        copies.iter().all(|sender| sender.state().published >= 1)
    });
    assert!(broker.takeovers() <= before + 8, "{} and {before}", broker.takeovers());
}

#[test]
fn who_sets_a_box_up_is_told_of_another_client() {
    let broker = TestBroker::start(&BrokerOptions::default());
    try_connection(&settings(broker.port)).unwrap();
    let sender = Sender::start(settings(broker.port));
    sender.wait_for_connection();
    let error = try_connection(&settings(broker.port)).unwrap_err().to_string();
    assert!(error.contains("another client uses this box's client id \"ben-nghe_box-1\""), "{error}");
}

#[test]
fn a_broker_that_is_restarted_is_no_other_client() {
    let mut broker = TestBroker::start(&BrokerOptions::default());
    let sender = Sender::start(of_post(broker.port));
    sender.wait_for_connection();
    for _ in 0..4 {
        broker.kill();
        wait_until("it is noticed", LONG, || !sender.state().connected);
        wait_until("it is tried in vain", LONG, || {
            sender.state().last_error.is_some_and(|error| error.contains("refused"))
        });
        broker.run();
        wait_until("it is back", LONG, || sender.state().connected);
    }
    assert!(sender.state().warnings.is_empty(), "{:?}", sender.state().warnings);
}

/// A link that is cut, and a broker that is back before it is missed, end connections as another client does.
#[test]
fn a_link_that_breaks_is_no_other_client() {
    let mut broker = TestBroker::start(&BrokerOptions::default());
    let link = Proxy::start(broker.port, Weather::default());
    let sender = Sender::start(of_post(link.port));
    for round in 0..7 {
        let before = link.connections();
        wait_until("it is connected", LONG, || sender.state().connected && link.connections() > 0);
        if round % 3 == 2 {
            broker.kill();
            broker.run();
        } else {
            link.cut();
        }
        wait_until("it comes back", LONG, || link.connections() > before);
    }
    let state = sender.state();
    let said = [state.warnings, state.last_error.into_iter().collect()].concat().join(" ");
    assert!(!said.contains("another client"), "{said}");
    sender.put(0);
    wait_until("an alert leaves without a long wait", LONG, || sender.state().published == 1);
}

/// The last run's status lies at the broker.
#[test]
fn a_box_that_is_restarted_is_no_other_client() {
    let broker = TestBroker::start(&BrokerOptions::default());
    for _ in 0..5 {
        let sender = Sender::start(of_post(broker.port));
        sender.wait_for_connection();
    }
    let link = Proxy::start(broker.port, Weather::default());
    let sender = Sender::start(of_post(link.port));
    for _ in 0..4 {
        let before = link.connections();
        wait_until("it is connected", LONG, || sender.state().connected && link.connections() > 0);
        link.cut();
        wait_until("it comes back", LONG, || link.connections() > before);
    }
    assert!(sender.state().warnings.iter().all(|one| !one.contains("another client")));
}
