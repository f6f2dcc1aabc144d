//! `wardpost settle`: a person closes the holes of an outbox that will never be filled.

use std::process::ExitCode;

use anyhow::bail;

use super::{ConfigArgs, who};
use crate::Storage;
use crate::arrival::Sender;
use crate::storage::Verdict;
use base::clock;
use base::ids::{BoxId, OutboxId, WardId};
use program::id::IdPrefix;

/// Arguments of `wardpost settle`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The box: its id, or WARD/BOX where two wards have one of this name.
    #[arg(value_name = "BOX", value_parser = named_box)]
    named: Named,
    /// Its outbox: its id, or the beginning of it; `wardpost list --missing` names it.
    #[arg(value_name = "OUTBOX")]
    outbox: IdPrefix,
    /// Why nobody will ever send what is missing. It is kept, with the time and who says so.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    why: String,
    /// Who says so [default: who is logged in]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// A box as it is named on a command line.
#[derive(Debug, Clone)]
pub(super) struct Named {
    ward: Option<WardId>,
    box_id: BoxId,
}

/// Reads BOX or WARD/BOX.
pub(super) fn named_box(text: &str) -> Result<Named, String> {
    let (ward, id) = match text.split_once('/') {
        Some((ward, id)) => (Some(ward.parse().map_err(|error| format!("{error}"))?), id),
        None => (None, text),
    };
    Ok(Named { ward, box_id: id.parse().map_err(|error| format!("{error}"))? })
}

/// Closes the holes, and prints them.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut storage = Storage::open_beside(&args.config.written()?.showing()?.database)?;
    let sender = sender(&args.named, &storage)?;
    let outbox = outbox(args, &storage, &sender)?;
    let holes = storage.holes()?;
    if !holes.iter().any(|hole| hole.sender == sender && hole.outbox == outbox && !hole.is_lost) {
        println!("nothing is missing of outbox {outbox}");
        return Ok(ExitCode::SUCCESS);
    }
    let verdict = Verdict { who: who(args.who.as_deref()), why: args.why.clone(), at: clock::wall() };
    for gap in storage.settle(&sender, outbox, &verdict)? {
        println!("{sender}: {} to {} of outbox {outbox} are lost for ever", gap.first, gap.last);
    }
    Ok(ExitCode::SUCCESS)
}

/// The named box.
pub(super) fn sender(named: &Named, storage: &Storage) -> anyhow::Result<Sender> {
    let Named { ward, box_id } = named;
    let is_meant =
        |sender: &Sender| sender.box_id == *box_id && ward.as_ref().is_none_or(|ward| *ward == sender.ward);
    let mut known: Vec<Sender> = storage.boxes()?.into_iter().map(|known| known.sender).collect();
    known.retain(is_meant);
    let [sender] = &known[..] else {
        match known.first() {
            None => bail!("no box {box_id} was ever heard of; `wardpost status` names those that were"),
            Some(one) => bail!("{} wards have a box {box_id}; name one as \"{one}\"", known.len()),
        }
    };
    Ok(sender.clone())
}

/// The box's outbox whose id begins as it is written.
fn outbox(args: &Args, storage: &Storage, sender: &Sender) -> anyhow::Result<OutboxId> {
    let known =
        storage.outboxes(sender)?.into_iter().filter(|id| id.to_string().starts_with(args.outbox.as_str()));
    let known: Vec<(OutboxId, String)> = known.map(|id| (id, sender.to_string())).collect();
    if known.is_empty() {
        bail!(
            "nothing was ever stored of an outbox {} of {sender}; `wardpost list --missing` names outboxes",
            args.outbox
        );
    }
    args.outbox.only("outbox", &known)
}
