//! `wardwatch session`: a stream's child process. Started by the daemon only.

use std::process::ExitCode;

/// Arguments of `wardwatch session`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Bring the list of GStreamer plugins up to date and end.
    #[arg(long)]
    prepare: bool,
    /// Apply a session's sandbox and try to break each of its rules.
    #[arg(long)]
    try_sandbox: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    if args.try_sandbox {
        return try_sandbox();
    }
    if args.prepare { camera::prepare_child() } else { camera::run_child() }
}

fn try_sandbox() -> ExitCode {
    match camera::try_sandbox() {
        Ok(tries) => {
            for (what, refused) in &tries {
                println!("{what}: {}", if *refused { "refused" } else { "allowed" });
            }
            ExitCode::SUCCESS
        }
        Err(missing) => {
            missing.iter().for_each(|rule| println!("not applied: {rule}"));
            ExitCode::from(super::FOUND)
        }
    }
}
