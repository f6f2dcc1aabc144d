//! The edge that both programs share: configuration files, exit codes, the log, tables, times as people write them, and
//! systemd.
//!
//! Never here: a word of the box or of the post. Command lines and the programs' configurations call it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

pub mod config;
pub mod id;
pub mod systemd;
pub mod time;

use std::fmt;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use base::language::Language;
use base::one_line;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Exit code of a request that cannot be carried out.
pub const CANNOT: u8 = 1;
/// Exit code of a command that found a fault.
pub const FOUND: u8 = 3;

/// The process's exit code; an error is printed with its causes.
pub fn exit_code(program: &str, result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        let priority = if is_for_the_journal() { "<3>" } else { "" };
        eprintln!("{priority}{program}: {}", one_line::lines(&format!("{error:#}")));
        ExitCode::from(CANNOT)
    })
}

/// Lets `wardwatch model list | head` end as other programs do, without a panic. Not for commands that must end in order.
#[expect(unsafe_code, reason = "std offers no way to set a signal back to its default")]
pub fn end_at_a_closed_pipe() {
    // SAFETY: the default disposition runs no code of ours, and no other thread exists yet.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Starts the log on standard error, as journald expects. RUST_LOG selects the lines (`info,camera=debug`), and `default` where it
/// is not set or not understood.
pub fn start_log(default: &str) {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let wanted = wanted.trim_matches([' ', ',']);
    // Targets and levels only: filters by fields need regular expressions, three crates that nothing else here needs.
    let filter = match wanted.parse::<Targets>() {
        Ok(filter) if !wanted.is_empty() => filter,
        _ => default.parse().expect("the default is written here"),
    };
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if is_for_the_journal() {
        let log = log.without_time().map_event_format(Journal);
        tracing_subscriber::registry().with(log.with_filter(filter)).init();
    } else {
        tracing_subscriber::registry().with(log.with_filter(filter)).init();
    }
}

/// True where standard error goes to journald.
pub fn is_for_the_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal()
}

/// Lines for journald, which has times of its own: each begins with its priority, as in sd-daemon(3).
struct Journal<F>(F);

impl<S, N, F> FormatEvent<S, N> for Journal<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// The person for the access log, with numbers that the person cannot choose: the given name, or that of the login, which the
/// kernel keeps over sudo and su, or that of the user. To root alone sudo's own word counts, where no login is known.
pub fn who(said: Option<&str>) -> String {
    let (login, user) = (login_user(), rustix::process::getuid().as_raw());
    named(said, login, user, std::env::var("SUDO_USER").ok().as_deref())
}

fn named(said: Option<&str>, login: Option<u32>, user: u32, sudo: Option<&str>) -> String {
    let name = match (said, login, sudo) {
        (Some(said), ..) => said.to_owned(),
        (None, Some(login), _) => user_name(login),
        (None, None, Some(sudo)) if user == 0 => sudo.to_owned(),
        (None, None, _) => user_name(user),
    };
    match login.filter(|login| *login != user) {
        Some(login) => format!("{name} (user id {user}, logged in as {login})"),
        None => format!("{name} (user id {user})"),
    }
}

/// The user that logged in, as the kernel keeps it (`/proc/self/loginuid`); `None` where nobody has, as in a service.
pub fn login_user() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|login| *login != u32::MAX)
}

/// The name of a user, or the number of one that has none.
pub fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = uid.to_string();
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if fields.get(2) == Some(&number.as_str()) {
            return fields[0].to_owned();
        }
    }
    number
}

/// Prints rows with their columns under each other; the first row is the head.
pub fn print_table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Language of the environment.
pub fn language_of_the_locale() -> Language {
    let names = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|key| std::env::var(key).ok());
    let set = names.into_iter().find(|name| !name.is_empty());
    Language::of_locale(&set.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_gives_nobody_another_name() {
        for (said, login, user, sudo, expected) in [
            (None, None, 4242, Some("chief"), "4242 (user id 4242)"),
            (None, None, 0, Some("an"), "an (user id 0)"),
            (None, None, 0, None, "root (user id 0)"),
            (None, Some(4243), 0, Some("chief"), "4243 (user id 0, logged in as 4243)"),
            (None, Some(4243), 4242, Some("chief"), "4243 (user id 4242, logged in as 4243)"),
            (Some("an"), Some(4243), 4243, None, "an (user id 4243)"),
        ] {
            assert_eq!(named(said, login, user, sudo), expected);
        }
    }
}
