//! The command line of `wardpost`, the ward post: one file per subcommand.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

mod answer;
mod ask;
mod demo;
mod feedback;
pub mod follow;
mod forget;
mod inline;
mod list;
mod log;
mod request;
mod serve;
mod settle;
mod show;
mod status;
pub mod tail;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::Storage;
use crate::presentation::{Language, Presentation, printable_json};
use crate::settings::{DEFAULT_PATH, Written};
use crate::storage::NewAccess;
use base::clock;
use base::ids::AlertId;
use program::id::{IdPrefix, LISTED_MAX};
use program::{FOUND, end_at_a_closed_pipe, exit_code, print_table, start_log, time, who};

/// Receives the alerts of a ward's boxes, keeps them, and shows them.
#[derive(Debug, Parser)]
#[command(name = "wardpost", version, propagate_version = true, max_term_width = 110)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receives alerts from the broker, stores them, and acknowledges them to the boxes.
    Serve(serve::Args),
    /// Shows alerts as they arrive.
    Tail(tail::Args),
    /// Lists stored alerts, or which are missing.
    List(list::Args),
    /// Shows one alert whole.
    Show(show::Args),
    /// Says how the boxes are: who is silent, what is missing. Exit code 3 where something is.
    Status(status::Args),
    /// Says of an outbox that what is missing of it will never come: nobody is asked for it any more.
    Settle(settle::Args),
    /// Removes a box that is no more from the list, and clears the broker's retained messages of it.
    Forget(forget::Args),
    /// Says who looked at which thumbnail, and who settled or removed what, when and why; or if the log is whole.
    Log(log::Args),
    /// Writes what officers judged about alerts into a file, from which installers tune rules.
    Feedback(feedback::Args),
    /// Makes, lists and removes accounts of the duty officers' page.
    User(user::Args),
    /// Shows the duty officers' page with a drawn ward: no broker, no box, nothing that stays.
    Demo(demo::Args),
    /// Runs one command of an officer in the group wardpost-readers. systemd starts it.
    #[command(hide = true)]
    Answer(answer::Args),
    /// Prints the completions of a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// The clap definition of the command line, for manual pages and completions.
pub fn command() -> clap::Command {
    Line::command()
}

/// Runs the command line. Errors are printed with their causes; the result is the process's exit code.
pub fn main() -> ExitCode {
    let line = Line::parse();
    // The daemon logs changes, the other commands only faults.
    start_log(match &line.command {
        Command::Serve(_) => "info,rumqttc=warn",
        _ => "warn",
    });
    if !matches!(line.command, Command::Serve(_) | Command::Answer(_)) {
        end_at_a_closed_pipe();
    }
    let result = match ask::ask(&line.command) {
        Ok(None) => here(line.command),
        Ok(Some(code)) => Ok(code),
        Err(error) => Err(error),
    };
    exit_code("wardpost", result)
}

/// Runs the command in this process.
fn here(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Tail(args) => tail::run(&args),
        Command::List(args) => list::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Settle(args) => settle::run(&args),
        Command::Forget(args) => forget::run(&args),
        Command::Log(args) => log::run(&args),
        Command::Feedback(args) => feedback::run(&args),
        Command::User(args) => user::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Answer(args) => answer::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut self::command(), "wardpost", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// The configuration [default: /etc/wardwatch/wardpost.toml, where there is one]
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// The database [default: /var/lib/wardpost/post.sqlite]
    #[arg(long, value_name = "PATH")]
    database: Option<PathBuf>,
}

impl ConfigArgs {
    /// The configuration as it is written, with the database of the command line.
    fn written(&self) -> anyhow::Result<Written> {
        let default = PathBuf::from(DEFAULT_PATH);
        let mut written = match &self.config {
            Some(path) => Written::read(path)?,
            None if default.exists() => Written::read(&default)?,
            None => Written::default(),
        };
        written.post.database = self.database.clone().or(written.post.database);
        Ok(written)
    }
}

/// Options of the commands that show something.
#[derive(Debug, clap::Args)]
struct ShowingArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The language: vi or en [default: as the configuration says, or else vi]
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// Socket of the service that shows alerts to the group wardpost-readers.
    #[arg(long, value_name = "PATH", hide = true, default_value = request::SOCKET)]
    socket: PathBuf,
}

impl ShowingArgs {
    /// True if the command line names another socket, and so another service.
    fn is_elsewhere(&self) -> bool {
        self.socket.as_os_str() != request::SOCKET
    }

    /// Opens the database, with the format in which to show it.
    fn open(&self, colours: bool) -> anyhow::Result<(Storage, Presentation)> {
        let showing = self.config.written()?.showing()?;
        let storage = Storage::open_beside(&showing.database)?;
        let mut presentation = showing.presentation(colours);
        presentation.language = self.lang.unwrap_or(presentation.language);
        Ok((storage, presentation))
    }
}

/// Prints JSON over several lines.
fn print_pretty(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", printable_json(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// The alert whose id begins as it is written.
fn alert(storage: &Storage, presentation: &Presentation, written: &IdPrefix) -> anyhow::Result<AlertId> {
    if let Some(alert) = written.whole() {
        return Ok(alert);
    }
    let mut found = Vec::new();
    for (alert, newest) in storage.alerts_beginning(written.as_str(), LISTED_MAX + 1)? {
        found.push((alert, presentation.list_row(&newest)[..4].join("  ")));
    }
    written.only("alert", &found)
}

/// An access to a thumbnail, now, by the user of this process, or by the one for whom it runs.
pub fn access(command: &'static str) -> NewAccess {
    let own = rustix::process::getuid().as_raw();
    // The service has no login; who has one speaks for nobody else.
    let asker = std::env::var(answer::ASKER).ok().filter(|_| program::login_user().is_none());
    let asker = asker.map(|asker| format!("{asker}, asked user id {own}"));
    NewAccess { who: asker.unwrap_or_else(|| who(None)), command, at: clock::wall() }
}
