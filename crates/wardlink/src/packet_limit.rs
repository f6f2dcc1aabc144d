//! The broker's size limit, inferred from the fate of messages: MQTT 3.1.1 does not announce it.
//!
//! A broker closes the connection over a packet that is too large for it. A link that does not carry as many bytes breaks
//! too. A proof tells them apart: as many bytes in small messages, on one connection. Pure: it reads no clock.

use std::time::{Duration, Instant};

/// Connections that end over a message before a proof is asked for.
const STRIKES: u32 = 3;
/// Maximum of that number, which doubles where the proof fails.
const STRIKES_MAX: u32 = 48;
/// Connections that end over a message of a size that the broker took before, after which that no longer counts.
const STALE: u32 = 12;
/// Time after which a large message is tried again: the broker may have been reconfigured.
const KNOWN_FOR: Duration = Duration::from_secs(6 * 3600);

/// Size limit of the broker, as far as it is known; see the module.
#[derive(Debug)]
pub(super) struct PacketLimit {
    /// The largest payload that the broker has acknowledged.
    passed: usize,
    /// The smallest payload over which a connection ended.
    suspect: Option<usize>,
    strikes: u32,
    strikes_needed: u32,
    /// Consecutive connections that ended over a payload of a size that had passed.
    stale: u32,
    known: Option<Known>,
    /// The smallest payload that the broker acknowledged and did not pass on, with the time of that finding.
    swallowed: Option<(usize, Instant)>,
    /// The largest payload that the post has confirmed.
    confirmed: usize,
}

/// A limit that was found.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The smallest payload over which a connection ended.
    limit: usize,
    /// Payloads of this size and above are not tried: each failure costs a connection.
    tried_below: usize,
    since: Instant,
}

impl Default for PacketLimit {
    fn default() -> Self {
        Self {
            passed: 0,
            suspect: None,
            strikes: 0,
            strikes_needed: STRIKES,
            stale: 0,
            known: None,
            swallowed: None,
            confirmed: 0,
        }
    }
}

impl PacketLimit {
    /// The broker has acknowledged a payload of `bytes`.
    pub fn acknowledged(&mut self, bytes: usize) {
        (self.passed, self.stale) = (self.passed.max(bytes), 0);
        if self.suspect.is_some_and(|suspect| suspect <= bytes) {
            (self.suspect, self.strikes) = (None, 0);
        }
        self.known = self.known.filter(|known| known.limit > bytes);
    }

    /// A connection was closed while a payload of `bytes`, the largest in flight, was not acknowledged.
    pub fn ended_over(&mut self, bytes: usize, now: Instant) {
        if bytes <= self.passed {
            self.stale += 1;
            if self.stale >= STALE {
                (self.passed, self.stale) = (0, 0);
            }
            return;
        }
        if let Some(known) = self.known(now) {
            let limit = known.limit.min(bytes);
            let tried_below = known.tried_below.min((limit - limit / 4).max(self.passed + 1));
            self.known = Some(Known { limit, tried_below, ..known });
            return;
        }
        self.suspect = Some(self.suspect.map_or(bytes, |suspect| suspect.min(bytes)));
        self.strikes = self.strikes.saturating_add(1);
    }

    /// Bytes in small messages that have to be acknowledged on one connection to prove that the link carries them;
    /// `None` where there is nothing to prove.
    pub fn wants_proof(&self) -> Option<usize> {
        self.suspect.filter(|_| self.strikes >= self.strikes_needed)
    }

    /// The bytes of the proof were acknowledged.
    pub fn proved(&mut self, now: Instant) {
        if let Some(bytes) = self.suspect.take() {
            self.known = Some(Known { limit: bytes, tried_below: bytes, since: now });
        }
        (self.strikes, self.strikes_needed) = (0, STRIKES);
    }

    /// The connection ended during the proof: the link is the cause.
    pub fn refuted(&mut self) {
        (self.suspect, self.strikes) = (None, 0);
        self.strikes_needed = (self.strikes_needed * 2).min(STRIKES_MAX);
    }

    /// The size from which payloads are too large.
    pub fn bytes(&self, now: Instant) -> Option<usize> {
        self.known(now).map(|known| known.limit)
    }

    /// False where the broker would end the connection over a payload of `bytes`, as far as it is known.
    pub fn takes(&self, bytes: usize, now: Instant) -> bool {
        self.known(now).is_none_or(|known| bytes < known.tried_below || bytes <= self.passed)
    }

    /// False where the broker would not pass on a payload of `bytes`, as far as it is known.
    pub fn passes_on(&self, bytes: usize, now: Instant) -> bool {
        let swallowed = self.swallowed.filter(|(_, since)| now.saturating_duration_since(*since) < KNOWN_FOR);
        swallowed.is_none_or(|(limit, _)| bytes < limit - limit / 4 || bytes <= self.confirmed)
    }

    /// The post has an alert in a smaller form, and never got it in a payload of `bytes` that the broker acknowledged.
    pub fn swallowed(&mut self, bytes: usize, now: Instant) {
        let limit = self.swallowed.map_or(bytes, |(limit, _)| limit.min(bytes));
        self.swallowed = Some((limit, now));
        self.confirmed = self.confirmed.min(limit.saturating_sub(1));
    }

    /// The post has confirmed a payload of `bytes`.
    pub fn confirmed(&mut self, bytes: usize) {
        self.confirmed = self.confirmed.max(bytes);
        self.swallowed = self.swallowed.filter(|(limit, _)| *limit > bytes);
    }

    /// The largest payload that the broker has acknowledged.
    pub fn passed(&self) -> usize {
        self.passed
    }

    fn known(&self, now: Instant) -> Option<Known> {
        self.known.filter(|known| now.saturating_duration_since(known.since) < KNOWN_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_known_after_three_connections_and_a_proof() {
        let (mut limit, now) = (PacketLimit::default(), Instant::now());
        limit.acknowledged(700);
        for bytes in [34_000, 33_000, 35_000] {
            assert_eq!((limit.wants_proof(), limit.bytes(now)), (None, None));
            limit.ended_over(bytes, now);
        }
        assert_eq!((limit.wants_proof(), limit.bytes(now)), (Some(33_000), None));
        limit.proved(now);
        assert_eq!((limit.wants_proof(), limit.bytes(now)), (None, Some(33_000)));
        // A smaller message does not pass either: the next one is not tried.
        limit.ended_over(25_000, now);
        assert_eq!((limit.bytes(now), limit.passed()), (Some(25_000), 700));
    }

    #[test]
    fn a_smaller_limit_is_found_in_few_connections() {
        let (mut limit, now) = (PacketLimit::default(), Instant::now());
        limit.acknowledged(700);
        (0..3).for_each(|_| limit.ended_over(34_000, now));
        limit.proved(now);
        let mut failures = 0;
        for bytes in (701..34_000).rev().filter(|bytes| *bytes >= 2000) {
            if limit.takes(bytes, now) {
                limit.ended_over(bytes, now);
                failures += 1;
            }
        }
        assert!(failures <= 10, "{failures}");
        assert!(limit.takes(700, now) && !limit.takes(2000, now));
    }

    #[test]
    fn a_limit_that_was_lowered_is_found() {
        let (mut limit, now) = (PacketLimit::default(), Instant::now());
        limit.acknowledged(34_000);
        (0..STALE + STRIKES).for_each(|_| limit.ended_over(33_000, now));
        assert_eq!(limit.wants_proof(), Some(33_000));
    }

    #[test]
    fn what_the_broker_swallows_is_not_sent_in_that_size_until_the_post_has_one() {
        let (mut limit, now) = (PacketLimit::default(), Instant::now());
        assert!(limit.passes_on(34_000, now));
        limit.swallowed(5000, now);
        limit.confirmed(2000);
        assert!(limit.passes_on(2000, now) && !limit.passes_on(4900, now) && !limit.passes_on(34_000, now));
        limit.confirmed(4900);
        assert!(limit.passes_on(4900, now) && !limit.passes_on(5000, now));
        assert!(limit.passes_on(5000, now + KNOWN_FOR), "somebody may have raised it");
        limit.confirmed(6000);
        assert!(limit.passes_on(5000, now));
    }

    #[test]
    fn a_link_that_breaks_is_asked_ever_more_rarely() {
        let (mut limit, now) = (PacketLimit::default(), Instant::now());
        let mut asked = Vec::new();
        for connection in 1..=100 {
            limit.ended_over(34_000, now);
            if limit.wants_proof().is_some() {
                asked.push(connection);
                limit.refuted();
            }
        }
        assert_eq!(asked, [3, 9, 21, 45, 93]);
        assert_eq!(limit.bytes(now), None);
    }

    #[test]
    fn what_passes_clears_a_message_of_its_size() {
        let (mut limit, now) = (PacketLimit::default(), Instant::now());
        limit.ended_over(34_000, now);
        limit.ended_over(34_000, now);
        limit.acknowledged(34_000);
        (0..9).for_each(|_| limit.ended_over(34_000, now));
        assert_eq!(limit.wants_proof(), None, "the link broke by chance");
        (0..3).for_each(|_| limit.ended_over(40_000, now));
        limit.proved(now);
        assert_eq!(limit.bytes(now), Some(40_000));
        limit.acknowledged(41_000);
        assert_eq!(limit.bytes(now), None, "somebody has raised it");
    }

    #[test]
    fn a_limit_is_tried_again_after_hours() {
        let (mut limit, now) = (PacketLimit::default(), Instant::now());
        (0..3).for_each(|_| limit.ended_over(34_000, now));
        limit.proved(now);
        assert_eq!(limit.bytes(now + KNOWN_FOR - Duration::from_secs(1)), Some(34_000));
        assert_eq!(limit.bytes(now + KNOWN_FOR), None);
    }
}
