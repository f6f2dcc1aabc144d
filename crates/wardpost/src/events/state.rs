//! State of an event, as the decisions about it make it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outcome::{Outcome, Truth};
use super::people::{Note, Officer, Who};
use base::time::WallTime;

/// Longest time for which an event is parked.
pub const PARK_MAX: Duration = Duration::from_secs(12 * 3600);

/// State of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody has it.
    New {
        /// Time since which it waits.
        since: WallTime,
    },
    /// An officer has it.
    Taken {
        /// The officer.
        by: Officer,
        /// Time at which the officer took it, or was handed it.
        since: WallTime,
    },
    /// It comes back later.
    Parked {
        /// The officer who parked it.
        by: Officer,
        /// Time of that.
        since: WallTime,
        /// Time at which it comes back.
        until: WallTime,
    },
    /// It is dealt with.
    Closed {
        /// The officer; `None` for the post itself.
        by: Option<Officer>,
        /// Time of that.
        since: WallTime,
        /// The outcome.
        outcome: Outcome,
        /// The officer's note.
        note: Note,
    },
}

/// Decision about an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Takes it over.
    Take,
    /// Gives it back to all.
    Release,
    /// Gives it to a colleague.
    HandOver {
        /// The colleague.
        to: Officer,
    },
    /// Gives it back to all, since its officer does nothing. Only the post decides this.
    Return,
    /// Puts it off.
    Park {
        /// Time at which it comes back.
        until: WallTime,
    },
    /// Ends a parking.
    Unpark,
    /// Closes it.
    Close {
        /// The outcome.
        outcome: Outcome,
        /// The officer's note.
        #[serde(default, skip_serializing_if = "Note::is_empty")]
        note: Note,
    },
}

impl Action {
    /// The word for it in the log.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Release => "release",
            Self::HandOver { .. } => "hand-over",
            Self::Return => "return",
            Self::Park { .. } => "park",
            Self::Unpark => "unpark",
            Self::Close { .. } => "close",
        }
    }
}

/// Reason for which a decision is not accepted. The state stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such event.
    Unknown,
    /// Another officer has it.
    TakenBy {
        /// That officer.
        by: Officer,
        /// Time since which.
        at: WallTime,
    },
    /// It is closed.
    Closed {
        /// The officer who closed it; `None` for the post itself.
        by: Option<Officer>,
        /// Time of that.
        at: WallTime,
        /// The outcome.
        outcome: Outcome,
    },
    /// Nobody has it.
    NotTaken,
    /// It is not parked.
    NotParked,
    /// The end of the parking has passed, or is more than [`PARK_MAX`] away.
    Until,
    /// This author may not decide this.
    NotAllowed,
}

/// Result of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It is stored; the new state.
    Done(State),
    /// It is not accepted.
    Refused(Refusal),
}

/// Result of taking an event over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The officer has it.
    Won,
    /// Another officer has it.
    Lost {
        /// That officer.
        by: Officer,
        /// Time since which.
        at: WallTime,
    },
    /// It cannot be taken.
    Refused(Refusal),
}

impl From<Decided> for Taken {
    fn from(decided: Decided) -> Self {
        match decided {
            Decided::Done(_) => Self::Won,
            Decided::Refused(Refusal::TakenBy { by, at }) => Self::Lost { by, at },
            Decided::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl State {
    /// The word for it in the database and in files.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::New { .. } => "new",
            Self::Taken { .. } => "taken",
            Self::Parked { .. } => "parked",
            Self::Closed { .. } => "closed",
        }
    }

    /// Time since which it is in this state.
    pub const fn since(&self) -> WallTime {
        match self {
            Self::New { since }
            | Self::Taken { since, .. }
            | Self::Parked { since, .. }
            | Self::Closed { since, .. } => *since,
        }
    }

    /// The officer who has it, parked it or closed it.
    pub const fn by(&self) -> Option<&Officer> {
        match self {
            Self::New { .. } => None,
            Self::Taken { by, .. } | Self::Parked { by, .. } => Some(by),
            Self::Closed { by, .. } => by.as_ref(),
        }
    }

    /// State after a decision.
    ///
    /// # Errors
    /// The decision is not accepted in this state, or not from this author.
    pub fn after(&self, action: &Action, who: &Who, at: WallTime) -> Result<Self, Refusal> {
        if let Self::Closed { by, since, outcome, .. } = self {
            return Err(Refusal::Closed { by: by.clone(), at: *since, outcome: *outcome });
        }
        match action {
            Action::Return => self.returned(who, at),
            Action::Unpark => match self {
                Self::Parked { .. } => Ok(Self::New { since: at }),
                _ => Err(Refusal::NotParked),
            },
            Action::Take => self.taken(who, at),
            Action::Release => {
                self.held(who)?;
                Ok(Self::New { since: at })
            }
            Action::HandOver { to } => {
                self.held(who)?;
                Ok(Self::Taken { by: to.clone(), since: at })
            }
            Action::Park { until } => self.parked(who, at, *until),
            Action::Close { outcome, note } => self.closed(who, at, *outcome, note),
        }
    }

    fn returned(&self, who: &Who, at: WallTime) -> Result<Self, Refusal> {
        match (self, who) {
            (Self::Taken { .. }, Who::Post) => Ok(Self::New { since: at }),
            (Self::Taken { .. }, Who::Person(..)) => Err(Refusal::NotAllowed),
            _ => Err(Refusal::NotTaken),
        }
    }

    fn taken(&self, who: &Who, at: WallTime) -> Result<Self, Refusal> {
        let officer = who.officer().ok_or(Refusal::NotAllowed)?;
        match self {
            Self::Taken { by, .. } if by == officer => Ok(self.clone()),
            Self::Taken { by, since } => Err(Refusal::TakenBy { by: by.clone(), at: *since }),
            _ => Ok(Self::Taken { by: officer.clone(), since: at }),
        }
    }

    /// Checks that the event is taken, and that this author may decide about it.
    fn held(&self, who: &Who) -> Result<(), Refusal> {
        match self {
            Self::Taken { .. } => self.not_held_by_another(who),
            _ => Err(Refusal::NotTaken),
        }
    }

    fn not_held_by_another(&self, who: &Who) -> Result<(), Refusal> {
        match self {
            Self::Taken { by, since } if !who.may_decide_for(by) => {
                Err(Refusal::TakenBy { by: by.clone(), at: *since })
            }
            _ => Ok(()),
        }
    }

    fn parked(&self, who: &Who, at: WallTime, until: WallTime) -> Result<Self, Refusal> {
        let officer = who.officer().ok_or(Refusal::NotAllowed)?;
        self.not_held_by_another(who)?;
        if until <= at || until > at + PARK_MAX {
            return Err(Refusal::Until);
        }
        Ok(Self::Parked { by: officer.clone(), since: at, until })
    }

    fn closed(&self, who: &Who, at: WallTime, outcome: Outcome, note: &Note) -> Result<Self, Refusal> {
        // The post closes only events that nobody has judged. People judge.
        if who.officer().is_none() != (outcome.truth() == Truth::Unjudged) {
            return Err(Refusal::NotAllowed);
        }
        self.not_held_by_another(who)?;
        Ok(Self::Closed { by: who.officer().cloned(), since: at, outcome, note: note.clone() })
    }
}

#[cfg(test)]
mod tests;
