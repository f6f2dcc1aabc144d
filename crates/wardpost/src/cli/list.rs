//! `wardpost list`: stored alerts, or the missing ones.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{FOUND, ShowingArgs, print_pretty, print_table, time};
use crate::presentation::export_command;
use crate::storage::{Filter, Hole, StoredAlert};
use base::clock;
use base::event::Severity;
use base::ids::{BoxId, CameraId};

/// Arguments of `wardpost list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of this box only.
    #[arg(long = "box", value_name = "ID")]
    box_id: Option<BoxId>,
    /// Of this camera only.
    #[arg(long, value_name = "ID")]
    camera: Option<CameraId>,
    /// As severe as this, or more: notice, warning, critical.
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    severity: Option<Severity>,
    /// List alerts received since: "24/11/2026 22:10" or "2026-11-24 22:10" in local time, 22:10 for today, "hôm qua 22:10",
    /// "thứ ba 22:10", "yesterday 22:10", "tuesday 22:10", a day alone, or RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most so many, the last ones.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// List instead which numbers are missing or lost; exit code 3 where some are missing that may still come.
    #[arg(long, conflicts_with_all = ["camera", "severity", "since", "limit"])]
    missing: bool,
    /// Print a JSON array instead; times are in UTC.
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

fn severity(text: &str) -> Result<Severity, String> {
    let all = [Severity::Notice, Severity::Warning, Severity::Critical];
    let found = all.into_iter().find(|severity| severity.as_str() == text);
    found.ok_or_else(|| "give notice, warning or critical".to_owned())
}

/// Prints a table, or JSON.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (storage, presentation) = args.showing.open(false)?;
    if args.missing {
        let mut holes = storage.holes()?;
        holes.retain(|hole| args.box_id.as_ref().is_none_or(|id| *id == hole.sender.box_id));
        match (args.json, holes.is_empty()) {
            (true, _) => print_pretty(&holes.iter().map(hole_json).collect::<Vec<_>>())?,
            (false, true) => println!("{}", presentation.nothing_missing()),
            (false, false) => holes.iter().for_each(|hole| println!("{}", presentation.hole(hole))),
        }
        let is_wrong = holes.iter().any(|hole| !hole.is_former && !hole.is_lost);
        return Ok(if is_wrong { ExitCode::from(FOUND) } else { ExitCode::SUCCESS });
    }
    let since = args
        .since
        .as_ref()
        .map(|text| time::parse(text, &presentation.timezone, clock::wall()))
        .transpose()?;
    let alerts = storage.alerts(&Filter {
        box_id: args.box_id.clone(),
        camera: args.camera.clone(),
        severity_min: args.severity,
        since,
        once_each: true,
        limit: args.limit,
        ..Filter::default()
    })?;
    if args.json {
        print_pretty(&alerts.iter().map(json).collect::<Vec<_>>())?;
    } else if alerts.is_empty() {
        println!("{}", presentation.no_alerts());
    } else {
        let rows = alerts.iter().map(|stored| presentation.list_row(stored));
        print_table(&std::iter::once(presentation.list_head()).chain(rows).collect::<Vec<_>>());
        println!("\n{}", presentation.times_are_in());
    }
    Ok(ExitCode::SUCCESS)
}

/// A stored alert for a script: its message, and the post's own fields.
pub(super) fn json(stored: &StoredAlert) -> Value {
    json!({
        "number": stored.number, "received_at": stored.received_at, "repeats": stored.repeats,
        "seq": stored.alert.seq, "outbox": stored.alert.outbox, "has_thumbnail": stored.thumbnail.is_some(),
        "export_command": export_command(&stored.alert),
        "message": stored.message,
    })
}

fn hole_json(hole: &Hole) -> Value {
    json!({
        "ward": hole.sender.ward, "box": hole.sender.box_id, "outbox": hole.outbox, "former": hole.is_former,
        "lost": hole.is_lost,
        "first": hole.gap.first, "last": hole.gap.last,
    })
}
