//! Bounds of the share of the post that one name may take: a box's certificate admits one name, in any ward.
//!
//! Pure. The receiver asks before it stores a message. A refused alert is not acknowledged to the box: an honest one keeps it,
//! and sends it again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::arrival::{Content, Sender};
use crate::health::{Limit, Trouble};
use base::ids::{BoxId, WardId};
use base::time::Monotonic;

/// Maximum number of wards in which the boxes of one name may speak.
const WARDS_MAX: usize = 64;
/// Bytes that one name may send at once: twice the largest outbox. They grow again within a day.
const BYTES: Rate = Rate { max: 512 << 20, per_second: (512 << 20) / (24 * 3600) };
/// Alerts that one name may send at once: the backlog of days.
const ALERTS: Rate = Rate { max: 5000, per_second: 10 };
/// Further pictures that one name may send at once: three of each alert.
const STILLS: Rate = Rate { max: 3 * ALERTS.max, per_second: 3 * ALERTS.per_second };
/// Statuses and vitals that one name may send at once.
const REPORTS: Rate = Rate { max: 1000, per_second: 2 };
/// Bytes that a message takes in the database beside its own.
const BYTES_BESIDE: u64 = 1024;
/// Time without a refusal after which the trouble counts as over, and the next refusal as the first of another series.
const QUIET: Duration = Duration::from_secs(600);

/// An amount that may be used at once, and that grows again.
struct Rate {
    max: u64,
    per_second: u64,
}

/// Names with their shares; see the module.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    names: BTreeMap<BoxId, Share>,
}

/// Kind of a message, as far as bounds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Alert,
    /// A further picture. Those above the bound are told as alerts, and lost.
    Still,
    /// A status, vitals, or a message that cannot be read.
    Report,
}

/// Refusal of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exceeded {
    /// The reason, for a person.
    pub why: String,
    /// The share that was exceeded.
    pub limit: Limit,
    /// It is the first of a series.
    pub is_first: bool,
}

#[derive(Debug, Default)]
struct Share {
    wards: BTreeSet<WardId>,
    bytes: Used,
    alerts: Used,
    stills: Used,
    reports: Used,
    refused: Option<Refused>,
}

/// The part of a [`Rate`] that is used.
#[derive(Debug, Default)]
struct Used {
    amount: u64,
    at: Monotonic,
}

/// The last series of refusals.
#[derive(Debug)]
struct Refused {
    limit: Limit,
    count: u64,
    last_at: Monotonic,
    /// The box that the trouble is told of: a known one of this name.
    sender: Sender,
}

/// Kind of a message that takes a part of a share. One that cannot be read takes a part, too.
pub(super) fn kind(content: &Content) -> Kind {
    match content {
        Content::Alert(_) => Kind::Alert,
        Content::Still(_) => Kind::Still,
        Content::Status(_) | Content::Vitals(_) | Content::Refused(_) => Kind::Report,
    }
}

impl Bounds {
    /// Counts a ward of a name that was heard before: it stays admitted.
    pub fn knows(&mut self, sender: &Sender) {
        self.names.entry(sender.box_id.clone()).or_default().wards.insert(sender.ward.clone());
    }

    /// Drops a ward of a name.
    pub fn forget(&mut self, sender: &Sender) {
        if let Some(share) = self.names.get_mut(&sender.box_id) {
            share.wards.remove(&sender.ward);
            share.refused.take_if(|refused| refused.sender == *sender);
        }
    }

    /// Admits a message of `bytes`.
    ///
    /// # Errors
    /// The name exceeds its share.
    pub fn admit(
        &mut self,
        sender: &Sender,
        kind: Kind,
        bytes: usize,
        now: Monotonic,
    ) -> Result<(), Exceeded> {
        let share = self.names.entry(sender.box_id.clone()).or_default();
        let Some(limit) = share.take(sender, kind, bytes as u64 + BYTES_BESIDE, now) else { return Ok(()) };
        let is_first = share.refuse(sender, limit, now);
        let name = &sender.box_id;
        let why = match limit {
            Limit::Wards => format!(
                "{name} speaks in more than {WARDS_MAX} wards: is its certificate stolen? Revoke it, then `wardpost forget`"
            ),
            Limit::Bytes => format!(
                "{name} has sent {} MiB in a day: is its certificate stolen, or does a rule fire without end?",
                BYTES.max >> 20
            ),
            Limit::Alerts => format!(
                "{name} sends more than {} alerts a minute: is its certificate stolen, or does a rule fire without end?",
                ALERTS.per_second * 60
            ),
            Limit::Reports => format!(
                "{name} sends more than {} statuses and vitals a minute: is its certificate stolen?",
                REPORTS.per_second * 60
            ),
        };
        Err(Exceeded { why, limit, is_first })
    }

    /// Boxes of names that exceeded their shares of late, each with the trouble.
    pub fn exceeded(&self, now: Monotonic) -> BTreeMap<&Sender, Trouble> {
        let refused = self.names.values().filter_map(|share| share.refused.as_ref());
        refused
            .filter(|refused| now.since(refused.last_at) < QUIET)
            .map(|one| (&one.sender, Trouble::TooMuch { limit: one.limit, refused: one.count }))
            .collect()
    }
}

impl Share {
    /// Uses a part of the share. Returns the limit that forbids it.
    fn take(&mut self, sender: &Sender, kind: Kind, bytes: u64, now: Monotonic) -> Option<Limit> {
        let (number, number_rate, limit) = match kind {
            Kind::Alert => (&mut self.alerts, ALERTS, Limit::Alerts),
            Kind::Still => (&mut self.stills, STILLS, Limit::Alerts),
            Kind::Report => (&mut self.reports, REPORTS, Limit::Reports),
        };
        if !self.wards.contains(&sender.ward) && self.wards.len() >= WARDS_MAX {
            return Some(Limit::Wards);
        }
        if !number.has_room(1, &number_rate, now) {
            return Some(limit);
        }
        if !self.bytes.has_room(bytes, &BYTES, now) {
            return Some(Limit::Bytes);
        }
        number.amount += 1;
        self.bytes.amount += bytes;
        self.wards.insert(sender.ward.clone());
        None
    }

    /// Counts a refusal. Returns true for the first of a series.
    fn refuse(&mut self, sender: &Sender, limit: Limit, now: Monotonic) -> bool {
        if let Some(refused) = self.refused.as_mut().filter(|one| now.since(one.last_at) < QUIET) {
            (refused.limit, refused.last_at) = (limit, now);
            refused.count += 1;
            return false;
        }
        // A ward too many is no box of the list.
        let known = if self.wards.contains(&sender.ward) { None } else { self.wards.first() };
        let ward = known.unwrap_or(&sender.ward).clone();
        let sender = Sender { ward, box_id: sender.box_id.clone() };
        self.refused = Some(Refused { limit, count: 1, last_at: now, sender });
        true
    }
}

impl Used {
    /// True if `amount` more may be used.
    fn has_room(&mut self, amount: u64, rate: &Rate, now: Monotonic) -> bool {
        let passed = now.since(self.at).as_secs();
        if passed > 0 {
            self.at = now;
            self.amount = self.amount.saturating_sub(passed.saturating_mul(rate.per_second));
        }
        self.amount.saturating_add(amount) <= rate.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 1 << 20;

    fn in_ward(number: usize, name: &str) -> Sender {
        Sender { ward: format!("w{number}").parse().unwrap(), box_id: name.parse().unwrap() }
    }

    fn start() -> Monotonic {
        Monotonic::from_nanos(0)
    }

    #[test]
    fn a_name_speaks_in_a_bounded_number_of_wards_and_the_others_do_not_notice() {
        let (mut bounds, now) = (Bounds::default(), start());
        bounds.knows(&in_ward(9999, "box-2"));
        for number in 0..1000 {
            let admitted = bounds.admit(&in_ward(number, "box-2"), Kind::Alert, 1000, now);
            let expected = number + 1 < WARDS_MAX;
            assert_eq!(admitted.is_ok(), expected, "{number}");
            if let Err(Exceeded { why, is_first, .. }) = admitted {
                assert!(why.contains("more than 64 wards"), "{why}");
                assert_eq!(is_first, number + 1 == WARDS_MAX, "{number}");
            }
        }
        assert_eq!(bounds.names.len(), 1);
        let trouble = Trouble::TooMuch { limit: Limit::Wards, refused: 937 };
        assert_eq!(bounds.exceeded(now), BTreeMap::from([(&in_ward(0, "box-2"), trouble)]));
        bounds.admit(&in_ward(9999, "box-2"), Kind::Alert, 1000, now).expect("its own ward stays");
        bounds.admit(&in_ward(5, "box-1"), Kind::Alert, 1000, now).expect("another name");
        bounds.forget(&in_ward(0, "box-2"));
        assert!(bounds.exceeded(now).is_empty());
        bounds.admit(&in_ward(900, "box-2"), Kind::Alert, 1000, now).expect("a removed ward makes room");
    }

    #[test]
    fn a_name_that_sends_too_many_bytes_waits_and_the_others_do_not() {
        let (mut bounds, bad) = (Bounds::default(), in_ward(1, "box-2"));
        let mut take =
            |now| (0..10_000).take_while(|_| bounds.admit(&bad, Kind::Alert, LARGE, now).is_ok()).count();
        let taken = take(start());
        assert!((500..=512).contains(&taken), "{taken}");
        let taken = take(start() + Duration::from_secs(3600));
        assert!((20..=22).contains(&taken), "a part of a day's share an hour later: {taken}");
        bounds.admit(&in_ward(1, "box-1"), Kind::Alert, LARGE, start()).expect("another box");
    }

    #[test]
    fn a_flood_of_small_alerts_is_thinned_and_the_status_still_comes() {
        let (mut bounds, bad) = (Bounds::default(), in_ward(1, "box-2"));
        let (mut admitted, mut first) = (0, 0);
        for second in 0..100u64 {
            let now = start() + Duration::from_secs(second);
            for _ in 0..200 {
                match bounds.admit(&bad, Kind::Alert, 1000, now) {
                    Ok(()) => admitted += 1,
                    Err(exceeded) => first += u32::from(exceeded.is_first),
                }
            }
            bounds.admit(&bad, Kind::Report, 1000, now).expect("a status is not an alert");
        }
        assert_eq!(admitted, ALERTS.max + 99 * ALERTS.per_second);
        assert_eq!(first, 1, "one series is one line of the log");
        let last = start() + Duration::from_secs(99);
        let trouble = Trouble::TooMuch { limit: Limit::Alerts, refused: 20_000 - admitted };
        assert_eq!(bounds.exceeded(last), BTreeMap::from([(&bad, trouble)]));
        assert!(bounds.exceeded(last + QUIET).is_empty());
        bounds.admit(&bad, Kind::Alert, 1000, last + QUIET).expect("it is admitted again");
    }
}
