//! `wardpost feedback`: the officers' judgements about alerts, as a file from which installers tune rules.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::{ConfigArgs, time};
use crate::Storage;
use crate::events::Period;
use base::clock;
use base::time::WallTime;

/// Arguments of `wardpost feedback`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write into this file: one JSON object for each alert, with box, camera, rule, outcome and the thumbnail's sha256.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Of events that were closed since: "24/11/2026 22:10", a day alone, "yesterday 22:10", or RFC 3339 [default: all]
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Writes the file whole, or not at all.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let showing = args.config.written()?.showing()?;
    let storage = Storage::open_beside(&showing.database)?;
    let now = clock::wall();
    let timezone = showing.presentation(false).timezone;
    let since = args.since.as_ref().map(|since| time::parse(since, &timezone, now)).transpose()?;
    let period = Period { from: since.unwrap_or(WallTime::from_micros(i64::MIN)), to: now };
    let rows = storage.feedback(period)?;
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    write(&args.output, &lines).with_context(|| format!("cannot write {}", args.output.display()))?;
    println!("{}: {} judged alerts", args.output.display(), rows.len());
    Ok(ExitCode::SUCCESS)
}

/// Writes beside the file, and then in its place.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
