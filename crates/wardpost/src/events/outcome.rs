//! Outcomes with which an event is closed.

use serde::{Deserialize, Serialize};

/// Judgement about the alerts of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// There was the thing that the rule looks for.
    True,
    /// There was not.
    False,
    /// A person tried the system out.
    Test,
    /// Nobody judged it.
    Unjudged,
}

/// The outcomes, with the word of each.
macro_rules! outcomes {
    ($( $(#[$doc:meta])* $outcome:ident = $word:literal, $truth:ident; )+) => {
        /// Outcome of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Outcome {
            $( $(#[$doc])* #[serde(rename = $word)] $outcome, )+
        }

        impl Outcome {
            /// All outcomes.
            pub const ALL: &[Self] = &[$( Self::$outcome, )+];

            /// The word for it in the database and in files.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$outcome => $word, )+
                }
            }

            /// Judgement that it is.
            pub const fn truth(self) -> Truth {
                match self {
                    $( Self::$outcome => Truth::$truth, )+
                }
            }
        }
    };
}

outcomes! {
    /// A patrol was sent.
    PatrolSent = "patrol-sent", True;
    /// The officer dealt with it otherwise.
    DealtWith = "dealt-with", True;
    /// It was as the rule says, and no action is needed.
    NoAction = "no-action", True;
    /// An animal.
    Animal = "animal", False;
    /// Rain, fog or insects.
    Rain = "rain", False;
    /// Headlights, lamps or a change of the light.
    Light = "light", False;
    /// A shadow.
    Shadow = "shadow", False;
    /// A parked vehicle, or another thing that always stands there.
    Parked = "parked", False;
    /// A person or vehicle that may be there.
    WrongPerson = "wrong-person", False;
    /// Another cause of a false alert.
    Other = "other", False;
    /// A test of the system.
    Test = "test", Test;
    /// The event is older than the duty officer's page at this post. Only the post closes with it.
    Earlier = "earlier", Unjudged;
}

impl Outcome {
    /// The outcome with this word; `None` for an unknown one.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|outcome| outcome.as_str() == word)
    }

    /// Outcomes that a person can choose, in the order in which they are shown.
    pub fn choices() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|outcome| outcome.truth() != Truth::Unjudged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_known_by_its_word() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::of(outcome.as_str()), Some(*outcome));
            let text = serde_json::to_string(outcome).unwrap();
            assert_eq!(text, format!("\"{}\"", outcome.as_str()));
        }
        assert_eq!(Outcome::of("from-the-future"), None);
        assert_eq!(Outcome::choices().count(), Outcome::ALL.len() - 1);
    }
}
