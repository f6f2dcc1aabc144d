//! A storm of alerts, and an officer who goes on working in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::clock;

use super::boxes::{Boxes, RULES};
use super::subscriber::Subscriber;
use super::ward::Ward;
use super::{figure, full_or, judge, number, page, times};
use crate::browser::{Browser, Tab, is_installed};

/// Cameras of a box. Two alerts of each are one event, unless somebody closes it between them.
const CAMERAS: usize = 5;
/// Limit that every interaction aims at, in milliseconds.
const AIM_MS: f64 = 100.0;

/// Sends so many alerts within `span`, each box in turn.
fn storm(mut boxes: Boxes, alerts: u32, span: Duration) -> Boxes {
    let begin = Instant::now();
    for sent in 0..alerts {
        std::thread::sleep((begin + span * sent / alerts).saturating_duration_since(Instant::now()));
        let (number, round) = (sent as usize % boxes.len(), sent as usize / boxes.len());
        let camera = round % CAMERAS;
        boxes.send(number, &format!("c{camera}"), &RULES[(number + camera) % RULES.len()], clock::wall());
    }
    boxes.drain();
    boxes
}

/// An officer at a page, with the times of all interactions.
struct Officer<'a> {
    browser: &'a mut Browser,
    tab: &'a mut Tab,
    spans: BTreeMap<&'static str, Vec<f64>>,
}

impl Officer<'_> {
    /// Presses a key, and waits until its result is painted.
    fn press(&mut self, name: &'static str, key: &str, result: &str) {
        self.browser.value(self.tab, &format!("window.span = probe.time(() => {result}); 0"));
        self.browser.key(self.tab, key);
        let span = number(&self.browser.value(self.tab, "window.span"));
        self.spans.entry(name).or_default().push(span);
    }

    /// Chooses the next event, opens it, takes it over, and closes it with a reason.
    fn judge_one(&mut self) {
        let selected = "Number(document.querySelector('.event.selected')?.dataset.event ?? 0)";
        let before = self.browser.value(self.tab, selected);
        // At the end of the list the way goes up.
        let is_last =
            "![...document.querySelectorAll('.event.selected ~ .event')].some(row => row.checkVisibility())";
        let key = if before != 0 && self.browser.value(self.tab, is_last) == true { "k" } else { "j" };
        self.press("choose the next event", key, &format!("{selected} !== {before}"));
        let event = self.browser.value(self.tab, selected);
        let row = format!("document.querySelector('[data-list] [data-event=\"{event}\"]')");
        self.press("open it", "Enter", &format!("!!document.querySelector('[data-one=\"{event}\"]')"));
        self.press("take it over", "t", &format!("{row}?.dataset.state === 'taken'"));
        self.press("open the form to close it", "c", "!!document.querySelector('[data-closing][open]')");
        self.press("choose the reason", "2", "!!document.querySelector('[data-closing] input:checked')");
        self.press("close it", "Enter", &format!("!{row}"));
    }
}

#[test]
fn a_storm_hides_no_alert_and_hinders_no_officer() {
    if !is_installed() {
        return;
    }
    let (box_count, subscriber_count, alerts, seconds) = full_or((100, 18, 1000, 60), (10, 2, 100, 6));
    let ward = Ward::start();
    let mut browser = Browser::start();
    // One processor stands for those of many posts: most pages have no browser.
    let mut pages: Vec<_> = ["lan", "minh"].map(|name| page(&mut browser, &ward, name)).into();
    let subscribers: Vec<_> =
        (0..subscriber_count).map(|number| Subscriber::start(&ward, &format!("officer-{number}"))).collect();
    let boxes = Boxes::start(ward.broker_port(), box_count);
    let sending = std::thread::spawn(move || storm(boxes, alerts, Duration::from_secs(seconds)));
    browser.until(&mut pages[0], "document.querySelectorAll('[data-list] > [data-event]').length >= 5");
    let mut officer = Officer { browser: &mut browser, tab: &mut pages[0], spans: BTreeMap::new() };
    let mut closed = 0;
    while !sending.is_finished() {
        officer.judge_one();
        closed += 1;
    }
    let spans = officer.spans;
    let boxes = sending.join().unwrap();
    judge::stored(&ward, &boxes.sent);
    let storage = ward.storage();
    let mut told = 0;
    for tab in &mut pages {
        judge::shown(&mut browser, tab, &storage);
        told += judge::each_once(&judge::told_to(&mut browser, tab), &storage);
    }
    told += subscribers.iter().map(|one| judge::each_once_to(one, &storage)).sum::<u64>();
    let page_count = pages.len() + subscribers.len();
    assert_eq!(told, u64::from(alerts) * page_count as u64, "each page was told of each alert");
    assert_eq!(pages[0].errors, Vec::<String>::new());
    let events = judge::queue(&storage).len();
    let text = format!(
        "{alerts} in {seconds} s, 0 missing, 0 twice on {} pages and at {subscriber_count} subscribers; {events} events left",
        pages.len()
    );
    figure("storm", &format!("alerts of {box_count} boxes"), &text);
    figure("storm", "events closed by the officer meanwhile", &closed.to_string());
    times("storm", "every interaction", spans.values().flatten().copied().collect(), ("max", AIM_MS));
    for (name, spans) in spans {
        times("storm", name, spans, ("max", AIM_MS));
    }
}
