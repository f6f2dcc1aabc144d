//! The whole box: `wardwatch run` and `wardwatch demo` as their users start them.

mod demo;
mod disk;
mod ports;
mod reload;
mod service;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base::alert::{Alert, NOT_KEPT};
use base::clock::{self, SystemClock};
use base::detection::Label;
use base::status::{Presence, Status, StoreState, StreamState};
use base::vitals::Vitals;
use camera::supervise;
use clipstore::{Catalogue, ClipFilter, Store};
use rustix::process::{Pid, Signal, kill_process};
use streetsim::server::{Access, CameraServer, Feed};
use streetsim::{Scene, Settings};
use wardpost::Storage;

use crate::post::station::Station;
use crate::support::broker::{BrokerOptions, Subscriber, TestBroker};
use crate::support::camera::{session_program, stream};
use crate::support::{shared, slices, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// A drawn street as a camera.
fn street(seed: u64) -> (Feed, Scene) {
    let settings = Settings { seed, ..Settings::default() };
    let scene = Scene::new(settings.clone());
    let draw = Arc::new(move |index| scene.frame(index).0);
    (Feed::Drawn { fps: settings.fps as u32, kbit_per_second: 1000, draw }, Scene::new(settings))
}

fn street_camera(port: u16, seed: u64) -> CameraServer {
    street_camera_for(port, seed, &Access::default())
}

/// The same, for clients that `access` admits.
pub fn street_camera_for(port: u16, seed: u64, access: &Access) -> CameraServer {
    let server = CameraServer::start(port, access).unwrap();
    server.mount("/main", street(seed).0).unwrap();
    server
}

/// `wardwatch run` with its configuration in a folder of its own. Killed when dropped.
struct Daemon {
    folder: tempfile::TempDir,
    process: Child,
}

impl Daemon {
    fn start(config: &str) -> Self {
        Self::start_with(config, |_| {})
    }

    fn start_with(config: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("wardwatch.toml"), config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wardwatch"));
        command.args(["run", "--config"]).arg(folder.path().join("wardwatch.toml")).stderr(log);
        prepare(&mut command);
        let process = command.spawn().unwrap();
        Self { folder, process }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn footage(&self, camera: &str) -> usize {
        footage_in(&self.path("store"), camera)
    }
}

/// Bytes of a camera's footage.
fn footage_in(store: &Path, camera: &str) -> usize {
    let Ok(catalogue) = Catalogue::open(store) else { return 0 };
    let filter = ClipFilter { camera: Some(camera.parse().unwrap()), ..ClipFilter::default() };
    let segments = catalogue.segments(&filter).unwrap_or_default();
    segments.iter().map(|segment| usize::try_from(segment.bytes).unwrap()).sum()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log\n{}", self.log());
        }
    }
}

fn config(broker: u16, cameras: &[(&str, u16)]) -> String {
    let mut text = format!(
        "[box]\nward = \"ben-nghe\"\nid = \"box-1\"\n[store]\ndirectory = \"store\"\nclip_bytes_max = \"1 GiB\"\n\
         free_bytes_min = 0\nsegment_seconds = 5\n[broker]\nurl = \"mqtt://127.0.0.1:{broker}\"\n\
         acknowledge = \"broker\"\n"
    );
    let wire = Scene::new(Settings::default()).places().tripwire;
    for (id, port) in cameras {
        write!(
            text,
            "[camera.{id}]\nname = \"Ngã tư {id}\"\nmain = \"rtsp://127.0.0.1:{port}/main\"\nstall_seconds = 5\n\
             alert_offline = false\nalert_sabotage = false\n\
             [camera.{id}.tripwire.street]\nfrom = [{}, {}]\nto = [{}, {}]\n\
             [rule.{id}-street]\nkind = \"tripwire\"\ncameras = [\"{id}\"]\ntripwire = \"street\"\ncool_down_seconds = 1\n",
            wire.from.x, wire.from.y, wire.to.x, wire.to.y
        )
        .unwrap();
    }
    text
}

fn alerts_of(subscriber: &Subscriber, camera: &str) -> Vec<Alert> {
    let all = subscriber.messages().into_iter().filter(|message| message.topic.ends_with("/alert"));
    let alerts = all.map(|message| serde_json::from_slice::<Alert>(&message.payload).unwrap());
    alerts.filter(|alert| alert.camera.id.as_str() == camera).collect()
}

fn statuses(subscriber: &Subscriber) -> Vec<Status> {
    let all = subscriber.messages().into_iter().filter(|message| message.topic.ends_with("/status"));
    all.map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
}

#[test]
fn two_cameras_are_recorded_and_watched_and_one_that_dies_disturbs_only_itself() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let (first, second) = (street_camera(0, 1), street_camera(0, 2));
    let port = first.port();
    let mut daemon = Daemon::start(&config(broker.port, &[("cho", port), ("cau", second.port())]));
    for camera in ["cho", "cau"] {
        wait_until("alerts of both cameras", PATIENCE, || !alerts_of(&subscriber, camera).is_empty());
        wait_until("footage of both cameras", PATIENCE, || daemon.footage(camera) > 100_000);
    }
    let alert = alerts_of(&subscriber, "cho").remove(0);
    assert_eq!(
        (alert.seq > 0, alert.rule.kind.as_str(), alert.camera.name.as_str()),
        (true, "tripwire", "Ngã tư cho")
    );
    let thumbnail = image::load_from_memory(&alert.thumbnail.unwrap().0).unwrap();
    assert_eq!((thumbnail.width(), thumbnail.height()), (480, 270));

    let undisturbed = statuses(&subscriber).len();
    first.stop();
    wait_until("seen as away", PATIENCE, || {
        let last = statuses(&subscriber).pop().unwrap();
        last.cameras
            .iter()
            .any(|camera| camera.id.as_str() == "cho" && camera.state == StreamState::BackingOff)
    });
    let (dead, alive) = (daemon.footage("cho"), daemon.footage("cau"));
    wait_until("the other camera goes on", PATIENCE, || daemon.footage("cau") > alive + 200_000);
    let back = street_camera(port, 1);
    wait_until("recorded again", PATIENCE, || daemon.footage("cho") > dead + 50_000);
    for status in &statuses(&subscriber)[undisturbed..] {
        let other = status.cameras.iter().find(|camera| camera.id.as_str() == "cau").unwrap();
        assert_eq!(other.state, StreamState::Live, "the other camera is not disturbed");
    }
    drop(back);

    daemon.signal(Signal::TERM);
    assert!(daemon.process.wait().unwrap().success());
    wait_until("it says good-bye", PATIENCE, || {
        statuses(&subscriber).last().is_some_and(|status| status.presence == Presence::Offline)
    });
}

fn vitals(subscriber: &Subscriber) -> Vec<Vitals> {
    let all = subscriber.messages().into_iter().filter(|message| message.topic.ends_with("/vitals"));
    all.map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
}

#[test]
fn a_network_looks_where_the_gate_says_and_the_vitals_tell() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let camera = street_camera(0, 1);
    let network = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/detect/tiny_yolox.toml");
    let text = config(broker.port, &[("cho", camera.port())]);
    let _daemon = Daemon::start(&format!("{text}[detector]\nmodel = \"{network}\"\n"));
    let of_camera = |vitals: &Vitals| vitals.cameras.iter().any(|camera| camera.looks_per_second > 0.0);
    // A camera that comes late is in the next ones, a minute later.
    wait_until("vitals of a camera", 2 * PATIENCE, || vitals(&subscriber).iter().any(of_camera));
    let vitals = vitals(&subscriber).into_iter().find(of_camera).unwrap();
    assert_eq!((vitals.schema.as_str(), vitals.cameras[0].id.as_str()), ("wardwatch.vitals/1", "cho"));
    let camera = &vitals.cameras[0];
    assert!(camera.fps > 0.0 && camera.looks_per_second > 0.0 && camera.inference > 0.0, "{camera:?}");
    assert!(camera.looks_per_second <= camera.fps + 1.0 / vitals.seconds, "{camera:?}");
    assert!(vitals.disk.clip_bytes > 0 || vitals.disk.free_bytes.is_some());
    assert!(vitals.memory.daemon_bytes > Some(1 << 20) && vitals.throttle > 0.0);
}

#[test]
fn a_disk_that_takes_nothing_does_not_silence_the_box() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let camera = street_camera(0, 1);
    let daemon = Daemon::start(&config(broker.port, &[("cho", camera.port())]));
    wait_until("an alert that is kept", PATIENCE, || !alerts_of(&subscriber, "cho").is_empty());
    assert!(alerts_of(&subscriber, "cho").iter().all(|alert| alert.seq > 0));

    // Another writer of the index keeps the store from writing it.
    let blocker = rusqlite::Connection::open(daemon.path("store/index.sqlite")).unwrap();
    blocker.busy_timeout(PATIENCE).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let sent_unsaved = || {
        let alerts = alerts_of(&subscriber, "cho");
        let unsaved = alerts.into_iter().filter(|alert| alert.seq == NOT_KEPT);
        unsaved.map(|alert| (alert.id, alert.phase)).collect::<Vec<_>>()
    };
    wait_until("two unsaved alerts", PATIENCE, || sent_unsaved().len() >= 2);
    let store_states = || statuses(&subscriber).into_iter().filter_map(|status| status.store);
    wait_until("the post is told", PATIENCE, || {
        store_states().last().is_some_and(|store| store.state == StoreState::Failing)
    });

    blocker.execute_batch("COMMIT").unwrap();
    let told = sent_unsaved();
    wait_until("they come again with their numbers", PATIENCE, || {
        let alerts = alerts_of(&subscriber, "cho");
        let is_kept =
            |told: &(_, _)| alerts.iter().any(|alert| alert.seq > 0 && (alert.id, alert.phase) == *told);
        told.iter().all(is_kept)
    });
    let mut seqs: Vec<u64> = alerts_of(&subscriber, "cho").iter().map(|alert| alert.seq).collect();
    seqs.retain(|seq| *seq != NOT_KEPT);
    seqs.sort_unstable();
    seqs.dedup();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    wait_until("the post is told that it is over", PATIENCE, || {
        store_states().last().is_some_and(|store| store.state == StoreState::Keeping)
    });
}

#[test]
fn real_footage_and_a_network_end_as_alerts_about_cars_and_persons() {
    let (Some(cars), Some(persons)) =
        (shared("clips/opencv4nodejs_traffic.mp4"), shared("clips/intel_person-bicycle-car-detection.mp4"))
    else {
        return;
    };
    let Some(model) = shared("models/yolox_nano_416.onnx") else { return };
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let serve = |port, clip: &Path| {
        let server = CameraServer::start(port, &Access::default()).unwrap();
        server.mount("/main", Feed::File(clip.to_owned())).unwrap();
        server
    };
    let (first, second) = (serve(0, &cars), serve(0, &persons));
    let port = first.port();
    let mut text = config(broker.port, &[("cho", port), ("cau", second.port())]);
    write!(text, "[detector]\nmodel = \"{}\"\n", model.canonicalize().unwrap().display()).unwrap();
    for id in ["cho", "cau"] {
        write!(
            text,
            "[camera.{id}.zone.all]\npoints = [[0, 0], [1, 0], [1, 1], [0, 1]]\n[rule.{id}-car]\nkind = \"intrusion\"\n\
             cameras = [\"{id}\"]\nzone = \"all\"\nlabels = [\"car\"]\n[rule.{id}-person]\nkind = \"intrusion\"\n\
             cameras = [\"{id}\"]\nzone = \"all\"\nlabels = [\"person\"]\n"
        )
        .unwrap();
    }
    // All the way: an alert leaves the outbox once the ward post has it on its disk.
    let text = text.replace("acknowledge = \"broker\"", "acknowledge = \"post\"");
    let station = Station::start(&broker, &["--ward", "ben-nghe"]);
    let daemon = Daemon::start(&text);
    let told = |camera, label| {
        let alerts = alerts_of(&subscriber, camera);
        alerts.into_iter().find(|alert| alert.subjects.first().is_some_and(|subject| subject.label == label))
    };
    wait_until("a car", PATIENCE, || told("cho", Label::Car).is_some());
    wait_until("a person", PATIENCE, || told("cau", Label::Person).is_some());
    for (name, alert) in [("car", told("cho", Label::Car)), ("person", told("cau", Label::Person))] {
        let alert = alert.unwrap();
        assert_eq!(alert.model.name, "yolox_nano_416");
        wait_until("it is at the post", PATIENCE, || {
            station.stored().iter().any(|(id, _)| *id == alert.id.to_string())
        });
        keep_for_eyes(&format!("real-{name}.jpg"), &alert.thumbnail.unwrap().0);
    }
    let outbox = || Catalogue::open(&daemon.path("store")).unwrap().outbox_depth().unwrap().0;
    wait_until("the box is told, and sends nothing again", PATIENCE, || outbox() == 0);
    let known = station.known("box-1");
    assert!(known["missing"] == 0 && known["conflicts"] == 0, "{known}");

    let undisturbed = statuses(&subscriber).len();
    first.stop();
    wait_until("seen as away", PATIENCE, || {
        statuses(&subscriber).last().is_some_and(|status| {
            status
                .cameras
                .iter()
                .any(|camera| camera.id.as_str() == "cho" && camera.state == StreamState::BackingOff)
        })
    });
    let gone_at = clock::wall();
    wait_until("20 s have passed", PATIENCE, || clock::wall().since(gone_at) > Duration::from_secs(20));
    let back = serve(port, &cars);
    let back_at = clock::wall();
    let mut resumed_at = None;
    wait_until("recorded again", PATIENCE, || {
        let catalogue = Catalogue::open(&daemon.path("store")).unwrap();
        let segments =
            catalogue.segments(&ClipFilter { camera: "cho".parse().ok(), ..ClipFilter::default() }).unwrap();
        resumed_at = segments.iter().map(|segment| segment.starts_at).filter(|at| *at >= back_at).min();
        resumed_at.is_some()
    });
    eprintln!("recorded again {:?} after the camera's return", resumed_at.unwrap().since(back_at));
    for status in &statuses(&subscriber)[undisturbed..] {
        let other = status.cameras.iter().find(|camera| camera.id.as_str() == "cau").unwrap();
        assert_eq!(other.state, StreamState::Live, "the other camera is not disturbed");
    }
    drop(back);
}

/// Leaves a picture in the build's folder for tests, for a person to look at.
fn keep_for_eyes(name: &str, bytes: &[u8]) {
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), bytes).unwrap();
}

#[test]
fn a_reload_changes_what_changed_and_a_bad_one_changes_nothing() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let (first, second) = (street_camera(0, 1), street_camera(0, 2));
    let one = config(broker.port, &[("cho", first.port())]);
    let daemon = Daemon::start(&one);
    wait_until("footage", PATIENCE, || daemon.footage("cho") > 50_000);

    std::fs::write(daemon.path("wardwatch.toml"), one.replace("from = [", "form = [")).unwrap();
    daemon.signal(Signal::HUP);
    wait_until("the problem is said", PATIENCE, || daemon.log().contains("the previous one stays in force"));
    assert!(daemon.log().contains("form") && daemon.log().contains("wardwatch.toml"), "{}", daemon.log());

    let two = config(broker.port, &[("cho", first.port()), ("cau", second.port())]);
    std::fs::write(daemon.path("wardwatch.toml"), two).unwrap();
    daemon.signal(Signal::HUP);
    wait_until("the new camera is recorded", PATIENCE, || daemon.footage("cau") > 50_000);
    let states = statuses(&subscriber);
    let first_states =
        states.iter().flat_map(|status| &status.cameras).filter(|camera| camera.id.as_str() == "cho");
    let disturbed = first_states.filter(|camera| camera.state == StreamState::BackingOff).count();
    assert_eq!(disturbed, 0, "the camera that did not change was left alone");
}

#[test]
fn a_box_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let good = config(1883, &[("cho", 8554)]);
    for (config, expected) in [
        (format!("{good}[detector]\nmodel = \"missing.onnx\"\n"), "missing.onnx"),
        (good.replace("[broker]", "[brocker]"), "brocker"),
    ] {
        let path = folder.path().join("wardwatch.toml");
        std::fs::write(&path, config).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_wardwatch"))
            .args(["run", "--config"])
            .arg(&path)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_box_whose_disk_cannot_be_used_at_the_start_says_so_and_waits_for_it() {
    let elsewhere = tempfile::tempdir().unwrap();
    let disk = elsewhere.path().join("disk");
    std::fs::write(&disk, "").unwrap();
    let store = format!("directory = {:?}", disk.join("store"));
    let mut daemon = Daemon::start(&config(1883, &[("cho", 8554)]).replace("directory = \"store\"", &store));
    wait_until("it says why", PATIENCE, || {
        let log = daemon.log();
        log.contains("nothing is recorded until the store can be opened") && log.contains("disk/store")
    });
    std::fs::remove_file(&disk).unwrap();
    std::fs::create_dir(&disk).unwrap();
    wait_until("it records again", PATIENCE, || daemon.log().contains("the store is open"));
    daemon.signal(Signal::TERM);
    assert!(daemon.process.wait().unwrap().success());
}

#[test]
fn a_damaged_network_stops_neither_recording_nor_alerts() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let camera = street_camera(0, 1);
    let elsewhere = tempfile::tempdir().unwrap();
    let network = elsewhere.path().join("broken.onnx");
    std::fs::write(&network, b"not a network").unwrap();
    let good = config(broker.port, &[("cho", camera.port())]);
    let mut daemon = Daemon::start(&format!("{good}[detector]\nmodel = {network:?}\n"));
    wait_until("footage", PATIENCE, || daemon.footage("cho") > 100_000);
    wait_until("alerts by the motion detector", PATIENCE, || !alerts_of(&subscriber, "cho").is_empty());
    assert_eq!(alerts_of(&subscriber, "cho")[0].model.name, "motion");
    let log = daemon.log();
    assert!(log.contains("broken.onnx") && log.contains("the motion detector takes its place"), "{log}");
    let last = statuses(&subscriber).pop().unwrap();
    assert!(last.configuration_faults.iter().any(|fault| fault.contains("broken.onnx")), "{last:?}");
    daemon.signal(Signal::TERM);
    assert!(daemon.process.wait().unwrap().success());
}

#[test]
fn the_demonstration_shows_alerts_and_its_footage_replays() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("demo");
    let demo = Command::new(env!("CARGO_BIN_EXE_wardwatch"))
        .args(["demo", "--seconds", "25", "--output"])
        .arg(&output)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success(), "{said}\n{}", String::from_utf8_lossy(&demo.stderr));
    assert!(said.contains("latency  frame to the post's disk: p50"), "{said}");
    let thumbnails = std::fs::read_dir(output.join("thumbnails")).unwrap().count();
    let tally = said.lines().find_map(|line| line.strip_prefix("alerts   ")).unwrap();
    let opened: usize = tally.split(' ').next().unwrap().parse().unwrap();
    assert!(thumbnails > 0 && thumbnails == opened, "{thumbnails} thumbnails, {opened} alerts:\n{said}");
    let prompt = said.matches("on the post's disk after").count();
    assert!((1..=opened).contains(&prompt), "all but further alerts, which wait on purpose: {said}");
    let post = Storage::open_beside(&output.join("post.sqlite")).unwrap();
    let numbers = post.boxes().unwrap()[0].numbers;
    assert!(numbers.missing == 0 && numbers.contiguous >= opened as u64, "{numbers:?}");
    // The confirmed alerts are gone from the box's outbox. It does not wait for the post when it stops: the last ones stay.
    let catalogue = Catalogue::open(&output.join("store")).unwrap();
    let waiting: Vec<u64> = catalogue.outbox(0, 1000).unwrap().iter().map(|alert| alert.seq).collect();
    assert!(waiting.iter().all(|seq| *seq + 4 > numbers.contiguous), "{waiting:?} of {numbers:?}: {said}");

    let mut segments = catalogue.segments(&ClipFilter::default()).unwrap();
    segments.retain(|segment| segment.camera.as_str() == "le-loi");
    let replay = Command::new(env!("CARGO_BIN_EXE_wardwatch"))
        .arg("replay")
        .arg(&segments.last().unwrap().path)
        .arg("--config")
        .arg(output.join("wardwatch.toml"))
        .args(["--json", "--camera", "le-loi", "--fps", "10", "--jpegs"])
        .arg(folder.path().join("jpegs"))
        .output()
        .unwrap();
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
    let lines: Vec<serde_json::Value> = String::from_utf8(replay.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().any(|line| !line["detections"].as_array().unwrap().is_empty()), "something moved");
    assert!(
        lines.iter().any(|line| line["tracks"].as_array().unwrap().iter().any(|t| t["confirmed"] == true))
    );
    let jpegs = std::fs::read_dir(folder.path().join("jpegs")).unwrap().count();
    assert!(jpegs > 50 && jpegs <= lines.len(), "{jpegs} of {}", lines.len());
}

#[test]
fn nothing_is_lost_at_the_joins_of_segments() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original.mp4");
    // With pictures out of order, as cameras with B-frames send them.
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=7"])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-bf", "2", "-pix_fmt", "yuv420p"])
        .arg(&original)
        .status()
        .unwrap();
    assert!(made.success());
    let server = CameraServer::start(0, &Access::default()).unwrap();
    server.mount("/main", Feed::File(original.clone())).unwrap();
    let settings = clipstore::Settings {
        segment: Duration::from_secs(2),
        sync_interval: Duration::from_millis(500),
        ..crate::store::settings(&folder.path().join("store"))
    };
    let store = Store::open(settings, Arc::new(SystemClock)).unwrap();
    let mut settings = stream("gate", &server.url("/main"));
    settings.watch_fps_max = None;
    let handle = supervise(settings, session_program(), Box::new(ToStore(store.clone())));
    wait_until("six segments", PATIENCE, || store.segments(&ClipFilter::default()).unwrap().len() >= 6);
    handle.stop();
    store.close();

    let mut segments = store.segments(&ClipFilter::default()).unwrap();
    segments.sort_by_key(|segment| segment.starts_at);
    let recorded: Vec<String> = segments.iter().flat_map(|segment| slices(&segment.path)).collect();
    let cycle = slices(&original);
    assert!(recorded.len() > 250, "{} pictures", recorded.len());
    let start =
        cycle.iter().position(|slice| *slice == recorded[0]).expect("the first picture is the camera's");
    for (index, slice) in recorded.iter().enumerate() {
        let wanted = &cycle[(start + index) % cycle.len()];
        assert_eq!(slice, wanted, "picture {index} of {} in {} segments", recorded.len(), segments.len());
    }
}

pub struct ToStore(pub Store);

impl camera::StreamSink for ToStore {
    fn fragment(&mut self, fragment: base::fragment::Fragment) {
        self.0.append(fragment).unwrap();
    }
    fn frame(&mut self, _: base::picture::Frame) {}
    fn report(&mut self, _: camera::StreamReport) {}
}
