//! Notifications of a service to systemd (sd_notify(3)): ready, reloading, stopping, and, while no thread of the
//! process [stands still](base::progress), alive. Silent where no systemd listens.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

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
        Err(error) => tracing::debug!("systemd cannot be notified of the reload: {error}"),
    }
}

/// Reports that the service stops on purpose.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::warn!("systemd cannot be notified: {error}");
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
        let thread = std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || feed_until(&ended, patience / 3))?;
        tracing::info!(seconds = patience.as_secs(), "the watchdog is fed while every thread makes progress");
        Ok(Some(Self { end: Some(end), thread: Some(thread) }))
    }
}

/// Feeds the watchdog at each interval while nothing stands still, until the other end of the channel is dropped.
fn feed_until(ended: &Receiver<()>, interval: Duration) {
    let mut reported = Vec::new();
    loop {
        let stalled = progress::standstills();
        if stalled.is_empty() {
            tell(&[NotifyState::Watchdog]);
        }
        report(&stalled, &mut reported);
        if ended.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Logs each standstill once: an operator looks in the journal for the reason why the service was killed.
fn report(stalled: &[Standstill], reported: &mut Vec<String>) {
    for standstill in stalled.iter().filter(|standstill| !reported.contains(&standstill.unit)) {
        tracing::error!("{standstill}: the watchdog is not fed, systemd will restart the service");
    }
    if stalled.is_empty() && !reported.is_empty() {
        tracing::info!("every thread makes progress again: the watchdog is fed");
    }
    *reported = stalled.iter().map(|standstill| standstill.unit.clone()).collect();
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
