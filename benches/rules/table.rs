//! Opened events, against the expected ones.

use std::collections::BTreeMap;

use base::event::Event;
use streetsim::suite::{EARLY_SECONDS, Scenario};

use super::play::Said;

/// Results of one rule kind.
#[derive(Default)]
struct Kind {
    scenarios: u32,
    expected: u32,
    hits: u32,
    false_alarms: u32,
    unknown: u32,
    delays: Vec<f64>,
}

/// Prints a line for each scenario, and sums up the results of the kinds.
pub struct Table {
    verbose: bool,
    kinds: BTreeMap<String, Kind>,
}

impl Table {
    pub fn new(verbose: bool) -> Self {
        println!("{:<36} frames  infer.  what was said", "scenario");
        Self { verbose, kinds: BTreeMap::new() }
    }

    /// Judges a scenario.
    pub fn add(&mut self, scenario: &Scenario, said: Said) {
        let Said { mut opened, unknown, notes, frames, inferences } = said;
        let mut words = Vec::new();
        // A further alert of an incident is right or wrong as its first one is.
        let further = opened.iter().filter(|(_, event)| event.follows.is_some()).count();
        opened.retain(|(_, event)| event.follows.is_none());
        if further > 0 {
            words.push(format!("{further} further"));
        }
        for rule in &scenario.rules {
            let kind = self.kinds.entry(rule.kind.clone()).or_default();
            kind.scenarios += 1;
            if let Some((_, why)) = unknown.iter().find(|(id, _)| *id == rule.id) {
                kind.unknown += 1;
                words.push(format!("kind not known: {}", rule.kind));
                if self.verbose {
                    println!("  {}", why.replace('\n', "\n  "));
                }
                continue;
            }
            for expected in scenario.expected.iter().filter(|expected| expected.rule == rule.id) {
                kind.expected += 1;
                let (evidence, within) = (f64::from(expected.evidence), f64::from(expected.within));
                let span = evidence - f64::from(EARLY_SECONDS)..=evidence + within;
                let is_due = |(second, event): &(f64, Event)| {
                    event.rule.id.as_str() == expected.rule && span.contains(second)
                };
                let due: Vec<f64> = opened.iter().filter(|said| is_due(said)).map(|said| said.0).collect();
                let mut taken = 0;
                opened.retain(|said| {
                    let is_hit = is_due(said) && taken < expected.events_max;
                    taken += usize::from(is_hit);
                    !is_hit
                });
                match due.first() {
                    Some(second) => {
                        kind.hits += 1;
                        kind.delays.push(second - evidence);
                        words.push(format!("hit {:+.1} s", second - evidence));
                    }
                    None => words.push(format!("MISSED (evidence at {evidence:.1} s)")),
                }
            }
        }
        for (second, event) in &opened {
            self.kinds.entry(event.rule.kind.clone()).or_default().false_alarms += 1;
            let place = event.subjects.first().map(|subject| {
                let foot = subject.rect.foot();
                format!(", {} at {:.2}, {:.2}", subject.label, foot.x, foot.y)
            });
            words.push(format!(
                "FALSE {} at {second:.1} s ({}{})",
                event.rule.kind,
                event.why,
                place.unwrap_or_default()
            ));
        }
        let words = if words.is_empty() { "silent, as it must be".to_owned() } else { words.join("; ") };
        println!("{:<36} {frames:>6}  {inferences:>6}  {words}", scenario.name);
        for ((rule, track), (second, why)) in notes {
            println!("  {rule} {track} at {second:.1}: {why}");
        }
    }

    /// Prints a line for each rule kind.
    pub fn print_kinds(&self) {
        println!(
            "\n{:<18} scenarios  expected  hits  missed  false  seconds from evidence: mean, most",
            "kind"
        );
        let (mut hits, mut expected, mut false_alarms) = (0, 0, 0);
        for (name, kind) in &self.kinds {
            if kind.unknown == kind.scenarios && kind.scenarios > 0 {
                println!("{name:<18} {:>9}  kind not known", kind.scenarios);
                continue;
            }
            let mean = kind.delays.iter().sum::<f64>() / kind.delays.len().max(1) as f64;
            let most = kind.delays.iter().copied().fold(f64::NAN, f64::max);
            println!(
                "{name:<18} {:>9}  {:>8}  {:>4}  {:>6}  {:>5}  {mean:.1}, {most:.1}",
                kind.scenarios,
                kind.expected,
                kind.hits,
                kind.expected - kind.hits,
                kind.false_alarms
            );
            hits += kind.hits;
            expected += kind.expected;
            false_alarms += kind.false_alarms;
        }
        println!("\n{hits} of {expected} hit, {false_alarms} false alarms");
    }
}
