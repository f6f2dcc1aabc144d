use super::*;

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
