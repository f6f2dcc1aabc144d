//! The page under load and faults, with a real broker, the real post as a process, and a real browser: `make bench-page`.
//!
//! Each test prints figures, and asserts only that nothing is missing and nothing comes twice. In the ordinary suite they run with
//! small counts; `WARDPOST_LOAD=full` asks for all of them.

mod arrival;
mod blind;
mod boxes;
mod flood;
mod hidden;
mod judge;
mod kills;
mod proxy;
mod races;
mod storm;
mod subscriber;
mod ward;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::{Browser, Tab};
use ward::Ward;
use wardpost::people::Role;

/// Time within which a thing that must come has come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Notes what a page is told and shows.
const PROBE: &str = include_str!("probe.js");

/// The first number where all was asked for, else the second.
fn full_or<T>(full: T, small: T) -> T {
    if std::env::var_os("WARDPOST_LOAD").is_some_and(|asked| asked == "full") { full } else { small }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Prints a figure for scripts/figures.awk.
fn figure(scenario: &str, name: &str, value: &str) {
    println!("figure: {scenario}: {name}: {value}");
}

/// Prints median, 95th and 99th percentile and maximum of times in milliseconds, with the limit that one of them aims at.
fn times(scenario: &str, name: &str, mut times: Vec<f64>, aim: (&str, f64)) {
    times.sort_by(f64::total_cmp);
    let of = |part: f64| times[((times.len() as f64 * part).ceil() as usize).clamp(1, times.len()) - 1];
    let values = [("p50", of(0.5)), ("p95", of(0.95)), ("p99", of(0.99)), ("max", of(1.0))];
    let texts: Vec<String> = values.iter().map(|(part, time)| format!("{part} {time:.0} ms")).collect();
    let reached = values.iter().find(|(part, _)| *part == aim.0).map_or(f64::MAX, |(_, time)| *time);
    let verdict = if reached < aim.1 { "met" } else { "missed" };
    let aim = format!("aim {} under {:.0} ms: {verdict}", aim.0, aim.1);
    figure(scenario, name, &format!("{} of {} ({aim})", texts.join(", "), times.len()));
}

/// The queue as an officer of this name has it, in a browser that has nothing in common with those of others.
fn page(browser: &mut Browser, ward: &Ward, name: &str) -> Tab {
    page_at(browser, &ward.url(), &ward.log_in(name, Role::Officer))
}

fn page_at(browser: &mut Browser, url: &str, token: &str) -> Tab {
    let mut tab = browser.open_apart(url, ("wardpost", token), PROBE);
    browser.until(&mut tab, "!!document.querySelector('[data-link].good')");
    tab
}

/// A number that the page gives.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}
