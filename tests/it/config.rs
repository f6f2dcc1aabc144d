//! The configuration from real files: a right one, and every way to be wrong.

mod example;
mod files;
mod wrong;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use analysis::rules::{Day, Kind, RuleArea, RuleSettings, intrusion};
use base::event::Severity;
use base::fragment::StreamRole;
use camera::{RtspSource, Source, Transport};
use wardwatch::cli::check;
use wardwatch::config::{self, Problem, Settings};
use wardwatch::infer::DetectorChoice;

const PASSWORD: &str = "hunter2";

/// A configuration with one of everything, on which the cases below go wrong.
const GOOD: &str = r#"
[box]
ward = "ben-nghe"
id = "box-1"

[store]
directory = "store"

[broker]
url = "mqtt://127.0.0.1:1883"

[detector]
model = "motion"

[camera.gate]
main = "rtsp://192.168.1.20/main"
transport = "tcp"

[camera.gate.zone.yard]
points = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]

[camera.gate.tripwire.stop]
from = [0.2, 0.7]
to = [0.8, 0.7]

[rule.night]
kind = "intrusion"
cameras = ["gate"]
zone = "yard"
schedule = [{ days = ["mon"], from = "22:00", to = "05:00" }]

[rule.line]
kind = "tripwire"
cameras = ["gate"]
tripwire = "stop"
"#;

/// A folder with a configuration, and files that it can name.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.path("conf.d")).unwrap();
        fs::create_dir(folder.path("secrets")).unwrap();
        for (name, text, mode) in [
            ("secrets/password", "hunter2\n", 0o600),
            ("secrets/public", "hunter2\n", 0o644),
            ("secrets/empty", "\n", 0o600),
            ("secrets/key.pem", "", 0o640),
            ("ca.pem", "", 0o644),
            ("cert.pem", "", 0o644),
            ("clip.mp4", "", 0o644),
            ("network.toml", "", 0o644),
        ] {
            folder.write(name, text, mode);
        }
        folder
    }

    fn with(text: &str) -> Self {
        let folder = Self::new();
        folder.write("wardwatch.toml", text, 0o644);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Settings, Vec<Problem>> {
        config::load(&self.path("wardwatch.toml")).map_err(|problems| problems.0)
    }

    fn problems(&self) -> Vec<Problem> {
        self.load().expect_err("something is wrong with it")
    }
}

/// [`GOOD`] with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?} must stand in GOOD once");
    GOOD.replacen(from, to, 1)
}

#[test]
fn night_holidays_and_ground_become_settings() {
    let ground = "ground = { picture = [[0.2, 0.9], [0.8, 0.9], [0.6, 0.4], [0.4, 0.4]], metres = [[0, 0], [6, 0], [6, 20], [0, 20]] }";
    let text = changed("transport = \"tcp\"", ground)
        .replacen("[rule.line]", "[rule.night.night]\nseconds_min = 3\n[rule.line]", 1)
        .replacen(
            "id = \"box-1\"",
            "id = \"box-1\"\nholidays = [\"2026-09-02\"]\nnight = { from = \"19:00\" }",
            1,
        )
        .replacen("days = [\"mon\"]", "days = [\"mon\", \"holiday\"]", 1);
    let settings = Folder::with(&text).load().unwrap();
    let [line, night, _, _] = settings.rules.as_slice() else { panic!("two rules and the default ones") };
    assert_eq!((line.night.is_none(), line.ground.is_some()), (true, true));
    assert_eq!(night.kind, Kind::Intrusion(intrusion::Params { seconds_min: 1.0 }));
    assert_eq!(night.night, Some(Kind::Intrusion(intrusion::Params { seconds_min: 3.0 })));
    assert_eq!(night.schedule.windows[0].days[1], Day::Holiday);
    assert_eq!(night.schedule.holidays.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2026-09-02"]);
    let hours =
        (night.schedule.night.from.hour(), night.schedule.night.to.hour(), night.schedule.night.to.minute());
    assert_eq!(hours, (19, 5, 30));
}

#[test]
fn the_good_one_becomes_settings() {
    let settings = Folder::with(GOOD).load().unwrap();
    assert_eq!((settings.ward.as_str(), settings.box_id.as_str()), ("ben-nghe", "box-1"));
    assert_eq!(settings.timezone.iana_name(), Some("Asia/Ho_Chi_Minh"));
    assert_eq!(settings.store.clip_bytes_max, clipstore::NO_LIMIT);
    assert!(settings.store.directory.ends_with("store") && settings.store.directory.is_absolute());
    assert_eq!((settings.broker.host.as_str(), settings.broker.port), ("127.0.0.1", 1883));
    assert_eq!(settings.broker.tls, None);
    assert_eq!(settings.broker.home_assistant.prefix, None, "off unless somebody asks for it");
    assert_eq!(settings.detect.detector, DetectorChoice::Motion);
    assert!(settings.detect.workers >= 1);
    let [camera] = settings.cameras.as_slice() else { panic!("one camera") };
    assert_eq!((camera.camera.name.as_str(), camera.pre_roll), ("gate", Duration::from_secs(10)));
    assert!(camera.masks.is_empty());
    let [main] = camera.streams.as_slice() else { panic!("one stream") };
    assert_eq!((main.role, main.record, main.watch_fps_max), (StreamRole::Main, true, Some(5.0)));
    let [line, night, _, _] = settings.rules.as_slice() else { panic!("two rules and the default ones") };
    assert!(matches!(&line.place, RuleArea::Tripwire(wire) if wire.id.as_str() == "stop"));
    assert!(matches!(&night.place, RuleArea::Zone(zone) if zone.id.as_str() == "yard"));
    assert_eq!(night.schedule.windows.len(), 1);
}

/// True for a rule that a camera has without being named by one.
fn is_default(rule: &RuleSettings) -> bool {
    ["camera-offline", "camera-sabotage"].contains(&rule.id.as_str())
}

#[test]
fn every_camera_has_the_rules_about_itself_unless_somebody_says_otherwise() {
    let default = |text: &str| -> Vec<String> {
        let settings = Folder::with(text).load().unwrap();
        let rules = settings.rules.iter().filter(|rule| is_default(rule));
        rules.map(|rule| format!("{} {} {}", rule.camera, rule.name, rule.severity.as_str())).collect()
    };
    let (offline, sabotage) = ("gate Camera mất kết nối warning", "gate Camera bị phá hoại warning");
    assert_eq!(default(GOOD), [offline, sabotage]);
    let english = changed("id = \"box-1\"", "id = \"box-1\"\nlanguage = \"en\"");
    assert_eq!(default(&english), ["gate Camera offline warning", "gate Camera sabotage warning"]);
    let off = changed("transport = \"tcp\"", "alert_offline = false");
    assert_eq!(default(&off), [sabotage]);
    let off = changed("transport = \"tcp\"", "alert_offline = false\nalert_sabotage = false");
    assert_eq!(default(&off), [""; 0]);
    // A rule that names the camera is the only one of its kind; one that names another camera is not.
    let own = "\n[rule.own]\nkind = \"camera_offline\"\ncameras = [\"CAMERA\"]\nseverity = \"critical\"\nseconds_min = 600\n";
    let yard = "\n[camera.yard]\nmain = \"file://clip.mp4\"\n";
    let text = format!("{GOOD}{yard}{}", own.replace("CAMERA", "gate"));
    assert_eq!(default(&text), [sabotage]);
    let settings = Folder::with(&text).load().unwrap();
    let kept: Vec<_> = settings.rules.iter().filter(|rule| rule.kind.as_str() == "camera_offline").collect();
    assert!(kept.len() == 1 && kept[0].id.as_str() == "own" && kept[0].severity == Severity::Critical);
    assert_eq!(default(&format!("{GOOD}{yard}{}", own.replace("CAMERA", "yard"))), [offline, sabotage]);
}

#[test]
fn home_assistant_is_told_where_somebody_asks_for_it() {
    let with = |table: &str| {
        let settings =
            Folder::with(&changed("[detector]\n", &format!("{table}[detector]\n"))).load().unwrap();
        assert!(settings.broker.home_assistant.file.starts_with(&settings.store.directory));
        settings.broker.home_assistant.prefix
    };
    assert_eq!(with("[home_assistant]\ndiscovery = true\n").as_deref(), Some("homeassistant"));
    assert_eq!(with("[home_assistant]\ndiscovery = true\ntopic_prefix = \"ha\"\n").as_deref(), Some("ha"));
    assert_eq!(with("[home_assistant]\ntopic_prefix = \"ha\"\n"), None);
}

#[test]
fn streams_and_secrets_become_settings() {
    let text = changed(
        "transport = \"tcp\"",
        "sub = \"rtsps://192.168.1.20/sub\"\ntransport = \"udp\"\nca_file = \"ca.pem\"\nuser = \"admin\"\n\
         password_file = \"secrets/password\"\n[camera.film]\nmain = \"file://clip.mp4\"\nloop_file = true\n\
         [camera.watched]\nmain = \"rtsp://h/1\"\nsub = \"rtsp://h/2\"\nrecord = false",
    );
    let text = text.replacen(
        "mqtt://127.0.0.1:1883\"",
        "mqtts://[::1]\"\nca_file = \"ca.pem\"\ncert_file = \"cert.pem\"\nkey_file = \"secrets/key.pem\"\n\
         user = \"box\"\npassword_file = \"secrets/password\"",
        1,
    );
    let text = text.replacen("model = \"motion\"", "model = \"network.toml\"", 1);
    let folder = Folder::with(&text);
    let settings = folder.load().unwrap();
    let [film, gate, watched] = settings.cameras.as_slice() else { panic!("three cameras") };
    let looped = Source::File { path: folder.path("clip.mp4"), looped: true };
    assert_eq!(film.streams[0].source, looped);
    let [main, sub] = gate.streams.as_slice() else { panic!("two streams") };
    assert_eq!((main.role, main.record, main.watch_fps_max), (StreamRole::Main, true, None));
    assert_eq!((sub.role, sub.record, sub.watch_fps_max), (StreamRole::Sub, false, Some(5.0)));
    let Source::Rtsp(RtspSource { url, transport, credentials, ca_file }) = &sub.source else {
        panic!("RTSP")
    };
    assert_eq!((url.as_str(), *transport), ("rtsps://192.168.1.20/sub", Transport::Udp));
    assert_eq!(credentials.as_ref().unwrap().password.reveal(), PASSWORD);
    assert_eq!(*ca_file, Some(folder.path("ca.pem")));
    assert_eq!(watched.streams.iter().map(|stream| stream.role).collect::<Vec<_>>(), [StreamRole::Sub]);
    let broker = &settings.broker;
    assert_eq!((broker.host.as_str(), broker.port), ("::1", 8883));
    assert_eq!(broker.credentials.as_ref().unwrap().password.reveal(), PASSWORD);
    assert!(broker.tls.as_ref().unwrap().identity.is_some());
    assert_eq!(settings.detect.detector, DetectorChoice::Network(folder.path("network.toml")));
    assert!(!format!("{settings:?} {settings:#?}").contains(PASSWORD));
}

#[test]
fn what_the_unit_hands_over_is_found_by_hand_too() {
    let folder = Folder::with(&changed(
        "transport = \"tcp\"",
        "user = \"admin\"\npassword_file = \"secrets/password\"",
    ));
    folder.write(
        "conf.d/10-yard.toml",
        "[camera.yard]\nmain = \"rtsp://h/1\"\nuser = \"admin\"\npassword_file = \"credential:secrets_password\"\n",
        0o644,
    );
    let settings = folder.load().unwrap();
    let Source::Rtsp(RtspSource { credentials, .. }) = &settings.cameras[1].streams[0].source else {
        panic!("RTSP")
    };
    assert_eq!(credentials.as_ref().unwrap().password.reveal(), PASSWORD);
}

#[test]
fn check_exits_with_3_where_something_is_wrong() {
    let run = |folder: &Folder, json| {
        let code =
            check::run(check::Args { config: folder.path("wardwatch.toml"), user: None, json }).unwrap();
        format!("{code:?}")
    };
    let (good, bad) = (Folder::with(GOOD), Folder::with("[box]\n"));
    for json in [false, true] {
        assert_eq!(run(&good, json), format!("{:?}", std::process::ExitCode::SUCCESS));
        assert_eq!(run(&bad, json), format!("{:?}", std::process::ExitCode::from(3)));
    }
}
