//! Events, their states and outcomes, in words for officers.

use super::Presentation;
use super::words::Word;
use crate::events::{Outcome, Refusal, State, Truth};
use crate::storage::Tab;

impl Presentation {
    /// The word for an outcome.
    pub fn outcome(&self, outcome: Outcome) -> &'static str {
        self.word(Word::Outcome(outcome))
    }

    /// The word for a judgement.
    pub fn truth(&self, truth: Truth) -> &'static str {
        self.word(Word::Truth(truth))
    }

    /// The word for a tab.
    pub fn tab(&self, tab: Tab) -> &'static str {
        self.word(Word::Tab(tab))
    }

    /// A state in words, with the officer and the time.
    pub fn state(&self, state: &State) -> String {
        match state {
            State::New { .. } => self.word(Word::StateNew).to_owned(),
            State::Taken { by, since } => {
                format!(
                    "{} {by}, {} {}",
                    self.word(Word::StateTaken),
                    self.word(Word::Since),
                    self.time(*since)
                )
            }
            State::Parked { by, until, .. } => {
                format!("{} {} ({by})", self.word(Word::StateParked), self.time(*until))
            }
            State::Closed { by, outcome, since, .. } => {
                let who = by.as_ref().map_or(self.word(Word::ThePost), |by| by.as_str());
                format!(
                    "{}: {} ({who}, {})",
                    self.word(Word::StateClosed),
                    self.outcome(*outcome),
                    self.time(*since)
                )
            }
        }
    }

    /// The reason for which a decision is not accepted, as a sentence.
    pub fn refusal(&self, refusal: &Refusal) -> String {
        match refusal {
            Refusal::TakenBy { by, at } => {
                format!("{by} {} {}.", self.word(Word::HasTakenIt), self.time(*at))
            }
            Refusal::Closed { by, at, outcome } => {
                let who = by.as_ref().map_or(self.word(Word::ThePost), |by| by.as_str());
                format!(
                    "{who} {} {}: {}.",
                    self.word(Word::HasClosedIt),
                    self.time(*at),
                    self.outcome(*outcome)
                )
            }
            Refusal::Unknown => self.word(Word::NoSuchEvent).to_owned(),
            Refusal::NotTaken => self.word(Word::NobodyHasIt).to_owned(),
            Refusal::NotParked => self.word(Word::NotParked).to_owned(),
            Refusal::Until => self.word(Word::ParkUntil).to_owned(),
            Refusal::NotAllowed => self.word(Word::NotAllowed).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::presentation::Language;
    use base::time::WallTime;

    fn in_language(language: Language) -> Presentation {
        Presentation { language, timezone: TimeZone::UTC, colours: false }
    }

    #[test]
    fn outcomes_and_tabs_have_words_of_their_own() {
        for language in [Language::Vietnamese, Language::English] {
            let presentation = in_language(language);
            let outcomes: BTreeSet<_> = Outcome::ALL.iter().map(|one| presentation.outcome(*one)).collect();
            assert_eq!(outcomes.len(), Outcome::ALL.len());
            let tabs: BTreeSet<_> = Tab::ALL.into_iter().map(|tab| presentation.tab(tab)).collect();
            assert_eq!(tabs.len(), Tab::ALL.len());
        }
    }

    #[test]
    fn states_and_refusals_name_the_officer_and_the_time() {
        let (by, at) = ("Nguyễn Văn An".parse::<crate::events::Officer>().unwrap(), WallTime::from_micros(0));
        let vietnamese = in_language(Language::Vietnamese);
        let taken = State::Taken { by: by.clone(), since: at };
        assert_eq!(vietnamese.state(&taken), "đã nhận: Nguyễn Văn An, từ 01/01/1970 00:00:00");
        let refused = Refusal::TakenBy { by: by.clone(), at };
        assert_eq!(
            vietnamese.refusal(&refused),
            "Nguyễn Văn An đã nhận sự việc này lúc 01/01/1970 00:00:00."
        );
        let english = in_language(Language::English);
        let closed = Refusal::Closed { by: Some(by), at, outcome: Outcome::Rain };
        assert_eq!(
            english.refusal(&closed),
            "Nguyễn Văn An closed this event at 1970-01-01 00:00:00: rain, fog or insects."
        );
    }
}
