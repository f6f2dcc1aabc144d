//! Figures as text.

use base::detection::Label;
use detector::eval::AtScore;

/// Rows of a table: the row's name, and the labels that count as one.
pub const KINDS: [(&str, &[Label]); 5] = [
    ("person", &[Label::Person]),
    ("two-wheeler", &[Label::TwoWheeler]),
    ("car", &[Label::Car]),
    ("large vehicle", &[Label::LargeVehicle]),
    ("any four-wheeler", &[Label::Car, Label::LargeVehicle]),
];

/// The same where cars and large vehicles are not told apart, as networks confuse them.
pub const GROUPS: [(&str, &[Label]); 3] = [KINDS[0], KINDS[1], KINDS[4]];

/// Formats as percent, or a dash.
pub fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| "-".to_owned(), |part| format!("{:.0}", part * 100.0))
}

/// Formats recall and precision in percent.
pub fn both(at: &AtScore) -> String {
    format!("{}/{}", percent(at.recall()), percent(at.precision()))
}

/// Formats the networks' names, each over `width` characters.
pub fn heads<'a>(names: impl Iterator<Item = &'a str>, width: usize) -> String {
    names.map(|name| format!(" | {name:<width$}")).collect()
}
