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
    assert_eq!(opened(&square(), 120.0, |t| vec![is_left(t)[0], person(2, 0.55, 0.52)]), [0, 0, 0]);
    // Passers-by do not make it less alone.
    let counts = opened(&square(), 160.0, |t| {
        let passer = (t > 10.0).then(|| person(3 + (t / 12.0) as u64, (t % 12.0) * 0.08, 0.52));
        is_left(t).into_iter().chain(passer).collect()
    });
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn what_stood_there_before_does_not_count() {
    let parked = |t: f32| vec![bike(1, 0.5 + tremble(t, 1), 0.5)];
    assert_eq!(opened(&square(), 200.0, parked), [0, 0, 0]);
    let counts = opened(&square(), 300.0, |t| {
        if t % 20.0 > 16.0 { vec![] } else { vec![bike((t / 20.0) as u64, 0.5 + tremble(t, 1), 0.5)] }
    });
    assert_eq!(counts, [0, 0, 0], "hidden now and then");
    // A rider goes by closely: the id goes over to the parked one.
    let counts = opened(&square(), 200.0, |t| {
        vec![bike(1, if t < 3.0 { 0.1 + 0.03 * t } else { 0.6 + tremble(t, 1) }, 0.5)]
    });
    assert_eq!(counts, [0, 0, 0]);
}

#[test]
fn lost_and_found_again_it_is_still_what_came_and_is_told_once() {
    let counts = opened(&square(), 200.0, |t| {
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
    });
    assert_eq!(counts, [1, 1, 1]);
}

/// A person comes until second 5, bends until second 7, and walks off.
fn carrier(t: f32) -> Vec<Seen> {
    let x = 0.5 - 0.07 * (5.0 - t).max(0.0) + 0.05 * (t - 7.0).max(0.0);
    if x < 1.0 { vec![person(1, x + tremble(t, 1), 0.5)] } else { vec![] }
}

/// A carton, put down in second 6, seen to stand from second 8.5 on.
fn carton(t: f32) -> Option<StaticObject> {
    let rect = Rect::new(0.49, 0.45, 0.03, 0.05);
    (t >= 8.5).then_some(StaticObject { rect, score: 0.8, still_seconds: t - 6.0 })
}

/// Number of events at each rate within `to` seconds.
fn abandoned_objects(
    to: f32,
    seen: impl Fn(f32) -> Vec<Seen>,
    object: impl Fn(f32) -> Option<StaticObject>,
) -> [usize; 3] {
    RATES.map(|gaps| {
        let (mut street, mut now, mut gaps) = (Street::new(square()), 0.0, gaps.iter().cycle());
        let mut count = 0;
        while now < to {
            street.static_objects = object(now).into_iter().collect();
            let events = street.see(now, &seen(now));
            count += events.iter().filter(|event| event.phase == Phase::Opened).count();
            now += gaps.next().unwrap();
        }
        count
    })
}

#[test]
fn what_somebody_puts_down_is_told_once() {
    assert_eq!(abandoned_objects(200.0, carrier, carton), [1, 1, 1]);
    assert_eq!(abandoned_objects(45.0, carrier, carton), [0, 0, 0], "not for long enough");
    let mut street = Street::new(square());
    let mut events = Vec::new();
    for i in 0..120 {
        let now = 0.5 * i as f32;
        street.static_objects = carton(now).into_iter().collect();
        events.extend(street.see(now, &carrier(now)));
    }
    assert_eq!(events[0].why, "something was put down and left alone in \"Sân\" for 40 s (40 s needed)");
    let subject = &events[0].subjects[0];
    assert!(subject.label == Label::Moving && subject.rect.iou(&carton(9.0).unwrap().rect) > 0.99);
    let mut asked = Street::new(RuleSettings { labels: [Label::TwoWheeler].into(), ..square() });
    for i in 0..120 {
        let now = 0.5 * i as f32;
        asked.static_objects = carton(now).into_iter().collect();
        assert_eq!(asked.see(now, &carrier(now)), [], "not asked for");
    }
}

/// The carrier, who comes back at 38 s.
fn returning_carrier(t: f32) -> Vec<Seen> {
    let owner = (t > 38.0).then(|| person(3, 0.2 + 0.1 * (t - 38.0).min(3.2), 0.5));
    carrier(t).into_iter().chain(owner).collect()
}

/// The carrier, and a person whom the network sees in the carton's place from 15 s on.
fn carrier_and_person_in_its_place(t: f32) -> Vec<Seen> {
    let person = (t > 15.0).then(|| person(7, 0.505 + 0.2 * tremble(t, 7), 0.5));
    carrier(t).into_iter().chain(person).collect()
}

/// The carrier, and a car that stands in the carton's place and leaves at 6 s.
fn carrier_and_car_that_leaves(t: f32) -> Vec<Seen> {
    [carrier(t), vec![car(5, 0.5 + 0.1 * (t - 6.0).max(0.0), 0.5)]].concat()
}

#[test]
fn what_is_taken_up_again_or_has_company_is_not_left() {
    assert_eq!(abandoned_objects(200.0, carrier, |t| carton(t).filter(|_| t < 30.0)), [0, 0, 0]);
    assert_eq!(
        abandoned_objects(72.0, carrier, |t| carton(t).filter(|_| !(30.0..=36.0).contains(&t))),
        [0, 0, 0],
        "put down anew, its time begins anew"
    );
    assert_eq!(
        abandoned_objects(200.0, |t| [carrier(t), vec![person(2, 0.53, 0.52)]].concat(), carton),
        [0, 0, 0],
        "somebody stays with it"
    );
    assert_eq!(abandoned_objects(200.0, returning_carrier, carton), [0, 0, 0], "he has come back");
}

#[test]
fn passers_by_do_not_make_it_less_alone_also_where_they_hide_it() {
    let passes = |t: f32| (t - 12.0).rem_euclid(6.0);
    let passed = |t: f32| {
        let passer = (t > 12.0).then(|| person(10 + (t / 6.0) as u64, 0.15 + 0.15 * passes(t), 0.52));
        carrier(t).into_iter().chain(passer).collect()
    };
    assert_eq!(abandoned_objects(80.0, passed, carton), [1, 1, 1]);
    let counts = abandoned_objects(80.0, passed, |t| {
        carton(t).filter(|_| t < 12.0 || !(2.1..2.6).contains(&passes(t)))
    });
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn a_thing_that_a_network_takes_for_a_person_is_no_company() {
    assert_eq!(abandoned_objects(80.0, carrier_and_person_in_its_place, carton), [1, 1, 1]);
}

#[test]
fn what_nobody_left_is_nothing() {
    assert_eq!(abandoned_objects(200.0, |_| vec![], carton), [0, 0, 0], "a shadow");
    let far = |t: f32| vec![person(1, 0.2 + 0.005 * t, 0.9)];
    assert_eq!(abandoned_objects(100.0, far, carton), [0, 0, 0], "somebody far from it");
    assert_eq!(
        abandoned_objects(200.0, |t| if t > 20.0 { carrier(t - 15.0) } else { vec![] }, carton),
        [0, 0, 0],
        "somebody who came later"
    );
    // A person who sits down and is lost has not left.
    assert_eq!(abandoned_objects(200.0, |t| if t < 7.0 { carrier(t) } else { vec![] }, carton), [0, 0, 0]);
    // A car that had stood there leaves; the ground under it stands out.
    assert_eq!(abandoned_objects(200.0, carrier_and_car_that_leaves, carton), [0, 0, 0], "a ghost");
}
