//! An upgrade: the store and the post's database that an older program wrote, under today's programs.
//!
//! `tests/upgrade/one-package.tar.gz` was written by both programs at commit c76a782, the last one before the crates, and
//! Mosquitto. The box recorded 60 s of one camera in eight segments and told of four events. wardpost stored the first two
//! (`seq` 1 to 4) and was stopped, so that the other two wait (5 to 8). The first one's footage was held and exported, and its
//! thumbnail was shown at the post.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use clipstore::{Catalogue, ClipFilter, access};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use wardlink::Publisher;
use wardpost::Storage;

use crate::post::station::{ACKS, Station, wait_for_ack};
use crate::publish::post::of_post;
use crate::publish::{LONG, Telling};
use crate::store::{assert_agrees, clip_files, open, settings};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::sample::{fragment, opened};
use crate::support::wait_until;

/// Outbox of the store.
const OUTBOX: &str = "551693ae-5478-4f6b-b538-52d8e3996548";
/// The four events, in the order of their `seq`.
const EVENTS: [&str; 4] = [
    "01a22e39-496a-7f1c-956e-0e28dc6c6990",
    "01a22e39-84a3-714d-96ea-670f69566037",
    "01a22e39-bff2-7266-8ba2-92a60d4587e3",
    "01a22e39-fb32-71c6-8fdf-21e16292ce2a",
];

/// Unpacks the folders `store` and `post`.
fn unpacked(into: &Path) {
    let packed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upgrade/one-package.tar.gz");
    let tar = Command::new("tar").arg("-xzf").arg(packed).arg("-C").arg(into).status().unwrap();
    assert!(tar.success());
}

fn wardwatch(arguments: &[&str], store: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardwatch"));
    command.args(arguments).arg("--directory").arg(store).env_remove("RUST_LOG").output().unwrap()
}

/// Columns of all tables of a database, with their types.
fn columns(database: &Path) -> Vec<(String, String, String)> {
    let connection = Connection::open(database).unwrap();
    let mut select = connection
        .prepare(
            "SELECT tables.name, columns.name, columns.type
             FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
             WHERE tables.type = 'table' ORDER BY 1, 2",
        )
        .unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn footage_of_the_version_before_is_listed_and_exported_and_recording_goes_on() {
    let place = TempDir::new().unwrap();
    unpacked(place.path());
    let directory = place.path().join("store");
    let contents = || -> Vec<(PathBuf, Vec<u8>)> {
        clip_files(&directory).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    };
    let before = contents();
    let bytes: usize = before.iter().map(|(_, content)| content.len()).sum();

    let store = open(settings(&directory));
    let catalogue = Catalogue::open(&directory).unwrap();
    let gate = ClipFilter { camera: Some("gate".parse().unwrap()), ..ClipFilter::default() };
    let segments = catalogue.segments(&gate).unwrap();
    let indexed: u64 = segments.iter().map(|segment| segment.bytes).sum();
    assert_eq!((before.len(), segments.len(), indexed), (8, 8, bytes as u64));
    assert!(segments.iter().all(|segment| segment.ended && (segment.width, segment.height) == (320, 192)));
    let mut listed: Vec<String> = Vec::new();
    for clip in catalogue.clips(&gate).unwrap() {
        assert!(clip.segments > 0 && clip.closed_at.is_some(), "{clip:?}");
        listed.insert(0, clip.alert.to_string());
    }
    assert_eq!(listed, EVENTS);
    store.append(fragment("gate", 0, 1000)).unwrap();
    wait_until("today's fragment is indexed", LONG, || catalogue.segments(&gate).unwrap().len() == 9);
    store.close();
    drop((catalogue, store));
    assert_agrees(&directory);
    let after = contents();
    assert!(before.iter().all(|file| after.contains(file)), "no file was changed");

    let out = place.path().join("out");
    fs::create_dir(&out).unwrap();
    let export = ["clips", "export", EVENTS[0], EVENTS[3], "--reason", "r", "--json", "--output"];
    let exported = wardwatch(&[&export[..], &[out.to_str().unwrap()]].concat(), &directory);
    let exported: Value = serde_json::from_slice(&exported.stdout).unwrap();
    for clip in exported["clips"].as_array().unwrap() {
        assert_eq!((&clip["files"][1], &clip["flaws"]), (&Value::Null, &json!([])));
        assert!(clip["files"][0]["samples"].as_u64().unwrap() >= 40, "4 s at 10 pictures a second: {clip}");
    }
    let checked = wardwatch(&["store", "check", "--deep"], &directory);
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "no fault found\n");
    // Evidence stays held, and the log's chain of checksums goes on.
    let held = wardwatch(&["clips", "holds"], &directory);
    assert!(String::from_utf8_lossy(&held.stdout).starts_with("6quag  gate, "), "{held:?}");
    access::verify(&directory).unwrap();
    assert!(access::read(&directory).unwrap().entries.len() > 3);
}

#[test]
fn waiting_alerts_of_the_version_before_reach_the_post_under_their_numbers() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let acks = broker.subscriber(ACKS);
    let mut station = Station::prepare(&broker, &["--ward", "ben-nghe", "--keep-days", "36500"]);
    unpacked(station.place.path());
    fs::rename(station.place.path().join("post/post.sqlite"), station.database()).unwrap();
    let before = station.stored();
    let both = |events: &[&str]| -> Vec<(String, String)> {
        events
            .iter()
            .flat_map(|event| ["opened", "closed"].map(|phase| ((*event).to_owned(), phase.to_owned())))
            .collect()
    };
    assert_eq!(before, both(&EVENTS[..2]));
    station.serve();
    // The post still knows which numbers it has.
    assert_eq!(wait_for_ack(&acks, "box-1", 4, 4).outbox.to_string(), OUTBOX);

    let directory = station.place.path().join("store");
    let store = open(settings(&directory));
    assert_eq!(store.outbox_id().unwrap().to_string(), OUTBOX);
    assert_eq!(store.waiting(0, 100).unwrap(), [5, 6, 7, 8]);
    let publisher =
        Publisher::start(of_post(broker.port), Arc::new(store.clone()), Arc::new(Telling::default()))
            .unwrap();
    wait_until("the outbox is empty", LONG, || store.outbox_depth().unwrap().0 == 0);
    let new = store.put_alert(opened("gate", Duration::ZERO)).unwrap();
    assert_eq!((new.seq, new.outbox.to_string().as_str()), (9, OUTBOX));
    publisher.wake();
    assert_eq!(wait_for_ack(&acks, "box-1", 9, 9).outbox.to_string(), OUTBOX);
    let mut expected = both(&EVENTS);
    expected.push((new.id.to_string(), "opened".to_owned()));
    assert_eq!(station.stored(), expected);
    for event in EVENTS {
        let thumbnail = station.place.path().join(event);
        station.run("show", &[event, "--thumbnail", thumbnail.to_str().unwrap()]);
        assert!(image::load_from_memory(&fs::read(thumbnail).unwrap()).is_ok(), "{event}");
    }
    // A view by the old program, and four of today.
    let log = String::from_utf8(station.run("log", &[]).stdout).unwrap();
    assert_eq!(log.matches("ben-nghe/box-1 01a22e39-").count(), 5, "{log}");
}

#[test]
fn a_database_of_the_version_before_gets_the_columns_of_a_new_one() {
    let place = TempDir::new().unwrap();
    unpacked(place.path());
    let new = place.path().join("new");
    for store in [place.path().join("store"), new.clone()] {
        open(settings(&store)).close();
    }
    for database in [place.path().join("post/post.sqlite"), new.join("post.sqlite")] {
        drop(Storage::open(&database).unwrap());
    }
    for (old, new) in [("store/index.sqlite", "new/index.sqlite"), ("post/post.sqlite", "new/post.sqlite")] {
        let new = columns(&place.path().join(new));
        assert!(new.len() > 40, "the columns are found");
        assert_eq!(columns(&place.path().join(old)), new, "{old}");
    }
}
