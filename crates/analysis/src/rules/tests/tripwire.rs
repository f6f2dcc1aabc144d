use super::*;

#[test]
fn a_crossing_counts_once_and_only_in_the_wanted_direction() {
    use crate::rules::tripwire::Direction::{Both, LeftToRight, RightToLeft};
    for (direction, fires) in [(Both, true), (LeftToRight, true), (RightToLeft, false)] {
        let events = Street::new(tripwire(direction)).walk(0.0, 4.0, |t| vec![(1, 0.2 + 0.15 * t)]);
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
fn who_is_first_seen_on_the_line_and_walks_off_has_crossed_it() {
    use crate::rules::tripwire::Direction::{Both, LeftToRight, RightToLeft};
    let events = |direction, first: f32, step: f32| {
        Street::new(tripwire(direction)).walk(0.0, 2.0, |t| vec![(1, first + step * (t * 5.0).round())])
    };
    // The margin of this body is some hundredths of the picture's width.
    for first in [0.49, 0.5, 0.502] {
        assert_eq!(events(Both, first, 0.015).len(), 1, "{first}");
        assert_eq!(events(LeftToRight, first, 0.015).len(), 1, "{first}");
        assert_eq!(events(RightToLeft, first, 0.015), [], "{first}");
    }
    assert_eq!(events(Both, 0.515, 0.015), [], "it came from this side");
    assert_eq!(events(Both, 0.5, 0.0), [], "it stands on the line");
    let grown = Street::new(tripwire(Both)).walk(0.0, 3.0, |t| vec![(1, if t < 0.3 { 0.498 } else { 0.56 })]);
    assert_eq!(grown, [], "half a body, then all of it");
}

#[test]
fn a_crossing_before_the_confirmation_is_told_with_it() {
    let mut street = Street::new(tripwire(Default::default()));
    street.infer(0.0, &[(1, 0.4)]);
    street.tracks[0].confirmed = false;
    assert_eq!(street.infer(0.2, &[(1, 0.6)]), []);
    street.tracks[0].confirmed = true;
    assert_eq!(told(&street.infer(0.4, &[(1, 0.7)])), [(Phase::Opened, 1)]);
}

#[test]
fn crossings_within_the_cool_down_are_told_together_after_ever_longer_waits() {
    let mut street = Street::new(tripwire(Default::default()));
    // One crosses at every third second, from 1 on.
    let events = street
        .walk(0.0, 18.0, |t| (0..5).map(|i| (i, if t < 1.0 + 3.0 * i as f32 { 0.4 } else { 0.6 })).collect());
    use Phase::{Closed, Opened};
    assert_eq!(told(&events), [(Opened, 1), (Closed, 1), (Opened, 2), (Closed, 2), (Opened, 5)]);
    let told_after_5 = &events[2];
    assert_eq!((told_after_5.opened_at, told_after_5.subjects[0].track), (stamp(4.0), TrackId(1)));
    assert_eq!(events[1].closed_at, Some(stamp(6.0)), "closed by the one that follows it");
    let told_after_10_more = &events[4];
    assert_eq!((told_after_10_more.opened_at, told_after_10_more.subjects.len()), (stamp(7.0), 3));
}
