//! `wardpost log`: accesses to thumbnails, and numbers declared lost, each with the person.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{ShowingArgs, print_table};
use crate::storage::{Access, Chain, Settlement};
use program::FOUND;

/// Arguments of `wardpost log`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON object instead: `looks`, `settlements`, the first one first. Times are in UTC.
    #[arg(long)]
    json: bool,
    /// Check the chain of the audit instead. Exit code 3 where a row was changed or removed.
    #[arg(long, conflicts_with = "json")]
    verify: bool,
    #[command(flatten)]
    showing: ShowingArgs,
}

impl Args {
    /// Database and language.
    pub(super) fn showing(&self) -> &ShowingArgs {
        &self.showing
    }
}

/// Prints a table, oldest entry first, or JSON.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (storage, presentation) = args.showing.open(false)?;
    if args.verify {
        return Ok(verified(&storage.verify_audit()?));
    }
    let (accesses, settlements) = (storage.accesses()?, storage.settlements(0)?);
    if args.json {
        let rows: Vec<Value> = accesses.iter().map(access_json).collect();
        let settlements: Vec<Value> = settlements.iter().map(settlement_json).collect();
        println!("{}", serde_json::to_string_pretty(&json!({ "looks": rows, "settlements": settlements }))?);
        return Ok(ExitCode::SUCCESS);
    }
    if accesses.is_empty() && settlements.is_empty() {
        println!("{}", presentation.nothing_logged());
        return Ok(ExitCode::SUCCESS);
    }
    let accesses = accesses.iter().map(|access| (access.at, presentation.access_row(access)));
    let settlements = settlements.iter().map(|one| (one.verdict.at, presentation.settlement_row(one)));
    let mut rows: Vec<_> = accesses.chain(settlements).collect();
    rows.sort_by_key(|(at, _)| *at);
    let rows = rows.into_iter().map(|(_, row)| row);
    print_table(&std::iter::once(presentation.log_head()).chain(rows).collect::<Vec<_>>());
    println!("\n{}", presentation.times_are_in());
    Ok(ExitCode::SUCCESS)
}

fn verified(chain: &Chain) -> ExitCode {
    match chain {
        Chain::Whole { rows: 0, .. } => println!("the audit is empty"),
        Chain::Whole { rows, last } => {
            println!("the audit is whole: {rows} rows; the sha256 of the last one is {last}");
        }
        Chain::Broken { number } => {
            println!(
                "row {number} of the audit was changed, or the row before it is gone; keep a copy of the database as evidence"
            );
            return ExitCode::from(FOUND);
        }
    }
    ExitCode::SUCCESS
}

fn access_json(access: &Access) -> Value {
    json!({
        "at": access.at, "who": access.who, "command": access.command, "ward": access.sender.ward,
        "box": access.sender.box_id, "alert": access.alert,
    })
}

fn settlement_json(one: &Settlement) -> Value {
    json!({
        "at": one.verdict.at, "who": one.verdict.who, "why": one.verdict.why, "ward": one.sender.ward,
        "box": one.sender.box_id, "outbox": one.outbox, "first": one.gap.first, "last": one.gap.last,
    })
}
