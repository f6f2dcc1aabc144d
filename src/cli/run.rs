//! `wardwatch run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config;
use crate::run::{Daemon, Surroundings};
use base::progress;
use program::systemd::{self, Watchdog};

/// Maximum time of a start or a reload: a lost index is rebuilt from all footage.
const START_MAX: Duration = Duration::from_secs(30 * 60);

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
}

/// Runs until SIGTERM or SIGINT. SIGHUP applies a changed configuration; one with problems changes nothing.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let _unit = progress::begin("the start", START_MAX);
    let surroundings = Surroundings { program: None, runtime_directory: args.runtime_directory.clone() };
    let mut settings = config::load(&args.config)?;
    let mut daemon = Daemon::start(settings.clone(), surroundings.clone())?;
    let _watchdog = Watchdog::start().context("cannot start the watchdog's thread")?;
    systemd::ready(&summary(&settings));
    tracing::info!(cameras = settings.cameras.len(), rules = settings.rules.len(), "running");
    let mut signals = signals.forever();
    while progress::wait(|| signals.next()) == Some(SIGHUP) {
        systemd::reloading();
        match config::load(&args.config) {
            Err(problems) => {
                tracing::error!(
                    "the new configuration is not used, the previous one stays in force: {problems}"
                )
            }
            Ok(new) => (daemon, settings) = reload(daemon, settings, new, &surroundings)?,
        }
        systemd::ready(&summary(&settings));
    }
    systemd::stopping();
    daemon.stop();
    Ok(ExitCode::SUCCESS)
}

fn summary(settings: &config::Settings) -> String {
    format!("{} cameras, {} rules", settings.cameras.len(), settings.rules.len())
}

/// Applies `new`, with as little disturbance as it allows; falls back to `old` where `new` cannot start.
fn reload(
    mut daemon: Daemon,
    old: config::Settings,
    new: config::Settings,
    surroundings: &Surroundings,
) -> anyhow::Result<(Daemon, config::Settings)> {
    if daemon.reload(new.clone()) {
        tracing::info!("the new configuration is in force");
        return Ok((daemon, new));
    }
    daemon.stop();
    match Daemon::start(new.clone(), surroundings.clone()) {
        Ok(daemon) => {
            tracing::info!("the new configuration is in force; cameras, store and broker were restarted");
            Ok((daemon, new))
        }
        Err(error) => {
            tracing::error!("the new configuration cannot start, the previous one stays in force: {error:#}");
            let daemon = Daemon::start(old.clone(), surroundings.clone());
            Ok((daemon.context("the previous configuration does not start any more either")?, old))
        }
    }
}
