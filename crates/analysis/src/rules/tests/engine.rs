use super::*;

#[test]
fn unconfirmed_tracks_and_other_labels_do_not_count() {
    let mut settings = intrusion();
    settings.labels = [Label::Car].into();
    assert_eq!(Street::new(settings).walk(0.0, 5.0, |_| vec![(1, 0.7)]), []);
    let mut street = Street::new(intrusion());
    street.infer(0.0, &[(1, 0.7)]);
    street.tracks[0].confirmed = false;
    assert_eq!(street.walk(0.2, 5.0, |_| vec![(1, 0.7)]), []);
    street.tracks[0].confirmed = true;
    assert_eq!(told(&street.infer(5.0, &[(1, 0.7)])), [(Phase::Opened, 1)]);
}

#[test]
fn further_subjects_are_told_in_further_alerts_that_name_the_first() {
    let mut street = Street::new(intrusion());
    let events = street.walk(0.0, 14.0, |t| match t {
        t if t < 3.0 => vec![(1, 0.7)],
        t if t < 9.0 => vec![(2, 0.8), (3, 0.95)],
        _ => vec![],
    });
    let phases = [(Phase::Opened, 1), (Phase::Closed, 1), (Phase::Opened, 3), (Phase::Closed, 3)];
    assert_eq!(told(&events), phases);
    let further = &events[2];
    assert_eq!((events[0].follows, further.follows), (None, Some(events[0].id)));
    assert_ne!(further.id, events[0].id);
    let ids: Vec<u64> = further.subjects.iter().map(|s| s.track.0).collect();
    assert_eq!(ids, [2, 3], "those whom no alert named");
    assert_eq!(further.opened_at, stamp(4.0), "when the condition held, though it is told later");
    let mut street = Street::new(intrusion());
    let crowd = street.walk(0.0, 8.0, |t| if t < 3.0 { (0..40).map(|i| (i, 0.7)).collect() } else { vec![] });
    assert_eq!((crowd[1].count, crowd[1].subjects.len()), (40, 16));
}

/// Links are paid by the byte, and a part of 10,000 is less than a pixel.
#[test]
fn numbers_of_subjects_have_four_places() {
    let events = Street::new(intrusion()).walk(0.0, 5.0, |t| vec![(1, 0.7 + 0.012_345_67 * t)]);
    let subject = &events[0].subjects[0];
    assert!(subject.path.len() > 3);
    let text = serde_json::to_string(subject).unwrap();
    let places =
        text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|number| number.split_once('.'));
    let places: Vec<usize> = places.map(|(_, places)| places.len()).collect();
    assert!(places.len() > 8 && places.iter().all(|count| *count <= 4), "{text}");
}

/// A message without its picture is small, also at the end of a long event.
#[test]
fn the_subjects_of_a_message_share_its_path_points() {
    for (count, points_max, bytes_max) in [(1, 32, 1_000), (4, 34, 1_300), (10, 22, 1_700), (16, 32, 2_400)] {
        let mut street = Street::new(intrusion());
        let walk = |t: f32| (0..count).map(|id| (id, 0.6 + 0.011_13 * t + 0.001 * id as f32)).collect();
        let mut events = street.walk(0.0, 30.0, walk);
        events.extend(street.rules.close_all(stamp(31.0)));
        let closed = events.last().unwrap();
        assert_eq!((closed.phase, closed.subjects.len() as u64), (Phase::Closed, count));
        let points: Vec<usize> = closed.subjects.iter().map(|subject| subject.path.len()).collect();
        assert_eq!(points.iter().sum::<usize>(), points_max, "{points:?}");
        assert!(points.iter().all(|some| (2..=points[0]).contains(some)), "{points:?}");
        for (subject, track) in closed.subjects.iter().zip(&street.tracks) {
            let distance = |told: Option<&Point>, seen: Option<&PathPoint>| {
                (told.unwrap().x - seen.unwrap().foot.x).abs()
            };
            assert!(distance(subject.path.first(), track.path.first()) < 0.001);
            assert!(distance(subject.path.last(), track.path.last()) < 0.001);
        }
        let bytes = serde_json::to_vec(closed).unwrap().len();
        assert!(bytes < bytes_max, "{count} subjects: {bytes} bytes");
    }
}

/// Six persons who come in one after the other, each on a way of his own and for 5 s, 23 s apart: two were reported
/// and four were not.
#[test]
fn nobody_is_silent_because_somebody_was_told_before() {
    let mut settings = intrusion();
    settings.cool_down = Duration::from_secs(60);
    let mut street = Street::new(settings);
    let events = street.play(0.0, 200.0, &[0.2], |t| {
        let number = (t / 23.0) as u64;
        let inside = t % 23.0;
        let rows = [0.3, 0.6, 0.9, 0.45, 0.75, 0.35];
        let is_in = number < 6 && inside < 5.0;
        if is_in { vec![person(number, 0.6 + 0.02 * inside, rows[number as usize])] } else { Vec::new() }
    });
    let opened: Vec<&Event> = events.iter().filter(|event| event.phase == Phase::Opened).collect();
    let mut named: Vec<u64> = opened.iter().flat_map(|event| &event.subjects).map(|s| s.track.0).collect();
    named.sort_unstable();
    assert_eq!(named, [0, 1, 2, 3, 4, 5], "everybody once");
    assert_eq!(opened.iter().map(|event| event.count).max(), Some(6));
    assert!(opened[1..].iter().all(|event| event.follows == Some(opened[0].id)));
    let closed = events.len() - opened.len();
    assert_eq!(closed, opened.len(), "each closes");
}

/// A new person every second for ten minutes.
#[test]
fn a_busy_place_is_no_flood() {
    for kind in [intrusion(), tripwire(Default::default())] {
        let mut settings = kind;
        settings.cool_down = Duration::from_secs(60);
        let mut street = Street::new(settings);
        let events = street.play(0.0, 600.0, &[0.2], |t| {
            let newest = t as u64;
            let persons = (newest.saturating_sub(3)..=newest).map(|number| {
                let age = t - number as f32;
                person(number, 0.42 + 0.06 * age, 0.3 + 0.1 * (number % 7) as f32)
            });
            persons.collect()
        });
        let opened: Vec<&Event> = events.iter().filter(|event| event.phase == Phase::Opened).collect();
        // 5, 10, 20 and 40 s after the one before, then a minute each.
        assert!((10..=4 + 600 / 60 + 1).contains(&opened.len()), "{}", opened.len());
        assert!(opened.last().unwrap().count > 450, "counted: {}", opened.last().unwrap().count);
    }
}

#[test]
fn who_waits_is_told_when_the_stream_is_lost() {
    let mut street = Street::new(intrusion());
    let mut events =
        street.walk(0.0, 4.0, |t| if t < 2.0 { vec![(1, 0.7)] } else { vec![(1, 0.7), (2, 0.9)] });
    assert_eq!(told(&events), [(Phase::Opened, 1)]);
    events = street.rules.close_all(stamp(4.0));
    assert_eq!(told(&events), [(Phase::Closed, 1), (Phase::Opened, 2), (Phase::Closed, 2)]);
    assert_eq!((events[1].subjects[0].track, events[1].id), (TrackId(2), events[2].id));
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
fn a_lost_stream_closes_what_is_open_and_its_tracks_are_forgotten() {
    let mut street = Street::new(intrusion());
    let opened = street.walk(0.0, 2.0, |_| vec![(1, 0.7)]);
    let closed = street.rules.close_all(stamp(2.0));
    assert_eq!(told(&closed), [(Phase::Closed, 1)]);
    assert_eq!((closed[0].id, closed[0].closed_at), (opened[0].id, Some(stamp(2.0))));
    assert_eq!(street.rules.close_all(stamp(3.0)), []);
    // In the next epoch id 1 is another person, with one second that counts from its own beginning.
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

#[test]
fn whoever_is_found_in_one_inference_is_in_the_opened_event() {
    let events = Street::new(intrusion()).walk(0.0, 3.0, |_| vec![(1, 0.7), (2, 0.8), (3, 0.2)]);
    assert_eq!(told(&events), [(Phase::Opened, 2)]);
    assert_eq!(events[0].subjects.iter().map(|subject| subject.track.0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn who_is_lost_and_found_again_under_a_new_id_is_one_incident() {
    // Lost after 4 s, found beside it 2 or 6 s later: while the event is open, or within the cool-down.
    for gap in [2.0, 6.0] {
        let mut street = Street::new(intrusion());
        let mut events = street.play(0.0, 4.0, &[0.2], |_| vec![person(1, 0.7, 0.5)]);
        events.extend(street.play(4.0, 4.0 + gap, &[0.2], |_| vec![]));
        events.extend(street.play(4.0 + gap, 12.0, &[0.2], |_| vec![person(2, 0.72, 0.5)]));
        let opened = events.iter().filter(|event| event.phase == Phase::Opened).count();
        assert_eq!(opened, 1, "after {gap} s");
    }
    let mut street = Street::new(tripwire(Default::default()));
    let events =
        street.play(0.0, 9.0, &[0.2], |t| vec![person((t / 3.0) as u64, 0.5 - 0.08 * (t * 1.5).cos(), 0.5)]);
    assert_eq!(told(&events), [(Phase::Opened, 1)]);
}

#[test]
fn notes_say_why_a_rule_did_not_fire() {
    let notes = |settings: RuleSettings, seen: &dyn Fn(f32) -> Vec<(u64, f32)>, to: f32| {
        let mut street = Street::new(settings);
        street.rules.explain();
        street.walk(0.0, to, seen);
        street.rules.notes().iter().map(|note| note.why.clone()).collect::<Vec<_>>()
    };
    let stays = |_: f32| vec![(1, 0.7)];
    assert_eq!(notes(intrusion(), &stays, 0.8), ["in \"Sân\" for 0.6 s (1.0 s needed)"]);
    assert_eq!(notes(intrusion(), &|_| vec![(1, 0.3)], 3.0), Vec::<String>::new(), "nobody came near");
    let cars = RuleSettings { labels: [Label::Car].into(), ..intrusion() };
    assert_eq!(notes(cars, &stays, 3.0), ["label person is not asked for"]);
    let mut closed = intrusion();
    closed.schedule.windows =
        vec![Window { days: vec![], from: jiff::civil::time(1, 0, 0, 0), to: jiff::civil::time(2, 0, 0, 0) }];
    assert_eq!(notes(closed, &stays, 3.0), ["outside of the schedule"]);
    let cool = notes(intrusion(), &|t| vec![(1, if (2.0..7.0).contains(&t) { 0.1 } else { 0.7 })], 9.0);
    assert_eq!(cool.len(), 1);
    assert!(cool[0].starts_with("within the cool-down, for "), "{cool:?}");
    let mut street = Street::new(intrusion());
    street.rules.explain();
    street.infer(0.0, &[(1, 0.7)]);
    street.tracks[0].confirmed = false;
    street.walk(0.2, 2.0, stays);
    let note = Note { rule: "r".parse().unwrap(), track: Some(TrackId(1)), why: "not confirmed".to_owned() };
    assert_eq!(street.rules.notes(), [note]);
    let mut street = Street::new(intrusion());
    street.walk(0.0, 0.8, stays);
    assert_eq!(street.rules.notes(), [], "nobody asked");
}
