//! Delivery times of alerts, separated by the faults in their way. Pure.

use super::schedule::Kind;

/// Time after a fault in which alerts still find connections that have to be made anew, in microseconds.
const AFTERMATH_US: i64 = 5_000_000;

/// A fault as it happened; microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Happened {
    pub kind: Kind,
    /// Box that it happened to, if it happened to one.
    pub which: usize,
    pub from_us: i64,
    pub until_us: i64,
}

/// A message's way from a box's disk to the post's; microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journey {
    /// Index of the box.
    pub which: usize,
    pub seq: u64,
    pub kept_us: i64,
    pub stored_us: i64,
}

impl Journey {
    pub fn took_us(&self) -> i64 {
        self.stored_us - self.kept_us
    }
}

/// Delivery times of a run, in microseconds.
pub struct Tail {
    /// Times without any fault on the way, nor shortly before.
    undisturbed: Vec<i64>,
    disturbed: Vec<i64>,
    /// Of the disturbed ones: the rest after the last fault had ended.
    after: Vec<i64>,
    /// The longest time for which the way of one box was shut without a pause.
    shut_longest: i64,
}

impl Tail {
    pub fn of(journeys: &[Journey], faults: &[Happened], boxes: usize) -> Self {
        let shut = |which| shut_longest(faults.iter().filter(|fault| fault.shuts(which)));
        let mut tail = Self {
            undisturbed: Vec::new(),
            disturbed: Vec::new(),
            after: Vec::new(),
            shut_longest: (0..boxes).map(shut).max().unwrap_or(0),
        };
        for journey in journeys {
            let met = || faults.iter().filter(|fault| fault.meets(journey));
            match met().map(|fault| fault.until_us).max() {
                None => tail.undisturbed.push(journey.took_us()),
                Some(until) => {
                    tail.disturbed.push(journey.took_us());
                    if until < journey.stored_us {
                        tail.after.push(journey.stored_us - until.max(journey.kept_us));
                    }
                }
            }
        }
        tail
    }

    /// Names and values of the figures.
    pub fn figures(&self) -> [(&'static str, String); 4] {
        let shut_longest = self.shut_longest as f64 / 1e6;
        [
            ("kept to stored, no fault on the way", shares(&self.undisturbed)),
            ("kept to stored, through faults", shares(&self.disturbed)),
            ("  of that, after the last fault's end", shares(&self.after)),
            ("longest that a box's way was shut", format!("{shut_longest:.1} s")),
        ]
    }
}

impl Happened {
    /// Returns true if it happened to this box, or to all.
    fn concerns(&self, which: usize) -> bool {
        !self.kind.is_of_one_box() || self.which == which
    }

    /// Returns true if nothing at all could pass.
    fn shuts(&self, which: usize) -> bool {
        self.concerns(which) && self.kind.shuts()
    }

    /// Returns true if it was in the way, or had just been.
    pub fn meets(&self, journey: &Journey) -> bool {
        let is_there = self.from_us <= journey.stored_us && journey.kept_us <= self.until_us + AFTERMATH_US;
        self.concerns(journey.which) && is_there
    }
}

fn shut_longest<'a>(faults: impl Iterator<Item = &'a Happened>) -> i64 {
    let mut spans: Vec<_> = faults.map(|fault| (fault.from_us, fault.until_us)).collect();
    spans.sort_unstable();
    let mut current = (0, 0);
    let mut longest = 0;
    for (from, until) in spans {
        current = if from <= current.1 { (current.0, current.1.max(until)) } else { (from, until) };
        longest = longest.max(current.1 - current.0);
    }
    longest
}

fn shares(us: &[i64]) -> String {
    let mut us = us.to_vec();
    us.sort_unstable();
    let Some(last) = us.len().checked_sub(1) else { return "none".to_owned() };
    let [p50, p95, p99, longest] =
        [0.5, 0.95, 0.99, 1.0].map(|share: f64| us[(last as f64 * share) as usize] as f64 / 1e6);
    format!("p50 {p50:.3} s, p95 {p95:.2} s, p99 {p99:.2} s, longest {longest:.1} s of {}", us.len())
}

#[test]
fn a_journey_is_told_apart_by_what_was_in_its_way() {
    let s = 1_000_000;
    let fault =
        |kind, which, from: i64, until: i64| Happened { kind, which, from_us: from * s, until_us: until * s };
    let faults = [
        fault(Kind::BrokerKilled, 0, 100, 108),
        fault(Kind::LinkStalled, 1, 106, 112),
        fault(Kind::PostStalled, 0, 112, 113),
        fault(Kind::DeliveredLate, 0, 113, 120),
    ];
    let journey =
        |which, kept: i64, stored: i64| Journey { which, seq: 1, kept_us: kept * s, stored_us: stored * s };
    let of = |journey| {
        let tail = Tail::of(&[journey], &faults, 2);
        assert_eq!(tail.shut_longest, 13 * s, "box 1, whose way was shut by three in a row");
        (tail.undisturbed, tail.disturbed, tail.after)
    };
    assert_eq!(of(journey(0, 90, 99)), (vec![9 * s], vec![], vec![]));
    assert_eq!(of(journey(0, 90, 109)), (vec![], vec![19 * s], vec![s]));
    assert_eq!(of(journey(0, 109, 111)), (vec![], vec![2 * s], vec![2 * s]), "in the aftermath");
    assert_eq!(of(journey(1, 109, 111)), (vec![], vec![2 * s], vec![]), "its link is still stalled");
    assert_eq!(of(journey(0, 126, 127)), (vec![s], vec![], vec![]));
}
