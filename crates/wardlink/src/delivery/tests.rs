//! Tests in virtual time.

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

#[test]
fn only_alerts_that_were_sent_in_full_can_be_confirmed() {
    let (mut tracker, now) = (DeliveryTracker::default(), Instant::now());
    tracker.sent(2, BYTES, now);
    tracker.postponed(3, now);
    tracker.sent(5, BYTES, now);
    assert_eq!(
        tracker.sent_and_covered(&ack(&[(1, 4)])),
        [2],
        "1 and 3 were never sent whole, 5 is not covered"
    );
    tracker.connected();
    assert_eq!(tracker.sent_and_covered(&ack(&[(1, 9)])), [2, 5], "also on the next connection");
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
fn a_new_connection_makes_unconfirmed_what_the_last_one_took() {
    let start = Instant::now();
    let mut tracker = acknowledged(1..=40, start);
    tracker.sent(41, BYTES, start);
    tracker.connected();
    assert_eq!(tracker.due(start), Some(41), "it never reached the broker");
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
fn what_broke_connections_is_not_waited_for_longer_once_it_reached_the_broker_and_was_lost() {
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

#[test]
fn what_the_post_never_confirms_is_told_after_some_minutes() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut tracker = acknowledged(1..=3, start);
    tracker.sent(4, BYTES, start);
    assert_eq!(tracker.unconfirmed(at(299)), None);
    let told = Unconfirmed { count: 3, oldest: Duration::from_secs(400), is_heard: false };
    assert_eq!(tracker.unconfirmed(at(400)), Some(told), "the broker has not got the fourth");
    // To be sent again does not make it younger.
    tracker.connected();
    send_due(&mut tracker, at(500));
    tracker.confirmed(&ack(&[(2, 3)]), true, at(501));
    let told = Unconfirmed { count: 1, oldest: Duration::from_secs(600), is_heard: true };
    assert_eq!(tracker.unconfirmed(at(600)), Some(told));
    tracker.confirmed(&ack(&[(1, 4)]), true, at(601));
    assert_eq!(tracker.unconfirmed(at(900)), None);
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
