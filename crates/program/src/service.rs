//! Notifications of a service to systemd (sd_notify(3)): ready, reloading, stopping, and, while nothing in the process
//! [stands still](base::progress), alive. Silent where no systemd listens.

use std::sync::mpsc::{RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;

use sd_notify::{NotifyState, notify, watchdog_enabled};

use base::channel;
use base::progress::{self, Standstill};

/// Reports that start-up is over. `systemctl status` shows `status`.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Sets the line that `systemctl status` shows from now on.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Reports that a changed configuration is being applied; [`ready`] ends that.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!("systemd is not told of the reload: {error}"),
    }
}

/// Reports that the service stops on purpose.
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
    /// Starts the thread; `None` where systemd has asked for no watchdog.
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

/// Logs each standstill once: an operator looks in the journal for the reason why the service was killed.
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
            // The thread waits for nothing but the interval and this end.
            let _ = thread.join();
        }
    }
}
