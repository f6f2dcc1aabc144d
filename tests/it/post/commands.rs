//! Output for people: `tail`, `list`, `show`, `status`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use base::ack::Gap;
use base::alert::{Alert, NOT_KEPT};
use base::event::Severity;
use base::ids::OutboxId;
use base::status::{OutboxStatus, Presence};
use wardpost::Storage;

use super::station::wait_for_ack;
use super::station::{ACKS, LONG, Station, alert, end_of, numbers, publish_outbox, publish_status, send};
use super::{broker, wait_until};

/// `wardpost tail`; killed when dropped.
struct Tail {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Tail {
    fn start(station: &Station, more: &[&str]) -> Self {
        let mut process = station.command("tail").args(more).stdout(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (collected, output) = (Arc::clone(&lines), BufReader::new(process.stdout.take().unwrap()));
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| collected.lock().unwrap().push(line));
        });
        Self { process, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn wait_for(&self, count: usize) -> Vec<String> {
        wait_until("tail has shown them", LONG, || self.lines().len() >= count);
        self.lines()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn tail_shows_what_is_there_and_what_comes_once_each() {
    let broker = broker();
    let station = Station::start(&broker, &["--silent-after", "3600"]);
    let before: Vec<Alert> = (1..=4).map(|seq| alert("box-1", 1, seq)).collect();
    send(&broker, &before);
    station.wait_for_stored(4);
    let folder = station.place.path().join("pictures");
    let (vietnamese, english) = (
        Tail::start(&station, &["--last", "2", "--thumbnails", folder.to_str().unwrap()]),
        Tail::start(&station, &["--last", "0", "--lang", "en"]),
    );
    vietnamese.wait_for(2);
    // The status messages mark the time: alerts behind them are new to both.
    publish_status(&broker, "box-2", Presence::Online);
    publish_status(&broker, "box-2", Presence::Offline);
    english.wait_for(1);
    let critical = Alert { severity: Severity::Critical, ..alert("box-1", 1, 5) };
    send(&broker, &[critical.clone(), critical.clone(), end_of(&critical, 6)]);
    let shown = vietnamese.wait_for(5);
    assert!(
        shown[0].contains(&before[2].id.to_string()) && shown[1].contains(&before[3].id.to_string()),
        "{shown:?}"
    );
    assert!(
        shown[0].contains("QUAN TRỌNG  Cổng [ben-nghe/box-1/gate]  Đêm – xâm nhập: person in"),
        "{shown:?}"
    );
    assert!(shown[2].contains("thiết bị ben-nghe/box-2 đã ngắt kết nối"), "{shown:?}");
    assert!(shown[3].contains("KHẨN CẤP") && shown[4].contains("kết thúc sau 1 phút 15 giây"), "{shown:?}");
    let english = english.wait_for(3);
    assert!(english[0].contains("box ben-nghe/box-2 is offline"), "{english:?}");
    assert!(english[1].contains("CRITICAL") && english[2].contains("over after 1 min 15 s"), "{english:?}");
    assert!(shown.iter().chain(&english).all(|line| !line.contains('\x1b')), "no colours in a pipe");

    let picture = |alert: &Alert| folder.join(format!("ben-nghe-box-1-{}.jpg", alert.id));
    let written = std::fs::read(picture(&critical)).unwrap();
    assert_eq!(Some(written), critical.thumbnail.clone().map(|thumbnail| thumbnail.0));
    assert!(!picture(&before[0]).exists(), "it was not shown");
    let looks = Storage::open_beside(&station.database()).unwrap().accesses().unwrap();
    assert_eq!(looks.len(), 3);
    assert!(looks.iter().all(|look| look.command == "tail" && look.who.contains("user id")), "{looks:?}");
    assert_eq!((vietnamese.lines().len(), station.stored().len()), (5, 6));
}

#[test]
fn list_and_show_find_what_is_asked_for() {
    let broker = broker();
    let station = Station::start(&broker, &[]);
    assert!(String::from_utf8(station.run("list", &[]).stdout).unwrap().contains("không có cảnh báo"));
    let first = alert("box-1", 1, 1);
    let notice = Alert { severity: Severity::Notice, thumbnail: None, ..alert("box-2", 2, 1) };
    send(&broker, &[first.clone(), end_of(&first, 2), notice.clone()]);
    station.wait_for_stored(3);
    let ids = |more: &[&str]| {
        let listed = station.json("list", &[&["--json"], more].concat());
        let id = |one: &serde_json::Value| one["message"]["id"].as_str().unwrap().to_owned();
        listed.as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    let (first_id, notice_id) = (first.id.to_string(), notice.id.to_string());
    assert_eq!(ids(&[]), [first_id.clone(), notice_id.clone()], "one line for both phases");
    assert_eq!(ids(&["--severity", "warning"]), [first_id.as_str()]);
    assert_eq!(ids(&["--box", "box-2"]), [notice_id.as_str()]);
    assert_eq!(ids(&["--camera", "gate", "--limit", "1"]), [notice_id.as_str()]);
    assert!(
        ids(&["--since", "2999-01-01 00:00"]).is_empty() && ids(&["--since", "hôm qua 22:10"]).len() == 2
    );
    let table = String::from_utf8(station.run("list", &[]).stdout).unwrap();
    assert!(
        table.contains("LƯU Ý") && table.contains("Asia/Ho_Chi_Minh") && table.contains("mức độ"),
        "{table}"
    );

    let shown = String::from_utf8(station.run("show", &[&first_id, "--lang", "vi"]).stdout).unwrap();
    assert!(
        shown.contains("lý do") && shown.contains("kết thúc") && !shown.contains("đang diễn ra"),
        "{shown}"
    );
    let command = format!("sudo wardwatch clips export {first_id} --output . --reason \"alert {first_id}\"");
    assert!(shown.contains(&command), "{shown}");
    let short = &first_id[..35];
    assert_eq!(station.run("show", &[short, "--lang", "vi"]).stdout, shown.as_bytes());
    let several = station.run("show", &[&first_id[..2]]);
    let said = String::from_utf8_lossy(&several.stderr).into_owned();
    assert!(
        several.status.code() == Some(1) && said.contains(&first_id) && said.contains(&notice_id),
        "{said}"
    );
    let picture = station.place.path().join("picture.jpg");
    let json = station.json("show", &[&first_id, "--json", "--thumbnail", picture.to_str().unwrap()]);
    assert_eq!((json.as_array().unwrap().len(), &json[1]["message"]["phase"]), (2, &"closed".into()));
    assert_eq!(std::fs::read(&picture).unwrap(), first.thumbnail.unwrap().0);
    let looks = Storage::open_beside(&station.database()).unwrap().accesses().unwrap();
    assert_eq!(
        (looks.len(), looks[0].alert.as_str(), looks[0].command.as_str()),
        (1, first_id.as_str(), "show")
    );

    for (line, said) in [
        (&[notice_id.as_str(), "--thumbnail", "/tmp/never"][..], "has no thumbnail"),
        (&["0196bd3f-8a10-7000-8000-000000000000"], "wardpost list"),
    ] {
        let output = station.run("show", line);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(said));
    }
    assert_eq!(station.run("show", &["no-id"]).status.code(), Some(2));
    let missing = Station::prepare(&broker, &[]).run("list", &[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("wardpost serve"));
}

#[test]
fn status_says_how_the_boxes_are() {
    let broker = broker();
    let station = Station::start(&broker, &[]);
    send(&broker, &[alert("box-1", 1, 2)]);
    station.wait_for_stored(1);
    let output = station.run("status", &["--lang", "en"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "number 1 is missing: {text}");
    let head: Vec<&str> = text.lines().take(3).collect();
    assert_eq!(head, ["1 box, 1 with trouble", "", "ben-nghe/box-1  1 alert is missing"]);
    let row: Vec<&str> =
        text.lines().nth(5).unwrap().split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect();
    assert_eq!(
        (row[0], row[1], &row[4..]),
        ("ben-nghe/box-1", "online", &["0", "2", "1", "0", "0", "0", "0"][..]),
        "{text}"
    );
    send(&broker, &[alert("box-1", 1, 1)]);
    station.wait_for_stored(2);
    assert_eq!(station.run("status", &[]).status.code(), Some(0));
}

#[test]
fn a_picture_that_comes_later_is_written_when_it_comes_and_the_alert_is_told_once() {
    let broker = broker();
    let station = Station::start(&broker, &[]);
    let folder = station.place.path().join("pictures");
    let tail = Tail::start(&station, &["--lang", "en", "--thumbnails", folder.to_str().unwrap()]);
    let whole = alert("box-1", 1, 1);
    let picture = folder.join(format!("ben-nghe-box-1-{}.jpg", whole.id));
    send(&broker, &[Alert { seq: NOT_KEPT, thumbnail: None, ..whole.clone() }]);
    let told = tail.wait_for(1);
    assert!(told[0].contains("WARNING") && !picture.exists(), "{told:?}");
    send(&broker, &[whole.clone(), alert("box-1", 1, 2)]);
    let told = tail.wait_for(3);
    assert!(told[1].contains("its picture has come") && told[1].contains(&whole.id.to_string()), "{told:?}");
    assert!(told[2].contains("WARNING") && told.len() == 3, "{told:?}");
    assert_eq!(std::fs::read(&picture).unwrap(), whole.thumbnail.unwrap().0);
    let known = station.known("box-1");
    assert!(known["duplicates"] == 0 && known["conflicts"] == 0 && known["contiguous"] == 2, "{known}");
    // A `tail` that begins now shows each alert with its picture, and reports no late picture.
    let after = Tail::start(&station, &["--json"]);
    let told = after.wait_for(2);
    assert!(told.iter().all(|line| line.contains("\"has_thumbnail\":true")), "{told:?}");
}

#[test]
fn numbers_that_a_box_has_abandoned_are_closed_and_told_as_lost() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    send(&broker, &numbers("box-1", 1, [1, 4, 6]));
    wait_for_ack(&subscriber, "box-1", 1, 6);
    let id = OutboxId(uuid::Uuid::from_u128(1));
    let abandoned = vec![Gap { first: 2, last: 3 }];
    let outbox = OutboxStatus { id, abandoned, thumbnails_shed: 4 };
    publish_outbox(&broker, "box-1", Presence::Online, Some(outbox));
    wait_for_ack(&subscriber, "box-1", 4, 6);
    let known = station.known("box-1");
    assert!(known["missing"] == 1 && known["lost"] == 2 && known["thumbnails_shed"] == 4, "{known}");
    let output = station.run("list", &["--missing", "--lang", "en"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("lost for ever 2-3") && text.contains("missing 5"), "{text}");
    assert_eq!(output.status.code(), Some(3), "one may still come");
    send(&broker, &numbers("box-1", 1, [5]));
    wait_for_ack(&subscriber, "box-1", 6, 6);
    assert_eq!(station.run("list", &["--missing"]).status.code(), Some(0));
    assert_eq!(station.run("status", &[]).status.code(), Some(0));
}

#[test]
fn a_person_settles_what_nobody_will_ever_send() {
    let broker = broker();
    let subscriber = broker.subscriber(ACKS);
    let station = Station::start(&broker, &[]);
    send(&broker, &numbers("box-1", 1, [2, 5]));
    wait_for_ack(&subscriber, "box-1", 0, 5);
    assert_eq!(station.run("status", &[]).status.code(), Some(3));
    let outbox = OutboxId(uuid::Uuid::from_u128(1)).to_string();
    let settle = |line: &[&str]| station.run("settle", line);
    assert_eq!(settle(&["box-1", &outbox]).status.code(), Some(2), "it wants a reason");
    let other = OutboxId(uuid::Uuid::from_u128(2)).to_string();
    for (line, said) in [
        (["box-7", &outbox, "--why", "a test"], "no box box-7"),
        (["elsewhere/box-1", &outbox, "--why", "a test"], "no box box-1"),
        (["box-1", &other, "--why", "a test"], "nothing was ever stored of an outbox"),
    ] {
        let output = settle(&line);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && stderr.contains(said), "{line:?}: {stderr}");
    }
    let output = settle(&["ben-nghe/box-1", &outbox[..35], "--why", "its disk burnt", "--who", "Lan"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("1 to 1") && said.contains("3 to 4"), "{said}");
    // The daemon tells the box by itself.
    wait_for_ack(&subscriber, "box-1", 5, 5);
    assert_eq!(station.run("status", &[]).status.code(), Some(0));
    let settled = Storage::open_beside(&station.database()).unwrap().settlements(0).unwrap();
    assert!(
        settled.len() == 2
            && settled
                .iter()
                .all(|one| one.verdict.why == "its disk burnt" && one.verdict.who.contains("Lan")),
        "{settled:?}"
    );
    let lines: Vec<String> =
        text_of(station.run("log", &["--lang", "en"])).lines().map(str::to_owned).collect();
    assert!(
        lines.len() == 5 && lines[1].contains("settled as lost for ever: ben-nghe/box-1 1 "),
        "{lines:?}"
    );
    assert!(
        lines[2].contains("Lan") && lines[2].contains("3-4") && lines[2].contains("its disk burnt"),
        "{lines:?}"
    );
    let log = station.json("log", &["--json"]);
    let last = &log["settlements"][1];
    assert!(last["first"] == 3 && last["last"] == 4 && last["outbox"] == outbox.as_str(), "{log}");
    assert!(last["why"] == "its disk burnt" && log["looks"] == serde_json::json!([]), "{log}");
    assert!(settle(&["box-1", &outbox, "--why", "again"]).status.success(), "there is nothing to do");
    // A number that was given up comes after all.
    send(&broker, &numbers("box-1", 1, [3]));
    wait_until("it is stored", LONG, || station.known("box-1")["lost"] == 2);
    assert_eq!(station.known("box-1")["conflicts"], 0);
}

#[test]
fn the_log_says_who_looked_at_which_thumbnail() {
    let broker = broker();
    let station = Station::start(&broker, &[]);
    let seen = alert("box-1", 1, 1);
    send(&broker, &[seen.clone(), alert("box-1", 1, 2)]);
    station.wait_for_stored(2);
    assert!(text_of(station.run("log", &["--lang", "en"])).contains("nothing is logged"));
    let (id, file) = (seen.id.to_string(), station.place.path().join("seen.jpg"));
    assert!(station.run("show", &[&id, "--thumbnail", file.to_str().unwrap()]).status.success());
    let text = text_of(station.run("log", &["--lang", "en"]));
    let line = text.lines().nth(1).unwrap();
    assert!(line.contains(&id) && line.contains("user id") && line.contains("ben-nghe/box-1"), "{text}");
    let log = station.json("log", &["--json"]);
    assert!(log["looks"].as_array().unwrap().len() == 1 && log["looks"][0]["alert"] == id.as_str(), "{log}");
    assert_eq!(log["looks"][0]["command"], "show");
    assert_eq!(log["settlements"], serde_json::json!([]));
}

fn text_of(output: std::process::Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn completions_name_the_commands() {
    let mut line = std::process::Command::new(crate::support::wardpost_program());
    let said = String::from_utf8(line.args(["completions", "bash"]).output().unwrap().stdout).unwrap();
    assert!(["serve", "tail", "settle", "log"].iter().all(|one| said.contains(one)), "{said}");
}
