//! Stores in trouble: rows that are refused, files that somebody removes.

use super::*;
use crate::inspect::{self, Depth};
use crate::testing::{draft, fragment, wait_until};
use crate::{ClipFilter, Store};
use base::clock::SystemClock;
use base::event::Phase;
use std::path::Path;

fn settings(directory: &Path) -> Settings {
    Settings {
        free_bytes_min: 0,
        free_inodes_min: 0,
        sync_interval: Duration::from_millis(20),
        ..Settings::new(directory.to_owned())
    }
}

fn open(directory: &Path) -> Store {
    Store::open(settings(directory), Arc::new(SystemClock)).unwrap()
}

fn bytes_of(store: &Store, camera: &str) -> u64 {
    let filter = ClipFilter { camera: Some(camera.parse().unwrap()), ..ClipFilter::default() };
    store.segments(&filter).unwrap().iter().map(|segment| segment.bytes).sum()
}

#[test]
fn rows_that_the_index_refuses_keep_no_other_cameras_rows_out() {
    const REFUSE: &str = "CREATE TRIGGER refuse BEFORE INSERT ON fragment
        WHEN (SELECT camera FROM segment WHERE id = NEW.segment) = 'bad'
        BEGIN SELECT RAISE(ABORT, 'refused'); END";
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    rusqlite::Connection::open(crate::index_path(place.path())).unwrap().execute_batch(REFUSE).unwrap();
    for number in 0..3 {
        store.append(fragment("bad", number)).unwrap();
        store.append(fragment("gate", number)).unwrap();
    }
    store.close();
    let vitals = store.vitals();
    assert!(bytes_of(&store, "gate") > 0 && bytes_of(&store, "bad") == 0);
    assert_eq!((vitals.lost_fragments, vitals.index_unwritable), (3, None));
    assert_eq!(inspect::check(&settings(place.path()), Depth::Deep, &mut |_, _| {}).unwrap(), []);
}

#[test]
fn an_index_that_somebody_removes_is_written_again_with_its_alerts() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let opened = draft("gate");
    assert_eq!(store.put_alert(opened.clone()).unwrap().seq, 1);
    store.append(fragment("gate", 0)).unwrap();
    wait_until(|| bytes_of(&store, "gate") > 0);
    let outbox = store.outbox_id().unwrap();
    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(place.path().join(format!("index.sqlite{end}"))).unwrap();
    }
    let mut closed = opened;
    closed.event.phase = Phase::Closed;
    closed.event.closed_at = Some(closed.event.opened_at);
    assert_eq!(store.put_alert(closed).unwrap().seq, 2);
    assert_eq!(store.waiting(0, 10).unwrap(), [1, 2]);
    assert_eq!(store.outbox_id().unwrap(), outbox);
    store.close();
    let again = open(place.path());
    assert_eq!(again.waiting(0, 10).unwrap(), [1, 2], "they are on the disk");
    assert!(bytes_of(&again, "gate") > 0);
}

#[test]
fn footage_goes_on_where_somebody_removes_the_folder_of_the_clips() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let clips = crate::clips_path(place.path());
    store.append(fragment("gate", 0)).unwrap();
    wait_until(|| bytes_of(&store, "gate") > 0);
    std::fs::remove_dir_all(&clips).unwrap();
    store.append(fragment("gate", 1)).unwrap();
    wait_until(|| store.vitals().lost_fragments == 1);
    store.append(fragment("gate", 2)).unwrap();
    wait_until(|| {
        let segments = store.segments(&ClipFilter::default()).unwrap();
        segments.iter().any(|segment| segment.path.exists())
    });
    wait_until(|| store.vitals().clips_unwritable.is_none());
}
