//! Kills of the post while alerts arrive and pages are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::clock;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::boxes::{Boxes, RULES};
use super::ward::Ward;
use super::{figure, full_or, judge, page, times};
use crate::browser::{Browser, is_installed};

/// Interval of alerts of all boxes together.
const INTERVAL: Duration = Duration::from_millis(200);
/// Longest time from a page's news of a started post to its end.
const LIFE_MAX_MS: u64 = 500;

/// Sends without end, until told to stop. Two alerts of a camera are one event.
fn send(mut boxes: Boxes, is_over: Arc<AtomicBool>) -> JoinHandle<Boxes> {
    std::thread::spawn(move || {
        for sent in 0.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let (number, round) = (sent % boxes.len(), sent / boxes.len());
            // Cameras change slowly: the second alert comes within the time of one event.
            boxes.send(number, &format!("c{}", round / 2), &RULES[number % RULES.len()], clock::wall());
            std::thread::sleep(INTERVAL);
        }
        boxes.drain();
        boxes
    })
}

#[test]
fn kills_of_the_post_cost_no_page_an_alert() {
    if !is_installed() {
        return;
    }
    let (kills, page_count) = full_or((100, 3), (3, 2));
    let mut ward = Ward::start();
    let mut browser = Browser::start();
    let mut pages: Vec<_> =
        (0..page_count).map(|number| page(&mut browser, &ward, &format!("officer-{number}"))).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let sending = send(Boxes::start(ward.broker_port(), 10), Arc::clone(&is_over));
    let mut chance = StdRng::seed_from_u64(1);
    let mut spans = Vec::new();
    for kill in 0..kills {
        // A page in turn has had news since the start; the others may be anywhere.
        let tab = &mut pages[kill % page_count];
        let count = browser.value(tab, "probe.told.length");
        browser.until(tab, &format!("probe.told.length > {count}"));
        std::thread::sleep(Duration::from_millis(chance.random_range(0..LIFE_MAX_MS)));
        ward.kill_server();
        let begin = Instant::now();
        let count = browser.value(tab, "probe.told.length");
        ward.start_server();
        browser.until(tab, &format!("probe.told.length > {count}"));
        spans.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    is_over.store(true, Ordering::Relaxed);
    let boxes = sending.join().unwrap();
    judge::stored(&ward, &boxes.sent);
    let (storage, alerts) = (ward.storage(), boxes.sent.len() as u64);
    for tab in &mut pages {
        judge::shown(&mut browser, tab, &storage);
        assert_eq!(judge::each_once(&judge::told_to(&mut browser, tab), &storage), alerts);
    }
    let text = format!(
        "{kills}, with {alerts} alerts: 0 missing, 0 twice on {page_count} pages and in the database"
    );
    figure("kills", "kill -9 of the post", &text);
    times("kills", "from the kill to the next alert on a page", spans, ("max", 15_000.0));
}
