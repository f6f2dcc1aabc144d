//! Scenarios of taking arrivals, and a comparison with a naive model of the post.

use std::time::Duration;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::storage::testing::{alert, arrival, sender, status};
use crate::storage::{Filter, NewAccess, Verdict};
use base::alert::{Alert, Form};
use base::event::Phase;
use base::ids::AlertId;
use base::status::OutboxStatus;
use wardlink::client::Incoming;

fn open() -> (Storage, TempDir) {
    let place = tempfile::tempdir().unwrap();
    (Storage::open(&place.path().join("post.sqlite")).unwrap(), place)
}

fn batch(alerts: &[Alert]) -> Batch {
    Batch { arrivals: alerts.iter().map(arrival).collect(), ..Batch::default() }
}

fn shown(storage: &Storage) -> Vec<(AlertId, u64)> {
    storage
        .alerts(&Filter::default())
        .unwrap()
        .iter()
        .map(|stored| (stored.alert.id, stored.alert.seq))
        .collect()
}

#[test]
fn an_alert_is_stored_once_with_its_thumbnail_and_acknowledged_each_time() {
    let (mut storage, _place) = open();
    let first = alert("box-1", 1);
    let taken = storage.take(&batch(std::slice::from_ref(&first))).unwrap();
    assert_eq!((taken.stored, taken.duplicates, taken.acks[0].1.contiguous), (1, 0, 1));
    let again = storage.take(&batch(&[first.clone(), first.clone()])).unwrap();
    assert_eq!((again.stored, again.duplicates, again.acks), (0, 2, taken.acks));
    let stored = &storage.alerts(&Filter::default()).unwrap()[0];
    assert_eq!(Alert { thumbnail: first.thumbnail.clone(), ..stored.alert.clone() }, first);
    assert_eq!((stored.repeats, &stored.sender), (2, &sender("box-1")));
    let access = NewAccess { who: "an officer".into(), command: "show", at: WallTime::from_micros(9) };
    let jpeg = storage.thumbnail(stored.thumbnail.unwrap(), &access).unwrap();
    assert_eq!(jpeg, first.thumbnail.map(|thumbnail| thumbnail.0));
    let accesses = storage.accesses().unwrap();
    assert_eq!((accesses.len(), accesses[0].alert.clone()), (1, first.id.to_string()));
    assert_eq!(storage.thumbnail(99, &access).unwrap(), None);
    assert_eq!(storage.accesses().unwrap().len(), 1, "nobody saw anything");
}

#[test]
fn a_reduced_message_is_the_same_alert_and_the_fuller_one_stays() {
    let (mut storage, _place) = open();
    let mut whole = alert("box-1", 1);
    whole.outbox = OutboxId::random();
    let subject = serde_json::json!({"track": 1, "label": "person", "score": 0.5, "box": [0.1, 0.1, 0.2, 0.2],
        "path": [[0.1, 0.2]]});
    whole.subjects = vec![serde_json::from_value(subject).unwrap()];
    let bare = Alert { seq: NOT_KEPT, ..whole.reduced(Form::Bare, "too large") };
    let taken = storage.take(&batch(std::slice::from_ref(&bare))).unwrap();
    assert_eq!((taken.stored, taken.acks.len()), (1, 1), "the box asks whether the post is there");
    assert_eq!(taken.acks[0].1.contiguous, 0);
    let shown = |storage: &Storage| storage.alerts(&Filter::default()).unwrap()[0].alert.clone();
    assert!(shown(&storage).subjects.is_empty());
    for form in [Form::NoPaths, Form::NoSubjects] {
        assert_eq!(storage.take(&batch(&[whole.reduced(form, "too large")])).unwrap().conflicts, 0);
        assert_eq!(shown(&storage).subjects.len(), 1, "{form:?}");
    }
    assert_eq!(storage.take(&batch(std::slice::from_ref(&whole))).unwrap().conflicts, 0);
    assert_eq!(storage.take(&batch(&[bare])).unwrap().conflicts, 0);
    assert_eq!(Alert { thumbnail: whole.thumbnail.clone(), ..shown(&storage) }, whole);
    let other = Alert { count: 99, ..whole.reduced(Form::NoSubjects, "too large") };
    assert_eq!(storage.take(&batch(&[other])).unwrap().conflicts, 1, "it counts others");
}

#[test]
fn a_renamed_box_brings_its_backlog_under_its_present_name_without_holes_or_doubles() {
    let (mut storage, _place) = open();
    let all: Vec<Alert> = (1..=4).map(|seq| alert("box-1", seq)).collect();
    storage.take(&batch(&all[..3])).unwrap();
    let ward = all[0].ward.clone();
    // The acknowledgement of the third one did not reach the box before it was renamed.
    let rest: Vec<Alert> =
        all[2..].iter().map(|alert| alert.clone().under(&ward, &"box-2".parse().unwrap())).collect();
    let taken = storage.take(&batch(&rest)).unwrap();
    assert_eq!((taken.stored, taken.duplicates, taken.conflicts), (1, 1, 0));
    let ack = &taken.acks[0].1;
    assert_eq!((ack.box_id.as_str(), ack.contiguous, ack.highest), ("box-2", 4, 4));
    assert_eq!(storage.alerts(&Filter::default()).unwrap().len(), 4);
}

#[test]
fn an_unsaved_alert_gets_its_number_later_and_is_shown_once() {
    let (mut storage, _place) = open();
    let unsaved = alert("box-1", NOT_KEPT);
    let taken = storage.take(&batch(std::slice::from_ref(&unsaved))).unwrap();
    assert_eq!((taken.stored, taken.acks.len()), (1, 0), "it has no number to acknowledge");
    let outbox = OutboxId(uuid::Uuid::from_u128(3));
    let numbered = Alert { seq: 1, outbox, ..unsaved.clone() };
    let taken = storage.take(&batch(std::slice::from_ref(&numbered))).unwrap();
    assert_eq!((taken.stored, taken.duplicates, taken.conflicts), (0, 0, 0));
    assert_eq!((taken.acks[0].1.contiguous, taken.acks[0].1.outbox), (1, outbox));
    assert_eq!(shown(&storage), [(unsaved.id, 1)]);
    // The unnumbered message once more, late.
    assert_eq!(storage.take(&batch(&[unsaved])).unwrap().duplicates, 1);
    assert_eq!(shown(&storage), [(numbered.id, 1)]);
}

#[test]
fn a_picture_that_comes_later_is_added_once() {
    let (mut storage, _place) = open();
    let whole = alert("box-1", 1);
    let preview = Alert { seq: NOT_KEPT, thumbnail: None, ..whole.clone() };
    storage.take(&batch(std::slice::from_ref(&preview))).unwrap();
    assert_eq!(storage.alerts(&Filter::default()).unwrap()[0].thumbnail, None);
    let taken = storage.take(&batch(std::slice::from_ref(&whole))).unwrap();
    assert_eq!((taken.stored, taken.duplicates, taken.conflicts, taken.acks[0].1.contiguous), (0, 0, 0, 1));
    let late = storage.late_thumbnails(0, 9).unwrap();
    assert_eq!((late.len(), late[0].stored.thumbnail, late[0].stored.alert.seq), (1, Some(1), 1));
    assert_eq!((late[0].number, storage.last_late_thumbnail().unwrap()), (1, 1));
    let access = NewAccess { who: "an officer".into(), command: "tail", at: WallTime::from_micros(9) };
    assert_eq!(storage.thumbnail(1, &access).unwrap(), whole.thumbnail.clone().map(|thumbnail| thumbnail.0));
    // Once more, with another picture: the first one stays.
    let other = Alert { thumbnail: Some(Thumbnail(vec![7])), ..whole.clone() };
    let taken = storage.take(&batch(&[other, preview])).unwrap();
    assert_eq!((taken.duplicates, taken.conflicts), (2, 0));
    assert_eq!(storage.thumbnail(1, &access).unwrap(), whole.thumbnail.map(|thumbnail| thumbnail.0));
    assert!(storage.late_thumbnails(1, 9).unwrap().is_empty());
}

#[test]
fn a_picture_that_comes_after_the_number_is_no_repetition_either() {
    let (mut storage, _place) = open();
    let whole = alert("box-1", 1);
    let bare = Alert { thumbnail: None, ..whole.clone() };
    let taken = storage.take(&batch(&[bare, whole])).unwrap();
    assert_eq!((taken.stored, taken.duplicates, taken.conflicts), (1, 0, 0));
    assert_eq!(storage.late_thumbnails(0, 9).unwrap().len(), 1);
    let later = WallTime::from_micros(i64::MAX);
    storage.expire(later, Duration::ZERO).unwrap();
    assert!(storage.late_thumbnails(0, 9).unwrap().is_empty(), "it goes with its alert");
}

/// The status of a box whose outbox has lost `gaps`.
fn abandoning(outbox: OutboxId, gaps: &[(u64, u64)]) -> Batch {
    let abandoned = gaps.iter().map(|(first, last)| Gap { first: *first, last: *last }).collect();
    let outbox = OutboxStatus { id: outbox, abandoned, thumbnails_shed: 0 };
    Batch { arrivals: vec![status("box-1", Some(outbox))], ..Batch::default() }
}

#[test]
fn what_a_box_has_abandoned_is_asked_for_no_more_and_is_told_apart_from_what_is_missing() {
    let (mut storage, _place) = open();
    let outbox = alert("box-1", 1).outbox;
    let stored = [2, 5, 9].map(|seq| alert("box-1", seq));
    storage.take(&batch(&stored)).unwrap();
    let taken = storage.take(&abandoning(outbox, &[(1, 1), (4, 6), (0, 0), (9, 3), (7, u64::MAX)])).unwrap();
    let ack = &taken.acks[0].1;
    assert_eq!((ack.contiguous, ack.highest), (2, 9));
    assert_eq!(ack.gaps, [Gap { first: 3, last: 3 }, Gap { first: 7, last: 8 }], "nonsense is passed over");
    let numbers = storage.boxes().unwrap()[0].numbers;
    assert_eq!((numbers.missing, numbers.lost), (3, 3), "the fifth is there, whatever the box says");
    let holes: Vec<(u64, u64, bool)> =
        storage.holes().unwrap().iter().map(|hole| (hole.gap.first, hole.gap.last, hole.is_lost)).collect();
    assert_eq!(holes, [(1, 1, true), (3, 3, false), (4, 4, true), (6, 6, true), (7, 8, false)]);
    assert!(storage.take(&abandoning(outbox, &[(1, 1), (4, 6)])).unwrap().acks.is_empty(), "nothing is new");
    assert_eq!(storage.settlements(0).unwrap().len(), 3);

    // The abandoned message arrives after all.
    let taken = storage.take(&batch(&[alert("box-1", 4)])).unwrap();
    assert_eq!((taken.stored, taken.conflicts), (1, 0));
    assert_eq!(storage.boxes().unwrap()[0].numbers.lost, 2);
    assert_eq!(storage.take(&batch(&[alert("box-1", 4)])).unwrap().conflicts, 1, "now it is taken");
}

#[test]
fn an_outbox_that_begins_with_abandoned_numbers_is_told_so_before_its_first_alert() {
    let (mut storage, _place) = open();
    let outbox = OutboxId(uuid::Uuid::from_u128(4));
    storage.take(&batch(&[alert("box-1", 1)])).unwrap();
    let taken = storage.take(&abandoning(outbox, &[(1, 40)])).unwrap();
    assert_eq!((taken.acks[0].1.outbox, taken.acks[0].1.contiguous), (outbox, 40));
    let known = &storage.boxes().unwrap()[0];
    assert_eq!((known.outbox, known.numbers.missing, known.numbers.lost), (Some(outbox), 0, 40));
}

#[test]
fn a_person_settles_an_outbox_and_is_remembered() {
    let (mut storage, _place) = open();
    let outbox = alert("box-1", 1).outbox;
    storage.take(&batch(&[alert("box-1", 3), alert("box-1", 5)])).unwrap();
    let verdict = Verdict { who: "Lan".into(), why: "its disk burnt".into(), at: WallTime::from_micros(7) };
    let closed = storage.settle(&sender("box-1"), outbox, &verdict).unwrap();
    assert_eq!(closed, [Gap { first: 1, last: 2 }, Gap { first: 4, last: 4 }]);
    assert_eq!(storage.settle(&sender("box-1"), outbox, &verdict).unwrap(), []);
    let settled = storage.settlements(0).unwrap();
    assert!(settled.len() == 2 && settled.iter().all(|one| one.verdict == verdict), "{settled:?}");
    assert_eq!(storage.settlements(1).unwrap()[0].gap, Gap { first: 4, last: 4 });
    assert_eq!(storage.boxes().unwrap()[0].numbers.missing, 0);
    assert_eq!(storage.acks().unwrap()[0].1.contiguous, 5);
}

#[test]
fn messages_that_contradict_each_other_are_all_kept() {
    let (mut storage, _place) = open();
    let (first, other) = (alert("box-1", 1), alert("box-1", 1));
    let taken = storage.take(&batch(&[first.clone(), other.clone()])).unwrap();
    assert_eq!((taken.stored, taken.conflicts), (2, 1));
    let reworded = Alert { why: "something else".into(), ..first.clone() };
    let taken = storage.take(&batch(&[reworded])).unwrap();
    assert_eq!((taken.stored, taken.conflicts), (0, 1));
    let (kept, why) = storage.refused().unwrap();
    assert!(kept == 1 && why.unwrap().contains("differs"));
    assert_eq!(storage.boxes().unwrap()[0].conflicts, 2);
    assert_eq!(storage.take(&batch(&[first, other])).unwrap().conflicts, 0, "known by now");
}

#[test]
fn a_new_outbox_counts_from_one_and_old_alerts_in_it_are_not_shown_again() {
    let (mut storage, _place) = open();
    let old = [alert("box-1", 1), alert("box-1", 2)];
    storage.take(&batch(&old)).unwrap();
    let outbox = OutboxId(uuid::Uuid::from_u128(9));
    let again = Alert { seq: 1, outbox, ..old[1].clone() };
    let taken = storage.take(&batch(std::slice::from_ref(&again))).unwrap();
    assert_eq!((taken.stored, taken.conflicts), (0, 0));
    assert_eq!((taken.acks[0].1.outbox, taken.acks[0].1.highest), (outbox, 1));
    assert_eq!(storage.take(&batch(&[again])).unwrap().conflicts, 0);
    let holes = storage.holes().unwrap();
    assert!(holes.is_empty(), "{holes:?}");
    assert_eq!(storage.acks().unwrap()[0].1.outbox, outbox);
}

#[test]
fn boxes_of_the_same_name_in_two_wards_are_two() {
    let (mut storage, _place) = open();
    let here = alert("box-1", 1);
    let there = Alert { ward: "elsewhere".parse().unwrap(), ..here.clone() };
    let taken = storage.take(&batch(&[here, there])).unwrap();
    assert_eq!((taken.stored, taken.acks.len(), storage.boxes().unwrap().len()), (2, 2, 2));
}

#[test]
fn the_refused_are_bounded_and_counted_to_their_box() {
    let (mut storage, _place) = open();
    storage.take(&batch(&[alert("box-1", 1)])).unwrap();
    let garbage = |number: usize| {
        Arrival::read(Incoming {
            topic: "wardwatch/v1/ben-nghe/box-1/alert".into(),
            payload: format!("garbage {number}").into_bytes(),
            bytes: 9,
            is_retained: false,
            at: WallTime::from_micros(1),
        })
    };
    let arrivals = (0..1010).map(garbage).collect();
    let taken = storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
    assert_eq!(taken, Taken::default());
    assert_eq!(storage.refused().unwrap().0, 1000);
    assert_eq!(storage.boxes().unwrap()[0].refused, 1010);
}

#[test]
fn old_alerts_go_with_their_thumbnails_and_their_numbers_stay() {
    let (mut storage, _place) = open();
    let alerts: Vec<Alert> = (1..=700).map(|seq| alert("box-1", seq)).collect();
    storage.take(&batch(&alerts)).unwrap();
    let last = storage.last_received().unwrap().unwrap();
    assert!(!storage.expire(last, Duration::ZERO).unwrap(), "none is older than the last one");
    let later = WallTime::from_micros(last.as_micros() + 1);
    assert!(storage.expire(later, Duration::ZERO).unwrap(), "a part of them at once");
    assert!(!storage.expire(later, Duration::ZERO).unwrap());
    assert!(shown(&storage).is_empty());
    let thumbnails: i64 =
        storage.connection.query_row("SELECT count(*) FROM thumbnail", [], |row| row.get(0)).unwrap();
    assert_eq!(thumbnails, 0);
    assert_eq!(storage.acks().unwrap()[0].1.contiguous, 700);
    storage.take(&batch(&[alert("box-1", 701)])).unwrap();
    assert_eq!(storage.alerts(&Filter::default()).unwrap()[0].number, 701, "no number is given twice");
}

#[test]
fn filters_say_what_is_listed() {
    let (mut storage, _place) = open();
    let critical = Alert { severity: base::event::Severity::Critical, ..alert("box-2", 1) };
    let opened = alert("box-1", 1);
    let closed = Alert {
        phase: Phase::Closed,
        seq: 2,
        closed_at: Some(WallTime::from_micros(5)),
        thumbnail: None,
        ..opened.clone()
    };
    storage.take(&batch(&[opened.clone(), critical.clone(), closed])).unwrap();
    let listed = |filter: Filter| {
        let alerts = storage.alerts(&filter).unwrap();
        alerts.iter().map(|stored| (stored.number, stored.thumbnail)).collect::<Vec<_>>()
    };
    assert_eq!(listed(Filter::default()), [(1, Some(1)), (2, Some(2)), (3, Some(1))]);
    assert_eq!(listed(Filter { once_each: true, ..Filter::default() }), [(2, Some(2)), (3, Some(1))]);
    assert_eq!(listed(Filter { limit: Some(1), ..Filter::default() }), [(3, Some(1))]);
    assert_eq!(listed(Filter { limit: Some(1), after_number: Some(1), ..Filter::default() }), [(2, Some(2))]);
    assert_eq!(listed(Filter { severity_min: Some(critical.severity), ..Filter::default() }), [(2, Some(2))]);
    assert_eq!(
        listed(Filter { box_id: Some(opened.box_id), ..Filter::default() }),
        [(1, Some(1)), (3, Some(1))]
    );
    assert_eq!(listed(Filter { camera: Some("other".parse().unwrap()), ..Filter::default() }), []);
    assert_eq!(listed(Filter { id: Some(critical.id), ..Filter::default() }), [(2, Some(2))]);
    let received = WallTime::from_micros(1_777_673_644_000_001);
    assert_eq!(listed(Filter { since: Some(received), ..Filter::default() }), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// In any order and repetition, in any batches: each message is stored once, each number is acknowledged, and the
    /// reopened database reports the same.
    #[test]
    fn everything_is_there_once(
        coming in proptest::collection::vec((0usize..3, 0usize..20, any::<bool>(), any::<bool>()), 1..80),
        size in 1usize..10,
    ) {
        let (mut storage, place) = open();
        let made: Vec<Vec<Alert>> =
            ["box-1", "box-2", "box-3"].iter().map(|id| (1..=20).map(|seq| alert(id, seq)).collect()).collect();
        let mut numbers: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let mut pictured = BTreeSet::new();
        let mut alerts = Vec::new();
        for (which, at, is_unsaved, has_picture) in coming {
            let mut one = made[which][at].clone();
            ids.insert(one.id);
            if is_unsaved {
                one.seq = NOT_KEPT;
            } else {
                numbers.entry(which).or_default().insert(one.seq);
            }
            if has_picture {
                pictured.insert(one.id);
            } else {
                one.thumbnail = None;
            }
            alerts.push(one);
        }
        for part in alerts.chunks(size) {
            prop_assert_eq!(storage.take(&batch(part)).unwrap().conflicts, 0);
        }
        drop(storage);
        let storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
        let stored = shown(&storage);
        prop_assert_eq!(stored.len(), ids.len());
        prop_assert_eq!(stored.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>(), ids);
        let with_picture = storage.alerts(&Filter::default()).unwrap().into_iter();
        let with_picture = with_picture.filter(|one| one.thumbnail == Some(one.number)).map(|one| one.alert.id);
        prop_assert_eq!(with_picture.collect::<BTreeSet<_>>(), pictured);
        let acks = storage.acks().unwrap();
        prop_assert_eq!(acks.len(), numbers.len());
        for ((_, ack), naive) in acks.iter().zip(numbers.values()) {
            let covered: BTreeSet<u64> = (0..30).filter(|seq| ack.covers(*seq)).collect();
            prop_assert_eq!(&covered, naive);
        }
    }
}

/// A box whose store was put back from a copy gives numbers to other alerts that the post knows by others.
#[test]
fn the_acknowledgement_names_messages_and_tells_of_a_number_that_came_twice() {
    let (mut storage, _place) = open();
    let outbox = OutboxId::random();
    let numbered = |seq| Alert { outbox, ..alert("box-1", seq) };
    let first: Vec<Alert> = [1, 2, 3, 5].map(numbered).into();
    let taken = storage.take(&batch(&first)).unwrap();
    let ack = &taken.acks[0].1;
    let named: Vec<(u64, AlertId)> = ack.named.iter().map(|named| (named.seq, named.id)).collect();
    assert_eq!(named, [(3, first[2].id), (5, first[3].id)], "the ends of the runs");
    assert_eq!(ack.conflict, None);
    assert_eq!(storage.acks().unwrap()[0].1, *ack, "also after a restart");

    let other = numbered(2);
    let taken = storage.take(&batch(std::slice::from_ref(&other))).unwrap();
    assert_eq!((taken.conflicts, taken.acks[0].1.conflict), (1, Some(2)));
    assert!(shown(&storage).contains(&(other.id, 2)), "both are kept");
    // The box sends what waits as another outbox: the same alerts, without a conflict.
    let moved = Alert { outbox: OutboxId::random(), ..other };
    let taken = storage.take(&batch(&[moved])).unwrap();
    assert_eq!((taken.stored, taken.conflicts, taken.acks[0].1.conflict), (0, 0, None));
    assert_eq!(shown(&storage).len(), 5);
}
