//! Messages that are too large: for the broker on their way out, for the box on their way in.

use std::sync::Arc;
use std::time::Duration;

use base::alert::Alert;
use serde_json::json;

use super::post::of_post;
use super::{ALERT, LONG, Sender, alerts};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::post::{Memory, StandInPost};
use crate::support::sample::opened;
use crate::support::wait_until;

const ACK: &str = "wardwatch/v1/ben-nghe/box-1/ack";

/// Asserts that all alerts come, those above the limit without their picture and with the reason.
fn limited(more: &'static str, word: &str) {
    let broker = TestBroker::start(&BrokerOptions { more, ..BrokerOptions::default() });
    let subscriber = broker.subscriber(ALERT);
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    let sender = Sender::start(of_post(broker.port));
    sender.wait_for_connection();
    (0..3).for_each(|number| drop(sender.put(number)));
    wait_until("the post has all", 4 * LONG, || post.memory.stored().len() == 3);
    wait_until("the outbox is empty", 2 * LONG, || sender.depth() == 0);
    let withheld = |alert: &Alert| alert.thumbnail_withheld.is_some() && alert.thumbnail.is_none();
    let numbered: Vec<Alert> = alerts(&subscriber).into_iter().filter(|alert| alert.seq > 0).collect();
    assert!(numbered.len() >= 3 && numbered.iter().all(withheld), "{numbered:?}");
    let warnings = sender.state().warnings;
    assert!(warnings.iter().any(|warning| warning.contains(word)), "{warnings:?}");
    // The next one is known to be too large.
    let before = broker.connections();
    sender.put(10);
    wait_until("the post has it", 3 * LONG, || post.memory.stored().len() == 4);
    assert!(broker.connections() <= before + 1, "it is not tried again");
}

#[test]
fn a_broker_that_takes_20_kilobytes_gets_alerts_without_their_pictures() {
    limited("max_packet_size 20000", "max_packet_size");
}

#[test]
fn a_broker_that_takes_4_kilobytes_gets_them_too() {
    limited("max_packet_size 4000", "max_packet_size");
}

#[test]
fn a_limit_just_below_an_alert_is_found() {
    limited("max_packet_size 32000", "max_packet_size");
}

/// Asserts that alerts with up to ten subjects all come, in forms that fit into `limit` bytes, and that a new one costs nothing.
fn fitted(more: &'static str, word: &str, limit: usize) {
    let broker = TestBroker::start(&BrokerOptions { more, ..BrokerOptions::default() });
    let subscriber = broker.subscriber(ALERT);
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    let sender = Sender::start(of_post(broker.port));
    sender.wait_for_connection();
    let path: Vec<[f32; 2]> = (0..32_u8).map(|at| [0.013 * f32::from(at), 0.017 * f32::from(at)]).collect();
    let subject =
        json!({"track": 1, "label": "person", "score": 0.5, "box": [0.1, 0.1, 0.2, 0.2], "path": path});
    let put = |number: u64, subjects: usize| {
        let mut draft = opened("gate", Duration::from_secs(number));
        draft.event.subjects = vec![serde_json::from_value(subject.clone()).unwrap(); subjects];
        draft.event.count = 20;
        sender.store.put_alert(draft).unwrap();
        sender.publisher.wake();
    };
    [5, 10, 4, 9, 3, 8].into_iter().zip(0..).for_each(|(subjects, number)| put(number, subjects));
    wait_until("the post has all", 6 * LONG, || post.memory.stored().len() == 6);
    wait_until("the outbox is empty", 2 * LONG, || sender.depth() == 0);
    for alert in alerts(&subscriber) {
        assert!(serde_json::to_vec(&alert).unwrap().len() <= limit, "{alert:?}");
        assert!(alert.count == 20 && !alert.why.is_empty());
        assert!(alert.seq == 0 || alert.thumbnail_withheld.is_some());
        assert!(
            alert.details_withheld.is_some() || alert.subjects.iter().all(|subject| subject.path.len() == 32)
        );
    }
    let warnings = sender.state().warnings;
    assert!(warnings.iter().any(|warning| warning.contains(word)), "{warnings:?}");
    let before = broker.connections();
    put(10, 6);
    wait_until("the post has the next one", LONG, || post.memory.stored().len() == 7);
    assert!(broker.connections() <= before + 1, "what is too large is not tried again");
}

#[test]
fn a_broker_that_takes_5_kilobytes_gets_all_alerts_in_a_form_that_fits() {
    fitted("max_packet_size 5000", "max_packet_size", 5000);
}

#[test]
fn a_broker_that_takes_2_kilobytes_gets_all_alerts_in_a_form_that_fits() {
    fitted("max_packet_size 2000", "max_packet_size", 2000);
}

#[test]
fn a_broker_that_swallows_what_has_3_kilobytes_is_recognised() {
    fitted("message_size_limit 3000", "message_size_limit", 3000);
}

#[test]
fn a_broker_that_swallows_what_has_900_bytes_is_recognised() {
    fitted("message_size_limit 900", "message_size_limit", 900);
}

/// Puts a message of this size on the box's own topic; alerts go and are acknowledged all the same.
fn in_the_way(bytes: usize) {
    let broker = TestBroker::start(&BrokerOptions::default());
    broker.publish(ACK, &vec![b'x'; bytes]);
    let before = broker.connections();
    let sender = Sender::start(of_post(broker.port));
    sender.wait_for_connection();
    wait_until("it is said", LONG, || {
        sender.state().warnings.iter().any(|one| one.contains("mosquitto_pub -r -n"))
    });
    sender.put(0);
    wait_until("it is out", LONG, || sender.state().published == 1);
    assert_eq!(broker.connections(), before + 1, "it costs no connection");
    // The box's own post replaces the message there.
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    sender.put(1);
    wait_until("the post's word is taken", 3 * LONG, || sender.depth() == 0);
    assert!(post.memory.stored().len() == 2 && sender.state().connected);
}

#[test]
fn a_message_of_300_kilobytes_on_the_boxs_topic_is_skipped() {
    in_the_way(300 * 1024);
}

#[test]
fn a_message_of_3_megabytes_on_the_boxs_topic_is_skipped() {
    in_the_way(3 * 1024 * 1024);
}

#[test]
fn a_message_of_15_megabytes_on_the_boxs_topic_is_skipped() {
    in_the_way(15 * 1024 * 1024);
}

/// More than the box has memory for: it does not ask for it again.
#[test]
fn a_message_that_no_box_reads_costs_one_connection() {
    let broker = TestBroker::start(&BrokerOptions::default());
    broker.publish(ACK, &vec![b'x'; 20 * 1024 * 1024]);
    let before = broker.connections();
    let sender = Sender::start(of_post(broker.port));
    wait_until("it is said", LONG, || !sender.state().warnings.is_empty());
    wait_until("it is connected without it", LONG, || sender.state().connected);
    sender.put(0);
    wait_until("it is out", LONG, || sender.state().published == 1);
    assert_eq!(broker.connections(), before + 2, "the one that it cost, and the next");
}
