//! Which alerts of the outbox have been sent and still lie in it, and when each is sent again.
//!
//! It outlives connections, so that a link that breaks every minute, or a post that is away, does not have the box send
//! its outbox again and again. Pure: it asks no clock. What it forgets (a restart) is sent once more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::domain::ack::Ack;

/// So many may be sent and not acknowledged by the post; the backlog waits beyond that. New alerts do not.
const ROWS_MAX: usize = 256;
/// So many are remembered; new alerts beyond that are sent again as backlog.
const REMEMBERED_MAX: usize = 65_536;
/// How long the post has after the broker's acknowledgement, the first time. Doubles.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for what there is reason to believe lost, and for what the post, once it speaks again, has not got: its
/// session at the broker may be gone, and with it what waited there. Doubles.
const DOUBT: Duration = Duration::from_secs(5);
/// The longest wait of either.
const PATIENCE_MAX: Duration = Duration::from_secs(600);
/// While nothing is heard of the post, only so many of the oldest are sent again.
const PROBES: usize = 8;
/// Rows beyond so many are not looked at: the oldest come first.
const LOOKED_AT: usize = 512;
/// A message whose connection broke so often while it was under way is told of without its picture first.
const HERALDED_TRIES: u32 = 3;

/// A message that the broker had so often, and the post never, while the post has later ones: on the way it is thrown
/// away for what it is. Mosquitto does that with what is above its `message_size_limit`.
const SWALLOWED_LANDINGS: u32 = 3;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: BTreeMap<u64, Row>,
    /// When the post last acknowledged anything.
    heard_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    state: State,
    /// When it was handed over last, or, once the broker has it, when the broker said so.
    sent_at: Instant,
    /// How often it was sent since the broker last had it.
    tries: u32,
    /// How often the broker had it.
    landings: u32,
    /// How often the post, on this connection, had later ones and not this one.
    misses: u32,
    is_heralded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Under way.
    Aloft,
    /// The connection broke while it was under way.
    Cut,
    /// The broker has it.
    Landed,
    /// The broker had it, on a connection that is over.
    Doubtful,
    /// The post says that it does not have it.
    Missed,
}

impl Ledger {
    /// A new connection stands: what the last one took is in doubt. That the post missed something before is nobody's
    /// fault but the broken connection's, or the broker's that was restarted.
    pub fn connected(&mut self) {
        for row in self.rows.values_mut() {
            row.misses = 0;
            row.state = match row.state {
                State::Aloft => State::Cut,
                State::Landed => State::Doubtful,
                state => state,
            };
        }
    }

    /// Handed to the client.
    pub fn sent(&mut self, seq: u64, now: Instant) {
        let is_full = self.rows.len() >= REMEMBERED_MAX;
        match self.rows.get_mut(&seq) {
            Some(row) => {
                (row.state, row.sent_at, row.tries) = (State::Aloft, now, row.tries.saturating_add(1))
            }
            None if is_full => {}
            None => {
                let row = Row {
                    state: State::Aloft,
                    sent_at: now,
                    tries: 1,
                    landings: 0,
                    misses: 0,
                    is_heralded: false,
                };
                self.rows.insert(seq, row);
            }
        }
    }

    /// The broker has it.
    pub fn landed(&mut self, seq: u64, now: Instant) {
        if let Some(row) = self.rows.get_mut(&seq) {
            (row.state, row.sent_at, row.tries) = (State::Landed, now, 0);
            row.landings = row.landings.saturating_add(1);
        }
    }

    /// It was told of without its picture; all of it follows later.
    pub fn postponed(&mut self, seq: u64, now: Instant) {
        let new = Row {
            state: State::Cut,
            sent_at: now,
            tries: HERALDED_TRIES,
            landings: 0,
            misses: 0,
            is_heralded: false,
        };
        let row = self.rows.entry(seq).or_insert(new);
        (row.state, row.sent_at, row.tries) = (State::Cut, now, row.tries.max(HERALDED_TRIES));
    }

    /// The client gave it up on a connection that goes on.
    pub fn dropped(&mut self, seq: u64) {
        if let Some(row) = self.rows.get_mut(&seq) {
            row.state = State::Cut;
        }
    }

    /// What goes ahead of it has arrived.
    pub fn heralded(&mut self, seq: u64) {
        if let Some(row) = self.rows.get_mut(&seq) {
            row.is_heralded = true;
        }
    }

    /// It does not lie in the outbox any more.
    pub fn forget(&mut self, seq: u64) {
        self.rows.remove(&seq);
    }

    /// The post says what it has; `is_new` unless the broker had kept that from before.
    pub fn acknowledged(&mut self, ack: &Ack, is_new: bool, now: Instant) {
        self.rows.retain(|seq, row| {
            if ack.covers(*seq) {
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
    }

    /// Whether it has been sent.
    pub fn holds(&self, seq: u64) -> bool {
        self.rows.contains_key(&seq)
    }

    /// Whether the backlog has to wait.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_MAX
    }

    /// Whether all but its picture has arrived.
    pub fn is_heralded(&self, seq: u64) -> bool {
        self.rows.get(&seq).is_some_and(|row| row.is_heralded)
    }

    /// Whether all but its picture has to go ahead of this one.
    pub fn wants_herald(&self, seq: u64) -> bool {
        let row = self.rows.get(&seq);
        row.is_some_and(|row| row.state == State::Cut && row.tries >= HERALDED_TRIES && !row.is_heralded)
    }

    /// Whether the broker seems to throw it away each time.
    pub fn is_swallowed(&self, seq: u64) -> bool {
        let row = self.rows.get(&seq);
        row.is_some_and(|row| row.state == State::Missed && row.landings >= SWALLOWED_LANDINGS)
    }

    /// Whether something is under way.
    pub fn has_aloft(&self) -> bool {
        self.rows.values().any(|row| row.state == State::Aloft)
    }

    /// Whether the post may be about to acknowledge something: what is under way, or has landed since then.
    pub fn is_owed(&self, since: Instant) -> bool {
        let is_owed = |row: &Row| matches!(row.state, State::Aloft | State::Landed) && row.sent_at >= since;
        self.rows.values().any(is_owed)
    }

    /// The oldest one that is to be sent again now.
    pub fn due(&self, now: Instant) -> Option<u64> {
        self.waits().find(|(_, at)| *at <= now).map(|(seq, _)| seq)
    }

    /// When the next one will be, if not now.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.waits().map(|(_, at)| at).filter(|at| *at > now).min()
    }

    /// What may be sent again, and when, oldest first.
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
    /// How long after `sent_at` it is sent again; `None` while it is under way.
    fn wait(&self) -> Option<Duration> {
        match self.state {
            State::Aloft => None,
            // A broken connection is most often nobody's fault; that of one message in the end.
            State::Cut if self.tries < HERALDED_TRIES => Some(Duration::ZERO),
            State::Cut => Some(doubled(DOUBT, (self.tries - HERALDED_TRIES).min(16))),
            State::Landed => Some(doubled(PATIENCE, self.again())),
            State::Doubtful => Some(self.doubt()),
            State::Missed => Some(doubled(DOUBT, self.misses.saturating_sub(1).min(16))),
        }
    }

    /// How long the post has for what it has not got, although it could.
    fn doubt(&self) -> Duration {
        doubled(DOUBT, self.again())
    }

    /// How often the broker had it in vain. Broken connections say nothing about the way from there to the post.
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
    use crate::domain::ids::OutboxId;

    fn ack(runs: &[(u64, u64)]) -> Ack {
        Ack::of("box-1".parse().unwrap(), OutboxId::default(), runs.iter().copied())
    }

    /// Sends all that is due at `now`, and has the broker take it.
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
        // What lies above may be on its way still, but not for long where others are not.
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
        // Back, with a broker that has forgotten it: it says what it had.
        ledger.acknowledged(&ack(&[(1, 10)]), true, at(12));
        assert_eq!((ledger.due(at(16)), ledger.due(at(17))), (None, Some(11)));
        // Or it works off what waited at the broker, and each word gives it time.
        for second in 13..=20 {
            ledger.acknowledged(&ack(&[(1, second)]), true, at(second));
            assert_eq!(ledger.due(at(second + 4)), None);
        }
        assert_eq!(send_due(&mut ledger, at(25)), (21..=40).collect::<Vec<_>>());
        // What was retained is no news.
        let mut ledger = landed(1..=40, start);
        ledger.acknowledged(&ack(&[(1, 10)]), false, at(12));
        assert_eq!(ledger.due(at(29)), None);
    }

    #[test]
    fn what_a_broker_lost_again_and_again_does_not_wait_longer_each_time() {
        let start = Instant::now();
        let mut ledger = landed(1..=3, start);
        for round in 1..=6 {
            // The broker is killed, and forgets; the post is back after the box, and has what came then.
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// Whatever broker and connections do: with a post that answers, everything arrives in the end.
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
