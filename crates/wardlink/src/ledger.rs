//! Delivery tracker: alerts that have been sent and are still in the outbox, with the time of the next attempt of each.
//!
//! It outlives connections. So a link that breaks every minute, or an absent post, does not make the box send its whole
//! outbox again and again. Pure: it reads no clock. Entries that are lost in a restart are sent once more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::ack::Ack;

/// Maximum number of alerts sent and not acknowledged by the post before the backlog waits. New alerts do not wait.
const ROWS_MAX: usize = 256;
/// Maximum number of tracked alerts; new alerts beyond that are sent again as backlog.
const REMEMBERED_MAX: usize = 65_536;
/// First wait for the post after the broker's acknowledgement. Doubles.
const PATIENCE: Duration = Duration::from_secs(30);
/// First wait for an alert that is probably lost, and for one that the post, once it answers again, has not received: the
/// post's session at the broker may be gone, with the messages queued there. Doubles.
const DOUBT: Duration = Duration::from_secs(5);
/// Maximum of either wait.
const PATIENCE_MAX: Duration = Duration::from_secs(600);
/// Number of the oldest alerts that are sent again while the post is silent.
const PROBES: usize = 8;
/// Number of rows considered, oldest first.
const LOOKED_AT: usize = 512;
/// Connections that broke while a message was in flight, after which its preview without a picture is sent first.
const HERALDED_TRIES: u32 = 3;

/// Time after the broker's first acknowledgement from which an operator is told that the post has not confirmed an alert.
const OVERDUE: Duration = Duration::from_secs(300);

/// Number of acknowledgements by the broker for a message that the post never received, while the post has later ones. Such a
/// message is dropped on the way for its contents. Mosquitto drops messages above its `message_size_limit`.
const SWALLOWED_LANDINGS: u32 = 3;
/// The same number where the post has no later ones, but has spoken after each acknowledgement of the broker.
const PASSED_OVER: u32 = 2;

/// State of delivery of all alerts that were sent; see the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: BTreeMap<u64, Row>,
    /// Time of the post's last acknowledgement.
    heard_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    state: State,
    /// Time of the last attempt, or, once the broker has acknowledged it, of that acknowledgement.
    sent_at: Instant,
    /// Time of the broker's first acknowledgement.
    first_landed_at: Option<Instant>,
    /// Attempts since the broker last acknowledged it.
    tries: u32,
    /// Number of the broker's acknowledgements.
    landings: u32,
    /// Number of times on this connection that the post had later ones and not this one.
    misses: u32,
    is_heralded: bool,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In flight.
    Aloft,
    /// The connection broke while it was in flight.
    Cut,
    /// Acknowledged by the broker.
    Landed,
    /// Unconfirmed: acknowledged by the broker on a connection that has ended.
    Doubtful,
    /// Not received: the post reports that it does not have it.
    Missed,
}

impl Ledger {
    /// A new connection starts: alerts acknowledged on the last one become unconfirmed. Earlier misses no longer count: they
    /// came from the broken connection, or from a restarted broker.
    pub fn connected(&mut self) {
        for row in self.rows.values_mut() {
            (row.misses, row.passed_over) = (0, 0);
            row.state = match row.state {
                State::Aloft => State::Cut,
                State::Landed => State::Doubtful,
                state => state,
            };
        }
    }

    /// The alert was handed to the client.
    pub fn sent(&mut self, seq: u64, now: Instant) {
        let is_full = self.rows.len() >= REMEMBERED_MAX;
        match self.rows.get_mut(&seq) {
            Some(row) => {
                (row.state, row.sent_at, row.tries) = (State::Aloft, now, row.tries.saturating_add(1))
            }
            None if is_full => {}
            None => {
                self.rows.insert(seq, Row::new(State::Aloft, now, 1));
            }
        }
    }

    /// The broker acknowledged the alert.
    pub fn landed(&mut self, seq: u64, now: Instant) {
        if let Some(row) = self.rows.get_mut(&seq) {
            (row.state, row.sent_at, row.tries) = (State::Landed, now, 0);
            row.landings = row.landings.saturating_add(1);
            row.first_landed_at.get_or_insert(now);
        }
    }

    /// Its preview is sent without the picture; the whole alert follows later.
    pub fn postponed(&mut self, seq: u64, now: Instant) {
        let new = Row::new(State::Cut, now, HERALDED_TRIES);
        let row = self.rows.entry(seq).or_insert(new);
        (row.state, row.sent_at, row.tries) = (State::Cut, now, row.tries.max(HERALDED_TRIES));
    }

    /// The client gave the alert up on a connection that goes on.
    pub fn dropped(&mut self, seq: u64) {
        if let Some(row) = self.rows.get_mut(&seq) {
            row.state = State::Cut;
        }
    }

    /// The broker acknowledged the preview.
    pub fn heralded(&mut self, seq: u64) {
        if let Some(row) = self.rows.get_mut(&seq) {
            row.is_heralded = true;
        }
    }

    /// The alert has left the outbox.
    pub fn forget(&mut self, seq: u64) {
        self.rows.remove(&seq);
    }

    /// Takes an acknowledgement of the post; `is_new` is false for one that the broker had retained.
    pub fn acknowledged(&mut self, ack: &Ack, is_new: bool, now: Instant) -> Sizes {
        let mut sizes = Sizes::default();
        self.rows.retain(|seq, row| {
            if ack.covers(*seq) {
                sizes.confirmed = sizes.confirmed.max(row.bytes);
                let swallowed = row.swallowed.filter(|swallowed| row.bytes < *swallowed);
                sizes.swallowed = sizes.swallowed.into_iter().chain(swallowed).min();
                return false;
            }
            if *seq <= ack.highest && matches!(row.state, State::Landed | State::Doubtful) {
                (row.state, row.misses) = (State::Missed, row.misses.saturating_add(1));
            }
            true
        });
        if is_new {
            self.heard_at = Some(now);
        }
        sizes
    }

    /// The alert that was handed to the client has `bytes`.
    pub fn measured(&mut self, seq: u64, bytes: usize) {
        if let Some(row) = self.rows.get_mut(&seq) {
            row.bytes = bytes;
        }
    }

    /// Judges an alert that is to be sent again. Returns the smallest length in which the broker swallowed it.
    pub fn judged(&mut self, seq: u64) -> Option<usize> {
        let heard_at = self.heard_at;
        let is_swallowed = self.is_swallowed(seq);
        let row = self.rows.get_mut(&seq)?;
        let is_passed_over = row.state == State::Landed && heard_at.is_some_and(|at| at > row.sent_at);
        if is_passed_over {
            row.passed_over += 1;
        }
        let passes = if row.swallowed.is_some() { 1 } else { PASSED_OVER };
        let is_again = row.swallowed.is_some() && row.state == State::Missed && row.landings > 0;
        if row.bytes > 0 && (is_swallowed || is_again || (is_passed_over && row.passed_over >= passes)) {
            row.swallowed = Some(row.swallowed.map_or(row.bytes, |bytes| bytes.min(row.bytes)));
            (row.landings, row.passed_over, row.misses) = (0, 0, 0);
        }
        row.swallowed
    }

    /// True where the post is asked by a small preview whether it is there: it is silent since the broker took this alert, the
    /// oldest of that kind.
    pub fn wants_word(&self, seq: u64) -> bool {
        let oldest = self.rows.iter().find(|(_, row)| row.state == State::Landed);
        oldest.is_some_and(|(oldest, _)| *oldest == seq)
    }

    /// True for an alert that has been sent.
    pub fn holds(&self, seq: u64) -> bool {
        self.rows.contains_key(&seq)
    }

    /// True while the backlog has to wait.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_MAX
    }

    /// True once the preview has arrived.
    pub fn is_heralded(&self, seq: u64) -> bool {
        self.rows.get(&seq).is_some_and(|row| row.is_heralded)
    }

    /// True where a preview has to precede this alert.
    pub fn wants_herald(&self, seq: u64) -> bool {
        let row = self.rows.get(&seq);
        row.is_some_and(|row| row.state == State::Cut && row.tries >= HERALDED_TRIES && !row.is_heralded)
    }

    /// Alerts that the post should have confirmed by now.
    pub fn unconfirmed(&self, now: Instant) -> Option<Unconfirmed> {
        let landed = self.rows.values().filter_map(|row| row.first_landed_at);
        let overdue = landed.filter(|at| now.saturating_duration_since(*at) >= OVERDUE);
        let (count, first) = overdue.fold((0, None::<Instant>), |(count, first), at| {
            (count + 1, first.into_iter().chain([at]).min())
        });
        let first = first?;
        let is_heard = self.heard_at.is_some_and(|at| at > first);
        Some(Unconfirmed { count, oldest: now.saturating_duration_since(first), is_heard })
    }

    /// True where nothing waits for an acknowledgement.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// True where the broker seems to drop the alert each time.
    fn is_swallowed(&self, seq: u64) -> bool {
        let row = self.rows.get(&seq);
        row.is_some_and(|row| row.state == State::Missed && row.landings >= SWALLOWED_LANDINGS)
    }

    /// True while an alert is in flight.
    pub fn has_aloft(&self) -> bool {
        self.rows.values().any(|row| row.state == State::Aloft)
    }

    /// True where the post may still acknowledge an alert that has been in flight, or acknowledged by the broker, since `since`.
    pub fn is_owed(&self, since: Instant) -> bool {
        let is_owed = |row: &Row| matches!(row.state, State::Aloft | State::Landed) && row.sent_at >= since;
        self.rows.values().any(is_owed)
    }

    /// The oldest alert that is due to be sent again at `now`.
    pub fn due(&self, now: Instant) -> Option<u64> {
        self.waits().find(|(_, at)| *at <= now).map(|(seq, _)| seq)
    }

    /// Time of the next attempt after `now`.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.waits().map(|(_, at)| at).filter(|at| *at > now).min()
    }

    /// Alerts that may be sent again, with the time of the attempt, oldest first.
    fn waits(&self) -> impl Iterator<Item = (u64, Instant)> {
        let mut probes = 0;
        self.rows.iter().take(LOOKED_AT).filter_map(move |(seq, row)| {
            let needs_the_post = matches!(row.state, State::Landed | State::Doubtful);
            let is_heard = self.heard_at.is_some_and(|at| at > row.sent_at);
            if needs_the_post && !is_heard {
                probes += 1;
                if probes > PROBES {
                    return None;
                }
            }
            let at = row.sent_at + row.wait()?;
            let spoken_at = self.heard_at.filter(|at| row.state == State::Landed && *at > row.sent_at);
            Some((*seq, spoken_at.map_or(at, |spoken_at| at.min(spoken_at + row.doubt()))))
        })
    }
}

impl Row {
    fn new(state: State, sent_at: Instant, tries: u32) -> Self {
        Self {
            state,
            sent_at,
            first_landed_at: None,
            tries,
            landings: 0,
            misses: 0,
            is_heralded: false,
            bytes: 0,
            swallowed: None,
            passed_over: 0,
        }
    }

    /// Delay after `sent_at` of the next attempt; `None` while the alert is in flight.
    fn wait(&self) -> Option<Duration> {
        match self.state {
            State::Aloft => None,
            // Most broken connections have no cause in the message. After several over one message, it is the likely cause.
            State::Cut if self.tries < HERALDED_TRIES => Some(Duration::ZERO),
            State::Cut => Some(doubled(DOUBT, (self.tries - HERALDED_TRIES).min(16))),
            State::Landed => Some(doubled(PATIENCE, self.again())),
            State::Doubtful => Some(self.doubt()),
            State::Missed => Some(doubled(DOUBT, self.misses.saturating_sub(1).min(16))),
        }
    }

    /// Wait for a post that is able to receive and has not received the alert.
    fn doubt(&self) -> Duration {
        doubled(DOUBT, self.again())
    }

    /// Number of the broker's acknowledgements without effect. Broken connections tell nothing about the way on to the post.
    fn again(&self) -> u32 {
        self.landings.saturating_sub(1).min(16)
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX)).min(PATIENCE_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use base::ids::OutboxId;

    fn ack(runs: &[(u64, u64)]) -> Ack {
        Ack::of("box-1".parse().unwrap(), OutboxId::default(), runs.iter().copied())
    }

    /// Sends all that is due at `now`, and lets the broker acknowledge it.
    fn send_due(ledger: &mut Ledger, now: Instant) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(seq) = ledger.due(now) {
            ledger.sent(seq, now);
            ledger.landed(seq, now);
            sent.push(seq);
        }
        sent
    }

    fn landed(seqs: std::ops::RangeInclusive<u64>, now: Instant) -> Ledger {
        let mut ledger = Ledger::default();
        for seq in seqs {
            ledger.sent(seq, now);
            assert_eq!(ledger.due(now + PATIENCE_MAX), if seq == 1 { None } else { Some(1) });
            ledger.landed(seq, now);
        }
        ledger
    }

    #[test]
    fn a_post_that_is_away_has_a_few_sent_again_ever_more_rarely() {
        let start = Instant::now();
        let mut ledger = landed(1..=200, start);
        let mut sends = 0;
        for second in 1..=24 * 3600 {
            let again = send_due(&mut ledger, start + Duration::from_secs(second));
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
        let mut ledger = landed(1..=100, start);
        let now = start + Duration::from_secs(6);
        ledger.acknowledged(&ack(&[(1, 10), (41, 90)]), true, now);
        assert_eq!(send_due(&mut ledger, now), (11..=40).collect::<Vec<_>>());
        // Higher numbers may still be on their way, but not for long where others have arrived.
        assert_eq!(ledger.next_due(now), Some(now + DOUBT));
        let mut sends = 0;
        for second in 7..=600 {
            let now = start + Duration::from_secs(second);
            ledger.acknowledged(&ack(&[(1, 10), (12, 100)]), true, now);
            let again = send_due(&mut ledger, now);
            assert!(again.iter().all(|seq| *seq == 11), "{again:?}");
            sends += again.len();
        }
        assert!((5..8).contains(&sends), "{sends} times in ten minutes");
    }

    #[test]
    fn a_new_connection_puts_in_doubt_what_the_last_one_took() {
        let start = Instant::now();
        let mut ledger = landed(1..=40, start);
        ledger.sent(41, start);
        ledger.connected();
        assert_eq!(ledger.due(start), Some(41), "it never landed");
        let now = start + DOUBT;
        ledger.landed(41, now);
        assert_eq!(send_due(&mut ledger, now), (1..=8).collect::<Vec<_>>(), "until the post is heard");
        ledger.acknowledged(&ack(&[(1, 8)]), true, now + Duration::from_secs(1));
        assert_eq!(send_due(&mut ledger, now + Duration::from_secs(1)), (9..=40).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_post_that_speaks_again_has_not_got_does_not_wait_as_if_it_were_away() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ledger = landed(1..=40, start);
        // The post is back, with a broker that lost its queue: it reports its contents.
        ledger.acknowledged(&ack(&[(1, 10)]), true, at(12));
        assert_eq!((ledger.due(at(16)), ledger.due(at(17))), (None, Some(11)));
        // Or it works off the queue at the broker, and each acknowledgement extends the wait.
        for second in 13..=20 {
            ledger.acknowledged(&ack(&[(1, second)]), true, at(second));
            assert_eq!(ledger.due(at(second + 4)), None);
        }
        assert_eq!(send_due(&mut ledger, at(25)), (21..=40).collect::<Vec<_>>());
        // A retained acknowledgement is not new.
        let mut ledger = landed(1..=40, start);
        ledger.acknowledged(&ack(&[(1, 10)]), false, at(12));
        assert_eq!(ledger.due(at(29)), None);
    }

    #[test]
    fn what_a_broker_lost_again_and_again_does_not_wait_longer_each_time() {
        let start = Instant::now();
        let mut ledger = landed(1..=3, start);
        for round in 1..=6 {
            // The broker is killed and loses its queue. The post is back after the box, and receives only later alerts.
            ledger.connected();
            let now = start + Duration::from_secs(100 * round);
            assert_eq!(send_due(&mut ledger, now), [1, 2, 3]);
            ledger.acknowledged(&ack(&[(4, 4)]), true, now + Duration::from_secs(2));
            assert_eq!(ledger.next_due(now), Some(now + DOUBT), "{round}");
        }
    }

    #[test]
    fn a_post_owes_its_word_for_what_has_just_left() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        let later = now + Duration::from_secs(3);
        assert!(!ledger.is_owed(now));
        ledger.sent(1, now);
        assert!(ledger.is_owed(now));
        ledger.landed(1, now);
        assert!(ledger.is_owed(now) && !ledger.is_owed(later), "it had its time");
        ledger.sent(2, later);
        ledger.connected();
        assert!(!ledger.is_owed(now), "nobody knows whether the broker has it");
        ledger.sent(3, later);
        ledger.acknowledged(&ack(&[(1, 3)]), true, later);
        assert!(!ledger.is_owed(now));
    }

    #[test]
    fn what_breaks_its_connection_lets_others_pass_and_is_told_of_without_its_picture() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        for round in 0..3 {
            assert!(!ledger.wants_herald(1), "{round}");
            ledger.sent(1, now);
            ledger.connected();
            assert_eq!(ledger.due(now), (round < 2).then_some(1), "{round}");
        }
        assert!(ledger.wants_herald(1));
        assert_eq!(ledger.next_due(now), Some(now + DOUBT));
        ledger.heralded(1);
        assert!(!ledger.wants_herald(1));
    }

    #[test]
    fn what_the_broker_has_again_and_again_and_the_post_never_is_swallowed() {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        for round in 1..=3 {
            let now = start + Duration::from_secs(100 * round);
            ledger.sent(1, now);
            ledger.landed(1, now);
            assert!(!ledger.is_swallowed(1), "the post has said nothing of it");
            ledger.acknowledged(&ack(&[(2, 2)]), true, now);
            assert_eq!(ledger.is_swallowed(1), round == 3);
        }
        ledger.acknowledged(&ack(&[(1, 2)]), true, start);
        assert!(!ledger.is_swallowed(1));
    }

    #[test]
    fn what_a_post_that_speaks_never_gets_is_swallowed_though_nothing_later_arrived() {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let send = |ledger: &mut Ledger, bytes, seconds| {
            ledger.sent(1, at(seconds));
            ledger.measured(1, bytes);
            ledger.landed(1, at(seconds));
        };
        send(&mut ledger, 5000, 0);
        assert_eq!((ledger.judged(1), ledger.wants_word(1)), (None, true), "the post is away");
        for (second, swallowed) in [(40, None), (70, Some(5000))] {
            send(&mut ledger, 5000, second);
            ledger.acknowledged(&ack(&[]), true, at(second + 1));
            assert_eq!(ledger.judged(1), swallowed);
        }
        // One more word is enough for the next smaller form.
        send(&mut ledger, 2000, 80);
        ledger.acknowledged(&ack(&[]), true, at(81));
        assert_eq!(ledger.judged(1), Some(2000));
        send(&mut ledger, 900, 90);
        let sizes = ledger.acknowledged(&ack(&[(1, 1)]), true, at(91));
        assert_eq!(sizes, Sizes { confirmed: 900, swallowed: Some(2000) });
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_broke_connections_is_not_waited_for_longer_once_it_landed_and_was_lost() {
        let start = Instant::now();
        let mut ledger = Ledger::default();
        for _ in 0..6 {
            ledger.sent(1, start);
            ledger.connected();
        }
        ledger.sent(1, start);
        ledger.landed(1, start);
        ledger.acknowledged(&ack(&[(2, 2)]), true, start);
        assert_eq!((ledger.due(start), ledger.next_due(start)), (None, Some(start + DOUBT)));
        ledger.sent(1, start);
        ledger.connected();
        assert_eq!(ledger.due(start), Some(1), "it does not break every connection");
    }

    #[test]
    fn what_the_post_never_confirms_is_told_after_some_minutes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ledger = landed(1..=3, start);
        ledger.sent(4, start);
        assert_eq!(ledger.unconfirmed(at(299)), None);
        let told = Unconfirmed { count: 3, oldest: Duration::from_secs(400), is_heard: false };
        assert_eq!(ledger.unconfirmed(at(400)), Some(told), "the broker has not got the fourth");
        // To be sent again does not make it younger.
        ledger.connected();
        send_due(&mut ledger, at(500));
        ledger.acknowledged(&ack(&[(2, 3)]), true, at(501));
        let told = Unconfirmed { count: 1, oldest: Duration::from_secs(600), is_heard: true };
        assert_eq!(ledger.unconfirmed(at(600)), Some(told));
        ledger.acknowledged(&ack(&[(1, 4)]), true, at(601));
        assert_eq!(ledger.unconfirmed(at(900)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// With a post that answers, everything arrives in the end, for any behaviour of broker and connections.
        #[test]
        fn everything_arrives(losses in proptest::collection::vec(0u8..10, 0..400)) {
            let start = Instant::now();
            let mut losses = losses.into_iter();
            let (mut ledger, mut stored) = (Ledger::default(), std::collections::BTreeSet::new());
            (1..=50).for_each(|seq| ledger.sent(seq, start));
            for second in 1..=20_000 {
                let now = start + Duration::from_secs(second);
                if ledger.rows.is_empty() {
                    break;
                }
                let aloft = (1..=50).filter(|seq| ledger.rows.get(seq).is_some_and(|row| row.state == State::Aloft));
                for seq in aloft.collect::<Vec<_>>() {
                    match losses.next().unwrap_or(9) {
                        0..3 => ledger.connected(),
                        3..6 => ledger.landed(seq, now),
                        _ => {
                            ledger.landed(seq, now);
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
                ledger.acknowledged(&ack(&runs), true, now);
                while let Some(seq) = ledger.due(now) {
                    ledger.sent(seq, now);
                }
            }
            prop_assert_eq!(stored.len(), 50);
            prop_assert!(ledger.rows.is_empty());
        }
    }
}
