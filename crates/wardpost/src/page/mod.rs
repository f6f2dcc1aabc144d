//! The duty officers' page: an HTTP server on a thread and a runtime of its own, beside the receiver. Its faults are logged and
//! end nothing else. All work on the database runs on blocking threads with connections of the page's own.
//!
//! [`routes::TABLE`] is the one list of everything that is served, each with the least role for it.

mod answer;
mod assets;
mod call;
mod feed;
mod gate;
mod limits;
mod plan;
mod pool;
pub mod routes;
mod server;
mod shares;
mod views;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::tz::TimeZone;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::events::Targets;
use crate::people::secret;
use crate::presentation::{Language, Presentation};
use crate::settings::{PageSettings, Settings};
use crate::storage::{Storage, StorageError};
use base::language::TIMEZONE;
use feed::Hub;
use pool::Pool;
use wardlink::tls::TlsError;

pub use limits::CONNECTIONS_MAX;

/// Time for which requests in hand may go on when the page stops.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// The plan of a drawn picture; `None` where it cannot be encoded.
pub(crate) fn plan_of(picture: &image::RgbImage) -> Option<crate::storage::NewPlan> {
    plan::encode(picture).ok()
}

/// Reason for which the page does not start.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The database cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The certificate cannot be used.
    #[error("page.{0}")]
    Tls(#[from] TlsError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; free it, or give page.listen another one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Reason of the failure.
        source: io::Error,
    },
    /// The page's thread cannot be started.
    #[error("cannot start the page's thread: {0}")]
    Thread(io::Error),
}

/// State that all requests share.
#[derive(Debug)]
pub(crate) struct Site {
    settings: PageSettings,
    language: Language,
    timezone: TimeZone,
    pool: Pool,
    hub: Hub,
    targets: Targets,
    /// Has the feed look for changes at once.
    wake: mpsc::SyncSender<()>,
    stopped: watch::Receiver<bool>,
    /// sha256 of the one-time code of the first administrator, while there is no account.
    first_code: Mutex<Option<String>>,
}

impl Site {
    /// Format of officers' texts in a language.
    fn presentation(&self, language: Language) -> Presentation {
        Presentation { language, timezone: self.timezone.clone(), colours: false }
    }

    /// Has the feed look for changes at once, instead of within its interval.
    fn wake_feed(&self) {
        // Full, it is about to look anyway.
        let _ = self.wake.try_send(());
    }

    /// True over HTTPS.
    fn is_https(&self) -> bool {
        self.settings.identity.is_some()
    }
}

/// The page, while it is served.
#[derive(Debug)]
pub struct Page {
    address: SocketAddr,
    is_https: bool,
    first_code: Option<String>,
    stop: watch::Sender<bool>,
    wake: mpsc::SyncSender<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Page {
    /// Serves the page of this post; `None` where the settings switch it off. The database exists already.
    ///
    /// # Errors
    /// The address is taken, the certificate does not read, or the database cannot be opened.
    pub fn start(settings: &Settings) -> Result<Option<Self>, PageError> {
        let Some(page) = settings.page.clone() else { return Ok(None) };
        let address = page.listen;
        let listening = std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        let listener = listening.map_err(|source| PageError::Listen { address, source })?;
        let address = listener.local_addr().unwrap_or(address);
        let storage = Storage::open_beside(&settings.database)?;
        let has_users = storage.has_users()?;
        let ((stop, stopped), (wake, woken)) = (watch::channel(false), mpsc::sync_channel(1));
        let first_code = (!has_users).then(secret::code);
        let tls = server::acceptor(page.identity.as_ref())?;
        let is_https = tls.is_some();
        let site = Arc::new(Site {
            settings: page,
            language: settings.showing.language.unwrap_or_default(),
            timezone: settings.showing.timezone.clone().unwrap_or_else(ward_timezone),
            pool: Pool::new(settings.database.clone()),
            hub: Hub::new(storage.last_change()?),
            wake: wake.clone(),
            stopped: stopped.clone(),
            targets: settings.duty.targets,
            first_code: Mutex::new(
                first_code.as_deref().map(|code| secret::digest(&secret::plain_code(code))),
            ),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(PageError::Thread)?;
        let followed = Arc::clone(&site);
        let follow = move || feed::follow(&followed, storage, &woken);
        let serve = move || {
            runtime.block_on(server::serve(site, listener, tls, stopped));
            runtime.shutdown_timeout(STOP_PATIENCE);
        };
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        let threads = vec![
            thread("page-feed").spawn(follow).map_err(PageError::Thread)?,
            thread("page").spawn(serve).map_err(PageError::Thread)?,
        ];
        Ok(Some(Self { address, is_https, first_code, stop, wake, threads }))
    }

    /// Its address in a browser of this machine.
    pub fn url(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// The one-time code with which a person makes the first administrator; `None` where there are accounts.
    pub fn first_code(&self) -> Option<&str> {
        self.first_code.as_deref()
    }
}

/// Ends the page: requests in hand have a moment, open feeds end.
impl Drop for Page {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // Full, it is about to look anyway.
        let _ = self.wake.try_send(());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the page has panicked; the log says where");
            }
        }
    }
}

/// The wards' time zone; a machine without time zones has its own one.
fn ward_timezone() -> TimeZone {
    TimeZone::get(TIMEZONE).unwrap_or_else(|_| TimeZone::system())
}
