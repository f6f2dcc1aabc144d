//! Input that nobody should send, and a database that does not answer: a clear page, a logged line, and nothing lost.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;
use tempfile::TempDir;
use wardpost::page::routes::{TABLE, Verb};
use wardpost::people::Role;
use wardpost::settings::WrittenEvents;

use super::browser::{Browser, is_installed};
use super::http::{Client, keep_log, log};
use super::post::{Post, alert, named, with_bytes};

#[test]
fn a_forged_cookie_is_nobody() {
    let mut post = Post::start();
    Client::officer(&mut post, "lan", Role::Officer);
    for forged in ["", "AAAA", "' OR 1=1 --", &"x".repeat(4000), "a; wardpost=b"] {
        let answer = Client::with_token(&post, forged).get("/");
        assert_eq!((answer.status, answer.header("location")), (303, "/login"), "{forged}");
    }
}

#[test]
fn a_huge_form_is_refused_and_a_slow_one_given_up() {
    let mut post = Post::start();
    post.store(vec![alert(0)]);
    let officer = Client::officer(&mut post, "lan", Role::Officer);
    let huge = officer.post("/close", &[("id", "1"), ("note", &"a".repeat(40_000))]);
    assert_eq!(huge.status, 413);
    assert!(huge.text.contains("quá lớn"), "{}", huge.text);
    // The rest of the form never comes. Others are served meanwhile.
    let headers = officer.headers();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            officer.ask(&format!("POST /take HTTP/1.1\r\n{headers}Content-Length: 100\r\n\r\nid=1"))
        });
        assert_eq!(officer.get("/").status, 200);
        let answer = slow.join().unwrap();
        assert_eq!(answer.status, 408);
        assert!(answer.text.contains("quá chậm"), "{}", answer.text);
    });
    assert_eq!(post.storage().event(1).unwrap().unwrap().state.as_str(), "new");
}

#[test]
fn a_script_in_a_cameras_name_is_text_on_every_page() {
    let mut post = Post::start();
    post.store(vec![named(0, "<script>alert(1)</script>\" onmouseover=\"x")]);
    let chief = Client::officer(&mut post, "lan", Role::Administrator);
    chief.post("/shift/begin", &[]);
    chief.post("/shift/end", &[("shift", "1")]);
    let told = ["/", "/event?id=1", "/event/print?id=1", "/shift", "/shift/print?id=1", "/figures?days=1"];
    for path in told.into_iter().chain(["/changes?after=0"]) {
        let answer = chief.get(path);
        assert!(
            answer.status == 200 && answer.text.contains("&lt;script&gt;alert(1)"),
            "{path}: {}",
            answer.text
        );
    }
    let pages = TABLE.iter().filter(|route| route.verb == Verb::Get && route.path != "/feed");
    for path in told.into_iter().chain(pages.map(|route| route.path)) {
        let answer = chief.get(path);
        // A table for a spreadsheet has the name as it is.
        if answer.header("content-type").starts_with("text/csv") {
            continue;
        }
        let text = answer.text;
        assert!(!text.contains("<script>alert") && !text.contains("\" onmouseover"), "{path}: {text}");
    }
}

#[test]
fn a_thumbnail_that_is_no_jpeg_is_a_drawing_that_says_so() {
    keep_log();
    let mut post = Post::start();
    post.store(vec![with_bytes(0, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")]);
    let officer = Client::officer(&mut post, "minh", Role::Officer);
    let answer = officer.get("/picture?alert=1");
    assert_eq!((answer.status, answer.header("content-type")), (415, "image/svg+xml"));
    assert!(answer.text.contains("Ảnh bị hỏng") && !answer.text.contains("onload"), "{}", answer.text);
    assert!(log().contains("the thumbnail of alert message 1 is no JPEG"), "{}", log());
    if !is_installed() {
        return;
    }
    let mut browser = Browser::start();
    let mut tab = browser.open(&post.url(), 1280, 800);
    let token = super::rights::asker(&mut post, "lan", Some(Role::Officer), false).token;
    let cookie = json!({ "name": "wardpost", "value": token, "url": post.url(), "httpOnly": true });
    browser.ask(&mut tab, "Network.setCookie", cookie);
    browser.go(&mut tab, &post.url());
    browser.until(&mut tab, "document.querySelector('[data-event] img').naturalWidth > 0");
}

#[test]
fn a_database_that_another_program_locks_gives_a_clear_page_and_loses_nothing() {
    keep_log();
    let mut post = Post::start();
    post.store(vec![alert(0)]);
    let officer = Client::officer(&mut post, "lan", Role::Officer);
    let mut beside = Connection::open(post.database()).unwrap();
    // The page would note the next request as a use.
    beside.execute("UPDATE login SET used_us = used_us - 60000000", []).unwrap();
    let writing = beside.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let answer = officer.post("/take", &[("id", "1")]);
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{}", answer.text);
    assert!(answer.text.contains("Cơ sở dữ liệu đang bận"), "{}", answer.text);
    assert!(log().contains("the page cannot serve /take"), "{}", log());
    // Reading goes on.
    assert_eq!(officer.get("/").status, 200);
    assert!(log().contains("the page could not note that lan is there"), "{}", log());
    drop(writing);
    assert_eq!(officer.post("/take", &[("id", "1")]).status, 303);
    assert_eq!(post.storage().event(1).unwrap().unwrap().state.by().unwrap().as_str(), "lan");
    post.store(vec![alert(1)]);
    assert_eq!(post.storage().counts().unwrap().open, 2);
}

/// A small tmpfs, where mounting is allowed.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(bytes: u64) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(place.path());
        let has_mounted = mount.output().is_ok_and(|output| output.status.success());
        let size = rustix::fs::statvfs(place.path()).map(|disk| disk.f_blocks * disk.f_frsize);
        // Filling another disk would be worse than no test.
        if !has_mounted || size != Ok(bytes) {
            eprintln!("skipped: a tmpfs cannot be mounted here (needs root)");
            return None;
        }
        Some(Self(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all that is free into a file.
    fn fill(&self) {
        let mut file = File::create(self.path().join("filler")).unwrap();
        while file.write(&[7; 4096]).is_ok_and(|written| written > 0) {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The folder is removed with what is left in it.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn a_decision_that_a_full_disk_does_not_take_is_told_as_not_stored() {
    let Some(disk) = SmallDisk::mount(8 << 20) else { return };
    keep_log();
    let mut post = Post::start_in(disk.path(), WrittenEvents::default());
    post.store(vec![alert(0)]);
    let officer = Client::officer(&mut post, "lan", Role::Officer);
    // A reader keeps the journal from beginning again in the room that it has.
    let mut beside = Connection::open(post.database()).unwrap();
    let reading = beside.transaction().unwrap();
    reading.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap();
    disk.fill();
    let steps = [("/take", "taken"), ("/release", "new")];
    let (mut state, mut next) = ("new", steps.iter().cycle());
    let refused = loop {
        let (path, after) = next.next().unwrap();
        let answer = officer.post(path, &[("id", "1")]);
        if answer.status != 303 {
            break (path, answer, after);
        }
        state = after;
    };
    let (path, answer, after) = refused;
    assert_eq!(answer.status, 507, "{}", answer.text);
    assert!(answer.text.contains("chưa được lưu"), "{}", answer.text);
    assert!(log().contains(&format!("the page cannot serve {path}")), "{}", log());
    assert_eq!(officer.get("/").status, 200, "reading goes on");
    assert_eq!(
        post.storage().event(1).unwrap().unwrap().state.as_str(),
        state,
        "it is as the last answer said"
    );
    std::fs::remove_file(disk.path().join("filler")).unwrap();
    assert_eq!(officer.post(path, &[("id", "1")]).status, 303);
    assert_eq!(post.storage().event(1).unwrap().unwrap().state.as_str(), *after);
}

#[test]
fn events_are_overdue_after_the_wards_own_time() {
    let place = tempfile::tempdir().unwrap();
    let events =
        WrittenEvents { critical_seconds: Some(7), warning_seconds: Some(11), ..WrittenEvents::default() };
    let mut post = Post::start_in(place.path(), events);
    post.store((0..3).map(alert).collect());
    let officer = Client::officer(&mut post, "lan", Role::Officer);
    let text = officer.get("/").text;
    let number = |after: &str, from: &str| {
        from.split(&format!("{after}=\"")).nth(1).and_then(|rest| rest.split('"').next()?.parse::<i64>().ok())
    };
    let seconds = |severity: &str| {
        let row =
            text.split("<article").find(|row| row.contains(&format!("data-severity=\"{severity}\"")))?;
        Some((number("data-due", row)? - number("data-since", row)?) / 1_000_000)
    };
    assert_eq!(["critical", "warning", "notice"].map(seconds), [Some(7), Some(11), None]);
}

/// Connections that say nothing keep nobody out.
#[test]
fn silent_connections_keep_nobody_out() {
    let mut post = Post::start();
    let officer = Client::officer(&mut post, "lan", Role::Officer);
    let silent: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(("127.0.0.1", post.port())).unwrap()).collect();
    assert_eq!(officer.get("/").status, 200);
    drop(silent);
}
