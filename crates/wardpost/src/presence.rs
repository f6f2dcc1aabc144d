//! Presence of the boxes: one report when a box goes silent, one when it is back. Pure; the receiver calls it.

use std::time::Duration;

use base::status::Presence;
use base::time::Monotonic;

/// Last report about a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reported {
    /// No report, or the report that it is back.
    #[default]
    Here,
    /// Its status or its will reports it offline.
    Offline,
    /// No message has come from it for too long.
    Silent,
}

impl Reported {
    /// The word for it in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Offline => "offline",
            Self::Silent => "silent",
        }
    }

    /// The report of a word; `None` for an unknown one.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Here, Self::Offline, Self::Silent].into_iter().find(|one| one.as_str() == word)
    }
}

/// Kind of a message from a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// An alert. It may have been queued at the broker while the box was gone.
    Alert,
    /// Vitals: brokers do not keep them, so the box is there now.
    Vitals,
    /// A status.
    Status {
        /// The presence that it reports.
        presence: Presence,
        /// The broker had retained it: then it tells nothing about the present.
        retained: bool,
    },
}

/// State of one box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watched {
    /// Time of the last message while this process runs.
    heard_at: Option<Monotonic>,
    reported: Reported,
}

impl Watched {
    /// A box whose last report before this process started was `reported`.
    pub fn new(reported: Reported) -> Self {
        Self { heard_at: None, reported }
    }

    /// The last report.
    pub fn reported(&self) -> Reported {
        self.reported
    }

    /// Takes a message of the box. Returns the report to make.
    pub fn sign(&mut self, sign: Sign, now: Monotonic) -> Option<Reported> {
        let next = match sign {
            Sign::Status { presence: Presence::Offline, .. } => Reported::Offline,
            // It was retained all along: about a silent box it tells nothing.
            Sign::Status { retained: true, .. } if self.reported == Reported::Silent => return None,
            Sign::Alert if self.reported == Reported::Offline => Reported::Offline,
            Sign::Alert | Sign::Vitals | Sign::Status { .. } => Reported::Here,
        };
        if next == Reported::Here {
            self.heard_at = Some(now);
        }
        let was = std::mem::replace(&mut self.reported, next);
        // A box that is silent already is not reported again when its will comes.
        ((was == Reported::Here) != (next == Reported::Here)).then_some(next)
    }

    /// Advances the time. The post has been able to receive since `listening_since`. Returns the report to make.
    pub fn pass(
        &mut self,
        now: Monotonic,
        listening_since: Monotonic,
        silent_after: Duration,
    ) -> Option<Reported> {
        let since = self.heard_at.map_or(listening_since, |heard_at| heard_at.max(listening_since));
        if self.reported != Reported::Here || now.since(since) < silent_after {
            return None;
        }
        self.reported = Reported::Silent;
        Some(Reported::Silent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_nanos(seconds * 1_000_000_000)
    }

    fn status(presence: Presence, retained: bool) -> Sign {
        Sign::Status { presence, retained }
    }

    #[test]
    fn silence_is_reported_once_and_so_is_its_end() {
        let mut watched = Watched::default();
        assert_eq!(watched.sign(Sign::Vitals, at(10)), None);
        assert_eq!(watched.pass(at(309), at(0), LIMIT), None);
        assert_eq!(watched.pass(at(310), at(0), LIMIT), Some(Reported::Silent));
        assert_eq!(watched.pass(at(999), at(0), LIMIT), None);
        assert_eq!(watched.sign(status(Presence::Offline, false), at(1000)), None, "it is gone already");
        assert_eq!(watched.sign(Sign::Vitals, at(1001)), Some(Reported::Here));
        assert_eq!(watched.sign(Sign::Alert, at(1002)), None);
    }

    #[test]
    fn what_lay_at_the_broker_is_no_sign_of_life() {
        let mut watched = Watched::new(Reported::Silent);
        assert_eq!(watched.sign(status(Presence::Online, true), at(1)), None);
        assert_eq!(watched.reported(), Reported::Silent);
        let mut watched = Watched::new(Reported::Offline);
        assert_eq!(watched.sign(Sign::Alert, at(1)), None, "it may be an old one");
        assert_eq!(watched.sign(status(Presence::Online, true), at(1)), Some(Reported::Here));
        assert_eq!(watched.sign(status(Presence::Offline, true), at(2)), Some(Reported::Offline));
    }

    #[test]
    fn a_post_that_could_not_hear_blames_nobody() {
        let mut watched = Watched::default();
        watched.sign(Sign::Vitals, at(10));
        assert_eq!(watched.pass(at(5000), at(4900), LIMIT), None);
        assert_eq!(watched.pass(at(5200), at(4900), LIMIT), Some(Reported::Silent));
    }

    proptest! {
        /// Reports of going and of coming back alternate.
        #[test]
        fn reports_alternate(steps in proptest::collection::vec((0u64..200, 0u8..7), 0..200)) {
            let (mut watched, mut now, mut is_here) = (Watched::default(), 0, true);
            for (wait, step) in steps {
                now += wait;
                let said = match step {
                    0 => watched.sign(Sign::Alert, at(now)),
                    1 => watched.sign(Sign::Vitals, at(now)),
                    2 => watched.sign(status(Presence::Online, false), at(now)),
                    3 => watched.sign(status(Presence::Online, true), at(now)),
                    4 => watched.sign(status(Presence::Offline, false), at(now)),
                    _ => watched.pass(at(now), at(0), LIMIT),
                };
                if let Some(said) = said {
                    prop_assert_ne!(said == Reported::Here, is_here);
                    is_here = said == Reported::Here;
                }
                prop_assert_eq!(watched.reported() == Reported::Here, is_here);
            }
        }
    }
}
