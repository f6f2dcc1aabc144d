use super::*;
use crate::rules::crowd::Params;
use base::ground::Ground;

fn square(count_min: u32) -> RuleSettings {
    rule(Kind::Crowd(Params { count_min, ..Params::default() }), middle())
}

fn people(count: u64) -> Vec<Seen> {
    (0..count).map(|id| person(id, 0.3 + 0.04 * id as f32, 0.5)).collect()
}

#[test]
fn a_crowd_is_one_event_that_names_everybody_at_once() {
    assert_eq!(opened(&square(8), 30.0, |_| people(9)), [1, 1, 1]);
    let events = Street::new(square(8)).play(0.0, 40.0, &[0.5], |t| people(if t < 20.0 { 9 } else { 11 }));
    assert_eq!(told(&events), [(Phase::Opened, 9)]);
    assert_eq!((events[0].subjects.len(), events[0].count), (9, 9));
    assert_eq!(events[0].why, "9 persons in \"Sân\" for 10 s (8 for 10 s needed)");
}

#[test]
fn too_few_too_short_or_elsewhere_is_no_crowd() {
    assert_eq!(opened(&square(8), 30.0, |_| people(7)), [0, 0, 0]);
    assert_eq!(opened(&square(8), 30.0, |t| people(if (5.0..12.0).contains(&t) { 9 } else { 4 })), [0, 0, 0]);
    let counts = opened(&square(8), 30.0, |t| {
        let inside = (0..5).map(|id| person(id, 0.3 + 0.04 * id as f32, 0.5));
        inside.chain((5..9).map(|id| person(id, 0.02 * id as f32 + tremble(t, id), 0.5))).collect()
    });
    assert_eq!(counts, [0, 0, 0]);
    let counts =
        opened(&square(8), 30.0, |_| (0..9).map(|id| bike(id, 0.3 + 0.05 * id as f32, 0.5)).collect());
    assert_eq!(counts, [0, 0, 0], "persons, if nothing is said");
}

#[test]
fn a_peak_among_a_few_is_no_crowd() {
    // Six all the time, eight for two seconds of every ten.
    assert_eq!(opened(&square(8), 90.0, |t| people(if t % 10.0 < 2.0 { 8 } else { 6 })), [0, 0, 0]);
}

#[test]
fn missed_detections_and_new_ids_do_not_end_it() {
    // Each is missed in about every third frame; one changes its id.
    let flickering = |t: f32| {
        let frame = (t * 5.0).round() as u64;
        people(9)
            .into_iter()
            .filter(|seen| !(frame + seen.id).is_multiple_of(3))
            .map(|seen| match seen.id {
                3 if t > 15.0 => Seen { id: 30, ..seen },
                _ => seen,
            })
            .collect()
    };
    assert_eq!(opened(&square(8), 40.0, flickering), [1, 1, 1]);
    let events =
        Street::new(square(8)).play(0.0, 60.0, &[0.2], |t| if t < 40.0 { flickering(t) } else { vec![] });
    assert_eq!(told(&events), [(Phase::Opened, 9), (Phase::Closed, 9)], "a new id is nobody new");
}

#[test]
fn density_counts_where_it_is_asked_for() {
    let corners = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]].map(Point::from);
    // The zone is 10 by 20 metres.
    let ground = Ground::new(corners, [[0.0, 0.0], [10.0, 0.0], [10.0, 20.0], [0.0, 20.0]]).unwrap();
    let dense = |least: f32| {
        let kind = Kind::Crowd(Params { per_100_square_metres_min: Some(least), ..Params::default() });
        RuleSettings { ground: Some(ground), ..rule(kind, middle()) }
    };
    assert_eq!(opened(&dense(4.5), 30.0, |_| people(9)), [1, 1, 1]);
    assert_eq!(opened(&dense(5.0), 30.0, |_| people(9)), [0, 0, 0]);
    let why = &Street::new(dense(4.5)).play(0.0, 30.0, &[1.0], |_| people(9))[0].why;
    assert!(why.ends_with(", 4.5 on 100 square metres (4.5 needed)"), "{why}");
}
