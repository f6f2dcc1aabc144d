//! Delivery tracker: alerts that have been sent and are still in the outbox, with the time of the next attempt of each.
//!
//! It outlives connections. So a link that breaks every minute, or an absent post, does not make the box send its whole
//! outbox again and again. Pure: it reads no clock. Entries that are lost in a restart are sent once more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::ack::Ack;

/// Maximum number of alerts sent and not confirmed by the post before the backlog waits. New alerts do not wait.
const UNCONFIRMED_MAX: usize = 256;
/// Maximum number of tracked alerts; new alerts beyond that are sent again as backlog.
const TRACKED_MAX: usize = 65_536;
/// First wait for the post after the broker's acknowledgement. Doubles.
const CONFIRM_WAIT: Duration = Duration::from_secs(30);
/// First wait for an alert that is probably lost, and for one that the post, once it answers again, has not received: the
/// post's session at the broker may be gone, with the messages queued there. Doubles.
const RESEND_WAIT: Duration = Duration::from_secs(5);
/// Maximum of either wait.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// Number of the oldest alerts that are sent again while the post is silent.
const PROBES: usize = 8;
/// Number of entries considered, oldest first.
const CONSIDERED_MAX: usize = 512;
/// Connections that broke while a message was in flight, after which its preview without a picture is sent first.
const PREVIEW_TRIES: u32 = 3;
/// Time after the broker's first acknowledgement from which an operator is told that the post has not confirmed an alert.
const OVERDUE: Duration = Duration::from_secs(300);

/// Number of acknowledgements by the broker for a message that the post never received, while the post has later ones. Such a
/// message is dropped on the way for its contents. Mosquitto drops messages above its `message_size_limit`.
const SWALLOWED_ACKS: u32 = 3;
/// The same number where the post has no later ones, but has spoken after each acknowledgement of the broker.
const PASSED_OVER: u32 = 2;

/// State of delivery of one alert: unsent, in flight, acknowledged by the broker, confirmed by the post. A broken connection or
/// a report of the post leads to "send again", and from there to "in flight", or to "confirmed" where the post has it after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Never handed to the client, as far as the tracker knows.
    Unsent,
    /// Handed to the client on the present connection.
    InFlight,
    /// Acknowledged by the broker on the present connection.
    Acknowledged,
    /// Confirmed by the post.
    Confirmed,
    /// To be sent again.
    SendAgain(Reason),
}

/// Reason for which an alert is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The connection broke while it was in flight, or only its preview was sent.
    Interrupted,
    /// Unconfirmed: acknowledged by the broker on a connection that has ended.
    Unconfirmed,
    /// Not received: the post reports that it does not have it.
    NotReceived,
}

impl State {
    /// True where the post may have the alert and has not confirmed it.
    fn needs_the_post(self) -> bool {
        matches!(self, Self::Acknowledged | Self::SendAgain(Reason::Unconfirmed))
    }
}

/// State of delivery of all alerts that were sent; see the module.
#[derive(Debug, Default)]
pub(super) struct DeliveryTracker {
    entries: BTreeMap<u64, Entry>,
    /// Time of the post's last acknowledgement.
    heard_at: Option<Instant>,
}

/// Delivery of one alert.
#[derive(Debug, Clone, Copy)]
struct Entry {
    state: State,
    /// Time of the last attempt, or, once the broker has acknowledged it, of that acknowledgement.
    sent_at: Instant,
    /// Time of the broker's first acknowledgement.
    first_acknowledged_at: Option<Instant>,
    /// Attempts since the broker last acknowledged it.
    tries: u32,
    /// Number of the broker's acknowledgements.
    broker_acks: u32,
    /// Number of times on this connection that the post had later ones and not this one.
    times_missed: u32,
    /// The broker has acknowledged the preview.
    has_preview: bool,
    size: Size,
}

/// Evidence on the size of an alert that does not arrive.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// Length of the payload that was sent last.
    bytes: usize,
    /// The smallest length that the broker acknowledged each time, and that the post never got.
    swallowed: Option<usize>,
    /// Number of times that the post spoke after the broker's acknowledgement, and did not have the alert.
    passed_over: u32,
}

/// Alerts that the broker has had for some minutes, and that the post has not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unconfirmed {
    /// Number of these alerts.
    pub count: usize,
    /// Time since the broker's first acknowledgement of the oldest one.
    pub oldest: Duration,
    /// The post has acknowledged others since then.
    pub is_heard: bool,
}

/// Conclusions about sizes from an acknowledgement of the post.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// The largest payload that the post has confirmed.
    pub confirmed: usize,
    /// The smallest payload that was swallowed before the alert arrived in a smaller form.
    pub swallowed: Option<usize>,
}

impl DeliveryTracker {
    /// A new connection starts: alerts acknowledged on the last one become unconfirmed. Earlier reports of missing alerts no
    /// longer count: they came from the broken connection, or from a restarted broker.
    pub fn connected(&mut self) {
        for entry in self.entries.values_mut() {
            (entry.times_missed, entry.size.passed_over) = (0, 0);
            entry.state = match entry.state {
                State::InFlight => State::SendAgain(Reason::Interrupted),
                State::Acknowledged => State::SendAgain(Reason::Unconfirmed),
                state => state,
            };
        }
    }

    /// The alert was handed to the client, in a payload of `bytes`.
    pub fn sent(&mut self, seq: u64, bytes: usize, now: Instant) {
        if self.entries.len() >= TRACKED_MAX && !self.entries.contains_key(&seq) {
            return;
        }
        let entry = self.entries.entry(seq).or_insert(Entry::new(now));
        (entry.state, entry.sent_at) = (State::InFlight, now);
        entry.tries = entry.tries.saturating_add(1);
        entry.size.bytes = bytes;
    }

    /// The broker acknowledged the alert.
    pub fn acknowledged(&mut self, seq: u64, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            (entry.state, entry.sent_at, entry.tries) = (State::Acknowledged, now, 0);
            entry.broker_acks = entry.broker_acks.saturating_add(1);
            entry.first_acknowledged_at.get_or_insert(now);
        }
    }

    /// Its preview is sent without the picture; the whole alert follows later.
    pub fn postponed(&mut self, seq: u64, now: Instant) {
        let entry = self.entries.entry(seq).or_insert(Entry::new(now));
        (entry.state, entry.sent_at) = (State::SendAgain(Reason::Interrupted), now);
        entry.tries = entry.tries.max(PREVIEW_TRIES);
    }

    /// The client gave the alert up on a connection that goes on.
    pub fn dropped(&mut self, seq: u64) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.state = State::SendAgain(Reason::Interrupted);
        }
    }

    /// The broker acknowledged the preview.
    pub fn preview_acknowledged(&mut self, seq: u64) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.has_preview = true;
        }
    }

    /// The alert has left the outbox.
    pub fn forget(&mut self, seq: u64) {
        self.entries.remove(&seq);
    }

    /// Numbers that were sent in full and that the acknowledgement covers, in order.
    pub fn sent_and_covered(&self, ack: &Ack) -> Vec<u64> {
        let sent = self.entries.iter().filter(|(seq, entry)| entry.size.bytes > 0 && ack.covers(**seq));
        sent.map(|(seq, _)| *seq).collect()
    }

    /// Takes an acknowledgement of the post; `is_new` is false for one that the broker had retained.
    pub fn confirmed(&mut self, ack: &Ack, is_new: bool, now: Instant) -> Sizes {
        let mut sizes = Sizes::default();
        for (seq, entry) in &mut self.entries {
            if ack.covers(*seq) {
                entry.state = State::Confirmed;
                sizes.add(entry.size);
            } else if *seq <= ack.highest && entry.state.needs_the_post() {
                entry.state = State::SendAgain(Reason::NotReceived);
                entry.times_missed = entry.times_missed.saturating_add(1);
            }
        }
        self.entries.retain(|_, entry| entry.state != State::Confirmed);
        if is_new {
            self.heard_at = Some(now);
        }
        sizes
    }

    /// Judges the size of an alert that is to be sent again. Returns the smallest length in which the broker swallowed it.
    pub fn swallowed(&mut self, seq: u64) -> Option<usize> {
        let heard_at = self.heard_at;
        let entry = self.entries.get_mut(&seq)?;
        let is_passed_over =
            entry.state == State::Acknowledged && heard_at.is_some_and(|at| at > entry.sent_at);
        if is_passed_over {
            entry.size.passed_over += 1;
        }
        let passes = if entry.size.swallowed.is_some() { 1 } else { PASSED_OVER };
        let is_again = entry.size.swallowed.is_some()
            && entry.state == State::SendAgain(Reason::NotReceived)
            && entry.broker_acks > 0;
        let is_proved = is_passed_over && entry.size.passed_over >= passes;
        if entry.size.bytes > 0 && (entry.is_swallowed() || is_again || is_proved) {
            let bytes = entry.size.bytes;
            entry.size.swallowed = Some(entry.size.swallowed.map_or(bytes, |before| before.min(bytes)));
            (entry.broker_acks, entry.size.passed_over, entry.times_missed) = (0, 0, 0);
        }
        entry.size.swallowed
    }

    /// True where the post is asked by a small preview whether it is there: it is silent since the broker took this alert, the
    /// oldest of that kind.
    pub fn wants_answer(&self, seq: u64) -> bool {
        let oldest = self.entries.iter().find(|(_, entry)| entry.state == State::Acknowledged);
        oldest.is_some_and(|(oldest, _)| *oldest == seq)
    }

    /// True for an alert that has been sent.
    pub fn is_tracked(&self, seq: u64) -> bool {
        self.entries.contains_key(&seq)
    }

    /// True while the backlog has to wait.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= UNCONFIRMED_MAX
    }

    /// True once the preview has arrived.
    pub fn has_preview(&self, seq: u64) -> bool {
        self.entries.get(&seq).is_some_and(|entry| entry.has_preview)
    }

    /// True where a preview has to precede this alert.
    pub fn wants_preview(&self, seq: u64) -> bool {
        self.entries.get(&seq).is_some_and(|entry| {
            entry.state == State::SendAgain(Reason::Interrupted)
                && entry.tries >= PREVIEW_TRIES
                && !entry.has_preview
        })
    }

    /// Alerts that the post should have confirmed by now.
    pub fn unconfirmed(&self, now: Instant) -> Option<Unconfirmed> {
        let acknowledged = self.entries.values().filter_map(|entry| entry.first_acknowledged_at);
        let overdue = acknowledged.filter(|at| now.saturating_duration_since(*at) >= OVERDUE);
        let (count, first) = overdue.fold((0, None::<Instant>), |(count, first), at| {
            (count + 1, first.into_iter().chain([at]).min())
        });
        let first = first?;
        let is_heard = self.heard_at.is_some_and(|at| at > first);
        Some(Unconfirmed { count, oldest: now.saturating_duration_since(first), is_heard })
    }

    /// True where nothing waits for an acknowledgement.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// True while an alert is in flight.
    pub fn has_in_flight(&self) -> bool {
        self.entries.values().any(|entry| entry.state == State::InFlight)
    }

    /// True where the post may still confirm an alert that has been in flight, or acknowledged by the broker, since `since`.
    pub fn may_be_confirmed(&self, since: Instant) -> bool {
        self.entries.values().any(|entry| {
            matches!(entry.state, State::InFlight | State::Acknowledged) && entry.sent_at >= since
        })
    }

    /// The oldest alert that is due to be sent again at `now`.
    pub fn due(&self, now: Instant) -> Option<u64> {
        self.attempts().find(|(_, at)| *at <= now).map(|(seq, _)| seq)
    }

    /// Time of the next attempt after `now`.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.attempts().map(|(_, at)| at).filter(|at| *at > now).min()
    }

    /// Alerts that may be sent again, with the time of the attempt, oldest first. While the post is silent, only the oldest
    /// [`PROBES`] of those that it may have.
    fn attempts(&self) -> impl Iterator<Item = (u64, Instant)> {
        let mut probes = 0;
        self.entries.iter().take(CONSIDERED_MAX).filter_map(move |(seq, entry)| {
            let is_heard = self.heard_at.is_some_and(|at| at > entry.sent_at);
            if entry.state.needs_the_post() && !is_heard {
                probes += 1;
                if probes > PROBES {
                    return None;
                }
            }
            let at = entry.sent_at + entry.wait()?;
            let heard_at = self.heard_at.filter(|_| entry.state == State::Acknowledged && is_heard);
            Some((*seq, heard_at.map_or(at, |heard_at| at.min(heard_at + entry.resend_wait()))))
        })
    }
}

impl Entry {
    fn new(now: Instant) -> Self {
        Self {
            state: State::Unsent,
            sent_at: now,
            first_acknowledged_at: None,
            tries: 0,
            broker_acks: 0,
            times_missed: 0,
            has_preview: false,
            size: Size::default(),
        }
    }

    /// Delay after `sent_at` of the next attempt; `None` while the alert is in flight.
    fn wait(&self) -> Option<Duration> {
        match self.state {
            State::InFlight | State::Confirmed => None,
            State::Unsent => Some(Duration::ZERO),
            State::Acknowledged => Some(doubled(CONFIRM_WAIT, self.repeated())),
            // Most broken connections have no cause in the message. After several over one message, it is the likely cause.
            State::SendAgain(Reason::Interrupted) => Some(
                self.tries
                    .checked_sub(PREVIEW_TRIES)
                    .map_or(Duration::ZERO, |times| doubled(RESEND_WAIT, times.min(16))),
            ),
            State::SendAgain(Reason::Unconfirmed) => Some(self.resend_wait()),
            State::SendAgain(Reason::NotReceived) => {
                Some(doubled(RESEND_WAIT, self.times_missed.saturating_sub(1).min(16)))
            }
        }
    }

    /// Wait for a post that is able to receive and has not received the alert.
    fn resend_wait(&self) -> Duration {
        doubled(RESEND_WAIT, self.repeated())
    }

    /// Number of the broker's acknowledgements without effect. Broken connections tell nothing about the way on to the post.
    fn repeated(&self) -> u32 {
        self.broker_acks.saturating_sub(1).min(16)
    }

    /// True where the broker seems to drop the alert each time.
    fn is_swallowed(&self) -> bool {
        self.state == State::SendAgain(Reason::NotReceived) && self.broker_acks >= SWALLOWED_ACKS
    }
}

impl Sizes {
    /// Adds the evidence of an alert that the post has confirmed.
    fn add(&mut self, size: Size) {
        self.confirmed = self.confirmed.max(size.bytes);
        let swallowed = size.swallowed.filter(|swallowed| size.bytes < *swallowed);
        self.swallowed = self.swallowed.into_iter().chain(swallowed).min();
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX)).min(WAIT_MAX)
}

#[cfg(test)]
mod tests;
