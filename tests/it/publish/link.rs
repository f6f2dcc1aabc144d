//! Alerts over links that are slow, far, cut, silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::alert::AlertDraft;
use base::event::Phase;
use wardlink::Settings;

use super::post::of_post;
use super::{LONG, Sender};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::post::{Memory, StandInPost};
use crate::support::proxy::{Proxy, Weather};
use crate::support::sample::{closed, opened};
use crate::support::wait_until;

#[test]
fn a_new_alert_overtakes_the_backlog() {
    const BACKLOG: u64 = 150;
    let broker = TestBroker::start(&BrokerOptions::default());
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    // 3 Mbit/s: the backlog takes about 13 s.
    let weather =
        Weather { bytes_per_second: Some(400_000), delay: Duration::from_millis(40), ..Weather::default() };
    let proxy = Proxy::start(1, weather);
    let sender = Sender::start(of_post(proxy.port));
    (0..BACKLOG).for_each(|number| drop(sender.put(number)));
    proxy.set_target(broker.port);
    wait_until("the backlog flows", LONG, || post.memory.stored().len() > 30);
    let put = Instant::now();
    let seq = sender.put(1000).seq;
    wait_until("the new one is there", LONG, || post.memory.stored().contains(&seq));
    let (took, before) = (put.elapsed(), post.memory.stored().len());
    eprintln!("a new alert took {took:?} while a backlog drained; {before} of {} were there", BACKLOG + 1);
    assert!(before < BACKLOG as usize * 2 / 3 && took < Duration::from_secs(4), "{before}, {took:?}");
    wait_until("the outbox is empty", 2 * LONG, || sender.depth() == 0);
    let seqs: Vec<u64> =
        post.memory.arrivals().iter().map(|arrival| arrival.seq).filter(|one| *one != seq).collect();
    assert!(seqs.is_sorted(), "oldest first: {seqs:?}");
}

#[test]
fn a_connection_that_is_dead_is_noticed_within_the_keep_alive() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let keep_alive = Duration::from_secs(2);
    for with_alert in [false, true] {
        let proxy = Proxy::start(broker.port, Weather::default());
        let sender = Sender::start(Settings { keep_alive, ..of_post(proxy.port) });
        sender.wait_for_connection();
        proxy.set(Weather { is_stalled: true, ..Weather::default() });
        if with_alert {
            sender.put(0);
        }
        // A ping, and as long for its answer.
        wait_until("it is noticed", keep_alive * 2 + Duration::from_secs(2), || !sender.state().connected);
    }
}

#[test]
fn a_link_that_breaks_under_every_picture_still_tells_of_everything() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    let proxy = Proxy::start(broker.port, Weather { cut_after: Some(20_000), ..Weather::default() });
    let sender = Sender::start(of_post(proxy.port));
    let drafts: Vec<_> = (0..6).map(|number| opened("gate", Duration::from_secs(number))).collect();
    for draft in &drafts {
        sender.store.put_alert(draft.clone()).unwrap();
        let closing = AlertDraft { thumbnail: None, ..closed(draft, Duration::from_secs(60)) };
        sender.store.put_alert(closing).unwrap();
    }
    sender.publisher.wake();
    wait_until("all is told of", 3 * LONG, || {
        let arrivals = post.memory.arrivals();
        let is_told = |phase| {
            arrivals
                .iter()
                .filter(|arrival| arrival.phase == phase)
                .map(|arrival| arrival.id)
                .collect::<std::collections::HashSet<_>>()
                .len()
        };
        is_told(Phase::Opened) == 6 && post.memory.stored().len() == 6
    });
    assert_eq!(
        post.memory.stored().into_iter().collect::<Vec<_>>(),
        [2, 4, 6, 8, 10, 12],
        "closing messages are small"
    );
    wait_until("with its picture, an alert waits for a better link", LONG, || sender.depth() == 6);
    eprintln!("{} connections", proxy.connections());

    proxy.set(Weather::default());
    wait_until("the outbox is empty", 3 * LONG, || sender.depth() == 0);
    assert_eq!(post.memory.stored().len(), 12);
}
