//! The store's promises under power cuts, kill -9, full disks and disks that fail.
//!
//! A child process ([`load`]) records made-up footage and alerts and reports its acts on a pipe; faults hit it or its
//! disk; then [`promise`] compares the disk with the reports. With `WARDWATCH_FAULTS=full` each runs for minutes
//! (`make faults`), otherwise for seconds. `make faults` collects the `figure:` lines.

mod block_log;
mod change;
mod courier;
mod disk;
mod kill;
mod load;
mod mounts;
mod outage;
mod pipeline;
mod power;
mod promise;
mod stills;
mod thin;
pub mod ward;

/// Number of rounds: `few`, or `full` when everything was asked for.
fn rounds(few: u32, full: u32) -> u32 {
    let asked = std::env::var("WARDWATCH_FAULTS").is_ok_and(|value| value == "full");
    if asked { full } else { few }
}

/// Prints a measured value, for `make faults` to collect.
fn figure(scenario: &str, what: &str, value: impl std::fmt::Display) {
    eprintln!("figure: {scenario}: {what}: {value}");
}
