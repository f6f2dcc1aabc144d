//! `wardpost tail`: alerts and notices as they arrive, out of the database.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::inline::Terminal;
use super::{ShowingArgs, list, look};
use crate::domain::time::WallTime;
use crate::post::Storage;
use crate::post::presentation::Presentation;
use crate::post::storage::{Filter, LateThumbnail, StoredAlert, StoredNotice};

/// How often the database is asked whether it has changed: a look into shared memory.
const POLL: Duration = Duration::from_millis(100);
/// So many alerts are read at once.
const READ_MAX: usize = 200;

/// Arguments of `wardpost tail`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
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

/// Prints until it is ended.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (storage, presentation) = args.showing.open(std::io::stdout().is_terminal())?;
    let terminal = if args.inline { Some(Terminal::of_this_process()?) } else { None };
    if let Some(folder) = &args.thumbnails {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let pictured = BTreeSet::new();
    let mut tail = Tail { args, storage, presentation, terminal, alert: 0, notice: 0, late: 0, pictured };
    // Before the first look, so that no change falls between.
    let mut seen = tail.storage.change()?;
    tail.begin()?;
    loop {
        std::thread::sleep(POLL);
        let now = tail.storage.change()?;
        if now != seen {
            seen = now;
            tail.go_on()?;
        }
    }
}

struct Tail<'a> {
    args: &'a Args,
    storage: Storage,
    presentation: Presentation,
    terminal: Option<Terminal>,
    /// The last alert, the last notice and the last late thumbnail that were shown.
    alert: u64,
    notice: u64,
    late: u64,
    /// Alerts that were read together with their thumbnails, late or not: these are not told of again.
    pictured: BTreeSet<u64>,
}

enum Entry {
    Alert(Box<StoredAlert>),
    Notice(StoredNotice),
    Late(Box<LateThumbnail>),
}

impl Entry {
    fn at(&self) -> WallTime {
        match self {
            Self::Alert(stored) => stored.received_at,
            Self::Notice(notice) => notice.at,
            Self::Late(late) => late.at,
        }
    }
}

impl Entry {
    /// The alert that is shown with its thumbnail.
    fn pictured(&self) -> Option<u64> {
        match self {
            Self::Alert(stored) if has_its_own(stored) => Some(stored.number),
            _ => None,
        }
    }
}

impl Tail<'_> {
    /// The last ones that are there, alerts and notices together.
    fn begin(&mut self) -> anyhow::Result<()> {
        let newest = |limit: usize| Filter { limit: Some(limit), ..Filter::default() };
        self.late = self.storage.last_late_thumbnail()?;
        self.alert = self.storage.alerts(&newest(1))?.last().map_or(0, |stored| stored.number);
        self.notice = self.storage.notices(0, 1)?.last().map_or(0, |notice| notice.number);
        let last = self.args.last;
        let mut entries =
            entries(self.storage.alerts(&newest(last))?, self.storage.notices(0, last)?, Vec::new());
        // What came meanwhile is shown as what comes.
        entries.retain(|entry| match entry {
            Entry::Alert(stored) => stored.number <= self.alert,
            Entry::Notice(notice) => notice.number <= self.notice,
            Entry::Late(_) => true,
        });
        let surplus = entries.len().saturating_sub(last);
        entries.drain(..surplus);
        self.pictured = entries.iter().filter_map(Entry::pictured).collect();
        entries.iter().try_for_each(|entry| self.show(entry))?;
        self.go_on()
    }

    /// What has come since.
    fn go_on(&mut self) -> anyhow::Result<()> {
        loop {
            let filter =
                Filter { after_number: Some(self.alert), limit: Some(READ_MAX), ..Filter::default() };
            let alerts = self.storage.alerts(&filter)?;
            let notices = self.storage.notices(self.notice, READ_MAX)?;
            // After the alerts: what is late to one of these is here, too.
            let late = self.storage.late_thumbnails(self.late, READ_MAX)?;
            let has_more = alerts.len().max(late.len()) == READ_MAX;
            self.alert = alerts.last().map_or(self.alert, |stored| stored.number);
            self.notice = notices.last().map_or(self.notice, |notice| notice.number);
            self.late = late.last().map_or(self.late, |late| late.number);
            self.pictured.extend(alerts.iter().filter(|stored| has_its_own(stored)).map(|stored| stored.number));
            let late = late.into_iter().filter(|late| !self.pictured.contains(&late.stored.number)).collect();
            entries(alerts, notices, late).iter().try_for_each(|entry| self.show(entry))?;
            if !has_more {
                self.pictured.clear();
                return Ok(());
            }
        }
    }

    fn show(&mut self, entry: &Entry) -> anyhow::Result<()> {
        match entry {
            Entry::Notice(notice) if self.args.json => {
                let who = notice.sender.as_ref();
                println!(
                    "{}",
                    serde_json::json!({
                        "notice": notice.kind, "at": notice.at, "ward": who.map(|who| &who.ward),
                        "box": who.map(|who| &who.box_id), "detail": notice.detail,
                    })
                );
            }
            Entry::Notice(notice) => println!("{}", self.presentation.notice(notice)),
            Entry::Late(late) => {
                let stored = &late.stored;
                match self.args.json {
                    true => println!(
                        "{}",
                        serde_json::json!({
                            "late_thumbnail": stored.alert.id, "at": late.at, "ward": stored.sender.ward,
                            "box": stored.sender.box_id, "number": stored.number,
                        })
                    ),
                    false => println!("{}", self.presentation.late_thumbnail(late)),
                }
                self.show_thumbnail(stored)?;
            }
            Entry::Alert(stored) => {
                match self.args.json {
                    true => println!("{}", list::json(stored)),
                    false => println!("{}", self.presentation.line(stored)),
                }
                self.show_thumbnail(stored)?;
            }
        }
        Ok(std::io::stdout().flush()?)
    }

    /// Only with the message that it belongs to.
    fn show_thumbnail(&mut self, stored: &StoredAlert) -> anyhow::Result<()> {
        let wanted = self.args.thumbnails.is_some() || self.terminal.is_some();
        if !wanted || !has_its_own(stored) {
            return Ok(());
        }
        let Some(jpeg) = self.storage.thumbnail(stored.number, &look("tail"))? else { return Ok(()) };
        if let Some(folder) = &self.args.thumbnails {
            let path = file(folder, stored);
            std::fs::write(&path, &jpeg).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if let Some(terminal) = self.terminal {
            print!("{}", terminal.picture(&jpeg));
        }
        Ok(())
    }
}

fn file(folder: &Path, stored: &StoredAlert) -> PathBuf {
    folder.join(format!("{}-{}-{}.jpg", stored.sender.ward, stored.sender.box_id, stored.alert.id))
}

/// Its end has the thumbnail of its beginning.
fn has_its_own(stored: &StoredAlert) -> bool {
    stored.thumbnail == Some(stored.number)
}

/// In the order of their coming.
fn entries(alerts: Vec<StoredAlert>, notices: Vec<StoredNotice>, late: Vec<LateThumbnail>) -> Vec<Entry> {
    let alerts = alerts.into_iter().map(|stored| Entry::Alert(Box::new(stored)));
    let late = late.into_iter().map(|late| Entry::Late(Box::new(late)));
    let mut entries: Vec<Entry> = alerts.chain(notices.into_iter().map(Entry::Notice)).chain(late).collect();
    entries.sort_by_key(Entry::at);
    entries
}
