//! `wardpost show`: one alert whole.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::request::HANDED_OVER;
use super::{ShowingArgs, access, list};
use crate::storage::Filter;
use program::id::IdPrefix;

/// Arguments of `wardpost show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The alert: its id, or the beginning of it; `wardpost list` names them.
    alert: IdPrefix,
    /// Write its thumbnail into this file, as JPEG; the access log says who did.
    #[arg(long, value_name = "FILE")]
    thumbnail: Option<PathBuf>,
    /// Print a JSON array of its messages instead; times are in UTC.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    showing: ShowingArgs,
}

impl Args {
    /// Database and language.
    pub(super) fn showing(&self) -> &ShowingArgs {
        &self.showing
    }

    /// The file for the thumbnail.
    pub(super) fn thumbnail(&self) -> Option<&Path> {
        self.thumbnail.as_deref()
    }
}

/// Prints the last message of the alert in words, or all of them as JSON.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (mut storage, presentation) = args.showing.open(false)?;
    let alert = super::alert(&storage, &presentation, &args.alert)?;
    let messages = storage.alerts(&Filter { id: Some(alert), ..Filter::default() })?;
    let Some(last) = messages.last() else {
        bail!("no alert {alert} is stored; `wardpost list` names those that are");
    };
    if args.json {
        super::print_pretty(&messages.iter().map(list::json).collect::<Vec<_>>())?;
    } else {
        // The closing message repeats the contents of the opening one.
        print!("{}", presentation.whole(last));
    }
    if let Some(path) = &args.thumbnail {
        let number = last.thumbnail.with_context(|| format!("alert {alert} has no thumbnail"))?;
        let jpeg = storage.thumbnail(number, &access("show"))?;
        let jpeg = jpeg.with_context(|| format!("the thumbnail of alert {alert} is gone by now"))?;
        write(path, &jpeg).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the thumbnail; into the file that the asker has opened where that was handed over.
fn write(path: &Path, jpeg: &[u8]) -> std::io::Result<()> {
    if path.as_os_str() != HANDED_OVER {
        return std::fs::write(path, jpeg);
    }
    std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned()?).write_all(jpeg)
}
