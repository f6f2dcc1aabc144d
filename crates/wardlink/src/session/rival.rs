//! The box's own status at the broker: a trace of another box with the same id.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::super::client::Quality;
use super::Session;
use crate::takeover::Trace;
use base::status::Status;
use base::time::WallTime;

/// The part of a status that names its sender.
#[derive(Debug, Deserialize)]
struct Sender {
    boot_id: String,
    started_at: WallTime,
    #[serde(default)]
    connection: Option<u64>,
}

/// The run of a daemon that sends this status.
pub(in super::super) fn run_of(status: &Status) -> String {
    run(&status.boot_id, status.started_at)
}

/// The trace in a message on a box's topic `status`; `None` where it does not read.
pub(in super::super) fn trace(payload: &[u8]) -> Option<Trace> {
    let sender: Sender = serde_json::from_slice(payload).ok()?;
    Some(Trace {
        run: run(&sender.boot_id, sender.started_at),
        connection: sender.connection.unwrap_or_default(),
    })
}

fn run(boot_id: &str, started_at: WallTime) -> String {
    format!("{boot_id} {started_at}")
}

/// Time for which the own status waits for the answer about the retained one.
const ANSWER: Duration = Duration::from_secs(5);

impl Session<'_> {
    /// Time until which the own status is not sent while the retained one is asked for.
    pub(super) fn held_until(&self) -> Instant {
        self.begun + ANSWER
    }

    /// Asks for the status that is retained at the broker, after a connection that ended.
    pub(super) fn ask_for_a_rival(&mut self) {
        self.is_asking = self.carried.takeovers.asks();
        if self.is_asking {
            self.client.subscribe(&[(&self.link.topics.status, Quality::AtLeastOnce)]);
        }
    }

    /// The first message is the retained one; later ones are this connection's own.
    pub(super) fn on_status(&mut self, payload: &[u8]) {
        if !std::mem::take(&mut self.is_asking) {
            return;
        }
        self.client.unsubscribe(&self.link.topics.status);
        let Some(trace) = trace(payload) else { return };
        if self.carried.takeovers.found(trace, &self.carried.run) {
            self.carried.client_id.taken_over();
        }
        self.link.warn(self.carried);
    }
}
