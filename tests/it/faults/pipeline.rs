//! kill -9 of the whole box: `wardwatch run` with RTSP cameras and a broker, started again on the same store each time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::alert::Alert;
use base::clock::SystemClock;
use base::time::WallTime;
use clipstore::{Catalogue, ClipFilter, Settings, Store};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use streetsim::server::{Access, CameraServer, Feed};
use streetsim::{Scene, Settings as SceneSettings};
use tempfile::TempDir;

use super::{figure, rounds};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::wait_until;

const SCENARIO: &str = "kill -9 of the whole box";
const CAMERAS: [&str; 2] = ["cho", "cau"];
const PATIENCE: Duration = Duration::from_secs(60);

fn street_camera(seed: u64) -> CameraServer {
    let settings = SceneSettings { seed, ..SceneSettings::default() };
    let (fps, scene) = (settings.fps as u32, Scene::new(settings));
    let server = CameraServer::start(0, &Access::default()).unwrap();
    let draw = Arc::new(move |index| scene.frame(index).0);
    server.mount("/main", Feed::Drawn { fps, kbit_per_second: 800, draw }).unwrap();
    server
}

/// Two cameras; an alert whenever something crosses the middle of the picture.
fn config(broker: u16, cameras: &[CameraServer]) -> String {
    let wire = Scene::new(SceneSettings::default()).places().tripwire;
    let cameras = CAMERAS.iter().zip(cameras).map(|(id, server)| {
        format!(
            "[camera.{id}]\nmain = \"{}\"\n[camera.{id}.tripwire.street]\nfrom = [{}, {}]\nto = [{}, {}]\n\
             [rule.{id}]\nkind = \"tripwire\"\ncameras = [\"{id}\"]\ntripwire = \"street\"\ncool_down_seconds = 1\n",
            server.url("/main"),
            wire.from.x,
            wire.from.y,
            wire.to.x,
            wire.to.y
        )
    });
    let cameras: String = cameras.collect();
    format!(
        "[box]\nward = \"ben-nghe\"\nid = \"box-1\"\n[store]\ndirectory = \"store\"\nclip_bytes_max = \"1 GiB\"\n\
         segment_seconds = 5\n[broker]\nurl = \"mqtt://127.0.0.1:{broker}\"\n{cameras}"
    )
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(place: &Path) -> Killed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardwatch"));
    command.args(["run", "--config"]).arg(place.join("wardwatch.toml")).stderr(Stdio::null());
    Killed(command.spawn().unwrap())
}

/// End of each camera's indexed footage.
fn indexed(store: &Path) -> BTreeMap<&'static str, WallTime> {
    let Ok(catalogue) = Catalogue::open(store) else { return BTreeMap::new() };
    CAMERAS
        .iter()
        .filter_map(|camera| {
            let filter = ClipFilter { camera: camera.parse().ok(), limit: Some(1), ..ClipFilter::default() };
            Some((*camera, catalogue.segments(&filter).ok()?.first()?.ends_at))
        })
        .collect()
}

/// Asserts that every row describes bytes that are there and right, that the index is whole, and `seq` without holes.
fn agree(store: &Path) {
    let index = Connection::open(store.join("index.sqlite")).unwrap();
    let verdict: String = index.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let mut rows = index
        .prepare("SELECT path, offset_bytes + fragment.bytes, sha256 FROM fragment JOIN segment ON segment.id = segment")
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    for row in rows {
        let (path, end, sha256): (String, u32, Vec<u8>) = row.unwrap();
        let path = store.join("clips").join(path);
        let content = std::fs::read(&path).unwrap();
        let there = content.get(..end as usize).map(Sha256::digest);
        assert_eq!(there.as_deref(), Some(&sha256[..]), "{}", path.display());
    }
    let counts = "SELECT count(*) = max(seq) AND max(seq) = (SELECT last FROM sequence) FROM alert";
    assert!(
        index.query_row(counts, [], |row| row.get::<_, Option<bool>>(0)).unwrap().unwrap_or(true),
        "seq has holes"
    );
}

/// Asserts that ffprobe reads each file to its end without a complaint.
fn play(files: &[PathBuf]) {
    for file in files {
        let probe =
            Command::new("ffprobe").args(["-v", "error", "-show_packets", "-of", "csv"]).arg(file).output();
        let Ok(probe) = probe else {
            eprintln!("skipped: no ffprobe to play the files with");
            return;
        };
        let said = String::from_utf8_lossy(&probe.stderr);
        assert!(
            probe.status.success() && said.is_empty() && !probe.stdout.is_empty(),
            "{}: {said}",
            file.display()
        );
    }
}

#[test]
fn a_box_killed_at_any_point_keeps_the_promise() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/+/+/alert");
    let cameras = [street_camera(1), street_camera(2)];
    let place = TempDir::new().unwrap();
    let store = place.path().join("store");
    std::fs::write(place.path().join("wardwatch.toml"), config(broker.port, &cameras)).unwrap();
    let mut random = StdRng::seed_from_u64(5);
    let (count, mut lost_span) = (rounds(2, 25), Duration::ZERO);
    for _ in 0..count {
        let before = indexed(&store);
        let daemon = start(place.path());
        wait_until("each camera has new footage", PATIENCE, || {
            let now = indexed(&store);
            CAMERAS.iter().all(|camera| now.get(camera) > before.get(camera))
        });
        let end = Instant::now() + Duration::from_millis(random.random_range(0..4000));
        let mut promised = indexed(&store);
        while Instant::now() < end {
            promised = indexed(&store);
            std::thread::sleep(Duration::from_millis(10));
        }
        let killed_at = base::clock::wall();
        drop(daemon);

        Store::open(Settings::new(store.clone()), Arc::new(SystemClock)).unwrap().close();
        agree(&store);
        for (camera, until) in indexed(&store) {
            assert!(until >= promised[camera], "{camera}: {} was indexed, {until} is left", promised[camera]);
            lost_span = lost_span.max(killed_at.since(until));
        }
        let newest = Catalogue::open(&store).unwrap().segments(&ClipFilter::default()).unwrap();
        play(&newest.iter().take(4).map(|segment| segment.path.clone()).collect::<Vec<_>>());
    }
    // The box still knows all alerts that the post has seen.
    let index = Connection::open(store.join("index.sqlite")).unwrap();
    let seen: Vec<Alert> = subscriber
        .messages()
        .iter()
        .map(|message| serde_json::from_slice(&message.payload).unwrap())
        .collect();
    for alert in &seen {
        let known = "SELECT count(*) FROM alert WHERE seq = ?1 AND event = ?2";
        let known: u32 =
            index.query_row(known, (alert.seq as i64, alert.id.to_string()), |row| row.get(0)).unwrap();
        assert_eq!(known, 1, "alert {} was sent and is gone", alert.seq);
    }
    figure(SCENARIO, "rounds", format!("{count}, {} alerts seen by the post, 0 of them lost", seen.len()));
    figure(
        SCENARIO,
        "footage ends before the kill",
        format!("{} ms at most (GOP 2 s + sync interval 1 s)", lost_span.as_millis()),
    );
}
