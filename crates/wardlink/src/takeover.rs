//! Another client of the same id: its proof, and the wait before the next connection.
//!
//! A broker ends a client's connection when another one connects under its id (MQTT 3.1.1, 3.1.4), and names no reason. A bad
//! link and a broker that restarts look the same. The proof is a message that the other client left at the broker: its
//! connections go on being counted. Pure, and a leaf: box and post are clients alike.

use std::time::Duration;

use serde::Deserialize;

use base::status::Status;
use base::time::WallTime;

/// Consecutive connections that ended early above which they are reported as a series.
const EARLY_MIN: u32 = 3;
/// Age of a connection above which its end is not early.
const EARLY: Duration = Duration::from_secs(60);
/// Age of a connection from which it has no rival, or one that has gone.
const UNDISTURBED: Duration = Duration::from_secs(300);
/// Shortest and longest wait before the next connection, with a rival.
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));
/// Consecutive connections without a trace of the rival after which it counts as gone.
const ALONE_MIN: u32 = 3;
/// Questions for a trace without an answer after which only each `RETRY`-th connection asks.
const UNANSWERED_MAX: u32 = 2;
const RETRY: u32 = 16;

/// End of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It broke without a reason, while all messages were acknowledged.
    Idle,
    /// The broker could not be reached: it restarts, or the link is down.
    Unreachable,
    /// Anything else after the broker's welcome.
    Other,
    /// It never began, and a person has to change something.
    Refused,
}

/// A message that a client leaves at the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// One run of a program.
    pub run: String,
    /// Number of its connection.
    pub connection: u64,
}

/// The part of a status that names its sender.
#[derive(Debug, Deserialize)]
struct Sender {
    boot_id: String,
    started_at: WallTime,
    #[serde(default)]
    connection: Option<u64>,
}

impl Trace {
    /// The trace in a message on a box's topic `status`; `None` where it does not read.
    pub(crate) fn of_status(payload: &[u8]) -> Option<Self> {
        let sender: Sender = serde_json::from_slice(payload).ok()?;
        Some(Self {
            run: run(&sender.boot_id, sender.started_at),
            connection: sender.connection.unwrap_or_default(),
        })
    }
}

/// The run of a daemon that sends this status.
pub(crate) fn run_of(status: &Status) -> String {
    run(&status.boot_id, status.started_at)
}

fn run(boot_id: &str, started_at: WallTime) -> String {
    format!("{boot_id} {started_at}")
}

/// Knowledge of another client of the same id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takeovers {
    /// Consecutive connections that ended early.
    early: u32,
    /// A connection has ended, and none has lasted undisturbed since.
    has_ended: bool,
    /// The last trace of another run.
    rival: Option<Trace>,
    /// Connections at which the rival had made another connection of its own.
    met: u32,
    /// Connections since without a new trace of it.
    alone: u32,
    is_asked: bool,
    unanswered: u32,
}

impl Takeovers {
    /// A connection has ended after `lasted`.
    pub fn ended(&mut self, end: End, lasted: Duration) {
        self.lasts(lasted);
        if std::mem::take(&mut self.is_asked) {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        self.has_ended |= matches!(end, End::Idle | End::Other);
        match end {
            End::Idle if lasted < EARLY => self.early = self.early.saturating_add(1),
            End::Idle | End::Unreachable => self.early = 0,
            End::Other | End::Refused => {}
        }
    }

    /// True where a new connection should look for a trace. A broker may end a connection over the question, so that one
    /// without an answer is seldom repeated.
    pub fn asks(&mut self) -> bool {
        if !self.has_ended {
            return false;
        }
        self.is_asked = self.unanswered < UNANSWERED_MAX || self.unanswered.is_multiple_of(RETRY);
        if !self.is_asked {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        self.is_asked
    }

    /// The trace that a new connection has found, of this run or of another. Returns true where a rival is proved by it.
    ///
    /// One trace of another run proves nothing: it may be of this box's last start, and brokers deliver old messages again. A
    /// run that connects again, while this one runs, is another client.
    pub fn found(&mut self, trace: Trace, own_run: &str) -> bool {
        (self.is_asked, self.unanswered) = (false, 0);
        let before = self.rival.as_ref().filter(|rival| rival.run == trace.run);
        let is_later = before.is_some_and(|rival| trace.connection > rival.connection);
        let is_other = trace.run != own_run;
        if is_other && (before.is_none() || is_later) {
            self.rival = Some(trace);
        }
        if is_other && is_later {
            self.met = self.met.saturating_add(1);
            self.alone = 0;
            return true;
        }
        self.alone = self.alone.saturating_add(1);
        if self.alone >= ALONE_MIN {
            self.met = 0;
        }
        false
    }

    /// A connection has lasted this long so far. Returns true where that changes what is reported.
    pub fn lasts(&mut self, lasted: Duration) -> bool {
        let before = (self.is_proved(), self.is_unsteady());
        if lasted >= EARLY {
            self.early = 0;
        }
        if lasted >= UNDISTURBED {
            (self.met, self.has_ended) = (0, false);
        }
        before != (self.is_proved(), self.is_unsteady())
    }

    /// True where another client uses the same id.
    pub fn is_proved(&self) -> bool {
        self.met > 0
    }

    /// True where connections end early again and again, and no other client is proved.
    pub fn is_unsteady(&self) -> bool {
        self.early >= EARLY_MIN && !self.is_proved()
    }

    /// True where no trace answers the question, so that another client can be neither proved nor ruled out.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered >= UNANSWERED_MAX
    }

    /// The longest wait before the next connection: doubles with each meeting, so that two clients do not disconnect each
    /// other again and again. `None` without a proof.
    pub fn pause(&self) -> Option<Duration> {
        let times = self.met.checked_sub(1)?.min(10);
        Some(PAUSE.0.saturating_mul(1 << times).min(PAUSE.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn trace(run: &str, connection: u64) -> Trace {
        Trace { run: run.to_owned(), connection }
    }

    /// Connections that end idle after 10 s, with the trace that each found.
    fn after(found: &[Option<(&str, u64)>]) -> Takeovers {
        let mut takeovers = Takeovers::default();
        takeovers.ended(End::Idle, SECOND * 10);
        for one in found {
            assert!(takeovers.asks());
            if let Some((run, connection)) = one {
                takeovers.found(trace(run, *connection), "own");
            }
            takeovers.ended(End::Idle, SECOND * 10);
        }
        takeovers
    }

    #[test]
    fn a_run_that_connects_again_is_a_rival() {
        assert!(!after(&[Some(("b", 1))]).is_proved());
        let mut takeovers = after(&[Some(("b", 1)), Some(("b", 2))]);
        assert_eq!(takeovers.pause(), Some(SECOND * 5));
        let mut waits = Vec::new();
        for connection in 3..11 {
            assert!(takeovers.asks() && takeovers.found(trace("b", connection), "own"));
            waits.push(takeovers.pause().unwrap().as_secs());
        }
        assert_eq!(waits, [10, 20, 40, 80, 120, 120, 120, 120]);
    }

    #[test]
    fn broken_connections_alone_are_none() {
        let mut takeovers = after(&[Some(("own", 1)); 50]);
        assert!(!takeovers.is_proved() && takeovers.pause().is_none());
        assert!(takeovers.is_unsteady() && !takeovers.is_unanswered());
        takeovers.ended(End::Unreachable, Duration::ZERO);
        assert!(!takeovers.is_unsteady(), "the broker restarts");
        let mut takeovers = after(&[Some(("own", 1)); 5]);
        assert!(!takeovers.lasts(SECOND * 59) && takeovers.lasts(SECOND * 60) && !takeovers.is_unsteady());
    }

    #[test]
    fn a_broker_that_returns_to_an_old_status_is_none() {
        // That of the daemon's last run, again and again, and older ones.
        let old =
            [("b", 7), ("own", 1), ("b", 7), ("b", 7), ("a", 3), ("b", 7), ("own", 2), ("b", 6)].map(Some);
        assert!(!after(&old).is_proved());
    }

    #[test]
    fn a_rival_that_has_gone_is_forgotten() {
        let mut takeovers = after(&[Some(("b", 1)), Some(("b", 2)), Some(("own", 3)), Some(("own", 4))]);
        assert!(takeovers.is_proved(), "it may be waiting");
        takeovers.found(trace("own", 5), "own");
        assert!(!takeovers.is_proved());
        assert!(takeovers.found(trace("b", 3), "own") && takeovers.is_proved(), "it is back");
        assert!(!takeovers.lasts(SECOND * 299) && takeovers.lasts(SECOND * 300) && !takeovers.is_proved());
        assert!(!takeovers.asks(), "nothing has ended since");
    }

    #[test]
    fn a_broker_that_gives_no_answer_is_seldom_asked() {
        let mut takeovers = Takeovers::default();
        assert!(!takeovers.asks());
        let mut asked = 0;
        for _ in 0..50 {
            takeovers.ended(End::Other, SECOND);
            asked += u32::from(takeovers.asks());
        }
        assert_eq!(asked, 5);
        assert!(takeovers.is_unanswered() && !takeovers.is_proved());
    }
}
