//! Bounds of the share of the post that one name may take: a box's certificate admits one name, in any ward.
//!
//! Pure. The receiver asks before it stores a message. A refused alert is not acknowledged: an honest box keeps it, and sends
//! it again.

use std::collections::{BTreeMap, BTreeSet};

use crate::arrival::Sender;
use base::ids::{BoxId, WardId};
use base::time::Monotonic;

/// Maximum number of wards in which the boxes of one name may speak.
const WARDS_MAX: usize = 64;
/// Bytes that one name may send at once: twice the largest outbox.
const BYTES_MAX: u64 = 512 << 20;
/// Bytes by which that grows again in a second: [`BYTES_MAX`] in a day.
const BYTES_PER_SECOND: u64 = BYTES_MAX / (24 * 3600);
/// Bytes that a message takes in the database beside its own.
const BYTES_BESIDE: u64 = 1024;

/// Names with their shares; see the module.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    names: BTreeMap<BoxId, Share>,
}

#[derive(Debug, Default)]
struct Share {
    wards: BTreeSet<WardId>,
    /// Bytes that count at `at`.
    bytes: u64,
    at: Monotonic,
    /// The last message was refused.
    is_exceeded: bool,
}

impl Bounds {
    /// Counts a ward of a name that was heard before: it stays admitted.
    pub fn knows(&mut self, sender: &Sender) {
        self.names.entry(sender.box_id.clone()).or_default().wards.insert(sender.ward.clone());
    }

    /// Admits a message of `bytes`.
    ///
    /// # Errors
    /// The name exceeds its share; the reason, for a person. `true` with it for the first message of a series.
    pub fn admit(&mut self, sender: &Sender, bytes: usize, now: Monotonic) -> Result<(), (String, bool)> {
        let share = self.names.entry(sender.box_id.clone()).or_default();
        let passed = now.since(share.at).as_secs();
        if passed > 0 {
            share.at = now;
            share.bytes = share.bytes.saturating_sub(passed.saturating_mul(BYTES_PER_SECOND));
        }
        let admitted = share.take(sender, bytes as u64 + BYTES_BESIDE);
        let was_exceeded = std::mem::replace(&mut share.is_exceeded, admitted.is_err());
        admitted.map_err(|why| (why, !was_exceeded))
    }
}

impl Share {
    fn take(&mut self, sender: &Sender, bytes: u64) -> Result<(), String> {
        let name = &sender.box_id;
        if !self.wards.contains(&sender.ward) && self.wards.len() >= WARDS_MAX {
            return Err(format!(
                "{name} speaks in more than {WARDS_MAX} wards: is its certificate stolen? Revoke it, then `wardpost status`"
            ));
        }
        if self.bytes.saturating_add(bytes) > BYTES_MAX {
            return Err(format!(
                "{name} has sent {} MiB in a day: is its certificate stolen, or does a rule fire without end?",
                BYTES_MAX >> 20
            ));
        }
        self.wards.insert(sender.ward.clone());
        self.bytes += bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn in_ward(number: usize, name: &str) -> Sender {
        Sender { ward: format!("w{number}").parse().unwrap(), box_id: name.parse().unwrap() }
    }

    #[test]
    fn a_name_speaks_in_a_bounded_number_of_wards_and_the_others_do_not_notice() {
        let (mut bounds, now) = (Bounds::default(), Monotonic::from_nanos(0));
        bounds.knows(&in_ward(9999, "box-2"));
        for number in 0..1000 {
            let admitted = bounds.admit(&in_ward(number, "box-2"), 1000, now);
            let expected = number + 1 < WARDS_MAX;
            assert_eq!(admitted.is_ok(), expected, "{number}");
            if let Err((why, is_first)) = admitted {
                assert!(why.contains("more than 64 wards"), "{why}");
                assert_eq!(is_first, number + 1 == WARDS_MAX, "{number}");
            }
        }
        assert_eq!(bounds.names.len(), 1);
        bounds.admit(&in_ward(9999, "box-2"), 1000, now).expect("its own ward stays");
        bounds.admit(&in_ward(5, "box-1"), 1000, now).expect("another name");
    }

    #[test]
    fn a_name_that_sends_too_much_waits_and_the_others_do_not() {
        let (mut bounds, start) = (Bounds::default(), Monotonic::from_nanos(0));
        let (bad, large) = (in_ward(1, "box-2"), 1 << 20);
        let taken = (0..10_000).take_while(|_| bounds.admit(&bad, large, start).is_ok()).count();
        assert!((500..=512).contains(&taken), "{taken}");
        bounds.admit(&in_ward(1, "box-1"), large, start).expect("another box");
        let later = start + Duration::from_secs(3600);
        let taken = (0..10_000).take_while(|_| bounds.admit(&bad, large, later).is_ok()).count();
        assert!((20..=22).contains(&taken), "a part of a day's share an hour later: {taken}");
    }
}
