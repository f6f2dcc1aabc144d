//! The command line: one file per subcommand, nothing but argument parsing and printing.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

pub mod check;
mod clips;
#[cfg(feature = "demo")]
mod demo;
mod model;
mod replay;
mod run;
mod session;
mod store;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

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
    /// Runs the box: records, looks, and sends alerts.
    Run(run::Args),
    /// Checks the configuration and says what the box would do.
    Check(check::Args),
    /// Analyses a video file as fast as the machine can; prints JSON lines.
    Replay(replay::Args),
    /// Lists and exports footage, and says who did.
    Clips(clips::Args),
    /// Lists, checks and measures detection models.
    Model(model::Args),
    /// Says what is wrong with the footage and its index, and mends it.
    Store(store::Args),
    /// Shows everything at once on this machine: cameras, box, broker, alerts.
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Prints the completions of a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    #[command(hide = true)]
    Session(session::Args),
}

/// Runs what the command line asks for. Errors are printed with their causes; the result is the process's exit code.
pub fn main() -> ExitCode {
    let line = Line::parse();
    start_log(&line.command);
    let only_prints = match &line.command {
        Command::Check(_) | Command::Model(_) | Command::Replay(_) | Command::Completions { .. } => true,
        Command::Clips(args) => args.only_prints(),
        Command::Store(args) => args.only_reads(),
        _ => false,
    };
    if only_prints {
        end_at_a_closed_pipe();
    }
    let result = match line.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(args),
        Command::Replay(args) => replay::run(&args),
        Command::Clips(args) => clips::run(&args),
        Command::Model(args) => model::run(args),
        Command::Store(args) => store::run(&args),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Line::command(), "wardwatch", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Session(args) => Ok(session::run(&args)),
    };
    result.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("wardwatch: {error:#}");
        ExitCode::from(CANNOT)
    })
}

/// `wardwatch model list | head` ends as other programs do, and not with a panic. Not for what has to end in order.
#[expect(unsafe_code, reason = "std offers no way to set a signal back to its default")]
fn end_at_a_closed_pipe() {
    // SAFETY: the default disposition runs no code of ours, and no other thread exists yet.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Log lines go to standard error, as journald wants them; RUST_LOG chooses which. The daemon tells of what changes,
/// the other commands only of what is wrong.
fn start_log(command: &Command) {
    let default = match command {
        Command::Run(_) => "info,tract=warn,rumqttc=warn",
        _ => "warn,tract=error,rumqttc=error",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
}
