//! Login, lock-out, one-time codes and the PIN, over a served page. Time is moved by moving what the database remembers.

use base::clock;
use rusqlite::Connection;
use wardpost::people::lockout::{LOCKED_FOR, NAME_FAILURES_MAX};
use wardpost::people::{CODE_FOR, Role, secret};
use wardpost::storage::{By, NewUser};

use super::http::Client;
use super::post::{PLACES, Post, alert};

const PASSWORD: &str = "đêm nay trực ca";

/// Changes the database beside the post.
fn change(post: &Post, sql: &str) {
    assert!(Connection::open(post.database()).unwrap().execute(sql, []).unwrap() > 0, "{sql}");
}

/// Makes an account with [`PASSWORD`].
fn account(post: &mut Post, name: &str) {
    let (user, by) = (name.parse().unwrap(), By { who: "a test", at: clock::wall() });
    let hash = secret::hash(PASSWORD);
    let new =
        NewUser { name: &user, full_name: name, role: Role::Officer, password: Some(&hash), code: None };
    post.storage().add_user(&new, by).unwrap();
}

fn log_in(client: &Client, name: &str, password: &str) -> u16 {
    client.post("/login", &[("name", name), ("password", password)]).status
}

#[test]
fn five_failures_lock_a_name_for_five_minutes_and_no_other_name() {
    let mut post = Post::start();
    account(&mut post, "lan");
    account(&mut post, "minh");
    let nobody = Client::nobody(&post);
    for _ in 0..NAME_FAILURES_MAX {
        assert_eq!(log_in(&nobody, "lan", "wrong"), 401);
    }
    let refused = nobody.post("/login", &[("name", "lan"), ("password", PASSWORD)]);
    assert_eq!(refused.status, 429);
    assert!(refused.text.contains("5 phút"), "{}", refused.text);
    assert_eq!(log_in(&nobody, "minh", PASSWORD), 303);

    let almost = LOCKED_FOR.as_micros() - 60_000_000;
    change(
        &post,
        &format!("UPDATE login_failure SET last_us = last_us - {almost} WHERE subject = 'name lan'"),
    );
    assert_eq!(log_in(&nobody, "lan", PASSWORD), 429, "the last minute counts, too");
    change(&post, "UPDATE login_failure SET last_us = last_us - 60000000 WHERE subject = 'name lan'");
    assert_eq!(log_in(&nobody, "lan", PASSWORD), 303);
}

#[test]
fn a_one_time_code_is_used_once_and_only_in_time() {
    let mut post = Post::start();
    account(&mut post, "chief");
    let code = secret::code();
    let digest = secret::digest(&secret::plain_code(&code));
    let (now, by) = (clock::wall(), By { who: "a test", at: clock::wall() });
    for (name, ends) in [("lan", now + CODE_FOR), ("minh", now)] {
        let user = name.parse().unwrap();
        let code = Some((digest.as_str(), ends));
        let new = NewUser { name: &user, full_name: name, role: Role::Officer, password: None, code };
        post.storage().add_user(&new, by).unwrap();
    }
    let nobody = Client::nobody(&post);
    let begin = |name| {
        let fields = [("code", code.as_str()), ("name", name), ("password", PASSWORD)];
        nobody.post("/begin", &fields)
    };
    assert_eq!(log_in(&nobody, "lan", ""), 401, "a code is no password");
    let begun = begin("lan");
    assert_eq!((begun.status, begun.header("location")), (303, "/"));
    let again = begin("lan");
    assert_eq!(again.status, 422);
    assert!(again.text.contains("mã đã hết hạn"), "{}", again.text);
    assert_eq!(begin("minh").status, 422, "it has run out");
    assert_eq!(log_in(&nobody, "lan", PASSWORD), 303);
}

#[test]
fn five_wrong_pins_end_the_login() {
    let mut post = Post::start();
    let officer = Client::officer(&mut post, "lan", Role::Officer);
    assert_eq!(officer.post("/account/pin", &[("pin", "1111")]).status, 422);
    assert_eq!(officer.post("/account/pin", &[("pin", "2580")]).header("location"), "/account");
    assert_eq!(officer.post("/lock", &[]).header("location"), "/lock");
    for _ in 0..4 {
        let wrong = officer.post("/unlock", &[("pin", "0000")]);
        assert_eq!(wrong.status, 401);
        assert!(wrong.text.contains("Không đúng"), "{}", wrong.text);
    }
    assert_eq!(officer.post("/unlock", &[("pin", "2580")]).header("location"), "/");
    assert_eq!(officer.get("/").status, 200);

    officer.post("/lock", &[]);
    for _ in 0..4 {
        assert_eq!(officer.post("/unlock", &[("pin", "0000")]).status, 401);
    }
    assert_eq!(officer.post("/unlock", &[("pin", "0000")]).header("location"), "/login");
    assert_eq!(officer.post("/unlock", &[("pin", "2580")]).header("location"), "/login");
}

#[test]
fn a_login_that_has_run_out_is_nobody_and_an_idle_one_is_locked() {
    let mut post = Post::start();
    let [lan, minh] = ["lan", "minh"].map(|name| Client::officer(&mut post, name, Role::Officer));
    assert_eq!((lan.get("/").status, minh.get("/").status), (200, 200));
    change(&post, "UPDATE login SET used_us = used_us - 16 * 60000000 WHERE user = 'lan'");
    change(&post, "UPDATE login SET begun_us = begun_us - 15 * 3600000000 WHERE user = 'minh'");
    assert_eq!(lan.get("/").header("location"), "/lock");
    assert_eq!(minh.get("/").header("location"), "/login");
    assert_eq!(minh.post("/take", &[("id", "1")]).header("location"), "/login");
}

#[test]
fn the_first_administrators_code_makes_one_account() {
    let mut post = Post::start();
    let code = post.code();
    let nobody = Client::nobody(&post);
    let begin = |code: &str, name| {
        let fields = [("code", code), ("name", name), ("full_name", "Phạm An"), ("password", PASSWORD)];
        nobody.post("/begin", &fields).status
    };
    assert_eq!(begin("AAAA-AAAA-AAAA", "an"), 422);
    assert_eq!(begin(&code.to_lowercase(), "an"), 303);
    assert_eq!(begin(&code, "ba"), 422);
    assert_eq!(post.storage().users().unwrap().len(), 1);
}

/// A locked page sounds, and cannot know about which camera.
#[test]
fn a_locked_login_learns_of_changes_and_of_no_event() {
    let mut post = Post::start();
    let officer = Client::officer(&mut post, "lan", Role::Officer);
    post.store(vec![alert(0)]);
    let changes = || officer.get("/changes?after=0").text;
    for word in ["\"severity\":\"warning\"", "\"camera\"", "\"row\""] {
        assert!(changes().contains(word), "{word}: {}", changes());
    }
    officer.post("/lock", &[]);
    assert!(changes().contains("\"severity\":\"warning\""), "{}", changes());
    for word in ["\"camera\"", "\"row\"", PLACES[0]] {
        assert!(!changes().contains(word), "{word}: {}", changes());
    }
    assert_eq!(officer.get("/event?id=1").header("location"), "/lock");
}
