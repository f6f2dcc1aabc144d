//! `wardpost status`: the state of the boxes.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::{FOUND, ShowingArgs, print_table};
use crate::presence::Reported;
use crate::storage::BoxState;
use base::clock;
use base::status::Presence;
use base::time::WallTime;

/// Arguments of `wardpost status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON object instead: `boxes`, `refused`, `last_refused`. Times are in UTC.
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

/// Time for which two boxes under one name count as a fault after the last report, which is repeated each ten minutes.
const TWINS_FOR: Duration = Duration::from_secs(3600);

/// Prints a table, or JSON; returns 3 where a box is gone, two boxes have one id, or an alert is missing.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (storage, presentation) = args.showing.open(false)?;
    let boxes = storage.boxes()?;
    let (refused, last_refused) = storage.refused()?;
    if args.json {
        let boxes = boxes.iter().map(json).collect::<Vec<_>>();
        let all = json!({ "boxes": boxes, "refused": refused, "last_refused": last_refused });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        let rows = boxes.iter().map(|known| presentation.box_row(known));
        print_table(&std::iter::once(presentation.box_head()).chain(rows).collect::<Vec<_>>());
        println!("\n{}", presentation.times_are_in());
        if let Some(last) = last_refused {
            eprintln!("wardpost: {refused} refused messages are kept; the last: {}", last.escape_debug());
        }
    }
    let now = clock::wall();
    let is_well = boxes.iter().all(|known| is_well(known, now));
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn is_well(known: &BoxState, now: WallTime) -> bool {
    let has_twins = known.twins_at.is_some_and(|at| now.since(at) < TWINS_FOR);
    known.reported == Reported::Here && known.numbers.missing == 0 && !has_twins
}

fn json(known: &BoxState) -> Value {
    let status = known.status.as_ref();
    json!({
        "ward": known.sender.ward, "box": known.sender.box_id, "outbox": known.outbox,
        "state": known.reported.as_str(), "state_since": known.reported_at,
        "says_online": status.map(|status| status.presence == Presence::Online),
        "version": status.map(|status| &status.version), "heard_at": known.heard_at,
        "alerts": known.alerts, "last_alert_at": known.alert_at,
        "contiguous": known.numbers.contiguous, "highest": known.numbers.highest, "missing": known.numbers.missing,
        "lost": known.numbers.lost,
        "thumbnails_shed": status.and_then(|status| status.outbox.as_ref()).map(|outbox| outbox.thumbnails_shed),
        "twins_at": known.twins_at, "duplicates": known.duplicates, "conflicts": known.conflicts, "refused": known.refused,
    })
}
