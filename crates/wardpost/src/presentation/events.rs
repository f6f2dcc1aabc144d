//! Outcomes and tabs of events, and steps of the log, in words for officers.

use serde_json::Value;

use super::words::{Word, action_words};
use super::{Presentation, printable};
use crate::events::{Outcome, Truth};
use crate::storage::{Decision, Tab};
use base::time::WallTime;

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

    /// The words for a step of the log; its own word where it is unknown.
    pub fn action(&self, action: &str) -> String {
        match action_words(action) {
            Some((vietnamese, english)) => self.language.choose(vietnamese, english).to_owned(),
            None => printable(action),
        }
    }

    /// A step of a person or of the post.
    pub fn decision_row(&self, one: &Decision) -> Vec<String> {
        let who = one.who.as_deref().map_or_else(|| self.word(Word::ThePost).to_owned(), printable);
        let event = one.event.map_or(String::new(), |event| format!("{} {event}: ", self.word(Word::Event)));
        let details = self.details(&one.detail);
        let details = if details.is_empty() { details } else { format!(" – {details}") };
        vec![self.time(one.at), who, format!("{event}{}{details}", self.action(&one.action))]
    }

    /// Details of a step that a person reads.
    fn details(&self, detail: &Value) -> String {
        let text = |key: &str| detail.get(key).and_then(Value::as_str);
        let outcome = text("outcome").and_then(Outcome::of).map(|outcome| self.outcome(outcome).to_owned());
        let until =
            detail.get("until").and_then(|until| serde_json::from_value::<WallTime>(until.clone()).ok());
        let until = until.map(|until| self.time(until));
        let texts = ["to", "box", "camera", "rule", "reason", "note", "fault"];
        let texts = texts.into_iter().filter_map(text).map(printable);
        outcome.into_iter().chain(until).chain(texts).collect::<Vec<_>>().join(" – ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::presentation::Language;

    #[test]
    fn a_step_is_told_with_its_details_and_steers_no_terminal() {
        let presentation =
            Presentation { language: Language::Vietnamese, timezone: TimeZone::UTC, colours: false };
        let step = |who: Option<&str>, action: &str, detail: &str| {
            let decision = Decision {
                number: 1,
                at: WallTime::from_micros(0),
                who: who.map(str::to_owned),
                event: Some(7),
                action: action.to_owned(),
                detail: serde_json::from_str(detail).unwrap(),
            };
            presentation.decision_row(&decision)[1..].join(": ")
        };
        let closed = r#"{"action":"close","outcome":"rain","note":"mưa\u001b[2J"}"#;
        let told = step(Some("An"), "close", closed);
        assert!(told.starts_with("An: sự kiện 7: đóng – mưa, sương mù hoặc côn trùng – mưa"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told}");
        let parked = step(Some("An"), "park", r#"{"until":"1970-01-01T02:00:00Z"}"#);
        assert_eq!(parked, "An: sự kiện 7: hoãn lại – 01/01/1970 02:00:00");
        assert_eq!(
            step(None, "return", "{}"),
            "hệ thống: sự kiện 7: tự trả lại hàng đợi vì không có thao tác"
        );
        assert_eq!(step(None, "of-the-future", "null"), "hệ thống: sự kiện 7: of-the-future");
    }

    #[test]
    fn outcomes_and_tabs_have_words_of_their_own() {
        for language in [Language::Vietnamese, Language::English] {
            let presentation = Presentation { language, timezone: TimeZone::UTC, colours: false };
            let outcomes: BTreeSet<_> = Outcome::ALL.iter().map(|one| presentation.outcome(*one)).collect();
            assert_eq!(outcomes.len(), Outcome::ALL.len());
            let tabs: BTreeSet<_> = Tab::ALL.into_iter().map(|tab| presentation.tab(tab)).collect();
            assert_eq!(tabs.len(), Tab::ALL.len());
        }
    }
}
