//! `wardwatch clips hold | holds | release`: footage that is kept as evidence. The daemon may run meanwhile.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::config;
use crate::domain::ids::{AlertId, CameraId};
use crate::domain::time::WallTime;
use crate::store::holds::{self, Hold, NewHold};
use crate::store::{Catalogue, ClipFilter};

/// Which store.
#[derive(Debug, clap::Args)]
pub struct StorePlace {
    /// The configuration, for store.directory.
    #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH, conflicts_with = "directory")]
    config: PathBuf,
    /// The store's folder itself; no configuration is read.
    #[arg(long, value_name = "PATH")]
    directory: Option<PathBuf>,
}

impl StorePlace {
    /// The store's folder, which is there.
    fn find(&self) -> anyhow::Result<PathBuf> {
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => config::load(&self.config)?.store.directory,
        };
        if !directory.join("clips").is_dir() {
            bail!("no store in {}; --directory or --config says where it is", directory.display());
        }
        Ok(directory)
    }
}

/// Who asks, and why: for the access log.
#[derive(Debug, clap::Args)]
pub struct Grounds {
    /// Why: a case number, an order, a name.
    #[arg(long)]
    reason: String,
    /// Who asks for it. Default: the user of this shell, before sudo.
    #[arg(long)]
    who: Option<String>,
}

impl Grounds {
    fn who(&self) -> String {
        let known = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
        let uid = || format!("uid {}", rustix::process::getuid().as_raw());
        self.who.clone().into_iter().chain(known).find(|name| !name.is_empty()).unwrap_or_else(uid)
    }
}

/// Arguments of `wardwatch clips hold`.
#[derive(Debug, clap::Args)]
pub struct HoldArgs {
    /// The alert whose footage is held, from pre-roll to post-roll.
    #[arg(required_unless_present = "camera", conflicts_with_all = ["camera", "from", "to"])]
    alert: Option<AlertId>,
    /// The camera whose footage is held.
    #[arg(long, requires_all = ["from", "to"])]
    camera: Option<CameraId>,
    /// From when (RFC 3339, as 2026-05-01T22:14:00+07:00).
    #[arg(long, requires = "camera")]
    from: Option<jiff::Timestamp>,
    /// Until when; may be in the future.
    #[arg(long, requires = "camera")]
    to: Option<jiff::Timestamp>,
    #[command(flatten)]
    grounds: Grounds,
    #[command(flatten)]
    place: StorePlace,
}

/// Arguments of `wardwatch clips holds`.
#[derive(Debug, clap::Args)]
pub struct HoldsArgs {
    /// Print one JSON object instead: `holds` and `damaged`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: StorePlace,
}

/// Arguments of `wardwatch clips release`.
#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    /// The hold: `wardwatch clips holds` names them.
    hold: String,
    #[command(flatten)]
    grounds: Grounds,
    #[command(flatten)]
    place: StorePlace,
}

/// Holds footage; prints the hold's name and how much there is of it.
pub fn hold(args: &HoldArgs) -> anyhow::Result<ExitCode> {
    let directory = args.place.find()?;
    let (camera, from, to) = span(args, &directory)?;
    let (reason, who) = (args.grounds.reason.clone(), args.grounds.who());
    let hold = holds::hold(&directory, NewHold { camera, from, to, alert: args.alert, reason, who })?;
    println!("{}", described(&directory, &hold));
    let gone = hold.paths.len() - present(&directory, &hold).0;
    if gone > 0 {
        eprintln!("wardwatch: {gone} files were removed before the hold was made");
    }
    if hold.paths.is_empty() {
        eprintln!("wardwatch: there is no footage of that time; what still comes of it is held");
    }
    Ok(ExitCode::SUCCESS)
}

/// Camera, from and to of what is asked for.
fn span(args: &HoldArgs, directory: &Path) -> anyhow::Result<(CameraId, WallTime, WallTime)> {
    if let (Some(camera), Some(from), Some(to)) = (&args.camera, args.from, args.to) {
        return Ok((camera.clone(), WallTime::from_timestamp(from), WallTime::from_timestamp(to)));
    }
    let alert = args.alert.context("name an alert, or a camera with --from and --to")?;
    let catalogue = Catalogue::open(directory)?;
    let clip = catalogue.clip(alert)?;
    let filter = ClipFilter { camera: Some(clip.camera.clone()), ..ClipFilter::default() };
    let entry = catalogue.clips(&filter)?.into_iter().find(|entry| entry.alert == alert);
    if entry.is_some_and(|entry| entry.closed_at.is_none()) {
        eprintln!(
            "wardwatch: the alert is still open: its footage is held up to {} only; hold it again when it is over",
            clip.ends_at
        );
    }
    if clip.segments.is_empty() {
        bail!("there is no footage of alert {alert}");
    }
    Ok((clip.camera, clip.starts_at, clip.ends_at))
}

/// Prints the holds; 3 if one is damaged.
pub fn holds(args: &HoldsArgs) -> anyhow::Result<ExitCode> {
    let directory = args.place.find()?;
    let found = holds::list(&directory)?;
    if args.json {
        let damaged = found.damaged.iter().map(|damaged| {
            serde_json::json!({ "path": damaged.path, "camera": damaged.camera, "why": damaged.why })
        });
        let all = serde_json::json!({ "holds": found.holds, "damaged": damaged.collect::<Vec<_>>() });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        for hold in &found.holds {
            println!("{}", described(&directory, hold));
        }
        for damaged in &found.damaged {
            let what = damaged.camera.as_ref().map_or("everything".to_owned(), |id| format!("all of {id}"));
            eprintln!("{} is damaged and holds {what}: {}", damaged.path.display(), damaged.why);
        }
    }
    Ok(if found.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(super::FOUND) })
}

/// Ends a hold.
pub fn release(args: &ReleaseArgs) -> anyhow::Result<ExitCode> {
    let directory = args.place.find()?;
    let hold = holds::release(&directory, &args.hold, &args.grounds.who(), &args.grounds.reason)?;
    println!("released {}", described(&directory, &hold));
    Ok(ExitCode::SUCCESS)
}

fn described(directory: &Path, hold: &Hold) -> String {
    let (files, bytes) = present(directory, hold);
    let (mib, alert) = (bytes as f64 / f64::from(1 << 20), hold.alert);
    let alert = alert.map_or(String::new(), |alert| format!(", alert {alert}"));
    format!(
        "{}  {}, {} to {}{alert}: {files} files, {mib:.1} MiB; {} ({})",
        hold.id, hold.camera, hold.from, hold.to, hold.reason, hold.who
    )
}

/// How many of a hold's files are there, and their bytes.
fn present(directory: &Path, hold: &Hold) -> (usize, u64) {
    let lengths =
        hold.paths.iter().filter_map(|path| std::fs::metadata(directory.join("clips").join(path)).ok());
    lengths.fold((0, 0), |(files, bytes), file| (files + 1, bytes + file.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, Command, FromArgMatches as _};

    fn parsed(line: &str) -> Result<HoldArgs, clap::Error> {
        let command = HoldArgs::augment_args(Command::new("hold"));
        HoldArgs::from_arg_matches(&command.try_get_matches_from(line.split(' '))?)
    }

    #[test]
    fn an_alert_or_a_camera_with_its_span() {
        let alert = "hold 0196bd3f-8a10-7000-8000-000000000000 --reason r";
        assert!(parsed(alert).unwrap().alert.is_some());
        let camera =
            "hold --camera gate --from 2026-05-01T22:14:00Z --to 2026-05-01T22:15:00+07:00 --reason r";
        assert_eq!(parsed(camera).unwrap().camera.unwrap().as_str(), "gate");
        for wrong in [
            "hold --reason r",
            "hold --camera gate --reason r",
            "hold --camera gate --from 2026-05-01T22:14:00Z --reason r",
            "hold 0196bd3f-8a10-7000-8000-000000000000",
            "hold 0196bd3f-8a10-7000-8000-000000000000 --camera gate --reason r",
            "hold 0196bd3f-8a10-7000-8000-000000000000 --reason r --config a --directory b",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_without_a_store_is_named() {
        let place = tempfile::tempdir().unwrap();
        let place = StorePlace { config: "x".into(), directory: Some(place.path().to_owned()) };
        assert!(place.find().unwrap_err().to_string().contains("--directory"));
    }
}
