//! `wardpost answer`: runs one command of an officer who may not read the database, as the user who may.
//!
//! systemd starts it for each connection to the socket of the group `wardpost-readers`, with the connection as standard input.
//! It runs commands that show something, and no other; a thumbnail is logged under the name that the kernel gives of the asker.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ask::showing;
use super::request::{HANDED_OVER, Request};
use super::{Command, ConfigArgs, Line};

/// The variable that names the person for whom a command runs.
pub(super) const ASKER: &str = "WARDPOST_ASKER";
/// Interval of looking if the command has ended.
const POLL: Duration = Duration::from_millis(50);

/// Arguments of `wardpost answer`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs one command, and sends its exit code. Ends it when the asker goes.
///
/// # Errors
/// Standard input is no connection, or what was sent is no command; the asker is told why.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let asker = rustix::net::sockopt::socket_peercred(&input)
        .context("standard input is no connection of an officer's command; systemd starts this program")?;
    let uid = asker.uid.as_raw();
    let asker_name = format!("{} (user id {uid})", program::user_name(uid));
    let mut socket = UnixStream::from(input);
    let (request, mut files) = Request::receive(&socket).context("cannot receive a command")?;
    if files.len() < 2 {
        bail!("the command came without its output");
    }
    let picture = files.drain(2..).next();
    let mut files = files.into_iter();
    let (Some(output), Some(errors)) = (files.next(), files.next()) else { bail!("no output") };
    let code = match arguments(args, &request, picture.is_some()) {
        Ok(arguments) => {
            let mut command = std::process::Command::new(std::env::current_exe()?);
            command.args(arguments).env_clear().envs(&request.environment).env(ASKER, asker_name);
            command.stdin(picture.map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::from(output));
            let child = command.stderr(Stdio::from(errors)).spawn().context("cannot run the command")?;
            wait(child, &socket)?
        }
        Err(error) => {
            refuse(errors, &error);
            program::CANNOT
        }
    };
    // The asker may have gone.
    let _ = socket.write_all(&[code]);
    Ok(ExitCode::SUCCESS)
}

/// Arguments of the command as it is run here.
///
/// # Errors
/// It is none that may be run for somebody else.
fn arguments(own: &Args, request: &Request, has_picture: bool) -> anyhow::Result<Vec<String>> {
    let line = Line::try_parse_from(
        std::iter::once("wardpost").chain(request.arguments.iter().map(String::as_str)),
    )?;
    let Some((theirs, picture)) = showing(&line.command) else { bail!("this command is not for readers") };
    if matches!(&line.command, Command::Tail(args) if args.writes_files()) {
        bail!(
            "--thumbnails needs the post's own user: use --inline, or `wardpost show ALERT --thumbnail FILE`"
        );
    }
    if picture.is_some_and(|path| path.as_os_str() != HANDED_OVER) || picture.is_some() != has_picture {
        bail!("the file of the thumbnail was not handed over");
    }
    let database = own.config.written()?.showing()?.database;
    let is_own_config = theirs.config.config.is_none() || theirs.config.config == own.config.config;
    if !is_own_config || theirs.config.database.as_ref().is_some_and(|path| *path != database) {
        bail!("readers see the post's own database: leave --config and --database out");
    }
    let mut arguments = request.arguments.clone();
    if theirs.config.database.is_none() {
        arguments.splice(1..1, ["--database".to_owned(), database.display().to_string()]);
    }
    if let (None, Some(config)) = (&theirs.config.config, &own.config.config) {
        arguments.splice(1..1, ["--config".to_owned(), config.display().to_string()]);
    }
    Ok(arguments)
}

fn refuse(errors: OwnedFd, error: &anyhow::Error) {
    // The asker may have gone.
    let _ = writeln!(std::fs::File::from(errors), "wardpost: {error:#}");
}

/// Waits for the command; kills it when the asker has gone. Returns its exit code.
fn wait(mut child: Child, socket: &UnixStream) -> anyhow::Result<u8> {
    let interval = Timespec { tv_sec: 0, tv_nsec: i64::from(POLL.subsec_nanos()) };
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(program::CANNOT));
        }
        let mut asker = [PollFd::new(socket, PollFlags::RDHUP)];
        let changed = poll(&mut asker, Some(&interval));
        if matches!(changed, Ok(1..)) {
            child.kill()?;
            child.wait()?;
            return Ok(program::CANNOT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_here(arguments_of: &[&str], has_picture: bool) -> Result<Vec<String>, String> {
        let config = ConfigArgs { config: None, database: Some("/var/lib/wardpost/post.sqlite".into()) };
        let arguments_of = arguments_of.iter().map(|argument| (*argument).to_owned()).collect();
        let request = Request { arguments: arguments_of, environment: Default::default() };
        arguments(&Args { config }, &request, has_picture).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_that_show_something_are_run_and_no_others() {
        let alert = "0190f5c4-7a68-7000-8000-000000000001";
        let own = "--database /var/lib/wardpost/post.sqlite";
        for (asked, has_picture, run) in [
            ("list --limit 3".to_owned(), false, format!("list {own} --limit 3")),
            ("tail --inline".to_owned(), false, format!("tail {own} --inline")),
            (
                format!("show {alert} --thumbnail /dev/stdin"),
                true,
                format!("show {own} {alert} --thumbnail /dev/stdin"),
            ),
            (format!("status {own}"), false, format!("status {own}")),
        ] {
            let asked: Vec<&str> = asked.split(' ').collect();
            assert_eq!(run_here(&asked, has_picture).unwrap().join(" "), run);
        }
        let stolen = format!("show {alert} --thumbnail /var/lib/wardpost/x");
        for (asked, has_picture, why) in [
            ("serve", false, "not for readers"),
            ("settle box-1 0190f5c4-7a68-7000-8000-000000000001 --why no", false, "not for readers"),
            ("answer", false, "not for readers"),
            ("tail --thumbnails /tmp/x", false, "--inline"),
            ("list --database /etc/shadow", false, "leave --config"),
            ("list --config /etc/shadow", false, "leave --config"),
            (stolen.as_str(), false, "not handed over"),
            (stolen.as_str(), true, "not handed over"),
        ] {
            let asked: Vec<&str> = asked.split(' ').collect();
            let said = run_here(&asked, has_picture).unwrap_err();
            assert!(said.contains(why), "{asked:?}: {said}");
        }
    }
}
