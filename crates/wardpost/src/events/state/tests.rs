//! Scenarios of an event's states, and a comparison with a naive model.

use proptest::prelude::*;

use super::*;
use crate::events::Authority;

const START: WallTime = WallTime::from_micros(1_777_673_643_000_000);

fn at(seconds: u64) -> WallTime {
    START + Duration::from_secs(seconds)
}

fn officer(name: &str) -> Officer {
    name.parse().unwrap()
}

fn person(name: &str) -> Who {
    Who::Person(officer(name), Authority::Officer)
}

fn commander() -> Who {
    Who::Person(officer("Chỉ huy"), Authority::Commander)
}

fn close(outcome: Outcome) -> Action {
    Action::Close { outcome, note: Note::default() }
}

fn taken_by(name: &str) -> State {
    State::Taken { by: officer(name), since: at(1) }
}

#[test]
fn the_second_officer_is_told_who_was_first() {
    let new = State::New { since: START };
    let taken = new.after(&Action::Take, &person("An"), at(1)).unwrap();
    assert_eq!(taken, taken_by("An"));
    let refused = taken.after(&Action::Take, &person("Bình"), at(2)).unwrap_err();
    let lost = Taken::from(Decided::Refused(refused));
    assert_eq!(lost, Taken::Lost { by: officer("An"), at: at(1) });
    assert_eq!(taken.after(&Action::Take, &person("An"), at(3)), Ok(taken), "the time stays");
}

#[test]
fn only_its_officer_and_a_commander_decide_about_a_taken_event() {
    let taken = taken_by("An");
    let hand_over = Action::HandOver { to: officer("Bình") };
    for action in [Action::Release, hand_over, close(Outcome::Rain), Action::Park { until: at(60) }] {
        let refused = taken.after(&action, &person("Bình"), at(2));
        assert_eq!(refused, Err(Refusal::TakenBy { by: officer("An"), at: at(1) }), "{action:?}");
        taken.after(&action, &person("An"), at(2)).unwrap();
        taken.after(&action, &commander(), at(2)).unwrap();
    }
    assert_eq!(taken.after(&Action::Return, &person("An"), at(2)), Err(Refusal::NotAllowed));
    assert_eq!(taken.after(&Action::Return, &Who::Post, at(2)), Ok(State::New { since: at(2) }));
}

#[test]
fn a_parking_has_an_end_within_twelve_hours() {
    let new = State::New { since: START };
    let park = |until| new.after(&Action::Park { until }, &person("An"), at(5));
    assert_eq!(park(at(5)), Err(Refusal::Until));
    assert_eq!(park(at(6) + PARK_MAX), Err(Refusal::Until));
    let parked = park(at(5) + PARK_MAX).unwrap();
    assert_eq!(parked.after(&Action::Unpark, &Who::Post, at(9)), Ok(State::New { since: at(9) }));
    let taken = parked.after(&Action::Take, &person("Bình"), at(9)).unwrap();
    assert_eq!(taken.by(), Some(&officer("Bình")));
    assert_eq!(new.after(&Action::Unpark, &Who::Post, at(9)), Err(Refusal::NotParked));
}

#[test]
fn the_post_judges_nothing_and_people_judge_everything() {
    let new = State::New { since: START };
    for outcome in Outcome::ALL {
        let is_for_people = *outcome != Outcome::Earlier;
        assert_eq!(new.after(&close(*outcome), &person("An"), at(1)).is_ok(), is_for_people, "{outcome:?}");
        assert_eq!(new.after(&close(*outcome), &Who::Post, at(1)).is_ok(), !is_for_people, "{outcome:?}");
    }
}

#[test]
fn an_action_reads_back_from_the_log() {
    let note = "mưa to".parse().unwrap();
    let action = Action::Close { outcome: Outcome::Rain, note };
    let text = serde_json::to_string(&action).unwrap();
    assert_eq!(text, r#"{"action":"close","outcome":"rain","note":"mưa to"}"#);
    assert_eq!(serde_json::from_str::<Action>(&text).unwrap(), action);
    for action in [Action::Take, Action::Park { until: at(7) }, Action::HandOver { to: officer("An") }] {
        let value = serde_json::to_value(&action).unwrap();
        assert_eq!(value["action"], action.as_str());
        assert_eq!(serde_json::from_value::<Action>(value).unwrap(), action);
    }
}

/// State as a person would write it down: the word, and the officer.
type Model = (&'static str, Option<Officer>);

/// The table of decisions, as rules on words.
fn model(before: &Model, action: &Action, who: &Who) -> Option<Model> {
    let (word, holder) = (before.0, before.1.clone());
    let is_person = who.officer().is_some();
    let is_anothers = word == "taken" && holder.as_ref().is_some_and(|holder| !who.may_decide_for(holder));
    match (action, word) {
        (_, "closed") => None,
        (Action::Take, "taken") => (who.officer() == holder.as_ref()).then(|| before.clone()),
        (Action::Take, _) if is_person => Some(("taken", who.officer().cloned())),
        (Action::Release, "taken") if !is_anothers => Some(("new", None)),
        (Action::HandOver { to }, "taken") if !is_anothers => Some(("taken", Some(to.clone()))),
        (Action::Return, "taken") if !is_person => Some(("new", None)),
        (Action::Unpark, "parked") => Some(("new", None)),
        (Action::Park { .. }, _) if is_person && !is_anothers => Some(("parked", who.officer().cloned())),
        (Action::Close { outcome, .. }, _)
            if is_person != (*outcome == Outcome::Earlier) && (!is_anothers || word != "taken") =>
        {
            Some(("closed", who.officer().cloned()))
        }
        _ => None,
    }
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Take),
        Just(Action::Release),
        Just(Action::Return),
        Just(Action::Unpark),
        prop_oneof![Just("An"), Just("Bình")].prop_map(|to| Action::HandOver { to: officer(to) }),
        Just(Action::Park { until: at(30_000) }),
        prop_oneof![Just(Outcome::Rain), Just(Outcome::Earlier)].prop_map(close),
    ]
}

fn any_who() -> impl Strategy<Value = Who> {
    prop_oneof![Just(Who::Post), Just(person("An")), Just(person("Bình")), Just(commander())]
}

proptest! {
    /// Any sequence of decisions leads where the naive model leads, and a refusal changes nothing.
    #[test]
    fn states_are_those_of_the_naive_model(steps in proptest::collection::vec((any_action(), any_who()), 1..40)) {
        let (mut state, mut known): (State, Model) = (State::New { since: START }, ("new", None));
        for (second, (action, who)) in (1u64..).zip(steps) {
            let expected = model(&known, &action, &who);
            match state.after(&action, &who, at(second)) {
                Ok(after) => {
                    let found: Model = (after.as_str(), after.by().cloned());
                    prop_assert_eq!(Some(&found), expected.as_ref(), "{:?} of {:?} in {:?}", action, who, state);
                    prop_assert!(after == state || after.since() == at(second));
                    (state, known) = (after, found);
                }
                Err(refusal) => {
                    prop_assert_eq!(None, expected, "{:?} of {:?} in {:?}: {:?}", action, who, state, refusal);
                }
            }
        }
    }
}
