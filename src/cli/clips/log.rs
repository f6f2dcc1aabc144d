//! `wardwatch clips log`: the access log.

use std::process::ExitCode;

use serde_json::json;

use super::{StoreArgs, time};
use clipstore::access::{self, AccessEntry, AccessKind};
use program::FOUND;

/// Arguments of `wardwatch clips log`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only say whether the log was changed since it was written; exit code 3 if so.
    #[arg(long)]
    verify: bool,
    /// Print one JSON object instead: `entries`, `broken_at_line`, `torn_lines`. Times are in UTC.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Prints the log, or the result of the check of its chain.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let place = args.store.place()?;
    let log = access::read(&place.directory)?;
    if args.json {
        let entries = if args.verify { &[][..] } else { &log.entries[..] };
        let object = json!({
            "entries": entries, "broken_at_line": log.broken_at, "torn_lines": log.torn_lines,
        });
        println!("{}", serde_json::to_string_pretty(&object)?);
    } else if args.verify {
        if log.broken_at.is_none() {
            println!("{} entries, none changed, {} lines cut off", log.entries.len(), log.torn_lines);
        }
    } else {
        for entry in &log.entries {
            println!("{}  {}", time::text(entry.at, &place.timezone), text(entry));
        }
    }
    match access::verify(&place.directory) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(broken) => {
            eprintln!("wardwatch: {broken}");
            Ok(if args.verify { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
        }
    }
}

fn text(entry: &AccessEntry) -> String {
    let what = match entry.what {
        AccessKind::ExportStarted => "export begun",
        AccessKind::ExportEnded => "exported",
        AccessKind::ExportFailed => "export failed",
        AccessKind::Held => "held",
        AccessKind::Released => "released",
    };
    let clips = entry.clips.iter().map(|clip| {
        let alert = clip.alert.map_or(String::new(), |alert| format!(" alert {alert}"));
        format!("{} {}/{}{alert}", clip.camera, clip.starts_at, clip.ends_at)
    });
    let clips: Vec<String> = clips.collect();
    format!("{what} by {}, \"{}\": {}; {}", entry.who, entry.why, clips.join(", "), entry.detail)
}
