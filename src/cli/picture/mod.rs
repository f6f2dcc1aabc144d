//! `wardwatch picture`: a camera's picture with everything that is configured on it, as a JPEG or as a page on which zones
//! and lines are drawn by hand.

mod page;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::alerts::stills::Decoder;
use crate::alerts::thumbnail::{self, Outline};
use crate::config::{self, Settings};
use base::clock::{self, SystemClock};
use base::ids::CameraId;
use base::time::WallTime;
use clipstore::Catalogue;
use clipstore::export::{self, PictureOrder, RecordedPicture};
use program::time::WITH_OFFSET;
use program::who;

/// Arguments of `wardwatch picture`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configured camera.
    camera: CameraId,
    /// The file to write: .jpg for a picture, .html for a page on which zones and lines are drawn and copied as TOML.
    #[arg(short, long, value_name = "FILE", value_parser = picture_file)]
    output: PathBuf,
    /// The configuration; conf.d/*.toml beside it is read as well.
    #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// Connect to the camera, also where something of it is recorded.
    #[arg(long)]
    live: bool,
    /// The reason; it stands in the access log.
    #[arg(long, value_name = "TEXT", default_value = "zones and lines")]
    reason: String,
    /// On whose behalf; default: who is logged in.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Maximum time for a picture to come.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    patience: u64,
}

fn picture_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match is_page(&path) {
        Some(_) => Ok(path),
        None => Err("must end in .jpg or .html".to_owned()),
    }
}

/// True for a page, false for a picture; `None` for another file.
fn is_page(path: &Path) -> Option<bool> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "html" | "htm" => Some(true),
        "jpg" | "jpeg" => Some(false),
        _ => None,
    }
}

/// Writes the picture or the page, and prints its source.
///
/// # Errors
/// There is no such camera, no picture came, or the file cannot be written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = config::load(&args.config)?;
    let Some(camera) = settings.cameras.iter().find(|known| known.camera.id == args.camera) else {
        let known: Vec<&str> = settings.cameras.iter().map(|known| known.camera.id.as_str()).collect();
        bail!("{} has no camera \"{}\"; it has {}", args.config.display(), args.camera, known.join(", "));
    };
    let order = PictureOrder {
        camera: args.camera.clone(),
        file: std::path::absolute(&args.output)?,
        who: who(args.who.as_deref()),
        why: args.reason.clone(),
    };
    let directory = &settings.store.directory;
    let source = source(args, &settings, &order)?;
    let written = write(args, &settings, camera, &source);
    if directory.exists() {
        let outcome = written.as_deref().map_err(|error| format!("{error:#}"));
        export::log_outcome(directory, &order, source.at, outcome, &SystemClock)?;
    }
    written?;
    println!("{}: {}", args.output.display(), words(&source, &settings));
    Ok(ExitCode::SUCCESS)
}

/// Source of a picture.
struct PictureSource {
    /// The newest recorded key frame; `None` to ask the camera.
    still: Option<RecordedPicture>,
    /// Time of the picture.
    at: WallTime,
}

/// The newest recorded key frame, or the camera itself where there is none. The access log has a line about it on return.
fn source(args: &Args, settings: &Settings, order: &PictureOrder) -> anyhow::Result<PictureSource> {
    let directory = &settings.store.directory;
    if !args.live && directory.join("index.sqlite").exists() {
        let catalogue = Catalogue::open(directory)?;
        if let Some(still) = export::newest_key_frame(&catalogue, order, &SystemClock)? {
            return Ok(PictureSource { at: still.at, still: Some(still) });
        }
    }
    let at = clock::wall();
    if directory.exists() {
        export::log_look(directory, order, at, &SystemClock)?;
    } else {
        eprintln!(
            "wardwatch: {} is not there yet, so this look stands in no access log",
            directory.display()
        );
    }
    Ok(PictureSource { at, still: None })
}

/// Writes the file, and returns its bytes.
fn write(
    args: &Args,
    settings: &Settings,
    camera: &config::Camera,
    source: &PictureSource,
) -> anyhow::Result<Vec<u8>> {
    let decoder = Decoder::alone(Duration::from_secs(args.patience))?;
    let picture = match &source.still {
        Some(still) => decoder.recorded(&args.camera, &still.mp4)?,
        None => decoder.live(camera)?,
    };
    let outlines = Outline::of_camera(settings, camera);
    let masks = &camera.privacy_masks;
    let bytes = if is_page(&args.output) == Some(true) {
        let jpeg = thumbnail::annotate(&picture, &[], &[], masks)?;
        let size = [picture.width(), picture.height()];
        page::page(&camera.camera, &words(source, settings), size, &jpeg, &outlines).into_bytes()
    } else {
        thumbnail::annotate(&picture, &[], &outlines, masks)?
    };
    std::fs::write(&args.output, &bytes)
        .with_context(|| format!("cannot write {}; name another file with -o", args.output.display()))?;
    Ok(bytes)
}

/// The source for a person.
fn words(source: &PictureSource, settings: &Settings) -> String {
    let local = source.at.to_timestamp().to_zoned(settings.timezone.clone());
    let from = if source.still.is_some() { "recorded" } else { "live from the camera," };
    format!("{from} {}", local.strftime(WITH_OFFSET))
}
