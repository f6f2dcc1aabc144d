//! `wardpost forget`: a person removes a box that is no more, or never was, from the list.

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::settle::{Named, named_box, sender};
use super::{ConfigArgs, who};
use crate::Storage;
use crate::presence::Reported;
use crate::storage::Verdict;
use base::clock;

/// Arguments of `wardpost forget`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The box: its id, or WARD/BOX where two wards have one of this name.
    #[arg(value_name = "BOX", value_parser = named_box)]
    named: Named,
    /// Reason of the removal. It is kept in the log, with the time and the person.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    /// Remove its stored alerts too; without it they stay for their days.
    #[arg(long)]
    alerts: bool,
    /// Person that does it [default: who is logged in]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Removes the box, and prints what was removed.
///
/// # Errors
/// It is unknown or connected, or the database cannot be written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let showing = args.config.written()?.showing()?;
    let mut storage = Storage::open_beside(&showing.database)?;
    let sender = sender(&args.named, &storage)?;
    let known = storage.boxes()?.into_iter().find(|known| known.sender == sender);
    let known = known.with_context(|| format!("{sender} is not in the list any more"))?;
    let is_heard = known.heard_at.is_some_and(|at| clock::wall().since(at) < showing.silent_after);
    if known.reported == Reported::Here && is_heard {
        bail!(
            "{sender} is connected, and would be in the list again at its next message; switch it off or revoke its \
             certificate, and try again {} s after its last message",
            showing.silent_after.as_secs()
        );
    }
    let verdict = Verdict { who: who(args.who.as_deref()), why: args.reason.clone(), at: clock::wall() };
    let removed = storage.forget(&sender, args.alerts, &verdict)?;
    let alerts = if args.alerts {
        format!("{removed} alert messages are removed")
    } else {
        "its alerts stay".to_owned()
    };
    println!("{sender} is removed, {alerts}; `wardpost serve` clears the broker's retained messages of it");
    Ok(ExitCode::SUCCESS)
}
