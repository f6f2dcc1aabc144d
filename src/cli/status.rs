//! `wardwatch status`: the state of the running box, from the daemon's files under `/run`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::telemetry::configuration::{self, Extent};
use crate::telemetry::state::{self, State, StateError};
use base::clock;
use base::status::{CameraStatus, StoreState, StreamState};
use base::time::{ClockState, WallTime, in_words};
use base::vitals::CameraVitals;

/// Maximum age of a state; an older one is out of date.
const AGE_MAX: Duration = Duration::from_secs(3 * state::INTERVAL_SECONDS);

/// Arguments of `wardwatch status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder that `wardwatch run` was given as --runtime-directory.
    #[arg(long, value_name = "FOLDER", default_value = state::DEFAULT_DIRECTORY)]
    runtime_directory: PathBuf,
    /// Print one JSON object instead: the state of the daemon, `age_seconds`, and `troubles`. Times are in UTC.
    #[arg(long)]
    json: bool,
}

/// Prints the box's state; returns 3 where it has a fault.
///
/// # Errors
/// No daemon has written its state.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let state = match state::read(&args.runtime_directory) {
        Err(absent @ StateError::Absent { .. }) => return idle(args, absent),
        read => read?,
    };
    let now = clock::wall();
    let troubles = troubles(&state, now);
    if args.json {
        let mut all = serde_json::to_value(&state)?;
        all["age_seconds"] = now.since(state.written_at).as_secs_f64().into();
        all["troubles"] = serde_json::to_value(&troubles)?;
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        lines(&state, now).iter().for_each(|line| println!("{line}"));
        troubles.iter().for_each(|trouble| println!("!  {trouble}"));
    }
    Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(super::FOUND) })
}

/// Prints the state of a daemon that runs nothing, since its configuration has a fault; the error `absent` where there is none.
fn idle(args: &Args, absent: StateError) -> anyhow::Result<ExitCode> {
    let found = configuration::read(&args.runtime_directory).ok();
    let Some(found) = found.filter(|found| found.in_force == Extent::Nothing) else {
        return Err(absent.into());
    };
    let mut troubles = vec![
        "nothing is recorded and no alert is sent: correct the configuration, then: systemctl reload wardwatch".to_owned(),
    ];
    troubles.extend(found.faults.iter().cloned());
    if args.json {
        let all = serde_json::json!({ "configuration": found, "troubles": troubles });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("box      nothing runs, since the configuration has faults (process {})", found.pid);
        troubles.iter().for_each(|trouble| println!("!  {trouble}"));
    }
    Ok(ExitCode::from(super::FOUND))
}

/// Faults that need a person's attention.
fn troubles(state: &State, now: WallTime) -> Vec<String> {
    let mut found = Vec::new();
    let age = now.since(state.written_at);
    if age > AGE_MAX {
        let (age, pid) = (in_words(age), state.pid);
        found.push(format!("the daemon (process {pid}) has said nothing for {age}: see `systemctl status wardwatch` and `journalctl -u wardwatch`"));
    }
    found.extend(state.status.configuration_faults.iter().cloned());
    for CameraStatus { id, state, reason, .. } in &state.status.cameras {
        if matches!(state, StreamState::BackingOff | StreamState::Misconfigured) {
            found.push(format!(
                "camera {id} gives no picture: {}",
                reason.as_deref().unwrap_or("the reason is not known")
            ));
        }
    }
    if let Some(store) = state.status.store.as_ref().filter(|store| store.state != StoreState::Keeping) {
        found.push(format!(
            "recording has a fault: {}",
            store.reason.as_deref().unwrap_or("the reason is not known")
        ));
    }
    let broker = &state.broker;
    if !broker.connected {
        let reason = broker.reason.as_deref().unwrap_or("not connected yet");
        found.push(format!("alerts are not sent: {reason}"));
    }
    for warning in &broker.warnings {
        if broker.connected || broker.reason.as_ref() != Some(warning) {
            found.push(warning.clone());
        }
    }
    if state.status.clock == ClockState::Unsynced {
        let remedy = "check the network, and `timedatectl`";
        found.push(format!("the clock was not set since the box started: {remedy}"));
    }
    found
}

fn lines(state: &State, now: WallTime) -> Vec<String> {
    let (status, broker) = (&state.status, &state.broker);
    let since = |at: WallTime| in_words(now.since(at));
    let mut lines = vec![format!(
        "box      {} in ward {}, wardwatch {}, running for {} (process {})",
        status.box_id,
        status.ward,
        status.version,
        since(status.started_at),
        state.pid
    )];
    for camera in &status.cameras {
        let of = state.vitals.iter().flat_map(|vitals| &vitals.cameras).find(|of| of.id == camera.id);
        let seen = of.map_or(String::new(), seen);
        lines.push(format!(
            "camera   {}: {} for {}{seen}",
            camera.id,
            word(camera.state),
            since(camera.since)
        ));
        lines.extend(camera.notes.iter().map(|note| format!("         {note}")));
        let skipped = camera.input.and_then(|input| input.in_words());
        lines.extend(skipped.map(|words| format!("         since the daemon started: {words}")));
    }
    if let Some(disk) = state.vitals.as_ref().map(|vitals| &vitals.disk) {
        let free = disk.free_bytes.map_or(String::new(), |free| format!(", {} free on the disk", gib(free)));
        let held = if disk.held_bytes > 0 {
            format!(", {} held as evidence", gib(disk.held_bytes))
        } else {
            String::new()
        };
        let lost = match state.store.lost_fragments_total {
            0 => String::new(),
            lost => format!(", {lost} fragments lost"),
        };
        lines.push(format!("footage  {}{held}{free}{lost}", gib(disk.clip_bytes)));
    }
    let link = if broker.connected { "connected to" } else { "not connected to" };
    let oldest =
        status.oldest_unacknowledged.map_or(String::new(), |at| format!(", the oldest for {}", since(at)));
    lines.push(format!(
        "alerts   {link} {} for {}; {} sent, {} wait{oldest}",
        broker.address,
        since(broker.since),
        broker.published_total,
        status.outbox_depth
    ));
    if let Some(stills) = state.stills {
        let lacking = match stills.lacking_total {
            0 => String::new(),
            lacking => format!("; {lacking} alerts lack one (the log says why)"),
        };
        lines.push(format!(
            "stills   {} made, {} sent, {} wait{lacking}",
            stills.made_total, stills.published_total, stills.waiting
        ));
    }
    if let Some(vitals) = &state.vitals {
        let celsius =
            vitals.temperature_celsius.map_or(String::new(), |celsius| format!(", {celsius:.0} °C"));
        let memory = vitals.memory.daemon_bytes.map_or(0, |bytes| bytes >> 20);
        let clock = match status.clock {
            ClockState::Synced => "right",
            ClockState::Holdover => "synchronised earlier, not now",
            ClockState::Unsynced => "not synchronised since the start",
        };
        lines.push(format!("machine  clock {clock}{celsius}, daemon {memory} MiB"));
    }
    lines
}

fn seen(of: &CameraVitals) -> String {
    let short = match of.shortfall_looks_per_second {
        short if short > 0.05 => format!(", {short:.1} more were needed"),
        _ => String::new(),
    };
    format!("; {:.1} frames and {:.1} inferences a second{short}", of.fps, of.looks_per_second)
}

fn word(state: StreamState) -> &'static str {
    match state {
        StreamState::Live => "live",
        StreamState::Connecting => "connecting",
        StreamState::BackingOff => "away",
        StreamState::Misconfigured => "misconfigured",
        StreamState::Ended => "played to its end",
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::state::tests::example;

    #[test]
    fn warnings_about_the_broker_are_troubles_and_are_said_once() {
        let mut state = example();
        let now = state.written_at;
        state.status.cameras.clear();
        assert_eq!(troubles(&state, now), [""; 0]);
        let refused = "the broker does not let this box read ack".to_owned();
        state.broker.warnings = vec![refused.clone()];
        assert_eq!(troubles(&state, now), [refused.as_str()]);
        (state.broker.connected, state.broker.reason) = (false, Some(refused.clone()));
        assert_eq!(troubles(&state, now), [format!("alerts are not sent: {refused}")]);
    }
}
