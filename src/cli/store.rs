//! `wardwatch store`: finds faults of the store, and repairs them.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::config;
use clipstore::Settings;
use clipstore::inspect::{self, Depth, Finding};
use program::user_name;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Arguments of `wardwatch store`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Checks the store and lists its faults. Changes nothing; the daemon may run.
    Check {
        #[command(flatten)]
        place: Place,
        /// Read every byte: compare all footage with its sha256, and check the whole index.
        #[arg(long)]
        deep: bool,
        /// Print one JSON object instead: `findings`.
        #[arg(long)]
        json: bool,
    },
    /// Repairs the store, then checks every byte. The daemon must be stopped. Footage is never removed.
    Repair {
        #[command(flatten)]
        place: Place,
        /// Print one JSON object instead: `done` and `findings`.
        #[arg(long)]
        json: bool,
    },
}

/// Place of the store.
#[derive(Debug, clap::Args)]
struct Place {
    /// The configuration that names the store.
    #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// The store's folder; the configuration is not read.
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    directory: Option<PathBuf>,
}

impl Place {
    fn settings(&self) -> anyhow::Result<Settings> {
        if let Some(directory) = &self.directory {
            check_rights(directory)?;
        }
        match &self.directory {
            // The retention of alerts is not known here: those of the last day are certainly kept.
            Some(directory) => Ok(Settings { alert_age_max: DAY, ..Settings::new(directory.clone()) }),
            None => Ok(config::load(&self.config)?.store),
        }
    }
}

impl Args {
    /// True for commands that leave nothing half done when they are ended early.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self.command, Command::Check { .. })
    }
}

/// An error where this user may not look into the store: that is not a store without an index.
pub(super) fn check_rights(directory: &Path) -> anyhow::Result<()> {
    let index = directory.join("index.sqlite");
    if !index.metadata().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        return Ok(());
    }
    let closed = directory.ancestors().find_map(|folder| folder.metadata().ok());
    let owner = closed.map_or_else(|| "another user".to_owned(), |folder| user_name(folder.uid()));
    bail!(
        "this user may not read {}: it belongs to {owner}, and no group may see footage; run this as root, with sudo: \
         the access log names who does",
        index.display()
    );
}

/// Prints the faults, and after a repair the repairs that were done. Returns 3 if faults are left.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Check { place, deep, json } => {
            let depth = if *deep { Depth::Deep } else { Depth::Quick };
            let findings = inspect::check(&place.settings()?, depth, &mut bar()?)?;
            print(None, &findings, *json)
        }
        Command::Repair { place, json } => {
            let repaired = inspect::repair(&place.settings()?, &mut bar()?)?;
            print(Some(&repaired.reconciled.to_string()), &repaired.remaining, *json)
        }
    }
}

/// Draws the progress, where standard error is a terminal.
fn bar() -> anyhow::Result<impl FnMut(u64, u64)> {
    let style =
        ProgressStyle::with_template("{wide_bar} {pos} of {len} segments {elapsed} (about {eta} left)")
            .context("the progress bar's template")?;
    let bar = ProgressBar::new(0).with_style(style);
    Ok(move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    })
}

fn print(done: Option<&str>, findings: &[Finding], json: bool) -> anyhow::Result<ExitCode> {
    if json {
        let mut report = serde_json::json!({ "findings": findings });
        if let Some(done) = done {
            report["done"] = done.into();
        }
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        if let Some(done) = done {
            println!("{done}");
        }
        findings.iter().for_each(|finding| println!("{}", text(finding)));
        match (findings.len(), done) {
            (0, None) => println!("no fault found"),
            (0, Some(_)) => {}
            (1, _) => println!("\n1 fault found"),
            (count, _) => println!("\n{count} faults found"),
        }
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(super::FOUND) })
}

fn text(finding: &Finding) -> String {
    let camera = finding.camera.as_ref().map_or(String::new(), |camera| format!(" (camera {camera}"));
    let at = finding.at.map_or(String::new(), |at| format!(", from {at}"));
    let footage = if camera.is_empty() { camera } else { format!("{camera}{at})") };
    format!("{}{footage}: {}\n    {}", finding.place, finding.text, finding.remedy)
}
