//! The duty officers' page in a real browser: an officer logs in, takes and closes events by keyboard; two officers race; the
//! server goes away and comes back. `WARDPOST_PAGE_PICTURES=FOLDER` has pictures of the pages written there.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, says why it is skipped, and prints figures"
)]

mod browser;
mod faults;
mod http;
mod load;
mod lock;
mod map;
mod people;
mod post;
mod rights;
mod shift;

use browser::{Browser, Tab, is_installed};
use post::{Post, alert};
use serde_json::json;

/// Logs the first administrator in with the one-time code.
fn begin(browser: &mut Browser, post: &Post, tab: &mut Tab) {
    let code = post.code();
    browser.go(tab, &format!("{}begin", post.url()));
    for (field, text) in [
        ("code", code.as_str()),
        ("name", "lan"),
        ("full_name", "Trung úy Nguyễn Thị Lan"),
        ("password", "một hai ba bốn"),
    ] {
        browser.value(tab, &format!("document.querySelector('[name={field}]').focus()"));
        browser.write(tab, text);
    }
    browser.key(tab, "Enter");
    // The script runs once the feed has said its first word.
    browser.until(tab, "location.pathname === '/' && !!document.querySelector('[data-link].good')");
}

/// A post with so many events, and an officer who sees them in a window of this size.
fn on_duty(events: u64, width: u32, height: u32) -> (Post, Browser, Tab) {
    let mut post = Post::start();
    post.store((0..events).map(alert).collect());
    let mut browser = Browser::start();
    let mut tab = browser.open(&post.url(), width, height);
    begin(&mut browser, &post, &mut tab);
    lists(&mut browser, &mut tab, events);
    (post, browser, tab)
}

/// Waits until the list has so many events.
fn lists(browser: &mut Browser, tab: &mut Tab, events: u64) {
    browser.until(tab, &format!("document.querySelectorAll('[data-list] [data-event]').length === {events}"));
}

fn count(browser: &mut Browser, tab: &mut Tab) -> u64 {
    browser.value(tab, "document.querySelectorAll('[data-list] [data-event]').length").as_u64().unwrap()
}

/// True where the page says that it has lost the server.
pub const BLIND: &str = "(() => { const banner = document.querySelector('[data-banner=blind]'); \
                     return !banner.hidden && getComputedStyle(banner).visibility === 'visible'; })()";

/// Keeps a picture where a person asks for them.
pub fn keep(browser: &mut Browser, tab: &mut Tab, name: &str) {
    let Some(folder) = std::env::var_os("WARDPOST_PAGE_PICTURES") else { return };
    let picture = browser.picture(tab);
    std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
}

#[test]
fn an_officer_works_by_keyboard_alone() {
    if !is_installed() {
        return;
    }
    let (mut post, mut browser, mut tab) = on_duty(6, 1280, 800);
    keep(&mut browser, &mut tab, "queue");

    // The most severe is first.
    let severities = browser
        .value(&mut tab, "[...document.querySelectorAll('[data-event]')].map(e => e.dataset.severity)");
    assert_eq!(severities, json!(["critical", "critical", "warning", "warning", "notice", "notice"]));

    browser.key(&mut tab, "j");
    browser.until(&mut tab, "document.querySelectorAll('.event.selected').length === 1");
    let first = browser.value(&mut tab, "document.querySelector('.event.selected').dataset.event");
    browser.key(&mut tab, "t");
    browser.until(
        &mut tab,
        &format!("document.querySelector('[data-event={first}]').dataset.state === 'taken'"),
    );
    browser.key(&mut tab, "Enter");
    browser.until(&mut tab, "!!document.querySelector('[data-one]')");
    keep(&mut browser, &mut tab, "event");
    browser.key(&mut tab, "c");
    browser.until(&mut tab, "!!document.querySelector('[data-closing][open]')");
    browser.key(&mut tab, "2");
    browser.key(&mut tab, "Enter");
    browser.until(&mut tab, &format!("!document.querySelector('[data-list] [data-event={first}]')"));
    assert_eq!(count(&mut browser, &mut tab), 5);

    // An alert that arrives stands in the list by itself, and sounds.
    let sounds = "Number(document.documentElement.dataset.sounds ?? 0)";
    let before = browser.value(&mut tab, sounds).as_u64().unwrap();
    post.store(vec![alert(6)]);
    lists(&mut browser, &mut tab, 6);
    assert!(browser.value(&mut tab, sounds).as_u64().unwrap() > before, "it sounded");
    assert_eq!(tab.errors, Vec::<String>::new(), "no error in the console");
}

#[test]
fn a_shift_is_handed_over_and_the_figures_stand_in_a_plot_and_a_table() {
    if !is_installed() {
        return;
    }
    let (post, mut browser, mut tab) = on_duty(6, 1280, 800);
    browser.go(&mut tab, &format!("{}shift", post.url()));
    browser.value(&mut tab, "document.querySelector('form[action=\"/shift/begin\"]').requestSubmit()");
    browser.until(&mut tab, "!!document.querySelector('form[action=\"/shift/end\"]')");
    let text = browser.value(&mut tab, "document.querySelector('main').textContent");
    let text = text.as_str().unwrap();
    assert!(text.contains("Đang chờ (6)") && text.contains("Hẻm 42 Nguyễn Trãi"), "{text}");
    browser.value(&mut tab, "document.querySelector('[name=remark]').focus()");
    browser.write(&mut tab, "Cổng chợ: đã báo kỹ thuật");
    browser.key(&mut tab, "Enter");
    browser.until(&mut tab, "document.querySelector('main').textContent.includes('đã báo kỹ thuật')");
    keep(&mut browser, &mut tab, "hand-over");

    browser.go(&mut tab, &format!("{}figures?days=1", post.url()));
    assert_eq!(
        browser.value(&mut tab, "document.querySelectorAll('.stacked g title').length > 0"),
        json!(true),
        "the hours have columns"
    );
    // Each severity has a pattern of its own, which is drawn.
    let fills =
        "new Set([...document.querySelectorAll('.stacked g rect')].map(e => getComputedStyle(e).fill)).size";
    assert_eq!(browser.value(&mut tab, fills), json!(3));
    assert_eq!(browser.value(&mut tab, "document.querySelector('.tiles dd').textContent"), json!("6"));
    keep(&mut browser, &mut tab, "figures");
    let table = browser.value(&mut tab, "fetch('/figures.csv?days=1').then(answer => answer.text())");
    assert!(table.as_str().unwrap().contains("load,,events,6"), "{table}");
    assert!(table.as_str().unwrap().contains("to_take_below_seconds,15,events,0"), "{table}");
    browser.go(&mut tab, &format!("{}figures?by=shift", post.url()));
    let row = browser.value(&mut tab, "document.querySelector('.shifts tbody').textContent");
    assert!(row.as_str().unwrap().starts_with("lan"), "{row}");
    browser.value(&mut tab, "document.querySelector('.shifts tbody a').click()");
    browser.until(&mut tab, "location.search === '?shift=1' && document.querySelector('main').textContent.includes('Ca trực của lan')");
    browser.go(&mut tab, &format!("{}figures?days=7&back=1", post.url()));
    assert_eq!(browser.value(&mut tab, "document.querySelector('.tiles dd').textContent"), json!("0"));
    assert_eq!(browser.value(&mut tab, "!!document.querySelector('a[rel=next]')"), json!(true));
    assert_eq!(tab.errors, Vec::<String>::new());
}

#[test]
fn a_page_is_blind_without_its_server_and_sees_all_afterwards() {
    if !is_installed() {
        return;
    }
    let (mut post, mut browser, mut tab) = on_duty(1, 1280, 800);
    assert_eq!(browser.value(&mut tab, BLIND), json!(false));
    post.stop_page();
    browser.until(&mut tab, BLIND);

    post.store((1..4).map(alert).collect());
    post.start_page();
    browser.until(&mut tab, &format!("!({BLIND})"));
    lists(&mut browser, &mut tab, 4);
    let numbers = "new Set([...document.querySelectorAll('[data-event]')].map(e => e.dataset.event)).size";
    assert_eq!(browser.value(&mut tab, numbers), json!(4), "nothing twice");
}

/// The server goes while the page loads: its scripts may be missing, and nothing but the page itself can say so.
#[test]
fn a_page_that_was_half_loaded_is_blind_too() {
    if !is_installed() {
        return;
    }
    let mut post = Post::start();
    let mut browser = Browser::start();
    let mut tab = browser.open(&post.url(), 1280, 800);
    begin(&mut browser, &post, &mut tab);
    let blocked = json!({ "urls": ["*/assets/*.js"] });
    browser.ask(&mut tab, "Network.enable", json!({}));
    browser.ask(&mut tab, "Network.setBlockedURLs", blocked);
    browser.ask(&mut tab, "Network.setCacheDisabled", json!({ "cacheDisabled": true }));
    browser.go(&mut tab, &post.url());
    post.stop_page();
    browser.until(&mut tab, BLIND);
}

#[test]
fn a_phone_and_the_night_fit() {
    if !is_installed() {
        return;
    }
    let (post, mut browser, mut tab) = on_duty(6, 360, 720);
    keep(&mut browser, &mut tab, "phone");
    let wide = browser.value(&mut tab, "document.documentElement.scrollWidth").as_u64().unwrap();
    assert!(wide <= 360, "the page is {wide} pixels wide on a phone of 360");
    browser.value(&mut tab, "document.cookie = 'theme=night; path=/'");
    let size = json!({ "width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false });
    browser.ask(&mut tab, "Emulation.setDeviceMetricsOverride", size);
    browser.go(&mut tab, &post.url());
    lists(&mut browser, &mut tab, 6);
    let ground = browser.value(&mut tab, "getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, json!("rgb(12, 18, 24)"));
    keep(&mut browser, &mut tab, "night");
}

#[test]
fn a_name_with_a_script_stays_text() {
    if !is_installed() {
        return;
    }
    let mut post = Post::start();
    post.store(vec![post::named(0, "<script>document.title='taken'</script><img src=x onerror=alert(1)>")]);
    let mut browser = Browser::start();
    let mut tab = browser.open(&post.url(), 1280, 800);
    begin(&mut browser, &post, &mut tab);
    browser.until(&mut tab, "document.querySelector('[data-event] h3').textContent.startsWith('<script>')");
    assert_ne!(browser.value(&mut tab, "document.title"), json!("taken"));
    assert_eq!(
        browser.value(
            &mut tab,
            "document.querySelectorAll('[data-event] h3 script, [data-event] h3 img').length"
        ),
        json!(0)
    );
}

/// Faults of accessibility that axe-core calls serious or critical. `WARDPOST_AXE` names its script, which `make page-axe` fetches.
#[test]
fn an_accessibility_checker_finds_nothing_serious() {
    let Some(script) = std::env::var_os("WARDPOST_AXE") else {
        eprintln!("skipped: `make page-axe` tries the page with axe-core");
        return;
    };
    let script = std::fs::read_to_string(script).unwrap();
    let mut post = Post::start();
    post.store((0..6).map(alert).collect());
    let mut browser = Browser::start();
    let mut tab = browser.open(&format!("{}begin", post.url()), 1280, 800);
    let mut seen = vec![serious(&mut browser, &mut tab, &script, "begin")];
    begin(&mut browser, &post, &mut tab);
    browser.go(&mut tab, &format!("{}shift", post.url()));
    for form in ["begin", "end"] {
        browser.value(
            &mut tab,
            &format!("document.querySelector('form[action=\"/shift/{form}\"]').requestSubmit()"),
        );
        browser.until(&mut tab, &format!("document.readyState === 'complete' && !document.querySelector('form[action=\"/shift/{form}\"]')"));
    }
    for theme in ["day", "night"] {
        browser.value(&mut tab, &format!("document.cookie = 'theme={theme}; path=/'"));
        for path in [
            "",
            "event?id=1",
            "shelves",
            "account",
            "people",
            "lock",
            "event/print?id=1",
            "?tab=closed",
            "shift",
            "shift/print?id=1",
            "figures",
            "figures?by=shift",
            "map",
            "map?edit=1",
        ] {
            browser.go(&mut tab, &format!("{}{path}", post.url()));
            seen.push(serious(&mut browser, &mut tab, &script, &format!("{theme} /{path}")));
        }
    }
    browser.go(&mut tab, &post.url());
    browser.value(&mut tab, "document.querySelector('[data-lock-now]').requestSubmit()");
    browser.until(&mut tab, "document.querySelector('[data-lock]').open");
    seen.push(serious(&mut browser, &mut tab, &script, "the lock"));
    let seen: Vec<String> = seen.into_iter().flatten().collect();
    assert!(seen.is_empty(), "{}", seen.join("\n"));
}

/// The serious faults of a page.
fn serious(browser: &mut Browser, tab: &mut Tab, script: &str, name: &str) -> Vec<String> {
    browser.value(tab, &format!("{script}; true"));
    let found = browser.value(
        tab,
        "axe.run().then(result => result.violations.filter(one => ['serious', 'critical'].includes(one.impact))
            .map(one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html + ' ' + node.failureSummary).join(' | ')))",
    );
    let faults = found.as_array().unwrap().iter();
    faults.map(|fault| format!("{name}: {}", fault.as_str().unwrap_or_default())).collect()
}
