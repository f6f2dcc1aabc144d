//! Figures of made-up periods.

use super::*;
use crate::storage::testing::sender;

const START: WallTime = WallTime::from_micros(1_777_673_643_000_000);

fn at(seconds: u64) -> WallTime {
    START + Duration::from_secs(seconds)
}

fn period(from: u64, to: u64) -> Period {
    Period { from: at(from), to: at(to) }
}

fn event(camera: &str, seconds: u64) -> EventFacts {
    EventFacts {
        source: Source {
            sender: sender("box-1"),
            camera: camera.parse().unwrap(),
            rule: "night".parse().unwrap(),
        },
        names: (format!("Cổng {camera}"), "Đêm".to_owned()),
        severity: Severity::Warning,
        alerts: 2,
        first_at: at(seconds),
        is_test: false,
        is_shelved: false,
        taken_at: None,
        closed: None,
    }
}

fn taken(camera: &str, seconds: u64, after: u64, outcome: Outcome) -> EventFacts {
    let closed = Some((at(seconds + 2 * after), outcome));
    EventFacts { taken_at: Some(at(seconds + after)), closed, ..event(camera, seconds) }
}

fn figures(events: Vec<EventFacts>) -> Figures {
    let facts = Facts { events, ..Facts::default() };
    Figures::of(period(0, 7200), &facts, Targets::default(), at(7200))
}

#[test]
fn nothing_has_figures_too() {
    let found = figures(Vec::new());
    let load = Load { known: Duration::from_secs(7200), ..Load::default() };
    assert_eq!((found.load, found.to_take), (load, Times::default()));
    assert_eq!((found.within_target.ratio(), found.load.alerts_per_operator_hour()), (None, None));
    assert!(found.csv().starts_with("\u{feff}section,of,figure,value\r\n"));
}

#[test]
fn times_are_nearest_ranks() {
    // 10, 20 ... 100 seconds.
    let events = (1..=10).map(|n| taken("a", n * 60, n * 10, Outcome::DealtWith)).collect();
    let found = figures(events);
    let seconds = |times: Times| (times.count, times.median.unwrap().as_secs(), times.p90.unwrap().as_secs());
    assert_eq!(seconds(found.to_take), (10, 50, 90));
    assert_eq!(seconds(found.to_close), (10, 100, 180));
    // The target of a warning is 90 s.
    assert_eq!(found.within_target, Share { part: 9, whole: 10 });
}

#[test]
fn tests_count_nowhere_and_shelved_events_as_that() {
    let test = EventFacts { is_test: true, ..event("a", 10) };
    let shelved = EventFacts { is_shelved: true, ..event("b", 20) };
    let outside = event("c", 7200);
    let found = figures(vec![test, shelved, outside, event("d", 30)]);
    assert_eq!((found.load.events, found.load.alerts, found.load.shelved), (1, 2, 1));
    assert_eq!(found.severities, [0, 1, 0]);
    assert_eq!(found.worst.len(), 1);
}

#[test]
fn an_event_that_nobody_took_misses_its_target_once_that_has_passed() {
    let facts = Facts { events: vec![event("a", 0), event("b", 100)], ..Facts::default() };
    let of = |now| Figures::of(period(0, 7200), &facts, Targets::default(), at(now)).within_target;
    assert_eq!(of(91), Share { part: 0, whole: 1 });
    assert_eq!(of(191), Share { part: 0, whole: 2 });
    let history = EventFacts { closed: Some((at(1), Outcome::Earlier)), ..event("a", 0) };
    let found = figures(vec![history]);
    assert_eq!((found.within_target, found.to_close.count), (Share::default(), 0));
}

#[test]
fn load_is_counted_within_the_period() {
    let facts = Facts {
        events: (0..12).map(|n| event("a", 1000 + n * 50)).chain([event("b", 50)]).collect(),
        floods: vec![period(1500, 2000), period(7000, 9000)],
        shifts: vec![period(0, 3600), period(3600, 99_999)],
        away: Vec::new(),
    };
    let found = Figures::of(period(0, 7200), &facts, Targets::default(), at(99_999));
    assert_eq!(found.load.peak, Some((at(1000), 12)));
    assert_eq!((found.load.flood.as_secs(), found.load.operator_time.as_secs()), (700, 7200));
    assert_eq!(found.load.alerts_per_operator_hour(), Some(13.0));
    // What has not come yet is no part.
    let now = Figures::of(period(0, 7200), &facts, Targets::default(), at(1800));
    assert_eq!((now.load.flood.as_secs(), now.load.operator_time.as_secs()), (300, 1800));
}

#[test]
fn false_shares_are_those_of_the_judged() {
    use Outcome::{Animal, DealtWith, Earlier, Rain, Test};
    let events =
        [("a", Animal), ("a", Rain), ("a", DealtWith), ("a", Test), ("b", DealtWith), ("c", Earlier)];
    let events = events.iter().zip(0..).map(|((camera, outcome), n)| taken(camera, n, 1, *outcome));
    let found = figures(events.collect());
    assert_eq!(found.worst[0].false_share, Share { part: 2, whole: 3 });
    assert_eq!(found.false_sources.len(), 1);
    assert_eq!(found.outcomes[&DealtWith], 2);
    let csv = found.csv();
    assert!(csv.contains("worst,\"ben-nghe/box-1/a/night Cổng a, Đêm\",share,0.667\r\n"), "{csv}");
    assert!(csv.lines().all(|line| line.matches("\",").count() <= 1));
}

#[test]
fn tables_have_ten_rows_the_worst_first() {
    let mut events = Vec::new();
    for camera in 1..=15 {
        events.extend((0..camera).map(|n| event(&format!("c{camera}"), n * 70)));
    }
    let found = figures(events);
    let order: Vec<u64> = found.worst.iter().map(|source| source.events).collect();
    assert_eq!(order, (6..=15).rev().collect::<Vec<u64>>());
}

#[test]
fn absences_of_a_camera_add_up_within_the_period() {
    let absence = |camera: &str, from, to| AwayFacts {
        sender: sender("box-1"),
        camera: camera.parse().unwrap(),
        name: "Cổng".to_owned(),
        period: period(from, to),
    };
    let away =
        vec![absence("a", 0, 100), absence("a", 7000, 9999), absence("b", 0, 200), absence("c", 8000, 9000)];
    let facts = Facts { away, ..Facts::default() };
    let found = Figures::of(period(50, 7200), &facts, Targets::default(), at(99_999)).away;
    let found: Vec<(&str, u64, u64)> =
        found.iter().map(|one| (one.camera.as_str(), one.times, one.length.as_secs())).collect();
    assert_eq!(found, [("a", 2, 250), ("b", 1, 150)]);
}

#[test]
fn the_flood_is_a_share_of_the_time_that_has_come() {
    let facts = Facts { floods: vec![period(0, 900)], ..Facts::default() };
    let share = |now| Figures::of(period(0, 7200), &facts, Targets::default(), at(now)).load.flood_share();
    assert_eq!((share(7200), share(1800), share(0)), (Some(0.125), Some(0.5), None));
}

#[test]
fn shares_of_few_events_stand_behind_the_others() {
    use Outcome::{Animal, DealtWith};
    let judged = |camera: &str, wrong: u64, right: u64| {
        let of = move |outcome, count| (0..count).map(move |n| (n, outcome));
        let camera = camera.to_owned();
        of(Animal, wrong).chain(of(DealtWith, right)).map(move |(n, outcome)| taken(&camera, n, 1, outcome))
    };
    // One of one, two of five, six of eight, none of five.
    let events =
        judged("few", 1, 0).chain(judged("b", 2, 3)).chain(judged("c", 6, 2)).chain(judged("d", 0, 5));
    let found = figures(events.collect());
    let order: Vec<(&str, u64, u64, bool)> = found
        .false_cameras
        .iter()
        .map(|row| (row.of.rsplit_once('/').unwrap().1, row.share.part, row.share.whole, row.is_ranked()))
        .collect();
    assert_eq!(order, [("c", 6, 8, true), ("b", 2, 5, true), ("d", 0, 5, true), ("few", 1, 1, false)]);
    assert_eq!(found.false_rules.len(), 1, "all cameras have one rule");
    assert_eq!(
        (found.false_rules[0].share, found.false_share),
        (Share { part: 9, whole: 19 }, found.false_rules[0].share)
    );
    let csv = found.csv();
    assert!(csv.contains("false_camera,ben-nghe/box-1/c Cổng c,share,0.750\r\n"), "{csv}");
    assert!(csv.contains("false_rule,night Đêm,whole,19\r\n"), "{csv}");
}

#[test]
fn the_course_counts_by_hour_day_and_time_to_take() {
    // START is 2026-05-01 22:14:03 UTC, 05:14:03 of the next day in Vietnam.
    let timezone = jiff::tz::TimeZone::fixed(jiff::tz::offset(7));
    let critical = EventFacts { severity: Severity::Critical, ..taken("a", 10, 14, Outcome::DealtWith) };
    let next_day = taken("b", 19 * 3600, 300, Outcome::Rain);
    let test = EventFacts { is_test: true, ..event("a", 10) };
    let shelved = EventFacts { is_shelved: true, ..event("a", 10) };
    let events = vec![critical, taken("a", 20, 15, Outcome::Rain), event("c", 3600), test, shelved, next_day];
    let facts = Facts { events, ..Facts::default() };
    let course = Course::of(period(0, 2 * 86_400), &facts, &timezone, at(86_400));
    assert_eq!((course.hours[5], course.hours[6], course.hours[0]), ([0, 1, 1], [0, 1, 0], [0, 1, 0]));
    let days: Vec<(String, [u64; 3], Option<u64>)> = course
        .days
        .iter()
        .map(|day| (day.date.to_string(), day.severities, day.to_take.median.map(|median| median.as_secs())))
        .collect();
    assert_eq!(
        days,
        [("2026-05-02".to_owned(), [0, 2, 1], Some(14)), ("2026-05-03".to_owned(), [0, 1, 0], Some(300))],
        "the day after now has not come"
    );
    assert_eq!(course.to_take, [1, 1, 0, 0, 0, 0, 1]);
    let csv = course.csv();
    for row in [
        "hour,05,events,2\r\n",
        "day,2026-05-02,critical,1\r\n",
        "day,2026-05-03,to_take_median_seconds,300\r\n",
    ] {
        assert!(csv.contains(row), "{csv}");
    }
    assert!(csv.ends_with("to_take_below_seconds,,events,1\r\n"), "{csv}");
}
