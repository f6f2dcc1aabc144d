//! The expected events of a file, and the comparison with the actual ones.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::report::clock;
use base::text;

/// All expected events of a file; any other one is a false alarm.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Truth {
    expected: Vec<Expected>,
}

/// An event that must open.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The rule's id.
    rule: String,
    /// Span of the file's time in which it must open.
    from_seconds: f64,
    until_seconds: f64,
    /// Maximum number of the rule's events that may open in this span.
    #[serde(default = "once")]
    events_max: usize,
}

fn once() -> usize {
    1
}

/// Result of the comparison; right where all expected events opened, and no others.
pub(super) struct Verdict {
    /// Text for a person, a line each.
    pub(super) text: String,
    pub(super) is_right: bool,
}

impl Truth {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = text::read(path).with_context(|| format!("cannot read the truth {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!("{} is no truth as `cargo run --example scenario` writes it", path.display())
        })
    }

    /// Compares the events that opened with the expected ones.
    pub(super) fn verdict(&self, openings: &[(&str, f64)]) -> Verdict {
        let mut left: Vec<bool> = openings.iter().map(|_| true).collect();
        let (mut hits, mut text) = (0, String::from("\nagainst the truth:\n"));
        for Expected { rule, from_seconds, until_seconds, events_max } in &self.expected {
            let span = *from_seconds..=*until_seconds;
            let fits =
                |(at, (who, when)): &(usize, &(&str, f64))| left[*at] && who == rule && span.contains(when);
            let found: Vec<usize> =
                openings.iter().enumerate().filter(fits).map(|(at, _)| at).take(*events_max).collect();
            hits += usize::from(!found.is_empty());
            // Writing to a string does not fail.
            let _ = match found.first() {
                Some(first) => writeln!(text, "  hit    {rule} at {}", clock(openings[*first].1)),
                None => writeln!(
                    text,
                    "  miss   {rule} should have opened from {} to {}",
                    clock(*from_seconds),
                    clock(*until_seconds)
                ),
            };
            found.into_iter().for_each(|at| left[at] = false);
        }
        let mut false_alarms = 0;
        for ((rule, when), _) in openings.iter().zip(&left).filter(|(_, left)| **left) {
            false_alarms += 1;
            let _ = writeln!(text, "  false  {rule} at {}", clock(*when));
        }
        let misses = self.expected.len() - hits;
        let _ = writeln!(text, "{hits} hits, {misses} misses, {false_alarms} false");
        Verdict { text, is_right: misses + false_alarms == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth() -> Truth {
        let text = r#"{"expected": [
            {"rule": "yard", "from_seconds": 10.0, "until_seconds": 12.0},
            {"rule": "line", "from_seconds": 4.0, "until_seconds": 14.0, "events_max": 2}
        ]}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn hits_misses_and_false_alarms_are_told_apart() {
        let right = truth().verdict(&[("line", 4.0), ("yard", 11.0), ("line", 13.0)]);
        assert!(right.is_right && right.text.contains("2 hits, 0 misses, 0 false"), "{}", right.text);
        let late = truth().verdict(&[("line", 6.0), ("yard", 12.5)]);
        assert!(!late.is_right && late.text.contains("1 hits, 1 misses, 1 false"), "{}", late.text);
        let twice = truth().verdict(&[("line", 6.0), ("yard", 10.0), ("yard", 11.0)]);
        assert!(!twice.is_right && twice.text.contains("false  yard at 00:11.0"), "{}", twice.text);
        assert!(truth().verdict(&[]).text.contains("0 hits, 2 misses, 0 false"));
    }

    #[test]
    fn what_is_no_truth_is_refused_with_its_path() {
        let error = Truth::read(Path::new("/nowhere/truth.json")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/truth.json"), "{error}");
        assert!(serde_json::from_str::<Truth>(r#"{"expected": [], "expekted": []}"#).is_err());
    }
}
