//! Keys and values that are wrong: each is found on its line, with the remedy.

use super::{Folder, PASSWORD, changed};

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
        "[box]" => "[box]\nzzz = 1 #!": "box.zzz", "no such key", "use one of: holidays, id, language, night, timezone, ward";
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
        "directory = \"store\"" => "clip_days_min = 31 #!":
            "store.clip_days_min", "31 days is more than clip_days_max", "at most 30";
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
        // An address in a place for something else.
        "model = \"motion\"" => "model = \"rtsp://admin:hunter2@192.168.1.20/main\" #!":
            "detector.model", "\"rtsp://***@192.168.1.20/main\" is no detector", "street-nano";
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
fn a_wrong_zone_is_not_also_a_missing_one() {
    let text = changed("points = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]", "points = [[0.1, 0.1]]");
    let keys: Vec<_> = Folder::with(&text).problems().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["camera.gate.zone.yard.points"]);
}
