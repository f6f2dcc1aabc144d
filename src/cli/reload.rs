//! `wardwatch reload`: has the daemon read its configuration anew, and waits for the outcome.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::run::START_MAX;
use crate::telemetry::configuration::{self, Configuration, Extent};
use crate::telemetry::state;
use base::clock;

/// Interval of looking for the outcome.
const POLL: Duration = Duration::from_millis(50);
/// Name of the daemon's process.
const PROGRAM: &str = "wardwatch";

/// Arguments of `wardwatch reload`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The daemon's process [default: as its files say]
    #[arg(long, value_name = "PID")]
    pid: Option<i32>,
    /// The folder that `wardwatch run` was given as --runtime-directory.
    #[arg(long, value_name = "FOLDER", env = "RUNTIME_DIRECTORY", default_value = state::DEFAULT_DIRECTORY)]
    runtime_directory: PathBuf,
}

/// Returns 0 once all of the configuration is in force.
///
/// # Errors
/// A configuration with a fault, with each fault; no daemon that could be told.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let before = configuration::read(&args.runtime_directory).context(
        "no daemon that says which configuration is in force; start it: systemctl start wardwatch",
    )?;
    let number = args.pid.unwrap_or(i32::try_from(before.pid)?);
    // systemd knows the daemon's process; in the unit, no process may look at another one.
    let is_known = args.pid.is_some() || is_daemon(number);
    let Some(pid) = Pid::from_raw(number).filter(|_| number > 0 && is_known) else {
        bail!("process {number} is no daemon of wardwatch; start it: systemctl start wardwatch");
    };
    let asked = clock::monotonic().as_nanos();
    kill_process(pid, Signal::HUP).map_err(|error| match error {
        Errno::PERM => anyhow::anyhow!("the daemon belongs to another user; run this as root"),
        error => anyhow::anyhow!("the daemon, process {number}, cannot be told: {error}"),
    })?;
    let outcome = outcome(args, pid, asked)?;
    if outcome.in_force != Extent::Whole {
        bail!("the configuration is not in force:\n{}", outcome.faults.join("\n"));
    }
    println!("the configuration is in force");
    Ok(ExitCode::SUCCESS)
}

/// Waits until the files have been read at `asked`, in nanoseconds since boot, or later.
fn outcome(args: &Args, pid: Pid, asked: u64) -> anyhow::Result<Configuration> {
    loop {
        match configuration::read(&args.runtime_directory) {
            Ok(found) if found.read_at_nanos >= asked => return Ok(found),
            _ if test_kill_process(pid) == Err(Errno::SRCH) => {
                bail!("the daemon ended before it had read the configuration; see journalctl -u wardwatch");
            }
            _ => {}
        }
        let waited = Duration::from_nanos(clock::monotonic().as_nanos().saturating_sub(asked));
        if waited > START_MAX {
            bail!(
                "the daemon has said nothing for {} minutes; see `wardwatch status`",
                waited.as_secs() / 60
            );
        }
        std::thread::sleep(POLL);
    }
}

/// True if this process is a daemon. Its number may stand in a file that a killed daemon left.
fn is_daemon(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == PROGRAM)
}
