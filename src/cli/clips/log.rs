//! `wardwatch clips log`: the access log.

use std::process::ExitCode;

use serde_json::json;

use super::{Place, StoreArgs, time};
use base::fault::chain;
use base::one_line::one_line;
use clipstore::access::{self, AccessEntry, AccessKind};
use program::FOUND;

/// Maximum length of an entry for a terminal; `--json` shows it whole.
const CHARS_MAX: usize = 4096;

/// Arguments of `wardwatch clips log`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only say whether the log was changed or cut since it was written; exit code 3 if so.
    #[arg(long)]
    verify: bool,
    /// Print one JSON object instead: `entries`, `broken_at_line`, `torn_lines`, `fault`. Times are in UTC.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Prints the log, or the result of the check of its chain.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let place = args.store.place()?;
    let log = access::read(&place.directory)?;
    let fault = access::verify(&place.directory).err().map(|error| chain(&error));
    if args.json {
        let entries = if args.verify { &[][..] } else { &log.entries[..] };
        let object = json!({
            "entries": entries, "broken_at_line": log.broken_at, "torn_lines": log.torn_lines, "fault": fault,
        });
        println!("{}", serde_json::to_string_pretty(&object)?);
    } else if args.verify {
        if fault.is_none() {
            println!(
                "{} entries, none changed or missing, {} lines cut off",
                log.entries.len(),
                log.torn_lines
            );
        }
    } else {
        for entry in &log.entries {
            let text = one_line(&text(entry, &place), CHARS_MAX);
            println!("{}  {text}", time::text(entry.at, &place.timezone));
        }
    }
    if let Some(fault) = &fault {
        eprintln!("wardwatch: {fault}");
    }
    Ok(if args.verify && fault.is_some() { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn text(entry: &AccessEntry, place: &Place) -> String {
    let what = match entry.what {
        AccessKind::ExportStarted => "export begun",
        AccessKind::ExportEnded => "exported",
        AccessKind::ExportFailed => "export failed",
        AccessKind::Held => "held",
        AccessKind::Released => "released",
    };
    let clips = entry.clips.iter().map(|clip| {
        let alert = clip.alert.map_or(String::new(), |alert| format!(" alert {alert}"));
        let [from, to] = [clip.starts_at, clip.ends_at].map(|at| time::text(at, &place.timezone));
        format!("{} {from} to {to}{alert}", clip.camera)
    });
    let clips: Vec<String> = clips.collect();
    format!("{what} by {}, \"{}\": {}; {}", entry.who, entry.why, clips.join(", "), entry.detail)
}
