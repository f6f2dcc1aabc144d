//! Stills over a box that is killed: all that the store has said it has come to the post's side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::still::{Still, StillKind};
use tempfile::TempDir;

use super::ward::boxes::{BoxProcess, Orders};
use super::{figure, rounds};
use crate::support::broker::{BrokerOptions, Subscriber, TestBroker};
use crate::support::post::{Memory, StandInPost};
use crate::support::wait_until;

const LONG: Duration = Duration::from_secs(60);

/// Number of arrivals of each still.
fn arrivals(subscriber: &Subscriber) -> BTreeMap<(String, StillKind), usize> {
    let mut arrivals = BTreeMap::new();
    for message in subscriber.messages() {
        let still: Still = serde_json::from_slice(&message.payload).unwrap();
        *arrivals.entry((still.alert.to_string(), still.kind)).or_default() += 1;
    }
    arrivals
}

#[test]
fn a_box_that_is_killed_sends_every_still_that_it_had() {
    let place = TempDir::new().unwrap();
    let broker = TestBroker::start(&BrokerOptions::default());
    let stills = broker.subscriber("wardwatch/v1/+/+/still");
    let _post = StandInPost::start(broker.inside_port, &Arc::new(Memory::default()));
    let mut one = BoxProcess::start(Orders {
        box_id: "box-1".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: broker.port,
        keep_alive_seconds: 3,
        every_ms: 80,
        still_bytes: 4 * 1024,
        directory: place.path().join("box-1"),
        within: Vec::new(),
    });
    let kills = rounds(3, 30);
    for kill in 1..=kills {
        let before = one.stilled().len();
        wait_until("more is kept", LONG, || one.stilled().len() >= before + 10);
        wait_until("some have come", LONG, || arrivals(&stills).len() >= kill as usize);
        one.kill();
        one.run();
    }
    one.enough();
    wait_until("all is sent", 2 * LONG, || one.is_empty());
    let expected = one.stilled();
    wait_until("all have come", LONG, || {
        let arrivals = arrivals(&stills);
        expected
            .iter()
            .all(|id| StillKind::ALL.iter().all(|kind| arrivals.contains_key(&(id.clone(), *kind))))
    });
    let arrivals = arrivals(&stills);
    let twice = arrivals.values().filter(|count| **count > 1).count();
    figure(
        "stills, kill -9",
        "kills, stills, those that came twice",
        format!("{kills}, {}, {twice}", arrivals.len()),
    );
}
