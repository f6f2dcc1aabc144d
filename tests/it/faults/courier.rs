//! kill -9 of box and broker at any point between store, publish, PUBACK, acknowledgement and deletion.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::alert::AlertDraft;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use wardlink::Publisher;

use super::{figure, rounds};
use crate::publish::post::of_post;
use crate::publish::{LONG, Telling};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::post::{Memory, StandInPost};
use crate::support::sample::opened;
use crate::support::wait_until;

const ORDERS: &str = "WARDWATCH_COURIER";

/// The box: keeps alerts and sends them until it is killed, and reports each that is kept.
#[test]
#[ignore = "run by the fault scenarios"]
fn child_that_is_killed() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let mut orders = orders.splitn(3, ' ');
    let (port, first) =
        (orders.next().unwrap().parse().unwrap(), orders.next().unwrap().parse::<u64>().unwrap());
    let directory = orders.next().unwrap();
    println!();
    let store = crate::store::open(crate::store::settings(directory.as_ref()));
    let outbox = Arc::new(store.clone());
    let publisher = Publisher::start(of_post(port), outbox, Arc::new(Telling::default())).unwrap();
    let mut random = StdRng::seed_from_u64(first);
    for number in first.. {
        let draft = opened("gate", Duration::from_secs(number));
        let thumbnail = draft.thumbnail.clone().filter(|_| number % 3 == 0);
        let alert = store.put_alert(AlertDraft { thumbnail, ..draft }).unwrap();
        publisher.wake();
        tell(&format!("kept {} {number} .\n", alert.seq));
        std::thread::sleep(Duration::from_millis(random.random_range(0..30)));
    }
}

/// Writes past the test harness, which holds back printed text.
fn tell(line: &str) {
    let mut left = line.as_bytes();
    while let Ok(written @ 1..) = rustix::io::write(std::io::stdout(), left) {
        left = &left[written..];
    }
}

struct Courier {
    process: Child,
    /// `seq` and number of each alert that it reported.
    kept: Arc<Mutex<Vec<(u64, u64)>>>,
    reader: std::thread::JoinHandle<()>,
}

impl Courier {
    fn start(orders: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["faults::courier::child_that_is_killed", "--exact", "--ignored", "--nocapture"])
            .env(ORDERS, orders)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&kept);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let words: Vec<&str> = line.split(' ').collect();
                if let ["kept", seq, number, "."] = words[..] {
                    collected.lock().unwrap().push((seq.parse().unwrap(), number.parse().unwrap()));
                }
            }
        });
        Self { process, kept, reader }
    }

    fn kill(mut self) -> Vec<(u64, u64)> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.reader.join().unwrap();
        let kept = self.kept.lock().unwrap();
        kept.clone()
    }
}

#[test]
fn nothing_is_lost_between_the_rule_and_the_post() {
    const SCENARIO: &str = "kill -9 of box and broker between rule and post";
    let place = TempDir::new().unwrap();
    let mut broker = TestBroker::start(&BrokerOptions::default());
    let memory = Arc::new(Memory::default());
    let mut post = Some(StandInPost::start(broker.inside_port, &memory));
    broker.save();
    let mut random = StdRng::seed_from_u64(11);
    let (mut kept, mut first, count) = (Vec::new(), 0, rounds(8, 200));
    for round in 0..count {
        let courier = Courier::start(&format!("{} {first} {}", broker.port, place.path().display()));
        let end = Instant::now() + Duration::from_millis(random.random_range(200..2500));
        wait_until("it has lived", LONG, || Instant::now() > end);
        match round % 4 {
            0 => {}
            1 => {
                broker.kill();
                broker.run();
            }
            2 => post = None,
            _ => broker.stall(),
        }
        let told = courier.kill();
        broker.go_on();
        // It may have kept one more than it reported.
        first = told.iter().map(|(_, number)| number + 2).max().unwrap_or(first);
        kept.extend(told);
        if post.is_none() {
            post = Some(StandInPost::start(broker.inside_port, &memory));
        }
    }
    assert!(kept.len() > count as usize * 5, "{} alerts", kept.len());

    let store = crate::store::open(crate::store::settings(place.path()));
    let waiting = store.outbox_depth().unwrap().0;
    let outbox = Arc::new(store.clone());
    let publisher = Publisher::start(of_post(broker.port), outbox, Arc::new(Telling::default())).unwrap();
    wait_until("the outbox is empty", 4 * LONG, || store.outbox_depth().unwrap().0 == 0);
    let (stored, told): (_, BTreeSet<u64>) = (memory.stored(), kept.iter().map(|(seq, _)| *seq).collect());
    assert_eq!(told.len(), kept.len(), "no number is given twice");
    figure(SCENARIO, "rounds", count);
    figure(SCENARIO, "alerts that were kept", kept.len());
    figure(SCENARIO, "still waiting at the last start", waiting);
    figure(SCENARIO, "lost", told.difference(&stored).count());
    assert!(told.is_subset(&stored));
    assert!(stored.iter().copied().eq(1..=store.last_given().unwrap()), "no hole");
    publisher.stop(LONG);
}
