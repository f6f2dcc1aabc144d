//! The command line: one file per subcommand, nothing but argument parsing and printing.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

mod check;
mod session;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code: what was asked cannot be done.
pub const CANNOT: u8 = 1;
/// Exit code: something wrong was found.
pub const FOUND: u8 = 3;

/// Records street cameras untouched, looks at them, and alerts the ward post.
#[derive(Debug, Parser)]
#[command(name = "wardwatch", version, propagate_version = true, max_term_width = 110)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(hide = true)]
    Session(session::Args),
    Check(check::Args),
}

/// Runs what the command line asks for. Errors are printed with their causes; the result is the process's exit code.
pub fn main() -> ExitCode {
    let line = Line::parse();
    start_log();
    let result = match line.command {
        Command::Session(args) => Ok(session::run(&args)),
        Command::Check(args) => check::run(args),
    };
    result.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("wardwatch: {error:#}");
        ExitCode::from(CANNOT)
    })
}

/// Log lines go to standard error, as journald wants them; RUST_LOG chooses which.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,tract=warn,rumqttc=warn"));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    log.init();
}
