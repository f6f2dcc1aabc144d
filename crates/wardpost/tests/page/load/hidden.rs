//! A page behind another tab for long: browsers slow the timers of such a page down, and may freeze it. An alert sounds all the same.

use std::time::{Duration, Instant};

use base::clock;
use serde_json::json;

use super::boxes::{Boxes, CROWD};
use super::ward::Ward;
use super::{full_or, judge, number, page, times};
use crate::browser::{Browser, is_installed};

/// Time for which the page is hidden.
fn hidden_for() -> Duration {
    let minutes = std::env::var("WARDPOST_HIDDEN_MINUTES").ok().map(|text| text.parse().unwrap());
    Duration::from_secs(60 * minutes.unwrap_or(full_or(30, 1)))
}

#[test]
fn a_page_that_was_hidden_for_long_sounds_at_once() {
    if !is_installed() {
        return;
    }
    let span = hidden_for();
    let ward = Ward::start();
    let mut browser = Browser::start();
    let mut tab = page(&mut browser, &ward, "lan");
    // The officer's gesture lets the page sound.
    browser.key(&mut tab, "k");
    browser.until(
        &mut tab,
        "navigator.locks.query().then(({ held }) => held.some(one => one.name === 'wardpost-sound'))",
    );
    let mut boxes = Boxes::start(ward.broker_port(), 1);
    browser.cover(&mut tab);
    let hidden_at = Instant::now();
    std::thread::sleep(span.saturating_sub(hidden_at.elapsed()));
    let published = clock::wall();
    boxes.send(0, "c0", &CROWD, published);
    judge::stored(&ward, &boxes.sent);
    // Nothing looks at the page before it has had its time.
    std::thread::sleep(Duration::from_secs(3));
    browser.look_again(&mut tab);
    browser.until(&mut tab, "probe.sounds.length > 0");
    assert_eq!(browser.value(&mut tab, "document.hidden"), json!(true), "it was hidden all the time");
    let sounds = browser.value(&mut tab, "probe.sounds");
    assert_eq!(sounds[0][0], "critical 0", "the page made no other sound before: {sounds}");
    let sound = number(&sounds[0][1]) - published.as_micros() as f64 / 1e3;
    let name = format!("alert to the request for its sound, page hidden for {} min", span.as_secs() / 60);
    times("hidden", &name, vec![sound], ("max", 2000.0));
}
