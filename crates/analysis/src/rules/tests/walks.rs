//! Properties of every kind, over any walks.

use proptest::prelude::*;

use super::*;
use crate::rules::wrong_way::Arrow;
use crate::rules::{crowd, loitering, red_zone_entry, speeding_group, wrong_way};
use base::ground::Ground;
use base::view_quality::ViewQuality;

/// One of every kind, as eager as it can be.
fn kinds() -> Vec<Kind> {
    let arrow = Arrow::try_from([[0.2, 0.5], [0.8, 0.5]]).unwrap();
    let numbers = |kind: &str, numbers: serde_json::Value| {
        let mut all = numbers;
        all["kind"] = kind.into();
        serde_json::from_value::<Kind>(all).unwrap()
    };
    let short = serde_json::json!({ "seconds_min": 0.5 });
    vec![
        numbers("intrusion", short.clone()),
        numbers("tripwire", serde_json::json!({})),
        Kind::RedZoneEntry(red_zone_entry::Params { seconds_min: 0.2 }),
        Kind::WrongWay(wrong_way::Params { lengths_min: 0.5, ..wrong_way::Params::new(arrow) }),
        Kind::Loitering(loitering::Params { seconds_min: 2.0, ..Default::default() }),
        Kind::Crowd(crowd::Params { count_min: 2, seconds_min: 0.5, ..Default::default() }),
        numbers("stopped_vehicle", short.clone()),
        Kind::SpeedingGroup(speeding_group::Params { count_min: 2, kmh_min: 5.0, ..Default::default() }),
        numbers("left_behind", short.clone()),
        numbers("taken_away", serde_json::json!({ "stood_seconds_min": 1.0 })),
        numbers("camera_sabotage", serde_json::json!({ "seconds_min": 1.0 })),
        numbers("camera_offline", serde_json::json!({ "seconds_min": 1.0 })),
    ]
}

/// One frame: milliseconds since the last one, and its subjects with id, label and place.
type Step = (u64, Vec<(u64, u8, f32, f32)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = (0u64..12, 0u8..5, 0.0f32..1.0, 0.05f32..1.0);
    proptest::collection::vec((50u64..1500, proptest::collection::vec(who, 0..9)), 1..60)
}

/// Ids drift in a small part of the picture, to be something like a walk; some leap.
fn walked(steps: &[Step]) -> Vec<(f32, Vec<Seen>)> {
    let mut now = 0.0;
    let mut at = std::collections::BTreeMap::<u64, (f32, f32)>::new();
    let walked = steps.iter().map(|(millis, who)| {
        now += *millis as f32 / 1000.0;
        let seen = who.iter().map(|(id, label, x, y)| {
            let leaps = *label == 4;
            let (old_x, old_y) = at.get(id).copied().filter(|_| !leaps).unwrap_or((*x, *y));
            let place = (old_x + (x - old_x) * 0.15, old_y + (y - old_y) * 0.15);
            at.insert(*id, place);
            seen(*id, Label::ALL[usize::from(*label) % 4], place.0, place.1)
        });
        (now, seen.collect())
    });
    walked.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn events_are_about_confirmed_tracks_that_are_asked_for_and_count_their_members(steps in steps()) {
        let corners = [[0.0, 0.2], [1.0, 0.2], [1.0, 1.0], [0.0, 1.0]].map(Point::from);
        let ground = Ground::new(corners, [[0.0, 0.0], [60.0, 0.0], [60.0, 20.0], [0.0, 20.0]]).unwrap();
        for kind in kinds() {
            let place = match &kind {
                Kind::Tripwire(_) => tripwire(Default::default()).place,
                _ => middle(),
            };
            let asked: Vec<Label> = kind.needs().labels().to_vec();
            let settings = RuleSettings { ground: Some(ground), cool_down: Duration::from_secs(1), ..rule(kind, place) };
            let mut street = Street::new(settings);
            street.rules.explain();
            let (mut ever_confirmed, mut open) = (std::collections::BTreeSet::new(), None);
            for (now, seen) in walked(&steps) {
                let events = street.see(now, &seen);
                ever_confirmed.extend(street.tracks.iter().filter(|track| track.confirmed).map(|track| track.id));
                for event in events {
                    let ids: std::collections::BTreeSet<TrackId> = event.subjects.iter().map(|s| s.track).collect();
                    prop_assert_eq!(ids.len(), event.subjects.len(), "named twice");
                    prop_assert!(event.count as usize >= ids.len() && (event.follows.is_some() || ids.len() == 16 || event.count as usize == ids.len()));
                    prop_assert!(ids.is_subset(&ever_confirmed), "unconfirmed in {event:?}");
                    prop_assert!(event.subjects.iter().all(|s| asked.is_empty() || asked.contains(&s.label)));
                    prop_assert!(!event.why.is_empty());
                    match event.phase {
                        Phase::Opened => prop_assert!(open.replace(event.id).is_none(), "two at a time"),
                        Phase::Closed => prop_assert_eq!(open.take(), Some(event.id)),
                    }
                }
            }
        }
    }

    #[test]
    fn a_condition_never_finds_whom_it_must_not(steps in steps()) {
        for kind in kinds() {
            let mut condition = kind.condition();
            let labels: std::collections::BTreeSet<Label> = kind.needs().labels().iter().copied().collect();
            let place = match &kind {
                Kind::Tripwire(_) => tripwire(Default::default()).place,
                _ => middle(),
            };
            let view_quality = ViewQuality { luma_mean: 3.0, luma_deviation: 2.0, sharpness: 0.1, in_place: 0.1, same_seconds: 0.0, learnt_seconds: 99.0 };
            let mut street = Street::new(rule(kind.clone(), place.clone()));
            for (now, seen) in walked(&steps) {
                street.see(now, &seen);
                let thing = StaticObject { rect: Rect::new(0.4, 0.4, 0.03, 0.04), score: 0.8, still_seconds: now };
                let view = RuleInput {
                    at: stamp(now).monotonic,
                    place: &place,
                    labels: &labels,
                    tracks: &street.tracks,
                    static_objects: &[thing],
                    view_quality: Some(&view_quality),
                    ground: None,
                };
                for finding in condition.step(&view, &mut Notes::default()) {
                    for track in finding.subjects.iter().map(|index| &street.tracks[*index]).chain(&finding.gone) {
                        prop_assert!(track.confirmed, "{} found one that is not confirmed", kind.as_str());
                        prop_assert!(view.wants(track), "{} found a {}", kind.as_str(), track.label);
                    }
                }
            }
        }
    }

    #[test]
    fn memory_is_bounded_by_who_lives_and_a_fixed_number_of_lost(ids in proptest::collection::vec(0u64..4000, 400)) {
        let mut followed = crate::rules::track_state::TrackStates::<()>::with_heirs(|(), _, _| false);
        let mut street = Street::new(intrusion());
        for (index, id) in ids.iter().enumerate() {
            let now = index as f32 * 0.4;
            street.see(now, &[person(*id, 0.5, 0.5), person(id + 5000, 0.3, 0.5)]);
            followed.begin(stamp(now).monotonic, &street.tracks);
            for track in &street.tracks {
                followed.follow(track);
            }
            prop_assert!(followed.len() <= street.tracks.len() + 64);
        }
    }
}
