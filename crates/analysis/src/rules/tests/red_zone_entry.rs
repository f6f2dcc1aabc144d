use super::*;
use crate::rules::red_zone_entry::Params;

fn red_zone() -> RuleSettings {
    rule(Kind::RedZoneEntry(Params::default()), middle())
}

#[test]
fn who_crosses_the_edge_by_a_clear_margin_is_told_once() {
    // Walks in from the left, edge at 0.2, and stays.
    let walk = |t: f32| vec![person(1, (0.1 + 0.03 * t).min(0.5) + tremble(t, 1), 0.5)];
    assert_eq!(opened(&red_zone(), 60.0, walk), [1, 1, 1]);
    let event = &Street::new(red_zone()).play(0.0, 10.0, &[0.2], walk)[0];
    assert_eq!(event.why, "person came into the zone: it was outside, and is now in \"Sân\"");
}

#[test]
fn who_only_touches_the_edge_is_not() {
    assert_eq!(
        opened(&red_zone(), 10.0, |t| vec![person(1, 0.2 - (0.1 - 0.02 * t).abs() + tremble(t, 1), 0.5)]),
        [0, 0, 0]
    );
}

#[test]
fn who_comes_into_view_inside_counts_after_a_while_if_it_moves() {
    assert_eq!(opened(&red_zone(), 8.0, |t| vec![person(1, 0.4 + 0.03 * t, 0.5)]), [1, 1, 1]);
    // A parked car is found anew, under ever new ids.
    assert_eq!(
        opened(&red_zone(), 60.0, |t| vec![car((t / 10.0) as u64, 0.5 + tremble(t, 1), 0.5)]),
        [0, 0, 0]
    );
}

#[test]
fn an_identity_that_goes_over_to_somebody_inside_has_not_come_in() {
    assert_eq!(
        opened(&red_zone(), 20.0, |t| vec![car(1, if t < 3.0 { 0.1 } else { 0.7 } + tremble(t, 1), 0.5)]),
        [0, 0, 0]
    );
}

#[test]
fn who_came_in_before_the_schedule_is_not_told_when_it_begins() {
    let mut settings = red_zone();
    let (from, to) = (jiff::civil::time(22, 0, 20, 0), jiff::civil::time(22, 1, 0, 0));
    settings.schedule.windows = vec![Window { days: vec![], from, to }];
    let walk = |start: f32| move |t: f32| vec![person(1, (0.1 + 0.03 * (t - start).max(0.0)).min(0.5), 0.5)];
    assert_eq!(opened(&settings, 50.0, walk(0.0)), [0, 0, 0]);
    assert_eq!(opened(&settings, 50.0, walk(22.0)), [1, 1, 1]);
}
