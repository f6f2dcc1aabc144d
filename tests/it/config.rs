//! The configuration from real files: a right one, and every way to be wrong.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use analysis::rules::{Day, Kind, RuleArea, crowd, intrusion, wrong_way};
use base::fragment::StreamRole;
use camera::{RtspSource, Source, Transport};
use serde_json::Value;
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

/// The line on which a case marks its problem.
fn marked_line(text: &str) -> usize {
    text.lines().position(|line| line.contains("#!")).expect("a marked line") + 1
}

/// Replaces a part of [`GOOD`]; `#!` marks the line of the one problem that must come of it.
struct Case {
    from: &'static str,
    to: &'static str,
    key: &'static str,
    what: &'static str,
    remedy: &'static str,
}

#[track_caller]
fn assert_cases(cases: &[Case]) {
    for Case { from, to, key, what, remedy } in cases {
        let text = changed(from, to);
        let folder = Folder::with(&text);
        let problems = folder.problems();
        let [problem] = problems.as_slice() else { panic!("{to:?}: one problem expected in {problems:#?}") };
        assert_eq!(problem.file, folder.path("wardwatch.toml"), "{problem}");
        assert_eq!(problem.line, marked_line(&text), "{problem}");
        assert_eq!(problem.key, *key, "{problem}");
        assert!(problem.what.contains(what), "{what:?} in {problem}");
        assert!(problem.remedy.contains(remedy), "{remedy:?} in {problem}");
        assert!(!problem.to_string().contains(PASSWORD), "{problem}");
    }
}

macro_rules! cases {
    ($($from:literal => $to:literal : $key:literal, $what:literal, $remedy:literal;)*) => {
        assert_cases(&[$(Case { from: $from, to: $to, key: $key, what: $what, remedy: $remedy }),*])
    };
}

#[test]
fn wrong_shapes_are_found() {
    cases! {
        "[box]" => "[box]\nwrad = 1 #!": "box.wrad", "no such key", "did you mean ward?";
        "[box]" => "[box]\nzzz = 1 #!": "box.zzz", "no such key", "use one of: holidays, id, night, timezone, ward";
        "ward = \"ben-nghe\"" => "ward = \"ben-nghe\"\nward = \"da-kao\" #!":
            "", "ward is written twice in this table", "keep one";
        "ward = \"ben-nghe\"" => "ward = \0\0\0 #!": "", "there are zero bytes here", "bring back a copy";
        "[box]" => "[cameras] #!\n[box]": "cameras", "no such key", "did you mean camera?";
        "ward = \"ben-nghe\"" => "ward = 7 #!": "box.ward", "is a number, where text is expected", "in quotes";
        "[box]\nward = \"ben-nghe\"" => "[box] #!": "box.ward", "is missing", "add ward: The ward:";
        "[camera.gate]\nmain = \"rtsp://192.168.1.20/main\"" => "[camera.gate] #!":
            "camera.gate.main", "is missing", "rtsp://HOST/PATH";
        "directory = \"store\"" => "segment_seconds = \"60\" #!":
            "store.segment_seconds", "is text, where a number is expected", "without quotes";
        "directory = \"store\"" => "segment_seconds = 0 #!":
            "store.segment_seconds", "0 is out of range", "use at least 1 and at most 3600";
        "directory = \"store\"" => "segment_seconds = inf #!":
            "store.segment_seconds", "is not a number that can be worked with", "finite";
        "model = \"motion\"" => "score_min = 1.5 #!": "detector.score_min", "1.5 is out of range", "at most 1";
        "model = \"motion\"" => "input_size = [640, 360] #!":
            "detector.input_size", "640x360 is no size", "multiple of the network's largest stride";
        "model = \"motion\"" => "workers = 2.5 #!":
            "detector.workers", "is a number, where a whole number is expected", "whole number";
        "transport = \"tcp\"" => "fps_max = 0 #!":
            "camera.gate.fps_max", "0 is out of range", "use more than 0 and at most 30";
        "transport = \"tcp\"" => "fps_max = 31 #!": "camera.gate.fps_max", "31 is out of range", "at most 30";
        "model = \"motion\"" => "cpu_share_max = 0 #!":
            "detector.cpu_share_max", "0 is out of range", "use more than 0 and at most 1";
        "transport = \"tcp\"" => "transport = \"tpc\" #!":
            "camera.gate.transport", "there is no \"tpc\"", "did you mean tcp?";
        "transport = \"tcp\"" => "record = \"yes\" #!":
            "camera.gate.record", "is text, where true or false is expected", "write true or false";
        "transport = \"tcp\"" => "password = \"hunter2\" #!":
            "camera.gate.password", "no such key", "did you mean password_file?";
        "from = [0.2, 0.7]" => "from = [0.2] #!": "camera.gate.tripwire.stop.from", "has 1 entry", "exactly 2";
        "kind = \"intrusion\"" => "kind = \"intrusoin\" #!":
            "rule.night.kind", "there is no kind \"intrusoin\"", "did you mean intrusion? There are: intrusion, tripwire";
        "[rule.night]\nkind = \"intrusion\"" => "[rule.night] #!":
            "rule.night.kind", "is missing", "add kind: intrusion, tripwire";
        "kind = \"intrusion\"" => "kind = \"intrusion\"\nseconds_mn = 2 #!":
            "rule.night.seconds_mn", "no such key", "did you mean seconds_min?";
        "kind = \"intrusion\"" => "kind = \"intrusion\"\nseconds_min = \"2\" #!":
            "rule.night.seconds_min", "is text, where a number is expected", "a number";
        "kind = \"intrusion\"" => "kind = \"intrusion\"\ndirection = \"both\" #!":
            "rule.night.direction", "no such key", "use one of:";
        "kind = \"tripwire\"" => "kind = \"tripwire\"\ndirection = \"left\" #!":
            "rule.line.direction", "there is no \"left\"", "did you mean left_to_right?";
        "kind = \"intrusion\"" => "kind = \"intrusion\"\nlabels = [\n\"moving\",\n\"persn\", #!\n]":
            "rule.night.labels[1]", "there is no \"persn\"", "person, two-wheeler, car, large-vehicle, moving";
        "days = [\"mon\"], from = \"22:00\"" => "days = [\"monday\"], from = \"22:00\" #!\n":
            "rule.night.schedule[0].days[0]", "there is no \"monday\"", "did you mean mon?";
        "days = [\"mon\"], from = \"22:00\"" => "from = 22:00:00 #!\n":
            "rule.night.schedule[0].from", "bare date or time", "write it in quotes: \"22:00:00\"";
    }
}

#[test]
fn wrong_values_are_found() {
    cases! {
        "transport = \"tcp\"" => "fps_max = 2\nlooks_per_second_min = 3 #!":
            "camera.gate.looks_per_second_min", "3 is more than the 2 pictures a second of fps_max", "raise fps_max";
        "ward = \"ben-nghe\"" => "ward = \"Bến Nghé\" #!": "box.ward", "\"Bến Nghé\" is not a valid id", "a-z, 0-9";
        "id = \"box-1\"" => "id = \"box-1\"\ntimezone = \"Asia/Saigoon\" #!":
            "box.timezone", "no time zone \"Asia/Saigoon\"", "Asia/Ho_Chi_Minh";
        "directory = \"store\"" => "directory = \"ca.pem\" #!": "store.directory", "is not a folder", "folder";
        "directory = \"store\"" => "clip_bytes_max = \"100 Gb\" #!":
            "store.clip_bytes_max", "is not a number of bytes", "\"100 GiB\"";
        "directory = \"store\"" => "clip_bytes_max = 1000 #!":
            "store.clip_bytes_max", "1000 bytes is too little", "64 MiB";
        "directory = \"store\"" => "clip_bytes_max = -1 #!":
            "store.clip_bytes_max", "-1 is out of range", "at least 0";
        "directory = \"store\"" => "clip_days_max = 0.5 #!":
            "store.clip_days_max", "0.5 is out of range", "at least 1";
        "directory = \"store\"" => "alert_days_max = 7 #!":
            "store.alert_days_max", "7 days is less than clip_days_max", "at least 30";
        "directory = \"store\"" => "clip_days_max = 100 #!":
            "store.clip_days_max", "90 days is less than clip_days_max", "at least 100";
        "directory = \"store\"" => "free_bytes_min = \"a lot\" #!":
            "store.free_bytes_min", "is not a number of bytes", "GiB";
        "[camera.gate]\n" => "[camera.gate]\nclip_bytes_max = \"1 MiB\" #!\n":
            "camera.gate.clip_bytes_max", "1048576 bytes is too little", "64 MiB";
        "model = \"motion\"" => "model = \"moton\" #!": "detector.model", "is no detector", "use \"street-nano\", \"motion\"";
        "model = \"motion\"" => "model = \"missing.onnx\" #!": "detector.model", "there is no file", "manifest";
        "[camera.gate]\n" => "[camera.Hof] #!\nmain = \"rtsp://h/\"\n[camera.gate]\n":
            "camera.Hof", "\"Hof\" is not a valid id", "a-z, 0-9";
        "[camera.gate]\n" => "[camera.\"a.b\"] #!\nmain = \"rtsp://h/\"\n[camera.gate]\n":
            "camera.\"a.b\"", "\"a.b\" is not a valid id", "a-z, 0-9";
        "transport = \"tcp\"" => "lat = 10.7 #!": "camera.gate.lat", "has no lon", "add lon";
        "points = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]" => "points = [[0.1, 0.1], [0.9, 0.1]] #!":
            "camera.gate.zone.yard.points", "has 2 entries", "at least 3";
        "points = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]" => "points = [[0.1, 0.1],\n[1.9, 0.1], #!\n[0.9, 0.9]]":
            "camera.gate.zone.yard.points[1][0]", "1.9 is out of range", "at least 0 and at most 1";
        "points = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]" =>
            "points = [[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]] #!":
            "camera.gate.zone.yard.points", "crosses itself", "in order";
        "transport = \"tcp\"" => "masks = [[[0, 0], [1, 0]]] #!": "camera.gate.masks[0]", "has 2 entries", "at least 3";
        "transport = \"tcp\"" => "masks = [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [1, 0], [0, 1]]] #!":
            "camera.gate.masks[1]", "crosses itself", "in order around the mask";
        "to = [0.8, 0.7]" => "to = [0.2, 0.7] #!":
            "camera.gate.tripwire.stop.to", "is where the tripwire starts", "two different points";
        "[detector]\n" => "[home_assistant]\ntopic_prefix = \"home/#\" #!\n[detector]\n":
            "home_assistant.topic_prefix", "\"home/#\" is no level of a topic", "\"homeassistant\"";
        "from = \"22:00\"" => "from = \"25:00\" #!\n": "rule.night.schedule[0].from", "no time of day", "23:59";
    }
}

#[test]
fn wrong_addresses_files_and_secrets_are_found() {
    cases! {
        "main = \"rtsp://192.168.1.20/main\"" => "main = \"http://192.168.1.20/main\" #!":
            "camera.gate.main", "the scheme http:// is not supported", "rtsp://..., rtsps://..., file://...";
        "main = \"rtsp://192.168.1.20/main\"" => "main = \"192.168.1.20\" #!":
            "camera.gate.main", "is no address", "rtsp://";
        "main = \"rtsp://192.168.1.20/main\"" => "main = \"rtsp://admin:hunter2@192.168.1.20/main\" #!":
            "camera.gate.main", "has a user or a password in it", "password_file";
        "main = \"rtsp://192.168.1.20/main\"" => "main = \"rtsp://admin:12/hunter2@192.168.1.20/main\" #!":
            "camera.gate.main", "has a user or a password in it", "password_file";
        "main = \"rtsp://192.168.1.20/main\"" => "main = \"admin:hunter2@http://192.168.1.20/main\" #!":
            "camera.gate.main", "the scheme this://", "rtsp://";
        "main = \"rtsp://192.168.1.20/main\"" => "main = \"rtsp://:hunter2/main\" #!":
            "camera.gate.main", "has no valid host and port", "rtsp://HOST:PORT";
        "main = \"rtsp://192.168.1.20/main\"" => "main = \"file://missing.mp4\" #!":
            "camera.gate.main", "/missing.mp4", "correct the path";
        "transport = \"tcp\"" => "sub = \"ftp://192.168.1.20\" #!": "camera.gate.sub", "ftp://", "rtsp://";
        "transport = \"tcp\"" => "loop_file = true #!": "camera.gate.loop_file", "without file://", "take it out";
        "transport = \"tcp\"" => "ca_file = \"ca.pem\" #!": "camera.gate.ca_file", "without rtsps://", "rtsps://";
        "transport = \"tcp\"" => "user = \"admin\" #!": "camera.gate.user", "no password_file", "add password_file";
        "transport = \"tcp\"" => "password_file = \"secrets/password\" #!":
            "camera.gate.password_file", "no user", "add user";
        "transport = \"tcp\"" => "user = \"admin\"\npassword_file = \"secrets/public\" #!":
            "camera.gate.password_file", "can be read by everybody", "chmod o-rwx ";
        "transport = \"tcp\"" => "user = \"admin\"\npassword_file = \"secrets/empty\" #!":
            "camera.gate.password_file", "is empty", "write the password into it";
        "transport = \"tcp\"" => "user = \"admin\"\npassword_file = \"secrets/none\" #!":
            "camera.gate.password_file", "there is no file", "put it there";
        "transport = \"tcp\"" => "user = \"admin\"\npassword_file = \"secrets\" #!":
            "camera.gate.password_file", "is not a file", "name a file";
        "transport = \"tcp\"" => "user = 7 #!\npassword_file = \"secrets/password\"":
            "camera.gate.user", "is a number", "in quotes";
        "url = \"mqtt://127.0.0.1:1883\"" => "url = \"amqp://post\" #!": "broker.url", "amqp://", "mqtts://";
        "url = \"mqtt://127.0.0.1:1883\"" => "url = \"mqtt://127.0.0.1/topic\" #!": "broker.url", "has a path", "host";
        "url = \"mqtt://127.0.0.1:1883\"" => "url = \"mqtt://box:hunter2@127.0.0.1\" #!":
            "broker.url", "has a user or a password in it", "password_file";
        "url = \"mqtt://127.0.0.1:1883\"" => "url = \"mqtt://post.example\" #!":
            "broker.url", "another machine", "use mqtts://";
        "[broker]\nurl = \"mqtt://127.0.0.1:1883\"" => "[broker] #!\nurl = \"mqtts://post\"":
            "broker.ca_file", "is missing", "PEM file of the authority";
        "url = \"mqtt://127.0.0.1:1883\"" => "url = \"mqtt://127.0.0.1\"\nca_file = \"ca.pem\" #!":
            "broker.ca_file", "means nothing with mqtt://", "use mqtts://";
        "url = \"mqtt://127.0.0.1:1883\"" => "url = \"mqtts://post\"\nca_file = \"ca.pem\"\ncert_file = \"cert.pem\" #!":
            "broker.cert_file", "no key_file", "add key_file";
        "url = \"mqtt://127.0.0.1:1883\"" =>
            "url = \"mqtts://post\"\nca_file = \"ca.pem\"\ncert_file = \"cert.pem\"\nkey_file = \"cert.pem\" #!":
            "broker.key_file", "can be read by everybody", "chmod";
    }
}

#[test]
fn rules_that_name_what_is_not_there_are_found() {
    cases! {
        "cameras = [\"gate\"]\nzone" => "cameras = [\"gaet\"] #!\nzone":
            "rule.night.cameras[0]", "there is no camera \"gaet\"", "did you mean gate?";
        "cameras = [\"gate\"]\nzone" => "cameras = [\"gate\", \"gate\"] #!\nzone":
            "rule.night.cameras[1]", "names \"gate\" again", "once";
        "cameras = [\"gate\"]\nzone" => "cameras = [] #!\nzone": "rule.night.cameras", "has 0 entries", "at least 1";
        "zone = \"yard\"" => "zone = \"garden\" #!":
            "rule.night.zone", "there is no zone \"garden\" on camera \"gate\"", "use one of: yard";
        "[camera.gate.zone.yard]" => "[camera.gate.zone.\"Yard!\"] #!\npoints = [[0, 0], [1, 0], [1, 1]]\n[camera.gate.zone.yard]":
            "camera.gate.zone.\"Yard!\"", "\"Yard!\" is not a valid id", "a-z, 0-9";
        "tripwire = \"stop\"" => "tripwire = \"stp\" #!":
            "rule.line.tripwire", "there is no tripwire \"stp\" on camera \"gate\"", "did you mean stop?";
        "[rule.line]\nkind = \"tripwire\"\ncameras = [\"gate\"]\ntripwire = \"stop\"" =>
            "[rule.line] #!\nkind = \"tripwire\"\ncameras = [\"gate\"]":
            "rule.line.tripwire", "is missing", "add tripwire";
        "tripwire = \"stop\"" => "tripwire = \"stop\"\nzone = \"yard\" #!":
            "rule.line.zone", "means nothing to this kind", "take it out";
        "zone = \"yard\"" => "tripwire = \"stop\" #!":
            "rule.night.tripwire", "means nothing to this kind", "zone says where";
        "zone = \"yard\"" => "zone = \"yard\"\nlabels = [\"person\"] #!":
            "rule.night.labels", "would never fire", "labels = [\"moving\"]";
    }
}

#[test]
fn what_a_kind_of_rule_lacks_or_cannot_use_is_found() {
    cases! {
        "[rule.night]\nkind = \"intrusion\"\ncameras = [\"gate\"]\nzone = \"yard\"" =>
            "[rule.night] #!\nkind = \"red_zone_entry\"\ncameras = [\"gate\"]":
            "rule.night.zone", "is missing, and this kind of rule needs it", "add zone: the id of a zone";
        "kind = \"intrusion\"\ncameras = [\"gate\"]\nzone" =>
            "kind = \"speeding_group\"\nlabels = [\"moving\"]\ncameras = [\"gate\"] #!\nzone":
            "rule.night.cameras[0]", "camera \"gate\" has no ground, and speed is measured by it", "four points on its picture";
        "kind = \"intrusion\"\ncameras = [\"gate\"]\nzone" =>
            "kind = \"crowd\"\nper_100_square_metres_min = 5\nlabels = [\"moving\"]\ncameras = [\"gate\"] #!\nzone":
            "rule.night.cameras[0]", "has no ground, and per_100_square_metres_min is counted by it", "add ground";
        "[rule.night]\nkind = \"intrusion\"" => "[rule.night] #!\nkind = \"loitering\"":
            "rule.night.labels", "would never fire", "labels = [\"moving\"]";
        "[rule.night]\nkind = \"intrusion\"" =>
            "[rule.night] #!\nkind = \"wrong_way\"\nlabels = [\"moving\"]":
            "rule.night.direction", "is missing", "an arrow on the picture";
        "kind = \"intrusion\"" =>
            "kind = \"wrong_way\"\nlabels = [\"moving\"]\ndirection = [[0.5, 0.5], [0.5, 1.5]] #!":
            "rule.night.direction[1][1]", "1.5 is out of range", "at most 1";
        "kind = \"tripwire\"\ncameras = [\"gate\"]\ntripwire = \"stop\"" =>
            "kind = \"camera_offline\"\ncameras = [\"gate\"]\ntripwire = \"stop\" #!":
            "rule.line.tripwire", "means nothing to this kind", "take it out";
        "kind = \"tripwire\"\ncameras = [\"gate\"]\ntripwire = \"stop\"" =>
            "kind = \"camera_sabotage\"\ncameras = [\"gate\"]\nlabels = [\"moving\"] #!":
            "rule.line.labels", "mean nothing to this kind", "take them out";
        "[rule.line]" => "[rule.night.night]\nseconds_mn = 3 #!\n[rule.line]":
            "rule.night.night.seconds_mn", "no such key", "did you mean seconds_min?";
        "[rule.line]" => "[rule.night.night]\nseconds_min = -3 #!\n[rule.line]":
            "rule.night.night.seconds_min", "-3 is out of range", "at least 0";
        "kind = \"intrusion\"" => "kind = \"intrusoin\" #!\ndirection = [[0, 0], [1, 1]]":
            "rule.night.kind", "there is no kind", "did you mean intrusion?";
    }
}

#[test]
fn wrong_calendars_and_grounds_are_found() {
    cases! {
        "id = \"box-1\"" => "id = \"box-1\"\nholidays = [\"2026-09-02\",\n\"2026-13-01\"] #!":
            "box.holidays[1]", "\"2026-13-01\" is no date", "2026-09-02";
        "id = \"box-1\"" => "id = \"box-1\"\nnight = { from = \"18h\" } #!":
            "box.night.from", "no time of day", "23:59";
        "id = \"box-1\"" => "id = \"box-1\"\nnight = { from = \"18:00\", to = \"18:00\" } #!":
            "box.night", "ends when it begins", "two different times";
        "transport = \"tcp\"" =>
            "ground = { picture = [[0.2, 0.9], [0.6, 0.4], [0.8, 0.9], [0.4, 0.4]], metres = [[0, 0], [6, 0], [6, 9], [0, 9]] } #!":
            "camera.gate.ground.picture", "are not the corners of a quadrangle", "in order around";
        "transport = \"tcp\"" =>
            "ground = { picture = [[0.2, 0.9], [0.8, 0.9], [0.6, 0.4], [0.4, 0.4]], metres = [[0, 0], [6, 0], [9, 0], [0, 9]] } #!":
            "camera.gate.ground.metres", "are not the corners of a quadrangle", "in the same order";
        "transport = \"tcp\"" =>
            "ground = { picture = [[0.2, 0.9], [0.8, 0.9], [0.6, 0.4]], metres = [[0, 0], [6, 0], [6, 9], [0, 9]] } #!":
            "camera.gate.ground.picture", "has 3 entries", "exactly 4";
        "transport = \"tcp\"" => "ground = { picture = [[0.2, 0.9], [0.8, 0.9], [0.6, 0.4], [0.4, 0.4]] } #!":
            "camera.gate.ground.metres", "is missing", "add metres";
    }
    let ground = "ground = { picture = [[0.2, 0.9], [0.8, 0.9], [0.6, 0.4], [0.4, 0.4]], metres = [[0, 0], [6, 0], [6, 20], [0, 20]] }";
    let rule = "kind = \"speeding_group\"\nlabels = [\"moving\"]";
    let text = changed("transport = \"tcp\"", ground).replacen("kind = \"intrusion\"", rule, 1);
    let problems = Folder::with(&text).problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0].key, "rule.night.zone");
    assert!(problems[0].what.contains("reaches up to the horizon"), "{}", problems[0]);
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
    let [line, night] = settings.rules.as_slice() else { panic!("two rules") };
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
fn a_wrong_zone_is_not_also_a_missing_one() {
    let text = changed("points = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]", "points = [[0.1, 0.1]]");
    let keys: Vec<_> = Folder::with(&text).problems().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["camera.gate.zone.yard.points"]);
}

#[test]
fn the_good_one_becomes_settings() {
    let settings = Folder::with(GOOD).load().unwrap();
    assert_eq!((settings.ward.as_str(), settings.box_id.as_str()), ("ben-nghe", "box-1"));
    assert_eq!(settings.timezone.iana_name(), Some("Asia/Ho_Chi_Minh"));
    assert_eq!(settings.store.clip_bytes_max, 100 << 30);
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
    let [line, night] = settings.rules.as_slice() else { panic!("two rules") };
    assert!(matches!(&line.place, RuleArea::Tripwire(wire) if wire.id.as_str() == "stop"));
    assert!(matches!(&night.place, RuleArea::Zone(zone) if zone.id.as_str() == "yard"));
    assert_eq!(night.schedule.windows.len(), 1);
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
fn conf_d_adds_to_the_file_and_counts_paths_from_its_own_folder() {
    let folder = Folder::with(&changed("[camera.gate.zone.yard]", "[camera.gate.zone.kerb]"));
    folder.write(
        "conf.d/10-yard.toml",
        "[camera.gate.zone.yard]\npoints = [[0, 0], [1, 0], [1, 1]]\n[camera.film]\nmain = \"file://clip.mp4\"\n\
         [rule.both]\nkind = \"intrusion\"\ncameras = [\"gate\", \"film\"]\n[store]\nsegment_seconds = 30\n",
        0o644,
    );
    folder.write("conf.d/clip.mp4", "", 0o644);
    folder.write("conf.d/.hidden.toml", "nonsense", 0o644);
    folder.write("conf.d/notes.txt", "nonsense", 0o644);
    let settings = folder.load().unwrap();
    let film = Source::File { path: folder.path("conf.d/clip.mp4"), looped: false };
    assert_eq!(settings.cameras[0].streams[0].source, film);
    assert_eq!(settings.store.segment, Duration::from_secs(30));
    assert!(settings.store.directory.ends_with("store"));
    let rules: Vec<_> = settings.rules.iter().map(|r| format!("{} {}", r.id, r.camera)).collect();
    assert_eq!(rules, ["both gate", "both film", "line gate", "night gate"]);
}

#[test]
fn the_same_in_two_files_names_both_places() {
    let folder = Folder::with(GOOD);
    folder.write(
        "conf.d/more.toml",
        "[box]\nid = \"box-2\"\n[camera.gate]\nname = \"again\"\n[rule.line]\nseverity = \"notice\"\n\
         [camera.gate.zone.yard]\nname = \"again\"\n",
        0o644,
    );
    let main = folder.path("wardwatch.toml").display().to_string();
    let line = |needle: &str| GOOD.lines().position(|line| line == needle).unwrap() + 1;
    let problems = folder.problems();
    let found: Vec<_> = problems.iter().map(|p| (p.line, p.key.as_str(), p.what.clone())).collect();
    let twice = |needle| format!("is written twice; first in {main}:{}", line(needle));
    assert_eq!(
        found,
        [
            (2, "box.id", twice("id = \"box-1\"")),
            (3, "camera.gate", twice("[camera.gate]")),
            (5, "rule.line", twice("[rule.line]")),
            (7, "camera.gate.zone.yard", twice("[camera.gate.zone.yard]")),
        ]
    );
    assert!(problems.iter().all(|problem| problem.file == folder.path("conf.d/more.toml")));
}

#[test]
fn everything_that_is_wrong_in_two_files_is_reported_in_order() {
    let folder = Folder::with(
        "[box]\nwrad = \"x\"\nid = \"Box 1\"\n[broker]\nurl = \"mqtts://post:8883\"\nkeep_alive_seconds = 0\n\
         [camera.gate]\nmain = \"http://cam\"\nfps_max = 99\nuser = \"admin\"\n\
         [camera.gate.zone.yard]\npoints = [[0, 0], [1, 1]]\n",
    );
    folder.write(
        "conf.d/rules.toml",
        "[rule.one]\nkind = \"tripwire\"\ncameras = [\"gaet\"]\n\
         schedule = [{ from = \"x\", to = \"05:00\" }]\n[rule.two]\nkind = \"crwod\"\ncameras = \"gate\"\n",
        0o644,
    );
    let problems = folder.problems();
    let found: Vec<_> = problems
        .iter()
        .map(|p| format!("{}:{} {}", p.file.file_name().unwrap().display(), p.line, p.key))
        .collect();
    let expected = [
        "wardwatch.toml:1 box.ward",
        "wardwatch.toml:2 box.wrad",
        "wardwatch.toml:3 box.id",
        "wardwatch.toml:4 broker.ca_file",
        "wardwatch.toml:6 broker.keep_alive_seconds",
        "wardwatch.toml:8 camera.gate.main",
        "wardwatch.toml:9 camera.gate.fps_max",
        "wardwatch.toml:10 camera.gate.user",
        "wardwatch.toml:12 camera.gate.zone.yard.points",
        "rules.toml:1 rule.one.tripwire",
        "rules.toml:3 rule.one.cameras[0]",
        "rules.toml:4 rule.one.schedule[0].from",
        "rules.toml:6 rule.two.kind",
        "rules.toml:7 rule.two.cameras",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_file_that_is_no_toml_does_not_hide_the_others() {
    let folder = Folder::with(&changed("id = \"box-1\"", "id = \"box-1\nid2 = 3"));
    folder.write("conf.d/rules.toml", "[rule.more]\nkind = \"tripwire\"\ncameras = [\"gate\"]\n", 0o644);
    let problems = folder.problems();
    let found: Vec<_> = problems.iter().map(|p| (p.line, p.key.as_str())).collect();
    assert_eq!(found, [(4, ""), (1, "rule.more.tripwire")], "{problems:#?}");
    assert!(problems[0].to_string().contains("wardwatch.toml:4: "), "{}", problems[0]);
}

#[test]
fn files_that_cannot_be_read_are_problems() {
    let missing = config::load(Path::new("/nonexistent/wardwatch.toml")).unwrap_err();
    assert!(missing.to_string().starts_with("/nonexistent/wardwatch.toml: cannot be read: No such file"));
    let folder = Folder::with(GOOD);
    fs::write(folder.path("conf.d/latin.toml"), b"# caf\xe9\n").unwrap();
    let problems = folder.problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(
        (problems[0].file.as_path(), problems[0].line),
        (folder.path("conf.d/latin.toml").as_path(), 0)
    );
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

const EXAMPLE: &str = include_str!("../../deploy/etc/wardwatch/wardwatch.toml");

/// The example with the lines switched on that begin with `#` and no space.
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    EXAMPLE.lines().map(line).collect()
}

/// A folder with the example and the files it names.
fn example_folder(text: &str) -> Folder {
    let folder = Folder::with(text);
    for name in ["post-ca.pem", "box-cert.pem", "cameras-ca.pem"] {
        folder.write(name, "", 0o644);
    }
    for name in ["secrets/box-key.pem", "secrets/broker", "secrets/camera-gate"] {
        folder.write(name, "hunter2\n", 0o600);
    }
    folder
}

#[test]
fn the_example_is_valid_as_shipped_and_with_everything_switched_on() {
    let shipped = example_folder(EXAMPLE).load().unwrap();
    let mut all = example_folder(&uncommented()).load().unwrap();
    assert_eq!((shipped.cameras.len(), all.cameras.len()), (1, 2));
    // Lines of the example that claim to show the default do so: also the numbers of each kind.
    let kinds: BTreeSet<&str> = all.rules.iter().map(|rule| rule.kind.as_str()).collect();
    assert_eq!((shipped.rules.len(), all.rules.len(), kinds.len()), (1, 12, 12));
    for rule in &all.rules {
        let same = match &rule.kind {
            Kind::WrongWay(params) => *params == wrong_way::Params::new(params.direction),
            Kind::Crowd(params) => {
                *params == crowd::Params { per_100_square_metres_min: Some(20.0), ..crowd::Params::default() }
            }
            kind => {
                let usual = serde_json::json!({ "kind": kind.as_str() });
                *kind == serde_json::from_value::<Kind>(usual).unwrap()
            }
        };
        assert!(same, "{} shows other numbers than those that hold: {:?}", rule.id, rule.kind);
        assert_eq!(rule.night.is_some(), rule.id.as_str() == "parking");
    }
    all.rules.retain(|rule| rule.id == shipped.rules[0].id);
    assert_eq!(shipped.rules, all.rules);
    assert_eq!((shipped.holidays.len(), &shipped.holidays), (3, &all.holidays));
    assert_eq!((shipped.timezone, shipped.broker.keep_alive), (all.timezone, all.broker.keep_alive));
    assert_eq!(all.store.camera_bytes_max.values().collect::<Vec<_>>(), [&(20 << 30)]);
    all.store.camera_bytes_max.clear();
    assert_eq!(shipped.store, all.store);
    assert_eq!((shipped.detect.score_min, all.detect.score_min), (None, Some(0.25)));
    let mut gate = all.cameras.remove(0);
    (gate.camera.lat, gate.camera.lon, gate.camera.heading) = (None, None, None);
    assert_eq!((shipped.cameras[0].masks.len(), gate.masks.len()), (0, 1));
    let streams = |camera: &config::Camera| format!("{:?} {:?}", camera.camera, camera.streams.len());
    assert_eq!(streams(&shipped.cameras[0]), streams(&gate));
    assert_eq!((gate.pre_roll, gate.post_roll), (shipped.cameras[0].pre_roll, shipped.cameras[0].post_roll));
}

#[test]
fn the_readmes_box_is_valid() {
    let readme = include_str!("../../README.md");
    let block = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let settings = example_folder(block).load().unwrap();
    assert_eq!((settings.cameras.len(), settings.rules.len()), (1, 1));
}

#[test]
fn whatever_a_key_is_set_to_there_are_settings_or_problems() {
    let text = uncommented();
    let folder = example_folder(&text);
    let lines: Vec<&str> = text.lines().collect();
    let mut wrong = 0;
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        for value in
            ["7", "-1", "1e300", "nan", "\"x\"", "\"\"", "true", "[]", "[[]]", "{ x = 1 }", "22:00:00", ""]
        {
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            lines[index] = format!("{key} = {value}");
            folder.write("wardwatch.toml", &lines.join("\n"), 0o644);
            let loaded = folder.load();
            assert!(loaded.as_ref().err().is_none_or(|problems| !problems.is_empty()), "{key} = {value}");
            wrong += usize::from(loaded.is_err());
        }
    }
    assert!(wrong > 400, "only {wrong} of the values were wrong");
}

/// Every key of the schema, as `camera.*.main`, below `schema`.
fn keys(root: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
    let name = schema["$ref"].as_str().map(|name| name.trim_start_matches("#/$defs/"));
    let schema = name.map_or(schema, |name| &root["$defs"][name]);
    for part in std::iter::once(schema).chain(schema["oneOf"].as_array().into_iter().flatten()) {
        for (key, schema) in part["properties"].as_object().into_iter().flatten() {
            found.push(format!("{path}.{key}"));
            keys(root, schema, &format!("{path}.{key}"), found);
        }
    }
    for (step, nested) in [("*", &schema["additionalProperties"]), ("*", &schema["items"])] {
        if nested.is_object() {
            keys(root, nested, &format!("{path}.{step}"), found);
        }
    }
}

/// Returns true if `path`, with `*` for any key or index, is there.
fn is_named(value: &toml::Value, path: &[&str]) -> bool {
    let Some((key, rest)) = path.split_first() else { return true };
    match value {
        toml::Value::Table(table) if *key == "*" => table.values().any(|value| is_named(value, rest)),
        toml::Value::Array(items) if *key == "*" => items.iter().any(|value| is_named(value, rest)),
        _ => value.get(key).is_some_and(|value| is_named(value, rest)),
    }
}

#[test]
fn the_example_names_every_key() {
    let schema: Value = serde_json::from_str(&config::json_schema()).unwrap();
    let mut all = Vec::new();
    keys(&schema, &schema, "", &mut all);
    for key in [".box.ward", ".camera.*.zone.*.points", ".rule.*.schedule.*.days", ".rule.*.seconds_min"] {
        assert!(all.iter().any(|known| known == key), "{key} in {all:?}");
    }
    let example: toml::Value = toml::from_str(&uncommented()).unwrap();
    // The keys of a night are those of the kind once more.
    let (of_night, all): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|key| key.starts_with(".rule.*.night."));
    assert!(of_night.iter().all(|key| all.contains(&key.replace(".night.", "."))), "{of_night:?}");
    assert!(of_night.len() > 20, "{of_night:?}");
    let unnamed: Vec<_> =
        all.iter().filter(|key| !is_named(&example, &key[1..].split('.').collect::<Vec<_>>())).collect();
    assert!(unnamed.is_empty(), "deploy/etc/wardwatch/wardwatch.toml does not name {unnamed:?}");
}

#[test]
fn the_checked_in_schema_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/config.schema.json");
    if std::env::var_os("WARDWATCH_WRITE_SCHEMAS").is_some() {
        fs::write(path, config::json_schema()).unwrap();
    }
    let checked_in = fs::read_to_string(path).unwrap_or_default();
    assert!(
        config::json_schema() == checked_in,
        "deploy/config.schema.json is out of date: run `make schemas`"
    );
}

/// Files as editors and shells of Windows leave them: the problem is about the whole file, and has the remedy.
#[test]
fn files_in_other_encodings_are_named_with_a_remedy() {
    let utf16 = |order: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{GOOD}").encode_utf16().flat_map(order).collect()
    };
    let latin = [GOOD.as_bytes(), b"# B\xean Ngh\xe9\n"].concat();
    for (bytes, name) in [
        (utf16(u16::to_le_bytes, "\u{feff}"), "UTF-16LE"),
        (utf16(u16::to_be_bytes, "\u{feff}"), "UTF-16BE"),
        (utf16(u16::to_le_bytes, ""), "UTF-16LE"),
        (utf16(u16::to_be_bytes, ""), "UTF-16BE"),
        (latin, "WINDOWS-1258"),
    ] {
        for place in ["wardwatch.toml", "conf.d/more.toml"] {
            let folder = Folder::with(GOOD);
            fs::write(folder.path(place), &bytes).unwrap();
            let problems = folder.problems();
            let [problem] = problems.as_slice() else {
                panic!("{name}: one problem expected in {problems:#?}")
            };
            assert!(problem.file == folder.path(place) && problem.what.contains(name), "{problem}");
            assert!(problem.remedy.contains("UTF-8") && problem.remedy.contains("iconv"), "{problem}");
        }
    }
    // The remedy works.
    let folder = Folder::with(GOOD);
    fs::write(folder.path("old.toml"), utf16(u16::to_le_bytes, "\u{feff}")).unwrap();
    let converted = std::process::Command::new("iconv")
        .args(["-f", "UTF-16", "-t", "UTF-8"])
        .arg(folder.path("old.toml"))
        .output()
        .unwrap();
    fs::write(folder.path("wardwatch.toml"), converted.stdout).unwrap();
    folder.load().unwrap();
}

/// A password with the mark of UTF-8 in front of it is the same password.
#[test]
fn a_password_file_is_read_without_the_mark_and_named_in_another_encoding() {
    let text = changed("transport = \"tcp\"", "user = \"a\"\npassword_file = \"secrets/password\"");
    let folder = Folder::with(&text);
    folder.write("secrets/password", "\u{feff}hunter2\r\n", 0o600);
    folder.load().unwrap();
    fs::write(folder.path("secrets/password"), b"B\xean\n").unwrap();
    let problems = folder.problems();
    assert!(
        problems[0].key.ends_with("password_file") && problems[0].remedy.contains("UTF-8"),
        "{problems:?}"
    );
}

/// Problems for a user who is neither root nor the files' owner, as lines of key, fault and remedy.
fn problems_for_a_stranger(folder: &Folder) -> Vec<String> {
    let reader = config::Reader::named("54321").unwrap();
    let problems =
        config::load_for(&folder.path("wardwatch.toml"), reader).map_or_else(|all| all.0, |_| Vec::new());
    problems.iter().map(|one| format!("{}: {} -> {}", one.key, one.what, one.remedy)).collect()
}

#[test]
fn root_checks_for_the_daemons_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can answer for another user");
        return;
    }
    let user = "transport = \"tcp\"";
    let with = |file: &str| changed(user, &format!("user = \"admin\"\npassword_file = \"{file}\""));
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let folder = Folder::with(&with("credential:secrets_password"));
    mode(folder.0.path(), 0o755);
    mode(&folder.path("secrets"), 0o700);
    assert_eq!(problems_for_a_stranger(&folder), [""; 0], "systemd reads it, as root");

    // Root reads each of these; the daemon does not.
    folder.write("wardwatch.toml", &with("secrets/password"), 0o644);
    assert!(folder.load().is_ok());
    let [said] = &problems_for_a_stranger(&folder)[..] else { panic!("one problem") };
    assert!(said.starts_with("camera.gate.password_file: ") && said.contains("user 54321"), "{said}");
    assert!(said.contains("write \"credential:secrets_password\""), "{said}");
    folder.write("elsewhere", "hunter2", 0o600);
    folder.write("wardwatch.toml", &with("elsewhere"), 0o644);
    let [said] = &problems_for_a_stranger(&folder)[..] else { panic!("one problem") };
    assert!(said.contains("move it into") && said.contains("\"credential:secrets_elsewhere\""), "{said}");

    folder.write("wardwatch.toml", GOOD, 0o600);
    let [said] = &problems_for_a_stranger(&folder)[..] else { panic!("one problem") };
    assert!(said.contains("cannot be read by") && said.contains("chmod a+r"), "{said}");
    folder.write("wardwatch.toml", &changed("[detector]\nmodel = \"motion\"\n", ""), 0o644);
    folder.write("conf.d/more.toml", "[detector]\nmodel = \"../models/network.toml\"\n", 0o644);
    folder.write("models/network.toml", "", 0o644);
    assert_eq!(problems_for_a_stranger(&folder), [""; 0]);
    mode(&folder.path("models"), 0o700);
    let [said] = &problems_for_a_stranger(&folder)[..] else { panic!("one problem") };
    assert!(said.starts_with("detector.model: ") && said.contains("chmod a+x"), "{said}");
}
