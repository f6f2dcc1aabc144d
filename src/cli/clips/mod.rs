//! `wardwatch clips`: list, export and hold of footage, and the access log.

mod export;
mod hold;
mod list;
mod log;
mod time;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use jiff::tz::TimeZone;

use super::store::check_rights;
use crate::config;
use base::ids::{AlertId, BoxId, CameraId};
use base::time::WallTime;
use clipstore::Catalogue;
use program::id::{IdPrefix, LISTED_MAX};
use program::{print_table, who};

/// Arguments of `wardwatch clips`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists alerts with their footage, or with --footage all footage.
    List(list::Args),
    /// Writes footage as MP4 files that play everywhere; the access log says who did and why.
    Export(export::Args),
    /// Keeps footage as evidence: nothing of it is removed until it is released. The daemon may run meanwhile.
    Hold(hold::HoldArgs),
    /// Lists the holds.
    Holds(hold::HoldsArgs),
    /// Ends a hold.
    Release(hold::ReleaseArgs),
    /// Prints the access log: who exported, held or released footage, and why.
    Log(log::Args),
}

impl Args {
    /// True for commands that leave nothing undone when the reader of their output goes.
    pub(super) fn only_prints(&self) -> bool {
        matches!(self.command, Command::List(_) | Command::Holds(_) | Command::Log(_))
    }
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Export(args) => export::run(args),
        Command::Hold(args) => hold::hold(args),
        Command::Holds(args) => hold::holds(args),
        Command::Release(args) => hold::release(args),
        Command::Log(args) => log::run(args),
    }
}

/// The store.
#[derive(Debug, clap::Args)]
struct StoreArgs {
    /// The configuration of the box; names the store and the time zone.
    #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// The store itself, for a disk out of another box; times are in this machine's time zone then.
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    directory: Option<PathBuf>,
}

/// The named store.
struct Place {
    directory: PathBuf,
    timezone: TimeZone,
    box_id: Option<BoxId>,
}

impl StoreArgs {
    fn place(&self) -> anyhow::Result<Place> {
        let place = match &self.directory {
            Some(directory) => {
                Place { directory: directory.clone(), timezone: TimeZone::system(), box_id: None }
            }
            None => {
                let settings = config::load(&self.config)?;
                let directory = settings.store.directory;
                Place { directory, timezone: settings.timezone, box_id: Some(settings.box_id) }
            }
        };
        check_rights(&place.directory)?;
        if !place.directory.join("index.sqlite").exists() {
            bail!(
                "{} holds no store: there is no index.sqlite in it; name the folder that has one beside clips/",
                place.directory.display()
            );
        }
        Ok(place)
    }
}

impl Place {
    fn open(&self) -> anyhow::Result<Catalogue> {
        Ok(Catalogue::open(&self.directory)?)
    }

    /// The alert whose id begins as it is written.
    fn alert(&self, catalogue: &Catalogue, written: &IdPrefix) -> anyhow::Result<AlertId> {
        if let Some(alert) = written.whole() {
            return Ok(alert);
        }
        let mut found = Vec::new();
        for entry in catalogue.entries_beginning(written.as_str(), LISTED_MAX + 1)? {
            let opened_at = time::text(entry.opened_at, &self.timezone);
            found.push((entry.alert, format!("{opened_at}  {}  {}", entry.camera, entry.rule)));
        }
        written.only("alert", &found)
    }

    /// The time zone for a person.
    fn timezone_name(&self) -> &str {
        self.timezone.iana_name().unwrap_or("this machine's time zone")
    }
}

/// An error if the store has nothing of one of `cameras`.
fn check_cameras(catalogue: &Catalogue, cameras: &[CameraId], directory: &Path) -> anyhow::Result<()> {
    let known = catalogue.cameras()?;
    if let Some(unknown) = cameras.iter().find(|camera| !known.contains(camera)) {
        let known: Vec<&str> = known.iter().map(CameraId::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        bail!("the store in {} has nothing of a camera \"{unknown}\"; it has {known}", directory.display());
    }
    Ok(())
}

/// Names the footage of a camera before and after a span without any.
fn say_nearest(
    catalogue: &Catalogue,
    place: &Place,
    camera: &CameraId,
    from: WallTime,
    to: WallTime,
) -> anyhow::Result<()> {
    let (before, after) = catalogue.nearest(camera, from, to)?;
    let text = |at| time::text(at, &place.timezone);
    let nearest = match (before.map(text), after.map(text)) {
        (None, None) => format!("there is no footage of {camera} at all"),
        (Some(before), None) => format!("the last footage of {camera} ends at {before}"),
        (None, Some(after)) => format!("the first footage of {camera} begins at {after}"),
        (Some(before), Some(after)) => {
            format!("the nearest footage of {camera} ends at {before} and begins again at {after}")
        }
    };
    eprintln!("wardwatch: {nearest}");
    Ok(())
}

/// Accepts a reason or a name that is not blank.
fn not_blank(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("must say something".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// A number of bytes for a person.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Seconds as H:MM:SS.
fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}
