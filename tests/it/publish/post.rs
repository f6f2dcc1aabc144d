//! With a post that acknowledges: an alert leaves the outbox once the post has confirmed it, and not before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::ack::Ack;
use base::alert::Alert;
use base::ids::OutboxId;
use wardlink::{Acknowledge, Settings};

use super::{ALERT, LONG, Sender, alerts, settings};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::post::{Memory, StandInPost};
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait_until;

/// Settings of a box that waits for the post's acknowledgement.
pub fn of_post(port: u16) -> Settings {
    Settings { acknowledge: Acknowledge::Post, ..settings(port) }
}

fn all(count: u64) -> BTreeSet<u64> {
    (1..=count).collect()
}

#[test]
fn an_alert_waits_until_the_post_has_it() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let memory = Arc::new(Memory::default());
    // The post's session stands, and it is away.
    drop(StandInPost::start(broker.inside_port, &memory));
    let sender = Sender::start(of_post(broker.port));
    let outbox = sender.store.outbox_id().unwrap();
    assert_ne!(outbox, OutboxId::default());
    let put: Vec<Alert> = (0..5).map(|number| sender.put(number)).collect();
    assert!(put.iter().all(|alert| alert.outbox == outbox));
    wait_until("the broker has them", LONG, || sender.state().published == 5);
    assert_eq!(sender.depth(), 5);

    let post = StandInPost::start(broker.inside_port, &memory);
    wait_until("the outbox is empty", LONG, || sender.depth() == 0);
    assert_eq!(post.memory.stored(), all(5));
    assert!(post.memory.arrivals().iter().all(|arrival| arrival.has_thumbnail), "alerts of 33 KiB");
}

/// Kills the broker while alerts flow; it comes back without the alerts that it had acknowledged.
fn kill_broker(forgets: bool) {
    const COUNT: u64 = 200;
    let mut broker = TestBroker::start(&BrokerOptions { forgets, ..BrokerOptions::default() });
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    if !forgets {
        broker.save();
    }
    let sender = Sender::start(of_post(broker.port));
    let (mut published, mut stored) = (0, 0);
    std::thread::scope(|scope| {
        let producer = scope.spawn(|| (0..COUNT).for_each(|number| drop(sender.put(number))));
        for part in [50, 120] {
            wait_until("a part is published", LONG, || sender.state().published >= part);
            // Messages on their way to the post go with the broker.
            broker.stall();
            (published, stored) = (sender.state().published, post.memory.stored().len());
            broker.kill();
            broker.run();
        }
        producer.join().unwrap();
    });
    wait_until("the outbox is empty", 2 * LONG, || sender.depth() == 0);
    assert_eq!(post.memory.stored(), all(COUNT));
    let arrivals = post.memory.arrivals().len();
    eprintln!(
        "forgets: {forgets}; at the second kill the broker had acknowledged {published} and delivered {stored}; {arrivals} arrivals of {COUNT}"
    );
    assert!(arrivals < 3 * COUNT as usize, "{arrivals} arrivals");
}

#[test]
fn what_a_killed_broker_loses_is_sent_again() {
    kill_broker(false);
}

#[test]
fn what_a_killed_broker_without_persistence_loses_is_sent_again() {
    kill_broker(true);
}

#[test]
fn a_post_that_is_away_does_not_have_the_backlog_sent_again_and_again() {
    const COUNT: u64 = 400;
    let broker = TestBroker::start(&BrokerOptions::default());
    let memory = Arc::new(Memory::default());
    drop(StandInPost::start(broker.inside_port, &memory));
    let proxy = Proxy::start(1, Weather::default());
    let sender = Sender::start(of_post(proxy.port));
    (0..COUNT).for_each(|number| drop(sender.put(number)));
    proxy.set_target(broker.port);
    wait_until("the broker has what it may have", LONG, || sender.state().published >= 256);
    let mut before = proxy.bytes_from_box();
    for round in 0..3 {
        proxy.cut();
        wait_until("it is noticed", LONG, || !sender.state().connected);
        wait_until("it stands again", LONG, || sender.state().connected);
        // A new alert goes all the same, behind the messages that a new connection sends first.
        let published = sender.state().published;
        sender.put(1000 + round);
        wait_until("the new one is there", LONG, || sender.state().published > published);
        let sent = proxy.bytes_from_box() - before;
        // Some of 400: the number of those due again grows with the wait before the connection.
        assert!(sent < 16 * 40_000, "{sent} bytes on connection {round}");
        before = proxy.bytes_from_box();
    }
    assert_eq!(sender.depth(), COUNT + 3);

    let post = StandInPost::start(broker.inside_port, &memory);
    wait_until("the outbox is empty", 2 * LONG, || sender.depth() == 0);
    assert_eq!(post.memory.stored(), all(COUNT + 3));
    let arrivals = post.memory.arrivals().len();
    assert!(arrivals < COUNT as usize + 300, "{arrivals} arrivals");
}

#[test]
fn what_makes_no_sense_or_is_for_another_ends_nothing() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let sender = Sender::start(of_post(broker.port));
    let (id, box_id) = (sender.store.outbox_id().unwrap(), "box-1".parse().unwrap());
    let subscriber = broker.subscriber(ALERT);
    (0..4).for_each(|number| drop(sender.put(number)));
    wait_until("the broker has them", LONG, || sender.state().published == 4);
    let good = Ack::of(box_id, id, [(1, 3)]);
    let wrong = [
        Ack { outbox: OutboxId::random(), ..good.clone() },
        Ack { box_id: "box-2".parse().unwrap(), ..good.clone() },
        Ack { schema: "wardwatch.ack/2".into(), ..good.clone() },
        Ack { highest: 4, ..good.clone() },
    ];
    let topic = "wardwatch/v1/ben-nghe/box-1/ack";
    broker.publish(topic, b"{}");
    for ack in &wrong {
        broker.publish(topic, &serde_json::to_vec(ack).unwrap());
    }
    // One connection, one order: once this one counts, the others have been read.
    broker.publish(topic, &serde_json::to_vec(&Ack::of(good.box_id.clone(), id, [(2, 2)])).unwrap());
    wait_until("the good one counts", LONG, || sender.depth() == 3);
    // It said that the first one is missing; the two others may be on their way.
    wait_until("the missing one comes again", LONG, || alerts(&subscriber).len() >= 5);
    assert_eq!(alerts(&subscriber).iter().skip(4).map(|alert| alert.seq).collect::<Vec<_>>(), [1]);
    broker.publish(topic, &serde_json::to_vec(&good).unwrap());
    wait_until("runs count", LONG, || sender.depth() == 1);
    assert_eq!(sender.store.outbox(0, 9).unwrap()[0].seq, 4);
}

#[test]
fn a_retained_acknowledgement_counts_at_the_next_start() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    let proxy = Proxy::start(broker.port, Weather::default());
    let sender = Sender::start(of_post(proxy.port));
    sender.wait_for_connection();
    // The alert gets through, and the post's acknowledgement does not come back.
    proxy.set(Weather { is_deaf: true, ..Weather::default() });
    sender.put(0);
    wait_until("the post has it", LONG, || post.memory.stored() == all(1));
    assert_eq!(sender.depth(), 1);
    proxy.set(Weather::default());
    proxy.cut();
    wait_until("the outbox is empty", Duration::from_secs(20), || sender.depth() == 0);
}

#[test]
fn what_a_broker_took_for_a_post_that_it_had_forgotten_comes_again_soon_after_the_post() {
    let mut broker = TestBroker::start(&BrokerOptions { forgets: true, ..BrokerOptions::default() });
    let memory = Arc::new(Memory::default());
    let post = StandInPost::start(broker.inside_port, &memory);
    let sender = Sender::start(of_post(broker.port));
    sender.put(0);
    wait_until("the first one is done with", LONG, || sender.depth() == 0);
    drop(post);
    broker.kill();
    broker.run();
    sender.put(1);
    wait_until("the broker has the second one", LONG, || sender.state().published == 2);
    // No post is subscribed: the alert is lost. Nothing newer follows by which the post could know.
    let _post = StandInPost::start(broker.inside_port, &memory);
    let back = Instant::now();
    wait_until("the second one is done with", LONG, || sender.depth() == 0);
    assert!(back.elapsed() < Duration::from_secs(12), "{:?}", back.elapsed());
}

#[test]
fn a_box_that_stops_waits_for_the_word_of_a_post_that_is_there() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let memory = Arc::new(Memory::default());
    let post = StandInPost::start(broker.inside_port, &memory);
    let grace = Duration::from_secs(8);
    let sender = Sender::start(of_post(broker.port));
    sender.put(0);
    wait_until("all stands", LONG, || sender.depth() == 0);
    // More than may be in flight at once.
    (1..40).for_each(|number| drop(sender.put(number)));
    let (store, stopped) = (sender.store.clone(), Instant::now());
    sender.publisher.stop(grace);
    assert!(stopped.elapsed() < grace / 2, "{:?}", stopped.elapsed());
    wait_until("the store has taken the post's word", grace / 2, || store.outbox_depth().unwrap().0 == 0);
    assert_eq!(post.memory.arrivals().len(), 40);

    // The box waits for a post that is away, but leaves time to say good-bye.
    drop(post);
    let status = broker.subscriber("wardwatch/v1/ben-nghe/box-1/status");
    let sender = Sender::start(of_post(broker.port));
    sender.wait_for_connection();
    sender.put(0);
    wait_until("the broker has it", LONG, || sender.state().published == 1);
    // A quarter of it is for the good-bye, which an emulated processor needs.
    let stopped = Instant::now();
    sender.publisher.stop(grace);
    assert!((grace / 2..grace).contains(&stopped.elapsed()), "{:?}", stopped.elapsed());
    let is_gone =
        || status.messages().iter().any(|one| String::from_utf8_lossy(&one.payload).contains("offline"));
    wait_until("it has said that it goes", LONG, is_gone);
    wait_until("and goes not by its will", LONG, || broker.goodbyes("box-1") == 2);
}
