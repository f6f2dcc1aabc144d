//! The command line of `wardwatch`, the box: one file per subcommand.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

pub mod check;
mod clips;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod keygen;
mod model;
mod picture;
mod reload;
mod replay;
mod run;
mod session;
mod status;
mod store;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use program::{FOUND, end_at_a_closed_pipe, exit_code, start_log};

/// Records street cameras untouched, analyses them, and alerts the ward post.
#[derive(Debug, Parser)]
#[command(name = "wardwatch", version, propagate_version = true, max_term_width = 110)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the box: records, analyses, and sends alerts.
    Run(run::Args),
    /// Checks the configuration and prints a summary.
    Check(check::Args),
    /// Checks if this box is ready: configuration, model, cameras, disk, clock, broker.
    Doctor(doctor::Args),
    /// Has the running box take up a changed configuration, and waits for the outcome.
    Reload(reload::Args),
    /// Reports the state of the running box.
    Status(status::Args),
    /// Shows a camera's picture with its zones, lines and masks, and a page on which they are drawn.
    Picture(picture::Args),
    /// Analyses a video file as fast as the machine can; prints JSON lines.
    Replay(replay::Args),
    /// Lists and exports footage, and shows who did.
    Clips(clips::Args),
    /// Lists, checks and measures detection models.
    Model(model::Args),
    /// Reports faults of the footage and its index, and repairs them.
    Store(store::Args),
    /// Makes this box's private key, and the request for its certificate.
    Keygen(keygen::Args),
    /// Shows everything at once on this machine: cameras, box, broker, alerts.
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Prints the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    #[command(hide = true)]
    Session(session::Args),
}

/// The clap definition of the command line, for manual pages and completions.
pub fn command() -> clap::Command {
    Line::command()
}

/// Runs the command line. Errors are printed with their causes; the result is the process's exit code.
pub fn main() -> ExitCode {
    let line = Line::parse();
    // The daemon logs changes, the other commands only faults. The doctor finds the faults itself.
    start_log(match &line.command {
        Command::Run(_) => "info,tract=warn,rumqttc=warn",
        Command::Doctor(_) => "off",
        _ => "warn,tract=error,rumqttc=error",
    });
    let only_prints = match &line.command {
        Command::Check(_)
        | Command::Status(_)
        | Command::Model(_)
        | Command::Replay(_)
        | Command::Completions { .. } => true,
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
        Command::Doctor(args) => doctor::run(&args),
        Command::Reload(args) => reload::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Picture(args) => picture::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Clips(args) => clips::run(&args),
        Command::Model(args) => model::run(args),
        Command::Store(args) => store::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut command(), "wardwatch", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Session(args) => Ok(session::run(&args)),
    };
    exit_code("wardwatch", result)
}
