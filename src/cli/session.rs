//! `wardwatch session`: a stream's child process. Started by the daemon only.

use std::process::ExitCode;

/// Arguments of `wardwatch session`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Bring the list of GStreamer plugins up to date and end.
    #[arg(long)]
    prepare: bool,
    /// Put up a session's walls and run against each of them.
    #[arg(long)]
    try_walls: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    if args.try_walls {
        return try_walls();
    }
    if args.prepare { camera::prepare_child() } else { camera::run_child() }
}

fn try_walls() -> ExitCode {
    match camera::try_walls() {
        Ok(tries) => {
            for (what, refused) in &tries {
                println!("{what}: {}", if *refused { "refused" } else { "allowed" });
            }
            ExitCode::SUCCESS
        }
        Err(missing) => {
            missing.iter().for_each(|wall| println!("not applied: {wall}"));
            ExitCode::from(super::FOUND)
        }
    }
}
