//! Checks that a box is ready for the road: configuration, model, cameras, disk, clock, broker, one finding each. Changes
//! nothing but a file on the store's disk, which it removes again. Where the daemon runs already, its state of cameras
//! and broker counts: a second connection could cost a camera or a broker its only one.

mod broker;
mod cameras;
mod disk;
pub mod footage;
mod inference;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::config::{self, Problem, Reader};
use crate::infer::Factory;
use crate::run::Surroundings;
use crate::telemetry::state::{self, State};
use base::clock::{self, Clock as _, SystemClock};
use base::fault::chain;
use base::ids::CameraId;
use base::time::ClockState;

/// Outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Verdict {
    /// As it should be.
    #[serde(rename = "pass")]
    Ok,
    /// The box works, and an operator should know of this. JSON keeps the older name.
    #[serde(rename = "mind")]
    Warning,
    /// The box does not work as it should.
    #[serde(rename = "fail")]
    Failed,
}

/// Finding about one thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The thing: `configuration`, `model`, `camera gate`, ...
    pub about: String,
    /// Outcome of its check.
    pub verdict: Verdict,
    /// Observation, with its numbers.
    pub what: String,
    /// Remedy; none where the check passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self { about: about.into(), verdict: Verdict::Ok, what: what.into(), remedy: None }
    }

    fn warning(about: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { about: about.into(), verdict: Verdict::Warning, what: what.into(), remedy }
    }

    fn failed(about: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, ..Self::warning(about, what, remedy) }
    }
}

/// Checks everything that `config` names and that `reader` must be able to read, and passes each finding to `say` as soon as
/// it is there. Blocks for some seconds, for `patience` where a camera is silent. Stops at a configuration with problems:
/// nothing else can be checked.
pub fn examine(
    config: &Path,
    reader: Reader,
    surroundings: &Surroundings,
    patience: Duration,
    say: &mut dyn FnMut(Finding),
) {
    let settings = match config::load_for(config, reader) {
        Ok(settings) => settings,
        Err(problems) => {
            let remedy = "correct it, and run `wardwatch check`; nothing else was checked";
            return say(Finding::failed("configuration", problems.to_string(), remedy));
        }
    };
    let (cameras, rules) = (settings.cameras.len(), settings.rules.len());
    let counts = format!("{}: {cameras} camera(s), {rules} rule(s)", config.display());
    say(match (cameras, rules) {
        (0, _) => Finding::failed("configuration", counts, "add a [camera.ID]"),
        (_, 0) => {
            Finding::warning("configuration", counts, "the box records and sends no alerts: add a [rule.ID]")
        }
        _ => Finding::ok("configuration", counts),
    });
    for Problem { file, line, key, what, remedy } in &settings.warnings {
        say(Finding::warning("configuration", format!("{}:{line}: {key}: {what}", file.display()), remedy));
    }
    model(&settings, say);
    say(of_the_clock(SystemClock.now().clock));
    let running = running(surroundings);
    if let Some(state) = &running {
        let what = format!("wardwatch {} runs (process {})", state.status.version, state.pid);
        say(Finding::ok("daemon", what));
        for fault in &state.status.configuration_faults {
            let remedy = "correct it, then: systemctl reload wardwatch; a new secret needs systemctl restart wardwatch";
            say(Finding::failed("configuration in force", fault, remedy));
        }
    }
    let bytes_per_second = match &running {
        Some(state) => cameras::as_reported(&settings, state, say),
        None => cameras::connect(&settings, surroundings, patience, say),
    };
    let cameras: Vec<CameraId> = settings.cameras.iter().map(|camera| camera.camera.id.clone()).collect();
    disk::examine(&settings.store, &cameras, bytes_per_second, say);
    broker::examine(&settings.broker, running.as_ref(), say);
}

/// The state of a running daemon; `None` where it is missing or too old.
fn running(surroundings: &Surroundings) -> Option<State> {
    let directory = surroundings.runtime_directory.as_deref()?;
    let state = state::read(directory).ok()?;
    let age = clock::wall().since(state.written_at);
    (age <= Duration::from_secs(3 * state::INTERVAL_SECONDS)).then_some(state)
}

fn model(settings: &config::Settings, say: &mut dyn FnMut(Finding)) {
    match Factory::new(&settings.detect) {
        Ok(factory) => {
            let model = factory.model();
            let hash =
                model.sha256.as_deref().map_or(String::new(), |hash| format!(", sha256 {}", &hash[..12]));
            say(Finding::ok("model", format!("{}{hash}", model.name)));
            inference::examine(settings, &factory, say);
        }
        Err(error) => {
            let remedy = "see `wardwatch model check`, or write model = \"street-nano\" into [detector]";
            say(Finding::failed("model", chain(&error), remedy));
        }
    }
}

fn of_the_clock(state: ClockState) -> Finding {
    let now = clock::wall();
    match state {
        ClockState::Synced => Finding::ok("clock", format!("{now}, synchronised")),
        ClockState::Holdover => {
            let remedy = "footage and alerts carry this mark; see `timedatectl timesync-status`";
            Finding::warning("clock", format!("{now}, synchronised earlier, not now"), remedy)
        }
        ClockState::Unsynced => {
            let remedy = "certificates may seem invalid and schedules may be wrong: check the network, and `timedatectl`";
            Finding::failed("clock", format!("{now}, not synchronised since the box started"), remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_fails_and_one_that_was_does_not() {
        let verdict = |state| of_the_clock(state).verdict;
        assert_eq!(verdict(ClockState::Synced), Verdict::Ok);
        assert_eq!(verdict(ClockState::Holdover), Verdict::Warning);
        assert_eq!(verdict(ClockState::Unsynced), Verdict::Failed);
    }

    #[test]
    fn a_configuration_with_problems_is_all_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wardwatch.toml");
        std::fs::write(&path, "[box]\nward = \"Bến Nghé\"\n").unwrap();
        let mut found = Vec::new();
        examine(&path, Reader::Process, &Surroundings::default(), Duration::from_secs(1), &mut |finding| {
            found.push(finding)
        });
        assert_eq!(found.len(), 1);
        assert!(
            found[0].verdict == Verdict::Failed && found[0].what.contains("wardwatch.toml:2"),
            "{found:?}"
        );
    }
}
