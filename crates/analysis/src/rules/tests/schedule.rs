use jiff::civil::{Weekday, time};

use super::*;

#[test]
fn the_schedule_is_in_local_time_and_goes_over_midnight() {
    let hours = |windows: Vec<Window>| {
        let schedule = Schedule { windows, ..Schedule::always(saigon()) };
        let hour = |hours_after_22: i32| {
            schedule.covers(WallTime::from_micros(EVENING_MICROS + i64::from(hours_after_22) * 3_600_000_000))
        };
        (-22..26).map(hour).collect::<Vec<bool>>()
    };
    let window = |days: &[Weekday], from, to| Window {
        days: days.iter().copied().map(Day::Weekday).collect(),
        from: time(from, 0, 0, 0),
        to: time(to, 0, 0, 0),
    };
    // 48 hours from Friday 0:00 on.
    let on = |from: usize, to: usize| move |hour: usize| (from..to).contains(&hour);
    let expect = |inside: &dyn Fn(usize) -> bool| (0..48).map(inside).collect::<Vec<bool>>();
    assert_eq!(hours(vec![]), expect(&on(0, 48)));
    assert_eq!(hours(vec![window(&[Weekday::Friday], 6, 22)]), expect(&on(6, 22)));
    assert_eq!(hours(vec![window(&[Weekday::Friday], 22, 5)]), expect(&on(22, 29)));
    assert_eq!(hours(vec![window(&[Weekday::Thursday], 22, 5)]), expect(&on(0, 5)));
    assert_eq!(hours(vec![window(&[Weekday::Friday], 0, 0)]), expect(&on(0, 24)));
    assert_eq!(hours(vec![window(&[], 23, 1)]), expect(&|h| h == 0 || h == 23 || h == 24 || h == 47));
}

#[test]
fn outside_of_its_schedule_a_rule_says_nothing_and_ends_what_is_open() {
    let mut settings = intrusion();
    settings.schedule.windows =
        vec![Window { days: vec![], from: time(22, 0, 10, 0), to: time(22, 0, 20, 0) }];
    let events = Street::new(settings).walk(0.0, 40.0, |_| vec![(1, 0.7)]);
    assert_eq!(told(&events), [(Phase::Opened, 1), (Phase::Closed, 1)]);
    assert_eq!(events[0].opened_at, stamp(10.0), "who is in already is told of at once");
    assert!(events[1].closed_at.unwrap().wall < stamp(20.0).wall);
}

#[test]
fn a_holiday_is_a_day_of_its_own() {
    // Friday the 1st is a holiday; hours count from Thursday 22:00.
    let covers = |days: &[Day], from: i8, to: i8| {
        let window = Window { days: days.to_vec(), from: time(from, 0, 0, 0), to: time(to, 0, 0, 0) };
        let holidays = [jiff::civil::date(2026, 5, 1)].into();
        let schedule = Schedule { holidays, windows: vec![window], ..Schedule::always(saigon()) };
        move |hours_after_thursday_22: i64| {
            schedule.covers(WallTime::from_micros(
                EVENING_MICROS + (hours_after_thursday_22 - 24) * 3_600_000_000,
            ))
        }
    };
    let friday = Day::Weekday(Weekday::Friday);
    let thursday = Day::Weekday(Weekday::Thursday);
    assert!(!covers(&[friday], 6, 22)(14), "a window of the week only");
    assert!(covers(&[Day::Holiday], 6, 22)(14));
    assert!(covers(&[], 6, 22)(14), "a window without days");
    assert!(!covers(&[Day::Holiday], 6, 22)(38), "the day after");
    // Over midnight it belongs to the day it starts on: Thursday's goes into the holiday, the holiday's out of it.
    let of_thursday = covers(&[thursday], 22, 5);
    assert!(of_thursday(0) && of_thursday(5) && !of_thursday(24));
    let of_the_holiday = covers(&[Day::Holiday], 22, 5);
    assert!(!of_the_holiday(5) && of_the_holiday(24) && of_the_holiday(29));
    assert!(!covers(&[friday], 22, 5)(29));
}

#[test]
fn night_goes_over_midnight_on_every_day() {
    let schedule = Schedule::always(saigon());
    let nights = [-5, -4, 0, 7, 8].map(|hours_after_22| {
        schedule.is_night(WallTime::from_micros(EVENING_MICROS + hours_after_22 * 3_600_000_000))
    });
    assert_eq!(nights, [false, true, true, true, false]);
}

#[test]
fn at_night_other_numbers_hold() {
    let mut settings = intrusion();
    settings.night = Some(Kind::Intrusion(crate::rules::intrusion::Params { seconds_min: 4.0 }));
    let opened_at = |settings: &RuleSettings| {
        Street::new(settings.clone()).walk(0.0, 9.0, |_| vec![(1, 0.7)])[0].opened_at
    };
    assert_eq!(opened_at(&settings), stamp(4.0), "it is 22:00");
    settings.schedule.night = Window { days: vec![], from: time(22, 0, 2, 0), to: time(5, 0, 0, 0) };
    assert_eq!(opened_at(&settings), stamp(1.0), "it is day for two seconds more");
    settings.schedule.night = Window { days: vec![], from: time(5, 0, 0, 0), to: time(22, 0, 2, 0) };
    settings.night = Some(Kind::Intrusion(crate::rules::intrusion::Params { seconds_min: 60.0 }));
    assert_eq!(opened_at(&settings), stamp(2.0), "who is in when night ends is known to the day's numbers");
}
