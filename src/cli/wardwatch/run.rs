//! `wardwatch run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::agent::Agent;
use crate::config;

/// Arguments of `wardwatch run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration; `conf.d/*.toml` beside it is read too.
    #[arg(long, default_value = config::DEFAULT_PATH)]
    config: PathBuf,
}

/// Runs until SIGTERM or SIGINT. SIGHUP takes up a changed configuration; one with problems changes nothing.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let mut settings = config::load(&args.config)?;
    let mut agent = Agent::start(settings.clone(), None)?;
    tracing::info!(cameras = settings.cameras.len(), rules = settings.rules.len(), "running");
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        match config::load(&args.config) {
            Err(problems) => {
                tracing::error!("the configuration is not taken up, the last good one goes on: {problems}")
            }
            Ok(new) => (agent, settings) = reload(agent, settings, new)?,
        }
    }
    agent.stop();
    Ok(ExitCode::SUCCESS)
}

/// Takes up `new`, with as little disturbance as it allows; falls back to `old` where `new` cannot start.
fn reload(
    mut agent: Agent,
    old: config::Settings,
    new: config::Settings,
) -> anyhow::Result<(Agent, config::Settings)> {
    if agent.reload(new.clone()) {
        tracing::info!("the configuration is taken up");
        return Ok((agent, new));
    }
    agent.stop();
    match Agent::start(new.clone(), None) {
        Ok(agent) => {
            tracing::info!("the configuration is taken up; everything was started anew");
            Ok((agent, new))
        }
        Err(error) => {
            tracing::error!("the new configuration cannot run, the last good one goes on: {error:#}");
            let agent = Agent::start(old.clone(), None);
            Ok((agent.context("the last good configuration does not start any more either")?, old))
        }
    }
}
