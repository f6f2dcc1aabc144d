//! Time from an alert's publishing to its row on every page: some in the browser, the others as subscribers of the feed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::clock;

use super::boxes::{Boxes, RULES};
use super::subscriber::Subscriber;
use super::ward::Ward;
use super::{full_or, judge, page, times};
use crate::browser::{Browser, is_installed};

/// Interval of alerts of all boxes together.
const INTERVAL: Duration = Duration::from_secs(1);

#[test]
fn an_alert_stands_on_every_page_soon_after_it_is_published() {
    if !is_installed() {
        return;
    }
    let (box_count, page_count, subscriber_count, alerts) = full_or((100, 4, 16, 180), (10, 2, 2, 5));
    let ward = Ward::start();
    let mut browser = Browser::start();
    let mut pages: Vec<_> =
        (0..page_count).map(|number| page(&mut browser, &ward, &format!("officer-{number}"))).collect();
    let subscribers: Vec<_> = (0..subscriber_count)
        .map(|number| Subscriber::start(&ward, &format!("subscriber-{number}")))
        .collect();
    let mut boxes = Boxes::start(ward.broker_port(), box_count);
    let begin = Instant::now();
    for number in 0..alerts {
        std::thread::sleep((begin + INTERVAL * number).saturating_duration_since(Instant::now()));
        let number = number as usize;
        // Each is an event of its own: a box's next alert comes from another camera.
        let camera = format!("c{}", number / box_count);
        boxes.send(number % box_count, &camera, &RULES[number % RULES.len()], clock::wall());
    }
    judge::stored(&ward, &boxes.sent);
    let storage = ward.storage();
    let received = judge::queue(&storage);
    let received = received.iter().map(|event| {
        let lead = event.lead.as_ref().unwrap();
        lead.received_at.since(lead.alert.opened_at).as_secs_f64() * 1e3
    });
    times("arrival", "alert to the post's hands", received.collect(), ("p95", 1000.0));
    let published: BTreeMap<u64, i64> = judge::queue(&storage)
        .iter()
        .map(|event| (event.number, event.lead.as_ref().unwrap().alert.opened_at.as_micros()))
        .collect();
    let mut spans = Vec::new();
    for tab in &mut pages {
        judge::shown(&mut browser, tab, &storage);
        judge::each_once(&judge::told_to(&mut browser, tab), &storage);
        let mut first: BTreeMap<u64, f64> = BTreeMap::new();
        for row in browser.value(tab, "probe.rows").as_array().unwrap() {
            first.entry(row[0].as_u64().unwrap()).or_insert(super::number(&row[1]));
        }
        spans.extend(first.iter().map(|(event, at)| at - published[event] as f64 / 1e3));
    }
    assert_eq!(spans.len(), boxes.sent.len() * pages.len(), "each alert has its row on each page");
    let name = format!("alert of {box_count} boxes to its row, {page_count} pages");
    times("arrival", &name, spans, ("p95", 1000.0));
    let mut spans = Vec::new();
    for one in &subscribers {
        judge::each_once_to(one, &storage);
        spans.extend(one.arrivals().iter().map(|(event, at)| at - published[event] as f64 / 1e3));
    }
    let name = format!("to {subscriber_count} subscribers of the feed beside them");
    times("arrival", &name, spans, ("p95", 1000.0));
}
