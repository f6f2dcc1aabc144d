//! MQTT between a box and its ward post: topics, messages' delivery, TLS.
//!
//! On a box it pulls alerts from an [`Outbox`] and passes the post's acknowledgements to it, keeps the retained status and
//! the will, and sends alerts that the box cannot store for now from memory: one thread, at most one connection. [`tls`] and
//! [`takeover`] serve the ward post's client, too.
//!
//! Never here: a decision which alerts are sent, and storage, but for the topics of its Home Assistant messages. `run` of
//! the box starts it with the store as its outbox; `wardpost` uses [`client`], and downloads use [`tls`].

mod address;
pub mod client;
mod client_id;
mod connect;
mod delivery;
mod error;
mod home_assistant;
mod in_flight;
mod link;
mod packet_limit;
mod probe;
mod security;
mod send_window;
mod session;
mod settings;
mod shared;
mod still_pace;
pub mod takeover;
pub mod tls;
mod topic;
mod unsaved;
mod will;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

pub use address::is_this_machine;
pub use base::outbox::{Outbox, OutboxError};
pub use connect::KEEP_ALIVE_MAX;
pub use error::PublishError;
pub use probe::{certificate_ends_at, try_connection};
pub use settings::{Acknowledge, HomeAssistant, Identity, Settings, Tls};
pub use topic::Topics;
pub use unsaved::UNSAVED_MAX;

use base::alert::Alert;
use base::channel::{self, OldestDropped};
use base::clock;
use base::event::Phase;
use base::ids::AlertId;
use base::progress;
use base::status::Status;
use base::time::WallTime;
use base::vitals::Vitals;
use link::Link;
use shared::{Shared, Stop, Wanted};
use unsaved::UnsavedAlerts;

/// Maximum number of vitals that wait for a connection: old ones have little value.
const VITALS_MAX: usize = 3;

/// Maximum time of one piece of work on the publisher's thread before it counts as stalled.
const WORK_MAX: Duration = Duration::from_secs(60);

/// Source of the box's status.
pub trait StatusSource: Send + Sync + 'static {
    /// Current status. May block. `presence` is set by the publisher.
    fn status(&self) -> Status;
}

/// State of the connection to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// The connection is up.
    pub connected: bool,
    /// Time of the last change of `connected`.
    pub since: WallTime,
    /// Reason for which it is down, for a person.
    pub last_error: Option<String>,
    /// Alerts that the broker has acknowledged since the start.
    pub published: u64,
    /// Stills that the broker has acknowledged since the start.
    pub stills_published: u64,
    /// Faults that a person has to correct although the connection is up, for a person.
    pub warnings: Vec<String>,
}

impl LinkState {
    /// Not connected yet.
    fn new() -> Self {
        Self {
            connected: false,
            since: clock::wall(),
            last_error: None,
            published: 0,
            stills_published: 0,
            warnings: Vec::new(),
        }
    }
}

/// Publishes on a thread of its own. Dropped without [`Publisher::stop`], it ends abruptly: the broker then publishes
/// the will.
#[derive(Debug)]
pub struct Publisher {
    wanted: watch::Sender<Wanted>,
    state: Arc<Mutex<LinkState>>,
    unsaved: Arc<UnsavedAlerts>,
    vitals: OldestDropped<Vitals>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Checks the settings as [`Publisher::start`] does, and connects nowhere.
    ///
    /// # Errors
    /// Certificates do not read.
    pub fn check(settings: &Settings) -> Result<(), PublishError> {
        settings.tls.as_ref().map(security::check).transpose().map(|_| ())
    }

    /// A publisher of a box whose settings for the post have a fault: it never connects, and all alerts wait. `reason` is for
    /// a person.
    pub fn without_broker(reason: String) -> Self {
        let state = LinkState { last_error: Some(reason), ..LinkState::new() };
        Self {
            wanted: watch::Sender::new(Wanted::default()),
            state: Arc::new(Mutex::new(state)),
            unsaved: Arc::default(),
            vitals: channel::oldest_dropped(VITALS_MAX),
            thread: None,
        }
    }

    /// Starts to connect, and goes on for ever. An error is about the settings: certificates that do not read.
    pub fn start(
        settings: Settings,
        outbox: Arc<dyn Outbox>,
        status: Arc<dyn StatusSource>,
    ) -> Result<Self, PublishError> {
        Self::check(&settings)?;
        let state = Arc::new(Mutex::new(LinkState::new()));
        let (wanted, changes) = watch::channel(Wanted::default());
        let topics = Topics::new(&settings.ward, &settings.box_id);
        let unsaved = Arc::new(UnsavedAlerts::default());
        let vitals = channel::oldest_dropped(VITALS_MAX);
        let link = Link::new(Shared {
            settings,
            topics,
            outbox,
            status,
            unsaved: Arc::clone(&unsaved),
            vitals: vitals.clone(),
            state: Arc::clone(&state),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(PublishError::Thread)?;
        let work = move || {
            let _unit = progress::begin("the publisher", WORK_MAX);
            runtime.block_on(async {
                tokio::select! {
                    () = link.run(changes) => {}
                    never = turning() => match never {},
                }
            });
            // A pending name resolution is not waited for.
            runtime.shutdown_background();
        };
        let thread =
            std::thread::Builder::new().name("publish".into()).spawn(work).map_err(PublishError::Thread)?;
        Ok(Self { wanted, state, unsaved, vitals, thread: Some(thread) })
    }

    /// A new alert is in the outbox.
    pub fn wake(&self) {
        self.wanted.send_modify(|wanted| wanted.alerts += 1);
    }

    /// New stills are in the outbox. They leave when no alert waits.
    pub fn wake_for_stills(&self) {
        self.wanted.send_modify(|wanted| wanted.stills += 1);
    }

    /// Sends an alert that the store does not take for now; it is sent again, out of the outbox, once it is stored. Held in
    /// memory until the broker has acknowledged it, and bounded: the newest [`UNSAVED_MAX`] of them.
    pub fn send_unsaved(&self, alert: Alert) {
        self.unsaved.add(alert);
        self.wake();
    }

    /// A sent alert is stored now: from here on only the outbox sends it.
    pub fn saved(&self, id: AlertId, phase: Phase) {
        self.unsaved.remove(id, phase);
    }

    /// True while the broker has not acknowledged this alert that was sent before it was stored.
    pub fn is_sending_unsaved(&self, id: AlertId, phase: Phase) -> bool {
        self.unsaved.holds(id, phase)
    }

    /// Sends vitals, once and without asking whether they arrived. Without a connection the newest few wait for one.
    pub fn vitals(&self, vitals: Vitals) {
        self.vitals.put(vitals);
        self.wanted.send_modify(|wanted| wanted.vitals += 1);
    }

    /// The status has changed.
    pub fn status_changed(&self) {
        self.wanted.send_modify(|wanted| wanted.status += 1);
    }

    /// Current state of the connection.
    pub fn state(&self) -> LinkState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Publishes the offline status and disconnects; blocks for that, but hardly longer than `grace`. Alerts
    /// in flight may still be acknowledged; the others stay in the outbox.
    pub fn stop(mut self, grace: Duration) {
        self.end(Stop::Within(grace));
    }

    fn end(&mut self, stop: Stop) {
        let Some(thread) = self.thread.take() else { return };
        self.wanted.send_modify(|wanted| wanted.stop = stop);
        if thread.join().is_err() {
            tracing::error!("the publisher's thread panicked");
        }
    }
}

/// Reports progress while the runtime turns: no task of it blocks the thread while it waits.
async fn turning() -> Infallible {
    loop {
        progress::advance();
        tokio::time::sleep(WORK_MAX / 6).await;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end(Stop::Abruptly);
    }
}
