//! Shelves over time.

use tempfile::TempDir;

use super::*;
use crate::storage::testing::{after, later, officer, sender};
use crate::storage::{Batch, DutyRules, QueueFilter, StoredEvent, Tab};

fn open() -> (Storage, TempDir) {
    let place = tempfile::tempdir().unwrap();
    (Storage::open(&place.path().join("post.sqlite")).unwrap(), place)
}

fn take(storage: &mut Storage, of: &[(&str, &str, u64)]) {
    let arrivals = of.iter().map(|(camera, rule, seconds)| later(camera, rule, *seconds)).collect();
    storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
}

fn events(storage: &Storage, tab: Tab) -> Vec<StoredEvent> {
    storage.queue(&QueueFilter { tab, camera: None, limit: 100 }).unwrap().events
}

fn gate(seconds: u64) -> NewShelf {
    let covered = Covered::Camera("gate".parse().unwrap());
    let scope = ShelfScope { sender: sender("box-1"), covered };
    NewShelf { scope, reason: "đang sửa đường".parse().unwrap(), until: after(seconds) }
}

#[test]
fn a_shelf_takes_what_nobody_has_and_what_comes_and_ends_by_itself() {
    let (mut storage, _place) = open();
    take(&mut storage, &[("gate", "night", 0), ("gate", "day", 0), ("yard", "night", 0)]);
    let held = events(&storage, Tab::Open)[1].number;
    storage.take_over(held, &officer("An"), after(1)).unwrap();
    let an = "An".parse().unwrap();
    let shelf = storage.shelve(&gate(3600), &an, Authority::Officer, after(2)).unwrap().unwrap();
    assert_eq!((events(&storage, Tab::Open).len(), events(&storage, Tab::Shelved).len()), (2, 1));
    take(&mut storage, &[("gate", "new", 100), ("gate", "night", 30), ("yard", "night", 100)]);
    let shelved = events(&storage, Tab::Shelved);
    assert_eq!(shelved.iter().map(|event| event.span.alerts).collect::<Vec<_>>(), [2, 1]);
    let shelves = storage.shelves().unwrap();
    assert_eq!((shelves.len(), shelves[0].number, shelves[0].events), (1, shelf, 2));
    assert_eq!(
        (shelves[0].reason.as_str(), shelves[0].left(after(3000))),
        ("đang sửa đường", Duration::from_secs(600))
    );
    // No shelved event escalates.
    let passed = storage.pass(&DutyRules::default(), after(3599)).unwrap();
    assert!(passed.escalated.iter().all(|(number, _)| shelved.iter().all(|event| event.number != *number)));
    assert_eq!(storage.pass(&DutyRules::default(), after(3600)).unwrap().shelves_ended, 1);
    take(&mut storage, &[("gate", "new", 3601)]);
    assert_eq!((events(&storage, Tab::Open).len(), events(&storage, Tab::Shelved).len()), (4, 2));
    let words: Vec<String> = storage.decisions(0, 100).unwrap().into_iter().map(|row| row.action).collect();
    assert_eq!(words.iter().filter(|word| *word == "shelve" || *word == "unshelve").count(), 2);
}

#[test]
fn an_alert_of_the_shelf_never_hides_one_of_another_camera() {
    let (mut storage, _place) = open();
    let an = "An".parse().unwrap();
    storage.shelve(&gate(3600), &an, Authority::Officer, after(0)).unwrap().unwrap();
    let offline = |camera: &str| {
        let mut arrival = later(camera, "offline", 5);
        let crate::arrival::Content::Alert(arrived) = &mut arrival.content else { panic!("no alert") };
        arrived.alert.rule.kind = "camera_offline".into();
        arrival
    };
    let arrivals = vec![offline("gate"), offline("yard"), offline("hall")];
    storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
    assert_eq!(events(&storage, Tab::Shelved)[0].span.alerts, 1);
    assert_eq!(events(&storage, Tab::Open)[0].span.alerts, 2);
}

#[test]
fn a_shelf_needs_a_reason_an_end_and_authority() {
    let (mut storage, _place) = open();
    let an = "An".parse().unwrap();
    let mut shelve = |new: &NewShelf, authority| storage.shelve(new, &an, authority, after(0)).unwrap();
    let silent = NewShelf { reason: Note::default(), ..gate(60) };
    assert_eq!(shelve(&silent, Authority::Officer), Err(ShelfRefusal::NoReason));
    assert_eq!(shelve(&gate(0), Authority::Officer), Err(ShelfRefusal::EndHasPassed));
    let max = Duration::from_secs(8 * 3600);
    assert_eq!(shelve(&gate(9 * 3600), Authority::Officer), Err(ShelfRefusal::TooLong { max }));
    let shelf = shelve(&gate(9 * 3600), Authority::Commander).unwrap();
    assert_eq!(shelve(&gate(60), Authority::Officer), Err(ShelfRefusal::Already { shelf }));
    assert!(storage.unshelve(shelf, &an, after(1)).unwrap());
    assert!(!storage.unshelve(shelf, &an, after(2)).unwrap());
    assert!(storage.shelves().unwrap().is_empty());
}
