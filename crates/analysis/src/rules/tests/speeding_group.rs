use super::*;
use crate::rules::speeding_group::Params;
use base::ground::Ground;

/// The picture's width is 60 metres of road, seen from the side.
fn road() -> RuleSettings {
    let corners = [[0.0, 0.2], [1.0, 0.2], [1.0, 1.0], [0.0, 1.0]].map(Point::from);
    let ground = Ground::new(corners, [[0.0, 0.0], [60.0, 0.0], [60.0, 20.0], [0.0, 20.0]]).unwrap();
    let place = zone(&[[0.0, 0.2], [1.0, 0.2], [1.0, 1.0], [0.0, 1.0]]);
    RuleSettings { ground: Some(ground), ..rule(Kind::SpeedingGroup(Params::default()), place) }
}

/// Rides through the picture from `start` on.
fn rides(id: u64, start: f32, kmh: f32) -> impl Fn(f32) -> Option<Seen> {
    move |t| {
        let x = kmh / 3.6 / 60.0 * (t - start) + tremble(t, id) / 4.0;
        (t >= start && (0.0..1.0).contains(&x)).then(|| bike(id, x, 0.5 + 0.05 * id as f32))
    }
}

fn group(kmh: f32, apart: f32) -> impl Fn(f32) -> Vec<Seen> {
    move |t| (1..4).filter_map(|id| rides(id, 1.0 + apart * id as f32, kmh)(t)).collect()
}

#[test]
fn three_who_race_together_are_one_event_with_all_of_them() {
    for gaps in [&[0.2][..], &[0.35, 0.2, 0.5]] {
        let events = Street::new(road()).play(0.0, 30.0, gaps, group(75.0, 0.7));
        assert_eq!(told(&events)[0], (Phase::Opened, 3), "{events:?}");
        assert_eq!(events.iter().filter(|event| event.phase == Phase::Opened).count(), 1);
        assert!(events[0].why.starts_with("3 two-wheelers at about "), "{}", events[0].why);
        assert!(events[0].why.ends_with("measured on the picture: a hint, not proof"));
    }
}

#[test]
fn who_is_called_a_person_and_is_so_fast_rides() {
    let people = |t: f32| {
        group(75.0, 0.7)(t).into_iter().map(|seen| Seen { label: Label::Person, ..seen }).collect::<Vec<_>>()
    };
    assert_eq!(told(&Street::new(road()).play(0.0, 30.0, &[0.2], people))[0], (Phase::Opened, 3));
    let bikes = RuleSettings { labels: [Label::TwoWheeler].into(), ..road() };
    assert_eq!(opened(&bikes, 30.0, people), [0, 0, 0], "unless the rule names others");
}

#[test]
fn slow_ones_few_ones_and_far_between_ones_are_none() {
    assert_eq!(opened(&road(), 30.0, group(55.0, 0.7)), [0, 0, 0]);
    assert_eq!(opened(&road(), 40.0, group(75.0, 6.0)), [0, 0, 0]);
    assert_eq!(
        opened(&road(), 30.0, |t| (1..3).filter_map(|id| rides(id, id as f32, 75.0)(t)).collect()),
        [0, 0, 0]
    );
    let counts = opened(&road(), 30.0, |t| {
        let back = rides(3, 1.0, 75.0)(t).map(|seen| bike(3, 1.0 - seen.rect.foot().x, 0.6));
        (1..3).filter_map(|id| rides(id, id as f32 * 0.5, 75.0)(t)).chain(back).collect()
    });
    assert_eq!(counts, [0, 0, 0]);
    let cars =
        |t: f32| group(75.0, 0.7)(t).into_iter().map(|seen| Seen { label: Label::Car, ..seen }).collect();
    assert_eq!(opened(&road(), 30.0, cars), [0, 0, 0]);
}

#[test]
fn one_whose_id_changes_is_not_two() {
    for gaps in [&[0.2][..], &[0.3, 0.2]] {
        let events = Street::new(road()).play(0.0, 20.0, gaps, |t| {
            let all = (1..3).filter_map(|id| rides(id, 0.5 * id as f32, 75.0)(t));
            all.map(|seen| if seen.rect.x > 0.5 { Seen { id: seen.id + 10, ..seen } } else { seen }).collect()
        });
        assert_eq!(events, []);
    }
}
