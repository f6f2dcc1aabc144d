//! The way of a command whose user may not read the database: the post's service runs it, and logs who asked. The kernel tells
//! the service which user that is.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use rustix::fs::Access;

use super::request::{ENVIRONMENT, HANDED_OVER, Request};
use super::{Command, ShowingArgs};
use crate::settings::DEFAULT_DATABASE;
use crate::storage::StorageError;

/// Runs `command` by the service where this user may not read the database; `None` where it may.
///
/// # Errors
/// The user is not in the group, or there is no service.
pub(super) fn ask(command: &Command) -> anyhow::Result<Option<ExitCode>> {
    let Some((showing, picture)) = showing(command) else { return Ok(None) };
    let database = showing.config.written()?.showing()?.database;
    if !is_denied(&database) {
        return Ok(None);
    }
    // Another database than the service's is for its owner to show.
    if database != Path::new(DEFAULT_DATABASE) && !showing.is_elsewhere() {
        return Err(StorageError::denied(&database).into());
    }
    let mut socket = UnixStream::connect(&showing.socket).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => StorageError::denied_to_read(&database),
        _ => StorageError::without_service(&database),
    })?;
    let picture = match picture {
        Some(path) => {
            Some(std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => None,
    };
    let (output, errors) = (io::stdout(), io::stderr());
    let mut files = vec![output.as_fd(), errors.as_fd()];
    files.extend(picture.as_ref().map(std::os::fd::AsFd::as_fd));
    request(picture.is_some()).send(&socket, &files).context("cannot ask the post's service")?;
    let mut code = [0];
    socket
        .read_exact(&mut code)
        .context("the post's service has not answered: journalctl -u 'wardpost-read@*'")?;
    Ok(Some(ExitCode::from(code[0])))
}

/// Options of a command that the service runs, and the file for a picture.
pub(super) fn showing(command: &Command) -> Option<(&ShowingArgs, Option<&Path>)> {
    match command {
        Command::Tail(args) => Some((args.showing(), None)),
        Command::List(args) => Some((args.showing(), None)),
        Command::Show(args) => Some((args.showing(), args.thumbnail())),
        Command::Status(args) => Some((args.showing(), None)),
        Command::Log(args) => Some((args.showing(), None)),
        Command::Serve(_)
        | Command::Settle(_)
        | Command::Feedback(_)
        | Command::Forget(_)
        | Command::User(_)
        | Command::Demo(_)
        | Command::Answer(_)
        | Command::Completions { .. } => None,
    }
}

/// True if the file is there, or may be, and this user may not use it.
fn is_denied(path: &Path) -> bool {
    rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK) == Err(rustix::io::Errno::ACCESS)
}

/// The request for the command line of this process, with the picture's file handed over.
fn request(has_picture: bool) -> Request {
    let mut arguments: Vec<String> = Vec::new();
    let mut is_file = false;
    for argument in std::env::args().skip(1) {
        arguments.push(match argument.split_once('=') {
            _ if is_file => HANDED_OVER.to_owned(),
            Some(("--thumbnail", _)) => format!("--thumbnail={HANDED_OVER}"),
            _ => argument.clone(),
        });
        is_file = has_picture && argument == "--thumbnail";
    }
    let mut environment = BTreeMap::new();
    for key in ENVIRONMENT {
        if let Ok(value) = std::env::var(key) {
            environment.insert((*key).to_owned(), value);
        }
    }
    Request { arguments, environment }
}
