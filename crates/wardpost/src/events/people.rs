//! Names, authorities and texts of the people at the post.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Maximum number of characters of an officer's name.
const OFFICER_MAX: usize = 32;
/// Maximum number of characters of a note.
const NOTE_MAX: usize = 500;

/// A name or note that is not accepted; the reason, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(String);

/// Name of an officer: 1 to 32 characters without control characters, and without space at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Officer(String);

impl Officer {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Officer {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let text = text.trim();
        let length = text.chars().count();
        if !(1..=OFFICER_MAX).contains(&length) {
            let why = format!("an officer's name has 1 to {OFFICER_MAX} characters, and this has {length}");
            return Err(InvalidText(why));
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidText("an officer's name has no control characters".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Officer {
    type Error = InvalidText;
    fn try_from(text: String) -> Result<Self, InvalidText> {
        text.parse()
    }
}

impl From<Officer> for String {
    fn from(officer: Officer) -> Self {
        officer.0
    }
}

impl fmt::Display for Officer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Text that an officer writes: at most 500 characters, of which line ends are the only control characters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Note(String);

impl Note {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True where nothing is written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Note {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let text = text.trim().replace("\r\n", "\n");
        let length = text.chars().count();
        if length > NOTE_MAX {
            let why = format!("a note has at most {NOTE_MAX} characters, and this has {length}");
            return Err(InvalidText(why));
        }
        if text.chars().any(|one| one.is_control() && one != '\n') {
            return Err(InvalidText("a note has no control characters".to_owned()));
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Note {
    type Error = InvalidText;
    fn try_from(text: String) -> Result<Self, InvalidText> {
        text.parse()
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.0
    }
}

/// Authority over the events of others, and over shelves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authority {
    /// Decides about events that are new or the officer's own.
    Officer,
    /// Decides about events of others, too, and shelves for days.
    Commander,
}

/// Author of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The post itself, by its clock.
    Post,
    /// A person.
    Person(Officer, Authority),
}

impl Who {
    /// The officer; `None` for the post itself.
    pub fn officer(&self) -> Option<&Officer> {
        match self {
            Self::Post => None,
            Self::Person(officer, _) => Some(officer),
        }
    }

    /// True for a person who may decide about an event that `holder` has taken.
    pub fn may_decide_for(&self, holder: &Officer) -> bool {
        match self {
            Self::Post => false,
            Self::Person(officer, authority) => officer == holder || *authority == Authority::Commander,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_notes_are_bounded() {
        assert_eq!(" Nguyễn Văn An ".parse::<Officer>().unwrap().as_str(), "Nguyễn Văn An");
        for bad in ["", "  ", "a\u{7}b", "a\nb", &"ễ".repeat(33)] {
            assert!(bad.parse::<Officer>().is_err(), "{bad:?}");
        }
        assert!("ễ".repeat(32).parse::<Officer>().is_ok());
        assert_eq!("một\r\nhai ".parse::<Note>().unwrap().as_str(), "một\nhai");
        assert!("ễ".repeat(500).parse::<Note>().is_ok());
        for bad in ["a\u{1b}[2J", &"ễ".repeat(501)] {
            assert!(bad.parse::<Note>().is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<Note>("\"a\\u0000\"").is_err());
    }
}
