//! `wardwatch clips export`: footage as MP4 files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Place, StoreArgs, check_cameras, not_blank, say_nearest, size, span, time, who};
use base::clock::{self, SystemClock};
use base::fragment::TimeSource;
use base::ids::CameraId;
use clipstore::Catalogue;
use clipstore::export::{
    self, ClipOrder, ExportOrder, Exported, ExportedClip, FAT32_FILE_BYTES_MAX, Gap, GapCause,
};
use program::id::IdPrefix;
use program::{CANNOT, FOUND};

/// Arguments of `wardwatch clips export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The footage of these alerts, from pre-roll to post-roll: ids, or beginnings of them; `clips list` names them.
    #[arg(required_unless_present = "camera", conflicts_with_all = ["camera", "from", "to"])]
    alert: Vec<IdPrefix>,
    /// The footage of this camera from --from to --to; may be given several times.
    #[arg(long, value_name = "ID", requires = "from", requires = "to")]
    camera: Vec<CameraId>,
    /// "24/11/2026 22:10" or "2026-11-24 22:10" in the box's time zone, 22:10 for today, "yesterday 22:10", "tuesday 22:10",
    /// "hôm qua 22:10", "thứ ba 22:10", a day alone, or RFC 3339.
    #[arg(long, value_name = "TIME", requires = "camera")]
    from: Option<String>,
    /// Until when, in the same way; a day alone counts to its end.
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
    let code = code(&exported, order.clips.len(), &place);
    if exported.failed.is_none() {
        for clip in exported.clips.iter().filter(|clip| clip.files.is_empty()) {
            say_nearest(&catalogue, &place, &clip.camera, clip.from, clip.to)?;
        }
    }
    Ok(ExitCode::from(code))
}

/// Prints the faults to standard error, and returns their exit code.
fn code(exported: &Exported, ordered: usize, place: &Place) -> u8 {
    let mut code = if exported.is_whole() { 0 } else { FOUND };
    for clip in &exported.clips {
        for flaw in &clip.flaws {
            let at = time::text(flaw.at, &place.timezone);
            eprintln!("wardwatch: {} at {at} in {}: {}", clip.camera, flaw.path.display(), flaw.what);
        }
        if clip.files.is_empty() && exported.failed.is_none() {
            let [from, to] = [clip.from, clip.to].map(|at| time::text(at, &place.timezone));
            eprintln!("wardwatch: there is no footage of {} from {from} to {to}", clip.camera);
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
    for written in &args.alert {
        let alert = place.alert(catalogue, written)?;
        let (camera, from, to) = catalogue.span(alert)?;
        clips.push(ClipOrder { camera, from, to, alert: Some(alert) });
    }
    if let (Some(from), Some(to)) = (&args.from, &args.to) {
        check_cameras(catalogue, &args.camera, &place.directory)?;
        let now = clock::wall();
        let from = time::parse(from, &place.timezone, now)?;
        let to = time::parse_end(to, &place.timezone, now)?;
        if from >= to {
            let [from, to] = [from, to].map(|at| time::text(at, &place.timezone));
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
