use super::*;
use crate::rules::loitering::Params;

fn square() -> RuleSettings {
    rule(Kind::Loitering(Params { seconds_min: 30.0, ..Params::default() }), middle())
}

#[test]
fn who_hangs_about_is_told_and_who_walks_through_is_not() {
    let strolls = |t: f32| vec![person(1, 0.5 + 0.15 * (t * 0.2).sin(), 0.5)];
    assert_eq!(opened(&square(), 60.0, strolls), [1, 1, 1]);
    assert_eq!(opened(&square(), 24.0, |t| vec![person(1, 0.05 + 0.04 * t, 0.5)]), [0, 0, 0]);
    let event = &Street::new(square()).play(0.0, 40.0, &[1.0], strolls)[0];
    assert_eq!(event.why, "person in \"Sân\" for 30 s (30 s needed)");
    assert_eq!(event.opened_at, stamp(30.0));
}

#[test]
fn a_short_absence_is_forgiven_and_does_not_count() {
    let away = |seconds: f32| {
        move |t: f32| {
            let is_away = (20.0..20.0 + seconds).contains(&t);
            vec![person(1, if is_away { 0.12 } else { 0.5 }, 0.5)]
        }
    };
    assert_eq!(opened(&square(), 45.0, away(8.0)), [1, 1, 1]);
    assert_eq!(opened(&square(), 45.0, away(13.0)), [0, 0, 0]);
    let opened_at = Street::new(square()).play(0.0, 45.0, &[0.5], away(8.0))[0].opened_at.monotonic;
    assert!(opened_at.since(stamp(0.0).monotonic).as_secs_f32() > 38.0, "{opened_at:?}");
}

#[test]
fn a_new_id_beside_the_lost_one_goes_on_with_its_time() {
    let counts = opened(&square(), 36.0, |t| {
        if (20.0..23.0).contains(&t) { vec![] } else { vec![person(if t < 20.0 { 1 } else { 2 }, 0.5, 0.5)] }
    });
    assert_eq!(counts, [1, 1, 1]);
    // The new one while the old one still lives on predictions.
    assert_eq!(
        opened(&square(), 40.0, |t| vec![person((t / 7.0) as u64, 0.5 + tremble(t, 1), 0.5)]),
        [1, 1, 1]
    );
    // Far from there it is another person; and so is a subject of another label.
    let elsewhere =
        |t: f32| vec![person(if t < 20.0 { 1 } else { 2 }, if t < 20.0 { 0.3 } else { 0.7 }, 0.5)];
    assert_eq!(opened(&square(), 40.0, elsewhere), [0, 0, 0]);
    assert_eq!(
        opened(&square(), 40.0, |t| vec![if t < 20.0 { person(1, 0.5, 0.5) } else { car(2, 0.5, 0.5) }]),
        [0, 0, 0]
    );
}

#[test]
fn who_rises_where_they_were_lost_had_crouched_there() {
    let crouches = |seconds: f32, rises: f32| {
        move |t: f32| {
            let hidden = (20.0..20.0 + seconds).contains(&t);
            let (id, x) = if t < 20.0 { (1, 0.5) } else { (2, rises) };
            (!hidden).then(|| person(id, x, 0.5)).into_iter().collect::<Vec<_>>()
        }
    };
    assert_eq!(opened(&square(), 40.0, crouches(8.0, 0.51)), [1, 1, 1]);
    assert_eq!(opened(&square(), 40.0, crouches(8.0, 0.54)), [0, 0, 0], "somebody else comes out beside it");
    assert_eq!(opened(&square(), 40.0, crouches(13.0, 0.5)), [0, 0, 0], "away for longer than is forgiven");
}

#[test]
fn passers_by_who_follow_each_other_are_not_one() {
    // Each is lost behind a tree at 0.5, where the next one comes out.
    let counts = opened(&square(), 120.0, |t| {
        let id = (t / 6.0) as u64;
        vec![person(id, 0.25 + 0.045 * (t - 6.0 * id as f32), 0.5)]
    });
    assert_eq!(counts, [0, 0, 0]);
}

#[test]
fn beside_parked_counts_only_beside_what_is_parked() {
    let kind = Kind::Loitering(Params { seconds_min: 30.0, beside_parked: true, ..Params::default() });
    let settings = rule(kind, middle());
    let at = |x: f32, rides: bool| {
        move |t: f32| {
            let bike_x = if rides { 0.3 + 0.002 * t + 0.02 * (t / 3.0).sin() } else { 0.3 + tremble(t, 9) };
            vec![bike(9, bike_x, 0.5), person(1, x + tremble(t, 1), 0.5)]
        }
    };
    assert_eq!(opened(&settings, 70.0, at(0.34, false)), [1, 1, 1]);
    assert_eq!(opened(&settings, 70.0, at(0.6, false)), [0, 0, 0], "far from it");
    assert_eq!(opened(&settings, 70.0, |t| vec![person(1, 0.34 + tremble(t, 1), 0.5)]), [0, 0, 0]);
    // Hidden by a person in front of it.
    let counts = opened(&settings, 70.0, |t| {
        let bikes = (t < 25.0).then(|| bike(9, 0.3, 0.5));
        bikes.into_iter().chain([person(1, 0.33, 0.5)]).collect()
    });
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn somebody_seen_in_a_parked_machine_from_the_first_is_a_part_of_it() {
    let settings = rule(Kind::Loitering(Params { seconds_min: 30.0, ..Params::default() }), middle());
    let within = |x: f32, t: f32| {
        let rect = Rect::new(x - 0.015 + tremble(t, 1), 0.39, 0.03, 0.11);
        Seen { id: 1, label: Label::Person, rect }
    };
    assert_eq!(
        opened(&settings, 90.0, |t| vec![bike(9, 0.5 + tremble(t, 9), 0.5), within(0.5, t)]),
        [0, 0, 0]
    );
    let counts = opened(&settings, 90.0, |t| {
        vec![bike(9, 0.5 + tremble(t, 9), 0.5), within((0.3 + 0.04 * t).min(0.5), t)]
    });
    assert_eq!(counts, [1, 1, 1]);
    assert_eq!(opened(&settings, 90.0, |t| vec![within(0.5, t)]), [1, 1, 1], "there is nothing parked");
}
