//! `wardpost demo`: the duty officers' page over a drawn ward, on this machine alone.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::demo::Demo;
use crate::page::Page;
use crate::presentation::Language;
use crate::settings::{Settings, Written, WrittenBroker, WrittenPage, WrittenPost};
use crate::{Duty, Storage};
use base::clock;
use program::language_of_the_locale;

/// Interval of new alerts.
const ALERT_EVERY: Duration = Duration::from_secs(6);
/// Interval of looks for the end.
const POLL: Duration = Duration::from_millis(100);
/// A broker that is never connected to: the settings name one.
const NO_BROKER: &str = "mqtt://127.0.0.1:9";

/// Arguments of `wardpost demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Port of the page on 127.0.0.1 [default: one that is free]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Ends after so many seconds; 0 for until Ctrl-C.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    seconds: u64,
    /// Draws another ward; the same number draws the same one.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Language of the page: vi or en [default: that of the locale]
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
}

/// Serves the page until its time is over, or Ctrl-C.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&is_over)).context("cannot listen for signals")?;
    }
    let place = Place::make()?;
    let settings = args.settings(&place.0.join("post.sqlite"))?;
    let storage = Storage::open(&settings.database)?;
    let presentation = settings.showing.clone().presentation(false);
    println!("drawing a week of a ward; this takes a moment");
    let mut demo = Demo::fill(storage, args.seed, presentation.timezone.clone(), clock::wall())?;
    let duty = Duty::start(&settings.database, settings.duty.clone(), presentation)?;
    let page = Page::start(&settings)?.context("the page is switched off")?;
    let url = page.url();
    let login = page.first_code().map_or_else(String::new, |code| {
        format!("the first login: {url}begin with the one-time code {code}\n")
    });
    println!(
        "the duty officers' page of a drawn ward: {url}\n{login}Ctrl-C ends it, and removes what was drawn"
    );
    let begun = Instant::now();
    let mut next = begun + ALERT_EVERY;
    while !is_over.load(Ordering::Relaxed) && (args.seconds == 0 || begun.elapsed().as_secs() < args.seconds)
    {
        if Instant::now() >= next {
            demo.next(clock::wall())?;
            next = Instant::now() + ALERT_EVERY;
        }
        std::thread::sleep(POLL);
    }
    drop(page);
    duty.stop();
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn settings(&self, database: &Path) -> anyhow::Result<Settings> {
        let written = Written {
            broker: WrittenBroker { url: Some(NO_BROKER.to_owned()), ..WrittenBroker::default() },
            post: WrittenPost { database: Some(database.to_owned()), ..WrittenPost::default() },
            page: WrittenPage { listen: Some(format!("127.0.0.1:{}", self.port)), ..WrittenPage::default() },
            ..Written::default()
        };
        let mut settings = written.settings()?;
        settings.showing.language = Some(self.lang.unwrap_or_else(language_of_the_locale));
        if let Some(page) = &mut settings.page {
            page.is_demonstration = true;
        }
        Ok(settings)
    }
}

/// A folder for the database, which goes with the demonstration.
struct Place(PathBuf);

impl Place {
    fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("wardpost-demo-{}", std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A folder that stays is one of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
