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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use base::ids::OutboxId;

    const BYTES: usize = 34_000;

    /// True where alert 1 is taken for swallowed.
    fn is_swallowed(tracker: &DeliveryTracker) -> bool {
        tracker.entries.get(&1).is_some_and(Entry::is_swallowed)
    }

    fn ack(runs: &[(u64, u64)]) -> Ack {
        Ack::of("box-1".parse().unwrap(), OutboxId::default(), runs.iter().copied())
    }

    /// Sends all that is due at `now`, and lets the broker acknowledge it.
    fn send_due(tracker: &mut DeliveryTracker, now: Instant) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(seq) = tracker.due(now) {
            tracker.sent(seq, BYTES, now);
            tracker.acknowledged(seq, now);
            sent.push(seq);
        }
        sent
    }

    fn acknowledged(seqs: std::ops::RangeInclusive<u64>, now: Instant) -> DeliveryTracker {
        let mut tracker = DeliveryTracker::default();
        for seq in seqs {
            tracker.sent(seq, BYTES, now);
            assert_eq!(tracker.due(now + WAIT_MAX), if seq == 1 { None } else { Some(1) });
            tracker.acknowledged(seq, now);
        }
        tracker
    }

    #[test]
    fn a_post_that_is_away_has_a_few_sent_again_ever_more_rarely() {
        let start = Instant::now();
        let mut tracker = acknowledged(1..=200, start);
        let mut sends = 0;
        for second in 1..=24 * 3600 {
            let again = send_due(&mut tracker, start + Duration::from_secs(second));
            assert!(again.iter().all(|seq| *seq <= PROBES as u64), "{again:?}");
            sends += again.len();
            if second < 30 {
                assert_eq!(sends, 0);
            }
        }
        assert!((8 * 144..8 * 152).contains(&sends), "{sends} in a day");
    }

    #[test]
    fn what_the_post_missed_goes_at_once_but_not_again_and_again() {
        let start = Instant::now();
        let mut tracker = acknowledged(1..=100, start);
        let now = start + Duration::from_secs(6);
        tracker.confirmed(&ack(&[(1, 10), (41, 90)]), true, now);
        assert_eq!(send_due(&mut tracker, now), (11..=40).collect::<Vec<_>>());
        // Higher numbers may still be on their way, but not for long where others have arrived.
        assert_eq!(tracker.next_due(now), Some(now + RESEND_WAIT));
        let mut sends = 0;
        for second in 7..=600 {
            let now = start + Duration::from_secs(second);
            tracker.confirmed(&ack(&[(1, 10), (12, 100)]), true, now);
            let again = send_due(&mut tracker, now);
            assert!(again.iter().all(|seq| *seq == 11), "{again:?}");
            sends += again.len();
        }
        assert!((5..8).contains(&sends), "{sends} times in ten minutes");
    }

    #[test]
    fn a_new_connection_puts_in_doubt_what_the_last_one_took() {
        let start = Instant::now();
        let mut tracker = acknowledged(1..=40, start);
        tracker.sent(41, BYTES, start);
        tracker.connected();
        assert_eq!(tracker.due(start), Some(41), "it never landed");
        let now = start + RESEND_WAIT;
        tracker.acknowledged(41, now);
        assert_eq!(send_due(&mut tracker, now), (1..=8).collect::<Vec<_>>(), "until the post is heard");
        tracker.confirmed(&ack(&[(1, 8)]), true, now + Duration::from_secs(1));
        assert_eq!(send_due(&mut tracker, now + Duration::from_secs(1)), (9..=40).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_post_that_speaks_again_has_not_got_does_not_wait_as_if_it_were_away() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut tracker = acknowledged(1..=40, start);
        // The post is back, with a broker that lost its queue: it reports its contents.
        tracker.confirmed(&ack(&[(1, 10)]), true, at(12));
        assert_eq!((tracker.due(at(16)), tracker.due(at(17))), (None, Some(11)));
        // Or it works off the queue at the broker, and each acknowledgement extends the wait.
        for second in 13..=20 {
            tracker.confirmed(&ack(&[(1, second)]), true, at(second));
            assert_eq!(tracker.due(at(second + 4)), None);
        }
        assert_eq!(send_due(&mut tracker, at(25)), (21..=40).collect::<Vec<_>>());
        // A retained acknowledgement is not new.
        let mut tracker = acknowledged(1..=40, start);
        tracker.confirmed(&ack(&[(1, 10)]), false, at(12));
        assert_eq!(tracker.due(at(29)), None);
    }

    #[test]
    fn what_a_broker_lost_again_and_again_does_not_wait_longer_each_time() {
        let start = Instant::now();
        let mut tracker = acknowledged(1..=3, start);
        for round in 1..=6 {
            // The broker is killed and loses its queue. The post is back after the box, and receives only later alerts.
            tracker.connected();
            let now = start + Duration::from_secs(100 * round);
            assert_eq!(send_due(&mut tracker, now), [1, 2, 3]);
            tracker.confirmed(&ack(&[(4, 4)]), true, now + Duration::from_secs(2));
            assert_eq!(tracker.next_due(now), Some(now + RESEND_WAIT), "{round}");
        }
    }

    #[test]
    fn a_post_owes_its_word_for_what_has_just_left() {
        let (mut tracker, now) = (DeliveryTracker::default(), Instant::now());
        let later = now + Duration::from_secs(3);
        assert!(!tracker.may_be_confirmed(now));
        tracker.sent(1, BYTES, now);
        assert!(tracker.may_be_confirmed(now));
        tracker.acknowledged(1, now);
        assert!(tracker.may_be_confirmed(now) && !tracker.may_be_confirmed(later), "it had its time");
        tracker.sent(2, BYTES, later);
        tracker.connected();
        assert!(!tracker.may_be_confirmed(now), "nobody knows whether the broker has it");
        tracker.sent(3, BYTES, later);
        tracker.confirmed(&ack(&[(1, 3)]), true, later);
        assert!(!tracker.may_be_confirmed(now));
    }

    #[test]
    fn what_breaks_its_connection_lets_others_pass_and_is_told_of_without_its_picture() {
        let (mut tracker, now) = (DeliveryTracker::default(), Instant::now());
        for round in 0..3 {
            assert!(!tracker.wants_preview(1), "{round}");
            tracker.sent(1, BYTES, now);
            tracker.connected();
            assert_eq!(tracker.due(now), (round < 2).then_some(1), "{round}");
        }
        assert!(tracker.wants_preview(1));
        assert_eq!(tracker.next_due(now), Some(now + RESEND_WAIT));
        tracker.preview_acknowledged(1);
        assert!(!tracker.wants_preview(1));
    }

    #[test]
    fn what_the_broker_has_again_and_again_and_the_post_never_is_swallowed() {
        let (mut tracker, start) = (DeliveryTracker::default(), Instant::now());
        for round in 1..=3 {
            let now = start + Duration::from_secs(100 * round);
            tracker.sent(1, BYTES, now);
            tracker.acknowledged(1, now);
            assert!(!is_swallowed(&tracker), "the post has said nothing of it");
            tracker.confirmed(&ack(&[(2, 2)]), true, now);
            assert_eq!(is_swallowed(&tracker), round == 3);
        }
        tracker.confirmed(&ack(&[(1, 2)]), true, start);
        assert!(!is_swallowed(&tracker));
    }

    #[test]
    fn what_a_post_that_speaks_never_gets_is_swallowed_though_nothing_later_arrived() {
        let (mut tracker, start) = (DeliveryTracker::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let send = |tracker: &mut DeliveryTracker, bytes, seconds| {
            tracker.sent(1, bytes, at(seconds));
            tracker.acknowledged(1, at(seconds));
        };
        send(&mut tracker, 5000, 0);
        assert_eq!((tracker.swallowed(1), tracker.wants_answer(1)), (None, true), "the post is away");
        for (second, swallowed) in [(40, None), (70, Some(5000))] {
            send(&mut tracker, 5000, second);
            tracker.confirmed(&ack(&[]), true, at(second + 1));
            assert_eq!(tracker.swallowed(1), swallowed);
        }
        // One more word is enough for the next smaller form.
        send(&mut tracker, 2000, 80);
        tracker.confirmed(&ack(&[]), true, at(81));
        assert_eq!(tracker.swallowed(1), Some(2000));
        send(&mut tracker, 900, 90);
        let sizes = tracker.confirmed(&ack(&[(1, 1)]), true, at(91));
        assert_eq!(sizes, Sizes { confirmed: 900, swallowed: Some(2000) });
        assert!(tracker.is_empty());
    }

    #[test]
    fn what_broke_connections_is_not_waited_for_longer_once_it_landed_and_was_lost() {
        let start = Instant::now();
        let mut tracker = DeliveryTracker::default();
        for _ in 0..6 {
            tracker.sent(1, BYTES, start);
            tracker.connected();
        }
        tracker.sent(1, BYTES, start);
        tracker.acknowledged(1, start);
        tracker.confirmed(&ack(&[(2, 2)]), true, start);
        assert_eq!((tracker.due(start), tracker.next_due(start)), (None, Some(start + RESEND_WAIT)));
        tracker.sent(1, BYTES, start);
        tracker.connected();
        assert_eq!(tracker.due(start), Some(1), "it does not break every connection");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// With a post that answers, everything arrives in the end, for any behaviour of broker and connections.
        #[test]
        fn everything_arrives(losses in proptest::collection::vec(0u8..10, 0..400)) {
            let start = Instant::now();
            let mut losses = losses.into_iter();
            let (mut tracker, mut stored) = (DeliveryTracker::default(), std::collections::BTreeSet::new());
            (1..=50).for_each(|seq| tracker.sent(seq, BYTES, start));
            for second in 1..=20_000 {
                let now = start + Duration::from_secs(second);
                if tracker.entries.is_empty() {
                    break;
                }
                let in_flight = (1..=50).filter(|seq| tracker.entries.get(seq).is_some_and(|entry| entry.state == State::InFlight));
                for seq in in_flight.collect::<Vec<_>>() {
                    match losses.next().unwrap_or(9) {
                        0..3 => tracker.connected(),
                        3..6 => tracker.acknowledged(seq, now),
                        _ => {
                            tracker.acknowledged(seq, now);
                            stored.insert(seq);
                        }
                    }
                }
                let mut runs: Vec<(u64, u64)> = Vec::new();
                for &seq in &stored {
                    match runs.last_mut() {
                        Some(run) if run.1 + 1 == seq => run.1 = seq,
                        _ => runs.push((seq, seq)),
                    }
                }
                tracker.confirmed(&ack(&runs), true, now);
                while let Some(seq) = tracker.due(now) {
                    tracker.sent(seq, BYTES, now);
                }
            }
            prop_assert_eq!(stored.len(), 50);
            prop_assert!(tracker.entries.is_empty());
        }
    }
}
