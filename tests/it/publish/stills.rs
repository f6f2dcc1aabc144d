//! Stills leave after alerts, and only while no alert waits.

use std::sync::Arc;

use base::alert::Thumbnail;
use base::ids::AlertId;
use base::still::{Still, StillDraft, StillKind};
use base::time::WallTime;
use wardlink::Settings;

use super::post::of_post;
use super::{ALERT, LONG, Sender, settings};
use crate::support::broker::{BrokerOptions, Subscriber, TestBroker};
use crate::support::post::{Memory, StandInPost};
use crate::support::wait_until;

const STILL: &str = "wardwatch/v1/ben-nghe/box-1/still";

/// The three stills of an alert, each of 20 KiB.
fn put_stills(sender: &Sender, alert: AlertId) -> Vec<StillDraft> {
    let still = |kind: StillKind| StillDraft {
        alert,
        kind,
        taken_at: WallTime::from_micros(1_777_673_643_120_000),
        jpeg: Thumbnail(vec![kind as u8; 20 * 1024]),
    };
    let stills = StillKind::ALL.map(still).to_vec();
    assert_eq!(sender.store.put_stills(stills.clone()).unwrap(), 0);
    sender.publisher.wake_for_stills();
    stills
}

fn waiting(sender: &Sender) -> u64 {
    sender.store.stills_depth().unwrap().0
}

/// The stills that came.
fn heard(subscriber: &Subscriber) -> Vec<Still> {
    let messages = subscriber.messages().into_iter().filter(|message| message.topic == STILL);
    messages.map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
}

#[test]
fn stills_follow_all_alerts_when_the_broker_is_back() {
    let mut broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/ben-nghe/box-1/#");
    let sender = Sender::start(settings(broker.port));
    sender.wait_for_connection();
    // With the subscriber's session.
    broker.save();
    broker.kill();
    let mut put = Vec::new();
    for number in 0..4 {
        let alert = sender.put(number);
        put.extend(put_stills(&sender, alert.id));
    }
    assert_eq!(waiting(&sender), 12);
    broker.run();
    wait_until("all are sent", 2 * LONG, || waiting(&sender) == 0);
    assert_eq!((sender.depth(), sender.state().stills_published), (0, 12));
    wait_until("all have come", LONG, || heard(&subscriber).len() >= 12);
    let topics: Vec<String> = subscriber.messages().into_iter().map(|message| message.topic).collect();
    let first_still = topics.iter().position(|topic| topic == STILL).unwrap();
    let last_alert = topics.iter().rposition(|topic| topic == ALERT).unwrap();
    assert!(last_alert < first_still, "{topics:?}");
    let (ward, box_id) = ("ben-nghe".parse().unwrap(), "box-1".parse().unwrap());
    let as_sent = |still: StillDraft| still.into_still(Clone::clone(&ward), Clone::clone(&box_id));
    assert_eq!(heard(&subscriber), put.into_iter().map(as_sent).collect::<Vec<Still>>());
}

#[test]
fn stills_wait_while_the_post_has_not_confirmed_an_alert() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let memory = Arc::new(Memory::default());
    // The post's session stands, and it is away.
    drop(StandInPost::start(broker.inside_port, &memory));
    let subscriber = broker.subscriber(STILL);
    let sender = Sender::start(of_post(broker.port));
    let alert = sender.put(0);
    wait_until("the broker has it", LONG, || sender.state().published == 1);
    put_stills(&sender, alert.id);
    // What the box does with the next alert, it could have done with a still.
    sender.put(1);
    wait_until("the broker has the next one", LONG, || sender.state().published == 2);
    assert_eq!((waiting(&sender), heard(&subscriber).len()), (3, 0));

    let _post = StandInPost::start(broker.inside_port, &memory);
    wait_until("all is sent", 2 * LONG, || waiting(&sender) == 0);
    assert_eq!(sender.depth(), 0);
    wait_until("the stills have come", LONG, || heard(&subscriber).len() == 3);
}

#[test]
fn no_still_leaves_where_that_is_not_wanted() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber(STILL);
    let sender = Sender::start(Settings { stills: false, ..settings(broker.port) });
    let first = sender.put(0);
    put_stills(&sender, first.id);
    sender.put(1);
    wait_until("the alerts are sent", LONG, || sender.depth() == 0);
    assert_eq!((waiting(&sender), sender.state().stills_published, heard(&subscriber).len()), (3, 0, 0));
}
