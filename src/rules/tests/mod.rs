use std::time::Duration;

use jiff::civil::{Weekday, time};
use jiff::tz::TimeZone;

use super::*;
use crate::domain::detection::Label;
use crate::domain::event::{Event, Phase, Severity};
use crate::domain::geometry::{Point, Polygon, Rect};
use crate::domain::ids::{Epoch, TrackId};
use crate::domain::time::{ClockState, Monotonic, Stamp, WallTime};
use crate::domain::track::{PathPoint, Track};
use crate::domain::zone::{Tripwire, Zone};

/// 2026-05-01 (a Friday), 22:00 in Ho Chi Minh City.
const EVENING_MICROS: i64 = 1_777_647_600_000_000;

fn stamp(seconds: f32) -> Stamp {
    let span = Duration::from_secs_f32(seconds);
    Stamp {
        wall: WallTime::from_micros(EVENING_MICROS) + span,
        monotonic: Monotonic::from_nanos(1_000_000_000) + span,
        clock: ClockState::Synced,
    }
}

fn saigon() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(7))
}

fn rule(kind: Kind, place: Place) -> RuleSettings {
    RuleSettings {
        id: "r".parse().unwrap(),
        name: "Luật".into(),
        camera: "gate".parse().unwrap(),
        labels: Default::default(),
        severity: Severity::Warning,
        schedule: Schedule::always(saigon()),
        cool_down: Duration::from_secs(10),
        place,
        ground: None,
        kind,
        night: None,
    }
}

/// The right half of the picture.
fn intrusion() -> RuleSettings {
    let corners = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]];
    let polygon = Polygon::new(corners.map(Point::from).to_vec()).unwrap();
    let zone = Zone { id: "yard".parse().unwrap(), name: "Sân".into(), polygon };
    rule(Kind::Intrusion(intrusion::Params { seconds_min: 1.0 }), Place::Zone(zone))
}

/// An upright line in the middle, drawn upwards: left of it is the picture's left.
fn tripwire(direction: tripwire::Direction) -> RuleSettings {
    let (from, to) = (Point::new(0.5, 0.9), Point::new(0.5, 0.1));
    let line = Tripwire { id: "line".parse().unwrap(), name: "Vạch".into(), from, to };
    rule(Kind::Tripwire(tripwire::Params { direction }), Place::Tripwire(line))
}

/// Hand-made tracks, and the rules that look at them.
struct Street {
    rules: RuleSet,
    epoch: Epoch,
    tracks: Vec<Track>,
}

impl Street {
    fn new(settings: RuleSettings) -> Self {
        let rules = RuleSet::new("gate".parse().unwrap(), vec![settings]);
        Self { rules, epoch: Epoch(1), tracks: Vec::new() }
    }

    /// At `seconds`, everyone named is seen with its foot at (x, 0.5); who is not named is not seen.
    fn look(&mut self, seconds: f32, feet: &[(u64, f32)]) -> Vec<Event> {
        let at = stamp(seconds);
        for (id, x) in feet {
            let index = self.tracks.iter().position(|t| t.id == TrackId(*id)).unwrap_or_else(|| {
                self.tracks.push(track(*id, at.monotonic));
                self.tracks.len() - 1
            });
            let track = &mut self.tracks[index];
            track.last_seen = at.monotonic;
            track.rect = Rect::new(x - 0.02, 0.4, 0.04, 0.1);
            track.path.push(PathPoint { at: at.monotonic, foot: Point::new(*x, 0.5) });
        }
        self.rules.step(&Look { at, epoch: self.epoch, tracks: &self.tracks, optics: None })
    }

    /// Looks five times a second.
    fn walk(&mut self, from: f32, to: f32, feet: impl Fn(f32) -> Vec<(u64, f32)>) -> Vec<Event> {
        let looks = ((to - from) * 5.0).round() as usize;
        (0..looks).flat_map(|i| self.look(from + i as f32 / 5.0, &feet(from + i as f32 / 5.0))).collect()
    }
}

fn track(id: u64, at: Monotonic) -> Track {
    Track {
        id: TrackId(id),
        label: Label::Person,
        score: 0.8,
        rect: Rect::default(),
        velocity: Point::new(0.0, 0.0),
        confirmed: true,
        first_seen: at,
        last_seen: at,
        path: Vec::new(),
    }
}

fn told(events: &[Event]) -> Vec<(Phase, u32)> {
    events.iter().map(|event| (event.phase, event.count)).collect()
}

#[test]
fn staying_in_the_zone_opens_and_leaving_it_closes() {
    let mut street = Street::new(intrusion());
    let events = street.walk(0.0, 9.0, |t| vec![(7, if (1.0..4.0).contains(&t) { 0.7 } else { 0.3 })]);
    assert_eq!(told(&events), [(Phase::Opened, 1), (Phase::Closed, 1)]);
    let (opened, closed) = (&events[0], &events[1]);
    assert_eq!(opened.id, closed.id);
    assert_eq!(opened.opened_at, stamp(2.0));
    assert_eq!(
        (closed.opened_at, closed.closed_at),
        (stamp(2.0), Some(stamp(4.4))),
        "with the gap that is forgiven"
    );
    assert_eq!(opened.why, "person in \"Sân\" for 1.0 s (1.0 s needed)");
    assert_eq!(
        (opened.rule.kind.as_str(), opened.zone.clone()),
        ("intrusion", Some("yard".parse().unwrap()))
    );
    assert_eq!((opened.subjects[0].track, opened.subjects[0].path.len()), (TrackId(7), 11));
}

#[test]
fn touching_the_zone_is_no_intrusion_and_a_short_gap_is_no_leaving() {
    let mut street = Street::new(intrusion());
    let touch = street.walk(0.0, 9.0, |t| vec![(1, if (1.0..1.6).contains(&t) { 0.7 } else { 0.3 })]);
    assert_eq!(touch, []);
    let mut street = Street::new(intrusion());
    // Outside for 0.4 s in the middle, and unseen for a while.
    let gap = street.walk(0.0, 3.0, |t| match t {
        t if (0.5..0.9).contains(&t) => vec![(1, 0.49)],
        t if (1.1..2.5).contains(&t) => vec![],
        _ => vec![(1, 0.6)],
    });
    assert_eq!(told(&gap), [(Phase::Opened, 1)]);
}

#[test]
fn unconfirmed_tracks_and_other_labels_do_not_count() {
    let mut settings = intrusion();
    settings.labels = [Label::Car].into();
    assert_eq!(Street::new(settings).walk(0.0, 5.0, |_| vec![(1, 0.7)]), []);
    let mut street = Street::new(intrusion());
    street.look(0.0, &[(1, 0.7)]);
    street.tracks[0].confirmed = false;
    assert_eq!(street.walk(0.2, 5.0, |_| vec![(1, 0.7)]), []);
    street.tracks[0].confirmed = true;
    assert_eq!(told(&street.look(5.0, &[(1, 0.7)])), [(Phase::Opened, 1)]);
}

#[test]
fn further_subjects_join_the_open_event() {
    let mut street = Street::new(intrusion());
    let events = street.walk(0.0, 12.0, |t| match t {
        t if t < 3.0 => vec![(1, 0.7)],
        t if t < 7.0 => vec![(2, 0.8), (3, 0.9)],
        _ => vec![],
    });
    assert_eq!(told(&events), [(Phase::Opened, 1), (Phase::Closed, 3)]);
    let ids: Vec<u64> = events[1].subjects.iter().map(|s| s.track.0).collect();
    assert_eq!(ids, [1, 2, 3]);
    let mut street = Street::new(intrusion());
    let crowd = street.walk(0.0, 8.0, |t| if t < 3.0 { (0..40).map(|i| (i, 0.7)).collect() } else { vec![] });
    assert_eq!((crowd[1].count, crowd[1].subjects.len()), (40, 16));
}

#[test]
fn after_an_event_the_rule_is_silent_for_its_cool_down() {
    let mut street = Street::new(intrusion());
    // In until 3, back at 8 for good: closed as of 3.4 or so, silent for 10 s.
    let events = street.walk(0.0, 20.0, |t| vec![(1, if (3.0..8.0).contains(&t) { 0.2 } else { 0.7 })]);
    assert_eq!(told(&events), [(Phase::Opened, 1), (Phase::Closed, 1), (Phase::Opened, 1)]);
    let again = events[2].opened_at.monotonic.since(events[1].closed_at.unwrap().monotonic);
    assert!((10.0..10.3).contains(&again.as_secs_f32()), "{again:?}");
    assert_ne!(events[2].id, events[0].id);
}

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
fn a_crossing_counts_once_and_only_in_the_wanted_direction() {
    use super::tripwire::Direction::{Both, LeftToRight, RightToLeft};
    let eastwards = |t: f32| vec![(1, 0.2 + 0.15 * t)];
    for (direction, fires) in [(Both, true), (LeftToRight, true), (RightToLeft, false)] {
        let events = Street::new(tripwire(direction)).walk(0.0, 4.0, eastwards);
        assert_eq!(events.len(), usize::from(fires), "{direction:?}");
    }
    let mut street = Street::new(tripwire(Both));
    let events = street.walk(0.0, 8.0, |t| vec![(1, if (t as i32) % 2 == 0 { 0.4 } else { 0.6 })]);
    assert_eq!(told(&events), [(Phase::Opened, 1)], "to and fro is one crossing");
    assert_eq!(events[0].why, "person (score 0.80) crossed \"Vạch\" from left to right");
    let wide = Street::new(tripwire(Both)).walk(0.0, 0.4, |t| vec![(1, if t < 0.1 { 0.0 } else { 1.0 })]);
    assert_eq!(wide.len(), 1, "one long step");
    let stop = Street::new(tripwire(Both))
        .walk(0.0, 0.6, |t| vec![(1, [0.4, 0.5, 0.6][(t * 5.0).round() as usize])]);
    assert_eq!(stop.len(), 1, "with a foot on the line itself");
    let back = Street::new(tripwire(Both))
        .walk(0.0, 0.6, |t| vec![(1, [0.4, 0.5, 0.4][(t * 5.0).round() as usize])]);
    assert_eq!(back, [], "touched and turned back");
    let mut trembling = Street::new(tripwire(Both));
    assert_eq!(trembling.walk(0.0, 3.0, |t| vec![(1, 0.5 + 0.008 * (t * 37.0).sin())]), []);
}

#[test]
fn a_crossing_before_the_confirmation_is_told_with_it() {
    let mut street = Street::new(tripwire(Default::default()));
    street.look(0.0, &[(1, 0.4)]);
    street.tracks[0].confirmed = false;
    assert_eq!(street.look(0.2, &[(1, 0.6)]), []);
    street.tracks[0].confirmed = true;
    assert_eq!(told(&street.look(0.4, &[(1, 0.7)])), [(Phase::Opened, 1)]);
}

#[test]
fn crossings_within_the_cool_down_are_one_event_and_the_next_opens_at_once() {
    let mut street = Street::new(tripwire(Default::default()));
    // One crosses at every third second, from 1 on.
    let events = street
        .walk(0.0, 14.0, |t| (0..5).map(|i| (i, if t < 1.0 + 3.0 * i as f32 { 0.4 } else { 0.6 })).collect());
    assert_eq!(told(&events), [(Phase::Opened, 1), (Phase::Closed, 4), (Phase::Opened, 1)]);
    assert_eq!(events[1].closed_at, Some(stamp(10.0)), "the last crossing of four");
    assert_eq!(events[2].opened_at, stamp(13.0));
}

#[test]
fn a_lost_stream_closes_what_is_open_and_its_tracks_are_forgotten() {
    let mut street = Street::new(intrusion());
    let opened = street.walk(0.0, 2.0, |_| vec![(1, 0.7)]);
    let closed = street.rules.close_all(stamp(2.0));
    assert_eq!(told(&closed), [(Phase::Closed, 1)]);
    assert_eq!((closed[0].id, closed[0].closed_at), (opened[0].id, Some(stamp(2.0))));
    assert_eq!(street.rules.close_all(stamp(3.0)), []);
    // In the next epoch id 1 is somebody else, whose second counts from its own beginning.
    (street.epoch, street.tracks) = (Epoch(2), Vec::new());
    let events = street.walk(20.0, 22.0, |_| vec![(1, 0.7)]);
    assert_eq!((events.len(), events[0].opened_at), (1, stamp(21.0)));
}

#[test]
fn rules_of_other_cameras_are_not_ours() {
    let mut settings = intrusion();
    settings.camera = "bridge".parse().unwrap();
    assert_eq!(Street::new(settings).walk(0.0, 5.0, |_| vec![(1, 0.7)]), []);
}
