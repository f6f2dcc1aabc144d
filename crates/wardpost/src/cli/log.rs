//! `wardpost log`: accesses to thumbnails, numbers declared lost, removed boxes, and steps about events, each with the person.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{FOUND, ShowingArgs, print_pretty, print_table};
use crate::Storage;
use crate::storage::{Access, ChainEnd, Decision, Forgotten, Settlement, Verified};

/// Arguments of `wardpost log`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Check instead that rows were only added to the log; exit code 3 where some were changed, taken out or cut off.
    #[arg(long)]
    verify: bool,
    /// With --verify: an end that the log had, by a line of `wardpost serve` in the journal or by an earlier check.
    #[arg(long, value_name = "ROWS:SHA256", requires = "verify")]
    end: Option<ChainEnd>,
    /// Print one JSON object instead: `looks`, `settlements`, `forgotten`, `decisions`, the first one first; with --verify `rows`, `sha256`,
    /// `faults`. Times are in UTC.
    #[arg(long)]
    json: bool,
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
        return verify(args, &storage);
    }
    let (accesses, settlements) = (storage.accesses()?, storage.settlements(0)?);
    let (forgotten, decisions) = (storage.forgotten(0)?, storage.decisions(0, usize::MAX)?);
    if args.json {
        let rows: Vec<Value> = accesses.iter().map(access_json).collect();
        let settlements: Vec<Value> = settlements.iter().map(settlement_json).collect();
        let forgotten: Vec<Value> = forgotten.iter().map(forgotten_json).collect();
        let decisions: Vec<Value> = decisions.iter().map(decision_json).collect();
        print_pretty(&json!({
            "looks": rows, "settlements": settlements, "forgotten": forgotten, "decisions": decisions,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if accesses.is_empty() && settlements.is_empty() && forgotten.is_empty() && decisions.is_empty() {
        println!("{}", presentation.nothing_logged());
        return Ok(ExitCode::SUCCESS);
    }
    let accesses = accesses.iter().map(|access| (access.at, presentation.access_row(access)));
    let settlements = settlements.iter().map(|one| (one.verdict.at, presentation.settlement_row(one)));
    let forgotten = forgotten.iter().map(|one| (one.verdict.at, presentation.forgotten_row(one)));
    let decisions = decisions.iter().map(|one| (one.at, presentation.decision_row(one)));
    let mut rows: Vec<_> = accesses.chain(settlements).chain(forgotten).chain(decisions).collect();
    rows.sort_by_key(|(at, _)| *at);
    let rows = rows.into_iter().map(|(_, row)| row);
    print_table(&std::iter::once(presentation.log_head()).chain(rows).collect::<Vec<_>>());
    println!("\n{}", presentation.times_are_in());
    Ok(ExitCode::SUCCESS)
}

/// Prints the end of the log and its faults.
fn verify(args: &Args, storage: &Storage) -> anyhow::Result<ExitCode> {
    let Verified { end, faults } = storage.verify_log(args.end.as_ref())?;
    if args.json {
        let object = json!({ "rows": end.rows, "sha256": end.sha256, "faults": faults });
        print_pretty(&object)?;
    } else if faults.is_empty() {
        println!("{} rows, none changed or missing; the end is {end}", end.rows);
    }
    for fault in &faults {
        eprintln!("wardpost: {}", fault.escape_debug());
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn decision_json(one: &Decision) -> Value {
    json!({ "at": one.at, "who": one.who, "event": one.event, "action": one.action, "detail": one.detail })
}

fn forgotten_json(one: &Forgotten) -> Value {
    json!({
        "at": one.verdict.at, "who": one.verdict.who, "why": one.verdict.why, "ward": one.sender.ward,
        "box": one.sender.box_id, "alerts": one.alerts,
    })
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
