//! Connections to the broker, one after the other.
//!
//! The MQTT client's own memory of a broken connection is not trusted: it forgets messages that it accepted. Each
//! connection has a client of its own, and begins at the outbox's start. [`Carried`] outlives it: above all the delivery
//! tracker ([`super::delivery`]) and the measured link ([`super::send_window`]).

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::connect::connect;
use super::error::{ACKS_PAUSE, PublishError};
use super::session::Session;
use super::shared::{Carried, Progress, Shared, Stop, Wanted};
use super::will::will;
use crate::takeover::{End, run_of};
use base::backoff::scattered;
use base::clock;
use base::fault::{ErrorKind, chain, is_repeated};

/// Longest wait while a new alert is ready to leave: each new alert during a long outage costs one attempt.
const ALERT_WAIT: Duration = Duration::from_secs(2);
/// Longest wait where a person has to change something first. It prevents a hot loop of wrong passwords.
const CONFIG_WAIT: Duration = Duration::from_secs(60);
/// Longest wait with a new alert while another client uses the same id, and reconnects each time.
const RIVAL_ALERT_WAIT: Duration = Duration::from_secs(15);
/// A connection that lasted this long counts as good, also where nothing was sent.
const GOOD: Duration = Duration::from_secs(120);

/// The connections of the publisher.
pub(super) struct Link {
    shared: Shared,
    carried: Carried,
}

impl Link {
    pub fn new(shared: Shared) -> Self {
        let carried = Carried::new(&shared);
        Self { shared, carried }
    }

    /// Connects again and again, until it is told to stop.
    pub async fn run(mut self, mut wanted: watch::Receiver<Wanted>) {
        loop {
            let (begun, alerts) = (Instant::now(), wanted.borrow().alerts);
            let ended = self.connection(&mut wanted).await;
            let Err(error) = ended else { return };
            if begun.elapsed() > GOOD {
                self.carried.backoff.reset();
            }
            let error = self.judged(error, begun.elapsed());
            self.disconnected(&error);
            self.shared.warn(&self.carried);
            let pauses = self.pauses(&error);
            let mut changes = wanted.clone();
            tokio::select! {
                () = pause(pauses, alerts, &mut changes) => {}
                () = stopped(&mut wanted) => return,
            }
        }
    }

    /// Waits before the next connection: the longest, and the longest with a new alert.
    fn pauses(&mut self, error: &PublishError) -> [Duration; 2] {
        let is_another = matches!(error, PublishError::AnotherClient { .. });
        match self.carried.identity.takeovers.pause().filter(|_| is_another) {
            Some(longest) => [scattered(longest), scattered(longest.min(RIVAL_ALERT_WAIT))],
            None if self.carried.identity.is_new => [scattered(ALERT_WAIT); 2],
            None if error.kind() == ErrorKind::Config => [scattered(CONFIG_WAIT); 2],
            None => [self.carried.backoff.next_wait(), scattered(ALERT_WAIT)],
        }
    }

    /// Runs one connection to its end; `Ok` when it was told to stop.
    async fn connection(&mut self, wanted: &mut watch::Receiver<Wanted>) -> Result<(), PublishError> {
        let (shared, carried) = (&self.shared, &mut self.carried);
        let status = shared.read_status().await?;
        let clock = status.clock;
        carried.identity.connection += 1;
        carried.identity.run = run_of(&status);
        let will = will(&shared.topics, status, carried.identity.connection);
        carried.last = Progress::default();
        let client_id = carried.identity.client_id.of(&shared.settings);
        let client = tokio::select! {
            connected = connect(&shared.settings, &client_id, Some(will)) => {
                connected.map_err(|error| error.seen_at(clock))?
            }
            () = stopped(wanted) => return Ok(()),
        };
        carried.last.is_accepted = true;
        self.connected(&client_id);
        let ended = Session::begin(&self.shared, &mut self.carried, client).serve(wanted).await;
        if self.carried.tracker.has_in_flight() {
            self.carried.window.broke();
        }
        ended
    }

    fn connected(&mut self, client_id: &str) {
        let (shared, carried) = (&self.shared, &mut self.carried);
        // In a series of short connections, or with another client of this id, each would be logged.
        if !carried.identity.takeovers.is_proved() && !carried.identity.takeovers.is_unsteady() {
            carried.logged.clear();
            tracing::info!("connected to the broker {} as client {client_id}", shared.settings.address());
        }
        carried.tracker.connected();
        carried.window.connected();
        let mut state = shared.state();
        (state.connected, state.since, state.last_error) = (true, clock::wall(), None);
    }

    fn disconnected(&mut self, error: &PublishError) {
        let text = chain(error);
        if !is_repeated(&text, &self.carried.logged) {
            tracing::warn!("{text}");
            self.carried.logged.clone_from(&text);
        }
        let mut state = self.shared.state();
        if state.connected {
            (state.connected, state.since) = (false, clock::wall());
        }
        state.last_error = Some(text);
    }

    /// Diagnoses the end of a connection with the history of those before it.
    fn judged(&mut self, error: PublishError, lasted: Duration) -> PublishError {
        let last = self.carried.last;
        let end = match &error {
            PublishError::Link { .. } | PublishError::Closed { .. } if last.is_granted && last.is_idle => {
                End::Idle
            }
            _ if last.is_accepted => End::Other,
            PublishError::Link { .. } | PublishError::Closed { .. } | PublishError::Handshake(_) => {
                End::Unreachable
            }
            _ => End::Refused,
        };
        self.carried.identity.takeovers.ended(end, lasted);
        self.judge_client_id(&error);
        if let PublishError::TooLarge { .. } = error {
            self.carried.acks.paused_until = Some(Instant::now() + ACKS_PAUSE);
            self.carried.sizes.too_large = error.to_string();
        }
        let takeovers = &self.carried.identity.takeovers;
        let is_broken = matches!(error, PublishError::Closed { .. } | PublishError::Link { .. });
        if is_broken && last.is_accepted && takeovers.is_proved() {
            return self.shared.another_client();
        }
        if end == End::Idle && takeovers.is_unsteady() {
            return self.shared.unsteady(takeovers);
        }
        error
    }

    /// Changes to the other client id where the broker grants nothing to this one.
    fn judge_client_id(&mut self, error: &PublishError) {
        let (settings, last) = (&self.shared.settings, self.carried.last);
        let identity = &mut self.carried.identity;
        let before = identity.client_id.of(settings);
        match error {
            PublishError::ClientId { .. } | PublishError::AcksRefused { .. } => identity.client_id.refused(),
            PublishError::Closed { .. } if last.is_accepted && !last.is_granted => {
                identity.client_id.ungranted();
            }
            _ => {}
        }
        let now = identity.client_id.of(settings);
        identity.is_new = now != before;
        if identity.is_new {
            tracing::warn!(
                "the broker {} grants client \"{before}\" nothing: the box comes as \"{now}\" next; its access list has to \
                 know the client id WARD_BOX, as those under deploy/ do",
                settings.address()
            );
        }
    }
}

/// Waits for `longest`. Waits no longer than `with_alert` where more than `alerts` alerts exist or arrive. Both run from the
/// call.
async fn pause([longest, with_alert]: [Duration; 2], alerts: u64, wanted: &mut watch::Receiver<Wanted>) {
    let begun = Instant::now();
    let alert = async {
        // An error: the publisher is gone, which the caller sees. The returned value is a lock, and is released.
        drop(wanted.wait_for(|wanted| wanted.alerts != alerts).await);
    };
    tokio::select! {
        () = sleep(longest) => {}
        () = alert => {
            sleep(longest.min(with_alert).saturating_sub(begun.elapsed())).await;
        }
    }
}

async fn stopped(wanted: &mut watch::Receiver<Wanted>) {
    // An error: the publisher is gone, which is a stop as well.
    let _ = wanted.wait_for(|wanted| wanted.stop != Stop::No).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_alert_does_not_wait_for_a_long_pause_nor_end_a_short_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let long = Duration::from_secs(600);
        let took = |pauses, has_alert: bool| {
            let (tell, mut wanted) = watch::channel(Wanted { alerts: 7, ..Wanted::default() });
            let begun = Instant::now();
            runtime.block_on(async {
                let alert = async {
                    sleep(Duration::from_millis(20)).await;
                    tell.send_modify(
                        |wanted| if has_alert { wanted.alerts += 1 } else { wanted.vitals += 1 },
                    );
                    // No one may hold the lock meanwhile.
                    sleep(Duration::from_millis(20)).await;
                    tell.send_modify(|wanted| wanted.vitals += 1);
                };
                tokio::join!(pause(pauses, 7, &mut wanted), alert);
            });
            begun.elapsed().as_millis()
        };
        assert!((100..5000).contains(&took([long, Duration::from_millis(100)], true)));
        assert!((40..5000).contains(&took([long, Duration::from_millis(1)], true)));
        assert!((300..5000).contains(&took([Duration::from_millis(300), Duration::from_millis(1)], false)));
        assert!((50..5000).contains(&took([Duration::from_millis(50), long], true)));
    }
}
