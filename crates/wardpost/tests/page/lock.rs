//! The lock in a real browser: nothing of an event stays in the document, feed and sound go on, and the PIN opens every tab.

use base::clock;
use rusqlite::Connection;
use serde_json::json;
use wardpost::people::secret;
use wardpost::storage::By;

use super::browser::{Browser, Tab, is_installed};
use super::post::{PLACES, Post, alert};
use super::{begin, keep, lists, on_duty};

/// True while the page is locked.
const LOCKED: &str = "document.querySelector('[data-lock]').open";
/// Number of sounds that the page asked for.
const SOUNDS: &str = "Number(document.documentElement.dataset.sounds ?? 0)";

/// Gives the officer of [`begin`] a PIN.
fn give_pin(post: &mut Post) {
    let by = By { who: "a test", at: clock::wall() };
    post.storage().set_pin(&"lan".parse().unwrap(), &secret::hash("2580"), by).unwrap();
}

/// Enters a PIN as a person does.
fn enter(browser: &mut Browser, tab: &mut Tab, pin: &str) {
    browser.value(tab, "document.querySelector('[data-unlock] [name=pin]').focus()");
    browser.write(tab, pin);
    browser.key(tab, "Enter");
}

/// The document has no word of any event.
fn shows_nothing(browser: &mut Browser, tab: &mut Tab) {
    let html = browser.value(tab, "document.documentElement.outerHTML");
    let html = html.as_str().unwrap();
    for word in PLACES.into_iter().chain(["data-event", "Tụ tập", "Dừng đỗ", "box-1", "/picture"]) {
        assert!(!html.contains(word), "{word} is in {html}");
    }
}

#[test]
fn a_locked_page_shows_nothing_and_still_sounds() {
    if !is_installed() {
        return;
    }
    let (mut post, mut browser, mut tab) = on_duty(3, 1280, 800);
    give_pin(&mut post);
    browser.go(&mut tab, &post.url());
    browser.key(&mut tab, "j");
    browser.key(&mut tab, "Enter");
    browser.until(&mut tab, "!!document.querySelector('[data-one] img')");
    browser.value(
        &mut tab,
        "document.isTheSame = true; document.querySelector('[data-lock-now]').requestSubmit()",
    );
    browser.until(&mut tab, LOCKED);
    browser.until(
        &mut tab,
        "fetch('/', { headers: { accept: 'text/html' } }).then(answer => answer.url.endsWith('/lock'))",
    );
    shows_nothing(&mut browser, &mut tab);

    let before = browser.value(&mut tab, SOUNDS).as_u64().unwrap();
    post.store(vec![alert(4)]);
    browser.until(&mut tab, &format!("{SOUNDS} > {before}"));
    browser.until(&mut tab, "document.querySelector('[data-lock] [data-count=open]').textContent === '4'");
    shows_nothing(&mut browser, &mut tab);
    keep(&mut browser, &mut tab, "locked");

    // Neither Escape nor a key of the queue does anything.
    browser.value(&mut tab, "document.activeElement.blur()");
    for key in ["Escape", "Escape", "j", "t", "?"] {
        browser.key(&mut tab, key);
    }
    assert_eq!(browser.value(&mut tab, LOCKED), json!(true));
    assert_eq!(tab.errors, Vec::<String>::new(), "no error in the console");

    enter(&mut browser, &mut tab, "0000");
    browser.until(&mut tab, "document.querySelector('[data-fault]').textContent.startsWith('Không đúng')");
    enter(&mut browser, &mut tab, "2580");
    browser.until(&mut tab, &format!("!{LOCKED}"));
    lists(&mut browser, &mut tab, 4);
    assert_eq!(browser.value(&mut tab, "document.isTheSame"), json!(true), "it was not loaded again");
    // The list lives on.
    post.store(vec![alert(5)]);
    lists(&mut browser, &mut tab, 5);
    browser.key(&mut tab, "j");
    browser.key(&mut tab, "t");
    browser.until(&mut tab, "!!document.querySelector('[data-event][data-state=taken]')");
}

#[test]
fn idle_tabs_of_a_login_lock_and_open_together() {
    if !is_installed() {
        return;
    }
    let (mut post, mut browser, mut tab) = on_duty(2, 1280, 800);
    give_pin(&mut post);
    let (url, event) = (post.url(), format!("{}event?id=1", post.url()));
    browser.go(&mut tab, &url);
    let mut other = browser.open(&event, 360, 720);
    let title = browser.value(&mut other, "document.title");
    let place = PLACES[0];
    assert!(title.as_str().unwrap().contains(place), "{title}");

    let beside = Connection::open(post.database()).unwrap();
    beside.execute("UPDATE login SET used_us = used_us - 16 * 60000000", []).unwrap();
    for tab in [&mut tab, &mut other] {
        browser.until(tab, LOCKED);
        shows_nothing(&mut browser, tab);
    }

    // Loaded again while it is locked, it takes part all the same.
    browser.go(&mut tab, &url);
    browser.until(&mut tab, &format!("location.pathname === '/lock' && {LOCKED}"));
    browser.until(&mut tab, "!!document.querySelector('[data-link].good')");
    post.store(vec![alert(2)]);
    browser.until(&mut tab, &format!("{SOUNDS} > 0"));
    shows_nothing(&mut browser, &mut tab);

    enter(&mut browser, &mut tab, "2580");
    browser.until(&mut tab, &format!("!{LOCKED} && location.pathname === '/'"));
    lists(&mut browser, &mut tab, 3);
    browser.until(&mut other, &format!("!{LOCKED} && document.title.includes('{place}')"));
    browser.until(&mut other, "document.querySelector('main [data-one] img').naturalWidth > 0");
}

/// Without a script the lock is a plain sheet.
#[test]
fn a_browser_without_scripts_has_the_sheet() {
    if !is_installed() {
        return;
    }
    let mut post = Post::start();
    let mut browser = Browser::start();
    let mut tab = browser.open(&post.url(), 1280, 800);
    begin(&mut browser, &post, &mut tab);
    give_pin(&mut post);
    browser.ask(&mut tab, "Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.go(&mut tab, &post.url());
    browser.value(&mut tab, "document.querySelector('[data-lock-now]').requestSubmit()");
    browser.until(&mut tab, "location.pathname === '/lock' && !!document.querySelector('main form')");
    browser.value(&mut tab, "document.querySelector('main [name=pin]').value = '2580'");
    browser.value(&mut tab, "document.querySelector('main form').requestSubmit()");
    browser.until(&mut tab, "location.pathname === '/' && !!document.querySelector('[data-list]')");
}
