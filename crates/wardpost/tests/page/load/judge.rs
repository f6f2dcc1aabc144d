//! Comparison of the pages with the database: each alert is there once, and so is each event on every page.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base::ids::AlertId;
use serde_json::Value;
use wardpost::Storage;
use wardpost::storage::{Filter, QueueFilter, StoredEvent, Tab as Place};

use super::subscriber::Subscriber;
use super::ward::Ward;
use super::{PATIENCE, wait_until};
use crate::browser::{Browser, Tab};

/// Rows of a page: number of the event, of its alerts, its state.
const ROWS: &str = "[...document.querySelectorAll('[data-list] > [data-event]')].map(row => [Number(row.dataset.event), \
                    parseInt(row.querySelector('.meta strong')?.textContent ?? '1'), row.dataset.state])";

/// Events of the queue, whatever their number.
pub fn queue(storage: &Storage) -> Vec<StoredEvent> {
    let all = QueueFilter { tab: Place::Open, camera: None, limit: 100_000 };
    storage.queue(&all).unwrap().events
}

/// Waits until the database has each of these alerts; asserts that it has no other, and none twice.
pub fn stored(ward: &Ward, sent: &[AlertId]) {
    let storage = ward.storage();
    let sent: BTreeSet<AlertId> = sent.iter().copied().collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let alerts = storage.alerts(&Filter::default()).unwrap();
        let found: BTreeSet<AlertId> = alerts.iter().map(|stored| stored.alert.id).collect();
        assert_eq!(alerts.len(), found.len(), "an alert is stored twice");
        if found == sent {
            return;
        }
        assert!(Instant::now() < deadline, "{} of {} alerts are stored", found.len(), sent.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a page shows the queue of the database, row by row, in its order.
pub fn shown(browser: &mut Browser, tab: &mut Tab, storage: &Storage) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let rows = browser.value(tab, ROWS);
        let expected: Vec<Value> = queue(storage)
            .iter()
            .map(|event| serde_json::json!([event.number, event.span.alerts, event.state.as_str()]))
            .collect();
        if rows == Value::Array(expected.clone()) {
            return;
        }
        assert!(Instant::now() < deadline, "the page shows {rows}\nand not {expected:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A change as a page was told of it.
#[derive(Debug, Clone)]
pub struct Told {
    pub number: u64,
    pub kind: String,
    pub event: Option<u64>,
}

/// Changes of which a page in the browser was told.
pub fn told_to(browser: &mut Browser, tab: &mut Tab) -> Vec<Told> {
    assert_eq!(browser.value(tab, "probe.anew"), 0, "a page had to begin anew");
    let told = browser.value(tab, "probe.told");
    let change = |told: &Value| Told {
        number: told[0].as_u64().unwrap(),
        kind: told[1].as_str().unwrap().to_owned(),
        event: told[2].as_u64(),
    };
    told.as_array().unwrap().iter().map(change).collect()
}

/// Asserts that the changes tell of each alert once: of an event's first as its arrival, of others as its growth. Returns their
/// number.
pub fn each_once(told: &[Told], storage: &Storage) -> u64 {
    let (mut last, mut alerts) = (0, BTreeMap::new());
    for change in told {
        assert!(change.number > last, "{change:?} comes after {last}");
        last = change.number;
        let Some(event) = change.event else { continue };
        let known = alerts.entry(event).or_insert(0);
        match change.kind.as_str() {
            "arrived" => assert_eq!(std::mem::replace(known, 1), 0, "event {event} arrives twice"),
            "grew" => *known += 1,
            _ => {}
        }
    }
    let stored = all(storage);
    assert_eq!(alerts, stored, "the alerts of each event, as told and as stored");
    stored.values().sum()
}

/// The same of a subscriber, once it was told of the last change.
pub fn each_once_to(subscriber: &Subscriber, storage: &Storage) -> u64 {
    let last = storage.last_change().unwrap();
    wait_until("a subscriber is told of all", || {
        subscriber.told().last().is_some_and(|told| told.number >= last)
    });
    each_once(&subscriber.told(), storage)
}

/// Number of alerts of each event, wherever it is.
fn all(storage: &Storage) -> BTreeMap<u64, u64> {
    let lists = Place::ALL.map(|tab| QueueFilter { tab, camera: None, limit: 100_000 });
    let events = lists.iter().flat_map(|filter| storage.queue(filter).unwrap().events);
    events.map(|event| (event.number, event.span.alerts)).collect()
}
