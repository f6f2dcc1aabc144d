//! `wardpost tail`: alerts and notices as they arrive, out of the database.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::follow::{Entry, Follower, has_its_own};
use super::inline::Terminal;
use super::{ShowingArgs, access, list};
use crate::Storage;
use crate::presentation::{Presentation, printable_json};
use crate::storage::{LateThumbnail, StoredAlert};

/// Interval of checks for changes of the database: a read of shared memory.
const POLL: Duration = Duration::from_millis(100);

/// Arguments of `wardpost tail`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Begin with so many that are stored already.
    #[arg(long, value_name = "N", default_value_t = 10)]
    last: usize,
    /// Write each thumbnail into this folder, as JPEG.
    #[arg(long, value_name = "FOLDER")]
    thumbnails: Option<PathBuf>,
    /// Show thumbnails in the terminal: kitty, iTerm2 and those that understand the same.
    #[arg(long)]
    inline: bool,
    /// Print JSON lines instead; times are in UTC.
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

    /// True if it writes thumbnails into a folder.
    pub(super) fn writes_files(&self) -> bool {
        self.thumbnails.is_some()
    }
}

/// Prints until it is ended.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (storage, presentation) = args.showing.open(std::io::stdout().is_terminal())?;
    let terminal = if args.inline { Some(Terminal::of_this_process()?) } else { None };
    if let Some(folder) = &args.thumbnails {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut tail = Tail { args, storage, presentation, terminal };
    // Before the first read, so that no change is missed.
    let mut seen = tail.storage.change()?;
    let (mut follower, last) = Follower::begin(&tail.storage, args.last)?;
    last.iter().try_for_each(|entry| tail.show(entry))?;
    loop {
        while let Some(entries) = follower.read(&tail.storage)? {
            entries.iter().try_for_each(|entry| tail.show(entry))?;
        }
        while tail.storage.change()? == seen {
            std::thread::sleep(POLL);
        }
        seen = tail.storage.change()?;
    }
}

struct Tail<'a> {
    args: &'a Args,
    storage: Storage,
    presentation: Presentation,
    terminal: Option<Terminal>,
}

impl Tail<'_> {
    fn show(&mut self, entry: &Entry) -> anyhow::Result<()> {
        match entry {
            Entry::Notice(notice) if self.args.json => {
                let who = notice.sender.as_ref();
                // Troubles are stored as JSON.
                let troubles =
                    notice.detail.as_ref().filter(|_| ["trouble", "well"].contains(&notice.kind.as_str()));
                let troubles = troubles.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
                let json = serde_json::json!({
                    "notice": notice.kind, "at": notice.at, "ward": who.map(|who| &who.ward),
                    "box": who.map(|who| &who.box_id), "detail": notice.detail, "troubles": troubles,
                });
                println!("{}", printable_json(&json.to_string()));
            }
            Entry::Notice(notice) => println!("{}", self.presentation.notice(notice)),
            Entry::Late(late) => {
                match self.args.json {
                    true => println!("{}", printable_json(&late_json(late).to_string())),
                    false => println!("{}", self.presentation.late_thumbnail(late)),
                }
                self.show_thumbnail(&late.stored)?;
            }
            Entry::Alert(stored) => {
                match self.args.json {
                    true => println!("{}", printable_json(&list::json(stored).to_string())),
                    false => println!("{}", self.presentation.line(stored)),
                }
                self.show_thumbnail(stored)?;
            }
        }
        Ok(std::io::stdout().flush()?)
    }

    /// Shows the thumbnail, only with the message that it belongs to.
    fn show_thumbnail(&mut self, stored: &StoredAlert) -> anyhow::Result<()> {
        let wanted = self.args.thumbnails.is_some() || self.terminal.is_some();
        if !wanted || !has_its_own(stored) {
            return Ok(());
        }
        let Some(jpeg) = self.storage.thumbnail(stored.number, &access("tail"))? else { return Ok(()) };
        if let Some(folder) = &self.args.thumbnails {
            let path = thumbnail_file(folder, stored);
            std::fs::write(&path, &jpeg).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if let Some(terminal) = self.terminal {
            print!("{}", terminal.picture(&jpeg));
        }
        Ok(())
    }
}

/// Path of an alert's thumbnail file.
pub fn thumbnail_file(folder: &Path, stored: &StoredAlert) -> PathBuf {
    folder.join(format!("{}-{}-{}.jpg", stored.sender.ward, stored.sender.box_id, stored.alert.id))
}

fn late_json(late: &LateThumbnail) -> serde_json::Value {
    let stored = &late.stored;
    serde_json::json!({
        "late_thumbnail": stored.alert.id, "at": late.at, "ward": stored.sender.ward, "box": stored.sender.box_id,
        "number": stored.number,
    })
}
