//! `wardpost serve`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::ConfigArgs;
use crate::page::Page;
use crate::settings::{Settings, Written, WrittenBroker, WrittenPost};
use crate::{Duty, Receiver};
use base::fault::chain;
use program::systemd::{self, Watchdog};

/// Interval of reading a configuration with faults again.
const RETRY: Duration = Duration::from_secs(2);
/// Interval of trying again to serve the page.
const PAGE_RETRY: Duration = Duration::from_secs(5);

/// Arguments of `wardpost serve`. What stands here goes before what stands in the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// The broker: mqtts://HOST:PORT, or mqtt://HOST:PORT for one on the same machine.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// PEM file of the authority that signed the broker's certificate.
    #[arg(long, value_name = "PATH")]
    ca: Option<PathBuf>,
    /// PEM file of this post's certificate chain.
    #[arg(long, value_name = "PATH", requires = "key")]
    cert: Option<PathBuf>,
    /// PEM file of its private key.
    #[arg(long, value_name = "PATH", requires = "cert")]
    key: Option<PathBuf>,
    /// User name at the broker.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// File that holds nothing but the password.
    #[arg(long, value_name = "PATH")]
    password_file: Option<PathBuf>,
    /// Name of the post's session at the broker [default: wardpost-WARD]
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,
    /// The ward whose boxes are heard; + for all [default: +]
    #[arg(long, value_name = "WARD")]
    ward: Option<String>,
    /// A box from which nothing comes for so many seconds is reported [default: 300]
    #[arg(long, value_name = "SECONDS")]
    silent_after: Option<u64>,
    /// Alerts are removed after so many days [default: 90]
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u64>,
    /// Stay up where the configuration has faults, as the unit does: receive once it has none. Without it, a fault ends the
    /// program.
    #[arg(long)]
    stay_up: bool,
}

/// Receives until SIGTERM or SIGINT.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let handle = signals.handle();
    let end = end(signals)?;
    let _watchdog = Watchdog::start().context("cannot start the watchdog's thread")?;
    let Some(settings) = args.settings_in_the_end(&end)? else { return Ok(ExitCode::SUCCESS) };
    tracing::info!("alerts are stored in {}", settings.database.display());
    // A receiver that cannot go on ends the wait.
    let receiver = Receiver::start(settings.clone(), move || handle.close())?;
    let duty =
        Duty::start(&settings.database, settings.duty.clone(), settings.showing.clone().presentation(false))?;
    systemd::ready("alerts are received and stored");
    let page = page_in_the_end(&settings, &end);
    if page.is_some() || settings.page.is_none() {
        // An error is the end of the signals' thread, which a closed handle brings about.
        let _ = end.recv();
    }
    systemd::stopping();
    drop(page);
    duty.stop();
    receiver.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// The page, once it can be served; its faults never end the receiver. `None` where it is switched off, or a signal came before.
fn page_in_the_end(settings: &Settings, end: &mpsc::Receiver<()>) -> Option<Page> {
    let mut told = String::new();
    loop {
        match Page::start(settings) {
            Ok(page) => {
                if let Some(page) = &page {
                    tell(page);
                }
                return page;
            }
            Err(error) => {
                let fault = chain(&error);
                if fault != told {
                    tracing::error!(
                        "the page is not served: {fault}; it is tried again, and alerts are received meanwhile"
                    );
                    told = fault;
                }
            }
        }
        if end.recv_timeout(PAGE_RETRY) != Err(RecvTimeoutError::Timeout) {
            return None;
        }
    }
}

/// Logs the page's address, and the way in while there is no account.
fn tell(page: &Page) {
    let url = page.url();
    tracing::info!("the duty officers' page is at {url}");
    if let Some(code) = page.first_code() {
        tracing::warn!(
            "nobody can log in yet: open {url}begin and make the first administrator with the one-time code {code}"
        );
    }
}

/// Channel on which the first signal comes; it closes with the signals' handle.
fn end(mut signals: Signals) -> anyhow::Result<mpsc::Receiver<()>> {
    let (sender, end) = mpsc::sync_channel(1);
    let forward = move || {
        if signals.forever().next().is_some() {
            // An error means that nobody waits any more.
            let _ = sender.send(());
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(forward);
    thread.context("cannot start the signals' thread")?;
    Ok(end)
}

impl Args {
    fn settings(&self) -> anyhow::Result<Settings> {
        Ok(self.config.written()?.overlaid(self.over()).settings()?)
    }

    /// The settings; with `stay_up`, once the configuration has no fault. `None` where a signal comes before.
    fn settings_in_the_end(&self, end: &mpsc::Receiver<()>) -> anyhow::Result<Option<Settings>> {
        let mut told = String::new();
        loop {
            let fault = match self.settings() {
                Ok(settings) => return Ok(Some(settings)),
                Err(error) if !self.stay_up => return Err(error),
                Err(error) => format!("{error:#}"),
            };
            if fault != told {
                tracing::error!(
                    "nothing is received until the configuration is corrected: {fault}; a new secret needs systemctl restart wardpost"
                );
                systemd::ready(
                    "nothing is received, since the configuration has faults: journalctl -u wardpost",
                );
                told = fault;
            }
            if end.recv_timeout(RETRY) != Err(RecvTimeoutError::Timeout) {
                systemd::stopping();
                return Ok(None);
            }
        }
    }

    /// The command line over the configuration.
    fn over(&self) -> Written {
        Written {
            broker: WrittenBroker {
                url: self.broker.clone(),
                ca_file: self.ca.clone(),
                cert_file: self.cert.clone(),
                key_file: self.key.clone(),
                user: self.user.clone(),
                password_file: self.password_file.clone(),
                client_id: self.client_id.clone(),
                keep_alive_seconds: None,
            },
            post: WrittenPost {
                ward: self.ward.clone(),
                silent_after_seconds: self.silent_after,
                keep_days: self.keep_days,
                ..WrittenPost::default()
            },
            ..Written::default()
        }
    }
}
