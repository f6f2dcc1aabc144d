use super::*;
use crate::rules::stopped_vehicle::Params;

fn kerb() -> RuleSettings {
    rule(Kind::StoppedVehicle(Params { seconds_min: 30.0, ..Params::default() }), middle())
}

/// Comes from the left until second 5, and stands.
fn stops(id: u64, x: f32) -> impl Fn(f32) -> Seen {
    move |t| car(id, x - 0.06 * (5.0 - t).max(0.0) + tremble(t, id), 0.6)
}

#[test]
fn a_car_that_stands_is_told_and_one_that_crawls_is_not() {
    assert_eq!(opened(&kerb(), 60.0, |t| vec![stops(1, 0.5)(t)]), [1, 1, 1]);
    assert_eq!(opened(&kerb(), 33.0, |t| vec![stops(1, 0.5)(t)]), [0, 0, 0], "not for long enough");
    assert_eq!(opened(&kerb(), 60.0, |t| vec![car(1, 0.25 + 0.008 * t, 0.6)]), [0, 0, 0]);
    assert_eq!(opened(&kerb(), 60.0, |t| vec![bike(1, 0.5 + tremble(t, 1), 0.6)]), [0, 0, 0], "no car");
    assert_eq!(opened(&kerb(), 60.0, |t| vec![car(1, 0.1 + tremble(t, 1), 0.6)]), [0, 0, 0], "outside");
}

#[test]
fn in_a_jam_it_waits() {
    let jam = |t: f32| {
        let others = (2..5).map(|id| car(id, 0.1 + 0.17 * id as f32 + tremble(t, id), 0.75));
        // From 60 s on they go.
        let others = others.map(|seen| Seen {
            rect: Rect { x: seen.rect.x + 0.05 * (t - 60.0).max(0.0), ..seen.rect },
            ..seen
        });
        let others = others.filter(|seen| seen.rect.x < 0.9);
        others.chain([stops(1, 0.5)(t)]).collect()
    };
    assert_eq!(opened(&kerb(), 60.0, jam), [0, 0, 0]);
    assert_eq!(opened(&kerb(), 150.0, jam), [1, 1, 1], "the others went on, it did not");
}

#[test]
fn a_box_that_moved_within_the_jam_has_no_time_of_its_own_when_it_dissolves() {
    let counts = opened(&kerb(), 90.0, |t| {
        let goes = |seen: Seen, at: f32| Seen {
            rect: Rect { x: seen.rect.x + 0.1 * (t - at).max(0.0), ..seen.rect },
            ..seen
        };
        let others = (2..5).map(|id| car(id, 0.1 + 0.17 * id as f32 + tremble(t, id), 0.75));
        let others = others.map(|seen| goes(seen, 60.0)).filter(|seen| seen.rect.x < 0.9);
        // The car in question was hidden in part, and begins to stand anew before the others go.
        let place = if t < 45.0 { 0.44 } else { 0.5 };
        let last = goes(car(1, place, 0.55), 72.0);
        others.chain([last]).filter(|seen| seen.rect.x < 0.9).collect()
    });
    assert_eq!(counts, [0, 0, 0]);
}

#[test]
fn what_was_parked_long_before_is_no_jam() {
    let mut settings = kerb();
    settings.place = zone(&[[0.2, 0.2], [0.8, 0.2], [0.8, 0.7], [0.2, 0.7]]);
    let counts = opened(&settings, 345.0, |t| {
        let row = (2..6).map(move |id| car(id, 0.1 + 0.15 * id as f32 + tremble(t, id), 0.8));
        let comes = (t > 300.0).then(|| stops(1, 0.5)(t - 300.0));
        row.chain(comes).collect()
    });
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn hidden_by_a_bus_and_found_under_a_new_id_it_stands_on() {
    let counts = opened(&kerb(), 36.0, |t| {
        if (20.0..28.0).contains(&t) { vec![] } else { vec![car(if t < 20.0 { 1 } else { 2 }, 0.5, 0.6)] }
    });
    assert_eq!(counts, [1, 1, 1]);
    let events = Street::new(kerb()).play(0.0, 200.0, &[0.5], |t| vec![car((t / 50.0) as u64, 0.5, 0.6)]);
    assert_eq!(told(&events).len(), 1, "one event, whatever its id");
}
