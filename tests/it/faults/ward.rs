//! A ward: boxes, a broker and a post, all of them real, and everything that can happen to them.
//!
//! Each box is a process with a store and a publisher; its link leads through a proxy to Mosquitto; `wardpost serve`
//! with its database hangs behind a relay that knows MQTT. Faults come at random moments from a seed that is printed;
//! `WARDWATCH_SEED` repeats one. Then everything is left alone until all outboxes are empty, and [`judge`] compares.

pub mod boxes;
pub mod judge;
mod schedule;
mod tail;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use wardpost::Storage;

use super::{figure, rounds};
use crate::post::station::{ACKS, Station, last_ack};
use crate::support::broker::{BrokerOptions, Subscriber, TestBroker};
use crate::support::proxy::{Proxy, Weather};
use crate::support::relay::{Mischief, Relay};
use crate::support::wait_until;
use boxes::{BoxProcess, Orders};
use judge::Verdict;
use schedule::{Fault, Kind, draw};
use tail::{Happened, Tail};

const SCENARIO: &str = "boxes, broker and post under faults";
const THIN: Weather = Weather {
    bytes_per_second: Some(16_000),
    delay: Duration::from_millis(150),
    loss_percent: 10,
    cut_after: None,
    is_stalled: false,
    is_deaf: false,
};

/// All processes and links of the ward.
struct Ward {
    broker: TestBroker,
    relay: Relay,
    station: Station,
    subscriber: Subscriber,
    boxes: Vec<(BoxProcess, Proxy)>,
    /// Number of acknowledgements that were compared with the database of a post that had just been killed.
    acks_checked: usize,
    _place: TempDir,
}

impl Ward {
    fn start(boxes: usize, every_ms: u64) -> Self {
        let place = TempDir::new().unwrap();
        let broker = TestBroker::start(&BrokerOptions::default());
        let subscriber = broker.subscriber(ACKS);
        let relay = Relay::start(broker.inside_port);
        let config = place.path().join("wardpost.toml");
        let url = format!("mqtt://127.0.0.1:{}", relay.port);
        std::fs::write(&config, format!("[broker]\nurl = \"{url}\"\nkeep_alive_seconds = 3\n")).unwrap();
        let with = ["--config", config.to_str().unwrap(), "--broker", &url];
        let station = Station::start(&broker, &with);
        broker.save();
        let one = |number: usize| {
            let proxy = Proxy::start(broker.port, Weather::default());
            let orders = Orders {
                box_id: format!("box-{number}"),
                host: "127.0.0.1".to_owned(),
                port: proxy.port,
                keep_alive_seconds: 3,
                every_ms,
                still_bytes: 0,
                directory: place.path().join(format!("box-{number}")),
                within: Vec::new(),
            };
            (BoxProcess::start(orders), proxy)
        };
        let boxes = (1..=boxes).map(one).collect();
        Self { broker, relay, station, subscriber, boxes, acks_checked: 0, _place: place }
    }

    fn begin(&mut self, fault: &Fault, random: &mut StdRng) {
        let (one, proxy) = &mut self.boxes[fault.which];
        match fault.kind {
            Kind::BrokerKilled => {
                // Half of the kills come right after a write to its disk, the others long after it.
                if random.random_bool(0.5) {
                    self.broker.save();
                }
                self.broker.kill();
            }
            Kind::BrokerKilledAndForgets => {
                self.broker.kill();
                self.broker.forget();
            }
            Kind::BrokerStalled => self.broker.stall(),
            Kind::LinkCut => proxy.cut(),
            Kind::LinkStalled => proxy.set(Weather { is_stalled: true, ..Weather::default() }),
            Kind::LinkThin => proxy.set(THIN),
            Kind::LinkDeaf => proxy.set(Weather { is_deaf: true, ..Weather::default() }),
            Kind::BoxKilled => one.kill(),
            Kind::PostKilled => {
                self.station.kill();
                self.check_acks();
            }
            Kind::PostStalled => self.station.stall(),
            Kind::PostCut => self.relay.cut(),
            Kind::DeliveredTwice => self.relay.set(Mischief {
                twice_percent: 30,
                held_max: Duration::from_secs(1),
                ..Mischief::default()
            }),
            Kind::DeliveredLate => self.relay.set(Mischief {
                held_percent: 30,
                held_max: Duration::from_secs(2),
                ..Mischief::default()
            }),
        }
    }

    fn end(&mut self, fault: &Fault) {
        let (one, proxy) = &mut self.boxes[fault.which];
        match fault.kind {
            Kind::BrokerKilled | Kind::BrokerKilledAndForgets => self.broker.run(),
            Kind::BrokerStalled => self.broker.go_on(),
            Kind::LinkCut | Kind::PostCut => {}
            Kind::LinkStalled | Kind::LinkThin => proxy.set(Weather::default()),
            Kind::LinkDeaf => {
                // A TCP link does not lose a part of its bytes and go on.
                proxy.set(Weather::default());
                proxy.cut();
            }
            Kind::BoxKilled => one.run(),
            Kind::PostKilled => self.station.serve(),
            Kind::PostStalled => self.station.go_on(),
            Kind::DeliveredTwice | Kind::DeliveredLate => self.relay.set(Mischief::default()),
        }
    }

    /// Asserts that the post's disk has every alert that it confirmed to a box.
    fn check_acks(&mut self) {
        let stored: BTreeMap<String, _> = Storage::open_beside(&self.station.database())
            .and_then(|storage| storage.acks())
            .unwrap()
            .into_iter()
            .map(|(_, ack)| (ack.box_id.to_string(), ack))
            .collect();
        for (one, _) in &self.boxes {
            let Some(told) = last_ack(&self.subscriber, &one.orders.box_id) else { continue };
            let there = &stored[&one.orders.box_id];
            assert!(
                there.outbox == told.outbox
                    && (1..=told.highest).all(|seq: u64| !told.covers(seq) || there.covers(seq)),
                "{told:?} {there:?}"
            );
            self.acks_checked += 1;
        }
    }

    fn kept(&self) -> usize {
        self.boxes.iter().map(|(one, _)| one.kept_count()).sum()
    }

    /// Ends the making of alerts and waits until all outboxes are empty.
    fn settle(&mut self, patience: Duration) {
        self.boxes.iter_mut().for_each(|(one, _)| one.enough());
        wait_until("all outboxes are empty", patience, || self.boxes.iter().all(|(one, _)| one.is_empty()));
    }
}

/// The faults' beginnings and ends, in the order of their time.
fn moments(faults: &[Fault]) -> Vec<(Duration, bool, &Fault)> {
    let mut moments: Vec<_> = faults
        .iter()
        .flat_map(|fault| {
            [(Fault::clone(fault).from, true, fault), (Fault::clone(fault).until, false, fault)]
        })
        .collect();
    moments.sort_by_key(|(at, is_begin, _)| (*at, *is_begin));
    moments
}

#[test]
fn every_alert_that_a_box_has_kept_is_stored_once_at_the_post() {
    let seed = std::env::var("WARDWATCH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| rand::rng().random());
    figure(SCENARIO, "seed", seed);
    let mut random = StdRng::seed_from_u64(seed);
    let (boxes, alerts) = (rounds(4, 8) as usize, rounds(300, 6000) as usize);
    let span = Duration::from_secs(rounds(14, 240).into());
    let lasts = Duration::from_millis(rounds(1200, 8000).into());
    let faults = draw(&mut random, rounds(13, 52) as usize, span, lasts, boxes);

    let mut ward = Ward::start(boxes, rounds(80, 220).into());
    let (begun, mut happened) = (Instant::now(), Vec::new());
    for (at, is_begin, fault) in moments(&faults) {
        wait_until("its moment has come", 2 * span, || begun.elapsed() >= at);
        let now_us = base::clock::wall().as_micros();
        if is_begin {
            let (kind, which) = (fault.kind, fault.which);
            happened.push(Happened { kind, which, from_us: now_us, until_us: now_us });
            eprintln!(
                "{:6.1} s {} {:.1} s",
                at.as_secs_f64(),
                fault.kind.words(),
                (fault.until - at).as_secs_f64()
            );
            ward.begin(fault, &mut random);
        } else {
            ward.end(fault);
            let begun = happened.iter_mut().rfind(|one| (one.kind, one.which) == (fault.kind, fault.which));
            begun.unwrap().until_us = match fault.kind {
                Kind::LinkCut | Kind::PostCut => continue,
                _ => base::clock::wall().as_micros(),
            };
        }
    }
    wait_until("enough is kept", 4 * span, || ward.kept() >= alerts);
    let alone = Instant::now();
    ward.settle(Duration::from_secs(rounds(60, 300).into()));
    figure(
        SCENARIO,
        "outboxes empty after the last fault",
        format!("{:.1} s", alone.elapsed().as_secs_f64()),
    );
    report(&mut ward, &happened);
}

/// Prints the results, and fails where a promise is broken.
fn report(ward: &mut Ward, faults: &[Happened]) {
    let mut verdict = Verdict::default();
    let stored = judge::stored(&ward.station.database());
    let fresh = ward.broker.subscriber(ACKS);
    wait_until("what is retained has come", Duration::from_secs(20), || {
        fresh.messages().len() >= ward.boxes.len()
    });
    for (which, (one, _)) in ward.boxes.iter_mut().enumerate() {
        one.kill();
        let store = crate::store::open(crate::store::settings(&one.orders.directory));
        let (last, outbox) = (store.last_given().unwrap(), store.outbox_id().unwrap());
        assert_eq!(store.outbox_depth().unwrap().0, 0);
        verdict.of(which, &one.kept(), &stored[&one.orders.box_id], last);
        let ack = last_ack(&fresh, &one.orders.box_id).unwrap();
        assert_eq!((ack.contiguous, ack.highest, ack.outbox), (last, last, outbox), "what is retained");
    }
    let (repetitions, conflicts, refused) = judge::counted(&ward.station.database());
    let (twice, late) = ward.relay.counts();
    figure(SCENARIO, "boxes", ward.boxes.len());
    figure(SCENARIO, "faults", faults.len());
    for kind in Kind::ALL {
        let count = faults.iter().filter(|fault| fault.kind == kind).count();
        figure(SCENARIO, &format!("  {}", kind.words()), count);
    }
    figure(SCENARIO, "alert messages kept by boxes", verdict.kept);
    figure(SCENARIO, "stored at the post", verdict.stored);
    figure(SCENARIO, "lost", verdict.lost);
    figure(SCENARIO, "stored twice", verdict.twice);
    figure(SCENARIO, "numbers missing", verdict.holes);
    figure(SCENARIO, "messages or pictures that are others", verdict.wrong);
    figure(SCENARIO, "pictures missing", verdict.without_picture);
    figure(SCENARIO, "stored after a later one of its box", verdict.out_of_order);
    figure(SCENARIO, "messages that the broker took from boxes", ward.broker.alerts_taken());
    figure(SCENARIO, "delivered again, held back by the relay", format!("{twice}, {late}"));
    figure(SCENARIO, "repetitions that the post has counted", repetitions);
    figure(SCENARIO, "acknowledgements right at kill -9 of the post", ward.acks_checked);
    let tail = Tail::of(&verdict.journeys, faults, ward.boxes.len());
    for (what, value) in tail.figures() {
        figure(SCENARIO, what, value);
    }
    slowest(&mut verdict, faults);
    assert!(verdict.is_good() && (conflicts, refused) == (0, 0), "{verdict:?} {conflicts} {refused}");
    assert_eq!(verdict.without_picture, 0, "pictures");
    assert!(Storage::open_beside(&ward.station.database()).unwrap().holes().unwrap().is_empty());
}

/// Prints the slowest messages and the faults in their way, for readers of the log.
fn slowest(verdict: &mut Verdict, faults: &[Happened]) {
    verdict.journeys.sort_unstable_by_key(|journey| -journey.took_us());
    for journey in verdict.journeys.iter().take(10) {
        let ago = |us: i64| (us - journey.kept_us) as f64 / 1e6;
        eprintln!("box {} number {} took {:.1} s", journey.which + 1, journey.seq, ago(journey.stored_us));
        for fault in faults.iter().filter(|fault| fault.meets(journey)) {
            eprintln!(
                "    {:6.1} to {:6.1} s {}",
                ago(fault.from_us),
                ago(fault.until_us),
                fault.kind.words()
            );
        }
    }
}
