use super::*;
use crate::rules::wrong_way::{Arrow, Params};

/// Traffic goes to the right.
fn lane() -> RuleSettings {
    rule(Kind::WrongWay(Params::new(Arrow::try_from([[0.2, 0.5], [0.8, 0.5]]).unwrap())), middle())
}

#[test]
fn against_the_direction_is_told_and_along_it_is_not() {
    // A bike is 0.16 picture heights long, 0.09 of its width.
    let ride = |speed: f32| move |t: f32| vec![bike(1, 0.5 + speed * (t - 4.0) + tremble(t, 1), 0.5)];
    assert_eq!(opened(&lane(), 8.0, ride(-0.08)), [1, 1, 1]);
    assert_eq!(opened(&lane(), 8.0, ride(0.08)), [0, 0, 0]);
    let event = &Street::new(lane()).play(0.0, 8.0, &[0.5], |t| vec![bike(1, 0.82 - 0.08 * t, 0.5)])[0];
    let why = "two-wheeler in \"Sân\" went 1.3 of its lengths in 1.5 s (1.2 in 1.0 s needed), 180 degrees off the \
               direction (120 needed)";
    assert_eq!(event.why, why);
}

#[test]
fn across_is_not_against_and_a_person_may_walk_as_they_like() {
    assert_eq!(opened(&lane(), 6.0, |t| vec![bike(1, 0.5 - 0.02 * t, 0.25 + 0.1 * t)]), [0, 0, 0]);
    assert_eq!(opened(&lane(), 12.0, |t| vec![person(1, 0.78 - 0.05 * t, 0.5)]), [0, 0, 0]);
}

#[test]
fn a_turn_within_a_small_place_and_trembling_are_no_way() {
    let counts = opened(&lane(), 30.0, |t| {
        let x = if t < 4.0 { 0.3 + 0.06 * t } else { 0.54 - 0.06 * (t - 4.0).min(1.6) };
        vec![bike(1, x, if t < 4.0 { 0.5 } else { 0.55 })]
    });
    assert_eq!(counts, [0, 0, 0]);
    assert_eq!(opened(&lane(), 60.0, |t| vec![bike(1, 0.5 + 4.0 * tremble(t, 1), 0.5)]), [0, 0, 0]);
}

#[test]
fn a_leap_of_an_identity_is_no_movement() {
    // Parked on the right; the id goes over to one parked on the left, and back, and so on.
    let counts = opened(&lane(), 60.0, |t| {
        vec![bike(1, if ((t / 5.0) as u64).is_multiple_of(2) { 0.7 } else { 0.3 } + tremble(t, 1), 0.5)]
    });
    assert_eq!(counts, [0, 0, 0]);
}

#[test]
fn an_identity_that_is_handed_to_the_one_behind_has_not_turned_round() {
    // Two cars slowly one behind the other, 1.6 lengths apart; the first one's id goes over to the second.
    let handed =
        |t: f32| vec![car(1, if t < 3.0 { 0.5 + 0.04 * t } else { 0.25 + 0.04 * t } + tremble(t, 1), 0.5)];
    assert_eq!(opened(&lane(), 9.0, handed), [0, 0, 0]);
    let turned =
        |t: f32| vec![car(1, if t < 3.0 { 0.5 + 0.04 * t } else { 0.74 - 0.04 * t } + tremble(t, 1), 0.5)];
    assert_eq!(opened(&lane(), 14.0, turned), [1, 1, 1], "who does is told");
}

#[test]
fn small_boxes_that_go_over_from_one_to_the_next_have_not_turned_round() {
    // 0.06 picture heights high; a few pixels back on each frame, 0.1 heights in all, while the row goes on.
    let small = |x: f32| Seen { id: 1, label: Label::TwoWheeler, rect: Rect::new(x, 0.5, 0.022, 0.06) };
    assert_eq!(opened(&lane(), 8.0, |t| vec![small(0.5 - 0.025 * t.min(2.2))]), [0, 0, 0]);
    assert_eq!(opened(&lane(), 8.0, |t| vec![small(0.7 - 0.03 * t)]), [1, 1, 1], "who goes further is told");
}

#[test]
fn one_that_is_lost_and_found_again_is_one_event() {
    let counts = opened(&lane(), 10.0, |t| vec![bike(if t < 3.0 { 1 } else { 2 }, 0.85 - 0.06 * t, 0.5)]);
    assert!(counts.iter().all(|count| *count <= 1));
    assert_eq!(
        opened(&lane(), 12.0, |t| vec![bike(if t < 6.0 { 1 } else { 2 }, 0.82 - 0.05 * t, 0.5)]),
        [1, 1, 1]
    );
}

#[test]
fn a_way_before_the_confirmation_is_told_with_it() {
    let mut street = Street::new(lane());
    for step in 0..8 {
        street.infer(step as f32 * 0.5, &[(1, 0.75 - 0.04 * step as f32)]);
        (street.tracks[0].confirmed, street.tracks[0].label) = (false, Label::TwoWheeler);
    }
    street.tracks[0].confirmed = true;
    assert_eq!(told(&street.infer(4.0, &[(1, 0.43)])), [(Phase::Opened, 1)]);
}

#[test]
fn a_direction_without_a_length_is_refused() {
    assert!(Arrow::try_from([[0.5, 0.5], [0.5, 0.5]]).is_err());
    assert!(Arrow::try_from([[0.5, f32::NAN], [0.5, 0.5]]).is_err());
}
