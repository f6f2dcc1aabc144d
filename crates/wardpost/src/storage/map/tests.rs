//! The map of a ward with made-up boxes.

use rusqlite::Connection;

use super::*;
use crate::arrival::Content;
use crate::storage::testing::{after, later, sender, status};
use crate::storage::{Batch, Notice, NoticeKind, STEPS};
use base::status::CameraStatus;

fn by() -> By<'static> {
    By { who: "lan", at: after(100) }
}

fn camera(id: &str) -> CameraOf {
    (sender("box-1"), id.parse().unwrap())
}

fn spot(x: f64, y: f64) -> Spot {
    Spot::new(x, y).unwrap()
}

fn plan() -> NewPlan {
    NewPlan { width: 8, height: 6, jpeg: vec![0xff, 0xd8, 0xff], sha256: "ab".to_owned() }
}

/// A post with a box of two cameras, one of which gives no picture, and events of "gate".
fn filled() -> (tempfile::TempDir, Storage) {
    let place = tempfile::tempdir().unwrap();
    let mut storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
    let mut here = status("box-1", None);
    let Content::Status(told) = &mut here.content else { panic!("no status") };
    told.cameras = [("gate", StreamState::Live), ("yard", StreamState::BackingOff)]
        .map(|(id, state)| CameraStatus {
            id: id.parse().unwrap(),
            state,
            reason: None,
            since: after(0),
            notes: Vec::new(),
            input: None,
        })
        .into();
    let arrivals = vec![here, later("gate", "night", 0), later("gate", "day", 1)];
    storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
    (place, storage)
}

#[test]
fn cameras_have_their_state_with_and_without_a_place() {
    let (_place, mut storage) = filled();
    storage.place_camera(&camera("gate"), "Cổng chợ", spot(0.25, 0.5), by()).unwrap();
    storage.place_camera(&camera("old"), "Cổng cũ", spot(0.0, 1.0), by()).unwrap();
    let found = storage.map().unwrap().cameras;
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.camera.as_str(), one.name.as_str(), one.severity, one.open, one.mute))
        .collect();
    assert_eq!(
        told,
        [
            ("gate", "Cổng chợ", Some(Severity::Warning), 2, None),
            ("old", "Cổng cũ", None, 0, None),
            ("yard", "yard", None, 0, Some(Mute::Camera)),
        ]
    );
    assert_eq!(
        found.iter().map(|one| one.spot).collect::<Vec<_>>(),
        [Some(spot(0.25, 0.5)), Some(spot(0.0, 1.0)), None]
    );
    // The whole box goes silent.
    let kind = NoticeKind::Box(sender("box-1"), Reported::Silent);
    let notices = vec![Notice { at: after(2), kind, detail: None }];
    storage.take(&Batch { notices, ..Batch::default() }).unwrap();
    assert!(storage.map().unwrap().cameras.iter().all(|one| one.mute == Some(Mute::Box)));
}

#[test]
fn places_and_plan_are_moved_and_removed_and_each_step_is_audited() {
    let (_place, mut storage) = filled();
    assert_eq!((storage.map().unwrap().plan, storage.plan_picture().unwrap()), (None, None));
    storage.set_plan(&plan(), by()).unwrap();
    storage.set_plan(&NewPlan { width: 9, ..plan() }, by()).unwrap();
    assert_eq!(storage.map().unwrap().plan.unwrap().width, 9);
    assert_eq!(storage.plan_picture().unwrap().unwrap().0, [0xff, 0xd8, 0xff]);
    storage.place_camera(&camera("gate"), "Cổng", spot(0.1, 0.1), by()).unwrap();
    storage.place_camera(&camera("gate"), "Cổng", spot(0.2, 0.1), by()).unwrap();
    let placed =
        |storage: &Storage| storage.map().unwrap().cameras.iter().find_map(|one| one.spot.map(Spot::x));
    assert_eq!(placed(&storage), Some(0.2));
    assert!(storage.unplace_camera(&camera("gate"), by()).unwrap());
    assert!(!storage.unplace_camera(&camera("gate"), by()).unwrap());
    assert!(storage.remove_plan(by()).unwrap());
    assert!(!storage.remove_plan(by()).unwrap());
    assert_eq!(placed(&storage), None);
    let steps: Vec<String> = storage
        .audited(10)
        .unwrap()
        .into_iter()
        .rev()
        .map(|row| format!("{} {}", row.action, row.about))
        .collect();
    assert_eq!(
        steps,
        [
            "map-plan 8x6 sha256 ab",
            "map-plan 9x6 sha256 ab",
            "map-place ben-nghe/box-1/gate 10.0 % 10.0 %",
            "map-place ben-nghe/box-1/gate 20.0 % 10.0 %",
            "map-unplace ben-nghe/box-1/gate",
            "map-plan-remove ",
        ]
    );
    storage.note_end().unwrap();
    assert_eq!(storage.verify_log(None).unwrap().faults, [""; 0]);
}

#[test]
fn a_place_is_on_the_plan() {
    for (x, y) in [(-0.1, 0.5), (0.5, 1.1), (f64::NAN, 0.5), (f64::INFINITY, 0.0)] {
        assert_eq!(Spot::new(x, y), None, "{x} {y}");
    }
}

/// The version before knows all steps but the last one, and works on.
#[test]
fn the_version_before_may_use_the_database() {
    let (place, storage) = filled();
    let least = storage.meta("readable_from").unwrap().unwrap();
    let step = STEPS.iter().position(|step| step.contains("map_place")).unwrap();
    assert!(usize::try_from(least).unwrap() <= step, "it is readable from {least}");
    drop(storage);
    // A database of the version before gets the tables, and keeps what it has.
    let path = place.path().join("old.sqlite");
    let old = Connection::open(&path).unwrap();
    for step in &STEPS[..step] {
        old.execute_batch(step).unwrap();
    }
    old.execute("INSERT INTO box (ward, id) VALUES ('ben-nghe', 'box-1')", []).unwrap();
    old.pragma_update(None, "user_version", i64::try_from(step).unwrap()).unwrap();
    drop(old);
    let mut storage = Storage::open(&path).unwrap();
    storage.place_camera(&camera("gate"), "Cổng", spot(0.1, 0.1), by()).unwrap();
    assert_eq!((storage.boxes().unwrap().len(), storage.map().unwrap().cameras.len()), (1, 1));
}
