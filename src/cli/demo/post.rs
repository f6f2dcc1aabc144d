//! The receiving end of the demonstration at a ward post: its receiver and database, and each alert as the duty officer sees it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::tz::TimeZone;

use super::Received;
use crate::run::demo::Stage;
use base::clock;
use base::time::WallTime;
use program::language_of_the_locale;
use wardpost::cli::access;
use wardpost::cli::follow::{Entry, Follower, has_its_own};
use wardpost::cli::tail::thumbnail_file;
use wardpost::page::Page;
use wardpost::presentation::Presentation;
use wardpost::settings::{Settings, Written, WrittenBroker, WrittenPage, WrittenPost};
use wardpost::storage::StoredAlert;
use wardpost::{Duty, Receiver, Storage};

/// Interval of checks for changes of the database: short, so that the transport is measured and not the wait for a check.
const POLL: Duration = Duration::from_millis(2);

/// Address of the page: a port that is free.
const PAGE: &str = "127.0.0.1:0";

/// A ward post with its page, and the reader of its database.
pub(super) struct Listener {
    receiver: Receiver,
    duty: Duty,
    page: Option<Page>,
    storage: Storage,
    /// The database's change counter when it was last read.
    seen: i64,
    follower: Follower,
    presentation: Presentation,
    database: PathBuf,
    thumbnails: PathBuf,
}

impl Listener {
    /// End point of the measured latency.
    pub const GOAL: &str = "the post's disk";

    pub fn start(stage: &Stage, thumbnails: PathBuf) -> anyhow::Result<Self> {
        let database = stage.output.join("post.sqlite");
        let written = Written {
            broker: WrittenBroker {
                url: Some(format!("mqtt://127.0.0.1:{}", stage.port)),
                ..WrittenBroker::default()
            },
            post: WrittenPost {
                ward: Some("ben-nghe".to_owned()),
                database: Some(database.clone()),
                ..WrittenPost::default()
            },
            page: WrittenPage { listen: Some(PAGE.to_owned()), ..WrittenPage::default() },
            ..Written::default()
        };
        let settings = written.settings()?;
        let receiver = Receiver::start(settings.clone(), || {}).context("the ward post cannot start")?;
        let duty = Duty::start(
            &settings.database,
            settings.duty.clone(),
            settings.showing.clone().presentation(false),
        )?;
        let page = page(&settings);
        let storage = Storage::open_beside(&database)?;
        let (language, timezone) = (language_of_the_locale(), TimeZone::system());
        let presentation = Presentation { language, timezone, colours: false };
        let seen = storage.change()?;
        let (follower, _) = Follower::begin(&storage, 0)?;
        Ok(Self { receiver, duty, page, storage, seen, follower, presentation, database, thumbnails })
    }

    /// Arguments of `wardpost` with which a person follows the alerts.
    pub fn arguments(&self) -> String {
        format!("tail --database {}", super::quoted(&self.database))
    }

    /// Lines that say how a browser of this machine opens the duty officers' page; none where it is not served.
    pub fn way_in(&self) -> Vec<String> {
        let Some(page) = &self.page else { return Vec::new() };
        let url = page.url();
        match page.first_code() {
            Some(code) => vec![
                format!("the duty officers' page: {url}"),
                format!("the first login: {url}begin with the one-time code {code}"),
            ],
            None => vec![format!("the duty officers' page: {url}")],
        }
    }

    /// The next alerts, if some come within `patience`.
    pub fn wait(&mut self, patience: Duration) -> anyhow::Result<Vec<Received>> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            let change = self.storage.change()?;
            if change == self.seen {
                std::thread::sleep(POLL);
                continue;
            }
            self.seen = change;
            let stored_at = clock::wall();
            let mut received = Vec::new();
            while let Some(entries) = self.follower.read(&self.storage)? {
                for entry in &entries {
                    received.extend(self.tell(entry, stored_at)?);
                }
            }
            if !received.is_empty() {
                return Ok(received);
            }
        }
        Ok(Vec::new())
    }

    pub fn stop(self) -> anyhow::Result<()> {
        drop(self.page);
        self.duty.stop();
        Ok(self.receiver.stop()?)
    }

    fn tell(&mut self, entry: &Entry, stored_at: WallTime) -> anyhow::Result<Option<Received>> {
        match entry {
            Entry::Notice(notice) => println!("{}", self.presentation.notice(notice)),
            Entry::Late(late) => {
                println!("{}", self.presentation.late_thumbnail(late));
                self.keep_thumbnail(&late.stored)?;
            }
            Entry::Alert(stored) => {
                let alert = &stored.alert;
                println!("{}", self.presentation.line(stored));
                let received = Received::new(alert, stored_at.since(alert.opened_at));
                if let Some(latency) = received.latency {
                    println!("    on the post's disk after {} ms", latency.as_millis());
                }
                self.keep_thumbnail(stored)?;
                return Ok(Some(received));
            }
        }
        Ok(None)
    }

    fn keep_thumbnail(&mut self, stored: &StoredAlert) -> anyhow::Result<()> {
        if !has_its_own(stored) {
            return Ok(());
        }
        let Some(jpeg) = self.storage.thumbnail(stored.number, &access("demo"))? else { return Ok(()) };
        let path = thumbnail_file(&self.thumbnails, stored);
        std::fs::write(&path, jpeg).with_context(|| format!("cannot write {}", path.display()))?;
        println!("    {}", path.display());
        Ok(())
    }
}

/// The duty officers' page. The demonstration goes on without it, and says why.
fn page(settings: &Settings) -> Option<Page> {
    match Page::start(settings) {
        Ok(page) => page,
        Err(error) => {
            eprintln!("the duty officers' page is not served: {}", base::fault::chain(&error));
            None
        }
    }
}
