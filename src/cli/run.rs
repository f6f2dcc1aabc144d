//! `wardwatch run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config;
use crate::run::{InForce, Options, Surroundings};
use base::progress;
use program::systemd::{self, Watchdog};

/// Maximum time of a start or a reload: a lost index is rebuilt from all footage.
pub(super) const START_MAX: Duration = Duration::from_secs(30 * 60);

/// Arguments of `wardwatch run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration; `conf.d/*.toml` beside it is read too.
    #[arg(long, default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// Folder for the box's state, which `wardwatch status` reads, and its metrics: one whose files do not outlive a
    /// restart of the machine. systemd names it by itself. Without one, neither is written.
    #[arg(long, value_name = "FOLDER", env = "RUNTIME_DIRECTORY")]
    runtime_directory: Option<PathBuf>,
    /// Stay up where the configuration has faults, as the unit does: run the last one without a fault, else the part that has
    /// none, and say in `wardwatch status` what does not run. Without it, a fault at the start ends the program.
    #[arg(long)]
    stay_up: bool,
    /// Folder for the copy of the last configuration without a fault, with --stay-up. systemd names it by itself.
    #[arg(long, value_name = "FOLDER", env = "STATE_DIRECTORY")]
    state_directory: Option<PathBuf>,
}

/// Runs until SIGTERM or SIGINT. SIGHUP applies a changed configuration; one with problems changes nothing.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let _unit = progress::begin("the start", START_MAX);
    let mut in_force = InForce::start(args.options())?;
    let _watchdog = Watchdog::start().context("cannot start the watchdog's thread")?;
    systemd::ready(&in_force.summary());
    in_force.tell();
    tracing::info!("running: {}", in_force.summary());
    let mut signals = signals.forever();
    while progress::wait(|| signals.next()) == Some(SIGHUP) {
        systemd::reloading();
        in_force.reload()?;
        systemd::ready(&in_force.summary());
        // After that message: systemd would take an end of `wardwatch reload` before it for the end of the reload.
        in_force.tell();
    }
    systemd::stopping();
    in_force.stop();
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn options(&self) -> Options {
        let runtime_directory = self.runtime_directory.clone();
        let copy = self.state_directory.as_ref().filter(|_| self.stay_up);
        Options {
            config: self.config.clone(),
            surroundings: Surroundings { runtime_directory, ..Surroundings::default() },
            stays_up: self.stay_up,
            copy: copy.map(|folder| folder.join("configuration.json")),
        }
    }
}
