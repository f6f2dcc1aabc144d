//! `wardwatch clips hold | holds | release`: footage that is kept as evidence. The daemon may run meanwhile.

use std::process::ExitCode;

use anyhow::{Context, bail};

use super::{Place, StoreArgs, check_cameras, not_blank, say_nearest, size, time, who};
use base::clock;
use base::ids::CameraId;
use base::one_line::one_line;
use clipstore::holds::{self, Hold, NewHold};
use program::FOUND;
use program::id::IdPrefix;

/// Maximum length of a reason, or of a name, for a terminal.
const TEXT_CHARS_MAX: usize = 1024;

/// The person who asks, and the reason: for the access log.
#[derive(Debug, clap::Args)]
struct Grounds {
    /// The reason: a case number, an order, a name. It stands in the access log.
    #[arg(long, value_name = "TEXT", value_parser = not_blank)]
    reason: String,
    /// On whose behalf; default: who is logged in.
    #[arg(long, value_name = "NAME", value_parser = not_blank)]
    who: Option<String>,
}

/// Arguments of `wardwatch clips hold`.
#[derive(Debug, clap::Args)]
pub(super) struct HoldArgs {
    /// The alert whose footage is held, from pre-roll to post-roll: its id, or the beginning of it.
    #[arg(required_unless_present = "camera", conflicts_with_all = ["camera", "from", "to"])]
    alert: Option<IdPrefix>,
    /// The camera whose footage is held.
    #[arg(long, value_name = "ID", requires_all = ["from", "to"])]
    camera: Option<CameraId>,
    /// "24/11/2026 22:10" or "2026-11-24 22:10" in the box's time zone, 22:10 for today, "yesterday 22:10", "tuesday 22:10",
    /// "hôm qua 22:10", "thứ ba 22:10", a day alone, or RFC 3339.
    #[arg(long, value_name = "TIME", requires = "camera")]
    from: Option<String>,
    /// Until when, in the same way; may be in the future. A day alone counts to its end.
    #[arg(long, value_name = "TIME", requires = "camera")]
    to: Option<String>,
    #[command(flatten)]
    grounds: Grounds,
    #[command(flatten)]
    store: StoreArgs,
}

/// Arguments of `wardwatch clips holds`.
#[derive(Debug, clap::Args)]
pub(super) struct HoldsArgs {
    /// Print one JSON object instead: `holds` and `damaged`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Arguments of `wardwatch clips release`.
#[derive(Debug, clap::Args)]
pub(super) struct ReleaseArgs {
    /// The hold: `wardwatch clips holds` names them.
    hold: String,
    #[command(flatten)]
    grounds: Grounds,
    #[command(flatten)]
    store: StoreArgs,
}

/// Holds footage; prints the hold's name and the amount of its footage.
pub(super) fn hold(args: &HoldArgs) -> anyhow::Result<ExitCode> {
    let place = args.store.place()?;
    let new = new_hold(args, &place)?;
    let hold = holds::hold(&place.directory, new)?;
    println!("{}", described(&place, &hold));
    let gone = hold.paths.len() - present(&place, &hold).0;
    if gone > 0 {
        eprintln!("wardwatch: files that were removed before the hold was made: {gone}");
    }
    if hold.paths.is_empty() {
        eprintln!("wardwatch: there is no footage of that time; what still comes of it is held");
        say_nearest(&place.open()?, &place, &hold.camera, hold.from, hold.to)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The hold that is asked for.
fn new_hold(args: &HoldArgs, place: &Place) -> anyhow::Result<NewHold> {
    let (reason, who) = (args.grounds.reason.clone(), who(args.grounds.who.as_deref()));
    let catalogue = place.open()?;
    if let (Some(camera), Some(from), Some(to)) = (&args.camera, &args.from, &args.to) {
        check_cameras(&catalogue, std::slice::from_ref(camera), &place.directory)?;
        let from = time::parse(from, &place.timezone, clock::wall())?;
        let to = time::parse_end(to, &place.timezone, clock::wall())?;
        return Ok(NewHold { camera: camera.clone(), from, to, alert: None, reason, who });
    }
    let written = args.alert.as_ref().context("name an alert, or a camera with --from and --to")?;
    let alert = place.alert(&catalogue, written)?;
    let (_, _, ends_at) = catalogue.span(alert)?;
    let clip = catalogue.clip(alert)?;
    if ends_at.is_none() {
        eprintln!(
            "wardwatch: the alert is still open: its footage is held up to {} only; hold it again when it is over",
            time::text(clip.ends_at, &place.timezone)
        );
    }
    if clip.segments.is_empty() {
        bail!("there is no footage of alert {alert}");
    }
    Ok(NewHold {
        camera: clip.camera,
        from: clip.starts_at,
        to: clip.ends_at,
        alert: Some(alert),
        reason,
        who,
    })
}

/// Prints the holds; returns 3 if one is damaged.
pub(super) fn holds(args: &HoldsArgs) -> anyhow::Result<ExitCode> {
    let place = args.store.place()?;
    let found = holds::list(&place.directory)?;
    if args.json {
        let damaged = found.damaged.iter().map(|damaged| {
            serde_json::json!({ "path": damaged.path, "camera": damaged.camera, "why": damaged.why })
        });
        let all = serde_json::json!({ "holds": found.holds, "damaged": damaged.collect::<Vec<_>>() });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        for hold in &found.holds {
            println!("{}", described(&place, hold));
        }
        for damaged in &found.damaged {
            let what = damaged.camera.as_ref().map_or("everything".to_owned(), |id| format!("all of {id}"));
            eprintln!("{} is damaged and holds {what}: {}", damaged.path.display(), damaged.why);
        }
    }
    Ok(if found.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// Ends a hold.
pub(super) fn release(args: &ReleaseArgs) -> anyhow::Result<ExitCode> {
    let place = args.store.place()?;
    let who = who(args.grounds.who.as_deref());
    let hold = holds::release(&place.directory, &args.hold, &who, &args.grounds.reason)?;
    println!("released {}", described(&place, &hold));
    Ok(ExitCode::SUCCESS)
}

fn described(place: &Place, hold: &Hold) -> String {
    let (files, bytes) = present(place, hold);
    let alert = hold.alert.map_or(String::new(), |alert| format!(", alert {alert}"));
    let (from, to) = (time::text(hold.from, &place.timezone), time::text(hold.to, &place.timezone));
    let (id, camera, size) = (&hold.id, &hold.camera, size(bytes));
    let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    let [reason, who] = [&hold.reason, &hold.who].map(|text| one_line(text, TEXT_CHARS_MAX));
    format!("{id}  {camera}, {from} to {to}{alert}: {files}, {size}; {reason} ({who})")
}

/// Number of a hold's files that exist, and their bytes.
fn present(place: &Place, hold: &Hold) -> (usize, u64) {
    let clips = place.directory.join("clips");
    let lengths = hold.paths.iter().filter_map(|path| std::fs::metadata(clips.join(path)).ok());
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
}
