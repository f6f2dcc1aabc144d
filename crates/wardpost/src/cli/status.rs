//! `wardpost status`: the state of the boxes.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{FOUND, ShowingArgs, print_pretty, print_table};
use crate::Storage;
use crate::health::{Standing, newest_version, troubles_of};
use crate::presentation::Presentation;
use crate::storage::BoxState;
use base::clock;
use base::ids::{BoxId, WardId};
use base::status::Presence;

/// Arguments of `wardpost status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Boxes of this ward only.
    #[arg(long, value_name = "WARD")]
    ward: Option<WardId>,
    /// This box only. With --json, its vitals of each hour of the last month, too.
    #[arg(long = "box", value_name = "ID")]
    box_id: Option<BoxId>,
    /// Boxes with trouble only.
    #[arg(long)]
    trouble: bool,
    /// Print one JSON object instead: `boxes`, `boxes_total`, `boxes_with_trouble`, `refused`, `last_refused`,
    /// `post`. Times are in UTC.
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

/// A box and its troubles.
struct Judged {
    known: BoxState,
    troubles: Vec<Standing>,
}

/// Room on the post's own disk, in bytes.
struct Room {
    bytes: u64,
    /// Bytes below which no alert is taken.
    least: u64,
}

impl Room {
    fn is_enough(&self) -> bool {
        self.bytes >= self.least
    }
}

/// Prints a summary, the boxes with trouble and a table, or JSON; returns 3 where a box has trouble, or the post no room.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (storage, presentation) = args.showing.open(false)?;
    let boxes = judged(args, storage.boxes()?);
    let least = args.showing.config.written()?.showing()?.free_bytes_min;
    let room = Room { bytes: storage.room()?, least };
    let troubled = boxes.iter().filter(|one| !one.troubles.is_empty()).count();
    if args.json {
        print_json(args, &storage, &boxes, &room)?;
    } else {
        if !room.is_enough() {
            println!("{}", presentation.no_room(room.bytes, room.least));
        }
        print_text(args, &presentation, &boxes, troubled);
        if let (refused, Some(last)) = storage.refused()? {
            eprintln!("wardpost: {refused} refused messages are kept; the last: {}", last.escape_debug());
        }
    }
    Ok(if troubled == 0 && room.is_enough() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// The boxes that are asked for, with their troubles; those with trouble first.
fn judged(args: &Args, boxes: Vec<BoxState>) -> Vec<Judged> {
    let (now, newest) = (clock::wall(), newest_version(&boxes).map(str::to_owned));
    let judged = boxes
        .into_iter()
        .filter(|known| {
            args.ward.as_ref().is_none_or(|ward| *ward == known.sender.ward)
                && args.box_id.as_ref().is_none_or(|id| *id == known.sender.box_id)
        })
        .map(|known| Judged { troubles: troubles_of(&known, newest.as_deref(), now), known });
    let mut judged: Vec<Judged> = judged.collect();
    judged.sort_by_key(|one| one.troubles.is_empty());
    judged
}

fn print_text(args: &Args, presentation: &Presentation, boxes: &[Judged], troubled: usize) {
    println!("{}", presentation.summary(boxes.len(), troubled));
    let (wrong, well) = boxes.split_at(troubled);
    if !wrong.is_empty() {
        println!();
        let rows =
            wrong.iter().map(|one| vec![one.known.sender.to_string(), presentation.troubles(&one.troubles)]);
        print_table(&rows.collect::<Vec<_>>());
    }
    let shown = wrong.iter().chain(if args.trouble { &[] } else { well });
    let rows: Vec<_> = shown.map(|one| presentation.box_row(&one.known)).collect();
    if !rows.is_empty() {
        println!();
        print_table(&std::iter::once(presentation.box_head()).chain(rows).collect::<Vec<_>>());
    }
    println!("\n{}", presentation.times_are_in());
}

fn print_json(args: &Args, storage: &Storage, boxes: &[Judged], room: &Room) -> anyhow::Result<()> {
    let troubled = boxes.iter().filter(|one| !one.troubles.is_empty()).count();
    let shown = if args.trouble { &boxes[..troubled] } else { boxes };
    let mut entries = Vec::new();
    for one in shown {
        let mut entry = json(one);
        if args.box_id.is_some() {
            entry["vitals_history"] = serde_json::to_value(storage.vitals_history(&one.known.sender)?)?;
        }
        entries.push(entry);
    }
    let (refused, last_refused) = storage.refused()?;
    let all = json!({
        "boxes": entries, "boxes_total": boxes.len(), "boxes_with_trouble": troubled,
        "refused": refused, "last_refused": last_refused,
        "post": { "takes_alerts": room.is_enough(), "free_bytes": room.bytes, "free_bytes_min": room.least },
    });
    print_pretty(&all)
}

fn json(one: &Judged) -> Value {
    let Judged { known, troubles } = one;
    let status = known.status.as_ref();
    json!({
        "ward": known.sender.ward, "box": known.sender.box_id, "outbox": known.outbox,
        "state": known.reported.as_str(), "state_since": known.reported_at,
        "troubles": troubles, "cameras": status.map(|status| &status.cameras), "vitals": known.vitals,
        "says_online": status.map(|status| status.presence == Presence::Online),
        "on_test": status.map(|status| status.on_test), "version": status.map(|status| &status.version), "heard_at": known.heard_at,
        "alerts": known.alerts, "last_alert_at": known.alert_at,
        "contiguous": known.numbers.contiguous, "highest": known.numbers.highest, "missing": known.numbers.missing,
        "lost": known.numbers.lost,
        "thumbnails_shed": status.and_then(|status| status.outbox.as_ref()).map(|outbox| outbox.thumbnails_shed),
        "twins_at": known.twins_at, "duplicates": known.duplicates, "conflicts": known.conflicts, "refused": known.refused,
    })
}
