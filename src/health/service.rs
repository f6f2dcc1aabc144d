//! What a service tells systemd (sd_notify(3)): that it is ready, reloads, stops, and, while nothing in the process
//! [stands still](crate::progress), that it is alive. Silent where no systemd listens.

use std::sync::mpsc::{RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;

use sd_notify::{NotifyState, notify, watchdog_enabled};

use crate::channel;
use crate::progress::{self, Standstill};

/// Start-up is over. `status` is what `systemctl status` shows.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What `systemctl status` shows from now on.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// A changed configuration is being taken up; [`ready`] ends that.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!("systemd is not told of the reload: {error}"),
    }
}

/// The service is on its way out, on purpose.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::warn!("systemd is not told: {error}");
    }
}

/// Feeds systemd's watchdog (`WatchdogSec=`) from a thread of its own, while nothing stands still.
#[derive(Debug)]
pub struct Watchdog {
    /// Dropped to end the thread.
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Begins; `None` where nobody asked for it.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start() -> std::io::Result<Option<Self>> {
        let Some(patience) = watchdog_enabled() else { return Ok(None) };
        let (end, ended) = channel::blocking(1);
        let body = move || {
            let mut said = Vec::new();
            loop {
                let still = progress::standstills();
                if still.is_empty() {
                    tell(&[NotifyState::Watchdog]);
                }
                say(&still, &mut said);
                if ended.recv_timeout(patience / 3) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(body)?;
        tracing::info!(seconds = patience.as_secs(), "the watchdog is fed while everything gets on");
        Ok(Some(Self { end: Some(end), thread: Some(thread) }))
    }
}

/// Each standstill once: the journal is where somebody looks for why the service was killed.
fn say(still: &[Standstill], said: &mut Vec<String>) {
    for standstill in still.iter().filter(|still| !said.contains(&still.unit)) {
        tracing::error!("{standstill}: the watchdog is not fed, systemd will restart the service");
    }
    let names = || still.iter().map(|still| still.unit.clone());
    if still.is_empty() && !said.is_empty() {
        tracing::info!("everything gets on again: the watchdog is fed");
    }
    *said = names().collect::<Vec<_>>();
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // It tells, and waits for nothing else.
            let _ = thread.join();
        }
    }
}
