//! A flood in the browser: the banner, the folded list, and the one click that ends most of it.

use std::time::Duration;

use base::clock;
use serde_json::json;
use wardpost::events::{Action, Authority, Outcome, Who};

use super::boxes::{Boxes, CROWD, NIGHT, STOPPED};
use super::ward::Ward;
use super::{figure, judge, page};
use crate::browser::{Browser, is_installed};
use crate::keep;

/// Rows that the server sends at once.
const ROWS_MAX: usize = 300;
/// Events of the worst source, of the critical one, and of others.
const EVENTS: [usize; 3] = [8, 2, 3];
/// Time between two alerts of a source that are not one event.
const APART: Duration = Duration::from_secs(61);

#[test]
fn a_flood_is_folded_and_one_click_shelves_its_worst_source() {
    if !is_installed() {
        return;
    }
    let ward = Ward::start();
    let mut browser = Browser::start();
    let mut tab = page(&mut browser, &ward, "lan");
    // The officer's gesture lets the page sound.
    browser.key(&mut tab, "k");
    let mut boxes = Boxes::start(ward.broker_port(), 2);
    let begin = clock::wall() - APART * EVENTS[0] as u32;
    for number in 0..EVENTS[0] {
        boxes.send(0, "c0", &NIGHT, begin + APART * number as u32);
    }
    for number in 0..EVENTS[1] {
        boxes.send(1, "c0", &CROWD, begin + APART * number as u32);
    }
    for number in 0..EVENTS[2] {
        boxes.send(1, &format!("c{}", 1 + number), &STOPPED, clock::wall());
    }
    judge::stored(&ward, &boxes.sent);
    let is_flood = "document.querySelector('[data-flood]').checkVisibility()";
    browser.until(&mut tab, is_flood);
    let seen = "[...document.querySelectorAll('[data-list] > [data-event]')].filter(row => row.checkVisibility())\
                .map(row => [row.dataset.severity, row.querySelector('.more')?.textContent ?? ''])";
    let folded = json!([
        ["critical", ""],
        ["critical", ""],
        ["warning", format!("+ {}", EVENTS[0] - 1)],
        ["notice", ""],
        ["notice", ""],
        ["notice", ""],
    ]);
    browser.until(&mut tab, &format!("JSON.stringify({seen}) === '{folded}'"));

    keep(&mut browser, &mut tab, "flood");

    // Opened by hand, the rows stay open when another alert comes.
    browser.value(&mut tab, "document.querySelector('.more').click()");
    let visible = "[...document.querySelectorAll('[data-list] > [data-event]')].filter(row => row.checkVisibility()).length";
    let total: usize = EVENTS.iter().sum();
    browser.until(&mut tab, &format!("{visible} === {total}"));
    boxes.send(1, "c9", &STOPPED, clock::wall());
    browser.until(&mut tab, &format!("{visible} === {}", total + 1));

    let worst = browser.value(&mut tab, "document.querySelector('[data-flood-source]').textContent");
    assert_eq!(worst, json!(format!("box-0/c0 · night ({})", EVENTS[0])));
    browser.value(&mut tab, "document.querySelector('[data-flood-worst] button').click()");
    let left = total + 1 - EVENTS[0];
    browser.until(
        &mut tab,
        &format!("document.querySelectorAll('[data-list] > [data-event]').length === {left}"),
    );
    browser.until(
        &mut tab,
        &format!("document.querySelector('[data-count=shelved]').textContent === '{}'", EVENTS[0]),
    );
    judge::shown(&mut browser, &mut tab, &ward.storage());
    assert_eq!(tab.errors, Vec::<String>::new());
    let text = format!(
        "{total}, {} of them folded; critical ones single; one click shelves {}",
        EVENTS[0] - 1,
        EVENTS[0]
    );
    figure("flood", "events in 10 minutes", &text);
}

/// A list that is too long is not sent whole. Events that were left out come to the page when those before them are closed.
#[test]
fn a_list_that_was_too_long_is_filled_again() {
    if !is_installed() {
        return;
    }
    let ward = Ward::start();
    let mut boxes = Boxes::start(ward.broker_port(), 10);
    for number in 0..ROWS_MAX + 20 {
        boxes.send(number % 10, &format!("c{}", number / 10), &NIGHT, clock::wall());
    }
    judge::stored(&ward, &boxes.sent);
    let mut browser = Browser::start();
    let mut tab = page(&mut browser, &ward, "lan");
    let has =
        |rows: usize| format!("document.querySelectorAll('[data-list] > [data-event]').length === {rows}");
    browser.until(&mut tab, &has(ROWS_MAX));
    let mut storage = ward.storage();
    let who = Who::Person("minh".parse().unwrap(), Authority::Officer);
    let close = Action::Close { outcome: Outcome::Rain, note: "".parse().unwrap() };
    for event in judge::queue(&storage).iter().take(50) {
        storage.decide(event.number, &close, &who, clock::wall()).unwrap();
    }
    browser.until(&mut tab, &has(ROWS_MAX + 20 - 50));
    judge::shown(&mut browser, &mut tab, &storage);
}
