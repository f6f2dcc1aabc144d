//! Problems of a configuration: the fault, its place, and the remedy.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use strsim::osa_distance;

use base::fault::ErrorKind;

/// One fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file it is in.
    pub file: PathBuf,
    /// The line it is on, from 1; of a missing key, the line of its table's header. 0 for the file as a whole.
    pub line: usize,
    /// The key it is about: `camera.gate.zone.yard.points[2]`. Empty where the file cannot be read that far.
    pub key: String,
    /// The fault. Never shows the password of an address.
    pub what: String,
    /// The remedy.
    pub remedy: String,
}

impl Problem {
    /// `FILE:LINE: KEY: WHAT; REMEDY`.
    pub fn in_one_line(&self) -> String {
        self.to_string().replace("\n    -> ", "; ")
    }
}

/// Two lines: `FILE:LINE: KEY: WHAT`, and the remedy.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}\n    -> {}", self.what, self.remedy)
    }
}

/// All problems of a configuration: at least one, in the order of files and lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Always [`ErrorKind::Config`]: nothing changes until a person corrects the files.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Config
    }
}

/// One problem after the other.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The remedy for a word that is not one of `known`: the one that was probably meant, and all known ones.
pub fn choose<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let list = known.join(", ");
    match nearest(word, &known) {
        Some(meant) if known.len() > 1 => format!("did you mean {meant}? There are: {list}"),
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("use one of: {list}"),
    }
}

/// The known word that `word` was probably meant to be.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let tolerated = (word.chars().count() / 3).max(1);
    let closest = known.iter().map(|known| (osa_distance(word, known), *known)).min();
    match closest {
        Some((distance, known)) if distance <= tolerated => Some(known),
        _ if word.len() <= 2 => None,
        _ => known.iter().copied().find(|known| known.starts_with(word) || word.starts_with(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let known = ["name", "points", "password_file", "fps_max"];
        for (word, meant) in [
            ("nmae", Some("name")),
            ("point", Some("points")),
            ("password", Some("password_file")),
            ("fps", Some("fps_max")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
    }

    #[test]
    fn the_remedy_lists_what_there_is() {
        assert_eq!(choose("gaet", ["gate", "yard"]), "did you mean gate? There are: gate, yard");
        assert_eq!(choose("x", ["gate", "yard"]), "use one of: gate, yard");
    }
}
