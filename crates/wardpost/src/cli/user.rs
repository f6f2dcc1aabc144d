//! `wardpost user`: accounts of the duty officers' page. Passwords come from the terminal or from standard input, never from
//! the command line.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;

use super::ShowingArgs;
use crate::people::{CODE_FOR, PersonError, Role, UserName, full_name, secret};
use crate::storage::{By, Changed, NewUser};
use base::clock;
use program::{print_table, who};

/// Arguments of `wardpost user`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes an account. Asks for its password, or prints a one-time code with --code.
    Add {
        /// Login name: a-z, 0-9, dot, hyphen and underscore, a letter first.
        name: UserName,
        /// The name that others read [default: the login name]
        #[arg(long, value_name = "NAME")]
        full_name: Option<String>,
        /// Rights: officer, commander or administrator.
        #[arg(long, value_name = "ROLE", default_value = "officer")]
        role: Role,
        /// Print a one-time code, with which the officer sets the password on the page.
        #[arg(long)]
        code: bool,
        #[command(flatten)]
        showing: ShowingArgs,
    },
    /// Sets a new password, and ends the officer's logins.
    Passwd {
        /// Login name.
        name: UserName,
        /// Print a one-time code instead, with which the officer sets the password on the page.
        #[arg(long)]
        code: bool,
        #[command(flatten)]
        showing: ShowingArgs,
    },
    /// Lists the accounts.
    List {
        /// Print a JSON array instead. Times are in UTC.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        showing: ShowingArgs,
    },
    /// Removes an account, and ends the officer's logins. Its name stays in what it did.
    Remove {
        /// Login name.
        name: UserName,
        #[command(flatten)]
        showing: ShowingArgs,
    },
}

/// Changes or lists accounts.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let person = who(None);
    let by = By { who: &person, at: clock::wall() };
    match &args.action {
        Action::Add { name, full_name, role, code, showing } => {
            add(showing, name, full_name.as_deref(), *role, *code, by)?;
        }
        Action::Passwd { name, code, showing } => set_password(showing, name, *code, by)?,
        Action::List { json, showing } => list(showing, *json)?,
        Action::Remove { name, showing } => {
            let (mut storage, _) = showing.open(false)?;
            match storage.remove_user(name, by)? {
                Changed::Done => println!("{name} is removed"),
                Changed::No => bail!("there is no account {name}; `wardpost user list` names those that are"),
                Changed::LastAdministrator => {
                    bail!(
                        "{name} is the last administrator; make another one first: wardpost user add NAME --role administrator"
                    )
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(
    showing: &ShowingArgs,
    name: &UserName,
    shown: Option<&str>,
    role: Role,
    by_code: bool,
    by: By<'_>,
) -> anyhow::Result<()> {
    let full_name = full_name(shown.unwrap_or(name.as_str()))?;
    let (mut storage, _) = showing.open(false)?;
    let (code, hash) =
        if by_code { (Some(secret::code()), None) } else { (None, Some(secret::hash(&new_password(name)?))) };
    let digest = code.as_deref().map(|code| secret::digest(&secret::plain_code(code)));
    let new = NewUser {
        name,
        full_name: &full_name,
        role,
        password: hash.as_deref(),
        code: digest.as_deref().map(|digest| (digest, by.at + CODE_FOR)),
    };
    if storage.add_user(&new, by)? != Changed::Done {
        bail!("there is an account {name} already; `wardpost user passwd {name}` sets its password");
    }
    tell(name, code.as_deref());
    Ok(())
}

fn set_password(showing: &ShowingArgs, name: &UserName, by_code: bool, by: By<'_>) -> anyhow::Result<()> {
    let (mut storage, _) = showing.open(false)?;
    if storage.user(name)?.is_none() {
        bail!("there is no account {name}; `wardpost user list` names those that are");
    }
    if by_code {
        let code = secret::code();
        storage.set_code(name, (&secret::digest(&secret::plain_code(&code)), by.at + CODE_FOR), by)?;
        tell(name, Some(&code));
    } else {
        storage.set_password(name, &secret::hash(&new_password(name)?), by)?;
        println!("{name} has a new password, and is logged out everywhere");
    }
    Ok(())
}

fn tell(name: &UserName, code: Option<&str>) {
    match code {
        Some(code) => println!(
            "{name} sets a password on the page /begin within {} hours, with the one-time code {code}",
            CODE_FOR.as_secs() / 3600
        ),
        None => println!("{name} can log in"),
    }
}

fn list(showing: &ShowingArgs, as_json: bool) -> anyhow::Result<()> {
    let (storage, presentation) = showing.open(false)?;
    let users = storage.users()?;
    if as_json {
        let rows = users.iter().map(|user| {
            json!({
                "name": user.name.as_str(), "full_name": user.full_name, "role": user.role.as_str(),
                "added_at": user.added_at, "has_password": user.password.is_some(),
            })
        });
        println!("{}", serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?);
        return Ok(());
    }
    let head = ["name", "full name", "role", "made", "state"].map(str::to_owned).to_vec();
    let rows = users.iter().map(|user| {
        let state = if user.password.is_some() { "in use" } else { "waits for its one-time code" };
        let role = user.role.to_string();
        vec![
            user.name.to_string(),
            user.full_name.clone(),
            role,
            presentation.time(user.added_at),
            state.to_owned(),
        ]
    });
    print_table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    Ok(())
}

/// A new password: typed twice at a terminal, or the first line of standard input.
fn new_password(name: &UserName) -> anyhow::Result<String> {
    let password = if std::io::stdin().is_terminal() {
        let password = typed("new password: ")?;
        if typed("the same again: ")? != password {
            bail!("the two passwords differ; nothing is changed, try again");
        }
        password
    } else {
        line()?
    };
    match secret::checked_password(&password, name) {
        Ok(_) => Ok(password),
        Err(error @ PersonError::Password) => bail!("{error}; nothing is changed, try again"),
        Err(error) => Err(error.into()),
    }
}

/// A line that the terminal does not show.
fn typed(prompt: &str) -> anyhow::Result<String> {
    let terminal = std::io::stdin();
    let before = tcgetattr(&terminal).context("cannot read the terminal's state")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    print!("{prompt}");
    std::io::stdout().flush()?;
    tcsetattr(&terminal, OptionalActions::Flush, &silent)
        .context("cannot keep the terminal from showing the password")?;
    let read = line();
    tcsetattr(&terminal, OptionalActions::Flush, &before).context("cannot set the terminal back")?;
    println!();
    read
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the password")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
