//! `wardwatch clips list`: alerts with their footage, or all footage with its gaps.

use std::process::ExitCode;

use serde_json::json;

use super::{Place, StoreArgs, check_cameras, print_table, say_nearest, size, span, time};
use base::clock;
use base::ids::CameraId;
use base::time::{ClockState, WallTime};
use clipstore::{Catalogue, ClipEntry, ClipFilter, FootageSpan};
use program::id::IdPrefix;

/// Arguments of `wardwatch clips list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// This alert only: its id, or the beginning of it.
    alert: Option<IdPrefix>,
    /// This camera only; may be given several times.
    #[arg(long, value_name = "ID")]
    camera: Vec<CameraId>,
    /// Only footage or alerts that end after this: "24/11/2026 22:10" or "2026-11-24 22:10" in the box's time zone, 22:10 for
    /// today, "yesterday 22:10", "tuesday 22:10", "hôm qua 22:10", "thứ ba 22:10", a day alone, or RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only footage or alerts that start before this; a day alone counts to its end.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// List all footage of each camera instead, and where it is missing.
    #[arg(long, conflicts_with = "alert")]
    footage: bool,
    /// At most so many, the youngest; with --footage of each camera.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print a JSON array instead; times are in UTC.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Prints a table, or JSON.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let place = args.store.place()?;
    let catalogue = place.open()?;
    check_cameras(&catalogue, &args.camera, &place.directory)?;
    let now = clock::wall();
    let from = args.from.as_ref().map(|text| time::parse(text, &place.timezone, now)).transpose()?;
    let to = args.to.as_ref().map(|text| time::parse_end(text, &place.timezone, now)).transpose()?;
    let all = ClipFilter { camera: None, from, to, limit: args.limit };
    let every = if args.footage { catalogue.cameras()? } else { Vec::new() };
    let cameras = if args.camera.is_empty() { &every } else { &args.camera };
    let mut filters = Vec::new();
    for camera in cameras {
        filters.push(ClipFilter { camera: Some(camera.clone()), ..all.clone() });
    }
    if filters.is_empty() {
        filters.push(all);
    }
    if args.footage {
        let spans: Result<Vec<_>, _> = filters.iter().map(|filter| catalogue.spans(filter)).collect();
        let spans = spans?.concat();
        if args.json {
            print_spans_json(&spans)?
        } else {
            print_spans(&spans, &place)
        }
        if spans.is_empty() {
            for camera in cameras {
                let (from, to) = (from.unwrap_or(WallTime::from_micros(i64::MIN)), to.unwrap_or(now));
                say_nearest(&catalogue, &place, camera, from, to)?;
            }
        }
    } else {
        let entries = alerts(&catalogue, &filters, args, &place)?;
        if args.json { print_alerts_json(&entries)? } else { print_alerts(&entries, &place) }
    }
    Ok(ExitCode::SUCCESS)
}

/// The alerts, newest first.
fn alerts(
    catalogue: &Catalogue,
    filters: &[ClipFilter],
    args: &Args,
    place: &Place,
) -> anyhow::Result<Vec<ClipEntry>> {
    if let Some(written) = &args.alert {
        let mut entries = vec![catalogue.entry(place.alert(catalogue, written)?)?];
        entries.retain(|entry| args.camera.is_empty() || args.camera.contains(&entry.camera));
        return Ok(entries);
    }
    let mut entries = Vec::new();
    for filter in filters {
        entries.extend(catalogue.clips(filter)?);
    }
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.opened_at, entry.alert)));
    entries.truncate(args.limit.unwrap_or(usize::MAX));
    Ok(entries)
}

fn print_alerts(entries: &[ClipEntry], place: &Place) {
    if entries.is_empty() {
        println!("no alerts");
        return;
    }
    let head = ["opened", "closed", "camera", "rule", "severity", "footage", "alert"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for entry in entries {
        let footage = match entry.segments {
            0 => "none".to_owned(),
            1 => format!("1 file, {}", size(entry.bytes)),
            files => format!("{files} files, {}", size(entry.bytes)),
        };
        rows.push(vec![
            time::text(entry.opened_at, &place.timezone),
            entry.closed_at.map_or("open".to_owned(), |at| time::time_text(at, &place.timezone)),
            entry.camera.to_string(),
            entry.rule.to_string(),
            entry.severity.as_str().to_owned(),
            footage,
            entry.alert.to_string(),
        ]);
    }
    print_table(&rows);
    println!("\ntimes are in {}", place.timezone_name());
}

fn print_alerts_json(entries: &[ClipEntry]) -> anyhow::Result<()> {
    let entry = |entry: &ClipEntry| {
        json!({
            "alert": entry.alert, "camera": entry.camera, "rule": entry.rule, "severity": entry.severity,
            "opened_at": entry.opened_at, "closed_at": entry.closed_at, "segments": entry.segments,
            "bytes": entry.bytes,
        })
    };
    println!("{}", serde_json::to_string_pretty(&entries.iter().map(entry).collect::<Vec<_>>())?);
    Ok(())
}

fn print_spans(spans: &[FootageSpan], place: &Place) {
    if spans.is_empty() {
        println!("no footage");
        return;
    }
    let mut rows = vec![["camera", "from", "to", "length", "size", ""].map(str::to_owned).to_vec()];
    let mut before: Option<&FootageSpan> = None;
    for one in spans {
        if let Some(before) = before.filter(|before| before.camera == one.camera) {
            let missing = one.starts_at.since(before.ends_at).as_secs_f64();
            let what = match one.starts_at < before.ends_at {
                true => "-- the clock was set back --".to_owned(),
                false => format!("-- {} missing --", span(missing)),
            };
            rows.push(vec![String::new(), what]);
        }
        rows.push(vec![
            one.camera.to_string(),
            time::text(one.starts_at, &place.timezone),
            time::text(one.ends_at, &place.timezone),
            span(one.ends_at.since(one.starts_at).as_secs_f64()),
            size(one.bytes),
            if one.clock == ClockState::Unsynced { "clock not set" } else { "" }.to_owned(),
        ]);
        before = Some(one);
    }
    print_table(&rows);
    println!("\ntimes are in {}", place.timezone_name());
}

fn print_spans_json(spans: &[FootageSpan]) -> anyhow::Result<()> {
    let one = |one: &FootageSpan| {
        json!({
            "camera": one.camera, "starts_at": one.starts_at, "ends_at": one.ends_at, "clock": one.clock.as_str(),
            "segments": one.segments, "bytes": one.bytes,
        })
    };
    println!("{}", serde_json::to_string_pretty(&spans.iter().map(one).collect::<Vec<_>>())?);
    Ok(())
}
