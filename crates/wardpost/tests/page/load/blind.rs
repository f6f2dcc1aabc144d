//! Losses of the post in several ways: every page says that it is blind, and sounds.

use std::time::Duration;

use base::clock;

use super::proxy::Proxy;
use super::ward::Ward;
use super::{figure, full_or, number, page_at, times};
use crate::BLIND;
use crate::browser::{Browser, Tab, is_installed};
use wardpost::people::Role;

/// Ways in which a post is lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Killed,
    Stalled,
    /// Connections stay, and nothing comes through.
    BlackHole,
}

const LOSSES: [Loss; 3] = [Loss::Killed, Loss::Stalled, Loss::BlackHole];
/// Time within which a page says that it is blind.
const WITHIN: Duration = Duration::from_secs(15);

/// Times of the banner and of the request for its sound since `begin`, in milliseconds.
fn noticed(browser: &mut Browser, tab: &mut Tab, begin: f64) -> [f64; 2] {
    browser.until(tab, BLIND);
    let last = |list: &str, test: &str| format!("probe.{list}.findLast({test}).at(-1)");
    let banner = browser.value(tab, &last("banners", "([name, isShown]) => name === 'blind' && isShown"));
    let sound = browser.value(tab, &last("sounds", "([name]) => name.startsWith('blind ')"));
    [banner, sound].map(|at| number(&at) - begin)
}

#[test]
fn a_page_says_in_time_that_it_is_blind_whatever_the_loss() {
    if !is_installed() {
        return;
    }
    let losses = full_or(20, 3);
    let mut ward = Ward::start();
    let proxy = Proxy::start(ward.page_port());
    let token = ward.log_in("lan", Role::Officer);
    let mut browser = Browser::start();
    let mut tab = page_at(&mut browser, &format!("http://127.0.0.1:{}/", proxy.port()), &token);
    let mut spans = [Vec::new(), Vec::new()];
    for loss in LOSSES.iter().cycle().take(losses) {
        let begin = clock::wall().as_micros() as f64 / 1e3;
        match loss {
            Loss::Killed => ward.kill_server(),
            Loss::Stalled => ward.stall(),
            Loss::BlackHole => proxy.hold(true),
        }
        let noticed = noticed(&mut browser, &mut tab, begin);
        assert!(noticed.iter().all(|span| *span > 0.0), "{loss:?}: {noticed:?} is of the loss before");
        match loss {
            Loss::Killed => ward.start_server(),
            Loss::Stalled => ward.go_on(),
            Loss::BlackHole => proxy.hold(false),
        }
        browser.until(&mut tab, &format!("!({BLIND})"));
        // The beat comes all the time again, and with it the state of the link.
        browser.until(&mut tab, "!!document.querySelector('[data-link].good')");
        spans.iter_mut().zip(noticed).for_each(|(spans, span)| spans.push(span));
    }
    let limit = WITHIN.as_secs_f64() * 1e3;
    let in_time = spans[0].iter().zip(&spans[1]).filter(|both| both.0.max(*both.1) < limit).count();
    let text = format!(
        "{in_time} of {losses}, banner and sound (post killed, stalled, connection black-holed in turn)"
    );
    figure("blind", &format!("within {} s", WITHIN.as_secs()), &text);
    let [banner, sound] = spans;
    times("blind", "from the loss to the banner", banner, ("max", limit));
    times("blind", "from the loss to the request for the sound", sound, ("max", limit));
}
