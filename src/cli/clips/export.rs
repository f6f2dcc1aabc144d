//! `wardwatch clips export`: footage as MP4 files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Place, StoreArgs, check_cameras, not_blank, size, span, time, who};
use base::clock::{self, SystemClock};
use base::fragment::TimeSource;
use base::ids::{AlertId, CameraId};
use clipstore::Catalogue;
use clipstore::export::{
    self, ClipOrder, ExportOrder, Exported, ExportedClip, FAT32_FILE_BYTES_MAX, Gap, GapCause,
};
use program::{CANNOT, FOUND};

/// Arguments of `wardwatch clips export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The footage of these alerts, from pre-roll to post-roll; `clips list` names them.
    #[arg(required_unless_present = "camera", conflicts_with_all = ["camera", "from", "to"])]
    alert: Vec<AlertId>,
    /// The footage of this camera from --from to --to; may be given several times.
    #[arg(long, value_name = "ID", requires = "from", requires = "to")]
    camera: Vec<CameraId>,
    /// 2026-05-01T22:14:03+07:00, "2026-05-01 22:14" in the box's time zone, or 22:14 for today.
    #[arg(long, value_name = "TIME", requires = "camera")]
    from: Option<String>,
    /// Until when, in the same way.
    #[arg(long, value_name = "TIME", requires = "camera")]
    to: Option<String>,
    /// An existing folder; nothing in it is written over.
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// The reason; it stands in the access log and in the files.
    #[arg(long, value_name = "TEXT", value_parser = not_blank)]
    reason: String,
    /// On whose behalf; default: who is logged in.
    #[arg(long, value_name = "NAME", value_parser = not_blank)]
    who: Option<String>,
    /// Print one JSON object instead; times are in UTC.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Exports, and prints the result. Returns 1 where something was not exported for lack of footage or room, 3 where
/// footage turned out to be damaged.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let place = args.store.place()?;
    let catalogue = place.open()?;
    let order = ExportOrder {
        clips: clips(args, &place, &catalogue)?,
        folder: args.output.clone(),
        who: who(args.who.as_deref()),
        why: args.reason.clone(),
        box_id: place.box_id.clone(),
        timezone: place.timezone.clone(),
        file_bytes_max: FAT32_FILE_BYTES_MAX,
    };
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{wide_bar} {percent:>3}% {elapsed} (about {eta} left)")
            .context("the progress bar's template")?,
    );
    let exported = export::export(&catalogue, &order, &SystemClock, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done.min(total));
    });
    bar.finish_and_clear();
    let exported = exported?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&exported)?);
    } else {
        exported.clips.iter().for_each(|clip| print_clip(clip, &place));
    }
    Ok(ExitCode::from(code(&exported, order.clips.len())))
}

/// Prints the faults to standard error, and returns their exit code.
fn code(exported: &Exported, ordered: usize) -> u8 {
    let mut code = if exported.is_whole() { 0 } else { FOUND };
    for clip in &exported.clips {
        for flaw in &clip.flaws {
            eprintln!("wardwatch: {} at {} in {}: {}", clip.camera, flaw.at, flaw.path.display(), flaw.what);
        }
        if clip.files.is_empty() && exported.failed.is_none() {
            eprintln!("wardwatch: there is no footage of {} from {} to {}", clip.camera, clip.from, clip.to);
            code = CANNOT;
        }
    }
    if let Some(failed) = &exported.failed {
        let complete: usize = exported.clips.iter().map(|clip| clip.files.len()).sum();
        eprintln!("wardwatch: {failed}");
        eprintln!(
            "wardwatch: {complete} files are complete and stay; {} of {ordered} clips were begun",
            exported.clips.len()
        );
        code = CANNOT;
    }
    code
}

fn clips(args: &Args, place: &Place, catalogue: &Catalogue) -> anyhow::Result<Vec<ClipOrder>> {
    let mut clips = Vec::new();
    for alert in &args.alert {
        let (camera, from, to) = catalogue.span(*alert)?;
        clips.push(ClipOrder { camera, from, to, alert: Some(*alert) });
    }
    if let (Some(from), Some(to)) = (&args.from, &args.to) {
        check_cameras(catalogue, &args.camera, &place.directory)?;
        let now = clock::wall();
        let (from, to) = (time::parse(from, &place.timezone, now)?, time::parse(to, &place.timezone, now)?);
        if from >= to {
            bail!("--from ({from}) is not before --to ({to})");
        }
        for camera in &args.camera {
            clips.push(ClipOrder { camera: camera.clone(), from, to: Some(to), alert: None });
        }
    }
    Ok(clips)
}

fn print_clip(clip: &ExportedClip, place: &Place) {
    for file in &clip.files {
        let content = &file.content;
        println!("{}", file.path.display());
        println!(
            "  {} to {}, plays {}, {}",
            time::text(content.starts_at, &place.timezone),
            time::text(content.ends_at, &place.timezone),
            span(content.seconds),
            size(file.bytes)
        );
        content.gaps.iter().for_each(|gap| println!("  {}", gap_text(gap, place)));
        if content.time == TimeSource::Arrival {
            println!("  times follow the arrival of pictures, since the camera's own could not be");
        }
        if let Some(why) = content.goes_on {
            println!("  goes on in the next file: {why}");
        }
        println!("  sha256 {}", file.sha256);
    }
}

fn gap_text(gap: &Gap, place: &Place) -> String {
    let (from, to) = (time::text(gap.from, &place.timezone), time::text(gap.to, &place.timezone));
    let what = match gap.cause {
        GapCause::NotRecorded => "not recorded",
        GapCause::Reconnected => "the camera was connected to anew",
        GapCause::ClockSet => "the clock was set",
        GapCause::Removed => "removed meanwhile",
        GapCause::Damaged => "damaged",
    };
    format!("gap at {}: {from} to {to}, {:.1} s, {what}", span(gap.position_seconds), gap.seconds)
}
