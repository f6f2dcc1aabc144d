use super::*;
use crate::rules::left_behind::Params;

fn square() -> RuleSettings {
    rule(Kind::LeftBehind(Params { seconds_min: 40.0 }), middle())
}

/// A bike comes until second 5; its rider walks off from second 8 on.
fn is_left(t: f32) -> Vec<Seen> {
    let rider = (8.0..20.0).contains(&t).then(|| person(2, 0.5 + 0.04 * (t - 8.0), 0.55));
    [bike(1, 0.5 - 0.07 * (5.0 - t).max(0.0) + tremble(t, 1), 0.5)].into_iter().chain(rider).collect()
}

#[test]
fn what_came_and_stands_alone_is_told_once() {
    assert_eq!(opened(&square(), 120.0, is_left), [1, 1, 1]);
    assert_eq!(opened(&square(), 45.0, is_left), [0, 0, 0], "not for long enough");
    let why = &Street::new(square()).play(0.0, 60.0, &[0.5], is_left)[0].why;
    assert_eq!(why, "two-wheeler was left alone in \"Sân\" for 40 s (40 s needed)");
}

#[test]
fn with_its_rider_beside_it_it_is_not_left() {
    let waits = |t: f32| vec![is_left(t)[0], person(2, 0.55, 0.52)];
    assert_eq!(opened(&square(), 120.0, waits), [0, 0, 0]);
    // Passers-by do not make it less alone.
    let passed = |t: f32| {
        let passer = (t > 10.0).then(|| person(3 + (t / 12.0) as u64, (t % 12.0) * 0.08, 0.52));
        is_left(t).into_iter().chain(passer).collect()
    };
    assert_eq!(opened(&square(), 160.0, passed), [1, 1, 1]);
}

#[test]
fn what_stood_there_before_does_not_count() {
    let parked = |t: f32| vec![bike(1, 0.5 + tremble(t, 1), 0.5)];
    assert_eq!(opened(&square(), 200.0, parked), [0, 0, 0]);
    let new_ids = |t: f32| {
        if t % 20.0 > 16.0 { vec![] } else { vec![bike((t / 20.0) as u64, 0.5 + tremble(t, 1), 0.5)] }
    };
    assert_eq!(opened(&square(), 300.0, new_ids), [0, 0, 0], "hidden now and then");
    // A rider goes by closely: the id goes over to the parked one.
    let switched = |t: f32| vec![bike(1, if t < 3.0 { 0.1 + 0.03 * t } else { 0.6 + tremble(t, 1) }, 0.5)];
    assert_eq!(opened(&square(), 200.0, switched), [0, 0, 0]);
}

#[test]
fn lost_and_found_again_it_is_still_what_came_and_is_told_once() {
    let lost = |t: f32| {
        let id = if t < 25.0 {
            1
        } else if t < 70.0 {
            2
        } else {
            3
        };
        is_left(t)
            .into_iter()
            .filter(|seen| seen.id != 1 || !(22.0..26.0).contains(&t))
            .map(|seen| if seen.id == 1 { Seen { id: 10 + id, ..seen } } else { seen })
            .collect()
    };
    assert_eq!(opened(&square(), 200.0, lost), [1, 1, 1]);
}
