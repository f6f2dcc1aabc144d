//! A broker that is away for a week, and a slow link that loses packets.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::alert::AlertDraft;
use base::event::Severity;
use clipstore::{Settings, Store};
use tempfile::TempDir;
use wardlink::Publisher;

use super::{figure, rounds};
use crate::publish::post::of_post;
use crate::publish::{LONG, Sender, Telling};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::post::{Memory, StandInPost};
use crate::support::proxy::{Proxy, Weather};
use crate::support::sample::{START, closed, opened};
use crate::support::{ToldClock, wait_until};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Bytes of the index with its log.
fn index_bytes(directory: &Path) -> u64 {
    let parts = ["index.sqlite", "index.sqlite-wal"].map(|part| fs::metadata(directory.join(part)));
    parts.into_iter().flatten().map(|metadata| metadata.len()).sum()
}

/// Seven days without a broker, then a broker and a post: every message arrives, and the disk was bounded all the time.
#[test]
fn a_week_without_a_broker_costs_pictures_only() {
    const SCENARIO: &str = "7 days without a broker";
    let count = u64::from(rounds(2_000, 100_000));
    let pictures = (if count > 10_000 { 256 } else { 16 }) << 20;
    let place = TempDir::new().unwrap();
    let clock = ToldClock::new(START);
    let settings = Settings { outbox_bytes_max: pictures, ..crate::store::settings(place.path()) };
    let store = Store::open(settings, Arc::new(clock.clone())).unwrap();
    let turns = [Severity::Notice, Severity::Warning, Severity::Notice, Severity::Critical];
    let (mut largest, begun) = (0, Instant::now());
    for number in 0..count / 2 {
        let after = WEEK.mul_f64(number as f64 / (count / 2) as f64);
        clock.set(START + after);
        let mut draft = opened("gate", after);
        draft.event.severity = turns[number as usize % 4];
        store.put_alert(draft.clone()).unwrap();
        let closing = closed(&draft, after + Duration::from_secs(20));
        store.put_alert(AlertDraft { thumbnail: None, ..closing }).unwrap();
        largest = largest.max(index_bytes(place.path()));
    }
    figure(SCENARIO, "alerts kept a second", format!("{:.0}", count as f64 / begun.elapsed().as_secs_f64()));
    let status = store.outbox_status().unwrap();
    assert_eq!(store.outbox_depth().unwrap().0, count);
    // Metadata, which is never deleted, and SQLite's own overhead.
    let metadata = count * 1400;
    figure(SCENARIO, "index at most", format!("{:.0} MB", largest as f64 / 1e6));
    figure(SCENARIO, "pictures given up", format!("{} of {}", status.thumbnails_shed, count / 2));
    assert!(largest < pictures * 5 / 4 + metadata + (24 << 20), "{largest} bytes");
    assert!(status.thumbnails_shed > 0);
    let critical = store.outbox(0, usize::MAX).unwrap();
    let bare =
        critical.iter().filter(|alert| alert.severity == Severity::Critical && alert.thumbnail.is_none());
    figure(
        SCENARIO,
        "critical alerts that lost theirs",
        bare.filter(|alert| alert.closed_at.is_none()).count(),
    );

    let broker = TestBroker::start(&BrokerOptions::default());
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    let (begun, patience) = (Instant::now(), Duration::from_secs(60) + Duration::from_millis(count * 20));
    let outbox = Arc::new(store.clone());
    let publisher = Publisher::start(of_post(broker.port), outbox, Arc::new(Telling::default())).unwrap();
    wait_until("the outbox is empty", patience, || store.outbox_depth().unwrap().0 == 0);
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let stored = post.memory.stored();
    figure(SCENARIO, "lost messages", count - stored.len() as u64);
    figure(SCENARIO, "alerts drained a second", format!("{rate:.0}"));
    figure(
        SCENARIO,
        "arrivals per message",
        format!("{:.3}", post.memory.arrivals().len() as f64 / count as f64),
    );
    assert_eq!(stored, (1..=count).collect::<BTreeSet<_>>());
    assert!(rate > 50.0, "{rate} alerts a second");
    publisher.stop(LONG);
}

/// 64 kbit/s, 600 ms there and back, a tenth of all packets lost, and a backlog to be sent as well.
#[test]
fn a_new_alert_is_known_within_ten_seconds_on_64_kbit() {
    const SCENARIO: &str = "64 kbit/s, 600 ms, 10 % loss, with a backlog";
    let broker = TestBroker::start(&BrokerOptions::default());
    let post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    let weather = Weather {
        bytes_per_second: Some(8000),
        delay: Duration::from_millis(300),
        loss_percent: 10,
        ..Weather::default()
    };
    let proxy = Proxy::start(1, weather);
    let sender = Sender::start(of_post(proxy.port));
    (0..30).for_each(|number| drop(sender.put(number)));
    proxy.set_target(broker.port);
    wait_until("the backlog flows", 2 * LONG, || post.memory.stored().len() >= 2);
    let mut took = Vec::new();
    for number in 0..u64::from(rounds(4, 40)) {
        let put = Instant::now();
        let id = sender.put(1000 + number).id;
        wait_until("it is told of", 2 * LONG, || {
            post.memory.arrivals().iter().any(|arrival| arrival.id == id)
        });
        took.push(put.elapsed());
        // Each alert meets the backlog at another moment.
        let pause = Instant::now() + Duration::from_millis(1500 + 700 * (number % 5));
        wait_until("a moment has passed", LONG, || Instant::now() > pause);
    }
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize].as_secs_f64();
    figure(
        SCENARIO,
        "new alert at the post",
        format!("p50 {:.1} s, p95 {:.1} s of {}", at(0.5), at(0.95), took.len()),
    );
    assert!(at(0.95) < 10.0, "{took:?}");
    let arrivals = post.memory.arrivals();
    assert!(arrivals.iter().any(|arrival| arrival.has_thumbnail && arrival.seq > 30), "pictures follow");
}
